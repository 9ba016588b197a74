//! How a node stands in its cell.

use crate::server::jsonb::Jsonb;
use crate::store::cell::CellId;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// The value of a node's cell. A CHECK constraint keeps the same rules.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Node {
    pub status: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attempt: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub worker: Option<String>,
    /// Whether there is a lease that can run out.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub leased: bool,
    /// Of a completed node: the ordinal of its output in its context.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output: Option<i64>,
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub error: Option<Box<RawValue>>,
}

/// A field that is there, also where it is JSON null.
fn present<'de, D: serde::Deserializer<'de>>(field: D) -> std::result::Result<Option<Box<RawValue>>, D::Error> {
    Box::<RawValue>::deserialize(field).map(Some)
}

impl Node {
    pub fn parse(value: Option<&Jsonb>) -> Node {
        value.and_then(|value| serde_json::from_str(value.text()).ok()).unwrap_or_else(Node::pending)
    }

    pub fn pending() -> Node {
        Node { status: "pending".into(), ..Node::default() }
    }

    /// The cell of a node.
    pub fn id(node_id: &str) -> CellId {
        CellId::new("node", node_id)
    }
}

/// Whether a value may stand in a node's cell, by the rules of its CHECK constraint.
pub fn is_valid(value: &str) -> bool {
    serde_json::from_str::<Node>(value).is_ok_and(|node| {
        ["pending", "running", "completed", "failed", "skipped"].contains(&node.status.as_str())
            && (node.error.is_none() || node.status == "failed")
            && (node.output.is_none() || node.status == "completed")
    })
}

/// Whether a node's cell tells of a lease.
pub fn is_leased(value: &str) -> bool {
    serde_json::from_str::<Node>(value).is_ok_and(|node| node.leased)
}

/// A node that comes back from the past: nobody works on it any more, so `running` becomes `pending`. None where the
/// value stays as it is.
pub fn restored(value: &str) -> Option<Jsonb> {
    let node: Node = serde_json::from_str(value).ok()?;
    (node.status == "running").then(|| Jsonb::of(&Node::pending()))
}

/// Whether the value of a node's cell says that it is completed.
pub fn is_completed(value: &str) -> bool {
    serde_json::from_str::<Node>(value).is_ok_and(|node| node.status == "completed")
}
