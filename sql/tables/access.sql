CREATE TABLE layra.access (
    level text COLLATE "C" NOT NULL CHECK (level IN ('writer', 'auditor', 'admin')),
    role  text NOT NULL,
    PRIMARY KEY (level, role)
);

ALTER TABLE layra.access ENABLE ROW LEVEL SECURITY;
CREATE POLICY readable ON layra.access FOR SELECT USING (layra.reads_runs_of(role));
SELECT pg_catalog.pg_extension_config_dump('layra.access', '');

COMMENT ON TABLE layra.access IS
'The levels of access that grant_access gave to roles.';
COMMENT ON COLUMN layra.access.level IS 'writer, auditor or admin.';
COMMENT ON COLUMN layra.access.role IS 'The role, as text: one that was dropped is skipped.';
COMMENT ON POLICY readable ON layra.access IS 'A role''s own levels; auditors see all.';
COMMENT ON INDEX layra.access_pkey IS 'The roles with a level.';
