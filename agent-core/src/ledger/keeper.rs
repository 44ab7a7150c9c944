//! Who serves a ledger: makes durable what others append, signs on a timer, prunes, and sets things right after a full
//! disk. Either a thread of its own, [`Keeper`], or whoever calls [`Rounds::round`] now and then.

use super::commit::Ledger;
use super::error::LedgerError;
use super::note::Verifier;
use super::seal::Keep;
use super::status::Health;
use crate::sys::thread;
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use parking_lot::Mutex;
use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicU8;
use std::sync::atomic::Ordering::{AcqRel, Acquire};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How often a disk that failed is tried again.
const MAINTAIN_EVERY: Duration = Duration::from_secs(2);
/// How soon the first checkpoint is made: what a run that was cut off left unsigned is not to stay so.
const FIRST_CHECKPOINT_AFTER: Duration = Duration::from_secs(1);

/// What is done for a ledger, and how often.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upkeep {
    /// How often all logs are signed, also when nothing happens.
    pub checkpoint_every: Duration,
    /// What is kept; `None` keeps everything. Looked at behind each checkpoint.
    pub keep: Option<Keep>,
    /// All of these must have cosigned a checkpoint that is found in `logs/host/cosigned`.
    pub witnesses: Vec<Verifier>,
}

impl Default for Upkeep {
    fn default() -> Self {
        Self { checkpoint_every: Duration::from_mins(1), keep: None, witnesses: Vec::new() }
    }
}

/// When what was done, and how it went.
pub struct Rounds {
    maintain_at_ns: u64,
    checkpoint_at_ns: u64,
    health: Health,
    is_cosignature_refused: bool,
}

impl Rounds {
    /// The first round is due at once, the first checkpoint a second later.
    #[must_use]
    pub fn new(ledger: &Ledger) -> Self {
        let now_ns = ledger.shared.clock.mono_ns();
        Self {
            maintain_at_ns: now_ns,
            checkpoint_at_ns: now_ns.saturating_add(ns(FIRST_CHECKPOINT_AFTER)),
            health: Health::Good,
            is_cosignature_refused: false,
        }
    }

    /// Makes durable what waits, and does what is due. May wait for the disk.
    ///
    /// # Errors
    /// As [`Ledger::flush`]; what could not be done is done by a later round.
    pub fn round(&mut self, ledger: &Ledger, upkeep: &Upkeep) -> Result<(), LedgerError> {
        let done = self.work(ledger, upkeep);
        self.say(ledger, &done);
        done
    }

    fn work(&mut self, ledger: &Ledger, upkeep: &Upkeep) -> Result<(), LedgerError> {
        let now_ns = ledger.shared.clock.mono_ns();
        if now_ns >= self.checkpoint_at_ns {
            // Also when it fails: a disk that is in trouble is not to be asked for more by every round.
            self.checkpoint_at_ns = now_ns.saturating_add(ns(upkeep.checkpoint_every));
            self.maintain_at_ns = now_ns.saturating_add(ns(MAINTAIN_EVERY));
            ledger.maintain()?;
            ledger.checkpoint()?;
            self.take_cosigned(ledger, upkeep);
            if let Some(keep) = upkeep.keep {
                ledger.prune(keep, ledger.shared.clock.wall_ns())?;
            }
            return Ok(());
        }
        // A shorter interval takes effect before the longer one has ended.
        let checkpoint_at_ns = now_ns.saturating_add(ns(upkeep.checkpoint_every));
        self.checkpoint_at_ns = self.checkpoint_at_ns.min(checkpoint_at_ns);
        if now_ns >= self.maintain_at_ns {
            self.maintain_at_ns = now_ns.saturating_add(ns(MAINTAIN_EVERY));
            return ledger.maintain();
        }
        ledger.flush()
    }

    fn take_cosigned(&mut self, ledger: &Ledger, upkeep: &Upkeep) {
        if upkeep.witnesses.is_empty() {
            return;
        }
        let taken = ledger.take_cosigned(&upkeep.witnesses);
        if let Err(error) = &taken
            && !self.is_cosignature_refused
        {
            log::warn!("logs/host/cosigned: {error}; nothing is pruned by it");
        }
        self.is_cosignature_refused = taken.is_err();
    }

    /// Logs how the disk is when that has changed.
    fn say(&mut self, ledger: &Ledger, done: &Result<(), LedgerError>) {
        let health = ledger.status().health;
        if health == self.health {
            return;
        }
        self.health = health;
        match (health, done) {
            (Health::Good, _) => log::info!("the disk of the ledger is back: recording again"),
            (Health::Full, Ok(())) => log::error!("the disk of the ledger is full; its reserve is in use"),
            (_, Err(error)) => log::error!("nothing can be recorded: {error}; it is queued and tried again"),
            (health, Ok(())) => log::error!("the disk of the ledger is {}", health.name()),
        }
    }
}

fn ns(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// A thread that serves a ledger until it is told to end ([`Keeper::stop`]). Cheap to clone; all clones are the same.
#[derive(Clone)]
pub struct Keeper {
    inner: Arc<Inner>,
}

struct Inner {
    ledger: Ledger,
    upkeep: Mutex<Upkeep>,
    kick: Sender<()>,
    end: AtomicU8,
    ended: Receiver<Result<(), LedgerError>>,
    thread: Mutex<Thread>,
}

/// The thread until it was joined; then how it ended.
struct Thread {
    handle: Option<JoinHandle<()>>,
    outcome: Result<(), LedgerError>,
}

/// What the thread was told.
const GO_ON: u8 = 0;
const END: u8 = 1;
const END_IN_ORDER: u8 = 2;

impl Keeper {
    /// Starts the thread.
    ///
    /// # Errors
    /// When the system refuses a thread.
    pub fn start(ledger: Ledger, upkeep: Upkeep) -> io::Result<Self> {
        let (kick, kicks) = bounded(1);
        let (end, ended) = bounded(1);
        let inner = Arc::new(Inner {
            ledger,
            upkeep: Mutex::new(upkeep),
            kick,
            end: AtomicU8::new(GO_ON),
            ended,
            thread: Mutex::new(Thread { handle: None, outcome: Ok(()) }),
        });
        let served = Arc::clone(&inner);
        let thread = thread::spawn("btz-ledger", move || {
            // Nobody listens any more when the keeper was dropped.
            let _ = end.send(served.serve(&kicks));
        })?;
        inner.thread.lock().handle = Some(thread);
        Ok(Self { inner })
    }

    /// The ledger.
    #[must_use]
    pub fn ledger(&self) -> &Ledger {
        &self.inner.ledger
    }

    /// From the next round on this is done. The thread looks at once.
    pub fn change(&self, upkeep: Upkeep) {
        *self.inner.upkeep.lock() = upkeep;
        self.kick();
    }

    /// Asks the thread to make durable what was appended. Never waits.
    pub fn kick(&self) {
        // A kick that waits already is as good as two.
        let _ = self.inner.kick.try_send(());
    }

    /// Kicks, and waits for a record, but no longer than that: see [`Ledger::wait_until`].
    ///
    /// # Errors
    /// As [`Ledger::wait_until`].
    pub fn wait(&self, sequence: u64, at_most: Duration) -> Result<bool, LedgerError> {
        self.kick();
        let now = Instant::now();
        self.inner.ledger.wait_until(sequence, now.checked_add(at_most).unwrap_or(now))
    }

    /// Whether the thread died of a mistake of ours.
    #[must_use]
    pub fn has_died(&self) -> bool {
        let is_finished = || {
            self.inner
                .thread
                .try_lock()
                .is_some_and(|thread| thread.handle.as_ref().is_some_and(JoinHandle::is_finished))
        };
        self.inner.end.load(Acquire) == GO_ON && is_finished()
    }

    /// Ends the thread, waiting at most that long, and before it, when `in_order`, the run: what waits and a stop record
    /// become durable and signed. `None`: the disk holds it up; it has been told, call again. What it was told first
    /// stands.
    ///
    /// # Errors
    /// As [`Ledger::stop`]; the run then counts as cut off.
    pub fn stop(&self, in_order: bool, at_most: Duration) -> Option<Result<(), LedgerError>> {
        let how = if in_order { END_IN_ORDER } else { END };
        let _ = self.inner.end.compare_exchange(GO_ON, how, AcqRel, Acquire);
        self.kick();
        let mut thread = self.inner.thread.try_lock_for(at_most)?;
        if thread.handle.is_some() {
            thread.outcome = match self.inner.ended.recv_timeout(at_most) {
                Err(RecvTimeoutError::Timeout) => return None,
                Err(RecvTimeoutError::Disconnected) => Err(LedgerError::Stopped),
                Ok(outcome) => outcome,
            };
            // It has sent its last word: this waits for no disk.
            let _ = thread.handle.take().map(JoinHandle::join);
        }
        Some(thread.outcome.clone())
    }
}

impl Inner {
    fn serve(&self, kicks: &Receiver<()>) -> Result<(), LedgerError> {
        let mut rounds = Rounds::new(&self.ledger);
        loop {
            match self.end.load(Acquire) {
                END => return Ok(()),
                END_IN_ORDER => return self.ledger.stop(),
                _ => {}
            }
            let now = self.upkeep.lock().clone();
            // A failure is told by the ledger's status and the log, and tried again.
            let _ = rounds.round(&self.ledger, &now);
            // Woken for whoever waits, and for the end; else it is time for a round.
            let _ = kicks.recv_timeout(MAINTAIN_EVERY.min(now.checkpoint_every));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::simulated::{Fault, SimulatedDisk};
    use super::super::{Kind, Sizes, read};
    use super::*;
    use crate::sys::clock::{Clock, Hands};
    use std::sync::atomic::Ordering::Relaxed;

    const ORIGIN: &str = "bartizan/kept";

    #[test]
    fn checkpoints_come_by_the_clock_and_old_segments_go_behind_them() {
        let disk = Arc::new(SimulatedDisk::new(1, 512));
        let hands = Arc::new(Hands::default());
        let clock = Clock::Manual(Arc::clone(&hands));
        let sizes = Sizes { segment_bytes: 2_048, ..Sizes::default() };
        let (ledger, _) = Ledger::open(disk.clone(), sizes, ORIGIN, clock).unwrap();
        let keep = Keep { bytes: 1, age_ns: u64::MAX, cosigned_only: false };
        let mut upkeep = Upkeep { keep: Some(keep), ..Upkeep::default() };
        let mut rounds = Rounds::new(&ledger);
        for _ in 0..20 {
            ledger.append(Kind::ALERT, "", &[7; 500]).unwrap().wait().unwrap();
        }
        rounds.round(&ledger, &upkeep).unwrap();
        assert_eq!((ledger.status().checkpoints, ledger.status().pruned), (0, 0));
        hands.mono_ns.store(ns(FIRST_CHECKPOINT_AFTER), Relaxed);
        rounds.round(&ledger, &upkeep).unwrap();
        let status = ledger.status();
        assert_eq!(status.checkpoints, 1);
        assert!(status.pruned > 10 && status.first == status.pruned, "{status:?}");
        assert_eq!(status.signed, status.next - 1, "all but the record of the removal");
        rounds.round(&ledger, &upkeep).unwrap();
        assert_eq!(ledger.status().checkpoints, 1, "not yet");
        upkeep.checkpoint_every = Duration::from_secs(5);
        rounds.round(&ledger, &upkeep).unwrap();
        hands.mono_ns.store(ns(FIRST_CHECKPOINT_AFTER + Duration::from_secs(5)), Relaxed);
        rounds.round(&ledger, &upkeep).unwrap();
        assert_eq!(ledger.status().checkpoints, 2, "by the shorter interval");
        // A full disk is asked again by each round, and all is there once it is back.
        disk.fail(1, u64::MAX, Fault::Full);
        let ticket = ledger.append(Kind::ALERT, "", &[8; 500]).unwrap();
        assert!(rounds.round(&ledger, &upkeep).is_err());
        assert_eq!(ledger.status().health, Health::Full);
        disk.mend();
        rounds.round(&ledger, &upkeep).unwrap();
        assert!(ticket.is_durable());
    }

    #[test]
    fn a_thread_makes_durable_what_is_appended_and_ends_the_run_in_order_or_not() {
        for in_order in [true, false] {
            let disk = Arc::new(SimulatedDisk::new(1, 512));
            let (ledger, _) = Ledger::open(disk.clone(), Sizes::default(), ORIGIN, Clock::System).unwrap();
            let keeper = Keeper::start(ledger, Upkeep::default()).unwrap();
            let sequence = keeper.ledger().append(Kind::ALERT, "", b"x").unwrap().sequence();
            assert_eq!(keeper.wait(sequence, Duration::from_mins(1)), Ok(true));
            assert!(!keeper.has_died());
            assert_eq!(keeper.stop(in_order, Duration::from_mins(1)), Some(Ok(())));
            let mut last = Kind::START;
            read(disk, 0, |record| last = record.kind).unwrap();
            assert_eq!(last, if in_order { Kind::STOP } else { Kind::ALERT });
        }
    }

    #[test]
    fn nobody_waits_longer_than_allowed_for_a_disk_that_hangs() {
        let disk = Arc::new(SimulatedDisk::new(1, 512));
        let (ledger, _) = Ledger::open(disk, Sizes::default(), ORIGIN, Clock::System).unwrap();
        let keeper = Keeper::start(ledger.clone(), Upkeep::default()).unwrap();
        // The thread cannot get at the disk.
        let held = ledger.shared.store.lock();
        let sequence = ledger.append(Kind::ALERT, "", b"x").unwrap().sequence();
        assert_eq!(keeper.wait(sequence, Duration::from_millis(20)), Ok(false));
        assert_eq!(ledger.status().waiting(), 1, "and who asks is answered meanwhile");
        assert_eq!(keeper.stop(true, Duration::from_millis(20)), None);
        drop(held);
        assert_eq!(keeper.stop(true, Duration::from_mins(1)), Some(Ok(())));
        assert_eq!(ledger.status().waiting(), 0);
    }
}
