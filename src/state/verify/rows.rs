//! The rows that stand beside a run's events and cells; and those of no run.

use super::said::{Checkpoint, Lease, Outcome, Question};
use super::{Check, Problem, after, graph_hash, text_of};
use crate::pure::hash::{hex, unhex, value_hash};
use crate::server::interrupts::check_for_interrupts;
use crate::server::jsonb::Jsonb;
use crate::server::spi::{attempt, scratch};
use crate::store::cell::Orphan;
use crate::store::db::Db;
use crate::store::seal::{self, Newest, Which};
use crate::store::{cell, checkpoint, event, graph, interaction, lease, node, orphan, run, workflow};
use std::collections::{BTreeMap, HashMap};
use std::vec::IntoIter;

/// A table of which a run may have rows, and where those begin that were not compared yet.
pub enum OfTable {
    Run,
    /// Behind one; None: from the first one on.
    OrphanCells(Option<Orphan>),
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
        let found = self.list(db, "the row of the run", run::stored);
        let Some(run) = found.flatten() else { return };
        self.run_row(db, &run);
        self.seal_before(db);
        let tables = [
            (run.has_leases() || !self.said.leases.is_empty(), OfTable::Leases(String::new())),
            (run.has_interactions() || !self.said.interactions.is_empty(), OfTable::Interactions(i64::MIN)),
            (run.has_checkpoints() || !self.said.checkpoints.is_empty(), OfTable::Checkpoints(i64::MIN)),
            (run.cells() != Some(self.cells), OfTable::OrphanCells(None)),
        ];
        self.rows.extend(tables.into_iter().filter_map(|(any, table)| any.then_some(table)));
    }

    /// Goes on with the next rows of a table, or, behind the last ones, with what is missing in it.
    fn rows_after(&mut self, next: Option<OfTable>, missing: impl FnOnce(&mut Check) -> Vec<(Option<i64>, String)>) {
        let next = next.unwrap_or_else(|| OfTable::Missing(missing(self).into_iter()));
        self.rows.push(next);
    }

    /// What is found of the run.
    fn list<T>(&mut self, db: &Db, what: &str, find: impl FnOnce(&Db, &str) -> T) -> Option<T> {
        let run_id = self.run_id.clone();
        self.try_read(db, None, what, || Ok(find(db, &run_id)))
    }

    /// The text of a value; None where that cannot be read.
    fn json(
        &mut self,
        db: &Db,
        version: Option<i64>,
        what: &str,
        value: impl FnOnce() -> Option<Jsonb>,
    ) -> Option<Option<String>> {
        self.try_read(db, version, what, || text_of(value()))
    }

    fn run_row(&mut self, db: &Db, run: &run::Stored) {
        let metadata = self.json(db, None, "the run's metadata", || run.metadata());
        let result = self.json(db, None, "the run's result", || run.result());
        let workflow = run.has_workflow().then(|| {
            Jsonb::of(&serde_json::json!({
                "owner": run.workflow_owner(),
                "name": run.workflow(),
                "version": run.workflow_version(),
                "hash": run.definition_hash().map(|hash| hex(&hash)),
            }))
            .text()
            .to_owned()
        });
        let (parent, parent_version) = run.parent();
        let parent = self.parent_fits(db, parent, parent_version, run.inherits_keys());
        let said = &self.said;
        let checks = [
            ("status", run.status().as_deref() == Some(&said.status)),
            ("owner", run.owner().as_deref() == Some(&said.owner)),
            ("metadata", metadata.is_none_or(|metadata| metadata.as_deref() == Some(&said.metadata))),
            ("result", result.is_none_or(|result| result == said.result)),
            ("created_at", run.created_at() == Some(said.created_at)),
            ("finished_at", run.finished_at() == said.finished_at),
            ("workflow", workflow == said.workflow),
            ("hold", run.hold() == said.hold),
            ("parent", parent),
        ];
        self.check_definition(db, run);
        for (column, right) in checks {
            if !right && self.version > 0 {
                self.problem(None, format!("the run's {column} is not what its events say"));
            }
        }
    }

    /// The first event names the newest seal of the run id, and no other; that of an import, which came later, names the version
    /// that the run had then.
    fn seal_before(&mut self, db: &Db) {
        let Some(found) = self.list(db, "the seal before the run", Newest::of) else { return };
        let said = self.said.seal.clone();
        if self.version == 0 || said == found.as_ref().map(|seal| hex(&seal.hash)) {
            return;
        }
        if let Some(number) = found.as_ref().map(|seal| seal.number) {
            let imported =
                self.list(db, "the seal of the import", |db, run_id| was_imported(db, run_id, number, said.as_deref()));
            if imported.is_none_or(|imported| imported) {
                return;
            }
        }
        let problem = match found {
            None => "the seal that the first event names is missing",
            Some(_) => "the first event does not name the newest seal of the run id",
        };
        self.problem(Some(1), problem);
    }

    fn check_definition(&mut self, db: &Db, run: &run::Stored) {
        let Some((owner, name)) = run.workflow_owner().zip(run.workflow()) else { return };
        let definition = self.try_read(db, None, "the definition of the run's workflow", || {
            let found = workflow::find_own(db, &owner, &name, run.workflow_version());
            text_of(found.and_then(|found| found.definition()))
        });
        if definition.is_some_and(|text| text.as_deref().map(value_hash) != run.definition_hash()) {
            self.problem(None, "the definition of the run's workflow does not match its hash");
        }
    }

    /// A fork's parent is the one that its first event names, until that one is dropped: then it is that one's own parent, or
    /// none (version 0; release 0.1.0 kept the name); and only then the fork has keys of its own of what it inherited.
    fn parent_fits(&mut self, db: &Db, run_id: Option<String>, version: Option<i64>, inherits_keys: bool) -> bool {
        let Some(said) = &self.said.parent else { return run_id.is_none() && version.is_none() && !inherits_keys };
        let named = run_id.as_ref() == Some(&said.run_id);
        let (parent, at, hash) = (said.run_id.clone(), said.version, said.hash.clone());
        let run_id_here = self.run_id.clone();
        let found = self.try_read(db, None, "the run's parent", || Ok(event_hash(db, &parent, at)));
        match found {
            None => true,
            Some(Some(found)) if hash.is_none_or(|hash| hash == found) => {
                // It was dropped, or elsewhere, and came back without its fork; or that came without it.
                let returned = || [&parent, &run_id_here].into_iter().any(|id| seal::was_imported(db, id));
                named && version == Some(at) && !inherits_keys
                    || !named && version == Some(0) && run_id.is_none() && returned()
                    || !named
                        && run_id.is_some_and(|run_id| event_hash(db, &run_id, version.unwrap_or(0)).is_some())
                        && returned()
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
    fn orphan_cells(&mut self, db: &Db, after: Option<Orphan>) {
        let what = "the list of cells that no event names";
        let Some(mut orphans) = self.list(db, what, |db, run_id| cell::orphans(db, run_id, after.as_ref())) else {
            return;
        };
        for orphan in &orphans {
            let version = Some(orphan.version);
            match orphan.id() {
                Some(id) => self.problem(version, format!("cell row {} is named by no event", id.name())),
                None => self.problem(version, "a cell row is named by no event"),
            }
        }
        match orphans.pop() {
            Some(last) => self.rows.push(OfTable::OrphanCells(Some(last))),
            None if after.is_none() => {
                self.problem(None, "there are more or fewer rows of cells than the events name");
            }
            None => {}
        }
    }

    fn checkpoint_rows(&mut self, db: &Db, from: i64) {
        let read = |db: &Db, run_id: &str| checkpoint::Stored::from(db, run_id, from);
        let Some(stored) = self.list(db, "the list of checkpoints", read) else { return };
        let mut next = None;
        for row in stored.rows() {
            let version = row.version();
            next = version.checked_add(1);
            let said = self.said.checkpoints.remove(&version);
            let what = "the metadata of the checkpoint";
            let Some(metadata) = self.json(db, Some(version), what, || row.metadata()) else { continue };
            let stored = Checkpoint {
                kind: row.kind(),
                label: row.label(),
                protected: row.protected(),
                metadata: metadata.unwrap_or_default(),
                created_at: row.created_at(),
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
        let read = |db: &Db, run_id: &str| interaction::Stored::from(db, run_id, from);
        let Some(stored) = self.list(db, "the list of interactions", read) else { return };
        let mut next = None;
        for row in stored.rows() {
            check_for_interrupts();
            let version = row.version();
            next = version.checked_add(1);
            let Some(said) = self.said.interactions.remove(&version) else {
                self.problem(Some(version), "an interaction row is named by no event");
                continue;
            };
            let version_of = Some(version);
            let prompt = self.json(db, version_of, "the prompt of the interaction", || row.prompt());
            let schema = self.json(db, version_of, "the response_schema of the interaction", || row.response_schema());
            let response = self.json(db, version_of, "the response of the interaction", || row.response());
            let (Some(prompt), Some(response_schema), Some(response)) = (prompt, schema, response) else { continue };
            let question = Question {
                id: row.id(),
                node_id: row.node_id(),
                prompt: prompt.unwrap_or_default(),
                response_schema,
                assignee: row.assignee(),
                created_at: row.created_at(),
                expires_at: row.expires_at(),
            };
            let status = row.status();
            let stored = (
                status.as_deref(),
                row.closed_version(),
                response,
                row.response_hash(),
                row.answered_by(),
                row.answered_for(),
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
            let of_another = row.owner().is_some_and(|owner| owner != self.said.owner);
            if said.question != question || outcome != stored || of_another {
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
        let read = |db: &Db, run_id: &str| lease::Stored::from(db, run_id, &from);
        let Some(stored) = self.list(db, "the list of leases", read) else { return };
        let mut next = None;
        for row in stored.rows() {
            check_for_interrupts();
            let node_id = row.node_id();
            next = Some(after(&node_id));
            match self.said.leases.remove(&node_id) {
                None => self.problem(None, format!("a lease row of node {node_id} is named by no event")),
                Some(said) if said != (Lease { attempt: row.attempt().into(), worker: row.worker() }) => {
                    self.problem(None, format!("the lease of node {node_id} is not what its events say"));
                }
                Some(_) => {}
            }
            let leased = self.try_read(db, None, &format!("the cell of node {node_id}"), || {
                text_of(row.cell()).map(|cell| cell.is_some_and(|cell| node::is_leased(&cell)))
            });
            if leased.is_some_and(|leased| row.held() != Some(leased)) {
                self.problem(None, format!("whether the lease of node {node_id} holds is not what its cell says"));
            }
        }
        self.rows_after(next.map(OfTable::Leases), |check| {
            let missing = |node_id| (None, format!("the row of the lease of node {node_id} is missing"));
            std::mem::take(&mut check.said.leases).into_keys().map(missing).collect()
        });
    }
}

/// Whether the newest seal of a run id is that of an import of the run that is here, whose first event names this seal.
fn was_imported(db: &Db, run_id: &str, number: i64, named: Option<&str>) -> bool {
    let newest = Which(Some(run_id)).first(db, &(run_id.to_owned(), number));
    newest.is_some_and(|seal| {
        let is_here =
            event::hash_at(db, run_id, seal.last_version).is_some_and(|(hash, _)| hash == Some(seal.head_hash));
        let before = named.map(|named| unhex(named).and_then(|hash| seal::number_of(db, run_id, &hash)));
        seal.what == seal::IMPORTED && is_here && before != Some(None)
    })
}

/// Of versions, the same problem.
fn missing<T>(said: BTreeMap<i64, T>, problem: &str) -> Vec<(Option<i64>, String)> {
    said.into_keys().map(|version| (Some(version), problem.to_owned())).collect()
}

/// The hash of a run's event.
fn event_hash(db: &Db, run_id: &str, version: i64) -> Option<String> {
    event::hash_at(db, run_id, version)?.0.map(|hash| hex(&hash))
}

/// A version of a workflow: owner, name, version.
type WorkflowPlace = (String, String, i32);
/// A stored graph: owner, hash, the transaction that stored it.
type GraphPlace = (String, Vec<u8>, i64);

/// What is verified beside the runs, some of it at a time, and where to go on; None where that is done.
pub struct OfNoRun {
    rows_from: Option<String>,
    workflows_after: Option<WorkflowPlace>,
    graphs_after: Option<GraphPlace>,
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
    let mut tables: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut of_table: HashMap<String, (usize, String)> = HashMap::new();
    for (run_id, table) in orphan::rows(db, from, MANY) {
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
fn of_workflows(db: &Db, behind: &WorkflowPlace) -> (Vec<Problem>, Option<WorkflowPlace>) {
    let stored = workflow::Stored::behind(db, &behind.0, &behind.1, behind.2);
    let mut last = None;
    let mut problems = Vec::new();
    for row in stored.rows() {
        check_for_interrupts();
        let (owner, name, version) = (row.owner(), row.name(), row.version());
        let what = || format!("the definition of workflow {name:?} version {version} of {owner:?}");
        match attempt(db, || text_of(row.definition())).and_then(|read| read) {
            Err(reason) => problems.push((None, None, format!("{} cannot be read: {reason}", what()))),
            Ok(text) if text.as_deref().map(value_hash) != row.hash() => {
                problems.push((None, None, format!("{} does not match its hash", what())));
            }
            Ok(_) => {}
        }
        last = Some((owner, name, version));
    }
    (problems, last)
}

/// Graphs, also those that no run uses.
fn of_graphs(db: &Db, behind: &GraphPlace) -> (Vec<Problem>, Option<GraphPlace>) {
    let stored = graph::Stored::behind(db, &behind.0, &behind.1, behind.2);
    let mut last = None;
    let mut problems = Vec::new();
    for row in stored.rows() {
        check_for_interrupts();
        let (owner, hash) = (row.owner(), row.hash());
        let what = format!("the graph {} of {owner:?}", hex(&hash));
        match attempt(db, || graph_hash(row.nodes(), row.edges())).and_then(|read| read) {
            Err(reason) => problems.push((None, None, format!("{what} cannot be read: {reason}"))),
            Ok(found) if found.as_slice() != hash => {
                problems.push((None, None, format!("{what} does not match its hash")));
            }
            Ok(_) => {}
        }
        last = Some((owner, hash, row.transaction()));
    }
    (problems, last)
}
