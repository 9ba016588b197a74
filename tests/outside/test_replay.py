"""A recorded engine run, replayed on a fresh database: it succeeds, and prints the figures that the recording and the server give."""

import os
import re
import subprocess
from pathlib import Path

import psycopg
import pytest
from server import PATIENCE

ROOT = Path(__file__).parent.parent.parent
RECORDING = ROOT / "tests/data/layra-trace.jsonl"


def run(script, database):
    return subprocess.run([script, database], capture_output=True, text=True, timeout=PATIENCE, cwd=ROOT)


@pytest.fixture(scope="module")
def database(server):
    """The name of a database that the script creates; it goes after the module."""
    name = f"demo_{os.getpid()}"
    yield name
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


@pytest.fixture(scope="module")
def demo(database):
    """What it printed."""
    done = run(ROOT / "tests/replay/run", database)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr
    assert done.stderr == ""
    return done.stdout


def section(demo, heading):
    """The lines under a heading."""
    (text,) = re.findall(rf"^== {re.escape(heading)}.*?\n(.*?)(?=^== |\Z)", demo, re.MULTILINE | re.DOTALL)
    return text


def rows(text, *columns):
    """The rows of the one table in a text that has these columns."""
    (table,) = re.findall(rf"^ *{' *[|] *'.join(columns)} *\n[-+]+\n(.*?)\n\n", text, re.MULTILINE | re.DOTALL)
    return [[cell.strip() for cell in line.split("|")] for line in table.splitlines()]


def count(pattern):
    return len(re.findall(pattern, RECORDING.read_text(), re.MULTILINE))


STATES = count(r'^\{"seq": \d+, "kind": "(?:state|save_state|finished)"')
EVENTS = count(r'^\{"seq": \d+, "kind": "event"')


def test_everything_is_as_it_should_be(demo):
    assert "NOT AS IT SHOULD BE" not in demo
    assert demo.endswith("\nEverything is as it should be.\n")
    assert demo.count("-- as it should be: ") == 28


def test_a_person_can_read_it(demo):
    assert [line for line in demo.splitlines() if len(line) > 110] == []


def test_every_recorded_line_went_in(demo):
    assert (STATES, EVENTS) == (169, 218)
    runs = rows(section(demo, "A recorded engine run"), "run_id", "status", "workflow", "version", ".*")
    assert [row[3] for row in runs] == [str(1 + STATES + EVENTS)] * 3


@pytest.mark.parametrize("heading", ["Does every recorded state come back?", "And after all that"])
def test_every_recorded_state_comes_back(demo, heading):
    found = rows(
        section(demo, heading),
        "recorded states", "come back equal", "versions since the first", "equal to the last recorded",
    )  # fmt: skip
    # The first state was saved as version 3, after the start and one event.
    versions = STATES + EVENTS - 1
    assert found == [[str(STATES), str(STATES), str(versions), str(versions)]]


def test_the_timeline_shows_both_ends(demo):
    lines = rows(section(demo, "What happened in this run?"), "version", "at", "type", "who", "what")
    head = 1 + STATES + EVENTS
    assert [int(line[0]) for line in lines] == [*range(1, 7), *range(head - 8, head + 1)]


def test_the_costs_are_those_of_the_tables(demo, database, server):
    """The sizes grow with what the demo does later, so the figures are compared with each other and with limits."""
    text = section(demo, "What does it cost to keep every version?")
    kilobytes = {
        part: (int(whole.split()[0]), int(incremental.split()[0]), share.removesuffix(" %"))
        for part, whole, incremental, share in rows(text, "part", "whole", "with layra_state", "in comparison")
    }
    states, log, others, together = (
        kilobytes[part] for part in ("states", "events and log", "all other tables", "together")
    )
    assert together[:2] == (states[0] + log[0], states[1] + log[1] + others[1])
    for whole, incremental, share in (states, log, together):
        assert float(share) == pytest.approx(100 * incremental / whole, abs=0.1)
    assert float(states[2]) < 40
    with psycopg.connect(server, dbname=database) as connection:
        whole, bytes_, payloads = connection.execute(
            """
            SELECT pg_total_relation_size('recorded') / 1024, (SELECT sum(octet_length(state::text)) FROM recorded),
                (SELECT sum(octet_length(event::text)) FROM recorded_event)
            """
        ).fetchone()
    assert states[0] == whole
    byte_rows = rows(text, "part", r"whole \(bytes\)", r"with layra_state \(bytes\)", "in comparison")
    assert [int(row[1]) for row in byte_rows] == [bytes_, payloads]
    assert int(byte_rows[0][2]) * 20 < bytes_


def test_the_conflict_is_a_real_one(demo):
    text = section(demo, "Two sessions, one version")
    assert text.index("bob waits for alice") < text.index("alice> COMMIT;") < text.index("bob  | ERROR:")
    assert 'bob  | ERROR:  version conflict on run "report-1": expected 393, is 394' in text
    assert "bob  | SQLSTATE 40001" in text


def test_verify_finds_what_was_changed(demo):
    tables = re.findall(r"^ *run_id *\| *version *\| *problem *\n[-+]+\n(.*?)\n\n", demo, re.MULTILINE | re.DOTALL)
    assert [[cell.strip() for cell in table.split("|")] for table in tables] == [
        ["report-1", "380", "the value of cell variable/confidence does not match its hash"],
        ["report-1", "380", "the changed cells do not match the event's cells_hash"],
    ]


def test_the_loop_that_ran_away_is_named(demo):
    text = section(demo, "Was the recorded run in order?")
    assert rows(text, "rule", "path", "message") == [
        ["loop", "/loop_index/loop_sections", "index 15 is outside -1 to 3 with a tolerance of 10"]
    ]
    # The state of line 372 of the recording, two lines before the first resume: every line before it is a version.
    assert rows(text, "first version at which it was so") == [["372"]]


def test_the_killed_worker_goes_on(demo):
    text = section(demo, "The same, but the worker is killed")
    assert re.findall("kill -9, while it worked on n_draft, attempt ([0-9]+), at the model's chunk ([0-9]+)", text) == [
        ("1", "2"), ("5", "12"), ("7", "17"), ("10", "25"), ("13", "33")
    ]  # fmt: skip
    text = section(demo, "Did it end as if nobody had killed it?")
    (one, killed) = rows(text, "run_id", "version", "status", "md5 of its state")
    assert one[2:] == killed[2:]
    assert rows(text, "run", "nodes, by iteration", "attempts", "units of work") == [
        ["by-one", "43", "43", "69"], ["killed", "43", "48", "78"]
    ]  # fmt: skip


def test_two_workers_share_the_work(demo):
    text = section(demo, "Two workers on one run")
    assert rows(text, "run", "nodes, by iteration", "attempts", "units of work") == [
        ["by-one", "43", "43", "69"], ["by-two", "43", "43", "69"]
    ]  # fmt: skip
    assert sum(int(count) for _, count in rows(text, "worker", "nodes begun")) == 43


def test_it_fails_where_something_is_wrong(tmp_path, server, database):
    """Somebody changes a stored value while it runs: it says so, and its status is not 0."""
    script = (ROOT / "tests/replay/run").read_text()
    replayed = 'note "done in'
    sabotage = "value \"UPDATE layra.cell SET value = '0' WHERE run_id = 'report-1' AND key = 'feedback'\""
    broken = script.replace(replayed, f"{sabotage}\n{replayed}")
    assert broken != script
    directory = tmp_path / "broken/replay"
    directory.mkdir(parents=True)
    (directory / "run").write_text(broken)
    (directory / "run").chmod(0o755)
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    (tmp_path / "tests").symlink_to(ROOT / "tests")
    (tmp_path / "target").symlink_to(ROOT / "target")
    try:
        done = run(directory / "run", f"{database}_broken")
    finally:
        with psycopg.connect(server, autocommit=True) as connection:
            connection.execute(f"DROP DATABASE IF EXISTS {database}_broken WITH (FORCE)")
    assert done.returncode == 1
    assert "NOT AS IT SHOULD BE: all 169 states" in done.stdout
    assert "NOT AS IT SHOULD BE: no problem in any run" in done.stdout
