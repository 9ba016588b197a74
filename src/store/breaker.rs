//! Rows of `layra.breaker`, `layra.breaker_probe` and `layra.breaker_outcome`.

use crate::server::error::Result;
use crate::server::jsonb::Jsonb;
use crate::store::clock;
use crate::store::db::Db;
use crate::store::statement::statement;
use pgrx::IntoDatum;
use pgrx::datum::Interval;

statement! {
    /// The breakers of a name that some roles own.
    BREAKERS_OF, [TEXTOID, TEXTARRAYOID], "/* layra.breakers_of */
SELECT b.owner, b.created_at FROM pg_catalog.unnest($2) o(owner)
CROSS JOIN LATERAL (
    SELECT b.owner, b.created_at FROM layra.breaker b
    WHERE b.name OPERATOR(pg_catalog.=) $1 AND b.owner OPERATOR(pg_catalog.=) o.owner LIMIT 1) b"
}

statement! {
    /// The oldest breaker of a name, whoever owns it.
    OLDEST_BREAKER, [TEXTOID], "/* layra.oldest_breaker */
SELECT b.owner, b.created_at FROM layra.breaker b WHERE b.name OPERATOR(pg_catalog.=) $1 ORDER BY b.created_at, b.owner LIMIT 1"
}

statement! {
    /// A breaker, its last success or reset, and the newest failures since: how many (up to the threshold), from when to when.
    BREAKER_STATE, [TEXTOID, TEXTOID], "/* layra.breaker_state */
SELECT b.failure_threshold, b.reset_after, b.probe_lease, p.probe_at, s.at, f.failures, f.newest, f.oldest, p.probe_by
FROM layra.breaker b
LEFT JOIN LATERAL (
    SELECT p.probe_at, p.probe_by FROM layra.breaker_probe p
    WHERE p.name OPERATOR(pg_catalog.=) $1 AND p.owner OPERATOR(pg_catalog.=) $2 LIMIT 1) p ON true
LEFT JOIN LATERAL (
    SELECT o.at FROM layra.breaker_outcome o
    WHERE o.name OPERATOR(pg_catalog.=) $1 AND o.owner OPERATOR(pg_catalog.=) $2 AND o.outcome OPERATOR(pg_catalog.<>) 'failure'
    ORDER BY o.at DESC LIMIT 1) s ON true
LEFT JOIN LATERAL (
    SELECT pg_catalog.count(*) AS failures, pg_catalog.max(n.at) AS newest, pg_catalog.min(n.at) AS oldest
    FROM (SELECT o.at FROM layra.breaker_outcome o
          WHERE o.name OPERATOR(pg_catalog.=) $1 AND o.owner OPERATOR(pg_catalog.=) $2 AND o.outcome OPERATOR(pg_catalog.=) 'failure'
            AND o.at OPERATOR(pg_catalog.>) COALESCE(s.at, '-infinity')
          ORDER BY o.at DESC LIMIT b.failure_threshold) n) f ON true
WHERE b.name OPERATOR(pg_catalog.=) $1 AND b.owner OPERATOR(pg_catalog.=) $2"
}

statement! {
    /// What was reported with the failure of a time.
    BREAKER_ERROR, [TEXTOID, TEXTOID, TIMESTAMPTZOID], "/* layra.breaker_error */
SELECT o.error FROM layra.breaker_outcome o
WHERE o.name OPERATOR(pg_catalog.=) $1 AND o.owner OPERATOR(pg_catalog.=) $2 AND o.at OPERATOR(pg_catalog.=) $3
  AND o.outcome OPERATOR(pg_catalog.=) 'failure' LIMIT 1"
}

statement! {
    /// The probe permit: no row where somebody else is at it.
    LOCK_BREAKER, [TEXTOID, TEXTOID], "/* layra.lock_breaker */
SELECT p.probe_at FROM layra.breaker_probe p
WHERE p.name OPERATOR(pg_catalog.=) $1 AND p.owner OPERATOR(pg_catalog.=) $2 FOR UPDATE SKIP LOCKED"
}

statement! {
    PROBE_BREAKER, [TEXTOID, TEXTOID, TIMESTAMPTZOID, TEXTOID], "/* layra.probe_breaker */
UPDATE layra.breaker_probe p SET probe_at = $3, probe_by = $4
WHERE p.name OPERATOR(pg_catalog.=) $1 AND p.owner OPERATOR(pg_catalog.=) $2"
}

statement! {
    /// Looks first: ON CONFLICT alone would wait for an open probe.
    DEFINE_PROBE, [TEXTOID, TEXTOID], "/* layra.define_probe */
INSERT INTO layra.breaker_probe (name, owner) SELECT $1, $2 WHERE NOT EXISTS (
    SELECT FROM layra.breaker_probe p WHERE p.name OPERATOR(pg_catalog.=) $1 AND p.owner OPERATOR(pg_catalog.=) $2)
ON CONFLICT DO NOTHING"
}

statement! {
    INSERT_OUTCOME, [TEXTOID, TEXTOID, TIMESTAMPTZOID, TEXTOID, JSONBOID], "/* layra.insert_outcome */
INSERT INTO layra.breaker_outcome (name, owner, at, id, outcome, error)
VALUES ($1, $2, $3, pg_catalog.gen_random_uuid(), $4, $5)"
}

statement! {
    /// Some outcomes between two times, the oldest; those that somebody else is deleting are left to them.
    FORGET_OUTCOMES, [TEXTOID, TEXTOID, TIMESTAMPTZOID, TIMESTAMPTZOID], "/* layra.forget_outcomes */
DELETE FROM layra.breaker_outcome d USING (
    SELECT o.at, o.id FROM layra.breaker_outcome o
    WHERE o.name OPERATOR(pg_catalog.=) $1 AND o.owner OPERATOR(pg_catalog.=) $2
      AND o.at OPERATOR(pg_catalog.>) $3 AND o.at OPERATOR(pg_catalog.<) $4
    ORDER BY o.at LIMIT 128 FOR UPDATE SKIP LOCKED) o
WHERE d.name OPERATOR(pg_catalog.=) $1 AND d.owner OPERATOR(pg_catalog.=) $2
  AND d.at OPERATOR(pg_catalog.=) o.at AND d.id OPERATOR(pg_catalog.=) o.id"
}

statement! {
    /// Column 1: whether it is new.
    DEFINE_BREAKER, [TEXTOID, TEXTOID, INT4OID, INTERVALOID, INTERVALOID, TIMESTAMPTZOID], "/* layra.define_breaker */
INSERT INTO layra.breaker AS b (name, owner, failure_threshold, reset_after, probe_lease, created_at)
VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (name, owner) DO UPDATE SET failure_threshold = $3, reset_after = $4, probe_lease = $5
RETURNING b.xmax OPERATOR(pg_catalog.=) '0'::pg_catalog.xid"
}

statement! {
    STAMP_BREAKER, [TEXTOID, TEXTOID, TIMESTAMPTZOID], "/* layra.stamp_breaker */
UPDATE layra.breaker b SET created_at = $3 WHERE b.name OPERATOR(pg_catalog.=) $1 AND b.owner OPERATOR(pg_catalog.=) $2"
}

/// A breaker as its outcomes say.
pub struct Breaker {
    pub owner: String,
    pub threshold: i64,
    pub reset_after: Interval,
    pub probe_lease: Interval,
    /// When a probe permit was given last.
    pub probe_at: Option<i64>,
    /// `layra.actor` of who has it, where that was set.
    pub probe_by: Option<String>,
    /// Of the newest success or reset.
    pub closed_at: Option<i64>,
    /// Since then, no more of them than the threshold.
    pub failures: i64,
    /// Of the newest failure since then.
    pub failed_at: Option<i64>,
    /// Of the oldest failure that is counted.
    pub counted_from: Option<i64>,
}

/// None where the owner has no breaker of that name.
pub fn read(db: &Db, owner: &str, name: &str) -> Option<Breaker> {
    let rows = db.query(&BREAKER_STATE, &[name.into_datum(), owner.into_datum()]);
    if rows.is_empty() {
        return None;
    }
    Some(Breaker {
        owner: owner.to_owned(),
        threshold: i64::from(rows.get::<i32>(0, 1)?),
        reset_after: rows.get(0, 2)?,
        probe_lease: rows.get(0, 3)?,
        probe_at: rows.get(0, 4),
        closed_at: rows.get(0, 5),
        failures: rows.get(0, 6).unwrap_or_default(),
        failed_at: rows.get(0, 7),
        counted_from: rows.get(0, 8),
        probe_by: rows.get(0, 9),
    })
}

/// Who owns the oldest breaker of a name, among some roles (None: all).
pub fn oldest(db: &Db, name: &str, owners: Option<Vec<String>>) -> Option<String> {
    let rows = match owners {
        None => db.query(&OLDEST_BREAKER, &[name.into_datum()]),
        Some(owners) => db.query(&BREAKERS_OF, &[name.into_datum(), owners.into_datum()]),
    };
    let owners = (0..rows.len()).filter_map(|row| rows.get::<i64>(row, 2).zip(rows.get::<String>(row, 1)));
    owners.min().map(|(_, owner)| owner)
}

/// A breaker, or other settings for it; and the row that who probes locks.
pub fn define(
    db: &Db,
    name: &str,
    owner: &str,
    failure_threshold: i32,
    reset_after: Interval,
    probe_lease: Interval,
) -> Result<()> {
    let key = [name.into_datum(), owner.into_datum()];
    let (reset_after, probe_lease) = (reset_after.into_datum(), probe_lease.into_datum());
    let define = |at: i64| {
        let args = [key[0], key[1], failure_threshold.into_datum(), reset_after, probe_lease, at.into_datum()];
        db.query(&DEFINE_BREAKER, &args).get(0, 1) == Some(true)
    };
    clock::insert_now(db, &DEFINE_BREAKER, define, |at| {
        db.query(&STAMP_BREAKER, &[key[0], key[1], at.into_datum()]);
    })?;
    db.query(&DEFINE_PROBE, &key);
    Ok(())
}

/// False where somebody else is at it.
pub fn lock_probe(db: &Db, name: &str, owner: &str) -> bool {
    !db.query(&LOCK_BREAKER, &[name.into_datum(), owner.into_datum()]).is_empty()
}

pub fn probe(db: &Db, name: &str, owner: &str, at: i64, by: Option<&str>) {
    db.query(&PROBE_BREAKER, &[name.into_datum(), owner.into_datum(), at.into_datum(), by.into_datum()]);
}

/// The time of an outcome that is added next.
pub fn now(db: &Db) -> Result<i64> {
    clock::now_for(db, &INSERT_OUTCOME)
}

pub fn add_outcome(db: &Db, name: &str, owner: &str, at: i64, outcome: &str, error: Option<Jsonb>) {
    let args = [name.into_datum(), owner.into_datum(), at.into_datum(), outcome.into_datum(), error.into_datum()];
    db.query(&INSERT_OUTCOME, &args);
}

/// Deletes outcomes between two times, some at a time.
pub fn delete_outcomes(db: &Db, name: &str, owner: &str, after: i64, before: i64) {
    db.query(&FORGET_OUTCOMES, &[name.into_datum(), owner.into_datum(), after.into_datum(), before.into_datum()]);
}

/// What was reported with the failure of a time.
pub fn error_at(db: &Db, name: &str, owner: &str, at: i64) -> Option<Jsonb> {
    let rows = db.query(&BREAKER_ERROR, &[name.into_datum(), owner.into_datum(), at.into_datum()]);
    if rows.is_empty() { None } else { rows.jsonb(0, 1) }
}
