//! Rows of `layra.event_type`: the schemas of payloads.

use crate::server::error::Result;
use crate::server::jsonb::Jsonb;
use crate::store::clock;
use crate::store::db::Db;
use crate::store::statement::statement;
use pgrx::IntoDatum;

statement! {
    /// Schemas of some event types for an owner: the owner's own, else the shared one.
    EVENT_TYPES, [TEXTOID, TEXTARRAYOID], "/* layra.event_types */
SELECT n.type, COALESCE(
    (SELECT t.schema FROM layra.event_type t WHERE t.type OPERATOR(pg_catalog.=) n.type AND t.owner OPERATOR(pg_catalog.=) $1),
    (SELECT t.schema FROM layra.event_type t WHERE t.type OPERATOR(pg_catalog.=) n.type AND t.shared LIMIT 1))
FROM pg_catalog.unnest($2) n(type)"
}

statement! {
    /// Column 1: whether it is new.
    DEFINE_EVENT_TYPE, [TEXTOID, TEXTOID, BOOLOID, JSONBOID, TIMESTAMPTZOID], "/* layra.define_event_type */
INSERT INTO layra.event_type AS t (type, owner, shared, schema, created_at) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (type, owner) DO UPDATE SET shared = $3, schema = $4
RETURNING t.xmax OPERATOR(pg_catalog.=) '0'::pg_catalog.xid"
}

statement! {
    STAMP_EVENT_TYPE, [TEXTOID, TEXTOID, TIMESTAMPTZOID], "/* layra.stamp_event_type */
UPDATE layra.event_type t SET created_at = $3 WHERE t.type OPERATOR(pg_catalog.=) $1 AND t.owner OPERATOR(pg_catalog.=) $2"
}

statement! {
    SHARED_EVENT_TYPE_OWNER, [TEXTOID], "/* layra.shared_event_type_owner */
SELECT t.owner FROM layra.event_type t WHERE t.type OPERATOR(pg_catalog.=) $1 AND t.shared"
}

pub fn define(db: &Db, type_name: &str, owner: &str, shared: bool, schema: Jsonb) -> Result<()> {
    let (type_name, owner) = (type_name.into_datum(), owner.into_datum());
    let define = |at: i64| {
        let args = [type_name, owner, shared.into_datum(), schema.into_datum(), at.into_datum()];
        db.query(&DEFINE_EVENT_TYPE, &args).get(0, 1) == Some(true)
    };
    clock::insert_now(db, &DEFINE_EVENT_TYPE, define, |at| {
        db.query(&STAMP_EVENT_TYPE, &[type_name, owner, at.into_datum()]);
    })?;
    Ok(())
}

/// Whose a shared type is.
pub fn shared_owner(db: &Db, type_name: &str) -> Option<String> {
    let rows = db.query(&SHARED_EVENT_TYPE_OWNER, &[type_name.into_datum()]);
    (!rows.is_empty()).then(|| rows.get(0, 1).unwrap_or_default())
}

/// The schemas of some types for an owner, of those that have one.
pub fn schemas(db: &Db, owner: &str, types: Vec<&str>) -> Vec<(String, Jsonb)> {
    let rows = db.query(&EVENT_TYPES, &[owner.into_datum(), types.into_datum()]);
    (0..rows.len()).filter_map(|row| rows.get(row, 1).zip(rows.jsonb(row, 2))).collect()
}
