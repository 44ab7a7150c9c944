//! A frame that tests fill by hand, and a detector that looks at it.

use crate::alerts::{Alert, AlertReader, AlertSink, AlertState, ring};
use crate::config::{Config, Limits};
use crate::detection::{Detector, shipped};
use crate::sampling::availability::Availability;
use crate::sampling::frame::{Entity, Frame, FrameWriter, Tick};
use crate::sampling::metrics::{MetricId, Scope, Source};
use crate::sampling::roster::Roster;
use crate::sampling::vm::VmIdentity;
use arrayvec::ArrayString;

pub(super) const SECOND_NS: u64 = 1_000_000_000;

pub(super) struct Host {
    pub(super) writer: FrameWriter,
    pub(super) detector: Detector,
    pub(super) roster: Roster,
    pub(super) sink: AlertSink,
    pub(super) alerts: AlertReader,
    pub(super) tick: Tick,
}

/// Only these rules.
pub(super) fn config(rules: &str) -> Config {
    let off: Vec<_> = shipped().expect("shipped rules").into_iter().map(|rule| rule.name).collect();
    let mut config = Config::from_toml(rules, None).unwrap_or_else(|error| panic!("{error}"));
    config.rules_off =
        off.into_iter().filter(|name| config.rules.iter().all(|own| own.name != *name)).collect();
    config.limits = Limits {
        vms: 8,
        vcpus: 16,
        vm_nics: 8,
        vm_disks: 8,
        cpus: 4,
        nodes: 2,
        block_devices: 4,
        net_devices: 4,
        series: 64,
        alerts: 64,
        history_ticks: 2,
    };
    config
}

pub(super) fn vm(row: u32, generation: u32) -> Entity {
    Entity { scope: Scope::Vm, row, generation }
}

pub(super) fn vcpu(row: u32, generation: u32) -> Entity {
    Entity { scope: Scope::Vcpu, row, generation }
}

pub(super) fn identity(name: &str, pid: i32) -> VmIdentity {
    VmIdentity {
        name: ArrayString::from(name).expect("fits"),
        tenant: ArrayString::from("acme").expect("fits"),
        pid,
        ..VmIdentity::default()
    }
}

impl Host {
    pub(super) fn new(rules: &str) -> Self {
        Self::with(&config(rules))
    }

    pub(super) fn with(config: &Config) -> Self {
        let (writer, frame) = Frame::new(&config.limits).expect("memory");
        let interval_ns = u64::from(config.sampling.interval_ms) * 1_000_000;
        for source in Source::ALL {
            frame.set_period_ns(source, u64::from(config.sampling.period_ticks(source)) * interval_ns);
        }
        let detector = Detector::build(config).unwrap_or_else(|error| panic!("{error}"));
        let (sink, alerts) = ring(config.limits.alerts as usize).expect("ring");
        let roster = Roster::new(&config.limits);
        let tick = Tick { number: 0, mono_ns: 1_000 * SECOND_NS, wall_ns: 1_700_000_000_000_000_000 };
        Self { writer, detector, roster, sink, alerts, tick }
    }

    /// A VM with one vCPU comes, in row 0 and its vCPU in row 0.
    pub(super) fn enter(&mut self, generation: u32, identity: &VmIdentity) {
        self.writer.open_row(vm(0, generation));
        self.writer.open_row(vcpu(0, generation));
        self.detector.vm_entered(identity, self.tick, &mut self.sink);
        self.roster.enter(vm(0, generation), *identity, [vcpu(0, generation)].into_iter());
    }

    pub(super) fn leave(&mut self, generation: u32, identity: &VmIdentity, exited: bool) {
        let entity = vm(0, generation);
        self.writer.close_row(vcpu(0, generation));
        self.writer.close_row(entity);
        self.detector.vm_left(entity, identity, exited, self.tick, &self.roster, &mut self.sink);
        self.roster.leave(entity, [vcpu(0, generation)].into_iter());
    }

    /// A second passes.
    pub(super) fn pass(&mut self) {
        self.pass_ns(SECOND_NS);
    }

    pub(super) fn pass_ns(&mut self, ns: u64) {
        self.tick.number += 1;
        self.tick.mono_ns += ns;
        self.tick.wall_ns += i64::try_from(ns).expect("fits");
    }

    /// Stores a value read now.
    pub(super) fn set(&mut self, row: u32, metric: MetricId, value: i64) {
        let mut writer = self.writer.row(metric.scope(), row);
        writer.set(metric, value);
        writer.stamp(metric.metric().source, self.tick.mono_ns);
    }

    pub(super) fn fail(&mut self, row: u32, metric: MetricId, availability: Availability) {
        self.writer.row(metric.scope(), row).fail(metric, availability);
    }

    /// Judges the frame; what was said since.
    pub(super) fn judge(&mut self) -> Vec<Alert> {
        self.writer.finish(self.tick);
        self.detector.evaluate(self.tick, self.writer.frame(), &self.roster, &mut self.sink);
        let alerts: Vec<_> = std::iter::from_fn(|| self.alerts.next()).collect();
        let accounting = self.alerts.accounting();
        assert!(accounting.balances() && accounting.in_flight == 0, "{accounting:?}");
        for alert in &alerts {
            assert!(!alert.observed.is_nan() && !alert.expected_min.is_nan() && !alert.expected_max.is_nan());
            assert!(!alert.message.is_empty());
        }
        alerts
    }

    /// A second passes, one value is read, the frame is judged.
    pub(super) fn say(&mut self, row: u32, metric: MetricId, value: i64) -> Vec<Alert> {
        self.pass();
        self.set(row, metric, value);
        self.judge()
    }
}

/// "F" for each alert that fires, "R" for each that is resolved.
pub(super) fn letters(alerts: &[Alert]) -> String {
    alerts.iter().map(|alert| if alert.state == AlertState::Firing { 'F' } else { 'R' }).collect()
}
