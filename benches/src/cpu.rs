//! CPU time.

use nix::sys::signal::{Signal, kill};
use nix::time::{ClockId, clock_getcpuclockid, clock_gettime};
use nix::unistd::Pid;
use std::process::Child;

fn read_ns(clock: ClockId) -> u64 {
    let time = clock_gettime(clock).expect("a clock that exists");
    u64::try_from(time.tv_sec() * 1_000_000_000 + time.tv_nsec()).unwrap_or(0)
}

/// What this thread has used, in nanoseconds.
#[must_use]
pub fn thread_ns() -> u64 {
    read_ns(ClockId::CLOCK_THREAD_CPUTIME_ID)
}

/// What all threads of a process have used, in nanoseconds; `None` when it is gone.
#[must_use]
pub fn process_ns(pid: u32) -> Option<u64> {
    let clock = clock_getcpuclockid(Pid::from_raw(i32::try_from(pid).ok()?)).ok()?;
    Some(read_ns(clock))
}

/// Nanoseconds as a float: exact up to 2⁵³, some hundred days.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "figures to be shown")]
pub fn as_f64(ns: u64) -> f64 {
    ns as f64
}

/// A peer's process; ended when it is dropped.
pub struct Peer(pub Child);

impl Peer {
    /// What all its threads have used, in nanoseconds.
    #[must_use]
    pub fn cpu_ns(&self) -> u64 {
        process_ns(self.0.id()).unwrap_or(0)
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        if let Ok(pid) = i32::try_from(self.0.id()) {
            let _ = kill(Pid::from_raw(pid), Signal::SIGTERM);
        }
        let _ = self.0.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_has_used_at_least_what_its_thread_has() {
        let mut sum = 0_u64;
        while thread_ns() < 2_000_000 {
            sum = std::hint::black_box(sum + 1);
        }
        assert!(process_ns(std::process::id()).expect("self") >= 2_000_000);
        assert_eq!(process_ns(u32::MAX), None);
    }
}
