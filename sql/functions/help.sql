-- What \df+ cannot show: the functions by topic, and each one's comment as a page. The comments are the one source of it.
CREATE FUNCTION layra.help(name text DEFAULT NULL) RETURNS SETOF text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $help$
DECLARE
    width CONSTANT int := 96;
    wanted CONSTANT text := regexp_replace(lower(btrim(help.name)), '^layra\.|\s*\(.*$', '', 'g');
    entry record;
    object record;
    topic text := '';
    names text[] := '{}';
    related text;
    section text := '';
    line text;
    page text[];
    margin int;
BEGIN
    PERFORM layra.format_3(); -- loads the library, and with it the settings
    FOR entry IN SELECT t.topic, t.name, t.related, COALESCE(
            (SELECT obj_description(p.oid, 'pg_proc') FROM pg_proc p
             WHERE p.pronamespace = 'layra'::regnamespace AND p.proname = t.name),
            (SELECT obj_description(c.oid, 'pg_class') FROM pg_class c
             WHERE c.relnamespace = 'layra'::regnamespace AND c.relname = t.name AND c.relkind = 'v'),
            (SELECT s.short_desc FROM pg_settings s WHERE s.name = 'layra.' || t.name)) AS about
        FROM (VALUES
            -- Every function that is not internal, every view and every setting, and what each is related to.
            ('Workflows and runs', 'define_workflow', 'start_run, define_event_type, validate_run'),
            ('Workflows and runs', 'start_run', 'save_state, fork_run, finish_run, runs'),
            ('Workflows and runs', 'finish_run', 'reopen_run, cancel_run, runs'),
            ('Workflows and runs', 'reopen_run', 'finish_run, fork_run'),
            ('Workflows and runs', 'cancel_run', 'finish_run, heartbeat'),
            ('Workflows and runs', 'set_owner', 'start_run, grant_access'),
            ('Workflows and runs', 'drop_run', 'hold_run, seals, fork_run, finish_run'),
            ('Workflows and runs', 'hold_run', 'release_run, drop_run, runs'),
            ('Workflows and runs', 'release_run', 'hold_run, drop_run'),
            ('Workflows and runs', 'set_retention', 'drop_run, hold_run, define_workflow'),
            ('Variables', 'set_variables', 'try_set_variables, set_variable, get_variables, variables'),
            ('Variables', 'try_set_variables', 'set_variables, set_variable'),
            ('Variables', 'set_variable', 'set_variables, get_variable, unset_variables'),
            ('Variables', 'unset_variables', 'set_variables, history'),
            ('Variables', 'get_variable', 'get_variables, history, version_at'),
            ('Variables', 'get_variables', 'get_variable, variables, get_state'),
            ('State documents', 'save_state', 'get_state, set_engine, set_variables'),
            ('State documents', 'get_state', 'save_state, cells, version_at'),
            ('Event log', 'append_event', 'append_events, events, define_event_type, on_event'),
            ('Event log', 'append_events', 'append_event, events'),
            ('Event log', 'events', 'append_event, timeline'),
            ('Checkpoints and history', 'checkpoint', 'rollback_to, protect_checkpoint, define_workflow'),
            ('Checkpoints and history', 'protect_checkpoint', 'checkpoint, rollback'),
            ('Checkpoints and history', 'rollback', 'rollback_to, diff, fork_run, recover_run'),
            ('Checkpoints and history', 'rollback_to', 'checkpoint, rollback'),
            ('Checkpoints and history', 'history', 'events, diff, get_variable'),
            ('Checkpoints and history', 'diff', 'history, rollback, cells'),
            ('Checkpoints and history', 'version_at', 'get_state, get_variable, events'),
            ('Checkpoints and history', 'fork_run', 'start_run, rollback'),
            ('Checkpoints and history', 'cells', 'get_state, variables, nodes, loops, contexts'),
            ('Nodes and loops', 'begin_node', 'heartbeat, complete_node, fail_node, nodes'),
            ('Nodes and loops', 'heartbeat', 'begin_node, complete_node, cancel_run'),
            ('Nodes and loops', 'complete_node', 'begin_node, fail_node, context, append_event'),
            ('Nodes and loops', 'fail_node', 'begin_node, skip_nodes, breaker_failure'),
            ('Nodes and loops', 'skip_nodes', 'reset_nodes, fail_node'),
            ('Nodes and loops', 'reset_nodes', 'begin_node, skip_nodes, recover_run'),
            ('Nodes and loops', 'context', 'complete_node, contexts'),
            ('Nodes and loops', 'set_engine', 'save_state, get_state'),
            ('Nodes and loops', 'enter_loop', 'next_iteration, exit_loop, loops'),
            ('Nodes and loops', 'next_iteration', 'enter_loop, exit_loop, loops'),
            ('Nodes and loops', 'exit_loop', 'enter_loop, next_iteration'),
            ('Recovery', 'recover_run', 'stale_runs, validate_run, rollback, reset_nodes'),
            ('Recovery', 'stale_runs', 'recover_run, heartbeat, runs'),
            ('Questions to people', 'pause_run', 'resume_run, withdraw_interaction, interactions'),
            ('Questions to people', 'resume_run', 'pause_run, withdraw_interaction, interactions, validate_run'),
            ('Questions to people', 'withdraw_interaction', 'pause_run, resume_run, interactions'),
            ('Circuit breakers', 'define_breaker', 'breaker_try, breakers'),
            ('Circuit breakers', 'breaker_try', 'breaker_success, breaker_failure, define_breaker'),
            ('Circuit breakers', 'breaker_success', 'breaker_try, breaker_failure'),
            ('Circuit breakers', 'breaker_failure', 'breaker_try, breaker_success, fail_node'),
            ('Circuit breakers', 'reset_breaker', 'define_breaker, breakers'),
            ('Rules and handlers', 'validate_run', 'add_validator, recover_run, define_workflow, verify'),
            ('Rules and handlers', 'define_event_type', 'append_event, define_workflow'),
            ('Rules and handlers', 'add_validator', 'remove_validator, validate_run'),
            ('Rules and handlers', 'remove_validator', 'add_validator, validate_run'),
            ('Rules and handlers', 'on_event', 'off_event, append_event'),
            ('Rules and handlers', 'off_event', 'on_event'),
            ('Proof', 'verify', 'digest, verify_heads, validate_run'),
            ('Proof', 'digest', 'verify, heads'),
            ('Proof', 'heads', 'verify_heads, digest, seals'),
            ('Proof', 'verify_heads', 'heads, verify'),
            ('Reports', 'report', 'explain_run, mermaid, timeline, verify'),
            ('Reports', 'explain_run', 'report, mermaid, nodes'),
            ('Reports', 'mermaid', 'explain_run, report'),
            ('Archive', 'export_run', 'import_run, import_lines, drop_run, digest'),
            ('Archive', 'import_run', 'export_run, import_lines'),
            ('Archive', 'import_lines', 'export_run, import_run'),
            ('Access', 'grant_access', 'revoke_access, renew_grants, set_owner'),
            ('Access', 'revoke_access', 'grant_access, renew_grants'),
            ('Access', 'renew_grants', 'grant_access'),
            ('Access', 'help', 'runs, timeline'),
            ('Views', 'runs', 'start_run, timeline, stale_runs'),
            ('Views', 'timeline', 'events, runs, changes'),
            ('Views', 'changes', 'timeline, history, diff'),
            ('Views', 'variables', 'get_variables, cells'),
            ('Views', 'nodes', 'begin_node, cells'),
            ('Views', 'loops', 'enter_loop, cells'),
            ('Views', 'contexts', 'context, cells'),
            ('Views', 'interactions', 'pause_run, resume_run'),
            ('Views', 'breakers', 'define_breaker, breaker_try'),
            ('Views', 'seals', 'drop_run, heads'),
            ('Views', 'session_memory', 'runs'),
            ('Settings', 'actor', 'events, pause_run, timeline'),
            ('Settings', 'now', 'version_at')
        ) t(topic, name, related)
    LOOP
        names := names || entry.name;
        IF help.name IS NULL THEN
            IF entry.topic <> topic THEN
                IF topic <> '' THEN
                    RETURN NEXT '';
                END IF;
                topic := entry.topic;
                RETURN NEXT topic;
            END IF;
            RETURN NEXT format('  %-22s%s', entry.name, split_part(entry.about, E'\n', 1));
        ELSIF entry.name = wanted THEN
            related := entry.related;
        END IF;
    END LOOP;
    IF help.name IS NULL THEN
        RETURN NEXT '';
        RETURN NEXT 'What writes to a run holds up its other writers until the transaction ends.';
        RETURN NEXT 'SELECT layra.help(''start_run''); explains one of these.';
        RETURN;
    END IF;

    -- Also what the list leaves out: internal functions and tables.
    SELECT INTO object * FROM (
        SELECT 1 AS place, obj_description(p.oid, 'pg_proc') AS about, NULL::oid AS relation,
            COALESCE(p.proargnames[1:p.pronargs], '{}') AS arguments, 'layra.' || p.proname || '('
                || regexp_replace(pg_get_function_arguments(p.oid), '::[a-z ]+(\[\])?(?=[,)]|$)', '', 'g')
                || ') -> ' || pg_get_function_result(p.oid) AS signature
        FROM pg_proc p WHERE p.pronamespace = 'layra'::regnamespace AND p.proname = wanted
        UNION ALL
        SELECT 2, obj_description(c.oid, 'pg_class'), c.oid, '{}',
            CASE c.relkind WHEN 'v' THEN 'View ' ELSE 'Table ' END || 'layra.' || c.relname
        FROM pg_class c WHERE c.relnamespace = 'layra'::regnamespace AND c.relkind IN ('r', 'p', 'v') AND c.relname = wanted
        UNION ALL
        SELECT 3, s.short_desc || E'\n' || regexp_replace(s.extra_desc, ' (Example: )', E'\n\\1'), NULL, '{}', 'Setting ' || s.name
        FROM pg_settings s WHERE s.name = 'layra.' || wanted) f
    ORDER BY f.place LIMIT 1;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'there is no help on "%"', left(help.name, 255) USING ERRCODE = 'no_data_found',
            HINT = COALESCE((
                SELECT 'Similar: ' || string_agg(s.other, ', ' ORDER BY s.place) || '. ' FROM (
                    SELECT u.other, u.place FROM unnest(names) WITH ORDINALITY u(other, place)
                    WHERE wanted <> '' AND (strpos(u.other, wanted) > 0 OR left(u.other, 3) = left(wanted, 3)
                        OR string_to_array(u.other, '_') && string_to_array(wanted, '_'))
                    ORDER BY u.place LIMIT 8) s), '') || 'SELECT layra.help(); lists all functions, views and settings.';
    END IF;

    page := ARRAY[object.signature, ''];
    FOREACH line IN ARRAY string_to_array(object.about, E'\n') LOOP
        IF line ~ '^(Result|Errors|Example)\M' THEN
            section := substring(line FROM '^\w+');
            page := page || ARRAY['', section, '  ' || regexp_replace(line, '^\w+:? ', '')];
            IF section = 'Errors' THEN
                -- A line for each SQLSTATE.
                page := trim_array(page, 1) || string_to_array(
                    regexp_replace('  ' || substring(line FROM 9), ',? (?=[0-9A-Z]{5} )', E'\n  ', 'g'), E'\n');
            END IF;
            CONTINUE;
        ELSIF section = '' AND substring(line FROM '^\w+(?= )') = ANY (object.arguments) THEN
            section := 'Arguments';
            page := page || ARRAY['', section];
        END IF;
        page := page || CASE WHEN section = '' THEN line ELSE '  ' || line END;
    END LOOP;
    IF object.relation IS NOT NULL THEN
        page := page || ARRAY['', 'Columns'];
        FOR entry IN SELECT a.attname, format_type(a.atttypid, a.atttypmod) AS type, col_description(a.attrelid, a.attnum) AS about
            FROM pg_attribute a WHERE a.attrelid = object.relation AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum
        LOOP
            page := page || format('  %s %s: %s', entry.attname, entry.type, entry.about);
        END LOOP;
    END IF;
    IF related IS NOT NULL THEN
        page := page || ARRAY['', 'Related', '  ' || related];
    END IF;
    FOREACH line IN ARRAY page LOOP
        margin := length(line) - length(ltrim(line));
        IF line = '' THEN
            RETURN NEXT '';
        END IF;
        -- The signature, and what is in a section, goes on further to the right; prose does not.
        RETURN QUERY SELECT repeat(' ', margin + CASE WHEN w.number = 1 OR margin = 0 AND line <> page[1] THEN 0 ELSE 4 END) || w.words[1]
            FROM regexp_matches(ltrim(line), format('(.{1,%s})(?:\s+|$)', width - margin - 4), 'g') WITH ORDINALITY w(words, number);
    END LOOP;
END
$help$;

COMMENT ON FUNCTION layra.help(text) IS
$$Lists the functions, views and settings, or explains one of them.
name text, default NULL: a function, view, table or setting, with or without layra. before it; NULL: the list, by topic, without internal functions.
Result: lines of text, at most 98 characters wide.
Errors: P0002 there is nothing of that name; HINT has similar ones.
Example: SELECT layra.help('start_run');$$;
