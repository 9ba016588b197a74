//! Validation of a whole state: schemas, references, loop bounds, sizes, hashes, and custom rules.

use crate::execution::loops::DEFAULT_MAX;
use crate::pure::hash::value_hash;
use crate::pure::merge::pointer_token;
use crate::server::args::{self, MAX_VALUE};
use crate::server::error::{Result, Violation};
use crate::server::guard::Flag;
use crate::server::interrupts::check_for_interrupts;
use crate::server::spi::scratch;
use crate::server::stream::Batches;
use crate::state::document;
use crate::state::reader::Reader;
use crate::store::cell::CellId;
use crate::store::db::Db;
use crate::store::graph;
use crate::store::live::{LiveCell, Rest};
use crate::store::run::Run;
use crate::store::validator;
use crate::workflow::definitions;
use crate::workflow::schema;
use crate::workflow::schema::Compiled;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use std::rc::Rc;

/// How far a loop's index may be above its bound where the policy says nothing.
const DEFAULT_TOLERANCE: i64 = 10;

/// A rule that the state breaks: the rule's name, a JSON Pointer into the state document, and what is wrong.
pub struct Problem {
    pub rule: String,
    pub path: String,
    pub message: String,
    /// Whether nobody should go on from such a state: it is damaged, or breaks a rule that somebody set. What an engine wrote of
    /// itself (a stack, an index beyond what is usual) is only told.
    pub stops: bool,
    /// The cell that breaks the rule; None for a validator, which judges the state as a whole.
    pub cell: Option<CellId>,
    /// Whether a rule of the users' own says so.
    of_validator: bool,
}

impl Problem {
    fn of_cell(rule: &str, stops: bool, cell: &LiveCell, path: String, message: impl Into<String>) -> Problem {
        Problem { rule: rule.to_owned(), path, message: message.into(), stops, cell: cell.id(), of_validator: false }
    }

    fn of_validator(rule: &str, message: String) -> Problem {
        Problem { rule: rule.to_owned(), path: String::new(), message, stops: true, cell: None, of_validator: true }
    }

    /// As an error's DETAIL has it.
    pub fn violation(&self) -> Violation {
        Violation { path: self.path.clone(), keyword: self.rule.clone() }
    }
}

#[pg_extern(stable)]
fn validate_run(
    run_id: Option<&str>,
    at_version: default!(Option<i64>, "NULL"),
) -> std::result::Result<
    TableIterator<'static, (name!(rule, String), name!(path, String), name!(message, String))>,
    ErrorReport,
> {
    let run_id = args::run_id(run_id)?;
    let at_version = at_version.map(|version| args::version(Some(version), "at_version")).transpose()?;
    let reader = Reader::open(run_id)?;
    reader.require_version(at_version, "at_version")?;
    let mut validation = Validation::new(&reader.db, run_id, reader.run.clone(), at_version)?;
    drop(reader);
    let told = |problem: Problem| (problem.rule, problem.path, problem.message);
    Ok(TableIterator::new(Batches::new(move || Ok(validation.read()?.into_iter().map(told).collect()))))
}

/// What is wrong with a run's state at a version (the newest: None), by rule and then by cell. Validators run as the caller.
pub fn problems(db: &Db, run_id: &str, run: &Run, at_version: Option<i64>) -> Result<Vec<Problem>> {
    let mut validation = Validation::new(db, run_id, run.clone(), at_version)?;
    let mut found = Vec::new();
    while validation.go_on(db, &mut found)? {}
    // Those of validators, which have no cell, are the last ones.
    let place = |problem: &Problem| match problem.rule.as_str() {
        "hash" | "size" | "schema" => 0,
        "reference" => 1,
        _ => 2,
    };
    let (mut of_cells, of_state): (Vec<Problem>, _) = found.into_iter().partition(|problem| !problem.of_validator);
    of_cells.sort_by(|a, b| (place(a), &a.cell).cmp(&(place(b), &b.cell)));
    Ok(of_cells.into_iter().chain(of_state).collect())
}

/// What is left to look at of a state: some cells at a time, so that neither their values nor the problems are there at once.
struct Validation {
    run_id: String,
    run: Run,
    at_version: Option<i64>,
    rules: Rules,
    cells: Option<Rest>,
    /// Where the last cell was that names a node that does not exist.
    reference: Option<String>,
    validators: bool,
}

impl Validation {
    fn new(db: &Db, run_id: &str, run: Run, at_version: Option<i64>) -> Result<Validation> {
        let version = at_version.unwrap_or(i64::MAX);
        let graph = LiveCell::at(db, run_id, &CellId::new("engine", graph::CELL), version);
        Ok(Validation {
            rules: Rules::new(db, &run, graph.as_ref())?,
            cells: Some(Rest::new(db, run_id, None, at_version)),
            run_id: run_id.to_owned(),
            run,
            at_version,
            reference: None,
            validators: true,
        })
    }

    fn read(&mut self) -> Result<Vec<Problem>> {
        let db = Db::read();
        let mut found = Vec::new();
        while found.is_empty() && self.go_on(&db, &mut found)? {}
        Ok(found)
    }

    /// Looks at some more; false where nothing is left.
    fn go_on(&mut self, db: &Db, found: &mut Vec<Problem>) -> Result<bool> {
        if let Some(cells) = &mut self.cells {
            let (rules, reference) = (&self.rules, &mut self.reference);
            let more = scratch(db, || -> Result<bool> {
                let cells = cells.some(db)?;
                for cell in &cells {
                    check_for_interrupts();
                    rules.check_value(cell, found);
                    rules.check_references(cell, reference, found);
                    rules.check_loop(cell, found);
                }
                Ok(!cells.is_empty())
            })?;
            if !more {
                self.cells = None;
            }
            return Ok(true);
        }
        if std::mem::take(&mut self.validators)
            && let Some(workflow) = &self.run.workflow
        {
            check_validators(db, &self.run_id, &workflow.name, self.at_version, found);
            return Ok(true);
        }
        Ok(false)
    }
}

/// Of one cell at a version: what is wrong with it, and since which version that has been so without a change.
pub fn problems_of_cell(db: &Db, run_id: &str, run: &Run, id: &CellId, version: i64) -> Result<(Vec<Problem>, i64)> {
    let graph = LiveCell::at(db, run_id, &CellId::new("engine", graph::CELL), version);
    let rules = Rules::new(db, run, graph.as_ref())?;
    let mut found = Vec::new();
    let mut since = graph.map_or(0, |graph| graph.version);
    if let Some(cell) = LiveCell::at(db, run_id, id, version) {
        since = since.max(cell.version);
        rules.check_value(&cell, &mut found);
        rules.check_references(&cell, &mut None, &mut found);
        rules.check_loop(&cell, &mut found);
    }
    Ok((found, since))
}

/// Where the state document shows a cell.
fn path(cell: &LiveCell) -> String {
    let field = match cell.scope.as_str() {
        "variable" => "global_variables",
        "node" => "execution_status",
        "loop" => "loop_index",
        "context" => "context",
        _ => return pointer_token(&cell.key),
    };
    let entry = if cell.scope == "context" {
        cell.ordinal.map(|ordinal| format!("/{ordinal}")).unwrap_or_default()
    } else {
        String::new()
    };
    format!("/{field}{}{entry}", pointer_token(&cell.key))
}

/// What the cells of a state are checked against.
struct Rules {
    compiled: Option<Rc<Compiled>>,
    graph: Option<Rc<Compiled>>,
}

impl Rules {
    fn new(db: &Db, run: &Run, graph: Option<&LiveCell>) -> Result<Rules> {
        let compiled = definitions::of(db, run)?;
        let graph = match graph.and_then(|cell| cell.value) {
            Some(reference) => Some(schema::of_graph(db, reference.text())),
            None => compiled.clone(),
        };
        Ok(Rules { compiled, graph })
    }

    fn check_value(&self, cell: &LiveCell, found: &mut Vec<Problem>) {
        let Some(value) = cell.value else { return };
        let text = value.text();
        let mut stop = |rule: &str, path: String, message: String| {
            found.push(Problem::of_cell(rule, true, cell, path, message));
        };
        if Some(value_hash(text)) != cell.hash {
            stop("hash", path(cell), "the value does not match its hash".to_owned());
        }
        let compiled = self.compiled.as_ref().filter(|_| cell.scope == "variable");
        let limit = compiled.and_then(|compiled| compiled.definition.policy.value_bytes).unwrap_or(MAX_VALUE as i64);
        if text.len() as i64 > limit {
            stop("size", path(cell), format!("has {} bytes of JSON text, more than {limit}", text.len()));
        }
        for violation in compiled.map(|compiled| compiled.check_variable(&cell.key, text)).unwrap_or_default() {
            let path = format!("/global_variables{}", violation.path);
            stop("schema", path, format!("does not satisfy {}", violation.keyword));
        }
    }

    /// Stack, skipped nodes, statuses and context name only nodes that exist.
    fn check_references(&self, cell: &LiveCell, before: &mut Option<String>, found: &mut Vec<Problem>) {
        let Some(graph) = self.graph.as_ref().filter(|graph| !graph.definition.nodes.is_empty()) else { return };
        let nodes = &graph.definition.nodes;
        let mut tell = |cell: &LiveCell, path: String, id: &str| {
            // The entries of a node's context follow each other.
            if before.as_ref() != Some(&path) {
                let message = format!("node {id:?} does not exist");
                *before = Some(path.clone());
                found.push(Problem::of_cell("reference", false, cell, path, message));
            }
        };
        match cell.scope.as_str() {
            "node" | "loop" | "context" if !nodes.contains_key(&cell.key) => {
                let list = LiveCell { ordinal: None, scope: cell.scope.clone(), key: cell.key.clone(), ..*cell };
                tell(&list, path(&list), &cell.key);
            }
            "engine" if cell.key == "execution_stack" || cell.key == "skip_nodes" => {
                let Some(value) = cell.value else { return };
                let elements: Vec<&RawValue> = serde_json::from_str(value.text()).unwrap_or_default();
                for (index, element) in elements.iter().enumerate() {
                    if let Ok(id) = serde_json::from_str::<String>(element.get())
                        && !nodes.contains_key(&id)
                    {
                        tell(cell, format!("/{}/{index}", cell.key), &id);
                    }
                }
            }
            _ => {}
        }
    }

    fn check_loop(&self, cell: &LiveCell, found: &mut Vec<Problem>) {
        let (Some(value), "loop") = (cell.value, cell.scope.as_str()) else { return };
        let policy = self.compiled.as_ref().map(|compiled| &compiled.definition.policy);
        let set = policy.and_then(|policy| policy.tolerance);
        let tolerance = set.unwrap_or(DEFAULT_TOLERANCE);
        let default_max = policy.and_then(|policy| policy.default_max).unwrap_or(DEFAULT_MAX);
        let fields: BTreeMap<String, &RawValue> = serde_json::from_str(value.text()).unwrap_or_default();
        let number = |key: &str| fields.get(key).and_then(|raw| raw.get().parse::<f64>().ok());
        let of_node = || self.graph.as_ref().and_then(|graph| graph.definition.nodes.get(&cell.key)?.max_count);
        let max = number("max").unwrap_or_else(|| of_node().unwrap_or(default_max) as f64);
        let index = number("index").unwrap_or(f64::NAN);
        if !(-1.0..=max + tolerance as f64).contains(&index) {
            let text = fields.get("index").map_or("missing", |raw| raw.get());
            let message = format!("index {text} is outside -1 to {max} with a tolerance of {tolerance}");
            found.push(Problem::of_cell("loop", set.is_some(), cell, path(cell), message));
        }
    }
}

fn check_validators(db: &Db, run_id: &str, workflow: &str, at_version: Option<i64>, found: &mut Vec<Problem>) {
    let mut validators: Vec<(String, String)> = Vec::new();
    for (name, function, exists) in validator::of_workflow(db, workflow) {
        if exists {
            validators.push((name, function));
        } else {
            found.push(Problem::of_validator(&name, format!("validator {function} does not exist any more")));
        }
    }
    if validators.is_empty() {
        return;
    }
    let state = document::document(db, run_id, at_version);
    for (name, function) in validators {
        // A write of its own would come between the lock and the event of the call that asks.
        let messages = db.as_caller(|| {
            let _read_only = Flag::read_only();
            validator::messages(&function, run_id, state)
        });
        for message in messages {
            found.push(Problem::of_validator(&name, message));
        }
    }
}
