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
# It reads the catalogue alone, which nobody holds: a timeout may come in time, or not.
PERHAPS_STOPPED = {"help"}

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
    assert there - stopped.keys() - PERHAPS_STOPPED == NOT_TO_BE_STOPPED
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
    "export_run": "export_run('large')",
    "fork_run": "fork_run('large', 'forked')",
    "get_state": "get_state('large')",
    "get_variables": "get_variables('large')",
    "heads": "heads()",
    "history": "history('log', 'u')",
    "recover_run": "recover_run('large')",
    "report": "report('large')",
    "report of a log": "report('log')",
    "explain_run": "explain_run('large')",
    "mermaid": "mermaid('large')",
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
    "verify_heads": "verify_heads((SELECT jsonb_agg(jsonb_build_object('run_id', 'run ' || i, 'version', 1, 'hash', repeat('0', 64)))"
                    " FROM generate_series(1, 100000) i))",
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


# --- calls with large values -----------------------------------------------------------------------------------------------

# A value of so many bytes, in one piece or in many, and arguments that have it: made beforehand, as PostgreSQL's own functions
# hear no cancel.
VALUES = """
    CREATE TABLE huge (name text, as_ text, value jsonb, PRIMARY KEY (name, as_));
    ALTER TABLE huge ALTER value SET STORAGE EXTERNAL;
    GRANT SELECT ON huge TO {worker};
    INSERT INTO huge VALUES ('string', 'value', to_jsonb(repeat('x', {bytes}))),
        ('escapes', 'value', to_jsonb(repeat(E'\\x01"', {bytes} / 8))),
        ('list', 'value', (SELECT jsonb_agg(i) FROM generate_series(1, {bytes} / 9) i)),
        ('objects', 'value', (SELECT jsonb_agg(jsonb_build_object('id', 'n' || i, 'more', i)) FROM generate_series(1, {bytes} / 40) i)),
        ('string', 'changed', to_jsonb(repeat('x', {bytes} / 2) || 'y' || repeat('x', {bytes} / 2 - 1)));
    INSERT INTO huge SELECT name, 'changed', value || '[0]' FROM huge WHERE name IN ('list', 'objects');
    INSERT INTO huge SELECT 'escapes', 'changed', value FROM huge WHERE (name, as_) = ('string', 'changed');
    INSERT INTO huge SELECT h.name, a.name, a.value FROM huge h CROSS JOIN LATERAL (VALUES
        ('object', jsonb_build_object('v', value)), ('events', jsonb_build_array(jsonb_build_object('type', 'e', 'payload', value))),
        ('definition', jsonb_build_object('variables', jsonb_build_object('v', jsonb_build_object('default', value)))),
        ('state', jsonb_build_object('global_variables', jsonb_build_object('v', value))),
        ('nodes', jsonb_build_object('nodes', jsonb_build_array(value))),
        ('context', jsonb_build_object('context', jsonb_build_object('n', jsonb_build_array(value))))) a(name, value)
    WHERE as_ = 'value';
    INSERT INTO huge SELECT name, 'changed object', jsonb_build_object('v', value) FROM huge WHERE as_ = 'changed';
    SET SESSION AUTHORIZATION {worker};
    SELECT layra.start_run('huge ' || name, variables => value) FROM huge WHERE as_ = 'object';
    SELECT layra.set_variables('huge ' || name, value) FROM huge WHERE as_ = 'changed object';
    SELECT layra.begin_node('huge ' || name, 'n') FROM huge WHERE as_ = 'value';
    SELECT layra.save_state('saved ' || name, value) FROM huge WHERE as_ = 'state';
    SELECT layra.append_event('huge ' || name, 'e', value) FROM huge WHERE as_ = 'value';
    SELECT layra.start_run('asks ' || name), layra.pause_run('asks ' || name, 'n', response_schema => '{{"uniqueItems": true}}') FROM huge
    WHERE as_ = 'value';
    SELECT layra.define_breaker('huge');
    RESET SESSION AUTHORIZATION;
"""
# {value} and so on: the argument; {name}: which of the values.
HUGE_CALLS = {
    "append_event": "append_event('huge {name}', 'e', {value}, {object})",
    "append_events": "append_events('huge {name}', {events})",
    "breaker_failure": "breaker_failure('huge', {value})",
    "cells": "cells('huge {name}')",
    "checkpoint": "checkpoint('huge {name}', metadata => {object})",
    "complete_node": "complete_node('huge {name}', 'n', {value})",
    "define_workflow": "define_workflow('huge', {definition})",
    "diff": "diff('huge {name}', 1)",
    "events": "events('huge {name}')",
    "fail_node": "fail_node('huge {name}', 'n', {value})",
    "finish_run": "finish_run('huge {name}', result => {value})",
    "fork_run": "fork_run('huge {name}', 'huge fork')",
    "get_state": "get_state('huge {name}')",
    "get_variable": "get_variable('huge {name}', 'v')",
    "get_variables": "get_variables('huge {name}')",
    "history": "history('huge {name}', 'v')",
    "pause_run": "pause_run('huge {name}', 'n', {value})",
    "resume_run": "resume_run('asks {name}', (SELECT id FROM layra.interaction WHERE run_id = 'asks {name}'), {value})",
    "rollback": "rollback('huge {name}', 1)",
    "save_state": "save_state('huge new', {state})",
    "save_state again": "save_state('saved {name}', {state})",
    "save_state of nodes": "save_state('huge new', {nodes})",
    "save_state of context": "save_state('huge new', {context})",
    "set_engine": "set_engine('huge {name}', {object})",
    "set_variable": "set_variable('huge {name}', 'v', {value})",
    "set_variables": "set_variables('huge {name}', {object}, null, 'merge', 1)",
    "start_run": "start_run('huge new', variables => {object}, metadata => {object})",
    "try_set_variables": "try_set_variables('huge {name}', {object}, null, 'fail', 1)",
    "validate_run": "validate_run('huge {name}')",
    "verify": "verify('huge {name}')",
}  # fmt: skip
# Seconds of the processor from a cancel to its error.
HEARD = 0.5


def processor_time(session):
    with open(f"/proc/{session.info.backend_pid}/schedstat") as statistics:
        return int(statistics.read().split()[0]) / 1e9


def cancelled(admin, session, sql, after):
    """The processor's time that a call still took when it had taken so much and was cancelled; None where it was done before.
    And all that it took."""
    session.execute("BEGIN")
    began = processor_time(session)
    session.pgconn.send_query(sql.encode())
    while session.pgconn.is_busy() and (at := processor_time(session)) < began + after:
        session.pgconn.consume_input()
        time.sleep(0.001)
    admin.execute("SELECT pg_cancel_backend(%s)", [session.info.backend_pid])
    at = processor_time(session)
    result = session.pgconn.get_result()
    while session.pgconn.get_result():
        pass
    ended = processor_time(session)
    state = result.error_field(psycopg.pq.DiagnosticField.SQLSTATE)
    while session.info.transaction_status != psycopg.pq.TransactionStatus.IDLE:
        with suppress(psycopg.errors.QueryCanceled):
            session.execute("ROLLBACK")
    return (ended - at if state == CANCELLED.encode() else None), ended - began


def test_a_cancel_is_heard_at_once_with_large_values(connect, worker, soak, figures):
    """At some moments of each call of each function that takes or gives a value."""
    admin, session = connect(), connect(role=worker)
    admin.execute(VALUES.format(worker=worker, bytes=soak(3, 56) * 1_000_000))
    late = {}
    for name in ("string", "escapes", "list", "objects"):
        arguments = {as_: f"(SELECT value FROM public.huge WHERE (name, as_) = ('{name}', '{as_}'))"
                     for as_ in ("value", "object", "events", "definition", "state", "nodes", "context")}  # fmt: skip
        for function, call in HUGE_CALLS.items():
            sql = f"SELECT count(*) FROM layra.{call.format(name=name, **arguments)}"
            _, whole = cancelled(admin, session, sql, 3600)
            moments = soak(2, 8)
            for moment in range(moments):
                least = None
                for _ in range(3):
                    heard, _ = cancelled(admin, session, sql, whole * (moment + 0.5) / moments)
                    if heard is not None:
                        least = min(heard, least) if least is not None else heard
                    if least is None or least < HEARD / 2:
                        break
                late[f"{function} of {name}"] = max(late.get(f"{function} of {name}", 0), least or 0)
    worst = sorted(late.items(), key=lambda item: -item[1])
    figures(f"{len(late)} calls; " + ", ".join(f"{seconds:.3f} s ({call})" for call, seconds in worst[:8]))
    assert worst[0][1] < HEARD, worst
