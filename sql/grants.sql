-- What layra.renew_grants() runs. Every level reads; writers and admins also change: what changes something is VOLATILE.
-- Roles that are gone are passed over: a restore must not fail.
DO $$
DECLARE
    granted record;
    object regprocedure;
BEGIN
    FOR granted IN SELECT a.role, pg_catalog.bool_or(a.level OPERATOR(pg_catalog.=) ANY ('{writer,admin}'::pg_catalog.text[])) AS writes
                   FROM layra.access a JOIN pg_catalog.pg_roles r ON r.rolname OPERATOR(pg_catalog.=) a.role GROUP BY a.role
    LOOP
        -- Default privileges may have given more with a new table; a trigger on one would run as its owner.
        EXECUTE pg_catalog.format('REVOKE INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER ON ALL TABLES IN SCHEMA layra FROM %I',
            granted.role);
        EXECUTE pg_catalog.format('GRANT USAGE ON SCHEMA layra TO %I', granted.role);
        EXECUTE pg_catalog.format('GRANT SELECT ON ALL TABLES IN SCHEMA layra TO %I', granted.role);
        FOR object IN SELECT p.oid FROM pg_catalog.pg_proc p
                      WHERE p.pronamespace OPERATOR(pg_catalog.=) 'layra'::pg_catalog.regnamespace
                        AND (p.provolatile OPERATOR(pg_catalog.<>) 'v' OR granted.writes)
                        AND p.proname OPERATOR(pg_catalog.<>) ALL ('{grant_access,revoke_access,check_access,renew_grants}'::pg_catalog.name[])
        LOOP
            EXECUTE pg_catalog.format('GRANT EXECUTE ON FUNCTION %s TO %I', object, granted.role);
        END LOOP;
    END LOOP;
END
$$
