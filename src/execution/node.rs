//! Nodes: a worker takes one, works, acknowledges. And the part of a node's state that the state document shows.

use crate::pure::hash::value_hash;
use crate::server::args::{self, MAX_VALUE};
use crate::server::error::{Error, Result};
use crate::server::interrupts::check_for_interrupts;
use crate::server::jsonb::Jsonb;
use crate::server::name::Texts;
use crate::server::row::Row;
use crate::server::settings;
use crate::server::stream::{BYTES, Batches, ROW};
use crate::state::change::{Change, NewEvent, Opened, Request, checked_reason, with_change};
use crate::state::document;
use crate::state::reader::{Reader, for_update_of_its_own};
use crate::state::variables;
use crate::store::cell::{COUNTER, CellId, Counter, Place};
use crate::store::db::Db;
use crate::store::history;
use crate::store::interaction;
use crate::store::lease::{self, Lease};
use crate::store::live::live_cells;
use crate::store::node::Node;
use crate::store::run::{self, Status};
use crate::store::write::Write;
use foldhash::HashMap;
use pgrx::datum::{Interval, TimestampWithTimeZone};
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use serde::Serialize;
use std::collections::BTreeMap;
use std::vec::IntoIter;

// ------------------------------------------------------------------------------------------------------------ context

/// The rows that append an entry to a node's context: never more than two, however long the list is.
fn append_context(
    change: &mut Change<'_>,
    node_id: &str,
    counter: Counter,
    highest: i64,
    value: Jsonb,
) -> Result<(i64, Vec<Write>)> {
    let ordinal = counter.next;
    let id = CellId::context(node_id, ordinal);
    // Used before, in a list that was shortened or rolled back since.
    if ordinal <= highest && !change.cells.knows(&id) {
        change.cells.load(&change.db, change.run_id, vec![id.clone()]);
    }
    let grown = Counter { live: counter.live + 1, next: ordinal + 1 };
    let mut writes = Vec::with_capacity(2);
    writes.extend(change.cells.write(id, Some(value), MAX_VALUE)?);
    writes.extend(change.cells.write(CellId::context(node_id, COUNTER), Some(Jsonb::of(&grown)), MAX_VALUE)?);
    Ok((ordinal, writes))
}

/// The rows that take all entries of a node's context out of the live state.
pub fn clear_context(change: &mut Change<'_>, node_id: &str, counter: Counter) -> Result<Vec<Write>> {
    let ids: Vec<CellId> =
        (counter.next - counter.live..counter.next).map(|ordinal| CellId::context(node_id, ordinal)).collect();
    change.cells.load(&change.db, change.run_id, ids.clone());
    let mut writes = Vec::with_capacity(ids.len() + 1);
    for id in ids {
        writes.extend(change.cells.write(id, None, MAX_VALUE)?);
    }
    let empty = Counter { live: 0, ..counter };
    writes.extend(change.cells.write(CellId::context(node_id, COUNTER), Some(Jsonb::of(&empty)), MAX_VALUE)?);
    Ok(writes)
}

#[pg_extern(stable)]
#[allow(clippy::type_complexity)]
fn context(
    run_id: Option<&str>,
    node_id: default!(Option<&str>, "NULL"),
    last: default!(Option<i32>, "NULL"),
) -> std::result::Result<
    TableIterator<
        'static,
        (
            name!(node_id, String),
            name!(ordinal, i64),
            name!(value, Option<Jsonb>),
            name!(version, i64),
            name!(bytes, i32),
        ),
    >,
    ErrorReport,
> {
    let run_id = args::run_id(run_id)?;
    let node_id = args::optional_name(node_id, "node_id")?;
    if last.is_some_and(|last| last < 0) {
        return Err(Error::argument("last must not be negative").into());
    }
    let reader = Reader::open(run_id)?;
    let nodes: Vec<String> = match node_id {
        Some(node_id) => vec![node_id.to_owned()],
        None => {
            let mut nodes = history::nodes_with_context(&reader.db, run_id);
            nodes.reverse();
            nodes
        }
    };
    let last = last.map_or(i64::from(i32::MAX), i64::from);
    let mut lists = Lists {
        run_id: run_id.to_owned(),
        nodes: nodes.into_iter(),
        node: String::new(),
        entries: vec![].into_iter(),
        last,
    };
    Ok(TableIterator::new(Batches::new(move || Ok(lists.read()))))
}

type Entry = (String, i64, Option<Jsonb>, i64, i32);

/// What is left to read of the context of some nodes.
struct Lists {
    run_id: String,
    nodes: IntoIter<String>,
    /// The node that is being read, and its entries: ordinal and version.
    node: String,
    entries: IntoIter<(i64, i64)>,
    last: i64,
}

impl Lists {
    fn read(&mut self) -> Vec<Entry> {
        let (mut batch, mut bytes) = (Vec::new(), 0);
        if self.entries.len() == 0 && self.nodes.len() == 0 {
            return batch;
        }
        let db = Db::read();
        run::prepare(&db, &self.run_id);
        while bytes < BYTES {
            check_for_interrupts();
            let Some((ordinal, version)) = self.entries.next() else {
                let Some(node) = self.nodes.next() else { break };
                self.node = node;
                self.entries = history::last_entries(&db, &self.run_id, &self.node, self.last).into_iter();
                continue;
            };
            let place = Place { run_id: &self.run_id, scope: "context", key: &self.node, ordinal };
            let value = place.value(&db, version);
            bytes += ROW + value.map_or(0, |value| value.size());
            let length = value.map_or(0, |value| value.text().len() as i32);
            batch.push((self.node.clone(), ordinal, value, version, length));
        }
        batch
    }
}

// -------------------------------------------------------------------------------------------------------------- begin

type Begun = (i64, Option<i32>, String, Option<Jsonb>);

#[derive(Serialize)]
struct Started<'a> {
    node_id: &'a str,
    attempt: i32,
    #[serde(skip_serializing_if = "Option::is_none")]
    worker: Option<&'a str>,
}

#[pg_extern(sql = r#"
CREATE FUNCTION layra.begin_node(run_id text, node_id text, worker text DEFAULT NULL, lease interval DEFAULT NULL,
    OUT version bigint, OUT attempt integer, OUT status text, OUT output jsonb) RETURNS record
LANGUAGE c AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';
"#)]
fn begin_node_row(
    run_id: Option<&str>,
    node_id: Option<&str>,
    worker: Option<&str>,
    lease: Option<Interval>,
) -> std::result::Result<Row<Begun>, ErrorReport> {
    Ok(Row(begin(run_id, node_id, worker, lease)?))
}

/// As version 0.2.0 declares it, whose symbol has to stay: a set of one row.
#[pg_extern(sql = false)]
#[allow(clippy::type_complexity)]
fn begin_node(
    run_id: Option<&str>,
    node_id: Option<&str>,
    worker: Option<&str>,
    lease: Option<Interval>,
) -> std::result::Result<
    TableIterator<
        'static,
        (name!(version, i64), name!(attempt, Option<i32>), name!(status, String), name!(output, Option<Jsonb>)),
    >,
    ErrorReport,
> {
    Ok(TableIterator::once(begin(run_id, node_id, worker, lease)?))
}

fn begin(run_id: Option<&str>, node_id: Option<&str>, worker: Option<&str>, lease: Option<Interval>) -> Result<Begun> {
    let request = Request::new(run_id, None)?;
    let node_id = args::name(node_id, "node_id")?;
    let worker = args::optional_name(worker, "worker")?;
    if let Some(lease) = lease {
        settings::after(0, lease, "lease")?;
    }
    let Opened::Change(mut change) = request.open("node.started")? else { unreachable!("no key was given") };
    let values = change.cells.load_values(&change.db, change.run_id, vec![Node::id(node_id)]);
    let node = Node::parse(values.get(&Node::id(node_id)));
    let version = change.cells.get(&Node::id(node_id)).version;
    if node.status == "completed" || node.status == "skipped" {
        let output = output_of(&mut change, node_id, &node);
        return Ok((version, node.attempt, node.status, output));
    }
    change.require_unfinished()?;
    match change.run.status {
        Status::Running => {}
        Status::Paused => {
            let message = format!("run {:?} is paused", change.run_id);
            return Err(Error::state(message, how_to_resume(&change)));
        }
        _ => return Err(change.cancelling()),
    }
    let lease_before = Lease::lock(&change.db, change.run_id, node_id);
    // Read again: a heartbeat, which does not wait for the run, may have held the lease for long.
    change.now = settings::now()?;
    // Running by a document's word only, it has no attempt: nobody holds it.
    if node.status == "running" && node.attempt.is_some() {
        require_free(&change, node_id, worker, lease_before)?;
    }
    let until = lease.map(|lease| settings::after(change.now, lease, "lease")).transpose()?;
    let attempt = lease::take(&change.db, change.run_id, node_id, worker, until);
    let cell = Node {
        status: "running".into(),
        attempt: Some(attempt),
        worker: worker.map(str::to_owned),
        leased: until.is_some(),
        ..Node::default()
    };
    let writes = change.cells.write(Node::id(node_id), Some(Jsonb::of(&cell)), MAX_VALUE)?.into_iter().collect();
    let before = due(&mut change, node_id, |policy| &policy.before)?.then_some("before");
    let payload = Jsonb::of(&Started { node_id, attempt, worker });
    let version = change.append(NewEvent::new("node.started", payload, writes).due(before))?;
    Ok((change.close(version)?, Some(attempt), cell.status, None))
}

/// What to do about a run that is paused: the interactions that wait by their ids, as far as they are few.
fn how_to_resume(change: &Change<'_>) -> String {
    const NAMED: usize = 5;
    let ids = interaction::waiting_first(&change.db, change.run_id, change.now);
    match ids.len() {
        0 => "Every question has expired: layra.recover_run lets the run go on.".into(),
        count => format!(
            "Open interactions: {}{}. Answer with layra.resume_run, or withdraw with layra.withdraw_interaction.",
            ids[..count.min(NAMED)].join(", "),
            if count > NAMED { " and more, in layra.interactions" } else { "" }
        ),
    }
}

/// 55P03 while somebody else holds the node. Without a lease nobody does.
fn require_free(change: &Change<'_>, node_id: &str, worker: Option<&str>, lease: Option<Lease>) -> Result<()> {
    match lease {
        Some(lease) if lease.worker.as_deref() != worker && !lease.is_over(change.now) => {
            let until = lease.until.and_then(|until| TimestampWithTimeZone::try_from(until).ok());
            Err(Error::LeaseHeld {
                run: change.run_id.to_owned(),
                node: node_id.to_owned(),
                holder: lease.worker,
                until: until.map(|until| until.to_iso_string()),
            })
        }
        _ => Ok(()),
    }
}

fn output_of(change: &mut Change<'_>, node_id: &str, node: &Node) -> Option<Jsonb> {
    let id = CellId::context(node_id, node.output?);
    change.cells.load_values(&change.db, change.run_id, vec![id.clone()]).remove(&id)
}

/// Whether the workflow's policy names the type of this node.
fn due(
    change: &mut Change<'_>,
    node_id: &str,
    types: impl Fn(&crate::pure::definition::Policy) -> &Vec<String>,
) -> Result<bool> {
    Ok(change.compiled()?.is_some_and(|compiled| {
        let definition = &compiled.definition;
        definition.nodes.get(node_id).is_some_and(|node| types(&definition.policy).contains(&node.type_name))
    }))
}

/// Whether a completion of this node, or of an iteration of this loop, is a milestone of the workflow's policy.
pub fn milestone(change: &mut Change<'_>, node_id: &str) -> Result<Option<&'static str>> {
    Ok(due(change, node_id, |policy| &policy.milestones)?.then_some("milestone"))
}

#[pg_extern(sql = r#"
CREATE FUNCTION layra.heartbeat(run_id text, node_id text, attempt integer, lease interval,
    OUT until timestamptz, OUT run_status text) RETURNS record
LANGUAGE c AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';
"#)]
fn heartbeat_row(
    run_id: Option<&str>,
    node_id: Option<&str>,
    attempt: Option<i32>,
    lease: Option<Interval>,
) -> std::result::Result<Row<Beat>, ErrorReport> {
    Ok(Row(beat(run_id, node_id, attempt, lease)?))
}

/// As version 0.2.0 declares it, whose symbol has to stay: a set of one row.
#[pg_extern(sql = false)]
#[allow(clippy::type_complexity)]
fn heartbeat(
    run_id: Option<&str>,
    node_id: Option<&str>,
    attempt: Option<i32>,
    lease: Option<Interval>,
) -> std::result::Result<
    TableIterator<'static, (name!(until, Option<TimestampWithTimeZone>), name!(run_status, String))>,
    ErrorReport,
> {
    Ok(TableIterator::once(beat(run_id, node_id, attempt, lease)?))
}

type Beat = (Option<TimestampWithTimeZone>, String);

fn beat(run_id: Option<&str>, node_id: Option<&str>, attempt: Option<i32>, lease: Option<Interval>) -> Result<Beat> {
    let run_id = args::run_id(run_id)?;
    let node_id = args::name(node_id, "node_id")?;
    let attempt = args::required(attempt, "attempt")?;
    let duration = args::required(lease, "lease")?;
    settings::after(0, duration, "lease")?;
    let db = for_update_of_its_own(run_id)?;
    let lease = Lease::lock(&db, run_id, node_id);
    // Read after the lock is held: a lease that ended while we waited for it is over.
    let now = settings::now()?;
    let Some(lease) = lease else { return Err(never_begun(run_id, node_id)) };
    let hint = if attempt > lease.attempt {
        Some("It was never begun: attempt is what layra.begin_node returned.")
    } else if attempt < lease.attempt {
        Some("It is not the newest attempt: another worker has the node, so stop working on it.")
    } else if lease.until.is_none() {
        Some("It has ended, or was begun without a lease.")
    } else if lease.is_over(now) {
        Some("The lease ran out: take the node again with layra.begin_node.")
    } else {
        None
    };
    if let Some(hint) = hint {
        let message = format!("attempt {attempt} of node {node_id:?} of run {run_id:?} has no lease");
        return Err(Error::state(message, hint));
    }
    let until = settings::after(now, duration, "lease")?;
    let status = lease::extend(&db, run_id, node_id, until);
    Ok((TimestampWithTimeZone::try_from(until).ok(), status.unwrap_or_default()))
}

// -------------------------------------------------------------------------------------------------- complete and fail

#[derive(Serialize)]
struct Done<'a> {
    node_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    attempt: Option<i32>,
}

#[pg_extern]
#[allow(clippy::too_many_arguments)]
fn complete_node(
    run_id: Option<&str>,
    node_id: Option<&str>,
    output: default!(Option<Jsonb>, "NULL"),
    updates: default!(Option<Jsonb>, "NULL"),
    attempt: default!(Option<i32>, "NULL"),
    expected_version: default!(Option<i64>, "NULL"),
    idempotency_key: default!(Option<&str>, "NULL"),
) -> std::result::Result<i64, ErrorReport> {
    let request = Request::new(run_id, idempotency_key)?;
    let node_id = args::name(node_id, "node_id")?;
    let updates = updates.map(|updates| args::members(Some(updates), "updates")).transpose()?.unwrap_or_default();
    let expected = args::expected(expected_version)?;
    Ok(with_change(request, "node.completed", |change| complete(change, node_id, output, updates, attempt, expected))?)
}

fn complete(
    change: &mut Change<'_>,
    node_id: &str,
    output: Option<Jsonb>,
    updates: Vec<(String, Jsonb)>,
    attempt: Option<i32>,
    expected: Option<i64>,
) -> Result<i64> {
    let mut ids = vec![Node::id(node_id), CellId::context(node_id, COUNTER)];
    ids.extend(updates.iter().map(|(name, _)| CellId::variable(name)));
    let (values, highest) = change.cells.load_node_values(&change.db, change.run_id, ids, node_id);
    let node = Node::parse(values.get(&Node::id(node_id)));
    if node.status == "completed" {
        // The response of the first call was lost: the same completion again is that one.
        let recorded = output_of(change, node_id, &node).map(|value| value_hash(value.text()));
        let given = output.map(|value| value_hash(value.text()));
        if recorded == given && attempt.is_none_or(|attempt| node.attempt == Some(attempt)) {
            return Ok(change.cells.get(&Node::id(node_id)).version);
        }
    }
    change.expect_version(expected)?;
    change.require_unfinished()?;
    require_attempt(change, node_id, &node, attempt)?;
    let (ordinal, mut writes) = match output {
        None => (None, Vec::new()),
        Some(output) => {
            let counter = Counter::parse(values.get(&CellId::context(node_id, COUNTER)));
            let (ordinal, writes) = append_context(change, node_id, counter, highest, output)?;
            (Some(ordinal), writes)
        }
    };
    let cell = Node {
        status: "completed".into(),
        attempt: node.attempt,
        worker: node.worker,
        output: ordinal,
        ..Node::default()
    };
    writes.extend(change.cells.write(Node::id(node_id), Some(Jsonb::of(&cell)), MAX_VALUE)?);
    writes.extend(variables::plan_loaded(change, updates.into_iter().map(|(n, v)| (n, Some(v))).collect())?);
    if node.leased {
        lease::release(&change.db, change.run_id, vec![node_id.to_owned()]);
    }
    let milestone = milestone(change, node_id)?;
    let payload = Jsonb::of(&Done { node_id, attempt: node.attempt });
    change.append(NewEvent::new("node.completed", payload, writes).due(milestone))
}

fn require_attempt(change: &Change<'_>, node_id: &str, node: &Node, attempt: Option<i32>) -> Result<()> {
    let hint = match node.status.as_str() {
        "running" => {
            let Some(attempt) = attempt.filter(|attempt| node.attempt != Some(*attempt)) else { return Ok(()) };
            let of = format!("attempt {attempt} of node {node_id:?} of run {:?}", change.run_id);
            return Err(match node.attempt {
                None => Error::state(
                    format!("{of} was never begun"),
                    "A saved document made the node running, without an attempt: leave attempt out.",
                ),
                Some(newest) if attempt > newest => {
                    Error::state(format!("{of} was never begun"), "attempt is what layra.begin_node returned.")
                }
                Some(_) => Error::state(
                    format!("{of} is over"),
                    "Another worker took the node over: stop working on it, and discard the result.",
                ),
            });
        }
        "pending" if Lease::lock(&change.db, change.run_id, node_id).is_none() => {
            return Err(never_begun(change.run_id, node_id));
        }
        "pending" => "It was reset, or the run rolled back, since it was begun: begin it again with layra.begin_node.",
        "completed" => "Another call completed it; layra.context shows its output, layra.reset_nodes makes it pending.",
        "skipped" => "layra.reset_nodes makes it pending again.",
        _ => "Begin it again with layra.begin_node.",
    };
    Err(Error::state(format!("node {node_id:?} of run {:?} is {}", change.run_id, node.status), hint))
}

fn never_begun(run_id: &str, node_id: &str) -> Error {
    Error::state(
        format!("node {node_id:?} of run {run_id:?} was never begun"),
        "Begin it first, with layra.begin_node.",
    )
}

#[pg_extern]
fn fail_node(
    run_id: Option<&str>,
    node_id: Option<&str>,
    error: Option<Jsonb>,
    attempt: default!(Option<i32>, "NULL"),
    expected_version: default!(Option<i64>, "NULL"),
    idempotency_key: default!(Option<&str>, "NULL"),
) -> std::result::Result<i64, ErrorReport> {
    let request = Request::new(run_id, idempotency_key)?;
    let node_id = args::name(node_id, "node_id")?;
    let error = args::required(error, "error")?;
    let expected = args::expected(expected_version)?;
    Ok(with_change(request, "node.failed", |change| {
        let values = change.cells.load_values(&change.db, change.run_id, vec![Node::id(node_id)]);
        let node = Node::parse(values.get(&Node::id(node_id)));
        let same = node.error.as_ref().is_some_and(|recorded| recorded.get() == error.text());
        if node.status == "failed" && same && attempt.is_none_or(|attempt| node.attempt == Some(attempt)) {
            return Ok(change.cells.get(&Node::id(node_id)).version);
        }
        change.expect_version(expected)?;
        change.require_unfinished()?;
        require_attempt(change, node_id, &node, attempt)?;
        args::within_limit(error.text(), MAX_VALUE, "error")?;
        let cell = Node { status: "failed".into(), attempt: node.attempt, worker: node.worker, ..Node::default() };
        let cell = Jsonb::of(&cell).with([("error", Some(&error))]);
        let writes = change.cells.write(Node::id(node_id), Some(cell), MAX_VALUE)?.into_iter().collect();
        if node.leased {
            lease::release(&change.db, change.run_id, vec![node_id.to_owned()]);
        }
        let payload = Jsonb::of(&Done { node_id, attempt: node.attempt }).with([("error", Some(&error))]);
        change.append(NewEvent::new("node.failed", payload, writes))
    })?)
}

// ---------------------------------------------------------------------------------------------------- skip and reset

#[derive(Serialize)]
struct Several<'a> {
    node_ids: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
}

#[pg_extern]
fn skip_nodes(
    run_id: Option<&str>,
    node_ids: Option<Texts>,
    reason: default!(Option<&str>, "NULL"),
    expected_version: default!(Option<i64>, "NULL"),
    idempotency_key: default!(Option<&str>, "NULL"),
) -> std::result::Result<i64, ErrorReport> {
    let request = Request::new(run_id, idempotency_key)?;
    let nodes = args::names(node_ids, "node_ids")?;
    let expected = args::expected(expected_version)?;
    Ok(with_change(request, "node.skipped", |change| {
        let current = load(change, &nodes);
        if let Some(version) = all_are(change, &nodes, &current, "skipped") {
            return Ok(version);
        }
        change.expect_version(expected)?;
        change.require_unfinished()?;
        let mut writes = Vec::new();
        for id in &nodes {
            let node = Node::parse(current.get(&Node::id(id)));
            match node.status.as_str() {
                "skipped" => {}
                "pending" | "failed" => {
                    let cell = Node { status: "skipped".into(), ..Node::default() };
                    writes.extend(change.cells.write(Node::id(id), Some(Jsonb::of(&cell)), MAX_VALUE)?);
                }
                status => return Err(wrong_move(change, id, status, "skipped")),
            }
        }
        let payload = Jsonb::of(&Several { node_ids: &nodes, reason: checked_reason(reason)? });
        change.append(NewEvent::new("node.skipped", payload, writes))
    })?)
}

#[pg_extern]
fn reset_nodes(
    run_id: Option<&str>,
    node_ids: Option<Texts>,
    expected_version: default!(Option<i64>, "NULL"),
    idempotency_key: default!(Option<&str>, "NULL"),
) -> std::result::Result<i64, ErrorReport> {
    let request = Request::new(run_id, idempotency_key)?;
    let nodes = args::names(node_ids, "node_ids")?;
    let expected = args::expected(expected_version)?;
    Ok(with_change(request, "node.reset", |change| {
        let current = load(change, &nodes);
        if let Some(version) = all_are(change, &nodes, &current, "pending") {
            return Ok(version);
        }
        change.expect_version(expected)?;
        change.require_unfinished()?;
        let writes = reset_loaded(change, &nodes, &current)?;
        let payload = Jsonb::of(&Several { node_ids: &nodes, reason: None });
        change.append(NewEvent::new("node.reset", payload, writes))
    })?)
}

/// Where all nodes are so already (the response of the first call was lost): the version in which they became so.
fn all_are(change: &Change<'_>, nodes: &[String], current: &HashMap<CellId, Jsonb>, status: &str) -> Option<i64> {
    if nodes.iter().any(|id| Node::parse(current.get(&Node::id(id))).status != status) {
        return None;
    }
    let newest = nodes.iter().map(|id| change.cells.get(&Node::id(id)).version).max();
    Some(newest.filter(|version| *version > 0).unwrap_or(change.head.version))
}

fn wrong_move(change: &Change<'_>, node_id: &str, from: &str, to: &str) -> Error {
    let hint = match from {
        "running" => "Complete it or fail it first, or make it pending with layra.reset_nodes.",
        _ => "layra.reset_nodes makes it pending again.",
    };
    Error::state(format!("node {node_id:?} of run {:?} is {from} and cannot become {to}", change.run_id), hint)
}

fn load(change: &mut Change<'_>, nodes: &[String]) -> HashMap<CellId, Jsonb> {
    change.cells.load_values(&change.db, change.run_id, nodes.iter().map(|id| Node::id(id)).collect())
}

/// The rows that make nodes pending; nodes that were never begun stay as they are. Their leases end.
pub fn reset(change: &mut Change<'_>, nodes: &[String]) -> Result<Vec<Write>> {
    let current = load(change, nodes);
    reset_loaded(change, nodes, &current)
}

fn reset_loaded(change: &mut Change<'_>, nodes: &[String], current: &HashMap<CellId, Jsonb>) -> Result<Vec<Write>> {
    let mut writes = Vec::new();
    let mut leased = Vec::new();
    for id in nodes {
        let Some(value) = current.get(&Node::id(id)) else { continue };
        let node = Node::parse(Some(value));
        if node.leased {
            leased.push(id.clone());
        }
        if node.status != "pending" {
            writes.extend(change.cells.write(Node::id(id), Some(Jsonb::of(&Node::pending())), MAX_VALUE)?);
        }
    }
    if !leased.is_empty() {
        lease::release(&change.db, change.run_id, leased);
    }
    Ok(writes)
}

/// The live nodes of a run at a version (the newest: None), and what is known of them.
pub fn all(db: &Db, run_id: &str, at_version: Option<i64>) -> BTreeMap<String, (i64, Node)> {
    live_cells(db, run_id, Some("node"), at_version)
        .into_iter()
        .map(|cell| (cell.key, (cell.version, Node::parse(cell.value.as_ref()))))
        .collect()
}

// ------------------------------------------------------------------------------------------------------------- engine

#[pg_extern]
fn set_engine(
    run_id: Option<&str>,
    fields: Option<Jsonb>,
    expected_version: default!(Option<i64>, "NULL"),
    idempotency_key: default!(Option<&str>, "NULL"),
) -> std::result::Result<i64, ErrorReport> {
    let request = Request::new(run_id, idempotency_key)?;
    let fields = args::object(fields, "fields")?.entries();
    for (field, _) in &fields {
        document::engine_field(field)?;
        if document::OWN_FIELDS.contains(&field.as_str()) {
            let setter = match field.as_str() {
                "global_variables" => "Set variables with layra.set_variables.",
                "loop_index" => "Loops change with layra.enter_loop, layra.next_iteration and layra.exit_loop.",
                "nodes" | "edges" => "A graph is set with layra.save_state, or comes from the run's workflow.",
                _ => "Nodes change with layra.begin_node, layra.complete_node and the functions beside them.",
            };
            let message = format!("field {field:?} is not an engine's own: it is made of cells");
            return Err(Error::argument_with(message, setter).into());
        }
    }
    let expected = args::expected(expected_version)?;
    Ok(with_change(request, "state.engine_set", |change| {
        change.expect_version(expected)?;
        change.require_unfinished()?;
        let ids = fields.iter().map(|(field, _)| CellId::new("engine", field.as_str())).collect();
        change.cells.load(&change.db, change.run_id, ids);
        let mut writes = Vec::new();
        for (field, value) in fields {
            writes.extend(change.cells.write(CellId::new("engine", field), Some(value), MAX_VALUE)?);
        }
        change.append(NewEvent::new("state.engine_set", Jsonb::parse("{}"), writes))
    })?)
}
