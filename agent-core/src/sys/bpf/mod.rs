//! BPF programs: linked against the running kernel, loaded, and run by the calling thread.
//!
//! A loader of our own, as small as its programs need it. `libbpf` prints, keeps state for the whole process, and would
//! clash with the copy that the embedding agent may have linked; it also brings libelf and zlib. `aya` does not link the
//! kernel's functions (kfuncs), nor load programs of type `BPF_PROG_TYPE_SYSCALL`, which is all that is done here.

pub mod btf;
mod calls;
pub mod elf;
pub mod fields;
pub mod link;
pub mod relocate;

pub use calls::{Program, Refusal, SharedArray};

use super::mapping::PrivateMemory;
use nix::errno::Errno;
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// The kernel's types; the largest known are about 10 MiB.
const BTF_BYTES_MAX: usize = 64 << 20;

/// A file of types as it is, in memory apart from the heap: some megabytes for a moment.
pub struct BtfFile {
    memory: PrivateMemory,
    bytes: usize,
}

impl BtfFile {
    /// Reads a file such as `/sys/kernel/btf/vmlinux`.
    ///
    /// # Errors
    /// What the kernel said; `EFBIG` for what is no description of types for its size alone.
    pub fn read(path: &Path) -> nix::Result<Self> {
        let errno = |error: std::io::Error| Errno::from_raw(error.raw_os_error().unwrap_or(libc::EIO));
        let mut file = File::open(path).map_err(errno)?;
        let size = usize::try_from(file.metadata().map_err(errno)?.len()).unwrap_or(usize::MAX);
        if size > BTF_BYTES_MAX {
            return Err(Errno::EFBIG);
        }
        let mut memory = PrivateMemory::new(size.max(1))?;
        let mut bytes = 0;
        while bytes < size {
            match file.read(&mut memory.bytes_mut()[bytes..size]).map_err(errno)? {
                0 => break,
                more => bytes += more,
            }
        }
        Ok(Self { memory, bytes })
    }

    /// Its bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.memory.bytes()[..self.bytes]
    }
}
