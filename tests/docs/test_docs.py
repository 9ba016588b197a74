"""The documentation is right: its examples print what it says, and it names everything there is.

`python tests/docs/test_docs.py --update [PAGE…]`, with a server (tests/cluster), rewrites the expected output of all
pages or some. Read what it wrote before committing it: a wrong result is a bug, not documentation.
"""

import os
import re
import sys

import pages
import psycopg
import pytest
from pages import PAGES, ROOT

REFERENCE = ROOT / "docs" / "reference.md"
TABLES = ROOT / "docs" / "views-and-tables.md"

# The README's snippets are lines of these programs, which have tests of their own.
EXAMPLES = {
    "python": "examples/python/quickstart.py",
    "javascript": "examples/node/quickstart.js",
    "rust": "examples/rust/src/main.rs",
}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_examples_print_what_the_page_says(page, server):
    with pages.database_for(page, server) as database:
        found = pages.problems(page, pages.run_page(page, database))
    assert not found, "\n\n".join(found)


# --- links -----------------------------------------------------------------------------------------------------


def anchors(page):
    """As GitHub makes them of the headings."""
    headings = re.findall(r"^#+ (.*)$", pages.FENCED.sub("", page.read_text(encoding="utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)\s]+)\)", pages.FENCED.sub("", page.read_text(encoding="utf-8"))):
        if "://" in target:
            continue
        path, _, anchor = target.partition("#")
        linked = (page.parent / path).resolve() if path else page
        assert linked.exists(), f"{page.name} links to {target}"
        if anchor:
            assert anchor in anchors(linked), f"{page.name} links to {target}"


def test_every_page_is_linked_from_the_readme():
    linked = set(re.findall(r"\]\(([^)#\s]+)", (ROOT / "README.md").read_text(encoding="utf-8")))
    missing = {str(page.relative_to(ROOT)) for page in (ROOT / "docs").glob("*.md")} - linked
    assert not missing and {"CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "LICENSE"} <= linked


# --- the programs in the README ----------------------------------------------------------------------------------


@pytest.mark.parametrize("language", EXAMPLES)
def test_snippets_of_the_readme_are_lines_of_the_examples(language):
    snippets = [block.code for block in pages.blocks(ROOT / "README.md") if block.language == language]
    assert snippets
    program = [line.strip() for line in (ROOT / EXAMPLES[language]).read_text(encoding="utf-8").splitlines()]
    missing = [line for code in snippets for line in code.splitlines() if line.strip() and line.strip() not in program]
    assert not missing, f"{EXAMPLES[language]} has not these lines of the README: {missing}"


# --- comments ----------------------------------------------------------------------------------------------------

MEMBERS = """
    SELECT objid FROM pg_depend
    WHERE refclassid = 'pg_extension'::regclass AND deptype = 'e' AND classid = {classid}::regclass
      AND refobjid = (SELECT oid FROM pg_extension WHERE extname = 'layra_state')
"""
FUNCTIONS = f"""
    SELECT proname, pg_get_function_arguments(oid), pg_get_function_result(oid), obj_description(oid, 'pg_proc'),
           coalesce(proargnames, '{{}}')
    FROM pg_proc WHERE oid IN ({MEMBERS.format(classid="'pg_proc'")})
        AND 'internal'::regtype <> ALL (proargtypes) -- which SQL cannot call
    ORDER BY proname
"""
COLUMNS = f"""
    SELECT c.relname, a.attname, col_description(c.oid, a.attnum), obj_description(c.oid, 'pg_class')
    FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    WHERE c.oid IN ({MEMBERS.format(classid="'pg_class'")}) AND c.relkind IN ('r', 'p', 'v') ORDER BY c.relname, a.attnum
"""
REST = """
    SELECT 'index ' || indexrelid::regclass, obj_description(indexrelid, 'pg_class') FROM pg_index
    JOIN pg_class ON pg_class.oid = indexrelid WHERE relnamespace = 'layra'::regnamespace
    UNION ALL
    SELECT format('policy %s on %s', polname, polrelid::regclass), obj_description(p.oid, 'pg_policy') FROM pg_policy p
    JOIN pg_class c ON c.oid = polrelid WHERE relnamespace = 'layra'::regnamespace
    UNION ALL
    SELECT 'operator class ' || opcname, obj_description(oid, 'pg_opclass') FROM pg_opclass
    WHERE opcnamespace = 'layra'::regnamespace
    UNION ALL
    SELECT 'schema layra', obj_description('layra'::regnamespace, 'pg_namespace')
    UNION ALL
    SELECT 'the extension', obj_description(oid, 'pg_extension') FROM pg_extension WHERE extname = 'layra_state'
"""


ARGUMENTS = f"""
    SELECT proname, name, format_type(proargtypes[n - 1], NULL), pg_get_function_arg_default(oid, n::int)
    FROM pg_proc, unnest(proargnames[1:pronargs]) WITH ORDINALITY a(name, n)
    WHERE oid IN ({MEMBERS.format(classid="'pg_proc'")}) ORDER BY proname, n
"""
# What the catalogue writes otherwise than people do.
SPELLINGS = {"timestamp with time zone": "timestamptz", "00:00:30": "30 seconds"}


def test_functions_have_comments_that_teach_them(admin):
    """A short sentence that says what it is for; a line for each argument, with the type and the default that it has; the
    result; the errors by their SQLSTATEs; an example. layra.help makes a page of it."""
    functions = admin.execute(FUNCTIONS).fetchall()
    assert functions
    arguments = {}
    for name, argument, type_, default in admin.execute(ARGUMENTS):
        value = default and re.sub(r"^'(.*)'$", r"\1", re.sub(r"::[\w ]+(\[\])?$", "", default))
        value = f", default {SPELLINGS.get(value, value)}" if default else ""
        arguments.setdefault(name, []).append(f"{argument} {SPELLINGS.get(type_, type_)}{value}: ")
    for name, _, _, comment, _ in functions:
        assert comment, f"{name} has no comment"
        first, *lines = comment.split("\n")
        is_sentence = re.fullmatch(r"(Internal: [a-z]|[A-Z]).*\.", first) and ". " not in first
        assert is_sentence, f"{name}: {first} is not one sentence"
        assert len(first) <= 74 or first.startswith("Internal"), f"{name}: the first line is too long for a list"
        parts = [*arguments.get(name, []), "Result", "Errors: ", "Example: SELECT "]
        places = [next((n for n, line in enumerate(lines) if line.startswith(part)), None) for part in parts]
        missing = [part for part, place in zip(parts, places) if place is None]
        assert not missing, f"the comment of {name} lacks a line that begins with: {missing}"
        assert places == sorted(places), f"the comment of {name} has another order"
        errors = lines[places[-2]].removeprefix("Errors: ").removesuffix(".")
        assert errors == "none" or all(re.match(r"[0-9A-Z]{5} \w", error) for error in re.split(r", (?=[0-9A-Z]{5} )", errors)), name


def test_tables_views_and_columns_have_comments(admin):
    columns = admin.execute(COLUMNS).fetchall()
    assert columns
    assert [row[:2] for row in columns if not (row[2] and row[3])] == []


def test_everything_else_has_comments(admin):
    assert [name for name, comment in admin.execute(REST) if not comment] == []


# A world in which every example of a comment works.
WORLD = """
    CREATE ROLE app; CREATE ROLE billing_team;
    CREATE FUNCTION public.check_total(run_id text, state jsonb) RETURNS SETOF text LANGUAGE sql AS 'SELECT $1';
    CREATE FUNCTION public.to_outbox(run_id text, version bigint, type text, payload jsonb) RETURNS void LANGUAGE sql
        AS '';
    SELECT layra.start_run('order-17', variables => '{"total": 120.50, "customer": "Ada"}');
    SELECT layra.checkpoint('order-17', 'before payment');
    SELECT layra.set_variable('order-17', 'total', '99.90');
    SELECT layra.rollback('order-17', 3);
    SELECT layra.begin_node('order-17', 'pay', 'w1', '5 minutes');
    SELECT layra.enter_loop('order-17', 'lines');
    SELECT layra.save_state('order-18', '{"global_variables": {}}');
    SELECT layra.define_breaker('mail api');
"""
# What some examples need besides.
BEFORE = {
    "start_run": "SELECT layra.drop_run('order-17')",
    "import_run": "CREATE TABLE archive AS SELECT layra.export_run('order-17') AS line; SELECT layra.drop_run('order-17')",
    "import_lines": "CREATE TABLE archive AS SELECT layra.export_run('order-17') AS line; SELECT layra.drop_run('order-17')",
    "reopen_run": "SELECT layra.finish_run('order-17', 'failed')",
    "set_variables": "SELECT layra.drop_run('order-17'); SELECT layra.start_run('order-17')",
    "checkpoint": "SELECT layra.drop_run('order-17'); SELECT layra.start_run('order-17')",
    "resume_run": "SELECT layra.pause_run('order-17', 'pay')",
    "withdraw_interaction": "SELECT layra.pause_run('order-17', 'pay')",
}


def test_examples_of_the_comments_work(admin):
    for name, _, _, comment, _ in admin.execute(FUNCTIONS).fetchall():
        example = re.search(r"Example: (SELECT .*;)", comment, re.DOTALL)[1]
        with admin.transaction(force_rollback=True):
            admin.execute(WORLD)
            admin.execute(BEFORE.get(name, ""))
            try:
                admin.execute(example)
            except psycopg.Error as error:
                pytest.fail(f"the example of {name} fails: {example}\n{error}")


# --- completeness ------------------------------------------------------------------------------------------------


def squeezed(text):
    """Without what PostgreSQL and people write differently: white space, and the types of default values."""
    return re.sub(r"\s+", " ", re.sub(r"::[a-z ]+(\[\])?(?=[,)]|$)", "", text)).replace("( ", "(").replace(" )", ")")


def test_reference_has_every_function_with_its_signature(admin):
    reference = squeezed(REFERENCE.read_text(encoding="utf-8"))
    for name, arguments, result, _, _ in admin.execute(FUNCTIONS):
        signature = squeezed(f"layra.{name}({arguments}) → {result}")
        assert signature in reference, f"docs/reference.md lacks {signature}"


def test_reference_says_everything_of_every_function(admin):
    """What it is for, each argument, errors, an example that calls it, and what it is related to, as layra.help has it."""
    page = REFERENCE.read_text(encoding="utf-8")
    sections = dict(re.findall(r"^### (\w+)\n(.*?)(?=^##|\Z)", page, re.MULTILINE | re.DOTALL))
    conventions = page[: page.index("\n## Workflows and runs")]
    silent = []
    for name, _, _, comment, _ in admin.execute(FUNCTIONS).fetchall():
        if comment.startswith("Internal: "):
            assert name not in sections, f"docs/reference.md has a section on {name}, which is internal"
            continue
        section = sections[name]
        prose = pages.FENCED.sub("", section)
        assert re.match(r"\s+[A-Z*][^`]+", prose), f"docs/reference.md does not say what {name} is for"
        assert f"layra.{name}(" in "".join(re.findall(r"^```sql\n(.*?)^```", section, re.MULTILINE | re.DOTALL)), f"{name}: no example"
        assert re.search(r"\bErrors: ", prose), f"docs/reference.md has no errors of {name}"
        for _, argument, _, _ in [row for row in admin.execute(ARGUMENTS) if row[0] == name]:
            said = rf"`[^`]*\b{argument}\b"
            in_general = argument in ("run_id", "expected_version", "idempotency_key") and re.search(said, conventions)
            if not in_general and not re.search(said, prose):
                silent.append(f"{name}: {argument}")
        lines = [line for (line,) in admin.execute("SELECT layra.help(%s)", [name])]
        related = "".join(lines[lines.index("Related") + 1 :]).replace(" ", "").split(",")
        shown = re.search(r"^Related: (.*)\.$", prose, re.MULTILINE)
        assert shown, f"docs/reference.md does not say what {name} is related to"
        found = [other.removeprefix("layra.") for other in re.findall(r"\[([\w.]+)\]", shown[1])]
        assert found == related, f"docs/reference.md, {name}: Related: {', '.join(related)}"
    assert not silent, f"docs/reference.md says nothing of these arguments: {silent}"


def test_page_of_tables_and_views_says_what_the_comments_say(admin):
    page = TABLES.read_text(encoding="utf-8")
    sections = dict(re.findall(r"^### `layra\.(\w+)`\n(.*?)(?=^##|\Z)", page, re.MULTILINE | re.DOTALL))
    columns = admin.execute(COLUMNS).fetchall()
    for relation, column, comment, about in columns:
        assert relation in sections, f"docs/views-and-tables.md has no section on {relation}"
        assert squeezed(about) in squeezed(sections[relation]), f"docs/views-and-tables.md lacks, on {relation}: {about}"
        row = re.compile(rf"^\| `{column}` \| [\w\[\]]+ \| {re.escape(comment)} \|$", re.MULTILINE)
        assert row.search(sections[relation]), f"docs/views-and-tables.md lacks, in {relation}: | `{column}` | … | {comment} |"
    assert sections.keys() == {row[0] for row in columns}


# --- update ------------------------------------------------------------------------------------------------------


def main(arguments):
    if arguments[:1] != ["--update"] or "PGHOST" not in os.environ:
        sys.exit(__doc__)
    for page in PAGES:
        if arguments[1:] and page.name not in [os.path.basename(name) for name in arguments[1:]]:
            continue
        with pages.database_for(page, "") as database:
            changed = pages.update(page, pages.run_page(page, database))
        print(f"{page.relative_to(ROOT)}: {'updated' if changed else 'as it was'}")


if __name__ == "__main__":
    main(sys.argv[1:])
