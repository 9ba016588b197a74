-- From 0.2.0 to 0.3.0: faster writes, and large values that are stored as what changed.

-- In the order in which calls lock them: waits for the transactions that have called, and lets no call in before it commits.
LOCK TABLE layra.run, layra.event, layra.cell, layra.access IN ACCESS EXCLUSIVE MODE;

-- PostgreSQL parses and compiles a table's CHECK expressions anew for every statement: 476,000 of the 910,000 instructions of a
-- write. The rows come from the functions alone; layra.verify checks what is in them.
ALTER TABLE layra.event
    DROP CONSTRAINT event_version_check,
    DROP CONSTRAINT event_payload_hash_check,
    DROP CONSTRAINT event_cells_hash_check,
    DROP CONSTRAINT event_hash_check,
    DROP CONSTRAINT event_bytes_since_checkpoint_check,
    DROP CONSTRAINT event_label_needs_kind;
ALTER TABLE layra.cell
    DROP CONSTRAINT cell_scope_check,
    DROP CONSTRAINT cell_ordinal,
    DROP CONSTRAINT cell_version_check,
    DROP CONSTRAINT cell_revision_check,
    DROP CONSTRAINT cell_hash_check,
    DROP CONSTRAINT cell_hash_of_value;

-- Large values are stored as what changed; the rows that are there have whole ones.
ALTER TABLE layra.cell ADD COLUMN base bigint;
COMMENT ON COLUMN layra.cell.value IS 'The value, or, where base is set, what changed since the row before; NULL: unset in this version.';
COMMENT ON COLUMN layra.cell.base IS 'NULL: the value is whole. Else the version of the row whose whole value the changes since then apply to.';

-- A session that uses the library of 0.2.0 would read what changed as the value. PostgreSQL evaluates this function when a
-- session plans its first statement on layra.run from now on: where the library has no such function, that is 42883.
CREATE FUNCTION layra.format_3() RETURNS bool
IMMUTABLE STRICT PARALLEL SAFE
LANGUAGE c /* Rust */
AS 'MODULE_PATHNAME', 'format_3_wrapper';
REVOKE ALL ON FUNCTION layra.format_3() FROM PUBLIC;
COMMENT ON FUNCTION layra.format_3() IS
$$Internal: says that the library of the session reads what is stored since 0.3.0. The index run_parent asks for it, which ends every session whose library is older.
Result boolean: true.
Errors: 42883 in a session that began before the update; connect again.
Example: SELECT layra.format_3();$$;

-- In the order in which a run that is dropped locks its forks.
DROP INDEX layra.run_parent;
CREATE INDEX run_parent ON layra.run (parent_run_id, run_id) WHERE parent_run_id IS NOT NULL AND layra.format_3();
COMMENT ON INDEX layra.run_parent IS 'The forks of a run, for drop_run.';

-- What a search by owner, a rollback or a drop costs. Each index below locks its table against writes (SHARE) while it is built,
-- layra.event and layra.run among them, which takes one pass over them; what is altered, dropped or replaced (indexes, policies,
-- views) is locked against everybody (ACCESS EXCLUSIVE), for a moment. All of it until the update commits.
CREATE INDEX run_owner ON layra.run (owner);
COMMENT ON INDEX layra.run_owner IS 'The runs of an owner, for row security.';
DROP INDEX layra.run_running;
CREATE INDEX run_running ON layra.run (owner, run_id) WHERE status = ANY ('{running,paused}'::text[]);
COMMENT ON INDEX layra.run_running IS 'The running and paused runs of each owner, for stale_runs.';
DROP INDEX layra.event_status;
CREATE INDEX event_status ON layra.event (run_id, type, version)
    WHERE type = ANY ('{run.finished,run.reopened,run.cancelling,run.rolled_back,interaction.answered,interaction.withdrawn}'::text[]);
COMMENT ON INDEX layra.event_status IS 'The few events that change a run''s status, by type: which versions are undone, and what the status was.';
DROP INDEX layra.interaction_pending;
CREATE INDEX interaction_pending ON layra.interaction (run_id, COALESCE(expires_at, 'infinity'::timestamptz)) WHERE status = 'pending';
COMMENT ON INDEX layra.interaction_pending IS 'The questions that wait in a run, by when they expire.';
CREATE INDEX interaction_closed ON layra.interaction (run_id, closed_version) WHERE closed_version IS NOT NULL;
COMMENT ON INDEX layra.interaction_closed IS 'The questions of a run that were answered or withdrawn, by the version that did it, for rollback.';
CREATE INDEX breaker_owner ON layra.breaker (owner, name);
COMMENT ON INDEX layra.breaker_owner IS 'The breakers of an owner, for row security.';

-- Row security without a query in any policy: see sql/security.sql.
CREATE FUNCTION layra.owners_by_index(request internal) RETURNS internal
    STABLE LANGUAGE c AS 'MODULE_PATHNAME', 'owners_by_index_wrapper';
CREATE FUNCTION layra.reads_runs_of(owner text) RETURNS boolean
    STABLE COST 10 LANGUAGE c AS 'MODULE_PATHNAME', 'reads_runs_of_wrapper' SUPPORT layra.owners_by_index;
CREATE FUNCTION layra.reads_run(run_id text) RETURNS boolean
    STABLE COST 10 LANGUAGE c AS 'MODULE_PATHNAME', 'reads_run_wrapper';
CREATE FUNCTION layra.readable_owners() RETURNS text[]
    STABLE STRICT LANGUAGE c AS 'MODULE_PATHNAME', 'readable_owners_wrapper';
ALTER FUNCTION layra.owns(text) COST 1;
REVOKE ALL ON FUNCTION layra.owners_by_index(internal), layra.reads_runs_of(text), layra.reads_run(text), layra.readable_owners()
    FROM PUBLIC;

ALTER POLICY readable ON layra.run USING (layra.reads_runs_of(owner));
ALTER POLICY readable ON layra.event USING (layra.reads_run(run_id));
ALTER POLICY readable ON layra.cell USING (layra.reads_run(run_id));
ALTER POLICY readable ON layra.checkpoint USING (layra.reads_run(run_id));
ALTER POLICY readable ON layra.workflow USING (shared OR layra.reads_runs_of(owner));
ALTER POLICY readable ON layra.graph USING (layra.reads_runs_of(owner));
ALTER POLICY readable ON layra.access USING (layra.reads_runs_of(role));
ALTER POLICY readable ON layra.lease USING (layra.reads_run(run_id));
ALTER POLICY readable ON layra.interaction USING (layra.reads_run(run_id));
ALTER POLICY readable ON layra.breaker USING (layra.reads_runs_of(owner));
ALTER POLICY readable ON layra.breaker_probe USING (layra.reads_runs_of(owner));
ALTER POLICY readable ON layra.breaker_outcome USING (layra.reads_runs_of(owner));
ALTER POLICY readable ON layra.validator USING (layra.reads_runs_of(created_by));
ALTER POLICY readable ON layra.handler USING (layra.reads_runs_of(created_by));
ALTER POLICY readable ON layra.event_type USING (shared OR layra.reads_runs_of(owner));

-- No view is a security barrier, which kept conditions and LIMIT from the indexes: the policies hold back what a role may not see.
ALTER VIEW layra.runs RESET (security_barrier);
ALTER VIEW layra.timeline RESET (security_barrier);
ALTER VIEW layra.variables RESET (security_barrier);
ALTER VIEW layra.nodes RESET (security_barrier);
ALTER VIEW layra.loops RESET (security_barrier);
ALTER VIEW layra.contexts RESET (security_barrier);
ALTER VIEW layra.breakers RESET (security_barrier);
ALTER VIEW layra.interactions RESET (security_barrier);
CREATE OR REPLACE VIEW layra.interactions WITH (security_invoker) AS
SELECT i.run_id, i.id AS interaction, i.node_id, i.status, i.assignee, i.prompt, i.response_schema,
    i.created_at, i.expires_at, i.version, i.closed_version, i.response, i.answered_by, i.answered_for
FROM layra.run r JOIN layra.interaction i ON i.run_id OPERATOR(pg_catalog.=) r.run_id;

-- Keys of dropped runs stand once for all of their forks. What forks have inherited so far stays where it is.
CREATE TABLE layra.bequeathed_key (
    source          uuid NOT NULL,
    idempotency_key text COLLATE "C" NOT NULL,
    version         bigint NOT NULL,
    type            text NOT NULL,
    to_version      bigint,
    PRIMARY KEY (source, idempotency_key, version)
);
CREATE TABLE layra.inheritance (
    run_id   text COLLATE "C" NOT NULL,
    source   uuid NOT NULL,
    version  bigint NOT NULL,
    distance bigint NOT NULL DEFAULT 1,
    PRIMARY KEY (run_id, source)
);
CREATE INDEX inheritance_source ON layra.inheritance (source);
ALTER TABLE layra.bequeathed_key ENABLE ROW LEVEL SECURITY;
ALTER TABLE layra.inheritance ENABLE ROW LEVEL SECURITY;
ALTER POLICY readable ON layra.inherited_key USING (layra.reads_run(run_id));
CREATE POLICY readable ON layra.bequeathed_key FOR SELECT USING (layra.reads_every_run());
CREATE POLICY readable ON layra.inheritance FOR SELECT USING (layra.reads_run(run_id));
SELECT pg_catalog.pg_extension_config_dump('layra.bequeathed_key', '');
SELECT pg_catalog.pg_extension_config_dump('layra.inheritance', '');

COMMENT ON TABLE layra.inherited_key IS
'Idempotency keys that a fork has from a parent that was dropped before version 0.3.0.';
COMMENT ON TABLE layra.bequeathed_key IS
'Idempotency keys of runs that were dropped while they had forks, once for all of them. Auditors read it.';
COMMENT ON COLUMN layra.bequeathed_key.source IS 'The dropped run, which has no name any more.';
COMMENT ON COLUMN layra.bequeathed_key.idempotency_key IS 'The key. Empty: a rollback of the dropped run, or the run itself.';
COMMENT ON COLUMN layra.bequeathed_key.version IS 'Version of the dropped run that used the key, or was a rollback; 0 stands for the run itself.';
COMMENT ON COLUMN layra.bequeathed_key.type IS 'Type of that event; run.dropped for the run itself.';
COMMENT ON COLUMN layra.bequeathed_key.to_version IS 'Version that a rollback went back to; NULL: no rollback.';
COMMENT ON INDEX layra.bequeathed_key_pkey IS 'The uses of a key in a dropped run, and its rollbacks.';
COMMENT ON POLICY readable ON layra.bequeathed_key IS 'Auditors see all.';

COMMENT ON TABLE layra.inheritance IS
'The dropped runs that a fork comes from: their idempotency keys count as used in its version 1.';
COMMENT ON COLUMN layra.inheritance.run_id IS 'The fork.';
COMMENT ON COLUMN layra.inheritance.source IS 'The dropped run, in layra.bequeathed_key.';
COMMENT ON COLUMN layra.inheritance.version IS 'Version of the dropped run up to which its history is the fork''s.';
COMMENT ON COLUMN layra.inheritance.distance IS '1 for the dropped run that is nearest to the fork, more for those that it comes from in turn: of the uses of a key the nearest counts.';
COMMENT ON INDEX layra.inheritance_pkey IS 'What a fork inherits from.';
COMMENT ON INDEX layra.inheritance_source IS 'The forks that come from a dropped run, for drop_run.';
COMMENT ON POLICY readable ON layra.inheritance IS 'Those of the runs that the role sees.';
COMMENT ON FUNCTION layra.reads_runs_of(text) IS
$$Internal, for row security: does the current role read what this one owns, by its privileges or as an auditor?
owner text: name of a role; one that does not exist is read by auditors alone.
Result boolean.
Example: SELECT layra.reads_runs_of('billing_team');$$;
COMMENT ON FUNCTION layra.reads_run(text) IS
$$Internal, for row security: does the current role read this run?
run_id text: the run; one that does not exist is read by auditors alone.
Result boolean.
Example: SELECT layra.reads_run('order-17');$$;
COMMENT ON FUNCTION layra.readable_owners() IS
$$Internal, for row security: the roles whose runs the current role reads, to look for in an index.
Result text[]: roles whose privileges it has; for auditors and superusers whoever owns anything.
Example: SELECT layra.readable_owners();$$;
COMMENT ON FUNCTION layra.owners_by_index(internal) IS
$$Internal: tells the planner that an index on owners serves reads_runs_of. Not for SQL.
request internal: the planner's question.
Result internal: its answer.$$;
COMMENT ON FUNCTION layra.owns(text) IS
$$Internal: has the current role the privileges of this one?
owner text: name of a role; one that does not exist gives false.
Result boolean.
Example: SELECT layra.owns('billing_team');$$;

-- What the default privileges of whoever installed an older version gave away: it is among the initial privileges.
DO $$
DECLARE
    stranger text;
BEGIN
    FOR stranger IN
        SELECT DISTINCT a.grantee::pg_catalog.regrole::text
        FROM pg_catalog.pg_init_privs p CROSS JOIN LATERAL pg_catalog.aclexplode(p.initprivs) a
        JOIN pg_catalog.pg_roles r ON r.oid OPERATOR(pg_catalog.=) a.grantee
        WHERE p.privtype OPERATOR(pg_catalog.=) 'e' AND a.grantee OPERATOR(pg_catalog.<>) a.grantor
          AND (EXISTS (SELECT FROM pg_catalog.pg_class c WHERE c.oid OPERATOR(pg_catalog.=) p.objoid
                       AND c.relnamespace OPERATOR(pg_catalog.=) 'layra'::pg_catalog.regnamespace)
            OR EXISTS (SELECT FROM pg_catalog.pg_proc f WHERE f.oid OPERATOR(pg_catalog.=) p.objoid
                       AND f.pronamespace OPERATOR(pg_catalog.=) 'layra'::pg_catalog.regnamespace))
    LOOP
        EXECUTE pg_catalog.format('REVOKE ALL ON SCHEMA layra FROM %s', stranger);
        EXECUTE pg_catalog.format('REVOKE ALL ON ALL TABLES IN SCHEMA layra FROM %s', stranger);
        EXECUTE pg_catalog.format('REVOKE ALL ON ALL FUNCTIONS IN SCHEMA layra FROM %s', stranger);
    END LOOP;
END
$$;

ALTER FUNCTION layra.renew_grants() SET search_path = pg_catalog, pg_temp;

-- Names in another encoding.
CREATE OR REPLACE FUNCTION layra.grant_access(role name, level text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM layra.check_access(role, level);
    -- A name in the encoding of another database is no text in this one (22021).
    PERFORM convert_to(role, 'UTF8');
    INSERT INTO layra.access AS a (level, role) VALUES (grant_access.level, grant_access.role)
    ON CONFLICT DO NOTHING;
    PERFORM layra.renew_grants();
END
$$;

-- The isolation level.
CREATE OR REPLACE FUNCTION layra.check_access(role name, level text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF role IS NULL OR role = '' OR level IS NULL OR level NOT IN ('writer', 'auditor', 'admin') THEN
        RAISE EXCEPTION 'grant_access and revoke_access take a role and one of the levels writer, auditor, admin'
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    IF NOT EXISTS (SELECT FROM pg_roles r WHERE r.rolname = check_access.role) THEN
        RAISE EXCEPTION 'role "%" does not exist', role USING ERRCODE = 'undefined_object';
    END IF;
    -- One grant or revocation at a time: both end in renew_grants, which changes the same catalogue rows, and must see what
    -- the one before it did.
    IF current_setting('transaction_isolation') NOT IN ('read committed', 'read uncommitted') THEN
        RAISE EXCEPTION 'grant_access and revoke_access need the isolation level READ COMMITTED'
            USING ERRCODE = 'active_sql_transaction',
                  HINT = 'BEGIN ISOLATION LEVEL READ COMMITTED; before it.';
    END IF;
    LOCK TABLE layra.access IN SHARE ROW EXCLUSIVE MODE;
END
$$;

-- Nothing is rolled back unless the caller says so, and the one row is no set.
DROP FUNCTION layra.recover_run(text, boolean);

CREATE FUNCTION layra.recover_run(run_id text, dry_run boolean DEFAULT false, rollback boolean DEFAULT false,
    OUT from_version bigint, OUT checkpoint_version bigint, OUT incomplete text[], OUT last_completed text,
    OUT resume_at text[], OUT problems text[], OUT version bigint, OUT lost text[]) RETURNS record
LANGUAGE c AS 'MODULE_PATHNAME', 'recover_run_row_wrapper';
-- The newest success or reset of a breaker, however many failures came since.
CREATE INDEX breaker_closed ON layra.breaker_outcome (name, owner, at) WHERE outcome <> 'failure';

-- The separator is ASCII: clients in other encodings read it, too.
CREATE OR REPLACE VIEW layra.timeline WITH (security_invoker) AS
SELECT e.run_id, e.version, e.at, e.type,
    e.actor OPERATOR(pg_catalog.||) COALESCE(' for ' OPERATOR(pg_catalog.||) e.on_behalf_of, '') AS who,
    pg_catalog.concat_ws('; ',
        CASE e.type
            WHEN 'run.rolled_back' THEN pg_catalog.concat('back to version ', e.payload OPERATOR(pg_catalog.->>) 'to_version',
                ' (' OPERATOR(pg_catalog.||) (e.payload OPERATOR(pg_catalog.->>) 'label') OPERATOR(pg_catalog.||) ')')
            WHEN 'run.forked' THEN pg_catalog.concat('from ', e.payload OPERATOR(pg_catalog.#>>) '{parent,run_id}',
                ' at version ', e.payload OPERATOR(pg_catalog.#>>) '{parent,version}')
            WHEN 'run.finished' THEN e.payload OPERATOR(pg_catalog.->>) 'status'
            WHEN 'run.owner_changed' THEN pg_catalog.concat('to ', e.payload OPERATOR(pg_catalog.->>) 'owner')
            WHEN 'checkpoint.protected' THEN e.payload OPERATOR(pg_catalog.->>) 'label'
            WHEN 'checkpoint.unprotected' THEN e.payload OPERATOR(pg_catalog.->>) 'label'
        END,
        e.payload OPERATOR(pg_catalog.->>) 'reason',
        'checkpoint ' OPERATOR(pg_catalog.||) e.checkpoint_kind
            OPERATOR(pg_catalog.||) COALESCE(' ' OPERATOR(pg_catalog.||) e.checkpoint_label, ''),
        CASE WHEN c.total OPERATOR(pg_catalog.>) 0 THEN pg_catalog.concat('changed ', c.names,
            CASE WHEN c.total OPERATOR(pg_catalog.>) 4
                 THEN pg_catalog.concat(' and ', c.total OPERATOR(pg_catalog.-) 4, ' more') END) END
    ) AS what
FROM layra.event e
CROSS JOIN LATERAL (
    SELECT pg_catalog.count(*) AS total,
        pg_catalog.string_agg(n.name, ', ' ORDER BY n.position) FILTER (WHERE n.position OPERATOR(pg_catalog.<=) 4) AS names
    FROM (
        -- Counters and the extension's own cells say nothing to a reader.
        SELECT u.name, pg_catalog.row_number() OVER (ORDER BY u.name) AS position
        FROM pg_catalog.unnest(e.changed) u(name)
        WHERE u.name OPERATOR(pg_catalog.!~~) 'engine/layra.%' AND u.name OPERATOR(pg_catalog.!~~) 'context/%/-1') n) c;

-- ---------------------------------------------------------------------------------------------------- functions of one row

-- Sets of one row until now: PostgreSQL calls what stands beside a set in a SELECT list once more than there are rows.
-- Where a view of your own calls one of them, this fails and names it: drop it, update, and create it again.
-- The view breakers is one that others may use, so it stays, for a moment without the function.
CREATE OR REPLACE VIEW layra.breakers WITH (security_invoker) AS
SELECT b.owner, b.name, NULL::pg_catalog.text AS state, NULL::pg_catalog.int8 AS failures, NULL::pg_catalog.timestamptz AS opened_at,
    b.failure_threshold, b.reset_after, b.probe_lease, NULL::pg_catalog.jsonb AS last_error
FROM layra.breaker b;

DROP FUNCTION layra.begin_node(text, text, text, interval);
DROP FUNCTION layra.heartbeat(text, text, integer, interval);
DROP FUNCTION layra.try_set_variables(text, jsonb, jsonb, text, bigint, text);
DROP FUNCTION layra.breaker_state(text, text);

CREATE FUNCTION layra.begin_node(run_id text, node_id text, worker text DEFAULT NULL, lease interval DEFAULT NULL,
    OUT version bigint, OUT attempt integer, OUT status text, OUT output jsonb) RETURNS record
LANGUAGE c AS 'MODULE_PATHNAME', 'begin_node_row_wrapper';

CREATE FUNCTION layra.heartbeat(run_id text, node_id text, attempt integer, lease interval,
    OUT until timestamptz, OUT run_status text) RETURNS record
LANGUAGE c AS 'MODULE_PATHNAME', 'heartbeat_row_wrapper';

CREATE FUNCTION layra.try_set_variables(run_id text, updates jsonb, expected_variables jsonb DEFAULT NULL,
    on_conflict text DEFAULT 'fail', expected_version bigint DEFAULT NULL, idempotency_key text DEFAULT NULL,
    OUT committed boolean, OUT version bigint, OUT conflicts jsonb) RETURNS record
LANGUAGE c AS 'MODULE_PATHNAME', 'try_set_variables_row_wrapper';

CREATE FUNCTION layra.breaker_state(owner text, name text,
    OUT state text, OUT failures bigint, OUT opened_at timestamptz, OUT last_error jsonb) RETURNS record
STABLE LANGUAGE c AS 'MODULE_PATHNAME', 'breaker_state_row_wrapper';

CREATE OR REPLACE VIEW layra.breakers WITH (security_invoker) AS
SELECT b.owner, b.name, s.state, s.failures, s.opened_at, b.failure_threshold, b.reset_after, b.probe_lease, s.last_error
FROM layra.breaker b CROSS JOIN LATERAL layra.breaker_state(b.owner, b.name) s;

-- What a session remembers.
CREATE FUNCTION layra.remembered() RETURNS TABLE (what text, entries bigint, bytes bigint)
STRICT STABLE LANGUAGE c AS 'MODULE_PATHNAME', 'remembered_wrapper';
CREATE VIEW layra.session_memory WITH (security_invoker) AS
SELECT m.what, m.entries, m.bytes FROM layra.remembered() m;

-- Nothing for PUBLIC, nor for those to whom the default privileges of whoever updates this gave something: grant_access gives.
REVOKE ALL ON FUNCTION layra.begin_node, layra.breaker_state, layra.heartbeat, layra.recover_run, layra.remembered, layra.try_set_variables FROM PUBLIC;
REVOKE ALL ON TABLE layra.bequeathed_key, layra.inheritance, layra.session_memory FROM PUBLIC;
DO $$
DECLARE
    given record;
BEGIN
    FOR given IN
        SELECT 'FUNCTION ' OPERATOR(pg_catalog.||) p.oid::pg_catalog.regprocedure::pg_catalog.text AS object, a.grantee::pg_catalog.regrole AS grantee
        FROM pg_catalog.pg_proc p CROSS JOIN LATERAL pg_catalog.aclexplode(p.proacl) a
        WHERE p.pronamespace OPERATOR(pg_catalog.=) 'layra'::pg_catalog.regnamespace
          AND a.grantee OPERATOR(pg_catalog.<>) 0 AND a.grantee OPERATOR(pg_catalog.<>) p.proowner
          AND p.proname OPERATOR(pg_catalog.=) ANY ('{begin_node,breaker_state,heartbeat,recover_run,remembered,try_set_variables}'::pg_catalog.name[])
        UNION ALL
        SELECT 'TABLE ' OPERATOR(pg_catalog.||) c.oid::pg_catalog.regclass::pg_catalog.text, a.grantee::pg_catalog.regrole
        FROM pg_catalog.pg_class c CROSS JOIN LATERAL pg_catalog.aclexplode(c.relacl) a
        WHERE c.relnamespace OPERATOR(pg_catalog.=) 'layra'::pg_catalog.regnamespace
          AND a.grantee OPERATOR(pg_catalog.<>) 0 AND a.grantee OPERATOR(pg_catalog.<>) c.relowner
          AND c.relname OPERATOR(pg_catalog.=) ANY ('{bequeathed_key,inheritance,session_memory}'::pg_catalog.name[])
    LOOP
        EXECUTE pg_catalog.format('REVOKE ALL ON %s FROM %s', given.object, given.grantee);
    END LOOP;
END
$$;


-- ----------------------------------------------------------------------------------------------------------- comments

COMMENT ON FUNCTION layra.grant_access(name, text) IS
$$Gives a role a level of access to the extension. Only the extension's owner and superusers may call it.
role name: the role; who has its privileges has the level too. level text: writer (starts runs, reads and writes its own), auditor (reads every run, writes none) or admin (as writer, and defines what all runs use: shared workflows and event types, handlers, validators). A role can have several.
Result: none. The grants are kept in layra.access, and renewed by every update of the extension.
Errors: 22023 unknown level, 42704 no such role, 42501 not the extension's owner, 25001 above READ COMMITTED.
Example: SELECT layra.grant_access('app', 'writer');$$;
COMMENT ON FUNCTION layra.revoke_access(name, text) IS
$$Takes a level of access from a role; its runs stay, with their owner. Only the extension's owner and superusers may call it.
role name: the role. level text, default NULL: writer, auditor or admin; NULL: all of them.
Result: none; a level that the role does not have is no error.
Errors: 22023 unknown level, 42704 no such role, 42501 not the extension's owner, 25001 above READ COMMITTED.
Example: SELECT layra.revoke_access('app');$$;
COMMENT ON FUNCTION layra.check_access(name, text) IS
$$Internal: checks the arguments of grant_access and revoke_access, and lets one of them run at a time.
role name: must exist. level text: writer, auditor or admin.
Errors: 22023 unknown level, 42704 no such role, 25001 above READ COMMITTED.
Example: SELECT layra.check_access('app', 'writer');$$;

COMMENT ON FUNCTION layra.verify(text) IS
$$Checks stored runs against their hash chain, and lists what was changed behind the extension's back. No row: all is intact.
run_id text, default NULL: the run; NULL: every run that the caller may read.
Result: run_id (NULL for a definition or graph, which is of no run), version (NULL where the problem is in no one version), problem. It reads the whole log and every stored value, and goes on after what cannot be read.
A log that lost its newest events is still a chain: compare digest with one that was kept elsewhere.
Errors: 22023 bad argument, P0002 no such run, 42501 not a run that the caller may read.
Example: SELECT * FROM layra.verify('order-17');$$;
COMMENT ON FUNCTION layra.try_set_variables(text, jsonb, jsonb, text, bigint, text) IS
$$As set_variables, but a conflict is a row and not an error, so the transaction goes on.
run_id, updates, expected_variables, on_conflict, expected_version, idempotency_key: as in set_variables.
committed boolean: whether the variables were set. version bigint: the new version, after a conflict the newest.
conflicts jsonb: NULL, or after a conflict an array of objects with path and, as far as they apply, expected and actual (versions of the variable), base (merge only), ours and theirs (values; a side that has none is left out).
Errors: as set_variables; 40001 only above READ COMMITTED, where the snapshot hides the newest version.
Example: SELECT * FROM layra.try_set_variables('order-17', '{"total": 80}', expected_version => 1);$$;
COMMENT ON FUNCTION layra.breaker_state(text, text) IS
$$Internal, for the view breakers: the state of one breaker.
owner text: the role that it belongs to. name text: the breaker.
Result: state (closed, open or half_open), failures since the last success, opened_at, last_error.
Errors: 22023 bad argument, P0002 no such breaker, or not one that the caller may see.
Example: SELECT state FROM layra.breaker_state(current_user, 'mail api');$$;
COMMENT ON FUNCTION layra.define_workflow(text, jsonb, boolean) IS
$$Stores a workflow definition of the calling role and returns its version number.
name text: 1 to 255 characters, unique per owner.
definition jsonb: object of nodes, edges, variables and policy, all optional; other keys are kept.
shared boolean, default false: true lets the runs of every role use it (level admin).
Result integer: 1 for the first definition of that name, then 2, 3, ...; the same content again returns the same number.
Errors: 22023 bad argument or definition (DETAIL lists all problems), 42501 shared without level admin, 23505 the shared name belongs to another role, 54000 over 64 MB.
Example: SELECT layra.define_workflow('billing', '{"variables": {"total": {"schema": {"type": "number"}, "default": 0}}}');$$;
COMMENT ON FUNCTION layra.set_owner(text, name, bigint, text) IS
$$Gives a run to another role.
run_id text: the run. owner name: a role that the caller can SET ROLE to, as ALTER ... OWNER TO asks.
expected_version bigint, default NULL: the run's version that the caller has seen; NULL: no check.
idempotency_key text, default NULL: see start_run.
Result bigint: the run's new version. The run keeps the workflow definition that it has.
Errors: 22023 bad argument, 42704 no such role, P0002 no such run, 42501 not the caller's run or role, 40001 another version, 55000 finished.
Example: SELECT layra.set_owner('order-17', 'billing_team');$$;
COMMENT ON FUNCTION layra.append_events(text, jsonb, bigint, text) IS
$$Appends several events to a run's log, all or none, each with a version of its own.
run_id text: the run. events jsonb: array of at least one object {"type": ..., "payload": ..., "updates": ...}; type is required, the others are as in append_event.
expected_version bigint, default NULL: the run's version before the first event; NULL: no check.
idempotency_key text, default NULL: see start_run; it is recorded with the last event.
Result bigint: the version of the last event.
Errors: 22023 bad argument, P0002 no such run, 42501 not the caller's run, 40001 another version, 55000 finished, 54000 over a size limit, 23514 a variable breaks its schema.
Example: SELECT layra.append_events('order-17', '[{"type": "mail.sent"}, {"type": "mail.read", "updates": {"read": true}}]');$$;
COMMENT ON FUNCTION layra.history(text, text, text) IS
$$Reads every value that a variable (or another cell) had, oldest first.
run_id text: the run. key text: the variable's name, node id, loop id or field.
scope text, default variable: variable, node, loop, context (the node's entries, one after the other) or engine.
Result: revision (1, 2, ... per cell), version of the run, value (SQL NULL: unset), at, actor, on_behalf_of and type of the event. No row where there never was one.
Errors: 22023 bad argument, P0002 no such run, 42501 not a run that the caller may read.
Example: SELECT version, value, actor FROM layra.history('order-17', 'total');$$;
COMMENT ON FUNCTION layra.breaker_try(text) IS
$$Asks a circuit breaker whether to make a call: closed says true, open false, half open true to one caller at a time.
name text: the caller's own breaker, else one of a role whose privileges the caller has.
Result boolean. A closed or open breaker writes nothing; no call waits for another transaction. Report what came of it with breaker_success or breaker_failure.
Errors: 22023 bad argument, P0002 no such breaker.
Example: SELECT layra.breaker_try('mail api');$$;
COMMENT ON FUNCTION layra.breaker_success(text) IS
$$Reports to a circuit breaker that a call succeeded: a closed one counts its failures anew, a half-open one in which a caller tries is closed.
name text: the breaker. An open one stays open, as the call began before it opened.
Result: none. Without failures it writes nothing.
Errors: 22023 bad argument, P0002 no such breaker.
Example: SELECT layra.breaker_success('mail api');$$;
COMMENT ON COLUMN layra.event.type IS 'What happened: run.started, variables.set, ..., or a type of the caller''s own.';
COMMENT ON COLUMN layra.workflow.version IS '1 for the first definition of that name, then 2, 3, ...';
COMMENT ON COLUMN layra.breaker_outcome.at IS 'Its place among the others: the time of the report; of a success just behind the failures that it ends.';
COMMENT ON INDEX layra.breaker_closed IS 'The newest success or reset of a breaker, however many failures came since.';
COMMENT ON VIEW layra.runs IS
'The runs that the caller may read, with newest version and last activity. Page it by run_id: WHERE run_id > ''...'' ORDER BY run_id LIMIT 100.';
COMMENT ON VIEW layra.timeline IS
'The log of a run for people, a line for each event: WHERE run_id = ''...'' ORDER BY version.';
COMMENT ON VIEW layra.variables IS
'The variables of a run as they are now: WHERE run_id = ''...''';
COMMENT ON VIEW layra.nodes IS
'The nodes of a run as they are now: WHERE run_id = ''...''';
COMMENT ON VIEW layra.loops IS
'The loops of a run as they are now: WHERE run_id = ''...''';
COMMENT ON VIEW layra.contexts IS
'The context of a run as it is now, a row for each entry of each node: WHERE run_id = ''...''';
COMMENT ON FUNCTION layra.start_run(text, text, jsonb, jsonb, integer, text) IS
$$Starts a run, owned by the calling role, and returns its first version, 1. Until the transaction ends whoever starts a run of that id waits.
run_id text: name of the run, 1 to 255 characters, none a control character; unique in the database.
workflow text, default NULL: name of a workflow of the caller, else a shared one; NULL: a run without definition.
variables jsonb, default {}: object of first values; defaults of the definition apply to names that are not in it.
metadata jsonb, default {}: object that is kept with the run and never changes.
workflow_version integer, default NULL: version of the definition; NULL: the newest.
idempotency_key text, default NULL: 1 to 255 characters; the same call again with the same key does nothing and returns the first call's version.
Errors: 22023 bad argument, P0002 no such workflow, 23505 the run exists, 23514 a variable breaks its schema, 54000 over a size limit, 40001 above READ COMMITTED where a concurrent start won.
Example: SELECT layra.start_run('order-17', variables => '{"total": 120.50}');$$;
COMMENT ON FUNCTION layra.drop_run(text) IS
$$Erases a run with its log, cells and checkpoints, whatever its status. Nothing of it is kept, nor who did it, and verify misses nothing; digest before it, if you need proof.
run_id text: the run. Its forks stay, and keep the idempotency keys they had from it: they become forks of its own parent; where it had none, their parent_run_id is NULL and their parent_version 0.
Errors: 22023 bad argument, P0002 no such run, 42501 not the caller's run.
Example: SELECT layra.drop_run('order-17');$$;
COMMENT ON FUNCTION layra.set_variables(text, jsonb, jsonb, text, bigint, text) IS
$$Sets variables of a run, all or none of them, in one new version. Other writers of the run wait until the transaction ends.
run_id text: the run. updates jsonb: object of names and new values; a name that is left out is untouched. JSON null is a value.
expected_variables jsonb, default NULL: object {"name": version} of the run version that last changed each variable, 0 for one that is not set; any other is 40001.
on_conflict text, default fail: what happens when expected_version is not the newest. fail: 40001; overwrite: set them all the same; merge: three-way merge with the state at expected_version, 40001 only where both sides changed the same place.
expected_version bigint, default NULL: the run's version that the caller has seen; NULL: no check; needed for overwrite and merge.
idempotency_key text, default NULL: see start_run.
Result bigint: the run's new version, also where every value was the same already.
Errors: 22023 bad argument, P0002 no such run, 42501 not the caller's run, 40001 conflict (DETAIL names the paths), 55000 finished, 54000 over a size limit, 23514 a value breaks its schema.
Example: SELECT layra.set_variables('order-17', '{"total": 99.90}', expected_version => 1);$$;
COMMENT ON FUNCTION layra.append_event(text, text, jsonb, jsonb, bigint, text) IS
$$Appends an event of the caller's own to a run's log, and sets variables in the same version. Other writers of the run wait until the transaction ends.
run_id text: the run. type text: 1 to 255 characters; types that start with run. variables. state. checkpoint. node. loop. interaction. workflow. breaker. policy. layra. are the extension's own.
payload jsonb, default {}: any JSON value. updates jsonb, default NULL: object of variables to set.
expected_version bigint, default NULL: the run's version that the caller has seen; NULL: no check.
idempotency_key text, default NULL: see start_run.
Result bigint: the run's new version.
Errors: 22023 bad argument, P0002 no such run, 42501 not the caller's run, 40001 another version, 55000 finished, 54000 over a size limit, 23514 a variable breaks its schema.
Example: SELECT layra.append_event('order-17', 'payment.received', '{"amount": 99.90}', '{"paid": true}');$$;
COMMENT ON FUNCTION layra.events(text, bigint, integer, text[]) IS
$$Reads the log of a run in order, a batch at a time.
run_id text: the run. after_version bigint, default 0: only events above this version.
batch_size integer, default 1000: rows at most, 1 to 100,000. types text[], default NULL: only these types; NULL: all.
Result: version, type, payload, changed (names of the cells it changed), actor (the role that called), on_behalf_of (layra.actor: a claim), at. Ask again with the last version as after_version until no row comes.
Errors: 22023 bad argument, P0002 no such run, 42501 not a run that the caller may read.
Example: SELECT version, type, payload FROM layra.events('order-17', after_version => 1, batch_size => 100);$$;
COMMENT ON FUNCTION layra.begin_node(text, text, text, interval) IS
$$Takes a node of a run for a worker; of a completed or skipped node it returns what is recorded. Call it in a transaction of its own: other writers of the run wait until that ends.
run_id text: the run. node_id text: the node, 1 to 255 characters.
worker text, default NULL: name of the worker, 1 to 255 characters; the one that holds the node takes it again.
lease interval, default NULL: how long the node is held, above zero; NULL: until this worker, reset_nodes or recover_run gives it up.
Result: version; attempt (1, 2, ... never repeated in a run's life); status running where this call took it, else completed or skipped; output of a completed node, from its context.
Errors: 22023 bad argument, P0002 no such run, 42501 not the caller's run, 55P03 another worker holds it (DETAIL has holder and until), 55000 the run is paused, cancelling or finished, 40001 above READ COMMITTED where somebody wrote since.
Example: SELECT * FROM layra.begin_node('order-17', 'price', worker => 'w1', lease => '5 minutes');$$;
COMMENT ON FUNCTION layra.heartbeat(text, text, integer, interval) IS
$$Extends the lease of a node, without an event and without waiting for the run. Call it in a transaction of its own: what changes this lease waits until that ends.
run_id text: the run. node_id text: the node. attempt integer: the attempt that begin_node returned.
lease interval: how long from now the node is held, above zero.
Result: until (end of the lease), run_status (cancelling: stop working).
Errors: 22023 bad argument, P0002 no such run, 42501 not the caller's run, 55000 this attempt has no lease any more.
Example: SELECT * FROM layra.heartbeat('order-17', 'pay', attempt => 1, lease => '5 minutes');$$;
COMMENT ON COLUMN layra.event.xact IS 'Transaction that wrote the row, as this server counts them: no order to follow the log by, as a commit can come late, and rows of a restored dump have the numbers of another server. Not part of the hash.';
COMMENT ON INDEX layra.event_xact IS 'Events of a range of transactions of this server, in every run; a block range index of a few pages.';
COMMENT ON SCHEMA layra IS
'State of workflow runs (extension layra_state). What writes to a run holds up its other writers until the transaction ends. \df+ layra.* lists the functions; the views runs, timeline, variables, nodes, loops and contexts are for people.';

COMMENT ON FUNCTION layra.recover_run(text, boolean, boolean) IS
$$Makes a run fit to go on after a crash: nodes that nobody holds become pending, a run whose questions have all expired is running again, and a state that is not valid is told, and rolled back where the caller says so.
run_id text: the run. dry_run boolean, default false: true only reports what it would do. rollback boolean, default false: true goes back to checkpoint_version where there are problems.
Result, one row: from_version; checkpoint_version, the newest one that is valid (NULL: the state is valid, or there is none); incomplete (nodes that were running); last_completed; resume_at (nodes to go on with); problems (as validate_run has them); version after it; lost (cells that a rollback takes back).
Errors: 22023 bad argument, P0002 no such run, 42501 not the caller's run, 55000 the run finished.
Example: SELECT version, resume_at, problems FROM layra.recover_run('order-17');$$;

COMMENT ON FUNCTION layra.remembered() IS
$$Internal, for the view session_memory: what this session remembers.
Result: what (definitions, places, plans, schemas), entries, bytes.
Errors: none.
Example: SELECT * FROM layra.remembered();$$;
COMMENT ON VIEW layra.session_memory IS
'What this session remembers from call to call.';
COMMENT ON COLUMN layra.session_memory.what IS 'definitions (of workflows) and schemas (of event types and answers), compiled; plans (of the extension''s statements); places (where the newest rows of long runs stand).';
COMMENT ON COLUMN layra.session_memory.entries IS 'How many of them.';
COMMENT ON COLUMN layra.session_memory.bytes IS 'Bytes that they take.';

SELECT layra.renew_grants();
