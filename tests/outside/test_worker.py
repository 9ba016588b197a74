"""The example worker, killed with kill -9 wherever it hurts, and started again: as if nothing had happened.

Where a worker is killed is exact. A handler lets it wait inside its call, after the event that a test names and before
the commit; there it dies. Its backend does not notice: a call of its own then commits with nobody left to read the
answer, and a call within a transaction, which nobody is left to commit, is undone.
"""

import json
import os
import subprocess
import sys
from ast import literal_eval
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest
from execution import call, events, sound, state, status
from psycopg.conninfo import conninfo_to_dict
from server import PATIENCE

ROOT = Path(__file__).parent.parent.parent
WORKER = ROOT / "examples/python/worker.py"
RECORDING = ROOT / "tests/data/layra-trace.jsonl"
# A handler that waits for a lock, after the n-th event of a type at a node.
STOPS = """
CREATE TABLE stop (key integer, type text, node text, occurrence integer);
GRANT SELECT ON stop TO PUBLIC;
CREATE FUNCTION stop_here(run_id text, version bigint, type text, payload jsonb) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    place CONSTANT text := coalesce(payload ->> 'node_id', payload ->> 'loop_id', '');
BEGIN
    PERFORM pg_advisory_xact_lock_shared(s.key) FROM public.stop s
    WHERE (s.type, s.node) = (stop_here.type, place) AND s.occurrence = (
        SELECT count(*) FROM layra.event e WHERE e.run_id = stop_here.run_id AND e.type = s.type
        AND coalesce(e.payload ->> 'node_id', e.payload ->> 'loop_id', '') = s.node);
END $$;
SELECT layra.on_event(type, 'stop_here(text, bigint, text, jsonb)') FROM unnest(ARRAY['node.started', 'node.completed',
    'node.skipped', 'loop.*', 'engine.chunk', 'interaction.requested', 'run.finished']) AS type;
"""


@pytest.fixture(scope="module")
def engine(dsn, role):
    """The role of the workers, which may write its own runs and no more."""
    engine = role("engine")
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("SELECT layra.grant_access(%s, 'writer')", [engine])
        connection.execute(STOPS)
    return engine


class Run:
    """A run, and the programs that work on it."""

    def __init__(self, dsn, engine, directory, run_id):
        database = conninfo_to_dict(dsn)["dbname"]
        self.environment = os.environ | {"PGDATABASE": database, "PGUSER": engine}
        self.run_id, self.worklog = run_id, directory / f"{run_id}.worklog"
        self.processes = []
        self.do("--start", RECORDING)

    def do(self, *arguments):
        """Runs the program to its end; what it printed."""
        return self.end_of(self.begin(*arguments))

    def begin(self, *arguments):
        command = [sys.executable, WORKER, "--run", self.run_id, *map(str, arguments)]
        process = subprocess.Popen(command, env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.processes.append(process)
        return process

    def end_of(self, process):
        output, errors = process.communicate(timeout=PATIENCE)
        assert (process.returncode, errors) == (0, "")
        return output

    def worker(self, name="w1"):
        return self.begin("--worker", name, "--worklog", self.worklog, "--lease", 3600)

    def answer(self, text="The board reads only the summary."):
        self.do("--answer", text, "--as", "alice")

    def work(self):
        """Node and iteration → attempts → units of work."""
        work = {}
        for line in self.worklog.read_text().splitlines():
            node, attempt, iteration = line.split()
            work.setdefault((node, iteration), Counter())[int(attempt)] += 1
        return work

    def repeated(self):
        """What was worked on in more than one attempt. The last attempt at everything did all of its work."""
        for (node, iteration), attempts in self.work().items():
            assert attempts[max(attempts)] == (3 if node in ("n_draft", "n_review") else 1), (node, iteration)
        return sorted(what for what, attempts in self.work().items() if len(attempts) > 1)


@pytest.fixture(scope="module")
def directory(tmp_path_factory):
    return tmp_path_factory.mktemp("worklogs")


@pytest.fixture
def new_run(dsn, engine, directory):
    runs = []

    def new_run(run_id):
        runs.append(Run(dsn, engine, directory, run_id))
        return runs[-1]

    yield new_run
    for run in runs:
        for process in run.processes:
            process.kill()
            process.communicate()


class Stops:
    """Places at which workers wait, inside their calls, until the test lets what is left of them go on."""

    def __init__(self, observer, keys, places):
        self.observer, self.keys = observer, keys
        observer.execute("DELETE FROM stop")
        for key, place in enumerate(places):
            keys.execute("SELECT pg_advisory_lock(%s)", [key])
            observer.execute("INSERT INTO stop VALUES (%s, %s, %s, %s)", [key, *place])

    def reached(self, key, *workers):
        waiting = "SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND objid = %s AND NOT granted"
        while not self.observer.execute(waiting, [key]).fetchone():
            for worker in workers:
                assert worker.poll() is None, f"stop {key} was not reached: {worker.communicate()[1][-500:]}"

    def waits(self, count):
        """Until so many sessions wait for a lock."""
        waiting = """
            SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'
        """
        while self.observer.execute(waiting).fetchone() != (count,):
            pass

    def leave(self, key):
        self.keys.execute("SELECT pg_advisory_unlock(%s)", [key])


@pytest.fixture
def stops(admin, connect):
    yield lambda *places: Stops(admin, connect(), places)
    admin.execute("DELETE FROM stop")


def document(connection, run_id):
    """The whole state as it is stored, number for number."""
    return connection.execute("SELECT layra.get_state(%s)::text", [run_id]).fetchone()[0]


@pytest.fixture(scope="module")
def never_killed(dsn, engine, directory):
    """A run whose worker was never killed."""
    run = Run(dsn, engine, directory, "never killed")
    assert run.end_of(run.worker()).endswith("the run is paused\n")
    run.answer()
    assert run.end_of(run.worker()).endswith("the run is completed\n")
    return run


def assert_same(connection, run, never_killed):
    assert status(connection, run.run_id) == "completed"
    assert document(connection, run.run_id) == document(connection, never_killed.run_id)
    results = "SELECT DISTINCT result FROM layra.run WHERE run_id IN (%s, %s)"
    assert len(connection.execute(results, [run.run_id, never_killed.run_id]).fetchall()) == 1
    assert run.work().keys() == never_killed.work().keys()
    held = "SELECT node_id FROM layra.lease WHERE run_id = %s AND held"
    assert connection.execute(held, [run.run_id]).fetchall() == []
    sound(connection, run.run_id)


def test_it_does_what_the_real_engine_did(never_killed, admin):
    """The recording's last state has the same variables and the same outputs of all nodes."""
    recorded = json.loads(RECORDING.read_text().splitlines()[-1])["state"]
    found = state(admin, never_killed.run_id)
    variables = {name: literal_eval(text or "''") for name, text in recorded["global_variables"].items()}
    assert found["global_variables"] == variables
    assert found["context"] == recorded["context"]
    assert found["loop_index"] == {"loop_sections": 2, "loop_rounds": 3}
    assert set(found["execution_status"].values()) == {True}
    assert never_killed.repeated() == []
    assert len(never_killed.work()) == 43
    assert sum(sum(attempts.values()) for attempts in never_killed.work().values()) == 43 + 13 * 2
    assert list(admin.execute("SELECT * FROM layra.validate_run(%s)", [never_killed.run_id])) == []
    sound(admin, never_killed.run_id)


# Where a worker is killed, and what of its work has to be done again: nothing where the completion was committed, though
# nobody read the answer, and nothing where no work had begun.
KILLS = [
    ("node.started", "n_init", 1, None),
    ("loop.entered", "loop_sections", 1, None),
    ("node.started", "n_plan", 1, None),
    ("engine.chunk", "n_draft", 2, ("n_draft", "0.0")),
    ("node.completed", "n_draft", 2, None),
    ("node.completed", "cond_quality", 3, ("cond_quality", "0.2")),
    ("loop.iteration", "loop_rounds", 4, None),
    ("node.skipped", "", 5, ("cond_quality", "1.0")),
    ("node.completed", "n_accept", 2, None),
    ("loop.exited", "loop_rounds", 2, None),
    ("engine.chunk", "n_draft", 29, ("n_draft", "2.0")),
    ("loop.exited", "loop_sections", 1, None),
    ("interaction.requested", "n_review", 1, None),
    ("engine.chunk", "n_review", 3, ("n_review", "-")),
    ("node.completed", "n_final", 1, None),
    ("run.finished", "", 1, None),
]


def test_killed_at_many_places(new_run, stops, admin, never_killed):
    run = new_run("killed")
    stop = stops(*(place for *place, _ in KILLS))
    worker = run.worker()
    for key, (kind, node, *_) in enumerate(KILLS):
        if (kind, node) == ("engine.chunk", "n_review"):
            assert run.end_of(worker).endswith("the run is paused\n")
            run.answer()
            worker = run.worker()
        stop.reached(key, worker)
        worker.kill()
        worker.wait()
        if key % 2:
            # The next one comes while the backend of the dead one is still there.
            worker = run.worker()
            stop.waits(2)
            stop.leave(key)
        else:
            stop.leave(key)
            worker = run.worker()
    run.end_of(worker)
    assert_same(admin, run, never_killed)
    assert run.repeated() == sorted(cut for *_, cut in KILLS if cut)


def test_another_worker_takes_over(new_run, stops, admin, engine, never_killed):
    """It has to wait for the end of the dead one's lease, in the middle of a node's work."""
    run = new_run("taken over")
    stop = stops(("engine.chunk", "n_draft", 14))
    worker = run.worker("w1")
    stop.reached(0, worker)
    worker.kill()
    stop.leave(0)
    try:
        admin.execute(f"ALTER ROLE {engine} SET layra.now = '{{}}'".format(
            *admin.execute("SELECT now() + interval '2 hours'").fetchone()
        ))  # fmt: skip
        assert "with n_draft" in run.end_of(run.worker("w2")).splitlines()[0]
        run.answer()
        run.end_of(run.worker("w3"))
    finally:
        admin.execute(f"ALTER ROLE {engine} RESET layra.now")
    assert "run.recovered" in events(admin, run.run_id)
    assert_same(admin, run, never_killed)
    assert run.repeated() == [("n_draft", "1.0")]


@pytest.mark.parametrize("count", [2, 5])
def test_several_workers_at_once(new_run, stops, admin, never_killed, count):
    """They begin at the same moment: one is held at its first step until all the others wait for it."""
    run = new_run(f"{count} workers")
    stop = stops(("node.started", "node_start", 1), ("node.started", "n_review", 1))
    for key in range(2):
        workers = [run.worker(f"w{number}") for number in range(count)]
        stop.reached(key, *workers)
        stop.waits(count)
        stop.leave(key)
        for worker in workers:
            run.end_of(worker)
        if key == 0:
            run.answer()
    assert_same(admin, run, never_killed)
    assert run.repeated() == []
    began = Counter(events(admin, run.run_id))["node.started"]
    assert began == len(run.work())


def test_two_workers_of_which_one_is_killed_again_and_again(new_run, stops, admin, never_killed):
    """The other one goes on, except where it has to wait for a lease; the dead one comes back and takes its node again."""
    run = new_run("one of two")
    places = [("engine.chunk", "n_draft", n) for n in range(2, 40, 6)]
    stop = stops(*places)
    workers = {name: run.worker(name) for name in ("w1", "w2")}
    for key in range(len(places)):
        stop.reached(key, *workers.values())
        (name,) = admin.execute(
            "SELECT application_name FROM pg_stat_activity WHERE pid = (SELECT pid FROM pg_locks "
            "WHERE locktype = 'advisory' AND objid = %s AND NOT granted)", [key]
        ).fetchone()  # fmt: skip
        workers[name].kill()
        workers[name].wait()
        stop.leave(key)
        workers[name] = run.worker(name)
    for worker in workers.values():
        run.end_of(worker)
    run.answer()
    run.end_of(run.worker())
    assert_same(admin, run, never_killed)
    assert len(run.repeated()) == len(places)


def test_a_rollback_while_a_worker_is_at_work(new_run, stops, admin, never_killed):
    """The work in hand does not count any more, and the worker goes on from the state that was restored."""
    run = new_run("rolled back")
    stop = stops(("engine.chunk", "n_draft", 20))
    worker = run.worker()
    stop.reached(0)
    (version,) = admin.execute(
        "SELECT version FROM layra.event WHERE run_id = %s AND type = 'loop.iteration' ORDER BY version OFFSET 3 LIMIT 1",
        [run.run_id],
    ).fetchone()
    with ThreadPoolExecutor(1) as pool:
        back = pool.submit(call, admin, "rollback(%s, %s, 'the second round was wrong')", run.run_id, version)
        observer = psycopg.connect(admin.info.dsn, autocommit=True)
        Stops(observer, observer, ()).waits(2)
        stop.leave(0)
        rolled_back = back.result()
    run.end_of(worker)
    assert state(admin, run.run_id, rolled_back) == state(admin, run.run_id, version)
    run.answer()
    run.end_of(run.worker())
    assert_same(admin, run, never_killed)
    repeated = run.repeated()
    assert ("n_draft", "0.2") in repeated and ("n_draft", "1.1") in repeated and ("n_plan", "1") in repeated
    assert ("n_draft", "0.1") not in repeated and ("n_draft", "1.3") not in repeated


def test_a_rollback_to_the_question(new_run, stops, admin, never_killed):
    """The person is asked again, and what was done with the first answer is done again."""
    run = new_run("asked again")
    run.end_of(run.worker())
    (version,) = admin.execute("SELECT version FROM layra.interactions WHERE run_id = %s", [run.run_id]).fetchone()
    run.answer("Nothing.")
    stop = stops(("engine.chunk", "n_review", 2))
    worker = run.worker()
    stop.reached(0, worker)
    worker.kill()
    stop.leave(0)
    call(admin, "rollback(%s, %s)", run.run_id, version)
    assert status(admin, run.run_id) == "paused"
    assert "paused" in run.end_of(run.worker())
    run.answer("The summary.")
    run.end_of(run.worker())
    assert_same(admin, run, never_killed)
    chunks = admin.execute(
        "SELECT payload ->> 'input' FROM layra.event WHERE run_id = %s AND type = 'engine.chunk' AND payload ? 'input' "
        "ORDER BY version", [run.run_id]
    ).fetchall()  # fmt: skip
    assert len(chunks) >= 4


def test_a_cancelled_run_is_finished_by_its_worker(new_run, stops, admin):
    run = new_run("cancelled")
    stop = stops(("engine.chunk", "n_draft", 5))
    worker = run.worker()
    stop.reached(0, worker)
    worker.kill()
    stop.leave(0)
    call(admin, "cancel_run(%s, 'not needed any more')", run.run_id)
    run.end_of(run.worker())
    assert status(admin, run.run_id) == "cancelled"
    sound(admin, run.run_id)


def test_a_worker_that_comes_as_the_run_ends(new_run, stops, admin, connect):
    """It has seen it running, and finds it ended."""
    run, other = new_run("ends"), connect()
    with other.transaction():
        call(other, "finish_run(%s, 'completed')", run.run_id)
        worker = run.worker()
        stops().waits(1)
    assert "the run is completed" in run.end_of(worker)
    sound(admin, run.run_id)
