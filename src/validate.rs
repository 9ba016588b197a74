//! Validation of a whole state: schemas, references, loop bounds, sizes, hashes, and rules of one's own.

use crate::args::{self, MAX_VALUE};
use crate::error::{Result, Violation};
use crate::guard::Flag;
use crate::handler::{checked_function, qualified_name};
use crate::hash::value_hash;
use crate::history::{LiveCell, live_cells};
use crate::loops::DEFAULT_MAX;
use crate::merge::pointer_token;
use crate::name::Procedure;
use crate::run::{Reader, Run};
use crate::schema::Compiled;
use crate::spi::{Db, execute_text};
use crate::statements::{ADD_VALIDATOR, REMOVE_VALIDATOR, VALIDATORS};
use crate::{access, document, graph, schema, settings, workflow};
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use pgrx::{IntoDatum, pg_sys};
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use std::rc::Rc;

/// How far a loop's index may be above its bound where the policy says nothing.
const DEFAULT_TOLERANCE: i64 = 10;

/// As `format_procedure_qualified` writes the arguments of a validator.
const SIGNATURE: &str = "(pg_catalog.text,pg_catalog.jsonb)";

/// A rule that the state breaks: the rule's name, a JSON Pointer into the state document, and what is wrong.
pub struct Problem {
    pub rule: String,
    pub path: String,
    pub message: String,
}

impl Problem {
    fn new(rule: &str, path: String, message: impl Into<String>) -> Problem {
        Problem { rule: rule.to_owned(), path, message: message.into() }
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
    let problems = problems(&reader.db, run_id, &reader.run, at_version)?;
    Ok(TableIterator::new(problems.into_iter().map(|p| (p.rule, p.path, p.message)).collect::<Vec<_>>()))
}

/// What is wrong with a run's state at a version (the newest: None). Validators run as the caller.
pub fn problems(db: &Db, run_id: &str, run: &Run, at_version: Option<i64>) -> Result<Vec<Problem>> {
    let compiled = workflow::of(db, run)?;
    let mut cells = live_cells(db, run_id, None, at_version);
    // Problems come in one order, however the cells were read.
    cells.sort_by(|a, b| (&a.scope, &a.key, a.ordinal).cmp(&(&b.scope, &b.key, b.ordinal)));
    let mut found = Vec::new();
    check_cells(&cells, compiled.as_deref(), &mut found);
    let graph = graph_of(db, &cells, compiled.clone());
    check_references(&cells, graph.as_deref(), &mut found);
    check_loops(&cells, compiled.as_deref(), graph.as_deref(), &mut found);
    if let Some(workflow) = &run.workflow {
        check_validators(db, run_id, &workflow.name, at_version, &mut found);
    }
    Ok(found)
}

fn graph_of(db: &Db, cells: &[LiveCell], compiled: Option<Rc<Compiled>>) -> Option<Rc<Compiled>> {
    let reference = cells.iter().find(|cell| cell.scope == "engine" && cell.key == graph::CELL);
    match reference.and_then(|cell| cell.value) {
        Some(reference) => Some(schema::of_graph(db, reference.text())),
        None => compiled,
    }
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

fn check_cells(cells: &[LiveCell], compiled: Option<&Compiled>, found: &mut Vec<Problem>) {
    let limit = compiled.and_then(|compiled| compiled.definition.policy.value_bytes).unwrap_or(MAX_VALUE as i64);
    for cell in cells {
        let Some(value) = cell.value else { continue };
        let text = value.text();
        if Some(value_hash(text)) != cell.hash {
            found.push(Problem::new("hash", path(cell), "the value does not match its hash"));
        }
        let limit = if cell.scope == "variable" { limit } else { MAX_VALUE as i64 };
        if text.len() as i64 > limit {
            found.push(Problem::new("size", path(cell), format!("has {} octets, more than {limit}", text.len())));
        }
        if let (Some(compiled), "variable") = (compiled, cell.scope.as_str()) {
            for violation in compiled.check_variable(&cell.key, text) {
                let path = format!("/global_variables{}", violation.path);
                found.push(Problem::new("schema", path, format!("does not satisfy {}", violation.keyword)));
            }
        }
    }
}

/// Stack, skipped nodes, statuses and context name only nodes that exist.
fn check_references(cells: &[LiveCell], graph: Option<&Compiled>, found: &mut Vec<Problem>) {
    let Some(nodes) = graph.map(|graph| &graph.definition.nodes).filter(|nodes| !nodes.is_empty()) else { return };
    let mut known: BTreeMap<String, ()> = BTreeMap::new();
    for cell in cells {
        match cell.scope.as_str() {
            "node" | "loop" | "context" if !nodes.contains_key(&cell.key) => {
                let path = path(&LiveCell { ordinal: None, scope: cell.scope.clone(), key: cell.key.clone(), ..*cell });
                if known.insert(path.clone(), ()).is_none() {
                    found.push(Problem::new("reference", path, format!("node {:?} does not exist", cell.key)));
                }
            }
            "engine" if cell.key == "execution_stack" || cell.key == "skip_nodes" => {
                let Some(value) = cell.value else { continue };
                let elements: Vec<&RawValue> = serde_json::from_str(value.text()).unwrap_or_default();
                for (index, element) in elements.iter().enumerate() {
                    if let Ok(id) = serde_json::from_str::<String>(element.get())
                        && !nodes.contains_key(&id)
                    {
                        let path = format!("/{}/{index}", cell.key);
                        found.push(Problem::new("reference", path, format!("node {id:?} does not exist")));
                    }
                }
            }
            _ => {}
        }
    }
}

fn check_loops(cells: &[LiveCell], compiled: Option<&Compiled>, graph: Option<&Compiled>, found: &mut Vec<Problem>) {
    let policy = compiled.map(|compiled| &compiled.definition.policy);
    let tolerance = policy.and_then(|policy| policy.tolerance).unwrap_or(DEFAULT_TOLERANCE);
    let default_max = policy.and_then(|policy| policy.default_max).unwrap_or(DEFAULT_MAX);
    for cell in cells.iter().filter(|cell| cell.scope == "loop") {
        let Some(value) = cell.value else { continue };
        let fields: BTreeMap<String, &RawValue> = serde_json::from_str(value.text()).unwrap_or_default();
        let number = |key: &str| fields.get(key).and_then(|raw| raw.get().parse::<f64>().ok());
        let of_node = || graph.and_then(|graph| graph.definition.nodes.get(&cell.key)?.max_count);
        let max = number("max").unwrap_or_else(|| of_node().unwrap_or(default_max) as f64);
        let index = number("index").unwrap_or(f64::NAN);
        if !(-1.0..=max + tolerance as f64).contains(&index) {
            let text = fields.get("index").map_or("missing", |raw| raw.get());
            let message = format!("index {text} is outside -1 to {max} with a tolerance of {tolerance}");
            found.push(Problem::new("loop", path(cell), message));
        }
    }
}

fn check_validators(db: &Db, run_id: &str, workflow: &str, at_version: Option<i64>, found: &mut Vec<Problem>) {
    let rows = db.query(&VALIDATORS, &[workflow.into_datum()]);
    let mut validators: Vec<(String, String)> = Vec::new();
    for row in 0..rows.len() {
        let (name, function): (String, String) =
            (rows.get(row, 1).unwrap_or_default(), rows.get(row, 2).unwrap_or_default());
        if rows.get(row, 3).unwrap_or(false) {
            validators.push((name, function));
        } else {
            found.push(Problem::new(&name, String::new(), format!("validator {function} does not exist any more")));
        }
    }
    drop(rows);
    if validators.is_empty() {
        return;
    }
    let state = document::document(db, run_id, at_version);
    for (name, function) in validators {
        let sql = format!("SELECT m::pg_catalog.text FROM {}($1, $2) m", qualified_name(&function, SIGNATURE));
        let args = [(pg_sys::TEXTOID, run_id.into_datum()), (pg_sys::JSONBOID, state.into_datum())];
        // A write of its own would come between the lock and the event of the call that asks.
        let messages = db.as_caller(|| {
            let _read_only = Flag::read_only();
            execute_text(&sql, &args)
        });
        for message in messages.into_iter().flatten() {
            found.push(Problem::new(&name, String::new(), message));
        }
    }
}

#[pg_extern]
fn add_validator(
    workflow: Option<&str>,
    name: Option<&str>,
    function: Option<Procedure>,
) -> std::result::Result<(), ErrorReport> {
    let workflow = args::name(workflow, "workflow")?;
    let name = args::name(name, "name")?;
    let text = checked_function(function.as_ref(), SIGNATURE)?;
    if !function.is_some_and(|function| function.returns_setof_text()) {
        return Err(crate::error::Error::argument(format!("function {text} does not return setof text")).into());
    }
    let db = Db::write();
    access::require_admin(&db, "add validators")?;
    db.query(
        &ADD_VALIDATOR,
        &[
            workflow.into_datum(),
            name.into_datum(),
            text.into_datum(),
            access::role_name(db.caller).into_datum(),
            settings::now()?.into_datum(),
        ],
    );
    Ok(())
}

#[pg_extern]
fn remove_validator(workflow: Option<&str>, name: Option<&str>) -> std::result::Result<(), ErrorReport> {
    let workflow = args::name(workflow, "workflow")?;
    let name = args::name(name, "name")?;
    let db = Db::write();
    access::require_admin(&db, "remove validators")?;
    db.query(&REMOVE_VALIDATOR, &[workflow.into_datum(), name.into_datum()]);
    Ok(())
}
