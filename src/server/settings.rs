//! The settings `layra.actor` and `layra.now`.

use crate::server::args;
use crate::server::error::{Error, Result};
use crate::server::name;
use pgrx::datum::Interval;
use pgrx::guc::{GucContext, GucFlags, GucRegistry, GucSetting};
use pgrx::{IntoDatum, pg_sys};
use std::ffi::CString;

static ACTOR: GucSetting<Option<CString>> = GucSetting::<Option<CString>>::new(None);
static NOW: GucSetting<Option<CString>> = GucSetting::<Option<CString>>::new(None);

/// Microseconds from 1970-01-01 to PostgreSQL's epoch, 2000-01-01.
pub const EPOCH_OFFSET: i64 = 946_684_800_000_000;

pub fn register() {
    GucRegistry::define_string_guc(
        c"layra.actor",
        c"Whom the session claims to act for: on_behalf_of of every event.",
        c"A name of up to 255 characters. Set it for one transaction, as in the example: behind a pooler, a session's \
          setting names the wrong person. Default: none. Example: SELECT set_config('layra.actor', 'alice@example.com', true);",
        &ACTOR,
        GucContext::Userset,
        GucFlags::default(),
    );
    GucRegistry::define_string_guc(
        c"layra.now",
        c"The time that the extension takes for now, a timestamptz (superusers).",
        c"Makes time testable without sleeping. Default: empty, the clock of the server. Example: SET layra.now = \
          '2026-01-01 12:00:00+00';",
        &NOW,
        GucContext::Suset,
        GucFlags::default(),
    );
    // SAFETY: a C string that lives as long as the program. PostgreSQL 15 and later have the function under this name.
    unsafe { pg_sys::MarkGUCPrefixReserved(c"layra".as_ptr()) };
}

fn text(setting: &GucSetting<Option<CString>>, name: &'static str) -> Option<String> {
    // ALTER ROLE … SET keeps a value for all databases, in the encoding of the one where it was said.
    let text = name::text(&setting.get()?, name);
    (!text.is_empty()).then_some(text)
}

/// The claim of whom the session acts for.
pub fn actor() -> Result<Option<String>> {
    let Some(actor) = text(&ACTOR, "layra.actor") else { return Ok(None) };
    args::name(Some(&actor), "layra.actor")?;
    Ok(Some(actor))
}

/// A time of day plus an interval, both as PostgreSQL has them; 22023 where the interval is not above zero.
pub fn after(at: i64, interval: Interval, what: &str) -> Result<i64> {
    // SAFETY: timestamptz_pl_interval takes a timestamptz and an interval, and raises an error for what is out of range.
    let end = unsafe {
        pgrx::direct_function_call::<i64>(
            pg_sys::timestamptz_pl_interval,
            &[Some(pg_sys::Datum::from(at)), interval.into_datum()],
        )
    };
    // By both of PostgreSQL's ways of counting: to the one, a month is what the calendar says; to the other, 30 days.
    // SAFETY: interval_gt takes two intervals.
    let above_zero = unsafe {
        let zero = Interval::from_seconds(0.0);
        pgrx::direct_function_call::<bool>(pg_sys::interval_gt, &[interval.into_datum(), zero.into_datum()])
    };
    match end {
        Some(end) if end > at && above_zero == Some(true) => Ok(end),
        _ => Err(Error::argument(format!("{what} must be greater than zero"))),
    }
}

/// Microseconds since 2000-01-01 UTC, as PostgreSQL counts: `layra.now`, else the clock.
pub fn now() -> Result<i64> {
    let Some(text) = text(&NOW, "layra.now") else {
        // SAFETY: reads the clock.
        return Ok(unsafe { pg_sys::GetCurrentTimestamp() });
    };
    let input = CString::new(text).expect("a setting has no NUL");
    // SAFETY: timestamptz_in takes a C string, a type and a modifier; it raises an error for what is not a time.
    let at = unsafe {
        pgrx::direct_function_call::<i64>(
            pg_sys::timestamptz_in,
            &[
                Some(pg_sys::Datum::from(input.as_ptr())),
                Some(pg_sys::Datum::from(pg_sys::InvalidOid)),
                Some(pg_sys::Datum::from(-1i32)),
            ],
        )
    };
    match at {
        // Infinity, or a time whose microseconds since 1970 do not fit: the hash chain could not hold it.
        Some(at) if at != i64::MIN && at.checked_add(EPOCH_OFFSET).is_some_and(|at| at != i64::MAX) => Ok(at),
        _ => Err(Error::argument("layra.now must be a time before the year 294247")),
    }
}

/// Microseconds since 1970 of a stored time.
pub fn unix_micros(at: i64) -> i64 {
    at + EPOCH_OFFSET
}
