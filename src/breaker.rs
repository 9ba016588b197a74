//! Circuit breakers, shared by every worker on the database. Closed: calls go through. Open: none does. Half open: one.
//!
//! No call waits for another transaction: failures are inserted rows, and the right to probe is taken with SKIP LOCKED.

use crate::access;
use crate::args::{self, MAX_VALUE};
use crate::error::{Error, Result};
use crate::jsonb::Jsonb;
use crate::settings;
use crate::spi::Db;
use crate::statements::*;
use pgrx::IntoDatum;
use pgrx::datum::{Interval, TimestampWithTimeZone};
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;

/// A breaker as its outcomes say.
struct Breaker {
    owner: String,
    threshold: i64,
    reset_after: Interval,
    probe_lease: Interval,
    probe_at: Option<i64>,
    failures: i64,
    /// Of the newest failure.
    failed_at: Option<i64>,
    last_error: Option<Jsonb>,
    /// Of the newest success or reset.
    closed_at: Option<i64>,
}

#[derive(Debug, PartialEq, Eq)]
enum State {
    Closed,
    Open,
    /// The time of rest is over: one caller may try.
    HalfOpen,
    /// One is trying.
    Probing,
}

impl Breaker {
    /// The caller's own breaker of that name, else the oldest of a role whose privileges the caller has: no one defined
    /// later takes its place.
    fn find(db: &Db, name: &str) -> Result<Breaker> {
        let own = access::role_name(db.caller);
        let rows = db.query(&BREAKERS_NAMED, &[name.into_datum()]);
        let mut owners: Vec<(i64, String)> =
            (0..rows.len()).filter_map(|row| rows.get(row, 2).zip(rows.get(row, 1))).collect();
        owners.sort();
        let owner = owners
            .iter()
            .find(|(_, owner)| *owner == own)
            .or_else(|| owners.iter().find(|(_, owner)| access::has_privileges_of(db.caller, owner)));
        match owner {
            Some((_, owner)) => Breaker::read(db, owner, name),
            None => Err(Error::NoSuchBreaker(name.to_owned())),
        }
    }

    fn read(db: &Db, owner: &str, name: &str) -> Result<Breaker> {
        let rows = db.query(&BREAKER_STATE, &[name.into_datum(), owner.into_datum()]);
        let missing = || Error::NoSuchBreaker(name.to_owned());
        if rows.is_empty() {
            return Err(missing());
        }
        Ok(Breaker {
            owner: owner.to_owned(),
            threshold: i64::from(rows.get::<i32>(0, 1).ok_or_else(missing)?),
            reset_after: rows.get(0, 2).ok_or_else(missing)?,
            probe_lease: rows.get(0, 3).ok_or_else(missing)?,
            probe_at: rows.get(0, 4),
            failures: rows.get(0, 5).unwrap_or_default(),
            failed_at: rows.get(0, 6),
            last_error: rows.jsonb(0, 7),
            closed_at: rows.get(0, 8),
        })
    }

    fn state(&self, now: i64) -> Result<State> {
        let Some(failed_at) = self.failed_at.filter(|_| self.failures >= self.threshold) else {
            return Ok(State::Closed);
        };
        if settings::after(failed_at, self.reset_after, "reset_after")? > now {
            return Ok(State::Open);
        }
        // A probe that failed is over, and so is one whose lease ran out: its caller died.
        Ok(match self.probe_at {
            Some(at) if at > failed_at && settings::after(at, self.probe_lease, "probe_lease")? > now => State::Probing,
            _ => State::HalfOpen,
        })
    }
}

#[pg_extern]
fn define_breaker(
    name: Option<&str>,
    failure_threshold: default!(Option<i32>, "5"),
    reset_after: default!(Option<Interval>, "'30 seconds'"),
    probe_lease: default!(Option<Interval>, "'30 seconds'"),
) -> std::result::Result<(), ErrorReport> {
    let name = args::name(name, "name")?;
    let failure_threshold = failure_threshold.unwrap_or(5);
    if failure_threshold < 1 {
        return Err(Error::argument("failure_threshold must be at least 1").into());
    }
    let default = || Interval::from_seconds(30.0);
    let reset_after = reset_after.unwrap_or_else(default);
    let probe_lease = probe_lease.unwrap_or_else(default);
    let now = settings::now()?;
    settings::after(now, reset_after, "reset_after")?;
    settings::after(now, probe_lease, "probe_lease")?;
    let db = Db::write();
    db.query(
        &DEFINE_BREAKER,
        &[
            name.into_datum(),
            access::role_name(db.caller).into_datum(),
            failure_threshold.into_datum(),
            reset_after.into_datum(),
            probe_lease.into_datum(),
            now.into_datum(),
        ],
    );
    db.query(&DEFINE_PROBE, &[name.into_datum(), access::role_name(db.caller).into_datum()]);
    Ok(())
}

#[pg_extern]
fn breaker_try(name: Option<&str>) -> std::result::Result<bool, ErrorReport> {
    let name = args::name(name, "name")?;
    let db = Db::write();
    let now = settings::now()?;
    let breaker = Breaker::find(&db, name)?;
    match breaker.state(now)? {
        State::Closed => return Ok(true),
        State::Open | State::Probing => return Ok(false),
        State::HalfOpen => {}
    }
    let owner = breaker.owner.as_str();
    if db.query(&LOCK_BREAKER, &[name.into_datum(), owner.into_datum()]).is_empty() {
        return Ok(false);
    }
    // Somebody may have begun, or ended, a probe since we looked.
    if Breaker::read(&db, owner, name)?.state(now)? != State::HalfOpen {
        return Ok(false);
    }
    db.query(&PROBE_BREAKER, &[name.into_datum(), owner.into_datum(), now.into_datum()]);
    Ok(true)
}

fn record(db: &Db, breaker: &Breaker, name: &str, outcome: &str, error: Option<Jsonb>) -> Result<i64> {
    // Later than what it follows, whatever the clock does: order is by time.
    let newest = breaker.failed_at.max(breaker.closed_at);
    let now = settings::now()?.max(newest.map_or(i64::MIN, |at| at + 1));
    db.query(
        &INSERT_OUTCOME,
        &[
            name.into_datum(),
            breaker.owner.as_str().into_datum(),
            now.into_datum(),
            outcome.into_datum(),
            error.into_datum(),
        ],
    );
    Ok(now)
}

#[pg_extern]
fn breaker_success(name: Option<&str>) -> std::result::Result<(), ErrorReport> {
    let name = args::name(name, "name")?;
    let db = Db::write();
    let breaker = Breaker::find(&db, name)?;
    if breaker.failures > 0 {
        close(&db, &breaker, name, "success")?;
    }
    Ok(())
}

#[pg_extern]
fn reset_breaker(name: Option<&str>) -> std::result::Result<(), ErrorReport> {
    let name = args::name(name, "name")?;
    let db = Db::write();
    let breaker = Breaker::find(&db, name)?;
    close(&db, &breaker, name, "reset")?;
    Ok(())
}

fn close(db: &Db, breaker: &Breaker, name: &str, outcome: &str) -> Result<()> {
    let at = record(db, breaker, name, outcome, None)?;
    db.query(&FORGET_OUTCOMES, &[name.into_datum(), breaker.owner.as_str().into_datum(), at.into_datum()]);
    Ok(())
}

#[pg_extern]
fn breaker_failure(name: Option<&str>, error: default!(Option<Jsonb>, "NULL")) -> std::result::Result<(), ErrorReport> {
    let name = args::name(name, "name")?;
    let db = Db::write();
    let breaker = Breaker::find(&db, name)?;
    if let Some(error) = &error {
        args::within_limit(error.text(), MAX_VALUE, "error")?;
    }
    record(&db, &breaker, name, "failure", error)?;
    Ok(())
}

/// For the view `breakers`.
#[pg_extern(stable)]
#[allow(clippy::type_complexity)]
fn breaker_state(
    owner: Option<&str>,
    name: Option<&str>,
) -> std::result::Result<
    TableIterator<
        'static,
        (
            name!(state, String),
            name!(failures, i64),
            name!(opened_at, Option<TimestampWithTimeZone>),
            name!(last_error, Option<Jsonb>),
        ),
    >,
    ErrorReport,
> {
    let (owner, name) = (args::name(owner, "owner")?, args::name(name, "name")?);
    let db = Db::read();
    if !access::may_read(&db, owner) {
        return Err(Error::NoSuchBreaker(name.to_owned()).into());
    }
    let breaker = Breaker::read(&db, owner, name)?;
    let state = match breaker.state(settings::now()?)? {
        State::Closed => "closed",
        State::Open => "open",
        State::HalfOpen | State::Probing => "half_open",
    };
    let opened_at = breaker.failed_at.filter(|_| state != "closed");
    let opened_at = opened_at.and_then(|at| TimestampWithTimeZone::try_from(at).ok());
    Ok(TableIterator::once((state.to_owned(), breaker.failures, opened_at, breaker.last_error)))
}
