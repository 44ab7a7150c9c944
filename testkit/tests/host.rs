//! cgroups, network namespaces, debugfs and the counts of fds and threads, against the kernel's own word.

use std::time::Duration;

use bartizan_testkit::cgroup::Cgroup;
use bartizan_testkit::guest::Guest;
use bartizan_testkit::minivmm::{self, MiniVmm};
use bartizan_testkit::netns::Netns;
use bartizan_testkit::qemu::{self, Qemu};
use bartizan_testkit::{Result, proc, skip};
use serde_json::json;

const LIMIT: Duration = Duration::from_secs(20);

/// The value, or a skip with the reason: this machine has no such thing, or we may not.
macro_rules! have {
    ($what:expr) => {
        match $what {
            Ok(value) => value,
            Err(error) => skip!("{error}"),
        }
    };
}

fn burner() -> Result<MiniVmm> {
    match minivmm::missing() {
        Some(reason) => Err(bartizan_testkit::Error::new("start a mini VMM", reason)),
        None => MiniVmm::builder().guest(Guest::Spin).start(),
    }
}

fn ticks(vm: &MiniVmm) -> u64 {
    let threads = vm.vcpu_threads().expect("threads");
    proc::cpu_ticks(vm.pid(), threads[0].tid).expect("CPU times").total()
}

fn freezes_and_thaws(cgroup: Cgroup, vm: &MiniVmm) {
    cgroup.add(vm.pid()).expect("put into the cgroup");
    let membership = std::fs::read_to_string(format!("/proc/{}/cgroup", vm.pid())).expect("cgroup");
    assert!(membership.lines().any(|line| line.ends_with(&cgroup.name())), "{membership}");
    assert!(proc::wait_until(LIMIT, || ticks(vm) > 2), "does not run");
    cgroup.freeze().expect("freeze");
    let frozen_at = ticks(vm);
    std::thread::sleep(Duration::from_millis(200));
    assert_eq!(ticks(vm), frozen_at, "runs although frozen");
    cgroup.thaw().expect("thaw");
    assert!(proc::wait_until(LIMIT, || ticks(vm) > frozen_at + 2), "does not go on");
    cgroup.freeze().expect("freeze");
    let path = cgroup.path().to_owned();
    drop(cgroup);
    assert!(!path.exists(), "{} was left behind", path.display());
    let thawed_at = ticks(vm);
    assert!(proc::wait_until(LIMIT, || ticks(vm) > thawed_at + 2), "still frozen without its cgroup");
}

#[test]
fn a_v2_cgroup_freezes_and_thaws() {
    let cgroup = have!(Cgroup::v2("freeze"));
    freezes_and_thaws(cgroup, &have!(burner()));
}

#[test]
fn a_v1_cgroup_freezes_and_thaws() {
    let cgroup = have!(Cgroup::v1("freezer", "freeze"));
    freezes_and_thaws(cgroup, &have!(burner()));
}

#[test]
fn a_cpu_quota_throttles() {
    let cgroup = have!(Cgroup::v1("cpu", "quota").or_else(|_no_v1| Cgroup::v2("quota")));
    let vm = have!(burner());
    have!(cgroup.set_cpu_quota(10_000, 100_000));
    cgroup.add(vm.pid()).expect("put into the cgroup");
    let throttled = || {
        let stat = cgroup.read("cpu.stat").expect("cpu.stat");
        let count = stat.lines().find_map(|line| line.strip_prefix("nr_throttled ")?.parse::<u64>().ok());
        count.expect("nr_throttled")
    };
    assert!(proc::wait_until(LIMIT, || throttled() >= 3), "never throttled");
}

#[test]
fn a_namespace_has_its_own_devices_and_goes_with_its_handle() {
    let namespace = have!(Netns::new());
    namespace.add_tap("tap0").expect("a tap");
    namespace.add_veth("v0", "v1").expect("a veth pair");
    let devices = || std::fs::read_to_string("/proc/thread-self/net/dev").expect("net/dev");
    let inside = namespace.run(devices).expect("run inside");
    for device in ["lo:", "tap0:", "v0:", "v1:"] {
        assert!(inside.contains(device), "no {device} in\n{inside}");
    }
    assert!(!devices().contains("tap0:"), "our own thread changed sides");
    let mut command = std::process::Command::new("cat");
    namespace.enter(command.arg("/proc/self/net/dev")).expect("enter");
    let output = command.output().expect("cat");
    assert!(String::from_utf8_lossy(&output.stdout).contains("tap0:"));
    let path = namespace.path().to_owned();
    drop(namespace);
    assert!(!path.exists(), "{} was left behind", path.display());
}

#[test]
fn a_vm_gets_its_tap_inside_a_namespace() {
    if let Some(reason) = qemu::missing() {
        skip!("{reason}");
    }
    let namespace = have!(Netns::new());
    namespace.add_tap("tap7").expect("a tap");
    let vm = Qemu::builder().tap("tap7").netns(namespace.path()).start().expect("a VM with a tap");
    let own = std::fs::read_link(format!("/proc/{}/ns/net", vm.pid())).expect("ns");
    assert_ne!(own, std::fs::read_link("/proc/self/ns/net").expect("ns"));
    let pci = vm.qmp().expect("QMP").execute("query-pci", &json!({})).expect("PCI devices");
    assert!(pci.to_string().contains("4096") || pci.to_string().contains("Ethernet"), "{pci}");
    let carrier = || std::fs::read_to_string("/proc/thread-self/net/dev").expect("net/dev");
    assert!(namespace.run(carrier).expect("inside").contains("tap7:"));
}

#[test]
fn debugfs_has_kvms_folder() {
    let place = have!(bartizan_testkit::debugfs::mounted());
    if let Some(reason) = minivmm::missing() {
        skip!("{reason}");
    }
    assert!(place.join("kvm").is_dir());
}

#[test]
fn fds_and_threads_are_counted() {
    if let Some(reason) = minivmm::missing() {
        skip!("{reason}");
    }
    // Processes of our own making: in this one other tests open files at the same time. Both inherit what the
    // test harness left open; the one with KVM has four fds more: /dev/kvm, the VM and two vCPUs.
    let bare = MiniVmm::builder().without_kvm().vcpus(2).other_threads(3).start().expect("a process");
    let vm = MiniVmm::builder().vcpus(2).start().expect("a VM");
    assert_eq!(proc::thread_count(bare.pid()).expect("threads"), 6);
    assert_eq!(proc::threads(bare.pid()).expect("threads").len(), 6);
    let fds = |pid| proc::fd_count(pid).expect("fds");
    assert_eq!(fds(vm.pid()), fds(bare.pid()) + 4, "{:?}", proc::fd_links(vm.pid()));
    assert_eq!(fds(vm.pid()), proc::fd_links(vm.pid()).expect("links").len());
}

#[test]
fn what_is_not_there_is_an_error_that_names_it() {
    let error = Cgroup::v1("no-such-controller", "x").expect_err("no such controller");
    assert!(error.to_string().contains("no-such-controller"), "{error}");
    let error = proc::threads(u32::MAX).expect_err("no such process");
    assert!(error.to_string().contains("/proc/4294967295/task"), "{error}");
    let error = MiniVmm::builder().without_kvm().netns("/no/such").start().expect_err("no such namespace");
    assert!(error.to_string().contains("/no/such"), "{error}");
}

/// Runs this very test a second time in a process of its own, which skips.
#[test]
fn a_skip_is_said_aloud_and_logged() {
    const ROLE: &str = "BARTIZAN_TEST_SKIPS";
    if std::env::var_os(ROLE).is_some() {
        skip!("no {} here", "unicorn");
    }
    let scratch = tempfile::tempdir().expect("a folder");
    let log = scratch.path().join("skipped");
    let output = std::process::Command::new(std::env::current_exe().expect("our executable"))
        .args(["--exact", "a_skip_is_said_aloud_and_logged", "--nocapture"])
        .env(ROLE, "1")
        .env("BARTIZAN_SKIP_LOG", &log)
        .output()
        .expect("a second process");
    assert!(output.status.success());
    let line = "skipped: no unicorn here (host, a_skip_is_said_aloud_and_logged)\n";
    assert!(String::from_utf8_lossy(&output.stderr).contains(line), "{output:?}");
    assert_eq!(std::fs::read_to_string(log).expect("the log"), line);
}
