"""Functions of one row return one row, once: PostgreSQL calls what stands beside a set in a SELECT list once more than the
set has rows. What is tested is made from the catalogue, so that a new function cannot be left out."""

import psycopg
import pytest
from every_function import OF_THE_OWNER, SETUP, calls, functions

# They may give any number of rows.
SETS = {"cells", "changed_cells", "context", "diff", "events", "explain_run", "export_run", "heads", "help", "history", "remembered", "stale_runs", "validate_run", "verify",
        "verify_heads"}
# One row of several columns, by OUT parameters.
ROWS = {"begin_node", "breaker_state", "heartbeat", "recover_run", "try_set_variables"}


@pytest.fixture(scope="module")
def prepare(role):
    worker = role("worker")

    def prepare(connection):
        connection.execute("CREATE EXTENSION layra_state")
        connection.execute(SETUP.format(worker=worker))
        connection.execute(f"SET SESSION AUTHORIZATION {worker}; SELECT layra.start_run('counted'); RESET SESSION AUTHORIZATION")
        prepare.worker = worker

    return prepare


def test_a_function_is_a_set_only_where_there_can_be_several_rows(admin):
    found = admin.execute(
        "SELECT proname, proretset, provolatile = 'v', prorettype = 'record'::regtype"
        " FROM pg_proc WHERE pronamespace = 'layra'::regnamespace AND prokind = 'f'"
    ).fetchall()
    assert {name for name, is_set, _, _ in found if is_set} == SETS
    assert {name for name, is_set, _, is_record in found if is_record and not is_set} == ROWS
    # What changes something is no set, whatever it returns.
    assert not [name for name, is_set, changes, _ in found if is_set and changes]


def test_what_stands_beside_a_call_happens_once(admin, prepare):
    """In a SELECT list, on either side, and where the row is taken apart in FROM."""
    names = functions(admin)
    found = calls(admin, prepare.worker)
    assert set(found) == names
    beside = "layra.append_event('counted', 'beside')"
    for name in sorted(names - SETS):
        call = found[name].removeprefix("SELECT * FROM ")
        for select in (f"SELECT {call}, {beside}", f"SELECT {beside}, {call}", f"SELECT f, {beside} FROM {call} f"):
            with admin.transaction(force_rollback=True):
                if name not in OF_THE_OWNER:
                    admin.execute(f"SET LOCAL SESSION AUTHORIZATION {prepare.worker}")
                count = "SELECT version FROM layra.runs WHERE run_id = 'counted'"
                (before,) = admin.execute(count).fetchone()
                assert len(admin.execute(select).fetchall()) == 1, select
                assert admin.execute(count).fetchone() == (before + 1,), select


def test_a_row_can_be_read_in_every_way(connect, prepare):
    connection = connect(role=prepare.worker)
    columns = connection.execute("SELECT * FROM layra.try_set_variables('r', updates => '{\"v\": 3}')").description
    assert [column.name for column in columns] == ["committed", "version", "conflicts"]
    (version,) = connection.execute("SELECT (layra.try_set_variables('r', '{\"v\": 4}')).version").fetchone()
    assert connection.execute(
        "SELECT t.committed, t.version, t.conflicts FROM layra.try_set_variables(updates => '{\"v\": 5}', run_id => 'r') t"
    ).fetchone() == (True, version + 1, None)
    row = connection.execute("SELECT t FROM layra.try_set_variables('r', '{}', expected_version => 1) t").fetchone()[0]
    assert row[0] in ("f", False)
    connection.execute("""
        DO $$
        DECLARE
            whole record;
            taken boolean;
            newest bigint;
        BEGIN
            whole := layra.try_set_variables('r', '{"v": 6}');
            SELECT committed, version INTO taken, newest FROM layra.try_set_variables('r', '{"v": 7}');
            ASSERT whole.committed AND taken AND newest = whole.version + 1 AND whole.conflicts IS NULL;
            SELECT * INTO whole FROM layra.begin_node('r', 'another', worker => 'w', lease => '1 hour');
            ASSERT whole.status = 'running' AND whole.output IS NULL;
        END
        $$""")


def test_an_error_is_the_functions_own(connect, prepare, raises):
    connection = connect(role=prepare.worker)
    for call in ("begin_node('no run', 'n')", "heartbeat('no run', 'n', 1, '1 s')", "try_set_variables('no run', '{}')",
                 "breaker_state(current_user, 'no breaker')", "recover_run('no run')"):  # fmt: skip
        for select in (f"SELECT layra.{call}", f"SELECT * FROM layra.{call}"):
            with raises("P0002"):
                connection.execute(select)
    for call in ("begin_node(NULL, NULL)", "heartbeat(NULL, NULL, NULL, NULL)", "try_set_variables(NULL, NULL)",
                 "breaker_state(NULL, NULL)", "recover_run(NULL)"):  # fmt: skip
        with pytest.raises(psycopg.errors.InvalidParameterValue):
            connection.execute(f"SELECT layra.{call}")
