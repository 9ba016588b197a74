//! Rows of `layra.handler`: the functions that are called after an event.

use crate::server::columns::Columns;
use crate::server::error::Result;
use crate::server::heap;
use crate::server::jsonb::Jsonb;
use crate::server::spi::At;
use crate::store::clock;
use crate::store::db::Db;
use crate::store::function;
use crate::store::statement::statement;
use crate::store::tables::SCHEMA;
use pgrx::{IntoDatum, pg_sys};

statement! {
    /// Whether there are any handlers, any event types.
    FLAGS, [], "/* layra.flags */
SELECT EXISTS (SELECT FROM layra.handler h WHERE h.type_pattern OPERATOR(pg_catalog.>=) ''),
    EXISTS (SELECT FROM layra.event_type t WHERE t.type OPERATOR(pg_catalog.>=) '')"
}

statement! {
    ADD_HANDLER, [TEXTOID, TEXTOID, TEXTOID, TEXTOID, TIMESTAMPTZOID], "/* layra.add_handler */
INSERT INTO layra.handler (type_pattern, function, workflow, created_by, created_at) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT DO NOTHING"
}

statement! {
    STAMP_HANDLER, [TEXTOID, TEXTOID, TEXTOID, TIMESTAMPTZOID], "/* layra.stamp_handler */
UPDATE layra.handler h SET created_at = $4 WHERE h.type_pattern OPERATOR(pg_catalog.=) $1
  AND h.function OPERATOR(pg_catalog.=) $2 AND h.workflow OPERATOR(pg_catalog.=) $3"
}

statement! {
    /// With it go registrations of the pattern whose function is gone: no regprocedure names them any more.
    REMOVE_HANDLER, [TEXTOID, TEXTOID], "/* layra.remove_handler */
DELETE FROM layra.handler h WHERE h.type_pattern OPERATOR(pg_catalog.=) $1
  AND (h.function OPERATOR(pg_catalog.=) $2 OR pg_catalog.to_regprocedure(h.function) IS NULL)"
}

statement! {
    /// The handlers for a type ($2: the type and the patterns that cover it), and whether the function is still there.
    HANDLERS, [TEXTOID, TEXTARRAYOID], "/* layra.handlers */
SELECT h.function, pg_catalog.to_regprocedure(h.function) IS NOT NULL FROM layra.handler h
WHERE h.type_pattern OPERATOR(pg_catalog.=) ANY ($2)
  AND (h.workflow OPERATOR(pg_catalog.=) '' OR h.workflow OPERATOR(pg_catalog.=) $1)"
}

/// As `format_procedure_qualified` writes the arguments of a handler.
pub const SIGNATURE: &str = "(pg_catalog.text,bigint,pg_catalog.text,pg_catalog.jsonb)";

/// Whether there is any handler, or event type, at all: without, they cost nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Flags {
    pub handlers: bool,
    pub event_types: bool,
}

impl Flags {
    /// Of a run that is new, for which nobody has looked.
    pub const UNKNOWN: Flags = Flags { handlers: true, event_types: true };

    pub fn read(db: &Db) -> Flags {
        // A table that never had a row has no page: most installations have neither.
        if heap::are_void(heap::schema(SCHEMA), &[c"handler", c"event_type"]) {
            return Flags::default();
        }
        Flags::of(&At(&db.query(&FLAGS, &[]), 0), 1)
    }

    /// From two columns of a statement's row.
    pub(super) fn of(row: &impl Columns, first: i32) -> Flags {
        Flags { handlers: row.get(first).unwrap_or(true), event_types: row.get(first + 1).unwrap_or(true) }
    }
}

pub fn add(db: &Db, pattern: &str, function: &str, workflow: Option<&str>, by: &str) -> Result<()> {
    let key = [pattern, function, workflow.unwrap_or("")].map(IntoDatum::into_datum);
    let by = by.into_datum();
    let add = |at: i64| db.query(&ADD_HANDLER, &[key[0], key[1], key[2], by, at.into_datum()]).len() == 1;
    clock::insert_now(db, &ADD_HANDLER, add, |at| {
        db.query(&STAMP_HANDLER, &[key[0], key[1], key[2], at.into_datum()]);
    })?;
    Ok(())
}

/// Registrations of a pattern whose function is gone go, too.
pub fn remove(db: &Db, pattern: &str, function: &str) {
    db.query(&REMOVE_HANDLER, &[pattern.into_datum(), function.into_datum()]);
}

/// The handlers for some patterns in the runs of a workflow, and whether each function is still there.
pub fn matching(db: &Db, workflow: Option<&str>, patterns: Vec<String>) -> Vec<(String, bool)> {
    let rows = db.query(&HANDLERS, &[workflow.unwrap_or("").into_datum(), patterns.into_datum()]);
    (0..rows.len()).map(|row| (rows.get(row, 1).unwrap_or_default(), rows.get(row, 2).unwrap_or(false))).collect()
}

/// Calls a handler as the current user.
pub fn call(function: &str, run_id: &str, version: i64, type_name: &str, payload: Jsonb) {
    let args = [
        (pg_sys::TEXTOID, run_id.into_datum()),
        (pg_sys::INT8OID, version.into_datum()),
        (pg_sys::TEXTOID, type_name.into_datum()),
        (pg_sys::JSONBOID, payload.into_datum()),
    ];
    function::call(function, SIGNATURE, &args);
}
