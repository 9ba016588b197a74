//! A witness of everything: the newest hash of each run, and the seals of those that are gone.

use crate::pure::hash::{self, Hash, hex};
use crate::server::args;
use crate::server::error::{Error, Result};
use crate::server::interrupts::check_for_interrupts;
use crate::server::jsonb::Jsonb;
use crate::server::spi::scratch;
use crate::server::stream::Batches;
use crate::state::access;
use crate::state::reader::Reader;
use crate::store::access::own_roles;
use crate::store::db::Db;
use crate::store::event;
use crate::store::run;
use crate::store::seal::{self, Seal, Which, has_seals};
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use serde::Deserialize;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, VecDeque};

/// Rows of a statement at most.
const MANY_ROWS: i64 = 1000;

/// Where a head stands among the others: by run id, the seals first, by number, and then the run.
type Place = (String, bool, i64);

struct Head {
    place: Place,
    version: i64,
    hash: Hash,
}

/// The heads of one owner, or of all: of runs, or of seals.
struct Cursor {
    owner: Option<String>,
    live: bool,
    read: VecDeque<Head>,
    after: (String, i64),
    ended: bool,
}

impl Cursor {
    fn fill(&mut self, db: &Db, limit: i64) {
        if self.ended || !self.read.is_empty() {
            return;
        }
        let owner = self.owner.as_deref();
        let (run_id, number) = (self.after.0.as_str(), self.after.1);
        self.read = if self.live {
            let runs = run::heads(db, owner, run_id, limit);
            runs.into_iter().map(|(run_id, version, hash)| Head { place: (run_id, true, 0), version, hash }).collect()
        } else {
            let seals = seal::heads(db, owner, (run_id, number), limit);
            let head = |(run_id, number, version, hash)| Head { place: (run_id, false, number), version, hash };
            seals.into_iter().map(head).collect()
        };
        self.ended = (self.read.len() as i64) < limit;
        if let Some(last) = self.read.back() {
            self.after = (last.place.0.clone(), last.place.2);
        }
    }
}

/// The heads that the caller reads, in the order of their places.
struct Heads {
    cursors: Vec<Cursor>,
    limit: i64,
    /// The next place of each cursor that has one.
    next: Option<BinaryHeap<Reverse<(Place, usize)>>>,
}

impl Heads {
    fn new(owner: Option<&str>) -> Heads {
        let db = Db::read();
        let owners = match owner {
            Some(owner) if access::may_read(&db, owner) => vec![Some(owner.to_owned())],
            Some(_) => Vec::new(),
            None if access::may_read(&db, "") => vec![None],
            None => own_roles(&db).into_iter().map(Some).collect(),
        };
        let limit = (MANY_ROWS / owners.len().max(1) as i64).max(10);
        let cursor = |owner: &Option<String>, live| Cursor {
            owner: owner.clone(),
            live,
            read: VecDeque::new(),
            after: (String::new(), i64::MIN),
            ended: false,
        };
        let cursors = owners.iter().flat_map(|owner| [cursor(owner, true), cursor(owner, false)]).collect();
        Heads { cursors, limit, next: None }
    }

    /// Some; none where there are no more.
    fn read(&mut self) -> Vec<Head> {
        let db = Db::read();
        let mut next = self.next.take().unwrap_or_else(|| {
            let mut first = BinaryHeap::new();
            for (index, cursor) in self.cursors.iter_mut().enumerate() {
                check_for_interrupts();
                cursor.fill(&db, self.limit);
                first.extend(cursor.read.front().map(|head| Reverse((head.place.clone(), index))));
            }
            first
        });
        let mut heads = Vec::new();
        while heads.len() < MANY_ROWS as usize
            && let Some(Reverse((_, index))) = next.pop()
        {
            let cursor = &mut self.cursors[index];
            heads.extend(cursor.read.pop_front());
            cursor.fill(&db, self.limit);
            next.extend(cursor.read.front().map(|head| Reverse((head.place.clone(), index))));
        }
        check_for_interrupts();
        self.next = Some(next);
        heads
    }
}

#[pg_extern(stable)]
#[allow(clippy::type_complexity)]
fn heads(
    owner: default!(Option<&str>, "NULL"),
) -> std::result::Result<
    TableIterator<'static, (name!(run_id, String), name!(version, i64), name!(hash, String))>,
    ErrorReport,
> {
    let owner = args::optional_name(owner, "owner")?;
    let mut heads = Heads::new(owner);
    let row = |head: Head| (head.place.0, head.version, hex(&head.hash));
    Ok(TableIterator::new(Batches::new(move || Ok(heads.read().into_iter().map(row).collect()))))
}

/// Of a run the hash of its newest event; without one, the hash of all heads.
#[pg_extern(stable)]
fn digest(run_id: default!(Option<&str>, "NULL")) -> std::result::Result<String, ErrorReport> {
    if run_id.is_none() && has_seals(&Db::read()) {
        return Ok(hex(&of_all()));
    }
    let reader = Reader::open(args::run_id(run_id)?)?;
    let (hash, _) = event::hash_at(&reader.db, reader.run_id, reader.head())
        .ok_or_else(|| Error::Corrupt(format!("run {:?} has no events", reader.run_id)))?;
    Ok(hex(&hash.unwrap_or_default()))
}

fn of_all() -> Hash {
    let mut heads = Heads::new(None);
    let mut all = hash::Heads::new();
    loop {
        let some = heads.read();
        if some.is_empty() {
            return all.hash();
        }
        some.iter().for_each(|head| all.add(&head.place.0, head.version, &head.hash));
    }
}

// ------------------------------------------------------------------------------------------------------------ verify

/// A head as somebody kept it.
#[derive(Deserialize)]
struct Kept {
    run_id: String,
    version: i64,
    hash: String,
}

#[pg_extern(stable)]
#[allow(clippy::type_complexity)]
fn verify_heads(
    heads: Option<Jsonb>,
) -> std::result::Result<
    TableIterator<'static, (name!(run_id, String), name!(version, i64), name!(problem, String))>,
    ErrorReport,
> {
    let mut kept = given(heads)?.into_iter();
    Ok(TableIterator::new(Batches::new(move || {
        let db = Db::read();
        let mut problems = Vec::new();
        while problems.len() < MANY_ROWS as usize
            && let Some((run_id, kept)) = kept.next()
        {
            check_for_interrupts();
            let found = scratch(&db, || compare(&db, &run_id, &kept));
            problems.extend(found.into_iter().map(|(version, problem)| (run_id.clone(), version, problem.to_owned())));
        }
        Ok(problems)
    })))
}

/// By run.
fn given(heads: Option<Jsonb>) -> Result<BTreeMap<String, Vec<(i64, String)>>> {
    let heads = args::required(heads, "heads")?;
    if !heads.is_array() {
        return Err(Error::argument("heads must be a JSON array"));
    }
    let mut by_run: BTreeMap<String, Vec<(i64, String)>> = BTreeMap::new();
    for head in heads.elements() {
        check_for_interrupts();
        let Ok(Kept { run_id, version, hash }) = serde_json::from_str(head.text()) else {
            return Err(Error::argument("an element of heads must be an object of run_id, version and hash"));
        };
        let run_id = args::run_id(Some(&run_id))?.to_owned();
        if hash.len() != 64 || !hash.bytes().all(|digit| digit.is_ascii_digit() || (b'a'..=b'f').contains(&digit)) {
            return Err(Error::argument("a hash in heads must have 64 lower-case hexadecimal digits"));
        }
        by_run.entry(run_id).or_default().push((version, hash));
    }
    Ok(by_run)
}

/// The versions whose hash is no longer there, and that no seal accounts for.
fn compare(db: &Db, run_id: &str, kept: &[(i64, String)]) -> Vec<(i64, &'static str)> {
    let run = run::read(db, run_id);
    let head = run.as_ref().and_then(|_| event::newest(db, run_id)).unwrap_or_default();
    let all = seals(db, run_id);
    let there = run.is_some() || !all.is_empty();
    let run = run.filter(|run| access::may_read(db, &run.owner));
    let seals: Vec<Seal> = all.into_iter().filter(|seal| access::may_read(db, &seal.owner)).collect();
    let all_of = |problem| kept.iter().map(|(version, _)| (*version, problem)).collect();
    if run.is_none() && seals.is_empty() {
        return all_of(if there {
            "the run is not one that the caller may read"
        } else {
            "there is neither the run nor a seal of it"
        });
    }
    // What was kept with a seal is of a later run of that id.
    let is_seal = |seal: &Seal, hash: &str| hex(&seal.hash) == hash;
    let known =
        |(_, hash): &(i64, String)| seals.iter().filter(|seal| is_seal(seal, hash)).map(|seal| seal.number).max();
    let from = kept.iter().filter_map(known).max().unwrap_or_default();
    let mut problems = Vec::new();
    for (version, hash) in kept {
        if seals.iter().any(|seal| is_seal(seal, hash) && seal.last_version == *version) {
            continue;
        }
        let now = run.as_ref().and_then(|_| event::hash_at(db, run_id, *version)?.0);
        let accounts = |seal: &Seal| {
            seal.number > from
                && (seal.first_version..=seal.last_version).contains(version)
                && (*version < seal.last_version || hex(&seal.head_hash) == *hash)
        };
        if now.is_some_and(|now| hex(&now) == *hash) || seals.iter().any(accounts) {
            continue;
        }
        problems.push((
            *version,
            match now {
                Some(_) => "the run has another hash at this version",
                None if *version <= head => "the event of this version is missing",
                None if run.is_some() => "the run ends before this version",
                None => "no seal of the run accounts for this version",
            },
        ));
    }
    problems
}

/// All seals of a run id.
fn seals(db: &Db, run_id: &str) -> Vec<Seal> {
    let mut seals: Vec<Seal> = Vec::new();
    if !has_seals(db) {
        return seals;
    }
    loop {
        check_for_interrupts();
        let next = seals.last().map_or(Some(i64::MIN), |last| last.number.checked_add(1));
        let Some(next) = next else { return seals };
        let some = Which(Some(run_id)).some(db, &(run_id.to_owned(), next));
        if some.is_empty() {
            return seals;
        }
        seals.extend(some);
    }
}
