//! Rows of cells as they stand, for who compares them with the events that name them.

use crate::pure::hash::Hash;
use crate::server::columns::{Columns, hash_of};
use crate::server::error::Result;
use crate::server::interrupts::check_for_interrupts;
use crate::server::jsonb::Jsonb;
use crate::server::scan::{Is, Key};
use crate::server::spi::{At, scratch};
use crate::store::cell::{self, CellId, columns};
use crate::store::db::Db;
use crate::store::statement::statement;
use crate::store::tables::Tables;
use pgrx::IntoDatum;

statement! {
    /// The rows that the events of a range name: column 1 is the version, column 2 the position in `changed` from 1.
    VERIFY_CELLS, [TEXTOID, INT8ARRAYOID, TEXTARRAYOID, TEXTARRAYOID, INT8ARRAYOID], "/* layra.verify_cells */
SELECT n.position, c.revision, c.hash, c.value, c.base,
    (SELECT p.revision FROM layra.cell p
     WHERE p.run_id OPERATOR(pg_catalog.=) $1 AND p.scope OPERATOR(pg_catalog.=) n.scope AND p.key OPERATOR(pg_catalog.=) n.key
       AND p.ordinal OPERATOR(pg_catalog.=) n.ordinal AND p.version OPERATOR(pg_catalog.<) n.version ORDER BY p.version DESC LIMIT 1)
FROM unnest($2, $3, $4, $5) WITH ORDINALITY n(version, scope, key, ordinal, position)
CROSS JOIN LATERAL (
    SELECT c.revision, c.hash, c.value, c.base FROM layra.cell c
    WHERE c.run_id OPERATOR(pg_catalog.=) $1 AND c.scope OPERATOR(pg_catalog.=) n.scope AND c.key OPERATOR(pg_catalog.=) n.key
      AND c.ordinal OPERATOR(pg_catalog.=) n.ordinal AND c.version OPERATOR(pg_catalog.=) n.version LIMIT 1) c"
}

/// A row of a cell.
pub struct Row<V> {
    pub revision: i64,
    /// That of the row before; 0 where there is none.
    pub before: i64,
    pub hash: Option<Hash>,
    pub value: V,
}

/// Reads the value of a row.
pub type ReadValue<'a> = &'a dyn Fn() -> Result<Option<Jsonb>>;

/// The rows of cells at versions, None where one is missing, with what `value` makes of each one's value, which is read when it
/// asks for it; it is told whether that stands in the row itself as it is.
pub fn rows_at<V>(
    db: &Db,
    run_id: &str,
    wanted: &[(CellId, i64)],
    value: impl Fn(&CellId, bool, ReadValue<'_>) -> V,
) -> Vec<Option<Row<V>>> {
    let mut found: Vec<Option<Row<V>>> = wanted.iter().map(|_| None).collect();
    if db.plain(|tables| plain_rows_at(db, tables, run_id, wanted, &value, &mut found)).is_some() {
        return found;
    }
    let ids: Vec<CellId> = wanted.iter().map(|(id, _)| id.clone()).collect();
    let versions: Vec<i64> = wanted.iter().map(|(_, version)| *version).collect();
    let [scopes, keys, ordinals] = columns(&ids);
    let rows = db.query(&VERIFY_CELLS, &[run_id.into_datum(), versions.into_datum(), scopes, keys, ordinals]);
    for row in 0..rows.len() {
        let index = rows.get::<i64>(row, 1).unwrap_or(1) as usize - 1;
        let (id, version) = &wanted[index];
        let row = At(&rows, row);
        let read = || {
            if row.is_null(5) { Ok(row.jsonb(4)) } else { id.at(run_id).value_at(db, *version) }
        };
        found[index] = Some(Row {
            revision: row.get(2).unwrap_or_default(),
            before: row.get(6).unwrap_or_default(),
            hash: hash_of(&row, 3),
            value: value(id, false, &read),
        });
    }
    found
}

/// On the fast path: the rows of each cell one after the other, from the newest version down.
fn plain_rows_at<V>(
    db: &Db,
    tables: &Tables,
    run_id: &str,
    wanted: &[(CellId, i64)],
    value: &impl Fn(&CellId, bool, ReadValue<'_>) -> V,
    found: &mut [Option<Row<V>>],
) {
    let mut order: Vec<usize> = (0..wanted.len()).collect();
    order.sort_unstable_by(|a, b| wanted[*b].cmp(&wanted[*a]));
    for rows in order.chunk_by(|a, b| wanted[*a].0 == wanted[*b].0) {
        check_for_interrupts();
        // The values of one cell at a time, however many are wanted.
        scratch(db, || rows_of_one_cell(tables, run_id, wanted, rows, value, found));
    }
}

fn rows_of_one_cell<V>(
    tables: &Tables,
    run_id: &str,
    wanted: &[(CellId, i64)],
    rows: &[usize],
    value: &impl Fn(&CellId, bool, ReadValue<'_>) -> V,
    found: &mut [Option<Row<V>>],
) {
    let (id, newest) = &wanted[rows[0]];
    let place = id.at(run_id);
    let mut scan = tables.cell.scan(&[
        Key::Text(1, Is::Equal, place.run_id),
        Key::Text(2, Is::Equal, place.scope),
        Key::Text(3, Is::Equal, place.key),
        Key::Number(4, Is::Equal, place.ordinal),
        Key::Number(5, Is::AtMost, *newest),
    ]);
    let mut next = rows.iter().copied().peekable();
    // The row that waits for the one before it.
    let mut above: Option<usize> = None;
    while scan.down() {
        let revision = scan.get(cell::REVISION).unwrap_or_default();
        if let Some(row) = above.take().and_then(|above| found[above].as_mut()) {
            row.before = revision;
        }
        let version: i64 = scan.get(cell::VERSION).unwrap_or_default();
        // What is missing stays so.
        while next.next_if(|index| wanted[*index].1 > version).is_some() {}
        let Some(index) = next.next_if(|index| wanted[*index].1 == version) else {
            match next.peek() {
                Some(_) => continue,
                None => return,
            }
        };
        let whole = scan.is_null(cell::BASE);
        let read = || {
            if whole { Ok(scan.jsonb(cell::VALUE)) } else { place.value_at_row(tables, version) }
        };
        let value = value(id, whole && scan.is_in_place(cell::VALUE), &read);
        found[index] = Some(Row { revision, before: 0, hash: hash_of(&scan, cell::HASH), value });
        above = Some(index);
    }
}
