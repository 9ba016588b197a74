"""A load of several clients that know exactly what must be in the database, whatever happens to it.

    with Load(server) as load:
        load.run(steps=100)
        server.kill()
        load.hold()             # until every client waits
        server.start()
        load.check()            # what any client saw is there, and nothing by half
        load.release()

Each client is a thread with a connection of its own, and goes through the lives of runs with every kind of write. A step is
one call, or a transaction of several. A step whose response was lost is repeated as it was, with the same idempotency keys,
until it is known to have been committed.
"""

import json
import threading
from contextlib import nullcontext
from dataclasses import dataclass, field
from itertools import count
from random import Random

import psycopg
from psycopg import IsolationLevel, sql
from psycopg.types.json import Jsonb
from server import PATIENCE

CLIENTS = 6
SHARED = ["shared a", "shared b", "shared c"]

# PostgreSQL undid the transaction: the step is repeated, and nobody has to ask what became of the first time.
DISK_FULL = "53100"
NO_SUCH_RUN = "P0002"
UNDONE = {"40001", DISK_FULL}

# What a client could not tell the version of, if the server went down right behind the call.
WITHOUT_VERSION = {"pause_run", "next_iteration"}

BIGINT = 20
LEVELS = [None, None, IsolationLevel.REPEATABLE_READ, IsolationLevel.SERIALIZABLE]

FLOW = {
    "nodes": [
        {"id": "plan", "type": "code"}, {"id": "rounds", "type": "loop", "data": {"maxCount": 2}},
        {"id": "search", "type": "http"}, {"id": "report", "type": "llm"},
    ],
    "edges": [
        {"source": "plan", "target": "rounds"}, {"source": "rounds", "target": "search", "sourceHandle": "loop_body"},
        {"source": "search", "target": "rounds", "sourceHandle": "loop_next"}, {"source": "rounds", "target": "report"},
    ],
    "variables": {"count": {"schema": {"type": "integer"}, "default": 0}},
    "policy": {"checkpoint": {"milestones": ["llm"], "before": ["http"], "bytes": 20_000}},
}  # fmt: skip

SETUP = """
    CREATE EXTENSION layra_state;
    SELECT layra.grant_access('engine', 'writer');
    CREATE TABLE outbox (run_id text, version bigint);
    GRANT INSERT ON outbox TO engine;
    CREATE FUNCTION to_outbox(run_id text, version bigint, type text, payload jsonb) RETURNS void LANGUAGE sql
    AS $$ INSERT INTO public.outbox VALUES ($1, $2) $$;
    SELECT layra.on_event('mail.*', 'public.to_outbox(text, bigint, text, jsonb)');
"""

KEYED = """
    SELECT proname FROM pg_proc WHERE pronamespace = 'layra'::regnamespace AND 'idempotency_key' = ANY (proargnames)
"""
HEADS = """
    SELECT e.run_id, e.version, e.hash FROM unnest(%s::text[]) r (run_id), LATERAL (
        SELECT e.run_id, e.version, e.hash FROM layra.event e WHERE e.run_id = r.run_id ORDER BY e.version DESC LIMIT 1
    ) e
"""
# What belongs to a run, and is there without one; mails that were sent without their events, and the other way round.
LEFT_BEHIND = """
    SELECT 'lease', run_id FROM layra.lease WHERE run_id NOT IN (SELECT run_id FROM layra.run)
    UNION ALL SELECT 'interaction', run_id FROM layra.interaction WHERE run_id NOT IN (SELECT run_id FROM layra.run)
    UNION ALL SELECT 'inherited_key', run_id FROM layra.inherited_key WHERE run_id NOT IN (SELECT run_id FROM layra.run)
    UNION ALL SELECT 'inheritance', run_id FROM layra.inheritance WHERE run_id NOT IN (SELECT run_id FROM layra.run)
    UNION ALL SELECT 'bequeathed_key', source::text FROM layra.bequeathed_key WHERE source NOT IN (SELECT source FROM layra.inheritance)
    UNION ALL SELECT 'source', source::text FROM layra.inheritance
    WHERE source NOT IN (SELECT source FROM layra.bequeathed_key WHERE idempotency_key = '' AND version = 0)
    UNION ALL SELECT 'mail', coalesce(o.run_id, e.run_id)
    FROM (SELECT * FROM outbox WHERE run_id IN (SELECT run_id FROM layra.run)) o
    FULL JOIN (SELECT * FROM layra.event WHERE type LIKE 'mail.%') e ON o.run_id = e.run_id AND o.version = e.version
    WHERE o.run_id IS NULL OR e.run_id IS NULL
"""


# --- steps -------------------------------------------------------------------------------------------------------


@dataclass
class Call:
    function: str
    arguments: dict
    run: str | None  # the run that it writes to
    appends: int = 1  # so many versions
    key: str | None = None
    version: int | None = None  # what came back

    @property
    def text(self):
        arguments = ", ".join(f"{name} => %({name})s" for name in self.arguments)
        return f"SELECT * FROM layra.{self.function}({arguments})"


def call(function, run_id, *, appends=1, **arguments):
    return Call(function, {"run_id": run_id, **arguments}, run_id, appends)


@dataclass
class Step:
    calls: list
    transaction: bool
    undo: bool = False  # the client rolls it back
    lost: int = 0  # attempts of which nobody knows whether they were committed


@dataclass
class Journal:
    """What a client saw committed."""

    hashes: dict = field(default_factory=dict)  # run: {version: hash, None where it is not known}
    versions: dict = field(default_factory=dict)  # (run, idempotency key): version
    appended: dict = field(default_factory=dict)  # run: events
    undone: set = field(default_factory=set)  # (run, idempotency key) of what was rolled back
    failures: tuple = (0, 0)  # of the breaker, since its last success, at least and at most
    commits: int = 0

    def forget(self, run):
        """A dropped run."""
        del self.hashes[run]
        self.versions = {place: version for place, version in self.versions.items() if place[0] != run}


class Stopped(Exception):
    """The load is over."""


class Client(threading.Thread):
    def __init__(self, load, number):
        super().__init__(daemon=True)
        self.load = load
        self.number = number
        self.random = Random(f"{load.seed}/{number}")
        self.serial = count(1)
        self.connection = None
        self.journal = Journal()
        self.step = None
        self.lost = self.refused = self.full = 0
        self.error = None

    def run(self):
        lives = self.lives()
        answers = None
        try:
            while True:
                step = lives.send(answers)
                answers = self.perform(step)
        except Stopped:
            pass
        except BaseException as error:
            self.error = error
            self.load.changed()
        finally:
            self.disconnect()

    def disconnect(self):
        if self.connection:
            self.connection.close()
        self.connection = None

    # --- performing ------------------------------------------------------------------------------------------

    def perform(self, step):
        """Does a step until it is known to be committed; what its calls returned."""
        if isinstance(step, Call):
            alone = step.function not in WITHOUT_VERSION and self.random.random() < 0.7
            step = Step([step], transaction=not alone)
        for call in step.calls:
            if call.function in self.load.keyed:
                call.key = call.arguments["idempotency_key"] = f"{self.number}/{next(self.serial)}"
        self.step = step
        while True:
            self.load.gate()
            try:
                answers = self.attempt(step)
            except psycopg.Error as error:
                if self.connection is None or self.connection.closed:
                    self.lost += 1
                    self.disconnect()
                    self.load.back_off()
                elif error.sqlstate in UNDONE:
                    self.refused += 1
                    self.full += error.sqlstate == DISK_FULL
                elif error.sqlstate == NO_SUCH_RUN and step.lost and any(call.function == "drop_run" for call in step.calls):
                    # The run has gone, and the keys of its calls with it: an attempt without an answer was committed.
                    answers = [None] * len(step.calls)
                    self.record(step, answers)
                    break
                else:
                    raise
                self.load.changed()
            else:
                break
        self.step = None
        self.load.changed(steps=1)
        return answers if len(step.calls) > 1 else answers[0]

    def attempt(self, step):
        if self.connection is None:
            self.connection = psycopg.connect(self.load.conninfo, user="engine", autocommit=True)
        before = step.lost
        try:
            return self.transaction(step) if step.transaction else self.autocommit(step)
        except psycopg.Error as error:
            if error.sqlstate in UNDONE and not self.connection.closed:
                step.lost = before
            raise

    def transaction(self, step):
        self.connection.isolation_level = self.random.choice(LEVELS)
        with self.connection.transaction(force_rollback=step.undo):
            answers = [self.execute(call) for call in step.calls]
            heads = self.heads(step)
            step.lost += not step.undo  # from here on it may be committed
        self.record(step, answers)
        if not step.undo:
            self.see(heads)
        return answers

    def autocommit(self, step):
        step.lost += 1
        answers = [self.execute(step.calls[0])]
        self.record(step, answers)
        try:
            self.see(self.heads(step))
        except psycopg.OperationalError:
            if not self.connection.closed:
                raise
        return answers

    def execute(self, call):
        cursor = self.connection.execute(call.text, call.arguments)
        answer = cursor.fetchone()
        call.version = next((value for value, column in zip(answer, cursor.description)
                             if column.name in ("version", call.function) and column.type_code == BIGINT), None)  # fmt: skip
        return answer

    def heads(self, step):
        return self.connection.execute(HEADS, [[call.run for call in step.calls if call.run]]).fetchall()

    def record(self, step, answers):
        """The step is committed, or rolled back as it was meant to be."""
        journal = self.journal
        journal.commits += not step.undo
        for call in step.calls:
            if step.undo:
                journal.undone.add((call.run, call.key))
            elif call.function == "drop_run":
                journal.forget(call.arguments["run_id"])
            elif call.function == "breaker_failure":
                journal.failures = journal.failures[0] + 1, journal.failures[1] + step.lost
            elif call.function == "breaker_success":
                journal.failures = 0, 0
            elif call.run:
                journal.appended[call.run] = journal.appended.get(call.run, 0) + call.appends
                seen = journal.hashes.setdefault(call.run, {})
                # A call that found nothing to do returns an older version, and leaves no key.
                if call.version and call.version > max(seen, default=0):
                    seen[call.version] = None
                    if call.key:
                        journal.versions[call.run, call.key] = call.version

    def see(self, heads):
        for run, version, digest in heads:
            self.journal.hashes.setdefault(run, {})[version] = digest

    # --- what an engine does ---------------------------------------------------------------------------------

    def lives(self):
        """One run after the other, from its start to its end."""
        breaker = {"name": f"breaker {self.number}"}
        yield Call("define_breaker", breaker, None)
        chapters = [self.variables, self.documents, self.log, self.node, self.loop, self.question, self.back, self.fork,
                    self.two_runs, self.two_runs, self.recovery, self.breaker]  # fmt: skip
        while True:
            run = self.new_run()
            yield call("start_run", run, workflow="flow", variables=self.values())
            for chapter in self.random.choices(chapters, k=8):
                yield from chapter(run)
            yield from self.end(run)

    def new_run(self):
        return f"run {self.number}/{next(self.serial)}"

    def values(self):
        random = self.random
        text = "".join(random.choices("abcdefghijklmnopqrstuvwxyz ", k=random.choice((10, 100, self.load.bytes_))))
        return Jsonb({"count": random.randrange(100), random.choice("uvw"): text})

    def variables(self, run):
        yield call("set_variables", run, updates=self.values())
        yield call("set_variable", run, name="w", value=Jsonb(next(self.serial)))
        yield call("unset_variables", run, names=["u", "w"])
        yield call("set_engine", run, fields=Jsonb({"mode": next(self.serial)}))

    def documents(self, run):
        yield call("save_state", run, state=Jsonb({
            "global_variables": self.values().obj, "execution_status": {"plan": True}, "execution_stack": ["report"],
            "loop_index": {}, "context": {"plan": [next(self.serial)]},
        }))  # fmt: skip

    def log(self, run):
        yield call("append_event", run, type="mail.sent", payload=self.values(), updates=self.values())
        events = [{"type": "note"}, {"type": "mail.read", "updates": {"count": 1}}, {"type": "note", "payload": "x" * 3_000}]
        yield call("append_events", run, events=Jsonb(events), appends=3)

    def node(self, run):
        node_id = self.random.choice(("plan", "report"))
        yield call("reset_nodes", run, node_ids=[node_id])
        _, attempt, status, _ = yield call("begin_node", run, node_id=node_id, worker=f"w{self.number}", lease="1 hour")
        assert status == "running"
        yield call("heartbeat", run, appends=0, node_id=node_id, attempt=attempt, lease="2 hours")
        if self.random.random() < 0.7:
            yield call("complete_node", run, node_id=node_id, output=self.values(), updates=self.values(), attempt=attempt)
        else:
            yield call("fail_node", run, node_id=node_id, error=self.values(), attempt=attempt)
            yield call("skip_nodes", run, node_ids=[node_id])

    def loop(self, run):
        yield call("enter_loop", run, loop_id="rounds")
        for index in range(2):
            (begun,) = yield call("next_iteration", run, loop_id="rounds", after=index - 1)
            assert begun == index
            _, attempt, _, _ = yield call("begin_node", run, node_id="search", worker=f"w{self.number}", lease="1 hour")
            yield call("complete_node", run, node_id="search", output=Jsonb(index), attempt=attempt)
        yield call("exit_loop", run, loop_id="rounds")

    def question(self, run):
        (interaction,) = yield call("pause_run", run, node_id="plan", prompt=self.values())
        if self.random.random() < 0.5:
            yield call("resume_run", run, interaction=interaction, response=self.values(), updates=self.values())
        else:
            yield call("withdraw_interaction", run, interaction=interaction)

    def back(self, run):
        label = f"label {next(self.serial)}"
        (version,) = yield call("checkpoint", run, label=label, metadata=self.values())
        yield from self.variables(run)
        yield call("rollback", run, to_version=version)
        yield from self.log(run)
        yield call("rollback_to", run, label=label)
        yield call("protect_checkpoint", run, label=label)

    def fork(self, run):
        fork = self.new_run()
        yield Call("fork_run", {"run_id": run, "new_run_id": fork}, fork)
        yield from self.variables(fork)
        yield Call("drop_run", {"run_id": fork}, None)

    def two_runs(self, run):
        """Transactions over several runs, in the order of their ids."""
        for _ in range(3):
            runs = sorted({run, *self.random.sample(SHARED, 2)})
            calls = [
                self.random.choice((
                    call("set_variables", name, updates=self.values()),
                    call("append_event", name, type="mail.sent", updates=self.values()),
                    call("checkpoint", name),
                    call("append_events", name, events=Jsonb([{"type": "mail.a"}, {"type": "b"}]), appends=2),
                ))
                for name in runs
            ]  # fmt: skip
            yield Step(calls, transaction=True, undo=self.random.random() < 0.2)

    def recovery(self, run):
        yield call("reset_nodes", run, node_ids=["plan"])
        yield call("begin_node", run, node_id="plan")
        yield call("recover_run", run)

    def breaker(self, run):
        breaker = {"name": f"breaker {self.number}"}
        (allowed,) = yield Call("breaker_try", breaker, None)
        assert allowed
        yield Call("breaker_failure", {**breaker, "error": self.values()}, None)
        yield Call("breaker_success", breaker, None)

    def end(self, run):
        """Some runs stay; with the others goes a note in a shared one, in the same transaction."""
        match self.random.randrange(4):
            case 0:
                yield call("cancel_run", run)
                yield call("finish_run", run, status="cancelled")
            case 1:
                yield call("finish_run", run, status="failed", result=self.values())
                yield call("reopen_run", run)
                yield call("finish_run", run)
            case _:
                drop = Call("drop_run", {"run_id": run}, None)
                yield Step([drop, call("append_event", self.random.choice(SHARED), type="mail.dropped")], transaction=True)


# --- the load ----------------------------------------------------------------------------------------------------


class Load:
    """A database in a server and its clients. tablespace: where the database is; bytes: of the larger values."""

    serial = count(1)

    def __init__(self, server, seed, clients=CLIENTS, tablespace="pg_default", bytes_=4_000):
        self.seed = seed
        self.bytes_ = bytes_
        self.database = f"load{next(self.serial)}"
        self.conninfo = server.conninfo(self.database)
        with psycopg.connect(server.conninfo(), autocommit=True) as connection:
            if not connection.execute("SELECT FROM pg_roles WHERE rolname = 'engine'").fetchall():
                connection.execute("CREATE ROLE engine LOGIN")
            names = sql.Identifier(self.database), sql.Identifier(tablespace)
            connection.execute(sql.SQL("CREATE DATABASE {} TABLESPACE {}").format(*names))
        with self.connect() as connection:
            connection.execute(SETUP)
            self.keyed = {name for (name,) in connection.execute(KEYED)}
            connection.execute("SET SESSION AUTHORIZATION engine")
            connection.execute("SELECT layra.define_workflow('flow', %s)", [json.dumps(FLOW)])
            for run in SHARED:
                connection.execute("SELECT layra.start_run(%s, 'flow')", [run])
        self.condition = threading.Condition()
        self.open, self.stopped, self.waiting, self.steps = True, False, 0, 0
        self.repeated = self.had_been_committed = self.compared = 0
        self.clients = [Client(self, number) for number in range(clients)]

    def connect(self):
        return psycopg.connect(self.conninfo, autocommit=True)

    def __enter__(self):
        for client in self.clients:
            client.start()
        return self

    def __exit__(self, *_):
        with self.condition:
            self.stopped = True
            self.condition.notify_all()
        for client in self.clients:
            client.join(30)

    # --- for the clients -------------------------------------------------------------------------------------

    def gate(self):
        """Here the clients wait while the load is held."""
        with self.condition:
            self.waiting += 1
            self.condition.notify_all()
            self.condition.wait_for(lambda: self.open or self.stopped)
            self.waiting -= 1
            if self.stopped:
                raise Stopped

    def changed(self, steps=0):
        with self.condition:
            self.steps += steps
            self.condition.notify_all()

    def back_off(self):
        """The server may be away: no need to ask it a thousand times."""
        with self.condition:
            self.condition.wait_for(lambda: self.stopped or not self.open, timeout=0.05)

    # --- for the test ----------------------------------------------------------------------------------------

    def until(self, reached, why):
        """Lets the load go on until a condition holds."""
        with self.condition:
            done = self.condition.wait_for(lambda: self.broken() or reached(), timeout=PATIENCE)
        for client in self.clients:
            if client.error:
                raise client.error
        assert done, f"the load does not go on, waiting for {why}"

    def broken(self):
        return any(client.error for client in self.clients)

    def run(self, steps):
        """Lets the load do so many steps more."""
        target = self.steps + steps
        self.until(lambda: self.steps >= target, f"step {target}")

    def hold(self):
        """Returns once no client does anything."""
        self.open = False
        self.until(lambda: self.waiting == len(self.clients), "the clients to stand still")

    def release(self):
        with self.condition:
            self.open = True
            self.condition.notify_all()

    def count(self, what):
        return sum(getattr(client, what) for client in self.clients)

    @property
    def commits(self):
        return sum(client.journal.commits for client in self.clients)

    # --- what must hold --------------------------------------------------------------------------------------

    def check(self, connection=None):
        """While the load is held: all that any client saw committed is there, nothing else is, and nothing by half."""
        with nullcontext(connection) if connection else self.connect() as connection:
            assert connection.execute("SELECT * FROM layra.verify()").fetchall() == []
            assert connection.execute(LEFT_BEHIND).fetchall() == []
            stored = {}
            for run, version, digest, key in connection.execute(
                "SELECT run_id, version, hash, idempotency_key FROM layra.event ORDER BY run_id, version"
            ):
                stored.setdefault(run, []).append((version, digest, key))
            runs = {run for (run,) in connection.execute("SELECT run_id FROM layra.run")}
            failures = dict(connection.execute("SELECT name, failures FROM layra.breakers").fetchall())
        assert stored.keys() == runs
        for run, events in stored.items():
            assert [version for version, _, _ in events] == list(range(1, len(events) + 1)), f"{run} has gaps"
        keys = {run: {} for run in stored}
        for run, events in stored.items():
            for version, _, key in events:
                if key is not None:
                    keys[run].setdefault(key, []).append(version)

        known, lengths = set(SHARED), dict.fromkeys(SHARED, 1)
        for client in self.clients:
            committed = self.unanswered(client.step, keys)
            known |= self.compare(client, committed, stored, keys)
            least, most = client.journal.failures
            match client.step and client.step.calls[0].function:
                case "breaker_failure":
                    most += client.step.lost
                case "breaker_success":
                    least = 0
            assert least <= failures.get(f"breaker {client.number}", 0) <= most
            for run in SHARED:
                lengths[run] += client.journal.appended.get(run, 0)
                if committed:
                    lengths[run] += sum(call.appends for call in client.step.calls if call.run == run)
        assert stored.keys() <= known, f"nobody started {stored.keys() - known}"
        assert {run: len(stored[run]) for run in SHARED} == lengths

    def unanswered(self, step, keys):
        """Whether a step without an answer was committed; never only some of its calls. None: that cannot be seen."""
        if step is None:
            return False
        found = {call.key in keys.get(call.run, {}) for call in step.calls if call.key}
        found |= {call.arguments["run_id"] not in keys for call in step.calls if call.function == "drop_run"}
        assert len(found) <= 1, f"a part of {step} is there"
        if not found:
            return None
        committed = found.pop()
        assert step.lost or not committed, f"{step} was refused, and is there"
        self.repeated += step.lost > 0
        self.had_been_committed += committed
        return committed

    def compare(self, client, committed, stored, keys):
        """Compares a client's journal with what is stored; the runs that the client knows of."""
        step, journal = client.step, client.journal
        calls = step.calls if step else []
        dropped = {call.arguments["run_id"] for call in calls if call.function == "drop_run" and committed}
        for run, seen in journal.hashes.items():
            if run in dropped:
                continue
            events = stored.get(run, [])
            assert len(events) >= max(seen), f"{run}: version {max(seen)} was committed, {len(events)} is the newest"
            for version, digest in seen.items():
                assert digest in (None, events[version - 1][1]), f"{run}: version {version} is another one"
                self.compared += 1
            if run not in SHARED:
                more = sum(call.appends for call in calls if call.run == run)
                most = 0 if step is None else step.lost if not all(call.key for call in calls) else min(step.lost, 1)
                assert len(events) - max(seen) in {more * times for times in range(most + 1)}, f"{run}: {step}"
        for (run, key), version in journal.versions.items():
            if run not in dropped:
                assert keys[run][key] == [version], f"{run}: the call with key {key} was made at {keys[run][key]}"
        for run, key in journal.undone:
            assert key not in keys.get(run, {}), f"{run}: {key} was rolled back"
        return journal.hashes.keys() | {call.run for call in calls}
