//! What holds for many runs: definitions, schemas, event types, handlers.

pub mod admin;
pub mod definitions;
pub mod event_type;
pub mod handler;
pub mod interruptible;
pub mod schema;
pub mod validator;
