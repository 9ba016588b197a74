//! The rows that stand beside a run's events and cells; and those of no run.

use super::said::{Checkpoint, Lease, Outcome, Question};
use super::{Check, Problem, after, graph_hash, hash_of, text_of};
use crate::execution::node;
use crate::pure::hash::{hex, value_hash};
use crate::server::jsonb::Jsonb;
use crate::server::spi::{Arg, At, Columns, Db, Rows, Statement, attempt, check_for_interrupts, scratch};
use crate::store::compare::cell_id;
use crate::store::statements::*;
use pgrx::IntoDatum;
use std::collections::{BTreeMap, HashMap};
use std::vec::IntoIter;

/// A table of which a run may have rows, and where those begin that were not compared yet.
pub enum OfTable {
    Run,
    /// Behind a cell; None: from the first one on.
    OrphanCells(Option<(String, String, i64, i64)>),
    Checkpoints(i64),
    Interactions(i64),
    Leases(String),
    /// Of one of these, what there should be, and is not.
    Missing(IntoIter<(Option<i64>, String)>),
}

/// Problems that are told at once where they are many.
const MANY: usize = 1000;

impl Check {
    /// Compares some rows of the next table.
    pub(super) fn rows(&mut self, db: &Db) {
        match self.rows.pop() {
            None => {}
            Some(OfTable::Run) => self.run_and_its_tables(db),
            Some(OfTable::OrphanCells(after)) => self.orphan_cells(db, after),
            Some(OfTable::Checkpoints(from)) => self.checkpoint_rows(db, from),
            Some(OfTable::Interactions(from)) => self.interaction_rows(db, from),
            Some(OfTable::Leases(from)) => self.lease_rows(db, from),
            Some(OfTable::Missing(mut missing)) => {
                for (version, problem) in missing.by_ref().take(MANY) {
                    self.problem(version, problem);
                }
                if missing.len() > 0 {
                    self.rows.push(OfTable::Missing(missing));
                }
            }
        }
    }

    fn run_and_its_tables(&mut self, db: &Db) {
        let run_id = self.run_id.as_str().into_datum();
        let Some(run) = self.query(db, &VERIFY_RUN, &[run_id], "the row of the run") else { return };
        if run.is_empty() {
            return;
        }
        let [checkpoints, interactions, leases, keys] = [14, 15, 16, 17].map(|column| run.get(0, column) == Some(true));
        self.run_row(db, &run, keys);
        let tables = [
            (leases || !self.said.leases.is_empty(), OfTable::Leases(String::new())),
            (interactions || !self.said.interactions.is_empty(), OfTable::Interactions(i64::MIN)),
            (checkpoints || !self.said.checkpoints.is_empty(), OfTable::Checkpoints(i64::MIN)),
            (run.get::<i64>(0, 13) != Some(self.cells), OfTable::OrphanCells(None)),
        ];
        self.rows.extend(tables.into_iter().filter_map(|(any, table)| any.then_some(table)));
    }

    /// Goes on with the next rows of a table, or, behind the last ones, with what is missing in it.
    fn rows_after(&mut self, next: Option<OfTable>, missing: impl FnOnce(&mut Check) -> Vec<(Option<i64>, String)>) {
        let next = next.unwrap_or_else(|| OfTable::Missing(missing(self).into_iter()));
        self.rows.push(next);
    }

    /// The rows that a statement finds of the run.
    fn query(&mut self, db: &Db, statement: &'static Statement, args: &[Arg], what: &str) -> Option<Rows> {
        self.try_read(db, None, what, || Ok(db.query(statement, args)))
    }

    /// The text of a jsonb column; None where that cannot be read.
    fn json(&mut self, db: &Db, version: Option<i64>, what: &str, row: At<'_>, column: i32) -> Option<Option<String>> {
        self.try_read(db, version, what, || text_of(row.jsonb(column)))
    }

    fn run_row(&mut self, db: &Db, run: &Rows, inherits_keys: bool) {
        let row = || At(run, 0);
        let metadata = self.json(db, None, "the run's metadata", row(), 3);
        let result = self.json(db, None, "the run's result", row(), 4);
        let workflow = (7..=10).any(|column| !row().is_null(column)).then(|| {
            Jsonb::of(&serde_json::json!({
                "owner": run.get::<String>(0, 7),
                "name": run.get::<String>(0, 8),
                "version": run.get::<i32>(0, 9),
                "hash": hash_of(&row(), 10).map(|hash| hex(&hash)),
            }))
            .text()
            .to_owned()
        });
        let parent = self.parent_fits(db, run.get(0, 11), run.get(0, 12), inherits_keys);
        let said = &self.said;
        let checks = [
            ("status", run.get::<String>(0, 1).as_deref() == Some(&said.status)),
            ("owner", run.get::<String>(0, 2).as_deref() == Some(&said.owner)),
            ("metadata", metadata.is_none_or(|metadata| metadata.as_deref() == Some(&said.metadata))),
            ("result", result.is_none_or(|result| result == said.result)),
            ("created_at", run.get::<i64>(0, 5) == Some(said.created_at)),
            ("finished_at", run.get::<i64>(0, 6) == said.finished_at),
            ("workflow", workflow == said.workflow),
            ("parent", parent),
        ];
        self.check_definition(db, run);
        for (column, right) in checks {
            if !right && self.version > 0 {
                self.problem(None, format!("the run's {column} is not what its events say"));
            }
        }
    }

    fn check_definition(&mut self, db: &Db, run: &Rows) {
        let Some((owner, name)) = run.get::<String>(0, 7).zip(run.get::<String>(0, 8)) else { return };
        let args = [owner.into_datum(), name.into_datum(), run.get::<i32>(0, 9).into_datum()];
        let definition = self.try_read(db, None, "the definition of the run's workflow", || {
            let found = db.query(&OWN_WORKFLOW, &args);
            text_of(if found.is_empty() { None } else { found.jsonb(0, 4) })
        });
        if definition.is_some_and(|text| text.as_deref().map(value_hash) != hash_of(&At(run, 0), 10)) {
            self.problem(None, "the definition of the run's workflow does not match its hash");
        }
    }

    /// A fork's parent is the one that its first event names, until that one is dropped: then it is that one's own parent, or
    /// none (version 0; release 0.1.0 kept the name); and only then the fork has keys of its own of what it inherited.
    fn parent_fits(&mut self, db: &Db, run_id: Option<String>, version: Option<i64>, inherits_keys: bool) -> bool {
        let Some(said) = &self.said.parent else { return run_id.is_none() && version.is_none() && !inherits_keys };
        let named = run_id.as_ref() == Some(&said.run_id);
        let (parent, at, hash) = (said.run_id.clone(), said.version, said.hash.clone());
        let found = self.try_read(db, None, "the run's parent", || Ok(event_hash(db, &parent, at)));
        match found {
            None => true,
            Some(Some(found)) if hash.is_none_or(|hash| hash == found) => {
                named && version == Some(at) && !inherits_keys
            }
            Some(_) => match (run_id, version) {
                (None, Some(0)) => true,
                (Some(_), Some(0)) => named,
                (Some(run_id), Some(version)) => event_hash(db, &run_id, version).is_some(),
                _ => false,
            },
        }
    }

    /// Cell rows that no event names.
    fn orphan_cells(&mut self, db: &Db, after: Option<(String, String, i64, i64)>) {
        let first = after.is_none();
        let (scope, key, ordinal, version) = after.unwrap_or((String::new(), String::new(), i64::MIN, i64::MIN));
        let run_id = self.run_id.as_str().into_datum();
        let args = [run_id, scope.into_datum(), key.into_datum(), ordinal.into_datum(), version.into_datum()];
        let what = "the list of cells that no event names";
        let Some(rows) = self.query(db, &ORPHAN_CELLS, &args, what) else { return };
        let Some(last) = rows.len().checked_sub(1) else {
            if first {
                self.problem(None, "there are more or fewer rows of cells than the events name");
            }
            return;
        };
        let [scope, key] = [1, 2].map(|column| rows.get(last, column).unwrap_or_default());
        let [ordinal, version] = [3, 4].map(|column| rows.get(last, column).unwrap_or_default());
        self.rows.push(OfTable::OrphanCells(Some((scope, key, ordinal, version))));
        for row in 0..rows.len() {
            let version: Option<i64> = rows.get(row, 4);
            match cell_id(&rows, row) {
                Some(id) => self.problem(version, format!("cell row {} is named by no event", id.name())),
                None => self.problem(version, "a cell row is named by no event"),
            }
        }
    }

    fn checkpoint_rows(&mut self, db: &Db, from: i64) {
        let args = [self.run_id.as_str().into_datum(), from.into_datum()];
        let Some(rows) = self.query(db, &VERIFY_CHECKPOINTS, &args, "the list of checkpoints") else { return };
        let mut next = None;
        for row in 0..rows.len() {
            let version: i64 = rows.get(row, 1).unwrap_or_default();
            next = version.checked_add(1);
            let said = self.said.checkpoints.remove(&version);
            let what = "the metadata of the checkpoint";
            let Some(metadata) = self.json(db, Some(version), what, At(&rows, row), 5) else { continue };
            let stored = Checkpoint {
                kind: rows.get(row, 2).unwrap_or_default(),
                label: rows.get(row, 3),
                protected: rows.get(row, 4).unwrap_or_default(),
                metadata: metadata.unwrap_or_default(),
                created_at: rows.get(row, 6).unwrap_or_default(),
            };
            match said {
                None => self.problem(Some(version), "a checkpoint row is named by no event"),
                Some(said) if said != stored => {
                    self.problem(Some(version), "the checkpoint is not what its events say");
                }
                Some(_) => {}
            }
        }
        self.rows_after(next.map(OfTable::Checkpoints), |check| {
            missing(std::mem::take(&mut check.said.checkpoints), "the row of the checkpoint is missing")
        });
    }

    fn interaction_rows(&mut self, db: &Db, from: i64) {
        let args = [self.run_id.as_str().into_datum(), from.into_datum()];
        let Some(rows) = self.query(db, &VERIFY_INTERACTIONS, &args, "the list of interactions") else { return };
        let mut next = None;
        for row in 0..rows.len() {
            check_for_interrupts();
            let version: i64 = rows.get(row, 1).unwrap_or_default();
            next = version.checked_add(1);
            let Some(said) = self.said.interactions.remove(&version) else {
                self.problem(Some(version), "an interaction row is named by no event");
                continue;
            };
            let mut json = |what: &str, column| {
                let what = format!("the {what} of the interaction");
                self.json(db, Some(version), &what, At(&rows, row), column)
            };
            let (prompt, schema) = (json("prompt", 5), json("response_schema", 6));
            let response = json("response", 9);
            let (Some(prompt), Some(response_schema), Some(response)) = (prompt, schema, response) else { continue };
            let question = Question {
                id: rows.get(row, 2).unwrap_or_default(),
                node_id: rows.get(row, 3).unwrap_or_default(),
                prompt: prompt.unwrap_or_default(),
                response_schema,
                assignee: rows.get(row, 7),
                created_at: rows.get(row, 12).unwrap_or_default(),
                expires_at: rows.get(row, 13),
            };
            let (status, by): (Option<String>, Option<String>) = (rows.get(row, 4), rows.get(row, 10));
            let stored = (
                status.as_deref(),
                rows.get::<i64>(row, 8),
                response,
                hash_of(&At(&rows, row), 14),
                by,
                rows.get(row, 11),
            );
            let outcome = match said.outcome() {
                Outcome::Pending => (Some("pending"), None, None, None, None, None),
                Outcome::Withdrawn(version) => (Some("withdrawn"), Some(*version), None, None, None, None),
                Outcome::Answered(answer) => (
                    Some("answered"),
                    Some(answer.version),
                    Some(answer.response.clone()),
                    answer.hash,
                    Some(answer.by.clone()),
                    answer.on_behalf_of.clone(),
                ),
            };
            if said.question != question || outcome != stored {
                self.problem(Some(version), "the interaction is not what its events say");
            }
        }
        self.rows_after(next.map(OfTable::Interactions), |check| {
            missing(std::mem::take(&mut check.said.interactions), "the row of the interaction is missing")
        });
    }

    /// Who holds a node stands beside the log, as nothing restores it; but the attempt and its worker are those of the node's
    /// last begin, and a lease holds while the node is at work with one.
    fn lease_rows(&mut self, db: &Db, from: String) {
        let args = [self.run_id.as_str().into_datum(), from.into_datum()];
        let Some(rows) = self.query(db, &VERIFY_LEASES, &args, "the list of leases") else { return };
        let mut next = None;
        for row in 0..rows.len() {
            check_for_interrupts();
            let node_id: String = rows.get(row, 1).unwrap_or_default();
            next = Some(after(&node_id));
            let attempt = rows.get::<i32>(row, 2).unwrap_or_default().into();
            match self.said.leases.remove(&node_id) {
                None => self.problem(None, format!("a lease row of node {node_id} is named by no event")),
                Some(said) if said != (Lease { attempt, worker: rows.get(row, 3) }) => {
                    self.problem(None, format!("the lease of node {node_id} is not what its events say"));
                }
                Some(_) => {}
            }
            let leased = self.try_read(db, None, &format!("the cell of node {node_id}"), || {
                text_of(rows.jsonb(row, 5)).map(|cell| cell.is_some_and(|cell| node::is_leased(&cell)))
            });
            if leased.is_some_and(|leased| rows.get(row, 4) != Some(leased)) {
                self.problem(None, format!("whether the lease of node {node_id} holds is not what its cell says"));
            }
        }
        self.rows_after(next.map(OfTable::Leases), |check| {
            let missing = |node_id| (None, format!("the row of the lease of node {node_id} is missing"));
            std::mem::take(&mut check.said.leases).into_keys().map(missing).collect()
        });
    }
}

/// Of versions, the same problem.
fn missing<T>(said: BTreeMap<i64, T>, problem: &str) -> Vec<(Option<i64>, String)> {
    said.into_keys().map(|version| (Some(version), problem.to_owned())).collect()
}

/// The hash of a run's event.
fn event_hash(db: &Db, run_id: &str, version: i64) -> Option<String> {
    let rows = db.query(&EVENT_HASH, &[run_id.into_datum(), version.into_datum()]);
    if rows.is_empty() { None } else { rows.hash(0, 1).map(|hash| hex(&hash)) }
}

/// What is verified beside the runs, some of it at a time, and where to go on; None where that is done.
pub struct OfNoRun {
    rows_from: Option<String>,
    workflows_after: Option<(String, String, i32)>,
    graphs_after: Option<(String, Vec<u8>, i64)>,
}

impl Default for OfNoRun {
    fn default() -> OfNoRun {
        OfNoRun {
            rows_from: Some(String::new()),
            workflows_after: Some(Default::default()),
            graphs_after: Some(Default::default()),
        }
    }
}

impl OfNoRun {
    /// False where nothing is left.
    pub fn go_on(&mut self, db: &Db, problems: &mut Vec<Problem>) -> bool {
        if let Some(from) = self.rows_from.take() {
            self.rows_from = or_unreadable(db, problems, || without_run(db, &from));
        } else if let Some(behind) = self.workflows_after.take() {
            self.workflows_after = or_unreadable(db, problems, || of_workflows(db, &behind));
        } else if let Some(behind) = self.graphs_after.take() {
            self.graphs_after = or_unreadable(db, problems, || of_graphs(db, &behind));
        } else {
            return false;
        }
        true
    }
}

/// The problems of some rows, and where the next ones are.
fn or_unreadable<T>(
    db: &Db,
    problems: &mut Vec<Problem>,
    check: impl FnOnce() -> (Vec<Problem>, Option<T>),
) -> Option<T> {
    let (found, next) = scratch(db, || attempt(db, check))
        .unwrap_or_else(|reason| (vec![(None, None, format!("rows cannot be read: {reason}"))], None));
    problems.extend(found);
    next
}

/// Rows whose run is gone.
fn without_run(db: &Db, from: &str) -> (Vec<Problem>, Option<String>) {
    let rows = db.query(&ROWS_WITHOUT_RUN, &[from.into_datum(), (MANY as i64).into_datum()]);
    let mut tables: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut of_table: HashMap<String, (usize, String)> = HashMap::new();
    for row in 0..rows.len() {
        let [run_id, table] = [1, 2].map(|column| rows.get::<String>(row, column).unwrap_or_default());
        tables.entry(run_id.clone()).or_default().push(table.clone());
        let (count, last) = of_table.entry(table).or_default();
        (*count, *last) = (*count + 1, run_id);
    }
    // Of a table that has more, those behind its last run are not known yet.
    let known = of_table.into_values().filter(|(count, _)| *count == MANY).map(|(_, last)| last).min();
    let from = known.as_deref().map(after);
    if let Some(from) = &from {
        tables.split_off(from);
    }
    let problem = |tables: Vec<String>| format!("there are rows of {}, but no run", tables.join(", "));
    (tables.into_iter().map(|(run_id, tables)| (Some(run_id), None, problem(tables))).collect(), from)
}

/// Definitions, also those that no run uses.
fn of_workflows(db: &Db, behind: &(String, String, i32)) -> (Vec<Problem>, Option<(String, String, i32)>) {
    let args = [behind.0.as_str().into_datum(), behind.1.as_str().into_datum(), behind.2.into_datum()];
    let rows = db.query(&VERIFY_WORKFLOWS, &args);
    let mut last = None;
    let mut problems = Vec::new();
    for row in 0..rows.len() {
        check_for_interrupts();
        let [owner, name] = [1, 2].map(|column| rows.get::<String>(row, column).unwrap_or_default());
        let version: i32 = rows.get(row, 3).unwrap_or_default();
        let what = || format!("the definition of workflow {name:?} version {version} of {owner:?}");
        match attempt(db, || text_of(rows.jsonb(row, 5))).and_then(|read| read) {
            Err(reason) => problems.push((None, None, format!("{} cannot be read: {reason}", what()))),
            Ok(text) if text.as_deref().map(value_hash) != hash_of(&At(&rows, row), 4) => {
                problems.push((None, None, format!("{} does not match its hash", what())));
            }
            Ok(_) => {}
        }
        last = Some((owner, name, version));
    }
    (problems, last)
}

/// Graphs, also those that no run uses.
fn of_graphs(db: &Db, behind: &(String, Vec<u8>, i64)) -> (Vec<Problem>, Option<(String, Vec<u8>, i64)>) {
    let args = [behind.0.as_str().into_datum(), behind.1.as_slice().into_datum(), behind.2.to_string().into_datum()];
    let rows = db.query(&VERIFY_GRAPHS, &args);
    let mut last = None;
    let mut problems = Vec::new();
    for row in 0..rows.len() {
        check_for_interrupts();
        let (owner, hash): (String, Vec<u8>) =
            (rows.get(row, 1).unwrap_or_default(), rows.get(row, 2).unwrap_or_default());
        let what = format!("the graph {} of {owner:?}", hex(&hash));
        match attempt(db, || graph_hash(rows.jsonb(row, 4), rows.jsonb(row, 5))).and_then(|read| read) {
            Err(reason) => problems.push((None, None, format!("{what} cannot be read: {reason}"))),
            Ok(found) if found.as_slice() != hash => {
                problems.push((None, None, format!("{what} does not match its hash")));
            }
            Ok(_) => {}
        }
        last = Some((owner, hash, rows.get(row, 3).unwrap_or_default()));
    }
    (problems, last)
}
