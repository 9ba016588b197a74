-- The log: an engine's own events, each with its payload, and with the variables that it changes.
SET timezone = 'UTC';
SET datestyle = ISO;
SET layra.now = '2026-01-01 12:00:00+00';
CREATE ROLE regress_engine;
SELECT layra.grant_access('regress_engine', 'writer');
SET ROLE regress_engine;
SELECT layra.start_run('chat');

SELECT layra.append_event('chat', 'user.asked', '{"text": "When is high tide?"}');
SELECT layra.append_event('chat', 'tool.called');
SELECT layra.append_event('chat', 'tool.returned', '{"minutes": 90.0}',
    updates => '{"minutes": 90.0, "source": "tides.example"}');
-- Any JSON is a payload, also null; SQL NULL means the default.
SELECT layra.append_event('chat', 'tick', 'null');
SELECT layra.append_event('chat', 'tick', NULL, NULL);
SELECT version, type, payload, changed, actor FROM layra.events('chat');

-- Several events go in together or not at all; the last version comes back.
SELECT layra.append_events('chat', '[
    {"type": "model.chunk", "payload": {"text": "At "}},
    {"type": "model.chunk", "payload": {"text": "noon."}, "updates": {"answer": "At noon.", "minutes": 0}},
    {"type": "model.done", "payload": 7, "updates": {"answer": "At noon!"}},
    {"type": "model.silent"}]');
SELECT layra.append_events('chat', '[{"type": "model.chunk"}, {"type": ""}]');
SELECT version, type, payload, changed FROM layra.events('chat', after_version => 6);
SELECT revision, version, value, type FROM layra.history('chat', 'answer');

-- Whom the session acts for is a claim, which it makes for one transaction; the role is the proven actor.
BEGIN;
SELECT set_config('layra.actor', 'alice@example.com', true);
SELECT layra.append_event('chat', 'user.left');
COMMIT;
SELECT layra.append_event('chat', 'tick');
SELECT version, type, actor, on_behalf_of, at FROM layra.events('chat', after_version => 10);

-- A page at a time: from the last version that one has seen.
SELECT version, type FROM layra.events('chat', after_version => 4, batch_size => 3);
SELECT version, type FROM layra.events('chat', types => '{model.done,tick}');
SELECT version, type FROM layra.events('chat', 5, 1, '{model.done,tick}');
SELECT version, type FROM layra.events('chat', after_version => 99);

-- An idempotency key counts for the run; in append_events it is that of the last event.
SELECT layra.append_event('chat', 'user.asked', idempotency_key => 'm-1');
SELECT layra.append_event('chat', 'user.asked', '{"again": true}', idempotency_key => 'm-1');
SELECT layra.append_events('chat', '[{"type": "a"}, {"type": "b"}]', idempotency_key => 'm-2');
SELECT layra.append_events('chat', '[{"type": "a"}, {"type": "b"}]', idempotency_key => 'm-2');
SELECT layra.append_event('chat', 'c', idempotency_key => 'm-2');
SELECT layra.set_variable('chat', 'answer', '1', idempotency_key => 'm-2');
SELECT version, type, idempotency_key FROM layra.event WHERE run_id = 'chat' AND version > 12 ORDER BY version;
-- In another run it is another key.
SELECT layra.start_run('chat 2');
SELECT layra.append_event('chat 2', 'user.asked', idempotency_key => 'm-1');

-- expected_version, as everywhere.
SELECT layra.append_event('chat', 'late', expected_version => 3);
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT layra.append_events('chat', '[{"type": "a"}, {"type": "b"}]', expected_version => 15);

-- The extension's own types are refused, and so is what is no event.
SELECT layra.append_event('chat', 'run.started');
SELECT layra.append_event('chat', 'layra.x');
SELECT layra.append_event('chat', 'running');
SELECT layra.append_event('chat', NULL);
SELECT layra.append_event('chat', 'x', updates => '[1]');
SELECT layra.append_events('chat', '[]');
SELECT layra.append_events('chat', '{"type": "a"}');
SELECT layra.append_events('chat', '[{"payload": 1}]');
SELECT layra.append_events('chat', '[{"type": 1}]');
SELECT layra.append_events('chat', '[{"type": "a", "data": 1}]');
SELECT layra.append_events('chat', '[1]');
SELECT * FROM layra.events('chat', after_version => -1);
SELECT * FROM layra.events('chat', batch_size => 0);
SELECT * FROM layra.events('chat', batch_size => 100001);

-- A change of times: an event is never earlier than the one before.
RESET ROLE;
SET layra.now = '2025-01-01 00:00:00+00';
SET ROLE regress_engine;
SELECT layra.append_event('chat', 'tick');
SELECT at FROM layra.events('chat', after_version => 18);
SELECT * FROM layra.verify('chat');

SELECT layra.drop_run('chat');
SELECT layra.drop_run('chat 2');
RESET ROLE;
SELECT layra.revoke_access('regress_engine');
DROP ROLE regress_engine;
