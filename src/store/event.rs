//! Rows of `layra.event`: the log of each run.

use crate::pure::hash::Hash;
use crate::server::columns::Columns;
use crate::server::error::{Error, Result};
use crate::server::heap;
use crate::server::interrupts::check_for_interrupts;
use crate::server::jsonb::Jsonb;
use crate::server::scan::{Is, Key, Scan};
use crate::server::spi::{At, Rows};
use crate::server::transaction::above_read_committed;
use crate::server::writer::Values;
use crate::store::db::Db;
use crate::store::guess;
use crate::store::statement::statement;
use crate::store::tables::Tables;
use pgrx::datum::TimestampWithTimeZone;
use pgrx::{IntoDatum, pg_sys};

statement! {
    HEAD, [TEXTOID], "/* layra.head */
SELECT e.version FROM layra.event e WHERE e.run_id OPERATOR(pg_catalog.=) $1 ORDER BY e.version DESC LIMIT 1"
}

statement! {
    /// Two versions of the same run: what the chain says of one of them.
    EVENT_HASH, [TEXTOID, INT8OID], "/* layra.event_hash */
SELECT e.hash, e.at FROM layra.event e
WHERE e.run_id OPERATOR(pg_catalog.=) $1 AND e.version OPERATOR(pg_catalog.=) $2"
}

statement! {
    /// The newest rollback at or below a version, and where it went back to.
    ROLLBACK_BEFORE, [TEXTOID, INT8OID], "/* layra.rollback_before */
SELECT e.version, (e.payload OPERATOR(pg_catalog.->>) 'to_version')::pg_catalog.int8
FROM layra.event e
WHERE e.run_id OPERATOR(pg_catalog.=) $1 AND e.type OPERATOR(pg_catalog.=) 'run.rolled_back'
  AND e.version OPERATOR(pg_catalog.<=) $2 ORDER BY e.version DESC LIMIT 1"
}

macro_rules! insert_event {
    () => {
        "INSERT INTO layra.event (run_id, version, type, payload, payload_hash, changed, cells_hash, actor, on_behalf_of, at,
    idempotency_key, checkpoint_kind, checkpoint_label, hash, bytes_since_checkpoint, checkpoint_version)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)"
    };
}

statement! {
    INSERT_EVENT, [TEXTOID, INT8OID, TEXTOID, JSONBOID, BYTEAOID, TEXTARRAYOID, BYTEAOID, TEXTOID, TEXTOID, TIMESTAMPTZOID,
        TEXTOID, TEXTOID, TEXTOID, BYTEAOID, INT8OID, INT8OID],
    "/* layra.insert_event */\n", insert_event!()
}

statement! {
    /// Above READ COMMITTED the snapshot can hide the true head: the insert then finds the version taken. It costs 50
    /// bytes of WAL a row more, so below that level the lock alone does.
    INSERT_EVENT_UNLESS_TAKEN, [TEXTOID, INT8OID, TEXTOID, JSONBOID, BYTEAOID, TEXTARRAYOID, BYTEAOID, TEXTOID, TEXTOID,
        TIMESTAMPTZOID, TEXTOID, TEXTOID, TEXTOID, BYTEAOID, INT8OID, INT8OID],
    "/* layra.insert_event_unless_taken */\n", insert_event!(), " ON CONFLICT DO NOTHING"
}

macro_rules! insert_events {
    () => {
        "INSERT INTO layra.event (run_id, version, type, payload, payload_hash, changed, cells_hash, actor, on_behalf_of, at,
    idempotency_key, checkpoint_kind, checkpoint_label, hash, bytes_since_checkpoint, checkpoint_version)
SELECT $1, n.version, n.type, n.payload, n.payload_hash, n.changed::pg_catalog.text[], n.cells_hash, $8, $9, $10,
    n.key, n.kind, n.label, n.hash, n.bytes, n.checkpoint_version
FROM unnest($2, $3, $4, $5, $6, $7, $11, $12, $13, $14, $15, $16)
    n(version, type, payload, payload_hash, changed, cells_hash, key, kind, label, hash, bytes, checkpoint_version)"
    };
}

statement! {
    INSERT_EVENTS, [TEXTOID, INT8ARRAYOID, TEXTARRAYOID, JSONBARRAYOID, BYTEAARRAYOID, TEXTARRAYOID, BYTEAARRAYOID, TEXTOID,
        TEXTOID, TIMESTAMPTZOID, TEXTARRAYOID, TEXTARRAYOID, TEXTARRAYOID, BYTEAARRAYOID, INT8ARRAYOID, INT8ARRAYOID],
    "/* layra.insert_events */\n", insert_events!()
}

statement! {
    INSERT_EVENTS_UNLESS_TAKEN, [TEXTOID, INT8ARRAYOID, TEXTARRAYOID, JSONBARRAYOID, BYTEAARRAYOID, TEXTARRAYOID, BYTEAARRAYOID,
        TEXTOID, TEXTOID, TIMESTAMPTZOID, TEXTARRAYOID, TEXTARRAYOID, TEXTARRAYOID, BYTEAARRAYOID, INT8ARRAYOID, INT8ARRAYOID],
    "/* layra.insert_events_unless_taken */\n", insert_events!(), " ON CONFLICT DO NOTHING"
}

statement! {
    EVENTS, [TEXTOID, INT8OID, INT8OID, JSONBOID], "/* layra.events */
SELECT e.version, e.type, e.payload, e.changed, e.actor, e.on_behalf_of, e.at
FROM layra.event e
WHERE e.run_id OPERATOR(pg_catalog.=) $1 AND e.version OPERATOR(pg_catalog.>) $2
  AND ($4 IS NULL OR $4 OPERATOR(pg_catalog.?) e.type)
ORDER BY e.version LIMIT $3"
}

statement! {
    /// The names of the cells that the events of a range changed, each once.
    CHANGED_NAMES, [TEXTOID, INT8OID, INT8OID], "/* layra.changed_names */
SELECT DISTINCT u.name
FROM layra.event e CROSS JOIN LATERAL pg_catalog.unnest(e.changed) u(name)
WHERE e.run_id OPERATOR(pg_catalog.=) $1 AND e.version OPERATOR(pg_catalog.>) $2 AND e.version OPERATOR(pg_catalog.<=) $3"
}

macro_rules! newest_of_type {
    ($type:literal) => {
        concat!(
            "(SELECT e.version, e.type, e.payload OPERATOR(pg_catalog.->>) 'status' FROM layra.event e
 WHERE e.run_id OPERATOR(pg_catalog.=) $1 AND e.type OPERATOR(pg_catalog.=) '",
            $type,
            "' AND e.version OPERATOR(pg_catalog.<=) $2 ORDER BY e.version DESC LIMIT 1)"
        )
    };
}

statement! {
    /// The events up to a version that may say what the run's status is, the newest of each type: one descent each, however
    /// many there are of the others.
    STATUS_EVENTS_BEFORE, [TEXTOID, INT8OID], "/* layra.status_events_before */\n", newest_of_type!("run.finished"), "
UNION ALL ", newest_of_type!("run.reopened"), "
UNION ALL ", newest_of_type!("run.cancelling"), "
UNION ALL ", newest_of_type!("run.rolled_back")
}

statement! {
    VERIFY_EVENTS, [TEXTOID, INT8OID, INT8OID], "/* layra.verify_events */
SELECT e.version, e.type, e.payload, e.payload_hash, e.changed, e.cells_hash, e.actor, e.on_behalf_of, e.at,
    e.idempotency_key, e.checkpoint_kind, e.checkpoint_label, e.hash, NULL, e.bytes_since_checkpoint, e.checkpoint_version
FROM layra.event e WHERE e.run_id OPERATOR(pg_catalog.=) $1 AND e.version OPERATOR(pg_catalog.>=) $2 ORDER BY e.version LIMIT $3"
}

statement! {
    /// Of some versions, those that copied cells.
    COPYING_EVENTS, [TEXTOID, INT8ARRAYOID], "/* layra.copying_events */
SELECT e.version, e.payload FROM layra.event e
WHERE e.run_id OPERATOR(pg_catalog.=) $1 AND e.version OPERATOR(pg_catalog.=) ANY ($2)
  AND e.type OPERATOR(pg_catalog.=) ANY ('{run.rolled_back,run.forked}'::pg_catalog.text[])"
}

macro_rules! closing_events {
    ($type:literal) => {
        concat!(
            "SELECT e.version, e.type, e.payload OPERATOR(pg_catalog.->>) 'interaction',
    (e.payload OPERATOR(pg_catalog.->>) 'to_version')::pg_catalog.int8
FROM layra.event e WHERE e.run_id OPERATOR(pg_catalog.=) $1 AND e.type OPERATOR(pg_catalog.=) '",
            $type,
            "' AND e.version OPERATOR(pg_catalog.>) $2 AND e.version OPERATOR(pg_catalog.<=) $3"
        )
    };
}

statement! {
    /// The events of a range of versions that closed interactions, in no order: each type is a range of its index.
    INTERACTION_EVENTS, [TEXTOID, INT8OID, INT8OID], "/* layra.interaction_events */\n", closing_events!("run.finished"), "
UNION ALL ", closing_events!("run.cancelling"), "
UNION ALL ", closing_events!("run.rolled_back"), "
UNION ALL ", closing_events!("interaction.answered"), "
UNION ALL ", closing_events!("interaction.withdrawn")
}

statement! {
    /// What an answer was, and whose.
    ANSWER, [TEXTOID, INT8OID], "/* layra.answer */
SELECT e.payload OPERATOR(pg_catalog.->) 'response', e.actor, e.on_behalf_of FROM layra.event e
WHERE e.run_id OPERATOR(pg_catalog.=) $1 AND e.version OPERATOR(pg_catalog.=) $2"
}

/// Columns of layra.event.
pub(super) const VERSION: i32 = 2;
pub(super) const TYPE: i32 = 3;
pub(super) const PAYLOAD: i32 = 4;
pub(super) const AT: i32 = 10;
pub(super) const HASH: i32 = 14;
const BYTES_SINCE_CHECKPOINT: i32 = 16;
const CHECKPOINT_VERSION: i32 = 17;

/// The last event of a run, as far as the next one needs it.
#[derive(Debug, Clone, Default)]
pub struct Head {
    pub version: i64,
    pub hash: Hash,
    /// Microseconds since 2000-01-01.
    pub at: i64,
    pub bytes_since_checkpoint: i64,
    pub checkpoint_version: Option<i64>,
}

impl Head {
    /// The head of a run, on the fast path.
    pub(super) fn find(tables: &Tables, run_id: &str) -> Option<Head> {
        let run = Key::Text(1, Is::Equal, run_id);
        let near = guess::near(run_id).map(|version| Key::Number(2, Is::AtLeast, version));
        let mut event = tables.event.scan(&[run, near.unwrap_or(run)]);
        if !event.down() {
            event.again(&[run]);
            if near.is_none() || !event.down() {
                return None;
            }
        }
        let version = event.get(VERSION).unwrap_or_default();
        guess::saw(run_id, version);
        Some(Head {
            version,
            hash: event.hash(HASH).unwrap_or_default(),
            at: event.get(AT).unwrap_or_default(),
            bytes_since_checkpoint: event.get(BYTES_SINCE_CHECKPOINT).unwrap_or_default(),
            checkpoint_version: event.get(CHECKPOINT_VERSION),
        })
    }
}

/// The newest version of a run.
pub fn newest(db: &Db, run_id: &str) -> Option<i64> {
    if let Some(head) = db.plain(|tables| Head::find(tables, run_id)) {
        return head.map(|head| head.version);
    }
    let rows = db.query(&HEAD, &[run_id.into_datum()]);
    if rows.is_empty() { None } else { rows.get(0, 1) }
}

/// Whether a run has this version. Looking for one event takes a fifth of looking for the newest.
pub fn is_there(db: &Db, run_id: &str, version: i64) -> bool {
    let keys = [Key::Text(1, Is::Equal, run_id), Key::Number(2, Is::Equal, version)];
    let by_fast_path = db.plain(|tables| tables.event.scan(&keys).down());
    by_fast_path.unwrap_or_else(|| hash_at(db, run_id, version).is_some())
}

/// What the chain says of a version: its hash, and its time.
pub fn hash_at(db: &Db, run_id: &str, version: i64) -> Option<(Option<Hash>, i64)> {
    let rows = db.query(&EVENT_HASH, &[run_id.into_datum(), version.into_datum()]);
    (!rows.is_empty()).then(|| (rows.hash(0, 1), rows.get(0, 2).unwrap_or_default()))
}

// ------------------------------------------------------------------------------------------------------------ adding

/// Whose the events are that one call adds.
pub struct Author<'a> {
    pub run_id: &'a str,
    pub actor: &'a str,
    pub on_behalf_of: Option<&'a str>,
}

/// An event to add.
pub struct NewRow<'a> {
    /// What the run's head is with it.
    pub head: Head,
    pub type_name: &'a str,
    pub payload: Jsonb,
    pub payload_hash: Hash,
    pub changed: Vec<String>,
    pub cells_hash: Hash,
    pub key: Option<&'a str>,
    pub checkpoint_kind: Option<&'a str>,
    pub checkpoint_label: Option<&'a str>,
}

/// Adds events of one time, by one statement however many there are; false where a version is taken: above READ COMMITTED the
/// snapshot can hide the true head.
pub fn insert(db: &Db, author: &Author<'_>, rows: &[NewRow<'_>]) -> Result<bool> {
    let by_fast_path = db.plain(|tables| {
        let mut values = Values::default();
        let author = author.values(&mut values);
        insert_plain(tables, values, rows.iter().map(|row| (author, row)));
    });
    if by_fast_path.is_some() {
        return Ok(true);
    }
    let one_by_one = above_read_committed();
    let inserted = if let [row] = rows {
        let statement = if one_by_one { &INSERT_EVENT_UNLESS_TAKEN } else { &INSERT_EVENT };
        let args = [
            author.run_id.into_datum(),
            row.head.version.into_datum(),
            row.type_name.into_datum(),
            row.payload.into_datum(),
            row.payload_hash.as_slice().into_datum(),
            row.changed.clone().into_datum(),
            row.cells_hash.as_slice().into_datum(),
            author.actor.into_datum(),
            author.on_behalf_of.into_datum(),
            row.head.at.into_datum(),
            row.key.into_datum(),
            row.checkpoint_kind.into_datum(),
            row.checkpoint_label.into_datum(),
            row.head.hash.as_slice().into_datum(),
            row.head.bytes_since_checkpoint.into_datum(),
            row.head.checkpoint_version.into_datum(),
        ];
        db.query(statement, &args)
    } else {
        let statement = if one_by_one { &INSERT_EVENTS_UNLESS_TAKEN } else { &INSERT_EVENTS };
        fn column<R, T: IntoDatum>(rows: &[R], get: impl Fn(&R) -> T) -> Option<pg_sys::Datum>
        where
            Vec<T>: IntoDatum,
        {
            rows.iter().map(get).collect::<Vec<T>>().into_datum()
        }
        let args = [
            author.run_id.into_datum(),
            column(rows, |row| row.head.version),
            column(rows, |row| row.type_name.to_owned()),
            column(rows, |row| row.payload),
            column(rows, |row| row.payload_hash.to_vec()),
            column(rows, |row| array_literal(&row.changed)),
            column(rows, |row| row.cells_hash.to_vec()),
            author.actor.into_datum(),
            author.on_behalf_of.into_datum(),
            rows.last().map(|row| row.head.at).into_datum(),
            column(rows, |row| row.key.map(str::to_owned)),
            column(rows, |row| row.checkpoint_kind.map(str::to_owned)),
            column(rows, |row| row.checkpoint_label.map(str::to_owned)),
            column(rows, |row| row.head.hash.to_vec()),
            column(rows, |row| row.head.bytes_since_checkpoint),
            column(rows, |row| row.head.checkpoint_version),
        ];
        db.query(statement, &args)
    };
    match inserted.len() == rows.len() {
        false if !one_by_one => Err(Error::left_out("event")),
        all => Ok(all),
    }
}

/// As `insert`, of events that have authors and times of their own.
pub fn insert_each(db: &Db, rows: &[(Author<'_>, NewRow<'_>)]) -> Result<bool> {
    let by_fast_path = db.plain(|tables| {
        let mut values = Values::default();
        let authors: Vec<_> = rows.iter().map(|(author, _)| author.values(&mut values)).collect();
        insert_plain(tables, values, authors.into_iter().zip(rows.iter().map(|(_, row)| row)));
    });
    if by_fast_path.is_some() {
        return Ok(true);
    }
    for (author, row) in rows {
        if !insert(db, author, std::slice::from_ref(row))? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The run, the actor, and whom it acts for.
type AuthorValues = [Option<pg_sys::Datum>; 3];

impl Author<'_> {
    fn values(&self, values: &mut Values) -> AuthorValues {
        [values.text(self.run_id), values.text(self.actor), self.on_behalf_of.and_then(|claim| values.text(claim))]
    }
}

/// In the order of the table's columns.
fn insert_plain<'r>(tables: &Tables, mut values: Values, rows: impl Iterator<Item = (AuthorValues, &'r NewRow<'r>)>) {
    tables.event.writer().insert(rows.map(|([run_id, actor, on_behalf_of], row)| {
        [
            run_id,
            row.head.version.into_datum(),
            values.text(row.type_name),
            row.payload.into_datum(),
            values.octets(&row.payload_hash),
            values.texts(&row.changed),
            values.octets(&row.cells_hash),
            actor,
            on_behalf_of,
            row.head.at.into_datum(),
            row.key.and_then(|key| values.text(key)),
            row.checkpoint_kind.and_then(|kind| values.text(kind)),
            row.checkpoint_label.and_then(|label| values.text(label)),
            values.octets(&row.head.hash),
            heap::transaction_id(),
            row.head.bytes_since_checkpoint.into_datum(),
            row.head.checkpoint_version.into_datum(),
        ]
    }));
}

/// Text that PostgreSQL reads as a text array: arrays of different lengths are no array of arrays.
fn array_literal(elements: &[String]) -> String {
    let quoted: Vec<String> =
        elements.iter().map(|element| format!("\"{}\"", element.replace('\\', "\\\\").replace('"', "\\\""))).collect();
    format!("{{{}}}", quoted.join(","))
}

// ------------------------------------------------------------------------------------------------------------ reading

/// An event, as readers of the log see it.
pub struct Seen {
    pub version: i64,
    pub type_name: String,
    pub payload: Option<Jsonb>,
    pub changed: Vec<String>,
    pub actor: String,
    pub on_behalf_of: Option<String>,
    pub at: Option<TimestampWithTimeZone>,
}

/// Visits events after a version, at most so many, those whose type is a key of an object where there is one, while `visit` says
/// so; returns how many there were.
pub fn after(
    db: &Db,
    run_id: &str,
    version: i64,
    most: usize,
    types: Option<Jsonb>,
    mut visit: impl FnMut(Seen) -> bool,
) -> usize {
    let args = [run_id.into_datum(), version.into_datum(), (most as i64).into_datum(), types.into_datum()];
    let rows = db.query(&EVENTS, &args);
    for row in 0..rows.len() {
        let more = visit(Seen {
            version: rows.get(row, 1).unwrap_or_default(),
            type_name: rows.get(row, 2).unwrap_or_default(),
            payload: rows.jsonb(row, 3),
            changed: At(&rows, row).texts(4),
            actor: rows.get(row, 5).unwrap_or_default(),
            on_behalf_of: rows.get(row, 6),
            at: rows.get(row, 7),
        });
        if !more {
            break;
        }
    }
    rows.len()
}

/// The names of the cells that the events between two versions changed, each once.
pub(super) fn changed(db: &Db, run_id: &str, from: i64, to: i64) -> Vec<String> {
    let rows = db.query(&CHANGED_NAMES, &[run_id.into_datum(), from.into_datum(), to.into_datum()]);
    (0..rows.len()).filter_map(|row| rows.get(row, 1)).collect()
}

/// Of some versions, those that copied cells, and their payloads.
pub fn copying(db: &Db, run_id: &str, versions: Vec<i64>) -> Vec<(i64, Jsonb)> {
    let rows = db.query(&COPYING_EVENTS, &[run_id.into_datum(), versions.into_datum()]);
    (0..rows.len()).filter_map(|row| rows.get(row, 1).zip(rows.jsonb(row, 2))).collect()
}

/// The newest event up to a version of those that set the run's status: its type, and the status that it names.
pub fn newest_of_status(db: &Db, run_id: &str, version: i64) -> Option<(String, Option<String>)> {
    let rows = db.query(&STATUS_EVENTS_BEFORE, &[run_id.into_datum(), version.into_datum()]);
    let newest = (0..rows.len()).max_by_key(|row| rows.get::<i64>(*row, 1))?;
    Some((rows.get(newest, 2).unwrap_or_default(), rows.get(newest, 3)))
}

/// An event that closed interactions.
pub struct Closing {
    pub version: i64,
    pub type_name: String,
    pub interaction: Option<String>,
    pub to_version: i64,
}

/// Those after a version and up to another one, oldest first.
pub fn closing(db: &Db, run_id: &str, after: i64, up_to: i64) -> Vec<Closing> {
    let rows = db.query(&INTERACTION_EVENTS, &[run_id.into_datum(), after.into_datum(), up_to.into_datum()]);
    let event = |row| Closing {
        version: rows.get(row, 1).unwrap_or_default(),
        type_name: rows.get(row, 2).unwrap_or_default(),
        interaction: rows.get(row, 3),
        to_version: rows.get(row, 4).unwrap_or_default(),
    };
    let mut events: Vec<Closing> = (0..rows.len()).map(event).collect();
    events.sort_by_key(|event| event.version);
    events
}

/// What an answer was, who gave it, and for whom.
#[derive(Default)]
pub struct Answer {
    pub response: Option<Jsonb>,
    pub by: Option<String>,
    pub on_behalf_of: Option<String>,
}

/// The answer that a version gave.
pub fn answer(db: &Db, run_id: &str, version: i64) -> Answer {
    let rows = db.query(&ANSWER, &[run_id.into_datum(), version.into_datum()]);
    Answer { response: rows.jsonb(0, 1), by: rows.get(0, 2), on_behalf_of: rows.get(0, 3) }
}

/// The newest rollback at or below a version, and where it went back to.
pub fn rollback_before(db: &Db, run_id: &str, version: i64) -> Option<(i64, i64)> {
    rollback_in(&db.query(&ROLLBACK_BEFORE, &[run_id.into_datum(), version.into_datum()]))
}

/// It goes back in any case, whatever somebody has made of the event: who follows rollbacks comes to an end.
pub(super) fn rollback_in(rows: &Rows) -> Option<(i64, i64)> {
    let at: i64 = if rows.is_empty() { None } else { rows.get(0, 1) }?;
    Some((at, rows.get(0, 2).unwrap_or(0).min(at - 1)))
}

/// The rollback that undid a version, as of the head: one probe for each rollback after it that still counts.
pub fn undone_by(db: &Db, run_id: &str, version: i64, head: i64) -> Option<i64> {
    let mut from = head;
    while let Some((at, to)) = rollback_before(db, run_id, from).filter(|(at, _)| *at > version) {
        check_for_interrupts();
        if to < version {
            return Some(at);
        }
        from = to;
    }
    None
}

/// The newest version that both the history of one version and that of another have in common: one probe for each rollback
/// between them.
pub fn common_version(db: &Db, run_id: &str, one: i64, other: i64) -> i64 {
    let (mut older, mut newer) = (one.min(other), one.max(other));
    loop {
        match rollback_before(db, run_id, newer) {
            Some((at, to_version)) if at > older => newer = to_version,
            _ => return older,
        }
        (older, newer) = (older.min(newer), older.max(newer));
    }
}

// ------------------------------------------------------------------------------------------------------------- verify

/// An event as it stands, any of whose columns may be damaged.
pub enum Stored<'a> {
    Plain(&'a Scan<'a>),
    Selected(At<'a>),
}

macro_rules! stored {
    ($($(#[$doc:meta])* $name:ident($row:ident, $column:ident) -> $type:ty { $read:expr })*) => {
        impl Stored<'_> {
            $($(#[$doc])* pub fn $name(&self) -> $type {
                match self {
                    // In the order of the table's columns, the first of which is the run.
                    Stored::Plain($row) => { let $column = |column: i32| column + 1; $read }
                    Stored::Selected($row) => { let $column = |column: i32| column; $read }
                }
            })*
        }
    };
}

stored! {
    version(row, at) -> i64 { row.get(at(1)).unwrap_or_default() }
    type_name(row, at) -> String { row.text(at(2), str::to_owned).unwrap_or_default() }
    payload(row, at) -> Option<Jsonb> { row.jsonb(at(3)) }
    payload_hash(row, at) -> Hash { row.hash(at(4)).unwrap_or_default() }
    changed(row, at) -> Vec<String> { row.texts(at(5)) }
    cells_hash(row, at) -> Hash { row.hash(at(6)).unwrap_or_default() }
    actor(row, at) -> String { row.text(at(7), str::to_owned).unwrap_or_default() }
    on_behalf_of(row, at) -> Option<String> { row.text(at(8), str::to_owned) }
    at(row, at) -> i64 { row.get(at(9)).unwrap_or_default() }
    key(row, at) -> Option<String> { row.text(at(10), str::to_owned) }
    checkpoint_kind(row, at) -> Option<String> { row.text(at(11), str::to_owned) }
    checkpoint_label(row, at) -> Option<String> { row.text(at(12), str::to_owned) }
    hash(row, at) -> Hash { row.hash(at(13)).unwrap_or_default() }
    bytes_since_checkpoint(row, at) -> i64 { row.get(at(15)).unwrap_or_default() }
    checkpoint_version(row, at) -> Option<i64> { row.get(at(16)) }
}

/// Visits events as they stand from a version on, at most so many, while `visit` says so; whether there may be more.
pub fn stored_from(db: &Db, run_id: &str, from: i64, most: usize, mut visit: impl FnMut(Stored<'_>) -> bool) -> bool {
    let by_fast_path = db.plain(|tables| {
        let run = Key::Text(1, Is::Equal, run_id);
        let mut scan = tables.event.scan(&[run, Key::Number(2, Is::AtLeast, from)]);
        for _ in 0..most {
            if !scan.up() {
                return false;
            }
            if !visit(Stored::Plain(&scan)) {
                break;
            }
        }
        true
    });
    by_fast_path.unwrap_or_else(|| {
        let rows = db.query(&VERIFY_EVENTS, &[run_id.into_datum(), from.into_datum(), (most as i64).into_datum()]);
        (0..rows.len()).any(|row| !visit(Stored::Selected(At(&rows, row)))) || rows.len() == most
    })
}

/// The names of the cells that one event changed, in its order.
pub fn changed_by(db: &Db, run_id: &str, version: i64) -> Vec<String> {
    let mut names = Vec::new();
    stored_from(db, run_id, version, 1, |row| {
        if row.version() == version {
            names = row.changed();
        }
        false
    });
    names
}

// ------------------------------------------------------------------------------------------------------------- report

statement! {
    TYPES_OF_EVENTS, [TEXTOID, INT8OID, INT8OID, INT8OID], "/* layra.types_of_events */
SELECT e.type, pg_catalog.count(*) AS events FROM layra.event e
WHERE e.run_id OPERATOR(pg_catalog.=) $1 AND e.version OPERATOR(pg_catalog.>) $2 AND e.version OPERATOR(pg_catalog.<=) $3
GROUP BY e.type ORDER BY events DESC, e.type LIMIT $4"
}

statement! {
    ROLLBACKS, [TEXTOID], "/* layra.rollbacks */
SELECT e.version, (e.payload OPERATOR(pg_catalog.->>) 'to_version')::pg_catalog.int8 FROM layra.event e
WHERE e.run_id OPERATOR(pg_catalog.=) $1 AND e.type OPERATOR(pg_catalog.=) 'run.rolled_back' ORDER BY e.version"
}

/// How many events of each type are after a version and up to another, the most frequent types first, at most so many.
pub fn types_between(db: &Db, run_id: &str, after: i64, up_to: i64, most: i64) -> Vec<(String, i64)> {
    let args = [run_id.into_datum(), after.into_datum(), up_to.into_datum(), most.into_datum()];
    let rows = db.query(&TYPES_OF_EVENTS, &args);
    (0..rows.len()).filter_map(|row| rows.get(row, 1).zip(rows.get(row, 2))).collect()
}

/// All rollbacks of a run, oldest first, and where they went back to.
pub fn rollbacks(db: &Db, run_id: &str) -> Vec<(i64, i64)> {
    let rows = db.query(&ROLLBACKS, &[run_id.into_datum()]);
    (0..rows.len()).filter_map(|row| rows.get(row, 1).zip(rows.get(row, 2))).collect()
}
