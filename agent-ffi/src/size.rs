//! Structs that may be shorter or longer than the library's own: the rules of openat2(2), section "Extensibility".
//!
//! *Shorter* than this library's struct (an older caller): what is missing is zero on the way in, and is not written on
//! the way out. *Longer* (a newer caller): on the way in accepted if the unknown tail is zero, and refused otherwise;
//! on the way out the tail is zeroed. Shorter than the first version ever published is refused, and so is a size that
//! no struct of ours will have: that is an uninitialised field.

use crate::failure::{Failure, Outcome};
use crate::status::BTZ_ERR_SIZE;

/// Larger than any struct will ever be.
const SIZE_MAX: usize = 64 * 1024;

/// A struct of the ABI that begins with its size.
///
/// # Safety
/// `repr(C)`, begins with a `u32` which is `struct_size`, has no padding, and any bytes are a valid value.
pub(crate) unsafe trait Sized32: Copy {
    /// The size of the struct when it was first published.
    const FIRST: usize;

    /// The bytes of zero, with the size set.
    fn empty() -> Self {
        // SAFETY: any bytes are a valid value, by the trait's contract.
        let mut value: Self = unsafe { std::mem::zeroed() };
        // SAFETY: the struct begins with a `u32`, by the trait's contract.
        unsafe { (&raw mut value).cast::<u32>().write(own::<Self>()) };
        value
    }
}

#[expect(clippy::cast_possible_truncation, reason = "checked at compile time by `check`")]
const fn own<T: Sized32>() -> u32 {
    size_of::<T>() as u32
}

fn wrong() -> Failure {
    Failure::new(
        BTZ_ERR_SIZE,
        "struct_size or stride is not one that this library can serve; use the BTZ_*_INIT macro or sizeof",
    )
}

fn check<T: Sized32>(size: usize) -> Outcome {
    const { assert!(size_of::<T>() < SIZE_MAX && T::FIRST <= size_of::<T>() && T::FIRST >= 4) };
    if size < T::FIRST || size > SIZE_MAX { Err(wrong()) } else { Ok(()) }
}

/// Reads a struct the caller filled.
pub(crate) unsafe fn read_in<T: Sized32>(given: *const T) -> Result<T, Failure> {
    if given.is_null() {
        return Err(Failure::null("the struct is NULL"));
    }
    // SAFETY: the contract: the struct begins with its size, and is that long.
    let size = unsafe { given.cast::<u32>().read_unaligned() } as usize;
    check::<T>(size)?;
    let mut value = T::empty();
    let known = size.min(size_of::<T>());
    // SAFETY: `known` bytes exist on both sides.
    unsafe { std::ptr::copy_nonoverlapping(given.cast::<u8>(), (&raw mut value).cast::<u8>(), known) };
    // SAFETY: the bytes from `known` to `size` belong to the caller's struct.
    let tail = unsafe { std::slice::from_raw_parts(given.cast::<u8>().add(known), size - known) };
    if tail.iter().any(|byte| *byte != 0) { Err(wrong()) } else { Ok(value) }
}

/// Checks the size of a result before there is one.
pub(crate) unsafe fn check_out<T: Sized32>(out: *const T) -> Outcome {
    if out.is_null() {
        return Err(Failure::null("the result is NULL"));
    }
    // SAFETY: the contract: the struct begins with its size.
    check::<T>(unsafe { out.cast::<u32>().read_unaligned() } as usize)
}

/// Writes a result into a struct whose `struct_size` the caller set; that field is kept.
pub(crate) unsafe fn write_out<T: Sized32>(out: *mut T, value: T) -> Outcome {
    // SAFETY: the caller's contract is this function's.
    unsafe { check_out(out)? };
    // SAFETY: as above; the size is known to be readable.
    let size = unsafe { out.cast::<u32>().read_unaligned() };
    // SAFETY: the contract: `size` bytes are writable.
    unsafe { place(out.cast::<u8>(), size, value) };
    Ok(())
}

/// Writes a value into `size` bytes, the first of which will hold `size`.
unsafe fn place<T: Sized32>(out: *mut u8, size: u32, mut value: T) {
    // SAFETY: the struct begins with a `u32`, by the trait's contract.
    unsafe { (&raw mut value).cast::<u32>().write(size) };
    let size = size as usize;
    let known = size.min(size_of::<T>());
    // SAFETY: `size` bytes are writable, and `known` of them exist in `value`.
    unsafe {
        std::ptr::copy_nonoverlapping((&raw const value).cast::<u8>(), out, known);
        out.add(known).write_bytes(0, size - known);
    }
}

/// A caller's array of results, each `stride` bytes after the one before.
pub(crate) struct Rows<T> {
    start: *mut u8,
    stride: u32,
    capacity: usize,
    written: usize,
    kind: std::marker::PhantomData<T>,
}

impl<T: Sized32> Rows<T> {
    /// Takes `out` (NULL only when `capacity` is 0), the caller's `sizeof` and the number of its elements.
    pub(crate) unsafe fn new(out: *mut T, stride: usize, capacity: usize) -> Result<Self, Failure> {
        if out.is_null() && capacity != 0 {
            return Err(Failure::null("the array is NULL, but its capacity is not 0"));
        }
        check::<T>(stride)?;
        if !stride.is_multiple_of(align_of::<T>())
            || stride.checked_mul(capacity).is_none_or(|b| b > isize::MAX as usize)
        {
            return Err(wrong());
        }
        let stride = u32::try_from(stride).map_err(|_| wrong())?;
        Ok(Self { start: out.cast(), stride, capacity, written: 0, kind: std::marker::PhantomData })
    }

    /// Whether one more fits.
    pub(crate) fn has_room(&self) -> bool {
        self.written < self.capacity
    }

    /// How many were written.
    pub(crate) fn written(&self) -> usize {
        self.written
    }

    /// Adds one; what does not fit is left out.
    pub(crate) fn push(&mut self, value: T) {
        if self.has_room() {
            // SAFETY: the contract: `capacity` elements of `stride` bytes are writable from `start` on.
            unsafe { place(self.start.add(self.written * self.stride as usize), self.stride, value) };
            self.written += 1;
        }
    }

    /// Adds all; returns how many there were, whether or not they fitted.
    pub(crate) fn fill(&mut self, values: impl Iterator<Item = T>) -> usize {
        let mut total = 0;
        for value in values {
            self.push(value);
            total += 1;
        }
        total
    }
}

/// Declares that a struct begins with its size and may go over the ABI.
macro_rules! sized {
    ($($kind:ty = $first:literal),* $(,)?) => {$(
        // SAFETY: `layout.rs` proves at compile time that the fields leave no padding; the first is `struct_size:
        // u32`, and all are integers, floats or arrays of them.
        unsafe impl crate::size::Sized32 for $kind {
            const FIRST: usize = $first;
        }
    )*};
}
pub(crate) use sized;

/// What an init function does: zeroes the struct and sets its size.
pub(crate) unsafe fn init<T: Sized32>(out: *mut T, size: u32) -> Outcome {
    if out.is_null() {
        return Err(Failure::null("the struct is NULL"));
    }
    check::<T>(size as usize)?;
    // SAFETY: the contract: `size` bytes are writable.
    unsafe { place(out.cast::<u8>(), size, T::empty()) };
    Ok(())
}
