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
    /// The last error that was seen: perhaps one that somebody caught.
    seen: Option<Copy>,
    /// Whether Rust has unwound.
    unwound: bool,
    /// Whether `found` is at work: without memory for a copy it would be asked about its own error, without end.
    busy: bool,
}

/// An error, in a memory context of its own: a larger one might take all that there is, 1 MB or more, to give a few bytes.
struct Copy {
    error: *mut pg_sys::ErrorData,
    context: pg_sys::MemoryContext,
}

impl Copy {
    /// Of the error in hand.
    unsafe fn take(parent: pg_sys::MemoryContext) -> Copy {
        const BLOCK: usize = 1024;
        // SAFETY: the caller has an error in hand, and a context that outlives this one.
        unsafe {
            let context = pg_sys::AllocSetContextCreateInternal(parent, c"layra_state error".as_ptr(), 0, BLOCK, BLOCK);
            let before = pg_sys::MemoryContextSwitchTo(context);
            let error = pg_sys::CopyErrorData();
            // Not all minor versions copy that, and pgrx has it in memory that goes with the error.
            if !(*error).filename.is_null() {
                (*error).filename = pg_sys::pstrdup((*error).filename);
            }
            pg_sys::MemoryContextSwitchTo(before);
            Copy { error, context }
        }
    }

    fn free(self) {
        // SAFETY: made by `take`, and nobody else has it.
        unsafe { pg_sys::MemoryContextDelete(self.context) };
    }
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
            entry.write(Entry { context, memory, seen: None, unwound: false, busy: false });
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
        let copy = Copy::take(entry.memory);
        if (*copy.error).elevel != PgLogLevel::ERROR as c_int {
            copy.free();
        } else if !entry.unwound {
            forget(entry);
            entry.seen = Some(copy);
        } else {
            if let Some(seen) = &entry.seen
                && is_same(&*copy.error, &*seen.error)
            {
                complete(&*seen.error);
            }
            copy.free();
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
fn forget(entry: &mut Entry) {
    if let Some(seen) = entry.seen.take() {
        seen.free();
    }
}
