"""The first steps with layra_state from Python, with psycopg 3.

usage: quickstart.py [RUN_ID]      connects as libpq does: PGHOST, PGPORT, PGUSER, PGDATABASE, …
"""

import os
import random
import sys
import time

import psycopg
from psycopg.errors import SerializationFailure
from psycopg.types.json import Jsonb


def retried(transaction, attempts=5):
    """Runs a transaction again when somebody else was faster: SQLSTATE 40001, at any isolation level."""
    for attempt in range(attempts):
        try:
            return transaction()
        except SerializationFailure:
            if attempt == attempts - 1:
                raise
            print("somebody else was faster (40001), trying again")
            time.sleep(random.uniform(0, 0.01 * 2**attempt))


def main(run_id):
    connection = psycopg.connect(autocommit=True)
    other = psycopg.connect(autocommit=True)

    def call(sql, *arguments, on=connection):
        """The only value of a statement's only row."""
        return on.execute(sql, arguments).fetchone()[0]

    version = call("SELECT layra.start_run(%s, variables => %s)", run_id, Jsonb({"topic": "tides", "facts": []}))
    print(f"started run {run_id} at version {version}")

    # Only if the run is still at the version that we know.
    version = call(
        "SELECT layra.set_variables(%s, %s, expected_version => %s)", run_id, Jsonb({"language": "en"}), version
    )
    print(f"set the language at version {version}")

    # Read, change, write what was read only if nobody wrote in between, and all of that again if somebody did.
    interruptions = ["the moon pulls"]

    def add_fact():
        version, facts = connection.execute(
            "SELECT version, layra.get_variable(run_id, 'facts', version) FROM layra.runs WHERE run_id = %s", [run_id]
        ).fetchone()
        if interruptions:
            theirs = Jsonb([interruptions.pop()])
            call("SELECT layra.set_variable(%s, 'facts', %s)", run_id, theirs, on=other)
        return call(
            "SELECT layra.set_variables(%s, %s, expected_version => %s)",
            run_id, Jsonb({"facts": [*facts, "the sun pulls too"]}), version,
        )  # fmt: skip

    print(f"added a fact at version {retried(add_fact)}")

    # An event, and the variables that it changed, in one version; and whom this transaction acts for.
    with connection.transaction():
        call("SELECT set_config('layra.actor', %s, true)", "alice@example.com")
        version = call(
            "SELECT layra.append_event(%s, 'agent.searched', %s, updates => %s)",
            run_id, Jsonb({"query": "spring tide", "hits": 2}), Jsonb({"hits": 2}),
        )  # fmt: skip
    print(f"appended an event at version {version}, on behalf of alice@example.com")

    version = call("SELECT layra.checkpoint(%s, %s)", run_id, "researched")
    print(f"took a checkpoint at version {version}")

    version = call("SELECT layra.set_variables(%s, %s)", run_id, Jsonb({"draft": "Tides are …", "facts": []}))
    print(f"wrote a draft at version {version}")

    version = call("SELECT layra.rollback_to(%s, %s, %s)", run_id, "researched", "the draft lost the facts")
    print(f"rolled back to the checkpoint, as version {version}")

    print(call("SELECT layra.get_variables(%s)::text", run_id))
    for row in connection.execute(
        "SELECT version, type, who, what FROM layra.timeline WHERE run_id = %s ORDER BY version", [run_id]
    ):
        print(*row, sep=" | ")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else f"quickstart-{os.getpid()}")
