-- What is left of a run that was dropped while it had forks, once for all of them: the uses of its idempotency keys, and under
-- the key '' its rollbacks, and the version 0 for the run itself. It has no name any more: a run of the same name is another one.
CREATE TABLE layra.bequeathed_key (
    source          uuid NOT NULL,
    idempotency_key text COLLATE "C" NOT NULL,
    version         bigint NOT NULL,
    type            text NOT NULL,
    to_version      bigint,
    PRIMARY KEY (source, idempotency_key, version)
);

ALTER TABLE layra.bequeathed_key ENABLE ROW LEVEL SECURITY;
CREATE POLICY readable ON layra.bequeathed_key FOR SELECT USING (layra.reads_every_run());
SELECT pg_catalog.pg_extension_config_dump('layra.bequeathed_key', '');

COMMENT ON TABLE layra.bequeathed_key IS
'Idempotency keys of runs that were dropped while they had forks, once for all of them. Auditors read it.';
COMMENT ON COLUMN layra.bequeathed_key.source IS 'The dropped run, which has no name any more.';
COMMENT ON COLUMN layra.bequeathed_key.idempotency_key IS 'The key. Empty: a rollback of the dropped run, or the run itself.';
COMMENT ON COLUMN layra.bequeathed_key.version IS 'Version of the dropped run that used the key, or was a rollback; 0 stands for the run itself.';
COMMENT ON COLUMN layra.bequeathed_key.type IS 'Type of that event; run.dropped for the run itself.';
COMMENT ON COLUMN layra.bequeathed_key.to_version IS 'Version that a rollback went back to; NULL: no rollback.';
COMMENT ON POLICY readable ON layra.bequeathed_key IS 'Auditors see all.';
COMMENT ON INDEX layra.bequeathed_key_pkey IS 'The uses of a key in a dropped run, and its rollbacks.';
