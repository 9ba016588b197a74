//! Plans that depend on the schema alone.
//!
//! A cached plan serves a session for as long as it lives, whatever becomes of the tables; ANALYZE only makes another one that
//! is right for that moment. One that was made while a table was small takes any index that has `run_id` in it, and then goes
//! through all that a run has. So while our own statements are planned, every table is as large as any can become, and nobody
//! knows what is in it: the index with the most conditions wins, and a partial index wherever it can serve. Users' statements
//! are planned as ever.

use crate::server::guard;
use pgrx::{pg_guard, pg_sys};

/// What there is in a table, in an index, and in a partial one.
const TABLE: Size = Size { pages: 2_000_000, rows: 1e8, height: 0 };
const INDEX: Size = Size { pages: 500_000, rows: 1e8, height: 3 };
const PARTIAL: Size = Size { pages: 5_000, rows: 1e6, height: 2 };

struct Size {
    pages: pg_sys::BlockNumber,
    rows: f64,
    height: i32,
}

static mut NEXT_RELATION_INFO: pg_sys::get_relation_info_hook_type = None;
static mut NEXT_RELATION_STATS: pg_sys::get_relation_stats_hook_type = None;
static mut NEXT_INDEX_STATS: pg_sys::get_index_stats_hook_type = None;

/// Once for each backend, when the library is loaded.
pub fn register() {
    // SAFETY: a backend has one thread; whoever was asked before us is asked still.
    unsafe {
        NEXT_RELATION_INFO = pg_sys::get_relation_info_hook;
        pg_sys::get_relation_info_hook = Some(relation_info);
        NEXT_RELATION_STATS = pg_sys::get_relation_stats_hook;
        pg_sys::get_relation_stats_hook = Some(relation_stats);
        NEXT_INDEX_STATS = pg_sys::get_index_stats_hook;
        pg_sys::get_index_stats_hook = Some(index_stats);
    }
}

/// Whether a statement of ours is planned, and this relation is the extension's or the catalogue's: those of a user's trigger
/// are neither.
fn is_ours(relation: pg_sys::Oid) -> bool {
    // SAFETY: catalogue look-ups.
    guard::is_entered()
        && (relation.to_u32() < pg_sys::FirstNormalObjectId
            || unsafe { pg_sys::get_rel_namespace(relation) == pg_sys::get_namespace_oid(c"layra".as_ptr(), true) })
}

#[pg_guard]
unsafe extern "C-unwind" fn relation_info(
    root: *mut pg_sys::PlannerInfo,
    table: pg_sys::Oid,
    has_parts: bool,
    relation: *mut pg_sys::RelOptInfo,
) {
    // SAFETY: as the planner calls it, with what it knows of a table and of its indexes.
    unsafe {
        if let Some(next) = NEXT_RELATION_INFO {
            next(root, table, has_parts, relation);
        }
        // A table in parts is as large as they are.
        if has_parts || !is_ours(table) {
            return;
        }
        let relation = &mut *relation;
        (relation.pages, relation.tuples, relation.allvisfrac) = (TABLE.pages, TABLE.rows, 0.0);
        for index in pgrx::PgList::<pg_sys::IndexOptInfo>::from_pg(relation.indexlist).iter_ptr() {
            let index = &mut *index;
            let size = if index.indpred.is_null() { INDEX } else { PARTIAL };
            (index.pages, index.tuples, index.tree_height) = (size.pages, size.rows, size.height);
        }
    }
}

#[pg_guard]
unsafe extern "C-unwind" fn relation_stats(
    root: *mut pg_sys::PlannerInfo,
    entry: *mut pg_sys::RangeTblEntry,
    column: pg_sys::AttrNumber,
    found: *mut pg_sys::VariableStatData,
) -> bool {
    // SAFETY: as the planner calls it. True without a tuple: there are no statistics.
    unsafe {
        ((*entry).rtekind == pg_sys::RTEKind::RTE_RELATION && is_ours((*entry).relid))
            || NEXT_RELATION_STATS.is_some_and(|next| next(root, entry, column, found))
    }
}

#[pg_guard]
unsafe extern "C-unwind" fn index_stats(
    root: *mut pg_sys::PlannerInfo,
    index: pg_sys::Oid,
    column: pg_sys::AttrNumber,
    found: *mut pg_sys::VariableStatData,
) -> bool {
    // SAFETY: as above.
    unsafe { is_ours(index) || NEXT_INDEX_STATS.is_some_and(|next| next(root, index, column, found)) }
}
