COMMENT ON FUNCTION layra.validate_run(text, bigint) IS
$$Checks the state of a run against the rules for it.
The rules are schemas, references to nodes, loop bounds, sizes, hashes, and the validators of the run's workflow.
run_id text: the run.
at_version bigint, default NULL: the version to check; NULL: the newest.
Result: rule (schema, reference, loop, size, hash, or a validator's name), path (JSON Pointer into the state document), message. No row: the state is valid.
Errors: 22023 bad argument or no such version, P0002 no such run, 42501 not a run that the caller may read.
Example: SELECT * FROM layra.validate_run('order-17');$$;

COMMENT ON FUNCTION layra.define_event_type(text, jsonb, boolean) IS
$$Gives the payloads of an event type a JSON Schema.
It holds in the runs of the calling role, where it precedes a shared one; a second call replaces it.
type text: an event type that is not reserved for the extension.
schema jsonb: a JSON Schema.
shared boolean, default false: true for the runs of every role (level admin).
Result: none.
Errors: 22023 bad argument or schema, 42501 shared without level admin, 23505 another role shares this type, 54000 over 64 MB.
Example: SELECT layra.define_event_type('payment.received', '{"type": "object", "required": ["amount"]}');$$;

COMMENT ON FUNCTION layra.add_validator(text, text, regprocedure) IS
$$Adds a custom rule to validate_run, or replaces it (level admin).
It runs as the role that validates.
workflow text: name of the workflows whose runs it checks.
name text: the rule's name, 1 to 255 characters.
function regprocedure: a function with arguments (run_id text, state jsonb) that returns a row of text for each problem.
Result: none.
Errors: 22023 bad argument or other argument types, 42501 not level admin, 42883 no such function.
Example: SELECT layra.add_validator('billing', 'total', 'public.check_total(text, jsonb)');$$;

COMMENT ON FUNCTION layra.remove_validator(text, text) IS
$$Removes a custom rule from validate_run (level admin).
workflow text: name of the workflows.
name text: the rule's name.
Result: none; a rule that does not exist is not an error.
Errors: 22023 bad argument, 42501 not level admin.
Example: SELECT layra.remove_validator('billing', 'total');$$;

COMMENT ON FUNCTION layra.on_event(text, regprocedure, text) IS
$$Registers a handler, which runs after events of a type (level admin).
It runs in the same transaction and as the caller; an error in it undoes the call.
type_pattern text: an event type, or a prefix that ends in .* (mail.* covers mail.sent).
function regprocedure: a function with arguments (run_id text, version bigint, type text, payload jsonb); its result is ignored.
workflow text, default NULL: only runs of workflows of this name; NULL: all runs.
Result: none; a handler that is registered already is not an error.
Errors: 22023 bad argument or other argument types, 42501 not level admin, 42883 no such function.
Example: SELECT layra.on_event('mail.*', 'public.to_outbox(text, bigint, text, jsonb)');$$;

COMMENT ON FUNCTION layra.off_event(text, regprocedure) IS
$$Removes a handler, for all workflows (level admin).
Handlers of the same pattern whose functions were dropped go with it.
type_pattern text: the pattern that it was registered with.
function regprocedure: the function.
Result: none; a handler that does not exist is not an error.
Errors: 22023 bad argument or other argument types, 42501 not level admin, 42883 no such function.
Example: SELECT layra.off_event('mail.*', 'public.to_outbox(text, bigint, text, jsonb)');$$;
