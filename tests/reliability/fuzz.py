"""Values for a structure-aware fuzzer: what may stand in each argument of each function, from right to hostile.

`Values(random, world)` gives a value for an argument by its name and type. Most are right or nearly right, so that calls get
past the first checks: names of runs, nodes and labels that exist, versions at or near the head, documents, definitions and
schemas with something in them changed. The rest is what an attacker would try. Values are text, as they go over the wire.
"""

import json
from dataclasses import dataclass, field

# --- JSON as text -------------------------------------------------------------------------------------------------


class Raw(str):
    """JSON text that goes in as it is: numbers that Python has no type for, nesting that it cannot print."""


def text(value):
    if isinstance(value, Raw):
        return str(value)
    if isinstance(value, dict):
        return "{" + ",".join(f"{json.dumps(str(key))}:{text(member)}" for key, member in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ",".join(map(text, value)) + "]"
    return json.dumps(value, ensure_ascii=False)


def nested(levels, kind="[]"):
    opening, closing = {"[]": ("[", "]"), "[1]": ("[", "]"), "{}": ('{"a":', "}")}[kind]
    return Raw(opening * levels + ("" if kind == "[]" else "1") + closing * levels)


NUMBERS = [Raw(number) for number in (
    "0", "-0", "-0.0", "1", "-1", "1.0", "1.00", "1e5", "2147483647", "2147483648", "-2147483649", "9007199254740993",
    "9223372036854775807", "9223372036854775808", "-9223372036854775809", "18446744073709551616", "4.9e-324", "1e308", "1e309",
    "-1e400", "9" * 400, "0." + "0" * 400 + "1", "1e131071", "-1e131071", "1e-16383", "9" * 131_000 + "." + "9" * 16_000,
)]  # fmt: skip

LONG = "n" * 255
NAMES = [
    "", " ", LONG, LONG + "n", "🙂" * 255, "🙂" * 256, "e\u0301", "\u202eabc", "\ufeff", "\ufffe", "\U0010ffff", "ﬃ", "İ",
    "\u2028", "\x01", "\t", "\n", "\x7f", "\u0085", "a/b", "/", "//", "~", "~0~1", "a~1b", "variable/x", "context/n/0",
    "context/n/-1", "node/", "it's", '"', '""', "\\", "\\\\u0000", "\\x41", "'; DROP TABLE layra.event; --", "$1", "%s", "%n%n",
    "{}", "[]", "{a,b}", "null", "NULL", "0", "-1", "layra.x", "layra.graph", "layra.document", "run.x", "*", "a.*", ".*",
    "role:postgres", "role:nobody", "__proto__", "x" * 100_000,
]  # fmt: skip

# --- JSON Schemas -------------------------------------------------------------------------------------------------


def references(steps, last):
    """A schema that goes through a chain of references before it says something."""
    chain = {f"a{step}": {"$ref": f"#/$defs/a{step + 1}"} for step in range(steps)}
    return {"$defs": chain | {f"a{steps}": last}, "$ref": "#/$defs/a0"}


def doubled(steps):
    """A schema that is small, and 2^steps checks."""
    twice = {f"a{step}": {"allOf": [{"$ref": f"#/$defs/a{step - 1}"}] * 2} for step in range(1, steps + 1)}
    return {"$defs": {"a0": {"type": "integer"}} | twice, "$ref": f"#/$defs/a{steps}"}


def astray(schema):
    """The same with its definitions where no schemas are, but for references that lead there."""
    return json.loads(json.dumps(schema).replace("$defs", "default"))


# Schemas that are to exhaust something, each with a value that makes it work.
EXHAUSTING = {
    "refers to itself": ({"$ref": "#"}, 1),
    "two that refer to each other": ({"$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}, "$ref": "#/$defs/a"}, 1),
    "everything of itself": ({"allOf": [{"$ref": "#"}], "anyOf": [{"$ref": "#"}], "not": {"$ref": "#"}}, 1),
    "refers to itself dynamically": ({"$dynamicAnchor": "x", "$dynamicRef": "#x"}, 1),
    "nested values": ({"items": {"$ref": "#"}}, nested(1_000)),
    "nested deeper than is looked at": ({"items": {"$ref": "#"}}, nested(3_000)),
    "sixty references for each level": (references(60, {"items": {"$ref": "#/$defs/a0"}}), nested(1_000)),
    "a thousand references for each level": (references(1_000, {"items": {"$ref": "#/$defs/a0"}}), nested(1_000)),
    "a hundred thousand references": (references(100_000, {"type": "integer"}), 1),
    "2^40 checks": (doubled(40), 1),
    "2^25 violations": (doubled(25), "x"),
    "2^40 checks, of a default": (astray(doubled(40)), 1),
    "2^40 checks beside a reference": (astray(doubled(40)) | {"$schema": "http://json-schema.org/draft-07/schema#"}, 1),
    "a thousand references for each level, of a default": (astray(references(1_000, {"items": {"$ref": "#/default/a0"}})), nested(1_000)),
    "two ways for each level, any of them": ({"anyOf": [{"type": "array", "items": {"$ref": "#"}}] * 2}, nested(40, "[1]")),
    "two ways for each level, one of them": ({"oneOf": [{"items": {"$ref": "#"}}] * 2}, nested(40, "[1]")),
    "two ways for each level, of objects": ({"anyOf": [{"additionalProperties": {"$ref": "#"}, "not": {"const": 1}}] * 2},
                                            nested(40, "{}")),
    "a long enumeration": ({"items": {"enum": [[number] for number in range(20_000)]}}, [[-number] for number in range(20_000)]),
    "backtracking": ({"pattern": "^(a+)+$"}, "a" * 50_000 + "b"),
    "backtracking in names": ({"patternProperties": {"^(([a-z])+.)+[A-Z]([a-z])+$": False}}, {"a" * 50_000: 1}),
    "repetition of repetition": ({"pattern": "((a{100}){100}){100}"}, "a"),
    "a thousand patterns": ({"patternProperties": {f"\\w{{1,40}}{n}$": {"type": "null"} for n in range(1_000)}}, {LONG: 1}),
    "divisor of 16,000 digits": (Raw('{"items":{"multipleOf":0.' + "0" * 16_000 + "7}}"), [Raw("9" * 131_000)] * 100),
    "a million violations": ({"items": {"type": "string"}}, Raw("[" + "1," * 999_999 + "1]")),
    "unique and equal": ({"uniqueItems": True}, [[n, n] for n in range(100_000)]),
    "not evaluated": ({"allOf": [{"$ref": "#/$defs/a"}] * 50, "unevaluatedProperties": False,
                       "$defs": {"a": {"properties": {"x": {"type": "integer"}}}}}, {f"p{n}": n for n in range(10_000)}),
}  # fmt: skip

SCHEMAS = [
    True, False, {}, {"type": "integer"}, {"type": ["string", "null"]}, {"minimum": 0, "maximum": 10},
    {"enum": [1, "a", None, [], {}]}, {"const": Raw("1e131071")}, {"multipleOf": Raw("1e-16383")}, {"multipleOf": 0},
    {"multipleOf": -1}, {"minimum": Raw("9" * 400)}, {"minLength": Raw("1e131071")}, {"maxItems": -1}, {"maxItems": 1.5},
    {"pattern": "(a+)+$"}, {"pattern": "(?=a)\\1"}, {"pattern": "["}, {"pattern": "\\p{L}{1,1000}"}, {"format": "date-time"},
    {"format": "regex"}, {"format": "uri"}, {"format": "ipv6"}, {"format": "x"}, {"$ref": "#"}, {"$ref": "#/$defs/none"},
    {"$ref": "https://example.com/s"}, {"$ref": "file:///etc/passwd"}, {"$ref": "%%%"}, {"$ref": 1}, {"$id": "::::"},
    {"$id": "http://a/b", "$ref": "c"}, {"$schema": "http://json-schema.org/draft-04/schema#"}, {"$schema": "x"},
    {"$schema": "https://json-schema.org/draft/2020-12/schema"}, {"type": "nonsense"}, {"properties": []},
    {"required": ["a", "a"]}, {"if": {"type": "integer"}, "then": {"minimum": 1}, "else": False},
    {"dependentSchemas": {"a": False}}, {"propertyNames": {"maxLength": 1}},
    {"contains": {"const": 1}, "minContains": 0, "maxContains": 0}, {"prefixItems": [True, False]},
    {"contentEncoding": "base64"}, {"items": {"$ref": "#"}}, {"properties": {"a": {"$ref": "#"}}},
    {"$dynamicAnchor": "x", "$dynamicRef": "#x"}, references(5, {"minimum": 1}), doubled(5), None, 1, "true", [],
]  # fmt: skip

# --- definitions and documents ------------------------------------------------------------------------------------

NODES = ["plan", "outer", "draft", "inner", "step", "check", "report"]
LOOPS = ["outer", "inner"]
VARIABLES = ["v", "w", "count", "note", "list"]
WORKFLOWS = ["flow", "small"]
LABELS = ["one", "two", "kept"]
BREAKERS = ["api", "mail"]
EVENT_TYPES = ["note", "note.more", "mail.sent", "typed"]
KEYS = [f"key {number}" for number in range(12)]
FUNCTIONS = ["public.handler(text,bigint,text,jsonb)", "public.writer(text,bigint,text,jsonb)", "public.rule(text,jsonb)"]


def edge(source, target, handle=None):
    return {"source": source, "target": target} | ({"sourceHandle": handle} if handle else {})


def definition():
    types = {"outer": "loop", "inner": "loop", "check": "condition", "step": "llm"}
    nodes = [{"id": node, "type": types.get(node, "code")} for node in NODES]
    nodes[NODES.index("outer")]["data"] = {"maxCount": 3, "context": "loop"}
    return {
        "nodes": nodes,
        "edges": [
            edge("plan", "outer"), edge("outer", "draft", "loop_body"), edge("draft", "inner"),
            edge("inner", "step", "loop_body"), edge("step", "inner", "loop_next"), edge("inner", "outer", "loop_next"),
            edge("outer", "check"), edge("check", "report", "condition-1"),
        ],
        "variables": {
            "count": {"schema": {"type": "integer", "minimum": 0}, "default": 0}, "note": {"group": "texts", "default": "x"},
        },
        "policy": {
            "checkpoint": {"every": "5 minutes", "milestones": ["llm"], "before": ["code"], "bytes": 4000},
            "limits": {"value_bytes": 100_000_000}, "loops": {"default_max": 4, "tolerance": 2},
        },
    }  # fmt: skip


def document():
    return {
        "global_variables": {"v": 1, "count": 3, "list": [1, 2]},
        "execution_status": {"plan": True, "draft": None, "step": False},
        "execution_stack": ["outer", "draft"], "loop_index": {"outer": 1}, "skip_nodes": [], "mode": "fast",
        "context": {"plan": [1, "x"], "step": [{"a": Raw("1.00")}]},
    }  # fmt: skip


def collection(value):
    return isinstance(value, (dict, list)) and len(value) > 0


@dataclass
class Run:
    head: int = 1
    variables: dict = field(default_factory=dict)  # name: version
    labels: list = field(default_factory=list)
    working: dict = field(default_factory=dict)  # running node: attempt
    interactions: list = field(default_factory=list)


@dataclass
class World:
    """What there is to be named: the runs as they were some calls ago, so that versions are sometimes stale."""

    runs: dict = field(default_factory=dict)
    roles: list = field(default_factory=list)
    # The lines of a run that is elsewhere; public.archive has them, too.
    archive: list = field(default_factory=list)


class Values:
    def __init__(self, random, world):
        self.random = random
        self.world = world
        self.run = Run()  # the one that the current call names
        self.node = None  # and the node

    # --- of one kind -------------------------------------------------------------------------------------------

    def one_in(self, number):
        return self.random.randrange(number) == 0

    def name(self):
        if self.one_in(4):
            return "".join(
                chr(self.random.choice((97, 0xE9, 0x1F642, 0x301, 0x5D0, 0x2F, 0x7E))) for _ in range(self.random.randrange(1, 9))
            )
        return self.random.choice(NAMES)

    def known(self, names, odds=30):
        """One of the names, and now and then an odd one."""
        return self.name() if not names or self.one_in(odds) else self.random.choice(names)

    def json(self, depth=3):
        """Any JSON value; large and deep ones are rare, as they are slow."""
        kind = self.random.randrange(10 if depth else 6)
        if kind < 2:
            return self.random.choice((None, True, False, 1, 2, "", "x", Raw("1.00")))
        if kind < 4:
            return self.random.choice(NUMBERS)
        if kind < 6:
            return self.name()
        if self.one_in(400):
            return self.random.choice((
                "x" * 10_000_000, "é" * 1_000_000, nested(1_000), nested(10_000), nested(100_000, "{}"), nested(1_000, "{}"),
                dict.fromkeys(map(str, range(10_000)), 1), [[number] for number in range(20_000)],
            ))  # fmt: skip
        if kind < 8:
            return [self.json(depth - 1) for _ in range(self.random.randrange(4))]
        return {self.known(VARIABLES, 3): self.json(depth - 1) for _ in range(self.random.randrange(4))}

    def object(self, names=VARIABLES):
        return {self.known(names, 60): self.json(2) for _ in range(self.random.randrange(1, 4))}

    def schema(self):
        chosen = self.random.choice(SCHEMAS)
        if self.one_in(3):
            chosen = {
                "properties": {"a": chosen},
                "items": self.random.choice(SCHEMAS),
                "anyOf": [True, self.random.choice(SCHEMAS)],
            }
        return chosen

    def changed(self, value):
        """The same with one thing in it removed, renamed, replaced, repeated or put inside something."""
        spot, key = None, None
        inner = value
        while collection(inner) and (spot is None or not self.one_in(4)):
            spot, key = inner, self.random.choice(list(inner) if isinstance(inner, dict) else range(len(inner)))
            inner = spot[key]
        if spot is None:
            return self.json()
        match self.random.randrange(6):
            case 0:
                del spot[key]
            case 1:
                spot[key] = [inner]
            case 2 if isinstance(spot, dict):
                spot[self.name()] = spot.pop(key)
            case 3 if isinstance(spot, list):
                spot.append(inner)
            case _:
                spot[key] = self.json()
        return value

    def usually(self, value):
        """A value of the right form, three times in ten with something changed."""
        for _ in range(self.random.choice((0, 0, 0, 0, 0, 0, 0, 1, 1, 3))):
            value = self.changed(value)
        return value

    def definition(self):
        value = definition()
        if self.one_in(3):
            value["variables"]["v"] = {"schema": self.schema()}
        return self.usually(value)

    def document(self):
        value = document()
        if self.one_in(4):
            value |= {"nodes": definition()["nodes"], "edges": definition()["edges"]}
        value["global_variables"] |= self.object()
        return self.usually(value)

    def event(self):
        given = {"type": self.known(EVENT_TYPES), "payload": self.object(), "updates": self.object()}
        return {key: value for key, value in given.items() if key == "type" or not self.one_in(2)}

    # --- of one argument ---------------------------------------------------------------------------------------

    def run_id(self, preferred=()):
        chosen = self.known(list(preferred) if preferred and not self.one_in(3) else list(self.world.runs), 40)
        self.run = self.world.runs.get(chosen, Run())
        return chosen

    def node_id(self):
        self.node = self.known(NODES)
        return self.node

    def working(self):
        """The id of a node that is running, where there is one."""
        self.node = self.known(list(self.run.working) or NODES)
        return self.node

    def attempt(self):
        known = self.run.working.get(self.node)
        return self.integer() if known is None or self.one_in(8) else str(known)

    def version(self):
        head = self.run.head
        return str(
            self.random.choice(
                (head, head, head, head, head - 1, head + 1, 1, 0, -1, 2**63 - 1, -(2**63), self.random.randrange(-2, head + 2))
            )
        )

    def integer(self):
        return str(self.random.choice((0, 1, 1, 1, 2, 3, 100, -1, 2**31 - 1, -(2**31))))

    def interval(self):
        return self.random.choice((
            *["1 hour"] * 12, "5 minutes", "1 day", "1 month", "1 us", "0", "-1 s", "178000000 years", "-178000000 years",
            "2562047788:00:54.775807", "infinity", "NaN", "1 year -360 days",
        ))  # fmt: skip

    def time(self):
        return self.random.choice((
            "now", "2026-01-05 09:00:00+00", "infinity", "-infinity", "4714-11-24 00:00:00+00 BC",
            "294276-12-31 23:59:59.999999+00",
            "1970-01-01 00:00:00+00", "epoch", "NaN",
        ))  # fmt: skip

    def by_type(self, type_name):
        match type_name:
            case "jsonb":
                return text(self.usually(self.json()))
            case "bigint":
                return self.version()
            case "integer":
                return self.integer()
            case "boolean":
                return self.random.choice(("true", "false"))
            case "interval":
                return self.interval()
            case "timestamp with time zone":
                return self.time()
            case "uuid":
                others = [question for run in self.world.runs.values() for question in run.interactions]
                return self.random.choice(
                    [*self.run.interactions * 8, *others, "00000000-0000-0000-0000-000000000000", "not a uuid"]
                )
            case "regprocedure":
                return self.random.choice(
                    [*FUNCTIONS * 5, "now()", "public.none(text)", "count(*)", "0", "4294967295", "-", "layra.drop_run(text, text)"]
                )
            case "name":
                return self.known(self.world.roles, 8)
            case "text[]":
                return [self.known(VARIABLES) for _ in range(self.random.randrange(4))]
            case "jsonb[]":
                if self.one_in(2):
                    return self.world.archive
                return [
                    self.random.choice(('{"line": %d, "header": {"format": 1}}', '{"line": %d, "event": {"version": 1}}', "null", "{}")).replace("%d", str(n))
                    for n in range(self.random.randrange(4))
                ]  # fmt: skip
            case "regclass":
                return self.random.choice((*["public.archive"] * 6, "layra.run", "pg_class", "layra.run_pkey", "none", "0", "4294967295", "-"))
        return self.name()

    def __call__(self, function, argument, type_name):
        """A value for an argument of a function, as text, as a list, or None for NULL."""
        if argument != "run_id" and self.one_in(40) or self.one_in(200):
            return None
        if self.one_in(150):
            return self.hostile(type_name)
        if (function, argument) in SPECIAL:
            return SPECIAL[function, argument](self)
        return ARGUMENTS[argument](self) if argument in ARGUMENTS else self.by_type(type_name)

    def hostile(self, type_name):
        match type_name:
            case "jsonb":
                return self.random.choice((
                    "", "null", "{", '"\\u0000"', '"\\ud800"', "1e131072", "-", "[1,]", nested(100_000), nested(5_000, "{}"),
                    text(dict.fromkeys(map(str, range(10_000)), None)), text({"a": "x" * 10_000_000}), text([0] * 100_000),
                ))  # fmt: skip
            case "text[]":
                return self.random.choice(
                    ("{{a,b},{c,d}}", "[5:6]={a,b}", "{NULL}", "{}", "{a", "{{{{{{{a}}}}}}}", list(map(str, range(10_000))))
                )
            case "text" | "name":
                return self.random.choice(NAMES)
        return self.random.choice(("", "x", "0", "-1", "9" * 400, "NaN"))


def one_of(*values):
    return lambda of: of.known(values)


# By name; whatever is not here goes by its type.
ARGUMENTS = {
    "run_id": Values.run_id,
    "new_run_id": lambda of: of.known([*of.world.runs, *(f"fork {n}" for n in range(40))]),
    "workflow": lambda of: of.known([*WORKFLOWS * 4, "unknown"]),
    "variables": lambda of: text(of.usually(of.object())),
    "updates": lambda of: text(of.usually(of.object())),
    "metadata": lambda of: text(of.usually(of.object())),
    "payload": lambda of: text(of.usually(of.object())),
    "heads": lambda of: text(of.usually([
        {"run_id": of.known([*of.world.runs]), "version": of.random.randrange(1, 9), "hash": f"{of.random.randrange(2**256):064x}"}
        for _ in range(of.random.randrange(4))
    ])),
    "policy": lambda of: text(of.usually({"drop": True})),
    "fields": lambda of: text(of.usually(of.object(["mode", "execution_stack", "skip_nodes"]))),
    "response": lambda of: text(of.random.choice((1, "x", {"ok": True}, of.json()))),
    "definition": lambda of: text(of.definition()),
    "state": lambda of: text(of.document()),
    "events": lambda of: text(of.usually([of.event() for _ in range(of.random.randrange(1, 4))])),
    "schema": lambda of: text(of.usually(of.schema())),
    "response_schema": lambda of: text(of.usually(of.schema())),
    "expected_variables": lambda of: text(
        of.usually({name: version for name, version in of.run.variables.items() if of.one_in(2)})
    ),
    "expected_version": lambda of: of.version() if of.one_in(3) else None,
    "idempotency_key": lambda of: of.known(KEYS) if of.one_in(3) else None,
    "name": lambda of: of.known(VARIABLES),
    "names": lambda of: [of.known(VARIABLES) for _ in range(of.random.randrange(4))],
    "key": lambda of: of.known(VARIABLES + NODES),
    "in_group": one_of("texts", "none"),
    "label": lambda of: of.known([*of.run.labels * 3, *LABELS]),
    "kind": one_of("manual", "nightly"),
    "scope": one_of("variable", "node", "loop", "context", "engine"),
    "status": one_of("completed", "failed", "cancelled", "running"),
    "level": one_of("writer", "auditor", "admin"),
    "on_conflict": one_of("fail", "overwrite", "merge", "merge"),
    "on_change": one_of("fail", "accept"),
    "type": lambda of: of.known(EVENT_TYPES),
    "types": lambda of: [of.known(EVENT_TYPES) for _ in range(of.random.randrange(3))],
    "type_pattern": one_of("note", "note.*", "mail.*", "variables.*"),
    "node_id": Values.node_id,
    "attempt": Values.attempt,
    "node_ids": lambda of: [of.known(NODES) for _ in range(of.random.randrange(4))],
    "loop_id": lambda of: of.known(LOOPS),
    "worker": one_of("w1", "w2"),
    "assignee": lambda of: of.known(["ada", "role:postgres", *(f"role:{role}" for role in of.world.roles)]),
    "workflow_version": lambda of: of.random.choice(("1", "1", "1", "2", "0", "2147483647")),
    "owner": lambda of: of.known(of.world.roles * 3),
}

# Where the same name means something else.
SPECIAL = {
    ("start_run", "run_id"): lambda of: of.known([*of.world.runs, *(f"new {n}" for n in range(40))]),
    ("save_state", "run_id"): lambda of: of.run_id([*of.world.runs, f"new {of.random.randrange(20)}"]),
    ("define_workflow", "name"): lambda of: of.known(WORKFLOWS),
    ("add_validator", "name"): one_of("rule", "other rule"),
    ("remove_validator", "name"): one_of("rule", "other rule"),
    **{(function, "name"): lambda of: of.known(BREAKERS)
       for function in ("define_breaker", "breaker_try", "breaker_state", "breaker_success", "breaker_failure", "reset_breaker")},
    ("next_iteration", "after"): lambda of: of.random.choice((None, None, "-1", "0", "1", "2147483647", "-2147483648")),
    **{(function, "run_id"): lambda of: of.run_id(["working"])
       for function in ("complete_node", "fail_node", "heartbeat", "next_iteration", "exit_loop")},
    **{(function, "run_id"): lambda of: of.run_id(["asked"]) for function in ("resume_run", "withdraw_interaction")},
    ("reopen_run", "run_id"): lambda of: of.run_id(["failed"]),
    ("recover_run", "run_id"): lambda of: of.run_id(["broken", "working"]),
    **{(function, "function"): lambda of: of.random.choice([*FUNCTIONS[:2] * 8, of.by_type("regprocedure")])
       for function in ("on_event", "off_event")},
    **{(function, "node_id"): Values.working for function in ("complete_node", "fail_node", "heartbeat")},
    ("events", "after_version"): lambda of: of.random.choice(("0", of.version())),
}  # fmt: skip
