"""The extension against the model: the same random calls on both, and every answer compared.

`LAYRA_SEED` repeats a run, `LAYRA_OPS` sets its length. A mismatch names the seed, the operation and the last
ten calls. Above the random part stand the tests of the model itself: a wrong model would approve of wrong code.
"""

import itertools
import json
import os
from collections import deque
from contextlib import nullcontext
from decimal import Decimal
from functools import reduce
from random import Random, SystemRandom

import psycopg
import pytest
from model import (
    FINISHED,
    MISSING,
    Model,
    Number,
    Refused,
    Workflow,
    canonical,
    jsonb,
    merge,
    object_text,
    parse,
    patched,
    pointer,
)
from psycopg.pq import TransactionStatus
from ways import prepare  # noqa: F401

OPERATIONS = int(os.environ.get("LAYRA_OPS", "10000"))

# --- the model itself ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    ["1.00", "-0", "-0.0", "1e3", "1.50e1", "12e-3", "0.1e400", '{"bb": 1, "a": 2, "a": 3}', '"\\u00e9\\u0007/\\/"',
     '"\\ud83d\\ude00"', "[1, [], {}, null, true]", '{"é": 1, "z": 2, "": 3}', '"\\u007f\\u0085"', "9" * 400],
)  # fmt: skip
def test_model_prints_values_as_jsonb_does(admin, text):
    (printed,) = admin.execute("SELECT %s::jsonb::text", [text]).fetchone()
    assert canonical(text) == printed


def values(depth):
    """Every value of a small world in which merges can collide."""
    yield from (1, 2)
    if depth:
        inner = [MISSING, *values(depth - 1)]
        for a, b in itertools.product(inner, inner):
            yield {key: value for key, value in (("a", a), ("b", b)) if value is not MISSING}


def changes(base, value, path=()):
    """What turned `base` into `value`: the changed paths and what is there now, as deep as both are objects."""
    if base is MISSING or value is MISSING or not (isinstance(base, dict) and isinstance(value, dict)):
        return {} if base == value else {path: value}
    found = {}
    for key in {*base, *value}:
        found |= changes(base.get(key, MISSING), value.get(key, MISSING), (*path, key))
    return found


def applied(value, path, new):
    """`value` with `new` at `path`, or None where the path is gone."""
    if not path:
        return new
    if not isinstance(value, dict):
        return None
    child = applied(value.get(path[0], MISSING), path[1:], new)
    if child is None:
        return None
    rest = {key: member for key, member in value.items() if key != path[0]}
    return rest if child is MISSING else rest | {path[0]: child}


def replayed(value, wanted):
    for path, new in wanted.items():
        value = applied(value, path, new)
        if value is None:
            return None
    return value


def test_model_merge_is_a_serial_order_or_names_the_conflicts():
    """For every triple of a small world: a merge that succeeds is what either order of the two writers' changes
    gives; one that fails names paths which both sides changed, to different values."""
    world = list(values(2))
    random = Random(1)
    merged_count = conflict_count = 0
    for _ in range(20_000):
        base, theirs, mine = (random.choice(world) for _ in range(3))
        result, conflicts = merge(base, theirs, mine)
        their_changes, my_changes = changes(base, theirs), changes(base, mine)
        if conflicts:
            conflict_count += 1
            for path in conflicts:
                assert any(changed[: len(path)] == path for changed in their_changes)
                assert any(changed[: len(path)] == path for changed in my_changes)
        else:
            merged_count += 1
            orders = [replayed(theirs, my_changes), replayed(mine, their_changes)]
            assert result in orders
    assert merged_count > 1000 and conflict_count > 1000


def three_way(base, theirs, mine):
    sides = [MISSING if side is None else parse(side) for side in (base, theirs, mine)]
    result, conflicts = merge(*sides, ("v",))
    return sorted(map(pointer, conflicts)) if conflicts else "MISSING" if result is MISSING else jsonb(result)


@pytest.mark.parametrize(
    "base, theirs, mine, expected",
    [
        ('{"a": 1}', '{"a": 1, "b": 2}', '{"a": 1, "c": 3}', '{"a": 1, "b": 2, "c": 3}'),
        ('{"a": 1, "b": 1}', '{"a": 1}', '{"a": 2, "b": 1}', '{"a": 2}'),
        ('{"a": 1}', "{}", '{"a": 2}', ["/v/a"]),
        ('{"a": {"b": 1}}', '{"a": {"b": 2}}', '{"a": {"b": 3}}', ["/v/a/b"]),
        ('{"a": {"b": 1}}', '{"a": 2}', '{"a": {"b": 3}}', ["/v/a"]),
        ("{}", '{"a/b": 1}', '{"a/b": 2}', ["/v/a~1b"]),
        ("[1]", "[1, 2]", "[1, 3]", ["/v"]),
        ("1", "1.0", "1", "1.0"),
        ("1", "1.0", "1.00", ["/v"]),
        (None, '{"a": 1}', '{"b": 1}', ["/v"]),
        (None, '{"a": 1}', '{"a": 1}', '{"a": 1}'),
        ("1", None, "1", "MISSING"),
        ("1", None, "2", ["/v"]),
        ('{"x": 1, "y": 1}', '{"x": 2, "y": 2}', '{"x": 3, "y": 3}', ["/v/x", "/v/y"]),
        ("null", "{}", "null", "{}"),
    ],
)
def test_model_merge_by_example(base, theirs, mine, expected):
    assert three_way(base, theirs, mine) == expected


# --- the random driver -----------------------------------------------------------------------------------------

TYPES = {
    "at_version": "bigint", "events": "jsonb", "expected_variables": "jsonb", "expected_version": "bigint",
    "idempotency_key": "text", "kind": "text", "label": "text", "metadata": "jsonb", "name": "text", "names": "text[]",
    "new_run_id": "text", "on_conflict": "text", "owner": "name", "payload": "jsonb", "protected": "boolean",
    "reason": "text", "replace": "boolean", "result": "jsonb", "run_id": "text", "state": "jsonb", "status": "text",
    "to_version": "bigint", "type": "text", "updates": "jsonb", "value": "jsonb", "variables": "jsonb",
    "workflow": "text", "workflow_version": "integer",
}  # fmt: skip

# What may be wrong with an argument, by its name. None is there only where NULL is no default.
LONG = "n" * 256
BAD_NAMES = ["", LONG, "bell\a", "del\x7f", "nel\u0085"]
WRONG = {
    "run_id": [*BAD_NAMES, None],
    "new_run_id": [*BAD_NAMES, None],
    "name": [*BAD_NAMES, None],
    "type": [*BAD_NAMES, None, "run.mine", "layra.", "variables.set"],
    "kind": BAD_NAMES,
    "workflow": BAD_NAMES,
    "label": BAD_NAMES,
    "idempotency_key": BAD_NAMES,
    "expected_version": [-1, -(2**63)],
    "at_version": [0, -5],
    "to_version": [0, -1, None, 2**63 - 1],
    "on_conflict": ["", "FAIL", "theirs"],
    "status": ["", "running", "done"],
    "updates": ["[]", "1", "null", '{"": 1}', json.dumps({LONG: 1}), '{"a\\u0001": 1}'],
    "variables": ["[]", '"x"', "null", '{"": 1}'],
    "expected_variables": ["[]", '{"a": -1}', '{"a": "1"}', '{"a": 1.5}', '{"a": null}', '{"": 1}'],
    "names": [None, [""], ["ok", None], [LONG]],
    "value": [None],
    "state": [
        None, "null", "[]", "1", '{"": 1}', '{"layra.graph": 1}', '{"global_variables": []}', '{"context": {"n": {}}}',
        '{"execution_status": {"n": "done"}}', '{"execution_status": {"n": 1}}', '{"loop_index": {"l": "1"}}',
        '{"loop_index": {"l": null}}', '{"nodes": {}}', '{"edges": null}', '{"global_variables": {"": 1}}',
        '{"context": {"": []}}', '{"context": null}', '{"execution_status": null}',
    ],
    "events": [None, "[]", "{}", "[1]", "[{}]", '[{"type": 1}]', '[{"type": "a", "more": 1}]', '[{"type": "run.x"}]',
               '[{"type": "a"}, {"type": "b", "updates": []}]'],
    "owner": [None, "layra_test_nobody"],
}  # fmt: skip

WEIGHTS = {
    "set_variables": 24, "merge": 12, "try_set_variables": 8, "set_variable": 10, "unset_variables": 5, "save_state": 22,
    "append_event": 8, "append_events": 4, "checkpoint": 5, "protect_checkpoint": 1, "rollback": 3, "rollback_to": 1,
    "fork_run": 2, "finish_run": 0.7, "reopen_run": 0.5, "cancel_run": 0.5, "set_owner": 0.5, "drop_run": 0.2,
    "start_run": 0.7,
}  # fmt: skip

# Few idempotency keys and many runs that come from each other, go, and come again under the same name.
FAMILIES = WEIGHTS | {"fork_run": 12, "drop_run": 3, "rollback": 12, "rollback_to": 3, "save_state": 8}

RUNS = ["alpha", "beta/2", "γάμμα", "delta'; DROP TABLE layra.run; --", "epsilon \\ \"quoted\"", "ζ", "eta eta", "8"]
VARIABLES = ["a", "b", "count", "doc", "tree", "naïve/~name", "🙂", "title"]
NODES = ["start", "n/1", "n/1/0", "loop~", "ünde"]
ENGINE = ["execution_stack", "skip_nodes", "engine_note", "extra/field"]
LABELS = ["before", "after", "gate/1", "ü"]

DEFINITIONS = [
    {
        "nodes": [{"id": "start", "type": "start"}, {"id": "end", "type": "code", "data": {"x": 1}}],
        "edges": [{"source": "start", "target": "end"}],
        "variables": {"count": {"schema": {"type": "integer"}, "default": 0}, "title": {"default": "untitled"}},
    },
    {
        "nodes": [{"id": "start", "type": "start"}],
        "edges": [],
        "variables": {"count": {"schema": {"type": "number"}}, "tree": {"default": {"a": {"b": 1}}}},
    },
]


def is_integer(value):
    return isinstance(value, Number) and Decimal(value.text) == Decimal(value.text).to_integral_value()


def is_number(value):
    return isinstance(value, Number)


SCHEMAS = {"integer": is_integer, "number": is_number}


def workflow_of(definition):
    variables = definition["variables"]
    return Workflow(
        graph={"nodes": jsonb(definition["nodes"]), "edges": jsonb(definition["edges"])},
        defaults={name: jsonb(entry["default"]) for name, entry in variables.items() if "default" in entry},
        schemas={name: SCHEMAS[entry["schema"]["type"]] for name, entry in variables.items() if "schema" in entry},
    )


class Driver:
    """Performs random calls on the extension and on the model, and compares."""

    def __init__(self, connection, seed, owners, weights=None, keys=300):
        self.weights = weights or WEIGHTS
        self.keys = keys
        self.connection = connection
        self.random = Random(seed)
        self.seed = seed
        self.owners = owners
        (actor,) = connection.execute("SELECT session_user::text").fetchone()
        self.model = Model(actor, owners)
        self.number = 0
        self.recent = deque(maxlen=10)
        self.keyed = deque(maxlen=60)
        self.outcomes = {}
        self.patches = 0
        for definition in DEFINITIONS:
            self.sql("SELECT layra.define_workflow('flow', %s::jsonb)", json.dumps(definition))
        self.model.workflows["flow"] = [workflow_of(definition) for definition in DEFINITIONS]

    def sql(self, text, *arguments):
        return self.connection.execute(text, arguments, prepare=True).fetchall()

    # One call on both sides

    def call(self, function, **arguments):
        self.number += 1
        self.recent.append((self.number, function, arguments))
        expected = self.on_model(function, arguments)
        found = self.on_extension(function, arguments)
        self.outcomes[function, expected if isinstance(expected, str) else "ok"] = (
            self.outcomes.get((function, expected if isinstance(expected, str) else "ok"), 0) + 1
        )
        return expected, found

    def on_model(self, function, arguments):
        try:
            return getattr(self.model, function)(**arguments)
        except Refused as refused:
            self.refused = refused
            return refused.sqlstate

    def on_extension(self, function, arguments):
        given = ", ".join(f"{name} => %s::{TYPES[name]}" for name in arguments)
        columns = "committed, version" if function == "try_set_variables" else "*"
        # In a transaction of several calls one that fails must not end it.
        alone = self.connection.info.transaction_status == TransactionStatus.IDLE
        try:
            with nullcontext() if alone else self.connection.transaction():
                (row,) = self.sql(f"SELECT {columns} FROM layra.{function}({given})", *arguments.values())
        except psycopg.Error as error:
            self.error = error
            return error.sqlstate
        return row if len(row) > 1 else None if function == "drop_run" else row[0]

    def compare(self, function, arguments, expected, found):
        if isinstance(expected, str):
            assert found in {expected, *self.refused.also}, f"{found} instead of {self.refused}: {self.error_text(found)}"
            if found == "40001" and function == "set_variables":
                self.compare_conflict(arguments)
        else:
            assert found == expected, f"{found} instead of {expected}: {self.error_text(found)}"
        run = self.model.runs.get(arguments.get("new_run_id") or arguments.get("run_id"))
        if run and not isinstance(expected, str):
            self.check_events(run, run.head)

    def error_text(self, found):
        return str(self.error) if isinstance(found, str) else ""

    def compare_conflict(self, arguments):
        detail = json.loads(self.error.diag.message_detail)
        assert detail["run_id"] == arguments["run_id"]
        assert detail["expected"] == self.refused.expected
        assert detail["actual"] == self.refused.actual
        if self.refused.conflicts:
            assert sorted(detail["conflicts"]) == sorted(self.refused.conflicts)

    # What is read back

    def check_events(self, run, first):
        """The log from a version on, column by column."""
        rows = self.sql(
            "SELECT version, type, payload::text, changed, actor, on_behalf_of, idempotency_key, checkpoint_kind,"
            " checkpoint_label FROM layra.event WHERE run_id = %s AND version >= %s ORDER BY version",
            run.run_id,
            first,
        )
        assert len(rows) == run.head - first + 1
        for row, event in zip(rows, run.events[first - 1 :]):
            version, event_type, payload, changed, *rest = row
            assert event_type == event.type, version
            assert event.payload is None or payload == event.payload, version
            assert rest == [event.actor, event.on_behalf_of, event.idempotency_key, event.checkpoint_kind,
                            event.checkpoint_label], version  # fmt: skip
            cells = [changed_cell(entry) for entry in changed or []]
            order = [(scope.encode(), key.encode(), ordinal) for scope, key, ordinal in cells]
            assert order == sorted(set(order)), version
            named = {(scope, key) for scope, key, _ in cells if not key.startswith("layra.")}
            # A rollback may bring a list back in other places than where the same list stands now.
            extra = named - event.changed
            assert named >= event.changed, (version, event.changed - named)
            assert not extra or event.rolled_back_to and {scope for scope, _ in extra} == {"context"}, (version, extra)

    def check_state(self, run, version):
        (row,) = self.sql("SELECT layra.get_state(%s, %s)::text", run.run_id, version)
        assert row[0] == run.states[version - 1].document, version

    def check_variables(self, run, version):
        variables = run.states[version - 1].variables
        names = self.random.sample(VARIABLES, 3)
        picked, every, one = self.sql(
            "SELECT layra.get_variables(%s, %s, %s)::text, layra.get_variables(%s, at_version => %s)::text,"
            " layra.get_variable(%s, %s, %s)::text",
            run.run_id, names, version, run.run_id, version, run.run_id, names[0], version,
        )[0]  # fmt: skip
        assert picked == object_text({name: variables[name] for name in names if name in variables})
        assert every == object_text(variables)
        assert one == variables.get(names[0])

    def cells_at(self, run, version):
        """The cells as the table has them, by the plain definition of a state: the newest row of each."""
        rows = self.sql(
            "SELECT DISTINCT ON (scope, key, ordinal) scope, key, ordinal, value::text, version, base FROM layra.cell"
            " WHERE run_id = %s AND version <= %s ORDER BY scope, key, ordinal, version DESC",
            run.run_id, version,
        )  # fmt: skip
        cells = {}
        for *cell, value, at, base in rows:
            if base is not None:
                chain = self.sql(
                    "SELECT value::text FROM layra.cell WHERE run_id = %s AND (scope, key, ordinal) = (%s, %s, %s)"
                    " AND version BETWEEN %s AND %s ORDER BY version",
                    run.run_id, *cell, base, at,
                )  # fmt: skip
                whole, *patches = (parse(text) for (text,) in chain)
                value = jsonb(reduce(patched, patches, whole))
                self.patches += 1
            if value is not None:
                cells[tuple(cell)] = value
        return cells

    def check_cells(self, run, version):
        """The cells mean the state of the model; returns them."""
        cells = self.cells_at(run, version)
        shown, lists = {}, {}
        for (scope, key, ordinal), value in sorted(cells.items()):
            if scope == "context" and ordinal >= 0:
                lists.setdefault(key, []).append(value)
            elif scope != "context" and not key.startswith("layra."):
                assert ordinal == 0
                shown[scope, key] = as_shown(scope, value)
        state = run.states[version - 1]
        assert shown == {cell: value for cell, value in state.cells.items() if cell[0] != "context"}
        assert lists == {node: list(entries) for node, entries in state.context.items() if entries}
        return cells

    def check_diff(self, run, old, new):
        """diff against the cells of both versions, and for the named scopes against the model."""
        rows = self.sql(
            "SELECT scope, key, ordinal, op, old_value::text, new_value::text FROM layra.diff(%s, %s, %s)",
            run.run_id, old, new,
        )  # fmt: skip
        before, after = self.check_cells(run, old), self.check_cells(run, new)
        wanted = [
            (*cell, "added" if cell not in before else "removed" if cell not in after else "changed", before.get(cell),
             after.get(cell))
            for cell in sorted(before.keys() | after.keys(), key=lambda cell: (cell[0].encode(), cell[1].encode(), cell[2]))
            if before.get(cell) != after.get(cell) and cell[2] != -1
        ]  # fmt: skip
        assert rows == wanted, (old, new)
        named = [
            (scope, key, op, old_value, new_value)
            for scope, key, _, op, old_value, new_value in rows
            if scope == "variable" or scope == "engine" and not key.startswith("layra.")
        ]
        assert named == [row for row in run.diff(old, new) if row[0] in ("variable", "engine")], (old, new)

    def check_history(self, run):
        cells = [cell for cell in run.cells if cell[0] != "context"]
        if not cells:
            return
        scope, key = self.random.choice(cells)
        rows = self.sql(
            "SELECT revision, version, value::text, actor, on_behalf_of, type FROM layra.history(%s, %s, %s)",
            run.run_id, key, scope,
        )  # fmt: skip
        found = [(*row[:2], None if row[2] is None else as_shown(scope, row[2]), *row[3:]) for row in rows]
        assert found == [
            (revision, version, value, event.actor, event.on_behalf_of, event.type)
            for revision, (version, value) in enumerate(run.cells[scope, key], start=1)
            for event in [run.events[version - 1]]
        ], (scope, key)

    def check_log(self, run):
        after, size = self.random.randint(0, run.head), self.random.randint(1, 50)
        types = self.random.choice([None, ["state.saved"], ["engine.node", "variables.set"], []])
        rows = self.sql(
            "SELECT version, type FROM layra.events(%s, after_version => %s, batch_size => %s, types => %s::text[])",
            run.run_id, after, size, types,
        )  # fmt: skip
        listed = enumerate(run.events, start=1)
        wanted = [(version, event.type) for version, event in listed
                  if version > after and (types is None or event.type in types)]  # fmt: skip
        assert rows == wanted[:size]

    def check_run(self, run):
        """The row of the run, its checkpoints, and the time of a version."""
        (row,) = self.sql("SELECT status, owner, workflow, workflow_version FROM layra.run WHERE run_id = %s", run.run_id)
        assert row == (run.status, run.owner, run.workflow, run.workflow_version)
        labels = self.sql(
            "SELECT label, version FROM layra.checkpoint WHERE run_id = %s AND label IS NOT NULL", run.run_id
        )
        assert dict(labels) == run.labels and len(labels) == len(run.labels)
        for version, kind, protected, metadata in self.sql(
            "SELECT version, kind, protected, metadata::text FROM layra.checkpoint WHERE run_id = %s", run.run_id
        ):
            checkpoint = run.checkpoints[version]
            assert (kind, protected, metadata) == (checkpoint.kind, checkpoint.protected, checkpoint.metadata), version
        version = self.random.randint(1, run.head)
        found, wanted = self.sql(
            "SELECT layra.version_at(%s, at), (SELECT max(later.version) FROM layra.event later"
            " WHERE later.run_id = %s AND later.at <= event.at) FROM layra.event WHERE run_id = %s AND version = %s",
            run.run_id, run.run_id, run.run_id, version,
        )[0]  # fmt: skip
        assert found == wanted

    def check_random(self, run):
        version, other = self.random.randint(1, run.head), self.random.randint(1, run.head)
        self.check_state(run, run.head)
        self.check_state(run, version)
        self.check_variables(run, version)
        self.check_history(run)
        self.check_log(run)
        self.check_run(run)
        self.check_diff(run, version, other)
        self.check_diff(run, other, version)

    def check_everything(self):
        """Every version of every run, in one query each."""
        runs = self.sql("SELECT run_id FROM layra.run ORDER BY run_id COLLATE \"C\"")
        assert [run_id for (run_id,) in runs] == sorted(self.model.runs, key=str.encode)
        for run in self.model.runs.values():
            self.check_events(run, 1)
            self.check_random(run)
            documents = self.sql(
                "SELECT version, layra.get_state(%s, version)::text FROM generate_series(1, %s) version",
                run.run_id, run.head,
            )  # fmt: skip
            for version, document in documents:
                assert document == run.states[version - 1].document, version
        assert self.sql("SELECT * FROM layra.verify()") == []

    def check_dropped(self, run_id):
        """Nothing of it is left in any table that has runs, but a seal."""
        tables = self.sql(
            "SELECT c.relname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'run_id'"
            " WHERE c.relnamespace = 'layra'::regnamespace AND c.relkind = 'r'"
        )
        assert len(tables) >= 4
        for (table,) in tables:
            ((rows,),) = self.sql(f"SELECT count(*) FROM layra.{table} WHERE run_id = %s", run_id)
            assert (rows > 0) == (table == "seal"), table

    # Random arguments

    def chance(self, probability):
        return self.random.random() < probability

    def value(self, depth=2):
        """Some JSON text; often small, so that equal values meet."""
        kind = self.random.randrange(12 if depth else 9)
        if kind < 3:
            return str(self.random.randint(0, 3))
        if kind < 8:
            return self.random.choice(
                ["true", "null", '""', '"x"', '"quote\\" \\\\ \\u00e9"', "1.0", "1.00", "-0", "1e2", "0.50", "[]", "{}",
                 "12345678901234567890.123456789", '"🙂"', '"a\\u0007b"']
            )  # fmt: skip
        if kind == 8 and self.chance(0.1):
            # So large that it is stored as what changed, where something small does.
            members = [f'"k{n}": {{"a": "{self.random.random() * n}", "b": [{n}.00, "{"x" * 60}"]}}' for n in range(60)]
            return "{" + ",".join(members) + "}"
        if kind == 8 and self.chance(0.05):
            return self.random.choice(["9" * 400, "1e400", '"' + "long " * 2000 + '"'])
        if kind < 10:
            return "[" + ",".join(self.value(0) for _ in range(self.random.randint(0, 3))) + "]"
        keys = [self.random.choice(["a", "b", "c", "d/e"]) for _ in range(self.random.randint(0, 3))]
        return "{" + " ,".join(f'"{key}" : {self.value(depth - 1)}' for key in keys) + "}"

    def mutated(self, value, depth=3):
        """A parsed value with a small change somewhere inside."""
        if isinstance(value, dict) and depth and self.chance(0.85):
            value = dict(value)
            key = self.random.choice([*value, "a", "b", "c", "d/e"])
            if key in value and self.chance(0.3):
                del value[key]
            elif key in value:
                value[key] = self.mutated(value[key], depth - 1)
            else:
                value[key] = parse(self.value(depth - 1))
            return value
        return parse(self.value(depth))

    def updates(self, base=None):
        """An object of variables: new values, or those of `base` a little changed."""
        members = []
        for name in self.random.sample(VARIABLES, self.random.choice([0, 1, 1, 1, 2, 2, 3, 5])):
            old = (base or {}).get(name)
            if old is None or self.chance(0.3):
                members.append((name, self.value()))
            elif self.chance(0.2):
                members.append((name, old))
            else:
                value = parse(old)
                for _ in range(self.random.randint(1, 3)):
                    value = self.mutated(value)
                members.append((name, jsonb(value)))
        if members and self.chance(0.05):
            members.append(members[0])
        return "{" + ", ".join(f"{json.dumps(name)}: {text}" for name, text in members) + "}"

    def run_id(self):
        alive = list(self.model.runs)
        return self.random.choice(alive if alive and self.chance(0.99) else RUNS)

    def expected(self, run):
        head = run.head if run else 0
        return self.random.choice([head] * 7 + [max(head - self.random.randint(1, 3), 0)] * 2 + [0, head + 1, 2**62])

    def common(self, run, with_version=True):
        arguments = {}
        if with_version and self.chance(0.25):
            arguments["expected_version"] = self.expected(run)
        if self.chance(0.12 if self.keys > 100 else 0.35):
            arguments["idempotency_key"] = f"key {self.random.randrange(self.keys)}"
        return arguments

    def arguments(self, function):
        """(function, arguments) for a name of WEIGHTS."""
        run_id = self.run_id()
        run = self.model.runs.get(run_id)
        return getattr(self, f"for_{function}")(run_id, run)

    def for_set_variables(self, run_id, run):
        arguments = {"run_id": run_id, "updates": self.updates(run and run.state.variables)} | self.common(run)
        if run and self.chance(0.2):
            names = self.random.sample(VARIABLES, self.random.randint(0, 3))
            versions = {name: run.variable_version(name) for name in names}
            if names and self.chance(0.4):
                versions[names[0]] = self.random.choice([0, run.head, run.head + 5])
            arguments["expected_variables"] = json.dumps(versions)
        if self.chance(0.1):
            arguments["on_conflict"] = self.random.choice(["fail", "overwrite", "merge"])
        return "set_variables", arguments

    def for_merge(self, run_id, run):
        """Two writers from the same base: what merge and overwrite are for."""
        if not run:
            return self.for_set_variables(run_id, run)
        base = max(1, run.head - self.random.randint(0, 8))
        return "set_variables", {
            "run_id": run_id,
            "updates": self.updates(run.states[base - 1].variables),
            "on_conflict": self.random.choice(["merge", "merge", "merge", "overwrite"]),
            "expected_version": base,
        } | self.common(run, with_version=False)

    def for_try_set_variables(self, run_id, run):
        generator = self.random.choice([self.for_set_variables, self.for_merge])
        return "try_set_variables", generator(run_id, run)[1]

    def for_set_variable(self, run_id, run):
        name = self.random.choice(VARIABLES)
        arguments = {"run_id": run_id, "name": name, "value": self.value()} | self.common(run)
        if run and "expected_version" in arguments and self.chance(0.7):
            arguments["expected_version"] = run.variable_version(name)
        return "set_variable", arguments

    def for_unset_variables(self, run_id, run):
        names = self.random.choices([*VARIABLES, "unknown"], k=self.random.randint(0, 3))
        return "unset_variables", {"run_id": run_id, "names": names} | self.common(run)

    def for_save_state(self, run_id, run):
        document = parse(run.state.document) if run else {}
        for _ in range(self.random.choice([0, 1, 1, 2, 3, 6])):
            self.change_document(document, run)
        return "save_state", {"run_id": run_id, "state": jsonb(document)} | self.common(run)

    def change_document(self, document, run):
        """One thing an engine does to its document between two saves."""
        random = self.random
        kind = random.choice(["variable"] * 3 + ["node"] * 2 + ["loop", "engine", "context", "context", "context", "context",
                             "graph", "field"])  # fmt: skip
        if kind == "variable":
            members = document.setdefault("global_variables", {})
            name = random.choice(VARIABLES)
            if name in members and self.chance(0.2):
                del members[name]
            else:
                members[name] = self.mutated(members.get(name))
        elif kind == "node":
            members = document.setdefault("execution_status", {})
            members[random.choice(NODES)] = random.choice([True, False, None])
            if self.chance(0.1):
                members.pop(random.choice(NODES), None)
        elif kind == "loop":
            members = document.setdefault("loop_index", {})
            members[random.choice(NODES)] = Number(random.choice(["0", "1", "2", "2.0", "15", "-1"]))
            if self.chance(0.2):
                members.pop(random.choice(NODES), None)
        elif kind == "engine":
            document[random.choice(ENGINE)] = parse(self.value())
        elif kind == "context":
            members = document.setdefault("context", {})
            node = random.choice(NODES)
            entries = self.changed_list(list(members.get(node, [])))
            if entries is None:
                members.pop(node, None)
            else:
                members[node] = entries
        elif kind == "graph":
            for name in random.choice([["nodes"], ["edges"], ["nodes", "edges"]]):
                document[name] = parse(random.choice(["[]", '[{"id": "start"}]', '[{"id": "x", "n": 1.0}, 2]']))
        else:
            document.pop(random.choice([*document, "nothing"]), None)

    def changed_list(self, entries):
        """A context list as engines change it; None: the node is gone from the document."""
        random = self.random
        kind = random.choice(["append"] * 5 + ["slide"] * 3 + ["middle", "shrink", "head", "insert", "clear", "gone", "same"])
        new = [parse(self.value(1)) for _ in range(random.randint(1, 3))]
        if kind == "append" or not entries:
            return entries + new
        cut = random.randint(1, len(entries))
        if kind == "slide":
            return entries[cut:] + new[: random.randint(0, len(new))]
        if kind == "middle":
            entries[random.randrange(len(entries))] = new[0]
        elif kind == "shrink":
            entries = entries[:-cut]
        elif kind == "head":
            entries = entries[cut:]
        elif kind == "insert":
            entries.insert(random.randrange(len(entries)), new[0])
        elif kind == "clear":
            entries = []
        elif kind == "gone":
            return None
        return entries[-25:]

    def for_append_event(self, run_id, run):
        arguments = {"run_id": run_id, "type": self.random.choice(["engine.node", "engine.ai_chunk", "note"])}
        if self.chance(0.7):
            arguments["payload"] = "{" + f'"n": {self.value()}' + "}"
        if self.chance(0.4):
            arguments["updates"] = self.updates(run and run.state.variables)
        return "append_event", arguments | self.common(run)

    def for_append_events(self, run_id, run):
        batch = []
        for number in range(self.random.randint(1, 4)):
            entry = {"type": self.random.choice(["engine.node", "batch"])}
            if self.chance(0.6):
                entry["payload"] = {"number": Number(str(number))}
            if self.chance(0.5):
                entry["updates"] = parse(self.updates(run and run.state.variables))
            batch.append(entry)
        return "append_events", {"run_id": run_id, "events": jsonb(batch)} | self.common(run)

    def for_checkpoint(self, run_id, run):
        arguments = {"run_id": run_id}
        if self.chance(0.7):
            arguments["label"] = self.random.choice(LABELS)
            if self.chance(0.5):
                arguments["replace"] = True
        if self.chance(0.3):
            arguments["kind"] = self.random.choice(["manual", "milestone", "größe"])
        if self.chance(0.3):
            arguments["metadata"] = '{"by": "hand"}'
        return "checkpoint", arguments | self.common(run)

    def for_protect_checkpoint(self, run_id, run):
        label = self.random.choice(list(run.labels) if run and run.labels and self.chance(0.9) else LABELS)
        arguments = {"run_id": run_id, "label": label} | self.common(run)
        if self.chance(0.6):
            arguments["protected"] = False
        return "protect_checkpoint", arguments

    def for_rollback(self, run_id, run):
        head = run.head if run else 3
        version = self.random.choice([head, head - 1, head - 2, head - self.random.randint(0, 20),
                                      self.random.randint(1, max(head, 1)), head + 1])  # fmt: skip
        return "rollback", {"run_id": run_id, "to_version": version, "reason": "because"} | self.common(run)

    def for_rollback_to(self, run_id, run):
        label = self.random.choice(list(run.labels) if run and run.labels and self.chance(0.9) else LABELS)
        return "rollback_to", {"run_id": run_id, "label": label} | self.common(run)

    def for_fork_run(self, run_id, run):
        free = [name for name in RUNS if name not in self.model.runs]
        arguments = {"run_id": run_id, "new_run_id": self.random.choice(free if free and self.chance(0.8) else RUNS)}
        if run and self.chance(0.7):
            arguments["at_version"] = self.random.choice([run.head, self.random.randint(1, run.head), run.head + 1])
        return "fork_run", arguments | self.common(run, with_version=False)

    def for_finish_run(self, run_id, run):
        arguments = {"run_id": run_id, "status": self.random.choice(["failed"] * 5 + ["cancelled"] * 2 + ["completed"])}
        if self.chance(0.5):
            arguments["result"] = self.value()
        return "finish_run", arguments | self.common(run)

    def for_reopen_run(self, run_id, run):
        return "reopen_run", {"run_id": run_id} | self.common(run)

    def for_cancel_run(self, run_id, run):
        return "cancel_run", {"run_id": run_id, "reason": "enough"} | self.common(run)

    def for_set_owner(self, run_id, run):
        return "set_owner", {"run_id": run_id, "owner": self.random.choice(self.owners)} | self.common(run)

    def for_drop_run(self, run_id, run):
        return "drop_run", {"run_id": run_id}

    def for_start_run(self, run_id, run):
        free = [name for name in RUNS if name not in self.model.runs]
        arguments = {"run_id": self.random.choice(free if free and self.chance(0.9) else RUNS)}
        if self.chance(0.7):
            arguments["variables"] = self.updates()
        if self.chance(0.6):
            arguments["workflow"] = self.random.choice(["flow", "flow", "flow", "unknown"])
            if self.chance(0.5):
                arguments["workflow_version"] = self.random.choice([1, 2, 2, 3])
        return "start_run", arguments | self.common(run, with_version=False)

    # The sequence

    def spoilt(self, arguments):
        """The same call with one argument made wrong."""
        name = self.random.choice([name for name in arguments if name in WRONG])
        return arguments | {name: self.random.choice(WRONG[name])}

    def next_call(self):
        if self.keyed and self.chance(0.03):
            return self.random.choice(self.keyed)
        # Finished runs take nothing: get them going again, or make room.
        for run_id, run in self.model.runs.items():
            if run.status in FINISHED and self.chance(0.08):
                return ("drop_run", {"run_id": run_id}) if run.status == "completed" else self.for_reopen_run(run_id, run)
        if len(self.model.runs) < 3:
            return self.for_start_run(None, None)
        function, arguments = self.arguments(self.random.choices(list(self.weights), list(self.weights.values()))[0])
        if self.chance(0.05):
            arguments = self.spoilt(arguments)
        if "idempotency_key" in arguments:
            self.keyed.append((function, arguments))
        return function, arguments

    def step(self):
        function, arguments = self.next_call()
        expected, found = self.call(function, **arguments)
        self.compare(function, arguments, expected, found)
        if function == "drop_run" and not isinstance(expected, str):
            self.check_dropped(arguments["run_id"])
        if self.number % 10 == 0 and self.model.runs:
            self.check_random(self.random.choice(list(self.model.runs.values())))
        if self.number % 2000 == 0:
            assert self.sql("SELECT * FROM layra.verify()") == []

    def transaction(self):
        """Several calls in one transaction that is rolled back: nothing of it may stay, in the tables or in a cache."""
        before = self.model.copy()
        with self.connection.transaction(force_rollback=True):
            for _ in range(self.random.randint(1, 6)):
                self.step()
        self.model = before

    def claim(self):
        """Another layra.actor for what follows."""
        claim = self.random.choice([None, "alice@example.org", "Überprüfer/7"])
        self.sql("SELECT set_config('layra.actor', %s, false)", claim or "")
        self.model.on_behalf_of = claim

    def drive(self, operations):
        try:
            while self.number < operations:
                if self.chance(0.01):
                    self.transaction()
                elif self.chance(0.01):
                    self.claim()
                else:
                    self.step()
            self.check_everything()
        except Exception as failure:
            calls = "\n".join(f"  {number}: {function}({shortened(arguments)})" for number, function, arguments in self.recent)
            raise AssertionError(f"LAYRA_SEED={self.seed}, operation {self.number}: {failure}\n{calls}") from failure


def shortened(arguments):
    return ", ".join(f"{name} => {value!r:.400}" for name, value in arguments.items())


def changed_cell(entry):
    """(scope, key, ordinal) of an entry of `changed`."""
    scope, key = entry.split("/", 1)
    if scope != "context":
        return scope, key, 0
    node, ordinal = key.rsplit("/", 1)
    return scope, node, int(ordinal)


def as_shown(scope, text):
    """A cell's value as the document shows it."""
    if scope == "node":
        status = parse(text)["status"]
        return "null" if status == "running" else "true" if status in ("completed", "skipped") else "false"
    return jsonb(parse(text)["index"]) if scope == "loop" else text


@pytest.fixture
def drive(admin, connect, role):
    """A function that performs random calls from a seed that is printed, and shows what came of them."""

    def drive(operations, **options):
        seed = int(os.environ.get("LAYRA_SEED") or SystemRandom().randrange(2**32))
        print(f"LAYRA_SEED={seed} LAYRA_OPS={OPERATIONS}")
        team = role("team")
        worker = role("worker", f"IN ROLE {team}")
        admin.execute("SELECT layra.grant_access(%s, 'writer')", [worker])
        driver = Driver(connect(role=worker), seed, owners=[worker, team], **options)
        driver.drive(operations)
        for (function, outcome), count in sorted(driver.outcomes.items()):
            print(f"{function:20} {outcome:6} {count:6}")
        versions = sum(run.head for run in driver.model.runs.values())
        print(f"{driver.number} operations, {versions} versions in {len(driver.model.runs)} runs at the end")
        assert driver.number >= operations
        return driver

    yield drive
    admin.execute("SELECT layra.drop_run(run_id) FROM layra.run")


def test_random_calls_agree_with_the_model(drive):
    driver = drive(OPERATIONS)
    # A driver that never reached a function or an error would approve of anything.
    if OPERATIONS >= 10_000:
        reached = {function for function, outcome in driver.outcomes if outcome == "ok"}
        assert reached >= set(WEIGHTS) - {"merge"}
        # Random calls gave from 74 to some hundreds: enough that patches are read in this test.
        assert driver.patches > 20
        assert {outcome for _, outcome in driver.outcomes} >= {"ok", "22023", "P0002", "40001", "55000", "23505", "23514"}


def test_random_families_of_runs_agree_with_the_model(drive):
    """What a fork inherits, of runs that fork, roll back, are dropped and come again."""
    driver = drive(OPERATIONS // 2, weights=FAMILIES, keys=15)
    if OPERATIONS >= 10_000:
        assert driver.outcomes["fork_run", "ok"] > 50 and driver.outcomes["drop_run", "ok"] > 30
