//! A tick makes no system call that could block: traced by strace, call by call, with real VMs.
//!
//! The traced process is this test program again. It marks the beginning and the end of each tick with a call that
//! nothing else makes, and everything the sampler's thread does in between must be on the list below.

use bartizan_core::config::Config;
use bartizan_core::engine;
use bartizan_core::sampling::discovery::VmInfo;
use bartizan_core::sys::clock::Clock;
use bartizan_testkit::minivmm::{self, MiniVmm};
use bartizan_testkit::{proc, skip};
use nix::sys::signal::{Signal, kill};
use nix::unistd::{AccessFlags, Pid, access};
use std::collections::BTreeMap;
use std::process::{Command, Stdio};
use std::time::Duration;

const BEGIN: &str = "/bartizan-tick-begins";
const END: &str = "/bartizan-tick-ends";
const PIDS: &str = "BARTIZAN_TEST_VM_PIDS";
/// More than the period of the slowest source.
const TICKS: u32 = 40;

#[test]
fn a_tick_makes_no_call_that_could_block() {
    if let Some(reason) = minivmm::missing() {
        skip!("{reason}");
    }
    if Command::new("strace").arg("-V").stdout(Stdio::null()).status().is_err() {
        skip!("strace is not installed");
    }
    let vms: Vec<MiniVmm> =
        (0..3).map(|_| MiniVmm::builder().vcpus(2).stats_fds().start().expect("a VM")).collect();
    let pids: Vec<String> = vms.iter().map(|vm| vm.pid().to_string()).collect();
    let log = tempfile::NamedTempFile::new().expect("a file");
    let output = Command::new("strace")
        .args(["-f", "-o"])
        .arg(log.path())
        .arg(std::env::current_exe().expect("this program"))
        .args(["--exact", "traced", "--ignored", "--nocapture", "--test-threads=1"])
        .env(PIDS, pids.join(","))
        .output()
        .expect("strace");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stdout));

    let trace = std::fs::read_to_string(log.path()).expect("the trace");
    let (ticks, calls) = calls_in_ticks(&trace);
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for call in &calls {
        *counts.entry(name_of(call)).or_default() += 1;
    }
    println!("{ticks} ticks, {} calls: {counts:?}", calls.len());
    assert!(ticks >= TICKS as usize);
    assert!(
        counts.contains_key("epoll_wait") || counts.contains_key("epoll_pwait"),
        "exits were not looked for"
    );
    let refused: Vec<_> = calls.iter().filter(|call| !never_blocks(call)).take(20).collect();
    assert!(refused.is_empty(), "{refused:#?}");
}

/// Runs under strace; see above.
#[test]
#[ignore = "started by the other test, under strace"]
fn traced() {
    let pids: Vec<i32> = std::env::var(PIDS)
        .expect("the pids of the VMs")
        .split(',')
        .map(|pid| pid.parse().expect("a pid"))
        .collect();
    let (mut sampler, mut planner, reader) =
        engine::build(Config::default(), Clock::System).expect("an agent");
    let all_watched = |vms: &[std::sync::Arc<VmInfo>]| {
        pids.iter().all(|pid| vms.iter().any(|vm| vm.pid == *pid && vm.vcpus.len() == 2))
    };
    assert!(proc::wait_until(Duration::from_mins(1), || {
        planner.maintain();
        all_watched(&reader.vms())
    }));
    let mut tick = || {
        let _ = access(BEGIN, AccessFlags::F_OK);
        sampler.tick();
        let _ = access(END, AccessFlags::F_OK);
        planner.maintain();
    };
    (0..TICKS / 2).for_each(|_| tick());
    kill(Pid::from_raw(pids[0]), Signal::SIGKILL).expect("kill");
    (0..TICKS / 2).for_each(|_| tick());
    // The kernel needs a moment to take a VM down.
    assert!(proc::wait_until(Duration::from_mins(1), || {
        tick();
        reader.vms().iter().all(|vm| vm.pid != pids[0])
    }));
}

/// The calls between the marks, as strace wrote them without the thread's number.
fn calls_in_ticks(trace: &str) -> (usize, Vec<&str>) {
    let mut ticks = 0;
    let mut thread = None;
    let mut calls = Vec::new();
    for line in trace.lines() {
        let Some((tid, call)) = line.split_once(' ') else { continue };
        let call = call.trim_start();
        if call.contains(BEGIN) {
            thread = Some(tid);
        } else if call.contains(END) {
            thread = None;
            ticks += 1;
        } else if thread == Some(tid) && !call.starts_with(['+', '-', '<']) {
            calls.push(call);
        }
    }
    (ticks, calls)
}

fn name_of(call: &str) -> &str {
    call.split('(').next().unwrap_or(call)
}

/// What stands between the parentheses; the result follows after spaces.
fn arguments(call: &str) -> &str {
    let call = call.split(" = ").next().unwrap_or(call).trim_end();
    call.strip_suffix(')').unwrap_or(call)
}

/// Whether a call returns at once whatever the world does. Files are those of procfs, sysfs, debugfs and cgroups, whose
/// reads compute an answer and wait for no one.
fn never_blocks(call: &str) -> bool {
    match name_of(call) {
        // Clocks that the vDSO does not answer, such as the thread's CPU time; then what answers of an open file.
        "clock_gettime" | "clock_getres" | "gettid" | "getpid" | "sched_yield" | "pread64" | "read"
        | "preadv" | "lseek" | "close" | "fstat" | "newfstatat" | "statx" => true,
        // The standard library asserts in debug builds that what it closes is open.
        "fcntl" => call.contains("F_GETFD"),
        // Without O_NONBLOCK an open could wait for a FIFO's other end: only below the kernel's own file systems.
        "openat" => {
            ["\"/proc/", "\"/sys/"].iter().any(|root| call.contains(root)) || call.contains("O_NONBLOCK")
        }
        // Only a look: a timeout of 0.
        "epoll_wait" => arguments(call).ends_with(", 0"),
        "epoll_pwait" => arguments(call).contains(", 0, NULL, "),
        "epoll_ctl" => call.contains("EPOLL_CTL_DEL"),
        // Eight bytes into a descriptor made with EFD_NONBLOCK.
        "write" => arguments(call).ends_with("\", 8"),
        "sendto" | "recvfrom" | "recvmsg" | "sendmsg" => call.contains("MSG_DONTWAIT"),
        // A program that was loaded beforehand: it runs to its end under RCU, and its loops are bounded by what there is.
        "bpf" => call.contains("BPF_PROG_TEST_RUN") || call.contains("BPF_PROG_RUN"),
        // Waking the planner, never waiting for it.
        "futex" => call.contains("FUTEX_WAKE"),
        _ => false,
    }
}
