//! The live cells of a run at a version.

use crate::pure::hash::Hash;
use crate::server::columns::Columns;
use crate::server::error::{Error, Result};
use crate::server::interrupts::check_for_interrupts;
use crate::server::jsonb::Jsonb;
use crate::server::scan::Scan;
use crate::server::spi::{At, Rows};
use crate::server::stream::{BYTES, ROW};
use crate::store::cell::{
    self, COUNTER, CellId, Counter, Newest, Place, cell_id, newest_cell, newest_of, newest_row, static_scope,
};
use crate::store::db::Db;
use crate::store::graph;
use crate::store::run;
use crate::store::statement::statement;
use crate::store::tables::Tables;
use crate::store::walk::{Context, walk, walk_context};
use pgrx::IntoDatum;
use std::vec::IntoIter;

/// All cells in the scopes $2 to $3, live or not: a skip scan, whose next step begins below the cell that it met last. 19
/// cells take 0.7 ms behind 1,000,000 versions; DISTINCT ON takes 2,120 ms.
macro_rules! walked_cells {
    () => {
        "walk AS (
    (SELECT c.scope, c.key FROM layra.cell c
     WHERE c.run_id OPERATOR(pg_catalog.=) $1 AND c.scope OPERATOR(pg_catalog.>=) $2 AND c.scope OPERATOR(pg_catalog.<=) $3
     ORDER BY c.scope DESC, c.key DESC, c.ordinal DESC, c.version DESC LIMIT 1)
    UNION ALL
    SELECT n.* FROM walk w CROSS JOIN LATERAL (
        SELECT c.scope, c.key FROM layra.cell c
        WHERE c.run_id OPERATOR(pg_catalog.=) $1 AND c.scope OPERATOR(pg_catalog.>=) $2
          AND ROW(c.scope, c.key) OPERATOR(pg_catalog.<) ROW(w.scope, w.key)
        ORDER BY c.scope DESC, c.key DESC, c.ordinal DESC, c.version DESC LIMIT 1) n)"
    };
}

/// As `walked_cells`, with their newest rows and some older ones: of each cell the first row counts (`newest`).
/// A step reads 16 rows, not one: PostgreSQL reads a whole index page for it in any case (60,000 instructions), and most
/// cells have few versions.
macro_rules! newest_cells {
    ($columns:literal) => {
        concat!("walk AS (
    (SELECT b.*, pg_catalog.row_number() OVER () AS position FROM (
        SELECT c.scope, c.key, ", $columns, " FROM layra.cell c
        WHERE c.run_id OPERATOR(pg_catalog.=) $1 AND c.scope OPERATOR(pg_catalog.>=) $2 AND c.scope OPERATOR(pg_catalog.<=) $3
        ORDER BY c.scope DESC, c.key DESC, c.ordinal DESC, c.version DESC LIMIT 16) b)
    UNION ALL
    SELECT n.* FROM walk w CROSS JOIN LATERAL (
        SELECT b.*, pg_catalog.row_number() OVER () AS position FROM (
            SELECT c.scope, c.key, ", $columns, " FROM layra.cell c
            WHERE c.run_id OPERATOR(pg_catalog.=) $1 AND c.scope OPERATOR(pg_catalog.>=) $2
              AND ROW(c.scope, c.key) OPERATOR(pg_catalog.<) ROW(w.scope, w.key)
            ORDER BY c.scope DESC, c.key DESC, c.ordinal DESC, c.version DESC LIMIT 16) b) n
    WHERE w.position OPERATOR(pg_catalog.=) 16)")
    };
}

/// The nodes that ever had context, the highest ordinal that each ever used, and their counter cells (ordinal -1): dead entries
/// are never visited.
macro_rules! context_counters {
    ($version:literal) => {
        concat!("node AS (
    (SELECT c.key, c.ordinal FROM layra.cell c
     WHERE c.run_id OPERATOR(pg_catalog.=) $1 AND c.scope OPERATOR(pg_catalog.=) 'context' ORDER BY c.key DESC, c.ordinal DESC LIMIT 1)
    UNION ALL
    SELECT n.key, n.ordinal FROM node w CROSS JOIN LATERAL (
        SELECT c.key, c.ordinal FROM layra.cell c
        WHERE c.run_id OPERATOR(pg_catalog.=) $1 AND c.scope OPERATOR(pg_catalog.=) 'context' AND c.key OPERATOR(pg_catalog.<) w.key
        ORDER BY c.key DESC, c.ordinal DESC LIMIT 1) n),
counter AS (
    SELECT k.key, k.ordinal AS highest, c.version, c.revision, c.hash,
        (c.value OPERATOR(pg_catalog.->>) 'live')::pg_catalog.int8 AS live, (c.value OPERATOR(pg_catalog.->>) 'next')::pg_catalog.int8 AS next
    FROM node k CROSS JOIN LATERAL (
        SELECT c.version, c.revision, c.hash, c.value FROM layra.cell c
        WHERE c.run_id OPERATOR(pg_catalog.=) $1 AND c.scope OPERATOR(pg_catalog.=) 'context'
          AND c.key OPERATOR(pg_catalog.=) k.key AND c.ordinal OPERATOR(pg_catalog.=) -1", $version, "
        ORDER BY c.version DESC LIMIT 1) c)")
    };
}

macro_rules! live_entries {
    ($columns:literal, $version:literal) => {
        concat!("counter n CROSS JOIN LATERAL pg_catalog.generate_series(n.next OPERATOR(pg_catalog.-) n.live, n.next OPERATOR(pg_catalog.-) 1) o(ordinal)
CROSS JOIN LATERAL ", newest_cell!($columns, "'context'", "n.key", "o.ordinal", $version), " c")
    };
}

statement! {
    /// Newest rows and older ones: see `newest_cells`.
    NEWEST_CELLS, [TEXTOID, TEXTOID, TEXTOID], "/* layra.newest_cells */
WITH RECURSIVE ", newest_cells!("c.version, c.revision, c.hash, c.value, c.base"), "
SELECT w.scope, w.key, 0::pg_catalog.int8, w.version, w.revision, w.value, w.hash, w.base FROM walk w"
}

statement! {
    /// One cell at a version, as CELLS_AT gives it.
    CELL_AT, [TEXTOID, TEXTOID, TEXTOID, INT8OID, INT8OID], "/* layra.cell_at */
SELECT $2, $3, $4, c.version, c.revision, c.value, c.hash, c.base FROM ",
    newest_cell!("c.version, c.revision, c.value, c.hash, c.base", "$2", "$3", "$4", " AND c.version OPERATOR(pg_catalog.<=) $5"),
    " c WHERE c.hash IS NOT NULL"
}

statement! {
    CELLS_AT, [TEXTOID, TEXTOID, TEXTOID, INT8OID], "/* layra.cells_at */
WITH RECURSIVE ", walked_cells!(), "
SELECT w.scope, w.key, 0::pg_catalog.int8, c.version, c.revision, c.value, c.hash, c.base
FROM walk w CROSS JOIN LATERAL ", newest_cell!("c.version, c.revision, c.hash, c.value, c.base", "w.scope", "w.key", "0",
        " AND c.version OPERATOR(pg_catalog.<=) $4"), " c WHERE c.hash IS NOT NULL"
}

statement! {
    /// Live context at a version, oldest entry first; a node with an empty list gives one row without an entry.
    CONTEXT_AT, [TEXTOID, INT8OID], "/* layra.context_at */
WITH RECURSIVE ", context_counters!(" AND c.version OPERATOR(pg_catalog.<=) $2"), "
SELECT 'context', n.key, o.ordinal, c.version, c.revision, c.value, c.hash, c.base
FROM counter n
LEFT JOIN LATERAL pg_catalog.generate_series(n.next OPERATOR(pg_catalog.-) n.live, n.next OPERATOR(pg_catalog.-) 1) o(ordinal) ON true
LEFT JOIN LATERAL ", newest_cell!("c.version, c.revision, c.value, c.hash, c.base", "'context'", "n.key", "o.ordinal",
        " AND c.version OPERATOR(pg_catalog.<=) $2"), " c ON true
WHERE n.hash IS NOT NULL"
}

statement! {
    /// Every cell that save_state compares with: newest rows with their hashes, live or not (an unset cell has a revision;
    /// of each cell the first row counts, see `newest_cells`),
    /// context only as far as it is live. Values of nodes, loops and the extension's own cells, which are small.
    STATE_HASHES, [TEXTOID, TEXTOID, TEXTOID], "/* layra.state_hashes */
WITH RECURSIVE ", newest_cells!("c.version, c.revision, c.hash, CASE WHEN c.scope OPERATOR(pg_catalog.=) 'node'
        OR c.scope OPERATOR(pg_catalog.=) 'loop' OR c.key OPERATOR(pg_catalog.=) 'layra.graph' THEN c.value END AS value"), ",
", context_counters!(""), "
SELECT w.scope, w.key, 0::pg_catalog.int8, w.version, w.revision, w.hash, w.value, NULL::pg_catalog.int8, NULL::pg_catalog.int8, NULL::pg_catalog.int8 FROM walk w
UNION ALL
SELECT 'context', n.key, -1::pg_catalog.int8, n.version, n.revision, n.hash, NULL, n.live, n.next, n.highest FROM counter n
UNION ALL
SELECT 'context', n.key, o.ordinal, c.version, c.revision, c.hash, NULL, NULL, NULL, NULL
FROM ", live_entries!("c.version, c.revision, c.hash", "")
}

statement! {
    /// The live cells at a version, without values but for nodes: what a fork copies.
    LIVE_AT, [TEXTOID, TEXTOID, TEXTOID, INT8OID], "/* layra.live_at */
WITH RECURSIVE ", walked_cells!(), ",
", context_counters!(" AND c.version OPERATOR(pg_catalog.<=) $4"), "
SELECT w.scope, w.key, 0::pg_catalog.int8, c.version, c.hash, CASE WHEN w.scope OPERATOR(pg_catalog.=) 'node' THEN c.value END, c.base
FROM walk w CROSS JOIN LATERAL ", newest_cell!("c.version, c.hash, c.value, c.base", "w.scope", "w.key", "0",
        " AND c.version OPERATOR(pg_catalog.<=) $4"), " c WHERE c.hash IS NOT NULL
UNION ALL
SELECT 'context', n.key, -1::pg_catalog.int8, n.version, n.hash, NULL, NULL FROM counter n WHERE n.hash IS NOT NULL
UNION ALL
SELECT 'context', n.key, o.ordinal, c.version, c.hash, NULL, c.base
FROM ", live_entries!("c.version, c.hash, c.base", " AND c.version OPERATOR(pg_catalog.<=) $4"), " WHERE c.hash IS NOT NULL"
}

statement! {
    /// Some cells of one scope at a version, with values.
    GET_CELLS, [TEXTOID, TEXTOID, TEXTARRAYOID, INT8OID], "/* layra.get_cells */
SELECT $2, n.key, 0::pg_catalog.int8, c.version, c.revision, c.value, c.base
FROM pg_catalog.unnest($3) n(key)
CROSS JOIN LATERAL ", newest_cell!("c.version, c.revision, c.hash, c.value, c.base", "$2", "n.key", "0",
        " AND c.version OPERATOR(pg_catalog.<=) $4"), " c WHERE c.hash IS NOT NULL"
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
    let by_fast_path = db.plain(|tables| {
        if scope != Some("context") {
            walk(tables, run_id, low, high, at_version, None, |scope, key, row| {
                cells.extend(LiveCell::of(tables, run_id, scope, key, row, values));
                true
            });
        }
        if scope.is_none() || scope == Some("context") {
            cells.extend(live_context(tables, run_id, at_version, values));
        }
    });
    if by_fast_path.is_some() {
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
        let newest = newest_of(row);
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
    walk_context(tables, run_id, at_version, |found| match found {
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
fn newest(rows: &Rows) -> impl Iterator<Item = usize> {
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

/// Live cells that are read a part at a time. Their values are read then.
pub struct Rest {
    run_id: String,
    /// The scopes of what can be walked; None where that is done, or impossible.
    walk: Option<(&'static str, &'static str)>,
    /// Where the walk goes on.
    below: Option<(&'static str, String)>,
    at_version: Option<i64>,
    /// What has been found already but for its value.
    found: IntoIter<LiveCell>,
}

impl Rest {
    pub fn new(db: &Db, run_id: &str, scope: Option<&str>, at_version: Option<i64>) -> Rest {
        let (mut cells, mut walk) = (Vec::new(), None);
        if scope != Some("context") && db.plain(|_| ()).is_some() {
            walk = scope.map_or(Some(("engine", "variable")), |scope| static_scope(scope).map(|scope| (scope, scope)));
        }
        // Context is found as a whole, as everything is by SQL; its values are not.
        let rest = if walk.is_some() { Some("context").filter(|_| scope.is_none()) } else { scope };
        if walk.is_none() || rest.is_some() {
            cells = live(db, run_id, rest, at_version, false);
        }
        Rest { run_id: run_id.to_owned(), walk, below: None, at_version, found: cells.into_iter() }
    }

    /// The next ones with their values, in the current memory; none: there are no more. An empty list of context is one, too,
    /// without an ordinal.
    pub fn some(&mut self, db: &Db) -> Result<Vec<LiveCell>> {
        if self.walk.is_none() && self.found.len() == 0 {
            return Ok(Vec::new());
        }
        run::prepare(db, &self.run_id);
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
                walk(tables, run_id, low, high, self.at_version, from, |scope, key, row| {
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

/// The values that some variables have at a version, of those that are set.
pub fn variables(db: &Db, run_id: &str, names: Vec<String>, version: i64) -> Vec<(String, Jsonb)> {
    if db.plain(|_| ()).is_some() {
        let value = |name: &str| Place::variable(run_id, name).value(db, version);
        return names.into_iter().filter_map(|name| value(&name).map(|value| (name, value))).collect();
    }
    let args = [run_id.into_datum(), "variable".into_datum(), names.into_datum(), version.into_datum()];
    let rows = db.query(&GET_CELLS, &args);
    let variable = |row| {
        let name: String = rows.get(row, 2)?;
        let value = Place::variable(run_id, &name).value_of(db, &At(&rows, row), [4, 6, 7])?;
        Some((name, value))
    };
    (0..rows.len()).filter_map(variable).collect()
}

/// A live cell of a run that a fork copies.
pub struct Copied {
    pub id: CellId,
    pub version: i64,
    pub hash: Option<Hash>,
    /// Of nodes only.
    pub value: Option<Jsonb>,
    /// Whether its value stands whole in the row.
    pub is_whole: bool,
}

/// The live cells at a version, which a fork copies.
pub fn copied(db: &Db, run_id: &str, version: i64) -> Vec<Copied> {
    let args = [run_id.into_datum(), "engine".into_datum(), "variable".into_datum(), version.into_datum()];
    let rows = db.query(&LIVE_AT, &args);
    let copied = |row| {
        let at = At(&rows, row);
        let (value, is_whole) = (at.jsonb(6), at.is_null(7));
        Some(Copied {
            id: cell_id(&rows, row)?,
            version: at.get(4).unwrap_or_default(),
            hash: at.hash(5),
            value,
            is_whole,
        })
    };
    (0..rows.len()).filter_map(copied).collect()
}

/// A cell that a document is compared with: its newest row, live or not.
pub struct Compared {
    pub id: CellId,
    pub newest: Newest,
    /// Of nodes, loops, and the cell that refers to the graph.
    pub value: Option<Jsonb>,
    /// Of the counter of a node's context: the list, and the highest ordinal that it ever used (-1: none), which rollbacks do not
    /// lower.
    pub counter: Option<(Counter, i64)>,
}

/// Visits every cell that a document is compared with; of context, only what is live.
pub fn compared(db: &Db, run_id: &str, mut visit: impl FnMut(Compared)) {
    let by_fast_path = db.plain(|tables| {
        walk(tables, run_id, "engine", "variable", None, None, |scope, key, row| {
            let id = CellId::new(scope, key);
            let small = scope == "node" || scope == "loop" || id.key == graph::CELL;
            let value = if small { row.jsonb(cell::VALUE) } else { None };
            visit(Compared { id, newest: newest_of(row), value, counter: None });
            true
        });
        walk_context(tables, run_id, None, |found| {
            visit(match found {
                Context::List(list) => Compared {
                    id: CellId::context(&list.node, COUNTER),
                    newest: list.counter,
                    value: None,
                    counter: Some((list.entries, list.highest)),
                },
                Context::Entry(list, row) => Compared {
                    id: CellId::context(&list.node, row.get(cell::ORDINAL).unwrap_or_default()),
                    newest: newest_of(row),
                    value: None,
                    counter: None,
                },
            });
        });
    });
    if by_fast_path.is_some() {
        return;
    }
    let rows = db.query(&STATE_HASHES, &[run_id.into_datum(), "engine".into_datum(), "variable".into_datum()]);
    let mut last = None;
    for row in 0..rows.len() {
        let Some(id) = cell_id(&rows, row) else { continue };
        // Older rows of a cell follow its newest one.
        if last.replace(id.clone()).as_ref() == Some(&id) {
            continue;
        }
        let counter = (id.ordinal == COUNTER).then(|| {
            let live = rows.get(row, 8).unwrap_or_default();
            (Counter { live, next: rows.get(row, 9).unwrap_or_default() }, rows.get(row, 10).unwrap_or(COUNTER))
        });
        visit(Compared { id, newest: newest_row(&rows, row, 4), value: rows.jsonb(row, 7), counter });
    }
}
