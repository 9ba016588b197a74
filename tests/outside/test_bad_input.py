"""Every function with every kind of wrong argument, and with right ones that are hard to take.

Each call gives the SQLSTATE of the documentation or works; after an error nothing in the schema has changed.
"""

import itertools
import json

import psycopg
import pytest
import remedies
from model import canonical

OK = "works"
ARGUMENT = "22023"
CONFLICT = "40001"
UNKNOWN = "P0002"

LONG = "n" * 256
# The longest name, four bytes a character: 1,020 bytes.
LONGEST = "🙂" * 255
ODD_NAMES = [
    "it's", '"quoted"', "back\\slash", "'; DROP TABLE layra.event; --", "a/b/c", "~0~1", "/", " ", "naïve 名前", "%s %(x)s",
    "$1", "{}", "null", "0", "-1", "layra.x", "e\u0301", "\u202eright to left", "\ufeff",
]  # fmt: skip

# --- the calls -------------------------------------------------------------------------------------------------

# A name, what it may not be. NULL is added where it is required.
NAME = [("", ARGUMENT), ("bell\a", ARGUMENT), ("tab\t", ARGUMENT), ("del\x7f", ARGUMENT), ("nel\u0085", ARGUMENT),
        (LONG, ARGUMENT)]  # fmt: skip
KEY = [*NAME, (LONGEST, OK), ("a key", OK)]
OBJECT = [("null", ARGUMENT), ("[]", ARGUMENT), ("1", ARGUMENT), ('"x"', ARGUMENT), ("true", ARGUMENT), ("{}", OK)]
VARIABLES = [
    *OBJECT, ('{"": 1}', ARGUMENT), (json.dumps({LONG: 1}), ARGUMENT), ('{"a\\u0001": 1}', ARGUMENT), ('{"v": null}', OK),
    (json.dumps({LONGEST: 1}), OK),
]  # fmt: skip
JSON = [(text, OK) for text in ("null", "1", "[]", '""', "false")]
RUN = [*NAME, ("no such run", UNKNOWN), (LONGEST, UNKNOWN), (None, ARGUMENT)]
EXPECTED = [(-1, ARGUMENT), (-(2**63), ARGUMENT), (2, CONFLICT), (99, CONFLICT), (2**63 - 1, CONFLICT), (0, CONFLICT), (5, OK)]
READ_VERSION = [(0, ARGUMENT), (-1, ARGUMENT), (6, ARGUMENT), (2**63 - 1, ARGUMENT), (-(2**63), ARGUMENT), (5, OK), (1, OK)]
# NULL where there is a default means the default.
DEFAULT = (None, OK)
REQUIRED = (None, ARGUMENT)

TYPES = [*NAME, *((f"{prefix}x", ARGUMENT) for prefix in
                  ("run.", "variables.", "state.", "checkpoint.", "node.", "loop.", "interaction.", "workflow.",
                   "breaker.", "policy.", "layra.")),
         ("run.", ARGUMENT), ("runs", OK), ("Run.x", OK), ("run", OK), (LONGEST, OK)]  # fmt: skip

HEAD = {"run_id": "run", "version": 1, "hash": "0" * 64}

STATE = [
    *OBJECT, REQUIRED,
    ('{"": 1}', ARGUMENT), (json.dumps({LONG: 1}), ARGUMENT), ('{"a\\u009f": 1}', ARGUMENT),
    ('{"layra.graph": 1}', ARGUMENT), ('{"layra.": 1}', ARGUMENT), ('{"layra": 1}', OK), (json.dumps({LONGEST: 1}), OK),
    *((json.dumps({field: value}), ARGUMENT)
      for field in ("global_variables", "execution_status", "loop_index", "context") for value in (None, [], 1, "x", True)),
    *((json.dumps({field: value}), ARGUMENT) for field in ("nodes", "edges") for value in (None, {}, 1, "x", False)),
    *((json.dumps({field: {name: value}}), ARGUMENT)
      for field, value in (("global_variables", 1), ("execution_status", True), ("loop_index", 1), ("context", []))
      for name in ("", LONG, "a\u0001")),
    *((json.dumps({field: {LONGEST: value}}), OK)
      for field, value in (("global_variables", 1), ("execution_status", True), ("loop_index", 1), ("context", [1]))),
    *((json.dumps({"execution_status": {"n": value}}), ARGUMENT) for value in (0, 1, "true", [], {})),
    *((json.dumps({"loop_index": {"n": value}}), ARGUMENT) for value in ("1", None, True, [], {})),
    *((json.dumps({"context": {"n": value}}), ARGUMENT) for value in ("1", None, True, 1, {})),
    ('{"execution_stack": null, "skip_nodes": {}, "anything": 1}', OK),
]  # fmt: skip

EVENTS = [
    REQUIRED, ("null", ARGUMENT), ("{}", ARGUMENT), ("[]", ARGUMENT), ("1", ARGUMENT), ("[1]", ARGUMENT), ("[null]", ARGUMENT),
    ("[{}]", ARGUMENT), ('[{"type": null}]', ARGUMENT), ('[{"type": 1}]', ARGUMENT), ('[{"type": ""}]', ARGUMENT),
    ('[{"type": "run.x"}]', ARGUMENT), (json.dumps([{"type": LONG}]), ARGUMENT), ('[{"type": "a\\u0007"}]', ARGUMENT),
    ('[{"type": "a", "unknown": 1}]', ARGUMENT), ('[{"type": "a", "updates": []}]', ARGUMENT),
    ('[{"type": "a", "updates": {"": 1}}]', ARGUMENT), ('[{"type": "a"}, {"type": "a", "updates": 1}]', ARGUMENT),
    ('[{"type": "a"}, 2]', ARGUMENT), ('[{"type": "a"}, {"type": "b", "payload": {"x": 1}, "updates": {"v": 2}}]', OK),
]  # fmt: skip

VERSIONS_OF_VARIABLES = [
    *OBJECT, DEFAULT, ('{"v": 1}', OK), ('{"new": 0}', OK), ('{"v": -1}', ARGUMENT), ('{"v": "1"}', ARGUMENT),
    ('{"v": null}', ARGUMENT), ('{"v": 1.5}', ARGUMENT), ('{"v": true}', ARGUMENT), ('{"": 1}', ARGUMENT),
    (json.dumps({LONG: 1}), ARGUMENT), ('{"v": 2}', CONFLICT), ('{"v": 0}', CONFLICT), ('{"new": 1}', CONFLICT),
    ('{"v": 99}', CONFLICT),
]  # fmt: skip

LABEL = [*NAME, (LONGEST, OK)]
KNOWN_LABEL = [*NAME, REQUIRED, ("unknown", UNKNOWN), (LONGEST, UNKNOWN), ("kept", OK)]
ON_CONFLICT = [DEFAULT, ("fail", OK), ("", ARGUMENT), ("FAIL", ARGUMENT), ("theirs", ARGUMENT), ("merge", ARGUMENT),
               ("overwrite", ARGUMENT)]  # fmt: skip
BOOLEAN = [DEFAULT, (True, OK), (False, OK)]
REASON = [DEFAULT, ("because of 'it'\nand more", OK)]

WRITE = {"expected_version": [DEFAULT, *EXPECTED], "idempotency_key": [DEFAULT, *KEY]}

# For each function the arguments of a call that works on the run `run` (five versions) and, for each argument, the
# values to try in it and what comes of them. The rest of the call stays as it is. A function stands here a second time,
# with a space behind its name, where another call shows more.
FUNCTIONS = {
    "define_workflow": (
        {"name": "w", "definition": '{"nodes": []}'},
        {"name": [*NAME, REQUIRED, (LONGEST, OK)], "definition": [*OBJECT, REQUIRED], "shared": BOOLEAN},
    ),
    "start_run": (
        {"run_id": "new"},
        {
            "run_id": [*NAME, REQUIRED, (LONGEST, OK), ("run", "23505")],
            "workflow": [*NAME, DEFAULT, ("flow", OK), ("unknown", UNKNOWN), (LONGEST, UNKNOWN)],
            "variables": [DEFAULT, *VARIABLES],
            "metadata": [DEFAULT, *OBJECT],
            "idempotency_key": [DEFAULT, *KEY],
        },
    ),
    "start_run ": (
        {"run_id": "new", "workflow": "flow"},
        {"workflow_version": [DEFAULT, (1, OK), (2, UNKNOWN), (2**31 - 1, UNKNOWN), (0, ARGUMENT), (-1, ARGUMENT)]},
    ),
    "finish_run": (
        {"run_id": "run"},
        {
            "run_id": RUN,
            "status": [DEFAULT, ("completed", OK), ("failed", OK), ("cancelled", OK), ("", ARGUMENT), ("running", ARGUMENT),
                       ("paused", ARGUMENT), ("cancelling", ARGUMENT), ("COMPLETED", ARGUMENT)],
            "result": [DEFAULT, *JSON],
        } | WRITE,
    ),
    "reopen_run": (
        {"run_id": "failed"},
        {"run_id": [*RUN, ("run", "55000"), ("completed", "55000")], "reason": REASON} | WRITE,
    ),
    "cancel_run": ({"run_id": "run"}, {"run_id": [*RUN, ("failed", "55000")], "reason": REASON} | WRITE),
    "set_owner": (
        {"run_id": "run", "owner": "pg_monitor"},
        {"run_id": RUN, "owner": [REQUIRED, ("", ARGUMENT), ("layra_no_such_role", "42704")]} | WRITE,
    ),
    "drop_run": ({"run_id": "run"}, {"run_id": RUN, "reason": REASON}),
    "hold_run": ({"run_id": "run", "reason": "audit"}, {"run_id": RUN, "reason": [REQUIRED, ("", ARGUMENT), *REASON[1:]]}),
    "release_run": ({"run_id": "run"}, {"run_id": RUN, "reason": REASON}),
    "set_variables": (
        {"run_id": "run", "updates": '{"v": 2}'},
        {"run_id": RUN, "updates": [*VARIABLES, REQUIRED], "expected_variables": VERSIONS_OF_VARIABLES,
         "on_conflict": ON_CONFLICT} | WRITE,
    ),
    "set_variables ": (
        {"run_id": "run", "updates": '{"w": 2}', "expected_version": 3},
        {"on_conflict": [("merge", OK), ("overwrite", OK), ("fail", CONFLICT), (None, CONFLICT), ("x", ARGUMENT)],
         "expected_version": [(5, OK), (6, CONFLICT), (0, CONFLICT)]},
    ),
    "try_set_variables": (
        {"run_id": "run", "updates": '{"v": 2}'},
        {"run_id": RUN, "updates": [*VARIABLES, REQUIRED],
         "expected_variables": [(value, OK if outcome == CONFLICT else outcome) for value, outcome in VERSIONS_OF_VARIABLES],
         "on_conflict": ON_CONFLICT,
         "expected_version": [DEFAULT, *((value, OK if outcome == CONFLICT else outcome) for value, outcome in EXPECTED)],
         "idempotency_key": [DEFAULT, *KEY]},
    ),
    "set_variable": (
        {"run_id": "run", "name": "v", "value": "2"},
        {"run_id": RUN, "name": [*NAME, REQUIRED, (LONGEST, OK)], "value": [*JSON, REQUIRED],
         "expected_version": [DEFAULT, (1, OK), (0, CONFLICT), (2, CONFLICT), (99, CONFLICT), (-1, ARGUMENT)],
         "idempotency_key": [DEFAULT, *KEY]},
    ),
    "unset_variables": (
        {"run_id": "run", "names": ["v"]},
        {"run_id": RUN, "names": [REQUIRED, ([], OK), (["unknown"], OK), ([None], ARGUMENT), ([""], ARGUMENT),
                                  (["v", LONG], ARGUMENT), (["v", "a\x01"], ARGUMENT), ([LONGEST, "v", "v"], OK)]} | WRITE,
    ),
    "get_variable": (
        {"run_id": "run", "name": "v"},
        {"run_id": RUN, "name": [*NAME, REQUIRED, (LONGEST, OK)], "at_version": [DEFAULT, *READ_VERSION]},
    ),
    "get_variables": (
        {"run_id": "run"},
        {"run_id": RUN, "names": [DEFAULT, ([], OK), (["v", "unknown"], OK), ([None], ARGUMENT)],
         "at_version": [DEFAULT, *READ_VERSION], "in_group": [DEFAULT, *NAME, ("unknown", OK)]},
    ),
    "save_state": (
        {"run_id": "run", "state": '{"global_variables": {"v": 2}}'},
        {"run_id": [*NAME, REQUIRED, ("new", OK), (LONGEST, OK)], "state": STATE} | WRITE,
    ),
    "save_state ": (
        {"run_id": "new", "state": "{}"},
        {"expected_version": [DEFAULT, (0, OK), (1, UNKNOWN), (-1, ARGUMENT)], "idempotency_key": [DEFAULT, *KEY]},
    ),
    "get_state": ({"run_id": "run"}, {"run_id": RUN, "at_version": [DEFAULT, *READ_VERSION]}),
    "append_event": (
        {"run_id": "run", "type": "note"},
        {"run_id": RUN, "type": [*TYPES, REQUIRED], "payload": [DEFAULT, ("{}", OK), ('{"a": [1.00]}', OK)],
         "updates": [DEFAULT, *VARIABLES]} | WRITE,
    ),
    "append_events": ({"run_id": "run", "events": '[{"type": "note"}]'}, {"run_id": RUN, "events": EVENTS} | WRITE),
    "events": (
        {"run_id": "run"},
        {"run_id": RUN, "after_version": [DEFAULT, (0, OK), (3, OK), (5, OK), (99, OK), (-1, ARGUMENT)],
         "batch_size": [DEFAULT, (1, OK), (100_000, OK), (100_001, ARGUMENT), (0, ARGUMENT), (-1, ARGUMENT)],
         "types": [DEFAULT, ([], OK), (["note", "unknown"], OK)]},
    ),
    "checkpoint": (
        {"run_id": "run"},
        {"run_id": RUN, "label": [DEFAULT, *LABEL, ("kept", "23505")], "kind": [DEFAULT, *NAME, (LONGEST, OK)],
         "metadata": [DEFAULT, *OBJECT], "replace": BOOLEAN} | WRITE,
    ),
    "protect_checkpoint": (
        {"run_id": "run", "label": "kept"},
        {"run_id": RUN, "label": KNOWN_LABEL, "protected": BOOLEAN} | WRITE,
    ),
    "rollback": (
        {"run_id": "run", "to_version": 2},
        {"run_id": RUN, "to_version": [REQUIRED, *READ_VERSION, (2, OK)], "reason": REASON} | WRITE,
    ),
    "rollback_to": (
        {"run_id": "run", "label": "kept"},
        {"run_id": RUN, "label": KNOWN_LABEL, "reason": REASON} | WRITE,
    ),
    "history": (
        {"run_id": "run", "key": "v"},
        {"run_id": RUN, "key": [*NAME, REQUIRED, ("unknown", OK), (LONGEST, OK)],
         "scope": [DEFAULT, *((scope, OK) for scope in ("variable", "node", "loop", "context", "engine")),
                   ("", ARGUMENT), ("Variable", ARGUMENT), ("layra", ARGUMENT)]},
    ),
    "help": (
        {},
        {"name": [DEFAULT, ("start_run", OK), ("layra.start_run(text)", OK), (" Start_Run ", OK), ("runs", OK), ("event", OK),
                  ("layra.actor", OK), ("owns", OK), *((name, UNKNOWN) for name in ("", " ", ".*", "%", "'", "start", LONG, LONGEST))]},
    ),
    "diff": (
        {"run_id": "run", "from_version": 1, "to_version": 3},
        {"run_id": RUN, "from_version": [REQUIRED, *READ_VERSION], "to_version": [DEFAULT, *READ_VERSION]},
    ),
    "version_at": (
        {"run_id": "run", "at": "2000-01-01"},
        {"run_id": RUN, "at": [REQUIRED, ("-infinity", OK), ("infinity", OK), ("4714-11-24 00:00:00+00 BC", OK)]},
    ),
    "fork_run": (
        {"run_id": "run", "new_run_id": "new"},
        {"run_id": RUN, "new_run_id": [*NAME, REQUIRED, (LONGEST, OK), ("run", "23505"), ("failed", "23505")],
         "at_version": [DEFAULT, *READ_VERSION], "idempotency_key": [DEFAULT, *KEY]},
    ),
    "verify": ({"run_id": "run"}, {"run_id": [DEFAULT, *NAME, ("no such run", UNKNOWN)]}),
    "digest": ({"run_id": "run"}, {"run_id": [DEFAULT, *NAME, ("no such run", UNKNOWN), (LONGEST, UNKNOWN)]}),
    "export_run": ({"run_id": "run"}, {"run_id": RUN}),
    "import_run": (
        {"lines": []},
        {"lines": [REQUIRED, *((lines, "XX001") for lines in (
            [], [None], ["null"], ["1"], ["[]"], ["{}"], ['{"line": 1}'], ['{"line": "1", "header": {}}'], ['{"line": 1, "header": {}}'],
            ['{"line": 1, "header": 1}'], ['{"line": 1, "event": {}}'], ['{"line": 1, "header": {"format": 2}}']))]},
    ),
    "import_lines": (
        {"source": "layra.run"},
        {"source": [REQUIRED, ("layra.run", ARGUMENT), ("pg_catalog.pg_class", ARGUMENT), ("layra.run_pkey", ARGUMENT),
                    ("public.unknown", "42P01")]},
    ),
    "heads": ({}, {"owner": [DEFAULT, *NAME, ("no such role", OK), (LONGEST, OK)]}),
    "set_retention": (
        {"policy": "{}"},
        {"policy": [DEFAULT, *((text, ARGUMENT) for text in ("[]", "1", '"x"', "true", '{"drop": null}', '{"drop": 1}', '{"drop": "true"}',
                                                              '{"hot": "1 day"}', '{"Drop": true}')),
                    ("null", OK), ('{"drop": false}', OK), ('{"drop": true}', OK)],
         "workflow": [DEFAULT, *NAME, ("no such workflow", OK), (LONGEST, OK)]},
    ),
    "verify_heads": (
        {"heads": "[]"},
        {"heads": [REQUIRED, *((text, ARGUMENT) for text in ("null", "{}", "1", '"x"', "true", "[1]", "[null]", "[{}]", "[[]]")),
                   *((json.dumps([HEAD | {key: value}]), ARGUMENT) for key, value in (
                       ("run_id", ""), ("run_id", LONG), ("run_id", "a\u0001"), ("run_id", None), ("run_id", 1), ("version", "1"),
                       ("version", 1.5), ("version", 2**63), ("version", None), ("hash", ""), ("hash", "0" * 63), ("hash", "A" * 64),
                       ("hash", "ß" * 32), ("hash", None))),
                   (json.dumps([HEAD, HEAD | {"version": -(2**63), "more": [1]}, HEAD | {"run_id": LONGEST}]), OK)]},
    ),
    "report": ({"run_id": "run"}, {"run_id": RUN}),
    "changed_cells": ({"run_id": "run", "version": 1}, {"run_id": RUN, "version": [REQUIRED, *READ_VERSION]}),
    "undone_by": ({"run_id": "run", "version": 1}, {"run_id": RUN, "version": [REQUIRED, *READ_VERSION]}),
    "explain_run": ({"run_id": "run"}, {"run_id": RUN}),
    "mermaid": ({"run_id": "run"}, {"run_id": RUN}),
    "grant_access": (
        {"role": "pg_monitor", "level": "writer"},
        {"role": [REQUIRED, ("", ARGUMENT), ("layra_no_such_role", "42704")],
         "level": [REQUIRED, ("auditor", OK), ("admin", OK), ("", ARGUMENT), ("Writer", ARGUMENT), ("owner", ARGUMENT)]},
    ),
    "revoke_access": (
        {"role": "pg_monitor", "level": "writer"},
        {"role": [REQUIRED, ("", ARGUMENT)], "level": [DEFAULT, ("auditor", OK), ("", ARGUMENT), ("owner", ARGUMENT)]},
    ),
}  # fmt: skip

INTERVAL = [("0", ARGUMENT), ("-1 s", ARGUMENT), ("1 s", OK), ("1 month 2 days", OK), ("178000000 years", "22008")]
NODE = [*NAME, REQUIRED, (LONGEST, OK), ("a/b c", OK)]
NODES = [REQUIRED, ([], OK), (["a", "a", LONGEST], OK), ([None], ARGUMENT), ([""], ARGUMENT), (["a", LONG], ARGUMENT)]
ATTEMPT = [DEFAULT, (1, OK), (2, "55000"), (0, "55000"), (-1, "55000"), (2**31 - 1, "55000")]
QUESTION = [REQUIRED, ("00000000-0000-0000-0000-000000000000", "55000"), ("11111111-1111-1111-1111-111111111111", OK)]
BREAKER = [*NAME, REQUIRED, (LONGEST, UNKNOWN), ("unknown", UNKNOWN), ("breaker", OK)]
SCHEMA = [("1", ARGUMENT), ("[]", ARGUMENT), ('{"type": "nonsense"}', ARGUMENT), ('{"$ref": "https://example.com/x"}', ARGUMENT),
          ("true", OK), ("{}", OK), ('{"type": "integer"}', OK)]  # fmt: skip
PATTERN = [*NAME, REQUIRED, ("*", ARGUMENT), (".*", ARGUMENT), ("a*", ARGUMENT), ("a.*.b", ARGUMENT), ("a.*", OK), ("run.*", OK), ("a", OK)]

# The execution state: `work` has five versions, the node `busy` running and the loop `l` active; `asked` has five and a question.
FUNCTIONS |= {
    "begin_node": (
        {"run_id": "work", "node_id": "n"},
        {"run_id": [*RUN, ("asked", "55000"), ("failed", "55000")], "node_id": NODE, "worker": [DEFAULT, *NAME, (LONGEST, OK)],
         "lease": [DEFAULT, *INTERVAL]},
    ),
    "heartbeat": (
        {"run_id": "work", "node_id": "busy", "attempt": 1, "lease": "1 minute"},
        {"run_id": [*RUN, ("run", "55000")], "node_id": [*NAME, REQUIRED, (LONGEST, "55000")], "attempt": [REQUIRED, *ATTEMPT[1:]],
         "lease": [REQUIRED, *INTERVAL]},
    ),
    "complete_node": (
        {"run_id": "work", "node_id": "busy"},
        {"run_id": [*RUN, ("run", "55000"), ("failed", "55000")], "node_id": [*NAME, REQUIRED, (LONGEST, "55000")], "output": [DEFAULT, *JSON],
         "updates": [DEFAULT, *VARIABLES], "attempt": ATTEMPT} | WRITE,
    ),
    "fail_node": (
        {"run_id": "work", "node_id": "busy", "error": "1"},
        {"run_id": [*RUN, ("run", "55000"), ("failed", "55000")], "node_id": [*NAME, REQUIRED, (LONGEST, "55000")], "error": [REQUIRED, *JSON],
         "attempt": ATTEMPT} | WRITE,
    ),
    "skip_nodes": (
        {"run_id": "work", "node_ids": ["n"]},
        {"run_id": [*RUN, ("failed", "55000")], "node_ids": [*NODES, (["n", "busy"], "55000")], "reason": REASON} | WRITE,
    ),
    "reset_nodes": ({"run_id": "work", "node_ids": ["busy"]}, {"run_id": RUN, "node_ids": NODES} | WRITE),
    "context": (
        {"run_id": "work"},
        {"run_id": RUN, "node_id": [DEFAULT, *NAME, (LONGEST, OK)], "last": [DEFAULT, (0, OK), (2**31 - 1, OK), (-1, ARGUMENT)]},
    ),
    "set_engine": (
        {"run_id": "work", "fields": '{"mode": 1}'},
        {"run_id": [*RUN, ("failed", "55000")],
         "fields": [REQUIRED, *OBJECT, ('{"": 1}', ARGUMENT), (json.dumps({LONG: 1}), ARGUMENT), (json.dumps({LONGEST: 1}), OK),
                    ('{"layra.graph": 1}', ARGUMENT), ('{"context": {}}', ARGUMENT), ('{"nodes": []}', ARGUMENT)]} | WRITE,
    ),
    "enter_loop": (
        {"run_id": "work", "loop_id": "new"},
        {"run_id": [*RUN, ("failed", "55000")], "loop_id": NODE,
         "max_iterations": [DEFAULT, (0, OK), (2**31 - 1, OK), (-1, ARGUMENT)]} | WRITE,
    ),
    "next_iteration": (
        {"run_id": "work", "loop_id": "l"},
        {"run_id": [*RUN, ("run", "55000"), ("failed", "55000")], "loop_id": [*NAME, REQUIRED, (LONGEST, "55000")],
         "after": [DEFAULT, (-1, OK), (-2, ARGUMENT), (1, "55000"), (2**31 - 1, "55000"), (-(2**31), ARGUMENT)]},
    ),
    "exit_loop": (
        {"run_id": "work", "loop_id": "l"},
        {"run_id": [*RUN, ("run", "55000"), ("failed", "55000")], "loop_id": [*NAME, REQUIRED, (LONGEST, "55000")]} | WRITE,
    ),
    "recover_run": ({"run_id": "work"}, {"run_id": [*RUN, ("failed", "55000")], "dry_run": BOOLEAN, "rollback": BOOLEAN}),
    "stale_runs": ({"idle": "1 hour"}, {"idle": [REQUIRED, *INTERVAL[:-1]]}),
    "pause_run": (
        {"run_id": "work", "node_id": "n"},
        {"run_id": [*RUN, ("failed", "55000")], "node_id": NODE, "prompt": [DEFAULT, *JSON], "response_schema": [DEFAULT, *SCHEMA],
         "assignee": [DEFAULT, *NAME, (LONGEST, OK)], "expires_in": [DEFAULT, *INTERVAL], "idempotency_key": [DEFAULT, *KEY]},
    ),
    "resume_run": (
        {"run_id": "asked", "interaction": "11111111-1111-1111-1111-111111111111"},
        {"run_id": [*RUN, ("work", "55000")], "interaction": QUESTION, "response": [DEFAULT, *JSON], "updates": [DEFAULT, *VARIABLES],
         "on_change": [DEFAULT, ("fail", OK), ("accept", OK), ("", ARGUMENT), ("Fail", ARGUMENT), ("x", ARGUMENT)]} | WRITE,
    ),
    "withdraw_interaction": (
        {"run_id": "asked", "interaction": "11111111-1111-1111-1111-111111111111"},
        {"run_id": [*RUN, ("work", "55000")], "interaction": QUESTION, "reason": REASON} | WRITE,
    ),
    "define_breaker": (
        {"name": "b"},
        {"name": [*NAME, REQUIRED, (LONGEST, OK)], "failure_threshold": [DEFAULT, (1, OK), (2**31 - 1, OK), (0, ARGUMENT), (-1, ARGUMENT)],
         "reset_after": [DEFAULT, *INTERVAL], "probe_lease": [DEFAULT, *INTERVAL]},
    ),
    "breaker_try": ({"name": "breaker"}, {"name": BREAKER}),
    "breaker_success": ({"name": "breaker"}, {"name": BREAKER}),
    "breaker_failure": ({"name": "breaker"}, {"name": BREAKER, "error": [DEFAULT, *JSON]}),
    "reset_breaker": ({"name": "breaker"}, {"name": BREAKER}),
    "validate_run": ({"run_id": "run"}, {"run_id": RUN, "at_version": [DEFAULT, *READ_VERSION]}),
    "define_event_type": ({"type": "t", "schema": "true"}, {"type": [*TYPES, REQUIRED], "schema": [REQUIRED, *SCHEMA], "shared": BOOLEAN}),
    "add_validator": (
        {"workflow": "flow", "name": "rule", "function": "public.rule(text,jsonb)"},
        {"workflow": [*NAME, REQUIRED, (LONGEST, OK)], "name": [*NAME, REQUIRED, (LONGEST, OK)],
         "function": [REQUIRED, ("public.rule(text,jsonb)", OK), ("public.handler(text,bigint,text,jsonb)", ARGUMENT), ("now()", ARGUMENT),
                      ("public.unknown(text,jsonb)", "42883")]},
    ),
    "remove_validator": (
        {"workflow": "flow", "name": "rule"}, {"workflow": [*NAME, REQUIRED, (LONGEST, OK)], "name": [*NAME, REQUIRED, (LONGEST, OK)]},
    ),
    **{name: (
        {"type_pattern": "a.*", "function": "public.handler(text,bigint,text,jsonb)"},
        {"type_pattern": PATTERN,
         "function": [REQUIRED, ("public.handler(text,bigint,text,jsonb)", OK), ("public.rule(text,jsonb)", ARGUMENT), ("now()", ARGUMENT),
                      ("public.unknown(text,bigint,text,jsonb)", "42883")],
         "workflow": [DEFAULT, *NAME, (LONGEST, OK)]} if name == "on_event" else {
         "type_pattern": PATTERN, "function": [REQUIRED, ("public.handler(text,bigint,text,jsonb)", OK), ("now()", ARGUMENT)]},
    ) for name in ("on_event", "off_event")},
}  # fmt: skip

SQL_TYPES = {
    "after": "integer", "assignee": "text", "attempt": "integer", "dry_run": "boolean", "error": "jsonb", "expires_in": "interval",
    "failure_threshold": "integer", "fields": "jsonb", "function": "regprocedure", "idle": "interval", "interaction": "uuid", "lines": "jsonb[]", "source": "regclass",
    "last": "integer", "lease": "interval", "loop_id": "text", "max_iterations": "integer", "node_id": "text", "node_ids": "text[]",
    "on_change": "text", "output": "jsonb", "probe_lease": "interval", "prompt": "jsonb", "reset_after": "interval", "response": "jsonb",
    "response_schema": "jsonb", "rollback": "boolean", "schema": "jsonb", "type_pattern": "text", "worker": "text",
    "after_version": "bigint", "at": "timestamptz", "version": "bigint", "at_version": "bigint", "batch_size": "integer", "definition": "jsonb",
    "events": "jsonb", "expected_variables": "jsonb", "expected_version": "bigint", "from_version": "bigint", "heads": "jsonb",
    "idempotency_key": "text", "in_group": "text", "key": "text", "kind": "text", "label": "text", "level": "text", "metadata": "jsonb",
    "name": "text", "names": "text[]", "new_run_id": "text", "on_conflict": "text", "owner": "name", "payload": "jsonb", "policy": "jsonb",
    "protected": "boolean", "reason": "text", "replace": "boolean", "result": "jsonb", "role": "name", "run_id": "text",
    "scope": "text", "shared": "boolean", "state": "jsonb", "status": "text", "to_version": "bigint", "type": "text",
    "types": "text[]", "updates": "jsonb", "value": "jsonb", "variables": "jsonb", "workflow": "text",
    "workflow_version": "integer",
}  # fmt: skip


# Where an argument of that name has another type.
SQL_TYPES_OF = {("heads", "owner"): "text"}


def call(connection, function, /, **arguments):
    """The rows of a call by argument names."""
    function = function.strip()
    given = ", ".join(f"{name} => %s::{SQL_TYPES_OF.get((function, name), SQL_TYPES[name])}" for name in arguments)
    return connection.execute(f"SELECT * FROM layra.{function}({given})", list(arguments.values())).fetchall()


def outcome(connection, function, /, **arguments):
    """OK or the SQLSTATE."""
    try:
        call(connection, function, **arguments)
    except psycopg.Error as error:
        assert not connection.broken, f"the backend is gone: {error}"
        assert not error.sqlstate.startswith("XX") or (function, error.sqlstate) == ("import_run", "XX001"), error
        # Neither a backtrace nor the name of a Rust function is a user's business.
        assert "::" not in (error.diag.message_detail or ""), error
        remedies.check(error)
        return error.sqlstate
    return OK


@pytest.fixture(scope="module")
def snapshot(dsn):
    """A function that says what is in all tables of the schema, as one value to compare."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        tables = connection.execute(
            "SELECT relname FROM pg_class WHERE relnamespace = 'layra'::regnamespace AND relkind = 'r' ORDER BY 1"
        ).fetchall()
        assert len(tables) >= 6
        query = " UNION ALL ".join(
            f"SELECT '{table}', count(*), md5(string_agg(md5(t::text), '' ORDER BY md5(t::text))) FROM layra.{table} t"
            for (table,) in tables
        )
        yield lambda: connection.execute(query).fetchall()


@pytest.fixture(scope="module")
def runs(dsn):
    """`run` with five versions, `failed` and `completed` with five, and the workflow `flow`."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        call(connection, "define_workflow", name="flow", definition='{"nodes": [], "edges": []}')
        for run_id in ("run", "failed", "completed"):
            call(connection, "start_run", run_id=run_id, variables='{"v": 1}')
            call(connection, "set_variables", run_id=run_id, updates='{"w": {"x": 1}}')
            call(connection, "checkpoint", run_id=run_id, label="kept")
            call(connection, "append_event", run_id=run_id, type="note", payload='{"a": 1}')
        call(connection, "append_event", run_id="run", type="note")
        for run_id in ("failed", "completed"):
            call(connection, "finish_run", run_id=run_id, status=run_id)
        connection.execute("CREATE FUNCTION public.rule(text, jsonb) RETURNS SETOF text LANGUAGE sql AS 'SELECT NULL::text WHERE false'")
        connection.execute("CREATE FUNCTION public.handler(text, bigint, text, jsonb) RETURNS void LANGUAGE sql AS ''")
        call(connection, "define_breaker", name="breaker")
        for run_id in ("work", "asked"):
            call(connection, "start_run", run_id=run_id)
        call(connection, "begin_node", run_id="work", node_id="busy", lease="1 day")
        call(connection, "enter_loop", run_id="work", loop_id="l")
        for run_id in ("work", "work", "asked", "asked", "asked"):
            call(connection, "append_event", run_id=run_id, type="note")
        call(connection, "pause_run", run_id="asked", node_id="n")
        # An id that the table can name.
        connection.execute("UPDATE layra.interaction SET id = '11111111-1111-1111-1111-111111111111'")


CASES = [(function, argument) for function, (_, arguments) in FUNCTIONS.items() for argument in arguments]


@pytest.mark.parametrize("function, argument", CASES, ids=[f"{function}-{argument}" for function, argument in CASES])
def test_argument(runs, admin, snapshot, function, argument):
    """Each value in this argument of the call; what works is taken back, what fails must leave nothing."""
    good, arguments = FUNCTIONS[function]
    before = snapshot()
    wrong = []
    for value, expected in arguments[argument]:
        if expected is OK:
            with admin.transaction(force_rollback=True):
                found = outcome(admin, function, **good | {argument: value})
        else:
            found = outcome(admin, function, **good | {argument: value})
        if found != expected:
            wrong.append(f"{argument} => {value!r:.60}: {found} instead of {expected}")
    assert not wrong, "\n".join(wrong)
    assert snapshot() == before


# What views, row security and the granting functions are made of.
INTERNAL = ["cells", "breaker_state", "owns", "reads_every_run", "reads_run", "reads_runs_of", "readable_owners", "owners_by_index", "check_access",
            "renew_grants", "format_3", "remembered"]  # fmt: skip


def test_table_has_every_function_of_the_extension(admin):
    """A function that is added later has to be added here, with all its arguments."""
    functions = admin.execute(
        "SELECT proname, proargnames[1:pronargs] FROM pg_proc WHERE pronamespace = 'layra'::regnamespace AND prokind = 'f'"
        " AND proname <> ALL (%s)", [INTERNAL],
    ).fetchall()  # fmt: skip
    assert len(functions) >= 30
    for name, arguments in functions:
        tables = [names for function, (_, names) in FUNCTIONS.items() if function.strip() == name]
        assert tables, f"layra.{name} is not in the table"
        missing = set(arguments) - {argument for names in tables for argument in names}
        assert not missing, f"layra.{name}: nothing is tried for {missing}"


# --- settings --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("claim, expected", [(LONG, ARGUMENT), ("bell\a", ARGUMENT), ("nel\u0085", ARGUMENT), (LONGEST, OK)])
def test_actor(runs, admin, snapshot, claim, expected):
    """Whether the setting itself is refused or the write under it: nothing is written under a wrong name."""
    before = snapshot()
    found = OK
    with admin.transaction(force_rollback=True):
        try:
            with admin.transaction():
                admin.execute("SELECT set_config('layra.actor', %s, false)", [claim])
                call(admin, "append_event", run_id="run", type="note")
        except psycopg.Error as error:
            found = error.sqlstate
    admin.execute("RESET layra.actor")
    assert found == expected
    assert snapshot() == before


def test_empty_actor_is_no_actor(runs, admin):
    with admin.transaction(force_rollback=True):
        admin.execute("SET LOCAL layra.actor = ''")
        call(admin, "append_event", run_id="run", type="note")
        (row,) = admin.execute("SELECT on_behalf_of FROM layra.event WHERE run_id = 'run' AND version = 6")
        assert row == (None,)


@pytest.mark.parametrize("now", ["tomorrow is another day", "infinity", "2026-13-01"])
def test_now_must_be_a_time(runs, admin, snapshot, now):
    before = snapshot()
    with pytest.raises(psycopg.Error) as error, admin.transaction():
        admin.execute("SELECT set_config('layra.now', %s, true)", [now])
        call(admin, "append_event", run_id="run", type="note")
    # Ours, or PostgreSQL's own for what is no time and what is out of range.
    assert error.value.sqlstate in (ARGUMENT, "22007", "22008")
    assert snapshot() == before


# --- definitions -----------------------------------------------------------------------------------------------


def nodes(*ids, **types):
    return [{"id": name, "type": types.get(name, "code")} for name in ids]


def edge(source, target, handle=None):
    return {"source": source, "target": target} | ({"sourceHandle": handle} if handle is not None else {})


LOOP = {
    "nodes": nodes("l", "a", "b", l="loop"),
    "edges": [edge("l", "a", "loop_body"), edge("a", "l", "loop_next"), edge("l", "b")],
}

BAD_DEFINITIONS = {
    "nodes is an object": {"nodes": {}},
    "nodes is null": {"nodes": None},
    "edges is a string": {"edges": "x"},
    "a node is a number": {"nodes": [1]},
    "a node without id": {"nodes": [{"type": "code"}]},
    "a node without type": {"nodes": [{"id": "a"}]},
    "a node id that is a number": {"nodes": [{"id": 1, "type": "code"}]},
    "a type that is null": {"nodes": [{"id": "a", "type": None}]},
    "an empty id": {"nodes": nodes("")},
    "a long id": {"nodes": nodes(LONG)},
    "the same id twice": {"nodes": nodes("a", "a")},
    "an edge that is a string": {"nodes": nodes("a"), "edges": ["a"]},
    "an edge without target": {"nodes": nodes("a"), "edges": [{"source": "a"}]},
    "an edge without source": {"nodes": nodes("a"), "edges": [{"target": "a"}]},
    "an edge to nowhere": {"nodes": nodes("a"), "edges": [edge("a", "b")]},
    "an edge from nowhere": {"nodes": nodes("a"), "edges": [edge("b", "a")]},
    "a handle that is a number": {"nodes": nodes("a", "b"), "edges": [edge("a", "b", 1)]},
    "a cycle": {"nodes": nodes("a", "b"), "edges": [edge("a", "b"), edge("b", "a")]},
    "a node that follows itself": {"nodes": nodes("a"), "edges": [edge("a", "a")]},
    "a loop whose way back is not loop_next": {
        "nodes": nodes("l", "a", l="loop"), "edges": [edge("l", "a", "loop_body"), edge("a", "l")],
    },
    "loop_next to a node that is no loop": {"nodes": nodes("a", "b"), "edges": [edge("a", "b"), edge("b", "a", "loop_next")]},
    "loop_next from outside the body": LOOP | {"edges": [*LOOP["edges"], edge("b", "l", "loop_next")]},
    "loop_body of a node that is no loop": {"nodes": nodes("a", "b"), "edges": [edge("a", "b", "loop_body")]},
    "condition-1 of a node that is no condition": {"nodes": nodes("a", "b"), "edges": [edge("a", "b", "condition-1")]},
    "a maxCount below 0": {"nodes": [{"id": "l", "type": "loop", "data": {"maxCount": -1}}]},
    "a maxCount that is no integer": {"nodes": [{"id": "l", "type": "loop", "data": {"maxCount": 1.5}}]},
    "a maxCount that is a string": {"nodes": [{"id": "l", "type": "loop", "data": {"maxCount": "3"}}]},
    "variables is an array": {"variables": []},
    "a variable that is a string": {"variables": {"v": "x"}},
    "a variable with an empty name": {"variables": {"": {}}},
    "a variable with a long name": {"variables": {LONG: {}}},
    "a schema that is a string": {"variables": {"v": {"schema": "integer"}}},
    "a schema that does not compile": {"variables": {"v": {"schema": {"type": "unknown"}}}},
    "a schema with a wrong keyword": {"variables": {"v": {"schema": {"minimum": "1"}}}},
    "a schema with a remote reference": {"variables": {"v": {"schema": {"$ref": "https://example.org/schema.json"}}}},
    "a schema with a reference to a file": {"variables": {"v": {"schema": {"$ref": "file:///etc/passwd"}}}},
    "a schema with a reference to nothing": {"variables": {"v": {"schema": {"$ref": "#/$defs/none"}}}},
    "a schema with a wrong pattern": {"variables": {"v": {"schema": {"pattern": "("}}}},
    "a group that is a number": {"variables": {"v": {"group": 1}}},
    "a default against its schema": {"variables": {"v": {"schema": {"type": "integer"}, "default": "x"}}},
    "a default against schema false": {"variables": {"v": {"schema": False, "default": 1}}},
    "policy is an array": {"policy": []},
    "an unknown policy": {"policy": {"archive": {}}},
    "an unknown retention policy": {"policy": {"retention": {"hot": "1 day"}}},
    "drop is 1": {"policy": {"retention": {"drop": 1}}},
    "checkpoint is a string": {"policy": {"checkpoint": "always"}},
    "an unknown checkpoint policy": {"policy": {"checkpoint": {"sometimes": True}}},
    "every is no interval": {"policy": {"checkpoint": {"every": "often"}}},
    "every is 0": {"policy": {"checkpoint": {"every": "0 seconds"}}},
    "every is negative": {"policy": {"checkpoint": {"every": "-1 hour"}}},
    "every is a number": {"policy": {"checkpoint": {"every": 5}}},
    "milestones is a string": {"policy": {"checkpoint": {"milestones": "code"}}},
    "before has a number": {"policy": {"checkpoint": {"before": [1]}}},
    "bytes is 0": {"policy": {"checkpoint": {"bytes": 0}}},
    "bytes is a string": {"policy": {"checkpoint": {"bytes": "1 MB"}}},
    "an unknown limit": {"policy": {"limits": {"bytes": 1}}},
    "value_bytes is 0": {"policy": {"limits": {"value_bytes": 0}}},
    "payload_bytes is 1.5": {"policy": {"limits": {"payload_bytes": 1.5}}},
    "default_max is negative": {"policy": {"loops": {"default_max": -1}}},
    "tolerance is a string": {"policy": {"loops": {"tolerance": "1"}}},
    "an unknown loop policy": {"policy": {"loops": {"max": 1}}},
}  # fmt: skip

GOOD_DEFINITIONS = {
    "nothing": {},
    "other keys": {"author": "me", "nodes": [{"id": "a", "type": "code", "position": {"x": 1}, "data": None}]},
    "a loop": LOOP,
    "nested loops": {
        "nodes": nodes("o", "i", "a", "z", o="loop", i="loop"),
        "edges": [edge("o", "i", "loop_body"), edge("i", "a", "loop_body"), edge("a", "i", "loop_next"),
                  edge("i", "o", "loop_next"), edge("o", "z")],
    },
    "a condition": {
        "nodes": nodes("c", "a", "b", c="condition"),
        "edges": [edge("c", "a", "condition-1"), edge("c", "b", "condition-12"), edge("a", "b", "")],
    },
    "maxCount 0": {"nodes": [{"id": "l", "type": "loop", "data": {"maxCount": 0}}]},
    "policies": {
        "policy": {
            "checkpoint": {"every": "1 hour", "milestones": ["loop"], "before": ["vlm"], "bytes": 1},
            "limits": {"value_bytes": 10, "payload_bytes": 10}, "retention": {"drop": False},
            "loops": {"default_max": 0, "tolerance": 0},
        }
    },
    "schemas": {
        "variables": {
            "a": {}, "b": {"schema": True}, "c": {"schema": {"$ref": "#/$defs/x", "$defs": {"x": {"type": "string"}}}},
            "d": {"schema": {"$schema": "http://json-schema.org/draft-07/schema#", "type": ["integer", "null"]}, "default": None},
            "e": {"schema": {"type": "number"}, "default": 1, "group": "g"},
        }
    },
    "unicode and odd ids": {"nodes": nodes(*ODD_NAMES, LONGEST), "variables": {name: {} for name in ODD_NAMES}},
}  # fmt: skip


@pytest.mark.parametrize("case", BAD_DEFINITIONS)
def test_bad_definition(admin, snapshot, raises, case):
    before = snapshot()
    with raises(ARGUMENT) as error:
        call(admin, "define_workflow", name="bad", definition=json.dumps(BAD_DEFINITIONS[case]))
    detail = json.loads(error.detail)
    assert detail["problem_count"] == len(detail["problems"]) >= 1
    for problem in detail["problems"]:
        assert problem["path"] == "" or problem["path"].startswith("/")
        assert problem["message"]
    assert snapshot() == before


@pytest.mark.parametrize("case", GOOD_DEFINITIONS)
def test_good_definition(admin, case):
    with admin.transaction(force_rollback=True):
        definition = json.dumps(GOOD_DEFINITIONS[case])
        assert call(admin, "define_workflow", name=case, definition=definition) == [(1,)]
        assert call(admin, "define_workflow", name=case, definition=definition) == [(1,)]
        assert call(admin, "define_workflow", name=case, definition='{"another": true}') == [(2,)]
        assert call(admin, "define_workflow", name=case, definition=definition) == [(1,)]
        call(admin, "start_run", run_id="of it", workflow=case)
        (stored,) = admin.execute("SELECT definition::text FROM layra.workflow WHERE name = %s AND version = 1", [case])
        assert stored == (canonical(definition),)


def test_a_definition_with_many_faults_lists_all_of_them(admin, raises):
    definition = {
        "nodes": [{"id": "a"}, {"id": "b", "type": "code"}, {"id": "b", "type": "code"}],
        "edges": [{"source": "b", "target": "nowhere"}],
        "variables": {"v": {"schema": {"type": "integer"}, "default": "x"}},
        "policy": {"unknown": 1},
    }
    with raises(ARGUMENT) as error:
        call(admin, "define_workflow", name="bad", definition=json.dumps(definition))
    paths = {problem["path"] for problem in json.loads(error.detail)["problems"]}
    for start in ("/nodes/0", "/nodes/2", "/edges/0", "/variables/v", "/policy"):
        assert any(path.startswith(start) for path in paths), (start, paths)


def test_a_definition_with_very_many_faults_lists_a_hundred(admin, raises):
    definition = {"nodes": [{"id": "same", "type": "code"}] * 500}
    with raises(ARGUMENT) as error:
        call(admin, "define_workflow", name="bad", definition=json.dumps(definition))
    detail = json.loads(error.detail)
    assert len(detail["problems"]) == 100
    assert detail["problem_count"] == 499


# --- schemas ---------------------------------------------------------------------------------------------------

STRICT = json.dumps({
    "nodes": [],
    "edges": [],
    "variables": {
        "count": {"schema": {"type": "integer", "minimum": 0}, "default": 1},
        "tags": {"schema": {"type": "object", "additionalProperties": {"type": "string"}, "maxProperties": 3}},
    },
})  # fmt: skip

VIOLATIONS = {
    "set_variables": {"updates": '{"count": -1, "tags": {"a/b": 1}}'},
    "set_variable": {"name": "count", "value": '"1"'},
    "save_state": {"state": '{"global_variables": {"count": null}}'},
    "append_event": {"type": "note", "updates": '{"count": 1.5}'},
    "append_events": {"events": '[{"type": "a"}, {"type": "b", "updates": {"tags": []}}]'},
}


@pytest.fixture(scope="module")
def strict(dsn):
    with psycopg.connect(dsn, autocommit=True) as connection:
        call(connection, "define_workflow", name="strict", definition=STRICT)
        call(connection, "start_run", run_id="strict", workflow="strict", variables='{"tags": {"x": "y"}}')


@pytest.mark.parametrize("function", VIOLATIONS)
def test_schema_violation(strict, admin, snapshot, raises, function):
    before = snapshot()
    with raises("23514") as error:
        call(admin, function, run_id="strict", **VIOLATIONS[function])
    detail = json.loads(error.detail)
    assert detail["violation_count"] == len(detail["violations"]) >= 1
    assert {"path", "keyword"} == set(detail["violations"][0])
    assert snapshot() == before


def test_schema_violations_are_all_listed_and_never_show_the_value(strict, admin, raises):
    with raises("23514") as error:
        call(admin, "set_variables", run_id="strict",
             updates='{"count": -123456, "tags": {"a/b": 987654, "c": "fine", "d": null}}')  # fmt: skip
    violations = json.loads(error.detail)["violations"]
    assert {(violation["path"], violation["keyword"]) for violation in violations} == {
        ("/count", "minimum"), ("/tags/a~1b", "type"), ("/tags/d", "type"),
    }  # fmt: skip
    assert "123456" not in error.detail and "987654" not in error.detail


def test_schema_is_checked_at_the_start(strict, admin, snapshot, raises):
    before = snapshot()
    with raises("23514"):
        call(admin, "start_run", run_id="never", workflow="strict", variables='{"count": "x"}')
    assert snapshot() == before


def test_schema_is_checked_on_the_result_of_a_merge(strict, admin, raises):
    """Each side keeps to the schema; together they have too many properties."""
    with admin.transaction(force_rollback=True):
        (base,) = call(admin, "set_variables", run_id="strict", updates='{"tags": {"a": "1"}}')
        call(admin, "set_variables", run_id="strict", updates='{"tags": {"a": "1", "b": "2", "c": "3"}}')
        with raises("23514"), admin.transaction():
            call(admin, "set_variables", run_id="strict", updates='{"tags": {"a": "1", "d": "4"}}', on_conflict="merge",
                 expected_version=base[0])  # fmt: skip
        call(admin, "set_variables", run_id="strict", updates='{"tags": {}}', on_conflict="merge", expected_version=base[0])
        assert call(admin, "get_variable", run_id="strict", name="tags") == [({"b": "2", "c": "3"},)]


def test_schema_takes_numbers_that_no_float_holds(strict, admin, raises):
    with admin.transaction(force_rollback=True):
        for text in ("1" * 400, "1e400", "1.0"):
            call(admin, "set_variable", run_id="strict", name="count", value=text)
            assert text_of(admin, "get_variable('strict', 'count')") == canonical(text)
        with raises("23514"), admin.transaction():
            call(admin, "set_variable", run_id="strict", name="count", value="-" + "1" * 400)


# --- what must work --------------------------------------------------------------------------------------------


def text_of(connection, expression, *arguments):
    return connection.execute(f"SELECT (layra.{expression})::text", arguments).fetchone()[0]


@pytest.mark.parametrize("name", [*ODD_NAMES, LONGEST], ids=lambda name: name[:12].encode("ascii", "replace").decode())
def test_odd_names_everywhere(admin, name):
    """One name as run, variable, node, loop, field, label, kind, key and type: it comes back from everywhere."""
    document = {
        "global_variables": {name: 1}, "execution_status": {name: True}, "loop_index": {name: 2}, "context": {name: ["x"]},
    }  # fmt: skip
    if not name.startswith("layra."):
        document[name] = "field"
    with admin.transaction(force_rollback=True):
        call(admin, "start_run", run_id=name, variables=json.dumps({name: 0}), metadata=json.dumps({name: name}))
        assert call(admin, "save_state", run_id=name, state=json.dumps(document), idempotency_key=name) == [(2,)]
        assert call(admin, "save_state", run_id=name, state=json.dumps(document), idempotency_key=name) == [(2,)]
        assert call(admin, "get_state", run_id=name) == [(document,)]
        assert call(admin, "get_variable", run_id=name, name=name) == [(1,)]
        assert call(admin, "get_variables", run_id=name, names=[name]) == [({name: 1},)]
        assert [row[1:3] for row in call(admin, "history", run_id=name, key=name)] == [(1, 0), (2, 1)]
        for scope in ("node", "loop", "context"):
            assert len(call(admin, "history", run_id=name, key=name, scope=scope)) == 1, scope
        changed = {row[:2] for row in call(admin, "diff", run_id=name, from_version=1, to_version=2)}
        assert {("variable", name), ("node", name), ("loop", name), ("context", name)} <= changed
        if not name.startswith("layra."):
            call(admin, "append_event", run_id=name, type=name, payload=json.dumps({name: name}))
            assert [row[1:3] for row in call(admin, "events", run_id=name, types=[name])] == [(name, {name: name})]
        call(admin, "checkpoint", run_id=name, label=name, kind=name)
        call(admin, "unset_variables", run_id=name, names=[name])
        call(admin, "rollback_to", run_id=name, label=name, reason=name)
        assert call(admin, "get_state", run_id=name) == [(document,)]
        call(admin, "fork_run", run_id=name, new_run_id="fork", idempotency_key=name)
        assert call(admin, "get_state", run_id="fork") == [(document,)]
        assert call(admin, "verify", run_id=name) == call(admin, "verify", run_id="fork") == []


@pytest.mark.parametrize(
    "value",
    ["9" * 400, "-0." + "0" * 399 + "1", "1e400", "1e-400", "1.00", "1.0", "-0", "0.10", "1E+2", "1" + "0" * 5000,
     "12345678901234567890.12345678901234567890", "0", "10000", "-120000000", "0.0001", "-9999.00010", "0.00", '"1.00"', "[1.00, 1.0, 1]", '{"n": 1e2, "m": 1.50}', '"\\ud83d\\ude00"',
     '"\\u0001\\u001f\\u007f\\b\\f\\n\\r\\t\\"\\\\/"', '"\\u2028\\u2029\\ufeff"', '{"": {"": ""}}', '{"\\u0001": 1}', "null",
     "[]", "{}", '""', "[[], {}, [null]]", "[true, false, null, 1, -2.5]", json.dumps(list(range(100))),
     json.dumps({f"{n:x}": [n, str(n), {"n": n / 4}] for n in range(100)}), '"' + "é" * 3000 + '"'],
    ids=lambda value: value[:24],
)  # fmt: skip
def test_value_comes_back_untouched(admin, value):
    """Digit by digit, through every way in and every way out."""
    wanted = canonical(value)
    document = canonical(json.dumps({"global_variables": {"v": "V"}, "context": {"n": ["V"]}, "field": "V"}))
    document = document.replace('"V"', wanted)
    with admin.transaction(force_rollback=True):
        call(admin, "start_run", run_id="values", variables='{"v": ' + value + "}", metadata='{"v": ' + value + "}")
        assert text_of(admin, "get_variable('values', 'v')") == wanted
        # What is composed is, byte by byte, what PostgreSQL makes of that text.
        composed = "SELECT a *= b FROM (SELECT layra.get_variables('values')) a, (SELECT %s::jsonb) b"
        assert admin.execute(composed, ['{"v": ' + value + "}"]).fetchone() == (True,)
        call(admin, "set_variables", run_id="values", updates='{"w": ' + value + "}")
        call(admin, "set_variable", run_id="values", name="x", value=value)
        call(admin, "append_event", run_id="values", type="t", payload='{"p": ' + value + "}", updates='{"y": ' + value + "}")
        call(admin, "append_events", run_id="values",
             events='[{"type": "t", "payload": {"p": ' + value + '}, "updates": {"z": ' + value + "}}]")  # fmt: skip
        assert text_of(admin, "get_variables('values')") == "{" + ", ".join(f'"{name}": {wanted}' for name in "vwxyz") + "}"
        payloads = admin.execute("SELECT payload::text FROM layra.events('values', types => '{t}')").fetchall()
        assert payloads == [('{"p": ' + wanted + "}",)] * 2
        call(admin, "save_state", run_id="values", state=document)
        assert text_of(admin, "get_state('values')") == document
        (last,) = admin.execute("SELECT value::text FROM layra.history('values', 'v') ORDER BY version DESC LIMIT 1")
        assert last == (wanted,)
        call(admin, "rollback", run_id="values", to_version=1)
        assert text_of(admin, "get_variables('values')") == '{"v": ' + wanted + "}"
        call(admin, "fork_run", run_id="values", new_run_id="fork", at_version=6)
        assert text_of(admin, "get_state('fork')") == document
        (metadata,) = admin.execute("SELECT metadata::text FROM layra.run WHERE run_id = 'values'")
        assert metadata == ('{"v": ' + wanted + "}",)
        assert call(admin, "verify", run_id="values") == []


def test_equal_numbers_of_another_scale_are_another_value(admin):
    with admin.transaction(force_rollback=True):
        call(admin, "start_run", run_id="scale", variables='{"v": 1}')
        call(admin, "set_variable", run_id="scale", name="v", value="1.0")
        call(admin, "set_variable", run_id="scale", name="v", value="1.00")
        call(admin, "set_variable", run_id="scale", name="v", value="1.00")
        values = admin.execute("SELECT version, value::text FROM layra.history('scale', 'v')").fetchall()
        assert values == [(1, "1"), (2, "1.0"), (3, "1.00")]


def test_what_jsonb_itself_refuses_passes_unchanged(runs, admin, snapshot):
    before = snapshot()
    assert outcome(admin, "set_variable", run_id="run", name="v", value='"\\u0000"') == "22P05"
    assert outcome(admin, "set_variable", run_id="run", name="v", value="{") == "22P02"
    assert outcome(admin, "set_variable", run_id="run", name="v", value="1e1000000") == "22003"
    assert snapshot() == before


@pytest.mark.parametrize("levels", [1000, 3000])
@pytest.mark.parametrize("shape", ["array", "object"])
def test_deep_nesting(admin, shape, levels):
    opening, closing, inner = ("[", "]", "1") if shape == "array" else ('{"a": ', "}", "{}")
    deep = opening * levels + inner + closing * levels
    with admin.transaction(force_rollback=True):
        call(admin, "start_run", run_id="deep", variables='{"v": ' + deep + "}")
        call(admin, "append_event", run_id="deep", type="t", payload='{"p": ' + deep + "}")
        state = '{"context": {"n": [' + deep + ']}, "global_variables": {"v": ' + deep + "}}"
        call(admin, "save_state", run_id="deep", state=state)
        assert text_of(admin, "get_state('deep')") == state
        assert text_of(admin, "get_variable('deep', 'v')") == deep
        assert admin.execute("SELECT count(*) FROM layra.diff('deep', 1)").fetchone()[0] > 0
        call(admin, "rollback", run_id="deep", to_version=2)
        assert call(admin, "verify", run_id="deep") == []


def test_deep_nesting_merges(admin):
    """Both sides add a key at the bottom of 1,000 levels, then they change the same one."""

    def deep(inner):
        return '{"v": ' + '{"a": ' * 1000 + inner + "}" * 1000 + "}"

    with admin.transaction(force_rollback=True):
        call(admin, "start_run", run_id="deep", variables=deep("{}"))
        call(admin, "set_variables", run_id="deep", updates=deep('{"mine": 1}'))
        call(admin, "set_variables", run_id="deep", updates=deep('{"yours": 2}'), on_conflict="merge", expected_version=1)
        assert text_of(admin, "get_variables('deep')") == deep('{"mine": 1, "yours": 2}')
        (row,) = call(admin, "try_set_variables", run_id="deep", updates=deep('{"mine": 3}'), on_conflict="merge",
                      expected_version=1)  # fmt: skip
        assert row[0] is False and row[1] == 3


def test_deep_nesting_under_a_schema(admin):
    definition = '{"nodes": [], "edges": [], "variables": {"v": {"schema": {"type": "array"}}}}'
    deep = "[" * 1000 + "]" * 1000
    with admin.transaction(force_rollback=True):
        call(admin, "define_workflow", name="deep", definition=definition)
        call(admin, "start_run", run_id="deep", workflow="deep", variables='{"v": ' + deep + "}")
        assert text_of(admin, "get_variable('deep', 'v')") == deep


@pytest.mark.parametrize("levels", [6000, 100_000])
def test_nesting_beyond_the_stack_is_an_error_and_no_crash(runs, admin, snapshot, levels):
    """PostgreSQL's own limit (54001) may come first; whatever happens is an error of its own and nothing is written."""
    before = snapshot()
    deep = "[" * levels + "]" * levels
    with admin.transaction(force_rollback=True):
        found = outcome(admin, "set_variable", run_id="run", name="v", value=deep)
    assert found in (OK, "54001", "54000")
    assert admin.execute("SELECT 1").fetchone() == (1,)
    assert snapshot() == before


def test_ten_thousand_keys_in_one_call(admin):
    variables = {f"variable {number}": number for number in range(10_000)}
    with admin.transaction(force_rollback=True):
        call(admin, "start_run", run_id="wide")
        assert call(admin, "set_variables", run_id="wide", updates=json.dumps(variables)) == [(2,)]
        assert call(admin, "get_variables", run_id="wide") == [(variables,)]
        versions = json.dumps(dict.fromkeys(variables, 2))
        changed = json.dumps({name: number + 1 for name, number in variables.items()})
        assert call(admin, "set_variables", run_id="wide", updates=changed, expected_variables=versions) == [(3,)]
        document = {
            "global_variables": variables,
            "execution_status": dict.fromkeys(variables, True),
            "context": {"n": list(range(10_000))},
        }
        assert call(admin, "save_state", run_id="wide", state=json.dumps(document)) == [(4,)]
        assert call(admin, "get_state", run_id="wide") == [(document,)]
        assert call(admin, "unset_variables", run_id="wide", names=list(variables)) == [(5,)]
        assert call(admin, "get_variables", run_id="wide") == [({},)]
        assert call(admin, "rollback", run_id="wide", to_version=4) == [(6,)]
        assert call(admin, "get_state", run_id="wide") == [(document,)]
        events = json.dumps([{"type": "t", "updates": {name: None}} for name in variables])
        assert call(admin, "append_events", run_id="wide", events=events) == [(10_006,)]
        assert call(admin, "verify", run_id="wide") == []


def test_a_long_log_is_read_in_batches(admin):
    """1,000 at a time where nothing else is asked for; the last version of a batch is where the next one starts."""
    with admin.transaction(force_rollback=True):
        call(admin, "start_run", run_id="long")
        events = json.dumps([{"type": f"type {number % 3}"} for number in range(2499)])
        assert call(admin, "append_events", run_id="long", events=events) == [(2500,)]
        found, after = [], 0
        while batch := call(admin, "events", run_id="long", after_version=after):
            found.append(len(batch))
            assert [row[0] for row in batch] == list(range(after + 1, after + len(batch) + 1))
            after = batch[-1][0]
        assert found == [1000, 1000, 500]
        only = call(admin, "events", run_id="long", types=["type 1"], batch_size=5)
        assert [row[0] for row in only] == [3, 6, 9, 12, 15]


def test_conflict_on_ten_thousand_keys_names_a_hundred(admin, raises):
    with admin.transaction(force_rollback=True):
        names = [f"v{number}" for number in range(10_000)]
        call(admin, "start_run", run_id="wide", variables=json.dumps(dict.fromkeys(names, 0)))
        call(admin, "set_variables", run_id="wide", updates=json.dumps(dict.fromkeys(names, 1)))
        with raises(CONFLICT) as error, admin.transaction():
            call(admin, "set_variables", run_id="wide", updates=json.dumps(dict.fromkeys(names, 2)), on_conflict="merge",
                 expected_version=1)  # fmt: skip
        detail = json.loads(error.detail)
        assert len(detail["conflicts"]) == 100
        assert detail["conflict_count"] == 10_000


# --- sizes -----------------------------------------------------------------------------------------------------

# The value is made in the server: what is tested is the extension, not the wire. Each expression takes a number of
# bytes of jsonb text, two of which are the quotes.
SIZED = "to_jsonb(repeat('x', %s - 2))"
LIMIT = 64 * 1024 * 1024

SIZED_CALLS = {
    "start_run": f"layra.start_run('big 2', variables => jsonb_build_object('v', {SIZED}))",
    "set_variable": f"layra.set_variable('big', 'v', {SIZED})",
    "set_variables": f"layra.set_variables('big', jsonb_build_object('v', {SIZED}))",
    "append_event updates": f"layra.append_event('big', 't', updates => jsonb_build_object('v', {SIZED}))",
    "save_state variable": f"layra.save_state('big', jsonb_build_object('global_variables', jsonb_build_object('v', {SIZED})))",
    "save_state context": f"layra.save_state('big', jsonb_build_object('context', jsonb_build_object('n', jsonb_build_array({SIZED}))))",
    "save_state field": f"layra.save_state('big', jsonb_build_object('field', {SIZED}))",
    "finish_run result": f"layra.finish_run('big', result => {SIZED})",
}
# Here the value is inside an object, whose text has nine bytes more: {"k": …} and the key.
SIZED_OBJECTS = {
    "append_event payload": "layra.append_event('big', 't', {})",
    "append_events payload": "layra.append_events('big', jsonb_build_array(jsonb_build_object('type', 't', 'payload', {})))",
    "start_run metadata": "layra.start_run('big 2', metadata => {})",
    "checkpoint metadata": "layra.checkpoint('big', metadata => {})",
}
WRAPPED = f"jsonb_build_object('k', {SIZED})"
SIZED_CASES = [(name, sql, 0) for name, sql in SIZED_CALLS.items()] + [
    (name, sql.format(WRAPPED), len('{"k": }')) for name, sql in SIZED_OBJECTS.items()
]


@pytest.fixture(scope="module")
def big(dsn):
    with psycopg.connect(dsn, autocommit=True) as connection:
        call(connection, "start_run", run_id="big", variables='{"v": 1}')


@pytest.mark.parametrize("name, sql, around", SIZED_CASES, ids=[name for name, _, _ in SIZED_CASES])
def test_size_limit(big, admin, snapshot, raises, name, sql, around):
    """10 MB work, 65 MB do not, nor does one byte above 64 MB."""
    before = snapshot()
    with admin.transaction(force_rollback=True):
        admin.execute(f"SELECT {sql}", [10 * 1024 * 1024])
    for size in (65 * 1024 * 1024, LIMIT - around + 1):
        with raises("54000"):
            admin.execute(f"SELECT {sql}", [size])
    assert snapshot() == before


def test_the_largest_value_and_a_large_one_come_back(big, admin):
    with admin.transaction(force_rollback=True):
        admin.execute(f"SELECT layra.set_variable('big', 'v', {SIZED})", [LIMIT])
        admin.execute(f"SELECT layra.append_event('big', 't', {WRAPPED})", [LIMIT - len('{"k": }')])
        admin.execute("SELECT layra.save_state('big', %s)", [json.dumps({"global_variables": {"v": "é" * 5_000_000}})])
        (sizes,) = admin.execute(
            "SELECT octet_length(layra.get_variable('big', 'v', 2)::text), octet_length(layra.get_variable('big', 'v')::text)"
        ).fetchall()
        assert sizes == (LIMIT, 10_000_002)
        assert call(admin, "verify", run_id="big") == []


def test_large_values_do_not_leave_the_backend_large(big, admin):
    """Fifty times 10 MB through one transaction must not add up in the backend."""
    with admin.transaction(force_rollback=True):
        for _ in range(3):
            admin.execute(f"SELECT layra.set_variable('big', 'v', {SIZED})", [10 * 1024 * 1024])
        before = memory(admin)
        for number in range(47):
            admin.execute(f"SELECT layra.set_variable('big', 'v', {SIZED})", [10 * 1024 * 1024 + number])
        assert memory(admin) < before + 64 * 1024 * 1024


def memory(connection):
    """What the backend has of its own, in bytes."""
    return connection.execute("SELECT sum(total_bytes)::bigint FROM pg_backend_memory_contexts").fetchone()[0]


def test_a_state_that_jsonb_cannot_hold_is_an_error_on_reading_it(big, admin):
    """Five values below the limit, more than 255 MB together: each can be read, all at once cannot."""
    with admin.transaction(force_rollback=True):
        for number in range(5):
            admin.execute(f"SELECT layra.set_variable('big', %s, {SIZED})", [f"v{number}", 60 * 1024 * 1024])
        for expression in ("get_variables('big')", "get_state('big')"):
            with pytest.raises(psycopg.Error) as error, admin.transaction():
                admin.execute(f"SELECT length((layra.{expression})::text)")
            assert error.value.sqlstate == "54000", expression
        (size,) = admin.execute("SELECT octet_length(layra.get_variable('big', 'v4')::text)").fetchone()
        assert size == 60 * 1024 * 1024


# --- order of checks -------------------------------------------------------------------------------------------

# For every function that has most of the checks: an ordinary call, one with a wrong argument, one against the schema
# of variable `count`. A call with all of these wrong gives what ranks first.
ORDERED = {
    "set_variables": ({"updates": '{"count": 1}'}, {"on_conflict": "x"}, {"updates": '{"count": "x"}'}),
    "set_variable": ({"name": "count", "value": "1"}, {"name": ""}, {"value": '"x"'}),
    "unset_variables": ({"names": ["x"]}, {"names": [""]}, None),
    "save_state": ({"state": "{}"}, {"state": "[]"}, {"state": '{"global_variables": {"count": "x"}}'}),
    "append_event": ({"type": "note"}, {"type": "run.x"}, {"updates": '{"count": "x"}'}),
    "append_events": ({"events": '[{"type": "note"}]'}, {"events": "[]"},
                      {"events": '[{"type": "note", "updates": {"count": "x"}}]'}),
    "checkpoint": ({}, {"kind": ""}, None),
    "rollback": ({"to_version": 2}, {"to_version": 0}, None),
    "cancel_run": ({}, {"idempotency_key": ""}, None),
    "finish_run": ({}, {"status": "x"}, None),
    "set_owner": ({"owner": "pg_monitor"}, {"owner": None}, None),
}  # fmt: skip

WRONG_THINGS = ("argument", "missing", "foreign", "hit", "other function", "stale", "finished", "schema")


def ranked(wrong):
    """What the first of the things that are wrong gives."""
    order = {"argument": ARGUMENT, "missing": UNKNOWN, "foreign": "42501", "hit": OK, "other function": ARGUMENT,
             "stale": CONFLICT, "finished": "55000", "schema": "23514"}  # fmt: skip
    return next((order[thing] for thing in WRONG_THINGS if thing in wrong), OK)


def possible(function, wrong):
    if function == "save_state" and "missing" in wrong:
        return False  # it creates the run
    if ORDERED[function][2] is None and "schema" in wrong:
        return False
    if function == "cancel_run" and "argument" in wrong and wrong & {"hit", "other function"}:
        return False  # its only argument that can be wrong is the key itself
    return not {"hit", "other function"} <= wrong and not {"missing", "foreign"} <= wrong


@pytest.mark.parametrize("function", ORDERED)
def test_order_of_checks(connect, role, function):
    """Every combination of things that can be wrong at once."""
    admin = connect()
    alice, bob = connect(role=role("alice")), connect(role=role("bob"))
    for connection in (alice, bob):
        call(admin, "grant_access", role=connection.info.user, level="writer")
    good, bad_argument, bad_value = ORDERED[function]
    call(alice, "define_workflow", name="strict", definition=STRICT)
    for finished in (False, True):
        run_id = f"{function} {finished}"
        call(alice, "start_run", run_id=run_id, workflow="strict")
        other = "append_event" if not function.startswith("append") else "unset_variables"
        call(alice, other, run_id=run_id, idempotency_key="other", **ORDERED[other][0])
        if function == "finish_run" and not finished:
            continue
        if function == "set_owner":
            # The run has to stay alice's.
            good = {"owner": alice.info.user}
        call(alice, function, run_id=run_id, idempotency_key="used", **good)
        if finished and function != "finish_run":
            call(alice, "finish_run", run_id=run_id)

    wrong_results = []
    combinations = itertools.chain.from_iterable(
        itertools.combinations(WRONG_THINGS, size) for size in range(len(WRONG_THINGS) + 1)
    )
    tried = 0
    for wrong in map(set, combinations):
        if not possible(function, wrong) or function == "finish_run" and "hit" in wrong and "finished" not in wrong:
            continue
        tried += 1
        arguments = dict(good)
        arguments["run_id"] = "missing" if "missing" in wrong else f"{function} {'finished' in wrong}"
        if "schema" in wrong:
            arguments |= bad_value
        if "hit" in wrong:
            arguments["idempotency_key"] = "used"
        if "other function" in wrong:
            arguments["idempotency_key"] = "other"
        if "stale" in wrong:
            arguments["expected_version"] = 99_999
        if "argument" in wrong:
            arguments |= bad_argument
        connection = bob if "foreign" in wrong else alice
        with connection.transaction(force_rollback=True):
            found = outcome(connection, function, **arguments)
        if found != ranked(wrong):
            wrong_results.append(f"{sorted(wrong)}: {found} instead of {ranked(wrong)}")
    assert not wrong_results, "\n".join(wrong_results)
    assert tried >= 20


def test_a_conflict_comes_before_the_size_limit(big, admin, raises):
    with raises(CONFLICT):
        admin.execute(f"SELECT layra.set_variables('big', jsonb_build_object('v', {SIZED}), expected_version => 99)", [LIMIT + 1])
    with admin.transaction(force_rollback=True):
        call(admin, "finish_run", run_id="big")
        with raises("55000"), admin.transaction():
            admin.execute(f"SELECT layra.set_variable('big', 'v', {SIZED})", [LIMIT + 1])


def test_a_failed_batch_leaves_nothing_of_its_first_events(strict, admin, snapshot, raises):
    before = snapshot()
    with raises("23514"):
        call(admin, "append_events", run_id="strict",
             events='[{"type": "a", "updates": {"free": 1}}, {"type": "b", "updates": {"count": "x"}}]')  # fmt: skip
    assert snapshot() == before


def test_errors_inside_a_transaction_leave_it_usable(runs, admin, snapshot):
    """After each error, caught in a savepoint, the backend's caches and plans serve the next call as ever."""
    before = snapshot()
    with admin.transaction(force_rollback=True):
        for version in range(6, 40):
            for function, arguments in (
                ("set_variable", {"run_id": "run", "name": "", "value": "1"}),
                ("set_variables", {"run_id": "run", "updates": '{"v": 1}', "expected_version": 1}),
                ("rollback_to", {"run_id": "run", "label": "unknown"}),
                ("append_event", {"run_id": "completed", "type": "late"}),
                ("start_run", {"run_id": "run"}),
            ):
                with pytest.raises(psycopg.Error), admin.transaction():
                    call(admin, function, **arguments)
            assert call(admin, "set_variable", run_id="run", name="v", value=str(version)) == [(version,)]
        assert call(admin, "verify", run_id="run") == []
    assert snapshot() == before
