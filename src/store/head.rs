//! The head of a run that is about to change: the run locked, and then what its next event follows.

use crate::server::error::{Error, Remedy, Result};
use crate::server::spi::{At, Rows};
use crate::server::transaction::{above_read_committed, completions};
use crate::store::clock;
use crate::store::db::Db;
use crate::store::event::Head;
use crate::store::handler::Flags;
use crate::store::key;
use crate::store::run::Run;
use crate::store::statement::statement;
use pgrx::IntoDatum;

/// A run, locked, and its head. The lock comes first, but the head is as the statement's snapshot has it, which may be
/// older: `lock` sees to that.
macro_rules! open_run {
    ($uses:literal) => {
        concat!("SELECT r.status, r.owner, r.workflow_owner, r.workflow, r.workflow_version, r.definition_hash, r.parent_run_id, r.parent_version,
    EXISTS (SELECT FROM layra.handler h WHERE h.type_pattern OPERATOR(pg_catalog.>=) ''),
    EXISTS (SELECT FROM layra.event_type t WHERE t.type OPERATOR(pg_catalog.>=) ''),
    e.version, e.hash, e.at, e.bytes_since_checkpoint, e.checkpoint_version", $uses, "
FROM (SELECT r.status, r.owner, r.workflow_owner, r.workflow, r.workflow_version, r.definition_hash, r.parent_run_id, r.parent_version
      FROM layra.run r WHERE r.run_id OPERATOR(pg_catalog.=) $1 FOR NO KEY UPDATE) r
LEFT JOIN LATERAL (
    SELECT e.version, e.hash, e.at, e.bytes_since_checkpoint, e.checkpoint_version
    FROM layra.event e WHERE e.run_id OPERATOR(pg_catalog.=) $1 ORDER BY e.version DESC LIMIT 1) e ON true")
    };
}

statement! {
    OPEN_RUN, [TEXTOID], "/* layra.open_run */
", open_run!("")
}

statement! {
    /// As OPEN_RUN, with the versions and types that used an idempotency key, newest first.
    OPEN_RUN_WITH_KEY, [TEXTOID, TEXTOID], "/* layra.open_run_with_key */
", open_run!(",
    ARRAY(SELECT k.version FROM layra.event k
          WHERE k.run_id OPERATOR(pg_catalog.=) $1 AND k.idempotency_key OPERATOR(pg_catalog.=) $2 ORDER BY k.version DESC),
    ARRAY(SELECT k.type FROM layra.event k
          WHERE k.run_id OPERATOR(pg_catalog.=) $1 AND k.idempotency_key OPERATOR(pg_catalog.=) $2 ORDER BY k.version DESC)")
}

/// A run that is locked, whose head was not looked at yet.
pub struct Locked<'a> {
    pub run: Run,
    run_id: &'a str,
    key: Option<&'a str>,
    /// What a statement found with it.
    rows: Option<Rows>,
}

/// A run that is locked, and what its next event follows.
pub struct Latest {
    pub run: Run,
    pub head: Head,
    pub flags: Flags,
    /// The versions and types that used the idempotency key, newest first.
    pub uses: Vec<(i64, String)>,
}

/// Locks a run; None where it does not exist.
pub fn lock<'a>(db: &Db, run_id: &'a str, key: Option<&'a str>) -> Option<Locked<'a>> {
    if let Some(run) = db.find_plain(|tables| Run::lock(tables, run_id)) {
        return Some(Locked { run, run_id, key, rows: None });
    }
    let rows = lock_by_statement(db, run_id, key);
    Some(Locked { run: Run::read(&rows)?, run_id, key, rows: Some(rows) })
}

/// Locks the run and reads its head: one statement where no transaction ended meanwhile. Else it may have waited for a
/// writer whose event its snapshot does not see, and is done again, now with the lock held; or the run was dropped, and
/// perhaps started again, by the transaction that it waited for.
fn lock_by_statement(db: &Db, run_id: &str, key: Option<&str>) -> Rows {
    let (mut held, mut missing) = (false, false);
    loop {
        let before = completions();
        let rows = match key {
            None => db.query(&OPEN_RUN, &[run_id.into_datum()]),
            Some(key) => db.query(&OPEN_RUN_WITH_KEY, &[run_id.into_datum(), key.into_datum()]),
        };
        let fresh = held || above_read_committed() || completions() == before;
        if fresh || (missing && rows.is_empty()) {
            return rows;
        }
        held = !rows.is_empty();
        missing = rows.is_empty();
    }
}

impl Locked<'_> {
    /// As it is with a snapshot that was taken when the lock was held already.
    pub fn open(self, db: &Db) -> Result<Latest> {
        match &self.rows {
            Some(rows) => {
                // Before anybody reads the clock.
                clock::lock_to_append(db);
                self.read(rows)
            }
            None => {
                let head = db.plain(|tables| Head::find(tables, self.run_id)).flatten();
                let head = head.ok_or_else(|| self.has_no_events())?;
                let uses = match self.key {
                    None => Vec::new(),
                    Some(key) => key::uses(db, self.run_id, key, head.version),
                };
                Ok(Latest { run: self.run, head, flags: Flags::read(db), uses })
            }
        }
    }

    fn read(&self, rows: &Rows) -> Result<Latest> {
        if rows.get::<i64>(0, 11).is_none() {
            // Above READ COMMITTED: the run was locked, but its first event is newer than the snapshot.
            if above_read_committed() {
                let run = self.run_id.to_owned();
                return Err(Error::Conflict {
                    run,
                    variable: None,
                    expected: None,
                    actual: None,
                    conflicts: Vec::new(),
                    remedy: Remedy::NewTransaction,
                });
            }
            return Err(self.has_no_events());
        }
        let uses = match self.key {
            None => Vec::new(),
            Some(_) => {
                let versions: Vec<i64> = rows.get(0, 16).unwrap_or_default();
                let types: Vec<String> = rows.get(0, 17).unwrap_or_default();
                versions.into_iter().zip(types).collect()
            }
        };
        let head = Head {
            version: rows.get(0, 11).unwrap_or_default(),
            hash: rows.hash(0, 12).unwrap_or_default(),
            at: rows.get(0, 13).unwrap_or_default(),
            bytes_since_checkpoint: rows.get(0, 14).unwrap_or_default(),
            checkpoint_version: rows.get(0, 15),
        };
        Ok(Latest { run: self.run.clone(), head, flags: Flags::of(&At(rows, 0), 9), uses })
    }

    fn has_no_events(&self) -> Error {
        Error::Corrupt(format!("run {:?} has no events", self.run_id))
    }
}
