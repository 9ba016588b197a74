"""A plain model of the core of layra_state: what every writing function does to a run, in ordinary Python.

It is written from the documentation, not from the extension, and knows no SQL. `test_model.py` performs the
same random calls on both and compares them. To be worth anything it has to stay simpler than what it checks:
one immutable `State` per version, kept whole, and no cleverness about time.

JSON values are held as the text that jsonb would print: two values are equal when these texts are.
"""

import json
from dataclasses import dataclass, field, replace
from decimal import Decimal
from functools import cached_property

# --- jsonb in Python -------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Number:
    """A JSON number as it was written: Python's own numbers would lose digits and the scale of 1.00."""

    text: str


class _Missing:
    def __repr__(self):
        return "MISSING"


MISSING = _Missing()


def parse(text):
    return json.loads(text, parse_int=Number, parse_float=Number)


def number_text(text):
    """How PostgreSQL's numeric prints it: no exponent, scale kept, no negative zero."""
    number = Decimal(text)
    plain = format(number, "f")
    return plain.lstrip("-") if number.is_zero() else plain


def key_order(key):
    """jsonb's order of the keys of an object: shorter first, then by bytes."""
    bytes_ = key.encode()
    return len(bytes_), bytes_


def object_text(members):
    """The text of an object whose values are texts already."""
    return (
        "{"
        + ", ".join(f"{json.dumps(key, ensure_ascii=False)}: {members[key]}" for key in sorted(members, key=key_order))
        + "}"
    )


def array_text(entries):
    return "[" + ", ".join(entries) + "]"


def jsonb(value):
    """The text jsonb prints for a value made by `parse` (or for plain Python data without floats)."""
    if isinstance(value, Number):
        return number_text(value.text)
    if isinstance(value, dict):
        return object_text({key: jsonb(member) for key, member in value.items()})
    if isinstance(value, (list, tuple)):
        return array_text([jsonb(entry) for entry in value])
    return json.dumps(value, ensure_ascii=False)


def canonical(text):
    return jsonb(parse(text))


def patched(old, patch):
    """What a patch makes of a value, as docs/storage.md has it."""
    if isinstance(patch, str):
        head, tail, middle = patch.split(" ", 2)
        bytes_ = old.encode()
        return (bytes_[: int(head)] + middle.encode() + bytes_[len(bytes_) - int(tail) :]).decode()
    if isinstance(patch, list):
        new = []
        for piece in patch:
            if isinstance(piece, str):
                start, count = map(int, piece.split(" "))
                new += old[start : start + count]
            elif isinstance(piece, list):
                new += piece
            else:
                new += [patched(old[int(index)], change) for index, change in sorted(piece.items(), key=lambda item: int(item[0]))]
        return new
    new = {key: value for key, value in old.items() if key not in patch.get("r", [])}
    new |= {key: patched(old[key], change) for key, change in patch.get("p", {}).items()}
    return new | patch.get("s", {})


def pointer(path):
    """A JSON Pointer (RFC 6901)."""
    return "".join("/" + step.replace("~", "~0").replace("/", "~1") for step in path)


# --- the three-way merge ---------------------------------------------------------------------------------------


def same(left, right):
    if left is MISSING or right is MISSING:
        return left is right
    return jsonb(left) == jsonb(right)


def merge(base, theirs, mine, path=()):
    """Merge what `mine` and `theirs` made of `base`: (value, conflicts as tuples of steps).

    Only where all three are objects the merge goes deeper; everything else is an atom. MISSING stands for
    "not there", as a value and as a result.
    """
    if same(mine, theirs) or same(mine, base):
        return theirs, []
    if same(theirs, base):
        return mine, []
    if not all(isinstance(side, dict) for side in (base, theirs, mine)):
        return theirs, [path]
    merged, conflicts = {}, []
    for key in sorted({*base, *theirs, *mine}):
        value, found = merge(base.get(key, MISSING), theirs.get(key, MISSING), mine.get(key, MISSING), (*path, key))
        conflicts += found
        if value is not MISSING:
            merged[key] = value
    return merged, conflicts


# --- refusals --------------------------------------------------------------------------------------------------


class Refused(Exception):
    """A call that the extension must refuse, with the SQLSTATE of the documentation.

    `also` are the answers that would be as right, because several things are wrong and the documented order of checks
    does not rank them. `conflicts` are the JSON Pointers that a version conflict has to name, where the
    documentation fixes them.
    """

    def __init__(self, sqlstate, why, also=(), conflicts=None, expected=None, actual=None):
        super().__init__(f"{sqlstate} {why}")
        self.sqlstate = sqlstate
        self.also = set(also)
        self.conflicts = conflicts
        self.expected = expected
        self.actual = actual


def bad(why):
    raise Refused("22023", why)


RESERVED = (
    "run.", "variables.", "state.", "checkpoint.", "node.", "loop.", "interaction.", "workflow.", "breaker.",
    "policy.", "layra.",
)  # fmt: skip


def is_control(character):
    code = ord(character)
    return code < 0x20 or 0x7F <= code <= 0x9F


def check_name(name, what):
    if name is None or not 1 <= len(name) <= 255 or any(map(is_control, name)):
        bad(f"{what} {name!r:.40}")


def check_key(key):
    if key is not None:
        check_name(key, "idempotency key")


def check_expected(version):
    if version is not None and version < 0:
        bad("expected version")


def parse_object(text, what):
    """A jsonb argument that has to be an object, parsed."""
    if text is None:
        bad(f"{what} is NULL")
    value = parse(canonical(text))
    if not isinstance(value, dict):
        bad(f"{what} is not an object")
    return value


def parse_updates(text, what="updates"):
    """An object of variables: {name: canonical text}."""
    members = parse_object(text, what)
    for name in members:
        check_name(name, "variable")
    return {name: jsonb(value) for name, value in members.items()}


# --- state -----------------------------------------------------------------------------------------------------

# A run that was never saved shows all of these; `nodes` and `edges` come from its workflow.
STANDARD = ("global_variables", "execution_status", "execution_stack", "loop_index", "context", "skip_nodes")
GRAPH = ("nodes", "edges")
EMPTY = {
    "global_variables": "{}", "execution_status": "{}", "execution_stack": "[]", "loop_index": "{}", "context": "{}",
    "skip_nodes": "[]",
}  # fmt: skip


@dataclass(frozen=True)
class State:
    """Everything a version of a run is. Never changed, only replaced; all values are jsonb texts."""

    variables: dict = field(default_factory=dict)
    nodes: dict = field(default_factory=dict)  # node: true, false or null, as the document shows it
    loops: dict = field(default_factory=dict)  # loop node: index
    context: dict = field(default_factory=dict)  # node: tuple of entries
    engine: dict = field(default_factory=dict)  # every other field
    graph: dict = field(default_factory=dict)  # nodes, edges
    saved_fields: frozenset | None = None  # of the last saved document; None: never saved

    @cached_property
    def document(self):
        """What get_state returns."""
        fields = {
            "global_variables": self.variables,
            "execution_status": self.nodes,
            "loop_index": self.loops,
            "context": {node: array_text(entries) for node, entries in self.context.items()},
        }
        shown = {name: object_text(cells) for name, cells in fields.items() if cells}
        shown |= self.engine
        if self.saved_fields is None:
            shown = {**EMPTY, **shown, **self.graph}
        else:
            for name in self.saved_fields:
                shown.setdefault(name, self.graph[name] if name in GRAPH else EMPTY.get(name))
        return object_text(shown)

    @cached_property
    def cells(self):
        """Every cell but the extension's own, the entries of a context list as one: {(scope, key): text}."""
        return (
            {("variable", key): value for key, value in self.variables.items()}
            | {("node", key): value for key, value in self.nodes.items()}
            | {("loop", key): value for key, value in self.loops.items()}
            | {("context", key): array_text(value) for key, value in self.context.items()}
            | {("engine", key): value for key, value in self.engine.items()}
        )

    def without_running(self, unless=None):
        """Running nodes come back as pending, but for those that `unless` shows running already."""
        kept = unless.nodes if unless else {}
        return replace(
            self,
            nodes={
                node: "false" if shown == "null" and kept.get(node) != "null" else shown
                for node, shown in self.nodes.items()
            },
        )


def state_of_document(text, before):
    """The state that saving a document leaves behind, or a refusal."""
    document = parse_object(text, "state")
    for name in document:
        check_name(name, "field")
        if name.startswith("layra."):
            bad(f"field {name} is the extension's own")
    for name in ("global_variables", "execution_status", "loop_index", "context"):
        if not isinstance(document.get(name, {}), dict):
            bad(f"{name} is not an object")
        for key in document.get(name, {}):
            check_name(key, f"key in {name}")
    for name in GRAPH:
        if not isinstance(document.get(name, []), list):
            bad(f"{name} is not an array")
    if any(shown not in (True, False, None) or isinstance(shown, Number)
           for shown in document.get("execution_status", {}).values()):  # fmt: skip
        bad("execution_status")
    if not all(isinstance(index, Number) for index in document.get("loop_index", {}).values()):
        bad("loop_index")
    if not all(isinstance(entries, list) for entries in document.get("context", {}).values()):
        bad("context")

    def texts(name):
        return {key: jsonb(value) for key, value in document.get(name, {}).items()}

    return State(
        variables=texts("global_variables"),
        nodes=texts("execution_status"),
        loops=texts("loop_index"),
        context={node: tuple(map(jsonb, entries)) for node, entries in document.get("context", {}).items()},
        engine={
            name: jsonb(value)
            for name, value in document.items()
            if name not in ("global_variables", "execution_status", "loop_index", "context", *GRAPH)
        },
        graph=before.graph | {name: jsonb(document[name]) for name in GRAPH if name in document},
        saved_fields=frozenset(document),
    )


# --- runs ------------------------------------------------------------------------------------------------------


def family(event_type):
    """Which function an idempotency key belongs to: told by the type of the event that carries it."""
    if event_type.startswith("checkpoint.") and event_type != "checkpoint.created":
        return "protect_checkpoint"
    return event_type if event_type.startswith(RESERVED) else "append_event"


@dataclass
class Event:
    type: str
    changed: set  # of (scope, key), the extension's own cells left out
    actor: str
    on_behalf_of: str | None
    payload: str | None = None  # None: not fixed by the documentation
    idempotency_key: str | None = None
    checkpoint_kind: str | None = None
    checkpoint_label: str | None = None
    rolled_back_to: int | None = None


@dataclass
class Checkpoint:
    kind: str
    label: str | None
    metadata: str
    protected: bool = False


FINISHED = ("completed", "failed", "cancelled")


@dataclass
class Run:
    run_id: str
    owner: str
    workflow: str | None = None
    workflow_version: int | None = None
    schemas: dict = field(default_factory=dict)  # variable: predicate on its parsed value
    events: list = field(default_factory=list)
    states: list = field(default_factory=list)
    statuses: list = field(default_factory=list)
    cells: dict = field(default_factory=dict)  # (scope, key): [(version, text or None)]
    checkpoints: dict = field(default_factory=dict)  # version: Checkpoint
    labels: dict = field(default_factory=dict)  # label: version
    inherited_keys: dict = field(default_factory=dict)  # of a fork: key: (version, family)

    @property
    def head(self):
        return len(self.events)

    @property
    def state(self):
        return self.states[-1] if self.states else State()

    @property
    def status(self):
        return self.statuses[-1] if self.statuses else "running"

    def copy(self):
        """For a transaction that may be rolled back; states and events are never changed once they are in."""
        return replace(
            self,
            events=list(self.events),
            states=list(self.states),
            statuses=list(self.statuses),
            cells={cell: list(rows) for cell, rows in self.cells.items()},
            checkpoints={version: replace(checkpoint) for version, checkpoint in self.checkpoints.items()},
            labels=dict(self.labels),
        )

    def live_versions(self, head):
        """The versions up to `head` that no rollback took back (and a rollback may itself have been taken back)."""
        while head > 0:
            yield head
            back_to = self.events[head - 1].rolled_back_to
            head = head - 1 if back_to is None else back_to

    def live_keys(self, head):
        """Every idempotency key that counts as used at a version: {key: (version, family)}.

        The newest use counts, as a rollback can bring back an older one of its own key.
        """
        keys = {}
        for version in self.live_versions(head):
            event = self.events[version - 1]
            if event.idempotency_key is not None:
                keys.setdefault(event.idempotency_key, (version, family(event.type)))
        return {key: (1, function) for key, (_, function) in self.inherited_keys.items()} | keys

    def variable_version(self, name):
        """The version that last changed a variable; 0 where it is not set."""
        rows = self.cells.get(("variable", name))
        return rows[-1][0] if rows and rows[-1][1] is not None else 0

    def append(self, event, state, status=None):
        """One event: the only way a run changes."""
        before, after = self.state.cells, state.cells
        event.changed = {cell for cell in before.keys() | after.keys() if before.get(cell) != after.get(cell)}
        if event.rolled_back_to:
            # A node that was completed again since is written, too: it has its old place in the order of completion back.
            event.changed |= {
                cell for cell, value in after.items() if cell[0] == "node" and value == before.get(cell) == "true"
                and self.cells[cell][-1][0] > event.rolled_back_to
            }  # fmt: skip
        self.events.append(event)
        self.states.append(state)
        self.statuses.append(status or self.status)
        for cell in event.changed:
            self.cells.setdefault(cell, []).append((self.head, after.get(cell)))
        return self.head

    def diff(self, from_version, to_version):
        """What `diff` returns for every scope but context: [(scope, key, op, old, new)]."""
        old, new = self.states[from_version - 1].cells, self.states[to_version - 1].cells
        return [
            (*cell, "added" if cell not in old else "removed" if cell not in new else "changed", old.get(cell), new.get(cell))
            for cell in sorted(old.keys() | new.keys(), key=lambda cell: (cell[0], cell[1].encode()))
            if old.get(cell) != new.get(cell) and cell[0] != "context"
        ]


@dataclass
class Workflow:
    """A defined version: what a run takes over when it starts."""

    graph: dict
    defaults: dict
    schemas: dict


class Model:
    """The database: runs, and one method for every writing function, with the arguments of SQL."""

    def __init__(self, actor, roles=()):
        self.runs = {}
        self.workflows = {}  # name: [Workflow]
        self.actor = actor
        self.roles = set(roles)
        self.on_behalf_of = None

    def copy(self):
        twin = Model(self.actor, self.roles)
        twin.runs = {run_id: run.copy() for run_id, run in self.runs.items()}
        twin.workflows = self.workflows
        twin.on_behalf_of = self.on_behalf_of
        return twin

    # The checks every call goes through, in the documented order.

    def known(self, run_id):
        if run_id not in self.runs:
            raise Refused("P0002", "no such run")
        return self.runs[run_id]

    def used(self, run, key, event_type):
        """The version an idempotency key gives back, or None where it is unused."""
        if key is None:
            return None
        version, function = run.live_keys(run.head).get(key, (None, None))
        if version is not None and function != family(event_type):
            bad("idempotency key of another function")
        return version

    @staticmethod
    def expect(run, expected_version):
        if expected_version is not None and expected_version != run.head:
            raise Refused("40001", "version conflict", expected=expected_version, actual=run.head)

    @staticmethod
    def open(run):
        if run.status in FINISHED:
            raise Refused("55000", "finished")

    def missing(self, sqlstate, why, run, expected_version):
        """Refuse for something that the order of checks does not rank against the version and the status."""
        also = set()
        for check in (lambda: self.expect(run, expected_version), lambda: self.open(run)):
            try:
                check()
            except Refused as refused:
                also.add(refused.sqlstate)
        raise Refused(sqlstate, why, also=also)

    @staticmethod
    def check_schemas(run, variables):
        for name, text in variables.items():
            if name in run.schemas and not run.schemas[name](parse(text)):
                raise Refused("23514", f"schema of {name}")

    def event(self, event_type, key=None, **more):
        return Event(event_type, set(), self.actor, self.on_behalf_of, idempotency_key=key, **more)

    # Runs

    def start_run(self, run_id, workflow=None, variables="{}", metadata="{}", workflow_version=None, idempotency_key=None):
        check_name(run_id, "run id")
        if workflow is not None:
            check_name(workflow, "workflow")
        variables = parse_updates(variables, "variables")
        parse_object(metadata, "metadata")
        check_key(idempotency_key)
        if run_id in self.runs:
            hit = self.used(self.runs[run_id], idempotency_key, "run.started")
            if hit:
                return hit
            raise Refused("23505", "run exists")
        run = Run(run_id, self.actor)
        state = State()
        if workflow is not None:
            versions = self.workflows.get(workflow, [])
            number = len(versions) if workflow_version is None else workflow_version
            if not 1 <= number <= len(versions):
                raise Refused("P0002", "no such workflow")
            definition = versions[number - 1]
            run.workflow, run.workflow_version, run.schemas = workflow, number, definition.schemas
            state = State(graph=definition.graph)
            variables = definition.defaults | variables
        self.check_schemas(run, variables)
        self.runs[run_id] = run
        return run.append(self.event("run.started", idempotency_key), replace(state, variables=variables), "running")

    def finish_run(self, run_id, status="completed", result=None, expected_version=None, idempotency_key=None):
        check_name(run_id, "run id")
        if status not in FINISHED:
            bad("status")
        check_expected(expected_version)
        check_key(idempotency_key)
        run = self.known(run_id)
        hit = self.used(run, idempotency_key, "run.finished")
        if hit:
            return hit
        self.expect(run, expected_version)
        self.open(run)
        return run.append(self.event("run.finished", idempotency_key), run.state, status)

    def reopen_run(self, run_id, reason=None, expected_version=None, idempotency_key=None):
        check_name(run_id, "run id")
        check_expected(expected_version)
        check_key(idempotency_key)
        run = self.known(run_id)
        hit = self.used(run, idempotency_key, "run.reopened")
        if hit:
            return hit
        self.expect(run, expected_version)
        if run.status not in ("failed", "cancelled"):
            raise Refused("55000", "not failed or cancelled")
        return run.append(self.event("run.reopened", idempotency_key), run.state, "running")

    def cancel_run(self, run_id, reason=None, expected_version=None, idempotency_key=None):
        check_name(run_id, "run id")
        check_expected(expected_version)
        check_key(idempotency_key)
        run = self.known(run_id)
        hit = self.used(run, idempotency_key, "run.cancelling")
        if hit:
            return hit
        self.expect(run, expected_version)
        self.open(run)
        if run.status == "cancelling":
            return run.head
        return run.append(self.event("run.cancelling", idempotency_key), run.state, "cancelling")

    def set_owner(self, run_id, owner, expected_version=None, idempotency_key=None):
        check_name(run_id, "run id")
        check_expected(expected_version)
        check_key(idempotency_key)
        if owner is None:
            bad("owner is NULL")
        if owner not in self.roles:
            raise Refused("42704", "no such role")
        run = self.known(run_id)
        hit = self.used(run, idempotency_key, "run.owner_changed")
        if hit:
            return hit
        self.expect(run, expected_version)
        self.open(run)
        run.owner = owner
        return run.append(self.event("run.owner_changed", idempotency_key), run.state)

    def drop_run(self, run_id):
        check_name(run_id, "run id")
        self.known(run_id)
        del self.runs[run_id]

    def fork_run(self, run_id, new_run_id, at_version=None, idempotency_key=None):
        check_name(run_id, "run id")
        check_name(new_run_id, "new run id")
        check_key(idempotency_key)
        if at_version is not None and at_version < 1:
            bad("version")
        hit = new_run_id in self.runs and self.used(self.runs[new_run_id], idempotency_key, "run.forked")
        if run_id not in self.runs:
            # The call again when the parent is gone: the fork is there, and so is its key.
            raise Refused("P0002", "no such run", also={hit or "23505"} if new_run_id in self.runs else ())
        if hit:
            return hit
        run = self.runs[run_id]
        if at_version is not None and at_version > run.head:
            raise Refused("22023", "version above the head", also={"23505"} if new_run_id in self.runs else ())
        if new_run_id in self.runs:
            raise Refused("23505", "run exists")
        at = at_version or run.head
        fork = Run(
            new_run_id,
            self.actor,
            workflow=run.workflow,
            workflow_version=run.workflow_version,
            schemas=run.schemas,
            inherited_keys=run.live_keys(at),
        )
        self.runs[new_run_id] = fork
        return fork.append(self.event("run.forked", idempotency_key), run.states[at - 1].without_running(), "running")

    # Variables

    def set_variables(self, run_id, updates, expected_variables=None, on_conflict="fail", expected_version=None,
                      idempotency_key=None):  # fmt: skip
        check_name(run_id, "run id")
        updates = parse_updates(updates)
        wanted = {}
        if expected_variables is not None:
            for name, version in parse_object(expected_variables, "expected_variables").items():
                check_name(name, "variable")
                if not isinstance(version, Number) or not number_text(version.text).isdigit():
                    bad("expected version of a variable")
                wanted[name] = int(number_text(version.text))
        if on_conflict not in ("fail", "overwrite", "merge"):
            bad("on_conflict")
        if on_conflict != "fail" and expected_version is None:
            bad("on_conflict without expected_version")
        check_expected(expected_version)
        check_key(idempotency_key)
        run = self.known(run_id)
        hit = self.used(run, idempotency_key, "variables.set")
        if hit:
            return hit
        stale = [name for name, version in wanted.items() if run.variable_version(name) != version]
        merged, conflicts = self.merged(run, updates, on_conflict, expected_version)
        if conflicts is not None or stale:
            # Where both kinds of expectation fail, the documentation does not say which paths are named.
            named = {pointer((name,)) for name in stale} if conflicts is None else conflicts if not stale else None
            actual = None if expected_version is None else run.head
            raise Refused("40001", "conflict", conflicts=named, expected=expected_version, actual=actual)
        self.open(run)
        self.check_schemas(run, {name: merged[name] for name in updates if name in merged})
        return run.append(self.event("variables.set", idempotency_key), replace(run.state, variables=merged))

    @staticmethod
    def merged(run, updates, on_conflict, expected_version):
        """The variables after an update, and None or the set of paths that conflict (empty: not fixed which)."""
        plain = run.state.variables | updates
        if expected_version is None or expected_version == run.head:
            return plain, None
        if on_conflict == "fail" or expected_version == 0 or expected_version > run.head:
            return plain, frozenset()
        if on_conflict == "overwrite":
            return plain, None
        result, conflicts = dict(run.state.variables), []
        base = run.states[expected_version - 1].variables
        for name, text in updates.items():
            sides = (parse(side[name]) if name in side else MISSING for side in (base, run.state.variables))
            value, found = merge(*sides, parse(text), (name,))
            conflicts += found
            if value is not MISSING:
                result[name] = jsonb(value)
        return result, {pointer(path) for path in conflicts} or None

    def try_set_variables(self, **arguments):
        """(committed, version): a conflict is a result here."""
        try:
            return True, self.set_variables(**arguments)
        except Refused as refused:
            if refused.sqlstate != "40001":
                raise
            return False, self.runs[arguments["run_id"]].head

    def set_variable(self, run_id, name, value, expected_version=None, idempotency_key=None):
        check_name(run_id, "run id")
        check_name(name, "variable")
        if value is None:
            bad("value is NULL")
        expected = None if expected_version is None else object_text({name: str(expected_version)})
        check_expected(expected_version)
        updates = object_text({name: canonical(value)})
        return self.set_variables(run_id, updates, expected_variables=expected, idempotency_key=idempotency_key)

    def unset_variables(self, run_id, names, expected_version=None, idempotency_key=None):
        check_name(run_id, "run id")
        if names is None:
            bad("names is NULL")
        for name in names:
            check_name(name, "variable")
        check_expected(expected_version)
        check_key(idempotency_key)
        run = self.known(run_id)
        hit = self.used(run, idempotency_key, "variables.unset")
        if hit:
            return hit
        self.expect(run, expected_version)
        self.open(run)
        kept = {name: text for name, text in run.state.variables.items() if name not in names}
        return run.append(self.event("variables.unset", idempotency_key), replace(run.state, variables=kept))

    # The whole state

    def save_state(self, run_id, state, expected_version=None, idempotency_key=None):
        check_name(run_id, "run id")
        run = self.runs.get(run_id) or Run(run_id, self.actor)
        after = state_of_document(state, run.state)
        check_expected(expected_version)
        check_key(idempotency_key)
        if expected_version:
            self.known(run_id)
        hit = self.used(run, idempotency_key, "state.saved")
        if hit:
            return hit
        self.expect(run, expected_version)
        self.open(run)
        changed = {name: text for name, text in after.variables.items() if run.state.variables.get(name) != text}
        self.check_schemas(run, changed)
        self.runs[run_id] = run
        return run.append(self.event("state.saved", idempotency_key), after, run.status)

    # The log

    def append_event(self, run_id, type, payload="{}", updates=None, expected_version=None, idempotency_key=None):
        one = {"type": type, "payload": payload, "updates": updates}
        return self.append_all(run_id, [one], expected_version, idempotency_key)

    def append_events(self, run_id, events, expected_version=None, idempotency_key=None):
        check_name(run_id, "run id")
        if events is None:
            bad("events is NULL")
        entries = parse(canonical(events))
        if not isinstance(entries, list) or not entries:
            bad("events is not an array with at least one entry")
        batch = []
        for entry in entries:
            if not isinstance(entry, dict) or not entry.keys() <= {"type", "payload", "updates"}:
                bad("an event")
            if not isinstance(entry.get("type"), str):
                bad("the type of an event")
            updates = entry.get("updates")
            batch.append({
                "type": entry["type"],
                "payload": jsonb(entry.get("payload", {})),
                "updates": None if updates is None else jsonb(updates),
            })  # fmt: skip
        return self.append_all(run_id, batch, expected_version, idempotency_key)

    def append_all(self, run_id, batch, expected_version, idempotency_key):
        check_name(run_id, "run id")
        checked = []
        for entry in batch:
            check_name(entry["type"], "type")
            if entry["type"].startswith(RESERVED):
                bad("reserved type")
            updates = {} if entry["updates"] is None else parse_updates(entry["updates"])
            checked.append((entry["type"], canonical(entry["payload"]), updates))
        check_expected(expected_version)
        check_key(idempotency_key)
        run = self.known(run_id)
        hit = self.used(run, idempotency_key, "append_event")
        if hit:
            return hit
        self.expect(run, expected_version)
        self.open(run)
        for _, _, updates in checked:
            self.check_schemas(run, updates)
        for number, (event_type, payload, updates) in enumerate(checked, start=1):
            key = idempotency_key if number == len(checked) else None
            after = replace(run.state, variables=run.state.variables | updates)
            run.append(self.event(event_type, key, payload=payload), after)
        return run.head

    # Time

    def checkpoint(self, run_id, label=None, kind="manual", metadata="{}", replace=False, expected_version=None,
                   idempotency_key=None):  # fmt: skip
        check_name(run_id, "run id")
        if label is not None:
            check_name(label, "label")
        check_name(kind, "kind")
        parse_object(metadata, "metadata")
        check_expected(expected_version)
        check_key(idempotency_key)
        run = self.known(run_id)
        hit = self.used(run, idempotency_key, "checkpoint.created")
        if hit:
            return hit
        if label in run.labels and not replace:
            self.missing("23505", "label exists", run, expected_version)
        self.expect(run, expected_version)
        self.open(run)
        if label in run.labels and run.checkpoints[run.labels[label]].protected:
            raise Refused("55000", "a protected label stays where it is")
        event = self.event("checkpoint.created", idempotency_key, checkpoint_kind=kind, checkpoint_label=label)
        version = run.append(event, run.state)
        run.checkpoints[version] = Checkpoint(kind, label, canonical(metadata))
        if label is not None:
            run.labels[label] = version
        return version

    def protect_checkpoint(self, run_id, label, protected=True, expected_version=None, idempotency_key=None):
        check_name(run_id, "run id")
        check_name(label, "label")
        check_expected(expected_version)
        check_key(idempotency_key)
        run = self.known(run_id)
        event_type = "checkpoint.protected" if protected else "checkpoint.unprotected"
        hit = self.used(run, idempotency_key, event_type)
        if hit:
            return hit
        if label not in run.labels:
            self.missing("P0002", "no such checkpoint", run, expected_version)
        self.expect(run, expected_version)
        self.open(run)
        run.checkpoints[run.labels[label]].protected = protected
        return run.append(self.event(event_type, idempotency_key), run.state)

    def rollback(self, run_id, to_version, reason=None, expected_version=None, idempotency_key=None):
        check_name(run_id, "run id")
        if to_version is None or to_version < 1:
            bad("version")
        check_expected(expected_version)
        check_key(idempotency_key)
        run = self.known(run_id)
        hit = self.used(run, idempotency_key, "run.rolled_back")
        if hit:
            return hit
        if to_version > run.head:
            self.missing("22023", "version above the head", run, expected_version)
        return self.roll_back(run, to_version, expected_version, idempotency_key)

    def rollback_to(self, run_id, label, reason=None, expected_version=None, idempotency_key=None):
        check_name(run_id, "run id")
        check_name(label, "label")
        check_expected(expected_version)
        check_key(idempotency_key)
        run = self.known(run_id)
        hit = self.used(run, idempotency_key, "run.rolled_back")
        if hit:
            return hit
        if label not in run.labels:
            self.missing("P0002", "no such checkpoint", run, expected_version)
        return self.roll_back(run, run.labels[label], expected_version, idempotency_key)

    def roll_back(self, run, to_version, expected_version, idempotency_key):
        self.expect(run, expected_version)
        self.open(run)
        if any(checkpoint.protected and to_version < version for version, checkpoint in run.checkpoints.items()):
            raise Refused("55000", "behind a protected checkpoint")
        event = self.event("run.rolled_back", idempotency_key, rolled_back_to=to_version)
        state = run.states[to_version - 1].without_running(unless=run.state)
        # Only an open run can be rolled back, and it stays open.
        status = run.statuses[to_version - 1]
        return run.append(event, state, "running" if status in FINISHED else status)
