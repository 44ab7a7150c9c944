use super::simulated::{Fault, SimulatedDisk};
use super::*;
use crate::sys::clock::Clock;
use std::sync::Arc;

const ORIGIN: &str = "bartizan/test";

fn small() -> Sizes {
    Sizes { segment_bytes: 2_048, grow_bytes: 512, queue_bytes: 4_096, reserve_bytes: 1_024 }
}

fn open(disk: &SimulatedDisk) -> (Ledger, Opened) {
    Ledger::open(Arc::new(disk.clone()), small(), ORIGIN, Clock::System).unwrap()
}

fn kinds(disk: &SimulatedDisk) -> Vec<Kind> {
    let mut kinds = Vec::new();
    read(Arc::new(disk.clone()), 0, |record| kinds.push(record.kind)).unwrap();
    kinds
}

#[test]
fn what_is_appended_is_read_back_over_several_segments_and_runs() {
    let folder = tempfile::tempdir().unwrap();
    let disk = || Arc::new(RealDisk::new(&folder.path().join("ledger")));
    let mut expected = Vec::new();
    for run in 1..=3u32 {
        let (ledger, opened) = Ledger::open(disk(), small(), ORIGIN, Clock::System).unwrap();
        let last = if run == 1 { LastRun::None } else { LastRun::Clean };
        assert_eq!(opened, Opened { run, last, first: expected.len() as u64 });
        expected.push((Kind::START, String::new(), None));
        for number in 0..50u32 {
            let (tenant, payload) = (format!("t{}", number % 3), number.to_le_bytes());
            if run == 1 && number < 3 {
                expected.push((Kind::LOG, tenant.clone(), None));
            }
            let ticket = ledger.append(Kind::ALERT, &tenant, &payload).unwrap();
            assert_eq!(ticket.sequence(), expected.len() as u64);
            expected.push((Kind::ALERT, tenant, Some(payload.to_vec())));
            if number % 7 == 0 {
                ticket.wait().unwrap();
                assert!(ticket.is_durable());
            }
        }
        ledger.stop().unwrap();
        ledger.stop().unwrap();
        assert!(matches!(ledger.append(Kind::ALERT, "", b""), Err(LedgerError::Stopped)));
        expected.push((Kind::HEADS, String::new(), None));
        expected.push((Kind::STOP, String::new(), None));
    }
    let (mut at, mut before) = (0, (0, 0));
    let next = read(disk(), 0, |record| {
        let (kind, tenant, payload) = &expected[at];
        assert_eq!((record.sequence, record.kind, record.tenant), (at as u64, *kind, &tenant[..]));
        assert!(payload.as_ref().is_none_or(|payload| *payload == record.payload));
        assert!((record.run, record.mono_ns) > before);
        before = (record.run, record.mono_ns);
        at += 1;
    });
    assert_eq!(next, Ok(expected.len() as u64));
    assert_eq!(at, expected.len());
    assert!(std::fs::read_dir(folder.path().join("ledger/segments")).unwrap().count() > 5);
    let mut seen = 0;
    read(disk(), 100, |record| {
        assert!(record.sequence >= 100);
        seen += 1;
    })
    .unwrap();
    assert_eq!(seen, expected.len() - 100);
}

#[test]
fn many_threads_share_syncs_and_each_gets_its_own_number() {
    let folder = tempfile::tempdir().unwrap();
    let disk = Arc::new(RealDisk::new(folder.path()));
    let (ledger, _) = Ledger::open(disk.clone(), Sizes::default(), ORIGIN, Clock::System).unwrap();
    std::thread::scope(|scope| {
        for thread in 0..8u8 {
            let ledger = ledger.clone();
            scope.spawn(move || {
                for number in 0..50u8 {
                    let ticket = ledger.append(Kind::ALERT, "", &[thread, number]).unwrap();
                    ticket.wait().unwrap();
                }
            });
        }
    });
    let mut next = [0u8; 8];
    read(disk, 1, |record| {
        let [thread, number] = record.payload else { panic!("{record:?}") };
        assert_eq!(next[usize::from(*thread)], *number, "the order of a thread's records is kept");
        next[usize::from(*thread)] += 1;
    })
    .unwrap();
    assert_eq!(next, [50; 8]);
}

#[test]
fn a_second_writer_another_origin_and_nonsense_are_refused() {
    let disk = SimulatedDisk::new(1, 512);
    let (ledger, _) = open(&disk);
    let again = |origin: &str| Ledger::open(Arc::new(disk.clone()), small(), origin, Clock::System).err();
    assert_eq!(again(ORIGIN), Some(LedgerError::Locked));
    assert!(matches!(
        ledger.append(Kind::ALERT, "", &vec![0; PAYLOAD_BYTES_MAX + 1]),
        Err(LedgerError::Record(_))
    ));
    let long = "x".repeat(TENANT_BYTES_MAX + 1);
    assert!(matches!(ledger.append(Kind::ALERT, &long, &[]), Err(LedgerError::Record(_))));
    drop(ledger);
    assert!(matches!(again("bartizan/other"), Some(LedgerError::Key(_))));
    for nonsense in ["", "a b", "a+b", "a\nb"] {
        assert!(matches!(again(nonsense), Some(LedgerError::Key(_))));
    }
}

#[test]
fn a_run_that_was_cut_off_is_told_by_the_next() {
    let disk = SimulatedDisk::new(1, 512);
    let (ledger, _) = open(&disk);
    ledger.append(Kind::ALERT, "", b"acknowledged").unwrap().wait().unwrap();
    drop(ledger);
    disk.crash();
    assert_eq!(open(&disk).1.last, LastRun::Cut { torn_bytes: 0 });
    assert_eq!(kinds(&disk), [Kind::START, Kind::ALERT, Kind::START]);
}

#[test]
fn a_full_disk_is_recorded_and_left_behind() {
    let disk = SimulatedDisk::new(1, 512);
    let (ledger, _) = open(&disk);
    disk.fail(1, u64::MAX, Fault::Full);
    let ticket = ledger.append(Kind::ALERT, "", &[1; 600]).unwrap();
    assert!(matches!(ticket.wait(), Err(LedgerError::Disk { errno: libc::ENOSPC, .. })));
    assert_eq!(ledger.status().health, Health::Full);
    assert!(!ticket.is_durable());
    // More comes than the queue holds.
    while ledger.append(Kind::ALERT, "", &[2; 600]).is_ok() {}
    let refused = ledger.status().refused;
    assert!(refused > 0);
    assert!(ledger.flush().is_err());
    disk.mend();
    ledger.maintain().unwrap();
    ledger.maintain().unwrap();
    assert!(ticket.is_durable());
    assert_eq!((ledger.status().health, ledger.status().queued_bytes), (Health::Good, 0));
    let (mut losses, mut changes) = (Vec::new(), Vec::new());
    read(Arc::new(disk.clone()), 0, |record| match record.kind {
        Kind::LOSS => losses.push(decode::<Loss>(record.payload).unwrap()),
        Kind::DISK => changes.push(decode::<DiskChange>(record.payload).unwrap().state),
        _ => {}
    })
    .unwrap();
    assert_eq!(losses, [Loss { refused, refused_total: refused }]);
    assert_eq!((changes.first(), changes.last()), (Some(&1), Some(&0)));
}

/// Room comes only from the reserve: the record of the full disk is durable while the disk is full.
#[test]
fn the_reserve_lets_a_full_disk_be_recorded() {
    let disk = SimulatedDisk::new(1, 512);
    let (ledger, _) = open(&disk);
    // The first write fails; behind the removal of the reserve there is room again.
    disk.fail(1, 1, Fault::Full);
    ledger.append(Kind::ALERT, "", &[1; 600]).unwrap().wait().unwrap();
    assert_eq!(ledger.status().health, Health::Full);
    ledger.flush().unwrap();
    assert_eq!(kinds(&disk), [Kind::START, Kind::ALERT, Kind::DISK]);
    ledger.maintain().unwrap();
    assert_eq!(ledger.status().health, Health::Good);
    assert!(disk.contents("reserve").is_some());
}

#[test]
fn other_states_of_the_disk_have_their_names() {
    for (fault, health) in [(Fault::Broken, Health::Failing), (Fault::ReadOnly, Health::ReadOnly)] {
        let disk = SimulatedDisk::new(1, 512);
        let (ledger, _) = open(&disk);
        disk.fail(1, 3, fault);
        let ticket = ledger.append(Kind::ALERT, "", &[1; 600]).unwrap();
        assert!(ticket.wait().is_err());
        assert_eq!(ledger.status().health, health);
        disk.mend();
        ticket.wait().unwrap();
        ledger.flush().unwrap();
        assert_eq!((ledger.status().health, ledger.status().errno), (Health::Good, 0));
        assert_eq!(kinds(&disk), [Kind::START, Kind::ALERT, Kind::DISK, Kind::DISK]);
    }
}

#[test]
fn damage_in_the_middle_keeps_the_ledger_from_opening_and_is_told_with_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let disk = || Arc::new(RealDisk::new(folder.path()));
    let (ledger, _) = Ledger::open(disk(), Sizes::default(), ORIGIN, Clock::System).unwrap();
    for _ in 0..5 {
        ledger.append(Kind::ALERT, "", &[5; 100]).unwrap().wait().unwrap();
    }
    ledger.stop().unwrap();
    drop(ledger);
    let path = folder.path().join("segments/0000000000000000.btzl");
    let mut bytes = std::fs::read(&path).unwrap();
    let at = bytes.windows(4).position(|window| window == [5; 4]).unwrap();
    bytes[at] ^= 4;
    std::fs::write(&path, &bytes).unwrap();
    let error = Ledger::open(disk(), Sizes::default(), ORIGIN, Clock::System).err().unwrap();
    let LedgerError::Damaged { path, offset, .. } = &error else { panic!("{error}") };
    assert_eq!((&path[..], *offset), ("segments/0000000000000000.btzl", at as u64 - 48));
    assert!(matches!(read(disk(), 0, |_| {}), Err(LedgerError::Damaged { .. })));
}

#[test]
fn an_append_does_not_wait_long_for_a_checkpoint_that_hangs() {
    let disk = SimulatedDisk::new(1, 512);
    let (ledger, _) = open(&disk);
    let held = ledger.shared.state.lock();
    let other = ledger.clone();
    let refused = std::thread::spawn(move || other.append(Kind::ALERT, "", b"late").err()).join().unwrap();
    assert_eq!(refused, Some(LedgerError::Full));
    drop(held);
    assert_eq!(ledger.status().refused, 1);
    ledger.append(Kind::ALERT, "", b"on time").unwrap().wait().unwrap();
    ledger.flush().unwrap();
    assert_eq!(kinds(&disk), [Kind::START, Kind::ALERT, Kind::LOSS]);
}
