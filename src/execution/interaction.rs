//! People in the loop: a run waits for an answer, which counts once.

use crate::execution::validate;
use crate::pure::hash::{Hash, value_hash};
use crate::pure::merge::pointer_token;
use crate::server::args::{self, MAX_VALUE};
use crate::server::error::{Error, Remedy, Result, Subject, Violation};
use crate::server::jsonb::Jsonb;
use crate::server::name::fresh_uuid;
use crate::server::settings;
use crate::server::spi::Rows;
use crate::state::access;
use crate::state::change::{Change, NewCheckpoint, NewEvent, Opened, Request, common_version, rollback_before};
use crate::state::run::{Status, checked_reason, restore_status, with_change};
use crate::state::variables;
use crate::store::cell::COUNTER;
use crate::store::compare::{Difference, differences};
use crate::store::statements::*;
use crate::workflow::schema;
use pgrx::IntoDatum;
use pgrx::datum::{Interval, Uuid};
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use serde::Serialize;
use std::collections::{HashMap, HashSet};

#[derive(Serialize)]
struct Requested<'a> {
    interaction: String,
    node_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    assignee: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<String>,
}

#[derive(Serialize)]
struct Answered<'a> {
    interaction: String,
    /// The run's status from here on.
    status: &'a str,
}

#[derive(Serialize)]
struct Withdrawn<'a> {
    interaction: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    status: &'a str,
}

#[pg_extern]
#[allow(clippy::too_many_arguments)]
fn pause_run(
    run_id: Option<&str>,
    node_id: Option<&str>,
    prompt: default!(Option<Jsonb>, "'{}'"),
    response_schema: default!(Option<Jsonb>, "NULL"),
    assignee: default!(Option<&str>, "NULL"),
    expires_in: default!(Option<Interval>, "NULL"),
    idempotency_key: default!(Option<&str>, "NULL"),
) -> std::result::Result<Uuid, ErrorReport> {
    let request = Request::new(run_id, idempotency_key)?;
    let node_id = args::name(node_id, "node_id")?;
    let prompt = prompt.unwrap_or_else(|| Jsonb::parse("{}"));
    let assignee = args::optional_name(assignee, "assignee")?;
    if assignee == Some("role:") {
        return Err(Error::argument("assignee must name a role after role:").into());
    }
    if let Some(schema) = &response_schema {
        schema::cached_validator(schema.text()).map_err(|message| Error::schema("response_schema", &message))?;
    }
    if let Some(expires_in) = expires_in {
        settings::after(0, expires_in, "expires_in")?;
    }
    let mut change = match request.open("interaction.requested")? {
        Opened::Change(change) => change,
        Opened::Repeated(version) => return Ok(repeated(run_id.unwrap_or_default(), version)?),
    };
    change.require_unfinished()?;
    if change.run.status == Status::Cancelling {
        return Err(change.cancelling().into());
    }
    args::within_limit(prompt.text(), MAX_VALUE, "prompt")?;
    let expires_at = expires_in.map(|interval| settings::after(change.now, interval, "expires_in")).transpose()?;
    let id = fresh_uuid();
    let payload = Jsonb::of(&Requested {
        interaction: id.to_string(),
        node_id,
        assignee,
        expires_at: expires_at.and_then(|at| TimestampWithTimeZone::try_from(at).ok()).map(|at| at.to_iso_string()),
    })
    .with([("prompt", Some(&prompt)), ("response_schema", response_schema.as_ref())]);
    // No rollback goes behind what somebody was asked about, unless the checkpoint is freed by its label.
    let label = format!("interaction {id}");
    let checkpoint =
        NewCheckpoint { kind: "human", label: Some(&label), protected: true, metadata: Jsonb::parse("{}") };
    let version = change.append(NewEvent {
        type_name: "interaction.requested",
        payload,
        writes: vec![],
        checkpoint: Some(checkpoint),
    })?;
    change.db.query(
        &INSERT_INTERACTION,
        &[
            change.run_id.into_datum(),
            id.into_datum(),
            version.into_datum(),
            node_id.into_datum(),
            prompt.into_datum(),
            response_schema.into_datum(),
            assignee.into_datum(),
            change.head.at.into_datum(),
            expires_at.into_datum(),
        ],
    );
    restore_status(&mut change, Status::Paused);
    change.close(version)?;
    Ok(id)
}

fn repeated(run_id: &str, version: i64) -> Result<Uuid> {
    let db = crate::server::spi::Db::write();
    let rows = db.query(&INTERACTION_AT, &[run_id.into_datum(), version.into_datum()]);
    rows.is_empty().then_some(()).map_or_else(|| rows.get(0, 1), |()| None).ok_or_else(|| {
        Error::state(
            format!("the idempotency key was used for a question of the run that {run_id:?} was forked from"),
            "Pass another idempotency_key: a fork does not take the questions of its parent along.",
        )
    })
}

/// A row of `layra.interaction`, as far as an answer needs it.
struct Interaction {
    version: i64,
    status: String,
    response_schema: Option<Jsonb>,
    assignee: Option<String>,
    expires_at: Option<i64>,
    closed_version: Option<i64>,
    response_hash: Option<Hash>,
}

fn find(change: &Change<'_>, id: Uuid) -> Result<Interaction> {
    let rows = change.db.query(&GET_INTERACTION, &[change.run_id.into_datum(), id.into_datum()]);
    if rows.is_empty() {
        let hint = "The view layra.interactions has the ids.";
        return Err(Error::state(format!("run {:?} has no interaction {id}", change.run_id), hint));
    }
    Ok(Interaction {
        version: rows.get(0, 1).unwrap_or_default(),
        status: rows.get(0, 2).unwrap_or_default(),
        response_schema: rows.jsonb(0, 3),
        assignee: rows.get(0, 4),
        expires_at: rows.get(0, 5),
        closed_version: rows.get(0, 6),
        response_hash: rows.hash(0, 7),
    })
}

#[pg_extern]
#[allow(clippy::too_many_arguments)]
fn resume_run(
    run_id: Option<&str>,
    interaction: Option<Uuid>,
    response: default!(Option<Jsonb>, "'{}'"),
    updates: default!(Option<Jsonb>, "NULL"),
    on_change: default!(Option<&str>, "'fail'"),
    expected_version: default!(Option<i64>, "NULL"),
    idempotency_key: default!(Option<&str>, "NULL"),
) -> std::result::Result<i64, ErrorReport> {
    let request = Request::new(run_id, idempotency_key)?;
    let id = args::required(interaction, "interaction")?;
    let response = response.unwrap_or_else(|| Jsonb::parse("{}"));
    let updates = updates.map(|updates| args::members(Some(updates), "updates")).transpose()?.unwrap_or_default();
    let accept = match on_change.unwrap_or("fail") {
        "fail" => false,
        "accept" => true,
        _ => return Err(Error::argument("on_change must be one of fail, accept").into()),
    };
    let expected = args::expected(expected_version)?;
    Ok(with_change(request, "interaction.answered", |change| {
        let hash = value_hash(response.text());
        let interaction = find(change, id)?;
        must_be_assignee(change, interaction.assignee.as_deref())?;
        if interaction.status == "answered" && interaction.response_hash == Some(hash) {
            // The answer to the first call got lost: the same response again is that one.
            return Ok(interaction.closed_version.unwrap_or(change.head.version));
        }
        change.expect_version(expected)?;
        if !accept {
            must_be_unchanged(change, &interaction)?;
        }
        must_wait(change, id, &interaction)?;
        must_be_valid(change)?;
        args::within_limit(response.text(), MAX_VALUE, "response")?;
        if let Some(schema) = interaction.response_schema {
            let validator = schema::cached_validator(schema.text())
                .map_err(|message| Error::Corrupt(format!("the response_schema of interaction {id} {message}")))?;
            let violations = schema::violations(&validator, "", response.text());
            if !violations.is_empty() {
                return Err(Error::Invalid { run: change.run_id.to_owned(), subject: Subject::Response, violations });
            }
        }
        let writes = variables::plan(change, updates.into_iter().map(|(n, v)| (n, Some(v))).collect())?;
        let status = status_without(change, Some(id));
        let payload = Jsonb::of(&Answered { interaction: id.to_string(), status: status.name() })
            .with([("response", Some(&response))]);
        let version = change.append(NewEvent::new("interaction.answered", payload, writes))?;
        let (actor, on_behalf_of) = change.actors();
        change.db.query(
            &ANSWER_INTERACTION,
            &[
                change.run_id.into_datum(),
                id.into_datum(),
                version.into_datum(),
                response.into_datum(),
                hash.as_slice().into_datum(),
                actor.into_datum(),
                on_behalf_of.into_datum(),
            ],
        );
        restore_status(change, status);
        must_be_valid(change)?;
        Ok(version)
    })?)
}

/// 42501 for anybody else: `role:NAME` is proven by membership, anything else is a claim that `layra.actor` makes.
fn must_be_assignee(change: &Change<'_>, assignee: Option<&str>) -> Result<()> {
    let allowed = match assignee {
        None => true,
        Some(assignee) => match assignee.strip_prefix("role:") {
            Some(role) => access::has_privileges_of(change.db.caller, role),
            None => change.actors().1 == Some(assignee),
        },
    };
    if allowed {
        return Ok(());
    }
    let message = format!("the interaction of run {:?} is assigned to somebody else", change.run_id);
    Err(Error::Privilege {
        message,
        hint: "layra.interactions shows the assignee: of role:NAME, members of that role answer; else whose layra.actor it is.",
    })
}

fn must_wait(change: &Change<'_>, id: Uuid, interaction: &Interaction) -> Result<()> {
    change.require_unfinished()?;
    let expired = interaction.expires_at.is_some_and(|at| at <= change.now);
    let (what, hint) = match interaction.status.as_str() {
        "pending" if expired => {
            ("has expired", "Withdraw it with layra.withdraw_interaction, and ask again with layra.pause_run.")
        }
        "pending" if change.run.status == Status::Cancelling => {
            ("belongs to a run that is cancelling", "End the run with layra.finish_run(..., 'cancelled').")
        }
        "pending" => return Ok(()),
        "answered" => ("was already answered", "An answer counts once; layra.interactions shows it."),
        _ => ("was withdrawn", "Ask again with layra.pause_run."),
    };
    Err(Error::state(format!("interaction {id} of run {:?} {what}", change.run_id), hint))
}

/// 40001 where variables, loops or context differ from what the person was asked about, other than by answers.
fn must_be_unchanged(change: &Change<'_>, interaction: &Interaction) -> Result<()> {
    if interaction.status != "pending" {
        return Ok(());
    }
    let rows = change.db.query(&ANSWER_VERSIONS, &[change.run_id.into_datum(), interaction.version.into_datum()]);
    let answers: HashSet<i64> = (0..rows.len()).filter_map(|row| rows.get(row, 1)).collect();
    // Only a rollback brings back what an answer set: without one since, the versions tell.
    let rollback = rollback_before(&change.db, change.run_id, change.head.version);
    let brought_back = rollback.is_some_and(|(at, _)| at > interaction.version);
    let conflicts: Vec<String> = differences(&change.db, change.run_id, interaction.version, change.head.version)
        .into_iter()
        .filter(|d| matches!(d.id.scope, "variable" | "loop" | "context") && !answers.contains(&d.new_version))
        .filter(|d| d.id.ordinal != COUNTER && !(brought_back && answered_so(change, d, &answers)))
        .map(|d| match d.id.scope {
            "variable" => pointer_token(&d.id.key),
            _ => format!("/{}", d.id.name()),
        })
        .collect();
    if conflicts.is_empty() {
        Ok(())
    } else {
        Err(change.conflict(Some(interaction.version), conflicts, Remedy::Accept))
    }
}

/// Whether the cell has the value that an answer gave it.
fn answered_so(change: &Change<'_>, difference: &Difference, answers: &HashSet<i64>) -> bool {
    let id = &difference.id;
    let hash = difference.new_hash.as_ref().map(|hash| hash.as_slice());
    let rows = change.db.query(
        &WROTE_VALUE,
        &[
            change.run_id.into_datum(),
            id.scope.into_datum(),
            id.key.as_str().into_datum(),
            id.ordinal.into_datum(),
            answers.iter().copied().collect::<Vec<_>>().into_datum(),
            hash.into_datum(),
        ],
    );
    !rows.is_empty()
}

fn must_be_valid(change: &Change<'_>) -> Result<()> {
    let violations: Vec<Violation> = validate::problems(&change.db, change.run_id, &change.run, None)?
        .iter()
        .filter(|problem| problem.stops)
        .map(validate::Problem::violation)
        .collect();
    if violations.is_empty() {
        return Ok(());
    }
    Err(Error::Invalid { run: change.run_id.to_owned(), subject: Subject::State, violations })
}

/// The run's status once this interaction (None: no further one) waits no more: paused while any other does.
pub fn status_without(change: &Change<'_>, id: Option<Uuid>) -> Status {
    if change.run.status != Status::Paused {
        return change.run.status;
    }
    let but = id.into_iter().collect();
    if anybody_waits(change, &but, i64::MAX) { Status::Paused } else { Status::Running }
}

/// Whether an interaction waits, other than these, that was asked up to a version.
fn anybody_waits(change: &Change<'_>, but: &HashSet<Uuid>, up_to: i64) -> bool {
    let most = but.len() as i64 + 1;
    let args = [change.run_id.into_datum(), change.now.into_datum(), up_to.into_datum(), most.into_datum()];
    let rows = change.db.query(&WAITING, &args);
    (0..rows.len()).filter_map(|row| rows.get::<Uuid>(row, 1)).any(|id| !but.contains(&id))
}

#[pg_extern]
fn withdraw_interaction(
    run_id: Option<&str>,
    interaction: Option<Uuid>,
    reason: default!(Option<&str>, "NULL"),
    expected_version: default!(Option<i64>, "NULL"),
    idempotency_key: default!(Option<&str>, "NULL"),
) -> std::result::Result<i64, ErrorReport> {
    let request = Request::new(run_id, idempotency_key)?;
    let id = args::required(interaction, "interaction")?;
    let expected = args::expected(expected_version)?;
    Ok(with_change(request, "interaction.withdrawn", |change| {
        let interaction = find(change, id)?;
        if interaction.status == "withdrawn" {
            return Ok(interaction.closed_version.unwrap_or(change.head.version));
        }
        change.expect_version(expected)?;
        change.require_unfinished()?;
        if interaction.status == "answered" {
            let message = format!("interaction {id} of run {:?} was already answered", change.run_id);
            return Err(Error::state(message, "An answer stays; layra.rollback to a version before it asks again."));
        }
        let status = status_without(change, Some(id));
        let payload = Jsonb::of(&Withdrawn {
            interaction: id.to_string(),
            reason: checked_reason(reason)?,
            status: status.name(),
        });
        let version = change.append(NewEvent::new("interaction.withdrawn", payload, vec![]))?;
        change.db.query(&WITHDRAW_ONE, &[change.run_id.into_datum(), id.into_datum(), version.into_datum()]);
        restore_status(change, status);
        Ok(version)
    })?)
}

/// A run that ends, or is cancelled, asks nobody any more.
pub fn withdraw_all(change: &Change<'_>) {
    change.db.query(&WITHDRAW_ALL, &[change.run_id.into_datum(), change.head.version.into_datum()]);
}

/// What a rollback does to the interactions of before the version that it goes back to.
#[derive(Default)]
pub struct Undone {
    /// Those that were not then what they are now.
    then: Vec<Past>,
    /// Whether anybody was waited for then, whose time is not over.
    pub waits: bool,
}

/// An interaction as it was at some version.
struct Past {
    id: Uuid,
    asked: i64,
    expires_at: Option<i64>,
    /// The event that had closed it by then: where it is its own (an answer, say), its type.
    closed: Option<(i64, Option<String>)>,
}

impl Past {
    fn is_answered(&self) -> bool {
        matches!(&self.closed, Some((_, Some(type_name))) if type_name == "interaction.answered")
    }
}

/// What there is to restore at a version. The cost is that of what is undone: of what was asked or closed since the history of
/// the version and that of the newest one parted, and of the rollbacks in between.
pub fn at(change: &Change<'_>, version: i64) -> Undone {
    let (db, run_id) = (&change.db, change.run_id);
    let first = db.query(&FIRST_INTERACTION, &[run_id.into_datum()]);
    if first.is_empty() || first.get::<i64>(0, 1).is_some_and(|asked| asked > version) {
        return Undone::default();
    }
    let parted = common_version(db, run_id, version, change.head.version);
    let since = [run_id.into_datum(), version.into_datum(), parted.into_datum()];
    let mut then = pasts(&db.query(&INTERACTIONS_SINCE, &since));
    if parted < version {
        let range = [run_id.into_datum(), parted.into_datum(), version.into_datum()];
        let events = closing_events(&db.query(&INTERACTION_EVENTS, &range));
        then.extend(closed_then(change, parted, &events));
        close(&mut then, &events);
    }
    let closed = then.iter().filter(|past| past.closed.is_some()).map(|past| past.id).collect();
    let waiting = |past: &Past| past.closed.is_none() && past.expires_at.is_none_or(|at| at > change.now);
    let waits = then.iter().any(waiting) || anybody_waits(change, &closed, parted);
    Undone { then, waits }
}

fn pasts(rows: &Rows) -> Vec<Past> {
    let past = |row| {
        let (id, asked) = rows.get(row, 1).zip(rows.get(row, 2))?;
        Some(Past { id, asked, expires_at: rows.get(row, 3), closed: None })
    };
    (0..rows.len()).filter_map(past).collect()
}

/// Of the interactions that wait now and were asked before the histories parted, those that these events of the other one may
/// have closed: the ones that they name; all of them where one closes whatever waits.
fn closed_then(change: &Change<'_>, parted: i64, events: &[Closing]) -> Vec<Past> {
    let (db, run_id) = (&change.db, change.run_id.into_datum());
    if events.iter().any(|event| matches!(event.type_name.as_str(), "run.finished" | "run.cancelling")) {
        return pasts(&db.query(&PENDING_SINCE_BEFORE, &[run_id, parted.into_datum()]));
    }
    let named: HashSet<Uuid> = events.iter().filter_map(|event| uuid(event.interaction.as_ref()?)).collect();
    if named.is_empty() {
        return Vec::new();
    }
    let named: Vec<Uuid> = named.into_iter().collect();
    pasts(&db.query(&PENDING_OF, &[run_id, parted.into_datum(), named.into_datum()]))
}

/// As payloads have them; anything else names no interaction.
fn uuid(text: &str) -> Option<Uuid> {
    let digits = text.replace('-', "");
    let number = u128::from_str_radix(&digits, 16).ok().filter(|_| digits.len() == 32)?;
    Some(Uuid::from_bytes(number.to_be_bytes()))
}

/// An event that closed interactions.
struct Closing {
    version: i64,
    type_name: String,
    interaction: Option<String>,
    to_version: i64,
}

/// Oldest first.
fn closing_events(rows: &Rows) -> Vec<Closing> {
    let event = |row| Closing {
        version: rows.get(row, 1).unwrap_or_default(),
        type_name: rows.get(row, 2).unwrap_or_default(),
        interaction: rows.get(row, 3),
        to_version: rows.get(row, 4).unwrap_or_default(),
    };
    let mut events: Vec<Closing> = (0..rows.len()).map(event).collect();
    events.sort_by_key(|event| event.version);
    events
}

/// Closes what these events, the last of which is at or before the version that is looked at, had closed by then. From there
/// back, a rollback leads those that were asked before the version it went back to past what it undid, and the others into it:
/// so every event is looked at once.
fn close(interactions: &mut [Past], events: &[Closing]) {
    let mut by_name: HashMap<String, usize> = HashMap::new();
    for (index, past) in interactions.iter().enumerate() {
        by_name.insert(past.id.to_string(), index);
    }
    let mut order: Vec<usize> = (0..interactions.len()).collect();
    order.sort_by_key(|index| interactions[*index].asked);
    // Branches of the history: the interactions on it by age, how many of the events precede its end, and the event that
    // withdrew what was pending at the end.
    let mut branches = vec![(order, events.len(), None)];
    while let Some((mut open, mut end, mut withdrawn)) = branches.pop() {
        loop {
            let event = events[..end].last();
            // What was asked after the event is known by now.
            while let Some(index) = open.last().copied() {
                if event.is_some_and(|event| interactions[index].asked < event.version) {
                    break;
                }
                open.pop();
                let past = &mut interactions[index];
                past.closed = past.closed.take().or(withdrawn.map(|at| (at, None)));
            }
            let Some(event) = event.filter(|_| !open.is_empty()) else { break };
            end -= 1;
            match event.type_name.as_str() {
                "run.rolled_back" => {
                    let undone = open.partition_point(|index| interactions[*index].asked <= event.to_version);
                    branches.push((open.split_off(undone), end, Some(event.version)));
                    end = events.partition_point(|earlier| earlier.version <= event.to_version);
                }
                "run.finished" | "run.cancelling" => withdrawn = Some(event.version),
                _ => {
                    let named = event.interaction.as_ref().and_then(|id| by_name.get(id));
                    // Not on another branch, where it may have been closed otherwise.
                    if let Some(index) = named.filter(|index| {
                        open.binary_search_by_key(&interactions[**index].asked, |other| interactions[*other].asked)
                            .is_ok()
                    }) {
                        interactions[*index].closed = Some((event.version, Some(event.type_name.clone())));
                    }
                }
            }
        }
    }
}

/// A rollback: interactions created since are withdrawn, those of before are as they were.
pub fn rolled_back(change: &Change<'_>, to_version: i64, undone: Undone) {
    let run_id = change.run_id.into_datum();
    change.db.query(&WITHDRAW_ABOVE, &[run_id, to_version.into_datum(), change.head.version.into_datum()]);
    for past in undone.then {
        let closed_version = past.closed.as_ref().map(|(version, _)| *version);
        let answer = past.is_answered().then(|| change.db.query(&ANSWER, &[run_id, closed_version.into_datum()]));
        let response = answer.as_ref().and_then(|rows| rows.jsonb(0, 1));
        let hash = response.map(|response| value_hash(response.text()));
        let by = |column| answer.as_ref().and_then(|rows| rows.get::<String>(0, column));
        let status = match &past.closed {
            None => "pending",
            Some(_) if answer.is_some() => "answered",
            Some(_) => "withdrawn",
        };
        change.db.query(
            &RESTORE_INTERACTION,
            &[
                run_id,
                past.id.into_datum(),
                status.into_datum(),
                closed_version.into_datum(),
                response.into_datum(),
                hash.as_ref().map(|hash| hash.as_slice()).into_datum(),
                by(2).into_datum(),
                by(3).into_datum(),
            ],
        );
    }
}
