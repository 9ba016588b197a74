"""Clients whose encoding is not UTF8 read everything that the extension itself says: its own text is ASCII."""

import json
import os
import re
import subprocess
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

ROOT = Path(__file__).parents[2]
RELEASED = {line.split()[1] for line in (ROOT / "sql/released.sha256").read_text().splitlines()}
PSQL = Path(os.environ.get("PG_BINDIR", "")) / "psql"
ENCODINGS = ("LATIN1", "LATIN2", "SJIS")

# Everything in the catalogue that a client can come to see, with where it stands.
TEXTS = """
    SELECT pg_describe_object(classoid, objoid, objsubid), description FROM pg_description d
    WHERE EXISTS (SELECT FROM pg_depend e WHERE e.refclassid = 'pg_extension'::regclass AND e.deptype = 'e'
                  AND e.refobjid = (SELECT oid FROM pg_extension WHERE extname = 'layra_state')
                  AND (e.classid, e.objid) = (d.classoid, d.objoid))
       OR pg_describe_object(classoid, objoid, objsubid) LIKE '%layra%'
    UNION ALL SELECT oid::regprocedure::text, pg_get_functiondef(oid) FROM pg_proc WHERE pronamespace = 'layra'::regnamespace
    UNION ALL SELECT oid::regclass::text, pg_get_viewdef(oid) FROM pg_class
        WHERE relnamespace = 'layra'::regnamespace AND relkind = 'v'
    UNION ALL SELECT indexrelid::regclass::text, pg_get_indexdef(indexrelid) FROM pg_index
        WHERE indrelid IN (SELECT oid FROM pg_class WHERE relnamespace = 'layra'::regnamespace)
    UNION ALL SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint WHERE connamespace = 'layra'::regnamespace
    UNION ALL SELECT polname, concat(pg_get_expr(polqual, polrelid), pg_get_expr(polwithcheck, polrelid)) FROM pg_policy
        WHERE polrelid IN (SELECT oid FROM pg_class WHERE relnamespace = 'layra'::regnamespace)
    UNION ALL SELECT name, concat(short_desc, extra_desc) FROM pg_settings WHERE name LIKE 'layra.%'
"""


def test_what_is_in_the_catalogue_is_ascii(admin):
    admin.execute("SELECT layra.owns('')")  # loads the library, with its settings
    texts = admin.execute(TEXTS).fetchall()
    assert len(texts) > 400
    assert {"layra.actor", "layra.now"} <= {where for where, _ in texts}
    assert [where for where, text in texts if not text.isascii()] == []


@pytest.mark.parametrize("path", [path for path in sorted((ROOT / "sql").glob("*.sql")) if path.name not in RELEASED],
                         ids=lambda path: path.name)  # fmt: skip
def test_scripts_are_ascii(path):
    assert [line for line in path.read_text(encoding="utf-8").splitlines() if not line.isascii()] == []


# In this order: what begins first is what it is. A comment may have any character.
RUST = re.compile(
    r"""(?P<comment>//[^\n]*|/\*.*?\*/)|(?P<raw>b?r(?P<hashes>\#*)".*?"(?P=hashes))|(?P<text>[bc]?"(?:[^"\\]|\\.)*")"""
    r"""|(?P<char>b?'(?:[^'\\\n]|\\.[^'\n]*)')""",
    re.DOTALL,
)


def literals(source):
    return [found[0] for found in RUST.finditer(source) if not found["comment"]]


def test_literals_are_found():
    source = """let a = "x // …"; // "…"\nlet b = r#"a "·" b"#; let c = '…'; fn f<'a>(x: &'a str) { "\\"…" } /* '…' */"""
    assert [text for text in literals(source) if not text.isascii()] == [
        '"x // …"', 'r#"a "·" b"#', "'…'", '"\\"…"'
    ]  # fmt: skip


@pytest.mark.parametrize("path", sorted((ROOT / "src").rglob("*.rs")), ids=lambda path: path.name)
def test_literals_of_the_source_are_ascii(path):
    assert [text for text in literals(path.read_text(encoding="utf-8")) if not text.isascii()] == []


# --- real clients ---------------------------------------------------------------------------------------------------


def client(conninfo, encoding, script):
    """What psql prints of a script, errors too, with all that there is to an error."""
    place = conninfo_to_dict(conninfo)
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PG", "LC_", "LANG"))}
    environment |= {"PGHOST": place.get("host") or os.environ["PGHOST"], "PGPORT": os.environ.get("PGPORT", "5432"),
                    "PGUSER": "postgres", "PGDATABASE": place["dbname"], "PGCLIENTENCODING": encoding}  # fmt: skip
    done = subprocess.run(
        [PSQL, "-X", "-a", "-v", "VERBOSITY=verbose", "-v", "SHOW_CONTEXT=always", "-P", "pager=off"],
        input=script, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd=ROOT,
    )  # fmt: skip
    return done.stdout


# What somebody looks at who does not know the extension, and every row of every view.
LOOKS = rb"""
\dx+ layra_state
\df+ layra.*
\d+ layra.*
\dn+ layra
\dp layra.*
\dd layra.*
SELECT format('SELECT * FROM layra.%I', relname) FROM pg_class WHERE relnamespace = 'layra'::regnamespace AND relkind IN ('r', 'v') \gexec
SELECT format('SELECT pg_get_functiondef(%s)', oid) FROM pg_proc WHERE pronamespace = 'layra'::regnamespace \gexec
SELECT name, setting, short_desc, extra_desc FROM pg_settings WHERE name LIKE 'layra.%';
"""
# Rows of every kind, in ASCII; of the timeline those with the most parts.
FILL = rb"""
SELECT layra.start_run('r', variables => '{"a": 1}'), layra.checkpoint('r', 'here'), layra.set_variable('r', 'a', '2');
SELECT layra.begin_node('r', 'n', 'w', '1 hour'), layra.enter_loop('r', 'l'), layra.complete_node('r', 'n', '1');
SELECT layra.rollback_to('r', 'here', 'a reason'), layra.fork_run('r', 'f'), layra.pause_run('f', 'n');
SELECT layra.define_breaker('b', 1), layra.breaker_failure('b', '{}'), layra.grant_access('pg_monitor', 'auditor');
"""
NO_EQUIVALENT = re.compile(rb'byte sequence ((?:0x[0-9a-f]{2} ?)+) in encoding "UTF8" has no equivalent in encoding "\w+"')


def own(character, source):
    """Whether a test's file has this character, as it is or as JSON writes it: it is the user's own."""
    code = "".join(f"\\u{unit:04x}" for unit in memoryview(character.encode("utf-16-le")).cast("H"))
    return character in source or code in source.lower()


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_clients_read_every_message_comment_and_view(create_database, connect, encoding):
    """Of the tests in SQL, which provoke every message, and whose data is their own; and then of what they have left."""
    conninfo = create_database()
    connect(conninfo).execute("CREATE EXTENSION layra_state")
    wrong, seen = [], b""
    for path in sorted((ROOT / "tests/sql").glob("*.sql")):
        printed = client(conninfo, encoding, path.read_bytes())
        seen += printed
        for found in NO_EQUIVALENT.finditer(printed):
            character = bytes(int(byte, 16) for byte in found[1].split()).decode()
            if not own(character, path.read_text(encoding="utf-8")):
                wrong.append(f"{path.name}: {character}")
    assert wrong == []
    for code in (b"22023", b"P0002", b"42501", b"40001", b"55000", b"23514", b"23505", b"54000"):
        assert b"ERROR:  " + code in seen, code
    # Without the tests' own data, some of which no such client can read.
    other = create_database()
    connect(other).execute("CREATE EXTENSION layra_state")
    printed = client(other, encoding, FILL + LOOKS)
    assert not NO_EQUIVALENT.search(printed), NO_EQUIVALENT.search(printed)[0]
    assert b"Starts a run, owned by the calling role" in printed and b"rolled back" in printed.replace(b"_", b" ")


def refused(connection, sql, *arguments):
    with pytest.raises(psycopg.Error) as error:
        connection.execute(f"SELECT layra.{sql}", arguments)
    return error.value.diag


# Names that are stored, and are in what somebody else is told: with what the encoding does not have, and with what it has.
NAMES = {"LATIN1": ("работник 🙂", "é"), "LATIN2": ("ñ日本", "ř"), "SJIS": ("éř", "日本"), "UTF8": ("", "é 日本 🙂")}


@pytest.mark.parametrize("encoding", NAMES)
def test_errors_about_names_that_a_client_cannot_read(admin, connect, role, encoding):
    """They are what they are, with the name escaped; DETAIL is JSON, whose escapes are the name."""
    other, own = NAMES[encoding]
    name = other + own
    escaped = "".join(code if character in other and not character.isascii() else character for character in name
                      for code in ["".join(f"\\u{unit:04x}" for unit in memoryview(character.encode("utf-16-le")).cast("H"))])  # fmt: skip
    client = connect()
    client.execute(f"SET client_encoding = '{encoding}'")
    notices = []
    client.add_notice_handler(lambda notice: notices.append((notice.severity, notice.message_primary)))
    run = f"names {encoding}"
    admin.execute("SELECT layra.start_run(%s)", [run])
    admin.execute("SELECT layra.begin_node(%s, 'n', %s, '1 hour')", [run, name])
    held = refused(client, "begin_node(%s, 'n', 'me')", run)
    assert (held.sqlstate, held.message_primary) == ("55P03", f'node "n" of run "{run}" is held by {escaped}')
    assert json.loads(held.message_detail)["holder"] == name
    (asked,) = admin.execute("SELECT layra.pause_run(%s, 'n')", [run]).fetchone()
    admin.execute("SELECT layra.set_variable(%s, %s, '1')", [run, name])
    changed = refused(client, "resume_run(%s, %s)", run, asked)
    assert (changed.sqlstate, json.loads(changed.message_detail)["conflicts"]) == ("40001", [f"/{name}"])
    owner = role(f"{name}")
    admin.execute("SELECT layra.grant_access(%s, level) FROM unnest('{writer,admin}'::text[]) level", [owner])
    connect(role=owner).execute("SELECT layra.define_workflow(%s, '{}', shared => true)", [run])
    taken = refused(client, "define_workflow(%s, '{}', shared => true)", run)
    assert taken.sqlstate == "23505" and escaped in taken.message_primary
    # A warning is none that stops the call.
    admin.execute(sql.SQL("CREATE FUNCTION public.{}(text, bigint, text, jsonb) RETURNS void LANGUAGE sql AS ''").format(sql.Identifier(name)))
    function = sql.Identifier(name).as_string(admin)
    admin.execute("SELECT layra.on_event('note', %s)", [f"public.{function}(text, bigint, text, jsonb)"])
    admin.execute(f"DROP FUNCTION public.{function}(text, bigint, text, jsonb)")
    client.execute("SELECT layra.append_event(%s, 'note')", [run])
    assert [severity for severity, message in notices if escaped in message] == ["WARNING"]
    admin.execute("DELETE FROM layra.handler")
