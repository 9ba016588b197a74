//! How runs go: holds, dropping, the seals that account for what is gone, and the witness of all of it.

pub mod drop;
pub mod hold;
pub mod witness;
