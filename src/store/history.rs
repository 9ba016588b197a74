//! What cells were before: the rows that a cell, or the context of a node, has had.

use crate::server::jsonb::Jsonb;
use crate::server::spi::At;
use crate::store::cell::{Place, newest_cell};
use crate::store::db::Db;
use crate::store::statement::statement;
use pgrx::IntoDatum;
use pgrx::datum::TimestampWithTimeZone;

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

statement! {
    /// The newest entries of one node's context ($3: how many), newest first; dead entries are never visited.
    LAST_CONTEXT, [TEXTOID, TEXTOID, INT8OID], "/* layra.last_context */
SELECT o.ordinal, e.version
FROM ", newest_cell!("c.value, c.hash", "'context'", "$2", "-1", ""), " k
CROSS JOIN LATERAL pg_catalog.generate_series((k.value OPERATOR(pg_catalog.->>) 'next')::pg_catalog.int8 OPERATOR(pg_catalog.-) 1,
    GREATEST((k.value OPERATOR(pg_catalog.->>) 'next')::pg_catalog.int8 OPERATOR(pg_catalog.-) (k.value OPERATOR(pg_catalog.->>) 'live')::pg_catalog.int8,
             (k.value OPERATOR(pg_catalog.->>) 'next')::pg_catalog.int8 OPERATOR(pg_catalog.-) $3), -1) o(ordinal)
CROSS JOIN LATERAL ", newest_cell!("c.version", "'context'", "$2", "o.ordinal", ""), " e
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

/// A row that a cell has had, and the event that wrote it.
pub struct Revision {
    pub revision: i64,
    pub version: i64,
    pub value: Option<Jsonb>,
    pub at: Option<TimestampWithTimeZone>,
    pub actor: String,
    pub on_behalf_of: Option<String>,
    pub type_name: String,
}

/// Visits rows that a cell has had after a version, oldest first, at most so many, while `visit` says so; returns how many there
/// were. `before` is the value of the row before, where it is at hand, and then that of the last one.
pub fn revisions(
    db: &Db,
    place: Place<'_>,
    after: i64,
    most: i64,
    before: &mut Option<Jsonb>,
    mut visit: impl FnMut(Revision) -> bool,
) -> i64 {
    let [run_id, scope, key] = [place.run_id, place.scope, place.key].map(IntoDatum::into_datum);
    let args = [run_id, scope, key, place.ordinal.into_datum(), after.into_datum(), most.into_datum()];
    let rows = db.query(&HISTORY, &args);
    for row in 0..rows.len() {
        *before = place.value_after(db, *before, &At(&rows, row), [2, 3, 8]);
        let more = visit(Revision {
            revision: rows.get(row, 1).unwrap_or_default(),
            version: rows.get(row, 2).unwrap_or_default(),
            value: *before,
            at: rows.get(row, 4),
            actor: rows.get(row, 5).unwrap_or_default(),
            on_behalf_of: rows.get(row, 6),
            type_name: rows.get(row, 7).unwrap_or_default(),
        });
        if !more {
            break;
        }
    }
    rows.len() as i64
}

/// Where the rows are that the entries of a node's context ever had: version and ordinal, in no order.
pub fn entries(db: &Db, run_id: &str, node: &str) -> Vec<(i64, i64)> {
    let rows = db.query(&PAST_ENTRIES, &[run_id.into_datum(), node.into_datum()]);
    (0..rows.len()).filter_map(|row| rows.get(row, 1).zip(rows.get(row, 2))).collect()
}

/// The newest entries of a node's context, at most so many, newest first: ordinal and version.
pub fn last_entries(db: &Db, run_id: &str, node: &str, most: i64) -> Vec<(i64, i64)> {
    let rows = db.query(&LAST_CONTEXT, &[run_id.into_datum(), node.into_datum(), most.into_datum()]);
    (0..rows.len()).filter_map(|row| rows.get(row, 1).zip(rows.get(row, 2))).collect()
}

/// The nodes that have, or had, context, from the last one backwards.
pub fn nodes_with_context(db: &Db, run_id: &str) -> Vec<String> {
    let rows = db.query(&CONTEXT_NODES, &[run_id.into_datum()]);
    (0..rows.len()).filter_map(|row| rows.get(row, 1)).collect()
}

macro_rules! cells_of_scope {
    ($order:literal) => {
        concat!(
            "SELECT c.key, c.ordinal, pg_catalog.count(*) FROM layra.cell c
WHERE c.run_id OPERATOR(pg_catalog.=) $1 AND c.scope OPERATOR(pg_catalog.=) $2
GROUP BY c.key, c.ordinal ORDER BY ",
            $order,
            " LIMIT $3"
        )
    };
}

statement! {
    CELLS_OF_SCOPE, [TEXTOID, TEXTOID, INT8OID], "/* layra.cells_of_scope */\n", cells_of_scope!("c.key, c.ordinal")
}

statement! {
    /// Backwards: of a context that is long the newest entries come first.
    LAST_CELLS_OF_SCOPE, [TEXTOID, TEXTOID, INT8OID], "/* layra.last_cells_of_scope */
", cells_of_scope!("c.key DESC, c.ordinal DESC")
}

statement! {
    ROW_BEFORE_NEWEST, [TEXTOID, TEXTOID, TEXTOID, INT8OID, INT8OID], "/* layra.row_before_newest */
SELECT c.version FROM layra.cell c
WHERE c.run_id OPERATOR(pg_catalog.=) $1 AND c.scope OPERATOR(pg_catalog.=) $2 AND c.key OPERATOR(pg_catalog.=) $3
  AND c.ordinal OPERATOR(pg_catalog.=) $4
ORDER BY c.version DESC OFFSET $5 LIMIT 1"
}

/// A cell that a scope has or had, and how many rows it has.
pub struct Listed {
    pub key: String,
    pub ordinal: i64,
    pub rows: i64,
}

/// The cells that a scope has or had, at most so many; of context the last ones.
pub fn cells_of(db: &Db, run_id: &str, scope: &str, most: i64) -> Vec<Listed> {
    let is_context = scope == "context";
    let statement = if is_context { &LAST_CELLS_OF_SCOPE } else { &CELLS_OF_SCOPE };
    let rows = db.query(statement, &[run_id.into_datum(), scope.into_datum(), most.into_datum()]);
    let listed = |row| Listed {
        key: rows.get(row, 1).unwrap_or_default(),
        ordinal: rows.get(row, 2).unwrap_or_default(),
        rows: rows.get(row, 3).unwrap_or_default(),
    };
    let mut cells: Vec<Listed> = (0..rows.len()).map(listed).collect();
    if is_context {
        cells.reverse();
    }
    cells
}

/// The version after which a cell has its newest rows, so many of them.
pub fn before_newest(db: &Db, place: Place<'_>, newest: i64) -> i64 {
    let [run_id, scope, key] = [place.run_id, place.scope, place.key].map(IntoDatum::into_datum);
    let rows = db.query(&ROW_BEFORE_NEWEST, &[run_id, scope, key, place.ordinal.into_datum(), newest.into_datum()]);
    if rows.is_empty() { 0 } else { rows.get(0, 1).unwrap_or_default() }
}
