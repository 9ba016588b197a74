//! A run that goes: its rows are deleted, and a seal says what there was.

use crate::lifecycle::retention::forbids_drop;
use crate::server::args;
use crate::server::error::{Error, Result};
use crate::server::role;
use crate::server::settings;
use crate::state::access;
use crate::state::change::checked_reason;
use crate::store::db::Db;
use crate::store::drop;
use crate::store::seal::{self, Newest, Seal};
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;

#[pg_extern(name = "drop_run")]
fn drop_run_sealed(
    run_id: Option<&str>,
    reason: default!(Option<&str>, "NULL"),
) -> std::result::Result<(), ErrorReport> {
    Ok(remove(run_id, reason)?)
}

/// As version 0.3.0 declares it, whose symbol has to stay.
#[pg_extern(sql = false)]
fn drop_run(run_id: Option<&str>) -> std::result::Result<(), ErrorReport> {
    Ok(remove(run_id, None)?)
}

fn remove(run_id: Option<&str>, reason: Option<&str>) -> Result<()> {
    let run_id = args::run_id(run_id)?;
    let on_behalf_of = settings::actor()?;
    let reason = checked_reason(reason)?;
    let db = Db::write();
    let (run, held) = drop::lock(&db, run_id).ok_or_else(|| Error::NoSuchRun(run_id.to_owned()))?;
    access::may_write(&db, run_id, &run.owner)?;
    if held {
        let hint = "Call layra.release_run first. The view runs has the reason of the hold.";
        return Err(Error::state(format!("run {run_id:?} is held"), hint));
    }
    if forbids_drop(&db, &run) {
        let hint = "layra.set_retention sets and removes a policy of its owner; that of a workflow's definition stays.";
        return Err(Error::state(format!("a retention policy forbids to drop run {run_id:?}"), hint));
    }
    let gone = drop::delete(&db, run_id, &run)?;
    if !seal::has_seals(&db) {
        return Ok(());
    }
    let now = seal::now(&db)?;
    let before = Newest::now(&db, run_id);
    let (workflow, workflow_version) = run.workflow.map(|workflow| (workflow.name, workflow.version)).unzip();
    Seal {
        run_id: run_id.to_owned(),
        number: before.as_ref().map_or(1, |before| before.number + 1),
        what: "dropped".into(),
        owner: run.owner,
        workflow,
        workflow_version,
        first_version: gone.first_version,
        last_version: gone.last_version,
        head_hash: gone.head_hash,
        events: gone.events,
        cells: gone.cells,
        bytes: gone.bytes,
        at: gone.last_activity.map_or(now, |last| last.max(now)),
        actor: role::role_name(db.caller),
        on_behalf_of,
        reason: reason.map(str::to_owned),
        previous: before.map(|before| before.hash),
        hash: Default::default(),
    }
    .closed()
    .insert(&db);
    Ok(())
}
