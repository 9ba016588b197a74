"""Large values are stored as what changed, and nobody notices: every read gives, byte by byte, what was written."""

import json
from random import Random

import psycopg
import pytest
from ways import prepare  # noqa: F401

LONGEST = 128


def noise(random, length):
    """Text that does not compress."""
    return "".join(random.choices("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+/é🦀", k=length))


def message(random, number):
    return {"id": number, "role": random.choice(["user", "tool"]), "content": noise(random, 150), "meta": {"n": [number, None]}}


def growing_list(random):
    items = [noise(random, 200) for _ in range(30)]
    for number in range(60):
        items.append(f"{number} {noise(random, 200)}")
        yield json.dumps(items)


def sliding_window(random):
    items = [message(random, number) for number in range(40)]
    for number in range(40, 90):
        items = [*items[1:], message(random, number)]
        yield json.dumps(items)


def edited_list(random):
    items = [message(random, number) for number in range(40)]
    for number in range(60):
        place = random.randrange(len(items))
        match number % 6:
            case 0:
                items.insert(place, message(random, number))
            case 1:
                del items[place]
            case 2:
                items[place]["content"] += " and more"
            case 3:
                items[place] = [items[place], [[]], {}]
            case 4:
                items = items[: 3 * len(items) // 4] + [True, None, "🙂"]
            case 5:
                items = [*items, *(message(random, number) for _ in range(9))]
        items = [item if isinstance(item, dict) else message(random, number) for item in items]
        yield json.dumps(items, ensure_ascii=False)


def nested_messages(random):
    """As LangGraph keeps them: a list deep in an object, of which little else changes."""
    state = {"config": {f"k{n}": noise(random, 80) for n in range(40)}, "channels": {"messages": [], "step": 0}}
    for step in range(60):
        state["channels"]["messages"].append(message(random, step))
        state["channels"]["step"] = step
        yield json.dumps(state)


def keys_of_an_object(random):
    members = {f"{'é' * (n % 5)}{n}": noise(random, 120) for n in range(80)}
    for number in range(60):
        key = random.choice(list(members))
        match number % 4:
            case 0:
                members[key] = noise(random, 120)
            case 1:
                del members[key]
            case 2:
                members[f"new {number}"] = number
            case 3:
                members[key] = {"deeper": {"text": noise(random, 3000), "n": number}}
        yield json.dumps(members)


def growing_text(random):
    text = noise(random, 8000)
    for number in range(60):
        text = [text + noise(random, 90), text[:4000] + "é🦀" + text[4000:], text[50:], text[:-3]][number % 4]
        yield json.dumps(text, ensure_ascii=False)


def numbers(random):
    """Numbers of equal value that are not the same, and such as no float can hold."""
    spellings = ["1", "1.0", "1.00", "10e-1", "0.1e400", "9" * 400, "-0.000", "1.5e-300"]
    items = [f"{n}.{n % 7}0" for n in range(1500)]
    for _ in range(60):
        items[random.randrange(len(items))] = random.choice(spellings)
        yield f'{{"numbers": [{",".join(items)}], "scale": {random.choice(spellings)}}}'


def deep_nesting(random):
    filling = json.dumps([noise(random, 1000) for _ in range(60)])
    for number in range(30):
        yield f"[{filling}, {'[' * 1000}{number}{']' * 1000}, {number}]"


def arrays_of_arrays(random):
    rows = [[random.randrange(1000) for _ in range(40)] for _ in range(50)]
    for _ in range(60):
        rows[random.randrange(50)][random.randrange(40)] = random.randrange(1000)
        rows.append([[], [[]], [random.random()]])
        yield json.dumps(rows)


def from_one_kind_to_another(random):
    items = [noise(random, 200) for _ in range(40)]
    for number in range(24):
        items.append(noise(random, 200))
        yield json.dumps([items, {"list": items}, "".join(items), items, 7, "short", items, items][number % 8])


KINDS = [growing_list, sliding_window, edited_list, nested_messages, keys_of_an_object, growing_text, numbers, deep_nesting,
         arrays_of_arrays, from_one_kind_to_another]  # fmt: skip


@pytest.fixture
def db(admin):
    admin.execute("CREATE TEMPORARY TABLE IF NOT EXISTS written (version bigint PRIMARY KEY, value jsonb)")
    admin.execute("TRUNCATE written")
    return admin


def write(db, run_id, values, begin="BEGIN"):
    """Sets the variable v to each of the values, and notes in `written` what it was at which version."""
    db.execute("SELECT layra.start_run(%s)", [run_id])
    for value in values:
        db.execute(begin)
        db.execute(
            "INSERT INTO written SELECT layra.set_variable(%s, 'v', %s::jsonb), %s::jsonb ON CONFLICT DO NOTHING",
            [run_id, value, value],
        )
        db.execute("COMMIT")


def stored(db, run_id, key="v"):
    """(version, base, bytes of the row's value) of a cell's rows."""
    return db.execute(
        "SELECT version, base, pg_column_size(value) FROM layra.cell WHERE run_id = %s AND key = %s ORDER BY version", [run_id, key]
    ).fetchall()  # fmt: skip


# What a read gives for every version in `written`, as rows (version, value).
READS = {
    "get_variable": "SELECT w.version, layra.get_variable(%(run)s, 'v', w.version) FROM written w",
    "get_variables": "SELECT w.version, layra.get_variables(%(run)s, '{v}', w.version) -> 'v' FROM written w",
    "all variables": "SELECT w.version, layra.get_variables(%(run)s, NULL, w.version) -> 'v' FROM written w",
    "cells": "SELECT w.version, c.value FROM written w, layra.cells(%(run)s, 'variable', w.version) c WHERE c.key = 'v'",
    "get_state": "SELECT w.version, layra.get_state(%(run)s, w.version) #> '{global_variables,v}' FROM written w",
    "history": "SELECT h.version, h.value FROM layra.history(%(run)s, 'v') h WHERE h.value IS NOT NULL",
    "diff": "SELECT w.version, d.new_value FROM written w, layra.diff(%(run)s, 1, w.version) d WHERE d.key = 'v'",
    "diff backwards": "SELECT w.version, d.old_value FROM written w, layra.diff(%(run)s, w.version, 1) d WHERE d.key = 'v'",
}
NEWEST = {
    "get_variable": "SELECT layra.get_variable(%(run)s, 'v')",
    "get_variables": "SELECT layra.get_variables(%(run)s, '{v}') -> 'v'",
    "all variables": "SELECT layra.get_variables(%(run)s) -> 'v'",
    "cells": "SELECT value FROM layra.cells(%(run)s) WHERE key = 'v'",
    "view": "SELECT value FROM layra.variables WHERE run_id = %(run)s AND name = 'v'",
    "get_state": "SELECT layra.get_state(%(run)s) #> '{global_variables,v}'",
}


def assert_reads(db, run_id):
    """Every read function gives what was written, in the same bytes (record_image_eq compares the binary form)."""
    for name, query in READS.items():
        wrong = db.execute(
            f"SELECT w.version FROM written w LEFT JOIN ({query}) r (version, value) USING (version)"
            " WHERE NOT record_image_eq(ROW(w.value), ROW(r.value))",
            {"run": run_id},
        ).fetchall()
        assert wrong == [], name
    for name, query in NEWEST.items():
        (same,) = db.execute(
            f"SELECT record_image_eq(ROW(({query})), ROW((SELECT value FROM written ORDER BY version DESC LIMIT 1)))",
            {"run": run_id},
        ).fetchone()
        assert same, name
    assert db.execute("SELECT * FROM layra.verify(%s)", [run_id]).fetchall() == []


def assert_bounded(rows):
    """Chains are short, and take no more than the value that they lead to."""
    length = bytes_ = 0
    whole = {}
    for version, base, size in rows:
        if base is None:
            length = bytes_ = 0
            whole[version] = size
        else:
            length, bytes_ = length + 1, bytes_ + size
            assert base == max(whole), "a chain begins at the last whole value"
            assert length <= LONGEST and bytes_ <= 2 * whole[base]


@pytest.mark.parametrize("kind", KINDS)
def test_every_read_gives_what_was_written(db, kind):
    run_id = kind.__name__
    write(db, run_id, kind(Random(run_id)))
    rows = stored(db, run_id)
    assert sum(base is not None for _, base, _ in rows) > len(rows) / 6
    assert_bounded(rows)
    assert_reads(db, run_id)


@pytest.mark.parametrize("seed", range(6))
def test_random_changes_of_random_values(db, seed):
    random = Random(f"changes {seed}")

    def some(depth):
        kind = random.randrange(8 if depth else 5)
        if kind < 2:
            return noise(random, random.choice([0, 3, 300]))
        if kind < 5:
            return random.choice([None, True, False, 0, -1, 10**30, 1.5])
        if kind < 7:
            return [some(depth - 1) for _ in range(random.randrange(12))]
        return {noise(random, random.randrange(3)): some(depth - 1) for _ in range(random.randrange(12))}

    def changed(value, depth=4):
        if depth and isinstance(value, list) and value:
            place = random.randrange(len(value))
            return random.choice([
                lambda: [*value, some(2)], lambda: value[place:], lambda: value[: place + 1], lambda: [*value[:place], some(1), *value[place:]],
                lambda: [*value[:place], *value[place + 1 :]], *[lambda: [*value[:place], changed(value[place], depth - 1), *value[place + 1 :]]] * 4,
            ])()  # fmt: skip
        if depth and isinstance(value, dict) and value:
            key = random.choice(list(value))
            return random.choice([
                lambda: value | {noise(random, 2): some(2)}, lambda: {k: v for k, v in value.items() if k != key},
                *[lambda: value | {key: changed(value[key], depth - 1)}] * 4,
            ])()  # fmt: skip
        return some(depth)

    def values():
        value = [{"fixed": noise(random, 6000)}, *[some(4) for _ in range(30)]]
        for _ in range(80):
            before, value = json.dumps(value), changed(value)
            if not isinstance(value, list) or len(value) < 20:
                value = [noise(random, 5000), *[some(3) for _ in range(20)]]
            # A write that changes nothing adds no row.
            if json.dumps(value) != before:
                yield json.dumps(value)

    run_id = f"random {seed}"
    write(db, run_id, values())
    assert_bounded(stored(db, run_id))
    assert_reads(db, run_id)


@pytest.mark.parametrize("level", ["READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"])
def test_a_long_list_takes_what_it_grows_by_at_every_level(db, level):
    """500 messages of 200 bytes: 25 MB as whole values. A chain ends after 128 patches, however long the list."""
    random = Random(level)
    items = []

    def values():
        for _ in range(500):
            items.append(noise(random, 200))
            yield json.dumps(items)

    write(db, f"long {level}", values(), f"BEGIN ISOLATION LEVEL {level}")
    rows = stored(db, f"long {level}")
    assert len(rows) == 500
    assert_bounded(rows)
    assert sum(size for *_, size in rows) < 700_000
    assert sum(base is None for _, base, _ in rows) < 35
    assert_reads(db, f"long {level}")


def test_small_values_and_those_of_the_extension_are_whole(db):
    db.execute("SELECT layra.start_run('small')")
    for number in range(30):
        db.execute("SELECT layra.set_variable('small', 'v', %s::jsonb)", [json.dumps(["x" * 40] * 80 + [number])])
        state = {"execution_status": {f"node {n}": n > number for n in range(300)}, "loop_index": {}, "note": "x"}
        db.execute("SELECT layra.save_state('small saved', %s::jsonb)", [json.dumps(state)])
    assert db.execute("SELECT count(*) FROM layra.cell WHERE run_id LIKE 'small%%' AND base IS NOT NULL").fetchone() == (0,)


def test_a_value_that_is_unset_or_small_in_between_starts_anew(db):
    random = Random("between")
    items = [noise(random, 200) for _ in range(40)]
    db.execute("SELECT layra.start_run('between')")

    def save(value):
        if value is None:
            db.execute("SELECT layra.unset_variables('between', '{v}')")
        else:
            db.execute(
                "INSERT INTO written SELECT layra.set_variable('between', 'v', %s::jsonb), %s::jsonb", [json.dumps(value)] * 2
            )

    for value in (items, items[:-1], None, items, [*items, 1], 7, items, items[1:], None, items[1:], items):
        save(value)
    assert [base is not None for _, base, _ in stored(db, "between")] == [
        False, True, False, False, True, False, False, True, False, False, True]  # fmt: skip
    assert_reads(db, "between")


def test_rollbacks_and_forks_have_the_old_values(db):
    random = Random("rollbacks")
    write(db, "rolled", growing_list(random))
    versions = [version for (version,) in db.execute("SELECT version FROM written ORDER BY version").fetchall()]
    patched = {version for version, base, _ in stored(db, "rolled") if base is not None}
    for version in (versions[7], versions[40], versions[0], versions[-1]):
        db.execute("SELECT layra.rollback('rolled', %s)", [version])
        new = db.execute("SELECT max(version) FROM layra.event WHERE run_id = 'rolled'").fetchone()[0]
        db.execute("INSERT INTO written SELECT %s, value FROM written WHERE version = %s", [new, version])
    assert patched & {versions[7], versions[40], versions[-1]}
    assert_reads(db, "rolled")
    assert_bounded(stored(db, "rolled"))

    for version in (versions[7], versions[40], versions[-1]):
        db.execute("SELECT layra.fork_run('rolled', %s, %s)", [f"fork {version}", version])
        assert stored(db, f"fork {version}")[0][1] is None
        db.execute(
            "SELECT layra.set_variable(%s, 'v', (SELECT value || '[\"more\"]' FROM written WHERE version = %s))",
            [f"fork {version}", version],
        )
        (same,) = db.execute(
            "SELECT array_agg(record_image_eq(ROW(h.value), ROW(CASE h.revision WHEN 1 THEN w.value ELSE w.value || '[\"more\"]' END)))"
            " FROM written w, layra.history(%s, 'v') h WHERE w.version = %s",
            [f"fork {version}", version],
        ).fetchone()
        assert same == [True, True]
        assert db.execute("SELECT * FROM layra.verify(%s)", [f"fork {version}"]).fetchall() == []


def test_several_updates_in_one_change_follow_each_other(db):
    random = Random("batch")
    items = [noise(random, 200) for _ in range(60)]
    updates = [items, [*items, 1], [*items, 1, 2], "small", [*items, 3], [*items, 3, 4], items[:50]]
    db.execute("SELECT layra.start_run('batch')")
    for _ in range(2):
        events = [{"type": "app.step", "updates": {"v": value, "w": 1, "x": [value, 1]}} for value in updates]
        (last,) = db.execute("SELECT layra.append_events('batch', %s::jsonb)", [json.dumps(events)]).fetchone()
        for version, value in enumerate(updates, start=last - len(updates) + 1):
            db.execute("INSERT INTO written VALUES (%s, %s::jsonb)", [version, json.dumps(value)])
    bases = [base is not None for _, base, _ in stored(db, "batch")]
    assert bases == [False, True, True, False, False, True, True, True, True, True, False, False, True, True]
    assert_reads(db, "batch")


def test_documents_with_large_entries_and_fields(db):
    random = Random("documents")
    log = [noise(random, 100) for _ in range(60)]
    entry = {"output": [message(random, number) for number in range(40)]}
    saved = {}
    for number in range(40):
        log.append(noise(random, 100))
        entry["output"][number % 40]["role"] = f"changed {number}"
        state = {
            "context": {"node": [entry, "small", entry["output"][: 20 + number % 5]]},
            "global_variables": {"v": {"log": log, "n": number}},
            "execution_stack": log,
            "extra": {"deep": [entry]},
        }
        (version,) = db.execute("SELECT layra.save_state('saved', %s::jsonb)", [json.dumps(state)]).fetchone()
        saved[version] = json.dumps(state)
    for scope in ("context", "variable", "engine"):
        (patches,) = db.execute(
            "SELECT count(*) FROM layra.cell WHERE run_id = 'saved' AND scope = %s AND base IS NOT NULL", [scope]
        ).fetchone()
        assert patches > 20, scope
    for version, state in saved.items():
        (same,) = db.execute("SELECT record_image_eq(ROW(layra.get_state('saved', %s)), ROW(%s::jsonb))", [version, state]).fetchone()
        assert same, version
    rows = db.execute("SELECT ordinal, value, bytes, octet_length(value::text) FROM layra.context('saved', 'node')").fetchall()
    assert [row[1] for row in sorted(rows)] == json.loads(saved[max(saved)])["context"]["node"]
    assert all(row[2] == row[3] for row in rows)
    assert db.execute("SELECT * FROM layra.verify('saved')").fetchall() == []


def test_merges_and_conflicts_see_whole_values(db):
    random = Random("merge")
    base = {f"k{n}": noise(random, 120) for n in range(60)}
    db.execute("SELECT layra.start_run('merge')")
    set_v = "SELECT layra.set_variable('merge', 'v', %s::jsonb)"
    db.execute(set_v, [json.dumps(base)])
    (at,) = db.execute(set_v, [json.dumps(base | {"a": 1})]).fetchone()
    db.execute(set_v, [json.dumps(base | {"a": 1, "theirs": 2})])
    assert [b is not None for _, b, _ in stored(db, "merge")] == [False, True, True]
    ours = json.dumps({"v": base | {"a": 1, "ours": 3}})
    db.execute("SELECT layra.set_variables('merge', %s::jsonb, expected_version => %s, on_conflict => 'merge')", [ours, at])
    merged = base | {"a": 1, "theirs": 2, "ours": 3}
    assert db.execute("SELECT layra.get_variable('merge', 'v')").fetchone() == (merged,)
    committed, _, conflicts = db.execute(
        "SELECT * FROM layra.try_set_variables('merge', '{\"v\": 1}', expected_variables => %s)", [json.dumps({"v": at})]
    ).fetchone()
    assert not committed and conflicts[0]["theirs"] == merged


def test_the_output_of_a_completed_node_that_was_changed(db):
    random = Random("output")
    output = [noise(random, 200) for _ in range(40)]
    db.execute("SELECT layra.start_run('output')")
    db.execute("SELECT layra.begin_node('output', 'n')")
    db.execute("SELECT layra.complete_node('output', 'n', %s::jsonb)", [json.dumps(output)])
    (state,) = db.execute("SELECT layra.get_state('output')").fetchone()
    state["context"]["n"][0].append("changed")
    db.execute("SELECT layra.save_state('output', %s::jsonb)", [json.dumps(state)])
    assert any(base for _, base, _ in stored(db, "output", "n"))
    status, found = db.execute("SELECT status, output FROM layra.begin_node('output', 'n')").fetchone()
    assert (status, found) == ("completed", [*output, "changed"])


# --- what was changed behind the extension's back

PATCH = "run_id = %(run)s AND key = 'v' AND version = %(patch)s"
TAMPERED = {
    "another patch that fits": (f"UPDATE layra.cell SET value = jsonb_set(value, '{{1}}', '[1]') WHERE {PATCH}", None),
    "a patch that does not fit": (f"UPDATE layra.cell SET value = '[\"0 9999\"]' WHERE {PATCH}", "XX001"),
    "a patch of another type": (f"UPDATE layra.cell SET value = '{{\"x\": 1}}' WHERE {PATCH}", "XX001"),
    "no patch at all": (f"UPDATE layra.cell SET value = '7' WHERE {PATCH}", "XX001"),
    "a patch that is gone": (f"UPDATE layra.cell SET value = NULL WHERE {PATCH}", "XX001"),
    "a deep patch": (f"UPDATE layra.cell SET value = (repeat('{{\"p\":{{\"a\":', 500) || '[]' || repeat('}}}}', 500))::jsonb WHERE {PATCH}", "XX001"),
    "a base that is no row": (f"UPDATE layra.cell SET base = 1 WHERE {PATCH}", "XX001"),
    "a base that is a patch": (f"UPDATE layra.cell SET base = version - 1 WHERE {PATCH}", "XX001"),
    "itself as base": (f"UPDATE layra.cell SET base = version WHERE {PATCH}", "XX001"),
    "a patch that is said to be whole": (f"UPDATE layra.cell SET base = NULL WHERE {PATCH}", "XX001"),
    "a whole value that is said to be a patch": (
        "UPDATE layra.cell SET base = 1 WHERE run_id = %(run)s AND key = 'v' AND version = %(base)s", "XX001"),
    "a whole value that is gone": ("DELETE FROM layra.cell WHERE run_id = %(run)s AND key = 'v' AND version = %(base)s", "XX001"),
    "a row that is gone": (f"DELETE FROM layra.cell WHERE {PATCH}", "XX001"),
    "another whole value": (
        "UPDATE layra.cell SET value = (SELECT jsonb_agg(0) FROM generate_series(1, jsonb_array_length(value)))"
        " WHERE run_id = %(run)s AND key = 'v' AND version = %(base)s", None),
    "an empty whole value": ("UPDATE layra.cell SET value = '[]' WHERE run_id = %(run)s AND key = 'v' AND version = %(base)s", "XX001"),
}  # fmt: skip


@pytest.mark.parametrize("what", TAMPERED)
def test_tampering_is_found(db, raises, what):
    run_id = f"tampered: {what}"
    random = Random(run_id)
    items = [noise(random, 200) for _ in range(50)]
    write(db, run_id, [json.dumps([*items, *map(str, range(number))]) for number in range(10)])
    rows = stored(db, run_id)
    (base,) = [version for version, on, _ in rows if on is None]
    patch, last = rows[5][0], rows[-1][0]
    assert db.execute("SELECT * FROM layra.verify(%s)", [run_id]).fetchall() == []
    sql, sqlstate = TAMPERED[what]
    done = db.execute(sql, {"run": run_id, "patch": patch, "base": base})
    assert done.rowcount == 1

    problems = db.execute("SELECT version, problem FROM layra.verify(%s)", [run_id]).fetchall()
    assert any("v" in problem for _, problem in problems) and all(version is not None for version, _ in problems[:1])
    reads = ("SELECT layra.get_variable(%(run)s, 'v', %(last)s)", "SELECT layra.get_state(%(run)s)", "SELECT * FROM layra.history(%(run)s, 'v')",
             "SELECT * FROM layra.diff(%(run)s, 1)", "SELECT layra.fork_run(%(run)s, %(run)s || ' fork')")  # fmt: skip
    for read in reads:
        try:
            db.execute(read, {"run": run_id, "last": last})
        except psycopg.Error as error:
            assert sqlstate == error.sqlstate == "XX001"
            assert error.diag.message_hint.startswith("Run layra.verify")
    if sqlstate:
        with raises(sqlstate):
            db.execute("SELECT layra.get_variable(%s, 'v', %s)", [run_id, last])
    # It is no obstacle to going on.
    db.execute("SELECT layra.set_variable(%s, 'v', %s::jsonb)", [run_id, json.dumps([*items, "repaired"])])
    db.execute("SELECT layra.set_variable(%s, 'v', %s::jsonb)", [run_id, json.dumps([*items, "repaired", 2])])
    assert db.execute("SELECT layra.get_variable(%s, 'v')", [run_id]).fetchone() == ([*items, "repaired", 2],)
