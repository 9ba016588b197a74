"""Handlers: functions that run after an event, in the same transaction, as the caller; and what of all this survives a dump."""

import json
import os
import subprocess
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from execution import attempt, begin, call, content, events, flow, head, row, rows, serial, set_now, sound, start, state, status, unchanged

ARGUMENT, CHECK, DENIED = "22023", "23514", "42501"
HANDLER = "run_id text, version bigint, type text, payload jsonb"


@pytest.fixture(scope="module", autouse=True)
def outbox(dsn):
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("CREATE TABLE public.outbox (id serial, run_id text, version bigint, type text, payload jsonb, who text, note text)")
        connection.execute("GRANT ALL ON public.outbox TO PUBLIC; GRANT ALL ON SEQUENCE public.outbox_id_seq TO PUBLIC")


@pytest.fixture
def db(admin):
    set_now(admin)
    return admin


@pytest.fixture
def people(db, role, connect):
    def person(level="writer", options=""):
        name = role(level, options)
        call(db, "grant_access(%s, %s)", name, level)
        return connect(role=name)

    return person


def function(connection, body, language="sql", options="", arguments=HANDLER, returns="void", name=None):
    """A new function in public, as regprocedure text."""
    name = name or f"public.h{next(serial)}"
    connection.execute(f"CREATE FUNCTION {name}({arguments}) RETURNS {returns} LANGUAGE {language} {options} AS $body$ {body} $body$")
    return f"{name}({', '.join(each.split()[-1] for each in arguments.split(','))})"


def note(connection, text="''", options="", name=None):
    """A handler that writes down what it was called with."""
    body = f"INSERT INTO public.outbox (run_id, version, type, payload, who, note) VALUES ($1, $2, $3, $4, current_user, {text})"
    return function(connection, body, options=options, name=name)


@contextmanager
def handles(connection, pattern, handler, workflow=None):
    call(connection, "on_event(%s, %s::regprocedure, %s::text)", pattern, handler, workflow)
    try:
        yield
    finally:
        call(connection, "off_event(%s, %s::regprocedure)", pattern, handler)


def seen(connection, run_id):
    return [(r["version"], r["type"]) for r in rows_of(connection, run_id)]


def rows_of(connection, run_id):
    return rows(connection, "run r JOIN public.outbox o USING (run_id) WHERE o.run_id = %s ORDER BY o.id", run_id)


# --- when they run -----------------------------------------------------------------------------------------------------------


def test_a_handler_runs_after_its_event(db):
    run = start(db, "runs")
    handler = note(db, "(SELECT count(*)::text FROM layra.event e WHERE e.run_id = $1)")
    with handles(db, "mail.sent", handler):
        assert call(db, "append_event(%s, 'mail.sent', '{\"to\": 1.00}', '{\"v\": 1}')", run) == 2
        call(db, "append_event(%s, 'mail.read')", run)
        call(db, "append_event(%s, 'mail.sent.again')", run)
        call(db, "append_event(%s, 'mail')", run)
    call(db, "append_event(%s, 'mail.sent')", run)
    (found,) = rows_of(db, run)
    assert (found["version"], found["type"], found["who"], found["note"]) == (2, "mail.sent", "postgres", "2")
    assert db.execute("SELECT payload::text FROM public.outbox WHERE run_id = %s", [run]).fetchone() == ('{"to": 1.00}',)


@pytest.mark.parametrize("pattern, covered", [
    ("a.b.c", {"a.b.c"}), ("a.*", {"a.b", "a.b.c", "a.c", "a..d", "a."}), ("a.b.*", {"a.b.c"}), ("a", {"a"}), ("a.b", {"a.b"}),
    ("ab.*", {"ab.c"}), ("a%.*", set()), ("A.*", set()), ("node.*", set()),
])  # fmt: skip
def test_patterns_are_types_or_prefixes(db, pattern, covered):
    run = start(db, "pattern")
    types = ["a", "a.b", "a.b.c", "a.c", "ab.c", "ab", "a..d", "a.", "b.a.b"]
    with handles(db, pattern, note(db)):
        for kind in types:
            call(db, "append_event(%s, %s)", run, kind)
    assert {kind for _, kind in seen(db, run)} == covered


@pytest.mark.parametrize("pattern", ["", "*", ".*", "a*", "a.*.b", "*.a", "a.**", None, "x" * 256, "a\x07"])
def test_what_is_no_pattern(db, pattern):
    handler = note(db)
    assert attempt(db, "on_event(%s, %s::regprocedure)", pattern, handler) == ARGUMENT
    assert attempt(db, "off_event(%s, %s::regprocedure)", pattern, handler) == ARGUMENT


def test_the_extensions_own_events_are_handled_too(db):
    handler = note(db)
    prefixes = ("run.*", "variables.*", "state.*", "checkpoint.*", "node.*", "loop.*", "interaction.*", "note")
    for pattern in prefixes:
        call(db, "on_event(%s, %s::regprocedure)", pattern, handler)
    run = start(db, "own", flow(policy={"loops": {"tolerance": 0}}, data={"outer": {"maxCount": 3}}), variables={"v": 1})
    for sql in ("set_variable(%s, 'v', '2')", "set_variables(%s, '{}')", "try_set_variables(%s, '{\"v\": 3}')", "unset_variables(%s, '{v}')",
                "append_events(%s, '[{\"type\": \"note\"}, {\"type\": \"other\"}, {\"type\": \"note\"}]')", "checkpoint(%s, 'c')",
                "protect_checkpoint(%s, 'c')", "protect_checkpoint(%s, 'c', false)", "begin_node(%s, 'draft')", "complete_node(%s, 'draft')",
                "begin_node(%s, 'think')", "fail_node(%s, 'think', '1')", "skip_nodes(%s, '{step}')", "reset_nodes(%s, '{step}')",
                "set_engine(%s, '{\"x\": 1}')", "enter_loop(%s, 'outer')", "next_iteration(%s, 'outer')", "exit_loop(%s, 'outer')",
                "set_owner(%s, 'postgres')", "rollback(%s, 3)", "rollback_to(%s, 'c')"):  # fmt: skip
        call(db, sql, run)
    for closing in ("resume_run(%s, %s::uuid)", "withdraw_interaction(%s, %s::uuid)"):
        question = str(call(db, "pause_run(%s, 'draft')", run))
        call(db, closing, run, question)
    begin(db, run, "prepare")
    # A recovery is a rollback and a reset.
    call(db, "checkpoint(%s)", run)
    call(db, "save_state(%s, %s::jsonb)", run, json.dumps(state(db, run) | {"loop_index": {"outer": 15}}))
    call(db, "recover_run(%s)", run)
    call(db, "cancel_run(%s)", run)
    call(db, "finish_run(%s, 'cancelled')", run)
    call(db, "reopen_run(%s)", run)
    fork, saved = f"{run} fork", f"{run} saved"
    call(db, "fork_run(%s, %s)", run, fork)
    call(db, "save_state(%s, '{}')", saved)
    for pattern in prefixes:
        call(db, "off_event(%s, %s::regprocedure)", pattern, handler)
    for each in (run, fork, saved):
        log = [(version, kind) for version, kind in enumerate(events(db, each), 1) if kind != "other"]
        assert seen(db, each) == log
        sound(db, each)
    assert {kind for _, kind in seen(db, run)} >= {
        "run.started", "variables.set", "variables.unset", "checkpoint.created", "checkpoint.protected", "checkpoint.unprotected",
        "node.started", "node.completed", "node.failed", "node.skipped", "node.reset", "state.engine_set", "loop.entered", "loop.iteration",
        "loop.exited", "run.owner_changed", "run.rolled_back", "interaction.requested", "interaction.answered", "interaction.withdrawn",
        "run.recovered", "run.cancelling", "run.finished", "run.reopened", "state.saved",
    }  # fmt: skip


def test_a_repeated_call_calls_no_handler(db):
    run = start(db, "repeated")
    begin(db, run, "n", "w")
    with handles(db, "note", (handler := note(db))), handles(db, "node.*", handler), handles(db, "interaction.*", handler):
        for _ in range(3):
            call(db, "append_event(%s, 'note', idempotency_key => 'k')", run)
            call(db, "complete_node(%s, 'n', '1', attempt => 1)", run)
        question = str(call(db, "pause_run(%s, 'n', idempotency_key => 'q')", run))
        call(db, "pause_run(%s, 'n', idempotency_key => 'q')", run)
        for _ in range(3):
            call(db, "resume_run(%s, %s::uuid)", run, question)
    assert seen(db, run) == [(3, "note"), (4, "node.completed"), (5, "interaction.requested"), (6, "interaction.answered")]


def test_handlers_of_a_batch_run_after_the_last(db):
    run = start(db, "batch")
    handler = note(db, "(SELECT max(e.version)::text FROM layra.event e WHERE e.run_id = $1)")
    with handles(db, "note", handler):
        assert call(db, "append_events(%s, '[{\"type\": \"note\"}, {\"type\": \"x\"}, {\"type\": \"note\"}]')", run) == 4
    assert [(r["version"], r["note"]) for r in rows_of(db, run)] == [(2, "4"), (4, "4")]


def test_several_handlers_run_in_the_order_of_their_names(db):
    run = start(db, "several")
    names = [f"public.{letter}{next(serial)}" for letter in "cab"]
    handlers = [note(db, f"'{name[7]}'", name=name) for name in names]
    for handler in handlers:
        call(db, "on_event('note.*', %s::regprocedure)", handler)
        # Registered again, or for a pattern of the same event: once is enough.
        call(db, "on_event('note.*', %s::regprocedure)", handler)
    call(db, "append_events(%s, '[{\"type\": \"note.1\"}, {\"type\": \"note.2\"}]')", run)
    for handler in handlers:
        call(db, "off_event('note.*', %s::regprocedure)", handler)
        # An unknown one: nothing.
        call(db, "off_event('note.*', %s::regprocedure)", handler)
    assert [(r["version"], r["note"]) for r in rows_of(db, run)] == [(v, n) for v in (2, 3) for n in "abc"]


def test_a_handler_for_one_workflow(db):
    one, other, bare = start(db, "one", flow()), start(db, "other", flow()), start(db, "bare")
    (workflow,) = db.execute("SELECT workflow FROM layra.run WHERE run_id = %s", [one]).fetchone()
    with handles(db, "note", note(db), workflow):
        for run in (one, other, bare):
            call(db, "append_event(%s, 'note')", run)
    assert [len(seen(db, run)) for run in (one, other, bare)] == [1, 0, 0]
    # off_event takes every registration of the pair away.
    assert rows(db, "handler") == []


def test_a_handler_of_another_session_is_seen_at_once(db, connect):
    run, other = start(db, "other session"), connect()
    call(other, "append_event(%s, 'note')", run)
    with handles(db, "note", note(db)):
        call(other, "append_event(%s, 'note')", run)
        with db.transaction(force_rollback=True):
            call(db, "on_event('more', %s::regprocedure)", note(db))
            call(other, "append_event(%s, 'more')", run)
    call(other, "append_event(%s, 'note')", run)
    assert seen(db, run) == [(3, "note")]


# --- as whom, and what an error does -----------------------------------------------------------------------------------------------


def test_handlers_run_as_the_caller(db, people):
    boss, alice = people("admin"), people()
    run = start(alice, "caller")
    handler = note(db, "concat_ws(' ', session_user, current_setting('role'), current_setting('search_path'))")
    with handles(boss, "note", handler):
        alice.execute("SET search_path = pg_temp")
        call(alice, "append_event(%s, 'note')", run)
    (found,) = rows_of(db, run)
    assert (found["who"], found["note"]) == (alice.info.user, f"{alice.info.user} none pg_temp")
    # What the caller may not do, the handler may not do.
    db.execute(f"CREATE TABLE IF NOT EXISTS public.closed (x int); REVOKE ALL ON public.closed FROM PUBLIC, {alice.info.user}")
    with handles(boss, "note", function(db, "INSERT INTO public.closed VALUES (1)")), unchanged(db, run):
        assert attempt(alice, "append_event(%s, 'note')", run) == DENIED
        assert attempt(alice, "append_events(%s, '[{\"type\": \"x\"}, {\"type\": \"note\"}]')", run) == DENIED
    # Nor a function that he may not call.
    handler = note(db)
    db.execute(f"REVOKE ALL ON FUNCTION {handler} FROM PUBLIC")
    with handles(db, "note", handler), unchanged(db, run):
        assert attempt(alice, "append_event(%s, 'note')", run) == DENIED


def test_behind_a_security_definer_function(db, people):
    """The caller is who calls the API: the definer, for as long as his function runs."""
    owner, guest = people(), people()
    run = start(owner, "definer")
    name = f"public.define{next(serial)}"
    db.execute(f"CREATE FUNCTION {name}(r text) RETURNS bigint LANGUAGE sql SECURITY DEFINER AS $$ SELECT layra.append_event(r, 'note') $$")
    db.execute(f"ALTER FUNCTION {name} OWNER TO {owner.info.user}")
    with handles(db, "note", note(db)):
        guest.execute(f"SELECT {name}(%s)", [run])
    assert rows_of(db, run)[0]["who"] == owner.info.user
    assert guest.execute("SELECT current_user").fetchone() == (guest.info.user,)


HOSTILE = {
    "insert an event": "INSERT INTO layra.event (run_id, version) VALUES ('x', 1)",
    "delete the log": "DELETE FROM layra.event",
    "change a cell": "UPDATE layra.cell SET value = '1'",
    "become admin": "INSERT INTO layra.access VALUES (current_user, 'admin')",
    "register": "PERFORM layra.on_event('x', 'public.nothing(text,bigint,text,jsonb)')",
    "truncate": "TRUNCATE layra.run",
    "alter": "ALTER TABLE layra.event ADD COLUMN mine int",
    "become the owner": "SET LOCAL ROLE postgres; INSERT INTO layra.event (run_id, version) VALUES ('x', 1)",
    "set the clock": "SET LOCAL layra.now = '2000-01-01'",
    "after an error of the API": "BEGIN PERFORM layra.get_state('no such run'); EXCEPTION WHEN OTHERS THEN NULL; END; DELETE FROM layra.event",
    "after an error of a write": "BEGIN PERFORM layra.set_variable(run_id, '', '1'); EXCEPTION WHEN OTHERS THEN NULL; END; DELETE FROM layra.event",
    "after a nested call": "PERFORM layra.set_variable(run_id, 'v', '1'); DELETE FROM layra.event",
    "after a view": "PERFORM * FROM layra.runs; PERFORM * FROM layra.variables; DELETE FROM layra.event",
    "read a foreign run": "PERFORM layra.get_state('foreign')",
    "write a foreign run": "PERFORM layra.set_variable('foreign', 'v', '1')",
    "drop a foreign run": "PERFORM layra.drop_run('foreign')",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_handler_is_only_the_caller(db, people, name):
    db.execute("CREATE OR REPLACE FUNCTION public.nothing(text, bigint, text, jsonb) RETURNS void LANGUAGE sql AS $$ $$")
    if not rows(db, "run WHERE run_id = 'foreign'"):
        call(db, "start_run('foreign')")
    alice = people()
    run = start(alice, "hostile")
    handler = function(db, f"BEGIN {HOSTILE[name]}; END", language="plpgsql")
    with handles(db, "note", handler), unchanged(db, run), unchanged(db, "foreign"):
        assert attempt(alice, "append_event(%s, 'note')", run) == DENIED
        assert attempt(alice, "append_events(%s, '[{\"type\": \"note\"}, {\"type\": \"note\"}]')", run) == DENIED
    assert alice.execute("SELECT current_user, current_setting('role')").fetchone() == (alice.info.user, "none")
    assert attempt(alice, "append_event(%s, 'note')", run) == 2
    assert attempt(alice, "on_event('x', 'public.nothing(text,bigint,text,jsonb)')") == DENIED
    sound(db, run)


@pytest.mark.parametrize("sql", [
    "append_event(%s, 'note', '{}', '{\"v\": 1}')", "append_events(%s, '[{\"type\": \"x\"}, {\"type\": \"note\"}]')", "set_variable(%s, 'v', '1')",
    "try_set_variables(%s, '{\"v\": 1}')", "save_state(%s, '{}')", "checkpoint(%s, 'c')", "rollback(%s, 1)", "finish_run(%s)", "cancel_run(%s)",
    "begin_node(%s, 'm')", "complete_node(%s, 'n', '1')", "fail_node(%s, 'n', '1')", "skip_nodes(%s, '{m}')", "reset_nodes(%s, '{n}')",
    "enter_loop(%s, 'm')", "next_iteration(%s, 'l')", "exit_loop(%s, 'l')", "set_engine(%s, '{\"x\": 1}')", "pause_run(%s, 'n')",
    "recover_run(%s)", "set_owner(%s, 'postgres')", "fork_run(%s, 'never')", "resume_run(%s, %s::uuid)",
    "withdraw_interaction(%s, %s::uuid)",
])  # fmt: skip
def test_an_error_in_a_handler_undoes_the_call(db, raises, sql):
    run = start(db, "undone")
    call(db, "enter_loop(%s, 'l')", run)
    begin(db, run, "n", "w")
    arguments = [run]
    if "uuid" in sql:
        arguments.append(str(call(db, "pause_run(%s, 'n')", run)))
    handler = function(db, "BEGIN RAISE 'no' USING ERRCODE = '38001', DETAIL = 'because', HINT = 'try'; END", language="plpgsql")
    patterns = ("note", "variables.*", "state.*", "checkpoint.*", "run.*", "node.*", "loop.*", "interaction.*")
    for pattern in patterns:
        call(db, "on_event(%s, %s::regprocedure)", pattern, handler)
    try:
        with unchanged(db, run), raises("38001") as error:
            call(db, sql, *arguments)
        # The handler's own error, as it is.
        assert (error.message, error.detail, error.hint) == ("no", "because", "try")
        assert rows(db, "run WHERE run_id = 'never'") == []
        # A savepoint takes it back, too, and the session is whole.
        with unchanged(db, run), db.transaction():
            assert attempt(db, sql, *arguments) == "38001"
    finally:
        for pattern in patterns:
            call(db, "off_event(%s, %s::regprocedure)", pattern, handler)
    assert call(db, "append_event(%s, 'fine')", run) == head(db, run)
    sound(db, run)


FIELDS = ("sqlstate", "message_primary", "message_detail", "message_hint", "schema_name", "table_name", "column_name", "datatype_name",
          "constraint_name", "internal_query", "internal_position", "source_file", "source_line", "source_function")  # fmt: skip


CALL_OF = 'SQL statement "SELECT {}($1, $2, $3, $4)::pg_catalog.text"'


def fields(db, sql, *args):
    """Everything that a client learns of an error, and the CONTEXT."""
    with pytest.raises(psycopg.Error) as error:
        db.execute(sql, args)
    return {field: getattr(error.value.diag, field) for field in FIELDS}, error.value.diag.context


@pytest.mark.parametrize("sqlstate", ["P0001", "23505", "40001", "55P03", "22012", "42501", "P0042", "MY001"])
def test_the_sqlstate_of_a_handlers_error(db, sqlstate):
    run = start(db, "arrives")
    handler = function(db, f"BEGIN RAISE 'no' USING ERRCODE = '{sqlstate}', DETAIL = 'because', HINT = 'try'; END", language="plpgsql")
    with handles(db, "note", handler), unchanged(db, run):
        found, _ = fields(db, "SELECT layra.append_event(%s, 'note')", run)
        assert [found[field] for field in FIELDS[:4]] == [sqlstate, "no", "because", "try"]


@pytest.mark.parametrize("body", [
    "INSERT INTO public.once VALUES (1), (1)", "INSERT INTO public.once VALUES (-1)", "INSERT INTO public.once VALUES (NULL)",
    "INSERT INTO public.twice VALUES ('no')", "EXECUTE 'SELECT nothing FROM public.once'", "PERFORM 1 / 0",
    "RAISE 'no' USING ERRCODE = 'MY002', COLUMN = 'c', CONSTRAINT = 'n', DATATYPE = 'd', TABLE = 't', SCHEMA = 's'",
    # Another error, which somebody caught, comes before.
    "BEGIN RAISE 'no' USING ERRCODE = 'MY003', TABLE = 't'; EXCEPTION WHEN OTHERS THEN NULL; END; RAISE 'no' USING ERRCODE = 'MY004'",
    # A notice, a warning on the way.
    "RAISE NOTICE 'here'; RAISE WARNING 'there'; RAISE 'no' USING ERRCODE = 'MY005', TABLE = 't'; RAISE NOTICE 'never'",
])  # fmt: skip
def test_an_error_in_a_handler_is_the_one_that_its_function_raises(db, body):
    run = start(db, "fields")
    db.execute("CREATE TABLE IF NOT EXISTS public.once (x int CONSTRAINT only_once PRIMARY KEY CONSTRAINT positive CHECK (x > 0))")
    db.execute("DO $$ BEGIN CREATE DOMAIN public.yes AS text CHECK (VALUE = 'yes'); EXCEPTION WHEN duplicate_object THEN NULL; END $$")
    db.execute("CREATE TABLE IF NOT EXISTS public.twice (x public.yes)")
    handler = function(db, f"BEGIN {body}; END", language="plpgsql")
    # The same function, called by nobody but us, from a function of PL/pgSQL.
    name = handler.partition("(")[0]
    outer = function(db, "BEGIN PERFORM layra.append_event($1, 'note'); END", language="plpgsql").partition("(")[0]
    direct, context = fields(db, f"SELECT {name}('r', 1, 'note', '{{}}')::text")
    with handles(db, "note", handler), unchanged(db, run):
        assert fields(db, "SELECT layra.append_event(%s, 'note')", run) == (direct, f'{context}\n{CALL_OF.format(name)}')
        # Through two calls of ours, and as somebody catches it.
        found, nested = fields(db, f"SELECT {outer}(%s, 1, '', '{{}}')", run)
        assert found == direct
        assert nested.startswith(f'{context}\n{CALL_OF.format(name)}\nSQL statement "SELECT layra.append_event($1, \'note\')"\nPL/pgSQL ')
        assert nested.count(context) == 1
        db.execute("DO $$ BEGIN PERFORM layra.append_event('" + run + "', 'note'); EXCEPTION WHEN SQLSTATE '" + direct["sqlstate"]
                   + "' THEN NULL; END $$")  # fmt: skip


def test_an_error_of_our_own_after_one_that_a_handler_caught(db, raises):
    """The same message, even."""
    run = start(db, "own")
    body = f"BEGIN PERFORM layra.set_variable('{run}', '', '1'); EXCEPTION WHEN OTHERS THEN RAISE '%', SQLERRM USING ERRCODE = 'MY006'; END"
    caught = f"BEGIN {body}; EXCEPTION WHEN OTHERS THEN NULL; END"
    own, context = fields(db, "SELECT layra.set_variable(%s, '', '1')", run)
    assert (own["sqlstate"], own["table_name"], context) == ("22023", None, None)
    with handles(db, "note", function(db, f"BEGIN {caught}; PERFORM layra.set_variable($1, '', '1'); END", language="plpgsql")):
        found, _ = fields(db, "SELECT layra.append_event(%s, 'note')", run)
        assert found == own
    with handles(db, "note", function(db, f"BEGIN {caught}; END", language="plpgsql")):
        call(db, "append_event(%s, 'note')", run)
        assert fields(db, "SELECT layra.set_variable(%s, '', '1')", run) == (own, None)


# --- the API inside a handler --------------------------------------------------------------------------------------------------------


def test_a_handler_may_call_the_api_on_the_same_run(db):
    run = start(db, "same run", {"variables": {"v": {"schema": {"type": "integer"}}}})
    handler = function(db, """
        BEGIN
            PERFORM layra.set_variable(run_id, 'v', to_jsonb(version::int));
            PERFORM layra.append_event(run_id, 'inner', '{}', jsonb_build_object('w', version));
            IF layra.get_variable(run_id, 'w') <> to_jsonb(version) THEN RAISE 'own write'; END IF;
        END""", language="plpgsql")  # fmt: skip
    with handles(db, "note", handler):
        # The outer call still returns its own version.
        assert call(db, "append_event(%s, 'note', idempotency_key => 'k')", run) == 2
        assert head(db, run) == 4
        assert call(db, "append_event(%s, 'note', idempotency_key => 'k')", run) == 2
        assert call(db, "append_events(%s, '[{\"type\": \"note\"}, {\"type\": \"note\"}]')", run) == 6
        assert head(db, run) == 10
    assert events(db, run)[1:4] == ["note", "variables.set", "inner"]
    assert state(db, run)["global_variables"] == {"v": 6, "w": 6}
    sound(db, run)


def test_the_outer_call_returns_its_own_result_whatever_the_handler_does(db):
    run = start(db, "own result")
    handler = function(db, "SELECT layra.append_event(run_id, 'inner')")
    for pattern in ("node.*", "loop.*", "interaction.*", "variables.*", "run.rolled_back", "run.recovered", "state.*", "checkpoint.*"):
        call(db, "on_event(%s, %s::regprocedure)", pattern, handler)
    assert row(db, "begin_node(%s, 'n', 'w')", run) == {"version": 2, "attempt": 1, "status": "running", "output": None}
    assert call(db, "complete_node(%s, 'n', '1')", run) == 4
    assert call(db, "enter_loop(%s, 'l')", run) == 6
    assert call(db, "next_iteration(%s, 'l')", run) == 0
    assert call(db, "exit_loop(%s, 'l')", run) == 10
    assert row(db, "try_set_variables(%s, '{\"v\": 1}')", run)["version"] == 12
    question = str(call(db, "pause_run(%s, 'n')", run))
    assert call(db, "resume_run(%s, %s::uuid)", run, question) == 16
    assert call(db, "resume_run(%s, %s::uuid)", run, question) == 16
    assert call(db, "rollback(%s, 17)", run) == 18
    begin(db, run, "m", "w")
    assert row(db, "recover_run(%s)", run)["version"] == 22
    assert head(db, run) == 23
    for pattern in ("node.*", "loop.*", "interaction.*", "variables.*", "run.rolled_back", "run.recovered", "state.*", "checkpoint.*"):
        call(db, "off_event(%s, %s::regprocedure)", pattern, handler)
    sound(db, run)


def test_a_handler_that_answers_completes_and_goes_on(db):
    """A whole engine inside handlers: what completes begins the next, and a question is answered by itself."""
    run = start(db, "engine", flow())
    follow = function(db, """
        DECLARE following text;
        BEGIN
            SELECT e ->> 'target' INTO following FROM jsonb_array_elements(layra.get_state(run_id) -> 'edges') e
            WHERE e ->> 'source' = payload ->> 'node_id' LIMIT 1;
            IF following IS NOT NULL AND following NOT IN ('outer') THEN PERFORM layra.begin_node(run_id, following); END IF;
        END""", language="plpgsql")  # fmt: skip
    finish = function(db, "SELECT layra.complete_node(run_id, payload ->> 'node_id', to_jsonb(version))")
    reply = function(db, "SELECT layra.resume_run(run_id, (payload ->> 'interaction')::uuid, '\"self\"')")
    with handles(db, "node.completed", follow), handles(db, "node.started", finish), handles(db, "interaction.requested", reply):
        begin(db, run, "draft")
        question = str(call(db, "pause_run(%s, 'review')", run))
    assert state(db, run)["execution_status"] == {"draft": True, "middle": True, "think": True, "inner": True, "step": True}
    assert status(db, run) == "running"
    assert row(db, "interactions WHERE interaction = %s::uuid", question)["response"] == "self"
    sound(db, run)


def test_a_handler_that_ends_its_run(db):
    for body, expected in (("SELECT layra.finish_run(run_id)", "completed"), ("SELECT layra.cancel_run(run_id)", "cancelling")):
        run = start(db, "ends")
        with handles(db, "note", function(db, body)):
            assert call(db, "append_event(%s, 'note')", run) == 2
        assert status(db, run) == expected
        sound(db, run)
    run = start(db, "drops")
    with handles(db, "note", function(db, "SELECT layra.drop_run(run_id)")):
        assert attempt(db, "append_event(%s, 'note')", run) == 2
    assert content(db, run) == {table: [] for table in content(db, run)}
    # The status of the run is what the last call made it, not what the first one thought.
    run = start(db, "pauses")
    with handles(db, "note", function(db, "SELECT layra.pause_run(run_id, 'n')")):
        call(db, "append_event(%s, 'note')", run)
    assert status(db, run) == "paused"


def test_a_handler_that_calls_itself_for_ever_is_an_error_and_no_crash(db):
    run = start(db, "for ever")
    handler = function(db, "BEGIN PERFORM layra.append_event(run_id, 'note'); END", language="plpgsql")
    with handles(db, "note", handler), unchanged(db, run):
        assert attempt(db, "append_event(%s, 'note')", run) == "54001"
    assert call(db, "append_event(%s, 'note')", run) == 2


def test_a_handler_that_catches_errors_of_the_api(db):
    run = start(db, "catches", {"variables": {"v": {"schema": {"type": "integer"}}}})
    handler = function(db, """
        BEGIN
            FOR i IN 1..3 LOOP
                BEGIN
                    PERFORM layra.set_variable(run_id, 'v', '"x"');
                EXCEPTION WHEN check_violation THEN
                    PERFORM layra.append_event(run_id, 'caught');
                END;
            END LOOP;
        END""", language="plpgsql")  # fmt: skip
    with handles(db, "note", handler):
        assert call(db, "append_event(%s, 'note')", run) == 2
    assert events(db, run) == ["run.started", "note", "caught", "caught", "caught"]
    sound(db, run)


def test_a_handler_may_write_to_another_run(db):
    run, other = start(db, "first"), start(db, "second")
    handler = function(db, f"SELECT layra.append_event('{other}', 'copy', payload)")
    with handles(db, "note", handler):
        call(db, "append_event(%s, 'note', '{\"x\": 1}')", run)
    assert db.execute("SELECT payload FROM layra.events(%s, types => '{copy}')", [other]).fetchone() == ({"x": 1},)
    sound(db, other)


def test_handlers_above_read_committed(db, connect):
    run = start(db, "serializable")
    session = connect()
    session.isolation_level = psycopg.IsolationLevel.SERIALIZABLE
    with handles(db, "note", function(db, "SELECT layra.append_event(run_id, 'inner')")):
        assert call(session, "append_event(%s, 'note')", run) == 2
    assert head(db, run) == 3
    sound(db, run)


# --- registration --------------------------------------------------------------------------------------------------------------------


def test_only_admins_register(db, people):
    handler = note(db)
    for level in ("writer", "auditor"):
        person = people(level)
        assert attempt(person, "on_event('note', %s::regprocedure)", handler) == DENIED
        assert attempt(person, "off_event('note', %s::regprocedure)", handler) == DENIED
    boss = people("admin")
    with handles(boss, "note", handler):
        stored = row(db, "handler WHERE type_pattern = 'note'")
        assert stored["created_by"] == boss.info.user
        # Text: an OID would survive no dump.
        assert isinstance(stored["function"], str)
        # A second admin may take it away.
    assert rows(db, "handler") == []


@pytest.mark.parametrize("arguments", [
    "", "run_id text", "run_id text, version bigint, type text", "run_id text, version int, type text, payload jsonb",
    "run_id text, version bigint, type text, payload json", "run_id varchar, version bigint, type text, payload jsonb",
    "run_id text, version bigint, type text, payload jsonb, more int",
])  # fmt: skip
def test_functions_that_are_no_handlers(db, arguments):
    handler = function(db, "SELECT", arguments=arguments) if arguments else "pg_catalog.now()"
    assert attempt(db, "on_event('x', %s::regprocedure)", handler) == ARGUMENT
    assert attempt(db, "on_event('x', NULL)") == ARGUMENT
    assert rows(db, "handler") == []


def test_procedures_are_no_handlers(db):
    db.execute(f"CREATE OR REPLACE PROCEDURE public.procedure({HANDLER}) LANGUAGE sql AS $$ SELECT 1 $$")
    assert attempt(db, "on_event('x', 'public.procedure(text,bigint,text,jsonb)')") == ARGUMENT


def test_handlers_may_return_anything(db):
    run = start(db, "returns")
    for returns, body in (("int", "SELECT 1"), ("jsonb", "SELECT payload"), ("SETOF text", "SELECT 'x' UNION ALL SELECT 'y'"),
                          ("text", "SELECT NULL::text"), ("record", "SELECT 1, 2")):  # fmt: skip
        with handles(db, "note", function(db, body, returns=returns)):
            assert attempt(db, "append_event(%s, 'note')", run) == head(db, run), returns
    sound(db, run)


def test_a_handler_with_an_odd_name(db):
    run = start(db, "odd name")
    db.execute('CREATE SCHEMA "Odd ""schema"')
    handler = note(db, name='"Odd ""schema"."a(text,bigint,text,jsonb)"')
    with handles(db, "note", handler):
        call(db, "append_event(%s, 'note')", run)
    assert len(seen(db, run)) == 1


def test_a_handler_whose_function_is_gone(db):
    """It stops nobody, a warning names it, and it can be taken away."""
    run = start(db, "gone")
    handler, kept = note(db), note(db, "'kept'")
    for each in (handler, kept):
        call(db, "on_event('note', %s::regprocedure)", each)
    db.execute(f"DROP FUNCTION {handler}")
    warnings = []
    db.add_notice_handler(lambda notice: warnings.append((notice.severity, notice.message_primary)))
    assert call(db, "append_event(%s, 'note')", run) == 2
    assert [severity for severity, _ in warnings] == ["WARNING"]
    assert handler.split("(")[0] in warnings[0][1]
    assert [r["note"] for r in rows_of(db, run)] == ["kept"]
    # What is gone goes with any other function of the pattern.
    call(db, "off_event('note', %s::regprocedure)", kept)
    warnings.clear()
    assert call(db, "append_event(%s, 'note')", run) == 3
    assert warnings == []
    assert rows(db, "handler WHERE type_pattern = 'note'") == []


def test_a_function_replaced_or_made_again_is_the_handler(db):
    run = start(db, "replaced")
    name = f"public.r{next(serial)}"
    handler = note(db, "'first'", name=name)
    with handles(db, "note", handler):
        call(db, "append_event(%s, 'note')", run)
        db.execute(f"DROP FUNCTION {handler}")
        note(db, "'second'", name=name)
        call(db, "append_event(%s, 'note')", run)
        # Of another one with that name but other arguments it takes no notice.
        function(db, "SELECT 1 / 0", name=name, arguments="a text, b numeric, c text, d jsonb")
        call(db, "append_event(%s, 'note')", run)
    assert [r["note"] for r in rows_of(db, run)] == ["first", "second", "second"]


# --- dump and restore ------------------------------------------------------------------------------------------------------------------


def test_all_of_it_survives_a_dump(connect, create_database, tmp_path):
    source, target = create_database(), create_database("TEMPLATE template0")
    db = connect(source)
    db.execute("CREATE EXTENSION layra_state")
    db.execute("CREATE TABLE public.outbox (id serial, run_id text, version bigint, type text, payload jsonb, who text, note text)")
    set_now(db)
    handler = note(db)
    rule = function(db, "SELECT 'bad' WHERE state #> '{global_variables,bad}' IS NOT NULL", arguments="run_id text, state jsonb",
                    returns="SETOF text")  # fmt: skip
    run = start(db, "dumped", flow(policy={"checkpoint": {"milestones": ["vlm"]}}))
    (workflow,) = db.execute("SELECT workflow FROM layra.run WHERE run_id = %s", [run]).fetchone()
    call(db, "on_event('note', %s::regprocedure, %s)", handler, workflow)
    call(db, "on_event('node.*', %s::regprocedure)", handler)
    call(db, "add_validator(%s, 'rule', %s::regprocedure)", workflow, rule)
    call(db, "define_event_type('note', '{\"required\": [\"x\"]}')")
    call(db, "define_breaker('b', 1, '1 hour')")
    call(db, "breaker_failure('b', '1')")
    begin(db, run, "step", "w", "5 minutes")
    begin(db, run, "think", "w", "5 minutes")
    call(db, "complete_node(%s, 'step', '1')", run)
    call(db, "enter_loop(%s, 'outer', 5)", run)
    call(db, "append_event(%s, 'note', '{\"x\": 1}')", run)
    question = str(call(db, "pause_run(%s, 'report', response_schema => '{\"type\": \"integer\"}')", run))
    version = head(db, run)
    tables = [table for (table,) in db.execute(
        "SELECT relname FROM pg_class WHERE relnamespace = 'layra'::regnamespace AND relkind = 'r'"
    )]  # fmt: skip
    programs = Path(subprocess.check_output([os.environ.get("PG_CONFIG", "/usr/lib/postgresql/15/bin/pg_config"), "--bindir"], text=True).strip())
    dump = tmp_path / "dump"
    subprocess.run([programs / "pg_dump", "--format=custom", "--file", dump, source], check=True)
    subprocess.run([programs / "pg_restore", "--exit-on-error", "--dbname", target, dump], check=True)
    copy = connect(target)
    set_now(copy, 1)
    for table in tables:
        # xact is the transaction of a cluster's past, and differs in nothing that matters.
        query = f"SELECT t::text FROM layra.{table} t ORDER BY 1"
        assert copy.execute(query).fetchall() == db.execute(query).fetchall(), table
    before = copy.execute("SELECT count(*) FROM public.outbox").fetchone()[0]
    assert attempt(copy, "append_event(%s, 'note', '{}')", run) == CHECK
    assert call(copy, "append_event(%s, 'note', '{\"x\": 2}')", run) == version + 1
    assert call(copy, "complete_node(%s, 'think', '1', attempt => 1)", run) == version + 2
    assert copy.execute("SELECT count(*) FROM public.outbox").fetchone()[0] == before + 2
    assert call(copy, "breaker_try('b')") is False
    assert attempt(copy, "resume_run(%s, %s::uuid, '\"x\"', on_change => 'accept')", run, question) == CHECK
    assert attempt(copy, "resume_run(%s, %s::uuid, '1', '{\"bad\": 1}', 'accept')", run, question) == CHECK
    assert attempt(copy, "resume_run(%s, %s::uuid, '1', on_change => 'accept')", run, question) == version + 3
    assert call(copy, "next_iteration(%s, 'outer')", run) == 0
    assert begin(copy, run, "step", "other")[0] == 2
    call(copy, "off_event('note', %s::regprocedure)", handler)
    sound(copy, run)
