"""What a session costs that lives long: memory after very many calls and errors, plans that outlive what they were made for, and
sessions that a pooler hands from client to client.

Memory is measured twice: what PostgreSQL's memory contexts have in use, and what the process has of its own, which has also what
the library allocates beside them. What is compared is the session after some calls, when it has its plans and caches, and after
as many again.
"""

import os
import re
import shutil
import subprocess
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from pathlib import Path
from random import Random

import psycopg
import pytest
from every_function import OF_THE_OWNER, SETUP, calls, functions
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.types.json import Jsonb
from server import PATIENCE, SERVER_USER

# Bytes that a call may leave behind, on average; a pointer that is lost takes 16 at least.
A_CALL = 8
# Bytes that a session may keep whatever it does: PostgreSQL's caches grow in steps.
SLACK = 64 * 1024
# The same for the process, whose memory comes in pages, and by the allocator's leave.
SLACK_OF_THE_PROCESS = 2 * 1024 * 1024

CONTEXTS = "SELECT name, sum(used_bytes)::bigint FROM pg_backend_memory_contexts GROUP BY name"


@pytest.fixture(scope="module")
def worker(dsn, role):
    """A role of every level, and what it has made."""
    worker = role("worker")
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(SETUP.format(worker=worker))
        connection.execute(f"GRANT pg_read_all_stats TO {worker}")  # to see its own memory
        yield worker
        connection.execute(f"DROP ROLE {worker}_2")


class Memory:
    """What a session has in use. (What is counted for PostgreSQL's statistics goes when it is reported, now and then.)"""

    def __init__(self, session):
        self.contexts = Counter(dict(session.execute(CONTEXTS).fetchall()))
        with open(f"/proc/{session.info.backend_pid}/status") as status:
            self.process = int(re.search(r"RssAnon:\s+(\d+)", status.read())[1]) * 1024

    def since(self, before):
        """Bytes that the contexts grew by, bytes that the process grew by, and the contexts that grew most."""
        grown = Counter(self.contexts)
        grown.subtract(before.contexts)
        most = {name: bytes_ for name, bytes_ in grown.most_common(5) if bytes_ > 0}
        return sum(grown.values()), self.process - before.process, most


def growth(session, work):
    """What the session keeps of work that it has done before. Whatever is kept each time stays at the third, too; what
    a cache keeps, once, does not."""
    for _ in range(3):
        before = Memory(session)
        work()
        bytes_, process, most = Memory(session).since(before)
        if bytes_ <= SLACK and process <= SLACK_OF_THE_PROCESS:
            break
    return bytes_, process, most


# --- calls -----------------------------------------------------------------------------------------------------------

# {call} so often, all of it taken back: by its own transaction, or by its savepoint in one transaction.
IN_TRANSACTIONS = "DO $do$ BEGIN FOR i IN 1..{times} LOOP PERFORM {call}; ROLLBACK; END LOOP; END $do$"
IN_SAVEPOINTS = """
    DO $do$ BEGIN FOR i IN 1..{times} LOOP
        BEGIN PERFORM {call}; RAISE EXCEPTION '' USING ERRCODE = 'TAKEN'; EXCEPTION WHEN SQLSTATE 'TAKEN' THEN NULL; END;
    END LOOP; END $do$
"""
# They write to the catalogs, which takes 30 ms, and PostgreSQL remembers some 20 KB of that until the transaction ends.
SLOW = {"grant_access", "revoke_access", "renew_grants"}


@pytest.mark.parametrize("repeat", [IN_TRANSACTIONS, IN_SAVEPOINTS], ids=["in transactions", "in savepoints of one"])
def test_calls_leave_no_memory_behind(connect, worker, soak, figures, repeat):
    """Every function, over and over."""
    admin = connect()
    sessions = {False: connect(role=worker), True: admin}
    every = calls(admin, worker)
    assert every.keys() == functions(admin)
    times = soak(400, 8_000)
    count, worst, in_all = 0, (0, ""), 0
    # Those that change grants last: the plans of the others are made again after them.
    for function in sorted(every, key=lambda function: (function in OF_THE_OWNER, function)):
        session = sessions[function in OF_THE_OWNER]
        often = max(times // 100, 3) if function in SLOW else times
        statement = repeat.format(times=often, call=every[function].removeprefix("SELECT "))

        def work(session=session, statement=statement):
            session.execute(statement)

        # What is kept in savepoints is looked at while their transaction is open.
        with nullcontext() if repeat is IN_TRANSACTIONS else session.transaction(force_rollback=True):
            work()
            bytes_, process, most = growth(session, work)
        a_call = 25_000 if function in SLOW else A_CALL
        assert bytes_ <= SLACK + often * a_call, f"{function}: {bytes_} bytes after {often} calls, {most}"
        assert process <= SLACK_OF_THE_PROCESS, f"{function}: the process grew by {process} bytes in {often} calls"
        count += 2 * often
        in_all += process
        if function not in SLOW:
            worst = max(worst, (bytes_ / often, function))
    figures(
        f"{count:,} calls of {len(every)} functions: at most {worst[0]:.1f} bytes a call ({worst[1]}),"
        f" the process grew by {in_all // 1024} KB"
    )


# What an engine does all day, each one event of a run.
DAILY = """
    SELECT layra.append_event({run}, 'step', jsonb_build_object('n', {n}), jsonb_build_object('a', {n}));
    SELECT layra.set_variables({run}, jsonb_build_object('b', {n}, 'c', repeat('x', 100)));
    SELECT layra.save_state({run} || ' state', jsonb_build_object('global_variables', jsonb_build_object('a', {n}), 'execution_stack', '[]'::jsonb));
    SELECT layra.reset_nodes({run}, ARRAY['node ' || mod({n}, 100)]);
    SELECT layra.begin_node({run}, 'node ' || mod({n}, 100), 'w', '1 hour');
    SELECT layra.complete_node({run}, 'node ' || mod({n}, 100), to_jsonb({n}), jsonb_build_object('d', {n}));
    SELECT layra.get_variables({run});
    SELECT layra.events({run}, layra.set_variable({run}, 'e', to_jsonb({n})) - 3);
"""


def test_a_day_of_one_session(connect, worker, soak, figures):
    """Transactions that are committed, by a client, in the extended protocol, over run after run."""
    session = connect(role=worker)
    statements = [statement.strip() for statement in DAILY.split(";") if statement.strip()]
    turns = soak(250, 20_000)
    serial = iter(range(10**9))

    def work():
        for _ in range(turns):
            n = next(serial)
            run = f"day {n // 50}"
            if n % 50 == 0:
                session.execute("SELECT layra.start_run(%s)", [run])
            with session.pipeline():
                for statement in statements:
                    session.execute(statement.format(run="%(run)s", n="%(n)s::int"), {"run": run, "n": n})

    work()
    bytes_, process, most = growth(session, work)
    assert bytes_ <= SLACK + turns * A_CALL, f"{bytes_} bytes in {turns} turns, {most}"
    assert process <= SLACK_OF_THE_PROCESS
    figures(f"{turns * len(statements):,} calls: {bytes_:,} bytes in contexts, the process {process // 1024} KB more than before them")


# Rows like those of an engine, in tables without the extension: what they take of a session's memory until its transaction ends. An update of a row
# of the same transaction has PostgreSQL remember both commands, and a node's lease is such a row.
PLAIN_TABLES = """
    CREATE TEMP TABLE plain_event (run_id text, version int, payload jsonb, PRIMARY KEY (run_id, version));
    CREATE TEMP TABLE plain_lease (run_id text, node_id text, attempt int, PRIMARY KEY (run_id, node_id));
"""
TAKE_PLAIN_LEASE = "INSERT INTO plain_lease VALUES ({run}, 'node ' || mod({n}, 100), 1) ON CONFLICT (run_id, node_id) DO UPDATE SET attempt = {n};"
PLAIN = f"INSERT INTO plain_event VALUES ({{run}}, {{n}}, '{{{{}}}}'); {TAKE_PLAIN_LEASE} {TAKE_PLAIN_LEASE}"


def test_one_transaction_with_very_many_calls(connect, worker, soak, figures):
    """PostgreSQL itself keeps something for each statement of a transaction, and so much may be kept for a call."""
    session = connect(role=worker)
    turns = soak(500, 20_000)
    session.execute(PLAIN_TABLES)
    session.execute("SELECT layra.start_run('long')")

    def kept(statements):
        """Bytes that a turn takes, in the contexts and of the process, until the transaction ends."""
        body = statements.replace("SELECT ", "PERFORM ").format(run="'long'", n="i")
        work = f"DO $do$ BEGIN FOR i IN {{}}..{{}} LOOP {body} END LOOP; END $do$"
        with session.transaction(force_rollback=True):
            session.execute(work.replace("{}..{}", f"1..{turns}"))
            before = Memory(session)
            session.execute(work.replace("{}..{}", f"{turns + 1}..{2 * turns}"))
            bytes_, process, most = Memory(session).since(before)
        return bytes_ / turns, process / turns, most

    # The caches of the statements are there before anything is measured.
    kept(DAILY), kept(PLAIN)
    plain, _, _ = kept(PLAIN)
    bytes_, process, most = kept(DAILY)
    calls_in_a_turn = DAILY.count(";")
    assert bytes_ <= plain + A_CALL * calls_in_a_turn + SLACK / turns, f"{bytes_} bytes a turn, plain inserts {plain}, {most}"
    assert process <= plain + A_CALL * calls_in_a_turn + SLACK_OF_THE_PROCESS / turns
    figures(f"{2 * turns * calls_in_a_turn:,} calls in one transaction: {bytes_:.1f} bytes kept for {calls_in_a_turn} calls"
            f" (the process {process:.1f}), plain inserts {plain:.1f}")  # fmt: skip


# --- errors ----------------------------------------------------------------------------------------------------------

# Each kind of error of the contract.
ERRORS = {
    "22023": ["set_variable('r', '', '1')", "start_run('x', 'flow', '[]')", "define_workflow('w', '{\"nodes\": [1]}')"],
    "P0002": ["get_state('nobody')", "append_event('nobody', 'note')", "rollback_to('r', 'nowhere')"],
    "42501": ["rollback('theirs', 1)", "set_variables('theirs', '{}')", "grant_access('{worker}', 'writer')"],
    "40001": ["set_variables('r', '{\"v\": 3}', expected_version => 1)", "set_variable('r', 'v', '3', 1)",
              "save_state('r', '{}', 1000)"],
    "55000": ["append_event('failed', 'note')", "complete_node('r', 'plan', '1', attempt => 7)", "finish_run('failed', 'completed')"],
    "23514": ["set_variables('r', '{\"v\": \"text\"}')", "append_event('r', 'typed', '{\"a\": 1}')"],
    "54000": ["set_variables('limited', '{\"v\": \"more than ten bytes\"}')"],
    "55P03": ["begin_node('r', 'plan', 'another', '1 day')"],
    "23505": ["start_run('r')", "fork_run('r', 'fork')", "checkpoint('r', 'kept')"],
}  # fmt: skip
IN_THE_WAY = """
    SET SESSION AUTHORIZATION {worker};
    SELECT layra.define_workflow('limited', '{{"policy": {{"limits": {{"value_bytes": 10}}}}}}'), layra.start_run('limited', 'limited');
    SELECT layra.define_event_type('typed', '{{"properties": {{"a": {{"type": "string"}}}}}}');
    RESET SESSION AUTHORIZATION;
    SELECT layra.start_run('theirs');
"""


@pytest.fixture(scope="module")
def failing(dsn, worker):
    """(SQLSTATE, call) of calls that fail."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(IN_THE_WAY.format(worker=worker))
    return [(state, f"SELECT layra.{call.replace('{worker}', worker)}") for state, group in ERRORS.items() for call in group]


def failed(session, call):
    """The SQLSTATE of a call that must fail."""
    try:
        session.execute(call)
    except psycopg.Error as error:
        return error.sqlstate
    return "no error"


FAIL_IN_SAVEPOINTS = """
    DO $do$ BEGIN FOR i IN 1..{times} LOOP
        BEGIN PERFORM {call}; RAISE EXCEPTION 'no error'; EXCEPTION WHEN SQLSTATE '{state}' THEN NULL; END;
    END LOOP; END $do$
"""


@pytest.mark.parametrize("place", ["in transactions", "in savepoints of one"])
def test_errors_leave_no_memory_behind(connect, worker, failing, soak, figures, place):
    session = connect(role=worker)
    times = soak(250, 5_000)
    worst = 0, ""
    if place == "in savepoints of one":
        session.execute("BEGIN")

    for state, call in failing:

        def work(state=state, call=call):
            if place == "in savepoints of one":
                statement = FAIL_IN_SAVEPOINTS.format(times=times, call=call.removeprefix("SELECT "), state=state)
                session.execute(statement)
            else:
                assert {failed(session, call) for _ in range(times)} == {state}, call

        work()
        bytes_, process, most = growth(session, work)
        assert bytes_ <= SLACK + times * A_CALL, f"{call}: {bytes_} bytes after {times} errors, {most}"
        assert process <= SLACK_OF_THE_PROCESS, f"{call}: the process grew by {process} bytes in {times} errors"
        worst = max(worst, (bytes_ / times, call))
    figures(f"{2 * times * len(failing):,} errors of {len(ERRORS)} kinds: at most {worst[0]:.1f} bytes an error ({worst[1]})")


def test_errors_of_handlers_leave_little_memory_behind(connect, worker, admin, soak, figures):
    """pgrx 0.18.1 does not free the name of the text domain of an error of PostgreSQL's: 32 bytes of the heap for each, and
    nothing else."""
    session = connect(role=worker)
    admin.execute("""CREATE FUNCTION public.boom(run_id text, version bigint, type text, payload jsonb) RETURNS void LANGUAGE plpgsql AS
        $$ BEGIN RAISE 'no' USING ERRCODE = 'MY001', TABLE = 't', DETAIL = repeat('because', 100); END $$""")
    admin.execute("SELECT layra.on_event('boom', 'public.boom(text,bigint,text,jsonb)')")
    times = soak(50_000, 500_000)

    def work():
        session.execute(FAIL_IN_SAVEPOINTS.format(times=times, call="layra.append_event('r', 'boom')", state="MY001"))

    work()
    bytes_, process, most = growth(session, work)
    admin.execute("SELECT layra.off_event('boom', 'public.boom(text,bigint,text,jsonb)')")
    assert bytes_ <= SLACK, most
    assert process <= 48 * times
    figures(f"{2 * times:,} errors: {bytes_ / times:.1f} bytes of memory contexts an error, {process / times:.1f} of the process")


def test_a_session_that_waits_for_the_update(create_database, soak):
    """A schema that is older than the one before this library's is not served: every call fails until ALTER EXTENSION."""
    with psycopg.connect(create_database(), autocommit=True) as session:
        session.execute("CREATE EXTENSION layra_state VERSION '0.1.0'")
        times = soak(500, 10_000)

        def work():
            assert {failed(session, "SELECT layra.get_state('r')") for _ in range(times)} == {"55000"}

        work()
        bytes_, process, most = growth(session, work)
        assert bytes_ <= SLACK + times * A_CALL, most
        assert process <= SLACK_OF_THE_PROCESS
        session.execute("ALTER EXTENSION layra_state UPDATE")
        assert session.execute("SELECT layra.start_run('r')").fetchone() == (1,)


# --- plans -----------------------------------------------------------------------------------------------------------


def use(session, run):
    """A life of a run, which has a plan made for most of what there is, and every answer of it."""

    def call(text, *arguments):
        return session.execute(f"SELECT * FROM layra.{text}", arguments).fetchone()

    fork = f"{run} fork"
    assert call("start_run(%s, variables => '{\"a\": 1}')", run) == (1,)
    assert call("set_variables(%s, '{\"a\": 2, \"b\": 1}')", run) == (2,)
    assert call("checkpoint(%s, 'label')", run) == (3,)
    assert call("begin_node(%s, 'node', 'w', '1 hour')", run)[:3] == (4, 1, "running")
    assert call("complete_node(%s, 'node', '[1]', '{\"c\": 1}')", run) == (5,)
    assert call("append_event(%s, 'note', '{}', '{\"a\": 3}', idempotency_key => 'key')", run) == (6,)
    assert call("append_event(%s, 'note', '{}', '{\"a\": 3}', idempotency_key => 'key')", run) == (6,)
    assert call("fork_run(%s, %s)", run, fork) == (1,)
    assert call("rollback_to(%s, 'label')", run) == (7,)
    assert call("get_variables(%s)", run) == ({"a": 2, "b": 1},)
    assert call("get_variables(%s)", fork) == ({"a": 3, "b": 1, "c": 1},)
    assert call("get_state(%s, 6)", run)[0]["context"] == {"node": [[1]]}
    assert failed(session, f"SELECT layra.set_variable('{run}', 'a', '1', expected_version => 1)") == "40001"
    assert [row[1:3] for row in session.execute("SELECT * FROM layra.history(%s, 'a')", [run])] == [(1, 1), (2, 2), (6, 3), (7, 2)]
    assert session.execute("SELECT key, op FROM layra.diff(%s, 1) WHERE scope = 'variable' ORDER BY 1", [run]).fetchall() == [
        ("a", "changed"), ("b", "added")]  # fmt: skip
    assert call("save_state(%s, '{\"global_variables\": {\"z\": 1}}')", run) == (8,)
    assert call("finish_run(%s)", run) == (9,)
    session.execute("SELECT layra.drop_run(%s)", [fork])
    assert session.execute("SELECT * FROM layra.verify(%s)", [run]).fetchall() == []


# What happens between two uses: in the session itself, or in an administrator's.
HAPPENINGS = {
    "DISCARD ALL": ("session", "DISCARD ALL"),
    "DISCARD PLANS": ("session", "DISCARD PLANS"),
    "an index more": ("admin", "CREATE INDEX more ON layra.cell (scope, key)"),
    "an index less": ("admin", "DROP INDEX IF EXISTS layra.more"),
    "storage parameters": ("admin", "ALTER TABLE layra.event SET (fillfactor = 70); ALTER TABLE layra.cell SET (autovacuum_enabled = off)"),
    "statistics": ("admin", "ANALYZE layra.run; ANALYZE layra.event; ANALYZE layra.cell"),
    "VACUUM FULL": ("admin", "VACUUM FULL"),
    "CLUSTER": ("admin", "CLUSTER layra.event USING event_pkey; CLUSTER layra.cell USING cell_pkey"),
    "REINDEX": ("admin", "REINDEX SCHEMA layra"),
    "grants": ("admin", "SELECT layra.revoke_access('{worker}', 'auditor'); SELECT layra.renew_grants()"),
    "a column more": ("admin", "ALTER TABLE layra.event ADD COLUMN more text DEFAULT 'x'"),
    "a column less": ("admin", "ALTER TABLE layra.event DROP COLUMN IF EXISTS more"),
}  # fmt: skip


@pytest.mark.parametrize("happening", HAPPENINGS)
def test_plans_outlive(connect, worker, happening):
    session = connect(role=worker)
    use(session, f"before {happening}")
    where, statements = HAPPENINGS[happening]
    for statement in statements.format(worker=worker).split(";"):
        (session if where == "session" else connect()).execute(statement.strip())
    use(session, f"after {happening}")
    session.execute("BEGIN")
    use_in_transaction = f"SELECT layra.append_event('after {happening}', 'note')"
    assert failed(session, use_in_transaction) == "55000"  # it is finished
    session.execute("ROLLBACK")
    assert connect().execute("SELECT * FROM layra.verify()").fetchall() == []


def test_plans_outlive_the_extension(create_database, role):
    """It is dropped and created again, with other tables under the same names."""
    conninfo, worker = create_database(), role("worker")
    with psycopg.connect(conninfo, autocommit=True) as admin, psycopg.connect(conninfo, user=worker, autocommit=True) as session:
        for _ in range(3):
            admin.execute("CREATE EXTENSION layra_state")
            admin.execute("SELECT layra.grant_access(%s, 'writer')", [worker])
            use(admin, "r")
            use(session, "s")
            assert {run for (run,) in admin.execute("SELECT run_id FROM layra.run")} == {"r", "s"}
            admin.execute("DROP EXTENSION layra_state")
            assert failed(session, "SELECT layra.get_state('s')") in ("42883", "3F000")


def test_plans_outlive_the_owner_of_the_tables(create_database, role):
    """REASSIGN OWNED, and the old owner is dropped."""
    conninfo, worker = create_database(), role("worker")
    installer, heir = role("installer", "SUPERUSER"), role("heir")
    with psycopg.connect(conninfo, user=installer, autocommit=True) as connection:
        connection.execute("CREATE EXTENSION layra_state")
        connection.execute("SELECT layra.grant_access(%s, 'writer')", [worker])
    with psycopg.connect(conninfo, autocommit=True) as admin, psycopg.connect(conninfo, user=worker, autocommit=True) as session:
        use(session, "before")
        admin.execute(f"REASSIGN OWNED BY {installer} TO {heir}; DROP OWNED BY {installer}; DROP ROLE {installer}")
        use(session, "after")
        with psycopg.connect(conninfo, user=worker, autocommit=True) as another:
            use(another, "in a new session")
        assert failed(session, "DELETE FROM layra.event") == "42501"
        assert admin.execute("SELECT * FROM layra.verify()").fetchall() == []


# --- a pooler --------------------------------------------------------------------------------------------------------

POOL = 3  # connections to the server for each role
POOLER = """
[databases]
{database} = host={host} port={port} dbname={database}
[pgbouncer]
listen_addr =
listen_port = 6432
unix_socket_dir = {directory}
auth_type = trust
auth_file = {directory}/users
pool_mode = transaction
default_pool_size = {pool}
max_client_conn = 500
logfile = {directory}/log
pidfile = {directory}/pid
"""


@pytest.fixture
def pgbouncer(server):
    """A function that starts PgBouncer, in transaction mode, for a database and roles; gives where it is to be found."""
    program = shutil.which("pgbouncer", path=f"{os.environ['PATH']}:/usr/sbin")
    assert program, "there is no pgbouncer: .ci/setup installs it"
    directory = Path(tempfile.mkdtemp(prefix="layra-", dir="/tmp"))
    processes = []

    def start(conninfo, *roles):
        database = conninfo_to_dict(conninfo)["dbname"]
        place = {"host": os.environ["PGHOST"], "port": os.environ.get("PGPORT", "5432")}
        (directory / "users").write_text("".join(f'"{role}" ""\n' for role in roles))
        (directory / "ini").write_text(POOLER.format(database=database, directory=directory, pool=POOL, **place))
        if SERVER_USER:
            shutil.chown(directory, SERVER_USER["user"], SERVER_USER["group"])
        process = subprocess.Popen([program, "-q", directory / "ini"], stderr=subprocess.DEVNULL, **SERVER_USER)
        processes.append(process)
        pooled = make_conninfo(host=str(directory), port=6432, dbname=database)
        deadline = time.monotonic() + PATIENCE
        while failed_to_connect(pooled, roles[0]):
            assert process.poll() is None and time.monotonic() < deadline, (directory / "log").read_text()
            time.sleep(0.02)
        return pooled

    yield start
    for process in processes:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    shutil.rmtree(directory)


def failed_to_connect(conninfo, role):
    try:
        psycopg.connect(conninfo, user=role).close()
    except psycopg.OperationalError:
        return True
    return False


class PooledClient:
    """Works on a run of its own and one that its role's clients share. Whom it claims to act for is in every event's payload."""

    def __init__(self, connection, number, shared):
        self.connection, self.number, self.shared = connection, number, shared
        self.random = Random(number)
        self.run = f"pooled {number}"
        self.versions = self.value = 0
        self.backends = set()

    def call(self, text, *arguments):
        return self.connection.execute(f"SELECT layra.{text}", arguments).fetchone()[0]

    def live(self, turns):
        assert self.call("start_run(%s)", self.run) == 1
        self.versions = 1
        for turn in range(1, turns + 1):
            self.random.choice((self.claims, self.claims, self.claims_nothing, self.undoes, self.fails))(turn)
            # Whoever had the connection before made another claim, and has other values.
            assert self.call("get_variable(%s, 'n')", self.run) == (self.value or None)
        assert self.call("get_variables(%s)", self.run) == ({"n": self.value} if self.value else {})

    def write(self, turn, claim):
        payload = Jsonb({"claim": claim})
        version = self.call("append_event(%s, 'step', %s, %s)", self.run, payload, Jsonb({"n": turn}))
        assert version == self.versions + 1
        self.call("append_event(%s, 'step', %s)", self.shared, payload)
        self.backends.add(self.connection.execute("SELECT pg_backend_pid()").fetchone()[0])

    def claims(self, turn):
        with self.connection.transaction():
            claim = f"user {self.number} in turn {turn}"
            self.connection.execute("SELECT set_config('layra.actor', %s, true)", [claim])
            self.write(turn, claim)
        self.versions, self.value = self.versions + 1, turn

    def claims_nothing(self, turn):
        with self.connection.transaction():
            self.write(turn, None)
        self.versions, self.value = self.versions + 1, turn

    def undoes(self, turn):
        with self.connection.transaction(force_rollback=True):
            self.connection.execute("SELECT set_config('layra.actor', 'nobody', true)")
            self.write(turn, "nobody")

    def fails(self, turn):
        """In a transaction with a claim, which the error ends."""
        try:
            with self.connection.transaction():
                self.connection.execute("SELECT set_config('layra.actor', 'nobody', true)")
                self.call("append_event(%s, 'step', expected_version => %s)", self.run, self.versions + 1000)
        except psycopg.errors.SerializationFailure:
            return
        raise AssertionError("40001 was expected")


def test_pgbouncer_in_transaction_mode(create_database, connect, role, pgbouncer, soak, figures):
    """Many clients on few connections: plans that one has made serve all, and nobody acts in another's name."""
    conninfo = create_database()
    admin = connect(conninfo)
    admin.execute("CREATE EXTENSION layra_state")
    roles = [role("alice"), role("bob")]
    for name in roles:
        admin.execute("SELECT layra.grant_access(%s, 'writer')", [name])
        admin.execute(f"SET SESSION AUTHORIZATION {name}")
        admin.execute("SELECT layra.start_run(%s)", [f"shared by {name}"])
        admin.execute("RESET SESSION AUTHORIZATION")
    pooled, turns, count = pgbouncer(conninfo, *roles), soak(12, 500), 40

    def live(number):
        name = roles[number % 2]
        # PgBouncer 1.18 knows nothing of statements that a driver prepares.
        with psycopg.connect(pooled, user=name, autocommit=True, prepare_threshold=None) as connection:
            client = PooledClient(connection, number, f"shared by {name}")
            client.live(turns)
            return client

    with ThreadPoolExecutor(count) as pool:
        clients = list(pool.map(live, range(count)))
    backends = set().union(*(client.backends for client in clients))
    assert 1 < len(backends) <= POOL * len(roles)
    steps = admin.execute("SELECT count(*), count(on_behalf_of) FROM layra.event WHERE type = 'step'").fetchone()
    assert 0 < steps[1] < steps[0] == 2 * sum(client.versions - 1 for client in clients)
    wrong = admin.execute(
        "SELECT run_id, version, actor, on_behalf_of, payload FROM layra.event e JOIN layra.run r USING (run_id)"
        " WHERE type = 'step' AND (on_behalf_of IS DISTINCT FROM payload->>'claim' OR e.actor <> r.owner)"
    ).fetchall()
    assert wrong == []
    assert admin.execute("SELECT * FROM layra.verify()").fetchall() == []
    figures(f"{count} clients on {len(backends)} connections: {steps[0]:,} events, {steps[1]:,} in somebody's name, none in another's")
