-- Time: the history of a cell, what differs between two versions, and which version was the newest at a time.
SET timezone = 'UTC';
SET datestyle = ISO;
SET layra.now = '2026-01-01 12:00:00+00';
CREATE ROLE regress_engine;
SELECT layra.grant_access('regress_engine', 'writer');
SET ROLE regress_engine;
SELECT layra.save_state('flow', '{"global_variables": {"a": 1, "b": {"x": [1]}, "c": null},
    "execution_status": {"n": null}, "loop_index": {"l": 0},
    "context": {"n": ["x"]}, "stack": ["n"], "nodes": [], "edges": []}');
RESET ROLE;
SET layra.now = '2026-01-01 12:00:10+00';
SET ROLE regress_engine;
SELECT set_config('layra.actor', 'alice', false);
SELECT layra.set_variables('flow', '{"a": 2, "b": {"x": [1]}}');
SELECT layra.save_state('flow', '{"global_variables": {"b": {"x": [1, 2]}, "c": null, "d": true},
    "execution_status": {"n": true}, "loop_index": {"l": 1},
    "context": {"n": ["x", "y"]}, "stack": [], "nodes": [{"id": "n"}], "edges": []}');
RESET ROLE;
SET layra.now = '2026-01-01 12:00:20+00';
SET ROLE regress_engine;
SELECT layra.rollback('flow', 2);

-- history: oldest first, one row for every change; SQL NULL where it was unset.
SELECT * FROM layra.history('flow', 'a');
SELECT revision, version, value FROM layra.history('flow', 'c');
SELECT revision, version, value FROM layra.history('flow', 'nothing');
SELECT revision, version, value FROM layra.history('flow', 'n', 'node');
SELECT revision, version, value FROM layra.history('flow', 'l', scope => 'loop');
-- Each entry of a node's context is a cell of its own, with revisions of its own.
SELECT revision, version, value FROM layra.history('flow', 'n', 'context');
SELECT revision, version, value FROM layra.history('flow', 'stack', 'engine');
SELECT * FROM layra.history('flow', 'a', 'variables');

-- diff: what somebody has to know who saw the one version and looks at the other. From anywhere to the head.
SELECT * FROM layra.diff('flow', 1, 3);
SELECT scope, key, ordinal, op FROM layra.diff('flow', 3);
-- Backwards, to itself, and between equals. What came back pending is all that a rollback does not restore.
SELECT * FROM layra.diff('flow', 3, 2) WHERE scope IN ('variable', 'node');
SELECT * FROM layra.diff('flow', 3, 3);
SELECT * FROM layra.diff('flow', 2, 4);
SELECT * FROM layra.diff('flow', 0);
SELECT * FROM layra.diff('flow', 1, 99);

-- version_at: NULL before the first event.
SELECT at, layra.version_at('flow', at::timestamptz) FROM (VALUES
    ('2026-01-01 11:59:59.999999+00'), ('2026-01-01 12:00:00+00'), ('2026-01-01 12:00:09+00'),
    ('2026-01-01 12:00:10+00'), ('2026-01-01 12:00:15+00'), ('2026-01-01 12:00:20+00'),
    ('infinity'), ('-infinity')) t (at);
SELECT layra.get_variable('flow', 'a', layra.version_at('flow', '2026-01-01 12:00:05+00')) AS "a at 12:00:05";

-- digest: the newest event's hash, which holds for all of the log. The same calls in the same run give the same one.
SELECT layra.digest('flow');
SELECT layra.digest('flow') = encode(hash, 'hex') AS "that of the head" FROM layra.event
WHERE run_id = 'flow' AND version = 4;

-- Oldest first, also where an older entry changes later.
SELECT layra.save_state('lists', '{"context": {"n": ["x"]}}');
SELECT layra.save_state('lists', '{"context": {"n": ["x", "y"]}}');
SELECT layra.save_state('lists', '{"context": {"n": ["z", "y"]}}');
SELECT revision, version, value FROM layra.history('lists', 'n', 'context');

SELECT layra.drop_run('flow');
SELECT layra.drop_run('lists');
RESET ROLE;
SELECT layra.revoke_access('regress_engine');
DROP ROLE regress_engine;
