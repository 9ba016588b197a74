"""Backups and replicas: whichever way a database is copied, the copy holds the same, shows it to the same roles, and works on.

What "the same" is says contents.py: every row, every state at every version, every privilege, what each role sees. All of this
happens on servers of its own, with roles of its own.
"""

import re
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import contents
import psycopg
import pytest
from contents import acting_as, differences, fingerprint, write
from server import PATIENCE, Server

READ_ONLY = "25006"
# The archive lies beside the data directory, which is where archive_command and restore_command run.
CONF = """
wal_level = logical
archive_mode = on
archive_command = 'mkdir -p ../archive && cp %p ../archive/%f'
max_wal_size = 64MB
autovacuum = off
"""


DATA = contents.RECORDING.parent
VERSION = re.search(r'^version = "(.*)"', (DATA.parent.parent / "Cargo.toml").read_text(), re.MULTILINE)[1]
RELEASED = sorted({path.stem.removeprefix("release-") for path in DATA.glob("release-*.sql")} - {VERSION})


def connect(server, database="original"):
    return psycopg.connect(server.conninfo(database), autocommit=True)


def execute(server, statement, database="postgres"):
    with connect(server, database) as connection:
        return connection.execute(statement)


def create_database(server, name, template="template0"):
    # Not by way of the log, which is archived and replicated here.
    execute(server, f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY file_copy")


def wait_until(connection, condition, *arguments):
    """Until a query gives true."""
    deadline = time.monotonic() + PATIENCE
    while not connection.execute(f"SELECT {condition}", arguments).fetchone()[0]:
        assert time.monotonic() < deadline, f"never came true: {condition} {arguments}"
        time.sleep(0.02)


@pytest.fixture(scope="module")
def primary(private_server):
    """A server with the database `original`."""
    server = private_server(conf=CONF)
    create_database(server, "original")
    with connect(server) as connection:
        contents.fill(connection)
    return server


@pytest.fixture(scope="module")
def original(primary):
    """The fingerprint of the database that is copied."""
    with connect(primary) as connection:
        return fingerprint(connection)


@pytest.fixture(scope="module")
def elsewhere(private_server):
    """A server that knows none of the roles."""
    return private_server()


NAMES = "SELECT datname FROM pg_database", "SELECT rolname FROM pg_roles"


@contextmanager
def tidy(server):
    """Databases and roles that are made within the block go with it."""
    with connect(server, "postgres") as connection:
        before = [set(connection.execute(names)) for names in NAMES]
        try:
            yield
        finally:
            databases, roles = (set(connection.execute(names)) - there for names, there in zip(NAMES, before))
            for (name,) in databases:
                connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
            for (name,) in roles:
                connection.execute(f'DROP ROLE "{name}"')


@pytest.fixture(autouse=True)
def clean(primary):
    with tidy(primary):
        yield


@pytest.fixture
def clean_elsewhere(elsewhere):
    with tidy(elsewhere):
        yield elsewhere


def same(server, database, original):
    """The database is like the original, for everybody."""
    with connect(server, database) as connection:
        assert differences(original, fingerprint(connection)) == {}


def same_and_works(server, database, original):
    same(server, database, original)
    with connect(server, database) as connection:
        write(connection)


# --- physical backups ------------------------------------------------------------------------------------------------


@contextmanager
def server_on(copy_data, conf=""):
    """A server whose data directory copy_data(path) makes."""
    server = Server()
    try:
        copy_data(server.data)
        server.configure(f"unix_socket_directories = '{server.directory}'\n{conf}\n")
        with server:
            yield server
    finally:
        server.remove()


@pytest.fixture(scope="module")
def moments(primary, original):
    """A base backup and an archive, and moments between writes to go back to: {name: (recovery target, fingerprint)}."""
    found = {}
    with tidy(primary):
        create_database(primary, "live", "original")
        with writers(primary):
            primary.run("pg_basebackup", "--pgdata=base", "--checkpoint=fast", "--wal-method=none")
        with connect(primary, "live") as connection, connect(primary, "live") as other:
            # A transaction that is open at all of these moments and commits later.
            other.execute("BEGIN; SELECT layra.append_event('given', 'uncommitted')")

            found["restore point"] = "recovery_target_name = 'before'", fingerprint(connection)
            connection.execute("SELECT pg_create_restore_point('before')")
            connection.execute("SELECT layra.set_variable('versions', 'after', '\"restore point\"')")

            (xid,) = connection.execute("SELECT pg_current_xact_id()::xid FROM layra.drop_run('orphan')").fetchone()
            found["transaction"] = f"recovery_target_xid = '{xid}'", fingerprint(connection)
            connection.execute("SELECT layra.set_variable('versions', 'after', '\"transaction\"')")

            found["time"] = f"recovery_target_time = '{now(connection)}'", fingerprint(connection)
            connection.execute("SELECT layra.drop_run('recorded'), layra.rollback('values', 1)")

            other.execute("COMMIT")
            (segment,) = connection.execute("SELECT pg_walfile_name(pg_switch_wal())").fetchone()
            wait_until(connection, "last_archived_wal >= %s FROM pg_stat_archiver", segment)
    execute(primary, "ALTER SYSTEM SET archive_command = 'true'")
    execute(primary, "SELECT pg_reload_conf()")
    return found


def now(connection):
    return connection.execute("SELECT clock_timestamp()").fetchone()[0]


@pytest.mark.parametrize("moment", ["restore point", "transaction", "time"])
def test_point_in_time_recovery(primary, moments, moment):
    target, expected = moments[moment]

    def copy_data(path):
        subprocess.run(["cp", "-a", primary.directory / "base", path], check=True)
        (path / "recovery.signal").touch()

    conf = f"restore_command = 'cp {primary.directory}/archive/%f %p'\nrecovery_target_action = promote\n{target}\n"
    with server_on(copy_data, conf) as restored:
        with connect(restored, "live") as connection:
            wait_until(connection, "NOT pg_is_in_recovery()")
            assert connection.execute("SELECT count(*) FROM layra.event WHERE type = 'uncommitted'").fetchone() == (0,)
        same(restored, "live", expected)
        with connect(restored) as connection:
            write(connection)


@pytest.fixture(scope="module")
def standby(primary, original):
    def copy_data(path):
        primary.run("pg_basebackup", f"--pgdata={path}", "--write-recovery-conf", "--checkpoint=fast")

    with server_on(copy_data) as server:
        yield server


def catch_up(primary, standby):
    (position,) = execute(primary, "SELECT pg_current_wal_lsn()").fetchone()
    with connect(standby) as connection:
        wait_until(connection, "pg_last_wal_replay_lsn() >= %s", position)


def test_standby_reads_and_refuses_to_write(primary, original, standby, figures):
    """Every reading function and view, for every role; then every writing one."""
    catch_up(primary, standby)
    same(standby, "original", original)
    with connect(standby) as connection:
        outcomes = {}
        for role, call in contents.WRITES:
            with acting_as(connection, role):
                outcomes[call] = contents.row_or_error(connection, f"SELECT * FROM layra.{call}")
    # Where there is nothing to do, they write nothing.
    idle = {"breaker_success('bank')", "renew_grants()"}
    assert {call for call, outcome in outcomes.items() if outcome != READ_ONLY} == idle
    assert {outcomes[call] for call in idle} == {("",)}
    figures(f"{len(original)} results equal on the standby, {len(outcomes) - len(idle)} writing calls refused")


def test_session_on_the_standby_follows_a_run_that_is_started_again(primary, standby):
    """What it remembers of the run is then more than there is, and less again."""
    create_database(primary, "again", "original")
    read = (
        "SELECT layra.get_variable('again', 'v'), layra.get_variables('again', '{v}') -> 'v',"
        " layra.get_state('again') #> '{global_variables,v}', layra.get_variable('again', 'still')"
    )
    with connect(primary, "again") as writer:
        catch_up(primary, standby)
        with connect(standby, "again") as reader:
            for versions in (400, 5, 70, 1000, 300):
                writer.execute("SELECT layra.start_run('again', variables => '{\"v\": 1, \"still\": 0}')")
                writer.execute("SELECT layra.set_variable('again', 'v', to_jsonb(n)) FROM generate_series(2, %s) n", [versions])
                catch_up(primary, standby)
                assert reader.execute(read).fetchone() == (versions, versions, versions, 0)
                writer.execute("SELECT layra.drop_run('again')")


def test_standby_follows_and_takes_over(primary, standby):
    create_database(primary, "live", "original")
    with connect(primary, "live") as connection:
        write(connection)
        expected = fingerprint(connection)
    catch_up(primary, standby)
    same(standby, "live", expected)
    execute(standby, "SELECT pg_promote()")
    with connect(standby) as connection:
        write(connection)


# --- pg_dump -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def dumps(primary, original):
    """Where the dumps of the database are: plain, custom, directory."""
    primary.run("pg_dump", "--file=plain", "original")
    primary.run("pg_dump", "--format=custom", "--file=custom", "original")
    primary.run("pg_dump", "--format=directory", "--jobs=2", "--file=directory", "original")
    return primary.directory


def lines(dump):
    """The lines of a dump in no order, without those that differ from one dump to the next, or say how it was made."""
    return sorted(line for line in dump.splitlines() if not line.startswith(("\\restrict", "\\unrestrict", "SET row_security")))


PSQL = ("psql", "--quiet", "--no-psqlrc", "--output=/dev/null", "--set=ON_ERROR_STOP=1")
WAYS = {
    "plain": (*PSQL, "--file=plain", "--dbname"),
    "plain, one transaction": (*PSQL, "--single-transaction", "--file=plain", "--dbname"),
    "custom": ("pg_restore", "--exit-on-error", "custom", "--dbname"),
    "custom, one transaction": ("pg_restore", "--single-transaction", "custom", "--dbname"),
    "directory, jobs": ("pg_restore", "--exit-on-error", "--jobs=2", "directory", "--dbname"),
    "no owners, no privileges": ("pg_restore", "--exit-on-error", "--no-owner", "--no-acl", "custom", "--dbname"),
}


@pytest.mark.parametrize("way", WAYS)
def test_restore_into_a_new_database(primary, original, dumps, way):
    create_database(primary, "copy")
    primary.run(*WAYS[way], "copy")
    if way == "no owners, no privileges":
        execute(primary, "SELECT layra.renew_grants(); GRANT SELECT, INSERT ON public.outbox, public.archive, public.other_archive TO PUBLIC", "copy")
    same(primary, "copy", original)
    # The copy of a copy is that of the original: also what is behind the objects, as their initial privileges, is the same.
    assert lines(primary.run("pg_dump", "copy").stdout) == lines((dumps / "plain").read_text())
    with connect(primary, "copy") as connection:
        write(connection)


def test_restore_over_a_database_that_went_on(primary, original, dumps):
    create_database(primary, "copy", "original")
    with connect(primary, "copy") as connection:
        write(connection)
        assert differences(original, fingerprint(connection)) != {}
    primary.run("pg_restore", "--exit-on-error", "--clean", "--if-exists", "--dbname=copy", "custom")
    same_and_works(primary, "copy", original)


def restore_archives(primary):
    """The exports of runs that are imported, which are not part of the extension."""
    primary.run("pg_dump", "--data-only", "--table=public.*archive", "--file=archives", "original")
    primary.run(*PSQL, "--file=archives", "--dbname=copy")


def test_restore_of_the_rows_alone(primary, original):
    create_database(primary, "copy")
    execute(primary, f"CREATE EXTENSION layra_state; {contents.FUNCTIONS}", "copy")
    primary.run("pg_dump", "--data-only", "--schema=layra", "--file=rows", "original")
    primary.run(*PSQL, "--single-transaction", "--file=rows", "--dbname=copy")
    restore_archives(primary)
    execute(primary, "SELECT layra.renew_grants()", "copy")
    same_and_works(primary, "copy", original)


def test_restore_of_the_extension_alone(primary, original):
    """Without what else is in the database."""
    create_database(primary, "copy")
    primary.run("pg_dump", "--schema=layra", "--extension=layra_state", "--format=custom", "--file=extension", "original")
    primary.run("pg_restore", "--exit-on-error", "--dbname=copy", "extension")
    # The functions that handlers and validators call are not part of the extension.
    execute(primary, contents.FUNCTIONS, "copy")
    restore_archives(primary)
    same_and_works(primary, "copy", original)


def test_roles_that_may_dump(primary, original, dumps, role_that_reads_all):
    whole = lines((dumps / "plain").read_text())
    for role in ("backup", role_that_reads_all):
        assert lines(primary.run("pg_dump", f"--username={role}", "original").stdout) == whole
    # For others row security decides, which pg_dump only does where it is told to.
    for role in ("audit", "alice"):
        refused = primary.run("pg_dump", f"--username={role}", "original", check=False)
        assert refused.returncode != 0 and "row-level security" in refused.stderr
    assert lines(primary.run("pg_dump", "--username=audit", "--enable-row-security", "original").stdout) == whole


@pytest.fixture
def role_that_reads_all(primary):
    execute(primary, "CREATE ROLE reads_all LOGIN BYPASSRLS IN ROLE pg_read_all_data")
    return "reads_all"


def test_dump_of_the_whole_server(primary, original, clean_elsewhere):
    primary.run("pg_dumpall", "--file=server")
    restored = clean_elsewhere.run("psql", "--quiet", "--no-psqlrc", "--output=/dev/null", f"--file={primary.directory / 'server'}")
    errors = [line for line in restored.stderr.splitlines() if "ERROR" in line]
    assert [line for line in errors if 'role "postgres" already exists' not in line] == []
    same_and_works(clean_elsewhere, "original", original)


def test_restore_where_the_roles_are_missing(primary, original, dumps, clean_elsewhere):
    """No role of the runs or of layra.access is there: the rows are, nobody sees them, and the roles can come later."""
    create_database(clean_elsewhere, "without_grants")
    clean_elsewhere.run("pg_restore", "--single-transaction", "--no-acl", "--dbname=without_grants", dumps / "custom")
    create_database(clean_elsewhere, "copy")
    restored = clean_elsewhere.run("pg_restore", "--dbname=copy", dumps / "custom", check=False)
    errors = re.findall(r"error: (?!could not execute query: )(.*)|ERROR: *(.*)", restored.stderr)
    assert errors and all(re.fullmatch(r'role "\w+" does not exist', "".join(error)) for error in errors), restored.stderr
    with connect(clean_elsewhere, "copy") as connection:
        found = fingerprint(connection)
        own = {f"results of {name}" for name in ("owns", "reads_every_run", "readable_owners", "reads_run", "reads_runs_of")} | {name for name in original if name.split()[0] in contents.ROLES}
        assert differences(original, found).keys() - own == {"grants"}
        # A new role is let in, and finds nothing that was not its own.
        connection.execute("CREATE ROLE eve LOGIN; SELECT layra.grant_access('eve', 'writer')")
        with acting_as(connection, "eve"):
            assert connection.execute("SELECT count(*) FROM layra.run").fetchone() == (0,)
            assert connection.execute("SELECT layra.start_run('of eve')").fetchone() == (1,)
            assert connection.execute("SELECT run_id FROM layra.runs").fetchall() == [("of eve",)]
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute("SELECT layra.get_state('versions')")
        connection.execute("SELECT layra.drop_run('of eve'), layra.revoke_access('eve'); DELETE FROM layra.seal WHERE run_id = 'of eve'; DROP ROLE eve")
        # Once the roles are there everything is as it was.
        contents.create_roles(connection)
        connection.execute("SELECT layra.renew_grants()")
    same_and_works(clean_elsewhere, "copy", original)
    execute(clean_elsewhere, "SELECT layra.renew_grants(); GRANT SELECT, INSERT ON public.outbox TO PUBLIC", "without_grants")
    same(clean_elsewhere, "without_grants", original)


@pytest.mark.parametrize("version", RELEASED)
def test_dump_of_an_older_version(primary, original, version):
    """Restored as that version and then updated, it is what an update in place makes of it."""
    for role in ("release_alice", "release_bob", "release_auditor", "release_admin"):
        execute(primary, f"CREATE ROLE {role} LOGIN")
    create_database(primary, "old")
    create_database(primary, "copy")
    execute(primary, f"CREATE EXTENSION layra_state VERSION '{version}'", "old")
    primary.run(*PSQL, "--dbname=old", input=(DATA / f"release-{version}.sql").read_text())
    execute(primary, "GRANT ALL ON SCHEMA layra TO release_bob; GRANT ALL ON ALL FUNCTIONS IN SCHEMA layra TO release_bob", "old")
    dump = primary.run("pg_dump", "old").stdout
    of_that_version = f"s/^CREATE EXTENSION IF NOT EXISTS layra_state WITH SCHEMA layra/& VERSION '{version}'/"
    dump = subprocess.run(["sed", of_that_version], input=dump, capture_output=True, text=True, check=True).stdout
    primary.run(*PSQL, "--single-transaction", "--dbname=copy", input=dump)
    restored = execute(primary, "SELECT extversion FROM pg_extension WHERE extname = 'layra_state'", "copy").fetchone()
    assert restored == (version,)
    for database in ("old", "copy"):
        # Where the update adds this column, it has the number of that transaction.
        execute(primary, "ALTER EXTENSION layra_state UPDATE; UPDATE layra.graph SET xact = '3'", database)
    with connect(primary, "old") as connection:
        same(primary, "copy", fingerprint(connection))


def test_dumps_while_runs_are_written(primary, soak, figures):
    """What a dump has of each run is a beginning of its log, whole and provable."""
    dumped = written = 0
    for number in range(soak(1, 30)):
        with tidy(primary):
            create_database(primary, "live", "original")
            create_database(primary, "copy")
            with writers(primary) as calls:
                primary.run("pg_dump", "--format=directory", "--jobs=2", f"--file=live {number}", "live")
            written += sum(call.result() for call in calls)
            primary.run("pg_restore", "--exit-on-error", "--jobs=2", "--dbname=copy", f"live {number}")
            with connect(primary, "live") as live, connect(primary, "copy") as copy:
                assert copy.execute("SELECT * FROM layra.verify()").fetchall() == []
                for run_id, version, digest in copy.execute("SELECT run_id, version, layra.digest(run_id) FROM layra.runs"):
                    there = live.execute(
                        "SELECT encode(hash, 'hex') FROM layra.event WHERE (run_id, version) = (%s, %s)", [run_id, version]
                    ).fetchone()
                    # Unless it was dropped since, which is accounted for below.
                    assert there == (digest,) or there is None and run_id.startswith("parent")
                    dumped += version if run_id.startswith(("parent", "fork")) else 0
                (heads,) = copy.execute("SELECT jsonb_agg(h)::text FROM layra.heads() h").fetchone()
                assert live.execute("SELECT * FROM layra.verify_heads(%s)", [heads]).fetchall() == []
    assert 0 < dumped < written
    figures(f"{written} calls before and while pg_dump ran; {dumped} versions of theirs were dumped, all provable")


@contextmanager
def writers(server):
    """Three clients that write to the database `live` throughout the block; their numbers of calls, as futures."""
    done = threading.Event()
    with ThreadPoolExecutor() as pool, connect(server, "live") as connection:
        calls = [pool.submit(keep_writing, server, n, done) for n in range(3)]
        try:
            wait_until(connection, "count(*) > 10 FROM layra.run WHERE run_id LIKE 'fork%%'")
            yield calls
        finally:
            done.set()


def keep_writing(server, writer, done):
    """Starts runs, forks them, changes the forks and drops their parents; returns the number of calls."""
    calls = 0
    with connect(server, "live") as connection:
        while not done.wait(0.1):
            parent, fork = f"parent {writer} {calls}", f"fork {writer} {calls}"
            connection.execute("SELECT layra.start_run(%s, variables => '{\"n\": 0}')", [parent])
            connection.execute("SELECT layra.fork_run(%s, %s)", [parent, fork])
            for n in range(10):
                connection.execute("SELECT layra.set_variable(%s, 'n', %s)", [fork, str(n)])
            connection.execute("SELECT layra.drop_run(%s)", [parent])
            calls += 13
    return calls


# --- logical replication -----------------------------------------------------------------------------------------------


def test_logical_replication(primary, original, clean_elsewhere):
    """The rows that are there and all changes to them, into a database that has the extension."""
    create_database(primary, "live", "original")
    execute(primary, "CREATE PUBLICATION runs FOR TABLES IN SCHEMA layra", "live")
    create_database(clean_elsewhere, "subscriber")
    with connect(primary, "live") as live, connect(clean_elsewhere, "subscriber") as subscriber:
        contents.create_roles(subscriber)
        subscriber.execute(f"CREATE EXTENSION layra_state; {contents.FUNCTIONS}")
        subscriber.execute(f"CREATE SUBSCRIPTION runs CONNECTION '{primary.conninfo('live')}' PUBLICATION runs")
        wait_until(subscriber, "bool_and(srsubstate = 'r') FROM pg_subscription_rel")
        # Grants are no rows.
        subscriber.execute("SELECT layra.renew_grants()")
        same(clean_elsewhere, "subscriber", original)

        write(live)
        expected = fingerprint(live)
        assert differences(original, expected) != {}
        (position,) = live.execute("SELECT pg_current_wal_lsn()").fetchone()
        wait_until(live, "replay_lsn >= %s FROM pg_stat_replication WHERE application_name = 'runs'", position)
        same(clean_elsewhere, "subscriber", expected)

        # A run that is written on both sides stops the replication.
        for side in (subscriber, live):
            side.execute("SELECT layra.append_event('versions', 'both')")
        wait_until(subscriber, "apply_error_count > 0 FROM pg_stat_subscription_stats")

        # The subscriber takes over.
        subscriber.execute("DROP SUBSCRIPTION runs")
        with acting_as(subscriber, "bob"):
            subscriber.execute("SELECT layra.begin_node('order 3', 'check', 'w1'), layra.complete_node('order 3', 'check')")
            subscriber.execute("SELECT layra.fork_run('order 1', 'order 4', 5), layra.rollback('order 1', 5)")
        assert subscriber.execute("SELECT * FROM layra.verify()").fetchall() == []
