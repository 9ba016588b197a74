"""Calls that are cancelled in the middle: by pg_cancel_backend and statement_timeout, at every table that a function touches and
at any moment of a call that takes long. The error is 57014, nothing has changed, and the session is as it was.
"""

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from random import Random, SystemRandom

import psycopg
import pytest
from every_function import CALLS, OF_THE_OWNER, SETUP, calls, functions

CANCELLED = "57014"

# They read no table.
NOT_TO_BE_STOPPED = {"owns", "reads_runs_of", "remembered", "format_3"}

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
        self.calls = calls(self.admin, worker)

    def obstacles(self):
        """What stops a call where it comes to it: a table, of the extension or of a user's code, or the rows of runs."""
        tables = [*self.tables, "public.outbox", "public.rules"]
        rows = ("layra.run", "layra.breaker", "layra.lease", "layra.workflow")
        return [f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE" for table in tables] + [f"SELECT FROM {row} FOR UPDATE" for row in rows]

    def content(self):
        # Of the catalogue what autovacuum leaves alone.
        relations = "(SELECT oid, relname, relnamespace, relowner, relkind, relnatts, relhasindex, relacl FROM pg_catalog.pg_class)"
        tables = [*self.tables, "public.outbox", "pg_catalog.pg_namespace", relations]
        return self.admin.execute(" UNION ALL ".join(
            f"SELECT '{table}', md5(string_agg(t::text, '|' ORDER BY t::text)) FROM {table} t" for table in tables
        ) + " ORDER BY 1").fetchall()  # fmt: skip

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
    there = functions(interruptions.admin)
    assert CALLS.keys() == there
    before = interruptions.content()
    stopped, count = {}, 0
    for function, call in interruptions.calls.items():
        session = interruptions.sessions[function in OF_THE_OWNER]
        session.execute("SELECT layra.owns('')")  # the library's settings are there once it is loaded
        state = session_state(session)
        for number, obstacle in enumerate(interruptions.obstacles() * soak(1, 4)):
            by_timeout, in_savepoint = number % 2 == 0, number % 3 == 0
            count += 1
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
    figures(f"{count:,} calls of {len(there)} functions, cancelled at {places} places; nothing changed")


# --- calls that take long --------------------------------------------------------------------------------------------

# {n}: how many; {mb}: megabytes of a value, in members of about 100 bytes.
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
    # In order: of a large UNION ALL a parallel worker's part may come first.
    counts = [f"SELECT '{table}', count(*) FROM layra.{table}" for (table,) in admin.execute(TABLES)]

    def rows():
        return admin.execute(" UNION ALL ".join(counts) + " ORDER BY 1").fetchall()

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
            # Of a call that was in time the timeout still stands, and the rollback itself may be too late for it.
            while session.info.transaction_status != psycopg.pq.TransactionStatus.IDLE:
                with suppress(psycopg.errors.QueryCanceled):
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
