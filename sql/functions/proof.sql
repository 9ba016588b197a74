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
run_id text, default NULL: the run; NULL: one hash over all that heads returns.
Result text: 64 lower-case hexadecimal digits.
Errors: 22023 bad argument, P0002 no such run, 42501 not a run that the caller may read.
Example: SELECT layra.digest('order-17');$$;

COMMENT ON FUNCTION layra.heads(text) IS
$$Reads the newest hash of every run, and the seals of those that are gone.
They are those that the caller may read. Keep them elsewhere to prove later, with verify_heads, that no run was rewritten or removed behind the extension's back.
owner text, default NULL: only what belongs to this role; NULL: everything that the caller may read.
Result: run_id, version and hash, in the order of run_id as bytes: the seals of a run id (its last version, and the hash of the seal), then the run that has it now.
Errors: 22023 bad argument.
Example: SELECT jsonb_agg(h) FROM layra.heads() h;$$;

COMMENT ON FUNCTION layra.verify_heads(jsonb) IS
$$Compares what heads returned once with what is there.
Each run still has to have that hash at that version, or a seal has to account for it.
heads jsonb: array of objects {"run_id": ..., "version": ..., "hash": ...}; other members are ignored.
Result: run_id, version, problem. No row: everything is accounted for.
Errors: 22023 bad argument.
Example: SELECT * FROM layra.verify_heads('[{"run_id": "order-17", "version": 1, "hash": "1fd0d18474038c1a0f6f76dd146b770045abba1981ffec0abcffc7552d7711af"}]');$$;
