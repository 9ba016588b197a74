"""Crashes under load: of the whole server, of one backend, of the disk, of clients. Whatever a client saw committed stays, the
rest is there as a whole or not at all, every chain verifies, and the load goes on where it was.

CRASH_SEED=… repeats what the clients do; the moment of a crash is the machine's.
"""

import errno
import os
import re
import signal
import socket
import subprocess
import sys
import time
from contextlib import ExitStack, contextmanager
from random import Random, SystemRandom

import psycopg
import pytest
from load import Load
from server import PATIENCE, Server

SEED = int(os.environ.get("CRASH_SEED") or SystemRandom().randrange(10**6))

# Written as a real server does, with checkpoints and vacuums in between.
CONF = """
max_wal_size = 64MB
checkpoint_timeout = 30s
checkpoint_completion_target = 0.5
autovacuum_naptime = 1s
"""


@pytest.fixture(scope="module")
def real_server(private_server):
    return private_server(conf=CONF, fsync=True)


@pytest.fixture
def random(request):
    """Another one for each test; the seed is shown where the test fails."""
    print(f"CRASH_SEED={SEED}")
    return Random(f"{SEED} {request.node.name}")


def wait_until(condition, why, seconds=PATIENCE):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain for {why}"
        time.sleep(0.01)


def accepts_connections(conninfo):
    try:
        psycopg.connect(conninfo).close()
    except psycopg.OperationalError:
        return False
    return True


def disconnected(connection):
    try:
        connection.execute("SELECT 1")
    except psycopg.OperationalError:
        return True
    return False


def survived(load):
    """A line of figures."""
    return (
        f"{load.commits:,} transactions seen committed, {load.compared:,} versions compared; {load.repeated} answers lost, "
        f"{load.had_been_committed} of them had been committed; {load.count('refused')} refused and repeated; seed {load.seed}"
    )


# --- the server and its backends ---------------------------------------------------------------------------------


def test_killed_servers(real_server, random, soak, figures):
    """kill -9 of the postmaster and all its processes."""
    crashes = soak(5, 50)
    with Load(real_server, SEED) as load:
        for _ in range(crashes):
            load.run(steps=random.randrange(10, 80))
            real_server.kill()
            load.hold()
            real_server.start()
            load.check()
            load.release()
        load.run(steps=50)
        load.hold()
        load.check()
    figures(f"{crashes} crashes of the server, {survived(load)}")


def test_killed_backends(real_server, random, soak, figures):
    """kill -9 of one backend in a transaction: the server disconnects everybody, recovers, and goes on by itself."""
    crashes = soak(3, 30)
    with Load(real_server, SEED) as load:
        for _ in range(crashes):
            load.run(steps=random.randrange(10, 80))
            with load.connect() as witness:
                os.kill(a_backend(load, random), signal.SIGKILL)
                load.hold()
                wait_until(lambda: disconnected(witness), "the server to disconnect everybody")
            wait_until(lambda: accepts_connections(load.conninfo), "the server's recovery")
            load.check()
            load.release()
        load.run(steps=50)
        load.hold()
        load.check()
    figures(f"{crashes} crashes of a backend, {survived(load)}")


def test_terminated_backends(real_server, random, soak, figures):
    """SIGTERM of one backend: only its client is disconnected, and the rest notices nothing."""
    terminated = soak(20, 1_000)
    with Load(real_server, SEED) as load:
        for number in range(1, terminated + 1):
            load.run(steps=random.randrange(1, 20))
            with load.connect() as connection:
                connection.execute("SELECT pg_terminate_backend(%s, 10000)", [a_backend(load, random)])
            load.until(lambda number=number: load.count("lost") >= number, "the client to notice")
        load.run(steps=50)
        load.hold()
        load.check()
        assert load.count("lost") == terminated
    figures(f"{terminated} backends terminated, {survived(load)}")


def a_backend(load, random):
    """The process of a client, in a transaction if there is one."""
    with load.connect() as connection:
        backends = connection.execute(
            "SELECT state <> 'idle', pid FROM pg_stat_activity WHERE datname = current_database() AND usename = 'engine'"
        ).fetchall()
    busy = [pid for in_transaction, pid in backends if in_transaction]
    return random.choice(busy or [pid for _, pid in backends])


# --- the disk ----------------------------------------------------------------------------------------------------


@pytest.fixture
def small_disk(tmp_path_factory):
    """A function that mounts a file system of so many megabytes on a directory; the test is skipped where that cannot be."""
    with ExitStack() as mounts:

        def mount(directory, megabytes):
            if os.geteuid() != 0:
                pytest.skip("only root may mount a small file system")
            directory.mkdir(exist_ok=True)
            command = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=0700,uid=postgres,gid=postgres", "tmpfs", directory]
            done = subprocess.run(command, capture_output=True, text=True)
            if done.returncode:
                pytest.skip(f"cannot mount a small file system: {done.stderr.strip()}")
            mounts.callback(subprocess.run, ["umount", "--lazy", directory], check=True)
            return directory

        yield mount


def fill(disk, leave):
    """A file that leaves so many megabytes of a file system."""
    free = os.statvfs(disk).f_bavail * os.statvfs(disk).f_frsize
    ballast = disk / "ballast"
    try:
        ballast.write_bytes(bytes(max(0, free - leave * 1024 * 1024)))
    except OSError as error:
        # The load was faster.
        assert error.errno == errno.ENOSPC
    return ballast


def test_full_disk_of_data(private_server, small_disk, random, soak, figures):
    """No room for the tables: writes are refused with 53100, and go on once there is."""
    times, refusals = soak(2, 10), soak(30, 200)
    server = private_server(conf=CONF, fsync=True)
    disk = small_disk(server.directory / "disk", 256)
    with psycopg.connect(server.conninfo(), autocommit=True) as connection:
        connection.execute(f"CREATE TABLESPACE small LOCATION '{disk}'")
    # The check has a connection from before: a new one wants to write a file, too.
    with Load(server, SEED, tablespace="small", bytes_=40_000) as load, load.connect() as connection:
        for _ in range(times):
            load.run(steps=100)
            ballast = fill(disk, leave=0)
            refused = load.count("full")
            load.until(lambda refused=refused: load.count("full") >= refused + refusals, "the disk to be full")
            load.hold()
            load.check(connection)
            ballast.unlink()
            load.release()
        load.run(steps=50)
        load.hold()
        load.check()
        figures(f"disk of data full {times} times, {load.count('full')} calls with 53100; {survived(load)}")
    server.remove()


def test_full_disk_of_wal(small_disk, random, soak, figures):
    """No room for the log: the server stops with PANIC, and recovers once there is."""
    times = soak(2, 10)
    with Server(conf=CONF.replace("64MB", "1GB"), fsync=True) as server:
        disk = small_disk(server.directory / "wal", 192)
        server.stop("fast")
        move_wal(server, disk)
        server.start()
        with Load(server, SEED) as load:
            for number in range(1, times + 1):
                load.run(steps=random.randrange(50, 150))
                ballast = fill(disk, leave=20)
                use_up_segments(server)
                wait_until(lambda: server.process.poll() is not None or panics(server) >= number, "the PANIC")
                load.hold()
                server.stop()
                ballast.unlink()
                start_with_little_wal(server)
                load.check()
                load.release()
            load.run(steps=100)
            load.hold()
            load.check()
        figures(f"disk of the log full {times} times, {panics(server)} PANICs; {survived(load)}")


def move_wal(server, disk):
    """Puts the log of a stopped server on another file system."""
    wal, moved = server.data / "pg_wal", disk / "pg_wal"
    subprocess.run(["cp", "-a", wal, moved], check=True)
    subprocess.run(["rm", "-rf", wal], check=True)
    wal.symlink_to(moved)


def start_with_little_wal(server):
    """Its recovery removes the files of the log that it would else keep for later, until no ballast is left to make room."""
    server.configure("min_wal_size = 32MB\nmax_wal_size = 32MB\n")
    server.start()
    server.configure("max_wal_size = 1GB\n")
    server.run("pg_ctl", "reload", "-s", "-D", server.data)


def use_up_segments(server):
    """Begins one file of the log after the other, until there is no room for the next."""
    try:
        with psycopg.connect(server.conninfo(), autocommit=True) as connection:
            while True:
                connection.execute("SELECT pg_switch_wal()")
                connection.execute("SELECT txid_current()")
    except psycopg.OperationalError:
        pass


def panics(server):
    return len(re.findall("PANIC:.*No space left on device", server.log.read_text(errors="replace")))


# --- clients -----------------------------------------------------------------------------------------------------

WRITE = "SELECT layra.set_variables('r', '{\"half\": true}'), layra.append_event('r', 'half', updates => '{\"other\": true}')"

# A client that opens a transaction, and does so many of its two writes; then it says so, and waits to be killed.
CLIENT = """
import sys, psycopg
connection = psycopg.connect(sys.argv[1])
print(connection.info.backend_pid, flush=True)
connection.execute(sys.argv[2])
print("written", flush=True)
sys.stdin.read()
"""


@contextmanager
def killed_client(conninfo):
    """A client in a process of its own: its backend's pid, and a function that waits until it has written."""
    client = subprocess.Popen([sys.executable, "-c", CLIENT, conninfo, WRITE], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    with client:
        try:
            yield int(client.stdout.readline()), client.stdout.readline, client.kill
        finally:
            client.kill()


@contextmanager
def closed_client(conninfo):
    """A client in this process, whose socket is closed under it."""
    with psycopg.connect(conninfo) as connection:
        pid = connection.info.backend_pid
        connection.pgconn.send_query(f"BEGIN; {WRITE}".encode())

        def close():
            with socket.socket(fileno=os.dup(connection.pgconn.socket)) as end:
                end.shutdown(socket.SHUT_RDWR)

        try:
            yield pid, lambda: None, close
        finally:
            connection.pgconn.finish()


@pytest.mark.parametrize("client", [killed_client, closed_client])
@pytest.mark.parametrize("waits", [False, True], ids=["in its transaction", "while it waits for the run"])
def test_client_that_disappears(dsn, connect, client, waits):
    """Its transaction is rolled back, its locks go, and the run goes on."""
    admin, other = connect(), connect(autocommit=False)
    admin.execute("SELECT layra.start_run('r') WHERE NOT EXISTS (SELECT FROM layra.run)")

    def scalar(query, *arguments):
        return admin.execute(query, arguments).fetchone()[0]

    before = scalar("SELECT layra.digest('r')")
    if waits:
        # Before the client comes, and until it is gone.
        other.execute("SELECT FROM layra.run WHERE run_id = 'r' FOR UPDATE")
    # So that the server looks at the connection also while it waits.
    with client(f"{dsn} options='-c client_connection_check_interval=100'") as (pid, written, disappear):
        if waits:
            wait_until(lambda: scalar("SELECT cardinality(pg_blocking_pids(%s))", pid), "the client to wait")
        else:
            written()
            wait_until(lambda: scalar("SELECT state = 'idle in transaction' FROM pg_stat_activity WHERE pid = %s", pid), "its writes")
        disappear()
        wait_until(lambda: not scalar("SELECT count(*) FROM pg_stat_activity WHERE pid = %s", pid), "its backend to end")
    assert scalar("SELECT count(*) FROM pg_locks WHERE pid = %s", pid) == 0
    assert scalar("SELECT layra.digest('r')") == before
    other.execute("SELECT layra.append_event('r', 'note')")
    other.commit()
    assert scalar("SELECT layra.get_variables('r')") == {}
    assert scalar("SELECT count(*) FROM layra.verify()") == 0


@pytest.mark.parametrize("client", [killed_client, closed_client])
def test_client_that_disappears_from_the_queue(dsn, connect, client):
    """A server that does not look at the connection notices once the lock is there: nothing of the transaction stays."""
    admin, other = connect(), connect(autocommit=False)
    admin.execute("SELECT layra.start_run('r') WHERE NOT EXISTS (SELECT FROM layra.run)")
    other.execute("SELECT layra.append_event('r', 'mine')")
    with client(dsn) as (pid, _, disappear):
        wait_until(lambda: admin.execute("SELECT cardinality(pg_blocking_pids(%s))", [pid]).fetchone()[0], "the client to wait")
        disappear()
        other.commit()
        head = admin.execute("SELECT layra.digest('r')").fetchone()
        wait_until(lambda: not admin.execute("SELECT FROM pg_stat_activity WHERE pid = %s", [pid]).fetchall(), "its backend to end")
    assert admin.execute("SELECT layra.digest('r')").fetchone() == head
    assert admin.execute("SELECT count(*) FROM layra.verify()").fetchone() == (0,)
    other.execute("SELECT layra.append_event('r', 'note')")
    other.commit()
