//! Tables whose pages cost nothing until they are used.
//!
//! Memory is reserved for the declared limits, which few hosts ever reach. An allocator is free to clear what it hands
//! out by writing to it, and glibc does so below 128 KiB: half a dozen VMs would pay for a thousand. Tables of more
//! than a few pages therefore come straight from `mmap(2)`, whose pages are zero because nobody has touched them.

#![allow(unsafe_code, reason = "a mapping is raw memory until it has a type")]

use bytemuck::Zeroable;
use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;

/// Smaller tables come from the allocator: a mapping of their own would be rounded up to whole pages.
const MAPPED_BYTES_MIN: usize = 4 * 4096;

/// A slice of fixed length that began as zeroes.
pub struct Zeroed<T> {
    start: NonNull<T>,
    length: usize,
    is_mapped: bool,
}

// SAFETY: it owns its elements as a box does; nothing else points to them.
unsafe impl<T: Send> Send for Zeroed<T> {}
// SAFETY: as above; shared access gives out shared references only.
unsafe impl<T: Sync> Sync for Zeroed<T> {}

impl<T> Default for Zeroed<T> {
    /// No elements.
    fn default() -> Self {
        Self { start: NonNull::dangling(), length: 0, is_mapped: false }
    }
}

impl<T: Zeroable> Zeroed<T> {
    /// So many elements, all zero. Their type must not need dropping, which the atomics and plain structs of this
    /// crate do not.
    ///
    /// # Errors
    /// The bytes that could not be had.
    pub fn new(length: usize) -> Result<Self, usize> {
        const { assert!(!std::mem::needs_drop::<T>(), "elements are never dropped") };
        const { assert!(align_of::<T>() <= 4096, "a mapping is aligned to pages") };
        let refused = length.saturating_mul(size_of::<T>());
        let bytes = length
            .checked_mul(size_of::<T>())
            .filter(|bytes| isize::try_from(*bytes).is_ok())
            .ok_or(refused)?;
        if bytes < MAPPED_BYTES_MIN {
            let elements: Box<[T]> =
                bytemuck::allocation::try_zeroed_slice_box(length).map_err(|()| refused)?;
            let start = NonNull::from(Box::leak(elements)).cast();
            return Ok(Self { start, length, is_mapped: false });
        }
        // SAFETY: an anonymous private mapping at an address of the kernel's choice touches nothing that exists.
        let start = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                bytes,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
                -1,
                0,
            )
        };
        if start == libc::MAP_FAILED {
            return Err(refused);
        }
        let start = NonNull::new(start.cast()).ok_or(refused)?;
        Ok(Self { start, length, is_mapped: true })
    }
}

impl<T> Deref for Zeroed<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        // SAFETY: `new` made `length` elements there, all zero, which is a value of T; they live as long as this does.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.length) }
    }
}

impl<T> DerefMut for Zeroed<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        // SAFETY: as in `deref`, and the borrow is exclusive.
        unsafe { std::slice::from_raw_parts_mut(self.start.as_ptr(), self.length) }
    }
}

impl<T> Drop for Zeroed<T> {
    fn drop(&mut self) {
        if self.is_mapped {
            // SAFETY: the whole mapping that `new` made, given back once.
            unsafe { libc::munmap(self.start.as_ptr().cast(), self.length * size_of::<T>()) };
        } else {
            let elements = std::ptr::slice_from_raw_parts_mut(self.start.as_ptr(), self.length);
            // SAFETY: leaked from a box of this length by `new`, or dangling and of no bytes; taken back once.
            drop(unsafe { Box::from_raw(elements) });
        }
    }
}

impl<T: std::fmt::Debug> std::fmt::Debug for Zeroed<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

    #[test]
    fn small_and_large_tables_begin_as_zeroes_and_keep_what_is_written() {
        for length in [0, 1, 7, MAPPED_BYTES_MIN / 8, 100_000] {
            let mut table = Zeroed::<u64>::new(length).unwrap();
            assert_eq!(table.len(), length);
            assert!(table.iter().all(|element| *element == 0));
            for (index, element) in table.iter_mut().enumerate() {
                *element = index as u64;
            }
            assert!(table.iter().enumerate().all(|(index, element)| *element == index as u64));
        }
        let table = Zeroed::<AtomicU64>::new(5_000).unwrap();
        table[4_999].store(7, Relaxed);
        assert_eq!(table[4_999].load(Relaxed), 7);
    }

    #[test]
    fn what_is_more_than_memory_is_refused() {
        assert_eq!(Zeroed::<u64>::new(usize::MAX).err(), Some(usize::MAX));
        assert_eq!(Zeroed::<u64>::new(usize::MAX / 16).err(), Some(usize::MAX / 16 * 8));
    }
}
