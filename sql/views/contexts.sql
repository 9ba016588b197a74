CREATE VIEW layra.contexts WITH (security_invoker) AS
SELECT r.run_id, c.key AS node_id, c.ordinal, c.value, c.version
FROM layra.run r CROSS JOIN LATERAL layra.cells(r.run_id, 'context') c;

COMMENT ON VIEW layra.contexts IS
'The context of a run as it is now, one row for each entry of each node.
Read it with WHERE run_id = ''...''.';
COMMENT ON COLUMN layra.contexts.run_id IS 'The run.';
COMMENT ON COLUMN layra.contexts.node_id IS 'Node that the entry is an output of.';
COMMENT ON COLUMN layra.contexts.ordinal IS 'Number of the entry: the newest has the highest. The first is not 0 where older entries were dropped.';
COMMENT ON COLUMN layra.contexts.value IS 'The entry.';
COMMENT ON COLUMN layra.contexts.version IS 'Version of the run that set it.';
