"""The fast path and the slow path, statements, have the same results, and tables that somebody changed keep what he wanted of them."""

import json
import os
from random import Random, SystemRandom

import psycopg
import pytest
import test_execution
import test_model
import ways
from execution import set_now

OPERATIONS = 1500


@pytest.fixture
def seed():
    seed = int(os.environ.get("LAYRA_SEED") or SystemRandom().randrange(2**32))
    print(f"LAYRA_SEED={seed}")
    return seed


def tables(connection):
    """Every row of every table, but for the numbers of the transactions, and the random ids of what dropped runs left."""
    names = connection.execute(
        "SELECT relname FROM pg_class WHERE relnamespace = 'layra'::regnamespace AND relkind IN ('r', 'p') ORDER BY 1"
    ).fetchall()
    return {
        name: [row for (row,) in connection.execute(f"SELECT (to_jsonb(t) - 'xact' - 'source')::text FROM layra.{name} t ORDER BY 1")]
        for (name,) in names
    }


def compare(one, other):
    one, other = tables(one), tables(other)
    assert one.keys() == other.keys()
    for name, rows in one.items():
        differing = sorted(set(rows) ^ set(other[name]))
        assert rows == other[name], f"{name}: {len(differing)} rows differ\n" + "\n".join(row[:500] for row in differing[:6])


def intact(connection):
    """The log and the state fit together, and every index has what its table has."""
    connection.execute("CREATE EXTENSION IF NOT EXISTS amcheck")
    assert connection.execute("SELECT * FROM layra.verify()").fetchall() == []
    checked = connection.execute(
        "SELECT i.indexrelid::regclass, bt_index_check(i.indexrelid, true) FROM pg_index i"
        " JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_am a ON a.oid = c.relam JOIN pg_class t ON t.oid = i.indrelid"
        " WHERE t.relnamespace = 'layra'::regnamespace AND a.amname = 'btree' AND c.relkind = 'i'"
    ).fetchall()
    assert len(checked) > 15


class Both(test_model.Driver):
    """Each call and each read on two databases: one answer."""

    def __init__(self, connection, other, *arguments, **options):
        self.other, self.in_call = other, False
        super().__init__(connection, *arguments, **options)

    def swapped(self, work, *arguments):
        self.connection, self.other = self.other, self.connection
        try:
            return work(*arguments)
        finally:
            self.connection, self.other = self.other, self.connection

    def sql(self, text, *arguments):
        rows = super().sql(text, *arguments)
        # Of the catalogue in no order.
        if not self.in_call and "pg_class" not in text:
            again = self.swapped(super().sql, text, *arguments)
            if "ORDER BY" in text:
                assert rows == again, text
            else:
                assert sorted(rows, key=repr) == sorted(again, key=repr), text
        return rows

    def on_extension(self, function, arguments):
        self.in_call = True
        found, error = super().on_extension(function, arguments), self.errors()
        again, second = self.swapped(super().on_extension, function, arguments), self.errors()
        self.in_call = False
        assert found == again
        assert error == second or not isinstance(found, str)
        return found

    def errors(self):
        error = getattr(self, "error", None)
        return error and (error.diag.message_primary, error.diag.message_detail, error.diag.message_hint)

    def transaction(self):
        with self.other.transaction(force_rollback=True):
            super().transaction()

    def step(self):
        seconds = self.number + self.random.random()
        for connection in (self.connection, self.other):
            set_now(connection, seconds / 60)
        super().step()


@pytest.fixture
def two(connect, create_database):
    """Superusers' connections to two new databases, the second of which takes the statements."""
    connections = [connect(create_database()) for _ in range(2)]
    for connection in connections:
        connection.execute("CREATE EXTENSION layra_state")
        # Where an index holds these rows as well, and nobody looks.
        connection.execute("CREATE INDEX ON layra.event (lower(type), at) WHERE actor <> 'nobody'")
        connection.execute("CREATE INDEX ON layra.cell USING hash (key)")
        set_now(connection)
    ways.take_statements(connections[1])
    return connections


def test_the_same_calls_leave_the_same_rows(two, role, seed):
    driver = Both(*two, seed, owners=[role("worker"), role("team")])
    driver.drive(OPERATIONS)
    compare(*two)
    assert len(tables(two[0])["cell"]) > 500
    for connection in two:
        intact(connection)


def test_the_same_steps_of_a_workflow_leave_the_same_rows(two, seed, monkeypatch):
    # All but what gives out random ids.
    asked = {"pause_run", "resume_run", "withdraw_interaction", "free"}
    weights = {name: weight for name, weight in test_execution.WEIGHTS.items() if name not in asked}
    monkeypatch.setattr(test_execution, "WEIGHTS", weights)
    drivers = []
    for connection in two:
        drivers.append(test_execution.Driver(connection, seed))
        drivers[-1].drive(400)
    assert drivers[0].outcomes == drivers[1].outcomes
    compare(*two)
    for connection in two:
        intact(connection)


# --- tables that somebody changed --------------------------------------------------------------------------------------


@pytest.fixture
def changed(connect, create_database):
    """A function that makes a database, has statements change its tables, and returns a connection to it."""

    def changed(*statements):
        connection = connect(create_database())
        connection.execute("CREATE EXTENSION layra_state")
        connection.execute("SELECT layra.start_run('before', variables => '{\"v\": 0}')")
        for statement in statements:
            connection.execute(statement)
        return connection

    return changed


def works(connection):
    """A little of everything, in a run from before the change and in a new one."""
    connection.execute("SELECT layra.set_variables('before', '{\"v\": 1, \"w\": [2]}')")
    connection.execute("SELECT layra.start_run('r', variables => '{\"v\": 0}')")
    for number in range(100):
        connection.execute("SELECT layra.set_variable('r', 'v', to_jsonb(%s::int))", [number])
    connection.execute("SELECT layra.begin_node('r', 'n', 'me', '1 hour')")
    connection.execute("SELECT layra.complete_node('r', 'n', '1')")
    connection.execute("SELECT layra.checkpoint('r', 'here')")
    connection.execute("SELECT layra.append_events('r', '[{\"type\": \"a\"}, {\"type\": \"b\", \"updates\": {\"u\": 1}}]')")
    connection.execute("SELECT layra.rollback_to('r', 'here')")
    connection.execute("SELECT layra.fork_run('r', 'fork')")
    connection.execute("SELECT layra.save_state('fork', '{\"global_variables\": {\"v\": 2}, \"context\": {\"n\": [1, 2]}}')")
    read = connection.execute(
        "SELECT layra.get_variable('r', 'v'), layra.get_variable('r', 'v', 50), layra.get_variables('before'),"
        " layra.get_state('fork') -> 'context', (SELECT count(*) FROM layra.events('r'))"
    ).fetchone()
    assert read == (99, 48, {"v": 1, "w": [2]}, {"n": [1, 2]}, 107)
    assert connection.execute("SELECT * FROM layra.verify()").fetchall() == []


def parted(table):
    """A table of the same name in four partitions, in place of the extension's own."""
    return [
        f"ALTER EXTENSION layra_state DROP TABLE layra.{table}",
        f"CREATE TABLE layra.parted (LIKE layra.{table} INCLUDING ALL) PARTITION BY HASH (run_id)",
        *(f"CREATE TABLE layra.part_{n} PARTITION OF layra.parted FOR VALUES WITH (MODULUS 4, REMAINDER {n})" for n in range(4)),
        f"INSERT INTO layra.parted SELECT * FROM layra.{table}",
        f"ALTER TABLE layra.{table} RENAME TO whole",
        f"ALTER TABLE layra.parted RENAME TO {table}",
    ]


CHANGES = {
    "nothing": [],
    "an event in partitions": parted("event"),
    "cells in partitions": parted("cell"),
    "a column more": [f"ALTER TABLE layra.{table} ADD noted timestamptz DEFAULT now()" for table in ways.TABLES],
    "a child": ["CREATE TABLE layra.more () INHERITS (layra.cell)"],
    "a rule": [
        "CREATE TABLE heard (run_id text)",
        "CREATE RULE heard AS ON INSERT TO layra.event DO ALSO INSERT INTO heard VALUES (NEW.run_id)",
    ],
    "a CHECK more": ["ALTER TABLE layra.cell ADD CHECK (key <> 'forbidden')"],
    "another CHECK": ["ALTER TABLE layra.cell DROP CONSTRAINT cell_loop, ADD CHECK (key <> 'forbidden')"],
    "row security for the owner": [f"ALTER TABLE layra.{table} FORCE ROW LEVEL SECURITY" for table in ways.TABLES],
    "another key": ["ALTER TABLE layra.event DROP CONSTRAINT event_pkey, ADD PRIMARY KEY (version, run_id)"],
    "a deferred unique key": ["ALTER TABLE layra.event ADD UNIQUE (hash) DEFERRABLE INITIALLY DEFERRED"],
    "an exclusion": ["ALTER TABLE layra.event ADD EXCLUDE USING hash (hash WITH =)"],
    "a reference": ["ALTER TABLE layra.event ADD FOREIGN KEY (run_id) REFERENCES layra.run ON DELETE CASCADE"],
    "no log": [f"ALTER TABLE layra.{table} SET UNLOGGED" for table in ways.TABLES],
    "old rows frozen": ["VACUUM FREEZE layra.run, layra.event, layra.cell"],
    "another order": ["ALTER TABLE layra.cell RENAME CONSTRAINT cell_pkey TO mine", "CLUSTER layra.cell USING mine"],
}  # fmt: skip


@pytest.mark.parametrize("change", CHANGES)
def test_tables_that_somebody_changed_are_served(changed, change):
    connection = changed(*CHANGES[change])
    works(connection)
    if change == "a rule":
        heard = connection.execute("SELECT count(*) FROM heard").fetchone()
        assert heard == connection.execute("SELECT count(*) - 1 FROM layra.event").fetchone()
    if change == "a column more":
        for table in ways.TABLES:
            assert connection.execute(f"SELECT count(*) FROM layra.{table} WHERE noted IS NULL").fetchone() == (0,)


def refused(connection, sqlstate, sql):
    """An error, after which nothing has changed."""
    before = tables(connection)
    with pytest.raises(psycopg.Error) as error:
        connection.execute(sql)
    assert error.value.sqlstate == sqlstate, error.value
    assert tables(connection) == before


@pytest.mark.parametrize("instead", ["", "DROP CONSTRAINT cell_loop, "])
def test_a_check_of_somebody_is_kept(changed, instead):
    connection = changed(f"ALTER TABLE layra.cell {instead} ADD CONSTRAINT mine CHECK (key <> 'forbidden')")
    connection.execute("SELECT layra.set_variable('before', 'allowed', '1')")
    refused(connection, "23514", "SELECT layra.set_variable('before', 'forbidden', '1')")
    refused(connection, "23514", "SELECT layra.set_variables('before', '{\"allowed\": 2, \"forbidden\": 1}')")
    refused(connection, "23514", "SELECT layra.append_event('before', 'note', updates => '{\"forbidden\": 1}')")


def test_a_column_that_must_be_given_is_given(changed):
    connection = changed("UPDATE layra.event SET on_behalf_of = 'ada'", "ALTER TABLE layra.event ALTER on_behalf_of SET NOT NULL")
    refused(connection, "23502", "SELECT layra.set_variable('before', 'v', '1')")
    connection.execute("SET layra.actor = 'ada'")
    connection.execute("SELECT layra.set_variable('before', 'v', '1')")


@pytest.mark.parametrize(
    "index",
    ["ADD UNIQUE (payload_hash)", "ADD EXCLUDE USING hash (payload_hash WITH =)", "ADD UNIQUE (payload_hash) DEFERRABLE"],
)
def test_a_unique_index_of_somebody_is_kept(changed, index):
    connection = changed(f"ALTER TABLE layra.event {index}")
    sqlstate = "23P01" if "EXCLUDE" in index else "23505"
    connection.execute("SELECT layra.append_event('before', 'note', '{\"n\": 1}')")
    refused(connection, sqlstate, "SELECT layra.append_event('before', 'note', '{\"n\": 1}')")
    twice = json.dumps([{"type": "note", "payload": {"n": 2}}] * 2)
    refused(connection, sqlstate, f"SELECT layra.append_events('before', '{twice}')")
    connection.execute("SELECT layra.append_event('before', 'note', '{\"n\": 2}')")


def test_an_index_with_a_function_of_somebody_sees_the_row(changed):
    """The function looks into the table that the row goes to."""
    connection = changed(
        "CREATE FUNCTION public.count_of(run text) RETURNS bigint LANGUAGE plpgsql IMMUTABLE AS"
        " 'BEGIN RETURN (SELECT count(*) FROM layra.run); END'",
        "CREATE INDEX counts ON layra.event (public.count_of(run_id))",
        "CREATE INDEX partial ON layra.cell (key) WHERE public.count_of(run_id) > 0",
    )
    works(connection)
