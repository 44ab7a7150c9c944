//! Tells others of incidents: Alertmanager, webhooks, syslog, files. At least once each, from the ledger, until it was
//! acknowledged; each on a thread of its own, so that one that hangs delays nobody else.
//!
//! ```text
//! ledger (Told records) ─▶ Feed ─┬─▶ Worker ─▶ Alertmanager    position and accounts ─▶ ledger (Delivery records)
//!                                ├─▶ Worker ─▶ webhook
//!                                └─▶ Worker ─▶ syslog, file
//! ```
//! A notice has the same `incident` and `number` whenever it is sent again: that is what receivers know repeats by.

pub mod alertmanager;
pub mod backoff;
pub mod feed;
mod file;
pub mod post;
pub mod syslog;
mod worker;

pub use feed::Feed;
pub use worker::Accounts;

use crate::exit::{Code, Failure};
use bartizan_core::config::incidents::Deliver;
use bartizan_core::incidents::Delivery;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

/// Everybody who is told.
pub struct Deliverers {
    feed: Arc<Feed>,
    threads: Vec<JoinHandle<()>>,
    tallies: Vec<Arc<Tally>>,
}

/// What became of one receiver's notices; read by whoever serves metrics.
pub(crate) struct Tally {
    name: String,
    kind: &'static str,
    /// How far it has come, and what became of what is before.
    reached: Mutex<Delivery>,
    /// Notices of the feed that are dealt with.
    passed: AtomicU64,
    failures: AtomicU64,
}

impl Tally {
    fn reached(&self) -> Delivery {
        self.reached.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set(&self, reached: Delivery) {
        *self.reached.lock().unwrap_or_else(PoisonError::into_inner) = reached;
    }
}

impl Deliverers {
    /// Starts a thread for each receiver. `known` is how far each had come, `begins` where one that is new begins, and
    /// `before` tells how many notices there are before a position.
    ///
    /// # Errors
    /// When a receiver makes no sense or no thread can be had.
    pub fn start(
        receivers: &[Deliver],
        feed: &Arc<Feed>,
        host: &str,
        known: &HashMap<String, Delivery>,
        begins: u64,
        before: impl Fn(u64) -> u64,
    ) -> Result<Self, Failure> {
        let mut deliverers = Self { feed: Arc::clone(feed), threads: Vec::new(), tallies: Vec::new() };
        for receiver in receivers {
            let reached = known.get(&receiver.name).cloned().unwrap_or_else(|| Delivery {
                receiver: receiver.name.clone(),
                position: begins,
                ..Delivery::default()
            });
            let tally = Arc::new(Tally {
                name: receiver.name.clone(),
                kind: worker::kind_of(receiver.to),
                passed: AtomicU64::new(before(reached.position)),
                reached: Mutex::new(reached),
                failures: AtomicU64::new(0),
            });
            let sink = worker::Sink::new(receiver).map_err(|error| {
                Failure::new(Code::Config, format!("deliver {:?}: url {error}", receiver.name))
            })?;
            let worker = worker::Worker::new(receiver.clone(), sink, feed, host, &tally);
            let thread = std::thread::Builder::new()
                .name(format!("to-{}", receiver.name).chars().take(15).collect())
                .stack_size(512 * 1024)
                .spawn(move || worker.run())
                .map_err(|error| Failure::new(Code::Os, format!("no thread to deliver: {error}")))?;
            deliverers.threads.push(thread);
            deliverers.tallies.push(tally);
        }
        Ok(deliverers)
    }

    /// What became of every receiver's notices.
    #[must_use]
    pub fn accounts(&self) -> Vec<Accounts> {
        let total = self.feed.total();
        let of = |tally: &Arc<Tally>| {
            let reached = tally.reached();
            let done = reached.delivered + reached.suppressed + reached.dropped;
            // Older ones may have been removed from the ledger with their records: what is dealt with is remembered.
            let in_flight = total - tally.passed.load(Relaxed).min(total);
            Accounts {
                name: tally.name.clone(),
                kind: tally.kind,
                produced: done + in_flight,
                delivered: reached.delivered,
                suppressed: reached.suppressed,
                dropped: reached.dropped,
                in_flight,
                failures: tally.failures.load(Relaxed),
            }
        };
        self.tallies.iter().map(of).collect()
    }

    /// Ends all of them; what was not delivered is delivered by the next run.
    pub fn stop(self) {
        self.feed.stop();
        for thread in self.threads {
            let _ = thread.join();
        }
    }
}
