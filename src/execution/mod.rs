//! What an engine lives on while a run is running: nodes, loops, recovery, people, circuit breakers.

pub mod breaker;
pub mod interaction;
pub mod loops;
pub mod node;
pub mod recovery;
pub mod validate;
