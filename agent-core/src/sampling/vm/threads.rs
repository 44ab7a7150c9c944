//! The VMM's threads: `/proc/PID/task/TID/schedstat`, read every tick, and a vCPU thread's `stat`, read rarely.
//!
//! Three tiers, chosen per VM by what works and what is left: records that a program in the kernel writes ([`super::bpf`]),
//! a descriptor kept per thread, or `openat`, `read`, `close` below a kept `/proc/PID/task`.

use super::bpf::{Record, View};
use super::schedstat::{self, Schedstat};
use super::slot::{Budget, open_at};
use super::stat_line::{self, StatLine};
use crate::config::ThreadTierChoice;
use crate::sampling::SourceReport;
use crate::sampling::availability::Availability;
use crate::sampling::metrics::Source;
use nix::errno::Errno;
use nix::sys::uio::pread;
use std::ffi::CStr;
use std::os::fd::{BorrowedFd, OwnedFd};

/// One thread. Small on purpose: a thousand VMs have thousands of them, and between two ticks others have the caches.
pub(super) struct Thread {
    tid: i32,
    /// Its `schedstat`, when it is kept open.
    kept: Option<OwnedFd>,
    /// The last reading, which stands for the thread after its end.
    pub(super) last: Schedstat,
    /// Whether it has been read at all.
    known: bool,
    /// Where its record was, and when the thread of that record started.
    record_at: u32,
    start_ns: u64,
}

impl Thread {
    /// A thread that has a record.
    pub(super) const fn recorded(tid: i32) -> Self {
        let last = Schedstat { run_ns: 0, wait_ns: 0, timeslices: 0 };
        Self { tid, kept: None, last, known: false, record_at: u32::MAX, start_ns: 0 }
    }

    /// Takes its record; returns whether the thread ran since the one before.
    ///
    /// # Errors
    /// `ESRCH` when the thread is gone; `ENOSPC` when there was no room for its record.
    #[inline]
    pub(super) fn take(&mut self, view: &View<'_>) -> Result<bool, Errno> {
        let record = self.record(view)?;
        let now = record.schedstat();
        let ran = self.known && now != self.last;
        self.last = now;
        self.known = true;
        Ok(ran)
    }

    /// Its record.
    ///
    /// # Errors
    /// As [`Thread::take`].
    pub(super) fn record<'v>(&mut self, view: &View<'v>) -> Result<Record<'v>, Errno> {
        let (at, record) = view.find(self.tid, self.record_at)?;
        self.record_at = at;
        let start_ns = record.start_ns();
        if self.start_ns != start_ns && std::mem::replace(&mut self.start_ns, start_ns) != 0 {
            return Err(Errno::ESRCH);
        }
        Ok(record)
    }

    /// Prepares a thread below `/proc/PID/task`. One that is gone already is kept: the VM is planned anew soon.
    pub(super) fn open(
        task_dir: BorrowedFd<'_>,
        tid: i32,
        choice: ThreadTierChoice,
        budget: &mut Budget,
    ) -> Result<Self, Errno> {
        let name = Name::new(tid, b"/schedstat");
        let kept = match open_at(task_dir, name.as_c_str()?) {
            Err(Errno::ESRCH | Errno::ENOENT) if is_gone(task_dir, tid) => None,
            opened => {
                let file = opened?;
                let at_offset = pread(&file, &mut [0; 64], 0).is_ok();
                Some(file).filter(|_| at_offset && choice != ThreadTierChoice::OpenEach && budget.take())
            }
        };
        Ok(Self { kept, ..Self::recorded(tid) })
    }

    /// Reads `schedstat`; returns whether the thread ran since the reading before.
    ///
    /// # Errors
    /// `ESRCH` when the thread is gone; `EBADMSG` for text that makes no sense.
    pub(super) fn read(&mut self, task_dir: BorrowedFd<'_>, buffer: &mut [u8]) -> Result<bool, Errno> {
        let text = &mut buffer[..schedstat::TEXT_BYTES_MAX];
        let length = match &self.kept {
            Some(file) => pread(file, text, 0)?,
            None => read_once(task_dir, &Name::new(self.tid, b"/schedstat"), text)?,
        };
        let now = schedstat::parse(buffer, length).ok_or(Errno::EBADMSG)?;
        let ran = self.known && now != self.last;
        self.last = now;
        self.known = true;
        Ok(ran)
    }

    /// Reads `stat`.
    pub(super) fn read_stat(&self, task_dir: BorrowedFd<'_>, buffer: &mut [u8]) -> Result<StatLine, Errno> {
        let length = read_once(task_dir, &Name::new(self.tid, b"/stat"), buffer)?;
        stat_line::parse(&buffer[..length]).ok_or(Errno::EBADMSG)
    }

    pub(super) const fn is_kept(&self) -> bool {
        self.kept.is_some()
    }
}

/// `TID/FILE` with a terminating zero, put together without allocating.
struct Name {
    bytes: [u8; NAME_BYTES],
    begin: usize,
}

/// Ten digits, the longest file name, and the zero.
const NAME_BYTES: usize = 10 + 10 + 1;

impl Name {
    fn new(tid: i32, file: &[u8]) -> Self {
        let mut bytes = [0; NAME_BYTES];
        let end = NAME_BYTES - 1 - file.len();
        bytes[end..NAME_BYTES - 1].copy_from_slice(file);
        let mut begin = end;
        let mut rest = tid.unsigned_abs();
        loop {
            begin -= 1;
            bytes[begin] = b"0123456789"[(rest % 10) as usize];
            rest /= 10;
            if rest == 0 {
                return Self { bytes, begin };
            }
        }
    }

    fn as_c_str(&self) -> Result<&CStr, Errno> {
        CStr::from_bytes_with_nul(&self.bytes[self.begin..]).map_err(|_| Errno::EINVAL)
    }
}

/// Opens, reads and closes; a thread that is gone is `ESRCH` whichever step notices.
fn read_once(task_dir: BorrowedFd<'_>, name: &Name, buffer: &mut [u8]) -> Result<usize, Errno> {
    let opened = open_at(task_dir, name.as_c_str()?);
    match opened.and_then(|file| nix::unistd::read(file, buffer)) {
        Err(Errno::ENOENT) => Err(Errno::ESRCH),
        other => other,
    }
}

/// Whether a file is missing because its thread is, and not because this kernel has no such file.
fn is_gone(task_dir: BorrowedFd<'_>, tid: i32) -> bool {
    Name::new(tid, b"/stat").as_c_str().is_ok_and(|name| open_at(task_dir, name).is_err())
}

/// How the threads of a VM are read, and why.
/// `no_record` says why a program in the kernel does not read them.
pub(super) fn report(
    kept: usize,
    threads: usize,
    choice: ThreadTierChoice,
    refused: Option<Errno>,
    no_record: &str,
) -> SourceReport {
    let (tier, availability, reason) = match (refused, choice) {
        (Some(errno), _) => {
            let cure = match errno {
                Errno::ENOENT => ": this kernel has no CONFIG_SCHED_INFO",
                _ => "",
            };
            ("none", Availability::from_errno(errno), format!("/proc/PID/task/TID/schedstat: {errno}{cure}"))
        }
        (None, ThreadTierChoice::OpenEach) => {
            ("open-each", Availability::Ok, "asked for by sampling.thread_tier".to_owned())
        }
        (None, _) if kept == threads => ("kept-fd", Availability::Ok, why_not_bpf(choice, no_record)),
        (None, _) => (
            if kept == 0 { "open-each" } else { "kept-fd, open-each" },
            Availability::Ok,
            format!(
                "descriptors for {kept} of {threads} threads only: raise RLIMIT_NOFILE or sampling.descriptors_max{}{}",
                if no_record.is_empty() { "" } else { "; " },
                why_not_bpf(choice, no_record)
            ),
        ),
    };
    SourceReport { source: Source::Schedule, tier, availability, reason }
}

/// How the threads of a VM are read that have records.
pub(super) const fn recorded() -> SourceReport {
    SourceReport {
        source: Source::Schedule,
        tier: "bpf",
        availability: Availability::Ok,
        reason: String::new(),
    }
}

fn why_not_bpf(choice: ThreadTierChoice, no_record: &str) -> String {
    match choice {
        ThreadTierChoice::Auto | ThreadTierChoice::Bpf if !no_record.is_empty() => {
            format!("bpf: {no_record}")
        }
        ThreadTierChoice::KeptFd => "asked for by sampling.thread_tier".to_owned(),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sampling::vm::slot::open_directory;
    use std::os::fd::AsFd;
    use std::path::Path;

    #[test]
    fn both_tiers_read_the_same_thread() {
        let dir = open_directory(Path::new("/proc/self/task")).unwrap();
        let tid = nix::unistd::gettid().as_raw();
        let mut buffer = [0; 4096];
        for (choice, kept) in [(ThreadTierChoice::Auto, true), (ThreadTierChoice::OpenEach, false)] {
            let mut thread = Thread::open(dir.as_fd(), tid, choice, &mut Budget::new(4)).unwrap();
            assert_eq!(thread.is_kept(), kept);
            assert_eq!(thread.read(dir.as_fd(), &mut buffer), Ok(false), "the first reading has none before");
            let before = thread.last;
            std::thread::sleep(std::time::Duration::from_millis(5));
            assert_eq!(
                thread.read(dir.as_fd(), &mut buffer),
                Ok(true),
                "it slept, so it was put on a CPU again"
            );
            assert!(thread.last.timeslices > before.timeslices && thread.last.run_ns >= before.run_ns);
            assert!(thread.read_stat(dir.as_fd(), &mut buffer).unwrap().start_ticks > 0);
        }
    }

    #[test]
    fn a_thread_that_ended_is_gone_and_keeps_its_last_reading() {
        let (send, receive) = std::sync::mpsc::channel();
        let (end, wait) = std::sync::mpsc::channel::<()>();
        let worker = std::thread::spawn(move || {
            send.send(nix::unistd::gettid().as_raw()).unwrap();
            let _ = wait.recv();
        });
        let tid = receive.recv().unwrap();
        let dir = open_directory(Path::new("/proc/self/task")).unwrap();
        let mut budget = Budget::new(4);
        let mut buffer = [0; 4096];
        let mut kept = Thread::open(dir.as_fd(), tid, ThreadTierChoice::Auto, &mut budget).unwrap();
        let mut each = Thread::open(dir.as_fd(), tid, ThreadTierChoice::OpenEach, &mut budget).unwrap();
        kept.read(dir.as_fd(), &mut buffer).unwrap();
        each.read(dir.as_fd(), &mut buffer).unwrap();
        let last = kept.last;
        drop(end);
        worker.join().unwrap();
        // The kernel takes a thread out of /proc a moment after it is joined.
        while Path::new(&format!("/proc/self/task/{tid}")).exists() {
            std::thread::yield_now();
        }
        assert_eq!(kept.read(dir.as_fd(), &mut buffer), Err(Errno::ESRCH));
        assert_eq!(each.read(dir.as_fd(), &mut buffer), Err(Errno::ESRCH));
        assert_eq!(kept.last, last);
    }

    #[test]
    fn names_are_put_together_digit_by_digit() {
        for tid in [0, 7, 10, 4_194_304, i32::MAX] {
            let name = Name::new(tid, b"/schedstat");
            assert_eq!(name.as_c_str().unwrap().to_str().unwrap(), format!("{tid}/schedstat"));
        }
    }

    #[test]
    fn a_report_names_the_cure() {
        let short = report(2, 6, ThreadTierChoice::Auto, None, "no clang");
        assert!(short.tier.contains("open-each") && short.reason.contains("RLIMIT_NOFILE"), "{short:?}");
        assert!(short.reason.ends_with("; bpf: no clang"), "{short:?}");
        let kept = report(6, 6, ThreadTierChoice::Bpf, None, "no clang");
        assert_eq!((kept.tier, kept.reason.as_str()), ("kept-fd", "bpf: no clang"));
        let refused = report(0, 6, ThreadTierChoice::Auto, Some(Errno::ENOENT), "");
        assert_eq!((refused.tier, refused.availability), ("none", Availability::Unsupported));
    }
}
