//! A run goes, with its rows in all tables.

use crate::server::error::{Error, Remedy, Result};
use crate::server::spi::Rows;
use crate::server::transaction::above_read_committed;
use crate::store::db::Db;
use crate::store::run::{self, Run};
use crate::store::statement::statement;
use crate::store::{cell, checkpoint, event, interaction, key, lease};
use pgrx::IntoDatum;

statement! {
    LOCK_RUN_TO_DROP, [TEXTOID], "/* layra.lock_run_to_drop */
SELECT r.status, r.owner, r.workflow_owner, r.workflow, r.workflow_version, r.definition_hash, r.parent_run_id, r.parent_version
FROM layra.run r WHERE r.run_id OPERATOR(pg_catalog.=) $1 FOR UPDATE"
}

statement! {
    HEAD_AND_FORKS, [TEXTOID], "/* layra.head_and_forks */
SELECT (SELECT e.version FROM layra.event e WHERE e.run_id OPERATOR(pg_catalog.=) $1 ORDER BY e.version DESC LIMIT 1),
    (SELECT pg_catalog.count(*) FROM layra.run r WHERE r.parent_run_id OPERATOR(pg_catalog.=) $1)"
}

/// Locks a run against everybody.
pub fn lock(db: &Db, run_id: &str) -> Option<Run> {
    Run::read(&run::lock_row(db, &LOCK_RUN_TO_DROP, run_id))
}

/// Deletes a run that is locked; its forks keep the idempotency keys that they have from it.
pub fn delete(db: &Db, run_id: &str, run: &Run) -> Result<()> {
    if above_read_committed() {
        must_see_everything(db, run_id)?;
    }
    key::bequeath(db, run_id, run);
    key::disinherit(db, run_id);
    cell::delete(db, run_id);
    event::delete(db, run_id);
    checkpoint::delete(db, run_id);
    key::delete_inherited(db, run_id);
    lease::delete(db, run_id);
    interaction::delete(db, run_id);
    run::delete(db, run_id);
    Ok(())
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
