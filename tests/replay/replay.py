"""Replays a recorded engine run through the extension, one transaction a line, as the engine itself would call it.

usage: replay.py RECORDING RUN_ID…

The connection is that of libpq's environment variables. Every recorded state is also stored whole in a table `recorded`,
and every recorded event in a table `recorded_event`: what an engine without the extension would keep, to compare with.
"""

import json
import sys

import psycopg

# The server takes every line apart: a JSON parser on the way would turn 1.00 into 1.0.
DEFINE = """
SELECT layra.define_workflow('report', jsonb_build_object('nodes', line -> 'nodes', 'edges', line -> 'edges',
    'variables', (SELECT jsonb_object_agg(key, jsonb_build_object('default', value))
                  FROM jsonb_each(line -> 'global_variables'))))
FROM (SELECT %s::jsonb) AS l (line)
"""
START = """
SELECT layra.start_run(%s, 'report', metadata => line - '{seq,kind,nodes,edges,global_variables}'::text[])
FROM (SELECT %s::jsonb) AS l (line)
"""
APPEND = """
SELECT layra.append_event(%s, 'engine.' || (line #>> '{event,type}'), line -> 'event')
FROM (SELECT %s::jsonb) AS l (line)
"""
SAVE = "SELECT layra.save_state(%s, line -> 'state') FROM (SELECT %s::jsonb) AS l (line)"

# What an engine without the extension would keep: every state whole, and every event.
KEEP_STATE = """
INSERT INTO recorded (run_id, version, seq, kind, state)
SELECT %s, %s, (line ->> 'seq')::integer, line ->> 'kind', line -> 'state' FROM (SELECT %s::jsonb) AS l (line)
"""
KEEP_EVENT = """
INSERT INTO recorded_event (run_id, version, event)
SELECT %s, %s, line -> 'event' FROM (SELECT %s::jsonb) AS l (line)
"""
KEEP_SAME = """
INSERT INTO recorded SELECT %(run)s, version, seq, kind, state FROM recorded WHERE run_id = %(first)s ORDER BY version;
INSERT INTO recorded_event SELECT %(run)s, version, event FROM recorded_event WHERE run_id = %(first)s ORDER BY version;
"""
TABLES = """
CREATE TABLE recorded (
    run_id text, version bigint, seq integer NOT NULL, kind text NOT NULL, state jsonb NOT NULL,
    PRIMARY KEY (run_id, version));
CREATE TABLE recorded_event (run_id text, version bigint, event jsonb NOT NULL, PRIMARY KEY (run_id, version));
"""
# A fair comparison: compressed as the extension's own columns are.
COMPRESSION = "SELECT attcompression FROM pg_attribute WHERE attrelid = 'layra.cell'::regclass AND attname = 'value'"
LZ4 = """
ALTER TABLE recorded ALTER state SET COMPRESSION lz4;
ALTER TABLE recorded_event ALTER event SET COMPRESSION lz4;
"""


def read(recording):
    """The recording's lines, each with its text and the clock of the engine: the time of the last event up to it."""
    with open(recording, encoding="utf-8") as file:
        texts = file.readlines()
    lines = [json.loads(text) for text in texts]
    times = [line["event"]["create_time"] for line in lines if line["kind"] == "event"]
    now = times[0]
    for line, text in zip(lines, texts, strict=True):
        if line["kind"] == "event":
            now = line["event"]["create_time"]
        yield line, text, now


def replay(connection, recording, run_id):
    """Returns what was stored at which version: (version, line), states and events."""
    user, states, events = None, [], []
    for line, text, now in read(recording):
        user = line.get("username", user)
        with connection.transaction():
            # Whom the engine works for, and the clock of the recording, for this transaction only.
            connection.execute(
                "SELECT set_config('layra.actor', %s, true), set_config('layra.now', %s, true)", [user, now]
            )
            if line["kind"] == "workflow":
                connection.execute(DEFINE, [text])
                connection.execute(START, [run_id, text])
            elif line["kind"] == "event":
                events.append((*connection.execute(APPEND, [run_id, text]).fetchone(), text))
            elif "state" in line:
                states.append((*connection.execute(SAVE, [run_id, text]).fetchone(), text))
    return states, events


def main():
    recording, first, *others = sys.argv[1:]
    with psycopg.connect(autocommit=True) as connection:
        states, events = replay(connection, recording, first)
        for run_id in others:
            replay(connection, recording, run_id)

        connection.execute(TABLES)
        if connection.execute(COMPRESSION).fetchone() == (b"l",):
            connection.execute(LZ4)
        with connection.cursor() as cursor:
            cursor.executemany(KEEP_STATE, [(first, *row) for row in states])
            cursor.executemany(KEEP_EVENT, [(first, *row) for row in events])
        for run_id in others:
            psycopg.ClientCursor(connection).execute(KEEP_SAME, {"run": run_id, "first": first})


main()
