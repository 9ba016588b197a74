//! Rows of `layra.validator`: the functions that judge the states of a workflow's runs.

use crate::server::error::Result;
use crate::server::jsonb::Jsonb;
use crate::store::clock;
use crate::store::db::Db;
use crate::store::function;
use crate::store::statement::statement;
use pgrx::{IntoDatum, pg_sys};

statement! {
    /// Column 1: whether it is new.
    ADD_VALIDATOR, [TEXTOID, TEXTOID, TEXTOID, TEXTOID, TIMESTAMPTZOID], "/* layra.add_validator */
INSERT INTO layra.validator AS v (workflow, name, function, created_by, created_at) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (workflow, name) DO UPDATE SET function = $3, created_by = $4
RETURNING v.xmax OPERATOR(pg_catalog.=) '0'::pg_catalog.xid"
}

statement! {
    STAMP_VALIDATOR, [TEXTOID, TEXTOID, TIMESTAMPTZOID], "/* layra.stamp_validator */
UPDATE layra.validator v SET created_at = $3 WHERE v.workflow OPERATOR(pg_catalog.=) $1 AND v.name OPERATOR(pg_catalog.=) $2"
}

statement! {
    VALIDATORS, [TEXTOID], "/* layra.validators */
SELECT v.name, v.function, pg_catalog.to_regprocedure(v.function) IS NOT NULL FROM layra.validator v WHERE v.workflow OPERATOR(pg_catalog.=) $1 ORDER BY v.name"
}

statement! {
    REMOVE_VALIDATOR, [TEXTOID, TEXTOID], "/* layra.remove_validator */
DELETE FROM layra.validator v WHERE v.workflow OPERATOR(pg_catalog.=) $1 AND v.name OPERATOR(pg_catalog.=) $2"
}

/// As `format_procedure_qualified` writes the arguments of a validator.
pub const SIGNATURE: &str = "(pg_catalog.text,pg_catalog.jsonb)";

pub fn add(db: &Db, workflow: &str, name: &str, function: &str, by: &str) -> Result<()> {
    let args = [workflow, name, function, by].map(IntoDatum::into_datum);
    let add = |at: i64| {
        db.query(&ADD_VALIDATOR, &[args[0], args[1], args[2], args[3], at.into_datum()]).get(0, 1) == Some(true)
    };
    clock::insert_now(db, &ADD_VALIDATOR, add, |at| {
        db.query(&STAMP_VALIDATOR, &[args[0], args[1], at.into_datum()]);
    })?;
    Ok(())
}

pub fn remove(db: &Db, workflow: &str, name: &str) {
    db.query(&REMOVE_VALIDATOR, &[workflow.into_datum(), name.into_datum()]);
}

/// A workflow's validators by name: name, function, and whether that is still there.
pub fn of_workflow(db: &Db, workflow: &str) -> Vec<(String, String, bool)> {
    let rows = db.query(&VALIDATORS, &[workflow.into_datum()]);
    let validator = |row| {
        (rows.get(row, 1).unwrap_or_default(), rows.get(row, 2).unwrap_or_default(), rows.get(row, 3).unwrap_or(false))
    };
    (0..rows.len()).map(validator).collect()
}

/// What a validator says of a state, as the current user.
pub fn messages(function: &str, run_id: &str, state: Jsonb) -> Vec<String> {
    let args = [(pg_sys::TEXTOID, run_id.into_datum()), (pg_sys::JSONBOID, state.into_datum())];
    function::call_for_texts(function, SIGNATURE, &args).into_iter().flatten().collect()
}
