//! A run's state: the change that every write is, variables, documents, the log, checkpoints, the past, proofs.

pub mod access;
pub mod change;
pub mod changes;
pub mod checkpoint;
pub mod completion;
pub mod diff;
pub mod document;
pub mod event;
pub mod fork;
pub mod history;
pub mod reader;
pub mod rollback;
pub mod run;
pub mod variables;
pub mod verify;
