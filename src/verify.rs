//! `verify`: recomputes the hash chain, and compares every stored row with the events it follows from.

use crate::args;
use crate::cell::{CellId, columns};
use crate::definition::Graph;
use crate::error::Result;
use crate::hash::{self, Hash, Link, hex, value_hash};
use crate::history::unix_micros;
use crate::jsonb::Jsonb;
use crate::run::Reader;
use crate::spi::{At, Columns, Db, Rows, check_for_interrupts, scratch};
use crate::statements::*;
use crate::{access, graph};
use pgrx::IntoDatum;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use serde_json::value::RawValue;
use std::collections::{BTreeMap, HashMap, HashSet};

/// Events read at a time: memory stays flat however long the log is.
const BATCH: i64 = 1000;

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
        let rows = db
            .query(&VERIFY_EVENTS, &[self.run_id.as_str().into_datum(), self.version.into_datum(), BATCH.into_datum()]);
        if rows.is_empty() {
            return false;
        }
        let changed: Vec<Vec<String>> = (0..rows.len()).map(|row| rows.get(row, 5).unwrap_or_default()).collect();
        let versions: Vec<i64> = (0..rows.len()).map(|row| rows.get(row, 1).unwrap_or_default()).collect();
        let (cells, mut stored) = self.stored_cells(db, &versions, &changed);
        for row in 0..rows.len() {
            let version = versions[row];
            if version != self.version + 1 {
                self.problem(
                    Some(self.version + 1),
                    format!("events {} to {} are missing", self.version + 1, version - 1),
                );
            }
            let type_name: String = rows.get(row, 2).unwrap_or_default();
            let payload = rows.jsonb(row, 3);
            let payload_hash = rows.hash(row, 4).unwrap_or_default();
            let cells_hash = rows.hash(row, 6).unwrap_or_default();
            let actor: String = rows.get(row, 7).unwrap_or_default();
            let on_behalf_of: Option<String> = rows.get(row, 8);
            let at: i64 = rows.get(row, 9).unwrap_or_default();
            let key: Option<String> = rows.get(row, 10);
            let kind: Option<String> = rows.get(row, 11);
            let label: Option<String> = rows.get(row, 12);
            let hash = rows.hash(row, 13).unwrap_or_default();

            let text = payload.as_ref().map(Jsonb::text);
            if text.is_some_and(|text| value_hash(text) != payload_hash) {
                self.problem(Some(version), "the payload does not match its hash");
            }
            let stored = stored.remove(&version).unwrap_or_default();
            let octets = self.check_cells(version, &changed[row], cells_hash, &cells, stored, db);
            let link = Link {
                previous: self.hash,
                run_id: &self.run_id,
                version,
                type_name: &type_name,
                actor: &actor,
                on_behalf_of: on_behalf_of.as_deref(),
                at: unix_micros(at),
                idempotency_key: key.as_deref(),
                checkpoint_kind: kind.as_deref(),
                checkpoint_label: label.as_deref(),
                payload_hash,
                cells_hash,
            };
            if link.hash() != hash {
                self.problem(Some(version), "the event does not match its hash");
            }
            if at < self.at {
                self.problem(Some(version), "the event is earlier than the one before");
            }
            if kind.is_some() {
                self.checkpoint_version = Some(version);
            }
            if rows.get::<i64>(row, 15) != self.checkpoint_version {
                self.problem(Some(version), "checkpoint_version is not the version of the last checkpoint");
            }
            self.check_bytes(version, &type_name, kind.is_some(), text, octets, rows.get(row, 14).unwrap_or_default());
            (self.version, self.hash, self.at) = (version, hash, at);
            let payload: Payload<'_> = text.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
            self.fold(&type_name, &payload, kind, label, at);
            self.fold_interactions(&type_name, &payload, actor, on_behalf_of);
        }
        true
    }

    /// The cell rows that the events name, and which is whose, by version and cell.
    fn stored_cells(
        &self,
        db: &Db,
        versions: &[i64],
        changed: &[Vec<String>],
    ) -> (Rows, HashMap<i64, HashMap<CellId, usize>>) {
        let mut ids = Vec::new();
        let mut at = Vec::new();
        for (version, names) in versions.iter().zip(changed) {
            for id in names.iter().filter_map(|name| CellId::from_name(name)) {
                ids.push(id);
                at.push(*version);
            }
        }
        let mut stored: HashMap<i64, HashMap<CellId, usize>> = HashMap::new();
        let [scopes, keys, ordinals] = columns(&ids);
        let rows = db.query(
            &VERIFY_CELLS,
            &[self.run_id.as_str().into_datum(), at.clone().into_datum(), scopes, keys, ordinals],
        );
        for row in 0..rows.len() {
            let index = rows.get::<i64>(row, 1).unwrap_or(1) as usize - 1;
            stored.entry(at[index]).or_default().insert(ids[index].clone(), row);
        }
        (rows, stored)
    }

    fn check_cells(
        &mut self,
        version: i64,
        changed: &[String],
        cells_hash: Hash,
        cells: &Rows,
        stored: HashMap<CellId, usize>,
        db: &Db,
    ) -> i64 {
        let mut hashed: Vec<(CellId, Option<Hash>)> = Vec::with_capacity(changed.len());
        let mut missing = false;
        let mut octets = 0;
        for name in changed {
            let Some((id, row)) = CellId::from_name(name).and_then(|id| stored.get_key_value(&id)) else {
                self.problem(Some(version), format!("the row of cell {name} is missing"));
                missing = true;
                continue;
            };
            self.cells += 1;
            let cell = At(cells, *row);
            let hash = cell.hash(3);
            // One value at a time, however many the events of a batch changed.
            let value = scratch(db, || {
                let value = if cell.is_null(5) { Ok(cell.jsonb(4)) } else { id.at(&self.run_id).value_at(db, version) };
                value.map(|value| {
                    let text = value.as_ref().map(Jsonb::text);
                    let graph = text.filter(|_| id.key == graph::CELL).map(str::to_owned);
                    (text.map_or(0, str::len), text.map(value_hash), graph)
                })
            });
            match value {
                Err(_) => self.problem(Some(version), format!("the changes of cell {name} do not fit together")),
                Ok((length, recomputed, graph)) => {
                    octets += length as i64;
                    if recomputed != hash {
                        self.problem(Some(version), format!("the value of cell {name} does not match its hash"));
                    }
                    if let Some(graph) = graph
                        && self.graphs.insert(graph.clone())
                    {
                        self.check_graph(version, &graph, db);
                    }
                }
            }
            if cell.get::<i64>(2) != Some(cell.get::<i64>(6).unwrap_or_default() + 1) {
                self.problem(Some(version), format!("the revision of cell {name} is not one more than before"));
            }
            hashed.push((id.clone(), hash));
        }
        hashed.sort();
        let recomputed =
            hash::cells_hash(hashed.iter().map(|(id, hash)| (id.scope, id.key.as_str(), id.ordinal, *hash)));
        if !missing && recomputed != cells_hash {
            self.problem(Some(version), "the changed cells do not match the event's cells_hash");
        }
        octets
    }

    /// The running counter of octets: payloads and new values since the last checkpoint; what a rollback or a fork brings
    /// back is not new.
    fn check_bytes(
        &mut self,
        version: i64,
        type_name: &str,
        checkpoint: bool,
        payload: Option<&str>,
        octets: i64,
        stored: i64,
    ) {
        let new = if matches!(type_name, "run.rolled_back" | "run.forked") { 0 } else { octets };
        let expected = match payload {
            _ if checkpoint => 0,
            Some(payload) => self.bytes + new + payload.len() as i64,
            None => stored,
        };
        if stored != expected {
            self.problem(Some(version), "bytes_since_checkpoint is not what was written since the last checkpoint");
        }
        self.bytes = stored;
    }

    fn check_graph(&mut self, version: i64, reference: &str, db: &Db) {
        let Ok(parsed) = serde_json::from_str::<graph::Reference>(reference) else { return };
        let (nodes, edges) = graph::load(db, reference);
        let text = |part: Option<Jsonb>| part.map(|part| part.text().to_owned());
        if hex(&graph::hash(&Graph { nodes: text(nodes), edges: text(edges) })) != parsed.hash {
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
    fn fold_interactions(
        &mut self,
        type_name: &str,
        payload: &Payload<'_>,
        actor: String,
        on_behalf_of: Option<String>,
    ) {
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
                        (closed.answered_by, closed.answered_for) = (Some(actor.clone()), on_behalf_of.clone());
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
