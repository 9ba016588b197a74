//! What differs between two versions of a run.

use crate::args;
use crate::cell::COUNTER;
use crate::compare::differences;
use crate::error::Result;
use crate::jsonb::Jsonb;
use crate::run::Reader;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;

type DiffRow = (String, String, i64, &'static str, Option<Jsonb>, Option<Jsonb>);

#[pg_extern(stable)]
#[allow(clippy::type_complexity)]
fn diff(
    run_id: Option<&str>,
    from_version: Option<i64>,
    to_version: default!(Option<i64>, "NULL"),
) -> std::result::Result<
    TableIterator<
        'static,
        (
            name!(scope, String),
            name!(key, String),
            name!(ordinal, i64),
            name!(op, &'static str),
            name!(old_value, Option<Jsonb>),
            name!(new_value, Option<Jsonb>),
        ),
    >,
    ErrorReport,
> {
    Ok(TableIterator::new(rows(run_id, from_version, to_version)?))
}

fn rows(run_id: Option<&str>, from_version: Option<i64>, to_version: Option<i64>) -> Result<Vec<DiffRow>> {
    let run_id = args::run_id(run_id)?;
    let from = args::version(from_version, "from_version")?;
    let to = to_version.map(|version| args::version(Some(version), "to_version")).transpose()?;
    let reader = Reader::open(run_id)?;
    reader.require_version(Some(from), "from_version")?;
    let to = reader.version(to, "to_version")?;
    let backwards = from > to;
    Ok(differences(&reader.db, run_id, from.min(to), from.max(to), true)
        .into_iter()
        .filter(|difference| difference.id.ordinal != COUNTER)
        .map(|difference| {
            let (mut old, mut new) = (difference.old_value, difference.new_value);
            if backwards {
                std::mem::swap(&mut old, &mut new);
            }
            let op = match (&old, &new) {
                (None, _) => "added",
                (_, None) => "removed",
                _ => "changed",
            };
            (difference.id.scope.to_owned(), difference.id.key, difference.id.ordinal, op, old, new)
        })
        .collect())
}
