//! People in the loop: a run waits for an answer, which counts once.

use crate::execution::validate;
use crate::pure::hash::value_hash;
use crate::pure::merge::pointer_token;
use crate::server::args::{self, MAX_VALUE};
use crate::server::error::{Error, Remedy, Result, Subject, Violation};
use crate::server::jsonb::Jsonb;
use crate::server::name::fresh_uuid;
use crate::server::role;
use crate::server::settings;
use crate::state::change::{Change, NewEvent, Opened, Request, checked_reason, with_change};
use crate::state::variables;
use crate::store::cell::{COUNTER, had_value};
use crate::store::checkpoint::NewCheckpoint;
use crate::store::compare::{Difference, differences};
use crate::store::db::Db;
use crate::store::event::rollback_before;
use crate::store::interaction::{self, Interaction, Question};
use crate::store::run::Status;
use crate::workflow::schema;
use pgrx::datum::{Interval, Uuid};
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use serde::Serialize;
use std::collections::HashSet;

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
    // Read again, with the table of questions locked, too.
    change.now = interaction::now(&change.db)?;
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
    let (created_at, owner) = (change.head.at, change.run.owner.as_str());
    let question = Question { id, version, node_id, prompt, response_schema, assignee, created_at, expires_at, owner };
    interaction::insert(&change.db, change.run_id, &question);
    change.restore_status(Status::Paused);
    change.close(version)?;
    Ok(id)
}

fn repeated(run_id: &str, version: i64) -> Result<Uuid> {
    interaction::asked_at(&Db::write(), run_id, version).ok_or_else(|| {
        Error::state(
            format!("the idempotency key was used for a question of the run that {run_id:?} was forked from"),
            "Pass another idempotency_key: a fork does not take the questions of its parent along.",
        )
    })
}

fn find(change: &Change<'_>, id: Uuid) -> Result<Interaction> {
    let hint = "The view layra.interactions has the ids.";
    interaction::find(&change.db, change.run_id, id)
        .ok_or_else(|| Error::state(format!("run {:?} has no interaction {id}", change.run_id), hint))
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
        // Read again, as above.
        change.now = interaction::now(&change.db)?;
        must_be_assignee(change, interaction.assignee.as_deref())?;
        if interaction.status == "answered" && interaction.response_hash == Some(hash) {
            // The response of the first call was lost: the same response again is that one.
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
        interaction::answer(&change.db, change.run_id, id, version, response, &hash, actor, on_behalf_of);
        change.restore_status(status);
        must_be_valid(change)?;
        Ok(version)
    })?)
}

/// 42501 for anybody else: `role:NAME` is proven by membership, anything else is a claim that `layra.actor` makes.
fn must_be_assignee(change: &Change<'_>, assignee: Option<&str>) -> Result<()> {
    let allowed = match assignee {
        None => true,
        Some(assignee) => match assignee.strip_prefix("role:") {
            Some(role) => role::has_privileges_of(change.db.caller, role),
            None => change.actors().1 == Some(assignee),
        },
    };
    if allowed {
        return Ok(());
    }
    let message = format!("the interaction of run {:?} is assigned to somebody else", change.run_id);
    Err(Error::Privilege {
        message,
        hint: "layra.interactions shows the assignee: role:NAME means members of that role, any other name a session with that layra.actor.",
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
    let answers = interaction::answers_after(&change.db, change.run_id, interaction.version);
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
    let place = difference.id.at(change.run_id);
    had_value(&change.db, place, answers.iter().copied().collect(), difference.new_hash.as_ref())
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
    let waits = interaction::anybody_waits(&change.db, change.run_id, change.now, &but, i64::MAX);
    if waits { Status::Paused } else { Status::Running }
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
        interaction::withdraw(&change.db, change.run_id, id, version);
        change.restore_status(status);
        Ok(version)
    })?)
}
