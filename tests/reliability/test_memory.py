"""Memory: results come in a stream, a session keeps little, and where the kernel refuses, that is 53200 and nothing else.

A session's address space is limited to what it has and some more, as `ulimit -v` does it for the whole server. So the same tests say
how much memory a call needs: with so much more it works.
"""

import os
import re
import subprocess

import psycopg
import pytest
from every_function import OF_THE_OWNER, SETUP, calls, functions
from server import SERVER_USER

MB = 1024 * 1024
REFUSED = "53200"
# Larger than what may be stored, or than a schema may be: 54000, 22023.
TOO_LARGE = ("54000", "22023")


def size_of(session, what):
    with open(f"/proc/{session.info.backend_pid}/status") as status:
        return int(re.search(rf"{what}:\s+(\d+)", status.read())[1]) * 1024


class Limited:
    """A block in which the session's process gets so much more memory than it has, and no more."""

    def __init__(self, session, more):
        self.pid, self.limit = session.info.backend_pid, size_of(session, "VmSize") + more

    def limit_to(self, limit):
        return subprocess.run(["prlimit", f"--pid={self.pid}", f"--as={limit}:unlimited"], capture_output=True, text=True, **SERVER_USER)

    def __enter__(self):
        limited = self.limit_to(self.limit)
        assert limited.returncode == 0, limited.stderr

    def __exit__(self, *_):
        # Where the session has ended there is nothing to undo.
        self.limit_to("unlimited")


# --- streams ---------------------------------------------------------------------------------------------------------

# A list of 2 MB that changes a little a hundred times, beside others of this size: 200 MB of values.
LARGE_STATE = """
    SELECT layra.start_run('large', variables => jsonb_build_object('list', (SELECT jsonb_agg(repeat('x', 90)) FROM generate_series(1, 20000))));
    DO $$ BEGIN
        FOR i IN 1..100 LOOP
            PERFORM layra.set_variable('large', 'list', layra.get_variable('large', 'list') || to_jsonb(i));
            PERFORM layra.set_variable('large', 'value ' || i, layra.get_variable('large', 'list'));
        END LOOP;
        FOR i IN 1..100 LOOP
            PERFORM layra.append_event('large', 'note', jsonb_build_object('list', layra.get_variable('large', 'list')));
        END LOOP;
        FOR i IN 1..50 LOOP
            PERFORM layra.begin_node('large', 'n' || i);
            PERFORM layra.complete_node('large', 'n' || i, layra.get_variable('large', 'list'));
        END LOOP;
    END $$;
"""
# Results of many rows, with names of 240 bytes: 100,000 runs that are stale, and a run with as many cells that no event names, of
# nodes that do not exist.
MANY = 100_000
MANY_ROWS = f"""
    SELECT layra.define_workflow('of one node', '{{"nodes": [{{"id": "a", "type": "code"}}]}}'), layra.start_run('broken', 'of one node');
    INSERT INTO layra.cell (run_id, scope, key, ordinal, version, revision, value, hash)
    SELECT 'broken', 'node', repeat('x', 230) || n, 0, 1, 1, '{{"status": "pending"}}', sha256('1') FROM generate_series(1, {MANY}) n;
    INSERT INTO layra.run (run_id, status, owner, created_at)
    SELECT repeat('x', 230) || n, 'running', session_user, '2000-01-01' FROM generate_series(1, {MANY}) n;
    INSERT INTO layra.event (run_id, version, type, payload, payload_hash, changed, cells_hash, actor, at, hash, bytes_since_checkpoint)
    SELECT run_id, 1, 'run.started', '{{}}', '', '{{}}', '', 'x', created_at, '', 0 FROM layra.run WHERE run_id LIKE 'xx%';
    CREATE TABLE public.kept AS SELECT jsonb_agg(jsonb_build_object('run_id', n::text, 'version', 1, 'hash', repeat('0', 64))) AS heads
    FROM generate_series(1, 20000) n;
"""
# Each with the number of its rows.
STREAMS = {
    "SELECT version FROM layra.history('large', 'list') LIMIT 1": 1,
    "SELECT layra.history('large', 'list')  LIMIT 3": 3,
    "SELECT version FROM layra.history('large', 'list')": 101,
    "SELECT version FROM layra.history('large', 'n1', 'context')": 1,
    "SELECT version FROM layra.events('large') WHERE type = 'note'": 100,
    "SELECT layra.events('large', 200) LIMIT 1": 1,
    "SELECT key FROM layra.cells('large') WHERE scope IN ('variable', 'context')": 151,
    "SELECT key FROM layra.cells('large', 'variable', 300) LIMIT 1": 1,
    "SELECT key FROM layra.diff('large', 1) WHERE scope = 'variable'": 101,
    "SELECT layra.diff('large', 300, 1) LIMIT 2": 2,
    "SELECT version FROM layra.context('large')": 50,
    "SELECT line FROM layra.export_run('large') line WHERE line ? 'event'": 401,
    "SELECT layra.export_run('large') LIMIT 1": 1,
    "SELECT problem FROM layra.verify('large')": 0,
    "SELECT problem FROM layra.verify('broken')": MANY,
    "SELECT layra.verify('broken') LIMIT 1": 1,
    "SELECT rule FROM layra.validate_run('large')": 0,
    "SELECT rule FROM layra.validate_run('broken')": 2 * MANY,
    "SELECT layra.validate_run('broken') LIMIT 1": 1,
    "SELECT version FROM layra.stale_runs('1 day')": MANY,
    "SELECT layra.stale_runs('1 day') LIMIT 1": 1,
    "SELECT layra.report('large')": 1,
    "SELECT layra.changed_cells('large', 1)": 1,
    "SELECT layra.explain_run('large')": 53,
    "SELECT layra.version_at('large', now())": 1,
    "SELECT version FROM layra.heads() WHERE run_id LIKE 'xx%'": MANY,
    "SELECT layra.heads() LIMIT 1": 1,
    "SELECT problem FROM layra.verify_heads((SELECT heads FROM public.kept))": 20000,
}


# Those whose result is small whatever there is.
SMALL_SETS = {"remembered", "help"}


@pytest.fixture(scope="module")
def large(dsn):
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(LARGE_STATE)
        connection.execute(MANY_ROWS)


def test_every_set_is_among_the_streams(admin):
    sets = {name for (name,) in admin.execute("SELECT proname FROM pg_proc WHERE pronamespace = 'layra'::regnamespace AND proretset")}
    assert {name for name in sets if any(f"layra.{name}(" in query for query in STREAMS)} == sets - SMALL_SETS


@pytest.mark.parametrize("query", STREAMS)
def test_results_are_a_stream(large, connect, query):
    """Some values at a time, not all of them."""
    session = connect()
    session.execute("SELECT layra.get_variable('large', 'none')")
    with Limited(session, 48 * MB):
        assert session.execute(f"SELECT count(*) FROM ({query}) q").fetchone() == (STREAMS[query],)


# --- what a session keeps --------------------------------------------------------------------------------------------


def test_a_large_call_leaves_little_behind(connect):
    session = connect()
    document = "jsonb_build_object('global_variables', (SELECT jsonb_object_agg('variable ' || i, i) FROM generate_series(1, {}) i))"
    session.execute(f"SELECT layra.save_state('kept', {document.format(10)})")
    before = size_of(session, "RssAnon")
    session.execute(f"SELECT layra.save_state('kept', {document.format(300_000)})")
    session.execute("SELECT 1")
    assert size_of(session, "RssAnon") - before < 24 * MB


def remembered(session):
    return {what: (entries, size) for what, entries, size in session.execute("TABLE layra.session_memory")}


def test_what_a_session_remembers_is_bounded(connect):
    """Definitions, schemas and places without end; the session's own view tells what it has of them."""
    session = connect()
    properties = "(SELECT jsonb_object_agg('property ' || i, '{\"type\": \"integer\", \"minimum\": 1}'::jsonb) FROM generate_series(1, 300) i)"
    counts = []
    for n in range(60):
        schema = f"jsonb_build_object('title', '{n}', 'properties', {properties})"
        session.execute(f"SELECT layra.define_workflow('w {n}', jsonb_build_object('variables', jsonb_build_object('v', jsonb_build_object('schema', {schema}))))")
        session.execute(f"SELECT layra.start_run('r {n}', 'w {n}')")
        session.execute(f"SELECT layra.define_event_type('t {n}', {schema})")
        session.execute(f"SELECT layra.append_event('r {n}', 't {n}')")
        counts.append(remembered(session)["definitions"][0])
        assert all(size <= 8 * MB for what, (_, size) in remembered(session).items() if what != "plans")
    assert max(counts) < 60 and counts[0] == 1
    assert remembered(session)["plans"][1] < 32 * MB
    name = "long name " * 20
    session.execute("SELECT layra.start_run('long')")
    session.execute(f"DO $$ BEGIN FOR i IN 1..200 LOOP PERFORM layra.set_variables('long', (SELECT jsonb_object_agg('{name}' || n, i) FROM generate_series(1, 50) n)); END LOOP; END $$")
    session.execute("SELECT layra.get_state('long')")
    entries, size = remembered(session)["places"]
    assert 0 < entries and size < 4 * MB


# --- refusals ----------------------------------------------------------------------------------------------------------

# Values of so many MB, of each kind: in one piece, in very many, and what grows when it becomes text.
KINDS = {
    "string": "to_jsonb(repeat('x', {bytes}))",
    "list": "(SELECT jsonb_agg(i) FROM generate_series(1, {bytes} / 8) i)",
    "object": "(SELECT jsonb_object_agg('member ' || i, i) FROM generate_series(1, {bytes} / 24) i)",
    "escapes": "to_jsonb(repeat(E'\\x01', {bytes} / 6))",
}
STATE = """
    SELECT layra.set_variables('r', jsonb_build_object('big', {value}));
    SELECT layra.set_variables('r', jsonb_build_object('big', {changed}));
    SELECT layra.append_event('r', 'note', jsonb_build_object('big', {value}));
    SELECT layra.set_engine('r', jsonb_build_object('big', {value}));
    SELECT layra.reset_nodes('r', '{{search}}');
    SELECT layra.begin_node('r', 'search', 'w', '1 day');
    SELECT layra.complete_node('r', 'search', {value});
    SELECT layra.set_variables('fork', jsonb_build_object('big', {value}));
"""
# The arguments that take something large; every other function is called as it is, on a run with such values.
LARGE = {
    "append_event": "'r', 'note', jsonb_build_object('big', {value}), jsonb_build_object('big', {changed})",
    "append_events": "'r', jsonb_build_array(jsonb_build_object('type', 'note', 'updates', jsonb_build_object('big', {value})),"
    " jsonb_build_object('type', 'note', 'payload', jsonb_build_object('big', {value})))",
    "breaker_failure": "'api', {value}",
    "complete_node": "'r', 'plan', {value}, jsonb_build_object('big', {changed}), 1",
    "define_event_type": "'note', jsonb_build_object('const', {value})",
    "define_workflow": "'flow', jsonb_build_object('big', {value}, 'variables', jsonb_build_object('d', jsonb_build_object('default', {value})))",
    "fail_node": "'r', 'plan', {value}, 1",
    "finish_run": "'r', 'completed', {value}",
    "get_variable": "'r', 'big'",
    "get_variables": "'r'",
    "history": "'r', 'big'",
    "pause_run": "'r', 'plan', {value}, jsonb_build_object('const', {value})",
    "resume_run": "'asked', '{asked}', {value}, jsonb_build_object('big', {value}), 'accept'",
    "save_state": "'r', jsonb_build_object('global_variables', {object}, 'own', {value}, 'nodes', '[]'::jsonb, 'context', jsonb_build_object('n', {list}))",
    "set_engine": "'r', jsonb_build_object('e', {value})",
    "set_variable": "'r', 'big', {changed}",
    "set_variables": "'r', jsonb_build_object('big', {changed}, 'o', {object}), null, 'merge', 3",
    "start_run": "'another', 'flow', jsonb_build_object('big', {value}), jsonb_build_object('big', {value})",
    "try_set_variables": "'r', jsonb_build_object('big', {changed}), null, 'fail', 1",
}


class Outcomes:
    """Calls of every function with ever more memory, until each has what it needs."""

    def __init__(self, connect, worker, kind, bytes):
        self.admin, self.connect, self.worker = connect(), connect, worker
        self.admin.execute("DROP TABLE IF EXISTS public.big; CREATE TABLE public.big (name text PRIMARY KEY, value jsonb)")
        self.admin.execute(f"GRANT SELECT ON public.big TO {worker}")
        value = KINDS[kind].format(bytes=bytes)
        changed = f"CASE jsonb_typeof({value}) WHEN 'string' THEN to_jsonb('y' || ({value} #>> '{{}}')) ELSE {value} || '{{\"more\": 1}}' END"
        self.admin.execute("INSERT INTO public.big VALUES " + ", ".join(
            f"('{name}', {text})" for name, text in {
                "value": value, "changed": changed, "object": KINDS["object"].format(bytes=bytes), "list": KINDS["list"].format(bytes=bytes),
            }.items()
        ))  # fmt: skip
        session = connect(role=worker)
        with session.transaction():
            for statement in self.fill(STATE).split(";"):
                if statement.strip():
                    session.execute(statement)
        session.close()
        self.small = calls(self.admin, worker)
        (asked,) = self.admin.execute("SELECT id FROM layra.interaction").fetchone()
        (self.v,) = self.admin.execute("SELECT layra.get_variable('r', 'v')").fetchone()
        self.large = {
            function: f"SELECT count(*) FROM layra.{function}({self.fill(LARGE[function], asked)})" if function in LARGE
            else call.replace("SELECT *", "SELECT count(*)")
            for function, call in self.small.items()
        }  # fmt: skip

    def fill(self, text, asked=None):
        values = {name: f"(SELECT value FROM public.big WHERE name = '{name}')" for name in ("value", "changed", "object", "list")}
        return text.format(**values, asked=asked)

    def outcome(self, session, call, more):
        """None, or the SQLSTATE, of a call that is taken back. (The server goes on, whatever it is: `admin` is still connected.)"""
        try:
            with session.transaction(force_rollback=True), Limited(session, more):
                session.execute(call)
        except psycopg.Error as error:
            return error.sqlstate
        return None

    def session(self, function):
        session = self.connect(role="postgres" if function in OF_THE_OWNER else self.worker)
        # Its plans, and PostgreSQL's caches.
        with session.transaction(force_rollback=True):
            session.execute(self.small[function])
        return session

    def sound(self, session, function, more):
        """The outcome of a call, after which the session goes on."""
        backend, given = session.info.backend_pid, f"{function}, with {more / MB:.2f} MB more"
        state = self.outcome(session, self.large[function], int(more))
        assert state in (None, REFUSED, *TOO_LARGE), f"{given}: {state}"
        assert not session.closed, f"{given}: the session has ended"
        assert session.execute("SELECT pg_backend_pid(), layra.get_variable('r', 'v')").fetchone() == (backend, self.v)
        return state

    def sweep(self, function, factor):
        """The SQLSTATEs that a function gave on the way from nothing to what it needs, and how much that is."""
        session, found, more = self.session(function), set(), MB
        while more < 8192 * MB:
            state = self.sound(session, function, more)
            found.add(state)
            if state != REFUSED:
                session.close()
                return found, more
            more *= factor
        raise AssertionError(f"{function} is refused with 8 GB more")


@pytest.fixture(scope="module")
def worker(dsn, role):
    """A role of every level, and what it has made."""
    worker = role("worker")
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(SETUP.format(worker=worker))
        yield worker
        connection.execute(f"DROP ROLE {worker}_2")


# With how many times as much memory a refused call is made again.
SIZES = [("string", 1, 2), ("list", 1, 2), ("object", 4, 2)]
if os.environ.get("SOAK_MINUTES"):
    SIZES += [(kind, mb, 1.2) for kind in KINDS for mb in (1, 4, 16)] + [("string", 60, 1.5), ("list", 60, 1.5)]


@pytest.mark.parametrize("kind, mb, factor", SIZES)
def test_a_refusal_is_an_error(connect, worker, figures, kind, mb, factor):
    """Every function on values of this kind and size, with little memory first and then more and more: it works or is 53200, in
    the same session, which goes on; and the server does."""
    outcomes = Outcomes(connect, worker, kind, mb * MB)
    assert outcomes.large.keys() == functions(outcomes.admin)
    found = {function: outcomes.sweep(function, factor) for function in sorted(outcomes.large)}
    refused = [function for function, (states, _) in found.items() if REFUSED in states]
    assert len(refused) > 10
    figures(f"{kind} of {mb} MB: {len(refused)} of {len(found)} functions were refused with too little")


@pytest.mark.parametrize("function", ["complete_node", "define_event_type", "define_workflow", "history", "pause_run", "set_variables"])
def test_a_refusal_anywhere_is_an_error(connect, worker, soak, figures, function):
    """Also where hardly a byte is left when PostgreSQL raises it: what copies that error has memory of its own. Such a place is
    a few hundred KB wide."""
    outcomes = Outcomes(connect, worker, "object", MB)
    _, most = outcomes.sweep(function, 1.5)
    session, places = outcomes.session(function), soak(100, 2000)
    states = [outcomes.sound(session, function, 1.5 * most * (place + 1) / places) for place in range(places)]
    figures(f"{states.count(REFUSED)} of {places} refusals, up to {most / MB:.0f} MB")
    assert REFUSED in states and states[-1] != REFUSED
