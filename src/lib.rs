//! The state of workflow runs inside PostgreSQL.
//!
//! The house has wings, each of which stands only on those below it; `tests/structure.py` holds them to that, and
//! `docs/architecture.md` draws them with the path of a write and of a read:
//!
//! | wing | what lives there |
//! | --- | --- |
//! | `observe` | what operators look at |
//! | `lifecycle` | how runs go, and the seals that account for what is gone |
//! | `execution` | nodes, loops, recovery, questions to people, circuit breakers, validation of a whole state |
//! | `state` | the change that every write is; runs, variables, documents, the log, checkpoints, the past, proofs |
//! | `workflow` | what holds for many runs: definitions, schemas, event types, handlers |
//! | `store` | the tables: their rows, the fast path to them and the SQL one, values as deltas |
//! | `server` | PostgreSQL as this crate uses it, and all unsafe code |
//! | `pure` | what knows nothing of PostgreSQL |
//!
//! `sql` has the order of the files under sql/: tables, views, comments.
//!
//! Every write goes through `state::change`: lock, head, checks, one event with its cells. How a value stands in rows is
//! decided in `store::value`.

use pgrx::prelude::*;

mod execution;
mod lifecycle;
mod observe;
mod pure;
mod server;
mod sql;
mod state;
mod store;
mod workflow;

pg_module_magic!(name, version);

#[pg_guard]
pub extern "C-unwind" fn _PG_init() {
    // pgrx would add a Rust backtrace to the DETAIL of PostgreSQL's own errors where the server's environment asks for it.
    // SAFETY: a backend has one thread.
    unsafe { std::env::set_var("RUST_LIB_BACKTRACE", "0") };
    server::memory::register();
    server::planner::register();
    server::settings::register();
    store::release::register();
}
