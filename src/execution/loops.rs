//! Loops, nested to any depth: their index is a cell, and an iteration resets what is inside it in the same version.

use crate::execution::node;
use crate::pure::progress::Turn;
use crate::server::args::{self, MAX_VALUE};
use crate::server::error::{Error, Result};
use crate::server::jsonb::Jsonb;
use crate::state::change::{Change, NewEvent, Opened, Request, with_change};
use crate::store::cell::{COUNTER, CellId, Counter};
use crate::store::db::Db;
use crate::store::graph;
use crate::store::live::live_cells;
use crate::store::write::Write;
use crate::workflow::schema;
use crate::workflow::schema::Compiled;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;

/// Iterations of a loop for which nobody gives a bound.
pub const DEFAULT_MAX: i64 = 100;

/// The value of a loop's cell. The index is that of the iteration that runs, -1 before the first.
#[derive(Debug, Serialize, Deserialize)]
pub struct Loop {
    pub index: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max: Option<i64>,
    #[serde(default)]
    pub active: bool,
}

impl Loop {
    fn id(loop_id: &str) -> CellId {
        CellId::new("loop", loop_id)
    }

    fn load(change: &mut Change<'_>, loop_id: &str) -> Option<Loop> {
        let values = change.cells.load_values(&change.db, change.run_id, vec![Loop::id(loop_id)]);
        values.get(&Loop::id(loop_id)).and_then(|value| serde_json::from_str(value.text()).ok())
    }
}

/// Where each live loop of a run stands at a version (the newest: None).
pub fn turns(db: &Db, run_id: &str, at_version: Option<i64>) -> HashMap<String, Turn> {
    live_cells(db, run_id, Some("loop"), at_version)
        .into_iter()
        .map(|cell| {
            let turn = cell.value.map_or(Turn::Iterates, |value| turn(value.text()));
            (cell.key, turn)
        })
        .collect()
}

/// A document gives an index, and no word of whether the loop is over: its node has that.
fn turn(value: &str) -> Turn {
    let fields: BTreeMap<String, &RawValue> = serde_json::from_str(value).unwrap_or_default();
    let index = fields.get("index").and_then(|index| index.get().parse::<f64>().ok());
    match fields.get("active").map(|active| active.get()) {
        Some("false") => Turn::Over,
        _ if index.is_some_and(|index| index < 0.0) => Turn::Entered,
        _ => Turn::Iterates,
    }
}

#[derive(Serialize)]
struct LoopEvent<'a> {
    loop_id: &'a str,
    index: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    max: Option<i64>,
}

/// The graph that the run uses: its workflow's, else the one of the document that was saved.
pub fn topology(change: &mut Change<'_>) -> Result<Option<Rc<Compiled>>> {
    if let Some(compiled) = change.compiled()?
        && !compiled.definition.nodes.is_empty()
    {
        return Ok(Some(compiled));
    }
    let id = CellId::new("engine", graph::CELL);
    let values = change.cells.load_values(&change.db, change.run_id, vec![id.clone()]);
    let Some(reference) = values.get(&id) else { return Ok(None) };
    Ok(Some(schema::of_graph(&change.db, reference.text())))
}

/// As `topology`, of an older version.
pub fn topology_at(change: &mut Change<'_>, version: i64) -> Result<Option<Rc<Compiled>>> {
    if let Some(compiled) = change.compiled()?
        && !compiled.definition.nodes.is_empty()
    {
        return Ok(Some(compiled));
    }
    let reference = CellId::new("engine", graph::CELL).at(change.run_id).value(&change.db, version);
    Ok(reference.map(|reference| schema::of_graph(&change.db, reference.text())))
}

fn inactive(change: &Change<'_>, loop_id: &str) -> Error {
    let message = format!("loop {loop_id:?} of run {:?} is not active", change.run_id);
    Error::state(message, "Enter it with layra.enter_loop.")
}

/// The rows that reset the body of a loop: its nodes become pending, the loops in it are gone.
fn reset_body(change: &mut Change<'_>, loop_id: &str, nodes_too: bool) -> Result<Vec<Write>> {
    let Some(compiled) = topology(change)? else { return Ok(Vec::new()) };
    let definition = &compiled.definition;
    let mut body: Vec<String> = definition.loop_body(loop_id).into_iter().map(str::to_owned).collect();
    body.sort();
    let loops: Vec<CellId> = body
        .iter()
        .filter(|id| definition.nodes.get(*id).is_some_and(|node| node.type_name == "loop"))
        .map(|id| Loop::id(id))
        .collect();
    change.cells.load(&change.db, change.run_id, loops.clone());
    let mut writes = Vec::new();
    for id in loops {
        writes.extend(change.cells.write(id, None, MAX_VALUE)?);
    }
    if nodes_too {
        writes.extend(node::reset(change, &body)?);
    }
    Ok(writes)
}

#[pg_extern]
fn enter_loop(
    run_id: Option<&str>,
    loop_id: Option<&str>,
    max_iterations: default!(Option<i32>, "NULL"),
    expected_version: default!(Option<i64>, "NULL"),
    idempotency_key: default!(Option<&str>, "NULL"),
) -> std::result::Result<i64, ErrorReport> {
    let request = Request::new(run_id, idempotency_key)?;
    let loop_id = args::name(loop_id, "loop_id")?;
    if max_iterations.is_some_and(|max| max < 0) {
        return Err(Error::argument("max_iterations must not be negative").into());
    }
    let expected = args::expected(expected_version)?;
    Ok(with_change(request, "loop.entered", |change| {
        if Loop::load(change, loop_id).is_some_and(|l| l.active) {
            return Ok(change.cells.get(&Loop::id(loop_id)).version);
        }
        change.expect_version(expected)?;
        change.require_unfinished()?;
        let of_node = topology(change)?.and_then(|c| c.definition.nodes.get(loop_id).and_then(|node| node.max_count));
        let of_policy = change.compiled()?.and_then(|compiled| compiled.definition.policy.default_max);
        let max = max_iterations.map(i64::from).or(of_node).or(of_policy).unwrap_or(DEFAULT_MAX);
        let mut writes = reset_body(change, loop_id, false)?;
        let entered = Loop { index: -1, max: Some(max), active: true };
        writes.extend(change.cells.write(Loop::id(loop_id), Some(Jsonb::of(&entered)), MAX_VALUE)?);
        let payload = Jsonb::of(&LoopEvent { loop_id, index: -1, max: Some(max) });
        change.append(NewEvent::new("loop.entered", payload, writes))
    })?)
}

#[pg_extern]
fn next_iteration(
    run_id: Option<&str>,
    loop_id: Option<&str>,
    after: default!(Option<i32>, "NULL"),
) -> std::result::Result<Option<i32>, ErrorReport> {
    Ok(next(run_id, loop_id, after)?)
}

fn next(run_id: Option<&str>, loop_id: Option<&str>, after: Option<i32>) -> Result<Option<i32>> {
    let request = Request::new(run_id, None)?;
    let loop_id = args::name(loop_id, "loop_id")?;
    if after.is_some_and(|after| after < -1) {
        return Err(Error::argument("after must be at least -1"));
    }
    let Opened::Change(mut change) = request.open("loop.iteration")? else { unreachable!("no key was given") };
    change.require_unfinished()?;
    let current = Loop::load(&mut change, loop_id).filter(|current| current.active);
    let Some(current) = current else { return Err(inactive(&change, loop_id)) };
    if let Some(after) = after.map(i64::from) {
        if current.index == after + 1 {
            // The response of the first call was lost.
            return Ok(i32::try_from(current.index).ok());
        }
        if current.index != after {
            let index = current.index;
            return Err(Error::state(
                format!("loop {loop_id:?} of run {:?} is at index {index}, not at {after}", change.run_id),
                format!("after is the index of the iteration that is finished: {index}."),
            ));
        }
    }
    let index = current.index + 1;
    if index >= current.max.unwrap_or(DEFAULT_MAX) {
        return Ok(None);
    }
    let mut writes = reset_body(&mut change, loop_id, true)?;
    let begun = Loop { index, ..current };
    writes.extend(change.cells.write(Loop::id(loop_id), Some(Jsonb::of(&begun)), MAX_VALUE)?);
    let milestone = node::milestone(&mut change, loop_id)?;
    let payload = Jsonb::of(&LoopEvent { loop_id, index, max: None });
    let version = change.append(NewEvent::new("loop.iteration", payload, writes).due(milestone))?;
    change.close(version)?;
    Ok(i32::try_from(index).ok())
}

#[pg_extern]
fn exit_loop(
    run_id: Option<&str>,
    loop_id: Option<&str>,
    expected_version: default!(Option<i64>, "NULL"),
    idempotency_key: default!(Option<&str>, "NULL"),
) -> std::result::Result<i64, ErrorReport> {
    let request = Request::new(run_id, idempotency_key)?;
    let loop_id = args::name(loop_id, "loop_id")?;
    let expected = args::expected(expected_version)?;
    Ok(with_change(request, "loop.exited", |change| {
        let Some(current) = Loop::load(change, loop_id) else { return Err(inactive(change, loop_id)) };
        if !current.active {
            return Ok(change.cells.get(&Loop::id(loop_id)).version);
        }
        change.expect_version(expected)?;
        change.require_unfinished()?;
        let mut writes = clear_scoped_context(change, loop_id)?;
        let index = current.index;
        let exited = Loop { active: false, ..current };
        writes.extend(change.cells.write(Loop::id(loop_id), Some(Jsonb::of(&exited)), MAX_VALUE)?);
        let milestone = node::milestone(change, loop_id)?;
        let payload = Jsonb::of(&LoopEvent { loop_id, index, max: None });
        change.append(NewEvent::new("loop.exited", payload, writes).due(milestone))
    })?)
}

/// The context of a body's nodes leaves the live state where the loop's node says `"data": {"context": "loop"}`.
fn clear_scoped_context(change: &mut Change<'_>, loop_id: &str) -> Result<Vec<Write>> {
    let Some(compiled) = topology(change)? else { return Ok(Vec::new()) };
    let definition = &compiled.definition;
    if !definition.nodes.get(loop_id).is_some_and(|node| node.scopes_context) {
        return Ok(Vec::new());
    }
    let mut body: Vec<&str> = definition.loop_body(loop_id).into_iter().collect();
    body.sort_unstable();
    let counters = body.iter().map(|id| CellId::context(id, COUNTER)).collect();
    let values = change.cells.load_values(&change.db, change.run_id, counters);
    let mut writes = Vec::new();
    for id in body {
        if let Some(value) = values.get(&CellId::context(id, COUNTER)) {
            writes.extend(node::clear_context(change, id, Counter::parse(Some(value)))?);
        }
    }
    Ok(writes)
}
