"""A durable step from a client in Python, beside what people use today: each through its own library, on one server that
writes to disk as a real one does, in turn."""

import json
import logging
import subprocess
import sys
import time
import uuid
from collections import defaultdict
from contextlib import ExitStack
from pathlib import Path
from statistics import median

import psycopg
from absurd_sdk import Absurd
from data import install, text
from dbos import DBOS
from eventsourcing.persistence import StoredEvent
from eventsourcing.postgres import PostgresFactory
from langgraph.checkpoint.base import empty_checkpoint
from langgraph.checkpoint.postgres import PostgresSaver
from server import Server
from table import Row, line

ROUNDS, STEPS = 9, 60
CONF = "max_wal_size = 4GB\nshared_buffers = 256MB"


def result(n):
    """What a step returns: 120 bytes as JSON, different each time."""
    return text(f"step {n}", 118)


def timed(work):
    """Seconds for each of STEPS calls of work(n)."""
    began = time.monotonic()
    for n in range(STEPS):
        work(n)
    return (time.monotonic() - began) / STEPS


class Layra:
    """The result of a step under its name, once: the step's name is the idempotency key, too."""

    def __init__(self, server, stack):
        self.connection = stack.enter_context(psycopg.connect(server.conninfo() + " user=app", autocommit=True))
        self.count = 0

    def steps(self):
        self.count += 1
        run = f"run {self.count}"
        self.connection.execute("SELECT layra.start_run(%s)", [run])
        return timed(lambda n: self.step(run, n))

    def step(self, run, n):
        self.connection.execute(
            "SELECT layra.set_variable(%s, %s, %s, idempotency_key => %s)",
            [run, f"step {n}", json.dumps(result(n)), f"step {n}"], prepare=True,
        ).fetchone()  # fmt: skip

    def latest(self):
        return timed(lambda _: self.connection.execute("SELECT layra.get_state(%s)", ["run 1"], prepare=True).fetchone())


class ByHand(Layra):
    def steps(self):
        self.count += 1
        run = f"run {self.count}"
        self.connection.execute("INSERT INTO by_hand.run VALUES (%s)", [run])
        return timed(lambda n: self.step(run, n))

    def step(self, run, n):
        self.connection.execute(
            "SELECT by_hand.set_variable(%s, %s, %s)", [run, f"step {n}", json.dumps(result(n))], prepare=True
        ).fetchone()


class Insert(Layra):
    """The floor: the same bytes in a row of a table with one index."""

    def __init__(self, server, stack):
        super().__init__(server, stack)
        with psycopg.connect(server.conninfo(), autocommit=True) as connection:
            connection.execute("CREATE TABLE step (run_id text, name text, value jsonb, PRIMARY KEY (run_id, name))")
            connection.execute("GRANT INSERT ON step TO app")

    def steps(self):
        self.count += 1
        run = f"run {self.count}"
        return timed(lambda n: self.connection.execute(
            "INSERT INTO step VALUES (%s, %s, %s)", [run, f"step {n}", json.dumps(result(n))], prepare=True
        ))  # fmt: skip


class LangGraph:
    """PostgresSaver.put of a checkpoint with one changed channel, as its graphs do after each step."""

    def __init__(self, server, stack):
        self.saver = stack.enter_context(PostgresSaver.from_conn_string(server.conninfo()))
        self.saver.setup()
        self.count = 0

    def steps(self):
        self.count += 1
        self.config = {"configurable": {"thread_id": f"thread {self.count}", "checkpoint_ns": ""}}
        self.values = {}
        return timed(self.step)

    def step(self, n):
        self.values[f"step {n}"] = result(n)
        versions = {name: 1 for name in self.values}
        checkpoint = empty_checkpoint() | {"channel_values": dict(self.values), "channel_versions": versions}
        metadata = {"source": "loop", "step": n, "parents": {}}
        self.config = self.saver.put(self.config, checkpoint, metadata, {f"step {n}": 1})

    def latest(self):
        config = {"configurable": {"thread_id": "thread 1", "checkpoint_ns": ""}}
        return timed(lambda _: self.saver.get_tuple(config))

    def list(self):
        config = {"configurable": {"thread_id": "thread 1", "checkpoint_ns": ""}}
        return timed(lambda _: list(self.saver.list(config, limit=10)))


class Dbos:
    """A recorded step inside a workflow."""

    def __init__(self, server, stack):
        # A URL, as SQLAlchemy wants it; the socket's directory is its host.
        url = f"postgresql+psycopg://postgres@/postgres?host={server.directory}&port=5432"
        DBOS(config={"name": "bench", "system_database_url": url, "log_level": "ERROR", "run_admin_server": False})

        @DBOS.step()
        def step(n):
            return result(n)

        @DBOS.workflow()
        def workflow():
            return timed(step)

        self.steps = workflow
        DBOS.launch()
        stack.callback(DBOS.destroy)


class AbsurdTask:
    """A checkpoint of a task."""

    def __init__(self, server, stack):
        control = Path(sys.executable).with_name("absurdctl")
        subprocess.run([control, "init"], env=server.environment(), check=True, capture_output=True)
        self.app = Absurd(server.conninfo(), queue_name="bench")
        stack.callback(self.app.close)
        self.app.create_queue()

        @self.app.register_task(name="steps")
        def task(params, context):
            self.seconds = timed(lambda n: context.step(f"step {n}", lambda: result(n)))

    def steps(self):
        self.app.spawn("steps", {})
        self.app.work_batch()
        return self.seconds


class EventSourcing:
    """One event appended by the recorder of its applications."""

    def __init__(self, server, stack):
        factory = PostgresFactory({
            "PERSISTENCE_MODULE": "eventsourcing.postgres", "POSTGRES_DBNAME": "postgres",
            "POSTGRES_HOST": str(server.directory), "POSTGRES_PORT": "5432", "POSTGRES_USER": "postgres",
            "POSTGRES_PASSWORD": "none",
        })  # fmt: skip
        stack.callback(factory.close)
        self.recorder = factory.application_recorder()

    def steps(self):
        originator = uuid.uuid4()
        return timed(lambda n: self.recorder.insert_events([
            StoredEvent(originator, n + 1, "bench:Step", json.dumps(result(n)).encode())
        ]))  # fmt: skip


SIDES = {
    "layra": Layra, "hand-written SQL": ByHand, "INSERT": Insert, "LangGraph put": LangGraph, "DBOS step": Dbos,
    "absurd step": AbsurdTask, "eventsourcing append": EventSourcing,
}  # fmt: skip
GOALS = {"DBOS step": "≥ 10", "LangGraph put": "≥ 3", "absurd step": "≥ 3", "eventsourcing append": "≥ 3"}


def rounds(server, stack):
    """{what: seconds for each call, round by round}."""
    seconds = defaultdict(list)
    sides = {name: side(server, stack) for name, side in SIDES.items()}
    for round_ in range(ROUNDS + 1):
        for name, side in sides.items():
            taken = side.steps()
            # The first round warms everybody.
            if round_:
                seconds[name].append(taken)
    for _ in range(ROUNDS):
        seconds["get_state"].append(sides["layra"].latest())
        seconds["get_tuple"].append(sides["LangGraph put"].latest())
        seconds["list"].append(sides["LangGraph put"].list())
    return seconds


def beside(seconds, other, ours="layra"):
    """How much faster ours is: the median of the rounds' ratios, and the medians themselves."""
    ratio = median(theirs / own for theirs, own in zip(seconds[other], seconds[ours], strict=True))
    return ratio, {"µs": round(median(seconds[ours]) * 1e6), other: round(median(seconds[other]) * 1e6)}


def measured(conf):
    logging.disable(logging.WARNING)
    with Server(conf=CONF + conf, fsync=True) as server, ExitStack() as stack:
        with psycopg.connect(server.conninfo(), autocommit=True) as connection:
            install(connection)
        return rounds(server, stack)


@line()
def steps():
    """One durable step after another from one Python client, each with a result of 120 bytes, 60 in a run, 9 rounds in which
    the sides take turns; fsync on. The figure is the median of the rounds' ratios. layra: set_variable with an idempotency
    key through psycopg, prepared; the others through their own libraries as their documentation shows."""
    seconds = measured("")
    return [
        Row(f"a durable step, beside {name}", ratio, "× as fast", GOALS.get(name, ""), raw)
        for name in SIDES if name != "layra"
        for ratio, raw in [beside(seconds, name)]
    ]  # fmt: skip


@line()
def steps_without_disk():
    """The same with synchronous_commit = off for every side, so that nobody waits for the disk: what is left is the work of
    client and server. And reading: get_state beside PostgresSaver.get_tuple, of 60 steps' results."""
    seconds = measured("\nsynchronous_commit = off")
    rows = [
        Row(f"a step that does not wait for the disk, beside {name}", ratio, "× as fast", GOALS.get(name, ""), raw)
        for name in SIDES if name != "layra"
        for ratio, raw in [beside(seconds, name)]
    ]  # fmt: skip
    ratio, raw = beside(seconds, "get_tuple", "get_state")
    raw["list of 10"] = beside(seconds, "list", "get_state")[1]["list"]
    return [*rows, Row("reading the results of 60 steps, beside LangGraph get_tuple", ratio, "× as fast", "", raw)]
