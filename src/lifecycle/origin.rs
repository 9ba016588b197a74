//! What the first event of a run says of what came before it.

use crate::pure::hash::{Hash, unhex};
use crate::server::jsonb::Jsonb;
use crate::store::db::Db;
use crate::store::event::stored_from;
use serde::Deserialize;

#[derive(Deserialize)]
pub struct Parent {
    pub run_id: String,
    pub version: i64,
    /// Of the parent's event at that version.
    pub hash: Option<String>,
}

#[derive(Deserialize, Default)]
struct Said {
    seal: Option<String>,
    parent: Option<Parent>,
}

#[derive(Default)]
pub struct Origin {
    /// The newest seal of the run id when the run began.
    pub seal: Option<Hash>,
    /// Where a fork comes from.
    pub parent: Option<Parent>,
}

impl Origin {
    /// By the payload of the first event.
    pub fn said_in(payload: Option<Jsonb>) -> Origin {
        let said: Said = payload.and_then(|payload| serde_json::from_str(payload.text()).ok()).unwrap_or_default();
        Origin { seal: said.seal.and_then(|seal| unhex(&seal)), parent: said.parent }
    }

    pub fn of(db: &Db, run_id: &str) -> Origin {
        let mut payload = None;
        stored_from(db, run_id, 1, 1, |event| {
            payload = event.payload();
            false
        });
        Origin::said_in(payload)
    }

    pub fn is_fork_of(&self, run_id: &str, version: i64) -> bool {
        self.parent.as_ref().is_some_and(|parent| parent.run_id == run_id && parent.version == version)
    }
}
