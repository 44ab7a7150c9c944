//! A tick of 256 and of 1,000 VMs of six threads each, beside bare `pread`s of the same files.
//!
//! The VMs are real ones as far as KVM is concerned: each of four vCPU threads has a vCPU and keeps its statistics
//! descriptor, as QEMU does. Nearly all of their threads sleep.

use bartizan_benches::report::{Goal, Report, Row};
use bartizan_benches::{Mode, Samples, Variant, compare, is_quick, median};
use bartizan_core::config::{Config, KvmTierChoice, ThreadTierChoice};
use bartizan_core::engine::Agent;
use bartizan_core::sampling::discovery::VmInfo;
use bartizan_core::sampling::frame::{Entity, Frame, FrameWriter, Tick};
use bartizan_core::sampling::metrics::{Source, agent, vcpu, vm};
use bartizan_core::sampling::vm::bpf::Bpf;
use bartizan_core::sampling::vm::{Pace, Scratch, VmPlan};
use bartizan_core::sys::clock::Clock;
use bartizan_core::sys::file::KeptFile;
use bartizan_testkit::herd::Herd;
use bartizan_testkit::proc::wait_until;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

const THREADS: u32 = 6;
/// 1.5 % of a core at one tick a second.
const TICK_US_MAX: f64 = 15_000.0;

/// Plans of all VMs, and a frame to put their values in.
struct Plans {
    vms: Vec<VmPlan>,
    bpf: Bpf,
    writer: FrameWriter,
    pace: Pace,
    scratch: Box<Scratch>,
    number: u64,
}

impl Plans {
    fn open(infos: &[Arc<VmInfo>], config: &Config, pace: Pace) -> Self {
        let (mut writer, _) = Frame::new(&config.limits).expect("memory");
        let bpf = Bpf::load(config);
        let wanted = if config.sampling.thread_tier == ThreadTierChoice::Bpf { "bpf" } else { "kept-fd" };
        let plans = infos.iter().map(|info| {
            info.parts().chain([info.entity]).for_each(|entity| writer.open_row(entity));
            let (plan, reports) = VmPlan::open(info, config, &bpf, 1_000_000);
            let threads = reports.iter().find(|report| report.source == Source::Schedule);
            assert_eq!(threads.map(|report| report.tier), Some(wanted), "{reports:?}");
            plan.take_seat();
            plan
        });
        Self { vms: plans.collect(), bpf, writer, pace, scratch: Box::default(), number: 0 }
    }

    fn tick(&mut self) {
        let clock = Clock::System;
        self.number += 1;
        let tick = Tick { number: self.number, mono_ns: clock.mono_ns(), wall_ns: clock.wall_ns() };
        self.run_program();
        for at in 0..self.vms.len() {
            // As the agent's own loop does.
            VmPlan::prefetch(self.vms.get(at + 1), self.vms.get(at + 2));
            let pulse = self.vms[at].sample(tick, self.pace, &mut self.scratch, &mut self.writer);
            assert!(!pulse.vanished, "a VM of the herd is gone");
        }
        self.writer.finish(tick);
    }

    /// What the kernel reads for all VMs at once.
    fn run_program(&self) {
        if let Ok(threads) = &self.bpf.threads {
            threads.run(self.number, u32::MAX, 1, self.pace.detail_every_ticks).expect("a run");
        }
    }

    fn descriptors(&self) -> usize {
        self.vms.iter().map(VmPlan::descriptors).sum()
    }
}

/// What any program must pay that keeps the files open and looks at nothing.
struct Bare {
    files: Vec<KeptFile>,
}

impl Bare {
    fn open(infos: &[Arc<VmInfo>]) -> Self {
        let files = infos.iter().flat_map(|info| {
            let vcpus = info.vcpus.iter().map(|vcpu| vcpu.tid);
            vcpus.chain(info.other_threads.iter().copied()).map(|tid| {
                let path = format!("/proc/{}/task/{tid}/schedstat", info.pid);
                KeptFile::open(&PathBuf::from(path)).expect("open")
            })
        });
        Self { files: files.collect() }
    }

    fn tick(&self) {
        let mut buffer = [0; 64];
        for file in &self.files {
            std::hint::black_box(file.read_at(&mut buffer, 0).expect("read"));
        }
    }
}

/// An agent that has found the whole herd.
fn agent_for(herd: &Herd, config: Config) -> (Agent, Vec<Arc<VmInfo>>) {
    let agent = Agent::new(config, Clock::System).expect("an agent");
    let pids = herd.pids();
    let of_herd = |agent: &Agent| -> Vec<Arc<VmInfo>> {
        let vms = agent.reader().vms();
        vms.into_iter().filter(|vm| u32::try_from(vm.pid).is_ok_and(|pid| pids.contains(&pid))).collect()
    };
    let complete = |vm: &Arc<VmInfo>| vm.vcpus.len() + vm.other_threads.len() == THREADS as usize;
    let found = wait_until(Duration::from_mins(5), || {
        agent.maintain().expect("maintain");
        agent.step().expect("step");
        let vms = of_herd(&agent);
        vms.len() == pids.len() && vms.iter().all(complete)
    });
    assert!(found, "{} of {} VMs found", of_herd(&agent).len(), pids.len());
    let infos = of_herd(&agent);
    (agent, infos)
}

fn main() {
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).expect("the limit");
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard).expect("raise the limit to what is allowed");
    let sizes: &[usize] = if is_quick() { &[256] } else { &[256, 1_000] };
    let mut report = Report::new("VMs: one tick of N VMs of six threads (CPU time of the thread)");
    for size in sizes {
        measure(&mut report, *size);
    }
    report.remark("bare pread: schedstat of all threads through kept descriptors, not looked at");
    report.remark(
        "everything: also KVM's counters of four vCPUs a VM, process and cgroup files, at the pace for N VMs",
    );
    report.remark("whole agent: also the host, the flight recorder, detection");
    report.finish("vms");
}

/// Three phases, each with its own descriptors: many hosts allow no more than 20,000.
fn measure(report: &mut Report, size: usize) {
    let herd = Herd::builder(size).threads(THREADS).stats_fds().start().expect("a herd");
    let (agent, infos) = agent_for(&herd, Config::default());
    drop(agent);

    let mut no_kvm = Config::default();
    no_kvm.sampling.kvm_tier = KvmTierChoice::Off;
    let bare = Bare::open(&infos);
    let mut threads = Plans::open(&infos, &no_kvm, Pace::for_vms(usize::MAX));
    // Every VM has had its first tick, in which everything is read.
    threads.tick();
    for (mode, rounds) in modes() {
        let mut variants = vec![
            Variant::new(format!("{size} VMs: bare pread of all threads"), || bare.tick()),
            Variant::new(format!("{size} VMs: all threads"), || threads.tick()),
        ];
        let samples = compare(mode, rounds, &mut variants);
        push(report, mode, &samples[0], None, Goal::None);
        let ratio = samples[1].times(&samples[0]);
        push(report, mode, &samples[1], Some((ratio, "bare pread")), Goal::AtMost(1.10));
    }
    drop((bare, threads));

    let mut all = Plans::open(&infos, &Config::default(), Pace::for_vms(size));
    all.tick();
    check(&all, &infos);
    report.remark(format!("{size} VMs: {} descriptors for VMs", all.descriptors()));
    alone(report, size, "everything", || all.tick());
    drop(all);

    let (agent, _) = agent_for(&herd, Config::default());
    alone(report, size, "whole agent", || {
        agent.step().expect("step");
    });
    let whole = agent.reader().read(Entity::AGENT, agent::DESCRIPTORS).value;
    report.remark(format!("{size} VMs: {whole} descriptors for the whole agent"));
}

/// Measures one thing by itself, and compares it with what it may cost.
fn alone(report: &mut Report, size: usize, what: &str, mut tick: impl FnMut()) {
    for (mode, rounds) in modes() {
        let samples = compare(mode, rounds, &mut [Variant::new(format!("{size} VMs: {what}"), &mut tick)]);
        let share = samples[0].median_ns() / 1e3 / TICK_US_MAX;
        let goal = if mode.name() == "cold" && size == 1_000 { Goal::AtMost(1.0) } else { Goal::None };
        push(report, mode, &samples[0], Some((share, "1.5 % of a core at 1 Hz")), goal);
    }
}

fn modes() -> [(Mode, u32); 2] {
    let (hot, cold) = if is_quick() { (10, 6) } else { (15, 15) };
    [(Mode::Hot { batch: 16 }, hot), (Mode::Cold { pause: Duration::from_secs(1) }, cold)]
}

/// A benchmark of something that reads nothing would be a good one: the values must be there.
fn check(plans: &Plans, infos: &[Arc<VmInfo>]) {
    let frame = plans.writer.frame();
    for info in infos {
        for metric in [vm::VCPU_RUN, vm::EMULATOR_WAIT, vm::CPU_USER, vm::MEMORY_SWAPPED, vm::KVM_EXITS] {
            let reading = frame.read(info.entity, metric);
            assert!(reading.ok().is_some(), "{}: {reading:?}", metric.metric().name);
        }
        for vcpu in &info.vcpus {
            for metric in [vcpu::RUN, vcpu::WAIT, vcpu::EXITS, vcpu::KVM_HALT_WAIT] {
                let reading = frame.read(vcpu.entity, metric);
                assert!(reading.ok().is_some(), "{}: {reading:?}", metric.metric().name);
            }
        }
    }
}

fn push(report: &mut Report, mode: Mode, samples: &Samples, ratio: Option<(f64, &'static str)>, goal: Goal) {
    let value = median(&samples.ns) / 1e3;
    report.push(Row { name: samples.name.clone(), mode: mode.name().into(), value, unit: "us", ratio, goal });
}
