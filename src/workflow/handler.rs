//! Handlers: functions that run in the same transaction after an event, as the caller.

use crate::server::args;
use crate::server::error::{Error, Result};
use crate::server::jsonb::Jsonb;
use crate::server::name::Procedure;
use crate::server::rethrow::Witness;
use crate::server::settings;
use crate::server::spi::{Db, execute_text};
use crate::state::access;
use crate::store::statements::{ADD_HANDLER, HANDLERS, REMOVE_HANDLER};
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use pgrx::{IntoDatum, pg_sys};

/// An event that handlers may want to see.
pub struct Fired {
    pub version: i64,
    pub type_name: String,
    pub payload: Jsonb,
}

/// A call that is due: the function's qualified name, and the event.
pub struct Call {
    function: String,
    event: Fired,
}

/// As `format_procedure_qualified` writes the arguments of a handler.
const SIGNATURE: &str = "(pg_catalog.text,bigint,pg_catalog.text,pg_catalog.jsonb)";

/// The handlers of some events, looked up as the owner of the tables.
pub fn calls(db: &Db, workflow: Option<&str>, fired: Vec<Fired>) -> Vec<Call> {
    let mut calls = Vec::new();
    for event in fired {
        let rows = db.query(&HANDLERS, &[workflow.unwrap_or("").into_datum(), patterns(&event.type_name).into_datum()]);
        let mut functions: Vec<String> = Vec::new();
        for row in 0..rows.len() {
            let function: String = rows.get(row, 1).unwrap_or_default();
            if rows.get(row, 2).unwrap_or(false) {
                functions.push(function);
            } else {
                // One admin's dropped function must not stop every tenant.
                pgrx::warning!("handler {function} does not exist any more and was skipped");
            }
        }
        functions.sort();
        functions.dedup();
        for function in functions {
            let Fired { version, type_name, payload } = &event;
            let event = Fired { version: *version, type_name: type_name.clone(), payload: *payload };
            calls.push(Call { function, event });
        }
    }
    calls
}

/// A type and the patterns that cover it: `a.b.c` is covered by `a.b.c`, `a.b.*` and `a.*`.
fn patterns(type_name: &str) -> Vec<String> {
    let prefixes = type_name.match_indices('.').map(|(dot, _)| format!("{}.*", &type_name[..dot]));
    prefixes.chain([type_name.to_owned()]).collect()
}

/// Calls handlers as the current user, who must be the caller by now.
pub fn run(run_id: &str, calls: Vec<Call>) {
    let _witness = Witness::enter();
    for Call { function, event } in calls {
        execute_text(
            &format!("SELECT {}($1, $2, $3, $4)::pg_catalog.text", qualified_name(&function, SIGNATURE)),
            &[
                (pg_sys::TEXTOID, run_id.into_datum()),
                (pg_sys::INT8OID, event.version.into_datum()),
                (pg_sys::TEXTOID, event.type_name.into_datum()),
                (pg_sys::JSONBOID, event.payload.into_datum()),
            ],
        );
    }
}

/// `schema.name` of a stored function, which is text like `schema.name(text,bigint)`.
pub fn qualified_name<'a>(function: &'a str, signature: &str) -> &'a str {
    function.strip_suffix(signature).unwrap_or(function)
}

/// A function of the caller's choice as text, if it has the arguments that it will be called with.
pub fn checked_function(function: Option<&Procedure>, signature: &str) -> Result<String> {
    let function = args::required(function, "function")?;
    let text = function.qualified();
    if text.ends_with(signature) && function.is_function() {
        return Ok(text);
    }
    Err(Error::argument(format!("{text} must be a function with the argument types {signature}")))
}

fn pattern(pattern: Option<&str>) -> Result<&str> {
    let pattern = args::name(pattern, "type_pattern")?;
    let prefix = pattern.strip_suffix(".*").unwrap_or(pattern);
    if prefix.is_empty() || prefix.contains('*') {
        return Err(Error::argument("type_pattern must be an event type, or a prefix that ends in .*"));
    }
    Ok(pattern)
}

#[pg_extern]
fn on_event(
    type_pattern: Option<&str>,
    function: Option<Procedure>,
    workflow: default!(Option<&str>, "NULL"),
) -> std::result::Result<(), ErrorReport> {
    let pattern = pattern(type_pattern)?;
    let function = checked_function(function.as_ref(), SIGNATURE)?;
    let workflow = args::optional_name(workflow, "workflow")?;
    let db = Db::write();
    access::require_admin(&db, "register handlers")?;
    db.query(
        &ADD_HANDLER,
        &[
            pattern.into_datum(),
            function.into_datum(),
            workflow.unwrap_or("").into_datum(),
            access::role_name(db.caller).into_datum(),
            settings::now()?.into_datum(),
        ],
    );
    Ok(())
}

#[pg_extern]
fn off_event(type_pattern: Option<&str>, function: Option<Procedure>) -> std::result::Result<(), ErrorReport> {
    let pattern = pattern(type_pattern)?;
    let function = checked_function(function.as_ref(), SIGNATURE)?;
    let db = Db::write();
    access::require_admin(&db, "remove handlers")?;
    db.query(&REMOVE_HANDLER, &[pattern.into_datum(), function.into_datum()]);
    Ok(())
}
