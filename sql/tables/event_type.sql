CREATE TABLE layra.event_type (
    owner      text COLLATE "C" NOT NULL,
    type       text COLLATE "C" NOT NULL,
    shared     boolean NOT NULL,
    schema     jsonb NOT NULL,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (type, owner)
);
CREATE UNIQUE INDEX event_type_shared ON layra.event_type (type) WHERE shared;

ALTER TABLE layra.event_type ENABLE ROW LEVEL SECURITY;
CREATE POLICY readable ON layra.event_type FOR SELECT USING (shared OR layra.reads_runs_of(owner));
SELECT pg_catalog.pg_extension_config_dump('layra.event_type', '');

COMMENT ON TABLE layra.event_type IS
'Schemas of event types.';
COMMENT ON COLUMN layra.event_type.owner IS 'Role in whose runs the schema holds, as text.';
COMMENT ON COLUMN layra.event_type.type IS 'The event type.';
COMMENT ON COLUMN layra.event_type.shared IS 'true: it holds in the runs of every role that has none of its own.';
COMMENT ON COLUMN layra.event_type.schema IS 'JSON Schema of the payload.';
COMMENT ON COLUMN layra.event_type.created_at IS 'Time at which it was first defined.';
COMMENT ON POLICY readable ON layra.event_type IS 'Shared ones, those of owners whose privileges the role has; auditors see all.';
COMMENT ON INDEX layra.event_type_pkey IS 'The schemas of a type.';
COMMENT ON INDEX layra.event_type_shared IS 'The shared schema of a type. Unique: two owners cannot share one type.';
