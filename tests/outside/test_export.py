"""Exports: that they have everything, that the program in examples/ finds whatever is altered in one, and who may read them."""

import json
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

EXAMPLES = Path(__file__).parent.parent.parent / "examples/python"
sys.path.insert(0, str(EXAMPLES))

import verify_export  # noqa: E402

# A run with something of every kind: seals before it, a workflow and two graphs, values of every kind, deltas, checkpoints whose
# labels moved, rollbacks, questions of every status, leases, loops, keys, a hold.
EVERYTHING = r"""
    SELECT layra.define_workflow('flow', '{"nodes": [{"id": "a", "type": "t"}, {"id": "b", "type": "t"}],
        "edges": [{"source": "a", "target": "b"}], "variables": {"total": {"default": 1.50}}}');
    SELECT layra.start_run('r'), layra.drop_run('r', 'not yet ß');
    SELECT layra.start_run('r'), layra.drop_run('r');
    SELECT set_config('layra.actor', 'Zoë "q" \ ', false);
    SELECT layra.start_run('r', 'flow', '{"note": "a\\b \"q\" ä\n\u0001", "nothing": null, "numbers": [1.00, 1e30, -0.5, 12345678901234567890]}',
        '{"deep": [[[[]]]]}', idempotency_key => 'start');
    SELECT layra.set_variable('r', 'list', jsonb_agg(repeat(md5(n::text), 8))) FROM generate_series(1, 50) n;
    DO $$ BEGIN FOR n IN 1..5 LOOP PERFORM layra.set_variable('r', 'list', layra.get_variable('r', 'list') || '["more"]'); END LOOP; END $$;
    SELECT layra.checkpoint('r', 'mark', metadata => '{"by": "hand"}');
    SELECT layra.append_event('r', 'order.paid', '{"amount": 12.30}', '{"paid": true}', idempotency_key => 'paid');
    SELECT layra.unset_variables('r', '{nothing}');
    SELECT layra.rollback_to('r', 'mark', 'went wrong');
    SELECT layra.checkpoint('r', 'mark', replace => true);
    SELECT layra.protect_checkpoint('r', 'mark');
    SELECT layra.begin_node('r', 'a', 'worker 1', '1 hour');
    SELECT layra.complete_node('r', 'a', '{"out": 1}', attempt => 1);
    SELECT layra.begin_node('r', 'b', 'worker 2', '1 hour');
    SELECT layra.enter_loop('r', 'rounds'), layra.next_iteration('r', 'rounds');
    SELECT layra.set_engine('r', '{"position": 7}');
    SELECT layra.pause_run('r', 'b', '{"sure": "?"}', 'true', 'Zoë "q" \ ', '1 day') AS asked;
    SELECT layra.resume_run('r', interaction, '{"yes": [1.0]}', '{"answered": true}') FROM layra.interactions WHERE status = 'pending';
    SELECT layra.pause_run('r', 'b', '"again?"');
    SELECT layra.withdraw_interaction('r', interaction) FROM layra.interactions WHERE status = 'pending';
    SELECT layra.save_state('r', layra.get_state('r') || '{"nodes": [{"id": "a", "type": "t"}, {"id": "b", "type": "t"}], "edges": []}');
    SELECT layra.hold_run('r', 'audit');
    SELECT set_config('layra.actor', '', false);
    SELECT layra.fork_run('r', 'fork', idempotency_key => 'forked'), layra.set_variable('fork', 'own', '1', idempotency_key => 'own');
    SELECT layra.fork_run('fork', 'fork of fork');
    SELECT layra.start_run('done'), layra.finish_run('done', 'failed', '{"why": null}');
    SELECT layra.start_run('parent', idempotency_key => 'parent'), layra.fork_run('parent', 'orphan'), layra.drop_run('parent');
    SELECT layra.start_run('of no parent', idempotency_key => 'g'), layra.fork_run('of no parent', 'between'),
        layra.append_event('between', 'x', idempotency_key => 'between'), layra.fork_run('between', 'adopted'), layra.drop_run('between');
"""
RUNS = ("r", "fork", "fork of fork", "done", "orphan", "of no parent", "adopted")


@pytest.fixture(scope="module")
def prepare():
    def prepare(connection):
        connection.execute("CREATE EXTENSION layra_state")
        connection.execute(EVERYTHING)

    return prepare


@pytest.fixture
def db(connect):
    return connect()


def export(connection, run_id="r"):
    """As a file has it."""
    return [line for (line,) in connection.execute("SELECT layra.export_run(%s)::text", [run_id])]


def things(lines, name):
    return [line[name] for line in map(json.loads, lines) if name in line]


def test_everything_of_a_run_is_in_it(db):
    lines = export(db)
    assert [json.loads(line)["line"] for line in lines] == list(range(1, len(lines) + 1))
    events = db.execute("""
        SELECT version, type, payload, cardinality(changed), actor, on_behalf_of, (extract(epoch FROM at) * 1000000)::bigint, idempotency_key,
            checkpoint_kind, checkpoint_label, encode(hash, 'hex') FROM layra.event WHERE run_id = 'r' ORDER BY version""").fetchall()
    found = [
        (e["version"], e["type"], e["payload"], e["cells"], e["actor"], e.get("on_behalf_of"), e["at"], e.get("idempotency_key"),
         e.get("checkpoint", {}).get("kind"), e.get("checkpoint", {}).get("label"), e["hash"]) for e in things(lines, "event")
    ]  # fmt: skip
    assert found == events
    # Whole values, where the table has deltas.
    assert db.execute("SELECT count(*) FROM layra.cell WHERE run_id = 'r' AND base IS NOT NULL").fetchone()[0] >= 4
    variables = db.execute("""
        SELECT h.version, k.key, h.revision, h.value FROM (SELECT DISTINCT key FROM layra.cell WHERE run_id = 'r' AND scope = 'variable') k,
            layra.history('r', k.key) h ORDER BY h.version, k.key COLLATE "C" """).fetchall()
    cells = things(lines, "cell")
    assert [(c["version"], c["key"], c["revision"], c.get("value")) for c in cells if c["scope"] == "variable"] == variables
    assert len(cells) == db.execute("SELECT count(*) FROM layra.cell WHERE run_id = 'r'").fetchone()[0]
    for table, name in (("checkpoint", "checkpoint"), ("interaction", "interaction"), ("lease", "lease")):
        assert len(things(lines, name)) == db.execute(f"SELECT count(*) FROM layra.{table} WHERE run_id = 'r'").fetchone()[0] > 1
    assert {thing["status"] for thing in things(lines, "interaction")} == {"answered", "withdrawn"}
    assert len(things(lines, "graph")) == 2 and len(things(lines, "definition")) == 1 and len(things(lines, "seal")) == 2
    (trailer,), (digest,) = things(lines, "trailer"), db.execute("SELECT layra.digest('r')").fetchone()
    assert trailer["head_hash"] == digest and trailer["version"] == events[-1][0] and trailer["lines"] == len(lines)


def test_the_keys_that_a_fork_inherits(db):
    """As it has them from runs that are there, and from those that were dropped; each with what used it."""
    assert things(export(db), "key") == []
    inherited = [{"key": "start", "type": "run.started"}]
    assert things(export(db, "fork"), "key") == inherited
    inherited = [{"key": "forked", "type": "run.forked"}, {"key": "own", "type": "variables.set"}, *inherited]
    assert things(export(db, "fork of fork"), "key") == inherited
    assert things(export(db, "orphan"), "key") == [{"key": "parent", "type": "run.started"}]
    assert things(export(db, "adopted"), "key") == [{"key": "between", "type": "x"}, {"key": "g", "type": "run.started"}]
    assert [things(export(db, run_id), "header")[0].get("parent") for run_id in ("fork", "orphan", "adopted")] == [
        None, None, {"run_id": "of no parent", "version": 1}]  # fmt: skip


def test_many_keys(db):
    """More than are read at once, of a run that is there and of one that was dropped; and a key that was used over and over."""
    with db.transaction(force_rollback=True):
        db.execute("""
            SELECT layra.start_run('many'), layra.checkpoint('many', 'start');
            SELECT layra.append_event('many', 'x', idempotency_key => 'again'), layra.rollback_to('many', 'start') FROM generate_series(1, 1100);
            SELECT layra.append_event('many', 'x', idempotency_key => 'a' || n) FROM generate_series(1, 1500) n;
            SELECT layra.fork_run('many', 'second');
            SELECT layra.append_event('second', 'y', idempotency_key => 'b' || n) FROM generate_series(1, 1500) n;
            SELECT layra.fork_run('second', 'third'), layra.drop_run('second')""")
        keys = sorted([f"a{n}" for n in range(1, 1501)] + [f"b{n}" for n in range(1, 1501)])
        assert [thing["key"] for thing in things(export(db, "third"), "key")] == keys


@pytest.mark.parametrize("run_id", RUNS)
def test_the_program_verifies_it(db, run_id):
    (version, digest), lines = db.execute("SELECT max(version), layra.digest(%s) FROM layra.event WHERE run_id = %s", [run_id, run_id]).fetchone(), export(db, run_id)
    found = verify_export.verify(lines)
    assert (found.header["run_id"], found.version, found.head.hex(), found.hash.digest().hex()) == (
        run_id, version, digest, things(lines, "trailer")[0]["hash"])  # fmt: skip


def altered(line, more=True):
    """The line with each of its values altered, one at a time; with each member left out; and with one more."""
    thing = verify_export.parse(line)

    def changes(value):
        if isinstance(value, verify_export.Number):
            yield verify_export.Number(str(int(value) + 1) if value.lstrip("-").isdigit() else value + "1")
        elif isinstance(value, str):
            yield value + "x"
            yield None
        elif isinstance(value, bool):
            yield not value
        elif value is None:
            yield verify_export.Number("0")
        elif isinstance(value, list):
            yield [*value, None]
            for index, element in enumerate(value[:3]):
                yield from ([*value[:index], other, *value[index + 1 :]] for other in changes(element))
                yield [*value[:index], *value[index + 1 :]]
        else:
            if more:
                yield value | {"one more": None}
            for key, member in value.items():
                yield from (value | {key: other} for other in changes(member))
                yield {other: kept for other, kept in value.items() if other != key}

    return [verify_export.text_of(other) for other in changes(thing)]


def test_the_program_finds_whatever_was_altered(db):
    lines = export(db)
    tried = 0
    for index, line in enumerate(lines):
        for other in altered(line):
            tried += 1
            with pytest.raises(verify_export.Wrong):
                verify_export.verify([*lines[:index], other, *lines[index + 1 :]])
                pytest.fail(f"line {index + 1}: {other[-200:]} {line[-200:]}")
    assert tried > 500


def test_the_program_finds_lines_that_are_missing_twice_or_elsewhere(db):
    lines = export(db)
    for index, line in enumerate(lines):
        for others in (
            lines[:index] + lines[index + 1 :], lines[: index + 1] + lines[index:], lines[:index] + ["", *lines[index:]], lines[:index],
            [*lines[:index], *lines[index + 1 : index + 2], line, *lines[index + 2 :]] if index + 1 < len(lines) else [*lines, line],
        ):  # fmt: skip
            with pytest.raises(verify_export.Wrong):
                verify_export.verify(others)


def test_hashes_that_were_made_again_betray_what_the_chain_has(db):
    """Who alters a line and makes the hash of all lines fit: the events, values, definitions, graphs and seals do not."""
    lines = export(db)

    class Closed(verify_export.Export):
        def compare(self, trailer):
            self.trailer = {"lines": str(self.lines), "hash": self.hash.digest().hex()}

    for index, line in enumerate(lines):
        name = next(key for key in json.loads(line) if key != "line")
        if name not in ("event", "cell", "graph", "definition", "seal"):
            continue
        for other in altered(line, more=False):
            with pytest.raises((verify_export.Wrong, ValueError, KeyError, TypeError, AttributeError)):
                found = Closed()
                for text in [*lines[:index], other, *lines[index + 1 :]]:
                    found.line(text)
                pytest.fail(f"line {index + 1}: {other[-200:]} {line[-200:]}")


def test_the_program_as_it_is_called(db, tmp_path):
    lines, program = export(db), EXAMPLES / "verify_export.py"
    sound, broken, copied = (tmp_path / name for name in ("sound", "broken", "copied"))
    sound.write_text("\n".join(lines) + "\n", encoding="utf-8")
    broken.write_text("\n".join(lines[:-1]) + "\n", encoding="utf-8")
    with db.cursor().copy("COPY (SELECT layra.export_run('r')) TO STDOUT") as copy:
        copied.write_bytes(b"".join(copy))

    def call(*arguments, **options):
        done = subprocess.run([sys.executable, program, *arguments], capture_output=True, text=True, encoding="utf-8", **options)
        assert done.stderr == ""
        return done.returncode, done.stdout

    said = f"r {things(lines, 'trailer')[0]['version']} {things(lines, 'trailer')[0]['head_hash']} {things(lines, 'trailer')[0]['hash']}\n"
    assert call(sound) == (0, said)
    assert call("-", input=sound.read_text(encoding="utf-8")) == (0, said)
    assert call("--copy", copied) == (0, said)
    assert call(broken, sound) == (1, f"{broken}: the trailer is missing\n{said}")
    assert call(copied)[0] == 1


def test_lines_come_from_one_moment(connect):
    """What others write meanwhile is in none of them."""
    reader, writer = connect(), connect()
    with reader.transaction(force_rollback=True), reader.cursor(name="slow") as cursor:
        writer.execute("SELECT layra.start_run('moving'), layra.set_variable('moving', 'v', to_jsonb(repeat(md5(n::text), 1000))) FROM generate_series(1, 1) n")
        writer.execute("SELECT layra.set_variable('moving', 'v', to_jsonb(repeat(md5(n::text), 1000))) FROM generate_series(1, 100) n")
        cursor.execute("SELECT layra.export_run('moving')::text")
        first, (version,) = cursor.fetchone(), writer.execute("SELECT max(version) FROM layra.event WHERE run_id = 'moving'").fetchone()
        writer.execute("SELECT layra.append_event('moving', 'late'), layra.hold_run('moving', 'late')")
        lines = [line for (line,) in [first, *cursor]]
    found = verify_export.verify(lines)
    assert found.version == version > 100 and "hold" not in found.header
    writer.execute("SELECT layra.release_run('moving'), layra.drop_run('moving')")


def test_a_run_of_somebody_else_is_not_exported(connect, role):
    db, alice, bob = connect(), role("alice"), role("bob")
    db.execute(f"SELECT layra.grant_access('{alice}', 'writer'), layra.grant_access('{bob}', 'writer')")
    connect(role=alice).execute("SELECT layra.start_run('of alice')")
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        connect(role=bob).execute("SELECT layra.export_run('of alice')")
    db.execute(f"SELECT layra.grant_access('{bob}', 'auditor')")
    assert verify_export.verify(export(connect(role=bob), "of alice")).header["owner"] == alice


def test_what_is_damaged_is_said(db):
    with db.transaction(force_rollback=True):
        db.execute("DELETE FROM layra.cell WHERE run_id = 'r' AND key = 'list' AND base IS NULL")
        with pytest.raises(psycopg.errors.DataCorrupted):
            export(db)
