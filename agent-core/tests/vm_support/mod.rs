//! One VM watched by its plan alone, without discovery and threads: what is read when is the test's choice.

#![expect(clippy::unwrap_used, reason = "a test that cannot set the scene fails")]

use bartizan_core::config::Config;
use bartizan_core::sampling::SourceReport;
use bartizan_core::sampling::availability::Availability;
use bartizan_core::sampling::discovery::{NicInfo, VcpuInfo, VmInfo, VmmKind};
use bartizan_core::sampling::frame::{Entity, Frame, FrameWriter, Tick};
use bartizan_core::sampling::metrics::{MetricId, Scope, Source};
use bartizan_core::sampling::vm::bpf::Bpf;
use bartizan_core::sampling::vm::{Pace, Scratch, TapSweep, VmPlan, VmPulse};
use bartizan_core::sys::clock::Clock;
use bartizan_testkit::proc::{self, Thread};
use std::path::Path;

/// One VM and everything a sampler would have for it.
pub(crate) struct Watched {
    pub(crate) info: VmInfo,
    pub(crate) plan: VmPlan,
    pub(crate) reports: Vec<SourceReport>,
    pub(crate) writer: FrameWriter,
    pub(crate) sweep: TapSweep,
    pub(crate) pace: Pace,
    pub(crate) bpf: Bpf,
    scratch: Box<Scratch>,
    tick: u64,
}

/// The process as discovery would describe it.
pub(crate) fn describe(pid: u32, vcpus: &[Thread], taps: &[&str]) -> VmInfo {
    let entity = |scope, row: usize| Entity { scope, row: u32::try_from(row).unwrap(), generation: 1 };
    let is_vcpu = |thread: &Thread| vcpus.iter().any(|vcpu| vcpu.tid == thread.tid);
    let threads = proc::threads(pid).unwrap();
    VmInfo {
        entity: entity(Scope::Vm, 0),
        vmm: VmmKind::Qemu,
        name: format!("vm-{pid}"),
        uuid: [0; 16],
        tenant: String::new(),
        pid: i32::try_from(pid).unwrap(),
        start_ticks: start_ticks(&format!("/proc/{pid}")),
        cgroup: String::new(),
        libvirt: false,
        vcpus: vcpus
            .iter()
            .enumerate()
            .map(|(index, thread)| VcpuInfo {
                entity: entity(Scope::Vcpu, index),
                index: u32::try_from(index).unwrap(),
                tid: i32::try_from(thread.tid).unwrap(),
            })
            .collect(),
        other_threads: threads
            .iter()
            .filter(|thread| !is_vcpu(thread))
            .map(|thread| i32::try_from(thread.tid).unwrap())
            .collect(),
        nics: taps
            .iter()
            .enumerate()
            .map(|(index, tap)| NicInfo { entity: entity(Scope::VmNet, index), tap: (*tap).to_owned() })
            .collect(),
        disks: Vec::new(),
        monitor: None,
        metrics_file: None,
        debugfs_name: None,
        sources: Vec::new(),
    }
}

/// Field 22 of `stat`, counted from behind the name.
pub(crate) fn start_ticks(process: &str) -> u64 {
    let stat = std::fs::read_to_string(Path::new(process).join("stat")).unwrap();
    let (_, fields) = stat.rsplit_once(')').unwrap();
    fields.split_whitespace().nth(19).unwrap().parse().unwrap()
}

impl Watched {
    pub(crate) fn new(info: VmInfo, config: &Config) -> Self {
        Self::with_descriptors(info, config, 10_000)
    }

    pub(crate) fn with_descriptors(info: VmInfo, config: &Config, descriptors: usize) -> Self {
        let (mut writer, _) = Frame::new(&config.limits).unwrap();
        for entity in info.parts().chain([info.entity]) {
            writer.open_row(entity);
        }
        for source in Source::ALL {
            writer.frame().set_period_ns(source, 60_000_000_000);
        }
        let bpf = Bpf::load(config);
        let (plan, reports) = VmPlan::open(&info, config, &bpf, descriptors);
        plan.take_seat();
        let mut sweep = TapSweep::open(config);
        sweep.enter(plan.host_taps());
        let pace = Pace::for_vms(1);
        Self { info, plan, reports, writer, sweep, pace, bpf, scratch: Box::default(), tick: 0 }
    }

    pub(crate) fn tick(&mut self) -> VmPulse {
        self.tick += 1;
        let clock = Clock::System;
        let tick = Tick { number: self.tick, mono_ns: clock.mono_ns(), wall_ns: clock.wall_ns() };
        self.bpf.run(tick.number, 1, 1, self.pace.detail_every_ticks).unwrap();
        let pulse = self.plan.sample(tick, self.pace, &mut self.scratch, &mut self.writer);
        self.sweep.sample(tick, &mut self.writer);
        self.writer.finish(tick);
        pulse
    }

    pub(crate) fn read(&self, entity: Entity, metric: MetricId) -> Result<i64, Availability> {
        let reading = self.writer.frame().read(entity, metric);
        reading.ok().ok_or(reading.availability)
    }

    pub(crate) fn vm(&self, metric: MetricId) -> Result<i64, Availability> {
        self.read(self.info.entity, metric)
    }

    pub(crate) fn vcpu(&self, index: usize, metric: MetricId) -> Result<i64, Availability> {
        self.read(self.info.vcpus[index].entity, metric)
    }

    #[allow(dead_code, reason = "not every test program watches taps")]
    pub(crate) fn nic(&self, index: usize, metric: MetricId) -> Result<i64, Availability> {
        self.read(self.info.nics[index].entity, metric)
    }

    pub(crate) fn report(&self, source: Source) -> &SourceReport {
        self.reports.iter().find(|report| report.source == source).unwrap()
    }
}

/// Stops the process, and waits until its last thread has stopped: a vCPU stays in its guest a moment longer.
pub(crate) fn stop_every_thread(process: &bartizan_testkit::process::Process) {
    process.freeze().unwrap();
    let pid = process.pid();
    assert!(proc::wait_until(std::time::Duration::from_mins(1), || {
        proc::threads(pid).unwrap().iter().all(|thread| {
            let stat = std::fs::read_to_string(format!("/proc/{pid}/task/{}/stat", thread.tid)).unwrap();
            stat.rsplit_once(") ").unwrap().1.starts_with('T')
        })
    }));
}
