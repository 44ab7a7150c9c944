//! The notices that were recorded, for those who deliver them: the latest in memory, the rest in the ledger.

use bartizan_core::incidents::{Event, Notice, State};
use bartizan_core::ledger::{Kind, Ledger, LedgerError, RealDisk, read};
use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Notices kept in memory; older ones are read from the ledger.
const NOTICES_MAX: usize = 1_024;
/// How often it is looked whether a record has become durable.
const DURABLE_LOOK: Duration = Duration::from_millis(20);

/// A notice and the number of its record.
pub type Numbered = (u64, Arc<Notice>);

/// See the module's documentation.
pub struct Feed {
    ledger: Ledger,
    folder: PathBuf,
    inner: Mutex<Inner>,
    changed: Condvar,
}

#[derive(Default)]
struct Inner {
    notices: VecDeque<Numbered>,
    /// Every notice in a record from this number on is in `notices`.
    from: u64,
    /// The latest notice of each incident that is not over and closed.
    latest: BTreeMap<u64, Numbered>,
    total: u64,
    is_stopping: bool,
}

impl Feed {
    /// A feed of the notices that a replay found, in order.
    #[must_use]
    pub fn new(ledger: Ledger, folder: PathBuf) -> Self {
        Self { ledger, folder, inner: Mutex::default(), changed: Condvar::new() }
    }

    /// A notice was recorded.
    pub fn push(&self, sequence: u64, notice: Arc<Notice>) {
        let mut inner = self.lock();
        inner.total += 1;
        if notice.state == State::Closed && !notice.is_firing() {
            inner.latest.remove(&notice.incident);
        } else {
            inner.latest.insert(notice.incident, (sequence, Arc::clone(&notice)));
        }
        inner.notices.push_back((sequence, notice));
        if inner.notices.len() > NOTICES_MAX
            && let Some((gone, _)) = inner.notices.pop_front()
        {
            inner.from = gone + 1;
        }
        drop(inner);
        self.changed.notify_all();
    }

    /// Notices since the ledger began.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.lock().total
    }

    /// What those who keep a picture of all incidents begin with: the notices before a position.
    #[must_use]
    pub fn latest_before(&self, position: u64) -> Vec<Arc<Notice>> {
        let inner = self.lock();
        inner.latest.values().filter(|(at, _)| *at < position).map(|(_, notice)| Arc::clone(notice)).collect()
    }

    /// Durable notices from a position on, as many as `max`; waits for one as long as `wait`. `None` when it is time
    /// to stop.
    ///
    /// # Errors
    /// When older ones cannot be read from the ledger.
    pub fn take(
        &self,
        position: u64,
        max: usize,
        wait: Duration,
    ) -> Result<Option<Vec<Numbered>>, LedgerError> {
        let mut inner = self.lock();
        if inner.is_stopping {
            return Ok(None);
        }
        if inner.notices.back().is_none_or(|(last, _)| *last < position) {
            inner = self.changed.wait_timeout(inner, wait).unwrap_or_else(PoisonError::into_inner).0;
        }
        if inner.is_stopping {
            return Ok(None);
        }
        if position < inner.from {
            drop(inner);
            return self.read_old(position, max).map(Some);
        }
        // What leaves would survive a loss of power.
        let durable = self.ledger.status().durable;
        let ready = inner.notices.iter().filter(|(at, _)| *at >= position);
        let (durable_ones, waits): (Vec<Numbered>, Vec<Numbered>) =
            ready.take(max).cloned().partition(|(at, _)| *at < durable);
        drop(inner);
        if durable_ones.is_empty() && !waits.is_empty() {
            std::thread::sleep(DURABLE_LOOK);
        }
        Ok(Some(durable_ones))
    }

    /// Waits, unless it is time to stop. Returns whether it is.
    #[must_use]
    pub fn pause(&self, time: Duration) -> bool {
        let end = std::time::Instant::now() + time;
        let mut inner = self.lock();
        loop {
            let left = end.saturating_duration_since(std::time::Instant::now());
            if inner.is_stopping || left.is_zero() {
                return inner.is_stopping;
            }
            inner = self.changed.wait_timeout(inner, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Wakes everybody up to stop.
    pub fn stop(&self) {
        self.lock().is_stopping = true;
        self.changed.notify_all();
    }

    pub(super) fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    fn read_old(&self, position: u64, max: usize) -> Result<Vec<Numbered>, LedgerError> {
        let durable = self.ledger.status().durable;
        let mut found = Vec::new();
        read(Arc::new(RealDisk::new(&self.folder)), position, |record| {
            if record.kind == Kind::INCIDENT
                && found.len() < max
                && record.sequence < durable
                && let Some(notice) = Event::notice(record.payload)
            {
                found.push((record.sequence, Arc::new(notice)));
            }
        })?;
        Ok(found)
    }

    /// A poisoned lock holds what it held before the panic, and all that is kept here is whole at any time.
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
