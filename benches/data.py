"""What the benchmarks write and read, the same for every side."""

import json
import random
from pathlib import Path

HERE = Path(__file__).resolve().parent
RECORDING = HERE.parent / "tests" / "data" / "layra-trace.jsonl"
VARIABLES = [f"v{n:02}" for n in range(1, 20)]


def text(seed, length):
    """Text that does not compress, the same for the same seed."""
    # Of 64 letters, so that a compressor finds at most the quarter that base64 leaves.
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    return "".join(random.Random(str(seed)).choices(letters, k=length))


def value(seed, length=120):
    """A JSON string of that many bytes."""
    return json.dumps(text(seed, length - 2))


def payload(seed, length=120):
    return json.dumps({"note": text(seed, length - 12)})


def variables(seed, names=VARIABLES, length=120):
    return json.dumps({name: text(f"{seed} {name}", length - 2) for name in names})


def install(connection):
    """The extension, the hand-written tables, and a role that may use both and is no superuser, as applications are."""
    connection.execute("CREATE EXTENSION layra_state")
    connection.execute((HERE / "by_hand.sql").read_text())
    connection.execute("CREATE ROLE app LOGIN")
    connection.execute("SELECT layra.grant_access('app', 'writer')")
    connection.execute("GRANT USAGE ON SCHEMA by_hand TO app")
    connection.execute("GRANT SELECT, INSERT, UPDATE ON ALL TABLES IN SCHEMA by_hand TO app")


def runs(connection, count, begun=()):
    """Runs r1, r2 … of 19 variables on both sides, and the same in a table `input` to take arguments from."""
    connection.execute("CREATE TABLE input (n integer PRIMARY KEY, run_id text, value jsonb, payload jsonb, variables jsonb)")
    with connection.cursor().copy("COPY input FROM STDIN") as copy:
        for n in range(1, count + 1):
            copy.write_row((n, f"r{n}", value(n), payload(n), variables(n)))
    connection.execute("GRANT SELECT ON input TO app")
    connection.execute("SET ROLE app")
    first = variables("first")
    connection.execute("SELECT count(layra.start_run(run_id, variables => %s)) FROM input", [first])
    connection.execute("INSERT INTO by_hand.run SELECT run_id FROM input")
    connection.execute("SELECT count(by_hand.set_variables(run_id, %s)) FROM input", [first])
    for node in begun:
        connection.execute("SELECT count(b.*) FROM input, layra.begin_node(run_id, %s, 'worker', '1 hour') b", [node])
        connection.execute("SELECT count(by_hand.begin_node(run_id, %s, 'worker', '1 hour')) FROM input", [node])
    connection.execute("RESET ROLE")
