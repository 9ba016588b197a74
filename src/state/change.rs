//! A change to one run: lock, head, checks, and the one event with its cells that it appends.
//!
//! Every writing function goes through here, in the order of the contract: the run exists (P0002), access (42501), the
//! idempotency key, the expected version (40001), the status (55000), and then its own limits and schemas.

use crate::pure::hash::{self, Link, value_hash};
use crate::server::args::{self, MAX_VALUE};
use crate::server::error::{Error, Remedy, Result};
use crate::server::jsonb::Jsonb;
use crate::server::memory;
use crate::server::role;
use crate::server::settings;
use crate::server::transaction::above_read_committed;
use crate::state::access;
use crate::store::checkpoint::{self, NewCheckpoint};
use crate::store::db::Db;
use crate::store::event::{self, Author, Head, NewRow};
use crate::store::handler::Flags;
use crate::store::head::{self, Latest};
use crate::store::key;
use crate::store::run::{self, Run, Status};
use crate::store::write::{self, Cells, Write};
use crate::workflow::definitions;
use crate::workflow::handler::{self, Fired};
use crate::workflow::schema::Compiled;
use std::rc::Rc;

/// Bytes that a cell takes beside its value until its row is written: what is known of it, its name, the row's columns.
const A_WRITE: usize = 512;

/// A run that is locked for its next event.
pub struct Change<'a> {
    pub db: Db,
    pub run_id: &'a str,
    pub run: Run,
    pub head: Head,
    pub cells: Cells,
    /// The run whose cells are copied: this one, in a fork its parent.
    pub copies_from: &'a str,
    /// Microseconds since 2000-01-01.
    pub now: i64,
    /// Whether there is any handler, or event type, at all: without, they cost nothing.
    pub flags: Flags,
    compiled: Option<Option<Rc<Compiled>>>,
    fired: Vec<Fired>,
    key: Option<&'a str>,
    actor: String,
    on_behalf_of: Option<String>,
}

pub enum Opened<'a> {
    /// The idempotency key was used before: the version of the first call.
    Repeated(i64),
    Change(Box<Change<'a>>),
}

/// An event to append. The payload is small or the caller's; its size is checked by who makes it.
pub struct NewEvent<'a> {
    pub type_name: &'a str,
    pub payload: Jsonb,
    pub writes: Vec<Write>,
    pub checkpoint: Option<NewCheckpoint<'a>>,
}

impl<'a> NewEvent<'a> {
    pub fn new(type_name: &'a str, payload: Jsonb, writes: Vec<Write>) -> NewEvent<'a> {
        NewEvent { type_name, payload, writes, checkpoint: None }
    }

    /// With a checkpoint that a policy asks for, where there is a reason.
    pub fn due(mut self, kind: Option<&'static str>) -> NewEvent<'a> {
        self.checkpoint = self.checkpoint.or(kind.map(NewCheckpoint::automatic));
        self
    }
}

/// What the caller of a writing function may say of any of them.
#[derive(Clone)]
pub struct Request<'a> {
    pub run_id: &'a str,
    pub key: Option<&'a str>,
    on_behalf_of: Option<String>,
}

impl<'a> Request<'a> {
    pub fn new(run_id: Option<&'a str>, key: Option<&'a str>) -> Result<Request<'a>> {
        Ok(Request {
            run_id: args::run_id(run_id)?,
            key: args::optional_name(key, "idempotency_key")?,
            on_behalf_of: settings::actor()?,
        })
    }

    /// Locks the run and reads its head. `type_name` is the event type of the function that asks.
    pub fn open(self, type_name: &str) -> Result<Opened<'a>> {
        let run_id = self.run_id;
        self.try_open(type_name)?.ok_or_else(|| Error::NoSuchRun(run_id.to_owned()))
    }

    /// As `open`; None where the run does not exist.
    pub fn try_open(self, type_name: &str) -> Result<Option<Opened<'a>>> {
        let db = Db::write();
        let Some(locked) = head::lock(&db, self.run_id, self.key) else { return Ok(None) };
        access::may_write(&db, self.run_id, &locked.run.owner)?;
        let Latest { run, head, flags, uses } = locked.open(&db)?;
        if let Some(key) = self.key
            && let Some((version, first_type)) = key::find_use(&db, self.run_id, &run, key, head.version, uses)
        {
            return if family(&first_type) == family(type_name) {
                Ok(Some(Opened::Repeated(version)))
            } else {
                let message = format!(
                    "idempotency key {key:?} of run {:?} was used with another function (event type {first_type:?})",
                    self.run_id
                );
                Err(Error::argument_with(message, "Pass another key: a key is for one call and its repetitions."))
            };
        }
        // Read after the lock is held, so that times never fall along the log.
        let now = settings::now()?;
        let mut change = self.change(db, run, head, now);
        change.flags = flags;
        Ok(Some(Opened::Change(Box::new(change))))
    }

    /// A run that this call has just inserted.
    pub fn create(self, db: Db, run: Run, now: i64) -> Change<'a> {
        // No event is earlier than the first one.
        let mut change = self.change(db, run, Head { at: now, ..Head::default() }, now);
        change.flags = Flags::UNKNOWN;
        change
    }

    fn change(self, db: Db, run: Run, head: Head, now: i64) -> Change<'a> {
        Change {
            now,
            flags: Flags::default(),
            compiled: None,
            fired: Vec::new(),
            actor: role::role_name(db.caller),
            db,
            run_id: self.run_id,
            copies_from: self.run_id,
            run,
            head,
            cells: Cells::of(self.run_id),
            key: self.key,
            on_behalf_of: self.on_behalf_of,
        }
    }
}

/// Which function an event type comes from: every type of the callers' own is `append_event`.
fn family(type_name: &str) -> &str {
    match type_name {
        "checkpoint.unprotected" => "checkpoint.protected",
        own if args::event_type(Some(own)).is_ok() => "",
        reserved => reserved,
    }
}

impl<'a> Change<'a> {
    /// 40001 unless the head is the expected version; no expectation always holds.
    pub fn expect_version(&self, expected: Option<i64>) -> Result<()> {
        match expected {
            Some(expected) if expected != self.head.version => {
                Err(self.conflict(Some(expected), Vec::new(), Remedy::Read))
            }
            _ => Ok(()),
        }
    }

    pub fn conflict(&self, expected: Option<i64>, conflicts: Vec<String>, remedy: Remedy) -> Error {
        let actual = Some(self.head.version);
        Error::Conflict { run: self.run_id.to_owned(), variable: None, expected, actual, conflicts, remedy }
    }

    /// 55000 where the run is finished.
    pub fn require_unfinished(&self) -> Result<()> {
        if !self.run.status.is_finished() {
            return Ok(());
        }
        let hint = match self.run.status {
            Status::Completed => "A completed run stays closed; layra.fork_run continues from it under another name.",
            _ => "layra.reopen_run lets it run again.",
        };
        Err(Error::state(format!("run {:?} is {}", self.run_id, self.run.status.name()), hint))
    }

    /// 55000 for what a run that is cancelling does not do any more.
    pub fn cancelling(&self) -> Error {
        let message = format!("run {:?} is {}", self.run_id, self.run.status.name());
        Error::state(message, "Clean up, and end the run with layra.finish_run(..., 'cancelled').")
    }

    /// Appends one event and returns its version.
    pub fn append(&mut self, event: NewEvent<'_>) -> Result<i64> {
        self.append_all(vec![event])
    }

    /// Appends the events in order, in one go, and returns the last version. The idempotency key goes with the last.
    pub fn append_all(&mut self, mut events: Vec<NewEvent<'_>>) -> Result<i64> {
        memory::require(events.iter().map(|event| event.writes.len()).sum::<usize>() * A_WRITE);
        // Never earlier than the event before, whatever the clock does.
        let at = self.now.max(self.head.at);
        let last = events.len() - 1;
        let mut every = self.time_of_next_checkpoint()?;
        let mut cells = Vec::new();
        let mut rows: Vec<NewRow<'_>> = Vec::with_capacity(events.len());
        for (index, event) in events.iter_mut().enumerate() {
            event.writes.sort_by(|a, b| a.id.cmp(&b.id));
            let key = if index == last { self.key } else { None };
            let payload = event.payload;
            let payload_text = payload.text();
            let octets = payload_text.len() + event.writes.iter().map(|write| write.octets).sum::<usize>();
            if event.checkpoint.is_none() && self.head.version > 0 {
                event.checkpoint = self.due(octets as i64, every.is_some_and(|every| every <= at))?;
            }
            if event.checkpoint.is_some() {
                every = None;
            }
            rows.push(self.link(event, payload_text, octets as i64, at, key));
            cells.extend(std::mem::take(&mut event.writes).into_iter().map(|write| (self.head.version, write)));
        }
        self.insert_events(&rows)?;
        write::insert(&self.db, self.copies_from, self.run_id, cells)?;
        for (event, row) in events.iter().zip(&rows) {
            if let Some(checkpoint) = &event.checkpoint {
                checkpoint::insert(&self.db, self.run_id, row.head.version, checkpoint, row.head.at);
            }
            if self.flags.handlers {
                let (type_name, payload) = (event.type_name.to_owned(), event.payload);
                self.fired.push(Fired { version: row.head.version, type_name, payload });
            }
        }
        Ok(self.head.version)
    }

    /// The definition that the run is checked against, if it has a workflow.
    pub fn compiled(&mut self) -> Result<Option<Rc<Compiled>>> {
        if self.compiled.is_none() {
            self.compiled = Some(definitions::of(&self.db, &self.run)?);
        }
        Ok(self.compiled.clone().flatten())
    }

    /// When the policy's time since the last checkpoint is over. Only runs with such a policy look for that time.
    fn time_of_next_checkpoint(&mut self) -> Result<Option<i64>> {
        let Some(every) = self.compiled()?.and_then(|compiled| compiled.definition.policy.every) else {
            return Ok(None);
        };
        if self.head.version == 0 {
            return Ok(None);
        }
        let version = self.head.checkpoint_version.unwrap_or(1);
        let at = event::hash_at(&self.db, self.run_id, version).map(|(_, at)| at);
        Ok(at.map(|at| at.saturating_add(every)))
    }

    /// The checkpoint that the policy asks for after this many more bytes, or because of the time.
    fn due(&mut self, octets: i64, time: bool) -> Result<Option<NewCheckpoint<'static>>> {
        let bytes = self.compiled()?.and_then(|compiled| compiled.definition.policy.bytes);
        let full = bytes.is_some_and(|bytes| self.head.bytes_since_checkpoint.saturating_add(octets) >= bytes);
        Ok(if full {
            Some(NewCheckpoint::automatic("bytes"))
        } else if time {
            Some(NewCheckpoint::automatic("time"))
        } else {
            None
        })
    }

    /// Who acts, as the event records it.
    pub fn actors(&self) -> (&str, Option<&str>) {
        (&self.actor, self.on_behalf_of.as_deref())
    }

    /// Ends the change, and then calls the handlers of what was appended, as the caller.
    pub fn close(mut self, version: i64) -> Result<i64> {
        let workflow = self.run.workflow.as_ref().map(|workflow| workflow.name.clone());
        let fired = std::mem::take(&mut self.fired);
        let calls = handler::calls(&self.db, workflow.as_deref(), fired);
        let run_id = self.run_id;
        drop(self);
        handler::run(run_id, calls);
        Ok(version)
    }

    /// Makes the event the new head of the chain.
    fn link<'e>(
        &mut self,
        event: &NewEvent<'e>,
        payload_text: &str,
        octets: i64,
        at: i64,
        key: Option<&'e str>,
    ) -> NewRow<'e> {
        let version = self.head.version + 1;
        let payload_hash = value_hash(payload_text);
        let cells_hash =
            hash::cells_hash(event.writes.iter().map(|w| (w.id.scope, w.id.key.as_str(), w.id.ordinal, w.hash)));
        let (kind, label) = match &event.checkpoint {
            Some(checkpoint) => (Some(checkpoint.kind), checkpoint.label),
            None => (None, None),
        };
        let hash = Link {
            previous: self.head.hash,
            run_id: self.run_id,
            version,
            type_name: event.type_name,
            actor: &self.actor,
            on_behalf_of: self.on_behalf_of.as_deref(),
            at: at + settings::EPOCH_OFFSET,
            idempotency_key: key,
            checkpoint_kind: kind,
            checkpoint_label: label,
            payload_hash,
            cells_hash,
        }
        .hash();
        let (bytes, checkpoint_version) = match kind {
            Some(_) => (0, Some(version)),
            None => (self.head.bytes_since_checkpoint.saturating_add(octets), self.head.checkpoint_version),
        };
        let changed = event.writes.iter().map(|write| write.id.name()).collect();
        self.head = Head { version, hash, at, bytes_since_checkpoint: bytes, checkpoint_version };
        NewRow {
            head: self.head.clone(),
            type_name: event.type_name,
            payload: event.payload,
            payload_hash,
            changed,
            cells_hash,
            key,
            checkpoint_kind: kind,
            checkpoint_label: label,
        }
    }

    fn insert_events(&self, rows: &[NewRow<'_>]) -> Result<()> {
        let (actor, on_behalf_of) = self.actors();
        let author = Author { run_id: self.run_id, actor, on_behalf_of };
        if event::insert(&self.db, &author, rows)? {
            Ok(())
        } else {
            Err(self.conflict(None, Vec::new(), Remedy::NewTransaction))
        }
    }

    /// Gives the run another status, where it has not this one.
    pub fn restore_status(&mut self, status: Status) {
        if status != self.run.status {
            self.set_status(status, None, None);
            self.run.status = status;
        }
    }

    pub fn set_status(&self, status: Status, result: Option<Jsonb>, finished_at: Option<i64>) {
        run::set_status(&self.db, self.run_id, status, result, finished_at);
    }
}

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

/// A reason is text of any length up to that of a value; it is kept in the event's payload.
pub fn checked_reason(reason: Option<&str>) -> Result<Option<&str>> {
    if let Some(reason) = reason {
        args::within_limit(reason, MAX_VALUE, "reason")?;
    }
    Ok(reason)
}
