//! Rollback: a new version that restores an older one. Nothing is lost, so it can be rolled back itself.

mod interactions;

use crate::pure::hash::{Hash, value_hash};
use crate::server::args::{self, MAX_VALUE};
use crate::server::error::{Error, Result};
use crate::server::jsonb::Jsonb;
use crate::state::change::{Change, NewEvent, Request, checked_reason, with_change};
use crate::state::checkpoint;
use crate::state::completion::{self, Completed};
use crate::state::reader::within;
use crate::store::cell::{CellId, Newest};
use crate::store::checkpoint as checkpoints;
use crate::store::compare::differences;
use crate::store::event;
use crate::store::lease;
use crate::store::node;
use crate::store::run::Status;
use crate::store::write::{Content, Write};
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use serde::Serialize;

#[derive(Serialize)]
struct RolledBack<'a> {
    to_version: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    label: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    /// The run's status from here on.
    status: &'a str,
    #[serde(skip_serializing_if = "Completed::is_empty")]
    completed: Completed,
}

#[pg_extern]
fn rollback(
    run_id: Option<&str>,
    to_version: Option<i64>,
    reason: default!(Option<&str>, "NULL"),
    expected_version: default!(Option<i64>, "NULL"),
    idempotency_key: default!(Option<&str>, "NULL"),
) -> std::result::Result<i64, ErrorReport> {
    let request = Request::new(run_id, idempotency_key)?;
    let to_version = args::version(to_version, "to_version")?;
    let expected = args::expected(expected_version)?;
    Ok(with_change(request, "run.rolled_back", |change| {
        change.expect_version(expected)?;
        within(change.run_id, change.head.version, to_version, "to_version")?;
        restore(change, to_version, None, reason)
    })?)
}

#[pg_extern]
fn rollback_to(
    run_id: Option<&str>,
    label: Option<&str>,
    reason: default!(Option<&str>, "NULL"),
    expected_version: default!(Option<i64>, "NULL"),
    idempotency_key: default!(Option<&str>, "NULL"),
) -> std::result::Result<i64, ErrorReport> {
    let request = Request::new(run_id, idempotency_key)?;
    let label = args::name(label, "label")?;
    let expected = args::expected(expected_version)?;
    Ok(with_change(request, "run.rolled_back", |change| {
        change.expect_version(expected)?;
        let (version, _) = checkpoint::must_have(change, label)?;
        restore(change, version, Some(label), reason)
    })?)
}

pub fn restore(change: &mut Change<'_>, to_version: i64, label: Option<&str>, reason: Option<&str>) -> Result<i64> {
    change.require_unfinished()?;
    if let Some(version) = checkpoints::protected_above(&change.db, change.run_id, to_version) {
        return Err(Error::state(
            format!("run {:?} has a protected checkpoint at version {version}", change.run_id),
            "No rollback goes to a version before it; layra.protect_checkpoint(..., protected => false) frees it.",
        ));
    }
    let interactions = interactions::at(change, to_version);
    let status = status_at(change, to_version, interactions.waits);
    let mut writes = Vec::new();
    let mut nodes = Vec::new();
    let mut completed = Vec::new();
    for difference in differences(&change.db, change.run_id, to_version, change.head.version) {
        let completed_then =
            difference.id.scope == "node" && difference.old_value.is_some_and(|value| node::is_completed(value.text()));
        if !difference.is_one() && !completed_then {
            continue;
        }
        // A node that was completed again since is written, too: it has its old place in the order of completion back.
        let hash = difference.new_hash.filter(|_| difference.is_one());
        let newest = Newest { version: difference.new_version, revision: difference.new_revision, hash };
        change.cells.know(difference.id.clone(), newest);
        if difference.id.scope == "node" {
            nodes.push(difference.id.key.clone());
        }
        if completed_then {
            completed.push((difference.id.key.clone(), difference.old_version));
        }
        writes.extend(restored(
            change,
            difference.id,
            difference.old_hash,
            difference.old_version,
            difference.old_is_whole,
            difference.old_value,
        ));
    }
    let reason = checked_reason(reason)?;
    let mut payload = RolledBack { to_version, label, reason, status: status.name(), completed: Completed::new() };
    args::within_limit(Jsonb::of(&payload).text(), MAX_VALUE, "reason")?;
    payload.completed = completion::order(&change.db, change.run_id, completed);
    let payload = Jsonb::of(&payload);
    let version = change.append(NewEvent::new("run.rolled_back", payload, writes))?;
    if !nodes.is_empty() {
        lease::release(&change.db, change.run_id, nodes);
    }
    interactions::restore(change, to_version, interactions);
    change.restore_status(status);
    Ok(version)
}

/// The row that brings a cell back as it was in an older row; it counts no bytes, being nothing new. A value that stands
/// whole there is copied inside SQL, but for a node that was running: it comes back pending.
pub fn restored(
    change: &mut Change<'_>,
    id: CellId,
    hash: Option<Hash>,
    version: i64,
    whole: bool,
    node: Option<Jsonb>,
) -> Option<Write> {
    let cells = &mut change.cells;
    if hash.is_none() {
        return cells.write_hashed(id, None, 0, Content::Unset);
    }
    if let Some(pending) = node.and_then(|value| node::restored(value.text())) {
        return cells.write_hashed(id, Some(value_hash(pending.text())), 0, Content::Value(pending));
    }
    let mut write = cells.write_hashed(id, hash, 0, Content::CopyOf(version))?;
    if !whole {
        let value = write.id.at(change.copies_from).value(&change.db, version);
        write.content = value.map_or(Content::Unset, Content::Value);
    }
    Some(write)
}

/// The status of the run at a version: what the newest event up to it that sets a status says. Only statuses of
/// unfinished runs can come out of it where the run is unfinished now, but for versions after which it was reopened.
fn status_at(change: &Change<'_>, version: i64, waits: bool) -> Status {
    let newest = event::newest_of_status(&change.db, change.run_id, version);
    let status = newest.map_or(Status::Running, |(type_name, status)| match type_name.as_str() {
        "run.cancelling" => Status::Cancelling,
        "run.rolled_back" | "run.finished" => {
            status.and_then(|name| Status::from_name(&name)).unwrap_or(Status::Running)
        }
        _ => Status::Running,
    });
    match status {
        Status::Cancelling => Status::Cancelling,
        // Paused is what waits; and a version at which the run was finished: it was reopened since, and stays open.
        _ if waits => Status::Paused,
        _ => Status::Running,
    }
}
