"""A database with something of everything in it, a fingerprint of all that it holds and lets roles do, and writes of each kind.

    fill(connection)                    # an empty database, as superuser; makes the roles that are not there
    before = fingerprint(connection)
    …
    assert differences(before, fingerprint(copy)) == {}
    write(copy)                         # every function that changes something, each as the role that may
"""

import json
from contextlib import contextmanager
from pathlib import Path

import psycopg
from psycopg import sql

RECORDING = Path(__file__).parent.parent / "data" / "layra-trace.jsonl"

# The clock while the database is filled, and when it is looked at: some leases have run out by then, some have not.
FILLED = "2026-01-05 09:00:00+00"
LOOKED_AT = "2026-01-05 10:00:00+00"

ROLES = {
    "alice": "LOGIN",
    "bob": "LOGIN",
    "team": "NOLOGIN",
    "carol": "LOGIN IN ROLE team",
    "dave": "LOGIN NOINHERIT IN ROLE team",
    "audit": "LOGIN",
    "boss": "LOGIN",
    "chief": "LOGIN",
    "backup": "LOGIN BYPASSRLS",
    "stranger": "LOGIN",
}
LEVELS = [
    ("alice", "writer"), ("bob", "writer"), ("team", "writer"), ("gone", "writer"), ("audit", "auditor"), ("boss", "admin"),
    ("chief", "admin"), ("chief", "auditor"), ("backup", "auditor"),
]  # fmt: skip

# What handlers and validators call. These objects are the users', not the extension's.
FUNCTIONS = """
    CREATE TABLE public.archive (line jsonb); CREATE TABLE public.other_archive (line jsonb);
    GRANT SELECT, INSERT ON public.archive, public.other_archive TO PUBLIC;
    CREATE TABLE public.outbox (run_id text, version bigint, type text);
    GRANT SELECT, INSERT ON public.outbox TO PUBLIC;
    CREATE FUNCTION public.to_outbox(run_id text, version bigint, type text, payload jsonb) RETURNS void LANGUAGE sql
        AS 'INSERT INTO public.outbox VALUES ($1, $2, $3)';
    CREATE FUNCTION public.check_total(run_id text, state jsonb) RETURNS SETOF text LANGUAGE sql
        AS $$ SELECT 'below zero' WHERE (state #>> '{global_variables,total}')::numeric < 0 $$;
"""

ORDERS = {
    "nodes": [
        {"id": "check", "type": "code"}, {"id": "pay", "type": "http"}, {"id": "ship", "type": "code"},
        {"id": "lines", "type": "loop", "data": {"maxCount": 5}}, {"id": "pack", "type": "code"},
    ],
    "edges": [
        {"source": "check", "target": "pay"}, {"source": "pay", "target": "lines"},
        {"source": "lines", "target": "pack", "sourceHandle": "loop_body"},
        {"source": "pack", "target": "lines", "sourceHandle": "loop_next"}, {"source": "lines", "target": "ship"},
    ],
    "variables": {"total": {"schema": {"type": "number"}, "default": 1.00, "group": "money"}},
    "policy": {"checkpoint": {"milestones": ["http"], "every": "10 minutes"}},
}  # fmt: skip

# What a dump or a decoder could get wrong: backslashes, ends of lines and of COPY, digits, sizes, unset against null.
VALUES = {
    "ünï \\N \"quoted\" 'too'": "\\. \\N \t \n \r \\\\ \u0001 \U0001f9ed",
    "null": None,
    "long": "0123456789abcdef" * 20_000,
    "deep": json.loads("[" * 200 + "]" * 200),
}
DIGITS = '{"exact": [1.00, 0.30000000000000004, ' + "9" * 400 + ", 1e-300]}"

FILL = [
    ("boss", """
        SELECT layra.on_event('order.*', 'public.to_outbox(text, bigint, text, jsonb)');
        SELECT layra.on_event('node.completed', 'public.to_outbox(text, bigint, text, jsonb)', 'orders');
        SELECT layra.add_validator('orders', 'total', 'public.check_total(text, jsonb)');
        SELECT layra.define_event_type('order.paid', '{"type": "object", "required": ["amount"]}', shared => true)"""),
    ("bob", """
        SELECT layra.start_run('order 1', 'orders', '{"total": 12.50}', '{"customer": "Ada"}');
        SELECT layra.append_event('order 1', 'order.paid', '{"amount": 12.50}', idempotency_key => 'paid');
        SELECT layra.begin_node('order 1', 'check', 'w1', '1 hour');
        SELECT layra.complete_node('order 1', 'check', '{"lines": 2}');
        SELECT layra.begin_node('order 1', 'pay', 'w1', '1 hour');
        SELECT layra.fail_node('order 1', 'pay', '{"status": 503}');
        SELECT layra.begin_node('order 1', 'pay', 'w2', '1 hour');
        SELECT layra.complete_node('order 1', 'pay', '{"receipt": "R-1"}', '{"paid": true}');
        SELECT layra.enter_loop('order 1', 'lines');
        SELECT layra.next_iteration('order 1', 'lines', after => -1);
        SELECT layra.begin_node('order 1', 'pack', 'w1', '1 day');
        SELECT layra.start_run('completed'), layra.finish_run('completed', result => '{"paid": true}');
        SELECT layra.start_run('failed'), layra.finish_run('failed', 'failed');
        SELECT layra.start_run('cancelled'), layra.cancel_run('cancelled', 'no more'), layra.finish_run('cancelled', 'cancelled');
        SELECT layra.start_run('reopened'), layra.finish_run('reopened', 'failed'), layra.reopen_run('reopened', 'again');
        SELECT layra.start_run('cancelling'), layra.cancel_run('cancelling');
        SELECT layra.start_run('archived', 'orders', '{"a": "\\\\"}'), layra.start_run('also archived');
        INSERT INTO public.archive SELECT layra.export_run('archived');
        INSERT INTO public.other_archive SELECT layra.export_run('also archived');
        SELECT layra.drop_run('archived', 'archived'), layra.drop_run('also archived', 'archived');
        SELECT layra.start_run('Lauf „ü“ "quoted" \\ ''too''');
        SELECT layra.define_breaker('closed'), layra.breaker_failure('closed', '{"status": 500}'), layra.breaker_success('closed')"""),
    ("carol", """
        SET ROLE team;
        SELECT layra.start_run('order 2', 'orders', '{"total": -1}');
        SELECT layra.begin_node('order 2', 'check', 'w2', '1 minute');
        SELECT layra.define_breaker('mail api', 1, '1 minute'), layra.breaker_failure('mail api', '{"status": 503}');
        SELECT layra.start_run('asking', 'orders');
        RESET ROLE;
        SELECT layra.pause_run('asking', 'check', '{"question": "Really?"}', assignee => 'role:carol', idempotency_key => 'ask 1');
        SELECT layra.resume_run('asking', layra.pause_run('asking', 'check', idempotency_key => 'ask 1'), '{"ok": true}');
        SELECT layra.withdraw_interaction('asking', layra.pause_run('asking', 'check', expires_in => '1 hour'), 'not needed');
        SELECT layra.pause_run('asking', 'pay', '{"question": "Pay?"}', '{"required": ["ok"]}', 'role:carol', '1 day');
        SELECT layra.pause_run('asking', 'ship', '{"question": "Ship?"}');
        SELECT layra.start_run('given'), layra.set_owner('given', 'team')"""),
    ("alice", """
        SELECT layra.define_event_type('note', '{"type": ["object", "string"]}');
        SELECT layra.define_breaker('bank', 2, '1 day'), layra.breaker_failure('bank'), layra.breaker_failure('bank', '"down"');
        SET layra.actor = 'mary@example.org';
        SELECT layra.start_run('versions', variables => '{"a": 1, "list": []}', idempotency_key => 'start');
        SELECT layra.set_variables('versions', jsonb_build_object('list', array_fill(n, ARRAY[n]))) FROM generate_series(1, 20) n;
        SELECT layra.set_variables('versions', jsonb_build_object('large', jsonb_agg(repeat(md5(i::text), 8))))
            FROM generate_series(1, 20) n, generate_series(1, 30 + n) i GROUP BY n ORDER BY n;
        SELECT layra.checkpoint('versions', 'mark', metadata => '{"by": "hand"}');
        SELECT layra.unset_variables('versions', '{a}');
        SELECT layra.append_event('versions', 'note', '"undone"', idempotency_key => 'used');
        SELECT layra.rollback_to('versions', 'mark', 'went wrong');
        SELECT layra.append_event('versions', 'note', '"once more"', idempotency_key => 'used');
        SELECT layra.protect_checkpoint('versions', 'mark');
        SELECT layra.start_run('parent', idempotency_key => 'kept'), layra.fork_run('parent', 'orphan'), layra.drop_run('parent', 'no use');
        SELECT layra.start_run('parent'), layra.hold_run('parent', 'audit');
        SELECT layra.set_retention('{"drop": false}', 'of nobody'), layra.set_retention('{"drop": true}');
        RESET layra.actor"""),
    ("gone", "SELECT layra.start_run('of gone', variables => '{\"left\": \"behind\"}')"),
]  # fmt: skip

# What each reading function gives, for every run, variable and version that there is.
READS = {
    "breaker_state": "SELECT b.owner, b.name, f FROM layra.breaker b, layra.breaker_state(b.owner, b.name) f",
    "changed_cells": "SELECT e.run_id, e.version, f FROM layra.event e, layra.changed_cells(e.run_id, e.version) f",
    "undone_by": "SELECT e.run_id, e.version, layra.undone_by(e.run_id, e.version) FROM layra.event e",
    "cells": "SELECT r.run_id, f FROM layra.run r, unnest('{variable,node,loop,context,engine}'::text[]) s, layra.cells(r.run_id, s) f",
    "context": "SELECT r.run_id, f FROM layra.run r, layra.context(r.run_id) f",
    "diff": "SELECT r.run_id, f FROM layra.run r, layra.diff(r.run_id, 1) f",
    "digest": "SELECT r.run_id, f FROM layra.run r, layra.digest(r.run_id) f",
    # Without what depends on the time of the call.
    "explain_run": "SELECT r.run_id, regexp_replace(f, ': running.*| -> .*', '') FROM layra.run r, layra.explain_run(r.run_id) f",
    "mermaid": "SELECT r.run_id, regexp_replace(layra.mermaid(r.run_id), '<br/>[^\"]*', '', 'g') FROM layra.run r",
    "report": "SELECT r.run_id, substring(layra.report(r.run_id) FROM '<section id=state.*</main>') FROM layra.run r",
    "events": "SELECT r.run_id, f FROM layra.run r, layra.events(r.run_id) f",
    "export_run": "SELECT r.run_id, f FROM layra.run r, layra.export_run(r.run_id) f",
    "get_state": "SELECT e.run_id, e.version, f FROM layra.event e, layra.get_state(e.run_id, e.version) f",
    "get_variable": "SELECT v.run_id, v.name, f FROM layra.variables v, layra.get_variable(v.run_id, v.name) f",
    "get_variables": "SELECT r.run_id, f FROM layra.run r, layra.get_variables(r.run_id) f",
    "heads": "SELECT layra.heads()",
    "help": "SELECT layra.help()",
    "history": "SELECT v.run_id, v.name, f FROM layra.variables v, layra.history(v.run_id, v.name) f",
    "owns": "SELECT r.run_id, f FROM layra.run r, layra.owns(r.owner) f",
    "readable_owners": "SELECT o FROM unnest(layra.readable_owners()) o",
    "reads_every_run": "SELECT layra.reads_every_run()",
    "format_3": "SELECT layra.format_3()",
    "reads_run": "SELECT r.run_id, layra.reads_run(r.run_id) FROM layra.run r",
    "reads_runs_of": "SELECT r.run_id, layra.reads_runs_of(r.owner) FROM layra.run r",
    "remembered": "SELECT what FROM layra.remembered()",
    "stale_runs": "SELECT layra.stale_runs('1 hour')",
    "validate_run": "SELECT r.run_id, f FROM layra.run r, layra.validate_run(r.run_id) f",
    "verify": "SELECT layra.verify()",
    "verify_heads": "SELECT layra.verify_heads((SELECT jsonb_agg(h) FROM layra.heads() h))",
    "version_at": "SELECT e.run_id, e.version, f FROM layra.event e, layra.version_at(e.run_id, e.at) f",
}
PAY = "(SELECT interaction FROM layra.interactions WHERE node_id = 'pay')"
SHIP = "(SELECT interaction FROM layra.interactions WHERE node_id = 'ship')"

# A call of every function that changes something, in an order in which all of them work on what `fill` made.
WRITES = [
    ("alice", "define_workflow('own flow', '{}')"),
    ("bob", "start_run('order 3', 'orders')"),
    ("bob", "append_event('order 1', 'order.paid', '{\"amount\": 1}')"),
    ("bob", "append_events('order 1', '[{\"type\": \"order.sent\", \"updates\": {\"sent\": true}}]')"),
    ("bob", "heartbeat('order 1', 'pack', 1, '1 day')"),
    ("bob", "complete_node('order 1', 'pack', attempt => 1)"),
    ("bob", "next_iteration('order 1', 'lines', after => 0)"),
    ("bob", "exit_loop('order 1', 'lines')"),
    ("bob", "begin_node('order 1', 'ship', 'w3', '1 hour')"),
    ("bob", "fail_node('order 1', 'ship', '{\"status\": 500}', attempt => 1)"),
    ("bob", "reset_nodes('order 1', '{ship}')"),
    ("bob", "skip_nodes('order 1', '{ship}')"),
    ("bob", "enter_loop('order 1', 'lines')"),
    ("bob", "set_engine('order 1', '{\"execution_stack\": [\"ship\"]}')"),
    ("bob", "reopen_run('failed')"),
    ("bob", "cancel_run('reopened')"),
    ("bob", "finish_run('cancelling', 'cancelled')"),
    ("bob", "hold_run('cancelled', 'audit')"),
    ("bob", "release_run('cancelled', 'over')"),
    ("bob", "drop_run('cancelled', 'no more use')"),
    ("bob", "set_retention('{\"drop\": true}', 'orders')"),
    ("carol", "recover_run('order 2')"),
    ("carol", f"resume_run('asking', {PAY}, '{{\"ok\": true}}')"),
    ("carol", f"withdraw_interaction('asking', {SHIP})"),
    ("carol", "pause_run('asking', 'ship', '{\"question\": \"Ship now?\"}')"),
    ("carol", "set_owner('given', 'carol')"),
    ("carol", "breaker_try('mail api')"),
    ("carol", "breaker_failure('mail api', '{\"status\": 504}')"),
    ("carol", "reset_breaker('mail api')"),
    ("alice", "breaker_success('bank')"),
    ("alice", "define_breaker('new breaker')"),
    ("alice", "set_variables('versions', '{\"b\": 2}')"),
    ("alice", "try_set_variables('versions', '{\"b\": 3}')"),
    ("alice", "set_variable('versions', 'b', '4')"),
    ("alice", "unset_variables('versions', '{b}')"),
    ("alice", "checkpoint('versions', 'here')"),
    ("alice", "protect_checkpoint('versions', 'mark', false)"),
    ("alice", "rollback('versions', 2)"),
    ("alice", "rollback_to('versions', 'here')"),
    ("alice", "fork_run('recorded', 'new fork', 100)"),
    ("alice", "save_state('recorded', '{\"global_variables\": {\"saved\": true}, \"execution_status\": {}}')"),
    ("alice", "define_event_type('note', 'true')"),
    ("boss", "on_event('mail.*', 'public.to_outbox(text, bigint, text, jsonb)')"),
    ("boss", "off_event('mail.*', 'public.to_outbox(text, bigint, text, jsonb)')"),
    ("boss", "add_validator('own flow', 'total', 'public.check_total(text, jsonb)')"),
    ("boss", "remove_validator('own flow', 'total')"),
    ("boss", "import_run(ARRAY(SELECT line FROM public.archive))"),
    ("boss", "import_lines('public.other_archive')"),
    ("postgres", "check_access('stranger', 'writer')"),
    ("postgres", "grant_access('stranger', 'writer')"),
    ("postgres", "revoke_access('stranger')"),
    ("postgres", "renew_grants()"),
]


@contextmanager
def acting_as(connection, role):
    connection.execute(sql.SQL("SET SESSION AUTHORIZATION {}").format(sql.Identifier(role)))
    try:
        yield
    finally:
        connection.execute("RESET SESSION AUTHORIZATION")


def set_clock(connection, now):
    connection.execute("SELECT set_config('layra.now', %s, false)", [now])


def create_roles(connection):
    there = {name for (name,) in connection.execute("SELECT rolname FROM pg_roles")}
    for name, options in ROLES.items():
        if name not in there:
            connection.execute(f"CREATE ROLE {name} {options}")


# --- fill --------------------------------------------------------------------------------------------------------


def fill(connection):
    create_roles(connection)
    connection.execute("CREATE ROLE gone")
    connection.execute("CREATE EXTENSION layra_state")
    connection.execute(FUNCTIONS)
    set_clock(connection, FILLED)
    for role, level in LEVELS:
        connection.execute("SELECT layra.grant_access(%s, %s)", [role, level])
    with acting_as(connection, "boss"):
        connection.execute("SELECT layra.define_workflow('orders', %s, true)", [json.dumps(ORDERS)])
    for role, statements in FILL:
        with acting_as(connection, role):
            connection.execute(statements)
    with acting_as(connection, "alice"):
        replay(connection, "recorded")
        connection.execute("SELECT layra.fork_run('recorded', 'recorded from 200', 200)")
        connection.execute("SELECT layra.save_state('values', %s)", [json.dumps({"global_variables": VALUES})])
        connection.execute("SELECT layra.set_variables('values', %s::jsonb)", [DIGITS])
    connection.execute("DROP OWNED BY gone; DROP ROLE gone")
    set_clock(connection, "")


def replay(connection, run_id):
    """The recorded run of a real engine: its events and, behind each, its whole state."""
    for line in RECORDING.open(encoding="utf-8"):
        line = json.loads(line)
        if line["kind"] == "workflow":
            definition = json.dumps({"nodes": line["nodes"], "edges": line["edges"]})
            connection.execute("SELECT layra.define_workflow('recorded flow', %s)", [definition])
            connection.execute("SELECT layra.start_run(%s, 'recorded flow')", [run_id])
        elif line["kind"] == "event":
            connection.execute("SELECT layra.append_event(%s, 'engine.event', %s)", [run_id, json.dumps(line["event"])])
        if "state" in line:
            connection.execute("SELECT layra.save_state(%s, %s)", [run_id, json.dumps(line["state"])])


# --- look --------------------------------------------------------------------------------------------------------

# A row for each thing, in no order: its hash does not depend on how the rows lie.
HASH = "SELECT count(*) || ' ' || coalesce(md5(string_agg(md5(t::text), '' ORDER BY md5(t::text))), '') FROM ({}) t"

# What a session remembers is its own.
RELATIONS = """
    SELECT relname FROM pg_class
    WHERE relnamespace = 'layra'::regnamespace AND relkind IN ('r', 'v') AND relname <> 'session_memory' ORDER BY relname
"""
FUNCTIONS_THERE = (
    "SELECT DISTINCT proname FROM pg_proc WHERE pronamespace = 'layra'::regnamespace AND provolatile {} 'v'"
    " AND 'internal'::regtype <> ALL (proargtypes)"
)

# Later servers have more than PostgreSQL 15: the row types of tables among the members, MAINTAIN among the privileges.
MEMBERS = """
    SELECT pg_describe_object(classid, objid, objsubid) FROM pg_depend
    WHERE refclassid = 'pg_extension'::regclass AND deptype = 'e' AND classid <> 'pg_type'::regclass
    AND refobjid = (SELECT oid FROM pg_extension WHERE extname = 'layra_state')
    UNION ALL
    SELECT concat_ws(' ', extname, extversion, extowner::regrole, extnamespace::regnamespace,
        (SELECT string_agg(t::regclass::text, ',' ORDER BY t::regclass::text) FROM unnest(extconfig) t), extcondition)
    FROM pg_extension WHERE extname = 'layra_state'
"""
GRANTS = """
    WITH object (name, owner, acl) AS (
        SELECT nspname, nspowner, coalesce(nspacl, acldefault('n', nspowner)) FROM pg_namespace WHERE nspname = 'layra'
        UNION ALL
        SELECT oid::regclass::text, relowner, coalesce(relacl, acldefault('r', relowner)) FROM pg_class
        WHERE relnamespace = 'layra'::regnamespace AND relkind IN ('r', 'v')
        UNION ALL
        SELECT oid::regprocedure::text, proowner, coalesce(proacl, acldefault('f', proowner)) FROM pg_proc
        WHERE pronamespace = 'layra'::regnamespace
        UNION ALL
        SELECT attrelid::regclass || '.' || attname, NULL, attacl FROM pg_attribute JOIN pg_class c ON c.oid = attrelid
        WHERE relnamespace = 'layra'::regnamespace AND attacl IS NOT NULL
    )
    SELECT o.name, o.owner::regrole, a.grantor::regrole, a.grantee::regrole, a.privilege_type, a.is_grantable
    FROM object o, aclexplode(o.acl) a WHERE a.privilege_type <> 'MAINTAIN'
"""
# By OID, as an ordinary role may not look up names in a schema that it may not use.
CALLABLE = """
    SELECT p.proname, pg_get_function_identity_arguments(p.oid) FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
    WHERE n.nspname = 'layra' AND has_schema_privilege(n.oid, 'USAGE') AND has_function_privilege(p.oid, 'EXECUTE')
"""


def functions(connection, which):
    """Names of the functions that read ('<>', not volatile) or write ('=')."""
    return {name for (name,) in connection.execute(FUNCTIONS_THERE.format(which))}


def fingerprint(connection):
    """{what: how much of it and a hash}, of every row, every state at every version, every object, privilege, and of what each
    role sees and may call. Equal where two databases are the same for everybody."""
    assert functions(connection, "<>") == READS.keys()
    connection.execute("SET TimeZone = 'UTC'; SET jit = off")
    set_clock(connection, LOOKED_AT)

    def value(query, *arguments):
        return connection.execute(query, arguments).fetchone()[0]

    relations = [name for (name,) in connection.execute(RELATIONS)]
    found = {f"rows of {name}": value(HASH.format(f"TABLE layra.{name}")) for name in relations}
    found |= {f"results of {name}": value(HASH.format(query)) for name, query in READS.items()}
    found |= {"members": value(HASH.format(MEMBERS)), "grants": value(HASH.format(GRANTS))}
    found |= access(connection, relations)
    set_clock(connection, "")
    assert found["results of verify"] == "0 ", connection.execute("SELECT * FROM layra.verify()").fetchall()
    return found


def access(connection, relations):
    """What each role that is there may call, what it sees, and what becomes of a call on a run of each owner."""
    seen = ", ".join(f"({HASH.format(f'TABLE layra.{name}')})" for name in relations)
    runs = [run_id for (run_id,) in connection.execute("SELECT min(run_id) FROM layra.run GROUP BY owner")]
    roles = connection.execute("SELECT rolname FROM pg_roles WHERE NOT starts_with(rolname, 'pg_')").fetchall()
    found = {}
    for (role,) in roles:
        with acting_as(connection, role):
            found[f"{role} may call"] = connection.execute(HASH.format(CALLABLE)).fetchone()
            found[f"{role} sees"] = row_or_error(connection, f"SELECT {seen}")
            for run_id in runs:
                found[f"{role} reads {run_id}"] = row_or_error(connection, "SELECT layra.digest(%s)", run_id)
    return found


def row_or_error(connection, query, *arguments):
    try:
        with connection.transaction():
            return connection.execute(query, arguments).fetchone()
    except psycopg.Error as error:
        return error.sqlstate


def differences(one, other):
    return {name: (one.get(name), other.get(name)) for name in one.keys() | other.keys() if one.get(name) != other.get(name)}


# --- write -------------------------------------------------------------------------------------------------------


def write(connection):
    """Every function that changes something, as a role that may; afterwards nothing is wrong with any run."""
    assert functions(connection, "=") == {call.split("(")[0] for _, call in WRITES}
    set_clock(connection, LOOKED_AT)
    for role, call in WRITES:
        with acting_as(connection, role):
            try:
                connection.execute(f"SELECT * FROM layra.{call}")
            except psycopg.Error as error:
                raise AssertionError(f"{role} cannot {call}: {error}") from error
    set_clock(connection, "")
    assert connection.execute("SELECT * FROM layra.verify()").fetchall() == []
