"""A recorded run of a real engine, replayed: every state comes back as it was, at every version, however one asks."""

import json
from itertools import pairwise
from pathlib import Path

import psycopg
import pytest
from model import jsonb, parse
from ways import prepare  # noqa: F401

RECORDING = Path(__file__).parent.parent / "data" / "layra-trace.jsonl"
RUN = "recorded"


def lines():
    with RECORDING.open(encoding="utf-8") as recording:
        # Numbers stay the text they are: a state that came back as 0.30000000000000004 would not be the state.
        return [parse(line) for line in recording]


def replay(connection, run_id=RUN):
    """Perform the recording on a run: {version: recorded state as jsonb text} for the versions that a save made."""
    states = {}
    for line in lines():
        if line["kind"] == "workflow":
            definition = {
                "nodes": line["nodes"],
                "edges": line["edges"],
                "variables": {name: {"default": value} for name, value in line["global_variables"].items()},
            }
            connection.execute("SELECT layra.define_workflow('recorded flow', %s::jsonb)", [jsonb(definition)])
            connection.execute(
                "SELECT layra.start_run(%s, 'recorded flow', metadata => %s::jsonb)",
                [run_id, json.dumps({"username": line["username"], "breakpoints": line["breakpoints"]})],
            )
        elif line["kind"] == "event":
            event = line["event"]
            connection.execute(
                "SELECT layra.append_event(%s, %s, %s::jsonb)", [run_id, f"engine.{event['type']}", jsonb(event)]
            )
        if "state" in line:
            state = jsonb(line["state"])
            row = connection.execute("SELECT layra.save_state(%s, %s::jsonb)", [run_id, state]).fetchone()
            states[row[0]] = state
    return states


@pytest.fixture(scope="module")
def recorded(dsn):
    """The states that the recording saved, by version, in a run that is there for the whole module."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        return replay(connection)


def state_at(connection, run_id, version=None):
    return connection.execute("SELECT layra.get_state(%s, %s::bigint)::text", [run_id, version]).fetchone()[0]


def recorded_at(states, version):
    """The state recorded last at or before a version: events in between change nothing of it."""
    return states[max(saved for saved in states if saved <= version)]


def test_recording_is_complete(recorded):
    kinds = [line["kind"] for line in lines()]
    assert len(kinds) == 390
    assert len(recorded) == kinds.count("state") + kinds.count("save_state") + kinds.count("finished") == 169
    # start_run, and one version for every event and every state.
    assert max(recorded) == 1 + kinds.count("event") + len(recorded)


def test_every_recorded_state_comes_back(recorded, admin):
    rows = admin.execute(
        "SELECT version, layra.get_state(%s, version)::text FROM layra.event WHERE run_id = %s AND type = 'state.saved'",
        [RUN, RUN],
    ).fetchall()
    assert len(rows) == 169
    for version, state in rows:
        # Both as parsed values with numbers kept as text, and as the text itself.
        assert parse(state) == parse(recorded[version]), version
        assert state == recorded[version], version


def test_the_state_between_saves_is_that_of_the_last_save(recorded, admin):
    rows = admin.execute(
        "SELECT version, layra.get_state(%s, version)::text FROM layra.event WHERE run_id = %s AND version >= %s",
        [RUN, RUN, min(recorded)],
    ).fetchall()
    assert len(rows) == max(recorded) - min(recorded) + 1
    for version, state in rows:
        assert state == recorded_at(recorded, version), version


def test_the_run_starts_with_its_workflow(recorded, admin):
    """Before the first save: the graph and the defaults of the workflow, and nothing else."""
    first = lines()[0]
    assert parse(state_at(admin, RUN, 1)) == {
        "global_variables": first["global_variables"],
        "execution_status": {}, "execution_stack": [], "loop_index": {}, "context": {}, "skip_nodes": [],
        "nodes": first["nodes"], "edges": first["edges"],
    }  # fmt: skip


def test_events_come_back_as_they_were(recorded, admin):
    payloads = [jsonb(line["event"]) for line in lines() if line["kind"] == "event"]
    rows = admin.execute(
        "SELECT payload::text FROM layra.events(%s, types => '{engine.node,engine.ai_chunk}')", [RUN]
    ).fetchall()
    assert [payload for (payload,) in rows] == payloads
    assert len(payloads) == 218


@pytest.mark.parametrize("part", [0, 20, 40, 60, 80, 99])
def test_rollback_gives_the_recorded_state(recorded, admin, part):
    """At places all over the run; each is taken back again, so the run is the same for the next."""
    versions = sorted(recorded)
    version = versions[len(versions) * part // 100]
    (head,) = admin.execute("SELECT max(version) FROM layra.event WHERE run_id = %s", [RUN]).fetchone()
    (back,) = admin.execute("SELECT layra.rollback(%s, %s)", [RUN, version]).fetchone()
    assert back == head + 1
    assert state_at(admin, RUN) == recorded[version]
    assert admin.execute("SELECT * FROM layra.diff(%s, %s, %s)", [RUN, version, back]).fetchall() == []
    admin.execute("SELECT layra.rollback(%s, %s)", [RUN, head])
    assert state_at(admin, RUN) == recorded[versions[-1]]
    assert state_at(admin, RUN, head) == recorded[versions[-1]]


def test_a_fork_in_the_middle_equals_the_original_there(recorded, admin):
    middle = sorted(recorded)[len(recorded) // 2]
    assert admin.execute("SELECT layra.fork_run(%s, 'forked', %s)", [RUN, middle]).fetchone() == (1,)
    assert state_at(admin, "forked") == state_at(admin, RUN, middle) == recorded[middle]
    # From there on it takes the rest of the recording as the original did.
    for version in sorted(version for version in recorded if version > middle):
        admin.execute("SELECT layra.save_state('forked', %s::jsonb)", [recorded[version]])
        assert state_at(admin, "forked") == recorded[version]
    assert admin.execute("SELECT * FROM layra.verify('forked')").fetchall() == []


def test_an_unchanged_state_stores_no_cell(recorded, admin):
    """The recording saves the same state again and again; only what differs is kept."""
    versions = sorted(recorded)
    same = [later for earlier, later in pairwise(versions) if recorded[earlier] == recorded[later]]
    assert len(same) == 44
    (count,) = admin.execute(
        "SELECT count(*) FROM layra.cell WHERE run_id = %s AND version = ANY(%s)", [RUN, same]
    ).fetchone()
    assert count == 0
    (stored,) = admin.execute(
        "SELECT sum(octet_length(value::text)) FROM layra.cell WHERE run_id = %s", [RUN]
    ).fetchone()
    whole = sum(len(state.encode()) for state in recorded.values())
    assert stored * 10 < whole


def test_nothing_is_wrong_with_the_replayed_run(recorded, admin):
    assert admin.execute("SELECT * FROM layra.verify()").fetchall() == []
