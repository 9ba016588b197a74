COMMENT ON FUNCTION layra.verify(text) IS
$$Checks runs against their hash chain, and lists what was tampered with.
It reads the whole log and every stored value, and continues after what cannot be read. A log that lost its newest events is still a chain: compare digest with one that was kept elsewhere.
run_id text, default NULL: the run; NULL: every run that the caller may read.
Result: run_id (NULL for a definition or graph, which belongs to no run), version (NULL where the problem is not in one version), problem. No row: everything is intact.
Errors: 22023 bad argument, P0002 no such run, 42501 not a run that the caller may read.
Example: SELECT * FROM layra.verify('order-17');$$;

COMMENT ON FUNCTION layra.digest(text) IS
$$Reads the head hash of a run: the hash of its newest event.
It depends on every event before it. Keep it elsewhere to prove later that the log was not rewritten.
run_id text: the run.
Result text: 64 lower-case hexadecimal digits.
Errors: 22023 bad argument, P0002 no such run, 42501 not a run that the caller may read.
Example: SELECT layra.digest('order-17');$$;
