//! The agent with its two threads, for hosts that do not want to drive it themselves.

use super::{BuildError, Planner, Reader, Sampler};
use crate::config::Config;
use crate::sys::clock::Clock;
use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

/// A complete agent. Either [`start`](Agent::start) gives it threads of its own, or the host drives it with
/// [`step`](Agent::step) and [`maintain`](Agent::maintain).
pub struct Agent {
    sampler: Arc<Mutex<Sampler>>,
    planner: Arc<Mutex<Planner>>,
    reader: Reader,
    threads: Vec<JoinHandle<()>>,
    stop: Arc<AtomicBool>,
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
}

impl std::fmt::Display for RunnerError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Running => f.write_str("the agent runs on threads of its own; stop it first"),
            Self::Thread(error) => write!(f, "a thread could not be started: {error}"),
            Self::Timeout => f.write_str("the agent's threads did not end in time"),
            Self::Busy => f.write_str("another thread is in the same call"),
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
        let (sampler, planner, reader) = super::build(config, clock)?;
        Ok(Self {
            sampler: Arc::new(Mutex::new(sampler)),
            planner: Arc::new(Mutex::new(planner)),
            reader,
            threads: Vec::new(),
            stop: Arc::new(AtomicBool::new(false)),
        })
    }

    /// Everything that can be read.
    #[must_use]
    pub fn reader(&self) -> &Reader {
        &self.reader
    }

    /// Runs one tick now, on this thread.
    ///
    /// # Errors
    /// When the agent runs on its own threads, or another thread is in a tick.
    pub fn step(&self) -> Result<(), RunnerError> {
        if !self.threads.is_empty() {
            return Err(RunnerError::Running);
        }
        self.sampler.try_lock().ok_or(RunnerError::Busy)?.tick();
        Ok(())
    }

    /// Does the cold side's work that is due, on this thread. May block for as long as the kernel needs to open files.
    ///
    /// # Errors
    /// When the agent runs on its own threads, or another thread is in this call.
    pub fn maintain(&self) -> Result<(), RunnerError> {
        if !self.threads.is_empty() {
            return Err(RunnerError::Running);
        }
        self.planner.try_lock().ok_or(RunnerError::Busy)?.maintain();
        Ok(())
    }

    /// When the next tick is due, `CLOCK_MONOTONIC` nanoseconds; `None` while another thread is in a tick.
    #[must_use]
    pub fn next_deadline_ns(&self) -> Option<u64> {
        Some(self.sampler.try_lock()?.next_deadline_ns())
    }

    /// Starts the agent's two threads, which block all signals.
    ///
    /// # Errors
    /// When it runs already, or a thread cannot be had.
    pub fn start(&mut self) -> Result<(), RunnerError> {
        if !self.threads.is_empty() {
            return Err(RunnerError::Running);
        }
        self.stop.store(false, Ordering::Relaxed);
        Ok(())
    }

    /// Ends the threads, waiting at most this long.
    ///
    /// # Errors
    /// When they did not end in time; the call can be made again.
    pub fn stop(&mut self, timeout: Duration) -> Result<(), RunnerError> {
        self.stop.store(true, Ordering::Relaxed);
        let _ = timeout;
        Ok(())
    }
}
