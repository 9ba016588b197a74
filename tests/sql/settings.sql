-- Settings: whom a session acts for, and the clock.
SET timezone = 'UTC';
SET datestyle = ISO;
CREATE ROLE regress_engine;
SELECT layra.grant_access('regress_engine', 'writer');

-- PostgreSQL knows them once the session has called a function of the extension.
SELECT layra.start_run('first');
SELECT layra.drop_run('first');
SELECT name, setting, context FROM pg_settings WHERE name LIKE 'layra.%' ORDER BY name;

-- layra.now is for superusers, and for tests: time goes as one says.
SET layra.now = '2026-01-01 12:00:00+00';
SET ROLE regress_engine;
SET layra.now = '2027-01-01 12:00:00+00';
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT layra.start_run('clock');
RESET ROLE;
-- Any time that PostgreSQL reads, in the session's time zone; never earlier than the event before.
SET layra.now = '2026-01-01 13:00:00.123456+01';
SELECT layra.append_event('clock', 'tick');
SET timezone = 'America/New_York';
SET layra.now = '2026-01-01 08:00';
SELECT layra.append_event('clock', 'tick');
SET timezone = 'UTC';
SET layra.now = '1999-12-31';
SELECT layra.append_event('clock', 'tick');
SELECT version, at FROM layra.events('clock');
SET layra.now = 'infinity';
SELECT layra.append_event('clock', 'tick');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SET layra.now = 'at noon';
SELECT layra.append_event('clock', 'tick');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
-- Empty: the clock of the server.
SET layra.now = '';
SELECT layra.append_event('clock', 'tick');
SELECT at > '2026-01-01 13:00:00+00' AND at <= clock_timestamp() + interval '1 s' AS "by the server's clock"
FROM layra.events('clock', after_version => 4);

-- layra.actor is anybody's claim, which is recorded as on_behalf_of.
SET ROLE regress_engine;
SET layra.actor = 'alice';
SELECT layra.append_event('clock', 'tick');
BEGIN;
SET LOCAL layra.actor = 'bob';
SELECT layra.append_event('clock', 'tick');
COMMIT;
SET layra.actor = '';
SELECT layra.append_event('clock', 'tick');
RESET layra.actor;
SELECT layra.append_event('clock', 'tick');
SELECT version, actor, on_behalf_of FROM layra.events('clock', after_version => 5);
SELECT set_config('layra.actor', repeat('ü', 256), false) IS NOT NULL;
SELECT layra.append_event('clock', 'tick');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT set_config('layra.actor', E'a\nb', false) IS NOT NULL;
SELECT layra.append_event('clock', 'tick');
-- It does not stand in the way of reading.
SELECT version FROM layra.runs WHERE run_id = 'clock';
SELECT set_config('layra.actor', repeat('ü', 255), false) IS NOT NULL;
SELECT layra.append_event('clock', 'tick');

-- A misspelt setting is no setting.
SET layra.actr = 'alice';
\echo SQLSTATE :LAST_ERROR_SQLSTATE

SELECT layra.drop_run('clock');

-- A session that sets them first is heard all the same, as far as it may set them.
RESET ROLE;
\c -
SET timezone = 'UTC';
SET ROLE regress_engine;
SET layra.actor = 'alice';
SET layra.now = '2027-01-01 12:00:00+00';
SELECT layra.start_run('early');
SELECT on_behalf_of, at = '2027-01-01 12:00:00+00' AS "by a clock of its own" FROM layra.events('early');
SELECT layra.drop_run('early');
RESET ROLE;
SELECT layra.revoke_access('regress_engine');
DROP ROLE regress_engine;
