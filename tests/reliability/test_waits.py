"""The clock is read once a lock is held, by every function: a call that has waited stores no time of before its wait was over.
tests/outside/test_clock.py has what follows from such a time."""

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import psycopg
import pytest
from every_function import OF_THE_OWNER, SETUP, calls, functions
from server import PATIENCE


def clock(connection):
    return connection.execute("SELECT clock_timestamp()").fetchone()[0]


def attempt(connection, sql):
    """The SQLSTATE, or None; in a transaction, which goes on."""
    try:
        with connection.transaction():
            connection.execute(sql)
    except psycopg.Error as error:
        return error.sqlstate
    return None


@pytest.fixture
def waiting(admin):
    """A context manager: the block starts once the session waits for a lock with a statement in another thread, long enough
    to be told from a slow one; after it the wait, which the block ends, is over. It gives what `attempt` gave."""

    @contextmanager
    def waiting(connection, sql):
        deadline = time.monotonic() + PATIENCE
        with ThreadPoolExecutor(1) as pool:
            future = pool.submit(attempt, connection, sql)
            blocked = "SELECT cardinality(pg_blocking_pids(%s)) > 0"
            while not admin.execute(blocked, [connection.info.backend_pid]).fetchone()[0]:
                assert not future.done(), f"{sql} did not wait, but gave {future.result()}"
                assert time.monotonic() < deadline
            since = clock(admin)
            while (clock(admin) - since).total_seconds() < 0.005:
                pass
            yield future.result

    return waiting


# Of the event that a call appends: the time at which it locked the run, with these tables.
OF_THE_RUN = {"event.at", "checkpoint.created_at", "interaction.created_at", "run.created_at", "run.finished_at"}
WITH_THE_RUN = {"run", "event", "cell"}


@pytest.fixture(scope="module")
def world(dsn, role):
    """A role of every level, a call of every function, and the tables that each call writes to or locks as if it did."""
    worker = role("worker")
    with psycopg.connect(dsn, autocommit=True) as admin:
        admin.execute(SETUP.format(worker=worker))
        every = calls(admin, worker)
        assert every.keys() == functions(admin)
        written = {}
        for function, sql in every.items():
            with admin.transaction(force_rollback=True):
                as_caller(admin, function, worker)
                admin.execute(sql)
                written[function] = {table for (table,) in admin.execute(
                    "SELECT c.relname FROM pg_locks l JOIN pg_class c ON c.oid = l.relation WHERE pid = pg_backend_pid()"
                    " AND mode = 'RowExclusiveLock' AND c.relkind = 'r' AND c.relnamespace = 'layra'::regnamespace"
                )}  # fmt: skip
        yield every, written, worker
        admin.execute(f"DROP ROLE {worker}_2")


def as_caller(connection, function, worker):
    if function not in OF_THE_OWNER:
        connection.execute(f"SET LOCAL ROLE {worker}")


def times(connection):
    """Every time that is stored."""
    columns = connection.execute(
        "SELECT relname, attname FROM pg_attribute a JOIN pg_class c ON c.oid = attrelid WHERE relnamespace = 'layra'::regnamespace"
        " AND relkind = 'r' AND atttypid = 'timestamptz'::regtype AND attnum > 0"
    ).fetchall()
    assert len(columns) > 12
    found = " UNION ALL ".join(f"SELECT '{table}.{column}', {column} FROM layra.{table}" for table, column in columns)
    return connection.execute(found).fetchall()


def outdated(connection, began, released, table="run"):
    """The stored times that somebody read from the clock before the wait for the table was over."""
    exempt = OF_THE_RUN if table not in WITH_THE_RUN else set()
    return sorted({where for where, at in times(connection) if at is not None and began <= at <= released} - exempt)


@pytest.mark.parametrize("level", ["READ COMMITTED", "REPEATABLE READ"])
def test_no_call_reads_the_clock_before_it_waits_for_a_table(world, connect, admin, waiting, level):
    """Each table that it writes to in turn is one that somebody builds an index of."""
    every, written, worker = world
    holder, session = connect(autocommit=False), connect()
    wrong, waits = {}, 0
    for function, sql in every.items():
        if function in OF_THE_OWNER and level != "READ COMMITTED":
            continue
        for table in sorted(written[function]):
            holder.execute(f"LOCK TABLE layra.{table} IN SHARE MODE")
            with session.transaction(force_rollback=True):
                session.execute(f"SET TRANSACTION ISOLATION LEVEL {level}")
                as_caller(session, function, worker)
                began = clock(admin)
                with waiting(session, sql):
                    released = clock(admin)
                    holder.commit()
                session.execute("RESET ROLE")
                found = outdated(session, began, released, table)
                waits += 1
            if found:
                wrong[f"{function}, {table}"] = found
    assert wrong == {}
    assert waits > 60


def test_no_definition_reads_the_clock_before_it_waits_for_another(world, connect, admin, waiting):
    """Of the same name, in a transaction that comes to nothing."""
    _, _, worker = world
    holder, session = connect(autocommit=False), connect()
    new = {
        "define_workflow": "'new', '{}'", "define_event_type": "'new', '{}'", "define_breaker": "'new', 1",
        "add_validator": "'flow', 'new', 'public.rule(text, jsonb)'", "on_event": "'fresh', 'public.handle(text, bigint, text, jsonb)'",
        "start_run": "'new'", "fork_run": "'r', 'new'", "save_state": "'new', '{}'",
    }  # fmt: skip
    shared = {"define_workflow": ", shared => true", "define_event_type": ", shared => true"}
    for function, more in [(function, "") for function in new] + list(shared.items()):
        sql = f"SELECT layra.{function}({new[function]}{more})"
        as_caller(holder, function, worker)
        holder.execute(sql)
        with session.transaction(force_rollback=True):
            as_caller(session, function, worker)
            began = clock(admin)
            with waiting(session, sql) as outcome:
                released = clock(admin)
                holder.rollback()
            assert outcome() is None, sql
            session.execute("RESET ROLE")
            assert outdated(session, began, released) == [], sql
            assert [at for _, at in times(session) if at is not None and at > released], sql


def test_what_a_definition_changes_was_there_before(connect, admin, waiting):
    """A wait for somebody who changes it, too, leaves its time."""
    admin.execute("SELECT layra.define_breaker('kept', 1)")
    (created,) = admin.execute("SELECT created_at FROM layra.breaker WHERE name = 'kept'").fetchone()
    holder, session = connect(autocommit=False), connect()
    holder.execute("SELECT layra.define_breaker('kept', 2)")
    with waiting(session, "SELECT layra.define_breaker('kept', 3)"):
        holder.commit()
    assert admin.execute("SELECT created_at, failure_threshold FROM layra.breaker WHERE name = 'kept'").fetchone() == (created, 3)
