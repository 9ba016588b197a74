-- Errors: standard SQLSTATEs, the run in the message, a JSON object for programs in DETAIL, and what to do in HINT.
SET timezone = 'UTC';
SET layra.now = '2026-01-01 12:00:00+00';
CREATE ROLE regress_engine;
CREATE ROLE regress_other;
SELECT layra.grant_access('regress_engine', 'writer');
SELECT layra.grant_access('regress_other', 'writer');

-- What a call ends with.
CREATE FUNCTION error(call text) RETURNS TABLE (code text, message text, detail jsonb, hint text)
LANGUAGE plpgsql
AS $$
BEGIN
    EXECUTE 'SELECT * FROM layra.' || call;
    RETURN QUERY SELECT 'none', NULL, NULL::jsonb, NULL;
EXCEPTION WHEN OTHERS THEN
    DECLARE
        raw text;
    BEGIN
        GET STACKED DIAGNOSTICS code = RETURNED_SQLSTATE, message = MESSAGE_TEXT, raw = PG_EXCEPTION_DETAIL,
            hint = PG_EXCEPTION_HINT;
        detail := nullif(raw, '');
        RETURN NEXT;
    END;
END
$$;

SET ROLE regress_other;
SELECT layra.start_run('theirs');
SET ROLE regress_engine;
SELECT layra.define_workflow('strict', '{"variables": {"n": {"schema": {"type": "integer"}}}}');
SELECT layra.start_run('run', 'strict', '{"n": 1}');
SELECT layra.set_variable('run', 'n', '2', idempotency_key => 'k');
SELECT layra.checkpoint('run', 'here');
SELECT layra.protect_checkpoint('run', 'here');
SELECT layra.start_run('finished');
SELECT layra.finish_run('finished');

\x on
-- 40001: somebody else was faster. Programs retry on the SQLSTATE.
SELECT * FROM error($$set_variables('run', '{"n": 3}', expected_version => 1)$$);
SELECT * FROM error($$set_variable('run', 'n', '3', expected_version => 1)$$);
SELECT * FROM error($$set_variables('run', '{}', '{"n": 1, "m": 2}')$$);
SELECT * FROM error($$rollback('run', 1, expected_version => 1)$$);
-- P0002: there is no such thing.
SELECT * FROM error($$get_state('nothing')$$);
SELECT * FROM error($$rollback_to('run', 'there')$$);
SELECT * FROM error($$start_run('new', 'nothing', workflow_version => 3)$$);
-- 23505: there is one already.
SELECT * FROM error($$start_run('run')$$);
SELECT * FROM error($$checkpoint('run', 'here')$$);
-- 22023: an argument is wrong. A wrong definition comes with all that is wrong.
SELECT * FROM error($$start_run('')$$);
SELECT * FROM error($$set_variables('run', '[]')$$);
SELECT * FROM error($$append_event('run', 'run.started')$$);
SELECT * FROM error($$get_state('run', 99)$$);
SELECT * FROM error($$append_event('run', 'note', idempotency_key => 'k')$$);
SELECT * FROM error($$define_workflow('wrong', '{"nodes": [{"id": 1}], "policy": {"retry": {}}}')$$);
-- 23514: a value breaks its schema. Never the value itself, which would end up in the server's log.
SELECT * FROM error($$set_variable('run', 'n', '"secret"')$$);
-- 55000: the run, or the checkpoint, is in the wrong state for this.
SELECT * FROM error($$set_variable('finished', 'n', '1')$$);
SELECT * FROM error($$reopen_run('run')$$);
SELECT * FROM error($$rollback('run', 1)$$);
-- 42501: not this role's run, or not this role's right.
SELECT * FROM error($$get_state('theirs')$$);
SELECT * FROM error($$define_workflow('all', '{}', shared => true)$$);
-- 54000: over a limit.
SELECT * FROM error($$set_variable('run', 'text', to_jsonb(repeat('x', 67108863)))$$);
-- PostgreSQL's own errors pass unchanged.
SELECT * FROM error($$set_owner('run', 'regress_nobody')$$);

\x off
-- The order of checks: arguments, the run, access, the idempotency key, the expected version, the status, then limits and
-- schemas. Each of these calls is wrong in a later way, too.
SELECT call, code FROM (VALUES
    ($$set_variable('nothing', '', '"x"', expected_version => 9)$$),
    ($$set_variable('nothing', 'n', '"x"', expected_version => 9)$$),
    ($$set_variable('theirs', 'n', '"x"', expected_version => 9)$$),
    ($$unset_variables('run', '{n}', expected_version => 9, idempotency_key => 'k')$$),
    ($$set_variable('run', 'n', '"x"', expected_version => 9, idempotency_key => 'k')$$),
    ($$set_variable('run', 'n', '"x"', expected_version => 9)$$),
    ($$set_variables('finished', '{}', expected_version => 9)$$),
    ($$checkpoint('finished', 'here', expected_version => 2)$$),
    ($$set_variable('run', 'n', '"x"', expected_version => 2)$$)) c (call), error(call);

-- After any error nothing has changed.
SELECT run_id, version FROM layra.runs WHERE run_id IN ('run', 'finished', 'new') ORDER BY run_id;
SELECT v.* FROM layra.run r, layra.verify(r.run_id) v WHERE r.run_id IN ('run', 'finished');

-- DETAIL has at most 100 entries, and their count.
SELECT layra.set_variables('run', (SELECT jsonb_object_agg('v' || i, i) FROM generate_series(1, 300) i));
SELECT code, jsonb_array_length(detail -> 'conflicts') AS conflicts, detail -> 'conflict_count' AS count
FROM error($$set_variables('run', (SELECT jsonb_object_agg('v' || i, 0) FROM generate_series(1, 300) i),
    expected_version => 1)$$);
SELECT layra.define_workflow('strict all', (SELECT jsonb_build_object('variables',
    jsonb_object_agg('v' || i, '{"schema": false}'::jsonb)) FROM generate_series(1, 300) i));
SELECT code, jsonb_array_length(detail -> 'violations') AS violations, detail -> 'violation_count' AS count
FROM error($$start_run('new', 'strict all', (SELECT jsonb_object_agg('v' || i, i) FROM generate_series(1, 300) i))$$);
SELECT code, jsonb_array_length(detail -> 'problems') AS problems, detail -> 'problem_count' AS count
FROM error($$define_workflow('wrong', jsonb_build_object('nodes',
    (SELECT jsonb_agg(i) FROM generate_series(1, 300) i)))$$);

RESET ROLE;
SELECT layra.drop_run(run_id) FROM layra.run WHERE run_id IN ('run', 'finished', 'theirs');
DROP FUNCTION error;
DELETE FROM layra.workflow;
SELECT layra.revoke_access('regress_engine');
SELECT layra.revoke_access('regress_other');
DROP ROLE regress_engine, regress_other;
