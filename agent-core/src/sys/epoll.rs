//! A wait on an epoll set to the nanosecond. (`epoll_pwait2(2)`, Linux 5.11; `epoll_wait` knows milliseconds only.)
#![allow(unsafe_code)]

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, ppoll};
use nix::sys::epoll::{Epoll, EpollEvent, EpollTimeout};
use nix::sys::time::TimeSpec;
use std::os::fd::{AsFd, AsRawFd};
use std::time::Duration;

/// Waits until something in the set is ready or the time is over; returns how many events were filled in.
///
/// # Errors
/// `EINTR` when a signal came.
pub fn wait(set: &Epoll, events: &mut [EpollEvent], timeout: Duration) -> nix::Result<usize> {
    match pwait2(set, events, timeout) {
        // Older kernels, and sandboxes that do not know the call: two calls then, to the same effect.
        Err(Errno::ENOSYS | Errno::EPERM) => poll_and_wait(set, events, timeout),
        result => result,
    }
}

fn pwait2(set: &Epoll, events: &mut [EpollEvent], timeout: Duration) -> nix::Result<usize> {
    let timeout = TimeSpec::from_duration(timeout);
    let capacity = libc::c_long::try_from(events.len()).map_err(|_| Errno::EINVAL)?;
    // SAFETY: `events` is exclusively borrowed for the call and has room for `capacity` events, and `EpollEvent` is
    // `epoll_event` transparently; the timeout lives to the end of the call; no signal mask is passed.
    let count = unsafe {
        libc::syscall(
            libc::SYS_epoll_pwait2,
            libc::c_long::from(set.0.as_raw_fd()),
            events.as_mut_ptr(),
            capacity,
            std::ptr::from_ref(timeout.as_ref()),
            std::ptr::null::<libc::sigset_t>(),
            0 as libc::c_long,
        )
    };
    usize::try_from(Errno::result(count)?).map_err(|_| Errno::EINVAL)
}

fn poll_and_wait(set: &Epoll, events: &mut [EpollEvent], timeout: Duration) -> nix::Result<usize> {
    let mut fds = [PollFd::new(set.0.as_fd(), PollFlags::POLLIN)];
    match ppoll(&mut fds, Some(TimeSpec::from_duration(timeout)), None)? {
        0 => Ok(0),
        _ => set.wait(events, EpollTimeout::ZERO),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::sys::epoll::{EpollCreateFlags, EpollFlags};
    use nix::sys::eventfd::{EfdFlags, EventFd};
    use std::time::Instant;

    #[test]
    fn both_ways_wait_as_long_as_they_should_and_tell_what_is_ready() {
        for wait in [wait, pwait2, poll_and_wait] {
            let set = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC).expect("a set");
            let event = EventFd::from_value_and_flags(0, EfdFlags::EFD_CLOEXEC).expect("an eventfd");
            set.add(&event, EpollEvent::new(EpollFlags::EPOLLIN, 7)).expect("epoll_ctl");
            let mut events = [EpollEvent::empty(); 2];
            let short = Duration::from_micros(300);
            let begun = Instant::now();
            assert_eq!(wait(&set, &mut events, short), Ok(0));
            assert!(begun.elapsed() >= short);
            event.write(1).expect("write");
            assert_eq!(wait(&set, &mut events, Duration::from_hours(1)), Ok(1));
            assert_eq!(events[0].data(), 7);
        }
    }
}
