-- Failures are rows, so that no call ever waits for another: a success or a reset ends what came before it.
CREATE TABLE layra.breaker_outcome (
    owner   text COLLATE "C" NOT NULL,
    name    text COLLATE "C" NOT NULL,
    at      timestamptz NOT NULL,
    id      uuid NOT NULL,
    outcome text NOT NULL CHECK (outcome IN ('failure', 'success', 'reset')),
    error   jsonb,
    PRIMARY KEY (name, owner, at, id)
);
-- The newest success or reset, however many failures came since.
CREATE INDEX breaker_closed ON layra.breaker_outcome (name, owner, at) WHERE outcome <> 'failure';

ALTER TABLE layra.breaker_outcome ENABLE ROW LEVEL SECURITY;
CREATE POLICY readable ON layra.breaker_outcome FOR SELECT USING (layra.reads_runs_of(owner));
SELECT pg_catalog.pg_extension_config_dump('layra.breaker_outcome', '');

COMMENT ON TABLE layra.breaker_outcome IS
'What was reported to circuit breakers: rows, so that no report waits for another. A success removes what came before it.';
COMMENT ON COLUMN layra.breaker_outcome.owner IS 'Role that the breaker belongs to, as text.';
COMMENT ON COLUMN layra.breaker_outcome.name IS 'The breaker.';
COMMENT ON COLUMN layra.breaker_outcome.at IS 'Its place among the others: the time of the report; of a success just behind the failures that it ends.';
COMMENT ON COLUMN layra.breaker_outcome.id IS 'Tells reports of the same time apart.';
COMMENT ON COLUMN layra.breaker_outcome.outcome IS 'failure, success or reset.';
COMMENT ON COLUMN layra.breaker_outcome.error IS 'What was reported with a failure.';
COMMENT ON POLICY readable ON layra.breaker_outcome IS 'Reports to breakers of owners whose privileges the role has; auditors see all.';
COMMENT ON INDEX layra.breaker_outcome_pkey IS 'The reports to a breaker by time.';
COMMENT ON INDEX layra.breaker_closed IS 'The newest success or reset of a breaker, however many failures came since.';
