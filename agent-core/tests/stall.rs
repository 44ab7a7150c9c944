//! One VM hangs, the others must not notice: a QEMU frozen by SIGSTOP with its monitor silent, a VM in a frozen
//! cgroup, and sampling that goes on as if nothing were.
//!
//! Told by ticks, not by the clock: in each tick the stamp of every VM's process row must be that of the tick itself.

use bartizan_core::config::Config;
use bartizan_core::engine::{Planner, Reader, Sampler, build};
use bartizan_core::sampling::availability::Availability;
use bartizan_core::sampling::frame::Entity;
use bartizan_core::sampling::metrics::vm;
use bartizan_core::sys::clock::Clock;
use bartizan_testkit::cgroup::Cgroup;
use bartizan_testkit::guest::Guest;
use bartizan_testkit::minivmm::{self, MiniVmm};
use bartizan_testkit::proc::wait_until;
use bartizan_testkit::qemu::{self, Qemu};
use bartizan_testkit::skip;
use std::time::Duration;

const VMS: usize = 8;
const TICKS: u64 = 2_000;
/// In a thousand: the share of ticks in which every other VM must have been sampled.
const ON_TIME_PERMILLE: u64 = 999;

const STATE_STOPPED: i64 = 2;
const STATE_FROZEN: i64 = 3;

struct Rig {
    sampler: Sampler,
    planner: Planner,
    reader: Reader,
}

impl Rig {
    fn new() -> Self {
        let mut config = Config::default();
        config.sampling.interval_ms = 10;
        config.sampling.monitor_every_ticks = 1;
        // Ticks follow one another without a pause here: a budget would have VMs sampled less often.
        config.budget.cpu_permille = 0;
        let (sampler, planner, reader) = build(config, Clock::System).expect("an agent with defaults");
        Self { sampler, planner, reader }
    }

    fn round(&mut self) {
        self.planner.maintain();
        self.sampler.tick();
    }

    fn entity_of(&self, pid: u32) -> Option<Entity> {
        let pid = i32::try_from(pid).ok()?;
        self.reader.vms().iter().find(|vm| vm.pid == pid).map(|vm| vm.entity)
    }

    fn find(&mut self, pid: u32) -> Entity {
        let found = wait_until(Duration::from_secs(20), || {
            self.round();
            self.entity_of(pid).is_some_and(|vm| self.reader.read(vm, vm::STATE).ok().is_some())
        });
        assert!(found, "process {pid} was not found as a VM");
        self.entity_of(pid).expect("just found")
    }

    /// Ticks, of so many, in which each of the VMs was sampled at the tick's own time.
    fn ticks_on_time(&mut self, vms: &[Entity], ticks: u64) -> u64 {
        (0..ticks)
            .filter(|_| {
                self.round();
                let now_ns = self.reader.tick().mono_ns;
                vms.iter().all(|vm| {
                    let reading = self.reader.read(*vm, vm::STATE);
                    reading.availability == Availability::Ok && reading.read_at_ns >= now_ns
                })
            })
            .count() as u64
    }

    fn state(&self, vm: Entity) -> Option<i64> {
        self.reader.read(vm, vm::STATE).ok()
    }
}

fn start_others() -> Vec<MiniVmm> {
    (0..VMS)
        .map(|index| {
            MiniVmm::builder().name(format!("other-{index}")).guest(Guest::Idle).start().expect("a VM")
        })
        .collect()
}

#[test]
fn a_stopped_qemu_with_a_silent_monitor_holds_nobody_up() {
    if let Some(missing) = qemu::missing().or_else(minivmm::missing) {
        skip!("{missing}");
    }
    let others = start_others();
    let victim = Qemu::builder().name("victim").start().expect("a QEMU");
    let mut rig = Rig::new();
    let other_vms: Vec<_> = others.iter().map(|other| rig.find(other.pid())).collect();
    let victim_vm = rig.find(victim.pid());

    victim.freeze().expect("SIGSTOP");
    rig.round();
    rig.round();
    assert_eq!(rig.state(victim_vm), Some(STATE_STOPPED), "reported within two ticks");

    let on_time = rig.ticks_on_time(&other_vms, TICKS);
    assert!(
        on_time * 1_000 >= TICKS * ON_TIME_PERMILLE,
        "{on_time} of {TICKS} ticks had every other VM on time"
    );
    println!("{on_time} of {TICKS} ticks had all {VMS} other VMs on time beside a stopped QEMU");

    victim.thaw().expect("SIGCONT");
    let runs = wait_until(Duration::from_secs(5), || {
        rig.round();
        rig.state(victim_vm).is_some_and(|state| state != STATE_STOPPED)
    });
    assert!(runs, "a thawed VM is no longer reported as stopped");
}

#[test]
fn a_vm_in_a_frozen_cgroup_holds_nobody_up() {
    if let Some(missing) = minivmm::missing() {
        skip!("{missing}");
    }
    let others = start_others();
    let victim = MiniVmm::builder().name("victim").guest(Guest::Spin).start().expect("a VM");
    let group = match Cgroup::v2("stall") {
        Ok(group) => group,
        Err(error) => skip!("no cgroup can be made: {error}"),
    };
    group.add(victim.pid()).expect("moving the VM");
    let mut rig = Rig::new();
    let other_vms: Vec<_> = others.iter().map(|other| rig.find(other.pid())).collect();
    let victim_vm = rig.find(victim.pid());

    group.freeze().expect("cgroup.freeze");
    rig.round();
    rig.round();
    assert_eq!(rig.state(victim_vm), Some(STATE_FROZEN), "reported within two ticks");
    let on_time = rig.ticks_on_time(&other_vms, TICKS);
    assert!(
        on_time * 1_000 >= TICKS * ON_TIME_PERMILLE,
        "{on_time} of {TICKS} ticks had every other VM on time"
    );
    group.thaw().expect("thawing");
}
