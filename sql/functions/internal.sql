COMMENT ON FUNCTION layra.breaker_state(text, text) IS
$$Internal: the state of one breaker, for the view breakers.
owner text: the role that it belongs to.
name text: the breaker.
Result: state (closed, open or half_open), failures since the last success, opened_at, last_error.
Errors: 22023 bad argument, P0002 no such breaker, or not one that the caller may see.
Example: SELECT state FROM layra.breaker_state(current_user, 'mail api');$$;

COMMENT ON FUNCTION layra.remembered() IS
$$Internal: what this session caches, for the view session_memory.
Result: what (definitions, places, plans, schemas), entries, bytes.
Errors: none.
Example: SELECT * FROM layra.remembered();$$;

COMMENT ON FUNCTION layra.check_access(name, text) IS
$$Internal: checks the arguments of grant_access and revoke_access.
It also lets one of them run at a time.
role name: must exist.
level text: writer, auditor or admin.
Result: none.
Errors: 22023 unknown level, 42704 no such role, 25001 above READ COMMITTED.
Example: SELECT layra.check_access('app', 'writer');$$;

COMMENT ON FUNCTION layra.reads_runs_of(text) IS
$$Internal: whether the current role reads what a role owns, for row security.
It does with that role's privileges, or as an auditor.
owner text: name of a role; one that does not exist is read by auditors alone.
Result boolean: whether it does.
Errors: none.
Example: SELECT layra.reads_runs_of('billing_team');$$;

COMMENT ON FUNCTION layra.reads_run(text) IS
$$Internal: whether the current role reads a run, for row security.
run_id text: the run; one that does not exist is read by auditors alone.
Result boolean: whether it does.
Errors: none.
Example: SELECT layra.reads_run('order-17');$$;

COMMENT ON FUNCTION layra.readable_owners() IS
$$Internal: the roles whose runs the current role reads, for index searches.
Result text[]: roles whose privileges it has; for auditors and superusers every role that owns anything.
Errors: none.
Example: SELECT layra.readable_owners();$$;

COMMENT ON FUNCTION layra.owners_by_index(internal) IS
$$Internal: tells the planner that an index on owners serves reads_runs_of.
SQL cannot call it.
request internal: the planner's question.
Result internal: the answer.
Errors: none.$$;

COMMENT ON FUNCTION layra.owns(text) IS
$$Internal: whether the current role has the privileges of a role.
owner text: name of a role; one that does not exist gives false.
Result boolean: whether it does.
Errors: none.
Example: SELECT layra.owns('billing_team');$$;

COMMENT ON FUNCTION layra.reads_every_run() IS
$$Internal: whether the current role has the level auditor, for row security.
Result boolean: whether it does.
Errors: none.
Example: SELECT layra.reads_every_run();$$;

COMMENT ON FUNCTION layra.format_3() IS
$$Internal: says that the session's library reads what is stored since 0.3.0.
The index run_parent asks for it, which ends every session whose library is older.
Result boolean: true.
Errors: 42883 in a session that began before the update; connect again.
Example: SELECT layra.format_3();$$;

COMMENT ON FUNCTION layra.changed_cells(text, bigint) IS
$$Internal: the cells that an event changed, for the view changes.
run_id text: the run.
version bigint: of the event.
Result: scope, key, ordinal, old (NULL: it was not set), new (NULL: it was unset).
Errors: 22023 bad argument, P0002 no such run, 42501 not a run that the caller may read.
Example: SELECT * FROM layra.changed_cells('order-17', 1);$$;

COMMENT ON FUNCTION layra.undone_by(text, bigint) IS
$$Internal: the rollback that undid a version, for the view timeline.
run_id text: the run.
version bigint: of the run.
Result bigint: the version of that rollback; NULL: the version counts.
Errors: 22023 bad argument, P0002 no such run, 42501 not a run that the caller may read.
Example: SELECT layra.undone_by('order-17', 1);$$;
