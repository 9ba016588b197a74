"""What a tenant may try against the others, an admin's code against those who run it, and anybody against the installation.

bob is the attacker: a writer who may create schemas, and objects in public. alice is who loses if he succeeds, beside the
auditor and the superuser. Each test shows as well that its attack would do harm, had it worked.
"""

import json
import os
import subprocess
from contextlib import contextmanager, suppress

import psycopg
import pytest
from psycopg import sql
from tenants import columns, functions, furnished, relations

DENIED, MISSING, TAKEN = "42501", "P0002", "23505"
SECRET = "alice's secret"


@pytest.fixture(scope="module")
def cast(dsn, role):
    with furnished(dsn, role) as cast:
        let_create(cast)
        yield cast


def let_create(cast):
    cast.admin.execute(f"GRANT CREATE ON DATABASE {cast.admin.info.dbname} TO {cast['bob']}")
    cast.admin.execute(f"GRANT CREATE ON SCHEMA public TO {cast['bob']}, {cast['boss']}")


@pytest.fixture
def login(cast):
    """A function that logs in once more as one of the cast: login("bob"), login("superuser", options="-c …")."""
    sessions = []

    def login(actor, **options):
        user = "postgres" if actor == "superuser" else cast[actor]
        sessions.append(psycopg.connect(cast.dsn, user=user, autocommit=True, **options))
        return sessions[-1]

    yield login
    for session in sessions:
        session.close()


def outcome(connection, query, *arguments):
    """'works' or the SQLSTATE; what works is taken back."""
    with connection.transaction(force_rollback=True):
        try:
            with connection.transaction():
                connection.execute(query, arguments or None)
        except psycopg.Error as error:
            return error.sqlstate
    return "works"


def value(connection, query, *arguments):
    return connection.execute(query, arguments or None).fetchone()[0]


def sound(cast):
    assert cast.admin.execute("SELECT * FROM layra.verify()").fetchall() == []


# --- settings --------------------------------------------------------------------------------------------------------

# Together what does not contradict itself.
SETTINGS = (
    {"quote_all_identifiers": "on", "DateStyle": "German, DMY", "IntervalStyle": "iso_8601", "TimeZone": "Pacific/Apia",
     "bytea_output": "escape", "extra_float_digits": "-15", "xmloption": "document", "search_path": "",
     "client_min_messages": "error"},
    {"transform_null_equals": "on", "standard_conforming_strings": "off", "backslash_quote": "on", "array_nulls": "off",
     "row_security": "off", "check_function_bodies": "off", "lo_compat_privileges": "on", "default_toast_compression": "pglz"},
    {"plan_cache_mode": "force_custom_plan", "enable_indexscan": "off", "enable_indexonlyscan": "off", "enable_nestloop": "off",
     "jit_above_cost": "0", "work_mem": "64kB", "from_collapse_limit": "1", "join_collapse_limit": "1",
     "cursor_tuple_fraction": "1"},
    {"geqo": "on", "geqo_threshold": "2", "enable_seqscan": "off", "enable_sort": "off", "enable_hashjoin": "off",
     "constraint_exclusion": "on", "default_transaction_deferrable": "on", "session_replication_role": "replica"},
)  # fmt: skip


def test_settings_of_a_session_change_nothing(cast, login, figures):
    """Whatever a session sets, or the owner of the database for all: the same calls give the same, and hashes are the same."""
    queries = [f"SELECT * FROM {function.call(**cast.names('alice'))}" for function in functions(cast.admin)
               if not function.name.endswith(("_access", "_grants"))]  # fmt: skip
    wanted = {query: state for query, (state, _) in cast.outcomes("superuser", queries).items()}
    wrong = []
    for number, settings in enumerate(SETTINGS):
        session = login("superuser")
        for name, setting in settings.items():
            session.execute("SELECT set_config(%s, %s, false)", [name, setting])
        rows = session.execute(
            "SELECT call, o.state, o.said FROM unnest(%s::text[]) call, public.outcome(call) o", [queries]
        ).fetchall()
        wrong += [(settings, call, said) for call, state, said in rows if state != wanted[call]]
        run = f"settings {number}"
        session.execute(
            "SELECT layra.save_state(%s, %s)", [run, '{"global_variables": {"x": 1.00, "y": null}, "context": {"n": [1]}}']
        )
        for call in ("begin_node(%s, 'n', 'w', '1 hour')", "checkpoint(%s)", "rollback(%s, 1)", "pause_run(%s, 'n')"):
            session.execute(f"SELECT FROM layra.{call}", [run])
    sound(cast)
    assert not wrong
    states = cast.admin.execute(
        "SELECT DISTINCT layra.get_state(run_id)::text FROM layra.run WHERE run_id LIKE 'settings %'"
    ).fetchall()
    assert len(states) == 1
    figures(f"{sum(map(len, SETTINGS))} settings, {len(SETTINGS) * len(queries)} calls")


# --- the clock ---------------------------------------------------------------------------------------------------------

FAR = "2099-01-01 00:00:00+00"


def now_of(connection):
    """The year that the extension takes for now."""
    with connection.transaction(force_rollback=True):
        connection.execute("SELECT layra.start_run('clock')")
        return value(connection, "SELECT extract(year FROM at AT TIME ZONE 'UTC')::int FROM layra.event WHERE run_id = 'clock'")


@pytest.mark.parametrize("loaded", [False, True])
def test_the_clock_is_the_superusers(cast, login, loaded):
    """By no way that there is to set a setting; before the library is loaded a name means nothing, and becomes nothing then."""
    owner, database = cast["bob"], cast.admin.info.dbname
    year = now_of(cast.admin)
    cast.admin.execute(f"ALTER DATABASE {database} OWNER TO {owner}")
    try:
        for attack in (
            f"SET layra.now = '{FAR}'", f"SET SESSION layra.now = '{FAR}'", f"SELECT set_config('layra.now', '{FAR}', false)",
            f"ALTER ROLE CURRENT_USER SET layra.now = '{FAR}'", f"ALTER DATABASE {database} SET layra.now = '{FAR}'",
            f"UPDATE pg_settings SET setting = '{FAR}' WHERE name = 'layra.now'",
            f"ALTER SYSTEM SET layra.now = '{FAR}'", f"GRANT SET ON PARAMETER layra.now TO {owner}",
        ):  # fmt: skip
            bob = login("bob")
            if loaded:
                bob.execute("SELECT count(*) FROM layra.runs")
            with suppress(psycopg.errors.InsufficientPrivilege):
                bob.execute(attack)
                assert not loaded or attack.startswith(("UPDATE", "GRANT")), attack
            assert now_of(bob) == year, attack
            assert now_of(login("bob")) == year, attack
        assert now_of(login("bob", options=f"-c layra.now={FAR.replace(' ', chr(92) + ' ')}")) == year
        function = f"CREATE FUNCTION public.later() RETURNS int LANGUAGE sql SET layra.now = '{FAR}' AS 'SELECT 1'"
        assert outcome(login("bob"), function) == DENIED
        assert cast.admin.execute("SELECT * FROM pg_db_role_setting WHERE setconfig::text LIKE '%%layra%%'").fetchall() == []
    finally:
        cast.admin.execute(f"ALTER DATABASE {database} OWNER TO postgres")
        let_create(cast)
    # What all that was after, and how an operator gives it.
    with cast.admin.transaction(force_rollback=True):
        cast.admin.execute(f"SET LOCAL layra.now = '{FAR}'")
        assert now_of(cast.admin) == 2099
    cast.admin.execute(f"GRANT SET ON PARAMETER layra.now TO {owner}")
    bob = login("bob")
    bob.execute(f"SELECT layra.owns(''); SET layra.now = '{FAR}'")
    assert now_of(bob) == 2099
    cast.admin.execute(f"REVOKE SET ON PARAMETER layra.now FROM {owner}")


# --- the code of an admin ----------------------------------------------------------------------------------------------

# What a handler does first. Whatever that is: it is the caller who goes on.
TRICKS = {
    "sets the role": "SET LOCAL ROLE {visitor}; RESET ROLE",
    "fails as another role": "BEGIN SET LOCAL ROLE {bob}; EXCEPTION WHEN insufficient_privilege THEN NULL; END",
    "sets the session": "BEGIN SET SESSION AUTHORIZATION {bob}; EXCEPTION WHEN insufficient_privilege THEN NULL; END",
    "resets everything": "RESET ALL",
    "discards": "DISCARD PLANS; DISCARD SEQUENCES; DISCARD TEMP",
    "deallocates": "DEALLOCATE ALL",
    "listens": "LISTEN somebody; NOTIFY somebody, 'x'; UNLISTEN *",
    "opens a cursor": "EXECUTE 'DECLARE left_open CURSOR WITH HOLD FOR SELECT * FROM layra.runs'; EXECUTE 'CLOSE ALL'",
    "reads in a cursor": "FOR e IN SELECT * FROM layra.events(run_id) LOOP PERFORM layra.get_state(run_id, e.version); END LOOP",
    "writes in a cursor":
        "FOR e IN SELECT * FROM layra.events(run_id) LOOP PERFORM layra.append_event(run_id, 'inner'); END LOOP",
    "an error in a view":
        "BEGIN PERFORM 1 / (runs.version - runs.version) FROM layra.runs; EXCEPTION WHEN division_by_zero THEN NULL; END",
    "an error in a call": "BEGIN PERFORM layra.get_state(run_id, -1); EXCEPTION WHEN OTHERS THEN NULL; END",
    "an error in a write": "BEGIN PERFORM layra.rollback(run_id, 99); EXCEPTION WHEN OTHERS THEN NULL; END",
    "an error in two":
        "BEGIN PERFORM layra.append_event(run_id, 'x'), layra.drop_run('bob'); EXCEPTION WHEN OTHERS THEN NULL; END",
    "an error in itself": "BEGIN PERFORM layra.append_event(run_id, 'recurse'); EXCEPTION WHEN OTHERS THEN NULL; END",
    "settings of the planner":
        "SET enable_seqscan = off; SET jit = on; SET LOCAL enable_sort = off; RESET enable_seqscan; RESET jit",
    "no row security": "SET LOCAL row_security = off",
    "another path": "SET LOCAL search_path = evil, public",
    "another isolation": "BEGIN SET TRANSACTION ISOLATION LEVEL SERIALIZABLE; EXCEPTION WHEN OTHERS THEN NULL; END",
    "constraints": "SET CONSTRAINTS ALL DEFERRED",
    "a definer": "PERFORM public.definer()",
    "a timeout": "SET LOCAL statement_timeout = '1h'",
    "locks": "LOCK TABLE layra.run IN ACCESS SHARE MODE",
    "a commit": "BEGIN COMMIT; EXCEPTION WHEN OTHERS THEN NULL; END",
    "a prepared statement": "EXECUTE 'PREPARE layra_x AS SELECT 1'; EXECUTE 'EXECUTE layra_x'; EXECUTE 'DEALLOCATE layra_x'",
    "ends its run": "PERFORM layra.finish_run(run_id)",
}  # fmt: skip
# What it does then: it writes down who it is, and tries what only the tables' owner may.
THEFTS = ("DELETE FROM layra.event", "UPDATE layra.cell SET revision = revision + 1",
          "INSERT INTO layra.access VALUES ('admin', current_user)",
          "TRUNCATE layra.run", "ALTER TABLE layra.event DISABLE ROW LEVEL SECURITY", "CREATE TABLE layra.mine ()",
          "PERFORM layra.grant_access(current_user, 'admin')", "PERFORM layra.get_state('bob')", "PERFORM layra.drop_run('bob')",
          "CREATE ROLE mine SUPERUSER", "ALTER ROLE CURRENT_USER SUPERUSER")  # fmt: skip


def steal():
    attempts = "; ".join(
        f"BEGIN {theft}; INSERT INTO public.witness VALUES ('stolen: ' || $t${theft}$t$);"
        " EXCEPTION WHEN insufficient_privilege THEN NULL; END"
        for theft in THEFTS
    )
    return f"INSERT INTO public.witness VALUES (current_user); {attempts}"


@pytest.fixture(scope="module")
def witness(cast):
    """Where code that was called says as whom."""
    cast.admin.execute("CREATE TABLE public.witness (who text); GRANT ALL ON public.witness TO PUBLIC")
    cast.admin.execute(
        "CREATE FUNCTION public.definer() RETURNS void LANGUAGE plpgsql SECURITY DEFINER"
        " AS $$ BEGIN SET LOCAL work_mem = '1MB'; END $$"
    )
    cast.admin.execute(
        "CREATE FUNCTION public.by_alice(run text) RETURNS bigint LANGUAGE sql SECURITY DEFINER"
        " AS $$ SELECT layra.append_event(run, 'note') $$"
    )
    cast.admin.execute(f"ALTER FUNCTION public.by_alice OWNER TO {cast['alice']}; GRANT {cast['visitor']} TO {cast['alice']}")
    return cast


@contextmanager
def handler(cast, event_type, body):
    boss = cast.session("boss")
    name = "public.admins_code(text, bigint, text, jsonb)"
    boss.execute(
        "CREATE OR REPLACE FUNCTION public.admins_code(run_id text, version bigint, type text, payload jsonb) RETURNS void"
        f" LANGUAGE plpgsql AS $body$ DECLARE e record; BEGIN {body}; END $body$"
    )
    boss.execute("SELECT layra.on_event(%s, %s)", [event_type, name])
    try:
        yield
    finally:
        boss.execute("SELECT layra.off_event(%s, %s)", [event_type, name])


def test_a_handler_is_its_caller_whatever_it_does(witness, login, figures):
    """alice herself, and bob by a SECURITY DEFINER function of hers: she is the caller in both."""
    cast, alice, bob = witness, login("alice"), login("bob")
    for theft in THEFTS:
        assert outcome(cast.admin, f"DO $$ BEGIN {theft}; END $$") == "works", theft
    ordinary = "SELECT current_user, session_user, current_setting('enable_seqscan'), current_setting('enable_sort'),"
    ordinary += " current_setting('jit')"
    before = alice.execute(ordinary).fetchone()
    for name, trick in TRICKS.items():
        cast.admin.execute("TRUNCATE public.witness")
        for run in ("tricked", "tricked by bob"):
            alice.execute("SELECT layra.start_run(%s)", [run])
        trick = f"BEGIN {trick.format(**cast.roles)}; EXCEPTION WHEN insufficient_privilege THEN NULL; END"
        with handler(cast, "note", f"{trick}; {steal()}"):
            assert value(alice, "SELECT layra.append_event('tricked', 'note')") == 2, name
            assert value(bob, "SELECT public.by_alice('tricked by bob')") == 2, name
        assert cast.admin.execute("SELECT who FROM public.witness").fetchall() == [(cast["alice"],)] * 2, name
        assert alice.execute(ordinary).fetchone() == before, name
        assert value(bob, "SELECT current_user") == cast["bob"], name
        assert outcome(alice, "SELECT layra.get_state('bob')") == outcome(bob, "SELECT layra.get_state('alice')") == DENIED, name
        sound(cast)
        alice.execute("SELECT layra.drop_run('tricked'), layra.drop_run('tricked by bob')")
    figures(f"{len(TRICKS)} tricks, {len(TRICKS) * 2 * len(THEFTS)} thefts refused")


@contextmanager
def validator(cast, workflow, body):
    boss = cast.session("boss")
    boss.execute(
        "CREATE OR REPLACE FUNCTION public.admins_rule(run_id text, state jsonb) RETURNS SETOF text"
        f" LANGUAGE plpgsql AS $body$ BEGIN {body}; END $body$"
    )
    boss.execute("SELECT layra.add_validator(%s, 'theirs', 'public.admins_rule(text, jsonb)')", [workflow])
    try:
        yield
    finally:
        boss.execute("SELECT layra.remove_validator(%s, 'theirs')", [workflow])


@pytest.mark.parametrize("name", [name for name in TRICKS if name not in ("writes in a cursor", "ends its run")])
def test_a_validator_is_its_caller_whatever_it_does(witness, login, name):
    """Also between the lock of a run and its next event, where resume_run calls it."""
    cast, alice = witness, login("alice")
    alice.execute("SELECT layra.start_run('judged', 'shared')")
    question = value(alice, "SELECT layra.pause_run('judged', 'n')")
    trick = f"DECLARE e record; version int := 1; BEGIN {TRICKS[name].format(**cast.roles)}; EXCEPTION WHEN OTHERS THEN NULL; END"
    thefts = [f"BEGIN {theft}; RETURN NEXT 'stolen'; EXCEPTION WHEN OTHERS THEN NULL; END;" for theft in THEFTS]
    try:
        with validator(
            cast,
            "shared",
            f"{trick}; {' '.join(thefts)} IF current_user <> '{cast['alice']}' THEN RETURN NEXT current_user; END IF",
        ):
            assert alice.execute("SELECT * FROM layra.validate_run('judged')").fetchall() == []
            assert value(alice, "SELECT layra.resume_run('judged', %s)", question) == 3
            assert alice.execute("SELECT problems, version FROM layra.recover_run('judged')").fetchall() == [([], 3)]
        assert value(alice, "SELECT current_user") == cast["alice"]
    finally:
        alice.execute("SELECT layra.drop_run('judged')")
    sound(cast)


@pytest.mark.parametrize("body", [
    "PERFORM layra.set_variable(run_id, 'x', '1')", "PERFORM layra.drop_run(run_id)",
    "PERFORM layra.append_event('alice', 'note')",
    "INSERT INTO public.witness VALUES ('written')",
    "BEGIN PERFORM layra.drop_run(run_id); EXCEPTION WHEN no_data_found THEN NULL; END",
])  # fmt: skip
def test_a_validator_only_reads(witness, login, body):
    """What it writes would come between what a call has read and what it writes: it is refused, and the log stays as it is."""
    cast, alice = witness, login("alice")
    alice.execute("SELECT layra.start_run('judged', 'shared')")
    question = value(alice, "SELECT layra.pause_run('judged', 'n')")
    written = "SELECT count(*), max(version) FROM layra.event WHERE run_id IN ('judged', 'alice')"
    before = cast.admin.execute(written).fetchone()
    try:
        with validator(cast, "shared", body):
            found = {call: outcome(alice, f"SELECT * FROM layra.{call}") for call in (
                "validate_run('judged')", f"resume_run('judged', '{question}', on_change => 'accept')", "recover_run('judged')",
            )}  # fmt: skip
            with suppress(psycopg.Error):
                alice.execute("SELECT layra.resume_run('judged', %s, on_change => 'accept')", [question])
        assert cast.admin.execute(written).fetchone() == before
        sound(cast)
        assert set(found.values()) == {"25006"}
    finally:
        cast.admin.execute(
            "DELETE FROM layra.event WHERE run_id = 'judged' AND NOT EXISTS (SELECT FROM layra.run WHERE run_id = 'judged')"
        )
        with suppress(psycopg.Error):
            alice.execute("SELECT layra.drop_run('judged')")


def test_a_handler_is_found_by_its_name(cast, login):
    """Where others may create functions, they may put theirs in the place of one that was dropped: hence the advice."""
    alice, bob = login("alice"), login("bob")
    signature = "(run_id text, version bigint, type text, payload jsonb) RETURNS void LANGUAGE sql AS"
    bob.execute("CREATE SCHEMA of_bob; GRANT ALL ON SCHEMA of_bob TO PUBLIC")
    cast.admin.execute("CREATE SCHEMA of_admins; GRANT USAGE ON SCHEMA of_admins TO PUBLIC")
    try:
        for schema, taken in (("of_bob", "works"), ("of_admins", DENIED)):
            cast.admin.execute(f"CREATE FUNCTION {schema}.h{signature} ''")
            # He cannot change it, nor add one that would be called instead.
            assert outcome(bob, f"CREATE OR REPLACE FUNCTION {schema}.h{signature} ''") == DENIED
            cast.admin.execute(f"SELECT layra.on_event('found', '{schema}.h(text, bigint, text, jsonb)')")
            cast.admin.execute(f"DROP FUNCTION {schema}.h")
            assert outcome(bob, f"CREATE FUNCTION {schema}.h{signature} ''") == taken
            assert outcome(alice, "SELECT layra.append_event('alice', 'found')") == "works"
            with bob.transaction(force_rollback=True):
                if taken == "works":
                    bob.execute(f"CREATE FUNCTION {schema}.h{signature} 'SELECT 1 / 0'")
                    assert outcome(bob, "SELECT layra.append_event('bob', 'found')") == "22012"
    finally:
        cast.admin.execute("DELETE FROM layra.handler WHERE type_pattern = 'found'; DROP SCHEMA of_bob, of_admins CASCADE")


def test_a_superusers_maintenance(cast, login):
    """Indexes, statistics and materialized views of bob's run his code where a superuser maintains them: as bob."""
    bob = login("bob")
    bob.execute("CREATE SCHEMA laid")
    try:
        bob.execute("""
            CREATE TABLE laid.seen (who text);
            CREATE FUNCTION laid.steal(x int) RETURNS text IMMUTABLE LANGUAGE plpgsql AS $$
            BEGIN
                IF current_user <> session_user OR pg_has_role(session_user, 'pg_read_all_data', 'MEMBER') THEN
                    PERFORM layra.set_owner('alice', session_user::name);
                END IF;
                RETURN layra.get_variable('alice', 'v')::text;
            EXCEPTION WHEN insufficient_privilege THEN RETURN 'denied to ' || current_user;
            END $$;
            CREATE TABLE laid.trap (x int);
            INSERT INTO laid.trap VALUES (1);
            CREATE INDEX sprung ON laid.trap (laid.steal(x));
            CREATE MATERIALIZED VIEW laid.copy AS SELECT laid.steal(1) AS got""")
        owner = value(cast.admin, "SELECT owner FROM layra.run WHERE run_id = 'alice'")
        for maintenance in ("ANALYZE laid.trap", "VACUUM FULL laid.trap", "REINDEX TABLE laid.trap",
                            "CLUSTER laid.trap USING sprung",
                            "REFRESH MATERIALIZED VIEW laid.copy"):  # fmt: skip
            cast.admin.execute(maintenance)
        assert cast.admin.execute("SELECT got FROM laid.copy").fetchall() == [(f"denied to {cast['bob']}",)]
        assert value(cast.admin, "SELECT owner FROM layra.run WHERE run_id = 'alice'") == owner
        # Called by the superuser himself it would have been his.
        with cast.admin.transaction(force_rollback=True):
            assert value(cast.admin, "SELECT laid.steal(1)") == f'"{SECRET}"'
            assert value(cast.admin, "SELECT owner FROM layra.run WHERE run_id = 'alice'") == "postgres"
    finally:
        bob.execute("DROP SCHEMA laid CASCADE")
    sound(cast)


# --- SQL where a name is expected --------------------------------------------------------------------------------------

NAMES = ("'; DROP TABLE layra.run CASCADE; --", '"; DROP TABLE layra.run CASCADE; --', "$$; DROP TABLE layra.run; $$", "$1",
         "%s %n %I",
         "\\'; --", "x' OR 'x' = 'x", "/* */", "{a}", "variable/x/-1", "pg_catalog.text",
         "\U0001f980 ' \u202e", "NULL", "pg_temp.x")  # fmt: skip


def test_sql_in_names(cast, login, figures):
    """Wherever a caller gives text, it is text: it comes back as it was, and nothing of it is run."""
    bob, before = login("bob"), cast.admin.execute("SELECT count(*) FROM pg_class").fetchone()
    for number, name in enumerate(NAMES):
        run, other, shown = f"{number}{name}", f"fork {name}", json.dumps({"text": name})
        definition = {"nodes": [{"id": name, "type": "loop"}], "edges": [], "variables": {name: {"group": name}}}
        calls = [
            ("define_workflow(%s, %s)", name, json.dumps(definition)),
            ("start_run(%s, %s, %s, %s, idempotency_key => %s)", run, name, shown, shown, name),
            ("set_variable(%s, %s, %s)", run, name, json.dumps(name)), ("set_engine(%s, %s)", run, json.dumps({name: name})),
            ("append_event(%s, %s, %s, idempotency_key => %s)", run, name, shown, f"2{name}"),
            ("checkpoint(%s, %s, %s)", run, name, name),
            ("begin_node(%s, %s, %s)", run, name, name), ("complete_node(%s, %s, %s)", run, name, shown),
            ("enter_loop(%s, %s)", run, name), ("next_iteration(%s, %s)", run, name),
            ("skip_nodes(%s, %s, %s)", run, [f"3{name}"], name),
            ("rollback_to(%s, %s, %s)", run, name, name), ("cancel_run(%s, %s)", run, name),
            ("finish_run(%s, 'failed', %s)", run, shown),
            ("reopen_run(%s, %s)", run, name), ("fork_run(%s, %s)", run, other), ("define_breaker(%s)", name),
            ("breaker_failure(%s, %s)", name, shown), ("define_event_type(%s, %s)", name, json.dumps({"description": name})),
            ("history(%s, %s)", run, name), ("context(%s, %s)", run, name), ("get_variables(%s, in_group => %s)", run, name),
            ("events(%s, types => %s)", run, [name]), ("cells(%s, %s)", run, "variable"),
            ("breaker_state(%s, %s)", cast["bob"], name),
        ]  # fmt: skip
        bob.execute("SELECT set_config('layra.actor', %s, false)", [name])
        for call, *arguments in calls:
            casts = call.replace("start_run(%s, %s, %s, %s", "start_run(%s, %s, %s::jsonb, %s::jsonb")
            bob.execute(f"SELECT * FROM layra.{casts}", arguments)
        question = value(bob, "SELECT layra.pause_run(%s, %s, %s, assignee => %s)", run, name, shown, name)
        bob.execute("SELECT layra.resume_run(%s, %s, %s, on_change => 'accept')", [run, question, shown])
        assert value(bob, "SELECT layra.get_variable(%s, %s)", run, name) == name
        assert value(bob, "SELECT layra.get_state(%s) -> %s", run, name) == name
        assert bob.execute("SELECT on_behalf_of FROM layra.event WHERE run_id = %s GROUP BY 1", [run]).fetchall() == [(name,)]
        assert value(bob, "SELECT node_id FROM layra.interactions WHERE run_id = %s", run) == name
        for relation in relations(cast.admin, "v"):
            if "run_id" in columns(cast.admin, relation):
                bob.execute(f"SELECT * FROM layra.{relation} WHERE run_id = %s", [run]).fetchall()
    assert cast.admin.execute("SELECT count(*) FROM pg_class").fetchone() == before
    sound(cast)
    figures(f"{len(NAMES)} names in {len(calls) + 2} calls each")


def test_sql_in_the_names_of_roles_and_functions(cast, login):
    """Those that the extension itself puts into SQL: of roles in GRANT, of handlers and validators in SELECT."""
    before = cast.admin.execute("SELECT count(*) FROM pg_class").fetchone()
    for name in NAMES[:6]:
        role = f"{name[:40]}{os.getpid()}"
        with cast.admin.transaction(force_rollback=True):
            identifier = sql.Identifier(role)
            cast.admin.execute(sql.SQL("CREATE ROLE {}").format(identifier))
            cast.admin.execute("SELECT layra.grant_access(%s, 'admin')", [role])
            schema, function = (
                sql.Identifier(name),
                sql.Identifier(f"{name}(pg_catalog.text,bigint,pg_catalog.text,pg_catalog.jsonb)"),
            )
            cast.admin.execute(sql.SQL("CREATE SCHEMA {0}; GRANT USAGE ON SCHEMA {0} TO {1}").format(schema, identifier))
            cast.admin.execute(
                sql.SQL(
                    "CREATE FUNCTION {0}.{1}(text, bigint, text, jsonb) RETURNS void LANGUAGE sql"
                    " AS $f$ SELECT set_config('x.ran', $1, false) $f$;"
                    " CREATE FUNCTION {0}.{1}(text, jsonb) RETURNS SETOF text LANGUAGE sql AS $f$ SELECT $1 $f$"
                ).format(schema, function)
            )
            cast.admin.execute(sql.SQL("SET LOCAL ROLE {}").format(identifier))
            procedure = sql.SQL("{}.{}").format(schema, function).as_string(cast.admin)
            cast.admin.execute("SELECT layra.on_event('note', %s::regprocedure)", [f"{procedure}(text,bigint,text,jsonb)"])
            cast.admin.execute("SELECT layra.define_workflow('named', '{}'), layra.start_run('named', 'named')")
            cast.admin.execute("SELECT layra.add_validator('named', 'v', %s::regprocedure)", [f"{procedure}(text,jsonb)"])
            cast.admin.execute("SELECT layra.append_event('named', 'note')")
            assert value(cast.admin, "SELECT current_setting('x.ran')") == "named"
            assert value(cast.admin, "SELECT message FROM layra.validate_run('named')") == "named"
            assert value(cast.admin, "SELECT owner FROM layra.run WHERE run_id = 'named'") == role
            assert value(cast.admin, "SELECT who FROM layra.timeline WHERE run_id = 'named' AND version = 2") == role
            cast.admin.execute("SELECT layra.off_event('note', %s::regprocedure)", [f"{procedure}(text,bigint,text,jsonb)"])
            cast.admin.execute("RESET ROLE")
            cast.admin.execute("SELECT layra.revoke_access(%s)", [role])
            cast.admin.execute(
                sql.SQL("DROP FUNCTION {0}.{1}(text, bigint, text, jsonb); DROP FUNCTION {0}.{1}(text, jsonb)").format(
                    schema, function
                )
            )
            cast.admin.execute(sql.SQL("DROP SCHEMA {}; DROP ROLE {}").format(schema, identifier))
    assert cast.admin.execute("SELECT count(*) FROM pg_class").fetchone() == before


# --- reading what is another's -----------------------------------------------------------------------------------------

# Conditions that tell what they see, as a notice or in an error.
LEAKS = (
    "spy.look(t::text)",
    "t::text OPERATOR(spy.~=) ''",
    "(t::text)::int > 0",
    "CASE WHEN spy.look(t::text) THEN true END",
    "EXISTS (SELECT WHERE spy.look(t::text))",
)


def test_conditions_that_tell(cast, login, figures):
    """Functions and operators that cost nothing, and casts that fail with what they met: row security comes before them."""
    bob, superuser = login("bob"), login("superuser")
    bob.execute("""
        CREATE SCHEMA spy;
        CREATE FUNCTION spy.look(text) RETURNS boolean LANGUAGE plpgsql COST 0.0000001 AS
            $$ BEGIN RAISE NOTICE 'saw %', $1; RETURN true; END $$;
        CREATE FUNCTION spy.compare(text, text) RETURNS boolean LANGUAGE plpgsql COST 0.0000001 AS
            $$ BEGIN RAISE NOTICE 'saw %', $1; RETURN true; END $$;
        CREATE OPERATOR spy.~= (LEFTARG = text, RIGHTARG = text, FUNCTION = spy.compare)""")
    try:
        assert outcome(bob, "ALTER FUNCTION spy.look LEAKPROOF") == DENIED

        def told(session, query):
            heard = []
            session.add_notice_handler(listen := lambda notice: heard.append(notice.message_primary))
            try:
                session.execute(query)
            except psycopg.Error as error:
                heard.append(str(error))
            session.remove_notice_handler(listen)
            return "\n".join(heard)

        queries = 0
        for relation in relations(cast.admin):
            loud = value(cast.admin, f"SELECT coalesce(string_agg(t::text, ' '), '') FROM layra.{relation} t")
            foreign = [word for word in ("alice", "team_", "gone") if word in loud]
            assert foreign or relation in ("handler", "validator", "inherited_key", "session_memory")
            for leak in LEAKS:
                said = told(bob, f"SELECT count(*) FROM layra.{relation} t WHERE {leak}")
                assert not any(word in said for word in foreign), (relation, leak, said)
                queries += 1
        # To whom nothing is hidden, they tell.
        for leak in LEAKS:
            assert "alice" in told(superuser, f"SELECT count(*) FROM layra.run t WHERE t.run_id > 'alice' AND {leak}"), leak
        figures(f"{queries} queries")
    finally:
        bob.execute("DROP SCHEMA spy CASCADE")


def test_copies_and_dumps(cast, login):
    """COPY copies what one may read; a dump by a tenant fails, or has his own rows where he asks for them."""
    bob = login("bob")
    for relation in relations(cast.admin):
        with bob.cursor().copy(f"COPY (SELECT * FROM layra.{relation}) TO STDOUT") as copy:
            assert SECRET not in b"".join(map(bytes, copy)).decode(), relation
    with bob.cursor().copy("COPY layra.cell TO STDOUT") as copy:
        got = b"".join(map(bytes, copy)).decode()
    assert SECRET not in got and "bob's secret" in got
    assert outcome(bob, "SET row_security = off; SELECT FROM layra.run") == DENIED
    command = [
        os.path.join(os.environ["PG_BINDIR"], "pg_dump"),
        "--data-only",
        "--schema=layra",
        f"--username={cast['bob']}",
        cast.admin.info.dbname,
    ]
    dump = subprocess.run(command, capture_output=True, text=True)
    assert dump.returncode != 0 and "row-level security" in dump.stderr and SECRET not in dump.stdout
    dump = subprocess.run([*command, "--enable-row-security"], capture_output=True, text=True, check=True)
    assert "bob's secret" in dump.stdout and SECRET not in dump.stdout


def test_statistics(cast, login):
    """The samples that ANALYZE takes are hidden; how much there is, is not."""
    cast.admin.execute("ANALYZE layra.run, layra.event, layra.cell, layra.workflow, layra.access")
    hidden = "SELECT count(*) FROM pg_stats WHERE schemaname = 'layra'"
    assert value(cast.admin, hidden) > 30
    bob = login("bob")
    assert value(bob, hidden) == 0
    assert outcome(bob, "SELECT FROM pg_statistic") == DENIED
    assert outcome(bob, "CREATE STATISTICS public.s ON run_id, status FROM layra.run") == DENIED
    assert value(bob, "SELECT reltuples > 5 FROM pg_class WHERE oid = 'layra.run'::regclass")


def test_a_role_without_select(cast, login):
    """EXPLAIN ANALYZE counts what was hidden, so names can be searched for. Who may not even do that gets functions alone."""
    bob = login("bob")
    search = "EXPLAIN (ANALYZE, TIMING off) SELECT FROM layra.run WHERE run_id >= 'alice' AND run_id < 'alicf'"
    assert any("Rows Removed by Filter" in line for (line,) in bob.execute(search))
    with cast.admin.transaction(force_rollback=True):
        cast.admin.execute(f"REVOKE SELECT ON ALL TABLES IN SCHEMA layra FROM {cast['bob']}; SET LOCAL ROLE {cast['bob']}")
        assert outcome(cast.admin, search) == DENIED
        assert outcome(cast.admin, "SELECT FROM layra.runs") == DENIED
        names = cast.names("bob")
        for function in functions(cast.admin):
            if "run_id" in function.arguments and function.name not in ("start_run", "verify"):
                assert outcome(cast.admin, f"SELECT * FROM {function.call(**names)}") == "works", function.name


# Every way to read: what a session sees after SET ROLE is the new role's, whatever was planned before.
READS = {
    "table": "SELECT run_id FROM layra.run",
    "view": "SELECT run_id FROM layra.runs",
    "view on a function": "SELECT run_id FROM layra.variables",
    "join": "SELECT r.run_id FROM layra.run r JOIN layra.event e USING (run_id)",
    "subquery": "SELECT run_id FROM (SELECT DISTINCT run_id FROM layra.event) e",
    "WITH": "WITH e AS MATERIALIZED (SELECT run_id FROM layra.cell) SELECT run_id FROM e",
    "EXISTS": "SELECT i FROM unnest('{alice,bob,team,gone,boss}'::text[]) i"
    " WHERE EXISTS (SELECT FROM layra.checkpoint c WHERE c.run_id = i)",
    "SQL function": "SELECT public.names_of_runs()",
    "PL/pgSQL function": "SELECT public.names_in_plpgsql()",
}
SEEN = {
    "alice": {"alice"},
    "bob": {"bob"},
    "carol": {"team"},
    "audit": {"alice", "bob", "team", "gone", "boss"},
    "boss": {"boss"},
}


@pytest.fixture(scope="module")
def reads(cast):
    cast.admin.execute("""
        CREATE FUNCTION public.names_of_runs() RETURNS SETOF text STABLE LANGUAGE sql AS 'SELECT run_id FROM layra.run';
        CREATE FUNCTION public.names_in_plpgsql() RETURNS SETOF text STABLE LANGUAGE plpgsql AS
            $$ BEGIN RETURN QUERY SELECT run_id FROM layra.run; END $$""")
    return READS


def owners(rows):
    return {run_id.split()[0] for (run_id,) in rows} & {*SEEN["audit"]}


@pytest.mark.parametrize("mode", ["force_generic_plan", "force_custom_plan"])
def test_plans_that_outlive_a_role(cast, login, reads, mode):
    """Prepared as one role, executed as others, the superuser among them, in one session and one transaction."""
    session = login("superuser")
    session.execute(f"SET plan_cache_mode = {mode}")
    for prepared_as in ("postgres", cast["audit"], cast["alice"]):
        with session.transaction(force_rollback=True):
            session.execute(f"SET LOCAL ROLE {prepared_as}")
            for number, query in enumerate(reads.values()):
                session.execute(f"PREPARE p{number} AS {query}; EXECUTE p{number}")
            for actor in (*SEEN, *reversed(SEEN)):
                session.execute(f"SET LOCAL ROLE {cast[actor]}")
                for number, name in enumerate(reads):
                    assert owners(session.execute(f"EXECUTE p{number}")) == SEEN[actor], (prepared_as, actor, name)
                assert outcome(session, "SELECT layra.get_state('alice')") == ("works" if actor in ("alice", "audit") else DENIED)
                assert outcome(session, "SELECT layra.set_variable('bob', 'v', '1')") == ("works" if actor == "bob" else DENIED)
            session.execute("DEALLOCATE ALL")


def test_cursors_that_outlive_a_role(cast, login, reads):
    """A cursor opened as one role and fetched as another never shows a row that neither of them may read; that of a function is
    the function's, called at the first FETCH as whoever fetches. One WITH HOLD keeps its rows: DISCARD ALL between users."""
    session = login("superuser")
    for name, query in reads.items():
        for opened_as, fetched_as in (("alice", "bob"), ("bob", "alice"), ("carol", "boss")):
            with session.transaction(force_rollback=True):
                session.execute(
                    f"SET LOCAL ROLE {cast[opened_as]}; DECLARE c CURSOR FOR {query}; SET LOCAL ROLE {cast[fetched_as]}"
                )
                assert owners(session.execute("FETCH ALL c")) <= SEEN[opened_as] | SEEN[fetched_as], (name, opened_as)
    with session.transaction(force_rollback=True):
        session.execute(
            f"SET LOCAL ROLE {cast['alice']}; DECLARE c CURSOR FOR SELECT layra.get_state('alice'); SET LOCAL ROLE {cast['bob']}"
        )
        assert outcome(session, "FETCH c") == DENIED
    session.execute(f"SET ROLE {cast['alice']}")
    session.execute("DECLARE held CURSOR WITH HOLD FOR SELECT run_id FROM layra.run")
    session.execute(f"SET ROLE {cast['bob']}")
    assert owners(session.execute("FETCH ALL held")) == {"alice"}
    session.execute("DISCARD ALL")
    assert outcome(session, "FETCH ALL held") == "34000"


# --- hostile surroundings ----------------------------------------------------------------------------------------------

# In a schema: a trap for every function, operator, aggregate, table and type that pg_catalog and layra have, and implicit
# casts to a custom type. Whoever sets one off, says so.
TRAPS = """
DO $do$
DECLARE
    place CONSTANT text := '{schema}';
    body CONSTANT text := 'LANGUAGE plpgsql AS $$ BEGIN
        RAISE EXCEPTION ''trapped as %'', current_user USING ERRCODE = ''TRAP1''; END $$';
    o record;
BEGIN
    FOR o IN SELECT proname, pg_get_function_identity_arguments(p.oid) AS arguments, pg_get_function_result(p.oid) AS result,
                    prokind, row_number() OVER () AS number
             FROM pg_proc p JOIN pg_namespace n ON n.oid = pronamespace
             WHERE nspname IN ('pg_catalog', 'layra') AND proname ~ '^[a-z]'
               AND NOT proargtypes::oid[] && '{{internal,cstring}}'::regtype[]::oid[]
    LOOP
        BEGIN
            IF o.prokind = 'a' THEN
                EXECUTE format('CREATE FUNCTION %I.trap_of_aggregate_%s(pg_catalog.int8, %s) RETURNS pg_catalog.int8 %s',
                    place, o.number, o.arguments, body);
                EXECUTE format('CREATE AGGREGATE %I.%I(%s) (SFUNC = %1$I.trap_of_aggregate_%4$s, STYPE = pg_catalog.int8)',
                    place, o.proname, o.arguments, o.number);
            ELSE
                EXECUTE format('CREATE FUNCTION %I.%I(%s) RETURNS %s %s', place, o.proname, o.arguments, o.result, body);
            END IF;
        EXCEPTION WHEN OTHERS THEN NULL;
        END;
    END LOOP;
    FOR o IN SELECT oprname, oprleft::regtype, oprright::regtype, oprresult::regtype, row_number() OVER () AS number
             FROM pg_operator WHERE oprnamespace = 'pg_catalog'::regnamespace AND oprkind = 'b'
    LOOP
        BEGIN
            EXECUTE format('CREATE FUNCTION %I.trap_of_operator_%s(%s, %s) RETURNS %s %s',
                place, o.number, o.oprleft, o.oprright, o.oprresult, body);
            EXECUTE format('CREATE OPERATOR %I.%s (LEFTARG = %s, RIGHTARG = %s, FUNCTION = %1$I.trap_of_operator_%5$s)',
                place, o.oprname, o.oprleft, o.oprright, o.number);
        EXCEPTION WHEN OTHERS THEN NULL;
        END;
    END LOOP;
    EXECUTE format('CREATE AGGREGATE %I.count(*) (SFUNC = pg_catalog.int8inc, STYPE = pg_catalog.int8, INITCOND = ''666'')',
        place);
    EXECUTE format('CREATE TYPE %I.shape AS (x pg_catalog.text)', place);
    FOR o IN SELECT unnest('{{text,jsonb,int8,int4,bytea,name,bool,timestamptz,uuid,interval}}'::text[]) AS name LOOP
        EXECUTE format('CREATE FUNCTION %I.to_shape(pg_catalog.%s) RETURNS %1$I.shape %3$s', place, o.name, body);
        EXECUTE format('CREATE CAST (pg_catalog.%2$s AS %1$I.shape) WITH FUNCTION %1$I.to_shape(pg_catalog.%2$s) AS IMPLICIT',
            place, o.name);
    END LOOP;
END $do$
"""
# Of these temporary ones are found before all others, also where the path does not name pg_temp.
TRAP_RELATIONS = """
DO $do$
DECLARE
    o record;
BEGIN
    FOR o IN SELECT relname FROM pg_class JOIN pg_namespace n ON n.oid = relnamespace
             WHERE relkind IN ('r', 'v') AND nspname = 'layra'
             UNION ALL
             SELECT unnest('{{pg_class,pg_proc,pg_roles,pg_authid,pg_namespace,pg_type,pg_attribute,pg_depend}}'::text[]) LOOP
        EXECUTE format('CREATE TABLE %I.%I (run_id pg_catalog.text, owner pg_catalog.text, oid pg_catalog.oid)',
            '{schema}', o.relname);
    END LOOP;
    FOR o IN SELECT unnest('{{text,jsonb,int8,int4,int2,bytea,name,bool,timestamptz,uuid,interval,oid,xid8}}'::text[]) AS typname
             UNION ALL
             SELECT unnest('{{regprocedure,regnamespace,regclass,regrole,record,varchar,"char",json,numeric}}'::text[]) LOOP
        EXECUTE format('CREATE DOMAIN %I.%I AS pg_catalog.text CHECK (false)', '{schema}', o.typname);
    END LOOP;
END $do$
"""
HOSTILE_PATH = "-c search_path=pg_temp,evil,public,layra,pg_catalog"


@pytest.fixture
def trapped(login):
    """Both schemas that bob can write to are full of traps."""
    bob = login("bob")
    bob.execute("CREATE SCHEMA evil; GRANT USAGE ON SCHEMA evil TO PUBLIC")
    bob.execute(TRAPS.format(schema="evil"))
    for schema in ("evil", "public"):
        bob.execute(TRAP_RELATIONS.format(schema=schema))


def test_traps_everywhere(cast, login, trapped, figures):
    """Every function and view works as ever while the caller's path begins with the attacker's schemas: nothing of what he put
    there is called, by owners, auditors, admins and superusers."""
    calls = 0
    for actor, owner in (("alice", "alice"), ("audit", "alice"), ("boss", "boss"), ("superuser", "alice"), ("superuser", "gone")):
        session = login(actor, options=HOSTILE_PATH)
        # The traps are there, and they work.
        assert outcome(session, "SELECT 'a'::pg_catalog.text = 'b'::pg_catalog.text") == "TRAP1"
        assert outcome(session, "SELECT octet_length('a'::pg_catalog.text)") == "TRAP1"
        assert outcome(session, "SELECT '{}'::pg_catalog.jsonb -> 'a'") == "TRAP1"
        with session.transaction():
            session.execute("SET LOCAL search_path = pg_catalog, pg_temp; CREATE TEMP TABLE first ()")
            session.execute(TRAP_RELATIONS.format(schema=value(session, "SELECT pg_my_temp_schema()::regnamespace::text")))
        queries = [f"SELECT * FROM {function.call(**cast.names(owner))}" for function in functions(cast.admin)]
        queries += [f"SELECT * FROM layra.{relation}" for relation in relations(cast.admin)]
        wanted = {query: state for query, (state, _) in cast.outcomes(actor, queries).items()}
        assert [*wanted.values()].count("works") > 30
        assert {query: outcome(session, query) for query in queries} == wanted
        calls += len(queries)
    traps_there = value(cast.admin, "SELECT count(*) FROM pg_proc WHERE pronamespace::regnamespace::text IN ('evil', 'public')")
    figures(f"{calls} calls past {traps_there} traps")


# --- stopping others -------------------------------------------------------------------------------------------------


def test_what_a_tenant_can_lock(cast, login):
    """Of a table no more than every reader does; of another's run nothing, not even by trying; of an unused name the name."""
    bob, alice = login("bob"), login("alice")
    modes = ("ACCESS SHARE", "ROW SHARE", "ROW EXCLUSIVE", "SHARE UPDATE EXCLUSIVE", "SHARE", "SHARE ROW EXCLUSIVE", "EXCLUSIVE",
             "ACCESS EXCLUSIVE")  # fmt: skip
    for relation in relations(cast.admin, "r"):
        for mode in modes:
            wanted = "works" if mode == "ACCESS SHARE" else DENIED
            assert outcome(bob, f"LOCK TABLE layra.{relation} IN {mode} MODE") == wanted, (relation, mode)
    bob.execute("BEGIN; SAVEPOINT tried")
    calls = [
        f"SELECT * FROM {function.call(**cast.names('alice'))}"
        for function in functions(cast.admin)
        if "run_id" in function.arguments
    ]
    for call in calls:
        with suppress(psycopg.errors.InsufficientPrivilege, psycopg.errors.UniqueViolation):
            bob.execute(call)
        bob.execute("ROLLBACK TO tried")
    bob.execute(
        "SELECT layra.start_run('a name'), layra.define_workflow('own', '{\"of\": \"bob\"}'),"
        " layra.define_breaker('breaker of alice')"
    )
    bob.execute("SELECT layra.define_event_type('typed', 'true'), layra.save_state('bob''s', '{\"nodes\": [], \"edges\": []}')")
    alice.execute("SET lock_timeout = '2s'")
    for function in functions(cast.admin):
        if "run_id" in function.arguments and function.name != "start_run":
            assert outcome(alice, f"SELECT * FROM {function.call(**cast.names('alice'))}") == "works", function.name
    for call in ("start_run('another name')", "define_workflow('own', '{\"of\": \"alice\"}')",
                 "define_breaker('breaker of alice')",
                 "define_event_type('typed', 'true')", "breaker_try('breaker of alice')", "breaker_failure('breaker of alice')",
                 "save_state('alice''s', '{\"nodes\": [], \"edges\": []}')"):  # fmt: skip
        assert outcome(alice, f"SELECT layra.{call}") == "works", call
    # As with every unique name in PostgreSQL, and what privileges.md says of run ids.
    alice.execute("SET lock_timeout = '10ms'")
    assert outcome(alice, "SELECT layra.start_run('a name')") == "55P03"
    bob.execute("ROLLBACK")
    assert outcome(alice, "SELECT layra.start_run('a name')") == "works"


def test_definitions_of_others_stop_nobody(cast, login):
    """Whatever bob defines under the names that alice uses, her calls give what they gave."""
    bob = login("bob")
    queries = [f"SELECT * FROM {function.call(**cast.names('alice'))}" for function in functions(cast.admin)]
    queries += [
        "SELECT layra.append_event('alice', 'anything')",
        "SELECT layra.start_run('r', 'own')",
        "SELECT layra.start_run('r', 'shared')",
    ]
    before = cast.outcomes("alice", queries)
    with bob.transaction(force_rollback=True):
        for name in ("own", "shared", "everything"):
            bob.execute(
                "SELECT layra.define_workflow(%s, %s)",
                [name, '{"variables": {"v": {"schema": false}}, "policy": {"limits": {"value_bytes": 1}}}'],
            )
        for event_type in ("note", "anything", "typed", "shared"):
            bob.execute("SELECT layra.define_event_type(%s, 'false')", [event_type])
        for breaker in ("breaker", "breaker of alice"):
            bob.execute("SELECT layra.define_breaker(%s, 1)", [breaker])
            bob.execute("SELECT layra.breaker_failure(%s)", [breaker])
        bob.execute("SELECT layra.save_state('of bob', '{}', idempotency_key => 'first')")
    # For all to see: committed.
    for event_type in ("note", "anything"):
        bob.execute("SELECT layra.define_event_type(%s, 'false')", [event_type])
    bob.execute('SELECT layra.define_workflow(\'own\', \'{"variables": {"v": {"schema": false}}}\')')
    bob.execute("SELECT layra.define_breaker('breaker of alice', 1), layra.breaker_failure('breaker of alice')")
    assert cast.outcomes("alice", queries) == before
    # They do stop him.
    assert outcome(bob, "SELECT layra.append_event('bob', 'anything')") == "23514"
    assert value(bob, "SELECT layra.breaker_try('breaker of alice')") is False
    for event_type in ("note", "anything"):
        bob.execute("SELECT layra.define_event_type(%s, 'true')", [event_type])


def test_a_breaker_is_not_shadowed_by_a_group_that_came_later(cast, login, role):
    """carol uses the breaker of her group. Whoever may give her another group cannot put another in its place."""
    group = role("aaa")
    carol, bob = login("carol"), login("bob")
    cast.admin.execute("SELECT layra.grant_access(%s, 'writer')", [group])
    cast.admin.execute(f"GRANT {group} TO {cast['bob']} WITH ADMIN OPTION")
    assert value(carol, "SELECT layra.breaker_try('breaker of team')") is True
    bob.execute(f"SET ROLE {group}")
    bob.execute("SELECT layra.define_breaker('breaker of team', 1)")
    bob.execute("SELECT layra.breaker_failure('breaker of team')")
    bob.execute(f"RESET ROLE; GRANT {group} TO {cast['carol']}")
    assert value(carol, "SELECT count(*) FROM layra.breakers WHERE name = 'breaker of team'") == 2
    assert value(carol, "SELECT layra.breaker_try('breaker of team')") is True
    bob.execute(f"REVOKE {group} FROM {cast['carol']}")


def test_dependents_of_a_tenant(cast, login):
    """A view of bob's on the extension's functions and tables is in the way of who drops them: hence the advice."""
    bob = login("bob")
    with cast.admin.transaction(force_rollback=True):
        cast.admin.execute(f"SET LOCAL ROLE {cast['bob']}; CREATE SCHEMA hold")
        cast.admin.execute(
            "CREATE VIEW hold.v AS SELECT layra.get_state(run_id) FROM layra.runs; CREATE TABLE hold.t (x layra.run); RESET ROLE"
        )
        assert outcome(cast.admin, "DROP EXTENSION layra_state") == "2BP01"
        assert outcome(cast.admin, "ALTER TABLE layra.run ADD COLUMN x int DEFAULT random()") == "0A000"
        assert outcome(cast.admin, "ALTER TABLE layra.run ADD COLUMN x int") == "works"
        assert outcome(cast.admin, "DROP EXTENSION layra_state CASCADE") == "works"
    assert outcome(bob, "SELECT FROM layra.runs") == "works"


# --- roles ---------------------------------------------------------------------------------------------------------------


def access(connection, run_id):
    """What a session may do with a run: nothing, read, or write."""
    reads, writes = (
        outcome(connection, f"SELECT layra.{call}") == "works"
        for call in (f"get_state('{run_id}')", f"append_event('{run_id}', 'note')")
    )
    seen = value(connection, "SELECT count(*) FROM layra.run WHERE run_id = %s", run_id) == 1
    assert seen == reads
    return "write" if writes else "read" if reads else "nothing"


def memberships(version):
    """How a role can be a member of the owner of a run, what that gives it, and whether it can hand on the run to the owner."""
    yield "LOGIN", "GRANT {owner} TO {member}", "write", True
    yield "NOINHERIT", "GRANT {owner} TO {member}", "nothing", True
    yield "LOGIN", "GRANT {owner} TO {member} WITH ADMIN OPTION", "write", True
    yield "LOGIN", "GRANT {owner} TO {between}; GRANT {between} TO {member}", "write", True
    yield "LOGIN", "ALTER ROLE {between} NOINHERIT; GRANT {owner} TO {between}; GRANT {between} TO {member}", "nothing", True
    yield "LOGIN", "GRANT {member} TO {owner}", "nothing", False
    if version >= 160000:
        yield "LOGIN", "GRANT {owner} TO {member} WITH INHERIT FALSE", "nothing", True
        yield "NOINHERIT", "GRANT {owner} TO {member} WITH INHERIT TRUE", "write", True
        yield "LOGIN", "GRANT {owner} TO {member} WITH SET FALSE", "write", False
        yield "LOGIN", "GRANT {owner} TO {member} WITH INHERIT FALSE, SET FALSE", "nothing", False
        yield "LOGIN", "GRANT {owner} TO {member} WITH ADMIN TRUE, INHERIT FALSE, SET FALSE", "nothing", False


def test_memberships(cast, role):
    """PostgreSQL's own rules: its grants say 'USAGE' for reading and writing, 'SET' for handing on."""
    version, admin = cast.admin.info.server_version, cast.admin
    found, wanted = {}, {}
    names = {name: role(name) for name in ("owner", "member", "between")}
    for name in names.values():
        admin.execute("SELECT layra.grant_access(%s, 'writer')", [name])
    for options, grant, may, hands_on in memberships(version):
        with admin.transaction(force_rollback=True):
            if options != "LOGIN":
                admin.execute(f"ALTER ROLE {names['member']} {options}")
            admin.execute(grant.format(**names))
            admin.execute(f"SET LOCAL ROLE {names['owner']}")
            admin.execute("SELECT layra.start_run('of the owner')")
            # As a login of the member: SET ROLE would ask for less.
            admin.execute(f"RESET ROLE; SET LOCAL SESSION AUTHORIZATION {names['member']}")
            admin.execute("SELECT layra.start_run('of the member')")
            given = outcome(admin, f"SELECT layra.set_owner('of the member', '{names['owner']}')")
            found[options, grant] = access(admin, "of the owner"), given
            wanted[options, grant] = may, "works" if hands_on else DENIED
    assert found == wanted


def test_names_of_roles_that_change_hands(cast, role):
    """Owners and levels are names. A role that is renamed loses both; whoever gets the name gets both, levels only with the next
    grant: hence the advice to move runs and revoke levels first."""
    admin, name = cast.admin, role("passing")
    with admin.transaction(force_rollback=True):
        admin.execute("SELECT layra.grant_access(%s, 'writer'), layra.grant_access(%s, 'auditor')", [name, name])
        admin.execute(f"SET LOCAL ROLE {name}; SELECT layra.start_run('passed on'); RESET ROLE")
        admin.execute(f"ALTER ROLE {name} RENAME TO {name}_renamed; SET LOCAL ROLE {name}_renamed")
        # The privileges are the role's, the auditor's level and the run are the name's.
        assert outcome(admin, "SELECT layra.get_state('passed on')") == DENIED
        assert value(admin, "SELECT count(*) FROM layra.run") == 0
        assert outcome(admin, "SELECT layra.start_run('new')") == "works"
        admin.execute(f"RESET ROLE; DROP OWNED BY {name}_renamed; DROP ROLE {name}_renamed; CREATE ROLE {name}")
        admin.execute(f"SET LOCAL ROLE {name}")
        assert outcome(admin, "SELECT layra.get_state('passed on')") == DENIED
        assert outcome(admin, "SELECT FROM layra.run") == DENIED
        admin.execute("RESET ROLE; SELECT layra.renew_grants()")
        admin.execute(f"SET LOCAL ROLE {name}")
        assert access(admin, "passed on") == "write"
        assert access(admin, "alice") == "read"
        admin.execute("RESET ROLE")
        admin.execute(f"SELECT layra.revoke_access('{name}'), layra.set_owner('passed on', '{cast['bob']}')")
        admin.execute(f"SELECT layra.renew_grants(); SET LOCAL ROLE {name}")
        assert outcome(admin, "SELECT FROM layra.run") == DENIED
        admin.execute("RESET ROLE")


# --- installation ----------------------------------------------------------------------------------------------------------

GRANTED = """
    SELECT DISTINCT a.grantee FROM pg_class, aclexplode(relacl) a
    WHERE relnamespace = 'layra'::regnamespace AND a.grantee <> relowner
    UNION SELECT a.grantee FROM pg_proc, aclexplode(proacl) a WHERE pronamespace = 'layra'::regnamespace AND a.grantee <> proowner
    UNION SELECT a.grantee FROM pg_namespace n, aclexplode(nspacl) a WHERE nspname = 'layra' AND a.grantee <> nspowner"""


@pytest.mark.parametrize(
    "created",
    ["CREATE EXTENSION layra_state", "CREATE EXTENSION layra_state VERSION '0.1.0'; ALTER EXTENSION layra_state UPDATE"],
)
def test_default_privileges_give_nothing_away(create_database, role, created):
    """ALTER DEFAULT PRIVILEGES … GRANT ALL ON TABLES TO app is in many a set-up. A trigger of app's would run as the owner."""
    app = role("app")
    with psycopg.connect(create_database(), autocommit=True) as admin:
        for objects in ("TABLES", "FUNCTIONS", "TYPES", "SEQUENCES"):
            admin.execute(f"ALTER DEFAULT PRIVILEGES GRANT ALL ON {objects} TO {app}, PUBLIC")
        admin.execute(f"ALTER DEFAULT PRIVILEGES GRANT USAGE ON SCHEMAS TO {app}, PUBLIC")
        admin.execute("CREATE TABLE public.harm (x int)")
        assert value(admin, "SELECT has_table_privilege(%s, 'public.harm', 'TRIGGER')", app)
        admin.execute(created)
        assert admin.execute(GRANTED).fetchall() == []
        admin.execute("SELECT layra.grant_access(%s, 'writer')", [app])
        held = admin.execute(
            "SELECT DISTINCT privilege_type FROM pg_class, aclexplode(relacl) a"
            " WHERE relnamespace = 'layra'::regnamespace AND a.grantee = %s::regrole",
            [app],
        )
        assert held.fetchall() == [("SELECT",)]
        assert not value(admin, "SELECT has_function_privilege(%s, 'layra.renew_grants()', 'EXECUTE')", app)


PLANTED = {
    "a table": "CREATE TABLE layra.run (x int)",
    "a function": "CREATE FUNCTION layra.owns(text) RETURNS boolean LANGUAGE sql AS 'SELECT true'",
    "an operator": "CREATE OPERATOR layra.= (LEFTARG = text, RIGHTARG = text, FUNCTION = texteq)",
    "a type": "CREATE DOMAIN layra.jsonb AS text",
    "an enum": "CREATE TYPE layra.status AS ENUM ('running')",
    "a sequence": "CREATE SEQUENCE layra.s",
    "a view": "CREATE VIEW layra.runs AS SELECT 1",
}


@pytest.mark.parametrize("planted", PLANTED)
def test_a_schema_that_somebody_has_prepared(create_database, role, raises, planted):
    """The owner of the database makes the schema, puts something there, and gives it to the superuser who will install."""
    mallory = role("mallory")
    conninfo = create_database()
    with psycopg.connect(conninfo, autocommit=True) as admin:
        admin.execute(f"ALTER DATABASE {admin.info.dbname} OWNER TO {mallory}")
        with psycopg.connect(conninfo, user=mallory, autocommit=True) as session:
            session.execute("CREATE SCHEMA layra")
            session.execute(PLANTED[planted])
        with raises(DENIED):
            admin.execute("CREATE EXTENSION layra_state")
        # Not even where it is the superuser's since.
        admin.execute("ALTER SCHEMA layra OWNER TO postgres")
        with pytest.raises(psycopg.Error) as refused:
            admin.execute("CREATE EXTENSION layra_state")
        assert refused.value.sqlstate in (DENIED, "42710")


def test_installed_among_traps(create_database, role, login):
    """By a superuser whose path begins with the schema of the database's owner: what is made refers to nothing that is his."""
    mallory = role("mallory")
    conninfo = create_database()
    with psycopg.connect(conninfo, autocommit=True) as admin:
        admin.execute(f"ALTER DATABASE {admin.info.dbname} OWNER TO {mallory}")
        with psycopg.connect(conninfo, user=mallory, autocommit=True) as session:
            session.execute("CREATE SCHEMA evil")
            session.execute(TRAPS.format(schema="evil"))
            session.execute(TRAP_RELATIONS.format(schema="evil"))
        admin.execute("SET search_path = evil, public, pg_catalog")
        assert outcome(admin, "SELECT 'a'::pg_catalog.text = 'b'::pg_catalog.text") == "TRAP1"
        admin.execute("CREATE EXTENSION layra_state")
        admin.execute("SET search_path = pg_catalog")
        foreign = admin.execute(
            "SELECT pg_describe_object(d.refclassid, d.refobjid, 0) FROM pg_depend e"
            " JOIN pg_depend d ON (d.classid, d.objid) = (e.classid, e.objid)"
            " CROSS JOIN pg_identify_object(d.refclassid, d.refobjid, 0) o WHERE e.deptype = 'e' AND o.schema = 'evil'"
        ).fetchall()
        assert foreign == []
        for function in ("grant_access", "revoke_access", "check_access"):
            assert (
                value(admin, "SELECT proconfig::text FROM pg_proc WHERE proname = %s", function)
                == '{"search_path=pg_catalog, pg_temp"}'
            )
        admin.execute("SELECT layra.start_run('r'), layra.verify()")
        # He owns the database, and nothing in the schema.
        with psycopg.connect(conninfo, user=mallory, autocommit=True) as session:
            for attack in (
                "DROP EXTENSION layra_state", "ALTER EXTENSION layra_state UPDATE", "ALTER EXTENSION layra_state SET SCHEMA evil",
                "ALTER EXTENSION layra_state DROP TABLE layra.event", "ALTER EXTENSION layra_state ADD TABLE evil.event",
                "DROP SCHEMA layra CASCADE",
                "ALTER SCHEMA layra RENAME TO l", "ALTER SCHEMA layra OWNER TO CURRENT_USER", "CREATE TABLE layra.mine ()",
                "GRANT USAGE ON SCHEMA layra TO CURRENT_USER", "ALTER FUNCTION layra.owns OWNER TO CURRENT_USER",
                "CREATE OR REPLACE FUNCTION layra.owns(owner text) RETURNS boolean LANGUAGE sql AS 'SELECT true'",
                "SELECT layra.get_state('r')",
                "CREATE EVENT TRIGGER t ON ddl_command_end EXECUTE FUNCTION evil.f()",
                "REASSIGN OWNED BY postgres TO CURRENT_USER",
                "CREATE FUNCTION evil.c(text) RETURNS jsonb LANGUAGE c AS '$libdir/layra_state', 'get_state_wrapper'",
                f"ALTER DEFAULT PRIVILEGES FOR ROLE postgres GRANT ALL ON TABLES TO {mallory}",
            ):  # fmt: skip
                assert outcome(session, attack) == DENIED, attack
