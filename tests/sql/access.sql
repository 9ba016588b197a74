-- Who may do what: levels, owners, row security. Nothing is granted to PUBLIC.
SET timezone = 'UTC';
SET layra.now = '2026-01-01 12:00:00+00';
\set SHOW_CONTEXT never
CREATE ROLE regress_alice;
CREATE ROLE regress_bob;
CREATE ROLE regress_auditor;
CREATE ROLE regress_admin;
CREATE ROLE regress_stranger;
SELECT layra.grant_access('regress_alice', 'writer');
SELECT layra.grant_access('regress_bob', 'writer');
SELECT layra.grant_access('regress_auditor', 'auditor');
SELECT layra.grant_access('regress_admin', 'admin');
SELECT level, role FROM layra.access WHERE role LIKE 'regress%' ORDER BY 2;

-- Without a level there is nothing to see.
SET ROLE regress_stranger;
SELECT layra.start_run('x');
SELECT count(*) FROM layra.run;
RESET ROLE;

-- A writer sees and changes its own runs, and no others. The run of somebody else is not denied to exist.
SET ROLE regress_alice;
SELECT layra.start_run('alice', variables => '{"secret": 1}');
SELECT layra.checkpoint('alice', 'here');
SELECT layra.define_workflow('flow', '{"variables": {"a": {"default": 1}}}');
SET ROLE regress_bob;
SELECT layra.start_run('bob');
SELECT layra.get_variables('alice');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT layra.set_variable('alice', 'secret', '2');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT layra.save_state('alice', '{}');
SELECT layra.append_event('alice', 'note');
SELECT layra.checkpoint('alice');
SELECT layra.rollback('alice', 1);
SELECT layra.fork_run('alice', 'mine');
SELECT layra.finish_run('alice');
SELECT layra.set_owner('alice', 'regress_bob');
SELECT layra.drop_run('alice');
SELECT * FROM layra.events('alice');
SELECT * FROM layra.history('alice', 'secret');
SELECT * FROM layra.verify('alice');
SELECT layra.digest('alice');
-- The name is taken, that much bob learns.
SELECT layra.start_run('alice');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT layra.start_run('flow', 'flow');
-- In the tables and views there are only his own rows.
SELECT run_id FROM layra.run;
SELECT run_id, version, type FROM layra.event;
SELECT run_id, key FROM layra.cell;
SELECT run_id, label FROM layra.checkpoint;
SELECT name FROM layra.workflow;
SELECT run_id, status FROM layra.runs;
SELECT run_id, what FROM layra.timeline;
SELECT run_id, name FROM layra.variables;
SELECT * FROM layra.verify();
-- And he changes them through functions only.
UPDATE layra.run SET owner = 'regress_alice';
INSERT INTO layra.event SELECT * FROM layra.event;
DELETE FROM layra.event;
TRUNCATE layra.cell;

-- An auditor reads every run, and writes none.
SET ROLE regress_auditor;
SELECT run_id, owner FROM layra.runs WHERE run_id IN ('alice', 'bob') ORDER BY run_id;
SELECT layra.get_variables('alice');
SELECT version, type, actor FROM layra.events('alice');
SELECT * FROM layra.verify('alice');
SELECT layra.set_variable('alice', 'secret', '2');
SELECT layra.start_run('auditor');
RESET ROLE;

-- An admin shares definitions with all writers; a run uses those of its own owner first.
SET ROLE regress_admin;
SELECT layra.define_workflow('flow', '{"variables": {"a": {"default": "shared"}}}', shared => true);
SET ROLE regress_bob;
SELECT owner, name, shared FROM layra.workflow ORDER BY owner;
SELECT layra.start_run('bob 2', 'flow');
SELECT layra.get_variables('bob 2');
SET ROLE regress_alice;
SELECT layra.start_run('alice 2', 'flow');
SELECT layra.get_variables('alice 2');
-- A level is no ownership.
SET ROLE regress_admin;
SELECT layra.set_variable('alice', 'secret', '2');
RESET ROLE;

-- Roles with the owner's privileges see and change the run, too.
CREATE ROLE regress_team;
GRANT regress_team TO regress_alice, regress_bob;
SET ROLE regress_alice;
SELECT layra.set_owner('alice', 'regress_team');
SELECT layra.set_variable('alice', 'secret', '3');
SET ROLE regress_bob;
SELECT layra.set_variable('alice', 'secret', '4');
SELECT version, actor FROM layra.events('alice', after_version => 2);
SELECT run_id FROM layra.run ORDER BY run_id;
RESET ROLE;
REVOKE regress_team FROM regress_bob;
SET ROLE regress_bob;
SELECT layra.set_variable('alice', 'secret', '5');
RESET ROLE;

-- In somebody's SECURITY DEFINER function the caller is that function's owner, for all functions alike.
CREATE FUNCTION regress_set(value jsonb) RETURNS bigint LANGUAGE sql SECURITY DEFINER
AS $$ SELECT layra.set_variable('alice 2', 'a', value) $$;
ALTER FUNCTION regress_set OWNER TO regress_alice;
SET ROLE regress_stranger;
SELECT regress_set('7');
RESET ROLE;
SELECT version, actor FROM layra.events('alice 2', after_version => 1);

-- The wrong arguments; and what a writer may not do.
SELECT layra.grant_access('regress_alice', 'owner');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT layra.grant_access('regress_alice', NULL);
SELECT layra.grant_access('regress_nobody', 'writer');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SET ROLE regress_admin;
SELECT layra.grant_access('regress_stranger', 'writer');
RESET ROLE;

-- A level taken away; a role with two levels keeps the other one.
SELECT layra.grant_access('regress_bob', 'auditor');
SELECT layra.revoke_access('regress_bob', 'writer');
SET ROLE regress_bob;
SELECT layra.get_variable('alice', 'secret');
SELECT layra.set_variable('bob', 'a', '1');
RESET ROLE;
SELECT layra.revoke_access('regress_bob');
SET ROLE regress_bob;
SELECT layra.get_variable('bob', 'a');
RESET ROLE;

-- A run whose owner is gone: no role has its privileges, which is no error. A superuser still does.
SELECT layra.revoke_access('regress_auditor');
SELECT layra.revoke_access('regress_admin');
SELECT layra.revoke_access('regress_alice');
DROP FUNCTION regress_set;
DROP ROLE regress_alice, regress_bob, regress_admin, regress_team;
SELECT layra.grant_access('regress_auditor', 'writer');
SET ROLE regress_auditor;
SELECT count(*) FROM layra.run WHERE run_id IN ('alice', 'alice 2', 'bob', 'bob 2');
SELECT layra.set_variable('alice', 'secret', '6');
RESET ROLE;
SELECT layra.set_variable('alice', 'secret', '6');
SELECT v.* FROM layra.run r, layra.verify(r.run_id) v WHERE r.run_id IN ('alice', 'alice 2', 'bob', 'bob 2');

SELECT layra.drop_run(run_id) FROM layra.run WHERE run_id IN ('alice', 'alice 2', 'bob', 'bob 2');
DELETE FROM layra.workflow;
SELECT layra.revoke_access('regress_auditor');
DROP ROLE regress_auditor, regress_stranger;
