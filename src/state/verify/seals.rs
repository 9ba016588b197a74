//! The seals of runs that are gone: their hashes, and that those of one run id follow each other.

use super::{Problem, Read, after};
use crate::server::interrupts::check_for_interrupts;
use crate::server::spi::{attempt, scratch};
use crate::store::db::Db;
use crate::store::seal::{Seal, Which, has_seals};

/// The seals of one run id, or of all, some of them at a time.
pub struct OfSeals {
    run_id: Option<String>,
    /// Where the next ones begin; None: there are no more.
    from: Option<(String, i64)>,
    before: Option<Seal>,
}

impl OfSeals {
    pub fn new(run_id: Option<&str>) -> OfSeals {
        let from = Some((run_id.unwrap_or_default().to_owned(), i64::MIN));
        OfSeals { run_id: run_id.map(str::to_owned), from, before: None }
    }

    /// Tells what is wrong with the next ones; with all of a run id, else with those whose owner's runs the caller reads. False
    /// where nothing is left.
    pub fn go_on(&mut self, db: &Db, reads: impl Fn(&str) -> bool, problems: &mut Vec<Problem>) -> bool {
        let Some(from) = self.from.take().filter(|_| has_seals(db)) else { return false };
        let which = Which(self.run_id.as_deref());
        let seals = some(db, which, &from).unwrap_or_else(|reason| {
            problems.push((self.run_id.clone(), None, format!("the seals cannot be read: {reason}")));
            Vec::new()
        });
        self.from = seals.last().map(|((run_id, number), _)| match number.checked_add(1) {
            Some(number) => (run_id.clone(), number),
            None => (after(run_id), i64::MIN),
        });
        for ((run_id, number), seal) in seals {
            check_for_interrupts();
            let last = self.before.take().filter(|last| last.run_id == run_id);
            let problem = match &seal {
                Ok(seal) => of(seal, last.as_ref()),
                Err(reason) => Some(format!("it cannot be read: {reason}")),
            };
            self.before = seal.ok();
            let visible = self.run_id.is_some() || self.before.as_ref().is_none_or(|seal| reads(&seal.owner));
            problems.extend(
                problem.filter(|_| visible).map(|problem| (Some(run_id), None, format!("seal {number}: {problem}"))),
            );
        }
        true
    }
}

type Found = ((String, i64), Read<Seal>);

/// The next ones; where one of them cannot be read, each by itself.
fn some(db: &Db, which: Which<'_>, from: &(String, i64)) -> Read<Vec<Found>> {
    let all = scratch(db, || attempt(db, || which.some(db, from)));
    if let Ok(seals) = all {
        return Ok(seals.into_iter().map(|seal| ((seal.run_id.clone(), seal.number), Ok(seal))).collect());
    }
    let read = |key: (String, i64)| {
        let seal = scratch(db, || attempt(db, || Which(Some(&key.0)).first(db, &key)));
        let seal = seal.and_then(|seal| seal.ok_or_else(|| "it is in the index, but not in the table".to_owned()));
        (key, seal)
    };
    Ok(scratch(db, || attempt(db, || which.keys(db, from)))?.into_iter().map(read).collect())
}

fn of(seal: &Seal, before: Option<&Seal>) -> Option<String> {
    let number = before.map_or(Some(1), |before| before.number.checked_add(1));
    if seal.hash != seal.computed() {
        Some("it does not match its hash".into())
    } else if Some(seal.number) != number || seal.previous != before.map(|before| before.hash) {
        Some("it does not follow the seal before".into())
    } else {
        None
    }
}
