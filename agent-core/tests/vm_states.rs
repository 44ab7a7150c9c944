//! Stopped and frozen VMs are seen as such; cgroups and taps are the VM's own; nothing is allocated on the way.

#![expect(clippy::unwrap_used, reason = "a test that cannot set the scene fails")]

mod vm_support;

use bartizan_core::config::{Config, ThreadTierChoice};
use bartizan_core::sampling::availability::Availability;
use bartizan_core::sampling::metrics::{Source, vcpu, vm, vmnet};
use bartizan_core::sampling::vm::bpf::Bpf;
use bartizan_core::sampling::vm::{Pace, VmPlan};
use bartizan_testkit::alloc::{CountingAllocator, count};
use bartizan_testkit::cgroup::Cgroup;
use bartizan_testkit::guest::Guest;
use bartizan_testkit::minivmm::{self, MiniVmm};
use bartizan_testkit::netns::Netns;
use bartizan_testkit::{proc, skip};
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::time::Duration;
use vm_support::{Watched, describe, stop_every_thread};

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

const LONG: Duration = Duration::from_mins(1);
const RUNNING: Result<i64, Availability> = Ok(1);
const STOPPED: Result<i64, Availability> = Ok(2);
const FROZEN: Result<i64, Availability> = Ok(3);
const ZOMBIE: Result<i64, Availability> = Ok(4);

macro_rules! need_kvm {
    () => {
        if let Some(reason) = minivmm::missing() {
            skip!("{reason}");
        }
    };
}

macro_rules! or_skip {
    ($made:expr) => {
        match $made {
            Ok(made) => made,
            Err(error) => skip!("{error}"),
        }
    };
}

fn watch(vmm: &MiniVmm) -> Watched {
    Watched::new(describe(vmm.pid(), &vmm.vcpu_threads().unwrap(), &[]), &Config::default())
}

/// At the pace of a thousand VMs, in a tick whose turn is not this VM's.
fn at_slow_pace(watched: &mut Watched) {
    watched.pace = Pace::for_vms(1_000_000);
    (0..4).for_each(|_| _ = watched.tick());
}

#[test]
fn a_stopped_vm_is_seen_in_the_next_tick_and_at_any_pace_within_two() {
    need_kvm!();
    for (guest, slow, ticks) in
        [(Guest::Spin, false, 1), (Guest::Idle, false, 1), (Guest::Spin, true, 2), (Guest::Idle, true, 2)]
    {
        let vmm = MiniVmm::builder().guest(guest).start().unwrap();
        let mut watched = watch(&vmm);
        watched.tick();
        assert_eq!(watched.vm(vm::STATE), RUNNING);
        if slow {
            at_slow_pace(&mut watched);
        }
        stop_every_thread(&vmm);
        (0..ticks).for_each(|_| _ = watched.tick());
        assert_eq!(watched.vm(vm::STATE), STOPPED, "{guest:?} {slow}");
        vmm.thaw().unwrap();
        watched.tick();
        assert_eq!(watched.vm(vm::STATE), RUNNING, "{guest:?} {slow}");
    }
}

#[test]
fn a_vm_that_died_is_a_zombie_and_then_gone() {
    need_kvm!();
    let vmm = MiniVmm::builder().start().unwrap();
    let mut watched = watch(&vmm);
    watched.tick();
    vmm.kill9_unreaped().unwrap();
    let pulse = watched.tick();
    assert!(pulse.vanished || watched.vm(vm::STATE) == ZOMBIE, "{:?}", watched.vm(vm::STATE));
    vmm.kill9();
    assert!(watched.tick().vanished);
}

#[test]
fn a_frozen_cgroup_of_either_version_is_seen() {
    need_kvm!();
    let groups: [fn() -> bartizan_testkit::Result<Cgroup>; 2] =
        [|| Cgroup::v2("vm-frozen"), || Cgroup::v1("freezer", "vm-frozen")];
    for make in groups {
        let group = or_skip!(make());
        let vmm = MiniVmm::builder().guest(Guest::Spin).start().unwrap();
        group.add(vmm.pid()).unwrap();
        let mut watched = watch(&vmm);
        watched.tick();
        assert_eq!(watched.vm(vm::STATE), RUNNING);
        at_slow_pace(&mut watched);
        group.freeze().unwrap();
        (0..2).for_each(|_| _ = watched.tick());
        assert_eq!(watched.vm(vm::STATE), FROZEN, "{}", group.path().display());
        group.thaw().unwrap();
        watched.tick();
        assert_eq!(watched.vm(vm::STATE), RUNNING);
    }
}

#[test]
fn cgroup_numbers_are_those_of_its_files() {
    need_kvm!();
    let name = "vm-numbers";
    let v2 = or_skip!(Cgroup::v2(name));
    let cpuacct = or_skip!(Cgroup::v1("cpuacct", name));
    let memory = or_skip!(Cgroup::v1("memory", name));
    let cpu = or_skip!(Cgroup::v1("cpu", name));
    let pids = or_skip!(Cgroup::v1("pids", name));
    cpu.set_cpu_quota(2_000, 10_000).unwrap();
    let vmm = MiniVmm::builder().guest(Guest::Spin).start().unwrap();
    for group in [&v2, &cpuacct, &memory, &cpu, &pids] {
        group.add(vmm.pid()).unwrap();
    }
    let mut watched = watch(&vmm);
    assert!(proc::wait_until(LONG, || {
        watched.tick();
        watched.vm(vm::CGROUP_CPU_THROTTLED).is_ok_and(|time| time > 10_000_000)
    }));
    stop_every_thread(&vmm);
    // The quota's period that is under way still ends.
    std::thread::sleep(Duration::from_millis(50));
    watched.tick();
    let number = |text: String| text.trim().parse::<i64>().unwrap();
    let keyed = |text: String, key: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(&format!("{key} ")).map(str::to_owned));
        number(line.unwrap())
    };
    assert_eq!(watched.vm(vm::CGROUP_CPU_USAGE), Ok(number(cpuacct.read("cpuacct.usage").unwrap())));
    assert_eq!(
        watched.vm(vm::CGROUP_CPU_THROTTLED),
        Ok(keyed(cpu.read("cpu.stat").unwrap(), "throttled_time"))
    );
    assert_eq!(
        watched.vm(vm::CGROUP_CPU_THROTTLED_PERIODS),
        Ok(keyed(cpu.read("cpu.stat").unwrap(), "nr_throttled"))
    );
    assert_eq!(watched.vm(vm::CGROUP_MEMORY), Ok(number(memory.read("memory.usage_in_bytes").unwrap())));
    assert_eq!(watched.vm(vm::CGROUP_MEMORY_LIMIT), Err(Availability::Unsupported), "there is none");
    let threads = proc::thread_count(vmm.pid()).unwrap();
    assert_eq!(watched.vm(vm::CGROUP_TASKS), Ok(i64::try_from(threads).unwrap()));
    assert!(watched.vm(vm::PRESSURE_CPU_SOME).is_ok() || v2.read("cpu.pressure").is_err());

    drop((cpuacct, memory, cpu, pids));
    let mut alone = watch(&vmm);
    alone.tick();
    let usage = keyed(v2.read("cpu.stat").unwrap(), "usage_usec") * 1_000;
    assert_eq!(alone.vm(vm::CGROUP_CPU_USAGE), Ok(usage), "v2 has it when v1 does not");
    assert_eq!(alone.vm(vm::CGROUP_MEMORY), Err(Availability::Unsupported));
}

#[test]
fn a_vm_in_the_root_cgroup_has_no_cgroup_numbers() {
    need_kvm!();
    let vmm = MiniVmm::builder().start().unwrap();
    let root = std::fs::read_to_string(format!("/proc/{}/cgroup", vmm.pid())).unwrap();
    if !root.lines().any(|line| line == "0::/") {
        skip!("the tests run in a cgroup of their own");
    }
    let mut watched = watch(&vmm);
    let report = watched.report(Source::CgroupCpu);
    assert!(report.reason.contains("VM shares the root cgroup"), "{report:?}");
    watched.tick();
    assert_eq!(watched.vm(vm::CGROUP_CPU_USAGE), Err(Availability::Unsupported));
    assert_eq!(watched.vm(vm::CGROUP_MEMORY), Err(Availability::Unsupported));
}

#[test]
fn taps_are_found_in_the_vmms_own_namespace() {
    need_kvm!();
    let netns = or_skip!(Netns::new());
    netns.add_veth("tap7", "peer7").unwrap();
    netns.ip(&["address", "add", "10.9.8.1/24", "dev", "tap7"]).unwrap();
    let vmm = MiniVmm::builder().netns(netns.path()).start().unwrap();
    let info = describe(vmm.pid(), &vmm.vcpu_threads().unwrap(), &["tap7", "elsewhere9"]);
    let mut watched = Watched::new(info, &Config::default());
    assert_eq!(watched.report(Source::Tap).tier, "open-each");
    watched.tick();
    let before = watched.nic(0, vmnet::TRANSMIT_PACKETS).unwrap();
    assert_eq!(watched.nic(1, vmnet::TRANSMIT), Err(Availability::Gone), "no such tap anywhere");
    netns
        .run(|| {
            let socket = std::net::UdpSocket::bind("10.9.8.1:0").unwrap();
            for _ in 0..5 {
                let _ = socket.set_broadcast(true);
                socket.send_to(b"to the guest", "10.9.8.255:9").unwrap();
            }
        })
        .unwrap();
    watched.tick();
    assert!(watched.nic(0, vmnet::TRANSMIT_PACKETS).unwrap() >= before + 5);
    let text = netns.run(|| std::fs::read_to_string("/proc/thread-self/net/dev").unwrap()).unwrap();
    let line = text.lines().find_map(|line| line.trim().strip_prefix("tap7:").map(str::to_owned)).unwrap();
    let bytes: i64 = line.split_whitespace().nth(8).unwrap().parse().unwrap();
    assert!(watched.nic(0, vmnet::TRANSMIT).unwrap() <= bytes);
    netns.ip(&["link", "delete", "tap7"]).unwrap();
    watched.tick();
    assert_eq!(watched.nic(0, vmnet::TRANSMIT), Err(Availability::Gone));
}

/// Runs as nobody, in a process of its own: see the next test.
#[test]
#[ignore = "started by the next test, as another user"]
fn as_nobody() {
    let Ok(pid) = std::env::var("BARTIZAN_TEST_PID") else { return };
    let pid = pid.parse().unwrap();
    let info = describe(pid, &proc::threads(pid).unwrap()[1..2], &[]);
    let (_, reports) = VmPlan::open(&info, &Config::default(), &Bpf::none("not asked for"), 1_000);
    for report in &reports {
        println!("{:?} {} {} {}", report.source, report.tier, report.availability.name(), report.reason);
    }
    let mut watched = Watched::new(info, &Config::default());
    watched.tick();
    assert!(watched.vm(vm::VCPU_RUN).is_ok(), "anybody may read schedstat");
    assert_eq!(watched.vm(vm::IO_CHARS_READ), Err(Availability::Denied));
    assert_eq!(watched.vm(vm::KVM_EXITS), Err(Availability::Denied));
    assert_eq!(watched.vcpu(0, vcpu::EXITS), Err(Availability::Denied));
    println!("as nobody: done");
}

#[test]
fn an_ordinary_user_is_told_what_it_lacks() {
    need_kvm!();
    if !nix::unistd::geteuid().is_root() {
        skip!("only root can become another user");
    }
    let vmm = MiniVmm::builder().stats_fds().start().unwrap();
    // Where the build put this program, nobody may not be allowed to go.
    let folder = tempfile::Builder::new().prefix("bartizan").tempdir_in("/tmp").unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(folder.path(), mode).unwrap();
    let program = folder.path().join("vm_states");
    std::fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
    let run = || {
        Command::new(&program)
            .args(["--exact", "as_nobody", "--ignored", "--nocapture"])
            .env("BARTIZAN_TEST_PID", vmm.pid().to_string())
            .current_dir("/")
            .uid(65_534)
            .gid(65_534)
            .output()
    };
    // Another test's child may hold the copy open for writing until it has called exec.
    let mut output = run();
    assert!(proc::wait_until(LONG, || {
        let busy = output.as_ref().is_err_and(|error| error.kind() == std::io::ErrorKind::ExecutableFileBusy);
        if busy {
            output = run();
        }
        !busy
    }));
    let output = output.unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && text.contains("as nobody: done"),
        "{text}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let line = |source: &str| text.lines().find(|line| line.starts_with(source)).unwrap().to_owned();
    assert!(line("Kvm").contains("denied") && line("Kvm").contains("CAP_SYS_PTRACE"), "{text}");
    assert!(line("TaskIo").contains("denied") && line("TaskIo").contains("CAP_SYS_PTRACE"), "{text}");
    assert!(line("Schedule").contains(" ok"), "{text}");
}

#[test]
fn a_sample_allocates_and_frees_nothing() {
    need_kvm!();
    let group = Cgroup::v2("vm-allocations");
    let vmm = MiniVmm::builder().vcpus(3).guest(Guest::Spin).other_threads(3).stats_fds().start().unwrap();
    if let Ok(group) = &group {
        group.add(vmm.pid()).unwrap();
    }
    for descriptors in [0, 12, 10_000] {
        let threads = vmm.vcpu_threads().unwrap();
        let mut watched = Watched::with_descriptors(
            describe(vmm.pid(), &threads, &["lo"]),
            &Config::default(),
            descriptors,
        );
        for pace in [Pace::for_vms(1), Pace::for_vms(1_000)] {
            watched.pace = pace;
            let ((), counts) = count(|| (0..50).for_each(|_| _ = watched.tick()));
            assert!(counts.is_zero(), "{counts:?} with {descriptors} descriptors");
        }
        assert!(watched.vm(vm::VCPU_RUN).is_ok() && watched.vm(vm::IO_READ_CALLS).is_ok());
        assert!(watched.nic(0, vmnet::RECEIVE).is_ok());
        stop_every_thread(&vmm);
        let ((), counts) = count(|| (0..3).for_each(|_| _ = watched.tick()));
        assert!(counts.is_zero(), "{counts:?}");
        vmm.thaw().unwrap();
    }
    let mut watched = watch(&vmm);
    watched.tick();
    vmm.kill9();
    let ((), counts) = count(|| (0..3).for_each(|_| _ = watched.tick()));
    assert!(counts.is_zero(), "{counts:?} after its end");
}

#[test]
fn few_descriptors_mean_another_tier_and_the_same_values() {
    need_kvm!();
    let vmm = MiniVmm::builder().vcpus(2).guest(Guest::Spin).start().unwrap();
    let threads = vmm.vcpu_threads().unwrap();
    stop_every_thread(&vmm);
    let info = describe(vmm.pid(), &threads, &[]);
    let mut files = Config::default();
    files.sampling.thread_tier = ThreadTierChoice::KeptFd;
    let mut many = Watched::new(info.clone(), &files);
    let mut few = Watched::with_descriptors(info, &files, 4);
    let report = few.report(Source::Schedule);
    assert!(report.tier.contains("open-each") && report.reason.contains("RLIMIT_NOFILE"), "{report:?}");
    assert!(few.plan.descriptors() <= 5, "{}", few.plan.descriptors());
    many.tick();
    few.tick();
    for metric in [vm::VCPU_RUN, vm::VCPU_WAIT, vm::CPU_USER, vm::MEMORY_RESIDENT] {
        assert_eq!(many.vm(metric).unwrap(), few.vm(metric).unwrap());
    }
}
