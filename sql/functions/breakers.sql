COMMENT ON FUNCTION layra.define_breaker(text, integer, interval, interval) IS
$$Defines a circuit breaker of the calling role, or changes its settings.
Roles with the owner's privileges use it, too.
name text: 1 to 255 characters, unique per owner.
failure_threshold integer, default 5: failures without a success that open it, 1 or more.
reset_after interval, default 30 seconds: how long it stays open after the last failure, above zero.
probe_lease interval, default 30 seconds: how long a probe has to report, above zero.
Result: none.
Errors: 22023 bad argument.
Example: SELECT layra.define_breaker('payment api', failure_threshold => 3);$$;

COMMENT ON FUNCTION layra.breaker_try(text) IS
$$Asks a circuit breaker whether to make a call.
Report the outcome with breaker_success or breaker_failure. A closed or open breaker writes nothing; no call waits for another transaction.
name text: the caller's own breaker, else one of a role whose privileges the caller has.
Result boolean: closed true, open false, half open true to one caller at a time, whose call is the probe. The probe permit remembers layra.actor: set that to the worker's name.
Errors: 22023 bad argument, P0002 no such breaker.
Example: SELECT layra.breaker_try('mail api');$$;

COMMENT ON FUNCTION layra.breaker_success(text) IS
$$Reports to a circuit breaker that a call succeeded.
A closed breaker counts its failures from zero again; a half-open one is closed by the success of its probe; an open one stays open, as the call began before it opened, and so does a half-open one whose probe permit has another layra.actor than this session. Without failures nothing is written.
name text: the breaker.
Result: none.
Errors: 22023 bad argument, P0002 no such breaker.
Example: SELECT layra.breaker_success('mail api');$$;

COMMENT ON FUNCTION layra.breaker_failure(text, jsonb) IS
$$Reports to a circuit breaker that a call failed.
Call it in a transaction that commits: what is rolled back was never reported.
name text: the breaker.
error jsonb, default NULL: what happened, any JSON value, shown in layra.breakers.
Result: none.
Errors: 22023 bad argument, P0002 no such breaker, 54000 over 64 MB.
Example: SELECT layra.breaker_failure('mail api', '{"status": 503}');$$;

COMMENT ON FUNCTION layra.reset_breaker(text) IS
$$Closes a circuit breaker manually.
name text: the breaker.
Result: none.
Errors: 22023 bad argument, P0002 no such breaker.
Example: SELECT layra.reset_breaker('mail api');$$;
