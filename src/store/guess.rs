//! What a session remembers of long runs, to find rows sooner. Only guesses, which cannot make an answer wrong: whoever finds
//! nothing by one looks again without it.
//!
//! PostgreSQL takes all rows of an index page that are within a scan's bounds, where the newest one would do: 150,000
//! instructions. So a scan begins near to where that row stood when it was last seen.

use crate::server::memory::Size;
use foldhash::{HashMap, HashMapExt};
use std::cell::RefCell;
use std::hash::{BuildHasher, Hash};

/// What a session remembers at most, of each kind: entries, and bytes in them.
const REMEMBERED: usize = 4096;
const BYTES: usize = 1 << 20;

/// A run, or a cell, with fewer versions has them on one page of the index.
const FEW: i64 = 64;

/// Things by a hash of their names, and the bytes that they have beside.
struct Memory<T>(RefCell<(HashMap<u64, T>, usize)>);

impl<T: Clone> Memory<T> {
    fn keep(&self, what: impl Hash, it: T, bytes: usize) {
        let mut memory = self.0.borrow_mut();
        let (kept, of_kept) = &mut *memory;
        if kept.len() == REMEMBERED || *of_kept + bytes > BYTES {
            kept.clear();
            *of_kept = 0;
        }
        // What is replaced still counts: a bound is enough.
        *of_kept += bytes;
        let what = kept.hasher().hash_one(what);
        kept.insert(what, it);
    }

    fn get(&self, what: impl Hash) -> Option<T> {
        let (kept, _) = &*self.0.borrow();
        if kept.is_empty() { None } else { kept.get(&kept.hasher().hash_one(what)).cloned() }
    }

    fn size(&self) -> Size {
        let (kept, of_kept) = &*self.0.borrow();
        Size { entries: kept.len(), bytes: kept.capacity() * (size_of::<u64>() + size_of::<T>()) + of_kept }
    }
}

/// What the session remembers of where things stand.
pub fn remembered() -> Size {
    let (seen, below) = (SEEN.with(Memory::size), BELOW.with(Memory::size));
    Size { entries: seen.entries + below.entries, bytes: seen.bytes + below.bytes }
}

thread_local! {
    /// Of long runs and of cells in them, the version that the newest row had.
    static SEEN: Memory<i64> = Memory(RefCell::new((HashMap::new(), 0)));
    /// Of a cell in a long run, the key of the next one downwards in its scope.
    static BELOW: Memory<String> = Memory(RefCell::new((HashMap::new(), 0)));
}

/// Remembers the version of something's newest row.
pub fn saw(what: impl Hash, version: i64) {
    if version > FEW {
        SEEN.with(|seen| seen.keep(what, version, 0));
    }
}

/// The version from which on something's newest row stands most often.
pub fn near(what: impl Hash) -> Option<i64> {
    SEEN.with(|seen| seen.get(what))
}

/// Of two versions, the one below which a row that counts at the other is looked for in vain, mostly.
pub fn shortly_before(version: i64) -> Option<i64> {
    (version > FEW).then_some(version - FEW)
}

/// Remembers the key of the cell below.
pub fn saw_below(cell: impl Hash, key: &str) {
    BELOW.with(|below| below.keep(cell, key.to_owned(), key.len()));
}

pub fn below(cell: impl Hash) -> Option<String> {
    BELOW.with(|below| below.get(cell))
}
