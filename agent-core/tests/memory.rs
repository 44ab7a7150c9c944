//! What the agent adds to the process it lives in: a fixed part, and a part per VM. SPECIFICATION.md promises both.

use bartizan_core::config::Config;
use bartizan_core::engine::Agent;
use bartizan_core::sys::clock::Clock;
use bartizan_testkit::herd::Herd;
use bartizan_testkit::proc::wait_until;
use std::time::Duration;

/// The library beside no VM.
const FIXED_KIB_MAX: u64 = 4 * 1024;
/// A VM of six threads, its history full.
const PER_VM_KIB_MAX: u64 = 48;
const VMS: usize = 256;

/// Resident memory. An unoptimised build has several times the code, which says nothing about what is shipped: there
/// only the memory is counted that the library wrote to.
fn resident_kib() -> u64 {
    let field = if cfg!(debug_assertions) { "RssAnon:" } else { "VmRSS:" };
    let status = std::fs::read_to_string("/proc/self/status").expect("this process's own status");
    let line = status.lines().find(|line| line.starts_with(field)).expect("kernel 4.5");
    line.split_ascii_whitespace().nth(1).and_then(|kib| kib.parse().ok()).expect("a number of KiB")
}

/// Runs as many ticks as the flight recorder holds, so that all of it that is used was written. Returns how many rows
/// VMs have ever taken: other tests' VMs come and go on this host too, and what they touched stays touched.
fn fill_history(agent: &Agent, rows_before: u64) -> u64 {
    let mut rows = rows_before;
    for _ in 0..=agent.reader().config().limits.history_ticks {
        agent.maintain().expect("maintain");
        agent.step().expect("step");
        rows =
            rows.max(agent.reader().vms().iter().map(|vm| u64::from(vm.entity.row) + 1).max().unwrap_or(0));
    }
    rows
}

#[test]
fn the_library_stays_within_what_is_promised() {
    let before_kib = resident_kib();
    let mut config = Config::default();
    // Ticks come back to back here.
    config.sampling.interval_ms = 10;
    // The test is about memory: what descriptors the process may have is the test machine's business.
    config.sampling.descriptors_max = 512;
    let agent = Agent::new(config, Clock::System).expect("an agent with defaults");
    let others = fill_history(&agent, 0);
    let fixed_kib = resident_kib().saturating_sub(before_kib);
    println!("{fixed_kib} KiB with {others} VMs of other tests");
    assert!(fixed_kib <= FIXED_KIB_MAX + others * PER_VM_KIB_MAX, "{fixed_kib} KiB beside {others} VMs");

    let herd = Herd::builder(VMS).threads(6).start().expect("a herd");
    let pids = herd.pids();
    let mut seen = others;
    let all = wait_until(Duration::from_mins(1), || {
        seen = fill_history(&agent, seen);
        let vms = agent.reader().vms();
        pids.iter().all(|pid| vms.iter().any(|vm| u32::try_from(vm.pid) == Ok(*pid)))
    });
    assert!(all, "the whole herd is watched");
    seen = fill_history(&agent, seen);
    let with_vms_kib = resident_kib().saturating_sub(before_kib);
    println!(
        "{with_vms_kib} KiB with {seen} VMs: {} KiB a VM",
        with_vms_kib.saturating_sub(fixed_kib) / (seen - others)
    );
    assert!(
        with_vms_kib <= FIXED_KIB_MAX + seen * PER_VM_KIB_MAX,
        "{with_vms_kib} KiB with {seen} VMs is more than {FIXED_KIB_MAX} + {PER_VM_KIB_MAX} a VM"
    );
}

/// The checks beside no VM: their rules, the host's facts and findings, and what was parsed for them.
const CHECKS_FIXED_KIB_MAX: u64 = 6 * 1024;
/// What checks keep of a VM, and what they need while they read it.
const CHECKS_PER_VM_KIB_MAX: u64 = 80;
const CHECKED_VMS: usize = 64;

/// In the environment of a child that checks, so that nothing else of this process counts.
const CHECKING: &str = "BARTIZAN_TEST_CHECKING";

#[test]
fn checks_stay_within_what_is_promised() {
    if std::env::var_os(CHECKING).is_some() {
        return check_and_tell();
    }
    let of_a_child = || {
        let me = std::env::current_exe().expect("this test");
        let arguments = ["--exact", "checks_stay_within_what_is_promised", "--nocapture"];
        let output =
            std::process::Command::new(me).args(arguments).env(CHECKING, "1").output().expect("a child");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let told =
            text.lines().find_map(|line| line.strip_prefix("told ")).unwrap_or_else(|| panic!("{text}"));
        let mut numbers = told.split(' ').map(|number| number.parse::<u64>().expect("a number"));
        (numbers.next().expect("VMs"), numbers.next().expect("KiB"))
    };
    let (others, fixed_kib) = of_a_child();
    println!("{fixed_kib} KiB with {others} VMs of other tests");
    assert!(
        fixed_kib <= CHECKS_FIXED_KIB_MAX + others * CHECKS_PER_VM_KIB_MAX,
        "{fixed_kib} KiB, {others} VMs"
    );
    let _herd = Herd::builder(CHECKED_VMS).threads(6).start().expect("a herd");
    let (vms, kib) = of_a_child();
    assert!(vms >= CHECKED_VMS as u64 && vms > others, "{vms} VMs, {others} before");
    let each_kib = kib.saturating_sub(fixed_kib) / (vms - others);
    println!("{kib} KiB with {vms} VMs: {each_kib} KiB a VM");
    assert!(each_kib <= CHECKS_PER_VM_KIB_MAX, "{each_kib} KiB a VM");
    assert!(kib <= CHECKS_FIXED_KIB_MAX + vms * CHECKS_PER_VM_KIB_MAX, "{kib} KiB with {vms} VMs");
}

/// One full run; tells VMs and what it added to this process.
fn check_and_tell() {
    let before_kib = resident_kib();
    let checker = bartizan_core::checks::run_once(&Config::default(), Clock::System).expect("a run");
    let added_kib = resident_kib().saturating_sub(before_kib);
    println!("told {} {added_kib}", checker.facts().vms().len());
}
