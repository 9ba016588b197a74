-- What layra.renew_grants() runs. Every level reads; writers and admins also change: what changes something is VOLATILE.
-- Roles that are gone are skipped: a restore must not fail. Only what a role lacks is granted, as a grant rewrites the row
-- of its object with the grants of all roles.
DO $$
DECLARE
    granted record;
    objects text;
BEGIN
    FOR granted IN SELECT r.oid, r.rolname, pg_catalog.bool_or(a.level OPERATOR(pg_catalog.=) ANY ('{writer,admin}'::pg_catalog.text[])) AS writes
                   FROM layra.access a JOIN pg_catalog.pg_roles r ON r.rolname OPERATOR(pg_catalog.=) a.role GROUP BY r.oid, r.rolname
    LOOP
        -- Default privileges may have given more with a new table; a trigger on one would run as its owner.
        SELECT pg_catalog.string_agg(DISTINCT c.oid::pg_catalog.regclass::pg_catalog.text, ', ') INTO objects
        FROM pg_catalog.pg_class c CROSS JOIN LATERAL pg_catalog.aclexplode(c.relacl) a
        WHERE c.relnamespace OPERATOR(pg_catalog.=) 'layra'::pg_catalog.regnamespace
          AND c.relkind OPERATOR(pg_catalog.=) ANY ('{r,v,m,f,p}'::pg_catalog."char"[])
          AND a.grantee OPERATOR(pg_catalog.=) granted.oid AND a.privilege_type OPERATOR(pg_catalog.<>) 'SELECT';
        IF objects IS NOT NULL THEN
            EXECUTE pg_catalog.format('REVOKE INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER ON %s FROM %I',
                objects, granted.rolname);
        END IF;
        IF NOT EXISTS (
            SELECT FROM pg_catalog.pg_namespace n CROSS JOIN LATERAL pg_catalog.aclexplode(n.nspacl) a
            WHERE n.oid OPERATOR(pg_catalog.=) 'layra'::pg_catalog.regnamespace
              AND a.grantee OPERATOR(pg_catalog.=) granted.oid AND a.privilege_type OPERATOR(pg_catalog.=) 'USAGE') THEN
            EXECUTE pg_catalog.format('GRANT USAGE ON SCHEMA layra TO %I', granted.rolname);
        END IF;
        SELECT pg_catalog.string_agg(c.oid::pg_catalog.regclass::pg_catalog.text, ', ') INTO objects
        FROM pg_catalog.pg_class c
        WHERE c.relnamespace OPERATOR(pg_catalog.=) 'layra'::pg_catalog.regnamespace
          AND c.relkind OPERATOR(pg_catalog.=) ANY ('{r,v,m,f,p}'::pg_catalog."char"[])
          AND NOT EXISTS (
            SELECT FROM pg_catalog.aclexplode(c.relacl) a
            WHERE a.grantee OPERATOR(pg_catalog.=) granted.oid AND a.privilege_type OPERATOR(pg_catalog.=) 'SELECT');
        IF objects IS NOT NULL THEN
            EXECUTE pg_catalog.format('GRANT SELECT ON %s TO %I', objects, granted.rolname);
        END IF;
        SELECT pg_catalog.string_agg(p.oid::pg_catalog.regprocedure::pg_catalog.text, ', ') INTO objects
        FROM pg_catalog.pg_proc p
        WHERE p.pronamespace OPERATOR(pg_catalog.=) 'layra'::pg_catalog.regnamespace
          AND (p.provolatile OPERATOR(pg_catalog.<>) 'v' OR granted.writes)
          AND p.proname OPERATOR(pg_catalog.<>) ALL ('{grant_access,revoke_access,check_access,renew_grants}'::pg_catalog.name[])
          AND NOT EXISTS (
            SELECT FROM pg_catalog.aclexplode(p.proacl) a
            WHERE a.grantee OPERATOR(pg_catalog.=) granted.oid AND a.privilege_type OPERATOR(pg_catalog.=) 'EXECUTE');
        IF objects IS NOT NULL THEN
            EXECUTE pg_catalog.format('GRANT EXECUTE ON FUNCTION %s TO %I', objects, granted.rolname);
        END IF;
    END LOOP;
END
$$
