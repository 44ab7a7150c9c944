//! What the checks of isolation and configuration cost: a full run with 32 real KVM VMs, a pass in which nothing changed,
//! the memory of a process that does nothing else; beside other checkers that are installed, in the same run.

use bartizan_benches::cpu::as_f64;
use bartizan_benches::report::{Goal, Report, Row};
use bartizan_benches::{Mode, Samples, Variant, compare, is_quick};
use bartizan_core::checks::{Board, Checker, Verdict, vms_of};
use bartizan_core::config::Config;
use bartizan_core::sys::clock::Clock;
use bartizan_testkit::herd::Herd;
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

const FULL_NS_MAX: f64 = 50e6;
const IDLE_NS_MAX: f64 = 0.5e6;
const PEAK_KIB_MAX: f64 = 8.0 * 1024.0;
/// In the environment of a child that makes one full run and tells its memory: the PIDs of the VMs it looks at.
const ONCE: &str = "BARTIZAN_BENCH_CHECKS_ONCE";

fn row(samples: &Samples, mode: Mode, limit_ns: f64, limit: &'static str) -> Row {
    let ns = samples.median_ns();
    let (ratio, goal) =
        if limit_ns > 0.0 { (Some((ns / limit_ns, limit)), Goal::AtMost(1.0)) } else { (None, Goal::None) };
    Row { name: samples.name.clone(), mode: mode.name().into(), value: ns / 1e6, unit: "ms", ratio, goal }
}

fn main() {
    if let Ok(pids) = std::env::var(ONCE) {
        return once(&pids);
    }
    let vms = 32;
    let mut report = Report::new("Checks of isolation and configuration (CPU time)");
    let herd = Herd::builder(vms).kvm().start().expect("a herd");
    let config = Config::default();
    // The shipped rules alone, whatever this host adds.
    let config = Config {
        checks: bartizan_core::config::Checks {
            folder: "/nonexistent/checks.d".into(),
            ..config.checks.clone()
        },
        ..config
    };
    // The herd alone, whatever else runs on this host.
    let pids = herd.pids();
    let mut found = vms_of(&config);
    found.retain(|vm| u32::try_from(vm.id.pid).is_ok_and(|pid| pids.contains(&pid)));
    assert!(found.len() == vms, "{} VMs of {vms} were found", found.len());
    let board = Arc::new(Board::new().expect("a board"));
    let mut checker = Checker::new(&config, Clock::System, Arc::clone(&board));
    checker.set_vms(found.clone());
    while checker.work(u64::MAX) {}
    let tally = board.tally();
    report.remark(format!(
        "{} rules, {} VMs, {} findings ({} fail, {} unknown, {} broken), {} facts",
        board.rules().rules().len(),
        found.len(),
        board.findings().len(),
        tally.of(Verdict::Fail),
        tally.of(Verdict::Unknown),
        tally.of(Verdict::Error),
        checker.facts().len(),
    ));

    let rounds = if is_quick() { 3 } else { 15 };
    let hot = Mode::Hot { batch: 1 };
    let cold = Mode::Cold { pause: Duration::from_millis(if is_quick() { 20 } else { 1_000 }) };
    for mode in [hot, cold] {
        let mut full = [Variant::new(format!("full run, {vms} VMs"), || {
            checker.start_sweep();
            while checker.work(u64::MAX) {}
        })];
        report.push(row(&compare(mode, rounds, &mut full)[0], mode, FULL_NS_MAX, "50 ms"));
    }
    for mode in [Mode::Hot { batch: 20 }, cold] {
        let mut idle = [Variant::new("a pass in which nothing changed", || {
            checker.work(u64::MAX);
        })];
        report.push(row(&compare(mode, rounds, &mut idle)[0], mode, IDLE_NS_MAX, "0.5 ms"));
    }
    let mut first = [Variant::new("first run: rules read, everything parsed", || {
        let mut checker = Checker::new(&config, Clock::System, Arc::new(Board::new().expect("a board")));
        checker.set_vms(found.clone());
        while checker.work(u64::MAX) {}
    })];
    report.push(row(&compare(hot, rounds.min(5), &mut first)[0], hot, 0.0, ""));

    let [peak_kib, own_kib, files_kib] = memory_of_a_process(&pids);
    report.remark(format!(
        "of the memory, at the end: {:.1} MiB its own, {:.1} MiB pages of programs and libraries, which other \
         processes share",
        own_kib / 1024.0,
        files_kib / 1024.0
    ));
    report.push(Row {
        name: "most memory of a process that checks once".into(),
        mode: "peak".into(),
        value: peak_kib / 1024.0,
        unit: "MiB",
        ratio: Some((peak_kib / PEAK_KIB_MAX, "8 MiB")),
        goal: Goal::AtMost(1.0),
    });
    let full_ns = report.value_of("full run, 32 VMs") * 1e6;
    peers(&mut report, full_ns);
    drop(herd);
    report.finish("checks");
}

/// One full run; then what proc(5) says of this process: `VmHWM`, `RssAnon` and `RssFile`, in KiB.
fn once(pids: &str) {
    let pids: Vec<i32> = pids.split(',').filter_map(|pid| pid.parse().ok()).collect();
    let config = Config::default();
    let mut vms = vms_of(&config);
    vms.retain(|vm| pids.contains(&vm.id.pid));
    let mut checker = Checker::new(&config, Clock::System, Arc::new(Board::new().expect("a board")));
    checker.set_vms(vms);
    while checker.work(u64::MAX) {}
    let status = std::fs::read_to_string("/proc/self/status").expect("a file");
    for field in ["VmHWM:", "RssAnon:", "RssFile:"] {
        let kib = status.lines().find_map(|line| line.strip_prefix(field)).expect("kernel 4.5");
        println!("{}", kib.trim().trim_end_matches(" kB"));
    }
    assert!(!checker.board().findings().is_empty());
}

fn memory_of_a_process(pids: &[u32]) -> [f64; 3] {
    let pids = pids.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
    let me = std::env::current_exe().expect("this benchmark");
    let output = Command::new(me).env(ONCE, pids).output().expect("a child");
    let text = String::from_utf8_lossy(&output.stdout);
    let numbers: Vec<f64> = text.lines().filter_map(|line| line.parse().ok()).collect();
    numbers.try_into().expect("three numbers")
}

/// Other checkers, each run once: they take from a second to minutes.
fn peers(report: &mut Report, full_ns: f64) {
    let mut commands = vec![("spectre-meltdown-checker", vec!["--batch", "json"])];
    if std::env::var("BARTIZAN_BENCH_PEERS").is_ok_and(|peers| peers == "all") {
        commands.push(("lynis", vec!["audit", "system", "--quick", "--no-colors", "--no-log"]));
    }
    for (name, arguments) in commands {
        let before = children_ns();
        let status = Command::new(name).args(&arguments).stdout(Stdio::null()).stderr(Stdio::null()).status();
        if let Err(error) = status {
            report.remark(format!("{name} is left out: {error}"));
            continue;
        }
        let ns = children_ns() - before;
        report.push(Row {
            name: name.into(),
            mode: "once".into(),
            value: ns / 1e6,
            unit: "ms",
            ratio: Some((ns / full_ns, "our full run")),
            goal: Goal::None,
        });
    }
}

/// CPU time of all children that have ended, in nanoseconds.
fn children_ns() -> f64 {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).expect("getrusage");
    let us = usage.user_time().num_microseconds() + usage.system_time().num_microseconds();
    as_f64(u64::try_from(us).unwrap_or(0)) * 1e3
}
