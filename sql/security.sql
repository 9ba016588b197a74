-- Who may do what. Nothing is granted to PUBLIC; grant_access gives a role one of three levels.

-- Row security: a role sees the rows of runs whose owner's privileges it has; auditors see all of them. The functions remember
-- what they asked for the rows before, and lead a search by owner to an index; so no policy has a query of its own.
ALTER TABLE layra.run ENABLE ROW LEVEL SECURITY;
ALTER TABLE layra.event ENABLE ROW LEVEL SECURITY;
ALTER TABLE layra.cell ENABLE ROW LEVEL SECURITY;
ALTER TABLE layra.checkpoint ENABLE ROW LEVEL SECURITY;
ALTER TABLE layra.inherited_key ENABLE ROW LEVEL SECURITY;
ALTER TABLE layra.bequeathed_key ENABLE ROW LEVEL SECURITY;
ALTER TABLE layra.inheritance ENABLE ROW LEVEL SECURITY;
ALTER TABLE layra.workflow ENABLE ROW LEVEL SECURITY;
ALTER TABLE layra.graph ENABLE ROW LEVEL SECURITY;
ALTER TABLE layra.access ENABLE ROW LEVEL SECURITY;

CREATE POLICY readable ON layra.run FOR SELECT USING (layra.reads_runs_of(owner));
CREATE POLICY readable ON layra.event FOR SELECT USING (layra.reads_run(run_id));
CREATE POLICY readable ON layra.cell FOR SELECT USING (layra.reads_run(run_id));
CREATE POLICY readable ON layra.checkpoint FOR SELECT USING (layra.reads_run(run_id));
CREATE POLICY readable ON layra.inherited_key FOR SELECT USING (layra.reads_run(run_id));
CREATE POLICY readable ON layra.bequeathed_key FOR SELECT USING (layra.reads_every_run());
CREATE POLICY readable ON layra.inheritance FOR SELECT USING (layra.reads_run(run_id));
CREATE POLICY readable ON layra.workflow FOR SELECT USING (shared OR layra.reads_runs_of(owner));
CREATE POLICY readable ON layra.graph FOR SELECT USING (layra.reads_runs_of(owner));
CREATE POLICY readable ON layra.access FOR SELECT USING (layra.reads_runs_of(role));

CREATE FUNCTION layra.grant_access(role name, level text) RETURNS void
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

CREATE FUNCTION layra.revoke_access(role name, level text DEFAULT NULL) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    revoked bigint;
BEGIN
    -- A role that is gone has no privileges left, but its levels would come back with a new role of that name.
    IF NOT EXISTS (SELECT FROM pg_roles r WHERE r.rolname = revoke_access.role) THEN
        DELETE FROM layra.access a
        WHERE a.role = revoke_access.role AND (revoke_access.level IS NULL OR a.level = revoke_access.level);
        GET DIAGNOSTICS revoked = ROW_COUNT;
        IF revoked > 0 THEN
            RETURN;
        END IF;
    END IF;
    PERFORM layra.check_access(role, COALESCE(level, 'writer'));
    DELETE FROM layra.access a
    WHERE a.role = revoke_access.role AND (revoke_access.level IS NULL OR a.level = revoke_access.level);
    EXECUTE format('REVOKE ALL ON SCHEMA layra FROM %I', role);
    EXECUTE format('REVOKE ALL ON ALL TABLES IN SCHEMA layra FROM %I', role);
    EXECUTE format('REVOKE ALL ON ALL FUNCTIONS IN SCHEMA layra FROM %I', role);
    PERFORM layra.renew_grants();
END
$$;

CREATE FUNCTION layra.check_access(role name, level text) RETURNS void
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
