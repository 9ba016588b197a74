//! Rows of `layra.seal`: what is left of runs that are gone. Only ever inserted.

use crate::pure::hash::{self, Hash};
use crate::server::columns::Columns;
use crate::server::error::Result;
use crate::server::heap;
use crate::server::settings;
use crate::server::spi::{At, Rows};
use crate::store::clock;
use crate::store::db::Db;
use crate::store::release::Schema;
use crate::store::statement::statement;
use crate::store::tables::SCHEMA;
use pgrx::IntoDatum;

statement! {
    NEWEST_SEAL, [TEXTOID], "/* layra.newest_seal */
SELECT s.number, s.hash FROM layra.seal s WHERE s.run_id OPERATOR(pg_catalog.=) $1 ORDER BY s.number DESC LIMIT 1"
}

statement! {
    INSERT_SEAL, [TEXTOID, INT8OID, TEXTOID, TEXTOID, TEXTOID, INT4OID, INT8OID, INT8OID, BYTEAOID, INT8OID, INT8OID, INT8OID,
        TIMESTAMPTZOID, TEXTOID, TEXTOID, TEXTOID, BYTEAOID, BYTEAOID], "/* layra.insert_seal */
INSERT INTO layra.seal (run_id, number, what, owner, workflow, workflow_version, first_version, last_version, head_hash,
    events, cells, bytes, at, actor, on_behalf_of, reason, previous, hash)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)"
}

macro_rules! seals {
    ($condition:literal) => {
        concat!(
            "SELECT s.run_id, s.number, s.what, s.owner, s.workflow, s.workflow_version, s.first_version, s.last_version, s.head_hash,
    s.events, s.cells, s.bytes, s.at, s.actor, s.on_behalf_of, s.reason, s.previous, s.hash
FROM layra.seal s WHERE ",
            $condition
        )
    };
}

statement! {
    /// The seals of one run id.
    SEALS_OF, [TEXTOID, INT8OID], "/* layra.seals_of */\n", seals!("s.run_id OPERATOR(pg_catalog.=) $1
  AND s.number OPERATOR(pg_catalog.>=) $2 ORDER BY s.number LIMIT 1000")
}

statement! {
    /// The newest seals of one run id.
    LAST_SEALS_OF, [TEXTOID, INT8OID], "/* layra.last_seals_of */\n", seals!("s.run_id OPERATOR(pg_catalog.=) $1
ORDER BY s.number DESC LIMIT $2")
}

statement! {
    /// All seals, from one on.
    SEALS_FROM, [TEXTOID, INT8OID], "/* layra.seals_from */\n", seals!(
        "ROW(s.run_id, s.number) OPERATOR(pg_catalog.>=) ROW($1, $2) ORDER BY s.run_id, s.number LIMIT 1000")
}

macro_rules! seal_heads {
    ($condition:literal) => {
        concat!(
            "SELECT s.run_id, s.last_version, s.hash, s.number FROM layra.seal s WHERE ",
            $condition,
            " AND ROW(s.run_id, s.number) OPERATOR(pg_catalog.>) ROW($1, $2) ORDER BY s.run_id, s.number LIMIT $3"
        )
    };
}

statement! {
    SEAL_HEADS, [TEXTOID, INT8OID, INT8OID], "/* layra.seal_heads */\n", seal_heads!("true")
}

statement! {
    SEAL_HEADS_OF, [TEXTOID, INT8OID, INT8OID, TEXTOID], "/* layra.seal_heads_of */\n",
    seal_heads!("s.owner OPERATOR(pg_catalog.=) $4")
}

statement! {
    IMPORTS, [TEXTOID], "/* layra.imports */
SELECT s.number FROM layra.seal s WHERE s.run_id OPERATOR(pg_catalog.=) $1 AND s.what OPERATOR(pg_catalog.=) 'imported'
ORDER BY s.number DESC LIMIT 1"
}

statement! {
    SEAL_BY_HASH, [TEXTOID, BYTEAOID], "/* layra.seal_by_hash */
SELECT s.number FROM layra.seal s WHERE s.run_id OPERATOR(pg_catalog.=) $1 AND s.hash OPERATOR(pg_catalog.=) $2
ORDER BY s.number DESC LIMIT 1"
}

/// The newest seal of a run id: its number and its hash.
pub struct Newest {
    pub number: i64,
    pub hash: Hash,
}

impl Newest {
    /// As the caller's snapshot has it.
    pub fn of(db: &Db, run_id: &str) -> Option<Newest> {
        Newest::find(db, || db.query(&NEWEST_SEAL, &[run_id.into_datum()]))
    }

    /// As it is now: whoever has the row of the run has perhaps waited for who sealed the one before.
    pub fn now(db: &Db, run_id: &str) -> Option<Newest> {
        Newest::find(db, || db.query_latest(&NEWEST_SEAL, &[run_id.into_datum()]))
    }

    fn find(db: &Db, find: impl FnOnce() -> Rows) -> Option<Newest> {
        // A table that never had a row has no page.
        if !has_seals(db) || heap::are_void(heap::schema(SCHEMA), &[c"seal"]) {
            return None;
        }
        let rows = find();
        (!rows.is_empty())
            .then(|| Newest { number: rows.get(0, 1).unwrap_or_default(), hash: rows.hash(0, 2).unwrap_or_default() })
    }
}

/// What became of a run that came from elsewhere.
pub const IMPORTED: &str = "imported";

/// Whether a run of this id was imported, since seals were kept.
pub fn was_imported(db: &Db, run_id: &str) -> bool {
    has_seals(db) && !db.query(&IMPORTS, &[run_id.into_datum()]).is_empty()
}

/// The number of the seal of a run id that has this hash.
pub fn number_of(db: &Db, run_id: &str, hash: &Hash) -> Option<i64> {
    let rows = db.query(&SEAL_BY_HASH, &[run_id.into_datum(), hash.as_slice().into_datum()]);
    if rows.is_empty() { None } else { rows.get(0, 1) }
}

/// The time that it is once a seal can be written.
pub fn now(db: &Db) -> Result<i64> {
    clock::now_for(db, &INSERT_SEAL)
}

/// Whether runs that go leave a seal: not in the schema of 0.3.0.
pub fn has_seals(db: &Db) -> bool {
    db.schema == Schema::Own
}

/// A row, with the hash that stands in it.
#[derive(Clone)]
pub struct Seal {
    pub run_id: String,
    pub number: i64,
    pub what: String,
    pub owner: String,
    pub workflow: Option<String>,
    pub workflow_version: Option<i32>,
    pub first_version: i64,
    pub last_version: i64,
    pub head_hash: Hash,
    pub events: i64,
    pub cells: i64,
    pub bytes: i64,
    /// Microseconds since 2000-01-01.
    pub at: i64,
    pub actor: String,
    pub on_behalf_of: Option<String>,
    pub reason: Option<String>,
    pub previous: Option<Hash>,
    pub hash: Hash,
}

impl Seal {
    /// What its hash has to be.
    pub fn computed(&self) -> Hash {
        hash::Seal {
            previous: self.previous,
            run_id: &self.run_id,
            number: self.number,
            what: &self.what,
            owner: &self.owner,
            workflow: self.workflow.as_deref(),
            workflow_version: self.workflow_version.map(i64::from),
            first_version: self.first_version,
            last_version: self.last_version,
            head_hash: self.head_hash,
            events: self.events,
            cells: self.cells,
            bytes: self.bytes,
            at: self.at.wrapping_add(settings::EPOCH_OFFSET),
            actor: &self.actor,
            on_behalf_of: self.on_behalf_of.as_deref(),
            reason: self.reason.as_deref(),
        }
        .hash()
    }

    /// With its hash.
    pub fn closed(mut self) -> Seal {
        self.hash = self.computed();
        self
    }

    pub fn insert(&self, db: &Db) {
        db.query(
            &INSERT_SEAL,
            &[
                self.run_id.as_str().into_datum(),
                self.number.into_datum(),
                self.what.as_str().into_datum(),
                self.owner.as_str().into_datum(),
                self.workflow.as_deref().into_datum(),
                self.workflow_version.into_datum(),
                self.first_version.into_datum(),
                self.last_version.into_datum(),
                self.head_hash.as_slice().into_datum(),
                self.events.into_datum(),
                self.cells.into_datum(),
                self.bytes.into_datum(),
                self.at.into_datum(),
                self.actor.as_str().into_datum(),
                self.on_behalf_of.as_deref().into_datum(),
                self.reason.as_deref().into_datum(),
                self.previous.as_ref().map(|hash| hash.as_slice()).into_datum(),
                self.hash.as_slice().into_datum(),
            ],
        );
    }

    fn of(row: &impl Columns) -> Seal {
        Seal {
            run_id: row.get(1).unwrap_or_default(),
            number: row.get(2).unwrap_or_default(),
            what: row.get(3).unwrap_or_default(),
            owner: row.get(4).unwrap_or_default(),
            workflow: row.get(5),
            workflow_version: row.get(6),
            first_version: row.get(7).unwrap_or_default(),
            last_version: row.get(8).unwrap_or_default(),
            head_hash: row.hash(9).unwrap_or_default(),
            events: row.get(10).unwrap_or_default(),
            cells: row.get(11).unwrap_or_default(),
            bytes: row.get(12).unwrap_or_default(),
            at: row.get(13).unwrap_or_default(),
            actor: row.get(14).unwrap_or_default(),
            on_behalf_of: row.get(15),
            reason: row.get(16),
            previous: (!row.is_null(17)).then(|| row.hash(17).unwrap_or_default()),
            hash: row.hash(18).unwrap_or_default(),
        }
    }
}

/// The newest seals of a run id, the newest first, at most so many.
pub fn newest(db: &Db, run_id: &str, most: i64) -> Vec<Seal> {
    if !has_seals(db) {
        return Vec::new();
    }
    let rows = db.query(&LAST_SEALS_OF, &[run_id.into_datum(), most.into_datum()]);
    rows.iter().map(|row| Seal::of(&row)).collect()
}

/// Which seals: those of one run id, or all.
#[derive(Clone, Copy)]
pub struct Which<'a>(pub Option<&'a str>);

impl Which<'_> {
    fn rows(self, db: &Db, from: &(String, i64)) -> Rows {
        let statement = if self.0.is_some() { &SEALS_OF } else { &SEALS_FROM };
        db.query(statement, &[from.0.as_str().into_datum(), from.1.into_datum()])
    }

    /// Some, in the order of run ids and numbers, from one on.
    pub fn some(self, db: &Db, from: &(String, i64)) -> Vec<Seal> {
        self.rows(db, from).iter().map(|row| Seal::of(&row)).collect()
    }

    /// Which ones those are, where they cannot be read.
    pub fn keys(self, db: &Db, from: &(String, i64)) -> Vec<(String, i64)> {
        let rows = self.rows(db, from);
        (0..rows.len()).filter_map(|row| rows.get(row, 1).zip(rows.get(row, 2))).collect()
    }

    /// The first.
    pub fn first(self, db: &Db, from: &(String, i64)) -> Option<Seal> {
        let rows = self.rows(db, from);
        (!rows.is_empty()).then(|| Seal::of(&At(&rows, 0)))
    }
}

/// Some heads of seals, of one owner or of all, behind one: run id, number, last version, hash.
pub fn heads(db: &Db, owner: Option<&str>, after: (&str, i64), limit: i64) -> Vec<(String, i64, i64, Hash)> {
    let (run_id, number, limit) = (after.0.into_datum(), after.1.into_datum(), limit.into_datum());
    let rows = match owner {
        None => db.query(&SEAL_HEADS, &[run_id, number, limit]),
        Some(owner) => db.query(&SEAL_HEADS_OF, &[run_id, number, limit, owner.into_datum()]),
    };
    let head = |row: At<'_>| {
        let [version, number] = [2, 4].map(|column| row.get(column).unwrap_or_default());
        (row.get(1).unwrap_or_default(), number, version, row.hash(3).unwrap_or_default())
    };
    rows.iter().map(head).collect()
}
