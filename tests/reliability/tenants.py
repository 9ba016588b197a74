"""Roles of every kind, what they own, and a call of every function: the cast of the tests of privileges.

with furnished(dsn, role) as cast:
    cast["alice"]                                   # the name of alice's role
    cast.session("alice").execute("SELECT …")       # a login of hers
    cast.outcomes("bob", ["SELECT layra.get_state('alice')"])
"""

from collections import Counter
from contextlib import contextmanager
from functools import cache

import psycopg

# --- who ----------------------------------------------------------------------------------------------------------

# Who acts: a login each. dave has to SET ROLE for what carol inherits; `dave as team` has done so.
ROLES = {
    "team": "", "alice": "", "bob": "", "carol": "IN ROLE {team}", "dave": "NOINHERIT IN ROLE {team}", "audit": "", "boss": "",
    "gone": "", "bypass": "BYPASSRLS", "reader": "IN ROLE pg_read_all_data", "scribe": "IN ROLE pg_write_all_data",
    # A visitor has USAGE of the schema, and nothing else.
    "stranger": "", "visitor": "",
}  # fmt: skip
LEVELS = {
    "team": "writer", "alice": "writer", "bob": "writer", "carol": "writer", "dave": "writer", "bypass": "writer",
    "gone": "writer", "scribe": "writer", "audit": "auditor", "boss": "admin",
}  # fmt: skip
ACTORS = ("alice", "bob", "carol", "dave", "dave as team", "audit", "boss", "bypass", "scribe", "reader", "stranger", "visitor",
          "superuser")  # fmt: skip
# Whose the things are. `gone` was dropped while it owned them; what is shared is the admin's.
OWNERS = ("alice", "bob", "team", "gone", "boss")

# --- the calls ---------------------------------------------------------------------------------------------------------

# A value for each argument that has to be given, by its name; {o} is the owner, {r} the name of the owner's role.
ARGUMENTS = {
    "run_id": "'{o}'", "name": "'breaker of {o}'", "definition": "'{{}}'", "updates": "'{{\"v\": 1}}'", "value": "'1'",
    "names": "'{{v}}'", "state": "'{{}}'", "fields": "'{{}}'", "type": "'note'", "events": "'[{{\"type\": \"note\"}}]'",
    "label": "'kept'", "to_version": "1", "from_version": "1", "key": "'v'", "at": "pg_catalog.now()", "new_run_id": "'a fork'",
    "owner": "'{r}'", "node_id": "'new'", "node_ids": "'{{new}}'", "error": "'{{}}'", "attempt": "1", "lease": "'1 day'",
    "loop_id": "'l'", "interaction": "'{q}'", "idle": "'1 hour'", "workflow": "'own'", "type_pattern": "'note'",
    "function": "'public.handle(pg_catalog.text, bigint, pg_catalog.text, pg_catalog.jsonb)'", "schema": "'true'",
    "lines": "'{{}}'", "source": "'pg_catalog.pg_class'", "reason": "'audit'", "policy": "'{{\"drop\": true}}'",
    "heads": f"'[{{{{\"run_id\": \"{{o}}\", \"version\": 1, \"hash\": \"{'0' * 64}\"}}}}]'",
    "role": "'{r}'", "version": "1",
    "level": "'writer'",
}  # fmt: skip
# Where that does not do: another of the owner's runs, or another value.
WORKED, FAILED, ASKED = ({"run_id": f"'{{o}} {state}'"} for state in ("worked", "failed", "asked"))
HELD = WORKED | {"node_id": "'held'"}
EXCEPTIONS = {
    "set_variable": {"name": "'v'"}, "get_variable": {"name": "'v'"}, "define_workflow": {"name": "'own'"},
    "set_owner": {"owner": "current_user"}, "reopen_run": FAILED, "begin_node": WORKED, "heartbeat": HELD, "complete_node": HELD,
    "fail_node": HELD, "skip_nodes": WORKED, "reset_nodes": WORKED, "enter_loop": WORKED, "next_iteration": WORKED,
    "exit_loop": WORKED, "recover_run": WORKED, "resume_run": ASKED, "withdraw_interaction": ASKED, "verify": {},
    "remove_validator": {"name": "'rule'"},
    "add_validator": {"name": "'rule'", "function": "'public.rule(pg_catalog.text, pg_catalog.jsonb)'"},
    # Of roles that nobody else in this database is.
    "grant_access": {"role": "'{stranger}'"}, "revoke_access": {"role": "'{stranger}'"}, "check_access": {"role": "'{stranger}'"},
}  # fmt: skip


class Function:
    def __init__(self, name, volatile, arguments, required):
        self.name, self.changes, self.arguments, self.required = name, volatile, arguments, required

    def call(self, **names):
        values = ARGUMENTS | EXCEPTIONS.get(self.name, {})
        given = [argument for argument in self.arguments if argument in self.required or argument == "run_id"]
        return f"layra.{self.name}({', '.join(f'{argument} => {values[argument]}' for argument in given)})".format(**names)


@cache
def functions(connection):
    return [Function(*row) for row in connection.execute(
        "SELECT proname, provolatile = 'v', coalesce(proargnames[1:pronargs], '{}'),"
        " coalesce(proargnames[1:pronargs - pronargdefaults], '{}')"
        " FROM pg_proc WHERE pronamespace = 'layra'::regnamespace AND 'internal'::regtype <> ALL (proargtypes) ORDER BY proname"
    )]  # fmt: skip


@cache
def relations(connection, kinds="rv"):
    return [name for (name,) in connection.execute(
        "SELECT relname FROM pg_class WHERE relnamespace = 'layra'::regnamespace AND relkind = ANY (%s) ORDER BY 1", [list(kinds)]
    )]  # fmt: skip


@cache
def columns(connection, relation):
    return [name for (name,) in connection.execute(
        "SELECT attname FROM pg_attribute WHERE attrelid = ('layra.' || %s)::regclass AND attnum > 0 AND NOT attisdropped"
        " ORDER BY attnum", [relation],
    )]  # fmt: skip


# What a call gives, as whoever calls: "works" or the SQLSTATE, and all that an error says. What worked is taken back.
OUTCOME = """
    CREATE FUNCTION public.outcome(call text, OUT state text, OUT said text) LANGUAGE plpgsql AS $$
    DECLARE detail text; hint text;
    BEGIN
        EXECUTE call;
        RAISE EXCEPTION USING ERRCODE = 'WORKS';
    EXCEPTION WHEN OTHERS THEN
        GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
        state := CASE SQLSTATE WHEN 'WORKS' THEN 'works' ELSE SQLSTATE END;
        said := concat_ws(E'\\n', SQLERRM, detail, hint);
    END $$"""


class Cast:
    """The roles of the module's database by the names above, a session of each, and what they own."""

    def __init__(self, dsn, role):
        self.dsn = dsn
        self.admin = psycopg.connect(dsn, autocommit=True)
        self.roles = {}
        for name, options in ROLES.items():
            self.roles[name] = role(name, options.format(**self.roles))
        self.sessions = {"superuser": self.admin}
        self.questions = {}
        self.count = Counter()

    def __getitem__(self, name):
        return self.roles[name]

    def session(self, actor):
        if actor not in self.sessions:
            name, _, other = actor.partition(" as ")
            self.sessions[actor] = psycopg.connect(self.dsn, user=self[name], autocommit=True)
            if other:
                self.sessions[actor].execute(f"SET ROLE {self[other]}")
        return self.sessions[actor]

    def outcomes(self, actor, calls):
        """(what was given, what was said) by call, all in one go."""
        rows = self.session(actor).execute(
            "SELECT call, o.state, o.said FROM unnest(%s::text[]) call, public.outcome(call) o", [list(calls)]
        )
        return {call: (state, said) for call, state, said in rows}

    def names(self, owner):
        return self.roles | {"o": owner, "r": self[owner], "q": self.questions[owner]}

    def close(self):
        for session in self.sessions.values():
            session.close()


GRAPH = """{"nodes": [{"id": "held", "type": "code"}, {"id": "new", "type": "code"}, {"id": "l", "type": "loop"}], "edges": [],
            "global_variables": {"v": "%(o)s's secret"}, "context": {"held": ["%(o)s's secret"]}}"""


def furnish(cast, owner):
    """A run that runs, one that failed, one with a node and a loop at work, one with a question that waits; a workflow, an event
    type, breakers: under names that everybody has."""
    admin = cast.admin
    admin.execute(f"SET SESSION AUTHORIZATION {cast[owner]}")
    for state in ("", " failed", " worked", " asked"):
        run = owner + state
        admin.execute("SELECT layra.save_state(%s, %s, idempotency_key => 'first')", [run, GRAPH % {"o": owner}])
        admin.execute("SELECT layra.checkpoint(%s, 'kept')", [run])
        admin.execute("SELECT layra.append_event(%s, 'note', jsonb_build_object('x', %s::text), idempotency_key => %s)",
                      [run, f"{owner}'s secret", f"{owner}'s key"])  # fmt: skip
    # Keys that a fork keeps when its parent is gone.
    admin.execute("SELECT layra.fork_run(%s, %s), layra.drop_run(%s)", [owner, f"{owner} fork", owner])
    admin.execute("SELECT layra.fork_run(%s, %s)", [f"{owner} fork", owner])
    admin.execute("SELECT layra.checkpoint(%s, 'kept')", [owner])
    admin.execute("SELECT layra.finish_run(%s, 'failed')", [f"{owner} failed"])
    admin.execute("SELECT layra.begin_node(%s, 'held', 'w', '1 day'), layra.enter_loop(%s, 'l')", [f"{owner} worked"] * 2)
    (cast.questions[owner],) = admin.execute("SELECT layra.pause_run(%s, 'held')", [f"{owner} asked"]).fetchone()
    admin.execute("SELECT layra.define_workflow('own', %s)", [f'{{"secret": "{owner}\'s secret"}}'])
    for breaker in ("breaker", f"breaker of {owner}"):
        admin.execute("SELECT layra.define_breaker(%s)", [breaker])
        admin.execute("SELECT layra.breaker_failure(%s, to_jsonb(%s::text))", [breaker, f"{owner}'s secret"])
    admin.execute("SELECT layra.set_retention(%s)", ['{"drop": true}'])
    admin.execute("SELECT layra.define_event_type('typed', %s)", ["false" if owner in ("alice", "team") else "true"])
    admin.execute("RESET SESSION AUTHORIZATION")


@contextmanager
def furnished(dsn, role):
    """The cast with all its belongings, in a database with the extension."""
    cast = Cast(dsn, role)
    admin = cast.admin
    admin.execute(OUTCOME)
    for name, given in LEVELS.items():
        admin.execute("SELECT layra.grant_access(%s, %s)", [cast[name], given])
    admin.execute(f"GRANT USAGE ON SCHEMA layra TO {cast['visitor']}")
    admin.execute("CREATE FUNCTION public.handle(text, bigint, text, jsonb) RETURNS void LANGUAGE sql AS ''")
    admin.execute("CREATE FUNCTION public.rule(text, jsonb) RETURNS SETOF text LANGUAGE sql AS 'SELECT '''' WHERE false'")
    for owner in OWNERS:
        furnish(cast, owner)
    admin.execute(f"SET SESSION AUTHORIZATION {cast['boss']}")
    admin.execute("SELECT layra.define_workflow('shared', '{}', shared => true)")
    admin.execute("SELECT layra.define_event_type('shared', 'false', shared => true)")
    admin.execute("SELECT layra.on_event('of the admin', 'public.handle(text, bigint, text, jsonb)')")
    admin.execute("SELECT layra.add_validator('of the admin', 'rule', 'public.rule(text, jsonb)')")
    admin.execute("RESET SESSION AUTHORIZATION")
    admin.execute(f"DROP OWNED BY {cast['gone']}; DROP ROLE {cast['gone']}")
    try:
        yield cast
    finally:
        cast.close()
