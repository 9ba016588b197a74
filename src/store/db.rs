//! Access to the tables as their owner: by statements, in the schema that is there, and by the fast path.

use crate::server::error::Error;
use crate::server::heap;
use crate::server::spi::{Arg, Rows, Session, Statement};
use crate::store::release::{self, Schema};
use crate::store::tables::{SCHEMA, Tables};
use std::cell::OnceCell;
use std::ops::Deref;

/// The table whose owner owns all of them.
const OWNED: &std::ffi::CStr = c"run";

/// Access to the tables as their owner, until dropped.
pub struct Db {
    /// The tables of the run that was found in them, where they are plain.
    tables: OnceCell<Tables>,
    session: Session,
    /// What the tables are like, and stay while this lives.
    pub schema: Schema,
}

impl Deref for Db {
    type Target = Session;

    fn deref(&self) -> &Session {
        &self.session
    }
}

impl Db {
    /// For functions that change something: each statement takes a fresh snapshot.
    pub fn write() -> Db {
        Db::open(false)
    }

    /// For STABLE functions: the caller's snapshot, no transaction id, works on a standby.
    pub fn read() -> Db {
        Db::open(true)
    }

    fn open(read_only: bool) -> Db {
        let session = Session::open(SCHEMA, OWNED, read_only);
        let schema = if release::is_known() { Schema::Own } else { release::look(&session) };
        Db { tables: OnceCell::new(), session, schema }
    }

    /// After a lock was waited for, perhaps while the extension was updated.
    fn require_the_same_schema(&self) {
        if !release::is_known() && release::look(self) != self.schema {
            Error::state("the extension layra_state was updated while the call waited", "Call again.").raise();
        }
    }

    /// What `find` finds on the fast path. From then on `plain` takes it, too.
    pub fn find_plain<T>(&self, find: impl FnOnce(&Tables) -> Option<T>) -> Option<T> {
        let tables = if self.read_only { Tables::open_to_read() } else { Tables::open_to_write() }?;
        self.require_the_same_schema();
        let found = self.with_snapshot(|| find(&tables))?;
        // A second run of the same call is in the same tables.
        let _ = self.tables.set(tables);
        Some(found)
    }

    /// Does `work` on the fast path, on the tables of the run that `find_plain` found; None where there are none.
    pub fn plain<T>(&self, work: impl FnOnce(&Tables) -> T) -> Option<T> {
        let tables = self.tables.get()?;
        Some(self.with_snapshot(|| work(tables)))
    }

    /// Does `work` on the fast path, on other tables, where `open` finds them plain.
    pub fn with_plain<O, T>(&self, open: impl FnOnce() -> Option<O>, work: impl FnOnce(&O) -> T) -> Option<T> {
        let tables = open()?;
        self.require_the_same_schema();
        Some(self.with_snapshot(|| work(&tables)))
    }

    fn with_snapshot<T>(&self, work: impl FnOnce() -> T) -> T {
        if self.read_only { work() } else { heap::with_fresh_snapshot(work) }
    }

    pub fn query(&self, statement: &'static Statement, args: &[Arg]) -> Rows {
        let rows = self.session.execute(statement, self.schema.edition(), args);
        self.require_the_same_schema();
        rows
    }

    /// Locks the tables of a statement as `query` does, for who reads the clock between the two.
    pub fn lock_for(&self, statement: &'static Statement) {
        self.session.lock_for(statement, self.schema.edition());
        self.require_the_same_schema();
    }

    /// As `query`, with a snapshot of this moment whatever the isolation level.
    pub fn query_latest(&self, statement: &'static Statement, args: &[Arg]) -> Rows {
        let rows = self.session.execute_latest(statement, self.schema.edition(), args);
        self.require_the_same_schema();
        rows
    }
}
