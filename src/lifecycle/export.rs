//! Exports: everything of a run as lines of JSON, which other tools read, and from which `import` makes the same run again.

use crate::lifecycle::line::{Counts, FORMAT, Thing};
use crate::lifecycle::origin::Origin;
use crate::pure::hash::{Hash, Lines, hex};
use crate::server::args;
use crate::server::error::Result;
use crate::server::interrupts::check_for_interrupts;
use crate::server::jsonb::Jsonb;
use crate::server::stream::{BYTES, Batches};
use crate::state::reader::Reader;
use crate::store::cell::CellId;
use crate::store::db::Db;
use crate::store::event::{Stored, stored_from};
use crate::store::graph;
use crate::store::lease::{self, Lease};
use crate::store::proof::{ReadValue, rows_at};
use crate::store::run::{self, Run};
use crate::store::seal::{self, Which};
use crate::store::{checkpoint, interaction, key, workflow};
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use std::cell::Cell;
use std::collections::{HashSet, VecDeque};

/// Events that are read at a time; fewer where they changed so many cells.
const MANY_EVENTS: usize = 500;
const MANY_CELLS: usize = 2000;

#[pg_extern(stable)]
fn export_run(run_id: Option<&str>) -> std::result::Result<SetOfIterator<'static, Jsonb>, ErrorReport> {
    let run_id = args::run_id(run_id)?;
    Reader::open(run_id)?;
    let mut export = Export::new(run_id);
    Ok(SetOfIterator::new(Batches::new(move || export.read())))
}

/// What comes next, and from where on.
enum Next {
    Header,
    /// The seal with this number, up to that which the first event names.
    Seals(i64, i64),
    Definition,
    Events(i64),
    Checkpoints(i64),
    Interactions(i64),
    /// Behind a node; behind a key.
    Leases(String),
    Keys(String),
    Trailer,
    End,
}

/// What was read of the log, and is not told yet.
enum Read {
    Event(Event),
    Cell(CellId, i64, i64, Content),
}

struct Event {
    version: i64,
    type_name: String,
    payload: Option<Vec<u8>>,
    changed: Vec<String>,
    actor: String,
    on_behalf_of: Option<String>,
    at: i64,
    key: Option<String>,
    kind: Option<String>,
    label: Option<String>,
    hash: Hash,
}

enum Content {
    Unset,
    Value(Vec<u8>),
    /// Not read yet: there was enough already.
    Unread,
}

/// What is left of an export.
struct Export {
    run_id: String,
    next: Next,
    log: VecDeque<Read>,
    graphs: HashSet<String>,
    counts: Counts,
    /// Of all lines so far.
    hash: Lines,
    head_hash: Hash,
    histories: key::Histories,
}

/// The lines of a batch.
#[derive(Default)]
struct Batch {
    lines: Vec<Jsonb>,
    bytes: usize,
}

impl Export {
    fn new(run_id: &str) -> Export {
        Export {
            run_id: run_id.to_owned(),
            next: Next::Header,
            log: VecDeque::new(),
            graphs: HashSet::new(),
            counts: Counts::default(),
            hash: Lines::default(),
            head_hash: Hash::default(),
            histories: key::Histories::default(),
        }
    }

    fn read(&mut self) -> Result<Vec<Jsonb>> {
        let mut batch = Batch::default();
        if matches!(self.next, Next::End) {
            return Ok(batch.lines);
        }
        let db = Db::read();
        // Nothing can have become of it meanwhile, but that somebody changed the tables themselves.
        let Some((run, _)) = run::find(&db, &self.run_id) else { return Ok(batch.lines) };
        while batch.bytes < BYTES && !matches!(self.next, Next::End) {
            check_for_interrupts();
            self.some(&db, &run, &mut batch)?;
        }
        Ok(batch.lines)
    }

    fn add(&mut self, batch: &mut Batch, name: &'static str, thing: Thing<'_>) {
        self.counts.add(name);
        let line = thing.line(self.counts.lines, name);
        self.hash.add(line.text());
        batch.bytes += line.size();
        batch.lines.push(line);
    }

    fn some(&mut self, db: &Db, run: &Run, batch: &mut Batch) -> Result<()> {
        let run_id = self.run_id.clone();
        self.next = match std::mem::replace(&mut self.next, Next::End) {
            Next::Header => self.header(db, run, batch),
            Next::Seals(from, last) => self.seals(db, from, last, batch),
            Next::Definition => {
                self.definition(db, run, batch);
                Next::Events(i64::MIN)
            }
            Next::Events(from) => self.events(db, from, batch)?,
            Next::Checkpoints(from) => {
                let mut next = None;
                for row in checkpoint::Stored::from(db, &run_id, from).rows() {
                    self.checkpoint(&row, batch);
                    next = row.version().checked_add(1);
                    if batch.bytes >= BYTES {
                        break;
                    }
                }
                next.map_or(Next::Interactions(i64::MIN), Next::Checkpoints)
            }
            Next::Interactions(from) => {
                let mut next = None;
                for row in interaction::Stored::from(db, &run_id, from).rows() {
                    self.interaction(&row, batch);
                    next = row.version().checked_add(1);
                    if batch.bytes >= BYTES {
                        break;
                    }
                }
                next.map_or(Next::Leases(String::new()), Next::Interactions)
            }
            Next::Leases(after) => {
                let leases = lease::after(db, &run_id, &after);
                leases.iter().for_each(|(node_id, lease)| self.lease(node_id, lease, batch));
                leases.into_iter().last().map_or(Next::Keys(String::new()), |(last, _)| Next::Leases(last))
            }
            Next::Keys(_) if run.parent.is_none() && !run.orphan => Next::Trailer,
            Next::Keys(after) => {
                let (keys, next) = key::inherited_after(db, &run_id, run, &after, &mut self.histories);
                for (key, type_name) in &keys {
                    let thing = Thing::default().text("key", key.as_str()).text("type", type_name.as_str());
                    self.add(batch, "key", thing);
                }
                next.map_or(Next::Trailer, Next::Keys)
            }
            Next::Trailer => {
                let [head_hash, hash] = [self.head_hash, self.hash.hash()].map(|hash| hex(&hash));
                batch.lines.push(self.counts.trailer(&head_hash, &hash).line(self.counts.lines + 1, "trailer"));
                Next::End
            }
            Next::End => Next::End,
        };
        Ok(())
    }

    fn header(&mut self, db: &Db, run: &Run, batch: &mut Batch) -> Next {
        let rest = run::rest(db, &self.run_id).unwrap_or_default();
        let origin = Origin::of(db, &self.run_id);
        let run_id = self.run_id.clone();
        let definition_hash = run.workflow.as_ref().map(|workflow| hex(&workflow.hash));
        let workflow = run.workflow.as_ref().map(|workflow| {
            Thing::default()
                .text("owner", workflow.owner.as_str())
                .text("name", workflow.name.as_str())
                .number("version", i64::from(workflow.version))
                .text("hash", definition_hash.as_deref())
        });
        let named = |(run_id, version): &&(String, i64)| origin.is_fork_of(run_id, *version);
        let parent = run.parent.as_ref().filter(|parent| !named(parent));
        let parent = parent
            .map(|(run_id, version)| Thing::default().text("run_id", run_id.as_str()).number("version", *version));
        let header = Thing::default()
            .number("format", FORMAT)
            .text("run_id", run_id.as_str())
            .text("owner", run.owner.as_str())
            .text("status", run.status.name())
            .thing("workflow", workflow)
            .thing("parent", parent)
            .json("metadata", rest.metadata.as_ref())
            .json("result", rest.result.as_ref())
            .time("created_at", rest.created_at)
            .time("finished_at", rest.finished_at)
            .text("hold", rest.hold.as_deref());
        self.add(batch, "header", header);
        match origin.seal.and_then(|hash| seal::number_of(db, &run_id, &hash)) {
            Some(last) => Next::Seals(i64::MIN, last),
            None => Next::Definition,
        }
    }

    /// Those that precede the run: a later one tells of something else.
    fn seals(&mut self, db: &Db, from: i64, last: i64, batch: &mut Batch) -> Next {
        let run_id = self.run_id.clone();
        let seals = Which(Some(&run_id)).some(db, &(run_id.clone(), from));
        for seal in seals.iter().filter(|seal| seal.number <= last) {
            let (head_hash, hash) = (hex(&seal.head_hash), hex(&seal.hash));
            let thing = Thing::default()
                .number("number", seal.number)
                .text("what", seal.what.as_str())
                .text("owner", seal.owner.as_str())
                .text("workflow", seal.workflow.as_deref())
                .number("workflow_version", seal.workflow_version.map(i64::from))
                .number("first_version", seal.first_version)
                .number("last_version", seal.last_version)
                .text("head_hash", head_hash.as_str())
                .number("events", seal.events)
                .number("cells", seal.cells)
                .number("bytes", seal.bytes)
                .time("at", seal.at)
                .text("actor", seal.actor.as_str())
                .text("on_behalf_of", seal.on_behalf_of.as_deref())
                .text("reason", seal.reason.as_deref())
                .text("hash", hash.as_str());
            self.add(batch, "seal", thing);
        }
        match seals.last() {
            Some(seal) if seal.number < last => Next::Seals(seal.number + 1, last),
            _ => Next::Definition,
        }
    }

    fn definition(&mut self, db: &Db, run: &Run, batch: &mut Batch) {
        let Some(reference) = &run.workflow else { return };
        let definition = workflow::definition_of(db, reference);
        if definition.is_none() {
            return;
        }
        let thing = Thing::default()
            .text("owner", reference.owner.as_str())
            .text("name", reference.name.as_str())
            .number("version", i64::from(reference.version))
            .json("definition", definition.as_ref());
        self.add(batch, "definition", thing);
    }

    /// What was read of the log; then what comes behind it.
    fn events(&mut self, db: &Db, from: i64, batch: &mut Batch) -> Result<Next> {
        let next = if self.log.is_empty() { self.read_log(db, from)? } else { Some(from) };
        while batch.bytes < BYTES {
            let Some(read) = self.log.pop_front() else { break };
            match read {
                Read::Event(event) => self.event(event, batch),
                Read::Cell(id, version, revision, content) => self.cell(db, &id, version, revision, content, batch)?,
            }
        }
        Ok(match next {
            // It was the last one of all.
            None if self.log.is_empty() => Next::Checkpoints(i64::MIN),
            None => Next::Events(i64::MAX),
            Some(next) => Next::Events(next),
        })
    }

    /// Some events with their cells, from a version on; where the next ones are, if there are more.
    fn read_log(&mut self, db: &Db, from: i64) -> Result<Option<i64>> {
        let (mut events, mut bytes, mut cells) = (Vec::new(), 0, 0);
        let more = stored_from(db, &self.run_id, from, MANY_EVENTS, |stored| {
            let event = Event::of(&stored);
            bytes += event.payload.as_ref().map_or(0, Vec::len);
            cells += event.changed.len();
            events.push(event);
            bytes < BYTES && cells < MANY_CELLS
        });
        let next = events.last().and_then(|event| event.version.checked_add(1));
        let ids = |event: &Event| -> Vec<(CellId, i64)> {
            event.changed.iter().filter_map(|name| Some((CellId::from_name(name)?, event.version))).collect()
        };
        let wanted: Vec<(CellId, i64)> = events.iter().flat_map(ids).collect();
        let left = Cell::new(BYTES);
        let rows = rows_at(db, &self.run_id, &wanted, |_, _, read| Content::of(&left, read));
        let mut rows = wanted.into_iter().zip(rows).peekable();
        for event in events {
            let version = event.version;
            self.log.push_back(Read::Event(event));
            while let Some(((id, version), row)) = rows.next_if(|((_, of), _)| *of == version) {
                if let Some(row) = row {
                    self.log.push_back(Read::Cell(id, version, row.revision, row.value?));
                }
            }
        }
        Ok(next.filter(|_| more))
    }

    fn event(&mut self, event: Event, batch: &mut Batch) {
        let payload = event.payload.as_deref().map(Jsonb::from_octets);
        let hash = hex(&event.hash);
        let checkpoint =
            event.kind.as_deref().map(|kind| Thing::default().text("kind", kind).text("label", event.label.as_deref()));
        let thing = Thing::default()
            .number("version", event.version)
            .text("type", event.type_name.as_str())
            .json("payload", payload.as_ref())
            .number("cells", event.changed.len() as i64)
            .text("actor", event.actor.as_str())
            .text("on_behalf_of", event.on_behalf_of.as_deref())
            .time("at", event.at)
            .text("idempotency_key", event.key.as_deref())
            .thing("checkpoint", checkpoint)
            .text("hash", hash.as_str());
        self.add(batch, "event", thing);
        (self.counts.version, self.head_hash) = (event.version, event.hash);
    }

    fn checkpoint(&mut self, row: &checkpoint::Row<'_>, batch: &mut Batch) {
        let (kind, label, metadata) = (row.kind(), row.label(), row.metadata());
        let thing = Thing::default()
            .number("version", row.version())
            .text("kind", kind.as_str())
            .text("label", label.as_deref())
            .flag("protected", row.protected())
            .json("metadata", metadata.as_ref())
            .time("created_at", row.created_at());
        self.add(batch, "checkpoint", thing);
    }

    fn interaction(&mut self, row: &interaction::Row<'_>, batch: &mut Batch) {
        let (id, node_id, status) = (row.id(), row.node_id(), row.status());
        let [prompt, response_schema, response] = [row.prompt(), row.response_schema(), row.response()];
        let [assignee, by, for_whom] = [row.assignee(), row.answered_by(), row.answered_for()];
        let thing = Thing::default()
            .number("version", row.version())
            .text("id", id.as_str())
            .text("node_id", node_id.as_str())
            .text("status", status.as_deref())
            .json("prompt", prompt.as_ref())
            .json("response_schema", response_schema.as_ref())
            .text("assignee", assignee.as_deref())
            .time("created_at", row.created_at())
            .time("expires_at", row.expires_at())
            .number("closed_version", row.closed_version())
            .json("response", response.as_ref())
            .text("answered_by", by.as_deref())
            .text("answered_for", for_whom.as_deref());
        self.add(batch, "interaction", thing);
    }

    fn lease(&mut self, node_id: &str, lease: &Lease, batch: &mut Batch) {
        let thing = Thing::default()
            .text("node_id", node_id)
            .number("attempt", i64::from(lease.attempt))
            .text("worker", lease.worker.as_deref())
            .time("until", lease.until);
        self.add(batch, "lease", thing);
    }

    fn cell(
        &mut self,
        db: &Db,
        id: &CellId,
        version: i64,
        revision: i64,
        content: Content,
        batch: &mut Batch,
    ) -> Result<()> {
        let value = match content {
            Content::Unset => None,
            Content::Value(octets) => Some(Jsonb::from_octets(&octets)),
            Content::Unread => id.at(&self.run_id).value_at(db, version)?,
        };
        let is_graph = id.scope == "engine" && id.key == graph::CELL;
        if let Some(reference) = value.filter(|_| is_graph).map(|value| value.text().to_owned())
            && self.graphs.insert(reference.clone())
        {
            self.graph(db, &reference, batch);
        }
        let thing = Thing::default()
            .number("version", version)
            .text("scope", id.scope)
            .text("key", id.key.as_str())
            .number("ordinal", Some(id.ordinal).filter(|_| id.scope == "context"))
            .number("revision", revision)
            .json("value", value.as_ref());
        self.add(batch, "cell", thing);
        Ok(())
    }

    /// That a cell refers to for the first time.
    fn graph(&mut self, db: &Db, reference: &str, batch: &mut Batch) {
        let Ok(graph::Reference { owner, hash }) = serde_json::from_str(reference) else { return };
        let (nodes, edges) = graph::load(db, reference);
        let thing = Thing::default()
            .text("owner", owner.as_str())
            .text("hash", hash.as_str())
            .json("nodes", nodes.as_ref())
            .json("edges", edges.as_ref());
        self.add(batch, "graph", thing);
    }
}

impl Event {
    fn of(stored: &Stored<'_>) -> Event {
        Event {
            version: stored.version(),
            type_name: stored.type_name(),
            payload: stored.payload().map(|payload| payload.octets().to_vec()),
            changed: stored.changed(),
            actor: stored.actor(),
            on_behalf_of: stored.on_behalf_of(),
            at: stored.at(),
            key: stored.key(),
            kind: stored.checkpoint_kind(),
            label: stored.checkpoint_label(),
            hash: stored.hash(),
        }
    }
}

impl Content {
    fn of(left: &Cell<usize>, read: ReadValue<'_>) -> Result<Content> {
        if left.get() == 0 {
            return Ok(Content::Unread);
        }
        let Some(value) = read()? else { return Ok(Content::Unset) };
        left.set(left.get().saturating_sub(value.size()));
        Ok(Content::Value(value.octets().to_vec()))
    }
}
