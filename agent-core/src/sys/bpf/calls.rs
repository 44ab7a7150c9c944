//! `bpf(2)`: arrays that are mapped into this process, and programs that run when they are told to.
#![allow(unsafe_code)]

use super::link::Instruction;
use crate::sys::mapping::SharedMemory;
use nix::errno::Errno;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd, RawFd};

const MAP_CREATE: libc::c_int = 0;
const PROG_LOAD: libc::c_int = 5;
const PROG_TEST_RUN: libc::c_int = 10;
const MAP_TYPE_ARRAY: u32 = 2;
const MAP_MAPPABLE: u32 = 1 << 10;
const PROG_TYPE_SYSCALL: u32 = 31;
const PROG_SLEEPABLE: u32 = 1 << 4;
const NAME_BYTES: usize = 16;
/// What the verifier says of a program that it refuses; what does not fit is cut off at the front.
const LOG_BYTES: usize = 64 * 1_024;

/// The parts of `union bpf_attr` that are used (include/uapi/linux/bpf.h). Addresses are u64.
#[repr(C)]
#[derive(Default)]
struct MapCreate {
    map_type: u32,
    key_size: u32,
    value_size: u32,
    max_entries: u32,
    map_flags: u32,
    inner_map_fd: u32,
    numa_node: u32,
    map_name: [u8; NAME_BYTES],
}

#[repr(C)]
#[derive(Default)]
struct ProgLoad {
    prog_type: u32,
    insn_cnt: u32,
    insns: u64,
    license: u64,
    log_level: u32,
    log_size: u32,
    log_buf: u64,
    kern_version: u32,
    prog_flags: u32,
    prog_name: [u8; NAME_BYTES],
}

#[repr(C)]
#[derive(Default)]
struct TestRun {
    prog_fd: u32,
    retval: u32,
    data_size_in: u32,
    data_size_out: u32,
    data_in: u64,
    data_out: u64,
    repeat: u32,
    duration: u32,
    ctx_size_in: u32,
    ctx_size_out: u32,
    ctx_in: u64,
    ctx_out: u64,
    flags: u32,
    cpu: u32,
}

/// An array that a program and this process share.
pub struct SharedArray {
    fd: OwnedFd,
    memory: SharedMemory,
}

impl SharedArray {
    /// Makes a zeroed array of so many entries of so many bytes, which must be a multiple of 8.
    ///
    /// # Errors
    /// What the kernel said: `EPERM` without `CAP_BPF`.
    pub fn new(name: &str, entry_bytes: u32, entries: u32) -> nix::Result<Self> {
        let attributes = MapCreate {
            map_type: MAP_TYPE_ARRAY,
            key_size: 4,
            value_size: entry_bytes,
            max_entries: entries,
            map_flags: MAP_MAPPABLE,
            map_name: short(name),
            ..MapCreate::default()
        };
        // SAFETY: the attributes are of the layout that this command takes, and point nowhere.
        let fd = owned(unsafe { call(MAP_CREATE, &attributes) }?)?;
        let memory = SharedMemory::new(fd.as_fd(), entry_bytes as usize * entries as usize)?;
        Ok(Self { fd, memory })
    }

    /// The array's memory.
    #[must_use]
    pub fn memory(&self) -> &SharedMemory {
        &self.memory
    }

    /// By which a program refers to it.
    #[must_use]
    pub fn number(&self) -> RawFd {
        self.fd.as_raw_fd()
    }
}

/// A loaded program of type `BPF_PROG_TYPE_SYSCALL`.
#[derive(Debug)]
pub struct Program {
    fd: OwnedFd,
}

/// Why the kernel refused a program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The kernel's answer.
    pub errno: Errno,
    /// The last thing its verifier said; empty when it said nothing.
    pub said: String,
}

impl Program {
    /// Has the kernel verify and compile a program.
    ///
    /// # Errors
    /// See [`Refusal`].
    pub fn load(name: &str, instructions: &[Instruction]) -> Result<Self, Refusal> {
        let attempt = |log: &mut [u8]| {
            let attributes = ProgLoad {
                prog_type: PROG_TYPE_SYSCALL,
                insn_cnt: u32::try_from(instructions.len()).unwrap_or(u32::MAX),
                insns: address(instructions.as_ptr()),
                // The kernel lets programs call its functions that say they may be distributed under the GPL: ours may.
                license: address(c"Dual MIT/GPL".as_ptr()),
                log_level: u32::from(!log.is_empty()),
                log_size: u32::try_from(log.len()).unwrap_or(0),
                log_buf: if log.is_empty() { 0 } else { address(log.as_mut_ptr()) },
                prog_flags: PROG_SLEEPABLE,
                prog_name: short(name),
                ..ProgLoad::default()
            };
            // SAFETY: instructions, licence and log live through the call, and their lengths are told; the kernel writes
            // to the log alone.
            unsafe { call(PROG_LOAD, &attributes) }
        };
        let errno = match attempt(&mut []) {
            Ok(fd) => {
                return owned(fd)
                    .map(|fd| Self { fd })
                    .map_err(|errno| Refusal { errno, said: String::new() });
            }
            Err(errno) => errno,
        };
        // Once more, for the verifier's words: it is only made to write when it is known to have something to say.
        let mut log = vec![0; LOG_BYTES];
        match attempt(&mut log) {
            Ok(fd) => owned(fd).map(|fd| Self { fd }).map_err(|errno| Refusal { errno, said: String::new() }),
            Err(_) => Err(Refusal { errno, said: last_words(&log) }),
        }
    }

    /// Runs it on the calling thread, to its end, and returns what it returns. `context` is what it is given; it may
    /// write to it.
    ///
    /// # Errors
    /// What the kernel said.
    pub fn run<T: bytemuck::Pod>(&self, context: &mut T) -> nix::Result<u32> {
        let mut attributes = TestRun {
            prog_fd: u32::try_from(self.fd.as_raw_fd()).unwrap_or(u32::MAX),
            ctx_size_in: u32::try_from(size_of::<T>()).unwrap_or(u32::MAX),
            ctx_in: address(std::ptr::from_mut(context)),
            ..TestRun::default()
        };
        // SAFETY: the context lives through the call and is plain data of the size that is told; the kernel copies it in
        // and out. The attributes are ours alone, and the kernel writes the return value into them.
        unsafe {
            let result = libc::syscall(
                libc::SYS_bpf,
                PROG_TEST_RUN,
                std::ptr::from_mut(&mut attributes),
                size_of::<TestRun>(),
            );
            Errno::result(result)?;
        }
        Ok(attributes.retval)
    }
}

/// # Safety
/// The attributes must be what the command takes, and every address in them that of live memory of the length told.
unsafe fn call<T>(command: libc::c_int, attributes: &T) -> nix::Result<libc::c_long> {
    // SAFETY: as the caller vouches; the kernel copies the attributes, whose size it is told.
    let result =
        unsafe { libc::syscall(libc::SYS_bpf, command, std::ptr::from_ref(attributes), size_of::<T>()) };
    Errno::result(result)
}

fn address<T>(pointer: *const T) -> u64 {
    pointer.expose_provenance() as u64
}

fn owned(result: libc::c_long) -> nix::Result<OwnedFd> {
    let fd = RawFd::try_from(result).map_err(|_| Errno::EBADF)?;
    // SAFETY: the kernel has just made this descriptor for us, close-on-exec, and nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// A name as the kernel takes it: cut off, and with a zero at its end.
fn short(name: &str) -> [u8; NAME_BYTES] {
    let mut bytes = [0; NAME_BYTES];
    for (to, from) in bytes.iter_mut().take(NAME_BYTES - 1).zip(name.bytes()) {
        *to = from;
    }
    bytes
}

/// The last line that says something: behind it are counts only.
fn last_words(log: &[u8]) -> String {
    let end = log.iter().position(|byte| *byte == 0).unwrap_or(log.len());
    let text = String::from_utf8_lossy(&log[..end]);
    let line = text.lines().rev().find(|line| !line.starts_with("processed ") && !line.trim().is_empty());
    line.unwrap_or_default().to_owned()
}
