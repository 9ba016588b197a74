//! Cells: their names, their newest rows, and the rows that a change is about to add.

use crate::pure::hash::{Hash, value_hash};
use crate::server::args;
use crate::server::error::Result;
use crate::server::jsonb::Jsonb;
use crate::server::memory;
use crate::server::spi::{At, Columns, Db, Rows, check_for_interrupts};
use crate::store::chain::Place;
use crate::store::guess;
use crate::store::plain::{Is, Key, Scan, Tables};
use crate::store::statements::{GET_NODE_VALUES, GET_VALUES, PROBE_CELL, PROBE_CELLS};
use foldhash::{HashMap, HashMapExt};
use pgrx::IntoDatum;
use serde::{Deserialize, Serialize};
use std::cmp::Ordering;

/// The scope in which a key has more than one cell.
const CONTEXT: &str = "context";

/// Where a node keeps the counter of its context entries.
pub const COUNTER: i64 = -1;

/// Sorted as cells are in the hash: scope and key as octets, ordinal as a number.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CellId {
    pub scope: &'static str,
    pub key: String,
    pub ordinal: i64,
}

impl CellId {
    pub fn new(scope: &'static str, key: impl Into<String>) -> CellId {
        CellId { scope, key: key.into(), ordinal: 0 }
    }

    pub fn variable(name: &str) -> CellId {
        CellId::new("variable", name)
    }

    pub fn context(node: &str, ordinal: i64) -> CellId {
        CellId { scope: "context", key: node.to_owned(), ordinal }
    }

    /// As `event.changed` has it.
    pub fn name(&self) -> String {
        match self.scope {
            CONTEXT => format!("context/{}/{}", self.key, self.ordinal),
            scope => [scope, "/", &self.key].concat(),
        }
    }

    pub fn at<'a>(&'a self, run_id: &'a str) -> Place<'a> {
        Place { run_id, scope: self.scope, key: &self.key, ordinal: self.ordinal }
    }

    /// The place of the cell's newest row in the primary key, from where on its list goes down: the entries of one node's
    /// context, or the cells of a scope.
    fn keys<'a>(&'a self, run_id: &'a str) -> [Key<'a>; 4] {
        let key = if self.scope == CONTEXT { Is::Equal } else { Is::AtMost };
        [
            Key::Text(1, Is::Equal, run_id),
            Key::Text(2, Is::Equal, self.scope),
            Key::Text(3, key, &self.key),
            Key::Number(4, Is::AtMost, self.ordinal),
        ]
    }

    /// Where a row of the same list is, compared with the cell.
    fn place(&self, row: &Scan<'_>) -> Ordering {
        row.compare(KEY, &self.key).then_with(|| row.get::<i64>(ORDINAL).unwrap_or_default().cmp(&self.ordinal))
    }

    /// The reverse of `name`; None for what is no cell's name.
    pub fn from_name(name: &str) -> Option<CellId> {
        let (scope, rest) = name.split_once('/')?;
        let scope = static_scope(scope)?;
        if scope != "context" {
            return Some(CellId::new(scope, rest));
        }
        let (key, ordinal) = rest.rsplit_once('/')?;
        Some(CellId::context(key, ordinal.parse().ok()?))
    }
}

impl std::fmt::Display for CellId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.name())
    }
}

pub fn static_scope(scope: &str) -> Option<&'static str> {
    ["variable", "node", "loop", "context", "engine"].into_iter().find(|s| *s == scope)
}

/// Arrays for `unnest`: scopes, keys, ordinals.
pub fn columns(ids: &[CellId]) -> [crate::server::spi::Arg; 3] {
    [
        ids.iter().map(|id| id.scope).collect::<Vec<_>>().into_datum(),
        ids.iter().map(|id| id.key.as_str()).collect::<Vec<_>>().into_datum(),
        ids.iter().map(|id| id.ordinal).collect::<Vec<_>>().into_datum(),
    ]
}

/// The newest row of a cell. No row: version and revision 0. Unset: no hash.
#[derive(Debug, Clone, Copy, Default)]
pub struct Newest {
    pub version: i64,
    pub revision: i64,
    pub hash: Option<Hash>,
}

impl Newest {
    /// The version that a caller expects of it: 0 where it is not set now.
    pub fn set_version(&self) -> i64 {
        if self.hash.is_some() { self.version } else { 0 }
    }
}

/// A row to add.
pub struct Write {
    pub id: CellId,
    pub revision: i64,
    pub hash: Option<Hash>,
    /// Octets of the value's JSON text, for the policy that counts them.
    pub octets: usize,
    pub content: Content,
}

pub enum Content {
    Unset,
    Value(Jsonb),
    /// Copied inside SQL from this version of the same cell (of another run, in a fork).
    CopyOf(i64),
}

/// Bytes that it takes to know a cell, in a table that has grown to twice its size.
const KNOWN: usize = 4 * (size_of::<CellId>() + size_of::<Newest>());

/// What is known of the cells that a change looks at.
pub struct Cells {
    run_id: String,
    newest: HashMap<CellId, Newest>,
}

impl Cells {
    pub fn of(run_id: &str) -> Cells {
        Cells { run_id: run_id.to_owned(), newest: HashMap::new() }
    }

    /// Reads the newest rows of these cells, by the statements in one.
    pub fn load(&mut self, db: &Db, run_id: &str, ids: Vec<CellId>) {
        memory::require(ids.len() * KNOWN);
        if let Some(found) = db.plain(|tables| probe(tables, run_id, &ids, newest_of)) {
            self.newest.extend(ids.into_iter().zip(found));
        } else if let [id] = ids.as_slice() {
            let rows = db.query(
                &PROBE_CELL,
                &[run_id.into_datum(), id.scope.into_datum(), id.key.as_str().into_datum(), id.ordinal.into_datum()],
            );
            let newest = if rows.is_empty() { Newest::default() } else { newest_row(&rows, 0, 1) };
            self.newest.extend(ids.into_iter().map(|id| (id, newest)));
        } else if !ids.is_empty() {
            let [scopes, keys, ordinals] = columns(&ids);
            let rows = db.query(&PROBE_CELLS, &[run_id.into_datum(), scopes, keys, ordinals]);
            for row in 0..rows.len() {
                let position: i64 = rows.get(row, 1).unwrap_or_default();
                self.newest.insert(ids[position as usize - 1].clone(), newest_row(&rows, row, 2));
            }
            for id in ids {
                self.newest.entry(id).or_default();
            }
        }
    }

    /// As `load`, with the values, for cells whose values are small or are needed.
    pub fn load_values(&mut self, db: &Db, run_id: &str, ids: Vec<CellId>) -> HashMap<CellId, Jsonb> {
        if ids.is_empty() {
            return HashMap::new();
        }
        memory::require(ids.len() * KNOWN);
        if let Some(values) = self.probe_values(db, run_id, &ids) {
            return values;
        }
        let [scopes, keys, ordinals] = columns(&ids);
        let rows = db.query(&GET_VALUES, &[run_id.into_datum(), scopes, keys, ordinals]);
        self.take_values(db, run_id, &rows, ids).0
    }

    /// As `load_values`, with the highest ordinal that the context of a node ever used (-1: none).
    pub fn load_node_values(
        &mut self,
        db: &Db,
        run_id: &str,
        ids: Vec<CellId>,
        node_id: &str,
    ) -> (HashMap<CellId, Jsonb>, i64) {
        if let Some(highest) = db.plain(|tables| highest_ordinal(tables, run_id, node_id)) {
            // A node that never had context has no counter either.
            let (there, never): (Vec<CellId>, Vec<CellId>) =
                ids.into_iter().partition(|id| id.scope != CONTEXT || highest.is_some());
            self.newest.extend(never.into_iter().map(|id| (id, Newest::default())));
            let values = self.probe_values(db, run_id, &there).unwrap_or_default();
            return (values, highest.unwrap_or(COUNTER));
        }
        let [scopes, keys, ordinals] = columns(&ids);
        let rows = db.query(&GET_NODE_VALUES, &[run_id.into_datum(), scopes, keys, ordinals, node_id.into_datum()]);
        self.take_values(db, run_id, &rows, ids)
    }

    fn probe_values(&mut self, db: &Db, run_id: &str, ids: &[CellId]) -> Option<HashMap<CellId, Jsonb>> {
        let read = |row: &Scan<'_>| {
            let patched = !row.is_null(BASE);
            (newest_of(row), patched, if patched { None } else { row.jsonb(VALUE) })
        };
        let found = db.plain(|tables| probe(tables, run_id, ids, read))?;
        let mut values = HashMap::new();
        for (id, (newest, patched, value)) in ids.iter().zip(found) {
            self.newest.insert(id.clone(), newest);
            let value = if patched { id.at(run_id).value(db, newest.version) } else { value };
            values.extend(value.map(|value| (id.clone(), value)));
        }
        Some(values)
    }

    fn take_values(&mut self, db: &Db, run_id: &str, rows: &Rows, ids: Vec<CellId>) -> (HashMap<CellId, Jsonb>, i64) {
        let mut values = HashMap::new();
        let mut highest = COUNTER;
        for row in 0..rows.len() {
            let position: i64 = rows.get(row, 1).unwrap_or_default();
            if position == 0 {
                highest = rows.get(row, 6).unwrap_or(COUNTER);
                continue;
            }
            let id = ids[position as usize - 1].clone();
            self.newest.insert(id.clone(), newest_row(rows, row, 2));
            if let Some(value) = id.at(run_id).value_of(db, &At(rows, row), [2, 5, 7]) {
                values.insert(id, value);
            }
        }
        for id in ids {
            self.newest.entry(id).or_default();
        }
        (values, highest)
    }

    pub fn know(&mut self, id: CellId, newest: Newest) {
        self.newest.insert(id, newest);
    }

    pub fn knows(&self, id: &CellId) -> bool {
        self.newest.contains_key(id)
    }

    pub fn get(&self, id: &CellId) -> Newest {
        self.newest.get(id).copied().unwrap_or_default()
    }

    /// The row that gives a loaded cell this value (None: unset); no row where the cell has it already.
    pub fn write(&mut self, id: CellId, value: Option<Jsonb>, limit: usize) -> Result<Option<Write>> {
        let Some(value) = value else {
            return Ok(self.write_hashed(id, None, 0, Content::Unset));
        };
        let text = value.text();
        args::within_limit(text, limit, format_args!("{id} of run {:?}", self.run_id))?;
        Ok(self.write_hashed(id, Some(value_hash(text)), text.len(), Content::Value(value)))
    }

    /// As `write`, where the hash is known already.
    pub fn write_hashed(&mut self, id: CellId, hash: Option<Hash>, octets: usize, content: Content) -> Option<Write> {
        memory::check();
        let newest = match self.newest.get_mut(&id) {
            Some(newest) => newest,
            None => self.newest.entry(id.clone()).or_default(),
        };
        if newest.hash == hash {
            return None;
        }
        newest.revision += 1;
        newest.hash = hash;
        Some(Write { id, revision: newest.revision, hash, octets, content })
    }
}

/// Version, revision and hash, from column `first` on.
pub fn newest_row(rows: &Rows, row: usize, first: i32) -> Newest {
    let row = At(rows, row);
    Newest {
        version: row.get(first).unwrap_or_default(),
        revision: row.get(first + 1).unwrap_or_default(),
        hash: row.hash(first + 2),
    }
}

/// Columns of layra.cell.
pub const SCOPE: i32 = 2;
pub const KEY: i32 = 3;
pub const ORDINAL: i32 = 4;
pub const VERSION: i32 = 5;
pub const REVISION: i32 = 6;
pub const VALUE: i32 = 7;
pub const HASH: i32 = 8;
pub const BASE: i32 = 9;

/// The counter of a node's context list.
#[derive(Debug, Default, Clone, Copy, Serialize, Deserialize)]
pub struct Counter {
    pub live: i64,
    pub next: i64,
}

impl Counter {
    pub fn parse(value: Option<&Jsonb>) -> Counter {
        value.and_then(|value| serde_json::from_str(value.text()).ok()).unwrap_or_default()
    }
}

pub fn newest_of(row: &Scan<'_>) -> Newest {
    Newest {
        version: row.get(VERSION).unwrap_or_default(),
        revision: row.get(REVISION).unwrap_or_default(),
        hash: row.hash(HASH),
    }
}

/// The highest ordinal of the cells that a node ever had for its context, the counter included.
fn highest_ordinal(tables: &Tables, run_id: &str, node_id: &str) -> Option<i64> {
    let keys = [Key::Text(1, Is::Equal, run_id), Key::Text(2, Is::Equal, CONTEXT), Key::Text(3, Is::Equal, node_id)];
    let mut scan = tables.cell.scan(&keys);
    if scan.down() { scan.get(ORDINAL) } else { None }
}

/// The newest row of each of some cells, as `read` sees it; a cell without a row gives the default. Cells that stand close
/// to each other in the primary key, in a run with few versions, are found by going from one to the next (1,200 instructions
/// a row), others by a descent (15,000).
fn probe<T: Default>(tables: &Tables, run_id: &str, ids: &[CellId], read: impl Fn(&Scan<'_>) -> T) -> Vec<T> {
    if ids.len() == 1 || guess::near(run_id).is_some() {
        let mut row = tables.cell.begin();
        let found = |id: &CellId| if id.at(run_id).seek(&mut row, None) { read(&row) } else { T::default() };
        return ids.iter().map(found).collect();
    }
    let mut order: Vec<usize> = (0..ids.len()).rev().collect();
    order.sort_unstable_by(|a, b| ids[*b].cmp(&ids[*a]));
    let mut found: Vec<T> = ids.iter().map(|_| T::default()).collect();
    let mut scan: Option<Scan<'_>> = None;
    let mut before: Option<&CellId> = None;
    // Whether the scan stands on a row, at or below the cell before.
    let mut on_row = false;
    for index in order {
        let id = &ids[index];
        let same_list =
            before.is_some_and(|before| before.scope == id.scope && (id.scope != CONTEXT || before.key == id.key));
        let mut place = match &scan {
            Some(scan) if same_list && on_row => id.place(scan),
            // Nothing is left below the cell before.
            Some(_) if same_list => Ordering::Less,
            _ => Ordering::Greater,
        };
        if let Some(scan) = scan.as_mut().filter(|_| same_list) {
            let mut steps = 0;
            while place == Ordering::Greater && steps < NEAR {
                on_row = scan.down();
                place = if on_row { id.place(scan) } else { Ordering::Less };
                steps += 1;
            }
        }
        if place == Ordering::Greater {
            let keys = id.keys(run_id);
            let scan = match &mut scan {
                Some(scan) => {
                    scan.again(&keys);
                    scan
                }
                none => none.insert(tables.cell.scan(&keys)),
            };
            on_row = scan.down();
            place = if on_row { id.place(scan) } else { Ordering::Less };
        }
        if let Some(scan) = scan.as_ref().filter(|_| place == Ordering::Equal) {
            found[index] = read(scan);
        }
        before = Some(id);
    }
    found
}

/// Rows that are passed over one by one; beyond that a new descent is cheaper, however many there are.
const NEAR: usize = 8;

/// Visits the newest row, up to a version (None: of all), of each cell in the scopes `low` to `high`, live or not, from the
/// last cell (or that below `from`) backwards, with the cell's scope and key, while `visit` says so. Context is not among
/// them. The cost is that of the cells, whatever their versions.
pub fn walk(
    tables: &Tables,
    run_id: &str,
    low: &str,
    high: &str,
    at: Option<i64>,
    from: Option<(&str, &str)>,
    mut visit: impl FnMut(&'static str, &str, &Scan<'_>) -> bool,
) {
    let run = Key::Text(1, Is::Equal, run_id);
    let mut scan = tables.cell.begin();
    let mut in_scope = false;
    let mut there = from.is_some_and(|(scope, key)| {
        scan.again(&[run, Key::Text(2, Is::Equal, scope), Key::Text(3, Is::Less, key)]);
        in_scope = scan.down();
        in_scope
    });
    if !there {
        let (is, high) = from.map_or((Is::AtMost, high), |(scope, _)| (Is::Less, scope));
        scan.again(&[run, Key::Text(2, is, high), Key::Text(2, Is::AtLeast, low)]);
        there = scan.down();
    }
    let mut older = tables.cell.begin();
    // Of a long run, what is older than the newest row goes on for pages.
    let mut patience = if guess::near(run_id).is_some() { 0 } else { NEAR };
    // At the newest row of each cell.
    while there {
        check_for_interrupts();
        // A row that somebody wrote by hand may be of no scope: it is passed over.
        let place: String = scan.get(SCOPE).unwrap_or_default();
        let (scope, known) = (place.as_str(), static_scope(&place));
        let mut visit = |key: &str, row: &Scan<'_>| known.is_none_or(|scope| visit(scope, key, row));
        let mut key: String = scan.get(KEY).unwrap_or_default();
        let (mut found, mut passed) = (false, 0);
        loop {
            if !found && at.is_none_or(|at| scan.get(VERSION).is_some_and(|version: i64| version <= at)) {
                found = true;
                if !visit(&key, &scan) {
                    return;
                }
            }
            if passed == patience {
                guess::saw(run_id, scan.get(VERSION).unwrap_or_default());
                patience = if guess::near(run_id).is_some() { 0 } else { NEAR };
                let mut visit_older =
                    |key: &str| !(Place { run_id, scope, key, ordinal: 0 }).seek(&mut older, at) || visit(key, &older);
                if !found && !visit_older(&key) {
                    return;
                }
                while let Some(next) = known_below(&mut scan, run_id, scope, &key) {
                    check_for_interrupts();
                    if !visit_older(&next) {
                        return;
                    }
                    key = next;
                }
                there = below(&mut scan, run_id, scope, &key);
                in_scope = true;
                break;
            }
            passed += 1;
            there = scan.down();
            if !there || scan.compare(KEY, &key).is_ne() || scan.compare(SCOPE, scope).is_ne() {
                break;
            }
        }
        if !there && in_scope {
            scan.again(&[run, Key::Text(2, Is::Less, scope), Key::Text(2, Is::AtLeast, low)]);
            there = scan.down();
            in_scope = false;
        }
    }
}

/// Goes to the newest row of the next cell downwards in the same scope; false where there is none.
fn below(scan: &mut Scan<'_>, run_id: &str, scope: &str, key: &str) -> bool {
    scan.again(&[Key::Text(1, Is::Equal, run_id), Key::Text(2, Is::Equal, scope), Key::Text(3, Is::Less, key)]);
    let there = scan.down();
    if there && guess::near(run_id).is_some() {
        scan.text(KEY, |next| guess::saw_below((run_id, scope, key), next));
    }
    there
}

/// The key of that next cell, where it is remembered and there is none between the two; it may have gone. This takes no row:
/// of a long run, `below` takes a page of them (70,000 instructions).
fn known_below(scan: &mut Scan<'_>, run_id: &str, scope: &str, key: &str) -> Option<String> {
    let next = guess::below((run_id, scope, key)).filter(|next| next.as_str() < key)?;
    scan.again(&[
        Key::Text(1, Is::Equal, run_id),
        Key::Text(2, Is::Equal, scope),
        Key::Text(3, Is::Less, key),
        Key::Text(3, Is::Greater, &next),
    ]);
    (!scan.down()).then_some(next)
}

/// The distinct cells of a run, dead ones too (and perhaps some that have gone), at most so many: one descent a cell,
/// whatever its versions.
pub fn distinct(tables: &Tables, run_id: &str, most: usize) -> Vec<CellId> {
    let run = Key::Text(1, Is::Equal, run_id);
    let mut scan = tables.cell.scan(&[run]);
    let mut cells: Vec<CellId> = Vec::new();
    let mut there = scan.down();
    while there && cells.len() < most {
        check_for_interrupts();
        let place: String = scan.get(SCOPE).unwrap_or_default();
        let (scope, known) = (place.as_str(), static_scope(&place));
        let mut key: String = scan.get(KEY).unwrap_or_default();
        let ordinal = scan.get(ORDINAL).unwrap_or_default();
        cells.extend(known.map(|scope| CellId { scope, key: key.clone(), ordinal }));
        there = false;
        if scope == CONTEXT {
            let in_list = [Key::Text(2, Is::Equal, scope), Key::Text(3, Is::Equal, &key)];
            scan.again(&[run, in_list[0], in_list[1], Key::Number(4, Is::Less, ordinal)]);
            there = scan.down();
        } else {
            while cells.len() < most
                && let Some(next) = known_below(&mut scan, run_id, scope, &key)
            {
                check_for_interrupts();
                cells.extend(known.map(|scope| CellId::new(scope, next.as_str())));
                key = next;
            }
        }
        if !there {
            there = below(&mut scan, run_id, scope, &key);
        }
        if !there {
            scan.again(&[run, Key::Text(2, Is::Less, scope)]);
            there = scan.down();
        }
    }
    cells
}

/// The context of one node, as `walk_context` finds it.
pub struct List {
    pub node: String,
    /// The highest ordinal that was ever used.
    pub highest: i64,
    pub counter: Newest,
    /// Of an unset counter, what it was last.
    pub entries: Counter,
}

/// What `walk_context` visits: a node's list, and then each entry of it.
pub enum Context<'a, 't> {
    List(&'a List),
    Entry(&'a List, &'a Scan<'t>),
}

/// Visits the nodes that had context up to a version (None: ever), from the last one backwards, and the newest row of each
/// live entry, from the last one backwards. Dead entries are never visited.
pub fn walk_context(tables: &Tables, run_id: &str, at: Option<i64>, mut visit: impl FnMut(Context<'_, '_>)) {
    let (run, context) = (Key::Text(1, Is::Equal, run_id), Key::Text(2, Is::Equal, CONTEXT));
    let at = Key::Number(5, Is::AtMost, at.unwrap_or(i64::MAX));
    let mut scan = tables.cell.scan(&[run, context]);
    while scan.down() {
        check_for_interrupts();
        let node: String = scan.get(KEY).unwrap_or_default();
        let highest = scan.get(ORDINAL).unwrap_or_default();
        let key = Key::Text(3, Is::Equal, &node);
        scan.again(&[run, context, key, Key::Number(4, Is::Equal, COUNTER), at]);
        if scan.down() {
            let entries = Counter::parse(scan.jsonb(VALUE).as_ref());
            let (first, last) = (entries.next - entries.live, entries.next - 1);
            let list = List { node: node.clone(), highest, counter: newest_of(&scan), entries };
            visit(Context::List(&list));
            let mut ordinal = last;
            while ordinal >= first {
                // The next entry downwards, in its newest version; then those of it that are older are passed over.
                scan.again(&[
                    run,
                    context,
                    key,
                    Key::Number(4, Is::AtMost, ordinal),
                    Key::Number(4, Is::AtLeast, first),
                    at,
                ]);
                let mut passed = 0;
                let mut above = ordinal + 1;
                ordinal = first - 1;
                while scan.down() {
                    let this: i64 = scan.get(ORDINAL).unwrap_or_default();
                    if this != above {
                        above = this;
                        passed = 0;
                        visit(Context::Entry(&list, &scan));
                        continue;
                    }
                    passed += 1;
                    if passed > NEAR {
                        ordinal = this - 1;
                        break;
                    }
                }
            }
        }
        scan.again(&[run, context, Key::Text(3, Is::Less, &node)]);
    }
}
