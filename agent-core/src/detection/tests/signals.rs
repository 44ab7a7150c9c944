//! The shipped rules for what guests do to the host: each fires on its own pattern, and none of them on the others' or
//! on ordinary work.

use super::harness::{Host, SECOND_NS, identity};
use crate::alerts::AlertState;
use crate::config::Config;
use crate::sampling::frame::Entity;
use crate::sampling::metrics::{MetricId, Scope, agent, vcpu, vm, vmnet};
use std::collections::{BTreeMap, BTreeSet};

/// The rules that this is about, and those that a pattern may bring with it.
const WATCHED: [&str; 17] = [
    "vcpu-exit-flood",
    "vcpu-spinning",
    "vcpu-starved",
    "vcpu-wait",
    "vcpu-wait-unusual",
    "vm-device-fuzzing",
    "vm-device-storm",
    "vm-emulation-storm",
    "vm-exit-dense",
    "vm-exit-storm",
    "vm-halt-poll-waste",
    "vm-mining-like",
    "vm-nested-runs",
    "vm-standstill",
    "vmnet-exfiltration-like",
    "vmnet-flooded",
    "vmnet-packet-flood",
];

/// Growth a second, in stored units.
type Work = BTreeMap<MetricId, i64>;

/// A small server at its ordinary work.
fn ordinary() -> Work {
    Work::from([
        (vm::VCPU_RUN, 100_000_000),
        (vcpu::RUN, 100_000_000),
        (vcpu::WAIT, 5_000_000),
        (vm::KVM_EXITS, 2_000),
        (vcpu::EXITS, 2_000),
        (vm::KVM_IO_EXITS, 100),
        (vm::KVM_MMIO_EXITS, 200),
        (vm::KVM_EMULATIONS, 300),
        (vm::KVM_NESTED_RUNS, 0),
        (vm::KVM_HALT_POLL_FAIL, 5_000_000),
        (vm::IO_CHARS_WRITTEN, 300_000),
        (vmnet::RECEIVE, 200_000),
        (vmnet::TRANSMIT, 300_000),
        (vmnet::RECEIVE_PACKETS, 300),
        (vmnet::TRANSMIT_PACKETS, 400),
        (vmnet::TRANSMIT_DROPS, 0),
    ])
}

fn but(changes: &[(MetricId, i64)]) -> Work {
    let mut work = ordinary();
    work.extend(changes.iter().copied());
    work
}

struct Guest {
    host: Host,
    counters: Work,
}

impl Guest {
    fn new() -> Self {
        let limits = super::harness::config("").limits;
        let mut host = Host::with(&Config { limits, ..Config::default() });
        host.enter(1, &identity("web-1", 7));
        for scope in [Scope::VmNet, Scope::Agent] {
            host.writer.open_row(Entity { scope, row: 0, generation: 1 });
        }
        Self { host, counters: Work::new() }
    }

    /// The watched rules that fire within so many seconds of this work.
    fn does(&mut self, work: &Work, seconds: u32) -> BTreeSet<String> {
        let mut rules = BTreeSet::new();
        for second in 0..seconds {
            self.host.pass_ns(SECOND_NS);
            self.host.set(0, vm::STATE, 1);
            self.host.set(0, agent::DEGRADATION, 0);
            self.host.set(0, vm::VCPUS_PROGRESSING, i64::from(work[&vm::VCPU_RUN] > 0));
            for (metric, growth) in work {
                let counter = self.counters.entry(*metric).or_insert(0);
                // A tenth more and less than that, by turns.
                *counter += growth + growth * (i64::from(second % 3) - 1) / 10;
                let value = *counter;
                self.host.set(0, *metric, value);
            }
            let alerts = self.host.judge();
            let fires = alerts.iter().filter(|alert| alert.state == AlertState::Firing);
            rules.extend(
                fires.map(|alert| alert.rule.to_string()).filter(|rule| WATCHED.contains(&rule.as_str())),
            );
        }
        rules
    }
}

#[test]
fn each_pattern_fires_its_own_rules_and_no_others() {
    let busy = [(vm::VCPU_RUN, 1_090_000_000), (vcpu::RUN, 1_090_000_000)];
    let with = |more: &[(MetricId, i64)]| but(&[&busy, more].concat());
    let patterns: [(&str, Work, u32, &[&str]); 15] = [
        ("ordinary work", ordinary(), 2_000, &[]),
        (
            "a database: all of its CPU, and much I/O",
            with(&[(vm::KVM_EXITS, 20_000), (vcpu::EXITS, 20_000), (vm::IO_CHARS_WRITTEN, 80_000_000)]),
            2_000,
            &["vcpu-spinning"],
        ),
        (
            "a download: much comes in, hardly anything goes out",
            but(&[
                (vmnet::TRANSMIT, 60_000_000),
                (vmnet::TRANSMIT_PACKETS, 6_000),
                (vmnet::RECEIVE, 900_000),
            ]),
            1_000,
            &[],
        ),
        (
            "a web server: much goes out, and requests come in",
            but(&[
                (vmnet::RECEIVE, 9_000_000),
                (vmnet::TRANSMIT, 2_000_000),
                (vm::IO_CHARS_WRITTEN, 9_000_000),
            ]),
            1_000,
            &[],
        ),
        ("mining", with(&[(vm::KVM_EXITS, 1_500)]), 2_000, &["vcpu-spinning", "vm-mining-like"]),
        (
            "data carried off",
            but(&[(vmnet::RECEIVE, 20_000_000), (vmnet::RECEIVE_PACKETS, 15_000)]),
            1_000,
            &["vmnet-exfiltration-like"],
        ),
        (
            "an exit storm",
            with(&[(vm::KVM_EXITS, 150_000), (vcpu::EXITS, 150_000)]),
            25,
            &["vm-exit-dense", "vm-exit-storm"],
        ),
        (
            "an exit storm on a full host",
            but(&[(vm::KVM_EXITS, 12_000), (vcpu::EXITS, 12_000)]),
            60,
            &["vm-exit-dense"],
        ),
        (
            "an exit storm of one vCPU on fast hardware",
            with(&[(vm::KVM_EXITS, 400_000), (vcpu::EXITS, 400_000)]),
            25,
            &["vcpu-exit-flood", "vm-exit-dense", "vm-exit-storm"],
        ),
        (
            "a device that is fuzzed",
            with(&[(vm::KVM_MMIO_EXITS, 26_000), (vm::KVM_EXITS, 28_000)]),
            25,
            &["vm-device-fuzzing", "vm-device-storm"],
        ),
        ("an emulation storm", but(&[(vm::KVM_EMULATIONS, 500_000)]), 60, &["vm-emulation-storm"]),
        ("a guest with guests", but(&[(vm::KVM_NESTED_RUNS, 50)]), 60, &["vm-nested-runs"]),
        ("a flood from the guest", but(&[(vmnet::RECEIVE_PACKETS, 90_000)]), 60, &["vmnet-packet-flood"]),
        ("a flood to the guest", but(&[(vmnet::TRANSMIT_PACKETS, 90_000)]), 60, &["vmnet-flooded"]),
        (
            "a neighbour that takes the CPU",
            but(&[(vcpu::WAIT, 700_000_000)]),
            60,
            &["vcpu-starved", "vcpu-wait", "vcpu-wait-unusual"],
        ),
    ];
    for (what, work, seconds, expected) in patterns {
        let mut guest = Guest::new();
        assert_eq!(guest.does(&ordinary(), 700), BTreeSet::new(), "before {what}");
        let expected: BTreeSet<_> = expected.iter().map(|rule| (*rule).to_owned()).collect();
        assert_eq!(guest.does(&work, seconds), expected, "{what}");
    }
}

#[test]
fn a_guest_that_hangs_is_told_within_five_seconds_and_one_that_idles_is_not() {
    let still = but(&[(vm::VCPU_RUN, 0), (vcpu::RUN, 0), (vm::KVM_EXITS, 0), (vcpu::EXITS, 0)]);
    let mut guest = Guest::new();
    assert_eq!(guest.does(&ordinary(), 700), BTreeSet::new());
    assert_eq!(guest.does(&still, 5), BTreeSet::from(["vm-standstill".to_owned()]));

    // An idle guest wakes up now and then, and sleeps for up to five seconds.
    let mut guest = Guest::new();
    let mut fired = BTreeSet::new();
    for round in 0u32..300 {
        fired.extend(guest.does(&ordinary(), 1));
        fired.extend(guest.does(&still, round * 7 % 5));
    }
    assert_eq!(fired, BTreeSet::new());
}
