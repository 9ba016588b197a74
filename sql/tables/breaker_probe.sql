-- The probe permit is a row of its own, so that a definition does not wait for a probe.
CREATE TABLE layra.breaker_probe (
    owner    text COLLATE "C" NOT NULL,
    name     text COLLATE "C" NOT NULL,
    probe_at timestamptz,
    probe_by text,
    PRIMARY KEY (name, owner)
);

ALTER TABLE layra.breaker_probe ENABLE ROW LEVEL SECURITY;
CREATE POLICY readable ON layra.breaker_probe FOR SELECT USING (layra.reads_runs_of(owner));
SELECT pg_catalog.pg_extension_config_dump('layra.breaker_probe', '');

COMMENT ON TABLE layra.breaker_probe IS
'The probe permit of each breaker: a row that breaker_try takes with SKIP LOCKED, so that exactly one caller probes and nobody waits.';
COMMENT ON COLUMN layra.breaker_probe.owner IS 'Role that the breaker belongs to, as text.';
COMMENT ON COLUMN layra.breaker_probe.name IS 'Name of the breaker.';
COMMENT ON COLUMN layra.breaker_probe.probe_at IS 'When the last probe began; NULL: none yet.';
COMMENT ON COLUMN layra.breaker_probe.probe_by IS 'Setting layra.actor of who began it, and whose success closes the breaker; NULL: none was set, anybody''s does.';
COMMENT ON POLICY readable ON layra.breaker_probe IS 'Breakers of owners whose privileges the role has; auditors see all.';
COMMENT ON INDEX layra.breaker_probe_pkey IS 'One row a breaker.';
