//! Which release the tables are of.
//!
//! The library serves the schema of its own release and that of the release before it: files are installed first, and
//! ALTER EXTENSION … UPDATE may come days later. A session that is older than the schema is refused: what it does not know
//! of, it would read as something else. Every update locks `layra.run` against everybody before it changes anything, and
//! makes PostgreSQL tell all sessions so (a relation cache message); a session that has got such a message looks again, with
//! its lock on `layra.run` held.

use crate::server::heap;
use crate::server::invalidation;
use crate::server::spi::{Edition, Session};
use crate::store::statement::statement;
use crate::store::tables::SCHEMA;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use std::borrow::Cow;
use std::cell::Cell;
use std::ffi::CStr;

statement! {
    INSTALLED_VERSION, [], "/* layra.installed_version */
SELECT e.extversion FROM pg_catalog.pg_extension e WHERE e.extname OPERATOR(pg_catalog.=) 'layra_state'"
}

const LIBRARY: &str = env!("CARGO_PKG_VERSION");
const BEFORE: &str = "0.3.0";

/// The schemas that the library serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Schema {
    /// That of this release.
    Own,
    /// That of the release before it. All that serves it is below, and where it is asked for: it goes with the next release.
    Before,
}

/// The tables whose changes are watched: an update changes one of them at least.
const WATCHED: [&CStr; 3] = [c"run", c"event", c"cell"];

thread_local! {
    /// What was seen last; None: nothing yet, or something has changed since.
    static SEEN: Cell<Option<Schema>> = const { Cell::new(None) };
    /// The tables of WATCHED, as they were then.
    static TABLES: Cell<[pg_sys::Oid; 3]> = const { Cell::new([pg_sys::InvalidOid; 3]) };
}

/// Once in a session.
pub fn register() {
    invalidation::on_relation_change(|relation| {
        if relation.is_none_or(|relation| TABLES.get().contains(&relation)) {
            SEEN.set(None);
        }
    });
}

/// Whether there is no need to look. The schema of the release before may be updated at any time.
pub fn is_known() -> bool {
    SEEN.get() == Some(Schema::Own)
}

/// The schema, which stays what it is until the transaction ends; 55000 for one that the library does not serve.
pub fn look(session: &Session) -> Schema {
    let schema = heap::schema(SCHEMA);
    let tables = WATCHED.map(|table| heap::lock_to_read(schema, table));
    TABLES.set(tables.map(|table| table.unwrap_or(pg_sys::InvalidOid)));
    let rows = session.execute_latest(&INSTALLED_VERSION, Schema::Own.edition(), &[]);
    let installed: Option<String> = if rows.is_empty() { None } else { rows.get(0, 1) };
    let schema = match installed.as_deref() {
        Some(LIBRARY) => Schema::Own,
        Some(BEFORE) => Schema::Before,
        _ => refuse(&installed.unwrap_or_default()),
    };
    SEEN.set(Some(schema));
    schema
}

fn refuse(installed: &str) -> ! {
    let numbers = |version: &str| -> Vec<u32> { version.split('.').map_while(|part| part.parse().ok()).collect() };
    let hint = if numbers(installed) > numbers(LIBRARY) {
        "Connect again: a session keeps the library that it began with. If that does not help, install the files of the newer version."
    } else {
        "ALTER EXTENSION layra_state UPDATE;"
    };
    let message =
        format!("the library of layra_state is version {LIBRARY}, the extension in this database {installed}");
    ErrorReport::new(PgSqlErrorCode::ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE, message, "layra_state")
        .set_hint(hint)
        .report(PgLogLevel::ERROR);
    unreachable!("an error has been raised")
}

/// A predicate of an index of `layra.run` calls it, so PostgreSQL does whenever it plans a statement on that table for the
/// first time after the update: a session of 0.2.0, whose library has no such function, can plan none, and reads no delta as
/// a value.
#[pg_extern(immutable, parallel_safe)]
fn format_3() -> bool {
    true
}

// ------------------------------------------------------------------------------------------- the release before this one

impl Schema {
    /// How statements are worded for this schema.
    pub fn edition(self) -> Edition {
        match self {
            Schema::Own => Edition { number: 0, text: |sql| Cow::Borrowed(sql) },
            Schema::Before => Edition { number: 1, text: older },
        }
    }
}

/// A statement's text for the schema of 0.3.0, in which runs that go leave no seals, and nobody holds one.
fn older(sql: &'static str) -> Cow<'static, str> {
    const OLDER: [(&str, &str); 2] =
        [("layra.seal o", "(SELECT ''::pg_catalog.text AS owner WHERE false) o"), ("r.hold", "NULL::pg_catalog.text")];
    match OLDER.iter().any(|(own, _)| sql.contains(own)) {
        true => Cow::Owned(OLDER.iter().fold(sql.to_owned(), |sql, (own, older)| sql.replace(own, older))),
        false => Cow::Borrowed(sql),
    }
}
