//! What ends the sampler's sleep: its deadline, a word from the host, the end of a VM's process.
//!
//! All descriptors are in one epoll set, and a sleep is one wait on that set. A sleep that lasts to its deadline has
//! thereby shown that no process ended: noticing that costs no system call, and no cache line, beyond those of the
//! sleep itself. A sampler that its host drives sleeps elsewhere, and has to ask the set in each tick.

use crate::sampling::frame::Entity;
use crate::sampling::metrics::Scope;
use crate::sys::clock::Clock;
use crate::sys::epoll;
use nix::poll::{PollFd, PollFlags, ppoll};
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::sys::eventfd::{EfdFlags, EventFd};
use nix::sys::time::TimeSpec;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

/// What marks the two descriptors that are no process's. No entity is marked so: scopes have far fewer rows.
const STOP: u64 = u64::MAX;
const NUDGE: u64 = u64::MAX - 1;
/// How many descriptors of the set are no process's.
pub(super) const OTHERS: usize = 2;

/// The set. See the module's documentation.
pub struct Wakes {
    set: Epoll,
    /// Readable, and not read before the threads have ended, once they should end.
    stop: EventFd,
    /// Read by the sampler's thread.
    nudge: EventFd,
}

/// What ended a sleep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Woken {
    /// Its deadline; and whether a process ended meanwhile.
    Deadline {
        /// `false` is certain.
        exited: bool,
    },
    /// There is news for the sampler.
    Nudge,
    /// The thread should end.
    Stop,
}

impl Wakes {
    /// A set without processes.
    ///
    /// # Errors
    /// When the kernel refuses a descriptor.
    pub fn new() -> nix::Result<Self> {
        let event = || EventFd::from_value_and_flags(0, EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK);
        let (set, stop, nudge) = (Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?, event()?, event()?);
        set.add(&stop, EpollEvent::new(EpollFlags::EPOLLIN, STOP))?;
        set.add(&nudge, EpollEvent::new(EpollFlags::EPOLLIN, NUDGE))?;
        Ok(Self { set, stop, nudge })
    }

    /// Adds a VM's process, by its pidfd.
    ///
    /// # Errors
    /// What `epoll_ctl` said.
    pub fn watch(&self, pidfd: BorrowedFd<'_>, vm: Entity) -> nix::Result<()> {
        let mark = u64::from(vm.generation) << 32 | u64::from(vm.row);
        self.set.add(pidfd, EpollEvent::new(EpollFlags::EPOLLIN, mark))
    }

    /// Takes a process out by hand, whose descriptor lives on.
    pub(super) fn forget(&self, pidfd: BorrowedFd<'_>) {
        let _ = self.set.delete(pidfd);
    }

    /// Fills in what is ready now, without waiting; returns how many.
    pub fn ready(&self, events: &mut [EpollEvent]) -> usize {
        self.set.wait(events, EpollTimeout::ZERO).unwrap_or(0)
    }

    /// Sleeps until the deadline, or until it is time for something else, which it notices at once.
    #[must_use]
    pub fn sleep_until(&self, clock: &Clock, deadline_ns: u64) -> Woken {
        let mut events = [EpollEvent::empty(); 1 + OTHERS];
        let mut exited = false;
        loop {
            let left = Duration::from_nanos(deadline_ns.saturating_sub(clock.mono_ns()));
            // The set stays ready until a tick has taken the exit, and is not asked again before.
            let ready = if exited {
                let mut fds = [&self.stop, &self.nudge].map(|fd| PollFd::new(fd.as_fd(), PollFlags::POLLIN));
                ppoll(&mut fds, Some(TimeSpec::from_duration(left)), None).map(|count| count > 0)
            } else {
                epoll::wait(&self.set, &mut events, left).map(|count| count > 0)
            };
            match ready {
                Ok(false) if clock.mono_ns() >= deadline_ns => return Woken::Deadline { exited },
                // Signals are blocked, but a debugger or a stop may still interrupt the sleep: slept on then.
                Ok(false) | Err(_) => {}
                Ok(true) if is_readable(&self.stop) => return Woken::Stop,
                Ok(true) if self.nudge.read().is_ok() => return Woken::Nudge,
                Ok(true) => exited = true,
            }
        }
    }

    /// Has the sampler look for news at once. Fails only when the count is at its maximum, and then it will anyway.
    pub(super) fn nudge(&self) {
        let _ = self.nudge.write(1);
    }

    /// Asks the threads to end.
    pub(super) fn ask_to_stop(&self) {
        // Fails only when the count is at its maximum, and then the descriptor is readable anyway.
        let _ = self.stop.write(1);
    }

    /// All threads have ended.
    pub(super) fn stopped(&self) {
        let _ = self.stop.read();
    }

    /// Readable once the threads should end.
    pub(super) fn stop_fd(&self) -> BorrowedFd<'_> {
        self.stop.as_fd()
    }
}

/// The VM whose process is ready; `None` for what is no process.
pub(super) fn vm(event: EpollEvent) -> Option<Entity> {
    let mark = event.data();
    let row = u32::try_from(mark & 0xffff_ffff).unwrap_or(u32::MAX);
    let generation = u32::try_from(mark >> 32).unwrap_or(0);
    (mark < NUDGE).then_some(Entity { scope: Scope::Vm, row, generation })
}

fn is_readable(event: &EventFd) -> bool {
    let now = Some(TimeSpec::from_duration(Duration::ZERO));
    ppoll(&mut [PollFd::new(event.as_fd(), PollFlags::POLLIN)], now, None) == Ok(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::pidfd;

    const VM: Entity = Entity { scope: Scope::Vm, row: 7, generation: 3 };

    fn in_a_moment(clock: &Clock) -> u64 {
        clock.mono_ns() + 20_000_000
    }

    #[test]
    fn a_sleep_lasts_to_its_deadline_and_tells_whether_a_process_ended() {
        let (wakes, clock) = (Wakes::new().unwrap(), Clock::System);
        let mut child = std::process::Command::new("sleep").arg("600").spawn().unwrap();
        let pidfd = pidfd::open(i32::try_from(child.id()).unwrap()).unwrap();
        wakes.watch(pidfd.as_fd(), VM).unwrap();
        let mut events = [EpollEvent::empty(); 4];

        let deadline_ns = in_a_moment(&clock);
        assert_eq!(wakes.sleep_until(&clock, deadline_ns), Woken::Deadline { exited: false });
        assert!(clock.mono_ns() >= deadline_ns);
        assert_eq!(wakes.ready(&mut events), 0);

        child.kill().unwrap();
        child.wait().unwrap();
        let deadline_ns = in_a_moment(&clock);
        assert_eq!(wakes.sleep_until(&clock, deadline_ns), Woken::Deadline { exited: true });
        assert!(clock.mono_ns() >= deadline_ns, "an exit does not end the sleep before its time");
        assert_eq!(wakes.ready(&mut events), 1);
        assert_eq!(vm(events[0]), Some(VM));

        wakes.forget(pidfd.as_fd());
        assert_eq!(wakes.sleep_until(&clock, in_a_moment(&clock)), Woken::Deadline { exited: false });
    }

    #[test]
    fn words_from_the_host_end_a_sleep_and_are_no_exits() {
        let (wakes, clock) = (Wakes::new().unwrap(), Clock::System);
        wakes.nudge();
        assert_eq!(wakes.sleep_until(&clock, u64::MAX), Woken::Nudge);
        wakes.nudge();
        wakes.ask_to_stop();
        let mut events = [EpollEvent::empty(); 4];
        assert_eq!(wakes.ready(&mut events), OTHERS);
        assert!(events[..OTHERS].iter().all(|event| vm(*event).is_none()));
        assert_eq!(wakes.sleep_until(&clock, u64::MAX), Woken::Stop, "before all else");
        wakes.stopped();
        assert_eq!(wakes.sleep_until(&clock, u64::MAX), Woken::Nudge);
        assert_eq!(wakes.sleep_until(&clock, 0), Woken::Deadline { exited: false });
    }
}
