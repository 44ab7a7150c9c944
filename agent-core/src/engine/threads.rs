//! The threads of an agent: they block all signals, sleep until there is something to do, wake at once when asked
//! to stop, and catch their own panics.

use super::directory::Directory;
use super::runner::AgentState;
use super::wakes::Woken;
use super::{Checks, Planner, Sampler};
use crossbeam_channel::{Receiver, Sender, bounded};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use parking_lot::Mutex;
use std::os::fd::BorrowedFd;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::Instant;

/// What the agent and its threads share.
pub(super) struct Shared {
    directory: Arc<Directory>,
}

impl Shared {
    pub(super) fn new(directory: Arc<Directory>) -> Self {
        Self { directory }
    }

    pub(super) fn ask_to_stop(&self) {
        self.directory.wakes.ask_to_stop();
    }

    /// Readable once the threads should end.
    pub(super) fn stop_fd(&self) -> BorrowedFd<'_> {
        self.directory.wakes.stop_fd()
    }

    /// All threads have ended.
    pub(super) fn stopped(&self) {
        self.directory.wakes.stopped();
        self.enter(AgentState::Running, AgentState::Idle);
    }

    /// Runs a part of the agent; `None` when it panicked, which is for good.
    pub(super) fn guarded<T>(&self, run: impl FnOnce() -> T) -> Option<T> {
        // What a panic leaves half done is never used again: every entry asks for the state first.
        let outcome = catch_unwind(AssertUnwindSafe(run)).ok();
        if outcome.is_none() {
            self.directory.state.store(AgentState::Faulted as u8, Ordering::Release);
            self.ask_to_stop();
        }
        outcome
    }

    fn enter(&self, from: AgentState, to: AgentState) {
        // A fault stays a fault.
        let state = &self.directory.state;
        let _ = state.compare_exchange(from as u8, to as u8, Ordering::AcqRel, Ordering::Acquire);
    }
}

/// Tells when threads have come to their end, without waiting for ever.
pub(super) struct Ended {
    ends: Receiver<()>,
    missing: usize,
}

impl Ended {
    /// Waits until all have ended, or the deadline; `None` is no deadline. Can be called again.
    pub(super) fn wait_all(&mut self, deadline: Option<Instant>) -> bool {
        while self.missing > 0 {
            let end = match deadline {
                Some(deadline) => self.ends.recv_deadline(deadline).is_ok(),
                None => self.ends.recv().is_ok(),
            };
            if !end {
                return false;
            }
            self.missing -= 1;
        }
        true
    }
}

/// Says that a thread has ended, however it ended.
struct SayEnded(Sender<()>);

impl Drop for SayEnded {
    fn drop(&mut self) {
        let _ = self.0.try_send(());
    }
}

/// What a thread does until it is stopped.
type Body = Box<dyn FnOnce() + Send>;

/// Starts all threads, or none.
pub(super) fn start(
    sampler: &Arc<Mutex<Sampler>>,
    planner: &Arc<Mutex<Planner>>,
    checks: &Arc<Mutex<Checks>>,
    shared: &Arc<Shared>,
) -> Result<(Vec<JoinHandle<()>>, Ended), String> {
    let (sender, ends) = bounded(3);
    let mut ended = Ended { ends, missing: 0 };
    let mut threads = Vec::with_capacity(3);
    shared.enter(AgentState::Idle, AgentState::Running);
    let bodies: [(&str, Body); 3] = [
        ("btz-planner", Box::new(body(planner, shared, plan_until_stopped))),
        ("btz-sampler", Box::new(body(sampler, shared, sample_until_stopped))),
        ("btz-checks", Box::new(body(checks, shared, Checks::run_until_stopped))),
    ];
    for (name, body) in bodies {
        let say_ended = SayEnded(sender.clone());
        match spawn(name, move || {
            let _say_ended = say_ended;
            body();
        }) {
            Ok(thread) => {
                threads.push(thread);
                ended.missing += 1;
            }
            Err(error) => {
                shared.ask_to_stop();
                ended.wait_all(None);
                shared.stopped();
                return Err(format!("{name}: {error}"));
            }
        }
    }
    Ok((threads, ended))
}

fn body<T: Send + 'static>(
    part: &Arc<Mutex<T>>,
    shared: &Arc<Shared>,
    run: impl FnOnce(&mut T, &Shared) + Send + 'static,
) -> impl FnOnce() + Send + 'static {
    let (part, shared) = (Arc::clone(part), Arc::clone(shared));
    move || {
        shared.guarded(|| run(&mut part.lock(), &shared));
    }
}

fn spawn(name: &str, body: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, String> {
    crate::sys::thread::spawn(name, body).map_err(|error| error.to_string())
}

fn sample_until_stopped(sampler: &mut Sampler, shared: &Shared) {
    sampler.restart();
    loop {
        let exited = match shared.directory.wakes.sleep_until(sampler.clock(), sampler.next_deadline_ns()) {
            Woken::Deadline { exited } => exited,
            Woken::Nudge => {
                // The interval has changed, which the sampler learns in a tick.
                sampler.restart();
                true
            }
            Woken::Stop => return,
        };
        sampler.tick_after(exited);
    }
}

fn plan_until_stopped(planner: &mut Planner, shared: &Shared) {
    loop {
        planner.maintain();
        let mut fds =
            [PollFd::new(shared.stop_fd(), PollFlags::POLLIN), PollFd::new(planner.fd(), PollFlags::POLLIN)];
        let _ = poll(&mut fds, PollTimeout::NONE);
        if fds[0].any().unwrap_or(false) {
            return;
        }
    }
}
