CREATE TABLE layra.checkpoint (
    run_id     text COLLATE "C" NOT NULL,
    version    bigint NOT NULL,
    kind       text NOT NULL,
    label      text COLLATE "C",
    protected  boolean NOT NULL DEFAULT false,
    metadata   jsonb NOT NULL DEFAULT '{}',
    created_at timestamptz NOT NULL,
    PRIMARY KEY (run_id, version),
    UNIQUE (run_id, label)
);
CREATE INDEX checkpoint_protected ON layra.checkpoint (run_id, version) WHERE protected;

ALTER TABLE layra.checkpoint ENABLE ROW LEVEL SECURITY;
CREATE POLICY readable ON layra.checkpoint FOR SELECT USING (layra.reads_run(run_id));
SELECT pg_catalog.pg_extension_config_dump('layra.checkpoint', '');

COMMENT ON TABLE layra.checkpoint IS
'The checkpoints of every run: a version each, with no copy of its state.';
COMMENT ON COLUMN layra.checkpoint.run_id IS 'The run.';
COMMENT ON COLUMN layra.checkpoint.version IS 'Version of the run that the checkpoint is.';
COMMENT ON COLUMN layra.checkpoint.kind IS 'Sort of checkpoint: manual, or what its caller said; time, bytes, milestone and before are made by the policy, human by pause_run.';
COMMENT ON COLUMN layra.checkpoint.label IS 'Name for rollback_to, unique in the run; NULL: it has none, or the label has moved on.';
COMMENT ON COLUMN layra.checkpoint.protected IS 'true: no rollback goes to a version before this one.';
COMMENT ON COLUMN layra.checkpoint.metadata IS 'JSON object given when it was made.';
COMMENT ON COLUMN layra.checkpoint.created_at IS 'Time of the event that made it.';
COMMENT ON POLICY readable ON layra.checkpoint IS 'Checkpoints of the runs that the role sees.';
COMMENT ON INDEX layra.checkpoint_pkey IS 'The checkpoints of a run in order.';
COMMENT ON INDEX layra.checkpoint_run_id_label_key IS 'A checkpoint by its label.';
COMMENT ON INDEX layra.checkpoint_protected IS 'The protected checkpoints after a version, for rollback.';
