//! Memory mapped page by page (mmap(2)), apart from the allocator's.
#![allow(unsafe_code)]

use nix::errno::Errno;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr::NonNull;
use std::sync::atomic::AtomicU64;

/// Zeroed memory of this process alone. What is large and short-lived goes here rather than onto the heap, where it would
/// leave its mark on the embedding program's allocator.
pub struct PrivateMemory(Mapping);

impl PrivateMemory {
    /// So many bytes.
    ///
    /// # Errors
    /// `ENOMEM`; `EINVAL` for no bytes.
    pub fn new(bytes: usize) -> nix::Result<Self> {
        Mapping::new(bytes, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS, -1).map(Self)
    }

    /// All of it.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        // SAFETY: readable for as long as the reference lives; it is written through a unique reference only.
        unsafe { std::slice::from_raw_parts(self.0.start.as_ptr().cast::<u8>(), self.0.bytes) }
    }

    /// All of it.
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: readable and writable for as long as the reference lives, which is the only one.
        unsafe { std::slice::from_raw_parts_mut(self.0.start.as_ptr().cast::<u8>(), self.0.bytes) }
    }
}

/// Memory behind a descriptor, shared with whoever else has it.
pub struct SharedMemory(Mapping);

impl SharedMemory {
    /// The first so many bytes of it.
    ///
    /// # Errors
    /// What the kernel said; `EPERM`, `EINVAL` or `ENODEV` when this descriptor's memory cannot be mapped.
    pub fn new(fd: BorrowedFd<'_>, bytes: usize) -> nix::Result<Self> {
        Mapping::new(bytes, libc::MAP_SHARED, fd.as_raw_fd()).map(Self)
    }

    /// All of it, in words. A part of a word at the end is left out.
    #[must_use]
    pub fn words(&self) -> &[AtomicU64] {
        let words = self.0.bytes / size_of::<u64>();
        // SAFETY: the mapping is readable and writable, begins at a page, lives as long as the reference, and every
        // pattern of bits is a u64. Others may write to it at any time, hence atomics.
        unsafe { std::slice::from_raw_parts(self.0.start.as_ptr().cast::<AtomicU64>(), words) }
    }
}

/// A mapping; taken away when it is dropped.
struct Mapping {
    start: NonNull<libc::c_void>,
    bytes: usize,
}

// SAFETY: the memory belongs to this value alone and is tied to no thread.
unsafe impl Send for Mapping {}
// SAFETY: through a shared reference it is either only read, or read and written as atomics.
unsafe impl Sync for Mapping {}

impl Mapping {
    fn new(bytes: usize, flags: libc::c_int, fd: libc::c_int) -> nix::Result<Self> {
        let protection = libc::PROT_READ | libc::PROT_WRITE;
        // SAFETY: a new mapping at an address of the kernel's choice overlaps nothing of ours.
        let start = unsafe { libc::mmap(std::ptr::null_mut(), bytes, protection, flags, fd, 0) };
        if start == libc::MAP_FAILED {
            return Err(Errno::last());
        }
        let start = NonNull::new(start).ok_or(Errno::EINVAL)?;
        Ok(Self { start, bytes })
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: made by mmap with this length, and nothing refers to it any more.
        unsafe { libc::munmap(self.start.as_ptr(), self.bytes) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::AsFd;
    use std::sync::atomic::Ordering::Relaxed;

    #[test]
    fn private_memory_is_zeroed_and_writable() {
        let mut memory = PrivateMemory::new(8_195).expect("memory");
        assert_eq!(memory.bytes(), vec![0; 8_195]);
        memory.bytes_mut()[8_194] = 7;
        assert_eq!(memory.bytes()[8_194], 7);
        assert_eq!(PrivateMemory::new(0).err(), Some(Errno::EINVAL));
    }

    #[test]
    fn shared_memory_is_that_of_the_file() {
        let file = tempfile::tempfile().expect("a file");
        file.set_len(4_096).expect("length");
        let memory = SharedMemory::new(file.as_fd(), 4_095).expect("a mapping");
        assert_eq!(memory.words().len(), 511);
        memory.words()[2].store(u64::from_ne_bytes(*b"bartizan"), Relaxed);
        let mut read = [0; 8];
        std::os::unix::fs::FileExt::read_exact_at(&file, &mut read, 16).expect("read");
        assert_eq!(&read, b"bartizan");
    }
}
