//! Recovery after a crash: what is broken is told, and rolled back where that is wanted; what nobody works on any more is reset; and
//! where to go on.

use crate::execution::interaction;
use crate::execution::loops;
use crate::execution::node;
use crate::execution::validate::{self, Problem};
use crate::pure::progress::{self, Status};
use crate::pure::topology::Topology;
use crate::server::args;
use crate::server::error::{Error, Result};
use crate::server::interrupts::check_for_interrupts;
use crate::server::jsonb::Jsonb;
use crate::server::row::Row;
use crate::server::settings;
use crate::server::stream::Batches;
use crate::state::access;
use crate::state::change::{Change, NewEvent, Opened, Request};
use crate::state::completion;
use crate::state::rollback;
use crate::store::access::own_roles;
use crate::store::cell::{COUNTER, CellId};
use crate::store::checkpoint;
use crate::store::compare::differences;
use crate::store::db::Db;
use crate::store::event;
use crate::store::lease;
use crate::store::node::Node;
use crate::store::run;
use pgrx::datum::{Interval, TimestampWithTimeZone};
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap, HashSet};

/// How many states recovery validates as a whole, and at how many checkpoints it looks for cells that are known to be wrong:
/// so what it costs is bounded, however many checkpoints there are.
const MOST_STATES: usize = 20;
const MOST_CHECKPOINTS: usize = 10_000;

#[derive(Serialize)]
struct Recovered<'a> {
    reset: &'a [String],
    /// The run's status from here on: running where every question has expired.
    status: &'a str,
}

/// The one row of `recover_run`.
#[derive(Default)]
struct Report {
    from_version: i64,
    checkpoint_version: Option<i64>,
    incomplete: Vec<String>,
    last_completed: Option<String>,
    resume_at: Vec<String>,
    problems: Vec<String>,
    version: i64,
    lost: Vec<String>,
}

/// Of the rollbacks of a recovery.
const REASON: &str = "recovery";

/// Of a run: the version of the cell, and what is in it.
type Nodes = BTreeMap<String, (i64, Node)>;

type Columns = (i64, Option<i64>, Vec<String>, Option<String>, Vec<String>, Vec<String>, i64, Vec<String>);

#[pg_extern(sql = r#"
CREATE FUNCTION layra.recover_run(run_id text, dry_run boolean DEFAULT false, rollback boolean DEFAULT false,
    OUT from_version bigint, OUT checkpoint_version bigint, OUT incomplete text[], OUT last_completed text,
    OUT resume_at text[], OUT problems text[], OUT version bigint, OUT lost text[]) RETURNS record
LANGUAGE c AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';
"#)]
fn recover_run_row(
    run_id: Option<&str>,
    dry_run: Option<bool>,
    rollback: Option<bool>,
) -> std::result::Result<Row<Columns>, ErrorReport> {
    let report = recover(run_id, dry_run.unwrap_or(false), rollback.unwrap_or(false))?;
    Ok(Row((
        report.from_version,
        report.checkpoint_version,
        report.incomplete,
        report.last_completed,
        report.resume_at,
        report.problems,
        report.version,
        report.lost,
    )))
}

/// As version 0.2.0 declares it, whose symbol has to stay: a set of one row, and nobody says whether to roll back.
#[pg_extern(sql = false)]
#[allow(clippy::type_complexity)]
fn recover_run(
    run_id: Option<&str>,
    dry_run: Option<bool>,
) -> std::result::Result<
    TableIterator<
        'static,
        (
            name!(from_version, i64),
            name!(checkpoint_version, Option<i64>),
            name!(incomplete, Vec<String>),
            name!(last_completed, Option<String>),
            name!(resume_at, Vec<String>),
            name!(problems, Vec<String>),
            name!(version, i64),
        ),
    >,
    ErrorReport,
> {
    let report = recover(run_id, dry_run.unwrap_or(false), false)?;
    Ok(TableIterator::once((
        report.from_version,
        report.checkpoint_version,
        report.incomplete,
        report.last_completed,
        report.resume_at,
        report.problems,
        report.version,
    )))
}

fn recover(run_id: Option<&str>, dry_run: bool, roll_back: bool) -> Result<Report> {
    let request = Request::new(run_id, None)?;
    let Opened::Change(mut change) = request.open("run.recovered")? else { unreachable!("no key was given") };
    change.require_unfinished()?;
    let head = change.head.version;
    let mut report = Report { from_version: head, ..Report::default() };
    let nodes = node::all(&change.db, change.run_id, None);
    report.incomplete =
        nodes.iter().filter(|(_, (_, node))| node.status == "running").map(|(id, _)| id.clone()).collect();
    let problems = validate::problems(&change.db, change.run_id, &change.run, None)?;
    report.problems = problems.iter().map(|p| format!("{} {}: {}", p.rule, p.path, p.message)).collect();
    if !problems.is_empty() {
        let (found, gave_up) = valid_checkpoint(&change, problems)?;
        report.checkpoint_version = found;
        report.problems.extend(gave_up);
        report.lost = found.map(|version| lost_cells(&change, version)).unwrap_or_default();
    }
    let back = report.checkpoint_version.filter(|_| roll_back && !has_gone_back(&change));
    if let (Some(version), false) = (back, dry_run) {
        rollback::restore(&mut change, version, None, Some(REASON))?;
    }
    // In a dry run: what would be found after the rollback.
    let past = back.filter(|_| dry_run);
    let nodes = match (back, past) {
        (None, _) => nodes,
        (Some(_), None) => node::all(&change.db, change.run_id, None),
        (Some(_), Some(version)) => restored(node::all(&change.db, change.run_id, Some(version)), &nodes),
    };
    let lost = lost_nodes(&mut change, &nodes)?;
    let status = interaction::status_without(&change, None);
    if !dry_run && (!lost.is_empty() || status != change.run.status) {
        let writes = node::reset(&mut change, &lost)?;
        let payload = Jsonb::of(&Recovered { reset: &lost, status: status.name() });
        change.append(NewEvent::new("run.recovered", payload, writes))?;
        change.restore_status(status);
    }
    report.version = change.head.version;
    (report.last_completed, report.resume_at) = places(&mut change, nodes, lost, past)?;
    let version = report.version;
    change.close(version)?;
    Ok(report)
}

/// Whether the newest events are those of a recovery that went back. Where what it went back for stopped the run, what is only
/// reported may be left, and the same call again would go back for that.
fn has_gone_back(change: &Change<'_>) -> bool {
    let mut gone = false;
    event::after(&change.db, change.run_id, change.head.version - 2, 2, None, |event| {
        gone = match event.type_name.as_str() {
            "run.rolled_back" => event.payload.is_some_and(|payload| reason(payload).as_deref() == Some(REASON)),
            "run.recovered" => gone,
            _ => false,
        };
        true
    });
    gone
}

fn reason(payload: Jsonb) -> Option<String> {
    #[derive(Deserialize)]
    struct Payload {
        reason: Option<String>,
    }
    serde_json::from_str::<Payload>(payload.text()).ok()?.reason
}

/// Nodes as a rollback brings them back: nobody works on them, but on those that it does not touch.
fn restored(nodes: Nodes, now: &Nodes) -> Nodes {
    let reset = |id: &str, node: Node| {
        let untouched = now.get(id).is_some_and(|(_, now)| now.status == "running" && now.attempt == node.attempt);
        if node.status == "running" && !untouched { Node::pending() } else { node }
    };
    nodes
        .into_iter()
        .map(|(id, (version, node))| {
            let node = reset(&id, node);
            (id, (version, node))
        })
        .collect()
}

/// Running nodes that nobody works on any more: their lease ran out, or they never had one.
fn lost_nodes(change: &mut Change<'_>, nodes: &Nodes) -> Result<Vec<String>> {
    let held = lease::lock_held(&change.db, change.run_id);
    // Read again: a heartbeat may have held a lease for long.
    change.now = settings::now()?;
    let leases: HashMap<String, i64> = held.into_iter().collect();
    Ok(nodes
        .iter()
        .filter(|(id, (_, node))| node.status == "running" && leases.get(*id).is_none_or(|until| *until <= change.now))
        .map(|(id, _)| id.clone())
        .collect())
}

/// The cells in which the newest state differs from an older one, as `event.changed` names them.
fn lost_cells(change: &Change<'_>, version: i64) -> Vec<String> {
    differences(&change.db, change.run_id, version, change.head.version)
        .into_iter()
        .filter(|difference| difference.is_one() && difference.id.ordinal != COUNTER)
        .map(|difference| difference.id.name())
        .collect()
}

/// The newest checkpoint whose state is valid, no further back than the newest protected one; and what is to be said where the
/// search was given up. Where the newest state has problems that stop, others are none.
///
/// A cell that is wrong is wrong at all checkpoints back to the version that wrote it, so most checkpoints need no look at their
/// states, and those that do none at the whole of it.
fn valid_checkpoint(change: &Change<'_>, problems: Vec<Problem>) -> Result<(Option<i64>, Option<String>)> {
    let (db, run_id, run) = (&change.db, change.run_id, &change.run);
    let some_stop = problems.iter().any(|problem| problem.stops);
    let counts = |problem: &Problem| problem.stops || !some_stop;
    let lowest = checkpoint::newest_protected(db, run_id).unwrap_or_default();
    let mut known = HashSet::new();
    let mut suspects: Vec<CellId> = Vec::new();
    let mut suspect = |problems: Vec<Problem>, suspects: &mut Vec<CellId>| {
        let cells = problems.into_iter().filter(|problem| counts(problem)).filter_map(|problem| problem.cell);
        suspects.extend(cells.filter(|cell| known.insert(cell.clone())));
    };
    suspect(problems, &mut suspects);
    let (mut states, mut checkpoints) = (0, 0);
    let mut below = change.head.version + 1;
    loop {
        check_for_interrupts();
        let Some(version) = checkpoint::below(db, run_id, below) else {
            return Ok((None, None));
        };
        if version < lowest {
            return Ok((None, None));
        }
        checkpoints += 1;
        let mut wrong_since = None;
        for place in 0..suspects.len() {
            check_for_interrupts();
            let (found, since) = validate::problems_of_cell(db, run_id, run, &suspects[place], version)?;
            if found.iter().any(counts) {
                // What is wrong here is likely to be wrong before, too.
                suspects.swap(0, place);
                wrong_since = Some(since);
                break;
            }
        }
        below = match wrong_since {
            Some(since) => since,
            None if states == MOST_STATES => return Ok((None, Some(gave_up(version)))),
            None => {
                states += 1;
                let mut found = validate::problems(db, run_id, run, Some(version))?;
                found.retain(counts);
                if found.is_empty() {
                    return Ok((Some(version), None));
                }
                suspect(found, &mut suspects);
                version
            }
        };
        if checkpoints == MOST_CHECKPOINTS {
            return Ok((None, Some(gave_up(below))));
        }
    }
}

fn gave_up(version: i64) -> String {
    format!(
        "recovery: many checkpoints were looked at and none is valid; those up to version {version} were not looked at"
    )
}

/// The node that was completed last, and where to go on, at an older version (the newest: None).
fn places(
    change: &mut Change<'_>,
    nodes: Nodes,
    lost: Vec<String>,
    at_version: Option<i64>,
) -> Result<(Option<String>, Vec<String>)> {
    let compiled = match at_version {
        Some(version) => loops::topology_at(change, version)?,
        None => loops::topology(change)?,
    };
    let graph = compiled.as_ref().map(|compiled| compiled.definition.topology(check_for_interrupts));
    let lost_ids: HashSet<&str> = lost.iter().map(String::as_str).collect();
    let not_taken = skipped_by_engine(change, at_version);
    let status = |id: &str| match nodes.get(id).map_or("pending", |(_, node)| node.status.as_str()) {
        "running" if lost_ids.contains(id) => Status::Lost,
        "running" => Status::Running,
        "failed" => Status::Failed,
        // Engines show what they pass over as done.
        "completed" | "pending" | "skipped" if not_taken.contains(id) => Status::Skipped,
        "completed" => Status::Completed,
        "skipped" => Status::Skipped,
        _ => Status::Pending,
    };
    let completed: Vec<(String, i64)> = nodes
        .iter()
        .filter(|(id, _)| status(id) == Status::Completed)
        .map(|(id, (version, _))| (id.clone(), *version))
        .collect();
    let place = graph.as_ref().map(Topology::places);
    let place = |id: &str| Some(place.as_ref()?[graph.as_ref()?.number(id)?]);
    let last_completed = completion::order(&change.db, change.run_id, completed)
        .into_iter()
        // Of several in one version, the one that is furthest in the graph.
        .max_by_key(|(id, version)| (*version, place(id)))
        .map(|(id, _)| id);
    let in_graph = |id: &str| graph.as_ref().is_some_and(|graph| graph.number(id).is_some());
    let to_do = |id: &str| matches!(status(id), Status::Lost | Status::Failed | Status::Pending);
    let mut points: Vec<String> = nodes.keys().filter(|id| !in_graph(id) && to_do(id)).cloned().collect();
    let Some((compiled, graph)) = compiled.as_ref().zip(graph.as_ref()) else {
        return Ok((last_completed, points));
    };
    let turns = loops::turns(&change.db, change.run_id, at_version);
    let turn = |id: &str| turns.get(id).copied();
    let of_graph = progress::resume_points(&compiled.definition, graph, status, turn, check_for_interrupts);
    points.extend(of_graph.into_iter().map(str::to_owned));
    points.sort_unstable();
    Ok((last_completed, points))
}

/// The nodes in the engine's own field `skip_nodes`.
fn skipped_by_engine(change: &Change<'_>, at_version: Option<i64>) -> HashSet<String> {
    let version = at_version.unwrap_or(change.head.version);
    let value = CellId::new("engine", "skip_nodes").at(change.run_id).value(&change.db, version);
    let elements = value.filter(|value| value.is_array()).map(|value| value.elements()).unwrap_or_default();
    elements.iter().filter_map(|element| serde_json::from_str(element.text()).ok()).collect()
}

#[pg_extern(stable)]
#[allow(clippy::type_complexity)]
fn stale_runs(
    idle: Option<Interval>,
) -> std::result::Result<
    TableIterator<
        'static,
        (
            name!(run_id, String),
            name!(version, i64),
            name!(last_activity, Option<TimestampWithTimeZone>),
            name!(expired, Vec<String>),
        ),
    >,
    ErrorReport,
> {
    let idle = args::required(idle, "idle")?;
    settings::after(0, idle, "idle")?;
    let db = Db::read();
    let now = run::now_for_stale(&db)?;
    let age = settings::after(now, idle, "idle")? - now;
    let silent =
        now.checked_sub(age).ok_or_else(|| Error::argument("idle must not reach back beyond the first timestamp"))?;
    let owners = if access::may_read(&db, "") { None } else { Some(own_roles(&db)) };
    drop(db);
    let mut stale = Stale { silent, now, owners, after: Some(Default::default()) };
    Ok(TableIterator::new(Batches::new(move || Ok(stale.read()))))
}

type StaleRow = (String, i64, Option<TimestampWithTimeZone>, Vec<String>);

/// What is left of the runs that somebody should look at.
struct Stale {
    silent: i64,
    now: i64,
    /// Whose runs are left to look through, that of the last one first; None: everybody's.
    owners: Option<Vec<String>>,
    /// The owner and the run that were told last; None: there is no more.
    after: Option<(String, String)>,
}

impl Stale {
    fn read(&mut self) -> Vec<StaleRow> {
        let db = Db::read();
        while let Some((owner, run_id)) = self.after.take() {
            // Of some owners, the one whose turn it is.
            let turn = match &self.owners {
                None => &owner,
                Some(owners) => match owners.last() {
                    None => return Vec::new(),
                    Some(owner) => owner,
                },
            };
            let found = run::stale(&db, self.silent, self.now, turn, &run_id, self.owners.is_some());
            self.after = found.last().map(|run| (run.owner.clone(), run.run_id.clone()));
            if !found.is_empty() {
                let row = |run: run::Stale| (run.run_id, run.version, run.last_activity, run.expired);
                return found.into_iter().map(row).collect();
            }
            if let Some(owners) = &mut self.owners {
                owners.pop();
                self.after = Some(Default::default());
            }
        }
        Vec::new()
    }
}
