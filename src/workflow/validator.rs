//! Validators: functions that judge the state of a workflow's runs, beside the schemas.

use crate::server::args;
use crate::server::error::Error;
use crate::server::name::Procedure;
use crate::server::role;
use crate::store::db::Db;
use crate::store::function::checked_function;
use crate::store::validator::{self, SIGNATURE};
use crate::workflow::admin::require_admin;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;

#[pg_extern]
fn add_validator(
    workflow: Option<&str>,
    name: Option<&str>,
    function: Option<Procedure>,
) -> std::result::Result<(), ErrorReport> {
    let workflow = args::name(workflow, "workflow")?;
    let name = args::name(name, "name")?;
    let text = checked_function(function.as_ref(), SIGNATURE)?;
    if !function.is_some_and(|function| function.returns_setof_text()) {
        return Err(Error::argument(format!("{text} must return SETOF text")).into());
    }
    let db = Db::write();
    require_admin(&db, "add validators")?;
    validator::add(&db, workflow, name, &text, &role::role_name(db.caller))?;
    Ok(())
}

#[pg_extern]
fn remove_validator(workflow: Option<&str>, name: Option<&str>) -> std::result::Result<(), ErrorReport> {
    let workflow = args::name(workflow, "workflow")?;
    let name = args::name(name, "name")?;
    let db = Db::write();
    require_admin(&db, "remove validators")?;
    validator::remove(&db, workflow, name);
    Ok(())
}
