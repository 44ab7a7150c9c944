//! VMMs that cannot be installed everywhere, as their `/proc` looks: found through the roots of a recorded host.

mod common;

use bartizan_core::config::{Config, Roots, TenantField, TenantRule};
use bartizan_core::engine::Agent;
use bartizan_core::sampling::discovery::{VmInfo, VmmKind};
use bartizan_core::sampling::frame::Entity;
use bartizan_core::sampling::metrics::{Scope, agent};
use bartizan_core::sys::clock::{Clock, Hands};
use common::{grow, qemu_tree, tree};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use tempfile::TempDir;

struct Recorded {
    agent: Agent,
    hands: Arc<Hands>,
    folder: TempDir,
}

fn recorded(folder: TempDir, change: impl FnOnce(&mut Config)) -> Recorded {
    let mut config = Config { roots: Roots::below(folder.path()), ..Config::default() };
    change(&mut config);
    let hands = Arc::new(Hands::default());
    hands.mono_ns.store(1_000_000_000, Relaxed);
    let agent = Agent::new(config, Clock::Manual(Arc::clone(&hands))).expect("an agent");
    let mut recorded = Recorded { agent, hands, folder };
    recorded.pass_s(0);
    recorded
}

impl Recorded {
    /// Lets seconds pass, with a tick and maintenance each.
    fn pass_s(&mut self, seconds: u64) {
        for _ in 0..=seconds {
            self.agent.maintain().expect("maintain");
            self.agent.step().expect("step");
            self.agent.maintain().expect("maintain");
            self.hands.mono_ns.fetch_add(1_000_000_000, Relaxed);
        }
    }

    fn vms(&self) -> Vec<Arc<VmInfo>> {
        self.agent.reader().vms()
    }

    fn own(&self, metric: bartizan_core::sampling::metrics::MetricId) -> i64 {
        self.agent.reader().read(Entity::AGENT, metric).value
    }
}

fn the_one(name: &str, change: impl FnOnce(&mut Config)) -> (VmInfo, PathBuf) {
    let recorded = recorded(tree(name), change);
    let vms = recorded.vms();
    assert_eq!(vms.len(), 1, "{name}: {:?}", vms.iter().map(|vm| (vm.pid, &vm.name)).collect::<Vec<_>>());
    (VmInfo::clone(&vms[0]), recorded.folder.path().to_owned())
}

fn tids(vm: &VmInfo) -> Vec<(u32, i32)> {
    vm.vcpus.iter().map(|vcpu| (vcpu.index, vcpu.tid)).collect()
}

fn taps(vm: &VmInfo) -> Vec<&str> {
    vm.nics.iter().map(|nic| nic.tap.as_str()).collect()
}

fn disks(vm: &VmInfo) -> Vec<(&str, Option<&Path>)> {
    vm.disks.iter().map(|disk| (disk.name.as_str(), disk.path.as_deref())).collect()
}

#[test]
fn firecracker_in_its_jail() {
    let rule = TenantRule { from: TenantField::Cgroup, pattern: "*/tenant-{tenant}/*".into() };
    let (vm, root) = the_one("firecracker-jailed.tree", |config| config.discovery.tenant.push(rule));
    assert_eq!(vm.vmm, VmmKind::Firecracker);
    assert_eq!(vm.name, "551e7604-e35c-42b3-b825-416853441234");
    assert_eq!(vm.tenant, "acme");
    assert_eq!((vm.pid, vm.start_ticks), (4711, 88_001));
    assert_eq!(tids(&vm), [(0, 4713), (1, 4714)]);
    assert_eq!(vm.other_threads, [4711, 4712]);
    assert_eq!(taps(&vm), ["fc-tap7"]);
    let image = Path::new("/srv/jailer/firecracker/551e7604/root/rootfs.ext4");
    assert_eq!(disks(&vm), [("rootfs.ext4", Some(image))], "not the metrics, which it only writes");
    // Its paths are those of its own root.
    assert_eq!(vm.monitor, Some(root.join("proc/4711/root/run/firecracker.socket")));
    assert_eq!(vm.metrics_file, Some(root.join("proc/4711/root/metrics.json")));
    assert_eq!(vm.cgroup, "/firecracker/tenant-acme/551e7604-e35c-42b3-b825-416853441234");
}

#[test]
fn cloud_hypervisor() {
    let (vm, _) = the_one("cloud-hypervisor.tree", |_| {});
    assert_eq!((vm.vmm, vm.name.as_str()), (VmmKind::CloudHypervisor, "web1"));
    assert_eq!(vm.uuid, [0x44; 16]);
    assert_eq!(tids(&vm), [(0, 5205), (1, 5206)]);
    assert_eq!(vm.other_threads, [5200, 5201, 5202, 5207, 5208]);
    assert_eq!(taps(&vm), ["ch-tap0"], "named twice, listed once");
    let raw = |name| Some(Path::new("/var/lib/ch").join(name));
    assert_eq!(disks(&vm), [("web1.raw", raw("web1.raw").as_deref()), ("data", raw("data.raw").as_deref())]);
    assert_eq!(vm.monitor.as_deref(), Some(Path::new("/run/ch/web1.sock")));
}

#[test]
fn crosvm_and_its_device_process() {
    let (vm, _) = the_one("crosvm.tree", |_| {});
    assert_eq!((vm.vmm, vm.name.as_str(), vm.pid), (VmmKind::Crosvm, "arcvm", 6100));
    assert_eq!(tids(&vm), [(0, 6103), (1, 6104)]);
    assert_eq!(taps(&vm), ["vmtap0"]);
    assert_eq!(disks(&vm), [("root.img", Some(Path::new("/vm/root.img")))]);
    assert_eq!(vm.monitor, None);
    assert_eq!(vm.cgroup, "/vms/arcvm", "a hybrid host: v2 holds no one");
}

#[test]
fn libvirt_and_its_probe() {
    let rule = TenantRule { from: TenantField::Name, pattern: "{tenant}-*".into() };
    let (vm, _) = the_one("libvirt.tree", |config| config.discovery.tenant.push(rule));
    assert_eq!((vm.vmm, vm.name.as_str(), vm.tenant.as_str()), (VmmKind::Qemu, "acme-web1", "acme"));
    assert!(vm.libvirt);
    assert_eq!(vm.uuid, [0x22; 16]);
    assert_eq!(tids(&vm), [(0, 7305), (1, 7306)]);
    assert_eq!(vm.other_threads, [7300, 7304, 7309]);
    assert_eq!(taps(&vm), ["vnet7"], "passed as a descriptor");
    let image = Path::new("/var/lib/libvirt/images/acme-web1.qcow2");
    assert_eq!(disks(&vm), [("virtio-disk0", Some(image))]);
    let monitor = Path::new("/var/lib/libvirt/qemu/domain-3-acme-web1/monitor.sock");
    assert_eq!(vm.monitor.as_deref(), Some(monitor));
}

#[test]
fn an_emulated_guest_is_watched_unless_switched_off() {
    let emulated = |without_kvm| {
        let folder = tree("libvirt.tree");
        for fd in [12, 22, 23] {
            std::fs::remove_file(folder.path().join(format!("proc/7300/fd/{fd}"))).expect("a link");
        }
        recorded(folder, |config| config.discovery.without_kvm = without_kvm).vms().len()
    };
    assert_eq!((emulated(true), emulated(false)), (1, 0));
}

#[test]
fn what_is_beyond_a_limit_is_refused_whole_counted_once_and_watched_when_there_is_room() {
    let folder = tempfile::tempdir().expect("a folder");
    for pid in [1000, 2000, 3000] {
        grow(folder.path(), &qemu_tree(pid, 5, 2));
    }
    let mut recorded = recorded(folder, |config| {
        config.limits.vms = 8;
        config.limits.vcpus = 5;
        config.discovery.full_scan_s = 10;
    });
    let pids = |recorded: &Recorded| recorded.vms().iter().map(|vm| vm.pid).collect::<Vec<_>>();
    recorded.pass_s(25);
    assert_eq!(pids(&recorded), [1000, 2000]);
    assert_eq!((recorded.own(agent::VMS_REFUSED), recorded.own(agent::VMS)), (1, 2));
    assert_eq!(recorded.own(agent::VCPUS), 4, "the third VM is not watched in part");

    std::fs::remove_dir_all(recorded.folder.path().join("proc/1000")).expect("gone");
    recorded.pass_s(25);
    assert_eq!(pids(&recorded), [3000, 2000], "in the row that became free");
    assert_eq!((recorded.own(agent::VMS_REFUSED), recorded.own(agent::VCPUS)), (1, 4));
    let vm = &recorded.vms()[0];
    assert_eq!((vm.entity.row, vm.entity.generation), (0, 2));
}

#[test]
fn the_same_pid_with_another_start_is_another_vm() {
    let folder = tempfile::tempdir().expect("a folder");
    grow(folder.path(), &qemu_tree(1000, 5, 1));
    let mut recorded = recorded(folder, |config| config.discovery.full_scan_s = 10);
    let before = recorded.vms()[0].entity;
    grow(recorded.folder.path(), &qemu_tree(1000, 99, 1));
    recorded.pass_s(25);
    let vms = recorded.vms();
    assert_eq!(vms.len(), 1);
    assert_eq!(vms[0].start_ticks, 99);
    assert_ne!(vms[0].entity, before);
    let state = bartizan_core::sampling::metrics::vm::STATE;
    let gone = recorded.agent.reader().read(before, state).availability;
    assert_eq!(gone, bartizan_core::sampling::availability::Availability::Gone);
}

#[test]
fn a_vcpu_that_is_plugged_in_gets_a_row_and_the_others_keep_theirs() {
    let folder = tempfile::tempdir().expect("a folder");
    grow(folder.path(), &qemu_tree(1000, 5, 2));
    let mut recorded = recorded(folder, |config| config.discovery.full_scan_s = 5);
    let before = recorded.vms()[0].clone();
    // KVM knows a third vCPU whose thread does not exist yet: looked at again by the scan until it does.
    grow(recorded.folder.path(), "proc/1000/fd/22 -> anon_inode:kvm-vcpu:2\n");
    recorded.pass_s(12);
    grow(recorded.folder.path(), &qemu_tree(1000, 5, 3));
    recorded.pass_s(12);
    let after = recorded.vms()[0].clone();
    assert_eq!(after.entity, before.entity);
    assert_eq!(after.vcpus.len(), 3);
    assert_eq!(after.vcpus[..2], before.vcpus[..]);
    assert_eq!((after.nics.clone(), after.disks.clone()), (before.nics.clone(), before.disks.clone()));
    let scope_rows = after.parts().filter(|part| part.scope == Scope::Vcpu).count();
    assert_eq!((recorded.own(agent::VCPUS), scope_rows), (3, 3));
}
