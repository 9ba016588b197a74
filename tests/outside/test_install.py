"""CREATE EXTENSION and DROP EXTENSION."""

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


@pytest.mark.parametrize(
    "schema, sqlstate",
    [
        ("CREATE SCHEMA layra AUTHORIZATION {stranger}", "42501"),
        ("CREATE SCHEMA layra; GRANT CREATE ON SCHEMA layra TO {stranger}", "42501"),
        ("CREATE SCHEMA layra; GRANT CREATE ON SCHEMA layra TO PUBLIC", "42501"),
        ("CREATE SCHEMA layra CREATE TABLE run ()", "42710"),
    ],
)
def test_a_schema_that_is_not_safe_is_refused(create_database, connect, role, raises, schema, sqlstate):
    connection = connect(create_database())
    connection.execute(schema.format(stranger=role("mallory")))
    with raises(sqlstate) as error:
        connection.execute("CREATE EXTENSION layra_state")
    assert "schema layra" in error.message
    assert not has_extension(connection)


def test_an_empty_schema_of_ones_own_will_do(create_database, connect):
    connection = connect(create_database())
    connection.execute("CREATE SCHEMA layra")
    connection.execute("CREATE EXTENSION layra_state")
    assert has_extension(connection)


@pytest.mark.parametrize("encoding", ["SQL_ASCII", "LATIN1"])
def test_another_encoding_is_refused(create_database, connect, raises, encoding):
    connection = connect(create_database(f"TEMPLATE template0 ENCODING '{encoding}' LOCALE 'C'"))
    with raises("0A000") as error:
        connection.execute("CREATE EXTENSION layra_state")
    assert "UTF8" in error.message
    assert not has_extension(connection)
