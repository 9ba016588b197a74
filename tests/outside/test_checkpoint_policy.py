"""Automatic checkpoints: every rule of the policy, through every function that writes, in the version of the change."""

import json

import pytest
from execution import begin, call, checkpoints, flow, head, set_now, sound, start

DATA = {"outer": {"maxCount": 5}}


@pytest.fixture
def db(admin):
    set_now(admin)
    return admin


def policy(**checkpoint):
    return flow(policy={"checkpoint": checkpoint}, data=DATA)


# Every function that appends an event to a run, as it is called at a moment when a checkpoint is due. Each leaves one event.
WRITES = {
    "set_variables": "set_variables(%s, '{\"v\": 1}')",
    "try_set_variables": "try_set_variables(%s, '{\"v\": 1}')",
    "set_variable": "set_variable(%s, 'v', '1')",
    "unset_variables": "unset_variables(%s, '{v}')",
    "save_state": "save_state(%s, '{\"global_variables\": {\"v\": 2}}')",
    "append_event": "append_event(%s, 'note')",
    "append_events": "append_events(%s, '[{\"type\": \"note\"}]')",
    "protect_checkpoint": "protect_checkpoint(%s, 'first')",
    "rollback": "rollback(%s, 2)",
    "rollback_to": "rollback_to(%s, 'first')",
    "cancel_run": "cancel_run(%s)",
    "finish_run": "finish_run(%s)",
    "set_owner": "set_owner(%s, 'postgres')",
    "begin_node": "begin_node(%s, 'prepare')",
    "complete_node": "complete_node(%s, 'report', '1')",
    "fail_node": "fail_node(%s, 'report', '1')",
    "skip_nodes": "skip_nodes(%s, '{draft}')",
    "reset_nodes": "reset_nodes(%s, '{report}')",
    "set_engine": "set_engine(%s, '{\"mode\": 1}')",
    "enter_loop": "enter_loop(%s, 'middle')",
    "next_iteration": "next_iteration(%s, 'outer')",
    "exit_loop": "exit_loop(%s, 'outer')",
    "resume_run": "resume_run(%s, '{interaction}')",
    "withdraw_interaction": "withdraw_interaction(%s, '{interaction}')",
    "recover_run": "recover_run(%s)",
}
# These make a checkpoint of their own kind, due or not.
OWN = {"checkpoint": "checkpoint(%s)", "pause_run": "pause_run(%s, 'report')"}


def prepared(db, name, definition):
    """A run in which each of the calls above means something."""
    run = start(db, name, definition)
    call(db, "checkpoint(%s, 'first')", run)
    call(db, "enter_loop(%s, 'outer')", run)
    call(db, "next_iteration(%s, 'outer')", run)
    if name in ("resume_run", "withdraw_interaction"):
        return run, str(call(db, "pause_run(%s, 'report')", run))
    begin(db, run, "report")
    return run, None


@pytest.mark.parametrize("name", {**WRITES, **OWN})
def test_time_is_looked_at_by_every_function(db, name):
    run, interaction = prepared(db, name, policy(every="5 minutes"))
    before = checkpoints(db, run)
    set_now(db, 5)
    sql = {**WRITES, **OWN}[name].replace("{interaction}", interaction or "")
    call(db, sql, run)
    (kind, at) = db.execute(
        "SELECT kind, version FROM layra.checkpoint WHERE run_id = %s ORDER BY version DESC LIMIT 1", [run]
    ).fetchone()
    assert (kind, at) == ({"checkpoint": "manual", "pause_run": "human"}.get(name, "time"), head(db, run))
    assert len(checkpoints(db, run)) == len(before) + 1
    sound(db, run)


@pytest.mark.parametrize("name", WRITES)
def test_bytes_are_counted_by_every_function(db, name):
    # So few that one event is too much, however small it is.
    run, interaction = prepared(db, name, policy(bytes=1))
    if name in ("resume_run", "withdraw_interaction"):
        begin_version = head(db, run)
    else:
        begin_version = head(db, run)
        assert checkpoints(db, run)[-1] == (begin_version, "bytes")
    call(db, WRITES[name].replace("{interaction}", interaction or ""), run)
    assert head(db, run) == begin_version + 1
    assert checkpoints(db, run)[-1] == (begin_version + 1, "bytes")
    sound(db, run)


def test_time_since_the_last_checkpoint_whatever_its_kind(db):
    run = start(db, "time", policy(every="5 minutes"))
    for minutes, expected in ((0, None), (4.99, None), (5, "time"), (9.99, None), (10, "time"), (12, "manual"), (15, None),
                              (16.99, None), (17, "time"), (600, "time"), (600, None)):  # fmt: skip
        set_now(db, minutes)
        call(db, "checkpoint(%s)" if expected == "manual" else "append_event(%s, 'note')", run)
        version = head(db, run)
        found = dict(checkpoints(db, run)).get(version)
        assert found == expected, minutes
        # The event itself says it, and its time is the checkpoint's.
        (kind, label, same) = db.execute(
            "SELECT e.checkpoint_kind, e.checkpoint_label, c.created_at IS NULL OR c.created_at = e.at FROM layra.event e"
            " LEFT JOIN layra.checkpoint c USING (run_id, version) WHERE e.run_id = %s AND e.version = %s", [run, version],
        ).fetchone()  # fmt: skip
        assert (kind, label, same) == (expected, None, True)
    sound(db, run)


def test_a_call_that_changes_nothing_makes_no_checkpoint(db):
    run = start(db, "nothing", policy(every="5 minutes", bytes=1000, milestones=["code"], before=["code"]))
    begin(db, run, "report", "w")
    call(db, "complete_node(%s, 'report', '1', attempt => 1)", run)
    call(db, "enter_loop(%s, 'outer')", run)
    found = checkpoints(db, run)
    set_now(db, 10)
    begin(db, run, "report", "w")
    call(db, "complete_node(%s, 'report', '1', attempt => 1)", run)
    call(db, "enter_loop(%s, 'outer')", run)
    call(db, "skip_nodes(%s, '{}')", run)
    call(db, "recover_run(%s)", run)
    assert checkpoints(db, run) == found


def test_one_checkpoint_in_a_batch_for_the_time(db):
    run = start(db, "batch", policy(every="5 minutes"))
    set_now(db, 5)
    call(db, "append_events(%s, %s::jsonb)", run, json.dumps([{"type": "note"}] * 5))
    assert checkpoints(db, run) == [(2, "time")]
    sound(db, run)


def test_bytes_since_the_last_checkpoint(db):
    run = start(db, "bytes", policy(bytes=1000))
    for number in range(1, 5):
        before = len(checkpoints(db, run))
        call(db, "set_variable(%s, 'v', %s::jsonb)", run, json.dumps(f"{number}" * 600))
        assert len(checkpoints(db, run)) == before + (number % 2 == 0), number
    # Bytes of jsonb text, not characters.
    run = start(db, "characters", policy(bytes=1000))
    call(db, "set_variable(%s, 'v', %s::jsonb)", run, json.dumps("\u00e4" * 498, ensure_ascii=False))
    assert [kind for _, kind in checkpoints(db, run)] == ["bytes"]
    # Exactly: payload and values count, one byte less does not suffice.
    for spare, expected in ((1, []), (0, ["bytes"])):
        run = start(db, "exactly", policy(bytes=1000))
        (counted,) = db.execute("SELECT bytes_since_checkpoint FROM layra.event WHERE run_id = %s", [run]).fetchone()
        size = 1000 - spare - counted - len('{"x": ""}')
        call(db, "append_event(%s, 'note', %s::jsonb)", run, json.dumps({"x": "x" * size}))
        assert [kind for _, kind in checkpoints(db, run)] == expected, spare
        sound(db, run)


def test_bytes_count_again_after_every_checkpoint_and_within_a_batch(db):
    run = start(db, "again", policy(bytes=1000))
    note = {"type": "note", "payload": {"x": "x" * 480}}
    call(db, "append_events(%s, %s::jsonb)", run, json.dumps([note] * 9))
    versions = [version for version, _ in checkpoints(db, run)]
    # After the run's first event, whose bytes count, too.
    assert [later - earlier for earlier, later in zip(versions, versions[1:], strict=False)] == [3] * (len(versions) - 1)
    assert len(versions) >= 2
    call(db, "checkpoint(%s)", run)
    before = len(checkpoints(db, run))
    call(db, "append_events(%s, %s::jsonb)", run, json.dumps([note] * 2))
    assert len(checkpoints(db, run)) == before
    call(db, "append_event(%s, 'note', %s::jsonb)", run, json.dumps(note["payload"]))
    assert checkpoints(db, run)[-1] == (head(db, run), "bytes")
    sound(db, run)


def test_milestones_are_completions_of_nodes_of_a_type(db):
    run = start(db, "milestone", policy(milestones=["vlm", "condition"]))
    for name in ("prepare", "step", "review", "report"):
        begin(db, run, name)
        version = call(db, "complete_node(%s, %s, '1')", run, name)
        assert dict(checkpoints(db, run)).get(version) == ("milestone" if name in ("step", "review") else None), name
    # Neither a failure nor a skip is one, nor a node that the graph does not have.
    begin(db, run, "step")
    call(db, "reset_nodes(%s, '{step,review}')", run)
    begin(db, run, "step")
    call(db, "fail_node(%s, 'step', '1')", run)
    call(db, "skip_nodes(%s, '{review}')", run)
    begin(db, run, "stranger")
    call(db, "complete_node(%s, 'stranger')", run)
    assert [kind for _, kind in checkpoints(db, run)] == ["milestone"] * 2
    sound(db, run)


def test_the_boundaries_of_a_loops_iterations(db):
    run = start(db, "loop", policy(milestones=["loop"]))
    call(db, "enter_loop(%s, 'outer', 2)", run)
    assert checkpoints(db, run) == []
    assert call(db, "next_iteration(%s, 'outer', -1)", run) == 0
    call(db, "next_iteration(%s, 'outer', -1)", run)
    call(db, "next_iteration(%s, 'outer', 0)", run)
    call(db, "next_iteration(%s, 'outer', 1)", run)
    call(db, "exit_loop(%s, 'outer')", run)
    call(db, "exit_loop(%s, 'outer')", run)
    assert checkpoints(db, run) == [(3, "milestone"), (4, "milestone"), (5, "milestone")]
    call(db, "rollback(%s, 4)", run)
    assert checkpoints(db, run)[-1][1] == "milestone"
    sound(db, run)


def test_before_a_node_of_a_type_begins(db):
    run = start(db, "before", policy(before=["vlm"]))
    begin(db, run, "prepare", "w")
    assert checkpoints(db, run) == []
    begin(db, run, "step", "w")
    assert checkpoints(db, run) == [(3, "before")]
    begin(db, run, "step", "w")
    assert checkpoints(db, run) == [(3, "before"), (4, "before")]
    call(db, "complete_node(%s, 'step')", run)
    begin(db, run, "step", "w")
    assert len(checkpoints(db, run)) == 2
    # Back to it: nothing of the node is done, and nobody is working on it.
    call(db, "rollback(%s, 4)", run)
    assert begin(db, run, "step", "other")[1] == "running"
    sound(db, run)


def test_one_checkpoint_a_version_and_which_reason_wins(db):
    run = start(db, "all", policy(every="5 minutes", bytes=1, milestones=["vlm"], before=["vlm"]))
    set_now(db, 10)
    begin(db, run, "step")
    call(db, "complete_node(%s, 'step', '1')", run)
    call(db, "append_event(%s, 'note')", run)
    call(db, "checkpoint(%s, 'mine')", run)
    assert checkpoints(db, run) == [(2, "before"), (3, "milestone"), (4, "bytes"), (5, "manual")]
    sound(db, run)


def test_without_a_workflow_or_a_policy_there_is_none(db):
    for definition in (None, flow()):
        run = start(db, "none", definition)
        set_now(db, 60 * 24 * 365)
        begin(db, run, "step")
        call(db, "complete_node(%s, 'step', '1')", run)
        call(db, "set_variable(%s, 'v', to_jsonb(repeat('x', 100000)))", run)
        assert checkpoints(db, run) == []
        set_now(db)


def test_a_runs_first_event_makes_none(db):
    run = start(db, "first", policy(bytes=1, every="1 us"), variables={"v": "x" * 100})
    assert checkpoints(db, run) == []


def test_a_fork_counts_from_its_own_beginning(db):
    run = start(db, "fork", policy(every="5 minutes"))
    set_now(db, 5)
    call(db, "append_event(%s, 'note')", run)
    set_now(db, 9)
    call(db, "fork_run(%s, %s)", run, f"{run} fork")
    set_now(db, 13)
    call(db, "append_event(%s, 'note')", f"{run} fork")
    set_now(db, 14)
    call(db, "append_event(%s, 'note')", f"{run} fork")
    assert checkpoints(db, f"{run} fork") == [(3, "time")]
    sound(db, f"{run} fork")


def test_an_automatic_checkpoint_is_one_like_any_other(db):
    run = start(db, "usual", policy(milestones=["vlm"]))
    begin(db, run, "step")
    call(db, "complete_node(%s, 'step', '1', '{\"v\": 1}')", run)
    call(db, "set_variable(%s, 'v', '2')", run)
    (version, _) = checkpoints(db, run)[0]
    call(db, "rollback(%s, %s)", run, version)
    assert call(db, "get_variable(%s, 'v')", run) == 1
    assert db.execute("SELECT label, protected, metadata FROM layra.checkpoint WHERE run_id = %s", [run]).fetchone() == (None, False, {})
    sound(db, run)
