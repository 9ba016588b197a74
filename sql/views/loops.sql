CREATE VIEW layra.loops WITH (security_invoker) AS
SELECT r.run_id, c.key AS loop_id, c.value OPERATOR(pg_catalog.->) 'index' AS index, c.value AS details, c.version, c.revision
FROM layra.run r CROSS JOIN LATERAL layra.cells(r.run_id, 'loop') c;

COMMENT ON VIEW layra.loops IS
'The loops of a run as they are now.
Read it with WHERE run_id = ''...''.';
COMMENT ON COLUMN layra.loops.run_id IS 'The run.';
COMMENT ON COLUMN layra.loops.loop_id IS 'Id of the loop''s node.';
COMMENT ON COLUMN layra.loops.index IS 'Index of the iteration, a JSON number.';
COMMENT ON COLUMN layra.loops.details IS 'The loop''s whole cell, a JSON object with its index in it.';
COMMENT ON COLUMN layra.loops.version IS 'Version of the run that last changed it.';
COMMENT ON COLUMN layra.loops.revision IS 'Number of its changes, from 1.';
