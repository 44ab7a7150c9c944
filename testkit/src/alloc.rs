//! A global allocator that counts, thread by thread: the proof that a path neither allocates nor frees.
//!
//! ```
//! use bartizan_testkit::alloc::{CountingAllocator, count};
//!
//! #[global_allocator]
//! static ALLOCATOR: CountingAllocator = CountingAllocator;
//!
//! let (boxed, counts) = count(|| Box::new(7));
//! assert_eq!((counts.allocs, counts.frees), (1, 0));
//! let ((), counts) = count(|| drop(boxed));
//! assert_eq!((counts.allocs, counts.frees), (0, 1));
//! ```

#![expect(unsafe_code, reason = "GlobalAlloc is an unsafe trait")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::hint::black_box;

/// The system's allocator, counted. Make it the `#[global_allocator]` of the test binary.
#[derive(Debug, Clone, Copy, Default)]
pub struct CountingAllocator;

/// What one thread asked of the allocator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Blocks allocated.
    pub allocs: u64,
    /// Blocks freed.
    pub frees: u64,
    /// Blocks grown or shrunk; not counted among the others.
    pub reallocs: u64,
    /// Bytes asked for, by allocating and by growing.
    pub bytes: u64,
}

impl Counts {
    /// Whether the allocator was not called at all.
    #[must_use]
    pub fn is_zero(self) -> bool {
        self == Self::default()
    }
}

thread_local! {
    static COUNTS: Cell<Counts> = const { Cell::new(Counts { allocs: 0, frees: 0, reallocs: 0, bytes: 0 }) };
}

/// What the calling thread has asked of the allocator so far.
#[must_use]
pub fn thread_counts() -> Counts {
    COUNTS.get()
}

/// Runs `work`, and says what it asked of the allocator on the calling thread. What other threads do
/// meanwhile does not count.
///
/// # Panics
/// When [`CountingAllocator`] is not this program's global allocator: a count of zero would mean nothing.
pub fn count<T>(work: impl FnOnce() -> T) -> (T, Counts) {
    let before = thread_counts();
    drop(black_box(Box::new(1_u8)));
    assert!(thread_counts().allocs > before.allocs, "CountingAllocator is not the #[global_allocator]");
    let before = thread_counts();
    let result = work();
    let after = thread_counts();
    let counts = Counts {
        allocs: after.allocs - before.allocs,
        frees: after.frees - before.frees,
        reallocs: after.reallocs - before.reallocs,
        bytes: after.bytes - before.bytes,
    };
    (result, counts)
}

fn note(allocs: u64, frees: u64, reallocs: u64, bytes: usize) {
    // A thread that is being torn down has no counters any more, and nobody reads them.
    let _torn_down = COUNTS.try_with(|cell| {
        let mut counts = cell.get();
        counts.allocs += allocs;
        counts.frees += frees;
        counts.reallocs += reallocs;
        counts.bytes += u64::try_from(bytes).unwrap_or(u64::MAX);
        cell.set(counts);
    });
}

// SAFETY: everything is passed on to the system's allocator; the counters are a const-initialised
// thread-local without a destructor, so that counting does not allocate itself.
unsafe impl GlobalAlloc for CountingAllocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        note(1, 0, 0, layout.size());
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        note(1, 0, 0, layout.size());
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        note(0, 1, 0, 0);
        // SAFETY: the caller's promise is passed on.
        unsafe { System.dealloc(block, layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        note(0, 0, 1, new_size.saturating_sub(layout.size()));
        // SAFETY: the caller's promise is passed on.
        unsafe { System.realloc(block, layout, new_size) }
    }
}
