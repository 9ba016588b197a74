"""Several sessions at once, in threads with connections of their own.

Where an order of steps matters, a test makes it: it waits until the server says that one session waits for the other,
never for a time.
"""

import json
import os
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from psycopg import IsolationLevel
from server import PATIENCE

WRITERS = 16
ABOVE = [IsolationLevel.REPEATABLE_READ, IsolationLevel.SERIALIZABLE]


def call(connection, sql, *arguments):
    """The first column of a call's only row."""
    return connection.execute(f"SELECT * FROM layra.{sql}", arguments).fetchone()[0]


def attempt(connection, sql, *arguments):
    """What a call gives: its value, or the SQLSTATE as text."""
    try:
        return call(connection, sql, *arguments)
    except psycopg.Error as error:
        return error.sqlstate


@pytest.fixture
def together(connect):
    """A function that runs one function in several sessions at the same moment, and returns their results."""

    def together(function, count=WRITERS, **options):
        connections = [connect(**options) for _ in range(count)]
        start = threading.Barrier(count, timeout=PATIENCE)

        def run(number):
            start.wait()
            return function(connections[number], number)

        with ThreadPoolExecutor(count) as pool:
            return list(pool.map(run, range(count)))

    return together


@pytest.fixture
def waiting(connect):
    """A context manager: the block starts once the session waits for a lock with a statement sent in another thread,
    and the result of that statement is there after the block: `with waiting(session, sql) as result: … ; result()`."""
    observer = connect()

    @contextmanager
    def waiting(connection, sql, *arguments):
        with ThreadPoolExecutor(1) as pool:
            future = pool.submit(attempt, connection, sql, *arguments)
            while not future.done() and not observer.execute(
                "SELECT cardinality(pg_blocking_pids(%s)) > 0", [connection.info.backend_pid]
            ).fetchone()[0]:
                pass
            assert not future.done(), f"did not wait, but gave {future.result()}"
            yield future.result

    return waiting


def versions(connection, run_id):
    return [version for (version,) in connection.execute(
        "SELECT version FROM layra.event WHERE run_id = %s ORDER BY version", [run_id]
    )]  # fmt: skip


def assert_sound(connection, run_id, head):
    """Gapless, in order of time, and nothing for verify to find."""
    assert versions(connection, run_id) == list(range(1, head + 1))
    (disorder,) = connection.execute(
        "SELECT count(*) FROM (SELECT at < lag(at) OVER (ORDER BY version) AS earlier FROM layra.event WHERE run_id = %s) e"
        " WHERE earlier", [run_id],
    ).fetchone()  # fmt: skip
    assert disorder == 0
    assert connection.execute("SELECT * FROM layra.verify(%s)", [run_id]).fetchall() == []


# --- READ COMMITTED --------------------------------------------------------------------------------------------


def test_writers_without_expectations_all_succeed(admin, together):
    """Each keeps to its own variable, in every way of writing; nobody fails because of somebody else."""
    call(admin, "start_run('shared')")

    def write(connection, number):
        name = f"v{number}"
        returned = []
        for turn in range(8):
            returned += [
                call(connection, "set_variable('shared', %s, %s)", name, str(turn)),
                call(connection, "append_event('shared', 'note', updates => %s)", json.dumps({name: [turn]})),
                call(connection, "append_events('shared', %s)", json.dumps([{"type": "a"}, {"type": "b"}])),
                call(connection, "checkpoint('shared')"),
            ]
        return returned

    results = together(write)
    head = 1 + WRITERS * 8 * 5
    returned = [version for result in results for version in result]
    assert len(set(returned)) == len(returned) == WRITERS * 8 * 4
    assert all(result == sorted(result) for result in results)
    assert_sound(admin, "shared", head)
    assert call(admin, "get_variables('shared')") == {f"v{number}": [7] for number in range(WRITERS)}


def test_writers_of_the_whole_state_all_succeed(admin, together):
    """save_state of one run from everywhere: the last one stands, and every version reads back as one of them."""

    def save(connection, number):
        document = {"global_variables": {"who": number}, "context": {"n": list(range(number))}}
        return [call(connection, "save_state('saved', %s)", json.dumps(document)) for _ in range(5)]

    results = together(save)
    assert_sound(admin, "saved", WRITERS * 5)
    for number, result in enumerate(results):
        for version in result:
            document = call(admin, "get_state('saved', %s)", version)
            assert document == {"global_variables": {"who": number}, "context": {"n": list(range(number))}}


def test_one_winner_for_each_expected_version(admin, together):
    call(admin, "start_run('raced')")
    rounds = 12
    start = threading.Barrier(WRITERS, timeout=PATIENCE)

    def race(connection, number):
        outcomes = []
        for version in range(1, rounds + 1):
            start.wait()
            outcomes.append(attempt(connection, "set_variables('raced', %s, expected_version => %s)",
                                    json.dumps({"who": number}), version))  # fmt: skip
        return outcomes

    results = together(race)
    for version, outcomes in enumerate(zip(*results), start=1):
        assert Counter(outcomes) == {version + 1: 1, "40001": WRITERS - 1}
    assert_sound(admin, "raced", rounds + 1)


def test_counting_with_retries_loses_nothing(admin, together):
    """The loop that every user writes: read, add one, write if nobody else did, else again."""
    call(admin, "start_run('counted', variables => '{\"n\": 0}')")

    def count(connection, _):
        for _ in range(5):
            while True:
                version, value = connection.execute(
                    "SELECT version, value::int FROM layra.history('counted', 'n') ORDER BY version DESC LIMIT 1"
                ).fetchone()
                got = attempt(connection, "set_variable('counted', 'n', %s, expected_version => %s)", str(value + 1), version)
                if got != "40001":
                    assert isinstance(got, int), got
                    break

    together(count, 8)
    assert call(admin, "get_variable('counted', 'n')") == 40
    assert_sound(admin, "counted", 41)


def test_merging_writers_of_one_object_lose_nothing(admin, together):
    """All from the same base, each with keys of its own: every merge goes through, and all keys are there."""
    call(admin, "start_run('merged', variables => '{\"tree\": {\"base\": 1}}')")

    def merge(connection, number):
        tree = {"tree": {"base": 1, f"from {number}": number}}
        return attempt(connection, "set_variables('merged', %s, on_conflict => 'merge', expected_version => 1)", json.dumps(tree))

    results = together(merge)
    assert sorted(results) == list(range(2, WRITERS + 2))
    assert call(admin, "get_variable('merged', 'tree')") == {"base": 1} | {f"from {n}": n for n in range(WRITERS)}


def test_one_start_wins(admin, together):
    results = together(lambda connection, number: attempt(connection, "start_run('once')"))
    assert Counter(results) == {1: 1, "23505": WRITERS - 1}
    assert_sound(admin, "once", 1)


def test_starts_with_one_key_are_one_start(admin, together):
    results = together(lambda connection, number: attempt(connection, "start_run('keyed', idempotency_key => 'k')"))
    assert results == [1] * WRITERS
    assert_sound(admin, "keyed", 1)


def test_calls_with_one_key_are_one_event(admin, together):
    call(admin, "start_run('same')")

    def append(connection, number):
        return attempt(connection, "append_event('same', 'note', %s, idempotency_key => 'k')", json.dumps({"n": number}))

    assert together(append) == [2] * WRITERS
    assert_sound(admin, "same", 2)


def test_savers_create_a_run_together(admin, together):
    def save(connection, number):
        return attempt(connection, "save_state('created', %s)", json.dumps({"field": number}))

    assert sorted(together(save)) == list(range(1, WRITERS + 1))
    assert_sound(admin, "created", WRITERS)


def test_one_saver_finds_nothing_there(admin, together):
    def save(connection, number):
        return attempt(connection, "save_state('first', %s, expected_version => 0)", json.dumps({"field": number}))

    assert Counter(together(save)) == {1: 1, "40001": WRITERS - 1}
    assert_sound(admin, "first", 1)


def test_one_label_for_one_checkpoint(admin, together):
    call(admin, "start_run('labelled')")
    results = together(lambda connection, number: attempt(connection, "checkpoint('labelled', 'here')"))
    assert Counter(results) == {2: 1, "23505": WRITERS - 1}
    assert_sound(admin, "labelled", 2)


def test_forks_of_one_name(admin, together):
    call(admin, "start_run('parent')")
    results = together(lambda connection, number: attempt(connection, "fork_run('parent', 'child')"))
    assert Counter(results) == {1: 1, "23505": WRITERS - 1}
    assert_sound(admin, "child", 1)


def test_definitions_made_at_once(admin, together):
    """The same content is the same version; different contents get different ones."""
    same = together(lambda connection, number: attempt(connection, "define_workflow('same', '{\"x\": 1}')"))
    assert same == [1] * WRITERS
    other = together(lambda connection, number: attempt(connection, "define_workflow('other', %s)", json.dumps({"x": number})))
    assert sorted(other) == list(range(1, WRITERS + 1))


def test_rollbacks_between_writes(admin, together):
    call(admin, "start_run('back', variables => '{\"v\": 0}')")

    def write(connection, number):
        if number % 4:
            return [call(connection, "set_variable('back', 'v', %s)", str(number)) for _ in range(10)]
        return [call(connection, "rollback('back', 1)") for _ in range(10)]

    results = together(write)
    assert_sound(admin, "back", 1 + WRITERS * 10)
    for number, result in enumerate(results):
        for version in result:
            assert call(admin, "get_variable('back', 'v', %s)", version) == (number if number % 4 else 0)


# --- waiting, and not waiting ----------------------------------------------------------------------------------


def test_a_writer_waits_and_then_sees_the_head(connect, waiting):
    first, second = connect(), connect()
    call(first, "start_run('queue', variables => '{\"n\": 1}')")
    with first.transaction():
        call(first, "set_variable('queue', 'n', '2')")
        with waiting(second, "set_variables('queue', '{\"n\": 3}')") as result:
            call(first, "set_variable('queue', 'n', '4')")
            first.execute("COMMIT; BEGIN")
    assert result() == 4
    assert_sound(first, "queue", 4)


def test_a_writer_that_waited_for_a_rollback_takes_its_version(connect, waiting):
    first, second = connect(), connect()
    call(first, "start_run('aborted')")
    first.execute("BEGIN")
    assert call(first, "append_event('aborted', 'lost')") == 2
    with waiting(second, "append_event('aborted', 'kept')") as result:
        first.execute("ROLLBACK")
    assert result() == 2
    assert_sound(first, "aborted", 2)


@pytest.mark.parametrize("how", ["timeout", "cancel"])
def test_a_writer_that_gives_up_waiting_is_as_before(admin, connect, role, waiting, how):
    """It stops in the middle of a statement that ran as the tables' owner: nothing of that may last."""
    name = role("waiter")
    admin.execute("SELECT layra.grant_access(%s, 'writer')", [name])
    first, second = connect(role=name), connect(role=name)
    state = "SELECT current_user, session_user, current_setting('enable_seqscan'), current_setting('enable_sort')"
    call(first, f"start_run('given up {how}')")
    before = second.execute(state).fetchone()
    first.execute("BEGIN")
    call(first, f"append_event('given up {how}', 'note')")
    second.execute("BEGIN; SAVEPOINT s")
    if how == "timeout":
        second.execute("SET LOCAL lock_timeout = '20ms'")
        assert attempt(second, f"append_event('given up {how}', 'note')") == "55P03"
    else:
        with waiting(second, f"append_event('given up {how}', 'note')") as result:
            admin.execute("SELECT pg_cancel_backend(%s)", [second.info.backend_pid])
        assert result() == "57014"
    second.execute("ROLLBACK TO s")
    assert second.execute(state).fetchone() == before
    assert attempt(second, "start_run('another')") == 1
    second.execute("ROLLBACK")
    first.execute("COMMIT")
    assert second.execute(state).fetchone() == before
    assert call(second, f"append_event('given up {how}', 'note')") == 3


def test_an_expectation_is_checked_after_the_wait(connect, waiting):
    first, second = connect(), connect()
    call(first, "start_run('late')")
    first.execute("BEGIN")
    call(first, "append_event('late', 'note')")
    with waiting(second, "append_event('late', 'note', expected_version => 1)") as result:
        first.execute("COMMIT")
    assert result() == "40001"


def test_writers_of_different_runs_do_not_wait(connect):
    first, second = connect(), connect()
    for run_id in ("one", "two"):
        call(first, f"start_run('{run_id}')")
    second.execute("SET lock_timeout = '5s'")
    with first.transaction():
        call(first, "append_event('one', 'note')")
        assert call(second, "append_event('two', 'note')") == 2
        assert call(second, "start_run('three')") == 1


def test_readers_do_not_wait(connect):
    writer, reader = connect(), connect()
    call(writer, "start_run('read', variables => '{\"v\": 1}')")
    reader.execute("SET lock_timeout = '5s'")
    with writer.transaction():
        call(writer, "set_variable('read', 'v', '2')")
        assert call(reader, "get_variable('read', 'v')") == 1
        assert call(reader, "get_state('read')")["global_variables"] == {"v": 1}
        assert len(reader.execute("SELECT * FROM layra.events('read')").fetchall()) == 1
        assert reader.execute("SELECT * FROM layra.verify('read')").fetchall() == []
    assert call(reader, "get_variable('read', 'v')") == 2


def test_a_fork_does_not_wait_for_a_writer(connect):
    writer, other = connect(), connect()
    call(writer, "start_run('busy', variables => '{\"v\": 1}')")
    other.execute("SET lock_timeout = '5s'")
    with writer.transaction():
        call(writer, "set_variable('busy', 'v', '2')")
        # What is not committed is not there yet.
        assert call(other, "fork_run('busy', 'fork of busy')") == 1
        assert call(other, "get_variable('fork of busy', 'v')") == 1
    assert_sound(other, "fork of busy", 1)


def test_a_writer_does_not_wait_for_a_fork(connect):
    forker, writer = connect(), connect()
    call(forker, "start_run('forked')")
    writer.execute("SET lock_timeout = '5s'")
    with forker.transaction():
        call(forker, "fork_run('forked', 'fork')")
        assert call(writer, "append_event('forked', 'note')") == 2
    assert_sound(forker, "fork", 1)


def tables_without(connection, run_id):
    return all(
        connection.execute(f"SELECT count(*) FROM layra.{table} WHERE run_id = %s", [run_id]).fetchone() == (0,)
        for table in ("run", "event", "cell", "checkpoint")
    )


def test_a_drop_waits_for_a_writer(connect, waiting):
    writer, dropper = connect(), connect()
    call(writer, "start_run('dropped')")
    writer.execute("BEGIN")
    call(writer, "checkpoint('dropped', 'label')")
    call(writer, "set_variable('dropped', 'v', '1')")
    with waiting(dropper, "drop_run('dropped')") as result:
        writer.execute("COMMIT")
    assert result() in ("", None)
    assert tables_without(writer, "dropped")


@pytest.mark.parametrize(
    "sql, if_dropped, if_kept",
    [
        ("append_event('gone', 'note')", "P0002", 2),
        ("set_variables('gone', '{\"v\": 1}')", "P0002", 2),
        ("try_set_variables('gone', '{\"v\": 1}')", "P0002", True),
        ("fork_run('gone', 'fork of gone')", "P0002", 1),
        ("rollback('gone', 1)", "P0002", 2),
        ("drop_run('gone')", "P0002", ""),
        # These create what is not there.
        ("save_state('gone', '{}')", 1, 2),
        ("start_run('gone')", 1, "23505"),
    ],
)
@pytest.mark.parametrize("dropped", [True, False])
def test_a_writer_waits_for_a_drop(admin, connect, waiting, sql, if_dropped, if_kept, dropped):
    dropper, writer = connect(), connect()
    call(dropper, "start_run('gone')")
    dropper.execute("BEGIN")
    call(dropper, "drop_run('gone')")
    with waiting(writer, sql) as result:
        dropper.execute("COMMIT" if dropped else "ROLLBACK")
    if dropped:
        assert result() == if_dropped
    else:
        assert result() == if_kept
    assert admin.execute("SELECT * FROM layra.verify()").fetchall() == []
    for run_id in ("gone", "fork of gone"):
        attempt(admin, f"drop_run('{run_id}')")
        assert tables_without(admin, run_id)


def test_a_drop_waits_for_a_fork_and_the_fork_keeps_its_keys(connect, waiting):
    forker, dropper = connect(), connect()
    call(forker, "start_run('parent of a fork', variables => '{\"v\": 1}')")
    call(forker, "append_event('parent of a fork', 'note', idempotency_key => 'used')")
    forker.execute("BEGIN")
    call(forker, "fork_run('parent of a fork', 'orphan')")
    with waiting(dropper, "drop_run('parent of a fork')") as result:
        forker.execute("COMMIT")
    assert result() in ("", None)
    assert call(forker, "append_event('orphan', 'note', idempotency_key => 'used')") == 1
    assert call(forker, "get_variable('orphan', 'v')") == 1
    assert_sound(forker, "orphan", 1)


# --- above READ COMMITTED --------------------------------------------------------------------------------------

# On the run `isolated`, which has three versions and a label.
WRITES = [
    "set_variables('isolated', '{\"v\": 9}')",
    "set_variables('isolated', '{\"v\": 9}', expected_version => 3)",
    "set_variables('isolated', '{\"w\": 9}', on_conflict => 'merge', expected_version => 3)",
    "set_variables('isolated', '{\"v\": 9}', on_conflict => 'overwrite', expected_version => 3)",
    "try_set_variables('isolated', '{\"v\": 9}')",
    "try_set_variables('isolated', '{\"v\": 9}', expected_version => 3)",
    "set_variable('isolated', 'v', '9')",
    "unset_variables('isolated', '{v}')",
    "save_state('isolated', '{\"field\": 1}')",
    "append_event('isolated', 'note')",
    "append_event('isolated', 'note', idempotency_key => 'new')",
    "append_events('isolated', '[{\"type\": \"a\"}, {\"type\": \"b\"}]')",
    "checkpoint('isolated', 'another')",
    "checkpoint('isolated', 'label', replace => true)",
    "protect_checkpoint('isolated', 'label')",
    "rollback('isolated', 2)",
    "rollback_to('isolated', 'label')",
    "finish_run('isolated')",
    "cancel_run('isolated')",
    "set_owner('isolated', session_user)",
]


@pytest.fixture
def isolated(connect):
    connection = connect()
    call(connection, "start_run('isolated', variables => '{\"v\": 1}')")
    call(connection, "checkpoint('isolated', 'label')")
    call(connection, "set_variable('isolated', 'v', '2')")
    yield connection
    attempt(connection, "drop_run('isolated')")


@contextmanager
def snapshot_of(connect, isolation):
    """A session in a transaction of this level, whose snapshot is taken."""
    connection = connect(autocommit=False)
    connection.isolation_level = isolation
    connection.execute("SELECT count(*) FROM layra.event").fetchone()
    yield connection
    connection.rollback()


@pytest.mark.parametrize("isolation", ABOVE, ids=lambda level: level.name)
@pytest.mark.parametrize("sql", WRITES)
def test_a_hidden_head_is_a_conflict(isolated, connect, isolation, sql):
    """Somebody wrote after the snapshot: 40001 for every function, and never anything else."""
    with snapshot_of(connect, isolation) as connection:
        call(isolated, "append_event('isolated', 'hidden')")
        assert attempt(connection, sql) == "40001"
    assert_sound(isolated, "isolated", 4)


@pytest.mark.parametrize("isolation", ABOVE, ids=lambda level: level.name)
@pytest.mark.parametrize("sql", WRITES)
def test_alone_above_read_committed_every_write_works(isolated, connect, isolation, sql):
    with snapshot_of(connect, isolation) as connection:
        assert not isinstance(attempt(connection, sql), str)
        # And again in the same transaction, which does see its own writes.
        if not sql.startswith("finish_run"):
            assert isinstance(attempt(connection, "append_event('isolated', 'own')"), int)
        connection.commit()
    assert isolated.execute("SELECT * FROM layra.verify('isolated')").fetchall() == []


@pytest.mark.parametrize("isolation", ABOVE, ids=lambda level: level.name)
@pytest.mark.parametrize(
    "sql",
    ["start_run('hidden run')", "save_state('hidden run', '{}')", "fork_run('isolated', 'hidden run')",
     "start_run('hidden run', idempotency_key => 'k')", "save_state('hidden run', '{}', expected_version => 0)"],
)  # fmt: skip
def test_a_hidden_run_is_a_conflict(isolated, connect, isolation, sql):
    """Somebody created the run after the snapshot."""
    with snapshot_of(connect, isolation) as connection:
        call(isolated, "start_run('hidden run', idempotency_key => 'k')")
        assert attempt(connection, sql) == "40001"
    assert_sound(isolated, "hidden run", 1)
    call(isolated, "drop_run('hidden run')")


@pytest.mark.parametrize("isolation", ABOVE, ids=lambda level: level.name)
@pytest.mark.parametrize("sql", [*WRITES, "drop_run('isolated')", "fork_run('isolated', 'fork of a dropped run')"])
def test_a_run_dropped_after_the_snapshot_is_a_conflict(isolated, connect, isolation, sql):
    with snapshot_of(connect, isolation) as connection:
        call(isolated, "drop_run('isolated')")
        assert attempt(connection, sql) == "40001"


@pytest.mark.parametrize("isolation", ABOVE, ids=lambda level: level.name)
@pytest.mark.parametrize("end", ["COMMIT", "ROLLBACK"])
def test_waiting_above_read_committed(isolated, connect, waiting, isolation, end):
    """The writer that is waited for commits: 40001. It gives up: nothing was hidden, and the write works."""
    isolated.execute("BEGIN")
    call(isolated, "append_event('isolated', 'first')")
    with snapshot_of(connect, isolation) as connection:
        with waiting(connection, "append_event('isolated', 'second')") as result:
            isolated.execute(end)
        assert result() == ("40001" if end == "COMMIT" else 4)
        if end == "ROLLBACK":
            connection.commit()
    assert_sound(isolated, "isolated", 4)


@pytest.mark.parametrize("isolation", ABOVE, ids=lambda level: level.name)
def test_counting_above_read_committed_loses_nothing(admin, together, isolation):
    """Read and write in one transaction, without any expectation, repeated on 40001: the level does what it says."""
    run_id = f"counted {isolation.name}"
    call(admin, "start_run(%s, variables => '{\"n\": 0}')", run_id)

    def count(connection, _):
        connection.isolation_level = isolation
        failures = Counter()
        for _ in range(4):
            while True:
                try:
                    with connection.transaction():
                        value = call(connection, "get_variable(%s, 'n')", run_id)
                        call(connection, "set_variable(%s, 'n', %s)", run_id, str(value + 1))
                    break
                except psycopg.Error as error:
                    failures[error.sqlstate] += 1
        return failures

    failures = sum(together(count, 8), Counter())
    assert set(failures) <= {"40001"}
    assert call(admin, "get_variable(%s, 'n')", run_id) == 32
    assert_sound(admin, run_id, 33)


@pytest.mark.parametrize("isolation", ABOVE, ids=lambda level: level.name)
def test_races_above_read_committed_give_40001_and_nothing_else(admin, together, isolation):
    """All kinds of writes at once, without a pause."""
    run_id = f"raced {isolation.name}"
    call(admin, "start_run(%s)", run_id)
    calls = [
        ("set_variables(%s, '{\"v\": 1}')", run_id), ("append_event(%s, 'note', idempotency_key => 'k')", run_id),
        ("save_state(%s, '{\"field\": [1]}')", run_id), ("try_set_variables(%s, '{\"v\": 2}')", run_id),
        ("checkpoint(%s, 'l', replace => true)", run_id), ("rollback(%s, 1)", run_id),
        ("start_run(%s)", f"{run_id} new"), ("save_state(%s, '{}')", f"{run_id} new"),
    ]  # fmt: skip

    def race(connection, number):
        connection.isolation_level = isolation
        outcomes = Counter()
        for turn in range(len(calls) * 2):
            sql, name = calls[(turn + number) % len(calls)]
            try:
                with connection.transaction():
                    connection.execute(f"SELECT * FROM layra.{sql}", [name]).fetchone()
                outcomes["done"] += 1
            except psycopg.Error as error:
                outcomes[error.sqlstate, sql.startswith("start_run")] += 1
        return outcomes

    outcomes = sum(together(race, 8), Counter())
    # A run that is plainly there cannot be started: the only other error.
    assert set(outcomes) <= {"done", ("40001", False), ("40001", True), ("23505", True)}
    assert outcomes["done"] >= 8
    for name in (run_id, f"{run_id} new"):
        assert admin.execute("SELECT * FROM layra.verify(%s)", [name]).fetchall() == []
        head = versions(admin, name)
        assert head == list(range(1, len(head) + 1))


# --- what a conflict says --------------------------------------------------------------------------------------


def server_log():
    """Where tests/cluster has the server's log."""
    return Path(os.environ.get("CLUSTER_LOG") or Path(os.environ["PGDATA"]).parent / "log")


def test_a_conflict_tells_client_and_log_what_and_nothing_more(admin, connect, raises):
    other = connect()
    call(admin, "start_run('told', variables => '{\"a/b\": {\"x\": 1}}')")
    call(other, "set_variables('told', '{\"a/b\": {\"x\": 2}, \"c\": 1}')")
    with raises("40001") as error:
        call(admin, "set_variables('told', %s, on_conflict => 'merge', expected_version => 1)",
             '{"a/b": {"x": "a secret of 4711"}, "c": "another secret"}')  # fmt: skip
    assert "told" in error.message
    assert error.hint
    detail = json.loads(error.detail)
    assert sorted(detail.pop("conflicts")) == ["/a~1b/x", "/c"]
    assert detail == {"run_id": "told", "expected": 1, "actual": 2, "conflict_count": 2}
    logged = [line for line in server_log().read_text(encoding="utf-8").splitlines() if error.detail in line]
    assert len(logged) == 1 and "DETAIL:" in logged[0]
    assert "secret" not in error.message + error.hint + error.detail


def test_the_log_says_who_was_in_a_deadlock(admin, connect):
    """What PostgreSQL writes there beside what it tells the client: the statements of both."""
    first, second = connect(), connect()
    for name in ("dead", "lock"):
        call(admin, f"start_run('{name}')")
    for connection, name in ((first, "dead"), (second, "lock")):
        connection.execute("SET deadlock_timeout = '10ms'; BEGIN")
        call(connection, f"append_event('{name}', 'note')")

    def finish(connection, sql):
        try:
            call(connection, sql)
            return None
        except psycopg.Error as error:
            return error
        finally:
            connection.execute("ROLLBACK")

    with ThreadPoolExecutor(2) as pool:
        ends = list(pool.map(finish, (first, second), ("append_event('lock', 'to wait')", "append_event('dead', 'to wait, too')")))
    (error,) = [end for end in ends if end]
    assert error.sqlstate == "40P01" and "waits for" in error.diag.message_detail and "to wait" not in error.diag.message_detail
    log = server_log().read_text(encoding="utf-8")
    told = log[log.index("deadlock detected"):].split("STATEMENT:")[0]
    assert "append_event('lock', 'to wait')" in told and "append_event('dead', 'to wait, too')" in told


def test_a_stale_version_tells_expected_and_actual(admin, raises):
    call(admin, "start_run('stale')")
    call(admin, "append_event('stale', 'note')")
    with raises("40001") as error:
        call(admin, "append_event('stale', 'note', expected_version => 1)")
    detail = json.loads(error.detail)
    assert (detail["run_id"], detail["expected"], detail["actual"]) == ("stale", 1, 2)


def test_a_stale_variable_is_named(admin, raises):
    call(admin, "start_run('stale variable', variables => '{\"a/b\": 1, \"c\": 1}')")
    with raises("40001") as error:
        call(admin, "set_variables('stale variable', '{}', expected_variables => '{\"a/b\": 7, \"c\": 1, \"new\": 3}')")
    detail = json.loads(error.detail)
    assert detail["run_id"] == "stale variable"
    assert detail["expected"] is None and detail["actual"] is None
    assert detail["conflicts"] == ["/a~1b", "/new"]


def test_try_set_variables_gives_the_conflict_with_its_values(admin):
    """To the caller's own eyes the values are no secret: here they help him to resolve it."""
    call(admin, "start_run('tried', variables => '{\"v\": {\"x\": 1}}')")
    call(admin, "set_variables('tried', '{\"v\": {\"x\": 2}}')")
    committed, version, conflicts = admin.execute(
        "SELECT * FROM layra.try_set_variables('tried', '{\"v\": {\"x\": 3}}', on_conflict => 'merge', expected_version => 1)"
    ).fetchone()
    assert (committed, version) == (False, 2)
    assert "/v/x" in json.dumps(conflicts)
    assert {1, 2, 3} <= set(numbers(conflicts))
    assert versions(admin, "tried") == [1, 2]


def numbers(value):
    if isinstance(value, dict):
        for member in value.values():
            yield from numbers(member)
    elif isinstance(value, list):
        for entry in value:
            yield from numbers(entry)
    elif isinstance(value, int):
        yield value


def test_many_sessions_at_once_leave_every_run_sound(admin):
    """What this module left behind."""
    assert admin.execute("SELECT * FROM layra.verify()").fetchall() == []
    assert admin.execute("SELECT count(*) > 5 FROM layra.run").fetchone() == (True,)
