//! What the events of a run say of everything that follows from them.

use crate::pure::hash::{Hash, value_hash};
use crate::pure::timestamp;
use serde_json::value::RawValue;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::rc::Rc;

/// The members of a payload that is an object.
pub struct Payload<'a>(BTreeMap<String, &'a RawValue>);

impl<'a> Payload<'a> {
    pub fn parse(text: Option<&'a str>) -> Payload<'a> {
        Payload(text.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default())
    }

    fn raw(&self, key: &str) -> Option<String> {
        self.0.get(key).map(|raw| raw.get().to_owned())
    }

    fn string(&self, key: &str) -> Option<String> {
        self.0.get(key).and_then(|raw| serde_json::from_str(raw.get()).ok())
    }

    fn number(&self, key: &str) -> Option<i64> {
        self.0.get(key).and_then(|raw| raw.get().parse().ok())
    }

    fn object(&self, key: &str) -> Option<Payload<'a>> {
        self.0.get(key).map(|raw| Payload::parse(Some(raw.get())))
    }
}

/// An event, as far as anything follows from it.
pub struct Told<'a> {
    pub version: i64,
    pub type_name: &'a str,
    pub payload: Payload<'a>,
    pub actor: &'a str,
    pub on_behalf_of: Option<&'a str>,
    /// Microseconds since 2000-01-01.
    pub at: i64,
    /// Kind and label of the checkpoint that it made.
    pub checkpoint: Option<(&'a str, Option<&'a str>)>,
}

/// A run that another one was forked from.
#[derive(Debug)]
pub struct Parent {
    pub run_id: String,
    pub version: i64,
    /// Of the parent's event at that version.
    pub hash: Option<String>,
}

#[derive(Debug, PartialEq)]
pub struct Checkpoint {
    pub kind: String,
    pub label: Option<String>,
    pub protected: bool,
    pub metadata: String,
    pub created_at: i64,
}

/// A question as it was asked.
#[derive(Debug, PartialEq)]
pub struct Question {
    pub id: String,
    pub node_id: String,
    pub prompt: String,
    pub response_schema: Option<String>,
    pub assignee: Option<String>,
    pub created_at: i64,
    pub expires_at: Option<i64>,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    Pending,
    /// By this version.
    Withdrawn(i64),
    Answered(Rc<Answer>),
}

#[derive(Debug, PartialEq)]
pub struct Answer {
    pub version: i64,
    pub response: String,
    pub hash: Option<Hash>,
    pub by: String,
    pub on_behalf_of: Option<String>,
}

/// A question, and what became of it from which version on.
pub struct Interaction {
    pub question: Question,
    outcomes: Vec<(i64, Outcome)>,
}

impl Interaction {
    pub fn outcome(&self) -> &Outcome {
        self.outcomes.last().map_or(&Outcome::Pending, |(_, outcome)| outcome)
    }

    /// As it was after a version.
    fn at(&self, version: i64) -> Outcome {
        let known = self.outcomes.partition_point(|(from, _)| *from <= version);
        known.checked_sub(1).map_or(Outcome::Pending, |last| self.outcomes[last].1.clone())
    }
}

/// Who began a node last.
#[derive(Debug, PartialEq)]
pub struct Lease {
    pub attempt: i64,
    pub worker: Option<String>,
}

#[derive(Default)]
pub struct Said {
    pub status: String,
    pub owner: String,
    pub metadata: String,
    pub result: Option<String>,
    pub workflow: Option<String>,
    pub parent: Option<Parent>,
    pub hold: Option<String>,
    /// The hash of the seal that the run comes after.
    pub seal: Option<String>,
    pub created_at: i64,
    pub finished_at: Option<i64>,
    pub checkpoints: BTreeMap<i64, Checkpoint>,
    labels: HashMap<String, i64>,
    /// By the version that asked.
    pub interactions: BTreeMap<i64, Interaction>,
    asked: HashMap<String, i64>,
    pending: BTreeSet<i64>,
    /// By node.
    pub leases: BTreeMap<String, Lease>,
}

impl Said {
    pub fn hear(&mut self, event: &Told<'_>) {
        self.hear_of_run(event);
        self.hear_of_checkpoints(event);
        self.hear_of_interactions(event);
    }

    fn hear_of_run(&mut self, event: &Told<'_>) {
        let (payload, at) = (&event.payload, event.at);
        let status = || payload.string("status").unwrap_or_default();
        match event.type_name {
            "state.saved" | "run.started" | "run.forked" if event.version == 1 => {
                self.status = "running".into();
                self.owner = payload.string("owner").unwrap_or_default();
                self.metadata = payload.raw("metadata").unwrap_or_else(|| "{}".into());
                self.workflow = payload.raw("workflow");
                self.seal = payload.string("seal");
                self.parent = payload.object("parent").and_then(|parent| {
                    let (run_id, version) = parent.string("run_id").zip(parent.number("version"))?;
                    Some(Parent { run_id, version, hash: parent.string("hash") })
                });
                self.created_at = at;
            }
            "run.finished" => {
                (self.status, self.result, self.finished_at) = (status(), payload.raw("result"), Some(at));
            }
            "run.reopened" => (self.status, self.result, self.finished_at) = ("running".into(), None, None),
            "run.cancelling" => self.status = "cancelling".into(),
            "interaction.requested" => self.status = "paused".into(),
            "run.rolled_back" | "run.recovered" | "interaction.answered" | "interaction.withdrawn" => {
                self.status = status();
            }
            "run.held" => self.hold = payload.string("reason"),
            "run.released" => self.hold = None,
            "run.owner_changed" => self.owner = payload.string("owner").unwrap_or_default(),
            "node.started" => {
                if let Some((node, attempt)) = payload.string("node_id").zip(payload.number("attempt")) {
                    self.leases.insert(node, Lease { attempt, worker: payload.string("worker") });
                }
            }
            _ => {}
        }
    }

    fn hear_of_checkpoints(&mut self, event: &Told<'_>) {
        if let "checkpoint.protected" | "checkpoint.unprotected" = event.type_name {
            let version = event.payload.number("version");
            if let Some(checkpoint) = version.and_then(|version| self.checkpoints.get_mut(&version)) {
                checkpoint.protected = event.type_name == "checkpoint.protected";
            }
        }
        let Some((kind, label)) = event.checkpoint else { return };
        if let Some(label) = label
            && let Some(old) = self.labels.insert(label.to_owned(), event.version)
            && let Some(old) = self.checkpoints.get_mut(&old)
        {
            old.label = None;
        }
        // Only the event that a checkpoint is all about has its metadata.
        let metadata = event.payload.raw("metadata").filter(|_| event.type_name == "checkpoint.created");
        let checkpoint = Checkpoint {
            kind: kind.to_owned(),
            label: label.map(str::to_owned),
            protected: event.type_name == "interaction.requested",
            metadata: metadata.unwrap_or_else(|| "{}".into()),
            created_at: event.at,
        };
        self.checkpoints.insert(event.version, checkpoint);
    }

    fn hear_of_interactions(&mut self, event: &Told<'_>) {
        let (payload, version) = (&event.payload, event.version);
        match event.type_name {
            "interaction.requested" => {
                let question = Question {
                    id: payload.string("interaction").unwrap_or_default(),
                    node_id: payload.string("node_id").unwrap_or_default(),
                    prompt: payload.raw("prompt").unwrap_or_default(),
                    response_schema: payload.raw("response_schema"),
                    assignee: payload.string("assignee"),
                    created_at: event.at,
                    expires_at: payload.string("expires_at").and_then(|text| timestamp::parse(&text)),
                };
                self.asked.insert(question.id.clone(), version);
                self.pending.insert(version);
                self.interactions.insert(version, Interaction { question, outcomes: Vec::new() });
            }
            "interaction.answered" => {
                let response = payload.raw("response").unwrap_or_default();
                let answer = Answer {
                    version,
                    hash: Some(value_hash(&response)),
                    response,
                    by: event.actor.to_owned(),
                    on_behalf_of: event.on_behalf_of.map(str::to_owned),
                };
                self.close(payload, version, Outcome::Answered(Rc::new(answer)));
            }
            "interaction.withdrawn" => self.close(payload, version, Outcome::Withdrawn(version)),
            "run.finished" | "run.cancelling" => {
                for asked in std::mem::take(&mut self.pending) {
                    self.change(asked, version, Outcome::Withdrawn(version));
                }
            }
            "run.rolled_back" => {
                let to = payload.number("to_version").unwrap_or(i64::MAX);
                let changes: Vec<(i64, Outcome)> = self
                    .interactions
                    .iter()
                    .filter_map(|(asked, interaction)| {
                        let pending = *interaction.outcome() == Outcome::Pending;
                        let then = match *asked <= to {
                            true => interaction.at(to),
                            false if pending => Outcome::Withdrawn(version),
                            false => return None,
                        };
                        (then != *interaction.outcome()).then_some((*asked, then))
                    })
                    .collect();
                for (asked, then) in changes {
                    self.change(asked, version, then);
                }
            }
            _ => {}
        }
    }

    fn close(&mut self, payload: &Payload<'_>, version: i64, outcome: Outcome) {
        if let Some(asked) = payload.string("interaction").and_then(|id| self.asked.get(&id).copied()) {
            self.change(asked, version, outcome);
        }
    }

    fn change(&mut self, asked: i64, version: i64, outcome: Outcome) {
        if outcome == Outcome::Pending {
            self.pending.insert(asked);
        } else {
            self.pending.remove(&asked);
        }
        if let Some(interaction) = self.interactions.get_mut(&asked) {
            interaction.outcomes.push((version, outcome));
        }
    }
}
