"""pg_upgrade from an older PostgreSQL keeps everything: rows, states at every version, privileges, hash chains.

It takes an older PostgreSQL beside the one that is tested, laid out as Debian does, with the extension in its present version
(`make matrix` has that).
"""

import subprocess
from contextlib import contextmanager
from pathlib import Path

import contents
import psycopg
import pytest
import release_data
import test_upgrade
from server import PG_CONFIG, Server


def ask(pg_config, option):
    return Path(subprocess.check_output([pg_config, f"--{option}"], text=True).strip())


def older_versions():
    """The pg_config of every older PostgreSQL that has the extension in this version."""
    own = ask(PG_CONFIG, "bindir").parent
    for directory in own.parent.glob("*"):
        pg_config = directory / "bin" / "pg_config"
        if directory.name.isdigit() and own.name.isdigit() and int(directory.name) < int(own.name) and pg_config.exists():
            control = ask(pg_config, "sharedir") / "extension" / "layra_state.control"
            if control.exists() and f"default_version = '{test_upgrade.CURRENT}'" in control.read_text():
                yield pg_config


OLDER = sorted(older_versions())
pytestmark = pytest.mark.skipif(not OLDER, reason="no older PostgreSQL beside this one has this version of the extension")


@contextmanager
def cluster(pg_config):
    """A server that was made, but not started."""
    server = Server(pg_config=pg_config)
    try:
        server.create()
        # PostgreSQL 18 makes clusters with checksums, older ones make them without: pg_upgrade wants them alike.
        server.run("pg_checksums", "--enable", "-D", server.data, check=False)
        yield server
    finally:
        server.remove()


def connect(server, database):
    return psycopg.connect(server.conninfo(database), autocommit=True)


def fill(server):
    """A database with something of everything, and one of each released version that was never updated; returns the fingerprint
    of the first."""
    names = ["contents", *(f"release-{version}" for version in test_upgrade.RELEASED)]
    with connect(server, "postgres") as connection:
        release_data.create_roles(connection)
        for name in names:
            connection.execute(f'CREATE DATABASE "{name}"')
    for version in test_upgrade.RELEASED:
        with connect(server, f"release-{version}") as connection:
            connection.execute(f"CREATE EXTENSION layra_state VERSION '{version}'")
            test_upgrade.load(connection, version)
    with connect(server, "contents") as connection:
        contents.fill(connection)
        return contents.fingerprint(connection)


@pytest.mark.parametrize("pg_config", OLDER, ids=str)
def test_pg_upgrade_changes_nothing(pg_config, figures):
    with cluster(pg_config) as old:
        old.start()
        before = fill(old)
        old.stop("fast")
        # With files copied, the old cluster is as it was; with links, it is used up.
        for options in ([], ["--link"]):
            with cluster(PG_CONFIG) as new:
                clusters = ["-b", old.bindir, "-B", new.bindir, "-d", old.data, "-D", new.data, "-s", new.directory]
                new.run("pg_upgrade", "--check", *clusters, *options)
                new.run("pg_upgrade", *clusters, *options)
                new.start()
                check(new, before)
    figures(f"from {pg_config} to {PG_CONFIG}: copied and linked, {len(before)} things compared, releases {test_upgrade.RELEASED}")


def check(server, before):
    with connect(server, "contents") as connection:
        assert contents.differences(before, contents.fingerprint(connection)) == {}
        contents.write(connection)
    for version in test_upgrade.RELEASED:
        with connect(server, f"release-{version}") as connection:
            connection.execute("ALTER EXTENSION layra_state UPDATE")
            test_upgrade.check_runs(connection, version)
