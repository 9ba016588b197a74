//! What long loops and deep recursions ask for.

use crate::server::memory;
use crate::server::rethrow::Witness;
use pgrx::pg_sys;

/// Lets the user cancel a long loop, and ends one that takes more memory than there is.
pub fn check_for_interrupts() {
    // SAFETY: a flag that a signal's handler sets, and what PostgreSQL does where it is set.
    unsafe {
        if pg_sys::InterruptPending != 0 {
            let _witness = Witness::enter();
            pg_sys::ProcessInterrupts();
        }
    }
    memory::check();
}

/// Raises PostgreSQL's error before a recursion overflows the stack, which would take the server down.
pub fn check_stack_depth() {
    // SAFETY: compares addresses.
    unsafe { pg_sys::check_stack_depth() };
}
