//! Who is in which row: the fixed-size names that the hot side needs to write an alert.

use crate::config::Limits;
use crate::sampling::discovery::truncated;
use crate::sampling::frame::Entity;
use crate::sampling::host::HostLabels;
use crate::sampling::metrics::Scope;
use crate::sampling::vm::VmIdentity;
use arrayvec::ArrayString;

/// The VMs that are watched now, by row; and for the rows of vCPUs, disks and interfaces, the VM they belong to.
pub struct Roster {
    vms: Box<[Option<(Entity, VmIdentity)>]>,
    /// The VM's row, and the how-manieth part of its kind this is.
    owners: [Box<[(u32, u32)]>; 3],
    /// What the host's rows are called.
    pub(super) host: HostNames,
}

/// What the host's rows are called, of fixed size each.
#[derive(Clone, Debug, Default)]
pub(super) struct HostNames {
    cpus: Box<[Option<u32>]>,
    nodes: Box<[Option<u32>]>,
    block_devices: Box<[ArrayString<32>]>,
    net_devices: Box<[ArrayString<32>]>,
}

impl HostNames {
    pub(super) fn new(labels: &HostLabels) -> Self {
        let names = |names: &[Option<String>]| {
            names.iter().map(|name| truncated(name.as_deref().unwrap_or_default())).collect()
        };
        Self {
            cpus: labels.cpus.as_slice().into(),
            nodes: labels.nodes.as_slice().into(),
            block_devices: names(&labels.block_devices),
            net_devices: names(&labels.net_devices),
        }
    }
}

/// "No VM" in `owners`.
const NOBODY: u32 = u32::MAX;

impl Roster {
    /// A roster with nobody in it.
    #[must_use]
    pub fn new(limits: &Limits) -> Self {
        let owners = |scope| vec![(NOBODY, 0); limits.rows(scope)].into_boxed_slice();
        Self {
            host: HostNames::default(),
            vms: vec![None; limits.rows(Scope::Vm)].into_boxed_slice(),
            owners: [owners(Scope::Vcpu), owners(Scope::VmNet), owners(Scope::VmDisk)],
        }
    }

    /// The VM that an entity is, or belongs to.
    #[must_use]
    pub fn vm_of(&self, entity: Entity) -> Option<(Entity, &VmIdentity)> {
        let row = match entity.scope {
            Scope::Vm => entity.row,
            scope => self.owners[owner_index(scope)?].get(entity.row as usize)?.0,
        };
        let (vm, identity) = self.vms.get(row as usize)?.as_ref()?;
        // A VM that had the row before is another one.
        (entity.scope != Scope::Vm || *vm == entity).then_some((*vm, identity))
    }

    /// The name of one of the host's devices.
    #[must_use]
    pub fn device_of(&self, device: Entity) -> Option<&str> {
        let names = match device.scope {
            Scope::Block => &self.host.block_devices,
            Scope::Net => &self.host.net_devices,
            _ => return None,
        };
        names.get(device.row as usize).map(ArrayString::as_str).filter(|name| !name.is_empty())
    }

    /// The number of one of the host's CPUs or nodes.
    #[must_use]
    pub fn number_of(&self, part: Entity) -> Option<u32> {
        let numbers = match part.scope {
            Scope::Cpu => &self.host.cpus,
            Scope::Node => &self.host.nodes,
            _ => return None,
        };
        *numbers.get(part.row as usize)?
    }

    /// Which of its VM's vCPUs, interfaces or disks an entity is, counted from 0 in the order of the VM's plan.
    #[must_use]
    pub fn ordinal_of(&self, part: Entity) -> Option<u32> {
        let (owner, ordinal) = *self.owners[owner_index(part.scope)?].get(part.row as usize)?;
        (owner != NOBODY).then_some(ordinal)
    }

    pub(crate) fn enter(&mut self, vm: Entity, identity: VmIdentity, parts: impl Iterator<Item = Entity>) {
        self.vms[vm.row as usize] = Some((vm, identity));
        let mut counts = [0; 3];
        for part in parts {
            if let Some(index) = owner_index(part.scope) {
                self.owners[index][part.row as usize] = (vm.row, counts[index]);
                counts[index] += 1;
            }
        }
    }

    pub(crate) fn leave(&mut self, vm: Entity, parts: impl Iterator<Item = Entity>) {
        self.vms[vm.row as usize] = None;
        for part in parts {
            if let Some(index) = owner_index(part.scope) {
                let owner = &mut self.owners[index][part.row as usize];
                // The row may be another VM's by now.
                if owner.0 == vm.row {
                    *owner = (NOBODY, 0);
                }
            }
        }
    }
}

const fn owner_index(scope: Scope) -> Option<usize> {
    match scope {
        Scope::Vcpu => Some(0),
        Scope::VmNet => Some(1),
        Scope::VmDisk => Some(2),
        _ => None,
    }
}
