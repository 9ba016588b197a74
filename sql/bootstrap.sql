-- Runs first: refuses what the extension could not be safe or correct in.
DO $$
BEGIN
    IF pg_catalog.current_setting('server_encoding') <> 'UTF8' THEN
        RAISE EXCEPTION 'layra_state needs a database with encoding UTF8, this one has %',
            pg_catalog.current_setting('server_encoding')
            USING ERRCODE = 'feature_not_supported',
                  HINT = 'CREATE DATABASE ... ENCODING ''UTF8'' TEMPLATE template0; makes one.';
    END IF;
    -- Whoever owns the schema, or may create in it, could plant objects among ours.
    IF EXISTS (
        SELECT FROM pg_catalog.pg_namespace n
        CROSS JOIN LATERAL pg_catalog.aclexplode(
            COALESCE(n.nspacl, pg_catalog.acldefault('n', n.nspowner))) a
        WHERE n.nspname = 'layra' AND a.privilege_type = 'CREATE'
          AND NOT EXISTS (SELECT FROM pg_catalog.pg_roles r WHERE r.oid = a.grantee AND (r.rolsuper OR r.rolname = current_user))
    ) OR EXISTS (
        SELECT FROM pg_catalog.pg_namespace n JOIN pg_catalog.pg_roles r ON r.oid = n.nspowner
        WHERE n.nspname = 'layra' AND NOT r.rolsuper AND r.rolname <> current_user
    ) THEN
        RAISE EXCEPTION 'schema layra belongs to somebody else, or others may create objects in it'
            USING ERRCODE = 'insufficient_privilege',
                  HINT = 'Drop or rename the schema; CREATE EXTENSION layra_state makes its own.';
    END IF;
    IF EXISTS (SELECT FROM pg_catalog.pg_class WHERE relnamespace = 'layra'::pg_catalog.regnamespace)
       OR EXISTS (SELECT FROM pg_catalog.pg_proc WHERE pronamespace = 'layra'::pg_catalog.regnamespace)
       OR EXISTS (SELECT FROM pg_catalog.pg_type WHERE typnamespace = 'layra'::pg_catalog.regnamespace)
       OR EXISTS (SELECT FROM pg_catalog.pg_operator WHERE oprnamespace = 'layra'::pg_catalog.regnamespace) THEN
        RAISE EXCEPTION 'schema layra is not empty'
            USING ERRCODE = 'duplicate_object',
                  HINT = 'Move what is in it to another schema first.';
    END IF;
END
$$;
