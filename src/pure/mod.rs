//! What knows nothing of PostgreSQL.

pub mod binary;
pub mod definition;
pub mod delta;
pub mod hash;
pub mod html;
pub mod json;
pub mod layout;
pub mod list;
pub mod merge;
pub mod picture;
pub mod progress;
pub mod report;
pub mod room;
pub mod timestamp;
pub mod topology;
