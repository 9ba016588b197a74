"""What a call finds once it holds its locks: a table that another took the place of while it waited, and REINDEX, which wants
the indexes that the call has. By the fast path and by the statements."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager

import psycopg
import pytest
from test_concurrency import call, waiting  # noqa: F401
from ways import prepare  # noqa: F401

TABLES = ("run", "event", "cell", "lease", "checkpoint", "interaction", "handler")


@pytest.fixture
def db(admin):
    yield admin
    admin.rollback()
    admin.execute("SELECT layra.drop_run(run_id) FROM layra.run")


def new_run(connection, run_id="r"):
    call(connection, "start_run(%s, variables => '{\"v\": 1}')", run_id)
    call(connection, "begin_node(%s, 'n', 'w', '1 day')", run_id)


# --- a table that another takes the place of ---------------------------------------------------------------------------


@pytest.fixture
def swapped(db):
    """A context manager: a transaction that puts a copy in the place of a table, which it renames; the block is in it. It
    ends after the block, and the tables have their places back after the test."""
    tables = []

    @contextmanager
    def swapped(table):
        with db.transaction():
            db.execute(f"""
                ALTER TABLE layra.{table} RENAME TO before;
                CREATE TABLE layra.{table} (LIKE layra.before INCLUDING ALL);
                INSERT INTO layra.{table} SELECT * FROM layra.before;
                ALTER TABLE layra.{table} ENABLE ROW LEVEL SECURITY""")
            tables.append(table)
            yield

    yield swapped
    for table in tables:
        db.execute(f"DROP TABLE layra.{table}; ALTER TABLE layra.before RENAME TO {table}")


@pytest.mark.parametrize("warm", [True, False], ids=["known", "new"])
@pytest.mark.parametrize("table, written", [
    ("run", "finish_run('r')"), ("run", "append_event('r', 'x')"), ("event", "append_event('r', 'x')"),
    ("event", "append_event('r', 'x', idempotency_key => 'k')"), ("event", "set_variables('r', '{\"v\": 2, \"w\": 3}')"),
    ("cell", "set_variable('r', 'v', '2')"), ("cell", "unset_variables('r', '{v}')"), ("lease", "complete_node('r', 'n')"),
    ("lease", "reset_nodes('r', '{n}')"), ("checkpoint", "checkpoint('r', 'c')"), ("handler", "append_event('r', 'x')"),
])  # fmt: skip
def test_a_call_writes_to_the_table_that_has_the_name_when_it_gets_the_lock(  # noqa: F811
    db, connect, waiting, swapped, table, written, warm
):
    new_run(db)
    session = connect()
    if warm:
        call(session, "append_event('r', 'w', idempotency_key => 'w')")
    rows = "SELECT count(*), max(t::text) FROM layra.{} t"
    before = db.execute(rows.format(table)).fetchone()
    (head,) = db.execute("SELECT max(version) FROM layra.event WHERE run_id = 'r'").fetchone()
    with ExitStack() as stack:
        with swapped(table):
            result = stack.enter_context(waiting(session, written))
    assert result() == head + 1
    assert db.execute("SELECT max(version) FROM layra.event WHERE run_id = 'r'").fetchone() == (head + 1,)
    assert db.execute(rows.format("before")).fetchone() == before, "nothing was written to it"
    assert db.execute("SELECT * FROM layra.verify()").fetchall() == []
    if "finish" not in written:
        assert call(session, "append_event('r', 'y')") == head + 2


def test_a_handler_that_came_while_a_call_waited_is_called(db, connect, waiting, swapped):  # noqa: F811
    db.execute("""
        CREATE TABLE public.fired (type text);
        CREATE FUNCTION public.fire(text, bigint, text, jsonb) RETURNS void LANGUAGE sql
        AS 'INSERT INTO public.fired VALUES ($3)'""")
    new_run(db)
    with ExitStack() as stack:
        with swapped("handler"):
            db.execute("SELECT layra.on_event('x', 'public.fire(text, bigint, text, jsonb)')")
            result = stack.enter_context(waiting(connect(), "append_event('r', 'x')"))
    assert result() == 3
    assert db.execute("SELECT type FROM public.fired").fetchall() == [("x",)]
    db.execute("DROP TABLE public.fired; DROP FUNCTION public.fire")


def test_an_index_that_another_takes_the_place_of(db, connect, waiting):  # noqa: F811
    """The uses of a key are found by whatever index there is."""
    new_run(db)
    repeated = "append_event('r', 'x', idempotency_key => 'k')"
    first = call(db, repeated)
    session = connect()
    assert call(session, repeated) == first
    with ExitStack() as stack:
        with db.transaction():
            # The table first, as ALTER TABLE has it: autovacuum that has the table and waits for the index's row would be a deadlock.
            db.execute("""
                LOCK TABLE layra.event;
                ALTER INDEX layra.event_idempotency_key RENAME TO before;
                CREATE INDEX event_idempotency_key ON layra.event (run_id, idempotency_key, version)
                WHERE idempotency_key IS NOT NULL""")
            result = stack.enter_context(waiting(session, repeated))
    assert result() == first
    db.execute("DROP INDEX layra.event_idempotency_key; ALTER INDEX layra.before RENAME TO event_idempotency_key")


# --- REINDEX -----------------------------------------------------------------------------------------------------------

WRITES = (
    "append_event('r', 'x', '{}', '{\"v\": 2}', idempotency_key => 'k')", "checkpoint('r', 'kept', replace => true)",
    "rollback_to('r', 'kept')", "complete_node('r', 'n', '1', '{\"v\": 3}')", "pause_run('r', 'n')", "finish_run('r')",
    "set_owner('r', 'postgres')", "hold_run('r', 'audit'), layra.release_run('r')", "drop_run('r')",
)  # fmt: skip
READS = (
    "get_state('r')", "get_state('r', 2)", "history('r', 'v')", "stale_runs('1 s')", "verify('r')", "heads()", "export_run('r')",
    "verify_heads((SELECT jsonb_agg(h) FROM layra.heads() h))",
)  # fmt: skip


# A test that fails ends.
PATIENCE = "-c statement_timeout=30s"


@pytest.fixture(params=[False, True], ids=["as installed", "newer"])
def primary_keys(request, db):
    """Whether REINDEX takes the primary keys first, or last, because they are newer than the other indexes."""
    for table in TABLES if request.param else ():
        db.execute(f"REINDEX INDEX CONCURRENTLY layra.{table}_pkey")


@contextmanager
def reindexing(connection, observer, table):
    """REINDEX has begun, and waits, if it has to, for as long as the block takes; it is done after it."""
    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(connection.execute, f"REINDEX TABLE layra.{table}")
        blocked = "SELECT cardinality(pg_blocking_pids(%s)) > 0"
        while not future.done() and not observer.execute(blocked, [connection.info.backend_pid]).fetchone()[0]:
            pass
        yield
        future.result()


@pytest.mark.parametrize("table", TABLES)
def test_reindex_beside_a_call_that_waits_for_its_run(db, connect, waiting, primary_keys, table):  # noqa: F811
    """The call holds what it has when REINDEX comes, and wants more of the same table afterwards."""
    session, holder, maintenance = connect(options=PATIENCE), connect(), connect(options=PATIENCE)
    for written in WRITES:
        for _ in range(2):  # The second time with plans that are there.
            new_run(db)
            call(db, "checkpoint('r', 'kept')")
            with ExitStack() as stack:
                with holder.transaction():
                    holder.execute("SELECT FROM layra.run WHERE run_id = 'r' FOR UPDATE")
                    result = stack.enter_context(waiting(session, written))
                    stack.enter_context(reindexing(maintenance, db, table))
            assert result() not in ("40P01", "57014"), written
            db.execute("SELECT layra.drop_run(run_id) FROM layra.run")


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("first", ["set_variable('r', 'v', '7')", "get_variable('r', 'v')"], ids=["write", "read"])
def test_reindex_beside_a_transaction(db, connect, primary_keys, table, first):
    """Calls that follow each other in one transaction: after one that writes, all; after one that reads, those that read."""
    session, maintenance = connect(options=PATIENCE), connect(options=PATIENCE)
    for then in (*READS, *(WRITES if first.startswith("set") else ())):
        new_run(db)
        call(db, "checkpoint('r', 'kept')")
        with ExitStack() as stack:
            with session.transaction():
                call(session, first)
                stack.enter_context(reindexing(maintenance, db, table))
                session.execute(f"SELECT * FROM layra.{then}")
        db.execute("SELECT layra.drop_run(run_id) FROM layra.run")
