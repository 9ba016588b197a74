"""After a crash: what recover_run finds, what it changes, where it stops, and which runs need it."""

import json

import psycopg
import pytest
from execution import (
    attempt, begin, call, edge, events, flow, head, lease, node, row, rows, set_now, sound, start, state, status, unchanged,
)  # fmt: skip
from test_plans import blocks
from test_recording import RUN as RECORDED
from test_recording import lines, replay

STATE, ARGUMENT = "55000", "22023"
TOLERANT = flow(policy={"loops": {"tolerance": 0}}, variables={"v": {"schema": {"type": "integer"}}}, data={"outer": {"maxCount": 3}})


@pytest.fixture
def db(admin):
    set_now(admin)
    return admin


def recover(connection, run_id, dry_run=False, rollback=True):
    return row(connection, "recover_run(%s, %s, %s)", run_id, dry_run, rollback)


def broken(connection, run_id):
    return rows(connection, "validate_run(%s)", run_id)


def breaks(connection, run_id):
    """A save that makes the loop's index run away, as an engine of that kind does it."""
    document = state(connection, run_id) | {"loop_index": {"outer": 15}}
    return call(connection, "save_state(%s, %s::jsonb)", run_id, json.dumps(document))


def complete(connection, run_id, *names):
    for name in names:
        number, _, _ = begin(connection, run_id, name, "w", "5 minutes")
        call(connection, "complete_node(%s, %s, '1', attempt => %s)", run_id, name, number)


# --- what nobody works on any more ---------------------------------------------------------------------------------------


def test_there_is_nothing_to_recover(db):
    run = start(db, "nothing", flow())
    complete(db, run, "prepare")
    begin(db, run, "draft", "w", "5 minutes")
    with unchanged(db, run):
        for dry_run in (True, False):
            assert recover(db, run, dry_run) == {
                "from_version": 4, "checkpoint_version": None, "incomplete": ["draft"], "last_completed": "prepare",
                "resume_at": ["outer"], "problems": [], "version": 4, "lost": [],
            }  # fmt: skip


def test_leases_that_ran_out_are_reset_and_others_kept(db):
    run = start(db, "leases", flow())
    complete(db, run, "prepare")
    begin(db, run, "draft", "w1", "5 minutes")
    begin(db, run, "think", "w2", "15 minutes")
    begin(db, run, "step", "w3")
    set_now(db, 10)
    with unchanged(db, run):
        dry = recover(db, run, True)
    assert dry["incomplete"] == ["draft", "step", "think"]
    assert dry["resume_at"] == ["draft", "step"]
    found = recover(db, run)
    assert found == dry | {"version": 7}
    assert state(db, run)["execution_status"] == {"prepare": True, "draft": False, "think": None, "step": False}
    assert [lease(db, run, name)["held"] for name in ("draft", "think")] == [False, True]
    assert events(db, run)[-1] == "run.recovered"
    # The response was lost: it does nothing twice, and names the same places.
    with unchanged(db, run):
        again = recover(db, run)
    assert (again["incomplete"], again["version"]) == (["think"], 7)
    for name, number in (("draft", 1), ("step", 1)):
        assert attempt(db, "complete_node(%s, %s, '1', attempt => %s)", run, name, number) == STATE
        assert begin(db, run, name, "next", "5 minutes") == (2, "running", None)
    assert call(db, "complete_node(%s, 'think', '1', attempt => 1)", run) == head(db, run)
    sound(db, run)


def test_the_row_has_no_null_arrays(db):
    run = start(db, "arrays")
    assert recover(db, run) == {
        "from_version": 1, "checkpoint_version": None, "incomplete": [], "last_completed": None, "resume_at": [], "problems": [],
        "version": 1, "lost": [],
    }  # fmt: skip
    begin(db, run, "n", "w")
    assert recover(db, run)["resume_at"] == ["n"]


@pytest.mark.parametrize("done, resume_at", [
    ([], ["prepare"]), (["prepare"], ["outer"]), (["prepare", "draft"], ["middle"]), (["prepare", "draft", "think"], ["inner"]),
    (["prepare", "draft", "think", "step"], ["inner"]), (["prepare", "outer"], ["report"]), (["report", "prepare"], ["outer"]),
    # In no order that a graph allows: what was left behind is still to be done.
    (["report"], ["prepare"]), (["think"], ["inner", "prepare"]),
])  # fmt: skip
def test_resume_points_come_from_the_graph(db, done, resume_at):
    run = start(db, "points", flow())
    complete(db, run, *done)
    found = recover(db, run)
    assert found["last_completed"] == (done[-1] if done else None)
    assert found["resume_at"] == resume_at


def test_failed_nodes_are_places_to_resume_at(db):
    run = start(db, "failed", flow())
    complete(db, run, "prepare")
    begin(db, run, "draft")
    call(db, "fail_node(%s, 'draft', '1')", run)
    assert recover(db, run)["resume_at"] == ["draft"]


@pytest.mark.parametrize("graph", [True, False], ids=["beside a graph", "without a graph"])
def test_nodes_that_no_graph_has_are_named_until_they_are_done(db, graph):
    """Also when asked again: a lost response loses no place."""
    run = start(db, "strangers", flow() if graph else None)
    complete(db, run, *(["prepare", "outer", "report"] if graph else []))
    begin(db, run, "lost", "w")
    begin(db, run, "failed", "w")
    call(db, "fail_node(%s, 'failed', '1')", run)
    begin(db, run, "reset", "w")
    call(db, "reset_nodes(%s, '{reset}')", run)
    call(db, "skip_nodes(%s, '{skipped}')", run)
    complete(db, run, "completed")
    dry = recover(db, run, dry_run=True)
    assert dry["resume_at"] == ["failed", "lost", "reset"]
    assert recover(db, run)["resume_at"] == dry["resume_at"]
    assert recover(db, run)["resume_at"] == dry["resume_at"]
    complete(db, run, "lost", "reset")
    assert recover(db, run)["resume_at"] == ["failed"]


def test_resume_points_of_a_saved_graph(db):
    run = start(db, "saved")
    call(db, "save_state(%s, %s::jsonb)", run, json.dumps({
        "nodes": [{"id": "a", "type": "code"}, {"id": "b", "type": "code"}], "edges": [edge("a", "b")],
    }))  # fmt: skip
    assert recover(db, run)["resume_at"] == ["a"]
    complete(db, run, "a")
    assert recover(db, run)["resume_at"] == ["b"]


@pytest.mark.parametrize("how", ["completed", "failed", "cancelled"])
def test_a_finished_run_needs_no_recovery(db, how):
    run = start(db, how)
    begin(db, run, "n", "w", "5 minutes")
    call(db, f"finish_run(%s, '{how}')", run)
    with unchanged(db, run):
        for dry_run in (True, False):
            assert attempt(db, "recover_run(%s, %s)", run, dry_run) == STATE
    assert attempt(db, "recover_run('no such run')") == "P0002"
    assert attempt(db, "recover_run(NULL)") == ARGUMENT


@pytest.mark.parametrize("how, sql", [("paused", "pause_run(%s, 'n')"), ("cancelling", "cancel_run(%s)")])
def test_recovery_keeps_the_status(db, how, sql):
    run = start(db, how)
    begin(db, run, "n", "w", "5 minutes")
    call(db, sql, run)
    set_now(db, 10)
    assert recover(db, run)["incomplete"] == ["n"]
    assert status(db, run) == how
    assert node(db, run, "n") == {"status": "pending"}
    sound(db, run)


# --- broken states -------------------------------------------------------------------------------------------------------


def test_a_broken_state_goes_back_to_the_newest_valid_checkpoint(db):
    run = start(db, "broken", TOLERANT)
    call(db, "set_variable(%s, 'v', '1')", run)
    call(db, "checkpoint(%s, 'good')", run)
    complete(db, run, "prepare")
    good = call(db, "checkpoint(%s, 'better')", run)
    expected = state(db, run)
    breaks(db, run)
    call(db, "checkpoint(%s, 'bad')", run)
    call(db, "set_variable(%s, 'v', '2')", run)
    assert [problem["path"] for problem in broken(db, run)] == ["/loop_index/outer"]
    with unchanged(db, run):
        dry = recover(db, run, True)
    assert dry["checkpoint_version"] == good
    assert dry["version"] == dry["from_version"] == head(db, run)
    assert len(dry["problems"]) == 1 and "/loop_index/outer" in dry["problems"][0]
    found = recover(db, run)
    assert found == dry | {"version": dry["from_version"] + 1}
    assert found["resume_at"] == ["outer"]
    assert state(db, run) == expected
    assert broken(db, run) == []
    with unchanged(db, run):
        assert recover(db, run)["version"] == found["version"]
    sound(db, run)


def test_a_dry_run_says_what_the_real_one_will_do(db):
    run = start(db, "dry", TOLERANT)
    complete(db, run, "prepare")
    call(db, "checkpoint(%s)", run)
    complete(db, run, "draft")
    begin(db, run, "think", "w", "5 minutes")
    breaks(db, run)
    set_now(db, 10)
    with unchanged(db, run):
        dry = recover(db, run, True)
    found = recover(db, run)
    assert {**dry, "version": 0} == {**found, "version": 0}
    assert found["last_completed"] == "prepare"
    sound(db, run)


def test_without_a_valid_checkpoint_it_reports(db):
    run = start(db, "reports", TOLERANT)
    breaks(db, run)
    call(db, "checkpoint(%s, 'bad')", run)
    begin(db, run, "prepare", "w", "5 minutes")
    set_now(db, 10)
    found = recover(db, run)
    assert found["checkpoint_version"] is None
    assert len(found["problems"]) == 1
    # What nobody works on is reset all the same.
    assert found["incomplete"] == ["prepare"]
    assert state(db, run)["loop_index"] == {"outer": 15}
    assert events(db, run)[-1] == "run.recovered"
    sound(db, run)


@pytest.mark.parametrize("protected_is_valid", [True, False])
def test_never_behind_a_protected_checkpoint(db, protected_is_valid):
    run = start(db, "protected", TOLERANT)
    call(db, "checkpoint(%s, 'good')", run)
    if not protected_is_valid:
        breaks(db, run)
    kept = call(db, "checkpoint(%s, 'kept')", run)
    call(db, "protect_checkpoint(%s, 'kept')", run)
    breaks(db, run)
    with unchanged(db, run):
        recover(db, run, True)
    found = recover(db, run)
    assert found["checkpoint_version"] == (kept if protected_is_valid else None)
    assert found["problems"]
    assert bool(broken(db, run)) is not protected_is_valid
    if not protected_is_valid:
        with unchanged(db, run):
            recover(db, run)
        call(db, "protect_checkpoint(%s, 'kept', false)", run)
        assert recover(db, run)["checkpoint_version"] == 2
        assert broken(db, run) == []
    sound(db, run)


def test_never_behind_a_question(db):
    run = start(db, "question", TOLERANT)
    call(db, "checkpoint(%s, 'good')", run)
    breaks(db, run)
    call(db, "pause_run(%s, 'report')", run)
    found = recover(db, run)
    assert found["checkpoint_version"] is None
    assert status(db, run) == "paused"


def test_recovery_is_one_transaction(db, connect):
    """A rollback and a reset in one call: both versions come, or none does."""
    run = start(db, "atomic", TOLERANT)
    begin(db, run, "draft", "w")
    call(db, "checkpoint(%s)", run)
    breaks(db, run)
    with unchanged(db, run), db.transaction(force_rollback=True):
        recover(db, run)
    found = recover(db, run)
    assert found["version"] == head(db, run)
    assert state(db, run)["execution_status"] == {"draft": False}
    sound(db, run)


def test_two_recoveries_at_the_same_moment(db, connect):
    run = start(db, "two", TOLERANT)
    call(db, "checkpoint(%s)", run)
    begin(db, run, "prepare", "w")
    breaks(db, run)
    other = connect()
    set_now(other)
    first, second = recover(db, run), recover(other, run)
    assert second["from_version"] == second["version"] == first["version"]
    assert second["problems"] == []


TOLD = flow(data={"outer": {"maxCount": 3}})


def test_it_asks_before_it_rolls_back(db):
    """A loop's index, as engines write it, and nothing of what was done since is thrown away unless somebody says so."""
    run = start(db, "asks", TOLD)
    complete(db, run, "prepare")
    point = call(db, "checkpoint(%s)", run)
    call(db, "set_variable(%s, 'v', '1')", run)
    complete(db, run, "draft")
    breaks(db, run)
    with unchanged(db, run):
        asked = [recover(db, run, dry_run, False) for dry_run in (True, False)]
        told = recover(db, run, True)
    assert asked[0] == asked[1]
    assert (asked[0]["checkpoint_version"], asked[0]["from_version"]) == (point, head(db, run))
    assert [problem.split(":")[0] for problem in asked[0]["problems"]] == ["loop /loop_index/outer"]
    assert set(asked[0]["lost"]) >= {"variable/v", "node/draft", "context/draft/0", "loop/outer"}
    assert (asked[0]["last_completed"], asked[0]["resume_at"]) == ("draft", ["middle"])
    assert (told["last_completed"], told["resume_at"]) == ("prepare", ["outer"])
    # Nodes that nobody holds are reset all the same.
    begin(db, run, "think", "w")
    assert recover(db, run, rollback=False)["resume_at"] == ["think"]
    assert state(db, run)["global_variables"] == {"v": 1}
    sound(db, run)


@pytest.mark.parametrize("how", ["loop", "reference"])
def test_what_is_only_told_stops_no_answer(db, how):
    run = start(db, "answered", TOLD)
    question = call(db, "pause_run(%s, 'prepare')", run)
    document = {"loop": {"loop_index": {"outer": 15}}, "reference": {"execution_stack": ["gone"], "execution_status": {"gone": True}}}
    call(db, "save_state(%s, %s::jsonb)", run, json.dumps(document[how]))
    assert {problem["rule"] for problem in broken(db, run)} == {how}
    assert attempt(db, "resume_run(%s, %s::uuid, on_change => 'accept')", run, question) == head(db, run)
    assert status(db, run) == "running"
    sound(db, run)


def test_a_checkpoint_that_is_only_told_of_is_good_enough_for_damage(db):
    run = start(db, "damage", flow(data={"outer": {"maxCount": 3}}))
    breaks(db, run)
    call(db, "set_variable(%s, 'v', '1')", run)
    point = call(db, "checkpoint(%s)", run)
    call(db, "set_variable(%s, 'v', '2')", run)
    call(db, "checkpoint(%s)", run)
    with db.transaction(force_rollback=True):
        db.execute("UPDATE layra.cell SET value = '77' WHERE run_id = %s AND key = 'v' AND value = '2'", [run])
        assert {problem["rule"] for problem in broken(db, run)} == {"hash", "loop"}
        assert recover(db, run)["checkpoint_version"] == point
        assert {problem["rule"] for problem in broken(db, run)} == {"loop"}
    # No checkpoint is without a loop that ran away.
    assert recover(db, run)["checkpoint_version"] is None


# --- the order of completion ---------------------------------------------------------------------------------------------


def test_the_last_completed_node_of_rollbacks_and_forks(db):
    """By when it was completed, however often it was copied: by name, `a` is first."""
    run = start(db, "order", flow())
    last = lambda run_id: recover(db, run_id, True)["last_completed"]  # noqa: E731
    complete(db, run, "report", "review", "think")
    done = head(db, run)
    call(db, "reset_nodes(%s, '{review,think,report}')", run)
    complete(db, run, "draft")
    call(db, "rollback(%s, %s)", run, done)
    assert last(run) == "think"
    call(db, "reset_nodes(%s, '{think}')", run)
    assert last(run) == "review"
    back = call(db, "rollback(%s, %s)", run, head(db, run) - 1)
    assert last(run) == "think"
    complete(db, run, "draft")
    assert last(run) == "draft"
    call(db, "rollback(%s, %s)", run, back)
    # Forks of forks, of which the oldest are gone.
    names = [f"{run} {number}" for number in range(3)]
    for source, name in zip([run, *names], names):
        call(db, "fork_run(%s, %s)", source, name)
        assert last(name) == "think"
        call(db, "reset_nodes(%s, '{think}')", name)
        assert last(name) == "review"
        call(db, "rollback(%s, 1)", name)
        complete(db, name, "step")
        assert last(name) == "step"
        call(db, "rollback(%s, 1)", name)
        db.execute("SELECT layra.drop_run(%s)", [source])
    assert last(names[-1]) == "think"
    sound(db, names[-1])


def test_a_node_that_was_completed_again_has_its_old_place_back(db):
    run = start(db, "again")
    save = lambda **shown: call(db, "save_state(%s, %s::jsonb)", run, json.dumps({"execution_status": shown}))  # noqa: E731
    save(a=True, b=False)
    first = save(a=True, b=True)
    save(a=False, b=True)
    save(a=True, b=True)
    assert recover(db, run, True)["last_completed"] == "a"
    call(db, "rollback(%s, %s)", run, first)
    assert recover(db, run, True)["last_completed"] == "b"
    sound(db, run)


def test_of_several_in_one_version_the_furthest(db):
    run = start(db, "furthest", flow())
    call(db, "save_state(%s, %s::jsonb)", run, json.dumps({"execution_status": {"prepare": True, "outer": True, "draft": True}}))
    assert recover(db, run, True)["last_completed"] == "draft"


# --- what it costs -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("again", [False, True])
def test_no_checkpoint_is_valid(db, again):
    """Not each of them is validated, but the loop's cell is looked at: once where it stayed as it was, else at each of 800."""
    run = start(db, "hopeless", TOLD)
    call(db, "set_variables(%s, %s::jsonb)", run, json.dumps({f"v{number}": number for number in range(500)}))
    breaks(db, run)
    index = 15

    def checkpoints(number):
        nonlocal index
        for _ in range(number):
            if again:
                index += 1
                call(db, "save_state(%s, %s::jsonb)", run, json.dumps(state(db, run) | {"loop_index": {"outer": index}}))
            call(db, "checkpoint(%s)", run)

    checkpoints(800)
    pages = {name: blocks(db, f"SELECT * FROM layra.{name}('{run}')") for name in ("validate_run", "recover_run")}
    print(pages)
    assert pages["recover_run"] < 3 * pages["validate_run"] + (800 * 20 if again else 100)
    assert recover(db, run)["checkpoint_version"] is None


def test_validators_see_a_few_states_only(db):
    run = start(db, "validators", flow())
    db.execute("CREATE OR REPLACE FUNCTION public.never(run_id text, state jsonb) RETURNS SETOF text LANGUAGE plpgsql AS"
               " $$ BEGIN RETURN NEXT 'never'; END $$")  # fmt: skip
    (workflow,) = db.execute("SELECT workflow FROM layra.run WHERE run_id = %s", [run]).fetchone()
    call(db, "add_validator(%s, 'never', 'public.never(text,jsonb)')", workflow)
    for _ in range(30):
        call(db, "checkpoint(%s)", run)
    found = recover(db, run)
    assert found["checkpoint_version"] is None
    assert [problem.split(":")[0] for problem in found["problems"]] == ["never ", "recovery"]


# --- the recorded run ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def recorded(dsn):
    with psycopg.connect(dsn, autocommit=True) as connection:
        return replay(connection)


def test_the_recorded_run_names_the_loop_that_ran_away(recorded, db):
    bounds = {each["id"]: int(each["data"]["maxCount"].text) for each in lines()[0]["nodes"] if each["type"] == "loop"}
    (loop,) = [name for name, bound in bounds.items() if state(db, RECORDED)["loop_index"].get(name, 0) > bound + 10]
    problems = rows(db, "validate_run(%s)", RECORDED)
    assert [(problem["rule"], problem["path"]) for problem in problems] == [("loop", f"/loop_index/{loop}")]
    assert "15" in problems[0]["message"] and str(bounds[loop]) in problems[0]["message"]
    assert bounds[loop] == 3
    # The first version at which it did is the first whose state has that index.
    versions = sorted(recorded)
    wrong = {version: rows(db, "validate_run(%s, %s)", RECORDED, version) for version in versions}
    first = next(version for version in versions if wrong[version])
    expected = next(version for version in versions if json.loads(recorded[version])["loop_index"].get(loop, 0) > 13)
    assert first == expected
    for version in versions:
        assert bool(wrong[version]) == (json.loads(recorded[version])["loop_index"].get(loop, 0) > 13), version


def test_the_recorded_run_recovers(recorded, db):
    run = "recovers"
    db.execute("RESET layra.now")
    states = replay(db, run)
    versions = sorted(states)
    first = next(version for version in versions if rows(db, "validate_run(%s, %s)", run, version))
    head_before = head(db, run)
    found = recover(db, run)
    assert found["checkpoint_version"] is None and found["problems"]
    assert head(db, run) in (head_before, head_before + 1)
    # A fork of the last good state with a checkpoint goes on from there.
    fork = "recovers from"
    call(db, "fork_run(%s, %s, %s)", run, fork, first - 1)
    point = call(db, "checkpoint(%s)", fork)
    call(db, "save_state(%s, %s::jsonb)", fork, states[versions[-1]])
    with unchanged(db, fork):
        asked = recover(db, fork, rollback=False)
    assert (asked["checkpoint_version"], asked["version"]) == (point, asked["from_version"])
    assert "loop/loop_sections" in asked["lost"]
    found = recover(db, fork)
    assert found["checkpoint_version"] == point
    assert rows(db, "validate_run(%s)", fork) == []
    sound(db, fork)


def test_the_same_recovery_again_goes_no_further_back(db):
    """What stopped the run is gone after the first one; what is only reported stays, and a lost response costs no work."""
    run_id = start(db, "twice", TOLERANT)
    call(db, "checkpoint(%s, 'sound')", run_id)
    complete(db, run_id, "stranger")
    reported = call(db, "checkpoint(%s, 'reported')", run_id)
    breaks(db, run_id)
    found = recover(db, run_id)
    assert found["checkpoint_version"] == reported
    assert {problem["rule"] for problem in broken(db, run_id)} == {"reference"}
    again = recover(db, run_id)
    assert again["version"] == found["version"]
    assert (again["from_version"], again["resume_at"]) == (found["version"], found["resume_at"])
    # Somebody went on, and asks again.
    call(db, "append_event(%s, 'note')", run_id)
    assert recover(db, run_id)["version"] > found["version"] + 1
    assert broken(db, run_id) == []
    sound(db, run_id)


# --- runs that need it ---------------------------------------------------------------------------------------------------


def test_stale_runs_are_those_with_expired_leases_and_silent_ones(db):
    names = {}
    for name in ("silent", "busy", "expired", "leased", "paused", "finished", "cancelling"):
        names[name] = start(db, f"stale {name}")
    begin(db, names["expired"], "n", "w", "5 minutes")
    begin(db, names["expired"], "m", "w", "5 minutes")
    begin(db, names["leased"], "n", "w", "500 minutes")
    begin(db, names["finished"], "n", "w", "5 minutes")
    call(db, "pause_run(%s, 'n')", names["paused"])
    call(db, "finish_run(%s)", names["finished"])
    call(db, "cancel_run(%s)", names["cancelling"])
    set_now(db, 50)
    call(db, "append_event(%s, 'note')", names["busy"])
    call(db, "append_event(%s, 'note')", names["expired"])
    set_now(db, 60)

    def stale(idle):
        found = {r["run_id"]: r for r in rows(db, "stale_runs(%s::interval)", idle)}
        return {name: found[run] for name, run in names.items() if run in found}

    assert set(stale("30 minutes")) == {"silent", "expired", "leased"}
    assert set(stale("10 minutes")) == {"silent", "busy", "expired", "leased"}
    assert set(stale("61 minutes")) == {"expired"}
    expired = stale("61 minutes")["expired"]
    assert (expired["version"], sorted(expired["expired"])) == (4, ["m", "n"])
    assert stale("30 minutes")["silent"]["expired"] == []
    recover(db, names["expired"])
    assert set(stale("61 minutes")) == set()
    for idle in ("NULL", "'0'", "'-1 hour'"):
        assert attempt(db, f"stale_runs({idle})") == ARGUMENT, idle


def test_stale_runs_are_ones_own(db, role, connect):
    alice, audit = role("alice"), role("audit")
    call(db, "grant_access(%s, 'writer')", alice)
    call(db, "grant_access(%s, 'auditor')", audit)
    foreign = start(db, "foreign")
    db.execute(f"SET SESSION AUTHORIZATION {alice}")
    own = start(db, "own")
    set_now_as = "SELECT run_id FROM layra.stale_runs('1 second')"
    db.execute("RESET SESSION AUTHORIZATION")
    set_now(db, 10)
    db.execute(f"SET SESSION AUTHORIZATION {alice}")
    found = {run for (run,) in db.execute(set_now_as)}
    db.execute(f"RESET SESSION AUTHORIZATION; SET SESSION AUTHORIZATION {audit}")
    everything = {run for (run,) in db.execute(set_now_as)}
    db.execute("RESET SESSION AUTHORIZATION")
    assert own in found and foreign not in found
    assert {own, foreign} <= everything
