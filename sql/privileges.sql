-- Last of all, when everything is there: nothing for PUBLIC.
REVOKE ALL ON SCHEMA layra FROM PUBLIC;
REVOKE ALL ON ALL TABLES IN SCHEMA layra FROM PUBLIC;
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA layra FROM PUBLIC;

-- Nor for those to whom the default privileges of whoever installs this gave something: grant_access gives.
DO $$
DECLARE
    stranger text;
BEGIN
    FOR stranger IN
        SELECT DISTINCT a.grantee::pg_catalog.regrole::text FROM (
            SELECT n.nspacl, n.nspowner FROM pg_catalog.pg_namespace n WHERE n.oid OPERATOR(pg_catalog.=) 'layra'::pg_catalog.regnamespace
            UNION ALL
            SELECT c.relacl, c.relowner FROM pg_catalog.pg_class c WHERE c.relnamespace OPERATOR(pg_catalog.=) 'layra'::pg_catalog.regnamespace
            UNION ALL
            SELECT p.proacl, p.proowner FROM pg_catalog.pg_proc p WHERE p.pronamespace OPERATOR(pg_catalog.=) 'layra'::pg_catalog.regnamespace
        ) o(acl, owner) CROSS JOIN LATERAL pg_catalog.aclexplode(o.acl) a
        WHERE a.grantee OPERATOR(pg_catalog.<>) 0 AND a.grantee OPERATOR(pg_catalog.<>) o.owner
    LOOP
        EXECUTE pg_catalog.format('REVOKE ALL ON SCHEMA layra FROM %s', stranger);
        EXECUTE pg_catalog.format('REVOKE ALL ON ALL TABLES IN SCHEMA layra FROM %s', stranger);
        EXECUTE pg_catalog.format('REVOKE ALL ON ALL FUNCTIONS IN SCHEMA layra FROM %s', stranger);
    END LOOP;
END
$$;
