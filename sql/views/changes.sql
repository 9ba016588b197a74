-- The cells that events changed, as the log names them: their rows are found by the primary key.
CREATE VIEW layra.changes WITH (security_invoker) AS
SELECT r.run_id, e.version, c.scope, c.key, c.ordinal, c.old, c.new, e.type,
    e.actor OPERATOR(pg_catalog.||) COALESCE(' for ' OPERATOR(pg_catalog.||) e.on_behalf_of, '') AS who, e.at
FROM layra.run r JOIN layra.event e ON e.run_id OPERATOR(pg_catalog.=) r.run_id AND pg_catalog.cardinality(e.changed) OPERATOR(pg_catalog.>) 0
CROSS JOIN LATERAL layra.changed_cells(e.run_id, e.version) c;

COMMENT ON VIEW layra.changes IS
'What every event changed, one row for each cell.
Read it with WHERE run_id = ''...'' ORDER BY version; it costs the rows that are asked for.';
COMMENT ON COLUMN layra.changes.run_id IS 'The run.';
COMMENT ON COLUMN layra.changes.version IS 'Version of the run.';
COMMENT ON COLUMN layra.changes.scope IS 'variable, node, loop, context or engine.';
COMMENT ON COLUMN layra.changes.key IS 'Name of the variable, id of the node or loop, key of the engine''s field.';
COMMENT ON COLUMN layra.changes.ordinal IS 'Number of the entry of a node''s context; 0 elsewhere.';
COMMENT ON COLUMN layra.changes.old IS 'Value in the version before; NULL: it was not set.';
COMMENT ON COLUMN layra.changes.new IS 'Value in this version; NULL: it was unset.';
COMMENT ON COLUMN layra.changes.type IS 'Type of the event.';
COMMENT ON COLUMN layra.changes.who IS 'Role, and whom it said to act for.';
COMMENT ON COLUMN layra.changes.at IS 'Time of the event.';
