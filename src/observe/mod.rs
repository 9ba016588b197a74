//! What operators look at.

pub mod session;
