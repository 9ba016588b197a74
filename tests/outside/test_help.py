"""layra.help: the functions by topic, and a page for each, made of the comments in the catalogue."""

import re

import psycopg
import pytest

MEMBERS = """
    SELECT proname, proargnames[1:pronargs], obj_description(oid, 'pg_proc') FROM pg_proc
    WHERE pronamespace = 'layra'::regnamespace ORDER BY proname
"""
VIEWS = """
    SELECT relname, obj_description(oid, 'pg_class') FROM pg_class
    WHERE relnamespace = 'layra'::regnamespace AND relkind = 'v' ORDER BY relname
"""
SETTINGS = ["actor", "now"]


@pytest.fixture(scope="module")
def catalogue(dsn):
    """Functions, with arguments and comments, and views, with comments."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        functions = {name: (arguments or [], comment) for name, arguments, comment in connection.execute(MEMBERS)}
        return functions, dict(connection.execute(VIEWS).fetchall())


def page(connection, *name):
    return [line for (line,) in connection.execute(f"SELECT * FROM layra.help({', '.join(['%s'] * len(name))})", name)]


def listed(connection):
    """The list: {topic: {name: what it is for}}."""
    topics, lines = {}, page(connection)
    # Without the last paragraph.
    for line in lines[: len(lines) - 1 - lines[::-1].index("")]:
        if line and not line.startswith(" "):
            names = topics.setdefault(line, {})
        elif line:
            name, about = line.split(maxsplit=1)
            names[name] = about
    return topics


def related(connection, name):
    lines = page(connection, name)
    return "".join(lines[lines.index("Related") + 1 :]).replace(" ", "").split(",")


def test_list_has_every_function_that_is_not_internal_and_every_view_and_setting(admin, catalogue):
    functions, views = catalogue
    topics = listed(admin)
    public = {name: comment for name, (_, comment) in functions.items() if not comment.startswith("Internal: ")}
    assert 55 < len(public) < len(functions)
    views_listed, settings = topics.pop("Views"), topics.pop("Settings")
    assert views_listed == {name: comment.split("\n")[0] for name, comment in views.items()}
    assert list(settings) == SETTINGS and all(settings.values())
    in_topics = [name for names in topics.values() for name in names]
    assert sorted(in_topics) == sorted(public), "each function has one topic"
    for names in topics.values():
        assert names.items() <= {name: comment.split("\n")[0] for name, comment in public.items()}.items()


def test_what_is_for_callers_is_not_internal_and_the_rest_is(admin, catalogue):
    """What row security, views and the granting functions are made of, and nothing else."""
    functions, _ = catalogue
    assert {name for name, (_, comment) in functions.items() if comment.startswith("Internal: ")} == {
        "breaker_state", "check_access", "format_3", "owners_by_index", "owns", "readable_owners", "reads_every_run", "reads_run",
        "reads_runs_of", "remembered", "changed_cells", "undone_by",
    }  # fmt: skip


def test_every_page_is_whole_and_can_be_read(admin, catalogue):
    functions, views = catalogue
    known = {*functions, *views, *SETTINGS}
    public = {name for names in listed(admin).values() for name in names}
    assert max(map(len, page(admin))) <= 98
    assert "holds up its other writers until the transaction ends" in page(admin)[-2]
    for name, (arguments, comment) in functions.items():
        lines = page(admin, name)
        # 98 and psql's margins are 100.
        assert max(map(len, lines)) <= 98, name
        assert lines[0].startswith(f"layra.{name}(") and lines[1 if lines[1] == "" else lines.index("")] == ""
        text = "\n".join(lines)
        # Nothing of the comment is lost, whatever lines it is broken into.
        squeezed = re.sub(r"\s+", "", text)
        for part in re.split(r"\n(?:Result|Errors|Example):? ?|\n", comment):
            for piece in part.split(", "):
                assert re.sub(r"\s+", "", piece) in squeezed, (name, piece)
        sections = re.findall(r"^(\w+)$", text, re.MULTILINE)
        wanted = [*(["Arguments"] if arguments else []), "Result", "Errors"]
        wanted += [] if name == "owners_by_index" else ["Example"]
        assert sections == wanted + (["Related"] if name in public else []), name
        for argument in arguments:
            assert re.search(rf"^  {argument} ", text, re.MULTILINE), (name, argument)
    for name in public:
        others = related(admin, name)
        assert set(others) <= known and name not in others and len(set(others)) == len(others), name


def test_views_tables_and_settings_have_pages(admin, catalogue):
    _, views = catalogue
    for name in [*views, "event", "cell", "access"]:
        lines = page(admin, name)
        columns = [name for (name,) in admin.execute(
            "SELECT attname FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped", [f"layra.{name}"]
        )]  # fmt: skip
        shown = [line.split()[0] for line in lines[lines.index("Columns") + 1 :] if re.match(r"  \w", line)]
        assert shown[: len(columns)] == columns
        assert max(map(len, lines)) <= 98
    for name in SETTINGS:
        lines = page(admin, name)
        assert lines[0] == f"Setting layra.{name}" and "Example" in lines
    # Where a table has the name of a function, the function is meant.
    assert page(admin, "checkpoint")[0].startswith("layra.checkpoint(")


@pytest.mark.parametrize("name", ["layra.set_variable", "SET_VARIABLE", "  set_variable ", "layra.set_variable(text, text, jsonb)"])
def test_a_name_may_be_written_as_it_is_called(admin, name):
    assert page(admin, name) == page(admin, "set_variable")


@pytest.mark.parametrize(
    "name, similar",
    [("set_vars", ["set_variables", "set_variable"]), ("loop", ["enter_loop", "exit_loop"]), ("rolback", ["rollback"]), ("", []), ("xyz", [])],
)
def test_an_unknown_name_is_told_what_there_is(admin, raises, name, similar):
    with raises("P0002") as error:
        page(admin, name)
    assert error.message == f'there is no help on "{name}"'
    assert "SELECT layra.help();" in error.hint
    assert all(other in error.hint for other in similar)
    assert ("Similar" in error.hint) == bool(similar)


def test_auditors_can_ask_and_strangers_cannot(admin, connect, role, raises):
    audit, stranger = role("audit"), role("stranger")
    admin.execute("SELECT layra.grant_access(%s, 'auditor')", [audit])
    assert page(connect(role=audit), "verify") == page(admin, "verify")
    with raises("42501"):
        page(connect(role=stranger))


def test_what_a_caller_has_in_his_path_changes_nothing(admin, connect, role):
    """Functions and operators of the same names, and tables in the place of the catalogue's."""
    writer = role("writer")
    admin.execute("SELECT layra.grant_access(%s, 'writer')", [writer])
    admin.execute(f"CREATE SCHEMA traps AUTHORIZATION {writer}")
    session = connect(role=writer)
    before = page(session, "verify")
    session.execute("""
        CREATE FUNCTION traps.obj_description(oid, name) RETURNS text LANGUAGE sql AS $$ SELECT 'trap' $$;
        CREATE FUNCTION traps.lower(text) RETURNS text LANGUAGE sql AS $$ SELECT 'trap' $$;
        CREATE FUNCTION traps.concat(text, text) RETURNS text LANGUAGE sql AS $$ SELECT 'trap' $$;
        CREATE OPERATOR traps.|| (LEFTARG = text, RIGHTARG = text, FUNCTION = traps.concat);
        CREATE TEMP TABLE pg_proc (x int);
        SET search_path = traps, pg_temp, pg_catalog;
    """)
    assert [line for (line,) in session.execute("SELECT layra.help('verify'::pg_catalog.text)")] == before
