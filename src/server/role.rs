//! Roles: their names, and what each may do in place of another.

use crate::server::name;
use pgrx::pg_sys;
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
    is_superuser(role) || has_privileges_of_existing(role, owner)
}

/// As `has_privileges_of`, but of a role that does not exist (any more) not even a superuser has them.
pub fn has_privileges_of_existing(role: pg_sys::Oid, other: &str) -> bool {
    // SAFETY: a catalogue lookup by role id.
    role_oid(other).is_some_and(|other| unsafe { pg_sys::has_privs_of_role(role, other) })
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

pub fn bypasses_row_security(role: pg_sys::Oid) -> bool {
    // SAFETY: catalogue lookups by role id.
    unsafe { pg_sys::superuser_arg(role) || pg_sys::has_bypassrls_privilege(role) }
}

pub fn is_superuser(role: pg_sys::Oid) -> bool {
    // SAFETY: a catalogue lookup by role id.
    unsafe { pg_sys::superuser_arg(role) }
}
