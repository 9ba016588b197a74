"""Circuit breakers: closed, open, half open, shared by all sessions, and no call ever waits for another transaction."""

import json
import random
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from execution import attempt, call, row, rows, serial, set_now
from test_concurrency import together  # noqa: F401

ARGUMENT, UNKNOWN, CONFLICT, DENIED = "22023", "P0002", "40001", "42501"


@pytest.fixture
def db(admin):
    set_now(admin)
    return admin


def define(connection, name, threshold=2, reset="1 minute", probe="10 seconds"):
    """A new breaker; its name."""
    name = f"{name} {next(serial)}"
    call(connection, "define_breaker(%s, %s, %s::interval, %s::interval)", name, threshold, reset, probe)
    return name


def trip(connection, name, times=2):
    for number in range(times):
        call(connection, "breaker_failure(%s, %s::jsonb)", name, json.dumps({"number": number}))


def tries(connection, name):
    return call(connection, "breaker_try(%s)", name)


def shown(connection, name):
    return row(connection, "breakers WHERE name = %s", name)


def written(connection):
    """Whether the transaction that is open has written anything."""
    return connection.execute("SELECT pg_current_xact_id_if_assigned() IS NOT NULL").fetchone()[0]


# --- the states ------------------------------------------------------------------------------------------------------------


def test_from_closed_to_open_to_half_open_to_closed(db):
    name = define(db, "whole", 3)
    assert shown(db, name) | {"owner": 0} == {
        "owner": 0, "name": name, "state": "closed", "failures": 0, "opened_at": None, "failure_threshold": 3,
        "reset_after": shown(db, name)["reset_after"], "probe_lease": shown(db, name)["probe_lease"], "last_error": None,
    }  # fmt: skip
    trip(db, name, 2)
    assert tries(db, name) is True
    assert (shown(db, name)["state"], shown(db, name)["failures"]) == ("closed", 2)
    trip(db, name, 1)
    assert [tries(db, name) for _ in range(3)] == [False] * 3
    view = shown(db, name)
    assert (view["state"], view["failures"], view["last_error"]) == ("open", 3, {"number": 0})
    assert view["opened_at"] is not None
    set_now(db, 0.99)
    assert tries(db, name) is False
    set_now(db, 1.01)
    assert shown(db, name)["state"] == "half_open"
    assert [tries(db, name) for _ in range(3)] == [True, False, False]
    assert shown(db, name)["state"] == "half_open"
    call(db, "breaker_success(%s)", name)
    assert [tries(db, name) for _ in range(3)] == [True] * 3
    assert (shown(db, name)["state"], shown(db, name)["failures"], shown(db, name)["opened_at"]) == ("closed", 0, None)


def test_a_probe_that_fails_opens_it_again_for_the_whole_time(db):
    name = define(db, "again")
    trip(db, name)
    for minutes in (2, 4, 6):
        set_now(db, minutes)
        assert tries(db, name) is True
        call(db, "breaker_failure(%s)", name)
        assert tries(db, name) is False
        set_now(db, minutes + 0.9)
        assert tries(db, name) is False
    assert shown(db, name)["last_error"] is None


def test_a_probe_that_says_nothing_frees_itself(db):
    name = define(db, "silent", probe="10 seconds")
    trip(db, name)
    set_now(db, 2)
    assert tries(db, name) is True
    set_now(db, 2 + 9.9 / 60)
    assert tries(db, name) is False
    set_now(db, 2 + 10.1 / 60)
    assert [tries(db, name), tries(db, name)] == [True, False]
    # The first one's late answer is an answer.
    call(db, "breaker_success(%s)", name)
    assert tries(db, name) is True


def test_a_success_in_between_counts_the_failures_anew(db):
    name = define(db, "between", 3)
    for minutes in range(1, 5):
        set_now(db, minutes)
        trip(db, name, 2)
        set_now(db, minutes + 0.5)
        call(db, "breaker_success(%s)", name)
        assert shown(db, name)["failures"] == 0
    assert tries(db, name) is True


def test_order_is_that_of_the_calls_where_the_clock_stands_still(db):
    """Or is set back: what comes after a success counts, and what came before it does not."""
    name = define(db, "clock", 2)
    for minutes in (0, 0, -10):
        set_now(db, minutes)
        for failures, ending in ((2, "reset_breaker"), (1, "breaker_success"), (1, "reset_breaker")):
            trip(db, name, failures)
            assert tries(db, name) is (failures < 2), (ending, minutes)
            call(db, f"{ending}(%s)", name)
            assert shown(db, name)["failures"] == 0
            assert tries(db, name) is True, (ending, minutes)
    # A probe that fails is over, also where the clock was set back meanwhile.
    trip(db, name, 2)
    set_now(db, 10)
    assert tries(db, name) is True
    set_now(db, 9)
    call(db, "breaker_failure(%s)", name)
    call(db, "breaker_success(%s)", name)
    set_now(db, 10.5)
    assert tries(db, name) is False


def test_reset_closes_it_whatever_it_was(db):
    name = define(db, "reset")
    for minutes, steps in ((0, 0), (1, 2), (2, 3)):
        set_now(db, minutes)
        trip(db, name, steps)
        call(db, "reset_breaker(%s)", name)
        assert tries(db, name) is True
        assert shown(db, name)["failures"] == 0


def test_a_late_failure_keeps_it_open(db):
    name = define(db, "late")
    trip(db, name)
    set_now(db, 0.9)
    trip(db, name, 1)
    set_now(db, 1.5)
    assert tries(db, name) is False
    set_now(db, 2)
    assert tries(db, name) is True


def test_a_late_success_does_not_close_it(db):
    """The call began before the breaker opened, so that it succeeded says nothing about now."""
    name = define(db, "late success")
    trip(db, name)
    for minutes, state in ((0, "open"), (0.9, "open"), (1.1, "half_open"), (5, "half_open")):
        set_now(db, minutes)
        call(db, "breaker_success(%s)", name)
        view = shown(db, name)
        assert (view["state"], view["failures"], view["last_error"]) == (state, 2, {"number": 1}), minutes
    # Nor after a probe has failed; the probe's success does, however late it is.
    assert tries(db, name) is True
    call(db, "breaker_failure(%s)", name)
    call(db, "breaker_success(%s)", name)
    assert (shown(db, name)["state"], tries(db, name)) == ("open", False)
    set_now(db, 7)
    assert tries(db, name) is True
    set_now(db, 60)
    call(db, "breaker_success(%s)", name)
    assert (shown(db, name)["state"], tries(db, name)) == ("closed", True)


def test_a_late_success_of_another_worker_before_and_after_the_probe(db, connect):
    name = define(db, "workers", 2)
    slow, prober = connect(), connect()
    for session in (slow, prober):
        set_now(session)
        assert tries(session, name) is True
    trip(prober, name)
    call(slow, "breaker_success(%s)", name)
    assert tries(prober, name) is False
    for session in (slow, prober):
        set_now(session, 2)
    call(slow, "breaker_success(%s)", name)
    assert [tries(prober, name), tries(slow, name)] == [True, False]
    # In an open transaction a probe is nobody else's to close.
    set_now(prober, 4)
    call(prober, "breaker_failure(%s)", name)
    set_now(prober, 6)
    with prober.transaction():
        assert tries(prober, name) is True
        set_now(slow, 6)
        call(slow, "breaker_success(%s)", name)
        assert tries(slow, name) is False
        call(prober, "breaker_success(%s)", name)
    assert [tries(prober, name), tries(slow, name)] == [True, True]


def set_actor(connection, actor):
    connection.execute("SELECT set_config('layra.actor', %s, false)", [actor or ""])


# Of the prober, of who reports: does that one's success close the breaker?
REPORTERS = [
    ("prober", "prober", True), ("prober", "slow", False), ("prober", None, True), (None, "slow", True), (None, None, True),
    ("josé", "josé", True), ("josé", "jose", False), ("Prober", "prober", False),
]  # fmt: skip


@pytest.mark.parametrize("prober, reporter, closes", REPORTERS)
@pytest.mark.parametrize("minutes", [2, 3], ids=["in the lease", "after it"])
def test_only_the_success_of_the_probe_closes_it(db, connect, prober, reporter, closes, minutes):
    """Whatever session it is reported in: a pooler gives each transaction another one."""
    name = define(db, "holder")
    trip(db, name)
    probing, reporting = connect(), connect()
    set_now(probing, 2)
    set_now(reporting, minutes)
    set_actor(probing, prober)
    set_actor(reporting, reporter)
    assert tries(probing, name) is True
    before = rows(db, "breaker_outcome WHERE name = %s", name)
    call(reporting, "breaker_success(%s)", name)
    assert shown(reporting, name)["state"] == ("closed" if closes else "half_open")
    if not closes:
        assert rows(db, "breaker_outcome WHERE name = %s", name) == before
        # Who takes the permit next has it alone.
        assert tries(reporting, name) is (minutes == 3)
        call(probing, "breaker_success(%s)", name)
        assert shown(probing, name)["state"] == ("half_open" if minutes == 3 else "closed")
        call(reporting, "breaker_success(%s)", name)
        assert shown(probing, name)["state"] == "closed"


def test_the_actor_is_that_of_the_transaction(db, connect):
    """As behind a pooler: one session, a setting for each transaction."""
    name = define(db, "pooled")
    trip(db, name)
    session = connect()
    set_now(session, 2)

    def as_actor(actor, sql):
        with session.transaction():
            session.execute("SELECT set_config('layra.actor', %s, true)", [actor])
            return call(session, sql, name)

    assert as_actor("one", "breaker_try(%s)") is True
    as_actor("two", "breaker_success(%s)")
    assert shown(session, name)["state"] == "half_open"
    as_actor("one", "breaker_success(%s)")
    assert shown(session, name)["state"] == "closed"
    for sql in ("breaker_try(%s)", "breaker_success(%s)"):
        session.execute("SELECT set_config('layra.actor', repeat('x', 256), false)")
        assert attempt(session, sql, name) == ARGUMENT, sql


def test_a_success_ends_the_failures_that_it_has_seen(db, connect):
    """Not those by which the breaker opened between its look and its commit."""
    name = define(db, "seen", 2)
    trip(db, name, 1)
    session = connect(autocommit=False)
    session.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
    assert shown(session, name)["failures"] == 1
    set_now(db, 0.1)
    trip(db, name, 2)
    set_now(session, 0.2)
    call(session, "breaker_success(%s)", name)
    session.commit()
    assert (tries(db, name), shown(db, name)["failures"]) == (False, 2)


class Model:
    """A breaker as docs/breakers.md has it, in microseconds."""

    THRESHOLD, RESET, LEASE = 3, 60_000_000, 20_000_000

    def __init__(self):
        self.failures, self.newest, self.failed_at, self.probe_at, self.prober = 0, 0, None, None, None

    def state(self, now):
        if self.failures < self.THRESHOLD:
            return "closed"
        return "open" if self.failed_at + self.RESET > now else "half_open"

    def breaker_try(self, now, actor):
        state = self.state(now)
        if state != "half_open":
            return state == "closed"
        if self.probe_at is not None and self.probe_at + self.LEASE > now:
            return False
        self.probe_at, self.newest, self.prober = now, now, actor
        return True

    def breaker_failure(self, now, _):
        self.failures = min(self.failures + 1, self.THRESHOLD)
        # Reports of the same moment have an order.
        self.failed_at = self.newest = max(now, self.newest + 1)
        self.probe_at = None

    def may_be_the_prober(self, actor):
        return None in (actor, self.prober) or actor == self.prober

    def breaker_success(self, now, actor):
        if self.failures and (self.state(now) == "closed" or (self.probe_at is not None and self.may_be_the_prober(actor))):
            self.failures, self.probe_at, self.newest = 0, None, max(self.newest, self.failed_at + 1)

    def reset_breaker(self, now, _):
        self.failures, self.probe_at, self.newest = 0, None, max(now, self.newest + 1)


def test_as_a_plain_model_has_it(db, soak):
    """Every report in every state, in every order, by some workers of which some say who they are."""
    rng = random.Random(8)
    met = set()
    for _ in range(soak(30, 1000)):
        name, model, now = define(db, "model", 3, "1 minute", "20 seconds"), Model(), 0
        for _ in range(60):
            now += rng.choice((0, 0, 1_000_000, 15_000_000, 21_000_000, 61_000_000))
            set_now(db, now / 60_000_000)
            function = rng.choice(("breaker_try", "breaker_try", "breaker_failure", "breaker_failure", "breaker_success"))
            if rng.random() < 0.1:
                function = "reset_breaker"
            actor = rng.choice((None, "one", "two"))
            set_actor(db, actor)
            state = model.state(now), model.probe_at is not None and model.may_be_the_prober(actor), model.probe_at is not None
            met.add((state, function))
            expected = getattr(model, function)(now, actor)
            found = call(db, f"{function}(%s)", name)
            assert (found or None) == (expected or None), (state, function)
            view = shown(db, name)
            assert (view["state"], view["failures"]) == (model.state(now), model.failures), (state, function)
    # Closed, open, half open without a probe, with that of who may be reporting, with that of another.
    assert len(met) == 5 * 4, met


def test_a_new_definition_keeps_what_happened(db):
    name = define(db, "redefined", 5)
    trip(db, name, 3)
    call(db, "define_breaker(%s, 3)", name)
    assert tries(db, name) is False
    call(db, "define_breaker(%s, 3)", name)
    assert shown(db, name)["failure_threshold"] == 3
    call(db, "define_breaker(%s, 100, '1 hour', '1 hour')", name)
    assert tries(db, name) is True
    assert len(rows(db, "breakers WHERE name = %s", name)) == 1


def test_the_defaults(db):
    name = f"defaults {next(serial)}"
    call(db, "define_breaker(%s)", name)
    for values in ("NULL, NULL, NULL", "5, '30 seconds', '30 seconds'"):
        view = shown(db, name)
        assert (view["failure_threshold"], view["reset_after"].seconds, view["probe_lease"].seconds) == (5, 30, 30)
        call(db, f"define_breaker(%s, {values})", name)


@pytest.mark.parametrize("sql, expected", [
    ("define_breaker(NULL)", ARGUMENT), ("define_breaker('')", ARGUMENT), ("define_breaker(repeat('x', 256))", ARGUMENT),
    ("define_breaker('b', 0)", ARGUMENT), ("define_breaker('b', -1)", ARGUMENT), ("define_breaker('b', 1, '0')", ARGUMENT),
    ("define_breaker('b', 1, '-1 s')", ARGUMENT), ("define_breaker('b', 1, '1 s', '0')", ARGUMENT),
    ("define_breaker('b', 1, '1 s', '-1 s')", ARGUMENT), ("breaker_try(NULL)", ARGUMENT), ("breaker_try('')", ARGUMENT),
    ("breaker_try('unknown')", UNKNOWN), ("breaker_success('unknown')", UNKNOWN), ("breaker_failure('unknown')", UNKNOWN),
    ("reset_breaker('unknown')", UNKNOWN), ("breaker_success(NULL)", ARGUMENT), ("breaker_failure(NULL)", ARGUMENT),
    ("reset_breaker(NULL)", ARGUMENT), ("breaker_failure('huge', to_jsonb(repeat('x', 67108863)))", "54000"),
])  # fmt: skip
def test_calls_that_mean_nothing(db, sql, expected):
    call(db, "define_breaker('huge')")
    assert attempt(db, sql) == expected
    assert tries(db, "huge") is True
    assert rows(db, "breaker WHERE name IN ('b', 'unknown', '')") == []


@pytest.mark.parametrize("reset", ["1 month", "1 year 2 days", "100000 years", "infinity"])
def test_odd_intervals_are_no_internal_error(db, reset):
    name = f"odd {next(serial)}"
    made = attempt(db, "define_breaker(%s, 1, %s::interval)", name, reset)
    if not isinstance(made, str) or made == "":
        trip(db, name, 1)
        assert attempt(db, "breaker_try(%s)", name) is False


# --- transactions --------------------------------------------------------------------------------------------------------------


def test_a_closed_breaker_costs_no_write(db, connect):
    name = define(db, "no write", 3)
    trip(db, name, 1)
    session = connect(autocommit=False)
    set_now(session)
    assert tries(session, name) is True
    assert not written(session)
    call(session, "reset_breaker(%s)", name)
    session.commit()
    call(session, "breaker_success(%s)", name)
    assert not written(session)
    trip(session, name, 3)
    session.commit()
    assert tries(session, name) is False
    assert not written(session)


def test_a_failure_that_is_not_committed_counts_for_nobody_else(db, connect):
    name = define(db, "uncommitted", 1)
    session = connect(autocommit=False)
    set_now(session)
    trip(session, name, 1)
    assert tries(session, name) is False
    assert tries(db, name) is True
    session.rollback()
    assert tries(session, name) is True
    trip(session, name, 1)
    session.commit()
    assert tries(db, name) is False


def test_failures_of_many_sessions_add_up(db, together):  # noqa: F811
    name = define(db, "many", 16)

    def fail(connection, _):
        set_now(connection)
        return call(connection, "breaker_failure(%s)", name)

    together(fail, 15)
    assert tries(db, name) is True
    assert shown(db, name)["failures"] == 15
    trip(db, name, 1)
    assert tries(db, name) is False


def test_exactly_one_of_many_probes(db, together):  # noqa: F811
    name = define(db, "probe")
    trip(db, name)
    for minutes in (2, 4, 6):

        def probe(connection, _, minutes=minutes):
            set_now(connection, minutes)
            return tries(connection, name)

        assert sorted(together(probe)) == [False] * 15 + [True]
        set_now(db, minutes)
        trip(db, name, 1)


def test_a_probe_in_an_open_transaction_is_the_only_one(db, connect):
    name = define(db, "open")
    trip(db, name)
    probe, others = connect(autocommit=False), [connect() for _ in range(3)]
    set_now(probe, 2)
    assert tries(probe, name) is True
    for other in others:
        set_now(other, 2)
        other.execute("SET lock_timeout = '1ms'")
        assert tries(other, name) is False
        # As long as it is there, it is probing.
        set_now(other, 10)
        assert tries(other, name) is False
        set_now(other, 2)
    probe.rollback()
    assert [tries(other, name) for other in others] == [True, False, False]


def test_a_probe_whose_session_died(db, connect):
    name = define(db, "died")
    trip(db, name)
    probe = connect(autocommit=False)
    set_now(probe, 2)
    assert tries(probe, name) is True
    db.execute("SELECT pg_terminate_backend(%s, 10000)", [probe.info.backend_pid])
    set_now(db, 2)
    assert [tries(db, name), tries(db, name)] == [True, False]
    probe.close()


CALLS = {
    "try": "breaker_try(%s)", "success": "breaker_success(%s)", "failure": "breaker_failure(%s, '{}')", "reset": "reset_breaker(%s)",
    "define": "define_breaker(%s, 2, '1 minute', '10 seconds')", "view": "breakers WHERE name = %s",
}  # fmt: skip


@pytest.mark.parametrize("minutes", [0, 2], ids=["open", "half open"])
@pytest.mark.parametrize("first", CALLS)
def test_no_call_waits_for_another_transaction(db, connect, first, minutes):
    holder, other = connect(autocommit=False), connect()
    # A wait of any length is an error.
    other.execute("SET lock_timeout = '20ms'")
    waited = []
    for failures in (0, 1, 2):
        for second, sql in CALLS.items():
            set_now(db)
            name = define(db, "wait")
            trip(db, name, failures)
            set_now(holder, minutes)
            set_now(other, minutes)
            holder.commit()
            call(holder, CALLS[first], name)
            if first == second == "define":
                # Two definitions of one breaker are the only two that may.
                holder.rollback()
                continue
            if attempt(other, sql, name) == "55P03":
                waited.append((failures, first, second))
            holder.rollback()
    assert waited == []


@pytest.mark.parametrize("level", [psycopg.IsolationLevel.REPEATABLE_READ, psycopg.IsolationLevel.SERIALIZABLE])
def test_above_read_committed(db, connect, together, level):  # noqa: F811
    """One probe, whatever the level; who cannot know gets false or 40001, and nothing else."""
    name = define(db, "level")
    trip(db, name)

    def probe(connection, number):
        connection.isolation_level = level
        set_now(connection, 2)
        return attempt(connection, "breaker_try(%s)", name)

    results = together(probe, 8)
    assert results.count(True) == 1, results
    assert set(results) <= {True, False, CONFLICT}
    # A snapshot from before the probe.
    name = define(db, "snapshot")
    trip(db, name)
    old = connect(autocommit=False)
    old.isolation_level = level
    set_now(old, 2)
    assert shown(old, name)["state"] == "half_open"
    set_now(db, 2)
    assert tries(db, name) is True
    assert attempt(old, "breaker_try(%s)", name) in (False, CONFLICT)
    old.rollback()
    # Successes and failures of concurrent snapshots are rows, and conflict with nothing.
    sessions = [connect(autocommit=False) for _ in range(3)]
    for session in sessions:
        session.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        set_now(session, 3)
        assert shown(session, name)["state"] == "half_open"
    for session, sql in zip(sessions, ("breaker_failure(%s)", "breaker_success(%s)", "breaker_failure(%s)"), strict=True):
        call(session, sql, name)
    for session in sessions:
        session.commit()


def test_a_storm(db, connect):
    """Sessions that try, fail, succeed and reset at random: no error, and never two probes in one lease."""
    name = define(db, "storm", 3, "1 ms", "1 hour")

    def work(number):
        connection = connect()
        for step in range(60):
            sql = ("breaker_try(%s)", "breaker_failure(%s)", "breaker_try(%s)", "breaker_success(%s)", "reset_breaker(%s)")[
                (number * 7 + step * (number + 1)) % 5
            ]
            found = attempt(connection, sql, name)
            assert found in (True, False, None, ""), (sql, found)
        return True

    with ThreadPoolExecutor(6) as pool:
        assert all(pool.map(work, range(6)))
    call(db, "reset_breaker(%s)", name)


def test_outcomes_do_not_pile_up(db):
    name = define(db, "pile", 3)
    for minutes in range(50):
        set_now(db, minutes)
        trip(db, name, 2)
        set_now(db, minutes + 0.5)
        call(db, "breaker_success(%s)", name)
    (count,) = db.execute("SELECT count(*) FROM layra.breaker_outcome WHERE name = %s", [name]).fetchone()
    assert count <= 5


def pages_of(connection, sql, *arguments):
    """Pages that a call touches, once the session knows how."""
    for _ in range(3):
        (plan,) = connection.execute(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) SELECT layra.{sql}", arguments).fetchone()
    return sum(plan[0]["Plan"][f"Shared {kind} Blocks"] for kind in ("Hit", "Read"))


@pytest.mark.parametrize("outcome", ["failure", "success"])
def test_a_try_costs_the_same_after_many_outcomes(db, connect, outcome, soak, figures):
    """Whatever an older version has left behind, and before anybody has analysed anything."""
    few, many = define(db, "few"), define(db, "many")
    count = soak(20_000, 1_000_000)
    outcomes = """
        INSERT INTO layra.breaker_outcome (owner, name, at, id, outcome)
        SELECT current_user, %s, '2020-01-01'::timestamptz + n * interval '1 ms', gen_random_uuid(),
            CASE WHEN n = 1 THEN 'success' ELSE %s END
        FROM generate_series(1, %s) n"""
    connection = connect()
    set_now(connection)
    # The plans are made, and kept, while there is next to nothing.
    db.execute(outcomes, [few, outcome, 10])
    calls = ("breaker_try(%s)", "breaker_state(current_user, %s)", "breaker_success(%s)", "breaker_failure(%s)")
    before = {sql: pages_of(connection, sql, few) for sql in calls}
    db.execute(outcomes, [many, outcome, count])
    after = {sql: pages_of(connection, sql, many) for sql in calls[:2]}
    figures(f"10 and {count} times {outcome}: {before}, {after}")
    for sql in calls[:2]:
        # One level more of the index, at most two of a larger one.
        assert after[sql] <= before[sql] + 8, sql
    assert tries(connection, many) is (outcome == "success")


def test_failures_do_not_pile_up_while_it_is_open(db):
    """Not even while nobody ever succeeds; and those that are kept are the newest."""
    name = define(db, "storm of failures", 3)
    for number in range(300):
        call(db, "breaker_failure(%s, %s::jsonb)", name, json.dumps(number))
    view = shown(db, name)
    assert (view["state"], view["failures"], view["last_error"]) == ("open", 3, 299)
    (count,) = db.execute("SELECT count(*) FROM layra.breaker_outcome WHERE name = %s", [name]).fetchone()
    assert count <= 3 + 64


# --- whose ------------------------------------------------------------------------------------------------------------------


def test_breakers_belong_to_their_owner(db, role, connect):
    alice, bob, team, carol, audit, stranger = (role(name) for name in ("alice", "bob", "team", "carol", "audit", "stranger"))
    db.execute(f"GRANT {team} TO {carol}")
    for name in (alice, bob, team, carol):
        call(db, "grant_access(%s, 'writer')", name)
    call(db, "grant_access(%s, 'auditor')", audit)
    session = {name: connect(role=name) for name in (alice, bob, team, carol, audit, stranger)}
    for name in (alice, bob, team):
        call(session[name], "define_breaker('api', 1, '1 hour')")
    call(session[alice], "define_breaker('only alice', 1)")
    call(session[alice], "breaker_failure('api', '\"secret\"')")
    assert [tries(session[name], "api") for name in (alice, bob, carol)] == [False, True, True]
    # A member shares its team's.
    call(session[carol], "breaker_failure('api')")
    assert [tries(session[name], "api") for name in (alice, bob, team, carol)] == [False, True, False, False]
    call(session[carol], "define_breaker('api', 1, '1 hour')")
    assert [tries(session[name], "api") for name in (team, carol)] == [False, True]
    for sql in ("breaker_try('only alice')", "breaker_success('only alice')", "breaker_failure('only alice')",
                "reset_breaker('only alice')"):  # fmt: skip
        assert attempt(session[bob], sql) == UNKNOWN, sql
        assert attempt(session[stranger], sql) == DENIED, sql
    see = {name: {(r["owner"], r["name"]) for r in rows(session[name], "breakers WHERE name IN ('api', 'only alice')")}
           for name in (alice, bob, carol, audit)}  # fmt: skip
    assert see[alice] == {(alice, "api"), (alice, "only alice")}
    assert see[bob] == {(bob, "api")}
    assert see[carol] == {(team, "api"), (carol, "api")}
    assert len(see[audit]) == 5
    assert attempt(session[bob], "breaker_state(%s, 'api')", alice) == UNKNOWN
    assert attempt(session[audit], "breaker_try('api')") in (DENIED, UNKNOWN)
    assert rows(session[bob], "breaker_outcome") == []
    assert attempt(session[audit], "define_breaker('mine')") == DENIED
    # No tenant stops another by an open transaction either.
    with session[alice].transaction():
        call(session[alice], "define_breaker('api', 1, '2 hours')")
        call(session[alice], "breaker_failure('api')")
        session[bob].execute("SET lock_timeout = '20ms'")
        call(session[bob], "define_breaker('api', 1, '2 hours')")
        assert tries(session[bob], "api") is True


def test_ones_own_before_that_of_a_role_one_is_in(db):
    name = define(db, "own")
    trip(db, name)
    assert tries(db, name) is False
    assert shown(db, name)["owner"] == "postgres"
