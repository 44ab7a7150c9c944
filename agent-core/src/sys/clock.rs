//! Clocks, injected so that a replay or a test can turn the hands itself.

use nix::time::{ClockId, clock_gettime};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};

/// Where the agent takes the time from.
#[derive(Clone, Debug, Default)]
pub enum Clock {
    /// The kernel's clocks.
    #[default]
    System,
    /// Hands that a test or a replay moves.
    Manual(Arc<Hands>),
}

/// The hands of a [`Clock::Manual`].
#[derive(Debug, Default)]
pub struct Hands {
    /// `CLOCK_MONOTONIC`, in nanoseconds.
    pub mono_ns: AtomicU64,
    /// `CLOCK_REALTIME`, in nanoseconds since the epoch.
    pub wall_ns: AtomicI64,
}

impl Clock {
    /// `CLOCK_MONOTONIC`, in nanoseconds.
    #[must_use]
    pub fn mono_ns(&self) -> u64 {
        match self {
            Self::System => u64::try_from(read_ns(ClockId::CLOCK_MONOTONIC)).unwrap_or(0),
            Self::Manual(hands) => hands.mono_ns.load(Relaxed),
        }
    }

    /// `CLOCK_REALTIME`, in nanoseconds since the epoch.
    #[must_use]
    pub fn wall_ns(&self) -> i64 {
        match self {
            Self::System => read_ns(ClockId::CLOCK_REALTIME),
            Self::Manual(hands) => hands.wall_ns.load(Relaxed),
        }
    }
}

/// CPU time this thread has used, in nanoseconds.
#[must_use]
pub fn thread_cpu_ns() -> u64 {
    u64::try_from(read_ns(ClockId::CLOCK_THREAD_CPUTIME_ID)).unwrap_or(0)
}

fn read_ns(clock: ClockId) -> i64 {
    // The clocks asked for exist on every kernel that can run KVM; a failure would be a broken libc.
    clock_gettime(clock).map_or(0, |t| t.tv_sec() * 1_000_000_000 + t.tv_nsec())
}
