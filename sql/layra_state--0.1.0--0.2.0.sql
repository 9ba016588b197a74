-- From 0.1.0 to 0.2.0: nodes, loops, recovery, questions to people, circuit breakers, validation, handlers, groups.

-- ------------------------------------------------------------------------------------------------ what was there before

-- A fork whose parent is gone keeps its version, 0, and no name of a run that somebody else may take.
ALTER TABLE layra.run DROP CONSTRAINT run_parent_version;
ALTER TABLE layra.run ADD CONSTRAINT run_parent_version CHECK (parent_run_id IS NULL OR parent_version IS NOT NULL);
UPDATE layra.run SET parent_run_id = NULL WHERE parent_version OPERATOR(pg_catalog.=) 0;

DROP INDEX layra.event_status;
CREATE INDEX event_status ON layra.event (run_id, version)
    WHERE type = ANY ('{run.finished,run.reopened,run.cancelling,run.rolled_back,interaction.answered,interaction.withdrawn}'::text[]);

-- Two transactions that store the same graph at the same time each keep a row of their own: neither waits.
ALTER TABLE layra.graph DROP CONSTRAINT graph_pkey;
ALTER TABLE layra.graph ADD COLUMN xact xid8 NOT NULL DEFAULT pg_catalog.pg_current_xact_id();
ALTER TABLE layra.graph ADD PRIMARY KEY (owner, hash, xact);

-- It has a new argument, and C code of its own: calls of the old one must not read what they were not given.
DROP FUNCTION layra.get_variables(text, text[], bigint);

-- As a plain function it made the grants of an update the extension's initial privileges, which pg_dump leaves out.
CREATE OR REPLACE FUNCTION layra.renew_grants() RETURNS VOID STRICT
LANGUAGE c
AS 'MODULE_PATHNAME', 'renew_grants_wrapper';

-- ---------------------------------------------------------------------------------------------------------- functions

CREATE FUNCTION layra.add_validator(
    "workflow" TEXT,
    "name" TEXT,
    "function" regprocedure
) RETURNS VOID
LANGUAGE c
AS 'MODULE_PATHNAME', 'add_validator_wrapper';

CREATE FUNCTION layra.begin_node(
    "run_id" TEXT,
    "node_id" TEXT,
    "worker" TEXT DEFAULT NULL,
    "lease" interval DEFAULT NULL
) RETURNS TABLE (
    "version" bigint,
    "attempt" INT,
    "status" TEXT,
    "output" jsonb
)
LANGUAGE c
AS 'MODULE_PATHNAME', 'begin_node_wrapper';

CREATE FUNCTION layra.breaker_failure(
    "name" TEXT,
    "error" jsonb DEFAULT NULL
) RETURNS VOID
LANGUAGE c
AS 'MODULE_PATHNAME', 'breaker_failure_wrapper';

CREATE FUNCTION layra.breaker_state(
    "owner" TEXT,
    "name" TEXT
) RETURNS TABLE (
    "state" TEXT,
    "failures" bigint,
    "opened_at" timestamp with time zone,
    "last_error" jsonb
)
STABLE
LANGUAGE c
AS 'MODULE_PATHNAME', 'breaker_state_wrapper';

CREATE FUNCTION layra.breaker_success(
    "name" TEXT
) RETURNS VOID
LANGUAGE c
AS 'MODULE_PATHNAME', 'breaker_success_wrapper';

CREATE FUNCTION layra.breaker_try(
    "name" TEXT
) RETURNS bool
LANGUAGE c
AS 'MODULE_PATHNAME', 'breaker_try_wrapper';

CREATE FUNCTION layra.complete_node(
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

CREATE FUNCTION layra.context(
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

CREATE FUNCTION layra.define_breaker(
    "name" TEXT,
    "failure_threshold" INT DEFAULT 5,
    "reset_after" interval DEFAULT '30 seconds',
    "probe_lease" interval DEFAULT '30 seconds'
) RETURNS VOID
LANGUAGE c
AS 'MODULE_PATHNAME', 'define_breaker_wrapper';

CREATE FUNCTION layra.define_event_type(type text, schema jsonb, shared boolean DEFAULT false) RETURNS void
LANGUAGE c AS 'MODULE_PATHNAME', 'define_event_type_wrapper';

CREATE FUNCTION layra.enter_loop(
    "run_id" TEXT,
    "loop_id" TEXT,
    "max_iterations" INT DEFAULT NULL,
    "expected_version" bigint DEFAULT NULL,
    "idempotency_key" TEXT DEFAULT NULL
) RETURNS bigint
LANGUAGE c
AS 'MODULE_PATHNAME', 'enter_loop_wrapper';

CREATE FUNCTION layra.exit_loop(
    "run_id" TEXT,
    "loop_id" TEXT,
    "expected_version" bigint DEFAULT NULL,
    "idempotency_key" TEXT DEFAULT NULL
) RETURNS bigint
LANGUAGE c
AS 'MODULE_PATHNAME', 'exit_loop_wrapper';

CREATE FUNCTION layra.fail_node(
    "run_id" TEXT,
    "node_id" TEXT,
    "error" jsonb,
    "attempt" INT DEFAULT NULL,
    "expected_version" bigint DEFAULT NULL,
    "idempotency_key" TEXT DEFAULT NULL
) RETURNS bigint
LANGUAGE c
AS 'MODULE_PATHNAME', 'fail_node_wrapper';

CREATE FUNCTION layra.get_variables(
    "run_id" TEXT,
    "names" TEXT[] DEFAULT NULL,
    "at_version" bigint DEFAULT NULL,
    "in_group" TEXT DEFAULT NULL
) RETURNS jsonb
STABLE
LANGUAGE c
AS 'MODULE_PATHNAME', 'get_variables_in_group_wrapper';

CREATE FUNCTION layra.heartbeat(
    "run_id" TEXT,
    "node_id" TEXT,
    "attempt" INT,
    "lease" interval
) RETURNS TABLE (
    "until" timestamp with time zone,
    "run_status" TEXT
)
LANGUAGE c
AS 'MODULE_PATHNAME', 'heartbeat_wrapper';

CREATE FUNCTION layra.next_iteration(
    "run_id" TEXT,
    "loop_id" TEXT,
    "after" INT DEFAULT NULL
) RETURNS INT
LANGUAGE c
AS 'MODULE_PATHNAME', 'next_iteration_wrapper';

CREATE FUNCTION layra.off_event(
    "type_pattern" TEXT,
    "function" regprocedure
) RETURNS VOID
LANGUAGE c
AS 'MODULE_PATHNAME', 'off_event_wrapper';

CREATE FUNCTION layra.on_event(
    "type_pattern" TEXT,
    "function" regprocedure,
    "workflow" TEXT DEFAULT NULL
) RETURNS VOID
LANGUAGE c
AS 'MODULE_PATHNAME', 'on_event_wrapper';

CREATE FUNCTION layra.pause_run(
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

CREATE FUNCTION layra.recover_run(
    "run_id" TEXT,
    "dry_run" bool DEFAULT false
) RETURNS TABLE (
    "from_version" bigint,
    "checkpoint_version" bigint,
    "incomplete" TEXT[],
    "last_completed" TEXT,
    "resume_at" TEXT[],
    "problems" TEXT[],
    "version" bigint
)
LANGUAGE c
AS 'MODULE_PATHNAME', 'recover_run_wrapper';

CREATE FUNCTION layra.remove_validator(
    "workflow" TEXT,
    "name" TEXT
) RETURNS VOID
LANGUAGE c
AS 'MODULE_PATHNAME', 'remove_validator_wrapper';

CREATE FUNCTION layra.reset_breaker(
    "name" TEXT
) RETURNS VOID
LANGUAGE c
AS 'MODULE_PATHNAME', 'reset_breaker_wrapper';

CREATE FUNCTION layra.reset_nodes(
    "run_id" TEXT,
    "node_ids" TEXT[],
    "expected_version" bigint DEFAULT NULL,
    "idempotency_key" TEXT DEFAULT NULL
) RETURNS bigint
LANGUAGE c
AS 'MODULE_PATHNAME', 'reset_nodes_wrapper';

CREATE FUNCTION layra.resume_run(
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

CREATE FUNCTION layra.set_engine(
    "run_id" TEXT,
    "fields" jsonb,
    "expected_version" bigint DEFAULT NULL,
    "idempotency_key" TEXT DEFAULT NULL
) RETURNS bigint
LANGUAGE c
AS 'MODULE_PATHNAME', 'set_engine_wrapper';

CREATE FUNCTION layra.skip_nodes(
    "run_id" TEXT,
    "node_ids" TEXT[],
    "reason" TEXT DEFAULT NULL,
    "expected_version" bigint DEFAULT NULL,
    "idempotency_key" TEXT DEFAULT NULL
) RETURNS bigint
LANGUAGE c
AS 'MODULE_PATHNAME', 'skip_nodes_wrapper';

CREATE FUNCTION layra.stale_runs(
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

CREATE FUNCTION layra.validate_run(
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

CREATE FUNCTION layra.withdraw_interaction(
    "run_id" TEXT,
    "interaction" uuid,
    "reason" TEXT DEFAULT NULL,
    "expected_version" bigint DEFAULT NULL,
    "idempotency_key" TEXT DEFAULT NULL
) RETURNS bigint
LANGUAGE c
AS 'MODULE_PATHNAME', 'withdraw_interaction_wrapper';

-- ---------------------------------------------------------------------------------------------------- tables and views

ALTER TABLE layra.cell
    -- The states that docs/execution.md draws; an error only where a node failed, an output only where it completed.
    ADD CONSTRAINT cell_node CHECK (scope <> 'node' OR value IS NULL OR (
        COALESCE(value ->> 'status', '') IN ('pending', 'running', 'completed', 'failed', 'skipped')
        AND (NOT value ? 'error' OR value ->> 'status' = 'failed')
        AND (NOT value ? 'output' OR value ->> 'status' = 'completed'))),
    ADD CONSTRAINT cell_loop CHECK (scope <> 'loop' OR value IS NULL OR COALESCE(pg_catalog.jsonb_typeof(value -> 'index'), '') = 'number');

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
CREATE INDEX run_running ON layra.run (run_id) WHERE status = ANY ('{running,paused}'::text[]);

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
    PRIMARY KEY (run_id, id),
    UNIQUE (run_id, version),
    CONSTRAINT interaction_closed CHECK ((status = 'pending') = (closed_version IS NULL)),
    CONSTRAINT interaction_response CHECK ((status = 'answered') = (response_hash IS NOT NULL)),
    CONSTRAINT interaction_answered_by CHECK ((status = 'answered') = (answered_by IS NOT NULL))
);
CREATE INDEX interaction_pending ON layra.interaction (run_id) WHERE status = 'pending';

CREATE TABLE layra.breaker (
    owner             text COLLATE "C" NOT NULL,
    name              text COLLATE "C" NOT NULL,
    failure_threshold integer NOT NULL CHECK (failure_threshold >= 1),
    reset_after       interval NOT NULL CHECK (reset_after > '0'),
    probe_lease       interval NOT NULL CHECK (probe_lease > '0'),
    created_at        timestamptz NOT NULL,
    PRIMARY KEY (name, owner)
);

-- The right to probe is a row of its own, so that a definition does not wait for a probe.
CREATE TABLE layra.breaker_probe (
    owner    text COLLATE "C" NOT NULL,
    name     text COLLATE "C" NOT NULL,
    probe_at timestamptz,
    PRIMARY KEY (name, owner)
);

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

CREATE TABLE layra.event_type (
    owner      text COLLATE "C" NOT NULL,
    type       text COLLATE "C" NOT NULL,
    shared     boolean NOT NULL,
    schema     jsonb NOT NULL,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (type, owner)
);
CREATE UNIQUE INDEX event_type_shared ON layra.event_type (type) WHERE shared;

CREATE TABLE layra.validator (
    workflow   text COLLATE "C" NOT NULL,
    name       text COLLATE "C" NOT NULL,
    function   text NOT NULL,
    created_by text NOT NULL,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (workflow, name)
);

CREATE TABLE layra.handler (
    type_pattern text COLLATE "C" NOT NULL,
    function     text COLLATE "C" NOT NULL,
    workflow     text COLLATE "C" NOT NULL DEFAULT '',
    created_by   text NOT NULL,
    created_at   timestamptz NOT NULL,
    PRIMARY KEY (type_pattern, function, workflow)
);

SELECT pg_catalog.pg_extension_config_dump('layra.lease', '');
SELECT pg_catalog.pg_extension_config_dump('layra.interaction', '');
SELECT pg_catalog.pg_extension_config_dump('layra.breaker', '');
SELECT pg_catalog.pg_extension_config_dump('layra.breaker_probe', '');
SELECT pg_catalog.pg_extension_config_dump('layra.breaker_outcome', '');
SELECT pg_catalog.pg_extension_config_dump('layra.event_type', '');
SELECT pg_catalog.pg_extension_config_dump('layra.validator', '');
SELECT pg_catalog.pg_extension_config_dump('layra.handler', '');

ALTER TABLE layra.lease ENABLE ROW LEVEL SECURITY;
ALTER TABLE layra.interaction ENABLE ROW LEVEL SECURITY;
ALTER TABLE layra.breaker ENABLE ROW LEVEL SECURITY;
ALTER TABLE layra.breaker_probe ENABLE ROW LEVEL SECURITY;
ALTER TABLE layra.breaker_outcome ENABLE ROW LEVEL SECURITY;
ALTER TABLE layra.event_type ENABLE ROW LEVEL SECURITY;

CREATE POLICY readable ON layra.lease FOR SELECT
    USING (EXISTS (SELECT FROM layra.run r WHERE r.run_id OPERATOR(pg_catalog.=) lease.run_id));
CREATE POLICY readable ON layra.interaction FOR SELECT
    USING (EXISTS (SELECT FROM layra.run r WHERE r.run_id OPERATOR(pg_catalog.=) interaction.run_id));
CREATE POLICY readable ON layra.breaker FOR SELECT
    USING (layra.owns(owner) OR (SELECT layra.reads_every_run()));
CREATE POLICY readable ON layra.breaker_probe FOR SELECT
    USING (layra.owns(owner) OR (SELECT layra.reads_every_run()));
CREATE POLICY readable ON layra.breaker_outcome FOR SELECT
    USING (layra.owns(owner) OR (SELECT layra.reads_every_run()));
ALTER TABLE layra.validator ENABLE ROW LEVEL SECURITY;
ALTER TABLE layra.handler ENABLE ROW LEVEL SECURITY;
CREATE POLICY readable ON layra.validator FOR SELECT
    USING (layra.owns(created_by) OR (SELECT layra.reads_every_run()));
CREATE POLICY readable ON layra.handler FOR SELECT
    USING (layra.owns(created_by) OR (SELECT layra.reads_every_run()));
CREATE POLICY readable ON layra.event_type FOR SELECT
    USING (shared OR layra.owns(owner) OR (SELECT layra.reads_every_run()));

CREATE VIEW layra.interactions WITH (security_invoker, security_barrier) AS
SELECT i.run_id, i.id AS interaction, i.node_id, i.status, i.assignee, i.prompt, i.response_schema,
    i.created_at, i.expires_at, i.version, i.closed_version, i.response, i.answered_by, i.answered_for
FROM layra.interaction i;

CREATE VIEW layra.breakers WITH (security_invoker, security_barrier) AS
SELECT b.owner, b.name, s.state, s.failures, s.opened_at, b.failure_threshold, b.reset_after, b.probe_lease, s.last_error
FROM layra.breaker b CROSS JOIN LATERAL layra.breaker_state(b.owner, b.name) s;

-- ----------------------------------------------------------------------------------------------------------- comments

COMMENT ON FUNCTION layra.drop_run(text) IS
$$Deletes a run with its log, cells and checkpoints, whatever its status. Nothing of it is kept; digest before it, if you need proof.
run_id text: the run. Its forks stay, and keep the idempotency keys they had from it: they become forks of its own parent; where it had none, their parent_run_id is NULL and their parent_version 0.
Errors: 22023 bad argument, P0002 no such run, 42501 not the caller's run.
Example: SELECT layra.drop_run('order-17');$$;
COMMENT ON FUNCTION layra.try_set_variables(text, jsonb, jsonb, text, bigint, text) IS
$$As set_variables, but a conflict is a row and not an error, so the transaction goes on.
run_id, updates, expected_variables, on_conflict, expected_version, idempotency_key: as in set_variables.
committed boolean: whether the variables were set. version bigint: the new version, after a conflict the newest.
conflicts jsonb: NULL, or after a conflict an array of objects with path and, as far as they apply, expected and actual (versions of the variable), base (merge only), ours and theirs (values; a side that has none is left out).
Errors: as set_variables; 40001 only above READ COMMITTED, where the snapshot hides the newest version.
Example: SELECT * FROM layra.try_set_variables('order-17', '{"total": 80}', expected_version => 1);$$;
COMMENT ON FUNCTION layra.get_variables(text, text[], bigint, text) IS
$$Reads variables of a run as one JSON object.
run_id text: the run. names text[], default NULL: only these; NULL: all. at_version bigint, default NULL: the version to read at; NULL: the newest.
in_group text, default NULL: only variables that the workflow's definition puts in this group; NULL: all.
Result jsonb: object of names and values; what is not set is not in it.
Errors: 22023 bad argument or no such version, P0002 no such run, 42501 not a run that the caller may read.
Example: SELECT layra.get_variables('order-17', '{total,customer}');$$;
COMMENT ON FUNCTION layra.fork_run(text, text, bigint, text) IS
$$Starts a new run, owned by the calling role, with the state that another run had at some version.
run_id text: the parent, of any status; it does not change. new_run_id text: the name of the fork.
at_version bigint, default NULL: the parent's version to take; NULL: the newest.
idempotency_key text, default NULL: see start_run; it is a key of the fork.
Result bigint: the fork's version, 1. It is running, with the parent's workflow and metadata, without its checkpoints, result, leases and interactions; nodes that were running are pending; idempotency keys that the parent had used by then count as used.
Errors: 22023 bad argument or no such version, P0002 no such run, 42501 the parent is not the caller's, 23505 new_run_id exists, 40001 above READ COMMITTED where a concurrent fork won.
Example: SELECT layra.fork_run('order-17', 'order-17-again', at_version => 3);$$;
COMMENT ON FUNCTION layra.begin_node(text, text, text, interval) IS
$$Takes a node of a run for a worker; of a completed or skipped node it returns what is recorded.
run_id text: the run. node_id text: the node, 1 to 255 characters.
worker text, default NULL: name of the worker, 1 to 255 characters; the one that holds the node takes it again.
lease interval, default NULL: how long the node is held, above zero; NULL: until this worker, reset_nodes or recover_run gives it up.
Result: version; attempt (1, 2 … never repeated in a run's life); status running where this call took it, else completed or skipped; output of a completed node, from its context.
Errors: 22023 bad argument, P0002 no such run, 42501 not the caller's run, 55P03 another worker holds it (DETAIL has holder and until), 55000 the run is paused, cancelling or finished, 40001 above READ COMMITTED where somebody wrote since.
Example: SELECT * FROM layra.begin_node('order-17', 'price', worker => 'w1', lease => '5 minutes');$$;
COMMENT ON FUNCTION layra.heartbeat(text, text, integer, interval) IS
$$Extends the lease of a node, without an event and without waiting for the run.
run_id text: the run. node_id text: the node. attempt integer: the attempt that begin_node returned.
lease interval: how long from now the node is held, above zero.
Result: until (end of the lease), run_status (cancelling: stop working).
Errors: 22023 bad argument, P0002 no such run, 42501 not the caller's run, 55000 this attempt has no lease any more.
Example: SELECT * FROM layra.heartbeat('order-17', 'pay', attempt => 1, lease => '5 minutes');$$;
COMMENT ON FUNCTION layra.complete_node(text, text, jsonb, jsonb, integer, bigint, text) IS
$$Completes a running node in one version: its status, its output, variables, and a checkpoint where the policy asks for one.
run_id text: the run. node_id text: the node.
output jsonb, default NULL: any JSON value, appended to the node's context; NULL: none.
updates jsonb, default NULL: object of variables to set.
attempt integer, default NULL: the attempt that begin_node returned; NULL: whichever runs.
expected_version bigint, default NULL: the run's version that the caller has seen; NULL: no check.
idempotency_key text, default NULL: see start_run.
Result bigint: the run's new version; the first call's version where this attempt was completed with this output already.
Errors: 22023 bad argument, P0002 no such run, 42501 not the caller's run, 40001 another version, 55000 the node is not running, the attempt is over or the run finished, 54000 over a size limit, 23514 a variable breaks its schema.
Example: SELECT layra.complete_node('order-17', 'pay', '{"receipt": 4711}', updates => '{"paid": true}', attempt => 1);$$;
COMMENT ON FUNCTION layra.fail_node(text, text, jsonb, integer, bigint, text) IS
$$Records that a running node failed.
run_id text: the run. node_id text: the node. error jsonb: any JSON value, kept in the node's details.
attempt integer, default NULL: the attempt that begin_node returned; NULL: whichever runs.
expected_version bigint, default NULL: the run's version that the caller has seen; NULL: no check.
idempotency_key text, default NULL: see start_run.
Result bigint: the run's new version; the first call's version where this attempt failed with this error already.
Errors: 22023 bad argument, P0002 no such run, 42501 not the caller's run, 40001 another version, 55000 the node is not running, the attempt is over or the run finished, 54000 over 64 MB.
Example: SELECT layra.fail_node('order-17', 'pay', '{"message": "card declined"}', attempt => 1);$$;
COMMENT ON FUNCTION layra.skip_nodes(text, text[], text, bigint, text) IS
$$Marks pending and failed nodes as skipped.
run_id text: the run. node_ids text[]: the nodes. reason text, default NULL: kept in the event.
expected_version bigint, default NULL: the run's version that the caller has seen; NULL: no check.
idempotency_key text, default NULL: see start_run.
Result bigint: the run's new version; an older one, and no event, where all of them are skipped already.
Errors: 22023 bad argument, P0002 no such run, 42501 not the caller's run, 40001 another version, 55000 a node is running or completed, or the run finished.
Example: SELECT layra.skip_nodes('order-17', '{ship}', 'nothing to ship');$$;
COMMENT ON FUNCTION layra.reset_nodes(text, text[], bigint, text) IS
$$Makes nodes pending again, and ends their leases; their context stays.
run_id text: the run. node_ids text[]: the nodes; those that were never begun stay as they are.
expected_version bigint, default NULL: the run's version that the caller has seen; NULL: no check.
idempotency_key text, default NULL: see start_run.
Result bigint: the run's new version; an older one, and no event, where all of them are pending already.
Errors: 22023 bad argument, P0002 no such run, 42501 not the caller's run, 40001 another version, 55000 the run finished.
Example: SELECT layra.reset_nodes('order-17', '{pay}');$$;
COMMENT ON FUNCTION layra.context(text, text, integer) IS
$$Reads outputs of nodes, newest first; it costs what is asked for, however much context there is.
run_id text: the run. node_id text, default NULL: only this node; NULL: every node.
last integer, default NULL: so many entries of each node, 0 or more; NULL: all.
Result: node_id, ordinal of the entry, value, version that set it, bytes (octets of its JSON text).
Errors: 22023 bad argument, P0002 no such run, 42501 not a run that the caller may read.
Example: SELECT value FROM layra.context('order-17', 'price', last => 1);$$;
COMMENT ON FUNCTION layra.set_engine(text, jsonb, bigint, text) IS
$$Sets the engine's own fields of the state document (execution_stack, skip_nodes and others) without saving all of it.
run_id text: the run. fields jsonb: object of field names and values; a field that is left out is untouched.
expected_version bigint, default NULL: the run's version that the caller has seen; NULL: no check.
idempotency_key text, default NULL: see start_run.
Result bigint: the run's new version.
Errors: 22023 bad argument, or a field that is made of cells or the extension's own, P0002 no such run, 42501 not the caller's run, 40001 another version, 55000 the run finished, 54000 over 64 MB.
Example: SELECT layra.set_engine('order-17', '{"execution_stack": ["pay"]}');$$;
COMMENT ON FUNCTION layra.enter_loop(text, text, integer, bigint, text) IS
$$Enters a loop: its index is -1 until the first iteration, and the loops inside it are forgotten.
run_id text: the run. loop_id text: the loop's node.
max_iterations integer, default NULL: the bound, 0 or more; NULL: the node's data.maxCount, else the policy's loops.default_max, else 100.
expected_version bigint, default NULL: the run's version that the caller has seen; NULL: no check.
idempotency_key text, default NULL: see start_run.
Result bigint: the run's new version; of an active loop the version of its last change, and no event.
Errors: 22023 bad argument, P0002 no such run, 42501 not the caller's run, 40001 another version, 55000 the run finished.
Example: SELECT layra.enter_loop('order-17', 'items', max_iterations => 3);$$;
COMMENT ON FUNCTION layra.next_iteration(text, text, integer) IS
$$Begins the next iteration of a loop and resets, in the same version, the nodes and loops of its body.
run_id text: the run. loop_id text: the loop's node.
after integer, default NULL: index that the caller has finished, -1 for none: where the loop stands at after + 1 already, that is returned and nothing appended; NULL: always the next one.
Result integer: the index that begins, from 0; SQL NULL, and no event, where the bound is reached.
Errors: 22023 bad argument, P0002 no such run, 42501 not the caller's run, 55000 the loop is not active or stands elsewhere, or the run finished.
Example: SELECT layra.next_iteration('order-17', 'lines', after => -1);$$;
COMMENT ON FUNCTION layra.exit_loop(text, text, bigint, text) IS
$$Ends a loop; where its node says "data": {"context": "loop"}, the context of its body leaves the live state.
run_id text: the run. loop_id text: the loop's node.
expected_version bigint, default NULL: the run's version that the caller has seen; NULL: no check.
idempotency_key text, default NULL: see start_run.
Result bigint: the run's new version; of a loop that has ended the version of that, and no event.
Errors: 22023 bad argument, P0002 no such run, 42501 not the caller's run, 40001 another version, 55000 the loop was never entered, or the run finished.
Example: SELECT layra.exit_loop('order-17', 'lines');$$;
COMMENT ON FUNCTION layra.recover_run(text, boolean) IS
$$Makes a run fit to go on after a crash: a broken state goes back to the newest checkpoint that is valid, nodes that nobody holds become pending, a run whose questions have all expired is running again.
run_id text: the run. dry_run boolean, default false: true only reports what it would do.
Result, one row: from_version; checkpoint_version that it goes back to (NULL: the state is valid, or there is none); incomplete (nodes that were running); last_completed; resume_at (nodes to go on with); problems (as validate_run has them); version after it.
Errors: 22023 bad argument, P0002 no such run, 42501 not the caller's run, 55000 the run finished.
Example: SELECT version, resume_at, problems FROM layra.recover_run('order-17');$$;
COMMENT ON FUNCTION layra.stale_runs(interval) IS
$$Lists the runs that the caller may read and somebody should look at: running, and a lease ran out or nothing has happened for some time; or paused, and every question has expired.
idle interval: that time, above zero.
Result: run_id, version, last_activity, expired (nodes whose lease ran out). It does not read states.
Errors: 22023 bad argument.
Example: SELECT run_id, expired FROM layra.stale_runs('15 minutes');$$;
COMMENT ON FUNCTION layra.pause_run(text, text, jsonb, jsonb, text, interval, text) IS
$$Asks somebody: stores an interaction, makes a protected checkpoint of kind human (label: interaction and its id), and pauses the run.
run_id text: the run. node_id text: the node that asks. prompt jsonb, default {}: the question, any JSON value.
response_schema jsonb, default NULL: JSON Schema that the answer must satisfy; NULL: any.
assignee text, default NULL: who may answer: role:NAME (members of that role), else a name that layra.actor must have; NULL: whoever may change the run.
expires_in interval, default NULL: from then on it cannot be answered, above zero; NULL: never.
idempotency_key text, default NULL: see start_run; the repeated call returns the same interaction.
Result uuid: the interaction.
Errors: 22023 bad argument or schema, P0002 no such run, 42501 not the caller's run, 55000 the run is cancelling or finished, 54000 over 64 MB.
Example: SELECT layra.pause_run('order-17', 'pay', '{"question": "Refund?"}', assignee => 'role:billing_team');$$;
COMMENT ON FUNCTION layra.resume_run(text, uuid, jsonb, jsonb, text, bigint, text) IS
$$Stores the answer to an interaction; the run goes on when no other one waits.
run_id text: the run. interaction uuid: what pause_run returned. response jsonb, default {}: the answer, any JSON value.
updates jsonb, default NULL: object of variables to set in the same version.
on_change text, default fail: where variables, loops or context changed since the question, other than by answers: fail gives 40001, accept goes on.
expected_version bigint, default NULL: the run's version that the caller has seen; NULL: no check.
idempotency_key text, default NULL: see start_run.
Result bigint: the run's new version; the first call's version where it was answered so already.
Errors: 22023 bad argument, P0002 no such run, 42501 not the caller's run, or somebody else is asked, 40001 another version or a changed state, 55000 unknown, expired, withdrawn or answered otherwise, 23514 the answer or the state is not valid, 54000 over 64 MB.
Example: SELECT layra.resume_run(run_id, interaction, '{"ok": true}') FROM layra.interactions WHERE run_id = 'order-17' AND status = 'pending';$$;
COMMENT ON FUNCTION layra.withdraw_interaction(text, uuid, text, bigint, text) IS
$$Takes a question back; the run goes on when no other one waits.
run_id text: the run. interaction uuid: what pause_run returned. reason text, default NULL: kept in the event.
expected_version bigint, default NULL: the run's version that the caller has seen; NULL: no check.
idempotency_key text, default NULL: see start_run.
Result bigint: the run's new version; the first call's version where it was withdrawn already.
Errors: 22023 bad argument, P0002 no such run, 42501 not the caller's run, 40001 another version, 55000 unknown or answered, or the run finished.
Example: SELECT layra.withdraw_interaction(run_id, interaction, 'too late') FROM layra.interactions WHERE run_id = 'order-17' AND status = 'pending';$$;
COMMENT ON FUNCTION layra.define_breaker(text, integer, interval, interval) IS
$$Defines a circuit breaker of the calling role, or changes its settings.
name text: 1 to 255 characters, unique per owner; roles with the owner's privileges use it, too.
failure_threshold integer, default 5: failures without a success that open it, 1 or more.
reset_after interval, default 30 seconds: how long it stays open after the last failure.
probe_lease interval, default 30 seconds: how long the one that tries again has to report.
Result: none.
Errors: 22023 bad argument.
Example: SELECT layra.define_breaker('payment api', failure_threshold => 3);$$;
COMMENT ON FUNCTION layra.breaker_try(text) IS
$$Asks a circuit breaker whether to make a call: closed says true, open false, half open true to one caller at a time.
name text: the caller's own breaker, else one of a role whose privileges the caller has.
Result boolean. A closed breaker writes nothing; no call waits for another transaction. Report what came of it with breaker_success or breaker_failure.
Errors: 22023 bad argument, P0002 no such breaker.
Example: SELECT layra.breaker_try('mail api');$$;
COMMENT ON FUNCTION layra.breaker_success(text) IS
$$Reports to a circuit breaker that a call succeeded, which closes it; without failures before it writes nothing.
name text: the breaker.
Result: none.
Errors: 22023 bad argument, P0002 no such breaker.
Example: SELECT layra.breaker_success('mail api');$$;
COMMENT ON FUNCTION layra.breaker_failure(text, jsonb) IS
$$Reports to a circuit breaker that a call failed. It must be called in a transaction that commits: what is rolled back was never reported.
name text: the breaker. error jsonb, default NULL: what happened, any JSON value, shown in layra.breakers.
Result: none.
Errors: 22023 bad argument, P0002 no such breaker, 54000 over 64 MB.
Example: SELECT layra.breaker_failure('mail api', '{"status": 503}');$$;
COMMENT ON FUNCTION layra.reset_breaker(text) IS
$$Closes a circuit breaker by hand.
name text: the breaker.
Result: none.
Errors: 22023 bad argument, P0002 no such breaker.
Example: SELECT layra.reset_breaker('mail api');$$;
COMMENT ON FUNCTION layra.breaker_state(text, text) IS
$$Internal, for the view breakers: the state of one breaker.
owner text: the role that it belongs to. name text: the breaker.
Result: state (closed, open or half_open), failures since the last success, opened_at, last_error.
Errors: 22023 bad argument, P0002 no such breaker, or not one that the caller may see.
Example: SELECT state FROM layra.breaker_state(current_user, 'mail api');$$;
COMMENT ON FUNCTION layra.validate_run(text, bigint) IS
$$Checks a whole state: schemas, references to nodes, loop bounds, sizes, hashes, and the validators of the run's workflow. No row: it is valid.
run_id text: the run. at_version bigint, default NULL: the version to check; NULL: the newest.
Result: rule (schema, reference, loop, size, hash, or a validator's name), path (JSON Pointer into the state document), message.
Errors: 22023 bad argument or no such version, P0002 no such run, 42501 not a run that the caller may read.
Example: SELECT * FROM layra.validate_run('order-17');$$;
COMMENT ON FUNCTION layra.define_event_type(text, jsonb, boolean) IS
$$Gives the payloads of an event type a JSON Schema, in the runs of the calling role; a second call replaces it.
type text: an event type that is not the extension's own. schema jsonb: JSON Schema; an own one counts before a shared one.
shared boolean, default false: true for the runs of every role (level admin).
Result: none.
Errors: 22023 bad argument or schema, 42501 shared without level admin, 23505 another role shares this type, 54000 over 64 MB.
Example: SELECT layra.define_event_type('payment.received', '{"type": "object", "required": ["amount"]}');$$;
COMMENT ON FUNCTION layra.add_validator(text, text, regprocedure) IS
$$Adds a rule of one's own to validate_run, or replaces it (level admin). It runs as whoever validates.
workflow text: name of the workflows whose runs it checks. name text: the rule's name, 1 to 255 characters.
function regprocedure: a function with arguments (run_id text, state jsonb) that returns a row of text for each problem.
Result: none.
Errors: 22023 bad argument or other argument types, 42501 not level admin, 42883 no such function.
Example: SELECT layra.add_validator('billing', 'total', 'public.check_total(text, jsonb)');$$;
COMMENT ON FUNCTION layra.remove_validator(text, text) IS
$$Takes a rule of one's own away from validate_run (level admin).
workflow text: name of the workflows. name text: the rule's name.
Result: none; no such rule is no error.
Errors: 22023 bad argument, 42501 not level admin.
Example: SELECT layra.remove_validator('billing', 'total');$$;
COMMENT ON FUNCTION layra.on_event(text, regprocedure, text) IS
$$Registers a function that runs after events, in the same transaction and as the caller; an error in it undoes the call (level admin).
type_pattern text: an event type, or a prefix that ends in .* (mail.* covers mail.sent).
function regprocedure: a function with arguments (run_id text, version bigint, type text, payload jsonb); its result is ignored.
workflow text, default NULL: only runs of workflows of this name; NULL: all runs.
Result: none; registered already is no error.
Errors: 22023 bad argument or other argument types, 42501 not level admin, 42883 no such function.
Example: SELECT layra.on_event('mail.*', 'public.to_outbox(text, bigint, text, jsonb)');$$;
COMMENT ON FUNCTION layra.off_event(text, regprocedure) IS
$$Removes a handler, for all workflows (level admin).
type_pattern text: the pattern that it was registered with. function regprocedure: the function.
Result: none; no such handler is no error. Handlers of the pattern whose functions were dropped go with it.
Errors: 22023 bad argument or other argument types, 42501 not level admin, 42883 no such function.
Example: SELECT layra.off_event('mail.*', 'public.to_outbox(text, bigint, text, jsonb)');$$;
COMMENT ON FUNCTION layra.grant_access(name, text) IS
$$Gives a role a level of access to the extension. Only the extension's owner and superusers may call it.
role name: the role; who has its privileges has the level too. level text: writer (starts runs, reads and writes its own), auditor (reads every run, writes none) or admin (as writer, and defines what all runs use: shared workflows and event types, handlers, validators). A role can have several.
Result: none. The grants are kept in layra.access, and renewed by every update of the extension.
Errors: 22023 unknown level, 42704 no such role, 42501 not the extension's owner.
Example: SELECT layra.grant_access('app', 'writer');$$;
COMMENT ON COLUMN layra.run.status IS 'running, paused (somebody was asked), cancelling, completed, failed or cancelled; the last three are final but for reopen_run.';
COMMENT ON COLUMN layra.run.parent_run_id IS 'Run that this one was forked from; NULL: none, or it was dropped.';
COMMENT ON COLUMN layra.run.parent_version IS 'Version of the parent that the fork began with; 0: the parent was dropped.';
COMMENT ON CONSTRAINT run_finished_at ON layra.run IS 'A finished run has the time at which it was finished, and no other has one.';
COMMENT ON CONSTRAINT run_result ON layra.run IS 'Only a finished run has a result.';
COMMENT ON CONSTRAINT run_workflow ON layra.run IS 'A run has a workflow''s owner, name, version and hash, or none of them.';
COMMENT ON CONSTRAINT run_parent_version ON layra.run IS 'A fork has a parent and a version of it; one whose parent was dropped has the version 0 alone.';
COMMENT ON INDEX layra.run_running IS 'The running and paused runs, for stale_runs.';
COMMENT ON CONSTRAINT event_label_needs_kind ON layra.event IS 'A label belongs to a checkpoint.';
COMMENT ON CONSTRAINT cell_node ON layra.cell IS 'The states of a node; only a failed one has an error, only a completed one an output.';
COMMENT ON CONSTRAINT cell_loop ON layra.cell IS 'A loop has an index.';
COMMENT ON CONSTRAINT cell_ordinal ON layra.cell IS 'Only context is a list.';
COMMENT ON CONSTRAINT cell_hash_of_value ON layra.cell IS 'A value has a hash; a cell that was unset has neither.';
COMMENT ON COLUMN layra.checkpoint.kind IS 'Sort of checkpoint: manual, or what its caller said; time, bytes, milestone and before are made by the policy, human by pause_run.';
COMMENT ON COLUMN layra.graph.xact IS 'The transaction that stored it: two that do so at the same time keep a row each.';
COMMENT ON TABLE layra.lease IS 'The attempts of nodes and who holds them, one row per node that was ever begun. Nothing restores it: attempts never repeat.';
COMMENT ON COLUMN layra.lease.run_id IS 'The run.';
COMMENT ON COLUMN layra.lease.node_id IS 'The node.';
COMMENT ON COLUMN layra.lease.attempt IS 'Its newest attempt, from 1.';
COMMENT ON COLUMN layra.lease.worker IS 'Worker that began this attempt; NULL: it gave no name.';
COMMENT ON COLUMN layra.lease.until IS 'End of the lease; NULL: none holds.';
COMMENT ON COLUMN layra.lease.held IS 'Whether there is a lease, which may have run out.';
COMMENT ON CONSTRAINT lease_held_until ON layra.lease IS 'A lease has an end; a node that is not held has none.';
COMMENT ON INDEX layra.lease_pkey IS 'The attempt of a node.';
COMMENT ON INDEX layra.lease_held IS 'The leases of a run, for recovery.';
COMMENT ON POLICY readable ON layra.lease IS 'Leases of the runs that the role sees.';
COMMENT ON TABLE layra.interaction IS 'The questions that runs asked people. Read layra.interactions.';
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
COMMENT ON COLUMN layra.interaction.response_hash IS 'BLAKE3 of the answer''s JSON text, 32 octets: the same answer again is no other one.';
COMMENT ON COLUMN layra.interaction.answered_by IS 'Role that answered.';
COMMENT ON COLUMN layra.interaction.answered_for IS 'Setting layra.actor of the answer: a claim.';
COMMENT ON CONSTRAINT interaction_status_check ON layra.interaction IS 'The states of a question.';
COMMENT ON CONSTRAINT interaction_closed ON layra.interaction IS 'A question waits until a version answers or withdraws it.';
COMMENT ON CONSTRAINT interaction_response ON layra.interaction IS 'An answered question has an answer, and no other has one.';
COMMENT ON CONSTRAINT interaction_answered_by ON layra.interaction IS 'An answered question has somebody who answered it.';
COMMENT ON INDEX layra.interaction_pkey IS 'An interaction of a run.';
COMMENT ON INDEX layra.interaction_run_id_version_key IS 'The interaction that a version asked for.';
COMMENT ON INDEX layra.interaction_pending IS 'The questions that wait in a run.';
COMMENT ON POLICY readable ON layra.interaction IS 'Interactions of the runs that the role sees.';
COMMENT ON TABLE layra.breaker IS 'Circuit breakers and their settings. Read layra.breakers.';
COMMENT ON COLUMN layra.breaker.owner IS 'Role that it belongs to, as text.';
COMMENT ON COLUMN layra.breaker.name IS 'Name, unique per owner.';
COMMENT ON COLUMN layra.breaker.failure_threshold IS 'Failures without a success that open it.';
COMMENT ON COLUMN layra.breaker.reset_after IS 'How long it stays open after the last failure.';
COMMENT ON COLUMN layra.breaker.probe_lease IS 'How long the one that tries again has to report.';
COMMENT ON COLUMN layra.breaker.created_at IS 'Time at which it was defined.';
COMMENT ON INDEX layra.breaker_pkey IS 'A breaker by name.';
COMMENT ON POLICY readable ON layra.breaker IS 'Breakers of owners whose privileges the role has; auditors see all.';
COMMENT ON TABLE layra.breaker_probe IS 'The right to probe each breaker: a row that breaker_try takes with SKIP LOCKED, so that exactly one caller probes and nobody waits.';
COMMENT ON COLUMN layra.breaker_probe.owner IS 'Role that the breaker belongs to, as text.';
COMMENT ON COLUMN layra.breaker_probe.name IS 'Name of the breaker.';
COMMENT ON COLUMN layra.breaker_probe.probe_at IS 'When the last probe began; NULL: none yet.';
COMMENT ON INDEX layra.breaker_probe_pkey IS 'One row a breaker.';
COMMENT ON POLICY readable ON layra.breaker_probe IS 'Breakers of owners whose privileges the role has; auditors see all.';
COMMENT ON TABLE layra.breaker_outcome IS 'What was reported to circuit breakers: rows, so that no report waits for another. A success removes what came before it.';
COMMENT ON COLUMN layra.breaker_outcome.owner IS 'Role that the breaker belongs to, as text.';
COMMENT ON COLUMN layra.breaker_outcome.name IS 'The breaker.';
COMMENT ON COLUMN layra.breaker_outcome.at IS 'Time of the report.';
COMMENT ON COLUMN layra.breaker_outcome.id IS 'Tells reports of the same time apart.';
COMMENT ON COLUMN layra.breaker_outcome.outcome IS 'failure, success or reset.';
COMMENT ON COLUMN layra.breaker_outcome.error IS 'What was reported with a failure.';
COMMENT ON INDEX layra.breaker_outcome_pkey IS 'The reports to a breaker by time.';
COMMENT ON POLICY readable ON layra.breaker_outcome IS 'Reports to breakers of owners whose privileges the role has; auditors see all.';
COMMENT ON TABLE layra.event_type IS 'Schemas of event types.';
COMMENT ON COLUMN layra.event_type.owner IS 'Role in whose runs the schema holds, as text.';
COMMENT ON COLUMN layra.event_type.type IS 'The event type.';
COMMENT ON COLUMN layra.event_type.shared IS 'true: it holds in the runs of every role that has none of its own.';
COMMENT ON COLUMN layra.event_type.schema IS 'JSON Schema of the payload.';
COMMENT ON COLUMN layra.event_type.created_at IS 'Time at which it was first defined.';
COMMENT ON INDEX layra.event_type_pkey IS 'The schemas of a type.';
COMMENT ON INDEX layra.event_type_shared IS 'The shared schema of a type. Unique: two owners cannot share one type.';
COMMENT ON POLICY readable ON layra.event_type IS 'Shared ones, those of owners whose privileges the role has; auditors see all.';
COMMENT ON TABLE layra.validator IS 'Rules of one''s own that validate_run checks.';
COMMENT ON COLUMN layra.validator.workflow IS 'Name of the workflows whose runs it checks.';
COMMENT ON COLUMN layra.validator.name IS 'Name of the rule.';
COMMENT ON COLUMN layra.validator.function IS 'The function, as text with its argument types: an OID would not survive a dump.';
COMMENT ON COLUMN layra.validator.created_by IS 'Role that added it.';
COMMENT ON COLUMN layra.validator.created_at IS 'Time at which it was added.';
COMMENT ON INDEX layra.validator_pkey IS 'The rules of a workflow.';
COMMENT ON POLICY readable ON layra.validator IS 'Those added by roles whose privileges the role has; auditors see all.';
COMMENT ON TABLE layra.handler IS 'Functions that run after events.';
COMMENT ON COLUMN layra.handler.type_pattern IS 'An event type, or a prefix that ends in .*';
COMMENT ON COLUMN layra.handler.function IS 'The function, as text with its argument types: an OID would not survive a dump.';
COMMENT ON COLUMN layra.handler.workflow IS 'Name of the workflows whose runs it is for; empty: all runs.';
COMMENT ON COLUMN layra.handler.created_by IS 'Role that registered it.';
COMMENT ON COLUMN layra.handler.created_at IS 'Time at which it was registered.';
COMMENT ON INDEX layra.handler_pkey IS 'The handlers of a pattern.';
COMMENT ON POLICY readable ON layra.handler IS 'Those registered by roles whose privileges the role has; auditors see all.';
COMMENT ON COLUMN layra.runs.parent_run_id IS 'Run that it was forked from; NULL: none, or it was dropped.';
COMMENT ON COLUMN layra.runs.parent_version IS 'Version of the parent that it began with; 0: the parent was dropped.';
COMMENT ON COLUMN layra.nodes.status IS 'pending, running, completed, failed or skipped.';
COMMENT ON VIEW layra.interactions IS 'What runs ask of people, and the answers: WHERE status = ''pending'' shows what waits for whom, since when and until when.';
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
COMMENT ON VIEW layra.breakers IS 'The circuit breakers that the caller may see, with their state.';
COMMENT ON COLUMN layra.breakers.owner IS 'Role that it belongs to.';
COMMENT ON COLUMN layra.breakers.name IS 'Name, unique per owner.';
COMMENT ON COLUMN layra.breakers.state IS 'closed, open or half_open.';
COMMENT ON COLUMN layra.breakers.failures IS 'Failures since the last success, counted up to the threshold.';
COMMENT ON COLUMN layra.breakers.opened_at IS 'Time of the last failure, while it is not closed.';
COMMENT ON COLUMN layra.breakers.failure_threshold IS 'Failures without a success that open it.';
COMMENT ON COLUMN layra.breakers.reset_after IS 'How long it stays open after the last failure.';
COMMENT ON COLUMN layra.breakers.probe_lease IS 'How long the one that tries again has to report.';
COMMENT ON COLUMN layra.breakers.last_error IS 'What was reported with the last failure.';
COMMENT ON INDEX layra.graph_pkey IS 'A graph by owner and content.';
COMMENT ON INDEX layra.event_status IS 'The few events that change a run''s status: which versions are undone, and what the status was.';

REVOKE ALL ON ALL TABLES IN SCHEMA layra FROM PUBLIC;
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA layra FROM PUBLIC;
-- Nothing for those to whom the default privileges of whoever updates this gave something: grant_access gives.
DO $$
DECLARE
    given record;
BEGIN
    FOR given IN
        SELECT 'TABLE' AS kind, c.oid::pg_catalog.regclass::text AS object, a.grantee::pg_catalog.regrole::text AS grantee
        FROM pg_catalog.pg_class c CROSS JOIN LATERAL pg_catalog.aclexplode(c.relacl) a
        WHERE c.relnamespace OPERATOR(pg_catalog.=) 'layra'::pg_catalog.regnamespace
          AND a.grantee OPERATOR(pg_catalog.<>) 0 AND a.grantee OPERATOR(pg_catalog.<>) c.relowner
          AND c.relname OPERATOR(pg_catalog.=) ANY (pg_catalog.string_to_array('breaker,breaker_outcome,breaker_probe,breakers,event_type,handler,interaction,interactions,lease,validator', ','))
        UNION
        SELECT 'FUNCTION', p.oid::pg_catalog.regprocedure::text, a.grantee::pg_catalog.regrole::text
        FROM pg_catalog.pg_proc p CROSS JOIN LATERAL pg_catalog.aclexplode(p.proacl) a
        WHERE p.pronamespace OPERATOR(pg_catalog.=) 'layra'::pg_catalog.regnamespace
          AND a.grantee OPERATOR(pg_catalog.<>) 0 AND a.grantee OPERATOR(pg_catalog.<>) p.proowner
          AND p.proname OPERATOR(pg_catalog.=) ANY (pg_catalog.string_to_array('add_validator,begin_node,breaker_failure,breaker_state,breaker_success,breaker_try,complete_node,context,define_breaker,define_event_type,enter_loop,exit_loop,fail_node,get_variables,heartbeat,next_iteration,off_event,on_event,pause_run,recover_run,remove_validator,reset_breaker,reset_nodes,resume_run,set_engine,skip_nodes,stale_runs,validate_run,withdraw_interaction', ','))
    LOOP
        EXECUTE pg_catalog.format('REVOKE ALL ON %s %s FROM %s', given.kind, given.object, given.grantee);
    END LOOP;
END
$$;

SELECT layra.renew_grants();
