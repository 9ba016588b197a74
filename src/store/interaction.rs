//! Rows of `layra.interaction`: what a run asked a person, and what became of it.

use crate::pure::hash::{Hash, value_hash};
use crate::server::columns::{Columns, hash_of};
use crate::server::error::Result;
use crate::server::jsonb::Jsonb;
use crate::server::spi::{At, Rows};
use crate::store::clock;
use crate::store::db::Db;
use crate::store::event::Answer;
use crate::store::statement::statement;
use pgrx::IntoDatum;
use pgrx::datum::Uuid;
use std::collections::HashSet;

statement! {
    INSERT_INTERACTION, [TEXTOID, UUIDOID, INT8OID, TEXTOID, JSONBOID, JSONBOID, TEXTOID, TIMESTAMPTZOID, TIMESTAMPTZOID, TEXTOID],
    "/* layra.insert_interaction */
INSERT INTO layra.interaction (run_id, id, version, node_id, status, prompt, response_schema, assignee, created_at, expires_at, owner)
VALUES ($1, $2, $3, $4, 'pending', $5, $6, $7, $8, $9, $10)"
}

statement! {
    GET_INTERACTION, [TEXTOID, UUIDOID], "/* layra.get_interaction */
SELECT i.version, i.status, i.response_schema, i.assignee, i.expires_at, i.closed_version, i.response_hash, i.node_id
FROM layra.interaction i WHERE i.run_id OPERATOR(pg_catalog.=) $1 AND i.id OPERATOR(pg_catalog.=) $2"
}

statement! {
    INTERACTION_AT, [TEXTOID, INT8OID], "/* layra.interaction_at */
SELECT i.id FROM layra.interaction i WHERE i.run_id OPERATOR(pg_catalog.=) $1 AND i.version OPERATOR(pg_catalog.=) $2"
}

statement! {
    ANSWER_INTERACTION, [TEXTOID, UUIDOID, INT8OID, JSONBOID, BYTEAOID, TEXTOID, TEXTOID], "/* layra.answer_interaction */
UPDATE layra.interaction i SET status = 'answered', closed_version = $3, response = $4, response_hash = $5, answered_by = $6, answered_for = $7
WHERE i.run_id OPERATOR(pg_catalog.=) $1 AND i.id OPERATOR(pg_catalog.=) $2"
}

statement! {
    /// Withdraws the interactions above a version that are pending, with the version that did it. By version and not by the
    /// index of those that wait, in which the ones below would be skipped.
    WITHDRAW_ABOVE, [TEXTOID, INT8OID, INT8OID], "/* layra.withdraw_above */
UPDATE layra.interaction i SET status = 'withdrawn', closed_version = $3
WHERE i.run_id OPERATOR(pg_catalog.=) $1 AND i.closed_version IS NULL AND i.version OPERATOR(pg_catalog.>) $2"
}

statement! {
    /// Withdraws what waits, whatever else was ever asked: the condition that always holds is one that only the index of what
    /// waits serves. A plan that is kept must not depend on what the tables hold when it is made.
    WITHDRAW_ALL, [TEXTOID, INT8OID], "/* layra.withdraw_all */
UPDATE layra.interaction i SET status = 'withdrawn', closed_version = $2
WHERE i.run_id OPERATOR(pg_catalog.=) $1 AND i.status OPERATOR(pg_catalog.=) 'pending'
  AND COALESCE(i.expires_at, 'infinity'::pg_catalog.timestamptz) OPERATOR(pg_catalog.>=) '-infinity'::pg_catalog.timestamptz"
}

statement! {
    WITHDRAW_ONE, [TEXTOID, UUIDOID, INT8OID], "/* layra.withdraw_one */
UPDATE layra.interaction i SET status = 'withdrawn', closed_version = $3
WHERE i.run_id OPERATOR(pg_catalog.=) $1 AND i.id OPERATOR(pg_catalog.=) $2"
}

statement! {
    /// The oldest interaction of a run.
    FIRST_INTERACTION, [TEXTOID], "/* layra.first_interaction */
SELECT i.version FROM layra.interaction i WHERE i.run_id OPERATOR(pg_catalog.=) $1 ORDER BY i.version LIMIT 1"
}

macro_rules! interactions_where {
    ($condition:literal) => {
        concat!(
            "SELECT i.id, i.version, i.expires_at FROM layra.interaction i
WHERE i.run_id OPERATOR(pg_catalog.=) $1 AND ",
            $condition
        )
    };
}

statement! {
    /// The interactions up to a version ($2) that may have been other than they are now, where the history of $2 and that of
    /// the newest version are the same up to $3: asked after it, or closed after it.
    INTERACTIONS_SINCE, [TEXTOID, INT8OID, INT8OID], "/* layra.interactions_since */\n",
    interactions_where!("i.version OPERATOR(pg_catalog.>) $3 AND i.version OPERATOR(pg_catalog.<=) $2"), "
UNION ALL ", interactions_where!("i.version OPERATOR(pg_catalog.<=) $3 AND i.closed_version OPERATOR(pg_catalog.>) $3")
}

statement! {
    /// Those that wait now and were asked up to a version.
    PENDING_SINCE_BEFORE, [TEXTOID, INT8OID], "/* layra.pending_since_before */\n",
    interactions_where!("i.status OPERATOR(pg_catalog.=) 'pending' AND i.version OPERATOR(pg_catalog.<=) $2
    ORDER BY COALESCE(i.expires_at, 'infinity'::pg_catalog.timestamptz)")
}

statement! {
    /// Of those, some by their names.
    PENDING_OF, [TEXTOID, INT8OID, UUIDARRAYOID], "/* layra.pending_of */
SELECT i.id, i.version, i.expires_at FROM pg_catalog.unnest($3) n(id)
CROSS JOIN LATERAL (
    SELECT i.id, i.version, i.expires_at FROM layra.interaction i
    WHERE i.run_id OPERATOR(pg_catalog.=) $1 AND i.id OPERATOR(pg_catalog.=) n.id
      AND i.closed_version IS NULL AND i.version OPERATOR(pg_catalog.<=) $2 LIMIT 1) i"
}

statement! {
    /// An interaction as it was at an older version.
    RESTORE_INTERACTION, [TEXTOID, UUIDOID, TEXTOID, INT8OID, JSONBOID, BYTEAOID, TEXTOID, TEXTOID], "/* layra.restore_interaction */
UPDATE layra.interaction i SET status = $3, closed_version = $4, response = $5, response_hash = $6, answered_by = $7, answered_for = $8
WHERE i.run_id OPERATOR(pg_catalog.=) $1 AND i.id OPERATOR(pg_catalog.=) $2
  AND (i.status OPERATOR(pg_catalog.<>) $3 OR i.closed_version OPERATOR(pg_catalog.<>) $4)"
}

statement! {
    /// At most $4 interactions up to a version ($3) that wait longer than until $2. One that ran out unanswered costs nothing.
    WAITING, [TEXTOID, TIMESTAMPTZOID, INT8OID, INT8OID], "/* layra.waiting */
SELECT i.id FROM layra.interaction i
WHERE i.run_id OPERATOR(pg_catalog.=) $1 AND i.status OPERATOR(pg_catalog.=) 'pending'
  AND COALESCE(i.expires_at, 'infinity'::pg_catalog.timestamptz) OPERATOR(pg_catalog.>) $2
  AND i.version OPERATOR(pg_catalog.<=) $3
ORDER BY COALESCE(i.expires_at, 'infinity'::pg_catalog.timestamptz) LIMIT $4"
}

statement! {
    /// The versions after one in which answers were given.
    ANSWER_VERSIONS, [TEXTOID, INT8OID], "/* layra.answer_versions */
SELECT i.closed_version FROM layra.interaction i
WHERE i.run_id OPERATOR(pg_catalog.=) $1 AND i.closed_version OPERATOR(pg_catalog.>) $2
  AND i.status OPERATOR(pg_catalog.=) 'answered'"
}

statement! {
    UPDATE_OWNERS, [TEXTOID, TEXTOID], "/* layra.update_owners */
UPDATE layra.interaction i SET owner = $2 WHERE i.run_id OPERATOR(pg_catalog.=) $1"
}

statement! {
    VERIFY_INTERACTIONS, [TEXTOID, INT8OID], "/* layra.verify_interactions */
SELECT i.version, i.id::pg_catalog.text, i.node_id, i.status, i.prompt, i.response_schema, i.assignee, i.closed_version, i.response,
    i.answered_by, i.answered_for, i.created_at, i.expires_at, i.response_hash, i.owner
FROM layra.interaction i WHERE i.run_id OPERATOR(pg_catalog.=) $1 AND i.version OPERATOR(pg_catalog.>=) $2 ORDER BY i.version LIMIT 100"
}

statement! {
    /// The interactions that wait ($2: now), those that expire first: one more than a message names.
    WAITING_FIRST, [TEXTOID, TIMESTAMPTZOID], "/* layra.waiting_first */
SELECT i.id FROM layra.interaction i
WHERE i.run_id OPERATOR(pg_catalog.=) $1 AND i.status OPERATOR(pg_catalog.=) 'pending'
  AND COALESCE(i.expires_at, 'infinity'::pg_catalog.timestamptz) OPERATOR(pg_catalog.>) $2
ORDER BY COALESCE(i.expires_at, 'infinity'::pg_catalog.timestamptz) LIMIT 6"
}

statement! {
    /// A question as it was elsewhere.
    IMPORT_INTERACTION, [TEXTOID, UUIDOID, INT8OID, TEXTOID, TEXTOID, JSONBOID, JSONBOID, TEXTOID, TIMESTAMPTZOID, TIMESTAMPTZOID,
        INT8OID, JSONBOID, BYTEAOID, TEXTOID, TEXTOID, TEXTOID], "/* layra.import_interaction */
INSERT INTO layra.interaction (run_id, id, version, node_id, status, prompt, response_schema, assignee, created_at, expires_at,
    closed_version, response, response_hash, answered_by, answered_for, owner)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16) ON CONFLICT DO NOTHING"
}

/// A question as it is asked.
pub struct Question<'a> {
    pub id: Uuid,
    pub version: i64,
    pub node_id: &'a str,
    pub prompt: Jsonb,
    pub response_schema: Option<Jsonb>,
    pub assignee: Option<&'a str>,
    pub created_at: i64,
    pub expires_at: Option<i64>,
    /// That of the run.
    pub owner: &'a str,
}

pub fn insert(db: &Db, run_id: &str, question: &Question<'_>) {
    let args = [
        run_id.into_datum(),
        question.id.into_datum(),
        question.version.into_datum(),
        question.node_id.into_datum(),
        question.prompt.into_datum(),
        question.response_schema.into_datum(),
        question.assignee.into_datum(),
        question.created_at.into_datum(),
        question.expires_at.into_datum(),
        question.owner.into_datum(),
    ];
    db.query(&INSERT_INTERACTION, &args);
}

/// What became of a question.
pub struct Outcome<'a> {
    pub status: &'a str,
    pub closed_version: Option<i64>,
    pub response: Option<Jsonb>,
    pub by: Option<&'a str>,
    pub on_behalf_of: Option<&'a str>,
}

/// Inserts a question as it was elsewhere; false where there is one of its version or id.
pub fn import(db: &Db, run_id: &str, question: &Question<'_>, outcome: &Outcome<'_>) -> bool {
    let hash = outcome.response.map(|response| value_hash(response.text()));
    let args = [
        run_id.into_datum(),
        question.id.into_datum(),
        question.version.into_datum(),
        question.node_id.into_datum(),
        outcome.status.into_datum(),
        question.prompt.into_datum(),
        question.response_schema.into_datum(),
        question.assignee.into_datum(),
        question.created_at.into_datum(),
        question.expires_at.into_datum(),
        outcome.closed_version.into_datum(),
        outcome.response.into_datum(),
        hash.as_ref().map(|hash| hash.as_slice()).into_datum(),
        outcome.by.into_datum(),
        outcome.on_behalf_of.into_datum(),
        question.owner.into_datum(),
    ];
    !db.query(&IMPORT_INTERACTION, &args).is_empty()
}

/// The time of a question that is asked next: others may have had the table for long.
pub fn now(db: &Db) -> Result<i64> {
    clock::now_for(db, &INSERT_INTERACTION)
}

/// The interaction that a version asked.
pub fn asked_at(db: &Db, run_id: &str, version: i64) -> Option<Uuid> {
    let rows = db.query(&INTERACTION_AT, &[run_id.into_datum(), version.into_datum()]);
    if rows.is_empty() { None } else { rows.get(0, 1) }
}

/// A row of `layra.interaction`, as far as an answer needs it.
pub struct Interaction {
    pub version: i64,
    pub status: String,
    pub response_schema: Option<Jsonb>,
    pub assignee: Option<String>,
    pub expires_at: Option<i64>,
    pub closed_version: Option<i64>,
    pub response_hash: Option<Hash>,
}

pub fn find(db: &Db, run_id: &str, id: Uuid) -> Option<Interaction> {
    let rows = db.query(&GET_INTERACTION, &[run_id.into_datum(), id.into_datum()]);
    (!rows.is_empty()).then(|| Interaction {
        version: rows.get(0, 1).unwrap_or_default(),
        status: rows.get(0, 2).unwrap_or_default(),
        response_schema: rows.jsonb(0, 3),
        assignee: rows.get(0, 4),
        expires_at: rows.get(0, 5),
        closed_version: rows.get(0, 6),
        response_hash: rows.hash(0, 7),
    })
}

#[allow(clippy::too_many_arguments)]
pub fn answer(
    db: &Db,
    run_id: &str,
    id: Uuid,
    version: i64,
    response: Jsonb,
    hash: &Hash,
    by: &str,
    on_behalf_of: Option<&str>,
) {
    let args = [
        run_id.into_datum(),
        id.into_datum(),
        version.into_datum(),
        response.into_datum(),
        hash.as_slice().into_datum(),
        by.into_datum(),
        on_behalf_of.into_datum(),
    ];
    db.query(&ANSWER_INTERACTION, &args);
}

/// The versions after one in which answers were given.
pub fn answers_after(db: &Db, run_id: &str, version: i64) -> HashSet<i64> {
    let rows = db.query(&ANSWER_VERSIONS, &[run_id.into_datum(), version.into_datum()]);
    (0..rows.len()).filter_map(|row| rows.get(row, 1)).collect()
}

/// Whether an interaction waits at this time, other than these, that was asked up to a version.
pub fn anybody_waits(db: &Db, run_id: &str, now: i64, but: &HashSet<Uuid>, up_to: i64) -> bool {
    let most = but.len() as i64 + 1;
    let args = [run_id.into_datum(), now.into_datum(), up_to.into_datum(), most.into_datum()];
    let rows = db.query(&WAITING, &args);
    (0..rows.len()).filter_map(|row| rows.get::<Uuid>(row, 1)).any(|id| !but.contains(&id))
}

/// Some interactions that wait at this time, those that expire first: one more than a message names.
pub fn waiting_first(db: &Db, run_id: &str, now: i64) -> Vec<String> {
    let rows = db.query(&WAITING_FIRST, &[run_id.into_datum(), now.into_datum()]);
    (0..rows.len()).filter_map(|row| rows.get::<Uuid>(row, 1)).map(|id| id.to_string()).collect()
}

/// Withdraws one, with the version that does it.
pub fn withdraw(db: &Db, run_id: &str, id: Uuid, version: i64) {
    db.query(&WITHDRAW_ONE, &[run_id.into_datum(), id.into_datum(), version.into_datum()]);
}

/// A run that ends, or is cancelled, asks nobody any more.
pub fn withdraw_all(db: &Db, run_id: &str, version: i64) {
    db.query(&WITHDRAW_ALL, &[run_id.into_datum(), version.into_datum()]);
}

/// Withdraws those that were asked above a version and wait.
pub fn withdraw_above(db: &Db, run_id: &str, above: i64, version: i64) {
    db.query(&WITHDRAW_ABOVE, &[run_id.into_datum(), above.into_datum(), version.into_datum()]);
}

/// The version that asked the first one.
pub fn first(db: &Db, run_id: &str) -> Option<i64> {
    let rows = db.query(&FIRST_INTERACTION, &[run_id.into_datum()]);
    if rows.is_empty() { None } else { rows.get(0, 1) }
}

/// An interaction: its id, the version that asked, and when it expires.
pub type Asked = (Uuid, i64, Option<i64>);

/// The interactions up to a version that may have been other than they are now, where its history and that of the newest one are
/// the same up to `parted`: asked or closed after that.
pub fn since(db: &Db, run_id: &str, version: i64, parted: i64) -> Vec<Asked> {
    asked(&db.query(&INTERACTIONS_SINCE, &[run_id.into_datum(), version.into_datum(), parted.into_datum()]))
}

/// Those that wait now and were asked up to a version.
pub fn pending_before(db: &Db, run_id: &str, version: i64) -> Vec<Asked> {
    asked(&db.query(&PENDING_SINCE_BEFORE, &[run_id.into_datum(), version.into_datum()]))
}

/// Of those, some by their ids.
pub fn pending_of(db: &Db, run_id: &str, version: i64, ids: Vec<Uuid>) -> Vec<Asked> {
    asked(&db.query(&PENDING_OF, &[run_id.into_datum(), version.into_datum(), ids.into_datum()]))
}

fn asked(rows: &Rows) -> Vec<Asked> {
    let asked = |row| {
        let (id, version) = rows.get(row, 1).zip(rows.get(row, 2))?;
        Some((id, version, rows.get(row, 3)))
    };
    (0..rows.len()).filter_map(asked).collect()
}

/// An interaction as it was at an older version: closed by this one, and with this answer.
pub fn restore(db: &Db, run_id: &str, id: Uuid, status: &str, closed_version: Option<i64>, answer: Option<Answer>) {
    let answer = answer.unwrap_or_default();
    let hash = answer.response.map(|response| value_hash(response.text()));
    let args = [
        run_id.into_datum(),
        id.into_datum(),
        status.into_datum(),
        closed_version.into_datum(),
        answer.response.into_datum(),
        hash.as_ref().map(|hash| hash.as_slice()).into_datum(),
        answer.by.into_datum(),
        answer.on_behalf_of.into_datum(),
    ];
    db.query(&RESTORE_INTERACTION, &args);
}

/// The run has another owner.
pub fn set_owner(db: &Db, run_id: &str, owner: &str) {
    db.query(&UPDATE_OWNERS, &[run_id.into_datum(), owner.into_datum()]);
}

/// The interactions of a run as they stand, whose values may be damaged.
pub struct Stored(Rows);

impl Stored {
    /// Some of them, from a version on.
    pub fn from(db: &Db, run_id: &str, from: i64) -> Stored {
        Stored(db.query(&VERIFY_INTERACTIONS, &[run_id.into_datum(), from.into_datum()]))
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

    pub fn id(&self) -> String {
        self.0.get(2).unwrap_or_default()
    }

    pub fn node_id(&self) -> String {
        self.0.get(3).unwrap_or_default()
    }

    pub fn status(&self) -> Option<String> {
        self.0.get(4)
    }

    pub fn prompt(&self) -> Option<Jsonb> {
        self.0.jsonb(5)
    }

    pub fn response_schema(&self) -> Option<Jsonb> {
        self.0.jsonb(6)
    }

    pub fn assignee(&self) -> Option<String> {
        self.0.get(7)
    }

    pub fn closed_version(&self) -> Option<i64> {
        self.0.get(8)
    }

    pub fn response(&self) -> Option<Jsonb> {
        self.0.jsonb(9)
    }

    pub fn answered_by(&self) -> Option<String> {
        self.0.get(10)
    }

    pub fn answered_for(&self) -> Option<String> {
        self.0.get(11)
    }

    pub fn created_at(&self) -> i64 {
        self.0.get(12).unwrap_or_default()
    }

    pub fn expires_at(&self) -> Option<i64> {
        self.0.get(13)
    }

    pub fn response_hash(&self) -> Option<Hash> {
        hash_of(&self.0, 14)
    }

    pub fn owner(&self) -> Option<String> {
        self.0.get(15)
    }
}
