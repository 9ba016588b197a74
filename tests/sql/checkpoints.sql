-- Checkpoints: names for versions. Creating one copies nothing.
SET timezone = 'UTC';
SET datestyle = ISO;
SET layra.now = '2026-01-01 12:00:00+00';
SELECT layra.start_run('draft', variables => '{"text": "one"}');

SELECT layra.checkpoint('draft', 'first');
SELECT layra.checkpoint('draft');
SELECT layra.checkpoint('draft', 'release', 'milestone', '{"by": "alice"}');
SELECT version, kind, label, protected, metadata, created_at FROM layra.checkpoint
WHERE run_id = 'draft' ORDER BY version;
SELECT version, type, payload, changed, checkpoint_kind, checkpoint_label, bytes_since_checkpoint, checkpoint_version
FROM layra.event WHERE run_id = 'draft' AND version > 1 ORDER BY version;
-- The event counts what was written since: the next one that is due can be found from the last event alone.
SELECT layra.set_variable('draft', 'text', '"two"');
SELECT layra.append_event('draft', 'note', '{"x": 1}');
SELECT version, bytes_since_checkpoint, checkpoint_version FROM layra.event
WHERE run_id = 'draft' AND version > 4 ORDER BY version;

-- A label is unique in its run; replace moves it to this version, and leaves the older checkpoint without a name.
SELECT layra.checkpoint('draft', 'first');
SELECT layra.checkpoint('draft', 'first', replace => true);
SELECT layra.checkpoint('draft', 'new', replace => true);
SELECT version, kind, label FROM layra.checkpoint WHERE run_id = 'draft' ORDER BY version;
SELECT payload FROM layra.events('draft', after_version => 6);

-- No rollback goes behind a protected checkpoint, and its label does not move.
SELECT layra.protect_checkpoint('draft', 'release');
SELECT layra.rollback('draft', 3);
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT layra.rollback('draft', 4);
SELECT layra.checkpoint('draft', 'release', replace => true);
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT layra.protect_checkpoint('draft', 'release', false);
SELECT layra.rollback('draft', 3);
SELECT layra.protect_checkpoint('draft', 'nothing');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT version, type, payload - 'status' AS payload FROM layra.events('draft', after_version => 8);

-- Labels stay where they are, also those of versions that were undone.
SELECT label, version FROM layra.checkpoint WHERE run_id = 'draft' AND label IS NOT NULL ORDER BY version;

-- As everywhere: an idempotency key, an expected version, checked arguments.
SELECT layra.checkpoint('draft', 'once', idempotency_key => 'c1');
SELECT layra.checkpoint('draft', 'once', idempotency_key => 'c1');
SELECT layra.checkpoint('draft', 'late', expected_version => 3);
SELECT layra.checkpoint('draft', '');
SELECT layra.checkpoint('draft', repeat('x', 256));
SELECT layra.checkpoint('draft', kind => '');
SELECT layra.checkpoint('draft', metadata => '[]');
SELECT layra.protect_checkpoint('draft', NULL);

SELECT * FROM layra.verify('draft');
SELECT layra.drop_run('draft');
SELECT count(*) FROM layra.checkpoint WHERE run_id = 'draft';
