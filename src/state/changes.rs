//! What an event changed, and whether a rollback undid it: for the views changes and timeline.

use crate::server::args;
use crate::server::interrupts::check_for_interrupts;
use crate::server::jsonb::Jsonb;
use crate::server::stream::{BYTES, Batches};
use crate::state::reader::Reader;
use crate::store::cell::{COUNTER, CellId};
use crate::store::db::Db;
use crate::store::event;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;

/// Rows of a batch at most.
const MANY_ROWS: usize = 256;

#[pg_extern(stable)]
#[allow(clippy::type_complexity)]
fn changed_cells(
    run_id: Option<&str>,
    version: Option<i64>,
) -> std::result::Result<
    TableIterator<
        'static,
        (
            name!(scope, String),
            name!(key, String),
            name!(ordinal, i64),
            name!(old, Option<Jsonb>),
            name!(new, Option<Jsonb>),
        ),
    >,
    ErrorReport,
> {
    let run_id = args::run_id(run_id)?.to_owned();
    let version = args::version(version, "version")?;
    let names = {
        let reader = Reader::open(&run_id)?;
        reader.require_version(Some(version), "version")?;
        event::changed_by(&reader.db, &run_id, version)
    };
    // The counter of a context is no cell to a reader.
    let is_shown = |id: &CellId| id.scope != "context" || id.ordinal != COUNTER;
    let mut cells = names.into_iter().filter_map(|name| CellId::from_name(&name)).filter(is_shown);
    Ok(TableIterator::new(Batches::new(move || {
        let db = Db::read();
        let (mut rows, mut bytes) = (Vec::new(), 0);
        while bytes < BYTES && rows.len() < MANY_ROWS {
            let Some(id) = cells.next() else { break };
            check_for_interrupts();
            let [old, new] = [version - 1, version].map(|version| id.at(&run_id).value(&db, version));
            bytes += [old, new].iter().flatten().map(Jsonb::size).sum::<usize>();
            rows.push((id.scope.to_owned(), id.key.clone(), id.ordinal, old, new));
        }
        Ok(rows)
    })))
}

// It is evaluated for the rows that a LIMIT leaves, not before they are sorted.
#[pg_extern(stable, cost = 100)]
fn undone_by(run_id: Option<&str>, version: Option<i64>) -> std::result::Result<Option<i64>, ErrorReport> {
    let run_id = args::run_id(run_id)?;
    let version = args::version(version, "version")?;
    let reader = Reader::open(run_id)?;
    reader.require_version(Some(version), "version")?;
    Ok(event::undone_by(&reader.db, run_id, version, reader.head()))
}
