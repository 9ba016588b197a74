//! What the transaction, and those of others, tell.

use pgrx::pg_sys;

/// A count that grows when any transaction ends which may have written something: where it has not grown, a snapshot that
/// was taken in between is as good as a new one.
pub fn completions() -> u64 {
    // SAFETY: the snapshot is a static one of PostgreSQL's, which is read before anything else can take another.
    unsafe { (*pg_sys::GetLatestSnapshot()).snapXactCompletionCount }
}

/// Whether the transaction's snapshot can hide what others have committed since.
pub fn above_read_committed() -> bool {
    // SAFETY: reads a backend-local variable.
    unsafe { pg_sys::XactIsoLevel > pg_sys::XACT_READ_COMMITTED as i32 }
}
