"""The fast path and the slow path to the rows: where a table has a trigger, every call takes the slow path, which is statements.

    from ways import prepare  # a module's tests with this in it run twice, one way and the other
"""

from contextlib import contextmanager

import pytest

TABLES = ("run", "event", "cell", "lease")


def take_statements(connection):
    """From now on, in this database; a superuser's connection."""
    connection.execute(
        "CREATE OR REPLACE FUNCTION public.pass() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'"
    )
    for table in TABLES:
        connection.execute(
            f"CREATE TRIGGER pass BEFORE INSERT OR UPDATE ON layra.{table} FOR EACH ROW EXECUTE FUNCTION public.pass()"
        )


@contextmanager
def statements(connection):
    """The slow path within the block, the fast path after it."""
    take_statements(connection)
    yield
    for table in TABLES:
        connection.execute(f"DROP TRIGGER pass ON layra.{table}")


@pytest.fixture(scope="module", params=["short", "statements"])
def prepare(request):
    def prepare(connection):
        connection.execute("CREATE EXTENSION layra_state")
        if request.param == "statements":
            take_statements(connection)

    return prepare
