//! Runs: starting, finishing, reopening, cancelling, owners.

use crate::pure::hash::hex;
use crate::server::args::{self, MAX_VALUE};
use crate::server::error::{Error, Result};
use crate::server::interrupts::check_for_interrupts;
use crate::server::jsonb::Jsonb;
use crate::server::name::Name;
use crate::server::role;
use crate::state::change::{Change, NewEvent, Opened, Request, checked_reason, existing, with_change};
use crate::state::completion::Completed;
use crate::state::variables;
use crate::store::cell::CellId;
use crate::store::db::Db;
use crate::store::graph::{self, Parts};
use crate::store::interaction;
use crate::store::run::{self as rows, Run, Status};
use crate::store::seal::Newest;
use crate::workflow::definitions;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use serde::Serialize;
use std::collections::HashSet;

// ------------------------------------------------------------------------------------------------------------ start

#[derive(Serialize)]
struct WorkflowPayload<'a> {
    owner: &'a str,
    name: &'a str,
    version: i32,
    hash: String,
}

/// What the first event of a run says beside its metadata; `verify` compares the run's row with it.
#[derive(Serialize)]
struct Started<'a> {
    owner: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    workflow: Option<WorkflowPayload<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parent: Option<Parent<'a>>,
    #[serde(skip_serializing_if = "Completed::is_empty")]
    completed: Completed,
    /// Of the run of the same id that is gone, where there was one: its hash.
    #[serde(skip_serializing_if = "Option::is_none")]
    seal: Option<String>,
}

/// Where a fork comes from.
#[derive(Serialize)]
pub struct Parent<'a> {
    pub run_id: &'a str,
    pub version: i64,
    pub hash: String,
}

/// The payload of a run's first event, however it begins.
pub fn first_payload(change: &Change<'_>, metadata: Jsonb, parent: Option<Parent<'_>>, completed: Completed) -> Jsonb {
    let run = &change.run;
    Jsonb::of(&Started {
        owner: &run.owner,
        seal: Newest::now(&change.db, change.run_id).map(|seal| hex(&seal.hash)),
        workflow: run.workflow.as_ref().map(|w| WorkflowPayload {
            owner: &w.owner,
            name: &w.name,
            version: w.version,
            hash: hex(&w.hash),
        }),
        parent,
        completed,
    })
    .with([("metadata", Some(&metadata))])
}

#[pg_extern]
fn start_run(
    run_id: Option<&str>,
    workflow: default!(Option<&str>, "NULL"),
    variables: default!(Option<Jsonb>, "'{}'"),
    metadata: default!(Option<Jsonb>, "'{}'"),
    workflow_version: default!(Option<i32>, "NULL"),
    idempotency_key: default!(Option<&str>, "NULL"),
) -> std::result::Result<i64, ErrorReport> {
    Ok(start(run_id, workflow, variables, metadata, workflow_version, idempotency_key)?)
}

fn start(
    run_id: Option<&str>,
    workflow: Option<&str>,
    variables: Option<Jsonb>,
    metadata: Option<Jsonb>,
    workflow_version: Option<i32>,
    key: Option<&str>,
) -> Result<i64> {
    let request = Request::new(run_id, key)?;
    let workflow = args::optional_name(workflow, "workflow")?;
    let given = variables.map(|v| args::members(Some(v), "variables")).transpose()?.unwrap_or_default();
    let metadata = match metadata {
        Some(metadata) => args::object(Some(metadata), "metadata")?,
        None => Jsonb::parse("{}"),
    };
    match workflow_version {
        Some(_) if workflow.is_none() => return Err(Error::argument("workflow must be given with workflow_version")),
        Some(version) if version < 1 => return Err(Error::argument("workflow_version must be at least 1")),
        _ => {}
    }
    let db = Db::write();
    let owner = role::role_name(db.caller);
    let found = workflow.map(|name| definitions::find(&db, &owner, name, workflow_version)).transpose();
    let (reference, compiled) = match found {
        Ok(found) => found.unzip(),
        // The run may exist already, and the call be a repetition: that is said first.
        Err(error) => return repeated_start(db, request, Some(error)),
    };
    let run = Run { status: Status::Running, owner, workflow: reference, parent: None, orphan: false };
    let Some(now) = run.insert(&db, request.run_id, metadata)? else {
        return repeated_start(db, request, None);
    };
    let mut change = request.create(db, run, now);
    args::within_limit(metadata.text(), MAX_VALUE, "metadata")?;
    let mut values = given;
    if let Some(compiled) = &compiled {
        let given: HashSet<&str> = values.iter().map(|(name, _)| name.as_str()).collect();
        let missing = compiled.definition.variables.iter().filter(|(name, _)| !given.contains(name.as_str()));
        let defaults = missing.filter_map(|(name, variable)| {
            check_for_interrupts();
            Some((name.clone(), Jsonb::parse(variable.default.as_ref()?)))
        });
        values.extend(defaults.collect::<Vec<_>>());
    }
    let mut writes =
        variables::plan(&mut change, values.into_iter().map(|(name, value)| (name, Some(value))).collect())?;
    if let Some(compiled) = &compiled
        && let Some(reference) = Parts::of(&compiled.definition.graph).store(&change.db, &change.run.owner)
    {
        writes.extend(change.cells.write(
            CellId::new("engine", graph::CELL),
            Some(Jsonb::of(&reference)),
            MAX_VALUE,
        )?);
    }
    let payload = first_payload(&change, metadata, None, Completed::new());
    let version = change.append(NewEvent::new("run.started", payload, writes))?;
    change.close(version)
}

/// A run that exists: the first call's version where this is a repetition, else 23505.
fn repeated_start(db: Db, request: Request<'_>, instead: Option<Error>) -> Result<i64> {
    drop(db);
    let run_id = request.run_id.to_owned();
    match existing(request, "run.started")? {
        Some(Opened::Repeated(version)) => Ok(version),
        Some(Opened::Change(_)) => Err(Error::RunExists(run_id)),
        None => Err(instead.unwrap_or(Error::RunExists(run_id))),
    }
}

// ----------------------------------------------------------------------------------------------------------- status

#[derive(Serialize)]
struct Finished<'a> {
    status: &'a str,
}

#[derive(Serialize)]
pub struct Reason<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<&'a str>,
}

#[pg_extern]
fn finish_run(
    run_id: Option<&str>,
    status: default!(Option<&str>, "'completed'"),
    result: default!(Option<Jsonb>, "NULL"),
    expected_version: default!(Option<i64>, "NULL"),
    idempotency_key: default!(Option<&str>, "NULL"),
) -> std::result::Result<i64, ErrorReport> {
    Ok(finish(run_id, status.unwrap_or("completed"), result, expected_version, idempotency_key)?)
}

fn finish(
    run_id: Option<&str>,
    status: &str,
    result: Option<Jsonb>,
    expected: Option<i64>,
    key: Option<&str>,
) -> Result<i64> {
    let request = Request::new(run_id, key)?;
    let expected = args::expected(expected)?;
    let status = Status::from_name(status)
        .filter(|status| status.is_finished())
        .ok_or_else(|| Error::argument("status must be one of completed, failed, cancelled"))?;
    with_change(request, "run.finished", |change| {
        change.expect_version(expected)?;
        change.require_unfinished()?;
        if let Some(result) = &result {
            args::within_limit(result.text(), MAX_VALUE, "result")?;
        }
        let payload = Jsonb::of(&Finished { status: status.name() }).with([("result", result.as_ref())]);
        let version = change.append(NewEvent::new("run.finished", payload, vec![]))?;
        change.set_status(status, result, Some(change.head.at));
        interaction::withdraw_all(&change.db, change.run_id, version);
        Ok(version)
    })
}

#[pg_extern]
fn reopen_run(
    run_id: Option<&str>,
    reason: default!(Option<&str>, "NULL"),
    expected_version: default!(Option<i64>, "NULL"),
    idempotency_key: default!(Option<&str>, "NULL"),
) -> std::result::Result<i64, ErrorReport> {
    Ok(reopen(run_id, reason, expected_version, idempotency_key)?)
}

fn reopen(run_id: Option<&str>, reason: Option<&str>, expected: Option<i64>, key: Option<&str>) -> Result<i64> {
    let request = Request::new(run_id, key)?;
    let expected = args::expected(expected)?;
    with_change(request, "run.reopened", |change| {
        change.expect_version(expected)?;
        if !matches!(change.run.status, Status::Failed | Status::Cancelled) {
            let hint = match change.run.status {
                Status::Completed => {
                    "A completed run stays closed; layra.fork_run continues from it under another name."
                }
                _ => "It is open: only failed and cancelled runs are reopened.",
            };
            return Err(Error::state(format!("run {:?} is {}", change.run_id, change.run.status.name()), hint));
        }
        let payload = Jsonb::of(&Reason { reason: checked_reason(reason)? });
        let version = change.append(NewEvent::new("run.reopened", payload, vec![]))?;
        change.set_status(Status::Running, None, None);
        Ok(version)
    })
}

#[pg_extern]
fn cancel_run(
    run_id: Option<&str>,
    reason: default!(Option<&str>, "NULL"),
    expected_version: default!(Option<i64>, "NULL"),
    idempotency_key: default!(Option<&str>, "NULL"),
) -> std::result::Result<i64, ErrorReport> {
    Ok(cancel(run_id, reason, expected_version, idempotency_key)?)
}

fn cancel(run_id: Option<&str>, reason: Option<&str>, expected: Option<i64>, key: Option<&str>) -> Result<i64> {
    let request = Request::new(run_id, key)?;
    let expected = args::expected(expected)?;
    with_change(request, "run.cancelling", |change| {
        change.expect_version(expected)?;
        change.require_unfinished()?;
        if change.run.status == Status::Cancelling {
            return Ok(change.head.version);
        }
        let payload = Jsonb::of(&Reason { reason: checked_reason(reason)? });
        let version = change.append(NewEvent::new("run.cancelling", payload, vec![]))?;
        change.set_status(Status::Cancelling, None, None);
        interaction::withdraw_all(&change.db, change.run_id, version);
        Ok(version)
    })
}

#[derive(Serialize)]
struct OwnerChanged<'a> {
    owner: &'a str,
    previous: &'a str,
}

#[pg_extern]
fn set_owner(
    run_id: Option<&str>,
    owner: Option<Name>,
    expected_version: default!(Option<i64>, "NULL"),
    idempotency_key: default!(Option<&str>, "NULL"),
) -> std::result::Result<i64, ErrorReport> {
    Ok(change_owner(run_id, owner, expected_version, idempotency_key)?)
}

fn change_owner(run_id: Option<&str>, owner: Option<Name>, expected: Option<i64>, key: Option<&str>) -> Result<i64> {
    let request = Request::new(run_id, key)?;
    let expected = args::expected(expected)?;
    let owner = args::required(owner, "owner")?.0;
    let owner = args::name(Some(&owner), "owner")?;
    let role = role::existing_role(owner);
    with_change(request, "run.owner_changed", |change| {
        if !role::can_become(change.db.caller, role) {
            let message = format!("must be able to SET ROLE {owner:?} to make it the owner of a run");
            return Err(Error::Privilege { message, hint: "The caller has to be a member of the new owner's role." });
        }
        change.expect_version(expected)?;
        change.require_unfinished()?;
        let payload = Jsonb::of(&OwnerChanged { owner, previous: &change.run.owner });
        let version = change.append(NewEvent::new("run.owner_changed", payload, vec![]))?;
        rows::set_owner(&change.db, change.run_id, owner);
        interaction::set_owner(&change.db, change.run_id, owner);
        Ok(version)
    })
}
