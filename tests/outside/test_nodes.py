"""Nodes: a worker takes one, works, acknowledges; every call can be repeated, and a worker that lost a node changes nothing."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from execution import (
    attempt, begin, call, checkpoints, content, events, flow, head, lease, node, row, rows, set_now, sound, start, state,
    status, unchanged,
)  # fmt: skip
from server import PATIENCE
from test_concurrency import together, waiting  # noqa: F401
from ways import prepare  # noqa: F401

STATE, LOCKED, ARGUMENT, CONFLICT, CHECK = "55000", "55P03", "22023", "40001", "23514"


@pytest.fixture
def db(admin):
    set_now(admin)
    return admin


# --- begin -----------------------------------------------------------------------------------------------------


def test_a_node_is_begun_completed_and_replayed(db):
    run = start(db, "plain")
    assert row(db, "begin_node(%s, 'n', 'w1', '5 minutes')", run) == {
        "version": 2, "attempt": 1, "status": "running", "output": None,
    }  # fmt: skip
    assert state(db, run)["execution_status"] == {"n": None}
    assert node(db, run, "n") == {"status": "running", "attempt": 1, "worker": "w1", "leased": True}
    assert call(db, "complete_node(%s, 'n', '{\"pages\": 1.00}', attempt => 1)", run) == 3
    assert state(db, run)["execution_status"] == {"n": True}
    assert node(db, run, "n") == {"status": "completed", "attempt": 1, "worker": "w1", "output": 0}
    with unchanged(db, run):
        # A restarted engine, whoever it is: what is done is told, and not done again.
        for worker in ("w1", "w2", None):
            assert row(db, "begin_node(%s, 'n', %s::text)", run, worker) == {
                "version": 3, "attempt": 1, "status": "completed", "output": {"pages": 1.0},
            }  # fmt: skip
        assert db.execute("SELECT output::text FROM layra.begin_node(%s, 'n')", [run]).fetchone() == ('{"pages": 1.00}',)
    assert events(db, run) == ["run.started", "node.started", "node.completed"]
    sound(db, run)


def test_outputs_are_told_as_they_were(db):
    run = start(db, "outputs")
    for name, output in (("none", None), ("null", "null"), ("text", '"x"'), ("list", "[]")):
        begin(db, run, name)
        call(db, "complete_node(%s, %s, %s::jsonb)", run, name, output)
        found = db.execute("SELECT output::text FROM layra.begin_node(%s, %s)", [run, name]).fetchone()
        assert found == (output,), name
    assert state(db, run)["context"] == {"null": [None], "text": ["x"], "list": [[]]}


def test_a_skipped_node_is_told_as_skipped(db):
    run = start(db, "skipped")
    call(db, "skip_nodes(%s, '{n}')", run)
    with unchanged(db, run):
        assert begin(db, run, "n") == (None, "skipped", None)


def test_a_lease_keeps_others_away_until_it_runs_out(db, raises):
    run = start(db, "lease")
    begin(db, run, "n", "w1", "5 minutes")
    for minutes in (0, 2, 4.999):
        set_now(db, minutes)
        with unchanged(db, run), raises(LOCKED) as error:
            begin(db, run, "n", "w2", "5 minutes")
        detail = json.loads(error.detail)
        assert (detail["run_id"], detail["node_id"], detail["holder"]) == (run, "n", "w1")
        assert db.execute("SELECT %s::timestamptz = '2026-01-05 09:05+00'", [detail["until"]]).fetchone() == (True,)
        with raises(LOCKED):
            begin(db, run, "n")
    set_now(db, 5)
    assert begin(db, run, "n", "w2", "5 minutes") == (2, "running", None)
    assert lease(db, run, "n")["worker"] == "w2"
    sound(db, run)


def test_the_holder_takes_its_node_again_with_a_new_attempt(db):
    run = start(db, "again")
    for number in range(1, 5):
        assert begin(db, run, "n", "w", "1 minute") == (number, "running", None)
    assert attempt(db, "complete_node(%s, 'n', attempt => 3)", run) == STATE
    assert call(db, "complete_node(%s, 'n', attempt => 4)", run) == 6


def test_without_a_lease_a_node_is_given_up_by_nobody_else(db, raises):
    run = start(db, "unleased")
    begin(db, run, "n", "w1")
    set_now(db, 60 * 24 * 365)
    with raises(LOCKED) as error:
        begin(db, run, "n", "w2")
    assert json.loads(error.detail) == {"run_id": run, "node_id": "n", "holder": "w1", "until": None}
    with raises(LOCKED):
        begin(db, run, "n")
    assert begin(db, run, "n", "w1") == (2, "running", None)
    call(db, "reset_nodes(%s, '{n}')", run)
    assert begin(db, run, "n", "w2") == (3, "running", None)
    call(db, "recover_run(%s)", run)
    assert begin(db, run, "n", "w3") == (4, "running", None)
    # An unnamed worker is a worker, too.
    call(db, "reset_nodes(%s, '{n}')", run)
    assert begin(db, run, "n") == (5, "running", None)
    assert begin(db, run, "n") == (6, "running", None)
    assert attempt(db, "begin_node(%s, 'n', 'w1')", run) == LOCKED


@pytest.mark.parametrize("how", ["paused", "cancelling", "completed", "failed", "cancelled"])
def test_no_node_is_begun_in_a_run_that_does_not_run(db, how):
    run = start(db, how)
    begin(db, run, "done")
    call(db, "complete_node(%s, 'done', '1')", run)
    begin(db, run, "busy", "w", "5 minutes")
    call(db, {
        "paused": "pause_run(%s, 'done')", "cancelling": "cancel_run(%s)",
    }.get(how, f"finish_run(%s, '{how}')"), run)  # fmt: skip
    assert status(db, run) == how
    with unchanged(db, run):
        for name in ("new", "busy"):
            assert attempt(db, "begin_node(%s, %s, 'w')", run, name) == STATE
        # What was done can still be asked for.
        assert begin(db, run, "done") == (1, "completed", 1)


@pytest.mark.parametrize("how", ["cancelling", "paused"])
def test_what_was_begun_is_acknowledged_while_cancelling_or_paused(db, how):
    run = start(db, f"acknowledge {how}")
    for name in ("a", "b"):
        begin(db, run, name, "w", "5 minutes")
    call(db, "cancel_run(%s)" if how == "cancelling" else "pause_run(%s, 'a')", run)
    assert call(db, "complete_node(%s, 'a', '1', attempt => 1)", run) == 5
    assert call(db, "fail_node(%s, 'b', '{}', attempt => 1)", run) == 6
    assert call(db, "finish_run(%s, 'cancelled')", run) == 7
    for sql in ("complete_node(%s, 'a', '2')", "fail_node(%s, 'a', '{}')", "skip_nodes(%s, '{c}')", "reset_nodes(%s, '{a}')",
                "set_engine(%s, '{\"x\": 1}')", "enter_loop(%s, 'l')", "exit_loop(%s, 'l')", "next_iteration(%s, 'l')",
                "pause_run(%s, 'a')", "recover_run(%s)"):  # fmt: skip
        assert attempt(db, sql, run) == STATE, sql
    # The answer to a completion may have been lost just before.
    assert call(db, "complete_node(%s, 'a', '1', attempt => 1)", run) == 5
    assert call(db, "fail_node(%s, 'b', '{}', attempt => 1)", run) == 6
    sound(db, run)


# --- takeover ----------------------------------------------------------------------------------------------------


def test_a_slow_worker_can_change_nothing_after_a_takeover(db, connect):
    slow = connect()
    set_now(slow)
    run = start(db, "takeover")
    assert begin(slow, run, "n", "slow", "5 minutes") == (1, "running", None)
    set_now(db, 6)
    set_now(slow, 6)
    assert begin(db, run, "n", "quick", "5 minutes") == (2, "running", None)
    calls = ("complete_node(%s, 'n', '\"slow\"', '{\"v\": \"slow\"}', attempt => 1)", "fail_node(%s, 'n', '\"slow\"', attempt => 1)",
             "heartbeat(%s, 'n', 1, '5 minutes')", "begin_node(%s, 'n', 'slow', '5 minutes')")  # fmt: skip
    with unchanged(db, run):
        assert [attempt(slow, sql, run) for sql in calls] == [STATE, STATE, STATE, LOCKED]
    call(db, "complete_node(%s, 'n', '\"quick\"', attempt => 2)", run)
    with unchanged(db, run):
        assert [attempt(slow, sql, run) for sql in calls[:3]] == [STATE, STATE, STATE]
        assert begin(slow, run, "n", "slow", "5 minutes") == (2, "completed", "quick")
        # Not even with the output that the other one had.
        assert attempt(slow, "complete_node(%s, 'n', '\"quick\"', attempt => 1)", run) == STATE
    sound(db, run)


def test_a_lease_that_ran_out_is_good_until_somebody_takes_over(db):
    run = start(db, "late")
    begin(db, run, "n", "w", "5 minutes")
    set_now(db, 60)
    assert attempt(db, "heartbeat(%s, 'n', 1, '5 minutes')", run) == STATE
    assert call(db, "complete_node(%s, 'n', '1', attempt => 1)", run) == 3


def test_only_one_of_many_workers_gets_a_node(db, together):  # noqa: F811
    run = start(db, "many")

    def take(connection, number):
        set_now(connection)
        return attempt(connection, "begin_node(%s, 'n', %s, '5 minutes')", run, f"w{number}")

    results = together(take)
    assert sorted(map(str, results)) == ["2"] + [LOCKED] * 15

    def take_over(connection, number):
        set_now(connection, 6)
        return attempt(connection, "begin_node(%s, 'n', %s, '5 minutes')", run, f"v{number}")

    assert sorted(map(str, together(take_over))) == ["3"] + [LOCKED] * 15
    assert lease(db, run, "n")["attempt"] == 2
    sound(db, run)


def test_workers_share_the_nodes_of_a_run_and_none_is_done_twice(db, together):  # noqa: F811
    run = start(db, "shared")

    def work(connection, number):
        done = []
        for name in range(20):
            if attempt(connection, "begin_node(%s, %s, %s, '5 minutes')", run, f"n{name}", f"w{number}") == LOCKED:
                continue
            got = node(connection, run, f"n{name}")
            if got["status"] == "running" and got["worker"] == f"w{number}":
                call(connection, "complete_node(%s, %s, %s::jsonb, attempt => %s)", run, f"n{name}", str(number), got["attempt"])
                done.append(name)
        return done

    results = together(work, 6)
    assert sorted(name for done in results for name in done) == list(range(20))
    assert events(db, run).count("node.started") == events(db, run).count("node.completed") == 20
    sound(db, run)


# --- heartbeat -----------------------------------------------------------------------------------------------------


def test_a_heartbeat_extends_the_lease_in_place(db):
    run = start(db, "heartbeat")
    begin(db, run, "n", "w", "5 minutes")
    before = content(db, run)
    for minutes in (4, 8, 12):
        set_now(db, minutes)
        beat = row(db, "heartbeat(%s, 'n', 1, '5 minutes')", run)
        assert beat["run_status"] == "running"
        assert beat["until"] == lease(db, run, "n")["until"]
        assert db.execute("SELECT %s = %s::timestamptz", [beat["until"], f"2026-01-05 09:{minutes + 5}+00"]).fetchone()[0]
        assert attempt(db, "begin_node(%s, 'n', 'other')", run) == LOCKED
    after = content(db, run)
    assert {table for table in before if before[table] != after[table]} == {"lease"}
    set_now(db, 17)
    # The moment at which the lease ends belongs to the next.
    assert attempt(db, "heartbeat(%s, 'n', 1, '5 minutes')", run) == STATE
    assert begin(db, run, "n", "other", "5 minutes") == (2, "running", None)


def test_a_worker_learns_from_its_heartbeat_how_the_run_is(db):
    run = start(db, "cancel")
    begin(db, run, "n", "w", "5 minutes")
    call(db, "pause_run(%s, 'n')", run)
    assert row(db, "heartbeat(%s, 'n', 1, '5 minutes')", run)["run_status"] == "paused"
    call(db, "cancel_run(%s)", run)
    assert row(db, "heartbeat(%s, 'n', 1, '5 minutes')", run)["run_status"] == "cancelling"
    call(db, "finish_run(%s, 'cancelled')", run)
    assert attempt(db, "heartbeat(%s, 'n', 1, '5 minutes')", run) is not None


@pytest.mark.parametrize("ending", [
    "complete_node(%s, 'n')", "fail_node(%s, 'n', '1')", "reset_nodes(%s, '{n}')", "rollback(%s, 1)", "rollback(%s, 2)",
    "save_state(%s, '{\"execution_status\": {\"n\": true}}')", "save_state(%s, '{}')",
])  # fmt: skip
def test_no_heartbeat_for_a_node_that_is_nobodys_any_more(db, ending):
    run = start(db, "over")
    call(db, "append_event(%s, 'note')", run)
    begin(db, run, "n", "w", "5 minutes")
    call(db, ending, run)
    assert attempt(db, "heartbeat(%s, 'n', 1, '5 minutes')", run) == STATE
    assert lease(db, run, "n")["held"] is False
    assert attempt(db, "complete_node(%s, 'n', '\"late\"', attempt => 1)", run) == STATE
    assert rows(db, "stale_runs('1000 days') WHERE run_id = %s", run) == []


def test_heartbeats_that_mean_nothing(db):
    run = start(db, "nothing")
    begin(db, run, "bare", "w")
    begin(db, run, "n", "w", "1 minute")
    for sql, expected in (
        ("heartbeat(%s, 'bare', 1, '1 minute')", STATE), ("heartbeat(%s, 'unknown', 1, '1 minute')", STATE),
        ("heartbeat(%s, 'n', 2, '1 minute')", STATE), ("heartbeat(%s, 'n', 0, '1 minute')", STATE),
        ("heartbeat(%s, 'n', 1, '0')", ARGUMENT), ("heartbeat(%s, 'n', 1, '-1 minute')", ARGUMENT),
        ("heartbeat(%s, 'n', 1, NULL)", ARGUMENT), ("heartbeat(%s, 'n', NULL, '1 minute')", ARGUMENT),
        ("heartbeat(%s || '?', 'n', 1, '1 minute')", "P0002"),
    ):  # fmt: skip
        with unchanged(db, run):
            assert attempt(db, sql, run) == expected, sql


def test_a_heartbeat_waits_for_no_writer_of_the_run(db, connect):
    run = start(db, "unlocked")
    begin(db, run, "n", "w", "5 minutes")
    worker = connect()
    set_now(worker, 1)
    worker.execute("SET lock_timeout = '50ms'")
    with db.transaction():
        call(db, "set_variable(%s, 'v', '1')", run)
        call(db, "cancel_run(%s)", run)
        assert row(worker, "heartbeat(%s, 'n', 1, '5 minutes')", run)["run_status"] == "running"
    assert row(worker, "heartbeat(%s, 'n', 1, '5 minutes')", run)["run_status"] == "cancelling"


def test_a_writer_of_the_run_waits_for_no_heartbeat(db, connect):
    run = start(db, "unlocked too")
    begin(db, run, "n", "w", "5 minutes")
    writer = connect()
    writer.execute("SET lock_timeout = '50ms'")
    with db.transaction():
        call(db, "heartbeat(%s, 'n', 1, '5 minutes')", run)
        assert call(writer, "set_variable(%s, 'v', '1')", run) == 3
        assert attempt(writer, "begin_node(%s, 'other', 'v', '5 minutes')", run) == 4


def test_a_heartbeat_that_comes_before_the_takeover_keeps_the_node(db, connect, waiting):  # noqa: F811
    run = start(db, "race kept")
    begin(db, run, "n", "w", "5 minutes")
    holder, other = connect(autocommit=False), connect()
    set_now(holder, 4.9)
    call(holder, "heartbeat(%s, 'n', 1, '5 minutes')", run)
    set_now(other, 6)
    with waiting(other, "begin_node(%s, 'n', 'other', '5 minutes')", run) as result:
        holder.commit()
    assert result() == LOCKED
    set_now(db, 7)
    assert call(db, "complete_node(%s, 'n', '1', attempt => 1)", run) == 3
    sound(db, run)


def test_a_heartbeat_that_comes_after_the_takeover_is_refused(db, connect, waiting):  # noqa: F811
    run = start(db, "race lost")
    begin(db, run, "n", "w", "5 minutes")
    holder, other = connect(), connect(autocommit=False)
    set_now(other, 6)
    assert begin(other, run, "n", "other", "5 minutes") == (2, "running", None)
    # Its clock is slow: it believes that it has the lease.
    set_now(holder, 4)
    with waiting(holder, "heartbeat(%s, 'n', 1, '5 minutes')", run) as result:
        other.commit()
    assert result() == STATE
    assert lease(db, run, "n")["worker"] == "other"


def test_a_completion_and_a_takeover_at_the_same_moment(db, connect, waiting):  # noqa: F811
    run = start(db, "race complete")
    begin(db, run, "n", "w", "5 minutes")
    slow, other = connect(), connect(autocommit=False)
    set_now(slow, 6)
    set_now(other, 6)
    begin(other, run, "n", "other", "5 minutes")
    with waiting(slow, "complete_node(%s, 'n', '\"slow\"', attempt => 1)", run) as result:
        other.commit()
    assert result() == STATE
    other.autocommit = True
    call(other, "complete_node(%s, 'n', '\"other\"', attempt => 2)", run)

    begin(db, run, "m", "w", "5 minutes")
    slow.autocommit = False
    other.autocommit = True
    assert call(slow, "complete_node(%s, 'm', '\"slow\"', attempt => 1)", run) == head(db, run) + 1
    with waiting(other, "begin_node(%s, 'm', 'other', '5 minutes')", run) as result:
        slow.commit()
    assert result() == head(db, run)
    assert begin(db, run, "m") == (1, "completed", "slow")
    sound(db, run)


# --- complete and fail -------------------------------------------------------------------------------------------------


def test_a_completion_is_one_version_with_all_that_belongs_to_it(db):
    run = start(db, "one", {
        "nodes": [{"id": "n", "type": "vlm"}], "policy": {"checkpoint": {"milestones": ["vlm"]}},
    })  # fmt: skip
    begin(db, run, "n", "w", "5 minutes")
    assert call(db, "complete_node(%s, 'n', '[1]', '{\"a\": 1, \"b\": 2}', 1, 2, 'key')", run) == 3
    (changed, kind) = db.execute(
        "SELECT changed, checkpoint_kind FROM layra.event WHERE run_id = %s AND version = 3", [run]
    ).fetchone()
    assert changed == ["context/n/-1", "context/n/0", "node/n", "variable/a", "variable/b"]
    assert kind == "milestone"
    assert checkpoints(db, run) == [(3, "milestone")]
    assert lease(db, run, "n") | {"until": 0} == {
        "run_id": run, "node_id": "n", "attempt": 1, "worker": "w", "until": 0, "held": False,
    }  # fmt: skip
    assert state(db, run)["global_variables"] == {"a": 1, "b": 2}
    sound(db, run)


def test_a_completion_counts_once(db):
    run = start(db, "once")
    begin(db, run, "n", "w")
    first = call(db, "complete_node(%s, 'n', '{\"a\": 1}', '{\"v\": 1}', 1)", run)
    with unchanged(db, run):
        for sql in ("complete_node(%s, 'n', '{\"a\": 1}', '{\"v\": 1}', 1)", "complete_node(%s, 'n', '{\"a\": 1}', '{\"v\": 2}', 1)",
                    "complete_node(%s, 'n', '{\"a\": 1}')", "complete_node(%s, 'n', '{\"a\": 1}', attempt => 1, expected_version => 2)",
                    "complete_node(%s, 'n', '{\"a\": 1}', idempotency_key => 'k')"):  # fmt: skip
            assert attempt(db, sql, run) == first, sql
        for sql in ("complete_node(%s, 'n', '{\"a\": 1.0}', attempt => 1)", "complete_node(%s, 'n')", "complete_node(%s, 'n', 'null')",
                    "complete_node(%s, 'n', '{\"a\": 1}', attempt => 2)", "complete_node(%s, 'n', '{\"a\": 1}', attempt => 0)",
                    "fail_node(%s, 'n', '{}')", "skip_nodes(%s, '{n}')"):  # fmt: skip
            assert attempt(db, sql, run) == STATE, sql
    call(db, "set_variable(%s, 'later', '1')", run)
    with unchanged(db, run):
        assert call(db, "complete_node(%s, 'n', '{\"a\": 1}', attempt => 1)", run) == first


def test_a_completion_without_an_output_counts_once(db):
    run = start(db, "bare")
    begin(db, run, "n")
    assert call(db, "complete_node(%s, 'n', attempt => 1)", run) == 3
    assert call(db, "complete_node(%s, 'n', attempt => 1)", run) == 3
    assert attempt(db, "complete_node(%s, 'n', '1')", run) == STATE
    assert state(db, run)["context"] == {}


def test_the_same_completion_by_many_sessions_is_one(db, together):  # noqa: F811
    run = start(db, "concurrent")
    begin(db, run, "n")
    results = together(lambda c, _: attempt(c, "complete_node(%s, 'n', '7', '{\"v\": 1}', 1)", run))
    assert set(results) == {3}
    assert head(db, run) == 3
    assert state(db, run)["context"] == {"n": [7]}


def test_a_completion_that_is_refused_leaves_nothing(db, raises):
    run = start(db, "refused", {"variables": {"v": {"schema": {"type": "integer"}}}})
    begin(db, run, "n", "w", "5 minutes")
    with unchanged(db, run):
        with raises(CHECK) as error:
            call(db, "complete_node(%s, 'n', '\"secret\"', '{\"v\": \"secret\"}')", run)
        assert json.loads(error.detail)["violations"] == [{"path": "/v", "keyword": "type"}]
        assert "secret" not in error.detail + error.message
        assert attempt(db, "complete_node(%s, 'n', '1', expected_version => 1)", run) == CONFLICT
        assert attempt(db, "complete_node(%s, 'n', '1', '[]')", run) == ARGUMENT
    call(db, "complete_node(%s, 'n', '1', '{\"v\": 1}', idempotency_key => 'k')", run)
    assert attempt(db, "fail_node(%s, 'n', '1', idempotency_key => 'k')", run) == ARGUMENT


def test_a_failure_is_recorded_and_counts_once(db, raises):
    run = start(db, "failure")
    begin(db, run, "n", "w", "5 minutes")
    assert call(db, "fail_node(%s, 'n', '{\"code\": 500.0}', 1)", run) == 3
    assert db.execute("SELECT details ->> 'error' FROM layra.nodes WHERE run_id = %s", [run]).fetchone() == ('{"code": 500.0}',)
    assert state(db, run)["execution_status"] == {"n": False}
    with unchanged(db, run):
        assert call(db, "fail_node(%s, 'n', '{\"code\": 500.0}', 1)", run) == 3
        assert call(db, "fail_node(%s, 'n', '{\"code\": 500.0}', 1, expected_version => 2)", run) == 3
        assert attempt(db, "fail_node(%s, 'n', '{\"code\": 501}', 1)", run) == STATE
        assert attempt(db, "fail_node(%s, 'n', '{\"code\": 500.0}', 2)", run) == STATE
        assert attempt(db, "complete_node(%s, 'n')", run) == STATE
        assert attempt(db, "fail_node(%s, 'n', NULL)", run) == ARGUMENT
    # It failed: anybody may try again, and the lease of the first is over.
    assert begin(db, run, "n", "other") == (2, "running", None)
    call(db, "complete_node(%s, 'n', '1')", run)
    assert "error" not in node(db, run, "n")
    with raises(STATE) as error:
        call(db, "fail_node(%s, 'n', '\"secret\"')", run)
    assert error.hint and "secret" not in f"{error.message}{error.detail}{error.hint}"
    sound(db, run)


def test_a_failure_with_json_null_as_its_error(db):
    run = start(db, "null error")
    begin(db, run, "n")
    assert call(db, "fail_node(%s, 'n', 'null')", run) == 3
    assert call(db, "fail_node(%s, 'n', 'null')", run) == 3
    sound(db, run)


# --- skip, reset, and the state machine -------------------------------------------------------------------------------

# How a node gets into each state, from nothing.
STATES = {
    "new": [],
    "pending": ["begin_node(%s, 'n', 'w')", "reset_nodes(%s, '{n}')"],
    "running": ["begin_node(%s, 'n', 'w')"],
    "leased": ["begin_node(%s, 'n', 'w', '5 minutes')"],
    "completed": ["begin_node(%s, 'n', 'w')", "complete_node(%s, 'n', '1')"],
    "failed": ["begin_node(%s, 'n', 'w')", "fail_node(%s, 'n', '1')"],
    "skipped": ["skip_nodes(%s, '{n}')"],
}
MOVES = {
    "begin": "begin_node(%s, 'n', 'w')", "take": "begin_node(%s, 'n', 'other')", "complete": "complete_node(%s, 'n', '2')",
    "fail": "fail_node(%s, 'n', '2')", "skip": "skip_nodes(%s, '{n}')", "reset": "reset_nodes(%s, '{n}')",
}  # fmt: skip
# What each move makes of each state: the new status, `=` where nothing is written, or the SQLSTATE.
TABLE = {
    "new":       {"begin": "running", "take": "running", "complete": STATE, "fail": STATE, "skip": "skipped", "reset": "="},
    "pending":   {"begin": "running", "take": "running", "complete": STATE, "fail": STATE, "skip": "skipped", "reset": "="},
    "running":   {"begin": "running", "take": LOCKED, "complete": "completed", "fail": "failed", "skip": STATE, "reset": "pending"},
    "leased":    {"begin": "running", "take": LOCKED, "complete": "completed", "fail": "failed", "skip": STATE, "reset": "pending"},
    "completed": {"begin": "=", "take": "=", "complete": STATE, "fail": STATE, "skip": STATE, "reset": "pending"},
    "failed":    {"begin": "running", "take": "running", "complete": STATE, "fail": STATE, "skip": "skipped", "reset": "pending"},
    "skipped":   {"begin": "=", "take": "=", "complete": STATE, "fail": STATE, "skip": "=", "reset": "pending"},
}  # fmt: skip


@pytest.mark.parametrize("before", STATES)
@pytest.mark.parametrize("move", MOVES)
def test_every_move_of_every_state(db, before, move):
    run = start(db, f"{before} {move}")
    for sql in STATES[before]:
        call(db, sql, run)
    expected = TABLE[before][move]
    stored = content(db, run)
    found = attempt(db, MOVES[move], run)
    if expected in (STATE, LOCKED):
        assert found == expected
        assert content(db, run) == stored
    elif expected == "=":
        assert isinstance(found, int) and found <= head(db, run)
        assert content(db, run) == stored
    else:
        assert found == head(db, run)
        assert node(db, run, "n")["status"] == expected
    sound(db, run)


def test_a_lease_that_ran_out_changes_two_moves_only(db):
    run = start(db, "ran out")
    begin(db, run, "n", "w", "5 minutes")
    set_now(db, 10)
    assert attempt(db, MOVES["skip"], run) == STATE
    assert attempt(db, MOVES["take"], run) == 3


@pytest.mark.parametrize("value", [
    "{}", "[]", "1", "null", '"running"', '{"status": null}', '{"status": "RUNNING"}', '{"status": "done"}', '{"status": ["running"]}',
    '{"status": "running", "error": 1}', '{"status": "completed", "error": null}', '{"status": "pending", "output": 0}',
    '{"status": "failed", "output": 0}', '{"status": "skipped", "output": null}',
])  # fmt: skip
def test_the_table_refuses_what_no_code_writes(db, raises, value):
    with raises(CHECK), db.transaction(force_rollback=True):
        db.execute(
            "INSERT INTO layra.cell (run_id, version, scope, key, ordinal, revision, value, hash)"
            " VALUES ('any', 1, 'node', 'n', 0, 1, %s, '\\x" + "00" * 32 + "')", [value],
        )  # fmt: skip


@pytest.mark.parametrize("value", ["{}", "1", '{"index": "1"}', '{"index": null}', '{"index": [1]}'])
def test_the_table_refuses_loops_that_no_code_writes(db, raises, value):
    with raises(CHECK), db.transaction(force_rollback=True):
        db.execute(
            "INSERT INTO layra.cell (run_id, version, scope, key, ordinal, revision, value, hash)"
            " VALUES ('any', 1, 'loop', 'n', 0, 1, %s, '\\x" + "00" * 32 + "')", [value],
        )  # fmt: skip


@pytest.mark.parametrize("values", ["1, 'w', now(), false", "1, 'w', NULL, true", "0, 'w', NULL, false", "NULL, 'w', NULL, false"])
def test_the_table_refuses_leases_that_no_code_writes(db, values):
    with pytest.raises(psycopg.errors.IntegrityError), db.transaction(force_rollback=True):
        db.execute(f"INSERT INTO layra.lease (run_id, node_id, attempt, worker, until, held) VALUES ('any', 'n', {values})")


def test_skip_and_reset_are_all_or_nothing_and_count_once(db):
    run = start(db, "several")
    begin(db, run, "busy", "w", "5 minutes")
    with unchanged(db, run):
        assert attempt(db, "skip_nodes(%s, '{a,b,busy}', 'not needed')", run) == STATE
    assert call(db, "skip_nodes(%s, '{a,b,a}', 'not needed')", run) == 3
    (payload,) = db.execute("SELECT payload FROM layra.event WHERE run_id = %s AND version = 3", [run]).fetchone()
    assert payload["reason"] == "not needed"
    with unchanged(db, run):
        assert call(db, "skip_nodes(%s, '{a,b}', 'again')", run) == 3
        assert call(db, "reset_nodes(%s, '{never}')", run) == 3
    assert call(db, "skip_nodes(%s, '{b,c}')", run) == 4
    assert call(db, "reset_nodes(%s, '{a,busy,never}')", run) == 5
    with unchanged(db, run):
        assert call(db, "reset_nodes(%s, '{a,busy}')", run) == 5
        assert attempt(db, "heartbeat(%s, 'busy', 1, '1 minute')", run) == STATE
    assert state(db, run)["execution_status"] == {"a": False, "b": True, "busy": False, "c": True}
    for sql in ("skip_nodes(%s, NULL)", "reset_nodes(%s, NULL)", "skip_nodes(%s, '{NULL}')", "reset_nodes(%s, '{\"\"}')"):
        assert attempt(db, sql, run) == ARGUMENT, sql
    assert attempt(db, "skip_nodes(%s, '{x}', expected_version => 1)", run) == CONFLICT
    assert attempt(db, "reset_nodes(%s, '{b}', expected_version => 1)", run) == CONFLICT
    # What is done already is a repetition, which no expectation stops.
    with unchanged(db, run):
        assert attempt(db, "skip_nodes(%s, '{b,c}', expected_version => 1)", run) == 4
        assert attempt(db, "reset_nodes(%s, '{a}', expected_version => 1)", run) == 5
    sound(db, run)


def test_context_stays_when_a_node_is_reset(db):
    run = start(db, "context stays")
    for number in range(3):
        begin(db, run, "n")
        call(db, "complete_node(%s, 'n', %s::jsonb)", run, str(number))
        call(db, "reset_nodes(%s, '{n}')", run)
    assert state(db, run)["context"] == {"n": [0, 1, 2]}
    assert begin(db, run, "n") == (4, "running", None)


@pytest.mark.parametrize("undo", [
    "reset_nodes(%s, '{n}')", "rollback(%s, 1)", "rollback(%s, 2)", "save_state(%s, '{\"execution_status\": {\"n\": false}}')",
    "save_state(%s, '{}')", "recover_run(%s)", "fail_node(%s, 'n', '1')",
])  # fmt: skip
@pytest.mark.parametrize("term", [None, "5 minutes"])
def test_attempts_never_repeat(db, undo, term):
    run = start(db, "attempts")
    call(db, "append_event(%s, 'note')", run)
    for number in range(1, 5):
        set_now(db, 10 * number)
        assert begin(db, run, "n", "w", term) == (number, "running", None)
        set_now(db, 10 * number + 6)
        call(db, undo, run)
        assert attempt(db, "complete_node(%s, 'n', '\"late\"', attempt => %s)", run, number) == STATE
    sound(db, run)


def test_attempts_never_repeat_over_finish_and_reopen(db):
    run = start(db, "reopened")
    begin(db, run, "n", "w", "5 minutes")
    call(db, "finish_run(%s, 'failed')", run)
    call(db, "reopen_run(%s)", run)
    set_now(db, 6)
    assert begin(db, run, "n", "v", "5 minutes")[0] == 2


def test_a_node_that_comes_back_by_a_rollback_is_pending(db):
    run = start(db, "comes back")
    begin(db, run, "n", "w", "5 minutes")
    call(db, "complete_node(%s, 'n', '1')", run)
    call(db, "rollback(%s, 2)", run)
    assert node(db, run, "n") == {"status": "pending"}
    assert state(db, run)["execution_status"] == {"n": False}
    assert state(db, run, 2)["execution_status"] == {"n": None}
    assert begin(db, run, "n", "other") == (2, "running", None)


def test_a_fork_has_no_leases_and_nothing_running(db):
    run = start(db, "forked")
    begin(db, run, "done")
    call(db, "complete_node(%s, 'done', '1')", run)
    begin(db, run, "n", "w", "5 minutes")
    call(db, "fork_run(%s, %s)", run, f"{run} fork")
    assert state(db, f"{run} fork")["execution_status"] == {"done": True, "n": False}
    assert rows(db, "lease WHERE run_id = %s", f"{run} fork") == []
    assert attempt(db, "heartbeat(%s, 'n', 1, '5 minutes')", f"{run} fork") == STATE
    assert begin(db, f"{run} fork", "n", "other", "5 minutes") == (1, "running", None)
    assert begin(db, f"{run} fork", "done") == (1, "completed", 1)
    sound(db, f"{run} fork")


def test_a_node_that_a_document_shows_as_running_is_nobodys(db):
    run = start(db, "document")
    call(db, "save_state(%s, '{\"execution_status\": {\"n\": null, \"m\": null}}')", run)
    assert attempt(db, "complete_node(%s, 'n', '1', attempt => 1)", run) == STATE
    assert begin(db, run, "n", "w", "5 minutes") == (1, "running", None)
    assert call(db, "complete_node(%s, 'm', '1')", run) == head(db, run)
    sound(db, run)


def test_a_document_keeps_what_it_does_not_show(db):
    """Details and attempts survive a save that shows the same."""
    run = start(db, "survives")
    begin(db, run, "n", "w", "5 minutes")
    before = node(db, run, "n")
    call(db, "save_state(%s, '{\"execution_status\": {\"n\": null}}')", run)
    assert node(db, run, "n") == before
    assert row(db, "heartbeat(%s, 'n', 1, '5 minutes')", run)["run_status"] == "running"
    assert isinstance(attempt(db, "complete_node(%s, 'n', '1', attempt => 1)", run), int)


# --- context and engine ---------------------------------------------------------------------------------------------


def test_context_is_read_newest_first_and_only_what_is_asked_for(db):
    run = start(db, "reading")
    for number in range(4):
        for name in ("a", "b"):
            begin(db, run, name)
            call(db, "complete_node(%s, %s, %s::jsonb)", run, name, json.dumps({"i": number}))
            call(db, "reset_nodes(%s, ARRAY[%s])", run, name)
    found = rows(db, "context(%s, 'a')", run)
    assert [(r["node_id"], r["ordinal"], r["value"], r["bytes"]) for r in found] == [
        ("a", i, {"i": i}, 8) for i in (3, 2, 1, 0)
    ]  # fmt: skip
    assert [r["version"] for r in found] == [3 + 6 * i for i in (3, 2, 1, 0)]
    assert [r["ordinal"] for r in rows(db, "context(%s, 'a', 2)", run)] == [3, 2]
    assert rows(db, "context(%s, 'a', 0)", run) == []
    assert len(rows(db, "context(%s, 'a', 2147483647)", run)) == 4
    assert rows(db, "context(%s, 'unknown')", run) == []
    assert sorted((r["node_id"], r["ordinal"]) for r in rows(db, "context(%s, last => 1)", run)) == [("a", 3), ("b", 3)]
    assert len(rows(db, "context(%s)", run)) == 8
    assert attempt(db, "context(%s, 'a', -1)", run) == ARGUMENT
    assert attempt(db, "context(%s, '')", run) == ARGUMENT
    assert attempt(db, "context('no such run')") == "P0002"
    assert attempt(db, "context(NULL)") == ARGUMENT


def test_context_costs_what_is_asked_for(db):
    """8 MB of context; the blocks that the last entry costs are those it costs in a short list."""
    run = start(db, "large")
    call(db, "save_state(%s, jsonb_build_object('context', jsonb_build_object('n',"
             " (SELECT jsonb_agg(repeat(md5(i::text), 250)) FROM generate_series(1, 1000) i))))", run)  # fmt: skip

    def blocks(sql):
        db.execute(sql, [run])
        (plan,) = db.execute("EXPLAIN (ANALYZE, BUFFERS, FORMAT json) " + sql, [run]).fetchone()
        return plan[0]["Plan"]["Shared Hit Blocks"] + plan[0]["Plan"]["Shared Read Blocks"]

    # Warm up: the first calls of a session read the catalogue.
    for _ in range(2):
        few = blocks("SELECT length(value::text) FROM layra.context(%s, 'n', 1)")
    assert few < 60
    assert blocks("SELECT length(value::text) FROM layra.context(%s, 'n')") > 1000
    begin(db, run, "n")
    assert isinstance(attempt(db, "complete_node(%s, 'n', '1')", run), int)
    assert [r["ordinal"] for r in rows(db, "context(%s, 'n', 2)", run)] == [1000, 999]


def test_engine_fields_are_set_one_by_one(db):
    run = start(db, "engine")
    call(db, "save_state(%s, '{\"execution_stack\": [\"a\"], \"mode\": 1, \"global_variables\": {\"v\": 1}}')", run)
    assert call(db, "set_engine(%s, '{\"execution_stack\": [\"b\"], \"skip_nodes\": [\"c\"], \"extra\": {\"x\": 1.0}}')", run) == 3
    assert state(db, run) == {
        "execution_stack": ["b"], "skip_nodes": ["c"], "extra": {"x": 1.0}, "mode": 1, "global_variables": {"v": 1},
    }  # fmt: skip
    (changed,) = db.execute("SELECT changed FROM layra.event WHERE run_id = %s AND version = 3", [run]).fetchone()
    assert changed == ["engine/execution_stack", "engine/extra", "engine/skip_nodes"]
    assert call(db, "set_engine(%s, '{\"mode\": 2}', expected_version => 3, idempotency_key => 'k')", run) == 4
    with unchanged(db, run):
        assert call(db, "set_engine(%s, '{\"mode\": 2}', expected_version => 3, idempotency_key => 'k')", run) == 4
        for fields in ("NULL", "'[]'", "'1'", "'{\"global_variables\": {}}'", "'{\"execution_status\": {}}'", "'{\"context\": {}}'",
                       "'{\"loop_index\": {}}'", "'{\"nodes\": []}'", "'{\"edges\": []}'", "'{\"layra.graph\": 1}'", "'{\"\": 1}'"):  # fmt: skip
            assert attempt(db, f"set_engine(%s, {fields})", run) == ARGUMENT, fields
        assert attempt(db, "set_engine(%s, '{}', expected_version => 1)", run) == CONFLICT
    call(db, "rollback(%s, 2)", run)
    assert state(db, run) == {"execution_stack": ["a"], "mode": 1, "global_variables": {"v": 1}}
    sound(db, run)


# --- isolation levels, and sessions that die -------------------------------------------------------------------------


@pytest.mark.parametrize("level", [psycopg.IsolationLevel.REPEATABLE_READ, psycopg.IsolationLevel.SERIALIZABLE])
def test_a_stale_snapshot_is_a_conflict_and_nothing_else(db, connect, level):
    run = start(db, f"snapshot {level.name}")
    begin(db, run, "n", "w", "5 minutes")
    for sql in ("begin_node(%s, 'm', 'w')", "complete_node(%s, 'n', '1')", "fail_node(%s, 'n', '1')", "reset_nodes(%s, '{n}')",
                "skip_nodes(%s, '{s}')", "set_engine(%s, '{\"x\": 1}')", "enter_loop(%s, 'l')", "pause_run(%s, 'n')"):  # fmt: skip
        other = connect(autocommit=False)
        other.isolation_level = level
        set_now(other)
        other.execute("SELECT 1 FROM layra.event LIMIT 1")
        call(db, "append_event(%s, 'note')", run)
        assert attempt(other, sql, run) == CONFLICT, sql
        other.rollback()
    sound(db, run)


def test_a_session_that_dies_before_its_commit_has_taken_nothing(db, connect):
    run = start(db, "dies")
    doomed = connect(autocommit=False)
    set_now(doomed)
    begin(doomed, run, "n", "doomed", "5 minutes")
    call(doomed, "complete_node(%s, 'n', '1', '{\"v\": 1}')", run)
    pid = doomed.info.backend_pid
    db.execute("SELECT pg_terminate_backend(%s, 10000)", [pid])
    assert head(db, run) == 1
    assert begin(db, run, "n", "next", "5 minutes") == (1, "running", None)
    doomed.close()


def test_the_work_of_two_engines_one_of_which_repeats_every_call(db):
    """An engine that reads no answer and makes every call twice ends where the other one does."""
    definition = flow(data={"outer": {"maxCount": 2}, "middle": {"maxCount": 2}, "inner": {"maxCount": 2}})

    def drive(run, times):
        def do(sql, *arguments):
            for _ in range(times):
                result = call(db, sql, run, *arguments)
            return result

        def work(name):
            for _ in range(times):
                number, _, _ = begin(db, run, name, "w", "5 minutes")
            do("complete_node(%s, %s, %s::jsonb, attempt => %s)", name, json.dumps(name), number)

        def loop(name, body):
            do("enter_loop(%s, %s)", name)
            index = -1
            while (following := do("next_iteration(%s, %s, %s)", name, index)) is not None:
                index = following
                body()
            do("exit_loop(%s, %s)", name)

        def thinking():
            work("think")
            loop("inner", lambda: work("step"))

        def drafting():
            work("draft")
            loop("middle", thinking)
            work("review")

        work("prepare")
        loop("outer", drafting)
        work("report")
        do("skip_nodes(%s, '{unused}')")
        return state(db, run)

    once, twice = start(db, "once", definition), start(db, "twice", definition)
    assert drive(once, 1) == drive(twice, 2)
    kinds = lambda run: [kind for kind in events(db, run) if kind != "node.started"]  # noqa: E731
    assert kinds(once) == kinds(twice)
    assert state(db, once)["context"]["step"] == ["step"] * 8
    assert status(db, once) == "running"
    assert sound(db, once) < sound(db, twice)


def test_threads_of_one_worker_never_hold_a_node_twice(db, connect):
    """Two threads that name themselves alike: only the newest attempt completes."""
    run = start(db, "alike")
    connections = [connect() for _ in range(2)]
    barrier = threading.Barrier(2, timeout=PATIENCE)

    def work(connection):
        barrier.wait()
        number, _, _ = begin(connection, run, "n", "same", "5 minutes")
        barrier.wait()
        return number, attempt(connection, "complete_node(%s, 'n', %s::jsonb, attempt => %s)", run, str(number), number)

    with ThreadPoolExecutor(2) as pool:
        results = sorted(pool.map(work, connections))
    assert [number for number, _ in results] == [1, 2]
    assert results[0][1] == STATE
    assert results[1][1] == head(db, run)


# --- what errors say to do -----------------------------------------------------------------------------------------------


def test_a_node_that_was_never_begun_is_said_to_be_so(db, raises):
    run = start(db, "never")
    # Pending by a document's word, and running in the run that this one was forked from.
    call(db, "save_state(%s, '{\"execution_status\": {\"saved\": false}}')", run)
    begin(db, run, "forked")
    call(db, "fork_run(%s, 'never, forked')", run)
    calls = ("complete_node(%s, %s)", "fail_node(%s, %s, '{}')", "heartbeat(%s, %s, 1, '1 minute')")
    for of, nodes in ((run, ("unknown", "saved")), ("never, forked", ("forked", "saved", "unknown"))):
        for name in nodes:
            for statement in calls:
                with raises(STATE) as error:
                    call(db, statement, of, name)
                assert error.message == f'node "{name}" of run "{of}" was never begun', statement
                assert "layra.begin_node" in error.hint


def test_a_node_that_is_not_running_says_why_and_what_then(db, raises):
    run = start(db, "not running")
    for name, then, status, remedy in (
        ("reset", "reset_nodes(%s, '{reset}')", "pending", "layra.begin_node"),
        ("completed", "complete_node(%s, 'completed', '1')", "completed", "layra.context"),
        ("failed", "fail_node(%s, 'failed', '1')", "failed", "layra.begin_node"),
        ("skipped", "fail_node(%s, 'skipped', '1')", "skipped", "layra.reset_nodes"),
    ):
        begin(db, run, name)
        call(db, then, run)
        if status == "skipped":
            call(db, "skip_nodes(%s, '{skipped}')", run)
        with raises(STATE) as error:
            call(db, "complete_node(%s, %s, '2')", run, name)
        assert error.message == f'node "{name}" of run "{run}" is {status}'
        assert remedy in error.hint
    begin(db, run, "n")
    with raises(STATE) as error:
        call(db, "complete_node(%s, 'n', attempt => 2)", run)
    assert error.message == f'attempt 2 of node "n" of run "{run}" was never begun'
    begin(db, run, "n")
    with raises(STATE) as error:
        call(db, "complete_node(%s, 'n', attempt => 1)", run)
    assert error.message == f'attempt 1 of node "n" of run "{run}" is over' and "took the node over" in error.hint
