//! Real QEMUs: they start, do what their guest says, freeze, thaw and die.

use std::io::{BufRead, BufReader};
use std::time::Duration;

use bartizan_testkit::guest::{Command, Guest};
use bartizan_testkit::proc;
use bartizan_testkit::qemu::{self, Qemu};
use serde_json::json;

const LIMIT: Duration = Duration::from_secs(20);

macro_rules! needs_qemu {
    () => {
        if let Some(reason) = qemu::missing() {
            bartizan_testkit::skip!("{reason}");
        }
    };
}

fn vcpu_ticks(vm: &Qemu) -> u64 {
    let threads = vm.vcpu_threads().expect("vCPU threads");
    proc::cpu_ticks(vm.pid(), threads[0].tid).expect("CPU times").total()
}

#[test]
fn a_spinning_vcpu_burns_cpu_and_an_idle_one_does_not() {
    needs_qemu!();
    let spin = Qemu::builder().name("spin").guest(Guest::Spin).start().expect("a spinning VM");
    let idle = Qemu::builder().name("idle").guest(Guest::Idle).start().expect("an idle VM");
    assert!(proc::wait_until(LIMIT, || vcpu_ticks(&spin) >= 20), "the spinning vCPU used no CPU time");
    assert!(vcpu_ticks(&idle) <= 2, "the idle vCPU used {} ticks", vcpu_ticks(&idle));
}

#[test]
fn all_that_was_asked_for_is_there() {
    needs_qemu!();
    let vm = Qemu::builder()
        .name("web,1")
        .uuid("12345678-1234-1234-1234-123456789abc")
        .vcpus(3)
        .memory_mib(64)
        .disk_mib(8)
        .disk_mib(4)
        .qmp_sockets(2)
        .sandbox()
        .start()
        .expect("a VM");
    let names: Vec<_> = vm.vcpu_threads().expect("threads").into_iter().map(|thread| thread.comm).collect();
    assert_eq!(names, ["CPU 0/KVM", "CPU 1/KVM", "CPU 2/KVM"]);
    let mut qmp = vm.qmp().expect("QMP");
    assert_eq!(qmp.execute("query-name", &json!({})).expect("name")["name"], "web,1");
    assert_eq!(
        qmp.execute("query-uuid", &json!({})).expect("uuid")["UUID"],
        "12345678-1234-1234-1234-123456789abc"
    );
    let blocks = qmp.execute("query-block", &json!({})).expect("disks");
    assert_eq!(blocks.as_array().map(Vec::len), Some(2));
    let mut second = bartizan_testkit::qmp::Qmp::connect(vm.qmp_path(1)).expect("second QMP socket");
    assert_eq!(second.execute("query-status", &json!({})).expect("status")["running"], true);
    let status = std::fs::read_to_string(format!("/proc/{}/status", vm.pid())).expect("status");
    assert!(status.contains("\nSeccomp:\t2\n"), "no seccomp filter:\n{status}");
    assert_eq!(std::fs::metadata(&vm.disks()[0]).expect("disk").len(), 8 << 20);
}

#[test]
fn a_frozen_vm_stands_still_until_thawed_and_a_killed_one_is_gone() {
    needs_qemu!();
    let vm = Qemu::builder().guest(Guest::Spin).start().expect("a VM");
    assert!(proc::wait_until(LIMIT, || vcpu_ticks(&vm) > 2), "never ran");
    vm.freeze().expect("freeze");
    assert_eq!(proc::state(vm.pid()).expect("state"), 'T');
    let frozen_at = vcpu_ticks(&vm);
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(vcpu_ticks(&vm), frozen_at);
    vm.thaw().expect("thaw");
    assert!(proc::wait_until(LIMIT, || vcpu_ticks(&vm) > frozen_at + 5), "did not go on");
    let pid = vm.pid();
    vm.kill9_unreaped().expect("kill");
    assert_eq!(proc::state(pid).expect("state"), 'Z');
    let folder = vm.folder().to_owned();
    vm.kill9();
    assert!(proc::state(pid).is_err(), "still there");
    assert!(!folder.exists(), "{} was left behind", folder.display());
}

#[test]
fn a_frozen_vm_dies_with_its_handle() {
    needs_qemu!();
    let vm = Qemu::builder().vcpus(2).start().expect("a VM");
    let pid = vm.pid();
    vm.freeze().expect("freeze");
    drop(vm);
    assert!(proc::state(pid).is_err(), "still there");
}

#[test]
fn a_guest_does_what_it_is_told() {
    needs_qemu!();
    let vm = Qemu::builder().guest(Guest::Command).start().expect("a VM");
    vm.tell(Command::Spin).expect("tell");
    let before = vcpu_ticks(&vm);
    assert!(proc::wait_until(LIMIT, || vcpu_ticks(&vm) > before + 20), "does not spin");
    vm.tell(Command::Halt).expect("tell");
    let quiet = || {
        let before = vcpu_ticks(&vm);
        std::thread::sleep(Duration::from_millis(200));
        vcpu_ticks(&vm) == before
    };
    assert!(proc::wait_until(LIMIT, quiet), "does not halt");
}

#[test]
fn a_bad_argument_is_told_with_what_qemu_said() {
    needs_qemu!();
    let error = Qemu::builder().arg("-no-such-option").start().expect_err("QEMU refuses it");
    assert!(error.to_string().contains("no-such-option"), "{error}");
}

/// Runs this very test a second time in a process of its own, which starts a VM, says its pid and is killed.
#[test]
fn a_vm_dies_with_a_test_that_is_killed() {
    const ROLE: &str = "BARTIZAN_TEST_STARTS_A_VM";
    needs_qemu!();
    if std::env::var_os(ROLE).is_some() {
        let vm = Qemu::builder().start().expect("a VM");
        println!("pid {}", vm.pid());
        loop {
            std::thread::park();
        }
    }
    // The VM's files, which a killed process cannot remove, go with this folder.
    let scratch = tempfile::tempdir().expect("a folder");
    let mut parent = std::process::Command::new(std::env::current_exe().expect("our executable"))
        .args(["--exact", "a_vm_dies_with_a_test_that_is_killed", "--nocapture"])
        .env(ROLE, "1")
        .env("TMPDIR", scratch.path())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .expect("a second process");
    let pid = BufReader::new(parent.stdout.take().expect("stdout"))
        .lines()
        .map_while(Result::ok)
        .find_map(|line| line.split_once("pid ")?.1.trim().parse::<u32>().ok())
        .expect("the VM's pid");
    assert!(matches!(proc::state(pid), Ok('R' | 'S' | 'D')), "not running: {:?}", proc::state(pid));
    parent.kill().expect("kill");
    parent.wait().expect("reap");
    let dead = || matches!(proc::state(pid), Err(_) | Ok('Z' | 'X'));
    assert!(proc::wait_until(LIMIT, dead), "the VM lives on");
}
