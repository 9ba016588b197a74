//! Reading the past: the history of a cell, the cells at a version, the version at a time.

use crate::server::args;
use crate::server::error::Result;
use crate::server::jsonb::Jsonb;
use crate::server::stream::{BYTES, Batches};
use crate::state::reader::Reader;
use crate::store::cell::Place;
use crate::store::db::Db;
use crate::store::event;
use crate::store::history;
use crate::store::live::Rest;
use pgrx::datum::TimestampWithTimeZone;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use std::collections::VecDeque;

type HistoryRow = (i64, i64, Option<Jsonb>, Option<TimestampWithTimeZone>, String, Option<String>, String);

#[pg_extern(stable)]
#[allow(clippy::type_complexity)]
fn history(
    run_id: Option<&str>,
    key: Option<&str>,
    scope: default!(Option<&str>, "'variable'"),
) -> std::result::Result<
    TableIterator<
        'static,
        (
            name!(revision, i64),
            name!(version, i64),
            name!(value, Option<Jsonb>),
            name!(at, Option<TimestampWithTimeZone>),
            name!(actor, String),
            name!(on_behalf_of, Option<String>),
            name!(type, String),
        ),
    >,
    ErrorReport,
> {
    let run_id = args::run_id(run_id)?;
    let key = args::name(key, "key")?;
    let scope = args::scope(scope.unwrap_or("variable"))?;
    let reader = Reader::open(run_id)?;
    let mut past = Past {
        run_id: run_id.to_owned(),
        scope: scope.to_owned(),
        key: key.to_owned(),
        rows: if scope == "context" { past_entries(&reader.db, run_id, key) } else { VecDeque::from([(0, 0)]) },
        several: scope == "context",
        limit: FEW_ROWS,
        before: None,
    };
    Ok(TableIterator::new(Batches::new(move || past.read())))
}

/// Rows of a cell that are looked for at once, at first and at most.
const FEW_ROWS: i64 = 16;
const MANY_ROWS: i64 = 256;

/// What is left of a history.
struct Past {
    run_id: String,
    scope: String,
    key: String,
    /// A version and an ordinal: the row of a list to read next, or the row behind which a cell's next one is.
    rows: VecDeque<(i64, i64)>,
    several: bool,
    limit: i64,
    /// The value of the row before, which a delta is for.
    before: Option<Jsonb>,
}

impl Past {
    fn read(&mut self) -> Result<Vec<HistoryRow>> {
        let (mut batch, mut bytes) = (Vec::new(), 0);
        if self.rows.is_empty() {
            return Ok(batch);
        }
        let db = Db::read();
        while bytes < BYTES && batch.len() < MANY_ROWS as usize {
            let Some((version, ordinal)) = self.rows.pop_front() else { break };
            let (after, limit) = if self.several { (version - 1, 1) } else { (version, self.limit) };
            let place = Place { run_id: &self.run_id, scope: &self.scope, key: &self.key, ordinal };
            let taken = batch.len();
            let mut before = self.before.filter(|_| !self.several);
            let found = history::revisions(&db, place, after, limit, &mut before, |row| {
                bytes += row.value.map_or(0, |value| value.size());
                batch.push((row.revision, row.version, row.value, row.at, row.actor, row.on_behalf_of, row.type_name));
                bytes < BYTES
            });
            self.before = before;
            let taken = (batch.len() - taken) as i64;
            // There are more, unless fewer were found than were looked for, and all of them taken.
            if !self.several && taken > 0 && (taken == limit || taken < found) {
                self.rows.extend(batch.last().map(|(_, version, ..)| (*version, ordinal)));
                self.limit = (2 * taken).min(MANY_ROWS);
            }
        }
        Ok(batch)
    }
}

/// The rows that the entries of a node's context ever had: version and ordinal, in this order.
fn past_entries(db: &Db, run_id: &str, node: &str) -> VecDeque<(i64, i64)> {
    let mut entries = history::entries(db, run_id, node);
    entries.sort_unstable();
    entries.into()
}

#[pg_extern(stable)]
#[allow(clippy::type_complexity)]
fn cells(
    run_id: Option<&str>,
    scope: default!(Option<&str>, "NULL"),
    at_version: default!(Option<i64>, "NULL"),
) -> std::result::Result<
    TableIterator<
        'static,
        (
            name!(scope, String),
            name!(key, String),
            name!(ordinal, i64),
            name!(version, i64),
            name!(revision, i64),
            name!(value, Option<Jsonb>),
        ),
    >,
    ErrorReport,
> {
    let run_id = args::run_id(run_id)?;
    let scope = scope.map(args::scope).transpose()?;
    let at_version = at_version.map(|version| args::version(Some(version), "at_version")).transpose()?;
    let reader = Reader::open(run_id)?;
    reader.require_version(at_version, "at_version")?;
    let mut rest = Rest::new(&reader.db, run_id, scope, at_version);
    drop(reader);
    Ok(TableIterator::new(Batches::new(move || next_cells(&mut rest))))
}

type CellRow = (String, String, i64, i64, i64, Option<Jsonb>);

fn next_cells(rest: &mut Rest) -> Result<Vec<CellRow>> {
    // An empty list of context is no cell.
    let mut rows = Vec::new();
    let db = Db::read();
    while rows.is_empty() {
        let cells = rest.some(&db)?;
        if cells.is_empty() {
            break;
        }
        rows.extend(cells.into_iter().filter_map(|cell| {
            let ordinal = cell.ordinal?;
            Some((cell.scope, cell.key, ordinal, cell.version, cell.revision, cell.value))
        }));
    }
    Ok(rows)
}

#[pg_extern(stable)]
fn version_at(
    run_id: Option<&str>,
    at: Option<TimestampWithTimeZone>,
) -> std::result::Result<Option<i64>, ErrorReport> {
    let run_id = args::run_id(run_id)?;
    let at = i64::from(args::required(at, "at")?);
    let reader = Reader::open(run_id)?;
    // Times never fall along the log, so the newest event up to a time is found by bisection: 20 probes in 1,000,000.
    let (mut low, mut high) = (0, reader.head());
    while low < high {
        let middle = low + (high - low + 1) / 2;
        let earlier = event::hash_at(&reader.db, run_id, middle).is_some_and(|(_, event)| event <= at);
        if earlier { low = middle } else { high = middle - 1 }
    }
    Ok((low > 0).then_some(low))
}
