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
    IF role IS NULL OR role = '' THEN
        RAISE EXCEPTION 'role must not be null or empty' USING ERRCODE = 'invalid_parameter_value';
    END IF;
    IF level IS NULL OR level NOT IN ('writer', 'auditor', 'admin') THEN
        RAISE EXCEPTION 'level must be one of writer, auditor, admin' USING ERRCODE = 'invalid_parameter_value';
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

COMMENT ON FUNCTION layra.grant_access(name, text) IS
$$Grants a role a level: writer, auditor or admin.
Only the extension's owner and superusers may call it. The grants are kept in layra.access, and every update of the extension renews them.
role name: the role; roles with its privileges have the level, too.
level text: writer (starts runs, reads and writes its own), auditor (reads every run, writes none) or admin (as writer, and defines what all runs use: shared workflows and event types, handlers, validators). A role can have several.
Result: none.
Errors: 22023 unknown level, 42704 no such role, 42501 not the extension's owner, 25001 above READ COMMITTED.
Example: SELECT layra.grant_access('app', 'writer');$$;

COMMENT ON FUNCTION layra.revoke_access(name, text) IS
$$Revokes a level from a role, or all of them.
Its runs stay, with their owner. Only the extension's owner and superusers may call it.
role name: the role.
level text, default NULL: writer, auditor or admin; NULL: all of them.
Result: none; a level that the role does not have is not an error.
Errors: 22023 unknown level, 42704 no such role, 42501 not the extension's owner, 25001 above READ COMMITTED.
Example: SELECT layra.revoke_access('app');$$;

COMMENT ON FUNCTION layra.renew_grants() IS
$$Grants again what layra.access says that roles have.
Updates of the extension end with it; call it after restoring a dump without privileges. Roles that do not exist are skipped.
Result: none.
Errors: 42501 not the extension's owner.
Example: SELECT layra.renew_grants();$$;
