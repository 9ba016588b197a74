"""People in the loop: a run waits for an answer, which counts once, and only from the one who was asked."""

import json
import uuid
from random import Random

import pytest
from execution import (
    attempt, begin, call, checkpoints, events, flow, head, node, row, rows, set_now, sound, start, state, status, unchanged,
)  # fmt: skip
from test_concurrency import together, waiting  # noqa: F401

STATE, ARGUMENT, CONFLICT, CHECK, DENIED, UNKNOWN = "55000", "22023", "40001", "23514", "42501", "P0002"


@pytest.fixture
def db(admin):
    set_now(admin)
    return admin


def ask(connection, run_id, node_id="n", **arguments):
    types = {"prompt": "jsonb", "response_schema": "jsonb", "assignee": "text", "expires_in": "interval", "idempotency_key": "text"}
    given = "".join(f", {name} => %s::{types[name]}" for name in arguments)
    values = [json.dumps(v) if types[n] == "jsonb" else v for n, v in arguments.items()]
    return str(call(connection, f"pause_run(%s, %s{given})", run_id, node_id, *values))


def answer(connection, run_id, interaction, response='{"ok": true}', *, times=1, **arguments):
    given = "".join(f", {name} => %s" for name in arguments)
    return attempt(connection, f"resume_run(%s, %s::uuid, %s::jsonb{given})", run_id, interaction, response, *arguments.values())


def interaction(connection, run_id, question):
    return row(connection, "interactions WHERE run_id = %s AND interaction = %s::uuid", run_id, question)


# --- asking and answering ----------------------------------------------------------------------------------------------


def test_a_question_and_its_answer(db):
    run = start(db, "question")
    begin(db, run, "n", "w")
    question = ask(db, run, prompt={"text": "Publish?"}, expires_in="1 hour")
    assert status(db, run) == "paused"
    assert checkpoints(db, run) == [(3, "human")]
    assert db.execute("SELECT protected FROM layra.checkpoint WHERE run_id = %s", [run]).fetchone() == (True,)
    waits = interaction(db, run, question)
    assert (waits["node_id"], waits["status"], waits["prompt"], waits["version"]) == ("n", "pending", {"text": "Publish?"}, 3)
    assert (waits["expires_at"] - waits["created_at"]).total_seconds() == 3600
    assert waits["assignee"] is waits["response"] is waits["answered_by"] is waits["closed_version"] is None
    db.execute("SET layra.actor = 'ada@example.com'")
    assert answer(db, run, question, '{"ok": true, "score": 1.0}', updates='{"published": true}') == 4
    db.execute("RESET layra.actor")
    assert status(db, run) == "running"
    assert state(db, run)["global_variables"] == {"published": True}
    closed = interaction(db, run, question)
    assert (closed["status"], closed["response"], closed["closed_version"]) == ("answered", {"ok": True, "score": 1.0}, 4)
    # Who answered and what is in the log: the proven role, and the claim.
    (event,) = db.execute(
        "SELECT row_to_json(e) FROM (SELECT type, payload, changed, actor, on_behalf_of FROM layra.event"
        " WHERE run_id = %s AND version = 4) e", [run],
    ).fetchone()  # fmt: skip
    assert event["type"] == "interaction.answered"
    assert event["payload"]["response"] == {"ok": True, "score": 1.0} and event["payload"]["interaction"] == question
    assert (event["actor"], event["on_behalf_of"]) == ("postgres", "ada@example.com")
    assert (closed["answered_by"], closed["answered_for"]) == ("postgres", "ada@example.com")
    assert event["changed"] == ["variable/published"]
    sound(db, run)


def test_the_defaults(db):
    run = start(db, "defaults")
    question = str(call(db, "pause_run(%s, 'n')", run))
    assert uuid.UUID(question)
    assert interaction(db, run, question)["prompt"] == {}
    assert call(db, "resume_run(%s, %s::uuid)", run, question) == 3
    assert interaction(db, run, question)["response"] == {}
    # NULL where a default exists is that default.
    question = str(call(db, "pause_run(%s, 'n', NULL, NULL, NULL, NULL)", run))
    assert call(db, "resume_run(%s, %s::uuid, NULL, NULL, NULL)", run, question) == 5


def test_an_answer_counts_once(db):
    run = start(db, "once")
    question = ask(db, run)
    version = answer(db, run, question, '{"ok": 1}', updates='{"v": 1}')
    with unchanged(db, run):
        assert answer(db, run, question, '{"ok": 1}', updates='{"v": 1}') == version
        assert answer(db, run, question, '{"ok": 1}') == version
        assert answer(db, run, question, '{"ok": 1}', expected_version=1) == version
        for other in ('{"ok": 2}', '{"ok": 1.0}', "{}", "null", '"ok"'):
            assert answer(db, run, question, other) == STATE
            assert answer(db, run, question, other, on_change="accept") == STATE
    call(db, "set_variable(%s, 'v', '2')", run)
    call(db, "finish_run(%s)", run)
    with unchanged(db, run):
        assert answer(db, run, question, '{"ok": 1}') == version
        assert answer(db, run, question, '{"ok": 2}') == STATE
    sound(db, run)


def test_a_question_asked_again_is_the_same_one_by_its_key(db):
    run = start(db, "key")
    question = ask(db, run, idempotency_key="k")
    with unchanged(db, run):
        assert ask(db, run, idempotency_key="k") == question
        assert ask(db, run, prompt={"other": 1}, idempotency_key="k") == question
        assert attempt(db, "append_event(%s, 'note', idempotency_key => 'k')", run) == ARGUMENT
    version = answer(db, run, question, idempotency_key="a")
    with unchanged(db, run):
        assert answer(db, run, question, '{"other": 1}', idempotency_key="a") == version
        assert ask(db, run, idempotency_key="k") == question
    assert ask(db, run) != question
    # In a fork there is no such question.
    call(db, "fork_run(%s, %s)", run, f"{run} fork")
    assert attempt(db, "pause_run(%s, 'n', idempotency_key => 'k')", f"{run} fork") == STATE


def test_the_same_answer_by_many_sessions_is_one(db, together):  # noqa: F811
    run = start(db, "together")
    question = ask(db, run)

    def same(connection, _):
        return answer(connection, run, question, '{"ok": 1}')

    assert set(together(same)) == {3}
    question = ask(db, run)
    results = together(lambda connection, number: answer(connection, run, question, json.dumps({"by": number})))
    assert sorted(map(str, results)) == ["5", *[STATE] * 15]
    assert head(db, run) == 5
    assert interaction(db, run, question)["response"] == {"by": results.index(5)}
    sound(db, run)


def test_an_answer_that_waits_for_another(db, connect, waiting):  # noqa: F811
    run = start(db, "waits")
    question = ask(db, run)
    first, second = connect(autocommit=False), connect()
    call(first, "resume_run(%s, %s::uuid, '1')", run, question)
    with waiting(second, "resume_run(%s, %s::uuid, '2')", run, question) as result:
        first.rollback()
    assert result() == 3
    assert interaction(db, run, question)["response"] == 2


def test_a_response_has_to_satisfy_its_schema(db, raises):
    run = start(db, "schema")
    question = ask(db, run, response_schema={
        "type": "object", "required": ["ok"], "properties": {"ok": {"type": "boolean"}, "why": {"maxLength": 3}},
    })  # fmt: skip
    with unchanged(db, run):
        with raises(CHECK) as error:
            call(db, "resume_run(%s, %s::uuid, '{\"ok\": \"secret\", \"why\": \"secret\"}')", run, question)
        assert "secret" not in f"{error.message}{error.detail}{error.hint}"
        detail = json.loads(error.detail)
        assert {(each["path"], each["keyword"]) for each in detail["violations"]} == {("/ok", "type"), ("/why", "maxLength")}
        assert detail["violation_count"] == 2
        for response in ("{}", "1", "null", '{"ok": null}'):
            assert answer(db, run, question, response) == CHECK
    assert answer(db, run, question, '{"ok": true}') == 3
    for schema in ('{"type": "nonsense"}', "1", '{"$ref": "https://example.com/x"}', '{"pattern": "("}'):
        assert attempt(db, "pause_run(%s, 'n', response_schema => %s::jsonb)", run, schema) == ARGUMENT, schema
    sound(db, run)


def test_updates_are_checked_with_the_answer(db):
    run = start(db, "updates", flow(variables={"v": {"schema": {"type": "integer"}}}))
    question = ask(db, run)
    with unchanged(db, run):
        assert answer(db, run, question, updates='{"v": "x"}') == CHECK
        assert answer(db, run, question, updates="[]") == ARGUMENT
        assert answer(db, run, question, on_change="other") == ARGUMENT
        assert answer(db, run, question, expected_version=1) == CONFLICT
        assert answer(db, run, question, expected_version=-1) == ARGUMENT
    assert answer(db, run, question, updates='{"v": 1}', expected_version=2) == 3


def test_the_state_is_validated_before_and_after(db, raises):
    definition = flow(policy={"loops": {"tolerance": 0}}, data={"outer": {"maxCount": 3}})
    run = start(db, "before", definition)
    call(db, "save_state(%s, '{\"loop_index\": {\"outer\": 15}}')", run)
    question = ask(db, run)
    with unchanged(db, run), raises(CHECK) as error:
        call(db, "resume_run(%s, %s::uuid)", run, question)
    assert json.loads(error.detail)["violations"] == [{"path": "/loop_index/outer", "keyword": "loop"}]
    with unchanged(db, run):
        assert answer(db, run, question, on_change="accept") == CHECK
    # Afterwards: a rule that the updates break.
    run = start(db, "after", definition)
    (workflow,) = db.execute("SELECT workflow FROM layra.run WHERE run_id = %s", [run]).fetchone()
    db.execute("CREATE OR REPLACE FUNCTION public.no_bad(run_id text, state jsonb) RETURNS SETOF text LANGUAGE sql AS"
               " $$ SELECT 'bad' WHERE state #> '{global_variables,bad}' IS NOT NULL $$")  # fmt: skip
    call(db, "add_validator(%s, 'no bad', 'public.no_bad(text,jsonb)')", workflow)
    question = ask(db, run)
    with unchanged(db, run):
        assert answer(db, run, question, updates='{"bad": 1}') == CHECK
    assert answer(db, run, question, updates='{"good": 1}') == 3
    sound(db, run)


# --- interactions that cannot be answered ------------------------------------------------------------------------------


def test_expired(db):
    run = start(db, "expired")
    question = ask(db, run, expires_in="1 hour")
    set_now(db, 59.99)
    with db.transaction(force_rollback=True):
        assert answer(db, run, question) == 3
    set_now(db, 60)
    with unchanged(db, run):
        assert answer(db, run, question) == STATE
        assert answer(db, run, question, on_change="accept") == STATE
    assert status(db, run) == "paused"
    assert call(db, "withdraw_interaction(%s, %s::uuid)", run, question) == 3
    assert status(db, run) == "running"
    # An answer given in time is an answer for ever.
    question = ask(db, run, expires_in="1 hour")
    version = answer(db, run, question)
    set_now(db, 600)
    assert answer(db, run, question) == version
    assert attempt(db, "pause_run(%s, 'n', expires_in => '0')", run) == ARGUMENT
    assert attempt(db, "pause_run(%s, 'n', expires_in => '-1 hour')", run) == ARGUMENT
    sound(db, run)


def test_an_expired_question_keeps_no_run_paused_once_another_is_answered(db):
    run = start(db, "expired too")
    ask(db, run, expires_in="1 hour")
    question = ask(db, run)
    set_now(db, 90)
    assert answer(db, run, question) == 4
    assert status(db, run) == "running"


def test_a_run_whose_only_question_expired_is_found_and_recovered(db):
    run = start(db, "forgotten")
    question = ask(db, run, expires_in="1 hour")
    stale = lambda: [r["run_id"] for r in rows(db, "stale_runs('1000 days')") if r["run_id"] == run]  # noqa: E731
    set_now(db, 59)
    assert stale() == []
    with unchanged(db, run):
        call(db, "recover_run(%s)", run)
    set_now(db, 61)
    assert stale() == [run]
    with unchanged(db, run):
        call(db, "recover_run(%s, true)", run)
    assert row(db, "recover_run(%s)", run)["version"] == 3
    assert status(db, run) == "running"
    with unchanged(db, run):
        assert row(db, "recover_run(%s)", run)["version"] == 3
        assert answer(db, run, question) == STATE
    assert stale() == []
    sound(db, run)


def test_withdrawn(db):
    run = start(db, "withdrawn")
    question = ask(db, run)
    version = call(db, "withdraw_interaction(%s, %s::uuid, 'changed my mind')", run, question)
    assert (version, status(db, run)) == (3, "running")
    (payload,) = db.execute("SELECT payload FROM layra.event WHERE run_id = %s AND version = 3", [run]).fetchone()
    assert payload["reason"] == "changed my mind"
    with unchanged(db, run):
        assert call(db, "withdraw_interaction(%s, %s::uuid)", run, question) == 3
        assert answer(db, run, question) == STATE
        assert answer(db, run, question, on_change="accept") == STATE
    question = ask(db, run)
    answer(db, run, question)
    with unchanged(db, run):
        assert attempt(db, "withdraw_interaction(%s, %s::uuid)", run, question) == STATE
    sound(db, run)


def test_foreign(db, raises):
    run, other = start(db, "mine"), start(db, "theirs")
    question = ask(db, other)
    ask(db, run)
    with unchanged(db, run), unchanged(db, other):
        for id in (question, str(uuid.uuid4())):
            assert answer(db, run, id) == STATE
            assert attempt(db, "withdraw_interaction(%s, %s::uuid)", run, id) == STATE
        assert attempt(db, "resume_run(%s, NULL)", run) == ARGUMENT
        assert attempt(db, "withdraw_interaction(%s, NULL)", run) == ARGUMENT
        assert attempt(db, "resume_run(%s, 'no uuid')", run) == "22P02"
        assert answer(db, "no such run", question) == UNKNOWN


@pytest.mark.parametrize("ending, status_after", [
    ("cancel_run(%s)", "cancelling"), ("finish_run(%s)", "completed"), ("finish_run(%s, 'failed')", "failed"),
])  # fmt: skip
def test_a_run_that_ends_asks_nobody_any_more(db, ending, status_after):
    run = start(db, "ends")
    questions = [ask(db, run), ask(db, run)]
    call(db, ending, run)
    assert status(db, run) == status_after
    for question in questions:
        assert interaction(db, run, question)["status"] == "withdrawn"
        assert answer(db, run, question) == STATE
    assert attempt(db, "pause_run(%s, 'n')", run) == STATE
    if status_after == "failed":
        call(db, "reopen_run(%s)", run)
        assert status(db, run) == "running"
        assert answer(db, run, questions[0]) == STATE
    sound(db, run)


# --- who may answer -------------------------------------------------------------------------------------------------------


def test_a_role_is_checked_by_membership(db, role, connect):
    team, member, writer = role("team"), role("member"), role("writer")
    db.execute(f"GRANT {team} TO {member}; GRANT {writer} TO {member}")
    for name in (member, writer):
        call(db, "grant_access(%s, 'writer')", name)
    own, deputy = connect(role=writer), connect(role=member)
    run = start(own, "membership")
    question = ask(own, run, assignee=f"role:{team}")
    with unchanged(db, run):
        assert answer(own, run, question) == DENIED
        # A claim proves nothing.
        own.execute("SELECT set_config('layra.actor', %s, false)", [f"role:{team}"])
        assert answer(own, run, question) == DENIED
        own.execute("SELECT set_config('layra.actor', %s, false)", [team])
        assert answer(own, run, question) == DENIED
        assert answer(own, run, question, on_change="accept") == DENIED
    assert answer(deputy, run, question) == 3
    assert interaction(db, run, question)["answered_by"] == member
    # Not even the right answer is told to somebody else.
    assert answer(own, run, question) == DENIED
    assert attempt(own, "pause_run(%s, 'n', assignee => 'role:')", run) == "22023"
    question = ask(own, run, assignee="role:nobody such")
    assert answer(own, run, question) == DENIED
    # Of two things that are wrong, the person comes first.
    call(own, "withdraw_interaction(%s, %s::uuid)", run, question)
    assert answer(own, run, question) == DENIED
    sound(db, run)


def test_anybody_else_is_checked_by_the_claim(db):
    run = start(db, "claim")
    question = ask(db, run, assignee="ada@example.com")
    with unchanged(db, run):
        for claim in ("", "bob", "ada", "ADA@EXAMPLE.COM", "ada@example.com "):
            db.execute("SELECT set_config('layra.actor', %s, false)", [claim])
            assert answer(db, run, question) == DENIED
    with db.transaction():
        db.execute("SELECT set_config('layra.actor', 'ada@example.com', true)")
        assert answer(db, run, question) == 3
    db.execute("RESET layra.actor")
    assert interaction(db, run, question)["answered_for"] == "ada@example.com"
    for assignee, expected in (("", ARGUMENT), ("x" * 256, ARGUMENT), ("a\x07", ARGUMENT)):
        assert attempt(db, "pause_run(%s, 'n', assignee => %s)", run, assignee) == expected
    sound(db, run)


def test_interactions_of_others_are_not_seen(db, role, connect):
    alice, bob = role("alice"), role("bob")
    for name in (alice, bob):
        call(db, "grant_access(%s, 'writer')", name)
    one, other = connect(role=alice), connect(role=bob)
    run = start(one, "seen")
    question = ask(one, run, prompt={"secret": 1})
    assert len(rows(one, "interactions WHERE run_id = %s", run)) == 1
    assert rows(other, "interactions") == rows(other, "interaction") == []
    assert answer(other, run, question) == DENIED
    assert attempt(other, "withdraw_interaction(%s, %s::uuid)", run, question) == DENIED
    assert attempt(other, "pause_run(%s, 'n')", run) == DENIED
    # Asking somebody gives him no right to the run.
    question = ask(one, run, assignee=f"role:{bob}")
    assert answer(other, run, question) == DENIED


# --- what changed since the question ---------------------------------------------------------------------------------------

CHANGES = {
    "variable": ("set_variable(%s, 'v', '2')", ["/v"]),
    "new variable": ("set_variable(%s, 'new', '2')", ["/new"]),
    "unset": ("unset_variables(%s, '{v}')", ["/v"]),
    "loop": ("enter_loop(%s, 'l')", ["/loop/l"]),
    "context": ("complete_node(%s, 'n', '1')", ["/context/n/0"]),
}
HARMLESS = {
    "node": "complete_node(%s, 'n')", "event": "append_event(%s, 'note')", "checkpoint": "checkpoint(%s)", "engine": "set_engine(%s, '{\"x\": 1}')",
    "same": "set_variable(%s, 'v', '1')", "skip": "skip_nodes(%s, '{m}')",
}  # fmt: skip


@pytest.mark.parametrize("name", CHANGES)
def test_what_was_asked_about_must_still_be_so(db, raises, name):
    run = start(db, name, variables={"v": 1})
    begin(db, run, "n", "w")
    question = ask(db, run)
    sql, cells = CHANGES[name]
    call(db, sql, run)
    with unchanged(db, run):
        with raises(CONFLICT) as error:
            call(db, "resume_run(%s, %s::uuid)", run, question)
        detail = json.loads(error.detail)
        assert detail["run_id"] == run
        assert detail["conflicts"] == cells
        assert answer(db, run, question, on_change="fail") == CONFLICT
    assert answer(db, run, question, on_change="accept") == head(db, run)
    assert status(db, run) == "running"
    sound(db, run)


@pytest.mark.parametrize("name", HARMLESS)
def test_what_does_not_count_as_a_change(db, name):
    run = start(db, name, variables={"v": 1})
    begin(db, run, "n", "w")
    question = ask(db, run)
    call(db, HARMLESS[name], run)
    assert answer(db, run, question) == head(db, run)
    sound(db, run)


def test_a_change_that_was_taken_back_is_none(db):
    run = start(db, "taken back", variables={"v": 1})
    question = ask(db, run)
    call(db, "set_variable(%s, 'v', '2')", run)
    call(db, "set_variable(%s, 'v', '1')", run)
    assert answer(db, run, question) == 5


# --- several at once -------------------------------------------------------------------------------------------------------


def test_a_run_waits_for_all_of_them(db):
    run = start(db, "several")
    questions = [ask(db, run, f"n{number}") for number in range(4)]
    assert len(set(questions)) == 4
    assert len(rows(db, "interactions WHERE run_id = %s AND status = 'pending'", run)) == 4
    # The answers of others are no change.
    for number in (2, 0):
        assert answer(db, run, questions[number], updates=json.dumps({f"v{number}": number, "both": number})) == head(db, run)
        assert status(db, run) == "paused"
    call(db, "withdraw_interaction(%s, %s::uuid)", run, questions[3])
    assert status(db, run) == "paused"
    # But anything else is.
    call(db, "set_variable(%s, 'both', '7')", run)
    assert answer(db, run, questions[1]) == CONFLICT
    assert answer(db, run, questions[1], on_change="accept") == head(db, run)
    assert status(db, run) == "running"
    sound(db, run)


def test_answers_at_the_same_moment(db, together):  # noqa: F811
    run = start(db, "moment")
    questions = [ask(db, run, f"n{number}") for number in range(8)]
    results = together(lambda c, number: answer(c, run, questions[number], updates=json.dumps({f"v{number}": 1})), 8)
    assert sorted(results) == list(range(10, 18))
    assert status(db, run) == "running"
    statuses = [payload["status"] for (payload,) in db.execute(
        "SELECT payload FROM layra.event WHERE run_id = %s AND type = 'interaction.answered' ORDER BY version", [run]
    )]  # fmt: skip
    assert statuses == ["paused"] * 7 + ["running"]
    sound(db, run)


# --- rollback, fork ----------------------------------------------------------------------------------------------------------


def test_no_rollback_goes_behind_a_question(db):
    run = start(db, "behind")
    call(db, "set_variable(%s, 'v', '1')", run)
    question = ask(db, run)
    with unchanged(db, run):
        for version in (1, 2):
            assert attempt(db, "rollback(%s, %s)", run, version) == STATE
    answer(db, run, question)
    assert attempt(db, "rollback(%s, 2)", run) == STATE


def test_a_question_that_was_freed_can_be_rolled_back_behind(db):
    """Its checkpoint has a label, so the protection can be taken away; the question is withdrawn then."""
    run = start(db, "freed")
    call(db, "set_variable(%s, 'v', '1')", run)
    question = ask(db, run)
    assert db.execute("SELECT label FROM layra.checkpoint WHERE run_id = %s", [run]).fetchone() == (f"interaction {question}",)
    call(db, "protect_checkpoint(%s, %s, false)", run, f"interaction {question}")
    assert call(db, "rollback(%s, 1)", run) == 5
    assert status(db, run) == "running"
    assert interaction(db, run, question)["status"] == "withdrawn"
    assert answer(db, run, question) == STATE
    # And back: it waits again.
    call(db, "rollback(%s, 3)", run)
    assert (status(db, run), interaction(db, run, question)["status"]) == ("paused", "pending")
    assert answer(db, run, question, '{"ok": 1}') == 7
    sound(db, run)


def test_a_rollback_to_before_the_answer_asks_again(db):
    run = start(db, "asks again")
    question = ask(db, run)
    first = answer(db, run, question, '{"ok": 1}', updates='{"v": 1}')
    call(db, "rollback(%s, 2)", run)
    assert status(db, run) == "paused"
    waits = interaction(db, run, question)
    assert (waits["status"], waits["response"], waits["answered_by"], waits["closed_version"]) == ("pending", None, None, None)
    assert state(db, run)["global_variables"] == {}
    # Undone, so another answer counts, and so would the same one.
    version = answer(db, run, question, '{"ok": 2}', updates='{"v": 2}')
    assert version == head(db, run) > first
    assert status(db, run) == "running"
    sound(db, run)
    call(db, "rollback(%s, %s)", run, first)
    assert status(db, run) == "running"
    assert state(db, run)["global_variables"] == {"v": 1}
    sound(db, run)


def test_a_rollback_of_a_withdrawal_asks_again(db):
    run = start(db, "withdrawal")
    question = ask(db, run)
    call(db, "withdraw_interaction(%s, %s::uuid)", run, question)
    call(db, "rollback(%s, 2)", run)
    assert (status(db, run), interaction(db, run, question)["status"]) == ("paused", "pending")
    assert answer(db, run, question) == 5
    sound(db, run)


def test_an_answer_that_a_rollback_keeps_is_no_change(db):
    """Two questions; the answer to the first is there again after a rollback: the second one sees no other change."""
    run = start(db, "kept")
    first, second = ask(db, run, "a"), ask(db, run, "b")
    answered = answer(db, run, first, updates='{"v": 1}')
    call(db, "set_variable(%s, 'v', '2')", run)
    call(db, "rollback(%s, %s)", run, answered)
    assert state(db, run)["global_variables"] == {"v": 1}
    assert answer(db, run, second) == head(db, run)
    assert status(db, run) == "running"


def test_a_fork_of_a_paused_run_runs_and_asks_nobody(db):
    run = start(db, "fork")
    question = ask(db, run)
    call(db, "fork_run(%s, %s)", run, f"{run} fork")
    assert status(db, f"{run} fork") == "running"
    assert rows(db, "interactions WHERE run_id = %s", f"{run} fork") == []
    assert answer(db, f"{run} fork", question) == STATE
    assert begin(db, f"{run} fork", "n")[1] == "running"
    assert status(db, run) == "paused"
    sound(db, f"{run} fork")


def test_a_run_dropped_takes_its_questions_along(db):
    run = start(db, "dropped")
    question = ask(db, run)
    db.execute("SELECT layra.drop_run(%s)", [run])
    db.execute("SELECT layra.start_run(%s)", [run])
    assert rows(db, "interactions WHERE run_id = %s", run) == []
    assert answer(db, run, question) == STATE
    sound(db, run)


def test_the_core_writes_a_paused_run_still(db):
    run = start(db, "core")
    begin(db, run, "n", "w", "5 minutes")
    ask(db, run)
    assert call(db, "set_variable(%s, 'v', '1')", run) == 4
    assert call(db, "complete_node(%s, 'n', attempt => 1)", run) == 5
    assert node(db, run, "n")["status"] == "completed"
    assert events(db, run)[2] == "interaction.requested"
    for sql in ("pause_run(%s, NULL)", "pause_run(%s, '')", "pause_run(NULL, 'n')"):
        assert attempt(db, sql, *([run] if "%s" in sql else [])) == ARGUMENT
    sound(db, run)


def test_a_prompt_over_the_limit(db):
    run = start(db, "limit")
    with unchanged(db, run):
        assert attempt(db, "pause_run(%s, 'n', to_jsonb(repeat('x', 67108863)))", run) == "54000"
    question = ask(db, run)
    with unchanged(db, run):
        assert attempt(db, "resume_run(%s, %s::uuid, to_jsonb(repeat('x', 67108863)))", run, question) == "54000"
    assert answer(db, run, question) == 3


# --- what a rollback undoes ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(12))
def test_questions_after_any_rollback_are_what_their_events_say(db, seed):
    """Rollbacks of rollbacks, over questions asked, answered and withdrawn on any branch: `verify` follows the events from the
    first one on, and not from where two histories part."""
    random = Random(seed)
    run = start(db, f"branches {seed}")
    questions = []
    for _ in range(60):
        version = head(db, run)
        step = random.choice(["ask", "ask", "answer", "answer", "withdraw", "note", "back", "back", "far back", "end"])
        if step == "ask" and status(db, run) != "cancelling":
            questions.append(ask(db, run, **({"expires_in": "1 hour"} if random.random() < 0.3 else {})))
            db.execute("SELECT layra.protect_checkpoint(%s, %s, false)", [run, f"interaction {questions[-1]}"])
        elif step == "answer" and questions:
            answer(db, run, random.choice(questions[-4:]), str(random.randrange(3)), on_change="accept")
        elif step == "withdraw" and questions:
            attempt(db, "withdraw_interaction(%s, %s::uuid)", run, random.choice(questions[-4:]))
        elif step == "note":
            call(db, "append_event(%s, 'note')", run)
        elif step == "end" and random.random() < 0.4:
            if random.random() < 0.5:
                call(db, "cancel_run(%s)", run)
            call(db, "finish_run(%s, 'failed')", run)
            call(db, "reopen_run(%s)", run)
        elif step.endswith("back"):
            oldest = 1 if step == "far back" else max(1, version - 8)
            call(db, "rollback(%s, %s::bigint)", run, random.randint(oldest, version))
            assert db.execute("SELECT * FROM layra.verify(%s)", [run]).fetchall() == []
    sound(db, run)


# --- what errors say to do ---------------------------------------------------------------------------------------------


def test_a_paused_run_names_what_it_waits_for(db, raises):
    """Those that can be answered, by their ids; of many some; and where none is left, what ends the pause."""
    run = start(db, "named")
    first = ask(db, run, expires_in="1 minute")
    second = ask(db, run, prompt={"secret": "a value"})
    with raises(STATE) as error:
        call(db, "begin_node(%s, 'other')", run)
    assert first in error.hint and second in error.hint and "layra.resume_run" in error.hint
    assert "secret" not in error.hint
    set_now(db, minutes=2)
    with raises(STATE) as error:
        call(db, "begin_node(%s, 'other')", run)
    assert first not in error.hint and second in error.hint
    many = [ask(db, run) for _ in range(9)]
    with raises(STATE) as error:
        call(db, "begin_node(%s, 'other')", run)
    assert sum(question in error.hint for question in [second, *many]) == 5 and "and more" in error.hint

    expired = start(db, "expired")
    ask(db, expired, expires_in="1 minute")
    set_now(db, minutes=9)
    with raises(STATE) as error:
        call(db, "begin_node(%s, 'other')", expired)
    assert "layra.recover_run" in error.hint


def test_a_conflict_says_what_this_function_can_do_about_it(db, raises):
    run = start(db, "changed")
    question = ask(db, run)
    call(db, "set_variable(%s, 'v', '1')", run)
    with raises(CONFLICT) as error:
        call(db, "resume_run(%s, %s::uuid)", run, question)
    assert "on_change => 'accept'" in error.hint
    for statement, arguments, remedy in (
        ("resume_run(%s, %s::uuid, expected_version => 1)", [run, question], "newest version"),
        ("set_variable(%s, 'v', '2', expected_version => 1)", [run], "variable again"),
        ("set_variables(%s, '{\"v\": 2}', expected_version => 1)", [run], "on_conflict => 'merge'"),
        ("set_variables(%s, '{\"v\": 2}', '{\"v\": 1}')", [run], "newest version"),
        ("set_variables(%s, '{\"v\": 2}', on_conflict => 'merge', expected_version => 1)", [run], "Both sides"),
        ("finish_run(%s, expected_version => 1)", [run], "newest version"),
    ):
        with raises(CONFLICT) as error:
            call(db, statement, *arguments)
        assert remedy in error.hint, statement
        assert ("merge" in error.hint) == (remedy == "on_conflict => 'merge'"), statement
