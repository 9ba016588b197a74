//! What differs between two versions of a run.

use crate::pure::hash::Hash;
use crate::server::args;
use crate::server::error::Result;
use crate::server::interrupts::check_for_interrupts;
use crate::server::jsonb::Jsonb;
use crate::server::stream::{BYTES, Batches, ROW};
use crate::state::reader::Reader;
use crate::store::cell::COUNTER;
use crate::store::compare::{Difference, differences};
use crate::store::db::Db;
use crate::store::run;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use std::vec::IntoIter;

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
    let mut differences = Differences::new(run_id, from_version, to_version)?;
    Ok(TableIterator::new(Batches::new(move || differences.read())))
}

/// What is left to tell of the cells that differ.
struct Differences {
    run_id: String,
    from: i64,
    to: i64,
    /// Without their values.
    found: IntoIter<Difference>,
}

impl Differences {
    fn new(run_id: Option<&str>, from_version: Option<i64>, to_version: Option<i64>) -> Result<Differences> {
        let run_id = args::run_id(run_id)?;
        let from = args::version(from_version, "from_version")?;
        let to = to_version.map(|version| args::version(Some(version), "to_version")).transpose()?;
        let reader = Reader::open(run_id)?;
        reader.require_version(Some(from), "from_version")?;
        let to = reader.version(to, "to_version")?;
        let mut found = differences(&reader.db, run_id, from.min(to), from.max(to));
        found.retain(|difference| difference.is_one() && difference.id.ordinal != COUNTER);
        Ok(Differences { run_id: run_id.to_owned(), from, to, found: found.into_iter() })
    }

    fn read(&mut self) -> Result<Vec<DiffRow>> {
        let (mut batch, mut bytes) = (Vec::new(), 0);
        if self.found.len() == 0 {
            return Ok(batch);
        }
        let db = Db::read();
        run::prepare(&db, &self.run_id);
        while bytes < BYTES
            && let Some(difference) = self.found.next()
        {
            check_for_interrupts();
            let value = |is: Option<Hash>, version| is.and_then(|_| difference.id.at(&self.run_id).value(&db, version));
            let mut old = value(difference.old_hash, difference.old_version);
            let mut new = value(difference.new_hash, difference.new_version);
            bytes += ROW + [old, new].into_iter().flatten().map(|value| value.size()).sum::<usize>();
            if self.from > self.to {
                std::mem::swap(&mut old, &mut new);
            }
            let op = match (&old, &new) {
                (None, _) => "added",
                (_, None) => "removed",
                _ => "changed",
            };
            batch.push((difference.id.scope.to_owned(), difference.id.key, difference.id.ordinal, op, old, new));
        }
        Ok(batch)
    }
}
