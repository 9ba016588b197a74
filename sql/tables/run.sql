CREATE TABLE layra.run (
    run_id           text COLLATE "C" PRIMARY KEY CHECK (run_id <> ''),
    status           text NOT NULL CHECK (status IN ('running', 'paused', 'cancelling', 'completed', 'failed', 'cancelled')),
    owner            text NOT NULL,
    workflow_owner   text,
    workflow         text,
    workflow_version integer,
    definition_hash  bytea CHECK (pg_catalog.octet_length(definition_hash) = 32),
    parent_run_id    text COLLATE "C",
    parent_version   bigint,
    metadata         jsonb NOT NULL DEFAULT '{}',
    result           jsonb,
    created_at       timestamptz NOT NULL,
    finished_at      timestamptz,
    hold             text,
    CONSTRAINT run_finished_at CHECK ((finished_at IS NOT NULL) = (status IN ('completed', 'failed', 'cancelled'))),
    CONSTRAINT run_result CHECK (finished_at IS NOT NULL OR result IS NULL),
    CONSTRAINT run_workflow CHECK ((workflow IS NULL) = (workflow_version IS NULL)
       AND (workflow IS NULL) = (workflow_owner IS NULL)
       AND (workflow IS NULL) = (definition_hash IS NULL)),
    -- A version without a run: the parent is gone, and what is inherited from it is in layra.inheritance.
    CONSTRAINT run_parent_version CHECK (parent_run_id IS NULL OR parent_version IS NOT NULL)
);
-- In the order in which a run that is dropped locks its forks. PostgreSQL evaluates format_3() when a session plans its first
-- statement on the table, and never again: that of an older release, whose library has no such function, ends there.
CREATE INDEX run_parent ON layra.run (parent_run_id, run_id) WHERE parent_run_id IS NOT NULL AND layra.format_3();
-- The runs of a role, for row security and for heads. Owners hardly ever change, so updates of a run stay on its page.
CREATE INDEX run_owner ON layra.run (owner, run_id);
CREATE INDEX run_running ON layra.run (owner, run_id) WHERE status = ANY ('{running,paused}'::text[]);

ALTER TABLE layra.run ENABLE ROW LEVEL SECURITY;
CREATE POLICY readable ON layra.run FOR SELECT USING (layra.reads_runs_of(owner));
SELECT pg_catalog.pg_extension_config_dump('layra.run', '');

COMMENT ON TABLE layra.run IS
'One row per run. It changes only when status or owner do; versions are in layra.event. Read layra.runs for both.';
COMMENT ON COLUMN layra.run.run_id IS 'Name of the run, given by its caller: 1 to 255 characters.';
COMMENT ON COLUMN layra.run.status IS 'running, paused (somebody was asked), cancelling, completed, failed or cancelled; the last three are final but for reopen_run.';
COMMENT ON COLUMN layra.run.owner IS 'Role that the run belongs to, as text: a role that was dropped leaves a run that only superusers change.';
COMMENT ON COLUMN layra.run.workflow_owner IS 'Owner of the workflow definition that the run uses; NULL: it has none.';
COMMENT ON COLUMN layra.run.workflow IS 'Name of that workflow.';
COMMENT ON COLUMN layra.run.workflow_version IS 'Version of that workflow.';
COMMENT ON COLUMN layra.run.definition_hash IS 'BLAKE3 of the definition''s JSON text: a definition that was changed afterwards is refused.';
COMMENT ON COLUMN layra.run.parent_run_id IS 'Run that this one was forked from; NULL: none, or it was dropped.';
COMMENT ON COLUMN layra.run.parent_version IS 'Version of the parent that the fork began with; 0: the parent was dropped.';
COMMENT ON COLUMN layra.run.metadata IS 'JSON object given when the run was started.';
COMMENT ON COLUMN layra.run.result IS 'JSON value given to finish_run; NULL while the run is not finished.';
COMMENT ON COLUMN layra.run.created_at IS 'Time of the first event.';
COMMENT ON COLUMN layra.run.finished_at IS 'Time of finish_run; NULL while the run is not finished.';
COMMENT ON COLUMN layra.run.hold IS 'Why somebody holds the run, which is then never dropped; NULL: nobody does.';
COMMENT ON CONSTRAINT run_status_check ON layra.run IS 'The statuses that a run can have.';
COMMENT ON CONSTRAINT run_finished_at ON layra.run IS 'A finished run has the time at which it was finished, and no other has one.';
COMMENT ON CONSTRAINT run_result ON layra.run IS 'Only a finished run has a result.';
COMMENT ON CONSTRAINT run_workflow ON layra.run IS 'A run has a workflow''s owner, name, version and hash, or none of them.';
COMMENT ON CONSTRAINT run_parent_version ON layra.run IS 'A fork has a parent and a version of it; one whose parent was dropped has the version 0 alone.';
COMMENT ON POLICY readable ON layra.run IS 'A role sees the runs whose owner''s privileges it has; auditors see all.';
COMMENT ON INDEX layra.run_pkey IS 'A run by its name.';
COMMENT ON INDEX layra.run_running IS 'The running and paused runs of each owner, for stale_runs.';
COMMENT ON INDEX layra.run_owner IS 'The runs of an owner in order, for row security and heads.';
COMMENT ON INDEX layra.run_parent IS 'The forks of a run, for drop_run.';
