"""Imports: a run that was exported is the same again, here or elsewhere; what was altered is refused, and leaves nothing."""

import json
import shutil
import sys
from itertools import takewhile
from pathlib import Path
from tempfile import gettempdir

import psycopg
import pytest
from test_export import EVERYTHING, RUNS, altered, export, things

sys.path.insert(0, str(Path(__file__).parent.parent.parent / "examples/python"))

import verify_export  # noqa: E402

IMPORT = "SELECT layra.import_run(coalesce(array_agg(line::jsonb ORDER BY random()), '{}')) FROM unnest(%s::text[]) line"
# What readers see of a run. The transaction that wrote a row is another one.
READS = {
    "run": "SELECT to_jsonb(r) FROM layra.run r WHERE run_id = %(r)s",
    "runs": "SELECT to_jsonb(r) FROM layra.runs r WHERE run_id = %(r)s",
    "timeline": "SELECT to_jsonb(t) FROM layra.timeline t WHERE run_id = %(r)s ORDER BY version",
    "event": "SELECT to_jsonb(e) - 'xact' FROM layra.event e WHERE run_id = %(r)s ORDER BY version",
    "cell": "SELECT to_jsonb(c) FROM layra.cell c WHERE run_id = %(r)s ORDER BY scope, key, ordinal, version",
    "history": "SELECT c.scope, c.key, h FROM (SELECT DISTINCT scope, key FROM layra.cell WHERE run_id = %(r)s) c, layra.history(%(r)s, c.key, c.scope) h ORDER BY 1, 2",
    "get_state": "SELECT version, layra.get_state(%(r)s, version) FROM layra.event WHERE run_id = %(r)s ORDER BY 1",
    "cells": "SELECT version, layra.cells(%(r)s, NULL, version) FROM layra.event WHERE run_id = %(r)s ORDER BY 1",
    "checkpoint": "SELECT to_jsonb(c) FROM layra.checkpoint c WHERE run_id = %(r)s ORDER BY version",
    "interactions": "SELECT to_jsonb(i) FROM layra.interactions i WHERE run_id = %(r)s ORDER BY version",
    "interaction": "SELECT to_jsonb(i) FROM layra.interaction i WHERE run_id = %(r)s ORDER BY version",
    "lease": "SELECT to_jsonb(l) FROM layra.lease l WHERE run_id = %(r)s ORDER BY node_id",
    "digest": "SELECT layra.digest(%(r)s)",
    "verify": "SELECT layra.verify(%(r)s)",
}


def everything(connection, run_id):
    with connection.transaction():
        connection.execute("SET LOCAL timezone = 'UTC'")
        return {name: connection.execute(query, {"r": run_id}).fetchall() for name, query in READS.items()}


@pytest.fixture(scope="module")
def prepare():
    def prepare(connection):
        connection.execute("CREATE EXTENSION layra_state")
        connection.execute(EVERYTHING)

    return prepare


@pytest.fixture
def db(connect):
    return connect()


@pytest.fixture(scope="module")
def elsewhere_dsn(create_database):
    conninfo = create_database()
    with psycopg.connect(conninfo, autocommit=True) as connection:
        connection.execute("CREATE EXTENSION layra_state")
    return conninfo


@pytest.fixture
def elsewhere(connect, elsewhere_dsn):
    """A superuser's connection to an empty database."""
    connection = connect(elsewhere_dsn)
    connection.execute("""
        SELECT layra.release_run(run_id) FROM layra.run; SELECT layra.drop_run(run_id) FROM layra.run; DELETE FROM layra.seal;
        DELETE FROM layra.workflow; DELETE FROM layra.graph; DROP TABLE IF EXISTS public.archive""")
    return connection


def refuses(connection, lines, sqlstate="XX001"):
    rows = {}
    for now in (False, True):
        counts = {
            table: connection.execute(f"SELECT count(*) FROM layra.{table}").fetchone()
            for table in ("run", "event", "cell", "checkpoint", "interaction", "lease", "seal", "workflow", "graph", "inherited_key")
        }  # fmt: skip
        assert rows.setdefault("before", counts) == counts
        if not now:
            with pytest.raises(psycopg.Error) as error:
                connection.execute(IMPORT, [lines])
            assert error.value.sqlstate == sqlstate, error.value
    return error.value


# --- the same again ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("run_id", RUNS)
def test_a_run_that_was_dropped_comes_back(db, run_id):
    """Its forks, and what it was forked from, are there."""
    lines, before = export(db, run_id), everything(db, run_id)
    with db.transaction(force_rollback=True):
        db.execute("SELECT layra.release_run(run_id) FROM layra.runs WHERE run_id = %s AND hold IS NOT NULL", [run_id])
        db.execute("SELECT layra.drop_run(%s)", [run_id])
        (version,) = db.execute(IMPORT, [lines]).fetchone()
        assert version == things(lines, "trailer")[0]["version"]
        assert everything(db, run_id) == before
        assert export(db, run_id) == lines
        assert db.execute("SELECT * FROM layra.verify()").fetchall() == []
        seals = db.execute("SELECT what, actor = current_user, last_version, head_hash, events, cells FROM layra.seals WHERE run_id = %s ORDER BY number DESC", [run_id]).fetchall()
        trailer = things(lines, "trailer")[0]
        assert seals[0] == ("imported", True, version, trailer["head_hash"], trailer["events"], trailer["cells"])
        # It lives on, and can go again.
        db.execute("SELECT layra.release_run(run_id) FROM layra.runs WHERE run_id = %s AND hold IS NOT NULL", [run_id])
        assert db.execute("SELECT * FROM layra.verify()").fetchall() == []
        db.execute("SELECT layra.drop_run(%s), layra.start_run(%s)", [run_id, run_id])
        assert db.execute("SELECT * FROM layra.verify()").fetchall() == []


@pytest.mark.parametrize("order", [RUNS, RUNS[::-1]], ids=["parents first", "forks first"])
def test_runs_in_another_database(db, elsewhere, order):
    lines = {run_id: export(db, run_id) for run_id in order}
    for run_id in order:
        elsewhere.execute(IMPORT, [lines[run_id]])
        # But for a fork of a parent that was dropped, and that now lacks the run that it became a fork of.
        assert export(elsewhere, run_id) == lines[run_id] or (order != RUNS and run_id == "adopted")
        assert elsewhere.execute("SELECT * FROM layra.verify()").fetchall() == []
    for run_id in order:
        assert verify_export.verify(export(elsewhere, run_id)).header["run_id"] == run_id
        here, there = everything(db, run_id), everything(elsewhere, run_id)
        if order == RUNS:
            assert there == here
        else:
            # A fork that came without its parent is as one whose parent was dropped.
            different = {name for name in here if here[name] != there[name]}
            assert different <= {"run", "runs"}, different
    if order == RUNS:
        heads = db.execute("SELECT jsonb_agg(h) FROM layra.heads() h WHERE run_id = ANY (%s)", [list(RUNS)]).fetchone()[0]
        own = [head for head in heads if head["run_id"] not in ("orphan",)]
        assert elsewhere.execute("SELECT * FROM layra.verify_heads(%s)", [json.dumps(own)]).fetchall() == []


@pytest.mark.parametrize("order", [RUNS, RUNS[::-1]], ids=["parents first", "forks first"])
def test_inherited_keys_are_repetitions(db, elsewhere, order):
    for run_id in order:
        elsewhere.execute(IMPORT, [export(db, run_id)])
    for run_id, call in {
        "fork": "layra.start_run('fork', idempotency_key => 'start')",
        "orphan": "layra.start_run('orphan', idempotency_key => 'parent')",
        "adopted": "layra.append_event('adopted', 'x', idempotency_key => 'between')",
        "fork of fork": "layra.set_variable('fork of fork', 'v', '1', idempotency_key => 'own')",
    }.items():
        for connection in (db, elsewhere):
            assert connection.execute(f"SELECT {call}").fetchone() == (1,), (run_id, connection)
    # Also for the forks of what was imported, when that goes.
    elsewhere.execute("SELECT layra.fork_run('orphan', 'child'), layra.drop_run('orphan')")
    assert elsewhere.execute("SELECT layra.start_run('child', idempotency_key => 'parent')").fetchone() == (1,)


def test_a_run_that_continues_can_be_exported_again(db, elsewhere):
    elsewhere.execute(IMPORT, [export(db)])
    elsewhere.execute("SELECT layra.set_variable('r', 'list', layra.get_variable('r', 'list') || '[\"still more\"]')")
    elsewhere.execute("SELECT layra.begin_node('r', 'a', 'again', '1 hour')")
    lines, before = export(elsewhere), everything(elsewhere, "r")
    with elsewhere.transaction(force_rollback=True):
        elsewhere.execute("SELECT layra.release_run('r'), layra.drop_run('r')")
        elsewhere.execute(IMPORT, [lines])
        assert everything(elsewhere, "r") == before and export(elsewhere) == lines
        assert elsewhere.execute("SELECT * FROM layra.verify()").fetchall() == []


def test_another_run_of_the_id_was_here(db, elsewhere):
    """One that had no seal before it comes behind theirs; one that follows other seals than those that are here does not."""
    elsewhere.execute("SELECT layra.start_run('done'), layra.append_event('done', 'another'), layra.drop_run('done')")
    elsewhere.execute(IMPORT, [export(db, "done")])
    assert elsewhere.execute("SELECT what FROM layra.seals WHERE run_id = 'done' ORDER BY number").fetchall() == [("dropped",), ("imported",)]
    assert elsewhere.execute("SELECT * FROM layra.verify()").fetchall() == [] and export(elsewhere, "done") == export(db, "done")
    elsewhere.execute("SELECT layra.start_run('r'), layra.append_event('r', 'another'), layra.drop_run('r')")
    assert "seals" in refuses(elsewhere, export(db), "55000").diag.message_primary


def test_the_seals_that_are_here_already(db, elsewhere):
    """Some of those before the run, or all."""
    lines = export(db)
    elsewhere.execute(IMPORT, [lines])
    seals = "SELECT number, what FROM layra.seal WHERE run_id = 'r' ORDER BY number"
    assert elsewhere.execute(seals).fetchall() == [(1, "dropped"), (2, "dropped"), (3, "imported")]
    elsewhere.execute("SELECT layra.release_run('r'), layra.drop_run('r'); DELETE FROM layra.seal WHERE run_id = 'r' AND number > 1")
    elsewhere.execute(IMPORT, [lines])
    assert elsewhere.execute(seals).fetchall() == [(1, "dropped"), (2, "dropped"), (3, "imported")]
    assert elsewhere.execute("SELECT * FROM layra.verify()").fetchall() == []


def test_definitions_that_are_here_already(db, elsewhere):
    definition = db.execute("SELECT definition::text FROM layra.workflow WHERE name = 'flow'").fetchone()[0]
    elsewhere.execute("SELECT layra.define_workflow('flow', %s)", [definition])
    elsewhere.execute(IMPORT, [export(db)])
    assert elsewhere.execute("SELECT count(*) FROM layra.workflow").fetchone() == (1,)
    elsewhere.execute("SELECT layra.release_run('r'), layra.drop_run('r'); DELETE FROM layra.workflow; DELETE FROM layra.seal")
    elsewhere.execute("SELECT layra.define_workflow('flow', '{}')")
    assert "workflow" in refuses(elsewhere, export(db), "55000").diag.message_primary
    # Under another number.
    elsewhere.execute("SELECT layra.define_workflow('flow', %s)", [definition])
    refuses(elsewhere, export(db), "55000")


def test_a_role_that_is_not_there(db, connect, role, elsewhere):
    """Its name stays: the run belongs to whoever has it."""
    db.execute("CREATE ROLE layra_gone LOGIN; SELECT layra.grant_access('layra_gone', 'writer')")
    connect(role="layra_gone").execute("SELECT layra.start_run('of gone')")
    lines = export(db, "of gone")
    db.execute("SELECT layra.revoke_access('layra_gone'); DROP ROLE layra_gone")
    notices = []
    elsewhere.add_notice_handler(lambda notice: notices.append((notice.severity_nonlocalized, notice.message_primary)))
    elsewhere.execute(IMPORT, [lines])
    assert notices == [("WARNING", 'role "layra_gone", which run "of gone" belongs to, does not exist')]
    assert elsewhere.execute("SELECT owner FROM layra.runs WHERE run_id = 'of gone'").fetchone() == ("layra_gone",)
    assert elsewhere.execute("SELECT * FROM layra.verify()").fetchall() == []
    db.execute("SELECT layra.drop_run('of gone')")


def test_an_import_is_one_transaction_of_others(db, connect, elsewhere_dsn, elsewhere):
    """Nobody sees half of it, and what rolls it back leaves nothing; who starts the run meanwhile waits."""
    other = connect(elsewhere_dsn)
    with elsewhere.transaction(force_rollback=True):
        elsewhere.execute(IMPORT, [export(db)])
        assert other.execute("SELECT * FROM layra.heads()").fetchall() == []
        with pytest.raises(psycopg.errors.LockNotAvailable):
            other.execute("SET lock_timeout = '100ms'; SELECT layra.start_run('r')")
    assert other.execute("SELECT * FROM layra.heads()").fetchall() == []


# --- what is refused -------------------------------------------------------------------------------------------------


def test_whatever_was_altered_is_refused(db, elsewhere):
    lines, tried = export(db), 0
    with elsewhere.transaction(force_rollback=True):
        for index, line in enumerate(lines):
            for other in altered(line):
                tried += 1
                with pytest.raises(psycopg.errors.DataCorrupted), elsewhere.transaction():
                    elsewhere.execute(IMPORT, [[*lines[:index], other, *lines[index + 1 :]]])
    assert tried > 500
    assert elsewhere.execute("SELECT count(*) FROM layra.run").fetchone() == (0,)
    assert elsewhere.execute(IMPORT, [lines]).fetchone() == (things(lines, "trailer")[0]["version"],)


def closed(lines):
    """With a trailer that matches the lines, as whoever altered them would make it."""

    class Closed(verify_export.Export):
        def compare(self, trailer):
            pass

        def __getattribute__(self, name):
            return (lambda *thing: None) if name.startswith("of_") or name in ("close", "finish") else super().__getattribute__(name)

    found = Closed()
    for line in lines:
        found.line(line)
    trailer = verify_export.parse(lines[-1])
    trailer["trailer"] |= {name + "s": verify_export.Number(count) for name, count in found.counts.items()} | {"hash": found.hash.digest().hex()}
    return [*lines[:-1], verify_export.text_of(trailer)]


def test_what_follows_from_the_events_is_refused_even_with_hashes_that_were_made_again(db, elsewhere):
    """All but when a lease ends and what was never asked for."""
    lines = export(db)
    assert closed(lines) == lines
    with elsewhere.transaction(force_rollback=True):
        for index, line in enumerate(lines[:-1]):
            for other in altered(line, more=False):
                name, thing = next((name, thing) for name, thing in json.loads(line).items() if name != "line")
                changed = json.loads(other).get(name)
                if changed is None or "line" not in json.loads(other) or json.loads(other)["line"] != index + 1:
                    continue
                if name == "lease" and changed | {"until": thing.get("until")} == thing:
                    continue
                with pytest.raises(psycopg.errors.DataCorrupted), elsewhere.transaction():
                    elsewhere.execute(IMPORT, [closed([*lines[:index], other, *lines[index + 1 :]])])
                    pytest.fail(f"line {index + 1}: {other[-300:]}")


def test_lines_that_are_missing_or_twice_are_refused(db, elsewhere):
    lines = export(db)
    with elsewhere.transaction(force_rollback=True):
        for index in range(len(lines)):
            for others in (lines[:index] + lines[index + 1 :], lines[: index + 1] + lines[index:], lines[:index], [*lines, lines[index]]):
                with pytest.raises(psycopg.errors.DataCorrupted), elsewhere.transaction():
                    elsewhere.execute(IMPORT, [others])
    for lines in ([], ["null"], ["1"], ["{}"], ["[]"], ['{"line": 1}'], ['{"line": 1, "trailer": {}}'], ['{"line": 1, "header": {}}'],
                  ['{"line": 1.5, "header": {}}'], ['{"line": 1e30, "header": {}}'], ['{"line": -9223372036854775808, "header": {}}']):  # fmt: skip
        refuses(elsewhere, lines)


def test_a_run_that_is_there(db):
    assert refuses(db, export(db), "23505").diag.message_primary == 'run "r" already exists'


def test_only_admins_import(db, connect, role, elsewhere):
    lines, someone = export(db, "done"), role("someone")
    elsewhere.execute(f"SELECT layra.grant_access('{someone}', 'writer')")
    importer = connect(elsewhere.info.dsn, role=someone)
    refuses(importer, lines, "42501")
    elsewhere.execute(f"SELECT layra.grant_access('{someone}', 'admin')")
    importer.execute(IMPORT, [lines])
    assert elsewhere.execute("SELECT actor, what FROM layra.seals").fetchall() == [(someone, "imported")]
    elsewhere.execute(f"SELECT layra.revoke_access('{someone}')")


@pytest.mark.parametrize("level", ["REPEATABLE READ", "SERIALIZABLE"])
def test_above_read_committed(db, elsewhere, level):
    with elsewhere.transaction():
        elsewhere.execute(f"SET TRANSACTION ISOLATION LEVEL {level}")
        elsewhere.execute(IMPORT, [export(db)])
    assert export(elsewhere) == export(db)
    assert elsewhere.execute("SELECT * FROM layra.verify()").fetchall() == []


def test_the_slow_path_writes_the_same(db, elsewhere):
    """A table with a trigger is reached by statements."""
    elsewhere.execute("""
        CREATE FUNCTION public.nothing() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
        CREATE TRIGGER t BEFORE INSERT ON layra.event FOR EACH ROW EXECUTE FUNCTION public.nothing()""")
    try:
        elsewhere.execute(IMPORT, [export(db)])
        assert everything(elsewhere, "r") == everything(db, "r") and export(elsewhere) == export(db)
    finally:
        elsewhere.execute("DROP TRIGGER t ON layra.event; DROP FUNCTION public.nothing()")


# --- from a table ----------------------------------------------------------------------------------------------------


def fill(connection, lines, order="random()"):
    connection.execute("CREATE TABLE public.archive (l jsonb)")
    connection.execute(f"INSERT INTO public.archive SELECT l::jsonb FROM unnest(%s::text[]) l ORDER BY {order}", [lines])


def test_lines_of_a_table(db, elsewhere):
    lines = export(db)
    fill(elsewhere, lines)
    elsewhere.execute("SELECT layra.import_lines('archive')")
    assert export(elsewhere) == lines and everything(elsewhere, "r") == everything(db, "r")


@pytest.mark.parametrize("options", ["", "(FORMAT csv, QUOTE E'\\x01', DELIMITER E'\\x02')"])
def test_copy_to_a_program_and_back(db, elsewhere, tmp_path, options):
    to, back = ("zstd -q -f -o", "zstd -q -d -c") if shutil.which("zstd") else ("gzip >", "gzip -d -c")
    tmp_path.chmod(0o777)
    for parent in takewhile(lambda parent: parent != Path(gettempdir()), tmp_path.parents):
        parent.chmod(0o755)
    db.execute(f"COPY (SELECT layra.export_run('r')) TO PROGRAM '{to} {tmp_path}/r' {options}")
    elsewhere.execute("CREATE TABLE public.archive (line jsonb)")
    elsewhere.execute(f"COPY public.archive FROM PROGRAM '{back} {tmp_path}/r' {options}")
    elsewhere.execute("SELECT layra.import_lines('public.archive')")
    assert export(elsewhere) == export(db)


def test_tables_that_are_none(db, elsewhere):
    for table in ("t (a text)", "t (a jsonb, b jsonb)", "t ()", "t (a json)"):
        with elsewhere.transaction(force_rollback=True):
            elsewhere.execute(f"CREATE TABLE public.{table}")
            with pytest.raises(psycopg.errors.InvalidParameterValue) as error:
                elsewhere.execute("SELECT layra.import_lines('public.t')")
            assert error.value.diag.message_primary == "source must be a table with one column, of type jsonb"
    # A column that was dropped is none, and names are names.
    with elsewhere.transaction(force_rollback=True):
        elsewhere.execute('CREATE SCHEMA "my ""schema"; CREATE TABLE "my ""schema"."T %s" (a text, "the ""line" jsonb); ALTER TABLE "my ""schema"."T %s" DROP COLUMN a'.replace("%s", "1"))
        elsewhere.execute("INSERT INTO \"my \"\"schema\".\"T 1\" SELECT l::jsonb FROM unnest(%s::text[]) l", [export(db)])
        elsewhere.execute("SELECT layra.import_lines('\"my \"\"schema\".\"T 1\"')")
        assert export(elsewhere) == export(db)


def test_a_table_is_read_as_the_caller(db, elsewhere, connect, role):
    """Its privileges, row security and functions are those of whoever imports, never those of the extension's owner."""
    importer = role("importer")
    elsewhere.execute(f"SELECT layra.grant_access('{importer}', 'admin')")
    fill(elsewhere, export(db, "done"))
    session = connect(elsewhere.info.dsn, role=importer)
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        session.execute("SELECT layra.import_lines('archive')")
    elsewhere.execute(f"""
        GRANT SELECT ON public.archive TO {importer};
        CREATE TABLE public.who (name text); GRANT INSERT ON public.who TO PUBLIC;
        CREATE FUNCTION public.note(l jsonb) RETURNS jsonb LANGUAGE plpgsql AS 'BEGIN INSERT INTO public.who VALUES (current_user); RETURN l; END';
        CREATE VIEW public.watched WITH (security_invoker) AS SELECT public.note(l) AS l FROM public.archive; GRANT SELECT ON public.watched TO {importer}""")
    session.execute("SELECT layra.import_lines('watched')")
    assert elsewhere.execute("SELECT DISTINCT name FROM public.who").fetchall() == [(importer,)]
    elsewhere.execute(f"DROP VIEW public.watched; DROP FUNCTION public.note(jsonb); DROP TABLE public.who; SELECT layra.revoke_access('{importer}')")


def test_what_reads_the_lines_may_call_the_extension(db, elsewhere):
    """And finds no half of a run to write to: all lines are read before the first one is imported."""
    fill(elsewhere, export(db, "done"))
    elsewhere.execute("""
        CREATE FUNCTION public.meddle(l jsonb) RETURNS jsonb LANGUAGE plpgsql AS
        $$ BEGIN BEGIN PERFORM layra.append_event('done', 'x'); EXCEPTION WHEN no_data_found THEN NULL; END; RETURN l; END $$;
        CREATE VIEW public.meddling AS SELECT public.meddle(l) AS l FROM public.archive""")
    elsewhere.execute("SELECT layra.import_lines('meddling')")
    assert export(elsewhere, "done") == export(db, "done")
    elsewhere.execute("DROP VIEW public.meddling; DROP FUNCTION public.meddle(jsonb)")


def test_nothing_stays_open(db, elsewhere):
    fill(elsewhere, export(db, "done"))
    with elsewhere.transaction():
        elsewhere.execute("SELECT layra.import_lines('archive')")
        assert elsewhere.execute("SELECT count(*) FROM pg_cursors").fetchone() == (0,)
