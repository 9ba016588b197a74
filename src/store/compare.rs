//! Which cells differ between two versions of a run, at the cost of the shorter of two ways.

use crate::pure::hash::Hash;
use crate::server::jsonb::Jsonb;
use crate::server::spi::{At, Columns, Db, Rows, check_for_interrupts};
use crate::store::cell::{self, CellId, Newest, columns, distinct, newest_of, static_scope};
use crate::store::plain::{Scan, Tables};
use crate::store::statements::{CHANGED_NAMES, COMPARE_CELLS, DISTINCT_CELLS};
use pgrx::IntoDatum;

/// Events are read to find what changed while there are no more of them than this; a run with more is first tried by its
/// cells. Both ways cost about one index descent a row.
const FEW_EVENTS: i64 = 64;

/// The cells that may differ between two versions (`from` < `to`): those the events in between changed, or all distinct
/// cells, whichever are fewer. (1,000,000 events and 19 cells: 217 ms by events, 1.2 ms by cells; 2 events and 100,000
/// dead cells: 0.18 ms by events, 1,558 ms by cells.)
fn candidates(db: &Db, run_id: &str, from: i64, to: i64) -> Vec<CellId> {
    let events = to - from;
    if events > FEW_EVENTS {
        let most = usize::try_from(events).unwrap_or(usize::MAX);
        let cells = db.plain(|tables| distinct(tables, run_id, most)).unwrap_or_else(|| {
            let rows = db.query(&DISTINCT_CELLS, &[run_id.into_datum(), events.into_datum()]);
            (0..rows.len()).filter_map(|row| cell_id(&rows, row)).collect()
        });
        if cells.len() < most {
            return cells;
        }
    }
    let rows = db.query(&CHANGED_NAMES, &[run_id.into_datum(), from.into_datum(), to.into_datum()]);
    (0..rows.len()).filter_map(|row| CellId::from_name(&rows.get::<String>(row, 1)?)).collect()
}

/// From columns 1 to 3: scope, key, ordinal.
pub fn cell_id(rows: &Rows, row: usize) -> Option<CellId> {
    let scope = static_scope(&rows.get::<String>(row, 1)?)?;
    Some(CellId { scope, key: rows.get(row, 2)?, ordinal: rows.get(row, 3)? })
}

/// A cell that differs: its row at the older version, and at the newer one.
pub struct Difference {
    pub id: CellId,
    pub old_version: i64,
    pub old_hash: Option<Hash>,
    /// Of nodes only.
    pub old_value: Option<Jsonb>,
    pub old_is_whole: bool,
    pub new_version: i64,
    pub new_revision: i64,
    pub new_hash: Option<Hash>,
}

impl Difference {
    /// False of a node that was written anew with the value that it had.
    pub fn is_one(&self) -> bool {
        self.old_hash != self.new_hash
    }
}

/// The cells that differ between two versions (`from` <= `to`), sorted by scope, key and ordinal. Also nodes that were
/// written in between and have their old value again.
pub fn differences(db: &Db, run_id: &str, from: i64, to: i64) -> Vec<Difference> {
    let ids = candidates(db, run_id, from, to);
    if ids.is_empty() {
        return Vec::new();
    }
    if let Some(differences) = db.plain(|tables| plain_differences(tables, run_id, &ids, from, to)) {
        return differences;
    }
    let [scopes, keys, ordinals] = columns(&ids);
    let args = [run_id.into_datum(), scopes, keys, ordinals, from.into_datum(), to.into_datum()];
    let rows = db.query(&COMPARE_CELLS, &args);
    let mut differences: Vec<Difference> = (0..rows.len())
        .filter(|row| {
            let is_node = rows.get::<i64>(*row, 1).is_some_and(|id| ids[id as usize - 1].scope == "node");
            let again = is_node && rows.hash(*row, 3).is_some() && rows.get::<i64>(*row, 2) != rows.get::<i64>(*row, 5);
            again || rows.hash(*row, 3) != rows.hash(*row, 7)
        })
        .map(|row| {
            let id = ids[rows.get::<i64>(row, 1).unwrap_or(1) as usize - 1].clone();
            let at = At(&rows, row);
            Difference {
                old_version: at.get(2).unwrap_or_default(),
                old_hash: at.hash(3),
                old_value: at.jsonb(4),
                old_is_whole: at.is_null(9),
                new_version: at.get(5).unwrap_or_default(),
                new_revision: at.get(6).unwrap_or_default(),
                new_hash: at.hash(7),
                id,
            }
        })
        .collect();
    differences.sort_by(|a, b| a.id.cmp(&b.id));
    differences
}

/// As `differences`, by the short way.
fn plain_differences(tables: &Tables, run_id: &str, ids: &[CellId], from: i64, to: i64) -> Vec<Difference> {
    let (mut old, mut new) = (tables.cell.begin(), tables.cell.begin());
    let mut differences: Vec<Difference> = ids
        .iter()
        .filter_map(|id| {
            check_for_interrupts();
            let place = id.at(run_id);
            let (had, has) = (place.seek(&mut old, Some(from)), place.seek(&mut new, Some(to)));
            let newest = |is: bool, row: &Scan<'_>| if is { newest_of(row) } else { Newest::default() };
            let (old_row, new_row) = (newest(had, &old), newest(has, &new));
            let again = id.scope == "node" && old_row.hash.is_some() && old_row.version != new_row.version;
            (again || old_row.hash != new_row.hash).then(|| Difference {
                old_version: old_row.version,
                old_hash: old_row.hash,
                old_is_whole: !had || old.is_null(cell::BASE),
                old_value: if had && id.scope == "node" { place.value_in(tables, &old) } else { None },
                new_version: new_row.version,
                new_revision: new_row.revision,
                new_hash: new_row.hash,
                id: id.clone(),
            })
        })
        .collect();
    differences.sort_by(|a, b| a.id.cmp(&b.id));
    differences
}
