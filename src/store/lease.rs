//! Rows of `layra.lease`: the attempts at each node, and who holds it until when.

use crate::server::columns::Columns;
use crate::server::heap::Table;
use crate::server::jsonb::Jsonb;
use crate::server::scan::{Is, Key};
use crate::server::spi::{At, Rows};
use crate::store::cell::newest_cell;
use crate::store::db::Db;
use crate::store::statement::statement;
use pgrx::IntoDatum;

statement! {
    /// With the cells of their nodes.
    VERIFY_LEASES, [TEXTOID, TEXTOID], "/* layra.verify_leases */
SELECT l.node_id, l.attempt, l.worker, l.held, c.value
FROM layra.lease l LEFT JOIN LATERAL ", newest_cell!("c.value", "'node'", "l.node_id", "0", ""), " c ON true
WHERE l.run_id OPERATOR(pg_catalog.=) $1 AND l.node_id OPERATOR(pg_catalog.>=) $2 ORDER BY l.node_id LIMIT 1000"
}

statement! {
    /// Locks a node's lease. The table is locked as for the change that follows, which then does not wait.
    LOCK_LEASE, [TEXTOID, TEXTOID], "/* layra.lock_lease */
WITH nothing AS (UPDATE layra.lease SET held = held WHERE false)
SELECT l.attempt, l.worker, l.until FROM layra.lease l
WHERE l.run_id OPERATOR(pg_catalog.=) $1 AND l.node_id OPERATOR(pg_catalog.=) $2 FOR NO KEY UPDATE"
}

statement! {
    /// The next attempt of a node, whose lease is locked if there is one.
    TAKE_LEASE, [TEXTOID, TEXTOID, TEXTOID, TIMESTAMPTZOID], "/* layra.take_lease */
INSERT INTO layra.lease AS l (run_id, node_id, attempt, worker, until, held)
VALUES ($1, $2, 1, $3, $4, $4 IS NOT NULL)
ON CONFLICT (run_id, node_id) DO UPDATE
SET attempt = l.attempt OPERATOR(pg_catalog.+) 1, worker = $3, until = $4, held = $4 IS NOT NULL
RETURNING l.attempt"
}

statement! {
    /// The leases of nodes that are done, failed or reset.
    RELEASE_LEASES, [TEXTOID, TEXTARRAYOID], "/* layra.release_leases */
UPDATE layra.lease l SET until = NULL, held = false
WHERE l.run_id OPERATOR(pg_catalog.=) $1 AND l.node_id OPERATOR(pg_catalog.=) ANY ($2) AND l.held"
}

statement! {
    /// A new end for a lease that is locked. The run's status is that of this moment, which may have followed a wait.
    EXTEND_LEASE, [TEXTOID, TEXTOID, TIMESTAMPTZOID], "/* layra.extend_lease */
UPDATE layra.lease l SET until = $3
WHERE l.run_id OPERATOR(pg_catalog.=) $1 AND l.node_id OPERATOR(pg_catalog.=) $2
RETURNING (SELECT r.status FROM layra.run r WHERE r.run_id OPERATOR(pg_catalog.=) $1)"
}

statement! {
    /// Locked, because a heartbeat does not wait for the run: what it has extended meanwhile is seen.
    LEASES, [TEXTOID], "/* layra.leases */
SELECT l.node_id, l.until FROM layra.lease l WHERE l.run_id OPERATOR(pg_catalog.=) $1 AND l.held FOR NO KEY UPDATE"
}

statement! {
    /// Some, behind a node.
    LEASES_AFTER, [TEXTOID, TEXTOID], "/* layra.leases_after */
SELECT l.node_id, l.attempt, l.worker, l.until FROM layra.lease l
WHERE l.run_id OPERATOR(pg_catalog.=) $1 AND l.node_id OPERATOR(pg_catalog.>) $2 ORDER BY l.node_id LIMIT 1000"
}

statement! {
    IMPORT_LEASE, [TEXTOID, TEXTOID, INT4OID, TEXTOID, TIMESTAMPTZOID], "/* layra.import_lease */
INSERT INTO layra.lease (run_id, node_id, attempt, worker, until, held) VALUES ($1, $2, $3, $4, $5, $5 IS NOT NULL)
ON CONFLICT DO NOTHING"
}

/// What the row of a node that was ever begun says of its lease.
pub struct Lease {
    pub attempt: i32,
    pub worker: Option<String>,
    pub until: Option<i64>,
}

impl Lease {
    fn of(row: &impl Columns, first: i32) -> Lease {
        let attempt = row.get(first).unwrap_or_default();
        Lease { attempt, worker: row.get(first + 1), until: row.get(first + 2) }
    }

    /// Locks the row, for whoever reads the clock then. None where there is none.
    pub fn lock(db: &Db, run_id: &str, node_id: &str) -> Option<Lease> {
        let locked = db.plain(|tables| {
            let leases = tables.lease()?;
            let mut lease = leases.scan(&[Key::Text(1, Is::Equal, run_id), Key::Text(2, Is::Equal, node_id)]);
            if !lease.down() {
                return Some(None);
            }
            lease.lock().then(|| Some(Lease::of(&lease, 3)))
        });
        if let Some(Some(lease)) = locked {
            return lease;
        }
        let rows = db.query(&LOCK_LEASE, &[run_id.into_datum(), node_id.into_datum()]);
        (!rows.is_empty()).then(|| Lease::of(&At(&rows, 0), 1))
    }

    pub fn is_over(&self, now: i64) -> bool {
        self.until.is_some_and(|until| until <= now)
    }
}

/// The next attempt at a node.
pub fn take(db: &Db, run_id: &str, node_id: &str, worker: Option<&str>, until: Option<i64>) -> i32 {
    let args = [run_id.into_datum(), node_id.into_datum(), worker.into_datum(), until.into_datum()];
    db.query(&TAKE_LEASE, &args).get(0, 1).unwrap_or_default()
}

/// A new end for a lease that is locked; returns the run's status, which is that of this moment.
pub fn extend(db: &Db, run_id: &str, node_id: &str, until: i64) -> Option<String> {
    db.query(&EXTEND_LEASE, &[run_id.into_datum(), node_id.into_datum(), until.into_datum()]).get(0, 1)
}

/// Ends the leases of nodes on which nobody works any more.
pub fn release(db: &Db, run_id: &str, nodes: Vec<String>) {
    // The table first: a snapshot from before its lock would not see the rows of one that came in its place meanwhile.
    let leases = db.plain(|tables| tables.lease()).flatten();
    if leases.is_some_and(|leases| db.plain(|_| release_plain(&leases, run_id, &nodes)) == Some(true)) {
        return;
    }
    db.query(&RELEASE_LEASES, &[run_id.into_datum(), nodes.into_datum()]);
}

/// False where a statement has to do it: it changes nothing that is done already.
fn release_plain(leases: &Table, run_id: &str, nodes: &[String]) -> bool {
    const UNTIL: i32 = 5;
    const HELD: i32 = 6;
    let mut writer = leases.writer();
    nodes.iter().all(|node| {
        let mut lease = leases.scan(&[Key::Text(1, Is::Equal, run_id), Key::Text(2, Is::Equal, node)]);
        if !lease.down() {
            return true;
        }
        if !lease.lock() {
            return false;
        }
        if lease.get(HELD) == Some(true) {
            writer.update(&lease, &[(UNTIL, None), (HELD, false.into_datum())]);
        }
        true
    })
}

/// The nodes that are held, and until when, locked: what a heartbeat has extended meanwhile is seen.
pub fn lock_held(db: &Db, run_id: &str) -> Vec<(String, i64)> {
    let rows = db.query(&LEASES, &[run_id.into_datum()]);
    (0..rows.len()).filter_map(|row| rows.get(row, 1).zip(rows.get(row, 2))).collect()
}

/// Inserts the lease of a node as it was elsewhere.
pub fn import(db: &Db, run_id: &str, node_id: &str, lease: &Lease) {
    let args = [
        run_id.into_datum(),
        node_id.into_datum(),
        lease.attempt.into_datum(),
        lease.worker.as_deref().into_datum(),
        lease.until.into_datum(),
    ];
    db.query(&IMPORT_LEASE, &args);
}

/// Some leases behind a node, whatever became of them, each with its node.
pub fn after(db: &Db, run_id: &str, node_id: &str) -> Vec<(String, Lease)> {
    let rows = db.query(&LEASES_AFTER, &[run_id.into_datum(), node_id.into_datum()]);
    rows.iter().map(|row| (row.get(1).unwrap_or_default(), Lease::of(&row, 2))).collect()
}

/// The leases of a run as they stand, with the cells of their nodes, which may be damaged.
pub struct Stored(Rows);

impl Stored {
    /// Some of them, from a node on.
    pub fn from(db: &Db, run_id: &str, from: &str) -> Stored {
        Stored(db.query(&VERIFY_LEASES, &[run_id.into_datum(), from.into_datum()]))
    }

    pub fn rows(&self) -> impl Iterator<Item = Row<'_>> {
        self.0.iter().map(Row)
    }
}

pub struct Row<'a>(At<'a>);

impl Row<'_> {
    pub fn node_id(&self) -> String {
        self.0.get(1).unwrap_or_default()
    }

    pub fn attempt(&self) -> i32 {
        self.0.get(2).unwrap_or_default()
    }

    pub fn worker(&self) -> Option<String> {
        self.0.get(3)
    }

    pub fn held(&self) -> Option<bool> {
        self.0.get(4)
    }

    pub fn cell(&self) -> Option<Jsonb> {
        self.0.jsonb(5)
    }
}

statement! {
    HELD_NODES, [TEXTOID, INT8OID], "/* layra.held_nodes */
SELECT l.node_id, l.until FROM layra.lease l WHERE l.run_id OPERATOR(pg_catalog.=) $1 AND l.held ORDER BY l.node_id LIMIT $2"
}

/// As `lock_held`, for who only looks, at most so many.
pub fn held(db: &Db, run_id: &str, most: i64) -> Vec<(String, i64)> {
    let rows = db.query(&HELD_NODES, &[run_id.into_datum(), most.into_datum()]);
    (0..rows.len()).filter_map(|row| rows.get(row, 1).zip(rows.get(row, 2))).collect()
}
