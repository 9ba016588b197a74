COMMENT ON FUNCTION layra.checkpoint(text, text, text, jsonb, boolean, bigint, text) IS
$$Marks the state of a run as a checkpoint, in a version of its own.
Nothing is copied: the cost does not depend on the size of the state.
run_id text: the run.
label text, default NULL: a name for rollback_to, unique in the run; NULL: none.
kind text, default manual: what sort of checkpoint this is, 1 to 255 characters.
metadata jsonb, default {}: object kept with it.
replace boolean, default false: true moves a label that exists; its old checkpoint stays, without a label.
expected_version bigint, default NULL: the version of the run that the caller has read; NULL: no check.
idempotency_key text, default NULL: a name for this call, see start_run.
Result bigint: the run's new version, which is the checkpoint's.
Errors: 22023 bad argument, P0002 no such run, 42501 not the caller's run, 40001 another version, 23505 the label already exists, 55000 finished, or the label's checkpoint is protected, 54000 metadata over 64 MB.
Example: SELECT layra.checkpoint('order-17', 'before payment');$$;

COMMENT ON FUNCTION layra.protect_checkpoint(text, text, boolean, bigint, text) IS
$$Protects a checkpoint: no rollback goes to a version before it.
Its label does not move, either.
run_id text: the run.
label text: the checkpoint's.
protected boolean, default true: false removes the protection.
expected_version bigint, default NULL: the version of the run that the caller has read; NULL: no check.
idempotency_key text, default NULL: a name for this call, see start_run.
Result bigint: the run's new version.
Errors: 22023 bad argument, P0002 no such run or label, 42501 not the caller's run, 40001 another version, 55000 finished.
Example: SELECT layra.protect_checkpoint('order-17', 'before payment');$$;

COMMENT ON FUNCTION layra.rollback(text, bigint, text, bigint, text) IS
$$Restores the state that a run had at a version, as a new version.
The log keeps everything, and a rollback can be rolled back. Nodes that were running become pending; idempotency keys used after to_version count as unused.
run_id text: the run.
to_version bigint: 1 to the newest.
reason text, default NULL: kept in the event.
expected_version bigint, default NULL: the version of the run that the caller has read; NULL: no check.
idempotency_key text, default NULL: a name for this call, see start_run.
Result bigint: the run's new version.
Errors: 22023 bad argument or no such version, P0002 no such run, 42501 not the caller's run, 40001 another version, 55000 finished, or a protected checkpoint stands after to_version.
Example: SELECT layra.rollback('order-17', 3, 'wrong price list');$$;

COMMENT ON FUNCTION layra.rollback_to(text, text, text, bigint, text) IS
$$Restores the state that a run had at a checkpoint, as a new version.
It is rollback to the version of that checkpoint.
run_id text: the run.
label text: the checkpoint's.
reason text, default NULL: kept in the event.
expected_version bigint, default NULL: the version of the run that the caller has read; NULL: no check.
idempotency_key text, default NULL: a name for this call, see start_run.
Result bigint: the run's new version.
Errors: 22023 bad argument, P0002 no such run or label, 42501 not the caller's run, 40001 another version, 55000 finished, or a protected checkpoint stands after that one.
Example: SELECT layra.rollback_to('order-17', 'before payment', 'card declined');$$;

COMMENT ON FUNCTION layra.history(text, text, text) IS
$$Reads every value that a variable, or another cell, has had.
run_id text: the run.
key text: the variable's name, node id, loop id or field.
scope text, default variable: variable, node, loop, context (the node's entries, one after the other) or engine.
Result, oldest first: revision (1, 2, ... per cell), version of the run, value (SQL NULL: unset), at, actor, on_behalf_of and type of the event. No row where there never was one.
Errors: 22023 bad argument, P0002 no such run, 42501 not a run that the caller may read.
Example: SELECT version, value, actor FROM layra.history('order-17', 'total');$$;

COMMENT ON FUNCTION layra.diff(text, bigint, bigint) IS
$$Reads what differs between the states of a run at two versions.
run_id text: the run.
from_version bigint: a version; it may be the newer one.
to_version bigint, default NULL: the other version; NULL: the newest.
Result, sorted by the first three: scope, key, ordinal (entry of a context, else 0), op (added, changed, removed), old_value (SQL NULL where added), new_value (SQL NULL where removed).
Errors: 22023 bad argument or no such version, P0002 no such run, 42501 not a run that the caller may read.
Example: SELECT key, op, old_value, new_value FROM layra.diff('order-17', 1);$$;

COMMENT ON FUNCTION layra.version_at(text, timestamptz) IS
$$Finds the version that a run had at a time.
run_id text: the run.
at timestamptz: the time.
Result bigint: the last version whose event is not later; SQL NULL before the first event.
Errors: 22023 bad argument, P0002 no such run, 42501 not a run that the caller may read.
Example: SELECT layra.get_state('order-17', layra.version_at('order-17', '2026-01-05 12:00+00'));$$;

COMMENT ON FUNCTION layra.fork_run(text, text, bigint, text) IS
$$Starts a new run with the state that another run had at some version.
The fork belongs to the calling role and is running. It has the parent's workflow and metadata, not its checkpoints, result, leases and questions; nodes that were running are pending; idempotency keys that the parent had used by then count as used.
run_id text: the parent, of any status; it does not change.
new_run_id text: the name of the fork.
at_version bigint, default NULL: the parent's version to take; NULL: the newest.
idempotency_key text, default NULL: a name for this call, see start_run; it is a key of the fork.
Result bigint: the fork's version, 1.
Errors: 22023 bad argument or no such version, P0002 no such run, 42501 the parent is not the caller's, 23505 new_run_id already exists, 40001 above READ COMMITTED where a concurrent fork won.
Example: SELECT layra.fork_run('order-17', 'order-17-again', at_version => 3);$$;

COMMENT ON FUNCTION layra.cells(text, text, bigint) IS
$$Reads the live cells of a run, which the views of a run are made of.
run_id text: the run.
scope text, default NULL: variable, node, loop, context or engine; NULL: all.
at_version bigint, default NULL: the version to read at; NULL: the newest.
Result, in no order: scope, key, ordinal, version that set the value, revision (count of changes of this cell), value.
Errors: 22023 bad argument or no such version, P0002 no such run, 42501 not a run that the caller may read.
Example: SELECT key, value FROM layra.cells('order-17', 'variable', at_version => 1);$$;
