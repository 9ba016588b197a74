-- Runs: one execution of a workflow, named by the caller. Every change appends one event and raises the version by one.
SET timezone = 'UTC';
SET datestyle = ISO;
SET layra.now = '2026-01-01 12:00:00+00';
CREATE ROLE regress_engine;
SELECT layra.grant_access('regress_engine', 'writer');
SET ROLE regress_engine;

-- A run starts at version 1, with what it is given.
SELECT layra.start_run('order-1');
SELECT layra.start_run('order-2', variables => '{"amount": 12.50, "paid": false}', metadata => '{"customer": 7}');
SELECT run_id, status, owner, workflow, version, metadata, created_at FROM layra.runs
WHERE run_id LIKE 'order-%' ORDER BY run_id;
SELECT layra.get_variables('order-2');
SELECT version, type, payload, changed FROM layra.events('order-2');

-- NULL where a default exists means the default.
SELECT layra.start_run('order-3', NULL, NULL, NULL, NULL, NULL);
SELECT version, type, payload, changed FROM layra.events('order-3');

-- The same name again is refused, unless it is the same call again, as its idempotency key says.
SELECT layra.start_run('order-1');
SELECT layra.start_run('order-4', idempotency_key => 'message 17');
SELECT layra.start_run('order-4', idempotency_key => 'message 17');
SELECT layra.start_run('order-4', idempotency_key => 'message 18');

-- finish_run closes a run, by default as completed, and keeps a result.
RESET ROLE;
SET layra.now = '2026-01-01 12:05:00+00';
SET ROLE regress_engine;
SELECT layra.finish_run('order-1', result => '{"shipped": true}');
SELECT layra.finish_run('order-2', 'failed', '"no stock"');
SELECT layra.finish_run('order-3', 'cancelled');
SELECT run_id, status, version, result, finished_at FROM layra.runs WHERE run_id LIKE 'order-%' ORDER BY run_id;
-- What is finished refuses every change; reading goes on.
SELECT layra.set_variable('order-1', 'amount', '1');
SELECT layra.finish_run('order-1', 'failed');
SELECT layra.checkpoint('order-2');
SELECT layra.cancel_run('order-3');
SELECT layra.get_state('order-2') -> 'global_variables';

-- What failed or was cancelled may run again; what completed stays closed.
SELECT layra.reopen_run('order-2', 'there is stock again');
SELECT layra.reopen_run('order-3');
SELECT layra.reopen_run('order-1');
SELECT layra.reopen_run('order-4');
SELECT run_id, status, version, result, finished_at FROM layra.runs WHERE run_id LIKE 'order-%' ORDER BY run_id;

-- cancel_run asks: the run is cancelling, and its worker, who may still write, finishes it.
SELECT layra.cancel_run('order-2', 'customer called');
SELECT layra.cancel_run('order-2', 'customer called again');
SELECT layra.set_variable('order-2', 'refunded', 'true');
SELECT layra.finish_run('order-2', 'cancelled');
SELECT version, type, payload FROM layra.events('order-2');

-- Every writing function can be told the version that the run must have.
SELECT layra.finish_run('order-4', expected_version => 2);
SELECT layra.cancel_run('order-4', expected_version => 0);
SELECT layra.finish_run('order-4', expected_version => 1, idempotency_key => 'message 19');
-- A repetition is found before the expected version and the status are looked at.
SELECT layra.finish_run('order-4', expected_version => 1, idempotency_key => 'message 19');
SELECT layra.finish_run('order-4', 'failed', idempotency_key => 'message 20');

-- set_owner gives a run away, to a role that the caller could become.
RESET ROLE;
CREATE ROLE regress_team;
GRANT regress_team TO regress_engine;
SET ROLE regress_engine;
SELECT layra.set_owner('order-3', 'regress_team');
SELECT layra.set_owner('order-3', 'pg_monitor');
SELECT layra.set_owner('order-3', 'regress_nobody');
SELECT owner, version FROM layra.runs WHERE run_id = 'order-3';
SELECT type, payload FROM layra.events('order-3', after_version => 3);

-- drop_run takes everything away, whatever the status.
SELECT layra.drop_run('order-1');
SELECT layra.drop_run('order-1');
SELECT count(*) FROM layra.event WHERE run_id = 'order-1';
-- The name is free again.
SELECT layra.start_run('order-1');
SELECT * FROM layra.verify('order-1') UNION ALL SELECT * FROM layra.verify('order-2') UNION ALL
SELECT * FROM layra.verify('order-3') UNION ALL SELECT * FROM layra.verify('order-4');

SELECT layra.drop_run(run_id) FROM layra.run WHERE run_id LIKE 'order-%' ORDER BY run_id;
RESET ROLE;
SELECT layra.revoke_access('regress_engine');
DROP ROLE regress_engine, regress_team;
