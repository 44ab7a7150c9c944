//! Each kind of rule.

use super::harness::{Host, SECOND_NS, identity, letters};
use crate::alerts::{AlertState, Severity};
use crate::sampling::availability::Availability;
use crate::sampling::metrics::{host, vcpu, vm};

const SECOND: i64 = 1_000_000_000;
const GIB: i64 = 1 << 30;

#[test]
fn a_threshold_on_a_rate_fires_after_its_time_and_clears_below_the_lower_level() {
    let mut host = Host::new(
        "[[rules]]\nname = \"wait\"\nsummary = \"vCPU wait\"\nmetric = \"vcpu_wait_seconds\"\nabove = 0.2\n\
         clear = 0.1\nfor_s = 3\nclear_for_s = 2\nseverity = \"critical\"\n",
    );
    host.enter(1, &identity("web-1", 7));
    let mut waited = 0;
    let mut wait = |host: &mut Host, share: i64| {
        waited += SECOND * share / 100;
        host.say(0, vcpu::WAIT, waited)
    };
    let shares = [0, 30, 30, 19, 30, 30, 30, 43, 15, 9, 11, 9, 9, 9, 9];
    let said: Vec<_> = shares.iter().map(|share| letters(&wait(&mut host, *share))).collect();
    // The first reading makes no rate. 19 % interrupts the first attempt; 15 % and 11 % interrupt the clearing.
    assert_eq!(said, ["", "", "", "", "", "", "", "F", "", "", "", "", "", "R", ""]);
}

#[test]
fn an_alert_says_who_what_how_much_and_since_when() {
    let mut host = Host::new(
        "[[rules]]\nname = \"wait\"\nsummary = \"vCPU wait\"\nmetric = \"vcpu_wait_seconds\"\nabove = 0.2\nfor_s = 2\n",
    );
    host.enter(1, &identity("web-1", 7));
    for waited in [0, 430, 860] {
        assert_eq!(letters(&host.say(0, vcpu::WAIT, waited * 1_000_000)), "");
    }
    let fired = host.say(0, vcpu::WAIT, 1_290_000_000);
    let alert = fired.first().expect("fires");
    assert_eq!(alert.message.as_str(), "web-1 vCPU 0: vCPU wait 43 % of the time for 2 s (limit 20 %)");
    assert_eq!(alert.subject.as_str(), "web-1");
    assert_eq!(alert.tenant.as_str(), "acme");
    assert_eq!(alert.rule.as_str(), "wait");
    assert_eq!(alert.severity, Severity::Warning);
    assert_eq!(alert.metric, vcpu::WAIT);
    assert!((alert.observed - 0.43).abs() < 1e-9 && (alert.expected_max - 0.2).abs() < 1e-9);
    assert!(alert.expected_min.is_infinite() && alert.expected_min < 0.0);
    assert_eq!(alert.since_mono_ns, host.tick.mono_ns - 2 * SECOND_NS);
    assert_eq!((alert.tick, alert.at_wall_ns), (host.tick.number, host.tick.wall_ns));

    let resolved = host.say(0, vcpu::WAIT, 1_290_000_000);
    let over = resolved.first().expect("resolves");
    assert_eq!((over.state, over.id), (AlertState::Resolved, alert.id));
    assert_eq!(over.message.as_str(), "web-1 vCPU 0: vCPU wait is back to 0 % of the time after 3 s");
}

#[test]
fn a_ratio_of_two_gauges_has_a_level_below() {
    let mut host = Host::new(
        "[[rules]]\nname = \"low\"\nsummary = \"available memory\"\nmetric = \"host_memory_available_bytes\"\n\
         over = [\"host_memory_total_bytes\"]\nbelow = 0.05\nclear = 0.08\n",
    );
    let mut available = |gib: i64| {
        host.pass();
        host.set(0, host::MEMORY_TOTAL, 100 * GIB);
        host.set(0, host::MEMORY_AVAILABLE, gib * GIB);
        host.judge()
    };
    assert_eq!(letters(&available(50)), "");
    let fired = available(4);
    assert_eq!(fired[0].message.as_str(), "available memory 4 % (limit 5 % at least)");
    assert_eq!(letters(&available(6)), "");
    assert_eq!(letters(&available(9)), "R");
}

#[test]
fn a_counter_that_begins_anew_is_no_spike_and_is_counted() {
    let mut host = Host::new("[[rules]]\nname = \"exits\"\nmetric = \"vm_kvm_exits\"\nabove = 1000\n");
    host.enter(1, &identity("web-1", 7));
    for value in [5_000_000, 5_000_100, 3, 103, i64::MAX, 0] {
        let said = host.say(0, vm::KVM_EXITS, value);
        // i64::MAX is a real growth, as far as anybody can tell.
        assert_eq!(letters(&said), if value == i64::MAX { "F" } else { "" }, "{value}");
    }
    assert_eq!(host.detector.counter_resets(), 2);
}

#[test]
fn a_value_without_a_new_stamp_is_no_new_sample() {
    let mut host = Host::new(
        "[[rules]]\nname = \"running\"\nmetric = \"host_processes_running\"\nabove = 5\nfor_s = 2\n",
    );
    host.say(0, host::PROCESSES_RUNNING, 9);
    for _ in 0..2 {
        host.pass();
        assert_eq!(letters(&host.judge()), "");
    }
    assert_eq!(letters(&host.say(0, host::PROCESSES_RUNNING, 9)), "F");
}

#[test]
fn what_cannot_be_read_neither_fires_nor_resolves() {
    let rule = "[[rules]]\nname = \"running\"\nmetric = \"host_processes_running\"\nabove = 5\nfor_s = 2\n";
    let states = [Availability::Error, Availability::Denied, Availability::Gone, Availability::Unsupported];
    for state in states {
        let mut host = Host::new(rule);
        host.say(0, host::PROCESSES_RUNNING, 9);
        for _ in 0..20 {
            host.pass();
            host.fail(0, host::PROCESSES_RUNNING, state);
            assert_eq!(letters(&host.judge()), "", "{state:?}");
        }
        // The time in the dark did not count: it was too long to say what happened in it.
        assert_eq!(letters(&host.say(0, host::PROCESSES_RUNNING, 9)), "");
        assert_eq!(letters(&host.say(0, host::PROCESSES_RUNNING, 9)), "");
        assert_eq!(letters(&host.say(0, host::PROCESSES_RUNNING, 9)), "F");
        for _ in 0..20 {
            host.pass();
            host.fail(0, host::PROCESSES_RUNNING, state);
            assert_eq!(letters(&host.judge()), "", "{state:?}");
        }
        assert_eq!(host.detector.firing(), 1);
        assert_eq!(letters(&host.say(0, host::PROCESSES_RUNNING, 1)), "R");
    }
}

#[test]
fn a_stale_value_neither_fires_nor_resolves() {
    let mut host =
        Host::new("[[rules]]\nname = \"running\"\nmetric = \"host_processes_running\"\nabove = 5\n");
    assert_eq!(letters(&host.say(0, host::PROCESSES_RUNNING, 9)), "F");
    for _ in 0..50 {
        host.pass();
        assert_eq!(letters(&host.judge()), "");
    }
    assert_eq!(host.detector.firing(), 1);
}

#[test]
fn a_state_fires_at_once_and_has_a_word() {
    let mut host = Host::new(
        "[[rules]]\nname = \"stopped\"\nkind = \"state\"\nsummary = \"the VMM\"\nmetric = \"vm_state\"\nis = [2, 3]\n",
    );
    host.enter(1, &identity("web-1", 7));
    assert_eq!(letters(&host.say(0, vm::STATE, 1)), "");
    let fired = host.say(0, vm::STATE, 2);
    assert_eq!(fired[0].message.as_str(), "web-1: the VMM is stopped");
    assert_eq!(letters(&host.say(0, vm::STATE, 3)), "");
    let over = host.say(0, vm::STATE, 1);
    assert_eq!(over[0].message.as_str(), "web-1: the VMM is back to running after 2 s");

    let mut host =
        Host::new("[[rules]]\nname = \"stopped\"\nkind = \"state\"\nmetric = \"vm_state\"\nis_not = [1]\n");
    host.enter(1, &identity("web-1", 7));
    let said: Vec<_> = [1, 5, 1].iter().map(|state| letters(&host.say(0, vm::STATE, *state))).collect();
    assert_eq!(said, ["", "F", "R"]);
}

#[test]
fn absence_of_movement_fires_only_for_what_has_moved() {
    let mut host = Host::new(
        "[[rules]]\nname = \"stalled\"\nkind = \"absence\"\nsummary = \"vCPU\"\nmetric = \"vcpu_run_seconds\"\nfor_s = 3\n",
    );
    host.enter(1, &identity("web-1", 7));
    for _ in 0..10 {
        assert_eq!(letters(&host.say(0, vcpu::RUN, 5)), "", "it never moved");
    }
    assert_eq!(letters(&host.say(0, vcpu::RUN, 6)), "");
    assert_eq!(letters(&host.say(0, vcpu::RUN, 6)), "");
    assert_eq!(letters(&host.say(0, vcpu::RUN, 6)), "");
    let fired = host.say(0, vcpu::RUN, 6);
    assert_eq!(fired[0].message.as_str(), "web-1 vCPU 0: vCPU has not moved for 3 s");
    let over = host.say(0, vcpu::RUN, 7);
    assert_eq!(over[0].message.as_str(), "web-1 vCPU 0: vCPU moves again after 4 s");
}

#[test]
fn absence_of_a_value_tells_of_what_has_gone_silent_but_not_of_what_was_never_open() {
    let rule = "[[rules]]\nname = \"silent\"\nkind = \"absence\"\nmissing = \"value\"\nsummary = \"/proc/stat\"\n\
                metric = \"host_cpu_user_seconds\"\nfor_s = 3\n";
    for state in [Availability::Unsupported, Availability::Denied, Availability::Error] {
        let mut host = Host::new(rule);
        for _ in 0..20 {
            host.pass();
            host.fail(0, host::CPU_USER, state);
            assert_eq!(letters(&host.judge()), "", "{state:?} from the beginning");
        }
    }
    let mut host = Host::new(rule);
    host.say(0, host::CPU_USER, 1);
    // Stale after three periods; then three seconds.
    let said: Vec<_> = (0..7)
        .map(|_| {
            host.pass();
            letters(&host.judge())
        })
        .collect();
    assert_eq!(said, ["", "", "", "", "", "F", ""]);
    assert_eq!(letters(&host.say(0, host::CPU_USER, 2)), "R");
}

#[test]
fn a_change_fires_within_its_window_and_is_over_after_it() {
    let mut host = Host::new(
        "[[rules]]\nname = \"oom\"\nkind = \"change\"\nsummary = \"OOM kills\"\nmetric = \"vm_cgroup_oom_kills\"\n\
         of = \"value\"\nwithin_s = 8\nabove = 0\n",
    );
    host.enter(1, &identity("web-1", 7));
    assert_eq!(letters(&host.say(0, vm::CGROUP_OOM_KILLS, 41)), "", "kills before our time");
    assert_eq!(letters(&host.say(0, vm::CGROUP_OOM_KILLS, 41)), "");
    let fired = host.say(0, vm::CGROUP_OOM_KILLS, 43);
    assert_eq!(fired[0].message.as_str(), "web-1: OOM kills +2 within 8 s (limit 0)");
    let said: String = (0..10).map(|_| letters(&host.say(0, vm::CGROUP_OOM_KILLS, 43))).collect();
    assert_eq!(said, "R");
}

#[test]
fn a_baseline_is_learned_before_it_judges() {
    let mut host = Host::new(
        "[[rules]]\nname = \"storm\"\nkind = \"baseline\"\nsummary = \"VM exits\"\nmetric = \"vm_kvm_exits\"\n\
         sigmas = 6\nmin_change = 1000\nwarm_up_s = 60\nfor_s = 2\n",
    );
    host.enter(1, &identity("web-1", 7));
    let mut exits = 0;
    let mut at = |host: &mut Host, rate: i64| {
        exits += rate;
        host.say(0, vm::KVM_EXITS, exits)
    };
    assert_eq!(letters(&at(&mut host, 90_000)), "");
    for second in 0..120 {
        assert_eq!(letters(&at(&mut host, 2_000 + second % 7 * 30)), "", "{second}");
    }
    let storm: Vec<_> = (0..3).flat_map(|_| at(&mut host, 80_000)).collect();
    assert_eq!(letters(&storm), "F");
    assert!(storm[0].message.starts_with("web-1: VM exits 80k/s for 2 s (usual "), "{}", storm[0].message);
    assert!(storm[0].expected_max > 2_000.0 && storm[0].expected_max < 10_000.0, "{}", storm[0].expected_max);
    assert_eq!(letters(&at(&mut host, 2_100)), "R");
}

#[test]
fn a_guard_limits_a_rule_and_holds_it_when_it_cannot_be_read() {
    let mut host = Host::new(
        "[[rules]]\nname = \"stalled\"\nkind = \"absence\"\nmetric = \"vcpu_run_seconds\"\nfor_s = 2\n\
         only_if = { metric = \"vm_state\", is = [1] }\n",
    );
    host.enter(1, &identity("web-1", 7));
    let run = |host: &mut Host, value: i64, state: Option<i64>| {
        host.pass();
        match state {
            Some(state) => host.set(0, vm::STATE, state),
            None => host.fail(0, vm::STATE, Availability::Error),
        }
        host.set(0, vcpu::RUN, value);
        letters(&host.judge())
    };
    assert_eq!(run(&mut host, 1, Some(1)) + &run(&mut host, 2, Some(1)), "");
    for _ in 0..9 {
        assert_eq!(run(&mut host, 2, Some(2)), "", "a stopped VM may stand still");
    }
    assert_eq!(run(&mut host, 2, Some(1)) + &run(&mut host, 2, Some(1)), "F");
    assert_eq!(run(&mut host, 3, None), "", "nobody knows");
    assert_eq!(run(&mut host, 3, Some(2)), "R");
}
