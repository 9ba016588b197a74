-- Made by `make sql` from src/ and sql/: do not edit it.

-- bootstrap
-- Runs first: refuses what the extension could not be safe or correct in.
DO $$
BEGIN
    IF pg_catalog.current_setting('server_encoding') <> 'UTF8' THEN
        RAISE EXCEPTION 'layra_state needs a database with encoding UTF8, this one has %',
            pg_catalog.current_setting('server_encoding')
            USING ERRCODE = 'feature_not_supported',
                  HINT = 'CREATE DATABASE ... ENCODING ''UTF8'' TEMPLATE template0; makes one.';
    END IF;
    -- Whoever owns the schema, or may create in it, could plant objects among ours.
    IF EXISTS (
        SELECT FROM pg_catalog.pg_namespace n
        CROSS JOIN LATERAL pg_catalog.aclexplode(
            COALESCE(n.nspacl, pg_catalog.acldefault('n', n.nspowner))) a
        WHERE n.nspname = 'layra' AND a.privilege_type = 'CREATE'
          AND NOT EXISTS (SELECT FROM pg_catalog.pg_roles r WHERE r.oid = a.grantee AND (r.rolsuper OR r.rolname = current_user))
    ) OR EXISTS (
        SELECT FROM pg_catalog.pg_namespace n JOIN pg_catalog.pg_roles r ON r.oid = n.nspowner
        WHERE n.nspname = 'layra' AND NOT r.rolsuper AND r.rolname <> current_user
    ) THEN
        RAISE EXCEPTION 'schema layra belongs to somebody else, or others may create objects in it'
            USING ERRCODE = 'insufficient_privilege',
                  HINT = 'Drop or rename the schema; CREATE EXTENSION layra_state makes its own.';
    END IF;
    IF EXISTS (SELECT FROM pg_catalog.pg_class WHERE relnamespace = 'layra'::pg_catalog.regnamespace)
       OR EXISTS (SELECT FROM pg_catalog.pg_proc WHERE pronamespace = 'layra'::pg_catalog.regnamespace)
       OR EXISTS (SELECT FROM pg_catalog.pg_type WHERE typnamespace = 'layra'::pg_catalog.regnamespace)
       OR EXISTS (SELECT FROM pg_catalog.pg_operator WHERE oprnamespace = 'layra'::pg_catalog.regnamespace) THEN
        RAISE EXCEPTION 'schema layra is not empty'
            USING ERRCODE = 'duplicate_object',
                  HINT = 'Move what is in it to another schema first.';
    END IF;
END
$$;

CREATE FUNCTION "add_validator"(
	"workflow" TEXT,
	"name" TEXT,
	"function" regprocedure
) RETURNS VOID
LANGUAGE c
AS 'MODULE_PATHNAME', 'add_validator_wrapper';


CREATE FUNCTION layra.append_event(run_id text, type text, payload jsonb DEFAULT '{}', updates jsonb DEFAULT NULL,
    expected_version bigint DEFAULT NULL, idempotency_key text DEFAULT NULL) RETURNS bigint
LANGUAGE c AS 'MODULE_PATHNAME', 'append_event_wrapper';

CREATE FUNCTION "append_events"(
	"run_id" TEXT,
	"events" jsonb,
	"expected_version" bigint DEFAULT NULL,
	"idempotency_key" TEXT DEFAULT NULL
) RETURNS bigint
LANGUAGE c
AS 'MODULE_PATHNAME', 'append_events_wrapper';

-- Skipped due to `#[pgrx(sql = false)]`


CREATE FUNCTION layra.begin_node(run_id text, node_id text, worker text DEFAULT NULL, lease interval DEFAULT NULL,
    OUT version bigint, OUT attempt integer, OUT status text, OUT output jsonb) RETURNS record
LANGUAGE c AS 'MODULE_PATHNAME', 'begin_node_row_wrapper';

CREATE FUNCTION "breaker_failure"(
	"name" TEXT,
	"error" jsonb DEFAULT NULL
) RETURNS VOID
LANGUAGE c
AS 'MODULE_PATHNAME', 'breaker_failure_wrapper';

-- Skipped due to `#[pgrx(sql = false)]`


CREATE FUNCTION layra.breaker_state(owner text, name text,
    OUT state text, OUT failures bigint, OUT opened_at timestamptz, OUT last_error jsonb) RETURNS record
STABLE LANGUAGE c AS 'MODULE_PATHNAME', 'breaker_state_row_wrapper';

CREATE FUNCTION "breaker_success"(
	"name" TEXT
) RETURNS VOID
LANGUAGE c
AS 'MODULE_PATHNAME', 'breaker_success_wrapper';

CREATE FUNCTION "breaker_try"(
	"name" TEXT
) RETURNS bool
LANGUAGE c
AS 'MODULE_PATHNAME', 'breaker_try_wrapper';

CREATE FUNCTION "cancel_run"(
	"run_id" TEXT,
	"reason" TEXT DEFAULT NULL,
	"expected_version" bigint DEFAULT NULL,
	"idempotency_key" TEXT DEFAULT NULL
) RETURNS bigint
LANGUAGE c
AS 'MODULE_PATHNAME', 'cancel_run_wrapper';

CREATE FUNCTION "cells"(
	"run_id" TEXT,
	"scope" TEXT DEFAULT NULL,
	"at_version" bigint DEFAULT NULL
) RETURNS TABLE (
	"scope" TEXT,
	"key" TEXT,
	"ordinal" bigint,
	"version" bigint,
	"revision" bigint,
	"value" jsonb
)
STABLE
LANGUAGE c
AS 'MODULE_PATHNAME', 'cells_wrapper';

CREATE FUNCTION "changed_cells"(
	"run_id" TEXT,
	"version" bigint
) RETURNS TABLE (
	"scope" TEXT,
	"key" TEXT,
	"ordinal" bigint,
	"old" jsonb,
	"new" jsonb
)
STABLE
LANGUAGE c
AS 'MODULE_PATHNAME', 'changed_cells_wrapper';

CREATE FUNCTION "checkpoint"(
	"run_id" TEXT,
	"label" TEXT DEFAULT NULL,
	"kind" TEXT DEFAULT 'manual',
	"metadata" jsonb DEFAULT '{}',
	"replace" bool DEFAULT false,
	"expected_version" bigint DEFAULT NULL,
	"idempotency_key" TEXT DEFAULT NULL
) RETURNS bigint
LANGUAGE c
AS 'MODULE_PATHNAME', 'checkpoint_wrapper';

CREATE FUNCTION "complete_node"(
	"run_id" TEXT,
	"node_id" TEXT,
	"output" jsonb DEFAULT NULL,
	"updates" jsonb DEFAULT NULL,
	"attempt" INT DEFAULT NULL,
	"expected_version" bigint DEFAULT NULL,
	"idempotency_key" TEXT DEFAULT NULL
) RETURNS bigint
LANGUAGE c
AS 'MODULE_PATHNAME', 'complete_node_wrapper';

CREATE FUNCTION "context"(
	"run_id" TEXT,
	"node_id" TEXT DEFAULT NULL,
	"last" INT DEFAULT NULL
) RETURNS TABLE (
	"node_id" TEXT,
	"ordinal" bigint,
	"value" jsonb,
	"version" bigint,
	"bytes" INT
)
STABLE
LANGUAGE c
AS 'MODULE_PATHNAME', 'context_wrapper';

CREATE FUNCTION "define_breaker"(
	"name" TEXT,
	"failure_threshold" INT DEFAULT 5,
	"reset_after" interval DEFAULT '30 seconds',
	"probe_lease" interval DEFAULT '30 seconds'
) RETURNS VOID
LANGUAGE c
AS 'MODULE_PATHNAME', 'define_breaker_wrapper';


CREATE FUNCTION layra.define_event_type(type text, schema jsonb, shared boolean DEFAULT false) RETURNS void
LANGUAGE c AS 'MODULE_PATHNAME', 'define_event_type_wrapper';

CREATE FUNCTION "define_workflow"(
	"name" TEXT,
	"definition" jsonb,
	"shared" bool DEFAULT false
) RETURNS INT
LANGUAGE c
AS 'MODULE_PATHNAME', 'define_workflow_wrapper';

CREATE FUNCTION "diff"(
	"run_id" TEXT,
	"from_version" bigint,
	"to_version" bigint DEFAULT NULL
) RETURNS TABLE (
	"scope" TEXT,
	"key" TEXT,
	"ordinal" bigint,
	"op" TEXT,
	"old_value" jsonb,
	"new_value" jsonb
)
STABLE
LANGUAGE c
AS 'MODULE_PATHNAME', 'diff_wrapper';

CREATE FUNCTION "digest"(
	"run_id" TEXT DEFAULT NULL
) RETURNS TEXT
STABLE
LANGUAGE c
AS 'MODULE_PATHNAME', 'digest_wrapper';

-- Skipped due to `#[pgrx(sql = false)]`

CREATE FUNCTION "drop_run"(
	"run_id" TEXT,
	"reason" TEXT DEFAULT NULL
) RETURNS VOID

LANGUAGE c
AS 'MODULE_PATHNAME', 'drop_run_sealed_wrapper';

CREATE FUNCTION "enter_loop"(
	"run_id" TEXT,
	"loop_id" TEXT,
	"max_iterations" INT DEFAULT NULL,
	"expected_version" bigint DEFAULT NULL,
	"idempotency_key" TEXT DEFAULT NULL
) RETURNS bigint
LANGUAGE c
AS 'MODULE_PATHNAME', 'enter_loop_wrapper';

CREATE FUNCTION "events"(
	"run_id" TEXT,
	"after_version" bigint DEFAULT 0,
	"batch_size" INT DEFAULT 1000,
	"types" text[] DEFAULT NULL
) RETURNS TABLE (
	"version" bigint,
	"type" TEXT,
	"payload" jsonb,
	"changed" TEXT[],
	"actor" TEXT,
	"on_behalf_of" TEXT,
	"at" timestamp with time zone
)
STABLE
LANGUAGE c
AS 'MODULE_PATHNAME', 'events_wrapper';

CREATE FUNCTION "exit_loop"(
	"run_id" TEXT,
	"loop_id" TEXT,
	"expected_version" bigint DEFAULT NULL,
	"idempotency_key" TEXT DEFAULT NULL
) RETURNS bigint
LANGUAGE c
AS 'MODULE_PATHNAME', 'exit_loop_wrapper';

CREATE FUNCTION "explain_run"(
	"run_id" TEXT
) RETURNS SETOF TEXT
STABLE
LANGUAGE c
AS 'MODULE_PATHNAME', 'explain_run_wrapper';

CREATE FUNCTION "export_run"(
	"run_id" TEXT
) RETURNS SETOF jsonb
STABLE
LANGUAGE c
AS 'MODULE_PATHNAME', 'export_run_wrapper';

CREATE FUNCTION "fail_node"(
	"run_id" TEXT,
	"node_id" TEXT,
	"error" jsonb,
	"attempt" INT DEFAULT NULL,
	"expected_version" bigint DEFAULT NULL,
	"idempotency_key" TEXT DEFAULT NULL
) RETURNS bigint
LANGUAGE c
AS 'MODULE_PATHNAME', 'fail_node_wrapper';

CREATE FUNCTION "finish_run"(
	"run_id" TEXT,
	"status" TEXT DEFAULT 'completed',
	"result" jsonb DEFAULT NULL,
	"expected_version" bigint DEFAULT NULL,
	"idempotency_key" TEXT DEFAULT NULL
) RETURNS bigint
LANGUAGE c
AS 'MODULE_PATHNAME', 'finish_run_wrapper';

CREATE FUNCTION "fork_run"(
	"run_id" TEXT,
	"new_run_id" TEXT,
	"at_version" bigint DEFAULT NULL,
	"idempotency_key" TEXT DEFAULT NULL
) RETURNS bigint
LANGUAGE c
AS 'MODULE_PATHNAME', 'fork_run_wrapper';

CREATE FUNCTION "format_3"() RETURNS bool
IMMUTABLE STRICT PARALLEL SAFE
LANGUAGE c
AS 'MODULE_PATHNAME', 'format_3_wrapper';

CREATE FUNCTION "get_state"(
	"run_id" TEXT,
	"at_version" bigint DEFAULT NULL
) RETURNS jsonb
STABLE
LANGUAGE c
AS 'MODULE_PATHNAME', 'get_state_wrapper';

CREATE FUNCTION "get_variable"(
	"run_id" TEXT,
	"name" TEXT,
	"at_version" bigint DEFAULT NULL
) RETURNS jsonb
STABLE
LANGUAGE c
AS 'MODULE_PATHNAME', 'get_variable_wrapper';

-- Skipped due to `#[pgrx(sql = false)]`

CREATE FUNCTION "get_variables"(
	"run_id" TEXT,
	"names" text[] DEFAULT NULL,
	"at_version" bigint DEFAULT NULL,
	"in_group" TEXT DEFAULT NULL
) RETURNS jsonb
STABLE 
LANGUAGE c
AS 'MODULE_PATHNAME', 'get_variables_in_group_wrapper';

CREATE FUNCTION "heads"(
	"owner" TEXT DEFAULT NULL
) RETURNS TABLE (
	"run_id" TEXT,
	"version" bigint,
	"hash" TEXT
)
STABLE
LANGUAGE c
AS 'MODULE_PATHNAME', 'heads_wrapper';

-- Skipped due to `#[pgrx(sql = false)]`


CREATE FUNCTION layra.heartbeat(run_id text, node_id text, attempt integer, lease interval,
    OUT until timestamptz, OUT run_status text) RETURNS record
LANGUAGE c AS 'MODULE_PATHNAME', 'heartbeat_row_wrapper';

CREATE FUNCTION "history"(
	"run_id" TEXT,
	"key" TEXT,
	"scope" TEXT DEFAULT 'variable'
) RETURNS TABLE (
	"revision" bigint,
	"version" bigint,
	"value" jsonb,
	"at" timestamp with time zone,
	"actor" TEXT,
	"on_behalf_of" TEXT,
	"type" TEXT
)
STABLE
LANGUAGE c
AS 'MODULE_PATHNAME', 'history_wrapper';

CREATE FUNCTION "hold_run"(
	"run_id" TEXT,
	"reason" TEXT
) RETURNS bigint
LANGUAGE c
AS 'MODULE_PATHNAME', 'hold_run_wrapper';

CREATE FUNCTION "import_lines"(
	"source" regclass
) RETURNS bigint
LANGUAGE c
AS 'MODULE_PATHNAME', 'import_lines_wrapper';

CREATE FUNCTION "import_run"(
	"lines" jsonb[]
) RETURNS bigint
LANGUAGE c
AS 'MODULE_PATHNAME', 'import_run_wrapper';

CREATE FUNCTION "mermaid"(
	"run_id" TEXT
) RETURNS TEXT
STABLE
LANGUAGE c
AS 'MODULE_PATHNAME', 'mermaid_wrapper';

CREATE FUNCTION "next_iteration"(
	"run_id" TEXT,
	"loop_id" TEXT,
	"after" INT DEFAULT NULL
) RETURNS INT
LANGUAGE c
AS 'MODULE_PATHNAME', 'next_iteration_wrapper';

CREATE FUNCTION "off_event"(
	"type_pattern" TEXT,
	"function" regprocedure
) RETURNS VOID
LANGUAGE c
AS 'MODULE_PATHNAME', 'off_event_wrapper';

CREATE FUNCTION "on_event"(
	"type_pattern" TEXT,
	"function" regprocedure,
	"workflow" TEXT DEFAULT NULL
) RETURNS VOID
LANGUAGE c
AS 'MODULE_PATHNAME', 'on_event_wrapper';

CREATE FUNCTION "owners_by_index"(
	"request" internal
) RETURNS internal
STABLE
LANGUAGE c
AS 'MODULE_PATHNAME', 'owners_by_index_wrapper';

CREATE FUNCTION "owns"(
	"owner" TEXT
) RETURNS bool
STABLE
LANGUAGE c
AS 'MODULE_PATHNAME', 'owns_wrapper';

CREATE FUNCTION "pause_run"(
	"run_id" TEXT,
	"node_id" TEXT,
	"prompt" jsonb DEFAULT '{}',
	"response_schema" jsonb DEFAULT NULL,
	"assignee" TEXT DEFAULT NULL,
	"expires_in" interval DEFAULT NULL,
	"idempotency_key" TEXT DEFAULT NULL
) RETURNS uuid
LANGUAGE c
AS 'MODULE_PATHNAME', 'pause_run_wrapper';

CREATE FUNCTION "protect_checkpoint"(
	"run_id" TEXT,
	"label" TEXT,
	"protected" bool DEFAULT true,
	"expected_version" bigint DEFAULT NULL,
	"idempotency_key" TEXT DEFAULT NULL
) RETURNS bigint
LANGUAGE c
AS 'MODULE_PATHNAME', 'protect_checkpoint_wrapper';

CREATE FUNCTION "readable_owners"() RETURNS TEXT[]
STRICT STABLE
LANGUAGE c
AS 'MODULE_PATHNAME', 'readable_owners_wrapper';

CREATE FUNCTION "reads_every_run"() RETURNS bool
STRICT STABLE
LANGUAGE c
AS 'MODULE_PATHNAME', 'reads_every_run_wrapper';

CREATE FUNCTION "reads_run"(
	"run_id" TEXT
) RETURNS bool
STABLE COST 100
LANGUAGE c
AS 'MODULE_PATHNAME', 'reads_run_wrapper';

-- requires:
--   owners_by_index
CREATE FUNCTION "reads_runs_of"(
	"owner" TEXT
) RETURNS bool
STABLE SUPPORT "owners_by_index" COST 10
LANGUAGE c
AS 'MODULE_PATHNAME', 'reads_runs_of_wrapper';

-- Skipped due to `#[pgrx(sql = false)]`


CREATE FUNCTION layra.recover_run(run_id text, dry_run boolean DEFAULT false, rollback boolean DEFAULT false,
    OUT from_version bigint, OUT checkpoint_version bigint, OUT incomplete text[], OUT last_completed text,
    OUT resume_at text[], OUT problems text[], OUT version bigint, OUT lost text[]) RETURNS record
LANGUAGE c AS 'MODULE_PATHNAME', 'recover_run_row_wrapper';

CREATE FUNCTION "release_run"(
	"run_id" TEXT,
	"reason" TEXT DEFAULT NULL
) RETURNS bigint
LANGUAGE c
AS 'MODULE_PATHNAME', 'release_run_wrapper';

CREATE FUNCTION "remembered"() RETURNS TABLE (
	"what" TEXT,
	"entries" bigint,
	"bytes" bigint
)
STRICT STABLE
LANGUAGE c
AS 'MODULE_PATHNAME', 'remembered_wrapper';

CREATE FUNCTION "remove_validator"(
	"workflow" TEXT,
	"name" TEXT
) RETURNS VOID
LANGUAGE c
AS 'MODULE_PATHNAME', 'remove_validator_wrapper';

CREATE FUNCTION "renew_grants"() RETURNS void
STRICT
SET search_path TO pg_catalog, pg_temp
LANGUAGE c
AS 'MODULE_PATHNAME', 'renew_grants_wrapper';

CREATE FUNCTION "reopen_run"(
	"run_id" TEXT,
	"reason" TEXT DEFAULT NULL,
	"expected_version" bigint DEFAULT NULL,
	"idempotency_key" TEXT DEFAULT NULL
) RETURNS bigint
LANGUAGE c
AS 'MODULE_PATHNAME', 'reopen_run_wrapper';

CREATE FUNCTION "report"(
	"run_id" TEXT
) RETURNS TEXT
STABLE
LANGUAGE c
AS 'MODULE_PATHNAME', 'report_wrapper';

CREATE FUNCTION "reset_breaker"(
	"name" TEXT
) RETURNS VOID
LANGUAGE c
AS 'MODULE_PATHNAME', 'reset_breaker_wrapper';

CREATE FUNCTION "reset_nodes"(
	"run_id" TEXT,
	"node_ids" text[],
	"expected_version" bigint DEFAULT NULL,
	"idempotency_key" TEXT DEFAULT NULL
) RETURNS bigint
LANGUAGE c
AS 'MODULE_PATHNAME', 'reset_nodes_wrapper';

CREATE FUNCTION "resume_run"(
	"run_id" TEXT,
	"interaction" uuid,
	"response" jsonb DEFAULT '{}',
	"updates" jsonb DEFAULT NULL,
	"on_change" TEXT DEFAULT 'fail',
	"expected_version" bigint DEFAULT NULL,
	"idempotency_key" TEXT DEFAULT NULL
) RETURNS bigint
LANGUAGE c
AS 'MODULE_PATHNAME', 'resume_run_wrapper';

CREATE FUNCTION "rollback"(
	"run_id" TEXT,
	"to_version" bigint,
	"reason" TEXT DEFAULT NULL,
	"expected_version" bigint DEFAULT NULL,
	"idempotency_key" TEXT DEFAULT NULL
) RETURNS bigint
LANGUAGE c
AS 'MODULE_PATHNAME', 'rollback_wrapper';

CREATE FUNCTION "rollback_to"(
	"run_id" TEXT,
	"label" TEXT,
	"reason" TEXT DEFAULT NULL,
	"expected_version" bigint DEFAULT NULL,
	"idempotency_key" TEXT DEFAULT NULL
) RETURNS bigint
LANGUAGE c
AS 'MODULE_PATHNAME', 'rollback_to_wrapper';

CREATE FUNCTION "save_state"(
	"run_id" TEXT,
	"state" jsonb,
	"expected_version" bigint DEFAULT NULL,
	"idempotency_key" TEXT DEFAULT NULL
) RETURNS bigint
LANGUAGE c
AS 'MODULE_PATHNAME', 'save_state_wrapper';

CREATE FUNCTION "set_engine"(
	"run_id" TEXT,
	"fields" jsonb,
	"expected_version" bigint DEFAULT NULL,
	"idempotency_key" TEXT DEFAULT NULL
) RETURNS bigint
LANGUAGE c
AS 'MODULE_PATHNAME', 'set_engine_wrapper';

CREATE FUNCTION "set_owner"(
	"run_id" TEXT,
	"owner" name,
	"expected_version" bigint DEFAULT NULL,
	"idempotency_key" TEXT DEFAULT NULL
) RETURNS bigint
LANGUAGE c
AS 'MODULE_PATHNAME', 'set_owner_wrapper';

CREATE FUNCTION "set_retention"(
	"policy" jsonb,
	"workflow" TEXT DEFAULT NULL
) RETURNS VOID
LANGUAGE c
AS 'MODULE_PATHNAME', 'set_retention_wrapper';

CREATE FUNCTION "set_variable"(
	"run_id" TEXT,
	"name" TEXT,
	"value" jsonb,
	"expected_version" bigint DEFAULT NULL,
	"idempotency_key" TEXT DEFAULT NULL
) RETURNS bigint
LANGUAGE c
AS 'MODULE_PATHNAME', 'set_variable_wrapper';

CREATE FUNCTION "set_variables"(
	"run_id" TEXT,
	"updates" jsonb,
	"expected_variables" jsonb DEFAULT NULL,
	"on_conflict" TEXT DEFAULT 'fail',
	"expected_version" bigint DEFAULT NULL,
	"idempotency_key" TEXT DEFAULT NULL
) RETURNS bigint
LANGUAGE c
AS 'MODULE_PATHNAME', 'set_variables_wrapper';

CREATE FUNCTION "skip_nodes"(
	"run_id" TEXT,
	"node_ids" text[],
	"reason" TEXT DEFAULT NULL,
	"expected_version" bigint DEFAULT NULL,
	"idempotency_key" TEXT DEFAULT NULL
) RETURNS bigint
LANGUAGE c
AS 'MODULE_PATHNAME', 'skip_nodes_wrapper';

CREATE FUNCTION "stale_runs"(
	"idle" interval
) RETURNS TABLE (
	"run_id" TEXT,
	"version" bigint,
	"last_activity" timestamp with time zone,
	"expired" TEXT[]
)
STABLE
LANGUAGE c
AS 'MODULE_PATHNAME', 'stale_runs_wrapper';

CREATE FUNCTION "start_run"(
	"run_id" TEXT,
	"workflow" TEXT DEFAULT NULL,
	"variables" jsonb DEFAULT '{}',
	"metadata" jsonb DEFAULT '{}',
	"workflow_version" INT DEFAULT NULL,
	"idempotency_key" TEXT DEFAULT NULL
) RETURNS bigint
LANGUAGE c
AS 'MODULE_PATHNAME', 'start_run_wrapper';

-- Skipped due to `#[pgrx(sql = false)]`


CREATE FUNCTION layra.try_set_variables(run_id text, updates jsonb, expected_variables jsonb DEFAULT NULL,
    on_conflict text DEFAULT 'fail', expected_version bigint DEFAULT NULL, idempotency_key text DEFAULT NULL,
    OUT committed boolean, OUT version bigint, OUT conflicts jsonb) RETURNS record
LANGUAGE c AS 'MODULE_PATHNAME', 'try_set_variables_row_wrapper';

CREATE FUNCTION "undone_by"(
	"run_id" TEXT,
	"version" bigint
) RETURNS bigint
STABLE COST 100
LANGUAGE c
AS 'MODULE_PATHNAME', 'undone_by_wrapper';

CREATE FUNCTION "unset_variables"(
	"run_id" TEXT,
	"names" text[],
	"expected_version" bigint DEFAULT NULL,
	"idempotency_key" TEXT DEFAULT NULL
) RETURNS bigint
LANGUAGE c
AS 'MODULE_PATHNAME', 'unset_variables_wrapper';

CREATE FUNCTION "validate_run"(
	"run_id" TEXT,
	"at_version" bigint DEFAULT NULL
) RETURNS TABLE (
	"rule" TEXT,
	"path" TEXT,
	"message" TEXT
)
STABLE
LANGUAGE c
AS 'MODULE_PATHNAME', 'validate_run_wrapper';

CREATE FUNCTION "verify"(
	"run_id" TEXT DEFAULT NULL
) RETURNS TABLE (
	"run_id" TEXT,
	"version" bigint,
	"problem" TEXT
)
STABLE
LANGUAGE c
AS 'MODULE_PATHNAME', 'verify_wrapper';

CREATE FUNCTION "verify_heads"(
	"heads" jsonb
) RETURNS TABLE (
	"run_id" TEXT,
	"version" bigint,
	"problem" TEXT
)
STABLE
LANGUAGE c
AS 'MODULE_PATHNAME', 'verify_heads_wrapper';

CREATE FUNCTION "version_at"(
	"run_id" TEXT,
	"at" timestamp with time zone
) RETURNS bigint
STABLE
LANGUAGE c
AS 'MODULE_PATHNAME', 'version_at_wrapper';

CREATE FUNCTION "withdraw_interaction"(
	"run_id" TEXT,
	"interaction" uuid,
	"reason" TEXT DEFAULT NULL,
	"expected_version" bigint DEFAULT NULL,
	"idempotency_key" TEXT DEFAULT NULL
) RETURNS bigint
LANGUAGE c
AS 'MODULE_PATHNAME', 'withdraw_interaction_wrapper';

-- table_run
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
    hold             text,
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
-- The runs of a role, for row security and for heads. Owners hardly ever change, so updates of a run stay on its page.
CREATE INDEX run_owner ON layra.run (owner, run_id);
CREATE INDEX run_running ON layra.run (owner, run_id) WHERE status = ANY ('{running,paused}'::text[]);

ALTER TABLE layra.run ENABLE ROW LEVEL SECURITY;
CREATE POLICY readable ON layra.run FOR SELECT USING (layra.reads_runs_of(owner));
SELECT pg_catalog.pg_extension_config_dump('layra.run', '');

COMMENT ON TABLE layra.run IS
'One row per run. It changes only when status or owner do; versions are in layra.event. Read layra.runs for both.';
COMMENT ON COLUMN layra.run.run_id IS 'Name of the run, given by its caller: 1 to 255 characters.';
COMMENT ON COLUMN layra.run.status IS 'running, paused (somebody was asked), cancelling, completed, failed or cancelled; the last three are final but for reopen_run.';
COMMENT ON COLUMN layra.run.owner IS 'Role that the run belongs to, as text: a role that was dropped leaves a run that only superusers change.';
COMMENT ON COLUMN layra.run.workflow_owner IS 'Owner of the workflow definition that the run uses; NULL: it has none.';
COMMENT ON COLUMN layra.run.workflow IS 'Name of that workflow.';
COMMENT ON COLUMN layra.run.workflow_version IS 'Version of that workflow.';
COMMENT ON COLUMN layra.run.definition_hash IS 'BLAKE3 of the definition''s JSON text: a definition that was changed afterwards is refused.';
COMMENT ON COLUMN layra.run.parent_run_id IS 'Run that this one was forked from; NULL: none, or it was dropped.';
COMMENT ON COLUMN layra.run.parent_version IS 'Version of the parent that the fork began with; 0: the parent was dropped.';
COMMENT ON COLUMN layra.run.metadata IS 'JSON object given when the run was started.';
COMMENT ON COLUMN layra.run.result IS 'JSON value given to finish_run; NULL while the run is not finished.';
COMMENT ON COLUMN layra.run.created_at IS 'Time of the first event.';
COMMENT ON COLUMN layra.run.finished_at IS 'Time of finish_run; NULL while the run is not finished.';
COMMENT ON COLUMN layra.run.hold IS 'Why somebody holds the run, which is then never dropped; NULL: nobody does.';
COMMENT ON CONSTRAINT run_status_check ON layra.run IS 'The statuses that a run can have.';
COMMENT ON CONSTRAINT run_finished_at ON layra.run IS 'A finished run has the time at which it was finished, and no other has one.';
COMMENT ON CONSTRAINT run_result ON layra.run IS 'Only a finished run has a result.';
COMMENT ON CONSTRAINT run_workflow ON layra.run IS 'A run has a workflow''s owner, name, version and hash, or none of them.';
COMMENT ON CONSTRAINT run_parent_version ON layra.run IS 'A fork has a parent and a version of it; one whose parent was dropped has the version 0 alone.';
COMMENT ON POLICY readable ON layra.run IS 'A role sees the runs whose owner''s privileges it has; auditors see all.';
COMMENT ON INDEX layra.run_pkey IS 'A run by its name.';
COMMENT ON INDEX layra.run_running IS 'The running and paused runs of each owner, for stale_runs.';
COMMENT ON INDEX layra.run_owner IS 'The runs of an owner in order, for row security and heads.';
COMMENT ON INDEX layra.run_parent IS 'The forks of a run, for drop_run.';

-- table_event
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

-- table_cell
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
    PRIMARY KEY (run_id, scope, key, ordinal, version),
    -- The states that docs/execution.md draws; an error only where a node failed, an output only where it completed.
    CONSTRAINT cell_node CHECK (scope <> 'node' OR value IS NULL OR (
        COALESCE(value ->> 'status', '') IN ('pending', 'running', 'completed', 'failed', 'skipped')
        AND (NOT value ? 'error' OR value ->> 'status' = 'failed')
        AND (NOT value ? 'output' OR value ->> 'status' = 'completed'))),
    CONSTRAINT cell_loop CHECK (scope <> 'loop' OR value IS NULL OR COALESCE(pg_catalog.jsonb_typeof(value -> 'index'), '') = 'number')
);

ALTER TABLE layra.cell ENABLE ROW LEVEL SECURITY;
CREATE POLICY readable ON layra.cell FOR SELECT USING (layra.reads_run(run_id));
SELECT pg_catalog.pg_extension_config_dump('layra.cell', '');

COMMENT ON TABLE layra.cell IS
'The state: one row per change of one slot (scope, key, ordinal) of a run, only ever inserted. The state at version V is the newest row up to V of each. Read it with functions and views: how value is stored may change.';
COMMENT ON COLUMN layra.cell.run_id IS 'The run.';
COMMENT ON COLUMN layra.cell.scope IS 'variable, node, loop, context or engine.';
COMMENT ON COLUMN layra.cell.key IS 'Name of the variable, id of the node or loop, or name of the engine''s field.';
COMMENT ON COLUMN layra.cell.ordinal IS 'Entry of a node''s context, from 0; -1 counts its entries. 0 in every other scope.';
COMMENT ON COLUMN layra.cell.version IS 'Version of the run that set this value.';
COMMENT ON COLUMN layra.cell.revision IS 'Number of changes of this cell so far, from 1.';
COMMENT ON COLUMN layra.cell.value IS 'The value, or, where base is set, what changed since the row before; NULL: unset in this version.';
COMMENT ON COLUMN layra.cell.hash IS 'BLAKE3 of the value''s JSON text, 32 bytes; NULL: unset.';
COMMENT ON COLUMN layra.cell.base IS 'NULL: the value is whole. Else the version of the row whose whole value the changes since then apply to.';
COMMENT ON POLICY readable ON layra.cell IS 'Cells of the runs that the role sees.';
COMMENT ON CONSTRAINT cell_node ON layra.cell IS 'The states of a node; only a failed one has an error, only a completed one an output.';
COMMENT ON CONSTRAINT cell_loop ON layra.cell IS 'A loop has an index.';
COMMENT ON INDEX layra.cell_pkey IS 'The rows of a cell by version, and the distinct cells of a run by skipping from one to the next.';

-- table_checkpoint
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

ALTER TABLE layra.checkpoint ENABLE ROW LEVEL SECURITY;
CREATE POLICY readable ON layra.checkpoint FOR SELECT USING (layra.reads_run(run_id));
SELECT pg_catalog.pg_extension_config_dump('layra.checkpoint', '');

COMMENT ON TABLE layra.checkpoint IS
'The checkpoints of every run: a version each, with no copy of its state.';
COMMENT ON COLUMN layra.checkpoint.run_id IS 'The run.';
COMMENT ON COLUMN layra.checkpoint.version IS 'Version of the run that the checkpoint is.';
COMMENT ON COLUMN layra.checkpoint.kind IS 'Sort of checkpoint: manual, or what its caller said; time, bytes, milestone and before are made by the policy, human by pause_run.';
COMMENT ON COLUMN layra.checkpoint.label IS 'Name for rollback_to, unique in the run; NULL: it has none, or the label has moved on.';
COMMENT ON COLUMN layra.checkpoint.protected IS 'true: no rollback goes to a version before this one.';
COMMENT ON COLUMN layra.checkpoint.metadata IS 'JSON object given when it was made.';
COMMENT ON COLUMN layra.checkpoint.created_at IS 'Time of the event that made it.';
COMMENT ON POLICY readable ON layra.checkpoint IS 'Checkpoints of the runs that the role sees.';
COMMENT ON INDEX layra.checkpoint_pkey IS 'The checkpoints of a run in order.';
COMMENT ON INDEX layra.checkpoint_run_id_label_key IS 'A checkpoint by its label.';
COMMENT ON INDEX layra.checkpoint_protected IS 'The protected checkpoints after a version, for rollback.';

-- table_bequeathed_key
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

ALTER TABLE layra.bequeathed_key ENABLE ROW LEVEL SECURITY;
CREATE POLICY readable ON layra.bequeathed_key FOR SELECT USING (layra.reads_every_run());
SELECT pg_catalog.pg_extension_config_dump('layra.bequeathed_key', '');

COMMENT ON TABLE layra.bequeathed_key IS
'Idempotency keys of runs that were dropped while they had forks, once for all of them. Auditors read it.';
COMMENT ON COLUMN layra.bequeathed_key.source IS 'The dropped run, which has no name any more.';
COMMENT ON COLUMN layra.bequeathed_key.idempotency_key IS 'The key. Empty: a rollback of the dropped run, or the run itself.';
COMMENT ON COLUMN layra.bequeathed_key.version IS 'Version of the dropped run that used the key, or was a rollback; 0 stands for the run itself.';
COMMENT ON COLUMN layra.bequeathed_key.type IS 'Type of that event; run.dropped for the run itself.';
COMMENT ON COLUMN layra.bequeathed_key.to_version IS 'Version that a rollback went back to; NULL: no rollback.';
COMMENT ON POLICY readable ON layra.bequeathed_key IS 'Auditors see all.';
COMMENT ON INDEX layra.bequeathed_key_pkey IS 'The uses of a key in a dropped run, and its rollbacks.';

-- table_inheritance
CREATE TABLE layra.inheritance (
    run_id   text COLLATE "C" NOT NULL,
    source   uuid NOT NULL,
    version  bigint NOT NULL,
    distance bigint NOT NULL DEFAULT 1,
    PRIMARY KEY (run_id, source)
);
CREATE INDEX inheritance_source ON layra.inheritance (source);

ALTER TABLE layra.inheritance ENABLE ROW LEVEL SECURITY;
CREATE POLICY readable ON layra.inheritance FOR SELECT USING (layra.reads_run(run_id));
SELECT pg_catalog.pg_extension_config_dump('layra.inheritance', '');

COMMENT ON TABLE layra.inheritance IS
'The dropped runs that a fork comes from: their idempotency keys count as used in its version 1.';
COMMENT ON COLUMN layra.inheritance.run_id IS 'The fork.';
COMMENT ON COLUMN layra.inheritance.source IS 'The dropped run, in layra.bequeathed_key.';
COMMENT ON COLUMN layra.inheritance.version IS 'Version of the dropped run up to which its history is the fork''s.';
COMMENT ON COLUMN layra.inheritance.distance IS '1 for the dropped run that is nearest to the fork, more for those that it comes from in turn: of the uses of a key the nearest counts.';
COMMENT ON POLICY readable ON layra.inheritance IS 'Those of the runs that the role sees.';
COMMENT ON INDEX layra.inheritance_pkey IS 'What a fork inherits from.';
COMMENT ON INDEX layra.inheritance_source IS 'The forks that come from a dropped run, for drop_run.';

-- table_inherited_key
-- Before version 0.3.0 each fork had these keys itself. What is added now comes with a fork that is imported without its parent, or from
-- the restore of an older dump.
CREATE TABLE layra.inherited_key (
    run_id          text COLLATE "C" NOT NULL,
    idempotency_key text COLLATE "C" NOT NULL,
    type            text NOT NULL,
    PRIMARY KEY (run_id, idempotency_key)
);

ALTER TABLE layra.inherited_key ENABLE ROW LEVEL SECURITY;
CREATE POLICY readable ON layra.inherited_key FOR SELECT USING (layra.reads_run(run_id));
SELECT pg_catalog.pg_extension_config_dump('layra.inherited_key', '');

COMMENT ON TABLE layra.inherited_key IS
'Idempotency keys that a fork has from a parent that was dropped before version 0.3.0, or that was not there when the fork was imported.';
COMMENT ON COLUMN layra.inherited_key.run_id IS 'The fork.';
COMMENT ON COLUMN layra.inherited_key.idempotency_key IS 'The key, which counts as used in the fork''s version 1.';
COMMENT ON COLUMN layra.inherited_key.type IS 'Type of the event that the key was used with.';
COMMENT ON POLICY readable ON layra.inherited_key IS 'Keys of the runs that the role sees.';
COMMENT ON INDEX layra.inherited_key_pkey IS 'A key of a fork.';

-- table_seal
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

-- table_retention
-- What owners say of the runs that they want kept.

CREATE TABLE layra.retention (
    owner    text COLLATE "C" NOT NULL,
    workflow text COLLATE "C" NOT NULL,
    policy   jsonb NOT NULL,
    PRIMARY KEY (owner, workflow)
);
SELECT pg_catalog.pg_extension_config_dump('layra.retention', '');

ALTER TABLE layra.retention ENABLE ROW LEVEL SECURITY;
CREATE POLICY readable ON layra.retention FOR SELECT USING (layra.reads_runs_of(owner));

COMMENT ON TABLE layra.retention IS
'Retention policies, as set_retention was given them.';
COMMENT ON COLUMN layra.retention.owner IS 'Role for whose runs the policy holds, as text.';
COMMENT ON COLUMN layra.retention.workflow IS 'Name of the workflow whose runs it holds for; empty: all that have no policy of their own.';
COMMENT ON COLUMN layra.retention.policy IS 'The policy: {"drop": false} keeps the runs from being dropped.';
COMMENT ON INDEX layra.retention_pkey IS 'The policy of an owner, for a workflow or for all others.';
COMMENT ON POLICY readable ON layra.retention IS 'A role sees the policies of owners whose privileges it has; auditors see all.';

-- table_workflow
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
-- The hash first: with the name first it looked as good as the primary key to who looks for a version, and then all versions of a
-- name were read.
CREATE UNIQUE INDEX workflow_hash ON layra.workflow (hash, owner, name);

ALTER TABLE layra.workflow ENABLE ROW LEVEL SECURITY;
CREATE POLICY readable ON layra.workflow FOR SELECT USING (shared OR layra.reads_runs_of(owner));
SELECT pg_catalog.pg_extension_config_dump('layra.workflow', '');

COMMENT ON TABLE layra.workflow IS
'Workflow definitions, one row per version, which never changes.';
COMMENT ON COLUMN layra.workflow.owner IS 'Role that defined it, as text.';
COMMENT ON COLUMN layra.workflow.name IS 'Name, unique per owner; that of a shared workflow belongs to one owner.';
COMMENT ON COLUMN layra.workflow.version IS '1 for the first definition of that name, then 2, 3, ...';
COMMENT ON COLUMN layra.workflow.shared IS 'true: the runs of every role can use it.';
COMMENT ON COLUMN layra.workflow.definition IS 'The definition as it was given.';
COMMENT ON COLUMN layra.workflow.hash IS 'BLAKE3 of the definition''s JSON text, 32 bytes.';
COMMENT ON COLUMN layra.workflow.created_at IS 'Time at which it was defined.';
COMMENT ON POLICY readable ON layra.workflow IS 'Shared definitions, those of owners whose privileges the role has; auditors see all.';
COMMENT ON INDEX layra.workflow_pkey IS 'A definition by owner, name and version; the newest of a name.';
COMMENT ON INDEX layra.workflow_shared IS 'A shared definition by name and version. Unique: two owners cannot share one name.';
COMMENT ON INDEX layra.workflow_hash IS 'A definition by its content: the same one is stored once.';

-- table_graph
CREATE TABLE layra.graph (
    owner text COLLATE "C" NOT NULL,
    hash  bytea NOT NULL CHECK (pg_catalog.octet_length(hash) = 32),
    nodes jsonb,
    edges jsonb,
    -- Two transactions that store the same graph at the same time each keep a row of their own: neither waits.
    xact  xid8 NOT NULL DEFAULT pg_catalog.pg_current_xact_id(),
    PRIMARY KEY (owner, hash, xact)
);

ALTER TABLE layra.graph ENABLE ROW LEVEL SECURITY;
CREATE POLICY readable ON layra.graph FOR SELECT USING (layra.reads_runs_of(owner));
SELECT pg_catalog.pg_extension_config_dump('layra.graph', '');

COMMENT ON TABLE layra.graph IS
'Nodes and edges that runs use, stored once for each owner and content; the run''s engine cell layra.graph refers to them.';
COMMENT ON COLUMN layra.graph.owner IS 'Role whose runs use it, as text.';
COMMENT ON COLUMN layra.graph.hash IS 'BLAKE3 of the JSON texts of nodes and edges with a line feed between them, 32 bytes.';
COMMENT ON COLUMN layra.graph.nodes IS 'JSON array; NULL: the definition or document had none.';
COMMENT ON COLUMN layra.graph.edges IS 'JSON array; NULL: the definition or document had none.';
COMMENT ON COLUMN layra.graph.xact IS 'The transaction that stored it: two that do so at the same time keep a row each.';
COMMENT ON POLICY readable ON layra.graph IS 'Graphs of owners whose privileges the role has; auditors see all.';
COMMENT ON INDEX layra.graph_pkey IS 'A graph by owner and content.';

-- table_event_type
CREATE TABLE layra.event_type (
    owner      text COLLATE "C" NOT NULL,
    type       text COLLATE "C" NOT NULL,
    shared     boolean NOT NULL,
    schema     jsonb NOT NULL,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (type, owner)
);
CREATE UNIQUE INDEX event_type_shared ON layra.event_type (type) WHERE shared;

ALTER TABLE layra.event_type ENABLE ROW LEVEL SECURITY;
CREATE POLICY readable ON layra.event_type FOR SELECT USING (shared OR layra.reads_runs_of(owner));
SELECT pg_catalog.pg_extension_config_dump('layra.event_type', '');

COMMENT ON TABLE layra.event_type IS
'Schemas of event types.';
COMMENT ON COLUMN layra.event_type.owner IS 'Role in whose runs the schema holds, as text.';
COMMENT ON COLUMN layra.event_type.type IS 'The event type.';
COMMENT ON COLUMN layra.event_type.shared IS 'true: it holds in the runs of every role that has none of its own.';
COMMENT ON COLUMN layra.event_type.schema IS 'JSON Schema of the payload.';
COMMENT ON COLUMN layra.event_type.created_at IS 'Time at which it was first defined.';
COMMENT ON POLICY readable ON layra.event_type IS 'Shared ones, those of owners whose privileges the role has; auditors see all.';
COMMENT ON INDEX layra.event_type_pkey IS 'The schemas of a type.';
COMMENT ON INDEX layra.event_type_shared IS 'The shared schema of a type. Unique: two owners cannot share one type.';

-- table_validator
CREATE TABLE layra.validator (
    workflow   text COLLATE "C" NOT NULL,
    name       text COLLATE "C" NOT NULL,
    function   text NOT NULL,
    created_by text NOT NULL,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (workflow, name)
);

ALTER TABLE layra.validator ENABLE ROW LEVEL SECURITY;
CREATE POLICY readable ON layra.validator FOR SELECT USING (layra.reads_runs_of(created_by));
SELECT pg_catalog.pg_extension_config_dump('layra.validator', '');

COMMENT ON TABLE layra.validator IS
'Custom rules that validate_run checks.';
COMMENT ON COLUMN layra.validator.workflow IS 'Name of the workflows whose runs it checks.';
COMMENT ON COLUMN layra.validator.name IS 'Name of the rule.';
COMMENT ON COLUMN layra.validator.function IS 'The function, as text with its argument types: an OID would not survive a dump.';
COMMENT ON COLUMN layra.validator.created_by IS 'Role that added it.';
COMMENT ON COLUMN layra.validator.created_at IS 'Time at which it was added.';
COMMENT ON POLICY readable ON layra.validator IS 'Those added by roles whose privileges the role has; auditors see all.';
COMMENT ON INDEX layra.validator_pkey IS 'The rules of a workflow.';

-- table_handler
CREATE TABLE layra.handler (
    type_pattern text COLLATE "C" NOT NULL,
    function     text COLLATE "C" NOT NULL,
    workflow     text COLLATE "C" NOT NULL DEFAULT '',
    created_by   text NOT NULL,
    created_at   timestamptz NOT NULL,
    PRIMARY KEY (type_pattern, function, workflow)
);

ALTER TABLE layra.handler ENABLE ROW LEVEL SECURITY;
CREATE POLICY readable ON layra.handler FOR SELECT USING (layra.reads_runs_of(created_by));
SELECT pg_catalog.pg_extension_config_dump('layra.handler', '');

COMMENT ON TABLE layra.handler IS
'Functions that run after events.';
COMMENT ON COLUMN layra.handler.type_pattern IS 'An event type, or a prefix that ends in .*';
COMMENT ON COLUMN layra.handler.function IS 'The function, as text with its argument types: an OID would not survive a dump.';
COMMENT ON COLUMN layra.handler.workflow IS 'Name of the workflows whose runs it is for; empty: all runs.';
COMMENT ON COLUMN layra.handler.created_by IS 'Role that registered it.';
COMMENT ON COLUMN layra.handler.created_at IS 'Time at which it was registered.';
COMMENT ON POLICY readable ON layra.handler IS 'Those registered by roles whose privileges the role has; auditors see all.';
COMMENT ON INDEX layra.handler_pkey IS 'The handlers of a pattern.';

-- table_lease
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

-- table_interaction
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

-- table_breaker
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

-- table_breaker_probe
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

-- table_breaker_outcome
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

-- table_access
CREATE TABLE layra.access (
    level text COLLATE "C" NOT NULL CHECK (level IN ('writer', 'auditor', 'admin')),
    role  text NOT NULL,
    PRIMARY KEY (level, role)
);

ALTER TABLE layra.access ENABLE ROW LEVEL SECURITY;
CREATE POLICY readable ON layra.access FOR SELECT USING (layra.reads_runs_of(role));
SELECT pg_catalog.pg_extension_config_dump('layra.access', '');

COMMENT ON TABLE layra.access IS
'The levels of access that grant_access gave to roles.';
COMMENT ON COLUMN layra.access.level IS 'writer, auditor or admin.';
COMMENT ON COLUMN layra.access.role IS 'The role, as text: one that was dropped is skipped.';
COMMENT ON POLICY readable ON layra.access IS 'A role''s own levels; auditors see all.';
COMMENT ON INDEX layra.access_pkey IS 'The roles with a level.';

-- compression
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

-- view_runs
-- The newest event by a range of the primary key that is that run's: of an equality PostgreSQL expects as many events as runs
-- have on average, and where these are few, it reads all events of a long run and sorts them.
CREATE VIEW layra.runs WITH (security_invoker) AS
SELECT r.run_id, r.status, r.owner, r.workflow, r.workflow_version, e.version, e.at AS last_activity,
    r.created_at, r.finished_at, r.parent_run_id, r.parent_version, r.metadata, r.result, r.hold
FROM layra.run r
CROSS JOIN LATERAL (
    SELECT e.version, e.at FROM layra.event e
    WHERE e.run_id OPERATOR(pg_catalog.>=) r.run_id
      AND ROW(e.run_id, e.version) OPERATOR(pg_catalog.<=) ROW(r.run_id, 9223372036854775807)
    ORDER BY e.run_id DESC, e.version DESC LIMIT 1) e;

COMMENT ON VIEW layra.runs IS
'The runs that the caller may read, with newest version and last activity.
Page it by run_id: WHERE run_id > ''...'' ORDER BY run_id LIMIT 100.';
COMMENT ON COLUMN layra.runs.run_id IS 'Name of the run.';
COMMENT ON COLUMN layra.runs.status IS 'running, paused, cancelling, completed, failed or cancelled.';
COMMENT ON COLUMN layra.runs.owner IS 'Role that the run belongs to.';
COMMENT ON COLUMN layra.runs.workflow IS 'Name of its workflow; NULL: none.';
COMMENT ON COLUMN layra.runs.workflow_version IS 'Version of its workflow.';
COMMENT ON COLUMN layra.runs.version IS 'Newest version of the run.';
COMMENT ON COLUMN layra.runs.last_activity IS 'Time of its newest event.';
COMMENT ON COLUMN layra.runs.created_at IS 'Time of its first event.';
COMMENT ON COLUMN layra.runs.finished_at IS 'Time at which it was finished; NULL: it is not.';
COMMENT ON COLUMN layra.runs.parent_run_id IS 'Run that it was forked from; NULL: none, or it was dropped.';
COMMENT ON COLUMN layra.runs.parent_version IS 'Version of the parent that it began with; 0: the parent was dropped.';
COMMENT ON COLUMN layra.runs.metadata IS 'JSON object given when it was started.';
COMMENT ON COLUMN layra.runs.result IS 'JSON value given to finish_run.';
COMMENT ON COLUMN layra.runs.hold IS 'Why somebody holds the run, which is then never dropped; NULL: nobody does.';

-- view_timeline
-- By way of the run, which is found by its owner: the rows of a run say nothing of whose they are.
CREATE VIEW layra.timeline WITH (security_invoker) AS
SELECT e.run_id, e.version, e.at, e.type,
    e.actor OPERATOR(pg_catalog.||) COALESCE(' for ' OPERATOR(pg_catalog.||) e.on_behalf_of, '') AS who,
    pg_catalog.concat_ws('; ',
        CASE e.type
            WHEN 'run.rolled_back' THEN pg_catalog.concat('back to version ', e.payload OPERATOR(pg_catalog.->>) 'to_version',
                ' (' OPERATOR(pg_catalog.||) (e.payload OPERATOR(pg_catalog.->>) 'label') OPERATOR(pg_catalog.||) ')')
            WHEN 'run.forked' THEN pg_catalog.concat('from ', e.payload OPERATOR(pg_catalog.#>>) '{parent,run_id}',
                ' at version ', e.payload OPERATOR(pg_catalog.#>>) '{parent,version}')
            WHEN 'run.finished' THEN e.payload OPERATOR(pg_catalog.->>) 'status'
            WHEN 'run.owner_changed' THEN pg_catalog.concat('to ', e.payload OPERATOR(pg_catalog.->>) 'owner')
            WHEN 'interaction.requested' THEN pg_catalog.concat('question to ', COALESCE(e.payload OPERATOR(pg_catalog.->>) 'assignee', 'anybody'),
                ': ', pg_catalog.left(e.payload OPERATOR(pg_catalog.->>) 'prompt', 200))
            WHEN 'interaction.answered' THEN pg_catalog.concat('answer: ', pg_catalog.left(e.payload OPERATOR(pg_catalog.->>) 'response', 200))
            WHEN 'node.failed' THEN 'error: ' OPERATOR(pg_catalog.||) pg_catalog.left(e.payload OPERATOR(pg_catalog.->>) 'error', 200)
            WHEN 'checkpoint.protected' THEN e.payload OPERATOR(pg_catalog.->>) 'label'
            WHEN 'checkpoint.unprotected' THEN e.payload OPERATOR(pg_catalog.->>) 'label'
        END,
        e.payload OPERATOR(pg_catalog.->>) 'reason',
        CASE WHEN e.version OPERATOR(pg_catalog.=) 1 THEN 'after the run that seal '
            OPERATOR(pg_catalog.||) pg_catalog.left(e.payload OPERATOR(pg_catalog.->>) 'seal', 16) OPERATOR(pg_catalog.||) ' accounts for' END,
        'checkpoint ' OPERATOR(pg_catalog.||) e.checkpoint_kind
            OPERATOR(pg_catalog.||) COALESCE(' ' OPERATOR(pg_catalog.||) e.checkpoint_label, '')
            OPERATOR(pg_catalog.||) CASE e.type WHEN 'checkpoint.created' THEN COALESCE(' for ' OPERATOR(pg_catalog.||)
                pg_catalog.left(NULLIF(e.payload OPERATOR(pg_catalog.->>) 'metadata', '{}'), 200), '') ELSE '' END,
        CASE WHEN c.total OPERATOR(pg_catalog.>) 0 THEN pg_catalog.concat('changed ', c.names,
            CASE WHEN c.total OPERATOR(pg_catalog.>) 4
                 THEN pg_catalog.concat(' and ', c.total OPERATOR(pg_catalog.-) 4, ' more') END) END
    ) AS what,
    layra.undone_by(e.run_id, e.version) AS undone_by
FROM layra.run r JOIN layra.event e ON e.run_id OPERATOR(pg_catalog.=) r.run_id
CROSS JOIN LATERAL (
    SELECT pg_catalog.count(*) AS total,
        pg_catalog.string_agg(n.name, ', ' ORDER BY n.position) FILTER (WHERE n.position OPERATOR(pg_catalog.<=) 4) AS names
    FROM (
        -- Counters and the extension's own cells say nothing to a reader.
        SELECT u.name, pg_catalog.row_number() OVER (ORDER BY u.name) AS position
        FROM pg_catalog.unnest(e.changed) u(name)
        WHERE u.name OPERATOR(pg_catalog.!~~) 'engine/layra.%' AND u.name OPERATOR(pg_catalog.!~~) 'context/%/-1') n) c;

COMMENT ON VIEW layra.timeline IS
'The log of a run for people, one line for each event.
Read it with WHERE run_id = ''...'' ORDER BY version.';
COMMENT ON COLUMN layra.timeline.run_id IS 'The run.';
COMMENT ON COLUMN layra.timeline.version IS 'Version of the run.';
COMMENT ON COLUMN layra.timeline.at IS 'Time of the event.';
COMMENT ON COLUMN layra.timeline.type IS 'Type of the event.';
COMMENT ON COLUMN layra.timeline.who IS 'Role, and whom it said to act for.';
COMMENT ON COLUMN layra.timeline.what IS 'What the event did: question, answer, error, reason, checkpoint and its metadata (200 characters of each), the first four cells it changed. Not for programs.';
COMMENT ON COLUMN layra.timeline.undone_by IS 'Version of the rollback that undid it; NULL: it counts.';

-- view_changes
-- The cells that events changed, as the log names them: their rows are found by the primary key.
CREATE VIEW layra.changes WITH (security_invoker) AS
SELECT r.run_id, e.version, c.scope, c.key, c.ordinal, c.old, c.new, e.type,
    e.actor OPERATOR(pg_catalog.||) COALESCE(' for ' OPERATOR(pg_catalog.||) e.on_behalf_of, '') AS who, e.at
FROM layra.run r JOIN layra.event e ON e.run_id OPERATOR(pg_catalog.=) r.run_id AND pg_catalog.cardinality(e.changed) OPERATOR(pg_catalog.>) 0
CROSS JOIN LATERAL layra.changed_cells(e.run_id, e.version) c;

COMMENT ON VIEW layra.changes IS
'What every event changed, one row for each cell.
Read it with WHERE run_id = ''...'' ORDER BY version; it costs the rows that are asked for.';
COMMENT ON COLUMN layra.changes.run_id IS 'The run.';
COMMENT ON COLUMN layra.changes.version IS 'Version of the run.';
COMMENT ON COLUMN layra.changes.scope IS 'variable, node, loop, context or engine.';
COMMENT ON COLUMN layra.changes.key IS 'Name of the variable, id of the node or loop, key of the engine''s field.';
COMMENT ON COLUMN layra.changes.ordinal IS 'Number of the entry of a node''s context; 0 elsewhere.';
COMMENT ON COLUMN layra.changes.old IS 'Value in the version before; NULL: it was not set.';
COMMENT ON COLUMN layra.changes.new IS 'Value in this version; NULL: it was unset.';
COMMENT ON COLUMN layra.changes.type IS 'Type of the event.';
COMMENT ON COLUMN layra.changes.who IS 'Role, and whom it said to act for.';
COMMENT ON COLUMN layra.changes.at IS 'Time of the event.';

-- view_seals
CREATE VIEW layra.seals WITH (security_invoker) AS
SELECT s.run_id, s.number, s.what, s.at, s.actor, s.on_behalf_of, s.reason, s.owner, s.workflow, s.workflow_version,
    s.first_version, s.last_version, s.events, s.cells, s.bytes,
    pg_catalog.encode(s.head_hash, 'hex') AS head_hash, pg_catalog.encode(s.hash, 'hex') AS hash
FROM layra.seal s;

COMMENT ON VIEW layra.seals IS
'What is left of the runs that are gone.
The seals of those that the caller could read. Page it by at: ORDER BY at DESC LIMIT 100.';
COMMENT ON COLUMN layra.seals.run_id IS 'The run that is gone; a later one may have its id.';
COMMENT ON COLUMN layra.seals.number IS '1 for the first seal of that run id, then 2, 3, ...';
COMMENT ON COLUMN layra.seals.what IS 'What became of the run: dropped; or imported, as it was up to last_version.';
COMMENT ON COLUMN layra.seals.at IS 'Time of the removal.';
COMMENT ON COLUMN layra.seals.actor IS 'Role that made the call.';
COMMENT ON COLUMN layra.seals.on_behalf_of IS 'Whom the session said that it acts for. A claim, not a proof.';
COMMENT ON COLUMN layra.seals.reason IS 'Why, as the caller said; NULL: nothing was said.';
COMMENT ON COLUMN layra.seals.owner IS 'Role that the run belonged to.';
COMMENT ON COLUMN layra.seals.workflow IS 'Name of the workflow that the run used; NULL: none.';
COMMENT ON COLUMN layra.seals.workflow_version IS 'Version of that workflow.';
COMMENT ON COLUMN layra.seals.first_version IS 'First version that was removed.';
COMMENT ON COLUMN layra.seals.last_version IS 'Last version that was removed.';
COMMENT ON COLUMN layra.seals.events IS 'Events that were removed.';
COMMENT ON COLUMN layra.seals.cells IS 'Rows of cells that were removed.';
COMMENT ON COLUMN layra.seals.bytes IS 'Bytes of their payloads and values, as they were stored.';
COMMENT ON COLUMN layra.seals.head_hash IS 'Hash of the run''s last event, as digest gave it: 64 hexadecimal digits.';
COMMENT ON COLUMN layra.seals.hash IS 'Hash of the seal, 64 hexadecimal digits. The first event of a later run of that id has it.';

-- view_variables
CREATE VIEW layra.variables WITH (security_invoker) AS
SELECT r.run_id, c.key AS name, c.value, c.version, c.revision,
    w.definition OPERATOR(pg_catalog.#>>) ARRAY['variables', c.key, 'group'] AS "group"
FROM layra.run r
CROSS JOIN LATERAL layra.cells(r.run_id, 'variable') c
LEFT JOIN layra.workflow w ON w.owner OPERATOR(pg_catalog.=) r.workflow_owner
    AND w.name OPERATOR(pg_catalog.=) r.workflow AND w.version OPERATOR(pg_catalog.=) r.workflow_version;

COMMENT ON VIEW layra.variables IS
'The variables of a run as they are now.
Read it with WHERE run_id = ''...''.';
COMMENT ON COLUMN layra.variables.run_id IS 'The run.';
COMMENT ON COLUMN layra.variables.name IS 'Name of the variable.';
COMMENT ON COLUMN layra.variables.value IS 'Its value.';
COMMENT ON COLUMN layra.variables.version IS 'Version of the run that last changed it: what expected_variables asks for.';
COMMENT ON COLUMN layra.variables.revision IS 'Number of its changes, from 1.';
COMMENT ON COLUMN layra.variables."group" IS 'Group that the workflow''s definition puts it in; NULL: none.';

-- view_nodes
CREATE VIEW layra.nodes WITH (security_invoker) AS
SELECT r.run_id, c.key AS node_id, c.value OPERATOR(pg_catalog.->>) 'status' AS status, c.value AS details, c.version, c.revision
FROM layra.run r CROSS JOIN LATERAL layra.cells(r.run_id, 'node') c;

COMMENT ON VIEW layra.nodes IS
'The nodes of a run as they are now.
Read it with WHERE run_id = ''...''.';
COMMENT ON COLUMN layra.nodes.run_id IS 'The run.';
COMMENT ON COLUMN layra.nodes.node_id IS 'Id of the node.';
COMMENT ON COLUMN layra.nodes.status IS 'pending, running, completed, failed or skipped.';
COMMENT ON COLUMN layra.nodes.details IS 'The node''s whole cell, a JSON object with its status in it.';
COMMENT ON COLUMN layra.nodes.version IS 'Version of the run that last changed it.';
COMMENT ON COLUMN layra.nodes.revision IS 'Number of its changes, from 1.';

-- view_loops
CREATE VIEW layra.loops WITH (security_invoker) AS
SELECT r.run_id, c.key AS loop_id, c.value OPERATOR(pg_catalog.->) 'index' AS index, c.value AS details, c.version, c.revision
FROM layra.run r CROSS JOIN LATERAL layra.cells(r.run_id, 'loop') c;

COMMENT ON VIEW layra.loops IS
'The loops of a run as they are now.
Read it with WHERE run_id = ''...''.';
COMMENT ON COLUMN layra.loops.run_id IS 'The run.';
COMMENT ON COLUMN layra.loops.loop_id IS 'Id of the loop''s node.';
COMMENT ON COLUMN layra.loops.index IS 'Index of the iteration, a JSON number.';
COMMENT ON COLUMN layra.loops.details IS 'The loop''s whole cell, a JSON object with its index in it.';
COMMENT ON COLUMN layra.loops.version IS 'Version of the run that last changed it.';
COMMENT ON COLUMN layra.loops.revision IS 'Number of its changes, from 1.';

-- view_contexts
CREATE VIEW layra.contexts WITH (security_invoker) AS
SELECT r.run_id, c.key AS node_id, c.ordinal, c.value, c.version
FROM layra.run r CROSS JOIN LATERAL layra.cells(r.run_id, 'context') c;

COMMENT ON VIEW layra.contexts IS
'The context of a run as it is now, one row for each entry of each node.
Read it with WHERE run_id = ''...''.';
COMMENT ON COLUMN layra.contexts.run_id IS 'The run.';
COMMENT ON COLUMN layra.contexts.node_id IS 'Node that the entry is an output of.';
COMMENT ON COLUMN layra.contexts.ordinal IS 'Number of the entry: the newest has the highest. The first is not 0 where older entries were dropped.';
COMMENT ON COLUMN layra.contexts.value IS 'The entry.';
COMMENT ON COLUMN layra.contexts.version IS 'Version of the run that set it.';

-- view_interactions
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

-- view_breakers
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

-- view_session_memory
CREATE VIEW layra.session_memory WITH (security_invoker) AS
SELECT m.what, m.entries, m.bytes FROM layra.remembered() m;

COMMENT ON VIEW layra.session_memory IS
'What this session caches from call to call.';
COMMENT ON COLUMN layra.session_memory.what IS 'definitions (of workflows) and schemas (of event types and answers), compiled; plans (of the extension''s statements); places (where the newest rows of long runs stand).';
COMMENT ON COLUMN layra.session_memory.entries IS 'How many of them.';
COMMENT ON COLUMN layra.session_memory.bytes IS 'Bytes that they take.';

-- functions_runs
COMMENT ON FUNCTION layra.define_workflow(text, jsonb, boolean) IS
$$Stores a workflow definition, and returns its version number.
It belongs to the calling role and never changes; runs refer to one version of it.
name text: 1 to 255 characters, unique per owner.
definition jsonb: object of nodes, edges, variables and policy, all optional; other keys are kept.
shared boolean, default false: true lets the runs of every role use it (level admin).
Result integer: 1 for the first definition of that name, then 2, 3, ...; the same content again returns the same number.
Errors: 22023 bad argument or definition (DETAIL lists all problems), 42501 shared without level admin, 23505 the shared name belongs to another role, 54000 over 64 MB.
Example: SELECT layra.define_workflow('billing',
    '{"variables": {"total": {"schema": {"type": "number"}, "default": 0}}}');$$;

COMMENT ON FUNCTION layra.start_run(text, text, jsonb, jsonb, integer, text) IS
$$Starts a run, owned by the calling role.
Until the transaction ends, another session that starts a run with the same id waits.
run_id text: name of the run, 1 to 255 characters, none a control character; unique in the database.
workflow text, default NULL: name of a workflow of the caller, else a shared one; NULL: a run without definition.
variables jsonb, default {}: object of first values; defaults of the definition apply to names that are not in it.
metadata jsonb, default {}: object that is kept with the run and never changes.
workflow_version integer, default NULL: version of the definition; NULL: the newest.
idempotency_key text, default NULL: 1 to 255 characters; the same call again with the same key does nothing and returns the first call's result.
Result bigint: the run's first version, 1.
Errors: 22023 bad argument, P0002 no such workflow, 23505 the run already exists, 23514 a variable violates its schema, 54000 over a size limit, 40001 above READ COMMITTED where a concurrent start won.
Example: SELECT layra.start_run('order-17', variables => '{"total": 120.50}');$$;

COMMENT ON FUNCTION layra.finish_run(text, text, jsonb, bigint, text) IS
$$Ends a run as completed, failed or cancelled.
A finished run refuses every write but reopen_run and drop_run; it can still be read and forked.
run_id text: the run.
status text, default completed: completed, failed or cancelled.
result jsonb, default NULL: any JSON value, shown in layra.runs.
expected_version bigint, default NULL: the version of the run that the caller has read; NULL: no check.
idempotency_key text, default NULL: a name for this call, see start_run.
Result bigint: the run's new version.
Errors: 22023 bad argument, P0002 no such run, 42501 not the caller's run, 40001 another version, 55000 already finished, 54000 result over 64 MB.
Example: SELECT layra.finish_run('order-17', result => '{"paid": true}');$$;

COMMENT ON FUNCTION layra.reopen_run(text, text, bigint, text) IS
$$Lets a failed or cancelled run continue.
A completed run stays closed. The result and finished_at of the run are cleared; the log keeps them.
run_id text: the run.
reason text, default NULL: kept in the event.
expected_version bigint, default NULL: the version of the run that the caller has read; NULL: no check.
idempotency_key text, default NULL: a name for this call, see start_run.
Result bigint: the run's new version.
Errors: 22023 bad argument, P0002 no such run, 42501 not the caller's run, 40001 another version, 55000 the run is not failed or cancelled.
Example: SELECT layra.reopen_run('order-17', 'card was replaced');$$;

COMMENT ON FUNCTION layra.cancel_run(text, text, bigint, text) IS
$$Asks the worker of a run to end it.
The status becomes cancelling, which the worker sees and answers with finish_run.
run_id text: the run.
reason text, default NULL: kept in the event.
expected_version bigint, default NULL: the version of the run that the caller has read; NULL: no check.
idempotency_key text, default NULL: a name for this call, see start_run.
Result bigint: the run's new version; the current one, and no event, where it is cancelling already.
Errors: 22023 bad argument, P0002 no such run, 42501 not the caller's run, 40001 another version, 55000 finished.
Example: SELECT layra.cancel_run('order-17', 'customer withdrew');$$;

COMMENT ON FUNCTION layra.set_owner(text, name, bigint, text) IS
$$Gives a run to another role.
The run keeps the workflow definition that it has.
run_id text: the run.
owner name: a role that the caller can SET ROLE to, as ALTER ... OWNER TO asks.
expected_version bigint, default NULL: the version of the run that the caller has read; NULL: no check.
idempotency_key text, default NULL: a name for this call, see start_run.
Result bigint: the run's new version.
Errors: 22023 bad argument, 42704 no such role, P0002 no such run, 42501 not the caller's run or role, 40001 another version, 55000 finished.
Example: SELECT layra.set_owner('order-17', 'billing_team');$$;

COMMENT ON FUNCTION layra.drop_run(text, text) IS
$$Erases a run with all that belongs to it, and leaves a seal.
It does so whatever the status of the run is, unless somebody holds it or a retention policy forbids it. The seal says what there was, who dropped it, when and why. A new run can have its id: its first event then names the seal.
Its forks stay, with the idempotency keys that they had from it, and become forks of its own parent; where it had none, their parent_run_id is NULL and their parent_version 0.
run_id text: the run.
reason text, default NULL: kept in the seal.
Result: none.
Errors: 22023 bad argument, P0002 no such run, 42501 not the caller's run, 55000 the run is held or its policy forbids it, 54000 the reason is over 64 MB, 40001 above READ COMMITTED where the run was written to or forked since the snapshot.
Example: SELECT layra.drop_run('order-17', 'a test');$$;

COMMENT ON FUNCTION layra.hold_run(text, text) IS
$$Holds a run, finished or not: it cannot be dropped until release_run.
The same call again does nothing; another reason replaces the one before. Nothing else that the run does is forbidden; a fork of it is not held.
run_id text: the run.
reason text: why, as the view runs shows it.
Result bigint: the run's new version.
Errors: 22023 bad argument, P0002 no such run, 42501 not the caller's run, 54000 the reason is over 64 MB.
Example: SELECT layra.hold_run('order-17', 'audit 2026');$$;

COMMENT ON FUNCTION layra.release_run(text, text) IS
$$Ends the hold of a run, so that it can be dropped again.
Without a hold it does nothing.
run_id text: the run.
reason text, default NULL: kept in the event.
Result bigint: the run's new version.
Errors: 22023 bad argument, P0002 no such run, 42501 not the caller's run, 54000 the reason is over 64 MB.
Example: SELECT layra.release_run('order-17', 'the audit is over');$$;

COMMENT ON FUNCTION layra.set_retention(jsonb, text) IS
$$Says whether the caller's runs may be dropped.
With {"drop": false} drop_run refuses them, whoever calls it, until the policy is set again or removed. A workflow's own policy comes before the one for all; policy.retention of a definition forbids it for good.
policy jsonb: an object with the rule drop, true or false; NULL: removes the policy.
workflow text, default NULL: only for runs of this workflow; NULL: for all that have no policy of their own.
Result: none.
Errors: 22023 bad argument.
Example: SELECT layra.set_retention('{"drop": false}');$$;

-- functions_variables
COMMENT ON FUNCTION layra.set_variables(text, jsonb, jsonb, text, bigint, text) IS
$$Sets variables of a run, all or none of them, in one new version.
Other writers of the run wait until the transaction ends.
run_id text: the run.
updates jsonb: object of names and new values; a name that is left out is untouched. JSON null is a value.
expected_variables jsonb, default NULL: object {"name": version} of the run version that last changed each variable, 0 for one that is not set; any other is 40001.
on_conflict text, default fail: what happens when expected_version is not the newest. fail: 40001; overwrite: set them anyway; merge: three-way merge with the state at expected_version, 40001 only where both sides changed the same place.
expected_version bigint, default NULL: the version of the run that the caller has read; NULL: no check; overwrite and merge need it.
idempotency_key text, default NULL: a name for this call, see start_run.
Result bigint: the run's new version, also where every value is the same already.
Errors: 22023 bad argument, P0002 no such run, 42501 not the caller's run, 40001 conflict (DETAIL names the paths), 55000 finished, 54000 over a size limit, 23514 a value violates its schema.
Example: SELECT layra.set_variables('order-17', '{"total": 99.90}', expected_version => 1);$$;

COMMENT ON FUNCTION layra.try_set_variables(text, jsonb, jsonb, text, bigint, text) IS
$$Sets variables like set_variables, but returns a conflict as a row.
A conflict is not an error, so the transaction continues.
run_id text: the run.
updates jsonb: as in set_variables.
expected_variables jsonb, default NULL: as in set_variables.
on_conflict text, default fail: as in set_variables.
expected_version bigint, default NULL: as in set_variables.
idempotency_key text, default NULL: a name for this call, see start_run.
Result: one row.
committed boolean: whether the variables were set.
version bigint: the new version; after a conflict the newest.
conflicts jsonb: NULL, or after a conflict an array of objects with path and, as far as they apply, expected and actual (versions of the variable), base (merge only), ours and theirs (values; a side that has none is left out).
Errors: 22023 bad argument, P0002 no such run, 42501 not the caller's run, 40001 only above READ COMMITTED, where the snapshot hides the newest version, 55000 finished, 54000 over a size limit, 23514 a value violates its schema.
Example: SELECT * FROM layra.try_set_variables('order-17', '{"total": 80}', expected_version => 1);$$;

COMMENT ON FUNCTION layra.set_variable(text, text, jsonb, bigint, text) IS
$$Sets one variable of a run.
Writers of different variables never conflict here: the expected version is the variable's own.
run_id text: the run.
name text: the variable, 1 to 255 characters.
value jsonb: any JSON value; SQL NULL is refused, see unset_variables.
expected_version bigint, default NULL: the run version that last changed this variable (not the run's newest), 0 for one that is not set; NULL: no check.
idempotency_key text, default NULL: a name for this call, see start_run.
Result bigint: the run's new version.
Errors: 22023 bad argument, P0002 no such run, 42501 not the caller's run, 40001 the variable has another version, 55000 finished, 54000 over a size limit, 23514 the value violates its schema.
Example: SELECT layra.set_variable('order-17', 'total', '99.90');$$;

COMMENT ON FUNCTION layra.unset_variables(text, text[], bigint, text) IS
$$Unsets variables of a run; their history stays.
A name that is not set is not an error.
run_id text: the run.
names text[]: the variables.
expected_version bigint, default NULL: the version of the run that the caller has read; NULL: no check.
idempotency_key text, default NULL: a name for this call, see start_run.
Result bigint: the run's new version.
Errors: 22023 bad argument, P0002 no such run, 42501 not the caller's run, 40001 another version, 55000 finished.
Example: SELECT layra.unset_variables('order-17', '{coupon,discount}');$$;

COMMENT ON FUNCTION layra.get_variable(text, text, bigint) IS
$$Reads one variable of a run, as it is or was at a version.
run_id text: the run.
name text: the variable.
at_version bigint, default NULL: the version to read at; NULL: the newest.
Result jsonb: the value; SQL NULL where it is not set. A JSON null is a value.
Errors: 22023 bad argument or no such version, P0002 no such run, 42501 not a run that the caller may read.
Example: SELECT layra.get_variable('order-17', 'total', at_version => 1);$$;

COMMENT ON FUNCTION layra.get_variables(text, text[], bigint, text) IS
$$Reads variables of a run as one JSON object.
run_id text: the run.
names text[], default NULL: only these; NULL: all.
at_version bigint, default NULL: the version to read at; NULL: the newest.
in_group text, default NULL: only variables that the workflow's definition puts in this group; NULL: all.
Result jsonb: object of names and values; what is not set is not in it.
Errors: 22023 bad argument or no such version, P0002 no such run, 42501 not a run that the caller may read.
Example: SELECT layra.get_variables('order-17', '{total,customer}');$$;

-- functions_documents
COMMENT ON FUNCTION layra.save_state(text, jsonb, bigint, text) IS
$$Replaces the state of a run by an engine's document, storing only changes.
It creates the run where there is none. Without nodes and edges in the document the run's graph stays as it is.
run_id text: the run.
state jsonb: object of global_variables (object), execution_status (object of true, false, null), loop_index (object of numbers), context (object of arrays), nodes and edges (arrays), each optional, and any other fields.
expected_version bigint, default NULL: the version of the run that the caller has read, 0: the run must not exist; NULL: no check.
idempotency_key text, default NULL: a name for this call, see start_run.
Result bigint: the run's new version.
Errors: 22023 bad argument or a field of the wrong type, P0002 expected_version above 0 and no such run, 42501 not the caller's run, 40001 another version, 55000 finished, 54000 over a size limit, 23514 a variable violates its schema.
Example: SELECT layra.save_state('order-18', '{"global_variables": {"total": 5}}');$$;

COMMENT ON FUNCTION layra.get_state(text, bigint) IS
$$Reads the state of a run as a document, as it is or was at a version.
The document is what save_state was given, with later changes in it.
run_id text: the run.
at_version bigint, default NULL: the version to read at; NULL: the newest.
Result jsonb: object. A field is in it if it was in the last saved document or has content now.
Errors: 22023 bad argument or no such version, P0002 no such run, 42501 not a run that the caller may read.
Example: SELECT layra.get_state('order-18', at_version => 1);$$;

-- functions_events
COMMENT ON FUNCTION layra.append_event(text, text, jsonb, jsonb, bigint, text) IS
$$Appends an event of your own to a run's log, and sets variables with it.
Other writers of the run wait until the transaction ends.
run_id text: the run.
type text: 1 to 255 characters; types that start with run. variables. state. checkpoint. node. loop. interaction. workflow. breaker. policy. layra. are reserved for the extension.
payload jsonb, default {}: any JSON value.
updates jsonb, default NULL: object of variables to set in the same version.
expected_version bigint, default NULL: the version of the run that the caller has read; NULL: no check.
idempotency_key text, default NULL: a name for this call, see start_run.
Result bigint: the run's new version.
Errors: 22023 bad argument, P0002 no such run, 42501 not the caller's run, 40001 another version, 55000 finished, 54000 over a size limit, 23514 the payload or a variable violates its schema.
Example: SELECT layra.append_event('order-17', 'payment.received', '{"amount": 99.90}', '{"paid": true}');$$;

COMMENT ON FUNCTION layra.append_events(text, jsonb, bigint, text) IS
$$Appends several events to a run's log, all or none.
Each has a version of its own.
run_id text: the run.
events jsonb: array of at least one object {"type": ..., "payload": ..., "updates": ...}; type is required, the others are as in append_event.
expected_version bigint, default NULL: the run's version before the first event; NULL: no check.
idempotency_key text, default NULL: a name for this call, see start_run; it is recorded with the last event.
Result bigint: the version of the last event.
Errors: 22023 bad argument, P0002 no such run, 42501 not the caller's run, 40001 another version, 55000 finished, 54000 over a size limit, 23514 a payload or a variable violates its schema.
Example: SELECT layra.append_events('order-17', '[{"type": "mail.sent"}, {"type": "mail.read"}]');$$;

COMMENT ON FUNCTION layra.events(text, bigint, integer, text[]) IS
$$Reads the log of a run in order, a batch at a time.
Call it again with the last version as after_version until no row comes.
run_id text: the run.
after_version bigint, default 0: only events above this version.
batch_size integer, default 1000: rows at most, 1 to 100,000.
types text[], default NULL: only these types; NULL: all.
Result: version, type, payload, changed (names of the cells it changed), actor (the role that called), on_behalf_of (layra.actor: a claim), at.
Errors: 22023 bad argument, P0002 no such run, 42501 not a run that the caller may read.
Example: SELECT version, type, payload FROM layra.events('order-17', after_version => 1, batch_size => 100);$$;

-- functions_time
COMMENT ON FUNCTION layra.checkpoint(text, text, text, jsonb, boolean, bigint, text) IS
$$Marks the state of a run as a checkpoint, in a version of its own.
Nothing is copied: the cost does not depend on the size of the state.
run_id text: the run.
label text, default NULL: a name for rollback_to, unique in the run; NULL: none.
kind text, default manual: what sort of checkpoint this is, 1 to 255 characters.
metadata jsonb, default {}: object kept with it.
replace boolean, default false: true moves a label that exists; its old checkpoint stays, without a label.
expected_version bigint, default NULL: the version of the run that the caller has read; NULL: no check.
idempotency_key text, default NULL: a name for this call, see start_run.
Result bigint: the run's new version, which is the checkpoint's.
Errors: 22023 bad argument, P0002 no such run, 42501 not the caller's run, 40001 another version, 23505 the label already exists, 55000 finished, or the label's checkpoint is protected, 54000 metadata over 64 MB.
Example: SELECT layra.checkpoint('order-17', 'before payment');$$;

COMMENT ON FUNCTION layra.protect_checkpoint(text, text, boolean, bigint, text) IS
$$Protects a checkpoint: no rollback goes to a version before it.
Its label does not move, either.
run_id text: the run.
label text: the checkpoint's.
protected boolean, default true: false removes the protection.
expected_version bigint, default NULL: the version of the run that the caller has read; NULL: no check.
idempotency_key text, default NULL: a name for this call, see start_run.
Result bigint: the run's new version.
Errors: 22023 bad argument, P0002 no such run or label, 42501 not the caller's run, 40001 another version, 55000 finished.
Example: SELECT layra.protect_checkpoint('order-17', 'before payment');$$;

COMMENT ON FUNCTION layra.rollback(text, bigint, text, bigint, text) IS
$$Restores the state that a run had at a version, as a new version.
The log keeps everything, and a rollback can be rolled back. Nodes that were running become pending; idempotency keys used after to_version count as unused.
run_id text: the run.
to_version bigint: 1 to the newest.
reason text, default NULL: kept in the event.
expected_version bigint, default NULL: the version of the run that the caller has read; NULL: no check.
idempotency_key text, default NULL: a name for this call, see start_run.
Result bigint: the run's new version.
Errors: 22023 bad argument or no such version, P0002 no such run, 42501 not the caller's run, 40001 another version, 55000 finished, or a protected checkpoint stands after to_version.
Example: SELECT layra.rollback('order-17', 3, 'wrong price list');$$;

COMMENT ON FUNCTION layra.rollback_to(text, text, text, bigint, text) IS
$$Restores the state that a run had at a checkpoint, as a new version.
It is rollback to the version of that checkpoint.
run_id text: the run.
label text: the checkpoint's.
reason text, default NULL: kept in the event.
expected_version bigint, default NULL: the version of the run that the caller has read; NULL: no check.
idempotency_key text, default NULL: a name for this call, see start_run.
Result bigint: the run's new version.
Errors: 22023 bad argument, P0002 no such run or label, 42501 not the caller's run, 40001 another version, 55000 finished, or a protected checkpoint stands after that one.
Example: SELECT layra.rollback_to('order-17', 'before payment', 'card declined');$$;

COMMENT ON FUNCTION layra.history(text, text, text) IS
$$Reads every value that a variable, or another cell, has had.
run_id text: the run.
key text: the variable's name, node id, loop id or field.
scope text, default variable: variable, node, loop, context (the node's entries, one after the other) or engine.
Result, oldest first: revision (1, 2, ... per cell), version of the run, value (SQL NULL: unset), at, actor, on_behalf_of and type of the event. No row where there never was one.
Errors: 22023 bad argument, P0002 no such run, 42501 not a run that the caller may read.
Example: SELECT version, value, actor FROM layra.history('order-17', 'total');$$;

COMMENT ON FUNCTION layra.diff(text, bigint, bigint) IS
$$Reads what differs between the states of a run at two versions.
run_id text: the run.
from_version bigint: a version; it may be the newer one.
to_version bigint, default NULL: the other version; NULL: the newest.
Result, sorted by the first three: scope, key, ordinal (entry of a context, else 0), op (added, changed, removed), old_value (SQL NULL where added), new_value (SQL NULL where removed).
Errors: 22023 bad argument or no such version, P0002 no such run, 42501 not a run that the caller may read.
Example: SELECT key, op, old_value, new_value FROM layra.diff('order-17', 1);$$;

COMMENT ON FUNCTION layra.version_at(text, timestamptz) IS
$$Finds the version that a run had at a time.
run_id text: the run.
at timestamptz: the time.
Result bigint: the last version whose event is not later; SQL NULL before the first event.
Errors: 22023 bad argument, P0002 no such run, 42501 not a run that the caller may read.
Example: SELECT layra.get_state('order-17', layra.version_at('order-17', '2026-01-05 12:00+00'));$$;

COMMENT ON FUNCTION layra.fork_run(text, text, bigint, text) IS
$$Starts a new run with the state that another run had at some version.
The fork belongs to the calling role and is running. It has the parent's workflow and metadata, not its checkpoints, result, leases and questions; nodes that were running are pending; idempotency keys that the parent had used by then count as used.
run_id text: the parent, of any status; it does not change.
new_run_id text: the name of the fork.
at_version bigint, default NULL: the parent's version to take; NULL: the newest.
idempotency_key text, default NULL: a name for this call, see start_run; it is a key of the fork.
Result bigint: the fork's version, 1.
Errors: 22023 bad argument or no such version, P0002 no such run, 42501 the parent is not the caller's, 23505 new_run_id already exists, 40001 above READ COMMITTED where a concurrent fork won.
Example: SELECT layra.fork_run('order-17', 'order-17-again', at_version => 3);$$;

COMMENT ON FUNCTION layra.cells(text, text, bigint) IS
$$Reads the live cells of a run, which the views of a run are made of.
run_id text: the run.
scope text, default NULL: variable, node, loop, context or engine; NULL: all.
at_version bigint, default NULL: the version to read at; NULL: the newest.
Result, in no order: scope, key, ordinal, version that set the value, revision (count of changes of this cell), value.
Errors: 22023 bad argument or no such version, P0002 no such run, 42501 not a run that the caller may read.
Example: SELECT key, value FROM layra.cells('order-17', 'variable', at_version => 1);$$;

-- functions_execution
COMMENT ON FUNCTION layra.begin_node(text, text, text, interval) IS
$$Takes a node of a run for a worker.
Of a completed or skipped node it returns what is recorded. Call it in a transaction of its own: other writers of the run wait until that ends.
run_id text: the run.
node_id text: the node, 1 to 255 characters.
worker text, default NULL: name of the worker, 1 to 255 characters; the one that holds the node takes it again.
lease interval, default NULL: how long the node is held, above zero; NULL: until this worker, reset_nodes or recover_run gives it up.
Result: version; attempt (1, 2, ... never repeated in a run's life); status running where this call took it, else completed or skipped; output of a completed node, from its context.
Errors: 22023 bad argument, P0002 no such run, 42501 not the caller's run, 55P03 another worker holds it (DETAIL has holder and until), 55000 the run is paused, cancelling or finished, 40001 above READ COMMITTED where the run was written to since the snapshot.
Example: SELECT * FROM layra.begin_node('order-17', 'price', worker => 'w1', lease => '5 minutes');$$;

COMMENT ON FUNCTION layra.heartbeat(text, text, integer, interval) IS
$$Extends the lease of a node.
It appends no event and does not wait for the run. Call it in a transaction of its own: what changes this lease waits until that ends.
run_id text: the run.
node_id text: the node.
attempt integer: the attempt that begin_node returned.
lease interval: how long from now the node is held, above zero.
Result: until (end of the lease), run_status (cancelling: stop working).
Errors: 22023 bad argument, P0002 no such run, 42501 not the caller's run, 55000 the node was never begun, or this attempt has no lease any more.
Example: SELECT * FROM layra.heartbeat('order-17', 'pay', attempt => 1, lease => '5 minutes');$$;

COMMENT ON FUNCTION layra.complete_node(text, text, jsonb, jsonb, integer, bigint, text) IS
$$Completes a running node with its output and variables, in one version.
Its lease ends, and a checkpoint is made where the workflow's policy asks for one.
run_id text: the run.
node_id text: the node.
output jsonb, default NULL: any JSON value, appended to the node's context; NULL: none.
updates jsonb, default NULL: object of variables to set.
attempt integer, default NULL: the attempt that begin_node returned; NULL: whichever is running.
expected_version bigint, default NULL: the version of the run that the caller has read; NULL: no check.
idempotency_key text, default NULL: a name for this call, see start_run.
Result bigint: the run's new version; the first call's version where this attempt was completed with this output already.
Errors: 22023 bad argument, P0002 no such run, 42501 not the caller's run, 40001 another version, 55000 the node is not running, the attempt is over or the run finished, 54000 over a size limit, 23514 a variable violates its schema.
Example: SELECT layra.complete_node('order-17', 'pay', '{"receipt": 4711}', '{"paid": true}', attempt => 1);$$;

COMMENT ON FUNCTION layra.fail_node(text, text, jsonb, integer, bigint, text) IS
$$Records that a running node failed.
Its lease ends. The run continues, and the node can be begun again or skipped.
run_id text: the run.
node_id text: the node.
error jsonb: any JSON value, kept in the node's details.
attempt integer, default NULL: the attempt that begin_node returned; NULL: whichever is running.
expected_version bigint, default NULL: the version of the run that the caller has read; NULL: no check.
idempotency_key text, default NULL: a name for this call, see start_run.
Result bigint: the run's new version; the first call's version where this attempt failed with this error already.
Errors: 22023 bad argument, P0002 no such run, 42501 not the caller's run, 40001 another version, 55000 the node is not running, the attempt is over or the run finished, 54000 over 64 MB.
Example: SELECT layra.fail_node('order-17', 'pay', '{"message": "card declined"}', attempt => 1);$$;

COMMENT ON FUNCTION layra.skip_nodes(text, text[], text, bigint, text) IS
$$Marks pending and failed nodes as skipped, all or none of them.
run_id text: the run.
node_ids text[]: the nodes; those that were never begun are pending.
reason text, default NULL: kept in the event.
expected_version bigint, default NULL: the version of the run that the caller has read; NULL: no check.
idempotency_key text, default NULL: a name for this call, see start_run.
Result bigint: the run's new version; an older one, and no event, where all of them are skipped already.
Errors: 22023 bad argument, P0002 no such run, 42501 not the caller's run, 40001 another version, 55000 a node is running or completed, or the run finished.
Example: SELECT layra.skip_nodes('order-17', '{ship}', 'nothing to ship');$$;

COMMENT ON FUNCTION layra.reset_nodes(text, text[], bigint, text) IS
$$Makes nodes pending again, and ends their leases.
Their context stays, and attempts continue to count up.
run_id text: the run.
node_ids text[]: the nodes; those that were never begun stay as they are.
expected_version bigint, default NULL: the version of the run that the caller has read; NULL: no check.
idempotency_key text, default NULL: a name for this call, see start_run.
Result bigint: the run's new version; an older one, and no event, where all of them are pending already.
Errors: 22023 bad argument, P0002 no such run, 42501 not the caller's run, 40001 another version, 55000 the run finished.
Example: SELECT layra.reset_nodes('order-17', '{pay}');$$;

COMMENT ON FUNCTION layra.context(text, text, integer) IS
$$Reads outputs of nodes, newest first.
The cost is that of the rows returned, however much context there is.
run_id text: the run.
node_id text, default NULL: only this node; NULL: every node.
last integer, default NULL: entries of each node at most, 0 or more; NULL: all.
Result: node_id, ordinal of the entry, value, version that set it, bytes of its JSON text.
Errors: 22023 bad argument, P0002 no such run, 42501 not a run that the caller may read.
Example: SELECT value FROM layra.context('order-17', 'price', last => 1);$$;

COMMENT ON FUNCTION layra.set_engine(text, jsonb, bigint, text) IS
$$Sets an engine's own fields of the state document.
These are execution_stack, skip_nodes and whatever else the engine keeps there. The rest of the document is not saved again.
run_id text: the run.
fields jsonb: object of field names and values; a field that is left out is untouched.
expected_version bigint, default NULL: the version of the run that the caller has read; NULL: no check.
idempotency_key text, default NULL: a name for this call, see start_run.
Result bigint: the run's new version.
Errors: 22023 bad argument, or a field that is made of cells or reserved for the extension, P0002 no such run, 42501 not the caller's run, 40001 another version, 55000 the run finished, 54000 over 64 MB.
Example: SELECT layra.set_engine('order-17', '{"execution_stack": ["pay"]}');$$;

COMMENT ON FUNCTION layra.enter_loop(text, text, integer, bigint, text) IS
$$Enters a loop, before its first iteration.
Its index is -1 until next_iteration, and the loops inside it leave the live state.
run_id text: the run.
loop_id text: the loop's node.
max_iterations integer, default NULL: the bound, 0 or more; NULL: the node's data.maxCount, else the policy's loops.default_max, else 100.
expected_version bigint, default NULL: the version of the run that the caller has read; NULL: no check.
idempotency_key text, default NULL: a name for this call, see start_run.
Result bigint: the run's new version; of an active loop the version of its last change, and no event.
Errors: 22023 bad argument, P0002 no such run, 42501 not the caller's run, 40001 another version, 55000 the run finished.
Example: SELECT layra.enter_loop('order-17', 'items', max_iterations => 3);$$;

COMMENT ON FUNCTION layra.next_iteration(text, text, integer) IS
$$Begins the next iteration of a loop.
The nodes of its body become pending, and the loops in it leave the live state, in the same version.
run_id text: the run.
loop_id text: the loop's node.
after integer, default NULL: index that the caller has finished, -1 for none: where the loop is at after + 1 already, that index is returned and nothing appended; NULL: always the next one.
Result integer: the index that begins, from 0; SQL NULL, and no event, where the bound is reached.
Errors: 22023 bad argument, P0002 no such run, 42501 not the caller's run, 55000 the loop is not active or at another index, or the run finished.
Example: SELECT layra.next_iteration('order-17', 'lines', after => -1);$$;

COMMENT ON FUNCTION layra.exit_loop(text, text, bigint, text) IS
$$Ends a loop.
Where its node says "data": {"context": "loop"}, the context of its body leaves the live state.
run_id text: the run.
loop_id text: the loop's node.
expected_version bigint, default NULL: the version of the run that the caller has read; NULL: no check.
idempotency_key text, default NULL: a name for this call, see start_run.
Result bigint: the run's new version; of a loop that has ended already the version in which it did, and no event.
Errors: 22023 bad argument, P0002 no such run, 42501 not the caller's run, 40001 another version, 55000 the loop was never entered, or the run finished.
Example: SELECT layra.exit_loop('order-17', 'lines');$$;

COMMENT ON FUNCTION layra.recover_run(text, boolean, boolean) IS
$$Prepares a run to continue after a crash.
Nodes that nobody holds become pending, a run whose questions have all expired is running again, and a state that is not valid is reported, and rolled back where the caller says so.
run_id text: the run.
dry_run boolean, default false: true only reports what the call would do.
rollback boolean, default false: true goes back to checkpoint_version where there are problems.
Result, one row: from_version; checkpoint_version, the newest one that is valid (NULL: the state is valid, or there is none); incomplete (nodes that were running); last_completed; resume_at (nodes to continue with); problems (as validate_run has them); version after it; lost (cells that a rollback takes back).
Errors: 22023 bad argument, P0002 no such run, 42501 not the caller's run, 55000 the run finished.
Example: SELECT version, resume_at, problems FROM layra.recover_run('order-17');$$;

COMMENT ON FUNCTION layra.stale_runs(interval) IS
$$Lists the runs that make no progress and need a look.
These are running ones in which a lease ran out or nothing has happened for some time, and paused ones whose questions have all expired, as far as the caller may read them. States are not read.
idle interval: that time, above zero.
Result: run_id, version, last_activity, expired (nodes whose lease ran out).
Errors: 22023 bad argument.
Example: SELECT run_id, expired FROM layra.stale_runs('15 minutes');$$;

COMMENT ON FUNCTION layra.pause_run(text, text, jsonb, jsonb, text, interval, text) IS
$$Asks a person a question, and pauses the run until it is answered.
It stores an interaction, and makes a protected checkpoint of kind human with the label interaction and its id.
run_id text: the run.
node_id text: the node that asks.
prompt jsonb, default {}: the question, any JSON value.
response_schema jsonb, default NULL: JSON Schema that the answer must satisfy; NULL: any.
assignee text, default NULL: who may answer: role:NAME (members of that role), else a name that layra.actor must have; NULL: whoever may change the run.
expires_in interval, default NULL: from then on it cannot be answered, above zero; NULL: never.
idempotency_key text, default NULL: a name for this call, see start_run; the repeated call returns the same interaction.
Result uuid: the interaction.
Errors: 22023 bad argument or schema, P0002 no such run, 42501 not the caller's run, 55000 the run is cancelling or finished, 54000 over 64 MB.
Example: SELECT layra.pause_run('order-17', 'pay', '{"question": "Refund?"}', assignee => 'role:billing_team');$$;

COMMENT ON FUNCTION layra.resume_run(text, uuid, jsonb, jsonb, text, bigint, text) IS
$$Stores the answer to a question, and lets the run continue.
The run stays paused while another question is open.
run_id text: the run.
interaction uuid: what pause_run returned.
response jsonb, default {}: the answer, any JSON value.
updates jsonb, default NULL: object of variables to set in the same version.
on_change text, default fail: where variables, loops or context changed since the question, other than by answers: fail gives 40001, accept continues.
expected_version bigint, default NULL: the version of the run that the caller has read; NULL: no check.
idempotency_key text, default NULL: a name for this call, see start_run.
Result bigint: the run's new version; the first call's version where the same answer was given already.
Errors: 22023 bad argument, P0002 no such run, 42501 not the caller's run, or somebody else is asked, 40001 another version or a changed state, 55000 unknown, expired, withdrawn or already answered, 23514 the answer or the state is not valid, 54000 over 64 MB.
Example: SELECT layra.resume_run(run_id, interaction, '{"ok": true}')
    FROM layra.interactions WHERE run_id = 'order-17' AND status = 'pending';$$;

COMMENT ON FUNCTION layra.withdraw_interaction(text, uuid, text, bigint, text) IS
$$Withdraws a question, and lets the run continue.
The run stays paused while another question is open.
run_id text: the run.
interaction uuid: what pause_run returned.
reason text, default NULL: kept in the event.
expected_version bigint, default NULL: the version of the run that the caller has read; NULL: no check.
idempotency_key text, default NULL: a name for this call, see start_run.
Result bigint: the run's new version; the first call's version where it was withdrawn already.
Errors: 22023 bad argument, P0002 no such run, 42501 not the caller's run, 40001 another version, 55000 unknown or answered, or the run finished.
Example: SELECT layra.withdraw_interaction(run_id, interaction, 'too late')
    FROM layra.interactions WHERE run_id = 'order-17' AND status = 'pending';$$;

-- functions_breakers
COMMENT ON FUNCTION layra.define_breaker(text, integer, interval, interval) IS
$$Defines a circuit breaker of the calling role, or changes its settings.
Roles with the owner's privileges use it, too.
name text: 1 to 255 characters, unique per owner.
failure_threshold integer, default 5: failures without a success that open it, 1 or more.
reset_after interval, default 30 seconds: how long it stays open after the last failure, above zero.
probe_lease interval, default 30 seconds: how long a probe has to report, above zero.
Result: none.
Errors: 22023 bad argument.
Example: SELECT layra.define_breaker('payment api', failure_threshold => 3);$$;

COMMENT ON FUNCTION layra.breaker_try(text) IS
$$Asks a circuit breaker whether to make a call.
Report the outcome with breaker_success or breaker_failure. A closed or open breaker writes nothing; no call waits for another transaction.
name text: the caller's own breaker, else one of a role whose privileges the caller has.
Result boolean: closed true, open false, half open true to one caller at a time, whose call is the probe. The probe permit remembers layra.actor: set that to the worker's name.
Errors: 22023 bad argument, P0002 no such breaker.
Example: SELECT layra.breaker_try('mail api');$$;

COMMENT ON FUNCTION layra.breaker_success(text) IS
$$Reports to a circuit breaker that a call succeeded.
A closed breaker counts its failures from zero again; a half-open one is closed by the success of its probe; an open one stays open, as the call began before it opened, and so does a half-open one whose probe permit has another layra.actor than this session. Without failures nothing is written.
name text: the breaker.
Result: none.
Errors: 22023 bad argument, P0002 no such breaker.
Example: SELECT layra.breaker_success('mail api');$$;

COMMENT ON FUNCTION layra.breaker_failure(text, jsonb) IS
$$Reports to a circuit breaker that a call failed.
Call it in a transaction that commits: what is rolled back was never reported.
name text: the breaker.
error jsonb, default NULL: what happened, any JSON value, shown in layra.breakers.
Result: none.
Errors: 22023 bad argument, P0002 no such breaker, 54000 over 64 MB.
Example: SELECT layra.breaker_failure('mail api', '{"status": 503}');$$;

COMMENT ON FUNCTION layra.reset_breaker(text) IS
$$Closes a circuit breaker manually.
name text: the breaker.
Result: none.
Errors: 22023 bad argument, P0002 no such breaker.
Example: SELECT layra.reset_breaker('mail api');$$;

-- functions_rules
COMMENT ON FUNCTION layra.validate_run(text, bigint) IS
$$Checks the state of a run against the rules for it.
The rules are schemas, references to nodes, loop bounds, sizes, hashes, and the validators of the run's workflow.
run_id text: the run.
at_version bigint, default NULL: the version to check; NULL: the newest.
Result: rule (schema, reference, loop, size, hash, or a validator's name), path (JSON Pointer into the state document), message. No row: the state is valid.
Errors: 22023 bad argument or no such version, P0002 no such run, 42501 not a run that the caller may read.
Example: SELECT * FROM layra.validate_run('order-17');$$;

COMMENT ON FUNCTION layra.define_event_type(text, jsonb, boolean) IS
$$Gives the payloads of an event type a JSON Schema.
It holds in the runs of the calling role, where it precedes a shared one; a second call replaces it.
type text: an event type that is not reserved for the extension.
schema jsonb: a JSON Schema.
shared boolean, default false: true for the runs of every role (level admin).
Result: none.
Errors: 22023 bad argument or schema, 42501 shared without level admin, 23505 another role shares this type, 54000 over 64 MB.
Example: SELECT layra.define_event_type('payment.received', '{"type": "object", "required": ["amount"]}');$$;

COMMENT ON FUNCTION layra.add_validator(text, text, regprocedure) IS
$$Adds a custom rule to validate_run, or replaces it (level admin).
It runs as the role that validates.
workflow text: name of the workflows whose runs it checks.
name text: the rule's name, 1 to 255 characters.
function regprocedure: a function with arguments (run_id text, state jsonb) that returns a row of text for each problem.
Result: none.
Errors: 22023 bad argument or other argument types, 42501 not level admin, 42883 no such function.
Example: SELECT layra.add_validator('billing', 'total', 'public.check_total(text, jsonb)');$$;

COMMENT ON FUNCTION layra.remove_validator(text, text) IS
$$Removes a custom rule from validate_run (level admin).
workflow text: name of the workflows.
name text: the rule's name.
Result: none; a rule that does not exist is not an error.
Errors: 22023 bad argument, 42501 not level admin.
Example: SELECT layra.remove_validator('billing', 'total');$$;

COMMENT ON FUNCTION layra.on_event(text, regprocedure, text) IS
$$Registers a handler, which runs after events of a type (level admin).
It runs in the same transaction and as the caller; an error in it undoes the call.
type_pattern text: an event type, or a prefix that ends in .* (mail.* covers mail.sent).
function regprocedure: a function with arguments (run_id text, version bigint, type text, payload jsonb); its result is ignored.
workflow text, default NULL: only runs of workflows of this name; NULL: all runs.
Result: none; a handler that is registered already is not an error.
Errors: 22023 bad argument or other argument types, 42501 not level admin, 42883 no such function.
Example: SELECT layra.on_event('mail.*', 'public.to_outbox(text, bigint, text, jsonb)');$$;

COMMENT ON FUNCTION layra.off_event(text, regprocedure) IS
$$Removes a handler, for all workflows (level admin).
Handlers of the same pattern whose functions were dropped go with it.
type_pattern text: the pattern that it was registered with.
function regprocedure: the function.
Result: none; a handler that does not exist is not an error.
Errors: 22023 bad argument or other argument types, 42501 not level admin, 42883 no such function.
Example: SELECT layra.off_event('mail.*', 'public.to_outbox(text, bigint, text, jsonb)');$$;

-- functions_proof
COMMENT ON FUNCTION layra.verify(text) IS
$$Checks runs against their hash chain, and lists what was tampered with.
It reads the whole log and every stored value, and continues after what cannot be read. A log that lost its newest events is still a chain: compare digest with one that was kept elsewhere.
run_id text, default NULL: the run; NULL: every run that the caller may read.
Result: run_id (NULL for a definition or graph, which belongs to no run), version (NULL where the problem is not in one version), problem. No row: everything is intact.
Errors: 22023 bad argument, P0002 no such run, 42501 not a run that the caller may read.
Example: SELECT * FROM layra.verify('order-17');$$;

COMMENT ON FUNCTION layra.digest(text) IS
$$Reads the head hash of a run: the hash of its newest event.
It depends on every event before it. Keep it elsewhere to prove later that the log was not rewritten.
run_id text, default NULL: the run; NULL: one hash over all that heads returns.
Result text: 64 lower-case hexadecimal digits.
Errors: 22023 bad argument, P0002 no such run, 42501 not a run that the caller may read.
Example: SELECT layra.digest('order-17');$$;

COMMENT ON FUNCTION layra.heads(text) IS
$$Reads the newest hash of every run, and the seals of those that are gone.
They are those that the caller may read. Keep them elsewhere to prove later, with verify_heads, that no run was rewritten or removed behind the extension's back.
owner text, default NULL: only what belongs to this role; NULL: everything that the caller may read.
Result: run_id, version and hash, in the order of run_id as bytes: the seals of a run id (its last version, and the hash of the seal), then the run that has it now.
Errors: 22023 bad argument.
Example: SELECT jsonb_agg(h) FROM layra.heads() h;$$;

COMMENT ON FUNCTION layra.verify_heads(jsonb) IS
$$Compares what heads returned once with what is there.
Each run still has to have that hash at that version, or a seal has to account for it.
heads jsonb: array of objects {"run_id": ..., "version": ..., "hash": ...}; other members are ignored.
Result: run_id, version, problem. No row: everything is accounted for.
Errors: 22023 bad argument.
Example: SELECT * FROM layra.verify_heads('[{"run_id": "order-17", "version": 1, "hash": "1fd0d18474038c1a0f6f76dd146b770045abba1981ffec0abcffc7552d7711af"}]');$$;

-- functions_report
COMMENT ON FUNCTION layra.report(text) IS
$$Makes the report of a run: one HTML file for people who do not use SQL.
It has the result of verify, the graph with the states of its nodes, questions and answers, every change of every value, the state at any version, the timeline with what was undone, checkpoints and forks. Of more than 10,000 events it has the first 1,000, the newest 9,000 and counts of the rest; of many changes of a value the newest, of a large value the beginning. It says what it leaves out.
run_id text: the run.
Result text: the file, in ASCII. It needs nothing else, and loads nothing.
Errors: 22023 bad argument, P0002 no such run, 42501 not a run that the caller may read.
Example: SELECT layra.report('order-17');$$;

COMMENT ON FUNCTION layra.explain_run(text) IS
$$Draws the graph of a run as lines of text, with the state of each node.
The bodies of loops are indented; each line ends with where the node leads. [x] completed, [>] running, [!] failed, [-] skipped, [ ] pending.
run_id text: the run.
Result setof text: a line for the run, one that counts the nodes, and one for each node.
Errors: 22023 bad argument, P0002 no such run, 42501 not a run that the caller may read.
Example: SELECT layra.explain_run('order-17');$$;

COMMENT ON FUNCTION layra.mermaid(text) IS
$$Draws the graph of a run as a flowchart for Mermaid.
Markdown pages of many tools show it, with the state of each node. Loops are subgraphs.
run_id text: the run.
Result text: the flowchart, in ASCII.
Errors: 22023 bad argument, P0002 no such run, 42501 not a run that the caller may read.
Example: SELECT layra.mermaid('order-17');$$;

-- functions_archive
COMMENT ON FUNCTION layra.export_run(text) IS
$$Returns a run as lines of JSON, for an archive or another database.
The lines have everything of it: the definition and the graphs that the run uses, its events, whole values, checkpoints, questions, leases and the keys that a fork inherited, with the hash of each event and a hash of all lines. docs/export.md has the format.
run_id text: the run.
Result jsonb: a row for each line, in order; the last one is the trailer.
Errors: 22023 bad argument, P0002 no such run, 42501 not a run that the caller may read, XX001 what is stored is damaged.
Example: SELECT layra.export_run('order-17');$$;

COMMENT ON FUNCTION layra.import_run(jsonb[]) IS
$$Makes a run of the lines that export_run returned, the same as it was.
Versions, hashes, actors, times and owner are those of the lines. Nothing is written where one of them is missing or was altered. A seal says who imported the run, and when; no handler is called.
lines jsonb[]: all lines of one export, in any order.
Result bigint: the run's newest version.
Errors: 22023 bad argument, 42501 without level admin, 23505 the run already exists, 55000 its definition or its seals are not those that are here, XX001 a line is missing or was altered, 40001 above READ COMMITTED where a concurrent start won.
Example: SELECT layra.import_run(array_agg(line)) FROM archive;$$;

COMMENT ON FUNCTION layra.import_lines(regclass) IS
$$Makes a run of the lines of an export that are in a table.
As import_run, for what is too large for an array: the table is read as the caller, some lines at a time, so memory stays flat.
source regclass: a table, view or foreign table of one column, of type jsonb, with all lines of one export, in any order.
Result bigint: the run's newest version.
Errors: 22023 bad argument, 42501 without level admin or SELECT on the table, 42P01 no such table, 23505 the run already exists, 55000 its definition or its seals are not those that are here, XX001 a line is missing or was altered, 40001 above READ COMMITTED where a concurrent start won.
Example: SELECT layra.import_lines('archive');$$;

-- functions_access
CREATE FUNCTION layra.grant_access(role name, level text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM layra.check_access(role, level);
    -- A name in the encoding of another database is no text in this one (22021).
    PERFORM convert_to(role, 'UTF8');
    INSERT INTO layra.access AS a (level, role) VALUES (grant_access.level, grant_access.role)
    ON CONFLICT DO NOTHING;
    PERFORM layra.renew_grants();
END
$$;

CREATE FUNCTION layra.revoke_access(role name, level text DEFAULT NULL) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    revoked bigint;
BEGIN
    -- A role that is gone has no privileges left, but its levels would come back with a new role of that name.
    IF NOT EXISTS (SELECT FROM pg_roles r WHERE r.rolname = revoke_access.role) THEN
        DELETE FROM layra.access a
        WHERE a.role = revoke_access.role AND (revoke_access.level IS NULL OR a.level = revoke_access.level);
        GET DIAGNOSTICS revoked = ROW_COUNT;
        IF revoked > 0 THEN
            RETURN;
        END IF;
    END IF;
    PERFORM layra.check_access(role, COALESCE(level, 'writer'));
    DELETE FROM layra.access a
    WHERE a.role = revoke_access.role AND (revoke_access.level IS NULL OR a.level = revoke_access.level);
    EXECUTE format('REVOKE ALL ON SCHEMA layra FROM %I', role);
    EXECUTE format('REVOKE ALL ON ALL TABLES IN SCHEMA layra FROM %I', role);
    EXECUTE format('REVOKE ALL ON ALL FUNCTIONS IN SCHEMA layra FROM %I', role);
    PERFORM layra.renew_grants();
END
$$;

CREATE FUNCTION layra.check_access(role name, level text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF role IS NULL OR role = '' THEN
        RAISE EXCEPTION 'role must not be null or empty' USING ERRCODE = 'invalid_parameter_value';
    END IF;
    IF level IS NULL OR level NOT IN ('writer', 'auditor', 'admin') THEN
        RAISE EXCEPTION 'level must be one of writer, auditor, admin' USING ERRCODE = 'invalid_parameter_value';
    END IF;
    IF NOT EXISTS (SELECT FROM pg_roles r WHERE r.rolname = check_access.role) THEN
        RAISE EXCEPTION 'role "%" does not exist', role USING ERRCODE = 'undefined_object';
    END IF;
    -- One grant or revocation at a time: both end in renew_grants, which changes the same catalogue rows, and must see what
    -- the one before it did.
    IF current_setting('transaction_isolation') NOT IN ('read committed', 'read uncommitted') THEN
        RAISE EXCEPTION 'grant_access and revoke_access need the isolation level READ COMMITTED'
            USING ERRCODE = 'active_sql_transaction',
                  HINT = 'BEGIN ISOLATION LEVEL READ COMMITTED; before it.';
    END IF;
    LOCK TABLE layra.access IN SHARE ROW EXCLUSIVE MODE;
END
$$;

COMMENT ON FUNCTION layra.grant_access(name, text) IS
$$Grants a role a level: writer, auditor or admin.
Only the extension's owner and superusers may call it. The grants are kept in layra.access, and every update of the extension renews them.
role name: the role; roles with its privileges have the level, too.
level text: writer (starts runs, reads and writes its own), auditor (reads every run, writes none) or admin (as writer, and defines what all runs use: shared workflows and event types, handlers, validators). A role can have several.
Result: none.
Errors: 22023 unknown level, 42704 no such role, 42501 not the extension's owner, 25001 above READ COMMITTED.
Example: SELECT layra.grant_access('app', 'writer');$$;

COMMENT ON FUNCTION layra.revoke_access(name, text) IS
$$Revokes a level from a role, or all of them.
Its runs stay, with their owner. Only the extension's owner and superusers may call it.
role name: the role.
level text, default NULL: writer, auditor or admin; NULL: all of them.
Result: none; a level that the role does not have is not an error.
Errors: 22023 unknown level, 42704 no such role, 42501 not the extension's owner, 25001 above READ COMMITTED.
Example: SELECT layra.revoke_access('app');$$;

COMMENT ON FUNCTION layra.renew_grants() IS
$$Grants again what layra.access says that roles have.
Updates of the extension end with it; call it after restoring a dump without privileges. Roles that do not exist are skipped.
Result: none.
Errors: 42501 not the extension's owner.
Example: SELECT layra.renew_grants();$$;

-- functions_internal
COMMENT ON FUNCTION layra.breaker_state(text, text) IS
$$Internal: the state of one breaker, for the view breakers.
owner text: the role that it belongs to.
name text: the breaker.
Result: state (closed, open or half_open), failures since the last success, opened_at, last_error.
Errors: 22023 bad argument, P0002 no such breaker, or not one that the caller may see.
Example: SELECT state FROM layra.breaker_state(current_user, 'mail api');$$;

COMMENT ON FUNCTION layra.remembered() IS
$$Internal: what this session caches, for the view session_memory.
Result: what (definitions, places, plans, schemas), entries, bytes.
Errors: none.
Example: SELECT * FROM layra.remembered();$$;

COMMENT ON FUNCTION layra.check_access(name, text) IS
$$Internal: checks the arguments of grant_access and revoke_access.
It also lets one of them run at a time.
role name: must exist.
level text: writer, auditor or admin.
Result: none.
Errors: 22023 unknown level, 42704 no such role, 25001 above READ COMMITTED.
Example: SELECT layra.check_access('app', 'writer');$$;

COMMENT ON FUNCTION layra.reads_runs_of(text) IS
$$Internal: whether the current role reads what a role owns, for row security.
It does with that role's privileges, or as an auditor.
owner text: name of a role; one that does not exist is read by auditors alone.
Result boolean: whether it does.
Errors: none.
Example: SELECT layra.reads_runs_of('billing_team');$$;

COMMENT ON FUNCTION layra.reads_run(text) IS
$$Internal: whether the current role reads a run, for row security.
run_id text: the run; one that does not exist is read by auditors alone.
Result boolean: whether it does.
Errors: none.
Example: SELECT layra.reads_run('order-17');$$;

COMMENT ON FUNCTION layra.readable_owners() IS
$$Internal: the roles whose runs the current role reads, for index searches.
Result text[]: roles whose privileges it has; for auditors and superusers every role that owns anything.
Errors: none.
Example: SELECT layra.readable_owners();$$;

COMMENT ON FUNCTION layra.owners_by_index(internal) IS
$$Internal: tells the planner that an index on owners serves reads_runs_of.
SQL cannot call it.
request internal: the planner's question.
Result internal: the answer.
Errors: none.$$;

COMMENT ON FUNCTION layra.owns(text) IS
$$Internal: whether the current role has the privileges of a role.
owner text: name of a role; one that does not exist gives false.
Result boolean: whether it does.
Errors: none.
Example: SELECT layra.owns('billing_team');$$;

COMMENT ON FUNCTION layra.reads_every_run() IS
$$Internal: whether the current role has the level auditor, for row security.
Result boolean: whether it does.
Errors: none.
Example: SELECT layra.reads_every_run();$$;

COMMENT ON FUNCTION layra.format_3() IS
$$Internal: says that the session's library reads what is stored since 0.3.0.
The index run_parent asks for it, which ends every session whose library is older.
Result boolean: true.
Errors: 42883 in a session that began before the update; connect again.
Example: SELECT layra.format_3();$$;

COMMENT ON FUNCTION layra.changed_cells(text, bigint) IS
$$Internal: the cells that an event changed, for the view changes.
run_id text: the run.
version bigint: of the event.
Result: scope, key, ordinal, old (NULL: it was not set), new (NULL: it was unset).
Errors: 22023 bad argument, P0002 no such run, 42501 not a run that the caller may read.
Example: SELECT * FROM layra.changed_cells('order-17', 1);$$;

COMMENT ON FUNCTION layra.undone_by(text, bigint) IS
$$Internal: the rollback that undid a version, for the view timeline.
run_id text: the run.
version bigint: of the run.
Result bigint: the version of that rollback; NULL: the version counts.
Errors: 22023 bad argument, P0002 no such run, 42501 not a run that the caller may read.
Example: SELECT layra.undone_by('order-17', 1);$$;

-- functions_help
-- What \df+ cannot show: the functions by topic, and each one's comment as a page. The comments are the one source of it.
CREATE FUNCTION layra.help(name text DEFAULT NULL) RETURNS SETOF text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $help$
DECLARE
    width CONSTANT int := 96;
    wanted CONSTANT text := regexp_replace(lower(btrim(help.name)), '^layra\.|\s*\(.*$', '', 'g');
    entry record;
    object record;
    topic text := '';
    names text[] := '{}';
    related text;
    section text := '';
    line text;
    page text[];
    margin int;
BEGIN
    PERFORM layra.format_3(); -- loads the library, and with it the settings
    FOR entry IN SELECT t.topic, t.name, t.related, COALESCE(
            (SELECT obj_description(p.oid, 'pg_proc') FROM pg_proc p
             WHERE p.pronamespace = 'layra'::regnamespace AND p.proname = t.name),
            (SELECT obj_description(c.oid, 'pg_class') FROM pg_class c
             WHERE c.relnamespace = 'layra'::regnamespace AND c.relname = t.name AND c.relkind = 'v'),
            (SELECT s.short_desc FROM pg_settings s WHERE s.name = 'layra.' || t.name)) AS about
        FROM (VALUES
            -- Every function that is not internal, every view and every setting, and what each is related to.
            ('Workflows and runs', 'define_workflow', 'start_run, define_event_type, validate_run'),
            ('Workflows and runs', 'start_run', 'save_state, fork_run, finish_run, runs'),
            ('Workflows and runs', 'finish_run', 'reopen_run, cancel_run, runs'),
            ('Workflows and runs', 'reopen_run', 'finish_run, fork_run'),
            ('Workflows and runs', 'cancel_run', 'finish_run, heartbeat'),
            ('Workflows and runs', 'set_owner', 'start_run, grant_access'),
            ('Workflows and runs', 'drop_run', 'hold_run, seals, fork_run, finish_run'),
            ('Workflows and runs', 'hold_run', 'release_run, drop_run, runs'),
            ('Workflows and runs', 'release_run', 'hold_run, drop_run'),
            ('Workflows and runs', 'set_retention', 'drop_run, hold_run, define_workflow'),
            ('Variables', 'set_variables', 'try_set_variables, set_variable, get_variables, variables'),
            ('Variables', 'try_set_variables', 'set_variables, set_variable'),
            ('Variables', 'set_variable', 'set_variables, get_variable, unset_variables'),
            ('Variables', 'unset_variables', 'set_variables, history'),
            ('Variables', 'get_variable', 'get_variables, history, version_at'),
            ('Variables', 'get_variables', 'get_variable, variables, get_state'),
            ('State documents', 'save_state', 'get_state, set_engine, set_variables'),
            ('State documents', 'get_state', 'save_state, cells, version_at'),
            ('Event log', 'append_event', 'append_events, events, define_event_type, on_event'),
            ('Event log', 'append_events', 'append_event, events'),
            ('Event log', 'events', 'append_event, timeline'),
            ('Checkpoints and history', 'checkpoint', 'rollback_to, protect_checkpoint, define_workflow'),
            ('Checkpoints and history', 'protect_checkpoint', 'checkpoint, rollback'),
            ('Checkpoints and history', 'rollback', 'rollback_to, diff, fork_run, recover_run'),
            ('Checkpoints and history', 'rollback_to', 'checkpoint, rollback'),
            ('Checkpoints and history', 'history', 'events, diff, get_variable'),
            ('Checkpoints and history', 'diff', 'history, rollback, cells'),
            ('Checkpoints and history', 'version_at', 'get_state, get_variable, events'),
            ('Checkpoints and history', 'fork_run', 'start_run, rollback'),
            ('Checkpoints and history', 'cells', 'get_state, variables, nodes, loops, contexts'),
            ('Nodes and loops', 'begin_node', 'heartbeat, complete_node, fail_node, nodes'),
            ('Nodes and loops', 'heartbeat', 'begin_node, complete_node, cancel_run'),
            ('Nodes and loops', 'complete_node', 'begin_node, fail_node, context, append_event'),
            ('Nodes and loops', 'fail_node', 'begin_node, skip_nodes, breaker_failure'),
            ('Nodes and loops', 'skip_nodes', 'reset_nodes, fail_node'),
            ('Nodes and loops', 'reset_nodes', 'begin_node, skip_nodes, recover_run'),
            ('Nodes and loops', 'context', 'complete_node, contexts'),
            ('Nodes and loops', 'set_engine', 'save_state, get_state'),
            ('Nodes and loops', 'enter_loop', 'next_iteration, exit_loop, loops'),
            ('Nodes and loops', 'next_iteration', 'enter_loop, exit_loop, loops'),
            ('Nodes and loops', 'exit_loop', 'enter_loop, next_iteration'),
            ('Recovery', 'recover_run', 'stale_runs, validate_run, rollback, reset_nodes'),
            ('Recovery', 'stale_runs', 'recover_run, heartbeat, runs'),
            ('Questions to people', 'pause_run', 'resume_run, withdraw_interaction, interactions'),
            ('Questions to people', 'resume_run', 'pause_run, withdraw_interaction, interactions, validate_run'),
            ('Questions to people', 'withdraw_interaction', 'pause_run, resume_run, interactions'),
            ('Circuit breakers', 'define_breaker', 'breaker_try, breakers'),
            ('Circuit breakers', 'breaker_try', 'breaker_success, breaker_failure, define_breaker'),
            ('Circuit breakers', 'breaker_success', 'breaker_try, breaker_failure'),
            ('Circuit breakers', 'breaker_failure', 'breaker_try, breaker_success, fail_node'),
            ('Circuit breakers', 'reset_breaker', 'define_breaker, breakers'),
            ('Rules and handlers', 'validate_run', 'add_validator, recover_run, define_workflow, verify'),
            ('Rules and handlers', 'define_event_type', 'append_event, define_workflow'),
            ('Rules and handlers', 'add_validator', 'remove_validator, validate_run'),
            ('Rules and handlers', 'remove_validator', 'add_validator, validate_run'),
            ('Rules and handlers', 'on_event', 'off_event, append_event'),
            ('Rules and handlers', 'off_event', 'on_event'),
            ('Proof', 'verify', 'digest, verify_heads, validate_run'),
            ('Proof', 'digest', 'verify, heads'),
            ('Proof', 'heads', 'verify_heads, digest, seals'),
            ('Proof', 'verify_heads', 'heads, verify'),
            ('Reports', 'report', 'explain_run, mermaid, timeline, verify'),
            ('Reports', 'explain_run', 'report, mermaid, nodes'),
            ('Reports', 'mermaid', 'explain_run, report'),
            ('Archive', 'export_run', 'import_run, import_lines, drop_run, digest'),
            ('Archive', 'import_run', 'export_run, import_lines'),
            ('Archive', 'import_lines', 'export_run, import_run'),
            ('Access', 'grant_access', 'revoke_access, renew_grants, set_owner'),
            ('Access', 'revoke_access', 'grant_access, renew_grants'),
            ('Access', 'renew_grants', 'grant_access'),
            ('Access', 'help', 'runs, timeline'),
            ('Views', 'runs', 'start_run, timeline, stale_runs'),
            ('Views', 'timeline', 'events, runs, changes'),
            ('Views', 'changes', 'timeline, history, diff'),
            ('Views', 'variables', 'get_variables, cells'),
            ('Views', 'nodes', 'begin_node, cells'),
            ('Views', 'loops', 'enter_loop, cells'),
            ('Views', 'contexts', 'context, cells'),
            ('Views', 'interactions', 'pause_run, resume_run'),
            ('Views', 'breakers', 'define_breaker, breaker_try'),
            ('Views', 'seals', 'drop_run, heads'),
            ('Views', 'session_memory', 'runs'),
            ('Settings', 'actor', 'events, pause_run, timeline'),
            ('Settings', 'now', 'version_at')
        ) t(topic, name, related)
    LOOP
        names := names || entry.name;
        IF help.name IS NULL THEN
            IF entry.topic <> topic THEN
                IF topic <> '' THEN
                    RETURN NEXT '';
                END IF;
                topic := entry.topic;
                RETURN NEXT topic;
            END IF;
            RETURN NEXT format('  %-22s%s', entry.name, split_part(entry.about, E'\n', 1));
        ELSIF entry.name = wanted THEN
            related := entry.related;
        END IF;
    END LOOP;
    IF help.name IS NULL THEN
        RETURN NEXT '';
        RETURN NEXT 'What writes to a run holds up its other writers until the transaction ends.';
        RETURN NEXT 'SELECT layra.help(''start_run''); explains one of these.';
        RETURN;
    END IF;

    -- Also what the list leaves out: internal functions and tables.
    SELECT INTO object * FROM (
        SELECT 1 AS place, obj_description(p.oid, 'pg_proc') AS about, NULL::oid AS relation,
            COALESCE(p.proargnames[1:p.pronargs], '{}') AS arguments, 'layra.' || p.proname || '('
                || regexp_replace(pg_get_function_arguments(p.oid), '::[a-z ]+(\[\])?(?=[,)]|$)', '', 'g')
                || ') -> ' || pg_get_function_result(p.oid) AS signature
        FROM pg_proc p WHERE p.pronamespace = 'layra'::regnamespace AND p.proname = wanted
        UNION ALL
        SELECT 2, obj_description(c.oid, 'pg_class'), c.oid, '{}',
            CASE c.relkind WHEN 'v' THEN 'View ' ELSE 'Table ' END || 'layra.' || c.relname
        FROM pg_class c WHERE c.relnamespace = 'layra'::regnamespace AND c.relkind IN ('r', 'p', 'v') AND c.relname = wanted
        UNION ALL
        SELECT 3, s.short_desc || E'\n' || regexp_replace(s.extra_desc, ' (Example: )', E'\n\\1'), NULL, '{}', 'Setting ' || s.name
        FROM pg_settings s WHERE s.name = 'layra.' || wanted) f
    ORDER BY f.place LIMIT 1;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'there is no help on "%"', left(help.name, 255) USING ERRCODE = 'no_data_found',
            HINT = COALESCE((
                SELECT 'Similar: ' || string_agg(s.other, ', ' ORDER BY s.place) || '. ' FROM (
                    SELECT u.other, u.place FROM unnest(names) WITH ORDINALITY u(other, place)
                    WHERE wanted <> '' AND (strpos(u.other, wanted) > 0 OR left(u.other, 3) = left(wanted, 3)
                        OR string_to_array(u.other, '_') && string_to_array(wanted, '_'))
                    ORDER BY u.place LIMIT 8) s), '') || 'SELECT layra.help(); lists all functions, views and settings.';
    END IF;

    page := ARRAY[object.signature, ''];
    FOREACH line IN ARRAY string_to_array(object.about, E'\n') LOOP
        IF line ~ '^(Result|Errors|Example)\M' THEN
            section := substring(line FROM '^\w+');
            page := page || ARRAY['', section, '  ' || regexp_replace(line, '^\w+:? ', '')];
            IF section = 'Errors' THEN
                -- A line for each SQLSTATE.
                page := trim_array(page, 1) || string_to_array(
                    regexp_replace('  ' || substring(line FROM 9), ',? (?=[0-9A-Z]{5} )', E'\n  ', 'g'), E'\n');
            END IF;
            CONTINUE;
        ELSIF section = '' AND substring(line FROM '^\w+(?= )') = ANY (object.arguments) THEN
            section := 'Arguments';
            page := page || ARRAY['', section];
        END IF;
        page := page || CASE WHEN section = '' THEN line ELSE '  ' || line END;
    END LOOP;
    IF object.relation IS NOT NULL THEN
        page := page || ARRAY['', 'Columns'];
        FOR entry IN SELECT a.attname, format_type(a.atttypid, a.atttypmod) AS type, col_description(a.attrelid, a.attnum) AS about
            FROM pg_attribute a WHERE a.attrelid = object.relation AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum
        LOOP
            page := page || format('  %s %s: %s', entry.attname, entry.type, entry.about);
        END LOOP;
    END IF;
    IF related IS NOT NULL THEN
        page := page || ARRAY['', 'Related', '  ' || related];
    END IF;
    FOREACH line IN ARRAY page LOOP
        margin := length(line) - length(ltrim(line));
        IF line = '' THEN
            RETURN NEXT '';
        END IF;
        -- The signature, and what is in a section, goes on further to the right; prose does not.
        RETURN QUERY SELECT repeat(' ', margin + CASE WHEN w.number = 1 OR margin = 0 AND line <> page[1] THEN 0 ELSE 4 END) || w.words[1]
            FROM regexp_matches(ltrim(line), format('(.{1,%s})(?:\s+|$)', width - margin - 4), 'g') WITH ORDINALITY w(words, number);
    END LOOP;
END
$help$;

COMMENT ON FUNCTION layra.help(text) IS
$$Lists the functions, views and settings, or explains one of them.
name text, default NULL: a function, view, table or setting, with or without layra. before it; NULL: the list, by topic, without internal functions.
Result: lines of text, at most 98 characters wide.
Errors: P0002 there is nothing of that name; HINT has similar ones.
Example: SELECT layra.help('start_run');$$;

-- extension
COMMENT ON EXTENSION layra_state IS
'The state of workflow runs: versioned variables, a hash-chained event log, checkpoints, rollback and forks. SELECT layra.help(); lists the functions, layra.help(''start_run'') explains one.';

COMMENT ON SCHEMA layra IS
'State of workflow runs (extension layra_state). What writes to a run holds up its other writers until the transaction ends. SELECT layra.help(); lists the functions, views and settings.';

-- privileges
-- Last of all, when everything is there: nothing for PUBLIC.
REVOKE ALL ON SCHEMA layra FROM PUBLIC;
REVOKE ALL ON ALL TABLES IN SCHEMA layra FROM PUBLIC;
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA layra FROM PUBLIC;

-- Nor for those to whom the default privileges of whoever installs this gave something: grant_access gives.
DO $$
DECLARE
    stranger text;
BEGIN
    FOR stranger IN
        SELECT DISTINCT a.grantee::pg_catalog.regrole::text FROM (
            SELECT n.nspacl, n.nspowner FROM pg_catalog.pg_namespace n WHERE n.oid OPERATOR(pg_catalog.=) 'layra'::pg_catalog.regnamespace
            UNION ALL
            SELECT c.relacl, c.relowner FROM pg_catalog.pg_class c WHERE c.relnamespace OPERATOR(pg_catalog.=) 'layra'::pg_catalog.regnamespace
            UNION ALL
            SELECT p.proacl, p.proowner FROM pg_catalog.pg_proc p WHERE p.pronamespace OPERATOR(pg_catalog.=) 'layra'::pg_catalog.regnamespace
        ) o(acl, owner) CROSS JOIN LATERAL pg_catalog.aclexplode(o.acl) a
        WHERE a.grantee OPERATOR(pg_catalog.<>) 0 AND a.grantee OPERATOR(pg_catalog.<>) o.owner
    LOOP
        EXECUTE pg_catalog.format('REVOKE ALL ON SCHEMA layra FROM %s', stranger);
        EXECUTE pg_catalog.format('REVOKE ALL ON ALL TABLES IN SCHEMA layra FROM %s', stranger);
        EXECUTE pg_catalog.format('REVOKE ALL ON ALL FUNCTIONS IN SCHEMA layra FROM %s', stranger);
    END LOOP;
END
$$;
