"""Lines in bytes: of the write-ahead log, and on disk."""

import json
from contextlib import contextmanager

import psycopg
from callgrind import Bench, Section
from data import RECORDING, install, runs, text, value
from instructions import CELLS, document, per_call
from langgraph.checkpoint.base import empty_checkpoint
from langgraph.checkpoint.postgres import PostgresSaver
from psycopg.rows import dict_row
from server import Server
from table import Row, line

# Whole pages go to the log after a checkpoint, however little was written: not here, on either side.
CONF = """
full_page_writes = off
autovacuum = off
max_wal_size = 8GB
checkpoint_timeout = 1d
shared_buffers = 256MB
jit = off
"""


@contextmanager
def database(setup=install):
    """A connection to a server of its own."""
    with Server(conf=CONF) as server, psycopg.connect(server.conninfo(), autocommit=True) as connection:
        setup(connection)
        yield connection


def logged(connection, work, calls):
    """Bytes of the log that each of `calls` took; work(n) makes one."""
    connection.execute("CHECKPOINT")
    before = connection.execute("SELECT pg_current_wal_insert_lsn()").fetchone()[0]
    for n in calls:
        work(n)
    after = connection.execute("SELECT pg_current_wal_insert_lsn()").fetchone()[0]
    return round(connection.execute("SELECT (%s::pg_lsn - %s) / %s", [after, before, len(calls)]).fetchone()[0])


@line(exact=True)
def wal():
    """Bytes of the write-ahead log for each of 200 calls on different runs, each in its own transaction. Beside it: the very
    same rows of event and cell (for other runs, whose names are as long), by bare INSERTs in one transaction."""

    def setup(connection):
        install(connection)
        runs(connection, 999)

    with database(setup) as connection:

        def ours(n):
            connection.execute("SELECT layra.set_variable(%s, 'v07', %s)", [f"r{n}", value(n)])

        def by_hand(n):
            connection.execute("SELECT by_hand.set_variable(%s, 'v07', %s)", [f"r{n}", value(n)])

        def bare(n):
            with connection.transaction():
                connection.execute("INSERT INTO layra.event SELECT * FROM event_row WHERE run_id = %s", [f"r{n}"])
                connection.execute("INSERT INTO layra.cell SELECT * FROM cell_row WHERE run_id = %s", [f"r{n}"])

        connection.prepare_threshold = 0
        for work in (ours, by_hand):
            logged(connection, work, range(100, 110))
        cost = {"layra": logged(connection, ours, range(110, 310)), "hand-written SQL": logged(connection, by_hand, range(110, 310))}
        for table in ("event", "cell"):
            connection.execute(f"CREATE TABLE {table}_row AS SELECT * FROM layra.{table} WHERE version = 2")
            connection.execute(f"UPDATE {table}_row SET run_id = 'r' || substr(run_id, 2)::integer + 400")
            connection.execute(f"CREATE INDEX ON {table}_row (run_id)")
            connection.execute(f"VACUUM ANALYZE {table}_row")
        logged(connection, bare, range(500, 510))
        cost["INSERTs"] = logged(connection, bare, range(510, 710))
    return [
        Row("WAL of a write of one variable of 120 bytes", cost["layra"] / cost["INSERTs"], "× bare INSERTs of the same rows",
            "≤ 1.3", {"bytes": cost["layra"], "INSERTs": cost["INSERTs"], "hand-written SQL": cost["hand-written SQL"]},
            {"wal of set_variable": cost["layra"]}),
    ]  # fmt: skip


@line(exact=True)
def wal_of_save_state():
    """A document of 200 variables of 100 bytes of which 3 changed, on 50 different runs; beside the whole document as a new
    row in a table with a primary key, compressed with lz4."""
    with database() as connection:
        whole_table(connection)
        connection.prepare_threshold = 0

        def ours(n, changed=3):
            connection.execute("SELECT layra.save_state(%s, %s)", [f"r{n}", document(n, changed)])

        def whole(n, changed=3):
            connection.execute("INSERT INTO whole VALUES (%s, %s, %s)", [f"r{n}", changed, document(n, changed)])

        for n in range(60):
            ours(n, 0)
            whole(n, 0)
        cost = {}
        for name, work in {"layra": ours, "whole": whole}.items():
            logged(connection, work, range(10))
            cost[name] = logged(connection, work, range(10, 60))
    return [
        Row(f"save_state, 3 of {CELLS} cells changed: log", cost["layra"] / cost["whole"], "× writing the whole document",
            "≤ 0.15", {"bytes": cost["layra"], "whole": cost["whole"]}, {"wal of save_state": cost["layra"]}),
    ]  # fmt: skip


def whole_table(connection):
    connection.execute("CREATE TABLE whole (run_id text, version bigint, document jsonb, PRIMARY KEY (run_id, version))")
    connection.execute("ALTER TABLE whole ALTER document SET COMPRESSION lz4")


SIZES = """
SELECT c.relname, pg_relation_size(c.oid),
    coalesce(pg_total_relation_size(nullif(c.reltoastrelid, 0)), 0), pg_indexes_size(c.oid)
FROM pg_class c WHERE c.relkind = 'r' AND (c.relnamespace = to_regnamespace(%s) OR c.relname = ANY (%s))
"""


def sizes(connection, schema=None, tables=()):
    """{table: (bytes of its rows, out of line, in indexes)}, after VACUUM."""
    connection.execute("VACUUM")
    found = connection.execute(SIZES, [schema, list(tables)])
    return {name: (heap, toast, index) for name, heap, toast, index in found}


def growth(before, after):
    """What was added, table by table, where anything was."""
    added = {table: tuple(a - b for a, b in zip(after[table], before.get(table, (0, 0, 0)), strict=True)) for table in after}
    return {table: parts for table, parts in added.items() if any(parts)}


def total_bytes(parts):
    return sum(map(sum, parts.values()))


def breakdown(parts):
    """{"event rows": …, "event out of line": …, "event indexes": …}"""
    kinds = ("rows", "out of line", "indexes")
    return {f"{table} {kind}": size for table, found in parts.items() for kind, size in zip(kinds, found, strict=True) if size}


TURNS = 500


def turns():
    """A list that grows by 200 bytes of text that does not compress, turn by turn."""
    messages = []
    for turn in range(TURNS):
        messages.append(text(f"turn {turn}", 198))
        yield messages


def langgraph_turns(connection):
    """The same through LangGraph's PostgresSaver: a checkpoint each turn, with the list in a channel."""
    saver = PostgresSaver(connection)
    config = {"configurable": {"thread_id": "chat", "checkpoint_ns": ""}}
    for turn, messages in enumerate(turns(), start=1):
        checkpoint = empty_checkpoint() | {"channel_values": {"messages": messages}, "channel_versions": {"messages": turn}}
        config = saver.put(config, checkpoint, {"source": "loop", "step": turn, "parents": {}}, {"messages": turn})


@line(exact=True)
def list_on_disk():
    """500 turns, each of which appends 200 bytes that do not compress to a list and saves the whole list: `set_variable` of
    it, on 4 runs, against a checkpoint with LangGraph's PostgresSaver.put. Tables, indexes and TOAST, after VACUUM."""
    copies = 4
    with database() as connection:
        connection.execute("SELECT layra.start_run('first')")
        before = sizes(connection, "layra")
        for n in range(copies):
            connection.execute("SELECT layra.start_run(%s)", [f"chat {n}"])
        for messages in turns():
            list_ = json.dumps(messages)
            for n in range(copies):
                connection.execute("SELECT layra.set_variable(%s, 'messages', %s)", [f"chat {n}", list_])
        parts = growth(before, sizes(connection, "layra"))
        parts = {table: tuple(round(size / copies) for size in found) for table, found in parts.items()}
        connection.row_factory = dict_row
        PostgresSaver(connection).setup()
        langgraph_turns(connection)
        connection.row_factory = psycopg.rows.tuple_row
        tables = sizes(connection, None, ["checkpoints", "checkpoint_blobs", "checkpoint_writes"])
    return [
        Row("500 turns that append 200 bytes to a list: disk", 100 * total_bytes(parts) / total_bytes(tables), "% of LangGraph's",
            "≤ 3", {"bytes": total_bytes(parts), "LangGraph": total_bytes(tables)} | breakdown(parts), {"list on disk": total_bytes(parts)}),
    ]  # fmt: skip


@line(exact=True)
def list_reads():
    """Of the same list: get_variable of the newest version and at versions all along, instructions of each; beside the same
    value stored whole, `SELECT value FROM t WHERE run_id = $1 AND version = $2`. The worst of them."""
    versions = [2, 3, 10, 17, 33, 64, 65, 100, 128, 129, 200, 255, 300, 333, 400, 449, 450, 480, 499, 500, 501]

    def setup(connection):
        install(connection)
        whole_table(connection)
        connection.execute("GRANT SELECT ON whole TO app")
        connection.execute("SET ROLE app")
        connection.execute("SELECT layra.start_run('chat')")
        for messages in turns():
            version = connection.execute(
                "SELECT layra.set_variable('chat', 'messages', %s)", [json.dumps(messages)]
            ).fetchone()[0]
            connection.execute("RESET ROLE")
            connection.execute("INSERT INTO whole VALUES ('chat', %s, %s)", [version, json.dumps(messages)])
            connection.execute("SET ROLE app")
        connection.execute("RESET ROLE")

    newest = "EXECUTE newest"
    prepare = [
        "PREPARE newest AS SELECT layra.get_variable('chat', 'messages')",
        "PREPARE ours (bigint) AS SELECT layra.get_variable('chat', 'messages', $1)",
        "PREPARE whole (bigint) AS SELECT document FROM whole WHERE run_id = 'chat' AND version = $1",
        *[f"EXECUTE {name}" for name in ("newest", "ours(9)", "whole(9)") for _ in range(7)],
    ]
    with Bench(setup) as bench:
        sections = [Section("newest", [newest] * 3, prepare)]
        for version in versions:
            for name in ("ours", "whole"):
                sections.append(Section(f"{name} {version}", [f"EXECUTE {name}({version})"] * 3, []))
        cost = per_call(bench, *sections, calls=3)
    ratios = {version: cost[f"ours {version}"] / cost[f"whole {version}"] for version in versions}
    worst = max(ratios, key=ratios.get)
    last = TURNS + 1
    return [
        Row("reading the newest version of that list", cost["newest"] / cost[f"whole {last}"], "× the value stored whole", "≤ 2",
            {"instructions": cost["newest"], "whole": cost[f"whole {last}"]}, {"list newest": cost["newest"]}),
        Row("reading it at an older version, the worst", ratios[worst], "× the value stored whole", "≤ 2",
            {"version": worst, "instructions": cost[f"ours {worst}"], "whole": cost[f"whole {worst}"]},
            {"list at versions": sum(cost[f"ours {version}"] for version in versions)}),
    ]  # fmt: skip


def recorded():
    """The texts of the recorded run's states, as they are in the file."""
    with RECORDING.open(encoding="utf-8") as lines:
        return [found for found in lines if '"kind": "state"' in found or '"kind": "save_state"' in found]


@line(exact=True)
def recorded_run():
    """The 168 states of a real engine's run, saved by save_state on 10 runs: tables, indexes and TOAST after VACUUM, for each
    run. Stored whole: the bytes of their JSON text, which is what an engine writes to a cache or a file; and as a row each
    of a table with a primary key, with PostgreSQL's default compression."""
    copies = 10
    states = recorded()
    with database() as connection:
        connection.execute("CREATE TABLE whole (run_id text, version bigint, document jsonb, PRIMARY KEY (run_id, version))")
        connection.execute("SELECT layra.save_state('first', '{}')")
        before = sizes(connection, "layra", ["whole"])
        for version, state in enumerate(states, start=1):
            for n in range(copies):
                connection.execute("SELECT layra.save_state(%s, (%s::jsonb) -> 'state')", [f"run {n}", state])
                connection.execute("INSERT INTO whole SELECT %s, %s, %s::jsonb -> 'state'", [f"run {n}", version, state])
        parts = growth(before, sizes(connection, "layra", ["whole"]))
        parts = {table: tuple(round(size / copies) for size in found) for table, found in parts.items()}
        whole = total_bytes({"whole": parts.pop("whole")})
        (text_,) = connection.execute("SELECT sum(octet_length(document::text)) FROM whole WHERE run_id = 'run 0'").fetchone()
        (cells,) = connection.execute("SELECT count(*) FROM layra.cell WHERE run_id = 'run 0'").fetchone()
    size = total_bytes(parts)
    return [
        Row("the recorded run of 168 states: disk", float(100 * size / text_), "% of the JSON text of the states", "≤ 6",
            {"bytes": size, "text": int(text_), "states": len(states), "cells": cells} | breakdown(parts), {"recorded run": size}),
        Row("the recorded run of 168 states: disk", 100 * size / whole, "% of a table of the states, compressed with pglz", "",
            {"bytes": size, "table": whole}),
    ]  # fmt: skip
