//! Runs: starting, finishing, reopening, cancelling, owners, dropping; and a run's row as every function reads it.

use crate::execution::completion::Completed;
use crate::execution::interaction;
use crate::pure::hash::{Hash, hex};
use crate::server::args::{self, MAX_VALUE};
use crate::server::error::{Error, Remedy, Result};
use crate::server::jsonb::Jsonb;
use crate::server::name::{Name, fresh_uuid};
use crate::server::settings;
use crate::server::spi::{At, Columns, Db, Rows, Statement, above_read_committed, check_for_interrupts, completions};
use crate::state::access;
use crate::state::change::{Change, Head, NewEvent, Opened, Request, rollback_before};
use crate::state::variables;
use crate::store::cell::CellId;
use crate::store::plain::{Is, Key, Tables};
use crate::store::statements::*;
use crate::workflow::definitions;
use crate::workflow::graph;
use crate::workflow::graph::Parts;
use pgrx::IntoDatum;
use pgrx::datum::Uuid;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use serde::Serialize;
use serde_json::value::RawValue;
use std::cell::OnceCell;
use std::collections::HashSet;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    Running,
    Paused,
    Cancelling,
    Completed,
    Failed,
    Cancelled,
}

impl Status {
    const ALL: [Status; 6] =
        [Status::Running, Status::Paused, Status::Cancelling, Status::Completed, Status::Failed, Status::Cancelled];

    pub fn name(self) -> &'static str {
        match self {
            Status::Running => "running",
            Status::Paused => "paused",
            Status::Cancelling => "cancelling",
            Status::Completed => "completed",
            Status::Failed => "failed",
            Status::Cancelled => "cancelled",
        }
    }

    pub fn from_name(name: &str) -> Option<Status> {
        Status::ALL.into_iter().find(|status| status.name() == name)
    }

    pub fn is_finished(self) -> bool {
        matches!(self, Status::Completed | Status::Failed | Status::Cancelled)
    }
}

/// Which workflow definition a run uses.
#[derive(Debug, Clone)]
pub struct WorkflowRef {
    pub owner: String,
    pub name: String,
    pub version: i32,
    pub hash: Hash,
}

/// A row of `layra.run`, as far as functions need it.
#[derive(Debug, Clone)]
pub struct Run {
    pub status: Status,
    pub owner: String,
    pub workflow: Option<WorkflowRef>,
    /// Of a fork: its parent, and the version it was taken at.
    pub parent: Option<(String, i64)>,
    /// Of a fork whose parent was dropped.
    pub orphan: bool,
}

impl Run {
    /// From the first eight columns that OPEN_RUN and its like return; None where there is no row.
    pub fn read(rows: &Rows) -> Option<Run> {
        (!rows.is_empty()).then(|| Run::of(&At(rows, 0), 1))
    }

    /// From the eight columns, from column `first` on.
    fn of(row: &impl Columns, first: i32) -> Run {
        let workflow = row.get::<String>(first + 3).map(|name| WorkflowRef {
            owner: row.get(first + 2).unwrap_or_default(),
            name,
            version: row.get(first + 4).unwrap_or_default(),
            hash: row.hash(first + 5).unwrap_or_default(),
        });
        // Where a parent was dropped, only the version is left; version 0.1.0 kept the parent's name, and 0.
        let version: Option<i64> = row.get(first + 7);
        let parent = row.get(first + 6).zip(version).filter(|(_, version)| *version > 0);
        Run {
            status: Status::from_name(&row.get::<String>(first).unwrap_or_default()).unwrap_or(Status::Running),
            owner: row.get(first + 1).unwrap_or_default(),
            workflow,
            orphan: parent.is_none() && version.is_some(),
            parent,
        }
    }

    /// The run, by the short way.
    pub fn find(tables: &Tables, run_id: &str) -> Option<Run> {
        let mut scan = tables.run.scan(&[Key::Text(1, Is::Equal, run_id)]);
        scan.down().then(|| Run::of(&scan, 2))
    }

    /// The run, locked, by the short way. None where a statement has to tell what became of it.
    pub fn lock(tables: &Tables, run_id: &str) -> Option<Run> {
        let mut scan = tables.run.scan(&[Key::Text(1, Is::Equal, run_id)]);
        let locked = scan.down() && scan.lock() && scan.get::<String>(1).as_deref() == Some(run_id);
        locked.then(|| Run::of(&scan, 2))
    }

    /// Inserts the row of a new run, and returns its time; None where the run exists already.
    pub fn insert(&self, db: &Db, run_id: &str, metadata: Jsonb) -> Result<Option<i64>> {
        let (now, seen) = (settings::now()?, completions());
        if !self.insert_at(db, run_id, metadata, now) {
            return Ok(None);
        }
        // It waits for an open transaction that has inserted a run of that id, and may have done so for long. Once that has
        // come to nothing the id is ours: again, with the time that it is now.
        let then = settings::now()?;
        if completions() == seen || then - now < MAY_HAVE_WAITED {
            return Ok(Some(now));
        }
        db.query(&DELETE_RUN, &[run_id.into_datum()]);
        self.insert_at(db, run_id, metadata, then);
        Ok(Some(then))
    }

    fn insert_at(&self, db: &Db, run_id: &str, metadata: Jsonb, now: i64) -> bool {
        let workflow = self.workflow.as_ref();
        let rows = db.query(
            &INSERT_RUN,
            &[
                run_id.into_datum(),
                self.owner.as_str().into_datum(),
                workflow.map(|w| w.owner.as_str()).into_datum(),
                workflow.map(|w| w.name.as_str()).into_datum(),
                workflow.map(|w| w.version).into_datum(),
                workflow.map(|w| w.hash.as_slice()).into_datum(),
                self.parent.as_ref().map(|(run, _)| run.as_str()).into_datum(),
                self.parent.as_ref().map(|(_, version)| *version).into_datum(),
                metadata.into_datum(),
                now.into_datum(),
            ],
        );
        rows.len() == 1
    }
}

/// Microseconds that a statement of one row hardly takes unless it waits.
const MAY_HAVE_WAITED: i64 = 1000;

/// A run that somebody reads: its row, and the connection that the rest is read with.
pub struct Reader<'a> {
    pub db: Db,
    pub run_id: &'a str,
    pub run: Run,
    head: OnceCell<i64>,
}

impl<'a> Reader<'a> {
    pub fn open(run_id: &'a str) -> Result<Reader<'a>> {
        let db = Db::read();
        let head = OnceCell::new();
        let run = match db.find_plain(|tables| Run::find(tables, run_id)) {
            Some(run) => run,
            None => {
                let rows = db.query(&READ_RUN, &[run_id.into_datum()]);
                let Some(run) = Run::read(&rows) else { return Err(Error::NoSuchRun(run_id.to_owned())) };
                let _ = head.set(rows.get(0, 9).unwrap_or_default());
                run
            }
        };
        access::must_read(&db, run_id, &run.owner)?;
        Ok(Reader { db, run_id, run, head })
    }

    /// A version of this run, the head where none is given.
    pub fn version(&self, version: Option<i64>, what: &str) -> Result<i64> {
        self.require_version(version, what)?;
        Ok(version.unwrap_or_else(|| self.head()))
    }

    /// 22023 for a version that the run does not have; none stands for the newest.
    pub fn require_version(&self, version: Option<i64>, what: &str) -> Result<()> {
        let Some(version) = version else { return Ok(()) };
        // Looking for one event takes a fifth of looking for the newest.
        let event = [Key::Text(1, Is::Equal, self.run_id), Key::Number(2, Is::Equal, version)];
        if self.head.get().is_none() && self.db.plain(|tables| tables.event.scan(&event).down()) == Some(true) {
            return Ok(());
        }
        within(self.run_id, self.head(), version, what)
    }

    /// The newest version, looked for where it is needed.
    pub fn head(&self) -> i64 {
        *self.head.get_or_init(|| {
            let head = self.db.plain(|tables| Head::find(tables, self.run_id));
            head.flatten().map(|head| head.version).unwrap_or_default()
        })
    }
}

/// Locks a run's row, asking twice where there is none: it may have been dropped and started again by the one transaction
/// that the first statement waited for, and whose new row only a fresh snapshot sees.
pub fn lock_row(db: &Db, statement: &'static Statement, run_id: &str) -> Rows {
    let rows = db.query(statement, &[run_id.into_datum()]);
    if rows.is_empty() { db.query(statement, &[run_id.into_datum()]) } else { rows }
}

/// For writes beside the log (a heartbeat): the run stays unlocked, and the caller must be an owner of it.
pub fn for_update_of_its_own(run_id: &str) -> Result<Db> {
    let db = Db::write();
    let Some(run) = Run::read(&db.query(&READ_RUN, &[run_id.into_datum()])) else {
        return Err(Error::NoSuchRun(run_id.to_owned()));
    };
    access::may_write(&db, run_id, &run.owner)?;
    Ok(db)
}

/// Whose a run is; None where there is none.
pub fn owner_of(db: &Db, run_id: &str) -> Option<String> {
    let run = db.find_plain(|tables| Run::find(tables, run_id));
    run.or_else(|| Run::read(&db.query(&READ_RUN, &[run_id.into_datum()]))).map(|run| run.owner)
}

/// 22023 for a version that a run does not have.
pub fn within(run_id: &str, head: i64, version: i64, what: &str) -> Result<()> {
    if (1..=head).contains(&version) {
        return Ok(());
    }
    Err(Error::argument(format!("{what} must be a version of run {run_id:?}, which has 1 to {head}, not {version}")))
}

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
}

/// Where a fork comes from.
#[derive(Serialize)]
pub struct Parent<'a> {
    pub run_id: &'a str,
    pub version: i64,
    pub hash: String,
}

/// JSON text as a part of a payload, untouched.
pub fn raw(text: &str) -> &RawValue {
    serde_json::from_str(text).expect("jsonb text is JSON")
}

/// The payload of a run's first event.
pub fn first_payload(run: &Run, metadata: Jsonb, parent: Option<Parent<'_>>, completed: Completed) -> Jsonb {
    Jsonb::of(&Started {
        owner: &run.owner,
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
    let owner = access::role_name(db.caller);
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
    let payload = first_payload(&change.run, metadata, None, Completed::new());
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

/// Opens a run that should not exist, for its idempotency key. Another owner's run just exists.
pub fn existing<'a>(request: Request<'a>, type_name: &str) -> Result<Option<Opened<'a>>> {
    let run_id = request.run_id.to_owned();
    match request.try_open(type_name) {
        Err(Error::NotYours(_)) => Err(Error::RunExists(run_id)),
        // Above READ COMMITTED a run that the snapshot cannot see conflicts.
        Ok(None) if above_read_committed() => Ok(None),
        other => other,
    }
}

// ----------------------------------------------------------------------------------------------------------- status

/// Runs `work` on an open run, or gives the first call's version.
pub fn with_change<'a>(
    request: Request<'a>,
    type_name: &str,
    work: impl FnOnce(&mut Change<'a>) -> Result<i64>,
) -> Result<i64> {
    match request.open(type_name)? {
        Opened::Repeated(version) => Ok(version),
        Opened::Change(mut change) => {
            let version = work(&mut change)?;
            change.close(version)
        }
    }
}

fn update_status(change: &Change<'_>, status: Status, result: Option<Jsonb>, at: Option<i64>) {
    change.db.query(
        &UPDATE_STATUS,
        &[change.run_id.into_datum(), status.name().into_datum(), result.into_datum(), at.into_datum()],
    );
}

#[derive(Serialize)]
struct Finished<'a> {
    status: &'a str,
}

#[derive(Serialize)]
pub struct Reason<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<&'a str>,
}

/// A reason is text of any length up to that of a value; it is kept in the event's payload.
pub fn checked_reason(reason: Option<&str>) -> Result<Option<&str>> {
    if let Some(reason) = reason {
        args::within_limit(reason, MAX_VALUE, "reason")?;
    }
    Ok(reason)
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
        update_status(change, status, result, Some(change.head.at));
        interaction::withdraw_all(change);
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
        update_status(change, Status::Running, None, None);
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
        update_status(change, Status::Cancelling, None, None);
        interaction::withdraw_all(change);
        Ok(version)
    })
}

/// The status that a rollback leads to.
pub fn restore_status(change: &mut Change<'_>, status: Status) {
    if status != change.run.status {
        update_status(change, status, None, None);
        change.run.status = status;
    }
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
    let role = access::existing_role(owner);
    with_change(request, "run.owner_changed", |change| {
        if !access::can_become(change.db.caller, role) {
            let message = format!("must be able to SET ROLE {owner:?} to make it the owner of a run");
            return Err(Error::Privilege { message, hint: "The caller has to be a member of the new owner's role." });
        }
        change.expect_version(expected)?;
        change.require_unfinished()?;
        let payload = Jsonb::of(&OwnerChanged { owner, previous: &change.run.owner });
        let version = change.append(NewEvent::new("run.owner_changed", payload, vec![]))?;
        change.db.query(&UPDATE_OWNER, &[change.run_id.into_datum(), owner.into_datum()]);
        Ok(version)
    })
}

// ------------------------------------------------------------------------------------------------------------- drop

#[pg_extern]
fn drop_run(run_id: Option<&str>) -> std::result::Result<(), ErrorReport> {
    Ok(remove(run_id)?)
}

fn remove(run_id: Option<&str>) -> Result<()> {
    let run_id = args::run_id(run_id)?;
    let db = Db::write();
    let Some(run) = Run::read(&lock_row(&db, &LOCK_RUN_TO_DROP, run_id)) else {
        return Err(Error::NoSuchRun(run_id.to_owned()));
    };
    access::may_write(&db, run_id, &run.owner)?;
    if above_read_committed() {
        must_see_everything(&db, run_id)?;
    }
    bequeath_keys(&db, run_id, &run);
    disinherit(&db, run_id);
    for statement in [
        &DELETE_CELLS,
        &DELETE_EVENTS,
        &DELETE_CHECKPOINTS,
        &DELETE_INHERITED_KEYS,
        &DELETE_LEASES,
        &DELETE_INTERACTIONS,
        &DELETE_RUN,
    ] {
        db.query(statement, &[run_id.into_datum()]);
    }
    Ok(())
}

/// Above READ COMMITTED the snapshot may hide events that were added, and forks that were made, since it was taken: what
/// is deleted would then not be all there is.
fn must_see_everything(db: &Db, run_id: &str) -> Result<()> {
    let state = |rows: Rows| (rows.get::<i64>(0, 1), rows.get::<i64>(0, 2));
    let seen = state(db.query(&HEAD_AND_FORKS, &[run_id.into_datum()]));
    if seen == state(db.query_latest(&HEAD_AND_FORKS, &[run_id.into_datum()])) {
        return Ok(());
    }
    Err(Error::Conflict {
        run: run_id.to_owned(),
        variable: None,
        expected: None,
        actual: None,
        conflicts: Vec::new(),
        remedy: Remedy::NewTransaction,
    })
}

/// Forks remember the idempotency keys that they inherited, also when their parent is gone: a fork becomes a fork of its
/// grandparent, and keeps what it had from the run in between, which stands once for all of them. Locks the run before its
/// forks, as `fork_run` does.
fn bequeath_keys(db: &Db, run_id: &str, run: &Run) {
    let run_datum = run_id.into_datum();
    let mut source = None;
    loop {
        let forks = db.query(&FORKS, &[run_datum]);
        // A fork that was dropped while we waited for it has left its own forks to this run.
        if forks.is_empty() {
            return;
        }
        if db.schema.shares_keys() {
            let source = *source.get_or_insert_with(|| {
                let source = fresh_uuid();
                let left = db.query(&LEAVE_KEYS, &[run_datum, source.into_datum()]);
                Some(source).filter(|_| !left.is_empty())
            });
            if source.is_some() {
                db.query(&INHERIT, &[run_datum, source.into_datum()]);
            }
            db.query(&INHERIT_INHERITED, &[run_datum]);
        } else {
            copy_keys(db, run_id, &forks);
        }
        let (parent, version) = run.parent.clone().unzip();
        db.query(&UPDATE_PARENTS, &[run_datum, parent.into_datum(), version.unwrap_or(0).into_datum()]);
    }
}

/// In the schema of version 0.2.0 each fork has the keys itself.
fn copy_keys(db: &Db, run_id: &str, forks: &Rows) {
    for row in 0..forks.len() {
        let fork = forks.get::<String>(row, 1).into_datum();
        let mut top = forks.get::<i64>(row, 2);
        while let Some(to) = top {
            let rollback = rollback_before(db, run_id, to);
            let from = rollback.map_or(1, |(at, _)| at);
            db.query(&INHERIT_KEYS, &[run_id.into_datum(), fork, from.into_datum(), to.into_datum()]);
            top = rollback.map(|(_, to_version)| to_version);
        }
        db.query(&INHERIT_INHERITED_KEYS, &[run_id.into_datum(), fork]);
    }
}

/// A run that is gone comes from nowhere; what dropped runs left goes with the last that came from them.
fn disinherit(db: &Db, run_id: &str) {
    if !db.schema.shares_keys() {
        return;
    }
    let rows = db.query(&DISINHERIT, &[run_id.into_datum()]);
    let mut sources: Vec<Uuid> = (0..rows.len()).filter_map(|row| rows.get(row, 1)).collect();
    sources.sort_by_key(|source| *source.as_bytes());
    for source in sources {
        db.query(&LOCK_SOURCE, &[source.into_datum()]);
        if db.query_latest(&HEIR, &[source.into_datum()]).is_empty() {
            db.query(&DELETE_BEQUEATHED_KEYS, &[source.into_datum()]);
        }
    }
}
