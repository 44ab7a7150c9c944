//! The VMM as a process: `/proc/PID/stat`, `io` and `status`.

use super::batch::Batch;
use super::keyed::{self, Key, count, hex_ones, kib, nonzero};
use super::slot::{Budget, Slot};
use super::stat_line::{self, StatLine};
use super::text;
use crate::sampling::SourceReport;
use crate::sampling::availability::Availability;
use crate::sampling::metrics::{Source, vm};
use nix::errno::Errno;
use nix::unistd::{SysconfVar, sysconf};
use std::os::fd::BorrowedFd;
use std::path::Path;

/// What the kernel's units are on this machine.
#[derive(Clone, Copy, Debug)]
pub(super) struct Units {
    /// Nanoseconds in one `USER_HZ` tick.
    pub(super) tick_ns: u64,
    /// Bytes in one page.
    pub(super) page_bytes: u64,
    /// Whether the kernel accounts delays: without, it reports a delay of 0 that means nothing.
    pub(super) delays: bool,
}

impl Units {
    pub(super) fn of(proc_root: &Path) -> Self {
        let positive = |variable, fallback: u64| {
            let value = sysconf(variable).ok().flatten().and_then(|value| u64::try_from(value).ok());
            value.filter(|value| *value > 0).unwrap_or(fallback)
        };
        let delays = std::fs::read(proc_root.join("sys/kernel/task_delayacct")).ok();
        Self {
            tick_ns: 1_000_000_000 / positive(SysconfVar::CLK_TCK, 100),
            page_bytes: positive(SysconfVar::PAGE_SIZE, 4_096),
            delays: delays.and_then(|text| text::number(&text)) == Some(1),
        }
    }
}

/// What a process or thread is doing, by the letter of its state: the number of `vm_state`.
pub(super) const fn state_number(letter: u8) -> i64 {
    match letter {
        b'T' | b't' => STOPPED,
        b'Z' | b'X' | b'x' => ZOMBIE,
        b'D' => UNINTERRUPTIBLE,
        _ => RUNNING,
    }
}

pub(super) const RUNNING: i64 = 1;
pub(super) const STOPPED: i64 = 2;
pub(super) const FROZEN: i64 = 3;
pub(super) const ZOMBIE: i64 = 4;
pub(super) const UNINTERRUPTIBLE: i64 = 5;

const IO_KEYS: &[Key] = &[
    Key { name: b"rchar", metric: vm::IO_CHARS_READ, read: count },
    Key { name: b"wchar", metric: vm::IO_CHARS_WRITTEN, read: count },
    Key { name: b"syscr", metric: vm::IO_READ_CALLS, read: count },
    Key { name: b"syscw", metric: vm::IO_WRITE_CALLS, read: count },
    Key { name: b"read_bytes", metric: vm::IO_STORAGE_READ, read: count },
    Key { name: b"write_bytes", metric: vm::IO_STORAGE_WRITTEN, read: count },
    Key { name: b"cancelled_write_bytes", metric: vm::IO_CANCELLED_WRITES, read: count },
];

const STATUS_KEYS: &[Key] = &[
    Key { name: b"TracerPid", metric: vm::TRACED, read: nonzero },
    Key { name: b"Uid", metric: vm::RUNS_AS_ROOT, read: effective_is_root },
    Key { name: b"VmPeak", metric: vm::MEMORY_VIRTUAL_PEAK, read: kib },
    Key { name: b"VmLck", metric: vm::MEMORY_LOCKED, read: kib },
    Key { name: b"VmPin", metric: vm::MEMORY_PINNED, read: kib },
    Key { name: b"VmHWM", metric: vm::MEMORY_RESIDENT_PEAK, read: kib },
    Key { name: b"RssAnon", metric: vm::MEMORY_ANONYMOUS, read: kib },
    Key { name: b"RssFile", metric: vm::MEMORY_FILE, read: kib },
    Key { name: b"RssShmem", metric: vm::MEMORY_SHARED, read: kib },
    Key { name: b"VmPTE", metric: vm::MEMORY_PAGE_TABLES, read: kib },
    Key { name: b"VmSwap", metric: vm::MEMORY_SWAPPED, read: kib },
    Key { name: b"HugetlbPages", metric: vm::MEMORY_HUGETLB, read: kib },
    Key { name: b"CoreDumping", metric: vm::CORE_DUMPING, read: nonzero },
    Key { name: b"SigQ", metric: vm::SIGNALS_QUEUED, read: before_slash },
    Key { name: b"CapEff", metric: vm::CAPABILITIES_EFFECTIVE, read: hex_ones },
    Key { name: b"NoNewPrivs", metric: vm::NO_NEW_PRIVILEGES, read: nonzero },
    Key { name: b"Seccomp", metric: vm::SECCOMP_MODE, read: count },
    Key { name: b"Seccomp_filters", metric: vm::SECCOMP_FILTERS, read: count },
    Key { name: b"Cpus_allowed", metric: vm::CPUS_ALLOWED, read: hex_ones },
    Key { name: b"voluntary_ctxt_switches", metric: vm::MAIN_SWITCHES_VOLUNTARY, read: count },
    Key { name: b"nonvoluntary_ctxt_switches", metric: vm::MAIN_SWITCHES_INVOLUNTARY, read: count },
];

/// `real effective saved filesystem`
fn effective_is_root(value: &[u8]) -> Option<i64> {
    Some(i64::from(text::number(text::words(value).nth(1)?)? == 0))
}

/// `queued/limit`
fn before_slash(value: &[u8]) -> Option<i64> {
    count(value.split(|byte| *byte == b'/').next()?)
}

/// The files of one process.
pub(super) struct ProcessFiles {
    stat: Slot,
    io: Result<Slot, Errno>,
    status: Result<Slot, Errno>,
    units: Units,
}

impl ProcessFiles {
    /// Opens what can be opened below `/proc/PID`. Only `stat` is read often enough to stay open in any case.
    ///
    /// # Errors
    /// When not even `stat` can be read: then there is no such process, or `/proc` hides it (`hidepid`).
    pub(super) fn open(
        dir: BorrowedFd<'_>,
        units: Units,
        keep_details: bool,
        budget: &mut Budget,
    ) -> Result<Self, Errno> {
        let stat = Slot::probe(dir, "stat", Some(&mut *budget))?;
        let mut detail = |name| Slot::probe(dir, name, keep_details.then_some(&mut *budget));
        Ok(Self { stat, io: detail("io"), status: detail("status"), units })
    }

    /// How each file is read.
    pub(super) fn reports(&self) -> [SourceReport; 3] {
        [
            report(Source::TaskStat, Ok(&self.stat), ""),
            report(
                Source::TaskIo,
                self.io.as_ref().map_err(|errno| *errno),
                "/proc/PID/io needs CAP_SYS_PTRACE, or the VMM's own user and a dumpable VMM (ptrace access mode)",
            ),
            report(
                Source::TaskStatus,
                self.status.as_ref().map_err(|errno| *errno),
                "/proc/PID/status is hidden: /proc is mounted with hidepid",
            ),
        ]
    }

    /// Why `io` and `status` have no values, before the first read.
    pub(super) fn closed(&self, batch: &mut Batch) {
        for (source, slot) in [(Source::TaskIo, &self.io), (Source::TaskStatus, &self.status)] {
            if let Err(errno) = slot {
                batch.fail(source, Availability::from_errno(*errno));
            }
        }
    }

    /// Reads `stat`.
    ///
    /// # Errors
    /// `ESRCH` when the process is gone; `EBADMSG` for a line that makes no sense.
    pub(super) fn read_stat(&self, dir: BorrowedFd<'_>, buffer: &mut [u8]) -> Result<StatLine, Errno> {
        match self.stat.read(dir, buffer) {
            Ok(bytes) => stat_line::parse(bytes).ok_or(Errno::EBADMSG),
            Err(Errno::ENOENT) => Err(Errno::ESRCH),
            Err(errno) => Err(errno),
        }
    }

    /// What `stat` says of the VM. The state is left out: the freezer has a say in it.
    pub(super) fn put_stat(&self, stat: &StatLine, batch: &mut Batch) {
        let ticks = |ticks: u64| ticks.saturating_mul(self.units.tick_ns);
        let resident_pages = u64::try_from(stat.resident_pages).unwrap_or(0);
        batch.set(vm::CPU_USER, ticks(stat.user_ticks));
        batch.set(vm::CPU_SYSTEM, ticks(stat.system_ticks));
        batch.set(vm::CPU_GUEST, ticks(stat.guest_ticks));
        batch.set(vm::THREADS, stat.threads);
        batch.set(vm::MEMORY_RESIDENT, resident_pages.saturating_mul(self.units.page_bytes));
        batch.set(vm::MEMORY_VIRTUAL, stat.virtual_bytes);
        batch.set(vm::FAULTS_MINOR, stat.faults_minor);
        batch.set(vm::FAULTS_MAJOR, stat.faults_major);
        batch.set(vm::START, ticks(stat.start_ticks));
        if self.units.delays {
            batch.set(vm::BLOCK_IO_DELAY, ticks(stat.block_io_delay_ticks));
        } else {
            batch.put(vm::BLOCK_IO_DELAY, Err(Availability::Unsupported));
        }
        batch.answered(Source::TaskStat);
    }

    /// Reads `io`.
    pub(super) fn read_io(&self, dir: BorrowedFd<'_>, buffer: &mut [u8], batch: &mut Batch) {
        read_keyed(&self.io, Source::TaskIo, IO_KEYS, dir, buffer, batch);
    }

    /// Reads `status`.
    pub(super) fn read_status(&self, dir: BorrowedFd<'_>, buffer: &mut [u8], batch: &mut Batch) {
        read_keyed(&self.status, Source::TaskStatus, STATUS_KEYS, dir, buffer, batch);
    }

    /// Files kept open.
    pub(super) fn descriptors(&self) -> usize {
        [Some(&self.stat), self.io.as_ref().ok(), self.status.as_ref().ok()]
            .into_iter()
            .flatten()
            .filter(|slot| slot.is_kept())
            .count()
    }
}

fn read_keyed(
    slot: &Result<Slot, Errno>,
    source: Source,
    keys: &[Key],
    dir: BorrowedFd<'_>,
    buffer: &mut [u8],
    batch: &mut Batch,
) {
    let Ok(slot) = slot else { return };
    match slot.read(dir, buffer) {
        Ok(bytes) => {
            keyed::read(bytes, keys, batch);
            batch.answered(source);
        }
        Err(errno) => batch.fail(source, failed(errno)),
    }
}

/// What it means that a file can no longer be read that once could.
pub(super) const fn failed(errno: Errno) -> Availability {
    match errno {
        Errno::ENOENT => Availability::Gone,
        errno => Availability::from_errno(errno),
    }
}

/// A report of one file; `cure` says what opens it when it is denied.
pub(super) fn report(source: Source, slot: Result<&Slot, Errno>, cure: &str) -> SourceReport {
    match slot {
        Ok(slot) => SourceReport {
            source,
            tier: if slot.is_kept() { "kept-fd" } else { "open-each" },
            availability: Availability::Ok,
            reason: String::new(),
        },
        Err(errno) => SourceReport {
            source,
            tier: "none",
            availability: Availability::from_errno(errno),
            reason: match Availability::from_errno(errno) {
                Availability::Denied if !cure.is_empty() => format!("{errno}: {cure}"),
                _ => errno.to_string(),
            },
        },
    }
}

/// Reads the text of `/proc/PID/io`, for the fuzzer.
pub(super) fn fuzz(bytes: &[u8]) {
    let mut batch = Batch::default();
    keyed::read(bytes, IO_KEYS, &mut batch);
    keyed::read(bytes, STATUS_KEYS, &mut batch);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sampling::metrics::MetricId;
    use crate::sampling::vm::slot::open_directory;
    use std::os::fd::AsFd;

    fn value(batch: &Batch, metric: MetricId) -> Result<i64, Availability> {
        batch.values().find(|(id, _)| *id == metric).unwrap().1
    }

    #[test]
    fn this_process_is_read_as_it_is() {
        let dir = open_directory(Path::new("/proc/self")).unwrap();
        let units = Units::of(Path::new("/proc"));
        let files = ProcessFiles::open(dir.as_fd(), units, true, &mut Budget::new(8)).unwrap();
        assert_eq!(files.descriptors(), 3);
        let mut buffer = [0; 4096];
        let mut batch = Batch::default();
        let stat = files.read_stat(dir.as_fd(), &mut buffer).unwrap();
        files.put_stat(&stat, &mut batch);
        files.read_io(dir.as_fd(), &mut buffer, &mut batch);
        files.read_status(dir.as_fd(), &mut buffer, &mut batch);
        for (metric, value) in batch.values() {
            let may_lack = [vm::BLOCK_IO_DELAY, vm::MEMORY_HUGETLB];
            assert!(value.is_ok() || may_lack.contains(&metric), "{}: {value:?}", metric.metric().name);
        }
        assert_eq!(value(&batch, vm::RUNS_AS_ROOT), Ok(i64::from(nix::unistd::geteuid().is_root())));
        assert!(value(&batch, vm::MEMORY_RESIDENT_PEAK).unwrap() >= 1 << 20);
        assert!(value(&batch, vm::CPUS_ALLOWED).unwrap() >= 1);
        assert!(value(&batch, vm::IO_READ_CALLS).unwrap() > 0);
    }

    #[test]
    fn a_delay_that_is_not_accounted_is_not_zero() {
        let folder = tempfile::tempdir().unwrap();
        let kernel = folder.path().join("sys/kernel");
        std::fs::create_dir_all(&kernel).unwrap();
        for (text, expected) in [("1\n", true), ("0\n", false), ("", false)] {
            std::fs::write(kernel.join("task_delayacct"), text).unwrap();
            assert_eq!(Units::of(folder.path()).delays, expected, "{text:?}");
        }
        assert!(!Units::of(Path::new("/nowhere")).delays);
    }

    #[test]
    fn states_are_told_apart() {
        for (letters, number) in [("RSI", RUNNING), ("Tt", STOPPED), ("ZXx", ZOMBIE), ("D", UNINTERRUPTIBLE)]
        {
            for letter in letters.bytes() {
                assert_eq!(state_number(letter), number);
            }
        }
    }
}
