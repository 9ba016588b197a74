//! A change to one run: lock, head, checks, and the one event with its cells that it appends.
//!
//! Every writing function goes through here, in the order of the contract: the run exists (P0002), access (42501), the
//! idempotency key, the expected version (40001), the status (55000), and then its own limits and schemas.

use crate::pure::hash::{self, Hash, Link, value_hash};
use crate::server::args;
use crate::server::error::{Error, Remedy, Result};
use crate::server::jsonb::Jsonb;
use crate::server::memory;
use crate::server::settings;
use crate::server::spi::{Columns, Db, Rows, above_read_committed, completions};
use crate::state::access;
use crate::state::run::{Run, Status};
use crate::store::cell::{Cells, Content, Write};
use crate::store::chain::{Stored, Stores};
use crate::store::guess;
use crate::store::plain::{self, Is, Key, Tables};
use crate::store::statements::*;
use crate::workflow::definitions;
use crate::workflow::handler::{self, Fired};
use crate::workflow::schema::Compiled;
use pgrx::datum::Uuid;
use pgrx::{IntoDatum, pg_sys};
use std::collections::HashMap;
use std::rc::Rc;

/// Columns of layra.event.
const VERSION: i32 = 2;
const TYPE: i32 = 3;
const AT: i32 = 10;
const HASH: i32 = 14;
const BYTES_SINCE_CHECKPOINT: i32 = 16;
const CHECKPOINT_VERSION: i32 = 17;

/// Bytes that a cell takes beside its value until its row is written: what is known of it, its name, the row's columns.
const A_WRITE: usize = 512;

/// The last event of a run, as far as the next one needs it.
#[derive(Debug, Clone, Default)]
pub struct Head {
    pub version: i64,
    pub hash: Hash,
    /// Microseconds since 2000-01-01.
    pub at: i64,
    pub bytes_since_checkpoint: i64,
    pub checkpoint_version: Option<i64>,
}

impl Head {
    /// The head of a run, by the short way.
    pub fn find(tables: &Tables, run_id: &str) -> Option<Head> {
        let run = Key::Text(1, Is::Equal, run_id);
        let near = guess::near(run_id).map(|version| Key::Number(2, Is::AtLeast, version));
        let mut event = tables.event.scan(&[run, near.unwrap_or(run)]);
        if !event.down() {
            event.again(&[run]);
            if near.is_none() || !event.down() {
                return None;
            }
        }
        let version = event.get(VERSION).unwrap_or_default();
        guess::saw(run_id, version);
        Some(Head {
            version,
            hash: event.hash(HASH).unwrap_or_default(),
            at: event.get(AT).unwrap_or_default(),
            bytes_since_checkpoint: event.get(BYTES_SINCE_CHECKPOINT).unwrap_or_default(),
            checkpoint_version: event.get(CHECKPOINT_VERSION),
        })
    }
}

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

pub struct NewCheckpoint<'a> {
    pub kind: &'a str,
    pub label: Option<&'a str>,
    pub protected: bool,
    pub metadata: Jsonb,
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

impl NewCheckpoint<'_> {
    fn automatic(kind: &'static str) -> NewCheckpoint<'static> {
        NewCheckpoint { kind, label: None, protected: false, metadata: Jsonb::parse("{}") }
    }
}

#[derive(Debug, Clone, Copy, Default)]
pub struct Flags {
    handlers: bool,
    pub event_types: bool,
}

impl Flags {
    fn of(rows: &Rows, first: i32) -> Flags {
        Flags { handlers: rows.get(0, first).unwrap_or(true), event_types: rows.get(0, first + 1).unwrap_or(true) }
    }

    fn read(db: &Db) -> Flags {
        // A table that never had a row has no page: most installations have neither.
        if plain::are_void([c"handler", c"event_type"]) {
            Flags::default()
        } else {
            Flags::of(&db.query(&FLAGS, &[]), 1)
        }
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
        let (run, head, flags, uses) = match db.find_plain(|tables| Run::lock(tables, self.run_id)) {
            Some(run) => {
                access::may_write(&db, self.run_id, &run.owner)?;
                // With a snapshot that was taken when the lock was held already.
                let head = db.plain(|tables| Head::find(tables, self.run_id)).flatten();
                let head = head.ok_or_else(|| self.has_no_events())?;
                let uses = match self.key {
                    None => Vec::new(),
                    Some(key) => key_uses(&db, self.run_id, key, head.version),
                };
                (run, head, Flags::read(&db), uses)
            }
            None => {
                let rows = self.lock(&db);
                let Some(run) = Run::read(&rows) else {
                    return Ok(None);
                };
                access::may_write(&db, self.run_id, &run.owner)?;
                let (head, uses) = self.read_head(&rows)?;
                (run, head, Flags::of(&rows, 9), uses)
            }
        };
        if let Some(key) = self.key
            && let Some((version, first_type)) = find_use(&db, self.run_id, &run, key, head.version, uses)
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
        change.flags = Flags { handlers: true, event_types: true };
        change
    }

    fn change(self, db: Db, run: Run, head: Head, now: i64) -> Change<'a> {
        Change {
            now,
            flags: Flags::default(),
            compiled: None,
            fired: Vec::new(),
            actor: access::role_name(db.caller),
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

    /// Locks the run and reads its head: one statement where no transaction ended meanwhile. Else it may have waited for a
    /// writer whose event its snapshot does not see, and is done again, now with the lock held; or the run was dropped, and
    /// perhaps started again, by the transaction that it waited for.
    fn lock(&self, db: &Db) -> Rows {
        let (mut held, mut missing) = (false, false);
        loop {
            let before = completions();
            let rows = match self.key {
                None => db.query(&OPEN_RUN, &[self.run_id.into_datum()]),
                Some(key) => db.query(&OPEN_RUN_WITH_KEY, &[self.run_id.into_datum(), key.into_datum()]),
            };
            let fresh = held || above_read_committed() || completions() == before;
            if fresh || (missing && rows.is_empty()) {
                return rows;
            }
            held = !rows.is_empty();
            missing = rows.is_empty();
        }
    }

    /// The head, and the uses of the idempotency key, from columns 11 on.
    fn read_head(&self, rows: &Rows) -> Result<(Head, Vec<(i64, String)>)> {
        if rows.get::<i64>(0, 11).is_none() {
            // Above READ COMMITTED: the run was locked, but its first event is newer than the snapshot.
            if above_read_committed() {
                return Err(self.invisible_conflict());
            }
            return Err(self.has_no_events());
        }
        let uses = match self.key {
            None => Vec::new(),
            Some(_) => {
                let versions: Vec<i64> = rows.get(0, 16).unwrap_or_default();
                let types: Vec<String> = rows.get(0, 17).unwrap_or_default();
                versions.into_iter().zip(types).collect()
            }
        };
        let head = Head {
            version: rows.get(0, 11).unwrap_or_default(),
            hash: rows.hash(0, 12).unwrap_or_default(),
            at: rows.get(0, 13).unwrap_or_default(),
            bytes_since_checkpoint: rows.get(0, 14).unwrap_or_default(),
            checkpoint_version: rows.get(0, 15),
        };
        Ok((head, uses))
    }

    fn has_no_events(&self) -> Error {
        Error::Corrupt(format!("run {:?} has no events", self.run_id))
    }

    fn invisible_conflict(&self) -> Error {
        Error::Conflict {
            run: self.run_id.to_owned(),
            variable: None,
            expected: None,
            actual: None,
            conflicts: Vec::new(),
            remedy: Remedy::NewTransaction,
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

/// The version of the live use of a key, and its type. Keys of undone versions count as unused.
fn find_use(db: &Db, run_id: &str, run: &Run, key: &str, head: i64, uses: Vec<(i64, String)>) -> Option<(i64, String)> {
    let live = |run_id: &str, head: i64, uses: Vec<(i64, String)>| {
        live_use(head, |version| rollback_before(db, run_id, version), uses)
    };
    if let Some(found) = live(run_id, head, uses) {
        return Some(found);
    }
    // What a fork has from its parents came with its own first version.
    let mut child = (run_id.to_owned(), run.clone());
    loop {
        let (id, run) = child;
        if run.parent.is_none() && !run.orphan {
            return None;
        }
        // The parent's log first: while we look, a key can only move from there to what the child inherited. But that
        // counts before it: it is from runs which were between the two.
        let parents = run.parent.as_ref().and_then(|(parent, at)| live(parent, *at, key_uses(db, parent, key, *at)));
        if let Some(found) = inherited(db, &id, key) {
            return Some(found);
        }
        let read = |run_id: &str| Run::read(&db.query(&READ_RUN, &[run_id.into_datum()]));
        // Only the run that is locked stays. Another that was dropped while we looked has left the key to its forks, which
        // we have been at already: from the start again.
        if id != run_id && read(&id).is_none() {
            child = (run_id.to_owned(), read(run_id)?);
            continue;
        }
        if let Some((_, type_name)) = parents {
            return Some((1, type_name));
        }
        let (parent, at) = run.parent?;
        child = match read(&parent) {
            Some(next) => (parent, next),
            // Dropped meanwhile: the child, where it is still there, has another parent now.
            None => match read(&id) {
                Some(now) => (id, Some(now).filter(|now| now.parent != Some((parent, at)))?),
                None => (run_id.to_owned(), read(run_id)?),
            },
        };
    }
}

/// The versions up to one, and their types, that used a key, newest first.
fn key_uses(db: &Db, run_id: &str, key: &str, up_to: i64) -> Vec<(i64, String)> {
    let by_short_way = db.plain(|tables| {
        let mut uses = Vec::new();
        tables.event.uses_of_key(run_id, key, |event| {
            uses.push((event.get(VERSION).unwrap_or_default(), event.get(TYPE).unwrap_or_default()));
        })?;
        uses.retain(|(version, _)| *version <= up_to);
        Some(uses)
    });
    if let Some(uses) = by_short_way.flatten() {
        return uses;
    }
    let rows = db.query(&KEY_USES, &[run_id.into_datum(), key.into_datum(), up_to.into_datum()]);
    (0..rows.len()).map(|row| (rows.get(row, 1).unwrap_or_default(), rows.get(row, 2).unwrap_or_default())).collect()
}

/// From the runs between this one and its parent, which were dropped.
fn inherited(db: &Db, run_id: &str, key: &str) -> Option<(i64, String)> {
    let rows = db.query(&INHERITED_USES, &[run_id.into_datum(), key.into_datum()]);
    // The nearest counts, as the newest use of one run does.
    let mut nearest: Vec<usize> = (0..rows.len()).collect();
    nearest.sort_by_key(|row| rows.get::<i64>(*row, 5));
    nearest.into_iter().find_map(|row| {
        let source: Option<Uuid> = rows.get(row, 1);
        let versions: Vec<i64> = rows.get(row, 3)?;
        let uses = versions.into_iter().zip(rows.get::<Vec<String>>(row, 4)?).collect();
        // What older versions left has no rollbacks.
        let rollback_before = |version: i64| {
            let source = source?;
            rollback_in(&db.query(&INHERITED_ROLLBACK_BEFORE, &[source.into_datum(), version.into_datum()]))
        };
        live_use(rows.get(row, 2)?, rollback_before, uses).map(|(_, type_name)| (1, type_name))
    })
}

/// The newest of some uses of a key (newest first) that no rollback undid up to `head`: one probe for each rollback on the way
/// from there.
fn live_use(
    head: i64,
    rollback_before: impl Fn(i64) -> Option<(i64, i64)>,
    uses: Vec<(i64, String)>,
) -> Option<(i64, String)> {
    // The versions `from` to `to` are those after the newest rollback up to `to`; what precedes them is undone down to where
    // that went back to.
    let mut range: Option<(i64, i64)> = None;
    let mut next = Some(head);
    uses.into_iter().find(|(version, _)| {
        while range.is_none_or(|(from, _)| *version < from) {
            let Some(to) = next else { return false };
            let rollback = rollback_before(to);
            range = Some((rollback.map_or(1, |(at, _)| at), to));
            next = rollback.map(|(_, to_version)| to_version);
        }
        range.is_some_and(|(_, to)| *version <= to)
    })
}

/// The newest rollback at or below a version, and where it went back to.
pub fn rollback_before(db: &Db, run_id: &str, version: i64) -> Option<(i64, i64)> {
    rollback_in(&db.query(&ROLLBACK_BEFORE, &[run_id.into_datum(), version.into_datum()]))
}

/// It goes back in any case, whatever somebody has made of the event: who follows rollbacks comes to an end.
fn rollback_in(rows: &Rows) -> Option<(i64, i64)> {
    let at: i64 = if rows.is_empty() { None } else { rows.get(0, 1) }?;
    Some((at, rows.get(0, 2).unwrap_or(0).min(at - 1)))
}

/// The newest version that both the history of one version and that of another have in common: one probe for each rollback
/// between them.
pub fn common_version(db: &Db, run_id: &str, one: i64, other: i64) -> i64 {
    let (mut older, mut newer) = (one.min(other), one.max(other));
    loop {
        match rollback_before(db, run_id, newer) {
            Some((at, to_version)) if at > older => newer = to_version,
            _ => return older,
        }
        (older, newer) = (older.min(newer), older.max(newer));
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
        let mut rows = Vec::with_capacity(events.len());
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
        self.insert_events(&events, &rows)?;
        insert_cells(&self.db, self.copies_from, self.run_id, cells)?;
        for (event, row) in events.iter().zip(&rows) {
            if let Some(checkpoint) = &event.checkpoint {
                self.insert_checkpoint(checkpoint, &row.head);
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
        let rows = self.db.query(&EVENT_HASH, &[self.run_id.into_datum(), version.into_datum()]);
        Ok(if rows.is_empty() { None } else { rows.get::<i64>(0, 2).map(|at| at.saturating_add(every)) })
    }

    /// The checkpoint that the policy asks for after this many more octets, or because of the time.
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

    fn insert_checkpoint(&self, checkpoint: &NewCheckpoint<'_>, head: &Head) {
        self.db.query(
            &INSERT_CHECKPOINT,
            &[
                self.run_id.into_datum(),
                head.version.into_datum(),
                checkpoint.kind.into_datum(),
                checkpoint.label.into_datum(),
                checkpoint.protected.into_datum(),
                checkpoint.metadata.into_datum(),
                head.at.into_datum(),
            ],
        );
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
    fn link(
        &mut self,
        event: &NewEvent<'_>,
        payload_text: &str,
        octets: i64,
        at: i64,
        key: Option<&'a str>,
    ) -> EventRow<'a> {
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
        EventRow { head: self.head.clone(), key, payload_hash, cells_hash, changed }
    }

    /// One statement, however many events there are.
    fn insert_events(&self, events: &[NewEvent<'_>], rows: &[EventRow<'_>]) -> Result<()> {
        if self.db.plain(|tables| self.insert_plain_events(tables, events.iter().zip(rows))).is_some() {
            return Ok(());
        }
        let one_by_one = above_read_committed();
        let inserted = if let ([event], [row]) = (events, rows) {
            let statement = if one_by_one { &INSERT_EVENT_UNLESS_TAKEN } else { &INSERT_EVENT };
            let (kind, label) = event.checkpoint.as_ref().map(|c| (c.kind, c.label)).unzip();
            let args = [
                self.run_id.into_datum(),
                row.head.version.into_datum(),
                event.type_name.into_datum(),
                event.payload.into_datum(),
                row.payload_hash.as_slice().into_datum(),
                row.changed.clone().into_datum(),
                row.cells_hash.as_slice().into_datum(),
                self.actor.as_str().into_datum(),
                self.on_behalf_of.as_deref().into_datum(),
                row.head.at.into_datum(),
                row.key.into_datum(),
                kind.into_datum(),
                label.flatten().into_datum(),
                row.head.hash.as_slice().into_datum(),
                row.head.bytes_since_checkpoint.into_datum(),
                row.head.checkpoint_version.into_datum(),
            ];
            self.db.query(statement, &args)
        } else {
            let statement = if one_by_one { &INSERT_EVENTS_UNLESS_TAKEN } else { &INSERT_EVENTS };
            fn column<R, T: IntoDatum>(rows: &[R], get: impl Fn(&R) -> T) -> Option<pg_sys::Datum>
            where
                Vec<T>: IntoDatum,
            {
                rows.iter().map(get).collect::<Vec<T>>().into_datum()
            }
            let args = [
                self.run_id.into_datum(),
                column(rows, |row| row.head.version),
                column(events, |event| event.type_name.to_owned()),
                column(events, |event| event.payload),
                column(rows, |row| row.payload_hash.to_vec()),
                column(rows, |row| array_literal(&row.changed)),
                column(rows, |row| row.cells_hash.to_vec()),
                self.actor.as_str().into_datum(),
                self.on_behalf_of.as_deref().into_datum(),
                self.head.at.into_datum(),
                column(rows, |row| row.key.map(str::to_owned)),
                column(events, |event| event.checkpoint.as_ref().map(|c| c.kind.to_owned())),
                column(events, |event| event.checkpoint.as_ref().and_then(|c| c.label.map(str::to_owned))),
                column(rows, |row| row.head.hash.to_vec()),
                column(rows, |row| row.head.bytes_since_checkpoint),
                column(rows, |row| row.head.checkpoint_version),
            ];
            self.db.query(statement, &args)
        };
        match inserted.len() == rows.len() {
            true => Ok(()),
            false if one_by_one => Err(self.conflict(None, Vec::new(), Remedy::NewTransaction)),
            false => Err(left_out("event")),
        }
    }
}

impl Change<'_> {
    /// In the order of the table's columns.
    fn insert_plain_events<'e>(
        &self,
        tables: &Tables,
        events: impl Iterator<Item = (&'e NewEvent<'e>, &'e EventRow<'e>)>,
    ) {
        let mut values = plain::Values::default();
        let run_id = values.text(self.run_id);
        let actor = values.text(&self.actor);
        let on_behalf_of = self.on_behalf_of.as_deref().and_then(|claim| values.text(claim));
        tables.event.writer().insert(events.map(|(event, row)| {
            let (kind, label) = event.checkpoint.as_ref().map(|c| (c.kind, c.label)).unzip();
            [
                run_id,
                row.head.version.into_datum(),
                values.text(event.type_name),
                event.payload.into_datum(),
                values.octets(&row.payload_hash),
                values.texts(&row.changed),
                values.octets(&row.cells_hash),
                actor,
                on_behalf_of,
                row.head.at.into_datum(),
                row.key.and_then(|key| values.text(key)),
                kind.and_then(|kind| values.text(kind)),
                label.flatten().and_then(|label| values.text(label)),
                values.octets(&row.head.hash),
                plain::transaction_id(),
                row.head.bytes_since_checkpoint.into_datum(),
                row.head.checkpoint_version.into_datum(),
            ]
        }));
    }
}

/// A log without its events, or its cells, must not be.
fn left_out(table: &str) -> Error {
    let message = format!("a trigger or a rule on layra.{table} leaves rows out");
    Error::state(message, "Drop it: what the functions write there is written whole, or not at all.")
}

/// What the chain adds to an event.
struct EventRow<'a> {
    head: Head,
    key: Option<&'a str>,
    payload_hash: Hash,
    cells_hash: Hash,
    changed: Vec<String>,
}

/// Text that PostgreSQL reads as a text array: arrays of different lengths are no array of arrays.
fn array_literal(elements: &[String]) -> String {
    let quoted: Vec<String> =
        elements.iter().map(|element| format!("\"{}\"", element.replace('\\', "\\\\").replace('"', "\\\""))).collect();
    format!("{{{}}}", quoted.join(","))
}

fn insert_cells(db: &Db, source: &str, run_id: &str, rows: Vec<(i64, Write)>) -> Result<()> {
    let (copied, valued): (Vec<_>, Vec<_>) =
        rows.into_iter().partition(|(_, write)| matches!(write.content, Content::CopyOf(_)));
    if !copied.is_empty() {
        copy_cells(db, source, run_id, copied)?;
    }
    if valued.is_empty() {
        return Ok(());
    }
    let mut stores = Stores::new(db, run_id);
    let stored: Vec<Stored> = valued.iter().map(|(version, write)| stores.store(*version, write)).collect();
    let insert_plain = |tables: &Tables| {
        let mut values = plain::Values::default();
        let run_id = values.text(run_id);
        tables.cell.writer().insert(valued.iter().zip(&stored).map(|((version, write), (value, base))| {
            [
                run_id,
                values.text(write.id.scope),
                values.text(&write.id.key),
                write.id.ordinal.into_datum(),
                version.into_datum(),
                write.revision.into_datum(),
                value.into_datum(),
                write.hash.as_ref().and_then(|hash| values.octets(hash)),
                base.into_datum(),
            ]
        }));
    };
    if db.plain(insert_plain).is_some() {
        return Ok(());
    }
    let inserted = match valued.as_slice() {
        [(version, write)] => db.query(
            &INSERT_CELL,
            &[
                run_id.into_datum(),
                version.into_datum(),
                write.id.scope.into_datum(),
                write.id.key.as_str().into_datum(),
                write.id.ordinal.into_datum(),
                write.revision.into_datum(),
                stored[0].0.into_datum(),
                write.hash.as_ref().map(|hash| hash.as_slice()).into_datum(),
                stored[0].1.into_datum(),
            ],
        ),
        several => db.query(
            &INSERT_CELLS,
            &[
                run_id.into_datum(),
                several.iter().map(|(version, _)| *version).collect::<Vec<_>>().into_datum(),
                several.iter().map(|(_, w)| w.id.scope).collect::<Vec<_>>().into_datum(),
                several.iter().map(|(_, w)| w.id.key.as_str()).collect::<Vec<_>>().into_datum(),
                several.iter().map(|(_, w)| w.id.ordinal).collect::<Vec<_>>().into_datum(),
                several.iter().map(|(_, w)| w.revision).collect::<Vec<_>>().into_datum(),
                stored.iter().map(|(value, _)| *value).collect::<Vec<_>>().into_datum(),
                several.iter().map(|(_, w)| w.hash.as_ref().map(|hash| hash.to_vec())).collect::<Vec<_>>().into_datum(),
                stored.iter().map(|(_, base)| *base).collect::<Vec<_>>().into_datum(),
            ],
        ),
    };
    if inserted.len() == valued.len() { Ok(()) } else { Err(left_out("cell")) }
}

/// Adds rows whose values are copied, inside SQL, from rows of the run `source`.
fn copy_cells(db: &Db, source: &str, run_id: &str, rows: Vec<(i64, Write)>) -> Result<()> {
    let mut by_version: HashMap<i64, Vec<Write>> = HashMap::new();
    for (version, write) in rows {
        by_version.entry(version).or_default().push(write);
    }
    for (version, writes) in by_version {
        let sources = writes.iter().map(|write| match write.content {
            Content::CopyOf(version) => version,
            _ => unreachable!("only copies are copied"),
        });
        let copied = db.query(
            &COPY_CELLS,
            &[
                run_id.into_datum(),
                version.into_datum(),
                writes.iter().map(|w| w.id.scope).collect::<Vec<_>>().into_datum(),
                writes.iter().map(|w| w.id.key.as_str()).collect::<Vec<_>>().into_datum(),
                writes.iter().map(|w| w.id.ordinal).collect::<Vec<_>>().into_datum(),
                writes.iter().map(|w| w.revision).collect::<Vec<_>>().into_datum(),
                source.into_datum(),
                sources.collect::<Vec<_>>().into_datum(),
            ],
        );
        if copied.len() != writes.len() {
            return Err(left_out("cell"));
        }
    }
    Ok(())
}
