"""Every function, table and view of the schema × every kind of role × everybody's runs, workflows, event types, breakers and
handlers: each cell is allowed, or refused as docs/privileges.md says.

The cells are made from the catalogue, so what is new is in the matrix, or fails it. What is expected follows from the few
rules under "the documentation", and nothing else. Every call is made in a login of the role's own, and taken back.
"""

from functools import cache

import psycopg
import pytest
from tenants import ACTORS, LEVELS, OWNERS, ROLES, columns, functions, furnished, relations

DENIED, MISSING, TAKEN, BROKEN = "42501", "P0002", "23505", "23514"


@pytest.fixture(scope="module")
def cast(dsn, role):
    with furnished(dsn, role) as cast:
        yield cast


# --- the documentation, in rules ---------------------------------------------------------------------------------------


def level(actor):
    return "superuser" if actor == "superuser" else LEVELS.get(actor.replace("dave as ", ""))


def has_privileges_of(actor, owner):
    """A role, its members that inherit, and superusers."""
    return actor == "superuser" or owner == {"carol": "team", "dave as team": "team"}.get(actor, actor) or owner == actor


def may_read(actor, owner):
    reads_everything = level(actor) in ("auditor", "superuser") or actor == "bypass"
    return reads_everything or (level(actor) is not None and has_privileges_of(actor, owner))


def may_call(actor, function):
    """Auditors read, writers and admins also change; the levels themselves are given by superusers."""
    if function.name in ("grant_access", "revoke_access", "check_access", "renew_grants"):
        return level(actor) == "superuser"
    return level(actor) in (("writer", "admin", "superuser") if function.changes else ("writer", "auditor", "admin", "superuser"))


def expected(actor, function, owner):
    """What a call on what `owner` has gives."""
    if not may_call(actor, function):
        return DENIED
    if function.name in ("on_event", "off_event", "add_validator", "remove_validator"):
        return "works" if level(actor) in ("admin", "superuser") else DENIED
    if function.name in ("import_run", "import_lines"):  # of nothing, and of what is no export
        refused = {"import_run": "XX001", "import_lines": "22023"}[function.name]
        return refused if level(actor) in ("admin", "superuser") else DENIED
    if function.name == "breaker_state":
        return "works" if may_read(actor, owner) else MISSING
    if function.name.startswith("breaker_") or function.name == "reset_breaker":
        return "works" if has_privileges_of(actor, owner) else MISSING
    if function.name == "start_run":
        return TAKEN
    # What the policies ask: an answer, and no more.
    if function.name == "reads_run":
        return "works"
    if function.arguments[:1] == ["run_id"]:
        allowed = has_privileges_of(actor, owner) if function.changes else may_read(actor, owner)
        return "works" if allowed else DENIED
    return "works"


def compare(found, wanted, what):
    wrong = [f"{what}, {key}: {found[key]}, not {wanted[key]}" for key in wanted if found[key] != wanted[key]]
    assert not wrong, "\n".join(wrong)


# --- functions ---------------------------------------------------------------------------------------------------------


def test_every_function_has_a_call(cast):
    """One of which nobody has said what its arguments could be is not in the matrix."""
    for function in functions(cast.admin):
        assert function.call(**cast.names("alice")).startswith(f"layra.{function.name}(")
    assert len(functions(cast.admin)) > 60


@pytest.mark.parametrize("actor", ACTORS)
def test_functions(cast, actor):
    for owner in OWNERS:
        calls = {f"SELECT * FROM {function.call(**cast.names(owner))}": function for function in functions(cast.admin)}
        found = cast.outcomes(actor, calls)
        wanted = {call: expected(actor, function, owner) for call, function in calls.items()}
        compare({call: state for call, (state, _) in found.items()}, wanted, f"{actor} on what {owner} has")
        # What is refused says nothing of what is in there.
        for call, (state, said) in found.items():
            assert state == "works" or f"{owner}'s secret" not in said, (call, said)
            cast.count["refused"] += state != "works"
        cast.count["calls"] += len(calls)


@pytest.mark.parametrize("actor", ACTORS)
def test_what_does_not_exist(cast, actor):
    """A run of nobody's is P0002 for whoever may call at all."""
    names = cast.names("alice") | {"o": "nobody"}
    calls = {f"SELECT * FROM {function.call(**names)}": function for function in functions(cast.admin)
             if "run_id" in function.arguments and function.name not in ("start_run", "save_state", "reads_run")}  # fmt: skip
    wanted = {call: MISSING if may_call(actor, function) else DENIED for call, function in calls.items()}
    compare({call: state for call, (state, _) in cast.outcomes(actor, calls).items()}, wanted, actor)


@pytest.mark.parametrize("actor", ACTORS)
def test_definitions_of_others(cast, actor):
    """A run uses what its own owner has defined, else what is shared, whoever else has the name; to share needs an admin."""
    writes = level(actor) in ("writer", "admin", "superuser")
    shares = level(actor) in ("admin", "superuser")
    # By the name of the role: who has another's privileges still defines and starts in his own name. Nobody has `superuser`.
    own = {"dave as team": "team"}.get(actor, actor)
    wanted = {
        "SELECT layra.start_run('mine', 'shared')": "works",
        "SELECT layra.start_run('mine', 'own')": "works" if own in OWNERS else MISSING,
        "SELECT layra.start_run('mine', 'own', workflow_version => 2)": MISSING,
        "SELECT layra.start_run('mine', 'no such workflow')": MISSING,
        "SELECT layra.define_workflow('own', '{\"by\": \"me\"}')": "works",
        "SELECT layra.define_workflow('mine', '{}', shared => true)": "works" if shares else DENIED,
        # A shared name is one role's.
        "SELECT layra.define_workflow('shared', '{\"by\": \"me\"}', shared => true)":
            DENIED if not shares else "works" if actor == "boss" else TAKEN,
        "SELECT layra.define_event_type('mine', 'true', shared => true)": "works" if shares else DENIED,
        "SELECT layra.define_event_type('shared', 'true', shared => true)":
            DENIED if not shares else "works" if actor == "boss" else TAKEN,
        # Of three breakers of this name the role's own is meant.
        "SELECT layra.breaker_try('breaker')": "works" if own in OWNERS or actor in ("carol", "superuser") else MISSING,
    }  # fmt: skip
    for owner in OWNERS:
        on_run = "works" if has_privileges_of(actor, owner) else DENIED
        for event_type, strict in (("typed", ("alice", "team")), ("shared", OWNERS)):
            broken = on_run == "works" and owner in strict
            wanted[f"SELECT layra.append_event('{owner}', '{event_type}')"] = BROKEN if broken else on_run
    if not writes:
        wanted = dict.fromkeys(wanted, DENIED)
    compare({call: state for call, (state, _) in cast.outcomes(actor, wanted).items()}, wanted, actor)


@pytest.mark.parametrize("actor", ACTORS)
def test_owners_are_those_whom_one_can_become(cast, actor):
    """set_owner of what one has: to every role that one can SET ROLE to, and to nobody else."""
    members = {"carol": {"carol", "team"}, "dave": {"dave", "team"}, "dave as team": {"team"}, "superuser": {*ROLES} - {"gone"}}
    writes = level(actor) in ("writer", "admin", "superuser")
    run = {"carol": "team", "dave": "team", "dave as team": "team", "superuser": "gone"}.get(actor, actor)
    run = run if run in OWNERS else "bob"
    calls = {"SELECT layra.set_owner('bob', 'no such role')": "42704" if writes else DENIED}
    for new in ("alice", "bob", "carol", "dave", "team", "boss", "stranger"):
        works = writes and has_privileges_of(actor, run) and new in members.get(actor, {actor})
        calls[f"SELECT layra.set_owner('{run}', '{cast[new]}')"] = "works" if works else DENIED
    compare({call: state for call, (state, _) in cast.outcomes(actor, calls).items()}, calls, actor)


# --- tables and views --------------------------------------------------------------------------------------------------

# Whose a row is; the names of runs begin with their owner's.
WHOSE = {"run_id": "split_part(t.run_id, ' ', 1)", "owner": "t.owner", "created_by": "t.created_by", "role": "t.role",
         "source": "'of a dropped run'", "what": "'shared'"}


@cache
def rows_by_owner(cast, actor, relation):
    """How many rows an actor sees, by the short name of whose they are; shared rows count as nobody's."""
    names = columns(cast.admin, relation)
    whose = next(expression for column, expression in WHOSE.items() if column in names)
    if "shared" in names:
        whose = f"CASE WHEN t.shared THEN 'shared' ELSE {whose} END"
    short = {role: name for name, role in cast.roles.items()}
    rows = cast.session(actor).execute(f"SELECT {whose}, count(*) FROM layra.{relation} t GROUP BY 1").fetchall()
    return {short.get(owner, owner): count for owner, count in rows}


def test_every_relation_says_whose_its_rows_are(cast):
    """And has some, of everybody who can have any: else the matrix would show nothing."""
    for relation in relations(cast.admin):
        assert {*columns(cast.admin, relation)} & {*WHOSE}, relation
        there = rows_by_owner(cast, "superuser", relation)
        owners = {
            "access": {*LEVELS}, "handler": {"boss"}, "validator": {"boss"},
            # Older versions have left rows in the first; what is left of a dropped run has no owner any more.
            "inherited_key": set(), "bequeathed_key": set(), "session_memory": set(),
        }.get(relation, {*OWNERS})  # fmt: skip
        assert {*there} >= owners, relation


@pytest.mark.parametrize("actor", ACTORS)
def test_rows(cast, actor):
    """Every row that one may read, and no other."""
    for relation in relations(cast.admin):
        if level(actor) is None:
            assert cast.outcomes(actor, [call := f"SELECT FROM layra.{relation}"])[call][0] == DENIED, relation
            continue
        there = rows_by_owner(cast, "superuser", relation)
        wanted = {owner: count for owner, count in there.items() if owner == "shared" or may_read(actor, owner)}
        assert rows_by_owner(cast, actor, relation) == wanted, f"{actor}, {relation}"
        cast.count["rows"] += len(there)


WRITES = ("INSERT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER")


@pytest.mark.parametrize("actor", ACTORS)
def test_privileges(cast, actor):
    """As the catalogue has them: SELECT with a level, EXECUTE by level, nothing else, on no column either."""
    user = cast.session(actor).execute("SELECT current_user").fetchone()[0]
    superuser, has_level = actor == "superuser", level(actor) is not None

    def held(query, *arguments):
        return {row[:-1]: row[-1] for row in cast.admin.execute(query, arguments)}

    usage = has_level or actor in ("visitor", "reader", "scribe")
    assert held("SELECT 'schema', p, has_schema_privilege(%s, 'layra', p) FROM unnest('{USAGE,CREATE}'::text[]) p", user) == {
        ("schema", "USAGE"): usage, ("schema", "CREATE"): superuser,
    }  # fmt: skip
    tables = relations(cast.admin)
    found = held(
        "SELECT t, p, has_table_privilege(%s, 'layra.' || t, p) FROM unnest(%s::text[]) t, unnest(%s::text[]) p",
        user, tables, ["SELECT", *WRITES],
    )  # fmt: skip
    by_role = {"SELECT"} if has_level or actor == "reader" else set()
    if actor == "scribe":
        by_role |= {"INSERT", "UPDATE", "DELETE"}
    assert found == {(table, p): superuser or p in by_role for table in tables for p in ("SELECT", *WRITES)}
    found = held(
        "SELECT t, p, has_any_column_privilege(%s, 'layra.' || t, p) FROM unnest(%s::text[]) t, unnest(%s::text[]) p",
        user, tables, ["INSERT", "UPDATE", "REFERENCES"],
    )  # fmt: skip
    assert found == {(table, p): superuser or p in by_role for table in tables for p in ("INSERT", "UPDATE", "REFERENCES")}
    assert (
        cast.admin.execute(
            "SELECT attname FROM pg_attribute a JOIN pg_class c ON c.oid = attrelid"
            " WHERE relnamespace = 'layra'::regnamespace AND attacl IS NOT NULL"
        ).fetchall()
        == []
    )
    found = held(
        "SELECT proname::text, has_function_privilege(%s, oid, 'EXECUTE') FROM pg_proc"
        " WHERE pronamespace = 'layra'::regnamespace AND 'internal'::regtype <> ALL (proargtypes)", user,
    )  # fmt: skip
    assert found == {(function.name,): may_call(actor, function) for function in functions(cast.admin)}


STATEMENTS = (
    "INSERT INTO layra.{t} DEFAULT VALUES", "INSERT INTO layra.{t} SELECT * FROM layra.{t} LIMIT 1",
    "UPDATE layra.{t} SET {c} = {c}", "UPDATE layra.{t} SET {c} = NULL", "DELETE FROM layra.{t}", "TRUNCATE layra.{t} CASCADE",
    "SELECT FROM layra.{t} FOR UPDATE",
    "MERGE INTO layra.{t} t USING (VALUES (1)) s ON true WHEN MATCHED THEN DELETE",
    "SELECT FROM layra.{t} FOR KEY SHARE", "COPY layra.{t} FROM PROGRAM 'true'", "LOCK TABLE layra.{t} IN ROW EXCLUSIVE MODE",
    "ALTER TABLE layra.{t} OWNER TO CURRENT_USER", "ALTER TABLE layra.{t} DISABLE ROW LEVEL SECURITY",
    "DROP {kind} layra.{t} CASCADE",
    "CREATE TRIGGER t AFTER INSERT ON layra.{t} FOR EACH STATEMENT EXECUTE FUNCTION suppress_redundant_updates_trigger()",
    "CREATE RULE r AS ON INSERT TO layra.{t} DO INSTEAD NOTHING", "CREATE POLICY p ON layra.{t}",
    "CREATE INDEX ON layra.{t} ({c})",
    "CREATE TABLE pg_temp.child () INHERITS (layra.{t})", "GRANT SELECT ON layra.{t} TO PUBLIC",
)  # fmt: skip


@pytest.mark.parametrize("actor", [actor for actor in ACTORS if actor != "superuser"])
def test_nobody_writes_to_a_table(cast, actor):
    before = stored(cast)
    calls = {}
    for relation in relations(cast.admin):
        kind = "TABLE" if relation in before else "VIEW"
        for statement in STATEMENTS:
            calls[statement.format(t=relation, c=columns(cast.admin, relation)[0], kind=kind)] = kind
    for call, (state, said) in cast.outcomes(actor, calls).items():
        # Of a view PostgreSQL may have another good reason.
        reasons = (DENIED,) if calls[call] == "TABLE" else (DENIED, "55000", "42809", "0A000", "42P17")
        may_try = actor == "scribe" and call.split()[0] in ("INSERT", "UPDATE", "DELETE", "MERGE", "SELECT", "COPY", "LOCK")
        assert state in reasons or may_try or call.startswith("GRANT"), (actor, call, state, said)
    cast.count["writes"] += len(calls)
    # Now for real: a GRANT of what one has no right to grant is a warning, and roles that may write to every table of a database
    # (pg_write_all_data) meet row security, for which no row is theirs.
    for call in [call for call in calls if actor == "scribe" or call.startswith("GRANT")]:
        try:
            cast.session(actor).execute(call)
        except psycopg.Error:
            continue
    assert stored(cast) == before
    assert (
        cast.admin.execute(
            "SELECT relname FROM pg_class, aclexplode(relacl) a WHERE relnamespace = 'layra'::regnamespace AND a.grantee = 0"
        ).fetchall()
        == []
    )


def stored(cast):
    return {table: cast.admin.execute(f"SELECT count(*), sum(hashtextextended(t::text, 0)) FROM layra.{table} t").fetchone()
            for table in relations(cast.admin, "r")}  # fmt: skip


def test_nothing_is_left_of_all_that(cast, figures):
    """Everything was taken back, so what was compared was always the same."""
    assert cast.admin.execute("SELECT * FROM layra.verify()").fetchall() == []
    assert cast.admin.execute("SELECT count(*) FROM layra.run WHERE run_id IN ('mine', 'nobody', 'a fork')").fetchone() == (0,)
    count = cast.count
    figures(f"{count['calls']} calls, {count['refused']} refused, {count['rows']} times rows or none, {count['writes']} writes")
