-- By way of the run, which is found by its owner: the rows of a run say nothing of whose they are.
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
            WHEN 'interaction.requested' THEN pg_catalog.concat('question to ', COALESCE(e.payload OPERATOR(pg_catalog.->>) 'assignee', 'anybody'),
                ': ', pg_catalog.left(e.payload OPERATOR(pg_catalog.->>) 'prompt', 200))
            WHEN 'interaction.answered' THEN pg_catalog.concat('answer: ', pg_catalog.left(e.payload OPERATOR(pg_catalog.->>) 'response', 200))
            WHEN 'node.failed' THEN 'error: ' OPERATOR(pg_catalog.||) pg_catalog.left(e.payload OPERATOR(pg_catalog.->>) 'error', 200)
            WHEN 'checkpoint.protected' THEN e.payload OPERATOR(pg_catalog.->>) 'label'
            WHEN 'checkpoint.unprotected' THEN e.payload OPERATOR(pg_catalog.->>) 'label'
        END,
        e.payload OPERATOR(pg_catalog.->>) 'reason',
        CASE WHEN e.version OPERATOR(pg_catalog.=) 1 THEN 'after the run that seal '
            OPERATOR(pg_catalog.||) pg_catalog.left(e.payload OPERATOR(pg_catalog.->>) 'seal', 16) OPERATOR(pg_catalog.||) ' accounts for' END,
        'checkpoint ' OPERATOR(pg_catalog.||) e.checkpoint_kind
            OPERATOR(pg_catalog.||) COALESCE(' ' OPERATOR(pg_catalog.||) e.checkpoint_label, '')
            OPERATOR(pg_catalog.||) CASE e.type WHEN 'checkpoint.created' THEN COALESCE(' for ' OPERATOR(pg_catalog.||)
                pg_catalog.left(NULLIF(e.payload OPERATOR(pg_catalog.->>) 'metadata', '{}'), 200), '') ELSE '' END,
        CASE WHEN c.total OPERATOR(pg_catalog.>) 0 THEN pg_catalog.concat('changed ', c.names,
            CASE WHEN c.total OPERATOR(pg_catalog.>) 4
                 THEN pg_catalog.concat(' and ', c.total OPERATOR(pg_catalog.-) 4, ' more') END) END
    ) AS what,
    layra.undone_by(e.run_id, e.version) AS undone_by
FROM layra.run r JOIN layra.event e ON e.run_id OPERATOR(pg_catalog.=) r.run_id
CROSS JOIN LATERAL (
    SELECT pg_catalog.count(*) AS total,
        pg_catalog.string_agg(n.name, ', ' ORDER BY n.position) FILTER (WHERE n.position OPERATOR(pg_catalog.<=) 4) AS names
    FROM (
        -- Counters and the extension's own cells say nothing to a reader.
        SELECT u.name, pg_catalog.row_number() OVER (ORDER BY u.name) AS position
        FROM pg_catalog.unnest(e.changed) u(name)
        WHERE u.name OPERATOR(pg_catalog.!~~) 'engine/layra.%' AND u.name OPERATOR(pg_catalog.!~~) 'context/%/-1') n) c;

COMMENT ON VIEW layra.timeline IS
'The log of a run for people, one line for each event.
Read it with WHERE run_id = ''...'' ORDER BY version.';
COMMENT ON COLUMN layra.timeline.run_id IS 'The run.';
COMMENT ON COLUMN layra.timeline.version IS 'Version of the run.';
COMMENT ON COLUMN layra.timeline.at IS 'Time of the event.';
COMMENT ON COLUMN layra.timeline.type IS 'Type of the event.';
COMMENT ON COLUMN layra.timeline.who IS 'Role, and whom it said to act for.';
COMMENT ON COLUMN layra.timeline.what IS 'What the event did: question, answer, error, reason, checkpoint and its metadata (200 characters of each), the first four cells it changed. Not for programs.';
COMMENT ON COLUMN layra.timeline.undone_by IS 'Version of the rollback that undid it; NULL: it counts.';
