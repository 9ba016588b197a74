"""The clock is read once a lock is held. Each call waits here for a lock that another session holds until the moment at which
what the call goes by is over; what it then does is what it would do if it came now."""

import time
from datetime import timedelta

import pytest
from execution import begin, call, rows, start, status
from server import PATIENCE
from test_concurrency import waiting  # noqa: F401

STATE, LOCKED = "55000", "55P03"


@pytest.fixture
def db(admin):
    """The server's own clock: nobody can set another session's while it waits."""
    return admin


def clock(connection):
    return connection.execute("SELECT clock_timestamp()").fetchone()[0]


def passes(connection, moment):
    """Until the server's clock has passed a moment."""
    deadline = time.monotonic() + PATIENCE
    while clock(connection) <= moment:
        assert time.monotonic() < deadline


def end_of_lease(connection, run):
    return connection.execute("SELECT until FROM layra.lease WHERE run_id = %s", [run]).fetchone()[0]


# What the other session holds. The table: as CREATE INDEX does.
LEASE = "SELECT FROM layra.lease WHERE run_id = %s FOR UPDATE"
TABLE = "LOCK TABLE layra.lease IN SHARE MODE"
RUN = "SELECT FROM layra.run WHERE run_id = %s FOR NO KEY UPDATE"


def hold(connection, lock, run):
    connection.execute(lock, [run] if "%s" in lock else [])


@pytest.mark.parametrize("lock", [LEASE, TABLE], ids=["row", "table"])
@pytest.mark.parametrize("ending", ["COMMIT", "ROLLBACK"])
def test_a_heartbeat_that_waited_until_its_lease_was_over(db, connect, waiting, lock, ending):  # noqa: F811
    run = start(db, "heartbeat")
    begin(db, run, "n", "w", "1 second")
    holder, worker = connect(autocommit=False), connect()
    hold(holder, lock, run)
    until = end_of_lease(db, run)
    with waiting(worker, "heartbeat(%s, 'n', 1, '1 hour')", run) as outcome:
        passes(db, until)
        holder.execute(ending)
    assert outcome() == STATE
    assert end_of_lease(db, run) == until


def test_a_heartbeat_is_counted_from_the_end_of_its_wait(db, connect, waiting):  # noqa: F811
    run = start(db, "counted")
    begin(db, run, "n", "w", "1 hour")
    holder, worker = connect(autocommit=False), connect()
    hold(holder, LEASE, run)
    with waiting(worker, "heartbeat(%s, 'n', 1, '200 ms')", run) as outcome:
        released = clock(db)
        holder.execute("COMMIT")
    assert outcome() - timedelta(milliseconds=200) > released
    assert end_of_lease(db, run) == outcome()


def test_a_heartbeat_tells_the_status_after_its_wait(db, connect, waiting):  # noqa: F811
    run = start(db, "told")
    begin(db, run, "n", "w", "1 hour")
    holder, worker = connect(autocommit=False), connect()
    hold(holder, LEASE, run)
    told = "heartbeat(%s, 'n', 1, '1 hour') JOIN (VALUES ('running'), ('cancelling')) s (run_status) USING (run_status)"
    with waiting(worker, told, run) as outcome:
        call(db, "cancel_run(%s)", run)
        holder.execute("COMMIT")
    assert outcome() == "cancelling"


@pytest.mark.parametrize("lock", [LEASE, TABLE], ids=["row", "table"])
@pytest.mark.parametrize("before", ["running", "reset"])
def test_a_lease_begins_when_its_wait_is_over(db, connect, waiting, lock, before):  # noqa: F811
    run = start(db, "begun")
    begin(db, run, "n", "w", "1 hour")
    if before == "reset":
        call(db, "reset_nodes(%s, '{n}')", run)
    holder, worker = connect(autocommit=False), connect()
    hold(holder, lock, run)
    with waiting(worker, "begin_node(%s, 'n', 'w', '200 ms')", run) as outcome:
        released = clock(db)
        holder.execute("COMMIT")
    assert outcome() == (4 if before == "reset" else 3)
    (until,) = db.execute("SELECT until - interval '200 ms' FROM layra.lease WHERE run_id = %s", [run]).fetchone()
    assert until > released
    (at,) = db.execute("SELECT at FROM layra.event WHERE run_id = %s ORDER BY version DESC LIMIT 1", [run]).fetchone()
    assert at == until


@pytest.mark.parametrize("lock", [LEASE, TABLE, RUN], ids=["lease", "table", "run"])
def test_a_lease_that_ended_during_the_wait_is_free(db, connect, waiting, lock):  # noqa: F811
    """A heartbeat holds it, and comes to nothing: who waited takes the node."""
    run = start(db, "free")
    begin(db, run, "n", "one", "1 second")
    holder, worker = connect(autocommit=False), connect()
    hold(holder, lock, run)
    until = end_of_lease(db, run)
    with waiting(worker, "begin_node(%s, 'n', 'two', '1 hour')", run) as outcome:
        passes(db, until)
        holder.execute("ROLLBACK")
    assert outcome() == 3
    assert rows(db, "lease WHERE run_id = %s", run)[0]["worker"] == "two"


def test_a_lease_that_was_extended_during_the_wait_is_not(db, connect, waiting):  # noqa: F811
    run = start(db, "extended")
    begin(db, run, "n", "one", "1 second")
    holder, worker = connect(autocommit=False), connect()
    call(holder, "heartbeat(%s, 'n', 1, '1 hour')", run)
    until = end_of_lease(db, run)
    with waiting(worker, "begin_node(%s, 'n', 'two', '1 hour')", run) as outcome:
        passes(db, until)
        holder.execute("COMMIT")
    assert outcome() == LOCKED


def ask(connection, run, expires):
    return str(call(connection, "pause_run(%s, 'n', expires_in => %s::interval)", run, expires))


def test_an_answer_that_waited_until_its_question_had_expired(db, connect, waiting):  # noqa: F811
    run = start(db, "asked")
    question = ask(db, run, "1 second")
    holder, person = connect(autocommit=False), connect()
    hold(holder, RUN, run)
    (expires,) = db.execute("SELECT expires_at FROM layra.interaction WHERE run_id = %s", [run]).fetchone()
    with waiting(person, "resume_run(%s, %s)", run, question) as outcome:
        passes(db, expires)
        holder.execute("COMMIT")
    assert outcome() == STATE
    assert rows(db, "interactions WHERE run_id = %s", run)[0]["status"] == "pending"


def test_a_question_waits_from_when_it_is_asked(db, connect, waiting):  # noqa: F811
    run = start(db, "asks")
    holder, engine = connect(autocommit=False), connect()
    hold(holder, RUN, run)
    with waiting(engine, "pause_run(%s, 'n', expires_in => '200 ms')", run) as outcome:
        released = clock(db)
        holder.execute("COMMIT")
    assert not isinstance(outcome(), str)
    (asked,) = db.execute("SELECT expires_at - interval '200 ms' FROM layra.interaction WHERE run_id = %s", [run]).fetchone()
    assert asked > released


@pytest.mark.parametrize("lock", [LEASE, RUN], ids=["lease", "run"])
def test_recovery_after_a_wait_finds_what_is_lost_by_then(db, connect, waiting, lock):  # noqa: F811
    run = start(db, "lost")
    begin(db, run, "n", "w", "1 second")
    holder, operator = connect(autocommit=False), connect()
    hold(holder, lock, run)
    until = end_of_lease(db, run)
    with waiting(operator, "recover_run(%s)", run):
        passes(db, until)
        holder.execute("COMMIT")
    assert rows(db, "nodes WHERE run_id = %s", run)[0]["status"] == "pending"


CREATES = {
    "start_run": "start_run('{r}')",
    "fork_run": "fork_run('{r} parent', '{r}')",
    "save_state": "save_state('{r}', '{{}}')",
}


@pytest.mark.parametrize("name", CREATES)
def test_a_run_that_waited_for_another_of_its_id(db, connect, waiting, name):  # noqa: F811
    """The other one comes to nothing; this one was not there before that."""
    run = start(db, name)
    call(db, "start_run(%s)", f"{run} parent")
    call(db, "drop_run(%s)", run)
    holder, engine = connect(autocommit=False), connect()
    call(holder, "start_run(%s)", run)
    with waiting(engine, CREATES[name].format(r=run)) as outcome:
        # A wait that can be told from a slow statement.
        passes(db, clock(db) + timedelta(milliseconds=5))
        released = clock(db)
        holder.execute("ROLLBACK")
    assert outcome() == 1
    created, at = db.execute(
        "SELECT r.created_at, e.at FROM layra.run r JOIN layra.event e USING (run_id) WHERE run_id = %s", [run]
    ).fetchone()
    assert created == at > released
    assert db.execute("SELECT * FROM layra.verify(%s)", [run]).fetchall() == []


WRITES = [
    "set_variable(%s, 'v', '1')", "append_event(%s, 'note')", "append_events(%s, '[{\"type\": \"a\"}, {\"type\": \"b\"}]')",
    "save_state(%s, '{}')", "checkpoint(%s)", "rollback(%s, 1)", "finish_run(%s)", "cancel_run(%s)", "set_engine(%s, '{}')",
    "enter_loop(%s, 'l')", "skip_nodes(%s, '{n}')", "try_set_variables(%s, '{\"v\": 1}')", "unset_variables(%s, '{v}')",
]  # fmt: skip


@pytest.mark.parametrize("sql", WRITES, ids=lambda sql: sql.partition("(")[0])
def test_events_have_the_time_at_which_their_run_was_locked(db, connect, waiting, sql):  # noqa: F811
    run = start(db, "written")
    holder, engine = connect(autocommit=False), connect()
    hold(holder, RUN, run)
    with waiting(engine, sql, run) as outcome:
        released = clock(db)
        holder.execute("COMMIT")
    assert not isinstance(outcome(), str)
    (at,) = db.execute("SELECT min(at) FROM layra.event WHERE run_id = %s AND version > 1", [run]).fetchone()
    assert at > released
    assert db.execute("SELECT * FROM layra.verify(%s)", [run]).fetchall() == []
