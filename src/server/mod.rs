//! PostgreSQL as this crate uses it, and all unsafe code: executor, heap and index access, roles, settings, values, errors.

pub mod args;
pub mod error;
pub mod guard;
pub mod jsonb;
pub mod memory;
pub mod name;
pub mod planner;
pub mod rethrow;
pub mod room;
pub mod row;
pub mod settings;
pub mod spi;
pub mod stream;
