"""That `verify` compares every column of every table with what the events say, and finds rows that no event names.

The tables and columns come from the catalogue, so a new one fails here until verify compares it, or docs/hash-chain.md says
why it cannot: its table of what is not compared is read here.
"""

import json
import re
from pathlib import Path

import psycopg
import pytest
from ways import prepare  # noqa: F401

PAGE = Path(__file__).resolve().parents[2] / "docs" / "hash-chain.md"

DEFINITION = {
    "nodes": [{"id": name, "type": "code"} for name in ("first", "second", "third")],
    "edges": [{"source": "first", "target": "second"}, {"source": "second", "target": "third"}],
    "variables": {"total": {"schema": {"type": "integer"}, "default": 0}},
}


def not_compared():
    """What the page lists: {table: {column, …}}, where `every column` is all of them, and whole rows, too."""
    text = PAGE.read_text(encoding="utf-8")
    section = text[text.index("## What verify does not compare") :]
    lines = re.findall(r"^\| `(\w+)` \| ([^|]*) \| [^|]{10,} \|$", section, re.MULTILINE)
    assert len({table for table, _ in lines}) == len(lines)
    return {table: {"*"} if columns == "every column" else set(re.findall(r"`(\w+)`", columns)) for table, columns in lines}


def fill(connection, stranger):
    """Rows in every table, and in every column of one of them."""

    def call(sql, *arguments):
        return connection.execute(f"SELECT * FROM layra.{sql}", arguments).fetchone()[0]

    def act_as(name):
        connection.execute("SELECT set_config('layra.actor', %s, false)", [name])

    connection.execute("""
        CREATE FUNCTION public.rule(text, jsonb) RETURNS SETOF text LANGUAGE sql BEGIN ATOMIC SELECT 'x' WHERE false; END;
        CREATE FUNCTION public.handle(text, bigint, text, jsonb) RETURNS void LANGUAGE sql BEGIN ATOMIC SELECT; END;
    """)
    call("grant_access(%s, 'auditor')", stranger)
    call("define_workflow('flow', %s::jsonb)", json.dumps(DEFINITION))
    call("define_workflow('everybody', %s::jsonb, shared => true)", json.dumps(DEFINITION | {"nodes": []} | {"edges": []}))
    call("add_validator('flow', 'rule', 'public.rule(text, jsonb)')")
    call("set_retention('{\"drop\": true}')")
    call("define_event_type('note', '{\"type\": \"object\"}')")
    call("on_event('note', 'public.handle(text, bigint, text, jsonb)', 'flow')")
    call("define_breaker('mail', 1)")
    call("breaker_failure('mail', '{\"status\": 503}')")
    connection.execute("UPDATE layra.breaker_probe SET probe_at = now(), probe_by = 'anna'")

    call("start_run('work', 'flow', metadata => '{\"customer\": 7}')")
    call("begin_node('work', 'first', 'anna', '1 hour')")
    call("complete_node('work', 'first', '{\"x\": 1}', '{\"total\": 1}', idempotency_key => 'once')")
    call("begin_node('work', 'second', 'bert', '1 hour')")
    call("begin_node('work', 'third')")
    call("set_variables('work', %s::jsonb)", json.dumps({"list": [f"{n:100}" for n in range(100)]}))
    for word in ("one", "two"):
        call("set_variable('work', 'list', layra.get_variable('work', 'list') || %s::jsonb)", json.dumps([word]))
    call("unset_variables('work', '{total}')")
    call("append_event('work', 'note', '{\"a\": 1}', '{\"total\": 2}')")
    call("checkpoint('work', 'before', metadata => '{\"why\": \"people\"}')")
    call("protect_checkpoint('work', 'before')")
    call("checkpoint('work')")
    act_as("zoe")
    schema = '{"type": "object"}'
    answered = call("pause_run('work', 'second', '\"Go?\"', %s, 'zoe', '1 hour')", schema)
    call("resume_run('work', %s, '{\"yes\": 1.50}')", answered)
    act_as("")
    withdrawn = call("pause_run('work', 'second')")
    call("withdraw_interaction('work', %s)", withdrawn)
    call("pause_run('work', 'third', '{}', %s, 'role:postgres', '2 days')", schema)
    call("set_variable('work', 'total', '3')")

    call("start_run('done', 'everybody', '{\"a\": 1}')")
    call("finish_run('done', 'completed', '{\"score\": 0.10}')")
    call("start_run('parent', variables => '{\"a\": 1}', idempotency_key => 'start')")
    call("append_event('parent', 'x', idempotency_key => 'of parent')")
    call("fork_run('parent', 'child')")
    call("set_variable('child', 'a', '2')")
    call("start_run('gone', variables => '{\"a\": 1}', idempotency_key => 'kept')")
    call("rollback('gone', 1)")
    call("fork_run('gone', 'orphan')")
    call("set_variable('orphan', 'a', '2')")
    act_as("zoe")
    call("drop_run('gone', 'no use')")
    act_as("")
    # What is left of runs, each before another one of its id.
    call("start_run('again', 'flow')")
    call("drop_run('again', 'one')")
    call("save_state('again', '{}')")
    call("drop_run('again')")
    call("fork_run('parent', 'again')")
    call("hold_run('again', 'audit')")
    # As version 0.2.0 left it.
    connection.execute("INSERT INTO layra.inherited_key VALUES ('orphan', 'of an older version', 'x')")


@pytest.fixture(scope="module")
def filled(dsn, role):
    with psycopg.connect(dsn, autocommit=True) as connection:
        fill(connection, role("stranger"))
    return dsn


@pytest.fixture
def db(filled, connect):
    return connect(filled)


def found(connection):
    return connection.execute("SELECT * FROM layra.verify()").fetchall()


def tables(connection):
    """{table: {column: type}} of all tables of the extension, and whether a column can be NULL."""
    rows = connection.execute("""
        SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull
        FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
        WHERE c.relnamespace = 'layra'::regnamespace AND c.relkind IN ('r', 'p') ORDER BY c.relname, a.attnum
    """).fetchall()
    found = {}
    for table, column, kind, not_null in rows:
        found.setdefault(table, {})[column] = (kind, not_null)
    return found


def words(connection, table):
    """The words that the CHECKs of a table know."""
    return {
        word
        for (check,) in connection.execute(
            "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE contype = 'c' AND conrelid = %s::regclass", [f"layra.{table}"]
        )
        for word in re.findall(r"'(\w+)'::text", check)
    }


OTHER_VALUES = {
    "text": ["{c} || 'x'", "''", "upper({c})", "'x'"],
    "bigint": ["{c} + 1", "{c} - 1", "-{c}", "0", "9223372036854775807", "7"],
    "integer": ["{c} + 1", "{c} - 1", "7"],
    "boolean": ["NOT {c}"],
    "bytea": ["set_byte({c}, 0, 255 - get_byte({c}, 0))", "''", "decode(repeat('00', 32), 'hex')"],
    "jsonb": ["'{{\"tampered\": true}}'::jsonb", "'null'::jsonb", "jsonb_build_array({c})", "'1.000'::jsonb"],
    "timestamp with time zone": ["{c} + interval '1 microsecond'", "{c} + interval '10 years'", "'infinity'", "'1970-01-01'"],
    "interval": ["{c} + interval '1 second'"],
    "text[]": ["{c} || '{{variable/zz}}'", "'{{}}'", "{c} || {c}", "'{{NULL}}'",
               "ARRAY(SELECT n FROM unnest({c}) WITH ORDINALITY u(n, o) ORDER BY o DESC)"],
    "uuid": ["gen_random_uuid()"],
    "xid8": ["'1'::xid8"],
}  # fmt: skip


def changes(connection, table, column, kind, not_null):
    yield from (expression.format(c=column) for expression in OTHER_VALUES[kind])
    if kind == "text":
        yield from (f"'{word}'" for word in words(connection, table))
    if not not_null:
        yield "NULL"


def try_to(connection, sql, arguments):
    """How many rows a statement changes; with a CHECK in its way also without: whoever can change tables can drop it."""
    try:
        with connection.transaction():
            return connection.execute(sql, arguments).rowcount
    except psycopg.errors.CheckViolation as error:
        table, check = error.diag.table_name, error.diag.constraint_name
    except (psycopg.errors.UniqueViolation, psycopg.errors.NotNullViolation):
        return 0
    except psycopg.errors.DataError:
        # 9223372036854775807 + 1, and its kin.
        return 0
    connection.execute(f"ALTER TABLE layra.{table} DROP CONSTRAINT {check}")
    return try_to(connection, sql, arguments)


def places(connection, table):
    """Some rows of a table: of each run and kind."""
    by = {"event": "run_id, type", "cell": "run_id, scope, key, base IS NULL, hash IS NULL", "checkpoint": "run_id, kind, protected",
          "interaction": "status", "lease": "node_id", "run": "run_id"}.get(table, "ctid")  # fmt: skip
    return [place for (place,) in connection.execute(f"SELECT DISTINCT ON ({by}) ctid::text FROM layra.{table} ORDER BY {by}")]


def test_the_sample_is_sound_and_has_something_in_every_column(db):
    assert found(db) == []
    for table, columns in tables(db).items():
        counts = ", ".join(f"count({column})" for column in columns)
        row = db.execute(f"SELECT {counts} FROM layra.{table}").fetchone()
        empty = [column for column, count in zip(columns, row, strict=True) if not count]
        assert not empty, (table, empty)


def test_what_is_not_compared_is_listed_once_and_is_there(db):
    existing = tables(db)
    for table, columns in not_compared().items():
        assert columns - {"*"} <= set(existing[table]), table


def pytest_generate_tests(metafunc):
    """A test for each table, by name: the catalogue is compared with this list."""
    if "table" in metafunc.fixturenames:
        metafunc.parametrize("table", TABLES)


TABLES = [
    "access", "bequeathed_key", "breaker", "breaker_outcome", "breaker_probe", "cell", "checkpoint", "event", "event_type", "graph", "handler",
    "inheritance", "inherited_key", "interaction", "lease", "retention", "run", "seal", "validator",
    "workflow",
]  # fmt: skip


def test_every_table_is_tried(db):
    assert sorted(tables(db)) == TABLES


def test_every_column_follows_from_events(db, table):
    """Each column of some rows, in several ways, one at a time: verify has something to say, or the page says why not."""
    listed = not_compared().get(table, set())
    missed, tried = {}, set()
    for column, (kind, not_null) in tables(db)[table].items():
        for place in places(db, table):
            for expression in changes(db, table, column, kind, not_null):
                with db.transaction(force_rollback=True):
                    statement = (
                        f"UPDATE layra.{table} SET {column} = {expression}"
                        f" WHERE ctid = %s::tid AND {column} IS DISTINCT FROM {expression}"
                    )
                    if not try_to(db, statement, [place]):
                        continue
                    tried.add(column)
                    if not found(db):
                        missed.setdefault(column, []).append((expression, place))
    assert tried == set(tables(db)[table])
    assert found(db) == []
    if "*" in listed:
        assert missed, f"{table} is compared, and the page says that it is not"
    else:
        assert set(missed) == listed, {column: cases[:3] for column, cases in missed.items()}


KEYS = {
    "text": ["'planted'", "''", "'variable/x'", "'context'"],
    "bigint": ["-{c}", "0", "-1", "{c} + 1", "1000000", "9223372036854775807", "-9223372036854775807 - 1", "7"],
    "uuid": ["gen_random_uuid()"],
}


def planted(connection, table):
    """Values for the columns of the primary key: each by itself, and each two of them, as no event has them."""
    keys = [name for (name,) in connection.execute(
        "SELECT a.attname FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey)"
        " WHERE i.indisprimary AND i.indrelid = %s::regclass ORDER BY a.attnum", [f"layra.{table}"]
    )]  # fmt: skip
    columns = tables(connection)[table]
    single = [{key: value.format(c=key)} for key in keys for value in KEYS[columns[key][0]]]
    return single + [a | b for a in single for b in single if list(a) < list(b) and "run_id" not in a]


@pytest.mark.parametrize("what", ["planted", "removed"])
def test_rows_that_no_event_names_and_rows_that_are_gone(db, table, what):
    """Anywhere: another scope, ordinal, version or sign, in runs that exist and in others."""
    columns = list(tables(db)[table])
    if "*" in not_compared().get(table, set()) or "run_id" not in columns:
        pytest.skip("nothing names its rows")
    missed, tried = [], 0
    for place in places(db, table):
        for keys in planted(db, table) if what == "planted" else [{}]:
            if what == "planted":
                # The other keys, where there are some, are no others' of the run.
                others = {"interaction": {"version": "-5", "id": "gen_random_uuid()"}, "checkpoint": {"label": "NULL"}}
                values = others.get(table, {}) | keys
                chosen = ", ".join(values.get(column, column) for column in columns)
                statement = f"INSERT INTO layra.{table} SELECT {chosen} FROM layra.{table} WHERE ctid = %s::tid"
            else:
                statement = f"DELETE FROM layra.{table} WHERE ctid = %s::tid"
                if table == "seal":
                    # The last one of an id that no run has is what heads are kept elsewhere for.
                    statement += " AND run_id IN (SELECT run_id FROM layra.run)"
            with db.transaction(force_rollback=True):
                if try_to(db, statement, [place]):
                    tried += 1
                    if not found(db):
                        missed.append((keys, place))
    assert tried and not missed, f"{len(missed)} of {tried}, such as {missed[:5]}"
    assert found(db) == []


@pytest.mark.parametrize(
    "tampering",
    [
        # Keys in a run that inherited none: one that is no fork, and one whose parent is there.
        "INSERT INTO layra.inherited_key VALUES ('work', 'planted', 'x')",
        "INSERT INTO layra.inherited_key VALUES ('child', 'planted', 'x')",
        "INSERT INTO layra.inheritance VALUES ('child', gen_random_uuid(), 1)",
        # A fork of another run than the one that it says, which is there.
        "UPDATE layra.run SET parent_run_id = 'done', parent_version = 1 WHERE run_id = 'child'",
        "UPDATE layra.run SET parent_run_id = NULL, parent_version = 0 WHERE run_id = 'child'",
        # One cell for another, so that their number is the same.
        "UPDATE layra.cell SET ordinal = 1 WHERE run_id = 'done' AND key = 'a'",
        # Two at once: one gone, one planted.
        "UPDATE layra.cell SET key = 'b' WHERE run_id = 'done' AND key = 'a'",
        "DELETE FROM layra.event WHERE run_id = 'work' AND version < 5",
        # The page lists the column for what it is where it is NULL.
        "UPDATE layra.interaction SET owner = owner || 'x' WHERE status = 'pending'",
    ],
)  # fmt: skip
def test_verify_finds_what_takes_several_rows(db, tampering):
    with db.transaction(force_rollback=True):
        assert db.execute(tampering).rowcount
        assert found(db)


def test_a_row_of_a_cell_is_named_where_it_stands(db):
    """By run and version, whatever its scope and ordinal are."""
    places = [("variable", "total", 5, 1), ("variable", "total", 0, -3), ("nowhere", "x", 0, 2), ("context", "first", 9, 4),
              ("variable/list", "x", 0, 0), ("node", "first", -1, 10**12)]  # fmt: skip
    with db.transaction(force_rollback=True):
        for place in places:
            db.execute("INSERT INTO layra.cell VALUES ('work', %s, %s, %s, %s, 1)", place)
        problems = db.execute("SELECT version, problem FROM layra.verify('work')").fetchall()
    assert sorted(version for version, problem in problems if "is named by no event" in problem) == sorted(p[3] for p in places)
    # A row before the first one makes that one the second.
    assert {version for version, _ in problems} == {place[3] for place in places}


def test_rows_of_runs_that_do_not_exist(db):
    with db.transaction(force_rollback=True):
        db.execute("INSERT INTO layra.lease VALUES ('nobody', 'n', 1, NULL, NULL, false)")
        db.execute("INSERT INTO layra.inherited_key VALUES ('nobody', 'k', 'x'), ('none', 'k', 'x')")
        assert sorted(found(db)) == [
            ("nobody", None, "there are rows of lease, inherited_key, but no run"),
            ("none", None, "there are rows of inherited_key, but no run"),
        ]
