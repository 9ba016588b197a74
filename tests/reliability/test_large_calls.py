"""What one call is given, in any number: its cost grows with that and no faster, and while it works it can be cancelled.

Every argument of every function that is an array or JSON, with N and with 4 N of whatever it may have many of. What counts is the
processor's time of the backend: four times as much of a linear call, 16 times of a quadratic one.
"""

from contextlib import contextmanager

import psycopg
import pytest

SMALL, LARGE = 6_000, 24_000
# Between 4 and 16. (What N elements cost beside what a call costs anyway makes it less than 4.)
RATIO = 9
# Calls that are shorter say nothing about either.
SHORT = 0.05
# Of a measurement that another process may have disturbed.
ATTEMPTS = 6

ARGUMENTS = """
    SELECT p.proname || '.' || a.name FROM pg_proc p
    CROSS JOIN LATERAL unnest(p.proargnames, coalesce(p.proargmodes, array_fill('i'::"char", ARRAY[p.pronargs])),
        coalesce(p.proallargtypes, p.proargtypes::oid[])) a(name, mode, type)
    JOIN pg_type t ON t.oid = a.type
    WHERE p.pronamespace = 'layra'::regnamespace AND a.mode = 'i' AND (t.typcategory = 'A' OR t.typname IN ('json', 'jsonb'))
"""

# Values of {n}, and runs that have so many of something. (A schema is not larger than 1 MB.)
SETUP = """
    CREATE TABLE IF NOT EXISTS given (name text, n int, value jsonb, PRIMARY KEY (name, n));
    CREATE OR REPLACE FUNCTION names(n int) RETURNS text[] LANGUAGE sql AS $$ SELECT array_agg('n' || i) FROM generate_series(1, n) i $$;
    INSERT INTO given
    SELECT 'object', {n}, jsonb_object_agg('n' || i, i) FROM generate_series(1, {n}) i
    UNION ALL SELECT 'other object', {n}, jsonb_object_agg('n' || i, -i) FROM generate_series(1, {n}) i
    UNION ALL SELECT 'array', {n}, jsonb_agg(jsonb_build_array('n' || i)) FROM generate_series(1, {n}) i
    UNION ALL SELECT 'unlike', {n}, jsonb_object_agg(CASE WHEN i % 10 = 0 THEN 'm' ELSE 'n' END || i, i) FROM generate_series(1, {n}) i
    UNION ALL SELECT 'true', {n}, jsonb_object_agg('n' || i, true) FROM generate_series(1, {n}) i
    UNION ALL SELECT 'lists', {n}, jsonb_object_agg('n' || i, '[1]'::jsonb) FROM generate_series(1, {n}) i
    UNION ALL SELECT 'ones', {n}, jsonb_object_agg('n' || i, 1) FROM generate_series(1, {n}) i
    UNION ALL SELECT 'zeros', {n}, jsonb_object_agg('n' || i, 0) FROM generate_series(1, {n}) i
    UNION ALL SELECT 'one zero', {n}, jsonb_object_agg('n' || i, CASE i WHEN {n} THEN 0 ELSE 1 END) FROM generate_series(1, {n}) i
    UNION ALL SELECT 'events', {n}, jsonb_agg(jsonb_build_object('type', 'e' || i, 'updates', jsonb_build_object('n' || i, i)))
    FROM generate_series(1, {n}) i
    UNION ALL SELECT 'typed', {n}, jsonb_agg(jsonb_build_object('type', 'typed', 'payload', i)) FROM generate_series(1, {n}) i
    UNION ALL SELECT 'nodes', {n}, jsonb_agg(jsonb_build_object('id', 'n' || i, 'type', CASE WHEN i % 10 = 0 THEN 'loop' ELSE 'code' END))
    FROM generate_series(1, {n}) i
    UNION ALL SELECT 'edges', {n}, jsonb_agg(jsonb_build_object('source', 'n' || i, 'target', 'n' || i + 1))
    FROM generate_series(1, {n} - 1) i
    UNION ALL SELECT 'loops', {n}, jsonb_build_object('nodes', jsonb_agg(jsonb_build_object('id', 'n' || i, 'type', 'loop')))
    FROM generate_series(1, {n}) i
    UNION ALL SELECT 'back', {n}, jsonb_agg(e) FROM generate_series(1, {n} - 1) i CROSS JOIN LATERAL (VALUES
        (jsonb_build_object('source', 'n' || i, 'target', 'n' || i + 1, 'sourceHandle', 'loop_body')),
        (jsonb_build_object('source', 'n' || {n}, 'target', 'n' || i, 'sourceHandle', 'loop_next'))) e(e)
    UNION ALL SELECT 'variables', {n}, jsonb_object_agg('n' || i, jsonb_build_object('default', i, 'group', 'g' || i % 7))
    FROM generate_series(1, {n}) i
    UNION ALL SELECT 'schema', {n}, jsonb_build_object('properties', jsonb_object_agg('n' || i, '{{"type": "integer"}}'::jsonb),
        'required', jsonb_agg('n' || i), 'dependentRequired', jsonb_object_agg('n' || i, '["n1"]'::jsonb)) FROM generate_series(1, {n} / 4) i
    UNION ALL SELECT 'references', {n}, jsonb_build_object('$defs', jsonb_object_agg('n' || i, '{{"type": "integer"}}'::jsonb),
        'components', jsonb_object_agg('m' || i, '{{"type": "integer"}}'::jsonb), 'properties', jsonb_object_agg('n' || i,
        jsonb_build_object('$ref', CASE WHEN i % 2 = 0 THEN '#/$defs/n' ELSE '#/components/m' END || i)))
    FROM generate_series(1, {n} / 4) i;
    INSERT INTO given
    SELECT 'definition', {n}, jsonb_build_object('nodes', o.value, 'edges', e.value, 'variables', v.value) FROM given o, given e, given v
    WHERE (o.n, e.n, v.n) = ({n}, {n}, {n}) AND (o.name, e.name, v.name) = ('nodes', 'edges', 'variables')
    UNION ALL SELECT 'nested loops', {n}, l.value || jsonb_build_object('edges', b.value) FROM given l, given b
    WHERE (l.n, b.n) = ({n}, {n}) AND (l.name, b.name) = ('loops', 'back')
    UNION ALL SELECT 'state', {n}, jsonb_build_object('global_variables', o.value, 'loop_index', o.value, 'execution_status', t.value,
        'context', l.value || jsonb_build_object('long', a.value), 'nodes', d.value, 'edges', e.value, 'execution_stack', a.value,
        'skip_nodes', a.value) || o.value FROM given o, given t, given l, given a, given d, given e
    WHERE (o.n, t.n, l.n, a.n, d.n, e.n) = ({n}, {n}, {n}, {n}, {n}, {n})
      AND (o.name, t.name, l.name, a.name, d.name, e.name) = ('object', 'true', 'lists', 'array', 'nodes', 'edges')
    UNION ALL SELECT 'another state', {n}, jsonb_build_object('global_variables', o.value, 'context', jsonb_build_object('long', o.value->'x'))
        - 'context' FROM given o WHERE o.n = {n} AND o.name = 'unlike';
    SELECT layra.start_run('set {n}', variables => (SELECT value FROM given WHERE (name, n) = ('object', {n})));
    SELECT layra.start_run('large value {n}', variables => jsonb_build_object('v', (SELECT value FROM given WHERE (name, n) = ('object', {n}))));
    SELECT layra.set_variable('large value {n}', 'v', (SELECT value FROM given WHERE (name, n) = ('object', {n})) || '{{"n7": "x"}}');
    SELECT layra.save_state('saved {n}', (SELECT value FROM given WHERE (name, n) = ('state', {n})));
    SELECT layra.append_events('typed {n}', (SELECT value FROM given WHERE (name, n) = ('events', {n})))
    FROM (SELECT layra.start_run('typed {n}')) s;
    SELECT layra.define_workflow('defaults {n}', jsonb_build_object('variables', (SELECT value FROM given WHERE (name, n) = ('variables', {n}))));
    SELECT layra.start_run('grouped {n}', 'defaults {n}');
    SELECT layra.start_run('working {n}');
    SELECT layra.begin_node('working {n}', 'n');
    SELECT layra.start_run('asked {n}'), layra.pause_run('asked {n}', 'n', response_schema => (SELECT value FROM given WHERE (name, n) = ('schema', {n})));
    SELECT layra.start_run('skipped {n}'), layra.skip_nodes('skipped {n}', names({n}));
    SELECT layra.define_event_type('typed', '{{"type": "integer"}}');
    SELECT layra.start_run('exported {n}'), layra.append_events('exported {n}', (SELECT jsonb_agg('{{"type": "note"}}'::jsonb) FROM generate_series(1, {n} / 4)));
    CREATE TABLE archive_{n} AS SELECT layra.export_run('exported {n}') AS line;
    SELECT layra.drop_run('exported {n}');
"""  # fmt: skip


def given(name):
    return f"(SELECT value FROM given WHERE (name, n) = ('{name}', {{n}}))"


OBJECT, ASKED = given("object"), "(SELECT id FROM layra.interaction WHERE run_id = 'asked {n}')"

# By function and argument: calls, each of which gives the argument {n} of something.
CALLS = {
    "append_event.payload": [f"append_event('set {{n}}', 'e', {OBJECT})", f"append_event('set {{n}}', 'e', {given('array')})"],
    "append_event.updates": [f"append_event('set {{n}}', 'e', '1', {given('other object')})"],
    "append_events.events": [f"append_events('set {{n}}', {given('events')})", f"append_events('set {{n}}', {given('typed')})"],
    "breaker_failure.error": [f"breaker_failure('api', {OBJECT})"],
    "checkpoint.metadata": [f"checkpoint('set {{n}}', metadata => {OBJECT})"],
    "complete_node.output": [f"complete_node('working {{n}}', 'n', {OBJECT})"],
    "complete_node.updates": [f"complete_node('working {{n}}', 'n', updates => {OBJECT})"],
    "define_event_type.schema": [
        f"define_event_type('other', {given('schema')})", f"define_event_type('other', {given('references')})",
        f"define_event_type('other', jsonb_build_object('enum', {given('array')}))",
    ],
    "define_workflow.definition": [
        f"define_workflow('w', {given('definition')})", f"define_workflow('w', {given('nested loops')})",
        f"define_workflow('w', jsonb_build_object('variables', jsonb_build_object('v', jsonb_build_object('schema', {given('schema')}))))",
    ],
    "events.types": ["events('typed {n}', types => names({n}))"],
    "fail_node.error": [f"fail_node('working {{n}}', 'n', {OBJECT})"],
    "finish_run.result": [f"finish_run('set {{n}}', result => {OBJECT})"],
    "get_variables.names": ["get_variables('set {n}', names({n}))"],
    "import_run.lines": ["import_run(ARRAY(SELECT line FROM archive_{n}))"],
    "pause_run.prompt": [f"pause_run('set {{n}}', 'n', {OBJECT})"],
    "pause_run.response_schema": [f"pause_run('set {{n}}', 'n', response_schema => {given('schema')})"],
    "reset_nodes.node_ids": ["reset_nodes('skipped {n}', names({n}))"],
    "resume_run.response": [f"resume_run('asked {{n}}', {ASKED}, {OBJECT})"],
    "resume_run.updates": [f"resume_run('asked {{n}}', {ASKED}, {OBJECT}, {OBJECT})"],
    "save_state.state": [
        f"save_state('new', {given('state')})", f"save_state('saved {{n}}', {given('state')})",
        f"save_state('saved {{n}}', {given('another state')})",
    ],
    "set_engine.fields": [f"set_engine('set {{n}}', {OBJECT})"],
    "set_variable.value": [f"set_variable('large value {{n}}', 'v', {given('unlike')})",
                           f"set_variable('large value {{n}}', 'v', {given('array')})"],
    "set_variables.updates": [
        f"set_variables('set {{n}}', {given('other object')})", f"set_variables('grouped {{n}}', {given('unlike')})",
        f"set_variables('large value {{n}}', jsonb_build_object('v', {given('unlike')}), null, 'merge', 1)",
    ],
    "set_variables.expected_variables": [f"set_variables('set {{n}}', {given('other object')}, {given('ones')})",
                                         f"set_variables('set {{n}}', '{{{{}}}}', {given('ones')})"],
    # None that is large is one: see what is refused.
    "set_retention.policy": [],
    "skip_nodes.node_ids": ["skip_nodes('set {n}', names({n}))"],
    "start_run.metadata": [f"start_run('new', metadata => {OBJECT})"],
    "start_run.variables": [f"start_run('new', variables => {OBJECT})", f"start_run('new', 'defaults {{n}}', {given('unlike')})"],
    "try_set_variables.expected_variables": [
        f"try_set_variables('set {{n}}', {given('other object')}, {given('zeros')})",
        f"try_set_variables('set {{n}}', {given('other object')}, {given('one zero')})",
    ],
    "try_set_variables.updates": [f"try_set_variables('grouped {{n}}', {given('other object')}, null, 'fail', 7)"],
    "unset_variables.names": ["unset_variables('set {n}', names({n}))"],
    "verify_heads.heads": [
        "verify_heads((SELECT jsonb_agg(jsonb_build_object('run_id', 'none ' || i, 'version', 1, 'hash', repeat('0', 64)))"
        " FROM generate_series(1, {n}) i))"
    ],
}  # fmt: skip
# Calls that end in an error, and take as long until then.
REFUSED = {
    "an outdated version": (f"set_variables('set {{n}}', {given('other object')}, expected_version => 0)", "40001"),
    "outdated expectations": (f"set_variables('set {{n}}', {given('other object')}, {given('zeros')})", "40001"),
    "against schemas": (f"resume_run('asked {{n}}', {ASKED}, {given('true')})", "23514"),
    "a broken definition": (f"define_workflow('w', {given('nested loops')} - 'nodes')", "22023"),
    "a policy of unknown members": (f"set_retention({OBJECT})", "22023"),
    "unset names": ("unset_variables('set {n}', names({n}) || '{{null}}'::text[])", "22023"),
}


@pytest.fixture(scope="module")
def prepare():
    def prepare(connection):
        connection.execute("CREATE EXTENSION layra_state; SELECT layra.define_breaker('api')")
        for n in (SMALL, LARGE):
            connection.execute(SETUP.format(n=n))
        connection.execute("VACUUM ANALYZE")

    return prepare


def processor_time(session):
    """Of the backend, in seconds."""
    with open(f"/proc/{session.info.backend_pid}/schedstat") as statistics:
        return int(statistics.read().split()[0]) / 1e9


@contextmanager
def taken_back(session):
    session.execute("BEGIN")
    try:
        yield
    finally:
        session.execute("ROLLBACK")


def cost(session, call, n, sqlstate=None):
    """Of a call that was made before, without what it takes to take it back."""
    with taken_back(session):
        before = processor_time(session)
        try:
            session.execute(f"SELECT count(*) FROM layra.{call.format(n=n)}")
            found = None
        except psycopg.Error as error:
            found = error.sqlstate
        assert found == sqlstate, call
        return processor_time(session) - before


def cancelled_after(session, call, n, seconds):
    """The processor's time that a call took which a timeout ended; None where it was done before."""
    with taken_back(session):
        session.execute(f"SET LOCAL statement_timeout = '{max(int(seconds * 1000), 1)}ms'")
        before = processor_time(session)
        try:
            session.execute(f"SELECT count(*) FROM layra.{call.format(n=n)}")
        except psycopg.errors.QueryCanceled:
            return processor_time(session) - before
        except psycopg.Error:
            pass
        return None


def test_no_argument_is_left_out(admin):
    assert {name for (name,) in admin.execute(ARGUMENTS)} == CALLS.keys()


@pytest.mark.parametrize("call, sqlstate", [
    *(pytest.param(call, None, id=f"{name} {number}") for name, calls in CALLS.items() for number, call in enumerate(calls, 1)),
    *(pytest.param(call, sqlstate, id=name) for name, (call, sqlstate) in REFUSED.items()),
])  # fmt: skip
def test_four_times_as_much_costs_four_times_as_much(connect, figures, call, sqlstate):
    """And what takes long is heard to be cancelled long before it is done."""
    session = connect()
    session.execute("SET plan_cache_mode = force_generic_plan")
    costs = {SMALL: [], LARGE: []}
    # What another process does to the caches only makes a call dearer: the least of a few is what it costs.
    for attempt in range(ATTEMPTS):
        for n, spent in costs.items():
            spent.append(cost(session, call, n, sqlstate))
        small, large = (min(spent) for spent in costs.values())
        if attempt and large < RATIO * max(small, SHORT / RATIO):
            break
    else:
        pytest.fail(f"{small:.3f} s for {SMALL}, {large:.3f} s for {LARGE}")
    heard = None
    for _ in range(ATTEMPTS):
        # The timer counts other time than the processor's of this backend, which is no more.
        heard = cancelled_after(session, call, LARGE, large / 4) if large > SHORT else None
        if heard is None or heard < large * 3 / 4:
            break
    else:
        pytest.fail(f"cancelled after {large / 4:.3f} s, heard after {heard:.3f} of {large:.3f} s")
    figures(f"{large:.3f} s, {large / max(small, 1e-6):.1f} times as much" + (f", heard after {heard:.3f} s" if heard else ""))


def test_a_call_that_is_ended_lets_go_of_its_run(connect, admin):
    """By a timeout, and by pg_terminate_backend."""
    call = CALLS["set_variables.updates"][0].format(n=LARGE)
    lock = f"SELECT FROM layra.run WHERE run_id = 'set {LARGE}' FOR UPDATE NOWAIT"
    session = connect()
    whole = min(cost(session, call, LARGE) for _ in range(2))
    with pytest.raises(psycopg.errors.QueryCanceled):
        session.execute(f"SET statement_timeout = '{int(whole * 250)}ms'")
        session.execute(f"SELECT layra.{call}")
    with admin.transaction(force_rollback=True):
        admin.execute(lock)
    session.execute("RESET statement_timeout")
    pid = session.info.backend_pid
    waiting = "SELECT count(*) FROM pg_locks WHERE pid = %s AND relation = 'layra.run'::regclass"
    session.pgconn.send_query(f"SELECT layra.{call}".encode())
    while admin.execute(waiting, [pid]).fetchone()[0] == 0:
        pass
    admin.execute("SELECT pg_terminate_backend(%s)", [pid])
    while admin.execute("SELECT count(*) FROM pg_stat_activity WHERE pid = %s", [pid]).fetchone()[0]:
        pass
    with admin.transaction(force_rollback=True):
        admin.execute(lock)
    head = f"SELECT max(version) FROM layra.event WHERE run_id = 'set {LARGE}'"
    assert admin.execute(head).fetchone()[0] == 1
