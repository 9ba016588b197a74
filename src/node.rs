//! A node's cell: the part of its state that the state document shows.

use crate::jsonb::Jsonb;
use serde_json::value::RawValue;
use std::collections::BTreeMap;

/// The field `status` of a node cell's value.
pub fn status(value: &str) -> String {
    let fields: BTreeMap<String, &RawValue> = serde_json::from_str(value).unwrap_or_default();
    fields.get("status").and_then(|raw| serde_json::from_str(raw.get()).ok()).unwrap_or_default()
}

/// What `execution_status` shows: true = completed or skipped, null = running, false = the rest.
pub fn shown(value: &str) -> &'static str {
    match status(value).as_str() {
        "completed" | "skipped" => "true",
        "running" => "null",
        _ => "false",
    }
}

/// The cell of a node of which only a document's true, null or false is known.
pub fn from_shown(shown: &str) -> Jsonb {
    Jsonb::parse(match shown {
        "true" => r#"{"status":"completed"}"#,
        "null" => r#"{"status":"running"}"#,
        _ => r#"{"status":"pending"}"#,
    })
}

/// A node that comes back from the past: nobody works on it any more, so `running` becomes `pending`. None where the
/// value stays as it is.
pub fn restored(value: &str) -> Option<Jsonb> {
    let mut fields: BTreeMap<String, &RawValue> = serde_json::from_str(value).ok()?;
    if status(value) != "running" {
        return None;
    }
    fields.insert("status".to_owned(), serde_json::from_str(r#""pending""#).ok()?);
    Some(Jsonb::of(&fields))
}
