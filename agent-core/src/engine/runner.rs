//! The agent with its own threads, for hosts that do not want to drive it themselves.

use super::threads::{self, Ended, Shared};
use super::{BuildError, Checks, Planner, Reader, Sampler};
use crate::alerts::Accounting;
use crate::config::Config;
use crate::detection::{self, Detector, DetectorError};
use crate::sys::clock::Clock;
use parking_lot::Mutex;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How long dropping an agent waits for its threads. They end within a tick; a planner that the kernel holds in an
/// uninterruptible read is left behind.
const DROP_WAIT: Duration = Duration::from_secs(5);

/// A complete agent. Either [`start`](Agent::start) gives it threads of its own, or the host drives it with
/// [`step`](Agent::step) and [`maintain`](Agent::maintain).
pub struct Agent {
    sampler: Arc<Mutex<Sampler>>,
    planner: Arc<Mutex<Planner>>,
    checks: Arc<Mutex<Checks>>,
    reader: Reader,
    threads: Vec<JoinHandle<()>>,
    ended: Option<Ended>,
    shared: Arc<Shared>,
    maintenance: OwnedFd,
}

/// What an agent is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum AgentState {
    /// It has no threads: the host drives it, or it was stopped.
    Idle = 0,
    /// Its threads run.
    Running = 1,
    /// A part of it panicked: what it shows is what was last known, and nothing moves any more.
    Faulted = 2,
}

/// Why a call did not do what was asked.
#[derive(Debug, PartialEq, Eq)]
pub enum RunnerError {
    /// The agent runs on threads of its own already.
    Running,
    /// A thread could not be started.
    Thread(String),
    /// The threads did not end in time; they still will.
    Timeout,
    /// Another thread is in the same call.
    Busy,
    /// A part of the agent panicked; only dropping it is left.
    Faulted,
    /// This is a child of the process that made the agent.
    Forked,
    /// This part of the configuration is fixed when the agent is made.
    NeedsRestart(&'static str),
    /// A rule makes no sense, or the rules need more memory than there is.
    Rule(DetectorError),
}

impl std::fmt::Display for RunnerError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Running => f.write_str("the agent runs on threads of its own; stop it first"),
            Self::Thread(error) => write!(f, "a thread could not be started: {error}"),
            Self::Timeout => f.write_str("the agent's threads did not end in time"),
            Self::Busy => f.write_str("another thread is in the same call"),
            Self::Faulted => f.write_str("the agent has failed and does nothing any more; make a new one"),
            Self::Forked => {
                f.write_str("the agent belongs to the parent process; make a new one after a fork")
            }
            Self::NeedsRestart(part) => {
                write!(f, "[{part}] is fixed when the agent is made; restart it for the change")
            }
            Self::Rule(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for RunnerError {}

impl Agent {
    /// Makes an agent that does nothing yet.
    ///
    /// # Errors
    /// See [`BuildError`].
    pub fn new(config: Config, clock: Clock) -> Result<Self, BuildError> {
        let (sampler, planner, reader) = super::build(config, clock.clone())?;
        let checks = Checks::new(clock, Arc::clone(reader.directory()), Arc::clone(reader.checks()));
        let maintenance = planner.fd().try_clone_to_owned().map_err(|error| {
            BuildError::Descriptor(nix::errno::Errno::from_raw(error.raw_os_error().unwrap_or(0)))
        })?;
        let shared = Arc::new(Shared::new(Arc::clone(reader.directory())));
        Ok(Self {
            sampler: Arc::new(Mutex::new(sampler)),
            planner: Arc::new(Mutex::new(planner)),
            checks: Arc::new(Mutex::new(checks)),
            reader,
            threads: Vec::new(),
            ended: None,
            shared,
            maintenance,
        })
    }

    /// Everything that can be read.
    #[must_use]
    pub fn reader(&self) -> &Reader {
        &self.reader
    }

    /// What it is doing.
    #[must_use]
    pub fn state(&self) -> AgentState {
        self.reader.state()
    }

    /// Whether this is a child of the process that made the agent. Every other call then fails, and dropping the agent
    /// waits for nobody.
    #[must_use]
    pub fn forked(&self) -> bool {
        self.reader.forked()
    }

    /// Readable when [`maintain`](Agent::maintain) has something to do; to be polled, neither read nor closed.
    #[must_use]
    pub fn maintenance_fd(&self) -> BorrowedFd<'_> {
        self.maintenance.as_fd()
    }

    /// Goes on from what another process knew: its accounts of alerts, and what its detectors had learned. To be called
    /// before the first tick.
    ///
    /// # Errors
    /// When the agent runs on its own threads, another thread is in a tick, or the agent has failed.
    pub fn go_on_from(&self, accounts: Accounting, recall: detection::Recall) -> Result<(), RunnerError> {
        self.usable_by_host()?;
        let mut sampler = self.sampler.try_lock().ok_or(RunnerError::Busy)?;
        sampler.go_on_from(accounts, Box::new(recall));
        Ok(())
    }

    /// A copy of what the detectors have learned and what fires, at once. While the agent runs on its own threads, ask
    /// for one by [`Reader::want_copy`].
    ///
    /// # Errors
    /// When the agent runs on its own threads, another thread is in a tick, there is no memory for it, or the agent has
    /// failed.
    pub fn copy(&self) -> Result<detection::Copy, RunnerError> {
        self.usable_by_host()?;
        let sampler = self.sampler.try_lock().ok_or(RunnerError::Busy)?;
        let series = self.reader.directory().series.load(std::sync::atomic::Ordering::Relaxed);
        let mut copy = detection::Copy::with_room(series)
            .map_err(|error| RunnerError::Thread(format!("no memory for a copy: {error}")))?;
        sampler.copy_all(&mut copy);
        Ok(copy)
    }

    /// Runs one tick now, on this thread.
    ///
    /// # Errors
    /// When the agent runs on its own threads, another thread is in a tick, or the agent has failed.
    pub fn step(&self) -> Result<(), RunnerError> {
        self.usable_by_host()?;
        let mut sampler = self.sampler.try_lock().ok_or(RunnerError::Busy)?;
        self.shared.guarded(|| sampler.tick()).map(|_| ()).ok_or(RunnerError::Faulted)
    }

    /// Does the cold side's work that is due, on this thread. May block for as long as the kernel needs to open files.
    ///
    /// # Errors
    /// When the agent runs on its own threads, another thread is in this call, or the agent has failed.
    pub fn maintain(&self) -> Result<(), RunnerError> {
        self.usable_by_host()?;
        let mut planner = self.planner.try_lock().ok_or(RunnerError::Busy)?;
        self.shared.guarded(|| planner.maintain()).ok_or(RunnerError::Faulted)
    }

    /// Works on the checks of isolation and configuration for about so many nanoseconds, on this thread; whether there
    /// is more to do at once. May block for as long as the kernel needs to read files.
    ///
    /// # Errors
    /// When the agent runs on its own threads, another thread is in this call, or the agent has failed.
    pub fn check(&self, budget_ns: u64) -> Result<bool, RunnerError> {
        self.usable_by_host()?;
        let mut checks = self.checks.try_lock().ok_or(RunnerError::Busy)?;
        self.shared.guarded(|| checks.work(budget_ns)).ok_or(RunnerError::Faulted)
    }

    /// When the next tick is due, `CLOCK_MONOTONIC` nanoseconds; `None` while another thread is in a tick.
    #[must_use]
    pub fn next_deadline_ns(&self) -> Option<u64> {
        Some(self.sampler.try_lock()?.next_deadline_ns())
    }

    /// Puts a new configuration into force: rules, intervals, budget, tenants and discovery. The planner takes it up
    /// within a moment, and so does the sampler on its own thread; a host that drives the agent finds a new interval
    /// in force after its next [`step`](Agent::step).
    ///
    /// # Errors
    /// [`RunnerError::NeedsRestart`] when limits or roots differ, which are fixed when the agent
    /// is made; [`RunnerError::Rule`] when a rule makes no sense. The old configuration then stays in force, whole.
    pub fn reload(&self, config: Config) -> Result<(), RunnerError> {
        self.usable()?;
        let current = self.reader.config();
        if config.limits != current.limits {
            return Err(RunnerError::NeedsRestart("limits"));
        }
        if config.roots != current.roots {
            return Err(RunnerError::NeedsRestart("roots"));
        }
        if config.sampling.interval_ms == 0 {
            return Err(RunnerError::NeedsRestart("sampling.interval_ms = 0"));
        }
        let detector = Detector::build(&config).map_err(RunnerError::Rule)?;
        self.reader.submit(config, Box::new(detector));
        Ok(())
    }

    /// Starts the agent's threads, which block all signals: sampler, planner and checks.
    ///
    /// # Errors
    /// When it runs already, has failed, or a thread cannot be had.
    pub fn start(&mut self) -> Result<(), RunnerError> {
        self.usable_by_host()?;
        let (threads, ended) = threads::start(&self.sampler, &self.planner, &self.checks, &self.shared)
            .map_err(RunnerError::Thread)?;
        self.threads = threads;
        self.ended = Some(ended);
        Ok(())
    }

    /// Ends the threads, waiting at most this long. An agent that was stopped can be started again.
    ///
    /// # Errors
    /// [`RunnerError::Timeout`] when they did not end in time; the call can be made again.
    pub fn stop(&mut self, timeout: Duration) -> Result<(), RunnerError> {
        if self.forked() {
            return Err(RunnerError::Forked);
        }
        let Some(ended) = &mut self.ended else { return Ok(()) };
        self.shared.ask_to_stop();
        let deadline = Instant::now().checked_add(timeout);
        if !ended.wait_all(deadline) {
            return Err(RunnerError::Timeout);
        }
        for thread in self.threads.drain(..) {
            // Each has said that it is at its end, and caught its own panics.
            let _ = thread.join();
        }
        self.ended = None;
        self.shared.stopped();
        Ok(())
    }

    fn usable(&self) -> Result<(), RunnerError> {
        match (self.forked(), self.state()) {
            (true, _) => Err(RunnerError::Forked),
            (_, AgentState::Faulted) => Err(RunnerError::Faulted),
            _ => Ok(()),
        }
    }

    fn usable_by_host(&self) -> Result<(), RunnerError> {
        self.usable()?;
        if self.threads.is_empty() { Ok(()) } else { Err(RunnerError::Running) }
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        // In a child the threads do not exist, and waiting for them would never end.
        if !self.forked() && self.stop(DROP_WAIT).is_err() {
            log::error!("the agent's threads did not end within {DROP_WAIT:?} and are left behind");
        }
    }
}

impl std::fmt::Debug for Agent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Agent")
            .field("state", &self.state())
            .field("maintenance_fd", &self.maintenance.as_raw_fd())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_in_a_part_is_caught_stops_the_other_and_is_seen_by_all() {
        let mut agent = Agent::new(Config::default(), Clock::System).expect("an agent");
        agent.start().expect("start");
        assert_eq!(agent.shared.guarded(|| panic!("as expected")), None::<()>);
        // Both threads end by themselves: nobody asks them to.
        let ended = agent.ended.as_mut().expect("running");
        assert!(ended.wait_all(Instant::now().checked_add(Duration::from_mins(1))));
        assert_eq!(
            (agent.state(), agent.reader().clone().state()),
            (AgentState::Faulted, AgentState::Faulted)
        );
        agent.stop(Duration::from_mins(1)).expect("stop");
        assert_eq!(agent.state(), AgentState::Faulted, "a fault stays a fault");
        let refused = [agent.step(), agent.maintain(), agent.start(), agent.reload(Config::default())];
        assert!(refused.iter().all(|result| *result == Err(RunnerError::Faulted)), "{refused:?}");
    }

    #[test]
    fn stopping_waits_no_longer_than_it_may_and_can_be_tried_again() {
        let mut agent = Agent::new(Config::default(), Clock::System).expect("an agent");
        // A planner that is held up, as by the kernel: its first work needs what is locked here.
        let directory = Arc::clone(agent.reader().directory());
        let lock = directory.host.write();
        agent.start().expect("start");
        assert_eq!(agent.stop(Duration::from_millis(20)), Err(RunnerError::Timeout));
        assert_eq!(agent.stop(Duration::ZERO), Err(RunnerError::Timeout));
        drop(lock);
        agent.stop(Duration::from_mins(1)).expect("stop");
        assert_eq!(agent.state(), AgentState::Idle);
    }
}
