CREATE VIEW layra.variables WITH (security_invoker) AS
SELECT r.run_id, c.key AS name, c.value, c.version, c.revision,
    w.definition OPERATOR(pg_catalog.#>>) ARRAY['variables', c.key, 'group'] AS "group"
FROM layra.run r
CROSS JOIN LATERAL layra.cells(r.run_id, 'variable') c
LEFT JOIN layra.workflow w ON w.owner OPERATOR(pg_catalog.=) r.workflow_owner
    AND w.name OPERATOR(pg_catalog.=) r.workflow AND w.version OPERATOR(pg_catalog.=) r.workflow_version;

COMMENT ON VIEW layra.variables IS
'The variables of a run as they are now.
Read it with WHERE run_id = ''...''.';
COMMENT ON COLUMN layra.variables.run_id IS 'The run.';
COMMENT ON COLUMN layra.variables.name IS 'Name of the variable.';
COMMENT ON COLUMN layra.variables.value IS 'Its value.';
COMMENT ON COLUMN layra.variables.version IS 'Version of the run that last changed it: what expected_variables asks for.';
COMMENT ON COLUMN layra.variables.revision IS 'Number of its changes, from 1.';
COMMENT ON COLUMN layra.variables."group" IS 'Group that the workflow''s definition puts it in; NULL: none.';
