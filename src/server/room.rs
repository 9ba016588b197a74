//! Whether the kernel has room for a large piece of memory. Knows nothing of PostgreSQL.
//!
//! Rust has two ways to allocate: one that ends the process where the kernel refuses, and `try_reserve`, which cannot be used
//! here, because the allocator itself never returns from a refusal (`memory`). So whoever needs much asks first. A backend has
//! one thread: what fits now still fits when it is allocated.

/// Less than this always fits: `memory` keeps room for it.
pub const SMALL: usize = 256 << 10;

/// Whether the kernel would give so many bytes more. Costs two system calls, and touches no page.
pub fn fits(bytes: usize) -> bool {
    bytes < SMALL || Room::take(bytes).is_some()
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

/// Memory that nobody uses, so it costs nothing but its place; given back when dropped.
pub struct Room {
    at: *mut std::ffi::c_void,
    bytes: usize,
}

impl Room {
    pub fn bytes(&self) -> usize {
        self.bytes
    }
}

/// Not by malloc: to free a large piece makes it take larger ones from its heap from then on, where they leave holes.
#[cfg(target_os = "linux")]
mod system {
    use std::ffi::{c_int, c_void};

    // SAFETY: functions of POSIX, as the C library has them.
    unsafe extern "C" {
        pub fn mmap(at: *mut c_void, size: usize, access: c_int, flags: c_int, file: c_int, offset: i64)
        -> *mut c_void;
        pub fn munmap(at: *mut c_void, size: usize) -> c_int;
    }
    pub const READ_AND_WRITE: c_int = 0x1 | 0x2;
    pub const PRIVATE_AND_ANONYMOUS: c_int = 0x2 | 0x20;
}

#[cfg(target_os = "linux")]
impl Room {
    pub fn take(bytes: usize) -> Option<Room> {
        use system::{PRIVATE_AND_ANONYMOUS, READ_AND_WRITE, mmap};
        // SAFETY: asks for new memory, at any place.
        let at = unsafe { mmap(std::ptr::null_mut(), bytes, READ_AND_WRITE, PRIVATE_AND_ANONYMOUS, -1, 0) };
        (at.addr() != usize::MAX).then_some(Room { at, bytes })
    }
}

#[cfg(target_os = "linux")]
impl Drop for Room {
    fn drop(&mut self) {
        // SAFETY: taken by `take`, and nobody has used it.
        unsafe { system::munmap(self.at, self.bytes) };
    }
}

#[cfg(not(target_os = "linux"))]
mod system {
    use super::Room;
    use std::alloc::{GlobalAlloc, Layout, System};

    impl Room {
        fn layout(bytes: usize) -> Option<Layout> {
            Layout::from_size_align(bytes.max(1), 16).ok()
        }

        pub fn take(bytes: usize) -> Option<Room> {
            // SAFETY: a layout of at least one byte.
            let at = unsafe { System.alloc(Room::layout(bytes)?) };
            (!at.is_null()).then_some(Room { at: at.cast(), bytes })
        }
    }

    impl Drop for Room {
        fn drop(&mut self) {
            if let Some(layout) = Room::layout(self.bytes) {
                // SAFETY: allocated by `take`.
                unsafe { System.dealloc(self.at.cast(), layout) };
            }
        }
    }
}
