//! Group commit: whoever waits first writes for all who appended meanwhile.

use super::disk::Disk;
use super::error::LedgerError;
use super::frame::{self, PAYLOAD_BYTES_MAX, Salt, TENANT_BYTES_MAX};
use super::keys::Blinding;
use super::record::{DiskChange, Kind, LastRun, LogBegin, Loss, Record, Start, encode};
use super::recover::recover;
use super::seal::Sealing;
use super::status::{Health, Status, Told};
use super::store::{Batch, Sizes, Store, bytes_of};
use crate::sys::clock::Clock;
use parking_lot::{Condvar, Mutex, MutexGuard};
use std::collections::HashSet;
use std::os::fd::BorrowedFd;
use std::sync::Arc;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::time::{Duration, Instant};

/// What was found on opening.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Opened {
    /// The number of this run, from 1.
    pub run: u32,
    /// How the run before ended.
    pub last: LastRun,
    /// The number of this run's start record; those below it are durable.
    pub first: u64,
}

/// The one durable store of the agent. Cheap to clone; all clones are the same ledger.
#[derive(Clone)]
pub struct Ledger {
    pub(super) shared: Arc<Shared>,
}

pub(super) struct Shared {
    pub(super) state: Mutex<State>,
    /// A batch was written, or was not.
    changed: Condvar,
    /// Taken after `state` was let go, never the other way round.
    pub(super) store: Mutex<Store>,
    /// Taken before `state`, by one checkpoint after the other.
    pub(super) sealing: Mutex<Sealing>,
    pub(super) clock: Clock,
    salt: Salt,
    blinding: Blinding,
    run: u32,
    queue_bytes: usize,
    /// What `state` has too, for those who must not wait for it.
    durable: AtomicU64,
    is_good: AtomicBool,
    /// Records that were refused because `state` was not to be had, and are not counted in it yet.
    refused: AtomicU64,
    /// For whoever asks how it is: a leaf below all other locks.
    pub(super) told: Told,
}

/// A checkpoint keeps appends waiting while what was appended before becomes durable; on a disk that hangs not longer
/// than this.
const APPEND_WAIT_MAX: Duration = Duration::from_millis(250);

#[derive(Default)]
pub(super) struct State {
    next: u64,
    mono_ns: u64,
    queue: Batch,
    /// Tenants that have a log.
    tenants: HashSet<String>,
    /// A batch that could not be written: it goes first, and as it is.
    failed: Option<Batch>,
    /// Memory of a batch that was written.
    spare: Vec<u8>,
    durable: u64,
    is_writing: bool,
    failures: u64,
    /// Records below this were in a batch that failed.
    failed_end: u64,
    error: Option<LedgerError>,
    health: Health,
    pub(super) appended: u64,
    pub(super) refused: u64,
    refused_told: u64,
    pub(super) is_stopped: bool,
}

impl Ledger {
    /// Opens the ledger of an origin, or begins it, and appends this run's start record, durably.
    ///
    /// An origin names a ledger for good, such as `bartizan/host-17.example`: one line without `+` or spaces.
    ///
    /// # Errors
    /// When the disk refuses, the ledger is damaged or is another origin's, or another process has it open.
    pub fn open(
        disk: Arc<dyn Disk>,
        sizes: Sizes,
        origin: &str,
        clock: Clock,
    ) -> Result<(Self, Opened), LedgerError> {
        if origin.is_empty()
            || origin.len() > 200
            || origin.contains(|c: char| c == '+' || c.is_whitespace() || c.is_control())
        {
            return Err(LedgerError::Key(format!(
                "{origin:?} cannot be an origin: no spaces, no plus, at most 200 bytes"
            )));
        }
        let recovered = recover(disk, sizes, origin)?;
        let (mut store, last) = (recovered.store, recovered.last);
        // A full disk may have no room for it; that is told with the first batch that fails.
        let _ = store.set_aside();
        let run = store.run.saturating_add(1);
        let first = store.next;
        let state = State {
            next: first,
            durable: first,
            queue: Batch { first, ..Batch::default() },
            tenants: store.logs.keys().cloned().collect(),
            ..State::default()
        };
        let told = Told::new(Status {
            next: first,
            durable: first,
            first: store.first(),
            bytes: store.bytes(),
            tree_size: store.tree_size(),
            ..Status::default()
        });
        let told = told.map_err(|errno| {
            LedgerError::disk("no descriptor can be had", "", &std::io::Error::from(errno))
        })?;
        let shared = Shared {
            told,
            state: Mutex::new(state),
            changed: Condvar::new(),
            clock,
            salt: store.salt,
            blinding: store.keys.blinding(),
            run,
            queue_bytes: sizes.queue_bytes,
            durable: AtomicU64::new(first),
            is_good: AtomicBool::new(true),
            refused: AtomicU64::new(0),
            store: Mutex::new(store),
            sealing: Mutex::default(),
        };
        let ledger = Self { shared: Arc::new(shared) };
        let start = Start { agent_version: env!("CARGO_PKG_VERSION").to_owned(), last };
        ledger.append(Kind::START, "", &encode(&start))?.wait()?;
        Ok((ledger, Opened { run, last, first }))
    }

    /// Numbers a record and queues it. Waits for no disk; [`Ticket::wait`] does. Only while a checkpoint is made, it waits
    /// for what was appended before, for a quarter of a second at most.
    ///
    /// `tenant` is empty for the host's own records, and at most [`TENANT_BYTES_MAX`] bytes long.
    ///
    /// # Errors
    /// [`LedgerError::Full`] when too much waits for the disk (counted, and recorded once the disk is back),
    /// [`LedgerError::Record`], [`LedgerError::Stopped`].
    pub fn append(&self, kind: Kind, tenant: &str, payload: &[u8]) -> Result<Ticket, LedgerError> {
        if payload.len() > PAYLOAD_BYTES_MAX {
            return Err(LedgerError::Record("its payload is too long"));
        }
        if tenant.len() > TENANT_BYTES_MAX {
            return Err(LedgerError::Record("its tenant's name is too long"));
        }
        let Some(mut state) = self.shared.state.try_lock_for(APPEND_WAIT_MAX) else {
            self.shared.refused.fetch_add(1, Relaxed);
            return Err(LedgerError::Full);
        };
        if state.is_stopped {
            return Err(LedgerError::Stopped);
        }
        if state.queued_bytes() + bytes_of(tenant, payload) > self.shared.queue_bytes {
            state.refused += 1;
            self.shared.publish(&state);
            return Err(LedgerError::Full);
        }
        if !tenant.is_empty() && !state.tenants.contains(tenant) {
            state.tenants.insert(tenant.to_owned());
            let begin = LogBegin { id: self.shared.blinding.id(tenant) };
            self.shared.push(&mut state, Kind::LOG, tenant, &encode(&begin));
        }
        let sequence = self.shared.push(&mut state, kind, tenant, payload);
        self.shared.publish(&state);
        drop(state);
        Ok(Ticket { shared: Arc::clone(&self.shared), sequence })
    }

    /// Makes everything durable that was appended so far. Call it now and then where nobody waits for tickets; after a
    /// failure this is what tries again.
    ///
    /// # Errors
    /// [`LedgerError::Disk`]: nothing is lost, what waits is written by a later attempt.
    pub fn flush(&self) -> Result<(), LedgerError> {
        let next = self.shared.state.lock().next;
        if next == 0 { Ok(()) } else { self.shared.wait(next - 1) }
    }

    /// Whether the disk takes records. Unlike [`Ledger::status`] this never waits.
    #[must_use]
    pub fn is_good(&self) -> bool {
        self.shared.is_good.load(Acquire)
    }

    /// How the ledger is. Never waits for the disk.
    #[must_use]
    pub fn status(&self) -> Status {
        self.shared
            .told
            .read(|status| Status { refused: status.refused + self.shared.refused.load(Relaxed), ..*status })
    }

    /// Readable once records have become durable, the disk's state has changed, or a checkpoint was made since
    /// [`Ledger::hush`]. To be polled, neither read nor closed.
    #[must_use]
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.shared.told.bell()
    }

    /// Makes [`Ledger::fd`] unreadable until something happens. Call it before looking at the status, so that nothing
    /// is missed.
    pub fn hush(&self) {
        self.shared.told.hush();
    }

    /// Counts what left the agent although it was not durable yet.
    pub fn left_early(&self, count: u64) {
        self.shared.told.change(|status| status.left_early += count);
    }

    /// Waits for a record that somebody else makes durable (see [`Keeper`](super::Keeper)), but no longer than to that
    /// point in time; whether it is durable.
    ///
    /// # Errors
    /// [`LedgerError::Disk`] when an attempt to write it has failed meanwhile. It stays queued, and becomes durable by a later
    /// one.
    pub fn wait_until(&self, sequence: u64, end: Instant) -> Result<bool, LedgerError> {
        let shared = &self.shared;
        let mut failures = None;
        while shared.durable.load(Acquire) <= sequence {
            // A checkpoint holds it while it waits for the disk.
            let Some(mut state) = shared.state.try_lock_until(end) else { break };
            if state.durable > sequence {
                break;
            }
            // Only an attempt that was made since counts: the disk may be back.
            if state.failures > *failures.get_or_insert(state.failures) && state.failed.is_some() {
                return Err(state.error.clone().unwrap_or(LedgerError::Stopped));
            }
            if shared.changed.wait_until(&mut state, end).timed_out() {
                break;
            }
        }
        Ok(shared.durable.load(Acquire) > sequence)
    }

    /// Makes what waits durable, signs when much is not signed yet ([`UNSIGNED_MAX`](super::UNSIGNED_MAX)), and sets the
    /// reserve aside again once a full disk has room. Call it every few seconds; it may wait for the disk.
    ///
    /// # Errors
    /// As [`Ledger::flush`].
    pub fn maintain(&self) -> Result<(), LedgerError> {
        let is_back = {
            let mut store = self.shared.store.lock();
            store.is_full() && store.set_aside().is_ok()
        };
        if is_back {
            let mut state = self.shared.state.lock();
            self.shared.tell(&mut state, Health::Good, 0);
            self.shared.publish(&state);
            self.shared.told.ring();
        }
        if self.unsigned() > super::UNSIGNED_MAX {
            return self.checkpoint();
        }
        self.flush()
    }
}

/// A record that was numbered.
#[must_use = "the record is durable only once this was waited for"]
pub struct Ticket {
    shared: Arc<Shared>,
    sequence: u64,
}

impl Ticket {
    /// The record's number.
    #[must_use]
    pub fn sequence(&self) -> u64 {
        self.sequence
    }

    /// Whether the record would survive a loss of power now. Never waits.
    #[must_use]
    pub fn is_durable(&self) -> bool {
        self.shared.durable.load(Acquire) > self.sequence
    }

    /// Returns once the record would survive a loss of power.
    ///
    /// # Errors
    /// [`LedgerError::Disk`] when an attempt to write it failed. It stays queued, and becomes durable by a later one.
    pub fn wait(&self) -> Result<(), LedgerError> {
        self.shared.wait(self.sequence)
    }
}

impl State {
    /// The batch that is next: one that failed goes first, as it is.
    fn take(&mut self) -> Batch {
        self.failed.take().unwrap_or_else(|| {
            let next = Batch { first: self.next, count: 0, bytes: std::mem::take(&mut self.spare) };
            std::mem::replace(&mut self.queue, next)
        })
    }

    fn queued_bytes(&self) -> usize {
        self.queue.bytes.len() + self.failed.as_ref().map_or(0, |batch| batch.bytes.len())
    }
}

impl Shared {
    /// Numbers a record, whatever waits already.
    pub(super) fn push(&self, state: &mut State, kind: Kind, tenant: &str, payload: &[u8]) -> u64 {
        let sequence = state.next;
        // Strictly growing, so that the order of records of different logs can be proven too.
        state.mono_ns = self.clock.mono_ns().max(state.mono_ns + 1);
        let (wall_ns, mono_ns) = (self.clock.wall_ns(), state.mono_ns);
        let record = Record { sequence, run: self.run, wall_ns, mono_ns, kind, tenant, payload };
        frame::write(&mut state.queue.bytes, &self.salt, state.queue.count, &record);
        state.queue.count += 1;
        state.next += 1;
        state.appended += 1;
        sequence
    }

    fn wait(&self, sequence: u64) -> Result<(), LedgerError> {
        let mut state = self.state.lock();
        let failures = state.failures;
        loop {
            if state.durable > sequence {
                return Ok(());
            }
            if state.failures > failures && state.failed_end > sequence {
                return Err(state.error.clone().unwrap_or(LedgerError::Stopped));
            }
            // A batch before this record's failed: it is in the way.
            if state.failures > failures && state.failed.is_some() && !state.is_writing {
                return Err(state.error.clone().unwrap_or(LedgerError::Stopped));
            }
            if state.is_writing {
                self.changed.wait(&mut state);
            } else {
                self.write(&mut state);
            }
        }
    }

    /// Writes one batch for everybody. The state is let go meanwhile.
    fn write(&self, state: &mut MutexGuard<'_, State>) {
        let batch = state.take();
        state.is_writing = true;
        let result = MutexGuard::unlocked(state, || self.put(&batch));
        state.is_writing = false;
        self.settle(state, batch, result);
    }

    fn put(&self, batch: &Batch) -> (Result<(), LedgerError>, bool) {
        let mut store = self.store.lock();
        let result = store.write(batch);
        self.told.change(|status| (status.bytes, status.tree_size) = (store.bytes(), store.tree_size()));
        (result, store.is_full())
    }

    /// Tells what the state has to tell.
    pub(super) fn publish(&self, state: &State) {
        let errno = match &state.error {
            Some(LedgerError::Disk { errno, .. }) if state.health != Health::Good => *errno,
            _ => 0,
        };
        self.told.change(|status| {
            (status.health, status.errno) = (state.health, errno);
            (status.appended, status.refused) = (state.appended, state.refused);
            (status.next, status.durable) = (state.next, state.durable);
            (status.failures, status.queued_bytes) = (state.failures, state.queued_bytes());
        });
    }

    /// Writes all that waits while nobody can append.
    pub(super) fn drain(&self, state: &mut MutexGuard<'_, State>) -> Result<(), LedgerError> {
        while state.is_writing {
            self.changed.wait(state);
        }
        // What a batch has to tell about itself comes behind it.
        while state.failed.is_some() || state.queue.count > 0 {
            let batch = state.take();
            let result = self.put(&batch);
            self.settle(state, batch, result);
            if state.failed.is_some() {
                return Err(state.error.clone().unwrap_or(LedgerError::Stopped));
            }
        }
        Ok(())
    }

    fn settle(&self, state: &mut State, batch: Batch, (result, is_full): (Result<(), LedgerError>, bool)) {
        match result {
            Ok(()) => {
                state.durable = batch.end();
                self.durable.store(state.durable, Release);
                state.spare = batch.bytes;
                state.spare.clear();
                self.tell_of_loss(state);
                // Written into what the reserve held: the disk is still full.
                let (health, errno) = if is_full { (Health::Full, libc::ENOSPC) } else { (Health::Good, 0) };
                self.tell(state, health, errno);
            }
            Err(error) => {
                state.failures += 1;
                state.failed_end = batch.end();
                state.failed = Some(batch);
                let (health, errno) = health_of(&error);
                state.error = Some(error);
                self.tell(state, health, errno);
            }
        }
        self.publish(state);
        self.told.ring();
        self.changed.notify_all();
    }

    fn tell(&self, state: &mut State, health: Health, errno: i32) {
        if state.health != health {
            state.health = health;
            self.is_good.store(health == Health::Good, Release);
            // Nothing follows a stop record.
            if state.is_stopped {
                return;
            }
            self.push(state, Kind::DISK, "", &encode(&DiskChange { state: health as u8, errno }));
        }
    }

    fn tell_of_loss(&self, state: &mut State) {
        // In one step for whoever asks: counted neither twice nor not at all.
        self.told.change(|status| {
            state.refused += self.refused.swap(0, Relaxed);
            status.refused = state.refused;
        });
        if state.refused > state.refused_told && !state.is_stopped {
            let loss = Loss { refused: state.refused - state.refused_told, refused_total: state.refused };
            state.refused_told = state.refused;
            self.push(state, Kind::LOSS, "", &encode(&loss));
        }
    }
}

fn health_of(error: &LedgerError) -> (Health, i32) {
    match error {
        LedgerError::Disk { errno, .. } if [libc::ENOSPC, libc::EDQUOT].contains(errno) => {
            (Health::Full, *errno)
        }
        LedgerError::Disk { errno: libc::EROFS, .. } => (Health::ReadOnly, libc::EROFS),
        LedgerError::Disk { errno, .. } => (Health::Failing, *errno),
        _ => (Health::Failing, 0),
    }
}
