-- The newest event by a range of the primary key that is that run's: of an equality PostgreSQL expects as many events as runs
-- have on average, and where these are few, it reads all events of a long run and sorts them.
CREATE VIEW layra.runs WITH (security_invoker) AS
SELECT r.run_id, r.status, r.owner, r.workflow, r.workflow_version, e.version, e.at AS last_activity,
    r.created_at, r.finished_at, r.parent_run_id, r.parent_version, r.metadata, r.result, r.hold
FROM layra.run r
CROSS JOIN LATERAL (
    SELECT e.version, e.at FROM layra.event e
    WHERE e.run_id OPERATOR(pg_catalog.>=) r.run_id
      AND ROW(e.run_id, e.version) OPERATOR(pg_catalog.<=) ROW(r.run_id, 9223372036854775807)
    ORDER BY e.run_id DESC, e.version DESC LIMIT 1) e;

COMMENT ON VIEW layra.runs IS
'The runs that the caller may read, with newest version and last activity.
Page it by run_id: WHERE run_id > ''...'' ORDER BY run_id LIMIT 100.';
COMMENT ON COLUMN layra.runs.run_id IS 'Name of the run.';
COMMENT ON COLUMN layra.runs.status IS 'running, paused, cancelling, completed, failed or cancelled.';
COMMENT ON COLUMN layra.runs.owner IS 'Role that the run belongs to.';
COMMENT ON COLUMN layra.runs.workflow IS 'Name of its workflow; NULL: none.';
COMMENT ON COLUMN layra.runs.workflow_version IS 'Version of its workflow.';
COMMENT ON COLUMN layra.runs.version IS 'Newest version of the run.';
COMMENT ON COLUMN layra.runs.last_activity IS 'Time of its newest event.';
COMMENT ON COLUMN layra.runs.created_at IS 'Time of its first event.';
COMMENT ON COLUMN layra.runs.finished_at IS 'Time at which it was finished; NULL: it is not.';
COMMENT ON COLUMN layra.runs.parent_run_id IS 'Run that it was forked from; NULL: none, or it was dropped.';
COMMENT ON COLUMN layra.runs.parent_version IS 'Version of the parent that it began with; 0: the parent was dropped.';
COMMENT ON COLUMN layra.runs.metadata IS 'JSON object given when it was started.';
COMMENT ON COLUMN layra.runs.result IS 'JSON value given to finish_run.';
COMMENT ON COLUMN layra.runs.hold IS 'Why somebody holds the run, which is then never dropped; NULL: nobody does.';
