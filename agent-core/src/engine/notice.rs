//! When to look at which process: events first, the last-PID guard where there are none, a slow scan as the net.
//!
//! KVM announces a VM a moment *before* its descriptor can be seen in the VMM, and long before its vCPUs run: each
//! process is looked at again after [`REPEATS_NS`].

use crate::config::Config;
use crate::sampling::discovery::process::Process;
use crate::sampling::discovery::scan;
use crate::sampling::discovery::uevent::{self, Change};
use crate::sys::netlink::{Received, UeventSocket};
use std::collections::{BTreeMap, HashMap};
use std::os::fd::{AsFd, BorrowedFd};

const MILLISECOND_NS: u64 = 1_000_000;
const SECOND_NS: u64 = 1_000 * MILLISECOND_NS;

/// Time from the first look at a process to each later one.
const REPEATS_NS: [u64; 4] = [10 * MILLISECOND_NS, 100 * MILLISECOND_NS, SECOND_NS, 10 * SECOND_NS];
/// A process that a scan found is spared the repeats before this one.
const REPEATS_OF_OLD: usize = 2;
/// A kernel message is at most 2 KiB (`UEVENT_BUFFER_SIZE`).
const MESSAGE_BYTES_MAX: usize = 8 * 1024;
/// New PIDs probed in one call; when more were given out meanwhile, the whole host is scanned instead.
const PROBES_MAX: u32 = 4_096;
/// A process that was just forked has not become a VMM yet: its PID is probed once more after this.
const SECOND_PROBE_NS: u64 = SECOND_NS;
/// Time from the kernel losing messages to the scan that makes up for it.
const OVERRUN_SCAN_NS: u64 = 100 * MILLISECOND_NS;

/// One process to look at now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Look {
    pub(super) pid: i32,
    /// The kernel said that it made a VM.
    pub(super) announced: bool,
    pub(super) debugfs_name: Option<String>,
    first_ns: u64,
    repeat: usize,
}

impl Look {
    pub(super) fn of(pid: i32) -> Self {
        Self { pid, ..Self::default() }
    }

    /// Whether the kernel has just made a VM, and nothing was looked at since.
    pub(super) fn just_announced(&self) -> bool {
        self.announced && self.repeat == 0
    }
}

/// Counts for the agent's own metrics.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct NoticeTotals {
    pub(super) uevents: u64,
    pub(super) overruns: u64,
    pub(super) full_scans: u64,
}

pub(super) struct Noticer {
    uevents: Option<UeventSocket>,
    /// Why there is no event socket.
    pub(super) uevents_refused: Option<nix::errno::Errno>,
    /// By time and PID; one a process.
    looks: BTreeMap<(u64, i32), Look>,
    planned: HashMap<i32, u64>,
    next_scan_ns: u64,
    last_pid: Option<u32>,
    /// PIDs that were probed too early, perhaps.
    fresh: Option<(u64, std::ops::Range<u32>)>,
    pub(super) totals: NoticeTotals,
}

impl Noticer {
    pub(super) fn new(config: &Config) -> Self {
        let (uevents, uevents_refused) = match config.roots.is_live().then(UeventSocket::open) {
            Some(Ok(socket)) => (Some(socket), None),
            Some(Err(errno)) => (None, Some(errno)),
            None => (None, None),
        };
        Self {
            uevents,
            uevents_refused,
            looks: BTreeMap::new(),
            planned: HashMap::new(),
            next_scan_ns: 0,
            last_pid: None,
            fresh: None,
            totals: NoticeTotals::default(),
        }
    }

    /// Readable when the kernel announced something.
    pub(super) fn fd(&self) -> Option<BorrowedFd<'_>> {
        self.uevents.as_ref().map(AsFd::as_fd)
    }

    /// Whether new PIDs must be probed: where no events are to be had, and for guests that make none.
    pub(super) fn wants_last_pid(&self, config: &Config) -> bool {
        config.roots.is_live() && (self.uevents.is_none() || config.discovery.without_kvm)
    }

    /// When there is something to do.
    pub(super) fn next_deadline_ns(&self) -> u64 {
        let look = self.looks.keys().next().map_or(u64::MAX, |(due_ns, _)| *due_ns);
        let fresh = self.fresh.as_ref().map_or(u64::MAX, |(due_ns, _)| *due_ns);
        look.min(fresh).min(self.next_scan_ns)
    }

    /// Takes what the kernel announced. A host that starts VMs without pause cannot keep this call busy for ever.
    pub(super) fn take_events(&mut self, now_ns: u64) {
        const MESSAGES_PER_CALL_MAX: usize = 4_096;
        let Some(socket) = &self.uevents else { return };
        let mut buffer = [0; MESSAGE_BYTES_MAX];
        let mut events = Vec::new();
        for _ in 0..MESSAGES_PER_CALL_MAX {
            match socket.receive(&mut buffer) {
                Received::Empty => break,
                Received::Foreign => {}
                Received::Overrun => {
                    self.totals.overruns += 1;
                    self.next_scan_ns = self.next_scan_ns.min(now_ns + OVERRUN_SCAN_NS);
                }
                Received::Message(length) => events.extend(uevent::parse(&buffer[..length])),
            }
        }
        for event in events {
            self.totals.uevents += 1;
            let announced = event.change == Change::Create;
            self.look(Look { announced, debugfs_name: event.debugfs_name, ..Look::of(event.pid) }, now_ns);
        }
    }

    /// Has a process looked at now, and again a few times.
    pub(super) fn look(&mut self, look: Look, now_ns: u64) {
        self.plan(now_ns, Look { first_ns: now_ns, repeat: 0, ..look });
    }

    fn plan(&mut self, due_ns: u64, look: Look) {
        if let Some(earlier_ns) = self.planned.insert(look.pid, due_ns) {
            self.looks.remove(&(earlier_ns, look.pid));
        }
        self.looks.insert((due_ns, look.pid), look);
    }

    /// Has the whole host scanned by this time.
    pub(super) fn scan_by(&mut self, due_ns: u64) {
        self.next_scan_ns = self.next_scan_ns.min(due_ns);
    }

    /// Has a process looked at by this time, once.
    pub(super) fn look_by(&mut self, pid: i32, due_ns: u64) {
        if self.planned.get(&pid).is_none_or(|planned_ns| *planned_ns > due_ns) {
            self.plan(due_ns, Look { first_ns: due_ns, repeat: REPEATS_NS.len(), ..Look::of(pid) });
        }
    }

    /// Has a process looked at now, unless that will happen anyway.
    pub(super) fn look_unless_planned(&mut self, pid: i32, now_ns: u64) {
        if !self.planned.contains_key(&pid) {
            self.look(Look::of(pid), now_ns);
        }
    }

    /// Has a process looked at once more, as planned. A VM that seems complete may not be: threads of vCPUs come one
    /// after the other.
    pub(super) fn look_again(&mut self, look: Look) {
        if self.planned.contains_key(&look.pid) {
            return;
        }
        if let Some(after_ns) = REPEATS_NS.get(look.repeat) {
            let due_ns = look.first_ns + after_ns;
            self.plan(due_ns, Look { repeat: look.repeat + 1, ..look });
        }
    }

    /// The next process whose time has come.
    pub(super) fn next_look(&mut self, now_ns: u64) -> Option<Look> {
        let entry = self.looks.first_entry().filter(|entry| entry.key().0 <= now_ns)?;
        let look = entry.remove();
        self.planned.remove(&look.pid);
        Some(look)
    }

    /// Takes the sampler's word that PIDs up to this one were given out, and probes those that are new.
    pub(super) fn take_last_pid(&mut self, config: &Config, last_pid: u32, now_ns: u64) {
        let before = self.last_pid.replace(last_pid);
        if !self.wants_last_pid(config) || last_pid == 0 {
            return;
        }
        // The first word says nothing is new: the scan at the start covers it. A smaller one means a wrap.
        let Some(before) = before else { return };
        if last_pid < before || last_pid - before > PROBES_MAX {
            self.next_scan_ns = self.next_scan_ns.min(now_ns + SECOND_PROBE_NS);
            return;
        }
        let range = before + 1..last_pid + 1;
        self.probe(config, range.clone(), now_ns);
        let pending = self.fresh.take().map_or(range.clone(), |(_, earlier)| earlier.start..range.end);
        self.fresh = Some((now_ns + SECOND_PROBE_NS, pending));
    }

    /// Probes those PIDs again that were probed too early, perhaps.
    pub(super) fn probe_fresh(&mut self, config: &Config, now_ns: u64) {
        if let Some((_, range)) = self.fresh.take_if(|(due_ns, _)| *due_ns <= now_ns) {
            if range.len() > PROBES_MAX as usize {
                self.next_scan_ns = now_ns;
            } else {
                self.probe(config, range, now_ns);
            }
        }
    }

    fn probe(&mut self, config: &Config, range: std::ops::Range<u32>, now_ns: u64) {
        let pids = range.filter_map(|pid| i32::try_from(pid).ok());
        let found: Vec<i32> = if self.uevents.is_some() {
            pids.filter(|pid| Process::new(&config.roots.proc, *pid).looks_like_vmm()).collect()
        } else {
            pids.filter(|pid| scan::is_candidate(&config.roots.proc, *pid)).collect()
        };
        for pid in found {
            self.look_unless_planned(pid, now_ns);
        }
    }

    /// Scans the whole host when it is time; returns whether it did.
    pub(super) fn scan(&mut self, config: &Config, now_ns: u64, known: impl Fn(i32) -> bool) -> bool {
        if now_ns < self.next_scan_ns {
            return false;
        }
        self.next_scan_ns = now_ns + u64::from(config.discovery.full_scan_s.max(1)) * SECOND_NS;
        self.totals.full_scans += 1;
        for pid in scan::candidates(config, known) {
            if !self.planned.contains_key(&pid) {
                // Most have run for long; one that is just starting is announced besides.
                self.plan(now_ns, Look { first_ns: now_ns, repeat: REPEATS_OF_OLD, ..Look::of(pid) });
            }
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noticer() -> (Noticer, Config) {
        let mut config = Config::default();
        config.roots.proc = "/nonexistent/proc".into();
        (Noticer::new(&config), config)
    }

    #[test]
    fn a_process_is_looked_at_again_on_schedule() {
        let (mut noticer, _) = noticer();
        noticer.look(Look::of(7), 5);
        let mut seen = Vec::new();
        let mut now_ns = 5;
        while let Some(look) = noticer.next_look(now_ns) {
            seen.push(now_ns - 5);
            noticer.look_again(look);
            now_ns = noticer.looks.keys().next().map_or(now_ns, |(due_ns, _)| *due_ns);
        }
        assert_eq!(seen, [0, REPEATS_NS[0], REPEATS_NS[1], REPEATS_NS[2], REPEATS_NS[3]]);
    }

    #[test]
    fn a_new_event_starts_the_schedule_anew_and_keeps_one_look_a_process() {
        let (mut noticer, _) = noticer();
        noticer.look(Look::of(7), 0);
        noticer.look(Look { announced: true, ..Look::of(7) }, 3);
        assert!(noticer.next_look(3).is_some_and(|look| look.announced));
        assert_eq!(noticer.next_look(u64::MAX), None);
    }

    #[test]
    fn a_scan_comes_at_once_and_then_by_its_period() {
        let (mut noticer, config) = noticer();
        assert!(noticer.scan(&config, 1, |_| false));
        assert!(!noticer.scan(&config, 2, |_| false));
        assert!(noticer.scan(&config, 1 + 60 * SECOND_NS, |_| false));
    }
}
