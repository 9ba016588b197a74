"""Instructions per call, by callgrind on a single-user server: the same figure every time, on a busy machine too.

    with Bench(setup) as bench:                     # setup(connection) prepares the data, on an ordinary server
        sections = bench.count([Section("name", before=[…], statements=[…]), …])

The sections run one after another in one backend. Each is measured between two calls of a marker function, on entering
which callgrind writes down what was counted since the last time. What the marker itself takes is counted in a section
without statements, and subtracted.
"""

import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
from server import SERVER_USER, Server

# A function that is exported, so callgrind knows its name without debugging symbols, and that nothing else calls.
MARKER = "pg_postmaster_start_time"

# Warm: whole pages do not go to the log in the middle of a section, nothing is read from disk, nothing runs beside it.
CONF = """
shared_buffers = 512MB
full_page_writes = off
fsync = off
autovacuum = off
max_wal_size = 8GB
checkpoint_timeout = 1d
jit = off
track_counts = off
"""


class BenchError(Exception):
    pass


@dataclass
class Section:
    """Statements that are measured together, and others that run before it without being measured."""

    name: str
    statements: list
    before: list = field(default_factory=list)
    instructions: int = 0
    profile: Path | None = None


class Bench:
    """A database with data to measure on. Each count() has the data as setup left it."""

    def __init__(self, setup):
        self.setup = setup

    def __enter__(self):
        self.server = Server(conf=CONF)
        self.server.__enter__()
        try:
            with psycopg.connect(self.server.conninfo(), autocommit=True) as connection:
                self.setup(connection)
                connection.execute("CREATE EXTENSION IF NOT EXISTS pg_prewarm")
                connection.execute("VACUUM (ANALYZE, FREEZE)")
            self.server.stop("fast")
        except BaseException:
            self.server.remove()
            raise
        return self

    def __exit__(self, *_):
        self.server.remove()

    def count(self, sections, keep=None):
        """Measures the sections, one after another; {name: instructions}. keep: a directory for their profiles."""
        with tempfile.TemporaryDirectory(prefix="layra-bench-", dir="/tmp") as work:
            work = Path(work)
            if SERVER_USER:
                shutil.chown(work, SERVER_USER["user"], SERVER_USER["group"])
            data = work / "data"
            subprocess.run(["cp", "-a", str(self.server.data), str(data)], check=True)
            profiles = self.run(data, work, script(sections))
            counts = [total(profile) for profile in profiles]
            # Up to the first marker; between the first two; then, for each section, what is before it, and itself.
            marker = counts[1]
            ours = range(3, 2 * len(sections) + 2, 2)
            for section, index in zip(sections, ours, strict=True):
                section.instructions = counts[index] - marker
                if keep:
                    section.profile = Path(keep) / f"{section.name}.callgrind"
                    shutil.copy(profiles[index], section.profile)
        return {section.name: section.instructions for section in sections}

    def run(self, data, work, sql):
        command = [
            "valgrind", "--quiet", "--tool=callgrind", f"--callgrind-out-file={work}/profile",
            f"--dump-before={MARKER}", "--combine-dumps=no",
            str(self.server.bindir / "postgres"), "--single", "-j", "-D", str(data),
            "-c", "log_min_messages=error", "-c", "exit_on_error=on", "postgres",
        ]  # fmt: skip
        done = subprocess.run(command, input=sql, cwd=work, capture_output=True, text=True, **SERVER_USER)
        if done.returncode or re.search(r"\b(ERROR|FATAL|PANIC):", done.stderr):
            raise BenchError(f"the single-user server failed with {done.returncode}:\n{done.stderr[-3000:]}")
        return sorted(work.glob("profile.*"), key=lambda path: int(path.suffix[1:]))


def script(sections):
    """The input of the single-user server: a statement ends with a semicolon and an empty line."""
    marker = f"SELECT {MARKER}()"
    warm = """SELECT sum(pg_prewarm(oid::regclass)) FROM pg_class
        WHERE relkind IN ('r', 'i', 't') AND relpersistence = 'p' AND pg_relation_filenode(oid) IS NOT NULL"""
    statements = [warm, "SET ROLE app", marker, marker]
    for section in sections:
        statements += [*section.before, marker, *section.statements, marker]
    return "".join(re.sub(r"\n\s*\n", "\n", statement.strip().rstrip(";")) + ";\n\n" for statement in statements)


def total(profile):
    with open(profile) as lines:
        for line in lines:
            if line.startswith(("totals:", "summary:")):
                return int(line.split()[1])
    raise BenchError(f"no total in {profile}")
