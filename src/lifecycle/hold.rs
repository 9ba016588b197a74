//! Holds: a run that somebody holds is never dropped.

use crate::server::args;
use crate::server::error::{Error, Result};
use crate::server::jsonb::Jsonb;
use crate::state::change::{NewEvent, Request, checked_reason, with_change};
use crate::state::run::Reason;
use crate::store::run;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;

#[pg_extern]
fn hold_run(run_id: Option<&str>, reason: Option<&str>) -> std::result::Result<i64, ErrorReport> {
    let request = Request::new(run_id, None)?;
    let reason = args::required(checked_reason(reason)?, "reason")?;
    if reason.is_empty() {
        return Err(Error::argument("reason must not be empty").into());
    }
    Ok(set(request, "run.held", Some(reason), Some(reason))?)
}

#[pg_extern]
fn release_run(run_id: Option<&str>, reason: default!(Option<&str>, "NULL")) -> std::result::Result<i64, ErrorReport> {
    let request = Request::new(run_id, None)?;
    Ok(set(request, "run.released", None, checked_reason(reason)?)?)
}

/// A run that has this hold, or none, already is not changed: the call can be repeated.
fn set(request: Request<'_>, type_name: &str, hold: Option<&str>, reason: Option<&str>) -> Result<i64> {
    with_change(request, type_name, |change| {
        if run::hold(&change.db, change.run_id).as_deref() == hold {
            return Ok(change.head.version);
        }
        let version = change.append(NewEvent::new(type_name, Jsonb::of(&Reason { reason }), vec![]))?;
        run::set_hold(&change.db, change.run_id, hold);
        Ok(version)
    })
}
