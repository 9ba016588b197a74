//! `verify`: recomputes the hash chain, and compares every stored row with the events it follows from.

use crate::args;
use crate::cell::{self, CellId, columns};
use crate::error::Result;
use crate::graph::Parts;
use crate::hash::{self, Hash, Link, hex, value_hash};
use crate::history::unix_micros;
use crate::jsonb::Jsonb;
use crate::plain::{Is, Key, Tables};
use crate::run::{Reader, Run};
use crate::spi::{At, Columns, Db, check_for_interrupts, scratch};
use crate::statements::*;
use crate::{access, graph};
use pgrx::IntoDatum;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use serde_json::value::RawValue;
use std::collections::{BTreeMap, HashMap, HashSet};

/// Events read at a time: memory stays flat however long the log is.
const BATCH: usize = 1000;
/// Fewer events where they changed so many cells.
const MANY_CELLS: usize = 20 * BATCH;

type Problem = (String, Option<i64>, String);
type Payload<'a> = BTreeMap<String, &'a RawValue>;

#[pg_extern(stable)]
#[allow(clippy::type_complexity)]
fn verify(
    run_id: default!(Option<&str>, "NULL"),
) -> std::result::Result<
    TableIterator<'static, (name!(run_id, String), name!(version, Option<i64>), name!(problem, String))>,
    ErrorReport,
> {
    Ok(TableIterator::new(problems(run_id)?))
}

fn problems(run_id: Option<&str>) -> Result<Vec<Problem>> {
    if let Some(run_id) = run_id {
        let reader = Reader::open(args::run_id(Some(run_id))?)?;
        return Ok(Check::run(&reader.db, run_id));
    }
    let db = Db::read();
    let everything = access::may_read(&db, "");
    let mut problems = Vec::new();
    let mut after = String::new();
    loop {
        let rows = db.query(&ALL_RUNS, &[after.as_str().into_datum()]);
        if rows.is_empty() {
            if everything {
                problems.extend(without_run(&db));
            }
            return Ok(problems);
        }
        let runs: Vec<(String, String)> =
            (0..rows.len()).filter_map(|row| rows.get(row, 1).zip(rows.get(row, 2))).collect();
        drop(rows);
        after = runs.last().map(|(run_id, _)| run_id.clone()).unwrap_or_default();
        for (run_id, owner) in runs {
            if everything || access::has_privileges_of(db.caller, &owner) {
                if db.plain(|_| ()).is_none() {
                    db.find_plain(|tables| Run::find(tables, &run_id));
                }
                problems.extend(Check::run(&db, &run_id));
            }
        }
    }
}

/// Events and cells whose run is gone.
fn without_run(db: &Db) -> Vec<Problem> {
    let rows = db.query(&ROWS_WITHOUT_RUN, &[]);
    (0..rows.len())
        .map(|row| (rows.get(row, 1).unwrap_or_default(), None, "there are events or cells, but no run".to_owned()))
        .collect()
}

/// What the events say a checkpoint is.
#[derive(Debug, PartialEq)]
struct Checkpoint {
    kind: String,
    label: Option<String>,
    protected: bool,
    metadata: String,
    created_at: i64,
}

/// What the events say an interaction is.
#[derive(Debug, Default, Clone, PartialEq)]
struct Interaction {
    id: String,
    node_id: String,
    status: String,
    prompt: String,
    response_schema: Option<String>,
    assignee: Option<String>,
    closed_version: Option<i64>,
    response: Option<String>,
    answered_by: Option<String>,
    answered_for: Option<String>,
}

/// An event as it stands.
struct Event {
    version: i64,
    type_name: String,
    payload: Option<Jsonb>,
    payload_hash: Hash,
    changed: Vec<String>,
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
    /// From the columns of layra.event, the version being column `first`.
    fn read(row: &impl Columns, first: i32) -> Event {
        let text = |column| row.text(first + column, str::to_owned);
        Event {
            version: row.get(first).unwrap_or_default(),
            type_name: text(1).unwrap_or_default(),
            payload: row.jsonb(first + 2),
            payload_hash: row.hash(first + 3).unwrap_or_default(),
            changed: row.texts(first + 4),
            cells_hash: row.hash(first + 5).unwrap_or_default(),
            actor: text(6).unwrap_or_default(),
            on_behalf_of: text(7),
            at: row.get(first + 8).unwrap_or_default(),
            key: text(9),
            kind: text(10),
            label: text(11),
            hash: row.hash(first + 12).unwrap_or_default(),
            bytes: row.get(first + 14).unwrap_or_default(),
            checkpoint_version: row.get(first + 15),
        }
    }
}

/// A row of a cell as it stands, and the revision of the row before it.
struct CellRow {
    revision: i64,
    before: i64,
    hash: Option<Hash>,
    value: Result<CellValue>,
}

/// What is left of a value once it was looked at.
struct CellValue {
    octets: usize,
    hash: Option<Hash>,
    /// Of the cell that refers to the graph, the whole value.
    graph: Option<String>,
}

impl CellValue {
    fn new(id: &CellId, value: Option<Jsonb>) -> CellValue {
        let text = value.as_ref().map(Jsonb::text);
        CellValue {
            octets: text.map_or(0, str::len),
            hash: text.map(value_hash),
            graph: text.filter(|_| id.key == graph::CELL).map(str::to_owned),
        }
    }

    /// Of a value that may be large: what it takes is freed at once.
    fn of(db: &Db, id: &CellId, value: impl FnOnce() -> Result<Option<Jsonb>>) -> Result<CellValue> {
        scratch(db, || value().map(|value| CellValue::new(id, value)))
    }
}

/// One run's verification: what the events so far say.
#[derive(Default)]
struct Check {
    run_id: String,
    problems: Vec<Problem>,
    version: i64,
    hash: Hash,
    at: i64,
    status: String,
    owner: String,
    metadata: String,
    result: Option<String>,
    workflow: Option<String>,
    parent: Option<(String, i64)>,
    created_at: i64,
    finished_at: Option<i64>,
    checkpoint_version: Option<i64>,
    bytes: i64,
    checkpoints: BTreeMap<i64, Checkpoint>,
    labels: HashMap<String, i64>,
    /// By the version that asked: what each was from which version on.
    interactions: BTreeMap<i64, Vec<(i64, Interaction)>>,
    cells: i64,
    graphs: HashSet<String>,
}

impl Check {
    fn run(db: &Db, run_id: &str) -> Vec<Problem> {
        let mut check = Check { run_id: run_id.to_owned(), ..Check::default() };
        loop {
            check_for_interrupts();
            if !scratch(db, || check.batch(db)) {
                break;
            }
        }
        if check.version == 0 {
            check.problem(None, "the run has no events");
        }
        scratch(db, || {
            check.cell_rows(db);
            check.run_row(db);
            check.checkpoint_rows(db);
            check.interaction_rows(db);
        });
        check.problems
    }

    fn problem(&mut self, version: Option<i64>, problem: impl Into<String>) {
        self.problems.push((self.run_id.clone(), version, problem.into()));
    }

    /// The next events; false where there are no more.
    fn batch(&mut self, db: &Db) -> bool {
        let events = self.events(db);
        if events.is_empty() {
            return false;
        }
        let mut wanted = Vec::new();
        for event in &events {
            wanted.extend(event.changed.iter().filter_map(|name| Some((CellId::from_name(name)?, event.version))));
        }
        let mut rows = self.cell_rows_of(db, &wanted).into_iter();
        let mut cells = wanted.iter();
        for event in &events {
            if event.version != self.version + 1 {
                let (first, last) = (self.version + 1, event.version - 1);
                self.problem(Some(first), format!("events {first} to {last} are missing"));
            }
            let text = event.payload.as_ref().map(Jsonb::text);
            if text.is_some_and(|text| value_hash(text) != event.payload_hash) {
                self.problem(Some(event.version), "the payload does not match its hash");
            }
            let octets = self.check_cells(event, &mut cells, &mut rows, db);
            let link = Link {
                previous: self.hash,
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
                self.problem(Some(event.version), "the event does not match its hash");
            }
            if event.version > 1 && event.at < self.at {
                self.problem(Some(event.version), "the event is earlier than the one before");
            }
            if event.kind.is_some() {
                self.checkpoint_version = Some(event.version);
            }
            if event.checkpoint_version != self.checkpoint_version {
                self.problem(Some(event.version), "checkpoint_version is not the version of the last checkpoint");
            }
            self.check_bytes(event, text, octets);
            (self.version, self.hash, self.at) = (event.version, event.hash, event.at);
            // What the callers append says nothing of the run.
            let own = args::event_type(Some(&event.type_name)).is_err();
            let payload: Payload<'_> =
                text.filter(|_| own).and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
            self.fold(&event.type_name, &payload, event.kind.clone(), event.label.clone(), event.at);
            self.fold_interactions(&event.type_name, &payload, &event.actor, event.on_behalf_of.as_deref());
        }
        true
    }

    fn events(&self, db: &Db) -> Vec<Event> {
        let by_short_way = db.plain(|tables| {
            let run = Key::Text(1, Is::Equal, &self.run_id);
            let mut scan = tables.event.scan(&[run, Key::Number(2, Is::AtLeast, self.version + 1)]);
            let (mut events, mut cells) = (Vec::with_capacity(BATCH), 0);
            while events.len() < BATCH && cells < MANY_CELLS && scan.up() {
                let event = Event::read(&scan, 2);
                cells += event.changed.len();
                events.push(event);
            }
            events
        });
        by_short_way.unwrap_or_else(|| {
            let batch = BATCH as i64;
            let args = [self.run_id.as_str().into_datum(), self.version.into_datum(), batch.into_datum()];
            let rows = db.query(&VERIFY_EVENTS, &args);
            (0..rows.len()).map(|row| Event::read(&At(&rows, row), 1)).collect()
        })
    }

    /// The rows of cells at versions; None where one is missing.
    fn cell_rows_of(&self, db: &Db, wanted: &[(CellId, i64)]) -> Vec<Option<CellRow>> {
        if let Some(found) = db.plain(|tables| self.plain_cell_rows_of(db, tables, wanted)) {
            return found;
        }
        let mut found: Vec<Option<CellRow>> = wanted.iter().map(|_| None).collect();
        let ids: Vec<CellId> = wanted.iter().map(|(id, _)| id.clone()).collect();
        let versions: Vec<i64> = wanted.iter().map(|(_, version)| *version).collect();
        let [scopes, keys, ordinals] = columns(&ids);
        let args = [self.run_id.as_str().into_datum(), versions.into_datum(), scopes, keys, ordinals];
        let rows = db.query(&VERIFY_CELLS, &args);
        for row in 0..rows.len() {
            let index = rows.get::<i64>(row, 1).unwrap_or(1) as usize - 1;
            let (id, version) = &wanted[index];
            let row = At(&rows, row);
            found[index] = Some(CellRow {
                revision: row.get(2).unwrap_or_default(),
                before: row.get(6).unwrap_or_default(),
                hash: row.hash(3),
                value: CellValue::of(db, id, || {
                    if row.is_null(5) { Ok(row.jsonb(4)) } else { id.at(&self.run_id).value_at(db, *version) }
                }),
            });
        }
        found
    }

    /// By the short way: the rows of each cell one after the other, from the newest version down.
    fn plain_cell_rows_of(&self, db: &Db, tables: &Tables, wanted: &[(CellId, i64)]) -> Vec<Option<CellRow>> {
        let mut found: Vec<Option<CellRow>> = wanted.iter().map(|_| None).collect();
        let mut order: Vec<usize> = (0..wanted.len()).collect();
        order.sort_unstable_by(|a, b| wanted[*b].cmp(&wanted[*a]));
        for rows in order.chunk_by(|a, b| wanted[*a].0 == wanted[*b].0) {
            check_for_interrupts();
            // The values of one cell at a time, however many the events of a batch changed.
            scratch(db, || self.rows_of_one_cell(db, tables, wanted, rows, &mut found));
        }
        found
    }

    fn rows_of_one_cell(
        &self,
        db: &Db,
        tables: &Tables,
        wanted: &[(CellId, i64)],
        rows: &[usize],
        found: &mut [Option<CellRow>],
    ) {
        let (id, newest) = &wanted[rows[0]];
        let place = id.at(&self.run_id);
        let mut scan = tables.cell.scan(&[
            Key::Text(1, Is::Equal, place.run_id),
            Key::Text(2, Is::Equal, place.scope),
            Key::Text(3, Is::Equal, place.key),
            Key::Number(4, Is::Equal, place.ordinal),
            Key::Number(5, Is::AtMost, *newest),
        ]);
        let mut next = rows.iter().copied().peekable();
        // The row that waits for the one before it.
        let mut above: Option<usize> = None;
        while scan.down() {
            let revision = scan.get(cell::REVISION).unwrap_or_default();
            if let Some(row) = above.take().and_then(|above| found[above].as_mut()) {
                row.before = revision;
            }
            let version: i64 = scan.get(cell::VERSION).unwrap_or_default();
            // What is missing stays so.
            while next.next_if(|index| wanted[*index].1 > version).is_some() {}
            let Some(index) = next.next_if(|index| wanted[*index].1 == version) else {
                match next.peek() {
                    Some(_) => continue,
                    None => return,
                }
            };
            let whole = scan.is_null(cell::BASE);
            let value = || {
                if whole { Ok(scan.jsonb(cell::VALUE)) } else { place.value_at_row(tables, version) }
            };
            let value = if whole && scan.is_in_place(cell::VALUE) {
                value().map(|value| CellValue::new(id, value))
            } else {
                CellValue::of(db, id, value)
            };
            found[index] = Some(CellRow { revision, before: 0, hash: scan.hash(cell::HASH), value });
            above = Some(index);
        }
    }

    /// Compares an event with the rows that it names, which come next; returns the octets of their values.
    fn check_cells<'c>(
        &mut self,
        event: &Event,
        cells: &mut impl Iterator<Item = &'c (CellId, i64)>,
        rows: &mut impl Iterator<Item = Option<CellRow>>,
        db: &Db,
    ) -> i64 {
        let version = Some(event.version);
        let mut hashed: Vec<(&CellId, Option<Hash>)> = Vec::with_capacity(event.changed.len());
        let mut missing = false;
        let mut octets = 0;
        for name in &event.changed {
            let is_a_name = CellId::from_name(name).is_some();
            let Some(((id, _), row)) = is_a_name.then(|| cells.next().zip(rows.next().flatten())).flatten() else {
                self.problem(version, format!("the row of cell {name} is missing"));
                missing = true;
                continue;
            };
            self.cells += 1;
            match row.value {
                Err(_) => self.problem(version, format!("the changes of cell {name} do not fit together")),
                Ok(value) => {
                    octets += value.octets as i64;
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
            hashed.push((id, row.hash));
        }
        hashed.sort();
        let recomputed =
            hash::cells_hash(hashed.iter().map(|(id, hash)| (id.scope, id.key.as_str(), id.ordinal, *hash)));
        if !missing && recomputed != event.cells_hash {
            self.problem(version, "the changed cells do not match the event's cells_hash");
        }
        octets
    }

    /// The running counter of octets: payloads and new values since the last checkpoint; what a rollback or a fork brings
    /// back is not new.
    fn check_bytes(&mut self, event: &Event, payload: Option<&str>, octets: i64) {
        let new = if matches!(event.type_name.as_str(), "run.rolled_back" | "run.forked") { 0 } else { octets };
        let expected = match payload {
            _ if event.kind.is_some() => 0,
            Some(payload) => self.bytes + new + payload.len() as i64,
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
        let (nodes, edges) = graph::load(db, reference);
        if hex(&Parts { nodes, edges }.hash()) != parsed.hash {
            self.problem(Some(version), "the stored graph does not match its hash");
        }
    }

    /// What an event says of the run's row and its checkpoints.
    fn fold(&mut self, type_name: &str, payload: &Payload<'_>, kind: Option<String>, label: Option<String>, at: i64) {
        let raw = |key: &str| payload.get(key).map(|raw| raw.get().to_owned());
        let string = |key: &str| payload.get(key).and_then(|raw| serde_json::from_str::<String>(raw.get()).ok());
        let number = |key: &str| payload.get(key).and_then(|raw| serde_json::from_str::<i64>(raw.get()).ok());
        let is_state = type_name == "state.saved" || type_name == "run.started" || type_name == "run.forked";
        if is_state && self.version == 1 {
            self.status = "running".into();
            self.owner = string("owner").unwrap_or_default();
            self.metadata = raw("metadata").unwrap_or_else(|| "{}".into());
            self.workflow = raw("workflow");
            let parent: Payload<'_> =
                payload.get("parent").and_then(|raw| serde_json::from_str(raw.get()).ok()).unwrap_or_default();
            let run_id = parent.get("run_id").and_then(|raw| serde_json::from_str(raw.get()).ok());
            self.parent = run_id.zip(parent.get("version").and_then(|raw| raw.get().parse().ok()));
            self.created_at = at;
        }
        match type_name {
            "run.finished" => {
                self.status = string("status").unwrap_or_default();
                self.result = raw("result");
                self.finished_at = Some(at);
            }
            "run.reopened" => (self.status, self.result, self.finished_at) = ("running".into(), None, None),
            "run.cancelling" => self.status = "cancelling".into(),
            "interaction.requested" => self.status = "paused".into(),
            "run.rolled_back" | "run.recovered" | "interaction.answered" | "interaction.withdrawn" => {
                self.status = string("status").unwrap_or_default();
            }
            "run.owner_changed" => self.owner = string("owner").unwrap_or_default(),
            "checkpoint.protected" | "checkpoint.unprotected" => {
                if let Some(checkpoint) = number("version").and_then(|version| self.checkpoints.get_mut(&version)) {
                    checkpoint.protected = type_name == "checkpoint.protected";
                }
            }
            _ => {}
        }
        if let Some(kind) = kind {
            if let Some(label) = &label
                && let Some(old) = self.labels.insert(label.clone(), self.version)
                && let Some(old) = self.checkpoints.get_mut(&old)
            {
                old.label = None;
            }
            // Only the event that a checkpoint is all about has its metadata.
            let metadata = raw("metadata").filter(|_| type_name == "checkpoint.created").unwrap_or_else(|| "{}".into());
            let protected = type_name == "interaction.requested";
            let checkpoint = Checkpoint { kind, label, protected, metadata, created_at: at };
            self.checkpoints.insert(self.version, checkpoint);
        }
    }

    /// What an event says of the people who were asked.
    fn fold_interactions(&mut self, type_name: &str, payload: &Payload<'_>, actor: &str, on_behalf_of: Option<&str>) {
        let raw = |key: &str| payload.get(key).map(|raw| raw.get().to_owned());
        let string = |key: &str| payload.get(key).and_then(|raw| serde_json::from_str::<String>(raw.get()).ok());
        let version = self.version;
        let withdrawn = |interaction: &Interaction| Interaction {
            status: "withdrawn".into(),
            closed_version: Some(version),
            ..interaction.clone()
        };
        match type_name {
            "interaction.requested" => {
                let interaction = Interaction {
                    id: string("interaction").unwrap_or_default(),
                    node_id: string("node_id").unwrap_or_default(),
                    status: "pending".into(),
                    prompt: raw("prompt").unwrap_or_default(),
                    response_schema: raw("response_schema"),
                    assignee: string("assignee"),
                    ..Interaction::default()
                };
                self.interactions.insert(version, vec![(version, interaction)]);
            }
            "interaction.answered" | "interaction.withdrawn" => {
                let id = string("interaction").unwrap_or_default();
                let about = |history: &&mut Vec<(i64, Interaction)>| history.last().is_some_and(|(_, i)| i.id == id);
                for history in self.interactions.values_mut().filter(about) {
                    let Some((_, newest)) = history.last() else { continue };
                    let mut closed = withdrawn(newest);
                    if type_name == "interaction.answered" {
                        closed.status = "answered".into();
                        closed.response = raw("response");
                        (closed.answered_by, closed.answered_for) =
                            (Some(actor.to_owned()), on_behalf_of.map(str::to_owned));
                    }
                    history.push((version, closed));
                }
            }
            "run.finished" | "run.cancelling" | "run.rolled_back" => {
                let to = payload.get("to_version").and_then(|raw| raw.get().parse::<i64>().ok());
                for (asked, history) in &mut self.interactions {
                    let Some((_, newest)) = history.last() else { continue };
                    let then = match to {
                        // As it was after that version.
                        Some(to) if *asked <= to => {
                            history.iter().rev().find(|(from, _)| *from <= to).map(|(_, then)| then.clone())
                        }
                        _ if newest.status == "pending" => Some(withdrawn(newest)),
                        _ => None,
                    };
                    history.extend(then.map(|then| (version, then)));
                }
            }
            _ => {}
        }
    }

    fn interaction_rows(&mut self, db: &Db) {
        let rows = db.query(&VERIFY_INTERACTIONS, &[self.run_id.as_str().into_datum()]);
        let mut expected = std::mem::take(&mut self.interactions);
        for row in 0..rows.len() {
            let version: i64 = rows.get(row, 1).unwrap_or_default();
            let stored = Interaction {
                id: rows.get(row, 2).unwrap_or_default(),
                node_id: rows.get(row, 3).unwrap_or_default(),
                status: rows.get(row, 4).unwrap_or_default(),
                prompt: rows.get(row, 5).unwrap_or_default(),
                response_schema: rows.get(row, 6),
                assignee: rows.get(row, 7),
                closed_version: rows.get(row, 8),
                response: rows.get(row, 9),
                answered_by: rows.get(row, 10),
                answered_for: rows.get(row, 11),
            };
            match expected.remove(&version).and_then(|mut history| history.pop()).map(|(_, said)| said) {
                None => self.problem(Some(version), "an interaction row is named by no event"),
                Some(said) if said != stored => {
                    self.problem(Some(version), "the interaction is not what its events say");
                }
                Some(_) => {}
            }
        }
        for version in expected.into_keys() {
            self.problem(Some(version), "the row of the interaction is missing");
        }
    }

    /// Rows that no event names: only counted, unless there are some.
    fn cell_rows(&mut self, db: &Db) {
        let run_id = self.run_id.clone();
        let count: i64 = db.query(&COUNT_CELLS, &[run_id.as_str().into_datum()]).get(0, 1).unwrap_or_default();
        if count == self.cells {
            return;
        }
        let rows = db.query(&ORPHAN_CELLS, &[run_id.as_str().into_datum()]);
        for row in 0..rows.len() {
            let version: Option<i64> = rows.get(row, 4);
            match crate::compare::cell_id(&rows, row) {
                Some(id) => {
                    self.problem(version, format!("cell row {} is named by no event", id.name()));
                }
                None => self.problem(version, "a cell row is named by no event"),
            }
        }
    }

    fn run_row(&mut self, db: &Db) {
        let rows = db.query(&VERIFY_RUN, &[self.run_id.as_str().into_datum()]);
        if rows.is_empty() {
            return;
        }
        let workflow = rows.get::<String>(0, 8).map(|name| {
            Jsonb::of(&serde_json::json!({
                "owner": rows.get::<String>(0, 7),
                "name": name,
                "version": rows.get::<i32>(0, 9),
                "hash": rows.hash(0, 10).map(|hash| hex(&hash)),
            }))
            .text()
            .to_owned()
        });
        let checks = [
            ("status", rows.get::<String>(0, 1) == Some(self.status.clone())),
            ("owner", rows.get::<String>(0, 2) == Some(self.owner.clone())),
            ("metadata", rows.get::<String>(0, 3) == Some(self.metadata.clone())),
            ("result", rows.get::<String>(0, 4) == self.result),
            ("created_at", rows.get::<i64>(0, 5) == Some(self.created_at)),
            ("finished_at", rows.get::<i64>(0, 6) == self.finished_at),
            ("workflow", workflow == self.workflow),
            ("parent", self.parent_fits(rows.get(0, 11), rows.get(0, 12))),
        ];
        if let (Some(owner), Some(name)) = (rows.get::<String>(0, 7), rows.get::<String>(0, 8)) {
            let version = rows.get::<i32>(0, 9);
            let found = db.query(&OWN_WORKFLOW, &[owner.into_datum(), name.into_datum(), version.into_datum()]);
            let definition = if found.is_empty() { None } else { found.jsonb(0, 4) };
            if definition.map(|definition| value_hash(definition.text())) != rows.hash(0, 10) {
                self.problem(None, "the definition of the run's workflow does not match its hash");
            }
        }
        for (column, right) in checks {
            if !right && self.version > 0 {
                self.problem(None, format!("the run's {column} is not what its events say"));
            }
        }
    }

    /// A fork's parent is the one that its first event names, until that one is dropped (version 0).
    fn parent_fits(&self, run_id: Option<String>, version: Option<i64>) -> bool {
        match (&self.parent, run_id, version) {
            (None, None, None) => true,
            (None, ..) | (Some(_), _, None) => false,
            (Some((said, at)), Some(run_id), Some(version)) if *said == run_id && version != 0 => *at == version,
            _ => true,
        }
    }

    fn checkpoint_rows(&mut self, db: &Db) {
        let rows = db.query(&VERIFY_CHECKPOINTS, &[self.run_id.as_str().into_datum()]);
        let mut expected = std::mem::take(&mut self.checkpoints);
        for row in 0..rows.len() {
            let version: i64 = rows.get(row, 1).unwrap_or_default();
            let stored = Checkpoint {
                kind: rows.get(row, 2).unwrap_or_default(),
                label: rows.get(row, 3),
                protected: rows.get(row, 4).unwrap_or_default(),
                metadata: rows.get(row, 5).unwrap_or_default(),
                created_at: rows.get(row, 6).unwrap_or_default(),
            };
            match expected.remove(&version) {
                None => self.problem(Some(version), "a checkpoint row is named by no event"),
                Some(said) if said != stored => {
                    self.problem(Some(version), "the checkpoint is not what its events say");
                }
                Some(_) => {}
            }
        }
        for version in expected.into_keys() {
            self.problem(Some(version), "the row of the checkpoint is missing");
        }
    }
}
