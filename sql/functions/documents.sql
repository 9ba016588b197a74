COMMENT ON FUNCTION layra.save_state(text, jsonb, bigint, text) IS
$$Replaces the state of a run by an engine's own document, storing only what differs; creates the run where there is none.
run_id text: the run. state jsonb: object of global_variables (object), execution_status (object of true, false, null), loop_index (object of numbers), context (object of arrays), nodes and edges (arrays), each optional, and any other fields.
expected_version bigint, default NULL: the run's version that the caller has seen, 0: the run must not exist; NULL: no check.
idempotency_key text, default NULL: see start_run.
Result bigint: the run's new version. Without nodes and edges in the document the run's graph stays as it is.
Errors: 22023 bad argument or a field of the wrong type, P0002 expected_version above 0 and no such run, 42501 not the caller's run, 40001 another version, 55000 finished, 54000 over a size limit, 23514 a variable breaks its schema.
Example: SELECT layra.save_state('order-18', '{"global_variables": {"total": 5}, "execution_stack": ["start"]}');$$;

COMMENT ON FUNCTION layra.get_state(text, bigint) IS
$$Reads the whole state of a run as the engine's document: what save_state was given, with later changes in it.
run_id text: the run. at_version bigint, default NULL: the version to read at; NULL: the newest.
Result jsonb: object. A field is in it if it was in the last saved document or has content now.
Errors: 22023 bad argument or no such version, P0002 no such run, 42501 not a run that the caller may read.
Example: SELECT layra.get_state('order-18', at_version => 1);$$;
