CREATE TABLE layra.workflow (
    owner      text COLLATE "C" NOT NULL,
    name       text COLLATE "C" NOT NULL,
    version    integer NOT NULL CHECK (version >= 1),
    shared     boolean NOT NULL DEFAULT false,
    definition jsonb NOT NULL,
    hash       bytea NOT NULL CHECK (pg_catalog.octet_length(hash) = 32),
    created_at timestamptz NOT NULL,
    PRIMARY KEY (owner, name, version)
);
CREATE UNIQUE INDEX workflow_shared ON layra.workflow (name, version) WHERE shared;
-- The hash first: with the name first it looked as good as the primary key to who looks for a version, and then all versions of a
-- name were read.
CREATE UNIQUE INDEX workflow_hash ON layra.workflow (hash, owner, name);

ALTER TABLE layra.workflow ENABLE ROW LEVEL SECURITY;
CREATE POLICY readable ON layra.workflow FOR SELECT USING (shared OR layra.reads_runs_of(owner));
SELECT pg_catalog.pg_extension_config_dump('layra.workflow', '');

COMMENT ON TABLE layra.workflow IS
'Workflow definitions, one row per version, which never changes.';
COMMENT ON COLUMN layra.workflow.owner IS 'Role that defined it, as text.';
COMMENT ON COLUMN layra.workflow.name IS 'Name, unique per owner; that of a shared workflow belongs to one owner.';
COMMENT ON COLUMN layra.workflow.version IS '1 for the first definition of that name, then 2, 3, ...';
COMMENT ON COLUMN layra.workflow.shared IS 'true: the runs of every role can use it.';
COMMENT ON COLUMN layra.workflow.definition IS 'The definition as it was given.';
COMMENT ON COLUMN layra.workflow.hash IS 'BLAKE3 of the definition''s JSON text, 32 bytes.';
COMMENT ON COLUMN layra.workflow.created_at IS 'Time at which it was defined.';
COMMENT ON POLICY readable ON layra.workflow IS 'Shared definitions, those of owners whose privileges the role has; auditors see all.';
COMMENT ON INDEX layra.workflow_pkey IS 'A definition by owner, name and version; the newest of a name.';
COMMENT ON INDEX layra.workflow_shared IS 'A shared definition by name and version. Unique: two owners cannot share one name.';
COMMENT ON INDEX layra.workflow_hash IS 'A definition by its content: the same one is stored once.';
