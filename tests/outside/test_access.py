"""Who may do what: every function, table and view, for every kind of role, on every kind of run.

The cast: alice and bob write runs of their own. carol is a member of team, to which a run belongs, and so is dave, who
has to SET ROLE for it (NOINHERIT). audit reads everything, boss defines shared workflows, bypass has BYPASSRLS,
stranger was granted nothing. gone owned a run and was dropped.
"""

import itertools
import os

import psycopg
import pytest
from psycopg import sql
from test_plans import STATE, perform

DENIED = "42501"
NAMES = ("alice", "bob", "carol", "dave", "audit", "boss", "bypass", "stranger", "team", "gone")
OWNERS = ("alice", "bob", "team", "gone")


def runs_of(owner):
    """One that runs, one that failed, one with a node and a loop at work, one with a question that waits."""
    return {owner, f"{owner} failed", f"{owner} worked", f"{owner} asked"}


class Cast:
    """The roles of this module's database, by the names above, and a connection as each."""

    def __init__(self, dsn):
        self.dsn = dsn
        self.admin = psycopg.connect(dsn, autocommit=True)
        self.roles = {name: f"{name}_{os.getpid()}_access" for name in NAMES}
        self.connections = {}
        self.questions = {}

    def __getitem__(self, name):
        return self.roles[name]

    def connection(self, name):
        if name == "superuser":
            return self.admin
        if name not in self.connections:
            self.connections[name] = psycopg.connect(self.dsn, user=self.roles[name], autocommit=True)
        return self.connections[name]

    def close(self):
        for connection in self.connections.values():
            connection.close()
        for role in self.roles.values():
            if self.admin.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [role]).fetchone():
                self.admin.execute(sql.SQL("DROP OWNED BY {}").format(sql.Identifier(role)))
                self.admin.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(role)))
        self.admin.close()


@pytest.fixture(scope="module")
def cast(dsn):
    cast = Cast(dsn)
    options = {
        "team": "NOLOGIN", "carol": "LOGIN IN ROLE {team}", "dave": "LOGIN NOINHERIT IN ROLE {team}", "bypass": "LOGIN BYPASSRLS"
    }  # fmt: skip
    for name in ("team", *(name for name in NAMES if name != "team")):
        cast.admin.execute(f"CREATE ROLE {cast[name]} {options.get(name, 'LOGIN').format(**cast.roles)}")
    for name in ("alice", "bob", "carol", "dave", "bypass", "gone", "team"):
        cast.admin.execute("SELECT layra.grant_access(%s, 'writer')", [cast[name]])
    cast.admin.execute("SELECT layra.grant_access(%s, 'auditor')", [cast["audit"]])
    cast.admin.execute("SELECT layra.grant_access(%s, 'admin')", [cast["boss"]])
    cast.admin.execute(f"GRANT CREATE ON DATABASE {cast.admin.info.dbname} TO {cast['bob']}")
    for owner in OWNERS:
        cast.admin.execute(f"SET SESSION AUTHORIZATION {cast[owner]}")
        for run_id in (owner, f"{owner} failed"):
            cast.admin.execute("SELECT layra.save_state(%s, %s, idempotency_key => 'started')", [run_id, STATE])
            cast.admin.execute("SELECT layra.set_variable(%s, 'secret', %s)", [run_id, f'"the secret of {owner}"'])
            cast.admin.execute("SELECT layra.checkpoint(%s, 'kept')", [run_id])
            cast.admin.execute("SELECT layra.append_event(%s, 'note', '{}', idempotency_key => 'used')", [run_id])
        cast.admin.execute("SELECT layra.finish_run(%s, 'failed')", [f"{owner} failed"])
        graph = '{"nodes": [{"id": "held", "type": "code"}, {"id": "new", "type": "code"}, {"id": "l", "type": "loop"}], "edges": []}'
        for run_id in (f"{owner} worked", f"{owner} asked"):
            cast.admin.execute("SELECT layra.save_state(%s, %s)", [run_id, graph])
        cast.admin.execute("SELECT layra.begin_node(%s, 'held', 'w', '1 day')", [f"{owner} worked"])
        cast.admin.execute("SELECT layra.enter_loop(%s, 'l')", [f"{owner} worked"])
        (question,) = cast.admin.execute("SELECT layra.pause_run(%s, 'held')", [f"{owner} asked"]).fetchone()
        cast.questions[owner] = question
        cast.admin.execute("SELECT layra.define_workflow('own', %s)", [f'{{"by": "{owner}"}}'])
    cast.admin.execute(f"SET SESSION AUTHORIZATION {cast['alice']}")
    cast.admin.execute("SELECT layra.define_breaker('of alice')")
    cast.admin.execute("RESET SESSION AUTHORIZATION")
    cast.admin.execute(f"CREATE FUNCTION {HANDLER} RETURNS void LANGUAGE sql AS ''")
    cast.admin.execute(f"CREATE FUNCTION {RULE} RETURNS SETOF text LANGUAGE sql AS 'SELECT ''x'' WHERE false'")
    cast.admin.execute(f"DROP OWNED BY {cast['gone']}; DROP ROLE {cast['gone']}")
    yield cast
    cast.close()


def outcome(connection, query, *arguments):
    """'works' or the SQLSTATE; what works is taken back."""
    with connection.transaction(force_rollback=True):
        try:
            with connection.transaction():
                connection.execute(query, arguments).fetchall()
        except psycopg.Error as error:
            return error.sqlstate
    return "works"


# --- functions -------------------------------------------------------------------------------------------------

READS = {
    "get_variable": "layra.get_variable('{r}', 'secret')",
    "get_variables": "layra.get_variables('{r}')",
    "get_state": "layra.get_state('{r}')",
    "events": "layra.events('{r}')",
    "history": "layra.history('{r}', 'secret')",
    "diff": "layra.diff('{r}', 1)",
    "version_at": "layra.version_at('{r}', now())",
    "verify": "layra.verify('{r}')",
    "digest": "layra.digest('{r}')",
    "report": "layra.report('{r}')",
    "explain_run": "layra.explain_run('{r}')",
    "mermaid": "layra.mermaid('{r}')",
    "export_run": "layra.export_run('{r}')",
    # What the views are made of can be called, too.
    "cells": "layra.cells('{r}', 'variable')",
    "context": "layra.context('{r}')",
    "changed_cells": "layra.changed_cells('{r}', 1)",
    "undone_by": "layra.undone_by('{r}', 1)",
    "validate_run": "layra.validate_run('{r}')",
}
WRITES = {
    "set_variables": "layra.set_variables('{r}', '{{\"v\": 1}}')",
    "set_variables again": "layra.append_event('{r}', 'note', idempotency_key => 'used')",
    "try_set_variables": "layra.try_set_variables('{r}', '{{\"v\": 1}}')",
    "set_variable": "layra.set_variable('{r}', 'v', '1')",
    "unset_variables": "layra.unset_variables('{r}', '{{v}}')",
    "save_state": "layra.save_state('{r}', '{{}}')",
    "append_event": "layra.append_event('{r}', 'note')",
    "append_events": "layra.append_events('{r}', '[{{\"type\": \"note\"}}]')",
    "checkpoint": "layra.checkpoint('{r}')",
    "protect_checkpoint": "layra.protect_checkpoint('{r}', 'kept')",
    "rollback": "layra.rollback('{r}', 1)",
    "rollback_to": "layra.rollback_to('{r}', 'kept')",
    "finish_run": "layra.finish_run('{r}')",
    "cancel_run": "layra.cancel_run('{r}')",
    "reopen_run": "layra.reopen_run('{r} failed')",
    "drop_run": "layra.drop_run('{r}')",
    "hold_run": "layra.hold_run('{r} failed', 'audit')",
    "release_run": "layra.release_run('{r}')",
    "set_owner": "layra.set_owner('{r}', current_user)",
    "fork_run": "layra.fork_run('{r}', 'new fork')",
    "begin_node": "layra.begin_node('{r} worked', 'new')",
    "heartbeat": "layra.heartbeat('{r} worked', 'held', 1, '1 day')",
    "complete_node": "layra.complete_node('{r} worked', 'held')",
    "fail_node": "layra.fail_node('{r} worked', 'held', '{{}}')",
    "skip_nodes": "layra.skip_nodes('{r} worked', '{{new}}')",
    "reset_nodes": "layra.reset_nodes('{r} worked', '{{held}}')",
    "set_engine": "layra.set_engine('{r} worked', '{{}}')",
    "enter_loop": "layra.enter_loop('{r} worked', 'l')",
    "next_iteration": "layra.next_iteration('{r} worked', 'l')",
    "exit_loop": "layra.exit_loop('{r} worked', 'l')",
    "recover_run": "layra.recover_run('{r} worked')",
    "pause_run": "layra.pause_run('{r}', 'a')",
    "withdraw_interaction": "layra.withdraw_interaction('{r} asked', '{q}')",
    "resume_run": "layra.resume_run('{r} asked', '{q}')",
}
NOT_ON_A_RUN = {"define_workflow", "start_run", "grant_access", "revoke_access", "stale_runs", "define_breaker", "breaker_try",
                "breaker_success", "breaker_failure", "reset_breaker", "define_event_type", "add_validator", "remove_validator",
                "on_event", "off_event", "help", "heads", "verify_heads", "set_retention", "import_run", "import_lines"}  # fmt: skip
INTERNAL = {"owns", "reads_every_run", "reads_run", "reads_runs_of", "readable_owners", "owners_by_index", "check_access", "renew_grants",
            "breaker_state", "format_3", "remembered"}  # fmt: skip

ACTORS = ("alice", "bob", "carol", "dave", "audit", "boss", "bypass", "stranger", "superuser")
# Whose runs they have the privileges of.
OWN = {"alice": {"alice"}, "bob": {"bob"}, "carol": {"team"}, "superuser": set(OWNERS)}
READ_ALL = {"audit", "bypass", "superuser"}
CALL_NO_WRITES = {"audit", "stranger"}
CALL_NOTHING = {"stranger"}


def may_read(actor, owner):
    return actor not in CALL_NOTHING and (actor in READ_ALL or owner in OWN.get(actor, ()))


def may_write(actor, owner):
    return actor not in CALL_NO_WRITES and owner in OWN.get(actor, ())


@pytest.mark.parametrize("actor", ACTORS)
@pytest.mark.parametrize("owner", OWNERS)
def test_functions(cast, actor, owner):
    wrong = []
    for calls, allowed in ((READS, may_read(actor, owner)), (WRITES, may_write(actor, owner))):
        for name, call in calls.items():
            found = outcome(cast.connection(actor), f"SELECT * FROM {call.format(r=owner, q=cast.questions[owner])}")
            if found != ("works" if allowed else DENIED):
                wrong.append(f"{actor}, {name} on the run of {owner}: {found}")
    assert not wrong, "\n".join(wrong)


def test_every_function_is_in_the_tables_above(cast):
    functions = {name for (name,) in cast.admin.execute(
        "SELECT DISTINCT proname FROM pg_proc WHERE pronamespace = 'layra'::regnamespace AND prokind = 'f'"
    )}  # fmt: skip
    assert functions <= {*READS, *WRITES, *NOT_ON_A_RUN, *INTERNAL}


HANDLER = "public.handle(text, bigint, text, jsonb)"
RULE = "public.rule(text, jsonb)"


@pytest.mark.parametrize("actor", ACTORS)
def test_functions_on_no_run(cast, actor):
    connection = cast.connection(actor)
    writes = actor not in CALL_NO_WRITES
    expected = {
        "SELECT layra.start_run('a new run')": "works" if writes else DENIED,
        "SELECT layra.save_state('a new run', '{}')": "works" if writes else DENIED,
        "SELECT layra.define_workflow('w', '{}')": "works" if writes else DENIED,
        "SELECT layra.define_workflow('w', '{}', shared => true)": "works" if actor in ("boss", "superuser") else DENIED,
        "SELECT layra.define_breaker('b')": "works" if writes else DENIED,
        "SELECT layra.breaker_try('no such breaker')": "P0002" if writes else DENIED,
        "SELECT layra.breaker_try('of alice')": DENIED if not writes else "works" if actor in ("alice", "superuser") else "P0002",
        "SELECT layra.define_event_type('t', 'true')": "works" if writes else DENIED,
        "SELECT layra.define_event_type('t', 'true', shared => true)": "works" if actor in ("boss", "superuser") else DENIED,
        f"SELECT layra.on_event('t', '{HANDLER}')": "works" if actor in ("boss", "superuser") else DENIED,
        f"SELECT layra.off_event('t', '{HANDLER}')": "works" if actor in ("boss", "superuser") else DENIED,
        f"SELECT layra.add_validator('w', 'rule', '{RULE}')": "works" if actor in ("boss", "superuser") else DENIED,
        "SELECT layra.remove_validator('w', 'rule')": "works" if actor in ("boss", "superuser") else DENIED,
        "SELECT layra.stale_runs('1 hour')": DENIED if actor in CALL_NOTHING else "works",
        "SELECT layra.help()": DENIED if actor in CALL_NOTHING else "works",
        "SELECT layra.help('set_variable')": DENIED if actor in CALL_NOTHING else "works",
        "SELECT layra.help('no such function')": DENIED if actor in CALL_NOTHING else "P0002",
        "SELECT layra.heads()": DENIED if actor in CALL_NOTHING else "works",
        "SELECT layra.verify_heads('[]')": DENIED if actor in CALL_NOTHING else "works",
        "SELECT layra.import_run('{}')": "XX001" if actor in ("boss", "superuser") else DENIED,
        "SELECT layra.import_lines('pg_catalog.pg_class')": "22023" if actor in ("boss", "superuser") else DENIED,
        "SELECT layra.digest()": DENIED if actor in CALL_NOTHING else "works",
        "SELECT layra.set_variable('no such run', 'v', '1')": "P0002" if writes else DENIED,
        "SELECT layra.get_state('no such run')": DENIED if actor in CALL_NOTHING else "P0002",
        f"SELECT layra.grant_access('{cast['bob']}', 'admin')": "works" if actor == "superuser" else DENIED,
        f"SELECT layra.revoke_access('{cast['bob']}', 'writer')": "works" if actor == "superuser" else DENIED,
    }
    found = {query: outcome(connection, query) for query in expected}
    assert found == expected


@pytest.mark.parametrize("actor", ["bob", "boss", "bypass"])
def test_a_taken_name_is_taken_and_gives_nothing(cast, actor):
    """Not even with the key that its owner used."""
    connection = cast.connection(actor)
    with connection.transaction(force_rollback=True):
        connection.execute("SELECT layra.start_run('own')")
        for key in ("", ", idempotency_key => 'used'", ", idempotency_key => 'started'"):
            assert outcome(connection, f"SELECT layra.start_run('alice'{key})") == "23505"
            assert outcome(connection, f"SELECT layra.fork_run('own', 'alice'{key})") == "23505"


@pytest.mark.parametrize("actor", ACTORS)
def test_verify_of_all_runs_covers_those_one_may_read(cast, actor):
    """A fault in alice's run: whoever may read it is told, nobody else learns that there is such a run."""
    connection = cast.connection(actor)
    if actor in CALL_NOTHING:
        assert outcome(connection, "SELECT * FROM layra.verify()") == DENIED
        return
    # A superuser changes something, becomes the actor in the same transaction, and takes it back.
    with cast.admin.transaction(force_rollback=True):
        cast.admin.execute("UPDATE layra.event SET actor = 'somebody else' WHERE run_id = 'alice' AND version = 2")
        if actor != "superuser":
            cast.admin.execute(f"SET LOCAL ROLE {cast[actor]}")
        found = {run_id for (run_id,) in cast.admin.execute("SELECT run_id FROM layra.verify()")}
    assert found == ({"alice"} if may_read(actor, "alice") else set())


@pytest.mark.parametrize("actor", [actor for actor in ACTORS if actor not in CALL_NOTHING])
def test_stale_runs_are_those_one_may_read(cast, actor):
    with cast.admin.transaction(force_rollback=True):
        cast.admin.execute("SET LOCAL layra.now = '2100-01-01 00:00:00+00'")
        if actor != "superuser":
            cast.admin.execute(f"SET LOCAL ROLE {cast[actor]}")
        found = {run_id for (run_id,) in cast.admin.execute("SELECT run_id FROM layra.stale_runs('1 hour')")}
    running = {run_id for owner in OWNERS for run_id in (owner, f"{owner} worked")}
    assert found == {run_id for run_id in running if may_read(actor, run_id.split()[0])}


def test_set_role_gives_what_noinherit_withholds(cast):
    dave = cast.connection("dave")
    with dave.transaction(force_rollback=True):
        dave.execute(f"SET LOCAL ROLE {cast['team']}")
        dave.execute("SELECT layra.append_event('team', 'note')")
        assert dave.execute("SELECT DISTINCT run_id FROM layra.event ORDER BY 1").fetchall() == [
            (run_id,) for run_id in sorted(runs_of("team"))
        ]
    assert outcome(dave, "SELECT layra.append_event('team', 'note')") == DENIED


# --- tables and views ------------------------------------------------------------------------------------------


def relations(connection, kinds="rv"):
    return [name for (name,) in connection.execute(
        "SELECT relname FROM pg_class WHERE relnamespace = 'layra'::regnamespace AND relkind = ANY (%s) ORDER BY 1",
        [list(kinds)],
    )]  # fmt: skip


def has_run_id(connection, relation):
    return connection.execute(
        "SELECT count(*) FROM pg_attribute WHERE attrelid = ('layra.' || %s)::regclass AND attname = 'run_id'", [relation]
    ).fetchone() == (1,)


@pytest.mark.parametrize("actor", ACTORS)
def test_rows_of_runs(cast, actor):
    """In every table and view that has runs: those that one may read, and all of them."""
    connection = cast.connection(actor)
    seen = 0
    for relation in relations(cast.admin):
        query = f"SELECT DISTINCT run_id FROM layra.{relation}"
        if actor in CALL_NOTHING:
            assert outcome(connection, f"SELECT FROM layra.{relation}") == DENIED
        elif has_run_id(cast.admin, relation):
            there = {run_id for (run_id,) in cast.admin.execute(query)}
            found = {run_id for (run_id,) in connection.execute(query)}
            assert found == {run_id for run_id in there if may_read(actor, run_id.split()[0])}, relation
            seen += len(found)
    assert seen > 0 or actor in ("stranger", "boss", "dave")


def test_views_show_what_they_promise(cast):
    """One look at each view as an ordinary role."""
    alice = cast.connection("alice")

    def rows(query):
        return alice.execute(query).fetchall()

    assert rows("SELECT run_id, status, version FROM layra.runs ORDER BY 1") == [
        ("alice", "running", 4), ("alice asked", "paused", 2), ("alice failed", "failed", 5), ("alice worked", "running", 3),
    ]  # fmt: skip
    assert rows("SELECT run_id, node_id FROM layra.interactions") == [("alice asked", "held")]
    assert rows("SELECT name, value, version FROM layra.variables WHERE run_id = 'alice' ORDER BY 1") == [
        ("secret", "the secret of alice", 2), ("v", 1, 1), ("w", {"x": 1}, 1),
    ]  # fmt: skip
    assert rows("SELECT node_id, status FROM layra.nodes WHERE run_id = 'alice' ORDER BY 1") == [
        ("a", "completed"), ("b", "running"),
    ]  # fmt: skip
    assert len(rows("SELECT FROM layra.loops WHERE run_id = 'alice'")) == 1
    assert rows("SELECT value FROM layra.contexts WHERE run_id = 'alice' ORDER BY ordinal") == [(1,), (2,), (3,)]
    assert len(rows("SELECT FROM layra.timeline WHERE run_id = 'alice'")) == 4


@pytest.mark.parametrize("actor", ["alice", "audit", "boss", "bypass", "stranger"])
def test_nobody_changes_a_table(cast, actor):
    connection = cast.connection(actor)
    tables = relations(cast.admin, "r")
    assert len(tables) >= 6
    for table in tables:
        (column,) = cast.admin.execute(
            "SELECT attname FROM pg_attribute WHERE attrelid = ('layra.' || %s)::regclass AND attnum = 1", [table]
        ).fetchone()
        for statement in (
            f"INSERT INTO layra.{table} SELECT * FROM layra.{table}",
            f"INSERT INTO layra.{table} DEFAULT VALUES",
            f"UPDATE layra.{table} SET {column} = {column}",
            f"DELETE FROM layra.{table}",
            f"TRUNCATE layra.{table}",
            f"SELECT * FROM layra.{table} FOR UPDATE",
            f"LOCK TABLE layra.{table} IN EXCLUSIVE MODE",
            f"ALTER TABLE layra.{table} DISABLE ROW LEVEL SECURITY",
            f"DROP TABLE layra.{table}",
            f"CREATE TRIGGER t BEFORE INSERT ON layra.{table} EXECUTE FUNCTION suppress_redundant_updates_trigger()",
            f"CREATE INDEX ON layra.{table} ({column})",
        ):
            assert outcome(connection, statement) == DENIED, statement
    for statement in ("CREATE TABLE layra.mine ()", "CREATE FUNCTION layra.f() RETURNS int LANGUAGE sql AS 'SELECT 1'"):
        assert outcome(connection, statement) == DENIED, statement


def test_nothing_is_granted_to_public(cast):
    granted = cast.admin.execute(
        "SELECT 'schema', nspname::text, privilege_type FROM pg_namespace, aclexplode(coalesce(nspacl, acldefault('n', nspowner)))"
        "  WHERE nspname = 'layra' AND grantee = 0"
        " UNION ALL SELECT 'table', relname::text, privilege_type FROM pg_class,"
        "  aclexplode(coalesce(relacl, acldefault('r', relowner))) WHERE relnamespace = 'layra'::regnamespace AND grantee = 0"
        "  AND relkind IN ('r', 'v')"
        " UNION ALL SELECT 'function', proname::text, privilege_type FROM pg_proc,"
        "  aclexplode(coalesce(proacl, acldefault('f', proowner))) WHERE pronamespace = 'layra'::regnamespace AND grantee = 0"
    ).fetchall()
    assert granted == []


def test_every_table_has_row_security_and_every_view_the_callers_rights(cast):
    bare = cast.admin.execute(
        "SELECT relname FROM pg_class WHERE relnamespace = 'layra'::regnamespace AND"
        " (relkind = 'r' AND NOT relrowsecurity OR relkind = 'v' AND NOT"
        "  coalesce(reloptions::text LIKE '%security_invoker%', false))"
    ).fetchall()
    assert bare == []


@pytest.mark.parametrize("relation", ["run", "event", "cell", "checkpoint", "workflow", "graph", "runs", "timeline", "changes", "variables",
                                      "contexts"])  # fmt: skip
def test_a_spying_condition_sees_no_foreign_row(cast, relation):
    """A cheap function in WHERE is tried first on every row, unless row security comes before it."""
    bob = cast.connection("bob")
    bob.execute("CREATE SCHEMA IF NOT EXISTS spy")
    with bob.transaction(force_rollback=True):
        bob.execute(
            "CREATE FUNCTION spy.look(text) RETURNS boolean LANGUAGE plpgsql COST 0.0000001 AS"
            " $$ BEGIN RAISE NOTICE 'saw %', $1; RETURN true; END $$"
        )
        seen = []

        def listen(notice):
            seen.append(notice.message_primary)

        bob.add_notice_handler(listen)
        bob.execute(f"SELECT count(*) FROM layra.{relation} r WHERE spy.look(r::text)").fetchall()
        bob.remove_notice_handler(listen)
    assert seen
    assert not [message for message in seen if "alice" in message or "the secret of" in message.replace("of bob", "")]


# --- owners ----------------------------------------------------------------------------------------------------


def test_a_run_goes_only_to_a_role_that_one_can_become(cast):
    alice, carol = cast.connection("alice"), cast.connection("carol")
    assert outcome(alice, f"SELECT layra.set_owner('alice', '{cast['bob']}')") == DENIED
    assert outcome(carol, f"SELECT layra.set_owner('team', '{cast['carol']}')") == "works"
    with carol.transaction(force_rollback=True):
        carol.execute("SELECT layra.start_run('of carol')")
        carol.execute("SELECT layra.set_owner('of carol', %s)", [cast["team"]])
        assert carol.execute("SELECT owner FROM layra.run WHERE run_id = 'of carol'").fetchone() == (cast["team"],)


def test_a_run_given_away_is_gone(cast):
    with cast.admin.transaction(force_rollback=True):
        cast.admin.execute("SELECT layra.set_owner('alice', %s)", [cast["bob"]])
        for name, expected in (("alice", DENIED), ("bob", "works")):
            cast.admin.execute(f"SET LOCAL ROLE {cast[name]}")
            for call in (*READS.values(), *WRITES.values()):
                if "{r} " not in call and "set_owner" not in call:
                    assert outcome(cast.admin, f"SELECT * FROM {call.format(r='alice', q=cast.questions['alice'])}") == expected, call
            count = 1 if name == "bob" else 0
            assert cast.admin.execute("SELECT count(*) FROM layra.run WHERE run_id = 'alice'").fetchone() == (count,)
            cast.admin.execute("RESET ROLE")


def test_a_dropped_owner_stops_nobody(cast):
    """The run of a role that is gone: no error for anybody who reads his own, and a superuser can hand it on."""
    assert cast.admin.execute("SELECT owner FROM layra.run WHERE run_id = 'gone'").fetchone() == (cast["gone"],)
    with cast.admin.transaction(force_rollback=True):
        cast.admin.execute("SELECT layra.append_event('gone', 'note')")
        cast.admin.execute("SELECT layra.set_owner('gone', %s)", [cast["bob"]])
        cast.admin.execute(f"SET LOCAL ROLE {cast['bob']}")
        cast.admin.execute("SELECT layra.append_event('gone', 'mine now')")
    assert cast.admin.execute("SELECT * FROM layra.verify('gone')").fetchall() == []


# --- workflows -------------------------------------------------------------------------------------------------


def test_workflows_of_others_are_neither_seen_nor_used(cast):
    alice, bob = cast.connection("alice"), cast.connection("bob")
    alice.execute("SELECT layra.define_workflow('private', '{\"of\": \"alice\"}')")
    assert outcome(bob, "SELECT layra.start_run('r', 'private')") == "P0002"
    assert outcome(alice, "SELECT layra.start_run('r', 'private')") == "works"
    for name, expected in (("alice", {"alice"}), ("bob", {"bob"}), ("carol", {"team"}), ("audit", set(OWNERS))):
        found = {by for (by,) in cast.connection(name).execute(
            "SELECT definition ->> 'by' FROM layra.workflow WHERE name = 'own'"
        )}  # fmt: skip
        assert found == expected, name


def test_names_of_workflows_are_ones_own(cast):
    """The same name, another definition: each uses his own, in versions that count for himself."""
    alice, bob = cast.connection("alice"), cast.connection("bob")
    with bob.transaction(force_rollback=True):
        assert bob.execute("SELECT layra.define_workflow('own', '{\"second\": true}')").fetchone() == (2,)
        assert outcome(bob, "SELECT layra.start_run('r', 'own', workflow_version => 2)") == "works"
        assert outcome(alice, "SELECT layra.start_run('r', 'own', workflow_version => 2)") == "P0002"


def test_shared_workflows_serve_everybody_and_ones_own_come_first(cast):
    boss, alice, audit = cast.connection("boss"), cast.connection("alice"), cast.connection("audit")
    boss.execute("SELECT layra.define_workflow('common', '{\"variables\": {\"v\": {\"default\": \"shared\"}}}', shared => true)")
    assert alice.execute("SELECT count(*) FROM layra.workflow WHERE name = 'common'").fetchone() == (1,)
    assert audit.execute("SELECT count(*) FROM layra.workflow WHERE name = 'common'").fetchone() == (1,)
    with alice.transaction(force_rollback=True):
        alice.execute("SELECT layra.start_run('with shared', 'common')")
        alice.execute("SELECT layra.define_workflow('common', '{\"variables\": {\"v\": {\"default\": \"mine\"}}}')")
        alice.execute("SELECT layra.start_run('with own', 'common')")
        values = alice.execute("SELECT layra.get_variable('with shared', 'v'), layra.get_variable('with own', 'v')").fetchone()
        assert values == ("shared", "mine")
        # The run keeps what it started with.
        alice.execute("SELECT layra.set_variable('with shared', 'v', '1')")
        assert alice.execute("SELECT layra.get_state('with shared')").fetchone()[0]["global_variables"] == {"v": 1}


# --- levels ----------------------------------------------------------------------------------------------------


@pytest.fixture
def newcomer(cast, role):
    """A role without any level; what it gets goes with it."""
    return role("newcomer")


def grant(cast, name, *levels):
    for level in levels:
        cast.admin.execute("SELECT layra.grant_access(%s, %s)", [name, level])


def test_levels_come_and_go(cast, connect, newcomer):
    session = connect(role=newcomer)
    write, read = "SELECT layra.start_run('of the newcomer')", "SELECT layra.get_state('alice')"

    def outcomes():
        return outcome(session, write), outcome(session, read)

    assert outcomes() == (DENIED, DENIED)
    grant(cast, newcomer, "writer", "writer")
    assert outcomes() == ("works", DENIED)
    grant(cast, newcomer, "auditor")
    assert outcomes() == ("works", "works")
    cast.admin.execute("SELECT layra.revoke_access(%s, 'writer')", [newcomer])
    assert outcomes() == (DENIED, "works")
    cast.admin.execute("SELECT layra.revoke_access(%s, 'writer')", [newcomer])
    assert outcomes() == (DENIED, "works")
    cast.admin.execute("SELECT layra.revoke_access(%s, 'auditor')", [newcomer])
    assert outcomes() == (DENIED, DENIED)
    assert cast.admin.execute("SELECT count(*) FROM layra.access WHERE role = %s", [newcomer]).fetchone() == (0,)


def test_a_level_of_a_group_is_its_members(cast, connect, role):
    group = role("group")
    member = connect(role=role("member", f"IN ROLE {group}"))
    assert outcome(member, "SELECT layra.get_state('alice')") == DENIED
    grant(cast, group, "auditor")
    assert outcome(member, "SELECT layra.get_state('alice')") == "works"
    assert member.execute("SELECT count(*) > 3 FROM layra.run").fetchone() == (True,)
    cast.admin.execute("SELECT layra.revoke_access(%s, 'auditor')", [group])


def test_levels_of_dropped_roles_are_in_nobodys_way(cast, connect, role):
    doomed, newcomer = role("doomed"), role("newcomer")
    grant(cast, doomed, "auditor")
    cast.admin.execute(f"DROP OWNED BY {doomed}; DROP ROLE {doomed}")
    grant(cast, newcomer, "writer")
    session = connect(role=newcomer)
    assert outcome(session, "SELECT layra.start_run('r')") == "works"
    assert session.execute("SELECT count(*) FROM layra.run").fetchone() == (0,)
    cast.admin.execute("SELECT layra.revoke_access(%s, 'writer')", [newcomer])
    # And the rest of it can be cleared away.
    cast.admin.execute("SELECT layra.revoke_access(%s, 'auditor')", [doomed])
    assert cast.admin.execute("SELECT count(*) FROM layra.access WHERE role = %s", [doomed]).fetchone() == (0,)


def test_a_role_with_an_odd_name(cast, connect, role):
    name = role('Ödd "name"; DROP TABLE x; --')
    grant(cast, name, "writer")
    session = connect(role=name)
    assert session.execute("SELECT layra.start_run('odd')").fetchone() == (1,)
    assert session.execute("SELECT owner FROM layra.run").fetchall() == [(name,)]
    assert session.execute("SELECT actor FROM layra.event").fetchall() == [(name,)]
    session.execute("SELECT layra.drop_run('odd')")
    cast.admin.execute("SELECT layra.revoke_access(%s, 'writer')", [name])


# --- who it was ------------------------------------------------------------------------------------------------


def last_event(connection, run_id):
    return connection.execute(
        "SELECT actor, on_behalf_of FROM layra.event WHERE run_id = %s ORDER BY version DESC LIMIT 1", [run_id]
    ).fetchone()


def test_actor_is_the_role_and_on_behalf_of_the_claim(cast):
    alice = cast.connection("alice")
    with alice.transaction(force_rollback=True):
        alice.execute("SELECT layra.append_event('alice', 'note')")
        assert last_event(alice, "alice") == (cast["alice"], None)
        alice.execute("SELECT set_config('layra.actor', 'mary@example.org', true)")
        alice.execute("SELECT layra.append_event('alice', 'note')")
        assert last_event(alice, "alice") == (cast["alice"], "mary@example.org")
    with alice.transaction(force_rollback=True):
        # The claim went with its transaction.
        alice.execute("SELECT layra.append_event('alice', 'note')")
        assert last_event(alice, "alice") == (cast["alice"], None)


def test_a_claim_of_another_role_gives_no_rights(cast):
    bob = cast.connection("bob")
    with bob.transaction(force_rollback=True):
        bob.execute("SELECT set_config('layra.actor', %s, true)", [cast["alice"]])
        assert outcome(bob, "SELECT layra.get_state('alice')") == DENIED


def test_set_local_role_for_applications_with_many_users(cast, connect, role):
    """One login for the application, which becomes the user for each transaction."""
    application = role("application", f"NOINHERIT IN ROLE {cast['alice']}, {cast['bob']}")
    session = connect(role=application)
    assert outcome(session, "SELECT layra.get_state('alice')") == DENIED
    for name, other in (("alice", "bob"), ("bob", "alice")):
        with session.transaction(force_rollback=True):
            session.execute(f"SET LOCAL ROLE {cast[name]}")
            session.execute("SELECT layra.append_event(%s, 'note')", [name])
            assert last_event(session, name) == (cast[name], None)
            session.execute("SELECT layra.start_run('new')")
            assert session.execute("SELECT owner FROM layra.run WHERE run_id = 'new'").fetchone() == (cast[name],)
            assert outcome(session, f"SELECT layra.get_state('{other}')") == DENIED
            found = {run_id for (run_id,) in session.execute("SELECT run_id FROM layra.run")}
            assert found == runs_of(name) | {"new"}
    assert outcome(session, "SELECT layra.get_state('alice')") == DENIED


def test_security_definer_acts_as_its_owner(cast):
    """A function of alice's that others may call writes her run, under her name; one of bob's gains nothing when she
    calls it."""
    with cast.admin.transaction(force_rollback=True):
        cast.admin.execute("CREATE SCHEMA definer")
        for name in ("alice", "bob"):
            cast.admin.execute(
                f"CREATE FUNCTION definer.by_{name}(run_id text) RETURNS bigint SECURITY DEFINER LANGUAGE plpgsql AS"
                " $$ BEGIN RETURN layra.append_event(run_id, 'from afar'); END $$;"
                f" ALTER FUNCTION definer.by_{name} OWNER TO {cast[name]}"
            )
        cast.admin.execute("GRANT USAGE ON SCHEMA definer TO PUBLIC")
        cast.admin.execute(f"SET LOCAL ROLE {cast['bob']}")
        assert outcome(cast.admin, "SELECT definer.by_alice('bob')") == DENIED
        cast.admin.execute("SELECT definer.by_alice('alice')")
        assert outcome(cast.admin, "SELECT layra.append_event('alice', 'note')") == DENIED
        cast.admin.execute(f"SET LOCAL ROLE {cast['alice']}")
        assert last_event(cast.admin, "alice") == (cast["alice"], None)
        assert outcome(cast.admin, "SELECT definer.by_bob('alice')") == DENIED
        # A stranger, who has no level himself, may call it as well.
        cast.admin.execute(f"SET LOCAL ROLE {cast['stranger']}")
        cast.admin.execute("SELECT definer.by_alice('alice')")
        assert outcome(cast.admin, "SELECT layra.append_event('alice', 'note')") == DENIED


def test_the_user_is_the_same_after_every_call(cast):
    """The functions act as the tables' owner inside: not a trace of that outside, also after errors."""
    alice = cast.connection("alice")
    for run_id, call in itertools.product(("alice", "bob"), (*READS.values(), *WRITES.values())):
        with alice.transaction(force_rollback=True):
            try:
                with alice.transaction():
                    found = alice.execute(f"SELECT current_user, count(x), current_user FROM {call.format(r=run_id, q=cast.questions[run_id])} x")
                    found = found.fetchone()
            except psycopg.Error:
                found = None
            assert found is None or found[0] == found[2] == cast["alice"]
            state = alice.execute(
                "SELECT current_user, session_user, current_setting('enable_seqscan'), current_setting('enable_sort'),"
                " current_setting('enable_bitmapscan'), current_setting('row_security')"
            ).fetchone()
            assert state == (cast["alice"], cast["alice"], "on", "on", "on", "on")


def test_row_security_holds_inside_one_statement_with_calls(cast):
    """While a function returns its rows one by one, the query around it is still the caller's."""
    alice = cast.connection("alice")
    rows = alice.execute(
        "SELECT current_user, (SELECT count(*) FROM layra.run r WHERE r.run_id = 'bob') FROM layra.events('alice') e"
    ).fetchall()
    assert rows == [(cast["alice"], 0)] * 4


# --- settings --------------------------------------------------------------------------------------------------


def test_now_is_for_superusers(cast, connect, role):
    name = role("clock")
    grant(cast, name, "writer")
    session = connect(role=name)
    # Before the library is loaded in this session the name is a placeholder, which has no effect.
    session.execute("SET layra.now = '2099-01-01 00:00:00+00'")
    session.execute("SELECT layra.start_run('clock')")
    assert session.execute("SELECT at < '2099-01-01' FROM layra.event").fetchall() == [(True,)]
    # Now it is loaded.
    for statement in ("SET layra.now = '2099-01-01 00:00:00+00'", "SELECT set_config('layra.now', '2099-01-01', true)"):
        assert outcome(session, statement) == DENIED
    session.execute("SELECT layra.drop_run('clock')")
    cast.admin.execute("SELECT layra.revoke_access(%s, 'writer')", [name])


def test_now_sets_the_clock_which_never_goes_back(cast):
    with cast.admin.transaction(force_rollback=True):
        times = []
        for now in ("2090-01-01 00:00:00+00", "2091-01-01 00:00:00+00", "2080-01-01 00:00:00+00"):
            cast.admin.execute("SELECT set_config('layra.now', %s, true)", [now])
            cast.admin.execute("SELECT layra.save_state('clock', '{}')")
            times.append(cast.admin.execute(
                "SELECT extract(year FROM max(at) AT TIME ZONE 'UTC')::int FROM layra.event WHERE run_id = 'clock'"
            ).fetchone()[0])  # fmt: skip
        assert times == [2090, 2091, 2091]
        versions = [cast.admin.execute("SELECT layra.version_at('clock', %s)", [at]).fetchone()[0]
                    for at in ("2089-12-31", "2090-06-01", "2095-01-01")]  # fmt: skip
        assert versions == [None, 1, 3]


# --- hostile surroundings --------------------------------------------------------------------------------------

# What our statements use, shadowed by versions that give the attack away.
OPERATORS = ["=", "<", "<=", ">", ">=", "<>", "||", "->", "->>", "#>", "#>>", "+", "-", "!~~", "~~"]
OPERANDS = [("text", "text"), ("int8", "int8"), ("int8", "int4"), ("int4", "int4"), ("jsonb", "text"), ("jsonb", "jsonb"),
            ("bytea", "bytea"), ("timestamptz", "timestamptz"), ("name", "name"), ("text", "text[]"), ("bool", "bool"),
            ("jsonb", "text[]"), ("name", "text")]  # fmt: skip
FUNCTIONS = ["now()", "clock_timestamp()", "unnest(anyarray)", "unnest(text[])", "unnest(text[], text[])", "count(text)",
             "generate_series(int8, int8)", "coalesce_(text)", "concat(text)", "concat_ws(text, text)", "jsonb_build_object()",
             "array_agg(text)", "owns(text)", "reads_every_run()", "reads_run(text)", "reads_runs_of(text)", "readable_owners()", "cells(text, text)", "octet_length(bytea)", "max(int8)",
             "pg_current_xact_id()", "append_event(text, text)"]  # fmt: skip


@pytest.fixture
def hostile(cast):
    """bob's session, with a schema of traps in front of everything else."""
    bob = psycopg.connect(cast.dsn, user=cast["bob"], autocommit=True)
    bob.execute("CREATE SCHEMA evil")
    trap = "LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'trapped as %', current_user USING ERRCODE = 'TRAP1'; END $$"
    for number, (operator, (left, right)) in enumerate(itertools.product(OPERATORS, OPERANDS)):
        bob.execute(f"CREATE FUNCTION evil.trap_{number}(pg_catalog.{left}, pg_catalog.{right}) RETURNS bool {trap}")
        bob.execute(
            f"CREATE OPERATOR evil.{operator} (LEFTARG = pg_catalog.{left}, RIGHTARG = pg_catalog.{right},"
            f" FUNCTION = evil.trap_{number})"
        )
    for function in FUNCTIONS:
        result = "anyelement" if "any" in function else "pg_catalog.text"
        bob.execute(f"CREATE FUNCTION evil.{function} RETURNS {result} {trap}")
    for table in (*relations(cast.admin, "r"), "pg_class", "pg_roles", "pg_proc", "pg_namespace"):
        bob.execute(f"CREATE TABLE evil.{table} (run_id pg_catalog.text, role pg_catalog.name, oid pg_catalog.oid)")
    for domain in ("jsonb", "int8", "timestamptz", "regnamespace"):
        bob.execute(f"CREATE DOMAIN evil.{domain} AS pg_catalog.text CHECK (false)")
    bob.execute("SET search_path = evil, layra, pg_catalog, public")
    yield bob
    bob.execute("RESET search_path")
    bob.execute("DROP SCHEMA evil CASCADE")
    bob.close()


def test_a_hostile_search_path_changes_nothing(cast, hostile):
    assert outcome(hostile, "SELECT 'a'::pg_catalog.text = 'b'::pg_catalog.text") == "TRAP1"
    calls = [call for calls in (READS, WRITES) for call in calls.values()]
    for call in calls:
        found = outcome(hostile, f"SELECT * FROM {call.format(r='bob', q=cast.questions['bob']).replace('now()', 'pg_catalog.now()')}")
        assert found == "works", call
        assert outcome(hostile, f"SELECT * FROM {call.format(r='alice', q=cast.questions['alice']).replace('now()', 'pg_catalog.now()')}") == DENIED, call
    for view in (view for view in relations(cast.admin, "v") if has_run_id(cast.admin, view)):
        # The condition is the attacker's own; the view and its row security are not.
        hostile.execute(f"SELECT run_id FROM layra.{view} WHERE run_id OPERATOR(pg_catalog.=) 'bob'").fetchall()


def test_a_hostile_search_path_does_not_reach_superusers(cast, hostile):
    """A superuser who works with the attacker's schema in his path."""
    with cast.admin.transaction(force_rollback=True):
        cast.admin.execute("SET LOCAL search_path = evil, layra, pg_catalog, public")
        cast.admin.execute("SELECT layra.grant_access(%s, 'auditor')", [cast["bob"]])
        cast.admin.execute("SELECT layra.revoke_access(%s, 'auditor')", [cast["bob"]])
        workload = ["define_workflow('of an admin', '{{}}', shared => true)", "start_run('{r}', 'of an admin')",
                    "set_variables('{r}', '{{\"v\": 1}}')", "rollback('{r}', 1)", "fork_run('{r}', '{r} fork')", "verify()",
                    "drop_run('{r}')"]  # fmt: skip
        perform(cast.admin, "hostile", workload)
        cast.admin.execute("SELECT run_id FROM layra.timeline").fetchall()


def test_temporary_tables_are_not_taken_for_ours(cast):
    alice = psycopg.connect(cast.dsn, user=cast["alice"], autocommit=True)
    with alice:
        alice.execute("SET search_path = pg_temp, layra, public")
        for table in relations(cast.admin, "r"):
            alice.execute(f"CREATE TEMP TABLE {table} (run_id text, version bigint)")
        for call in (*READS.values(), *WRITES.values()):
            assert outcome(alice, f"SELECT * FROM {call.format(r='alice', q=cast.questions['alice'])}") == "works", call
