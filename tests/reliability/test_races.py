"""Many sessions at once, in figures: 32 connections on one run, transactions over several runs, SERIALIZABLE writers."""

import random
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from psycopg import IsolationLevel
from psycopg.errors import NoDataFound, UniqueViolation
from server import PATIENCE

CLIENTS = 32
ABOVE = [IsolationLevel.REPEATABLE_READ, IsolationLevel.SERIALIZABLE]
LEVELS = [IsolationLevel.READ_COMMITTED, *ABOVE]


@pytest.fixture
def together(connect):
    """A function that runs another one in many threads, each with a session of its own, from the same moment on:
    together(function) calls function(connection, number), and returns the results."""

    def together(function, count=CLIENTS):
        connections = [connect() for _ in range(count)]
        start = threading.Barrier(count, timeout=PATIENCE)

        def run(number):
            start.wait()
            return function(connections[number], number)

        with ThreadPoolExecutor(count) as pool:
            return list(pool.map(run, range(count)))

    return together


def call(connection, sql, *arguments):
    """The first column of a call's only row."""
    return connection.execute(f"SELECT * FROM layra.{sql}", arguments).fetchone()[0]


def attempt(connection, sql, *arguments):
    """What a call gives: its value, or the SQLSTATE as text."""
    try:
        return call(connection, sql, *arguments)
    except psycopg.Error as error:
        return error.sqlstate


def sound(connection, run_id):
    """The head of a run whose log has no gaps, and whose chain verifies."""
    versions = [version for (version,) in connection.execute(
        "SELECT version FROM layra.event WHERE run_id = %s ORDER BY version", [run_id]
    )]  # fmt: skip
    assert versions == list(range(1, len(versions) + 1))
    assert connection.execute("SELECT * FROM layra.verify(%s)", [run_id]).fetchall() == []
    return len(versions)


# --- one run -----------------------------------------------------------------------------------------------------

# Calls that never get in each other's way; n is the client, i its turn. Each is one event, append_events two.
OF_ITS_OWN = [
    "set_variable('{run}', 'v{n}', '{i}')",
    "set_variables('{run}', '{{\"v{n}\": {i}, \"shared\": {n}}}')",
    "unset_variables('{run}', '{{v{n}}}')",
    "append_event('{run}', 'note', '{{\"i\": {i}}}', '{{\"w{n}\": {i}}}')",
    "append_events('{run}', '[{{\"type\": \"a\"}}, {{\"type\": \"b\"}}]')",
    "checkpoint('{run}', 'label of {n}', replace => true)",
    "begin_node('{run}', 'n{n} {i}', 'w{n}', '1 hour')",
    "set_engine('{run}', '{{\"stack{n}\": [{i}]}}')",
    "append_event('{run}', 'once', idempotency_key => 'key {n} {i}')",
]
# Calls that undo what the others do.
OF_THE_WHOLE = [
    "save_state('{run}', '{{\"global_variables\": {{\"v{n}\": {i}}}, \"context\": {{\"n\": [{i}]}}}}')",
    "rollback('{run}', 1)",
    "set_variable('{run}', 'shared', '{n}')",
    "append_event('{run}', 'note')",
]


@pytest.mark.parametrize("calls", [OF_ITS_OWN, OF_THE_WHOLE], ids=["of its own", "of the whole"])
def test_whoever_expects_nothing_succeeds(admin, together, soak, figures, calls):
    """One run, no expected version: every call succeeds and is one version."""
    run, turns = f"hammered {len(calls)}", soak(18, 1500)
    call(admin, "start_run(%s)", run)

    def hammer(connection, n):
        mine = [calls[(n + i) % len(calls)].format(run=run, n=n, i=i) for i in range(turns)]
        two_at_once = sum(sql.startswith("append_events") for sql in mine)
        return [call(connection, sql) for sql in mine], two_at_once

    results, two_at_once = zip(*together(hammer))
    head = sound(admin, run)
    returned = [version for result in results for version in result]
    assert all(result == sorted(result) for result in results)
    assert len(set(returned)) == len(returned) == CLIENTS * turns
    assert head == 1 + len(returned) + sum(two_at_once)
    figures(f"{CLIENTS} connections, {len(returned)} calls, {len(returned)} succeeded, {head} versions")


def test_one_winner_for_each_version(admin, together, soak, figures):
    """Of all that expect the same version one gets the next one, and every other call is 40001."""
    rounds = soak(15, 1000)
    start = threading.Barrier(CLIENTS, timeout=PATIENCE)
    call(admin, "start_run('raced')")
    kinds = [
        "set_variables('raced', '{\"v\": 1}', expected_version => %s)",
        "append_event('raced', 'note', expected_version => %s)",
        "save_state('raced', '{}', expected_version => %s)",
        "checkpoint('raced', expected_version => %s)",
        "rollback('raced', 1, expected_version => %s)",
    ]

    def race(connection, number):
        outcomes = []
        for version in range(1, rounds + 1):
            start.wait()
            outcomes.append(attempt(connection, kinds[(number + version) % len(kinds)], version))
        return outcomes

    results = together(race)
    for version, outcomes in enumerate(zip(*results), start=1):
        assert Counter(outcomes) == {version + 1: 1, "40001": CLIENTS - 1}
    assert sound(admin, "raced") == rounds + 1
    figures(f"{CLIENTS} connections, {rounds} versions with one winner each, {rounds * (CLIENTS - 1)} times 40001")


# --- several runs ------------------------------------------------------------------------------------------------

TREES = 6
FORKS = 4
WRITES = [
    "append_event(%s, 'note', updates => '{\"v\": 1}')", "set_variables(%s, '{\"v\": 2}')", "checkpoint(%s)",
    "rollback(%s, 1)", "save_state(%s, '{\"global_variables\": {}}')", "set_owner(%s, session_user)",
    "begin_node(%s, 'n')", "recover_run(%s)", "start_run(%s)",
]  # fmt: skip


def in_order(chance):
    """A transaction over several runs in the order of their ids, as pairs of a call and its arguments. The id of a fork
    begins with that of its parent, so it comes after it; what is dropped is dropped before anything else is done with it."""
    ids = [f"run {tree}" for tree in range(TREES)]
    ids += [f"{run}/{fork}" for run in ids for fork in range(FORKS)]
    taken = ""
    for run in sorted(chance.sample(ids, chance.randint(2, 6))):
        if run <= taken:
            continue
        kind, taken = chance.random(), run
        if kind < 0.2:
            taken = f"{run}/{chance.randrange(FORKS)}"
            yield "fork_run(%s, %s)", [run, taken]
        elif kind < 0.25:
            taken = f"{run}/\U0010ffff"
            yield "drop_run(%s)", [run]
        else:
            yield chance.choice(WRITES), [run]


@pytest.mark.parametrize("level", LEVELS, ids=lambda level: level.name)
def test_transactions_over_several_runs_in_order_never_deadlock(admin, together, soak, figures, level):
    for tree in range(TREES):
        call(admin, "save_state(%s, '{}')", f"run {tree}")
    transactions = soak(25, 600)

    def transact(connection, number):
        chance = random.Random(f"{level.name} {number}")
        connection.execute("SET deadlock_timeout = '100ms'")
        connection.isolation_level = level
        outcomes = Counter()
        for _ in range(transactions):
            try:
                with connection.transaction():
                    for sql, arguments in in_order(chance):
                        try:
                            with connection.transaction():
                                call(connection, sql, *arguments)
                            outcomes["calls done"] += 1
                        except (NoDataFound, UniqueViolation) as error:
                            outcomes[error.sqlstate] += 1
                outcomes["committed"] += 1
            except psycopg.Error as error:
                outcomes[error.sqlstate] += 1
        return outcomes

    outcomes = sum(together(transact), Counter())
    # The run was dropped, is there already, or its snapshot is out of date; a deadlock would be 40P01.
    assert set(outcomes) <= {"committed", "calls done", "P0002", "23505"} | ({"40001"} if level in ABOVE else set())
    assert outcomes["committed"] + outcomes["40001"] == CLIENTS * transactions
    assert admin.execute("SELECT * FROM layra.verify()").fetchall() == []
    for (run,) in admin.execute("SELECT run_id FROM layra.run").fetchall():
        sound(admin, run)
        call(admin, "drop_run(%s)", run)
    counts = ", ".join(f"{count} {outcome}" for outcome, count in sorted(outcomes.items()))
    figures(f"{CLIENTS} connections, {CLIENTS * transactions} transactions: {counts}, no deadlock")


@pytest.fixture
def waits(connect):
    """A function that makes a call in a thread, and returns once it waits for a lock: waits(connection, sql, …) gives
    a function that waits for the outcome."""
    observer = connect()
    with ThreadPoolExecutor(4) as pool:

        def waits(connection, sql, *arguments):
            connection.execute("SET deadlock_timeout = '100ms'")
            future = pool.submit(attempt, connection, sql, *arguments)
            while not future.done() and not observer.execute(
                "SELECT cardinality(pg_blocking_pids(%s)) > 0", [connection.info.backend_pid]
            ).fetchone()[0]:
                pass
            assert not future.done(), f"{sql} did not wait, but gave {future.result()}"
            return future.result

        yield waits


def test_transactions_that_take_two_runs_the_other_way_round_deadlock(connect, waits):
    """So the order is what makes the difference; PostgreSQL ends one of the two, and the other one goes on."""
    one, two = connect(), connect()
    for run in ("a", "b"):
        call(one, "start_run(%s)", run)
    one.execute("BEGIN; SELECT layra.append_event('a', 'note')")
    two.execute("BEGIN; SELECT layra.append_event('b', 'note')")
    outcome = waits(one, "append_event('b', 'note')")
    outcomes = [attempt(two, "append_event('a', 'note')")]
    two.execute("ROLLBACK")
    outcomes.append(outcome())
    one.execute("ROLLBACK")
    assert sorted(outcomes, key=str) == [2, "40P01"]


def test_a_drop_takes_forks_in_the_order_of_their_ids(connect, waits):
    """Not in the order in which they were made: another transaction has the first one, and goes on to the second."""
    dropper, writer = connect(), connect()
    call(writer, "start_run('parent')")
    for fork in ("parent/b", "parent/a"):
        call(writer, "fork_run('parent', %s)", fork)
    writer.execute("BEGIN; SELECT layra.append_event('parent/a', 'note')")
    outcome = waits(dropper, "drop_run('parent')")
    assert call(writer, "append_event('parent/b', 'note')") == 2
    writer.execute("COMMIT")
    assert outcome() == ""
    assert (sound(writer, "parent/a"), sound(writer, "parent/b")) == (2, 2)


def test_a_key_is_never_lost_while_ancestors_are_dropped(admin, connect, soak, figures):
    """A fork of forks has the key of the oldest run, whose drop hands it down: whoever asks meanwhile finds it, too."""
    rounds, depth = soak(30, 2000), 6
    dropper, writer, chance = connect(), connect(), random.Random(1)
    with ThreadPoolExecutor(1) as pool:
        for number in range(rounds):
            family = [f"family {number}" + "/fork" * generation for generation in range(depth)]
            call(admin, "start_run(%s)", family[0])
            call(admin, "append_event(%s, 'note', idempotency_key => 'key')", family[0])
            for parent, fork in zip(family, family[1:]):
                call(admin, "fork_run(%s, %s)", parent, fork)
            dropped = pool.submit(lambda: [call(dropper, "drop_run(%s)", run) for run in family[:-2]])
            for _ in range(chance.randrange(8)):
                call(writer, "get_state(%s)", family[-1])
            assert call(writer, "append_event(%s, 'note', idempotency_key => 'key')", family[-1]) == 1
            dropped.result()
            assert call(writer, "append_event(%s, 'note', idempotency_key => 'key')", family[-1]) == 1
            for run in family[-2:]:
                call(admin, "drop_run(%s)", run)
    figures(f"{rounds} families of {depth} generations, {rounds * 2} calls with the key, all of them repetitions")


# --- different runs ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("versions", [1, 50, 250])
@pytest.mark.parametrize("level", ABOVE, ids=lambda level: level.name)
def test_writers_of_different_runs(admin, together, soak, figures, level, versions):
    """Each client keeps to its own run, so nobody is refused; but at SERIALIZABLE PostgreSQL remembers pages of indexes,
    which short runs share. How often that happens is in docs/concurrency.md."""
    turns = soak(20, 600)

    def write(connection, number):
        connection.isolation_level = level
        refused = Counter()
        for _ in range(turns):
            while True:
                try:
                    with connection.transaction():
                        call(connection, "set_variable(%s, 'v', '1')", runs[number])
                    break
                except psycopg.Error as error:
                    refused[error.sqlstate] += 1
        return refused

    runs = [f"{level.name} {versions} {number}" for number in range(CLIENTS)]
    for run in runs:
        call(admin, "start_run(%s)", run)
        admin.execute(
            "SELECT count(layra.set_variable(%s, 'v', to_jsonb(i))) FROM generate_series(2, %s) i", [run, versions]
        )
    refused = sum(together(write), Counter())
    assert set(refused) <= ({"40001"} if level == IsolationLevel.SERIALIZABLE else set())
    assert {sound(admin, run) for run in runs} == {versions + turns}
    done = CLIENTS * turns
    share = 100 * refused.total() / (done + refused.total())
    figures(f"{CLIENTS} connections, {done} transactions, {refused.total()} refused, {share:.1f} % of all attempts")
