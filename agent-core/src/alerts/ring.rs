//! The bounded ring between the sampler, which never waits, and the consumers of alerts.

use super::{Accounting, Alert};
use crossbeam_channel::{Receiver, Sender, bounded};
use nix::sys::eventfd::{EfdFlags, EventFd};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};

/// How often the accounts are taken anew because an alert was delivered meanwhile.
const SNAPSHOTS_MAX: usize = 16;

/// Each count only grows. `produced` grows before an alert becomes anything else, so that whoever sees an alert
/// suppressed, dropped or delivered also sees it produced.
struct Shared {
    /// Readable while alerts wait.
    ready: EventFd,
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
        if alert.is_repeat {
            // One that finds no room changes nothing: it was told before.
            let _ = self.sender.try_send(alert);
            let _ = self.shared.ready.write(1);
            return;
        }
        self.produced += 1;
        alert.sequence = self.produced;
        self.shared.produced.store(self.produced, Release);
        if self.sender.try_send(alert).is_err() {
            self.shared.dropped.fetch_add(1, Release);
        }
        // Fails only when the count is at its maximum, and then the descriptor is readable anyway.
        let _ = self.shared.ready.write(1);
    }

    /// Goes on from the accounts of a process before. To be called before anything is produced.
    pub fn go_on_from(&mut self, before: Accounting) {
        self.produced += before.produced;
        // What is waiting nowhere any more was lost.
        self.shared.delivered.fetch_add(before.delivered, Release);
        self.shared.suppressed.fetch_add(before.suppressed, Release);
        self.shared.dropped.fetch_add(before.dropped, Release);
        self.shared.produced.fetch_add(before.produced, Release);
    }

    /// Counts an alert that was held back on purpose.
    pub fn suppress(&mut self) {
        self.produced += 1;
        self.shared.produced.store(self.produced, Release);
        self.shared.suppressed.fetch_add(1, Release);
    }

    /// The accounts as the sampler sees them.
    #[must_use]
    pub fn accounting(&self) -> Accounting {
        self.shared.accounting()
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
            self.shared.delivered.fetch_add(u64::from(!alert.is_repeat), Release);
            return Some(alert);
        }
        // Empty: lower the flag, then look once more, since an alert may have come in between.
        let _ = self.shared.ready.read();
        let alert = self.receiver.try_recv().ok()?;
        self.shared.delivered.fetch_add(u64::from(!alert.is_repeat), Release);
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
    /// Never waits. An alert that passes from one count to another meanwhile is counted once, as in flight.
    fn accounting(&self) -> Accounting {
        let mut accounting = self.snapshot();
        for _ in 1..SNAPSHOTS_MAX {
            if self.delivered.load(Relaxed) == accounting.delivered {
                break;
            }
            accounting = self.snapshot();
        }
        accounting
    }

    fn snapshot(&self) -> Accounting {
        // What an alert becomes is read before that it was produced: the sum cannot exceed what was produced.
        let delivered = self.delivered.load(Acquire);
        let dropped = self.dropped.load(Acquire);
        let suppressed = self.suppressed.load(Acquire);
        let produced = self.produced.load(Acquire);
        Accounting {
            produced,
            delivered,
            suppressed,
            dropped,
            in_flight: produced - suppressed - dropped - delivered,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alerts::{AlertState, Severity};
    use crate::sampling::frame::Entity;
    use crate::sampling::metrics::host;
    use arrayvec::ArrayString;
    use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
    use proptest::prelude::*;
    use std::collections::VecDeque;

    fn alert(id: u64) -> Alert {
        Alert {
            id,
            series: 0,
            is_repeat: false,
            sequence: 0,
            state: AlertState::Firing,
            severity: Severity::Info,
            rule: ArrayString::new(),
            entity: Entity::HOST,
            subject: ArrayString::new(),
            uuid: [0; 16],
            tenant: ArrayString::new(),
            metric: host::CPU_USER,
            observed: 0.0,
            expected_min: 0.0,
            expected_max: 0.0,
            tail_probability: 1.0,
            signs: 1,
            since_mono_ns: 0,
            at_wall_ns: 0,
            tick: 0,
            message: ArrayString::new(),
        }
    }

    fn is_readable(reader: &AlertReader) -> bool {
        let mut polled = [PollFd::new(reader.fd(), PollFlags::POLLIN)];
        poll(&mut polled, PollTimeout::ZERO).expect("poll") == 1
    }

    proptest! {
        /// Whatever the order of things: the accounts are those of a queue, alerts come in their order with the
        /// number of their making, and the descriptor is readable whenever one waits.
        #[test]
        fn the_accounts_are_exact(capacity in 1usize..5, acts in prop::collection::vec(0u8..4, 0..200)) {
            let (mut sink, reader) = ring(capacity).expect("ring");
            let mut queue = VecDeque::new();
            let mut expected = Accounting::default();
            for act in acts {
                match act {
                    0 | 1 => {
                        expected.produced += 1;
                        if queue.len() < capacity {
                            queue.push_back(expected.produced);
                        } else {
                            expected.dropped += 1;
                        }
                        sink.push(alert(expected.produced));
                    }
                    2 => {
                        expected.produced += 1;
                        expected.suppressed += 1;
                        sink.suppress();
                    }
                    _ => {
                        let next = reader.next().map(|alert| (alert.id, alert.sequence));
                        let wanted = queue.pop_front();
                        expected.delivered += u64::from(wanted.is_some());
                        prop_assert_eq!(next, wanted.map(|number| (number, number)));
                    }
                }
                expected.in_flight = queue.len() as u64;
                prop_assert_eq!(reader.accounting(), expected);
                prop_assert_eq!(sink.accounting(), expected);
                prop_assert!(expected.balances());
                prop_assert_eq!(reader.waiting() as u64, expected.in_flight);
                prop_assert!(queue.is_empty() || is_readable(&reader));
            }
        }
    }

    #[test]
    fn the_descriptor_is_quiet_once_the_ring_was_found_empty() {
        let (mut sink, reader) = ring(4).expect("ring");
        assert!(!is_readable(&reader));
        sink.push(alert(1));
        sink.push(alert(2));
        assert!(is_readable(&reader));
        assert_eq!(std::iter::from_fn(|| reader.next()).count(), 2);
        assert!(!is_readable(&reader));
        sink.push(alert(3));
        assert!(is_readable(&reader));
    }

    /// Three consumers and an onlooker against one producer: the accounts balance at every glance, nothing is
    /// delivered twice, and when all is quiet what is missing is exactly what was dropped or suppressed.
    #[test]
    fn the_accounts_hold_under_contention() {
        const ALERTS: u64 = 50_000;
        let (mut sink, reader) = ring(64).expect("ring");
        let done = std::sync::atomic::AtomicBool::new(false);
        let taken: Vec<u64> = std::thread::scope(|scope| {
            let done = &done;
            let consumers: Vec<_> = (0..3)
                .map(|_| {
                    let reader = reader.clone();
                    scope.spawn(move || {
                        let mut taken = Vec::new();
                        loop {
                            let ended = done.load(Acquire);
                            match reader.next() {
                                Some(alert) => taken.push(alert.sequence),
                                None if ended => return taken,
                                None => std::thread::yield_now(),
                            }
                        }
                    })
                })
                .collect();
            let onlooker = reader.clone();
            scope.spawn(move || {
                let mut before = Accounting::default();
                while !done.load(Acquire) {
                    let now = onlooker.accounting();
                    assert!(now.balances() && now.in_flight <= now.produced, "{now:?}");
                    assert!(now.produced >= before.produced && now.delivered >= before.delivered);
                    before = now;
                }
            });
            for number in 0..ALERTS {
                if number % 7 == 0 { sink.suppress() } else { sink.push(alert(number)) }
            }
            done.store(true, Release);
            consumers.into_iter().flat_map(|consumer| consumer.join().expect("consumer")).collect()
        });
        let accounting = reader.accounting();
        assert_eq!(accounting.produced, ALERTS);
        assert_eq!(accounting.suppressed, ALERTS.div_ceil(7));
        assert_eq!(accounting.delivered, taken.len() as u64);
        assert_eq!((accounting.in_flight, reader.waiting()), (0, 0));
        assert!(accounting.balances());
        let distinct: std::collections::HashSet<_> = taken.iter().collect();
        assert_eq!(distinct.len(), taken.len());
    }
}
