//! A run as people look at it: the report, a diagram, lines of text. What is read is bounded, however long the run is: of many
//! events the first and the newest ones, of many changes of a cell the newest. What is damaged is told, and the rest is shown.

use crate::pure::definition::Definition;
use crate::pure::hash::hex;
use crate::pure::html::cut;
use crate::pure::picture::{Node, Picture, State};
use crate::pure::report::{
    self as page, Cell, Change, Checkpoint, Earlier, Event, Fork, Lives, Question, Report, Value,
};
use crate::server::args;
use crate::server::error::Result;
use crate::server::interrupts::check_for_interrupts;
use crate::server::jsonb::Jsonb;
use crate::server::settings;
use crate::server::spi::{attempt, scratch};
use crate::server::stream::BYTES;
use crate::state::access;
use crate::state::reader::Reader;
use crate::state::verify;
use crate::store::cell::{COUNTER, CellId, Place};
use crate::store::checkpoint;
use crate::store::db::Db;
use crate::store::event;
use crate::store::graph;
use crate::store::history::{self, Listed, revisions};
use crate::store::interaction;
use crate::store::lease;
use crate::store::run;
use crate::store::seal;
use crate::workflow::definitions;
use crate::workflow::schema::{self, Compiled};
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::rc::Rc;

/// What is shown at most. Of more events the first ones and the newest.
const MOST_EVENTS: i64 = 10_000;
const FIRST_EVENTS: i64 = 1000;
/// Bytes of them as HTML: of the first ones, and of the others.
const ALL_EVENTS: [usize; 2] = [300_000, 2_100_000];
const MOST_CELLS: [(&str, i64); 5] =
    [("variable", 1500), ("node", 1000), ("loop", 500), ("context", 1000), ("engine", 500)];
const MOST_CHANGES: usize = 12_000;
const MOST_ROWS: usize = 500;
const MOST_PROBLEMS: usize = 50;
/// Names of changed cells that are shown of an event.
const MOST_NAMES: usize = 5;
/// Bytes of values, as HTML, that all changes may take, and one.
const ALL_VALUES: usize = 1_200_000;
const ONE_VALUE: usize = 4000;
const ONE_ANSWER: usize = 600;
/// A larger value is not compared with the one before, and a larger payload is not looked into.
const LARGE: usize = 1 << 20;
/// Rows that are read at once.
const BATCH: i64 = 200;

/// The report of a run: one HTML file.
#[pg_extern(stable)]
fn report(run_id: Option<&str>) -> std::result::Result<String, ErrorReport> {
    let story = Story::open(run_id)?;
    Ok(story.report()?.html(check_for_interrupts))
}

/// A run's graph for https://mermaid.js.org.
#[pg_extern(stable)]
fn mermaid(run_id: Option<&str>) -> std::result::Result<String, ErrorReport> {
    let story = Story::open(run_id)?;
    let nodes = [story.cells("node", MOST_CHANGES)?, story.cells("loop", MOST_CHANGES)?];
    Ok(story.picture(nodes.iter().flat_map(|found| &found.cells), &story.questions())?.mermaid(check_for_interrupts))
}

/// A run's graph with the states of its nodes, as lines of text.
#[pg_extern(stable)]
fn explain_run(run_id: Option<&str>) -> std::result::Result<SetOfIterator<'static, String>, ErrorReport> {
    let story = Story::open(run_id)?;
    let nodes = [story.cells("node", MOST_CHANGES)?, story.cells("loop", MOST_CHANGES)?];
    let picture = story.picture(nodes.iter().flat_map(|found| &found.cells), &story.questions())?;
    let run = &story.reader.run;
    let mut lines = vec![format!(
        "run {}: {}, version {}, owner {}{}",
        story.reader.run_id,
        run.status.name(),
        story.head,
        run.owner,
        story.workflow().map(|workflow| format!(", workflow {workflow}")).unwrap_or_default()
    )];
    if !picture.is_empty() {
        lines.push(picture.summary());
        lines.push(String::new());
        lines.extend(picture.lines(check_for_interrupts));
    }
    Ok(SetOfIterator::new(lines))
}

/// What is read of a run.
struct Story<'a> {
    reader: Reader<'a>,
    head: i64,
    now: i64,
    /// Its graph: that of its workflow, else of the document that was saved.
    compiled: Option<Rc<Compiled>>,
    nothing: Definition,
}

/// Cells of a scope.
#[derive(Default)]
struct Found {
    cells: Vec<Cell>,
    lives: Lives,
    /// What nodes failed of, by version.
    errors: HashMap<i64, String>,
}

impl<'a> Story<'a> {
    fn open(run_id: Option<&'a str>) -> Result<Story<'a>> {
        let reader = Reader::open(args::run_id(run_id)?)?;
        let now = settings::now()?;
        let head = reader.head();
        let mut compiled = definitions::of(&reader.db, &reader.run)?;
        if compiled.as_ref().is_none_or(|compiled| compiled.definition.nodes.is_empty()) {
            let reference = CellId::new("engine", graph::CELL).at(reader.run_id).value(&reader.db, head);
            compiled = reference.map(|reference| schema::of_graph(&reader.db, reference.text())).or(compiled);
        }
        Ok(Story { reader, head, now, compiled, nothing: Definition::default() })
    }

    fn workflow(&self) -> Option<String> {
        self.reader.run.workflow.as_ref().map(|workflow| format!("{} (version {})", workflow.name, workflow.version))
    }

    fn report(&self) -> Result<Report<'_>> {
        let (reader, db, run_id) = (&self.reader, &self.reader.db, self.reader.run_id);
        let row = run::stored(db, run_id);
        let row = row.as_ref();
        let created = row.and_then(|row| row.created_at()).unwrap_or_default();
        let finished = row.and_then(|row| row.finished_at());
        let value = |read: &dyn Fn() -> Option<Jsonb>| {
            let read = scratch(db, || attempt(db, || read().map(|value| shown(&value, ONE_VALUE))));
            read.unwrap_or_else(|reason| Some(Value::new(None, &reason, ONE_VALUE)))
        };
        let metadata = value(&|| row.and_then(|row| row.metadata())).unwrap_or_default();
        let result = value(&|| row.and_then(|row| row.result()));
        let hash = event::hash_at(db, run_id, self.head).and_then(|(hash, _)| hash).unwrap_or_default();
        let (problems, more_problems) = verify::first_problems(db, run_id, MOST_PROBLEMS)?;

        let scopes: Vec<(&str, Vec<Listed>, bool)> = MOST_CELLS
            .iter()
            .map(|(scope, most)| {
                let (cells, more) = self.list(scope, *most);
                (*scope, cells, more)
            })
            .collect();
        let counts = scopes.iter().flat_map(|(_, cells, _)| cells.iter().map(|cell| cell.rows as usize));
        let (each, all) = share(counts.collect(), MOST_CHANGES);
        let most = (ALL_VALUES / all.max(1)).saturating_sub(60).clamp(40, ONE_VALUE);
        let mut cells = Vec::new();
        let (mut lives, mut errors, mut more_cells) = (Lives::new(), HashMap::new(), false);
        for (scope, listed, more) in scopes {
            let found = self.read(scope, listed, each, most)?;
            cells.extend(found.cells);
            lives.extend(found.lives);
            errors.extend(found.errors);
            more_cells |= more;
        }
        let questions = self.questions();
        let picture =
            self.picture(cells.iter().filter(|cell| cell.scope == "node" || cell.scope == "loop"), &questions)?;
        let detail = if self.head > 2000 { 100 } else { 600 };
        let (events, folded) = self.events(errors, detail);
        let last = events.last().map_or(created, |event| event.at);
        let leases = lease::held(db, run_id, MOST_ROWS as i64).into_iter().collect();
        let (checkpoints, more_checkpoints) = self.checkpoints();
        let (forks, more_forks) = self.forks();
        let (earlier, more_earlier) = self.earlier();
        let (questions, more_questions) = questions;
        Ok(Report {
            run_id,
            status: reader.run.status.name(),
            hold: row.and_then(|row| row.hold()),
            owner: &reader.run.owner,
            workflow: self.workflow(),
            parent: reader.run.parent.clone(),
            orphan: reader.run.orphan,
            created,
            last,
            finished,
            now: self.now,
            head: self.head,
            hash: hex(&hash),
            problems: problems.into_iter().map(|(_, version, problem)| (version, problem)).collect(),
            more_problems,
            metadata,
            result,
            picture,
            leases,
            cells,
            more_cells,
            lives,
            detail,
            events,
            folded,
            rollbacks: event::rollbacks(db, run_id),
            questions,
            more_questions,
            checkpoints,
            more_checkpoints,
            forks,
            more_forks,
            earlier,
            more_earlier,
        })
    }

    /// The cells of a scope, and whether there are more.
    fn list(&self, scope: &str, most: i64) -> (Vec<Listed>, bool) {
        let mut cells = history::cells_of(&self.reader.db, self.reader.run_id, scope, most + 1);
        let more = cells.len() as i64 > most;
        if more {
            cells.remove(if scope == "context" { 0 } else { most as usize });
        }
        cells.retain(|cell| scope != "engine" || !cell.key.starts_with("layra."));
        (cells, more)
    }

    fn cells(&self, scope: &str, most: usize) -> Result<Found> {
        let listed = MOST_CELLS.iter().find(|(name, _)| *name == scope).map_or(0, |(_, most)| *most);
        let (cells, _) = self.list(scope, listed);
        let (each, _) = share(cells.iter().map(|cell| cell.rows as usize).collect(), most);
        self.read(scope, cells, each, 200)
    }

    /// The newest changes of each cell, values of so many bytes.
    fn read(&self, scope: &str, listed: Vec<Listed>, each: usize, most: usize) -> Result<Found> {
        let mut found = Found::default();
        for Listed { key, ordinal, rows: count } in listed {
            let place = Place { run_id: self.reader.run_id, scope, key: &key, ordinal };
            let each = if ordinal == COUNTER { MOST_CHANGES } else { each };
            let db = &self.reader.db;
            let read = scratch(db, || attempt(db, || self.changes(place, count as usize, each, most, &mut found)));
            let changes = read.unwrap_or_else(|reason| {
                let text = Value { text: "(cannot be read)".to_owned(), elsewhere: Some(reason), ..Value::default() };
                vec![Change { version: self.head, at: self.now, value: Some(text), state: None }]
            });
            if scope == "context" && ordinal == COUNTER {
                continue;
            }
            let folded = (count as usize).saturating_sub(changes.len());
            found.cells.push(Cell { scope: scope.to_owned(), key, ordinal, changes, folded });
        }
        Ok(found)
    }

    fn changes(&self, place: Place<'_>, count: usize, each: usize, most: usize, found: &mut Found) -> Vec<Change> {
        let db = &self.reader.db;
        let mut after = if count > each { history::before_newest(db, place, each as i64) } else { 0 };
        let mut changes: Vec<Change> = Vec::new();
        let mut before: Option<String> = None;
        let mut limit = 4;
        loop {
            let (mut taken, mut bytes) = (0, 0);
            let read = scratch(db, || {
                revisions(db, place, after, limit, &mut None, |row| {
                    check_for_interrupts();
                    taken += 1;
                    after = row.version;
                    bytes += row.value.as_ref().map_or(0, Jsonb::size);
                    let text = row.value.as_ref().map(Jsonb::text);
                    if place.scope == "context" && place.ordinal == COUNTER {
                        let first = text.and_then(first_live);
                        found.lives.entry(place.key.to_owned()).or_default().push((after, first));
                        return bytes < BYTES;
                    }
                    let is_node = place.scope == "node" || place.scope == "loop";
                    let known = row.value.filter(|_| is_node).map(|value| payload_of(&value, 600)).unwrap_or_default();
                    if let Some(error) = known.get("error") {
                        found.errors.insert(after, error.clone());
                    }
                    changes.push(Change {
                        version: after,
                        at: row.at.map_or(0, i64::from),
                        value: text.map(|text| Value::new(before.as_deref(), text, most)),
                        state: match known.get("active").filter(|_| place.scope == "loop").map(String::as_str) {
                            Some("true") => Some(State::Running),
                            Some(_) => Some(State::Completed),
                            None => known.get("status").map(|status| State::of(status.trim_matches('"'))),
                        },
                    });
                    before = text.filter(|text| text.len() <= LARGE).map(str::to_owned);
                    bytes < BYTES
                })
            });
            if taken == 0 || taken == read && read < limit {
                return changes;
            }
            limit = (2 * taken).clamp(1, BATCH);
        }
    }

    /// The graph, with what the cells of nodes and loops say.
    fn picture<'c>(
        &self,
        cells: impl Iterator<Item = &'c Cell>,
        questions: &(Vec<Question>, usize),
    ) -> Result<Picture<'_>> {
        let mut known: BTreeMap<String, Node> = BTreeMap::new();
        for cell in cells {
            check_for_interrupts();
            let node = known.entry(cell.key.clone()).or_default();
            let Some(text) = cell.changes.last().and_then(|change| change.value.as_ref()) else { continue };
            let members = page::members(&text.text);
            if cell.scope == "loop" {
                let state = cell.changes.last().and_then(|change| change.state).unwrap_or_default();
                // An engine may keep the state of a loop's node itself.
                if node.state == State::Pending {
                    node.state = state;
                }
                if members.get("active").map(String::as_str) != Some("false") {
                    node.index = members.get("index").cloned();
                    node.bound = members.get("max").cloned();
                }
                continue;
            }
            node.attempt = members.get("attempt").and_then(|attempt| attempt.parse().ok());
            node.worker = members.get("worker").map(|worker| page::said(worker));
            node.error = members.get("error").map(|error| page::said(error));
            let mut since = None;
            for change in &cell.changes {
                let state = change.state.unwrap_or_default();
                match (state, since) {
                    (State::Running, _) => since = Some(change.at),
                    (State::Completed | State::Failed, Some(begun)) => {
                        node.took = Some(change.at.saturating_sub(begun));
                        since = None;
                    }
                    _ => {}
                }
                node.times += usize::from(state == State::Completed);
                node.state = state;
            }
            if node.state == State::Pending {
                node.took = None;
            }
            if let Some(begun) = since.filter(|_| node.state == State::Running) {
                node.took = Some(self.now.saturating_sub(begun));
            }
        }
        for question in questions.0.iter().filter(|question| question.status == "pending") {
            let whom = question.assignee.as_deref().unwrap_or("anybody");
            known.entry(question.node.clone()).or_default().waits = Some(whom.to_owned());
        }
        let definition = self.compiled.as_ref().map_or(&self.nothing, |compiled| &compiled.definition);
        Ok(Picture::new(definition, known, check_for_interrupts))
    }

    /// The events that are shown, and how many were left out after which version.
    #[allow(clippy::type_complexity)]
    fn events(&self, errors: HashMap<i64, String>, detail: usize) -> (Vec<Event>, Option<(i64, Vec<(String, i64)>)>) {
        let mut events = Vec::new();
        let all = self.head <= MOST_EVENTS;
        let most = if self.head > 2000 { 160 } else { 600 };
        let resume = self.head - (MOST_EVENTS - FIRST_EVENTS);
        let ranges = if all { vec![(0, self.head)] } else { vec![(0, FIRST_EVENTS), (resume, self.head)] };
        for (mut after, last) in ranges {
            while after < last {
                let limit = BATCH.min(last - after);
                let db = &self.reader.db;
                let read = scratch(db, || attempt(db, || self.some_events(after, limit as usize, most)));
                // What is damaged is found one by one.
                let read = read.unwrap_or_else(|_| {
                    let one = |version: i64| {
                        let read = scratch(db, || attempt(db, || self.some_events(version - 1, 1, most)));
                        read.unwrap_or_else(|reason| {
                            let payload = BTreeMap::from([(String::new(), reason)]);
                            vec![Event {
                                version,
                                at: self.now,
                                kind: "(cannot be read)".into(),
                                payload,
                                ..Event::default()
                            }]
                        })
                    };
                    (after + 1..=after + limit).flat_map(one).collect()
                });
                let Some(newest) = read.last() else { break };
                after = newest.version;
                events.extend(read);
            }
        }
        for event in &mut events {
            event.error = errors.get(&event.version).filter(|_| event.kind == "node.failed").cloned();
        }
        let sizes: Vec<usize> = events.iter().map(|event| event.size(detail)).collect();
        if all && sizes.iter().sum::<usize>() <= ALL_EVENTS.iter().sum() {
            return (events, None);
        }
        let first = fitting(sizes.iter().take(FIRST_EVENTS as usize), ALL_EVENTS[0]);
        let newest = fitting(sizes[first..].iter().rev(), ALL_EVENTS[1]);
        events.drain(first..events.len() - newest);
        let after = if first > 0 { events[first - 1].version } else { 0 };
        let before = events.get(first).map_or(self.head, |event| event.version - 1);
        let types = event::types_between(&self.reader.db, self.reader.run_id, after, before, 100);
        (events, Some((after, types)))
    }

    fn some_events(&self, after: i64, limit: usize, most: usize) -> Vec<Event> {
        let mut events = Vec::new();
        event::stored_from(&self.reader.db, self.reader.run_id, after + 1, limit, |row| {
            check_for_interrupts();
            let payload = scratch(&self.reader.db, || row.payload().map(|payload| payload_of(&payload, most)));
            let actor = row.actor();
            let mut changed = row.changed();
            // Counters and the extension's own cells say nothing to a reader.
            changed.retain(|name| {
                !(name.starts_with("engine/layra.") || name.starts_with("context/") && name.ends_with("/-1"))
            });
            let more = changed.len().saturating_sub(MOST_NAMES);
            changed.truncate(MOST_NAMES);
            events.push(Event {
                version: row.version(),
                kind: row.type_name(),
                payload: payload.unwrap_or_default(),
                who: row.on_behalf_of().map_or(actor.clone(), |other| format!("{actor} for {other}")),
                at: row.at(),
                checkpoint: row.checkpoint_kind().map(|kind| (kind, row.checkpoint_label())),
                more,
                changed,
                error: None,
            });
            true
        });
        events
    }

    /// The newest questions, and how many older ones there are.
    fn questions(&self) -> (Vec<Question>, usize) {
        let db = &self.reader.db;
        let (mut questions, mut older, mut from) = (VecDeque::new(), 0, 0);
        loop {
            let stored = interaction::Stored::from(db, self.reader.run_id, from);
            let before = from;
            for row in stored.rows() {
                check_for_interrupts();
                from = row.version() + 1;
                let answered_by = row.answered_by();
                let (prompt, response) = readable(db, || {
                    (
                        row.prompt().map(|value| shown(&value, ONE_ANSWER)),
                        row.response().map(|value| shown(&value, ONE_ANSWER)),
                    )
                });
                questions.push_front(Question {
                    node: row.node_id(),
                    status: row.status().unwrap_or_default(),
                    assignee: row.assignee(),
                    prompt: prompt.unwrap_or_default(),
                    response,
                    answered_by: answered_by.map(|by| match row.answered_for() {
                        Some(other) => format!("{by} for {other}"),
                        None => by,
                    }),
                    asked: (row.version(), row.created_at()),
                    expires: row.expires_at(),
                    closed: row.closed_version(),
                });
                older += usize::from(questions.len() > MOST_ROWS);
                questions.truncate(MOST_ROWS);
            }
            if from == before {
                return (questions.into(), older);
            }
        }
    }

    /// The newest checkpoints, and how many older ones there are.
    fn checkpoints(&self) -> (Vec<Checkpoint>, usize) {
        let db = &self.reader.db;
        let (mut checkpoints, mut older, mut from) = (VecDeque::new(), 0, 0);
        loop {
            let stored = checkpoint::Stored::from(db, self.reader.run_id, from);
            let before = from;
            for row in stored.rows() {
                check_for_interrupts();
                from = row.version() + 1;
                let (metadata, _) = readable(db, || (row.metadata().map(|value| shown(&value, 300)), None));
                checkpoints.push_front(Checkpoint {
                    version: row.version(),
                    kind: row.kind(),
                    label: row.label(),
                    protected: row.protected(),
                    metadata: metadata.unwrap_or_default(),
                    at: row.created_at(),
                });
                older += usize::from(checkpoints.len() > MOST_ROWS);
                checkpoints.truncate(MOST_ROWS);
            }
            if from == before {
                return (checkpoints.into(), older);
            }
        }
    }

    /// The forks that the caller may read.
    fn forks(&self) -> (Vec<Fork>, bool) {
        let db = &self.reader.db;
        let mut forks = run::forks(db, self.reader.run_id, MOST_ROWS as i64 + 1);
        let more = forks.len() > MOST_ROWS;
        forks.truncate(MOST_ROWS);
        forks.retain(|fork| {
            check_for_interrupts();
            access::may_read(db, &fork.owner)
        });
        let shown = |fork: run::Fork| Fork { run_id: fork.run_id, version: fork.parent_version, status: fork.status };
        (forks.into_iter().map(shown).collect(), more)
    }

    /// The runs of this id that are gone, as far as their seals may be read, the newest first; and whether there are more.
    fn earlier(&self) -> (Vec<Earlier>, bool) {
        let db = &self.reader.db;
        let seals = scratch(db, || attempt(db, || seal::newest(db, self.reader.run_id, MOST_ROWS as i64 + 1)));
        // A seal that cannot be read is among the problems.
        let mut seals = seals.unwrap_or_default();
        let more = seals.len() > MOST_ROWS;
        seals.truncate(MOST_ROWS);
        seals.retain(|seal| {
            check_for_interrupts();
            access::may_read(db, &seal.owner)
        });
        let shown = |seal: seal::Seal| Earlier {
            what: seal.what,
            at: seal.at,
            by: seal.on_behalf_of.map_or(seal.actor.clone(), |other| format!("{} for {other}", seal.actor)),
            reason: seal.reason,
            last_version: seal.last_version,
            hash: hex(&seal.hash),
        };
        (seals.into_iter().map(shown).collect(), more)
    }
}

/// Two values as they are shown, or why they cannot be read.
fn readable(db: &Db, read: impl FnOnce() -> (Option<Value>, Option<Value>)) -> (Option<Value>, Option<Value>) {
    scratch(db, || attempt(db, read)).unwrap_or_else(|reason| (Some(Value::new(None, &reason, ONE_VALUE)), None))
}

/// How many changes of each cell are shown, so that all are not more than `most` (but of each cell one); and how many that makes.
fn share(counts: Vec<usize>, most: usize) -> (usize, usize) {
    let total = |each: usize| counts.iter().map(|count| (*count).min(each)).sum::<usize>();
    let (mut low, mut high) = (1, counts.iter().copied().max().unwrap_or(1).max(1));
    while low < high {
        let middle = (low + high).div_ceil(2);
        if total(middle) <= most { low = middle } else { high = middle - 1 }
    }
    (low, total(low))
}

/// How many of those sizes fit.
fn fitting<'a>(sizes: impl Iterator<Item = &'a usize>, mut room: usize) -> usize {
    let fits = |size: &&usize| {
        let fits = **size <= room;
        room -= (**size).min(room);
        fits
    };
    sizes.take_while(fits).count()
}

fn shown(value: &Jsonb, most: usize) -> Value {
    Value::new(None, value.text(), most)
}

/// The members of a payload, as much as is shown of each.
fn payload_of(payload: &Jsonb, most: usize) -> BTreeMap<String, String> {
    if !payload.is_object() || payload.size() > LARGE {
        return BTreeMap::from([(String::new(), cut(payload.text(), most).0.to_owned())]);
    }
    const MOST_MEMBERS: usize = 20;
    let entries = payload.entries().into_iter().filter(|(key, _)| key != "completed").take(MOST_MEMBERS);
    entries.map(|(key, value)| (key, cut(value.text(), most).0.to_owned())).collect()
}

/// The first entry of a context that is live, by its counter.
fn first_live(counter: &str) -> Option<i64> {
    let members = page::members(counter);
    let number = |key: &str| members.get(key)?.parse::<i64>().ok();
    Some(number("next")? - number("live")?)
}
