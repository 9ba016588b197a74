-- The whole state as an engine's own document: save_state stores what differs, get_state gives back what was saved.
SET timezone = 'UTC';
SET layra.now = '2026-01-01 12:00:00+00';

-- A run that nobody started is created, in one version with its first state.
SELECT layra.save_state('flow', '{
    "nodes": [{"id": "a", "type": "code"}, {"id": "l", "type": "loop"}], "edges": [{"source": "a", "target": "l"}],
    "global_variables": {"n": 1.00, "text": "x"}, "execution_status": {"a": null, "l": false}, "loop_index": {"l": 0},
    "context": {"a": [{"out": 1}], "l": []}, "execution_stack": ["a"], "skip_nodes": [], "engine_version": "2.1"}');
SELECT jsonb_pretty(layra.get_state('flow'));
SELECT type, payload - 'owner' - 'seal' AS payload, changed FROM layra.events('flow');

-- The same again is an event without a change; a difference is stored alone.
SELECT layra.save_state('flow', layra.get_state('flow'));
SELECT layra.save_state('flow', jsonb_set(layra.get_state('flow'), '{global_variables,n}', '2'));
SELECT layra.save_state('flow', layra.get_state('flow') ||
    '{"execution_stack": [], "execution_status": {"a": true, "l": null}}');
SELECT version, changed FROM layra.events('flow', after_version => 1);

-- Every version reads back as it was saved.
SELECT version, layra.get_state('flow', version) - '{nodes,edges,context,skip_nodes}'::text[] AS state
FROM generate_series(1, 4) version;

-- A list of outputs that grows, or slides, is not rewritten: each entry is a cell.
SELECT layra.save_state('flow', jsonb_set(layra.get_state('flow'), '{context,a}', '[{"out": 1}, {"out": 2}]'));
SELECT layra.save_state('flow', jsonb_set(layra.get_state('flow'), '{context,a}', '[{"out": 1}, {"out": 2}, {"out": 3}]'));
SELECT layra.save_state('flow', jsonb_set(layra.get_state('flow'), '{context,a}', '[{"out": 2}, {"out": 3}, {"out": 4}]'));
SELECT layra.save_state('flow', jsonb_set(layra.get_state('flow'), '{context,a}', '[]'));
SELECT version, changed, layra.get_state('flow', version) #> '{context,a}' AS a
FROM layra.events('flow', after_version => 4);

-- Fields that are absent stay absent, empty ones stay empty; nodes and edges that are left out leave the graph as it is.
SELECT layra.save_state('flow', '{"global_variables": {}, "loop_index": {"l": 1}}');
SELECT layra.get_state('flow');
SELECT layra.save_state('flow', '{}');
SELECT layra.get_state('flow');
-- What gets a cell later appears, although no document had it.
SELECT layra.set_variable('flow', 'late', 'true');
SELECT layra.get_state('flow');
SELECT layra.save_state('flow', '{"nodes": [], "edges": []}');
SELECT layra.get_state('flow');
SELECT layra.get_state('flow', 8) = layra.get_state('flow', 7) AS "as before", layra.get_state('flow', 8) -> 'nodes' AS nodes;

-- A run that was started and never saved has all the fields, and the graph of its workflow.
SELECT layra.start_run('bare');
SELECT layra.get_state('bare');
SELECT layra.define_workflow('two steps', '{"nodes": [{"id": "a", "type": "code"}, {"id": "b", "type": "code"}],
    "edges": [{"source": "a", "target": "b"}], "variables": {"n": {"default": 0}}}');
SELECT layra.start_run('started', 'two steps');
SELECT layra.get_state('started');

-- With what the caller expects: 0 creates and never replaces.
SELECT layra.save_state('new', '{"global_variables": {"a": 1}}', expected_version => 0);
SELECT layra.save_state('new', '{"global_variables": {"a": 2}}', expected_version => 0);
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT layra.save_state('new', '{"global_variables": {"a": 2}}', expected_version => 1);
SELECT layra.save_state('newer', '{}', expected_version => 1);
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT layra.save_state('newer', '{}', idempotency_key => 'k');
SELECT layra.save_state('newer', '{"x": 1}', idempotency_key => 'k');
SELECT layra.get_state('newer');

-- Fields have their types, and names that are the extension's own are refused.
SELECT layra.save_state('new', '[]');
SELECT layra.save_state('new', '{"global_variables": []}');
SELECT layra.save_state('new', '{"execution_status": {"a": "done"}}');
SELECT layra.save_state('new', '{"loop_index": {"l": "1"}}');
SELECT layra.save_state('new', '{"context": {"a": {}}}');
SELECT layra.save_state('new', '{"nodes": {}}');
SELECT layra.save_state('new', '{"edges": null}');
SELECT layra.save_state('new', '{"global_variables": {"": 1}}');
SELECT layra.save_state('new', '{"layra.graph": 1}');
SELECT layra.save_state('new', NULL);

SELECT v.* FROM layra.run r, layra.verify(r.run_id) v WHERE r.run_id IN ('flow', 'bare', 'started', 'new', 'newer');
SELECT layra.drop_run(run_id) FROM layra.run WHERE run_id IN ('flow', 'bare', 'started', 'new', 'newer');
DELETE FROM layra.workflow;
