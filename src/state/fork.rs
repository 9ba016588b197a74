//! Forks: a new run that begins with the state of another one at some version.

use crate::pure::hash::hex;
use crate::server::args;
use crate::server::error::{Error, Result};
use crate::server::jsonb::Jsonb;
use crate::server::role;
use crate::state::access;
use crate::state::change::{NewEvent, Opened, Request, existing};
use crate::state::completion;
use crate::state::reader::within;
use crate::state::rollback::restored;
use crate::state::run::{Parent, first_payload};
use crate::store::db::Db;
use crate::store::event;
use crate::store::live;
use crate::store::node;
use crate::store::run::{self, Run, Status};
use crate::store::write::{Content, Write};
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;

#[pg_extern]
fn fork_run(
    run_id: Option<&str>,
    new_run_id: Option<&str>,
    at_version: default!(Option<i64>, "NULL"),
    idempotency_key: default!(Option<&str>, "NULL"),
) -> std::result::Result<i64, ErrorReport> {
    Ok(fork(run_id, new_run_id, at_version, idempotency_key)?)
}

fn fork(run_id: Option<&str>, new_run_id: Option<&str>, at_version: Option<i64>, key: Option<&str>) -> Result<i64> {
    let parent_id = args::run_id(run_id)?;
    args::name(new_run_id, "new_run_id")?;
    let request = Request::new(new_run_id, key)?;
    let at_version = at_version.map(|version| args::version(Some(version), "at_version")).transpose()?;
    if let Some(first) = repeated(request.clone())? {
        return Ok(first);
    }
    let db = Db::write();
    let Some((parent, metadata)) = run::share(&db, parent_id) else {
        return Err(Error::NoSuchRun(parent_id.to_owned()));
    };
    access::may_write(&db, parent_id, &parent.owner)?;
    let head = event::newest(&db, parent_id).unwrap_or_default();
    let version = at_version.unwrap_or(head);
    within(parent_id, head, version, "at_version")?;

    let owner = role::role_name(db.caller);
    let run = Run {
        status: Status::Running,
        owner,
        workflow: parent.workflow,
        parent: Some((parent_id.to_owned(), version)),
        orphan: false,
    };
    let metadata = metadata.unwrap_or_else(|| Jsonb::parse("{}"));
    let Some(now) = run.insert(&db, request.run_id, metadata)? else {
        // Somebody made it since we looked.
        let run_id = request.run_id.to_owned();
        drop(db);
        return repeated(request)?.ok_or(Error::RunExists(run_id));
    };
    let hash = event::hash_at(&db, parent_id, version).and_then(|(hash, _)| hash).unwrap_or_default();
    let live = live::copied(&db, parent_id, version);
    let mut change = request.create(db, run, now);
    change.copies_from = parent_id;
    let mut writes: Vec<Write> = Vec::with_capacity(live.len());
    let mut completed = Vec::new();
    for cell in live {
        if cell.value.is_some_and(|value| node::is_completed(value.text())) {
            completed.push((cell.id.key.clone(), cell.version));
        }
        writes.extend(restored(&mut change, cell.id, cell.hash, cell.version, cell.is_whole, cell.value));
    }
    debug_assert!(writes.iter().all(|write| !matches!(write.content, Content::Unset)));
    let completed = completion::in_fork(completion::order(&change.db, parent_id, completed));
    let parent = Parent { run_id: parent_id, version, hash: hex(&hash) };
    let payload = first_payload(&change, metadata, Some(parent), completed);
    let version = change.append(NewEvent::new("run.forked", payload, writes))?;
    change.close(version)
}

/// The first call's version, where the new run exists and this is a repetition; else 23505.
fn repeated(request: Request<'_>) -> Result<Option<i64>> {
    let run_id = request.run_id.to_owned();
    match existing(request, "run.forked")? {
        Some(Opened::Repeated(version)) => Ok(Some(version)),
        Some(Opened::Change(_)) => Err(Error::RunExists(run_id)),
        None => Ok(None),
    }
}
