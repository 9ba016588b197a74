COMMENT ON FUNCTION layra.append_event(text, text, jsonb, jsonb, bigint, text) IS
$$Appends an event of your own to a run's log, and sets variables with it.
Other writers of the run wait until the transaction ends.
run_id text: the run.
type text: 1 to 255 characters; types that start with run. variables. state. checkpoint. node. loop. interaction. workflow. breaker. policy. layra. are reserved for the extension.
payload jsonb, default {}: any JSON value.
updates jsonb, default NULL: object of variables to set in the same version.
expected_version bigint, default NULL: the version of the run that the caller has read; NULL: no check.
idempotency_key text, default NULL: a name for this call, see start_run.
Result bigint: the run's new version.
Errors: 22023 bad argument, P0002 no such run, 42501 not the caller's run, 40001 another version, 55000 finished, 54000 over a size limit, 23514 the payload or a variable violates its schema.
Example: SELECT layra.append_event('order-17', 'payment.received', '{"amount": 99.90}', '{"paid": true}');$$;

COMMENT ON FUNCTION layra.append_events(text, jsonb, bigint, text) IS
$$Appends several events to a run's log, all or none.
Each has a version of its own.
run_id text: the run.
events jsonb: array of at least one object {"type": ..., "payload": ..., "updates": ...}; type is required, the others are as in append_event.
expected_version bigint, default NULL: the run's version before the first event; NULL: no check.
idempotency_key text, default NULL: a name for this call, see start_run; it is recorded with the last event.
Result bigint: the version of the last event.
Errors: 22023 bad argument, P0002 no such run, 42501 not the caller's run, 40001 another version, 55000 finished, 54000 over a size limit, 23514 a payload or a variable violates its schema.
Example: SELECT layra.append_events('order-17', '[{"type": "mail.sent"}, {"type": "mail.read"}]');$$;

COMMENT ON FUNCTION layra.events(text, bigint, integer, text[]) IS
$$Reads the log of a run in order, a batch at a time.
Call it again with the last version as after_version until no row comes.
run_id text: the run.
after_version bigint, default 0: only events above this version.
batch_size integer, default 1000: rows at most, 1 to 100,000.
types text[], default NULL: only these types; NULL: all.
Result: version, type, payload, changed (names of the cells it changed), actor (the role that called), on_behalf_of (layra.actor: a claim), at.
Errors: 22023 bad argument, P0002 no such run, 42501 not a run that the caller may read.
Example: SELECT version, type, payload FROM layra.events('order-17', after_version => 1, batch_size => 100);$$;
