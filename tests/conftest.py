"""Fixtures for the tests that talk to the extension from outside, as its users do: with psycopg, on a server.

Each test module has a database of its own with the extension in it. All connections are in autocommit mode unless a
test asks for another.

    def test_a_stranger_sees_nothing(connect, role, raises):
        alice = connect(role=role("alice"))
        with raises("42501") as error:
            alice.execute("SELECT * FROM layra.events('r')")
        assert "not your run" in error.message
"""

import itertools
import os
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psycopg
import pytest
import remedies
from psycopg import sql
from psycopg.conninfo import make_conninfo
from server import Server

serial = itertools.count(1)
reported = []


def pytest_configure(config):
    """With several workers (pytest -n 2), each has a server of its own: the tests of a server's log, settings or write-ahead
    log see nothing of the other's. The first one has that which tests/cluster started."""
    worker = os.environ.get("PYTEST_XDIST_WORKER", "gw0")
    if worker == "gw0" or "PGHOST" not in os.environ:
        return
    log = os.environ.get("CLUSTER_LOG")
    if log:
        log = os.environ["CLUSTER_LOG"] = f"{log.removesuffix('.log')}-{worker}.log"
        Path(log).write_bytes(b"")
    server = Server(os.environ.get("CLUSTER_CONF", ""), os.environ.get("CLUSTER_FSYNC") == "on", log)
    server.__enter__()
    config.add_cleanup(server.remove)
    os.environ.update(server.environment())


@pytest.fixture(scope="session")
def server():
    """The connection string of the server's own database, as superuser."""
    if "PGHOST" not in os.environ:
        pytest.exit("these tests need a server: use tests/run outside, or tests/cluster COMMAND", returncode=2)
    return make_conninfo(dbname=os.environ.get("PGDATABASE", "postgres"))


@pytest.fixture(scope="module")
def role(server):
    """A function that creates a role with a name that is unique in the server, and returns the name:
    role("alice"), role("alice", "CREATEDB IN ROLE pg_monitor"). The roles go after the module, when its databases are
    gone and nothing depends on them any more."""
    names = []
    with psycopg.connect(server, autocommit=True) as maintenance:

        def create(name, options=""):
            name = f"{name}_{os.getpid()}_{next(serial)}"
            maintenance.execute(sql.SQL("CREATE ROLE {} LOGIN ").format(sql.Identifier(name)) + sql.SQL(options))
            names.append(name)
            return name

        yield create
        for name in names:
            maintenance.execute(sql.SQL("DROP ROLE IF EXISTS {}").format(sql.Identifier(name)))


@pytest.fixture(scope="module")
def create_database(server, role):  # `role` only so that databases go before roles
    """A function that creates an empty database, create_database() or create_database("TEMPLATE template0 …"), and
    returns its connection string, as superuser. The databases go after the module."""
    names = []
    with psycopg.connect(server, autocommit=True) as maintenance:

        def create(options=""):
            name = f"test_{os.getpid()}_{next(serial)}"
            maintenance.execute(sql.SQL("CREATE DATABASE {} ").format(sql.Identifier(name)) + sql.SQL(options))
            names.append(name)
            return make_conninfo(server, dbname=name)

        yield create
        for name in names:
            maintenance.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture(scope="module")
def prepare():
    """What happens to the module's database with a superuser's connection; a module can have another one."""
    return lambda connection: connection.execute("CREATE EXTENSION layra_state")


@pytest.fixture(scope="module")
def dsn(create_database, prepare):
    """The connection string of the module's database, which has the extension, as superuser."""
    conninfo = create_database()
    with psycopg.connect(conninfo, autocommit=True) as connection:
        prepare(connection)
    return conninfo


@pytest.fixture
def connect(dsn):
    """A function that connects to the module's database: connect(), connect(role=…) for a login as that role,
    connect(autocommit=False), and whatever else psycopg.connect takes. The connections are closed after the test."""
    connections = []

    def connect(conninfo=dsn, *, role="postgres", autocommit=True, **kwargs):
        connection = psycopg.connect(conninfo, user=role, autocommit=autocommit, **kwargs)
        connections.append(connection)
        return connection

    yield connect
    for connection in connections:
        connection.close()


@pytest.fixture
def admin(connect):
    """A superuser's connection to the module's database."""
    return connect()


class Raised:
    """What a test may want to know of an error that it expected."""

    def __init__(self):
        self.error = None

    @property
    def message(self):
        return self.error.diag.message_primary

    @property
    def detail(self):
        return self.error.diag.message_detail

    @property
    def hint(self):
        return self.error.diag.message_hint


@pytest.fixture(scope="session")
def raises():
    """A context manager for a block that must end in an error with this SQLSTATE; gives its message, detail and hint."""

    @contextmanager
    def raises(sqlstate):
        raised = Raised()
        try:
            yield raised
        except psycopg.Error as error:
            raised.error = error
        assert raised.error is not None, f"no error where {sqlstate} was expected"
        assert raised.error.sqlstate == sqlstate, f"expected {sqlstate}, got {raised.error.sqlstate}: {raised.error}"
        remedies.check(raised.error)

    return raises


@pytest.fixture(scope="module")
def private_server():
    """A function that makes and starts a server of the module's own, to be crashed, restarted, configured or replicated:
    private_server(conf="wal_level = logical", fsync=True). It takes what server.Server takes. The servers go after the
    module."""
    with ExitStack() as servers:
        yield lambda **options: servers.enter_context(Server(**options))


@pytest.fixture(scope="session")
def soak():
    """How often a long test repeats what it does: soak(5, 50) is 5 in `make test`, and 50 for each hour in `make soak`
    (at least 50). Tests that count seconds do the same: soak(10, 600)."""
    minutes = float(os.environ.get("SOAK_MINUTES") or 0)
    return lambda short, hour: max(hour, int(hour * minutes / 60)) if minutes else short


@pytest.fixture
def figures(request):
    """A function that takes a line of figures which the test wants to see printed at the end of the run."""
    return lambda line: reported.append(f"{request.node.name}: {line}")


def pytest_sessionfinish(session):
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["figures"] = reported


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node):
    """A worker is done."""
    reported.extend(getattr(node, "workeroutput", {}).get("figures", []))


def pytest_terminal_summary(terminalreporter):
    if reported:
        terminalreporter.section("figures")
        for line in reported:
            terminalreporter.write_line(line)
