//! What must not be read in a tick: `smaps_rollup`, which takes the VMM's `mmap_lock` and walks its page tables, and
//! the count of open files, which walks a directory on older kernels.
//!
//! A VMM that is stuck in a page fault holds that lock for as long as the fault takes; the walk itself costs some
//! 10 µs for a small process, and of the order of a millisecond per GiB of guest memory in 4 KiB pages. The planner
//! calls this rarely, and hands the readings over like a monitor's.

use super::batch::Batch;
use super::keyed::{self, Key, kib};
use super::slot::{open_at, open_directory, open_directory_at, read_whole};
use super::{Delivery, filesystem, stat_line, text};
use crate::config::Config;
use crate::sampling::SourceReport;
use crate::sampling::availability::Availability;
use crate::sampling::discovery::VmInfo;
use crate::sampling::metrics::{MetricId, Source, vm};
use nix::errno::Errno;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

const FILE_BYTES_MAX: usize = 8_192;
/// Descriptors are counted up to here.
const DESCRIPTORS_MAX: usize = 1 << 20;

const SMAPS_KEYS: &[Key] = &[
    Key { name: b"Pss", metric: vm::MEMORY_PROPORTIONAL, read: kib },
    Key { name: b"Pss_Dirty", metric: vm::MEMORY_PROPORTIONAL_DIRTY, read: kib },
    Key { name: b"Shared_Clean", metric: vm::MEMORY_SHARED_CLEAN, read: kib },
    Key { name: b"Shared_Dirty", metric: vm::MEMORY_SHARED_DIRTY, read: kib },
    Key { name: b"Private_Clean", metric: vm::MEMORY_PRIVATE_CLEAN, read: kib },
    Key { name: b"Private_Dirty", metric: vm::MEMORY_PRIVATE_DIRTY, read: kib },
    Key { name: b"Referenced", metric: vm::MEMORY_REFERENCED, read: kib },
    Key { name: b"KSM", metric: vm::MEMORY_MERGED, read: kib },
    Key { name: b"AnonHugePages", metric: vm::MEMORY_TRANSPARENT_HUGE, read: kib },
    Key { name: b"SwapPss", metric: vm::MEMORY_SWAP_PROPORTIONAL, read: kib },
];

/// Reads what is too slow for a tick. May block for as long as the VMM's memory map is locked.
#[must_use]
pub fn cold_readings(info: &VmInfo, config: &Config, read_at_ns: u64) -> Delivery {
    let mut batch = Batch::default();
    let mut of_disks = Vec::new();
    match open_process(info, config) {
        Ok(dir) => {
            put_smaps(&dir, &mut batch);
            put_descriptors(&dir, &mut batch);
            let path = config.roots.proc.join(info.pid.to_string());
            filesystem::put(&dir, &path, info, &mut of_disks);
        }
        Err(errno) => {
            let availability = Availability::from_errno(errno);
            fail_smaps(availability, &mut batch);
            batch.put(vm::OPEN_FILES, Err(availability));
            batch.put(vm::OPEN_FILES_MAX, Err(availability));
            filesystem::fail(availability, info, &mut of_disks);
        }
    }
    let of_vm = batch.values().map(|(metric, value)| (info.entity.row, metric, value));
    let values = of_vm.chain(of_disks).collect();
    Delivery { read_at_ns, vm: Some(info.entity), values }
}

/// How the slow sources are read. Whether they may be is known as soon as they are opened, which does not wait.
pub(super) fn reports(dir: BorrowedFd<'_>) -> [SourceReport; 2] {
    let cure = "needs CAP_SYS_PTRACE, or the VMM's own user and a dumpable VMM (ptrace access mode)";
    let report = |source, path: &str, opened: Result<OwnedFd, Errno>| match opened {
        Ok(_) => SourceReport {
            source,
            tier: "rounds",
            availability: Availability::Ok,
            reason: format!("{path} may block: read by the planner, one VM at a time"),
        },
        Err(errno) => SourceReport {
            source,
            tier: "none",
            availability: Availability::from_errno(errno),
            reason: match Availability::from_errno(errno) {
                Availability::Denied => format!("{path}: {errno}: {cure}"),
                _ => format!("{path}: {errno}"),
            },
        },
    };
    [
        report(Source::Smaps, "/proc/PID/smaps_rollup", open_at(dir, c"smaps_rollup")),
        report(Source::Descriptors, "/proc/PID/fd", open_directory_at(dir, "fd")),
    ]
}

/// The process's directory, once it is certain that the number still belongs to the VMM.
fn open_process(info: &VmInfo, config: &Config) -> Result<OwnedFd, Errno> {
    let dir = match open_directory(&config.roots.proc.join(info.pid.to_string())) {
        Err(Errno::ENOENT) => return Err(Errno::ESRCH),
        other => other?,
    };
    let line = read_whole(&dir, "stat", FILE_BYTES_MAX)?;
    let stat = stat_line::parse(&line).ok_or(Errno::EBADMSG)?;
    if stat.start_ticks == info.start_ticks { Ok(dir) } else { Err(Errno::ESRCH) }
}

fn put_smaps(dir: &OwnedFd, batch: &mut Batch) {
    match read_whole(dir, "smaps_rollup", FILE_BYTES_MAX) {
        Ok(bytes) => keyed::read(&bytes, SMAPS_KEYS, batch),
        Err(errno) => {
            fail_smaps(Availability::from_errno(errno), batch);
        }
    }
}

fn fail_smaps(availability: Availability, batch: &mut Batch) {
    for key in SMAPS_KEYS {
        batch.put(key.metric, Err(availability));
    }
}

fn put_descriptors(dir: &OwnedFd, batch: &mut Batch) {
    let mut put = |metric: MetricId, value: Result<u64, Availability>| {
        batch.put(metric, value.and_then(|value| i64::try_from(value).map_err(|_| Availability::Error)));
    };
    put(vm::OPEN_FILES, open_files(dir).map_err(Availability::from_errno));
    let limits = read_whole(dir, "limits", FILE_BYTES_MAX);
    put(vm::OPEN_FILES_MAX, limits.map_err(Availability::from_errno).and_then(|bytes| soft_limit(&bytes)));
}

/// Since Linux 6.2 the size of `/proc/PID/fd` is the number of open files; before, it is 0 and they are counted.
fn open_files(dir: &OwnedFd) -> Result<u64, Errno> {
    let fd_dir = open_directory_at(dir.as_fd(), "fd")?;
    let size = nix::sys::stat::fstat(&fd_dir)?.st_size;
    if size > 0 {
        return u64::try_from(size).map_err(|_| Errno::EOVERFLOW);
    }
    let mut listing = nix::dir::Dir::from_fd(fd_dir)?;
    let entries = listing.iter().take(DESCRIPTORS_MAX).flatten();
    let count = entries.filter(|entry| !entry.file_name().to_bytes().starts_with(b".")).count();
    u64::try_from(count).map_err(|_| Errno::EOVERFLOW)
}

/// `Max open files            1024                 524288               files`
fn soft_limit(bytes: &[u8]) -> Result<u64, Availability> {
    let line = text::lines(bytes).find_map(|line| line.strip_prefix(b"Max open files"));
    match text::words(line.ok_or(Availability::Unsupported)?).next() {
        Some(b"unlimited") => Err(Availability::Unsupported),
        Some(word) => text::number(word).ok_or(Availability::Error),
        None => Err(Availability::Error),
    }
}

/// The cold side's parsers, for the fuzzer.
pub(super) fn fuzz(bytes: &[u8]) {
    keyed::read(bytes, SMAPS_KEYS, &mut Batch::default());
    let _ = soft_limit(bytes);
    filesystem::fuzz(bytes);
}
