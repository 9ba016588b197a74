"""What the extension's own statements cost, told by their plans and by the blocks they touch, never by a clock.

Cached plans are made once and serve for the life of a session: one that was made while a table was empty must still be
an index plan when the table is large.
"""

import json
import re
from collections import defaultdict
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
import ways

STORE = Path(__file__).parents[2] / "src/store"
NAME = re.compile(r"/\* layra\.(\w+) \*/")


# For the schema of the release before.
OF_BEFORE = {"inherit_keys", "inherit_inherited_keys"}


def declared():
    """The names of all statements that the extension keeps a plan of, in the schema of its own release."""
    sources = [file.read_text(encoding="utf-8") for file in STORE.rglob("*.rs")]
    return {name for source in sources for name in NAME.findall(source)} - OF_BEFORE


# --- seeing plans ----------------------------------------------------------------------------------------------


class Plans:
    """A session in which every statement executed, nested ones too, reports its plan."""

    def __init__(self, connection):
        self.connection = connection
        self.seen = []
        connection.execute("LOAD 'auto_explain'")
        connection.execute(
            "SET auto_explain.log_min_duration = 0; SET auto_explain.log_nested_statements = on;"
            "SET auto_explain.log_level = notice; SET auto_explain.log_format = json;"
            "SET auto_explain.log_verbose = on; SET client_min_messages = notice"
        )
        connection.add_notice_handler(self.notice)

    def notice(self, diagnostic):
        message = diagnostic.message_primary
        if message.startswith("duration:"):
            report = json.loads(message[message.index("{") :])
            named = NAME.match(report["Query Text"])
            self.seen.append((named and named[1], report["Query Text"], report["Plan"]))

    @contextmanager
    def of(self):
        """The statements of the extension that the block executes."""
        self.seen.clear()
        statements = []
        yield statements
        statements += [name for name, _, _ in self.seen if name]


def nodes(plan):
    yield plan
    for child in plan.get("Plans", []):
        yield from nodes(child)


def tables_below(plan):
    return {node["Relation Name"] for node in nodes(plan) if node.get("Schema") == "layra" and "Relation Name" in node}


def faults(plan):
    """What makes a plan's cost grow with the tables."""
    for node in nodes(plan):
        kind, table = node["Node Type"], node.get("Relation Name")
        if table and node["Schema"] == "layra":
            if kind == "Seq Scan" or kind.startswith("Bitmap"):
                yield f"{kind} on {table}"
            elif kind.startswith("Index") and "Index Cond" not in node:
                yield f"{kind} over the whole of {node['Index Name']}"
            elif table in ("event", "cell", "checkpoint", "lease") and "run_id" not in node.get("Index Cond", "run_id"):
                yield f"{kind} on {table} without its run: {node['Index Cond']}"
        if "Sort" in kind and tables_below(node):
            yield f"{kind} over {', '.join(sorted(tables_below(node)))}"


def allowed(name, fault):
    """verify() of everything, and the search for stale runs among all that run, go along an index from end to end. What a report
    counts instead of showing it, it counts by type."""
    if name == "types_of_events":
        return fault == "Sort over event"
    return name in ("rows_without_run", "all_runs", "stale_runs", "verify_workflows", "all_owners") and "over the whole of" in fault


# --- a call of every function ----------------------------------------------------------------------------------

DEFINITION = json.dumps({
    "nodes": [{"id": "a", "type": "code"}, {"id": "b", "type": "code"}],
    "edges": [{"source": "a", "target": "b"}],
    "variables": {"v": {"schema": {"type": ["integer", "object", "null"]}, "default": 0}},
})  # fmt: skip
STATE = json.dumps({
    "global_variables": {"v": 1, "w": {"x": 1}}, "execution_status": {"a": True, "b": None}, "loop_index": {"l": 1},
    "context": {"a": [1, 2, 3], "b": []}, "execution_stack": ["b"], "nodes": [{"id": "a"}], "edges": [],
})  # fmt: skip
NEXT_STATE = json.dumps({
    "global_variables": {"v": 2}, "execution_status": {"a": True, "b": True}, "loop_index": {"l": 2},
    "context": {"a": [2, 3, 4], "b": ["x"]}, "execution_stack": [],
})  # fmt: skip

# In order; `{r}` is the run, a new one for each time the list is performed.
WORKLOAD = [
    "define_workflow('mine', %(definition)s::jsonb)",
    "define_workflow('mine', %(definition)s::jsonb)",
    "define_workflow('shared {r}', %(definition)s::jsonb)",
    "define_workflow('shared {r}', %(definition)s::jsonb, shared => true)",
    "start_run('{r}', 'mine', '{{\"w\": 1}}')",
    "start_run('{r} of shared', 'common', idempotency_key => 'k')",
    "start_run('{r} of shared', 'common', idempotency_key => 'k')",
    "start_run('{r} of shared version', 'common', workflow_version => 1)",
    "append_events('{r} of shared', %(long)s::jsonb)",
    "diff('{r} of shared', 1)",
    "rollback('{r} of shared', 1)",
    "start_run('{r} version', 'mine', workflow_version => 1)",
    "set_variables('{r}', '{{\"v\": 1, \"w\": {{\"x\": 1}}}}', '{{\"v\": 1}}')",
    "set_variables('{r}', '{{\"w\": {{\"x\": 1, \"y\": 2}}}}', idempotency_key => 'first')",
    "set_variables('{r}', '{{\"w\": {{\"x\": 1, \"y\": 2}}}}', idempotency_key => 'first')",
    "set_variables('{r}', '{{\"w\": {{\"x\": 2}}}}', on_conflict => 'merge', expected_version => 2)",
    "set_variables('{r}', '{{\"v\": 2}}', on_conflict => 'overwrite', expected_version => 2)",
    "try_set_variables('{r}', '{{\"w\": {{\"x\": 3}}}}', on_conflict => 'merge', expected_version => 2)",
    "try_set_variables('{r}', '{{\"v\": 1}}', expected_version => 1)",
    "set_variable('{r}', 'v', '1')",
    "set_variable('{r}', 'v', '2', expected_version => 6)",
    "unset_variables('{r}', '{{w,unknown}}')",
    "save_state('{r}', %(state)s::jsonb)",
    "save_state('{r} saved', %(state)s::jsonb, idempotency_key => 'k')",
    "save_state('{r} saved', %(state)s::jsonb, idempotency_key => 'k')",
    "append_event('{r}', 'note', '{{\"a\": 1}}', '{{\"v\": 3}}')",
    "append_event('{r}', 'note')",
    "append_events('{r}', '[{{\"type\": \"a\"}}, {{\"type\": \"b\", \"updates\": {{\"v\": 4, \"u\": 1}}}}]')",
    "checkpoint('{r}', 'label')",
    "checkpoint('{r}')",
    "protect_checkpoint('{r}', 'label')",
    "protect_checkpoint('{r}', 'label', false)",
    "checkpoint('{r}', 'label', replace => true)",
    "save_state('{r}', %(next)s::jsonb)",
    "rollback('{r}', 10, idempotency_key => 'back')",
    "set_variables('{r}', '{{\"v\": 5}}', idempotency_key => 'first')",
    "rollback_to('{r}', 'label')",
    "fork_run('{r}', '{r} fork', 12, idempotency_key => 'fork')",
    "fork_run('{r} fork', '{r} fork of fork')",
    "set_variables('{r} fork', '{{\"v\": 5}}', idempotency_key => 'first')",
    "set_variables('{r} fork of fork', '{{\"v\": 5}}', idempotency_key => 'first')",
    "set_owner('{r} saved', session_user)",
    "cancel_run('{r} saved', 'enough')",
    "finish_run('{r} saved', 'cancelled', '{{}}')",
    "reopen_run('{r} saved')",
    "get_variable('{r}', 'v')",
    "get_variable('{r}', 'v', 3)",
    "get_variables('{r}')",
    "get_variables('{r}', '{{v,w}}')",
    "get_variables('{r}', '{{v,w}}', 3)",
    "get_variables('{r}', at_version => 3)",
    "get_state('{r}')",
    "get_state('{r}', 10)",
    "get_state('{r} of shared')",
    "events('{r}')",
    "events('{r}', 3, 5, '{{note}}')",
    "history('{r}', 'v')",
    "history('{r}', 'a', 'context')",
    "diff('{r}', 2)",
    "diff('{r}', 12, 2)",
    "version_at('{r}', now())",
    "version_at('{r}', '2000-01-01')",
    "digest('{r}')",
    "report('{r}')",
    "changed_cells('{r}', 2)",
    "undone_by('{r}', 2)",
    "explain_run('{r}')",
    "mermaid('{r}')",
    "export_run('{r}')",
    "export_run('{r} fork')",
    "export_run('{r} of shared')",
    "verify('{r}')",
    "verify()",
    "set_retention('{{\"drop\": true}}')",
    "set_retention('{{\"drop\": true}}', 'flow')",
    "set_retention(NULL, 'flow')",
    "hold_run('{r}', 'audit')",
    "release_run('{r}', 'over')",
    "drop_run('{r}', 'no use')",
    "start_run('{r}')",
    "heads()",
    "heads(session_user::text)",
    "digest()",
    "verify_heads((SELECT jsonb_agg(h) FROM layra.heads() h))",
    "verify('{r}')",
    "export_run('{r}')",
    "drop_run('{r}')",
    "set_variables('{r} fork', '{{\"v\": 5}}', idempotency_key => 'first')",
    "export_run('{r} fork')",
    "fork_run('{r} fork', '{r} fork again')",
    "drop_run('{r} fork')",
    "drop_run('{r} fork again')",
    "drop_run('{r} fork of fork')",
]
# The execution state, on a run of a workflow with a loop, a rule and a handler.
LOOPING = json.dumps({
    "nodes": [{"id": "start", "type": "code"}, {"id": "l", "type": "loop", "data": {"maxCount": 3}},
              {"id": "a", "type": "code"}, {"id": "end", "type": "code"}],
    "edges": [{"source": "start", "target": "l"}, {"source": "l", "target": "a", "sourceHandle": "loop_body"},
              {"source": "a", "target": "l", "sourceHandle": "loop_next"}, {"source": "l", "target": "end"}],
    "policy": {"checkpoint": {"milestones": ["code"], "bytes": 1000, "every": "1 hour"}},
})  # fmt: skip
EXECUTION = [
    "define_workflow('looping', %(looping)s::jsonb)",
    "define_event_type('note', '{{\"type\": \"object\"}}')",
    "define_event_type('shared note', 'true', shared => true)",
    "add_validator('looping', 'rule', 'public.rule(text, jsonb)')",
    "on_event('note', 'public.handle(text, bigint, text, jsonb)')",
    "start_run('{r} e', 'looping')",
    "begin_node('{r} e', 'start', 'w', '1 hour')",
    "begin_node('{r} e', 'start', 'w', '1 hour')",
    "heartbeat('{r} e', 'start', 2, '1 hour')",
    "complete_node('{r} e', 'start', '{{\"x\": 1}}', '{{\"v\": 2}}')",
    "begin_node('{r} e', 'start')",
    "begin_node('{r} e', 'end')",
    "fail_node('{r} e', 'end', '{{\"why\": 1}}')",
    "enter_loop('{r} e', 'l')",
    "next_iteration('{r} e', 'l')",
    "begin_node('{r} e', 'a')",
    "complete_node('{r} e', 'a', '1')",
    "next_iteration('{r} e', 'l', 0)",
    "exit_loop('{r} e', 'l')",
    "skip_nodes('{r} e', '{{end}}')",
    "reset_nodes('{r} e', '{{start}}')",
    "set_engine('{r} e', '{{\"execution_stack\": [1]}}')",
    "context('{r} e')",
    "context('{r} e', 'a', 1)",
    "append_event('{r} e', 'note')",
    "begin_node('{r} e', 'start', 'w', '1 microsecond')",
    "recover_run('{r} e', dry_run => true)",
    "recover_run('{r} e')",
    "validate_run('{r} e')",
    "validate_run('{r} e', 3)",
    "stale_runs('1 hour')",
    "pause_run('{r} e', 'a', idempotency_key => 'question')",
    "pause_run('{r} e', 'a', idempotency_key => 'question')",
    "resume_run('{r} e', %(interaction)s, '{{\"yes\": true}}', '{{\"v\": 3}}')",
    "resume_run('{r} e', %(interaction)s, '{{\"yes\": true}}', '{{\"v\": 3}}')",
    "pause_run('{r} e', 'a', expires_in => '1 hour')",
    "withdraw_interaction('{r} e', %(interaction)s)",
    "pause_run('{r} e', 'a')",
    "verify('{r} e')",
    "fork_run('{r} e', '{r} e fork')",
    "rollback('{r} e fork', 1)",
    "cancel_run('{r} e')",
    "verify('{r} e')",
    # A question that a rollback brings back, an answer that counts beside another one, and a state that is broken.
    "start_run('{r} q', 'looping')",
    "pause_run('{r} q', 'a')",
    "resume_run('{r} q', %(interaction)s)",
    "rollback('{r} q', 2)",
    # To the answer that this undid, and back.
    "rollback('{r} q', 3)",
    "rollback('{r} q', 2)",
    "pause_run('{r} q', 'a')",
    "resume_run('{r} q', %(earlier)s, updates => '{{\"v\": 1}}')",
    "set_variable('{r} q', 'v', '2')",
    "rollback('{r} q', 8)",
    "resume_run('{r} q', %(interaction)s)",
    "set_engine('{r} q', '{{\"execution_stack\": [\"gone\"]}}')",
    "recover_run('{r} q')",
    # To a question that was withdrawn with all others, and is not now.
    "start_run('{r} w')",
    "pause_run('{r} w', 'a')",
    "cancel_run('{r} w')",
    "rollback('{r} w', 2)",
    "rollback('{r} w', 3)",
    "define_breaker('b', 1, '1 microsecond', '1 microsecond')",
    "breaker_try('b')",
    "breaker_failure('b', '{{\"why\": 1}}')",
    "breaker_state(session_user::text, 'b')",
    "breaker_try('b')",
    "breaker_success('b')",
    "reset_breaker('b')",
    "breaker_state(session_user::text, 'b')",
    "off_event('note', 'public.handle(text, bigint, text, jsonb)')",
    "remove_validator('looping', 'rule')",
    "export_run('{r} e')",
    "drop_run('{r} e')",
    "import_run(%(lines)s::jsonb[])",
    "verify('{r} e fork')",
    "export_run('{r} e fork')",
    "drop_run('{r} e fork')",
    "import_run(%(lines)s::jsonb[])",
    "drop_run('{r} e fork')",
    "drop_run('{r} e')",
    "import_run(%(lines)s::jsonb[])",
    "verify('{r} e fork')",
    "drop_run('{r} e fork')",
]

ABOVE_READ_COMMITTED = [
    "start_run('{r} strict')",
    "append_event('{r} strict', 'note')",
    "append_events('{r} strict', '[{{\"type\": \"a\"}}, {{\"type\": \"b\"}}]')",
    "save_state('{r} strict', %(state)s::jsonb)",
    "try_set_variables('{r} strict', '{{\"v\": 1}}')",
    "set_variable('{r} strict', 'large', %(large)s::jsonb)",
    "set_variable('{r} strict', 'large', %(large)s::jsonb || '[1]')",
    "fork_run('{r} strict', '{r} strict fork')",
    "drop_run('{r} strict')",
]

LONG_PAST = """
    WITH head AS (SELECT * FROM layra.event WHERE run_id = %(run_id)s ORDER BY version DESC LIMIT 1),
        planted AS (SELECT * FROM layra.cell WHERE run_id = %(run_id)s AND scope = 'variable' AND key = 'planted'),
        cells AS (INSERT INTO layra.cell (run_id, scope, key, ordinal, version, revision, value, hash)
            SELECT c.run_id, c.scope, c.key, c.ordinal, h.version + n, c.revision + n, c.value, c.hash FROM planted c, head h, generate_series(1, 12001) n)
    INSERT INTO layra.event (run_id, version, type, payload, payload_hash, changed, cells_hash, actor, at, hash, bytes_since_checkpoint)
    SELECT h.run_id, h.version + n, 'note', '{}', h.payload_hash, '{}', h.cells_hash, h.actor, h.at, h.hash, 0 FROM head h, generate_series(1, 12001) n
"""

# So many events on so few cells that the cells are the shorter way.
LONG = json.dumps([{"type": "note", "updates": {"v": number}} for number in range(200)])
LARGE = json.dumps([f"{number:500}" for number in range(20)])
ARGUMENTS = {"definition": DEFINITION, "looping": LOOPING, "state": STATE, "next": NEXT_STATE, "long": LONG, "large": LARGE}


def perform(connection, run_id, workload=WORKLOAD):
    arguments = dict(ARGUMENTS)
    for sql in workload:
        rows = connection.execute(f"SELECT * FROM layra.{sql.format(r=run_id)}", arguments).fetchall()
        if sql.startswith("export_run"):
            lines = connection.execute(f"SELECT line::text FROM layra.{sql.format(r=run_id)} line").fetchall()
            arguments["lines"] = [line for (line,) in lines]
        if sql.startswith("pause_run"):
            arguments |= {"interaction": rows[0][0], "earlier": arguments.get("interaction")}


def perform_all(connection, run_id, sound=True):
    """For a session that acts as a worker and can be a superuser again; `share` was called before."""
    perform(connection, run_id)
    perform(connection, run_id, EXECUTION)
    connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
    with connection.transaction():
        perform(connection, run_id, ABOVE_READ_COMMITTED)
    connection.isolation_level = None
    # Who has no breaker of that name may use somebody else's.
    with pytest.raises(psycopg.errors.NoDataFound):
        connection.execute("SELECT layra.breaker_try('of nobody')")
    # Which questions a paused run waits for.
    connection.execute("SELECT layra.start_run(%s), layra.pause_run(%s, 'a')", [f"{run_id} asks"] * 2)
    with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState):
        connection.execute("SELECT layra.begin_node(%s, 'b')", [f"{run_id} asks"])
    # What verify only does for those who read everything, and where a cell is named by no event.
    with connection.transaction(force_rollback=True):
        connection.execute("RESET SESSION AUTHORIZATION")
        assert (connection.execute("SELECT * FROM layra.verify()").fetchall() == []) == sound
        connection.execute("SELECT layra.readable_owners(), layra.heads(), layra.stale_runs('1 hour'), layra.breaker_try('b')")
        connection.execute(
            "INSERT INTO layra.cell (run_id, scope, key, ordinal, version, revision, value, hash)"
            " SELECT run_id, scope, 'planted', ordinal, version, revision, value, hash FROM layra.cell"
            " WHERE run_id = %s AND scope = 'variable' LIMIT 1",
            [f"{run_id} saved"],
        )
        assert connection.execute("SELECT * FROM layra.verify(%s)", [f"{run_id} saved"]).fetchall()
        # What a report has of a run that is too long to be shown.
        connection.execute(LONG_PAST, {"run_id": f"{run_id} saved"})
        assert "are not shown" in connection.execute("SELECT layra.report(%s)", [f"{run_id} saved"]).fetchone()[0]


def tables(connection):
    names = connection.execute("SELECT relname FROM pg_class WHERE relnamespace = 'layra'::regnamespace AND relkind = 'r'")
    return [name for (name,) in names]


def analyze(connection):
    for table in tables(connection):
        connection.execute(f"ANALYZE layra.{table}")


def fill_with_other_runs(connection):
    """300 runs with 340 events and about 680 cell rows each."""
    connection.execute("SELECT layra.start_run('other ' || n, variables => '{\"v\": 0}') FROM generate_series(1, 300) n")
    batch = json.dumps([{"type": "note", "updates": {"v": number, f"w{number % 50}": number}} for number in range(340)])
    connection.execute("SELECT layra.append_events('other ' || n, %s::jsonb) FROM generate_series(1, 300) n", [batch])
    connection.execute("SELECT layra.checkpoint('other ' || n, 'label') FROM generate_series(1, 300) n")
    connection.execute("SELECT layra.fork_run('other ' || n, 'fork ' || n) FROM generate_series(1, 100) n")
    connection.execute("SELECT layra.start_run('gone ' || n), layra.drop_run('gone ' || n) FROM generate_series(1, 500) n")
    connection.execute("SELECT layra.define_workflow('flow ' || n, jsonb_build_object('n', n)) FROM generate_series(1, 500) n")
    connection.execute(
        "SELECT layra.save_state('saved ' || n, jsonb_build_object('nodes', jsonb_build_array(n)))"
        " FROM generate_series(1, 200) n"
    )


@pytest.fixture
def fresh(create_database, connect):
    """A superuser's session in a database of its own, all of whose tables ANALYZE saw empty."""
    connection = connect(create_database())
    connection.execute("CREATE EXTENSION layra_state")
    analyze(connection)
    return connection


def share(connection):
    """What others made: a shared workflow, a handler and a rule."""
    connection.execute("SELECT layra.define_workflow('common', %s, shared => true)", [DEFINITION])
    connection.execute(
        "CREATE OR REPLACE FUNCTION public.handle(text, bigint, text, jsonb) RETURNS void LANGUAGE sql AS '';"
        "CREATE OR REPLACE FUNCTION public.rule(text, jsonb) RETURNS SETOF text LANGUAGE sql AS 'SELECT ''x'' WHERE false'"
    )


@pytest.fixture
def worker_name(fresh, role):
    """An ordinary role with every level in the fresh database."""
    name = role("worker")
    for level in ("writer", "admin"):
        fresh.execute("SELECT layra.grant_access(%s, %s)", [name, level])
    yield name
    fresh.execute(f"DROP OWNED BY {name}")


@pytest.fixture
def worker(fresh, worker_name, connect):
    """Makes a new session in the fresh database: a superuser's, so that it can see plans, that acts as the worker."""

    def start():
        connection = connect(fresh.info.dsn)
        plans = Plans(connection)
        connection.execute(f"SET SESSION AUTHORIZATION {worker_name}")
        return plans

    return start


def sizes(connection):
    return {
        table: connection.execute(f"SELECT count(*) FROM layra.{table}").fetchone()[0] for table in ("run", "event", "cell")
    }


def shape(plan):
    """What a plan does, without what it is thought to cost."""
    does = [plan.get(key) for key in (
        "Node Type", "Operation", "Join Type", "Relation Name", "Index Name", "Scan Direction", "Index Cond", "Filter", "Join Filter", "Hash Cond",
        "Merge Cond", "Sort Key", "Recheck Cond", "Parent Relationship",
    )]  # fmt: skip
    return json.dumps([does, [shape(child) for child in plan.get("Plans", [])]])


# One run with 2,000 of what a table may hold of it, and one owner with as many of what an owner has.
FULL = """
    SELECT layra.start_run('full');
    INSERT INTO layra.event (run_id, version, type, payload, payload_hash, changed, cells_hash, actor, at, idempotency_key, hash, bytes_since_checkpoint)
    SELECT 'full', n + 1, (ARRAY['run.finished', 'run.reopened', 'run.cancelling', 'run.rolled_back', 'interaction.answered'])[1 + n % 5], '{}', '\\x00',
        '{}', '\\x00', 'x', now(), 'k', '\\x00', 0 FROM generate_series(1, 2000) n;
    INSERT INTO layra.checkpoint (run_id, version, kind, label, protected, created_at)
    SELECT 'full', n, 'manual', 'label ' || n, true, now() FROM generate_series(1, 2000) n;
    INSERT INTO layra.interaction (run_id, id, version, node_id, status, prompt, created_at, expires_at, owner)
    SELECT 'full', gen_random_uuid(), n, 'a', 'pending', '{}', now(), now(), session_user FROM generate_series(1, 2000) n;
    INSERT INTO layra.lease SELECT 'full', 'n' || n, 1, 'w', now(), true FROM generate_series(1, 2000) n;
    INSERT INTO layra.run (run_id, status, owner, parent_run_id, parent_version, created_at)
    SELECT 'fork of full ' || n, 'paused', 'somebody', 'full', 1, now() FROM generate_series(1, 2000) n;
    INSERT INTO layra.workflow (owner, name, version, shared, definition, hash, created_at)
    SELECT 'somebody', 'theirs', n, true, '{}', sha256(n::text::bytea), now() FROM generate_series(1, 2000) n;
    INSERT INTO layra.breaker (owner, name, failure_threshold, reset_after, probe_lease, created_at)
    SELECT 'tenant ' || n, 'b', 1, '1 s', '1 s', now() FROM generate_series(1, 2000) n;
    INSERT INTO layra.breaker_outcome (owner, name, at, id, outcome)
    SELECT 'somebody', 'b', now() + n * interval '1 s', gen_random_uuid(), 'success' FROM generate_series(1, 2000) n;
    INSERT INTO layra.seal (run_id, number, what, owner, first_version, last_version, head_hash, events, cells, bytes, at, actor, hash)
    SELECT 'full', n, 'dropped', 'somebody', 1, 1, '\\x00', 1, 0, 2, now(), 'x', '\\x00' FROM generate_series(1, 2000) n;
    INSERT INTO layra.retention (owner, workflow, policy) SELECT 'somebody', 'flow ' || n, '{}' FROM generate_series(1, 2000) n;
    INSERT INTO layra.event_type (owner, type, shared, schema, created_at) SELECT 'tenant ' || n, 'note', n = 1, '{}', now() FROM generate_series(1, 2000) n;
    INSERT INTO layra.inheritance (run_id, source, version) SELECT 'fork of full ' || n, md5('x')::uuid, 1 FROM generate_series(1, 2000) n;
"""


def test_every_statement_has_an_index_plan_and_always_the_same(fresh, worker):
    """The plans are made while the tables hold this, and kept whatever becomes of them."""
    shapes, wrong = defaultdict(dict), set()

    def plan_all(contents, repeat=1, sound=True):
        share(fresh)
        plans = worker()
        with ways.statements(fresh):
            for number in range(repeat):
                perform_all(plans.connection, f"{contents} {number}", sound)
        perform_all(plans.connection, f"{contents} on the fast path", sound)
        for name, _, plan in plans.seen:
            if name:
                shapes[name].setdefault(shape(plan), contents)
                wrong.update(f"{contents}: {name}: {fault}" for fault in faults(plan) if not allowed(name, fault))

    plan_all("nothing")
    # As tables that were never analyzed.
    fresh.execute("TRUNCATE " + ", ".join(f"layra.{table}" for table in tables(fresh) if table != "access"))
    plan_all("never analyzed")
    analyze(fresh)
    plan_all("few rows", 2)
    fill_with_other_runs(fresh)
    analyze(fresh)
    plan_all("many runs")
    fresh.execute(FULL)
    analyze(fresh)
    plan_all("one run with many rows", sound=False)
    assert not wrong, "\n".join(sorted(wrong))
    # Those that give a row the time at which a wait for another transaction was over: tests/reliability/test_waits.py has them.
    waits = {name for name in declared() if name.startswith("stamp_") or name == "delete_run"}
    # What finds the column of a caller's table, as the caller, keeps no plan.
    waits.add("lines_query")
    assert shapes.keys() == declared() - waits, "not all statements are reached"
    differ = {name: found for name, found in shapes.items() if len(found) > 1}
    assert not differ, "\n".join(f"{name}, {contents}: {plan}" for name, found in differ.items() for plan, contents in found.items())


def test_nothing_but_named_statements_reads_the_tables(fresh, worker):
    """A statement that is put together on the way, without a name and a cached plan, would show up here."""
    share(fresh)
    plans = worker()
    perform(plans.connection, "named")
    perform(plans.connection, "named", EXECUTION)
    assert len(plans.seen) > 100
    for name, query, plan in plans.seen:
        assert name or not tables_below(plan), query


def test_faults_are_recognised(fresh):
    """The check itself: these plans are what it is there to find."""
    found = set()
    for off, sql in (
        ("", "SELECT count(*) FROM layra.event WHERE type = 'x'"),
        ("enable_indexscan enable_indexonlyscan enable_seqscan", "SELECT * FROM layra.event WHERE run_id = 'x'"),
        ("enable_seqscan enable_bitmapscan", "SELECT count(*) FROM layra.event WHERE version = 1"),
        ("enable_seqscan enable_bitmapscan", "SELECT count(*) FROM layra.event WHERE idempotency_key IS NOT NULL"),
        ("enable_hashagg", "SELECT type, count(*) FROM layra.event GROUP BY type ORDER BY type"),
    ):
        with fresh.transaction():
            for setting in off.split():
                fresh.execute(f"SET LOCAL {setting} = off")
            (row,) = fresh.execute(f"EXPLAIN (VERBOSE, FORMAT JSON) {sql}").fetchone()
        found |= set(faults(row[0]["Plan"]))
    for fault in ("Seq Scan on event", "Bitmap Heap Scan on event", "Scan on event without its run", "Sort over event",
                  "Scan over the whole of event_"):  # fmt: skip
        assert any(fault in one for one in found), (fault, found)


# --- how many statements ---------------------------------------------------------------------------------------

AT_MOST_FIVE = [
    "set_variable('{r}', 'v1', '1')",
    "set_variable('{r}', 'v1', '2', expected_version => 3, idempotency_key => 'a')",
    "set_variables('{r}', %(many)s::jsonb, idempotency_key => 'b')",
    "set_variables('{r}', %(more)s::jsonb, '{{\"v1\": 5}}', 'merge', 5)",
    "set_variables('{r}', %(many)s::jsonb, on_conflict => 'overwrite', expected_version => 5)",
    "try_set_variables('{r}', %(more)s::jsonb, idempotency_key => 'c')",
    "unset_variables('{r}', '{{v1,v2,v3,v4,v5,v6,v7,v8,v9}}', idempotency_key => 'd')",
    "append_event('{r}', 'note', '{{}}', %(many)s::jsonb, idempotency_key => 'e')",
    "append_events('{r}', %(batch)s::jsonb, idempotency_key => 'f')",
    "save_state('{r}', %(state)s::jsonb, idempotency_key => 'g')",
    "save_state('{r}', %(next)s::jsonb, idempotency_key => 'h')",
    "save_state('{r}', %(state)s::jsonb)",
    "checkpoint('{r}', 'label', idempotency_key => 'i')",
    "protect_checkpoint('{r}', 'label', false, idempotency_key => 'j')",
    "cancel_run('{r}', idempotency_key => 'k')",
    "finish_run('{r}', 'failed', idempotency_key => 'l')",
    "reopen_run('{r}', idempotency_key => 'm')",
]


def statements_of_writes(plans):
    """Each call of AT_MOST_FIVE, with the statements that it took."""
    many = {f"v{number}": number for number in range(200)}
    arguments = {
        "many": json.dumps(many),
        "more": json.dumps({name: value + 1 for name, value in many.items()}),
        "batch": json.dumps([{"type": "t", "updates": {name: -1}} for name in many]),
        "state": json.dumps(json.loads(STATE) | {"global_variables": many, "context": {"n": list(range(100))}}),
        "next": json.dumps({"global_variables": {"v1": 7}, "context": {"n": list(range(1, 102))}}),
    }
    connection = plans.connection
    connection.execute("SELECT layra.start_run('counted')")
    # A graph that was never seen costs one statement more, once.
    connection.execute("SELECT layra.save_state('counted', %s)", [json.dumps({"nodes": [{"id": "a"}], "edges": []})])
    for sql in AT_MOST_FIVE:
        with plans.of() as statements:
            connection.execute(f"SELECT * FROM layra.{sql.format(r='counted')}", arguments)
        yield sql, statements


def test_a_write_is_at_most_five_statements(fresh, worker):
    ways.take_statements(fresh)
    counted = list(statements_of_writes(worker()))
    assert all(statements for _, statements in counted)
    too_many = [f"{sql}: {len(statements)} {statements}" for sql, statements in counted if len(statements) > 5]
    assert not too_many, "\n".join(too_many)


# Of writes on the fast path: what looks a key up, changes a run's status, or is in another table than event and cell.
LEFT = {"key_uses", "update_status", "withdraw_all", "checkpoint_by_label", "insert_checkpoint", "protect_checkpoint"}


def test_on_the_fast_path_a_write_is_hardly_a_statement(worker):
    counted = list(statements_of_writes(worker()))
    too_many = [f"{sql}: {statements}" for sql, statements in counted if not set(statements) <= LEFT or len(statements) > 3]
    assert not too_many, "\n".join(too_many)
    assert sum(len(statements) for _, statements in counted) < 2 * len(counted)


# --- how many blocks -------------------------------------------------------------------------------------------


def blocks(connection, sql):
    """Shared blocks that a statement touches, with all that its functions execute."""
    (report,) = connection.execute(f"EXPLAIN (ANALYZE, BUFFERS, TIMING OFF, FORMAT JSON) {sql}").fetchone()
    plan = report[0]["Plan"]
    return plan["Shared Hit Blocks"] + plan["Shared Read Blocks"]


WRITES = {
    "set_variable": "layra.set_variable('r', 'v', to_jsonb(n))",
    "set_variables": "layra.set_variables('r', jsonb_build_object('v', n, 'k' || n % 10, n), '{}'::jsonb)",
    "append_event": "layra.append_event('r', 'note', jsonb_build_object('n', n), idempotency_key => 'key ' || n)",
    "save_state": "layra.save_state('r', jsonb_build_object('global_variables', jsonb_build_object('v', n),"
    " 'context', jsonb_build_object('n', jsonb_build_array(n, n + 1, n + 2))))",
    "checkpoint": "layra.checkpoint('r', 'label ' || n)",
    "rollback": "layra.rollback('r', n - 1)",
}


@pytest.mark.parametrize("function", WRITES)
def test_writes_in_one_transaction_do_not_get_dearer(fresh, function):
    """Tables that ANALYZE saw empty, then 10,000 writes to one run in one transaction: the last hundred touch no more
    blocks than the first hundred, but for the deeper trees."""

    def write(first, last):
        return f"SELECT {WRITES[function]} FROM generate_series({first}, {last}) n"

    with fresh.transaction():
        fresh.execute("SELECT layra.start_run('r', variables => '{\"v\": 0}')")
        fresh.execute(write(2, 100))
        first = blocks(fresh, write(101, 200))
        fresh.execute(write(201, 10_000))
        last = blocks(fresh, write(10_001, 10_100))
        (count,) = fresh.execute("SELECT count(*) FROM layra.event WHERE run_id = 'r'").fetchone()
    print(f"{function}: {first / 100:.1f} blocks a call first, {last / 100:.1f} last")
    assert count == 10_100
    assert last <= 2 * first


READS = {
    "get_state": "layra.get_state('r')",
    "get_state at 60": "layra.get_state('r', 60)",
    "get_variable": "layra.get_variable('r', 'v')",
    "get_variables": "layra.get_variables('r')",
    "get_variables at 60": "layra.get_variables('r', at_version => 60)",
    "events": "layra.events('r', 10, 20)",
    "diff of two": "layra.diff('r', 60, 62)",
    "version_at": "layra.version_at('r', '2000-01-01')",
    "digest": "layra.digest('r')",
}


def test_reads_are_flat_in_versions(fresh):
    fresh.execute("SELECT layra.start_run('r', variables => '{\"v\": 0}')")
    fresh.execute(f"SELECT {WRITES['save_state']} FROM generate_series(1, 100) n")
    before = {name: blocks(fresh, f"SELECT * FROM {sql}") for name, sql in READS.items()}
    fresh.execute(f"SELECT {WRITES['save_state']} FROM generate_series(101, 10000) n")
    after = {name: blocks(fresh, f"SELECT * FROM {sql}") for name, sql in READS.items()}
    print("blocks behind 100 versions", before, "and behind 10,000", after)
    # A binary search looks a few times more often in a log a hundred times as long.
    dearer = {name for name in READS if after[name] > 3 * before[name] + 20}
    assert not dearer, {name: (before[name], after[name]) for name in dearer}


def test_a_read_of_variables_does_not_visit_context(fresh):
    fresh.execute("SELECT layra.save_state('r', '{\"global_variables\": {\"v\": 1}}')")
    before = blocks(fresh, "SELECT layra.get_variables('r')")
    fresh.execute(
        "SELECT layra.save_state('r', jsonb_build_object('global_variables', '{\"v\": 1}'::jsonb, 'context',"
        " jsonb_build_object('n', (SELECT jsonb_agg(i) FROM generate_series(1, 20000) i))))"
    )
    assert blocks(fresh, "SELECT layra.get_variables('r')") <= 2 * before + 10


def test_a_checkpoint_costs_the_same_at_any_size_of_state(fresh):
    def checkpoint(label):
        return blocks(fresh, f"SELECT layra.checkpoint('r', '{label}')")

    fresh.execute("SELECT layra.start_run('r', variables => '{\"v\": 0}')")
    checkpoint("warm")
    small = checkpoint("small")
    fresh.execute(
        "SELECT layra.set_variables('r', (SELECT jsonb_object_agg('v' || n, repeat(md5(n::text), 300))"
        " FROM generate_series(1, 1000) n))"
    )
    checkpoint("warm again")
    large = checkpoint("large")
    print(f"a checkpoint touches {small} blocks, and {large} with 10 MB of state")
    assert large <= 2 * small


def test_rollback_and_diff_cost_the_smaller_of_changes_and_cells(fresh):
    fresh.execute("SELECT layra.start_run('wide')")
    fresh.execute(
        "SELECT layra.set_variables('wide', (SELECT jsonb_object_agg('v' || n, n) FROM generate_series(1, 20000) n))"
    )
    fresh.execute("SELECT layra.append_event('wide', 'note', updates => '{\"v1\": 0, \"v2\": 0}')")
    few_changes = blocks(fresh, "SELECT layra.diff('wide', 2, 3)"), blocks(fresh, "SELECT layra.rollback('wide', 2)")
    fresh.execute("SELECT layra.start_run('long', variables => '{\"v\": 0}')")
    fresh.execute("SELECT layra.set_variable('long', 'v', to_jsonb(n)) FROM generate_series(1, 20000) n")
    few_cells = blocks(fresh, "SELECT layra.diff('long', 2)"), blocks(fresh, "SELECT layra.rollback('long', 2)")
    print(f"diff and rollback of 2 changes among 20,000 cells: {few_changes}, of one cell behind 20,000 events: {few_cells}")
    assert max(few_changes + few_cells) < 500


@pytest.mark.parametrize("entries", [100, 5000])
def test_appending_to_a_context_list_writes_two_cells(fresh, entries):
    """However long the list is, and also when it slides: the new entry and the counter."""

    def save(first, last):
        fresh.execute(
            "SELECT layra.save_state('r', jsonb_build_object('context', jsonb_build_object('n',"
            f" (SELECT jsonb_agg(i) FROM generate_series({first}, {last}) i))))"
        )
        (changed,) = fresh.execute(
            "SELECT changed FROM layra.event WHERE run_id = 'r' ORDER BY version DESC LIMIT 1"
        ).fetchone()
        return changed

    save(1, entries)
    assert save(1, entries + 1) == ["context/n/-1", f"context/n/{entries}"]
    # The head goes, an entry comes: besides those two, the one that went.
    slid = save(2, entries + 2)
    assert {"context/n/-1", f"context/n/{entries + 1}"} <= set(slid) <= {
        "context/n/-1", "context/n/0", f"context/n/{entries + 1}",
    }  # fmt: skip


# --- views -----------------------------------------------------------------------------------------------------


def test_views_and_tables_of_one_run_read_only_that_run(fresh, worker):
    """As an ordinary role, whose row security is part of the plan: it too must not look at other runs."""
    fill_with_other_runs(fresh)
    analyze(fresh)
    reader = worker().connection
    reader.execute(f"SELECT layra.save_state('mine', '{STATE}')")
    wrong = []
    for relation in ("runs", "timeline", "changes", "variables", "nodes", "contexts", "loops", "run", "event", "cell", "checkpoint", "seal", "seals"):
        sql = f"SELECT * FROM layra.{relation} WHERE run_id = 'mine'"
        (report,) = reader.execute(f"EXPLAIN (VERBOSE, FORMAT JSON) {sql}").fetchone()
        wrong += [f"{relation}: {fault}" for fault in faults(report[0]["Plan"]) if fault.startswith("Seq Scan")]
        touched = blocks(reader, sql)
        print(f"{relation}: {touched} blocks")
        if touched > 300:
            wrong.append(f"{relation}: {touched} blocks")
    assert not wrong, "\n".join(wrong)
