-- What must hold for every object of the extension.
SELECT extname, nspname, extversion FROM pg_extension JOIN pg_namespace n ON n.oid = extnamespace
WHERE extname = 'layra_state';
CREATE TEMP VIEW member AS
    SELECT classid, objid, pg_describe_object(classid, objid, 0) AS object
    FROM pg_depend
    WHERE refclassid = 'pg_extension'::regclass AND deptype = 'e'
      AND refobjid = (SELECT oid FROM pg_extension WHERE extname = 'layra_state');
-- Nothing is granted to PUBLIC, which is grantee 0.
SELECT object, privilege_type
FROM member, pg_proc, aclexplode(coalesce(proacl, acldefault('f', proowner)))
WHERE classid = 'pg_proc'::regclass AND objid = pg_proc.oid AND grantee = 0
UNION ALL
SELECT object, privilege_type
FROM member, pg_class, aclexplode(coalesce(relacl, acldefault('r', relowner)))
WHERE classid = 'pg_class'::regclass AND objid = pg_class.oid AND grantee = 0
UNION ALL
SELECT nspname, privilege_type
FROM pg_namespace, aclexplode(coalesce(nspacl, acldefault('n', nspowner)))
WHERE nspname = 'layra' AND grantee = 0
ORDER BY 1, 2;
-- Every function, table, view and column has its comment.
SELECT object FROM member
WHERE classid IN ('pg_proc'::regclass, 'pg_class'::regclass)
  AND obj_description(objid, classid::regclass::name) IS NULL
UNION ALL
SELECT object || ' column ' || attname FROM member JOIN pg_attribute ON attrelid = objid
WHERE classid = 'pg_class'::regclass AND attnum > 0 AND NOT attisdropped AND col_description(objid, attnum) IS NULL
ORDER BY 1;
-- No triggers, no sequences, no foreign keys where it is written often; and pg_dump dumps the rows of every table.
SELECT tgrelid::regclass, tgname FROM pg_trigger JOIN member ON classid = 'pg_class'::regclass AND objid = tgrelid;
SELECT object FROM member JOIN pg_class ON classid = 'pg_class'::regclass AND objid = pg_class.oid WHERE relkind = 'S';
SELECT conrelid::regclass, conname FROM pg_constraint JOIN member ON classid = 'pg_class'::regclass AND objid = conrelid
WHERE contype = 'f' AND conrelid::regclass::text IN ('layra.event', 'layra.cell');
SELECT object FROM member JOIN pg_class ON classid = 'pg_class'::regclass AND objid = pg_class.oid
WHERE relkind = 'r' AND NOT EXISTS (SELECT FROM pg_extension WHERE extname = 'layra_state' AND objid = ANY (extconfig));
