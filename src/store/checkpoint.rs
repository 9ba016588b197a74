//! Rows of `layra.checkpoint`: the versions of a run that have a kind, and perhaps a label.

use crate::server::columns::Columns;
use crate::server::jsonb::Jsonb;
use crate::server::spi::{Arg, At, Rows, Statement};
use crate::store::db::Db;
use crate::store::statement::statement;
use pgrx::IntoDatum;

statement! {
    /// No row: the label is taken.
    INSERT_CHECKPOINT, [TEXTOID, INT8OID, TEXTOID, TEXTOID, BOOLOID, JSONBOID, TIMESTAMPTZOID], "/* layra.insert_checkpoint */
INSERT INTO layra.checkpoint (run_id, version, kind, label, protected, metadata, created_at)
VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING"
}

statement! {
    CHECKPOINT_BY_LABEL, [TEXTOID, TEXTOID], "/* layra.checkpoint_by_label */
SELECT c.version, c.protected FROM layra.checkpoint c
WHERE c.run_id OPERATOR(pg_catalog.=) $1 AND c.label OPERATOR(pg_catalog.=) $2"
}

statement! {
    /// A label that moves leaves its checkpoint behind, unnamed.
    CLEAR_LABEL, [TEXTOID, INT8OID], "/* layra.clear_label */
UPDATE layra.checkpoint c SET label = NULL
WHERE c.run_id OPERATOR(pg_catalog.=) $1 AND c.version OPERATOR(pg_catalog.=) $2"
}

statement! {
    PROTECT_CHECKPOINT, [TEXTOID, INT8OID, BOOLOID], "/* layra.protect_checkpoint */
UPDATE layra.checkpoint c SET protected = $3
WHERE c.run_id OPERATOR(pg_catalog.=) $1 AND c.version OPERATOR(pg_catalog.=) $2"
}

statement! {
    /// The oldest protected checkpoint above a version: a rollback to that version would go behind it.
    PROTECTED_ABOVE, [TEXTOID, INT8OID], "/* layra.protected_above */
SELECT c.version, c.label FROM layra.checkpoint c
WHERE c.run_id OPERATOR(pg_catalog.=) $1 AND c.protected AND c.version OPERATOR(pg_catalog.>) $2
ORDER BY c.version LIMIT 1"
}

statement! {
    /// Some, from a version on; as with those that follow.
    VERIFY_CHECKPOINTS, [TEXTOID, INT8OID], "/* layra.verify_checkpoints */
SELECT c.version, c.kind, c.label, c.protected, c.metadata, c.created_at
FROM layra.checkpoint c WHERE c.run_id OPERATOR(pg_catalog.=) $1 AND c.version OPERATOR(pg_catalog.>=) $2 ORDER BY c.version LIMIT 1000"
}

statement! {
    /// The newest checkpoint below a version.
    CHECKPOINT_BELOW, [TEXTOID, INT8OID], "/* layra.checkpoint_below */
SELECT c.version FROM layra.checkpoint c
WHERE c.run_id OPERATOR(pg_catalog.=) $1 AND c.version OPERATOR(pg_catalog.<) $2 ORDER BY c.version DESC LIMIT 1"
}

statement! {
    NEWEST_PROTECTED, [TEXTOID], "/* layra.newest_protected */
SELECT c.version FROM layra.checkpoint c
WHERE c.run_id OPERATOR(pg_catalog.=) $1 AND c.protected ORDER BY c.version DESC LIMIT 1"
}

pub struct NewCheckpoint<'a> {
    pub kind: &'a str,
    pub label: Option<&'a str>,
    pub protected: bool,
    pub metadata: Jsonb,
}

impl NewCheckpoint<'_> {
    pub fn automatic(kind: &'static str) -> NewCheckpoint<'static> {
        NewCheckpoint { kind, label: None, protected: false, metadata: Jsonb::parse("{}") }
    }
}

pub fn insert(db: &Db, run_id: &str, version: i64, checkpoint: &NewCheckpoint<'_>, at: i64) {
    let args = [
        run_id.into_datum(),
        version.into_datum(),
        checkpoint.kind.into_datum(),
        checkpoint.label.into_datum(),
        checkpoint.protected.into_datum(),
        checkpoint.metadata.into_datum(),
        at.into_datum(),
    ];
    db.query(&INSERT_CHECKPOINT, &args);
}

/// Version and protection of a labelled checkpoint.
pub fn by_label(db: &Db, run_id: &str, label: &str) -> Option<(i64, bool)> {
    let rows = db.query(&CHECKPOINT_BY_LABEL, &[run_id.into_datum(), label.into_datum()]);
    if rows.is_empty() { None } else { rows.get(0, 1).zip(rows.get(0, 2)) }
}

/// A label that moves leaves its checkpoint behind, unnamed.
pub fn clear_label(db: &Db, run_id: &str, version: i64) {
    db.query(&CLEAR_LABEL, &[run_id.into_datum(), version.into_datum()]);
}

pub fn protect(db: &Db, run_id: &str, version: i64, protected: bool) {
    db.query(&PROTECT_CHECKPOINT, &[run_id.into_datum(), version.into_datum(), protected.into_datum()]);
}

/// The oldest protected checkpoint above a version.
pub fn protected_above(db: &Db, run_id: &str, version: i64) -> Option<i64> {
    one(db, &PROTECTED_ABOVE, &[run_id.into_datum(), version.into_datum()])
}

pub fn newest_protected(db: &Db, run_id: &str) -> Option<i64> {
    one(db, &NEWEST_PROTECTED, &[run_id.into_datum()])
}

/// The newest checkpoint below a version.
pub fn below(db: &Db, run_id: &str, version: i64) -> Option<i64> {
    one(db, &CHECKPOINT_BELOW, &[run_id.into_datum(), version.into_datum()])
}

fn one(db: &Db, statement: &'static Statement, args: &[Arg]) -> Option<i64> {
    let rows = db.query(statement, args);
    if rows.is_empty() { None } else { rows.get(0, 1) }
}

/// The checkpoints of a run as they stand, whose metadata may be damaged.
pub struct Stored(Rows);

impl Stored {
    /// Some of them, from a version on.
    pub fn from(db: &Db, run_id: &str, from: i64) -> Stored {
        Stored(db.query(&VERIFY_CHECKPOINTS, &[run_id.into_datum(), from.into_datum()]))
    }

    pub fn rows(&self) -> impl Iterator<Item = Row<'_>> {
        self.0.iter().map(Row)
    }
}

pub struct Row<'a>(At<'a>);

impl Row<'_> {
    pub fn version(&self) -> i64 {
        self.0.get(1).unwrap_or_default()
    }

    pub fn kind(&self) -> String {
        self.0.get(2).unwrap_or_default()
    }

    pub fn label(&self) -> Option<String> {
        self.0.get(3)
    }

    pub fn protected(&self) -> bool {
        self.0.get(4).unwrap_or_default()
    }

    pub fn metadata(&self) -> Option<Jsonb> {
        self.0.jsonb(5)
    }

    pub fn created_at(&self) -> i64 {
        self.0.get(6).unwrap_or_default()
    }
}
