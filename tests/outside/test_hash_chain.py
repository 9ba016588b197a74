"""The hash chain, recomputed by `chain.py` from what plain SQL returns; and that `verify` misses nothing.

Two runs of code that were written apart from the same page have to agree on every byte.
"""

import chain
import psycopg
import pytest
import test_recording
from ways import prepare  # noqa: F401

DIARY = "Diary: naïve 🙂 'quoted' \\ / \"double\""


def diary(connection):
    """A run with one event of every kind, and in them what a hash can get wrong: NULL beside '', several bytes a
    character, numbers of any form, a key, a label, several cells with names that sort differently as text."""

    def call(sql, *arguments):
        return connection.execute(f"SELECT * FROM layra.{sql}", arguments).fetchone()[0]

    call("start_run(%s, variables => '{\"a\": 1.00, \"b\": null}', metadata => '{\"x\": 1}')", DIARY)
    connection.execute("SELECT set_config('layra.actor', 'Zoë Ünal', false)")
    call("set_variables(%s, '{\"a\": 1.0, \"ä\": \"ß\", \"Z\": 1e400, \"a/b\": {\"k\": [1, 2]}}')", DIARY)
    call("set_variable(%s, 'nested', '[[[{\"\": []}]]]', idempotency_key => 'only once')", DIARY)
    call("unset_variables(%s, '{b,unknown}')", DIARY)
    connection.execute("SELECT set_config('layra.actor', '', false)")
    call("append_event(%s, 'engine.note', '{\"text\": \"tab\\t \\u0007 𝕏\"}', '{\"a\": 2}', idempotency_key => 'ключ')", DIARY)
    call(
        "save_state(%s, %s)",
        DIARY,
        '{"global_variables": {"a": 2, "long": "' + "lorem " * 3000 + '"}, "execution_status": {"n": null, "m": true},'
        ' "loop_index": {"l": 2}, "context": {"n": [1, {"o": "p"}, "1"], "empty": [], "m/0": ["x"]},'
        ' "execution_stack": ["n"], "nodes": [{"id": "n"}], "edges": [], "own field": 1.50}',
    )
    call("checkpoint(%s, 'Gate / 1', 'milestone', '{\"who\": \"me\"}', idempotency_key => 'cp')", DIARY)
    call("checkpoint(%s)", DIARY)
    call("protect_checkpoint(%s, 'Gate / 1')", DIARY)
    call("append_events(%s, '[{\"type\": \"x\"}, {\"type\": \"y\", \"updates\": {\"ä\": []}}]', idempotency_key => 'batch')", DIARY)
    call(
        "save_state(%s, %s)",
        DIARY,
        '{"global_variables": {"a": 3}, "execution_status": {"n": true}, "context": {"n": [{"o": "p"}, "1", 2, 3]}}',
    )
    call("append_event(%s, 'nothing.changes')", DIARY)
    call("rollback_to(%s, 'Gate / 1', 'try again')", DIARY)
    call("protect_checkpoint(%s, 'Gate / 1', false)", DIARY)
    call("checkpoint(%s, 'Gate / 1', replace => true)", DIARY)
    call("set_owner(%s, session_user)", DIARY)
    call("cancel_run(%s, 'stop')", DIARY)
    call("finish_run(%s, 'cancelled', '{\"score\": 0.10}')", DIARY)
    call("reopen_run(%s)", DIARY)
    call("fork_run(%s, 'fork of it', 6, idempotency_key => 'fork')", DIARY)
    call("set_variables('fork of it', '{\"a\": 5}')")
    call("finish_run(%s, result => '[]')", DIARY)


@pytest.fixture(scope="module")
def runs(dsn):
    """Every run of the database: the recording, and the diary with its fork."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        test_recording.replay(connection)
        diary(connection)
        return [run_id for (run_id,) in connection.execute("SELECT run_id FROM layra.run")]


def test_chain_of_every_event_comes_out(runs, admin):
    assert len(runs) == 3
    for run_id in runs:
        assert chain.problems(admin, run_id) == []
    (count,) = admin.execute("SELECT count(*) FROM layra.event").fetchone()
    events = sum(len(chain.read(admin, run_id)[0]) for run_id in runs)
    assert events == count == 388 + 21 + 2


def test_digest_is_the_hash_of_the_head(runs, admin):
    for run_id in runs:
        (digest,) = admin.execute("SELECT layra.digest(%s)", [run_id]).fetchone()
        assert digest == chain.head(admin, run_id)
        assert len(digest) == 64


def test_the_diary_has_what_makes_it_worth_hashing(runs, admin):
    """The chain of a run without these would prove little."""
    events, cells = chain.read(admin, DIARY)
    assert {event.on_behalf_of for event in events} == {None, "Zoë Ünal"}
    assert {"only once", "ключ", "cp", "batch", None} == {event.idempotency_key for event in events}
    assert {(None, None), ("milestone", "Gate / 1"), ("manual", None), ("manual", "Gate / 1")} == {
        (event.checkpoint_kind, event.checkpoint_label) for event in events
    }
    assert any(cell.hash is None for rows in cells.values() for cell in rows)
    assert any(not event.changed for event in events)
    assert {cell.scope for rows in cells.values() for cell in rows} == {"variable", "node", "loop", "context", "engine"}


def test_a_field_tells_null_from_empty_and_does_not_run_into_the_next():
    assert chain.field(None) != chain.field("")
    assert chain.field("ab") + chain.field("c") != chain.field("a") + chain.field("bc")
    assert chain.field("ß") == b"\x01" + bytes(7) + b"\x02" + "ß".encode()
    assert chain.field(-1) == b"\x01" + bytes(7) + b"\x08" + b"\xff" * 8


# --- what verify finds -----------------------------------------------------------------------------------------

OTHER_VALUE = {
    "text": "coalesce({column}, '') || 'x'",
    "bytea": "set_byte(coalesce({column}, decode(repeat('00', 32), 'hex')), 0,"
    " mod(get_byte(coalesce({column}, '\\x00'), 0) + 1, 256))",
    "jsonb": "'{{\"tampered\": true}}'::jsonb",
    "bigint": "coalesce({column}, 0) + 1000",
    "integer": "coalesce({column}, 0) + 1000",
    "timestamp with time zone": "{column} + interval '1 microsecond'",
    "ARRAY": "coalesce({column}, '{{}}') || ARRAY['variable/zz']",
    "boolean": "NOT {column}",
}

# Outside the chain on purpose: the transaction, for a later feed, which differs after a restore.
NOT_PROTECTED = {"event": {"xact"}}

# The schema refuses the change itself: as good as finding it.
REFUSED_BY_TABLE = (
    psycopg.errors.CheckViolation, psycopg.errors.NotNullViolation, psycopg.errors.UniqueViolation,
    psycopg.errors.ForeignKeyViolation,
)  # fmt: skip


def columns(connection, table):
    return connection.execute(
        "SELECT column_name, data_type, is_nullable = 'YES' FROM information_schema.columns"
        " WHERE table_schema = 'layra' AND table_name = %s AND is_generated = 'NEVER'",
        [table],
    ).fetchall()


def changes(connection, table):
    """(column, expression): ways to falsify one column of a row."""
    for column, data_type, nullable in columns(connection, table):
        if column in NOT_PROTECTED.get(table, ()):
            continue
        yield column, OTHER_VALUE[data_type].format(column=column)
        if data_type == "text":
            yield column, f"CASE WHEN {column} = '' THEN 'x' ELSE '' END"
        # A payload that was erased leaves its hash behind: that is no fault.
        if nullable and (table, column) != ("event", "payload"):
            yield column, "NULL"


def verified(connection, run_id):
    return connection.execute("SELECT run_id, version, problem FROM layra.verify(%s)", [run_id]).fetchall()


def test_verify_finds_nothing_in_sound_runs(runs, admin):
    assert admin.execute("SELECT * FROM layra.verify()").fetchall() == []


@pytest.mark.parametrize("table", ["event", "cell", "checkpoint", "run"])
def test_verify_finds_every_changed_column(runs, admin, table):
    """A superuser changes one column of one row of the diary, each in turn; a row and a transaction for each."""
    missed, tried = [], 0
    places = admin.execute(
        f"SELECT ctid::text FROM layra.{table} WHERE run_id = %s ORDER BY ctid", [DIARY]
    ).fetchall()
    for column, expression in changes(admin, table):
        for (place,) in places:
            with admin.transaction(force_rollback=True):
                try:
                    with admin.transaction():
                        changed = admin.execute(
                            f"UPDATE layra.{table} SET {column} = {expression}"
                            f" WHERE ctid = %s::tid AND {column} IS DISTINCT FROM {expression}",
                            [place],
                        ).rowcount
                except REFUSED_BY_TABLE:
                    continue
                if changed:
                    tried += 1
                    # Another run id: the row is missing in one run, or too many in another.
                    found = admin.execute("SELECT run_id, problem FROM layra.verify()").fetchall()
                    if not found:
                        missed.append((column, expression, place))
    assert verified(admin, DIARY) == []
    names = {name for name, _, _ in missed}
    assert not missed, f"{len(missed)} of {tried} changes not found, in columns {names}, such as {missed[:5]}"
    assert tried > len(places)


PLANT = (
    "INSERT INTO layra.cell (run_id, scope, key, ordinal, version, revision, value, hash) SELECT run_id, scope, {}, value,"
    " hash FROM layra.cell WHERE run_id = %s AND version = 2 AND key = 'a'"
)
SWAP = (
    "UPDATE layra.event SET version = CASE version WHEN 15 THEN 1016 ELSE 1015 END WHERE run_id = %s"
    " AND version IN (15, 16)"
)


@pytest.mark.parametrize(
    "tampering",
    [
        "DELETE FROM layra.event WHERE run_id = %s AND version = 5",
        "DELETE FROM layra.event WHERE run_id = %s AND version = 2",
        "DELETE FROM layra.event WHERE run_id = %s AND version = 1",
        "DELETE FROM layra.cell WHERE run_id = %s AND version = 2 AND key = 'a'",
        "DELETE FROM layra.cell WHERE run_id = %s AND version = 6",
        "DELETE FROM layra.checkpoint WHERE run_id = %s AND label IS NULL",
        "DELETE FROM layra.checkpoint WHERE run_id = %s",
        "UPDATE layra.event SET payload = '{}' WHERE run_id = %s AND type = 'run.rolled_back'",
        PLANT.format("'planted', ordinal, version, 1"),
        PLANT.format("key, ordinal, 5000, revision + 1"),
        SWAP,
        "UPDATE layra.cell SET value = '{\"status\": \"completed\"}' WHERE run_id = %s AND scope = 'node' AND key = 'n'",
    ],
)  # fmt: skip
def test_verify_finds_rows_gone_planted_and_moved(runs, admin, tampering):
    with admin.transaction(force_rollback=True):
        assert admin.execute(tampering, [DIARY]).rowcount > 0
        assert {run_id for run_id, _, _ in verified(admin, DIARY)} == {DIARY}
        # Whose run is sound stays so.
        assert verified(admin, test_recording.RUN) == []
        # All of them at once finds the same.
        found = admin.execute("SELECT DISTINCT run_id FROM layra.verify()").fetchall()
        assert found == [(DIARY,)]


def test_a_run_from_before_the_epoch_of_postgresql(runs, admin):
    """Times are kept as microseconds since 2000."""
    with admin.transaction(force_rollback=True):
        admin.execute("SET LOCAL layra.now = '1999-06-01 12:00:00+00'")
        admin.execute("SELECT layra.start_run('old'), layra.save_state('older', '{}')")
        at = admin.execute("SELECT DISTINCT at::text FROM layra.event WHERE run_id LIKE 'old%'").fetchall()
        assert at == [("1999-06-01 12:00:00+00",)]
        assert verified(admin, "old") == verified(admin, "older") == []


def test_a_damaged_log_is_damage_and_no_bug(runs, admin):
    """What can be read, or XX001; never XX000."""
    for damage in ("DELETE FROM layra.event WHERE run_id = %s", "UPDATE layra.event SET changed = '{NULL,x}' WHERE run_id = %s"):
        with admin.transaction(force_rollback=True):
            admin.execute(damage, [DIARY])
            for call in ("digest(%s)", "events(%s)", "verify(%s)", "get_state(%s)", "history(%s, 'a')", "diff(%s, 1)",
                         "set_variable(%s, 'a', '7')", "version_at(%s, now())", "checkpoint(%s)", "rollback(%s, 2)"):  # fmt: skip
                try:
                    with admin.transaction():
                        admin.execute(f"SELECT * FROM layra.{call}", [DIARY])
                except psycopg.Error as error:
                    assert error.sqlstate != "XX000", (damage, call)
            assert verified(admin, DIARY) != []
    with admin.transaction(force_rollback=True):
        admin.execute("DELETE FROM layra.event WHERE run_id = %s", [DIARY])
        with pytest.raises(psycopg.errors.DataCorrupted):
            admin.execute("SELECT layra.digest(%s)", [DIARY])


def test_a_cut_off_log_is_seen_in_the_digest(runs, admin):
    """A chain cannot tell that its end is missing: that is what `digest` is kept elsewhere for."""
    with admin.transaction(force_rollback=True):
        (kept,) = admin.execute("SELECT layra.digest(%s)", [test_recording.RUN]).fetchone()
        for table in ("event", "cell"):
            admin.execute(
                f"DELETE FROM layra.{table} WHERE run_id = %s AND version >= 380", [test_recording.RUN]
            )
        assert admin.execute("SELECT layra.digest(%s)", [test_recording.RUN]).fetchone() != (kept,)


def test_verify_names_run_and_version_and_says_what(runs, admin):
    with admin.transaction(force_rollback=True):
        admin.execute("UPDATE layra.event SET payload = '1' WHERE run_id = %s AND version = 5", [DIARY])
        found = verified(admin, DIARY)
    assert {(run_id, version) for run_id, version, _ in found} == {(DIARY, 5)}
    assert any("payload" in problem for _, _, problem in found)
