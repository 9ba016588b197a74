//! Rows of `layra.retention`: what owners say of the runs that they want kept.

use crate::server::heap;
use crate::server::jsonb::Jsonb;
use crate::store::db::Db;
use crate::store::release::Schema;
use crate::store::statement::statement;
use crate::store::tables::SCHEMA;
use pgrx::IntoDatum;

statement! {
    SET_RETENTION, [TEXTOID, TEXTOID, JSONBOID], "/* layra.set_retention */
INSERT INTO layra.retention AS p (owner, workflow, policy) VALUES ($1, $2, $3)
ON CONFLICT (owner, workflow) DO UPDATE SET policy = $3"
}

statement! {
    REMOVE_RETENTION, [TEXTOID, TEXTOID], "/* layra.remove_retention */
DELETE FROM layra.retention p WHERE p.owner OPERATOR(pg_catalog.=) $1 AND p.workflow OPERATOR(pg_catalog.=) $2"
}

statement! {
    /// An owner's policy for a workflow, else the one for all others.
    RETENTION, [TEXTOID, TEXTOID], "/* layra.retention_of */
SELECT COALESCE(
    (SELECT p.policy FROM layra.retention p WHERE p.owner OPERATOR(pg_catalog.=) $1 AND p.workflow OPERATOR(pg_catalog.=) $2),
    (SELECT p.policy FROM layra.retention p WHERE p.owner OPERATOR(pg_catalog.=) $1 AND p.workflow OPERATOR(pg_catalog.=) ''))"
}

/// For the runs of a workflow, or, without a name, for all that have no policy of their own; none removes it.
pub fn set(db: &Db, owner: &str, workflow: &str, policy: Option<Jsonb>) {
    let (owner, workflow) = (owner.into_datum(), workflow.into_datum());
    match policy {
        Some(policy) => db.query(&SET_RETENTION, &[owner, workflow, policy.into_datum()]),
        None => db.query(&REMOVE_RETENTION, &[owner, workflow]),
    };
}

/// As it is now, whatever the caller's snapshot has.
pub fn now(db: &Db, owner: &str, workflow: &str) -> Option<Jsonb> {
    // A table that never had a row has no page; the schema of 0.3.0 has no such table.
    if db.schema != Schema::Own || heap::are_void(heap::schema(SCHEMA), &[c"retention"]) {
        return None;
    }
    db.query_latest(&RETENTION, &[owner.into_datum(), workflow.into_datum()]).jsonb(0, 1)
}
