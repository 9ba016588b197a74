"""Hostile values in every argument of every function: no crash, no panic, no undocumented error, no call that cannot be
cancelled, no memory without bound, and after an error nothing has changed.

FUZZ_SEED=… repeats a run, FUZZ_CALLS=… sets its length. A failure prints the call as SQL.
"""

import os
import re
import socket
import threading
import time
from collections import Counter, defaultdict
from contextlib import contextmanager
from random import Random, SystemRandom

import psycopg
import pytest
from fuzz import EXHAUSTING, Raw, Run, Values, World, definition, document, text
from psycopg import sql
from server import PATIENCE

TIMEOUT = 10  # seconds, statement_timeout
GRACE = 300  # seconds more, until a call counts as one that cannot be cancelled
MORE = 5 if os.environ.get("CLUSTER_UNDER") else 1  # valgrind's own memory counts, too
MEMORY = MORE * 1_500  # MB that a backend may have of its own during a call, whose values have at most 64 MB
KEPT = MORE * 300  # MB that it may keep afterwards

# What any call may give: a function that was not granted, and PostgreSQL's own for one that was cancelled or nested too deep.
ALWAYS = {"42501", "57014", "54001"}
# Clients that cannot read everything that is stored: what an error says is for them, too. With the name that Python has.
ENCODINGS = {"UTF8": "utf-8", "LATIN1": "latin-1", "LATIN2": "iso8859-2", "SJIS": "shift_jis"}
OUT_OF_RANGE = "22008"  # PostgreSQL's own, too, where a time is counted from an interval
# What PostgreSQL says of text that is no value of the argument's type. It only counts where the text alone gives the same.
NO_VALUE = {
    "22P02",
    "22P05",
    "22003",
    "22007",
    "22008",
    "22015",
    "22021",
    "2202E",
    "42601",
    "42602",
    "42704",
    "42883",
    "42725",
    "54000",
    "54001",
}


def contract(connection):
    """Which SQLSTATEs each function may raise, as its comment says: {function: SQLSTATEs}."""
    comments = dict(connection.execute(
        "SELECT proname, coalesce(obj_description(oid), '') FROM pg_proc WHERE pronamespace = 'layra'::regnamespace"
    ).fetchall())  # fmt: skip

    def errors(function):
        line = re.search(r"^Errors: (.*)$", comments[function], re.MULTILINE)
        said = line[1] if line else ""
        others = [name for name in re.findall(r"\bas (\w+)", said) if name in comments]
        return set(re.findall(r"\b[0-9A-Z]{5}\b", said)).union(*map(errors, others))

    return {function: errors(function) for function in comments}


class Watched(threading.Thread):
    """Looks at a backend while calls run: kills one that cannot be cancelled or takes too much memory, and says so."""

    def __init__(self, timeout):
        super().__init__(daemon=True)
        self.timeout = timeout
        self.pid = self.began = self.killed = None
        self.largest = 0
        self.lock = threading.Lock()
        self.start()

    def run(self):
        while True:
            time.sleep(0.05)
            with self.lock:
                if self.pid is None:
                    continue
                self.largest = max(self.largest, memory(self.pid))
                if time.monotonic() - self.began > self.timeout + GRACE:
                    self.kill(f"could not be cancelled for {GRACE} s after statement_timeout")
                elif self.largest > MEMORY:
                    self.kill(f"took {self.largest} MB")

    def kill(self, why):
        self.killed = why
        os.kill(self.pid, 9)
        self.pid = None

    @contextmanager
    def call(self, connection):
        with self.lock:
            self.pid, self.began, self.killed, self.largest = connection.info.backend_pid, time.monotonic(), None, 0
        try:
            yield
        finally:
            with self.lock:
                self.pid = None


def memory(pid):
    """MB that a process has of its own; none where it is gone."""
    try:
        with open(f"/proc/{pid}/status") as status:
            return int(re.search(r"RssAnon:\s+(\d+)", status.read())[1]) // 1024
    except (OSError, TypeError):
        return 0


def literal(value):
    if value is None or isinstance(value, list):
        return sql.Literal(value).as_string(None)
    shown = sql.Literal(value).as_string(None)
    return shown if len(shown) <= 600 else f"{shown[:400]} … {len(value)} characters'"


class Fuzzer:
    """One database with some runs, sessions of several roles, and random calls."""

    def __init__(self, connect, roles, seed, timeout=TIMEOUT):
        self.random = Random(seed)
        self.timeout = timeout
        self.world = World(roles=[*roles.values(), "pg_monitor", "layra_no_such_role"])
        self.values = Values(self.random, self.world)
        self.connect = connect
        self.roles = roles
        self.sessions = {}
        self.watched = Watched(timeout)
        self.calls = Counter()
        self.succeeded = Counter()
        self.sqlstates = Counter()
        self.encodings = Counter()
        self.no_values = 0
        self.failures = {}
        self.largest = 0
        self.slowest = 0
        self.per_function = defaultdict(Counter)
        admin = self.session("admin")
        self.contract = contract(admin)
        self.functions = admin.execute(
            """SELECT proname, proargnames[1:pronargs],
                   (SELECT array_agg(format_type(type, NULL) ORDER BY n) FROM unnest(proargtypes) WITH ORDINALITY t(type, n)),
                   pronargs - pronargdefaults
               FROM pg_proc WHERE pronamespace = 'layra'::regnamespace AND prokind = 'f' AND prorettype <> 'trigger'::regtype
               AND 'internal'::regtype <> ALL (proargtypes)
               ORDER BY proname, oid"""
        ).fetchall()
        tables = admin.execute(
            "SELECT relname FROM pg_class WHERE relnamespace = 'layra'::regnamespace AND relkind = 'r' ORDER BY 1"
        ).fetchall()
        # Rows are never changed in place without a new ctid, so their places and makers say whether anything was written.
        self.digest_query = " UNION ALL ".join(
            f"SELECT '{table}', count(*), md5(string_agg(ctid::text || xmin, ',' ORDER BY ctid)) FROM layra.{table}"
            for (table,) in tables
        ) + " ORDER BY 1"
        self.stored = None
        self.settle()

    def export(self, admin):
        """What the import of a run that is not here is given."""
        admin.execute("CREATE TABLE IF NOT EXISTS public.archive (line jsonb); GRANT SELECT ON public.archive TO PUBLIC; TRUNCATE public.archive")
        admin.execute("SELECT layra.start_run('elsewhere')")
        admin.execute("INSERT INTO public.archive SELECT layra.export_run('elsewhere')")
        admin.execute("SELECT layra.drop_run('elsewhere')")
        self.world.archive = [line for (line,) in admin.execute("SELECT line::text FROM public.archive")]

    # --- the world ---------------------------------------------------------------------------------------------

    def session(self, role):
        """A connection as one of the roles, made again where the last one was lost."""
        connection = self.sessions.get(role)
        deadline = time.monotonic() + PATIENCE
        while connection is None or connection.closed:
            try:
                connection = self.connect(role)
                connection.execute(f"SET statement_timeout = '{self.timeout} s'")
                self.sessions[role] = connection
            except psycopg.OperationalError:
                # The server starts again after a crash.
                if time.monotonic() > deadline:
                    raise
        # A call before may have spoken another encoding, which has not all that is stored.
        if connection.info.encoding != "utf-8":
            connection.execute("SET client_encoding = 'UTF8'")
        return connection

    def settle(self):
        """Makes the runs that calls name, those of them that are not there or that grew too large, and looks at all of them."""
        admin, alice = self.session("admin"), self.session("alice")
        for session in (admin, alice):
            session.execute("SET statement_timeout = '300 s'")
        for role, level in (("alice", "writer"), ("bob", "admin")):
            admin.execute("SELECT layra.grant_access(%s, %s)", [self.roles[role], level])
        admin.execute("SELECT layra.define_breaker('api')")
        for breaker in ("api", "mail"):
            alice.execute("SELECT layra.define_breaker(%s, 2)", [breaker])
        done = {run_id for (run_id,) in admin.execute(
            """SELECT run_id FROM layra.run r
               WHERE run_id <> ALL (%s) OR owner <> %s OR status IN ('completed', 'failed', 'cancelled')
               OR (SELECT count(*) FROM layra.event e WHERE e.run_id = r.run_id) > 200
               OR (SELECT coalesce(sum(pg_column_size(value)), 0) + count(*) * 200 FROM layra.cell c WHERE c.run_id = r.run_id)
                   > 2000000""",
            [list(MAKERS), self.roles["alice"]],
        )}  # fmt: skip
        there = {run_id for (run_id,) in admin.execute("SELECT run_id FROM layra.run")}
        done |= {run_id for run_id in sorted(there) if self.random.random() < 0.2}
        admin.execute("DELETE FROM layra.retention")
        for run_id in sorted(done):
            admin.execute("SELECT layra.release_run(%s), layra.drop_run(%s)", [run_id, run_id])
        self.export(admin)
        there -= done
        if self.random.random() < 0.3:
            admin.execute("DELETE FROM layra.handler; DELETE FROM layra.validator; DELETE FROM layra.event_type")
        (version,) = alice.execute("SELECT layra.define_workflow('flow', %s)", [text(definition())]).fetchone()
        for run_id in sorted(MAKERS.keys() - there):
            for statement in MAKERS[run_id]:
                alice.execute(statement.replace("$flow", f"'flow', workflow_version => {version}"), [run_id])
        for session in (admin, alice):
            session.execute(f"SET statement_timeout = '{self.timeout} s'")
        self.look()
        self.written()

    def look(self):
        self.world.runs = {
            run_id: Run(head, variables or {}, labels or [], working or {}, interactions or [])
            for run_id, head, variables, labels, working, interactions in self.session("admin").execute(
                """SELECT run_id, (SELECT max(version) FROM layra.event e WHERE e.run_id = r.run_id),
                       (SELECT jsonb_object_agg(name, version) FROM layra.variables v WHERE v.run_id = r.run_id),
                       (SELECT array_agg(label ORDER BY version) FILTER (WHERE label IS NOT NULL)
                        FROM layra.checkpoint c WHERE c.run_id = r.run_id),
                       (SELECT jsonb_object_agg(node_id, details->'attempt')
                        FROM layra.nodes n WHERE n.run_id = r.run_id AND status = 'running'),
                       (SELECT array_agg(id::text ORDER BY version) FROM layra.interaction i WHERE i.run_id = r.run_id)
                   FROM layra.run r ORDER BY run_id"""
            )
        }

    def written(self):
        """Whether anything is stored otherwise than when this was asked last."""
        before = self.stored
        # Sorted, as large tables are read by several processes.
        self.stored = sorted(self.session("admin").execute(self.digest_query).fetchall())
        return self.stored != before

    # --- one call ----------------------------------------------------------------------------------------------

    def step(self, only=None):
        """A random call, of one function only where that is given."""
        function, names, types, required = self.random.choice(
            [signature for signature in self.functions if only in (None, signature[0])]
        )
        role = self.random.choices(("alice", "bob", "admin"), (1, 2, 3) if function in ADMINISTRATIVE else (12, 2, 2))[0]
        arguments = []
        for position, (name, type_name) in enumerate(zip(names or [], types or [])):
            if position < required or self.random.random() < 0.5:
                arguments.append((name, type_name, self.values(function, name, type_name)))
        self.perform(role, function, arguments, keep=self.random.random() < (0.2 if function in ENDING else 0.8))

    def rest(self, number):
        """What is done now and then between calls."""
        if number % 10 == 0:
            self.look()
        if number % 50 == 0:
            self.verify()
            self.settle()

    def perform(self, role, function, arguments, keep=True):
        given = ", ".join(f'"{name}" => %s::{type_name}' for name, type_name, _ in arguments)
        values = [value for _, _, value in arguments]
        # Everything that it returns is made, but not sent.
        query = f"SELECT count(*), sum(length(t::text)) FROM layra.{function}({given}) t"
        shown = f"SELECT * FROM layra.{function}({', '.join(f'{n} => {literal(v)}::{t}' for n, t, v in arguments)})"
        connection = self.session(role)
        encoding = self.speak(connection, values)
        began = time.monotonic()
        sqlstate = message = None
        try:
            with self.watched.call(connection), connection.transaction(force_rollback=not keep):
                connection.execute(query, values)
        except psycopg.Error as error:
            sqlstate = error.sqlstate or "lost"
            message = f"{error.diag.message_primary or error} {error.diag.message_detail or ''}".strip()
        self.slowest = max(self.slowest, time.monotonic() - began)
        self.largest = max(self.largest, self.watched.largest)
        self.calls[function] += 1
        self.sqlstates[sqlstate or "00000"] += 1
        self.per_function[function][sqlstate or "00000"] += 1
        self.encodings[encoding, sqlstate is not None] += 1
        role = f"{role} in {encoding}"
        if self.watched.killed:
            return self.lost(function, self.watched.killed, shown, role)
        if sqlstate is None:
            self.succeeded[function] += 1
        elif sqlstate == "lost":
            return self.lost(function, f"the connection was lost: {message}", shown, role)
        elif sqlstate in NO_VALUE and self.refuses(connection, arguments, sqlstate):
            self.no_values += 1
        elif sqlstate == OUT_OF_RANGE and any(type_name == "interval" for _, type_name, _ in arguments):
            pass
        elif sqlstate not in ALWAYS and sqlstate not in self.contract[function]:
            self.fail(function, f"{sqlstate} is not in its comment: {message}", shown, role)
        elif re.search(r"panicked|unwrap|\.rs\b|src/", message):
            self.fail(function, f"an internal message: {message}", shown, role)
        if self.written() and (sqlstate or not keep):
            self.fail(function, f"{sqlstate} and something was written", shown, role)
        kept = memory(connection.info.backend_pid)
        if kept > KEPT:
            self.fail(function, f"{kept} MB kept by the session", shown, role)
            connection.close()

    def speak(self, connection, values):
        """Gives the session a client's encoding in which the values can be written."""
        encoding = self.random.choice(list(ENCODINGS))
        try:
            for value in values:
                for part in value if isinstance(value, list) else [value]:
                    if isinstance(part, str):
                        part.encode(ENCODINGS[encoding])
        except UnicodeEncodeError:
            encoding = "UTF8"
        connection.execute(f"SET client_encoding = '{encoding}'")
        return encoding

    @staticmethod
    def refuses(connection, arguments, sqlstate):
        """Whether PostgreSQL itself says this of the values alone."""
        for _, type_name, value in arguments:
            try:
                connection.execute(f"SELECT count(%s::{type_name})", [value])
            except psycopg.Error as error:
                if error.sqlstate == sqlstate:
                    return True
        return False

    def fail(self, function, why, shown, role):
        self.failures.setdefault((function, why[:60]), f"{function}: {why}\n    as {role}: {shown}")

    def lost(self, function, why, shown, role):
        """The server ends every session when one crashes."""
        self.fail(function, why, shown, role)
        deadline = time.monotonic() + PATIENCE
        while True:
            for session in self.sessions.values():
                session.close()
            try:
                return self.settle()
            except psycopg.OperationalError:
                # This session began before the server noticed.
                if time.monotonic() > deadline:
                    raise

    def verify(self):
        for row in self.session("admin").execute("SELECT * FROM layra.verify()").fetchall():
            self.failures.setdefault(("verify", row[0]), f"verify: {row}")


ADMINISTRATIVE = {
    "grant_access", "revoke_access", "check_access", "renew_grants", "on_event", "off_event", "add_validator", "remove_validator",
}  # fmt: skip
# What leaves little to do for the calls after it.
ENDING = {"drop_run", "finish_run", "cancel_run", "set_owner", "revoke_access"}

START = 'SELECT layra.start_run(%s, variables => \'{"v": 1, "w": {"a": {"b": 1}}, "list": [1, 2]}\')'
FLOW = "SELECT layra.start_run(%s, $flow, variables => '{\"v\": 1}')"
# The runs in their different states, each by the statements that make it.
MAKERS = {
    "plain": [START, "SELECT layra.set_variables(%s, '{\"w\": {\"a\": {\"c\": 2}}}')", "SELECT layra.checkpoint(%s, 'one')"],
    "rolled back": [
        START, "SELECT layra.set_variable(%s, 'v', '2', idempotency_key => 'key 1')", "SELECT layra.checkpoint(%s, 'one')",
        "SELECT layra.rollback(%s, 1)", "SELECT layra.set_variable(%s, 'v', '3', idempotency_key => 'key 1')",
        "SELECT layra.checkpoint(%s, 'kept')", "SELECT layra.protect_checkpoint(%s, 'kept')",
    ],
    "saved": [f"SELECT layra.save_state(%s, '{text(document() | {key: definition()[key] for key in ('nodes', 'edges')})}')"],
    "working": [
        FLOW, "SELECT layra.begin_node(%s, 'plan', 'w1')", "SELECT layra.complete_node(%s, 'plan', '[1]', attempt => 1)",
        "SELECT layra.enter_loop(%s, 'outer')", "SELECT layra.next_iteration(%s, 'outer')",
        "SELECT layra.begin_node(%s, 'draft', 'w1', '1 hour')", "SELECT layra.begin_node(%s, 'step', 'w2', '1 us')",
    ],
    "asked": [
        FLOW, "SELECT layra.pause_run(%s, 'check', '\"?\"', '{\"properties\": {\"ok\": {\"type\": \"boolean\"}}}')",
        "SELECT layra.pause_run(%s, 'report')", "SELECT layra.pause_run(%s, 'report', expires_in => '1 us')",
        "SELECT layra.pause_run(%s, 'plan', assignee => 'ada')",
    ],
    "cancelling": [FLOW, "SELECT layra.begin_node(%s, 'plan')", "SELECT layra.cancel_run(%s, 'why')"],
    "completed": [FLOW, "SELECT layra.finish_run(%s, result => '1')"],
    "failed": [START, "SELECT layra.finish_run(%s, 'failed')"],
    "broken": [
        FLOW, "SELECT layra.checkpoint(%s, 'one')",
        """SELECT layra.save_state(%s, '{"loop_index": {"outer": 1e131071}, "execution_stack": ["gone"],
               "execution_status": {"plan": null}}')""",
    ],
}  # fmt: skip


@pytest.fixture(scope="module")
def database(private_server):
    """A server of its own, as it may crash: (server, roles, connect)."""
    server = private_server(conf="log_min_messages = warning\nmax_stack_depth = 2MB")
    roles = {"alice": "fuzz_alice", "bob": "fuzz_bob"}
    with psycopg.connect(server.conninfo(), autocommit=True) as admin:
        admin.execute("CREATE EXTENSION layra_state")
        for role in roles.values():
            admin.execute(f"CREATE ROLE {role} LOGIN")
        admin.execute("""
            CREATE FUNCTION public.handler(text, bigint, text, jsonb) RETURNS void LANGUAGE sql AS '';
            CREATE FUNCTION public.writer(run_id text, version bigint, type text, payload jsonb) RETURNS bigint LANGUAGE sql AS
                $$SELECT layra.append_event(run_id, 'mail.answered', payload) WHERE type LIKE 'note%'$$;
            CREATE FUNCTION public.rule(run_id text, state jsonb) RETURNS SETOF text LANGUAGE sql AS
                $$SELECT 'w is gone' WHERE NOT state->'global_variables' ? 'w' UNION ALL SELECT NULL$$""")

    def connect(role):
        return psycopg.connect(server.conninfo(), user=roles.get(role, "postgres"), autocommit=True)

    return server, roles, connect


def no_crash_in(log):
    """What the server's log has of crashes, panics and failed assertions."""
    return [line for line in log.read_text(errors="replace").splitlines()
            if re.search(r"TRAP:|panicked at|was terminated by signal|PANIC:|XX000", line)]  # fmt: skip


@pytest.fixture
def fuzzer(database):
    """Without random calls: the runs, the sessions and what is asked of every call."""
    _, roles, connect = database
    return Fuzzer(connect, roles, seed=0, timeout=1)


def schema_calls(number, schema, value):
    """Each way by which a schema meets a value: calls as `Fuzzer.perform` takes them."""
    schema, value = text(schema), text(value)
    definition = '{"variables": {"x": {"schema": ' + schema + "}}}"
    workflow = [("workflow", "text", f"schema {number}")]
    x = '{"x": ' + value + "}"
    run = [("run_id", "text", f"schema {number}")]
    yield "define_workflow", [("name", "text", f"schema {number}"), ("definition", "jsonb", definition)]
    yield "start_run", [*run, *workflow, ("variables", "jsonb", x)]
    yield "start_run", run
    yield "define_event_type", [("type", "text", f"schema.{number}"), ("schema", "jsonb", schema)]
    yield "append_event", [*run, ("type", "text", f"schema.{number}"), ("payload", "jsonb", value)]
    yield "pause_run", [*run, ("node_id", "text", "n"), ("response_schema", "jsonb", schema)]


@pytest.mark.parametrize("name", EXHAUSTING)
def test_schemas_that_exhaust(fuzzer, name, figures):
    """Neither time, nor memory, nor the stack: the server goes on, and statement_timeout is honoured."""
    schema, value = EXHAUSTING[name]
    for function, arguments in schema_calls(name, schema, value):
        fuzzer.perform("alice", function, arguments)
    interactions = fuzzer.session("admin").execute("SELECT id::text FROM layra.interaction WHERE run_id = %s", [f"schema {name}"])
    for (interaction,) in interactions.fetchall():
        fuzzer.perform("alice", "resume_run", [
            ("run_id", "text", f"schema {name}"), ("interaction", "uuid", interaction), ("response", "jsonb", text(value)),
        ])  # fmt: skip
    states = ", ".join(f"{state} {count}" for state, count in fuzzer.sqlstates.most_common())
    figures(f"{states}; slowest {fuzzer.slowest:.1f} s, largest backend {fuzzer.largest} MB")
    assert not fuzzer.failures, "\n".join(fuzzer.failures.values())


def test_a_session_keeps_little_of_what_it_compiled(fuzzer, soak, figures):
    """Many large schemas through one session, of variables and of events."""
    numbers = soak(10, 40)
    for number in range(numbers):
        schema = text({"title": str(number), "properties": {f"p{n}": {"type": "integer", "minimum": n} for n in range(20_000)}})
        for function, arguments in schema_calls(f"large {number}", Raw(schema), {}):
            fuzzer.perform("alice", function, arguments)
    kept = memory(fuzzer.session("alice").info.backend_pid)
    states = ", ".join(f"{state} {count}" for state, count in fuzzer.sqlstates.most_common())
    figures(f"{states}; {kept} MB kept after {2 * numbers} schemas of {len(schema) // 1000} KB")
    assert not fuzzer.failures, "\n".join(fuzzer.failures.values())


def deep(member):
    """A megabyte below a thousand objects, with one more member in the innermost."""
    return Raw('{"a":' * 1_000 + '{"x":0,' + member + '"filling":"' + "x" * 1_000_000 + '"}' + "}" * 1_000)


def wide(value):
    return dict.fromkeys((f"k{number}" for number in range(100_000)), value)


def loops_in_loops(depth):
    """Each loop is in the body of all the loops around it; every way back is to be looked for in one of the bodies."""
    return {
        "nodes": [{"id": str(node), "type": "loop"} for node in range(depth)],
        "edges": [{"source": str(node), "target": str(node + 1), "sourceHandle": "loop_body"} for node in range(depth - 1)]
        + [{"source": str(node + 1), "target": str(node), "sourceHandle": "loop_next"} for node in range(depth - 1)],
    }


def loops(body):
    """A loop with many nodes in it, each of which leads back."""
    return {
        "nodes": [{"id": "loop", "type": "loop"}, *({"id": str(node), "type": "code"} for node in range(body))],
        "edges": [{"source": "loop", "target": str(node), "sourceHandle": "loop_body"} for node in range(body)]
        + [{"source": str(node), "target": "loop", "sourceHandle": "loop_next"} for node in range(body)],
    }


# Calls that are valid and large: what comes before them, the function, its arguments.
MERGE = [("expected_version", "bigint", "1"), ("on_conflict", "text", "merge")]
LARGE = {
    "merge deep": (deep(""), deep('"y":1,'), "set_variables", ("updates", {"v": deep('"z":1,')}), MERGE),
    "merge with 100,000 conflicts": (wide(0), wide(1), "set_variables", ("updates", {"v": wide(2)}), MERGE),
    "try a merge with 100,000 conflicts": (wide(0), wide(1), "try_set_variables", ("updates", {"v": wide(2)}), MERGE),
    "100,000 variables": (0, 1, "set_variables", ("updates", wide(0)), []),
    "100,000 expected": (0, 1, "set_variables", ("expected_variables", wide(0)), [("updates", "jsonb", "{}")]),
    "100,000 entries": (0, 1, "save_state", ("state", {"context": {"n": list(range(100_000))}}), []),
    "100,000 events": (0, 1, "append_events", ("events", [{"type": "t"}] * 100_000), []),
    "20,000 ways back": (0, 1, "define_workflow", ("definition", loops(20_000)), [("name", "text", "large")]),
    "20,000 loops in loops": (0, 1, "define_workflow", ("definition", loops_in_loops(20_000)), [("name", "text", "large")]),
    "100,000 schemas": (0, 1, "define_workflow", ("definition", {"variables": wide({"schema": {"type": "integer"}})}),
                        [("name", "text", "large")]),
}  # fmt: skip


@pytest.mark.parametrize("name", LARGE)
def test_large_calls_can_be_cancelled(fuzzer, name, figures):
    first, second, function, (argument, value), others = LARGE[name]
    run = [("run_id", "text", f"large {name}")]
    alice = fuzzer.session("alice")
    with alice.transaction():
        alice.execute("SET LOCAL statement_timeout = 0")
        alice.execute("SELECT layra.start_run(%s, variables => %s)", [run[0][2], text({"v": first})])
        alice.execute("SELECT layra.set_variables(%s, %s)", [run[0][2], text({"v": second})])
    fuzzer.written()
    arguments = [(argument, "jsonb", text(value)), *others]
    fuzzer.perform("alice", function, arguments if function == "define_workflow" else run + arguments)
    states = ", ".join(fuzzer.sqlstates)
    figures(f"{states} after {fuzzer.slowest:.1f} s, {fuzzer.largest} MB")
    assert not fuzzer.failures, "\n".join(fuzzer.failures.values())


def test_a_schema_opens_no_connection(fuzzer):
    """Not for a reference, nor for its metaschema."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/schema"
        schemas = [
            {"$ref": url},
            {"$schema": url},
            {"$id": url, "$ref": "other"},
            {"$dynamicRef": url + "#x"},
            {"allOf": [{"$ref": url}]},
        ]
        for number, schema in enumerate(schemas):
            for function, arguments in schema_calls(f"remote {number}", schema, 1):
                fuzzer.perform("alice", function, arguments)
        listener.settimeout(0)
        with pytest.raises(BlockingIOError):
            listener.accept()
    assert not fuzzer.failures, "\n".join(fuzzer.failures.values())


def test_every_function(database, soak, figures):
    server, roles, connect = database
    seed = int(os.environ.get("FUZZ_SEED") or SystemRandom().randrange(2**32))
    calls = int(os.environ.get("FUZZ_CALLS") or soak(2_000, 100_000))
    print(f"FUZZ_SEED={seed} FUZZ_CALLS={calls}")
    fuzzer = Fuzzer(connect, roles, seed)
    for number in range(1, calls + 1):
        fuzzer.step()
        fuzzer.rest(number)
        if len(fuzzer.failures) >= 20:
            break
    # In a short run chance may have left out some.
    for function in sorted({name for name, *_ in fuzzer.functions} - fuzzer.succeeded.keys()):
        for number in range(1, 500):
            fuzzer.step(function)
            fuzzer.rest(number)
            if fuzzer.succeeded[function]:
                break
    done = sum(fuzzer.calls.values())
    never = sorted({function for function, *_ in fuzzer.functions} - fuzzer.succeeded.keys())
    states = ", ".join(f"{state} {count}" for state, count in fuzzer.sqlstates.most_common())
    figures(
        f"seed {seed}: {done} calls of {len(fuzzer.calls)} functions ({min(fuzzer.calls.values())} or more of each), "
        f"{100 * sum(fuzzer.succeeded.values()) // done} % succeeded, {fuzzer.no_values} with values that PostgreSQL refuses; "
        f"{states}; "
        f"slowest {fuzzer.slowest:.1f} s, largest backend {fuzzer.largest} MB; {len(fuzzer.failures)} failures"
    )
    for function, states in sorted(fuzzer.per_function.items()):
        print(f"{function:22} {fuzzer.calls[function]:5} calls, {fuzzer.succeeded[function]:5} succeeded: {dict(states)}")
    assert not fuzzer.failures, f"FUZZ_SEED={seed} FUZZ_CALLS={done}\n" + "\n".join(fuzzer.failures.values())
    assert not never, f"no call succeeded: {never}"
    # And some of those that fail, in each.
    assert all(fuzzer.encodings[encoding, True] for encoding in ENCODINGS), fuzzer.encodings
    assert not no_crash_in(server.log)
