"""Calls that are cancelled in the middle: by pg_cancel_backend and statement_timeout, at every table that a function touches and
at any moment of a call that takes long. The error is 57014, nothing has changed, and the session is as it was.
"""

import time
from concurrent.futures import ThreadPoolExecutor
from random import Random, SystemRandom

import psycopg
import pytest

CANCELLED = "57014"

SETUP = """
    CREATE TABLE outbox (run_id text, version bigint, type text, payload jsonb);
    CREATE TABLE rules (rule text);
    GRANT INSERT ON outbox TO {worker}; GRANT SELECT ON rules TO {worker};
    CREATE FUNCTION handle(text, bigint, text, jsonb) RETURNS void LANGUAGE sql
    AS $$ INSERT INTO public.outbox VALUES ($1, $2, $3, $4) $$;
    CREATE FUNCTION rule(text, jsonb) RETURNS SETOF text LANGUAGE sql STABLE AS $$ SELECT rule FROM public.rules $$;
    SELECT layra.grant_access('{worker}', level) FROM unnest('{{writer,auditor,admin}}'::text[]) level;
    SET SESSION AUTHORIZATION {worker};
    SELECT layra.on_event(pattern, 'public.handle(text, bigint, text, jsonb)')
    FROM unnest('{{note,run.*,variables.*,state.*,checkpoint.*,node.*,loop.*,interaction.*}}'::text[]) pattern;
    SELECT layra.define_workflow('flow', '{{
        "nodes": [{{"id": "plan", "type": "code"}}, {{"id": "rounds", "type": "loop", "data": {{"maxCount": 9, "context": "loop"}}}},
                  {{"id": "search", "type": "http"}}],
        "edges": [{{"source": "plan", "target": "rounds"}}, {{"source": "rounds", "target": "search", "sourceHandle": "loop_body"}},
                  {{"source": "search", "target": "rounds", "sourceHandle": "loop_next"}}],
        "variables": {{"v": {{"schema": {{"type": "integer"}}, "group": "g"}}}},
        "policy": {{"checkpoint": {{"before": ["http"], "milestones": ["code"], "every": "1 us"}}}}}}');
    SELECT layra.add_validator('flow', 'rule', 'public.rule(text, jsonb)'), layra.define_event_type('note', '{{"type": "object"}}');
    SELECT layra.start_run('r', 'flow', '{{"v": 1, "o": {{"a": 1}}}}');
    SELECT layra.checkpoint('r', 'kept'), layra.set_variables('r', '{{"v": 2, "o": {{"a": 2}}}}', idempotency_key => 'k');
    SELECT layra.enter_loop('r', 'rounds'), layra.next_iteration('r', 'rounds');
    SELECT layra.begin_node('r', 'search', 'w', '1 second'), layra.complete_node('r', 'search', '[1]');
    SELECT layra.begin_node('r', 'plan', 'w', '1 day');
    SELECT layra.fork_run('r', 'fork'), layra.fork_run('fork', 'fork of the fork');
    SELECT layra.start_run('failed'), layra.finish_run('failed', 'failed');
    SELECT layra.start_run('asked', 'flow'), layra.pause_run('asked', 'plan', '{{}}', 'true');
    SELECT layra.define_breaker('api', 1, '1 us'), layra.breaker_failure('api');
    RESET SESSION AUTHORIZATION;
    CREATE ROLE {worker}_2;
"""
ASKED = "(SELECT id FROM interaction)"

# A call of every function, on what is there.
CALLS = {
    "add_validator": "'flow', 'another', 'public.rule(text, jsonb)'", "append_event": "'r', 'note', '{}', '{\"v\": 3}'",
    "append_events": "'r', '[{\"type\": \"note\"}, {\"type\": \"note\", \"updates\": {\"v\": 4}}]'",
    "begin_node": "'r', 'plan', 'w', '1 day'", "breaker_failure": "'api', '{}'", "breaker_state": "'{worker}', 'api'",
    "breaker_success": "'api'", "breaker_try": "'api'", "cancel_run": "'asked'", "cells": "'r'", "check_access": "'{worker}', 'writer'",
    "checkpoint": "'r', 'kept', replace => true", "complete_node": "'r', 'plan', '1', '{\"v\": 5}', 1", "context": "'r'",
    "define_breaker": "'api', 2", "define_event_type": "'note', '{}'", "define_workflow": "'flow', '{}'", "diff": "'r', 1",
    "digest": "'r'", "drop_run": "'fork'", "enter_loop": "'fork', 'rounds'", "events": "'r'", "exit_loop": "'r', 'rounds'",
    "fail_node": "'r', 'plan', '{}', 1", "finish_run": "'asked'", "fork_run": "'fork', 'new'", "get_state": "'r'",
    "get_variable": "'r', 'v'", "get_variables": "'r', in_group => 'g'", "grant_access": "'{worker}_2', 'writer'",
    "heartbeat": "'r', 'plan', 1, '1 day'", "history": "'r', 'v'", "next_iteration": "'r', 'rounds'",
    "off_event": "'note', 'public.handle(text, bigint, text, jsonb)'", "on_event": "'new', 'public.handle(text, bigint, text, jsonb)'",
    "owns": "'{worker}'", "pause_run": "'asked', 'plan', '{}', 'true'", "protect_checkpoint": "'r', 'kept'",
    "reads_every_run": "", "recover_run": "'r'", "remove_validator": "'flow', 'rule'", "renew_grants": "", "reopen_run": "'failed'",
    "reset_breaker": "'api'", "reset_nodes": "'r', '{plan,search}'", "resume_run": "'asked', '{asked}', '1', '{\"v\": 6}', 'accept'",
    "revoke_access": "'{worker}', 'auditor'", "rollback": "'r', 1", "rollback_to": "'r', 'kept'",
    "save_state": "'r', '{\"global_variables\": {\"v\": 7}, \"nodes\": [], \"edges\": []}'", "set_engine": "'r', '{\"e\": 1}'",
    "set_owner": "'r', '{worker}'", "set_variable": "'fork', 'v', '8', idempotency_key => 'new'",
    "set_variables": "'r', '{\"o\": {\"a\": 1, \"b\": 1}}', null, 'merge', 2", "skip_nodes": "'fork', '{plan}'",
    "stale_runs": "'1 us'", "start_run": "'another', 'flow', '{\"v\": 9}'",
    "try_set_variables": "'r', '{\"v\": 10}', null, 'fail', 1", "unset_variables": "'r', '{v}'", "validate_run": "'r'", "verify": "",
    "version_at": "'r', pg_catalog.now()", "withdraw_interaction": "'asked', '{asked}'",
}  # fmt: skip
# Only the extension's owner has these.
OF_THE_OWNER = {"check_access", "grant_access", "revoke_access", "renew_grants"}
# They read no table.
NOT_TO_BE_STOPPED = {"owns"}

SESSION = """
    SELECT current_user, session_user, pg_catalog.current_setting('role'), pg_catalog.string_agg(name || '=' || setting, ' ' ORDER BY name)
    FROM pg_catalog.pg_settings WHERE name LIKE 'enable_%' OR name LIKE 'jit%' OR name LIKE 'layra.%' OR name = 'search_path'
"""
TABLES = "SELECT relname FROM pg_class WHERE relnamespace = 'layra'::regnamespace AND relkind = 'r' ORDER BY 1"


def session_state(connection):
    # Refused where the session still counts as inside of a function that runs as somebody else.
    connection.execute("SET LOCAL ROLE NONE" if connection.info.transaction_status.name == "INTRANS" else "SET ROLE NONE")
    return connection.execute(SESSION).fetchone()


@pytest.fixture(scope="module")
def worker(dsn, role):
    """A role of every level, and what it has made."""
    worker = role("worker")
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(SETUP.format(worker=worker))
        yield worker
        connection.execute(f"DROP ROLE {worker}_2")


class Interruptions:
    """A session of the worker whose calls are cancelled, one that stands in its way, and one that looks on."""

    def __init__(self, connect, worker):
        self.admin, self.holder = connect(), connect()
        self.sessions = {False: connect(role=worker), True: connect()}
        self.tables = [f"layra.{table}" for (table,) in self.admin.execute(TABLES)]
        (asked,) = self.admin.execute("SELECT id FROM layra.interaction").fetchone()
        self.calls = {
            function: f"SELECT * FROM layra.{function}({arguments.replace('{worker}', worker).replace('{asked}', str(asked))})"
            for function, arguments in CALLS.items()
        }

    def obstacles(self):
        """What stops a call where it comes to it: a table, of the extension or of somebody's own code, or the rows of runs."""
        tables = [*self.tables, "public.outbox", "public.rules"]
        rows = ("layra.run", "layra.breaker", "layra.lease", "layra.workflow")
        return [f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE" for table in tables] + [f"SELECT FROM {row} FOR UPDATE" for row in rows]

    def content(self):
        tables = [*self.tables, "public.outbox", "pg_catalog.pg_namespace", "pg_catalog.pg_class"]
        return self.admin.execute(" UNION ALL ".join(
            f"SELECT '{table}', md5(string_agg(t::text, '|' ORDER BY t::text)) FROM {table} t" for table in tables
        )).fetchall()  # fmt: skip

    def cancelled(self, session, call, by_timeout):
        """Makes a call that may come to something that is locked; whether it was cancelled there."""
        if by_timeout:
            session.execute("SET LOCAL statement_timeout = '20ms'")
            return self.outcome(session, call)
        with ThreadPoolExecutor(1) as pool:
            future = pool.submit(self.outcome, session, call)
            while not future.done():
                self.admin.execute(
                    "SELECT pg_cancel_backend(pid) FROM unnest(%s::int[]) pid WHERE pg_blocking_pids(pid) = %s::int[]",
                    [[session.info.backend_pid], [self.holder.info.backend_pid]],
                )
            return future.result()

    def outcome(self, session, call):
        try:
            session.execute(call)
        except psycopg.Error as error:
            assert error.sqlstate == CANCELLED, f"{call}: {error}"
            return True
        return False


@pytest.fixture
def interruptions(connect, worker):
    return Interruptions(connect, worker)


def test_every_function_is_cancelled_wherever_it_may_wait(interruptions, soak, figures):
    """Every function against a lock on every table in turn: it waits at another place each time, often in the middle of its
    writes, in a handler or in a validator."""
    there = {name for (name,) in interruptions.admin.execute(
        "SELECT proname FROM pg_proc WHERE pronamespace = 'layra'::regnamespace"
    )}  # fmt: skip
    assert CALLS.keys() == there
    before = interruptions.content()
    stopped, calls = {}, 0
    for function, call in interruptions.calls.items():
        session = interruptions.sessions[function in OF_THE_OWNER]
        session.execute("SELECT layra.owns('')")  # the library's settings are there once it is loaded
        state = session_state(session)
        for number, obstacle in enumerate(interruptions.obstacles() * soak(1, 4)):
            by_timeout, in_savepoint = number % 2 == 0, number % 3 == 0
            calls += 1
            interruptions.holder.execute("BEGIN")
            interruptions.holder.execute(obstacle)
            session.execute("BEGIN")
            session.execute("SAVEPOINT before")
            was_stopped = interruptions.cancelled(session, call, by_timeout)
            interruptions.holder.execute("ROLLBACK")
            if was_stopped:
                session.execute("ROLLBACK TO before" if in_savepoint else "ROLLBACK")
                assert session_state(session) == state, f"{call} after {obstacle}"
                if not in_savepoint:
                    session.execute("BEGIN")
                session.execute(call)
                stopped.setdefault(function, set()).add(obstacle)
            session.execute("ROLLBACK")
            assert session_state(session) == state, f"{call} after {obstacle}"
        assert interruptions.content() == before, call
    assert there - stopped.keys() == NOT_TO_BE_STOPPED
    assert interruptions.admin.execute("SELECT * FROM layra.verify()").fetchall() == []
    places = sum(map(len, stopped.values()))
    figures(f"{calls:,} calls of {len(there)} functions, cancelled at {places} places; nothing changed")


# --- calls that take long --------------------------------------------------------------------------------------------

# {n}: how many; {mb}: megabytes of a value, in members of about 100 octets.
LARGE = """
    CREATE TABLE large (name text, value jsonb);
    ALTER TABLE large ALTER value SET STORAGE EXTERNAL;
    GRANT SELECT ON large TO {worker};
    INSERT INTO large
    SELECT 'value', jsonb_object_agg('member ' || i, repeat(md5(i::text), 2)) FROM generate_series(1, {mb} * 10000) i
    UNION ALL SELECT 'mine', jsonb_object_agg('member ' || i, CASE WHEN i % 10 = 0 THEN 'mine' ELSE repeat(md5(i::text), 2) END)
    FROM generate_series(1, {mb} * 10000) i
    UNION ALL SELECT 'theirs', jsonb_object_agg('member ' || i, CASE WHEN i % 10 = 1 THEN 'theirs' ELSE repeat(md5(i::text), 2) END)
    FROM generate_series(1, {mb} * 10000) i
    UNION ALL SELECT 'variables', jsonb_object_agg('v' || i, i) FROM generate_series(1, {n}) i
    UNION ALL SELECT 'events', jsonb_agg(jsonb_build_object('type', 'e', 'payload', i, 'updates', jsonb_build_object('u', i)))
    FROM generate_series(1, {n}) i
    UNION ALL SELECT 'nodes', jsonb_agg(jsonb_build_object('id', 'n' || i, 'type', 'code')) FROM generate_series(1, {n}) i
    UNION ALL SELECT 'edges', jsonb_agg(jsonb_build_object('source', 'n' || i, 'target', 'n' || i + 1)) FROM generate_series(1, {n} - 1) i;
    INSERT INTO large
    SELECT 'state', jsonb_build_object('global_variables', jsonb_build_object('value', v.value), 'context',
        jsonb_build_object('n1', (SELECT jsonb_agg(i) FROM generate_series(1, {n}) i)), 'execution_status',
        (SELECT jsonb_object_agg('n' || i, true) FROM generate_series(1, {n}) i))
    FROM large v WHERE v.name = 'value';
    INSERT INTO large SELECT 'definition', jsonb_build_object('nodes', n.value, 'edges', e.value, 'variables', '{{"value": {{"schema":
        {{"type": "object", "additionalProperties": {{"type": "string", "pattern": "^[0-9a-f]*$", "maxLength": 100}}}}}}}}'::jsonb)
    FROM large n, large e WHERE n.name = 'nodes' AND e.name = 'edges';
    SET SESSION AUTHORIZATION {worker};
    SELECT layra.define_workflow('large', value) FROM large WHERE name = 'definition';
    SELECT layra.start_run('large', 'large'), layra.save_state('large', (SELECT value FROM large WHERE name = 'state'));
    SELECT layra.set_variables('large', (SELECT value FROM large WHERE name = 'variables'));
    SELECT layra.start_run('free', variables => jsonb_build_object('value', (SELECT value FROM large WHERE name = 'value')));
    SELECT layra.set_variables('free', jsonb_build_object('value', (SELECT value FROM large WHERE name = 'theirs')));
    SELECT layra.start_run('log');
    SELECT layra.append_events('log', (SELECT value FROM large WHERE name = 'events')) FROM generate_series(1, {logs});
    SELECT layra.start_run('working', 'large');
    SELECT layra.begin_node('working', 'n1', 'w');
    RESET SESSION AUTHORIZATION;
"""


def stored(name):
    return f"(SELECT value FROM public.large WHERE name = '{name}')"


VALUE = f"jsonb_build_object('value', {stored('value')})"
LONG_CALLS = {
    "append_event": f"append_event('free', 'e', {stored('value')}, jsonb_build_object('w', {stored('value')}))",
    "append_events": f"append_events('free', {stored('events')})",
    "begin_node": "begin_node('large', 'new')",
    "cells": "cells('large')",
    "complete_node": f"complete_node('working', 'n1', {stored('value')}, {VALUE})",
    "context": "context('large')",
    "define_workflow": f"define_workflow('new', {stored('definition')})",
    "diff": "diff('large', 1)",
    "drop_run": "drop_run('log')",
    "events": "events('log', batch_size => 100000)",
    "fork_run": "fork_run('large', 'forked')",
    "get_state": "get_state('large')",
    "get_variables": "get_variables('large')",
    "history": "history('log', 'u')",
    "recover_run": "recover_run('large')",
    "rollback": "rollback('large', 1)",
    "save_state": f"save_state('new', {stored('state')})",
    "save_state again": f"save_state('large', {stored('state')})",
    "set_variables": f"set_variables('working', {stored('variables')})",
    "set_variables with a schema": f"set_variables('working', {VALUE})",
    "set_variables with a merge":
        f"set_variables('free', jsonb_build_object('value', {stored('mine')}), on_conflict => 'merge', expected_version => 1)",
    "start_run": f"start_run('new', 'large', {VALUE})",
    "try_set_variables": f"try_set_variables('free', jsonb_build_object('value', {stored('mine')}), expected_version => 1)",
    "validate_run": "validate_run('large')",
    "verify": "verify()",
}  # fmt: skip


def test_long_calls_end_when_they_are_told_to(connect, worker, soak, figures):
    """statement_timeout at random moments of calls on large states. How long a call goes on after it is shown, not asserted."""
    seed = SystemRandom().randrange(10**6)
    random = Random(seed)
    admin, session = connect(), connect(role=worker)
    admin.execute(LARGE.format(worker=worker, n=soak(1_000, 10_000), mb=soak(1, 10), logs=soak(2, 10)))
    runs = "SELECT run_id, status, layra.digest(run_id) FROM layra.run ORDER BY 1"
    session.execute("SELECT layra.owns('')")  # the library's settings are there once it is loaded
    before, state = admin.execute(runs).fetchall(), session_state(session)
    counts = [f"SELECT count(*) FROM layra.{table}" for (table,) in admin.execute(TABLES)]

    def rows():
        return admin.execute(" UNION ALL ".join(counts)).fetchall()

    def timed(call, timeout):
        """How long a call takes, and whether it was cancelled. What it changes is taken back."""
        session.execute("BEGIN")
        session.execute(f"SET LOCAL statement_timeout = '{timeout * 1000:.0f}ms'")
        began = time.monotonic()
        try:
            session.execute(f"SELECT * FROM layra.{call}")
            return time.monotonic() - began, False
        except psycopg.Error as error:
            assert error.sqlstate == CANCELLED, f"{call}: {error} (seed {seed})"
            return time.monotonic() - began, True
        finally:
            session.execute("ROLLBACK")

    all_rows, late, cancelled = rows(), {}, 0
    for name, call in LONG_CALLS.items():
        whole, _ = timed(call, 0)
        for _ in range(soak(2, 20)):
            timeout = max(random.uniform(0, whole), 0.001)
            took, was_cancelled = timed(call, timeout)
            cancelled += was_cancelled
            if was_cancelled:
                late[name] = max(late.get(name, 0), took - timeout)
            assert session_state(session) == state, call
            assert admin.execute(runs).fetchall() == before, f"{call} (seed {seed})"
        assert rows() == all_rows, f"{call} (seed {seed})"
    assert admin.execute("SELECT * FROM layra.verify()").fetchall() == []
    worst = sorted(late.items(), key=lambda item: -item[1])[:6]
    figures(
        f"{cancelled} of {len(LONG_CALLS) * soak(2, 20)} calls cancelled; went on for at most "
        + ", ".join(f"{took * 1000:.0f} ms ({name})" for name, took in worst)
    )
