CREATE TABLE layra.inheritance (
    run_id   text COLLATE "C" NOT NULL,
    source   uuid NOT NULL,
    version  bigint NOT NULL,
    distance bigint NOT NULL DEFAULT 1,
    PRIMARY KEY (run_id, source)
);
CREATE INDEX inheritance_source ON layra.inheritance (source);

ALTER TABLE layra.inheritance ENABLE ROW LEVEL SECURITY;
CREATE POLICY readable ON layra.inheritance FOR SELECT USING (layra.reads_run(run_id));
SELECT pg_catalog.pg_extension_config_dump('layra.inheritance', '');

COMMENT ON TABLE layra.inheritance IS
'The dropped runs that a fork comes from: their idempotency keys count as used in its version 1.';
COMMENT ON COLUMN layra.inheritance.run_id IS 'The fork.';
COMMENT ON COLUMN layra.inheritance.source IS 'The dropped run, in layra.bequeathed_key.';
COMMENT ON COLUMN layra.inheritance.version IS 'Version of the dropped run up to which its history is the fork''s.';
COMMENT ON COLUMN layra.inheritance.distance IS '1 for the dropped run that is nearest to the fork, more for those that it comes from in turn: of the uses of a key the nearest counts.';
COMMENT ON POLICY readable ON layra.inheritance IS 'Those of the runs that the role sees.';
COMMENT ON INDEX layra.inheritance_pkey IS 'What a fork inherits from.';
COMMENT ON INDEX layra.inheritance_source IS 'The forks that come from a dropped run, for drop_run.';
