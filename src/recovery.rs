//! Recovery after a crash: what is broken is rolled back, what nobody works on any more is reset, and where to go on.

use crate::access;
use crate::args;
use crate::change::{Change, NewEvent, Opened, Request};
use crate::definition::Definition;
use crate::error::{Error, Result};
use crate::interaction;
use crate::jsonb::Jsonb;
use crate::loops::{self, topology};
use crate::node::{self, Node};
use crate::rollback;
use crate::run::restore_status;
use crate::settings;
use crate::spi::Db;
use crate::statements::{CHECKPOINTS, LEASES, STALE_RUNS};
use crate::validate;
use pgrx::IntoDatum;
use pgrx::datum::{Interval, TimestampWithTimeZone};
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet, HashMap};

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
}

#[pg_extern]
#[allow(clippy::type_complexity)]
fn recover_run(
    run_id: Option<&str>,
    dry_run: default!(Option<bool>, "false"),
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
    let report = recover(run_id, dry_run.unwrap_or(false))?;
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

fn recover(run_id: Option<&str>, dry_run: bool) -> Result<Report> {
    let request = Request::new(run_id, None)?;
    let Opened::Change(mut change) = request.open("run.recovered")? else { unreachable!("no key was given") };
    change.require_unfinished()?;
    let mut report = Report { from_version: change.head.version, ..Report::default() };
    report.incomplete = node::all(&change.db, change.run_id, None)
        .into_iter()
        .filter(|(_, (_, node))| node.status == "running")
        .map(|(id, _)| id)
        .collect();
    let problems = validate::problems(&change.db, change.run_id, &change.run, None)?;
    report.problems = problems.iter().map(|p| format!("{} {}: {}", p.rule, p.path, p.message)).collect();
    if !problems.is_empty() {
        report.checkpoint_version = valid_checkpoint(&change)?;
        if let (Some(version), false) = (report.checkpoint_version, dry_run) {
            rollback::restore(&mut change, version, None, Some("recovery"))?;
        }
    }
    let nodes = match (dry_run, report.checkpoint_version) {
        // What it would find after the rollback.
        (true, Some(version)) => pending(node::all(&change.db, change.run_id, Some(version))),
        _ => node::all(&change.db, change.run_id, None),
    };
    let loops = loops::all(&change.db, change.run_id, report.checkpoint_version.filter(|_| dry_run));
    let lost = lost_nodes(&change, &nodes);
    let status = interaction::status_without(&change, None);
    if !dry_run && (!lost.is_empty() || status != change.run.status) {
        let writes = node::reset(&mut change, &lost)?;
        let payload = Jsonb::of(&Recovered { reset: &lost, status: status.name() });
        change.append(NewEvent::new("run.recovered", payload, writes))?;
        restore_status(&mut change, status);
    }
    report.last_completed = nodes
        .iter()
        .filter(|(_, (_, node))| node.status == "completed")
        .max_by_key(|(_, (version, _))| *version)
        .map(|(id, _)| id.clone());
    if let Some(compiled) = topology(&mut change)? {
        report.resume_at = resume_points(&compiled.definition, &nodes, &loops, &lost, report.last_completed.as_deref());
    } else {
        report.resume_at.clone_from(&lost);
    }
    report.version = change.head.version;
    let version = report.version;
    change.close(version)?;
    Ok(report)
}

/// Nodes as a rollback brings them back: nobody works on them.
fn pending(nodes: BTreeMap<String, (i64, Node)>) -> BTreeMap<String, (i64, Node)> {
    let reset = |node: Node| if node.status == "running" { Node::pending() } else { node };
    nodes.into_iter().map(|(id, (version, node))| (id, (version, reset(node)))).collect()
}

/// The newest checkpoint whose state is valid, no further back than the newest protected one; None where there is none.
fn valid_checkpoint(change: &Change<'_>) -> Result<Option<i64>> {
    let rows = change.db.query(&CHECKPOINTS, &[change.run_id.into_datum()]);
    for row in 0..rows.len() {
        let version: i64 = rows.get(row, 1).unwrap_or_default();
        if validate::problems(&change.db, change.run_id, &change.run, Some(version))?.is_empty() {
            return Ok(Some(version));
        }
        if rows.get(row, 2).unwrap_or(false) {
            return Ok(None);
        }
    }
    Ok(None)
}

/// Running nodes that nobody works on any more: their lease ran out, or they never had one.
fn lost_nodes(change: &Change<'_>, nodes: &BTreeMap<String, (i64, Node)>) -> Vec<String> {
    let rows = change.db.query(&LEASES, &[change.run_id.into_datum()]);
    let leases: HashMap<String, i64> =
        (0..rows.len()).filter_map(|row| rows.get(row, 1).zip(rows.get(row, 2))).collect();
    nodes
        .iter()
        .filter(|(id, (_, node))| node.status == "running" && leases.get(*id).is_none_or(|until| *until <= change.now))
        .map(|(id, _)| id.clone())
        .collect()
}

/// Where an engine goes on: at the nodes that were lost or failed; else at what follows the node completed last, past what is
/// done and past loops that are over; in a run in which nothing was completed yet, at the nodes that nothing leads to.
fn resume_points(
    definition: &Definition,
    nodes: &BTreeMap<String, (i64, Node)>,
    loops: &BTreeMap<String, bool>,
    lost: &[String],
    last_completed: Option<&str>,
) -> Vec<String> {
    let done = |id: &str| nodes.get(id).is_some_and(|(_, node)| node.status == "completed" || node.status == "skipped");
    let failed = nodes.iter().filter(|(_, (_, node))| node.status == "failed").map(|(id, _)| id.clone());
    let again: BTreeSet<String> = lost.iter().cloned().chain(failed).collect();
    if !again.is_empty() {
        return again.into_iter().collect();
    }
    let Some(last) = last_completed else {
        let leads_to = |id: &str| definition.edges.iter().any(|e| e.target == id && e.handle != "loop_next");
        return definition.nodes.keys().filter(|id| !done(id) && !leads_to(id)).cloned().collect();
    };
    let mut points = BTreeSet::new();
    let mut passed = BTreeSet::from([last]);
    let mut open = vec![last];
    while let Some(id) = open.pop() {
        // Out of a loop that is over lead its other edges.
        let over = loops.get(id) == Some(&false);
        for edge in definition.edges.iter().filter(|edge| edge.source == id && !(over && edge.handle == "loop_body")) {
            let target = edge.target.as_str();
            let past = match loops.get(target) {
                Some(active) => !active,
                None => done(target) && edge.handle != "loop_next",
            };
            if !past {
                points.insert(target.to_owned());
            } else if passed.insert(target) {
                open.push(target);
            }
        }
    }
    points.into_iter().collect()
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
    let now = settings::now()?;
    let age = settings::after(now, idle, "idle")? - now;
    let db = Db::read();
    let everything = access::may_read(&db, "");
    let silent = now.checked_sub(age).ok_or_else(|| Error::argument("idle is out of range"))?;
    let rows = db.query(&STALE_RUNS, &[silent.into_datum(), now.into_datum()]);
    let stale: Vec<_> = (0..rows.len())
        .filter(|row| {
            everything || access::has_privileges_of(db.caller, &rows.get::<String>(*row, 2).unwrap_or_default())
        })
        .map(|row| {
            (
                rows.get(row, 1).unwrap_or_default(),
                rows.get(row, 3).unwrap_or_default(),
                rows.get(row, 4),
                rows.get(row, 5).unwrap_or_default(),
            )
        })
        .collect();
    Ok(TableIterator::new(stale))
}
