"""Every writing function, at every isolation level, against another session that writes where it writes.

The cells of the matrix are generated from CASES, and `contract` says in a few lines what each of them must give.
"""

import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import psycopg
import pytest
from server import PATIENCE

LEVELS = ["READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"]

# What the other session has done when the call is made, or does while the call waits for it.
ALONE, COMMITTED, COMMITS, ROLLS_BACK = "alone", "has committed", "commits", "rolls back"
# What the call says of what it expects.
NOTHING, VERSION, KEY = "no expectation", "expected version", "the same key"

DONE = "done"
# The conflict of try_set_variables, which is no error.
ROW = "a row"


@dataclass(frozen=True)
class Rival:
    """What the other session does. `then`: what a call without expectation gives at READ COMMITTED once that is
    committed. `hidden`: whether a snapshot that does not see it yet is refused. `waits`: whether a call waits for it."""

    calls: str
    then: str = DONE
    hidden: bool = True
    waits: bool = True


@dataclass(frozen=True)
class Case:
    """A call, what the run `r` needs before it (separated by semicolons, like calls of rivals), and its rivals."""

    call: str
    before: str
    rivals: tuple

    @property
    def function(self):
        return self.call.partition("(")[0]


WRITES = Rival("append_event('r', 'rival', updates => '{\"v\": \"rival\"}')")
# An event changes the log only; this one changes the run's row as well.
CHANGES_ROW = Rival("set_owner('r', session_user)")
DROPS = Rival("drop_run('r')", then="P0002")
# There is no moment at which nobody finds the run.
REPLACES = Rival("drop_run('r'); start_run('r')")
RIVALS = (WRITES, CHANGES_ROW, DROPS)


def beside(rival):
    """For calls that do not depend on what the rival does."""
    return replace(rival, hidden=False, waits=False)


def case(call, before="", *rivals):
    """A call against the usual rivals, or against others."""
    return Case(call, before, rivals or RIVALS)


BEGIN = "begin_node('r', 'n', 'w', '20 minutes')"
ASKS = "pause_run('r', 'n')"
APPENDS = Rival("append_event('r', 'rival')")
VALID = "'public.valid(text, jsonb)'"
HANDLE = "'public.handle(text, bigint, text, jsonb)'"
FAILS = "define_breaker('b', 1, '1 minute', '1 minute'); breaker_failure('b')"
FAILS_ONCE = "define_breaker('b', 2, '1 minute', '1 minute'); breaker_failure('b')"

CASES = [
    # Variables and the whole state.
    case("set_variables('r', '{\"w\": 1}')", "", *RIVALS, REPLACES),
    case("set_variables('r', '{\"w\": 1}', on_conflict => 'merge', expected_version => 2)"),
    case("set_variables('r', '{\"v\": 1}', on_conflict => 'overwrite', expected_version => 2)"),
    case("set_variables('r', '{\"w\": 1}', '{\"v\": 1}')", "", replace(WRITES, then="40001"), CHANGES_ROW, DROPS),
    case("try_set_variables('r', '{\"w\": 1}')"),
    case("set_variable('r', 'v', '1')", "", WRITES, DROPS),
    case("unset_variables('r', '{v}')"),
    case("save_state('r', '{\"global_variables\": {\"w\": 1}}')", "", WRITES, CHANGES_ROW, replace(DROPS, then=DONE)),
    case("set_engine('r', '{\"skip_nodes\": [1]}')"),
    # The log.
    case("append_event('r', 'note', updates => '{\"w\": 1}')"),
    case("append_events('r', '[{\"type\": \"a\"}, {\"type\": \"b\"}]')"),
    # Runs that are there, and that are not.
    case("finish_run('r')"),
    case("cancel_run('r')"),
    case("reopen_run('r')", "finish_run('r', 'failed')", Rival("reopen_run('r'); finish_run('r', 'cancelled')"), DROPS),
    case("set_owner('r', session_user)"),
    case("drop_run('r')", "", *RIVALS, REPLACES, Rival("hold_run('r', 'audit')", then="55000")),
    case("hold_run('r', 'audit')"),
    case("import_run(ARRAY(SELECT line FROM public.archive))", "", Rival("start_run('imported')", then="23505")),
    case("import_lines('public.archive')", "", Rival("start_run('imported')", then="23505")),
    case("release_run('r')", "hold_run('r', 'audit')", WRITES, CHANGES_ROW, Rival("release_run('r'); drop_run('r')", then="P0002")),
    case("start_run('new')", "", Rival("start_run('new')", "23505"), Rival("fork_run('r', 'new')", "23505")),
    case("save_state('new', '{}')", "", Rival("save_state('new', '{}')"), Rival("start_run('new')")),
    case("fork_run('r', 'new')", "", beside(WRITES), beside(CHANGES_ROW), DROPS, REPLACES,
         Rival("start_run('new')", "23505")),
    # Time.
    case("checkpoint('r', 'there')"),
    case("checkpoint('r', 'there')", "", Rival("checkpoint('r', 'there')", "23505")),
    case("checkpoint('r', 'here', replace => true)"),
    case("protect_checkpoint('r', 'here')"),
    case("rollback('r', 1)"),
    case("rollback_to('r', 'here')"),
    # Nodes.
    case("begin_node('r', 'n')"),
    case("begin_node('r', 'n')", "", Rival("begin_node('r', 'n', 'other')", "55P03")),
    case("complete_node('r', 'n', '1', '{\"w\": 1}')", BEGIN),
    case("complete_node('r', 'n', '1')", BEGIN, Rival("complete_node('r', 'n', '2')", "55000")),
    case("fail_node('r', 'n', '1')", BEGIN),
    case("fail_node('r', 'n', '1')", BEGIN, Rival("complete_node('r', 'n', '2')", "55000")),
    case("skip_nodes('r', '{n}')"),
    case("reset_nodes('r', '{n}')", BEGIN),
    # A heartbeat only changes the lease; that of a run that is being dropped is gone.
    case("heartbeat('r', 'n', 1, '30 minutes')", BEGIN, beside(WRITES), beside(CHANGES_ROW),
         Rival("heartbeat('r', 'n', 1, '40 minutes')"), Rival("complete_node('r', 'n')", "55000")),
    # Loops and recovery.
    case("enter_loop('r', 'l')"),
    case("next_iteration('r', 'l')", "enter_loop('r', 'l')"),
    case("exit_loop('r', 'l')", "enter_loop('r', 'l')"),
    case("recover_run('r')", "begin_node('r', 'n')"),
    # People: what was changed since a question was asked is a conflict of its own.
    case("pause_run('r', 'n')"),
    case("resume_run('r', :asked)", ASKS, APPENDS, CHANGES_ROW, DROPS),
    case("resume_run('r', :asked)", ASKS, replace(WRITES, then="40001")),
    case("resume_run('r', :asked, on_change => 'accept')", ASKS),
    case("resume_run('r', :asked, '1')", ASKS, Rival("resume_run('r', :asked, '2')", "55000")),
    case("withdraw_interaction('r', :asked)", ASKS),
    # What belongs to no run. No call of a breaker waits for another one, but for definitions.
    case("define_workflow('w', '{\"x\": 1}')", "", Rival("define_workflow('w', '{\"x\": 2}')")),
    case("define_event_type('t', '{}')", "", Rival("define_event_type('t', 'true')")),
    case("set_retention('{\"drop\": true}')", "", Rival("set_retention('{}')")),
    case(f"add_validator('flow', 'x', {VALID})", "", Rival(f"add_validator('flow', 'x', {VALID})")),
    case("remove_validator('flow', 'x')", f"add_validator('flow', 'x', {VALID})", Rival("remove_validator('flow', 'x')")),
    case(f"on_event('never', {HANDLE})", "", Rival(f"on_event('never', {HANDLE})")),
    case(f"off_event('never', {HANDLE})", f"on_event('never', {HANDLE})", Rival(f"off_event('never', {HANDLE})")),
    case("define_breaker('b')", "", Rival("define_breaker('b', 7)")),
    case("breaker_try('b')", FAILS, Rival("breaker_try('b')", waits=False)),
    case("breaker_failure('b')", FAILS, beside(Rival("breaker_failure('b')"))),
    case("breaker_success('b')", FAILS_ONCE, Rival("breaker_success('b')", waits=False)),
    case("reset_breaker('b')", FAILS_ONCE, Rival("breaker_success('b')", waits=False)),
]  # fmt: skip


def contract(level, case, rival, expectation, situation):
    """The SQLSTATE of a cell, or DONE."""
    if situation in (ALONE, ROLLS_BACK) or not rival.hidden or (situation == COMMITS and not rival.waits):
        return DONE
    if level != "READ COMMITTED":
        return "40001"
    if expectation == VERSION:
        return ROW if case.function == "try_set_variables" else "40001"
    return rival.then if expectation == NOTHING else DONE


class Stage:
    """Three sessions: one that prepares, the other one, and the one whose call is looked at."""

    def __init__(self, conninfo):
        self.admin, self.other, self.session = (psycopg.connect(conninfo, autocommit=True) for _ in range(3))
        self.thread = ThreadPoolExecutor(1)
        self.asked = None
        # Later than the preparations, so that a breaker that is open then is half open.
        for connection in (self.other, self.session):
            connection.execute("SET layra.now = '2026-01-05 09:10:00+00'")
        self.admin.execute("""
            SET layra.now = '2026-01-05 09:00:00+00';
            CREATE FUNCTION public.handle(run_id text, version bigint, type text, payload jsonb) RETURNS void
                LANGUAGE sql AS '';
            CREATE FUNCTION public.valid(run_id text, state jsonb) RETURNS SETOF text LANGUAGE sql AS 'SELECT $1 LIMIT 0';
            SELECT layra.define_workflow('flow', '{
                "nodes": [{"id": "l", "type": "loop"}, {"id": "n", "type": "code"}],
                "edges": [{"source": "l", "target": "n", "sourceHandle": "loop_body"},
                          {"source": "n", "target": "l", "sourceHandle": "loop_next"}]}');
            SELECT layra.start_run('imported');
            CREATE TABLE public.archive AS SELECT layra.export_run('imported') AS line;
            SELECT layra.drop_run('imported');
        """)
        self.functions = {
            name: (arguments or [], result) for name, arguments, result in self.admin.execute("""
                SELECT proname, proargnames, format_type(prorettype, NULL) FROM pg_proc
                WHERE pronamespace = 'layra'::regnamespace AND provolatile = 'v'""")
        }  # fmt: skip

    def close(self):
        self.thread.shutdown()
        for connection in (self.admin, self.other, self.session):
            connection.close()

    # ----------------------------------------------------------------------------------------------- before and after

    def prepare(self, case):
        calls = f"start_run('r', 'flow', '{{\"v\": 0}}'); checkpoint('r', 'here'); {case.before}".split(";")
        self.admin.execute(";".join(f"SELECT layra.{call.strip()}" for call in calls if call.strip()))
        (self.asked,) = self.admin.execute("SELECT quote_literal(min(id::text)) FROM layra.interaction").fetchone()

    def clean(self):
        self.other.rollback()
        self.admin.execute("""
            SELECT layra.release_run(run_id) FROM layra.run WHERE hold IS NOT NULL;
            SELECT layra.drop_run(run_id) FROM layra.run;
            DELETE FROM layra.seal; DELETE FROM layra.retention; DELETE FROM layra.workflow WHERE name <> 'flow'; DELETE FROM layra.event_type;
            DELETE FROM layra.validator; DELETE FROM layra.handler;
            DELETE FROM layra.breaker; DELETE FROM layra.breaker_probe; DELETE FROM layra.breaker_outcome;
        """)

    def heads(self):
        """The newest versions of all runs, whose logs have no gaps and whose chains verify."""
        assert self.admin.execute("SELECT * FROM layra.verify()").fetchall() == []
        logs = self.admin.execute(
            "SELECT array_agg(version ORDER BY version) FROM layra.event GROUP BY run_id"
        ).fetchall()
        assert all(versions == list(range(1, len(versions) + 1)) for (versions,) in logs)
        return [versions[-1] for (versions,) in logs]

    # ------------------------------------------------------------------------------------------------------- one cell

    def expecting(self, case, expectation):
        """The call with what it expects as a further argument."""
        if expectation == NOTHING:
            return case.call
        if expectation == KEY:
            more = "idempotency_key => 'key'"
        elif "'new'" in case.call:
            more = "expected_version => 0"
        elif case.function == "set_variable":
            more = "expected_version => 1"
        else:
            more = f"expected_version => {max(self.heads())}"
        return f"{case.call[:-1]}, {more})"

    def run(self, connection, call):
        return connection.execute(f"SELECT * FROM layra.{call.replace(':asked', self.asked or '')}").fetchall()

    def outcome(self, call):
        """What comes of the call and of the end of its transaction, and the call's rows."""
        try:
            rows = self.run(self.session, call)
            self.session.execute("COMMIT")
        except psycopg.Error as error:
            self.session.execute("ROLLBACK")
            return error.sqlstate, None
        if call.startswith("try_set_variables") and not rows[0][0]:
            return ROW, rows
        return DONE, rows

    def wait_for(self, future):
        """Until the session waits for the other one, or does not have to."""
        deadline = time.monotonic() + PATIENCE
        while not future.done() and time.monotonic() < deadline:
            (blockers,) = self.admin.execute("SELECT pg_blocking_pids(%s)", [self.session.info.backend_pid]).fetchone()
            if blockers == [self.other.info.backend_pid]:
                return True
        assert future.done(), "neither ends nor waits"
        return False

    def play(self, level, case, rival, expectation, situation):
        """One cell: what came of the call, its rows and those of the rival's last call, whether it waited."""
        call = self.expecting(case, expectation)
        self.session.execute(f"BEGIN ISOLATION LEVEL {level}")
        self.session.execute("SELECT count(*) FROM layra.run")
        theirs, waited = None, False
        if situation != ALONE:
            self.other.execute("BEGIN")
            for step in (call if expectation == KEY else rival.calls).split(";"):
                theirs = self.run(self.other, step.strip())
        if situation == COMMITTED:
            self.other.execute("COMMIT")
        if situation in (ALONE, COMMITTED):
            return *self.outcome(call), theirs, waited
        future = self.thread.submit(self.outcome, call)
        waited = self.wait_for(future)
        self.other.execute("COMMIT" if situation == COMMITS else "ROLLBACK")
        return *future.result(), theirs, waited

    def cells(self, case):
        """The cells of a case: rival, expectation, situation."""
        arguments, _ = self.functions[case.function]
        may_expect = "expected_version" in arguments and "expected_version" not in case.call
        yield case.rivals[0], NOTHING, ALONE
        if may_expect:
            yield case.rivals[0], VERSION, ALONE
        for situation in (COMMITTED, COMMITS, ROLLS_BACK):
            for rival in case.rivals:
                yield rival, NOTHING, situation
                # What is gone has no version.
                if may_expect and rival.calls != DROPS.calls:
                    yield rival, VERSION, situation
            if "idempotency_key" in arguments:
                yield Rival(case.call), KEY, situation


@pytest.fixture(scope="module")
def stage(dsn):
    stage = Stage(dsn)
    yield stage
    stage.close()


# These have a test of their own below.
OTHERS = {"grant_access", "revoke_access", "check_access", "renew_grants"}


def test_every_writing_function_is_in_the_matrix(stage):
    assert {case.function for case in CASES} | OTHERS == set(stage.functions)


@pytest.mark.parametrize("level", LEVELS)
def test_each_cell_gives_what_the_contract_says(stage, level, figures):
    outcomes, waits, wrong = Counter(), 0, []
    for case in CASES:
        for rival, expectation, situation in stage.cells(case):
            stage.prepare(case)
            try:
                outcome, rows, theirs, waited = stage.play(level, case, rival, expectation, situation)
                heads = stage.heads()
            finally:
                stage.clean()
            outcomes[outcome] += 1
            waits += waited
            expected = contract(level, case, rival, expectation, situation)
            must_wait = rival.waits and situation in (COMMITS, ROLLS_BACK)
            good = outcome == expected and waited == must_wait
            if outcome == DONE and stage.functions[case.function][1] == "bigint":
                # Nothing was lost: this call's event is the newest one.
                good = good and rows[0][0] in heads
            if outcome == DONE and expectation == KEY and situation in (COMMITTED, COMMITS):
                # One of them did it, both have its answer.
                good = good and rows == theirs
            if not good:
                wrong.append(f"{case.call}, {expectation}; {rival.calls} {situation}: {outcome} {rows or ''}, expected"
                             f" {expected} {theirs or ''}, waited: {waited}, heads {heads}")  # fmt: skip
    assert not wrong, "\n".join([f"{len(wrong)} of {outcomes.total()} cells are wrong:", *wrong])
    counts = ", ".join(f"{count} {outcome}" for outcome, count in sorted(outcomes.items()))
    figures(f"{outcomes.total()} cells of {len(CASES)} calls; {counts}; {waits} waited")


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("situation", [COMMITTED, COMMITS, ROLLS_BACK])
@pytest.mark.parametrize(
    "before, theirs, ours",
    [
        ("grant_access('{}', 'writer')", "revoke_access('{}')", "grant_access('{}', 'auditor')"),
        ("grant_access('{}', 'auditor')", "grant_access('{}', 'writer')", "revoke_access('{}', 'auditor')"),
        ("check_access('{}', 'writer')", "grant_access('{}', 'writer')", "revoke_access('{}')"),
    ],
)
def test_grants_follow_layra_access(stage, granted, level, situation, before, theirs, ours):
    """Whoever grants or revokes while somebody else does: a role may write if, and only if, it has a level that says so.
    Above READ COMMITTED it is refused, for it would grant by an old list."""
    before, theirs, ours = (sql.format(granted) for sql in (before, theirs, ours))
    stage.run(stage.admin, before)
    outcome, _, _, waited = stage.play(level, case(ours), Rival(theirs), NOTHING, situation)
    if level == "READ COMMITTED":
        assert (outcome, waited) == (DONE, situation != COMMITTED)
    else:
        assert outcome == "25001"
    levels, may_read, may_write = stage.admin.execute(
        """SELECT ARRAY(SELECT level FROM layra.access WHERE role = %(role)s),
                  has_function_privilege(%(role)s, 'layra.get_state(text, bigint)', 'EXECUTE'),
                  has_function_privilege(%(role)s, 'layra.drop_run(text, text)', 'EXECUTE')""", {"role": granted},
    ).fetchone()  # fmt: skip
    assert (may_read, may_write) == (bool(levels), "writer" in levels)


@pytest.fixture(scope="module")
def granted(stage, role):
    return role("granted")


@pytest.fixture(scope="module")
def admins(stage, role):
    names = role("admin"), role("admin")
    for name in names:
        stage.run(stage.admin, f"grant_access('{name}', 'admin')")
    return names


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("situation", [COMMITTED, COMMITS, ROLLS_BACK])
@pytest.mark.parametrize("own", [False, True], ids=["new", "own"])
@pytest.mark.parametrize(
    "call", ["define_workflow('of all', '{}', shared => %s)", "define_event_type('of.all', '{}', shared => %s)"]
)
def test_a_shared_name_belongs_to_one(stage, admins, level, situation, own, call):
    """Of two admins who share a name, new or their own so far, one gets it. The other one is told that it is taken, or,
    where his snapshot does not show that, to try again."""
    share = call % "true"
    for connection, name in zip((stage.other, stage.session), admins):
        connection.execute(f"SET ROLE {name}")
        if own:
            stage.run(connection, call % "false")
    try:
        outcome, _, _, waited = stage.play(level, case(share), Rival(share), NOTHING, situation)
    finally:
        stage.other.execute("RESET ROLE")
        stage.session.execute("RESET ROLE")
        stage.clean()
    assert waited == (situation != COMMITTED)
    if situation == ROLLS_BACK:
        assert outcome == DONE
    else:
        assert outcome in ({"23505"} if level == "READ COMMITTED" else {"23505", "40001"})
