COMMENT ON FUNCTION layra.save_state(text, jsonb, bigint, text) IS
$$Replaces the state of a run by an engine's document, storing only changes.
It creates the run where there is none. Without nodes and edges in the document the run's graph stays as it is.
run_id text: the run.
state jsonb: object of global_variables (object), execution_status (object of true, false, null), loop_index (object of numbers), context (object of arrays), nodes and edges (arrays), each optional, and any other fields.
expected_version bigint, default NULL: the version of the run that the caller has read, 0: the run must not exist; NULL: no check.
idempotency_key text, default NULL: a name for this call, see start_run.
Result bigint: the run's new version.
Errors: 22023 bad argument or a field of the wrong type, P0002 expected_version above 0 and no such run, 42501 not the caller's run, 40001 another version, 55000 finished, 54000 over a size limit, 23514 a variable violates its schema.
Example: SELECT layra.save_state('order-18', '{"global_variables": {"total": 5}}');$$;

COMMENT ON FUNCTION layra.get_state(text, bigint) IS
$$Reads the state of a run as a document, as it is or was at a version.
The document is what save_state was given, with later changes in it.
run_id text: the run.
at_version bigint, default NULL: the version to read at; NULL: the newest.
Result jsonb: object. A field is in it if it was in the last saved document or has content now.
Errors: 22023 bad argument or no such version, P0002 no such run, 42501 not a run that the caller may read.
Example: SELECT layra.get_state('order-18', at_version => 1);$$;
