//! Real VMs are found, planned, watched and let go of.

use bartizan_core::config::Config;
use bartizan_core::engine::Agent;
use bartizan_core::sampling::availability::Availability;
use bartizan_core::sampling::discovery::{VmInfo, VmmKind};
use bartizan_core::sampling::frame::Entity;
use bartizan_core::sampling::metrics::{agent, vm};
use bartizan_core::sys::clock::Clock;
use bartizan_testkit::minivmm::MiniVmm;
use bartizan_testkit::qemu::{self, Qemu};
use bartizan_testkit::shape::Shape;
use bartizan_testkit::{proc, skip};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

const LONG: Duration = Duration::from_mins(1);

/// An agent watches every VM of the host, those of the other tests here too: one test at a time, so that descriptors
/// of this process are those of one agent.
static ALONE: Mutex<()> = Mutex::new(());

fn alone() -> MutexGuard<'static, ()> {
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Tracepoints take the kernel a second to open and to close, and have nothing to do with VMs coming and going.
fn config() -> Config {
    let mut config = Config::default();
    config.sampling.perf_events = false;
    config
}

/// An agent that is driven by the test. Other tests' VMs run on this host too: each looks at its own only.
fn agent() -> Agent {
    Agent::new(config(), Clock::System).expect("an agent")
}

fn vm_of(agent: &Agent, pid: u32) -> Option<Arc<VmInfo>> {
    agent.reader().vms().into_iter().find(|vm| u32::try_from(vm.pid) == Ok(pid))
}

/// Waits for the planner to have work, and has it done, until the condition holds.
fn maintain_until(agent: &Agent, mut condition: impl FnMut(&Agent) -> bool) -> bool {
    proc::wait_until(LONG, || {
        let mut fds = [PollFd::new(agent.maintenance_fd(), PollFlags::POLLIN)];
        if poll(&mut fds, PollTimeout::from(100u16)) == Ok(1) {
            agent.maintain().expect("maintain");
        }
        condition(agent)
    })
}

/// Has the first scan done, on a host however full: a call of the planner looks into so many processes only.
fn look_at_all(agent: &Agent) {
    for _ in 0..64 {
        agent.maintain().expect("maintain");
        agent.step().expect("step");
    }
}

#[test]
fn a_new_vm_is_found_by_its_announcement_with_everything_it_tells() {
    if let Some(reason) = qemu::missing() {
        skip!("{reason}");
    }
    let _alone = alone();
    let agent = agent();
    look_at_all(&agent);
    let scans = |agent: &Agent| {
        agent.step().expect("step");
        agent.reader().read(Entity::AGENT, agent::FULL_SCANS).value
    };
    let scans_before = scans(&agent);

    let qemu = Qemu::builder()
        .name("web,1")
        .uuid("5e0ba4c1-0001-4002-8003-000000000004")
        .vcpus(3)
        .disk_mib(1)
        .start()
        .expect("a VM");
    assert!(maintain_until(&agent, |agent| vm_of(agent, qemu.pid()).is_some_and(|vm| vm.vcpus.len() == 3)));
    assert_eq!(scans(&agent), scans_before, "no scan was needed");

    let vm = vm_of(&agent, qemu.pid()).expect("the VM");
    assert_eq!((vm.vmm, vm.name.as_str()), (VmmKind::Qemu, "web,1"));
    assert_eq!(vm.uuid, [0x5e, 0x0b, 0xa4, 0xc1, 0, 1, 0x40, 2, 0x80, 3, 0, 0, 0, 0, 0, 4]);
    let threads = qemu.vcpu_threads().expect("threads");
    let tids: Vec<u32> = threads.iter().map(|thread| thread.tid).collect();
    let found: Vec<u32> = vm.vcpus.iter().filter_map(|vcpu| vcpu.tid.try_into().ok()).collect();
    assert_eq!(found, tids);
    assert_eq!(vm.monitor.as_deref(), Some(qemu.qmp_path(0)));
    let images: Vec<PathBuf> = vm.disks.iter().filter_map(|disk| disk.path.clone()).collect();
    assert_eq!(images, qemu.disks());
    let all = proc::threads(qemu.pid()).expect("threads").len();
    assert!(vm.other_threads.len() + vm.vcpus.len() >= all.min(4), "{} of {all}", vm.other_threads.len());
}

#[test]
fn a_killed_vm_is_gone_in_the_same_tick_and_nothing_of_it_stays_open() {
    if let Some(reason) = qemu::missing() {
        skip!("{reason}");
    }
    let _alone = alone();
    let qemu = Qemu::builder().name("short-lived").vcpus(2).start().expect("a VM");
    let agent = agent();
    assert!(maintain_until(&agent, |agent| vm_of(agent, qemu.pid()).is_some_and(|vm| vm.vcpus.len() == 2)));
    agent.step().expect("step");
    let vm = vm_of(&agent, qemu.pid()).expect("the VM");
    let (entity, vcpu) = (vm.entity, vm.vcpus[0].entity);
    assert_ne!(agent.reader().read(entity, vm::STATE).availability, Availability::Gone);
    let pid = qemu.pid();
    let held = descriptors_of(pid);
    assert!(!held.is_empty(), "a pidfd at least");

    qemu.kill9();
    agent.step().expect("step");
    assert_eq!(agent.reader().read(entity, vm::STATE).availability, Availability::Gone);
    let run = bartizan_core::sampling::metrics::vcpu::RUN;
    assert_eq!(agent.reader().read(vcpu, run).availability, Availability::Gone);
    agent.maintain().expect("maintain");
    assert!(vm_of(&agent, pid).is_none());
    let open: Vec<u32> = held.into_iter().filter(|fd| still_open(*fd, pid)).collect();
    assert!(open.is_empty(), "{open:?}");
}

#[test]
fn every_shape_of_vmm_is_found_and_a_program_nobody_has_heard_of_too() {
    if let Some(reason) = qemu::missing() {
        skip!("{reason}");
    }
    let _alone = alone();
    let kinds = [
        (Shape::Qemu, VmmKind::Qemu, "CPU 0/KVM"),
        (Shape::Firecracker, VmmKind::Firecracker, "fc_vcpu 0"),
        (Shape::CloudHypervisor, VmmKind::CloudHypervisor, "vcpu0"),
        (Shape::Crosvm, VmmKind::Crosvm, "crosvm_vcpu0"),
        // Its threads are named like any worker's: told by the call they are in.
        (Shape::Unknown, VmmKind::Other, "worker-0"),
    ];
    let agent = agent();
    for (shape, kind, thread) in kinds {
        let vmm =
            MiniVmm::builder().shape(shape).name("one").vcpus(2).other_threads(1).start().expect("a VM");
        let complete = |agent: &Agent| vm_of(agent, vmm.pid()).is_some_and(|vm| vm.vcpus.len() == 2);
        assert!(maintain_until(&agent, complete), "{shape:?}: {:?}", vm_of(&agent, vmm.pid()));
        let vm = vm_of(&agent, vmm.pid()).expect("the VM");
        assert_eq!(vm.vmm, kind);
        let name = if shape == Shape::Unknown { format!("vm-{}", vmm.pid()) } else { "one".into() };
        assert_eq!(vm.name, name);
        let comm = std::fs::read_to_string(format!("/proc/{}/task/{}/comm", vm.pid, vm.vcpus[0].tid));
        assert_eq!(comm.expect("a thread").trim_end(), thread);
        let others: HashSet<i32> = vm.other_threads.iter().copied().collect();
        assert!(vm.vcpus.iter().all(|vcpu| !others.contains(&vcpu.tid)));
    }
}

#[test]
fn what_only_looks_like_a_vmm_is_watched_when_that_is_wanted() {
    let _alone = alone();
    let imposter = MiniVmm::builder().name("emulated").without_kvm().start().expect("a process");
    let firecracker = MiniVmm::builder().shape(Shape::Firecracker).without_kvm().start().expect("a process");
    for (without_kvm, watched) in [(true, true), (false, false)] {
        let mut config = config();
        config.discovery.without_kvm = without_kvm;
        let agent = Agent::new(config, Clock::System).expect("an agent");
        look_at_all(&agent);
        assert_eq!(vm_of(&agent, imposter.pid()).is_some(), watched, "{without_kvm}");
        assert!(vm_of(&agent, firecracker.pid()).is_none(), "Firecracker cannot emulate");
    }
}

#[test]
fn where_nothing_is_announced_new_pids_are_probed() {
    let _alone = alone();
    let agent = agent();
    // Emulated guests make no VM that the kernel could announce.
    let tick = |agent: &Agent| {
        agent.step().expect("step");
        agent.maintain().expect("maintain");
    };
    (0..3).for_each(|_| tick(&agent));
    let scans = agent.reader().read(Entity::AGENT, agent::FULL_SCANS).value;
    let emulated = MiniVmm::builder().name("emulated").without_kvm().start().expect("a process");
    assert!(proc::wait_until(LONG, || {
        tick(&agent);
        vm_of(&agent, emulated.pid()).is_some_and(|vm| vm.name == "emulated")
    }));
    assert_eq!(agent.reader().read(Entity::AGENT, agent::FULL_SCANS).value, scans, "no scan was needed");
}

/// This process's descriptors that speak of another: its pidfds and its files in `/proc`. By number, since a pidfd
/// names no process any more once that was reaped.
fn descriptors_of(pid: u32) -> Vec<u32> {
    let folder = format!("/proc/{pid}/");
    let links = proc::fd_links(std::process::id()).expect("own descriptors");
    let speaks = |fd: u32, link: &Path| {
        link.to_string_lossy().starts_with(&folder) || pidfd_of(fd) == Some(i64::from(pid))
    };
    links.into_iter().filter(|(fd, link)| speaks(*fd, link)).map(|(fd, _)| fd).collect()
}

/// Whether a descriptor that spoke of a process which was reaped since still does.
fn still_open(fd: u32, pid: u32) -> bool {
    let link = std::fs::read_link(format!("/proc/self/fd/{fd}")).unwrap_or_default();
    link.to_string_lossy().starts_with(&format!("/proc/{pid}/")) || pidfd_of(fd) == Some(-1)
}

/// The process behind a pidfd: −1 once it was reaped.
fn pidfd_of(fd: u32) -> Option<i64> {
    let text = std::fs::read_to_string(format!("/proc/self/fdinfo/{fd}")).ok()?;
    text.lines().find_map(|line| line.strip_prefix("Pid:"))?.trim().parse().ok()
}
