//! The fast path to single rows, direct heap access: what logical replication and referential integrity do for theirs. A row is
//! found by its primary key, locked and inserted by PostgreSQL's own functions for one row, without a statement. A statement that
//! inserts an event takes 85,000 instructions, of which this leaves 40,000: the rest is the start of an executor, which makes
//! descriptors and compiles expressions for each column again.
//!
//! Only at READ COMMITTED (reads: at any level) and only where a table is plain. Is it anything else (partitioned,
//! distributed, with triggers, rules or other columns), then there is no such `Table`, and statements serve, which PostgreSQL
//! and its extensions can plan as they like.

use crate::server::columns::attribute;
use pgrx::pg_sys;
use std::ffi::CStr;

/// A table that is found to be plain, and its primary key; closed when dropped. The locks stay until the
/// transaction ends, as those of a statement do.
pub struct Table {
    pub(super) heap: pg_sys::Relation,
    pub(super) key: pg_sys::Relation,
    /// Both, in the order in which they are closed.
    _open: [Open; 2],
}

/// What a table has to look like.
pub struct Shape {
    pub name: &'static CStr,
    /// Their types; a column that was dropped has none.
    pub columns: &'static [pg_sys::Oid],
    /// How many of them, at the end, an older schema may not have; only where the table is not written.
    pub added: usize,
    /// The columns that are written and may be NULL: nobody has forbidden it.
    pub nullable: &'static [usize],
    /// The CHECKs, sorted, whose rules the functions keep themselves: they are for who writes otherwise. PostgreSQL reads
    /// and compiles them again for each statement, which for the two of a cell is 240,000 instructions. (None: as the table
    /// is not written.)
    pub checks: Option<&'static [&'static CStr]>,
    /// The columns of the primary key.
    pub key: &'static [i16],
}

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
            let count = columns.natts as usize;
            (self.columns.len() - self.added..=self.columns.len()).contains(&count)
                && self.columns[..count]
                    .iter()
                    .enumerate()
                    .all(|(index, oid)| (*attribute(columns, index)).atttypid == *oid)
                && self.checks.is_none_or(|names| {
                    checks.iter().map(|check| CStr::from_ptr(check.ccname)).eq(names.iter().copied())
                })
                && !self.nullable.iter().any(|column| (*attribute(columns, column - 1)).attnotnull)
        }
    }
}

/// The locks that statements take on a table that they read, and on one that they write.
pub const READ: u32 = pg_sys::AccessShareLock;
pub const WRITE: u32 = pg_sys::RowExclusiveLock;

/// Whether rows can be written without a statement: false also where one would be refused, and has to say so.
pub fn can_write() -> bool {
    // SAFETY: reads of backend-local variables.
    unsafe {
        !(crate::server::transaction::above_read_committed() || pg_sys::XactReadOnly || pg_sys::IsInParallelMode())
    }
}

pub const SELECT: pg_sys::AclMode = pg_sys::ACL_SELECT as pg_sys::AclMode;
pub const INSERT: pg_sys::AclMode = pg_sys::ACL_INSERT as pg_sys::AclMode;
pub const UPDATE: pg_sys::AclMode = pg_sys::ACL_UPDATE as pg_sys::AclMode;
pub const DELETE: pg_sys::AclMode = pg_sys::ACL_DELETE as pg_sys::AclMode;

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

/// The schema of this name.
pub fn schema(name: &CStr) -> pg_sys::Oid {
    // SAFETY: a catalogue look-up; a missing schema raises an error.
    unsafe { pg_sys::get_namespace_oid(name.as_ptr(), false) }
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
pub fn lock_to_read(schema: pg_sys::Oid, name: &CStr) -> Option<pg_sys::Oid> {
    lock_named(schema, name, READ)
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
    /// Locks and opens it, where it is plain and the current user has these privileges.
    pub fn open(schema: pg_sys::Oid, shape: &Shape, lock: u32, privileges: pg_sys::AclMode) -> Option<Table> {
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
}

/// Whether a table has all of its rows in a heap of its own.
fn is_heap(form: &pg_sys::FormData_pg_class) -> bool {
    form.relkind == pg_sys::RELKIND_RELATION as std::ffi::c_char
        && form.relam == pg_sys::HEAP_TABLE_AM_OID
        && !form.relhassubclass
}

/// Whether an open index is a B-tree on these columns that can be used.
pub(super) unsafe fn is_btree_on(index: pg_sys::Relation, columns: &[i16]) -> bool {
    // SAFETY: the caller has an open index.
    unsafe {
        let form = &*(*index).rd_index;
        // One that was built while rows were changed does not serve every snapshot.
        if !form.indisvalid || form.indcheckxmin {
            return false;
        }
        let keys = form.indkey.values.as_slice(usize::try_from(form.indnkeyatts).unwrap_or(0));
        // Names are compared as bytes here, too; a column of another type has no collation.
        let octets = |index_column| {
            let collation = *(*index).rd_indcollation.add(index_column);
            collation == pg_sys::C_COLLATION_OID || collation == pg_sys::InvalidOid
        };
        keys == columns && (0..keys.len()).all(octets) && (*(*index).rd_rel).relam == pg_sys::BTREE_AM_OID
    }
}

/// An open relation, which is closed when dropped; while a PostgreSQL error unwinds, transaction abort does that.
pub(super) enum Open {
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
pub fn are_void(schema: pg_sys::Oid, names: &[&CStr]) -> bool {
    names.iter().all(|name| {
        let Some(oid) = lock_to_read(schema, name) else { return false };
        // SAFETY: the size of an open relation.
        unsafe {
            let heap = pg_sys::table_open(oid, pg_sys::NoLock as pg_sys::LOCKMODE);
            let _open = Open::Heap(heap);
            is_heap(&*(*heap).rd_rel)
                && pg_sys::RelationGetNumberOfBlocksInFork(heap, pg_sys::ForkNumber::MAIN_FORKNUM) == 0
        }
    })
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

/// The transaction id, as pg_current_xact_id() gives it.
pub fn transaction_id() -> Option<pg_sys::Datum> {
    // SAFETY: assigns one to the transaction if it has none yet.
    Some(pg_sys::Datum::from(unsafe { pg_sys::GetTopFullTransactionId() }.value))
}
