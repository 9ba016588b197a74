//! What long loops and deep recursions ask for.

use crate::server::memory;
use pgrx::pg_sys;

/// Lets the user cancel a long loop, and ends one that takes more memory than there is.
pub fn check_for_interrupts() {
    pgrx::check_for_interrupts!();
    memory::check();
}

/// Raises PostgreSQL's error before a recursion overflows the stack, which would take the server down.
pub fn check_stack_depth() {
    // SAFETY: compares addresses.
    unsafe { pg_sys::check_stack_depth() };
}
