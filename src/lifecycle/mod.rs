//! How runs go: holds, retention policies, dropping, the seals that account for what is gone, and the witness of all of it.

pub mod drop;
pub mod hold;
pub mod retention;
pub mod witness;
