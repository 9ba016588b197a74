//! Lines of an export in a table of the caller's.

use crate::server::cursor::{Cursor, Raw};
use crate::server::error::{Error, Result};
use crate::server::jsonb::Jsonb;
use crate::server::name::Relation;
use crate::server::spi::execute_text;
use crate::store::db::Db;
use pgrx::IntoDatum;
use pgrx::pg_sys::OIDOID;

/// The query that reads the lines in the order of their numbers, of a table that has one column, of jsonb.
const QUERY: &str = "/* layra.lines_query */
SELECT pg_catalog.format('SELECT t.%1$I FROM %2$I.%3$I t ORDER BY t.%1$I OPERATOR(pg_catalog.->) ''line'' USING OPERATOR(pg_catalog.<)',
    pg_catalog.min(a.attname::pg_catalog.text), n.nspname, c.relname)
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
JOIN pg_catalog.pg_attribute a ON a.attrelid OPERATOR(pg_catalog.=) c.oid AND a.attnum OPERATOR(pg_catalog.>) 0 AND NOT a.attisdropped
WHERE c.oid OPERATOR(pg_catalog.=) $1
GROUP BY n.nspname, c.relname
HAVING pg_catalog.count(*) OPERATOR(pg_catalog.=) 1
   AND pg_catalog.bool_and(a.atttypid OPERATOR(pg_catalog.=) 'pg_catalog.jsonb'::pg_catalog.regtype)";

/// Rows that are read at a time.
const MANY: i64 = 500;

/// Where lines come from.
pub enum Source {
    /// All that there are, in order.
    Given(Vec<Jsonb>),
    Table(Cursor),
}

/// A line that may have to be read yet; None where it is NULL.
pub enum Line {
    Given(Jsonb),
    Raw(Raw),
}

impl Line {
    pub fn jsonb(&self) -> Option<Jsonb> {
        match self {
            Line::Given(line) => Some(*line),
            Line::Raw(raw) => raw.jsonb(),
        }
    }
}

impl Source {
    /// Read as the caller: what its privileges, row security or a view's functions are is not ours.
    pub fn table(db: &Db, table: &Relation) -> Result<Source> {
        let sql = db.as_caller(|| execute_text(QUERY, &[(OIDOID, table.0.into_datum())]).pop().flatten());
        let sql = sql.ok_or_else(|| Error::argument("source must be a table with one column, of type jsonb"))?;
        Ok(Source::Table(db.as_caller(|| Cursor::open(&sql))))
    }

    /// Some lines; none where there are no more.
    pub fn some(&mut self, db: &Db) -> Vec<Line> {
        match self {
            Source::Given(lines) => std::mem::take(lines).into_iter().map(Line::Given).collect(),
            Source::Table(cursor) => db.as_caller(|| cursor.some(MANY)).into_iter().map(Line::Raw).collect(),
        }
    }

    pub fn close(self, db: &Db) {
        if let Source::Table(cursor) = self {
            db.as_caller(|| cursor.close());
        }
    }
}
