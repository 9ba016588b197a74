//! Rows of `layra.cell`: the names of cells, and where their rows are. `chain` has how values stand in them, `write` those that
//! a change adds, `live`, `history` and `compare` what is read of several.

use crate::pure::hash::Hash;
use crate::server::columns::Columns;
use crate::server::jsonb::Jsonb;
use crate::server::scan::{Is, Key, Scan};
use crate::server::spi::{At, Rows};
use crate::store::db::Db;
use crate::store::guess;
use crate::store::statement::statement;
use crate::store::tables::Tables;
use pgrx::IntoDatum;
use serde::{Deserialize, Serialize};
use std::cmp::Ordering;

macro_rules! newest_cell {
    ($columns:literal, $scope:literal, $key:literal, $ordinal:literal, $version:literal) => {
        concat!(
            "(SELECT ",
            $columns,
            " FROM layra.cell c
    WHERE c.run_id OPERATOR(pg_catalog.=) $1 AND c.scope OPERATOR(pg_catalog.=) ",
            $scope,
            " AND c.key OPERATOR(pg_catalog.=) ",
            $key,
            " AND c.ordinal OPERATOR(pg_catalog.=) ",
            $ordinal,
            $version,
            " ORDER BY c.version DESC LIMIT 1)"
        )
    };
}
pub(super) use newest_cell;

statement! {
    /// Cell rows that no event names, some behind one. Only run where the count says that there are some.
    ORPHAN_CELLS, [TEXTOID, TEXTOID, TEXTOID, INT8OID, INT8OID], "/* layra.orphan_cells */
SELECT c.scope, c.key, c.ordinal, c.version FROM layra.cell c
WHERE c.run_id OPERATOR(pg_catalog.=) $1
  AND ROW(c.scope, c.key, c.ordinal, c.version) OPERATOR(pg_catalog.>) ROW($2, $3, $4, $5) AND NOT EXISTS (
    SELECT FROM layra.event e WHERE e.run_id OPERATOR(pg_catalog.=) $1 AND e.version OPERATOR(pg_catalog.=) c.version
      AND c.version OPERATOR(pg_catalog.>) 0
      AND CASE WHEN c.scope OPERATOR(pg_catalog.=) 'context'
               THEN c.scope OPERATOR(pg_catalog.||) '/' OPERATOR(pg_catalog.||) c.key OPERATOR(pg_catalog.||) '/'
                   OPERATOR(pg_catalog.||) c.ordinal::pg_catalog.text
               WHEN c.ordinal OPERATOR(pg_catalog.=) 0
                   AND c.scope OPERATOR(pg_catalog.=) ANY ('{variable,node,loop,engine}'::pg_catalog.text[])
               THEN c.scope OPERATOR(pg_catalog.||) '/' OPERATOR(pg_catalog.||) c.key END
          OPERATOR(pg_catalog.=) ANY (e.changed))
ORDER BY c.scope, c.key, c.ordinal, c.version LIMIT 1000"
}

statement! {
    /// Whether one of some versions ($5) gave a cell this value.
    WROTE_VALUE, [TEXTOID, TEXTOID, TEXTOID, INT8OID, INT8ARRAYOID, BYTEAOID], "/* layra.wrote_value */
SELECT true FROM layra.cell c
WHERE c.run_id OPERATOR(pg_catalog.=) $1 AND c.scope OPERATOR(pg_catalog.=) $2 AND c.key OPERATOR(pg_catalog.=) $3
  AND c.ordinal OPERATOR(pg_catalog.=) $4 AND c.version OPERATOR(pg_catalog.=) ANY ($5)
  AND ((c.hash OPERATOR(pg_catalog.=) $6) OR (c.hash IS NULL AND $6 IS NULL)) LIMIT 1"
}

/// The scope in which a key has more than one cell.
pub(super) const CONTEXT: &str = "context";

/// Where a node keeps the counter of its context entries.
pub const COUNTER: i64 = -1;

/// Sorted as cells are in the hash: scope and key as bytes, ordinal as a number.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CellId {
    pub scope: &'static str,
    pub key: String,
    pub ordinal: i64,
}

impl CellId {
    pub fn new(scope: &'static str, key: impl Into<String>) -> CellId {
        CellId { scope, key: key.into(), ordinal: 0 }
    }

    pub fn variable(name: &str) -> CellId {
        CellId::new("variable", name)
    }

    pub fn context(node: &str, ordinal: i64) -> CellId {
        CellId { scope: "context", key: node.to_owned(), ordinal }
    }

    /// As `event.changed` has it.
    pub fn name(&self) -> String {
        match self.scope {
            CONTEXT => format!("context/{}/{}", self.key, self.ordinal),
            scope => [scope, "/", &self.key].concat(),
        }
    }

    pub fn at<'a>(&'a self, run_id: &'a str) -> Place<'a> {
        Place { run_id, scope: self.scope, key: &self.key, ordinal: self.ordinal }
    }

    /// The place of the cell's newest row in the primary key, from where on its list goes down: the entries of one node's
    /// context, or the cells of a scope.
    pub(super) fn keys<'a>(&'a self, run_id: &'a str) -> [Key<'a>; 4] {
        let key = if self.scope == CONTEXT { Is::Equal } else { Is::AtMost };
        [
            Key::Text(1, Is::Equal, run_id),
            Key::Text(2, Is::Equal, self.scope),
            Key::Text(3, key, &self.key),
            Key::Number(4, Is::AtMost, self.ordinal),
        ]
    }

    /// Where a row of the same list is, compared with the cell.
    pub(super) fn place(&self, row: &Scan<'_>) -> Ordering {
        row.compare(KEY, &self.key).then_with(|| row.get::<i64>(ORDINAL).unwrap_or_default().cmp(&self.ordinal))
    }

    /// The reverse of `name`; None for what is no cell's name.
    pub fn from_name(name: &str) -> Option<CellId> {
        let (scope, rest) = name.split_once('/')?;
        let scope = static_scope(scope)?;
        if scope != "context" {
            return Some(CellId::new(scope, rest));
        }
        let (key, ordinal) = rest.rsplit_once('/')?;
        Some(CellId::context(key, ordinal.parse().ok()?))
    }
}

impl std::fmt::Display for CellId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.name())
    }
}

pub fn static_scope(scope: &str) -> Option<&'static str> {
    ["variable", "node", "loop", "context", "engine"].into_iter().find(|s| *s == scope)
}

/// Arrays for `unnest`: scopes, keys, ordinals.
pub fn columns(ids: &[CellId]) -> [crate::server::spi::Arg; 3] {
    [
        ids.iter().map(|id| id.scope).collect::<Vec<_>>().into_datum(),
        ids.iter().map(|id| id.key.as_str()).collect::<Vec<_>>().into_datum(),
        ids.iter().map(|id| id.ordinal).collect::<Vec<_>>().into_datum(),
    ]
}

/// A cell of a run.
#[derive(Clone, Copy, Hash)]
pub struct Place<'a> {
    pub run_id: &'a str,
    pub scope: &'a str,
    pub key: &'a str,
    pub ordinal: i64,
}

impl<'a> Place<'a> {
    pub fn variable(run_id: &'a str, name: &'a str) -> Place<'a> {
        Place { run_id, scope: "variable", key: name, ordinal: 0 }
    }

    /// The row of the cell at a version (None: the newest), or the newest before it, on the fast path.
    pub fn newest(self, tables: &Tables, at: Option<i64>) -> Option<Scan<'_>> {
        let mut scan = tables.cell.begin();
        self.seek(&mut scan, at).then_some(scan)
    }

    /// As `newest`, with a scan of the table of cells that was begun already; false where there is no such row.
    pub fn seek(self, scan: &mut Scan<'_>, at: Option<i64>) -> bool {
        let near = match at {
            Some(at) => guess::shortly_before(at),
            None => guess::near(self),
        };
        let mut keys = vec![
            Key::Text(1, Is::Equal, self.run_id),
            Key::Text(2, Is::Equal, self.scope),
            Key::Text(3, Is::Equal, self.key),
            Key::Number(4, Is::Equal, self.ordinal),
        ];
        keys.extend(at.map(|at| Key::Number(5, Is::AtMost, at)));
        let all = keys.len();
        keys.extend(near.map(|version| Key::Number(5, Is::AtLeast, version)));
        scan.again(&keys);
        let mut found = scan.down();
        if !found && near.is_some() {
            scan.again(&keys[..all]);
            found = scan.down();
        }
        if found && at.is_none() {
            guess::saw(self, scan.get(VERSION).unwrap_or_default());
        }
        found
    }
}

/// The newest row of a cell. No row: version and revision 0. Unset: no hash.
#[derive(Debug, Clone, Copy, Default)]
pub struct Newest {
    pub version: i64,
    pub revision: i64,
    pub hash: Option<Hash>,
}

impl Newest {
    /// The version that a caller expects of it: 0 where it is not set now.
    pub fn set_version(&self) -> i64 {
        if self.hash.is_some() { self.version } else { 0 }
    }
}

/// Version, revision and hash, from column `first` on.
pub fn newest_row(rows: &Rows, row: usize, first: i32) -> Newest {
    let row = At(rows, row);
    Newest {
        version: row.get(first).unwrap_or_default(),
        revision: row.get(first + 1).unwrap_or_default(),
        hash: row.hash(first + 2),
    }
}

/// Columns of layra.cell.
pub const SCOPE: i32 = 2;
pub const KEY: i32 = 3;
pub const ORDINAL: i32 = 4;
pub const VERSION: i32 = 5;
pub const REVISION: i32 = 6;
pub const VALUE: i32 = 7;
pub const HASH: i32 = 8;
pub const BASE: i32 = 9;

/// The counter of a node's context list.
#[derive(Debug, Default, Clone, Copy, Serialize, Deserialize)]
pub struct Counter {
    pub live: i64,
    pub next: i64,
}

impl Counter {
    pub fn parse(value: Option<&Jsonb>) -> Counter {
        value.and_then(|value| serde_json::from_str(value.text()).ok()).unwrap_or_default()
    }
}

pub fn newest_of(row: &Scan<'_>) -> Newest {
    Newest {
        version: row.get(VERSION).unwrap_or_default(),
        revision: row.get(REVISION).unwrap_or_default(),
        hash: row.hash(HASH),
    }
}

/// Whether one of some versions gave a cell this value.
pub fn had_value(db: &Db, place: Place<'_>, versions: Vec<i64>, hash: Option<&Hash>) -> bool {
    let args = [
        place.run_id.into_datum(),
        place.scope.into_datum(),
        place.key.into_datum(),
        place.ordinal.into_datum(),
        versions.into_datum(),
        hash.map(|hash| hash.as_slice()).into_datum(),
    ];
    !db.query(&WROTE_VALUE, &args).is_empty()
}

/// From columns 1 to 3: scope, key, ordinal.
pub(super) fn cell_id(rows: &Rows, row: usize) -> Option<CellId> {
    let scope = static_scope(&rows.get::<String>(row, 1)?)?;
    Some(CellId { scope, key: rows.get(row, 2)?, ordinal: rows.get(row, 3)? })
}

/// A row that no event names.
pub struct Orphan {
    pub scope: String,
    pub key: String,
    pub ordinal: i64,
    pub version: i64,
}

impl Orphan {
    /// The cell; None where it has no name.
    pub fn id(&self) -> Option<CellId> {
        Some(CellId { scope: static_scope(&self.scope)?, key: self.key.clone(), ordinal: self.ordinal })
    }
}

/// Some rows that no event names, behind one.
pub fn orphans(db: &Db, run_id: &str, after: Option<&Orphan>) -> Vec<Orphan> {
    let (scope, key) = after.map_or(("", ""), |orphan| (&orphan.scope, &orphan.key));
    let (ordinal, version) = after.map_or((i64::MIN, i64::MIN), |orphan| (orphan.ordinal, orphan.version));
    let args = [run_id.into_datum(), scope.into_datum(), key.into_datum(), ordinal.into_datum(), version.into_datum()];
    let rows = db.query(&ORPHAN_CELLS, &args);
    let orphan = |row| Orphan {
        scope: rows.get(row, 1).unwrap_or_default(),
        key: rows.get(row, 2).unwrap_or_default(),
        ordinal: rows.get(row, 3).unwrap_or_default(),
        version: rows.get(row, 4).unwrap_or_default(),
    };
    (0..rows.len()).map(orphan).collect()
}
