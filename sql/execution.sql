-- What an engine lives on while a run is running: leases, people's answers, circuit breakers, rules and handlers.

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
CREATE INDEX run_running ON layra.run (owner, run_id) WHERE status = ANY ('{running,paused}'::text[]);

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
-- Those that ran out unanswered stand first, and are passed over.
CREATE INDEX interaction_pending ON layra.interaction (run_id, COALESCE(expires_at, 'infinity'::timestamptz)) WHERE status = 'pending';
CREATE INDEX interaction_closed ON layra.interaction (run_id, closed_version) WHERE closed_version IS NOT NULL;

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
-- The newest success or reset, however many failures came since.
CREATE INDEX breaker_closed ON layra.breaker_outcome (name, owner, at) WHERE outcome <> 'failure';

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

ALTER TABLE layra.validator ENABLE ROW LEVEL SECURITY;
ALTER TABLE layra.handler ENABLE ROW LEVEL SECURITY;

CREATE POLICY readable ON layra.lease FOR SELECT USING (layra.reads_run(run_id));
CREATE POLICY readable ON layra.interaction FOR SELECT USING (layra.reads_run(run_id));
CREATE POLICY readable ON layra.breaker FOR SELECT USING (layra.reads_runs_of(owner));
CREATE POLICY readable ON layra.breaker_probe FOR SELECT USING (layra.reads_runs_of(owner));
CREATE POLICY readable ON layra.breaker_outcome FOR SELECT USING (layra.reads_runs_of(owner));
CREATE POLICY readable ON layra.validator FOR SELECT USING (layra.reads_runs_of(created_by));
CREATE POLICY readable ON layra.handler FOR SELECT USING (layra.reads_runs_of(created_by));
CREATE POLICY readable ON layra.event_type FOR SELECT USING (shared OR layra.reads_runs_of(owner));

-- By way of the run, which is found by its owner: the rows of a run say nothing of whose they are.
CREATE VIEW layra.interactions WITH (security_invoker) AS
SELECT i.run_id, i.id AS interaction, i.node_id, i.status, i.assignee, i.prompt, i.response_schema,
    i.created_at, i.expires_at, i.version, i.closed_version, i.response, i.answered_by, i.answered_for
FROM layra.run r JOIN layra.interaction i ON i.run_id OPERATOR(pg_catalog.=) r.run_id;

CREATE VIEW layra.breakers WITH (security_invoker) AS
SELECT b.owner, b.name, s.state, s.failures, s.opened_at, b.failure_threshold, b.reset_after, b.probe_lease, s.last_error
FROM layra.breaker b CROSS JOIN LATERAL layra.breaker_state(b.owner, b.name) s;
