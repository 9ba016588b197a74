//! How one version of a list becomes the next with the fewest writes. Pure.

/// What to do with the stored entries: drop some from the head, then compare what is left position by position.
#[derive(Debug, PartialEq, Eq)]
pub struct Edit {
    /// Entries to drop from the head (a window that slid).
    pub dropped: usize,
    /// Positions, in the new list, whose entry has to be written.
    pub written: Vec<usize>,
    /// Stored entries, counted from the old head, behind the end of the new list.
    pub removed: Vec<usize>,
}

impl Edit {
    fn cost(&self) -> usize {
        self.dropped + self.written.len() + self.removed.len()
    }
}

/// Compares by position, and by the tail (the longest end of `old` that begins `new`): whichever writes less.
/// Linear in the lengths.
pub fn edit<T: PartialEq>(old: &[T], new: &[T]) -> Edit {
    let in_place = at_shift(old, new, 0);
    if in_place.cost() <= 1 {
        return in_place;
    }
    let shifted = at_shift(old, new, old.len() - overlap(old, new));
    if shifted.cost() < in_place.cost() { shifted } else { in_place }
}

fn at_shift<T: PartialEq>(old: &[T], new: &[T], dropped: usize) -> Edit {
    let kept = &old[dropped..];
    let written = (0..new.len()).filter(|&i| kept.get(i) != Some(&new[i])).collect();
    let removed = (dropped + new.len().min(kept.len())..old.len()).collect();
    Edit { dropped, written, removed }
}

/// The length of the longest suffix of `old` that is a prefix of `new` (Knuth, Morris, Pratt).
fn overlap<T: PartialEq>(old: &[T], new: &[T]) -> usize {
    if new.is_empty() {
        return 0;
    }
    let mut failure = vec![0; new.len()];
    for i in 1..new.len() {
        let mut k = failure[i - 1];
        while k > 0 && new[i] != new[k] {
            k = failure[k - 1];
        }
        failure[i] = if new[i] == new[k] { k + 1 } else { 0 };
    }
    let mut matched = 0;
    for item in old {
        while matched > 0 && (matched == new.len() || *item != new[matched]) {
            matched = failure[matched - 1];
        }
        if *item == new[matched] {
            matched += 1;
        }
    }
    matched
}
