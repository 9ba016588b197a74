"""Validation: a whole state at any version, schemas on every write, event types, custom rules, groups of variables."""

import json

import pytest
from execution import attempt, begin, call, flow, head, row, rows, serial, set_now, sound, start, state, unchanged

ARGUMENT, CHECK, DENIED, TAKEN, READ_ONLY = "22023", "23514", "42501", "23505", "25006"


@pytest.fixture
def db(admin):
    set_now(admin)
    return admin


@pytest.fixture
def people(db, role, connect):
    """A function that connects as a new role of a level."""

    def person(level="writer", options=""):
        name = role(level, options)
        call(db, "grant_access(%s, %s)", name, level)
        return connect(role=name)

    return person


def problems(connection, run_id, version=None):
    return [(r["rule"], r["path"]) for r in rows(connection, "validate_run(%s, %s::bigint)", run_id, version)]


def save(connection, run_id, **document):
    return call(connection, "save_state(%s, %s::jsonb)", run_id, json.dumps(document))


def function(connection, body, returns="SETOF text", arguments="run_id text, state jsonb", language="sql", options="", name=None):
    """A new function in public, by its regprocedure text."""
    name = name or f"public.f{next(serial)}"
    connection.execute(f"CREATE FUNCTION {name}({arguments}) RETURNS {returns} LANGUAGE {language} {options} AS $body$ {body} $body$")
    return f"{name}({', '.join(each.split()[-1] for each in arguments.split(','))})"


def workflow_of(connection, run_id):
    return connection.execute("SELECT workflow FROM layra.run WHERE run_id = %s", [run_id]).fetchone()[0]


# --- validate_run --------------------------------------------------------------------------------------------------------------


def test_a_valid_run_has_no_row(db):
    run = start(db, "valid", flow(variables={"v": {"schema": {"type": "integer"}}}))
    save(db, run, global_variables={"v": 1}, execution_status={"prepare": True}, loop_index={"outer": 0}, context={"prepare": [1]},
         execution_stack=["outer"], skip_nodes=["report"], anything=["no node"])  # fmt: skip
    assert problems(db, run) == []
    for version in (1, 2):
        assert problems(db, run, version) == []
    for version in (0, 3, -1):
        assert attempt(db, "validate_run(%s, %s)", run, version) == ARGUMENT
    assert attempt(db, "validate_run('no such run')") == "P0002"
    assert attempt(db, "validate_run(NULL)") == ARGUMENT
    assert problems(db, start(db, "nothing")) == []


@pytest.mark.parametrize("document, path", [
    ({"execution_stack": ["prepare", "gone"]}, "/execution_stack/1"), ({"skip_nodes": ["gone"]}, "/skip_nodes/0"),
    ({"execution_status": {"gone": True}}, "/execution_status/gone"), ({"context": {"gone": [1, 2]}}, "/context/gone"),
    ({"context": {"gone": []}}, "/context/gone"), ({"loop_index": {"gone": 1}}, "/loop_index/gone"),
    ({"execution_status": {"a/b~c": None}}, "/execution_status/a~1b~0c"),
])  # fmt: skip
def test_references_name_nodes_that_exist(db, document, path):
    run = start(db, "reference", flow())
    version = save(db, run, **document)
    assert problems(db, run) == [("reference", path)]
    assert problems(db, run, version - 1) == []
    # Without a graph there is nothing to name.
    run = start(db, "no graph")
    save(db, run, **document)
    assert problems(db, run) == []


def test_the_graph_is_that_of_the_version(db):
    run = start(db, "graph of the time")
    first = save(db, run, nodes=[{"id": "a", "type": "code"}], edges=[], execution_status={"a": True})
    second = save(db, run, nodes=[{"id": "b", "type": "code"}], edges=[], execution_status={"a": True})
    assert problems(db, run, first) == []
    assert problems(db, run, second) == problems(db, run) == [("reference", "/execution_status/a")]


@pytest.mark.parametrize("maximum, tolerance, default, last", [
    (3, None, None, 13), (3, 0, None, 3), (3, 5, None, 8), (None, None, None, 110), (None, 0, 7, 7), (None, None, 7, 17), (0, 0, None, 0),
])  # fmt: skip
def test_loop_indices_within_bounds(db, maximum, tolerance, default, last):
    loops = {key: value for key, value in (("tolerance", tolerance), ("default_max", default)) if value is not None}
    run = start(db, "bounds", flow(policy={"loops": loops}, data={"outer": {"maxCount": maximum}} if maximum is not None else None))
    for index, expected in ((-1, []), (0, []), (last, []), (last + 1, ["loop"]), (last + 0.5, ["loop"]), (-2, ["loop"]), (1e300, ["loop"])):
        save(db, run, loop_index={"outer": index})
        assert [rule for rule, _ in problems(db, run)] == expected, index
    found = rows(db, "validate_run(%s)", run)
    assert found[0]["path"] == "/loop_index/outer"
    # A loop that was entered knows its own bound.
    save(db, run)
    call(db, "enter_loop(%s, 'outer', 50)", run)
    for _ in range(3):
        call(db, "next_iteration(%s, 'outer')", run)
    assert problems(db, run) == []


def test_schemas_of_variables(db):
    definition = flow(variables={"v": {"schema": {"type": "integer"}}, "o": {"schema": {"properties": {"x": {"minimum": 3}}}}})
    run = start(db, "schema", definition)
    # No call writes such a value; somebody with more rights than good sense did.
    call(db, "set_variables(%s, '{\"v\": 1, \"o\": {\"x\": 3}}')", run)
    with db.transaction(force_rollback=True):
        db.execute("UPDATE layra.cell SET value = '\"secret\"' WHERE run_id = %s AND key = 'v'", [run])
        found = rows(db, "validate_run(%s)", run)
        assert {(r["rule"], r["path"]) for r in found} == {("schema", "/global_variables/v"), ("hash", "/global_variables/v")}
        assert "secret" not in str(found)
    with db.transaction(force_rollback=True):
        db.execute("UPDATE layra.cell SET value = '{\"x\": 1}' WHERE run_id = %s AND key = 'o'", [run])
        assert ("schema", "/global_variables/o/x") in problems(db, run)


def test_cells_against_their_hashes(db):
    run = start(db, "hash")
    save(db, run, global_variables={"v": 1}, execution_status={"n": True}, loop_index={"l": 1}, context={"n": [1, 2]}, stack=[1])
    for scope, key, ordinal, path in (("variable", "v", 0, "/global_variables/v"), ("node", "n", 0, "/execution_status/n"),
                                      ("loop", "l", 0, "/loop_index/l"), ("context", "n", 1, "/context/n/1"),
                                      ("engine", "stack", 0, "/stack")):  # fmt: skip
        with db.transaction(force_rollback=True):
            changed = db.execute(
                "UPDATE layra.cell SET value = CASE scope WHEN 'node' THEN '{\"status\": \"failed\"}'::jsonb"
                " WHEN 'loop' THEN '{\"index\": 2}' ELSE '77' END WHERE run_id = %s AND scope = %s AND key = %s AND ordinal = %s",
                [run, scope, key, ordinal],
            ).rowcount
            assert changed == 1, scope
            assert problems(db, run) == [("hash", path)]
    assert problems(db, run) == []


def test_sizes_within_limits(db):
    definition = {"policy": {"limits": {"value_bytes": 100}}}
    run = start(db, "size", definition)
    assert attempt(db, "set_variable(%s, 'v', to_jsonb(repeat('x', 99)))", run) == "54000"
    call(db, "set_variable(%s, 'v', to_jsonb(repeat('x', 98)))", run)
    assert problems(db, run) == []
    with db.transaction(force_rollback=True):
        db.execute("UPDATE layra.cell SET value = to_jsonb(repeat('x', 99)) WHERE run_id = %s AND key = 'v'", [run])
        assert ("size", "/global_variables/v") in problems(db, run)


WRITES = {
    "set_variables": "set_variables(%s, '{\"v\": \"secret\"}')",
    "try_set_variables": "try_set_variables(%s, '{\"v\": \"secret\"}')",
    "set_variable": "set_variable(%s, 'v', '\"secret\"')",
    "save_state": "save_state(%s, '{\"global_variables\": {\"v\": \"secret\"}}')",
    "append_event": "append_event(%s, 'note', '{}', '{\"v\": \"secret\"}')",
    "append_events": "append_events(%s, '[{\"type\": \"note\", \"updates\": {\"v\": \"secret\"}}]')",
    "complete_node": "complete_node(%s, 'prepare', '1', '{\"v\": \"secret\"}')",
}


@pytest.mark.parametrize("name", WRITES)
def test_schemas_are_checked_on_every_write(db, raises, name):
    run = start(db, name, flow(variables={"v": {"schema": {"type": "integer"}}}))
    begin(db, run, "prepare")
    with unchanged(db, run):
        with raises(CHECK) as error:
            call(db, WRITES[name], run)
        detail = json.loads(error.detail)
        assert detail["violation_count"] == 1 and detail["run_id"] == run
        assert detail["violations"][0]["keyword"] == "type" and detail["violations"][0]["path"].endswith("/v")
        assert "secret" not in f"{error.message}{error.detail}{error.hint}"


def test_a_new_definition_does_not_change_what_a_run_is_checked_against(db):
    run = start(db, "pinned", {"variables": {"v": {"schema": {"type": "integer"}}}})
    name = workflow_of(db, run)
    call(db, "define_workflow(%s, %s::jsonb)", name, json.dumps({"variables": {"v": {"schema": {"type": "string"}}}}))
    assert attempt(db, "set_variable(%s, 'v', '\"x\"')", run) == CHECK
    assert attempt(db, "set_variable(%s, 'v', '1')", run) == 2
    assert problems(db, run) == []


# --- event types ----------------------------------------------------------------------------------------------------------------


def test_payloads_of_a_type_are_checked(db, raises):
    kind = f"mail.sent{next(serial)}"
    run = start(db, "type")
    call(db, "append_event(%s, %s, '{\"cc\": 1}')", run, kind)
    call(db, "define_event_type(%s, '{\"required\": [\"to\"], \"properties\": {\"to\": {\"type\": \"string\"}}}')", kind)
    with unchanged(db, run):
        with raises(CHECK) as error:
            call(db, "append_event(%s, %s, '{\"to\": 12345678}')", run, kind)
        assert json.loads(error.detail)["violations"] == [{"path": "/to", "keyword": "type"}]
        assert "12345678" not in f"{error.message}{error.detail}{error.hint}"
        with raises(CHECK) as error:
            call(db, "append_events(%s, %s::jsonb)", run, json.dumps([
                {"type": kind, "payload": {"to": "a"}}, {"type": "other"}, {"type": kind}, {"type": kind, "payload": {"to": 1}},
            ]))  # fmt: skip
        paths = [(each["path"], each["keyword"]) for each in json.loads(error.detail)["violations"]]
        assert paths == [("/2/payload", "required"), ("/3/payload/to", "type")]
    assert call(db, "append_event(%s, %s, '{\"to\": \"a\"}')", run, kind) == 3
    assert call(db, "append_event(%s, %s, '{}')", run, f"{kind}.later") == 4
    # The same owner again replaces the schema.
    call(db, "define_event_type(%s, 'true')", kind)
    assert call(db, "append_event(%s, %s, '{}')", run, kind) == 5
    call(db, "define_event_type(%s, 'false')", kind)
    assert attempt(db, "append_event(%s, %s, '{\"to\": \"a\"}')", run, kind) == CHECK
    sound(db, run)


def test_a_session_that_knows_the_old_schema_uses_the_new_one(db, connect):
    kind = f"known{next(serial)}"
    run, other = start(db, "known"), connect()
    call(db, "define_event_type(%s, 'true')", kind)
    call(other, "append_event(%s, %s)", run, kind)
    call(db, "define_event_type(%s, 'false')", kind)
    assert attempt(other, "append_event(%s, %s)", run, kind) == CHECK
    # Not before it is committed.
    with db.transaction(force_rollback=True):
        call(db, "define_event_type(%s, 'true')", kind)
        assert attempt(other, "append_event(%s, %s)", run, kind) == CHECK


@pytest.mark.parametrize("kind, schema", [
    ("run.started", "true"), ("node.x", "true"), ("layra.x", "true"), ("", "true"), (None, "true"), ("x" * 256, "true"), ("a\x07", "true"),
    ("fine", None), ("fine", "1"), ("fine", '{"type": "nonsense"}'), ("fine", '{"$ref": "https://example.com/schema"}'),
    ("fine", '{"pattern": "("}'), ("fine", "[]"), ("fine", '"x"'),
])  # fmt: skip
def test_event_types_that_cannot_be(db, kind, schema):
    assert attempt(db, "define_event_type(%s, %s::jsonb)", kind, schema) == ARGUMENT
    assert rows(db, "event_type WHERE type = 'fine'") == []


def test_event_types_are_ones_own(db, people):
    alice, bob, boss, second = people(), people(), people("admin"), people("admin")
    kind = f"tenant.type{next(serial)}"
    one, other = start(alice, "alices"), start(bob, "bobs")
    add = "append_event(%s, %s, %s::jsonb)"
    call(alice, "define_event_type(%s, '{\"required\": [\"a\"]}')", kind)
    # Another tenant's schema never stops me.
    assert attempt(bob, add, other, kind, "{}") == 2
    assert attempt(alice, add, one, kind, "{}") == CHECK
    for connection in (alice, bob):
        assert attempt(connection, "define_event_type(%s, 'true', shared => true)", f"{kind}.x") == DENIED
    # A shared one holds for everybody who has none.
    call(boss, "define_event_type(%s, '{\"required\": [\"s\"]}', shared => true)", kind)
    assert attempt(bob, add, other, kind, "{}") == CHECK
    assert attempt(bob, add, other, kind, '{"s": 1}') == 3
    assert attempt(alice, add, one, kind, '{"s": 1}') == CHECK
    assert attempt(alice, add, one, kind, '{"a": 1}') == 2
    # And not before the role's own.
    call(bob, "define_event_type(%s, 'true')", kind)
    assert attempt(bob, add, other, kind, "{}") == 4
    assert attempt(second, "define_event_type(%s, 'true', true)", kind) == TAKEN
    assert {r["owner"] for r in rows(bob, "event_type WHERE type = %s", kind)} == {bob.info.user, boss.info.user}
    # No longer shared: the owner's alone.
    call(boss, "define_event_type(%s, 'false', shared => false)", kind)
    carol = people()
    third = start(carol, "carols")
    assert attempt(carol, add, third, kind, "{}") == 2


def test_event_types_are_those_of_the_runs_owner(db, people, role):
    team = role("team")
    call(db, "grant_access(%s, 'writer')", team)
    member = people(options=f"IN ROLE {team}")
    kind = f"owner.type{next(serial)}"
    call(member, "define_event_type(%s, 'false')", kind)
    run = start(member, "teams")
    assert attempt(member, "append_event(%s, %s)", run, kind) == CHECK
    call(member, "set_owner(%s, %s)", run, team)
    assert attempt(member, "append_event(%s, %s)", run, kind) == 3


def test_definitions_of_different_owners_do_not_wait(db, people):
    alice, bob = people(), people()
    run = start(bob, "free")
    bob.execute("SET lock_timeout = '20ms'")
    kind = f"wait{next(serial)}"
    with alice.transaction():
        call(alice, "define_event_type(%s, 'false')", kind)
        assert attempt(bob, "append_event(%s, %s)", run, kind) == 2
        assert attempt(bob, "define_event_type(%s, 'true')", kind) in (None, "")


# --- custom rules -------------------------------------------------------------------------------------------------------------


def test_a_rule_of_ones_own(db):
    run = start(db, "rule", flow())
    rule = function(db, "SELECT run_id || ' is ' || m FROM jsonb_object_keys(state -> 'global_variables') m WHERE m LIKE 'bad%'")
    call(db, "add_validator(%s, 'no bad', %s::regprocedure)", workflow_of(db, run), rule)
    assert problems(db, run) == []
    first = call(db, "set_variables(%s, '{\"bad\": 1, \"bad too\": 2}')", run)
    call(db, "unset_variables(%s, '{bad}')", run)
    assert rows(db, "validate_run(%s)", run) == [{"rule": "no bad", "path": "", "message": f"{run} is bad too"}]
    # At a version: with the state of that time.
    assert len(problems(db, run, first)) == 2
    assert problems(db, run, 1) == []
    # Of that workflow's runs only, and replaced under the same name.
    assert problems(db, start(db, "other", flow(), variables={"bad": 1})) == []
    call(db, "add_validator(%s, 'no bad', %s::regprocedure)", workflow_of(db, run), function(db, "SELECT NULL::text WHERE false"))
    assert problems(db, run) == []
    stored = row(db, "validator WHERE workflow = %s", workflow_of(db, run))
    assert isinstance(stored["function"], str) and stored["function"].startswith("public.f")


def test_a_rule_sees_the_state_document(db):
    run = start(db, "document", flow(), variables={"v": 1})
    rule = function(db, "SELECT state::text")
    call(db, "add_validator(%s, 'shows', %s::regprocedure)", workflow_of(db, run), rule)
    (found,) = rows(db, "validate_run(%s)", run)
    (expected,) = db.execute("SELECT layra.get_state(%s)::text", [run]).fetchone()
    assert found["message"] == expected


def test_what_a_rule_sets_in_the_session_stays_set(db):
    """As after any function, also of what the extension sets for its own statements meanwhile."""
    run = start(db, "sets", flow())
    settings = ("enable_sort", "enable_seqscan", "jit", "work_mem", "role")
    rule = function(db, "SELECT NULL::text FROM set_config('enable_sort', 'off', false) a, set_config('work_mem', '1234kB', false) b")
    call(db, "add_validator(%s, 'sets', %s::regprocedure)", workflow_of(db, run), rule)
    before = {name: db.execute(f"SHOW {name}").fetchone()[0] for name in settings}
    assert problems(db, run) == []
    assert {name: db.execute(f"SHOW {name}").fetchone()[0] for name in settings} == before | {"enable_sort": "off", "work_mem": "1234kB"}
    db.execute("RESET enable_sort; RESET work_mem")
    assert state(db, run)
    assert {name: db.execute(f"SHOW {name}").fetchone()[0] for name in settings} == before


def test_a_rule_that_fails_is_an_error_and_not_a_problem(db):
    run = start(db, "fails", flow())
    rule = function(db, "SELECT (1 / (length(run_id) - length(run_id)))::text")
    call(db, "add_validator(%s, 'fails', %s::regprocedure)", workflow_of(db, run), rule)
    assert attempt(db, "validate_run(%s)", run) == "22012"
    rule = function(db, "BEGIN RAISE 'no' USING ERRCODE = 'MY001'; END", language="plpgsql")
    call(db, "add_validator(%s, 'fails', %s::regprocedure)", workflow_of(db, run), rule)
    assert attempt(db, "validate_run(%s)", run) == "MY001"
    assert state(db, run)
    # A NULL is no message, and no crash.
    call(db, "add_validator(%s, 'fails', %s::regprocedure)", workflow_of(db, run), function(db, "SELECT NULL::text"))
    assert problems(db, run) == []


def test_rules_run_as_the_caller(db, people):
    boss, alice = people("admin"), people()
    run = start(alice, "caller", flow())
    who = function(db, "SELECT current_user::text || ' ' || session_user::text || ' ' || current_setting('role')")
    call(boss, "add_validator(%s, 'who', %s::regprocedure)", workflow_of(alice, run), who)
    name = alice.info.user
    assert rows(alice, "validate_run(%s)", run)[0]["message"] == f"{name} {name} none"
    assert rows(db, "validate_run(%s)", run)[0]["message"] == "postgres postgres none"
    # Nothing of the tables' owner: neither his rows nor his rights.
    other = start(people(), "hidden")
    spy = function(db, f"SELECT r.run_id FROM layra.run r WHERE r.run_id = '{other}'")
    call(boss, "add_validator(%s, 'who', %s::regprocedure)", workflow_of(alice, run), spy)
    assert problems(alice, run) == []
    hostile = function(db, "BEGIN DELETE FROM layra.event; RETURN; END", language="plpgsql")
    call(boss, "add_validator(%s, 'who', %s::regprocedure)", workflow_of(alice, run), hostile)
    assert attempt(alice, "validate_run(%s)", run) == READ_ONLY
    caught = function(db, "BEGIN BEGIN PERFORM layra.get_state('no such run'); EXCEPTION WHEN OTHERS THEN NULL; END;"
                          " INSERT INTO layra.access VALUES (current_user, 'admin'); RETURN; END", language="plpgsql")  # fmt: skip
    call(boss, "add_validator(%s, 'who', %s::regprocedure)", workflow_of(alice, run), caught)
    assert attempt(alice, "validate_run(%s)", run) == READ_ONLY
    assert attempt(alice, "recover_run(%s)", run) == READ_ONLY
    assert alice.execute("SELECT current_user").fetchone() == (name,)


def test_only_admins_add_rules(db, people):
    rule = function(db, "SELECT NULL::text WHERE false")
    for level in ("writer", "auditor"):
        person = people(level)
        assert attempt(person, "add_validator('w', 'v', %s::regprocedure)", rule) == DENIED
        assert attempt(person, "remove_validator('w', 'v')") == DENIED
    assert attempt(people("admin"), "add_validator('w', 'v', %s::regprocedure)", rule) in (None, "")
    for sql in ("add_validator(NULL, 'v', %s::regprocedure)", "add_validator('', 'v', %s::regprocedure)",
                "add_validator('w', NULL, %s::regprocedure)", "add_validator('w', '', %s::regprocedure)"):  # fmt: skip
        assert attempt(db, sql, rule) == ARGUMENT, sql
    assert attempt(db, "add_validator('w', 'v', NULL)") == ARGUMENT
    for sql in ("remove_validator(NULL, 'v')", "remove_validator('', 'v')", "remove_validator('w', NULL)", "remove_validator('w', '')"):
        assert attempt(db, sql) == ARGUMENT, sql


@pytest.mark.parametrize("returns, arguments, body, options", [
    ("SETOF text", "run_id text", "SELECT 'x'", ""), ("SETOF text", "state jsonb, run_id text", "SELECT 'x'", ""),
    ("SETOF text", "run_id varchar, state jsonb", "SELECT 'x'", ""), ("SETOF text", "run_id text, state json", "SELECT 'x'", ""),
    ("SETOF text", "run_id text, state jsonb, more int", "SELECT 'x'", ""), ("text", "run_id text, state jsonb", "SELECT 'x'", ""),
    ("void", "run_id text, state jsonb", "SELECT", ""), ("SETOF int", "run_id text, state jsonb", "SELECT 1", ""),
    ("SETOF record", "run_id text, state jsonb", "SELECT 1, 2", ""), ("boolean", "run_id text, state jsonb", "SELECT true", ""),
])  # fmt: skip
def test_functions_that_are_no_rules(db, returns, arguments, body, options):
    rule = function(db, body, returns, arguments, options=options)
    assert attempt(db, "add_validator('w', 'v', %s::regprocedure)", rule) == ARGUMENT


def test_procedures_and_aggregates_are_no_rules(db):
    db.execute("CREATE OR REPLACE PROCEDURE public.proc(run_id text, state jsonb) LANGUAGE sql AS $$ SELECT 1 $$")
    assert attempt(db, "add_validator('w', 'v', 'public.proc(text,jsonb)')") == ARGUMENT


def test_a_rule_with_an_odd_name(db):
    db.execute('CREATE SCHEMA IF NOT EXISTS "Odd ""schema"')
    db.execute('CREATE FUNCTION "Odd ""schema"."f(text,jsonb)"(text, jsonb) RETURNS SETOF text LANGUAGE sql AS $$ SELECT \'odd\' $$')
    run = start(db, "odd", flow())
    call(db, "add_validator(%s, 'odd', %s::regprocedure)", workflow_of(db, run), '"Odd ""schema"."f(text,jsonb)"(text,jsonb)')
    assert problems(db, run) == [("odd", "")]
    # Whatever the search_path of the caller is.
    db.execute('SET search_path = "Odd ""schema"')
    assert problems(db, run) == [("odd", "")]
    db.execute("RESET search_path")


def test_a_rule_whose_function_is_gone_stops_nobody(db):
    run = start(db, "gone", flow())
    gone, kept = function(db, "SELECT 'x'"), function(db, "SELECT 'kept'")
    call(db, "add_validator(%s, 'gone', %s::regprocedure)", workflow_of(db, run), gone)
    call(db, "add_validator(%s, 'kept', %s::regprocedure)", workflow_of(db, run), kept)
    db.execute(f"DROP FUNCTION {gone}")
    found = rows(db, "validate_run(%s)", run)
    assert [r["rule"] for r in found] == ["gone", "kept"]
    assert gone.split("(")[0] in found[0]["message"]
    assert call(db, "set_variable(%s, 'v', '1')", run) == 2
    # Another function under that name takes its place.
    call(db, "add_validator(%s, 'gone', %s::regprocedure)", workflow_of(db, run), function(db, "SELECT NULL::text WHERE false"))
    assert problems(db, run) == [("kept", "")]
    for name in ("kept", "gone", "gone", "never"):
        call(db, "remove_validator(%s, %s)", workflow_of(db, run), name)
    assert problems(db, run) == rows(db, "validator WHERE workflow = %s", workflow_of(db, run)) == []


# --- groups of variables ---------------------------------------------------------------------------------------------------------


def test_variables_by_group(db):
    run = start(db, "groups", {"variables": {
        "total": {"group": "money", "default": 1}, "tax": {"group": "money", "default": 2}, "title": {"group": "text", "default": "t"},
        "bare": {"default": 3}, "unset": {"group": "money"},
    }})  # fmt: skip
    call(db, "set_variable(%s, 'stranger', '4')", run)
    assert call(db, "get_variables(%s, in_group => 'money')", run) == {"total": 1, "tax": 2}
    assert call(db, "get_variables(%s, in_group => 'text')", run) == {"title": "t"}
    assert call(db, "get_variables(%s, in_group => 'unknown')", run) == {}
    assert call(db, "get_variables(%s, '{tax,title}', in_group => 'money')", run) == {"tax": 2}
    assert set(call(db, "get_variables(%s)", run)) == {"total", "tax", "title", "bare", "stranger"}
    call(db, "set_variable(%s, 'total', '10')", run)
    assert call(db, "get_variables(%s, at_version => 2, in_group => 'money')", run) == {"total": 1, "tax": 2}
    assert {(r["name"], r["group"]) for r in rows(db, "variables WHERE run_id = %s", run)} == {
        ("total", "money"), ("tax", "money"), ("title", "text"), ("bare", None), ("stranger", None),
    }  # fmt: skip
    assert {r["name"] for r in rows(db, "variables WHERE run_id = %s AND \"group\" = 'money'", run)} == {"total", "tax"}
    assert call(db, "get_variables(%s, in_group => 'money')", start(db, "no workflow", variables={"total": 1})) == {}
    assert attempt(db, "get_variables(%s, in_group => '')", run) in (ARGUMENT, {})
    call(db, "fork_run(%s, %s)", run, f"{run} fork")
    assert call(db, "get_variables(%s, in_group => 'money')", f"{run} fork") == {"total": 10, "tax": 2}


def test_a_schema_compiled_once_stays_right(db):
    """Two workflows of one name by two definitions, in one session, write after write."""
    name = f"twice {next(serial)}"
    for kind, good, bad in (("integer", "1", '"x"'), ("string", '"x"', "1"), ("integer", "1", '"x"')):
        call(db, "define_workflow(%s, %s::jsonb)", name, json.dumps({"variables": {"v": {"schema": {"type": kind}}}}))
        run = f"twice {next(serial)}"
        call(db, "start_run(%s, %s)", run, name) if kind == "string" else call(db, "start_run(%s, %s, workflow_version => 1)", run, name)
        for _ in range(3):
            assert attempt(db, "set_variable(%s, 'v', %s::jsonb)", run, good) == head(db, run)
            assert attempt(db, "set_variable(%s, 'v', %s::jsonb)", run, bad) == CHECK
