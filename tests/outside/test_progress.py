"""Where to go on in a graph, compared with a plain model of an engine.

Workflows are made at random of steps in a row, branches that join, conditions and nested loops. An engine drives each of them in any
order that it allows, with node functions or with whole documents; workers fail and die, and between the steps runs are rolled back,
forked, and rolled back again. The model knows nothing of edges: it is the tree that the workflow was made of, and knows after every
step where that tree goes on. recover_run sees the graph and the state alone, and has to say the same.
"""

import copy
import json
import random

import pytest
from execution import call, edge, head, row, serial, set_now, sound
from model import jsonb
from test_recording import lines

SEEDS = range(24)
STEPS = 45


@pytest.fixture
def db(admin):
    set_now(admin)
    return admin


# --- the model ---------------------------------------------------------------------------------------------------------


class Step:
    """A node that does something."""

    def __init__(self, name):
        self.name, self.status, self.attempt, self.lease = name, "pending", None, None

    def over(self):
        return self.status in ("completed", "skipped")

    def ready(self):
        return [self] if self.status in ("pending", "failed", "lost") else []

    def all(self):
        yield self

    def reset(self):
        self.status = "pending"


class Row:
    """One part after the other."""

    def __init__(self, parts):
        self.parts = parts

    def over(self):
        return all(part.over() for part in self.parts)

    def ready(self):
        return next((part.ready() for part in self.parts if not part.over()), [])

    def all(self):
        for part in self.parts:
            yield from part.all()

    def reset(self):
        for part in self.parts:
            part.reset()


class Branches(Row):
    """Rows side by side, all of which are taken."""

    def ready(self):
        return [step for part in self.parts for step in part.ready()]


class Choice(Row):
    """Rows of which a condition takes one. The others are not taken."""

    def __init__(self, name, parts):
        super().__init__(parts)
        self.condition, self.chosen = Step(name), None

    def over(self):
        return self.condition.over() and self.parts[self.chosen].over()

    def ready(self):
        return self.parts[self.chosen].ready() if self.condition.over() else self.condition.ready()

    def all(self):
        yield self.condition
        yield from super().all()

    def reset(self):
        super().reset()
        self.condition.reset()
        self.chosen = None


class Loop(Step):
    def __init__(self, name, body):
        super().__init__(name)
        self.body, self.index, self.left = body, None, False

    def over(self):
        return self.left

    def ready(self):
        if self.index is None or self.index < 0 or self.body.over():
            return [self]
        return self.body.ready()

    def all(self):
        yield self
        yield from self.body.all()

    def reset(self):
        super().reset()
        self.body.reset()
        self.index, self.left = None, False


class Workflow:
    """A tree, and the graph that it is drawn as."""

    def __init__(self, dice):
        self.dice, self.nodes, self.edges, self.after_condition = dice, [], [], set()
        self.tree, ends = self.row([], 0, 3)
        self.definition = {"nodes": self.nodes, "edges": self.edges}
        assert ends

    def node(self, type_, before, **data):
        """A new node behind the ends of what comes before: pairs of a node and the handle of the edge that leaves it."""
        # In no order that tells anything.
        name = f"{self.dice.randrange(16**6):06x}{len(self.nodes)}"
        self.nodes.append({"id": name, "type": type_} | ({"data": data} if data else {}))
        for source, handle in before:
            self.edges.append(edge(source, name, handle))
            if handle and handle.startswith("condition"):
                self.after_condition.add(name)
        return name

    def row(self, before, depth, most):
        parts = []
        for _ in range(self.dice.randint(1, most)):
            kinds = ["step", "branches", "choice", "loop"] if depth < 3 else ["step"]
            part, before = getattr(self, self.dice.choice(kinds))(before, depth + 1)
            parts.append(part)
        return Row(parts), before

    def step(self, before, depth):
        name = self.node("code", before)
        return Step(name), [(name, None)]

    def branches(self, before, depth):
        first = self.node("code", before)
        rows, ends = [], []
        for _ in range(self.dice.randint(2, 3)):
            part, end = self.row([(first, None)], depth, 2)
            rows.append(part)
            ends += end
        join = self.node("code", ends)
        return Row([Step(first), Branches(rows), Step(join)]), [(join, None)]

    def choice(self, before, depth):
        condition = self.node("condition", before)
        rows, ends = [], []
        for number in range(1, self.dice.randint(2, 3) + 1):
            begin = [(condition, f"condition-{number}")]
            part, end = self.row(begin, depth, 2) if self.dice.random() < 0.8 else (Row([]), begin)
            rows.append(part)
            ends += end
        join = self.node("code", ends)
        return Row([Choice(condition, rows), Step(join)]), [(join, None)]

    def loop(self, before, depth):
        name = self.node("loop", before, maxCount=3)
        body, ends = self.row([(name, "loop_body")], depth, 2)
        # The ends of a body lead back, whatever else their edges would be.
        for source, handle in ends:
            assert handle is None
            self.edges.append(edge(source, name, "loop_next"))
        return Loop(name, body), [(name, None)]


# --- the engines -------------------------------------------------------------------------------------------------------


class Engine:
    """Drives a run, and the model beside it."""

    def __init__(self, db, dice):
        self.db, self.dice = db, dice
        self.workflow = Workflow(dice)
        self.tree = self.workflow.tree
        self.minutes = 0
        self.begin()
        self.states = {head(db, self.run): copy.deepcopy(self.tree)}

    def steps(self):
        return {step.name: step for step in self.tree.all()}

    def choices(self, part=None):
        part = part or self.tree
        if isinstance(part, Choice):
            yield part
        for inner in [part.body] if isinstance(part, Loop) else getattr(part, "parts", []):
            yield from self.choices(inner)

    def complete(self, step):
        """What a condition does not take, where the step is one."""
        step.status = "completed"
        step.at = next(serial)
        for choice in self.choices():
            if choice.condition is step:
                choice.chosen = self.dice.randrange(len(choice.parts))
                others = [list(part.all()) for number, part in enumerate(choice.parts) if number != choice.chosen]
                # Some engines name the first node of a branch that is not taken, others all of them.
                return [step for branch in others for step in branch[: self.dice.choice([1, None])]]
        return []

    def check(self):
        found = row(self.db, "recover_run(%s, true)", self.run)
        steps = self.steps()
        expected = sorted({step.name for step in self.tree.ready()} | {name for name, step in steps.items() if step.status == "lost"})
        assert found["resume_at"] == expected, self.tell()
        running = sorted(name for name, step in steps.items() if step.status in ("running", "lost"))
        assert found["incomplete"] == running, self.tell()
        completed = {step.at: name for name, step in steps.items() if step.status == "completed"}
        assert found["last_completed"] == (completed[max(completed)] if completed else None), self.tell()
        assert found["problems"] == [] and found["version"] == found["from_version"], self.tell()

    def tell(self):
        return json.dumps(self.workflow.definition) + "\n" + str({name: vars(step) for name, step in self.steps().items()})

    def take_back(self):
        """A rollback, or a fork with which it goes on: nodes that were running are pending, but for those that were not touched."""
        version = self.dice.choice(list(self.states))
        current, self.tree = self.steps(), copy.deepcopy(self.states[version])
        forked = self.dice.random() < 0.3
        if forked:
            fork = f"{self.run} fork"
            call(self.db, "fork_run(%s, %s, %s)", self.run, fork, version)
            sound(self.db, self.run)
            self.run, self.states = fork, {}
        else:
            call(self.db, "rollback(%s, %s)", self.run, version)
        for step in self.tree.all():
            now = current[step.name]
            if step.status in ("running", "lost"):
                untouched = not forked and now.status in ("running", "lost") and now.attempt == step.attempt
                step.status = now.status if untouched else "pending"

    def recover(self, lost):
        """As its dry run has said."""
        dry = row(self.db, "recover_run(%s, true)", self.run)
        assert row(self.db, "recover_run(%s)", self.run) == dry | {"version": dry["version"] + 1}
        for step in lost:
            step.status = "pending"

    def drive(self):
        self.check()
        for _ in range(STEPS):
            if self.dice.random() < 0.12:
                self.take_back()
            else:
                self.go_on()
            self.states[head(self.db, self.run)] = copy.deepcopy(self.tree)
            self.check()
            if self.tree.over():
                assert row(self.db, "recover_run(%s, true)", self.run)["resume_at"] == []
                if self.dice.random() < 0.5:
                    break
        sound(self.db, self.run)


class Workers(Engine):
    """Calls the node functions, from workers that may die."""

    def begin(self):
        self.run = f"workers {next(serial)}"
        name = f"progress of {self.run}"
        call(self.db, "define_workflow(%s, %s::jsonb)", name, json.dumps(self.workflow.definition))
        call(self.db, "start_run(%s, %s)", self.run, name)

    def go_on(self):
        """One call or two: something that is ready is begun, or somebody who works ends somehow."""
        running = [step for step in self.tree.all() if step.status == "running"]
        lost = [step for step in self.tree.all() if step.status == "lost"]
        if lost and self.dice.random() < 0.5:
            self.recover(lost)
        entered = [step for step in self.tree.all() if isinstance(step, Loop) and step.index is not None and not step.left]
        if entered and self.dice.random() < 0.05:
            # Out of the middle of an iteration.
            return self.leave(self.dice.choice(entered))
        ready = [step for step in self.tree.ready() if step.status != "lost"]
        if running and (not ready or self.dice.random() < 0.5):
            self.end(self.dice.choice(running))
        elif ready:
            step = self.dice.choice(ready)
            if isinstance(step, Loop):
                self.turn(step)
            elif self.dice.random() < 0.1 and step.status == "pending" and step.name not in self.workflow.after_condition | self.conditions():
                call(self.db, "skip_nodes(%s, %s)", self.run, [step.name])
                step.status = "skipped"
            else:
                lease = self.dice.choice(["1 minute", "1000 days"])
                step.attempt = row(self.db, "begin_node(%s, %s, 'w', %s::interval)", self.run, step.name, lease)["attempt"]
                step.status, step.lease = "running", lease
                if lease == "1 minute" and self.dice.random() < 0.3:
                    step.status = "lost"
                    self.minutes += 2
                    set_now(self.db, self.minutes)
                    # Others with as short a lease are lost, too.
                    for other in running:
                        if other.lease == "1 minute":
                            other.status = "lost"

    def conditions(self):
        return {choice.condition.name for choice in self.choices()}

    def end(self, step):
        if self.dice.random() < 0.2:
            call(self.db, "fail_node(%s, %s, '1', attempt => %s)", self.run, step.name, step.attempt)
            step.status = "failed"
            return
        call(self.db, "complete_node(%s, %s, '1', attempt => %s)", self.run, step.name, step.attempt)
        skipped = self.complete(step)
        if skipped:
            call(self.db, "skip_nodes(%s, %s)", self.run, [each.name for each in skipped])
            for each in skipped:
                each.status = "skipped"

    def turn(self, loop):
        if loop.index is None:
            call(self.db, "enter_loop(%s, %s)", self.run, loop.name)
            loop.index = -1
        elif loop.index == 2 or self.dice.random() < 0.3:
            self.leave(loop)
        else:
            loop.index += 1
            assert call(self.db, "next_iteration(%s, %s, %s)", self.run, loop.name, loop.index - 1) == loop.index
            loop.body.reset()

    def leave(self, loop):
        call(self.db, "exit_loop(%s, %s)", self.run, loop.name)
        loop.left = True


class Documents(Engine):
    """Saves the whole state after each step, as engines do that know only documents: loops have an index, and are done when they
    are over; what a condition does not take is in skip_nodes."""

    def begin(self):
        self.run = f"documents {next(serial)}"
        self.save()

    def save(self):
        steps = self.steps()
        shown = {"completed": True, "skipped": True, "lost": None}
        document = self.workflow.definition | {
            "execution_status": {name: shown.get(step.status, False) for name, step in steps.items()},
            "loop_index": {name: step.index for name, step in steps.items() if isinstance(step, Loop) and step.index is not None},
            "skip_nodes": sorted(name for name, step in steps.items() if step.status == "skipped"),
        }
        call(self.db, "save_state(%s, %s::jsonb)", self.run, json.dumps(document))

    def go_on(self):
        lost = [step for step in self.tree.all() if step.status == "lost"]
        if lost and self.dice.random() < 0.3:
            self.recover(lost)
            return
        ready = self.tree.ready()
        if not ready:
            return
        step = self.dice.choice(ready)
        if not isinstance(step, Loop):
            if step.status == "pending" and self.dice.random() < 0.2:
                step.status = "lost"
            else:
                for each in self.complete(step):
                    each.status = "skipped"
        elif step.index is None:
            step.index = 0
        elif step.index >= 2 or self.dice.random() < 0.3:
            # Such an engine counts once more when it leaves.
            step.index += 1
            step.left, step.status, step.at = True, "completed", next(serial)
        else:
            step.index += 1
            step.body.reset()
        self.save()


def test_the_recorded_engine_goes_on_where_recovery_says(db):
    """At every state that a real engine saved: with the node that it was at, or the one that it began next."""
    recording, run = lines(), "progress of the recording"
    graph = {key: recording[0][key] for key in ("nodes", "edges")}
    begun = [(number, line["event"]["node"]) for number, line in enumerate(recording)
             if line["kind"] == "event" and line["event"].get("status") == "running"]  # fmt: skip
    before_it = None
    for number, line in enumerate(recording):
        if line["kind"] != "state":
            continue
        call(db, "save_state(%s, %s::jsonb)", run, jsonb(line["state"] | graph))
        found = row(db, "recover_run(%s, true)", run)["resume_at"]
        at = [node for place, node in begun if place < number][-1]
        then = next((node for place, node in begun if place > number), None)
        if then is None and line["state"]["execution_status"][at]:
            assert found == []
        else:
            assert len(found) == 1 and found[0] in (at, then), line["seq"]
        before_it = found
    assert before_it == []


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("engine", [Workers, Documents])
def test_where_to_go_on_is_what_the_engine_would_do_next(db, engine, seed):
    engine(db, random.Random(f"{engine.__name__} {seed}")).drive()
