//! A run that is read, or written to beside its log: that it is there, that the caller may, and which versions it has.

use crate::server::error::{Error, Result};
use crate::state::access;
use crate::store::db::Db;
use crate::store::event;
use crate::store::run::{self, Run};
use std::cell::OnceCell;

/// A run that somebody reads: its row, and the connection that the rest is read with.
pub struct Reader<'a> {
    pub db: Db,
    pub run_id: &'a str,
    pub run: Run,
    head: OnceCell<i64>,
}

impl<'a> Reader<'a> {
    pub fn open(run_id: &'a str) -> Result<Reader<'a>> {
        let db = Db::read();
        let head = OnceCell::new();
        let (run, newest) = run::find(&db, run_id).ok_or_else(|| Error::NoSuchRun(run_id.to_owned()))?;
        if let Some(newest) = newest {
            let _ = head.set(newest);
        }
        access::must_read(&db, run_id, &run.owner)?;
        Ok(Reader { db, run_id, run, head })
    }

    /// A version of this run, the head where none is given.
    pub fn version(&self, version: Option<i64>, what: &str) -> Result<i64> {
        self.require_version(version, what)?;
        Ok(version.unwrap_or_else(|| self.head()))
    }

    /// 22023 for a version that the run does not have; none stands for the newest.
    pub fn require_version(&self, version: Option<i64>, what: &str) -> Result<()> {
        let Some(version) = version else { return Ok(()) };
        // That costs less than to look for the newest.
        if self.head.get().is_none() && event::is_there(&self.db, self.run_id, version) {
            return Ok(());
        }
        within(self.run_id, self.head(), version, what)
    }

    /// The newest version, looked for where it is needed.
    pub fn head(&self) -> i64 {
        *self.head.get_or_init(|| event::newest(&self.db, self.run_id).unwrap_or_default())
    }
}

/// For writes beside the log (a heartbeat): the run stays unlocked, and the caller must be an owner of it.
pub fn for_update_of_its_own(run_id: &str) -> Result<Db> {
    let db = Db::write();
    let run = run::read(&db, run_id).ok_or_else(|| Error::NoSuchRun(run_id.to_owned()))?;
    access::may_write(&db, run_id, &run.owner)?;
    Ok(db)
}

/// 22023 for a version that a run does not have.
pub fn within(run_id: &str, head: i64, version: i64, what: &str) -> Result<()> {
    if (1..=head).contains(&version) {
        return Ok(());
    }
    Err(Error::argument(format!("{what} must be a version of run {run_id:?}, which has 1 to {head}, not {version}")))
}
