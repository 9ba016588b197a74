COMMENT ON FUNCTION layra.breaker_state(text, text) IS
$$Internal, for the view breakers: the state of one breaker.
owner text: the role that it belongs to. name text: the breaker.
Result: state (closed, open or half_open), failures since the last success, opened_at, last_error.
Errors: 22023 bad argument, P0002 no such breaker, or not one that the caller may see.
Example: SELECT state FROM layra.breaker_state(current_user, 'mail api');$$;

COMMENT ON FUNCTION layra.remembered() IS
$$Internal, for the view session_memory: what this session remembers.
Result: what (definitions, places, plans, schemas), entries, bytes.
Errors: none.
Example: SELECT * FROM layra.remembered();$$;

COMMENT ON FUNCTION layra.check_access(name, text) IS
$$Internal: checks the arguments of grant_access and revoke_access, and lets one of them run at a time.
role name: must exist. level text: writer, auditor or admin.
Errors: 22023 unknown level, 42704 no such role, 25001 above READ COMMITTED.
Example: SELECT layra.check_access('app', 'writer');$$;

COMMENT ON FUNCTION layra.reads_runs_of(text) IS
$$Internal, for row security: does the current role read what this one owns, by its privileges or as an auditor?
owner text: name of a role; one that does not exist is read by auditors alone.
Result boolean.
Example: SELECT layra.reads_runs_of('billing_team');$$;

COMMENT ON FUNCTION layra.reads_run(text) IS
$$Internal, for row security: does the current role read this run?
run_id text: the run; one that does not exist is read by auditors alone.
Result boolean.
Example: SELECT layra.reads_run('order-17');$$;

COMMENT ON FUNCTION layra.readable_owners() IS
$$Internal, for row security: the roles whose runs the current role reads, to look for in an index.
Result text[]: roles whose privileges it has; for auditors and superusers whoever owns anything.
Example: SELECT layra.readable_owners();$$;

COMMENT ON FUNCTION layra.owners_by_index(internal) IS
$$Internal: tells the planner that an index on owners serves reads_runs_of. Not for SQL.
request internal: the planner's question.
Result internal: its answer.$$;

COMMENT ON FUNCTION layra.owns(text) IS
$$Internal: has the current role the privileges of this one?
owner text: name of a role; one that does not exist gives false.
Result boolean.
Example: SELECT layra.owns('billing_team');$$;

COMMENT ON FUNCTION layra.reads_every_run() IS
$$Internal, for row security: has the current role the level auditor?
Result boolean.
Example: SELECT layra.reads_every_run();$$;

COMMENT ON FUNCTION layra.format_3() IS
$$Internal: says that the library of the session reads what is stored since 0.3.0. The index run_parent asks for it, which ends every session whose library is older.
Result boolean: true.
Errors: 42883 in a session that began before the update; connect again.
Example: SELECT layra.format_3();$$;
