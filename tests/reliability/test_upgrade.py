"""Every released version can be updated to this one, by ALTER EXTENSION or by a dump, and loses nothing on the way."""

import hashlib
import json
import re
from pathlib import Path

import psycopg
import pytest
import release_data
from psycopg.conninfo import conninfo_to_dict

ROOT = Path(__file__).resolve().parents[2]
SQL = ROOT / "sql"
CURRENT = re.search(r'^version = "(.*)"', (ROOT / "Cargo.toml").read_text(), re.MULTILINE)[1]
CHECKSUMS = SQL / "released.sha256"
RELEASED = sorted(
    path.stem.removeprefix("release-") for path in release_data.DATA.glob("release-*.json") if CURRENT not in path.name
)

# What an extension is made of. Descriptions, as OIDs differ; columns by name, as an upgrade adds them at the end.
OBJECTS = {
    "members": """
        SELECT pg_describe_object(classid, objid, objsubid) FROM pg_depend
        WHERE refclassid = 'pg_extension'::regclass AND deptype = 'e'
          AND refobjid = (SELECT oid FROM pg_extension WHERE extname = 'layra_state')""",
    "functions": """
        SELECT p.oid::regprocedure, pg_get_functiondef(p.oid), obj_description(p.oid), p.proacl::text[]
        FROM pg_proc p WHERE pronamespace = 'layra'::regnamespace""",
    "columns": """
        SELECT attrelid::regclass, attname, format_type(atttypid, atttypmod), attnotnull, attcollation::regcollation,
            attcompression, attstorage, pg_get_expr(adbin, adrelid), col_description(attrelid, attnum)
        FROM pg_attribute LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
        JOIN pg_class c ON c.oid = attrelid
        WHERE c.relnamespace = 'layra'::regnamespace AND attnum > 0 AND NOT attisdropped""",
    "relations": """
        SELECT oid::regclass, relkind, relrowsecurity, reloptions, relacl::text[], obj_description(oid),
            CASE relkind WHEN 'v' THEN pg_get_viewdef(oid) WHEN 'i' THEN pg_get_indexdef(oid) END
        FROM pg_class WHERE relnamespace = 'layra'::regnamespace""",
    "constraints": """
        SELECT conrelid::regclass, conname, pg_get_constraintdef(oid), convalidated
        FROM pg_constraint WHERE connamespace = 'layra'::regnamespace""",
    "policies": """
        SELECT polrelid::regclass, polname, polcmd, pg_get_expr(polqual, polrelid)
        FROM pg_policy JOIN pg_class c ON c.oid = polrelid WHERE c.relnamespace = 'layra'::regnamespace""",
    "dumped tables": """
        SELECT c.table_, c.condition FROM pg_extension, unnest(extconfig::regclass[], extcondition) c(table_, condition)
        WHERE extname = 'layra_state'""",
    # What pg_dump leaves out: an administrator's grants must not be among them.
    "initial privileges": """
        SELECT pg_describe_object(classoid, objoid, objsubid), initprivs::text[] FROM pg_init_privs
        WHERE initprivs::text LIKE '%release%'""",
    "schema": "SELECT nspname, nspacl::text[], obj_description(oid) FROM pg_namespace WHERE nspname = 'layra'",
}


def objects(connection):
    """Everything that the extension consists of, as text that has no OIDs in it."""
    connection.execute("SET search_path = pg_catalog")
    found = {}
    for name, query in OBJECTS.items():
        rows = connection.execute(query).fetchall()
        # Grants to the roles of the data have no order that means anything.
        found[name] = sorted(str([sorted(f) if isinstance(f, list) and f else f for f in row]) for row in rows)
    return found


@pytest.fixture(scope="module")
def release_roles(server):
    """The roles that the data of the releases names."""
    with psycopg.connect(server, autocommit=True) as connection:
        before = {name for (name,) in connection.execute("SELECT rolname FROM pg_roles")}
        release_data.create_roles(connection)
        yield
        for role in set(release_data.ROLES) - before:
            connection.execute(f"DROP ROLE {role}")


@pytest.fixture(scope="module")
def new_database(release_roles, create_database):
    """As create_database; its databases go before the roles."""
    return create_database


def load(connection, version):
    """The rows that this release made, as psql would restore its dump."""
    copy = None
    connection.autocommit = False
    for line in (release_data.DATA / f"release-{version}.sql").read_text().splitlines(True):
        if copy is not None:
            if line == "\\.\n":
                copy.__exit__(None, None, None)
                copy = None
            else:
                copy.write(line)
        elif line.startswith("COPY "):
            copy = connection.cursor().copy(line.rstrip(";\n"))
            copy = Copying(copy)
        elif line.strip() and not line.startswith("--") and "search_path" not in line:
            connection.execute(line)
    connection.commit()
    connection.autocommit = True


class Copying:
    """A COPY of psycopg's, entered."""

    def __init__(self, context):
        self.context = context
        self.copy = context.__enter__()

    def write(self, line):
        self.copy.write(line)

    def __exit__(self, *exception):
        self.context.__exit__(*exception)


def recreate_functions(connection):
    """What the data's handlers and validators name; functions are in the dump of their own schema."""
    connection.execute("""
        CREATE FUNCTION public.nothing(text, bigint, text, jsonb) RETURNS void LANGUAGE sql AS 'SELECT';
        CREATE FUNCTION public.no_problem(text, jsonb) RETURNS SETOF text LANGUAGE sql AS 'SELECT NULL WHERE false'""")


def fresh_objects(new_database):
    """The objects of an extension that was never anything else, with the same grants."""
    with psycopg.connect(new_database(), autocommit=True) as connection:
        connection.execute("CREATE EXTENSION layra_state")
        for role, level in zip(release_data.ROLES, ("writer", "writer", "auditor", "admin")):
            connection.execute("SELECT layra.grant_access(%s, %s)", [role, level])
        return objects(connection)


def expected_states(version):
    return json.loads((release_data.DATA / f"release-{version}.json").read_text())


def check_questions(connection, version):
    """Each role sees those of its runs, though the dump turned row security off."""
    connection.execute("SET row_security = on")
    asked = {}
    for role in ("release_alice", "release_bob"):
        query = "SELECT count(*) FROM layra.interaction i JOIN layra.run r USING (run_id) WHERE r.owner = %s"
        asked[role] = connection.execute(query, [role]).fetchone()[0]
        connection.execute(f"SET ROLE {role}")
        assert connection.execute("SELECT count(*) FROM layra.interactions").fetchone()[0] == asked[role]
        connection.execute("RESET ROLE")
    assert any(asked.values()) == (version != "0.1.0"), "there were none yet"


def check_runs(connection, version):
    """All that the release knew is there, and all runs go on."""
    recreate_functions(connection)
    assert connection.execute("SELECT * FROM layra.verify()").fetchall() == []
    assert release_data.states(connection) == expected_states(version)
    check_questions(connection, version)
    for (run_id,) in connection.execute("SELECT run_id FROM layra.runs WHERE status IN ('running', 'paused')").fetchall():
        before = connection.execute("SELECT layra.get_state(%s)", [run_id]).fetchone()
        connection.execute("SELECT layra.set_variable(%s, 'after the update', '1')", [run_id])
        version_now = connection.execute("SELECT version FROM layra.runs WHERE run_id = %s", [run_id]).fetchone()[0]
        connection.execute("SELECT layra.append_event(%s, 'x', '{}')", [run_id])
        if not connection.execute("SELECT FROM layra.checkpoint WHERE run_id = %s AND protected", [run_id]).fetchall():
            connection.execute("SELECT layra.rollback(%s, %s)", [run_id, version_now - 1])
            assert connection.execute("SELECT layra.get_state(%s)", [run_id]).fetchone() == before
    for key, first in [("first", 1), ("second", 2)]:
        if key == "second":
            call = "SELECT layra.set_variable('parent', 'a', '2', idempotency_key => 'second')"
        else:
            call = "SELECT layra.start_run('parent', variables => '{\"a\": 1}', idempotency_key => 'first')"
        assert connection.execute(call).fetchone()[0] == first, f"key {key!r} is remembered"
    assert connection.execute("SELECT * FROM layra.verify()").fetchall() == []


def test_there_is_a_release():
    assert "0.1.0" in RELEASED


def test_released_scripts_were_not_edited():
    expected = dict(reversed(line.split()) for line in CHECKSUMS.read_text().splitlines())
    scripts = {path.name for path in SQL.glob("layra_state--*.sql") if not path.stem.endswith(f"--{CURRENT}")}
    assert set(expected) == scripts, "every script of a released version, and no other, has its checksum"
    for name, checksum in expected.items():
        assert hashlib.sha256((SQL / name).read_bytes()).hexdigest() == checksum, f"{name} was edited after its release"


def test_updates_lock_the_runs_first():
    """Sessions notice an update by their lock on layra.run, and calls wait for it there, before they have anything."""
    scripts = [path for path in SQL.glob("layra_state--*--*.sql") if "--0.1.0--" not in path.name]
    assert scripts
    for script in scripts:
        statements = re.sub(r"--.*", "", script.read_text()).split()
        assert statements[:3] == ["LOCK", "TABLE", "layra.run,"], script.name


@pytest.mark.parametrize("version", RELEASED)
def test_update_keeps_everything_and_makes_what_a_fresh_install_makes(new_database, version):
    with psycopg.connect(new_database(), autocommit=True) as connection:
        connection.execute(f"CREATE EXTENSION layra_state VERSION '{version}'")
        load(connection, version)
        connection.execute("ALTER EXTENSION layra_state UPDATE")
        upgraded, fresh = objects(connection), fresh_objects(new_database)
        for kind in OBJECTS:
            assert upgraded[kind] == fresh[kind], kind
        check_runs(connection, version)


@pytest.mark.parametrize("version", RELEASED)
def test_rows_of_a_release_restored_into_this_version(new_database, version):
    with psycopg.connect(new_database(), autocommit=True) as connection:
        connection.execute("CREATE EXTENSION layra_state")
        load(connection, version)
        connection.execute("SELECT layra.renew_grants()")
        check_runs(connection, version)


@pytest.mark.parametrize("version", RELEASED)
def test_new_functions_are_granted_by_the_update(new_database, version):
    conninfo = new_database()
    with psycopg.connect(conninfo, autocommit=True) as connection:
        connection.execute(f"CREATE EXTENSION layra_state VERSION '{version}'")
        load(connection, version)
        connection.execute("ALTER EXTENSION layra_state UPDATE")
    with psycopg.connect(conninfo, user="release_alice", autocommit=True) as alice:
        assert alice.execute("SELECT version FROM layra.begin_node('recorded', 'new')").fetchone()
        assert alice.execute("SELECT count(*) FROM layra.interactions").fetchone()
    with psycopg.connect(conninfo, user="release_auditor", autocommit=True) as auditor:
        assert auditor.execute("SELECT layra.get_state('recorded') IS NOT NULL").fetchone()[0]


# The last of them is served as it is: test_releases.py.
@pytest.mark.parametrize("version", RELEASED[:-1])
def test_until_the_update_the_library_says_what_to_do(new_database, raises, version):
    conninfo = new_database()
    with psycopg.connect(conninfo, autocommit=True) as connection:
        connection.execute(f"CREATE EXTENSION layra_state VERSION '{version}'")
        for call in ("layra.start_run('r')", "layra.get_variables('r')", "layra.get_state('r')"):
            with raises("55000") as error:
                connection.execute(f"SELECT {call}")
            assert "ALTER EXTENSION layra_state UPDATE" in error.hint
        with psycopg.connect(**conninfo_to_dict(conninfo), autocommit=True) as other:
            other.execute("ALTER EXTENSION layra_state UPDATE")
        # This very session goes on.
        assert connection.execute("SELECT layra.start_run('r')").fetchone() == (1,)


def test_what_others_made_of_the_functions_that_are_created_again(new_database, raises):
    """A view that calls one of them stops the update, which names it and does nothing; one on a view of the extension stays."""
    with psycopg.connect(new_database(), autocommit=True) as connection:
        connection.execute("CREATE EXTENSION layra_state VERSION '0.2.0'")
        connection.execute("CREATE VIEW public.beats AS SELECT * FROM layra.heartbeat('r', 'n', 1, '1 hour')")
        connection.execute("CREATE VIEW public.broken AS SELECT name FROM layra.breakers WHERE state <> 'closed'")
        with raises("2BP01") as error:
            connection.execute("ALTER EXTENSION layra_state UPDATE")
        assert "view public.beats" in error.detail
        (version,) = connection.execute("SELECT extversion FROM pg_extension WHERE extname = 'layra_state'").fetchone()
        assert version == "0.2.0"
        connection.execute("DROP VIEW public.beats")
        connection.execute("ALTER EXTENSION layra_state UPDATE")
        connection.execute("CREATE VIEW public.beats AS SELECT * FROM layra.heartbeat('r', 'n', 1, '1 hour')")
        connection.execute("SELECT layra.define_breaker('b', 1), layra.breaker_failure('b')")
        assert connection.execute("SELECT * FROM public.broken").fetchall() == [("b",)]


def test_a_function_that_drops_runs_stops_the_update_and_is_named(new_database, raises):
    """0.4.0 gives drop_run a reason."""
    with psycopg.connect(new_database(), autocommit=True) as connection:
        connection.execute("CREATE EXTENSION layra_state VERSION '0.3.0'")
        clean = "CREATE FUNCTION public.clean() RETURNS void LANGUAGE sql BEGIN ATOMIC SELECT layra.drop_run('r'); END"
        connection.execute(clean)
        with raises("2BP01") as error:
            connection.execute("ALTER EXTENSION layra_state UPDATE")
        assert "function public.clean()" in error.detail
        connection.execute("DROP FUNCTION public.clean()")
        connection.execute("ALTER EXTENSION layra_state UPDATE")
        connection.execute(clean)
        connection.execute("SELECT layra.start_run('r'), public.clean()")
        assert connection.execute("SELECT run_id, reason FROM layra.seals").fetchall() == [("r", None)]


@pytest.mark.parametrize("version", ["0.2.0", "0.3.0"])
def test_default_privileges_give_nobody_the_functions_that_are_created_again(new_database, role, version):
    stranger = role("stranger")
    with psycopg.connect(new_database(), autocommit=True) as connection:
        connection.execute(f"CREATE EXTENSION layra_state VERSION '{version}'")
        connection.execute(f"ALTER DEFAULT PRIVILEGES GRANT EXECUTE ON FUNCTIONS TO {stranger}")
        connection.execute(f"ALTER DEFAULT PRIVILEGES GRANT ALL ON TABLES TO {stranger}")
        connection.execute("ALTER EXTENSION layra_state UPDATE")
        (count,) = connection.execute(
            "SELECT count(*) FROM pg_proc p, aclexplode(proacl) a WHERE pronamespace = 'layra'::regnamespace"
            " AND (a.grantee = 0 OR a.grantee = %s::regrole)", [stranger]
        ).fetchone()  # fmt: skip
        assert count == 0
        (count,) = connection.execute(
            "SELECT count(*) FROM pg_class c, aclexplode(relacl) a WHERE relnamespace = 'layra'::regnamespace"
            " AND (a.grantee = 0 OR a.grantee = %s::regrole)", [stranger]
        ).fetchone()  # fmt: skip
        assert count == 0
        connection.execute(f"ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM {stranger}")
        connection.execute(f"ALTER DEFAULT PRIVILEGES REVOKE ALL ON TABLES FROM {stranger}")


def test_each_release_updates_from_the_one_before(new_database):
    with psycopg.connect(new_database(), autocommit=True) as connection:
        connection.execute(f"CREATE EXTENSION layra_state VERSION '{RELEASED[0]}'")
        load(connection, RELEASED[0])
        for version in [*RELEASED[1:], CURRENT]:
            connection.execute(f"ALTER EXTENSION layra_state UPDATE TO '{version}'")
        check_runs(connection, RELEASED[0])
