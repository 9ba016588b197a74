"""Values that cannot be read: `verify` names run and version, and goes on.

Pieces of TOAST are taken away with pg_surgery, or written over in the files of a server of its own.
"""

import json
import re

import psycopg
import pytest
from ways import prepare as two_ways  # noqa: F401

LARGE = {"text": "".join(f"{n:x}{n * n:x}" for n in range(9000, 18000))}


@pytest.fixture(scope="module")
def prepare(two_ways):  # noqa: F811
    def prepare(connection):
        two_ways(connection)
        connection.execute("CREATE EXTENSION pg_surgery")
        # Pieces of any value, not only of those that do not compress.
        for table, column in connection.execute("""
            SELECT c.relname, a.attname FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
            WHERE c.relnamespace = 'layra'::regnamespace AND c.relkind = 'r' AND a.atttypid IN ('jsonb'::regtype, 'text[]'::regtype)
        """).fetchall():
            connection.execute(f"ALTER TABLE layra.{table} ALTER {column} SET STORAGE EXTERNAL")

    return prepare


def pieces(connection, table):
    (toast,) = connection.execute(
        "SELECT reltoastrelid::regclass::text FROM pg_class WHERE oid = %s::regclass", [f"layra.{table}"]
    ).fetchone()
    return toast, {
        chunk: places
        for chunk, places in connection.execute(f"SELECT chunk_id, array_agg(ctid ORDER BY chunk_seq) FROM {toast} GROUP BY 1")
    }


def damage(connection, table, before, which=0):
    """Takes a piece of each value that is new in a table."""
    toast, now = pieces(connection, table)
    new = [places for chunk, places in now.items() if chunk not in before]
    assert new, f"nothing of {table} is out of line"
    for places in new:
        connection.execute("SELECT heap_force_kill(%s::regclass, ARRAY[%s::tid])", [toast, places[which]])


def call(connection, sql, *arguments):
    return connection.execute(f"SELECT * FROM layra.{sql}", arguments).fetchone()[0]


def long_list(connection, run_id):
    call(connection, "set_variable(%s, 'list', %s::jsonb)", run_id, json.dumps([f"{n:0100}" for n in range(200)]))


def whole_value(connection, run_id):
    long_list(connection, run_id)
    return "cell", [3]


def value_and_what_stands_on_it(connection, run_id):
    long_list(connection, run_id)
    for _ in range(2):
        call(connection, "set_variable(%s, 'list', layra.get_variable(%s, 'list') || '[\"x\"]')", run_id, run_id)
    return "cell", [3, 4, 5]


def payload(connection, run_id):
    call(connection, "append_event(%s, 'note', %s::jsonb)", run_id, json.dumps(LARGE))
    return "event", [3]


def first_payload(connection, run_id):
    call(connection, "start_run(%s, metadata => %s::jsonb)", f"{run_id} first", json.dumps(LARGE))
    return "event", [1]


def names_of_cells(connection, run_id):
    call(connection, "set_variables(%s, %s::jsonb)", run_id, json.dumps({f"{n:0100}": n for n in range(300)}))
    # Which of the cells are named by no event cannot be told either.
    return "event", [3, None]


def metadata(connection, run_id):
    call(connection, "start_run(%s, metadata => %s::jsonb)", f"{run_id} large", json.dumps(LARGE))
    return "run", [None]


def result(connection, run_id):
    call(connection, "finish_run(%s, result => %s::jsonb)", run_id, json.dumps(LARGE))
    return "run", [None]


def checkpoint(connection, run_id):
    call(connection, "checkpoint(%s, metadata => %s::jsonb)", run_id, json.dumps(LARGE))
    return "checkpoint", [3]


def question(connection, run_id):
    call(connection, "pause_run(%s, 'n', %s::jsonb)", run_id, json.dumps(LARGE))
    return "interaction", [3]


def schema(connection, run_id):
    call(connection, "pause_run(%s, 'n', '1', %s::jsonb)", run_id, json.dumps({"enum": [LARGE, {}]}))
    return "interaction", [3]


def answer(connection, run_id):
    id = call(connection, "pause_run(%s, 'n')", run_id)
    call(connection, "resume_run(%s, %s, %s::jsonb)", run_id, id, json.dumps(LARGE))
    return "interaction", [3]


def definition(connection, run_id):
    nodes = [{"id": f"{n:0100}", "type": "code"} for n in range(100)]
    name = f"flow {run_id}"
    call(connection, "define_workflow(%s, %s::jsonb)", name, json.dumps({"nodes": nodes, "edges": []}))
    call(connection, "start_run(%s, %s::text)", f"{run_id} of it", name)
    return "workflow", [None]


def graph(connection, run_id):
    nodes = [{"id": f"{run_id}{n:0100}", "type": "code"} for n in range(100)]
    call(connection, "save_state(%s, %s::jsonb)", f"{run_id} saved", json.dumps({"nodes": nodes}))
    return "graph", [1]


def error_of_a_node(connection, run_id):
    call(connection, "begin_node(%s, 'n', 'w', '1 hour')", run_id)
    call(connection, "fail_node(%s, 'n', %s::jsonb)", run_id, json.dumps(LARGE))
    return "cell", [4, None]


CASES = [
    whole_value, value_and_what_stands_on_it, payload, first_payload, names_of_cells, metadata, result, checkpoint, question,
    schema, answer, definition, graph, error_of_a_node,
]  # fmt: skip


def found(connection, sql="SELECT * FROM layra.verify()"):
    return connection.execute(sql).fetchall()


@pytest.mark.parametrize("which", [0, -1], ids=["first piece", "last piece"])
@pytest.mark.parametrize("case", CASES)
def test_a_damaged_value_is_named_and_verify_goes_on(admin, case, which):
    run_id = f"{case.__name__} {which}"
    before, after = f"a {run_id}", f"z {run_id}"
    for name in (before, run_id, after):
        call(admin, "start_run(%s, variables => '{\"a\": 1}')", name)
    call(admin, "set_variable(%s, 'a', '2')", run_id)
    existing = {table: pieces(admin, table)[1] for table in ("run", "event", "cell", "checkpoint", "interaction", "workflow", "graph")}
    table, versions = case(admin, run_id)
    assert [row for row in found(admin) if row[0] and run_id in row[0]] == []
    damage(admin, table, existing[table], which)
    # What others have done elsewhere is found as ever.
    for name in (before, after):
        admin.execute("UPDATE layra.event SET actor = 'x' WHERE run_id = %s", [name])
    admin.execute("UPDATE layra.cell SET hash = NULL WHERE run_id = %s AND version = 2", [run_id])
    problems = [row for row in found(admin) if row[0] and run_id in row[0]]
    for name in (before, after):
        assert (name, 1, "the event does not match its hash") in problems
    assert (run_id, 2, "the value of cell variable/a does not match its hash") in problems
    unread = [row for row in problems if "cannot be read: " in row[2]]
    assert {version for _, version, _ in unread} == set(versions), problems
    assert all("chunk" in problem for _, _, problem in unread), unread
    # The session is as it was: the same again, and others can be asked and written.
    assert [row for row in found(admin) if row[0] and run_id in row[0]] == problems
    (damaged,) = {name for name, _, _ in unread}
    with admin.cursor() as cursor:
        cursor.execute("SELECT run_id, version, problem FROM layra.verify(%s)", [damaged])
        assert cursor.fetchall() == [row for row in problems if row[0] == damaged]
    call(admin, "start_run(%s)", f"{run_id} next")


def test_it_is_no_transaction_and_works_in_one_that_only_reads(admin):
    """A damaged value, within a transaction: what was done before stays, and no transaction id is taken."""
    call(admin, "start_run('reads')")
    existing = pieces(admin, "cell")[1]
    long_list(admin, "reads")
    damage(admin, "cell", existing)
    with admin.transaction():
        admin.execute("SET TRANSACTION READ ONLY")
        admin.execute("DECLARE numbers CURSOR FOR SELECT generate_series(1, 3)")
        assert found(admin, "SELECT version FROM layra.verify('reads')") == [(2,)]
        assert admin.execute("SELECT pg_current_xact_id_if_assigned()").fetchone() == (None,)
        assert admin.execute("FETCH ALL FROM numbers").fetchall() == [(1,), (2,), (3,)]
    with admin.transaction():
        call(admin, "start_run('in it')")
        assert found(admin, "SELECT version FROM layra.verify('reads')") == [(2,)]
        with pytest.raises(psycopg.errors.DataCorrupted), admin.transaction():
            admin.execute("SELECT layra.get_variable('reads', 'list')::text")
        assert found(admin, "SELECT version FROM layra.verify('reads')") == [(2,)]
    assert found(admin, "SELECT * FROM layra.verify('in it')") == []
    # In PL/pgSQL, whose own subtransaction it is in.
    admin.execute("""
        DO $$BEGIN
            BEGIN
                PERFORM layra.start_run('undone');
                ASSERT (SELECT count(*) FROM layra.verify('reads')) = 1;
                RAISE SQLSTATE 'UNDO0';
            EXCEPTION WHEN SQLSTATE 'UNDO0' THEN
                ASSERT (SELECT count(*) FROM layra.verify('reads')) = 1;
            END;
            PERFORM layra.start_run('done');
        END$$
    """)
    assert found(admin, "SELECT run_id FROM layra.run WHERE run_id LIKE '%%done'") == [("done",)]


@pytest.mark.parametrize("damaged", [False, True])
def test_a_time_out_ends_it(admin, damaged):
    """Also where it reads piece by piece, and has caught an error already."""
    run_id = f"long {damaged}"
    call(admin, "start_run(%s)", run_id)
    existing = pieces(admin, "cell")[1]
    long_list(admin, run_id)
    if damaged:
        damage(admin, "cell", existing)
    call(admin, "append_events(%s, %s::jsonb)", run_id, json.dumps([{"type": "x", "updates": {"a": n}} for n in range(9000)]))
    with admin.transaction(force_rollback=True):
        admin.execute("SET LOCAL statement_timeout = 5")
        with pytest.raises(psycopg.errors.QueryCanceled):
            found(admin, f"SELECT * FROM layra.verify('{run_id}')")
    assert len(found(admin, f"SELECT * FROM layra.verify('{run_id}')")) == damaged


# --- files ---------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def own(private_server):
    server = private_server()
    with psycopg.connect(server.conninfo(), autocommit=True) as connection:
        connection.execute("CREATE EXTENSION layra_state")
    return server


def overwrite(server, relation, find, change, dbname="postgres"):
    """Has a file of a table changed while the server is down: `change` gets all of it and where a text stands in it."""
    with psycopg.connect(server.conninfo(dbname), autocommit=True) as connection:
        connection.execute("CHECKPOINT")
        (path,) = connection.execute("SELECT pg_relation_filepath(%s::regclass)", [relation]).fetchone()
    server.stop("fast")
    file = server.data / path
    content = bytearray(file.read_bytes())
    at = content.index(find)
    change(content, at)
    file.write_bytes(content)
    server.start()


def toast_of(server, table):
    with psycopg.connect(server.conninfo()) as connection:
        return connection.execute(
            "SELECT reltoastrelid::regclass::text FROM pg_class WHERE oid = %s::regclass", [f"layra.{table}"]
        ).fetchone()[0]


def head_of(content, at):
    """The header of a jsonb, before a text that is the first in it."""
    content[at - 12 : at] = b"\xff" * 12


def number_of(content, at):
    """A number's own size, behind the text."""
    start = content.index(b"END") + 3
    content[start : start + 60] = b"\xee" * 60


def character(content, at):
    content[at + 20] = 0xC3


@pytest.mark.parametrize("change", [head_of, number_of, character])
def test_what_is_no_jsonb_any_more(own, change):
    run_id, marker = change.__name__, f"MARK{change.__name__}"
    end = "END" if change is number_of else ""
    with psycopg.connect(own.conninfo(), autocommit=True) as connection:
        connection.execute("ALTER TABLE layra.cell ALTER value SET STORAGE EXTERNAL")
        call(connection, "start_run(%s)", run_id)
        call(connection, "set_variable(%s, 'v', jsonb_build_array(%s::text, 1.5::numeric, %s::numeric))", run_id,
             f"{marker}{'x' * 5000}{end}", "7" * 300)  # fmt: skip
        call(connection, "set_variable(%s, 'w', '1')", run_id)
        assert found(connection, f"SELECT * FROM layra.verify('{run_id}')") == []
    overwrite(own, toast_of(own, "cell"), marker.encode(), change)
    with psycopg.connect(own.conninfo(), autocommit=True) as connection:
        problems = found(connection, f"SELECT version, problem FROM layra.verify('{run_id}')")
        assert problems == [(2, "the value of cell variable/v cannot be read: it is not jsonb")]
        assert [row for row in found(connection) if row[0] == run_id] == [(run_id, *problems[0])]


def test_what_cannot_be_decompressed(own):
    run_id = "compressed"
    with psycopg.connect(own.conninfo(), autocommit=True) as connection:
        connection.execute("ALTER TABLE layra.cell ALTER value SET STORAGE EXTENDED")
        call(connection, "start_run(%s)", run_id)
        text = "".join(f"MARKcompressed{n:x}{n * n:x}" for n in range(9000, 18000))
        call(connection, "set_variable(%s, 'v', to_jsonb(%s::text))", run_id, text)

    def change(content, at):
        content[at + 20 : at + 400] = b"\xff" * 380

    overwrite(own, toast_of(own, "cell"), b"MARKcompressed", change)
    with psycopg.connect(own.conninfo(), autocommit=True) as connection:
        ((version, problem),) = found(connection, f"SELECT version, problem FROM layra.verify('{run_id}')")
        assert version == 2 and re.fullmatch("the value of cell variable/v cannot be read: compressed .* data is corrupt", problem)


@pytest.mark.parametrize("table", ["event", "cell", "checkpoint", "run"])
def test_pages_that_are_not_valid(own, table):
    """Every row on a page: all versions that stand there are named, and what stands elsewhere is compared."""
    dbname = f"page_of_{table}"
    with psycopg.connect(own.conninfo(), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {dbname}")
    with psycopg.connect(own.conninfo(dbname), autocommit=True) as connection:
        connection.execute("CREATE EXTENSION layra_state")
        call(connection, "start_run('run', metadata => %s::jsonb)", json.dumps({"mark": "MARKpage"}))
        marked = [{"type": "x", "updates": {"a": f"MARKpage {n}"}, "payload": f"MARKpage {n}"} for n in range(100)]
        call(connection, "append_events('run', %s::jsonb)", json.dumps(marked))
        call(connection, "checkpoint('run', metadata => '{\"mark\": \"MARKpage\"}')")
        more = [{"type": "x", "updates": {"b": n}} for n in range(300)]
        call(connection, "append_events('run', %s::jsonb)", json.dumps(more))
        for run_id in ("second", *map(str, range(20))):
            call(connection, "start_run(%s, metadata => %s::jsonb)", run_id, json.dumps({"long": "x" * 1500}))
        connection.execute("UPDATE layra.event SET actor = 'x' WHERE run_id = 'run' AND version = 400")
        assert found(connection, "SELECT run_id, version FROM layra.verify()") == [("run", 400)]

    def change(content, at):
        page = at // 8192 * 8192
        content[page : page + 24] = b"\xff" * 24

    overwrite(own, f"layra.{table}", b"MARKpage", change, dbname)
    with psycopg.connect(own.conninfo(dbname), autocommit=True) as connection:
        problems = found(connection)
        assert any("invalid page" in problem for _, _, problem in problems), problems
        if table != "run":
            assert ("run", 400, "the event does not match its hash") in problems
            assert {run_id for run_id, _, problem in problems if "cannot be" in problem} >= {"run"}
        call(connection, "start_run('again')")
