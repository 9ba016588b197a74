CREATE TABLE layra.validator (
    workflow   text COLLATE "C" NOT NULL,
    name       text COLLATE "C" NOT NULL,
    function   text NOT NULL,
    created_by text NOT NULL,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (workflow, name)
);

ALTER TABLE layra.validator ENABLE ROW LEVEL SECURITY;
CREATE POLICY readable ON layra.validator FOR SELECT USING (layra.reads_runs_of(created_by));
SELECT pg_catalog.pg_extension_config_dump('layra.validator', '');

COMMENT ON TABLE layra.validator IS
'Custom rules that validate_run checks.';
COMMENT ON COLUMN layra.validator.workflow IS 'Name of the workflows whose runs it checks.';
COMMENT ON COLUMN layra.validator.name IS 'Name of the rule.';
COMMENT ON COLUMN layra.validator.function IS 'The function, as text with its argument types: an OID would not survive a dump.';
COMMENT ON COLUMN layra.validator.created_by IS 'Role that added it.';
COMMENT ON COLUMN layra.validator.created_at IS 'Time at which it was added.';
COMMENT ON POLICY readable ON layra.validator IS 'Those added by roles whose privileges the role has; auditors see all.';
COMMENT ON INDEX layra.validator_pkey IS 'The rules of a workflow.';
