-- verify: what somebody changed behind the extension's back, who had the privileges for it.
SET timezone = 'UTC';
SET layra.now = '2026-01-01 12:00:00+00';
CREATE ROLE regress_engine;
SELECT layra.grant_access('regress_engine', 'writer');
SET ROLE regress_engine;
SELECT layra.define_workflow('flow', '{"nodes": [{"id": "n", "type": "code"}], "edges": []}');
SELECT layra.start_run('log', 'flow', '{"a": 1}', '{"customer": 7}');
SELECT layra.set_variables('log', '{"a": 2, "b": {"x": 1}}');
SELECT layra.append_event('log', 'note', '{"text": "hello"}', idempotency_key => 'k');
SELECT layra.checkpoint('log', 'here');
SELECT layra.save_state('log', layra.get_state('log') || '{"context": {"n": ["x"]}}');
SELECT layra.unset_variables('log', '{b}');
RESET ROLE;

-- Nothing: no row.
SELECT * FROM layra.verify('log');

-- Each of these is found, by itself.
CREATE FUNCTION tampered(change text) RETURNS TABLE (version bigint, problem text)
LANGUAGE plpgsql
AS $$
DECLARE
    found text[];
BEGIN
    BEGIN
        EXECUTE change;
        found := ARRAY(SELECT concat(v.version, ': ', v.problem) FROM layra.verify('log') v);
        RAISE SQLSTATE 'UNDO0';
    EXCEPTION WHEN SQLSTATE 'UNDO0' THEN
        RETURN QUERY SELECT nullif(split_part(f, ': ', 1), '')::bigint, split_part(f, ': ', 2) FROM unnest(found) f;
    END;
END
$$;
-- Cells.
SELECT * FROM tampered($$UPDATE layra.cell SET value = '3' WHERE run_id = 'log' AND key = 'a' AND version = 2$$);
SELECT * FROM tampered($$UPDATE layra.cell SET (value, hash) =
    (SELECT value, hash FROM layra.cell WHERE run_id = 'log' AND key = 'a' AND version = 1)
    WHERE run_id = 'log' AND key = 'a' AND version = 2$$);
SELECT * FROM tampered($$DELETE FROM layra.cell WHERE run_id = 'log' AND key = 'a' AND version = 2$$);
SELECT * FROM tampered($$INSERT INTO layra.cell
    SELECT run_id, scope, 'c', ordinal, version, revision, value, hash FROM layra.cell
    WHERE run_id = 'log' AND key = 'a'$$);
SELECT * FROM tampered($$UPDATE layra.cell SET revision = 7 WHERE run_id = 'log' AND key = 'a' AND version = 2$$);
SELECT * FROM tampered($$UPDATE layra.cell SET value = NULL, hash = NULL
    WHERE run_id = 'log' AND key = 'a' AND version = 2$$);
-- Events.
SELECT * FROM tampered($$UPDATE layra.event SET payload = '{"text": "goodbye"}' WHERE run_id = 'log' AND version = 3$$);
SELECT * FROM tampered($$UPDATE layra.event SET actor = 'somebody' WHERE run_id = 'log' AND version = 3$$);
SELECT * FROM tampered($$UPDATE layra.event SET at = at + interval '1 hour' WHERE run_id = 'log' AND version = 3$$);
SELECT * FROM tampered($$UPDATE layra.event SET idempotency_key = NULL WHERE run_id = 'log' AND version = 3$$);
SELECT * FROM tampered($$UPDATE layra.event SET changed = '{}' WHERE run_id = 'log' AND version = 2$$);
SELECT * FROM tampered($$DELETE FROM layra.event WHERE run_id = 'log' AND version IN (2, 3)$$);
SELECT * FROM tampered($$UPDATE layra.event SET bytes_since_checkpoint = 0 WHERE run_id = 'log' AND version = 6$$);
-- Whoever cuts off the end leaves a log that is shorter but sound: that is what a digest kept elsewhere is for.
SELECT * FROM tampered($$DELETE FROM layra.event WHERE run_id = 'log' AND version = 6;
    DELETE FROM layra.cell WHERE run_id = 'log' AND version = 6$$);
-- What follows from the events: the run, its checkpoints, its graph and its workflow.
SELECT * FROM tampered($$UPDATE layra.run SET status = 'paused', metadata = '{}' WHERE run_id = 'log'$$);
SELECT * FROM tampered($$UPDATE layra.run SET owner = 'somebody' WHERE run_id = 'log'$$);
SELECT * FROM tampered($$UPDATE layra.checkpoint SET label = 'there' WHERE run_id = 'log'$$);
SELECT * FROM tampered($$DELETE FROM layra.checkpoint WHERE run_id = 'log'$$);
SELECT * FROM tampered($$UPDATE layra.graph SET nodes = '[]' WHERE owner = 'regress_engine'$$);
SELECT * FROM tampered($$UPDATE layra.workflow SET definition = '{}' WHERE owner = 'regress_engine'$$);
SELECT * FROM layra.verify('log');

-- Without a run: all those that one may read. Of a run that does not exist: an error.
SELECT count(*) FROM layra.verify();
SELECT * FROM layra.verify('nothing');

SELECT layra.drop_run('log');
DROP FUNCTION tampered;
DELETE FROM layra.workflow;
SELECT layra.revoke_access('regress_engine');
DROP ROLE regress_engine;
