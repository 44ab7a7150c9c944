//! Power is lost at any call, in any state of the disk's cache: nothing that was acknowledged is lost, nothing is there
//! that was not appended, and the order is kept.
//!
//! Optimised, 100,000 schedules take some seconds: `cargo test --profile simulation -p bartizan-core --test
//! ledger_power_loss`. `BARTIZAN_SCHEDULES=1000000` sets another number; not optimised it is 2,000.

use bartizan_core::ledger::simulated::{Dice, Fault, Lies, SimulatedDisk};
use bartizan_core::ledger::verify::{Trust, verify};
use bartizan_core::ledger::{Kind, Ledger, LedgerError, RealDisk, Sizes, read};
use bartizan_core::sys::clock::Clock;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

const ORIGIN: &str = "bartizan/power";
const LIVES: u64 = 3;

/// Keys are made once: what is tested is the trail, and making them is most of the time of a schedule.
fn keys() -> [(&'static str, Vec<u8>); 2] {
    let folder = tempfile::tempdir().expect("a folder");
    let disk = Arc::new(RealDisk::new(folder.path()));
    Ledger::open(disk, Sizes::default(), ORIGIN, Clock::System).expect("a ledger");
    ["keys/signing", "keys/blinding"]
        .map(|path| (path, std::fs::read(folder.path().join(path)).expect("a key")))
}

/// What is known of the trail from outside.
#[derive(Default)]
struct Model {
    /// What was appended under which number, by the last that did.
    appended: BTreeMap<u64, Vec<u8>>,
    /// Records below this number were acknowledged.
    acknowledged: u64,
}

/// Compares the trail with the model; takes over what is there.
fn check(disk: &SimulatedDisk, model: &mut Model) -> Result<(), String> {
    let mut seen = Vec::new();
    let next = read(Arc::new(disk.clone()), 0, |record| {
        seen.push((record.sequence, record.kind, record.payload.to_vec()));
    })
    .map_err(|error| format!("unreadable: {error}"))?;
    if next < model.acknowledged {
        return Err(format!("{} records acknowledged, {next} there", model.acknowledged));
    }
    for (at, (sequence, kind, payload)) in seen.iter().enumerate() {
        if *sequence != at as u64 {
            return Err(format!("record {at} has number {sequence}"));
        }
        // An opening that lost power itself may have cut off what was never acknowledged, and begun a run in its place.
        if *kind == Kind::START && *sequence >= model.acknowledged {
            model.appended.split_off(sequence);
        }
        let ours = model.appended.get(sequence);
        if (*kind == Kind::ALERT) != ours.is_some() || ours.is_some_and(|ours| ours != payload) {
            return Err(format!("record {at} ({kind:?}) was not appended so"));
        }
    }
    model.appended.retain(|sequence, _| *sequence < next);
    Ok(())
}

/// Appends, waits, loses power, opens again: some lives of a ledger.
fn schedule(seed: u64, lies: Lies, keys: &[(&str, Vec<u8>)]) -> Result<(), String> {
    let mut dice = Dice::new(seed);
    let sector = if dice.below(2) == 0 { 512 } else { 4_096 };
    let disk = SimulatedDisk::new(seed ^ 0xdead, sector);
    for (path, bytes) in keys {
        disk.plant(path, bytes);
    }
    disk.lie(lies);
    let sizes = Sizes {
        segment_bytes: 1_024 << dice.below(4),
        grow_bytes: 256 << dice.below(5),
        queue_bytes: 16 * 1_024,
        reserve_bytes: if dice.below(4) == 0 { 600 } else { 0 },
    };
    let mut model = Model::default();
    let mut payload = vec![0; 700];
    for life in 0..LIVES {
        // Recovery has about fifteen calls: some schedules lose power in it.
        if life + 1 < LIVES {
            let calls = if dice.below(3) == 0 { 20 } else { 90 };
            disk.burn(1 + dice.below(calls));
        }
        if let Ok((ledger, opened)) = Ledger::open(Arc::new(disk.clone()), sizes, ORIGIN, Clock::System) {
            model.appended.retain(|sequence, _| *sequence < opened.first);
            model.acknowledged = model.acknowledged.max(opened.first + 1);
            if dice.below(3) == 0 {
                let fault = [Fault::Full, Fault::Broken, Fault::Interrupted, Fault::Short, Fault::ReadOnly]
                    [usize::try_from(dice.below(5)).unwrap_or(0)];
                disk.fail(1 + dice.below(12), 1 + dice.below(4), fault);
            }
            for _ in 0..=dice.below(8) {
                let mut last = None;
                for _ in 0..=dice.below(4) {
                    let length = usize::try_from(dice.below(700)).unwrap_or(0);
                    let word = dice.below(u64::MAX).to_le_bytes();
                    payload[..8].copy_from_slice(&word);
                    payload[length.saturating_sub(8)..][..8].copy_from_slice(&word);
                    if let Ok(ticket) =
                        ledger.append(Kind::ALERT, ["", "a", "bb"][length % 3], &payload[..length])
                    {
                        model.appended.insert(ticket.sequence(), payload[..length].to_vec());
                        last = Some(ticket);
                    }
                }
                if dice.below(24) == 0 && ledger.checkpoint().is_ok() {
                    model.acknowledged = model.acknowledged.max(ledger.status().durable);
                }
                if let Some(ticket) = last
                    && dice.below(5) > 0
                    && ticket.wait().is_ok()
                {
                    model.acknowledged = model.acknowledged.max(ticket.sequence() + 1);
                }
            }
            if dice.below(4) == 0 && ledger.stop().is_ok() {
                model.acknowledged = model.acknowledged.max(ledger.status().next);
            }
        }
        disk.crash();
        // What the power left behind is read before recovery too, and again after it.
        if life + 1 == LIVES {
            let (ledger, _) = Ledger::open(Arc::new(disk.clone()), sizes, ORIGIN, Clock::System)
                .map_err(|error| error.to_string())?;
            if seed.is_multiple_of(16) {
                // What was signed before the power went is still what the trail says.
                ledger.checkpoint().map_err(|error| format!("seed {seed}: {error}"))?;
                verify(Arc::new(disk.clone()), &Trust::default())
                    .map_err(|error| format!("seed {seed}: {error:?}"))?;
            }
            drop(ledger);
        }
        match check(&disk, &mut model) {
            // A crash within the very first opening leaves no trail yet.
            Err(error) if life + 1 == LIVES || model.acknowledged > 0 && !error.starts_with("unreadable") => {
                return Err(format!("seed {seed}, life {life}: {error}"));
            }
            _ => {}
        }
    }
    Ok(())
}

fn schedules() -> u64 {
    let asked = std::env::var("BARTIZAN_SCHEDULES").ok().and_then(|number| number.parse().ok());
    asked.unwrap_or(if cfg!(debug_assertions) { 2_000 } else { 100_000 })
}

/// Runs so many schedules on all processors; tells the first that failed.
fn campaign(count: u64, lies: Lies) -> Option<String> {
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
                if let Err(error) = schedule(seed, lies, &keys) {
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
fn nothing_acknowledged_is_lost_and_nothing_is_invented() {
    let (count, began) = (schedules(), std::time::Instant::now());
    assert_eq!(campaign(count, Lies::default()), None);
    println!("{count} schedules in {:.1} s", began.elapsed().as_secs_f64());
}

/// The test of the test: a ledger without its syncs must not pass.
#[test]
fn without_its_syncs_the_ledger_does_not_pass() {
    for lies in [Lies { files: true, folders: false }, Lies { files: false, folders: true }] {
        let found = campaign(2_000, lies);
        assert!(found.is_some(), "{lies:?} went unnoticed");
    }
}

/// The same short life, with every fault at every one of its calls, once and for good.
#[test]
fn every_fault_at_every_call_leaves_the_trail_whole() {
    let keys = keys();
    let sizes = Sizes { segment_bytes: 2_048, grow_bytes: 512, queue_bytes: 8_192, reserve_bytes: 600 };
    let live = |fault: Option<(u64, u64, Fault)>| -> u64 {
        let disk = SimulatedDisk::new(7, 512);
        for (path, bytes) in &keys {
            disk.plant(path, bytes);
        }
        if let Some((call, count, fault)) = fault {
            disk.fail(call, count, fault);
        }
        let mut model = Model::default();
        if let Ok((ledger, opened)) = Ledger::open(Arc::new(disk.clone()), sizes, ORIGIN, Clock::System) {
            model.acknowledged = opened.first + 1;
            for number in 0..12u8 {
                let payload = vec![number; 40 * usize::from(number)];
                match ledger.append(Kind::ALERT, "t", &payload) {
                    Ok(ticket) => {
                        model.appended.insert(ticket.sequence(), payload);
                        if ticket.wait().is_ok() {
                            model.acknowledged = ticket.sequence() + 1;
                        }
                    }
                    Err(error) => assert_eq!(error, LedgerError::Full),
                }
            }
            let calls = disk.calls();
            disk.mend();
            // The disk is back: everything that was queued becomes durable by itself.
            ledger
                .flush()
                .and_then(|()| ledger.maintain())
                .and_then(|()| ledger.flush())
                .expect("a good disk");
            model.acknowledged = ledger.status().next;
            drop(ledger);
            disk.crash();
            check(&disk, &mut model).unwrap_or_else(|error| panic!("{fault:?}: {error}"));
            return calls;
        }
        assert!(fault.is_some());
        disk.mend();
        disk.crash();
        Ledger::open(Arc::new(disk), sizes, ORIGIN, Clock::System).expect("a good disk");
        0
    };
    let calls = live(None);
    assert!(calls > 40, "{calls} calls");
    for fault in [Fault::Full, Fault::Broken, Fault::ReadOnly, Fault::Interrupted, Fault::Short] {
        for call in 1..=calls {
            live(Some((call, 1, fault)));
            if fault != Fault::Interrupted {
                live(Some((call, u64::MAX, fault)));
            }
        }
    }
}
