//! What a session remembers, for who asks.

use crate::server::memory::Size;
use crate::server::spi;
use crate::store::guess;
use crate::workflow::schema;
use pgrx::prelude::*;

#[pg_extern(stable)]
fn remembered() -> TableIterator<'static, (name!(what, &'static str), name!(entries, i64), name!(bytes, i64))> {
    let [definitions, schemas] = schema::remembered();
    let sizes =
        [("definitions", definitions), ("places", guess::remembered()), ("plans", spi::plans()), ("schemas", schemas)];
    TableIterator::new(sizes.map(|(what, Size { entries, bytes })| (what, entries as i64, bytes as i64)))
}
