//! The one place where the extension becomes the owner of its tables.
//!
//! The functions run with their caller's privileges, and nobody but the owner may write to the tables. While our own
//! statements are planned and run, `Guard` switches the user as referential-integrity triggers do, and forbids the plans
//! that are only right for the statistics of the moment at which they were made; `planner` hides those.

use pgrx::pg_sys;
use std::cell::Cell;
use std::ffi::CStr;

/// The role that called, before any switch.
pub fn caller() -> pg_sys::Oid {
    // SAFETY: reads a backend-local variable.
    unsafe { pg_sys::GetUserId() }
}

/// Owner of a table, and generic index plans, until dropped.
pub struct Guard {
    schema: &'static CStr,
    table: &'static CStr,
    before: Cell<Before>,
}

thread_local! {
    /// Whether the innermost guard is entered, and not suspended.
    static ENTERED: Cell<bool> = const { Cell::new(false) };
}

/// Whether what is planned and run now is ours, and not the caller's.
pub fn is_entered() -> bool {
    ENTERED.get()
}

/// What there was before.
#[derive(Clone, Copy)]
struct Before {
    user: pg_sys::Oid,
    context: i32,
    seqscan: bool,
    bitmapscan: bool,
    sort: bool,
    jit: bool,
    entered: bool,
}

impl Guard {
    pub fn enter(schema: &'static CStr, table: &'static CStr) -> Guard {
        Guard { schema, table, before: Cell::new(Before::replace(owner_of(schema, table))) }
    }

    /// The caller again, until the result is dropped.
    pub fn suspend(&self) -> Suspended<'_> {
        self.before.get().restore();
        Suspended(self)
    }
}

impl Before {
    fn replace(owner: pg_sys::Oid) -> Before {
        let (mut user, mut context) = (pg_sys::InvalidOid, 0);
        // SAFETY: plain reads and writes of backend-local variables; `Guard` puts all of them back, also while a
        // PostgreSQL error unwinds, and transaction abort restores the user in any case.
        unsafe {
            pg_sys::GetUserIdAndSecContext(&mut user, &mut context);
            let before = Before {
                user,
                context,
                seqscan: pg_sys::enable_seqscan,
                bitmapscan: pg_sys::enable_bitmapscan,
                sort: pg_sys::enable_sort,
                jit: pg_sys::jit_enabled,
                entered: ENTERED.replace(true),
            };
            let flags = pg_sys::SECURITY_LOCAL_USERID_CHANGE | pg_sys::SECURITY_NOFORCE_RLS;
            pg_sys::SetUserIdAndSecContext(owner, context | flags as i32);
            // A plan that was made while a table was empty is a sequential scan, and is kept: 10,000 writes took
            // 12.2 s, against 0.2 s with index plans.
            pg_sys::enable_seqscan = false;
            pg_sys::enable_bitmapscan = false;
            pg_sys::enable_sort = false;
            // A plan whose only way is a forbidden one costs 1e10, and would be compiled: 700 ms for a first read.
            pg_sys::jit_enabled = false;
            before
        }
    }

    fn restore(self) {
        // SAFETY: puts back what `replace` read.
        unsafe {
            pg_sys::SetUserIdAndSecContext(self.user, self.context);
            pg_sys::enable_seqscan = self.seqscan;
            pg_sys::enable_bitmapscan = self.bitmapscan;
            pg_sys::enable_sort = self.sort;
            pg_sys::jit_enabled = self.jit;
        }
        ENTERED.set(self.entered);
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.before.get().restore();
    }
}

/// A guard that is left for a while. Dropping it takes the owner's role again; what the caller's code has set stays set.
pub struct Suspended<'a>(&'a Guard);

impl Drop for Suspended<'_> {
    fn drop(&mut self) {
        // An error is on its way out: the guard has nothing left to do but to restore the caller, whom we are.
        if !std::thread::panicking() {
            self.0.before.set(Before::replace(owner_of(self.0.schema, self.0.table)));
        }
    }
}

/// A flag of the backend's that has another value until this is dropped.
pub struct Flag {
    variable: *mut bool,
    before: bool,
}

impl Flag {
    /// Nothing is written, as in a read-only transaction (25006): for code that is only asked.
    pub fn read_only() -> Flag {
        Flag::set(&raw mut pg_sys::XactReadOnly, true)
    }

    /// Grants are those of an administrator, also in an extension's script. What the script itself grants is the extension's
    /// initial privileges: pg_dump leaves them out, and a restored copy would let nobody in.
    pub fn outside_of_scripts() -> Flag {
        Flag::set(&raw mut pg_sys::creating_extension, false)
    }

    /// A function has one name, whatever the session's settings.
    pub fn plain_names() -> Flag {
        Flag::set(&raw mut pg_sys::quote_all_identifiers, false)
    }

    fn set(variable: *mut bool, value: bool) -> Flag {
        // SAFETY: a backend-local variable of PostgreSQL's; `Drop` puts it back, also while a PostgreSQL error unwinds.
        // Subtransactions save and restore those that belong to a transaction themselves.
        unsafe { Flag { variable, before: std::mem::replace(&mut *variable, value) } }
    }
}

impl Drop for Flag {
    fn drop(&mut self) {
        // SAFETY: restores what `set` read.
        unsafe { *self.variable = self.before };
    }
}

/// The owner of a table, looked up each time (three catalogue cache hits): it changes with REASSIGN OWNED, and the table is
/// another one after DROP and CREATE EXTENSION in the same session.
fn owner_of(schema: &CStr, table: &CStr) -> pg_sys::Oid {
    // SAFETY: syscache lookups with valid C strings; the tuple is released before the function returns.
    unsafe {
        let namespace = pg_sys::get_namespace_oid(schema.as_ptr(), false);
        let relation = pg_sys::get_relname_relid(table.as_ptr(), namespace);
        let tuple = pg_sys::SearchSysCache1(pg_sys::SysCacheIdentifier::RELOID as i32, pg_sys::Datum::from(relation));
        if tuple.is_null() {
            let (schema, table) = (schema.to_string_lossy(), table.to_string_lossy());
            pgrx::error!("table {schema}.{table} does not exist");
        }
        let form = pg_sys::GETSTRUCT(tuple) as *const pg_sys::FormData_pg_class;
        let owner = (*form).relowner;
        pg_sys::ReleaseSysCache(tuple);
        owner
    }
}
