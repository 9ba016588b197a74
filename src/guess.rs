//! What a session remembers of long runs, to find rows sooner. Only guesses, which cannot make an answer wrong: whoever finds
//! nothing by one looks again without it.
//!
//! PostgreSQL takes all rows of an index page that are within a scan's bounds, where the newest one would do: 150,000
//! instructions. So a scan begins near to where that row stood when it was last seen.

use foldhash::{HashMap, HashMapExt};
use std::cell::RefCell;
use std::hash::{BuildHasher, Hash};

/// What a session remembers at most, of each kind.
const REMEMBERED: usize = 4096;

/// A run, or a cell, with fewer versions has them on one page of the index.
const FEW: i64 = 64;

/// Things by a hash of their names.
struct Memory<T>(RefCell<HashMap<u64, T>>);

impl<T: Clone> Memory<T> {
    fn keep(&self, what: impl Hash, it: T) {
        let mut kept = self.0.borrow_mut();
        if kept.len() == REMEMBERED {
            kept.clear();
        }
        let what = kept.hasher().hash_one(what);
        kept.insert(what, it);
    }

    fn get(&self, what: impl Hash) -> Option<T> {
        let kept = self.0.borrow();
        if kept.is_empty() { None } else { kept.get(&kept.hasher().hash_one(what)).cloned() }
    }
}

thread_local! {
    /// Of long runs and of cells in them, the version that the newest row had.
    static SEEN: Memory<i64> = Memory(RefCell::new(HashMap::new()));
    /// Of a cell in a long run, the key of the next one downwards in its scope.
    static BELOW: Memory<String> = Memory(RefCell::new(HashMap::new()));
}

/// Remembers the version of something's newest row.
pub fn saw(what: impl Hash, version: i64) {
    if version > FEW {
        SEEN.with(|seen| seen.keep(what, version));
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
    BELOW.with(|below| below.keep(cell, key.to_owned()));
}

pub fn below(cell: impl Hash) -> Option<String> {
    BELOW.with(|below| below.get(cell))
}
