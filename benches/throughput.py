"""Lines in writes a second: only as ratios of runs that take turns, on a server that writes to disk as a real one does."""

import re
import subprocess
import tempfile
import threading
from collections import Counter
from pathlib import Path

import psycopg
from data import install, runs, text
from server import SERVER_USER, Server
from table import Row, line

ROUNDS, SECONDS, CLIENTS = 4, 4, 8
CONF = "max_wal_size = 4GB\nshared_buffers = 256MB"
SCRIPT = """
\\set n random(1, 1000000000)
SELECT {schema}.set_variable('r' || (:client_id + 1), 'v07', to_jsonb('{padding}' || :n));
"""


def pgbench(server, script, clients):
    command = [
        server.bindir / "pgbench", "--no-vacuum", "--protocol=prepared", f"--client={clients}", f"--jobs={min(clients, 2)}",
        f"--time={SECONDS}", f"--file={script}", "--username=app",
    ]  # fmt: skip
    done = subprocess.run(
        [*map(str, command)], env=server.environment(), capture_output=True, text=True, check=True, **SERVER_USER
    )
    return float(re.search(r"tps = ([\d.]+)", done.stdout)[1])


class Waits:
    """What the clients' backends wait for while the block runs, sampled."""

    def __init__(self, connection):
        self.connection = connection
        self.seen = Counter()

    def __enter__(self):
        self.done = threading.Event()
        self.thread = threading.Thread(target=self.sample)
        self.thread.start()

    def __exit__(self, *_):
        self.done.set()
        self.thread.join()

    def sample(self):
        while not self.done.wait(0.005):
            self.seen.update(self.connection.execute(
                "SELECT wait_event_type, wait_event FROM pg_stat_activity WHERE usename = 'app' AND state = 'active'"
            ).fetchall())  # fmt: skip


@line()
def writers():
    """pgbench with prepared statements and 8 connections, each setting a variable of its own run for 4 seconds, against one
    connection; hand-written SQL the same; 4 rounds in turn, fsync on. Meanwhile pg_stat_activity is sampled every 5 ms."""
    speed = Counter()
    with Server(conf=CONF, fsync=True) as server, psycopg.connect(server.conninfo(), autocommit=True) as connection:
        install(connection)
        runs(connection, CLIENTS)
        waits = Waits(connection)
        with tempfile.TemporaryDirectory(prefix="layra-bench-", dir="/tmp") as directory:
            Path(directory).chmod(0o755)
            scripts = {}
            for schema in ("layra", "by_hand"):
                scripts[schema] = Path(directory, schema)
                scripts[schema].write_text(SCRIPT.format(schema=schema, padding=text("padding", 100)))
            for _ in range(ROUNDS):
                for schema in scripts:
                    speed[schema, 1] += pgbench(server, scripts[schema], 1) / ROUNDS
                with waits:
                    speed["layra", CLIENTS] += pgbench(server, scripts["layra"], CLIENTS) / ROUNDS
                speed["by_hand", CLIENTS] += pgbench(server, scripts["by_hand"], CLIENTS) / ROUNDS
    samples = sum(waits.seen.values())
    # `extend` is PostgreSQL's lock for adding a page to a table, whoever inserts.
    locks = sum(count for (kind, event), count in waits.seen.items() if kind in ("Lock", "Extension") and event != "extend")
    seen = {f"{kind or 'running'} {event or ''}".strip(): count for (kind, event), count in waits.seen.most_common()}
    scaling = {schema: speed[schema, CLIENTS] / speed[schema, 1] for schema in scripts}
    return [
        Row("writers on 8 different runs: waits for a lock", locks, f"of {samples:,} samples", "≤ 0", seen),
        Row("writes a second with 8 connections against 1", scaling["layra"] / scaling["by_hand"], "× hand-written SQL's", "≥ 1",
            {"layra": round(scaling["layra"], 2), "hand-written SQL": round(scaling["by_hand"], 2)}
            | {f"{schema} {clients}": round(tps) for (schema, clients), tps in speed.items()}),
    ]  # fmt: skip
