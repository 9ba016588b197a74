"""The hash chain of runs whose values stand as deltas, recomputed from plain rows: by `chain.py`, and by the program that
docs/hash-chain.md shows.
"""

import json
import os
import random
import re
import subprocess
import sys
from pathlib import Path

import chain
import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict
from ways import prepare  # noqa: F401

PAGE = Path(__file__).resolve().parents[2] / "docs" / "hash-chain.md"
WORDS = ["plain", "naïve ß", "🙂🙂", "tab\t\x07", 'quoted " \\ /', "", "7 1 x", "2 3", "p", "r", "s"]


def edited(value, rng):
    """The same with a small change somewhere."""
    if isinstance(value, str):
        at = rng.randrange(len(value) + 1)
        return value[:at] + rng.choice(WORDS) + value[at + rng.randrange(9) :]
    if isinstance(value, list) and value:
        at, kind = rng.randrange(len(value)), rng.randrange(4)
        if kind == 0:
            return value[: at // 9] + value[at // 9 + 1 :] + [rng.choice(WORDS)]
        if kind == 1:
            return value[:at] + [rng.choice(WORDS), {"new": [at, None, 1.5]}] + value[at:]
        if kind == 2:
            return value[:at] + value[at + 1 + rng.randrange(3) :]
        return value[:at] + [edited(value[at], rng)] + value[at + 1 :]
    if isinstance(value, dict) and value:
        key, kind = rng.choice(list(value)), rng.randrange(3)
        if kind == 0:
            return {other: part for other, part in value.items() if other != key}
        if kind == 1:
            return value | {rng.choice(WORDS) + str(rng.randrange(99)): rng.choice(WORDS)}
        return value | {key: edited(value[key], rng)}
    return rng.choice(WORDS)


def first_values(rng):
    text = "".join(rng.choice(WORDS) for _ in range(1500))
    rows = [{"n": n, "text": rng.choice(WORDS) * 9, "list": [n, True, None]} for n in range(120)]
    nested = {f"key {n}": {"inner": [str(n) * 20, {"deep": n / 8}]} for n in range(150)}
    return {"text": text, "rows": rows, "nested": nested, "words": [rng.choice(WORDS) + str(n) for n in range(700)]}


def verified(connection, run_id):
    return connection.execute("SELECT * FROM layra.verify(%s)", [run_id]).fetchall()


@pytest.fixture(scope="module")
def deltas(dsn):
    """A run of many small changes of large values of every form, with rollbacks and a fork; its name, and the fork's."""
    rng = random.Random(7)
    with psycopg.connect(dsn, autocommit=True) as connection:

        def call(sql, *arguments):
            return connection.execute(f"SELECT * FROM layra.{sql}", arguments).fetchone()[0]

        values = first_values(rng)
        # PostgreSQL keeps how a number is written.
        numbers = "[" + ", ".join(f"{n}.{'0' * (n % 5 + 1)}" for n in range(900)) + ", 1e400, -0.10]"
        call("start_run('deltas', variables => %s::jsonb)", json.dumps(values))
        call("set_variable('deltas', 'numbers', %s::jsonb)", numbers)
        for turn in range(200):
            name = rng.choice(list(values))
            values[name] = edited(values[name], rng)
            call("set_variable('deltas', %s, %s::jsonb)", name, json.dumps(values[name]))
            call("set_variable('deltas', 'numbers', jsonb_set(layra.get_variable('deltas', 'numbers'), ARRAY[%s::text], '2.50'))",
                 turn)  # fmt: skip
            if turn % 70 == 69:
                call("rollback('deltas', %s)", 60 + turn)
                values |= call("get_variables('deltas', %s)", list(values))
        call("fork_run('deltas', 'fork of deltas', 150)")
        call("set_variable('fork of deltas', 'text', to_jsonb(layra.get_variable('fork of deltas', 'text') #>> '{}' || '!'))")
    return ["deltas", "fork of deltas"]


def test_values_that_stand_as_deltas_come_out(deltas, admin):
    for run_id in deltas:
        assert chain.problems(admin, run_id) == verified(admin, run_id) == []
    counts = admin.execute(
        "SELECT key, count(DISTINCT base), count(base) FROM layra.cell WHERE run_id = 'deltas' GROUP BY key"
    ).fetchall()
    assert len(counts) == 5 and all(bases >= 2 and rows >= 20 for _, bases, rows in counts), counts


def test_a_changed_delta_does_not_come_out(deltas, admin):
    """As `verify` finds it, too."""
    with admin.transaction(force_rollback=True):
        admin.execute(
            "UPDATE layra.cell SET value = (SELECT value FROM layra.cell b WHERE b.run_id = a.run_id AND b.key = a.key"
            " AND b.version > a.version AND b.base = a.base ORDER BY b.version LIMIT 1) FROM (SELECT run_id, key, version, base"
            " FROM layra.cell WHERE run_id = 'deltas' AND key = 'numbers' AND base IS NOT NULL ORDER BY version LIMIT 1) a"
            " WHERE cell.run_id = a.run_id AND cell.key = a.key AND cell.version = a.version"
        )
        assert any("hash of variable/numbers" in problem for problem in chain.problems(admin, "deltas"))
        assert any("variable/numbers" in problem for _, _, problem in verified(admin, "deltas"))


def test_the_program_of_the_page_reads_an_export(deltas, admin, create_database):
    """As an auditor has it who does not trust the extension, or has it not: the rows of three tables in another database."""
    (program,) = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    elsewhere = create_database()
    with psycopg.connect(elsewhere, autocommit=True) as copy:
        copy.execute("CREATE SCHEMA layra")
        for table in ("event", "cell", "seal"):
            columns = admin.execute(
                "SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute"
                " WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum", [f"layra.{table}"]
            ).fetchall()  # fmt: skip
            listed = sql.SQL(", ").join(sql.SQL("{} ").format(sql.Identifier(name)) + sql.SQL(kind) for name, kind in columns)
            name = sql.Identifier("layra", table)
            copy.execute(sql.SQL("CREATE TABLE {} ({})").format(name, listed))
            with (
                admin.cursor().copy(sql.SQL("COPY {} TO STDOUT").format(name)) as out,
                copy.cursor().copy(sql.SQL("COPY {} FROM STDIN").format(name)) as into,
            ):
                for data in out:
                    into.write(data)

        def run():
            return subprocess.run(
                [sys.executable, "-c", program], capture_output=True, text=True,
                env=os.environ | {"PGDATABASE": conninfo_to_dict(elsewhere)["dbname"], "PYTHONIOENCODING": "utf-8"},
            )  # fmt: skip

        done = run()
        assert done.returncode == 0, done.stderr
        heads = dict(re.findall(r"^(.*) \d+ ([0-9a-f]{64})$", done.stdout, re.MULTILINE))
        assert set(deltas) == set(heads)
        for run_id, digest in heads.items():
            assert admin.execute("SELECT layra.digest(%s)", [run_id]).fetchone() == (digest,)
        copy.execute("UPDATE layra.cell SET value = '\"0 0 \"' WHERE run_id = 'deltas' AND key = 'text' AND base IS NOT NULL")
        assert "AssertionError" in run().stderr
