CREATE VIEW layra.nodes WITH (security_invoker) AS
SELECT r.run_id, c.key AS node_id, c.value OPERATOR(pg_catalog.->>) 'status' AS status, c.value AS details, c.version, c.revision
FROM layra.run r CROSS JOIN LATERAL layra.cells(r.run_id, 'node') c;

COMMENT ON VIEW layra.nodes IS
'The nodes of a run as they are now.
Read it with WHERE run_id = ''...''.';
COMMENT ON COLUMN layra.nodes.run_id IS 'The run.';
COMMENT ON COLUMN layra.nodes.node_id IS 'Id of the node.';
COMMENT ON COLUMN layra.nodes.status IS 'pending, running, completed, failed or skipped.';
COMMENT ON COLUMN layra.nodes.details IS 'The node''s whole cell, a JSON object with its status in it.';
COMMENT ON COLUMN layra.nodes.version IS 'Version of the run that last changed it.';
COMMENT ON COLUMN layra.nodes.revision IS 'Number of its changes, from 1.';
