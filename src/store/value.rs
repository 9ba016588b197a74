//! How values stand in rows: a large one as what changed, where that is less.
//!
//! A row whose `base` is NULL has its whole value. In any other `value` is a patch (`delta`) for the value of the cell's row
//! before, and `base` is the version of the row at which that chain begins, whose value is whole. Everybody else sees whole
//! values: hashes, events and answers do not know how a value is stored.

use crate::pure::delta;
use crate::server::columns::Columns;
use crate::server::error::{Error, Result};
use crate::server::interrupts::check_for_interrupts;
use crate::server::jsonb::Jsonb;
use crate::server::memory;
use crate::server::scan::{Is, Key, Scan};
use crate::server::spi::At;
use crate::store::cell::{self, CellId, Place, newest_cell};
use crate::store::db::Db;
use crate::store::statement::statement;
use crate::store::tables::Tables;
use pgrx::IntoDatum;
use std::collections::HashMap;

statement! {
    /// The rows that the value of a cell at a version stands in, newest first, no more than a chain has: see `chain`.
    CHAIN, [TEXTOID, TEXTOID, TEXTOID, INT8OID, INT8OID], "/* layra.chain */
SELECT c.version, c.revision, c.value, c.base FROM layra.cell c
WHERE c.run_id OPERATOR(pg_catalog.=) $1 AND c.scope OPERATOR(pg_catalog.=) $2 AND c.key OPERATOR(pg_catalog.=) $3
  AND c.ordinal OPERATOR(pg_catalog.=) $4 AND c.version OPERATOR(pg_catalog.<=) $5
  AND c.version OPERATOR(pg_catalog.>=) ", newest_cell!("LEAST(c.base, c.version)", "$2", "$3", "$4",
        " AND c.version OPERATOR(pg_catalog.<=) $5"), "
ORDER BY c.version DESC LIMIT 129"
}

/// Smaller values are stored whole: they stand in the table's own page or two, and nothing is read before they are written.
const LARGE: usize = 4096;
/// A chain has at most so many patches, and they take less than the value, where each counts for `ROW` bytes more than it
/// has: so reading a chain costs at most about twice what reading the value in one piece does.
const LONGEST: usize = 128;
const ROW: usize = 256;
/// A patch that takes more than this part of the value saves too little.
const SMALL: usize = 4;

impl Place<'_> {
    /// The value of a row of the cell, of which these columns are `version`, `value` and `base`; raises XX001 where what is
    /// stored does not fit together.
    pub fn value_of(self, db: &Db, row: &impl Columns, [version, value, base]: [i32; 3]) -> Option<Jsonb> {
        if row.is_null(base) {
            return row.jsonb(value);
        }
        self.value(db, row.get(version).unwrap_or_default())
    }

    /// As `value_of`, of a row of the table itself.
    pub fn value_in(self, tables: &Tables, row: &Scan<'_>) -> Option<Jsonb> {
        if row.is_null(cell::BASE) {
            return row.jsonb(cell::VALUE);
        }
        let links = self.plain_links(tables, row.get(cell::VERSION).unwrap_or_default());
        self.chain_of(&links).unwrap_or_else(|error| error.raise()).map(|chain| chain.value)
    }

    /// As `value_of`, where the value of the row before is at hand.
    pub fn value_after(
        self,
        db: &Db,
        before: Option<Jsonb>,
        row: &impl Columns,
        [version, value, base]: [i32; 3],
    ) -> Option<Jsonb> {
        if row.is_null(base) {
            return row.jsonb(value);
        }
        let patched =
            before.zip(row.jsonb(value)).and_then(|(before, patch)| applied(before.octets(), &[patch.octets()]));
        // Where that cannot be, the whole chain says what is wrong.
        patched.or_else(|| self.value(db, row.get(version).unwrap_or_default()))
    }

    /// As `value_at`, raising XX001.
    pub fn value(self, db: &Db, version: i64) -> Option<Jsonb> {
        self.value_at(db, version).unwrap_or_else(|error| error.raise())
    }

    /// The value at a version, read from its chain.
    pub fn value_at(self, db: &Db, version: i64) -> Result<Option<Jsonb>> {
        Ok(self.chain(db, version)?.map(|chain| chain.value))
    }

    /// As `value_at`, on the fast path.
    pub fn value_at_row(self, tables: &Tables, version: i64) -> Result<Option<Jsonb>> {
        Ok(self.chain_of(&self.plain_links(tables, version))?.map(|chain| chain.value))
    }

    /// The row at a version (or the newest before it) and those that it stands on; None where the cell is not set.
    fn chain(self, db: &Db, version: i64) -> Result<Option<Chain>> {
        self.chain_of(&self.links(db, version))
    }

    fn chain_of(self, links: &[Link]) -> Result<Option<Chain>> {
        let Some((newest, older)) = links.split_first() else { return Ok(None) };
        if newest.value.is_none() && newest.base.is_none() {
            return Ok(None);
        }
        Chain::new(newest, older).map(Some).ok_or_else(|| {
            let (cell, version) = (format!("{}/{}", self.scope, self.key), newest.version);
            let message = format!("the changes of cell {cell} of run {:?} up to version {version}", self.run_id);
            Error::Corrupt(format!("{message} do not fit together"))
        })
    }

    /// Newest first, down to the first whole value.
    fn links(self, db: &Db, version: i64) -> Vec<Link> {
        if let Some(links) = db.plain(|tables| self.plain_links(tables, version)) {
            return links;
        }
        let [run_id, scope, key] = [self.run_id, self.scope, self.key].map(IntoDatum::into_datum);
        let rows = db.query(&CHAIN, &[run_id, scope, key, self.ordinal.into_datum(), version.into_datum()]);
        (0..rows.len()).map(|row| Link::read(&At(&rows, row), [1, 2, 3, 4])).collect()
    }

    fn plain_links(self, tables: &Tables, version: i64) -> Vec<Link> {
        let mut links = Vec::new();
        let Some(mut scan) = self.newest(tables, Some(version).filter(|version| *version != i64::MAX)) else {
            return links;
        };
        loop {
            let link = Link::read(&scan, [cell::VERSION, cell::REVISION, cell::VALUE, cell::BASE]);
            let (version, base) = (link.version, link.base);
            links.push(link);
            let Some(base) = base.filter(|_| links.len() <= LONGEST) else { return links };
            if links.len() == 1 {
                // From here on, and no further than to where the chain says that it begins.
                scan.again(&[
                    Key::Text(1, Is::Equal, self.run_id),
                    Key::Text(2, Is::Equal, self.scope),
                    Key::Text(3, Is::Equal, self.key),
                    Key::Number(4, Is::Equal, self.ordinal),
                    Key::Number(5, Is::Less, version),
                    Key::Number(5, Is::AtLeast, base),
                ]);
            }
            if !scan.down() {
                return links;
            }
        }
    }
}

/// The value that deltas make of a whole one; None where they do not fit. 53200 where that was for want of memory.
fn applied(whole: &[u8], deltas: &[&[u8]]) -> Option<Jsonb> {
    let value = delta::apply(whole, deltas, check_for_interrupts);
    if value.is_none() {
        let bytes = whole.len() + deltas.iter().map(|delta| delta.len()).sum::<usize>();
        memory::require(bytes.saturating_mul(delta::WORK));
    }
    value.map(|octets| Jsonb::from_octets(&octets))
}

/// A row of a chain.
struct Link {
    version: i64,
    revision: i64,
    value: Option<Jsonb>,
    base: Option<i64>,
}

impl Link {
    fn read(row: &impl Columns, [version, revision, value, base]: [i32; 4]) -> Link {
        Link {
            version: row.get(version).unwrap_or_default(),
            revision: row.get(revision).unwrap_or_default(),
            value: row.jsonb(value),
            base: row.get(base),
        }
    }
}

/// A value, and the rows that it stands in.
struct Chain {
    base: i64,
    revision: i64,
    patches: usize,
    octets: usize,
    value: Jsonb,
}

impl Chain {
    fn of_whole(version: i64, revision: i64, value: Jsonb) -> Chain {
        Chain { base: version, revision, patches: 0, octets: 0, value }
    }

    /// None where the rows are not one whole value, and a patch of each revision after it.
    fn new(newest: &Link, older: &[Link]) -> Option<Chain> {
        let Some((first, between)) = older.split_last() else {
            return newest
                .value
                .filter(|_| newest.base.is_none())
                .map(|v| Chain::of_whole(newest.version, newest.revision, v));
        };
        let whole = first.value.filter(|_| first.base.is_none())?;
        let mut patches = Vec::with_capacity(older.len());
        for (revision, link) in (first.revision + 1..).zip(between.iter().rev().chain([newest])) {
            patches.push(link.value.filter(|_| link.base == Some(first.version) && link.revision == revision)?);
        }
        let octets: Vec<&[u8]> = patches.iter().map(Jsonb::octets).collect();
        Some(Chain {
            base: first.version,
            revision: newest.revision,
            patches: patches.len(),
            octets: octets.iter().map(|patch| patch.len()).sum(),
            value: applied(whole.octets(), &octets)?,
        })
    }

    /// The patch that makes a new value of this one, where it is small and the chain stays short.
    fn patch(&self, value: &Jsonb) -> Option<Jsonb> {
        let size = value.octets().len();
        let left = size.checked_sub((self.patches + 1) * ROW + self.octets)?;
        if self.patches == LONGEST {
            return None;
        }
        let limit = left.min(size / SMALL);
        let patch = delta::diff(self.value.octets(), value.octets(), limit, check_for_interrupts)?;
        Some(Jsonb::from_octets(&patch))
    }
}

/// How the values of the rows that one change adds are stored. Where a cell has several of them, each follows the one before.
pub struct Stores<'a> {
    db: &'a Db,
    run_id: &'a str,
    chains: HashMap<CellId, Chain>,
}

/// The columns `value` and `base`.
pub type Stored = (Option<Jsonb>, Option<i64>);

impl<'a> Stores<'a> {
    pub fn new(db: &'a Db, run_id: &'a str) -> Stores<'a> {
        Stores { db, run_id, chains: HashMap::new() }
    }

    /// How a value is stored that a cell is given at a version.
    pub fn store(&mut self, version: i64, id: &CellId, revision: i64, value: Jsonb) -> Stored {
        // What the extension keeps of its own is read inside SQL.
        let own = || id.scope == "node" || id.scope == "loop" || (id.scope == "engine" && id.key.starts_with("layra."));
        if value.octets().len() < LARGE || own() {
            return (Some(value), None);
        }
        let before = self.chains.remove(id).or_else(|| self.before(id, revision));
        // A row in between, unset or small, was not noted here; the revision tells.
        let before = before.filter(|chain| chain.revision + 1 == revision);
        let patch = before.and_then(|chain| Some((chain.patch(&value)?, chain)));
        let (stored, chain) = match patch {
            None => ((Some(value), None), Chain::of_whole(version, revision, value)),
            Some((patch, chain)) => {
                let (patches, octets) = (chain.patches + 1, chain.octets + patch.octets().len());
                let stored = (Some(patch), Some(chain.base));
                (stored, Chain { revision, patches, octets, value, ..chain })
            }
        };
        self.chains.insert(id.clone(), chain);
        stored
    }

    /// What the cell has now. Where that does not fit together, reading it says so; a new value does not depend on it.
    fn before(&self, id: &CellId, revision: i64) -> Option<Chain> {
        if revision == 1 { None } else { id.at(self.run_id).chain(self.db, i64::MAX).ok().flatten() }
    }
}
