-- One row per node that was ever begun: its attempt only grows, and nothing restores it. Heartbeats update "until" in
-- place, which no index covers, so they stay on their page.
CREATE TABLE layra.lease (
    run_id  text COLLATE "C" NOT NULL,
    node_id text COLLATE "C" NOT NULL,
    attempt integer NOT NULL CHECK (attempt >= 1),
    worker  text,
    until   timestamptz,
    held    boolean NOT NULL,
    PRIMARY KEY (run_id, node_id),
    CONSTRAINT lease_held_until CHECK (held = (until IS NOT NULL))
) WITH (fillfactor = 70);
CREATE INDEX lease_held ON layra.lease (run_id, node_id) WHERE held;

ALTER TABLE layra.lease ENABLE ROW LEVEL SECURITY;
CREATE POLICY readable ON layra.lease FOR SELECT USING (layra.reads_run(run_id));
SELECT pg_catalog.pg_extension_config_dump('layra.lease', '');

COMMENT ON TABLE layra.lease IS
'The attempts of nodes and who holds them, one row per node that was ever begun. Nothing restores it: attempts never repeat.';
COMMENT ON COLUMN layra.lease.run_id IS 'The run.';
COMMENT ON COLUMN layra.lease.node_id IS 'The node.';
COMMENT ON COLUMN layra.lease.attempt IS 'Its newest attempt, from 1.';
COMMENT ON COLUMN layra.lease.worker IS 'Worker that began this attempt; NULL: it gave no name.';
COMMENT ON COLUMN layra.lease.until IS 'End of the lease; NULL: none holds.';
COMMENT ON COLUMN layra.lease.held IS 'Whether there is a lease, which may have run out.';
COMMENT ON CONSTRAINT lease_held_until ON layra.lease IS 'A lease has an end; a node that is not held has none.';
COMMENT ON POLICY readable ON layra.lease IS 'Leases of the runs that the role sees.';
COMMENT ON INDEX layra.lease_pkey IS 'The attempt of a node.';
COMMENT ON INDEX layra.lease_held IS 'The leases of a run, for recovery.';
