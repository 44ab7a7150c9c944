//! Rules of kind `unusual` and `unusual-together`, over hours of ticks.

use super::harness::{Host, SECOND_NS, config, identity, letters, vm};
use crate::alerts::Alert;
use crate::sampling::frame::Entity;
use crate::sampling::metrics::{MetricId, Source, host, vm as of_vm};

const RULES: &str = r#"
[[rules]]
name = "threads"
kind = "unusual"
summary = "threads"
metric = "vm_threads"
[[rules]]
name = "files"
kind = "unusual"
summary = "open files"
metric = "vm_open_files"
[[rules]]
name = "memory"
kind = "unusual"
summary = "memory"
metric = "vm_memory_resident_bytes"
min_change = 1048576
[[rules]]
name = "host-running"
kind = "unusual"
summary = "running tasks"
metric = "host_processes_running"
[[rules]]
name = "vm-unusual"
kind = "unusual-together"
about = "vm"
[[rules]]
name = "host-unusual"
kind = "unusual-together"
about = "host"
severity = "critical"
"#;
const SIGNS: [MetricId; 3] = [of_vm::THREADS, of_vm::OPEN_FILES, of_vm::MEMORY_RESIDENT];
const VMS: u32 = 6;
/// Four hours.
const QUIET_STEPS: u32 = 1_440;

struct World {
    host: Host,
    step: u32,
}

/// The same every time.
fn noise(of: u32, step: u32) -> f64 {
    let mixed = (step.wrapping_mul(2_654_435_761) ^ of.wrapping_mul(0x9e37_79b9)).wrapping_mul(0x85eb_ca6b);
    f64::from((mixed ^ mixed >> 15).wrapping_mul(0xc2b2_ae35) >> 16) / 65_536.0
}

impl World {
    fn with(settings: impl Fn(&mut crate::config::Config)) -> Self {
        let mut config = config(RULES);
        config.sampling.interval_ms = 10_000;
        settings(&mut config);
        let host = Host::with(&config);
        for source in Source::ALL {
            host.writer.frame().set_period_ns(source, 10 * SECOND_NS);
        }
        let mut world = Self { host, step: 0 };
        (0..VMS).for_each(|row| world.enter(row, 1));
        world
    }

    fn new() -> Self {
        Self::with(|_| {})
    }

    fn enter(&mut self, row: u32, generation: u32) {
        let identity = identity(&format!("web-{row}"), 100);
        self.host.writer.open_row(vm(row, generation));
        self.host.detector.vm_entered(&identity, self.host.tick, &mut self.host.sink);
        self.host.roster.enter(vm(row, generation), identity, std::iter::empty());
    }

    fn leave(&mut self, row: u32, generation: u32) {
        let (entity, identity) = (vm(row, generation), identity(&format!("web-{row}"), 100));
        self.host.writer.close_row(entity);
        let host = &mut self.host;
        host.detector.vm_left(entity, &identity, true, host.tick, &host.roster, &mut host.sink);
        self.host.roster.leave(entity, std::iter::empty());
    }

    /// Ten seconds pass; `off` says by how much each sign of a row is off.
    fn step(&mut self, off: impl Fn(u32) -> f64) -> Vec<Alert> {
        self.host.pass_ns(10 * SECOND_NS);
        self.step += 1;
        for row in 0..VMS {
            for (sign, metric) in (0u32..).zip(SIGNS) {
                let value = 1e7 * (10.0 + noise(row * 8 + sign, self.step) + off(row));
                #[expect(clippy::cast_possible_truncation, reason = "far below the largest")]
                self.host.set(row, metric, value as i64);
            }
        }
        let running = if self.step.is_multiple_of(3) { 7 } else { 5 };
        self.host.set(0, host::PROCESSES_RUNNING, running + i64::from(self.step % 2));
        self.host.judge()
    }

    fn steps(&mut self, steps: u32, off: impl Fn(u32) -> f64) -> Vec<Alert> {
        (0..steps).flat_map(|_| self.step(&off)).collect()
    }
}

#[test]
fn what_is_off_on_one_vm_is_told_once_about_that_vm_and_is_over_when_it_is() {
    let mut world = World::new();
    assert_eq!(letters(&world.steps(QUIET_STEPS, |_| 0.0)), "");
    let began_ns = world.host.tick.mono_ns;
    let alerts = world.steps(6, |row| if row == 2 { 20.0 } else { 0.0 });
    assert_eq!(letters(&alerts), "F", "{alerts:?}");
    let alert = alerts[0];
    assert_eq!(
        (alert.rule.as_str(), alert.subject.as_str(), alert.entity),
        ("vm-unusual", "web-2", vm(2, 1))
    );
    assert!(alert.signs >= 2 && alert.tail_probability < 1e-4, "{alert:?}");
    assert!(alert.observed > 1e8 && alert.expected_max < alert.observed, "{alert:?}");
    assert!(alert.since_mono_ns.abs_diff(began_ns) <= 10 * SECOND_NS);
    assert!(alert.message.starts_with("web-2: unusual: "), "{}", alert.message);
    let over = world.steps(200, |_| 0.0);
    assert_eq!(letters(&over), "R", "{over:?}");
    assert_eq!(over[0].id, alert.id);
}

#[test]
fn what_most_vms_show_belongs_to_the_host() {
    let mut world = World::new();
    world.steps(QUIET_STEPS, |_| 0.0);
    let before = world.host.alerts.accounting().suppressed;
    let alerts = world.steps(12, |row| if row < 5 { 20.0 } else { 0.0 });
    assert_eq!(letters(&alerts), "F", "{alerts:?}");
    assert_eq!((alerts[0].rule.as_str(), alerts[0].entity), ("host-unusual", Entity::HOST));
    assert!(alerts[0].message.starts_with("unusual: on 5 of 6, "), "{}", alerts[0].message);
    let status = world.host.detector.watch_status();
    assert_eq!(status.left_to_host, 5);
    assert_eq!(world.host.alerts.accounting().suppressed - before, 5);
}

#[test]
fn who_finds_no_room_is_counted_and_who_leaves_makes_room() {
    // Three signs of six VMs and one of the host, and room for ten.
    let mut world = World::with(|config| config.limits.series = 10);
    world.steps(20, |_| 0.0);
    let status = world.host.detector.watch_status();
    assert_eq!((status.series, status.series_warming, status.series_refused), (10, 10, 9));
    world.leave(1, 1);
    assert!(world.host.detector.watch_status().series <= 8);
    world.enter(1, 2);
    world.steps(20, |_| 0.0);
    let status = world.host.detector.watch_status();
    assert_eq!(
        (status.series, status.series_refused),
        (10, 9),
        "the free ones are taken, and who waits is counted"
    );
}

#[test]
fn a_vm_that_leaves_takes_its_alarm_along() {
    let mut world = World::new();
    world.steps(QUIET_STEPS, |_| 0.0);
    let fired = world.steps(6, |row| if row == 2 { 20.0 } else { 0.0 });
    world.leave(2, 1);
    let gone = world.host.judge();
    assert_eq!((letters(&fired).as_str(), letters(&gone).as_str()), ("F", "R"));
    assert_eq!(fired[0].id, gone[0].id);
    world.enter(2, 2);
    // Another VM in the same row begins anew, with other values.
    assert_eq!(letters(&world.steps(300, |row| if row == 2 { 40.0 } else { 0.0 })), "");
    assert_eq!(world.host.detector.watch_status().series, 19);
}

#[test]
fn new_rules_keep_what_was_learnt_and_a_new_budget_applies_at_once() {
    let mut world = World::new();
    world.steps(QUIET_STEPS, |_| 0.0);
    let before = world.host.detector.watch_status();
    let mut config = config(RULES);
    config.sampling.interval_ms = 10_000;
    config.detection.false_alarms_per_host_week = 100.0;
    config.rules.retain(|rule| rule.name != "files");
    let mut detector = crate::detection::Detector::build(&config).expect("builds");
    let host = &mut world.host;
    detector.take_over(&mut host.detector, host.tick, &host.roster, &mut host.sink);
    host.detector = detector;
    let after = world.host.detector.watch_status();
    assert_eq!((before.series, before.series_warming, after.series, after.series_warming), (19, 0, 13, 0));
    let alerts = world.steps(4, |row| if row == 2 { 20.0 } else { 0.0 });
    assert_eq!(letters(&alerts), "F", "at once, not after warming up: {alerts:?}");
    assert!(world.host.detector.watch_status().threshold < before.threshold - 2.0);
}

#[test]
fn gaps_resets_and_clock_steps_tell_nothing() {
    let mut world = World::new();
    world.steps(QUIET_STEPS, |_| 0.0);
    let mut alerts = Vec::new();
    for hours in [1, 30] {
        world.host.pass_ns(hours * 3_600 * SECOND_NS);
        alerts.extend(world.steps(30, |_| 0.0));
    }
    for jump_ns in [86_400_000_000_000i64, -7 * 86_400_000_000_000, 3_600_000_000_000] {
        world.host.tick.wall_ns += jump_ns;
        alerts.extend(world.steps(60, |_| 0.0));
    }
    assert_eq!(letters(&alerts), "", "{alerts:?}");
}

#[test]
fn what_cannot_be_read_any_more_stops_to_weigh() {
    let mut world = World::new();
    world.steps(QUIET_STEPS, |_| 0.0);
    let fired = world.steps(4, |row| if row == 2 { 20.0 } else { 0.0 });
    assert_eq!(letters(&fired), "F");
    // Two signs of it cannot be read from now on, the third is as usual: what is left is no reason to go on.
    let mut said = String::new();
    for _ in 0..60 {
        world.host.pass_ns(10 * SECOND_NS);
        for metric in SIGNS {
            world.host.fail(2, metric, crate::sampling::availability::Availability::Error);
        }
        world.host.set(0, host::PROCESSES_RUNNING, 5);
        said += &letters(&world.host.judge());
    }
    assert!(said.len() <= 1 && !said.contains('F'), "{said}");
}

/// Everything that a world says, to the bit, and what it is looked at closely for.
fn life() -> (Vec<Alert>, Vec<u64>) {
    let mut world = World::new();
    world.host.detector.look_at("vm-unusual", vm(2, 1));
    let (mut alerts, mut seen) = (Vec::new(), Vec::new());
    for step in 0..QUIET_STEPS + 60 {
        alerts.extend(world.step(|row| if row == 2 && step > QUIET_STEPS { 20.0 } else { 0.0 }));
        let probe = world.host.detector.probe().expect("it is looked at");
        seen.extend(probe.looks.iter().flat_map(|look| [look.observed, look.expected_max].map(f64::to_bits)));
        seen.extend(probe.evidence.map(|(strength, _)| u64::from(strength.to_bits())));
    }
    (alerts, seen)
}

#[test]
fn the_same_again_is_the_same_to_the_bit() {
    let (first, second) = (life(), life());
    assert_eq!(letters(&first.0), "F");
    assert_eq!(first, second);
    // Three signs of one VM each step, with two numbers, and the evidence.
    assert!(first.1.len() as u64 > 6 * u64::from(QUIET_STEPS), "{}", first.1.len());
}
