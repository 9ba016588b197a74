CREATE VIEW layra.breakers WITH (security_invoker) AS
SELECT b.owner, b.name, s.state, s.failures, s.opened_at, b.failure_threshold, b.reset_after, b.probe_lease, s.last_error
FROM layra.breaker b CROSS JOIN LATERAL layra.breaker_state(b.owner, b.name) s;

COMMENT ON VIEW layra.breakers IS
'The circuit breakers that the caller may see, with their state.';
COMMENT ON COLUMN layra.breakers.owner IS 'Role that it belongs to.';
COMMENT ON COLUMN layra.breakers.name IS 'Name, unique per owner.';
COMMENT ON COLUMN layra.breakers.state IS 'closed, open or half_open.';
COMMENT ON COLUMN layra.breakers.failures IS 'Failures since the last success, counted up to the threshold.';
COMMENT ON COLUMN layra.breakers.opened_at IS 'Time of the last failure, while it is not closed.';
COMMENT ON COLUMN layra.breakers.failure_threshold IS 'Failures without a success that open it.';
COMMENT ON COLUMN layra.breakers.reset_after IS 'How long it stays open after the last failure.';
COMMENT ON COLUMN layra.breakers.probe_lease IS 'How long the one that tries again has to report.';
COMMENT ON COLUMN layra.breakers.last_error IS 'What was reported with the last failure.';
