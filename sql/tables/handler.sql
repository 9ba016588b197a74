CREATE TABLE layra.handler (
    type_pattern text COLLATE "C" NOT NULL,
    function     text COLLATE "C" NOT NULL,
    workflow     text COLLATE "C" NOT NULL DEFAULT '',
    created_by   text NOT NULL,
    created_at   timestamptz NOT NULL,
    PRIMARY KEY (type_pattern, function, workflow)
);

ALTER TABLE layra.handler ENABLE ROW LEVEL SECURITY;
CREATE POLICY readable ON layra.handler FOR SELECT USING (layra.reads_runs_of(created_by));
SELECT pg_catalog.pg_extension_config_dump('layra.handler', '');

COMMENT ON TABLE layra.handler IS
'Functions that run after events.';
COMMENT ON COLUMN layra.handler.type_pattern IS 'An event type, or a prefix that ends in .*';
COMMENT ON COLUMN layra.handler.function IS 'The function, as text with its argument types: an OID would not survive a dump.';
COMMENT ON COLUMN layra.handler.workflow IS 'Name of the workflows whose runs it is for; empty: all runs.';
COMMENT ON COLUMN layra.handler.created_by IS 'Role that registered it.';
COMMENT ON COLUMN layra.handler.created_at IS 'Time at which it was registered.';
COMMENT ON POLICY readable ON layra.handler IS 'Those registered by roles whose privileges the role has; auditors see all.';
COMMENT ON INDEX layra.handler_pkey IS 'The handlers of a pattern.';
