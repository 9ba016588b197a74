COMMENT ON FUNCTION layra.begin_node(text, text, text, interval) IS
$$Takes a node of a run for a worker.
Of a completed or skipped node it returns what is recorded. Call it in a transaction of its own: other writers of the run wait until that ends.
run_id text: the run.
node_id text: the node, 1 to 255 characters.
worker text, default NULL: name of the worker, 1 to 255 characters; the one that holds the node takes it again.
lease interval, default NULL: how long the node is held, above zero; NULL: until this worker, reset_nodes or recover_run gives it up.
Result: version; attempt (1, 2, ... never repeated in a run's life); status running where this call took it, else completed or skipped; output of a completed node, from its context.
Errors: 22023 bad argument, P0002 no such run, 42501 not the caller's run, 55P03 another worker holds it (DETAIL has holder and until), 55000 the run is paused, cancelling or finished, 40001 above READ COMMITTED where the run was written to since the snapshot.
Example: SELECT * FROM layra.begin_node('order-17', 'price', worker => 'w1', lease => '5 minutes');$$;

COMMENT ON FUNCTION layra.heartbeat(text, text, integer, interval) IS
$$Extends the lease of a node.
It appends no event and does not wait for the run. Call it in a transaction of its own: what changes this lease waits until that ends.
run_id text: the run.
node_id text: the node.
attempt integer: the attempt that begin_node returned.
lease interval: how long from now the node is held, above zero.
Result: until (end of the lease), run_status (cancelling: stop working).
Errors: 22023 bad argument, P0002 no such run, 42501 not the caller's run, 55000 the node was never begun, or this attempt has no lease any more.
Example: SELECT * FROM layra.heartbeat('order-17', 'pay', attempt => 1, lease => '5 minutes');$$;

COMMENT ON FUNCTION layra.complete_node(text, text, jsonb, jsonb, integer, bigint, text) IS
$$Completes a running node with its output and variables, in one version.
Its lease ends, and a checkpoint is made where the workflow's policy asks for one.
run_id text: the run.
node_id text: the node.
output jsonb, default NULL: any JSON value, appended to the node's context; NULL: none.
updates jsonb, default NULL: object of variables to set.
attempt integer, default NULL: the attempt that begin_node returned; NULL: whichever is running.
expected_version bigint, default NULL: the version of the run that the caller has read; NULL: no check.
idempotency_key text, default NULL: a name for this call, see start_run.
Result bigint: the run's new version; the first call's version where this attempt was completed with this output already.
Errors: 22023 bad argument, P0002 no such run, 42501 not the caller's run, 40001 another version, 55000 the node is not running, the attempt is over or the run finished, 54000 over a size limit, 23514 a variable violates its schema.
Example: SELECT layra.complete_node('order-17', 'pay', '{"receipt": 4711}', '{"paid": true}', attempt => 1);$$;

COMMENT ON FUNCTION layra.fail_node(text, text, jsonb, integer, bigint, text) IS
$$Records that a running node failed.
Its lease ends. The run continues, and the node can be begun again or skipped.
run_id text: the run.
node_id text: the node.
error jsonb: any JSON value, kept in the node's details.
attempt integer, default NULL: the attempt that begin_node returned; NULL: whichever is running.
expected_version bigint, default NULL: the version of the run that the caller has read; NULL: no check.
idempotency_key text, default NULL: a name for this call, see start_run.
Result bigint: the run's new version; the first call's version where this attempt failed with this error already.
Errors: 22023 bad argument, P0002 no such run, 42501 not the caller's run, 40001 another version, 55000 the node is not running, the attempt is over or the run finished, 54000 over 64 MB.
Example: SELECT layra.fail_node('order-17', 'pay', '{"message": "card declined"}', attempt => 1);$$;

COMMENT ON FUNCTION layra.skip_nodes(text, text[], text, bigint, text) IS
$$Marks pending and failed nodes as skipped, all or none of them.
run_id text: the run.
node_ids text[]: the nodes; those that were never begun are pending.
reason text, default NULL: kept in the event.
expected_version bigint, default NULL: the version of the run that the caller has read; NULL: no check.
idempotency_key text, default NULL: a name for this call, see start_run.
Result bigint: the run's new version; an older one, and no event, where all of them are skipped already.
Errors: 22023 bad argument, P0002 no such run, 42501 not the caller's run, 40001 another version, 55000 a node is running or completed, or the run finished.
Example: SELECT layra.skip_nodes('order-17', '{ship}', 'nothing to ship');$$;

COMMENT ON FUNCTION layra.reset_nodes(text, text[], bigint, text) IS
$$Makes nodes pending again, and ends their leases.
Their context stays, and attempts continue to count up.
run_id text: the run.
node_ids text[]: the nodes; those that were never begun stay as they are.
expected_version bigint, default NULL: the version of the run that the caller has read; NULL: no check.
idempotency_key text, default NULL: a name for this call, see start_run.
Result bigint: the run's new version; an older one, and no event, where all of them are pending already.
Errors: 22023 bad argument, P0002 no such run, 42501 not the caller's run, 40001 another version, 55000 the run finished.
Example: SELECT layra.reset_nodes('order-17', '{pay}');$$;

COMMENT ON FUNCTION layra.context(text, text, integer) IS
$$Reads outputs of nodes, newest first.
The cost is that of the rows returned, however much context there is.
run_id text: the run.
node_id text, default NULL: only this node; NULL: every node.
last integer, default NULL: entries of each node at most, 0 or more; NULL: all.
Result: node_id, ordinal of the entry, value, version that set it, bytes of its JSON text.
Errors: 22023 bad argument, P0002 no such run, 42501 not a run that the caller may read.
Example: SELECT value FROM layra.context('order-17', 'price', last => 1);$$;

COMMENT ON FUNCTION layra.set_engine(text, jsonb, bigint, text) IS
$$Sets an engine's own fields of the state document.
These are execution_stack, skip_nodes and whatever else the engine keeps there. The rest of the document is not saved again.
run_id text: the run.
fields jsonb: object of field names and values; a field that is left out is untouched.
expected_version bigint, default NULL: the version of the run that the caller has read; NULL: no check.
idempotency_key text, default NULL: a name for this call, see start_run.
Result bigint: the run's new version.
Errors: 22023 bad argument, or a field that is made of cells or reserved for the extension, P0002 no such run, 42501 not the caller's run, 40001 another version, 55000 the run finished, 54000 over 64 MB.
Example: SELECT layra.set_engine('order-17', '{"execution_stack": ["pay"]}');$$;

COMMENT ON FUNCTION layra.enter_loop(text, text, integer, bigint, text) IS
$$Enters a loop, before its first iteration.
Its index is -1 until next_iteration, and the loops inside it leave the live state.
run_id text: the run.
loop_id text: the loop's node.
max_iterations integer, default NULL: the bound, 0 or more; NULL: the node's data.maxCount, else the policy's loops.default_max, else 100.
expected_version bigint, default NULL: the version of the run that the caller has read; NULL: no check.
idempotency_key text, default NULL: a name for this call, see start_run.
Result bigint: the run's new version; of an active loop the version of its last change, and no event.
Errors: 22023 bad argument, P0002 no such run, 42501 not the caller's run, 40001 another version, 55000 the run finished.
Example: SELECT layra.enter_loop('order-17', 'items', max_iterations => 3);$$;

COMMENT ON FUNCTION layra.next_iteration(text, text, integer) IS
$$Begins the next iteration of a loop.
The nodes of its body become pending, and the loops in it leave the live state, in the same version.
run_id text: the run.
loop_id text: the loop's node.
after integer, default NULL: index that the caller has finished, -1 for none: where the loop is at after + 1 already, that index is returned and nothing appended; NULL: always the next one.
Result integer: the index that begins, from 0; SQL NULL, and no event, where the bound is reached.
Errors: 22023 bad argument, P0002 no such run, 42501 not the caller's run, 55000 the loop is not active or at another index, or the run finished.
Example: SELECT layra.next_iteration('order-17', 'lines', after => -1);$$;

COMMENT ON FUNCTION layra.exit_loop(text, text, bigint, text) IS
$$Ends a loop.
Where its node says "data": {"context": "loop"}, the context of its body leaves the live state.
run_id text: the run.
loop_id text: the loop's node.
expected_version bigint, default NULL: the version of the run that the caller has read; NULL: no check.
idempotency_key text, default NULL: a name for this call, see start_run.
Result bigint: the run's new version; of a loop that has ended already the version in which it did, and no event.
Errors: 22023 bad argument, P0002 no such run, 42501 not the caller's run, 40001 another version, 55000 the loop was never entered, or the run finished.
Example: SELECT layra.exit_loop('order-17', 'lines');$$;

COMMENT ON FUNCTION layra.recover_run(text, boolean, boolean) IS
$$Prepares a run to continue after a crash.
Nodes that nobody holds become pending, a run whose questions have all expired is running again, and a state that is not valid is reported, and rolled back where the caller says so.
run_id text: the run.
dry_run boolean, default false: true only reports what the call would do.
rollback boolean, default false: true goes back to checkpoint_version where there are problems.
Result, one row: from_version; checkpoint_version, the newest one that is valid (NULL: the state is valid, or there is none); incomplete (nodes that were running); last_completed; resume_at (nodes to continue with); problems (as validate_run has them); version after it; lost (cells that a rollback takes back).
Errors: 22023 bad argument, P0002 no such run, 42501 not the caller's run, 55000 the run finished.
Example: SELECT version, resume_at, problems FROM layra.recover_run('order-17');$$;

COMMENT ON FUNCTION layra.stale_runs(interval) IS
$$Lists the runs that make no progress and need a look.
These are running ones in which a lease ran out or nothing has happened for some time, and paused ones whose questions have all expired, as far as the caller may read them. States are not read.
idle interval: that time, above zero.
Result: run_id, version, last_activity, expired (nodes whose lease ran out).
Errors: 22023 bad argument.
Example: SELECT run_id, expired FROM layra.stale_runs('15 minutes');$$;

COMMENT ON FUNCTION layra.pause_run(text, text, jsonb, jsonb, text, interval, text) IS
$$Asks a person a question, and pauses the run until it is answered.
It stores an interaction, and makes a protected checkpoint of kind human with the label interaction and its id.
run_id text: the run.
node_id text: the node that asks.
prompt jsonb, default {}: the question, any JSON value.
response_schema jsonb, default NULL: JSON Schema that the answer must satisfy; NULL: any.
assignee text, default NULL: who may answer: role:NAME (members of that role), else a name that layra.actor must have; NULL: whoever may change the run.
expires_in interval, default NULL: from then on it cannot be answered, above zero; NULL: never.
idempotency_key text, default NULL: a name for this call, see start_run; the repeated call returns the same interaction.
Result uuid: the interaction.
Errors: 22023 bad argument or schema, P0002 no such run, 42501 not the caller's run, 55000 the run is cancelling or finished, 54000 over 64 MB.
Example: SELECT layra.pause_run('order-17', 'pay', '{"question": "Refund?"}', assignee => 'role:billing_team');$$;

COMMENT ON FUNCTION layra.resume_run(text, uuid, jsonb, jsonb, text, bigint, text) IS
$$Stores the answer to a question, and lets the run continue.
The run stays paused while another question is open.
run_id text: the run.
interaction uuid: what pause_run returned.
response jsonb, default {}: the answer, any JSON value.
updates jsonb, default NULL: object of variables to set in the same version.
on_change text, default fail: where variables, loops or context changed since the question, other than by answers: fail gives 40001, accept continues.
expected_version bigint, default NULL: the version of the run that the caller has read; NULL: no check.
idempotency_key text, default NULL: a name for this call, see start_run.
Result bigint: the run's new version; the first call's version where the same answer was given already.
Errors: 22023 bad argument, P0002 no such run, 42501 not the caller's run, or somebody else is asked, 40001 another version or a changed state, 55000 unknown, expired, withdrawn or already answered, 23514 the answer or the state is not valid, 54000 over 64 MB.
Example: SELECT layra.resume_run(run_id, interaction, '{"ok": true}')
    FROM layra.interactions WHERE run_id = 'order-17' AND status = 'pending';$$;

COMMENT ON FUNCTION layra.withdraw_interaction(text, uuid, text, bigint, text) IS
$$Withdraws a question, and lets the run continue.
The run stays paused while another question is open.
run_id text: the run.
interaction uuid: what pause_run returned.
reason text, default NULL: kept in the event.
expected_version bigint, default NULL: the version of the run that the caller has read; NULL: no check.
idempotency_key text, default NULL: a name for this call, see start_run.
Result bigint: the run's new version; the first call's version where it was withdrawn already.
Errors: 22023 bad argument, P0002 no such run, 42501 not the caller's run, 40001 another version, 55000 unknown or answered, or the run finished.
Example: SELECT layra.withdraw_interaction(run_id, interaction, 'too late')
    FROM layra.interactions WHERE run_id = 'order-17' AND status = 'pending';$$;
