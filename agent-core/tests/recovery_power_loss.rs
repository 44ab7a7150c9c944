//! Power is lost at any call, also while a snapshot is written or a state restored: the state that comes back is always
//! that of the trail as it is, with every acknowledged record in it.
//!
//! `cargo test --profile simulation -p bartizan-core --test recovery_power_loss` runs 100,000 schedules;
//! `BARTIZAN_SCHEDULES` sets another number; not optimised it is 2,000.

use bartizan_core::ledger::simulated::{Dice, Fault, Lies, SimulatedDisk};
use bartizan_core::ledger::{Disk, Kind, Ledger, RealDisk, Record, Sizes, read};
use bartizan_core::recovery::{Participant, restore, save, take};
use bartizan_core::sys::clock::Clock;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

const ORIGIN: &str = "bartizan/recovery";
const LIVES: u64 = 4;

/// What can be broken on purpose, to see that the test notices.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Mistakes {
    /// The snapshot is said to belong to one record later than it does.
    one_too_late: bool,
    /// ... or to one record earlier.
    one_too_early: bool,
    /// A snapshot is written without waiting for the records in it, and used though the trail ends before it.
    ahead: bool,
}

/// A state that tells every difference: how many records, and a hash over all of them in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Fold {
    version: u32,
    count: u64,
    hash: u64,
}

impl Fold {
    fn take_in(&mut self, payload: &[u8]) {
        self.count += 1;
        for byte in payload {
            self.hash = (self.hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3).rotate_left(5);
        }
    }
}

impl Participant for Fold {
    fn name(&self) -> &'static str {
        "fold"
    }
    fn version(&self) -> u32 {
        self.version
    }
    fn snapshot(&self) -> Result<Vec<u8>, String> {
        Ok([self.count.to_le_bytes(), self.hash.to_le_bytes()].concat())
    }
    fn restore(&mut self, bytes: &[u8]) -> Result<(), String> {
        let long = |at: usize| bytes.get(at..at + 8)?.try_into().ok().map(u64::from_le_bytes);
        (self.count, self.hash) = long(0).zip(long(8)).ok_or("not sixteen bytes")?;
        Ok(())
    }
    fn replay(&mut self, record: &Record) {
        self.take_in(record.payload);
    }
    fn reset(&mut self) {
        (self.count, self.hash) = (0, 0);
    }
}

/// How often what is tested was met.
#[derive(Default)]
struct Met {
    compared: AtomicU64,
    snapshots: AtomicU64,
    used: AtomicU64,
    fallen_back: AtomicU64,
    cold: AtomicU64,
}

fn keys() -> [(&'static str, Vec<u8>); 2] {
    let folder = tempfile::tempdir().expect("a folder");
    Ledger::open(Arc::new(RealDisk::new(folder.path())), Sizes::default(), ORIGIN, Clock::System)
        .expect("a ledger");
    ["keys/signing", "keys/blinding"]
        .map(|path| (path, std::fs::read(folder.path().join(path)).expect("a key")))
}

/// The state that the trail itself tells, and how many records it has.
fn truth(disk: &SimulatedDisk, until: u64) -> Result<Fold, String> {
    let mut fold = Fold::default();
    let take_in = |record: &Record| {
        if record.sequence < until && !record.kind.is_of_the_ledger() {
            fold.take_in(record.payload);
        }
    };
    read(Arc::new(disk.clone()), 0, take_in).map_err(|error| error.to_string())?;
    Ok(fold)
}

fn schedule(seed: u64, mistakes: Mistakes, keys: &[(&str, Vec<u8>)], met: &Met) -> Result<(), String> {
    let mut dice = Dice::new(seed);
    let disk = SimulatedDisk::new(seed ^ 0xfeed, if dice.below(2) == 0 { 512 } else { 4_096 });
    for (path, bytes) in keys {
        disk.plant(path, bytes);
    }
    let sizes = Sizes {
        segment_bytes: 1_024 << dice.below(4),
        grow_bytes: 512,
        queue_bytes: 16_384,
        reserve_bytes: 0,
    };
    let shared: Arc<dyn Disk> = Arc::new(disk.clone());
    let (mut acknowledged, mut version) = (0, 1);
    for life in 0..LIVES {
        let is_last = life + 1 == LIVES;
        if !is_last {
            let calls = if dice.below(3) == 0 { 25 } else { 140 };
            disk.burn(1 + dice.below(calls));
        }
        // A new version of the software now and then.
        version += u32::from(dice.below(8) == 0);
        let opened = Ledger::open(shared.clone(), sizes, ORIGIN, Clock::System);
        if let Ok((ledger, opened)) = opened {
            let mut fold = Fold { version, count: 7, hash: 7 };
            match restore(shared.clone(), opened.first, &mut [&mut fold]) {
                Ok(restored) => {
                    met.used.fetch_add(u64::from(restored.snapshot.is_some()), Relaxed);
                    met.fallen_back.fetch_add(u64::from(!restored.refused.is_empty()), Relaxed);
                    met.cold.fetch_add(u64::from(!restored.cold.is_empty()), Relaxed);
                    // The power may have gone since: then there is nothing to compare with.
                    if let Ok(truth) = truth(&disk, opened.first) {
                        let truth = Fold { version, ..truth };
                        if fold != truth {
                            return Err(format!("seed {seed}, life {life}: {fold:?} instead of {truth:?}"));
                        }
                        if truth.count < acknowledged {
                            return Err(format!(
                                "seed {seed}: {acknowledged} acknowledged, {} there",
                                truth.count
                            ));
                        }
                        met.compared.fetch_add(1, Relaxed);
                    }
                    live(&mut dice, &disk, &ledger, &mut fold, &mut acknowledged, mistakes, met);
                }
                Err(error) if is_last => return Err(format!("seed {seed}: {error}")),
                Err(_) => {}
            }
        } else if is_last {
            return Err(format!(
                "seed {seed}: {}",
                opened.err().map_or(String::new(), |error| error.to_string())
            ));
        }
        disk.crash();
    }
    Ok(())
}

fn live(
    dice: &mut Dice,
    disk: &SimulatedDisk,
    ledger: &Ledger,
    fold: &mut Fold,
    acknowledged: &mut u64,
    mistakes: Mistakes,
    met: &Met,
) {
    if dice.below(4) == 0 {
        let fault = [Fault::Full, Fault::Broken, Fault::Interrupted, Fault::Short, Fault::ReadOnly];
        disk.fail(1 + dice.below(30), 1 + dice.below(4), fault[usize::try_from(dice.below(5)).unwrap_or(0)]);
    }
    for _ in 0..=dice.below(7) {
        let mut last = None;
        for _ in 0..=dice.below(3) {
            let length = usize::try_from(dice.below(300)).unwrap_or(0);
            let payload: Vec<u8> = (0..length).map(|_| dice.below(256).to_le_bytes()[0]).collect();
            if let Ok(ticket) = ledger.append(Kind::ALERT, ["", "a"][length % 2], &payload) {
                fold.take_in(&payload);
                last = Some(ticket);
            }
        }
        if last.is_some_and(|ticket| dice.below(2) == 0 && ticket.wait().is_ok()) {
            *acknowledged = fold.count;
        }
        if dice.below(3) == 0 {
            let Ok(mut snapshot) = take(ledger, 0, &[&*fold]) else { continue };
            if mistakes.one_too_late {
                snapshot.sequence += 1;
            }
            if mistakes.one_too_early {
                snapshot.sequence -= 1;
            }
            if mistakes.ahead {
                // As if the state went to the disk before the records that it is made of.
                let durable = ledger.status().durable;
                snapshot.sequence = snapshot.sequence.min(durable);
            } else if ledger.flush().is_err() {
                continue;
            } else {
                *acknowledged = fold.count;
            }
            // Some disks lie: a snapshot may turn out torn, and must give way to the one before.
            disk.lie(Lies { files: dice.below(3) == 0, folders: false });
            let saved = save(Arc::new(disk.clone()), &snapshot);
            disk.lie(Lies::default());
            met.snapshots.fetch_add(u64::from(saved.is_ok()), Relaxed);
        }
    }
    if dice.below(5) == 0 && ledger.stop().is_ok() {
        *acknowledged = fold.count;
    }
}

fn campaign(count: u64, mistakes: Mistakes, met: &Met) -> Option<String> {
    let keys = keys();
    let next = AtomicU64::new(0);
    let threads = std::thread::available_parallelism().map_or(2, usize::from);
    std::thread::scope(|scope| {
        let worker = || {
            loop {
                let seed = next.fetch_add(1, Relaxed);
                if seed >= count {
                    return None;
                }
                if let Err(error) = schedule(seed, mistakes, &keys, met) {
                    next.store(count, Relaxed);
                    return Some(error);
                }
            }
        };
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(worker)).collect();
        workers.into_iter().find_map(|worker| worker.join().expect("no panic"))
    })
}

#[test]
fn the_restored_state_is_that_of_the_trail_whatever_the_power_did() {
    let asked = std::env::var("BARTIZAN_SCHEDULES").ok().and_then(|number| number.parse().ok());
    let count: u64 = asked.unwrap_or(if cfg!(debug_assertions) { 2_000 } else { 100_000 });
    let (met, began) = (Met::default(), std::time::Instant::now());
    assert_eq!(campaign(count, Mistakes::default(), &met), None);
    let met = [&met.snapshots, &met.used, &met.fallen_back, &met.cold, &met.compared]
        .map(|number| number.load(Relaxed));
    println!(
        "{count} schedules in {:.1} s: {} snapshots, {} used, {} with an unusable one, {} cold; {} states compared",
        began.elapsed().as_secs_f64(),
        met[0],
        met[1],
        met[2],
        met[3],
        met[4]
    );
    assert!(met[2] > count / 100, "hardly any snapshot was damaged: {met:?}");
    assert!(
        met[0] > count / 4 && met[1] > count / 4 && met[3] > count / 10 && met[4] > count,
        "hardly anything was tested: {met:?}"
    );
}

/// The test of the test.
#[test]
fn a_snapshot_that_belongs_elsewhere_does_not_pass() {
    for mistakes in [
        Mistakes { one_too_late: true, ..Mistakes::default() },
        Mistakes { one_too_early: true, ..Mistakes::default() },
        Mistakes { ahead: true, ..Mistakes::default() },
    ] {
        let found = campaign(2_000, mistakes, &Met::default());
        assert!(found.is_some(), "{mistakes:?} went unnoticed");
    }
}
