"""Loops, nested to any depth: bounds, lost answers, what an iteration resets, and context that ends with its loop."""

import json

import pytest
from execution import (
    attempt, begin, call, events, flow, head, node, rows, set_now, sound, start, state, status, unchanged,
)  # fmt: skip
from test_concurrency import together  # noqa: F401

STATE, ARGUMENT, CONFLICT = "55000", "22023", "40001"


@pytest.fixture
def db(admin):
    set_now(admin)
    return admin


def loop(connection, run_id, loop_id):
    found = connection.execute(
        "SELECT details FROM layra.loops WHERE run_id = %s AND loop_id = %s", [run_id, loop_id]
    ).fetchone()
    return found and found[0]


def complete(connection, run_id, node_id, output="1"):
    number, _, _ = begin(connection, run_id, node_id, "w", "5 minutes")
    return call(connection, "complete_node(%s, %s, %s::jsonb, attempt => %s)", run_id, node_id, output, number)


def changed(connection, run_id, version):
    return connection.execute(
        "SELECT changed FROM layra.event WHERE run_id = %s AND version = %s", [run_id, version]
    ).fetchone()[0]


# --- one loop --------------------------------------------------------------------------------------------------------


def test_a_loop_from_its_beginning_to_its_end(db):
    run = start(db, "one")
    assert call(db, "enter_loop(%s, 'l', 3)", run) == 2
    assert loop(db, run, "l") == {"index": -1, "max": 3, "active": True}
    assert state(db, run)["loop_index"] == {"l": -1}
    assert [call(db, "next_iteration(%s, 'l')", run) for _ in range(5)] == [0, 1, 2, None, None]
    assert state(db, run)["loop_index"] == {"l": 2}
    assert head(db, run) == 5
    assert call(db, "exit_loop(%s, 'l')", run) == 6
    assert loop(db, run, "l") == {"index": 2, "max": 3, "active": False}
    assert events(db, run) == ["run.started", "loop.entered", *["loop.iteration"] * 3, "loop.exited"]
    # And again from the beginning.
    assert call(db, "enter_loop(%s, 'l', 1)", run) == 7
    assert [call(db, "next_iteration(%s, 'l')", run) for _ in range(2)] == [0, None]
    sound(db, run)


def test_lost_answers(db):
    run = start(db, "lost")
    entered = call(db, "enter_loop(%s, 'l', 2)", run)
    with unchanged(db, run):
        assert call(db, "enter_loop(%s, 'l', 2)", run) == entered
        assert call(db, "enter_loop(%s, 'l', 7)", run) == entered
        assert call(db, "enter_loop(%s, 'l', 2, expected_version => 1)", run) == entered
    for after, index in ((-1, 0), (0, 1), (1, None)):
        assert call(db, "next_iteration(%s, 'l', %s)", run, after) == index
        with unchanged(db, run):
            for _ in range(2):
                assert call(db, "next_iteration(%s, 'l', %s)", run, after) == index
            # Neither one behind nor one ahead.
            for wrong in {-1, 0, 1, 2, 5} - {after, after - 1 if index is None else after, after + 1}:
                assert attempt(db, "next_iteration(%s, 'l', %s)", run, wrong) == STATE, (after, wrong)
    exited = call(db, "exit_loop(%s, 'l')", run)
    with unchanged(db, run):
        assert call(db, "exit_loop(%s, 'l')", run) == exited
        assert call(db, "exit_loop(%s, 'l', expected_version => 1)", run) == exited
        assert attempt(db, "next_iteration(%s, 'l')", run) == STATE
        assert attempt(db, "next_iteration(%s, 'l', 0)", run) == STATE
    sound(db, run)


def test_a_repeated_iteration_begins_once_in_many_sessions(db, together):  # noqa: F811
    run = start(db, "together")
    call(db, "enter_loop(%s, 'l')", run)
    assert set(together(lambda c, _: attempt(c, "next_iteration(%s, 'l', -1)", run))) == {0}
    assert head(db, run) == 3
    # Without `after` each call begins an iteration of its own.
    assert sorted(together(lambda c, _: attempt(c, "next_iteration(%s, 'l')", run))) == list(range(1, 17))
    assert set(map(str, together(lambda c, _: attempt(c, "enter_loop(%s, 'm')", run)))) == {str(head(db, run))}
    sound(db, run)


@pytest.mark.parametrize("call_, node_, policy, expected", [
    (2, 3, 4, 2), (None, 3, 4, 3), (None, None, 4, 4), (None, None, None, 100), (0, 3, 4, 0), (None, 0, 4, 0), (None, None, 0, 0),
    (2147483647, None, None, 2147483647),
])  # fmt: skip
def test_where_the_bound_comes_from(db, call_, node_, policy, expected):
    definition = {"nodes": [{"id": "l", "type": "loop", "data": {"maxCount": node_} if node_ is not None else {}}]}
    if policy is not None:
        definition["policy"] = {"loops": {"default_max": policy}}
    run = start(db, "bound", definition)
    call(db, "enter_loop(%s, 'l', %s)", run, call_)
    assert loop(db, run, "l")["max"] == expected
    for index in range(min(expected, 4)):
        assert call(db, "next_iteration(%s, 'l', %s)", run, index - 1) == index
    if expected < 5:
        with unchanged(db, run):
            assert call(db, "next_iteration(%s, 'l', %s)", run, expected - 1) is None


def test_the_default_bound_is_a_hundred(db):
    run = start(db, "hundred")
    call(db, "enter_loop(%s, 'l')", run)
    assert [call(db, "next_iteration(%s, 'l')", run) for _ in range(101)] == [*range(100), None]


def test_the_graph_of_a_saved_document_bounds_its_loops(db):
    run = start(db, "document")
    call(db, "save_state(%s, %s::jsonb)", run, json.dumps({
        "nodes": [{"id": "l", "type": "loop", "data": {"maxCount": 1}}, {"id": "b", "type": "code"}],
        "edges": [{"source": "l", "target": "b", "sourceHandle": "loop_body"},
                  {"source": "b", "target": "l", "sourceHandle": "loop_next"}],
        "execution_status": {"b": True},
    }))  # fmt: skip
    call(db, "enter_loop(%s, 'l')", run)
    assert [call(db, "next_iteration(%s, 'l')", run) for _ in range(2)] == [0, None]
    assert state(db, run)["execution_status"] == {"b": False}
    sound(db, run)


def test_calls_that_mean_nothing(db):
    run = start(db, "nothing")
    call(db, "enter_loop(%s, 'l')", run)
    with unchanged(db, run):
        for sql, expected in (
            ("next_iteration(%s, 'unknown')", STATE), ("exit_loop(%s, 'unknown')", STATE), ("next_iteration(%s, 'l', -2)", ARGUMENT),
            ("next_iteration(%s, 'l', 2147483647)", STATE), ("next_iteration(%s, 'l', -2147483648)", ARGUMENT),
            ("enter_loop(%s, 'm', -1)", ARGUMENT), ("enter_loop(%s, NULL)", ARGUMENT), ("enter_loop(%s, '')", ARGUMENT),
            ("next_iteration(%s, NULL)", ARGUMENT), ("exit_loop(%s, NULL)", ARGUMENT), ("enter_loop(%s || '?', 'l')", "P0002"),
            ("enter_loop(%s, 'm', expected_version => 1)", CONFLICT), ("exit_loop(%s, 'l', expected_version => 1)", CONFLICT),
        ):  # fmt: skip
            assert attempt(db, sql, run) == expected, sql


@pytest.mark.parametrize("how", ["paused", "cancelling", "completed"])
def test_loops_of_a_run_that_does_not_run(db, how):
    run = start(db, how)
    call(db, "enter_loop(%s, 'l')", run)
    call(db, {"paused": "pause_run(%s, 'l')", "cancelling": "cancel_run(%s)", "completed": "finish_run(%s)"}[how], run)
    assert status(db, run) == how
    if how == "completed":
        with unchanged(db, run):
            assert attempt(db, "next_iteration(%s, 'l', -1)", run) == STATE
            assert attempt(db, "exit_loop(%s, 'l')", run) == STATE
    else:
        assert attempt(db, "next_iteration(%s, 'l', -1)", run) == 0
        assert attempt(db, "exit_loop(%s, 'l')", run) == head(db, run)
    sound(db, run)


# --- loops in loops --------------------------------------------------------------------------------------------------


def test_three_loops_in_each_other(db):
    run = start(db, "nested", flow(data={"outer": {"maxCount": 2}, "middle": {"maxCount": 3}}))
    complete(db, run, "prepare")
    seen = []

    def iterate(name, body):
        call(db, "enter_loop(%s, %s, %s)", run, name, 2 if name == "inner" else None)
        index = -1
        while (following := call(db, "next_iteration(%s, %s, %s)", run, name, index)) is not None:
            index = following
            body()
        call(db, "exit_loop(%s, %s)", run, name)

    def step():
        seen.append(tuple(state(db, run)["loop_index"][name] for name in ("outer", "middle", "inner")))
        complete(db, run, "step", json.dumps(seen[-1]))

    def middle():
        complete(db, run, "think")
        iterate("inner", step)

    def outer():
        complete(db, run, "draft")
        iterate("middle", middle)
        complete(db, run, "review")

    iterate("outer", outer)
    complete(db, run, "report")
    assert seen == [(o, m, i) for o in range(2) for m in range(3) for i in range(2)]
    assert state(db, run)["context"]["step"] == [list(each) for each in seen]
    assert state(db, run)["loop_index"] == {"outer": 1, "middle": 2, "inner": 1}
    assert node(db, run, "step")["attempt"] == 12
    assert node(db, run, "prepare")["attempt"] == node(db, run, "report")["attempt"] == 1
    sound(db, run)


BODIES = {
    "outer": {"draft", "middle", "think", "inner", "step", "review"},
    "middle": {"think", "inner", "step"},
    "inner": {"step"},
}


@pytest.mark.parametrize("name", BODIES)
def test_an_iteration_resets_its_body_in_the_same_version(db, name):
    run = start(db, f"resets {name}", flow())
    nodes = ("prepare", "draft", "think", "step", "review", "report")
    for each in nodes:
        complete(db, run, each)
    begin(db, run, "inner", "w", "5 minutes")
    for each in ("outer", "middle", "inner"):
        call(db, "enter_loop(%s, %s)", run, each)
    call(db, "reset_nodes(%s, '{step}')", run)
    begin(db, run, "step", "w", "5 minutes")
    for _ in range(2):
        call(db, "next_iteration(%s, 'inner')", run)
        complete(db, run, "step")
    before = head(db, run)
    after = call(db, "next_iteration(%s, %s)", run, name)
    assert head(db, run) == before + 1
    shown = state(db, run)["execution_status"]
    assert {each for each in nodes if not shown[each]} == BODIES[name] & set(nodes)
    # The loops inside it are gone, the one itself and those around it stand where they stood.
    loops = state(db, run)["loop_index"]
    assert set(loops) == set(BODIES) - BODIES[name]
    assert loops[name] == after
    for inside in BODIES[name] & set(BODIES):
        assert attempt(db, "next_iteration(%s, %s)", run, inside) == STATE
        assert f"loop/{inside}" in changed(db, run, before + 1)
    if "inner" in BODIES[name]:
        assert attempt(db, "heartbeat(%s, 'inner', 1, '5 minutes')", run) == STATE
    assert begin(db, run, "step", "w", "5 minutes")[0] == 5
    sound(db, run)


def test_entering_resets_the_loops_inside(db):
    run = start(db, "entering", flow())
    call(db, "enter_loop(%s, 'inner', 9)", run)
    call(db, "next_iteration(%s, 'inner')", run)
    complete(db, run, "step")
    version = call(db, "enter_loop(%s, 'middle')", run)
    assert set(changed(db, run, version)) >= {"loop/inner", "loop/middle"}
    assert state(db, run)["loop_index"] == {"middle": -1}
    # Entering again what is active writes nothing, and resets nothing.
    call(db, "enter_loop(%s, 'inner')", run)
    with unchanged(db, run):
        assert call(db, "enter_loop(%s, 'middle')", run) == version
    call(db, "enter_loop(%s, 'outer')", run)
    assert state(db, run)["loop_index"] == {"outer": -1}
    sound(db, run)


def test_iterations_end_leases_and_never_repeat_attempts(db):
    run = start(db, "leases", flow())
    call(db, "enter_loop(%s, 'inner')", run)
    for number in range(1, 6):
        call(db, "next_iteration(%s, 'inner')", run)
        assert begin(db, run, "step", f"w{number}", "5 minutes") == (number, "running", None)
        if number > 1:
            assert attempt(db, "complete_node(%s, 'step', '1', attempt => %s)", run, number - 1) == STATE
            assert attempt(db, "heartbeat(%s, 'step', %s, '5 minutes')", run, number - 1) == STATE
    assert rows(db, "lease WHERE run_id = %s AND held", run)[0]["attempt"] == 5
    sound(db, run)


def test_a_rollback_restores_loops_as_they_were(db):
    run = start(db, "rolled back", flow(data={"outer": {"maxCount": 5}}))
    states = {}
    for sql in ("enter_loop(%s, 'outer')", "next_iteration(%s, 'outer')", "enter_loop(%s, 'middle', 4)", "next_iteration(%s, 'middle')",
                "next_iteration(%s, 'middle')", "exit_loop(%s, 'middle')", "next_iteration(%s, 'outer')", "exit_loop(%s, 'outer')"):  # fmt: skip
        call(db, sql, run)
        states[head(db, run)] = state(db, run)
    for version, before in states.items():
        call(db, "rollback(%s, %s)", run, version)
        assert state(db, run) == before
    call(db, "rollback(%s, 5)", run)
    assert loop(db, run, "middle") == {"index": 0, "max": 4, "active": True}
    assert call(db, "next_iteration(%s, 'middle', 0)", run) == 1
    call(db, "fork_run(%s, %s, 5)", run, f"{run} fork")
    assert call(db, "next_iteration(%s, 'middle', 0)", f"{run} fork") == 1
    assert call(db, "next_iteration(%s, 'outer', 0)", f"{run} fork") == 1
    sound(db, run)
    sound(db, f"{run} fork")


# --- context that ends with its loop ---------------------------------------------------------------------------------


@pytest.mark.parametrize("scoped", ["outer", "middle", "inner", None])
def test_context_ends_with_the_loop_that_it_is_scoped_to(db, scoped):
    run = start(db, f"scope {scoped}", flow(data={scoped: {"context": "loop"}} if scoped else None))
    complete(db, run, "prepare", '"kept"')
    for name in BODIES:
        call(db, "enter_loop(%s, %s)", run, name)
        call(db, "next_iteration(%s, %s)", run, name)
    for number in range(3):
        complete(db, run, "step", str(number))
        call(db, "next_iteration(%s, 'inner')", run)
    complete(db, run, "think", '"t"')
    complete(db, run, "draft", '"d"')
    full = state(db, run)["context"]
    assert full == {"prepare": ["kept"], "step": [0, 1, 2], "think": ["t"], "draft": ["d"]}
    filled = head(db, run)
    for name in ("inner", "middle", "outer"):
        before = state(db, run)["context"]
        exited = call(db, "exit_loop(%s, %s)", run, name)
        now = state(db, run)["context"]
        if name == scoped:
            # An empty list, or none at all.
            assert all(not now.get(inside) for inside in BODIES[name])
            assert {key: value for key, value in now.items() if value} == {
                key: value for key, value in before.items() if key not in BODIES[name]
            }
            for inside in BODIES[name] & set(full):
                assert rows(db, "context(%s, %s)", run, inside) == []
        else:
            assert now == before
        with unchanged(db, run):
            assert call(db, "exit_loop(%s, %s)", run, name) == exited
    # History has it all, and so has every older version.
    assert [r["value"] for r in rows(db, "history(%s, 'step', 'context') WHERE value IS NOT NULL AND jsonb_typeof(value) = 'number'", run)] == [0, 1, 2]
    assert state(db, run, filled)["context"] == full
    sound(db, run)
    call(db, "rollback(%s, %s)", run, filled)
    assert state(db, run)["context"] == full
    # What is written after the loop began again is the only context then.
    if scoped == "inner":
        call(db, "exit_loop(%s, 'inner')", run)
        call(db, "enter_loop(%s, 'inner')", run)
        call(db, "next_iteration(%s, 'inner')", run)
        complete(db, run, "step", '"new"')
        assert state(db, run)["context"]["step"] == ["new"]
        assert begin(db, run, "step") == (4, "completed", "new")
    sound(db, run)


def test_a_completed_node_whose_context_ended_is_completed_still(db):
    """Its output is gone from the live state; the node is not done again."""
    run = start(db, "ended", flow(data={"inner": {"context": "loop"}}))
    call(db, "enter_loop(%s, 'inner')", run)
    call(db, "next_iteration(%s, 'inner')", run)
    version = complete(db, run, "step", '"x"')
    call(db, "exit_loop(%s, 'inner')", run)
    with unchanged(db, run):
        assert begin(db, run, "step") == (1, "completed", None)
    # The answer to the completion may have been lost for so long.
    assert attempt(db, "complete_node(%s, 'step', '\"x\"', attempt => 1)", run) in (version, STATE)
