//! Scans of plain tables by their primary keys, and by other indexes.

use crate::server::columns::Columns;
use crate::server::heap::{Open, Table, is_btree_on, lock_to_read};
use crate::server::interrupts::check_for_interrupts;
use pgrx::{IntoDatum, pg_sys};
use std::ffi::CStr;

impl Table {
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

    /// Visits the rows with these values in the first columns of another index, from the last one backwards. None where that
    /// index is not there, or is not on these columns.
    pub fn scan_by(
        &self,
        schema: pg_sys::Oid,
        index: &CStr,
        columns: &[i16],
        keys: &[Key],
        mut visit: impl FnMut(&Scan<'_>),
    ) -> Option<()> {
        // SAFETY: as `open`; the index is open until the scan is over.
        unsafe {
            let oid = lock_to_read(schema, index)?;
            if pg_sys::get_rel_relkind(oid) as u8 != pg_sys::RELKIND_INDEX {
                return None;
            }
            let index = pg_sys::index_open(oid, pg_sys::NoLock as pg_sys::LOCKMODE);
            let _open = Open::Index(index);
            if (*(*index).rd_index).indrelid != (*self.heap).rd_id || !is_btree_on(index, columns) {
                return None;
            }
            let mut scan = self.begin_by(index);
            scan.again(keys);
            while scan.down() {
                visit(&scan);
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
    pub(super) slot: *mut pg_sys::TupleTableSlot,
}

impl Scan<'_> {
    /// Begins again, with other values and bounds.
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

    /// Bytes of a value of variable length as it is stored, as pg_column_size has it; none of NULL.
    pub fn stored_size(&self, column: i32) -> i64 {
        match self.datum(column) {
            (_, true) => 0,
            // SAFETY: the column has such a type (`Shape`).
            (datum, false) => unsafe { pg_sys::toast_datum_size(datum) as i64 },
        }
    }

    /// Deletes the row on which it stands, of a run that is locked against everybody.
    pub fn delete(&mut self) {
        // SAFETY: a row of the table's, which the snapshot shows. As ExecSimpleRelationDelete does it.
        unsafe {
            pg_sys::CheckCmdReplicaIdentity(self.table.heap, pg_sys::CmdType::CMD_DELETE);
            let snapshot = pg_sys::GetActiveSnapshot();
            pg_sys::simple_table_tuple_delete(self.table.heap, &raw mut (*self.slot).tts_tid, snapshot);
        }
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
