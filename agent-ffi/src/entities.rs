//! What there is: VMs, their parts, the host's parts, and how each is read.

use crate::agent::btz_agent;
use crate::entry::on_agent;
use crate::failure::{Failure, Outcome};
use crate::size::{self, Rows, Sized32};
use crate::status::{BTZ_ERR_NOT_FOUND, btz_status};
use crate::text;
use bartizan_core::sampling::SourceReport;
use bartizan_core::sampling::discovery::{VmInfo, VmmKind};
use bartizan_core::sampling::frame::Entity;
use bartizan_core::sampling::metrics::Scope;
use std::ffi::c_char;
use std::sync::Arc;

/// Names one thing that has values: the host, a VM, a vCPU, a disk, the agent. A number to be passed on and compared,
/// never computed with; 0 is none. A thing that comes back after it was gone has another number. Since: 0.1
pub type btz_entity = u64;

/// The host as a whole. Since: 0.1
pub const BTZ_SCOPE_HOST: u32 = 1;
/// One logical CPU of the host. Since: 0.1
pub const BTZ_SCOPE_CPU: u32 = 2;
/// One NUMA node. Since: 0.1
pub const BTZ_SCOPE_NODE: u32 = 3;
/// One block device of the host. Since: 0.1
pub const BTZ_SCOPE_BLOCK: u32 = 4;
/// One network device of the host. Since: 0.1
pub const BTZ_SCOPE_NET: u32 = 5;
/// One virtual machine. Since: 0.1
pub const BTZ_SCOPE_VM: u32 = 6;
/// One virtual CPU. Since: 0.1
pub const BTZ_SCOPE_VCPU: u32 = 7;
/// One network interface of a VM, seen from the host. Since: 0.1
pub const BTZ_SCOPE_VMNET: u32 = 8;
/// One disk of a VM. Since: 0.1
pub const BTZ_SCOPE_VMDISK: u32 = 9;
/// The agent itself. Since: 0.1
pub const BTZ_SCOPE_AGENT: u32 = 10;

/// Some process that holds a KVM VM. Since: 0.1
pub const BTZ_VMM_OTHER: u32 = 0;
/// QEMU. Since: 0.1
pub const BTZ_VMM_QEMU: u32 = 1;
/// Firecracker. Since: 0.1
pub const BTZ_VMM_FIRECRACKER: u32 = 2;
/// Cloud Hypervisor. Since: 0.1
pub const BTZ_VMM_CLOUD_HYPERVISOR: u32 = 3;
/// crosvm. Since: 0.1
pub const BTZ_VMM_CROSVM: u32 = 4;

/// In btz_vm.flags: libvirt manages it. Since: 0.1
pub const BTZ_VM_LIBVIRT: u32 = 1;
/// In btz_vm.flags: a text was longer than its field. Since: 0.1
pub const BTZ_VM_TRUNCATED: u32 = 2;

/// One virtual machine. Texts are UTF-8, NUL-terminated, cut to fit, and empty when unknown. Since: 0.1
#[repr(C)]
#[derive(Clone, Copy)]
pub struct btz_vm {
    /// sizeof(btz_vm), set by the library.
    pub struct_size: u32,
    /// BTZ_VMM_*: what runs it.
    pub vmm: u32,
    /// By which its values are read.
    pub entity: btz_entity,
    /// The VMM's process.
    pub pid: i32,
    /// BTZ_VM_*.
    pub flags: u32,
    /// When the process started, in clock ticks since boot: with the PID it names one process for ever.
    pub start_ticks: u64,
    /// How many virtual CPUs it has.
    pub vcpus: u32,
    /// How many network interfaces.
    pub nics: u32,
    /// How many disks.
    pub disks: u32,
    /// How many other threads its VMM has.
    pub other_threads: u32,
    /// Its UUID; zero when it tells none.
    pub uuid: [u8; 16],
    /// Its name; "vm-<pid>" when it tells none.
    pub name: [c_char; 128],
    /// Its tenant, by the configured rules.
    pub tenant: [c_char; 64],
    /// The path of its cgroup below the cgroup root.
    pub cgroup: [c_char; 256],
    /// The path of the socket its monitor listens on.
    pub monitor: [c_char; 128],
}

/// A part of a VM or of the host. Since: 0.1
#[repr(C)]
#[derive(Clone, Copy)]
pub struct btz_part {
    /// sizeof(btz_part), set by the library.
    pub struct_size: u32,
    /// BTZ_SCOPE_*.
    pub scope: u32,
    /// By which its values are read.
    pub entity: btz_entity,
    /// vCPU: its number in the VM. CPU, node: its number on the host. Others: 0.
    pub index: u32,
    /// vCPU: its thread. Others: 0.
    pub tid: i32,
    /// Network interface: the tap. Disk: the VMM's name for it. Device of the host: its name. NUL-terminated.
    pub name: [c_char; 64],
    /// Disk: the image or device behind it. NUL-terminated, cut to fit.
    pub path: [c_char; 256],
}

/// How a source is read, and why not better. Since: 0.1
#[repr(C)]
#[derive(Clone, Copy)]
pub struct btz_source {
    /// sizeof(btz_source), set by the library.
    pub struct_size: u32,
    /// BTZ_SOURCE_*.
    pub source: u32,
    /// BTZ_AVAILABILITY_*: whether it works.
    pub availability: u32,
    /// 0.
    pub reserved: u32,
    /// Its name, such as "kvm".
    pub name: [c_char; 32],
    /// The tier in use: "bpf", "kept-fd", "stats-fd", "debugfs", "qmp", "none", ...
    pub tier: [c_char; 32],
    /// Why this tier and no better one; where something is closed, which capability or permission opens it.
    pub reason: [c_char; 512],
}

size::sized!(btz_vm = 640, btz_part = 344, btz_source = 592);

/// Bits of a row's number in an entity.
const ROW_BITS: u32 = 24;

/// An entity of the core as the number that goes over the ABI.
pub(crate) fn encode(entity: Entity) -> btz_entity {
    debug_assert!(entity.row < 1 << ROW_BITS, "limits allow no such row");
    u64::from(entity.scope as u8) << 56 | u64::from(entity.row) << 32 | u64::from(entity.generation)
}

/// The entity that a caller means.
pub(crate) fn decode(entity: btz_entity) -> Result<Entity, Failure> {
    let [scope, rest @ ..] = entity.to_be_bytes();
    let scope = Scope::from_number(scope).ok_or_else(|| Failure::argument("this is not an entity"))?;
    let [row0, row1, row2, g0, g1, g2, g3] = rest;
    let row = u32::from_be_bytes([0, row0, row1, row2]);
    Ok(Entity { scope, row, generation: u32::from_be_bytes([g0, g1, g2, g3]) })
}

/// The scope of an entity, BTZ_SCOPE_*; 0 for what is none. Never fails. Threads: any. Blocking: no. Since: 0.1
#[unsafe(no_mangle)]
pub extern "C" fn btz_entity_scope(entity: btz_entity) -> u32 {
    decode(entity).map_or(0, |entity| u32::from(entity.scope as u8))
}

/// Fills the caller's rows and says how many there are.
pub(crate) unsafe fn list<T: Sized32>(
    out: *mut T,
    stride: usize,
    capacity: usize,
    total: *mut usize,
    fill: impl FnOnce(&mut Rows<T>) -> Result<usize, Failure>,
) -> Outcome {
    if total.is_null() {
        return Err(Failure::null("total is NULL"));
    }
    // SAFETY: the caller's contract is this function's.
    let mut rows = unsafe { Rows::new(out, stride, capacity)? };
    let found = fill(&mut rows)?;
    // SAFETY: the contract: writable.
    unsafe { total.write(found) };
    Ok(())
}

/// The VMs that are watched now, by row. out: capacity elements (NULL with capacity 0 to ask for the number), each
/// stride bytes after the one before; stride: sizeof(btz_vm). total: receives how many there are, which may be more
/// than capacity: then call again with more room. Errors: BTZ_ERR_NULL, BTZ_ERR_SIZE.
/// Threads: any. Blocking: no; allocates. Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn btz_agent_vms(
    agent: *const btz_agent,
    out: *mut btz_vm,
    stride: usize,
    capacity: usize,
    total: *mut usize,
) -> btz_status {
    let read = |agent: &btz_agent| {
        let vms = agent.reader.vms();
        // SAFETY: the contract.
        unsafe { list(out, stride, capacity, total, |rows| Ok(rows.fill(vms.iter().map(|vm| view(vm))))) }
    };
    // SAFETY: the contract.
    unsafe { on_agent(agent, std::ptr::null_mut(), read) }
}

/// The parts of a VM (vCPUs, network interfaces, disks) or of the host (CPUs, nodes, block and network devices). whole:
/// a VM's entity or BTZ_ENTITY_HOST. out, stride, capacity, total: as in btz_agent_vms(). Errors: BTZ_ERR_NOT_FOUND when
/// the VM is gone; BTZ_ERR_ARGUMENT, BTZ_ERR_NULL, BTZ_ERR_SIZE. Threads: any. Blocking: no; allocates. Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn btz_agent_parts(
    agent: *const btz_agent,
    whole: btz_entity,
    out: *mut btz_part,
    stride: usize,
    capacity: usize,
    total: *mut usize,
) -> btz_status {
    let read = |agent: &btz_agent| {
        let whole = decode(whole)?;
        let fill = |rows: &mut Rows<btz_part>| {
            if whole == Entity::HOST {
                Ok(host_parts(agent, rows))
            } else {
                let vm = vm(agent, whole)?;
                Ok(vm_parts(&vm, rows))
            }
        };
        // SAFETY: the contract.
        unsafe { list(out, stride, capacity, total, fill) }
    };
    // SAFETY: the contract.
    unsafe { on_agent(agent, std::ptr::null_mut(), read) }
}

/// How each source of the host or of a VM is read, at which tier, and why not better. whole: a VM's entity or
/// BTZ_ENTITY_HOST. out, stride, capacity, total: as in btz_agent_vms(). Errors: BTZ_ERR_NOT_FOUND when the VM is gone;
/// BTZ_ERR_ARGUMENT, BTZ_ERR_NULL, BTZ_ERR_SIZE. Threads: any. Blocking: no; allocates. Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn btz_agent_sources(
    agent: *const btz_agent,
    whole: btz_entity,
    out: *mut btz_source,
    stride: usize,
    capacity: usize,
    total: *mut usize,
) -> btz_status {
    let read = |agent: &btz_agent| {
        let whole = decode(whole)?;
        let sources = if whole == Entity::HOST {
            agent.reader.sources(None)
        } else {
            vm(agent, whole)?.sources.clone()
        };
        // SAFETY: the contract.
        unsafe { list(out, stride, capacity, total, |rows| Ok(rows.fill(sources.iter().map(source)))) }
    };
    // SAFETY: the contract.
    unsafe { on_agent(agent, std::ptr::null_mut(), read) }
}

fn vm(agent: &btz_agent, entity: Entity) -> Result<Arc<VmInfo>, Failure> {
    if entity.scope != Scope::Vm {
        return Err(Failure::argument("this takes the host or a VM"));
    }
    let found = agent.reader.vms().into_iter().find(|vm| vm.entity == entity);
    found.ok_or_else(|| Failure::new(BTZ_ERR_NOT_FOUND, "this VM is not there, or no longer"))
}

fn count(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

fn view(vm: &VmInfo) -> btz_vm {
    let monitor = vm.monitor.as_ref().map(|path| path.display().to_string()).unwrap_or_default();
    let cut = vm.name.len() >= 128 || vm.tenant.len() >= 64 || vm.cgroup.len() >= 256 || monitor.len() >= 128;
    btz_vm {
        struct_size: 0,
        vmm: u32::from(vm.vmm as u8),
        entity: encode(vm.entity),
        pid: vm.pid,
        flags: if vm.libvirt { BTZ_VM_LIBVIRT } else { 0 } | if cut { BTZ_VM_TRUNCATED } else { 0 },
        start_ticks: vm.start_ticks,
        vcpus: count(vm.vcpus.len()),
        nics: count(vm.nics.len()),
        disks: count(vm.disks.len()),
        other_threads: count(vm.other_threads.len()),
        uuid: vm.uuid,
        name: text::array(&vm.name),
        tenant: text::array(&vm.tenant),
        cgroup: text::array(&vm.cgroup),
        monitor: text::array(&monitor),
    }
}

fn part(entity: Entity, index: u32, tid: i32, name: &str, path: &str) -> btz_part {
    btz_part {
        struct_size: 0,
        scope: u32::from(entity.scope as u8),
        entity: encode(entity),
        index,
        tid,
        name: text::array(name),
        path: text::array(path),
    }
}

fn vm_parts(vm: &VmInfo, rows: &mut Rows<btz_part>) -> usize {
    let vcpus = vm.vcpus.iter().map(|vcpu| part(vcpu.entity, vcpu.index, vcpu.tid, "", ""));
    let nics = vm.nics.iter().map(|nic| part(nic.entity, 0, 0, &nic.tap, ""));
    let disks = vm.disks.iter().map(|disk| {
        let path = disk.path.as_ref().map(|path| path.display().to_string()).unwrap_or_default();
        part(disk.entity, 0, 0, &disk.name, &path)
    });
    rows.fill(vcpus.chain(nics).chain(disks))
}

fn host_parts(agent: &btz_agent, rows: &mut Rows<btz_part>) -> usize {
    let host = agent.reader.host();
    let labels = &host.labels;
    let entity = |scope, row: usize| agent.reader.frame().entity(scope, count(row));
    let numbered = |scope, labels: &[Option<u32>]| {
        let named = labels.iter().enumerate().filter_map(|(row, label)| Some((row, (*label)?)));
        let parts = named.filter_map(|(row, number)| Some(part(entity(scope, row)?, number, 0, "", "")));
        parts.collect::<Vec<_>>()
    };
    let named = |scope, labels: &[Option<String>]| {
        let named = labels.iter().enumerate().filter_map(|(row, label)| Some((row, label.as_deref()?)));
        let parts = named.filter_map(|(row, name)| Some(part(entity(scope, row)?, 0, 0, name, "")));
        parts.collect::<Vec<_>>()
    };
    [
        numbered(Scope::Cpu, &labels.cpus),
        numbered(Scope::Node, &labels.nodes),
        named(Scope::Block, &labels.block_devices),
        named(Scope::Net, &labels.net_devices),
    ]
    .into_iter()
    .map(|parts| rows.fill(parts.into_iter()))
    .sum()
}

fn source(report: &SourceReport) -> btz_source {
    btz_source {
        struct_size: 0,
        source: u32::from(report.source as u8),
        availability: u32::from(report.availability as u8),
        reserved: 0,
        name: text::array(report.source.name()),
        tier: text::array(report.tier),
        reason: text::array(&report.reason),
    }
}

// The numbers of the ABI are those of the core.
const _: () = {
    assert!(BTZ_SCOPE_HOST == Scope::Host as u32 && BTZ_SCOPE_CPU == Scope::Cpu as u32);
    assert!(BTZ_SCOPE_NODE == Scope::Node as u32 && BTZ_SCOPE_BLOCK == Scope::Block as u32);
    assert!(BTZ_SCOPE_NET == Scope::Net as u32 && BTZ_SCOPE_VM == Scope::Vm as u32);
    assert!(BTZ_SCOPE_VCPU == Scope::Vcpu as u32 && BTZ_SCOPE_VMNET == Scope::VmNet as u32);
    assert!(BTZ_SCOPE_VMDISK == Scope::VmDisk as u32 && BTZ_SCOPE_AGENT == Scope::Agent as u32);
    assert!(BTZ_VMM_OTHER == VmmKind::Other as u32 && BTZ_VMM_QEMU == VmmKind::Qemu as u32);
    assert!(BTZ_VMM_FIRECRACKER == VmmKind::Firecracker as u32);
    assert!(BTZ_VMM_CLOUD_HYPERVISOR == VmmKind::CloudHypervisor as u32);
    assert!(BTZ_VMM_CROSVM == VmmKind::Crosvm as u32);
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entities_survive_the_way_out_and_back() {
        for scope in Scope::ALL {
            for (row, generation) in [(0, 1), (1_048_575, u32::MAX), ((1 << ROW_BITS) - 1, 7)] {
                let entity = Entity { scope, row, generation };
                assert_eq!(decode(encode(entity)).expect("is one"), entity);
            }
        }
        assert!(decode(0).is_err() && decode(11 << 56).is_err());
        assert_eq!(btz_entity_scope(encode(Entity::HOST)), BTZ_SCOPE_HOST);
        assert_eq!(btz_entity_scope(0), 0);
    }
}
