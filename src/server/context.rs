//! Memory contexts of PostgreSQL's.

use pgrx::pg_sys;
use std::ffi::CStr;

/// A memory context below another one, which it is freed with.
pub unsafe fn context_below(outer: pg_sys::MemoryContext, name: &'static CStr) -> pg_sys::MemoryContext {
    // SAFETY: the caller has a context; the name lives as long as the program.
    unsafe {
        pg_sys::AllocSetContextCreateInternal(
            outer,
            name.as_ptr(),
            pg_sys::ALLOCSET_DEFAULT_MINSIZE as usize,
            pg_sys::ALLOCSET_DEFAULT_INITSIZE as usize,
            pg_sys::ALLOCSET_DEFAULT_MAXSIZE as usize,
        )
    }
}

/// A memory context below the one that was current when it was made.
pub struct Memory(pg_sys::MemoryContext);

impl Memory {
    pub fn new() -> Memory {
        // SAFETY: there is a current context. What is in this one goes with it.
        Memory(unsafe { context_below(pg_sys::CurrentMemoryContext, c"layra rows") })
    }

    /// Does `work` in this memory.
    pub fn within<T>(&self, work: impl FnOnce() -> T) -> T {
        // SAFETY: the context is there as long as the one above; an error that unwinds makes another one current.
        unsafe {
            let outer = pg_sys::MemoryContextSwitchTo(self.0);
            let result = work();
            pg_sys::MemoryContextSwitchTo(outer);
            result
        }
    }

    /// Frees what is in it: nobody uses that any more.
    pub fn clear(&self) {
        // SAFETY: as above.
        unsafe { pg_sys::MemoryContextReset(self.0) };
    }
}
