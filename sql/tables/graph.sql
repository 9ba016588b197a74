CREATE TABLE layra.graph (
    owner text COLLATE "C" NOT NULL,
    hash  bytea NOT NULL CHECK (pg_catalog.octet_length(hash) = 32),
    nodes jsonb,
    edges jsonb,
    -- Two transactions that store the same graph at the same time each keep a row of their own: neither waits.
    xact  xid8 NOT NULL DEFAULT pg_catalog.pg_current_xact_id(),
    PRIMARY KEY (owner, hash, xact)
);

ALTER TABLE layra.graph ENABLE ROW LEVEL SECURITY;
CREATE POLICY readable ON layra.graph FOR SELECT USING (layra.reads_runs_of(owner));
SELECT pg_catalog.pg_extension_config_dump('layra.graph', '');

COMMENT ON TABLE layra.graph IS
'Nodes and edges that runs use, stored once for each owner and content; the run''s engine cell layra.graph refers to them.';
COMMENT ON COLUMN layra.graph.owner IS 'Role whose runs use it, as text.';
COMMENT ON COLUMN layra.graph.hash IS 'BLAKE3 of the JSON texts of nodes and edges with a line feed between them, 32 bytes.';
COMMENT ON COLUMN layra.graph.nodes IS 'JSON array; NULL: the definition or document had none.';
COMMENT ON COLUMN layra.graph.edges IS 'JSON array; NULL: the definition or document had none.';
COMMENT ON COLUMN layra.graph.xact IS 'The transaction that stored it: two that do so at the same time keep a row each.';
COMMENT ON POLICY readable ON layra.graph IS 'Graphs of owners whose privileges the role has; auditors see all.';
COMMENT ON INDEX layra.graph_pkey IS 'A graph by owner and content.';
