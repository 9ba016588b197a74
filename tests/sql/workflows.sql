-- Workflows: definitions with a graph, variables with schemas and defaults, and policy; versioned by content.
SET timezone = 'UTC';
SET datestyle = ISO;
SET layra.now = '2026-01-01 12:00:00+00';
CREATE ROLE regress_engine;
SELECT layra.grant_access('regress_engine', 'writer');
SET ROLE regress_engine;

-- The same content again is the same version; key order and spaces are no content.
SELECT layra.define_workflow('review', '{"variables": {"score": {"schema": {"type": "number"}, "default": 0}, "title": {}}}');
SELECT layra.define_workflow('review', '{"variables": {"title": {}, "score": {"default": 0, "schema": {"type": "number"}}} }');
SELECT layra.define_workflow('review', '{"variables": {"score": {"schema": {"type": "integer", "maximum": 10}, "default": 0,
    "group": "figures"}, "title": {"schema": {"type": "string", "maxLength": 5}}}, "author": {"any": "other key is kept"}}');
SELECT layra.define_workflow('review', '{"variables": {"score": {"schema": {"type": "number"}, "default": 0}, "title": {}}}');
SELECT owner, name, version, shared, created_at, definition - 'variables' AS other FROM layra.workflow
ORDER BY name, version;

-- A run uses the newest version, or the one that is asked for, as long as it runs. Defaults apply where no value is given.
SELECT layra.start_run('new', 'review', '{"title": "Tides"}');
SELECT layra.start_run('old', 'review', '{"score": 99.5}', workflow_version => 1);
SELECT run_id, workflow, workflow_version FROM layra.runs WHERE run_id IN ('new', 'old') ORDER BY run_id;
SELECT layra.get_variables('new') AS new, layra.get_variables('old') AS old;
SELECT name, value, "group" FROM layra.variables WHERE run_id = 'new' ORDER BY name;
SELECT layra.start_run('other', 'review', workflow_version => 3);
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT layra.start_run('other', 'nothing');
SELECT layra.start_run('other', workflow_version => 1);
SELECT layra.start_run('other', 'review', workflow_version => 0);

-- Schemas are checked on every write, whichever way it comes in; DETAIL has every violation with its path and keyword.
SELECT layra.set_variables('new', '{"score": 10.5, "title": "too long"}');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT layra.set_variable('new', 'score', '"1"');
SELECT layra.append_event('new', 'note', updates => '{"score": 11}');
SELECT layra.append_events('new', '[{"type": "note", "updates": {"score": 1}},
    {"type": "note", "updates": {"score": 11}}]');
SELECT layra.save_state('new', '{"global_variables": {"score": 11}}');
SELECT * FROM layra.try_set_variables('new', '{"score": 11}');
SELECT layra.start_run('other', 'review', '{"score": 11}');
SELECT layra.set_variable('old', 'score', '10.5');
-- A variable without a schema may hold anything, and so may one that the definition does not have.
SELECT layra.set_variables('new', '{"other": {"any": ["thing"]}}');
-- Where the state is only moved, nothing is checked; unsetting is no value.
SELECT layra.unset_variables('new', '{score}');
SELECT version FROM layra.runs WHERE run_id = 'new';

-- Limits of the policy.
SELECT layra.define_workflow('small', '{"policy": {"limits": {"value_bytes": 10, "payload_bytes": 20}}}');
SELECT layra.start_run('small', 'small');
SELECT layra.set_variable('small', 'text', '"12345678"');
SELECT layra.set_variable('small', 'text', '"123456789"');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT layra.append_event('small', 'note', '{"text": "12345678"}');
SELECT layra.append_event('small', 'note', '{"text": "123456789"}');

-- A definition that is right, with everything in it.
SELECT layra.define_workflow('full', '{
    "nodes": [{"id": "start", "type": "start"}, {"id": "loop", "type": "loop", "data": {"maxCount": 3}},
              {"id": "work", "type": "code", "position": [1, 2]}, {"id": "check", "type": "condition"},
              {"id": "end", "type": "end"}],
    "edges": [{"source": "start", "target": "loop"}, {"source": "loop", "target": "work", "sourceHandle": "loop_body"},
              {"source": "work", "target": "loop", "sourceHandle": "loop_next"},
              {"source": "loop", "target": "check", "sourceHandle": null},
              {"source": "check", "target": "end", "sourceHandle": "condition-0"},
              {"source": "check", "target": "end", "sourceHandle": "condition-12"}],
    "variables": {"a": {"schema": true},
                  "b": {"schema": {"$ref": "#/$defs/x", "$defs": {"x": {"const": 1}}}, "default": 1}},
    "policy": {"checkpoint": {"every": "10 minutes", "milestones": ["end"], "before": ["code"], "bytes": 1000},
               "limits": {"value_bytes": 1, "payload_bytes": 1}, "loops": {"default_max": 0, "tolerance": 0}}}');

-- What is wrong comes all at once.
CREATE FUNCTION pg_temp.problems(definition jsonb) RETURNS TABLE (path text, message text)
LANGUAGE plpgsql
AS $$
DECLARE
    details text;
BEGIN
    PERFORM layra.define_workflow('wrong', definition);
    RETURN QUERY VALUES ('', 'none');
EXCEPTION WHEN invalid_parameter_value THEN
    GET STACKED DIAGNOSTICS details = PG_EXCEPTION_DETAIL;
    RETURN QUERY SELECT p ->> 'path', p ->> 'message' FROM jsonb_array_elements(details::jsonb -> 'problems') p;
END
$$;
SELECT layra.define_workflow('wrong', '{"nodes": 1, "edges": {}, "variables": [], "policy": true}');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT * FROM pg_temp.problems('{"nodes": [1, {"type": "code"}, {"id": ""}, {"id": 7, "type": "x"}, {"id": "a"},
    {"id": "b", "type": 7}, {"id": "c", "type": "code"}, {"id": "c", "type": "code"},
    {"id": "l", "type": "loop", "data": {"maxCount": -1}}, {"id": "m", "type": "loop", "data": {"maxCount": "3"}}, {"id": "k", "type": "code", "data": {"maxCount": "3"}}]}');
SELECT * FROM pg_temp.problems('{"nodes": [{"id": "a", "type": "code"}, {"id": "b", "type": "code"}], "edges": [1, {},
    {"source": "a"}, {"source": "a", "target": "x"}, {"source": 1, "target": "b"},
    {"source": "a", "target": "b", "sourceHandle": 1}, {"source": "a", "target": "b", "sourceHandle": "loop_body"},
    {"source": "a", "target": "b", "sourceHandle": "loop_next"},
    {"source": "a", "target": "b", "sourceHandle": "condition-1"}]}');
SELECT * FROM pg_temp.problems('{
    "nodes": [{"id": "a", "type": "code"}, {"id": "b", "type": "code"}, {"id": "c", "type": "code"}],
    "edges": [{"source": "a", "target": "b"}, {"source": "b", "target": "c"}, {"source": "c", "target": "b"}]}');
SELECT * FROM pg_temp.problems('{
    "nodes": [{"id": "l", "type": "loop"}, {"id": "in", "type": "code"}, {"id": "out", "type": "code"}],
    "edges": [{"source": "l", "target": "in", "sourceHandle": "loop_body"}, {"source": "l", "target": "out"},
              {"source": "out", "target": "l", "sourceHandle": "loop_next"}]}');
SELECT * FROM pg_temp.problems('{"nodes": [{"id": "a", "type": "code"}], "edges": [{"source": "a", "target": "a"}]}');
SELECT * FROM pg_temp.problems('{"variables": {"": {}, "a": 1, "b": {"schema": 1}, "c": {"schema": {"type": "numeral"}},
    "d": {"group": 1}, "e": {"schema": {"type": "integer"}, "default": "one"},
    "f": {"schema": {"properties": {"x": {"maximum": 1}}}, "default": {"x": 2}},
    "g": {"schema": {"$ref": "https://example.com/schema.json"}}, "h": {"schema": {"pattern": "("}}}}');
SELECT * FROM pg_temp.problems('{"policy": {
    "checkpoint": {"every": 5, "milestones": "end", "before": [1], "bytes": 0, "often": true},
    "limits": {"value_bytes": 0, "payload_bytes": "1"},
    "loops": {"default_max": -1, "tolerance": 1.5}, "retries": {}}}');
SELECT * FROM pg_temp.problems('{"policy": {"checkpoint": {"every": "-1 hour"}}}');
SELECT * FROM pg_temp.problems('{"policy": {"checkpoint": {"every": "now and then"}}}');
SELECT * FROM pg_temp.problems('{"policy": {"limits": 1}}');
SELECT layra.define_workflow('', '{}');
SELECT layra.define_workflow('wrong', '[]');
SELECT layra.define_workflow('wrong', NULL);

-- Shared definitions need level admin.
SELECT layra.define_workflow('review', '{}', shared => true);
\echo SQLSTATE :LAST_ERROR_SQLSTATE

SELECT layra.drop_run(run_id) FROM layra.run WHERE owner = 'regress_engine';
RESET ROLE;
DELETE FROM layra.workflow;
SELECT layra.revoke_access('regress_engine');
DROP FUNCTION pg_temp.problems;
DROP ROLE regress_engine;
