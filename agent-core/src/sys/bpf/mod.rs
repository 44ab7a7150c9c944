//! BPF programs: linked against the running kernel, loaded, and run by the calling thread.
//!
//! A loader of our own, as small as its programs need it; why, and what else there is, is in ARCHITECTURE.md.

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

/// Runs every parser of this module over arbitrary bytes.
pub fn fuzz(data: &[u8]) {
    if let Ok(types) = btf::Btf::parse(data, None) {
        let _ = fields::counters(&[&types], "kvm_vcpu", "stat");
        let _ = link::link(data, "syscall", &[("slots", 3)], &[&types]);
        if let Ok(module) = btf::Btf::parse(data, Some(&types)) {
            let _ = fields::counters(&[&types, &module], "kvm", "stat");
        }
    }
    // An object that is also its own kernel: what it wants may be there.
    if let Ok(object) = elf::Object::parse(data)
        && let Some(types) = object.section(".BTF")
        && let Ok(types) = btf::Btf::parse(types, None)
    {
        let maps = [("slots", 3), ("records", 4), ("targets", 5), ("vcpus", 6)];
        for section in ["syscall/threads", "syscall/read", "syscall/ask"] {
            let _ = link::link(data, section, &maps, &[&types]);
        }
    }
}
