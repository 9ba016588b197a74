//! How a statement that the extension keeps a plan of is written, beside the rows that it reads or writes.
//!
//! Names and operators are schema-qualified (the caller's search_path is hostile until proven otherwise), every statement
//! on a run has `run_id = $1`, and the comment it starts with is its name in pg_stat_statements and auto_explain.
//! A list of cells comes as three arrays: scopes, keys, ordinals.

macro_rules! statement {
    ($(#[$doc:meta])* $name:ident, [$($arg:ident),*], $($sql:expr),+ $(,)?) => {
        statement! { @ $(#[$doc])* $name, [$($arg),*], false, $($sql),+ }
    };
    // Of a table that nobody locks against readers of it, whatever else the call does.
    ($(#[$doc:meta])* only reads $name:ident, [$($arg:ident),*], $($sql:expr),+ $(,)?) => {
        statement! { @ $(#[$doc])* $name, [$($arg),*], true, $($sql),+ }
    };
    (@ $(#[$doc:meta])* $name:ident, [$($arg:ident),*], $only_reads:literal, $($sql:expr),+) => {
        $(#[$doc])*
        pub static $name: crate::server::spi::Statement = crate::server::spi::Statement {
            sql: concat!($($sql),+),
            args: &[$(pgrx::pg_sys::BuiltinOid::$arg),*],
            only_reads: $only_reads,
        };
    };
}
pub(super) use statement;
