"""The programs in examples/, as a newcomer runs them: each with the real driver of its language, on a fresh database.

All of them take the same steps, so all of them print the same.
"""

import os
import subprocess
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict
from server import PATIENCE

ROOT = Path(__file__).parent.parent.parent

EXPECTED = """\
started run first steps at version 1
set the language at version 2
somebody else was faster (40001), trying again
added a fact at version 4
appended an event at version 5, on behalf of alice@example.com
took a checkpoint at version 6
wrote a draft at version 7
rolled back to the checkpoint, as version 8
{"hits": 2, "facts": ["the moon pulls", "the sun pulls too"], "topic": "tides", "language": "en"}
1 | run.started | WHO | changed variable/facts, variable/topic
2 | variables.set | WHO | changed variable/language
3 | variables.set | WHO | changed variable/facts
4 | variables.set | WHO | changed variable/facts
5 | agent.searched | WHO for alice@example.com | changed variable/hits
6 | checkpoint.created | WHO | checkpoint manual researched
7 | variables.set | WHO | changed variable/draft, variable/facts
8 | run.rolled_back | WHO | back to version 6 (researched); the draft lost the facts; changed variable/draft, variable/facts
"""


@pytest.fixture
def engine(create_database, role):
    """The connection parameters of an application's own role, which may write its own runs and no more, in a fresh
    database."""
    conninfo = create_database()
    engine = role("engine")
    with psycopg.connect(conninfo, autocommit=True) as connection:
        connection.execute("CREATE EXTENSION layra_state")
        connection.execute("SELECT layra.grant_access(%s, 'writer')", [engine])
    return conninfo_to_dict(conninfo, user=engine)


@pytest.fixture(scope="session")
def rust_example():
    """The path of the built program."""
    environment = os.environ | {"CARGO_TARGET_DIR": str(ROOT / "target/examples")}
    environment["PATH"] += f":{os.environ.get('CARGO_HOME', Path.home() / '.cargo')}/bin"
    build = ["cargo", "build", "--quiet", "--locked", "--manifest-path", str(ROOT / "examples/rust/Cargo.toml")]
    subprocess.run(build, check=True, env=environment, cwd=ROOT)
    return ROOT / "target/examples/debug/quickstart"


def run(command, database):
    """What a program prints, connected by the variables that every libpq program knows."""
    environment = os.environ | {"PGDATABASE": database["dbname"], "PGUSER": database["user"]}
    done = subprocess.run([*command, "first steps"], env=environment, capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


def check(output, database):
    assert output == EXPECTED.replace("WHO", database["user"])
    with psycopg.connect(dbname=database["dbname"]) as connection:
        assert connection.execute("SELECT * FROM layra.verify()").fetchall() == []
        row = connection.execute("SELECT run_id, owner, version, status FROM layra.runs").fetchone()
        assert row == ("first steps", database["user"], 8, "running")


def test_python(engine):
    check(run([ROOT / "target/venv/bin/python", ROOT / "examples/python/quickstart.py"], engine), engine)


def test_node(engine):
    check(run(["node", ROOT / "examples/node/quickstart.js"], engine), engine)


@pytest.mark.timeout(600)  # The first time it is compiled.
def test_rust(engine, rust_example):
    check(run([rust_example], engine), engine)


def test_without_a_run_id_they_make_one_up(engine):
    """So that a newcomer can run them again and again."""
    environment = os.environ | {"PGDATABASE": engine["dbname"], "PGUSER": engine["user"]}
    for _ in range(2):
        done = subprocess.run(
            [ROOT / "target/venv/bin/python", ROOT / "examples/python/quickstart.py"],
            env=environment, capture_output=True, text=True, timeout=PATIENCE,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert done.stdout.startswith("started run quickstart-")
