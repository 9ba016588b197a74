//! Retention policies: whether the runs of an owner, or of a workflow, may be dropped.

use crate::server::args;
use crate::server::error::{Error, Result};
use crate::server::jsonb::Jsonb;
use crate::server::role;
use crate::store::db::Db;
use crate::store::retention;
use crate::store::run::Run;
use crate::workflow::definitions;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;

#[pg_extern]
fn set_retention(
    policy: Option<Jsonb>,
    workflow: default!(Option<&str>, "NULL"),
) -> std::result::Result<(), ErrorReport> {
    Ok(set(policy, workflow)?)
}

fn set(policy: Option<Jsonb>, workflow: Option<&str>) -> Result<()> {
    let workflow = args::optional_name(workflow, "workflow")?;
    let policy = policy.filter(|policy| policy.text() != "null").map(checked).transpose()?;
    let db = Db::write();
    retention::set(&db, &role::role_name(db.caller), workflow.unwrap_or_default(), policy);
    Ok(())
}

/// A rule that is misspelt would silently never apply.
fn checked(policy: Jsonb) -> Result<Jsonb> {
    let policy = args::object(Some(policy), "policy")?;
    for (rule, value) in policy.entries() {
        if rule != "drop" {
            let hint = "The rule that there is: drop, true or false.";
            return Err(Error::argument_with("a member of policy is not a rule of retention", hint));
        }
        if !["true", "false"].contains(&value.text()) {
            return Err(Error::argument("drop in policy must be true or false"));
        }
    }
    Ok(policy)
}

/// Whether the run's definition says so, or its owner's policy. A definition that is damaged says nothing: such a run can go.
pub fn forbids_drop(db: &Db, run: &Run) -> bool {
    if let Ok(Some(compiled)) = definitions::of(db, run)
        && compiled.definition.policy.forbids_drop
    {
        return true;
    }
    let workflow = run.workflow.as_ref().map_or("", |workflow| workflow.name.as_str());
    let policy = retention::now(db, &run.owner, workflow);
    policy.is_some_and(|policy| policy.entries().iter().any(|(rule, value)| rule == "drop" && value.text() == "false"))
}
