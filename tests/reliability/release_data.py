#!/usr/bin/env python3
"""Fills a database with runs as a released version of the extension makes them, and writes them down for test_upgrade.py.

usage: tests/reliability/release_data.py VERSION LIBRARY_DIRECTORY

LIBRARY_DIRECTORY holds the layra_state.so that was built from the released commit: the data must be that of the release, not
what today's library makes of it. Writes tests/data/release-VERSION.sql (the rows, as pg_dump has them) and
tests/data/release-VERSION.json (every state at every version, and the digests). CONTRIBUTING.md says when.
"""

import hashlib
import json
import sys
from pathlib import Path

TESTS = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(TESTS))

import psycopg  # noqa: E402
from server import Server  # noqa: E402

DATA = TESTS / "data"
ROLES = ("release_alice", "release_bob", "release_auditor", "release_admin")


def create_roles(connection):
    for role in ROLES:
        if not connection.execute("SELECT FROM pg_roles WHERE rolname = %s", [role]).fetchall():
            connection.execute(f"CREATE ROLE {role} LOGIN")


def fill(admin, connect):
    """Runs of every kind that the installed version knows. `connect(role)` gives a connection."""
    for role, level in zip(ROLES, ("writer", "writer", "auditor", "admin")):
        admin.execute("SELECT layra.grant_access(%s, %s)", [role, level])
    alice, bob = connect("release_alice"), connect("release_bob")

    def call(connection, function, *arguments, **named):
        named_arguments = "".join(f", {name} => %s" for name in named)
        places = ", ".join(["%s"] * len(arguments)) + named_arguments
        row = connection.execute(f"SELECT layra.{function}({places})", [*arguments, *named.values()]).fetchone()
        return row[0]

    recorded(alice, call)
    variables(alice, call)
    forks(bob, call)
    definitions(alice, connect("release_admin"), call)
    if admin.execute("SELECT to_regproc('layra.begin_node')").fetchone()[0]:
        execution(alice, connect("release_admin"), call)


def recorded(connection, call):
    """The first states of the recorded run, and some events."""
    saved = 0
    for line in (DATA / "layra-trace.jsonl").open(encoding="utf-8"):
        line = json.loads(line)
        if "state" in line and saved < 40:
            saved += 1
            call(connection, "save_state", "recorded", json.dumps(line["state"]))
        elif line["kind"] == "event" and 0 < saved < 5:
            call(connection, "append_event", "recorded", "engine.event", json.dumps(line["event"]), idempotency_key=f"e{saved}")


def variables(connection, call):
    call(connection, "start_run", "ver/sions", None, '{"a": 1.00, "list": [], "ünï": {"x": null}}', '{"by": "hand"}')
    for n in range(30):
        call(connection, "set_variables", "ver/sions", json.dumps({"list": [f"entry {m}" for m in range(n)], "n": n}))
    call(connection, "checkpoint", "ver/sions", "mark")
    call(connection, "unset_variables", "ver/sions", ["a", "ünï"])
    call(connection, "append_event", "ver/sions", "mail.sent", '{"to": "x"}', '{"sent": 1e400}', idempotency_key="mail")
    call(connection, "rollback", "ver/sions", 20, "went wrong")
    call(connection, "rollback_to", "ver/sions", "mark", "that was right")
    call(connection, "protect_checkpoint", "ver/sions", "mark")
    context = [f"line {n}" for n in range(12)]
    for length in (12, 7, 9, 0, 3):
        call(connection, "save_state", "lists", json.dumps({"context": {"n": context[:length]}, "stack": [length]}))


def forks(connection, call):
    call(connection, "start_run", "parent", variables='{"a": 1}', idempotency_key="first")
    call(connection, "set_variable", "parent", "a", "2", idempotency_key="second")
    call(connection, "fork_run", "parent", "child", 2)
    call(connection, "fork_run", "child", "grandchild")
    call(connection, "set_variable", "grandchild", "b", "3")
    call(connection, "start_run", "gone", idempotency_key="kept")
    call(connection, "fork_run", "gone", "orphan")
    call(connection, "drop_run", "gone")
    call(connection, "finish_run", "parent", "failed", '{"why": "x"}')
    call(connection, "reopen_run", "parent", "again")
    call(connection, "cancel_run", "child", "no more")
    call(connection, "finish_run", "grandchild")


def definitions(connection, admin, call):
    definition = {
        "nodes": [{"id": "s", "type": "start"}, {"id": "e", "type": "end"}],
        "edges": [{"source": "s", "target": "e"}],
        "variables": {"total": {"schema": {"type": "number"}, "default": 0, "group": "sums"}},
    }
    call(connection, "define_workflow", "billing", json.dumps(definition))
    call(connection, "define_workflow", "billing", json.dumps(definition | {"edges": []}))
    call(admin, "define_workflow", "shared flow", json.dumps(definition), shared=True)
    call(connection, "start_run", "defined", "billing", workflow_version=1)
    call(connection, "set_variable", "defined", "total", "12.50")
    call(connection, "start_run", "of shared", "shared flow")


def execution(connection, admin, call):
    call(connection, "start_run", "at work", "billing")
    call(connection, "begin_node", "at work", "s", "w1", "1 hour")
    call(connection, "complete_node", "at work", "s", '{"out": 1}', '{"total": 3}')
    call(connection, "begin_node", "at work", "e", "w2", "1 hour")
    call(connection, "fail_node", "at work", "e", '{"error": "x"}')
    call(connection, "begin_node", "at work", "e", "w2", "1 hour")
    call(connection, "start_run", "looping")
    call(connection, "enter_loop", "looping", "l", 3)
    call(connection, "next_iteration", "looping", "l")
    call(connection, "set_engine", "at work", '{"execution_stack": ["e"]}')
    asked = call(connection, "pause_run", "at work", "e", '{"question": "?"}')
    call(connection, "resume_run", "at work", asked, '{"ok": true}', '{"total": 4}')
    call(connection, "pause_run", "at work", "e", '{"question": "still?"}', '{"type": "object"}', "bob")
    call(connection, "define_breaker", "mail api", 2)
    call(connection, "breaker_failure", "mail api", '{"status": 503}')
    call(connection, "breaker_failure", "mail api", '{"status": 504}')
    call(connection, "define_event_type", "mail.sent", '{"type": "object"}')
    admin.execute("CREATE FUNCTION public.nothing(text, bigint, text, jsonb) RETURNS void LANGUAGE sql AS 'SELECT'")
    admin.execute("CREATE FUNCTION public.no_problem(text, jsonb) RETURNS SETOF text LANGUAGE sql AS 'SELECT NULL WHERE false'")
    call(admin, "on_event", "mail.*", "public.nothing(text, bigint, text, jsonb)")
    call(admin, "add_validator", "billing", "none", "public.no_problem(text, jsonb)")


def states(connection):
    """What must come through every upgrade: {run: [digest, {version: SHA-256 of the state's text}]}."""
    found = {}
    for run_id, version in connection.execute("SELECT run_id, version FROM layra.runs ORDER BY run_id").fetchall():
        rows = connection.execute(
            "SELECT v, layra.get_state(%s, v)::text FROM generate_series(1, %s) v", [run_id, version]
        ).fetchall()
        hashes = {str(v): hashlib.sha256(state.encode()).hexdigest()[:16] for v, state in rows}
        digest = connection.execute("SELECT layra.digest(%s)", [run_id]).fetchone()[0]
        found[run_id] = [digest, hashes]
    return found


def main():
    version, libraries = sys.argv[1:]
    with Server(conf=f"dynamic_library_path = '{Path(libraries).resolve()}:$libdir'\n") as server:
        with psycopg.connect(server.conninfo(), autocommit=True) as admin:
            admin.execute(f"CREATE EXTENSION layra_state VERSION '{version}'")
            create_roles(admin)
            admin.execute("GRANT CREATE ON SCHEMA public TO release_admin")
            fill(admin, lambda role: psycopg.connect(server.conninfo(), autocommit=True, user=role))
            assert not admin.execute("SELECT * FROM layra.verify()").fetchall()
            (DATA / f"release-{version}.json").write_text(json.dumps(states(admin), indent=1, ensure_ascii=False) + "\n")
        dump = server.run("pg_dump", "--schema=layra", "--data-only", "--no-owner", "--no-acl").stdout
        # Lines of psql's own that newer versions of pg_dump write, and that say nothing.
        dump = "".join(line for line in dump.splitlines(True) if not line.startswith(("\\restrict", "\\unrestrict")))
        (DATA / f"release-{version}.sql").write_text(dump)


if __name__ == "__main__":
    main()
