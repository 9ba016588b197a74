//! People in the loop: a run waits for an answer, which counts once.

use crate::access;
use crate::args::{self, MAX_VALUE};
use crate::cell::COUNTER;
use crate::change::{Change, NewCheckpoint, NewEvent, Opened, Request};
use crate::compare::{Difference, differences};
use crate::error::{Error, Result, Violation};
use crate::hash::{Hash, value_hash};
use crate::jsonb::Jsonb;
use crate::merge::pointer_token;
use crate::name::fresh_uuid;
use crate::run::{Status, checked_reason, restore_status, with_change};
use crate::settings;
use crate::statements::*;
use crate::{schema, validate, variables};
use pgrx::IntoDatum;
use pgrx::datum::{Interval, Uuid};
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use serde::Serialize;
use serde_json::value::RawValue;
use std::collections::BTreeMap;

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
        return Err(Error::argument("assignee role: names no role").into());
    }
    if let Some(schema) = &response_schema {
        schema::cached_validator(schema.text())
            .map_err(|message| Error::argument(format!("response_schema {message}")))?;
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
        return Err(Error::state(format!("run {:?} is cancelling", change.run_id)).into());
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
    let db = crate::spi::Db::write();
    let rows = db.query(&INTERACTION_AT, &[run_id.into_datum(), version.into_datum()]);
    rows.is_empty().then_some(()).map_or_else(|| rows.get(0, 1), |()| None).ok_or_else(|| {
        Error::state(format!("the interaction of version {version} of run {run_id:?} is a fork's parent's"))
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
        return Err(Error::state(format!("run {:?} has no interaction {id}", change.run_id)));
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
            let validator = schema::cached_validator(schema.text()).map_err(Error::Corrupt)?;
            let violations = schema::violations(&validator, "", response.text());
            if !violations.is_empty() {
                return Err(Error::Invalid { run: change.run_id.to_owned(), what: "the response", violations });
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
        hint: "role:NAME asks for membership, anything else for layra.actor of that name.",
    })
}

fn must_wait(change: &Change<'_>, id: Uuid, interaction: &Interaction) -> Result<()> {
    change.require_unfinished()?;
    let expired = interaction.expires_at.is_some_and(|at| at <= change.now);
    let what = match interaction.status.as_str() {
        "pending" if expired => "has expired",
        "pending" if change.run.status == Status::Cancelling => "belongs to a run that is cancelling",
        "pending" => return Ok(()),
        "answered" => "was answered otherwise",
        _ => "was withdrawn",
    };
    Err(Error::state(format!("interaction {id} of run {:?} {what}", change.run_id)))
}

/// 40001 where variables, loops or context differ from what the person was asked about, other than by answers.
fn must_be_unchanged(change: &Change<'_>, interaction: &Interaction) -> Result<()> {
    if interaction.status != "pending" {
        return Ok(());
    }
    let rows = change.db.query(&ANSWER_VERSIONS, &[change.run_id.into_datum()]);
    let answers: Vec<i64> = (0..rows.len()).filter_map(|row| rows.get(row, 1)).collect();
    let conflicts: Vec<String> =
        differences(&change.db, change.run_id, interaction.version, change.head.version, false)
            .into_iter()
            .filter(|d| matches!(d.id.scope, "variable" | "loop" | "context") && !answers.contains(&d.new_version))
            .filter(|d| d.id.ordinal != COUNTER && !answered_so(change, d, &answers))
            .map(|d| match d.id.scope {
                "variable" => pointer_token(&d.id.key),
                _ => format!("/{}", d.id.name()),
            })
            .collect();
    if conflicts.is_empty() { Ok(()) } else { Err(change.conflict(Some(interaction.version), conflicts)) }
}

/// Whether the cell has the value that an answer gave it: a rollback may have brought it back since.
fn answered_so(change: &Change<'_>, difference: &Difference, answers: &[i64]) -> bool {
    let id = &difference.id;
    let hash = difference.new_hash.as_ref().map(|hash| hash.as_slice());
    let rows = change.db.query(
        &WROTE_VALUE,
        &[
            change.run_id.into_datum(),
            id.scope.into_datum(),
            id.key.as_str().into_datum(),
            id.ordinal.into_datum(),
            answers.to_vec().into_datum(),
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
    Err(Error::Invalid { run: change.run_id.to_owned(), what: "the state", violations })
}

/// The run's status once this interaction (None: no further one) waits no more: paused while any other does.
pub fn status_without(change: &Change<'_>, id: Option<Uuid>) -> Status {
    if change.run.status != Status::Paused {
        return change.run.status;
    }
    let rows = change.db.query(&WAITING, &[change.run_id.into_datum(), change.now.into_datum(), id.into_datum()]);
    if rows.get::<i64>(0, 1).unwrap_or_default() > 0 { Status::Paused } else { Status::Running }
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
            return Err(Error::state(format!("interaction {id} of run {:?} was answered", change.run_id)));
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
    change
        .db
        .query(&WITHDRAW_ABOVE, &[change.run_id.into_datum(), 0i64.into_datum(), change.head.version.into_datum()]);
}

/// An interaction as it was at some version.
#[derive(Clone)]
pub struct Past {
    id: Uuid,
    expires_at: Option<i64>,
    status: &'static str,
    closed_version: Option<i64>,
    response: Option<Jsonb>,
    answered_by: Option<String>,
    answered_for: Option<String>,
}

/// The interactions that there were at a version, as they were then: what the newest event up to it says of each.
pub fn at(change: &Change<'_>, version: i64) -> Vec<Past> {
    let rows = change.db.query(&INTERACTIONS_UP_TO, &[change.run_id.into_datum(), version.into_datum()]);
    (0..rows.len())
        .filter_map(|row| {
            let (id, asked): (Uuid, i64) = rows.get(row, 1).zip(rows.get(row, 2))?;
            let pending = Past {
                id,
                expires_at: rows.get(row, 3),
                status: "pending",
                closed_version: None,
                response: None,
                answered_by: None,
                answered_for: None,
            };
            Some(past(change, pending, asked, version))
        })
        .collect()
}

fn past(change: &Change<'_>, pending: Past, asked: i64, version: i64) -> Past {
    // The newest event that withdrew what was still pending then.
    let mut withdrawn_by = None;
    let mut top = version;
    loop {
        let rows = change.db.query(&INTERACTION_EVENT_BEFORE, &[change.run_id.into_datum(), top.into_datum()]);
        let at: i64 = if rows.is_empty() { 0 } else { rows.get(0, 1).unwrap_or_default() };
        if at <= asked {
            break;
        }
        let type_name: String = rows.get(0, 2).unwrap_or_default();
        let payload = rows.jsonb(0, 3);
        let fields: BTreeMap<String, &RawValue> =
            payload.as_ref().and_then(|payload| serde_json::from_str(payload.text()).ok()).unwrap_or_default();
        let about = fields.get("interaction").and_then(|raw| serde_json::from_str::<String>(raw.get()).ok());
        top = at - 1;
        match type_name.as_str() {
            "run.rolled_back" => {
                let to = fields.get("to_version").and_then(|raw| raw.get().parse().ok()).unwrap_or_default();
                if asked <= to {
                    top = to;
                } else {
                    withdrawn_by = Some(at);
                }
            }
            "run.finished" | "run.cancelling" => withdrawn_by = Some(at),
            _ if about != Some(pending.id.to_string()) => {}
            "interaction.withdrawn" => return Past { status: "withdrawn", closed_version: Some(at), ..pending },
            _ => {
                return Past {
                    status: "answered",
                    closed_version: Some(at),
                    response: fields.get("response").map(|raw| Jsonb::parse(raw.get())),
                    answered_by: rows.get(0, 4),
                    answered_for: rows.get(0, 5),
                    ..pending
                };
            }
        }
    }
    match withdrawn_by {
        Some(at) => Past { status: "withdrawn", closed_version: Some(at), ..pending },
        None => pending,
    }
}

/// Whether anybody is waited for.
pub fn any_waits(past: &[Past], now: i64) -> bool {
    past.iter().any(|p| p.status == "pending" && p.expires_at.is_none_or(|at| at > now))
}

/// A rollback: interactions created since are withdrawn, those of before are as they were.
pub fn rolled_back(change: &Change<'_>, to_version: i64, past: Vec<Past>) {
    let run_id = change.run_id.into_datum();
    change.db.query(&WITHDRAW_ABOVE, &[run_id, to_version.into_datum(), change.head.version.into_datum()]);
    for past in past {
        let hash = past.response.map(|response| value_hash(response.text()));
        change.db.query(
            &RESTORE_INTERACTION,
            &[
                run_id,
                past.id.into_datum(),
                past.status.into_datum(),
                past.closed_version.into_datum(),
                past.response.into_datum(),
                hash.as_ref().map(|hash| hash.as_slice()).into_datum(),
                past.answered_by.into_datum(),
                past.answered_for.into_datum(),
            ],
        );
    }
}
