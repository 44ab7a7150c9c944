//! One tick of the host's nine basic files, beside bare `pread`s of the same files and beside what others take.

use bartizan_benches::cpu::{Peer, as_f64};
use bartizan_benches::http;
use bartizan_benches::report::{Goal, Report, Row};
use bartizan_benches::{Mode, Samples, Variant, compare, is_quick};
use bartizan_core::config::Config;
use bartizan_core::sampling::frame::{Frame, FrameWriter, Tick};
use bartizan_core::sampling::host::{HostLabels, HostPlan};
use bartizan_core::sys::clock::Clock;
use bartizan_core::sys::file::KeptFile;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

const FILES: [&str; 9] = [
    "stat",
    "meminfo",
    "vmstat",
    "diskstats",
    "net/dev",
    "loadavg",
    "pressure/cpu",
    "pressure/memory",
    "pressure/io",
];

/// The node exporter's collectors of the same files.
const COLLECTORS: [&str; 8] =
    ["cpu", "stat", "meminfo", "vmstat", "diskstats", "netdev", "loadavg", "pressure"];

/// A host of which nothing but the nine files can be seen.
struct NineFiles {
    plan: HostPlan,
    writer: FrameWriter,
    number: u64,
    _root: tempfile::TempDir,
}

impl NineFiles {
    fn open() -> Self {
        let root = tempfile::tempdir().expect("a temporary folder");
        let proc = root.path().join("proc");
        for file in FILES {
            let link = proc.join(file);
            std::fs::create_dir_all(link.parent().expect("a parent")).expect("a folder");
            symlink(Path::new("/proc").join(file), link).expect("a link");
        }
        let mut config = Config::default();
        config.roots.proc = proc;
        config.roots.sys = root.path().join("sys");
        config.sampling.perf_events = false;
        config.limits.vms = 1;
        let (mut writer, _) = Frame::new(&config.limits).expect("memory");
        let (mut plan, _, _) = HostPlan::open(&config, &HostLabels::default());
        assert_eq!(plan.descriptors(), FILES.len(), "the nine files and nothing else");
        plan.install(None, &mut writer);
        Self { plan, writer, number: 0, _root: root }
    }

    fn tick(&mut self) {
        let clock = Clock::System;
        self.number += 1;
        let tick = Tick { number: self.number, mono_ns: clock.mono_ns(), wall_ns: clock.wall_ns() };
        self.plan.sample(tick, &mut self.writer);
        self.writer.finish(tick);
    }
}

/// What any program must pay that keeps the files open and looks at nothing.
struct Bare {
    files: Vec<KeptFile>,
    buffer: Box<[u8]>,
}

impl Bare {
    fn open() -> Self {
        let files = FILES.iter().map(|file| KeptFile::open(&Path::new("/proc").join(file)).expect("open"));
        Self { files: files.collect(), buffer: vec![0; 64 << 10].into() }
    }

    fn tick(&mut self) {
        for file in &self.files {
            std::hint::black_box(file.read_at(&mut self.buffer, 0).expect("read"));
        }
    }
}

fn procfs_crate() {
    use procfs::{Current, CurrentSI};
    std::hint::black_box((
        procfs::KernelStats::current().expect("stat"),
        procfs::Meminfo::current().expect("meminfo"),
        procfs::vmstat().expect("vmstat"),
        procfs::diskstats().expect("diskstats"),
        procfs::net::dev_status().expect("net/dev"),
        procfs::LoadAverage::current().expect("loadavg"),
        procfs::CpuPressure::current().expect("pressure/cpu"),
        procfs::MemoryPressure::current().expect("pressure/memory"),
        procfs::IoPressure::current().expect("pressure/io"),
    ));
}

/// `sysinfo`'s closest: it has neither `vmstat` nor pressure.
struct Sysinfo {
    system: sysinfo::System,
    networks: sysinfo::Networks,
    disks: sysinfo::Disks,
}

impl Sysinfo {
    fn tick(&mut self) {
        self.system.refresh_cpu_usage();
        self.system.refresh_memory();
        self.networks.refresh(true);
        self.disks.refresh_specifics(true, sysinfo::DiskRefreshKind::nothing().with_io_usage());
        std::hint::black_box(sysinfo::System::load_average().expect("loadavg"));
    }
}

fn main() {
    let (hot_rounds, cold_rounds) = if is_quick() { (15, 6) } else { (40, 20) };
    let mut report = Report::new("Host: one tick of the nine basic files (CPU time of the thread)");
    let mut nine = NineFiles::open();
    let mut bare = Bare::open();
    let mut others = Sysinfo {
        system: sysinfo::System::new().expect("sysinfo"),
        networks: sysinfo::Networks::new_with_refreshed_list().expect("sysinfo"),
        disks: sysinfo::Disks::new_with_refreshed_list().expect("sysinfo"),
    };
    for (mode, rounds) in
        [(Mode::Hot { batch: 200 }, hot_rounds), (Mode::Cold { pause: Duration::from_secs(1) }, cold_rounds)]
    {
        let mut variants = vec![
            Variant::new("kept descriptors, bare pread", || bare.tick()),
            Variant::new("Bartizan", || nine.tick()),
            Variant::new("procfs crate", procfs_crate),
            Variant::new("sysinfo (no vmstat, no pressure)", || others.tick()),
        ];
        let samples = compare(mode, rounds, &mut variants);
        drop(variants);
        let goal = if mode.name() == "hot" { 1.15 } else { 1.10 };
        push(&mut report, mode, &samples[0], None, Goal::None);
        push(&mut report, mode, &samples[1], Some((&samples[0], "bare pread")), Goal::AtMost(goal));
        peer(&mut report, mode, &samples[2], &samples[1], 3.5);
        peer(&mut report, mode, &samples[3], &samples[1], 5.0);
        let bound = |report: &mut Report, peer: &Samples| {
            report.remark(format!(
                "{}: the bare preads alone are {:.2} times cheaper than {}: no reader of these files can do better",
                mode.name(),
                peer.times(&samples[0]),
                peer.name
            ));
        };
        bound(&mut report, &samples[2]);
        match psutil(mode, rounds) {
            Ok(psutil) => {
                peer(&mut report, mode, &psutil, &samples[1], 5.0);
                bound(&mut report, &psutil);
            }
            Err(why) => report.remark(format!("psutil is not measured: {why}")),
        }
        match node_exporter(mode, rounds) {
            Ok(exporter) => peer(&mut report, mode, &exporter, &samples[1], 10.0),
            Err(why) => report.remark(format!("prometheus-node-exporter is not measured: {why}")),
        }
    }
    report.remark("node-exporter: CPU of its process per scrape, serving included; psutil has no pressure");
    report.finish("host");
}

fn push(
    report: &mut Report,
    mode: Mode,
    samples: &Samples,
    of: Option<(&Samples, &'static str)>,
    goal: Goal,
) {
    report.push(Row {
        name: samples.name.clone(),
        mode: mode.name().into(),
        value: samples.median_ns() / 1e3,
        unit: "us",
        ratio: of.map(|(other, name)| (samples.times(other), name)),
        goal,
    });
}

fn peer(report: &mut Report, mode: Mode, samples: &Samples, ours: &Samples, goal: f64) {
    push(report, mode, samples, Some((ours, "Bartizan")), Goal::AtLeast(goal));
}

/// psutil's closest, measured by Python itself: CPU time of its thread.
fn psutil(mode: Mode, rounds: u32) -> Result<Samples, String> {
    const SCRIPT: &str = r"
import sys, time, psutil
mode, rounds = sys.argv[1], int(sys.argv[2])
def tick():
    psutil.cpu_times(percpu=True); psutil.cpu_times(); psutil.cpu_stats()
    psutil.virtual_memory(); psutil.swap_memory()
    psutil.disk_io_counters(perdisk=True); psutil.net_io_counters(pernic=True); psutil.getloadavg()
tick()
for _ in range(rounds):
    calls = 50 if mode == 'hot' else 1
    if mode == 'cold':
        time.sleep(1)
    before = time.thread_time_ns()
    for _ in range(calls):
        tick()
    print((time.thread_time_ns() - before) / calls)
";
    // The system's Python is the one that Debian's psutil is for.
    let system = if Path::new("/usr/bin/python3").exists() { "/usr/bin/python3" } else { "python3" };
    let python = std::env::var("BARTIZAN_BENCH_PYTHON").unwrap_or_else(|_| system.into());
    let rounds = if mode.name() == "cold" { rounds.min(8) } else { rounds };
    let output = Command::new(&python)
        .args(["-c", SCRIPT, mode.name(), &rounds.to_string()])
        .output()
        .map_err(|error| format!("{python}: {error}"))?;
    if !output.status.success() {
        let errors = String::from_utf8_lossy(&output.stderr);
        return Err(errors.lines().last().unwrap_or("failed").to_owned());
    }
    let text = String::from_utf8_lossy(&output.stdout);
    let ns = text.lines().map(|line| line.parse().map_err(|_| format!("unexpected output: {line}")));
    Ok(Samples { name: "psutil (no pressure)".into(), ns: ns.collect::<Result<_, String>>()? })
}

/// CPU time of the exporter's process per scrape.
fn node_exporter(mode: Mode, rounds: u32) -> Result<Samples, String> {
    let port = http::free_port()?;
    let child = Command::new("prometheus-node-exporter")
        .arg("--collector.disable-defaults")
        .args(COLLECTORS.map(|collector| format!("--collector.{collector}")))
        .args(["--web.disable-exporter-metrics".into(), format!("--web.listen-address=127.0.0.1:{port}")])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| format!("prometheus-node-exporter: {error}"))?;
    let exporter = Peer(child);
    let up = (0..100).any(|_| {
        std::thread::sleep(Duration::from_millis(50));
        scrape(port).is_ok()
    });
    if !up {
        return Err("it does not answer".into());
    }
    let mut ns = Vec::new();
    for _ in 0..if mode.name() == "cold" { rounds.min(8) } else { rounds } {
        let scrapes = match mode {
            Mode::Hot { .. } => 20,
            Mode::Cold { pause } => {
                std::thread::sleep(pause);
                1
            }
        };
        let before = exporter.cpu_ns();
        for _ in 0..scrapes {
            scrape(port)?;
        }
        // What it does after the answer is part of the scrape.
        std::thread::sleep(Duration::from_millis(20));
        ns.push(as_f64(exporter.cpu_ns() - before) / f64::from(scrapes));
    }
    Ok(Samples { name: "prometheus-node-exporter (same files)".into(), ns })
}

fn scrape(port: u16) -> Result<usize, String> {
    let answer = http::get(port, "/metrics")?;
    if answer.len() < 1_000 { Err(format!("an answer of {} bytes", answer.len())) } else { Ok(answer.len()) }
}
