//! `perf_event_open(2)`, for counting only: no ring buffer, no samples.
#![allow(unsafe_code)]

use nix::errno::Errno;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Event {
    /// `PERF_TYPE_HARDWARE`, by its number.
    Hardware(u64),
    /// `PERF_TYPE_SOFTWARE`, by its number.
    Software(u64),
    /// `PERF_TYPE_TRACEPOINT`, by the number in its `id` file.
    Tracepoint(u64),
}

/// Whose events are counted, on one CPU.
#[derive(Clone, Copy, Debug)]
pub enum Whose<'a> {
    /// Everybody's.
    Everybody,
    /// Those of the tasks in a cgroup of the `perf_event` hierarchy, given by its open folder.
    Cgroup(BorrowedFd<'a>),
}

/// `struct perf_event_attr` as it was at first (`PERF_ATTR_SIZE_VER0`): all that counting needs, on every kernel.
#[repr(C)]
#[derive(Default)]
struct Attributes {
    kind: u32,
    size: u32,
    config: u64,
    sample_period: u64,
    sample_type: u64,
    read_format: u64,
    flags: u64,
    wakeup_events: u32,
    bp_type: u32,
    config1: u64,
}

const _: () = assert!(size_of::<Attributes>() == 64, "PERF_ATTR_SIZE_VER0");

const TYPE_HARDWARE: u32 = 0;
const TYPE_SOFTWARE: u32 = 1;
const TYPE_TRACEPOINT: u32 = 2;
/// `PERF_FORMAT_TOTAL_TIME_ENABLED | PERF_FORMAT_TOTAL_TIME_RUNNING | PERF_FORMAT_GROUP`
const READ_FORMAT: u64 = 1 | 2 | 8;
const FLAG_PID_CGROUP: libc::c_ulong = 1 << 2;
const FLAG_FD_CLOEXEC: libc::c_ulong = 1 << 3;

/// Numbers in front of the counts of a group: how many there are, and the times enabled and running.
pub const GROUP_HEADER: usize = 3;

/// Opens a counter on one CPU, as a member of the group that `leader` leads, if any.
///
/// # Errors
/// What the kernel said: `ENOENT` for an event this machine does not have, `EACCES` or `EPERM` for want of
/// `CAP_PERFMON`.
pub fn open(event: Event, whose: Whose, cpu: u32, leader: Option<&OwnedFd>) -> nix::Result<OwnedFd> {
    let (kind, config) = match event {
        Event::Hardware(config) => (TYPE_HARDWARE, config),
        Event::Software(config) => (TYPE_SOFTWARE, config),
        Event::Tracepoint(config) => (TYPE_TRACEPOINT, config),
    };
    let attributes = Attributes {
        kind,
        size: u32::try_from(size_of::<Attributes>()).unwrap_or(0),
        config,
        read_format: READ_FORMAT,
        ..Attributes::default()
    };
    let (pid, flags): (RawFd, _) = match whose {
        Whose::Everybody => (-1, FLAG_FD_CLOEXEC),
        Whose::Cgroup(folder) => (folder.as_raw_fd(), FLAG_FD_CLOEXEC | FLAG_PID_CGROUP),
    };
    let group = leader.map_or(-1, AsRawFd::as_raw_fd);
    let cpu = libc::c_int::try_from(cpu).map_err(|_| Errno::EINVAL)?;
    // SAFETY: the attributes live through the call and say their own size; the kernel copies them and keeps nothing.
    // The other arguments are numbers.
    let result = unsafe {
        libc::syscall(libc::SYS_perf_event_open, std::ptr::from_ref(&attributes), pid, cpu, group, flags)
    };
    let fd = RawFd::try_from(Errno::result(result)?).map_err(|_| Errno::EBADF)?;
    // SAFETY: the kernel has just made this descriptor for us; nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Reads a group's counts. Returns how many numbers were read: [`GROUP_HEADER`] and one a member.
///
/// # Errors
/// What the kernel said.
pub fn read_group(leader: &OwnedFd, numbers: &mut [u64]) -> nix::Result<usize> {
    let bytes = nix::unistd::read(leader, bytemuck::cast_slice_mut(numbers))?;
    Ok(bytes / size_of::<u64>())
}
