//! A sequence count: one writer, any number of readers, nobody waits.
//!
//! The count is odd while the writer is at work. A reader that saw it odd, or saw it change, threw nothing away but
//! its own attempt. The data beside the count must be atomics, so that a torn read is a wrong number to be thrown
//! away and never undefined behaviour. (Boehm, "Can seqlocks get along with programming language memory models?",
//! MSPC 2012.)

// By way of the parent, so that `tests/seqcount.rs` can put loom's atomics in their place.
use super::atomic::{AtomicU32, Ordering, fence};

/// Marks the beginning of a write. Only the one writer may call it.
#[inline]
pub fn begin(sequence: &AtomicU32) {
    let before = sequence.load(Ordering::Relaxed);
    debug_assert_eq!(before % 2, 0, "a write within a write");
    sequence.store(before.wrapping_add(1), Ordering::Relaxed);
    fence(Ordering::Release);
}

/// Marks the end of a write.
#[inline]
pub fn end(sequence: &AtomicU32) {
    let during = sequence.load(Ordering::Relaxed);
    sequence.store(during.wrapping_add(1), Ordering::Release);
}

/// Runs a write between its marks.
#[inline]
pub fn write(sequence: &AtomicU32, store: impl FnOnce()) {
    begin(sequence);
    store();
    end(sequence);
}

/// One attempt to read; `None` when a write was under way meanwhile.
#[inline]
pub fn read<T>(sequence: &AtomicU32, load: impl FnOnce() -> T) -> Option<T> {
    let before = sequence.load(Ordering::Acquire);
    if before % 2 == 1 {
        return None;
    }
    let value = load();
    fence(Ordering::Acquire);
    (sequence.load(Ordering::Relaxed) == before).then_some(value)
}
