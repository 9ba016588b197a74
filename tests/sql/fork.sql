-- Forks: a new run that begins with the state of another one at some version.
SET timezone = 'UTC';
SET layra.now = '2026-01-01 12:00:00+00';
CREATE ROLE regress_engine;
SELECT layra.grant_access('regress_engine', 'writer');
SET ROLE regress_engine;
SELECT layra.define_workflow('flow', '{"nodes": [{"id": "n", "type": "code"}],
    "variables": {"a": {"schema": {"type": "integer"}}}}');
SELECT layra.start_run('trunk', 'flow', '{"a": 1}', '{"customer": 7}');
SELECT layra.save_state('trunk', layra.get_state('trunk') ||
    '{"execution_status": {"n": null}, "context": {"n": ["x", "y"], "m": []}, "step": 1}', idempotency_key => 'k2');
SELECT layra.checkpoint('trunk', 'here');
SELECT layra.set_variable('trunk', 'a', '2', idempotency_key => 'k4');
SELECT layra.unset_variables('trunk', '{a}');

-- At the head, or at any version. What was running comes back as pending; labels stay with the parent.
SELECT layra.fork_run('trunk', 'branch');
SELECT layra.fork_run('trunk', 'branch 4', 4);
SELECT run_id, status, owner, workflow, version, parent_run_id, parent_version, metadata FROM layra.runs
WHERE run_id IN ('trunk', 'branch', 'branch 4') ORDER BY run_id;
SELECT layra.get_state('branch 4') - '{nodes,skip_nodes}'::text[];
SELECT layra.get_state('trunk', 4) - 'execution_status' = layra.get_state('branch 4') - 'execution_status' AS "else equal";
SELECT count(*) FROM layra.checkpoint WHERE run_id LIKE 'branch%';

-- The first event names the parent, with the version and hash of the log that it continues.
SELECT version, type, payload - 'workflow' AS payload, changed FROM layra.events('branch 4');
SELECT e.hash = p.hash AS "that event" FROM layra.event e, LATERAL (
    SELECT decode(payload #>> '{parent,hash}', 'hex') AS hash FROM layra.events('branch 4', batch_size => 1)) p
WHERE e.run_id = 'trunk' AND e.version = 4;

-- From there on they are two runs.
SELECT layra.set_variable('branch 4', 'a', '3');
SELECT layra.get_variable('trunk', 'a') AS trunk, layra.get_variable('branch', 'a') AS branch,
    layra.get_variable('branch 4', 'a') AS "branch 4";
SELECT revision, version, value, type FROM layra.history('branch 4', 'a');
SELECT layra.set_variable('branch 4', 'a', '"three"');
\echo SQLSTATE :LAST_ERROR_SQLSTATE

-- Keys that the parent used up to that version count as used, in the fork's first version; later ones do not.
SELECT layra.save_state('branch 4', '{}', idempotency_key => 'k2') AS "used in trunk";
SELECT layra.set_variable('branch 4', 'a', '4', idempotency_key => 'k4') AS "used in trunk";
SELECT layra.fork_run('trunk', 'branch 3', 3);
SELECT layra.set_variable('branch 3', 'a', '4', idempotency_key => 'k4') AS "not used yet";
-- In the fork of a fork, too, and when the parent is gone.
SELECT layra.fork_run('branch 4', 'twig', 1);
SELECT layra.set_variable('twig', 'a', '4', idempotency_key => 'k4') AS "used in trunk";
SELECT layra.drop_run('branch 4');
SELECT layra.set_variable('twig', 'a', '4', idempotency_key => 'k4') AS "used in trunk";
SELECT parent_run_id, parent_version FROM layra.run WHERE run_id = 'twig';
SELECT layra.drop_run('trunk');
SELECT parent_run_id, parent_version FROM layra.run WHERE run_id = 'twig';
SELECT layra.set_variable('twig', 'a', '4', idempotency_key => 'k4') AS "used in trunk";
SELECT layra.save_state('twig', '{}', idempotency_key => 'k4');

-- A fork has a key from the nearest run that used it, also when that one is gone.
SELECT layra.start_run('root');
SELECT layra.set_variable('root', 'a', '1', idempotency_key => 'k');
SELECT layra.fork_run('root', 'stem', idempotency_key => 'k');
SELECT layra.fork_run('stem', 'leaf');
SELECT layra.fork_run('root', 'leaf', idempotency_key => 'k') AS "used by stem";
SELECT layra.drop_run('stem');
SELECT layra.fork_run('root', 'leaf', idempotency_key => 'k') AS "used by stem";

-- A finished run can be forked; its fork runs.
SELECT layra.finish_run('branch');
SELECT layra.fork_run('branch', 'again', idempotency_key => 'f');
SELECT layra.fork_run('branch', 'again', idempotency_key => 'f');
SELECT status FROM layra.run WHERE run_id = 'again';
SELECT layra.fork_run('branch', 'again');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT layra.fork_run('branch', 'more', 99);
SELECT layra.fork_run('branch', 'more', 0);
SELECT layra.fork_run('branch', '');
SELECT layra.fork_run('branch', 'branch');
SELECT layra.fork_run('nothing', 'more');
\echo SQLSTATE :LAST_ERROR_SQLSTATE

SELECT v.* FROM layra.run r, layra.verify(r.run_id) v WHERE r.owner = 'regress_engine';
SELECT layra.drop_run(run_id) FROM layra.run WHERE owner = 'regress_engine';
RESET ROLE;
DELETE FROM layra.workflow;
SELECT layra.revoke_access('regress_engine');
DROP ROLE regress_engine;
