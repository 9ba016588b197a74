-- From 0.3.0 to 0.4.0: what leaves is accounted for.

-- In the order in which calls lock them: waits for the transactions that have called, and lets no call in before it commits.
LOCK TABLE layra.run, layra.event, layra.cell, layra.access IN ACCESS EXCLUSIVE MODE;

-- A run that is held is never dropped. Also tells the sessions that are connected to look at the version again.
ALTER TABLE layra.run ADD COLUMN hold text;
COMMENT ON COLUMN layra.run.hold IS 'Why somebody holds the run, which is then never dropped; NULL: nobody does.';

-- Locks layra.run against writes (SHARE) while it is built, which takes one pass over it; all of it until the update commits.
DROP INDEX layra.run_owner;
CREATE INDEX run_owner ON layra.run (owner, run_id);
COMMENT ON INDEX layra.run_owner IS 'The runs of an owner in order, for row security and heads.';

CREATE OR REPLACE VIEW layra.runs WITH (security_invoker) AS
SELECT r.run_id, r.status, r.owner, r.workflow, r.workflow_version, e.version, e.at AS last_activity,
    r.created_at, r.finished_at, r.parent_run_id, r.parent_version, r.metadata, r.result, r.hold
FROM layra.run r
CROSS JOIN LATERAL (
    SELECT e.version, e.at FROM layra.event e
    WHERE e.run_id OPERATOR(pg_catalog.>=) r.run_id
      AND ROW(e.run_id, e.version) OPERATOR(pg_catalog.<=) ROW(r.run_id, 9223372036854775807)
    ORDER BY e.run_id DESC, e.version DESC LIMIT 1) e;
COMMENT ON COLUMN layra.runs.hold IS 'Why somebody holds the run, which is then never dropped; NULL: nobody does.';

-- A definition's version is found by the primary key: this index, with the name first, looked as good to PostgreSQL, which then read
-- all versions of a name.
DROP INDEX layra.workflow_hash;
CREATE UNIQUE INDEX workflow_hash ON layra.workflow (hash, owner, name);
COMMENT ON INDEX layra.workflow_hash IS 'A definition by its content: the same one is stored once.';

-- ------------------------------------------------------------------------------------------------------------- seals

-- What is left of runs that are gone: one row each, only ever inserted. Nothing in here refers to a run, so no rollback and no
-- drop of a later one removes any of it.

CREATE TABLE layra.seal (
    run_id           text COLLATE "C" NOT NULL,
    number           bigint NOT NULL,
    what             text NOT NULL CHECK (what IN ('dropped', 'imported')),
    owner            text NOT NULL,
    workflow         text,
    workflow_version integer,
    first_version    bigint NOT NULL,
    last_version     bigint NOT NULL,
    head_hash        bytea NOT NULL,
    events           bigint NOT NULL,
    cells            bigint NOT NULL,
    bytes            bigint NOT NULL,
    at               timestamptz NOT NULL,
    actor            text NOT NULL,
    on_behalf_of     text,
    reason           text,
    previous         bytea,
    hash             bytea NOT NULL,
    PRIMARY KEY (run_id, number)
);
CREATE INDEX seal_owner ON layra.seal (owner, run_id, number);
CREATE INDEX seal_at ON layra.seal (at);
SELECT pg_catalog.pg_extension_config_dump('layra.seal', '');

ALTER TABLE layra.seal ENABLE ROW LEVEL SECURITY;
CREATE POLICY readable ON layra.seal FOR SELECT USING (layra.reads_runs_of(owner));

CREATE VIEW layra.seals WITH (security_invoker) AS
SELECT s.run_id, s.number, s.what, s.at, s.actor, s.on_behalf_of, s.reason, s.owner, s.workflow, s.workflow_version,
    s.first_version, s.last_version, s.events, s.cells, s.bytes,
    pg_catalog.encode(s.head_hash, 'hex') AS head_hash, pg_catalog.encode(s.hash, 'hex') AS hash
FROM layra.seal s;

COMMENT ON TABLE layra.seal IS
'What is left of runs that are gone: a row each, only ever inserted. docs/hash-chain.md says how the hashes are made.';
COMMENT ON COLUMN layra.seal.run_id IS 'The run that is gone; a later one may have its id.';
COMMENT ON COLUMN layra.seal.number IS '1 for the first seal of that run id, then 2, 3, ...';
COMMENT ON COLUMN layra.seal.what IS 'What became of the run: dropped; or imported, as it was up to last_version.';
COMMENT ON COLUMN layra.seal.owner IS 'Role that the run belonged to, as text: who reads its runs reads the seal.';
COMMENT ON COLUMN layra.seal.workflow IS 'Name of the workflow that the run used; NULL: none.';
COMMENT ON COLUMN layra.seal.workflow_version IS 'Version of that workflow.';
COMMENT ON COLUMN layra.seal.first_version IS 'First version that was removed.';
COMMENT ON COLUMN layra.seal.last_version IS 'Last version that was removed.';
COMMENT ON COLUMN layra.seal.head_hash IS 'Hash of the event at the last version, as digest gave it, 32 bytes.';
COMMENT ON COLUMN layra.seal.events IS 'Events that were removed.';
COMMENT ON COLUMN layra.seal.cells IS 'Rows of cells that were removed.';
COMMENT ON COLUMN layra.seal.bytes IS 'Bytes of their payloads and values, as they were stored.';
COMMENT ON COLUMN layra.seal.at IS 'Time of the removal, never earlier than the last event.';
COMMENT ON COLUMN layra.seal.actor IS 'Role that made the call.';
COMMENT ON COLUMN layra.seal.on_behalf_of IS 'Setting layra.actor at that moment: whom the session said that it acts for. A claim, not a proof.';
COMMENT ON COLUMN layra.seal.reason IS 'Why, as the caller said; NULL: nothing was said.';
COMMENT ON COLUMN layra.seal.previous IS 'Hash of the seal before of the same run id, 32 bytes; NULL: there is none.';
COMMENT ON COLUMN layra.seal.hash IS 'BLAKE3 over all other columns, 32 bytes.';
COMMENT ON CONSTRAINT seal_what_check ON layra.seal IS 'What can become of a run.';
COMMENT ON INDEX layra.seal_pkey IS 'The seals of a run id in order, and the newest.';
COMMENT ON INDEX layra.seal_owner IS 'The seals of an owner, for row security.';
COMMENT ON INDEX layra.seal_at IS 'The newest seals.';
COMMENT ON POLICY readable ON layra.seal IS 'A role sees the seals whose owner''s privileges it has; auditors see all.';

COMMENT ON VIEW layra.seals IS
'What is left of the runs that are gone.
The seals of those that the caller could read. Page it by at: ORDER BY at DESC LIMIT 100.';
COMMENT ON COLUMN layra.seals.run_id IS 'The run that is gone; a later one may have its id.';
COMMENT ON COLUMN layra.seals.number IS '1 for the first seal of that run id, then 2, 3, ...';
COMMENT ON COLUMN layra.seals.what IS 'What became of the run: dropped; or imported, as it was up to last_version.';
COMMENT ON COLUMN layra.seals.at IS 'Time of the removal.';
COMMENT ON COLUMN layra.seals.actor IS 'Role that made the call.';
COMMENT ON COLUMN layra.seals.on_behalf_of IS 'Whom the session said that it acts for. A claim, not a proof.';
COMMENT ON COLUMN layra.seals.reason IS 'Why, as the caller said; NULL: nothing was said.';
COMMENT ON COLUMN layra.seals.owner IS 'Role that the run belonged to.';
COMMENT ON COLUMN layra.seals.workflow IS 'Name of the workflow that the run used; NULL: none.';
COMMENT ON COLUMN layra.seals.workflow_version IS 'Version of that workflow.';
COMMENT ON COLUMN layra.seals.first_version IS 'First version that was removed.';
COMMENT ON COLUMN layra.seals.last_version IS 'Last version that was removed.';
COMMENT ON COLUMN layra.seals.events IS 'Events that were removed.';
COMMENT ON COLUMN layra.seals.cells IS 'Rows of cells that were removed.';
COMMENT ON COLUMN layra.seals.bytes IS 'Bytes of their payloads and values, as they were stored.';
COMMENT ON COLUMN layra.seals.head_hash IS 'Hash of the run''s last event, as digest gave it: 64 hexadecimal digits.';
COMMENT ON COLUMN layra.seals.hash IS 'Hash of the seal, 64 hexadecimal digits. The first event of a later run of that id has it.';

-- ------------------------------------------------------------------------------------------------------------- audit

CREATE FUNCTION layra.changed_cells(run_id text, version bigint)
RETURNS TABLE (scope text, key text, ordinal bigint, old jsonb, new jsonb)
STABLE LANGUAGE c AS 'MODULE_PATHNAME', 'changed_cells_wrapper';
CREATE FUNCTION layra.undone_by(run_id text, version bigint) RETURNS bigint STABLE COST 100 LANGUAGE c AS 'MODULE_PATHNAME', 'undone_by_wrapper';

COMMENT ON FUNCTION layra.changed_cells(text, bigint) IS
$$Internal: the cells that an event changed, for the view changes.
run_id text: the run.
version bigint: of the event.
Result: scope, key, ordinal, old (NULL: it was not set), new (NULL: it was unset).
Errors: 22023 bad argument, P0002 no such run, 42501 not a run that the caller may read.
Example: SELECT * FROM layra.changed_cells('order-17', 1);$$;

COMMENT ON FUNCTION layra.undone_by(text, bigint) IS
$$Internal: the rollback that undid a version, for the view timeline.
run_id text: the run.
version bigint: of the run.
Result bigint: the version of that rollback; NULL: the version counts.
Errors: 22023 bad argument, P0002 no such run, 42501 not a run that the caller may read.
Example: SELECT layra.undone_by('order-17', 1);$$;

-- A run that comes after one of its id that is gone says so; what was asked, answered, undone, and what failed.
CREATE OR REPLACE VIEW layra.timeline WITH (security_invoker) AS
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

COMMENT ON COLUMN layra.timeline.what IS 'What the event did: question, answer, error, reason, checkpoint and its metadata (200 characters of each), the first four cells it changed. Not for programs.';
COMMENT ON COLUMN layra.timeline.undone_by IS 'Version of the rollback that undid it; NULL: it counts.';

CREATE OR REPLACE VIEW layra.interactions WITH (security_invoker) AS
SELECT i.run_id, i.id AS interaction, i.node_id, i.status, i.assignee, i.prompt, i.response_schema,
    i.created_at, i.expires_at, i.version, i.closed_version, i.response, i.answered_by, i.answered_for,
    i.created_at AS asked_at,
    (SELECT e.at FROM layra.event e
     WHERE i.status OPERATOR(pg_catalog.=) 'answered' AND e.run_id OPERATOR(pg_catalog.=) i.run_id
       AND e.version OPERATOR(pg_catalog.=) i.closed_version) AS answered_at,
    CASE i.status WHEN 'answered' THEN i.closed_version OPERATOR(pg_catalog.-) 1 END AS approved_version,
    (SELECT pg_catalog.encode(e.hash, 'hex') FROM layra.event e
     WHERE i.status OPERATOR(pg_catalog.=) 'answered' AND e.run_id OPERATOR(pg_catalog.=) i.run_id
       AND e.version OPERATOR(pg_catalog.<) i.closed_version
     ORDER BY e.version DESC LIMIT 1) AS approved_hash
FROM layra.interaction i;

COMMENT ON COLUMN layra.interactions.asked_at IS 'Time of the question, as created_at.';
COMMENT ON COLUMN layra.interactions.answered_at IS 'Time of the answer; NULL: none.';
COMMENT ON COLUMN layra.interactions.approved_version IS 'Version of the run that the answer was given to: the one before closed_version; NULL: no answer.';
COMMENT ON COLUMN layra.interactions.approved_hash IS 'Hash of that version, as digest gave it: with it the state that was approved; NULL: no answer.';

-- The cells that events changed, as the log names them: their rows are found by the primary key.
CREATE VIEW layra.changes WITH (security_invoker) AS
SELECT r.run_id, e.version, c.scope, c.key, c.ordinal, c.old, c.new, e.type,
    e.actor OPERATOR(pg_catalog.||) COALESCE(' for ' OPERATOR(pg_catalog.||) e.on_behalf_of, '') AS who, e.at
FROM layra.run r JOIN layra.event e ON e.run_id OPERATOR(pg_catalog.=) r.run_id AND pg_catalog.cardinality(e.changed) OPERATOR(pg_catalog.>) 0
CROSS JOIN LATERAL layra.changed_cells(e.run_id, e.version) c;

COMMENT ON VIEW layra.changes IS
'What every event changed, one row for each cell.
Read it with WHERE run_id = ''...'' ORDER BY version; it costs the rows that are asked for.';
COMMENT ON COLUMN layra.changes.run_id IS 'The run.';
COMMENT ON COLUMN layra.changes.version IS 'Version of the run.';
COMMENT ON COLUMN layra.changes.scope IS 'variable, node, loop, context or engine.';
COMMENT ON COLUMN layra.changes.key IS 'Name of the variable, id of the node or loop, key of the engine''s field.';
COMMENT ON COLUMN layra.changes.ordinal IS 'Number of the entry of a node''s context; 0 elsewhere.';
COMMENT ON COLUMN layra.changes.old IS 'Value in the version before; NULL: it was not set.';
COMMENT ON COLUMN layra.changes.new IS 'Value in this version; NULL: it was unset.';
COMMENT ON COLUMN layra.changes.type IS 'Type of the event.';
COMMENT ON COLUMN layra.changes.who IS 'Role, and whom it said to act for.';
COMMENT ON COLUMN layra.changes.at IS 'Time of the event.';

-- Where a view or a function of your own calls it, this fails and names it: drop it, update, and create it again.
DROP FUNCTION layra.drop_run(text);
CREATE FUNCTION layra.drop_run(run_id text, reason text DEFAULT NULL) RETURNS void
LANGUAGE c /* Rust */
AS 'MODULE_PATHNAME', 'drop_run_sealed_wrapper';
COMMENT ON FUNCTION layra.drop_run(text, text) IS
$$Erases a run with all that belongs to it, and leaves a seal.
It does so whatever the status of the run is, unless somebody holds it or a retention policy forbids it. The seal says what there was, who dropped it, when and why. A new run can have its id: its first event then names the seal.
Its forks stay, with the idempotency keys that they had from it, and become forks of its own parent; where it had none, their parent_run_id is NULL and their parent_version 0.
run_id text: the run.
reason text, default NULL: kept in the seal.
Result: none.
Errors: 22023 bad argument, P0002 no such run, 42501 not the caller's run, 55000 the run is held or its policy forbids it, 54000 the reason is over 64 MB, 40001 above READ COMMITTED where the run was written to or forked since the snapshot.
Example: SELECT layra.drop_run('order-17', 'a test');$$;

-- ------------------------------------------------------------------------------------------------------------- holds

CREATE FUNCTION layra.hold_run(run_id text, reason text) RETURNS bigint
LANGUAGE c /* Rust */
AS 'MODULE_PATHNAME', 'hold_run_wrapper';
CREATE FUNCTION layra.release_run(run_id text, reason text DEFAULT NULL) RETURNS bigint
LANGUAGE c /* Rust */
AS 'MODULE_PATHNAME', 'release_run_wrapper';

COMMENT ON FUNCTION layra.hold_run(text, text) IS
$$Holds a run, finished or not: it cannot be dropped until release_run.
The same call again does nothing; another reason replaces the one before. Nothing else that the run does is forbidden; a fork of it is not held.
run_id text: the run.
reason text: why, as the view runs shows it.
Result bigint: the run's new version.
Errors: 22023 bad argument, P0002 no such run, 42501 not the caller's run, 54000 the reason is over 64 MB.
Example: SELECT layra.hold_run('order-17', 'audit 2026');$$;

COMMENT ON FUNCTION layra.release_run(text, text) IS
$$Ends the hold of a run, so that it can be dropped again.
Without a hold it does nothing.
run_id text: the run.
reason text, default NULL: kept in the event.
Result bigint: the run's new version.
Errors: 22023 bad argument, P0002 no such run, 42501 not the caller's run, 54000 the reason is over 64 MB.
Example: SELECT layra.release_run('order-17', 'the audit is over');$$;

-- ---------------------------------------------------------------------------------------------------------- retention

CREATE TABLE layra.retention (
    owner    text COLLATE "C" NOT NULL,
    workflow text COLLATE "C" NOT NULL,
    policy   jsonb NOT NULL,
    PRIMARY KEY (owner, workflow)
);
SELECT pg_catalog.pg_extension_config_dump('layra.retention', '');

ALTER TABLE layra.retention ENABLE ROW LEVEL SECURITY;
CREATE POLICY readable ON layra.retention FOR SELECT USING (layra.reads_runs_of(owner));

COMMENT ON TABLE layra.retention IS
'Retention policies, as set_retention was given them.';
COMMENT ON COLUMN layra.retention.owner IS 'Role for whose runs the policy holds, as text.';
COMMENT ON COLUMN layra.retention.workflow IS 'Name of the workflow whose runs it holds for; empty: all that have no policy of their own.';
COMMENT ON COLUMN layra.retention.policy IS 'The policy: {"drop": false} keeps the runs from being dropped.';
COMMENT ON INDEX layra.retention_pkey IS 'The policy of an owner, for a workflow or for all others.';
COMMENT ON POLICY readable ON layra.retention IS 'A role sees the policies of owners whose privileges it has; auditors see all.';

CREATE FUNCTION layra.set_retention(policy jsonb, workflow text DEFAULT NULL) RETURNS void
LANGUAGE c /* Rust */
AS 'MODULE_PATHNAME', 'set_retention_wrapper';
COMMENT ON FUNCTION layra.set_retention(jsonb, text) IS
$$Says whether the caller's runs may be dropped.
With {"drop": false} drop_run refuses them, whoever calls it, until the policy is set again or removed. A workflow's own policy comes before the one for all; policy.retention of a definition forbids it for good.
policy jsonb: an object with the rule drop, true or false; NULL: removes the policy.
workflow text, default NULL: only for runs of this workflow; NULL: for all that have no policy of their own.
Result: none.
Errors: 22023 bad argument.
Example: SELECT layra.set_retention('{"drop": false}');$$;

-- ------------------------------------------------------------------------------------------- a witness of everything

CREATE OR REPLACE FUNCTION layra.digest(run_id text DEFAULT NULL) RETURNS text
STABLE LANGUAGE c /* Rust */
AS 'MODULE_PATHNAME', 'digest_wrapper';
CREATE FUNCTION layra.heads(owner text DEFAULT NULL) RETURNS TABLE (run_id text, version bigint, hash text)
STABLE LANGUAGE c /* Rust */
AS 'MODULE_PATHNAME', 'heads_wrapper';
CREATE FUNCTION layra.verify_heads(heads jsonb) RETURNS TABLE (run_id text, version bigint, problem text)
STABLE LANGUAGE c /* Rust */
AS 'MODULE_PATHNAME', 'verify_heads_wrapper';
COMMENT ON FUNCTION layra.digest(text) IS
$$Reads the head hash of a run: the hash of its newest event.
It depends on every event before it. Keep it elsewhere to prove later that the log was not rewritten.
run_id text, default NULL: the run; NULL: one hash over all that heads returns.
Result text: 64 lower-case hexadecimal digits.
Errors: 22023 bad argument, P0002 no such run, 42501 not a run that the caller may read.
Example: SELECT layra.digest('order-17');$$;

COMMENT ON FUNCTION layra.heads(text) IS
$$Reads the newest hash of every run, and the seals of those that are gone.
They are those that the caller may read. Keep them elsewhere to prove later, with verify_heads, that no run was rewritten or removed behind the extension's back.
owner text, default NULL: only what belongs to this role; NULL: everything that the caller may read.
Result: run_id, version and hash, in the order of run_id as bytes: the seals of a run id (its last version, and the hash of the seal), then the run that has it now.
Errors: 22023 bad argument.
Example: SELECT jsonb_agg(h) FROM layra.heads() h;$$;

COMMENT ON FUNCTION layra.verify_heads(jsonb) IS
$$Compares what heads returned once with what is there.
Each run still has to have that hash at that version, or a seal has to account for it.
heads jsonb: array of objects {"run_id": ..., "version": ..., "hash": ...}; other members are ignored.
Result: run_id, version, problem. No row: everything is accounted for.
Errors: 22023 bad argument.
Example: SELECT * FROM layra.verify_heads('[{"run_id": "order-17", "version": 1, "hash": "1fd0d18474038c1a0f6f76dd146b770045abba1981ffec0abcffc7552d7711af"}]');$$;

-- ------------------------------------------------------------------------------------------------------------------- reports

CREATE FUNCTION layra.explain_run(run_id text) RETURNS SETOF text STABLE LANGUAGE c AS 'MODULE_PATHNAME', 'explain_run_wrapper';
CREATE FUNCTION layra.mermaid(run_id text) RETURNS text STABLE LANGUAGE c AS 'MODULE_PATHNAME', 'mermaid_wrapper';
CREATE FUNCTION layra.report(run_id text) RETURNS text STABLE LANGUAGE c AS 'MODULE_PATHNAME', 'report_wrapper';

COMMENT ON FUNCTION layra.report(text) IS
$$Makes the report of a run: one HTML file for people who do not use SQL.
It has the result of verify, the graph with the states of its nodes, questions and answers, every change of every value, the state at any version, the timeline with what was undone, checkpoints and forks. Of more than 10,000 events it has the first 1,000, the newest 9,000 and counts of the rest; of many changes of a value the newest, of a large value the beginning. It says what it leaves out.
run_id text: the run.
Result text: the file, in ASCII. It needs nothing else, and loads nothing.
Errors: 22023 bad argument, P0002 no such run, 42501 not a run that the caller may read.
Example: SELECT layra.report('order-17');$$;

COMMENT ON FUNCTION layra.explain_run(text) IS
$$Draws the graph of a run as lines of text, with the state of each node.
The bodies of loops are indented; each line ends with where the node leads. [x] completed, [>] running, [!] failed, [-] skipped, [ ] pending.
run_id text: the run.
Result setof text: a line for the run, one that counts the nodes, and one for each node.
Errors: 22023 bad argument, P0002 no such run, 42501 not a run that the caller may read.
Example: SELECT layra.explain_run('order-17');$$;

COMMENT ON FUNCTION layra.mermaid(text) IS
$$Draws the graph of a run as a flowchart for Mermaid.
Markdown pages of many tools show it, with the state of each node. Loops are subgraphs.
run_id text: the run.
Result text: the flowchart, in ASCII.
Errors: 22023 bad argument, P0002 no such run, 42501 not a run that the caller may read.
Example: SELECT layra.mermaid('order-17');$$;
-- ----------------------------------------------------------------------------------------------------------- archive

COMMENT ON TABLE layra.inherited_key IS
'Idempotency keys that a fork has from a parent that was dropped before version 0.3.0, or that was not there when the fork was imported.';

CREATE FUNCTION layra.export_run(run_id text) RETURNS SETOF jsonb
STABLE LANGUAGE c /* Rust */
AS 'MODULE_PATHNAME', 'export_run_wrapper';
CREATE FUNCTION layra.import_run(lines jsonb[]) RETURNS bigint
LANGUAGE c /* Rust */
AS 'MODULE_PATHNAME', 'import_run_wrapper';
CREATE FUNCTION layra.import_lines(source regclass) RETURNS bigint
LANGUAGE c /* Rust */
AS 'MODULE_PATHNAME', 'import_lines_wrapper';
COMMENT ON FUNCTION layra.export_run(text) IS
$$Returns a run as lines of JSON, for an archive or another database.
The lines have everything of it: the definition and the graphs that the run uses, its events, whole values, checkpoints, questions, leases and the keys that a fork inherited, with the hash of each event and a hash of all lines. docs/export.md has the format.
run_id text: the run.
Result jsonb: a row for each line, in order; the last one is the trailer.
Errors: 22023 bad argument, P0002 no such run, 42501 not a run that the caller may read, XX001 what is stored is damaged.
Example: SELECT layra.export_run('order-17');$$;

COMMENT ON FUNCTION layra.import_run(jsonb[]) IS
$$Makes a run of the lines that export_run returned, the same as it was.
Versions, hashes, actors, times and owner are those of the lines. Nothing is written where one of them is missing or was altered. A seal says who imported the run, and when; no handler is called.
lines jsonb[]: all lines of one export, in any order.
Result bigint: the run's newest version.
Errors: 22023 bad argument, 42501 without level admin, 23505 the run already exists, 55000 its definition or its seals are not those that are here, XX001 a line is missing or was altered, 40001 above READ COMMITTED where a concurrent start won.
Example: SELECT layra.import_run(array_agg(line)) FROM archive;$$;

COMMENT ON FUNCTION layra.import_lines(regclass) IS
$$Makes a run of the lines of an export that are in a table.
As import_run, for what is too large for an array: the table is read as the caller, some lines at a time, so memory stays flat.
source regclass: a table, view or foreign table of one column, of type jsonb, with all lines of one export, in any order.
Result bigint: the run's newest version.
Errors: 22023 bad argument, 42501 without level admin or SELECT on the table, 42P01 no such table, 23505 the run already exists, 55000 its definition or its seals are not those that are here, XX001 a line is missing or was altered, 40001 above READ COMMITTED where a concurrent start won.
Example: SELECT layra.import_lines('archive');$$;

-- -------------------------------------------------------------------------------------------------------------- help

CREATE OR REPLACE FUNCTION layra.help(name text DEFAULT NULL) RETURNS SETOF text
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

-- ------------------------------------------------------------------------------------------------------------ grants

-- Nothing for PUBLIC, nor for those to whom the default privileges of whoever updates this gave something: grant_access gives.
REVOKE ALL ON FUNCTION layra.changed_cells, layra.drop_run, layra.explain_run, layra.export_run, layra.heads, layra.hold_run, layra.import_lines,
    layra.import_run, layra.mermaid, layra.release_run, layra.report, layra.set_retention, layra.undone_by, layra.verify_heads FROM PUBLIC;
REVOKE ALL ON TABLE layra.changes, layra.retention, layra.seal, layra.seals FROM PUBLIC;
DO $$
DECLARE
    given record;
BEGIN
    FOR given IN
        SELECT 'FUNCTION ' OPERATOR(pg_catalog.||) p.oid::pg_catalog.regprocedure::pg_catalog.text AS object, a.grantee::pg_catalog.regrole AS grantee
        FROM pg_catalog.pg_proc p CROSS JOIN LATERAL pg_catalog.aclexplode(p.proacl) a
        WHERE p.pronamespace OPERATOR(pg_catalog.=) 'layra'::pg_catalog.regnamespace
          AND a.grantee OPERATOR(pg_catalog.<>) 0 AND a.grantee OPERATOR(pg_catalog.<>) p.proowner
          AND p.proname OPERATOR(pg_catalog.=) ANY ('{changed_cells,drop_run,explain_run,export_run,heads,hold_run,import_lines,import_run,mermaid,release_run,report,set_retention,undone_by,verify_heads}'::pg_catalog.name[])
        UNION ALL
        SELECT 'TABLE ' OPERATOR(pg_catalog.||) c.oid::pg_catalog.regclass::pg_catalog.text, a.grantee::pg_catalog.regrole
        FROM pg_catalog.pg_class c CROSS JOIN LATERAL pg_catalog.aclexplode(c.relacl) a
        WHERE c.relnamespace OPERATOR(pg_catalog.=) 'layra'::pg_catalog.regnamespace
          AND a.grantee OPERATOR(pg_catalog.<>) 0 AND a.grantee OPERATOR(pg_catalog.<>) c.relowner
          AND c.relname OPERATOR(pg_catalog.=) ANY ('{changes,retention,seal,seals}'::pg_catalog.name[])
    LOOP
        EXECUTE pg_catalog.format('REVOKE ALL ON %s FROM %s', given.object, given.grantee);
    END LOOP;
END
$$;

SELECT layra.renew_grants();
