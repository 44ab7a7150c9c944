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
use bartizan_core::sys::pidfd;
use bartizan_testkit::herd::Herd;
use bartizan_testkit::proc::{fd_links, wait_until};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use std::os::fd::AsFd;
use std::os::unix::fs::FileExt;
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
        self.bpf.run(self.number, u32::MAX, 1, self.pace.detail_every_ticks).expect("a run");
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
    // One size alone, for a machine that others use.
    let only = std::env::var("BARTIZAN_BENCH_VMS").ok().and_then(|size| size.parse().ok());
    let sizes = only.as_ref().map_or(sizes, std::slice::from_ref);
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
    no_kvm.sampling.thread_tier = ThreadTierChoice::KeptFd;
    let mut by_bpf = no_kvm.clone();
    by_bpf.sampling.thread_tier = ThreadTierChoice::Bpf;
    let bare = Bare::open(&infos);
    let mut threads = Plans::open(&infos, &no_kvm, Pace::for_vms(usize::MAX));
    // Every VM has had its first tick, in which everything is read.
    threads.tick();
    for (mode, rounds) in modes() {
        let mut variants = vec![
            Variant::new(format!("{size} VMs: bare pread of all threads"), || bare.tick()),
            Variant::new(format!("{size} VMs: all threads, kept-fd"), || threads.tick()),
        ];
        let samples = compare(mode, rounds, &mut variants);
        push(report, mode, &samples[0], None, Goal::None);
        let ratio = samples[1].times(&samples[0]);
        push(report, mode, &samples[1], Some((ratio, "bare pread")), Goal::AtMost(1.10));
    }
    drop(bare);
    let mut records = Plans::open(&infos, &by_bpf, Pace::for_vms(usize::MAX));
    records.tick();
    let each_ns = |samples: &Samples| samples.median_ns() / f64::from(THREADS) / as_f64(size);
    let each_goal = |mode: Mode| match (size, mode.name()) {
        (1_000, "cold") => Goal::AtMost(300.0),
        (1_000, _) => Goal::AtMost(80.0),
        _ => Goal::None,
    };
    for (mode, rounds) in modes() {
        let mut variants = vec![
            Variant::new(format!("{size} VMs: all threads, kept-fd, beside bpf"), || threads.tick()),
            Variant::new(format!("{size} VMs: all threads, bpf"), || records.tick()),
        ];
        let samples = compare(mode, rounds, &mut variants);
        push(report, mode, &samples[0], Some((each_ns(&samples[0]), "ns a thread")), Goal::None);
        let fewer = samples[0].times(&samples[1]);
        let goal = if mode.name() == "cold" { Goal::AtLeast(5.0) } else { Goal::None };
        push(report, mode, &samples[1], Some((fewer, "times less than kept-fd")), goal);
        push(report, mode, &samples[1], Some((each_ns(&samples[1]), "ns a thread")), each_goal(mode));
    }
    drop(threads);
    for (mode, rounds) in modes() {
        let name = format!("{size} VMs: all threads, the bpf program alone");
        let samples = compare(mode, rounds, &mut [Variant::new(name, || records.run_program())]);
        push(report, mode, &samples[0], Some((each_ns(&samples[0]), "ns a thread")), each_goal(mode));
    }
    drop(records);
    measure_kvm(report, size, &infos);

    let mut files = Config::default();
    files.sampling.thread_tier = ThreadTierChoice::KeptFd;
    files.sampling.kvm_tier = KvmTierChoice::StatsFd;
    let mut bpf = Config::default();
    bpf.sampling.thread_tier = ThreadTierChoice::Bpf;
    bpf.sampling.kvm_tier = KvmTierChoice::Bpf;
    let mut bpf_no_kvm = bpf.clone();
    bpf_no_kvm.sampling.kvm_tier = KvmTierChoice::Off;
    for (config, how) in [(&files, "files"), (&bpf, "bpf")] {
        let mut all = Plans::open(&infos, config, Pace::for_vms(size));
        all.tick();
        check(&all, &infos);
        report.remark(format!("{size} VMs, {how}: {} descriptors for VMs", all.descriptors()));
        alone(report, size, &format!("everything, {how}"), || all.tick());
    }
    for (config, how) in [(files, "files"), (bpf_no_kvm, "bpf, without KVM"), (bpf, "bpf")] {
        let (agent, _) = agent_for(&herd, config);
        alone(report, size, &format!("whole agent, {how}"), || {
            agent.step().expect("step");
        });
        let whole = agent.reader().read(Entity::AGENT, agent::DESCRIPTORS).value;
        report.remark(format!("{size} VMs: {whole} descriptors for the whole agent, {how}"));
    }
}

/// The vCPUs of a VM of the herd.
const VCPUS: u32 = 4;

/// KVM's counters of all vCPUs, whether their threads moved or not: one run of the program for all of them beside a
/// `pread` of each statistics descriptor.
fn measure_kvm(report: &mut Report, size: usize, infos: &[Arc<VmInfo>]) {
    let mut by_bpf = Config::default();
    by_bpf.sampling.thread_tier = ThreadTierChoice::KeptFd;
    by_bpf.sampling.kvm_tier = KvmTierChoice::Bpf;
    by_bpf.sampling.descriptors_max = 1;
    let bpf = Bpf::load(&by_bpf);
    let kvm = bpf.kvm.as_ref().expect("the program");
    let (mut writer, _) = Frame::new(&by_bpf.limits).expect("memory");
    let plans: Vec<VmPlan> = infos
        .iter()
        .map(|info| {
            info.parts().chain([info.entity]).for_each(|entity| writer.open_row(entity));
            let (plan, reports) = VmPlan::open(info, &by_bpf, &bpf, 8);
            let tier = reports.iter().find(|report| report.source == Source::Kvm).map(|report| report.tier);
            assert_eq!(tier, Some("bpf"), "{reports:?}");
            plan.take_seat();
            plan
        })
        .collect();
    let descriptors = Statistics::open(infos);
    let mut number = 0;
    for (mode, rounds) in modes() {
        let mut variants = vec![
            Variant::new(format!("{size} VMs: bare pread of {VCPUS} statistics descriptors each"), || {
                descriptors.tick();
            }),
            Variant::new(
                format!("{size} VMs: KVM's counters of {VCPUS} vCPUs each, the bpf program"),
                || {
                    number += 1;
                    kvm.run(number, u32::MAX, 1, 1).expect("a run");
                },
            ),
        ];
        let samples = compare(mode, rounds, &mut variants);
        let each = |samples: &Samples| samples.median_ns() / f64::from(VCPUS) / as_f64(size);
        push(report, mode, &samples[0], Some((each(&samples[0]), "ns a vCPU")), Goal::None);
        let goal = if mode.name() == "cold" { 500.0 } else { 100.0 };
        push(report, mode, &samples[1], Some((each(&samples[1]), "ns a vCPU")), Goal::AtMost(goal));
        push(
            report,
            mode,
            &samples[1],
            Some((samples[0].times(&samples[1]), "times less than pread")),
            Goal::None,
        );
    }
    drop(plans);
}

/// The statistics descriptors of all vCPUs, and what is read of them: the counters of this kernel's vCPU.
struct Statistics {
    /// Each with where its data begins.
    files: Vec<(std::fs::File, u64)>,
}

impl Statistics {
    fn open(infos: &[Arc<VmInfo>]) -> Self {
        let mut files = Vec::new();
        for info in infos {
            let pid = u32::try_from(info.pid).expect("a pid");
            let process = pidfd::open(info.pid).expect("a pidfd");
            for (fd, link) in fd_links(pid).expect("descriptors") {
                if link.to_str().is_some_and(|link| link.starts_with("anon_inode:kvm-vcpu-stats")) {
                    let fd = i32::try_from(fd).expect("a descriptor");
                    let file =
                        std::fs::File::from(pidfd::duplicate_from(process.as_fd(), fd).expect("a duplicate"));
                    let mut header = [0; 24];
                    file.read_exact_at(&mut header, 0).expect("a header");
                    let data_at = u32::from_ne_bytes([header[20], header[21], header[22], header[23]]);
                    files.push((file, u64::from(data_at)));
                }
            }
        }
        assert_eq!(files.len(), infos.len() * VCPUS as usize);
        Self { files }
    }

    fn tick(&self) {
        let mut buffer = [0; 2_048];
        for (file, data_at) in &self.files {
            std::hint::black_box(file.read_at(&mut buffer, *data_at).expect("read"));
        }
    }
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

fn as_f64(count: usize) -> f64 {
    u32::try_from(count).map_or(f64::NAN, f64::from)
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
    // As it goes: the table comes at the end of many minutes.
    eprintln!("{} ({}): {value:.1} us {ratio:?}", samples.name, mode.name());
    report.push(Row { name: samples.name.clone(), mode: mode.name().into(), value, unit: "us", ratio, goal });
}
