//! The checks beside the tick: on a thread of their own, in slices with pauses, so that neither the sampler nor the
//! planner ever waits for them.

use super::directory::Directory;
use super::threads::Shared;
use crate::checks::waiver::Waiver;
use crate::checks::{Board, Checker, Loading, Verdict, Vm};
use crate::config::Config;
use crate::sys::clock::Clock;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::{Acquire, Relaxed};

/// A pause of so many times as long as was worked follows each slice: a full run then takes at most a tenth of one core.
const PAUSE_FACTOR: u64 = 9;
const NS_PER_MS: u64 = 1_000_000;

/// The checks of one agent. The checker is made when it is first needed: reading the rules takes milliseconds.
pub struct Checks {
    clock: Clock,
    directory: Arc<Directory>,
    board: Arc<Board>,
    checker: Option<Checker>,
    loading: Loading,
    config: Arc<Config>,
    vms_seen: u64,
}

impl Checks {
    pub(super) fn new(clock: Clock, directory: Arc<Directory>, board: Arc<Board>) -> Self {
        let config = Arc::clone(&directory.config.read());
        Self { clock, directory, board, checker: None, loading: Loading::default(), config, vms_seen: 0 }
    }

    /// Works for about so many nanoseconds; whether there is more to do at once.
    pub fn work(&mut self, budget_ns: u64) -> bool {
        self.follow_config();
        if !self.config.checks.enabled {
            return false;
        }
        let fresh = self.checker.is_none();
        // A file at a time, so that nobody who stops the agent waits for all of them.
        if fresh && self.loading.step() {
            return true;
        }
        let generation = self.directory.vms_generation.load(Acquire);
        let checker = self.checker.get_or_insert_with(|| {
            let shipped = std::mem::take(&mut self.loading).finish();
            Checker::with_rules(shipped, &self.config, self.clock.clone(), Arc::clone(&self.board))
        });
        if fresh || generation != self.vms_seen {
            self.vms_seen = generation;
            let vms = self.directory.vms.read().iter().map(|info| Arc::new(Vm::from(&**info))).collect();
            checker.set_vms(vms);
        }
        let waivers: Vec<Waiver> = std::mem::take(&mut *self.directory.waivers.lock());
        for waiver in waivers {
            // Refused already when it was given, were it wrong.
            let _ = checker.waive(waiver);
        }
        if self.directory.sweep_wanted.swap(false, Relaxed) {
            checker.start_sweep();
        }
        let more = checker.work(budget_ns);
        self.directory.tally.note(&self.board);
        more
    }

    /// A new configuration of the checks starts them over.
    fn follow_config(&mut self) {
        let config = Arc::clone(&self.directory.config.read());
        if Arc::ptr_eq(&config, &self.config) {
            return;
        }
        if config.checks != self.config.checks || config.discovery.tenant != self.config.discovery.tenant {
            self.checker = None;
        }
        self.config = config;
    }

    /// Works until the agent is stopped.
    pub(super) fn run_until_stopped(&mut self, shared: &Shared) {
        loop {
            let slice_ns = u64::from(self.config.checks.slice_ms) * NS_PER_MS;
            let begun_ns = self.clock.mono_ns();
            let more = self.work(slice_ns);
            let worked_ns = self.clock.mono_ns().saturating_sub(begun_ns).min(slice_ns);
            let due_ns =
                self.checker.as_ref().map(|checker| checker.due_ns().saturating_sub(self.clock.mono_ns()));
            let wait = if more { Some(worked_ns * PAUSE_FACTOR) } else { due_ns };
            let mut fds = vec![PollFd::new(shared.stop_fd(), PollFlags::POLLIN)];
            // During a pause only the end is waited for: what has changed meanwhile is found after it.
            if !more {
                fds.push(PollFd::new(self.directory.checks_wake.as_fd(), PollFlags::POLLIN));
                let changes = self.checker.as_ref().and_then(Checker::fd);
                fds.extend(changes.map(|fd| PollFd::new(fd, PollFlags::POLLIN)));
            }
            let _ = poll(&mut fds, timeout(wait));
            if fds[0].any().unwrap_or(false) {
                return;
            }
            let woken = fds.get(1).is_some_and(|fd| fd.any().unwrap_or(false));
            drop(fds);
            if woken {
                let _ = self.directory.checks_wake.read();
            }
        }
    }
}

/// Milliseconds, rounded up so that nothing is looked at before it is due; without a time, for ever.
fn timeout(wait_ns: Option<u64>) -> PollTimeout {
    let Some(wait_ns) = wait_ns else { return PollTimeout::NONE };
    let ms = wait_ns.div_ceil(NS_PER_MS).min(60_000);
    PollTimeout::try_from(i32::try_from(ms).unwrap_or(60_000)).unwrap_or(PollTimeout::NONE)
}

/// Numbers about checks, as the sampler publishes them: written by the checks, read without a lock.
#[derive(Default)]
pub(super) struct Tally {
    /// Full runs that were completed; until the first, nothing is known.
    pub(super) sweeps: AtomicU64,
    pub(super) cpu_ns: AtomicU64,
    pub(super) passed: AtomicU64,
    pub(super) failed: AtomicU64,
    pub(super) unknown: AtomicU64,
    pub(super) errors: AtomicU64,
    pub(super) waived: AtomicU64,
    pub(super) produced: AtomicU64,
    pub(super) delivered: AtomicU64,
    pub(super) dropped: AtomicU64,
    pub(super) in_flight: AtomicU64,
}

impl Tally {
    fn note(&self, board: &Board) {
        let (state, tally, accounts) = (board.state(), board.tally(), board.accounts());
        self.cpu_ns.store(state.cpu_ns, Relaxed);
        self.passed.store(tally.of(Verdict::Pass), Relaxed);
        self.failed.store(tally.of(Verdict::Fail), Relaxed);
        self.unknown.store(tally.of(Verdict::Unknown), Relaxed);
        self.errors.store(tally.of(Verdict::Error), Relaxed);
        self.waived.store(tally.waived, Relaxed);
        self.produced.store(accounts.produced, Relaxed);
        self.delivered.store(accounts.delivered, Relaxed);
        self.dropped.store(accounts.dropped, Relaxed);
        self.in_flight.store(accounts.in_flight, Relaxed);
        self.sweeps.store(state.sweeps, Relaxed);
    }
}
