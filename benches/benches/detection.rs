//! What judging a frame by the shipped rules costs, for so many VMs of four vCPUs, an interface and two disks each.
//!
//! Only [`Detector::evaluate`] is measured; before each call every value of every row is written anew, so that every
//! rule has a new sample to judge. In the cold rounds so much else is written in between that no cache holds a row.

use bartizan_benches::cpu::{as_f64, thread_ns};
use bartizan_benches::report::{Goal, Report, Row};
use bartizan_benches::{is_quick, median};
use bartizan_core::alerts::{AlertReader, AlertSink, ring};
use bartizan_core::config::Config;
use bartizan_core::detection::Detector;
use bartizan_core::sampling::frame::{Entity, Frame, FrameWriter, Tick};
use bartizan_core::sampling::metrics::{Kind, Scope, Source};
use bartizan_core::sampling::roster::Roster;
use std::collections::HashMap;
use std::sync::Arc;

const SECOND_NS: u64 = 1_000_000_000;
/// More than the caches of any machine this runs on.
const EVICTION_BYTES: usize = 64 << 20;

struct Watched {
    writer: FrameWriter,
    frame: Arc<Frame>,
    detector: Detector,
    roster: Roster,
    sink: AlertSink,
    alerts: AlertReader,
    tick: Tick,
    rows: HashMap<Scope, u32>,
}

impl Watched {
    fn new(vms: u32) -> Self {
        let config = Config::default();
        let (mut writer, frame) = Frame::new(&config.limits).expect("memory");
        for source in Source::ALL {
            frame.set_period_ns(source, SECOND_NS);
        }
        let rows = HashMap::from([
            (Scope::Host, 1),
            (Scope::Agent, 1),
            (Scope::Cpu, 2),
            (Scope::Node, 1),
            (Scope::Block, 2),
            (Scope::Net, 2 + vms),
            (Scope::Vm, vms),
            (Scope::Vcpu, 4 * vms),
            (Scope::VmNet, vms),
            (Scope::VmDisk, 2 * vms),
        ]);
        for (scope, rows) in &rows {
            if ![Scope::Host, Scope::Agent].contains(scope) {
                (0..*rows).for_each(|row| writer.open_row(Entity { scope: *scope, row, generation: 1 }));
            }
        }
        let detector = Detector::build(&config).expect("rules");
        let (sink, alerts) = ring(config.limits.alerts as usize).expect("ring");
        let roster = Roster::new(&config.limits);
        let tick = Tick { number: 0, mono_ns: SECOND_NS, wall_ns: 0 };
        Self { writer, frame, detector, roster, sink, alerts, tick, rows }
    }

    /// Pairs of a rule and a row.
    fn pairs(&self) -> u64 {
        let rules = self.detector.rules().filter(|(_, kind, _)| kind.name() != "gone");
        rules.map(|(_, _, scope)| u64::from(self.rows[&scope])).sum()
    }

    /// A second passes; counters grow a little, gauges stand: no rule has anything to say.
    fn write(&mut self) {
        self.tick.number += 1;
        self.tick.mono_ns += SECOND_NS;
        let number = i64::try_from(self.tick.number).expect("fits");
        for (scope, rows) in &self.rows {
            for row in 0..*rows {
                let mut cells = self.writer.row(*scope, row);
                for metric in scope.metrics() {
                    cells.set(metric.id, if metric.kind == Kind::Counter { number } else { 1 });
                    cells.stamp(metric.source, self.tick.mono_ns);
                }
            }
        }
        self.writer.finish(self.tick);
    }

    /// CPU time of one evaluation, in nanoseconds.
    fn evaluate(&mut self) -> f64 {
        let before = thread_ns();
        self.detector.evaluate(self.tick, &self.frame, &self.roster, &mut self.sink);
        let spent = thread_ns() - before;
        while self.alerts.next().is_some() {}
        as_f64(spent)
    }
}

fn main() {
    let rounds = if is_quick() { 20 } else { 100 };
    let mut report = Report::new("Detection: one frame judged by the shipped rules (CPU time of the thread)");
    let mut others = vec![0u8; EVICTION_BYTES];
    for vms in [0, 256, 1_000] {
        let mut watched = Watched::new(vms);
        let pairs = as_f64(watched.pairs());
        for cold in [false, true] {
            let samples: Vec<f64> = (0..rounds)
                .map(|round| {
                    watched.write();
                    if cold {
                        others.iter_mut().step_by(64).for_each(|byte| *byte = byte.wrapping_add(round));
                        std::hint::black_box(&others);
                    }
                    watched.evaluate()
                })
                .collect();
            let ns = median(&samples);
            let mode = if cold { "cold" } else { "hot" };
            let row = |name: String, value, unit| Row {
                name,
                mode: mode.into(),
                value,
                unit,
                ratio: None,
                goal: Goal::None,
            };
            report.push(row(format!("{vms} VMs, {pairs} pairs of rule and row"), ns / 1e3, "us"));
            report.push(row(format!("{vms} VMs, a pair"), ns / pairs, "ns"));
        }
    }
    report.finish("detection");
}
