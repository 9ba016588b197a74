//! PostgreSQL as this crate uses it, and all unsafe code: executor, heap and index access, roles, settings, values, errors.

pub mod args;
pub mod argument;
pub mod columns;
pub mod context;
pub mod cursor;
pub mod error;
pub mod guard;
pub mod heap;
pub mod interrupts;
pub mod invalidation;
pub mod jsonb;
pub mod memo;
pub mod memory;
pub mod name;
pub mod planner;
pub mod rethrow;
pub mod role;
pub mod room;
pub mod row;
pub mod scan;
pub mod settings;
pub mod spi;
pub mod stream;
pub mod support;
pub mod transaction;
pub mod writer;
