//! Idempotency keys: which versions used one, and what dropped runs left of theirs to their forks (`layra.inherited_key`,
//! `layra.bequeathed_key`, `layra.inheritance`).

use crate::server::columns::Columns;
use crate::server::heap;
use crate::server::interrupts::check_for_interrupts;
use crate::server::name::fresh_uuid;
use crate::server::scan::{Is, Key};
use crate::server::spi::{At, Rows};
use crate::store::db::Db;
use crate::store::event::{self, TYPE, VERSION};
use crate::store::run::{self, Run};
use crate::store::statement::statement;
use crate::store::tables::SCHEMA;
use pgrx::IntoDatum;
use pgrx::datum::Uuid;
use std::collections::{BTreeSet, HashMap};
use std::ffi::CStr;

statement! {
    /// The uses of an idempotency key up to a version, newest first.
    KEY_USES, [TEXTOID, TEXTOID, INT8OID], "/* layra.key_uses */
SELECT k.version, k.type FROM layra.event k
WHERE k.run_id OPERATOR(pg_catalog.=) $1 AND k.idempotency_key OPERATOR(pg_catalog.=) $2
  AND k.version OPERATOR(pg_catalog.<=) $3 ORDER BY k.version DESC"
}

statement! {
    /// The dropped runs that a run comes from, the versions of them that its history has, and their uses of a key up to there,
    /// newest first. Before version 0.3.0 each fork had keys of its own from them, which count as used in its version 1.
    INHERITED_USES, [TEXTOID, TEXTOID], "/* layra.inherited_uses */
SELECT i.source, i.version,
    ARRAY(SELECT k.version FROM layra.bequeathed_key k WHERE k.source OPERATOR(pg_catalog.=) i.source
          AND k.idempotency_key OPERATOR(pg_catalog.=) $2 AND k.version OPERATOR(pg_catalog.<=) i.version ORDER BY k.version DESC),
    ARRAY(SELECT k.type FROM layra.bequeathed_key k WHERE k.source OPERATOR(pg_catalog.=) i.source
          AND k.idempotency_key OPERATOR(pg_catalog.=) $2 AND k.version OPERATOR(pg_catalog.<=) i.version ORDER BY k.version DESC),
    i.distance
FROM layra.inheritance i WHERE i.run_id OPERATOR(pg_catalog.=) $1
UNION ALL
SELECT NULL, 1, ARRAY[1::pg_catalog.int8], ARRAY[k.type], 0 FROM layra.inherited_key k
WHERE k.run_id OPERATOR(pg_catalog.=) $1 AND k.idempotency_key OPERATOR(pg_catalog.=) $2"
}

statement! {
    /// As ROLLBACK_BEFORE, of a run that was dropped.
    INHERITED_ROLLBACK_BEFORE, [UUIDOID, INT8OID], "/* layra.inherited_rollback_before */
SELECT k.version, k.to_version FROM layra.bequeathed_key k
WHERE k.source OPERATOR(pg_catalog.=) $1 AND k.idempotency_key OPERATOR(pg_catalog.=) ''
  AND k.version OPERATOR(pg_catalog.>) 0 AND k.version OPERATOR(pg_catalog.<=) $2 ORDER BY k.version DESC LIMIT 1"
}

statement! {
    /// What a run that is dropped leaves to its forks, once for all of them: its idempotency keys, and under the key '' the
    /// rollbacks, which tell the live ones at a version, and the version 0, which stands for the run itself. No row: it has no key.
    LEAVE_KEYS, [TEXTOID, UUIDOID], "/* layra.leave_keys */
INSERT INTO layra.bequeathed_key (source, idempotency_key, version, type, to_version)
SELECT $2, l.idempotency_key, l.version, l.type, l.to_version FROM (
    SELECT e.idempotency_key, e.version, e.type, NULL::pg_catalog.int8 AS to_version FROM layra.event e
    WHERE e.run_id OPERATOR(pg_catalog.=) $1 AND e.idempotency_key IS NOT NULL
    UNION ALL
    SELECT k.idempotency_key, 1, k.type, NULL FROM layra.inherited_key k WHERE k.run_id OPERATOR(pg_catalog.=) $1
    UNION ALL
    SELECT '', e.version, e.type, (e.payload OPERATOR(pg_catalog.->>) 'to_version')::pg_catalog.int8 FROM layra.event e
    WHERE e.run_id OPERATOR(pg_catalog.=) $1 AND e.type OPERATOR(pg_catalog.=) 'run.rolled_back'
    UNION ALL
    SELECT '', 0, 'run.dropped', NULL) l
WHERE EXISTS (SELECT FROM layra.event e WHERE e.run_id OPERATOR(pg_catalog.=) $1 AND e.idempotency_key IS NOT NULL)
   OR EXISTS (SELECT FROM layra.inherited_key k WHERE k.run_id OPERATOR(pg_catalog.=) $1)
ON CONFLICT DO NOTHING"
}

/// How many dropped runs are between a fork `r` and its parent: what comes now is behind them.
macro_rules! farthest {
    () => {
        "COALESCE((SELECT pg_catalog.max(b.distance) FROM layra.inheritance b WHERE b.run_id OPERATOR(pg_catalog.=) r.run_id), 0)"
    };
}

statement! {
    /// The forks of a run come from it, as a run that is dropped, too.
    INHERIT, [TEXTOID, UUIDOID], "/* layra.inherit */
INSERT INTO layra.inheritance (run_id, source, version, distance)
SELECT r.run_id, $2, r.parent_version, 1 OPERATOR(pg_catalog.+) ", farthest!(), "
FROM layra.run r WHERE r.parent_run_id OPERATOR(pg_catalog.=) $1
ON CONFLICT DO NOTHING"
}

statement! {
    /// The forks of a run come from the dropped runs that it comes from.
    INHERIT_INHERITED, [TEXTOID], "/* layra.inherit_inherited */
INSERT INTO layra.inheritance (run_id, source, version, distance)
SELECT r.run_id, i.source, i.version, i.distance OPERATOR(pg_catalog.+) ", farthest!(), "
FROM layra.inheritance i CROSS JOIN LATERAL (
    SELECT r.run_id FROM layra.run r WHERE r.parent_run_id OPERATOR(pg_catalog.=) $1) r
WHERE i.run_id OPERATOR(pg_catalog.=) $1
ON CONFLICT DO NOTHING"
}

statement! {
    /// One at a time decides whether somebody else still comes from a dropped run.
    LOCK_SOURCE, [UUIDOID], "/* layra.lock_source */
SELECT k.version FROM layra.bequeathed_key k
WHERE k.source OPERATOR(pg_catalog.=) $1 AND k.idempotency_key OPERATOR(pg_catalog.=) '' AND k.version OPERATOR(pg_catalog.=) 0 FOR UPDATE"
}

statement! {
    HEIR, [UUIDOID], "/* layra.heir */
SELECT i.run_id FROM layra.inheritance i WHERE i.source OPERATOR(pg_catalog.=) $1 LIMIT 1"
}

statement! {
    DELETE_BEQUEATHED_KEYS, [UUIDOID], "/* layra.delete_bequeathed_keys */
DELETE FROM layra.bequeathed_key k WHERE k.source OPERATOR(pg_catalog.=) $1"
}

statement! {
    /// Some keys behind one that dropped runs left to a run.
    KEYS_LEFT, [TEXTOID, TEXTOID], "/* layra.keys_left */
SELECT k.idempotency_key, i.source FROM layra.inheritance i CROSS JOIN LATERAL (
    SELECT b.idempotency_key FROM layra.bequeathed_key b
    WHERE b.source OPERATOR(pg_catalog.=) i.source AND b.idempotency_key OPERATOR(pg_catalog.>) $2
    ORDER BY b.idempotency_key LIMIT 1000) k
WHERE i.run_id OPERATOR(pg_catalog.=) $1"
}

statement! {
    /// As KEYS_LEFT, of those that the run has itself.
    KEYS_INHERITED, [TEXTOID, TEXTOID], "/* layra.keys_inherited */
SELECT k.idempotency_key, NULL::pg_catalog.uuid FROM layra.inherited_key k
WHERE k.run_id OPERATOR(pg_catalog.=) $1 AND k.idempotency_key OPERATOR(pg_catalog.>) $2 ORDER BY k.idempotency_key LIMIT 1000"
}

statement! {
    /// As KEYS_LEFT, of those that a run used up to a version.
    KEYS_USED, [TEXTOID, TEXTOID, INT8OID], "/* layra.keys_used */
SELECT e.idempotency_key, NULL::pg_catalog.uuid FROM layra.event e
WHERE e.run_id OPERATOR(pg_catalog.=) $1 AND e.idempotency_key OPERATOR(pg_catalog.>) $2
  AND e.version OPERATOR(pg_catalog.<=) $3 ORDER BY e.idempotency_key, e.version LIMIT 1000"
}

statement! {
    IMPORT_KEY, [TEXTOID, TEXTOID, TEXTOID], "/* layra.import_key */
INSERT INTO layra.inherited_key (run_id, idempotency_key, type) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING"
}

/// Which versions of runs, and of those that were dropped, count: as far as somebody has asked for, with each head.
#[derive(Default)]
pub struct Histories(HashMap<(Place, i64), History>);

#[derive(PartialEq, Eq, Hash)]
enum Place {
    Run(String),
    Gone([u8; 16]),
}

/// The versions that no rollback undid up to one, from that one on.
struct History {
    /// First and last ones, the newest first: those after a rollback; what precedes them is undone down to where that went back to.
    ranges: Vec<(i64, i64)>,
    /// Where those before them end; None: there are none.
    next: Option<i64>,
}

impl Histories {
    fn of(&mut self, place: Place, head: i64) -> &mut History {
        self.0.entry((place, head)).or_insert_with(|| History { ranges: Vec::new(), next: Some(head) })
    }

    fn live(&mut self, db: &Db, run_id: &str, head: i64, uses: Vec<(i64, String)>) -> Option<(i64, String)> {
        if uses.is_empty() {
            return None;
        }
        let history = self.of(Place::Run(run_id.to_owned()), head);
        history.newest(uses, |version| event::rollback_before(db, run_id, version))
    }
}

impl History {
    /// The newest of some uses of a key (newest first) that counts: one probe for each rollback on the way there.
    fn newest(
        &mut self,
        uses: Vec<(i64, String)>,
        rollback_before: impl Fn(i64) -> Option<(i64, i64)>,
    ) -> Option<(i64, String)> {
        uses.into_iter().find(|(version, _)| {
            while self.ranges.last().is_none_or(|(from, _)| version < from)
                && let Some(to) = self.next
            {
                check_for_interrupts();
                let rollback = rollback_before(to);
                self.ranges.push((rollback.map_or(1, |(at, _)| at), to));
                self.next = rollback.map(|(_, to_version)| to_version);
            }
            let range = self.ranges.partition_point(|(from, _)| from > version);
            self.ranges.get(range).is_some_and(|(_, to)| version <= to)
        })
    }
}

/// The version of the live use of a key, and its type. Keys of undone versions count as unused.
pub fn find_use(
    db: &Db,
    run_id: &str,
    run: &Run,
    key: &str,
    head: i64,
    uses: Vec<(i64, String)>,
) -> Option<(i64, String)> {
    let mut histories = Histories::default();
    histories.live(db, run_id, head, uses).or_else(|| find_inherited(db, run_id, run, key, &mut histories))
}

/// As `find_use`, of the runs that a run comes from.
fn find_inherited(db: &Db, run_id: &str, run: &Run, key: &str, histories: &mut Histories) -> Option<(i64, String)> {
    // What a fork has from its parents came with its own first version.
    let mut child = (run_id.to_owned(), run.clone());
    loop {
        let (id, run) = child;
        if run.parent.is_none() && !run.orphan {
            return None;
        }
        // The parent's log first: while we look, a key can only move from there to what the child inherited. But that
        // counts before it: it is from runs which were between the two.
        let parent = run.parent.as_ref();
        let parents = parent.and_then(|(parent, at)| histories.live(db, parent, *at, uses(db, parent, key, *at)));
        if let Some(found) = inherited(db, &id, key, histories) {
            return Some(found);
        }
        let read = |run_id: &str| run::read(db, run_id);
        // Only the run that is locked stays. Another that was dropped while we looked has left the key to its forks, which
        // we have been at already: from the start again.
        if id != run_id && read(&id).is_none() {
            child = (run_id.to_owned(), read(run_id)?);
            continue;
        }
        if let Some((_, type_name)) = parents {
            return Some((1, type_name));
        }
        let (parent, at) = run.parent?;
        child = match read(&parent) {
            Some(next) => (parent, next),
            // Dropped meanwhile: the child, where it is still there, has another parent now.
            None => match read(&id) {
                Some(now) => (id, Some(now).filter(|now| now.parent != Some((parent, at)))?),
                None => (run_id.to_owned(), read(run_id)?),
            },
        };
    }
}

/// The versions up to one, and their types, that used a key, newest first.
pub(super) fn uses(db: &Db, run_id: &str, key: &str, up_to: i64) -> Vec<(i64, String)> {
    const INDEX: &CStr = c"event_idempotency_key";
    const COLUMNS: [i16; 3] = [1, 11, 2];
    let by_fast_path = db.plain(|tables| {
        let keys = [Key::Text(1, Is::Equal, run_id), Key::Text(2, Is::Equal, key)];
        let mut uses = Vec::new();
        tables.event.scan_by(heap::schema(SCHEMA), INDEX, &COLUMNS, &keys, |event| {
            uses.push((event.get(VERSION).unwrap_or_default(), event.get(TYPE).unwrap_or_default()));
        })?;
        uses.retain(|(version, _)| *version <= up_to);
        Some(uses)
    });
    if let Some(uses) = by_fast_path.flatten() {
        return uses;
    }
    let rows = db.query(&KEY_USES, &[run_id.into_datum(), key.into_datum(), up_to.into_datum()]);
    (0..rows.len()).map(|row| (rows.get(row, 1).unwrap_or_default(), rows.get(row, 2).unwrap_or_default())).collect()
}

/// From the runs between this one and its parent, which were dropped.
fn inherited(db: &Db, run_id: &str, key: &str, histories: &mut Histories) -> Option<(i64, String)> {
    let rows = db.query(&INHERITED_USES, &[run_id.into_datum(), key.into_datum()]);
    // The nearest counts, as the newest use of one run does.
    let mut nearest: Vec<usize> = (0..rows.len()).collect();
    nearest.sort_by_key(|row| rows.get::<i64>(*row, 5));
    nearest.into_iter().find_map(|row| {
        let source: Option<Uuid> = rows.get(row, 1);
        let versions: Vec<i64> = rows.get(row, 3)?;
        let uses = versions.into_iter().zip(rows.get::<Vec<String>>(row, 4)?).collect();
        // What older versions left has no rollbacks.
        let rollback_before = |version: i64| {
            let source = source?;
            event::rollback_in(&db.query(&INHERITED_ROLLBACK_BEFORE, &[source.into_datum(), version.into_datum()]))
        };
        let place = Place::Gone(source.map_or([0; 16], |source| *source.as_bytes()));
        histories.of(place, rows.get(row, 2)?).newest(uses, rollback_before).map(|(_, type_name)| (1, type_name))
    })
}

/// Keys that a run may have from those that it comes from, some of them in order, behind one; and behind which one the next ones
/// are, where there are more.
fn from_others(db: &Db, run_id: &str, run: &Run, after: &str) -> (Vec<String>, Option<String>) {
    const MANY: usize = 1000;
    let mut keys = BTreeSet::new();
    // Of each list, that of each dropped run, no more than so many are known.
    let mut up_to: Option<String> = None;
    let mut add = |rows: Rows| {
        let key = |row: At<'_>| Some((row.get::<String>(1)?, row.get::<Uuid>(2)));
        let some: Vec<(String, Option<Uuid>)> = rows.iter().filter_map(key).collect();
        for list in some.chunk_by(|(_, one), (_, other)| one == other).filter(|list| list.len() == MANY) {
            let last = list.last().map(|(last, _)| last);
            up_to = up_to.take().into_iter().chain(last.cloned()).min();
        }
        keys.extend(some.into_iter().map(|(key, _)| key));
    };
    let mut next = Some((run_id.to_owned(), run.clone()));
    while let Some((id, run)) = next {
        check_for_interrupts();
        add(db.query(&KEYS_LEFT, &[id.as_str().into_datum(), after.into_datum()]));
        add(db.query(&KEYS_INHERITED, &[id.as_str().into_datum(), after.into_datum()]));
        next = run.parent.and_then(|(parent, at)| {
            add(db.query(&KEYS_USED, &[parent.as_str().into_datum(), after.into_datum(), at.into_datum()]));
            run::read(db, &parent).map(|run| (parent, run))
        });
    }
    let known = keys.into_iter().take_while(|key| up_to.as_ref().is_none_or(|last| key <= last)).collect();
    (known, up_to)
}

/// The keys that count as used in version 1 of a fork, as it has them from the runs that it comes from, and the types of the events
/// that used them: some of them in order, behind one; and behind which one the next ones are, where there are more.
pub fn inherited_after(
    db: &Db,
    run_id: &str,
    run: &Run,
    after: &str,
    histories: &mut Histories,
) -> (Vec<(String, String)>, Option<String>) {
    let (keys, next) = from_others(db, run_id, run, after);
    let used = |key: String| find_inherited(db, run_id, run, &key, histories).map(|(_, type_name)| (key, type_name));
    (keys.into_iter().filter_map(used).collect(), next)
}

/// A fork has a key of its own from runs that are elsewhere.
pub fn import(db: &Db, run_id: &str, key: &str, type_name: &str) {
    db.query(&IMPORT_KEY, &[run_id.into_datum(), key.into_datum(), type_name.into_datum()]);
}

/// Forks remember the idempotency keys that they inherited, also when their parent is gone: a fork becomes a fork of its
/// grandparent, and keeps what it had from the run in between, which stands once for all of them. Locks the run before its
/// forks, as `fork_run` does.
pub(super) fn bequeath(db: &Db, run_id: &str, run: &Run) {
    let run_datum = run_id.into_datum();
    let mut source = None;
    loop {
        // A fork that was dropped while we waited for it has left its own forks to this run.
        if !run::lock_forks(db, run_id) {
            return;
        }
        let source = *source.get_or_insert_with(|| {
            let source = fresh_uuid();
            let left = db.query(&LEAVE_KEYS, &[run_datum, source.into_datum()]);
            Some(source).filter(|_| !left.is_empty())
        });
        if source.is_some() {
            db.query(&INHERIT, &[run_datum, source.into_datum()]);
        }
        db.query(&INHERIT_INHERITED, &[run_datum]);
        run::set_parent_of_forks(db, run_id, run.parent.clone());
    }
}

/// A run that is gone comes from nowhere; what dropped runs left goes with the last that came from them.
pub(super) fn disinherit(db: &Db, mut sources: Vec<Uuid>) {
    sources.sort_by_key(|source| *source.as_bytes());
    for source in sources {
        db.query(&LOCK_SOURCE, &[source.into_datum()]);
        if db.query_latest(&HEIR, &[source.into_datum()]).is_empty() {
            db.query(&DELETE_BEQUEATHED_KEYS, &[source.into_datum()]);
        }
    }
}
