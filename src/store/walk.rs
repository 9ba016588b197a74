//! From one cell to the next along the primary key, on the fast path: one descent of the index a cell, whatever its versions.

use crate::server::columns::Columns;
use crate::server::interrupts::check_for_interrupts;
use crate::server::scan::{Is, Key, Scan};
use crate::store::cell::{
    CONTEXT, COUNTER, CellId, Counter, KEY, Newest, ORDINAL, Place, SCOPE, VALUE, VERSION, newest_of, static_scope,
};
use crate::store::guess;
use crate::store::tables::Tables;

/// Rows that are skipped one by one; beyond that a new descent is cheaper, however many there are.
pub const NEAR: usize = 8;

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
        // A row that somebody wrote manually may be of no scope: it is skipped.
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
                // The next entry downwards, in its newest version; then those of it that are older are skipped.
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
