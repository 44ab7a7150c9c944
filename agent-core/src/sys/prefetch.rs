//! Asks the processor for memory that will be needed soon.
//!
//! A tick a second finds its data in no cache. What a file's parser will touch is asked for before the `pread` that
//! fills its buffer, so that it arrives while the kernel writes the text. A hint and nothing more: it changes no
//! value, and does nothing where the processor has no such instruction.
#![allow(unsafe_code)]

const LINE_BYTES: usize = 64;

/// Asks for every cache line of a slice.
#[inline]
pub fn slice<T>(items: &[T]) {
    let first = items.as_ptr().cast::<u8>();
    let bytes = size_of_val(items);
    let mut offset = 0;
    while offset < bytes {
        line(first.wrapping_add(offset));
        offset += LINE_BYTES;
    }
}

#[cfg(target_arch = "x86_64")]
#[inline]
fn line(address: *const u8) {
    use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
    // SAFETY: SSE is part of x86_64; a prefetch reads nothing the program could see and never faults, whatever the
    // address.
    unsafe { _mm_prefetch::<_MM_HINT_T0>(address.cast()) }
}

#[cfg(target_arch = "aarch64")]
#[inline]
fn line(address: *const u8) {
    // SAFETY: PRFM is a hint: it writes no register or memory and never faults, whatever the address.
    unsafe {
        std::arch::asm!("prfm pldl1keep, [{0}]", in(reg) address, options(nostack, readonly, preserves_flags));
    }
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
#[inline]
fn line(_address: *const u8) {}

#[cfg(test)]
mod tests {
    #[test]
    fn takes_any_slice() {
        super::slice::<u64>(&[]);
        super::slice(&[1_u8]);
        super::slice(&vec![0_u64; 1_000]);
    }
}
