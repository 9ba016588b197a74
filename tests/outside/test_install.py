"""CREATE EXTENSION and DROP EXTENSION."""

import psycopg
import pytest

# Everything that an extension may leave behind in a database. Its empty schema stays: PostgreSQL creates the one that
# the control file names before the extension exists, and does not count it as a member.
OBJECTS = """
    SELECT pg_describe_object(classid, objid, 0) FROM (
        SELECT 'pg_class'::regclass, oid FROM pg_class WHERE relnamespace NOT IN ('pg_toast'::regnamespace)
        UNION ALL SELECT 'pg_proc'::regclass, oid FROM pg_proc
        UNION ALL SELECT 'pg_type'::regclass, oid FROM pg_type
        UNION ALL SELECT 'pg_operator'::regclass, oid FROM pg_operator
        UNION ALL SELECT 'pg_cast'::regclass, oid FROM pg_cast
        UNION ALL SELECT 'pg_namespace'::regclass, oid FROM pg_namespace WHERE nspname <> 'layra'
        UNION ALL SELECT 'pg_event_trigger'::regclass, oid FROM pg_event_trigger
        UNION ALL SELECT 'pg_default_acl'::regclass, oid FROM pg_default_acl
        UNION ALL SELECT 'pg_extension'::regclass, oid FROM pg_extension
    ) AS o (classid, objid)
"""


def objects(connection):
    return {name for (name,) in connection.execute(OBJECTS)}


def has_extension(connection):
    return connection.execute("SELECT 1 FROM pg_extension WHERE extname = 'layra_state'").fetchone() is not None


def test_the_extension_lives_in_its_schema(admin):
    found = admin.execute(
        "SELECT nspname, extrelocatable FROM pg_extension JOIN pg_namespace n ON n.oid = extnamespace"
        " WHERE extname = 'layra_state'"
    ).fetchone()
    assert found == ("layra", False)


def test_drop_leaves_nothing_behind(create_database, connect):
    connection = connect(create_database())
    before = objects(connection)
    for _ in range(2):
        connection.execute("CREATE EXTENSION layra_state")
        assert len(objects(connection)) > len(before)
        connection.execute("DROP EXTENSION layra_state")
        assert objects(connection) == before


def test_a_schema_of_a_stranger_is_refused(create_database, connect, role):
    connection = connect(create_database())
    connection.execute(f"CREATE SCHEMA layra AUTHORIZATION {role('mallory')}")
    with pytest.raises(psycopg.Error, match="schema") as caught:
        connection.execute("CREATE EXTENSION layra_state")
    assert not caught.value.sqlstate.startswith("XX")
    assert not has_extension(connection)


@pytest.mark.parametrize("encoding", ["SQL_ASCII", "LATIN1"])
def test_another_encoding_is_refused(create_database, connect, encoding):
    connection = connect(create_database(f"TEMPLATE template0 ENCODING '{encoding}' LOCALE 'C'"))
    with pytest.raises(psycopg.Error, match="UTF8") as caught:
        connection.execute("CREATE EXTENSION layra_state")
    assert not caught.value.sqlstate.startswith("XX")
    assert not has_extension(connection)
