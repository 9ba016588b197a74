"""A worker that drives a workflow through layra_state, and may be killed at any moment: started again, it goes on.

usage: worker.py --run ID --start WORKFLOW          start the run of a workflow, unless it was started before
       worker.py --run ID --worker NAME --worklog FILE [--lease SECONDS]
       worker.py --run ID --answer TEXT [--as PERSON]     answer what the run waits for

Any number of workers may work on one run. Each looks at the state, takes a step that can be taken, and looks again: all
that it knows is in the database. It ends when the run does, or when the run waits for a person. WORKFLOW is a file whose
first line is a JSON object with nodes, edges and global_variables. Connects as libpq does: PGHOST, PGPORT, PGUSER, …

Every unit of work goes to the worklog, as `NODE ATTEMPT ITERATION`, before it is done.
"""

import argparse
import json
import sys
import time
from ast import literal_eval
from contextlib import nullcontext
from copy import deepcopy
from datetime import timedelta

import psycopg
from psycopg.errors import LockNotAvailable, ObjectNotInPrerequisiteState, UniqueViolation
from psycopg.rows import namedtuple_row
from psycopg.types.json import Jsonb

# --------------------------------------------------------------------------------------------------------- the workflow


class Graph:
    """The nodes of a workflow, by the loop around them, and what has to be over before each of them."""

    def __init__(self, definition):
        self.nodes = {node["id"]: node for node in definition["nodes"]}
        self.edges = [(e["source"], e.get("sourceHandle") or "", e["target"]) for e in definition["edges"]]
        self.before = {id: [s for s, handle, t in self.edges if t == id and "loop_" not in handle] for id in self.nodes}
        # The bodies of loops; under None what is in no loop.
        self.bodies = {id: self.body(id) for id, node in self.nodes.items() if node["type"] == "loop"}
        self.bodies[None] = [id for id in self.nodes if not any(id in body for body in self.bodies.values())]

    def body(self, loop):
        """What is reachable over loop_body until an edge goes back. Loops in it are nodes of it, their bodies are not."""
        body = [target for source, handle, target in self.edges if source == loop and handle == "loop_body"]
        for id in body:
            body += {t for s, handle, t in self.edges if s == id and "loop_" not in handle and t not in body}
        return body

    def choices(self, id):
        """Where the edges of a condition lead: {number: node}."""
        return {int(h.removeprefix("condition-")): t for s, h, t in self.edges if s == id and h.startswith("condition-")}

    def iteration(self, id, loops):
        """In which iteration of the loops around it a node is: `2.0`, the outermost loop first; `-` in none."""
        around = [loop for loop, body in self.bodies.items() if loop and id in body]
        indices = [self.iteration(loop, loops).strip("-") for loop in around] + [str(loops[loop]["index"]) for loop in around]
        return ".".join(filter(None, indices)) or "-"

    def over(self, id, state):
        if id in self.bodies:
            return id in state.loops and not state.loops[id]["active"]
        return state.nodes.get(id) in ("completed", "skipped")

    def steps(self, state, loop=None):
        """What can be done now in a loop, by default in the whole workflow: pairs of a step and its node."""
        body = self.bodies[loop]
        for id in body:
            if self.over(id, state) or not all(self.over(before, state) for before in self.before[id]):
                continue
            if id not in self.bodies:
                asks = self.nodes[id]["data"].get("isChatflowInput") and id not in state.answers
                yield "ask" if asks else "begin", id
            elif id not in state.loops:
                yield "enter", id
            elif state.loops[id]["index"] < 0 or all(self.over(inner, state) for inner in self.bodies[id]):
                yield "iterate", id
            else:
                yield from self.steps(state, id)
        if loop is None and all(self.over(id, state) for id in body):
            yield "finish", None


# ------------------------------------------------------------------------------------------------------------- the work
# Generators: a unit of work for each `yield`, then (output, number of the edge to take). They change the variables.


def start(node, variables, answer):
    yield {}
    return None, None


def code(node, variables, answer):
    """Python, in the workflow's own variables. Not for code that you do not trust: that belongs into a sandbox."""
    yield {}
    names = dict(variables)
    exec(node["data"]["code"], names)
    variables.update({name: names[name] for name in variables})
    return {"result": ""}, None


def condition(node, variables, answer):
    yield {}
    chosen = next(int(n) for n, test in node["data"]["conditions"].items() if eval(test, dict(variables)))
    passed = {"condition_child": [f"Passed Condition Index: {chosen}"]}
    return {"result": f"Passed Connection Index: {chosen}"} | passed, chosen


def vlm(node, variables, answer):
    """A language model, which says the same whenever it is asked the same. Its answer comes in chunks."""
    number = len(variables["history"]) + 1
    confidence = round(0.5 + number % 10 * 0.04, 2)
    sentences = (2 + number % 3) * "The retrieved figures support the claim with moderate confidence. "
    text = f"Section draft {number}: {sentences}"
    chunks = text[:40], text[40:], json.dumps({"confidence": confidence, "summary": f"draft {number} reviewed"})
    for chunk in chunks:
        yield {"chunk": chunk} | ({"input": answer} if answer else {})
    variables |= {node["data"]["chatflowOutputVariable"]: "".join(chunks), "confidence": confidence}
    return {"result": "Message generated!"}, None


WORK = {"start": start, "code": code, "condition": condition, "vlm": vlm}

# ----------------------------------------------------------------------------------------------------------- the worker

LOOK = """
SELECT version, status, workflow, workflow_version, metadata,
    (SELECT coalesce(jsonb_object_agg(node_id, n.status), '{}') FROM layra.nodes n WHERE n.run_id = r.run_id) AS nodes,
    (SELECT coalesce(jsonb_object_agg(loop_id, details), '{}') FROM layra.loops l WHERE l.run_id = r.run_id) AS loops,
    (SELECT coalesce(jsonb_object_agg(node_id, response), '{}') FROM layra.interactions i
     WHERE i.run_id = r.run_id AND i.status = 'answered') AS answers
FROM layra.runs r WHERE run_id = %s
"""
DEFINITION = "SELECT definition FROM layra.workflow WHERE name = %s AND version = %s"
ANSWER = {"type": "object", "required": ["text"], "properties": {"text": {"type": "string", "minLength": 1}}}


class Worker:
    def __init__(self, connection, run_id, name, worklog, lease):
        self.connection, self.run_id, self.name, self.worklog, self.lease = connection, run_id, name, worklog, lease
        state = self.look()
        (definition,) = connection.execute(DEFINITION, [state.workflow, state.workflow_version]).fetchone()
        self.graph = Graph(definition)

    def call(self, function, *arguments):
        """A function of the extension: the one value of its one row, or that row."""
        places = ", ".join(["%s"] * (1 + len(arguments)))
        row = self.connection.execute(f"SELECT * FROM layra.{function}({places})", [self.run_id, *arguments]).fetchone()
        return row if len(row) > 1 else row[0]

    def look(self):
        return self.connection.execute(LOOK, [self.run_id]).fetchone()

    def tell(self, text):
        print(f"{self.name}: {text}", flush=True)

    def run(self):
        if self.look().status == "running":
            self.recover()
        while (state := self.look()).status == "running":
            if not any(self.take(*step, state) for step in self.graph.steps(state)):
                time.sleep(0.02)  # Others are at all that can be done now.
        if state.status == "cancelling":
            self.call("finish_run", "cancelled")
        self.tell(f"ends at version {state.version}, the run is {state.status}")

    def recover(self):
        """Nodes whose lease ran out are free again; those of this worker it may take again anyway."""
        try:
            recovered = self.call("recover_run")
        except ObjectNotInPrerequisiteState as error:
            self.tell(error.diag.message_primary)  # The run has ended in this moment.
        else:
            self.tell(f"begins at version {recovered.version}, with {', '.join(recovered.resume_at) or 'what is left'}")

    def take(self, step, id, state):
        """Takes a step. False where somebody else is at it."""
        try:
            with self.connection.transaction():
                begun = getattr(self, step)(id, state)
                # A step belongs to the state that was looked at: where the run has changed since, it is undone.
                if self.look().version != state.version + 1:
                    begun = None
                    raise psycopg.Rollback
            if begun:
                self.work(id, state, *begun)
        except LockNotAvailable:
            return False
        except ObjectNotInPrerequisiteState as error:
            # The run was paused, cancelled, finished or rolled back, or the node was taken over. What was not
            # acknowledged does not count.
            self.tell(error.diag.message_primary)
        return True

    # The steps. Each is one version of the run.

    def enter(self, id, state):
        self.call("enter_loop", id)

    def iterate(self, id, state):
        if self.call("next_iteration", id, state.loops[id]["index"]) is None:
            self.call("exit_loop", id)

    def ask(self, id, state):
        prompt = {"question": f"What should {id} know?", "accepted": self.call("get_variable", "accepted")}
        self.call("pause_run", id, Jsonb(prompt), Jsonb(ANSWER), state.metadata.get("username"))

    def finish(self, id, state):
        self.call("finish_run", "completed", Jsonb(self.call("get_variable", "report")))

    def begin(self, id, state):
        begun = self.call("begin_node", id, self.name, self.lease)
        # Otherwise somebody completed it in this moment.
        return (begun.attempt, self.call("get_variables")) if begun.status == "running" else None

    # What follows the step `begin`, in transactions of its own, as work takes its time.

    def work(self, id, state, attempt, before):
        variables = deepcopy(before)
        try:
            output, chosen = self.units(id, state, attempt, variables)
        except Exception as error:
            if not isinstance(error, psycopg.Error):
                self.call("fail_node", id, Jsonb({"message": str(error)}), attempt)
            raise
        changed = {name: value for name, value in variables.items() if value != before[name]}
        others = [other for number, other in self.graph.choices(id).items() if number != chosen]
        with self.connection.transaction() if others else nullcontext():
            self.call("complete_node", id, output and Jsonb(output), Jsonb(changed), attempt)
            if others:
                self.call("skip_nodes", others, f"{id} chose {chosen}")

    def units(self, id, state, attempt, variables):
        """Does the work of a node; returns its output and the number of the edge to take."""
        node, iteration = self.graph.nodes[id], self.graph.iteration(id, state.loops)
        units = WORK[node["type"]](node, variables, state.answers.get(id))
        while True:
            try:
                chunk = next(units)
            except StopIteration as end:
                return end.value
            print(id, attempt, iteration, file=self.worklog, flush=True)
            if chunk:
                self.call("append_event", "engine.chunk", Jsonb({"node_id": id, "attempt": attempt} | chunk))
            self.call("heartbeat", id, attempt, self.lease)


# --------------------------------------------------------------------------------------------------------- the commands


def start_run(connection, run_id, workflow):
    with open(workflow, encoding="utf-8") as file:
        recorded = json.loads(file.readline())
    # Variables are recorded as Python literals.
    defaults = {name: literal_eval(text or "''") for name, text in recorded["global_variables"].items()}
    definition = {
        "nodes": recorded["nodes"],
        "edges": recorded["edges"],
        "variables": {name: {"default": value} for name, value in defaults.items()},
        "policy": {"checkpoint": {"milestones": ["loop"]}},
    }
    connection.execute("SELECT layra.define_workflow('report by workers', %s)", [Jsonb(definition)])
    try:
        metadata = Jsonb({"username": recorded["username"]})
        connection.execute("SELECT layra.start_run(%s, 'report by workers', metadata => %s)", [run_id, metadata])
    except UniqueViolation:
        print(f"run {run_id} was started before")


def answer_question(connection, run_id, person, text):
    with connection.transaction():
        # Who answers, as far as the database is told: for this transaction only.
        connection.execute("SELECT set_config('layra.actor', %s, true)", [person])
        (interaction,) = connection.execute(
            "SELECT interaction FROM layra.interactions WHERE run_id = %s AND status = 'pending'", [run_id]
        ).fetchone() or sys.exit(f"run {run_id} has no question")
        (version,) = connection.execute(
            "SELECT layra.resume_run(%s, %s, %s)", [run_id, interaction, Jsonb({"text": text})]
        ).fetchone()
    print(f"answered at version {version}")


def main():
    usage = argparse.ArgumentParser(usage=__doc__)
    usage.add_argument("--run", required=True)
    usage.add_argument("--start")
    usage.add_argument("--worker")
    usage.add_argument("--worklog")
    usage.add_argument("--lease", type=float, default=30)
    usage.add_argument("--answer")
    usage.add_argument("--as", dest="person", default="")
    given = usage.parse_args()
    with psycopg.connect(autocommit=True, application_name=given.worker, row_factory=namedtuple_row) as connection:
        if given.start:
            start_run(connection, given.run, given.start)
        if given.answer:
            answer_question(connection, given.run, given.person, given.answer)
        if given.worker:
            with open(given.worklog, "a", encoding="utf-8") as worklog:
                Worker(connection, given.run, given.worker, worklog, timedelta(seconds=given.lease)).run()


if __name__ == "__main__":
    main()
