//! A host made of files that a test may change, sampled by the real plan.

#![allow(dead_code, reason = "each test binary uses a part of it")]

use bartizan_core::config::{Config, Limits, Roots};
use bartizan_core::sampling::SourceReport;
use bartizan_core::sampling::availability::Availability;
use bartizan_core::sampling::frame::{Entity, Frame, FrameWriter, Reading, Tick};
use bartizan_core::sampling::host::{HostLabels, HostPlan, HostPulse};
use bartizan_core::sampling::metrics::{MetricId, Scope, Source};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Ticks after which every slow file has had its turn.
pub(crate) const ROUND: u64 = 12;

/// A frame, a plan, and the clock's hands.
pub(crate) struct Host {
    pub(crate) config: Config,
    pub(crate) frame: Arc<Frame>,
    pub(crate) writer: FrameWriter,
    pub(crate) plan: HostPlan,
    pub(crate) labels: HostLabels,
    pub(crate) reports: Vec<SourceReport>,
    number: u64,
}

pub(crate) fn small_limits() -> Limits {
    Limits { vms: 1, vcpus: 1, vm_nics: 1, vm_disks: 1, cpus: 64, net_devices: 64, ..Limits::default() }
}

impl Host {
    pub(crate) fn open(roots: Roots) -> Self {
        let mut config = Config { roots, limits: small_limits(), ..Config::default() };
        config.sampling.slow_every_ticks = 10;
        Self::with(config)
    }

    pub(crate) fn with(config: Config) -> Self {
        let (mut writer, frame) = Frame::new(&config.limits).expect("frame");
        for source in Source::ALL {
            frame.set_period_ns(source, 1_000_000_000_000);
        }
        let (mut plan, labels, reports) = HostPlan::open(&config, &HostLabels::default());
        plan.install(None, &mut writer);
        Self { config, frame, writer, plan, labels, reports, number: 0 }
    }

    /// What the planner and the sampler do when the plan asks for it.
    pub(crate) fn replan(&mut self) {
        let (mut plan, labels, reports) = HostPlan::open(&self.config, &self.labels);
        plan.install(Some(&self.plan), &mut self.writer);
        self.plan = plan;
        self.labels = labels;
        self.reports = reports;
    }

    pub(crate) fn tick(&mut self) -> HostPulse {
        self.number += 1;
        let tick = Tick {
            number: self.number,
            mono_ns: self.number * 1_000_000_000,
            wall_ns: 1_700_000_000_000_000_000
                + i64::try_from(self.number).expect("few ticks") * 1_000_000_000,
        };
        let pulse = self.plan.sample(tick, &mut self.writer);
        self.writer.finish(tick);
        pulse
    }

    /// Ticks until all that is slow was read once more; whether the plan asked for a new one meanwhile.
    pub(crate) fn round(&mut self) -> bool {
        (0..ROUND).fold(false, |changed, _| self.tick().layout_changed | changed)
    }

    pub(crate) fn read(&self, metric: MetricId) -> Reading {
        self.frame.read(Entity::HOST, metric)
    }

    pub(crate) fn value(&self, metric: MetricId) -> Option<i64> {
        self.read(metric).ok()
    }

    pub(crate) fn row(&self, scope: Scope, row: u32, metric: MetricId) -> Reading {
        let entity = self.frame.entity(scope, row).expect("a row that holds something");
        self.frame.read(entity, metric)
    }

    pub(crate) fn net_row(&self, name: &str) -> Option<u32> {
        let row = self.labels.net_devices.iter().position(|label| label.as_deref() == Some(name))?;
        u32::try_from(row).ok()
    }

    pub(crate) fn report(&self, source: Source) -> &SourceReport {
        self.reports.iter().find(|report| report.source == source).expect("a report")
    }

    /// Every value of the host's scopes.
    pub(crate) fn all(&self) -> Vec<(Scope, u32, MetricId, Reading)> {
        let mut all = Vec::new();
        for scope in [Scope::Host, Scope::Cpu, Scope::Node, Scope::Block, Scope::Net] {
            for entity in self.frame.entities(scope) {
                for metric in scope.metrics() {
                    all.push((scope, entity.row, metric.id, self.frame.read(entity, metric.id)));
                }
            }
        }
        all
    }

    /// The metrics of the host and its rows that come from one source, with what became of them.
    pub(crate) fn of_source(&self, source: Source) -> Vec<(MetricId, Availability)> {
        let all = self.all();
        let of = all.into_iter().filter(|(_, _, metric, _)| metric.metric().source == source);
        of.map(|(_, _, metric, reading)| (metric, reading.availability)).collect()
    }
}

pub(crate) fn fixture(kernel: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/host").join(kernel)
}

/// A copy of a recorded host that a test may change.
pub(crate) fn copy(kernel: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    copy_into(&fixture(kernel), folder.path());
    folder
}

fn copy_into(from: &Path, to: &Path) {
    for entry in std::fs::read_dir(from).expect("a fixture").flatten() {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            std::fs::create_dir_all(&target).expect("a folder");
            copy_into(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), &target).expect("a copy");
        }
    }
}

/// Writes into the file that is there: a plan that holds it open sees the change.
pub(crate) fn overwrite(path: &Path, bytes: &[u8]) {
    use std::io::Write as _;
    let mut file =
        std::fs::OpenOptions::new().write(true).truncate(true).create(true).open(path).expect("open");
    file.write_all(bytes).expect("write");
}
