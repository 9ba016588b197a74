//! Reading the past: the history of a cell, the cells at a version, the version at a time, the digest.

use crate::pure::hash::{Hash, hex};
use crate::server::args;
use crate::server::error::{Error, Result};
use crate::server::jsonb::Jsonb;
use crate::server::settings;
use crate::server::spi::{At, Columns, Db, Rows, check_for_interrupts};
use crate::server::stream::{BYTES, Batches, ROW};
use crate::state::run::{Reader, Run};
use crate::store::cell::{self, COUNTER, CellId, Context, static_scope};
use crate::store::chain::Place;
use crate::store::plain::{Scan, Tables};
use crate::store::statements::{CELL_AT, CELLS_AT, CONTEXT_AT, EVENT_HASH, HISTORY, NEWEST_CELLS, PAST_ENTRIES};
use pgrx::IntoDatum;
use pgrx::datum::TimestampWithTimeZone;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use std::collections::VecDeque;
use std::vec::IntoIter;

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
            let [run_id, scope, key] = [&self.run_id, &self.scope, &self.key].map(|text| text.as_str().into_datum());
            let rows =
                db.query(&HISTORY, &[run_id, scope, key, ordinal.into_datum(), after.into_datum(), limit.into_datum()]);
            let place = Place { run_id: &self.run_id, scope: &self.scope, key: &self.key, ordinal };
            let taken = batch.len();
            for row in 0..rows.len() {
                let before = self.before.filter(|_| !self.several);
                self.before = place.value_after(&db, before, &At(&rows, row), [2, 3, 8]);
                bytes += self.before.map_or(0, |value| value.size());
                batch.push((
                    rows.get(row, 1).unwrap_or_default(),
                    rows.get(row, 2).unwrap_or_default(),
                    self.before,
                    rows.get(row, 4),
                    rows.get(row, 5).unwrap_or_default(),
                    rows.get(row, 6),
                    rows.get(row, 7).unwrap_or_default(),
                ));
                if bytes >= BYTES {
                    break;
                }
            }
            let taken = (batch.len() - taken) as i64;
            // There are more, unless fewer were found than were looked for, and all of them taken.
            if !self.several && taken > 0 && (taken == limit || taken < rows.len() as i64) {
                self.rows.extend(batch.last().map(|(_, version, ..)| (*version, ordinal)));
                self.limit = (2 * taken).min(MANY_ROWS);
            }
        }
        Ok(batch)
    }
}

/// The rows that the entries of a node's context ever had: version and ordinal, in this order.
fn past_entries(db: &Db, run_id: &str, node: &str) -> VecDeque<(i64, i64)> {
    let rows = db.query(&PAST_ENTRIES, &[run_id.into_datum(), node.into_datum()]);
    let mut entries: Vec<(i64, i64)> =
        (0..rows.len()).filter_map(|row| rows.get(row, 1).zip(rows.get(row, 2))).collect();
    entries.sort_unstable();
    entries.into()
}

/// A live cell, as CELLS_AT and its like return it.
pub struct LiveCell {
    pub scope: String,
    pub key: String,
    /// None: a node whose context is an empty list.
    pub ordinal: Option<i64>,
    pub version: i64,
    pub revision: i64,
    pub value: Option<Jsonb>,
    pub hash: Option<Hash>,
}

/// The live cells of some scopes (all: None) at a version (the newest: None), context in the order of its entries.
/// Variables, nodes and loops are read without a look at context.
pub fn live_cells(db: &Db, run_id: &str, scope: Option<&str>, at_version: Option<i64>) -> Vec<LiveCell> {
    live(db, run_id, scope, at_version, true)
}

/// As `live_cells`, without the values where nobody needs them at once.
fn live(db: &Db, run_id: &str, scope: Option<&str>, at_version: Option<i64>, values: bool) -> Vec<LiveCell> {
    // Scopes sort as context, engine, loop, node, variable.
    let (low, high) = scope.map_or(("engine", "variable"), |scope| (scope, scope));
    let id = run_id.into_datum();
    let mut cells = Vec::new();
    let by_short_way = db.plain(|tables| {
        if scope != Some("context") {
            cell::walk(tables, run_id, low, high, at_version, None, |scope, key, row| {
                cells.extend(LiveCell::of(tables, run_id, scope, key, row, values));
                true
            });
        }
        if scope.is_none() || scope == Some("context") {
            cells.extend(live_context(tables, run_id, at_version, values));
        }
    });
    if by_short_way.is_some() {
        return cells;
    }
    if scope != Some("context") {
        let (low, high) = (low.into_datum(), high.into_datum());
        match at_version {
            None => {
                let rows = db.query(&NEWEST_CELLS, &[id, low, high]);
                collect(&mut cells, db, run_id, &rows, newest(&rows), values);
            }
            Some(version) => {
                let rows = db.query(&CELLS_AT, &[id, low, high, version.into_datum()]);
                collect(&mut cells, db, run_id, &rows, 0..rows.len(), values);
            }
        }
    }
    if scope.is_none() || scope == Some("context") {
        let version = at_version.unwrap_or(i64::MAX);
        let rows = db.query(&CONTEXT_AT, &[id, version.into_datum()]);
        collect(&mut cells, db, run_id, &rows, 0..rows.len(), values);
    }
    cells
}

impl LiveCell {
    /// From a row of layra.cell; None where the cell is unset.
    fn of(tables: &Tables, run_id: &str, scope: &str, key: &str, row: &Scan<'_>, values: bool) -> Option<LiveCell> {
        let newest = cell::newest_of(row);
        let ordinal: Option<i64> = row.get(cell::ORDINAL);
        let place = Place { run_id, scope, key, ordinal: ordinal.unwrap_or_default() };
        Some(LiveCell {
            scope: scope.to_owned(),
            key: key.to_owned(),
            ordinal,
            version: newest.version,
            revision: newest.revision,
            hash: Some(newest.hash?),
            value: if values { place.value_in(tables, row) } else { None },
        })
    }

    /// One cell at a version; None where it is not set.
    pub fn at(db: &Db, run_id: &str, id: &CellId, version: i64) -> Option<LiveCell> {
        let place = id.at(run_id);
        let read = |tables: &Tables| {
            place
                .newest(tables, Some(version))
                .and_then(|row| LiveCell::of(tables, run_id, id.scope, &id.key, &row, true))
        };
        let found = db.plain(read).unwrap_or_else(|| {
            let (key, ordinal) = (id.key.as_str().into_datum(), id.ordinal.into_datum());
            let rows =
                db.query(&CELL_AT, &[run_id.into_datum(), id.scope.into_datum(), key, ordinal, version.into_datum()]);
            let mut cells = Vec::new();
            collect(&mut cells, db, run_id, &rows, 0..rows.len(), true);
            cells.pop()
        });
        // A list as a whole is not known by its counter.
        let is_list = id.scope == "context" && id.ordinal == COUNTER;
        found.map(|cell| if is_list { LiveCell { ordinal: None, value: None, ..cell } } else { cell })
    }

    /// None where somebody made up a scope.
    pub fn id(&self) -> Option<CellId> {
        let scope = static_scope(&self.scope)?;
        let ordinal = if scope == "context" { self.ordinal.unwrap_or(COUNTER) } else { 0 };
        Some(CellId { scope, key: self.key.clone(), ordinal })
    }
}

/// The live context at a version, by node, entries oldest first; a node with an empty list gives one without an ordinal.
fn live_context(tables: &Tables, run_id: &str, at_version: Option<i64>, values: bool) -> Vec<LiveCell> {
    let mut cells = Vec::new();
    cell::walk_context(tables, run_id, at_version, |found| match found {
        Context::List(list) if list.counter.hash.is_some() && list.entries.live == 0 => cells.push(LiveCell {
            scope: "context".to_owned(),
            key: list.node.clone(),
            ordinal: None,
            version: 0,
            revision: 0,
            value: None,
            hash: None,
        }),
        Context::List(_) => {}
        Context::Entry(list, row) => cells.extend(LiveCell::of(tables, run_id, "context", &list.node, row, values)),
    });
    cells.reverse();
    cells
}

/// The rows of NEWEST_CELLS that are the first, so the newest, of a live cell.
pub fn newest(rows: &Rows) -> impl Iterator<Item = usize> {
    let mut last: Option<(String, String)> = None;
    (0..rows.len()).filter(move |row| {
        let cell = rows.get(*row, 1).zip(rows.get(*row, 2));
        let first = cell != last;
        last = cell;
        first && rows.hash(*row, 7).is_some()
    })
}

fn collect(
    cells: &mut Vec<LiveCell>,
    db: &Db,
    run_id: &str,
    rows: &Rows,
    numbers: impl Iterator<Item = usize>,
    values: bool,
) {
    cells.extend(numbers.map(|row| {
        let at = At(rows, row);
        let (scope, key): (String, String) = (at.get(1).unwrap_or_default(), at.get(2).unwrap_or_default());
        let ordinal: Option<i64> = at.get(3);
        let place = Place { run_id, scope: &scope, key: &key, ordinal: ordinal.unwrap_or_default() };
        let value = if values { place.value_of(db, &at, [4, 6, 8]) } else { None };
        LiveCell {
            ordinal,
            version: at.get(4).unwrap_or_default(),
            revision: at.get(5).unwrap_or_default(),
            value,
            hash: at.hash(7),
            scope,
            key,
        }
    }));
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
    let mut cells = Cells::new(&reader.db, run_id, scope, at_version);
    drop(reader);
    Ok(TableIterator::new(Batches::new(move || cells.read())))
}

type CellRow = (String, String, i64, i64, i64, Option<Jsonb>);

/// What is left of the live cells of a run at a version.
pub struct Cells {
    run_id: String,
    /// The scopes of what can be walked, from where on, and at which version; None where that is done, or impossible.
    walk: Option<(&'static str, &'static str)>,
    below: Option<(&'static str, String)>,
    at_version: Option<i64>,
    /// What has been found already but for its value.
    found: IntoIter<LiveCell>,
}

impl Cells {
    pub fn new(db: &Db, run_id: &str, scope: Option<&str>, at_version: Option<i64>) -> Cells {
        let (mut cells, mut walk) = (Vec::new(), None);
        if scope != Some("context") && db.plain(|_| ()).is_some() {
            walk = scope.map_or(Some(("engine", "variable")), |scope| static_scope(scope).map(|scope| (scope, scope)));
        }
        // Context is found as a whole, as everything is by SQL; its values are not.
        let rest = if walk.is_some() { Some("context").filter(|_| scope.is_none()) } else { scope };
        if walk.is_none() || rest.is_some() {
            cells = live(db, run_id, rest, at_version, false);
        }
        Cells { run_id: run_id.to_owned(), walk, below: None, at_version, found: cells.into_iter() }
    }

    fn read(&mut self) -> Result<Vec<CellRow>> {
        if self.walk.is_none() && self.found.len() == 0 {
            return Ok(Vec::new());
        }
        let db = Db::read();
        // An empty list of context is no cell.
        let mut rows = Vec::new();
        while rows.is_empty() {
            let cells = self.some(&db)?;
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

    /// The next ones with their values, in the current memory; none: there are no more. An empty list of context is one, too,
    /// without an ordinal.
    pub fn some(&mut self, db: &Db) -> Result<Vec<LiveCell>> {
        if db.plain(|_| ()).is_none() {
            db.find_plain(|tables| Run::find(tables, &self.run_id));
        }
        let (mut batch, mut bytes) = (Vec::new(), 0);
        let mut add = |cell: LiveCell| {
            bytes += ROW + cell.value.map_or(0, |value| value.size());
            batch.push(cell);
            bytes < BYTES
        };
        let mut more = true;
        if let Some((low, high)) = self.walk {
            let run_id = &self.run_id;
            let from = self.below.take();
            let from = from.as_ref().map(|(scope, key)| (*scope, key.as_str()));
            let below = &mut self.below;
            let walked = db.plain(|tables| {
                cell::walk(tables, run_id, low, high, self.at_version, from, |scope, key, row| {
                    more = LiveCell::of(tables, run_id, scope, key, row, true).is_none_or(&mut add);
                    if !more {
                        *below = Some((scope, key.to_owned()));
                    }
                    more
                })
            });
            if walked.is_none() {
                return Err(Error::state(
                    "the tables of layra_state were changed in the middle of a statement",
                    "Run the statement again.",
                ));
            }
            if more {
                self.walk = None;
            }
        }
        while more && let Some(mut cell) = self.found.next() {
            check_for_interrupts();
            if let Some(ordinal) = cell.ordinal {
                let place = Place { run_id: &self.run_id, scope: &cell.scope, key: &cell.key, ordinal };
                cell.value = place.value(db, cell.version);
            }
            more = add(cell);
        }
        Ok(batch)
    }
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
        let rows = reader.db.query(&EVENT_HASH, &[run_id.into_datum(), middle.into_datum()]);
        let earlier = !rows.is_empty() && rows.get::<i64>(0, 2).is_some_and(|event| event <= at);
        if earlier { low = middle } else { high = middle - 1 }
    }
    Ok((low > 0).then_some(low))
}

#[pg_extern(stable)]
fn digest(run_id: Option<&str>) -> std::result::Result<String, ErrorReport> {
    let reader = Reader::open(args::run_id(run_id)?)?;
    let rows = reader.db.query(&EVENT_HASH, &[reader.run_id.into_datum(), reader.head().into_datum()]);
    if rows.is_empty() {
        return Err(Error::Corrupt(format!("run {:?} has no events", reader.run_id)).into());
    }
    Ok(hex(&rows.hash(0, 1).unwrap_or_default()))
}

/// Microseconds since 1970 of a stored time.
pub fn unix_micros(at: i64) -> i64 {
    at + settings::EPOCH_OFFSET
}
