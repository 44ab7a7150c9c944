//! The bounded ring between the sampler, which never waits, and the consumers of alerts.

use super::{Accounting, Alert};
use crate::sys::seqcount;
use crossbeam_channel::{Receiver, Sender, bounded};
use nix::sys::eventfd::{EfdFlags, EventFd};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};

struct Shared {
    /// Readable while alerts wait.
    ready: EventFd,
    sequence: AtomicU32,
    produced: AtomicU64,
    suppressed: AtomicU64,
    dropped: AtomicU64,
    delivered: AtomicU64,
}

/// Makes a ring for `capacity` alerts. Its memory is set aside here and never grows.
///
/// # Errors
/// When the event descriptor cannot be made.
pub fn ring(capacity: usize) -> nix::Result<(AlertSink, AlertReader)> {
    let (sender, receiver) = bounded(capacity.max(1));
    let shared = Arc::new(Shared {
        ready: EventFd::from_value_and_flags(0, EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK)?,
        sequence: AtomicU32::new(0),
        produced: AtomicU64::new(0),
        suppressed: AtomicU64::new(0),
        dropped: AtomicU64::new(0),
        delivered: AtomicU64::new(0),
    });
    Ok((AlertSink { sender, shared: Arc::clone(&shared), produced: 0 }, AlertReader { receiver, shared }))
}

/// Where detection puts alerts. There is one, and it belongs to the sampler.
pub struct AlertSink {
    sender: Sender<Alert>,
    shared: Arc<Shared>,
    produced: u64,
}

impl AlertSink {
    /// Puts an alert into the ring and numbers it; a full ring drops it, and counts that.
    pub fn push(&mut self, mut alert: Alert) {
        self.produced += 1;
        alert.sequence = self.produced;
        // Counted before it can be taken, so that no reader sees more delivered than produced.
        seqcount::write(&self.shared.sequence, || self.shared.produced.store(self.produced, Relaxed));
        if self.sender.try_send(alert).is_err() {
            self.count(&self.shared.dropped);
        }
        // Fails only when the count is at its maximum, and then the descriptor is readable anyway.
        let _ = self.shared.ready.write(1);
    }

    /// Counts an alert that was held back on purpose.
    pub fn suppress(&mut self) {
        self.produced += 1;
        seqcount::write(&self.shared.sequence, || {
            self.shared.produced.store(self.produced, Relaxed);
            self.shared.suppressed.store(self.shared.suppressed.load(Relaxed) + 1, Relaxed);
        });
    }

    /// The accounts as the sampler sees them.
    #[must_use]
    pub fn accounting(&self) -> Accounting {
        self.shared.accounting()
    }

    fn count(&self, counter: &AtomicU64) {
        seqcount::write(&self.shared.sequence, || counter.store(counter.load(Relaxed) + 1, Relaxed));
    }
}

/// Takes alerts out of the ring. Clones share it: each alert goes to one of them.
#[derive(Clone)]
pub struct AlertReader {
    receiver: Receiver<Alert>,
    shared: Arc<Shared>,
}

impl AlertReader {
    /// The oldest alert that waits, if any. Never blocks.
    #[must_use]
    pub fn next(&self) -> Option<Alert> {
        if let Ok(alert) = self.receiver.try_recv() {
            self.shared.delivered.fetch_add(1, Relaxed);
            return Some(alert);
        }
        // Empty: lower the flag, then look once more, since an alert may have come in between.
        let _ = self.shared.ready.read();
        let alert = self.receiver.try_recv().ok()?;
        self.shared.delivered.fetch_add(1, Relaxed);
        let _ = self.shared.ready.write(1);
        Some(alert)
    }

    /// Readable while alerts wait; to be polled, neither read nor closed.
    #[must_use]
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.shared.ready.as_fd()
    }

    /// The accounts at this instant; they balance.
    #[must_use]
    pub fn accounting(&self) -> Accounting {
        self.shared.accounting()
    }

    /// How many alerts wait, counted in the ring itself.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.receiver.len()
    }
}

impl Shared {
    fn accounting(&self) -> Accounting {
        // Delivered first: whatever is delivered afterwards is still counted as in flight, never the reverse.
        let delivered = self.delivered.load(std::sync::atomic::Ordering::Acquire);
        let counts =
            || (self.produced.load(Relaxed), self.suppressed.load(Relaxed), self.dropped.load(Relaxed));
        let (produced, suppressed, dropped) = loop {
            if let Some(counts) = seqcount::read(&self.sequence, counts) {
                break counts;
            }
            std::hint::spin_loop();
        };
        Accounting {
            produced,
            delivered,
            suppressed,
            dropped,
            in_flight: produced - suppressed - dropped - delivered,
        }
    }
}
