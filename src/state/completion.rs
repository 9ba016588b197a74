//! The order in which nodes were completed, also of those that a rollback or a fork brought back.
//!
//! A copied cell has the version of the copy. So the event that copies says in which version each node was completed; in a fork,
//! which has versions of its own, it numbers them from below up to 0. What it says is final: nobody follows copies of copies.

use crate::store::db::Db;
use crate::store::event;
use serde::Deserialize;
use std::collections::{BTreeMap, HashMap};

/// By node: the version in which it was completed, or up to 0 for what came with a fork.
pub type Completed = BTreeMap<String, i64>;

/// What the payload of an event that copies says of that.
#[derive(Deserialize)]
struct Copied {
    to_version: Option<i64>,
    #[serde(default)]
    completed: HashMap<String, i64>,
}

/// Of completed nodes with the versions of their cells.
pub fn order(db: &Db, run_id: &str, nodes: Vec<(String, i64)>) -> Completed {
    let mut versions: Vec<i64> = nodes.iter().map(|(_, version)| *version).collect();
    versions.sort_unstable();
    versions.dedup();
    if versions.is_empty() {
        return Completed::new();
    }
    let copies: HashMap<i64, Copied> = event::copying(db, run_id, versions)
        .into_iter()
        .filter_map(|(version, payload)| Some((version, serde_json::from_str(payload.text()).ok()?)))
        .collect();
    let completed_in = |node: &str, version: i64| match copies.get(&version) {
        None => version,
        // Before version 0.3.0 the event did not say: no later than the version that was copied.
        Some(copied) => copied.completed.get(node).copied().or(copied.to_version).unwrap_or(version),
    };
    nodes
        .into_iter()
        .map(|(node, version)| {
            let completed_in = completed_in(&node, version);
            (node, completed_in)
        })
        .collect()
}

/// The same order as the first event of a fork has it. Nothing of less than two nodes.
pub fn in_fork(completed: Completed) -> Completed {
    if completed.len() < 2 {
        return Completed::new();
    }
    let mut versions: Vec<i64> = completed.values().copied().collect();
    versions.sort_unstable();
    versions.dedup();
    let last = versions.len() as i64 - 1;
    let place = |version: &i64| versions.binary_search(version).unwrap_or_default() as i64;
    completed.into_iter().map(|(node, version)| (node, place(&version) - last)).collect()
}
