//! The state of workflow runs inside PostgreSQL.
//!
//! A file for each word of the domain: `run`, `variables`, `document` (save_state, get_state), `event`, `checkpoint`,
//! `rollback`, `fork`, `history`, `diff`, `verify`, `workflow`; and for what an engine lives on while a run is running:
//! `node`, `loops`, `recovery`, `interaction`, `breaker`, `validate`, `event_type`, `handler`.
//!
//! Every write goes through `change`: lock, head, checks, one event with its cells. How a value stands in rows is decided in
//! `chain`. There are two ways to a row: `plain`, without a plan, where the tables are plain; and the SQL of `statements`, in
//! every other case; which release the tables are of, in `release`. What a session remembers, `session` tells. Errors are in
//! `error`, hashing in `hash`, the merge in `merge`, definitions in `definition`, jsonb's binary form in `binary`, patches in
//! `delta`, graphs in `topology` and `progress`: the last seven, `json`, `list` and `room` know nothing of PostgreSQL. `memory`
//! makes an error of the kernel's refusal of memory.
//!
//! Unsafe code is in `guard` (the switch of user, flags of the backend), `spi` (the executor), `plain` (tables and indexes),
//! `memory` and `room` (the allocator), `rethrow` (errors on their way), `jsonb`, `name` and `row` (datums), `access` (roles),
//! `settings` (time), `release` (a callback), and `_PG_init`.

use pgrx::prelude::*;

mod access;
mod args;
mod binary;
mod breaker;
mod cell;
mod chain;
mod change;
mod checkpoint;
mod compare;
mod completion;
mod definition;
mod delta;
mod diff;
mod document;
mod error;
mod event;
mod event_type;
mod fork;
mod graph;
mod guard;
mod guess;
mod handler;
mod hash;
mod history;
mod interaction;
mod interruptible;
mod json;
mod jsonb;
mod list;
mod loops;
mod memory;
mod merge;
mod name;
mod node;
mod plain;
mod progress;
mod recovery;
mod release;
mod rethrow;
mod rollback;
mod room;
mod row;
mod run;
mod schema;
mod session;
mod settings;
mod spi;
mod statements;
mod stream;
mod timestamp;
mod topology;
mod validate;
mod variables;
mod verify;
mod workflow;

pg_module_magic!(name, version);

extension_sql_file!("../sql/bootstrap.sql", name = "bootstrap", bootstrap);
extension_sql_file!("../sql/tables.sql", name = "tables", requires = ["bootstrap", release::format_3]);
extension_sql_file!("../sql/views.sql", name = "views", requires = ["tables", history::cells, session::remembered]);
extension_sql_file!(
    "../sql/security.sql",
    name = "security",
    requires = ["views", access::reads_run, access::reads_runs_of, access::readable_owners, access::reads_every_run]
);
extension_sql_file!("../sql/execution.sql", name = "execution", requires = ["security", breaker::breaker_state_row]);
extension_sql_file!("../sql/comments.sql", name = "comments", finalize);

#[pg_guard]
pub extern "C-unwind" fn _PG_init() {
    // pgrx would add a Rust backtrace to the DETAIL of PostgreSQL's own errors where the server's environment asks for it.
    // SAFETY: a backend has one thread.
    unsafe { std::env::set_var("RUST_LIB_BACKTRACE", "0") };
    memory::register();
    settings::register();
    release::register();
}
