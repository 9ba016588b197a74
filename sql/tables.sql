-- Every table is a plain member table: no triggers, no sequences, no foreign keys. Keys that belong to a run start with
-- run_id, so that a distributed engine can route every statement. Collation "C": names compare as octets, on any machine.

CREATE TABLE layra.run (
    run_id           text COLLATE "C" PRIMARY KEY CHECK (run_id <> ''),
    status           text NOT NULL CHECK (status IN ('running', 'paused', 'cancelling', 'completed', 'failed', 'cancelled')),
    owner            text NOT NULL,
    workflow_owner   text,
    workflow         text,
    workflow_version integer,
    definition_hash  bytea CHECK (pg_catalog.octet_length(definition_hash) = 32),
    parent_run_id    text COLLATE "C",
    parent_version   bigint,
    metadata         jsonb NOT NULL DEFAULT '{}',
    result           jsonb,
    created_at       timestamptz NOT NULL,
    finished_at      timestamptz,
    CONSTRAINT run_finished_at CHECK ((finished_at IS NOT NULL) = (status IN ('completed', 'failed', 'cancelled'))),
    CONSTRAINT run_result CHECK (finished_at IS NOT NULL OR result IS NULL),
    CONSTRAINT run_workflow CHECK ((workflow IS NULL) = (workflow_version IS NULL)
       AND (workflow IS NULL) = (workflow_owner IS NULL)
       AND (workflow IS NULL) = (definition_hash IS NULL)),
    -- A version without a run: the parent is gone, and what is inherited from it is in layra.inheritance.
    CONSTRAINT run_parent_version CHECK (parent_run_id IS NULL OR parent_version IS NOT NULL)
);
-- In the order in which a run that is dropped locks its forks. PostgreSQL evaluates format_3() when a session plans its first
-- statement on the table, and never again: that of an older release, whose library has no such function, ends there.
CREATE INDEX run_parent ON layra.run (parent_run_id, run_id) WHERE parent_run_id IS NOT NULL AND layra.format_3();

-- The runs of a role, for row security. Owners hardly ever change, so updates of a run stay on its page.
CREATE INDEX run_owner ON layra.run (owner);

-- As few CHECKs on event and cell as can be: PostgreSQL reads and compiles a table's expressions anew for each statement,
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

CREATE TABLE layra.cell (
    run_id   text COLLATE "C" NOT NULL,
    scope    text COLLATE "C" NOT NULL,
    key      text COLLATE "C" NOT NULL,
    ordinal  bigint NOT NULL,
    version  bigint NOT NULL,
    revision bigint NOT NULL,
    value    jsonb,
    hash     bytea,
    base     bigint,
    PRIMARY KEY (run_id, scope, key, ordinal, version)
);

CREATE TABLE layra.checkpoint (
    run_id     text COLLATE "C" NOT NULL,
    version    bigint NOT NULL,
    kind       text NOT NULL,
    label      text COLLATE "C",
    protected  boolean NOT NULL DEFAULT false,
    metadata   jsonb NOT NULL DEFAULT '{}',
    created_at timestamptz NOT NULL,
    PRIMARY KEY (run_id, version),
    UNIQUE (run_id, label)
);
CREATE INDEX checkpoint_protected ON layra.checkpoint (run_id, version) WHERE protected;

-- What is left of a run that was dropped while it had forks, once for all of them: the uses of its idempotency keys, and under
-- the key '' its rollbacks, and the version 0 for the run itself. It has no name any more: a run of the same name is another one.
CREATE TABLE layra.bequeathed_key (
    source          uuid NOT NULL,
    idempotency_key text COLLATE "C" NOT NULL,
    version         bigint NOT NULL,
    type            text NOT NULL,
    to_version      bigint,
    PRIMARY KEY (source, idempotency_key, version)
);
CREATE TABLE layra.inheritance (
    run_id   text COLLATE "C" NOT NULL,
    source   uuid NOT NULL,
    version  bigint NOT NULL,
    distance bigint NOT NULL DEFAULT 1,
    PRIMARY KEY (run_id, source)
);
CREATE INDEX inheritance_source ON layra.inheritance (source);
-- Before version 0.3.0 each fork had these keys itself: nothing is added any more, but by the restore of an older dump.
CREATE TABLE layra.inherited_key (
    run_id          text COLLATE "C" NOT NULL,
    idempotency_key text COLLATE "C" NOT NULL,
    type            text NOT NULL,
    PRIMARY KEY (run_id, idempotency_key)
);

CREATE TABLE layra.workflow (
    owner      text COLLATE "C" NOT NULL,
    name       text COLLATE "C" NOT NULL,
    version    integer NOT NULL CHECK (version >= 1),
    shared     boolean NOT NULL DEFAULT false,
    definition jsonb NOT NULL,
    hash       bytea NOT NULL CHECK (pg_catalog.octet_length(hash) = 32),
    created_at timestamptz NOT NULL,
    PRIMARY KEY (owner, name, version)
);
CREATE UNIQUE INDEX workflow_shared ON layra.workflow (name, version) WHERE shared;
CREATE UNIQUE INDEX workflow_hash ON layra.workflow (owner, name, hash);

CREATE TABLE layra.graph (
    owner text COLLATE "C" NOT NULL,
    hash  bytea NOT NULL CHECK (pg_catalog.octet_length(hash) = 32),
    nodes jsonb,
    edges jsonb,
    -- Two transactions that store the same graph at the same time each keep a row of their own: neither waits.
    xact  xid8 NOT NULL DEFAULT pg_catalog.pg_current_xact_id(),
    PRIMARY KEY (owner, hash, xact)
);

CREATE TABLE layra.access (
    level text COLLATE "C" NOT NULL CHECK (level IN ('writer', 'auditor', 'admin')),
    role  text NOT NULL,
    PRIMARY KEY (level, role)
);

SELECT pg_catalog.pg_extension_config_dump('layra.run', '');
SELECT pg_catalog.pg_extension_config_dump('layra.event', '');
SELECT pg_catalog.pg_extension_config_dump('layra.cell', '');
SELECT pg_catalog.pg_extension_config_dump('layra.checkpoint', '');
SELECT pg_catalog.pg_extension_config_dump('layra.inherited_key', '');
SELECT pg_catalog.pg_extension_config_dump('layra.bequeathed_key', '');
SELECT pg_catalog.pg_extension_config_dump('layra.inheritance', '');
SELECT pg_catalog.pg_extension_config_dump('layra.workflow', '');
SELECT pg_catalog.pg_extension_config_dump('layra.graph', '');
SELECT pg_catalog.pg_extension_config_dump('layra.access', '');

-- lz4 inserts 5.5 KB values four times as fast as pglz; not every server is built with it.
DO $$
BEGIN
    ALTER TABLE layra.cell ALTER COLUMN value SET COMPRESSION lz4;
    ALTER TABLE layra.event ALTER COLUMN payload SET COMPRESSION lz4;
    ALTER TABLE layra.graph ALTER COLUMN nodes SET COMPRESSION lz4, ALTER COLUMN edges SET COMPRESSION lz4;
    ALTER TABLE layra.workflow ALTER COLUMN definition SET COMPRESSION lz4;
EXCEPTION WHEN feature_not_supported THEN
    NULL;
END
$$;
