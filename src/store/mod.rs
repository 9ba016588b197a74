//! The tables: their rows, the fast path to them and the SQL one, values as deltas.

pub mod cell;
pub mod chain;
pub mod compare;
pub mod guess;
pub mod plain;
pub mod release;
pub mod statements;
