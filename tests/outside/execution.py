"""What the tests of the execution state share: calls, the clock, a workflow with loops, and what must hold of every run."""

import itertools
import json
from contextlib import contextmanager

import chain
import psycopg
from psycopg.rows import dict_row

START = "2026-01-05 09:00:00+00"
serial = itertools.count(1)


def call(connection, sql, *arguments):
    """The first column of a call's only row."""
    return connection.execute(f"SELECT * FROM layra.{sql}", arguments).fetchone()[0]


def attempt(connection, sql, *arguments):
    """What a call gives: its value, or the SQLSTATE as text. An internal error is never an answer."""
    try:
        with connection.transaction():
            return call(connection, sql, *arguments)
    except psycopg.Error as error:
        assert not connection.broken, f"{sql}: the backend is gone: {error}"
        assert error.sqlstate not in (None, "XX000", "XX002"), f"{sql}: {error}"
        assert "::" not in (error.diag.message_detail or ""), error
        return error.sqlstate


def rows(connection, sql, *arguments):
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(f"SELECT * FROM layra.{sql}", arguments).fetchall()


def row(connection, sql, *arguments):
    (only,) = rows(connection, sql, *arguments)
    return only


def begin(connection, run_id, node_id, worker=None, lease=None):
    """One attempt: (attempt, status, output)."""
    got = row(connection, "begin_node(%s, %s, %s::text, %s::interval)", run_id, node_id, worker, lease)
    return got["attempt"], got["status"], got["output"]


def set_now(connection, minutes=0.0):
    """The clock of this session, in minutes since START."""
    connection.execute(
        "SELECT set_config('layra.now', (%s::timestamptz + %s * interval '1 minute')::text, false)", [START, minutes]
    )


def state(connection, run_id, version=None):
    return call(connection, "get_state(%s, %s::bigint)", run_id, version)


def head(connection, run_id):
    (version,) = connection.execute("SELECT max(version) FROM layra.event WHERE run_id = %s", [run_id]).fetchone()
    return version


def node(connection, run_id, node_id):
    """The details of a node, or None where it was never touched."""
    found = connection.execute(
        "SELECT details FROM layra.nodes WHERE run_id = %s AND node_id = %s", [run_id, node_id]
    ).fetchone()
    return found and found[0]


def lease(connection, run_id, node_id):
    return row(connection, "lease WHERE run_id = %s AND node_id = %s", run_id, node_id)


def status(connection, run_id):
    return connection.execute("SELECT status FROM layra.run WHERE run_id = %s", [run_id]).fetchone()[0]


def events(connection, run_id):
    """The types of the log's events."""
    return [kind for (kind,) in connection.execute(
        "SELECT type FROM layra.event WHERE run_id = %s ORDER BY version", [run_id]
    )]  # fmt: skip


def checkpoints(connection, run_id):
    return connection.execute(
        "SELECT version, kind FROM layra.checkpoint WHERE run_id = %s ORDER BY version", [run_id]
    ).fetchall()


def content(connection, run_id):
    """All that is stored of a run, to show that a call changed nothing."""
    tables = ("run", "event", "cell", "checkpoint", "lease", "interaction")
    return {table: connection.execute(
        f"SELECT t::text FROM layra.{table} t WHERE run_id = %s ORDER BY 1", [run_id]
    ).fetchall() for table in tables}  # fmt: skip


@contextmanager
def unchanged(connection, run_id):
    before = content(connection, run_id)
    yield
    assert content(connection, run_id) == before


def sound(connection, run_id):
    """A log without gaps, nothing for verify to find, and hashes that an independent program computes as well."""
    versions = [version for (version,) in connection.execute(
        "SELECT version FROM layra.event WHERE run_id = %s ORDER BY version", [run_id]
    )]  # fmt: skip
    assert versions == list(range(1, len(versions) + 1))
    assert connection.execute("SELECT * FROM layra.verify(%s)", [run_id]).fetchall() == []
    assert chain.problems(connection, run_id) == []
    return len(versions)


def start(connection, name, definition=None, **arguments):
    """A new run, of a workflow of its own where a definition is given; its name."""
    run_id = f"{name} {next(serial)}"
    workflow = None
    if definition is not None:
        workflow = f"flow of {run_id}"
        connection.execute("SELECT layra.define_workflow(%s, %s::jsonb)", [workflow, json.dumps(definition)])
    connection.execute(
        "SELECT layra.start_run(%s, %s::text, %s::jsonb)", [run_id, workflow, json.dumps(arguments.get("variables", {}))]
    )
    return run_id


def edge(source, target, handle=None):
    return {"source": source, "target": target} | ({"sourceHandle": handle} if handle else {})


def flow(*, policy=None, variables=None, data=None):
    """prepare → outer { draft → middle { think → inner { step } } → review } → report, three loops in each other."""
    types = {"outer": "loop", "middle": "loop", "inner": "loop", "step": "vlm", "review": "condition"}
    names = ("prepare", "outer", "draft", "middle", "think", "inner", "step", "review", "report")
    definition = {
        "nodes": [
            {"id": name, "type": types.get(name, "code")} | ({"data": data[name]} if name in (data or {}) else {})
            for name in names
        ],
        "edges": [
            edge("prepare", "outer"),
            edge("outer", "draft", "loop_body"), edge("draft", "middle"), edge("middle", "think", "loop_body"),
            edge("think", "inner"), edge("inner", "step", "loop_body"), edge("step", "inner", "loop_next"),
            edge("inner", "middle", "loop_next"), edge("middle", "review"), edge("review", "outer", "loop_next"),
            edge("outer", "report"),
        ],
    }  # fmt: skip
    if policy:
        definition["policy"] = policy
    if variables:
        definition["variables"] = variables
    return definition
