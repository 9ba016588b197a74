"""Names that are no text in this database: roles belong to the whole server, and have the encoding of the database in which
somebody made them."""

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

TRUE, FALSE = "jos\u00e9", "jos\ufffd"


@pytest.fixture(scope="module")
def names(server, create_database, dsn):
    """The role TRUE as a LATIN1 database stores it, by OID, and one whose name is FALSE, which is TRUE's lossy name here."""
    latin = create_database("TEMPLATE template0 ENCODING 'LATIN1' LOCALE 'C'")
    with psycopg.connect(latin, autocommit=True) as there, psycopg.connect(dsn, autocommit=True) as here:
        there.execute(f'CREATE ROLE "{TRUE}" LOGIN')
        (oid,) = there.execute("SELECT oid FROM pg_roles WHERE rolname = %s", [TRUE]).fetchone()
        here.execute(f'CREATE ROLE "{FALSE}" LOGIN; CREATE ROLE member_of_encodings LOGIN')
        there.execute(f'GRANT member_of_encodings TO "{TRUE}"')
        here.execute("SELECT layra.grant_access('member_of_encodings', 'writer'), layra.grant_access(%s, 'writer')", [FALSE])
        yield there, oid
        here.execute(f'DROP OWNED BY "{FALSE}", member_of_encodings; DROP ROLE "{FALSE}", member_of_encodings')
        there.execute(f'DROP ROLE "{TRUE}"')


@pytest.fixture
def become(connect, names):
    """A session of the role TRUE."""
    connection = connect()
    connection.execute(
        "SELECT set_config('session_authorization', rolname, false) IS NULL FROM pg_roles WHERE oid = %s", [names[1]]
    )
    return connection


# Everything that notes who the caller is, or asks for a role.
WRITES = (
    "start_run('new')", "save_state('new', '{}')", "fork_run('r', 'new')", "set_variable('r', 'v', '2')", "append_event('r', 'x')",
    "checkpoint('r')", "begin_node('r', 'n')", "pause_run('r', 'n')", "finish_run('r')", "define_workflow('w', '{}')",
    "define_event_type('t', '{}')", "define_breaker('b')",
)  # fmt: skip


@pytest.mark.parametrize("written", WRITES)
def test_a_role_that_is_no_text_here_writes_nothing(admin, become, raises, written):
    admin.execute("SET SESSION AUTHORIZATION member_of_encodings; SELECT layra.start_run('r'); RESET SESSION AUTHORIZATION")
    with raises("22021") as error:
        become.execute(f"SELECT * FROM layra.{written}")
    assert "the name of the role" in error.message and "rename the role" in error.hint
    assert admin.execute("SELECT count(*) FROM layra.event").fetchone() == (1,)
    # It reads what it may read: that takes no name.
    assert become.execute("SELECT layra.get_variables('r')").fetchone() == ({},)
    admin.execute("SELECT layra.drop_run('r')")


def test_nobody_gets_what_is_of_another_name(connect, names, raises, admin):
    """Neither of the two stands for the other."""
    admin.execute("SELECT layra.start_run('mine')")
    give = "SELECT layra.{}, rolname) IS NULL FROM pg_roles WHERE oid = %s"
    for function in ("set_owner('mine'", "start_run('other', null, '{}', '{}', null"):
        with raises("22021"):
            admin.execute(give.format(function), [names[1]])
    with raises("22021"):
        admin.execute("SELECT layra.grant_access(rolname, 'writer') FROM pg_roles WHERE oid = %s", [names[1]])
    assert admin.execute("SELECT count(*) FROM layra.access WHERE role LIKE 'jos%%'").fetchone() == (1,)
    assert admin.execute("SELECT owner FROM layra.run").fetchall() == [("postgres",)]
    with raises("42501"):
        connect(role=FALSE).execute("SELECT layra.set_variable('mine', 'v', '1')")
    admin.execute("SELECT layra.drop_run('mine')")


def test_a_claim_that_is_no_text_here_is_not_taken_for_another(names, dsn, raises):
    there, _ = names
    there.execute(f"ALTER ROLE member_of_encodings SET layra.actor = '{TRUE}'")
    with psycopg.connect(make_conninfo(dsn, user="member_of_encodings"), autocommit=True) as session:
        with raises("22021") as error:
            session.execute("SELECT layra.start_run('claimed')")
        assert "layra.actor" in error.message
    there.execute("ALTER ROLE member_of_encodings RESET ALL")
