//! The log: appending the callers' own events, and reading all of them.

use crate::pure::binary::{NOTHING, Value};
use crate::server::args::{self, MAX_VALUE};
use crate::server::error::{Error, Result, Subject};
use crate::server::jsonb::Jsonb;
use crate::server::name::Texts;
use crate::server::stream::{BYTES, Batches};
use crate::state::change::{Change, NewEvent, Request, with_change};
use crate::state::reader::Reader;
use crate::state::variables;
use crate::store::cell::CellId;
use crate::store::db::Db;
use crate::store::event;
use crate::workflow::event_type;
use pgrx::datum::TimestampWithTimeZone;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use std::borrow::Cow;

const MAX_BATCH: i32 = 100_000;

/// Rows of a statement at most.
const MANY_ROWS: usize = 1000;

/// An event as its caller gives it, checked.
struct Given {
    type_name: String,
    payload: Jsonb,
    updates: Vec<(String, Jsonb)>,
}

impl Given {
    fn new(type_name: Option<&str>, payload: Option<Jsonb>, updates: Option<Jsonb>) -> Result<Given> {
        Ok(Given {
            type_name: args::event_type(type_name)?.to_owned(),
            payload: payload.unwrap_or_else(|| Jsonb::parse("{}")),
            updates: updates.map(|u| args::members(Some(u), "updates")).transpose()?.unwrap_or_default(),
        })
    }

    /// From an element of `append_events`: an object of type, payload and updates.
    fn from_element(element: Jsonb) -> Result<Given> {
        let (mut type_name, mut payload, mut updates) = (None, None, None);
        for (key, value) in args::object(Some(element), "an element of events")?.entries() {
            match key.as_str() {
                "type" => {
                    type_name = Some(
                        serde_json::from_str::<String>(value.text())
                            .map_err(|_| Error::argument("the type of an event must be a string"))?,
                    )
                }
                "payload" => payload = Some(value),
                "updates" => updates = (value.text() != "null").then_some(value),
                other => {
                    let other = args::name(Some(other), "a member of an event")?;
                    return Err(Error::argument(format!(
                        "an event must have no other keys than type, payload and updates, but has {other:?}"
                    )));
                }
            }
        }
        Given::new(type_name.as_deref(), payload, updates)
    }
}

// The argument is called `type`, which pgrx would quote into the SQL name: hence the SQL is written out.
#[pg_extern(sql = r#"
CREATE FUNCTION layra.append_event(run_id text, type text, payload jsonb DEFAULT '{}', updates jsonb DEFAULT NULL,
    expected_version bigint DEFAULT NULL, idempotency_key text DEFAULT NULL) RETURNS bigint
LANGUAGE c AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';
"#)]
fn append_event(
    run_id: Option<&str>,
    type_name: Option<&str>,
    payload: Option<Jsonb>,
    updates: Option<Jsonb>,
    expected_version: Option<i64>,
    idempotency_key: Option<&str>,
) -> std::result::Result<i64, ErrorReport> {
    let request = Request::new(run_id, idempotency_key)?;
    let event = Given::new(type_name, payload, updates)?;
    Ok(append(request, vec![event], args::expected(expected_version)?)?)
}

#[pg_extern]
fn append_events(
    run_id: Option<&str>,
    events: Option<Jsonb>,
    expected_version: default!(Option<i64>, "NULL"),
    idempotency_key: default!(Option<&str>, "NULL"),
) -> std::result::Result<i64, ErrorReport> {
    let request = Request::new(run_id, idempotency_key)?;
    let events = args::required(events, "events")?;
    if !events.is_array() || events.elements().is_empty() {
        return Err(Error::argument("events must be a JSON array of at least one event").into());
    }
    let events = events.elements().into_iter().map(Given::from_element).collect::<Result<Vec<_>>>()?;
    Ok(append(request, events, args::expected(expected_version)?)?)
}

fn append(request: Request<'_>, events: Vec<Given>, expected: Option<i64>) -> Result<i64> {
    with_change(request, &events[0].type_name, |change| {
        change.expect_version(expected)?;
        change.require_unfinished()?;
        check_payloads(change, &events)?;
        let mut ids: Vec<CellId> =
            events.iter().flat_map(|event| event.updates.iter().map(|(name, _)| CellId::variable(name))).collect();
        ids.sort();
        ids.dedup();
        change.cells.load(&change.db, change.run_id, ids);
        let mut planned = Vec::with_capacity(events.len());
        for event in &events {
            let values = event.updates.iter().map(|(name, value)| (name.clone(), Some(*value))).collect();
            planned.push(NewEvent {
                type_name: &event.type_name,
                payload: event.payload,
                writes: variables::plan_loaded(change, values)?,
                checkpoint: None,
            });
        }
        change.append_all(planned)
    })
}

fn check_payloads(change: &mut Change<'_>, events: &[Given]) -> Result<()> {
    let limit = change
        .compiled()?
        .and_then(|compiled| compiled.definition.policy.payload_bytes)
        .map_or(MAX_VALUE, |bytes| (bytes as usize).min(MAX_VALUE));
    let what = format!("payload of an event of run {:?}", change.run_id);
    events.iter().try_for_each(|event| args::within_limit(event.payload.text(), limit, &what))?;
    if change.flags.event_types {
        let given: Vec<(&str, Jsonb)> = events.iter().map(|event| (event.type_name.as_str(), event.payload)).collect();
        let violations = event_type::violations(&change.db, &change.run.owner, &given)?;
        if !violations.is_empty() {
            return Err(Error::Invalid { run: change.run_id.to_owned(), subject: Subject::Event, violations });
        }
    }
    Ok(())
}

type EventRow = (i64, String, Option<Jsonb>, Vec<String>, String, Option<String>, Option<TimestampWithTimeZone>);

#[pg_extern(stable)]
#[allow(clippy::type_complexity)]
fn events(
    run_id: Option<&str>,
    after_version: default!(Option<i64>, "0"),
    batch_size: default!(Option<i32>, "1000"),
    types: default!(Option<Texts>, "NULL"),
) -> std::result::Result<
    TableIterator<
        'static,
        (
            name!(version, i64),
            name!(type, String),
            name!(payload, Option<Jsonb>),
            name!(changed, Vec<String>),
            name!(actor, String),
            name!(on_behalf_of, Option<String>),
            name!(at, Option<TimestampWithTimeZone>),
        ),
    >,
    ErrorReport,
> {
    let mut log = Log::new(run_id, after_version.unwrap_or(0), batch_size.unwrap_or(1000), types)?;
    Ok(TableIterator::new(Batches::new(move || log.read())))
}

/// What is left to read of a run's log.
struct Log {
    run_id: String,
    after: i64,
    left: usize,
    /// In the memory that lives as long as the call.
    types: Option<Jsonb>,
    /// Rows that are looked for at once.
    limit: usize,
}

impl Log {
    fn new(run_id: Option<&str>, after_version: i64, batch_size: i32, types: Option<Texts>) -> Result<Log> {
        let run_id = args::run_id(run_id)?;
        if after_version < 0 {
            return Err(Error::argument("after_version must not be negative"));
        }
        if !(1..=MAX_BATCH).contains(&batch_size) {
            return Err(Error::argument(format!("batch_size must be between 1 and {MAX_BATCH}")));
        }
        // As the keys of an object: a look-up takes the logarithm of their number.
        let types = types.map(|types| args::names(Some(types), "types")).transpose()?.map(|types| {
            let keys = types.iter().map(|name| (Cow::Borrowed(name.as_bytes()), Value::Raw(NOTHING)));
            Jsonb::object(keys.collect())
        });
        Reader::open(run_id)?;
        Ok(Log { run_id: run_id.to_owned(), after: after_version, left: batch_size as usize, types, limit: MANY_ROWS })
    }

    fn read(&mut self) -> Result<Vec<EventRow>> {
        let limit = self.limit.min(self.left);
        if limit == 0 {
            return Ok(Vec::new());
        }
        let db = Db::read();
        let (mut batch, mut bytes) = (Vec::new(), 0);
        let found = event::after(&db, &self.run_id, self.after, limit, self.types, |event| {
            bytes += event.payload.map_or(0, |payload| payload.size());
            bytes += event.changed.iter().map(|name| name.len() + size_of::<String>()).sum::<usize>();
            batch.push((
                event.version,
                event.type_name,
                event.payload,
                event.changed,
                event.actor,
                event.on_behalf_of,
                event.at,
            ));
            bytes < BYTES
        });
        self.after = batch.last().map_or(self.after, |(version, ..)| *version);
        let all = batch.len() == found && found < limit;
        self.left = if all { 0 } else { self.left - batch.len() };
        self.limit = (2 * batch.len()).min(MANY_ROWS);
        Ok(batch)
    }
}
