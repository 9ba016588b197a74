//! PostgreSQL's own errors pass unchanged.
//!
//! pgrx takes an error of PostgreSQL apart, lets Rust unwind, and raises it again from message, DETAIL, HINT and those
//! SQLSTATEs that it knows: one of a handler's own would arrive as XX000, and no CONTEXT and no name of a constraint at all.
//! Both times PostgreSQL asks everybody on its stack of error contexts to add what he knows. A `Witness` there copies the
//! first error, and completes the second one, which is the same.

use crate::server::memory;
use pgrx::{PgLogLevel, pg_sys};
use std::ffi::{CStr, c_char, c_int, c_void};

/// Stands on the stack of error contexts until dropped. While an error unwinds it stays there, until that is raised again.
pub struct Witness(Option<*mut Entry>);

/// Allocated by PostgreSQL, as it has to outlive the frames of Rust.
struct Entry {
    context: pg_sys::ErrorContextCallback,
    memory: pg_sys::MemoryContext,
    /// The last error that was seen, or null: perhaps one that somebody caught.
    seen: *mut pg_sys::ErrorData,
    /// Whether Rust has unwound.
    unwound: bool,
    /// Whether `found` is at work: without memory for a copy it would be asked about its own error, without end.
    busy: bool,
}

// Without pgrx's guard, as who makes an error calls them; two of them it leaves out of its bindings for that.
unsafe extern "C-unwind" {
    fn errcode(sqlstate: c_int) -> c_int;
    fn errcontext_msg(format: *const c_char, ...) -> c_int;
    fn errdetail_log(format: *const c_char, ...) -> c_int;
}

impl Witness {
    pub fn enter() -> Witness {
        // SAFETY: allocates in the context of this call, which is there when its error is raised; the stack is a list of
        // entries, each of which is taken from it before its memory goes: by `drop`, or by whoever catches the error.
        unsafe {
            let top = pg_sys::error_context_stack;
            // One is enough where no frame of PostgreSQL's is in between.
            if !top.is_null() && (*top).callback.is_some_and(|callback| std::ptr::fn_addr_eq(callback, FOUND)) {
                return Witness(None);
            }
            let entry = memory::palloc(size_of::<Entry>()).cast::<Entry>();
            let context = pg_sys::ErrorContextCallback { previous: top, callback: Some(FOUND), arg: entry.cast() };
            let memory = pg_sys::CurrentMemoryContext;
            entry.write(Entry { context, memory, seen: std::ptr::null_mut(), unwound: false, busy: false });
            pg_sys::error_context_stack = &raw mut (*entry).context;
            Witness(Some(entry))
        }
    }
}

impl Drop for Witness {
    fn drop(&mut self) {
        let Some(entry) = self.0 else { return };
        // SAFETY: made by `enter`, and still on the stack, which every call of PostgreSQL's leaves as it was.
        unsafe {
            if std::thread::panicking() {
                (*entry).unwound = true;
                return;
            }
            pg_sys::error_context_stack = (*entry).context.previous;
            forget(&mut *entry);
            pg_sys::pfree(entry.cast());
        }
    }
}

type Callback = unsafe extern "C-unwind" fn(*mut c_void);
const FOUND: Callback = found;

/// Called for each message that is made below, errors and others.
#[pgrx::pg_guard]
unsafe extern "C-unwind" fn found(entry: *mut c_void) {
    // SAFETY: PostgreSQL calls it with the entry, while it has a message in hand, in its context for errors, in which
    // CopyErrorData is not allowed.
    unsafe {
        let entry = &mut *entry.cast::<Entry>();
        // In a critical section nothing may be allocated; an error there ends the server.
        if pg_sys::CritSectionCount > 0 {
            return;
        }
        memory::make_room_for_error();
        if std::mem::replace(&mut entry.busy, true) {
            return;
        }
        let before = pg_sys::MemoryContextSwitchTo(entry.memory);
        let error = pg_sys::CopyErrorData();
        // Not all minor versions copy that, and pgrx has it in memory that goes with the error.
        if !(*error).filename.is_null() {
            (*error).filename = pg_sys::pstrdup((*error).filename);
        }
        pg_sys::MemoryContextSwitchTo(before);
        if (*error).elevel != PgLogLevel::ERROR as c_int {
            pg_sys::FreeErrorData(error);
        } else if !entry.unwound {
            forget(entry);
            entry.seen = error;
        } else {
            if !entry.seen.is_null() && is_same(&*error, &*entry.seen) {
                complete(&*entry.seen);
            }
            pg_sys::FreeErrorData(error);
            forget(entry);
        }
        entry.busy = false;
    }
}

/// Whether this is the error that pgrx raised again: an error of our own may have followed one that was caught.
unsafe fn is_same(error: &pg_sys::ErrorData, seen: &pg_sys::ErrorData) -> bool {
    // SAFETY: the caller has errors of PostgreSQL's, whose texts are C strings or null.
    unsafe {
        error.lineno == seen.lineno
            && [(error.message, seen.message), (error.filename.cast_mut(), seen.filename.cast_mut())]
                .into_iter()
                .all(|(a, b)| !a.is_null() && !b.is_null() && CStr::from_ptr(a) == CStr::from_ptr(b))
    }
}

/// Gives the error in hand what pgrx has left out.
unsafe fn complete(seen: &pg_sys::ErrorData) {
    let fields = [
        (pg_sys::PG_DIAG_SCHEMA_NAME, seen.schema_name),
        (pg_sys::PG_DIAG_TABLE_NAME, seen.table_name),
        (pg_sys::PG_DIAG_COLUMN_NAME, seen.column_name),
        (pg_sys::PG_DIAG_DATATYPE_NAME, seen.datatype_name),
        (pg_sys::PG_DIAG_CONSTRAINT_NAME, seen.constraint_name),
    ];
    // SAFETY: what the code of the server itself calls while it makes an error; the texts, C strings, are copied. errcode and
    // errcontext_msg raise no error but for want of memory, which PostgreSQL then reports in place of this one.
    unsafe {
        errcode(seen.sqlerrcode);
        for (field, text) in fields {
            if !text.is_null() {
                pg_sys::err_generic_string(field.into(), text);
            }
        }
        if !seen.internalquery.is_null() {
            pg_sys::internalerrquery(seen.internalquery);
            pg_sys::internalerrposition(seen.internalpos);
        }
        pg_sys::errposition(seen.cursorpos);
        if !seen.detail_log.is_null() {
            errdetail_log(c"%s".as_ptr(), seen.detail_log);
        }
        if !seen.context.is_null() {
            errcontext_msg(c"%s".as_ptr(), seen.context);
        }
    }
}

/// Frees what was seen.
unsafe fn forget(entry: &mut Entry) {
    let seen = std::mem::replace(&mut entry.seen, std::ptr::null_mut());
    if !seen.is_null() {
        // SAFETY: a copy that nobody else has.
        unsafe { pg_sys::FreeErrorData(seen) };
    }
}
