//! Handlers: functions that run in the same transaction after an event, as the caller.

use crate::server::args;
use crate::server::error::{Error, Result, for_client};
use crate::server::jsonb::Jsonb;
use crate::server::name::Procedure;
use crate::server::rethrow::Witness;
use crate::server::role;
use crate::store::db::Db;
use crate::store::function::checked_function;
use crate::store::handler::{self as rows, SIGNATURE};
use crate::workflow::admin::require_admin;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;

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

/// The handlers of some events, looked up as the owner of the tables.
pub fn calls(db: &Db, workflow: Option<&str>, fired: Vec<Fired>) -> Vec<Call> {
    let mut calls = Vec::new();
    for event in fired {
        let mut functions: Vec<String> = Vec::new();
        for (function, exists) in rows::matching(db, workflow, patterns(&event.type_name)) {
            if exists {
                functions.push(function);
            } else {
                // One admin's dropped function must not stop every tenant.
                let message = format!("handler {function} does not exist any more and was skipped");
                pgrx::warning!("{}", for_client(message));
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
        rows::call(&function, run_id, event.version, &event.type_name, event.payload);
    }
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
    require_admin(&db, "register handlers")?;
    rows::add(&db, pattern, &function, workflow, &role::role_name(db.caller))?;
    Ok(())
}

#[pg_extern]
fn off_event(type_pattern: Option<&str>, function: Option<Procedure>) -> std::result::Result<(), ErrorReport> {
    let pattern = pattern(type_pattern)?;
    let function = checked_function(function.as_ref(), SIGNATURE)?;
    let db = Db::write();
    require_admin(&db, "remove handlers")?;
    rows::remove(&db, pattern, &function);
    Ok(())
}
