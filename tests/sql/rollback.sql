-- Rollback: a new version that restores an older one. The log keeps everything, so a rollback can be rolled back.
SET timezone = 'UTC';
SET layra.now = '2026-01-01 12:00:00+00';
SELECT layra.save_state('flow', '{"global_variables": {"a": 1}, "execution_status": {"n": false, "m": true}, "step": 1,
    "nodes": [{"id": "n", "type": "code"}], "edges": [], "context": {"n": ["x"]}}');
SELECT layra.save_state('flow', '{"global_variables": {"a": 2, "b": 1}, "execution_status": {"n": null, "m": true},
    "step": 2, "nodes": [{"id": "n", "type": "code"}, {"id": "m", "type": "code"}], "edges": [],
    "context": {"n": ["x", "y"]}}');
SELECT layra.save_state('flow', '{"global_variables": {"b": 2}, "execution_status": {"n": true}, "step": 3, "extra": [],
    "nodes": [], "edges": [], "context": {"n": ["y"], "m": []}}');

-- Back to the first version, and forward again. What was running comes back as pending: nobody works on it any more.
SELECT layra.rollback('flow', 1);
SELECT layra.get_state('flow') = layra.get_state('flow', 1) AS "as it was";
SELECT layra.rollback('flow', 3, 'it was right after all');
SELECT layra.get_state('flow') = layra.get_state('flow', 3) AS "as it was";
SELECT layra.rollback('flow', 2);
SELECT layra.get_state('flow', 2) -> 'execution_status' AS "it was",
    layra.get_state('flow') -> 'execution_status' AS "it is";
SELECT layra.get_state('flow') - 'execution_status' = layra.get_state('flow', 2) - 'execution_status' AS "else as it was";
SELECT version, type, payload, changed FROM layra.events('flow', after_version => 3);
-- A rollback to the head changes nothing, and says so in the log.
SELECT layra.rollback('flow', 6);
SELECT changed FROM layra.events('flow', after_version => 6);
-- It writes on from there: a revision is never used twice.
SELECT layra.set_variable('flow', 'a', '7');
SELECT revision, version, value, type FROM layra.history('flow', 'a');

-- To a label: it stays where it is.
SELECT layra.checkpoint('flow', 'seven');
SELECT layra.set_variable('flow', 'a', '8');
SELECT layra.rollback_to('flow', 'seven', 'eight is too much');
SELECT layra.get_variable('flow', 'a');
SELECT payload FROM layra.events('flow', after_version => 10);
SELECT layra.rollback_to('flow', 'nothing');
\echo SQLSTATE :LAST_ERROR_SQLSTATE

-- Engines replay after a rollback: idempotency keys of undone versions count as unused.
SELECT layra.start_run('replay');
SELECT layra.append_event('replay', 'step', updates => '{"n": 1}', idempotency_key => 'one');
SELECT layra.append_event('replay', 'step', updates => '{"n": 2}', idempotency_key => 'two');
SELECT layra.rollback('replay', 2);
SELECT layra.append_event('replay', 'step', updates => '{"n": 1}', idempotency_key => 'one') AS "done already";
SELECT layra.append_event('replay', 'step', updates => '{"n": 3}', idempotency_key => 'two') AS "done again";
SELECT layra.append_event('replay', 'step', updates => '{"n": 3}', idempotency_key => 'two') AS "done already";
-- The rollback undone: now the first use counts, and what came after it does not.
SELECT layra.rollback('replay', 3);
SELECT layra.append_event('replay', 'step', idempotency_key => 'two') AS "done already";
-- A rollback has its own key, too.
SELECT layra.rollback('replay', 1, idempotency_key => 'back');
SELECT layra.rollback('replay', 1, idempotency_key => 'back');
SELECT layra.append_event('replay', 'step', idempotency_key => 'one') AS "done again";

-- The run's status follows from the restored version.
SELECT layra.start_run('status');
SELECT layra.cancel_run('status');
SELECT layra.rollback('status', 1);
SELECT status FROM layra.run WHERE run_id = 'status';
SELECT layra.rollback('status', 2);
SELECT status FROM layra.run WHERE run_id = 'status';
-- What is finished cannot be rolled back; reopened, it can, and stays open.
SELECT layra.finish_run('status', 'failed', '"no"');
SELECT layra.rollback('status', 1);
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT layra.reopen_run('status');
SELECT layra.rollback('status', 5);
SELECT status, result, finished_at FROM layra.run WHERE run_id = 'status';

-- Versions that the run does not have; and what it must have.
SELECT layra.rollback('flow', 0);
SELECT layra.rollback('flow', 99);
SELECT layra.rollback('flow', NULL);
SELECT layra.rollback('flow', 1, expected_version => 3);
SELECT layra.rollback('nothing', 1);

SELECT v.* FROM layra.run r, layra.verify(r.run_id) v WHERE r.run_id IN ('flow', 'replay', 'status');
SELECT layra.drop_run(run_id) FROM layra.run WHERE run_id IN ('flow', 'replay', 'status');
