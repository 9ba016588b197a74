"""The end of a run: what a drop leaves, what a hold forbids, and what is proven against heads that were kept elsewhere."""

import json

import chain
import psycopg
import pytest
from ways import prepare  # noqa: F401

DENIED = "42501"


@pytest.fixture
def db(connect):
    """A superuser's connection to a database without runs and seals."""
    connection = connect()
    connection.execute("SELECT layra.release_run(run_id) FROM layra.run; SELECT layra.drop_run(run_id) FROM layra.run; DELETE FROM layra.seal")
    return connection


@pytest.fixture(scope="module")
def alice(role):
    return role("alice")


def call(connection, sql, *arguments):
    return connection.execute(f"SELECT layra.{sql}", arguments).fetchone()[0]


def heads(connection, *arguments):
    return connection.execute(f"SELECT run_id, version, decode(hash, 'hex') FROM layra.heads({', '.join(['%s'] * len(arguments))})", arguments).fetchall()


def keep(connection):
    """As somebody keeps them elsewhere."""
    return json.dumps(connection.execute("SELECT jsonb_agg(h) FROM layra.heads() h").fetchone()[0] or [])


def problems(connection, kept):
    return connection.execute("SELECT * FROM layra.verify_heads(%s)", [kept]).fetchall()


def sound(connection):
    """All that there is comes out, computed apart, and verify has nothing to say."""
    assert connection.execute("SELECT * FROM layra.verify()").fetchall() == []
    assert heads(connection) == chain.heads(connection)
    assert call(connection, "digest()") == chain.all_heads_hash(connection)
    assert problems(connection, keep(connection)) == []


def first_payload(connection, run_id):
    return connection.execute("SELECT payload FROM layra.event WHERE run_id = %s AND version = 1", [run_id]).fetchone()[0]


# --- seals -------------------------------------------------------------------------------------------------------


def test_a_drop_leaves_a_seal_of_what_there_was(db):
    db.execute("SELECT layra.define_workflow('flow', '{\"nodes\": [], \"edges\": []}')")
    call(db, "start_run('r', 'flow', '{\"a\": 1}')")
    db.execute("SELECT layra.set_variable('r', 'large', to_jsonb(repeat(md5(n::text), 1000))) FROM generate_series(1, 3) n")
    call(db, "append_event('r', 'note', '{\"text\": \"x\"}')")
    counts = db.execute("""
        SELECT (SELECT count(*) FROM layra.event), (SELECT count(*) FROM layra.cell),
            (SELECT sum(pg_column_size(payload)) FROM layra.event) + (SELECT sum(pg_column_size(value)) FROM layra.cell)
    """).fetchone()
    digest, (user,) = call(db, "digest('r')"), db.execute("SELECT current_user").fetchone()
    db.execute("SELECT set_config('layra.actor', 'Zoë', false)")
    call(db, "drop_run('r', %s)", "because of 'it'\nand more ß")
    (seal,) = db.execute("SELECT s FROM layra.seals s").fetchall()
    (row,) = db.execute("""
        SELECT run_id, number, what, owner, workflow, workflow_version, first_version, last_version, head_hash, actor, on_behalf_of, reason
        FROM layra.seals""").fetchall()
    assert row == ("r", 1, "dropped", user, "flow", 1, 1, 5, digest, user, "Zoë", "because of 'it'\nand more ß"), seal
    assert db.execute("SELECT events, cells, bytes FROM layra.seals").fetchone() == counts
    assert db.execute("SELECT at <= now() + interval '1 minute' AND previous IS NULL FROM layra.seal").fetchone() == (True,)
    sound(db)


BEGINS = {
    "start_run": "start_run('r')",
    "save_state": "save_state('r', '{\"global_variables\": {\"a\": 1}}')",
    "fork_run": "fork_run('other', 'r')",
}


@pytest.mark.parametrize("level", ["READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"])
@pytest.mark.parametrize("together", [False, True])
@pytest.mark.parametrize("begins", BEGINS)
def test_a_run_that_comes_after_another_one_says_so(db, begins, together, level):
    """However it begins, also in the transaction that dropped the one before."""
    call(db, "start_run('other')")
    for number in (1, 2, 3):
        db.execute(f"BEGIN ISOLATION LEVEL {level}")
        call(db, BEGINS[begins])
        if not together:
            db.execute(f"COMMIT; BEGIN ISOLATION LEVEL {level}")
        call(db, "drop_run('r')")
        if not together:
            db.execute(f"COMMIT; BEGIN ISOLATION LEVEL {level}")
        call(db, BEGINS[begins])
        assert first_payload(db, "r")["seal"] == db.execute(
            "SELECT encode(hash, 'hex') FROM layra.seal WHERE run_id = 'r' AND number = %s", [2 * number - 1]
        ).fetchone()[0]  # fmt: skip
        call(db, "drop_run('r')")
        db.execute("COMMIT")
        sound(db)
    assert "seal" not in first_payload(db, "other")


def test_a_snapshot_that_is_older_than_the_drop_does_not_hide_the_seal(db, connect):
    """Above READ COMMITTED the run that begins either names it, or does not begin."""
    call(db, "start_run('r')")
    old = connect()
    for begins in ("start_run('r')", "save_state('r', '{}')"):
        with pytest.raises(psycopg.Error) as error, old.transaction():
            old.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            old.execute("SELECT count(*) FROM layra.run")
            call(db, "drop_run('r')")
            call(old, begins)
            # It has begun: then it is sound, once it is committed.
            raise psycopg.errors.SerializationFailure
        assert error.value.sqlstate in ("40001", "23505", None)
        call(db, "start_run('r')")
        sound(db)
    old.execute("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM layra.run")
    call(db, "start_run('fresh'), layra.drop_run('fresh')")
    call(old, "start_run('fresh')")
    old.execute("COMMIT")
    assert "seal" in first_payload(db, "fresh")
    sound(db)


def test_a_drop_that_is_rolled_back_leaves_nothing(db):
    call(db, "start_run('r')")
    with db.transaction(force_rollback=True):
        call(db, "drop_run('r')")
        assert db.execute("SELECT count(*) FROM layra.seal").fetchone() == (1,)
    assert db.execute("SELECT count(*) FROM layra.seal").fetchone() == (0,)
    sound(db)


def test_no_rollback_and_no_later_drop_removes_a_seal(db):
    call(db, "start_run('r'), layra.drop_run('r', 'the first')")
    call(db, "start_run('r'), layra.set_variable('r', 'a', '1'), layra.rollback('r', 1)")
    call(db, "drop_run('r', 'the second')")
    assert db.execute("SELECT number, last_version, reason FROM layra.seals ORDER BY number").fetchall() == [
        (1, 1, "the first"), (2, 3, "the second"),
    ]  # fmt: skip
    sound(db)


def test_a_run_that_is_damaged_can_be_dropped(db):
    call(db, "start_run('r', variables => '{\"a\": 1}')")
    db.execute("DELETE FROM layra.event")
    call(db, "drop_run('r')")
    assert db.execute("SELECT last_version, head_hash, events, cells FROM layra.seals").fetchone() == (0, "0" * 64, 0, 1)
    sound(db)


def test_seals_are_read_like_the_runs_and_written_by_nobody(db, connect, role, alice):
    bob, audit = role("bob"), role("audit")
    for name, level in ((alice, "writer"), (bob, "writer"), (audit, "auditor")):
        db.execute("SELECT layra.grant_access(%s, %s)", [name, level])
    sessions = {name: connect(role=name) for name in (alice, bob, audit)}
    call(sessions[alice], "start_run('hers'), layra.drop_run('hers')")
    # The id is free for everybody; whose it was shows only in a hash.
    call(sessions[bob], "start_run('hers')")
    assert first_payload(db, "hers")["seal"] == db.execute("SELECT hash FROM layra.seals").fetchone()[0]
    call(sessions[bob], "drop_run('hers')")
    seen = {name: {owner for (owner,) in session.execute("SELECT owner FROM layra.seals")} for name, session in sessions.items()}
    assert seen == {alice: {alice}, bob: {bob}, audit: {alice, bob}}
    for name, session in sessions.items():
        assert {head[0:2] for head in heads(session)} == {("hers", 1)}
        assert len(heads(session)) == (2 if name == audit else 1)
        assert heads(session, bob) == ([] if name == alice else [head for head in chain.heads(db)][1:])
        for sql in ("DELETE FROM layra.seal", "UPDATE layra.seal SET reason = 'x'", "TRUNCATE layra.seal",
                    "INSERT INTO layra.seal SELECT * FROM layra.seal", "DELETE FROM layra.seals"):  # fmt: skip
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                session.execute(sql)
    sound(db)


def test_many_seals_and_runs_of_many_owners_come_in_order(db, role, alice):
    """More than a batch, of several owners whose runs are read one after the other."""
    db.execute("SELECT layra.start_run(format('%s/%s', n % 7, n)) FROM generate_series(1, 2500) n")
    db.execute("SELECT layra.drop_run(run_id) FROM layra.run WHERE run_id LIKE '3/%'")
    db.execute("SELECT layra.start_run(run_id) FROM layra.seal WHERE run_id LIKE '3/1%'")
    team, member = role("team"), role("member", f"IN ROLE {alice}")
    db.execute(f"GRANT {team} TO {member}; SELECT layra.grant_access('{member}', 'writer')")
    for n, owner in ((1, alice), (3, team)):
        db.execute("SELECT layra.set_owner(run_id, %s) FROM layra.run WHERE run_id LIKE %s", [owner, f"{n}/%"])
    sound(db)
    db.execute(f"SET SESSION AUTHORIZATION {member}")
    found = heads(db)
    digest = call(db, "digest()")
    db.execute("RESET SESSION AUTHORIZATION")
    owned = {run_id for (run_id,) in db.execute("SELECT run_id FROM layra.run WHERE owner IN (%s, %s)", [alice, team])}
    live = {(run_id, version, hash) for run_id, version, hash in db.execute("SELECT run_id, version, decode(layra.digest(run_id), 'hex') FROM layra.runs")}
    assert found == [head for head in chain.heads(db) if head[0] in owned and head in live]
    record = b"".join(chain.field(part) for head in found for part in head)
    assert digest == chain.digest(b"layra-heads-1" + record).hex()


# --- holds -------------------------------------------------------------------------------------------------------

STATES = {
    "running": "",
    "paused": "layra.pause_run('r', 'n')",
    "cancelling": "layra.cancel_run('r')",
    "completed": "layra.finish_run('r')",
    "failed": "layra.finish_run('r', 'failed')",
}


@pytest.mark.parametrize("state", STATES)
def test_a_run_with_a_hold_is_never_dropped(db, raises, state):
    call(db, "start_run('r')")
    if STATES[state]:
        db.execute(f"SELECT {STATES[state]}")
    (version,) = db.execute("SELECT version FROM layra.runs").fetchone()
    assert call(db, "hold_run('r', 'audit')") == version + 1
    # The same call again does nothing; another reason is another event.
    assert call(db, "hold_run('r', 'audit')") == version + 1
    assert call(db, "hold_run('r', 'court')") == version + 2
    assert db.execute("SELECT status, hold FROM layra.runs").fetchone() == (state, "court")
    before = keep(db)
    with raises("55000") as error:
        call(db, "drop_run('r')")
    assert "release_run" in error.hint
    assert keep(db) == before
    sound(db)
    assert call(db, "release_run('r', 'over')") == version + 3
    assert call(db, "release_run('r')") == version + 3
    assert db.execute("SELECT type, payload FROM layra.event WHERE version > %s ORDER BY version", [version]).fetchall() == [
        ("run.held", {"reason": "audit"}), ("run.held", {"reason": "court"}), ("run.released", {"reason": "over"}),
    ]  # fmt: skip
    assert db.execute("SELECT status, hold FROM layra.runs").fetchone() == (state, None)
    sound(db)
    call(db, "drop_run('r')")
    sound(db)


def test_a_rollback_ends_no_hold_and_a_fork_has_none(db, raises):
    call(db, "start_run('r')")
    call(db, "hold_run('r', 'audit')")
    call(db, "set_variable('r', 'a', '1')")
    call(db, "rollback('r', 1)")
    call(db, "fork_run('r', 'fork')")
    assert db.execute("SELECT run_id, hold FROM layra.runs ORDER BY 1").fetchall() == [("fork", None), ("r", "audit")]
    with raises("55000"):
        call(db, "drop_run('r')")
    call(db, "drop_run('fork')")
    sound(db)


def test_a_drop_waits_for_a_hold_and_is_refused(db, connect):
    """Also above READ COMMITTED, where it conflicts."""
    call(db, "start_run('r')")
    for level, outcome in (("READ COMMITTED", "55000"), ("REPEATABLE READ", "40001")):
        dropper = connect()
        dropper.execute(f"BEGIN ISOLATION LEVEL {level}; SELECT count(*) FROM layra.run")
        call(db, "hold_run('r', %s)", level)
        with pytest.raises(psycopg.Error) as error:
            call(dropper, "drop_run('r')")
        assert error.value.sqlstate == outcome


# --- a witness ---------------------------------------------------------------------------------------------------


@pytest.fixture
def witness(db):
    """Runs of every kind, and what was kept of them."""
    call(db, "start_run('lives'), layra.set_variable('lives', 'a', '1')")
    call(db, "start_run('gone'), layra.drop_run('gone')")
    call(db, "start_run('again'), layra.append_event('again', 'x'), layra.drop_run('again'), layra.start_run('again')")
    call(db, "append_event('again', 'y')")
    assert problems(db, keep(db)) == []
    return keep(db)


HONEST = [
    "layra.set_variable('lives', 'a', '2')", "layra.drop_run('lives')", "layra.append_event('lives', 'x'), layra.drop_run('lives')",
    "layra.drop_run('lives'), layra.start_run('lives')", "layra.drop_run('again')", "layra.append_event('again', 'z'), layra.drop_run('again')",
    "layra.start_run('gone')", "layra.finish_run('lives')", "layra.rollback('lives', 1)", "layra.drop_run('again'), layra.start_run('again'),"
    " layra.append_event('again', 'w'), layra.drop_run('again')",
]  # fmt: skip


@pytest.mark.parametrize("what", HONEST)
def test_whatever_the_functions_did_is_no_problem(db, witness, what):
    db.execute(f"SELECT {what}")
    assert problems(db, witness) == []
    sound(db)


REWRITE = """
    DELETE FROM layra.event WHERE run_id = '{0}'; DELETE FROM layra.cell WHERE run_id = '{0}'; DELETE FROM layra.run WHERE run_id = '{0}';
"""
DISHONEST = {
    "a run is gone": (REWRITE.format("lives"), [("lives", 2, "there is neither the run nor a seal of it")]),
    "a run is another one": (
        REWRITE.format("lives") + "SELECT layra.start_run('lives'), layra.set_variable('lives', 'a', '7')",
        [("lives", 2, "the run has another hash at this version")],
    ),
    "the end of a log is gone": (
        "DELETE FROM layra.event WHERE run_id = 'lives' AND version = 2; DELETE FROM layra.cell WHERE run_id = 'lives' AND version = 2",
        [("lives", 2, "the run ends before this version")],
    ),
    "the midst of a log is gone": (
        "SELECT layra.append_event('lives', 'x'); DELETE FROM layra.event WHERE run_id = 'lives' AND version = 2",
        [("lives", 2, "the event of this version is missing")],
    ),
    "a seal is gone": ("DELETE FROM layra.seal WHERE run_id = 'gone'", [("gone", 1, "there is neither the run nor a seal of it")]),
    "a later run is gone, which the seal before does not account for": (
        REWRITE.format("again"), [("again", 2, "no seal of the run accounts for this version")],
    ),
    "a run was dropped at another hash": (
        REWRITE.format("lives") + "SELECT layra.start_run('lives'), layra.append_event('lives', 'x'), layra.drop_run('lives')",
        [("lives", 2, "no seal of the run accounts for this version")],
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", DISHONEST)
def test_what_happened_in_another_way_is_found(db, witness, what):
    sql, found = DISHONEST[what]
    db.execute(sql)
    assert problems(db, witness) == found


def test_a_witness_of_what_one_may_not_read_any_more(db, connect, alice):
    db.execute("SELECT layra.grant_access(%s, 'writer')", [alice])
    session = connect(role=alice)
    call(session, "start_run('r')")
    kept = keep(session)
    assert problems(session, kept) == []
    call(db, "set_owner('r', current_user)")
    assert problems(session, kept) == [("r", 1, "the run is not one that the caller may read")]
    assert problems(db, kept) == []


# --- retention policies ------------------------------------------------------------------------------------------

FORBIDS = "SELECT layra.set_retention('{\"drop\": false}')"


@pytest.fixture
def policies(db):
    yield db
    db.execute("DELETE FROM layra.retention")


def test_an_owner_may_forbid_to_drop_any_of_its_runs(policies, connect, raises, alice):
    """Whoever asks, from the next call on, and also above READ COMMITTED with a snapshot that is older."""
    db = policies
    db.execute("SELECT layra.grant_access(%s, 'writer')", [alice])
    hers = connect(role=alice)
    call(hers, "start_run('hers')")
    call(db, "start_run('mine')")
    old = connect()
    old.execute("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM layra.run")
    hers.execute(FORBIDS)
    for connection in (hers, db, old):
        with raises("55000") as error:
            call(connection, "drop_run('hers')")
        assert "set_retention" in error.hint
        connection.rollback() if connection is old else None
    assert db.execute("SELECT count(*) FROM layra.run").fetchone() == (2,)
    # It is hers, and of her runs alone.
    call(db, "drop_run('mine')")
    assert hers.execute("SELECT owner, workflow, policy FROM layra.retention").fetchall() == [(alice, "", {"drop": False})]
    call(hers, "set_retention(NULL)")
    call(hers, "drop_run('hers')")
    sound(db)


def test_the_policy_of_a_workflow_precedes_the_one_for_all(policies, raises):
    db = policies
    db.execute("SELECT layra.define_workflow(w, '{}'), layra.start_run(w, w) FROM unnest('{one,two,three}'::text[]) w")
    call(db, "start_run('none')")
    db.execute(FORBIDS)
    call(db, "set_retention('{\"drop\": true}', 'one')")
    call(db, "drop_run('one')")
    for run_id in ("two", "three", "none"):
        with raises("55000"):
            call(db, "drop_run(%s)", run_id)
    # A policy that says nothing of it allows it.
    call(db, "set_retention('{}', 'two')")
    call(db, "drop_run('two')")
    call(db, "set_retention('null')")
    call(db, "set_retention('{\"drop\": false}', 'three')")
    call(db, "drop_run('none')")
    with raises("55000"):
        call(db, "drop_run('three')")
    call(db, "set_retention(NULL, 'three')")
    call(db, "drop_run('three')")
    sound(db)


def test_what_a_definition_forbids_no_policy_allows(policies, raises):
    db = policies
    db.execute("""SELECT layra.define_workflow('kept', '{"policy": {"retention": {"drop": false}}}'), layra.start_run('r', 'kept')""")
    call(db, "define_workflow('kept', '{\"policy\": {\"retention\": {\"drop\": true}}}')")
    call(db, "start_run('s', 'kept')")
    call(db, "set_retention('{\"drop\": true}', 'kept')")
    with raises("55000"):
        call(db, "drop_run('r')")
    call(db, "drop_run('s')")
    with raises("22023") as error:
        call(db, "define_workflow('bad', '{\"policy\": {\"retention\": {\"drop\": 1, \"hot\": \"1 day\"}}}')")
    assert "/policy/retention/drop" in error.detail and "/policy/retention/hot" in error.detail
