-- What operators and auditors read. Every view has the caller's privileges and row security, and costs one run under
-- WHERE run_id = ...; runs and timeline cost the rows that are asked for. None is a security barrier: what a role may not see the
-- policies of the tables hold back, below any condition; no view has one of its own that would. A barrier kept the caller's
-- conditions and his LIMIT from the indexes.

CREATE VIEW layra.runs WITH (security_invoker) AS
SELECT r.run_id, r.status, r.owner, r.workflow, r.workflow_version, e.version, e.at AS last_activity,
    r.created_at, r.finished_at, r.parent_run_id, r.parent_version, r.metadata, r.result
FROM layra.run r
CROSS JOIN LATERAL (
    SELECT e.version, e.at FROM layra.event e WHERE e.run_id OPERATOR(pg_catalog.=) r.run_id
    ORDER BY e.version DESC LIMIT 1) e;

CREATE VIEW layra.timeline WITH (security_invoker) AS
SELECT e.run_id, e.version, e.at, e.type,
    e.actor OPERATOR(pg_catalog.||) COALESCE(' for ' OPERATOR(pg_catalog.||) e.on_behalf_of, '') AS who,
    pg_catalog.concat_ws('; ',
        CASE e.type
            WHEN 'run.rolled_back' THEN pg_catalog.concat('back to version ', e.payload OPERATOR(pg_catalog.->>) 'to_version',
                ' (' OPERATOR(pg_catalog.||) (e.payload OPERATOR(pg_catalog.->>) 'label') OPERATOR(pg_catalog.||) ')')
            WHEN 'run.forked' THEN pg_catalog.concat('from ', e.payload OPERATOR(pg_catalog.#>>) '{parent,run_id}',
                ' at version ', e.payload OPERATOR(pg_catalog.#>>) '{parent,version}')
            WHEN 'run.finished' THEN e.payload OPERATOR(pg_catalog.->>) 'status'
            WHEN 'run.owner_changed' THEN pg_catalog.concat('to ', e.payload OPERATOR(pg_catalog.->>) 'owner')
            WHEN 'checkpoint.protected' THEN e.payload OPERATOR(pg_catalog.->>) 'label'
            WHEN 'checkpoint.unprotected' THEN e.payload OPERATOR(pg_catalog.->>) 'label'
        END,
        e.payload OPERATOR(pg_catalog.->>) 'reason',
        'checkpoint ' OPERATOR(pg_catalog.||) e.checkpoint_kind
            OPERATOR(pg_catalog.||) COALESCE(' ' OPERATOR(pg_catalog.||) e.checkpoint_label, ''),
        CASE WHEN c.total OPERATOR(pg_catalog.>) 0 THEN pg_catalog.concat('changed ', c.names,
            CASE WHEN c.total OPERATOR(pg_catalog.>) 4
                 THEN pg_catalog.concat(' and ', c.total OPERATOR(pg_catalog.-) 4, ' more') END) END
    ) AS what
FROM layra.event e
CROSS JOIN LATERAL (
    SELECT pg_catalog.count(*) AS total,
        pg_catalog.string_agg(n.name, ', ' ORDER BY n.position) FILTER (WHERE n.position OPERATOR(pg_catalog.<=) 4) AS names
    FROM (
        -- Counters and the extension's own cells say nothing to a reader.
        SELECT u.name, pg_catalog.row_number() OVER (ORDER BY u.name) AS position
        FROM pg_catalog.unnest(e.changed) u(name)
        WHERE u.name OPERATOR(pg_catalog.!~~) 'engine/layra.%' AND u.name OPERATOR(pg_catalog.!~~) 'context/%/-1') n) c;

CREATE VIEW layra.session_memory WITH (security_invoker) AS
SELECT m.what, m.entries, m.bytes FROM layra.remembered() m;

CREATE VIEW layra.variables WITH (security_invoker) AS
SELECT r.run_id, c.key AS name, c.value, c.version, c.revision,
    w.definition OPERATOR(pg_catalog.#>>) ARRAY['variables', c.key, 'group'] AS "group"
FROM layra.run r
CROSS JOIN LATERAL layra.cells(r.run_id, 'variable') c
LEFT JOIN layra.workflow w ON w.owner OPERATOR(pg_catalog.=) r.workflow_owner
    AND w.name OPERATOR(pg_catalog.=) r.workflow AND w.version OPERATOR(pg_catalog.=) r.workflow_version;

CREATE VIEW layra.nodes WITH (security_invoker) AS
SELECT r.run_id, c.key AS node_id, c.value OPERATOR(pg_catalog.->>) 'status' AS status, c.value AS details, c.version, c.revision
FROM layra.run r CROSS JOIN LATERAL layra.cells(r.run_id, 'node') c;

CREATE VIEW layra.loops WITH (security_invoker) AS
SELECT r.run_id, c.key AS loop_id, c.value OPERATOR(pg_catalog.->) 'index' AS index, c.value AS details, c.version, c.revision
FROM layra.run r CROSS JOIN LATERAL layra.cells(r.run_id, 'loop') c;

CREATE VIEW layra.contexts WITH (security_invoker) AS
SELECT r.run_id, c.key AS node_id, c.ordinal, c.value, c.version
FROM layra.run r CROSS JOIN LATERAL layra.cells(r.run_id, 'context') c;
