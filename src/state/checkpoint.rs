//! Checkpoints: names for versions. Creating one copies nothing.

use crate::server::args::{self, MAX_VALUE};
use crate::server::error::{Error, Result};
use crate::server::jsonb::Jsonb;
use crate::state::change::{Change, NewEvent, Request, with_change};
use crate::store::checkpoint::{self, NewCheckpoint};
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use serde::Serialize;

/// The payload of a checkpoint's event, beside its metadata.
#[derive(Serialize)]
struct Created {
    /// The version that the label named until now.
    #[serde(skip_serializing_if = "Option::is_none")]
    replaces: Option<i64>,
}

#[derive(Serialize)]
struct Protected<'a> {
    label: &'a str,
    version: i64,
}

#[pg_extern]
#[allow(clippy::too_many_arguments)]
fn checkpoint(
    run_id: Option<&str>,
    label: default!(Option<&str>, "NULL"),
    kind: default!(Option<&str>, "'manual'"),
    metadata: default!(Option<Jsonb>, "'{}'"),
    replace: default!(Option<bool>, "false"),
    expected_version: default!(Option<i64>, "NULL"),
    idempotency_key: default!(Option<&str>, "NULL"),
) -> std::result::Result<i64, ErrorReport> {
    let request = Request::new(run_id, idempotency_key)?;
    let label = args::optional_name(label, "label")?;
    let kind = args::name(Some(kind.unwrap_or("manual")), "kind")?;
    let metadata = match metadata {
        Some(metadata) => args::object(Some(metadata), "metadata")?,
        None => Jsonb::parse("{}"),
    };
    let expected = args::expected(expected_version)?;
    let version = with_change(request, "checkpoint.created", |change| {
        change.expect_version(expected)?;
        change.require_unfinished()?;
        args::within_limit(metadata.text(), MAX_VALUE, "metadata")?;
        let taken = label.and_then(|label| checkpoint::by_label(&change.db, change.run_id, label));
        if let (Some((version, protected)), Some(label)) = (taken, label) {
            if !replace.unwrap_or(false) {
                return Err(Error::LabelExists { run: change.run_id.to_owned(), label: label.to_owned() });
            }
            if protected {
                return Err(Error::State {
                    message: format!("checkpoint {label:?} of run {:?} is protected", change.run_id),
                    hint: "layra.protect_checkpoint(..., protected => false) lets it move.".into(),
                });
            }
            checkpoint::clear_label(&change.db, change.run_id, version);
        }
        let replaces = taken.map(|(version, _)| version);
        let payload = Jsonb::of(&Created { replaces }).with([("metadata", Some(&metadata))]);
        let new = Some(NewCheckpoint { kind, label, protected: false, metadata });
        change.append(NewEvent { type_name: "checkpoint.created", payload, writes: vec![], checkpoint: new })
    })?;
    Ok(version)
}

/// Version and protection of a labelled checkpoint.
pub fn must_have(change: &Change<'_>, label: &str) -> Result<(i64, bool)> {
    checkpoint::by_label(&change.db, change.run_id, label)
        .ok_or_else(|| Error::NoSuchCheckpoint { run: change.run_id.to_owned(), label: label.to_owned() })
}

#[pg_extern]
fn protect_checkpoint(
    run_id: Option<&str>,
    label: Option<&str>,
    protected: default!(Option<bool>, "true"),
    expected_version: default!(Option<i64>, "NULL"),
    idempotency_key: default!(Option<&str>, "NULL"),
) -> std::result::Result<i64, ErrorReport> {
    let request = Request::new(run_id, idempotency_key)?;
    let label = args::name(label, "label")?;
    let expected = args::expected(expected_version)?;
    let protected = protected.unwrap_or(true);
    let version = with_change(request, "checkpoint.protected", |change| {
        change.expect_version(expected)?;
        change.require_unfinished()?;
        let (version, _) = must_have(change, label)?;
        let type_name = if protected { "checkpoint.protected" } else { "checkpoint.unprotected" };
        let payload = Jsonb::of(&Protected { label, version });
        checkpoint::protect(&change.db, change.run_id, version, protected);
        change.append(NewEvent::new(type_name, payload, vec![]))
    })?;
    Ok(version)
}
