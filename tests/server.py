"""A private PostgreSQL server in a temporary directory, listening on a Unix socket in there only.

    with Server() as server:
        psycopg.connect(server.conninfo()).execute("SELECT 1")
        server.kill()       # as kill -9 of the postmaster and all its children
        server.start()

The superuser is `postgres`; every role may log in without a password. Leaving the block stops the server and removes the
directory. Should the process that made it be killed, the kernel stops the server.
"""

import ctypes
import os
import shlex
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

PG_CONFIG = os.environ.get("PG_CONFIG") or "/usr/lib/postgresql/15/bin/pg_config"

# Seconds after which something that a test waits for never comes: much more than it takes where a machine is busy with ten
# other things.
PATIENCE = 600

# A program to run servers under, and its arguments.
UNDER = shlex.split(os.environ.get("CLUSTER_UNDER", ""))

CONF = """
listen_addresses = ''
unix_socket_directories = '{directory}'
max_connections = 100
shared_preload_libraries = ''
log_line_prefix = '%m [%p] %q%u@%d '
"""
CONF_FAST = """
fsync = off
full_page_writes = off
"""

# PostgreSQL refuses to run as root.
SERVER_USER = {"user": "postgres", "group": "postgres", "extra_groups": []} if os.geteuid() == 0 else {}

libc = ctypes.CDLL(None)
PR_SET_PDEATHSIG = 1


class ServerError(Exception):
    """The server cannot be made or started; the text has what it printed."""


def die_with_parent():
    """Has the kernel stop the server at once, should this process be killed with no chance to do so."""
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGQUIT)


class Server:
    """conf: more lines for postgresql.conf. fsync: write to disk as a real server does. log: a file for the server's log.
    pg_config: that of another PostgreSQL."""

    def __init__(self, conf="", fsync=False, log=None, pg_config=PG_CONFIG):
        self.conf = CONF + ("" if fsync else CONF_FAST) + conf + "\n"
        self.bindir = Path(subprocess.check_output([pg_config, "--bindir"], text=True).strip())
        self.pg_config = pg_config
        # The path of a socket has a limit of 107 bytes, which TMPDIR may exceed.
        self.directory = Path(tempfile.mkdtemp(prefix="layra-", dir="/tmp"))
        self.data = self.directory / "data"
        self.log = Path(log or self.directory / "log")
        self.process = None
        if SERVER_USER:
            shutil.chown(self.directory, SERVER_USER["user"], SERVER_USER["group"])

    def __enter__(self):
        try:
            if not self.data.exists():
                self.create()
            self.start()
        except BaseException:
            self.remove()
            raise
        return self

    def __exit__(self, *_):
        self.remove()

    def remove(self):
        self.stop()
        shutil.rmtree(self.directory, ignore_errors=True)

    def run(self, program, *arguments, **options):
        """Runs one of the server's programs (pg_dump, pg_basebackup …) as the server's user, with this server as its
        default; returns its CompletedProcess. check=False: also where it fails."""
        check = options.pop("check", True)
        command = [self.bindir / program, *map(str, arguments)]
        options = {"cwd": self.directory, "capture_output": True, "text": True, "env": self.environment()} | options
        done = subprocess.run(command, **options, **SERVER_USER)
        if check and done.returncode:
            raise ServerError(f"{program} failed with {done.returncode}:\n{done.stdout or ''}{done.stderr or ''}")
        return done

    def environment(self):
        """The environment for a program that is to find this server."""
        env = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
        return env | {
            "PGHOST": str(self.directory), "PGPORT": "5432", "PGUSER": "postgres", "PGDATABASE": "postgres",
            "PGDATA": str(self.data), "PG_BINDIR": str(self.bindir), "PG_CONFIG": str(self.pg_config),
        }

    def conninfo(self, dbname="postgres"):
        return f"host={self.directory} port=5432 user=postgres dbname={dbname}"

    def create(self):
        """Makes an empty cluster."""
        self.run("initdb", "-D", self.data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "-N")
        self.configure(self.conf.format(directory=self.directory))

    def configure(self, lines):
        """Adds lines to postgresql.conf."""
        with open(self.data / "postgresql.conf", "a") as conf:
            conf.write(lines)

    def start(self, timeout=PATIENCE):
        """Starts the server, and returns once it accepts connections."""
        with open(self.log, "ab") as output:
            self.process = subprocess.Popen(
                [*UNDER, self.bindir / "postgres", "-D", self.data],
                cwd=self.directory, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                start_new_session=True, preexec_fn=die_with_parent, **SERVER_USER,
            )
        deadline = time.monotonic() + timeout
        while self.run("pg_isready", "-q", check=False).returncode != 0:
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise ServerError(f"the server does not start:\n{self.log.read_text()}")
            time.sleep(0.02)

    def stop(self, mode="immediate"):
        """Stops the server: immediate, fast or smart."""
        # By its pid file, as a command may have restarted it.
        if (self.data / "postmaster.pid").exists():
            self.run("pg_ctl", "stop", "-D", self.data, "-m", mode, "-s", check=False)
        if self.process:
            try:
                self.process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                self.kill()
            self.process = None

    def kill(self):
        """Kills the postmaster and every process of it with SIGKILL, as the out-of-memory killer or a reset may."""
        # The server is the leader of its own session; backends are in process groups of their own.
        # It is stopped first: a backend that it starts while the others are killed would live on, waiting for one of them.
        postmaster = self.process.pid
        os.kill(postmaster, signal.SIGSTOP)
        children = subprocess.run(["ps", "-o", "pid=", "--ppid", str(postmaster)], capture_output=True, text=True).stdout
        os.kill(postmaster, signal.SIGKILL)
        for pid in children.split():
            try:
                os.kill(int(pid), signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.process.wait()
        self.process = None
        (self.data / "postmaster.pid").unlink(missing_ok=True)
