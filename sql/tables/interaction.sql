CREATE TABLE layra.interaction (
    run_id          text COLLATE "C" NOT NULL,
    id              uuid NOT NULL,
    version         bigint NOT NULL,
    node_id         text NOT NULL,
    status          text NOT NULL CHECK (status IN ('pending', 'answered', 'withdrawn')),
    prompt          jsonb NOT NULL,
    response_schema jsonb,
    assignee        text,
    created_at      timestamptz NOT NULL,
    expires_at      timestamptz,
    closed_version  bigint,
    response        jsonb,
    response_hash   bytea,
    answered_by     text,
    answered_for    text,
    owner           text,
    PRIMARY KEY (run_id, id),
    UNIQUE (run_id, version),
    CONSTRAINT interaction_closed CHECK ((status = 'pending') = (closed_version IS NULL)),
    CONSTRAINT interaction_response CHECK ((status = 'answered') = (response_hash IS NOT NULL)),
    CONSTRAINT interaction_answered_by CHECK ((status = 'answered') = (answered_by IS NOT NULL))
);
-- Those that ran out unanswered stand first, and are skipped.
CREATE INDEX interaction_pending ON layra.interaction (run_id, COALESCE(expires_at, 'infinity'::timestamptz)) WHERE status = 'pending';
CREATE INDEX interaction_closed ON layra.interaction (run_id, closed_version) WHERE closed_version IS NOT NULL;
-- The questions of a role, and those that wait, for row security: who looks for the few that wait need not look at every run.
CREATE INDEX interaction_owner ON layra.interaction (owner);
CREATE INDEX interaction_open ON layra.interaction (owner, run_id) WHERE status = 'pending';

ALTER TABLE layra.interaction ENABLE ROW LEVEL SECURITY;
CREATE POLICY readable ON layra.interaction FOR SELECT
    USING (layra.reads_runs_of(owner) OR (owner IS NULL AND layra.reads_run(run_id)));
SELECT pg_catalog.pg_extension_config_dump('layra.interaction', '');

COMMENT ON TABLE layra.interaction IS
'The questions that runs asked people. Read layra.interactions.';
COMMENT ON COLUMN layra.interaction.run_id IS 'The run.';
COMMENT ON COLUMN layra.interaction.id IS 'The interaction, as pause_run returned it.';
COMMENT ON COLUMN layra.interaction.version IS 'Version of the run that asked.';
COMMENT ON COLUMN layra.interaction.node_id IS 'Node that asked.';
COMMENT ON COLUMN layra.interaction.status IS 'pending, answered or withdrawn.';
COMMENT ON COLUMN layra.interaction.prompt IS 'The question, any JSON value.';
COMMENT ON COLUMN layra.interaction.response_schema IS 'JSON Schema that the answer must satisfy; NULL: any.';
COMMENT ON COLUMN layra.interaction.assignee IS 'Who may answer: role:NAME, or a name that layra.actor must have; NULL: whoever may change the run.';
COMMENT ON COLUMN layra.interaction.created_at IS 'Time of the question.';
COMMENT ON COLUMN layra.interaction.expires_at IS 'From then on it cannot be answered; NULL: never.';
COMMENT ON COLUMN layra.interaction.closed_version IS 'Version of the run that answered or withdrew it; NULL: it is pending.';
COMMENT ON COLUMN layra.interaction.response IS 'The answer; NULL: none.';
COMMENT ON COLUMN layra.interaction.response_hash IS 'BLAKE3 of the answer''s JSON text, 32 bytes, which tell whether an answer is given again.';
COMMENT ON COLUMN layra.interaction.answered_by IS 'Role that answered.';
COMMENT ON COLUMN layra.interaction.answered_for IS 'Setting layra.actor of the answer: a claim.';
COMMENT ON COLUMN layra.interaction.owner IS 'Owner of the run, as layra.run has it; NULL in rows of a dump of version 0.2.0: whose they are is looked up.';
COMMENT ON CONSTRAINT interaction_status_check ON layra.interaction IS 'The states of a question.';
COMMENT ON CONSTRAINT interaction_closed ON layra.interaction IS 'A question waits until a version answers or withdraws it.';
COMMENT ON CONSTRAINT interaction_response ON layra.interaction IS 'An answered question has an answer, and no other has one.';
COMMENT ON CONSTRAINT interaction_answered_by ON layra.interaction IS 'An answered question has somebody who answered it.';
COMMENT ON POLICY readable ON layra.interaction IS 'Interactions of the runs that the role sees.';
COMMENT ON INDEX layra.interaction_pkey IS 'An interaction of a run.';
COMMENT ON INDEX layra.interaction_run_id_version_key IS 'The interaction that a version asked for.';
COMMENT ON INDEX layra.interaction_pending IS 'The questions that wait in a run, by when they expire.';
COMMENT ON INDEX layra.interaction_closed IS 'The questions of a run that were answered or withdrawn, by the version that did it, for rollback.';
COMMENT ON INDEX layra.interaction_owner IS 'The questions in the runs of an owner, for row security.';
COMMENT ON INDEX layra.interaction_open IS 'The questions that wait in the runs of an owner.';
