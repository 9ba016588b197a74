//! Who may do what: owners, auditors, and what the row security of the tables asks.

use crate::error::{Error, Result};
use crate::guard::Flag;
use crate::name;
use crate::rethrow::Witness;
use crate::spi::{Db, execute_text};
use crate::statements::ROLES_WITH_LEVEL;
use pgrx::prelude::*;
use pgrx::{IntoDatum, pg_sys};
use std::ffi::{CStr, CString};

/// The name of a role that exists.
pub fn role_name(role: pg_sys::Oid) -> String {
    // SAFETY: raises an error for an unknown role; the name is copied.
    unsafe { name::text(CStr::from_ptr(pg_sys::GetUserNameFromId(role, false)), "the name of the role") }
}

/// None where the role does not exist (any more).
pub fn role_oid(name: &str) -> Option<pg_sys::Oid> {
    let name = CString::new(name).ok()?;
    // SAFETY: a valid C string; a missing role gives InvalidOid.
    let oid = unsafe { pg_sys::get_role_oid(name.as_ptr(), true) };
    (oid != pg_sys::InvalidOid).then_some(oid)
}

/// As `role_oid`; a missing role raises PostgreSQL's own error (42704).
pub fn existing_role(name: &str) -> pg_sys::Oid {
    let name = CString::new(name).unwrap_or_default();
    // SAFETY: a valid C string.
    unsafe { pg_sys::get_role_oid(name.as_ptr(), false) }
}

/// Whether `role` has the privileges of the role named `owner`, as PostgreSQL's own grants do ('USAGE').
pub fn has_privileges_of(role: pg_sys::Oid, owner: &str) -> bool {
    // SAFETY: catalogue lookups by role id.
    unsafe {
        pg_sys::superuser_arg(role) || role_oid(owner).is_some_and(|owner| pg_sys::has_privs_of_role(role, owner))
    }
}

/// Whether `role` can become the role named `other` (SET ROLE), as ALTER … OWNER TO asks.
pub fn can_become(role: pg_sys::Oid, other: pg_sys::Oid) -> bool {
    // SAFETY: catalogue lookups by role id.
    #[cfg(feature = "pg15")]
    unsafe {
        pg_sys::is_member_of_role(role, other)
    }
    // SAFETY: as above. Since version 16 a membership may leave out SET.
    #[cfg(not(feature = "pg15"))]
    unsafe {
        pg_sys::member_can_set_role(role, other)
    }
}

fn bypasses_row_security(role: pg_sys::Oid) -> bool {
    // SAFETY: catalogue lookups by role id.
    unsafe { pg_sys::superuser_arg(role) || pg_sys::has_bypassrls_privilege(role) }
}

pub fn has_level(db: &Db, role: pg_sys::Oid, level: &str) -> bool {
    let rows = db.query(&ROLES_WITH_LEVEL, &[level.into_datum()]);
    (0..rows.len())
        .filter_map(|row| rows.get::<String>(row, 1).and_then(|name| role_oid(&name)))
        // SAFETY: catalogue lookups by role id.
        .any(|granted| unsafe { pg_sys::has_privs_of_role(role, granted) })
}

pub fn may_write(db: &Db, run_id: &str, owner: &str) -> Result<()> {
    if has_privileges_of(db.caller, owner) { Ok(()) } else { Err(Error::NotYours(run_id.to_owned())) }
}

pub fn may_read(db: &Db, owner: &str) -> bool {
    has_privileges_of(db.caller, owner) || bypasses_row_security(db.caller) || has_level(db, db.caller, "auditor")
}

pub fn must_read(db: &Db, run_id: &str, owner: &str) -> Result<()> {
    if may_read(db, owner) { Ok(()) } else { Err(Error::NotYours(run_id.to_owned())) }
}

/// 42501 unless the caller has level admin.
pub fn require_admin(db: &Db, what: &str) -> Result<()> {
    // SAFETY: catalogue lookup by role id.
    if unsafe { pg_sys::superuser_arg(db.caller) } || has_level(db, db.caller, "admin") {
        return Ok(());
    }
    let message = format!("only roles with level admin {what}");
    Err(Error::Privilege { message, hint: "A superuser gives it: SELECT layra.grant_access('role', 'admin');" })
}

/// For the row security policies: has the current role the privileges of this owner? Its cost makes the planner look up the
/// one run that a row belongs to, instead of asking for every run there is.
#[pg_extern(stable, cost = 10000)]
fn owns(owner: Option<&str>) -> bool {
    owner.is_some_and(|owner| has_privileges_of(crate::guard::caller(), owner))
}

/// Grants what layra.access says. Upgrade scripts end with it, so that new functions and tables are granted, too.
#[pg_extern]
#[search_path(pg_catalog, pg_temp)]
fn renew_grants() {
    let (_outside, _witness) = (Flag::outside_of_scripts(), Witness::enter());
    execute_text(include_str!("../sql/grants.sql"), &[]);
}

/// For the row security policies: does the current role read every run?
#[pg_extern(stable)]
fn reads_every_run() -> bool {
    let db = Db::read();
    has_level(&db, db.caller, "auditor")
}
