//! Rows of `layra.workflow`: the versions of each definition.

use crate::pure::hash::Hash;
use crate::server::columns::{Columns, hash_of};
use crate::server::error::Result;
use crate::server::jsonb::Jsonb;
use crate::server::spi::{Arg, At, Rows, Statement};
use crate::store::clock;
use crate::store::db::Db;
use crate::store::statement::statement;
use pgrx::IntoDatum;

statement! {
    /// By owner and name: the version with this content, and the newest version.
    WORKFLOW_BY_HASH, [TEXTOID, TEXTOID, BYTEAOID], "/* layra.workflow_by_hash */
SELECT (SELECT w.version FROM layra.workflow w WHERE w.owner OPERATOR(pg_catalog.=) $1 AND w.name OPERATOR(pg_catalog.=) $2
            AND w.hash OPERATOR(pg_catalog.=) $3),
    (SELECT w.version FROM layra.workflow w WHERE w.owner OPERATOR(pg_catalog.=) $1 AND w.name OPERATOR(pg_catalog.=) $2
     ORDER BY w.version DESC LIMIT 1)"
}

statement! {
    INSERT_WORKFLOW, [TEXTOID, TEXTOID, INT4OID, BOOLOID, JSONBOID, BYTEAOID, TIMESTAMPTZOID], "/* layra.insert_workflow */
INSERT INTO layra.workflow (owner, name, version, shared, definition, hash, created_at)
VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING"
}

statement! {
    STAMP_WORKFLOW, [TEXTOID, TEXTOID, INT4OID, TIMESTAMPTZOID], "/* layra.stamp_workflow */
UPDATE layra.workflow w SET created_at = $4 WHERE w.owner OPERATOR(pg_catalog.=) $1 AND w.name OPERATOR(pg_catalog.=) $2
  AND w.version OPERATOR(pg_catalog.=) $3"
}

statement! {
    SHARE_WORKFLOW, [TEXTOID, TEXTOID, INT4OID], "/* layra.share_workflow */
UPDATE layra.workflow w SET shared = true WHERE w.owner OPERATOR(pg_catalog.=) $1 AND w.name OPERATOR(pg_catalog.=) $2
  AND w.version OPERATOR(pg_catalog.=) $3 AND NOT w.shared"
}

statement! {
    /// Whose a shared name is.
    SHARED_OWNER, [TEXTOID], "/* layra.shared_owner */
SELECT w.owner FROM layra.workflow w WHERE w.name OPERATOR(pg_catalog.=) $1 AND w.shared ORDER BY w.version DESC LIMIT 1"
}

statement! {
    OWN_WORKFLOW, [TEXTOID, TEXTOID, INT4OID], "/* layra.own_workflow */
SELECT w.owner, w.version, w.hash, w.definition FROM layra.workflow w
WHERE w.owner OPERATOR(pg_catalog.=) $1 AND w.name OPERATOR(pg_catalog.=) $2
  AND w.version OPERATOR(pg_catalog.<=) COALESCE($3, 2147483647)
  AND ($3 IS NULL OR w.version OPERATOR(pg_catalog.=) $3) ORDER BY w.version DESC LIMIT 1"
}

statement! {
    SHARED_WORKFLOW, [TEXTOID, INT4OID], "/* layra.shared_workflow */
SELECT w.owner, w.version, w.hash, w.definition FROM layra.workflow w
WHERE w.name OPERATOR(pg_catalog.=) $1 AND w.shared
  AND w.version OPERATOR(pg_catalog.<=) COALESCE($2, 2147483647)
  AND ($2 IS NULL OR w.version OPERATOR(pg_catalog.=) $2) ORDER BY w.version DESC LIMIT 1"
}

statement! {
    /// Some definitions, behind one.
    VERIFY_WORKFLOWS, [TEXTOID, TEXTOID, INT4OID], "/* layra.verify_workflows */
SELECT w.owner, w.name, w.version, w.hash, w.definition FROM layra.workflow w
WHERE ROW(w.owner, w.name, w.version) OPERATOR(pg_catalog.>) ROW($1, $2, $3)
ORDER BY w.owner, w.name, w.version LIMIT 100"
}

/// Which workflow definition a run uses.
#[derive(Debug, Clone)]
pub struct WorkflowRef {
    pub owner: String,
    pub name: String,
    pub version: i32,
    pub hash: Hash,
}

/// A version of a workflow that was found.
pub struct Found {
    pub reference: WorkflowRef,
    rows: Rows,
}

impl Found {
    fn of(rows: Rows, name: &str) -> Option<Found> {
        if rows.is_empty() {
            return None;
        }
        let reference = WorkflowRef {
            owner: rows.get(0, 1).unwrap_or_default(),
            name: name.to_owned(),
            version: rows.get(0, 2).unwrap_or_default(),
            hash: rows.hash(0, 3).unwrap_or_default(),
        };
        Some(Found { reference, rows })
    }

    pub fn definition(&self) -> Option<Jsonb> {
        self.rows.jsonb(0, 4)
    }
}

/// An owner's workflow; the newest version where none is asked for.
pub fn find_own(db: &Db, owner: &str, name: &str, version: Option<i32>) -> Option<Found> {
    find(db, &OWN_WORKFLOW, &[owner.into_datum(), name.into_datum(), version.into_datum()], name)
}

/// A shared workflow; the newest version where none is asked for.
pub fn find_shared(db: &Db, name: &str, version: Option<i32>) -> Option<Found> {
    find(db, &SHARED_WORKFLOW, &[name.into_datum(), version.into_datum()], name)
}

fn find(db: &Db, statement: &'static Statement, args: &[Arg], name: &str) -> Option<Found> {
    Found::of(db.query(statement, args), name)
}

/// The definition that a run refers to.
pub fn definition_of(db: &Db, reference: &WorkflowRef) -> Option<Jsonb> {
    find_own(db, &reference.owner, &reference.name, Some(reference.version))?.definition()
}

/// Whose a shared name is.
pub fn shared_owner(db: &Db, name: &str) -> Option<String> {
    let rows = db.query(&SHARED_OWNER, &[name.into_datum()]);
    (!rows.is_empty()).then(|| rows.get(0, 1).unwrap_or_default())
}

/// The version with this content, and the newest version (0: there is none).
pub fn versions(db: &Db, owner: &str, name: &str, hash: &Hash) -> (Option<i32>, i32) {
    let rows = db.query(&WORKFLOW_BY_HASH, &[owner.into_datum(), name.into_datum(), hash.as_slice().into_datum()]);
    (rows.get(0, 1), rows.get(0, 2).unwrap_or(0))
}

pub fn share(db: &Db, owner: &str, name: &str, version: i32) {
    db.query(&SHARE_WORKFLOW, &[owner.into_datum(), name.into_datum(), version.into_datum()]);
}

/// False where the version, or the shared name, is taken.
pub fn insert(db: &Db, reference: &WorkflowRef, shared: bool, definition: Jsonb) -> Result<bool> {
    let key =
        [reference.owner.as_str().into_datum(), reference.name.as_str().into_datum(), reference.version.into_datum()];
    let (definition, hash) = (definition.into_datum(), reference.hash.as_slice().into_datum());
    let insert = |at: i64| {
        let args = [key[0], key[1], key[2], shared.into_datum(), definition, hash, at.into_datum()];
        db.query(&INSERT_WORKFLOW, &args).len() == 1
    };
    let inserted = clock::insert_now(db, &INSERT_WORKFLOW, insert, |at| {
        db.query(&STAMP_WORKFLOW, &[key[0], key[1], key[2], at.into_datum()]);
    })?;
    Ok(inserted.is_some())
}

/// A stored version, whose definition may not be readable.
pub struct Row<'a>(At<'a>);

impl Row<'_> {
    pub fn owner(&self) -> String {
        self.0.get(1).unwrap_or_default()
    }

    pub fn name(&self) -> String {
        self.0.get(2).unwrap_or_default()
    }

    pub fn version(&self) -> i32 {
        self.0.get(3).unwrap_or_default()
    }

    pub fn hash(&self) -> Option<Hash> {
        hash_of(&self.0, 4)
    }

    pub fn definition(&self) -> Option<Jsonb> {
        self.0.jsonb(5)
    }
}

/// Some versions of workflows behind one, also those that no run uses.
pub struct Stored(Rows);

impl Stored {
    pub fn behind(db: &Db, owner: &str, name: &str, version: i32) -> Stored {
        Stored(db.query(&VERIFY_WORKFLOWS, &[owner.into_datum(), name.into_datum(), version.into_datum()]))
    }

    pub fn rows(&self) -> impl Iterator<Item = Row<'_>> {
        self.0.iter().map(Row)
    }
}
