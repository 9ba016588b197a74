//! How runs go: holds, retention policies, exports and imports, dropping, the seals that account for what is gone, and the witness of all of it.

pub mod drop;
pub mod export;
pub mod hold;
pub mod import;
pub mod line;
pub mod origin;
pub mod retention;
pub mod witness;
