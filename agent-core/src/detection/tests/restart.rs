//! Another process goes on where one was killed: nothing is learned anew, told twice or left open.

use super::harness::{Host, config, identity, letters};
use crate::alerts::{Alert, AlertState};
use crate::detection::{Copy, Memory};
use crate::ledger::{Kind, Record};
use crate::recovery::Participant;
use crate::sampling::metrics::vm as vm_metrics;

const STOPPED: &str = "[[rules]]\nname = \"stopped\"\nkind = \"state\"\nmetric = \"vm_state\"\nis = [2]\n";
const USUAL: &str = "[[rules]]\nname = \"usual\"\nkind = \"baseline\"\nmetric = \"vm_memory_resident_bytes\"\n\
                     sigmas = 4\nmin_change = 1000\nwarm_up_s = 60\ndirection = \"above\"\n";

fn copied(host: &Host) -> Copy {
    let mut copy = Copy::with_room(host.detector.series()).unwrap();
    while !host.detector.copy(&mut copy, host.writer.frame(), &host.roster) {}
    copy
}

/// What another process finds after this one was killed: a snapshot, and the alerts that were recorded behind it.
fn memory(host: &Host, recorded: &[Alert], behind: &[Alert]) -> Memory {
    let mut memory = Memory::new(1);
    for alert in recorded {
        memory.note(alert);
    }
    memory.take(copied(host));
    let bytes = memory.snapshot().unwrap();
    let mut restored = Memory::new(1);
    restored.restore(&bytes).unwrap();
    for alert in behind {
        let state = if alert.state == AlertState::Firing { "firing" } else { "resolved" };
        let payload = format!(
            r#"{{"series":"{:016x}","since_mono_ns":{},"state":"{state}"}}"#,
            alert.series, alert.since_mono_ns
        );
        let payload = payload.as_bytes();
        let kind = Kind::ALERT;
        restored.replay(&Record { sequence: 0, run: 1, wall_ns: 0, mono_ns: 0, kind, tenant: "", payload });
    }
    restored
}

/// A process that goes on, at the time at which the other one was.
fn next(rules: &str, before: &Host, memory: &Memory) -> Host {
    let mut host = Host::with(&config(rules));
    host.tick = before.tick;
    host.detector.go_on_from(Box::new(memory.recall()));
    host.enter(5, &identity("web-1", 7));
    host
}

#[test]
fn what_fired_is_not_told_twice_and_is_resolved_when_it_is_over() {
    let mut host = Host::new(STOPPED);
    host.enter(1, &identity("web-1", 7));
    let fired = host.say(0, vm_metrics::STATE, 2);
    assert_eq!(letters(&fired), "F");
    // Recorded before the snapshot, or after it: the same.
    for (recorded, behind) in [(&fired[..], &[][..]), (&[][..], &fired[..])] {
        let mut after = next(STOPPED, &host, &memory(&host, recorded, behind));
        let repeated = after.say(0, vm_metrics::STATE, 2);
        assert!(repeated.len() == 1 && repeated[0].is_repeat && repeated[0].id == fired[0].id, "told before");
        assert_eq!(letters(&after.say(0, vm_metrics::STATE, 2)), "", "and repeated once");
        assert_eq!(after.detector.firing(), 1);
        let over = after.say(0, vm_metrics::STATE, 1);
        assert_eq!((letters(&over), over[0].id), ("R".to_owned(), fired[0].id));
    }
}

#[test]
fn an_alert_that_was_lost_on_its_way_is_told_again_with_its_id() {
    let mut host = Host::new(STOPPED);
    host.enter(1, &identity("web-1", 7));
    let fired = host.say(0, vm_metrics::STATE, 2);
    let mut after = next(STOPPED, &host, &memory(&host, &[], &[]));
    let again = after.say(0, vm_metrics::STATE, 2);
    assert_eq!((letters(&again), again[0].id, again[0].is_repeat), ("F".to_owned(), fired[0].id, false));
}

#[test]
fn what_ended_while_nobody_looked_is_resolved_and_what_was_resolved_stays_so() {
    let mut host = Host::new(STOPPED);
    host.enter(1, &identity("web-1", 7));
    let fired = host.say(0, vm_metrics::STATE, 2);
    let snapshot = memory(&host, &fired, &[]);
    let mut after = next(STOPPED, &host, &snapshot);
    assert_eq!(letters(&after.say(0, vm_metrics::STATE, 1)), "R");
    let resolved = host.say(0, vm_metrics::STATE, 1);
    let mut after = next(STOPPED, &host, &memory(&host, &fired, &resolved));
    assert_eq!(letters(&after.say(0, vm_metrics::STATE, 1)), "");
    assert_eq!(after.detector.firing(), 0);
    // Another VM of the same name is another one.
    let mut other = Host::new(STOPPED);
    other.tick = host.tick;
    other.detector.go_on_from(Box::new(snapshot.recall()));
    other.enter(1, &identity("web-1", 8));
    assert_eq!(letters(&other.say(0, vm_metrics::STATE, 2)), "F");
}

#[test]
fn a_rule_that_changed_meanwhile_resolves_what_the_old_one_told() {
    let mut host = Host::new(STOPPED);
    host.enter(1, &identity("web-1", 7));
    let fired = host.say(0, vm_metrics::STATE, 2);
    let changed = format!("{STOPPED}clear_for_s = 9\n");
    let mut after = next(&changed, &host, &memory(&host, &fired, &[]));
    let said = after.say(0, vm_metrics::STATE, 2);
    assert_eq!((letters(&said), said[0].id), ("RF".to_owned(), fired[0].id));
}

#[test]
fn a_baseline_is_not_learned_anew_but_after_a_boot_what_is_timed_is() {
    let mut host = Host::new(USUAL);
    host.enter(1, &identity("web-1", 7));
    for sample in 0..600_i64 {
        assert_eq!(letters(&host.say(0, vm_metrics::MEMORY_RESIDENT, 1_000_000 + sample % 7)), "");
    }
    let memory = memory(&host, &[], &[]);
    let mut after = next(USUAL, &host, &memory);
    assert_eq!(letters(&after.say(0, vm_metrics::MEMORY_RESIDENT, 9_000_000)), "F");
    let mut cold = Host::new(USUAL);
    cold.tick = host.tick;
    cold.enter(5, &identity("web-1", 7));
    assert_eq!(letters(&cold.say(0, vm_metrics::MEMORY_RESIDENT, 9_000_000)), "", "it knows nothing");
    // The same state in another boot, whose clock began anew: judged at once all the same.
    let mut rebooted = Memory::new(2);
    rebooted.restore(&memory.snapshot().unwrap()).unwrap();
    let mut after = Host::new(USUAL);
    after.detector.go_on_from(Box::new(rebooted.recall()));
    after.enter(5, &identity("web-1", 7));
    assert_eq!(letters(&after.say(0, vm_metrics::MEMORY_RESIDENT, 9_000_000)), "F");
}

#[test]
fn a_snapshot_that_ends_too_early_is_refused() {
    let mut host = Host::new(STOPPED);
    host.enter(1, &identity("web-1", 7));
    let fired = host.say(0, vm_metrics::STATE, 2);
    let bytes = memory(&host, &fired, &[]).snapshot().unwrap();
    for cut in 0..bytes.len() {
        let restored = Memory::new(1).restore(&bytes[..cut]);
        // Pieces are whole or missing: one that is missing altogether is the store's to notice.
        let is_whole =
            cut == 16 || u32::from_le_bytes(bytes[16..20].try_into().unwrap()) as usize + 20 == cut;
        assert_eq!(restored.is_ok(), is_whole, "{cut} bytes");
    }
}
