"""Sessions of two releases beside each other: the library of this one on the schema of the one before, and sessions that
were connected with the one before when the extension is updated."""

import difflib
import json
import os
import re
import shutil
import subprocess
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psycopg
import pytest
from every_function import SETUP, calls
from psycopg.conninfo import conninfo_to_dict, make_conninfo

ROOT = Path(__file__).resolve().parents[2]
BEFORE = re.search(r'^const BEFORE: &str = "(.*)";', (ROOT / "src/store/release.rs").read_text(), re.MULTILINE)[1]
# Its tag; of those that may have none in a clone, the commit that is that release.
COMMIT = {"0.1.0": "3df855f", "0.2.0": "18201e6", "0.3.0": "ecf4d6f"}.get(BEFORE, f"v{BEFORE}")
PLACE = ROOT / "target" / "releases" / BEFORE


@pytest.fixture(scope="session")
def library():
    """A directory that has the library of the release before, as layra_state.so. It is built once, from its commit and with
    the dependencies that are compiled already."""
    directory = PLACE / "lib"
    if not (directory / "layra_state.so").exists():
        compiled = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "release"
        source, target = PLACE / "source", PLACE / "target"
        for path in (source, target):
            shutil.rmtree(path, ignore_errors=True)
            path.mkdir(parents=True)
        files = ("src", "sql", "layra_state.control")
        archive = subprocess.run(["git", "archive", COMMIT, *files], cwd=ROOT, check=True, capture_output=True).stdout
        subprocess.run(["tar", "-x", "-C", source], input=archive, check=True)
        # With today's dependencies, which are the same but for some more: cargo would compile them again.
        for name in ("Cargo.toml", "Cargo.lock"):
            own = r'(^name = "layra_state"\nversion = )".*"'
            (source / name).write_text(re.sub(own, rf'\1"{BEFORE}"', (ROOT / name).read_text(), flags=re.MULTILINE))
        for part in ("deps", "build", ".fingerprint"):
            shutil.copytree(compiled / part, target / "release" / part, copy_function=os.link)
        for own in (*(target / "release/deps").glob("*layra_state*"), *(target / "release/.fingerprint").glob("layra_state-*")):
            shutil.rmtree(own) if own.is_dir() else own.unlink()
        subprocess.run(
            [".ci/cargo", "rustc", "--manifest-path", source / "Cargo.toml", "--lib", "--locked", "--offline", "--", "-C", "opt-level=0"],
            cwd=ROOT, env=os.environ | {"CARGO_TARGET_DIR": str(target)}, check=True, capture_output=True,
        )  # fmt: skip
        directory.mkdir(exist_ok=True)
        shutil.copy(target / "release/liblayra_state.so", directory / "layra_state.so")
        for path in (source, target):
            shutil.rmtree(path)
    return directory


@pytest.fixture
def database(create_database):
    """A database with the extension as the release before made it."""
    conninfo = create_database()
    with psycopg.connect(conninfo, autocommit=True) as connection:
        connection.execute(f"CREATE EXTENSION layra_state VERSION '{BEFORE}'")
    return conninfo


@pytest.fixture
def session(connect, database):
    """A function that connects with the library of this release."""
    return lambda **options: connect(database, **options)


@pytest.fixture
def old_session(connect, database, library):
    """A function that connects with the library of the release before."""
    path = f"-c dynamic_library_path={library}:$libdir"
    return lambda **options: connect(make_conninfo(database, options=path), **options)


@pytest.fixture
def waiting(server):
    """A context manager: the block starts once the session waits for a lock with a call in another thread, whose SQLSTATE or
    value is there after the block."""

    def attempt(connection, call, arguments):
        try:
            return connection.execute(f"SELECT layra.{call}", arguments).fetchone()[0]
        except psycopg.Error as error:
            return error.sqlstate

    @contextmanager
    def waiting(connection, call, *arguments):
        blocked = "SELECT cardinality(pg_blocking_pids(%s)) > 0"
        with ThreadPoolExecutor(1) as pool, psycopg.connect(server, autocommit=True) as observer:
            future = pool.submit(attempt, connection, call, arguments)
            while not observer.execute(blocked, [connection.info.backend_pid]).fetchone()[0]:
                assert not future.done(), f"did not wait, but gave {future.result()}"
            yield future.result

    return waiting


def large_list(length):
    return json.dumps([f"{number} " + "x" * 40 for number in range(length)])


GROW = "SELECT layra.set_variable('r', 'list', %s)"
READ = "SELECT jsonb_array_length(layra.get_variable('r', 'list'))"


# --- the schema of the release before ----------------------------------------------------------------------------------


def test_a_newer_library_serves_the_schema_before(session, old_session):
    """Both write the same run in turns, whole values, and each reads what the other wrote."""
    new, old = session(), old_session()
    old.execute("SELECT layra.start_run('r')")
    for length in range(200, 210):
        for connection, other in ((new, old), (old, new)):
            connection.execute(GROW, [large_list(length)])
            assert other.execute(READ).fetchone() == (length,)
            assert other.execute("SELECT layra.get_state('r') -> 'global_variables' -> 'list'").fetchone()[0][-1].startswith(
                f"{length - 1} "
            )
            assert other.execute("SELECT * FROM layra.verify('r')").fetchall() == []
    new.execute("ALTER EXTENSION layra_state UPDATE")
    assert new.execute("SELECT * FROM layra.verify()").fetchall() == []
    new.execute(GROW, [large_list(211)])
    new.execute(GROW, [large_list(212)])
    assert new.execute("SELECT count(*) FROM layra.cell WHERE base IS NOT NULL").fetchone()[0] >= 1


def test_a_run_that_is_dropped_before_the_update_leaves_no_seal(session):
    """What is new is not there, and what there was works as it did."""
    new = session()
    new.execute("SELECT layra.start_run('r'), layra.drop_run('r'), layra.start_run('r'), layra.start_run('s')")
    for call in ("heads()", "hold_run('r', 'x')", "release_run('r')", "verify_heads('[]')", "drop_run('r', 'x')", "digest()", "export_run('r')", "import_run('{}')", "import_lines('layra.run')"):
        with pytest.raises(psycopg.errors.UndefinedFunction):
            new.execute(f"SELECT layra.{call}")
    with pytest.raises(psycopg.errors.InvalidParameterValue):
        new.execute("SELECT layra.digest(NULL)")
    assert new.execute("SELECT * FROM layra.verify()").fetchall() == []
    new.execute("ALTER EXTENSION layra_state UPDATE")
    assert new.execute("SELECT * FROM layra.verify()").fetchall() == []
    new.execute("SELECT layra.drop_run('r', 'x'), layra.start_run('r'), layra.hold_run('s', 'x')")
    assert new.execute("SELECT run_id, number, reason FROM layra.seals").fetchall() == [("r", 1, "x")]
    assert new.execute("SELECT * FROM layra.verify()").fetchall() == []


# Texts may change from release to release; what a call gives, and the SQLSTATE where that is shown, may not.
TEXT = re.compile(r"^(psql:\S+ )?(ERROR|WARNING|NOTICE|HINT|DETAIL|CONTEXT): +(?![0-9A-Z]{5}$).*(\n(PL/pgSQL|SQL) .*)*", re.MULTILINE)


def comparable(output):
    """Without texts, what payloads have got since, and the widths of columns, which follow from both. An error may have got a hint."""
    output = re.sub(r"^HINT\n", "", TEXT.sub(r"\2", output), flags=re.MULTILINE)
    output = re.sub(r"^(message|hint) +\|.*", r"\1", output, flags=re.MULTILINE)
    # Of the problems of a definition, which have a path and a text.
    output = re.sub(r"^( /\S*) +\|.*", r"\1", output, flags=re.MULTILINE)
    output = re.sub(r'"message": "[^"]*"', '"message"', output)
    output = re.sub(r'"completed": {[^}]*}, ', "", output)
    return re.sub(r"  +", " ", re.sub(r"--+", "-", output))


def test_the_release_before_passes_its_own_tests_with_this_library(database):
    """Those of its SQL tests, as they were then, before the update."""
    tests, results = PLACE / "tests", ROOT / "target" / "releases" / "results"
    shutil.rmtree(tests, ignore_errors=True)
    PLACE.mkdir(parents=True, exist_ok=True)
    archive = subprocess.run(["git", "archive", COMMIT, "tests/sql", "tests/expected"], cwd=ROOT, check=True, capture_output=True)
    subprocess.run(["tar", "-x", "-C", PLACE], input=archive.stdout, check=True)
    shutil.rmtree(results, ignore_errors=True)
    results.mkdir()
    name = conninfo_to_dict(database)["dbname"]
    with psycopg.connect(database, autocommit=True) as connection:
        # As pg_regress sets up a database that it makes itself.
        for setting in ("lc_messages = 'C'", "lc_monetary = 'C'", "lc_numeric = 'C'", "lc_time = 'C'", "bytea_output = 'hex'",
                        "timezone_abbreviations = 'Default'"):  # fmt: skip
            connection.execute(f"ALTER DATABASE {name} SET {setting}")
    pgxs = Path(subprocess.check_output([os.environ["PG_CONFIG"], "--pgxs"], text=True).strip())
    names = sorted(path.stem for path in (tests / "sql").glob("*.sql"))
    assert len(names) >= 16
    done = subprocess.run(
        [pgxs.parents[1] / "test/regress/pg_regress", "--use-existing", f"--inputdir={tests}", f"--outputdir={results}",
         f"--bindir={os.environ['PG_BINDIR']}", f"--dbname={name}", *names],
        cwd=results, capture_output=True, text=True,
    )  # fmt: skip
    different = []
    for name in names:
        found, *expected = (
            comparable(path.read_text())
            for path in (results / "results" / f"{name}.out", *sorted((tests / "expected").glob(f"{name}.out")))
        )
        if found not in expected:
            different += difflib.unified_diff(expected[0].splitlines(), found.splitlines(), f"{BEFORE}/{name}", name, lineterm="", n=2)
    assert not different, "\n".join(different) or done.stdout


def test_a_session_of_this_release_goes_on_through_the_update(session, waiting):
    """Also one that waits for it in the midst of a call; and an update that is rolled back has never been."""
    one, waits = session(), session()
    one.execute("SELECT layra.start_run('r')")
    waits.execute(GROW, [large_list(200)])
    with one.transaction(force_rollback=True):
        one.execute("ALTER EXTENSION layra_state UPDATE")
        one.execute(GROW, [large_list(201)])
        one.execute(GROW, [large_list(202)])
        assert one.execute(READ).fetchone() == (202,)
    one.execute(GROW, [large_list(201)])
    assert one.execute(READ).fetchone() == waits.execute(READ).fetchone() == (201,)
    with ExitStack() as stack:
        with one.transaction():
            one.execute("ALTER EXTENSION layra_state UPDATE")
            one.execute(GROW, [large_list(202)])
            result = stack.enter_context(waiting(waits, "set_variable('r', 'list', %s)", large_list(203)))
    assert result() == 5
    assert one.execute(READ).fetchone() == waits.execute(READ).fetchone() == (203,)
    assert one.execute("SELECT count(*) FROM layra.cell WHERE base IS NOT NULL").fetchone() == (3,)
    assert one.execute("SELECT * FROM layra.verify()").fetchall() == []


# --- sessions that were connected --------------------------------------------------------------------------------------

# What needs nothing that is stored.
HARMLESS = {"check_access", "format_3", "grant_access", "help", "owns", "reads_runs_of", "remembered", "renew_grants", "revoke_access"}


def test_an_old_session_gets_no_value_and_writes_none(session, old_session, role, waiting):
    """Every function of a session with plans of all statements, one in a transaction that began before, and one that waits
    for the update. One that has called nothing yet looks at the version itself."""
    new = session()
    worker = role("worker")
    new.execute(SETUP.format(worker=worker))
    known = {name for (name,) in new.execute("SELECT proname FROM pg_proc WHERE pronamespace = 'layra'::regnamespace")}
    every = {name: call for name, call in calls(new, worker).items() if name in known}
    new.execute("SELECT layra.start_run('list')")
    grow, read = GROW.replace("'r'", "'list'"), READ.replace("'r'", "'list'")
    warm, fresh, open_, repeatable, waits = (old_session() for _ in range(5))
    for call in every.values():
        with warm.transaction(force_rollback=True):
            try:
                warm.execute(call)
            except psycopg.Error:
                pass
    for connection in (warm, open_, repeatable, waits):
        connection.execute(grow, [large_list(200)])
    assert warm.execute(read).fetchone() == (200,)
    open_.execute("BEGIN; SELECT 1")
    repeatable.execute("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1")
    with ExitStack() as stack:
        with new.transaction():
            new.execute("ALTER EXTENSION layra_state UPDATE")
            for length in (201, 202):
                new.execute(grow, [large_list(length)])
            result = stack.enter_context(waiting(waits, "set_variable('list', 'list', '[]')"))
    assert result() == "55000"
    assert new.execute("SELECT base IS NOT NULL FROM layra.cell WHERE run_id = 'list' ORDER BY version DESC LIMIT 1").fetchone()[0]
    before = new.execute("SELECT count(*), max(xact) FROM layra.event").fetchone()
    with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState):
        fresh.execute(read)
    for connection in (open_, repeatable, waits):
        for sql in (read, "SELECT layra.append_event('list', 'x')"):
            with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState, match=BEFORE):
                connection.execute(sql)
            connection.execute("ROLLBACK; BEGIN")
    worked = set()
    for name, call in every.items():
        with warm.transaction(force_rollback=True):
            try:
                warm.execute(call)
                worked.add(name)
            except psycopg.errors.ObjectNotInPrerequisiteState as error:
                assert f"is version {BEFORE}" in str(error), name
            except psycopg.errors.UndefinedFunction as error:
                # Its arguments have changed, and so the library's function.
                assert "could not find function" in str(error), name
            except psycopg.Error as error:
                worked.add(f"{name}: {error}")
    assert {name.split(":")[0] for name in worked} <= HARMLESS
    for view in ("variables", "nodes", "loops", "contexts"):
        with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState):
            warm.execute(f"SELECT * FROM layra.{view}")
    # Nothing came of any of it; who connects again goes on.
    assert new.execute("SELECT count(*), max(xact) FROM layra.event").fetchone() == before
    assert session().execute(read).fetchone() == (202,)
    assert new.execute("SELECT * FROM layra.verify()").fetchall() == []


def test_no_session_reads_a_delta_while_the_extension_is_updated(database, session, old_session):
    """Sessions of both libraries call without a pause; each call gives a list that somebody wrote, or an error."""
    new = session()
    new.execute("SELECT layra.start_run('r', variables => jsonb_build_object('list', %s::jsonb))", [large_list(200)])
    seen, stop = [], threading.Event()

    def drive(connection, is_old):
        while not stop.is_set():
            try:
                (value,) = connection.execute("SELECT layra.get_variable('r', 'list')").fetchone()
                seen.append((is_old, all(isinstance(entry, str) and entry.endswith("x") for entry in value)))
                connection.execute("SELECT layra.set_variable('r', 'list', %s)", [json.dumps([*value, value[-1]])])
            except psycopg.Error as error:
                seen.append((is_old, error.sqlstate))

    threads = [threading.Thread(target=drive, args=(connect(), is_old))
               for connect, is_old in ((session, False), (old_session, True)) for _ in range(2)]  # fmt: skip
    for thread in threads:
        thread.start()
    while sum(is_old and outcome is True for is_old, outcome in list(seen)) < 20:
        assert all(thread.is_alive() for thread in threads)
    new.execute("ALTER EXTENSION layra_state UPDATE")
    at = len(seen)
    while not {(True, "55000"), (False, True)} <= set(seen[at:]):
        assert all(thread.is_alive() for thread in threads)
    stop.set()
    for thread in threads:
        thread.join()
    assert set(seen) <= {(True, True), (False, True), (True, "55000")}
    assert new.execute("SELECT * FROM layra.verify()").fetchall() == []
    assert all(entry.endswith("x") for entry in new.execute("SELECT layra.get_variable('r', 'list')").fetchone()[0])


# --- the release after this one ----------------------------------------------------------------------------------------

LATER = {"run": "ALTER TABLE layra.run ADD later int", "event": "ALTER TABLE layra.event ADD later int", "cell": "ALTER TABLE layra.cell ADD later int"}


@pytest.mark.parametrize("table", LATER)
@pytest.mark.parametrize("way", ["fast", "statements"])
def test_a_session_is_refused_once_the_schema_is_newer(connect, create_database, waiting, table, way):
    """As an update of a later release does it: it changes a table and the version. Also a call that waits for it."""
    database = create_database()
    admin, session, waits, reads = (connect(database) for _ in range(4))
    admin.execute("CREATE EXTENSION layra_state; SELECT layra.start_run('r', variables => '{\"v\": 1}')")
    if way == "statements":
        admin.execute("CREATE FUNCTION pass() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'")
        admin.execute("CREATE TRIGGER pass BEFORE INSERT ON layra.event FOR EACH ROW EXECUTE FUNCTION pass()")
    for connection in (session, waits, reads):
        connection.execute("SELECT layra.set_variable('r', 'v', '2'), layra.get_variable('r', 'v')")
    reads.execute("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1")
    (events,) = admin.execute("SELECT count(*) FROM layra.event").fetchone()
    with ExitStack() as stack:
        with admin.transaction():
            admin.execute(LATER[table])
            admin.execute("UPDATE pg_extension SET extversion = '9.0.0' WHERE extname = 'layra_state'")
            result = stack.enter_context(waiting(waits, "set_variable('r', 'v', '3')"))
    assert result() == "55000"
    for connection in (session, waits, reads, connect(database)):
        for call in ("get_variable('r', 'v')", "set_variable('r', 'v', '4')", "define_breaker('b')"):
            with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState) as error:
                connection.execute(f"SELECT layra.{call}")
            assert "Connect again" in error.value.diag.message_hint
            if connection is reads:
                connection.execute("ROLLBACK; BEGIN ISOLATION LEVEL REPEATABLE READ")
    assert admin.execute("SELECT count(*) FROM layra.event").fetchone() == (events,)
    admin.execute("UPDATE pg_extension SET extversion = '0.1.0' WHERE extname = 'layra_state'")
    with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState) as error:
        connect(database).execute("SELECT layra.get_variable('r', 'v')")
    assert "ALTER EXTENSION layra_state UPDATE" in error.value.diag.message_hint
