//! One descriptor that tells when the cold side has work: the sampler's wake-up, the kernel's announcements, monitors
//! that answered, and a timer. A host that drives the agent itself polls it.

use crate::sys::clock::Clock;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags};
use nix::sys::time::TimeSpec;
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

pub(super) struct Work {
    epoll: Epoll,
    timer: TimerFd,
}

impl Work {
    pub(super) fn new() -> nix::Result<Self> {
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        let timer =
            TimerFd::new(ClockId::CLOCK_MONOTONIC, TimerFlags::TFD_CLOEXEC | TimerFlags::TFD_NONBLOCK)?;
        let work = Self { epoll, timer };
        work.add(work.timer.as_fd())?;
        Ok(work)
    }

    /// Watches a descriptor that stays for good.
    pub(super) fn add(&self, fd: BorrowedFd<'_>) -> nix::Result<()> {
        self.epoll.add(fd, EpollEvent::new(EpollFlags::EPOLLIN, 0))
    }

    /// Readable when there is work.
    pub(super) fn fd(&self) -> BorrowedFd<'_> {
        self.epoll.0.as_fd()
    }

    /// Rings at this time, and not before. Does nothing on a clock that does not run by itself.
    pub(super) fn ring_at(&self, clock: &Clock, deadline_ns: u64) {
        if !matches!(clock, Clock::System) {
            return;
        }
        // Zero would switch the timer off; whatever has passed rings at once.
        let at = TimeSpec::from_duration(Duration::from_nanos(deadline_ns.clamp(1, i64::MAX.unsigned_abs())));
        let _ = self.timer.set(Expiration::OneShot(at), TimerSetTimeFlags::TFD_TIMER_ABSTIME);
    }
}
