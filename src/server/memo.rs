//! What a function remembers between the calls of one expression, while they have the same snapshot.

use pgrx::{PgMemoryContexts, pg_sys};

/// What tells a snapshot, with what this transaction itself has changed, from the others that a session has.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Seen {
    bounds: [pg_sys::TransactionId; 2],
    running: [u32; 2],
    completions: u64,
    command: pg_sys::CommandId,
    transaction: pg_sys::TimestampTz,
    /// What a savepoint took back is seen no more, by the same command of the same snapshot.
    subtransaction: pg_sys::SubTransactionId,
}

impl Seen {
    fn now() -> Seen {
        // SAFETY: a function is called with a snapshot.
        unsafe {
            let snapshot = &*pg_sys::GetActiveSnapshot();
            Seen {
                bounds: [snapshot.xmin, snapshot.xmax],
                running: [snapshot.xcnt, snapshot.subxcnt as u32],
                completions: snapshot.snapXactCompletionCount,
                command: snapshot.curcid,
                transaction: pg_sys::GetCurrentTransactionStartTimestamp(),
                subtransaction: pg_sys::GetCurrentSubTransactionId(),
            }
        }
    }
}

struct Memo<T> {
    seen: Seen,
    kept: T,
}

/// What the function that this call is of has kept, empty for a new snapshot. It is of the expression that calls: in a query it
/// lives as long as that, in PL/pgSQL longer than a snapshot.
pub fn of<'a, T: Default>(fcinfo: pg_sys::FunctionCallInfo) -> &'a mut T {
    let seen = Seen::now();
    let new = || Memo { seen, kept: T::default() };
    // SAFETY: the call is the one that we are in: nobody else has such a pointer. PostgreSQL gives each call of a function from
    // an expression the place for what the function remembers, and the memory that this place belongs to.
    unsafe {
        let function = &mut *(*fcinfo).flinfo;
        if function.fn_extra.is_null() {
            function.fn_extra = PgMemoryContexts::For(function.fn_mcxt).leak_and_drop_on_delete(new()).cast();
        }
        let memo = &mut *function.fn_extra.cast::<Memo<T>>();
        if memo.seen != seen {
            *memo = new();
        }
        &mut memo.kept
    }
}
