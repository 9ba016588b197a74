//! Room for memory, as the kernel gives it. A backend has one thread: what fits now still fits when it is allocated.

/// Whether the kernel would give so many bytes more. Costs two system calls, and touches no page.
pub fn fits(bytes: usize) -> bool {
    Room::take(bytes).is_some()
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
