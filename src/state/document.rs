//! The whole state as an engine's own document: `save_state` stores what differs, `get_state` gives back what was saved.

use crate::pure::binary::{FALSE, Item, Member, NOTHING, NULL, TRUE, Value};
use crate::pure::hash::{Hash, hex, value_hash};
use crate::pure::list;
use crate::server::args::{self, MAX_VALUE};
use crate::server::error::{Error, Result};
use crate::server::interrupts::check_for_interrupts;
use crate::server::jsonb::{self, Jsonb};
use crate::server::role;
use crate::state::change::{Change, NewEvent, Opened, Request};
use crate::state::completion::Completed;
use crate::state::reader::Reader;
use crate::state::run::first_payload;
use crate::state::variables;
use crate::store::cell::{COUNTER, CellId, Counter, Newest};
use crate::store::db::Db;
use crate::store::graph::{self, Parts};
use crate::store::lease;
use crate::store::live::{self, live_cells};
use crate::store::node::{self, Node};
use crate::store::run::{Run, Status};
use crate::store::write::Write;
use foldhash::{HashMap, HashSet};
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

/// The engine cell that remembers which of the document's fields were there when it was last saved.
const FIELDS_CELL: &str = "layra.document";

/// The fields that are made of cells, or of the graph; every other field is an engine cell.
const VARIABLES: &str = "global_variables";
const STATUS: &str = "execution_status";
const LOOPS: &str = "loop_index";
const CONTEXT: &str = "context";
const NODES: &str = "nodes";
const EDGES: &str = "edges";
pub const OWN_FIELDS: [&str; 6] = [VARIABLES, STATUS, LOOPS, CONTEXT, NODES, EDGES];

/// What a run that was never saved shows all the same, and whether it is a list.
const EMPTY_FIELDS: [(&str, bool); 6] = [
    (CONTEXT, false),
    ("execution_stack", true),
    (STATUS, false),
    (VARIABLES, false),
    (LOOPS, false),
    ("skip_nodes", true),
];

/// A document taken apart, every part checked for its type.
struct Document {
    fields: BTreeSet<String>,
    variables: Vec<(String, Jsonb)>,
    /// Node and what the document shows of it: true, false or null.
    statuses: Vec<(String, String)>,
    loops: Vec<(String, Jsonb)>,
    context: Vec<(String, Vec<Jsonb>)>,
    graph: Parts,
    engine: Vec<(String, Jsonb)>,
}

impl Document {
    fn new(state: Jsonb) -> Result<Document> {
        let mut document = Document {
            fields: BTreeSet::new(),
            variables: Vec::new(),
            statuses: Vec::new(),
            loops: Vec::new(),
            context: Vec::new(),
            graph: Parts::default(),
            engine: Vec::new(),
        };
        for (field, value) in state.entries() {
            match field.as_str() {
                VARIABLES => document.variables = args::members(Some(value), VARIABLES)?,
                STATUS => {
                    for (id, shown) in args::members(Some(value), STATUS)? {
                        check_for_interrupts();
                        let shown = shown.text().to_owned();
                        if !["true", "false", "null"].contains(&shown.as_str()) {
                            return Err(Error::argument("the values of execution_status must be true, false or null"));
                        }
                        document.statuses.push((id, shown));
                    }
                }
                LOOPS => {
                    document.loops = args::members(Some(value), LOOPS)?;
                    if document.loops.iter().any(|(_, index)| !is_number(index.text())) {
                        return Err(Error::argument("the values of loop_index must be numbers"));
                    }
                }
                CONTEXT => {
                    for (id, list) in args::members(Some(value), CONTEXT)? {
                        if !list.is_array() {
                            return Err(Error::argument("the values of context must be arrays"));
                        }
                        document.context.push((id, list.elements()));
                    }
                }
                NODES | EDGES => {
                    if !value.is_array() {
                        return Err(Error::argument(format!("{field} must be a JSON array")));
                    }
                    let part = if field == NODES { &mut document.graph.nodes } else { &mut document.graph.edges };
                    *part = Some(value);
                }
                _ => {
                    engine_field(&field)?;
                    document.engine.push((field.clone(), value));
                }
            }
            document.fields.insert(field);
        }
        Ok(document)
    }
}

/// The name of a field that is an engine cell.
pub fn engine_field(field: &str) -> Result<()> {
    args::name(Some(field), "a field of state")?;
    if field.starts_with("layra.") {
        return Err(Error::argument(
            "names of fields must not start with \"layra.\", which is reserved for the extension",
        ));
    }
    Ok(())
}

fn is_number(text: &str) -> bool {
    text.starts_with(|first: char| first == '-' || first.is_ascii_digit())
}

fn loop_cell(index: &Jsonb) -> Jsonb {
    Jsonb::parse(&format!("{{\"index\":{}}}", index.text()))
}

/// What the document shows of a loop cell.
fn loop_index(value: &str) -> Option<String> {
    let fields: HashMap<String, &serde_json::value::RawValue> = serde_json::from_str(value).ok()?;
    Some(fields.get("index")?.get().to_owned())
}

/// What `execution_status` shows: true = completed or skipped, null = running, false = the rest.
fn status_shown(value: &str) -> &'static str {
    let node: Node = serde_json::from_str(value).unwrap_or_default();
    match node.status.as_str() {
        "completed" | "skipped" => "true",
        "running" => "null",
        _ => "false",
    }
}

/// As `status_shown`, as a part of the document.
fn shown_part(value: &str) -> Value<'static> {
    let kind = match status_shown(value) {
        "true" => TRUE,
        "null" => NULL,
        _ => FALSE,
    };
    Value::Raw(Item { kind, octets: &[] })
}

/// The cell of a node of which only a document's true, null or false is known.
fn from_shown(shown: &str) -> Jsonb {
    Jsonb::parse(match shown {
        "true" => r#"{"status":"completed"}"#,
        "null" => r#"{"status":"running"}"#,
        _ => r#"{"status":"pending"}"#,
    })
}

/// The newest cells of a run, as far as a document is compared with them.
#[derive(Default)]
struct Stored {
    live: HashSet<CellId>,
    /// The values of nodes, loops and the graph reference.
    values: HashMap<CellId, String>,
    /// Of each node's context, with the highest ordinal that was ever used (-1: none); rollbacks do not lower that.
    counters: HashMap<String, (Counter, i64)>,
    /// Of the entries of context.
    hashes: HashMap<CellId, Hash>,
}

impl Stored {
    fn read(change: &mut Change<'_>) -> Stored {
        let mut stored = Stored::default();
        let Change { db, cells, run_id, .. } = change;
        live::compared(db, run_id, |found| {
            stored.add(&found.id, &found.newest, found.value);
            if let Some(counter) = found.counter {
                stored.counters.insert(found.id.key.clone(), counter);
            }
            cells.know(found.id, found.newest);
        });
        stored
    }

    fn add(&mut self, id: &CellId, newest: &Newest, value: Option<Jsonb>) {
        if let Some(hash) = newest.hash {
            self.live.insert(id.clone());
            if id.scope == "context" {
                self.hashes.insert(id.clone(), hash);
            }
            self.values.extend(value.map(|value| (id.clone(), value.text().to_owned())));
        }
    }
}

#[pg_extern]
fn save_state(
    run_id: Option<&str>,
    state: Option<Jsonb>,
    expected_version: default!(Option<i64>, "NULL"),
    idempotency_key: default!(Option<&str>, "NULL"),
) -> std::result::Result<i64, ErrorReport> {
    let request = Request::new(run_id, idempotency_key)?;
    let document = Document::new(args::object(state, "state")?)?;
    Ok(save(request, document, args::expected(expected_version)?)?)
}

fn save(request: Request<'_>, document: Document, expected: Option<i64>) -> Result<i64> {
    let (mut change, created) = loop {
        match request.clone().try_open("state.saved")? {
            Some(Opened::Repeated(version)) => return Ok(version),
            Some(Opened::Change(change)) => break (*change, false),
            None => {}
        }
        if let Some(expected) = expected
            && expected != 0
        {
            return Err(Error::NoSuchRun(request.run_id.to_owned()));
        }
        let db = Db::write();
        let run = Run {
            status: Status::Running,
            owner: role::role_name(db.caller),
            workflow: None,
            parent: None,
            orphan: false,
        };
        if let Some(now) = run.insert(&db, request.run_id, Jsonb::parse("{}"))? {
            break (request.create(db, run, now), true);
        }
        // Somebody created it since we looked: open that one.
        check_for_interrupts();
    };
    change.expect_version(expected)?;
    change.require_unfinished()?;
    let payload =
        if created { first_payload(&change, Jsonb::parse("{}"), None, Completed::new()) } else { Jsonb::parse("{}") };
    let writes = plan(&mut change, document, created)?;
    let version = change.append(NewEvent::new("state.saved", payload, writes))?;
    change.close(version)
}

/// The rows that turn the stored state into the document.
fn plan(change: &mut Change<'_>, document: Document, created: bool) -> Result<Vec<Write>> {
    let mut stored = if created { Stored::default() } else { Stored::read(change) };
    let mut gone = std::mem::take(&mut stored.live);
    let mut values: Vec<(String, Option<Jsonb>)> = Vec::new();
    for (name, value) in document.variables {
        gone.remove(&CellId::variable(&name));
        values.push((name, Some(value)));
    }
    values.extend(gone.iter().filter(|id| id.scope == "variable").map(|id| (id.key.clone(), None)));
    let mut writes = variables::plan_loaded(change, values)?;
    gone.retain(|id| id.scope != "variable");

    let mut unleased = Vec::new();
    // A node or loop is touched only where what the document shows of it differs: details and attempts survive.
    for (key, shown) in document.statuses {
        check_for_interrupts();
        let id = CellId::new("node", key);
        gone.remove(&id);
        if stored.values.get(&id).is_none_or(|value| status_shown(value) != shown) {
            if stored.values.get(&id).is_some_and(|value| node::is_leased(value)) {
                unleased.push(id.key.clone());
            }
            writes.extend(change.cells.write(id, Some(from_shown(&shown)), MAX_VALUE)?);
        }
    }
    let left_out = gone.iter().filter(|id| id.scope == "node");
    unleased.extend(
        left_out
            .filter(|id| stored.values.get(id).is_some_and(|value| node::is_leased(value)))
            .map(|id| id.key.clone()),
    );
    if !unleased.is_empty() {
        lease::release(&change.db, change.run_id, unleased);
    }
    for (key, index) in document.loops {
        let id = CellId::new("loop", key);
        gone.remove(&id);
        if stored.values.get(&id).and_then(|value| loop_index(value)).as_deref() != Some(index.text()) {
            writes.extend(change.cells.write(id, Some(loop_cell(&index)), MAX_VALUE)?);
        }
    }
    for (key, list) in document.context {
        plan_context(change, &stored, &key, list, &mut gone, &mut writes)?;
    }
    for (key, value) in document.engine {
        let id = CellId::new("engine", key);
        gone.remove(&id);
        writes.extend(change.cells.write(id, Some(value), MAX_VALUE)?);
    }
    plan_graph(change, &stored, &document.graph, &mut gone, &mut writes)?;

    let fields_cell = CellId::new("engine", FIELDS_CELL);
    gone.remove(&fields_cell);
    let shown: Vec<&str> = OWN_FIELDS.into_iter().filter(|field| document.fields.contains(*field)).collect();
    writes.extend(change.cells.write(fields_cell, Some(Jsonb::of(&shown)), MAX_VALUE)?);
    for id in gone {
        check_for_interrupts();
        writes.extend(change.cells.write(id, None, MAX_VALUE)?);
    }
    Ok(writes)
}

/// One node's list: entries are cells of their own, so a list that grows or slides is not rewritten.
fn plan_context(
    change: &mut Change<'_>,
    stored: &Stored,
    key: &str,
    list: Vec<Jsonb>,
    gone: &mut HashSet<CellId>,
    writes: &mut Vec<Write>,
) -> Result<()> {
    let (Counter { live, next }, highest) = stored.counters.get(key).copied().unwrap_or((Counter::default(), COUNTER));
    let first = next - live;
    let old: Vec<Option<Hash>> =
        (first..next).map(|ordinal| stored.hashes.get(&CellId::context(key, ordinal)).copied()).collect();
    let new: Vec<Option<Hash>> = list.iter().map(|entry| Some(value_hash(entry.text()))).collect();
    let edit = list::edit(&old, &new);
    let start = first + edit.dropped as i64;
    for ordinal in start..start + list.len() as i64 {
        gone.remove(&CellId::context(key, ordinal));
    }
    // Ordinals above the live ones may have been used before the list was shortened; those above `highest` never were.
    let unread: Vec<CellId> = edit
        .written
        .iter()
        .map(|position| CellId::context(key, start + *position as i64))
        .filter(|id| id.ordinal <= highest && !change.cells.knows(id))
        .collect();
    change.cells.load(&change.db, change.run_id, unread);
    for position in edit.written {
        let id = CellId::context(key, start + position as i64);
        writes.extend(change.cells.write(id, Some(list[position]), MAX_VALUE)?);
    }
    let counter = CellId::context(key, COUNTER);
    gone.remove(&counter);
    let end = start + list.len() as i64;
    let entries = Counter { live: list.len() as i64, next: end };
    writes.extend(change.cells.write(counter, Some(Jsonb::of(&entries)), MAX_VALUE)?);
    Ok(())
}

/// A document without nodes and edges leaves the graph as it is.
fn plan_graph(
    change: &mut Change<'_>,
    stored: &Stored,
    graph: &Parts,
    gone: &mut HashSet<CellId>,
    writes: &mut Vec<Write>,
) -> Result<()> {
    let id = CellId::new("engine", graph::CELL);
    gone.remove(&id);
    if graph.nodes.is_none() && graph.edges.is_none() {
        return Ok(());
    }
    let hash = hex(&graph.hash());
    let current = stored.values.get(&id).and_then(|value| serde_json::from_str::<graph::Reference>(value).ok());
    if current.is_some_and(|current| current.hash == hash) {
        return Ok(());
    }
    if let Some(reference) = graph.store(&change.db, &change.run.owner) {
        writes.extend(change.cells.write(id, Some(Jsonb::of(&reference)), MAX_VALUE)?);
    }
    Ok(())
}

#[pg_extern(stable)]
fn get_state(
    run_id: Option<&str>,
    at_version: default!(Option<i64>, "NULL"),
) -> std::result::Result<Jsonb, ErrorReport> {
    Ok(read(run_id, at_version)?)
}

fn read(run_id: Option<&str>, at_version: Option<i64>) -> Result<Jsonb> {
    let run_id = args::run_id(run_id)?;
    let at_version = at_version.map(|version| args::version(Some(version), "at_version")).transpose()?;
    let reader = Reader::open(run_id)?;
    reader.require_version(at_version, "at_version")?;
    Ok(document(&reader.db, run_id, at_version))
}

/// The document at a version (the newest: None), put together from its parts without a text between.
pub fn document(db: &Db, run_id: &str, at_version: Option<i64>) -> Jsonb {
    let mut objects: BTreeMap<&'static str, Vec<Member<'_>>> = BTreeMap::new();
    let mut lists: BTreeMap<&str, Vec<Value<'_>>> = BTreeMap::new();
    let mut fields: BTreeMap<&str, Value<'_>> = BTreeMap::new();
    let mut saved: Option<Vec<String>> = None;
    let mut graph_reference = None;
    let cells = live_cells(db, run_id, None, at_version);
    for cell in &cells {
        check_for_interrupts();
        let value = || cell.value.as_ref().map_or(Value::Raw(NOTHING), Jsonb::part);
        let text = || cell.value.as_ref().map_or("null", Jsonb::text);
        let mut show = |field: &'static str, value| {
            objects.entry(field).or_default().push((Cow::Borrowed(cell.key.as_bytes()), value));
        };
        match cell.scope.as_str() {
            "variable" => show(VARIABLES, value()),
            "node" => show(STATUS, shown_part(text())),
            "loop" => {
                let index = cell.value.as_ref().and_then(|value| value.member("index"));
                show(LOOPS, index.unwrap_or(Value::Raw(NOTHING)));
            }
            "context" => {
                let list = lists.entry(&cell.key).or_default();
                if cell.ordinal.is_some() {
                    list.push(value());
                }
            }
            "engine" => match cell.key.as_str() {
                FIELDS_CELL => saved = serde_json::from_str(text()).ok(),
                graph::CELL => graph_reference = Some(text()),
                key => {
                    fields.insert(key, value());
                }
            },
            // Written manually.
            _ => {}
        }
    }
    for (key, list) in lists {
        objects.entry(CONTEXT).or_default().push((Cow::Borrowed(key.as_bytes()), Value::Array(list)));
    }
    // Fields that are empty are there where they were saved so, or where nothing was ever saved.
    for (field, is_list) in EMPTY_FIELDS {
        if saved.as_ref().is_none_or(|saved| saved.iter().any(|s| s == field)) {
            let empty = if is_list { Value::Array(Vec::new()) } else { Value::Object(Vec::new()) };
            fields.entry(field).or_insert(empty);
        }
    }
    for (field, members) in objects {
        fields.insert(field, jsonb::object(members));
    }
    let (nodes, edges) = graph_reference.map(|reference| graph::load(db, reference)).unwrap_or_default();
    for (field, value) in [(NODES, &nodes), (EDGES, &edges)] {
        if let Some(value) = value
            && saved.as_ref().is_none_or(|saved| saved.iter().any(|s| s == field))
        {
            fields.insert(field, value.part());
        }
    }
    Jsonb::object(fields.into_iter().map(|(field, value)| (Cow::Borrowed(field.as_bytes()), value)).collect())
}
