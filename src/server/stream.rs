//! Rows that a function returns one after the other. They are read in batches, so memory stays flat however many there are and
//! however large. Between two batches nothing is open, and the caller is who he was: he may leave off after any row.

use crate::server::context::Memory;
use crate::server::error::Result;
use crate::server::memory;
use std::vec::IntoIter;

/// A batch ends with the value that makes it this large.
pub const BYTES: usize = 1 << 20;

/// What a row takes beside its values, about.
pub const ROW: usize = 128;

/// The rows that `read` gives, batch by batch, until one is empty. A batch may use the values of the one before.
pub struct Batches<T, F> {
    read: F,
    rows: IntoIter<T>,
    /// Of this batch, and of the one before, which is where the next one will be.
    memory: [Memory; 2],
}

impl<T, F: FnMut() -> Result<Vec<T>>> Batches<T, F> {
    /// In the memory that lives as long as the call, where the body of a function that returns rows runs.
    pub fn new(read: F) -> Batches<T, F> {
        Batches { read, rows: Vec::new().into_iter(), memory: [Memory::new(), Memory::new()] }
    }
}

impl<T, F: FnMut() -> Result<Vec<T>>> Iterator for Batches<T, F> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        self.rows.next().or_else(|| {
            self.memory.swap(0, 1);
            let [memory, before] = &self.memory;
            self.rows = memory.within(&mut self.read).unwrap_or_else(|error| error.raise()).into_iter();
            before.clear();
            // pgrx copies each of these rows once more, without a `Witness`.
            memory::give_up();
            self.rows.next()
        })
    }
}
