"""What an auditor asks the views: which cells an event changed, what was undone, who approved which state, what failed of what."""

import json
import random

import pytest
from psycopg.types.json import Jsonb


@pytest.fixture
def connection(admin):
    with admin.transaction(force_rollback=True):
        yield admin


def changes(connection, run_id):
    return connection.execute(
        "SELECT version, scope || '/' || key, old, new, type, who FROM layra.changes WHERE run_id = %s ORDER BY version, scope, key", [run_id]
    ).fetchall()


def test_every_changed_cell_has_a_row_with_both_values(connection):
    connection.execute("SET LOCAL layra.actor = 'alice'")
    for call in (
        "start_run('r', variables => '{\"a\": 1}')", "set_variables('r', '{\"a\": null, \"b\": [1]}')", "append_event('r', 'note')",
        "unset_variables('r', '{a}')", "rollback('r', 1)",
    ):  # fmt: skip
        connection.execute(f"SELECT layra.{call}")
    who = connection.execute("SELECT session_user || ' for alice'").fetchone()[0]
    # JSON's null is a value: the driver gives it as None, too, so that is asked for apart.
    assert connection.execute("SELECT new = 'null' FROM layra.changes WHERE run_id = 'r' AND version = 2 AND key = 'a'").fetchone() == (True,)
    assert connection.execute("SELECT old = 'null', new IS NULL FROM layra.changes WHERE run_id = 'r' AND version = 4").fetchall() == [(True, True)]
    assert changes(connection, "r") == [
        (1, "variable/a", None, 1, "run.started", who),
        (2, "variable/a", 1, None, "variables.set", who),
        (2, "variable/b", None, [1], "variables.set", who),
        (4, "variable/a", None, None, "variables.unset", who),
        (5, "variable/a", None, 1, "run.rolled_back", who),
        (5, "variable/b", [1], None, "run.rolled_back", who),
    ]


def test_values_that_stand_as_deltas_and_contexts_are_whole(connection):
    connection.execute("SELECT layra.start_run('r')")
    entries = [f"{n:200}" for n in range(40)]
    for count in (30, 31, 40):
        connection.execute("SELECT layra.set_variable('r', 'list', %s)", [Jsonb(entries[:count])])
    assert connection.execute("SELECT count(base) FROM layra.cell WHERE run_id = 'r'").fetchone()[0] > 0, "else this shows nothing"
    assert [(old and len(old), len(new)) for _, _, old, new, *_ in changes(connection, "r")] == [(None, 30), (30, 31), (31, 40)]
    connection.execute("SELECT layra.begin_node('r', 'n'), layra.complete_node('r', 'n', '\"out\"')")
    cells = connection.execute("SELECT scope, key, ordinal, new FROM layra.changes WHERE run_id = 'r' AND type = 'node.completed' ORDER BY scope").fetchall()
    assert cells[0] == ("context", "n", 0, "out") and [scope for scope, *_ in cells] == ["context", "node"]


def pages(connection, sql):
    (report,) = connection.execute(f"EXPLAIN (ANALYZE, BUFFERS, TIMING OFF, FORMAT JSON) {sql}").fetchone()
    return report[0]["Plan"]["Shared Hit Blocks"] + report[0]["Plan"]["Shared Read Blocks"]


def test_the_last_version_of_a_long_run_costs_what_that_of_a_short_one_does(connection):
    found = []
    for run, length in (("short", 10), ("long", 20_000)):
        connection.execute("SELECT layra.start_run(%s)", [run])
        connection.execute(
            "SELECT layra.append_events(%s, (SELECT jsonb_agg(jsonb_build_object('type', 'note', 'updates', jsonb_build_object('v', n)))"
            " FROM generate_series(1, %s) n))", [run, length])  # fmt: skip
        queries = (
            "SELECT * FROM layra.changes WHERE run_id = '{}' ORDER BY version DESC LIMIT 1",
            f"SELECT * FROM layra.changes WHERE run_id = '{{}}' AND version = {length}",
            "SELECT * FROM layra.timeline WHERE run_id = '{}' ORDER BY version DESC LIMIT 1",
        )
        found.append([min(pages(connection, query.format(run)) for _ in range(3)) for query in queries])
    assert all(long < 2 * short + 40 and long < 100 for short, long in zip(*found, strict=True)), found


@pytest.mark.parametrize("seed", range(20))
def test_what_is_undone_is_what_no_way_back_from_the_head_meets(admin, seed):
    chance = random.Random(seed)
    steps = [chance.choice([None, chance.randint(1, 30)]) for _ in range(30)]
    with admin.transaction(force_rollback=True):
        admin.execute("SELECT layra.start_run('r')")
        goes_back = {}
        for step in steps:
            (head,) = admin.execute("SELECT max(version) FROM layra.event WHERE run_id = 'r'").fetchone()
            if step is None or step >= head:
                admin.execute("SELECT layra.append_event('r', 'note')")
            else:
                (version,) = admin.execute("SELECT layra.rollback('r', %s)", [step]).fetchone()
                goes_back[version] = step
        shown = dict(admin.execute("SELECT version, undone_by FROM layra.timeline WHERE run_id = 'r'").fetchall())
    met, version = set(), max(shown)
    while version > 0:
        met.add(version)
        version = goes_back.get(version, version - 1)
    assert {version for version, by in shown.items() if by is None} == met
    for version, by in shown.items():
        assert by is None or (by in met and goes_back[by] < version < by)


def test_the_timeline_says_question_answer_error_and_what_a_checkpoint_is_for(connection):
    connection.execute("SELECT layra.start_run('r'), layra.checkpoint('r', 'kept', metadata => '{\"why\": \"before the payment\"}')")
    connection.execute("SELECT layra.begin_node('r', 'n'), layra.fail_node('r', 'n', '{\"message\": \"no route\"}')")
    for assignee, answer in (("alice", {"ok": True}), (None, "x" * 1000)):
        (asked,) = connection.execute("SELECT layra.pause_run('r', 'p', '{\"question\": \"Publish?\"}', assignee => %s)", [assignee]).fetchone()
        connection.execute("SELECT set_config('layra.actor', %s, true)", [assignee or "bob"])
        connection.execute("SELECT layra.resume_run('r', %s, %s)", [asked, Jsonb(answer)])
    what = [what for (what,) in connection.execute("SELECT what FROM layra.timeline WHERE run_id = 'r' ORDER BY version")]
    assert what[1] == 'checkpoint manual kept for {"why": "before the payment"}'
    assert what[3] == 'error: {"message": "no route"}; changed node/n'
    assert what[4].startswith('question to alice: {"question": "Publish?"}; checkpoint human interaction ')
    assert what[5] == 'answer: {"ok": true}'
    assert what[6].startswith("question to anybody: ")
    assert what[7] == "answer: " + "x" * 200
    (payload,) = connection.execute("SELECT payload FROM layra.events('r') WHERE type = 'node.failed'").fetchone()
    assert payload == {"node_id": "n", "attempt": 1, "error": {"message": "no route"}}
    assert connection.execute("SELECT * FROM layra.verify('r')").fetchall() == []


def test_an_answer_has_the_version_and_hash_that_it_was_given_to(connection):
    connection.execute("SET LOCAL layra.now = '2026-01-05 09:00+00'; SELECT layra.start_run('r', variables => '{\"a\": 1}')")
    (asked,) = connection.execute("SELECT layra.pause_run('r', 'p')").fetchone()
    (waits,) = connection.execute("SELECT layra.pause_run('r', 'q')").fetchone()
    (head,) = connection.execute("SELECT layra.digest('r')").fetchone()
    connection.execute("SET LOCAL layra.now = '2026-01-05 10:00+00'")
    connection.execute("SELECT layra.resume_run('r', %s, updates => '{\"a\": 2}'), layra.withdraw_interaction('r', %s)", [asked, waits])
    rows = connection.execute("SELECT interaction, asked_at = created_at, (answered_at - asked_at)::text, approved_version, approved_hash"
                              " FROM layra.interactions WHERE run_id = 'r' ORDER BY version").fetchall()  # fmt: skip
    assert rows == [(asked, True, "01:00:00", 3, head), (waits, True, None, None, None)]
    assert connection.execute("SELECT layra.get_variable('r', 'a', 3)").fetchone() == (1,)
    assert json.dumps(connection.execute("SELECT new FROM layra.changes WHERE run_id = 'r' AND version = 4").fetchall()) == "[[2]]"
