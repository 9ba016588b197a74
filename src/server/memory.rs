//! The memory that the library allocates: counted, given back to the kernel, and refused with 53200.
//!
//! Where the kernel refuses memory (`ulimit -v`, `vm.overcommit_memory = 2`), PostgreSQL's own allocations are an error. Rust's
//! end the process, and with one process PostgreSQL ends all sessions. An allocator must not unwind, so it cannot raise that
//! error; it has to be raised before. So there is always room for what is allocated next:
//!
//! - `check` is called in every loop, and raises 53200 where what the library has could not grow as far again as it may
//!   before the next call: collections grow by doubling.
//! - `require` does the same before a step that needs much at once, and `room` in code that knows nothing of PostgreSQL.
//! - There is a cushion, whose size is that of some copies of the largest value that the call has met. Where the kernel refuses
//!   in spite of that, it is given up, and `check` raises 53200 as soon as it can.
//! - After that, the session ends with 53200: no other one does.
//! - A reserve is there for errors of PostgreSQL's only: `rethrow` gives it up when one comes.

use crate::pure::room::{self, SMALL, fits};
use crate::server::error::Error;
use crate::server::room::{Room, fits as kernel_has};
use pgrx::{PgLogLevel, PgSqlErrorCode, pg_sys};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::UnsafeCell;
use std::ffi::{c_char, c_int, c_void};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};

/// What there is for what nobody asked for: the parts of an error, and everything small; and for a large value, so many times
/// what it takes.
const LEAST_CUSHION: usize = 4 * SMALL;
const COPIES: usize = 3;

/// What there is for an error of PostgreSQL's on its way, beside the cushion: pgrx copies it into the current memory context, and
/// for want of memory for that goes round until PostgreSQL ends all sessions (ERRORDATA_STACK_SIZE). A context that has grown
/// asks for 1 MB to give a byte.
const ERRORS: usize = 9 * SMALL;

/// Freed memory of this size goes back to the kernel.
const MUCH: usize = 16 << 20;

/// What a session has of something.
pub struct Size {
    pub entries: usize,
    pub bytes: usize,
}

/// Bytes that the library has of Rust's allocator.
pub fn in_use() -> usize {
    LIVE.load(Relaxed)
}

struct Counted;

#[global_allocator]
static ALLOCATOR: Counted = Counted;

// A backend has one thread: these are never changed by two at once.
static LIVE: AtomicUsize = AtomicUsize::new(0);
/// The most that was in use since freed memory was last given back.
static MOST: AtomicUsize = AtomicUsize::new(0);
static ONCE_MORE: AtomicBool = AtomicBool::new(false);
/// Whether the kernel has refused, and nobody was told yet.
static REFUSED: AtomicBool = AtomicBool::new(false);
/// With how much in use `check` looks again.
static LOOK_AT: AtomicUsize = AtomicUsize::new(usize::MAX);
static CUSHION: Held = Held(UnsafeCell::new(None));
static RESERVE: Held = Held(UnsafeCell::new(None));

/// Room that is there to be given up.
struct Held(UnsafeCell<Option<Room>>);

// SAFETY: a backend has one thread.
unsafe impl Sync for Held {}

impl Held {
    fn bytes(&self) -> usize {
        // SAFETY: nobody has a reference to it beyond these functions, which do not call each other.
        unsafe { (*self.0.get()).as_ref().map_or(0, Room::bytes) }
    }

    fn set(&self, room: Option<Room>) {
        // SAFETY: as above.
        unsafe { *self.0.get() = room };
    }

    /// Makes it this large; where there is no room for that it stays as it is, and the answer is false.
    fn resize(&self, bytes: usize) -> bool {
        let before = self.bytes();
        self.set(None);
        self.set(Room::take(bytes));
        let done = self.bytes() > 0;
        if !done && before > 0 {
            self.set(Room::take(before));
        }
        done
    }
}

// SAFETY: everything is done by the system's allocator; the requests are passed on as they are.
unsafe impl GlobalAlloc for Counted {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as the caller states.
        let memory = unsafe { System.alloc(layout) };
        LIVE.store(LIVE.load(Relaxed).wrapping_add(layout.size()), Relaxed);
        // SAFETY: as above.
        if memory.is_null() { again(|| unsafe { System.alloc(layout) }) } else { memory }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as the caller states.
        let memory = unsafe { System.alloc_zeroed(layout) };
        LIVE.store(LIVE.load(Relaxed).wrapping_add(layout.size()), Relaxed);
        // SAFETY: as above.
        if memory.is_null() { again(|| unsafe { System.alloc_zeroed(layout) }) } else { memory }
    }

    unsafe fn realloc(&self, old: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: as the caller states.
        let memory = unsafe { System.realloc(old, layout, size) };
        LIVE.store(LIVE.load(Relaxed).wrapping_add(size).wrapping_sub(layout.size()), Relaxed);
        // SAFETY: as above; where it is refused, the old piece stays as it is.
        if memory.is_null() { again(|| unsafe { System.realloc(old, layout, size) }) } else { memory }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: as the caller states.
        unsafe { System.dealloc(memory, layout) };
        LIVE.store(LIVE.load(Relaxed).wrapping_sub(layout.size()), Relaxed);
    }
}

/// A request that was refused, once more without the cushion.
#[cold]
fn again(request: impl Fn() -> *mut u8) -> *mut u8 {
    if CUSHION.bytes() > 0 {
        REFUSED.store(true, Relaxed);
        LOOK_AT.store(0, Relaxed);
        CUSHION.set(None);
        let memory = request();
        if !memory.is_null() {
            return memory;
        }
    }
    end_session()
}

// Without pgrx's guard, which allocates.
unsafe extern "C-unwind" {
    fn errstart(level: c_int, domain: *const c_char) -> bool;
    fn errcode(sqlstate: c_int) -> c_int;
    fn errmsg(format: *const c_char, ...) -> c_int;
    fn errfinish(file: *const c_char, line: c_int, function: *const c_char);
}

/// Ends this session, and no other, in an orderly way: PostgreSQL aborts its transaction and calls `exit`.
#[cold]
fn end_session() -> ! {
    give_up();
    // SAFETY: PostgreSQL keeps memory for this report. An error of level FATAL does not come back, nor does it unwind or jump
    // over the frames of Rust; nobody is asked for context, which would take memory.
    unsafe {
        pg_sys::error_context_stack = std::ptr::null_mut();
        if errstart(PgLogLevel::FATAL as c_int, std::ptr::null()) {
            errcode(PgSqlErrorCode::ERRCODE_OUT_OF_MEMORY as c_int);
            errmsg(c"out of memory".as_ptr());
            errfinish(c"memory.rs".as_ptr(), line!() as c_int, c"end_session".as_ptr());
        }
    }
    std::process::abort()
}

/// Once for each backend, when the library is loaded.
pub fn register() {
    room::ask(kernel_has);
    begin();
    // SAFETY: a function that lives as long as the library, which is never unloaded.
    unsafe { pg_sys::RegisterXactCallback(Some(transaction_ended), std::ptr::null_mut()) };
}

/// What was freed goes back to the kernel where it is much: the C library keeps all that is below the last byte in use, and a
/// session may live for weeks. PostgreSQL frees some of it only after this: so once more at the next end.
unsafe extern "C-unwind" fn transaction_ended(_: pg_sys::XactEvent::Type, _: *mut c_void) {
    REFUSED.store(false, Relaxed);
    if CUSHION.bytes() != LEAST_CUSHION {
        CUSHION.resize(LEAST_CUSHION);
    }
    if RESERVE.bytes() == 0 {
        RESERVE.resize(ERRORS);
    }
    let live = LIVE.load(Relaxed);
    let much = MOST.load(Relaxed).saturating_sub(live) > MUCH;
    if much || ONCE_MORE.load(Relaxed) {
        MOST.store(live, Relaxed);
        trim_heap();
    }
    ONCE_MORE.store(much, Relaxed);
}

/// Gives freed memory back to the kernel.
pub fn trim_heap() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        // SAFETY: it takes any number, and frees nothing that is in use.
        unsafe extern "C" {
            safe fn malloc_trim(pad: usize) -> c_int;
        }
        malloc_trim(0);
    }
}

/// Bytes of a page of memory, in which the kernel counts.
pub fn page_size() -> usize {
    // SAFETY: a function of POSIX that takes nothing.
    unsafe extern "C" {
        safe fn getpagesize() -> c_int;
    }
    getpagesize() as usize
}

/// At the beginning of a call: 53200 where there is not even room for the reserve and the cushion.
pub fn begin() {
    REFUSED.store(false, Relaxed);
    LOOK_AT.store(LIVE.load(Relaxed) + SMALL, Relaxed);
    let holds = |held: &Held, bytes| held.bytes() > 0 || held.resize(bytes);
    if !holds(&RESERVE, ERRORS) || !holds(&CUSHION, LEAST_CUSHION) {
        refuse();
    }
}

/// In every loop: 53200 where there may be no room for what comes before the next call.
#[inline]
pub fn check() {
    if LIVE.load(Relaxed) > LOOK_AT.load(Relaxed) {
        look();
    }
}

#[cold]
fn look() {
    let live = LIVE.load(Relaxed);
    saw(live);
    LOOK_AT.store(live + (live / 4).max(SMALL), Relaxed);
    if REFUSED.swap(false, Relaxed) || !fits(live + SMALL) {
        refuse();
    }
}

/// 53200 where there is no room for so many bytes.
#[inline]
pub fn require(bytes: usize) {
    if bytes >= SMALL {
        saw(LIVE.load(Relaxed).saturating_add(bytes));
        if !fits(bytes) {
            refuse();
        }
    }
}

/// A value of this size was met, and may be copied: 53200 where there is no room for some copies of it.
#[inline]
pub fn expect(bytes: usize) {
    if bytes >= SMALL && COPIES * bytes > CUSHION.bytes() {
        saw(LIVE.load(Relaxed).saturating_add(bytes));
        if !CUSHION.resize(COPIES * bytes) {
            refuse();
        }
    }
}

fn saw(bytes: usize) {
    MOST.store(MOST.load(Relaxed).max(bytes), Relaxed);
}

/// PostgreSQL is about to raise an error, and to copy that takes memory.
pub fn make_room_for_error() {
    if !kernel_has(ERRORS) {
        give_up();
    }
}

/// Until the next call, or the next part of this one, begins.
pub fn give_up() {
    CUSHION.set(None);
    RESERVE.set(None);
}

/// As PostgreSQL says it of its own allocations.
fn refuse() -> ! {
    Error::Memory.raise()
}

/// Memory of PostgreSQL's in the current context, of 1 GB at most; 53200 where there is none, raised here: an error of
/// PostgreSQL's own takes memory on its way.
///
/// # Safety
///
/// The caller keeps it no longer than that context.
pub unsafe fn palloc(size: usize) -> *mut u8 {
    // SAFETY: stated by the caller.
    unsafe { allocate(size, 0) }
}

/// As `palloc`, of any size.
///
/// # Safety
///
/// As of `palloc`.
pub unsafe fn palloc_huge(size: usize) -> *mut u8 {
    // SAFETY: stated by the caller.
    unsafe { allocate(size, pg_sys::MCXT_ALLOC_HUGE) }
}

unsafe fn allocate(size: usize, flags: u32) -> *mut u8 {
    // SAFETY: stated by the callers.
    let memory = unsafe { pg_sys::palloc_extended(size, (flags | pg_sys::MCXT_ALLOC_NO_OOM) as c_int) };
    if memory.is_null() { refuse() } else { memory.cast() }
}
