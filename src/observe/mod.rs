//! What operators look at.

pub mod report;
pub mod session;
