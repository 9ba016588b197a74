CREATE TABLE layra.cell (
    run_id   text COLLATE "C" NOT NULL,
    scope    text COLLATE "C" NOT NULL,
    key      text COLLATE "C" NOT NULL,
    ordinal  bigint NOT NULL,
    version  bigint NOT NULL,
    revision bigint NOT NULL,
    value    jsonb,
    hash     bytea,
    base     bigint,
    PRIMARY KEY (run_id, scope, key, ordinal, version),
    -- The states that docs/execution.md draws; an error only where a node failed, an output only where it completed.
    CONSTRAINT cell_node CHECK (scope <> 'node' OR value IS NULL OR (
        COALESCE(value ->> 'status', '') IN ('pending', 'running', 'completed', 'failed', 'skipped')
        AND (NOT value ? 'error' OR value ->> 'status' = 'failed')
        AND (NOT value ? 'output' OR value ->> 'status' = 'completed'))),
    CONSTRAINT cell_loop CHECK (scope <> 'loop' OR value IS NULL OR COALESCE(pg_catalog.jsonb_typeof(value -> 'index'), '') = 'number')
);

ALTER TABLE layra.cell ENABLE ROW LEVEL SECURITY;
CREATE POLICY readable ON layra.cell FOR SELECT USING (layra.reads_run(run_id));
SELECT pg_catalog.pg_extension_config_dump('layra.cell', '');

COMMENT ON TABLE layra.cell IS
'The state: one row per change of one slot (scope, key, ordinal) of a run, only ever inserted. The state at version V is the newest row up to V of each. Read it with functions and views: how value is stored may change.';
COMMENT ON COLUMN layra.cell.run_id IS 'The run.';
COMMENT ON COLUMN layra.cell.scope IS 'variable, node, loop, context or engine.';
COMMENT ON COLUMN layra.cell.key IS 'Name of the variable, id of the node or loop, or name of the engine''s field.';
COMMENT ON COLUMN layra.cell.ordinal IS 'Entry of a node''s context, from 0; -1 counts its entries. 0 in every other scope.';
COMMENT ON COLUMN layra.cell.version IS 'Version of the run that set this value.';
COMMENT ON COLUMN layra.cell.revision IS 'Number of changes of this cell so far, from 1.';
COMMENT ON COLUMN layra.cell.value IS 'The value, or, where base is set, what changed since the row before; NULL: unset in this version.';
COMMENT ON COLUMN layra.cell.hash IS 'BLAKE3 of the value''s JSON text, 32 bytes; NULL: unset.';
COMMENT ON COLUMN layra.cell.base IS 'NULL: the value is whole. Else the version of the row whose whole value the changes since then apply to.';
COMMENT ON POLICY readable ON layra.cell IS 'Cells of the runs that the role sees.';
COMMENT ON CONSTRAINT cell_node ON layra.cell IS 'The states of a node; only a failed one has an error, only a completed one an output.';
COMMENT ON CONSTRAINT cell_loop ON layra.cell IS 'A loop has an index.';
COMMENT ON INDEX layra.cell_pkey IS 'The rows of a cell by version, and the distinct cells of a run by skipping from one to the next.';
