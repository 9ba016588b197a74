//! What a rollback does to the interactions of a run, whose rows are beside its cells.

use crate::state::change::Change;
use crate::store::event::{self, Closing, common_version};
use crate::store::interaction::{self, Asked};
use pgrx::datum::Uuid;
use std::collections::{HashMap, HashSet};

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
    fn new((id, asked, expires_at): Asked) -> Past {
        Past { id, asked, expires_at, closed: None }
    }

    fn is_answered(&self) -> bool {
        matches!(&self.closed, Some((_, Some(type_name))) if type_name == "interaction.answered")
    }
}

/// What there is to restore at a version. The cost is that of what is undone: of what was asked or closed since the history of
/// the version and that of the newest one parted, and of the rollbacks in between.
pub fn at(change: &Change<'_>, version: i64) -> Undone {
    let (db, run_id) = (&change.db, change.run_id);
    if interaction::first(db, run_id).is_none_or(|asked| asked > version) {
        return Undone::default();
    }
    let parted = common_version(db, run_id, version, change.head.version);
    let mut then: Vec<Past> = interaction::since(db, run_id, version, parted).into_iter().map(Past::new).collect();
    if parted < version {
        let events = event::closing(db, run_id, parted, version);
        then.extend(closed_then(change, parted, &events));
        close(&mut then, &events);
    }
    let closed = then.iter().filter(|past| past.closed.is_some()).map(|past| past.id).collect();
    let waiting = |past: &Past| past.closed.is_none() && past.expires_at.is_none_or(|at| at > change.now);
    let waits = then.iter().any(waiting) || interaction::anybody_waits(db, run_id, change.now, &closed, parted);
    Undone { then, waits }
}

/// Of the interactions that wait now and were asked before the histories parted, those that these events of the other one may
/// have closed: the ones that they name; all of them where one closes whatever waits.
fn closed_then(change: &Change<'_>, parted: i64, events: &[Closing]) -> Vec<Past> {
    let (db, run_id) = (&change.db, change.run_id);
    let found = if events.iter().any(|event| matches!(event.type_name.as_str(), "run.finished" | "run.cancelling")) {
        interaction::pending_before(db, run_id, parted)
    } else {
        let named: HashSet<Uuid> = events.iter().filter_map(|event| uuid(event.interaction.as_ref()?)).collect();
        if named.is_empty() {
            return Vec::new();
        }
        interaction::pending_of(db, run_id, parted, named.into_iter().collect())
    };
    found.into_iter().map(Past::new).collect()
}

/// As payloads have them; anything else names no interaction.
fn uuid(text: &str) -> Option<Uuid> {
    let digits = text.replace('-', "");
    let number = u128::from_str_radix(&digits, 16).ok().filter(|_| digits.len() == 32)?;
    Some(Uuid::from_bytes(number.to_be_bytes()))
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
pub fn restore(change: &Change<'_>, to_version: i64, undone: Undone) {
    let (db, run_id) = (&change.db, change.run_id);
    interaction::withdraw_above(db, run_id, to_version, change.head.version);
    for past in undone.then {
        let closed_version = past.closed.as_ref().map(|(version, _)| *version);
        let answer = closed_version.filter(|_| past.is_answered()).map(|version| event::answer(db, run_id, version));
        let status = match &past.closed {
            None => "pending",
            Some(_) if answer.is_some() => "answered",
            Some(_) => "withdrawn",
        };
        interaction::restore(db, run_id, past.id, status, closed_version, answer);
    }
}
