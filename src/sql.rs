//! The SQL of the extension that is not a function of this crate, and the order of its files: one for each table and view with
//! all that belongs to it (indexes, row security, registration for dumps, comments), one for the comments of each group of
//! functions. Functions stand before all of it: none needs a table to be created, and policies and views need them.
//!
//! - Every table is a plain member table: no triggers, no sequences, no foreign keys. Keys that belong to a run start with run_id,
//!   so that a distributed engine can route every statement. Collation "C": names compare as bytes, on any machine.
//! - Row security: a role sees the rows of runs whose owner's privileges it has; auditors see all of them. The functions of the
//!   policies remember what they asked for the rows before, and lead a search by owner to an index; so no policy has a query.
//! - Every view has the caller's privileges and row security, and costs one run under `WHERE run_id = ...`; runs and timeline cost
//!   the rows that are asked for. None is a security barrier: what a role may not see the policies of the tables hold back, below
//!   any condition; no view has one of its own that would. A barrier kept the caller's conditions and LIMIT from the indexes.
//! - Nothing is granted to PUBLIC; grant_access gives a role one of three levels.
//! - A function's comment is what `layra.help` shows: a first line of one short sentence, which says what it is for; more about
//!   it; a line for each argument with type, default and unit; Result; Errors, as SQLSTATEs; and an Example that works. That of a
//!   function that is not for callers begins with "Internal: ". Two arguments mean the same wherever they occur, and are explained
//!   with start_run and set_variables. `tests/docs` holds all of that.

use pgrx::prelude::*;

macro_rules! in_this_order {
    ($before:literal:) => {};
    ($before:literal: $path:literal as $name:literal, $($rest:tt)*) => {
        extension_sql_file!($path, name = $name, requires = [$before]);
        in_this_order!($name: $($rest)*);
    };
}

extension_sql_file!("../sql/bootstrap.sql", name = "bootstrap", bootstrap);
in_this_order! {
    "bootstrap":
    "../sql/tables/run.sql" as "table_run",
    "../sql/tables/event.sql" as "table_event",
    "../sql/tables/cell.sql" as "table_cell",
    "../sql/tables/checkpoint.sql" as "table_checkpoint",
    "../sql/tables/bequeathed_key.sql" as "table_bequeathed_key",
    "../sql/tables/inheritance.sql" as "table_inheritance",
    "../sql/tables/inherited_key.sql" as "table_inherited_key",
    "../sql/tables/seal.sql" as "table_seal",
    "../sql/tables/retention.sql" as "table_retention",
    "../sql/tables/workflow.sql" as "table_workflow",
    "../sql/tables/graph.sql" as "table_graph",
    "../sql/tables/event_type.sql" as "table_event_type",
    "../sql/tables/validator.sql" as "table_validator",
    "../sql/tables/handler.sql" as "table_handler",
    "../sql/tables/lease.sql" as "table_lease",
    "../sql/tables/interaction.sql" as "table_interaction",
    "../sql/tables/breaker.sql" as "table_breaker",
    "../sql/tables/breaker_probe.sql" as "table_breaker_probe",
    "../sql/tables/breaker_outcome.sql" as "table_breaker_outcome",
    "../sql/tables/access.sql" as "table_access",
    "../sql/compression.sql" as "compression",
    "../sql/views/runs.sql" as "view_runs",
    "../sql/views/timeline.sql" as "view_timeline",
    "../sql/views/changes.sql" as "view_changes",
    "../sql/views/seals.sql" as "view_seals",
    "../sql/views/variables.sql" as "view_variables",
    "../sql/views/nodes.sql" as "view_nodes",
    "../sql/views/loops.sql" as "view_loops",
    "../sql/views/contexts.sql" as "view_contexts",
    "../sql/views/interactions.sql" as "view_interactions",
    "../sql/views/breakers.sql" as "view_breakers",
    "../sql/views/session_memory.sql" as "view_session_memory",
    "../sql/functions/runs.sql" as "functions_runs",
    "../sql/functions/variables.sql" as "functions_variables",
    "../sql/functions/documents.sql" as "functions_documents",
    "../sql/functions/events.sql" as "functions_events",
    "../sql/functions/time.sql" as "functions_time",
    "../sql/functions/execution.sql" as "functions_execution",
    "../sql/functions/breakers.sql" as "functions_breakers",
    "../sql/functions/rules.sql" as "functions_rules",
    "../sql/functions/proof.sql" as "functions_proof",
    "../sql/functions/report.sql" as "functions_report",
    "../sql/functions/archive.sql" as "functions_archive",
    "../sql/functions/access.sql" as "functions_access",
    "../sql/functions/internal.sql" as "functions_internal",
    "../sql/functions/help.sql" as "functions_help",
    "../sql/extension.sql" as "extension",
}
extension_sql_file!("../sql/privileges.sql", name = "privileges", finalize);
