//! How a ledger is, told at any time: whoever asks never waits for a disk.

use nix::sys::eventfd::{EfdFlags, EventFd};
use parking_lot::Mutex;
use std::os::fd::{AsFd, BorrowedFd};

/// How the disk is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Health {
    /// Records become durable.
    #[default]
    Good,
    /// It is full. What was set aside may still take records.
    Full,
    /// It was mounted anew for reading alone, as the kernel does after errors.
    ReadOnly,
    /// It fails otherwise.
    Failing,
}

impl Health {
    /// All of them, in the order of their numbers.
    pub const ALL: [Self; 4] = [Self::Good, Self::Full, Self::ReadOnly, Self::Failing];

    /// A word for it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Full => "full",
            Self::ReadOnly => "read-only",
            Self::Failing => "failing",
        }
    }
}

/// How the ledger is. Counts begin with the run, and at every instant `appended` records are those that are durable
/// and those that wait: `appended = durable - first_of_run + (next - durable)`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// How the disk is.
    pub health: Health,
    /// The system's number of the last error; 0 when the disk is good.
    pub errno: i32,
    /// Records that got a number.
    pub appended: u64,
    /// Records that were refused because too many wait.
    pub refused: u64,
    /// Alerts and findings that left the agent before they were durable, because the disk took too long.
    pub left_early: u64,
    /// The number of the next record.
    pub next: u64,
    /// Every record below this number is durable.
    pub durable: u64,
    /// Attempts to write that failed.
    pub failures: u64,
    /// Bytes that wait for the disk.
    pub queued_bytes: usize,
    /// The number of the first record that is still there.
    pub first: u64,
    /// Bytes of the segments.
    pub bytes: u64,
    /// Leaves of the host's log.
    pub tree_size: u64,
    /// Every record below this number is covered by a signed checkpoint of this run.
    pub signed: u64,
    /// Every record below this number is covered by a checkpoint that the witnesses cosigned.
    pub cosigned: u64,
    /// Checkpoints that were signed and written.
    pub checkpoints: u64,
    /// When the last one was, in nanoseconds since the epoch; 0 is never.
    pub checkpoint_wall_ns: i64,
    /// Records that were removed, because they were old.
    pub pruned: u64,
}

impl Status {
    /// Records that have a number and are not durable.
    #[must_use]
    pub fn waiting(&self) -> u64 {
        self.next.saturating_sub(self.durable)
    }
}

/// What is told, and the bell that says that it changed. The lock is held for a few assignments only, never over a call
/// of the disk.
pub(super) struct Told {
    status: Mutex<Status>,
    bell: EventFd,
}

impl Told {
    pub(super) fn new(status: Status) -> nix::Result<Self> {
        let bell = EventFd::from_value_and_flags(0, EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK)?;
        Ok(Self { status: Mutex::new(status), bell })
    }

    pub(super) fn read<T>(&self, read: impl FnOnce(&Status) -> T) -> T {
        read(&self.status.lock())
    }

    pub(super) fn change(&self, change: impl FnOnce(&mut Status)) {
        change(&mut self.status.lock());
    }

    /// Records became durable, the disk's state changed, or a checkpoint was made.
    pub(super) fn ring(&self) {
        // Fails only when the count is at its maximum, and then the descriptor is readable anyway.
        let _ = self.bell.write(1);
    }

    pub(super) fn hush(&self) {
        // Fails when nobody rang.
        let _ = self.bell.read();
    }

    pub(super) fn bell(&self) -> BorrowedFd<'_> {
        self.bell.as_fd()
    }
}
