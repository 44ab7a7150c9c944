//! Rules that predict: what they say, and how they are scored.

use super::harness::{Host, SECOND_NS, identity, letters};
use crate::alerts::{Alert, AlertState};
use crate::detection::forecast::Record;
use crate::sampling::metrics::{host, vm};

const GIB: i64 = 1 << 30;
const MEMORY: &str = "[[rules]]\nname = \"memory\"\nkind = \"exhaustion\"\nsummary = \"available memory\"\n\
    metric = \"host_memory_available_bytes\"\nover = [\"host_memory_total_bytes\"]\nbelow = 0.1\nwindow_s = 64\n\
    horizon_s = 640\nfor_s = 3\nclear_for_s = 5\n";

/// A second with so much memory, in thousandths of all.
fn memory(host: &mut Host, permille: i64) -> Vec<Alert> {
    host.pass();
    host.set(0, host::MEMORY_TOTAL, 100 * GIB);
    host.set(0, host::MEMORY_AVAILABLE, permille * GIB / 10);
    host.judge()
}

fn record(host: &Host) -> Record {
    *host.detector.predictions().next().expect("one rule").2
}

/// Falls by `step` a second until an alert fires; the alert, and what is left.
fn falls(host: &mut Host, mut permille: i64, step: i64) -> (Alert, i64) {
    loop {
        if let Some(alert) = memory(host, permille).first() {
            return (*alert, permille);
        }
        permille -= step;
        assert!(permille > 100, "nothing was said in time");
    }
}

#[test]
fn an_alert_says_when_it_will_be_used_up_and_how_sure_that_is() {
    let mut host = Host::new(MEMORY);
    (0..80).for_each(|_| assert!(memory(&mut host, 800).is_empty()));
    let (alert, permille) = falls(&mut host, 800, 4);
    let left = f64::from(i32::try_from(permille - 100).expect("small")) / 4.0;
    assert!(alert.expected_min <= left && left <= alert.expected_max, "{alert:?} {left}");
    assert!(left > 60.0 && (alert.observed - left).abs() < left / 2.0, "{} {left}", alert.observed);
    let message = alert.message.as_str();
    assert!(message.starts_with("available memory ") && message.contains(" %, 10 % in "), "{message}");
    assert!(message.ends_with(')') && message.contains(" to "), "{message}");
}

#[test]
fn a_prediction_is_scored_by_what_came_of_it() {
    let mut host = Host::new(MEMORY);
    (0..80).for_each(|_| assert!(memory(&mut host, 800).is_empty()));
    let (_, permille) = falls(&mut host, 800, 4);
    assert_eq!((record(&host).made, record(&host).open()), (1, 1));
    let left = u64::try_from((permille - 100) / 4).expect("positive");
    let mut at = permille;
    while at > 100 {
        at -= 4;
        assert_eq!(letters(&memory(&mut host, at)), "", "at {at}");
    }
    let came = record(&host);
    assert_eq!((came.came_true, came.in_interval, came.open()), (1, 1, 0), "{came:?}");
    assert!(came.lead_ns_total.abs_diff(left * SECOND_NS) <= SECOND_NS, "{came:?} {left}");

    // It stays used up: still firing, and no second event. Then somebody makes room.
    (0..20).for_each(|_| assert!(memory(&mut host, 50).is_empty()));
    let said: String = (0..80).map(|_| letters(&memory(&mut host, 800))).collect();
    assert_eq!(said, "R");
    // The next one comes out of nowhere.
    (0..20).for_each(|_| assert!(memory(&mut host, 800).is_empty()));
    memory(&mut host, 20);
    assert_eq!((record(&host).made, record(&host).unforeseen), (1, 1));
}

#[test]
fn a_leak_that_stops_is_counted_against_the_rule() {
    let mut host = Host::new(MEMORY);
    (0..80).for_each(|_| assert!(memory(&mut host, 800).is_empty()));
    let (alert, permille) = falls(&mut host, 800, 4);
    let mut said = String::new();
    for _ in 0..1_000 {
        let alerts = memory(&mut host, permille);
        said += &letters(&alerts);
        for over in &alerts {
            assert_eq!((over.state, over.id), (AlertState::Resolved, alert.id));
            assert!(over.message.contains("no longer about to be used up"), "{}", over.message);
        }
    }
    assert_eq!(said, "R");
    let record = record(&host);
    assert_eq!((record.made, record.came_to_nothing, record.open()), (1, 1, 0), "{record:?}");
    assert_eq!((record.precision(), record.coverage()), (Some(0.0), None));
}

#[test]
fn a_vm_that_leaves_takes_its_prediction_along() {
    let rule = "[[rules]]\nname = \"files\"\nkind = \"exhaustion\"\nmetric = \"vm_open_files\"\n\
        over = [\"vm_open_files_max\"]\nabove = 0.95\nwindow_s = 64\n";
    let mut host = Host::new(rule);
    let web = identity("web-1", 7);
    host.enter(1, &web);
    let mut said = String::new();
    for second in 0..200 {
        host.pass();
        host.set(0, vm::OPEN_FILES_MAX, 1_000);
        host.set(0, vm::OPEN_FILES, 100 + 2 * second);
        said += &letters(&host.judge());
    }
    assert_eq!(said, "F");
    host.leave(1, &web, true);
    let record = record(&host);
    assert_eq!((record.made, record.withdrawn, record.open()), (1, 1, 0), "{record:?}");
}

#[test]
fn a_counter_that_stops_is_told_since_when_and_scored_by_whether_it_goes_on() {
    let rule = "[[rules]]\nname = \"still\"\nkind = \"standstill\"\nsummary = \"run time\"\n\
        metric = \"vm_vcpu_run_seconds\"\nhorizon_s = 30\n";
    let mut host = Host::new(rule);
    host.enter(1, &identity("web-1", 7));
    let mut run = 0;
    let mut second = |host: &mut Host, moves: bool| {
        run += i64::from(moves) * 1_000_000;
        host.say(0, vm::VCPU_RUN, run)
    };
    // Once in two seconds is this guest's rhythm.
    for index in 0..100 {
        assert!(second(&mut host, index % 2 == 0).is_empty());
    }
    let moved_ns = host.tick.mono_ns - SECOND_NS;
    let told = (0..20).find_map(|_| second(&mut host, false).first().copied()).expect("it is told");
    assert_eq!(told.since_mono_ns, moved_ns);
    assert!(told.observed > told.expected_max && told.expected_max > 2.0, "{told:?}");
    assert!(told.message.contains("run time has not moved for "), "{}", told.message);
    assert!(told.message.contains("at most)"), "{}", told.message);
    // It goes on: that was no standstill.
    let over: String = (0..30).map(|index| letters(&second(&mut host, index % 2 == 0))).collect();
    assert_eq!((over.as_str(), record(&host).came_to_nothing), ("R", 1));
    // This time for good.
    let said: String = (0..60).map(|_| letters(&second(&mut host, false))).collect();
    let record = record(&host);
    assert_eq!((said.as_str(), record.made, record.came_true, record.open()), ("F", 2, 1, 0));
}

#[test]
fn a_vm_that_ends_again_and_again_is_told_once_and_until_it_rests() {
    let rule = "[[rules]]\nname = \"loop\"\nkind = \"gone\"\nsummary = \"crashes\"\ntimes = 3\nwithin_s = 100\n\
        clear_for_s = 50\n";
    let mut host = Host::new(rule);
    let (web, other) = (identity("web-1", 7), identity("db-1", 8));
    let mut said = Vec::new();
    for generation in 1..6 {
        let vm = if generation == 2 { &other } else { &web };
        host.enter(generation, vm);
        host.pass_ns(10 * SECOND_NS);
        said.push(letters(&host.judge()));
        host.leave(generation, vm, true);
        said.push(letters(&host.judge()));
    }
    assert_eq!(said.concat(), "F", "{said:?}");
    assert_eq!(said[7], "F", "at the third end of web-1: {said:?}");
    host.pass_ns(51 * SECOND_NS);
    let over = host.judge();
    assert_eq!(over[0].message.as_str(), "web-1: has not ended again for 51 s");
    // Ends that are far apart are no loop.
    let mut later = String::new();
    for generation in 6..10 {
        host.enter(generation, &web);
        host.pass_ns(60 * SECOND_NS);
        host.leave(generation, &web, true);
        later += &letters(&host.judge());
    }
    assert_eq!(later, "");
}
