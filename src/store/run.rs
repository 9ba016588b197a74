//! Rows of `layra.run`: one for each run.

use crate::pure::hash::Hash;
use crate::server::columns::{Columns, hash_of};
use crate::server::error::Result;
use crate::server::jsonb::Jsonb;
use crate::server::scan::{Is, Key};
use crate::server::spi::{At, Rows, Statement};
use crate::store::clock;
use crate::store::db::Db;
use crate::store::statement::statement;
use crate::store::tables::Tables;
use crate::store::workflow::WorkflowRef;
use pgrx::IntoDatum;
use pgrx::datum::TimestampWithTimeZone;

statement! {
    /// A run as its readers see it, with its newest version.
    READ_RUN, [TEXTOID], "/* layra.read_run */
SELECT r.status, r.owner, r.workflow_owner, r.workflow, r.workflow_version, r.definition_hash, r.parent_run_id, r.parent_version,
    (SELECT e.version FROM layra.event e WHERE e.run_id OPERATOR(pg_catalog.=) $1 ORDER BY e.version DESC LIMIT 1)
FROM layra.run r WHERE r.run_id OPERATOR(pg_catalog.=) $1"
}

statement! {
    /// As READ_RUN, for a fork: the parent cannot be dropped before the fork commits.
    SHARE_RUN, [TEXTOID], "/* layra.share_run */
SELECT r.status, r.owner, r.workflow_owner, r.workflow, r.workflow_version, r.definition_hash, r.parent_run_id, r.parent_version,
    r.metadata
FROM layra.run r WHERE r.run_id OPERATOR(pg_catalog.=) $1 FOR KEY SHARE"
}

statement! {
    /// No row: the run already exists. It never raises 23505, which would not tell whose run it is.
    INSERT_RUN, [TEXTOID, TEXTOID, TEXTOID, TEXTOID, INT4OID, BYTEAOID, TEXTOID, INT8OID, JSONBOID, TIMESTAMPTZOID],
    "/* layra.insert_run */
INSERT INTO layra.run (run_id, status, owner, workflow_owner, workflow, workflow_version, definition_hash,
    parent_run_id, parent_version, metadata, created_at)
VALUES ($1, 'running', $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT DO NOTHING"
}

statement! {
    UPDATE_STATUS, [TEXTOID, TEXTOID, JSONBOID, TIMESTAMPTZOID], "/* layra.update_status */
UPDATE layra.run r SET status = $2, result = $3, finished_at = $4 WHERE r.run_id OPERATOR(pg_catalog.=) $1"
}

statement! {
    UPDATE_OWNER, [TEXTOID, TEXTOID], "/* layra.update_owner */
UPDATE layra.run r SET owner = $2 WHERE r.run_id OPERATOR(pg_catalog.=) $1"
}

statement! {
    /// The forks of a run, locked.
    FORKS, [TEXTOID], "/* layra.forks */
SELECT r.run_id FROM layra.run r WHERE r.parent_run_id OPERATOR(pg_catalog.=) $1 ORDER BY r.run_id FOR NO KEY UPDATE"
}

statement! {
    /// The forks of a dropped run become forks of that run's own parent; where there is none, orphans.
    UPDATE_PARENTS, [TEXTOID, TEXTOID, INT8OID], "/* layra.update_parents */
UPDATE layra.run r SET parent_run_id = $2, parent_version = $3 WHERE r.parent_run_id OPERATOR(pg_catalog.=) $1"
}

statement! {
    HOLD, [TEXTOID], "/* layra.hold */
SELECT r.hold FROM layra.run r WHERE r.run_id OPERATOR(pg_catalog.=) $1"
}

statement! {
    UPDATE_HOLD, [TEXTOID, TEXTOID], "/* layra.update_hold */
UPDATE layra.run r SET hold = $2 WHERE r.run_id OPERATOR(pg_catalog.=) $1"
}

/// Runs and their newest versions and hashes, by run id.
macro_rules! heads {
    ($condition:literal) => {
        concat!(
            "SELECT r.run_id, e.version, e.hash FROM (
    SELECT r.run_id FROM layra.run r WHERE ",
            $condition,
            " AND r.run_id OPERATOR(pg_catalog.>) $1 ORDER BY r.run_id LIMIT $2) r
LEFT JOIN LATERAL (
    SELECT e.version, e.hash FROM layra.event e WHERE e.run_id OPERATOR(pg_catalog.=) r.run_id
    ORDER BY e.version DESC LIMIT 1) e ON true"
        )
    };
}

statement! {
    HEADS, [TEXTOID, INT8OID], "/* layra.heads */\n", heads!("true")
}

statement! {
    HEADS_OF, [TEXTOID, INT8OID, TEXTOID], "/* layra.heads_of */\n", heads!("r.owner OPERATOR(pg_catalog.=) $3")
}

statement! {
    DELETE_RUN, [TEXTOID], "/* layra.delete_run */
DELETE FROM layra.run r WHERE r.run_id OPERATOR(pg_catalog.=) $1"
}

statement! {
    ALL_RUNS, [TEXTOID], "/* layra.all_runs */
SELECT r.run_id, r.owner FROM layra.run r WHERE r.run_id OPERATOR(pg_catalog.>=) $1 ORDER BY r.run_id LIMIT 1000"
}

statement! {
    /// The run's row; how many cells it has; whether it has rows in the other tables, most of which have none of most runs.
    VERIFY_RUN, [TEXTOID], "/* layra.verify_run */
SELECT r.status, r.owner, r.metadata, r.result, r.created_at, r.finished_at, r.workflow_owner, r.workflow, r.workflow_version,
    r.definition_hash, r.parent_run_id, r.parent_version,
    (SELECT pg_catalog.count(*) FROM layra.cell c WHERE c.run_id OPERATOR(pg_catalog.=) $1),
    EXISTS (SELECT FROM layra.checkpoint k WHERE k.run_id OPERATOR(pg_catalog.=) $1),
    EXISTS (SELECT FROM layra.interaction i WHERE i.run_id OPERATOR(pg_catalog.=) $1),
    EXISTS (SELECT FROM layra.lease l WHERE l.run_id OPERATOR(pg_catalog.=) $1),
    EXISTS (SELECT FROM layra.inherited_key n WHERE n.run_id OPERATOR(pg_catalog.=) $1)
        OR EXISTS (SELECT FROM layra.inheritance n WHERE n.run_id OPERATOR(pg_catalog.=) $1),
    r.hold
FROM layra.run r WHERE r.run_id OPERATOR(pg_catalog.=) $1"
}

statement! {
    /// A run as it was elsewhere. No row: it is here.
    IMPORT_RUN, [TEXTOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, INT4OID, BYTEAOID, JSONBOID, JSONBOID, TIMESTAMPTZOID, TIMESTAMPTZOID,
        TEXTOID], "/* layra.import_run */
INSERT INTO layra.run (run_id, status, owner, workflow_owner, workflow, workflow_version, definition_hash, metadata, result,
    created_at, finished_at, hold)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) ON CONFLICT DO NOTHING"
}

statement! {
    UPDATE_PARENT, [TEXTOID, TEXTOID, INT8OID], "/* layra.update_parent */
UPDATE layra.run r SET parent_run_id = $2, parent_version = $3 WHERE r.run_id OPERATOR(pg_catalog.=) $1"
}

statement! {
    /// What READ_RUN leaves out.
    REST_OF_RUN, [TEXTOID], "/* layra.rest_of_run */
SELECT r.metadata, r.result, r.created_at, r.finished_at, r.hold FROM layra.run r WHERE r.run_id OPERATOR(pg_catalog.=) $1"
}

/// Runs that somebody should look at: running, and a lease ran out or no event since $1; paused, and every question has expired.
macro_rules! stale_runs {
    ($runs:literal) => {
        concat!(
            "SELECT r.run_id, e.version, e.at,
    ARRAY(SELECT l.node_id FROM layra.lease l WHERE l.run_id OPERATOR(pg_catalog.=) r.run_id AND l.held
          AND l.until OPERATOR(pg_catalog.<=) $2), r.owner
FROM ",
            $runs,
            " r CROSS JOIN LATERAL (
    SELECT e.version, e.at FROM layra.event e WHERE e.run_id OPERATOR(pg_catalog.=) r.run_id ORDER BY e.version DESC LIMIT 1) e
WHERE CASE WHEN r.status OPERATOR(pg_catalog.=) 'running' THEN e.at OPERATOR(pg_catalog.<=) $1 OR (
        SELECT true FROM layra.lease l WHERE l.run_id OPERATOR(pg_catalog.=) r.run_id AND l.held
          AND l.until OPERATOR(pg_catalog.<=) $2 LIMIT 1)
      ELSE (
        SELECT true FROM layra.interaction i WHERE i.run_id OPERATOR(pg_catalog.=) r.run_id AND i.status OPERATOR(pg_catalog.=) 'pending'
          AND COALESCE(i.expires_at, 'infinity'::pg_catalog.timestamptz) OPERATOR(pg_catalog.>) $2 LIMIT 1) IS NULL END
LIMIT 100"
        )
    };
}

statement! {
    /// Some, of every owner, behind a run of one.
    STALE_RUNS, [TIMESTAMPTZOID, TIMESTAMPTZOID, TEXTOID, TEXTOID], "/* layra.stale_runs */\n", stale_runs!("(
    SELECT r.run_id, r.status, r.owner FROM layra.run r
    WHERE r.status OPERATOR(pg_catalog.=) ANY ('{running,paused}'::pg_catalog.text[])
      AND ROW(r.owner, r.run_id) OPERATOR(pg_catalog.>) ROW($3, $4)
    ORDER BY r.owner, r.run_id)")
}

statement! {
    /// Some, of one owner, behind a run.
    STALE_RUNS_OF, [TIMESTAMPTZOID, TIMESTAMPTZOID, TEXTOID, TEXTOID], "/* layra.stale_runs_of */\n", stale_runs!("(
    SELECT r.run_id, r.status, r.owner FROM layra.run r
    WHERE r.status OPERATOR(pg_catalog.=) ANY ('{running,paused}'::pg_catalog.text[])
      AND r.owner OPERATOR(pg_catalog.=) $3 AND r.run_id OPERATOR(pg_catalog.>) $4
    ORDER BY r.owner, r.run_id)")
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    Running,
    Paused,
    Cancelling,
    Completed,
    Failed,
    Cancelled,
}

impl Status {
    const ALL: [Status; 6] =
        [Status::Running, Status::Paused, Status::Cancelling, Status::Completed, Status::Failed, Status::Cancelled];

    pub fn name(self) -> &'static str {
        match self {
            Status::Running => "running",
            Status::Paused => "paused",
            Status::Cancelling => "cancelling",
            Status::Completed => "completed",
            Status::Failed => "failed",
            Status::Cancelled => "cancelled",
        }
    }

    pub fn from_name(name: &str) -> Option<Status> {
        Status::ALL.into_iter().find(|status| status.name() == name)
    }

    pub fn is_finished(self) -> bool {
        matches!(self, Status::Completed | Status::Failed | Status::Cancelled)
    }
}

/// A row of `layra.run`, as far as functions need it.
#[derive(Debug, Clone)]
pub struct Run {
    pub status: Status,
    pub owner: String,
    pub workflow: Option<WorkflowRef>,
    /// Of a fork: its parent, and the version it was taken at.
    pub parent: Option<(String, i64)>,
    /// Of a fork whose parent was dropped.
    pub orphan: bool,
}

impl Run {
    /// From the first eight columns that OPEN_RUN and its like return; None where there is no row.
    pub(super) fn read(rows: &Rows) -> Option<Run> {
        (!rows.is_empty()).then(|| Run::of(&At(rows, 0), 1))
    }

    /// From the eight columns, from column `first` on.
    pub(super) fn of(row: &impl Columns, first: i32) -> Run {
        let workflow = row.get::<String>(first + 3).map(|name| WorkflowRef {
            owner: row.get(first + 2).unwrap_or_default(),
            name,
            version: row.get(first + 4).unwrap_or_default(),
            hash: row.hash(first + 5).unwrap_or_default(),
        });
        // Where a parent was dropped, only the version is left; version 0.1.0 kept the parent's name, and 0.
        let version: Option<i64> = row.get(first + 7);
        let parent = row.get(first + 6).zip(version).filter(|(_, version)| *version > 0);
        Run {
            status: Status::from_name(&row.get::<String>(first).unwrap_or_default()).unwrap_or(Status::Running),
            owner: row.get(first + 1).unwrap_or_default(),
            workflow,
            orphan: parent.is_none() && version.is_some(),
            parent,
        }
    }

    /// The run, on the fast path.
    fn find(tables: &Tables, run_id: &str) -> Option<Run> {
        let mut scan = tables.run.scan(&[Key::Text(1, Is::Equal, run_id)]);
        scan.down().then(|| Run::of(&scan, 2))
    }

    /// The run, locked, on the fast path. None where a statement has to tell what became of it.
    pub(super) fn lock(tables: &Tables, run_id: &str) -> Option<Run> {
        let mut scan = tables.run.scan(&[Key::Text(1, Is::Equal, run_id)]);
        let locked = scan.down() && scan.lock() && scan.get::<String>(1).as_deref() == Some(run_id);
        locked.then(|| Run::of(&scan, 2))
    }

    /// Inserts the row of a new run, and returns its time; None where the run already exists.
    pub fn insert(&self, db: &Db, run_id: &str, metadata: Jsonb) -> Result<Option<i64>> {
        let insert = |now| self.insert_at(db, run_id, metadata, now);
        // In this order, as all calls do. Its first event has this time, too.
        db.lock_for(&INSERT_RUN);
        clock::lock_to_append(db);
        clock::insert_now(db, &INSERT_RUN, insert, |now| {
            delete(db, run_id);
            insert(now);
        })
    }

    fn insert_at(&self, db: &Db, run_id: &str, metadata: Jsonb, now: i64) -> bool {
        let workflow = self.workflow.as_ref();
        let rows = db.query(
            &INSERT_RUN,
            &[
                run_id.into_datum(),
                self.owner.as_str().into_datum(),
                workflow.map(|w| w.owner.as_str()).into_datum(),
                workflow.map(|w| w.name.as_str()).into_datum(),
                workflow.map(|w| w.version).into_datum(),
                workflow.map(|w| w.hash.as_slice()).into_datum(),
                self.parent.as_ref().map(|(run, _)| run.as_str()).into_datum(),
                self.parent.as_ref().map(|(_, version)| *version).into_datum(),
                metadata.into_datum(),
                now.into_datum(),
            ],
        );
        rows.len() == 1
    }
}

/// A run as its readers see it, and its newest version where that is known by then. From here on its rows come by the fast path
/// where they can.
pub fn find(db: &Db, run_id: &str) -> Option<(Run, Option<i64>)> {
    if let Some(run) = db.find_plain(|tables| Run::find(tables, run_id)) {
        return Some((run, None));
    }
    let rows = db.query(&READ_RUN, &[run_id.into_datum()]);
    Run::read(&rows).map(|run| (run, Some(rows.get(0, 9).unwrap_or_default())))
}

/// Prepares for reading the rows of a run that was found before.
pub fn prepare(db: &Db, run_id: &str) {
    if db.plain(|_| ()).is_none() {
        db.find_plain(|tables| Run::find(tables, run_id));
    }
}

/// A run as it is by the newest snapshot of the call, whatever is prepared.
pub fn read(db: &Db, run_id: &str) -> Option<Run> {
    Run::read(&db.query(&READ_RUN, &[run_id.into_datum()]))
}

/// Inserts a run as it was elsewhere; false where the run already exists.
pub fn import(db: &Db, run_id: &str, run: &Run, rest: &Rest) -> bool {
    let workflow = run.workflow.as_ref();
    let args = [
        run_id.into_datum(),
        run.status.name().into_datum(),
        run.owner.as_str().into_datum(),
        workflow.map(|w| w.owner.as_str()).into_datum(),
        workflow.map(|w| w.name.as_str()).into_datum(),
        workflow.map(|w| w.version).into_datum(),
        workflow.map(|w| w.hash.as_slice()).into_datum(),
        rest.metadata.into_datum(),
        rest.result.into_datum(),
        rest.created_at.into_datum(),
        rest.finished_at.into_datum(),
        rest.hold.as_deref().into_datum(),
    ];
    db.lock_for(&IMPORT_RUN);
    clock::lock_to_append(db);
    let inserted = !db.query(&IMPORT_RUN, &args).is_empty();
    if inserted {
        prepare(db, run_id);
    }
    inserted
}

/// Makes a run a fork; without a parent, of one that is gone.
pub fn set_parent(db: &Db, run_id: &str, parent: Option<(&str, i64)>) {
    let (parent, version) = parent.unzip();
    db.query(&UPDATE_PARENT, &[run_id.into_datum(), parent.into_datum(), version.unwrap_or(0).into_datum()]);
}

/// What a `Run` leaves out of the row.
#[derive(Default)]
pub struct Rest {
    pub metadata: Option<Jsonb>,
    pub result: Option<Jsonb>,
    pub created_at: i64,
    pub finished_at: Option<i64>,
    pub hold: Option<String>,
}

pub fn rest(db: &Db, run_id: &str) -> Option<Rest> {
    let rows = db.query(&REST_OF_RUN, &[run_id.into_datum()]);
    (!rows.is_empty()).then(|| Rest {
        metadata: rows.jsonb(0, 1),
        result: rows.jsonb(0, 2),
        created_at: rows.get(0, 3).unwrap_or_default(),
        finished_at: rows.get(0, 4),
        hold: rows.get(0, 5),
    })
}

/// Whose a run is; None where there is none.
pub fn owner_of(db: &Db, run_id: &str) -> Option<String> {
    find(db, run_id).map(|(run, _)| run.owner)
}

/// A run and its metadata, for a fork: the parent cannot be dropped before the fork commits.
pub fn share(db: &Db, run_id: &str) -> Option<(Run, Option<Jsonb>)> {
    let rows = lock_row(db, &SHARE_RUN, run_id);
    Run::read(&rows).map(|run| (run, rows.jsonb(0, 9)))
}

/// Locks a run's row, asking twice where there is none: it may have been dropped and started again by the one transaction
/// that the first statement waited for, and whose new row only a fresh snapshot sees.
pub(super) fn lock_row(db: &Db, statement: &'static Statement, run_id: &str) -> Rows {
    let rows = db.query(statement, &[run_id.into_datum()]);
    if rows.is_empty() { db.query(statement, &[run_id.into_datum()]) } else { rows }
}

pub fn set_status(db: &Db, run_id: &str, status: Status, result: Option<Jsonb>, finished_at: Option<i64>) {
    let args = [run_id.into_datum(), status.name().into_datum(), result.into_datum(), finished_at.into_datum()];
    db.query(&UPDATE_STATUS, &args);
}

pub fn set_owner(db: &Db, run_id: &str, owner: &str) {
    db.query(&UPDATE_OWNER, &[run_id.into_datum(), owner.into_datum()]);
}

/// Why somebody holds a run; None: nobody does.
pub fn hold(db: &Db, run_id: &str) -> Option<String> {
    let rows = db.query(&HOLD, &[run_id.into_datum()]);
    if rows.is_empty() { None } else { rows.get(0, 1) }
}

pub fn set_hold(db: &Db, run_id: &str, hold: Option<&str>) {
    db.query(&UPDATE_HOLD, &[run_id.into_datum(), hold.into_datum()]);
}

/// Some runs, of one owner or of all, in the order of their ids behind one, with their newest versions and hashes.
pub fn heads(db: &Db, owner: Option<&str>, after: &str, limit: i64) -> Vec<(String, i64, Hash)> {
    let rows = match owner {
        None => db.query(&HEADS, &[after.into_datum(), limit.into_datum()]),
        Some(owner) => db.query(&HEADS_OF, &[after.into_datum(), limit.into_datum(), owner.into_datum()]),
    };
    let head =
        |row: At<'_>| (row.get(1).unwrap_or_default(), row.get(2).unwrap_or_default(), row.hash(3).unwrap_or_default());
    rows.iter().map(head).collect()
}

/// Locks the forks of a run, where there are any.
pub(super) fn lock_forks(db: &Db, run_id: &str) -> bool {
    !db.query(&FORKS, &[run_id.into_datum()]).is_empty()
}

/// The forks of a dropped run become forks of that run's own parent; where there is none, orphans.
pub(super) fn set_parent_of_forks(db: &Db, run_id: &str, parent: Option<(String, i64)>) {
    let (parent, version) = parent.unzip();
    db.query(&UPDATE_PARENTS, &[run_id.into_datum(), parent.into_datum(), version.unwrap_or(0).into_datum()]);
}

pub(super) fn delete(db: &Db, run_id: &str) {
    db.query(&DELETE_RUN, &[run_id.into_datum()]);
}

/// Runs and their owners from an id on, some at a time.
pub fn from(db: &Db, run_id: &str) -> Vec<(String, String)> {
    let rows = db.query(&ALL_RUNS, &[run_id.into_datum()]);
    (0..rows.len()).filter_map(|row| rows.get(row, 1).zip(rows.get(row, 2))).collect()
}

/// A run that somebody should look at.
pub struct Stale {
    pub run_id: String,
    pub owner: String,
    pub version: i64,
    pub last_activity: Option<TimestampWithTimeZone>,
    /// The nodes whose leases ran out.
    pub expired: Vec<String>,
}

/// The time to look for stale runs at.
pub fn now_for_stale(db: &Db) -> Result<i64> {
    clock::now_for(db, &STALE_RUNS)
}

/// Some runs behind one, of its owner alone or of all from there on, without an event since `silent` or with a lease that ran out
/// by `now`, and those that wait for nobody any more.
pub fn stale(db: &Db, silent: i64, now: i64, owner: &str, run_id: &str, of_owner: bool) -> Vec<Stale> {
    let statement = if of_owner { &STALE_RUNS_OF } else { &STALE_RUNS };
    let args = [silent.into_datum(), now.into_datum(), owner.into_datum(), run_id.into_datum()];
    let rows = db.query(statement, &args);
    let stale = |row| Stale {
        run_id: rows.get(row, 1).unwrap_or_default(),
        version: rows.get(row, 2).unwrap_or_default(),
        last_activity: rows.get(row, 3),
        expired: rows.get(row, 4).unwrap_or_default(),
        owner: rows.get(row, 5).unwrap_or_default(),
    };
    (0..rows.len()).map(stale).collect()
}

/// The row of a run as it stands, some of whose columns may be damaged; and whether the other tables have rows of it.
pub struct Stored(Rows);

impl Stored {
    fn row(&self) -> At<'_> {
        At(&self.0, 0)
    }

    pub fn status(&self) -> Option<String> {
        self.row().get(1)
    }

    pub fn owner(&self) -> Option<String> {
        self.row().get(2)
    }

    pub fn metadata(&self) -> Option<Jsonb> {
        self.row().jsonb(3)
    }

    pub fn result(&self) -> Option<Jsonb> {
        self.row().jsonb(4)
    }

    pub fn created_at(&self) -> Option<i64> {
        self.row().get(5)
    }

    pub fn finished_at(&self) -> Option<i64> {
        self.row().get(6)
    }

    /// Whether any column of the workflow has a value.
    pub fn has_workflow(&self) -> bool {
        (7..=10).any(|column| !self.row().is_null(column))
    }

    pub fn workflow_owner(&self) -> Option<String> {
        self.row().get(7)
    }

    pub fn workflow(&self) -> Option<String> {
        self.row().get(8)
    }

    pub fn workflow_version(&self) -> Option<i32> {
        self.row().get(9)
    }

    pub fn definition_hash(&self) -> Option<Hash> {
        hash_of(&self.row(), 10)
    }

    pub fn parent(&self) -> (Option<String>, Option<i64>) {
        (self.row().get(11), self.row().get(12))
    }

    pub fn cells(&self) -> Option<i64> {
        self.row().get(13)
    }

    pub fn has_checkpoints(&self) -> bool {
        self.row().get(14) == Some(true)
    }

    pub fn has_interactions(&self) -> bool {
        self.row().get(15) == Some(true)
    }

    pub fn has_leases(&self) -> bool {
        self.row().get(16) == Some(true)
    }

    pub fn inherits_keys(&self) -> bool {
        self.row().get(17) == Some(true)
    }

    pub fn hold(&self) -> Option<String> {
        self.row().get(18)
    }
}

/// Locks the tables that verify compares, for who reads the clock before it does.
pub fn lock_to_verify(db: &Db) {
    db.lock_for(&VERIFY_RUN);
}

pub fn stored(db: &Db, run_id: &str) -> Option<Stored> {
    let rows = db.query(&VERIFY_RUN, &[run_id.into_datum()]);
    (!rows.is_empty()).then_some(Stored(rows))
}

statement! {
    FORKS_TO_SHOW, [TEXTOID, INT8OID], "/* layra.forks_to_show */
SELECT r.run_id, r.parent_version, r.status, r.owner FROM layra.run r
WHERE r.parent_run_id OPERATOR(pg_catalog.=) $1 ORDER BY r.run_id LIMIT $2"
}

/// A run that was forked from another one.
pub struct Fork {
    pub run_id: String,
    pub parent_version: i64,
    pub status: String,
    pub owner: String,
}

/// Forks of a run, whoever owns them, at most so many.
pub fn forks(db: &Db, run_id: &str, most: i64) -> Vec<Fork> {
    let rows = db.query(&FORKS_TO_SHOW, &[run_id.into_datum(), most.into_datum()]);
    let fork = |row| Fork {
        run_id: rows.get(row, 1).unwrap_or_default(),
        parent_version: rows.get(row, 2).unwrap_or_default(),
        status: rows.get(row, 3).unwrap_or_default(),
        owner: rows.get(row, 4).unwrap_or_default(),
    };
    (0..rows.len()).map(fork).collect()
}
