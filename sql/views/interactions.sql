-- The event before is not looked for by closed_version - 1: as that could overflow, it would be computed behind row security, for
-- every event of the run.
CREATE VIEW layra.interactions WITH (security_invoker) AS
SELECT i.run_id, i.id AS interaction, i.node_id, i.status, i.assignee, i.prompt, i.response_schema,
    i.created_at, i.expires_at, i.version, i.closed_version, i.response, i.answered_by, i.answered_for,
    i.created_at AS asked_at,
    (SELECT e.at FROM layra.event e
     WHERE i.status OPERATOR(pg_catalog.=) 'answered' AND e.run_id OPERATOR(pg_catalog.=) i.run_id
       AND e.version OPERATOR(pg_catalog.=) i.closed_version) AS answered_at,
    CASE i.status WHEN 'answered' THEN i.closed_version OPERATOR(pg_catalog.-) 1 END AS approved_version,
    (SELECT pg_catalog.encode(e.hash, 'hex') FROM layra.event e
     WHERE i.status OPERATOR(pg_catalog.=) 'answered' AND e.run_id OPERATOR(pg_catalog.=) i.run_id
       AND e.version OPERATOR(pg_catalog.<) i.closed_version
     ORDER BY e.version DESC LIMIT 1) AS approved_hash
FROM layra.interaction i;

COMMENT ON VIEW layra.interactions IS
'The questions that runs ask people, and the answers.
WHERE status = ''pending'' shows what waits for whom, since when and until when.';
COMMENT ON COLUMN layra.interactions.run_id IS 'The run.';
COMMENT ON COLUMN layra.interactions.interaction IS 'The interaction, for resume_run.';
COMMENT ON COLUMN layra.interactions.node_id IS 'Node that asked.';
COMMENT ON COLUMN layra.interactions.status IS 'pending, answered or withdrawn.';
COMMENT ON COLUMN layra.interactions.assignee IS 'Who may answer: role:NAME, or a name that layra.actor must have; NULL: whoever may change the run.';
COMMENT ON COLUMN layra.interactions.prompt IS 'The question, any JSON value.';
COMMENT ON COLUMN layra.interactions.response_schema IS 'JSON Schema that the answer must satisfy; NULL: any.';
COMMENT ON COLUMN layra.interactions.created_at IS 'Time of the question.';
COMMENT ON COLUMN layra.interactions.expires_at IS 'From then on it cannot be answered; NULL: never.';
COMMENT ON COLUMN layra.interactions.version IS 'Version of the run that asked.';
COMMENT ON COLUMN layra.interactions.closed_version IS 'Version of the run that answered or withdrew it; NULL: it is pending.';
COMMENT ON COLUMN layra.interactions.response IS 'The answer; NULL: none.';
COMMENT ON COLUMN layra.interactions.answered_by IS 'Role that answered.';
COMMENT ON COLUMN layra.interactions.answered_for IS 'Setting layra.actor of the answer: a claim.';
COMMENT ON COLUMN layra.interactions.asked_at IS 'Time of the question, as created_at.';
COMMENT ON COLUMN layra.interactions.answered_at IS 'Time of the answer; NULL: none.';
COMMENT ON COLUMN layra.interactions.approved_version IS 'Version of the run that the answer was given to: the one before closed_version; NULL: no answer.';
COMMENT ON COLUMN layra.interactions.approved_hash IS 'Hash of that version, as digest gave it: with it the state that was approved; NULL: no answer.';
