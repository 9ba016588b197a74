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

SELECT layra.renew_grants();

COMMENT ON FUNCTION layra.recover_run(text, boolean, boolean) IS
$$Makes a run fit to go on after a crash: nodes that nobody holds become pending, a run whose questions have all expired is running again, and a state that is not valid is told, and rolled back where the caller says so.
run_id text: the run. dry_run boolean, default false: true only reports what it would do. rollback boolean, default false: true goes back to checkpoint_version where there are problems.
Result, one row: from_version; checkpoint_version, the newest one that is valid (NULL: the state is valid, or there is none); incomplete (nodes that were running); last_completed; resume_at (nodes to go on with); problems (as validate_run has them); version after it; lost (cells that a rollback takes back).
Errors: 22023 bad argument, P0002 no such run, 42501 not the caller's run, 55000 the run finished.
Example: SELECT version, resume_at, problems FROM layra.recover_run('order-17');$$;
