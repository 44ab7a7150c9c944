//! What the agent knows of a condition when an incident opens: the flight recorder's window of the series that tell, the
//! counters of KVM, what a check read.

use bartizan_core::checks::Subject;
use bartizan_core::engine::Reader;
use bartizan_core::incidents::{Condition, Evidence, Source};
use bartizan_core::sampling::discovery::VmInfo;
use bartizan_core::sampling::frame::Entity;
use bartizan_core::sampling::history::HistoryPoint;
use bartizan_core::sampling::metrics::{MetricId, Scope, host, vcpu, vm};
use std::fmt::Write as _;
use std::sync::Arc;

/// Values of one series that are attached.
const POINTS_MAX: usize = 60;

/// Which part of its VM an entity is, in words that are the same after a restart.
pub(super) fn part_of(reader: &Reader, entity: Entity) -> Option<String> {
    let vms = reader.vms();
    let vm = vms.iter().find(|vm| vm.parts().any(|part| part == entity))?;
    part(vm, entity)
}

fn part(vm: &VmInfo, entity: Entity) -> Option<String> {
    let vcpu = vm.vcpus.iter().find(|vcpu| vcpu.entity == entity).map(|vcpu| format!("vcpu {}", vcpu.index));
    let nic = || vm.nics.iter().find(|nic| nic.entity == entity).map(|nic| format!("nic {}", nic.tap));
    let disk =
        || vm.disks.iter().find(|disk| disk.entity == entity).map(|disk| format!("disk {}", disk.name));
    vcpu.or_else(nic).or_else(disk)
}

/// The most telling first.
pub(super) fn of(reader: &Reader, condition: &Condition, about: Option<Entity>) -> Vec<Evidence> {
    match condition.source {
        Source::Finding => of_finding(reader, condition),
        Source::Alert => of_alert(reader, condition, about),
    }
}

fn of_finding(reader: &Reader, condition: &Condition) -> Vec<Evidence> {
    let id = &condition.resource.vm;
    let findings = reader.checks().findings();
    let is_it = |subject: &Subject| match subject {
        Subject::Host => id.is_empty(),
        Subject::Vm(vm) => vm.uuid == *id || (vm.uuid.is_empty() && vm.name == *id),
    };
    let Some(finding) =
        findings.iter().find(|finding| *finding.rule == *condition.detector && is_it(&finding.subject))
    else {
        return Vec::new();
    };
    let facts = finding.outcomes.iter().flat_map(|outcome| &outcome.evidence);
    facts
        .map(|fact| {
            let raw = if fact.raw.is_empty() { String::new() } else { format!(" ({})", fact.raw) };
            Evidence::text(&*fact.key, &*fact.source, format!("{}{raw}", fact.shown()))
        })
        .collect()
}

fn of_alert(reader: &Reader, condition: &Condition, about: Option<Entity>) -> Vec<Evidence> {
    let vms = reader.vms();
    let resource = &condition.resource;
    let is_it = |vm: &&Arc<VmInfo>| {
        crate::view::units::uuid(&vm.uuid) == resource.vm || (vm.uuid == [0; 16] && vm.name == resource.vm)
    };
    let vm_info = vms.iter().find(is_it).filter(|_| !resource.is_host());
    let entity = about.or_else(|| {
        let vm = vm_info?;
        vm.parts().find(|entity| part(vm, *entity).as_deref() == Some(&condition.part)).or(Some(vm.entity))
    });
    let whole = vm_info.map(|vm| vm.entity).or(about.filter(|entity| entity.scope == Scope::Vm));
    let mut pieces = Vec::new();
    if let (Some(entity), Some(metric)) = (entity, MetricId::by_name(&condition.cause)) {
        series(reader, entity, metric, &mut pieces);
    }
    if resource.is_host() {
        for metric in [
            host::PRESSURE_CPU_SOME,
            host::PRESSURE_MEMORY_SOME,
            host::PRESSURE_IO_SOME,
            host::MEMORY_AVAILABLE,
        ] {
            series(reader, Entity::HOST, metric, &mut pieces);
        }
    } else if let Some(whole) = whole {
        kvm(reader, whole, &mut pieces);
        for metric in [vm::STATE, vm::RUN_STATE, vm::VCPU_WAIT, vm::KVM_EXITS, vm::MEMORY_RESIDENT] {
            series(reader, whole, metric, &mut pieces);
        }
        if let Some(vcpu_of) = entity.filter(|entity| entity.scope == Scope::Vcpu) {
            series(reader, vcpu_of, vcpu::RUN, &mut pieces);
        }
    }
    pieces
}

fn series(reader: &Reader, entity: Entity, metric: MetricId, pieces: &mut Vec<Evidence>) {
    let mut points = [HistoryPoint::default(); POINTS_MAX];
    let count = reader.history(entity, metric, &mut points);
    let name = metric.metric().name;
    if count > 0 && pieces.iter().all(|piece| piece.name != name) {
        pieces.push(Evidence::series(name, "flight recorder", &points[..count]));
    }
}

/// KVM's counters as they are now.
fn kvm(reader: &Reader, vm: Entity, pieces: &mut Vec<Evidence>) {
    let mut text = String::new();
    for metric in Scope::Vm.metrics().iter().filter(|metric| metric.name.starts_with("vm_kvm_")) {
        let reading = reader.read(vm, metric.id);
        // Writing to a String cannot fail.
        let _ = match reading.ok() {
            Some(value) => write!(text, "{}={value} ", metric.name),
            None => write!(text, "{}={} ", metric.name, reading.availability.name()),
        };
    }
    if !text.is_empty() {
        pieces.push(Evidence::text("kvm counters", "frame", text.trim_end()));
    }
}
