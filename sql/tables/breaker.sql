CREATE TABLE layra.breaker (
    owner             text COLLATE "C" NOT NULL,
    name              text COLLATE "C" NOT NULL,
    failure_threshold integer NOT NULL CHECK (failure_threshold >= 1),
    reset_after       interval NOT NULL CHECK (reset_after > '0'),
    probe_lease       interval NOT NULL CHECK (probe_lease > '0'),
    created_at        timestamptz NOT NULL,
    PRIMARY KEY (name, owner)
);
CREATE INDEX breaker_owner ON layra.breaker (owner, name);
CREATE INDEX breaker_age ON layra.breaker (name, created_at, owner);

ALTER TABLE layra.breaker ENABLE ROW LEVEL SECURITY;
CREATE POLICY readable ON layra.breaker FOR SELECT USING (layra.reads_runs_of(owner));
SELECT pg_catalog.pg_extension_config_dump('layra.breaker', '');

COMMENT ON TABLE layra.breaker IS
'Circuit breakers and their settings. Read layra.breakers.';
COMMENT ON COLUMN layra.breaker.owner IS 'Role that it belongs to, as text.';
COMMENT ON COLUMN layra.breaker.name IS 'Name, unique per owner.';
COMMENT ON COLUMN layra.breaker.failure_threshold IS 'Failures without a success that open it.';
COMMENT ON COLUMN layra.breaker.reset_after IS 'How long it stays open after the last failure.';
COMMENT ON COLUMN layra.breaker.probe_lease IS 'How long the one that tries again has to report.';
COMMENT ON COLUMN layra.breaker.created_at IS 'Time at which it was defined.';
COMMENT ON POLICY readable ON layra.breaker IS 'Breakers of owners whose privileges the role has; auditors see all.';
COMMENT ON INDEX layra.breaker_pkey IS 'A breaker by name.';
COMMENT ON INDEX layra.breaker_owner IS 'The breakers of an owner, for row security.';
COMMENT ON INDEX layra.breaker_age IS 'The oldest breaker of a name, for superusers, who may use everybody''s.';
