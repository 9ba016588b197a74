CREATE VIEW layra.seals WITH (security_invoker) AS
SELECT s.run_id, s.number, s.what, s.at, s.actor, s.on_behalf_of, s.reason, s.owner, s.workflow, s.workflow_version,
    s.first_version, s.last_version, s.events, s.cells, s.bytes,
    pg_catalog.encode(s.head_hash, 'hex') AS head_hash, pg_catalog.encode(s.hash, 'hex') AS hash
FROM layra.seal s;

COMMENT ON VIEW layra.seals IS
'What is left of the runs that are gone.
The seals of those that the caller could read. Page it by at: ORDER BY at DESC LIMIT 100.';
COMMENT ON COLUMN layra.seals.run_id IS 'The run that is gone; a later one may have its id.';
COMMENT ON COLUMN layra.seals.number IS '1 for the first seal of that run id, then 2, 3, ...';
COMMENT ON COLUMN layra.seals.what IS 'What became of the run: dropped; or imported, as it was up to last_version.';
COMMENT ON COLUMN layra.seals.at IS 'Time of the removal.';
COMMENT ON COLUMN layra.seals.actor IS 'Role that made the call.';
COMMENT ON COLUMN layra.seals.on_behalf_of IS 'Whom the session said that it acts for. A claim, not a proof.';
COMMENT ON COLUMN layra.seals.reason IS 'Why, as the caller said; NULL: nothing was said.';
COMMENT ON COLUMN layra.seals.owner IS 'Role that the run belonged to.';
COMMENT ON COLUMN layra.seals.workflow IS 'Name of the workflow that the run used; NULL: none.';
COMMENT ON COLUMN layra.seals.workflow_version IS 'Version of that workflow.';
COMMENT ON COLUMN layra.seals.first_version IS 'First version that was removed.';
COMMENT ON COLUMN layra.seals.last_version IS 'Last version that was removed.';
COMMENT ON COLUMN layra.seals.events IS 'Events that were removed.';
COMMENT ON COLUMN layra.seals.cells IS 'Rows of cells that were removed.';
COMMENT ON COLUMN layra.seals.bytes IS 'Bytes of their payloads and values, as they were stored.';
COMMENT ON COLUMN layra.seals.head_hash IS 'Hash of the run''s last event, as digest gave it: 64 hexadecimal digits.';
COMMENT ON COLUMN layra.seals.hash IS 'Hash of the seal, 64 hexadecimal digits. The first event of a later run of that id has it.';
