//! Circuit breakers, shared by every worker on the database. Closed: calls go through. Open: none does. Half open: one.
//!
//! No call waits for another transaction: failures are inserted rows, and the probe permit is taken with SKIP LOCKED. Nor does
//! a report say which call it is about: what it means follows from the breaker's state, and from who reports while a probe is
//! under way, see docs/breakers.md.

use crate::server::args::{self, MAX_VALUE};
use crate::server::error::{Error, Result};
use crate::server::jsonb::Jsonb;
use crate::server::role;
use crate::server::row::Row;
use crate::server::settings;
use crate::server::transaction::above_read_committed;
use crate::state::access;
use crate::store::access::own_roles;
use crate::store::breaker::{self as rows, Breaker};
use crate::store::db::Db;
use pgrx::datum::{Interval, TimestampWithTimeZone};
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;

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
        if let Some(own) = rows::read(db, &role::role_name(db.caller), name) {
            return Ok(own);
        }
        let owners = (!role::is_superuser(db.caller)).then(|| own_roles(db));
        let oldest = rows::oldest(db, name, owners).and_then(|owner| rows::read(db, &owner, name));
        oldest.ok_or_else(|| Error::NoSuchBreaker(name.to_owned()))
    }

    /// The time of the newest failure where there are as many as open it.
    fn opened_at(&self) -> Option<i64> {
        self.failed_at.filter(|_| self.failures >= self.threshold)
    }

    /// Whether a probe was begun since the newest failure. It is one until somebody else's begins, also when it takes longer
    /// than its lease.
    fn has_probe(&self) -> bool {
        self.probe_at > self.failed_at
    }

    /// Whether a success that is reported now may be the probe's. Whoever names no actor cannot be told from others: sessions
    /// do not tell them apart, as a pooler gives each transaction another one.
    fn is_of_probe(&self, actor: Option<&str>) -> bool {
        self.has_probe() && self.probe_by.as_deref().zip(actor).is_none_or(|(holder, actor)| holder == actor)
    }

    fn state(&self, now: i64) -> Result<State> {
        let Some(opened_at) = self.opened_at() else {
            return Ok(State::Closed);
        };
        if settings::after(opened_at, self.reset_after, "reset_after")? > now {
            return Ok(State::Open);
        }
        // A probe that failed is over; after its lease somebody else may try: its caller may have died.
        Ok(match self.probe_at.filter(|_| self.has_probe()) {
            Some(at) if settings::after(at, self.probe_lease, "probe_lease")? > now => State::Probing,
            _ => State::HalfOpen,
        })
    }

    /// A time for what is reported now: later than all that it follows, whatever the clock does, as order is by time.
    fn next(&self, db: &Db) -> Result<i64> {
        let newest = self.failed_at.max(self.closed_at).max(self.probe_at);
        Ok(rows::now(db)?.max(newest.map_or(i64::MIN, |at| at + 1)))
    }

    fn record(&self, db: &Db, name: &str, at: i64, outcome: &str, error: Option<Jsonb>) {
        rows::add_outcome(db, name, &self.owner, at, outcome, error);
    }

    /// Deletes outcomes between two times, on which nothing depends any more.
    fn forget(&self, db: &Db, name: &str, after: i64, before: i64) {
        rows::delete_outcomes(db, name, &self.owner, after, before);
    }

    fn close(&self, db: &Db, name: &str, at: i64, outcome: &str) {
        self.record(db, name, at, outcome, None);
        // Those since the last time and that one itself, as far as one call deletes. What is left goes now and then: to look for
        // it each time would be to look through all that was deleted since the last VACUUM.
        let last = self.closed_at.filter(|_| !is_turn(at));
        self.forget(db, name, last.map_or(i64::MIN, |last| last - 1), at);
    }
}

/// One call in 64: for what needs to be done now and then only.
fn is_turn(at: i64) -> bool {
    at % 64 == 0
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
    rows::define(&db, name, &role::role_name(db.caller), failure_threshold, reset_after, probe_lease)?;
    Ok(())
}

#[pg_extern]
fn breaker_try(name: Option<&str>) -> std::result::Result<bool, ErrorReport> {
    let name = args::name(name, "name")?;
    let actor = settings::actor()?;
    let db = Db::write();
    let breaker = Breaker::find(&db, name)?;
    match breaker.state(settings::now()?)? {
        State::Closed => return Ok(true),
        State::Open | State::Probing => return Ok(false),
        State::HalfOpen => {}
    }
    let owner = breaker.owner.as_str();
    if !rows::lock_probe(&db, name, owner) {
        return Ok(false);
    }
    // Somebody may have begun, or ended, a probe since we looked.
    let now = settings::now()?;
    let breaker = rows::read(&db, owner, name).ok_or_else(|| Error::NoSuchBreaker(name.to_owned()))?;
    if breaker.state(now)? != State::HalfOpen {
        return Ok(false);
    }
    rows::probe(&db, name, owner, now, actor.as_deref());
    Ok(true)
}

#[pg_extern]
fn breaker_success(name: Option<&str>) -> std::result::Result<(), ErrorReport> {
    let name = args::name(name, "name")?;
    let actor = settings::actor()?;
    let db = Db::write();
    let breaker = Breaker::find(&db, name)?;
    // Where it is open, all calls but the probe's began before it opened.
    let late = breaker.opened_at().is_some() && !breaker.is_of_probe(actor.as_deref());
    if let Some(failed_at) = breaker.failed_at.filter(|_| !late) {
        // It ends the failures that it has seen: those that are reported at the same time may have opened the breaker.
        breaker.close(&db, name, failed_at + 1, "success");
    }
    Ok(())
}

#[pg_extern]
fn reset_breaker(name: Option<&str>) -> std::result::Result<(), ErrorReport> {
    let name = args::name(name, "name")?;
    let db = Db::write();
    let breaker = Breaker::find(&db, name)?;
    breaker.close(&db, name, breaker.next(&db)?, "reset");
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
    let at = breaker.next(&db)?;
    breaker.record(&db, name, at, "failure", error);
    // Failures beyond the threshold are not needed, nor is what precedes the last success or reset: twice as many as came
    // since the last turn go. Above READ COMMITTED a deletion could fail.
    if is_turn(at) && !above_read_committed() {
        match breaker.counted_from.filter(|_| breaker.opened_at().is_some()) {
            Some(counted_from) => breaker.forget(&db, name, breaker.closed_at.unwrap_or(i64::MIN), counted_from),
            None => breaker.forget(&db, name, i64::MIN, breaker.closed_at.unwrap_or(i64::MIN)),
        }
    }
    Ok(())
}

/// For the view `breakers`.
#[pg_extern(sql = r#"
CREATE FUNCTION layra.breaker_state(owner text, name text,
    OUT state text, OUT failures bigint, OUT opened_at timestamptz, OUT last_error jsonb) RETURNS record
STABLE LANGUAGE c AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';
"#)]
fn breaker_state_row(owner: Option<&str>, name: Option<&str>) -> std::result::Result<Row<Shown>, ErrorReport> {
    Ok(Row(show(owner, name)?))
}

/// As version 0.2.0 declares it, whose symbol has to stay: a set of one row.
#[pg_extern(sql = false)]
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
    Ok(TableIterator::once(show(owner, name)?))
}

type Shown = (String, i64, Option<TimestampWithTimeZone>, Option<Jsonb>);

fn show(owner: Option<&str>, name: Option<&str>) -> Result<Shown> {
    let (owner, name) = (args::name(owner, "owner")?, args::name(name, "name")?);
    let db = Db::read();
    let breaker =
        Some(owner).filter(|owner| access::may_read(&db, owner)).and_then(|owner| rows::read(&db, owner, name));
    let breaker = breaker.ok_or_else(|| Error::NoSuchBreaker(name.to_owned()))?;
    let state = match breaker.state(settings::now()?)? {
        State::Closed => "closed",
        State::Open => "open",
        State::HalfOpen | State::Probing => "half_open",
    };
    let opened_at = breaker.opened_at().and_then(|at| TimestampWithTimeZone::try_from(at).ok());
    let error = breaker.failed_at.and_then(|at| rows::error_at(&db, name, owner, at));
    Ok((state.to_owned(), breaker.failures, opened_at, error))
}
