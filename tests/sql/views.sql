-- Views: what operators and auditors read, each at the cost of one run under WHERE run_id = ….
SET timezone = 'UTC';
SET datestyle = ISO;
SET layra.now = '2026-01-01 12:00:00+00';
CREATE ROLE regress_engine;
CREATE ROLE regress_team;
GRANT regress_team TO regress_engine;
SELECT layra.grant_access('regress_engine', 'writer');
SET ROLE regress_engine;
SELECT layra.define_workflow('flow', '{"nodes": [{"id": "n", "type": "code"}],
    "variables": {"a": {"group": "figures", "default": 1}, "b": {}}}');
SELECT layra.start_run('shown', 'flow', metadata => '{"customer": 7}');
SELECT set_config('layra.actor', 'alice', false);
SELECT layra.set_variables('shown', '{"a": 2, "b": [1], "c": null, "d": 4, "e": 5}');
SELECT layra.append_event('shown', 'note', '{"text": "hello"}');
SELECT layra.append_event('shown', 'note', updates => '{"a": 3}');
SELECT layra.checkpoint('shown', 'here', 'milestone');
SELECT layra.checkpoint('shown');
SELECT layra.save_state('shown', '{"global_variables": {"a": 3, "b": [1]}, "execution_status": {"n": null, "m": true},
    "loop_index": {"l": 2}, "context": {"n": ["x", "y"], "m": []}, "execution_stack": ["n"]}');
SELECT layra.unset_variables('shown', '{b}');
SELECT layra.protect_checkpoint('shown', 'here');
SELECT layra.protect_checkpoint('shown', 'here', false);
SELECT layra.rollback_to('shown', 'here', 'try again');
SELECT layra.rollback('shown', 8);
SELECT layra.cancel_run('shown', 'too late');
SELECT layra.finish_run('shown', 'cancelled');
SELECT layra.reopen_run('shown', 'not too late');
SELECT layra.set_owner('shown', 'regress_team');
SELECT layra.finish_run('shown', result => '{"pages": 3}');
SELECT layra.fork_run('shown', 'shown again', 9);

-- runs: what there is, and what state it is in.
\x on
SELECT * FROM layra.runs WHERE run_id LIKE 'shown%' ORDER BY run_id;
\x off
-- timeline: one readable line per event.
SELECT version, at, type, who, what FROM layra.timeline WHERE run_id = 'shown' ORDER BY version;
SELECT version, type, who, what FROM layra.timeline WHERE run_id = 'shown again';
-- The current state, a view for each scope.
SELECT * FROM layra.variables WHERE run_id = 'shown' ORDER BY name;
SELECT * FROM layra.nodes WHERE run_id = 'shown' ORDER BY node_id;
SELECT * FROM layra.loops WHERE run_id = 'shown';
SELECT * FROM layra.contexts WHERE run_id = 'shown' ORDER BY node_id, ordinal;
SELECT * FROM layra.nodes WHERE run_id = 'nothing';

-- Nobody changes anything through a view.
UPDATE layra.variables SET value = '0' WHERE run_id = 'shown';

SELECT layra.drop_run('shown');
SELECT layra.drop_run('shown again');
RESET ROLE;
DELETE FROM layra.workflow;
SELECT layra.revoke_access('regress_engine');
DROP ROLE regress_engine, regress_team;
