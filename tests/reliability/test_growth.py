"""What every function and every view costs in pages, at 100 and at 10,000 of whatever it could depend on; with SOAK_MINUTES also
at 1,000,000 of what can be made as many in a while.

Each dimension makes what there is of it as a superuser, as rows and not by calls, where that is what takes the time: what is
looked at is how many pages a call reads and writes, not whether the history is a true one. Every cell of the matrix is flat, but
for those in LAWS, each of which has its reason. A function or view that is added later is in no table here, and fails.
"""

import json
import os
from dataclasses import dataclass

import psycopg
import pytest

SMALL, LARGE = 100, 10_000
HUGE = 1_000_000 if os.environ.get("SOAK_MINUTES") else None

# --- calls -------------------------------------------------------------------------------------------------------

DEFINITION = {
    "nodes": [{"id": "plan", "type": "code"}, {"id": "rounds", "type": "loop", "data": {"maxCount": 9, "context": "loop"}},
              {"id": "search", "type": "http"}, {"id": "end", "type": "code"}],
    "edges": [{"source": "plan", "target": "rounds"}, {"source": "rounds", "target": "search", "sourceHandle": "loop_body"},
              {"source": "search", "target": "rounds", "sourceHandle": "loop_next"}, {"source": "rounds", "target": "end"}],
    "variables": {"v": {"schema": {"type": "integer"}, "group": "g"}},
}  # fmt: skip
HANDLER = "public.handle(text, bigint, text, jsonb)"

# What a run has before anything grows.
BASE = """
    SELECT layra.start_run('{r}', '{flow}', '{{"v": 1, "o": {{"a": 1}}}}');
    SELECT layra.checkpoint('{r}', 'kept'), layra.set_variables('{r}', '{{"v": 2, "o": {{"a": 2}}}}', idempotency_key => 'first');
    SELECT layra.enter_loop('{r}', 'rounds'), layra.next_iteration('{r}', 'rounds');
    SELECT layra.begin_node('{r}', 'search', 'w', '1 day'), layra.complete_node('{r}', 'search', '[1]');
    SELECT layra.begin_node('{r}', 'plan', 'w', '1 day')
"""


@dataclass(frozen=True)
class Call:
    """A call, `before` which something has to be, that is undone with it. `{r}` is the run, `{head}` its newest version,
    `{asked}` what `before` returned."""

    sql: str
    before: str = ""
    by_owner: bool = False

    @property
    def is_of_a_run(self):
        return "{r}" in self.sql


def of(arguments, before="", **options):
    return lambda function: Call(f"SELECT * FROM layra.{function}({arguments})", before, **options)


ASKED = "SELECT layra.pause_run('{r}', 'plan')"
CALLS = {
    "add_validator": of("'flow', 'another', 'public.rule(text, jsonb)'"),
    "append_event": of("'{r}', 'note', '{{}}', '{{\"v\": 3}}'"),
    "append_events": of("'{r}', '[{{\"type\": \"note\"}}, {{\"type\": \"note\", \"updates\": {{\"v\": 4}}}}]'"),
    "begin_node": of("'{r}', 'plan', 'w', '1 day'"),
    "breaker_failure": of("'api', '{{}}'"),
    "breaker_state": of("'{worker}', 'api'"),
    "breaker_success": of("'api'"),
    "breaker_try": of("'api'"),
    "cancel_run": of("'{r}'"),
    "cells": of("'{r}'"),
    "changed_cells": of("'{r}', {head}"),
    "check_access": of("'{worker}', 'writer'", by_owner=True),
    "checkpoint": of("'{r}', 'kept', replace => true"),
    "complete_node": of("'{r}', 'plan', '1', '{{\"v\": 5}}'"),
    "context": of("'{r}', 'search', 5"),
    "define_breaker": of("'api', 2"),
    "define_event_type": of("'note', '{{}}'"),
    "define_workflow": of("'flow', '{{}}'"),
    "diff": of("'{r}', {head} - 1"),
    "digest": of("'{r}'"),
    "drop_run": of("'{r}'"),
    "enter_loop": of("'{r}', 'rounds'", "SELECT layra.exit_loop('{r}', 'rounds')"),
    "events": of("'{r}', {head} - 20, 10"),
    "export_run": of("'{r}'"),
    "exit_loop": of("'{r}', 'rounds'"),
    "explain_run": of("'{r}'"),
    "fail_node": of("'{r}', 'plan', '{{}}'"),
    "finish_run": of("'{r}'"),
    "fork_run": of("'{r}', 'new'"),
    "get_state": of("'{r}'"),
    "get_variable": of("'{r}', 'v', {head} - 5"),
    "get_variables": of("'{r}', '{{v,o}}'"),
    "grant_access": of("'{worker}', 'auditor'", by_owner=True),
    "heads": of("'{worker}'"),
    "hold_run": of("'{r}', 'audit'"),
    "import_lines": of("'public.archive'"),
    "import_run": of("ARRAY(SELECT line FROM public.archive)"),
    "heartbeat": of("'{r}', 'plan', 1, '1 day'"),
    "help": of("'start_run'"),
    "history": of("'{r}', 'o'"),
    "mermaid": of("'{r}'"),
    "next_iteration": of("'{r}', 'rounds'"),
    "off_event": of(f"'note', '{HANDLER}'"),
    "on_event": of(f"'new', '{HANDLER}'"),
    "owns": of("'{worker}'"),
    "pause_run": of("'{r}', 'plan', '{{}}', 'true'"),
    "protect_checkpoint": of("'{r}', 'kept'"),
    "readable_owners": of(""),
    "format_3": of(""),
    "reads_every_run": of(""),
    "reads_run": of("'{r}'"),
    "reads_runs_of": of("'{worker}'"),
    "recover_run": of("'{r}'"),
    "release_run": of("'{r}'", "SELECT layra.hold_run('{r}', 'audit')"),
    "remembered": of(""),
    "remove_validator": of("'flow', 'rule'"),
    "renew_grants": of("", by_owner=True),
    "report": of("'{r}'"),
    "reopen_run": of("'{r}'", "SELECT layra.finish_run('{r}', 'failed')"),
    "reset_breaker": of("'api'"),
    "reset_nodes": of("'{r}', '{{plan,search}}'"),
    "resume_run": of("'{r}', '{asked}', '1', '{{\"v\": 6}}'", ASKED),
    "revoke_access": of("'{worker}', 'auditor'", by_owner=True),
    "rollback": of("'{r}', {head} - 1", "SELECT layra.checkpoint('{r}')"),
    "rollback_to": of("'{r}', 'here'", "SELECT layra.checkpoint('{r}', 'here'), layra.append_event('{r}', 'note')"),
    "save_state": of("'{r}', '{{\"global_variables\": {{\"v\": 7}}}}'"),
    "set_engine": of("'{r}', '{{\"e\": 1}}'"),
    "set_owner": of("'{r}', '{worker}'"),
    "set_retention": of("'{{\"drop\": true}}', 'flow'"),
    "set_variable": of("'{r}', 'v', '8', idempotency_key => 'new'"),
    "set_variables": of("'{r}', '{{\"v\": 9}}', null, 'merge', {head} - 2"),
    "skip_nodes": of("'{r}', '{{end}}'"),
    "stale_runs": of("'1 day'"),
    "start_run": of("'another', 'flow', '{{\"v\": 9}}'"),
    "undone_by": of("'{r}', {head} - 5"),
    "try_set_variables": of("'{r}', '{{\"v\": 10}}', null, 'fail', {head} - 1"),
    "unset_variables": of("'{r}', '{{v}}'"),
    "validate_run": of("'{r}'"),
    "verify": of("'{r}'"),
    "verify_heads": of("jsonb_build_array(jsonb_build_object('run_id', '{r}', 'version', {head}, 'hash', repeat('0', 64)))"),
    "version_at": of("'{r}', pg_catalog.now() - interval '1 hour'"),
    "withdraw_interaction": of("'{r}', '{asked}'", ASKED),
}  # fmt: skip
CALLS = {function: call(function) for function, call in CALLS.items()}
# Views, as people read them: a run of theirs, the last of its history, a page of what is theirs.
VIEWS = {
    "breakers": ["SELECT * FROM layra.breakers"],
    "changes": ["SELECT * FROM layra.changes WHERE run_id = '{r}' ORDER BY version DESC LIMIT 20",
                "SELECT * FROM layra.changes WHERE run_id = '{r}' AND version > {head} - 10"],
    "contexts": ["SELECT * FROM layra.contexts WHERE run_id = '{r}'"],
    "interactions": ["SELECT * FROM layra.interactions WHERE run_id = '{r}' ORDER BY version DESC LIMIT 20",
                     "SELECT * FROM layra.interactions WHERE status = 'pending'"],
    "loops": ["SELECT * FROM layra.loops WHERE run_id = '{r}'"],
    "nodes": ["SELECT * FROM layra.nodes WHERE run_id = '{r}'"],
    "runs": ["SELECT * FROM layra.runs WHERE run_id = '{r}'", "SELECT * FROM layra.runs"],
    "seals": ["SELECT * FROM layra.seals WHERE run_id = '{r}' ORDER BY number DESC LIMIT 20", "SELECT * FROM layra.seals ORDER BY at DESC LIMIT 20"],
    "session_memory": ["SELECT * FROM layra.session_memory"],
    "timeline": ["SELECT * FROM layra.timeline WHERE run_id = '{r}' ORDER BY version DESC LIMIT 20",
                 "SELECT * FROM layra.timeline WHERE run_id = '{r}' AND version > {head} - 10"],
    "variables": ["SELECT * FROM layra.variables WHERE run_id = '{r}'"],
}  # fmt: skip
# Tables that people read, too, with what they have an index for.
TABLES = {
    "run": ["SELECT * FROM layra.run", "SELECT * FROM layra.run WHERE run_id = '{r}'"],
    "event": ["SELECT * FROM layra.event WHERE run_id = '{r}' ORDER BY version DESC LIMIT 20"],
    "cell": ["SELECT * FROM layra.cell WHERE run_id = '{r}' AND scope = 'variable' AND key = 'v' AND ordinal = 0 ORDER BY version DESC LIMIT 1"],
    "checkpoint": ["SELECT * FROM layra.checkpoint WHERE run_id = '{r}' ORDER BY version DESC LIMIT 20"],
    "interaction": ["SELECT * FROM layra.interaction WHERE run_id = '{r}' AND status = 'pending'"],
    "workflow": ["SELECT * FROM layra.workflow"],
    "graph": ["SELECT owner, hash FROM layra.graph"],
    "breaker": ["SELECT * FROM layra.breaker"],
}  # fmt: skip
# A second call of some functions, which costs something else.
ALSO = {
    "append_event with a used key": Call("SELECT layra.append_event('{r}', 'note', idempotency_key => 'used')",
                                         "SELECT layra.append_event('{r}', 'note', idempotency_key => 'used')"),
    "rollback of a rollback": Call("SELECT layra.rollback('{r}', {head} - 1)",
                                   "SELECT layra.append_event('{r}', 'note'), layra.rollback('{r}', {head} - 1)"),
    "get_variables": Call("SELECT layra.get_variables('{r}')"),
    "get_state at": Call("SELECT layra.get_state('{r}', {head} - 5)"),
    "start_run with an old definition": Call("SELECT layra.start_run('another', 'flow', workflow_version => 1)"),
    "verify of all": Call("SELECT layra.verify()"),
    "digest of all": Call("SELECT layra.digest()"),
    "start_run after a drop": Call("SELECT layra.start_run('{r}')", "SELECT layra.drop_run('{r}')"),
}  # fmt: skip
MATRIX = (
    CALLS
    | ALSO
    | {f"{kind} {name} {number}": Call(sql) for kind, table in (("view", VIEWS), ("table", TABLES))
       for name, queries in table.items() for number, sql in enumerate(queries, 1)}
)  # fmt: skip


# --- dimensions --------------------------------------------------------------------------------------------------

# Rows like the newest event of the run, in the versions after it.
EVENTS = """
    INSERT INTO layra.event (run_id, version, type, payload, payload_hash, changed, cells_hash, actor, at, idempotency_key, hash,
        bytes_since_checkpoint, checkpoint_version)
    SELECT e.run_id, e.version + n, {type}, {payload}, e.payload_hash, {changed}, e.cells_hash, e.actor, e.at, {key}, e.hash,
        e.bytes_since_checkpoint, e.checkpoint_version
    FROM (SELECT * FROM layra.event WHERE run_id = '{r}' ORDER BY version DESC LIMIT 1) e, generate_series(1, {n}) n
"""
CELLS = """
    INSERT INTO layra.cell (run_id, scope, key, ordinal, version, revision, value, hash)
    SELECT c.run_id, {scope}, {cell}, {ordinal}, {version}, {revision}, {value}, {hash}
    FROM (SELECT * FROM layra.cell WHERE run_id = '{r}' AND scope = 'variable' AND key = 'v' ORDER BY version DESC LIMIT 1) c,
        generate_series(1, {n}) n
"""
HEAD = "(SELECT max(version) FROM layra.event WHERE run_id = '{r}')"


def events(r, n, type="'note'", payload="'{}'", changed="'{}'", key="NULL"):
    return EVENTS.format(r=r, n=n, type=type, payload=payload, changed=changed, key=key)


def cells(r, n, scope="'variable'", cell="'w' || n", ordinal="0", version="c.version", revision="1", value="c.value", hash="c.hash"):
    return CELLS.format(r=r, n=n, scope=scope, cell=cell, ordinal=ordinal, version=version, revision=revision, value=value, hash=hash)


def versions(admin, r, n):
    admin.execute("SELECT layra.append_events(%s, (SELECT jsonb_agg(jsonb_build_object('type', 'note', 'updates',"
                  " jsonb_build_object('v', n))) FROM generate_series(1, %s::int) n))", [r, n])  # fmt: skip


def live_cells(admin, r, n):
    admin.execute(cells(r, n))


def dead_cells(admin, r, n):
    admin.execute(cells(r, n, value="NULL", hash="NULL"))


def node_cells(admin, r, n):
    """Nodes of its graph, as the one that ran."""
    admin.execute("INSERT INTO layra.cell (run_id, scope, key, ordinal, version, revision, value, hash)"
                  " SELECT run_id, scope, 'n' || n - 1, ordinal, version, 1, value, hash FROM (SELECT * FROM layra.cell"
                  "  WHERE run_id = %s AND scope = 'node' AND key = 'search' ORDER BY version DESC LIMIT 1) c,"
                  " generate_series(1, %s::int) n", [r, n])  # fmt: skip


def context(admin, r, n):
    """As many entries of one node, of which five are left."""
    counter = "(SELECT coalesce(max(ordinal), 0) + 1 FROM layra.cell WHERE run_id = '{r}' AND scope = 'context' AND key = 'search')"
    (first,) = admin.execute(f"SELECT {counter.format(r=r)}").fetchone()
    admin.execute(cells(r, n, scope="'context'", cell="'search'", ordinal=f"{first} + n - 1"))
    admin.execute(cells(r, 1, scope="'context'", cell="'search'", ordinal="-1", version=HEAD.format(r=r) + " + 1", revision="100",
                        value=f"'{{\"live\": 5, \"next\": {first + n}}}'"))  # fmt: skip
    admin.execute(events(r, 1, changed="'{context/search/-1}'"))


def checkpoints(admin, r, n):
    admin.execute(f"INSERT INTO layra.checkpoint (run_id, version, kind, label, protected, created_at)"
                  f" SELECT '{r}', {HEAD.format(r=r)} + n, 'manual', 'label ' || n, n % 2 = 0, now() FROM generate_series(1, {n}) n")  # fmt: skip
    admin.execute(events(r, n, type="'checkpoint.created'"))


QUESTIONS = """
    INSERT INTO layra.interaction (run_id, id, version, node_id, status, prompt, created_at, expires_at, closed_version, response,
        response_hash, answered_by, owner)
    SELECT '{r}', gen_random_uuid(), {head} + {asked}, 'plan', {rest}, (SELECT owner FROM layra.run WHERE run_id = '{r}') FROM generate_series(1, {n}) n
"""


def answered(admin, r, n):
    """A question and its answer each, and no checkpoint that would forbid a rollback."""
    rest = f"'answered', '{{}}', now(), NULL, {HEAD.format(r=r)} + 2 * n, '{{}}', '\\x00', session_user"
    admin.execute(QUESTIONS.format(r=r, head=HEAD.format(r=r), asked="2 * n - 1", rest=rest, n=n))
    admin.execute(events(r, 2 * n, type="CASE n % 2 WHEN 1 THEN 'interaction.requested' ELSE 'interaction.answered' END",
                         payload="jsonb_build_object('interaction', gen_random_uuid(), 'response', 1, 'status', 'running')"))  # fmt: skip


def expired(admin, r, n):
    """Questions that nobody answered."""
    rest = "'pending', '{}', now(), now() - interval '1 hour', NULL, NULL, NULL, NULL"
    admin.execute(QUESTIONS.format(r=r, head=HEAD.format(r=r), asked="n", rest=rest, n=n))
    admin.execute(events(r, n, type="'interaction.requested'"))


def rollbacks(admin, r, n):
    """Each takes one version back."""
    admin.execute(events(r, 2 * n, type="CASE n % 2 WHEN 1 THEN 'note' ELSE 'run.rolled_back' END",
                         payload="jsonb_build_object('to_version', e.version + n - 2, 'status', 'running')"))  # fmt: skip


def keys(admin, r, n):
    admin.execute(events(r, n, key="'key ' || n"))


def earlier_keys(admin, r, n):
    """As a fork had them before version 0.3.0."""
    admin.execute(f"UPDATE layra.run SET parent_version = 0 WHERE run_id = '{r}'")
    admin.execute("INSERT INTO layra.inherited_key SELECT %s, 'key ' || n, 'note' FROM generate_series(1, %s) n", [r, n])


def leases(admin, r, n):
    """Of nodes that somebody works on."""
    admin.execute("INSERT INTO layra.lease SELECT %s, 'leased ' || n, 1, 'w', now() + interval '1 day', true FROM generate_series(1, %s) n", [r, n])


def finishes(admin, r, n):
    admin.execute(events(r, 2 * n, type="CASE n % 2 WHEN 1 THEN 'run.finished' ELSE 'run.reopened' END", payload="'{\"status\": \"failed\"}'"))


RUNS = """
    INSERT INTO layra.run (run_id, status, owner, parent_run_id, parent_version, created_at, finished_at)
    SELECT {name}, '{status}', {owner}, {parent}, {version}, now(), CASE '{status}' WHEN 'completed' THEN now() END FROM generate_series({first}, {last}) n;
    INSERT INTO layra.event (run_id, version, type, payload, payload_hash, changed, cells_hash, actor, at, hash, bytes_since_checkpoint)
    SELECT {name}, 1, 'run.started', '{{}}', '\\x00', '{{}}', '\\x00', session_user, now(), '\\x00', 0
    FROM generate_series({first}, {last}) n
"""


def runs(first, last, name, owner, parent="NULL", version="NULL", status="running"):
    return RUNS.format(first=first, last=last, name=name, owner=owner, parent=parent, version=version, status=status)


def forks(admin, r, n):
    owner = f"(SELECT owner FROM layra.run WHERE run_id = '{r}')"
    admin.execute(runs(1, n, f"'{r} fork ' || n", owner, parent=f"'{r}'", version="2"))


def chain(admin, r, n):
    """The run becomes the last of so many forks of forks."""
    owner = f"(SELECT owner FROM layra.run WHERE run_id = '{r}')"
    admin.execute(runs(1, n, f"'{r} ancestor ' || n", owner, parent=f"CASE WHEN n > 1 THEN '{r} ancestor ' || n - 1 END",
                       version="CASE WHEN n > 1 THEN 1 END"))  # fmt: skip
    admin.execute(f"UPDATE layra.run SET parent_run_id = '{r} ancestor {n}', parent_version = 1 WHERE run_id = '{r}'")


def inherited(admin, r, n):
    """The run comes from one that was dropped, and had so many keys and rollbacks."""
    admin.execute(f"UPDATE layra.run SET parent_version = 0 WHERE run_id = '{r}'")
    admin.execute("WITH source AS (INSERT INTO layra.inheritance VALUES (%s, gen_random_uuid(), %s) RETURNING source)"
                  " INSERT INTO layra.bequeathed_key SELECT source, key, version, 'note', to_version FROM source, ("
                  "  SELECT 'key ' || n, n, NULL::bigint FROM generate_series(1, %s) n"
                  "  UNION ALL SELECT '', n, n - 1 FROM generate_series(2, %s) n UNION ALL SELECT '', 0, NULL) k (key, version, to_version)",
                  [r, n, n, n])  # fmt: skip


SEALS = """
    INSERT INTO layra.seal (run_id, number, what, owner, first_version, last_version, head_hash, events, cells, bytes, at, actor, hash)
    SELECT {name}, n, 'dropped', {owner}, 1, n, '\\x00', n, n, n, now() - n * interval '1 second', 'x', '\\x00' FROM generate_series({first}, {last}) n
"""


def seals(admin, r, n):
    """Of earlier runs of the same id."""
    owner = f"(SELECT owner FROM layra.run WHERE run_id = '{r}')"
    admin.execute(SEALS.format(name=f"'{r}'", owner=owner, first=1, last=n))


def graph(n):
    nodes = DEFINITION["nodes"] + [{"id": f"n{i}", "type": "code"} for i in range(n)]
    edges = DEFINITION["edges"] + [{"source": "end" if i == 0 else f"n{i - 1}", "target": f"n{i}"} for i in range(n)]
    return DEFINITION | {"nodes": nodes, "edges": edges}


def nothing(admin, r, n):
    """It is in the run's workflow."""


def outcomes(admin, worker, first, last):
    admin.execute("INSERT INTO layra.breaker_outcome (owner, name, at, id, outcome, error)"
                  " SELECT %s, 'api', now() - n * interval '1 second', gen_random_uuid(), 'failure', '{}' FROM generate_series(%s::int, %s::int) n",
                  [worker, first, last])  # fmt: skip


def other_runs(admin, worker, first, last):
    """Finished ones, of the same owner, each with a question that was answered."""
    admin.execute(runs(first, last, "'other ' || n", f"'{worker}'", status="completed"))
    admin.execute("INSERT INTO layra.interaction (run_id, id, version, node_id, status, prompt, created_at, closed_version, response, response_hash,"
                  " answered_by, owner) SELECT 'other ' || n, gen_random_uuid(), 1, 'plan', 'answered', '{}', now(), 1, '{}', '\\x00', %s, %s"
                  " FROM generate_series(%s::int, %s::int) n", [worker, worker, first, last])  # fmt: skip


def tenants(admin, worker, first, last):
    """Everything that somebody can have, of as many others."""
    admin.execute(runs(first, last, "'foreign ' || n", "'tenant ' || n"))
    for sql in (
        "INSERT INTO layra.workflow (owner, name, version, definition, hash, created_at)"
        " SELECT 'tenant ' || n, 'flow', 1, '{}', sha256('1'), now() FROM generate_series(%s::int, %s::int) n",
        "INSERT INTO layra.graph (owner, hash) SELECT 'tenant ' || n, sha256('1') FROM generate_series(%s::int, %s::int) n",
        "INSERT INTO layra.breaker (owner, name, failure_threshold, reset_after, probe_lease, created_at)"
        " SELECT 'tenant ' || n, 'api', 1, '1 s', '1 s', now() FROM generate_series(%s::int, %s::int) n",
        "INSERT INTO layra.breaker_outcome (owner, name, at, id, outcome)"
        " SELECT 'tenant ' || n, 'api', now(), gen_random_uuid(), 'failure' FROM generate_series(%s::int, %s::int) n",
        "INSERT INTO layra.interaction (run_id, id, version, node_id, status, prompt, created_at, owner)"
        " SELECT 'foreign ' || n, gen_random_uuid(), 1, 'plan', 'pending', '{}', now(), 'tenant ' || n FROM generate_series(%s::int, %s::int) n",
        "INSERT INTO layra.event_type (owner, type, shared, schema, created_at)"
        " SELECT 'tenant ' || n, 'note', false, '{}', now() FROM generate_series(%s::int, %s::int) n",
        "INSERT INTO layra.checkpoint (run_id, version, kind, created_at)"
        " SELECT 'foreign ' || n, 1, 'manual', now() FROM generate_series(%s::int, %s::int) n",
        "INSERT INTO layra.lease SELECT 'foreign ' || n, 'plan', 1, 'w', now(), true FROM generate_series(%s::int, %s::int) n",
        "INSERT INTO layra.cell (run_id, scope, key, ordinal, version, revision, value, hash)"
        " SELECT 'foreign ' || n, scope, 'plan', 0, 1, 1, '{}', sha256('1')"
        " FROM generate_series(%s::int, %s::int) n, unnest('{variable,engine}'::text[]) scope",
        "INSERT INTO layra.inheritance SELECT 'foreign ' || n, gen_random_uuid(), 1, 1 FROM generate_series(%s::int, %s::int) n",
    ):
        admin.execute(sql, [first, last])
    admin.execute(SEALS.format(name="'foreign ' || n", owner="'tenant ' || n", first=first, last=last))


def owned(admin, worker, first, last):
    """Of everything that somebody can have beside runs."""
    for sql in (
        "INSERT INTO layra.workflow (owner, name, version, definition, hash, created_at)"
        " SELECT %s, 'own ' || n, 1, '{}', sha256('1'), now() FROM generate_series(%s::int, %s::int) n",
        "INSERT INTO layra.graph (owner, hash) SELECT %s, sha256(n::text::bytea) FROM generate_series(%s::int, %s::int) n",
        "INSERT INTO layra.breaker (owner, name, failure_threshold, reset_after, probe_lease, created_at)"
        " SELECT %s, 'own ' || n, 1, '1 s', '1 s', now() FROM generate_series(%s::int, %s::int) n",
        "INSERT INTO layra.breaker_probe (owner, name) SELECT %s, 'own ' || n FROM generate_series(%s::int, %s::int) n",
        "INSERT INTO layra.retention (owner, workflow, policy) SELECT %s, 'own ' || n, '{}' FROM generate_series(%s::int, %s::int) n",
        "INSERT INTO layra.event_type (owner, type, shared, schema, created_at)"
        " SELECT %s, 'own ' || n, false, '{}', now() FROM generate_series(%s::int, %s::int) n",
        "INSERT INTO layra.validator (created_by, workflow, name, function, created_at)"
        " SELECT %s, 'own ' || n, 'rule', 'public.rule(text, jsonb)', now() FROM generate_series(%s::int, %s::int) n",
        f"INSERT INTO layra.handler (created_by, type_pattern, function, created_at)"
        f" SELECT %s, 'own ' || n, '{HANDLER}', now() FROM generate_series(%s::int, %s::int) n",
    ):
        admin.execute(sql, [worker, first, last])


def roles(admin, worker, first, last):
    """Other roles in the server, each a member of another one."""
    admin.execute(f"DO $$ BEGIN FOR n IN {first}..{last} LOOP EXECUTE format('CREATE ROLE growth_%s IN ROLE growth', n); END LOOP; END $$")


def definitions(admin, worker, first, last):
    """Older ones of the same workflow. Their hashes are checked, so they are made as everybody makes them."""
    admin.execute(f"SET ROLE {worker}")
    admin.execute("SELECT layra.define_workflow('flow', definition || jsonb_build_object('n', n))"
                  " FROM layra.workflow w, generate_series(%s::int, %s::int) n WHERE w.name = 'flow' AND w.version = 1", [first, last])  # fmt: skip
    admin.execute("RESET ROLE")


# Of a run: two runs are compared.
OF_A_RUN = {
    "versions": versions, "live cells": live_cells, "dead cells": dead_cells, "nodes that ran": node_cells, "context": context,
    "checkpoints": checkpoints, "answered questions": answered, "expired questions": expired, "rollbacks": rollbacks,
    "finishes": finishes, "keys": keys, "inherited keys": inherited, "earlier keys": earlier_keys, "seals": seals,
    "leases": leases, "forks": forks, "ancestors": chain, "graph": nothing,
}  # fmt: skip
# Of the database or the server: the same calls are compared, before and after.
OF_ALL = {"breaker outcomes": outcomes, "other tenants": tenants, "other runs": other_runs, "roles": roles,
          "definitions": definitions, "what is owned": owned}  # fmt: skip
# Which dimension has many rows of a table.
GROWN = {
    "run": "other runs", "event": "versions", "cell": "live cells", "checkpoint": "checkpoints", "interaction": "answered questions", "lease": "leases",
    "bequeathed_key": "inherited keys", "inheritance": "other tenants", "inherited_key": "earlier keys", "seal": "seals", "workflow": "definitions",
    "graph": "what is owned", "breaker": "what is owned", "breaker_probe": "what is owned", "breaker_outcome": "breaker outcomes",
    "event_type": "what is owned", "retention": "what is owned", "validator": "what is owned", "handler": "what is owned",
    # Each is in the privileges of every function and table: PostgreSQL itself becomes slow first.
    "access": None,
}  # fmt: skip

# --- laws --------------------------------------------------------------------------------------------------------

STATE = "it reads, compares or copies the whole state"
LOG = "it reads the whole log, or removes it"
LIST = "it is a list of them"
WHOLE = {"verify": LOG, "drop_run": LOG, "report": LOG, "export_run": LOG}
PICTURES = {"explain_run": LIST, "mermaid": LIST}
SKIPS = {"view changes 1": "it skips the events that changed nothing, without a look at what they are"}
STATES = WHOLE | {call: STATE for call in (
    "get_state", "cells", "save_state", "fork_run", "validate_run", "recover_run", "resume_run", "view variables 1", "get_variables",
)}  # fmt: skip
# What grows in proportion: {dimension: {calls: why}}.
LAWS: dict[str, dict[str, str]] = {
    "versions": WHOLE,
    "live cells": STATES,
    "dead cells": STATES,
    "nodes that ran": {call: why for call, why in STATES.items() if call not in ("get_variables", "view variables 1")} | {"view nodes 1": LIST} | PICTURES,
    "context": WHOLE,
    "checkpoints": WHOLE | SKIPS,
    "answered questions": WHOLE | PICTURES | SKIPS | {"set_owner": "they get the owner, too"},
    "expired questions": WHOLE | PICTURES | SKIPS | {
        "table interaction 1": LIST, "finish_run": "it withdraws them", "cancel_run": "it withdraws them", "set_owner": "they get the owner, too",
    },
    "rollbacks": WHOLE | SKIPS,
    "finishes": WHOLE | SKIPS,
    "keys": WHOLE | SKIPS,
    "seals": {"export_run": LIST, "verify": LIST, "verify_heads": LIST, "heads": LIST, "report": LIST},
    "inherited keys": {"export_run": LIST, "drop_run": "it removes what nobody inherits any more"},
    "earlier keys": {"export_run": LIST, "drop_run": "it removes them"},
    "leases": WHOLE | {"recover_run": "it locks them, to see what heartbeats have made of them"},
    "forks": {"report": LIST, "drop_run": "they become forks of another run"},
    "ancestors": {"export_run": "it lists the keys of each of them", "set_variable": "a key that is new is looked for in each of them"},
    "graph": {},
    "breaker outcomes": {},
    "other runs": {
        "view runs 2": LIST, "table run 1": LIST, "heads": LIST, "digest of all": LIST, "verify of all": LOG,
    },
    "other tenants": {"verify of all": "it skips the runs of others"},
    "definitions": {"table workflow 1": LIST},
    "what is owned": {"table workflow 1": LIST, "table graph 1": LIST, "table breaker 1": LIST, "view breakers 1": LIST, "verify of all": LOG},
}  # fmt: skip


def law(dimension, name):
    """Why a call may grow with a dimension; None where it must not."""
    function = name.partition(" ")[0]
    laws = LAWS.get(dimension, {})
    return laws.get(name) or laws.get(function)


def bound(dimension, name, small, factor):
    """The most pages at `factor` times as many. Trees are deeper by a level or two, in each of the few descents of a call."""
    return (2 * factor if law(dimension, name) else 2) * small + 60


# --- measuring ---------------------------------------------------------------------------------------------------


class Session:
    """A session of the worker, whom row security stops, and one of a superuser."""

    def __init__(self, connect, worker):
        self.admin, self.worker = connect(), worker
        self.reader = connect(role=worker)

    def pages(self, call, r):
        """Shared pages that a call touches, once its plans are made and the catalogue is read."""
        connection = self.admin if call.by_owner else self.reader
        return min(self.once(connection, call, r) for _ in range(5))

    def once(self, connection, call, r):
        names = {"r": r, "worker": self.worker}

        def newest():
            return connection.execute("SELECT max(version) FROM layra.event WHERE run_id = %s", [r]).fetchone()[0]

        with connection.transaction(force_rollback=True):
            if call.before:
                (names["asked"], *_) = connection.execute(call.before.format(head=newest(), **names)).fetchone()
            sql = call.sql.format(head=newest(), **names)
            (report,) = connection.execute(f"EXPLAIN (ANALYZE, BUFFERS, TIMING OFF, FORMAT JSON) {sql}").fetchone()
            plan = report[0]["Plan"]
            return plan["Shared Hit Blocks"] + plan["Shared Read Blocks"]


@pytest.fixture(scope="module")
def worker(dsn, role):
    """A role with runs of its own, which reads no others."""
    name = role("worker")
    with psycopg.connect(dsn, autocommit=True) as admin:
        admin.execute("CREATE ROLE growth; CREATE FUNCTION public.handle(text, bigint, text, jsonb) RETURNS void LANGUAGE sql AS '';"
                      "CREATE FUNCTION public.rule(text, jsonb) RETURNS SETOF text LANGUAGE sql AS 'SELECT ''x'' WHERE false'")  # fmt: skip
        for level in ("writer", "admin"):
            admin.execute("SELECT layra.grant_access(%s, %s)", [name, level])
        admin.execute(f"SET SESSION AUTHORIZATION {name}")
        admin.execute("SELECT layra.define_workflow('flow', %s)", [json.dumps(DEFINITION)])
        admin.execute("SELECT layra.define_breaker('api', 3, '1 us')")
        admin.execute("SELECT layra.breaker_failure('api')")
        admin.execute("SELECT layra.start_run('elsewhere', 'flow')")
        admin.execute("RESET SESSION AUTHORIZATION")
        admin.execute("CREATE TABLE public.archive AS SELECT layra.export_run('elsewhere') AS line; SELECT layra.drop_run('elsewhere')")
        admin.execute(f"GRANT SELECT ON public.archive TO {name}")
        yield name
        admin.execute(f"DROP OWNED BY {name}")
        for (other,) in admin.execute("SELECT rolname FROM pg_roles WHERE rolname ~ '^growth(_|$)'").fetchall():
            admin.execute(f"DROP ROLE {other}")


@pytest.fixture
def session(connect, worker):
    return Session(connect, worker)


def start(session, r, flow="flow"):
    for statement in BASE.format(r=r, flow=flow).split(";"):
        session.reader.execute(statement)


def compare(dimension, before, after, factor, figures):
    """Every cell of a column of the matrix, and the laws that nothing needs any more."""
    grown = {name: after[name] for name in after if after[name] > bound(dimension, name, before[name], factor)}
    figures(f"{dimension} x {factor}: {sum(before.values())} pages, then {sum(after.values())}")
    assert not grown, {name: (before[name], pages) for name, pages in sorted(grown.items())}


def measured(session, r, calls):
    pages = {}
    for name, call in calls.items():
        pages[name] = session.pages(call, r)
        if pages[name] > 2000:
            # What it wrote and took back is no history: the calls after it must not go through that.
            session.admin.execute("VACUUM layra.interaction")
    return pages


# --- the matrix --------------------------------------------------------------------------------------------------


def test_every_function_view_and_table_is_in_the_matrix(admin):
    functions = {name for (name,) in admin.execute(
        "SELECT proname FROM pg_proc WHERE pronamespace = 'layra'::regnamespace AND 'internal'::regtype <> ALL (proargtypes)"
    )}  # fmt: skip
    views = {name for (name,) in admin.execute("SELECT relname FROM pg_class WHERE relnamespace = 'layra'::regnamespace AND relkind = 'v'")}
    assert functions == set(CALLS) and views == set(VIEWS)
    tables = {name for (name,) in admin.execute("SELECT relname FROM pg_class WHERE relnamespace = 'layra'::regnamespace AND relkind IN ('r', 'p')")}
    assert tables == set(GROWN) and {*GROWN.values()} <= {*OF_A_RUN, *OF_ALL, None}


def test_laws_are_of_what_there_is():
    assert set(LAWS) <= {*OF_A_RUN, *OF_ALL}
    names = {*MATRIX, *(name.partition(" ")[0] for name in MATRIX)}
    assert {name for laws in LAWS.values() for name in laws} <= names


# First, while there is little else.
@pytest.mark.parametrize("dimension", OF_ALL)
def test_of_all(session, figures, dimension):
    r = f"own beside {dimension}"
    start(session, r)
    session.reader.execute("SELECT layra.append_event(%s, 'note') FROM generate_series(1, 30)", [r])
    pages = {}
    there = 0
    for size in (SMALL, LARGE, *filter(None, [HUGE if dimension in ("breaker outcomes", "other runs", "other tenants") else None])):
        OF_ALL[dimension](session.admin, session.worker, there + 1, size)
        session.admin.execute("ANALYZE")
        pages[size], there = measured(session, r, MATRIX), size
    small, *larger = pages
    for size in larger:
        compare(dimension, pages[small], pages[size], size // small, figures)


@pytest.mark.parametrize("dimension", OF_A_RUN)
def test_of_a_run(session, figures, dimension):
    calls = {name: call for name, call in MATRIX.items() if "{r}" in call.sql}
    pages = {}
    for size in (SMALL, LARGE, *filter(None, [HUGE if dimension in ("versions", "keys", "dead cells") else None])):
        r, flow = f"{dimension} {size}", "flow"
        if dimension in ("graph", "nodes that ran"):
            flow = f"{dimension} {size}"
            session.reader.execute("SELECT layra.define_workflow(%s, %s)", [flow, json.dumps(graph(size))])
        start(session, r, flow)
        OF_A_RUN[dimension](session.admin, r, size)
        # What is near the end is the same for all.
        session.reader.execute("SELECT layra.append_event(%s, 'note') FROM generate_series(1, 30)", [r])
        session.admin.execute("ANALYZE")
        pages[size] = measured(session, r, calls)
    small, *larger = pages
    for size in larger:
        compare(dimension, pages[small], pages[size], size // small, figures)


# --- tenants ------------------------------------------------------------------------------------------------------


def test_what_a_tenant_reads_costs_nothing_of_others(session, connect, role, figures):
    """All that somebody sees in each view, by whatever condition, of a run of theirs beside others' of everything."""
    name = role("newcomer")
    session.admin.execute("SELECT layra.grant_access(%s, 'writer')", [name])
    newcomer = Session(connect, name)
    newcomer.reader.execute("SELECT layra.define_workflow('flow', %s), layra.define_breaker('api')", [json.dumps(DEFINITION)])
    start(newcomer, "newcomer run")
    newcomer.reader.execute("SELECT layra.pause_run('newcomer run', 'plan')")
    views = [view for (view,) in session.admin.execute(
        "SELECT relname FROM pg_class WHERE relnamespace = 'layra'::regnamespace AND relkind = 'v' ORDER BY 1"
    )]  # fmt: skip
    reads = {f"view {view}": Call(f"SELECT * FROM layra.{view}") for view in views} | {
        name: Call(f"SELECT * FROM layra.{name}")
        for name in ("interactions WHERE status = 'pending'", "interactions WHERE assignee IS NULL", "interactions ORDER BY created_at LIMIT 5",
                     "timeline WHERE type = 'node.started'", "timeline ORDER BY at DESC LIMIT 5", "runs WHERE status = 'running'",
                     "runs ORDER BY last_activity DESC LIMIT 5", "nodes WHERE status = 'running'", "breakers WHERE state = 'open'",
                     "variables WHERE name = 'v'", "stale_runs('1 us')", "run WHERE status = 'paused'")
    }  # fmt: skip
    pages, there = {}, session.admin.execute("SELECT count(*) FROM layra.run WHERE run_id LIKE 'foreign %'").fetchone()[0]
    for more in (SMALL, LARGE):
        tenants(session.admin, None, there + 1, there + more)
        there += more
        session.admin.execute("ANALYZE")
        pages[more] = measured(newcomer, "newcomer run", reads)
    figures(f"{sum(pages[SMALL].values())} pages, then {sum(pages[LARGE].values())}")
    grown = {name: (pages[SMALL][name], pages[LARGE][name]) for name in reads if pages[LARGE][name] > 1.2 * pages[SMALL][name] + 30}
    assert not grown and max(pages[LARGE].values()) < 500, (grown, pages[LARGE])
    session.admin.execute("SELECT layra.revoke_access(%s)", [name])


# --- grants ------------------------------------------------------------------------------------------------------


def test_a_grant_writes_what_the_role_lacks(admin, role):
    """However many roles there are: their grants stand in the same rows."""

    def written(call):
        """Rows of functions, tables and the schema that a call rewrites."""
        with psycopg.connect(admin.info.dsn) as connection:
            connection.execute(call)
            (rows,) = connection.execute(
                "SELECT sum(pg_stat_get_xact_tuples_updated(t)) FROM unnest('{pg_proc,pg_class,pg_namespace}'::regclass[]) t"
            ).fetchone()
            return int(rows)

    def granted(level):
        return written(f"SELECT layra.grant_access('{role('member')}', '{level}')")

    objects = admin.execute(
        "SELECT (SELECT count(*) FROM pg_proc WHERE pronamespace = 'layra'::regnamespace)"
        " + (SELECT count(*) FROM pg_class WHERE relnamespace = 'layra'::regnamespace AND relkind IN ('r', 'v')) + 1"
    ).fetchone()[0]  # fmt: skip
    counts = {level: {granted(level) for _ in range(20)} for level in ("writer", "auditor")}
    assert all(len(count) == 1 and 0 < max(count) <= objects for count in counts.values()), (counts, objects)
    # A level that gives a role nothing new writes nothing, and what was taken away is given again.
    (member,) = admin.execute("SELECT role FROM layra.access WHERE role LIKE 'member%' AND level = 'writer' LIMIT 1").fetchone()
    assert written(f"SELECT layra.grant_access('{member}', 'admin')") == 0
    assert written("SELECT layra.renew_grants()") == 0
    admin.execute(f"REVOKE EXECUTE ON FUNCTION layra.owns(text) FROM {member}; GRANT INSERT ON layra.run TO {member}")
    assert written("SELECT layra.renew_grants()") == 2
    assert written("SELECT layra.renew_grants()") == 0
    for (member,) in admin.execute("SELECT DISTINCT role FROM layra.access WHERE role LIKE 'member%'").fetchall():
        admin.execute("SELECT layra.revoke_access(%s)", [member])


# --- forks -------------------------------------------------------------------------------------------------------


def test_a_drop_leaves_its_keys_once(session):
    """To a hundred forks as to one, but for their own rows."""

    def kept():
        return session.admin.execute("SELECT count(*) FROM layra.bequeathed_key").fetchone()[0]

    pages, there = {}, kept()
    for forks in (1, 100):
        r = f"parent of {forks}"
        start(session, r)
        session.reader.execute("SELECT layra.append_event(%s, 'note', idempotency_key => 'key ' || n) FROM generate_series(1, 2000) n", [r])
        session.reader.execute("SELECT layra.fork_run(%s, %s || n) FROM generate_series(1, %s) n", [r, f"{r}: ", forks])
        pages[forks] = session.pages(CALLS["drop_run"], r)
        session.reader.execute("SELECT layra.drop_run(%s)", [r])
        head = session.reader.execute("SELECT layra.append_event(%s, 'note', idempotency_key => 'key 7')", [f"{r}: {forks}"])
        assert head.fetchone() == (1,)
        assert kept() == there + 2002
        session.reader.execute("SELECT layra.drop_run(run_id) FROM layra.run WHERE run_id LIKE %s", [f"{r}: %"])
        assert kept() == there
    assert pages[100] < pages[1] + 100 * 64, pages
