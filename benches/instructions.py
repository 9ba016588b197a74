"""Lines in instructions per call, beside the same as hand-written SQL."""

import json

from callgrind import Bench, Section
from data import VARIABLES, install, payload, runs, text, value, variables
from table import Row, line

WARM, CALLS = 30, 100
RUNS = 4 * (WARM + CALLS)


def statements(name, prepare, arguments, first, calls=CALLS, warm=WARM):
    """A prepared statement for the runs `first` and following, as a client does it: each in a transaction of its own."""
    execute = [f"EXECUTE {prepare.split()[1]}({arguments(n)})" for n in range(first, first + warm + calls)]
    return Section(name, execute[warm:], [prepare, *execute[:warm]])


def as_statements(name, types, call, arguments, first, calls=CALLS, warm=WARM):
    return statements(name, f"PREPARE {name} ({types}) AS SELECT {call}", arguments, first, calls, warm)


def in_one_statement(name, call, first, calls=CALLS, warm=WARM):
    """Calls inside one statement, so that there is nothing but the calls; their arguments are rows of `input`."""

    def select(low, high):
        return f"SELECT count({call}) FROM input WHERE n BETWEEN {low} AND {high}"

    return Section(name, [select(first + warm, first + warm + calls - 1)], [select(first, first + warm - 1)])


def per_call(bench, *sections, calls=CALLS, keep=None):
    counted = bench.count(sections, keep)
    return {name: round(instructions / calls) for name, instructions in counted.items()}


def base(connection):
    install(connection)
    runs(connection, RUNS, begun=["work"])


def literal(text):
    return "'" + text.replace("'", "''") + "'"


# {what: (types of the statement's arguments, its call, its arguments for run n, its call on columns of `input`)}
WRITES = {
    "set_variable": (
        "text, text, jsonb", "{schema}.set_variable($1, $2, $3)",
        lambda n: f"'r{n}', 'v07', {literal(value(n))}",
        "{schema}.set_variable(run_id, 'v07', value)",
    ),
    "append_event": (
        "text, text, jsonb", "{schema}.append_event($1, $2, $3)",
        lambda n: f"'r{n}', 'order.paid', {literal(payload(n))}",
        "{schema}.append_event(run_id, 'order.paid', payload)",
    ),
    "complete_node": (
        "text, text, jsonb, integer", "{schema}.complete_node($1, $2, p_output => $3, p_attempt => $4)",
        lambda n: f"'r{n}', 'work', {literal(value(n))}, 1",
        "{schema}.complete_node(run_id, 'work', p_output => value, p_attempt => 1)",
    ),
    "set_variables": (
        "text, jsonb", "{schema}.set_variables($1, $2)",
        lambda n: f"'r{n}', {literal(variables(n))}",
        "{schema}.set_variables(run_id, variables)",
    ),
}  # fmt: skip


def write_sections(what):
    """Both sides, both ways; each on runs of its own."""
    types, call, arguments, columns = WRITES[what]
    sections = []
    for schema in ("layra", "by_hand"):
        ours, mine = ((text.format(schema=schema) for text in (call, columns)))
        if schema == "layra":
            ours, mine = (text.replace("p_", "") for text in (ours, mine))
        sections += [
            as_statements(schema, types, ours, arguments, 1),
            in_one_statement(f"{schema}_inside", mine, 1 + WARM + CALLS),
        ]
    return sections


def beside_by_hand(what, goal):
    with Bench(base) as bench:
        cost = per_call(bench, *write_sections(what))
    return [
        Row(f"{what}, as a prepared statement in its own transaction", cost["layra"] / cost["by_hand"], "× hand-written SQL", goal,
            {"instructions": cost["layra"], "hand-written SQL": cost["by_hand"]}, {what: cost["layra"]}),
        Row(f"{what}, inside one statement", cost["layra_inside"] / cost["by_hand_inside"], "× hand-written SQL", goal,
            {"instructions": cost["layra_inside"], "hand-written SQL": cost["by_hand_inside"]},
            {f"{what} inside": cost["layra_inside"]}),
    ]  # fmt: skip


@line(exact=True)
def set_variable():
    """One variable of 19, 120 bytes, on 100 different runs, after 30 calls that warm the session; hand-written SQL: a PL/pgSQL
    function (benches/by_hand.sql)."""
    return beside_by_hand("set_variable", "≤ 0.85")


@line(exact=True)
def append_event():
    """As set_variable: an event with a payload of 120 bytes."""
    return beside_by_hand("append_event", "≤ 0.85")


@line(exact=True)
def complete_node():
    """As set_variable: a node that was begun with a lease, with an output of 120 bytes."""
    return beside_by_hand("complete_node", "≤ 0.85")


@line(exact=True)
def set_variables():
    """As set_variable: all 19 variables of a run, 120 bytes each; hand-written SQL: two INSERT … SELECT FROM jsonb_each. The second
    goal compares with one variable through the same function."""
    with Bench(base) as bench:
        cost = per_call(bench, *write_sections("set_variables"))
        types, call, _, _ = WRITES["set_variables"]
        one = as_statements(
            "one", types, call.format(schema="layra"), lambda n: f"'r{n}', '{{\"v07\": {value(n)}}}'", 1
        )
        single = per_call(bench, one)["one"]
    return [
        Row("set_variables with 19 variables", cost["layra"] / cost["by_hand"], "× hand-written SQL", "≤ 0.4",
            {"instructions": cost["layra"], "hand-written SQL": cost["by_hand"]}, {"set_variables": cost["layra"]}),
        Row("set_variables with 19 variables, inside one statement", cost["layra_inside"] / cost["by_hand_inside"],
            "× hand-written SQL", "≤ 0.4", {"instructions": cost["layra_inside"], "hand-written SQL": cost["by_hand_inside"]},
            {"set_variables inside": cost["layra_inside"]}),
        Row("set_variables with 19 variables", cost["layra"] / single, "× with one variable", "≤ 5",
            {"instructions": cost["layra"], "one variable": single}, {"set_variables of one": single}),
    ]  # fmt: skip


# {what: (types of the statement's arguments, what it selects, its arguments for run n)}
READS = {
    "key": ("text, text", "value FROM by_hand.variable WHERE run_id = $1 AND name = $2", lambda n: f"'r{n}', 'v07'"),
    "get_variable": ("text, text", "layra.get_variable($1, $2)", lambda n: f"'r{n}', 'v07'"),
    "get_state": ("text", "layra.get_state($1)", lambda n: f"'r{n}'"),
}


def read_section(what):
    return as_statements(what, *READS[what], 1)


@line(exact=True)
def reads():
    """On 100 different runs of 19 variables; beside `SELECT value FROM t WHERE run_id = $1 AND name = $2`, prepared, from a
    table with that primary key and the same values."""
    with Bench(base) as bench:
        cost = per_call(bench, *map(read_section, READS))
    key = cost["key"]
    return [
        Row("get_variable", cost["get_variable"] / key, "× a SELECT by primary key", "≤ 1.5",
            {"instructions": cost["get_variable"], "SELECT": key}, {"get_variable": cost["get_variable"]}),
        Row("get_state of 19 variables", cost["get_state"] / key, "× a SELECT by primary key", "≤ 25",
            {"instructions": cost["get_state"], "SELECT": key}, {"get_state": cost["get_state"]}),
    ]  # fmt: skip


CELLS = 200
SAVED_WARM, SAVED = 10, 30


def document(seed, changed=0):
    """A state of 200 cells; `changed` of them differ from those of the same seed."""
    cells = {f"v{n:03}": text(f"{seed} {n} {changed if n <= changed else ''}", 100) for n in range(1, CELLS + 1)}
    return json.dumps({"global_variables": cells})


def saved(connection):
    """Documents saved on both sides, as a first version of the runs r1, r2 …"""
    install(connection)
    connection.execute("CREATE TABLE whole (run_id text, version bigint, document jsonb, PRIMARY KEY (run_id, version))")
    connection.execute("ALTER TABLE whole ALTER document SET COMPRESSION lz4")
    connection.execute("GRANT SELECT, INSERT ON whole TO app")
    connection.execute("SET ROLE app")
    for n in range(1, SAVED_WARM + SAVED + 1):
        connection.execute("SELECT layra.save_state(%s, %s)", [f"r{n}", document(n)])
        connection.execute("INSERT INTO whole VALUES (%s, 1, %s)", [f"r{n}", document(n)])
    connection.execute("RESET ROLE")


def save_section(side):
    prepare = {
        "layra": "PREPARE save (text, jsonb) AS SELECT layra.save_state($1, $2)",
        "by_hand": "PREPARE whole (text, jsonb) AS INSERT INTO whole VALUES ($1, 2, $2)",
    }[side]
    return statements(
        side, prepare, lambda n: f"'r{n}', {literal(document(n, 3))}", 1, SAVED, SAVED_WARM,
    )


@line(exact=True)
def save_state():
    """A document of 200 variables of 100 bytes, 3 of them changed, on 30 different runs; beside the whole document as a new
    row, `INSERT INTO whole VALUES ($1, $2, $3)`, prepared, compressed with lz4. Both get the document as text."""
    with Bench(saved) as bench:
        cost = per_call(bench, save_section("layra"), save_section("by_hand"), calls=SAVED)
    return [
        Row("save_state, 3 of 200 cells changed: instructions", cost["layra"] / cost["by_hand"],
            "× writing the whole document", "≤ 1.5",
            {"instructions": cost["layra"], "whole": cost["by_hand"]}, {"save_state": cost["layra"]}),
    ]  # fmt: skip
