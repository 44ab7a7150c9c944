//! Nothing outlives the test process, however it ends.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use bartizan_testkit::proc;

const LIMIT: Duration = Duration::from_secs(20);

/// Starts a herd through its program, and gives the pids that it prints.
fn herd_program(count: usize) -> (Child, Vec<u32>) {
    let mut program = Command::new(env!("CARGO_BIN_EXE_bartizan-herd"))
        .arg(count.to_string())
        .stdout(Stdio::piped())
        .spawn()
        .expect("bartizan-herd");
    let mut lines = BufReader::new(program.stdout.take().expect("stdout")).lines().map_while(Result::ok);
    assert_eq!(lines.next().as_deref(), Some("ready"));
    let pids: Vec<u32> = lines.by_ref().take(count).filter_map(|line| line.parse().ok()).collect();
    assert_eq!(pids.len(), count);
    (program, pids)
}

fn gone(pids: &[u32]) -> bool {
    // Nobody may be there to reap an orphan at once: a zombie is dead enough.
    proc::wait_until(LIMIT, || pids.iter().all(|pid| matches!(proc::state(*pid), Err(_) | Ok('Z' | 'X'))))
}

#[test]
fn a_herd_dies_with_a_parent_that_is_killed() {
    let (mut program, pids) = herd_program(5);
    let exe = std::fs::read_link(format!("/proc/{}/exe", pids[0])).expect("exe");
    program.kill().expect("kill");
    program.wait().expect("reap");
    assert!(gone(&pids), "orphans of a killed parent live on");
    // A killed process cannot remove the folder of its executable's other name.
    let folder = exe.parent().expect("a folder");
    assert!(folder.file_name().is_some_and(|name| name.to_string_lossy().starts_with(".bartizan-testkit-")));
    std::fs::remove_dir_all(folder).expect("remove what the killed program left");
}

#[test]
fn a_herd_ends_cleanly_when_its_program_is_asked_to() {
    let (mut program, pids) = herd_program(5);
    let pid = nix::unistd::Pid::from_raw(i32::try_from(program.id()).expect("a pid"));
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM).expect("ask");
    assert!(program.wait().expect("reap").success());
    assert!(gone(&pids), "members live on");
}

#[test]
fn a_process_outlives_the_thread_that_started_it() {
    let started = std::thread::spawn(|| {
        bartizan_testkit::minivmm::MiniVmm::builder().without_kvm().start().expect("a process")
    });
    let vm = started.join().expect("the thread");
    std::thread::sleep(Duration::from_millis(100));
    assert!(matches!(proc::state(vm.pid()), Ok('S' | 'R')), "{:?}", proc::state(vm.pid()));
}

#[test]
fn wrong_arguments_are_told() {
    let output = Command::new(env!("CARGO_BIN_EXE_bartizan-minivmm"))
        .args(["--guest", "nothing"])
        .output()
        .expect("bartizan-minivmm");
    assert!(!output.status.success());
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("'nothing' is unknown"), "{said}");
}
