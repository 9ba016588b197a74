-- As few CHECKs on event and cell as can be: PostgreSQL reads and compiles a table's expressions again for each statement,
-- which with one for each column was 476,000 of the 910,000 instructions of a write. Rows come from the functions alone.
CREATE TABLE layra.event (
    run_id                 text COLLATE "C" NOT NULL,
    version                bigint NOT NULL,
    type                   text COLLATE "C" NOT NULL,
    payload                jsonb,
    payload_hash           bytea NOT NULL,
    changed                text[] COLLATE "C" NOT NULL,
    cells_hash             bytea NOT NULL,
    actor                  text NOT NULL,
    on_behalf_of           text,
    at                     timestamptz NOT NULL,
    idempotency_key        text COLLATE "C",
    checkpoint_kind        text,
    checkpoint_label       text,
    hash                   bytea NOT NULL,
    xact                   xid8 NOT NULL DEFAULT pg_catalog.pg_current_xact_id(),
    bytes_since_checkpoint bigint NOT NULL,
    checkpoint_version     bigint,
    PRIMARY KEY (run_id, version)
);
-- Not unique: a key of an undone version counts as unused, so it can stand in the log more than once.
CREATE INDEX event_idempotency_key ON layra.event (run_id, idempotency_key, version) WHERE idempotency_key IS NOT NULL;
-- Which versions are undone, and the status and the interactions at an older version, follow from these few events: by type,
-- as the newest of one type may stand behind any number of others.
CREATE INDEX event_status ON layra.event (run_id, type, version)
    WHERE type = ANY ('{run.finished,run.reopened,run.cancelling,run.rolled_back,interaction.answered,interaction.withdrawn}'::text[]);
-- xact mostly grows with the table, so a block range index costs next to nothing. It is no order of commits, and after a
-- restore the numbers of another server. PostgreSQL has no
-- BRIN operator class for xid8; its generic minmax functions serve any ordered type.
CREATE OPERATOR CLASS layra.xid8_minmax_ops FOR TYPE pg_catalog.xid8 USING brin AS
    OPERATOR 1 pg_catalog.<,
    OPERATOR 2 pg_catalog.<=,
    OPERATOR 3 pg_catalog.=,
    OPERATOR 4 pg_catalog.>=,
    OPERATOR 5 pg_catalog.>,
    FUNCTION 1 pg_catalog.brin_minmax_opcinfo(internal),
    FUNCTION 2 pg_catalog.brin_minmax_add_value(internal, internal, internal, internal),
    FUNCTION 3 pg_catalog.brin_minmax_consistent(internal, internal, internal),
    FUNCTION 4 pg_catalog.brin_minmax_union(internal, internal, internal);
CREATE INDEX event_xact ON layra.event USING brin (xact layra.xid8_minmax_ops);

ALTER TABLE layra.event ENABLE ROW LEVEL SECURITY;
CREATE POLICY readable ON layra.event FOR SELECT USING (layra.reads_run(run_id));
SELECT pg_catalog.pg_extension_config_dump('layra.event', '');

COMMENT ON TABLE layra.event IS
'The log: one row per version of a run, only ever inserted. docs/hash-chain.md says how the hashes are made.';
COMMENT ON COLUMN layra.event.run_id IS 'The run.';
COMMENT ON COLUMN layra.event.version IS 'Position in the run''s log, from 1 without gaps.';
COMMENT ON COLUMN layra.event.type IS 'What happened: run.started, variables.set, ..., or an application''s own type.';
COMMENT ON COLUMN layra.event.payload IS 'Data of the event, any JSON value.';
COMMENT ON COLUMN layra.event.payload_hash IS 'BLAKE3 of the payload''s JSON text, 32 bytes.';
COMMENT ON COLUMN layra.event.changed IS 'Cells that the event changed, as scope/key, for context as context/NODE/ORDINAL; sorted by scope, key and ordinal.';
COMMENT ON COLUMN layra.event.cells_hash IS 'BLAKE3 over those cells and the hashes of their new values, 32 bytes.';
COMMENT ON COLUMN layra.event.actor IS 'Role that made the call.';
COMMENT ON COLUMN layra.event.on_behalf_of IS 'Setting layra.actor at that moment: whom the session said that it acts for. A claim, not a proof.';
COMMENT ON COLUMN layra.event.at IS 'Time of the event, never earlier than the event before.';
COMMENT ON COLUMN layra.event.idempotency_key IS 'Key that the caller gave; the same key can stand here again after a rollback.';
COMMENT ON COLUMN layra.event.checkpoint_kind IS 'Kind of the checkpoint that this event made; NULL: none.';
COMMENT ON COLUMN layra.event.checkpoint_label IS 'Label that this checkpoint was given.';
COMMENT ON COLUMN layra.event.hash IS 'BLAKE3 over the hash of the event before and all fields of this one, 32 bytes.';
COMMENT ON COLUMN layra.event.xact IS 'Transaction that wrote the row, as this server counts them: no order to follow the log by, as a commit can come late, and rows of a restored dump have the numbers of another server. Not part of the hash.';
COMMENT ON COLUMN layra.event.bytes_since_checkpoint IS 'Bytes of JSON text written to the run since its last checkpoint. Not part of the hash.';
COMMENT ON COLUMN layra.event.checkpoint_version IS 'Version of the newest checkpoint up to here; NULL: none yet. Not part of the hash.';
COMMENT ON POLICY readable ON layra.event IS 'Events of the runs that the role sees.';
COMMENT ON OPERATOR CLASS layra.xid8_minmax_ops USING brin IS 'Block range indexes on xid8, for which PostgreSQL has no operator class of its own.';
COMMENT ON OPERATOR FAMILY layra.xid8_minmax_ops USING brin IS 'Of the operator class xid8_minmax_ops.';
COMMENT ON INDEX layra.event_pkey IS 'The log of a run in order, and its newest event.';
COMMENT ON INDEX layra.event_idempotency_key IS 'Uses of an idempotency key in a run. Not unique: a key of an undone version can be used again.';
COMMENT ON INDEX layra.event_status IS 'The few events that change a run''s status, by type: which versions are undone, and what the status was.';
COMMENT ON INDEX layra.event_xact IS 'Events of a range of transactions of this server, in every run; a block range index of a few pages.';
