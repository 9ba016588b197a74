//! What holds for many runs: definitions, schemas, event types, handlers.

pub mod definitions;
pub mod event_type;
pub mod graph;
pub mod handler;
pub mod interruptible;
pub mod schema;
