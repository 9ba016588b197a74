-- The end of a run: seals, holds, and heads that are kept elsewhere.
SET layra.now = '2026-01-05 09:00:00+00';
SELECT layra.start_run('ended', variables => '{"a": 1}'), layra.set_variable('ended', 'a', '2');
SELECT set_config('layra.actor', 'ada', false);
SELECT layra.hold_run('ended', 'audit');
SELECT layra.hold_run('ended', 'audit');
SELECT layra.drop_run('ended');
SELECT hold FROM layra.runs WHERE run_id = 'ended';
SELECT layra.release_run('ended');
SELECT layra.release_run('ended');
SELECT layra.drop_run('ended', 'no use');
SELECT run_id, number, what, at, on_behalf_of, reason, workflow, first_version, last_version, events, cells
FROM layra.seals WHERE run_id = 'ended';
-- Whatever has its id next says so.
SELECT layra.start_run('ended'), layra.finish_run('ended'), layra.hold_run('ended', 'audit'), layra.release_run('ended', 'over');
SELECT version, type, what = 'after the run that seal ' || (SELECT left(hash, 16) FROM layra.seals WHERE run_id = 'ended') || ' accounts for' AS says_so
FROM layra.timeline WHERE run_id = 'ended' ORDER BY version;
SELECT layra.drop_run('ended');
SELECT number, last_version, reason FROM layra.seals WHERE run_id = 'ended' ORDER BY number;
SELECT * FROM layra.verify() WHERE run_id = 'ended';
-- Heads: the seals, and then the run.
SELECT layra.start_run('ended');
SELECT run_id, version, length(hash) FROM layra.heads() WHERE run_id = 'ended';
SELECT count(*) FROM layra.heads('no such role');
SELECT length(layra.digest());
SELECT layra.verify_heads(jsonb_agg(h)) FROM layra.heads() h;
SELECT * FROM layra.verify_heads(jsonb_build_array(jsonb_build_object('run_id', 'ended', 'version', 1, 'hash', repeat('0', 64)),
    jsonb_build_object('run_id', 'never was', 'version', 1, 'hash', repeat('0', 64))));
SELECT layra.verify_heads('[{"run_id": "ended"}]');
SELECT layra.hold_run('ended', '');
SELECT layra.hold_run('ended', NULL);
SELECT layra.drop_run('ended');
RESET layra.now;
