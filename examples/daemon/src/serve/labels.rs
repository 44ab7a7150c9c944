//! Who is who: the label text of every entity, made once per exposition.

use super::openmetrics::{FamilyKind, Format, escape_label, write_family};
use bartizan_core::engine::Reader;
use bartizan_core::sampling::discovery::VmInfo;
use bartizan_core::sampling::frame::Entity;
use bartizan_core::sampling::metrics::Scope;
use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::Arc;

/// Entities and their labels, by scope.
pub struct Labels {
    entities: Vec<Vec<(Entity, String)>>,
    vms: Vec<(Arc<VmInfo>, String)>,
    sources: Vec<(&'static str, &'static str, &'static str)>,
}

impl Labels {
    /// The entities that exist now, of these scopes.
    #[must_use]
    pub fn of(reader: &Reader, scopes: &[Scope]) -> Self {
        let vms = names(reader.vms());
        let mut entities: Vec<Vec<(Entity, String)>> = vec![Vec::new(); Scope::ALL.len()];
        for scope in scopes {
            entities[scope.index()] = of_scope(reader, &vms, *scope);
        }
        let host = reader.host();
        let sources = host.sources.iter().map(|s| (s.source.name(), s.tier, s.availability.name())).collect();
        Self { entities, vms, sources }
    }

    /// The entity at a place in its scope.
    #[must_use]
    pub fn entity(&self, scope: Scope, index: usize) -> Option<Entity> {
        Some(self.entities[scope.index()].get(index)?.0)
    }

    /// Its labels, in braces; empty when it has none.
    #[must_use]
    pub fn text(&self, scope: Scope, index: usize) -> &str {
        self.entities[scope.index()].get(index).map_or("", |(_, labels)| labels)
    }

    /// Appends what is known of VMs and sources beside their values.
    pub fn write_infos(&self, out: &mut String, format: Format) {
        let name = write_family(
            out,
            format,
            "bartizan_vm",
            FamilyKind::Info,
            "",
            "A VM that is watched: its monitor and process.",
        );
        for (vm, label) in &self.vms {
            let vmm = vm.vmm.name();
            let vcpus = vm.vcpus.len();
            let mut labels = vm_labels(vm, label);
            let _ = write!(
                labels,
                ",vmm=\"{vmm}\",pid=\"{}\",vcpus=\"{vcpus}\",libvirt=\"{}\"",
                vm.pid, vm.libvirt
            );
            let _ = writeln!(out, "{name}{{{labels}}} 1");
        }
        let name = write_family(
            out,
            format,
            "bartizan_source",
            FamilyKind::Info,
            "",
            "How a source of the host is read, and whether it works.",
        );
        for (source, tier, state) in &self.sources {
            let _ = writeln!(out, "{name}{{source=\"{source}\",tier=\"{tier}\",state=\"{state}\"}} 1");
        }
    }
}

/// VMs and the name that stands for each in labels. Two VMs that share name and UUID are told apart by their PID:
/// two series with the same labels would make a scraper refuse everything.
fn names(vms: Vec<Arc<VmInfo>>) -> Vec<(Arc<VmInfo>, String)> {
    let mut uses: HashMap<(String, [u8; 16]), usize> = HashMap::new();
    for vm in &vms {
        *uses.entry((vm.name.clone(), vm.uuid)).or_default() += 1;
    }
    vms.into_iter()
        .map(|vm| {
            let shared = uses.get(&(vm.name.clone(), vm.uuid)).is_some_and(|count| *count > 1);
            let name = if shared { format!("{}@{}", vm.name, vm.pid) } else { vm.name.clone() };
            (vm, name)
        })
        .collect()
}

fn of_scope(reader: &Reader, vms: &[(Arc<VmInfo>, String)], scope: Scope) -> Vec<(Entity, String)> {
    let braced = |labels: String| if labels.is_empty() { labels } else { format!("{{{labels}}}") };
    let with = |vm: &VmInfo, name: &str, label: &str, value: &str| {
        let mut labels = vm_labels(vm, name);
        push_label(&mut labels, label, value);
        braced(labels)
    };
    match scope {
        Scope::Host => vec![(Entity::HOST, String::new())],
        Scope::Agent => vec![(Entity::AGENT, String::new())],
        Scope::Cpu | Scope::Node | Scope::Block | Scope::Net => reader
            .frame()
            .entities(scope)
            .map(|entity| {
                let label = if matches!(scope, Scope::Cpu | Scope::Node) { scope.name() } else { "device" };
                let mut labels = String::new();
                push_label(&mut labels, label, &host_row_name(reader, entity));
                (entity, braced(labels))
            })
            .collect(),
        Scope::Vm => vms.iter().map(|(vm, name)| (vm.entity, braced(vm_labels(vm, name)))).collect(),
        Scope::Vcpu => {
            let of_vm = |(vm, name): &(Arc<VmInfo>, String)| {
                let one = |vcpu: &bartizan_core::sampling::discovery::VcpuInfo| {
                    (vcpu.entity, with(vm, name, "vcpu", &vcpu.index.to_string()))
                };
                vm.vcpus.iter().map(one).collect::<Vec<_>>()
            };
            vms.iter().flat_map(of_vm).collect()
        }
        Scope::VmNet => {
            let of_vm = |(vm, name): &(Arc<VmInfo>, String)| {
                vm.nics.iter().map(|nic| (nic.entity, with(vm, name, "device", &nic.tap))).collect::<Vec<_>>()
            };
            vms.iter().flat_map(of_vm).collect()
        }
        Scope::VmDisk => {
            let of_vm = |(vm, name): &(Arc<VmInfo>, String)| {
                vm.disks
                    .iter()
                    .map(|disk| (disk.entity, with(vm, name, "device", &disk.name)))
                    .collect::<Vec<_>>()
            };
            vms.iter().flat_map(of_vm).collect()
        }
    }
}

/// The name of a host's CPU, node or device; its row's number where it has none.
#[must_use]
pub fn host_row_name(reader: &Reader, entity: Entity) -> String {
    let host = reader.host();
    let row = entity.row as usize;
    let number = |numbers: &[Option<u32>]| numbers.get(row).copied().flatten().map(|n| n.to_string());
    let name = |names: &[Option<String>]| names.get(row).cloned().flatten();
    match entity.scope {
        Scope::Cpu => number(&host.labels.cpus),
        Scope::Node => number(&host.labels.nodes),
        Scope::Block => name(&host.labels.block_devices),
        Scope::Net => name(&host.labels.net_devices),
        _ => None,
    }
    .unwrap_or_else(|| format!("row{row}"))
}

fn vm_labels(vm: &VmInfo, name: &str) -> String {
    let mut labels = String::new();
    push_label(&mut labels, "vm", name);
    if vm.uuid != [0; 16] {
        push_label(&mut labels, "uuid", &crate::view::units::uuid(&vm.uuid));
    }
    if !vm.tenant.is_empty() {
        push_label(&mut labels, "tenant", &vm.tenant);
    }
    labels
}

fn push_label(labels: &mut String, label: &str, value: &str) {
    if !labels.is_empty() {
        labels.push(',');
    }
    labels.push_str(label);
    labels.push_str("=\"");
    escape_label(labels, value);
    labels.push('"');
}
