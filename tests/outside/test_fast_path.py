"""The fast path to the rows, where a statement's own machinery would have kept the order: within savepoints, statements,
triggers, cursors, handlers and prepared transactions, and where what a session remembers of a run is no longer so. Each test
runs on the slow path as well, the statements, which are the measure."""

import json
from concurrent.futures import ThreadPoolExecutor
from random import Random

import psycopg
import pytest
from execution import attempt, call, rows, sound
from test_concurrency import waiting  # noqa: F401
from ways import prepare  # noqa: F401

# More versions than those of which a session remembers nothing, and more than it looks back for a newest row.
MANY = 400


@pytest.fixture
def db(admin):
    yield admin
    admin.rollback()
    admin.execute("SELECT layra.drop_run(run_id) FROM layra.run")


def start(connection, run_id="r", versions=1):
    call(connection, "start_run(%s, variables => '{\"v\": 1, \"still\": 0}')", run_id)
    write(connection, run_id, versions - 1)


def write(connection, run_id, count):
    """So many versions more, each of which sets v to its own number."""
    connection.execute(
        "SELECT layra.set_variable(%s, 'v', to_jsonb(n))"
        " FROM (SELECT max(version) AS head FROM layra.event WHERE run_id = %s) e, generate_series(head + 1, head + %s) n",
        [run_id, run_id, count],
    )


def reads(connection, run_id="r"):
    """What every way of reading says the newest value of `v` is: all the same, and the log's length."""
    (head,) = connection.execute("SELECT max(version) FROM layra.event WHERE run_id = %s", [run_id]).fetchone()
    seen = connection.execute(
        "SELECT layra.get_variable(%(r)s, 'v'), layra.get_variables(%(r)s) -> 'v',"
        " layra.get_variables(%(r)s, '{v,still}') -> 'v',"
        " layra.get_state(%(r)s) #> '{global_variables,v}', layra.get_variable(%(r)s, 'v', %(head)s),"
        " layra.get_state(%(r)s, %(head)s) #> '{global_variables,v}',"
        " (SELECT h.value FROM layra.history(%(r)s, 'v') h ORDER BY revision DESC LIMIT 1),"
        " (SELECT version FROM layra.runs WHERE run_id = %(r)s)",
        {"r": run_id, "head": head},
    ).fetchone()
    assert set(seen) == {head}, seen
    assert connection.execute("SELECT layra.get_variable(%s, 'still')", [run_id]).fetchone() == (0,)
    assert connection.execute("SELECT * FROM layra.verify(%s)", [run_id]).fetchall() == []
    return head


# --- what is undone ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("before", [1, 60, MANY])
@pytest.mark.parametrize("undone", [1, 70, 2 * MANY])
def test_versions_that_a_savepoint_undid_were_never_there(db, before, undone):
    start(db, versions=before)
    with db.transaction():
        write(db, "r", 3)
        with db.transaction(force_rollback=True):
            write(db, "r", undone)
            assert reads(db) == before + 3 + undone
            # As an event's own DEFAULT gives it: that of the whole transaction.
            mine = "SELECT count(*) FROM layra.event WHERE xact = pg_current_xact_id()"
            assert db.execute(mine).fetchone() == (3 + undone,)
        assert reads(db) == before + 3
        write(db, "r", 2)
        assert reads(db) == before + 5
    with db.transaction(force_rollback=True):
        write(db, "r", undone)
        reads(db)
    assert reads(db) == before + 5
    write(db, "r", 1)
    assert reads(db) == before + 6


def test_an_error_in_a_block_of_plpgsql_undoes_its_calls_only(db):
    start(db)
    db.execute(f"""DO $$
        BEGIN
            FOR n IN 1 .. {MANY} LOOP
                BEGIN
                    PERFORM layra.set_variable('r', 'v', to_jsonb((SELECT max(version) FROM layra.event WHERE run_id = 'r') + 1));
                    IF n % 3 = 0 THEN
                        PERFORM layra.append_event('r', 'undone');
                        PERFORM layra.set_variable('r', 'v', '-1', expected_version => 1);
                    ELSIF n % 3 = 1 THEN
                        PERFORM 1 / (n % 3 - 1);
                    END IF;
                EXCEPTION WHEN serialization_failure OR division_by_zero THEN
                    NULL;
                END;
            END LOOP;
        END $$""")
    assert reads(db) == 1 + (MANY + 1) // 3
    assert db.execute("SELECT count(*) FROM layra.event WHERE type = 'undone'").fetchone() == (0,)


def test_a_run_that_was_started_in_a_savepoint_is_gone_with_it(db):
    with db.transaction():
        with db.transaction(force_rollback=True):
            start(db, versions=MANY)
            reads(db)
        assert attempt(db, "get_variable('r', 'v')") == "P0002"
        start(db, versions=70)
        assert reads(db) == 70
    assert reads(db) == 70


# --- several calls in one statement ------------------------------------------------------------------------------------


def test_calls_in_one_statement_come_one_after_the_other(db):
    start(db)
    assert db.execute(
        "SELECT layra.set_variable('r', 'v', '2'), layra.set_variable('r', 'v', '3'),"
        " layra.append_event('r', 'note', updates => '{\"v\": 4}')"
    ).fetchone() == (2, 3, 4)
    assert reads(db) == 4
    # A reading function sees what the statement saw when it began.
    assert db.execute("SELECT layra.set_variable('r', 'v', '5'), layra.get_variable('r', 'v')").fetchone() == (5, 4)
    assert reads(db) == 5
    assert db.execute(
        "WITH a AS (SELECT layra.set_variable('r', 'v', '6') AS v), b AS (SELECT layra.set_variable('r', 'v', '7') AS v)"
        " SELECT v FROM a UNION ALL SELECT v FROM b"
    ).fetchall() == [(6,), (7,)]
    assert reads(db) == 7
    # The last one fails: none of them was.
    with pytest.raises(psycopg.errors.SerializationFailure):
        db.execute("SELECT layra.set_variable('r', 'v', '8'), layra.append_event('r', 'note', expected_version => 3)")
    assert reads(db) == 7


def test_runs_in_one_statement_do_not_mix(db):
    for number in range(3):
        start(db, f"r{number}", versions=(1, 70, MANY)[number])
    db.execute(
        "SELECT layra.set_variable('r' || mod(n, 3), 'v', to_jsonb((%s::int[])[mod(n, 3) + 1] + 1 + n / 3))"
        " FROM generate_series(0, 299) n",
        [[1, 70, MANY]],
    )
    assert [reads(db, f"r{number}") for number in range(3)] == [101, 170, MANY + 100]
    db.execute("SELECT layra.drop_run(run_id) FROM layra.run")


# --- from code of the user's -------------------------------------------------------------------------------------------


def test_from_a_trigger_of_the_users(db):
    start(db)
    db.execute("CREATE TABLE IF NOT EXISTS orders (n integer)")
    db.execute(
        "CREATE OR REPLACE FUNCTION public.tell() RETURNS trigger LANGUAGE plpgsql AS"
        " $$BEGIN PERFORM layra.set_variable('r', 'v', to_jsonb(NEW.n)); RETURN NEW; END$$"
    )
    db.execute("CREATE OR REPLACE TRIGGER tell BEFORE INSERT ON orders FOR EACH ROW EXECUTE FUNCTION public.tell()")
    db.execute("CREATE OR REPLACE TRIGGER later AFTER UPDATE ON orders FOR EACH ROW EXECUTE FUNCTION public.tell()")
    db.execute("INSERT INTO orders SELECT n FROM generate_series(2, %s) n", [MANY])
    assert reads(db) == MANY
    db.execute("UPDATE orders SET n = n + %s", [MANY - 1])
    assert reads(db) == 2 * MANY - 1
    with pytest.raises(psycopg.errors.UniqueViolation):
        with db.transaction():
            db.execute("CREATE UNIQUE INDEX one ON orders (n); INSERT INTO orders VALUES (8), (9), (8)")
    assert reads(db) == 2 * MANY - 1
    db.execute("DROP TABLE orders")


def test_from_a_loop_over_a_cursor_that_reads_the_same_run(db):
    start(db, versions=100)
    db.execute("""DO $$
        DECLARE
            event record;
        BEGIN
            FOR event IN SELECT * FROM layra.events('r') LOOP
                PERFORM layra.set_variable('r', 'v', to_jsonb(100 + event.version));
                IF layra.get_variable('r', 'v') <> to_jsonb(100 + event.version) THEN
                    RAISE EXCEPTION 'reads % after version %', layra.get_variable('r', 'v'), event.version;
                END IF;
            END LOOP;
        END $$""")
    assert reads(db) == 200


def test_a_cursor_sees_what_was_there_when_it_was_opened(db):
    start(db, versions=100)
    with db.transaction():
        db.execute("DECLARE reader CURSOR FOR SELECT n, layra.get_variable('r', 'v') FROM generate_series(1, 40) n")
        assert {v for _, v in db.execute("FETCH 10 FROM reader")} == {100}
        write(db, "r", MANY)
        assert {v for _, v in db.execute("FETCH 10 FROM reader")} == {100}
        with db.transaction(force_rollback=True):
            write(db, "r", MANY)
            assert {v for _, v in db.execute("FETCH 10 FROM reader")} == {100}
        assert {v for _, v in db.execute("FETCH 10 FROM reader")} == {100}
        assert reads(db) == 100 + MANY


def test_from_a_cursor_that_writes(db):
    start(db)
    with db.transaction():
        db.execute("DECLARE writer CURSOR FOR SELECT layra.set_variable('r', 'v', to_jsonb(n)) FROM generate_series(2, 100) n")
        assert [v for (v,) in db.execute("FETCH 10 FROM writer")] == list(range(2, 12))
        assert reads(db) == 11
        with db.transaction(force_rollback=True):
            call(db, "set_variable('r', 'v', '12')")
        assert [v for (v,) in db.execute("FETCH ALL FROM writer")] == list(range(12, 101))
    assert reads(db) == 100


def test_from_a_handler_of_the_same_run(db):
    start(db)
    db.execute("""CREATE OR REPLACE FUNCTION public.answer(run_id text, version bigint, type text, payload jsonb)
        RETURNS void LANGUAGE plpgsql AS $$
        BEGIN
            IF layra.get_variable(run_id, 'v') <> to_jsonb(version) THEN
                RAISE EXCEPTION 'version % reads %', version, layra.get_variable(run_id, 'v');
            END IF;
            PERFORM layra.set_variable(run_id, 'v', to_jsonb(version + 1));
            IF (payload ->> 'left')::int > 0 THEN
                PERFORM layra.append_event(run_id, 'ask', jsonb_build_object('left', (payload ->> 'left')::int - 1),
                    jsonb_build_object('v', version + 2));
            ELSIF payload ? 'fail' THEN
                RAISE division_by_zero;
            END IF;
        END $$""")
    call(db, "on_event('ask', 'public.answer(text, bigint, text, jsonb)')")
    try:
        call(db, "append_event('r', 'ask', '{\"left\": 5}', '{\"v\": 2}')")
        assert reads(db) == 13
        write(db, "r", 100)
        call(db, "append_event('r', 'ask', '{\"left\": 5}', '{\"v\": 114}')")
        assert reads(db) == 125
        assert attempt(db, "append_event('r', 'ask', '{\"left\": 0, \"fail\": 1}', '{\"v\": 126}')") == "22012"
        assert reads(db) == 125
        # Both events of one call are there when the handler runs.
        asked = json.dumps([{"type": "ask", "payload": {"left": 0}, "updates": {"v": 126}}, {"type": "b"}])
        assert call(db, "append_events('r', %s::jsonb)", asked) == 127
        write(db, "r", 1)
        assert reads(db) == 129
    finally:
        call(db, "off_event('ask', 'public.answer(text, bigint, text, jsonb)')")


# --- what a session remembers ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("again", [1, 40, 70, MANY - 10, 2 * MANY])
def test_a_run_that_is_dropped_and_started_again_by_somebody_else(db, connect, again):
    other = connect()
    start(db, versions=MANY)
    assert reads(db) == reads(other) == MANY
    call(other, "drop_run('r')")
    assert attempt(db, "get_variable('r', 'v')") == attempt(db, "set_variable('r', 'v', '1')") == "P0002"
    start(other, versions=again)
    assert reads(db) == again
    write(db, "r", 3)
    assert reads(db) == reads(other) == again + 3


@pytest.mark.parametrize("again", [1, 70, MANY + 10])
def test_a_run_that_is_dropped_and_started_again_in_one_transaction(db, again):
    start(db, versions=MANY)
    reads(db)
    with db.transaction(force_rollback=True):
        call(db, "drop_run('r')")
        start(db, versions=again)
        assert reads(db) == again
    assert reads(db) == MANY
    with db.transaction():
        call(db, "drop_run('r')")
        start(db, versions=again)
        write(db, "r", 2)
        assert reads(db) == again + 2
    assert reads(db) == again + 2
    write(db, "r", 1)
    assert reads(db) == again + 3


def test_a_writer_that_waits_for_a_run_that_is_dropped_and_started_again(db, connect, waiting):  # noqa: F811
    other = connect()
    start(db, versions=MANY)
    reads(other)
    db.execute("BEGIN")
    call(db, "drop_run('r')")
    start(db, versions=5)
    with waiting(other, "set_variable('r', 'v', '6')") as result:
        db.execute("COMMIT")
    assert result() == 6
    assert reads(db) == reads(other) == 6


def test_a_copy_that_is_restored_while_the_session_stays(db, connect):
    """As pg_dump copies tables, and puts them back in place of newer ones."""
    other = connect()
    start(db, versions=90)
    copied = {}
    for table in ("run", "event", "cell"):
        with db.cursor().copy(f"COPY layra.{table} TO STDOUT") as copy:
            copied[table] = b"".join(copy)
    write(other, "r", MANY)
    assert reads(db) == reads(other) == 90 + MANY
    with db.transaction():
        for table, data in copied.items():
            db.execute(f"TRUNCATE layra.{table}")
            with db.cursor().copy(f"COPY layra.{table} FROM STDIN") as copy:
                copy.write(data)
        assert reads(db) == 90
    assert reads(db) == reads(other) == 90
    write(other, "r", 1)
    write(db, "r", 1)
    assert reads(db) == reads(other) == 92


def test_an_extension_that_is_dropped_and_created_while_the_session_stays(connect, create_database):
    one = connect(create_database())
    one.execute("CREATE EXTENSION layra_state")
    other = connect(one.info.dsn)
    for length in (MANY, 80, 3):
        start(one, versions=length)
        assert reads(one) == reads(other) == length
        write(other, "r", 1)
        assert reads(one) == length + 1
        one.execute("DROP EXTENSION layra_state CASCADE")
        assert attempt(other, "get_variable('r', 'v')").startswith(("42", "3F"))
        one.execute("DROP SCHEMA IF EXISTS layra CASCADE")
        with one.transaction(force_rollback=True):
            one.execute("CREATE EXTENSION layra_state")
            start(one, versions=MANY)
            reads(one)
        one.execute("CREATE EXTENSION layra_state")


@pytest.mark.parametrize("sql", ["get_variable('r', 'v')", "set_variable('r', 'v', '2')"])
def test_a_call_that_waits_for_an_extension_that_is_dropped(connect, create_database, sql):
    one = connect(create_database())
    one.execute("CREATE EXTENSION layra_state")
    start(one)
    other, observer = connect(one.info.dsn), connect(one.info.dsn)
    reads(other)
    one.execute("BEGIN")
    one.execute("DROP EXTENSION layra_state CASCADE")
    with ThreadPoolExecutor(1) as pool:
        result = pool.submit(attempt, other, sql)
        blocked = "SELECT cardinality(pg_blocking_pids(%s)) > 0"
        while not result.done() and not observer.execute(blocked, [other.info.backend_pid]).fetchone()[0]:
            pass
        one.execute("COMMIT")
    assert result.result() in ("42P01", "42883", "3F000")


def everything(connection, versions):
    """What every way of reading more than one cell says of a run."""
    head = versions[-1]
    found = [connection.execute("SELECT * FROM layra.cells('r') ORDER BY scope, key, ordinal").fetchall()]
    for version in versions:
        found.append(connection.execute("SELECT layra.get_state('r', %s)", [version]).fetchone())
        found.append(connection.execute("SELECT * FROM layra.diff('r', %s, %s)", [version, head]).fetchall())
    return found


@pytest.mark.parametrize("seed", range(6))
def test_cells_that_come_and_go_while_a_session_remembers_the_others(db, connect, seed):
    """Which cell is below which is remembered of long runs: what others add in between, and what has gone, is seen as by a
    session that remembers nothing."""
    random = Random(seed)
    names = [f"{letter}{number}" for letter in "vVü_" for number in range(6)]
    other = connect()

    def change(connection):
        name = random.choice(names)
        which = random.randrange(10)
        if which == 0:
            attempt(connection, "unset_variables('r', %s)", [name])
        elif which == 1:
            attempt(connection, "begin_node('r', %s)", name)
        elif which == 2:
            attempt(connection, "enter_loop('r', %s)", name)
        elif which == 3:
            attempt(connection, "set_engine('r', %s)", json.dumps({name: random.random()}))
        elif which == 4:
            attempt(connection, "complete_node('r', %s, %s)", name, json.dumps(random.random()))
        else:
            call(connection, "set_variable('r', %s, %s)", name, json.dumps(random.random()))

    start(db, versions=70)
    for turn in range(25):
        if turn in (12, 18):
            # Another run of that name, with other cells.
            call(other, "drop_run('r')")
            start(other, versions=70 if turn == 12 else 5)
        for _ in range(random.randrange(1, 30)):
            change(random.choice([db, other]))
        (head,) = db.execute("SELECT max(version) FROM layra.event WHERE run_id = 'r'").fetchone()
        versions = [*sorted(random.sample(range(1, head), 3)), head]
        fresh = connect()
        assert everything(db, versions) == everything(fresh, versions), turn
        fresh.close()
        if random.random() < 0.3:
            call(random.choice([db, other]), "rollback('r', %s)", random.choice(versions))
    assert db.execute("SELECT * FROM layra.verify('r')").fetchall() == []


def test_more_runs_than_a_session_remembers(db):
    db.execute(
        "SELECT layra.start_run('many ' || n, variables => '{\"v\": 1, \"still\": 0}') FROM generate_series(1, 1100) n"
    )
    batch = json.dumps([{"type": "note", "updates": {"v": number}} for number in range(2, 71)])
    db.execute("SELECT layra.append_events('many ' || n, %s::jsonb) FROM generate_series(1, 1100) n", [batch])
    for number in (1, 550, 1100, 1):
        assert reads(db, f"many {number}") == 70
        write(db, f"many {number}", 1)
        db.execute("SELECT layra.rollback(%s, 70), layra.set_variable(%s, 'v', '73')", [f"many {number}"] * 2)
        assert reads(db, f"many {number}") == 73
        db.execute("SELECT layra.drop_run(%s)", [f"many {number}"])
        start(db, f"many {number}", versions=70)


# --- what an administrator does to the tables --------------------------------------------------------------------------


@pytest.mark.parametrize("table, column, other, sql", [
    ("cell", "version", "numeric", "get_variable('r', 'v')"), ("cell", "version", "numeric", "set_variable('r', 'v', '2')"),
    ("cell", "hash", "text", "set_variable('r', 'v', '2')"), ("cell", "revision", "numeric", "set_variable('r', 'v', '2')"),
    ("event", "cells_hash", "text", "verify('r')"), ("event", "checkpoint_version", "numeric", "append_event('r', 'note')"),
    ("event", "bytes_since_checkpoint", "numeric", "checkpoint('r')"), ("lease", "worker", "name", "begin_node('r', 'n', 'other')"),
    ("checkpoint", "version", "numeric", "verify('r')"),
])  # fmt: skip
def test_a_column_of_another_type_is_a_clear_error(db, table, column, other, sql):
    start(db)
    call(db, "begin_node('r', 'n', 'pool-1', '1 minute')")
    call(db, "checkpoint('r', 'c')")
    with db.transaction(force_rollback=True):
        db.execute(f"ALTER TABLE layra.{table} ALTER {column} TYPE {other} USING {column}::text::{other}")
        assert attempt(db, sql) == "55000"
    assert call(db, "get_variable('r', 'v')") == 1
    assert db.execute("SELECT * FROM layra.verify('r')").fetchall() == []


@pytest.mark.parametrize("table, column, other", [
    ("cell", "key", "varchar"), ("cell", "key", "text COLLATE \"und-x-icu\""), ("cell", "key", "public.name_of_a_cell"),
    ("run", "definition_hash", "text"), ("lease", "until", "timestamp"), ("checkpoint", "label", "name"),
    ("event", "idempotency_key", "varchar"),
])  # fmt: skip
def test_a_column_of_a_type_that_serves(db, connect, table, column, other):
    """Or of a collation in which names have another order than their bytes; or of a domain with a rule of its own."""
    if "icu" in other and not db.execute("SELECT FROM pg_collation WHERE collname = 'und-x-icu'").fetchall():
        pytest.skip("a server without ICU")
    start(db, versions=70)
    with db.transaction(force_rollback=True):
        db.execute("CREATE DOMAIN public.name_of_a_cell AS text COLLATE \"C\" CHECK (VALUE !~ 'X')")
        db.execute(f"ALTER TABLE layra.{table} ALTER {column} TYPE {other} USING {column}::text::{other.split(' ')[0]}")
        for number in range(3):
            expected = {name: number for name in ("a", "B", "ä", "_", "v", "Z")}
            call(db, "set_variables('r', %s)", json.dumps(expected))
            assert call(db, "get_variables('r')") == expected | {"still": 0}
        assert db.execute("SELECT revision FROM layra.cell WHERE key = 'B' ORDER BY version").fetchall() == [(1,), (2,), (3,)]
        assert attempt(db, "set_variable('r', 'X', '1')") == ("23514" if "public" in other else 74)
    assert reads(db) == 70


def test_a_column_that_is_dropped(db):
    """A patch without its base would be a value."""
    start(db)
    large = json.dumps(["x" * 200] * 100)
    call(db, "set_variable('r', 'l', %s)", large)
    with db.transaction(force_rollback=True):
        db.execute("ALTER TABLE layra.cell DROP base")
        assert attempt(db, "set_variable('r', 'l', layra.get_variable('r', 'l') || '[1]')") == "42703"
    assert call(db, "get_variable('r', 'l')") == json.loads(large)


@pytest.mark.parametrize("table, sql, expected", [
    ("event", "append_event('r', 'note')", "55000"), ("cell", "set_variable('r', 'v', '2')", "55000"),
    ("cell", "set_variables('r', '{\"a\": 1, \"b\": 2}')", "55000"), ("cell", "rollback('r', 2)", "55000"),
])  # fmt: skip
def test_rows_that_a_trigger_leaves_out(db, table, sql, expected):
    start(db, versions=3)
    db.execute("CREATE OR REPLACE FUNCTION public.leave_out() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'")
    with db.transaction(force_rollback=True):
        db.execute(f"CREATE TRIGGER leave_out BEFORE INSERT ON layra.{table} FOR EACH ROW EXECUTE FUNCTION public.leave_out()")
        assert attempt(db, sql) == expected
    assert reads(db) == 3


def test_rows_of_no_scope(db, connect):
    """Written manually, before and behind those of all scopes: they hide no other, whatever the session remembers."""
    start(db, versions=100)
    call(db, "begin_node('r', 'n', 'w')")
    call(db, "set_engine('r', '{\"field\": 1}')")
    before = call(db, "get_state('r')"), call(db, "get_state('r', 80)"), rows(db, "diff('r', 2, 90)")
    with db.transaction(force_rollback=True):
        db.execute("ALTER TABLE layra.cell DISABLE TRIGGER USER")
        for scope in ("", "a", "foo", "ordinary", "zzz"):
            db.execute("INSERT INTO layra.cell SELECT run_id, %s, key, ordinal, version, revision, value, hash FROM layra.cell"
                       " WHERE scope = 'variable' AND version < 5", [scope])  # fmt: skip
        for _ in range(3):
            assert (call(db, "get_state('r')"), call(db, "get_state('r', 80)"), rows(db, "diff('r', 2, 90)")) == before
        call(db, "rollback('r', 2)")
        assert call(db, "get_variable('r', 'v')") == 2


@pytest.mark.parametrize("privilege, table, reading, writing", [
    ("SELECT", "cell", "42501", "42501"), ("SELECT", "run", "42501", "42501"), ("INSERT", "event", None, "42501"),
    ("INSERT", "cell", None, "42501"), ("UPDATE", "run", None, "42501"), ("UPDATE", "lease", None, None),
])  # fmt: skip
def test_an_owner_who_was_deprived(db, role, privilege, table, reading, writing):
    """As somebody does who freezes the tables of an owner that is no superuser."""
    start(db)
    with db.transaction(force_rollback=True):
        owner = role("owner")
        db.execute(f"ALTER SCHEMA layra OWNER TO {owner}")
        for (name,) in db.execute("SELECT oid::regclass::text FROM pg_class WHERE relnamespace = 'layra'::regnamespace AND relkind = 'r'"):
            db.execute(f"ALTER TABLE {name} OWNER TO {owner}")
        # An index of layra.run asks for it.
        db.execute(f"GRANT EXECUTE ON FUNCTION layra.format_3() TO {owner}")
        db.execute(f"REVOKE {privilege} ON layra.{table} FROM {owner}")
        assert attempt(db, "get_variable('r', 'v')") == (reading or 1)
        assert attempt(db, "set_variable('r', 'v', '2')") == (writing or 2)
    assert reads(db) == 1


def test_leases_that_are_published_without_an_identity(db):
    """PostgreSQL lets nobody update them, as a subscriber could not follow."""
    start(db)
    call(db, "begin_node('r', 'n', 'w', '1 minute')")
    with db.transaction(force_rollback=True):
        db.execute("ALTER TABLE layra.lease REPLICA IDENTITY NOTHING")
        db.execute("CREATE PUBLICATION leases FOR TABLE layra.lease")
        assert attempt(db, "complete_node('r', 'n', '1')") == attempt(db, "heartbeat('r', 'n', 1, '1 minute')") == "55000"
    assert call(db, "complete_node('r', 'n', '1')") == 3


# --- transactions of two phases, read-only ones, levels ----------------------------------------------------------------


@pytest.fixture(scope="module")
def prepared(private_server, prepare):  # noqa: F811
    server = private_server(conf="max_prepared_transactions = 5")
    with psycopg.connect(server.conninfo(), autocommit=True) as connection:
        prepare(connection)
    return server


@pytest.mark.parametrize("end", ["COMMIT", "ROLLBACK"])
def test_a_prepared_transaction(prepared, end):
    conninfo = prepared.conninfo()
    with psycopg.connect(conninfo, autocommit=True) as one, psycopg.connect(conninfo, autocommit=True) as other:
        start(one, end, versions=80)
        reads(other, end)
        one.execute("BEGIN")
        write(one, end, MANY)
        reads(one, end)
        one.execute("PREPARE TRANSACTION 'two'")
        assert reads(one, end) == reads(other, end) == 80
        other.execute("SET lock_timeout = 1")
        assert attempt(other, f"append_event('{end}', 'note')") == "55P03"
        one.execute(f"{end} PREPARED 'two'")
        there = 80 + MANY if end == "COMMIT" else 80
        assert reads(one, end) == reads(other, end) == there
        write(other, end, 1)
        write(one, end, 1)
        assert reads(one, end) == reads(other, end) == there + 2


def test_a_read_only_transaction_reads_and_writes_nothing(db):
    start(db, versions=80)
    with db.transaction(force_rollback=True):
        db.execute("SET TRANSACTION READ ONLY")
        assert reads(db) == 80
    for sql in ("set_variable('r', 'v', '81')", "append_event('r', 'note')", "save_state('r', '{}')", "rollback('r', 3)"):
        with db.transaction(force_rollback=True):
            db.execute("SET TRANSACTION READ ONLY")
            with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
                db.execute(f"SELECT layra.{sql}")
    assert reads(db) == 80


def test_serializable_readers_of_each_others_runs_are_not_both_right(db, connect):
    """Each reads the other's run and writes its own by what it read: there is no order in which both could have."""
    start(db, "a")
    start(db, "b")
    one, other = connect(), connect()
    for connection in (one, other):
        connection.execute("BEGIN ISOLATION LEVEL SERIALIZABLE")
    assert call(one, "get_variable('a', 'v')") == call(other, "get_variable('b', 'v')") == 1
    with pytest.raises(psycopg.errors.SerializationFailure):
        call(one, "set_variable('b', 'v', '2')")
        call(other, "set_variable('a', 'v', '2')")
        one.execute("COMMIT")
        other.execute("COMMIT")
    one.execute("ROLLBACK")
    other.execute("ROLLBACK")


def test_a_snapshot_does_not_see_what_comes_later(db, connect):
    """Also where the session has seen newer versions before, and knows of them."""
    other = connect()
    start(db, versions=80)
    with db.transaction():
        db.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        assert reads(db) == 80
        write(other, "r", MANY)
        assert reads(other) == 80 + MANY
        assert reads(db) == 80
        # What the write of the statements' way finds is newer than the snapshot.
        with pytest.raises(psycopg.errors.SerializationFailure), db.transaction():
            db.execute("SELECT layra.append_event('r', 'note')")
        assert reads(db) == 80
    assert reads(db) == 80 + MANY
    write(db, "r", 1)


def test_a_table_that_is_locked_is_waited_for(db, connect):
    start(db, versions=80)
    other = connect()
    other.execute("SET lock_timeout = 1")
    for table in ("run", "event", "cell"):
        with db.transaction():
            db.execute(f"LOCK layra.{table}")
            assert attempt(other, "set_variable('r', 'v', '81')") == "55P03"
    assert reads(db) == 80
    assert attempt(other, "set_variable('r', 'v', '81')") == 81
    assert reads(db) == 81


def test_a_lock_on_the_run_is_kept_until_the_end(db, connect, waiting):  # noqa: F811
    """Of writers who wait one after the other, each sees what the one before has done; a status, too."""
    start(db, versions=80)
    one, other = connect(), connect()
    db.execute("BEGIN")
    write(db, "r", 1)
    with waiting(one, "set_variable('r', 'v', '82', idempotency_key => 'k')") as first:
        with waiting(other, "set_variable('r', 'v', '83', idempotency_key => 'k')") as second:
            db.execute("COMMIT")
    # Whoever came first, the other one's is a repetition.
    assert first() == second() == 82
    db.execute("BEGIN")
    call(db, "finish_run('r')")
    with waiting(one, "append_event('r', 'note')") as result:
        db.execute("COMMIT")
    assert result() == "55000"
    assert sound(db, "r") == 83
