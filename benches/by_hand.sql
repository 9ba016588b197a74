-- What a good engineer writes in an afternoon for the same job, and tunes: the state of workflow runs in tables of its
-- own, with PL/pgSQL functions, whose plans PostgreSQL keeps. A write locks the run, checks the version, appends an event
-- to a chain of SHA-256 hashes, and changes the current row and adds one to the history. Primary keys only.

CREATE SCHEMA by_hand;

CREATE TABLE by_hand.run (
    run_id  text COLLATE "C" PRIMARY KEY,
    status  text NOT NULL DEFAULT 'running',
    version bigint NOT NULL DEFAULT 0,
    hash    bytea NOT NULL DEFAULT '\x'
) WITH (fillfactor = 70);

CREATE TABLE by_hand.event (
    run_id  text COLLATE "C",
    version bigint,
    type    text NOT NULL,
    payload jsonb NOT NULL,
    actor   text NOT NULL,
    at      timestamptz NOT NULL,
    hash    bytea NOT NULL,
    PRIMARY KEY (run_id, version)
);

CREATE TABLE by_hand.variable (
    run_id  text COLLATE "C",
    name    text COLLATE "C",
    version bigint NOT NULL,
    value   jsonb NOT NULL,
    PRIMARY KEY (run_id, name)
) WITH (fillfactor = 70);

CREATE TABLE by_hand.variable_history (
    run_id  text COLLATE "C",
    name    text COLLATE "C",
    version bigint,
    value   jsonb NOT NULL,
    PRIMARY KEY (run_id, name, version)
);

CREATE TABLE by_hand.node (
    run_id  text COLLATE "C",
    node_id text COLLATE "C",
    status  text NOT NULL,
    attempt integer NOT NULL,
    worker  text,
    until   timestamptz,
    outputs bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (run_id, node_id)
) WITH (fillfactor = 70);

CREATE TABLE by_hand.node_history (
    run_id  text COLLATE "C",
    node_id text COLLATE "C",
    version bigint,
    status  text NOT NULL,
    attempt integer NOT NULL,
    PRIMARY KEY (run_id, node_id, version)
);

CREATE TABLE by_hand.output (
    run_id  text COLLATE "C",
    node_id text COLLATE "C",
    ordinal bigint,
    version bigint NOT NULL,
    value   jsonb NOT NULL,
    PRIMARY KEY (run_id, node_id, ordinal)
);

-- The three steps that every write begins with, as text in each function: a call would cost more than it saves.

CREATE FUNCTION by_hand.set_variable(p_run_id text, p_name text, p_value jsonb, p_expected bigint DEFAULT NULL) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
    r record;
    v bigint;
    now timestamptz;
    h bytea;
BEGIN
    SELECT status, version, hash INTO r FROM by_hand.run WHERE run_id = p_run_id FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        RAISE no_data_found USING MESSAGE = format('no run %s', p_run_id);
    ELSIF p_expected <> r.version THEN
        RAISE serialization_failure USING MESSAGE = format('expected %s, is %s', p_expected, r.version);
    ELSIF r.status <> 'running' THEN
        RAISE object_not_in_prerequisite_state USING MESSAGE = format('run %s is %s', p_run_id, r.status);
    END IF;
    v := r.version + 1;
    now := clock_timestamp();
    h := sha256(r.hash || convert_to(
        concat_ws('|', p_run_id, v, 'variable.set', session_user, now, p_name, p_value), 'UTF8'));
    INSERT INTO by_hand.event VALUES (p_run_id, v, 'variable.set', jsonb_build_object('name', p_name), session_user, now, h);
    INSERT INTO by_hand.variable AS t VALUES (p_run_id, p_name, v, p_value)
        ON CONFLICT (run_id, name) DO UPDATE SET version = excluded.version, value = excluded.value;
    INSERT INTO by_hand.variable_history VALUES (p_run_id, p_name, v, p_value);
    UPDATE by_hand.run SET version = v, hash = h WHERE run_id = p_run_id;
    RETURN v;
END
$$;

-- Sets: three statements for all variables.
CREATE FUNCTION by_hand.set_variables(p_run_id text, p_updates jsonb, p_expected bigint DEFAULT NULL) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
    r record;
    v bigint;
    now timestamptz;
    h bytea;
BEGIN
    SELECT status, version, hash INTO r FROM by_hand.run WHERE run_id = p_run_id FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        RAISE no_data_found USING MESSAGE = format('no run %s', p_run_id);
    ELSIF p_expected <> r.version THEN
        RAISE serialization_failure USING MESSAGE = format('expected %s, is %s', p_expected, r.version);
    ELSIF r.status <> 'running' THEN
        RAISE object_not_in_prerequisite_state USING MESSAGE = format('run %s is %s', p_run_id, r.status);
    END IF;
    v := r.version + 1;
    now := clock_timestamp();
    h := sha256(r.hash || convert_to(
        concat_ws('|', p_run_id, v, 'variables.set', session_user, now, p_updates), 'UTF8'));
    INSERT INTO by_hand.event VALUES (p_run_id, v, 'variables.set',
        jsonb_build_object('names', (SELECT jsonb_agg(k) FROM jsonb_object_keys(p_updates) k)), session_user, now, h);
    INSERT INTO by_hand.variable AS t SELECT p_run_id, u.key, v, u.value FROM jsonb_each(p_updates) u
        ON CONFLICT (run_id, name) DO UPDATE SET version = excluded.version, value = excluded.value;
    INSERT INTO by_hand.variable_history SELECT p_run_id, u.key, v, u.value FROM jsonb_each(p_updates) u;
    UPDATE by_hand.run SET version = v, hash = h WHERE run_id = p_run_id;
    RETURN v;
END
$$;

CREATE FUNCTION by_hand.append_event(p_run_id text, p_type text, p_payload jsonb, p_expected bigint DEFAULT NULL) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
    r record;
    v bigint;
    now timestamptz;
    h bytea;
BEGIN
    SELECT status, version, hash INTO r FROM by_hand.run WHERE run_id = p_run_id FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        RAISE no_data_found USING MESSAGE = format('no run %s', p_run_id);
    ELSIF p_expected <> r.version THEN
        RAISE serialization_failure USING MESSAGE = format('expected %s, is %s', p_expected, r.version);
    ELSIF r.status <> 'running' THEN
        RAISE object_not_in_prerequisite_state USING MESSAGE = format('run %s is %s', p_run_id, r.status);
    END IF;
    v := r.version + 1;
    now := clock_timestamp();
    h := sha256(r.hash || convert_to(concat_ws('|', p_run_id, v, p_type, session_user, now, p_payload), 'UTF8'));
    INSERT INTO by_hand.event VALUES (p_run_id, v, p_type, p_payload, session_user, now, h);
    UPDATE by_hand.run SET version = v, hash = h WHERE run_id = p_run_id;
    RETURN v;
END
$$;

CREATE FUNCTION by_hand.begin_node(p_run_id text, p_node_id text, p_worker text, p_lease interval) RETURNS integer
LANGUAGE plpgsql AS $$
DECLARE
    r record;
    n record;
    a integer;
    v bigint;
    now timestamptz;
    h bytea;
BEGIN
    SELECT status, version, hash INTO r FROM by_hand.run WHERE run_id = p_run_id FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        RAISE no_data_found USING MESSAGE = format('no run %s', p_run_id);
    ELSIF r.status <> 'running' THEN
        RAISE object_not_in_prerequisite_state USING MESSAGE = format('run %s is %s', p_run_id, r.status);
    END IF;
    now := clock_timestamp();
    SELECT status, attempt, worker, until INTO n FROM by_hand.node WHERE run_id = p_run_id AND node_id = p_node_id;
    IF n.status = 'running' AND n.worker <> p_worker AND n.until > now THEN
        RAISE lock_not_available USING MESSAGE = format('node %s is held by %s', p_node_id, n.worker);
    END IF;
    a := coalesce(n.attempt, 0) + 1;
    v := r.version + 1;
    h := sha256(r.hash || convert_to(
        concat_ws('|', p_run_id, v, 'node.started', session_user, now, p_node_id, a, p_worker), 'UTF8'));
    INSERT INTO by_hand.event VALUES (p_run_id, v, 'node.started',
        jsonb_build_object('node_id', p_node_id, 'attempt', a, 'worker', p_worker), session_user, now, h);
    INSERT INTO by_hand.node AS t VALUES (p_run_id, p_node_id, 'running', a, p_worker, now + p_lease)
        ON CONFLICT (run_id, node_id) DO UPDATE
        SET status = excluded.status, attempt = excluded.attempt, worker = excluded.worker, until = excluded.until;
    INSERT INTO by_hand.node_history VALUES (p_run_id, p_node_id, v, 'running', a);
    UPDATE by_hand.run SET version = v, hash = h WHERE run_id = p_run_id;
    RETURN a;
END
$$;

CREATE FUNCTION by_hand.complete_node(p_run_id text, p_node_id text, p_output jsonb, p_attempt integer, p_expected bigint DEFAULT NULL)
RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    r record;
    n record;
    v bigint;
    now timestamptz;
    h bytea;
BEGIN
    SELECT status, version, hash INTO r FROM by_hand.run WHERE run_id = p_run_id FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        RAISE no_data_found USING MESSAGE = format('no run %s', p_run_id);
    ELSIF p_expected <> r.version THEN
        RAISE serialization_failure USING MESSAGE = format('expected %s, is %s', p_expected, r.version);
    ELSIF r.status NOT IN ('running', 'paused', 'cancelling') THEN
        RAISE object_not_in_prerequisite_state USING MESSAGE = format('run %s is %s', p_run_id, r.status);
    END IF;
    -- One statement checks the attempt, ends the lease, and gives the entry's place in the list.
    UPDATE by_hand.node SET status = 'completed', until = NULL, outputs = outputs + 1
        WHERE run_id = p_run_id AND node_id = p_node_id AND status = 'running' AND attempt = p_attempt
        RETURNING outputs - 1 AS ordinal INTO n;
    IF NOT FOUND THEN
        RAISE object_not_in_prerequisite_state USING MESSAGE = format('attempt %s of node %s is over', p_attempt, p_node_id);
    END IF;
    v := r.version + 1;
    now := clock_timestamp();
    h := sha256(r.hash || convert_to(
        concat_ws('|', p_run_id, v, 'node.completed', session_user, now, p_node_id, p_attempt, p_output), 'UTF8'));
    INSERT INTO by_hand.event VALUES (p_run_id, v, 'node.completed',
        jsonb_build_object('node_id', p_node_id, 'attempt', p_attempt), session_user, now, h);
    INSERT INTO by_hand.node_history VALUES (p_run_id, p_node_id, v, 'completed', p_attempt);
    INSERT INTO by_hand.output VALUES (p_run_id, p_node_id, n.ordinal, v, p_output);
    UPDATE by_hand.run SET version = v, hash = h WHERE run_id = p_run_id;
    RETURN v;
END
$$;
