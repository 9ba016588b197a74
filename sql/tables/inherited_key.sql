-- Before version 0.3.0 each fork had these keys itself. What is added now comes with a fork that is imported without its parent, or from
-- the restore of an older dump.
CREATE TABLE layra.inherited_key (
    run_id          text COLLATE "C" NOT NULL,
    idempotency_key text COLLATE "C" NOT NULL,
    type            text NOT NULL,
    PRIMARY KEY (run_id, idempotency_key)
);

ALTER TABLE layra.inherited_key ENABLE ROW LEVEL SECURITY;
CREATE POLICY readable ON layra.inherited_key FOR SELECT USING (layra.reads_run(run_id));
SELECT pg_catalog.pg_extension_config_dump('layra.inherited_key', '');

COMMENT ON TABLE layra.inherited_key IS
'Idempotency keys that a fork has from a parent that was dropped before version 0.3.0, or that was not there when the fork was imported.';
COMMENT ON COLUMN layra.inherited_key.run_id IS 'The fork.';
COMMENT ON COLUMN layra.inherited_key.idempotency_key IS 'The key, which counts as used in the fork''s version 1.';
COMMENT ON COLUMN layra.inherited_key.type IS 'Type of the event that the key was used with.';
COMMENT ON POLICY readable ON layra.inherited_key IS 'Keys of the runs that the role sees.';
COMMENT ON INDEX layra.inherited_key_pkey IS 'A key of a fork.';
