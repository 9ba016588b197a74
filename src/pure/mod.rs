//! What knows nothing of PostgreSQL.

pub mod binary;
pub mod definition;
pub mod delta;
pub mod hash;
pub mod json;
pub mod list;
pub mod merge;
pub mod progress;
pub mod room;
pub mod timestamp;
pub mod topology;
