//! A run goes, with its rows in all tables.

use crate::pure::hash::Hash;
use crate::server::columns::Columns;
use crate::server::error::{Error, Remedy, Result};
use crate::server::scan::{Is, Key};
use crate::server::spi::{At, Rows};
use crate::server::transaction::above_read_committed;
use crate::store::cell::VALUE;
use crate::store::db::Db;
use crate::store::event::{AT, HASH, PAYLOAD, VERSION};
use crate::store::key;
use crate::store::run::{self, Run};
use crate::store::statement::statement;
use crate::store::tables::Tables;
use pgrx::{IntoDatum, Uuid};

statement! {
    /// With whether somebody holds it.
    LOCK_RUN_TO_DROP, [TEXTOID], "/* layra.lock_run_to_drop */
SELECT r.status, r.owner, r.workflow_owner, r.workflow, r.workflow_version, r.definition_hash, r.parent_run_id, r.parent_version,
    r.hold IS NOT NULL
FROM layra.run r WHERE r.run_id OPERATOR(pg_catalog.=) $1 FOR UPDATE"
}

statement! {
    HEAD_AND_FORKS, [TEXTOID], "/* layra.head_and_forks */
SELECT (SELECT e.version FROM layra.event e WHERE e.run_id OPERATOR(pg_catalog.=) $1 ORDER BY e.version DESC LIMIT 1),
    (SELECT pg_catalog.count(*) FROM layra.run r WHERE r.parent_run_id OPERATOR(pg_catalog.=) $1)"
}

statement! {
    LAST_EVENT, [TEXTOID], "/* layra.last_event */
SELECT e.version, e.hash, e.at FROM layra.event e WHERE e.run_id OPERATOR(pg_catalog.=) $1 ORDER BY e.version DESC LIMIT 1"
}

/// What a run has beside its log and its cells; and which dropped runs it came from.
macro_rules! delete_rest {
    () => {
        "checkpoints AS (DELETE FROM layra.checkpoint c WHERE c.run_id OPERATOR(pg_catalog.=) $1),
leases AS (DELETE FROM layra.lease l WHERE l.run_id OPERATOR(pg_catalog.=) $1),
interactions AS (DELETE FROM layra.interaction i WHERE i.run_id OPERATOR(pg_catalog.=) $1),
keys AS (DELETE FROM layra.inherited_key k WHERE k.run_id OPERATOR(pg_catalog.=) $1),
sources AS (DELETE FROM layra.inheritance i WHERE i.run_id OPERATOR(pg_catalog.=) $1 RETURNING i.source),
run AS (DELETE FROM layra.run r WHERE r.run_id OPERATOR(pg_catalog.=) $1)
SELECT ARRAY(SELECT s.source FROM sources s)"
    };
}

statement! {
    /// In one statement, as most of them cost less than to begin one.
    DELETE_REST_OF_RUN, [TEXTOID], "/* layra.delete_rest_of_run */
WITH ", delete_rest!()
}

statement! {
    /// All rows of a run: with how many cells and events there were, the bytes of their values and payloads as they were stored,
    /// and the first version.
    DELETE_ALL_OF_RUN, [TEXTOID], "/* layra.delete_all_of_run */
WITH cells AS (
    DELETE FROM layra.cell c WHERE c.run_id OPERATOR(pg_catalog.=) $1 RETURNING pg_catalog.pg_column_size(c.value) AS bytes),
events AS (
    DELETE FROM layra.event e WHERE e.run_id OPERATOR(pg_catalog.=) $1
    RETURNING e.version, pg_catalog.pg_column_size(e.payload) AS bytes),
", delete_rest!(), ", c.count, c.bytes, e.count, e.bytes, e.first
FROM (SELECT pg_catalog.count(*), pg_catalog.sum(c.bytes) AS bytes FROM cells c) c
CROSS JOIN (SELECT pg_catalog.count(*), pg_catalog.sum(e.bytes) AS bytes, pg_catalog.min(e.version) AS first FROM events e) e"
}

/// Locks a run against everybody; and whether somebody holds it.
pub fn lock(db: &Db, run_id: &str) -> Option<(Run, bool)> {
    let rows = run::lock_row(db, &LOCK_RUN_TO_DROP, run_id);
    Run::read(&rows).map(|run| (run, rows.get(0, 9).unwrap_or_default()))
}

/// What there was of a run.
#[derive(Default)]
pub struct Gone {
    pub cells: i64,
    pub events: i64,
    /// Of values and payloads, as they were stored.
    pub bytes: i64,
    pub first_version: i64,
    pub last_version: i64,
    /// Of the last event.
    pub head_hash: Hash,
    /// Microseconds since 2000-01-01; None where a damaged run had no event any more.
    pub last_activity: Option<i64>,
}

/// Deletes a run that is locked; its forks keep the idempotency keys that they have from it.
pub fn delete(db: &Db, run_id: &str, run: &Run) -> Result<Gone> {
    if above_read_committed() {
        must_see_everything(db, run_id)?;
    }
    key::bequeath(db, run_id, run);
    let (gone, sources) = match delete_plain(db, run_id) {
        Some(gone) => (gone, db.query(&DELETE_REST_OF_RUN, &[run_id.into_datum()]).get(0, 1)),
        None => delete_all(db, run_id),
    };
    key::disinherit(db, sources.unwrap_or_default());
    Ok(gone)
}

/// Its cells and its log, on the fast path.
fn delete_plain(db: &Db, run_id: &str) -> Option<Gone> {
    db.with_plain(Tables::open_to_delete, |[event, cell]| {
        let mut gone = Gone::default();
        let run = [Key::Text(1, Is::Equal, run_id)];
        let mut cells = cell.scan(&run);
        while cells.down() {
            gone.cells += 1;
            gone.bytes += cells.stored_size(VALUE);
            cells.delete();
        }
        let mut events = event.scan(&run);
        while events.down() {
            if gone.events == 0 {
                gone.last_version = events.get(VERSION).unwrap_or_default();
                gone.head_hash = events.hash(HASH).unwrap_or_default();
                gone.last_activity = events.get(AT);
            }
            gone.events += 1;
            gone.bytes += events.stored_size(PAYLOAD);
            gone.first_version = events.get(VERSION).unwrap_or_default();
            events.delete();
        }
        gone
    })
}

/// All of it, and which dropped runs it came from.
fn delete_all(db: &Db, run_id: &str) -> (Gone, Option<Vec<Uuid>>) {
    let last = db.query(&LAST_EVENT, &[run_id.into_datum()]);
    let rows = db.query(&DELETE_ALL_OF_RUN, &[run_id.into_datum()]);
    let row = At(&rows, 0);
    let number = |column| row.get::<i64>(column).unwrap_or_default();
    let mut gone = Gone {
        cells: number(2),
        events: number(4),
        bytes: number(3) + number(5),
        first_version: number(6),
        ..Gone::default()
    };
    if !last.is_empty() {
        gone.last_version = last.get(0, 1).unwrap_or_default();
        gone.head_hash = last.hash(0, 2).unwrap_or_default();
        gone.last_activity = last.get(0, 3);
    }
    (gone, row.get(1))
}

/// Above READ COMMITTED the snapshot may hide events that were added, and forks that were made, since it was taken: what
/// is deleted would then not be all there is.
fn must_see_everything(db: &Db, run_id: &str) -> Result<()> {
    let state = |rows: Rows| (rows.get::<i64>(0, 1), rows.get::<i64>(0, 2));
    let seen = state(db.query(&HEAD_AND_FORKS, &[run_id.into_datum()]));
    if seen == state(db.query_latest(&HEAD_AND_FORKS, &[run_id.into_datum()])) {
        return Ok(());
    }
    Err(Error::Conflict {
        run: run_id.to_owned(),
        variable: None,
        expected: None,
        actual: None,
        conflicts: Vec::new(),
        remedy: Remedy::NewTransaction,
    })
}
