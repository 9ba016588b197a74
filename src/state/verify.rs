//! `verify`: recomputes the hash chain, and compares every stored row with the events it follows from.
//!
//! A run is read in batches. Where something of it cannot be read, it is read again, `piecemeal`: what is damaged has a name then,
//! and the rest is compared. `said` has what the events say, `rows` compares it with what stands beside them. Problems are a stream.

mod rows;
mod said;
mod seals;

use crate::pure::hash::{self, Hash, Link, hex, value_hash};
use crate::server::args;
use crate::server::error::Result;
use crate::server::interrupts::check_for_interrupts;
use crate::server::jsonb::Jsonb;
use crate::server::role;
use crate::server::settings::unix_micros;
use crate::server::spi::{attempt, scratch};
use crate::server::stream::{BYTES, Batches};
use crate::state::access;
use crate::state::reader::Reader;
use crate::store::cell::CellId;
use crate::store::db::Db;
use crate::store::event::{Stored, stored_from};
use crate::store::graph;
use crate::store::proof::{Row, rows_at};
use crate::store::run;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use rows::{OfNoRun, OfTable};
use said::{Payload, Said, Told};
use seals::OfSeals;
use std::collections::HashSet;
use std::vec::IntoIter;

/// Events read at a time: memory stays flat however long the log is.
const BATCH: usize = 1000;
/// Fewer events where they changed so many cells.
const MANY_CELLS: usize = 20 * BATCH;

/// A run (NULL: no run's), a version of it, and what is wrong.
pub type Problem = (Option<String>, Option<i64>, String);
/// What was read, or why it cannot be.
type Read<T> = std::result::Result<T, String>;

#[pg_extern(stable)]
#[allow(clippy::type_complexity)]
fn verify(
    run_id: default!(Option<&str>, "NULL"),
) -> std::result::Result<
    TableIterator<'static, (name!(run_id, Option<String>), name!(version, Option<i64>), name!(problem, String))>,
    ErrorReport,
> {
    let mut verification = Verification::new(run_id)?;
    Ok(TableIterator::new(Batches::new(move || Ok(verification.read()))))
}

/// What is left to verify. Problems are told as they are found.
struct Verification {
    run: Option<OfRun>,
    /// Runs that come next, with their owners.
    runs: IntoIter<(String, String)>,
    /// Where the runs after those begin; None: there are no more.
    from: Option<String>,
    /// Whether the caller reads everything.
    everything: bool,
    seals: OfSeals,
    of_no_run: OfNoRun,
}

/// A run that is verified: first in one go, then, where something of it cannot be read, once more.
struct OfRun {
    check: Check,
    /// How many problems were told: those that are found again, in the same order, are not told again.
    told: usize,
    found_again: usize,
}

impl Verification {
    fn new(run_id: Option<&str>) -> Result<Verification> {
        let (runs, seals, of_no_run) = (Vec::new().into_iter(), OfSeals::new(run_id), OfNoRun::default());
        if let Some(run_id) = run_id {
            Reader::open(args::run_id(Some(run_id))?)?;
            let run = Some(OfRun::new(run_id));
            return Ok(Verification { run, runs, from: None, everything: false, seals, of_no_run });
        }
        let everything = access::may_read(&Db::read(), "");
        Ok(Verification { run: None, runs, from: Some(String::new()), everything, seals, of_no_run })
    }

    fn read(&mut self) -> Vec<Problem> {
        let db = Db::read();
        let mut problems = Vec::new();
        while problems.is_empty() && self.go_on(&db, &mut problems) {}
        problems
    }

    /// Looks at some more; false where nothing is left.
    fn go_on(&mut self, db: &Db, problems: &mut Vec<Problem>) -> bool {
        if let Some(run) = &mut self.run {
            run::prepare(db, &run.check.run_id);
            if !run.go_on(db, problems) {
                self.run = None;
            }
            return true;
        }
        if let Some((run_id, owner)) = self.runs.next() {
            if self.everything || role::has_privileges_of(db.caller, &owner) {
                self.run = Some(OfRun::new(&run_id));
            }
            return true;
        }
        if let Some(from) = self.from.take() {
            let runs = attempt(db, || run::from(db, &from)).unwrap_or_else(|reason| {
                problems.push((None, None, format!("the runs from {from:?} on cannot be listed: {reason}")));
                Vec::new()
            });
            self.from = runs.last().map(|(last, _)| after(last));
            self.runs = runs.into_iter();
            return true;
        }
        let reads = |owner: &str| self.everything || role::has_privileges_of(db.caller, owner);
        self.seals.go_on(db, reads, problems) || self.everything && self.of_no_run.go_on(db, problems)
    }
}

/// The first text behind another one: none is between these two.
fn after(text: &str) -> String {
    [text, "\u{1}"].concat()
}

impl OfRun {
    fn new(run_id: &str) -> OfRun {
        OfRun { check: Check::new(run_id, false), told: 0, found_again: 0 }
    }

    fn go_on(&mut self, db: &Db, problems: &mut Vec<Problem>) -> bool {
        let check = &mut self.check;
        let until_some = || {
            loop {
                let more = check.go_on(db);
                if !more || !check.problems.is_empty() {
                    return more;
                }
            }
        };
        let more = match scratch(db, || attempt(db, until_some)) {
            Ok(more) => more,
            Err(_) if !self.check.piecemeal => {
                self.check = Check::new(&self.check.run_id, true);
                self.found_again = self.told;
                return true;
            }
            Err(reason) => {
                self.check.problem(None, format!("the run cannot be read any further: {reason}"));
                false
            }
        };
        let again = self.found_again.min(self.check.problems.len());
        self.found_again -= again;
        self.told += self.check.problems.len() - again;
        problems.extend(self.check.problems.drain(..).skip(again));
        more
    }
}

/// What is wrong with a run: the first problems, at most so many, and whether there are more.
pub fn first_problems(db: &Db, run_id: &str, most: usize) -> Result<(Vec<Problem>, bool)> {
    let (mut verification, mut problems) = (Verification::new(Some(run_id))?, Vec::new());
    while problems.len() <= most && verification.go_on(db, &mut problems) {}
    let more = problems.len() > most;
    problems.truncate(most);
    Ok((problems, more))
}

/// What is wrong with a run that a call has made, first of all; an error where it cannot be read.
pub fn first_problem(db: &Db, run_id: &str) -> Option<String> {
    let mut problems = Vec::new();
    let mut seals = OfSeals::new(Some(run_id));
    while problems.is_empty() && seals.go_on(db, |_| true, &mut problems) {}
    let mut check = Check::new(run_id, false);
    while problems.is_empty() && check.go_on(db) {
        problems.append(&mut check.problems);
    }
    problems.append(&mut check.problems);
    problems.into_iter().next().map(|(_, version, problem)| match version {
        Some(version) => format!("version {version}: {problem}"),
        None => problem,
    })
}

/// An event as it stands.
struct Event {
    version: i64,
    type_name: String,
    payload: Read<Option<Jsonb>>,
    payload_hash: Hash,
    changed: Read<Vec<String>>,
    cells_hash: Hash,
    actor: String,
    on_behalf_of: Option<String>,
    at: i64,
    key: Option<String>,
    kind: Option<String>,
    label: Option<String>,
    hash: Hash,
    bytes: i64,
    checkpoint_version: Option<i64>,
}

impl Event {
    fn payload_size(&self) -> usize {
        self.payload.as_ref().ok().and_then(Option::as_ref).map_or(0, Jsonb::size)
    }
}

/// What is left of a value once it was looked at.
struct CellValue {
    octets: usize,
    hash: Option<Hash>,
    /// Of the cell that refers to the graph, the whole value.
    graph: Option<String>,
}

type CellRow = Row<std::result::Result<CellValue, Unusable>>;

/// Why there is no value.
enum Unusable {
    /// The changes that it is made of do not fit together.
    Changes,
    Unreadable(String),
}

/// What a value that is no jsonb is said to be.
const BROKEN: &str = "it is not jsonb";

fn text_of(value: Option<Jsonb>) -> Read<Option<String>> {
    value.map(|value| value.sound_text().ok_or_else(|| BROKEN.to_owned())).transpose()
}

impl CellValue {
    fn new(id: &CellId, value: Result<Option<Jsonb>>) -> std::result::Result<CellValue, Unusable> {
        let text = text_of(value.map_err(|_| Unusable::Changes)?).map_err(Unusable::Unreadable)?;
        Ok(CellValue {
            octets: text.as_deref().map_or(0, str::len),
            hash: text.as_deref().map(value_hash),
            graph: text.filter(|_| id.key == graph::CELL && id.scope == "engine"),
        })
    }
}

/// One run's verification.
struct Check {
    run_id: String,
    /// Whether each piece is read by itself, so that one that cannot be read leaves the others.
    piecemeal: bool,
    problems: Vec<Problem>,
    /// The lowest version that was not looked for yet; None: none is left.
    next: Option<i64>,
    /// How many events in a row, up to here, cannot be read.
    unreadable: usize,
    version: i64,
    /// Of the event before; None where that cannot be read.
    hash: Option<Hash>,
    at: i64,
    checkpoint_version: Option<i64>,
    bytes: i64,
    said: Said,
    cells: i64,
    graphs: HashSet<String>,
    /// The tables that are left to compare, the next one last.
    rows: Vec<OfTable>,
}

impl Check {
    fn new(run_id: &str, piecemeal: bool) -> Check {
        Check {
            run_id: run_id.to_owned(),
            piecemeal,
            problems: Vec::new(),
            next: Some(i64::MIN),
            unreadable: 0,
            version: 0,
            hash: Some(Hash::default()),
            at: i64::MIN,
            checkpoint_version: None,
            bytes: 0,
            said: Said::default(),
            cells: 0,
            graphs: HashSet::new(),
            rows: vec![OfTable::Run],
        }
    }

    /// Looks at some more: at events first, then at the rows that stand beside them. False where nothing is left.
    fn go_on(&mut self, db: &Db) -> bool {
        check_for_interrupts();
        let Some(next) = self.next else {
            scratch(db, || self.rows(db));
            return !self.rows.is_empty();
        };
        scratch(db, || self.batch(db, next));
        if self.next.is_none() && self.version == 0 {
            self.problem(None, "the run has no events");
        }
        true
    }

    fn problem(&mut self, version: Option<i64>, problem: impl Into<String>) {
        self.problems.push((Some(self.run_id.clone()), version, problem.into()));
    }

    /// What cannot be read is damaged for sure in a `piecemeal` check; in any other one this does not return then.
    fn read<T>(&self, db: &Db, work: impl FnOnce() -> T) -> Read<T> {
        if self.piecemeal { attempt(db, work) } else { Ok(work()) }
    }

    /// As `read`, where what cannot be read is a problem.
    fn try_read<T>(&mut self, db: &Db, version: Option<i64>, what: &str, work: impl FnOnce() -> Read<T>) -> Option<T> {
        match self.read(db, work).and_then(|read| read) {
            Ok(read) => Some(read),
            Err(reason) => {
                self.problem(version, format!("{what} cannot be read: {reason}"));
                None
            }
        }
    }

    /// The next events, from a version on.
    fn batch(&mut self, db: &Db, from: i64) {
        let most = if self.piecemeal { 1 } else { BATCH };
        let events = match self.read(db, || self.events(db, from, most)) {
            Ok((events, more)) => {
                self.next = events.last().filter(|_| more).and_then(|event| event.version.checked_add(1));
                events
            }
            Err(reason) => return self.unreadable_event(from, &reason),
        };
        let mut wanted = Vec::new();
        for event in events.iter().filter(|event| event.version > 0) {
            let changed = event.changed.iter().flatten();
            wanted.extend(changed.filter_map(|name| Some((CellId::from_name(name)?, event.version))));
        }
        let mut rows = self.cell_rows_of(db, &wanted).into_iter();
        let mut cells = wanted.iter();
        for event in &events {
            self.unreadable = 0;
            if event.version < 1 {
                self.problem(Some(event.version), "an event stands before version 1");
                continue;
            }
            self.check(event, &mut cells, &mut rows, db);
        }
    }

    /// An event of which nothing can be read: the next one, or a later one where that is missing.
    fn unreadable_event(&mut self, from: i64, reason: &str) {
        let version = from.max(self.version + 1);
        self.problem(Some(version), format!("the event cannot be read: {reason}"));
        (self.version, self.hash) = (version, None);
        self.unreadable += 1;
        self.next = version.checked_add(1);
        if self.unreadable == BATCH {
            self.problem(self.next, "the events from here on are not looked at: none of those before can be read");
            self.next = None;
        }
    }

    fn check<'c>(
        &mut self,
        event: &Event,
        cells: &mut impl Iterator<Item = &'c (CellId, i64)>,
        rows: &mut impl Iterator<Item = Read<Option<CellRow>>>,
        db: &Db,
    ) {
        let version = Some(event.version);
        let expected = self.version.saturating_add(1);
        if event.version != expected {
            let (first, last) = (expected, event.version - 1);
            self.problem(Some(first), format!("events {first} to {last} are missing"));
        }
        let payload = event.payload.clone().and_then(text_of);
        let text = match &payload {
            Ok(Some(text)) => Some(text.as_str()),
            Ok(None) => {
                self.problem(version, "the payload is missing");
                None
            }
            Err(reason) => {
                self.problem(version, format!("the payload cannot be read: {reason}"));
                None
            }
        };
        if text.is_some_and(|text| value_hash(text) != event.payload_hash) {
            self.problem(version, "the payload does not match its hash");
        }
        let octets = self.check_cells(event, cells, rows, db);
        if let Some(previous) = self.hash {
            let link = Link {
                previous,
                run_id: &self.run_id,
                version: event.version,
                type_name: &event.type_name,
                actor: &event.actor,
                on_behalf_of: event.on_behalf_of.as_deref(),
                at: unix_micros(event.at),
                idempotency_key: event.key.as_deref(),
                checkpoint_kind: event.kind.as_deref(),
                checkpoint_label: event.label.as_deref(),
                payload_hash: event.payload_hash,
                cells_hash: event.cells_hash,
            };
            if link.hash() != event.hash {
                self.problem(version, "the event does not match its hash");
            }
        }
        if event.at < self.at {
            self.problem(version, "the event is earlier than the one before");
        }
        if event.kind.is_some() {
            self.checkpoint_version = version;
        }
        if event.checkpoint_version != self.checkpoint_version {
            self.problem(version, "checkpoint_version is not the version of the last checkpoint");
        }
        self.check_bytes(event, text, octets);
        (self.version, self.hash, self.at) = (event.version, Some(event.hash), event.at);
        // What the callers append says nothing of the run.
        let own = args::event_type(Some(&event.type_name)).is_err();
        self.said.hear(&Told {
            version: event.version,
            type_name: &event.type_name,
            payload: Payload::parse(text.filter(|_| own)),
            actor: &event.actor,
            on_behalf_of: event.on_behalf_of.as_deref(),
            at: event.at,
            checkpoint: event.kind.as_deref().map(|kind| (kind, event.label.as_deref())),
        });
    }

    /// At most so many events from a version on, and whether there may be more.
    fn events(&self, db: &Db, from: i64, most: usize) -> (Vec<Event>, bool) {
        let (mut events, mut cells, mut bytes) = (Vec::new(), 0, 0);
        let more = stored_from(db, &self.run_id, from, most, |event| {
            let event = self.event(db, event);
            cells += event.changed.as_ref().map_or(0, Vec::len);
            bytes += event.payload_size();
            events.push(event);
            cells < MANY_CELLS && bytes < BYTES
        });
        (events, more)
    }

    fn event(&self, db: &Db, stored: Stored<'_>) -> Event {
        Event {
            version: stored.version(),
            type_name: stored.type_name(),
            payload: self.read(db, || stored.payload()),
            payload_hash: stored.payload_hash(),
            changed: self.read(db, || stored.changed()),
            cells_hash: stored.cells_hash(),
            actor: stored.actor(),
            on_behalf_of: stored.on_behalf_of(),
            at: stored.at(),
            key: stored.key(),
            kind: stored.checkpoint_kind(),
            label: stored.checkpoint_label(),
            hash: stored.hash(),
            bytes: stored.bytes_since_checkpoint(),
            checkpoint_version: stored.checkpoint_version(),
        }
    }

    /// The rows of cells at versions; None where one is missing.
    fn cell_rows_of(&self, db: &Db, wanted: &[(CellId, i64)]) -> Vec<Read<Option<CellRow>>> {
        if !self.piecemeal {
            return self.find_cell_rows(db, wanted).into_iter().map(Ok).collect();
        }
        let by_itself = |one| self.read(db, || self.find_cell_rows(db, std::slice::from_ref(one)).pop()?);
        wanted.iter().map(by_itself).collect()
    }

    fn find_cell_rows(&self, db: &Db, wanted: &[(CellId, i64)]) -> Vec<Option<CellRow>> {
        rows_at(db, &self.run_id, wanted, |id, in_place, value| {
            if in_place { CellValue::new(id, value()) } else { self.cell_value(db, id, value) }
        })
    }

    /// Of a value that may be large: what it takes is freed at once.
    fn cell_value(
        &self,
        db: &Db,
        id: &CellId,
        value: impl FnOnce() -> Result<Option<Jsonb>>,
    ) -> std::result::Result<CellValue, Unusable> {
        let value = scratch(db, || self.read(db, || CellValue::new(id, value())));
        value.unwrap_or_else(|reason| Err(Unusable::Unreadable(reason)))
    }

    /// Compares an event with the rows that it names, which come next; returns the bytes of their values, where all of them
    /// can be read.
    fn check_cells<'c>(
        &mut self,
        event: &Event,
        cells: &mut impl Iterator<Item = &'c (CellId, i64)>,
        rows: &mut impl Iterator<Item = Read<Option<CellRow>>>,
        db: &Db,
    ) -> Option<i64> {
        let version = Some(event.version);
        let changed = match &event.changed {
            Ok(changed) => changed,
            Err(reason) => {
                self.problem(version, format!("the names of the changed cells cannot be read: {reason}"));
                return None;
            }
        };
        let mut hashed: Vec<(&CellId, Option<Hash>)> = Vec::with_capacity(changed.len());
        let (mut all, mut octets, mut as_written) = (true, Some(0), true);
        for name in changed {
            let wanted = CellId::from_name(name).and_then(|_| cells.next().zip(rows.next()));
            let (id, row) = match wanted {
                Some(((id, _), Ok(Some(row)))) => (id, row),
                Some((_, Err(reason))) => {
                    self.problem(version, format!("the row of cell {name} cannot be read: {reason}"));
                    // It is there.
                    self.cells += 1;
                    (all, octets) = (false, None);
                    continue;
                }
                _ => {
                    self.problem(version, format!("the row of cell {name} is missing"));
                    all = false;
                    continue;
                }
            };
            self.cells += 1;
            match row.value {
                Err(unusable) => {
                    octets = None;
                    self.problem(
                        version,
                        match unusable {
                            Unusable::Changes => format!("the changes of cell {name} do not fit together"),
                            Unusable::Unreadable(reason) => {
                                format!("the value of cell {name} cannot be read: {reason}")
                            }
                        },
                    );
                }
                Ok(value) => {
                    octets = octets.map(|octets| octets + value.octets as i64);
                    if value.hash != row.hash {
                        self.problem(version, format!("the value of cell {name} does not match its hash"));
                    }
                    if let Some(graph) = value.graph
                        && self.graphs.insert(graph.clone())
                    {
                        self.check_graph(event.version, &graph, db);
                    }
                }
            }
            if row.revision != row.before + 1 {
                self.problem(version, format!("the revision of cell {name} is not one more than before"));
            }
            as_written &= id.ordinal == 0 || id.name() == *name;
            hashed.push((id, row.hash));
        }
        // They are stored in this order, each once, and there is one way to write an ordinal.
        if !(as_written && hashed.is_sorted_by(|(a, _), (b, _)| a < b)) {
            self.problem(version, "the names of the changed cells are not in order");
            hashed.sort();
        }
        let recomputed =
            hash::cells_hash(hashed.iter().map(|(id, hash)| (id.scope, id.key.as_str(), id.ordinal, *hash)));
        if all && recomputed != event.cells_hash {
            self.problem(version, "the changed cells do not match the event's cells_hash");
        }
        octets
    }

    /// The running counter of bytes: payloads and new values since the last checkpoint; what a rollback or a fork brings
    /// back is not new.
    fn check_bytes(&mut self, event: &Event, payload: Option<&str>, octets: Option<i64>) {
        let brought_back = matches!(event.type_name.as_str(), "run.rolled_back" | "run.forked");
        let new = if brought_back { Some(0) } else { octets };
        let expected = match payload.zip(new) {
            _ if event.kind.is_some() => 0,
            Some((payload, new)) => self.bytes.saturating_add(new + payload.len() as i64),
            None => event.bytes,
        };
        if event.bytes != expected {
            let problem = "bytes_since_checkpoint is not what was written since the last checkpoint";
            self.problem(Some(event.version), problem);
        }
        self.bytes = event.bytes;
    }

    fn check_graph(&mut self, version: i64, reference: &str, db: &Db) {
        let Ok(parsed) = serde_json::from_str::<graph::Reference>(reference) else { return };
        let stored = self.try_read(db, Some(version), "the stored graph", || {
            let (nodes, edges) = graph::load(db, reference);
            graph_hash(nodes, edges)
        });
        if stored.is_some_and(|hash| hex(&hash) != parsed.hash) {
            self.problem(Some(version), "the stored graph does not match its hash");
        }
    }
}

fn graph_hash(nodes: Option<Jsonb>, edges: Option<Jsonb>) -> Read<Hash> {
    let [nodes, edges] = [text_of(nodes)?, text_of(edges)?];
    Ok(graph::hash(nodes.as_deref(), edges.as_deref()))
}
