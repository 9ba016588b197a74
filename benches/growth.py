"""Lines about what must not grow: with a run's versions, the size of its state, its dead entries, its transaction."""

import atexit
import json
import tempfile
import threading
import time
from functools import cache
from pathlib import Path

import psycopg
from callgrind import Bench, Section
from data import VARIABLES, install, text, value
from instructions import per_call
from table import Row, line

# Events of one variable each, in turn; built inside the server, 10,000 in one call.
FILL = """
SELECT layra.append_events('run', (
    SELECT jsonb_agg(jsonb_build_object('type', 'step.done', 'payload', jsonb_build_object('step', n), 'updates',
        jsonb_build_object('v' || to_char(n %% 19 + 1, 'FM00'), n || ' ' || repeat(md5(n::text), 3))))
    FROM generate_series(%s::integer, %s::integer) n))
"""


def fill(connection, versions):
    connection.execute("SET ROLE app")
    connection.execute("SELECT layra.start_run('run')")
    for first in range(1, versions, 10_000):
        connection.execute(FILL, [first, min(first + 9_999, versions - 1)])
    connection.execute("RESET ROLE")


@cache
def long_run(versions):
    """A database with one run of that many versions; made once, as the long one takes a minute."""

    def setup(connection):
        install(connection)
        fill(connection, versions)

    bench = Bench(setup)
    bench.__enter__()
    atexit.register(bench.__exit__)
    return bench


SHORT, LONG = 1_000, 1_000_000


def operations(versions):
    """{what: (its statement, the arguments of its calls)} on a run of so many versions. Rollbacks and forks go far back, to
    where all 19 variables had other values."""
    middle = versions // 2
    return {
        "write": ("(jsonb) AS SELECT layra.set_variable('run', 'v07', $1)", [f"'{value(n)}'" for n in range(60)]),
        "get_variable": ("(text) AS SELECT layra.get_variable('run', $1)", [f"'{v}'" for v in VARIABLES * 3]),
        "get_state": ("(text) AS SELECT layra.get_state($1)", ["'run'"] * 40),
        "get_state at a version": (
            "(bigint) AS SELECT layra.get_state('run', $1)", [str(middle + n) for n in range(40)],
        ),
        "checkpoint": ("(text) AS SELECT layra.checkpoint('run', $1)", [f"'label {n}'" for n in range(60)]),
        "events, a page of 100": (
            "(bigint) AS SELECT count(*) FROM layra.events('run', $1, 100)", [str(middle + n) for n in range(40)],
        ),
        "rollback of 19 cells": ("(bigint) AS SELECT layra.rollback('run', $1)", [str(middle + 20 * n) for n in range(20)]),
        "fork": (
            "(text, bigint) AS SELECT layra.fork_run('run', $1, $2)", [f"'fork {n}', {middle + n}" for n in range(20)],
        ),
    }  # fmt: skip


def operation_costs(versions):
    sections = []
    for position, (what, (statement, arguments)) in enumerate(operations(versions).items()):
        execute = [f"EXECUTE s{position}({argument})" for argument in arguments]
        warm = len(execute) // 2
        sections.append(Section(what, execute[warm:], [f"PREPARE s{position} {statement}", *execute[:warm]]))
    counted = long_run(versions).count(sections)
    return {section.name: round(counted[section.name] / len(section.statements)) for section in sections}


@line()
def versions():
    """One run of 1,000,000 versions (19 variables of about 100 bytes, changed in turn), against one of 1,000 in a database
    of its own; instructions of each operation, in its own transaction. Rollbacks and forks go to the middle of the log."""
    short, long = operation_costs(SHORT), operation_costs(LONG)
    return [
        Row(f"{what} at 1,000,000 versions", long[what] / short[what], "× at 1,000", "≤ 1.3",
            {"instructions": long[what], "at 1,000": short[what]})
        for what in short
    ]  # fmt: skip


def memory(pid):
    """Bytes of the process's own memory."""
    status = Path(f"/proc/{pid}/status").read_text()
    return 1024 * int(status.split("RssAnon:")[1].split()[0])


def processor_time(pid):
    """Seconds that the process has computed."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / 100


def called(versions, sql):
    """What a statement about the run returns, its seconds of one core and of waiting, and the peak of memory."""
    server = long_run(versions).server
    server.start()
    try:
        with psycopg.connect(server.conninfo(), autocommit=True) as connection:
            pid = connection.info.backend_pid
            connection.execute("SELECT layra.get_variable('run', 'v01')")
            before, peak, done = processor_time(pid), [memory(pid)], threading.Event()

            def sample():
                while not done.wait(0.02):
                    peak.append(memory(pid))

            sampler = threading.Thread(target=sample)
            sampler.start()
            began = time.monotonic()
            rows = connection.execute(sql).fetchall()
            wall = time.monotonic() - began
            done.set()
            sampler.join()
            return rows, processor_time(pid) - before, wall, max(peak) - peak[0]
    finally:
        server.stop("fast")


def verified(versions):
    problems, *figures = called(versions, "SELECT * FROM layra.verify('run')")
    assert problems == []
    return figures


@line()
def verify():
    """verify of a run of 1,000,000 versions with a cell each, in events for each second that its backend computed, the best
    of 3; and how much memory of its own the backend took meanwhile, against a run of 10,000."""
    rounds = [verified(LONG) for _ in range(3)]
    seconds = min(seconds for seconds, _, _ in rounds)
    peak = max(peak for _, _, peak in rounds) / 1e6
    _, _, small = verified(10_000)
    return [
        Row("verify", LONG / seconds, "events a second on one core", "≥ 150,000",
            {"seconds": seconds, "seconds with waits": round(min(wall for _, wall, _ in rounds), 2)}),
        Row("verify, memory at 1,000,000 events", peak, f"MB ({small / 1e6:.1f} MB at 10,000)", f"≤ {small / 1e6 + 2:.1f}"),
    ]  # fmt: skip


def archived(versions):
    """Of a run: bytes of its export, and the processor seconds of COPY of that, of its import, and of COPY of the same rows."""
    server = long_run(versions).server
    server.start()
    try:
        with psycopg.connect(server.conninfo(), autocommit=True) as connection:
            pid = connection.info.backend_pid

            def cost(*statements):
                began = processor_time(pid)
                for statement in statements:
                    connection.execute(statement)
                return processor_time(pid) - began

            (size,) = connection.execute("SELECT sum(octet_length(l::text)) FROM layra.export_run('run') l").fetchone()
            export = min(cost("COPY (SELECT layra.export_run('run')) TO '/dev/null'") for _ in range(3))
            connection.execute("CREATE TABLE lines AS SELECT l FROM layra.export_run('run') l")
            imported, copied = [], []
            with tempfile.TemporaryDirectory(prefix="layra-bench-", dir="/tmp") as directory:
                Path(directory).chmod(0o777)
                for table in ("event", "cell"):
                    connection.execute(f"COPY layra.{table} TO '{directory}/{table}'")
                for _ in range(3):
                    connection.execute("SELECT layra.drop_run('run')")
                    connection.execute("VACUUM layra.event, layra.cell")
                    copied.append(cost(*(f"COPY layra.{table} FROM '{directory}/{table}'" for table in ("event", "cell"))))
                    connection.execute("DELETE FROM layra.event; DELETE FROM layra.cell")
                    connection.execute("VACUUM layra.event, layra.cell")
                    imported.append(cost("SELECT layra.import_lines('lines')"))
            connection.execute("DROP TABLE lines")
            return size, export, min(imported), min(copied)
    finally:
        server.stop("fast")


@line()
def archive():
    """A run of 100,000 versions with a cell each: the processor time of its backend for COPY of its export to /dev/null; and for
    import_lines from a table, against COPY of the same rows of layra.event and layra.cell from files. The best of 3 each."""
    size, export, imported, copied = archived(100_000)
    return [
        Row("export_run, JSON text", size / export / 1e6, "MB a second on one core", "≥ 50", {"bytes": int(size), "seconds": export}),
        Row("import_lines, against COPY of the same rows", copied / imported, "times its speed", "≥ 0.3",
            {"import": imported, "COPY": copied}),
    ]  # fmt: skip


@line()
def report():
    """report of a run of 10,000 versions with a cell each: seconds that its backend computed, the best of 3, memory, and bytes."""
    rounds = [called(10_000, "SELECT length(layra.report('run'))") for _ in range(3)]
    seconds = min(seconds for _, seconds, _, _ in rounds)
    return [
        Row("report of 10,000 events", seconds, "seconds of one core", "≤ 2"),
        Row("report of 10,000 events, memory", max(peak for *_, peak in rounds) / 1e6, "MB", "≤ 300"),
        Row("report of 10,000 events, size", rounds[0][0][0][0] / 1e6, "MB", "≤ 5"),
    ]


@line()
def checkpoint():
    """A checkpoint of a run with 100 variables of 1 MB, against one with a variable of 1 KB; instructions of each of 30, in
    its own transaction."""

    def setup(connection):
        install(connection)
        connection.execute("SET ROLE app")
        connection.execute("SELECT layra.start_run('small', variables => %s)", [json.dumps({"v": text("small", 1000)})])
        connection.execute("SELECT layra.start_run('large')")
        for n in range(100):
            megabyte = json.dumps(text(n, 10_000) * 100)
            connection.execute("SELECT layra.set_variable('large', %s, %s)", [f"v{n}", megabyte])
        connection.execute("RESET ROLE")

    def section(run):
        execute = [f"EXECUTE {run}('label {n}')" for n in range(40)]
        prepare = f"PREPARE {run} (text) AS SELECT layra.checkpoint('{run}', $1)"
        return Section(run, execute[10:], [prepare, *execute[:10]])

    with Bench(setup) as bench:
        cost = per_call(bench, section("small"), section("large"), calls=30)
    return [
        Row("checkpoint at 100 MB of state", cost["large"] / cost["small"], "× at 1 KB", "≤ 1.1",
            {"instructions": cost["large"], "at 1 KB": cost["small"]}, {"checkpoint": cost["large"]}),
    ]  # fmt: skip


@line()
def dead_entries():
    """begin_node, complete_node with an output of 120 bytes and reset_nodes, and context(…, last => 1): for a node whose list in the
    state document had 100,000 entries and was then emptied, against one that never had any; instructions of each of 30."""

    def setup(connection):
        install(connection)
        connection.execute("SET ROLE app")
        connection.execute("SELECT layra.start_run('none')")
        for entries in (list(range(100_000)), []):
            connection.execute("SELECT layra.save_state('dead', %s)", [json.dumps({"context": {"work": entries}})])
        connection.execute("RESET ROLE")

    def sections(run):
        append = [
            f"EXECUTE {statement}"
            for n in range(40)
            for statement in (f"begin('{run}')", f"complete('{run}', '{value(n)}')", f"reset('{run}')")
        ]
        return [
            Section(f"{run} append", append[30:], append[:30]),
            Section(f"{run} read", [f"EXECUTE read('{run}')"] * 30, [f"EXECUTE read('{run}')"] * 10),
        ]

    prepare = Section("prepare", [], [
        "PREPARE begin (text) AS SELECT * FROM layra.begin_node($1, 'work', 'worker')",
        "PREPARE complete (text, jsonb) AS SELECT layra.complete_node($1, 'work', $2)",
        "PREPARE reset (text) AS SELECT layra.reset_nodes($1, '{work}')",
        "PREPARE read (text) AS SELECT * FROM layra.context($1, 'work', last => 1)",
    ])  # fmt: skip
    with Bench(setup) as bench:
        cost = per_call(bench, prepare, *sections("none"), *sections("dead"), calls=30)
    return [
        Row(f"{what} behind 100,000 dead entries", cost[f"dead {key}"] / cost[f"none {key}"], "× behind none", "≤ 1.3",
            {"instructions": cost[f"dead {key}"], "behind none": cost[f"none {key}"]})
        for key, what in {"append": "appending to a node's context", "read": "reading the newest of it"}.items()
    ]  # fmt: skip


MANY = 10_000


@line()
def one_transaction():
    """10,000 calls of set_variable in one statement, 120 bytes each: to one run, against one to each of 10,000 runs; and to
    one run in a database whose tables were empty when they were analysed, against the first. Instructions of all."""

    def empty(connection):
        install(connection)
        connection.execute("CREATE TABLE input (n integer PRIMARY KEY, run_id text, value jsonb)")
        with connection.cursor().copy("COPY input FROM STDIN") as copy:
            for n in range(MANY + 100):
                copy.write_row((n, f"r{n}", value(n)))
        connection.execute("GRANT SELECT ON input TO app")

    def full(connection):
        empty(connection)
        connection.execute("SET ROLE app")
        for version in range(5):
            call = "layra.set_variable(run_id, 'old', value)" if version else "layra.start_run(run_id)"
            connection.execute(f"SELECT count({call}) FROM input")
            connection.execute("RESET ROLE")
            connection.execute("UPDATE input SET value = to_jsonb(reverse(value #>> '{}') || %s::text)", [str(version)])
            connection.execute("SET ROLE app")
        connection.execute("RESET ROLE")

    def section(name, run):
        def select(low, high):
            return f"SELECT count(layra.set_variable({run}, 'v', value)) FROM input WHERE n >= {low} AND n < {high}"

        return Section(name, [select(100, MANY + 100)], [select(0, 100)])

    start = Section("start", [], ["SELECT layra.start_run('one')"])
    with Bench(full) as bench:
        cost = per_call(bench, start, section("one run", "'one'"), section("runs", "run_id"), calls=MANY)
    with Bench(empty) as bench:
        cost["empty"] = per_call(bench, start, section("one run", "'one'"), calls=MANY)["one run"]
    return [
        Row("10,000 writes to one run in one transaction", cost["one run"] / cost["runs"], "× to 10,000 runs", "≤ 1.3",
            {"instructions": cost["one run"], "to 10,000 runs": cost["runs"]}),
        Row("10,000 writes in one transaction after ANALYZE of empty tables", cost["empty"] / cost["one run"],
            "× after ANALYZE of full ones", "≤ 1.1", {"instructions": cost["empty"], "full": cost["one run"]}),
    ]  # fmt: skip
