//! What only administrators of the extension do: it holds for everybody.

use crate::server::error::{Error, Result};
use crate::server::role;
use crate::store::access::has_level;
use crate::store::db::Db;

/// 42501 unless the caller has level admin.
pub fn require_admin(db: &Db, what: &str) -> Result<()> {
    if role::is_superuser(db.caller) || has_level(db, db.caller, "admin") {
        return Ok(());
    }
    Err(Error::not_admin(what))
}
