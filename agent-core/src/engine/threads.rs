//! The threads of an agent: they block all signals, sleep until there is something to do, wake at once when asked
//! to stop, and catch their own panics.

use super::directory::Directory;
use super::runner::AgentState;
use super::{Checks, Planner, Sampler};
use crate::sys::clock::Clock;
use crossbeam_channel::{Receiver, Sender, bounded};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll, ppoll};
use nix::sys::eventfd::{EfdFlags, EventFd};
use nix::sys::signal::SigSet;
use nix::sys::time::TimeSpec;
use parking_lot::Mutex;
use std::os::fd::{AsFd, BorrowedFd};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// What the agent and its threads share.
pub(super) struct Shared {
    /// Readable, and never read, once the threads should end.
    stop: EventFd,
    directory: Arc<Directory>,
}

impl Shared {
    pub(super) fn new(directory: Arc<Directory>) -> nix::Result<Self> {
        let stop = EventFd::from_value_and_flags(0, EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK)?;
        Ok(Self { stop, directory })
    }

    pub(super) fn ask_to_stop(&self) {
        // Fails only when the count is at its maximum, and then the descriptor is readable anyway.
        let _ = self.stop.write(1);
    }

    /// Readable once the threads should end.
    pub(super) fn stop_fd(&self) -> BorrowedFd<'_> {
        self.stop.as_fd()
    }

    /// All threads have ended.
    pub(super) fn stopped(&self) {
        let _ = self.stop.read();
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

/// Starts a thread that no signal of the embedding process is ever delivered to.
fn spawn(name: &str, body: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, String> {
    // A thread inherits the mask of the one that makes it: blocked before, so that there is no moment without.
    let before = SigSet::all().thread_swap_mask(nix::sys::signal::SigmaskHow::SIG_SETMASK);
    let thread = std::thread::Builder::new().name(name.to_owned()).spawn(body);
    if let Ok(before) = before {
        let _ = before.thread_set_mask();
    }
    thread.map_err(|error| error.to_string())
}

fn sample_until_stopped(sampler: &mut Sampler, shared: &Shared) {
    sampler.restart();
    loop {
        match sleep_until(shared, sampler.clock(), sampler.next_deadline_ns()) {
            Woken::Deadline => {}
            // The interval has changed, which the sampler learns in a tick.
            Woken::Nudge => sampler.restart(),
            Woken::Stop => return,
        }
        sampler.tick();
    }
}

/// What ended a sleep.
enum Woken {
    Deadline,
    Nudge,
    Stop,
}

/// Sleeps until the deadline, or until it is time for something else, which it notices at once.
fn sleep_until(shared: &Shared, clock: &Clock, deadline_ns: u64) -> Woken {
    loop {
        let left_ns = deadline_ns.saturating_sub(clock.mono_ns());
        let nudge = &shared.directory.nudge;
        let mut fds = [shared.stop.as_fd(), nudge.as_fd()].map(|fd| PollFd::new(fd, PollFlags::POLLIN));
        // Signals are blocked, but a debugger or a stop may still interrupt the sleep: slept on then.
        let ready = ppoll(&mut fds, Some(TimeSpec::from_duration(Duration::from_nanos(left_ns))), None);
        match ready {
            Ok(0) if clock.mono_ns() >= deadline_ns => return Woken::Deadline,
            Ok(0) | Err(_) => {}
            Ok(_) if fds[0].any() == Some(true) => return Woken::Stop,
            Ok(_) => {
                let _ = nudge.read();
                return Woken::Nudge;
            }
        }
    }
}

fn plan_until_stopped(planner: &mut Planner, shared: &Shared) {
    loop {
        planner.maintain();
        let mut fds = [
            PollFd::new(shared.stop.as_fd(), PollFlags::POLLIN),
            PollFd::new(planner.fd(), PollFlags::POLLIN),
        ];
        let _ = poll(&mut fds, PollTimeout::NONE);
        if fds[0].any().unwrap_or(false) {
            return;
        }
    }
}
