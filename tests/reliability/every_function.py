"""A call of every function, for tests that make each of them stop, or make it again and again.

    admin.execute(SETUP.format(worker=worker))
    for function, call in calls(admin, worker).items():
        session.execute(call)       # by the worker; by a superuser those in OF_THE_OWNER
"""

SETUP = """
    CREATE TABLE outbox (run_id text, version bigint, type text, payload jsonb);
    CREATE TABLE rules (rule text);
    CREATE TABLE archive (line jsonb);
    GRANT INSERT ON outbox TO {worker}; GRANT SELECT ON rules TO {worker}; GRANT SELECT, INSERT ON archive TO {worker};
    CREATE FUNCTION handle(text, bigint, text, jsonb) RETURNS void LANGUAGE sql
    AS $$ INSERT INTO public.outbox VALUES ($1, $2, $3, $4) $$;
    CREATE FUNCTION rule(text, jsonb) RETURNS SETOF text LANGUAGE sql STABLE AS $$ SELECT rule FROM public.rules $$;
    SELECT layra.grant_access('{worker}', level) FROM unnest('{{writer,auditor,admin}}'::text[]) level;
    SET SESSION AUTHORIZATION {worker};
    SELECT layra.on_event(pattern, 'public.handle(text, bigint, text, jsonb)')
    FROM unnest('{{note,run.*,variables.*,state.*,checkpoint.*,node.*,loop.*,interaction.*}}'::text[]) pattern;
    SELECT layra.define_workflow('flow', '{{
        "nodes": [{{"id": "plan", "type": "code"}}, {{"id": "rounds", "type": "loop", "data": {{"maxCount": 9, "context": "loop"}}}},
                  {{"id": "search", "type": "http"}}],
        "edges": [{{"source": "plan", "target": "rounds"}}, {{"source": "rounds", "target": "search", "sourceHandle": "loop_body"}},
                  {{"source": "search", "target": "rounds", "sourceHandle": "loop_next"}}],
        "variables": {{"v": {{"schema": {{"type": "integer"}}, "group": "g"}}}},
        "policy": {{"checkpoint": {{"before": ["http"], "milestones": ["code"], "every": "1 us"}}}}}}');
    SELECT layra.add_validator('flow', 'rule', 'public.rule(text, jsonb)'), layra.define_event_type('note', '{{"type": "object"}}');
    SELECT layra.start_run('r', 'flow', '{{"v": 1, "o": {{"a": 1}}}}');
    SELECT layra.checkpoint('r', 'kept'), layra.set_variables('r', '{{"v": 2, "o": {{"a": 2}}}}', idempotency_key => 'k');
    SELECT layra.enter_loop('r', 'rounds'), layra.next_iteration('r', 'rounds');
    SELECT layra.begin_node('r', 'search', 'w', '1 second'), layra.complete_node('r', 'search', '[1]');
    SELECT layra.begin_node('r', 'plan', 'w', '1 day');
    SELECT layra.fork_run('r', 'fork'), layra.fork_run('fork', 'fork of the fork');
    SELECT layra.start_run('failed'), layra.finish_run('failed', 'failed');
    SELECT layra.start_run('held');
    DO $$ BEGIN
        PERFORM layra.hold_run('held', 'audit');
    EXCEPTION WHEN undefined_function THEN -- the release before has none
    END $$;
    DO $$ BEGIN
        PERFORM layra.start_run('elsewhere', 'flow', '{{"v": 1}}');
        INSERT INTO public.archive SELECT line FROM layra.export_run('elsewhere') line;
        PERFORM layra.drop_run('elsewhere');
    EXCEPTION WHEN undefined_function THEN -- the release before has none
    END $$;
    SELECT layra.start_run('asked', 'flow'), layra.pause_run('asked', 'plan', '{{}}', 'true');
    SELECT layra.define_breaker('api', 1, '1 us'), layra.breaker_failure('api');
    RESET SESSION AUTHORIZATION;
    CREATE ROLE {worker}_2;
"""

# A call of every function, on what is there.
CALLS = {
    "add_validator": "'flow', 'another', 'public.rule(text, jsonb)'", "append_event": "'r', 'note', '{}', '{\"v\": 3}'",
    "append_events": "'r', '[{\"type\": \"note\"}, {\"type\": \"note\", \"updates\": {\"v\": 4}}]'",
    "begin_node": "'r', 'plan', 'w', '1 day'", "breaker_failure": "'api', '{}'", "breaker_state": "'{worker}', 'api'",
    "breaker_success": "'api'", "breaker_try": "'api'", "cancel_run": "'asked'", "cells": "'r'", "check_access": "'{worker}', 'writer'",
    "checkpoint": "'r', 'kept', replace => true", "complete_node": "'r', 'plan', '1', '{\"v\": 5}', 1", "context": "'r'",
    "define_breaker": "'api', 2", "define_event_type": "'note', '{}'", "define_workflow": "'flow', '{}'", "diff": "'r', 1",
    "digest": "'r'", "drop_run": "'fork'", "enter_loop": "'fork', 'rounds'", "events": "'r'", "exit_loop": "'r', 'rounds'",
    "changed_cells": "'r', 1", "undone_by": "'r', 1",
    "explain_run": "'r'", "mermaid": "'r'", "report": "'r'",
    "export_run": "'fork'", "import_run": "ARRAY(SELECT line FROM public.archive)", "import_lines": "'public.archive'",
    "fail_node": "'r', 'plan', '{}', 1", "finish_run": "'asked'", "format_3": "", "fork_run": "'fork', 'new'", "get_state": "'r'",
    "get_variable": "'r', 'v'", "get_variables": "'r', in_group => 'g'", "heads": "", "hold_run": "'r', 'audit'", "grant_access": "'{worker}_2', 'writer'",
    "heartbeat": "'r', 'plan', 1, '1 day'", "help": "'start_run'", "history": "'r', 'v'", "next_iteration": "'r', 'rounds'",
    "off_event": "'note', 'public.handle(text, bigint, text, jsonb)'", "on_event": "'new', 'public.handle(text, bigint, text, jsonb)'",
    "owns": "'{worker}'", "pause_run": "'asked', 'plan', '{}', 'true'", "protect_checkpoint": "'r', 'kept'",
    "readable_owners": "", "reads_every_run": "", "reads_run": "'r'", "reads_runs_of": "'{worker}'", "recover_run": "'r'", "release_run": "'held'", "remembered": "", "remove_validator": "'flow', 'rule'", "renew_grants": "", "reopen_run": "'failed'",
    "reset_breaker": "'api'", "reset_nodes": "'r', '{plan,search}'", "resume_run": "'asked', '{asked}', '1', '{\"v\": 6}', 'accept'",
    "revoke_access": "'{worker}', 'auditor'", "rollback": "'r', 1", "rollback_to": "'r', 'kept'",
    "save_state": "'r', '{\"global_variables\": {\"v\": 7}, \"nodes\": [], \"edges\": []}'", "set_retention": "'{\"drop\": true}', 'flow'", "set_engine": "'r', '{\"e\": 1}'",
    "set_owner": "'r', '{worker}'", "set_variable": "'fork', 'v', '8', idempotency_key => 'new'",
    "set_variables": "'r', '{\"o\": {\"a\": 1, \"b\": 1}}', null, 'merge', 2", "skip_nodes": "'fork', '{plan}'",
    "stale_runs": "'1 us'", "start_run": "'another', 'flow', '{\"v\": 9}'",
    "try_set_variables": "'r', '{\"v\": 10}', null, 'fail', 1", "unset_variables": "'r', '{v}'", "validate_run": "'r'", "verify": "", "verify_heads": "(SELECT jsonb_agg(h) FROM layra.heads() h)",
    "version_at": "'r', pg_catalog.now()", "withdraw_interaction": "'asked', '{asked}'",
}  # fmt: skip
# Only the extension's owner has these.
OF_THE_OWNER = {"check_access", "grant_access", "revoke_access", "renew_grants"}


def calls(admin, worker):
    """Every call as SQL, on what SETUP made."""
    (asked,) = admin.execute("SELECT id FROM layra.interaction").fetchone()
    return {
        function: f"SELECT * FROM layra.{function}({arguments.replace('{worker}', worker).replace('{asked}', str(asked))})"
        for function, arguments in CALLS.items()
    }


def functions(admin):
    """Those that there are and that SQL can call, to see that none is left out."""
    return {name for (name,) in admin.execute(
        "SELECT proname FROM pg_proc WHERE pronamespace = 'layra'::regnamespace AND 'internal'::regtype <> ALL (proargtypes)"
    )}  # fmt: skip
