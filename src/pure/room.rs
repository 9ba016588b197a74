//! Whether there is room for a large piece of memory, as whoever runs this code says.
//!
//! Rust has two ways to allocate: one that ends the process where the kernel refuses, and `try_reserve`, which cannot be used
//! here, because the allocator itself never returns from a refusal (`server::memory`). So whoever needs much asks first.

use std::sync::OnceLock;

/// Less than this always fits: there is room kept for it.
pub const SMALL: usize = 256 << 10;

/// Who knows whether so many bytes more fit; nobody: everything does.
static ASKED: OnceLock<fn(usize) -> bool> = OnceLock::new();

/// From now on it is this function that is asked.
pub fn ask(fits: fn(usize) -> bool) {
    let _ = ASKED.set(fits);
}

/// Whether there is room for so many bytes more.
pub fn fits(bytes: usize) -> bool {
    bytes < SMALL || ASKED.get().is_none_or(|fits| fits(bytes))
}

/// Makes room for more elements; None where there is none.
#[inline]
pub fn reserve<T>(elements: &mut Vec<T>, more: usize) -> Option<()> {
    if elements.capacity() - elements.len() < more { grow(elements, more) } else { Some(()) }
}

#[cold]
fn grow<T>(elements: &mut Vec<T>, more: usize) -> Option<()> {
    let count = elements.len().checked_add(more)?.max(elements.capacity().saturating_mul(2));
    if !fits(count.checked_mul(size_of::<T>())?) {
        return None;
    }
    elements.reserve(more);
    Some(())
}
