-- What is left of runs that are gone: one row each, only ever inserted. Nothing in here refers to a run, so no rollback and no
-- drop of a later one removes any of it.

CREATE TABLE layra.seal (
    run_id           text COLLATE "C" NOT NULL,
    number           bigint NOT NULL,
    what             text NOT NULL CHECK (what IN ('dropped', 'imported')),
    owner            text NOT NULL,
    workflow         text,
    workflow_version integer,
    first_version    bigint NOT NULL,
    last_version     bigint NOT NULL,
    head_hash        bytea NOT NULL,
    events           bigint NOT NULL,
    cells            bigint NOT NULL,
    bytes            bigint NOT NULL,
    at               timestamptz NOT NULL,
    actor            text NOT NULL,
    on_behalf_of     text,
    reason           text,
    previous         bytea,
    hash             bytea NOT NULL,
    PRIMARY KEY (run_id, number)
);
CREATE INDEX seal_owner ON layra.seal (owner, run_id, number);
CREATE INDEX seal_at ON layra.seal (at);
SELECT pg_catalog.pg_extension_config_dump('layra.seal', '');

ALTER TABLE layra.seal ENABLE ROW LEVEL SECURITY;
CREATE POLICY readable ON layra.seal FOR SELECT USING (layra.reads_runs_of(owner));

COMMENT ON TABLE layra.seal IS
'What is left of runs that are gone: a row each, only ever inserted. docs/hash-chain.md says how the hashes are made.';
COMMENT ON COLUMN layra.seal.run_id IS 'The run that is gone; a later one may have its id.';
COMMENT ON COLUMN layra.seal.number IS '1 for the first seal of that run id, then 2, 3, ...';
COMMENT ON COLUMN layra.seal.what IS 'What became of the run: dropped; or imported, as it was up to last_version.';
COMMENT ON COLUMN layra.seal.owner IS 'Role that the run belonged to, as text: who reads its runs reads the seal.';
COMMENT ON COLUMN layra.seal.workflow IS 'Name of the workflow that the run used; NULL: none.';
COMMENT ON COLUMN layra.seal.workflow_version IS 'Version of that workflow.';
COMMENT ON COLUMN layra.seal.first_version IS 'First version that was removed.';
COMMENT ON COLUMN layra.seal.last_version IS 'Last version that was removed.';
COMMENT ON COLUMN layra.seal.head_hash IS 'Hash of the event at the last version, as digest gave it, 32 bytes.';
COMMENT ON COLUMN layra.seal.events IS 'Events that were removed.';
COMMENT ON COLUMN layra.seal.cells IS 'Rows of cells that were removed.';
COMMENT ON COLUMN layra.seal.bytes IS 'Bytes of their payloads and values, as they were stored.';
COMMENT ON COLUMN layra.seal.at IS 'Time of the removal, never earlier than the last event.';
COMMENT ON COLUMN layra.seal.actor IS 'Role that made the call.';
COMMENT ON COLUMN layra.seal.on_behalf_of IS 'Setting layra.actor at that moment: whom the session said that it acts for. A claim, not a proof.';
COMMENT ON COLUMN layra.seal.reason IS 'Why, as the caller said; NULL: nothing was said.';
COMMENT ON COLUMN layra.seal.previous IS 'Hash of the seal before of the same run id, 32 bytes; NULL: there is none.';
COMMENT ON COLUMN layra.seal.hash IS 'BLAKE3 over all other columns, 32 bytes.';
COMMENT ON CONSTRAINT seal_what_check ON layra.seal IS 'What can become of a run.';
COMMENT ON INDEX layra.seal_pkey IS 'The seals of a run id in order, and the newest.';
COMMENT ON INDEX layra.seal_owner IS 'The seals of an owner, for row security.';
COMMENT ON INDEX layra.seal_at IS 'The newest seals.';
COMMENT ON POLICY readable ON layra.seal IS 'A role sees the seals whose owner''s privileges it has; auditors see all.';
