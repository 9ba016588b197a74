//! The short way to single rows of plain tables: what logical replication and referential integrity do for theirs. A row is
//! found by its primary key, locked and inserted by PostgreSQL's own functions for one row, without a plan. A statement that
//! inserts an event takes 85,000 instructions, of which this leaves 40,000: the rest is the start of an executor, which makes
//! descriptors and compiles expressions for each column anew.
//!
//! Only at READ COMMITTED (reads: at any level) and only where a table is plain. Is it anything else (partitioned,
//! distributed, with triggers, rules or other columns), then `Tables` finds no table, or no run in it, and the
//! statements of `statements` serve, which PostgreSQL and its extensions can plan as they like.

use crate::server::spi::{Columns, attribute, check_for_interrupts};
use pgrx::{IntoDatum, pg_sys};
use std::ffi::CStr;

/// A table of the extension that is found to be plain, and its primary key; closed when dropped. The locks stay until the
/// transaction ends, as those of a statement do.
pub struct Table {
    heap: pg_sys::Relation,
    key: pg_sys::Relation,
    /// Both, in the order in which they are closed.
    _open: [Open; 2],
}

/// What a table has to look like.
struct Shape {
    name: &'static CStr,
    /// Their types; a column that was dropped has none.
    columns: &'static [pg_sys::Oid],
    /// The columns that are written and may be NULL: nobody has forbidden it.
    nullable: &'static [usize],
    /// The CHECKs, sorted, whose rules the functions keep themselves: they are for who writes otherwise. PostgreSQL reads
    /// and compiles them anew for each statement, which for the two of a cell is 240,000 instructions. (None: as the table
    /// is not written.)
    checks: Option<&'static [&'static CStr]>,
    /// The columns of the primary key.
    key: &'static [i16],
}

use pg_sys::{
    BOOLOID as BOOL, BYTEAOID as BYTEA, INT4OID as INT4, INT8OID as INT8, JSONBOID as JSONB, TEXTARRAYOID as TEXTS,
    TEXTOID as TEXT, TIMESTAMPTZOID as TIME, XID8OID as XID8,
};

const RUN: Shape = Shape {
    name: c"run",
    columns: &[TEXT, TEXT, TEXT, TEXT, TEXT, INT4, BYTEA, TEXT, INT8, JSONB, JSONB, TIME, TIME],
    nullable: &[],
    checks: None,
    key: &[1],
};
const EVENT: Shape = Shape {
    name: c"event",
    columns: &[
        TEXT, INT8, TEXT, JSONB, BYTEA, TEXTS, BYTEA, TEXT, TEXT, TIME, TEXT, TEXT, TEXT, BYTEA, XID8, INT8, INT8,
    ],
    nullable: &[4, 9, 11, 12, 13, 17],
    checks: Some(&[]),
    key: &[1, 2],
};
const CELL: Shape = Shape {
    name: c"cell",
    columns: &[TEXT, TEXT, TEXT, INT8, INT8, INT8, JSONB, BYTEA, INT8],
    nullable: &[7, 8, 9],
    checks: Some(&[c"cell_loop", c"cell_node"]),
    key: &[1, 2, 3, 4, 5],
};
const LEASE: Shape = Shape {
    name: c"lease",
    columns: &[TEXT, TEXT, INT4, TEXT, TIME, BOOL],
    nullable: &[5],
    checks: Some(&[c"lease_attempt_check", c"lease_held_until"]),
    key: &[1, 2],
};

impl Shape {
    fn allows(&self, columns: &pg_sys::TupleDescData) -> bool {
        // SAFETY: the descriptor of an open table, which has so many columns and CHECKs; their names are C strings.
        unsafe {
            let checks: &[pg_sys::ConstrCheck] = match columns.constr.as_ref() {
                Some(constraints) if constraints.num_check > 0 => {
                    std::slice::from_raw_parts(constraints.check, constraints.num_check.into())
                }
                _ => &[],
            };
            columns.natts as usize == self.columns.len()
                && self.columns.iter().enumerate().all(|(index, oid)| (*attribute(columns, index)).atttypid == *oid)
                && self.checks.is_none_or(|names| {
                    checks.iter().map(|check| CStr::from_ptr(check.ccname)).eq(names.iter().copied())
                })
                && !self.nullable.iter().any(|column| (*attribute(columns, column - 1)).attnotnull)
        }
    }
}

/// The tables of a run.
pub struct Tables {
    pub run: Table,
    pub event: Table,
    pub cell: Table,
}

impl Tables {
    /// To read them with the snapshot of the caller.
    pub fn open_to_read() -> Option<Tables> {
        let (schema, lock) = (schema(), pg_sys::AccessShareLock);
        Some(Tables {
            run: Table::open(schema, &RUN, lock, SELECT)?,
            event: Table::open(schema, &EVENT, lock, SELECT)?,
            cell: Table::open(schema, &CELL, lock, SELECT)?,
        })
    }

    /// To lock the run and to insert. None also where a statement would be refused, and has to say so.
    pub fn open_to_write() -> Option<Tables> {
        // SAFETY: reads of backend-local variables.
        if unsafe { crate::server::spi::above_read_committed() || pg_sys::XactReadOnly || pg_sys::IsInParallelMode() } {
            return None;
        }
        // Some calls also change the run's row: see `lock`.
        let (schema, lock) = (schema(), pg_sys::RowExclusiveLock);
        Some(Tables {
            run: Table::open(schema, &RUN, lock, SELECT | UPDATE)?,
            event: Table::open(schema, &EVENT, lock, SELECT | INSERT)?,
            cell: Table::open(schema, &CELL, lock, SELECT | INSERT)?,
        })
    }

    /// The table of leases, for who has the others to write.
    pub fn lease(&self) -> Option<Table> {
        Table::open(schema(), &LEASE, pg_sys::RowExclusiveLock, SELECT | UPDATE)
    }
}

const SELECT: pg_sys::AclMode = pg_sys::ACL_SELECT as pg_sys::AclMode;
const INSERT: pg_sys::AclMode = pg_sys::ACL_INSERT as pg_sys::AclMode;
const UPDATE: pg_sys::AclMode = pg_sys::ACL_UPDATE as pg_sys::AclMode;

/// Whether the current user, who owns the table, was left all of these privileges; and nobody else (sepgsql, pgaudit) wants to
/// decide, or to note, who reads and writes tables.
unsafe fn may(table: pg_sys::Oid, privileges: pg_sys::AclMode) -> bool {
    // SAFETY: catalogue look-ups for a table that the caller has open.
    unsafe {
        let all = pg_sys::AclMaskHow::ACLMASK_ALL;
        (&raw const pg_sys::ExecutorCheckPerms_hook).read().is_none()
            && (pg_sys::superuser()
                || pg_sys::pg_class_aclmask(table, pg_sys::GetUserId(), privileges, all) == privileges)
    }
}

fn schema() -> pg_sys::Oid {
    // SAFETY: a catalogue look-up; a missing schema raises an error.
    unsafe { pg_sys::get_namespace_oid(c"layra".as_ptr(), false) }
}

/// Locks what has this name once the lock is held, as every statement does (RangeVarGetRelidExtended): while we waited,
/// what had it may have got another name, and another relation this one.
fn lock_named(schema: pg_sys::Oid, name: &CStr, lock: u32) -> Option<pg_sys::Oid> {
    let lock = lock as pg_sys::LOCKMODE;
    let mut locked = pg_sys::InvalidOid;
    loop {
        // SAFETY: a counter of the backend's, catalogue look-ups, and locks, of which what is not ours in the end is given
        // back.
        unsafe {
            let seen = (&raw const pg_sys::SharedInvalidMessageCounter).read();
            let relation = pg_sys::get_relname_relid(name.as_ptr(), schema);
            if relation != locked {
                if locked != pg_sys::InvalidOid {
                    pg_sys::UnlockRelationOid(locked, lock);
                }
                if relation == pg_sys::InvalidOid {
                    return None;
                }
                pg_sys::LockRelationOid(relation, lock);
                locked = relation;
            }
            if (&raw const pg_sys::SharedInvalidMessageCounter).read() == seen {
                return Some(locked);
            }
        }
    }
}

/// As `lock_named`, for who reads.
pub fn lock_to_read(name: &CStr) -> Option<pg_sys::Oid> {
    lock_named(schema(), name, pg_sys::AccessShareLock)
}

/// Locks a table for all that a call may do with it: who writes, against SHARE mode, in which REINDEX has it; who reads, by
/// the index that REINDEX takes first. One that has gone is locked, too, which does no harm.
pub fn lock(table: pg_sys::Oid, read_only: bool) {
    // SAFETY: a table that is opened is closed again, and keeps its lock.
    unsafe {
        if !read_only {
            return pg_sys::LockRelationOid(table, pg_sys::RowExclusiveLock as pg_sys::LOCKMODE);
        }
        let heap = pg_sys::try_table_open(table, pg_sys::AccessShareLock as pg_sys::LOCKMODE);
        if !heap.is_null() {
            let _open = Open::Heap(heap);
            lock_first_index(heap);
        }
    }
}

/// REINDEX TABLE takes the indexes by OID: whoever has the first of them never waits for another one.
unsafe fn lock_first_index(heap: pg_sys::Relation) {
    // SAFETY: the caller has the table open and locked, whose list is there once it was asked for.
    unsafe {
        if !(*heap).rd_indexvalid {
            pg_sys::list_free(pg_sys::RelationGetIndexList(heap));
        }
        if let Some(first) = pgrx::PgList::<pg_sys::Oid>::from_pg((*heap).rd_indexlist).get_oid(0) {
            pg_sys::LockRelationOid(first, pg_sys::AccessShareLock as pg_sys::LOCKMODE);
        }
    }
}

impl Table {
    fn open(schema: pg_sys::Oid, shape: &Shape, lock: u32, privileges: pg_sys::AclMode) -> Option<Table> {
        // SAFETY: catalogue look-ups; the relations are closed when dropped, and their descriptors are valid until then.
        unsafe {
            let oid = lock_named(schema, shape.name, lock)?;
            let heap = pg_sys::table_open(oid, pg_sys::NoLock as pg_sys::LOCKMODE);
            let open_heap = Open::Heap(heap);
            let (relation, form) = (&*heap, &*(*heap).rd_rel);
            let plain = is_heap(form)
                && shape.allows(&*relation.rd_att)
                && relation.trigdesc.is_null()
                && !(form.relhasrules || form.relispartition || form.relforcerowsecurity)
                && may(oid, privileges);
            if !plain {
                return None;
            }
            #[cfg(any(feature = "pg15", feature = "pg16", feature = "pg17"))]
            let key = pg_sys::RelationGetPrimaryKeyIndex(heap);
            #[cfg(feature = "pg18")]
            let key = pg_sys::RelationGetPrimaryKeyIndex(heap, false);
            if key == pg_sys::InvalidOid {
                return None;
            }
            lock_first_index(heap);
            let key = pg_sys::index_open(key, pg_sys::AccessShareLock as pg_sys::LOCKMODE);
            let open_key = Open::Index(key);
            if !is_btree_on(key, shape.key) {
                return None;
            }
            Some(Table { heap, key, _open: [open_key, open_heap] })
        }
    }

    /// The rows whose key has these values in its first columns, and is within the bounds behind them.
    pub fn scan(&self, keys: &[Key]) -> Scan<'_> {
        let mut scan = self.begin();
        scan.again(keys);
        scan
    }

    /// A scan that stands nowhere before it goes on with `again`.
    pub fn begin(&self) -> Scan<'_> {
        self.begin_by(self.key)
    }

    /// The rows of an event that used an idempotency key, by version.
    pub fn uses_of_key(&self, run_id: &str, key: &str, mut work: impl FnMut(&Scan<'_>)) -> Option<()> {
        const COLUMNS: [i16; 3] = [1, 11, 2];
        // SAFETY: as `open`; the index is open until the scan is over.
        unsafe {
            let oid = lock_to_read(c"event_idempotency_key")?;
            if pg_sys::get_rel_relkind(oid) as u8 != pg_sys::RELKIND_INDEX {
                return None;
            }
            let index = pg_sys::index_open(oid, pg_sys::NoLock as pg_sys::LOCKMODE);
            let _open = Open::Index(index);
            if (*(*index).rd_index).indrelid != (*self.heap).rd_id || !is_btree_on(index, &COLUMNS) {
                return None;
            }
            let keys = [Key::Text(1, Is::Equal, run_id), Key::Text(2, Is::Equal, key)];
            let mut scan = self.begin_by(index);
            scan.again(&keys);
            while scan.down() {
                work(&scan);
            }
            Some(())
        }
    }

    fn begin_by(&self, index: pg_sys::Relation) -> Scan<'_> {
        // SAFETY: the relations are open as long as the scan, which borrows the table, and there is an active
        // snapshot: every caller has one, or is in `with_fresh_snapshot`.
        unsafe {
            let scan = begin_scan(self.heap, index);
            let slot = pg_sys::table_slot_create(self.heap, std::ptr::null_mut());
            Scan { table: self, index, scan, slot }
        }
    }
}

/// A scan with the caller's snapshot, and room for all keys that `again` may have.
unsafe fn begin_scan(heap: pg_sys::Relation, index: pg_sys::Relation) -> pg_sys::IndexScanDesc {
    // SAFETY: the caller has both open, and a snapshot.
    unsafe {
        let (snapshot, count) = (pg_sys::GetActiveSnapshot(), MAX_KEYS as i32);
        #[cfg(any(feature = "pg15", feature = "pg16", feature = "pg17"))]
        return pg_sys::index_beginscan(heap, index, snapshot, count, 0);
        #[cfg(feature = "pg18")]
        return pg_sys::index_beginscan(heap, index, snapshot, std::ptr::null_mut(), count, 0);
    }
}

/// Whether a table has all of its rows in a heap of its own.
fn is_heap(form: &pg_sys::FormData_pg_class) -> bool {
    form.relkind == pg_sys::RELKIND_RELATION as std::ffi::c_char
        && form.relam == pg_sys::HEAP_TABLE_AM_OID
        && !form.relhassubclass
}

/// Whether an open index is a B-tree on these columns that can be used.
unsafe fn is_btree_on(index: pg_sys::Relation, columns: &[i16]) -> bool {
    // SAFETY: the caller has an open index.
    unsafe {
        let form = &*(*index).rd_index;
        // One that was built while rows were changed does not serve every snapshot.
        if !form.indisvalid || form.indcheckxmin {
            return false;
        }
        let keys = form.indkey.values.as_slice(usize::try_from(form.indnkeyatts).unwrap_or(0));
        // Names are compared as octets here, too; a column of another type has no collation.
        let octets = |index_column| {
            let collation = *(*index).rd_indcollation.add(index_column);
            collation == pg_sys::C_COLLATION_OID || collation == pg_sys::InvalidOid
        };
        keys == columns && (0..keys.len()).all(octets) && (*(*index).rd_rel).relam == pg_sys::BTREE_AM_OID
    }
}

/// An open relation, which is closed when dropped; while a PostgreSQL error unwinds, transaction abort does that.
enum Open {
    Heap(pg_sys::Relation),
    Index(pg_sys::Relation),
}

impl Drop for Open {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            let lock = pg_sys::NoLock as pg_sys::LOCKMODE;
            // SAFETY: an open relation that nobody else has.
            unsafe {
                match *self {
                    Open::Heap(heap) => pg_sys::table_close(heap, lock),
                    Open::Index(index) => pg_sys::index_close(index, lock),
                }
            }
        }
    }
}

/// Whether these tables, of which others know only through the catalogue, have no row for sure.
pub fn are_void(names: [&CStr; 2]) -> bool {
    let schema = schema();
    names.into_iter().all(|name| {
        let Some(oid) = lock_named(schema, name, pg_sys::AccessShareLock) else { return false };
        // SAFETY: the size of an open relation.
        unsafe {
            let heap = pg_sys::table_open(oid, pg_sys::NoLock as pg_sys::LOCKMODE);
            let _open = Open::Heap(heap);
            is_heap(&*(*heap).rd_rel)
                && pg_sys::RelationGetNumberOfBlocksInFork(heap, pg_sys::ForkNumber::MAIN_FORKNUM) == 0
        }
    })
}

// ------------------------------------------------------------------------------------------------------------- scans

/// A bound of a scan: a column of its index, from 1.
#[derive(Clone, Copy)]
pub enum Key<'a> {
    Text(i16, Is, &'a str),
    Number(i16, Is, i64),
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Is {
    Equal,
    Less,
    AtMost,
    AtLeast,
    Greater,
}

impl Key<'_> {
    /// The functions are those of the default operator classes of text and bigint.
    fn write(&self, index: pg_sys::Relation, key: &mut pg_sys::ScanKeyData) {
        let (column, is, value, procedures) = match *self {
            Key::Text(column, is, text) => (
                column,
                is,
                text.into_datum(),
                [pg_sys::F_TEXTEQ, pg_sys::F_TEXT_LT, pg_sys::F_TEXT_LE, pg_sys::F_TEXT_GE, pg_sys::F_TEXT_GT],
            ),
            Key::Number(column, is, number) => (
                column,
                is,
                number.into_datum(),
                [pg_sys::F_INT8EQ, pg_sys::F_INT8LT, pg_sys::F_INT8LE, pg_sys::F_INT8GE, pg_sys::F_INT8GT],
            ),
        };
        let (procedure, strategy) = match is {
            Is::Equal => (procedures[0], pg_sys::BTEqualStrategyNumber),
            Is::Less => (procedures[1], pg_sys::BTLessStrategyNumber),
            Is::AtMost => (procedures[2], pg_sys::BTLessEqualStrategyNumber),
            Is::AtLeast => (procedures[3], pg_sys::BTGreaterEqualStrategyNumber),
            Is::Greater => (procedures[4], pg_sys::BTGreaterStrategyNumber),
        };
        // SAFETY: an open index, with a collation for each of its columns; the datum lives as long as the call.
        unsafe {
            let collation = *(*index).rd_indcollation.add(column as usize - 1);
            pg_sys::ScanKeyEntryInitialize(
                key,
                0,
                column,
                strategy as pg_sys::StrategyNumber,
                pg_sys::InvalidOid,
                collation,
                procedure.into(),
                value.unwrap_or(pg_sys::Datum::from(0)),
            );
        }
    }
}

/// The rows of a table in the order of its primary key, mostly from the last one backwards. The row it stands on is read with
/// the methods of `Columns`.
pub struct Scan<'t> {
    table: &'t Table,
    index: pg_sys::Relation,
    scan: pg_sys::IndexScanDesc,
    slot: *mut pg_sys::TupleTableSlot,
}

impl Scan<'_> {
    /// Begins anew, with other values and bounds.
    pub fn again(&mut self, keys: &[Key]) {
        // SAFETY: zeroed keys are then written one by one, and copied by index_rescan.
        unsafe {
            assert!(keys.len() <= MAX_KEYS);
            // What the scan has room for became as many as it had last: PostgreSQL 18 may shrink it to that.
            #[cfg(feature = "pg18")]
            if keys.len() as i32 > (*self.scan).numberOfKeys {
                pg_sys::index_endscan(self.scan);
                self.scan = begin_scan(self.table.heap, self.index);
            }
            let mut entries: [pg_sys::ScanKeyData; MAX_KEYS] = std::mem::zeroed();
            for (entry, key) in entries.iter_mut().zip(keys) {
                key.write(self.index, entry);
            }
            (*self.scan).numberOfKeys = keys.len() as i32;
            pg_sys::index_rescan(self.scan, entries.as_mut_ptr(), keys.len() as i32, std::ptr::null_mut(), 0);
        }
    }

    /// Goes to the next row upwards, in a scan that only does that; false at the end. A cancel is heard at each row.
    pub fn up(&mut self) -> bool {
        check_for_interrupts();
        // SAFETY: as `down`.
        unsafe { pg_sys::index_getnext_slot(self.scan, pg_sys::ScanDirection::ForwardScanDirection, self.slot) }
    }

    /// Goes to the next row downwards; false at the end. A cancel is heard at each row.
    pub fn down(&mut self) -> bool {
        check_for_interrupts();
        // SAFETY: a scan that was begun, and a slot of its table.
        unsafe { pg_sys::index_getnext_slot(self.scan, pg_sys::ScanDirection::BackwardScanDirection, self.slot) }
    }

    /// Locks the row as SELECT … FOR NO KEY UPDATE does, and stands on its newest version then. False where that did not
    /// work out, because it was deleted, say: a statement has to tell.
    pub fn lock(&mut self) -> bool {
        const FLAGS: u32 = pg_sys::TUPLE_LOCK_FLAG_LOCK_UPDATE_IN_PROGRESS | pg_sys::TUPLE_LOCK_FLAG_FIND_LAST_VERSION;
        // SAFETY: what the executor does for a row to lock (ExecLockRows); the scan stands on a row, and a table access
        // method has this function. It is called across pgrx's guard, as every function of PostgreSQL's is.
        unsafe {
            let snapshot = pg_sys::GetActiveSnapshot();
            let command = pg_sys::GetCurrentCommandId(true);
            let mut row = (*self.slot).tts_tid;
            let mut failure: pg_sys::TM_FailureData = std::mem::zeroed();
            let Some(tuple_lock) = (*(*self.table.heap).rd_tableam).tuple_lock else { return false };
            let result = pg_sys::ffi::pg_guard_ffi_boundary(|| {
                tuple_lock(
                    self.table.heap,
                    &mut row,
                    snapshot,
                    self.slot,
                    command,
                    pg_sys::LockTupleMode::LockTupleNoKeyExclusive,
                    pg_sys::LockWaitPolicy::LockWaitBlock,
                    FLAGS as u8,
                    &mut failure,
                )
            });
            result == pg_sys::TM_Result::TM_Ok
        }
    }
}

const MAX_KEYS: usize = 6;

impl Columns for Scan<'_> {
    /// As `Shape` has them.
    fn require(&self, _: i32, _: impl Fn(pg_sys::Oid) -> bool) {}

    fn datum(&self, column: i32) -> (pg_sys::Datum, bool) {
        // SAFETY: the slot has a row, and the table that many columns (`Shape`).
        unsafe {
            if i32::from((*self.slot).tts_nvalid) < column {
                pg_sys::slot_getsomeattrs_int(self.slot, column);
            }
            let index = column as usize - 1;
            (*(*self.slot).tts_values.add(index), *(*self.slot).tts_isnull.add(index))
        }
    }
}

impl Drop for Scan<'_> {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            // SAFETY: both were made by `Table::begin_by`; after an error transaction abort lets go of what they hold.
            unsafe {
                pg_sys::index_endscan(self.scan);
                pg_sys::ExecDropSingleTupleTableSlot(self.slot);
            }
        }
    }
}

/// Does `work` with a snapshot of this moment, in which this command's own changes are visible, as each statement has it
/// at READ COMMITTED.
pub fn with_fresh_snapshot<T>(work: impl FnOnce() -> T) -> T {
    // SAFETY: what SPI does around a statement. After an error transaction abort pops the snapshot.
    unsafe {
        pg_sys::CommandCounterIncrement();
        pg_sys::PushActiveSnapshot(pg_sys::GetTransactionSnapshot());
        let result = work();
        pg_sys::PopActiveSnapshot();
        result
    }
}

// ------------------------------------------------------------------------------------------------------------ writes

/// The executor's state for writes to one table: its indexes are opened once.
pub struct Writer<'t> {
    table: &'t Table,
    state: *mut pg_sys::EState,
    relation: *mut pg_sys::ResultRelInfo,
}

/// Rows that go to a page together, with one record of the log.
const BATCH: usize = 64;

impl Table {
    pub fn writer(&self) -> Writer<'_> {
        // SAFETY: as CatalogOpenIndexes and the apply worker of logical replication do it. Range table index 0: none.
        unsafe {
            let state = pg_sys::CreateExecutorState();
            let relation = pg_sys::palloc0(size_of::<pg_sys::ResultRelInfo>()).cast::<pg_sys::ResultRelInfo>();
            (*relation).type_ = pg_sys::NodeTag::T_ResultRelInfo;
            pg_sys::InitResultRelInfo(relation, self.heap, 0, std::ptr::null_mut(), 0);
            pg_sys::ExecOpenIndices(relation, false);
            Writer { table: self, state, relation }
        }
    }
}

impl Writer<'_> {
    /// Inserts rows, which have a value for each column of the table; None is NULL.
    pub fn insert<const COLUMNS: usize>(&mut self, rows: impl Iterator<Item = [Option<pg_sys::Datum>; COLUMNS]>) {
        let mut slots: Vec<Slot> = Vec::new();
        let mut used = 0;
        for row in rows {
            if used == BATCH {
                self.insert_batch(&slots);
                used = 0;
            }
            if used == slots.len() {
                slots.push(Slot::of(self.table));
            }
            slots[used].fill(&row);
            used += 1;
        }
        self.insert_batch(&slots[..used]);
    }

    fn insert_batch(&mut self, slots: &[Slot]) {
        check_for_interrupts();
        // SAFETY: the slots are filled, each column with its own type, as `Shape` and the callers have it; the heap is one
        // (`Table::open`). As CatalogTuplesMultiInsertWithInfo does it.
        unsafe {
            match slots {
                [] => {}
                [slot] => pg_sys::simple_table_tuple_insert(self.table.heap, slot.0),
                several => {
                    let mut slots: Vec<*mut pg_sys::TupleTableSlot> = several.iter().map(|slot| slot.0).collect();
                    let command = pg_sys::GetCurrentCommandId(true);
                    let count = slots.len() as i32;
                    pg_sys::heap_multi_insert(
                        self.table.heap,
                        slots.as_mut_ptr(),
                        count,
                        command,
                        0,
                        std::ptr::null_mut(),
                    );
                }
            }
        }
        slots.iter().for_each(|slot| self.index(slot, false, false));
    }

    /// Gives the row on which a scan stands, and which it has locked, other values in some columns.
    pub fn update(&mut self, row: &Scan<'_>, changes: &[(i32, Option<pg_sys::Datum>)]) {
        let mut updated = Slot::of(self.table);
        updated.copy(row, changes);
        // SAFETY: the row is locked, so it is the newest one. As ExecSimpleRelationUpdate does it.
        unsafe {
            pg_sys::CheckCmdReplicaIdentity(self.table.heap, pg_sys::CmdType::CMD_UPDATE);
            let snapshot = pg_sys::GetActiveSnapshot();
            let (heap, tid) = (self.table.heap, &raw mut (*row.slot).tts_tid);
            #[cfg(feature = "pg15")]
            let (indexes, summarizing) = {
                let mut indexes = false;
                pg_sys::simple_table_tuple_update(heap, tid, updated.0, snapshot, &mut indexes);
                (indexes, false)
            };
            #[cfg(not(feature = "pg15"))]
            let (indexes, summarizing) = {
                let mut indexes = pg_sys::TU_UpdateIndexes::TU_None;
                pg_sys::simple_table_tuple_update(heap, tid, updated.0, snapshot, &mut indexes);
                (indexes != pg_sys::TU_UpdateIndexes::TU_None, indexes == pg_sys::TU_UpdateIndexes::TU_Summarizing)
            };
            if indexes {
                self.index(&updated, true, summarizing);
            }
        }
    }

    /// Adds a row that is in the table to the indexes.
    fn index(&self, slot: &Slot, update: bool, _summarizing: bool) {
        // SAFETY: a row that was just written, in a slot that knows where. A duplicate key raises an error.
        unsafe {
            pg_sys::ExecInsertIndexTuples(
                self.relation,
                slot.0,
                self.state,
                update,
                false,
                std::ptr::null_mut(),
                std::ptr::null_mut(),
                #[cfg(not(feature = "pg15"))]
                _summarizing,
            );
            let context = (*self.state).es_per_tuple_exprcontext;
            if !context.is_null() {
                pg_sys::MemoryContextReset((*context).ecxt_per_tuple_memory);
            }
        }
    }
}

impl Drop for Writer<'_> {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            // SAFETY: made by `Table::writer`; after an error transaction abort cleans up.
            unsafe {
                pg_sys::ExecCloseIndices(self.relation);
                pg_sys::FreeExecutorState(self.state);
            }
        }
    }
}

/// Texts and octets as values of rows that are about to be written, in few pieces of memory: PostgreSQL's own functions
/// take 400 instructions for each, which set_variables of 19 needs 80 times.
#[derive(Default)]
pub struct Values {
    /// Never longer than their capacity, so that nothing in them moves.
    pieces: Vec<Vec<u32>>,
}

/// Octets of the header of a text or bytea.
const HEADER: usize = 4;

impl Values {
    const PIECE: usize = 1024;

    pub fn text(&mut self, text: &str) -> Option<pg_sys::Datum> {
        self.octets(text.as_bytes())
    }

    /// A text or bytea.
    pub fn octets(&mut self, octets: &[u8]) -> Option<pg_sys::Datum> {
        let size = octets.len() + HEADER;
        let words = size.div_ceil(size_of::<u32>());
        if self.pieces.last().is_none_or(|piece| piece.capacity() - piece.len() < words) {
            self.pieces.push(Vec::with_capacity(words.max(Self::PIECE)));
        }
        let piece = self.pieces.last_mut()?;
        let start = piece.len();
        piece.resize(start + words, 0);
        // SAFETY: there is room for so many octets from `start` on, aligned to 4, and the piece does not move.
        unsafe {
            let value = piece.as_mut_ptr().add(start);
            pgrx::varlena::set_varsize_4b(value.cast(), size as i32);
            value.cast::<u8>().add(HEADER).copy_from_nonoverlapping(octets.as_ptr(), octets.len());
            Some(pg_sys::Datum::from(value))
        }
    }

    /// A text array.
    pub fn texts(&mut self, texts: &[String]) -> Option<pg_sys::Datum> {
        let mut elements: Vec<pg_sys::Datum> = texts.iter().filter_map(|text| self.text(text)).collect();
        // SAFETY: text values, which construct_array copies.
        unsafe {
            let count = elements.len() as i32;
            let align = pg_sys::TYPALIGN_INT as std::ffi::c_char;
            let array = pg_sys::construct_array(elements.as_mut_ptr(), count, pg_sys::TEXTOID, -1, false, align);
            Some(pg_sys::Datum::from(array))
        }
    }
}

/// A row that is about to be written.
struct Slot(*mut pg_sys::TupleTableSlot);

impl Slot {
    fn of(table: &Table) -> Slot {
        // SAFETY: the descriptor of an open table.
        Slot(unsafe { pg_sys::MakeSingleTupleTableSlot((*table.heap).rd_att, &raw const pg_sys::TTSOpsVirtual) })
    }

    fn fill(&mut self, values: &[Option<pg_sys::Datum>]) {
        // SAFETY: the slot has as many columns as its descriptor, of which there are as many as values.
        unsafe {
            let slot = &mut *self.0;
            assert_eq!(values.len(), (*slot.tts_tupleDescriptor).natts as usize);
            pg_sys::ExecClearTuple(slot);
            for (index, value) in values.iter().enumerate() {
                *slot.tts_values.add(index) = value.unwrap_or(pg_sys::Datum::from(0));
                *slot.tts_isnull.add(index) = value.is_none();
            }
            pg_sys::ExecStoreVirtualTuple(slot);
        }
    }

    fn copy(&mut self, row: &Scan<'_>, changes: &[(i32, Option<pg_sys::Datum>)]) {
        // SAFETY: reads the number of columns.
        let columns = unsafe { (*(*self.0).tts_tupleDescriptor).natts };
        let values: Vec<Option<pg_sys::Datum>> = (1..=columns)
            .map(|column| match changes.iter().find(|(changed, _)| *changed == column) {
                Some((_, value)) => *value,
                None => Some(row.datum(column)).filter(|(_, null)| !null).map(|(datum, _)| datum),
            })
            .collect();
        self.fill(&values);
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            // SAFETY: made by `Slot::of`.
            unsafe { pg_sys::ExecDropSingleTupleTableSlot(self.0) };
        }
    }
}

/// The transaction id, as pg_current_xact_id() gives it.
pub fn transaction_id() -> Option<pg_sys::Datum> {
    // SAFETY: assigns one to the transaction if it has none yet.
    Some(pg_sys::Datum::from(unsafe { pg_sys::GetTopFullTransactionId() }.value))
}
