COMMENT ON FUNCTION layra.define_workflow(text, jsonb, boolean) IS
$$Stores a workflow definition, and returns its version number.
It belongs to the calling role and never changes; runs refer to one version of it.
name text: 1 to 255 characters, unique per owner.
definition jsonb: object of nodes, edges, variables and policy, all optional; other keys are kept.
shared boolean, default false: true lets the runs of every role use it (level admin).
Result integer: 1 for the first definition of that name, then 2, 3, ...; the same content again returns the same number.
Errors: 22023 bad argument or definition (DETAIL lists all problems), 42501 shared without level admin, 23505 the shared name belongs to another role, 54000 over 64 MB.
Example: SELECT layra.define_workflow('billing',
    '{"variables": {"total": {"schema": {"type": "number"}, "default": 0}}}');$$;

COMMENT ON FUNCTION layra.start_run(text, text, jsonb, jsonb, integer, text) IS
$$Starts a run, owned by the calling role.
Until the transaction ends, another session that starts a run with the same id waits.
run_id text: name of the run, 1 to 255 characters, none a control character; unique in the database.
workflow text, default NULL: name of a workflow of the caller, else a shared one; NULL: a run without definition.
variables jsonb, default {}: object of first values; defaults of the definition apply to names that are not in it.
metadata jsonb, default {}: object that is kept with the run and never changes.
workflow_version integer, default NULL: version of the definition; NULL: the newest.
idempotency_key text, default NULL: 1 to 255 characters; the same call again with the same key does nothing and returns the first call's result.
Result bigint: the run's first version, 1.
Errors: 22023 bad argument, P0002 no such workflow, 23505 the run already exists, 23514 a variable violates its schema, 54000 over a size limit, 40001 above READ COMMITTED where a concurrent start won.
Example: SELECT layra.start_run('order-17', variables => '{"total": 120.50}');$$;

COMMENT ON FUNCTION layra.finish_run(text, text, jsonb, bigint, text) IS
$$Ends a run as completed, failed or cancelled.
A finished run refuses every write but reopen_run and drop_run; it can still be read and forked.
run_id text: the run.
status text, default completed: completed, failed or cancelled.
result jsonb, default NULL: any JSON value, shown in layra.runs.
expected_version bigint, default NULL: the version of the run that the caller has read; NULL: no check.
idempotency_key text, default NULL: a name for this call, see start_run.
Result bigint: the run's new version.
Errors: 22023 bad argument, P0002 no such run, 42501 not the caller's run, 40001 another version, 55000 already finished, 54000 result over 64 MB.
Example: SELECT layra.finish_run('order-17', result => '{"paid": true}');$$;

COMMENT ON FUNCTION layra.reopen_run(text, text, bigint, text) IS
$$Lets a failed or cancelled run continue.
A completed run stays closed. The result and finished_at of the run are cleared; the log keeps them.
run_id text: the run.
reason text, default NULL: kept in the event.
expected_version bigint, default NULL: the version of the run that the caller has read; NULL: no check.
idempotency_key text, default NULL: a name for this call, see start_run.
Result bigint: the run's new version.
Errors: 22023 bad argument, P0002 no such run, 42501 not the caller's run, 40001 another version, 55000 the run is not failed or cancelled.
Example: SELECT layra.reopen_run('order-17', 'card was replaced');$$;

COMMENT ON FUNCTION layra.cancel_run(text, text, bigint, text) IS
$$Asks the worker of a run to end it.
The status becomes cancelling, which the worker sees and answers with finish_run.
run_id text: the run.
reason text, default NULL: kept in the event.
expected_version bigint, default NULL: the version of the run that the caller has read; NULL: no check.
idempotency_key text, default NULL: a name for this call, see start_run.
Result bigint: the run's new version; the current one, and no event, where it is cancelling already.
Errors: 22023 bad argument, P0002 no such run, 42501 not the caller's run, 40001 another version, 55000 finished.
Example: SELECT layra.cancel_run('order-17', 'customer withdrew');$$;

COMMENT ON FUNCTION layra.set_owner(text, name, bigint, text) IS
$$Gives a run to another role.
The run keeps the workflow definition that it has.
run_id text: the run.
owner name: a role that the caller can SET ROLE to, as ALTER ... OWNER TO asks.
expected_version bigint, default NULL: the version of the run that the caller has read; NULL: no check.
idempotency_key text, default NULL: a name for this call, see start_run.
Result bigint: the run's new version.
Errors: 22023 bad argument, 42704 no such role, P0002 no such run, 42501 not the caller's run or role, 40001 another version, 55000 finished.
Example: SELECT layra.set_owner('order-17', 'billing_team');$$;

COMMENT ON FUNCTION layra.drop_run(text, text) IS
$$Erases a run with all that belongs to it, and leaves a seal.
It does so whatever the status of the run is, unless somebody holds it or a retention policy forbids it. The seal says what there was, who dropped it, when and why. A new run can have its id: its first event then names the seal.
Its forks stay, with the idempotency keys that they had from it, and become forks of its own parent; where it had none, their parent_run_id is NULL and their parent_version 0.
run_id text: the run.
reason text, default NULL: kept in the seal.
Result: none.
Errors: 22023 bad argument, P0002 no such run, 42501 not the caller's run, 55000 the run is held or its policy forbids it, 54000 the reason is over 64 MB, 40001 above READ COMMITTED where the run was written to or forked since the snapshot.
Example: SELECT layra.drop_run('order-17', 'a test');$$;

COMMENT ON FUNCTION layra.hold_run(text, text) IS
$$Holds a run, finished or not: it cannot be dropped until release_run.
The same call again does nothing; another reason replaces the one before. Nothing else that the run does is forbidden; a fork of it is not held.
run_id text: the run.
reason text: why, as the view runs shows it.
Result bigint: the run's new version.
Errors: 22023 bad argument, P0002 no such run, 42501 not the caller's run, 54000 the reason is over 64 MB.
Example: SELECT layra.hold_run('order-17', 'audit 2026');$$;

COMMENT ON FUNCTION layra.release_run(text, text) IS
$$Ends the hold of a run, so that it can be dropped again.
Without a hold it does nothing.
run_id text: the run.
reason text, default NULL: kept in the event.
Result bigint: the run's new version.
Errors: 22023 bad argument, P0002 no such run, 42501 not the caller's run, 54000 the reason is over 64 MB.
Example: SELECT layra.release_run('order-17', 'the audit is over');$$;

COMMENT ON FUNCTION layra.set_retention(jsonb, text) IS
$$Says whether the caller's runs may be dropped.
With {"drop": false} drop_run refuses them, whoever calls it, until the policy is set again or removed. A workflow's own policy comes before the one for all; policy.retention of a definition forbids it for good.
policy jsonb: an object with the rule drop, true or false; NULL: removes the policy.
workflow text, default NULL: only for runs of this workflow; NULL: for all that have no policy of their own.
Result: none.
Errors: 22023 bad argument.
Example: SELECT layra.set_retention('{"drop": false}');$$;
