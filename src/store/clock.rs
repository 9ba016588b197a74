//! The clock, read once what a call has to wait for is over: tables that others have locked, rows of the same key.

use crate::server::error::Result;
use crate::server::settings;
use crate::server::spi::Statement;
use crate::server::transaction::completions;
use crate::store::db::Db;
use crate::store::event::INSERT_EVENT;
use crate::store::write::INSERT_CELL;

/// The time that it is once the tables of a statement are locked.
pub fn now_for(db: &Db, statement: &'static Statement) -> Result<i64> {
    db.lock_for(statement);
    settings::now()
}

/// Locks the tables that a change of a run is appended to, in the order in which every call does.
pub fn lock_to_append(db: &Db) {
    db.lock_for(&INSERT_EVENT);
    db.lock_for(&INSERT_CELL);
}

/// Microseconds that a statement of one row hardly takes unless it waits.
const MAY_HAVE_WAITED: i64 = 1000;

/// Inserts a row with the time that it is, which is returned; None where there is one of that key already. `statement` is the
/// one that `insert` runs. It waits for an open transaction that has inserted such a row, and may have done so for long: once
/// that has come to nothing, `again` gives the row the time that it is then.
pub fn insert_now(
    db: &Db,
    statement: &'static Statement,
    insert: impl FnOnce(i64) -> bool,
    again: impl FnOnce(i64),
) -> Result<Option<i64>> {
    let (now, seen) = (now_for(db, statement)?, completions());
    if !insert(now) {
        return Ok(None);
    }
    let then = settings::now()?;
    if completions() == seen || then - now < MAY_HAVE_WAITED {
        return Ok(Some(now));
    }
    again(then);
    Ok(Some(then))
}
