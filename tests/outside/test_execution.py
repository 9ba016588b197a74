"""All functions of the execution state in random order, on a few runs, and what must hold after each call.

The state machine is not modelled a second time. After each call these hold, whatever it was: versions have no gap, an
error changed nothing, attempts of a node only grow, nobody takes a node that another one holds, a call that is repeated
does nothing twice, and the state at every version is what it was then. `LAYRA_SEED` repeats a sequence, `LAYRA_OPS` sets
its length.
"""

import json
import os
from collections import Counter
from random import Random, SystemRandom

import psycopg
import pytest
from execution import content, flow, rows, set_now, sound
from ways import prepare  # noqa: F401

OPERATIONS = int(os.environ.get("LAYRA_OPS") or 2500)
NODES = ("prepare", "draft", "think", "step", "review", "report", "stranger")
LOOPS = ("outer", "middle", "inner", "elsewhere")
WORKERS = ("w1", "w2", None)
LEASES = (None, "3 minutes", "20 minutes")
# What a program may meet; anything else is a mistake of the test or of the extension.
EXPECTED = {"22023", "40001", "42501", "55000", "55P03", "23514"}
DEFINITION = flow(
    policy={
        "checkpoint": {"every": "1 hour", "bytes": 2000, "milestones": ["vlm", "loop"], "before": ["condition"]},
        "loops": {"tolerance": 0, "default_max": 4},
    },
    variables={"v": {"schema": {"type": "integer", "maximum": 5}}},
    data={"middle": {"maxCount": 2}, "inner": {"context": "loop"}},
)
WEIGHTS = {
    "begin_node": 34, "complete_node": 22, "fail_node": 5, "skip_nodes": 2, "reset_nodes": 3, "heartbeat": 5, "enter_loop": 6,
    "next_iteration": 10, "exit_loop": 4, "set_engine": 2, "set_variable": 4, "append_event": 2, "save_state": 3, "checkpoint": 2,
    "rollback": 4, "pause_run": 2, "resume_run": 3, "withdraw_interaction": 1, "free": 2, "recover_run": 2, "cancel_run": 1,
    "finish_run": 1, "reopen_run": 3, "fork_run": 1,
}  # fmt: skip
# A call that got no answer is made again, and then does nothing.
REPEATABLE = {"complete_node", "fail_node", "skip_nodes", "reset_nodes", "enter_loop", "next_iteration", "exit_loop", "resume_run",
              "withdraw_interaction", "pause_run", "recover_run", "cancel_run"}  # fmt: skip


class Run:
    def __init__(self, run_id):
        self.id = run_id
        self.head = 0
        self.states = {}
        # The highest attempt of each node, ever.
        self.attempts = {}
        self.questions = []


class Driver:
    def __init__(self, connection, seed):
        self.connection, self.random = connection, Random(seed)
        self.runs, self.number, self.minutes, self.keys = [], 0, 0.0, 0
        self.outcomes, self.calls = Counter(), []
        connection.execute("SELECT layra.define_workflow('random', %s::jsonb)", [json.dumps(DEFINITION)])
        for name in "abc":
            self.start(name)

    def start(self, name):
        self.connection.execute("SELECT layra.start_run(%s, 'random')", [name])
        self.runs.append(Run(name))
        self.look(self.runs[-1])

    def fetch(self, sql, *arguments):
        return self.connection.execute(sql, arguments).fetchall()

    def state(self, run, version=None):
        return self.fetch("SELECT layra.get_state(%s, %s::bigint)", run.id, version)[0][0]

    def look(self, run):
        """The new versions of a run, and their states."""
        versions = [version for (version,) in self.fetch(
            "SELECT version FROM layra.event WHERE run_id = %s AND version > %s ORDER BY version", run.id, run.head
        )]  # fmt: skip
        assert versions == list(range(run.head + 1, run.head + 1 + len(versions)))
        for version in versions:
            run.states[version] = self.state(run, version)
        run.head += len(versions)
        return versions

    # --- the calls: a name, arguments as SQL and values ---------------------------------------------------------------

    def arguments(self, name, run):
        pick = self.random.choice
        node, loop = pick(NODES), pick(LOOPS)
        nodes = self.random.sample(NODES, pick((1, 1, 2)))
        current = run.attempts.get(node)
        attempt = pick((current, current, current, None, (current or 1) - 1))
        if name in ("complete_node", "fail_node", "heartbeat") and self.random.random() < 0.8:
            running = [each for each, shown in self.state(run)["execution_status"].items() if shown is None]
            if running:
                node = pick(sorted(running))
                current = run.attempts.get(node)
                attempt = pick((current, current, current, None, (current or 1) - 1))
        question = pick([*run.questions[-2:], *run.questions]) if run.questions else "00000000-0000-0000-0000-000000000000"
        match name:
            case "begin_node":
                return "%s, %s::text, %s::interval", [node, pick(WORKERS), pick(LEASES)]
            case "complete_node":
                updates = pick((None, None, {"v": self.random.randrange(7)}, {"w": self.random.randrange(3)}))
                return "%s, %s::jsonb, %s::jsonb, %s::int, %s::bigint", [
                    node, pick((None, "1", '{"x": 1.0}', "null")), json.dumps(updates) if updates else None, attempt,
                    pick((None,) * 6 + (run.head, run.head, run.head - 1)) if run.head > 1 else None,
                ]  # fmt: skip
            case "fail_node":
                return "%s, %s::jsonb, %s::int", [node, pick(("1", "null", '{"code": 1}')), attempt]
            case "heartbeat":
                return "%s, %s::int, '5 minutes'", [node, attempt or 1]
            case "skip_nodes" | "reset_nodes":
                return "%s::text[]", [nodes]
            case "enter_loop":
                return "%s, %s::int", [loop, pick((None, None, 0, 1, 3))]
            case "next_iteration":
                active = sorted(self.state(run)["loop_index"]) or [loop]
                loop = pick([*active, loop])
                return "%s, %s::int", [loop, self.state(run)["loop_index"].get(loop, -1) + pick((0, 0, 0, 0, 1, -1))]
            case "exit_loop":
                return "%s", [loop]
            case "set_engine":
                return "%s::jsonb", [json.dumps({pick(("execution_stack", "skip_nodes", "mode")): [pick(NODES)]})]
            case "set_variable":
                return "%s, %s::jsonb", [pick("vw"), str(self.random.randrange(7))]
            case "append_event":
                return "'note', %s::jsonb", [json.dumps({"x": "x" * self.random.randrange(600)})]
            case "save_state":
                return "%s::jsonb", [json.dumps(self.document(run))]
            case "checkpoint":
                return "NULL::text", []
            case "rollback":
                return "%s::bigint", [max(1, run.head - self.random.randrange(12))]
            case "pause_run":
                self.keys += 1
                return "%s, expires_in => %s::interval, assignee => %s::text, idempotency_key => %s", [
                    node, pick((None, "30 minutes")), pick((None, None, None, "ada")), f"key {self.keys}",
                ]  # fmt: skip
            case "resume_run":
                return "%s::uuid, %s::jsonb, %s::jsonb, %s", [
                    question, pick(("1", "1", "1", "2")), pick((None, None, '{"w": 9}', '{"v": 3}', '{"v": 9}')), pick(("fail", "accept", "accept")),
                ]  # fmt: skip
            case "withdraw_interaction":
                return "%s::uuid", [question]
            case "free":
                return "%s, false", [f"interaction {question}"]
            case "recover_run":
                return "%s, %s", [pick((True, False)), pick((True, False))]
            case "finish_run":
                return "%s", [pick(("failed", "cancelled"))]
            case "fork_run":
                return "%s, %s::bigint", [f"fork {self.number}", self.random.randrange(1, run.head + 1)]
        return "", []

    def document(self, run):
        """The state of the run, with a few changes as an engine makes them."""
        document = self.state(run)
        for _ in range(self.random.randrange(3)):
            match self.random.randrange(4):
                case 0:
                    document["execution_status"][self.random.choice(NODES)] = self.random.choice((True, False, None))
                case 1:
                    document["loop_index"][self.random.choice(LOOPS)] = self.random.choice((0, 1, 2, 2, 6))
                case 2:
                    document["context"].setdefault(self.random.choice(NODES), []).append(self.random.randrange(9))
                case 3:
                    document["execution_stack"] = [self.random.choice(NODES)]
        return document

    def call(self, run, name, sql, values):
        function = {"free": "protect_checkpoint"}.get(name, name)
        statement = f"SELECT * FROM layra.{function}(%s{', ' if sql else ''}{sql})"
        self.calls.append(f"{statement} {[run.id, *values]} at {self.minutes}"[:300])
        try:
            return "ok", self.fetch(statement, run.id, *values)
        except psycopg.Error as error:
            assert not self.connection.broken, "the backend is gone"
            assert error.sqlstate in EXPECTED or (name == "free" and error.sqlstate == "P0002"), f"{error.sqlstate}: {error}"
            assert "::" not in (error.diag.message_detail or ""), error
            return error.sqlstate, None

    # --- one operation, and what must hold after it --------------------------------------------------------------------

    def step(self):
        self.number += 1
        if self.random.random() < 0.2:
            self.minutes += self.random.choice((1, 5, 30))
            set_now(self.connection, self.minutes)
        self.connection.execute("SELECT set_config('layra.actor', %s, false)", [self.random.choice(("", "ada"))])
        run = self.random.choice(self.runs)
        name = self.random.choices(list(WEIGHTS), WEIGHTS.values())[0]
        # A run that is not running would refuse most of them.
        ((status,),) = self.fetch("SELECT status FROM layra.run WHERE run_id = %s", run.id)
        if status != "running" and self.random.random() < 0.5:
            name = self.random.choice({
                "paused": ("resume_run", "resume_run", "withdraw_interaction", "recover_run"), "cancelling": ("finish_run", "rollback"),
            }.get(status, ("reopen_run",)))
        if name == "fork_run" and len(self.runs) >= 6:
            name = "append_event"
        sql, values = self.arguments(name, run)
        before, state = run.head, run.states[run.head]
        leases = {r["node_id"]: r for r in rows(self.connection, "lease WHERE run_id = %s", run.id)}
        nodes = {r["node_id"]: r["details"] for r in rows(self.connection, "nodes WHERE run_id = %s", run.id)}
        stored = content(self.connection, run.id) if self.random.random() < 0.2 else None
        outcome, result = self.call(run, name, sql, values)
        self.outcomes[name, outcome] += 1
        new = self.look(run)
        if outcome != "ok":
            assert not new
            if stored:
                assert content(self.connection, run.id) == stored
            return
        assert len(new) <= (2 if name == "recover_run" else 1)
        if name in ("complete_node", "fail_node", "skip_nodes", "reset_nodes", "enter_loop", "exit_loop", "resume_run", "cancel_run",
                    "set_variable", "append_event", "save_state", "checkpoint", "rollback", "set_engine"):  # fmt: skip
            assert result[0][0] == run.head if new else 1 <= result[0][0] <= run.head
        check = getattr(self, f"after_{name}", None)
        if check:
            check(run, values, result, before, new, state, leases, nodes)
        self.holders(run)
        if name in REPEATABLE and self.random.random() < 0.5:
            stored = content(self.connection, run.id)
            outcome, again = self.call(run, name, sql, values)
            assert outcome == "ok", f"the first call worked, the second gave {outcome}"
            assert not self.look(run)
            assert content(self.connection, run.id) == stored
            if name == "recover_run":
                assert again[0][6] == result[0][6]
            else:
                assert again == result
            self.outcomes[name, "again"] += 1

    def holders(self, run):
        """One row of lease a node, and a lease in force only where the node is running."""
        running = {name for name, shown in run.states[run.head]["execution_status"].items() if shown is None}
        for lease in rows(self.connection, "lease WHERE run_id = %s", run.id):
            name, attempt = lease["node_id"], lease["attempt"]
            assert attempt >= run.attempts.get(name, 0)
            assert not lease["held"] or name in running, f"{name} is held, and not running"
            run.attempts[name] = attempt

    def after_begin_node(self, run, values, result, before, new, state, leases, nodes):
        node, worker, _ = values
        ((version, attempt, status, output),) = result
        shown = state["execution_status"].get(node, False)
        if status != "running":
            assert not new and shown is True and version <= before
            return
        assert new == [version] and output is None and shown is not True
        assert attempt == run.attempts.get(node, 0) + 1, "an attempt comes again"
        lease, details = leases.get(node), nodes.get(node)
        if shown is None and lease and details.get("attempt") == lease["attempt"] and lease["worker"] != worker:
            (over,) = self.fetch("SELECT %s::timestamptz <= current_setting('layra.now')::timestamptz", lease["until"])[0]
            assert over is True, f"{worker} took what {lease['worker']} holds"

    def after_complete_node(self, run, values, result, before, new, state, leases, nodes):
        node, output, _, attempt, _ = values
        details = nodes[node]
        assert attempt is None or details.get("attempt") == attempt, "a stale attempt completed a node"
        if new:
            assert details["status"] == "running"
            now = run.states[run.head]
            assert now["execution_status"][node] is True
            entries = len(state["context"].get(node, [])) + (output is not None)
            assert len(now["context"].get(node, [])) == entries
        else:
            assert details["status"] == "completed"

    def after_fail_node(self, run, values, result, before, new, state, leases, nodes):
        node, _, attempt = values
        assert attempt is None or nodes[node].get("attempt") == attempt
        assert nodes[node]["status"] == ("running" if new else "failed")

    def after_heartbeat(self, run, values, result, before, new, state, leases, nodes):
        node, attempt = values
        assert not new and leases[node]["held"] and leases[node]["attempt"] == attempt
        assert nodes[node]["status"] == "running"

    def after_next_iteration(self, run, values, result, before, new, state, leases, nodes):
        loop, after = values
        index = result[0][0]
        now = run.states[run.head]
        if new:
            assert index == after + 1 == now["loop_index"][loop]
        else:
            assert index in (None, after + 1) and now == state

    def after_rollback(self, run, values, result, before, new, state, leases, nodes):
        (version,) = values
        then, now = run.states[version], run.states[run.head]
        assert {**now, "execution_status": 0} == {**then, "execution_status": 0}
        for name in {*then["execution_status"], *now["execution_status"]}:
            found, expected = now["execution_status"].get(name, "none"), then["execution_status"].get(name, "none")
            # Who was working then works no more; only where nothing happened to the node since, it goes on.
            if expected is None and found is False:
                continue
            assert found == expected, name
            assert found is not None or state["execution_status"].get(name, "none") is None, name

    def after_pause_run(self, run, values, result, before, new, state, leases, nodes):
        question = str(result[0][0])
        assert question not in run.questions and len(new) == 1
        run.questions.append(question)
        assert self.fetch("SELECT status FROM layra.run WHERE run_id = %s", run.id) == [("paused",)]

    def after_recover_run(self, run, values, result, before, new, state, leases, nodes):
        if values[0]:
            assert not new
            return
        ((started, _, _, _, _, problems, version, *_),) = result
        assert (started, version) == (before, run.head)
        if not problems:
            assert self.fetch("SELECT * FROM layra.validate_run(%s)", run.id) == []

    def after_fork_run(self, run, values, result, before, new, state, leases, nodes):
        name, version = values
        fork = Run(name)
        self.runs.append(fork)
        assert self.look(fork) == [1]
        expected = run.states[version]
        statuses = {key: False if shown is None else shown for key, shown in expected["execution_status"].items()}
        assert fork.states[1] == expected | {"execution_status": statuses}
        assert self.fetch("SELECT status FROM layra.run WHERE run_id = %s", name) == [("running",)]

    def drive(self, operations):
        try:
            while self.number < operations:
                self.step()
            for run in self.runs:
                self.finish(run)
        except AssertionError as failure:
            raise AssertionError(f"operation {self.number}: {failure}\n" + "\n".join(self.calls[-12:])) from failure

    def finish(self, run):
        assert sound(self.connection, run.id) == run.head
        # Nothing that happened later changed the past, nor what a rollback to it would restore.
        for version, state in run.states.items():
            assert self.state(run, version) == state, f"{run.id} version {version}"
        waiting = self.fetch("SELECT count(*) FROM layra.interaction WHERE run_id = %s AND status = 'pending'", run.id)[0][0]
        ((status,),) = self.fetch("SELECT status FROM layra.run WHERE run_id = %s", run.id)
        if status == "paused":
            assert waiting
        elif status != "running":
            assert not waiting


@pytest.mark.parametrize("part", [1, 2])
def test_random_calls(admin, part):
    seed = int(os.environ.get("LAYRA_SEED") or SystemRandom().randrange(2**32))
    print(f"LAYRA_SEED={seed} LAYRA_OPS={OPERATIONS}")
    set_now(admin)
    admin.execute("SELECT layra.drop_run(run_id) FROM layra.run")
    driver = Driver(admin, seed)
    driver.drive(OPERATIONS // 2)
    for (function, outcome), count in sorted(driver.outcomes.items()):
        print(f"{function:20} {outcome:6} {count:6}")
    # A sequence that reached nothing would approve of anything.
    if OPERATIONS >= 2000:
        assert {outcome for _, outcome in driver.outcomes} >= {"ok", "again", "55000", "40001"}
