//! The rows of cells that a change adds, and what it knows of those that are there.

use crate::pure::hash::{Hash, value_hash};
use crate::server::args;
use crate::server::columns::Columns;
use crate::server::error::{Error, Result};
use crate::server::jsonb::Jsonb;
use crate::server::memory;
use crate::server::scan::{Is, Key, Scan};
use crate::server::spi::{At, Rows};
use crate::server::writer::Values;
use crate::store::cell::{
    BASE, CONTEXT, COUNTER, CellId, Newest, ORDINAL, VALUE, columns, newest_cell, newest_of, newest_row,
};
use crate::store::db::Db;
use crate::store::guess;
use crate::store::statement::statement;
use crate::store::tables::Tables;
use crate::store::value::{Stored, Stores};
use crate::store::walk::NEAR;
use foldhash::{HashMap, HashMapExt};
use pgrx::IntoDatum;
use std::cmp::Ordering;

statement! {
    INSERT_CELL, [TEXTOID, INT8OID, TEXTOID, TEXTOID, INT8OID, INT8OID, JSONBOID, BYTEAOID, INT8OID], "/* layra.insert_cell */
INSERT INTO layra.cell (run_id, version, scope, key, ordinal, revision, value, hash, base)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)"
}

statement! {
    INSERT_CELLS, [TEXTOID, INT8ARRAYOID, TEXTARRAYOID, TEXTARRAYOID, INT8ARRAYOID, INT8ARRAYOID, JSONBARRAYOID, BYTEAARRAYOID,
        INT8ARRAYOID], "/* layra.insert_cells */
INSERT INTO layra.cell (run_id, version, scope, key, ordinal, revision, value, hash, base)
SELECT $1, n.version, n.scope, n.key, n.ordinal, n.revision, n.value, n.hash, n.base
FROM unnest($2, $3, $4, $5, $6, $7, $8, $9) n(version, scope, key, ordinal, revision, value, hash, base)"
}

statement! {
    /// Cells copied from other rows ($7: the run they stand in, $8: their versions) that have whole values, which never
    /// leave SQL.
    COPY_CELLS, [TEXTOID, INT8OID, TEXTARRAYOID, TEXTARRAYOID, INT8ARRAYOID, INT8ARRAYOID, TEXTOID, INT8ARRAYOID],
    "/* layra.copy_cells */
INSERT INTO layra.cell (run_id, version, scope, key, ordinal, revision, value, hash)
SELECT $1, $2, n.scope, n.key, n.ordinal, n.revision, c.value, c.hash
FROM unnest($3, $4, $5, $6, $8) n(scope, key, ordinal, revision, source)
CROSS JOIN LATERAL (
    SELECT c.value, c.hash FROM layra.cell c
    WHERE c.run_id OPERATOR(pg_catalog.=) $7 AND c.scope OPERATOR(pg_catalog.=) n.scope
      AND c.key OPERATOR(pg_catalog.=) n.key AND c.ordinal OPERATOR(pg_catalog.=) n.ordinal
      AND c.version OPERATOR(pg_catalog.=) n.source LIMIT 1) c"
}

statement! {
    /// The newest row of one cell, without its value.
    PROBE_CELL, [TEXTOID, TEXTOID, TEXTOID, INT8OID], "/* layra.probe_cell */\n",
    newest_cell!("c.version, c.revision, c.hash", "$2", "$3", "$4", "")
}

statement! {
    /// The newest rows of some cells, without their values; column 1 counts the cells from 1.
    PROBE_CELLS, [TEXTOID, TEXTARRAYOID, TEXTARRAYOID, INT8ARRAYOID], "/* layra.probe_cells */
SELECT n.position, c.version, c.revision, c.hash
FROM unnest($2, $3, $4) WITH ORDINALITY n(scope, key, ordinal, position)
CROSS JOIN LATERAL ", newest_cell!("c.version, c.revision, c.hash", "n.scope", "n.key", "n.ordinal", ""), " c"
}

macro_rules! get_values {
    () => {
        concat!(
            "SELECT n.position, c.version, c.revision, c.hash, c.value, NULL::pg_catalog.int8, c.base
FROM unnest($2, $3, $4) WITH ORDINALITY n(scope, key, ordinal, position)
CROSS JOIN LATERAL ",
            newest_cell!("c.version, c.revision, c.hash, c.value, c.base", "n.scope", "n.key", "n.ordinal", ""),
            " c"
        )
    };
}

statement! {
    /// Newest rows of some cells with their values, for cells whose values are small.
    GET_VALUES, [TEXTOID, TEXTARRAYOID, TEXTARRAYOID, INT8ARRAYOID], "/* layra.get_values */\n", get_values!()
}

statement! {
    /// As GET_VALUES, and in row 0 the newest row of the highest ordinal that the node $5 ever used.
    GET_NODE_VALUES, [TEXTOID, TEXTARRAYOID, TEXTARRAYOID, INT8ARRAYOID, TEXTOID], "/* layra.get_node_values */\n", get_values!(), "
UNION ALL
(SELECT 0, c.version, c.revision, c.hash, NULL, c.ordinal, NULL FROM layra.cell c
 WHERE c.run_id OPERATOR(pg_catalog.=) $1 AND c.scope OPERATOR(pg_catalog.=) 'context' AND c.key OPERATOR(pg_catalog.=) $5
 ORDER BY c.ordinal DESC, c.version DESC LIMIT 1)"
}

/// A row to add.
pub struct Write {
    pub id: CellId,
    pub revision: i64,
    pub hash: Option<Hash>,
    /// Bytes of the value's JSON text, for the policy that counts them.
    pub octets: usize,
    pub content: Content,
}

pub enum Content {
    Unset,
    Value(Jsonb),
    /// Copied inside SQL from this version of the same cell (of another run, in a fork).
    CopyOf(i64),
}

/// Bytes that it takes to know a cell, in a table that has grown to twice its size.
const KNOWN: usize = 4 * (size_of::<CellId>() + size_of::<Newest>());

/// What is known of the cells that a change looks at.
pub struct Cells {
    run_id: String,
    newest: HashMap<CellId, Newest>,
}

impl Cells {
    pub fn of(run_id: &str) -> Cells {
        Cells { run_id: run_id.to_owned(), newest: HashMap::new() }
    }

    /// Reads the newest rows of these cells, by the statements in one.
    pub fn load(&mut self, db: &Db, run_id: &str, ids: Vec<CellId>) {
        memory::require(ids.len() * KNOWN);
        if let Some(found) = db.plain(|tables| probe(tables, run_id, &ids, newest_of)) {
            self.newest.extend(ids.into_iter().zip(found));
        } else if let [id] = ids.as_slice() {
            let rows = db.query(
                &PROBE_CELL,
                &[run_id.into_datum(), id.scope.into_datum(), id.key.as_str().into_datum(), id.ordinal.into_datum()],
            );
            let newest = if rows.is_empty() { Newest::default() } else { newest_row(&rows, 0, 1) };
            self.newest.extend(ids.into_iter().map(|id| (id, newest)));
        } else if !ids.is_empty() {
            let [scopes, keys, ordinals] = columns(&ids);
            let rows = db.query(&PROBE_CELLS, &[run_id.into_datum(), scopes, keys, ordinals]);
            for row in 0..rows.len() {
                let position: i64 = rows.get(row, 1).unwrap_or_default();
                self.newest.insert(ids[position as usize - 1].clone(), newest_row(&rows, row, 2));
            }
            for id in ids {
                self.newest.entry(id).or_default();
            }
        }
    }

    /// As `load`, with the values, for cells whose values are small or are needed.
    pub fn load_values(&mut self, db: &Db, run_id: &str, ids: Vec<CellId>) -> HashMap<CellId, Jsonb> {
        if ids.is_empty() {
            return HashMap::new();
        }
        memory::require(ids.len() * KNOWN);
        if let Some(values) = self.probe_values(db, run_id, &ids) {
            return values;
        }
        let [scopes, keys, ordinals] = columns(&ids);
        let rows = db.query(&GET_VALUES, &[run_id.into_datum(), scopes, keys, ordinals]);
        self.take_values(db, run_id, &rows, ids).0
    }

    /// As `load_values`, with the highest ordinal that the context of a node ever used (-1: none).
    pub fn load_node_values(
        &mut self,
        db: &Db,
        run_id: &str,
        ids: Vec<CellId>,
        node_id: &str,
    ) -> (HashMap<CellId, Jsonb>, i64) {
        if let Some(highest) = db.plain(|tables| highest_ordinal(tables, run_id, node_id)) {
            // A node that never had context has no counter either.
            let (there, never): (Vec<CellId>, Vec<CellId>) =
                ids.into_iter().partition(|id| id.scope != CONTEXT || highest.is_some());
            self.newest.extend(never.into_iter().map(|id| (id, Newest::default())));
            let values = self.probe_values(db, run_id, &there).unwrap_or_default();
            return (values, highest.unwrap_or(COUNTER));
        }
        let [scopes, keys, ordinals] = columns(&ids);
        let rows = db.query(&GET_NODE_VALUES, &[run_id.into_datum(), scopes, keys, ordinals, node_id.into_datum()]);
        self.take_values(db, run_id, &rows, ids)
    }

    fn probe_values(&mut self, db: &Db, run_id: &str, ids: &[CellId]) -> Option<HashMap<CellId, Jsonb>> {
        let read = |row: &Scan<'_>| {
            let patched = !row.is_null(BASE);
            (newest_of(row), patched, if patched { None } else { row.jsonb(VALUE) })
        };
        let found = db.plain(|tables| probe(tables, run_id, ids, read))?;
        let mut values = HashMap::new();
        for (id, (newest, patched, value)) in ids.iter().zip(found) {
            self.newest.insert(id.clone(), newest);
            let value = if patched { id.at(run_id).value(db, newest.version) } else { value };
            values.extend(value.map(|value| (id.clone(), value)));
        }
        Some(values)
    }

    fn take_values(&mut self, db: &Db, run_id: &str, rows: &Rows, ids: Vec<CellId>) -> (HashMap<CellId, Jsonb>, i64) {
        let mut values = HashMap::new();
        let mut highest = COUNTER;
        for row in 0..rows.len() {
            let position: i64 = rows.get(row, 1).unwrap_or_default();
            if position == 0 {
                highest = rows.get(row, 6).unwrap_or(COUNTER);
                continue;
            }
            let id = ids[position as usize - 1].clone();
            self.newest.insert(id.clone(), newest_row(rows, row, 2));
            if let Some(value) = id.at(run_id).value_of(db, &At(rows, row), [2, 5, 7]) {
                values.insert(id, value);
            }
        }
        for id in ids {
            self.newest.entry(id).or_default();
        }
        (values, highest)
    }

    pub fn know(&mut self, id: CellId, newest: Newest) {
        self.newest.insert(id, newest);
    }

    pub fn knows(&self, id: &CellId) -> bool {
        self.newest.contains_key(id)
    }

    pub fn get(&self, id: &CellId) -> Newest {
        self.newest.get(id).copied().unwrap_or_default()
    }

    /// The row that gives a loaded cell this value (None: unset); no row where the cell has it already.
    pub fn write(&mut self, id: CellId, value: Option<Jsonb>, limit: usize) -> Result<Option<Write>> {
        let Some(value) = value else {
            return Ok(self.write_hashed(id, None, 0, Content::Unset));
        };
        let text = value.text();
        args::within_limit(text, limit, format_args!("{id} of run {:?}", self.run_id))?;
        Ok(self.write_hashed(id, Some(value_hash(text)), text.len(), Content::Value(value)))
    }

    /// As `write`, where the hash is known already.
    pub fn write_hashed(&mut self, id: CellId, hash: Option<Hash>, octets: usize, content: Content) -> Option<Write> {
        memory::check();
        let newest = match self.newest.get_mut(&id) {
            Some(newest) => newest,
            None => self.newest.entry(id.clone()).or_default(),
        };
        if newest.hash == hash {
            return None;
        }
        newest.revision += 1;
        newest.hash = hash;
        Some(Write { id, revision: newest.revision, hash, octets, content })
    }
}

/// The highest ordinal of the cells that a node ever had for its context, the counter included.
fn highest_ordinal(tables: &Tables, run_id: &str, node_id: &str) -> Option<i64> {
    let keys = [Key::Text(1, Is::Equal, run_id), Key::Text(2, Is::Equal, CONTEXT), Key::Text(3, Is::Equal, node_id)];
    let mut scan = tables.cell.scan(&keys);
    if scan.down() { scan.get(ORDINAL) } else { None }
}

/// The newest row of each of some cells, as `read` sees it; a cell without a row gives the default. Cells that stand close
/// to each other in the primary key, in a run with few versions, are found by going from one to the next (1,200 instructions
/// a row), others by a descent (15,000).
fn probe<T: Default>(tables: &Tables, run_id: &str, ids: &[CellId], read: impl Fn(&Scan<'_>) -> T) -> Vec<T> {
    if ids.len() == 1 || guess::near(run_id).is_some() {
        let mut row = tables.cell.begin();
        let found = |id: &CellId| if id.at(run_id).seek(&mut row, None) { read(&row) } else { T::default() };
        return ids.iter().map(found).collect();
    }
    let mut order: Vec<usize> = (0..ids.len()).rev().collect();
    order.sort_unstable_by(|a, b| ids[*b].cmp(&ids[*a]));
    let mut found: Vec<T> = ids.iter().map(|_| T::default()).collect();
    let mut scan: Option<Scan<'_>> = None;
    let mut before: Option<&CellId> = None;
    // Whether the scan stands on a row, at or below the cell before.
    let mut on_row = false;
    for index in order {
        let id = &ids[index];
        let same_list =
            before.is_some_and(|before| before.scope == id.scope && (id.scope != CONTEXT || before.key == id.key));
        let mut place = match &scan {
            Some(scan) if same_list && on_row => id.place(scan),
            // Nothing is left below the cell before.
            Some(_) if same_list => Ordering::Less,
            _ => Ordering::Greater,
        };
        if let Some(scan) = scan.as_mut().filter(|_| same_list) {
            let mut steps = 0;
            while place == Ordering::Greater && steps < NEAR {
                on_row = scan.down();
                place = if on_row { id.place(scan) } else { Ordering::Less };
                steps += 1;
            }
        }
        if place == Ordering::Greater {
            let keys = id.keys(run_id);
            let scan = match &mut scan {
                Some(scan) => {
                    scan.again(&keys);
                    scan
                }
                none => none.insert(tables.cell.scan(&keys)),
            };
            on_row = scan.down();
            place = if on_row { id.place(scan) } else { Ordering::Less };
        }
        if let Some(scan) = scan.as_ref().filter(|_| place == Ordering::Equal) {
            found[index] = read(scan);
        }
        before = Some(id);
    }
    found
}

/// Adds rows to a run, each with its version; those that are copied are from the run `source`.
pub fn insert(db: &Db, source: &str, run_id: &str, rows: Vec<(i64, Write)>) -> Result<()> {
    let (copied, valued): (Vec<_>, Vec<_>) =
        rows.into_iter().partition(|(_, write)| matches!(write.content, Content::CopyOf(_)));
    if !copied.is_empty() {
        copy_cells(db, source, run_id, copied)?;
    }
    if valued.is_empty() {
        return Ok(());
    }
    let mut stores = Stores::new(db, run_id);
    let stored: Vec<Stored> = valued
        .iter()
        .map(|(version, write)| match write.content {
            Content::Value(value) => stores.store(*version, &write.id, write.revision, value),
            _ => (None, None),
        })
        .collect();
    let insert_plain = |tables: &Tables| {
        let mut values = Values::default();
        let run_id = values.text(run_id);
        tables.cell.writer().insert(valued.iter().zip(&stored).map(|((version, write), (value, base))| {
            [
                run_id,
                values.text(write.id.scope),
                values.text(&write.id.key),
                write.id.ordinal.into_datum(),
                version.into_datum(),
                write.revision.into_datum(),
                value.into_datum(),
                write.hash.as_ref().and_then(|hash| values.octets(hash)),
                base.into_datum(),
            ]
        }));
    };
    if db.plain(insert_plain).is_some() {
        return Ok(());
    }
    let inserted = match valued.as_slice() {
        [(version, write)] => db.query(
            &INSERT_CELL,
            &[
                run_id.into_datum(),
                version.into_datum(),
                write.id.scope.into_datum(),
                write.id.key.as_str().into_datum(),
                write.id.ordinal.into_datum(),
                write.revision.into_datum(),
                stored[0].0.into_datum(),
                write.hash.as_ref().map(|hash| hash.as_slice()).into_datum(),
                stored[0].1.into_datum(),
            ],
        ),
        several => db.query(
            &INSERT_CELLS,
            &[
                run_id.into_datum(),
                several.iter().map(|(version, _)| *version).collect::<Vec<_>>().into_datum(),
                several.iter().map(|(_, w)| w.id.scope).collect::<Vec<_>>().into_datum(),
                several.iter().map(|(_, w)| w.id.key.as_str()).collect::<Vec<_>>().into_datum(),
                several.iter().map(|(_, w)| w.id.ordinal).collect::<Vec<_>>().into_datum(),
                several.iter().map(|(_, w)| w.revision).collect::<Vec<_>>().into_datum(),
                stored.iter().map(|(value, _)| *value).collect::<Vec<_>>().into_datum(),
                several.iter().map(|(_, w)| w.hash.as_ref().map(|hash| hash.to_vec())).collect::<Vec<_>>().into_datum(),
                stored.iter().map(|(_, base)| *base).collect::<Vec<_>>().into_datum(),
            ],
        ),
    };
    if inserted.len() == valued.len() { Ok(()) } else { Err(Error::left_out("cell")) }
}

/// Adds rows whose values are copied, inside SQL, from rows of the run `source`.
fn copy_cells(db: &Db, source: &str, run_id: &str, rows: Vec<(i64, Write)>) -> Result<()> {
    let mut by_version: HashMap<i64, Vec<Write>> = HashMap::new();
    for (version, write) in rows {
        by_version.entry(version).or_default().push(write);
    }
    for (version, writes) in by_version {
        let sources = writes.iter().map(|write| match write.content {
            Content::CopyOf(version) => version,
            _ => unreachable!("only copies are copied"),
        });
        let copied = db.query(
            &COPY_CELLS,
            &[
                run_id.into_datum(),
                version.into_datum(),
                writes.iter().map(|w| w.id.scope).collect::<Vec<_>>().into_datum(),
                writes.iter().map(|w| w.id.key.as_str()).collect::<Vec<_>>().into_datum(),
                writes.iter().map(|w| w.id.ordinal).collect::<Vec<_>>().into_datum(),
                writes.iter().map(|w| w.revision).collect::<Vec<_>>().into_datum(),
                source.into_datum(),
                sources.collect::<Vec<_>>().into_datum(),
            ],
        );
        if copied.len() != writes.len() {
            return Err(Error::left_out("cell"));
        }
    }
    Ok(())
}
