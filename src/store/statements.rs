//! Every SQL statement that the extension keeps a plan of, in one place.
//!
//! Names and operators are schema-qualified (the caller's search_path is hostile until proven otherwise), every statement
//! on a run has `run_id = $1`, and the comment it starts with is its name in pg_stat_statements and auto_explain.
//! A list of cells comes as three arrays: scopes, keys, ordinals.

use crate::server::spi::Statement;
use pgrx::pg_sys::BuiltinOid::*;

macro_rules! statement {
    ($(#[$doc:meta])* $name:ident, [$($arg:ident),*], $($sql:expr),+ $(,)?) => {
        $(#[$doc])*
        pub static $name: Statement = Statement { sql: concat!($($sql),+), args: &[$($arg),*] };
    };
}

statement! {
    INSTALLED_VERSION, [], "/* layra.installed_version */
SELECT e.extversion FROM pg_catalog.pg_extension e WHERE e.extname OPERATOR(pg_catalog.=) 'layra_state'"
}

// ------------------------------------------------------------------------------------------------ the head of a run

/// A run, locked, and its head. The lock comes first, but the head is as the statement's snapshot has it, which may be
/// older: `Request::lock` sees to that.
macro_rules! open_run {
    ($uses:literal) => {
        concat!("SELECT r.status, r.owner, r.workflow_owner, r.workflow, r.workflow_version, r.definition_hash, r.parent_run_id, r.parent_version,
    EXISTS (SELECT FROM layra.handler h WHERE h.type_pattern OPERATOR(pg_catalog.>=) ''),
    EXISTS (SELECT FROM layra.event_type t WHERE t.type OPERATOR(pg_catalog.>=) ''),
    e.version, e.hash, e.at, e.bytes_since_checkpoint, e.checkpoint_version", $uses, "
FROM (SELECT r.status, r.owner, r.workflow_owner, r.workflow, r.workflow_version, r.definition_hash, r.parent_run_id, r.parent_version
      FROM layra.run r WHERE r.run_id OPERATOR(pg_catalog.=) $1 FOR NO KEY UPDATE) r
LEFT JOIN LATERAL (
    SELECT e.version, e.hash, e.at, e.bytes_since_checkpoint, e.checkpoint_version
    FROM layra.event e WHERE e.run_id OPERATOR(pg_catalog.=) $1 ORDER BY e.version DESC LIMIT 1) e ON true")
    };
}

statement! {
    OPEN_RUN, [TEXTOID], "/* layra.open_run */
", open_run!("")
}

statement! {
    /// As OPEN_RUN, with the versions and types that used an idempotency key, newest first.
    OPEN_RUN_WITH_KEY, [TEXTOID, TEXTOID], "/* layra.open_run_with_key */
", open_run!(",
    ARRAY(SELECT k.version FROM layra.event k
          WHERE k.run_id OPERATOR(pg_catalog.=) $1 AND k.idempotency_key OPERATOR(pg_catalog.=) $2 ORDER BY k.version DESC),
    ARRAY(SELECT k.type FROM layra.event k
          WHERE k.run_id OPERATOR(pg_catalog.=) $1 AND k.idempotency_key OPERATOR(pg_catalog.=) $2 ORDER BY k.version DESC)")
}

statement! {
    /// Whether there are any handlers, any event types.
    FLAGS, [], "/* layra.flags */
SELECT EXISTS (SELECT FROM layra.handler h WHERE h.type_pattern OPERATOR(pg_catalog.>=) ''),
    EXISTS (SELECT FROM layra.event_type t WHERE t.type OPERATOR(pg_catalog.>=) '')"
}

statement! {
    HEAD, [TEXTOID], "/* layra.head */
SELECT e.version FROM layra.event e WHERE e.run_id OPERATOR(pg_catalog.=) $1 ORDER BY e.version DESC LIMIT 1"
}

statement! {
    /// A run as its readers see it, with its newest version.
    READ_RUN, [TEXTOID], "/* layra.read_run */
SELECT r.status, r.owner, r.workflow_owner, r.workflow, r.workflow_version, r.definition_hash, r.parent_run_id, r.parent_version,
    (SELECT e.version FROM layra.event e WHERE e.run_id OPERATOR(pg_catalog.=) $1 ORDER BY e.version DESC LIMIT 1)
FROM layra.run r WHERE r.run_id OPERATOR(pg_catalog.=) $1"
}

statement! {
    /// As READ_RUN, for a fork: the parent cannot be dropped before the fork commits.
    SHARE_RUN, [TEXTOID], "/* layra.share_run */
SELECT r.status, r.owner, r.workflow_owner, r.workflow, r.workflow_version, r.definition_hash, r.parent_run_id, r.parent_version,
    r.metadata
FROM layra.run r WHERE r.run_id OPERATOR(pg_catalog.=) $1 FOR KEY SHARE"
}

statement! {
    /// Two versions of the same run: what the chain says of one of them.
    EVENT_HASH, [TEXTOID, INT8OID], "/* layra.event_hash */
SELECT e.hash, e.at FROM layra.event e
WHERE e.run_id OPERATOR(pg_catalog.=) $1 AND e.version OPERATOR(pg_catalog.=) $2"
}

statement! {
    /// The uses of an idempotency key up to a version, newest first.
    KEY_USES, [TEXTOID, TEXTOID, INT8OID], "/* layra.key_uses */
SELECT k.version, k.type FROM layra.event k
WHERE k.run_id OPERATOR(pg_catalog.=) $1 AND k.idempotency_key OPERATOR(pg_catalog.=) $2
  AND k.version OPERATOR(pg_catalog.<=) $3 ORDER BY k.version DESC"
}

statement! {
    /// The dropped runs that a run comes from, the versions of them that its history has, and their uses of a key up to there,
    /// newest first. Before version 0.3.0 each fork had keys of its own from them, which count as used in its version 1.
    INHERITED_USES, [TEXTOID, TEXTOID], "/* layra.inherited_uses */
SELECT i.source, i.version,
    ARRAY(SELECT k.version FROM layra.bequeathed_key k WHERE k.source OPERATOR(pg_catalog.=) i.source
          AND k.idempotency_key OPERATOR(pg_catalog.=) $2 AND k.version OPERATOR(pg_catalog.<=) i.version ORDER BY k.version DESC),
    ARRAY(SELECT k.type FROM layra.bequeathed_key k WHERE k.source OPERATOR(pg_catalog.=) i.source
          AND k.idempotency_key OPERATOR(pg_catalog.=) $2 AND k.version OPERATOR(pg_catalog.<=) i.version ORDER BY k.version DESC),
    i.distance
FROM layra.inheritance i WHERE i.run_id OPERATOR(pg_catalog.=) $1
UNION ALL
SELECT NULL, 1, ARRAY[1::pg_catalog.int8], ARRAY[k.type], 0 FROM layra.inherited_key k
WHERE k.run_id OPERATOR(pg_catalog.=) $1 AND k.idempotency_key OPERATOR(pg_catalog.=) $2"
}

statement! {
    /// As ROLLBACK_BEFORE, of a run that was dropped.
    INHERITED_ROLLBACK_BEFORE, [UUIDOID, INT8OID], "/* layra.inherited_rollback_before */
SELECT k.version, k.to_version FROM layra.bequeathed_key k
WHERE k.source OPERATOR(pg_catalog.=) $1 AND k.idempotency_key OPERATOR(pg_catalog.=) ''
  AND k.version OPERATOR(pg_catalog.>) 0 AND k.version OPERATOR(pg_catalog.<=) $2 ORDER BY k.version DESC LIMIT 1"
}

statement! {
    /// The newest rollback at or below a version, and where it went back to.
    ROLLBACK_BEFORE, [TEXTOID, INT8OID], "/* layra.rollback_before */
SELECT e.version, (e.payload OPERATOR(pg_catalog.->>) 'to_version')::pg_catalog.int8
FROM layra.event e
WHERE e.run_id OPERATOR(pg_catalog.=) $1 AND e.type OPERATOR(pg_catalog.=) 'run.rolled_back'
  AND e.version OPERATOR(pg_catalog.<=) $2 ORDER BY e.version DESC LIMIT 1"
}

// ---------------------------------------------------------------------------------------------------------- the log

macro_rules! insert_event {
    () => {
        "INSERT INTO layra.event (run_id, version, type, payload, payload_hash, changed, cells_hash, actor, on_behalf_of, at,
    idempotency_key, checkpoint_kind, checkpoint_label, hash, bytes_since_checkpoint, checkpoint_version)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)"
    };
}

statement! {
    INSERT_EVENT, [TEXTOID, INT8OID, TEXTOID, JSONBOID, BYTEAOID, TEXTARRAYOID, BYTEAOID, TEXTOID, TEXTOID, TIMESTAMPTZOID,
        TEXTOID, TEXTOID, TEXTOID, BYTEAOID, INT8OID, INT8OID],
    "/* layra.insert_event */\n", insert_event!()
}

statement! {
    /// Above READ COMMITTED the snapshot can hide the true head: the insert then finds the version taken. It costs 50
    /// octets of WAL a row more, so below that level the lock alone does.
    INSERT_EVENT_UNLESS_TAKEN, [TEXTOID, INT8OID, TEXTOID, JSONBOID, BYTEAOID, TEXTARRAYOID, BYTEAOID, TEXTOID, TEXTOID,
        TIMESTAMPTZOID, TEXTOID, TEXTOID, TEXTOID, BYTEAOID, INT8OID, INT8OID],
    "/* layra.insert_event_unless_taken */\n", insert_event!(), " ON CONFLICT DO NOTHING"
}

macro_rules! insert_events {
    () => {
        "INSERT INTO layra.event (run_id, version, type, payload, payload_hash, changed, cells_hash, actor, on_behalf_of, at,
    idempotency_key, checkpoint_kind, checkpoint_label, hash, bytes_since_checkpoint, checkpoint_version)
SELECT $1, n.version, n.type, n.payload, n.payload_hash, n.changed::pg_catalog.text[], n.cells_hash, $8, $9, $10,
    n.key, n.kind, n.label, n.hash, n.bytes, n.checkpoint_version
FROM unnest($2, $3, $4, $5, $6, $7, $11, $12, $13, $14, $15, $16)
    n(version, type, payload, payload_hash, changed, cells_hash, key, kind, label, hash, bytes, checkpoint_version)"
    };
}

statement! {
    INSERT_EVENTS, [TEXTOID, INT8ARRAYOID, TEXTARRAYOID, JSONBARRAYOID, BYTEAARRAYOID, TEXTARRAYOID, BYTEAARRAYOID, TEXTOID,
        TEXTOID, TIMESTAMPTZOID, TEXTARRAYOID, TEXTARRAYOID, TEXTARRAYOID, BYTEAARRAYOID, INT8ARRAYOID, INT8ARRAYOID],
    "/* layra.insert_events */\n", insert_events!()
}

statement! {
    INSERT_EVENTS_UNLESS_TAKEN, [TEXTOID, INT8ARRAYOID, TEXTARRAYOID, JSONBARRAYOID, BYTEAARRAYOID, TEXTARRAYOID, BYTEAARRAYOID,
        TEXTOID, TEXTOID, TIMESTAMPTZOID, TEXTARRAYOID, TEXTARRAYOID, TEXTARRAYOID, BYTEAARRAYOID, INT8ARRAYOID, INT8ARRAYOID],
    "/* layra.insert_events_unless_taken */\n", insert_events!(), " ON CONFLICT DO NOTHING"
}

statement! {
    INSERT_CELL, [TEXTOID, INT8OID, TEXTOID, TEXTOID, INT8OID, INT8OID, JSONBOID, BYTEAOID, INT8OID], "/* layra.insert_cell */
INSERT INTO layra.cell (run_id, version, scope, key, ordinal, revision, value, hash, base)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)"
}

statement! {
    INSERT_CELLS, [TEXTOID, INT8ARRAYOID, TEXTARRAYOID, TEXTARRAYOID, INT8ARRAYOID, INT8ARRAYOID, JSONBARRAYOID, BYTEAARRAYOID,
        INT8ARRAYOID], "/* layra.insert_cells */
INSERT INTO layra.cell (run_id, version, scope, key, ordinal, revision, value, hash, base)
SELECT $1, n.version, n.scope, n.key, n.ordinal, n.revision, n.value, n.hash, n.base
FROM unnest($2, $3, $4, $5, $6, $7, $8, $9) n(version, scope, key, ordinal, revision, value, hash, base)"
}

statement! {
    /// Cells copied from other rows ($7: the run they stand in, $8: their versions) that have whole values, which never
    /// leave SQL.
    COPY_CELLS, [TEXTOID, INT8OID, TEXTARRAYOID, TEXTARRAYOID, INT8ARRAYOID, INT8ARRAYOID, TEXTOID, INT8ARRAYOID],
    "/* layra.copy_cells */
INSERT INTO layra.cell (run_id, version, scope, key, ordinal, revision, value, hash)
SELECT $1, $2, n.scope, n.key, n.ordinal, n.revision, c.value, c.hash
FROM unnest($3, $4, $5, $6, $8) n(scope, key, ordinal, revision, source)
CROSS JOIN LATERAL (
    SELECT c.value, c.hash FROM layra.cell c
    WHERE c.run_id OPERATOR(pg_catalog.=) $7 AND c.scope OPERATOR(pg_catalog.=) n.scope
      AND c.key OPERATOR(pg_catalog.=) n.key AND c.ordinal OPERATOR(pg_catalog.=) n.ordinal
      AND c.version OPERATOR(pg_catalog.=) n.source LIMIT 1) c"
}

statement! {
    EVENTS, [TEXTOID, INT8OID, INT8OID, JSONBOID], "/* layra.events */
SELECT e.version, e.type, e.payload, e.changed, e.actor, e.on_behalf_of, e.at
FROM layra.event e
WHERE e.run_id OPERATOR(pg_catalog.=) $1 AND e.version OPERATOR(pg_catalog.>) $2
  AND ($4 IS NULL OR $4 OPERATOR(pg_catalog.?) e.type)
ORDER BY e.version LIMIT $3"
}

// ------------------------------------------------------------------------------------------------------------- cells

macro_rules! newest_row {
    ($columns:literal, $scope:literal, $key:literal, $ordinal:literal, $version:literal) => {
        concat!(
            "(SELECT ",
            $columns,
            " FROM layra.cell c
    WHERE c.run_id OPERATOR(pg_catalog.=) $1 AND c.scope OPERATOR(pg_catalog.=) ",
            $scope,
            " AND c.key OPERATOR(pg_catalog.=) ",
            $key,
            " AND c.ordinal OPERATOR(pg_catalog.=) ",
            $ordinal,
            $version,
            " ORDER BY c.version DESC LIMIT 1)"
        )
    };
}

statement! {
    /// The newest row of one cell, without its value.
    PROBE_CELL, [TEXTOID, TEXTOID, TEXTOID, INT8OID], "/* layra.probe_cell */\n",
    newest_row!("c.version, c.revision, c.hash", "$2", "$3", "$4", "")
}

statement! {
    /// The newest rows of some cells, without their values; column 1 counts the cells from 1.
    PROBE_CELLS, [TEXTOID, TEXTARRAYOID, TEXTARRAYOID, INT8ARRAYOID], "/* layra.probe_cells */
SELECT n.position, c.version, c.revision, c.hash
FROM unnest($2, $3, $4) WITH ORDINALITY n(scope, key, ordinal, position)
CROSS JOIN LATERAL ", newest_row!("c.version, c.revision, c.hash", "n.scope", "n.key", "n.ordinal", ""), " c"
}

statement! {
    /// The rows of some cells at two versions, with their values.
    COMPARE_VALUES, [TEXTOID, TEXTARRAYOID, TEXTARRAYOID, INT8ARRAYOID, INT8OID, INT8OID], "/* layra.compare_values */
SELECT n.position, a.version, a.hash, a.value, b.version, b.revision, b.hash, b.value, a.base, b.base
FROM unnest($2, $3, $4) WITH ORDINALITY n(scope, key, ordinal, position)
LEFT JOIN LATERAL ", newest_row!("c.version, c.hash, c.value, c.base", "n.scope", "n.key", "n.ordinal",
        " AND c.version OPERATOR(pg_catalog.<=) $5"), " a ON true
LEFT JOIN LATERAL ", newest_row!("c.version, c.revision, c.hash, c.value, c.base", "n.scope", "n.key", "n.ordinal",
        " AND c.version OPERATOR(pg_catalog.<=) $6"), " b ON true"
}

statement! {
    /// As COMPARE_VALUES, with the values of nodes only.
    COMPARE_CELLS, [TEXTOID, TEXTARRAYOID, TEXTARRAYOID, INT8ARRAYOID, INT8OID, INT8OID], "/* layra.compare_cells */
SELECT n.position, a.version, a.hash, CASE WHEN n.scope OPERATOR(pg_catalog.=) 'node' THEN a.value END, b.version, b.revision, b.hash,
    NULL, a.base
FROM unnest($2, $3, $4) WITH ORDINALITY n(scope, key, ordinal, position)
LEFT JOIN LATERAL ", newest_row!("c.version, c.hash, c.value, c.base", "n.scope", "n.key", "n.ordinal",
        " AND c.version OPERATOR(pg_catalog.<=) $5"), " a ON true
LEFT JOIN LATERAL ", newest_row!("c.version, c.revision, c.hash", "n.scope", "n.key", "n.ordinal",
        " AND c.version OPERATOR(pg_catalog.<=) $6"), " b ON true"
}

statement! {
    /// The rows that the value of a cell at a version stands in, newest first, no more than a chain has: see `chain`.
    CHAIN, [TEXTOID, TEXTOID, TEXTOID, INT8OID, INT8OID], "/* layra.chain */
SELECT c.version, c.revision, c.value, c.base FROM layra.cell c
WHERE c.run_id OPERATOR(pg_catalog.=) $1 AND c.scope OPERATOR(pg_catalog.=) $2 AND c.key OPERATOR(pg_catalog.=) $3
  AND c.ordinal OPERATOR(pg_catalog.=) $4 AND c.version OPERATOR(pg_catalog.<=) $5
  AND c.version OPERATOR(pg_catalog.>=) ", newest_row!("LEAST(c.base, c.version)", "$2", "$3", "$4",
        " AND c.version OPERATOR(pg_catalog.<=) $5"), "
ORDER BY c.version DESC LIMIT 129"
}

statement! {
    /// The names of the cells that the events of a range changed, each once.
    CHANGED_NAMES, [TEXTOID, INT8OID, INT8OID], "/* layra.changed_names */
SELECT DISTINCT u.name
FROM layra.event e CROSS JOIN LATERAL pg_catalog.unnest(e.changed) u(name)
WHERE e.run_id OPERATOR(pg_catalog.=) $1 AND e.version OPERATOR(pg_catalog.>) $2 AND e.version OPERATOR(pg_catalog.<=) $3"
}

statement! {
    /// The distinct cells of a run, dead ones too, at most $2: a skip scan, one descent a cell whatever its versions.
    DISTINCT_CELLS, [TEXTOID, INT8OID], "/* layra.distinct_cells */
WITH RECURSIVE walk AS (
    (SELECT c.scope, c.key, c.ordinal FROM layra.cell c WHERE c.run_id OPERATOR(pg_catalog.=) $1
     ORDER BY c.scope DESC, c.key DESC, c.ordinal DESC LIMIT 1)
    UNION ALL
    SELECT n.scope, n.key, n.ordinal FROM walk w CROSS JOIN LATERAL (
        SELECT c.scope, c.key, c.ordinal FROM layra.cell c WHERE c.run_id OPERATOR(pg_catalog.=) $1
          AND ROW(c.scope, c.key, c.ordinal) OPERATOR(pg_catalog.<) ROW(w.scope, w.key, w.ordinal)
        ORDER BY c.scope DESC, c.key DESC, c.ordinal DESC LIMIT 1) n)
SELECT w.scope, w.key, w.ordinal FROM walk w LIMIT $2"
}

/// All cells in the scopes $2 to $3, live or not: a skip scan, whose next step begins below the cell that it met last. 19
/// cells take 0.7 ms behind 1,000,000 versions; DISTINCT ON takes 2,120 ms.
macro_rules! walked_cells {
    () => {
        "walk AS (
    (SELECT c.scope, c.key FROM layra.cell c
     WHERE c.run_id OPERATOR(pg_catalog.=) $1 AND c.scope OPERATOR(pg_catalog.>=) $2 AND c.scope OPERATOR(pg_catalog.<=) $3
     ORDER BY c.scope DESC, c.key DESC, c.ordinal DESC, c.version DESC LIMIT 1)
    UNION ALL
    SELECT n.* FROM walk w CROSS JOIN LATERAL (
        SELECT c.scope, c.key FROM layra.cell c
        WHERE c.run_id OPERATOR(pg_catalog.=) $1 AND c.scope OPERATOR(pg_catalog.>=) $2
          AND ROW(c.scope, c.key) OPERATOR(pg_catalog.<) ROW(w.scope, w.key)
        ORDER BY c.scope DESC, c.key DESC, c.ordinal DESC, c.version DESC LIMIT 1) n)"
    };
}

/// As `walked_cells`, with their newest rows and some older ones: of each cell the first row counts (`history::newest`).
/// A step reads 16 rows, not one: PostgreSQL reads a whole index page for it in any case (60,000 instructions), and most
/// cells have few versions.
macro_rules! newest_cells {
    ($columns:literal) => {
        concat!("walk AS (
    (SELECT b.*, pg_catalog.row_number() OVER () AS position FROM (
        SELECT c.scope, c.key, ", $columns, " FROM layra.cell c
        WHERE c.run_id OPERATOR(pg_catalog.=) $1 AND c.scope OPERATOR(pg_catalog.>=) $2 AND c.scope OPERATOR(pg_catalog.<=) $3
        ORDER BY c.scope DESC, c.key DESC, c.ordinal DESC, c.version DESC LIMIT 16) b)
    UNION ALL
    SELECT n.* FROM walk w CROSS JOIN LATERAL (
        SELECT b.*, pg_catalog.row_number() OVER () AS position FROM (
            SELECT c.scope, c.key, ", $columns, " FROM layra.cell c
            WHERE c.run_id OPERATOR(pg_catalog.=) $1 AND c.scope OPERATOR(pg_catalog.>=) $2
              AND ROW(c.scope, c.key) OPERATOR(pg_catalog.<) ROW(w.scope, w.key)
            ORDER BY c.scope DESC, c.key DESC, c.ordinal DESC, c.version DESC LIMIT 16) b) n
    WHERE w.position OPERATOR(pg_catalog.=) 16)")
    };
}

/// The nodes that ever had context, the highest ordinal that each ever used, and their counter cells (ordinal -1): dead entries
/// are never visited.
macro_rules! context_counters {
    ($version:literal) => {
        concat!("node AS (
    (SELECT c.key, c.ordinal FROM layra.cell c
     WHERE c.run_id OPERATOR(pg_catalog.=) $1 AND c.scope OPERATOR(pg_catalog.=) 'context' ORDER BY c.key DESC, c.ordinal DESC LIMIT 1)
    UNION ALL
    SELECT n.key, n.ordinal FROM node w CROSS JOIN LATERAL (
        SELECT c.key, c.ordinal FROM layra.cell c
        WHERE c.run_id OPERATOR(pg_catalog.=) $1 AND c.scope OPERATOR(pg_catalog.=) 'context' AND c.key OPERATOR(pg_catalog.<) w.key
        ORDER BY c.key DESC, c.ordinal DESC LIMIT 1) n),
counter AS (
    SELECT k.key, k.ordinal AS highest, c.version, c.revision, c.hash,
        (c.value OPERATOR(pg_catalog.->>) 'live')::pg_catalog.int8 AS live, (c.value OPERATOR(pg_catalog.->>) 'next')::pg_catalog.int8 AS next
    FROM node k CROSS JOIN LATERAL (
        SELECT c.version, c.revision, c.hash, c.value FROM layra.cell c
        WHERE c.run_id OPERATOR(pg_catalog.=) $1 AND c.scope OPERATOR(pg_catalog.=) 'context'
          AND c.key OPERATOR(pg_catalog.=) k.key AND c.ordinal OPERATOR(pg_catalog.=) -1", $version, "
        ORDER BY c.version DESC LIMIT 1) c)")
    };
}

macro_rules! live_entries {
    ($columns:literal, $version:literal) => {
        concat!("counter n CROSS JOIN LATERAL pg_catalog.generate_series(n.next OPERATOR(pg_catalog.-) n.live, n.next OPERATOR(pg_catalog.-) 1) o(ordinal)
CROSS JOIN LATERAL ", newest_row!($columns, "'context'", "n.key", "o.ordinal", $version), " c")
    };
}

statement! {
    /// Newest rows and older ones: see `newest_cells`.
    NEWEST_CELLS, [TEXTOID, TEXTOID, TEXTOID], "/* layra.newest_cells */
WITH RECURSIVE ", newest_cells!("c.version, c.revision, c.hash, c.value, c.base"), "
SELECT w.scope, w.key, 0::pg_catalog.int8, w.version, w.revision, w.value, w.hash, w.base FROM walk w"
}

statement! {
    /// One cell at a version, as CELLS_AT gives it.
    CELL_AT, [TEXTOID, TEXTOID, TEXTOID, INT8OID, INT8OID], "/* layra.cell_at */
SELECT $2, $3, $4, c.version, c.revision, c.value, c.hash, c.base FROM ",
    newest_row!("c.version, c.revision, c.value, c.hash, c.base", "$2", "$3", "$4", " AND c.version OPERATOR(pg_catalog.<=) $5"),
    " c WHERE c.hash IS NOT NULL"
}

statement! {
    CELLS_AT, [TEXTOID, TEXTOID, TEXTOID, INT8OID], "/* layra.cells_at */
WITH RECURSIVE ", walked_cells!(), "
SELECT w.scope, w.key, 0::pg_catalog.int8, c.version, c.revision, c.value, c.hash, c.base
FROM walk w CROSS JOIN LATERAL ", newest_row!("c.version, c.revision, c.hash, c.value, c.base", "w.scope", "w.key", "0",
        " AND c.version OPERATOR(pg_catalog.<=) $4"), " c WHERE c.hash IS NOT NULL"
}

statement! {
    /// Live context at a version, oldest entry first; a node with an empty list gives one row without an entry.
    CONTEXT_AT, [TEXTOID, INT8OID], "/* layra.context_at */
WITH RECURSIVE ", context_counters!(" AND c.version OPERATOR(pg_catalog.<=) $2"), "
SELECT 'context', n.key, o.ordinal, c.version, c.revision, c.value, c.hash, c.base
FROM counter n
LEFT JOIN LATERAL pg_catalog.generate_series(n.next OPERATOR(pg_catalog.-) n.live, n.next OPERATOR(pg_catalog.-) 1) o(ordinal) ON true
LEFT JOIN LATERAL ", newest_row!("c.version, c.revision, c.value, c.hash, c.base", "'context'", "n.key", "o.ordinal",
        " AND c.version OPERATOR(pg_catalog.<=) $2"), " c ON true
WHERE n.hash IS NOT NULL"
}

statement! {
    /// Every cell that save_state compares with: newest rows with their hashes, live or not (an unset cell has a revision;
    /// of each cell the first row counts, see `newest_cells`),
    /// context only as far as it is live. Values of nodes, loops and the extension's own cells, which are small.
    STATE_HASHES, [TEXTOID, TEXTOID, TEXTOID], "/* layra.state_hashes */
WITH RECURSIVE ", newest_cells!("c.version, c.revision, c.hash, CASE WHEN c.scope OPERATOR(pg_catalog.=) 'node'
        OR c.scope OPERATOR(pg_catalog.=) 'loop' OR c.key OPERATOR(pg_catalog.=) 'layra.graph' THEN c.value END AS value"), ",
", context_counters!(""), "
SELECT w.scope, w.key, 0::pg_catalog.int8, w.version, w.revision, w.hash, w.value, NULL::pg_catalog.int8, NULL::pg_catalog.int8, NULL::pg_catalog.int8 FROM walk w
UNION ALL
SELECT 'context', n.key, -1::pg_catalog.int8, n.version, n.revision, n.hash, NULL, n.live, n.next, n.highest FROM counter n
UNION ALL
SELECT 'context', n.key, o.ordinal, c.version, c.revision, c.hash, NULL, NULL, NULL, NULL
FROM ", live_entries!("c.version, c.revision, c.hash", "")
}

statement! {
    /// The live cells at a version, without values but for nodes: what a fork copies.
    LIVE_AT, [TEXTOID, TEXTOID, TEXTOID, INT8OID], "/* layra.live_at */
WITH RECURSIVE ", walked_cells!(), ",
", context_counters!(" AND c.version OPERATOR(pg_catalog.<=) $4"), "
SELECT w.scope, w.key, 0::pg_catalog.int8, c.version, c.hash, CASE WHEN w.scope OPERATOR(pg_catalog.=) 'node' THEN c.value END, c.base
FROM walk w CROSS JOIN LATERAL ", newest_row!("c.version, c.hash, c.value, c.base", "w.scope", "w.key", "0",
        " AND c.version OPERATOR(pg_catalog.<=) $4"), " c WHERE c.hash IS NOT NULL
UNION ALL
SELECT 'context', n.key, -1::pg_catalog.int8, n.version, n.hash, NULL, NULL FROM counter n WHERE n.hash IS NOT NULL
UNION ALL
SELECT 'context', n.key, o.ordinal, c.version, c.hash, NULL, c.base
FROM ", live_entries!("c.version, c.hash, c.base", " AND c.version OPERATOR(pg_catalog.<=) $4"), " WHERE c.hash IS NOT NULL"
}

statement! {
    /// Some cells of one scope at a version, with values.
    GET_CELLS, [TEXTOID, TEXTOID, TEXTARRAYOID, INT8OID], "/* layra.get_cells */
SELECT $2, n.key, 0::pg_catalog.int8, c.version, c.revision, c.value, c.base
FROM pg_catalog.unnest($3) n(key)
CROSS JOIN LATERAL ", newest_row!("c.version, c.revision, c.hash, c.value, c.base", "$2", "n.key", "0",
        " AND c.version OPERATOR(pg_catalog.<=) $4"), " c WHERE c.hash IS NOT NULL"
}

statement! {
    /// The rows of a cell after a version.
    HISTORY, [TEXTOID, TEXTOID, TEXTOID, INT8OID, INT8OID, INT8OID], "/* layra.history */
SELECT c.revision, c.version, c.value, e.at, e.actor, e.on_behalf_of, e.type, c.base
FROM layra.cell c JOIN layra.event e
  ON e.run_id OPERATOR(pg_catalog.=) $1 AND e.version OPERATOR(pg_catalog.=) c.version
WHERE c.run_id OPERATOR(pg_catalog.=) $1 AND c.scope OPERATOR(pg_catalog.=) $2 AND c.key OPERATOR(pg_catalog.=) $3
  AND c.ordinal OPERATOR(pg_catalog.=) $4 AND c.version OPERATOR(pg_catalog.>) $5
ORDER BY c.version LIMIT $6"
}

statement! {
    /// Where the rows are that the entries of a node's context ever had.
    PAST_ENTRIES, [TEXTOID, TEXTOID], "/* layra.past_entries */
SELECT c.version, c.ordinal FROM layra.cell c
WHERE c.run_id OPERATOR(pg_catalog.=) $1 AND c.scope OPERATOR(pg_catalog.=) 'context' AND c.key OPERATOR(pg_catalog.=) $2
  AND c.ordinal OPERATOR(pg_catalog.>=) 0"
}

// -------------------------------------------------------------------------------------------------------- runs

statement! {
    /// No row: the run exists already. It never raises 23505, which would not tell whose run it is.
    INSERT_RUN, [TEXTOID, TEXTOID, TEXTOID, TEXTOID, INT4OID, BYTEAOID, TEXTOID, INT8OID, JSONBOID, TIMESTAMPTZOID],
    "/* layra.insert_run */
INSERT INTO layra.run (run_id, status, owner, workflow_owner, workflow, workflow_version, definition_hash,
    parent_run_id, parent_version, metadata, created_at)
VALUES ($1, 'running', $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT DO NOTHING"
}

statement! {
    UPDATE_STATUS, [TEXTOID, TEXTOID, JSONBOID, TIMESTAMPTZOID], "/* layra.update_status */
UPDATE layra.run r SET status = $2, result = $3, finished_at = $4 WHERE r.run_id OPERATOR(pg_catalog.=) $1"
}

macro_rules! newest_of_type {
    ($type:literal) => {
        concat!(
            "(SELECT e.version, e.type, e.payload OPERATOR(pg_catalog.->>) 'status' FROM layra.event e
 WHERE e.run_id OPERATOR(pg_catalog.=) $1 AND e.type OPERATOR(pg_catalog.=) '",
            $type,
            "' AND e.version OPERATOR(pg_catalog.<=) $2 ORDER BY e.version DESC LIMIT 1)"
        )
    };
}

statement! {
    /// The events up to a version that may say what the run's status is, the newest of each type: one descent each, however
    /// many there are of the others.
    STATUS_EVENTS_BEFORE, [TEXTOID, INT8OID], "/* layra.status_events_before */\n", newest_of_type!("run.finished"), "
UNION ALL ", newest_of_type!("run.reopened"), "
UNION ALL ", newest_of_type!("run.cancelling"), "
UNION ALL ", newest_of_type!("run.rolled_back")
}

statement! {
    UPDATE_OWNER, [TEXTOID, TEXTOID], "/* layra.update_owner */
UPDATE layra.run r SET owner = $2 WHERE r.run_id OPERATOR(pg_catalog.=) $1"
}

statement! {
    LOCK_RUN_TO_DROP, [TEXTOID], "/* layra.lock_run_to_drop */
SELECT r.status, r.owner, r.workflow_owner, r.workflow, r.workflow_version, r.definition_hash, r.parent_run_id, r.parent_version
FROM layra.run r WHERE r.run_id OPERATOR(pg_catalog.=) $1 FOR UPDATE"
}

statement! {
    HEAD_AND_FORKS, [TEXTOID], "/* layra.head_and_forks */
SELECT (SELECT e.version FROM layra.event e WHERE e.run_id OPERATOR(pg_catalog.=) $1 ORDER BY e.version DESC LIMIT 1),
    (SELECT pg_catalog.count(*) FROM layra.run r WHERE r.parent_run_id OPERATOR(pg_catalog.=) $1)"
}

statement! {
    /// The forks of a run, locked.
    FORKS, [TEXTOID], "/* layra.forks */
SELECT r.run_id, r.parent_version FROM layra.run r WHERE r.parent_run_id OPERATOR(pg_catalog.=) $1 ORDER BY r.run_id FOR NO KEY UPDATE"
}

statement! {
    /// In the schema of version 0.2.0: a fork has the keys of one live range of the parent's log itself.
    INHERIT_KEYS, [TEXTOID, TEXTOID, INT8OID, INT8OID], "/* layra.inherit_keys */
INSERT INTO layra.inherited_key (run_id, idempotency_key, type)
SELECT $2, e.idempotency_key, e.type FROM layra.event e
WHERE e.run_id OPERATOR(pg_catalog.=) $1 AND e.idempotency_key IS NOT NULL
  AND e.version OPERATOR(pg_catalog.>=) $3 AND e.version OPERATOR(pg_catalog.<=) $4
ON CONFLICT DO NOTHING"
}

statement! {
    /// In the schema of version 0.2.0.
    INHERIT_INHERITED_KEYS, [TEXTOID, TEXTOID], "/* layra.inherit_inherited_keys */
INSERT INTO layra.inherited_key (run_id, idempotency_key, type)
SELECT $2, i.idempotency_key, i.type FROM layra.inherited_key i WHERE i.run_id OPERATOR(pg_catalog.=) $1
ON CONFLICT DO NOTHING"
}

statement! {
    /// What a run that is dropped leaves to its forks, once for all of them: its idempotency keys, and under the key '' the
    /// rollbacks, which tell the live ones at a version, and the version 0, which stands for the run itself. No row: it has no key.
    LEAVE_KEYS, [TEXTOID, UUIDOID], "/* layra.leave_keys */
INSERT INTO layra.bequeathed_key (source, idempotency_key, version, type, to_version)
SELECT $2, l.idempotency_key, l.version, l.type, l.to_version FROM (
    SELECT e.idempotency_key, e.version, e.type, NULL::pg_catalog.int8 AS to_version FROM layra.event e
    WHERE e.run_id OPERATOR(pg_catalog.=) $1 AND e.idempotency_key IS NOT NULL
    UNION ALL
    SELECT k.idempotency_key, 1, k.type, NULL FROM layra.inherited_key k WHERE k.run_id OPERATOR(pg_catalog.=) $1
    UNION ALL
    SELECT '', e.version, e.type, (e.payload OPERATOR(pg_catalog.->>) 'to_version')::pg_catalog.int8 FROM layra.event e
    WHERE e.run_id OPERATOR(pg_catalog.=) $1 AND e.type OPERATOR(pg_catalog.=) 'run.rolled_back'
    UNION ALL
    SELECT '', 0, 'run.dropped', NULL) l
WHERE EXISTS (SELECT FROM layra.event e WHERE e.run_id OPERATOR(pg_catalog.=) $1 AND e.idempotency_key IS NOT NULL)
   OR EXISTS (SELECT FROM layra.inherited_key k WHERE k.run_id OPERATOR(pg_catalog.=) $1)
ON CONFLICT DO NOTHING"
}

/// How many dropped runs are between a fork `r` and its parent: what comes now is behind them.
macro_rules! farthest {
    () => {
        "COALESCE((SELECT pg_catalog.max(b.distance) FROM layra.inheritance b WHERE b.run_id OPERATOR(pg_catalog.=) r.run_id), 0)"
    };
}

statement! {
    /// The forks of a run come from it, as a run that is dropped, too.
    INHERIT, [TEXTOID, UUIDOID], "/* layra.inherit */
INSERT INTO layra.inheritance (run_id, source, version, distance)
SELECT r.run_id, $2, r.parent_version, 1 OPERATOR(pg_catalog.+) ", farthest!(), "
FROM layra.run r WHERE r.parent_run_id OPERATOR(pg_catalog.=) $1
ON CONFLICT DO NOTHING"
}

statement! {
    /// The forks of a run come from the dropped runs that it comes from.
    INHERIT_INHERITED, [TEXTOID], "/* layra.inherit_inherited */
INSERT INTO layra.inheritance (run_id, source, version, distance)
SELECT r.run_id, i.source, i.version, i.distance OPERATOR(pg_catalog.+) ", farthest!(), "
FROM layra.inheritance i CROSS JOIN LATERAL (
    SELECT r.run_id FROM layra.run r WHERE r.parent_run_id OPERATOR(pg_catalog.=) $1) r
WHERE i.run_id OPERATOR(pg_catalog.=) $1
ON CONFLICT DO NOTHING"
}

statement! {
    /// The forks of a dropped run become forks of that run's own parent; where there is none, orphans.
    UPDATE_PARENTS, [TEXTOID, TEXTOID, INT8OID], "/* layra.update_parents */
UPDATE layra.run r SET parent_run_id = $2, parent_version = $3 WHERE r.parent_run_id OPERATOR(pg_catalog.=) $1"
}

statement! {
    DISINHERIT, [TEXTOID], "/* layra.disinherit */
DELETE FROM layra.inheritance i WHERE i.run_id OPERATOR(pg_catalog.=) $1 RETURNING i.source"
}

statement! {
    /// One at a time decides whether somebody else still comes from a dropped run.
    LOCK_SOURCE, [UUIDOID], "/* layra.lock_source */
SELECT k.version FROM layra.bequeathed_key k
WHERE k.source OPERATOR(pg_catalog.=) $1 AND k.idempotency_key OPERATOR(pg_catalog.=) '' AND k.version OPERATOR(pg_catalog.=) 0 FOR UPDATE"
}

statement! {
    HEIR, [UUIDOID], "/* layra.heir */
SELECT i.run_id FROM layra.inheritance i WHERE i.source OPERATOR(pg_catalog.=) $1 LIMIT 1"
}

statement! {
    DELETE_BEQUEATHED_KEYS, [UUIDOID], "/* layra.delete_bequeathed_keys */
DELETE FROM layra.bequeathed_key k WHERE k.source OPERATOR(pg_catalog.=) $1"
}

statement! {
    DELETE_INHERITED_KEYS, [TEXTOID], "/* layra.delete_inherited_keys */
DELETE FROM layra.inherited_key i WHERE i.run_id OPERATOR(pg_catalog.=) $1"
}

statement! {
    DELETE_RUN, [TEXTOID], "/* layra.delete_run */
DELETE FROM layra.run r WHERE r.run_id OPERATOR(pg_catalog.=) $1"
}
statement! {
    DELETE_EVENTS, [TEXTOID], "/* layra.delete_events */
DELETE FROM layra.event e WHERE e.run_id OPERATOR(pg_catalog.=) $1"
}
statement! {
    DELETE_CELLS, [TEXTOID], "/* layra.delete_cells */
DELETE FROM layra.cell c WHERE c.run_id OPERATOR(pg_catalog.=) $1"
}
statement! {
    DELETE_CHECKPOINTS, [TEXTOID], "/* layra.delete_checkpoints */
DELETE FROM layra.checkpoint c WHERE c.run_id OPERATOR(pg_catalog.=) $1"
}

// ------------------------------------------------------------------------------------------------------- workflows

statement! {
    /// By owner and name: the version with this content, and the newest version.
    WORKFLOW_BY_HASH, [TEXTOID, TEXTOID, BYTEAOID], "/* layra.workflow_by_hash */
SELECT (SELECT w.version FROM layra.workflow w WHERE w.owner OPERATOR(pg_catalog.=) $1 AND w.name OPERATOR(pg_catalog.=) $2
            AND w.hash OPERATOR(pg_catalog.=) $3),
    (SELECT w.version FROM layra.workflow w WHERE w.owner OPERATOR(pg_catalog.=) $1 AND w.name OPERATOR(pg_catalog.=) $2
     ORDER BY w.version DESC LIMIT 1)"
}

statement! {
    INSERT_WORKFLOW, [TEXTOID, TEXTOID, INT4OID, BOOLOID, JSONBOID, BYTEAOID, TIMESTAMPTZOID], "/* layra.insert_workflow */
INSERT INTO layra.workflow (owner, name, version, shared, definition, hash, created_at)
VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING"
}

statement! {
    SHARE_WORKFLOW, [TEXTOID, TEXTOID, INT4OID], "/* layra.share_workflow */
UPDATE layra.workflow w SET shared = true WHERE w.owner OPERATOR(pg_catalog.=) $1 AND w.name OPERATOR(pg_catalog.=) $2
  AND w.version OPERATOR(pg_catalog.=) $3 AND NOT w.shared"
}

statement! {
    /// Whose a shared name is.
    SHARED_OWNER, [TEXTOID], "/* layra.shared_owner */
SELECT w.owner FROM layra.workflow w WHERE w.name OPERATOR(pg_catalog.=) $1 AND w.shared ORDER BY w.version DESC LIMIT 1"
}

statement! {
    OWN_WORKFLOW, [TEXTOID, TEXTOID, INT4OID], "/* layra.own_workflow */
SELECT w.owner, w.version, w.hash, w.definition FROM layra.workflow w
WHERE w.owner OPERATOR(pg_catalog.=) $1 AND w.name OPERATOR(pg_catalog.=) $2
  AND w.version OPERATOR(pg_catalog.<=) COALESCE($3, 2147483647)
  AND ($3 IS NULL OR w.version OPERATOR(pg_catalog.=) $3) ORDER BY w.version DESC LIMIT 1"
}

statement! {
    SHARED_WORKFLOW, [TEXTOID, INT4OID], "/* layra.shared_workflow */
SELECT w.owner, w.version, w.hash, w.definition FROM layra.workflow w
WHERE w.name OPERATOR(pg_catalog.=) $1 AND w.shared
  AND w.version OPERATOR(pg_catalog.<=) COALESCE($2, 2147483647)
  AND ($2 IS NULL OR w.version OPERATOR(pg_catalog.=) $2) ORDER BY w.version DESC LIMIT 1"
}

statement! {
    INSERT_GRAPH, [TEXTOID, BYTEAOID, JSONBOID, JSONBOID], "/* layra.insert_graph */
INSERT INTO layra.graph (owner, hash, nodes, edges)
SELECT $1, $2, $3, $4 WHERE NOT EXISTS (
    SELECT FROM layra.graph g WHERE g.owner OPERATOR(pg_catalog.=) $1 AND g.hash OPERATOR(pg_catalog.=) $2)"
}

statement! {
    GET_GRAPH, [TEXTOID, BYTEAOID], "/* layra.get_graph */
SELECT g.nodes, g.edges FROM layra.graph g WHERE g.owner OPERATOR(pg_catalog.=) $1 AND g.hash OPERATOR(pg_catalog.=) $2 LIMIT 1"
}

// ------------------------------------------------------------------------------------------------------ checkpoints

statement! {
    /// No row: the label is taken.
    INSERT_CHECKPOINT, [TEXTOID, INT8OID, TEXTOID, TEXTOID, BOOLOID, JSONBOID, TIMESTAMPTZOID], "/* layra.insert_checkpoint */
INSERT INTO layra.checkpoint (run_id, version, kind, label, protected, metadata, created_at)
VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING"
}

statement! {
    CHECKPOINT_BY_LABEL, [TEXTOID, TEXTOID], "/* layra.checkpoint_by_label */
SELECT c.version, c.protected FROM layra.checkpoint c
WHERE c.run_id OPERATOR(pg_catalog.=) $1 AND c.label OPERATOR(pg_catalog.=) $2"
}

statement! {
    /// A label that moves leaves its checkpoint behind, unnamed.
    CLEAR_LABEL, [TEXTOID, INT8OID], "/* layra.clear_label */
UPDATE layra.checkpoint c SET label = NULL
WHERE c.run_id OPERATOR(pg_catalog.=) $1 AND c.version OPERATOR(pg_catalog.=) $2"
}

statement! {
    PROTECT_CHECKPOINT, [TEXTOID, INT8OID, BOOLOID], "/* layra.protect_checkpoint */
UPDATE layra.checkpoint c SET protected = $3
WHERE c.run_id OPERATOR(pg_catalog.=) $1 AND c.version OPERATOR(pg_catalog.=) $2"
}

statement! {
    /// The oldest protected checkpoint above a version: a rollback to that version would go behind it.
    PROTECTED_ABOVE, [TEXTOID, INT8OID], "/* layra.protected_above */
SELECT c.version, c.label FROM layra.checkpoint c
WHERE c.run_id OPERATOR(pg_catalog.=) $1 AND c.protected AND c.version OPERATOR(pg_catalog.>) $2
ORDER BY c.version LIMIT 1"
}

// ------------------------------------------------------------------------------------------------------------ verify

statement! {
    ALL_RUNS, [TEXTOID], "/* layra.all_runs */
SELECT r.run_id, r.owner FROM layra.run r WHERE r.run_id OPERATOR(pg_catalog.>=) $1 ORDER BY r.run_id LIMIT 1000"
}

statement! {
    /// The run's row; how many cells it has; whether it has rows in the other tables, most of which have none of most runs.
    VERIFY_RUN, [TEXTOID], "/* layra.verify_run */
SELECT r.status, r.owner, r.metadata, r.result, r.created_at, r.finished_at, r.workflow_owner, r.workflow, r.workflow_version,
    r.definition_hash, r.parent_run_id, r.parent_version,
    (SELECT pg_catalog.count(*) FROM layra.cell c WHERE c.run_id OPERATOR(pg_catalog.=) $1),
    EXISTS (SELECT FROM layra.checkpoint k WHERE k.run_id OPERATOR(pg_catalog.=) $1),
    EXISTS (SELECT FROM layra.interaction i WHERE i.run_id OPERATOR(pg_catalog.=) $1),
    EXISTS (SELECT FROM layra.lease l WHERE l.run_id OPERATOR(pg_catalog.=) $1),
    EXISTS (SELECT FROM layra.inherited_key n WHERE n.run_id OPERATOR(pg_catalog.=) $1)
        OR EXISTS (SELECT FROM layra.inheritance n WHERE n.run_id OPERATOR(pg_catalog.=) $1)
FROM layra.run r WHERE r.run_id OPERATOR(pg_catalog.=) $1"
}

statement! {
    VERIFY_EVENTS, [TEXTOID, INT8OID, INT8OID], "/* layra.verify_events */
SELECT e.version, e.type, e.payload, e.payload_hash, e.changed, e.cells_hash, e.actor, e.on_behalf_of, e.at,
    e.idempotency_key, e.checkpoint_kind, e.checkpoint_label, e.hash, NULL, e.bytes_since_checkpoint, e.checkpoint_version
FROM layra.event e WHERE e.run_id OPERATOR(pg_catalog.=) $1 AND e.version OPERATOR(pg_catalog.>=) $2 ORDER BY e.version LIMIT $3"
}

statement! {
    /// The rows that the events of a range name: column 1 is the version, column 2 the position in `changed` from 1.
    VERIFY_CELLS, [TEXTOID, INT8ARRAYOID, TEXTARRAYOID, TEXTARRAYOID, INT8ARRAYOID], "/* layra.verify_cells */
SELECT n.position, c.revision, c.hash, c.value, c.base,
    (SELECT p.revision FROM layra.cell p
     WHERE p.run_id OPERATOR(pg_catalog.=) $1 AND p.scope OPERATOR(pg_catalog.=) n.scope AND p.key OPERATOR(pg_catalog.=) n.key
       AND p.ordinal OPERATOR(pg_catalog.=) n.ordinal AND p.version OPERATOR(pg_catalog.<) n.version ORDER BY p.version DESC LIMIT 1)
FROM unnest($2, $3, $4, $5) WITH ORDINALITY n(version, scope, key, ordinal, position)
CROSS JOIN LATERAL (
    SELECT c.revision, c.hash, c.value, c.base FROM layra.cell c
    WHERE c.run_id OPERATOR(pg_catalog.=) $1 AND c.scope OPERATOR(pg_catalog.=) n.scope AND c.key OPERATOR(pg_catalog.=) n.key
      AND c.ordinal OPERATOR(pg_catalog.=) n.ordinal AND c.version OPERATOR(pg_catalog.=) n.version LIMIT 1) c"
}

statement! {
    /// Cell rows that no event names, some behind one. Only run where the count says that there are some.
    ORPHAN_CELLS, [TEXTOID, TEXTOID, TEXTOID, INT8OID, INT8OID], "/* layra.orphan_cells */
SELECT c.scope, c.key, c.ordinal, c.version FROM layra.cell c
WHERE c.run_id OPERATOR(pg_catalog.=) $1
  AND ROW(c.scope, c.key, c.ordinal, c.version) OPERATOR(pg_catalog.>) ROW($2, $3, $4, $5) AND NOT EXISTS (
    SELECT FROM layra.event e WHERE e.run_id OPERATOR(pg_catalog.=) $1 AND e.version OPERATOR(pg_catalog.=) c.version
      AND c.version OPERATOR(pg_catalog.>) 0
      AND CASE WHEN c.scope OPERATOR(pg_catalog.=) 'context'
               THEN c.scope OPERATOR(pg_catalog.||) '/' OPERATOR(pg_catalog.||) c.key OPERATOR(pg_catalog.||) '/'
                   OPERATOR(pg_catalog.||) c.ordinal::pg_catalog.text
               WHEN c.ordinal OPERATOR(pg_catalog.=) 0
                   AND c.scope OPERATOR(pg_catalog.=) ANY ('{variable,node,loop,engine}'::pg_catalog.text[])
               THEN c.scope OPERATOR(pg_catalog.||) '/' OPERATOR(pg_catalog.||) c.key END
          OPERATOR(pg_catalog.=) ANY (e.changed))
ORDER BY c.scope, c.key, c.ordinal, c.version LIMIT 1000"
}

/// The runs of which a table has rows, from one on: one descent for each.
macro_rules! runs_of {
    ($table:literal) => {
        concat!(
            $table,
            "_run AS (
    (SELECT t.run_id FROM layra.",
            $table,
            " t WHERE t.run_id OPERATOR(pg_catalog.>=) $1 ORDER BY t.run_id LIMIT 1)
    UNION ALL
    SELECT n.run_id FROM ",
            $table,
            "_run w CROSS JOIN LATERAL (
        SELECT t.run_id FROM layra.",
            $table,
            " t WHERE t.run_id OPERATOR(pg_catalog.>) w.run_id ORDER BY t.run_id LIMIT 1) n)"
        )
    };
}

macro_rules! without_run {
    ($table:literal) => {
        concat!(
            "(SELECT w.run_id, '",
            $table,
            "' FROM ",
            $table,
            "_run w
 WHERE NOT EXISTS (SELECT FROM layra.run r WHERE r.run_id OPERATOR(pg_catalog.=) w.run_id) LIMIT $2)"
        )
    };
}

statement! {
    /// Runs from one on that have rows in a table, but none of their own; and the table. Of each table at most so many.
    ROWS_WITHOUT_RUN, [TEXTOID, INT8OID], "/* layra.rows_without_run */
WITH RECURSIVE ", runs_of!("event"), ",
", runs_of!("cell"), ",
", runs_of!("checkpoint"), ",
", runs_of!("interaction"), ",
", runs_of!("lease"), ",
", runs_of!("inherited_key"), ",
", runs_of!("inheritance"), "
", without_run!("event"), "
UNION ALL ", without_run!("cell"), "
UNION ALL ", without_run!("checkpoint"), "
UNION ALL ", without_run!("interaction"), "
UNION ALL ", without_run!("lease"), "
UNION ALL ", without_run!("inherited_key"), "
UNION ALL ", without_run!("inheritance")
}

statement! {
    /// Some, from a version on; as with those that follow.
    VERIFY_CHECKPOINTS, [TEXTOID, INT8OID], "/* layra.verify_checkpoints */
SELECT c.version, c.kind, c.label, c.protected, c.metadata, c.created_at
FROM layra.checkpoint c WHERE c.run_id OPERATOR(pg_catalog.=) $1 AND c.version OPERATOR(pg_catalog.>=) $2 ORDER BY c.version LIMIT 1000"
}

statement! {
    /// With the cells of their nodes.
    VERIFY_LEASES, [TEXTOID, TEXTOID], "/* layra.verify_leases */
SELECT l.node_id, l.attempt, l.worker, l.held, c.value
FROM layra.lease l LEFT JOIN LATERAL ", newest_row!("c.value", "'node'", "l.node_id", "0", ""), " c ON true
WHERE l.run_id OPERATOR(pg_catalog.=) $1 AND l.node_id OPERATOR(pg_catalog.>=) $2 ORDER BY l.node_id LIMIT 1000"
}

statement! {
    /// Some definitions, behind one.
    VERIFY_WORKFLOWS, [TEXTOID, TEXTOID, INT4OID], "/* layra.verify_workflows */
SELECT w.owner, w.name, w.version, w.hash, w.definition FROM layra.workflow w
WHERE ROW(w.owner, w.name, w.version) OPERATOR(pg_catalog.>) ROW($1, $2, $3)
ORDER BY w.owner, w.name, w.version LIMIT 100"
}

statement! {
    /// Some graphs, behind one.
    VERIFY_GRAPHS, [TEXTOID, BYTEAOID, TEXTOID], "/* layra.verify_graphs */
SELECT g.owner, g.hash, g.xact, g.nodes, g.edges FROM layra.graph g
WHERE ROW(g.owner, g.hash, g.xact) OPERATOR(pg_catalog.>) ROW($1, $2, $3::pg_catalog.xid8)
ORDER BY g.owner, g.hash, g.xact LIMIT 100"
}

// ------------------------------------------------------------------------------------------------------------ access

statement! {
    ROLES_WITH_LEVEL, [TEXTOID], "/* layra.roles_with_level */
SELECT a.role FROM layra.access a WHERE a.level OPERATOR(pg_catalog.=) $1"
}

statement! {
    /// The names of a role and of those whose privileges it has: along the memberships, whatever other roles there are.
    /// 6171 is pg_database_owner, a membership that is in no table.
    OWN_ROLES, [OIDOID], "/* layra.own_roles */
WITH RECURSIVE own AS (
    (SELECT $1 AS role UNION ALL SELECT 6171::pg_catalog.oid WHERE pg_catalog.pg_has_role($1, 6171::pg_catalog.oid, 'USAGE'))
    UNION
    SELECT m.roleid FROM own o CROSS JOIN LATERAL (
        SELECT m.roleid FROM pg_catalog.pg_auth_members m
        WHERE m.member OPERATOR(pg_catalog.=) o.role AND pg_catalog.pg_has_role($1, m.roleid, 'USAGE') OFFSET 0) m)
SELECT pg_catalog.pg_get_userbyid(o.role)::pg_catalog.text FROM own o"
}

macro_rules! owners_of {
    ($name:literal, $table:literal) => {
        concat!(
            $name,
            " AS (
    (SELECT o.owner FROM ",
            $table,
            " o ORDER BY o.owner LIMIT 1)
    UNION ALL
    SELECT n.owner FROM ",
            $name,
            " w CROSS JOIN LATERAL (
        SELECT o.owner FROM ",
            $table,
            " o WHERE o.owner OPERATOR(pg_catalog.>) w.owner ORDER BY o.owner LIMIT 1) n)"
        )
    };
}

statement! {
    /// Whoever owns anything: one descent an owner and table.
    ALL_OWNERS, [], "/* layra.all_owners */
WITH RECURSIVE ", owners_of!("run_owner", "layra.run"), ",
", owners_of!("workflow_owner", "layra.workflow"), ",
", owners_of!("graph_owner", "layra.graph"), ",
", owners_of!("breaker_owner", "layra.breaker"), "
SELECT r.owner FROM run_owner r UNION SELECT w.owner FROM workflow_owner w
UNION SELECT g.owner FROM graph_owner g UNION SELECT b.owner FROM breaker_owner b"
}

// ------------------------------------------------------------------------------------------------------------- nodes

statement! {
    /// Locks a node's lease. The table is locked as for the change that follows, which then does not wait.
    LOCK_LEASE, [TEXTOID, TEXTOID], "/* layra.lock_lease */
WITH nothing AS (UPDATE layra.lease SET held = held WHERE false)
SELECT l.attempt, l.worker, l.until FROM layra.lease l
WHERE l.run_id OPERATOR(pg_catalog.=) $1 AND l.node_id OPERATOR(pg_catalog.=) $2 FOR NO KEY UPDATE"
}

statement! {
    /// The next attempt of a node, whose lease is locked if there is one.
    TAKE_LEASE, [TEXTOID, TEXTOID, TEXTOID, TIMESTAMPTZOID], "/* layra.take_lease */
INSERT INTO layra.lease AS l (run_id, node_id, attempt, worker, until, held)
VALUES ($1, $2, 1, $3, $4, $4 IS NOT NULL)
ON CONFLICT (run_id, node_id) DO UPDATE
SET attempt = l.attempt OPERATOR(pg_catalog.+) 1, worker = $3, until = $4, held = $4 IS NOT NULL
RETURNING l.attempt"
}

statement! {
    /// The leases of nodes that are done, failed or reset.
    RELEASE_LEASES, [TEXTOID, TEXTARRAYOID], "/* layra.release_leases */
UPDATE layra.lease l SET until = NULL, held = false
WHERE l.run_id OPERATOR(pg_catalog.=) $1 AND l.node_id OPERATOR(pg_catalog.=) ANY ($2) AND l.held"
}

statement! {
    /// A new end for a lease that is locked. The run's status is that of this moment, which may have followed a wait.
    EXTEND_LEASE, [TEXTOID, TEXTOID, TIMESTAMPTZOID], "/* layra.extend_lease */
UPDATE layra.lease l SET until = $3
WHERE l.run_id OPERATOR(pg_catalog.=) $1 AND l.node_id OPERATOR(pg_catalog.=) $2
RETURNING (SELECT r.status FROM layra.run r WHERE r.run_id OPERATOR(pg_catalog.=) $1)"
}

statement! {
    /// Locked, because a heartbeat does not wait for the run: what it has extended meanwhile is seen.
    LEASES, [TEXTOID], "/* layra.leases */
SELECT l.node_id, l.until FROM layra.lease l WHERE l.run_id OPERATOR(pg_catalog.=) $1 AND l.held FOR NO KEY UPDATE"
}

macro_rules! get_values {
    () => {
        concat!(
            "SELECT n.position, c.version, c.revision, c.hash, c.value, NULL::pg_catalog.int8, c.base
FROM unnest($2, $3, $4) WITH ORDINALITY n(scope, key, ordinal, position)
CROSS JOIN LATERAL ",
            newest_row!("c.version, c.revision, c.hash, c.value, c.base", "n.scope", "n.key", "n.ordinal", ""),
            " c"
        )
    };
}

statement! {
    /// Newest rows of some cells with their values, for cells whose values are small.
    GET_VALUES, [TEXTOID, TEXTARRAYOID, TEXTARRAYOID, INT8ARRAYOID], "/* layra.get_values */\n", get_values!()
}

statement! {
    /// As GET_VALUES, and in row 0 the newest row of the highest ordinal that the node $5 ever used.
    GET_NODE_VALUES, [TEXTOID, TEXTARRAYOID, TEXTARRAYOID, INT8ARRAYOID, TEXTOID], "/* layra.get_node_values */\n", get_values!(), "
UNION ALL
(SELECT 0, c.version, c.revision, c.hash, NULL, c.ordinal, NULL FROM layra.cell c
 WHERE c.run_id OPERATOR(pg_catalog.=) $1 AND c.scope OPERATOR(pg_catalog.=) 'context' AND c.key OPERATOR(pg_catalog.=) $5
 ORDER BY c.ordinal DESC, c.version DESC LIMIT 1)"
}

statement! {
    /// The newest entries of one node's context ($3: how many), newest first; dead entries are never visited.
    LAST_CONTEXT, [TEXTOID, TEXTOID, INT8OID], "/* layra.last_context */
SELECT o.ordinal, e.version
FROM ", newest_row!("c.value, c.hash", "'context'", "$2", "-1", ""), " k
CROSS JOIN LATERAL pg_catalog.generate_series((k.value OPERATOR(pg_catalog.->>) 'next')::pg_catalog.int8 OPERATOR(pg_catalog.-) 1,
    GREATEST((k.value OPERATOR(pg_catalog.->>) 'next')::pg_catalog.int8 OPERATOR(pg_catalog.-) (k.value OPERATOR(pg_catalog.->>) 'live')::pg_catalog.int8,
             (k.value OPERATOR(pg_catalog.->>) 'next')::pg_catalog.int8 OPERATOR(pg_catalog.-) $3), -1) o(ordinal)
CROSS JOIN LATERAL ", newest_row!("c.version", "'context'", "$2", "o.ordinal", ""), " e
WHERE k.hash IS NOT NULL"
}

statement! {
    /// The nodes that have, or had, context.
    CONTEXT_NODES, [TEXTOID], "/* layra.context_nodes */
WITH RECURSIVE node AS (
    (SELECT c.key FROM layra.cell c
     WHERE c.run_id OPERATOR(pg_catalog.=) $1 AND c.scope OPERATOR(pg_catalog.=) 'context' ORDER BY c.key DESC LIMIT 1)
    UNION ALL
    SELECT n.key FROM node w CROSS JOIN LATERAL (
        SELECT c.key FROM layra.cell c
        WHERE c.run_id OPERATOR(pg_catalog.=) $1 AND c.scope OPERATOR(pg_catalog.=) 'context' AND c.key OPERATOR(pg_catalog.<) w.key
        ORDER BY c.key DESC LIMIT 1) n)
SELECT w.key FROM node w"
}

/// Runs that somebody should look at: running, and a lease ran out or no event since $1; paused, and every question has expired.
macro_rules! stale_runs {
    ($runs:literal) => {
        concat!(
            "SELECT r.run_id, e.version, e.at,
    ARRAY(SELECT l.node_id FROM layra.lease l WHERE l.run_id OPERATOR(pg_catalog.=) r.run_id AND l.held
          AND l.until OPERATOR(pg_catalog.<=) $2), r.owner
FROM ",
            $runs,
            " r CROSS JOIN LATERAL (
    SELECT e.version, e.at FROM layra.event e WHERE e.run_id OPERATOR(pg_catalog.=) r.run_id ORDER BY e.version DESC LIMIT 1) e
WHERE CASE WHEN r.status OPERATOR(pg_catalog.=) 'running' THEN e.at OPERATOR(pg_catalog.<=) $1 OR (
        SELECT true FROM layra.lease l WHERE l.run_id OPERATOR(pg_catalog.=) r.run_id AND l.held
          AND l.until OPERATOR(pg_catalog.<=) $2 LIMIT 1)
      ELSE (
        SELECT true FROM layra.interaction i WHERE i.run_id OPERATOR(pg_catalog.=) r.run_id AND i.status OPERATOR(pg_catalog.=) 'pending'
          AND COALESCE(i.expires_at, 'infinity'::pg_catalog.timestamptz) OPERATOR(pg_catalog.>) $2 LIMIT 1) IS NULL END
LIMIT 100"
        )
    };
}

statement! {
    /// Some, of every owner, behind a run of one.
    STALE_RUNS, [TIMESTAMPTZOID, TIMESTAMPTZOID, TEXTOID, TEXTOID], "/* layra.stale_runs */\n", stale_runs!("(
    SELECT r.run_id, r.status, r.owner FROM layra.run r
    WHERE r.status OPERATOR(pg_catalog.=) ANY ('{running,paused}'::pg_catalog.text[])
      AND ROW(r.owner, r.run_id) OPERATOR(pg_catalog.>) ROW($3, $4)
    ORDER BY r.owner, r.run_id)")
}

statement! {
    /// Some, of one owner, behind a run.
    STALE_RUNS_OF, [TIMESTAMPTZOID, TIMESTAMPTZOID, TEXTOID, TEXTOID], "/* layra.stale_runs_of */\n", stale_runs!("(
    SELECT r.run_id, r.status, r.owner FROM layra.run r
    WHERE r.status OPERATOR(pg_catalog.=) ANY ('{running,paused}'::pg_catalog.text[])
      AND r.owner OPERATOR(pg_catalog.=) $3 AND r.run_id OPERATOR(pg_catalog.>) $4
    ORDER BY r.owner, r.run_id)")
}

statement! {
    /// The newest checkpoint below a version.
    CHECKPOINT_BELOW, [TEXTOID, INT8OID], "/* layra.checkpoint_below */
SELECT c.version FROM layra.checkpoint c
WHERE c.run_id OPERATOR(pg_catalog.=) $1 AND c.version OPERATOR(pg_catalog.<) $2 ORDER BY c.version DESC LIMIT 1"
}

statement! {
    NEWEST_PROTECTED, [TEXTOID], "/* layra.newest_protected */
SELECT c.version FROM layra.checkpoint c
WHERE c.run_id OPERATOR(pg_catalog.=) $1 AND c.protected ORDER BY c.version DESC LIMIT 1"
}

statement! {
    /// Of some versions, those that copied cells.
    COPYING_EVENTS, [TEXTOID, INT8ARRAYOID], "/* layra.copying_events */
SELECT e.version, e.payload FROM layra.event e
WHERE e.run_id OPERATOR(pg_catalog.=) $1 AND e.version OPERATOR(pg_catalog.=) ANY ($2)
  AND e.type OPERATOR(pg_catalog.=) ANY ('{run.rolled_back,run.forked}'::pg_catalog.text[])"
}

statement! {
    DELETE_LEASES, [TEXTOID], "/* layra.delete_leases */
DELETE FROM layra.lease l WHERE l.run_id OPERATOR(pg_catalog.=) $1"
}

// ------------------------------------------------------------------------------------------------------ interactions

statement! {
    INSERT_INTERACTION, [TEXTOID, UUIDOID, INT8OID, TEXTOID, JSONBOID, JSONBOID, TEXTOID, TIMESTAMPTZOID, TIMESTAMPTZOID],
    "/* layra.insert_interaction */
INSERT INTO layra.interaction (run_id, id, version, node_id, status, prompt, response_schema, assignee, created_at, expires_at)
VALUES ($1, $2, $3, $4, 'pending', $5, $6, $7, $8, $9)"
}

statement! {
    GET_INTERACTION, [TEXTOID, UUIDOID], "/* layra.get_interaction */
SELECT i.version, i.status, i.response_schema, i.assignee, i.expires_at, i.closed_version, i.response_hash, i.node_id
FROM layra.interaction i WHERE i.run_id OPERATOR(pg_catalog.=) $1 AND i.id OPERATOR(pg_catalog.=) $2"
}

statement! {
    INTERACTION_AT, [TEXTOID, INT8OID], "/* layra.interaction_at */
SELECT i.id FROM layra.interaction i WHERE i.run_id OPERATOR(pg_catalog.=) $1 AND i.version OPERATOR(pg_catalog.=) $2"
}

statement! {
    ANSWER_INTERACTION, [TEXTOID, UUIDOID, INT8OID, JSONBOID, BYTEAOID, TEXTOID, TEXTOID], "/* layra.answer_interaction */
UPDATE layra.interaction i SET status = 'answered', closed_version = $3, response = $4, response_hash = $5, answered_by = $6, answered_for = $7
WHERE i.run_id OPERATOR(pg_catalog.=) $1 AND i.id OPERATOR(pg_catalog.=) $2"
}

statement! {
    /// Withdraws the interactions above a version that are pending, with the version that did it. By version and not by the
    /// index of those that wait, in which the ones below would be passed over.
    WITHDRAW_ABOVE, [TEXTOID, INT8OID, INT8OID], "/* layra.withdraw_above */
UPDATE layra.interaction i SET status = 'withdrawn', closed_version = $3
WHERE i.run_id OPERATOR(pg_catalog.=) $1 AND i.closed_version IS NULL AND i.version OPERATOR(pg_catalog.>) $2"
}

statement! {
    /// Withdraws what waits, whatever else was ever asked: the condition that always holds is one that only the index of what
    /// waits serves. A plan that is kept must not depend on what the tables hold when it is made.
    WITHDRAW_ALL, [TEXTOID, INT8OID], "/* layra.withdraw_all */
UPDATE layra.interaction i SET status = 'withdrawn', closed_version = $2
WHERE i.run_id OPERATOR(pg_catalog.=) $1 AND i.status OPERATOR(pg_catalog.=) 'pending'
  AND COALESCE(i.expires_at, 'infinity'::pg_catalog.timestamptz) OPERATOR(pg_catalog.>=) '-infinity'::pg_catalog.timestamptz"
}

statement! {
    WITHDRAW_ONE, [TEXTOID, UUIDOID, INT8OID], "/* layra.withdraw_one */
UPDATE layra.interaction i SET status = 'withdrawn', closed_version = $3
WHERE i.run_id OPERATOR(pg_catalog.=) $1 AND i.id OPERATOR(pg_catalog.=) $2"
}

statement! {
    /// The oldest interaction of a run.
    FIRST_INTERACTION, [TEXTOID], "/* layra.first_interaction */
SELECT i.version FROM layra.interaction i WHERE i.run_id OPERATOR(pg_catalog.=) $1 ORDER BY i.version LIMIT 1"
}

macro_rules! interactions_where {
    ($condition:literal) => {
        concat!(
            "SELECT i.id, i.version, i.expires_at FROM layra.interaction i
WHERE i.run_id OPERATOR(pg_catalog.=) $1 AND ",
            $condition
        )
    };
}

statement! {
    /// The interactions up to a version ($2) that may have been other than they are now, where the history of $2 and that of
    /// the newest version are the same up to $3: asked after it, or closed after it.
    INTERACTIONS_SINCE, [TEXTOID, INT8OID, INT8OID], "/* layra.interactions_since */\n",
    interactions_where!("i.version OPERATOR(pg_catalog.>) $3 AND i.version OPERATOR(pg_catalog.<=) $2"), "
UNION ALL ", interactions_where!("i.version OPERATOR(pg_catalog.<=) $3 AND i.closed_version OPERATOR(pg_catalog.>) $3")
}

statement! {
    /// Those that wait now and were asked up to a version.
    PENDING_SINCE_BEFORE, [TEXTOID, INT8OID], "/* layra.pending_since_before */\n",
    interactions_where!("i.status OPERATOR(pg_catalog.=) 'pending' AND i.version OPERATOR(pg_catalog.<=) $2
    ORDER BY COALESCE(i.expires_at, 'infinity'::pg_catalog.timestamptz)")
}

statement! {
    /// Of those, some by their names.
    PENDING_OF, [TEXTOID, INT8OID, UUIDARRAYOID], "/* layra.pending_of */
SELECT i.id, i.version, i.expires_at FROM pg_catalog.unnest($3) n(id)
CROSS JOIN LATERAL (
    SELECT i.id, i.version, i.expires_at FROM layra.interaction i
    WHERE i.run_id OPERATOR(pg_catalog.=) $1 AND i.id OPERATOR(pg_catalog.=) n.id
      AND i.closed_version IS NULL AND i.version OPERATOR(pg_catalog.<=) $2 LIMIT 1) i"
}

macro_rules! closing_events {
    ($type:literal) => {
        concat!(
            "SELECT e.version, e.type, e.payload OPERATOR(pg_catalog.->>) 'interaction',
    (e.payload OPERATOR(pg_catalog.->>) 'to_version')::pg_catalog.int8
FROM layra.event e WHERE e.run_id OPERATOR(pg_catalog.=) $1 AND e.type OPERATOR(pg_catalog.=) '",
            $type,
            "' AND e.version OPERATOR(pg_catalog.>) $2 AND e.version OPERATOR(pg_catalog.<=) $3"
        )
    };
}

statement! {
    /// The events of a range of versions that closed interactions, in no order: each type is a range of its index.
    INTERACTION_EVENTS, [TEXTOID, INT8OID, INT8OID], "/* layra.interaction_events */\n", closing_events!("run.finished"), "
UNION ALL ", closing_events!("run.cancelling"), "
UNION ALL ", closing_events!("run.rolled_back"), "
UNION ALL ", closing_events!("interaction.answered"), "
UNION ALL ", closing_events!("interaction.withdrawn")
}

statement! {
    /// What an answer was, and whose.
    ANSWER, [TEXTOID, INT8OID], "/* layra.answer */
SELECT e.payload OPERATOR(pg_catalog.->) 'response', e.actor, e.on_behalf_of FROM layra.event e
WHERE e.run_id OPERATOR(pg_catalog.=) $1 AND e.version OPERATOR(pg_catalog.=) $2"
}

statement! {
    /// An interaction as it was at an older version.
    RESTORE_INTERACTION, [TEXTOID, UUIDOID, TEXTOID, INT8OID, JSONBOID, BYTEAOID, TEXTOID, TEXTOID], "/* layra.restore_interaction */
UPDATE layra.interaction i SET status = $3, closed_version = $4, response = $5, response_hash = $6, answered_by = $7, answered_for = $8
WHERE i.run_id OPERATOR(pg_catalog.=) $1 AND i.id OPERATOR(pg_catalog.=) $2
  AND (i.status OPERATOR(pg_catalog.<>) $3 OR i.closed_version OPERATOR(pg_catalog.<>) $4)"
}

statement! {
    /// At most $4 interactions up to a version ($3) that wait longer than until $2. One that ran out unanswered costs nothing.
    WAITING, [TEXTOID, TIMESTAMPTZOID, INT8OID, INT8OID], "/* layra.waiting */
SELECT i.id FROM layra.interaction i
WHERE i.run_id OPERATOR(pg_catalog.=) $1 AND i.status OPERATOR(pg_catalog.=) 'pending'
  AND COALESCE(i.expires_at, 'infinity'::pg_catalog.timestamptz) OPERATOR(pg_catalog.>) $2
  AND i.version OPERATOR(pg_catalog.<=) $3
ORDER BY COALESCE(i.expires_at, 'infinity'::pg_catalog.timestamptz) LIMIT $4"
}

statement! {
    /// The interactions that wait ($2: now), those that expire first: one more than a message names.
    WAITING_FIRST, [TEXTOID, TIMESTAMPTZOID], "/* layra.waiting_first */
SELECT i.id FROM layra.interaction i
WHERE i.run_id OPERATOR(pg_catalog.=) $1 AND i.status OPERATOR(pg_catalog.=) 'pending'
  AND COALESCE(i.expires_at, 'infinity'::pg_catalog.timestamptz) OPERATOR(pg_catalog.>) $2
ORDER BY COALESCE(i.expires_at, 'infinity'::pg_catalog.timestamptz) LIMIT 6"
}

statement! {
    /// Whether one of some versions ($5) gave a cell this value.
    WROTE_VALUE, [TEXTOID, TEXTOID, TEXTOID, INT8OID, INT8ARRAYOID, BYTEAOID], "/* layra.wrote_value */
SELECT true FROM layra.cell c
WHERE c.run_id OPERATOR(pg_catalog.=) $1 AND c.scope OPERATOR(pg_catalog.=) $2 AND c.key OPERATOR(pg_catalog.=) $3
  AND c.ordinal OPERATOR(pg_catalog.=) $4 AND c.version OPERATOR(pg_catalog.=) ANY ($5)
  AND ((c.hash OPERATOR(pg_catalog.=) $6) OR (c.hash IS NULL AND $6 IS NULL)) LIMIT 1"
}

statement! {
    /// The versions after one in which answers were given.
    ANSWER_VERSIONS, [TEXTOID, INT8OID], "/* layra.answer_versions */
SELECT i.closed_version FROM layra.interaction i
WHERE i.run_id OPERATOR(pg_catalog.=) $1 AND i.closed_version OPERATOR(pg_catalog.>) $2
  AND i.status OPERATOR(pg_catalog.=) 'answered'"
}

statement! {
    DELETE_INTERACTIONS, [TEXTOID], "/* layra.delete_interactions */
DELETE FROM layra.interaction i WHERE i.run_id OPERATOR(pg_catalog.=) $1"
}

statement! {
    VERIFY_INTERACTIONS, [TEXTOID, INT8OID], "/* layra.verify_interactions */
SELECT i.version, i.id::pg_catalog.text, i.node_id, i.status, i.prompt, i.response_schema, i.assignee, i.closed_version, i.response,
    i.answered_by, i.answered_for, i.created_at, i.expires_at, i.response_hash
FROM layra.interaction i WHERE i.run_id OPERATOR(pg_catalog.=) $1 AND i.version OPERATOR(pg_catalog.>=) $2 ORDER BY i.version LIMIT 100"
}

// ---------------------------------------------------------------------------------------------------------- breakers

statement! {
    /// The breakers of a name that some roles own.
    BREAKERS_OF, [TEXTOID, TEXTARRAYOID], "/* layra.breakers_of */
SELECT b.owner, b.created_at FROM pg_catalog.unnest($2) o(owner)
CROSS JOIN LATERAL (
    SELECT b.owner, b.created_at FROM layra.breaker b
    WHERE b.name OPERATOR(pg_catalog.=) $1 AND b.owner OPERATOR(pg_catalog.=) o.owner LIMIT 1) b"
}

statement! {
    /// The oldest breaker of a name, whoever owns it.
    OLDEST_BREAKER, [TEXTOID], "/* layra.oldest_breaker */
SELECT b.owner, b.created_at FROM layra.breaker b WHERE b.name OPERATOR(pg_catalog.=) $1 ORDER BY b.created_at, b.owner LIMIT 1"
}

statement! {
    /// A breaker, its last success or reset, and the newest failures since: how many (up to the threshold), from when to when.
    BREAKER_STATE, [TEXTOID, TEXTOID], "/* layra.breaker_state */
SELECT b.failure_threshold, b.reset_after, b.probe_lease, p.probe_at, s.at, f.failures, f.newest, f.oldest
FROM layra.breaker b
LEFT JOIN LATERAL (
    SELECT p.probe_at FROM layra.breaker_probe p
    WHERE p.name OPERATOR(pg_catalog.=) $1 AND p.owner OPERATOR(pg_catalog.=) $2 LIMIT 1) p ON true
LEFT JOIN LATERAL (
    SELECT o.at FROM layra.breaker_outcome o
    WHERE o.name OPERATOR(pg_catalog.=) $1 AND o.owner OPERATOR(pg_catalog.=) $2 AND o.outcome OPERATOR(pg_catalog.<>) 'failure'
    ORDER BY o.at DESC LIMIT 1) s ON true
LEFT JOIN LATERAL (
    SELECT pg_catalog.count(*) AS failures, pg_catalog.max(n.at) AS newest, pg_catalog.min(n.at) AS oldest
    FROM (SELECT o.at FROM layra.breaker_outcome o
          WHERE o.name OPERATOR(pg_catalog.=) $1 AND o.owner OPERATOR(pg_catalog.=) $2 AND o.outcome OPERATOR(pg_catalog.=) 'failure'
            AND o.at OPERATOR(pg_catalog.>) COALESCE(s.at, '-infinity')
          ORDER BY o.at DESC LIMIT b.failure_threshold) n) f ON true
WHERE b.name OPERATOR(pg_catalog.=) $1 AND b.owner OPERATOR(pg_catalog.=) $2"
}

statement! {
    /// What was reported with the failure of a time.
    BREAKER_ERROR, [TEXTOID, TEXTOID, TIMESTAMPTZOID], "/* layra.breaker_error */
SELECT o.error FROM layra.breaker_outcome o
WHERE o.name OPERATOR(pg_catalog.=) $1 AND o.owner OPERATOR(pg_catalog.=) $2 AND o.at OPERATOR(pg_catalog.=) $3
  AND o.outcome OPERATOR(pg_catalog.=) 'failure' LIMIT 1"
}

statement! {
    /// The right to probe: no row where somebody else is at it.
    LOCK_BREAKER, [TEXTOID, TEXTOID], "/* layra.lock_breaker */
SELECT p.probe_at FROM layra.breaker_probe p
WHERE p.name OPERATOR(pg_catalog.=) $1 AND p.owner OPERATOR(pg_catalog.=) $2 FOR UPDATE SKIP LOCKED"
}

statement! {
    PROBE_BREAKER, [TEXTOID, TEXTOID, TIMESTAMPTZOID], "/* layra.probe_breaker */
UPDATE layra.breaker_probe p SET probe_at = $3 WHERE p.name OPERATOR(pg_catalog.=) $1 AND p.owner OPERATOR(pg_catalog.=) $2"
}

statement! {
    /// Looks first: ON CONFLICT alone would wait for an open probe.
    DEFINE_PROBE, [TEXTOID, TEXTOID], "/* layra.define_probe */
INSERT INTO layra.breaker_probe (name, owner) SELECT $1, $2 WHERE NOT EXISTS (
    SELECT FROM layra.breaker_probe p WHERE p.name OPERATOR(pg_catalog.=) $1 AND p.owner OPERATOR(pg_catalog.=) $2)
ON CONFLICT DO NOTHING"
}

statement! {
    INSERT_OUTCOME, [TEXTOID, TEXTOID, TIMESTAMPTZOID, TEXTOID, JSONBOID], "/* layra.insert_outcome */
INSERT INTO layra.breaker_outcome (name, owner, at, id, outcome, error)
VALUES ($1, $2, $3, pg_catalog.gen_random_uuid(), $4, $5)"
}

statement! {
    /// Some outcomes between two times, the oldest; those that somebody else is deleting are left to them.
    FORGET_OUTCOMES, [TEXTOID, TEXTOID, TIMESTAMPTZOID, TIMESTAMPTZOID], "/* layra.forget_outcomes */
DELETE FROM layra.breaker_outcome d USING (
    SELECT o.at, o.id FROM layra.breaker_outcome o
    WHERE o.name OPERATOR(pg_catalog.=) $1 AND o.owner OPERATOR(pg_catalog.=) $2
      AND o.at OPERATOR(pg_catalog.>) $3 AND o.at OPERATOR(pg_catalog.<) $4
    ORDER BY o.at LIMIT 128 FOR UPDATE SKIP LOCKED) o
WHERE d.name OPERATOR(pg_catalog.=) $1 AND d.owner OPERATOR(pg_catalog.=) $2
  AND d.at OPERATOR(pg_catalog.=) o.at AND d.id OPERATOR(pg_catalog.=) o.id"
}

statement! {
    DEFINE_BREAKER, [TEXTOID, TEXTOID, INT4OID, INTERVALOID, INTERVALOID, TIMESTAMPTZOID], "/* layra.define_breaker */
INSERT INTO layra.breaker AS b (name, owner, failure_threshold, reset_after, probe_lease, created_at)
VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (name, owner) DO UPDATE SET failure_threshold = $3, reset_after = $4, probe_lease = $5"
}

// ------------------------------------------------------------------------------------------------- rules and handlers

statement! {
    /// Schemas of some event types for an owner: the owner's own, else the shared one.
    EVENT_TYPES, [TEXTOID, TEXTARRAYOID], "/* layra.event_types */
SELECT n.type, COALESCE(
    (SELECT t.schema FROM layra.event_type t WHERE t.type OPERATOR(pg_catalog.=) n.type AND t.owner OPERATOR(pg_catalog.=) $1),
    (SELECT t.schema FROM layra.event_type t WHERE t.type OPERATOR(pg_catalog.=) n.type AND t.shared LIMIT 1))
FROM pg_catalog.unnest($2) n(type)"
}

statement! {
    DEFINE_EVENT_TYPE, [TEXTOID, TEXTOID, BOOLOID, JSONBOID, TIMESTAMPTZOID], "/* layra.define_event_type */
INSERT INTO layra.event_type (type, owner, shared, schema, created_at) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (type, owner) DO UPDATE SET shared = $3, schema = $4"
}

statement! {
    SHARED_EVENT_TYPE_OWNER, [TEXTOID], "/* layra.shared_event_type_owner */
SELECT t.owner FROM layra.event_type t WHERE t.type OPERATOR(pg_catalog.=) $1 AND t.shared"
}

statement! {
    ADD_VALIDATOR, [TEXTOID, TEXTOID, TEXTOID, TEXTOID, TIMESTAMPTZOID], "/* layra.add_validator */
INSERT INTO layra.validator (workflow, name, function, created_by, created_at) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (workflow, name) DO UPDATE SET function = $3, created_by = $4"
}

statement! {
    VALIDATORS, [TEXTOID], "/* layra.validators */
SELECT v.name, v.function, pg_catalog.to_regprocedure(v.function) IS NOT NULL FROM layra.validator v WHERE v.workflow OPERATOR(pg_catalog.=) $1 ORDER BY v.name"
}

statement! {
    ADD_HANDLER, [TEXTOID, TEXTOID, TEXTOID, TEXTOID, TIMESTAMPTZOID], "/* layra.add_handler */
INSERT INTO layra.handler (type_pattern, function, workflow, created_by, created_at) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT DO NOTHING"
}

statement! {
    /// With it go registrations of the pattern whose function is gone: no regprocedure names them any more.
    REMOVE_HANDLER, [TEXTOID, TEXTOID], "/* layra.remove_handler */
DELETE FROM layra.handler h WHERE h.type_pattern OPERATOR(pg_catalog.=) $1
  AND (h.function OPERATOR(pg_catalog.=) $2 OR pg_catalog.to_regprocedure(h.function) IS NULL)"
}

statement! {
    REMOVE_VALIDATOR, [TEXTOID, TEXTOID], "/* layra.remove_validator */
DELETE FROM layra.validator v WHERE v.workflow OPERATOR(pg_catalog.=) $1 AND v.name OPERATOR(pg_catalog.=) $2"
}

statement! {
    /// The handlers for a type ($2: the type and the patterns that cover it), and whether the function is still there.
    HANDLERS, [TEXTOID, TEXTARRAYOID], "/* layra.handlers */
SELECT h.function, pg_catalog.to_regprocedure(h.function) IS NOT NULL FROM layra.handler h
WHERE h.type_pattern OPERATOR(pg_catalog.=) ANY ($2)
  AND (h.workflow OPERATOR(pg_catalog.=) '' OR h.workflow OPERATOR(pg_catalog.=) $1)"
}
