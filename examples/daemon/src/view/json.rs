//! JSON lines: one object a line, its kind in `type`. Values are in the exported units; what has none is `null`.

use super::model::{Busiest, View, VmView};
use super::units;
use bartizan_core::alerts::Accounting;
pub use bartizan_core::alerts::json::alert;
use bartizan_core::checks::board::Tally;
pub use bartizan_core::checks::report::json::change;
use bartizan_core::checks::{Finding, Severity, Verdict};
use bartizan_core::sampling::SourceReport;
use bartizan_core::sampling::discovery::VmInfo;
use serde_json::{Value, json};
use std::sync::Arc;

/// A VM's identity.
#[must_use]
pub fn vm(vm: &VmInfo) -> Value {
    json!({
        "name": vm.name,
        "uuid": (vm.uuid != [0; 16]).then(|| units::uuid(&vm.uuid)),
        "tenant": (!vm.tenant.is_empty()).then_some(&vm.tenant),
        "vmm": vm.vmm.name(),
        "pid": vm.pid,
        "libvirt": vm.libvirt,
        "cgroup": vm.cgroup,
        "vcpus": vm.vcpus.len(),
        "nics": vm.nics.iter().map(|nic| &nic.tap).collect::<Vec<_>>(),
        "disks": vm.disks.iter().map(|disk| json!({"name": disk.name, "path": disk.path})).collect::<Vec<_>>(),
        "monitor": vm.monitor,
    })
}

/// A source and how it is read.
#[must_use]
pub fn source(report: &SourceReport) -> Value {
    json!({
        "source": report.source.name(),
        "tier": report.tier,
        "state": report.availability.name(),
        "reason": report.reason,
    })
}

/// One sample.
#[must_use]
pub fn tick(view: &View) -> Value {
    let host = &view.host;
    json!({
        "type": "tick",
        "tick": view.tick.number,
        "time": units::rfc3339(view.tick.wall_ns),
        "host": {
            "cpus": host.cpus,
            "cpu_busy_ratio": host.cpu_busy,
            "cpu_steal_ratio": host.cpu_steal,
            "cpu_guest_ratio": host.cpu_guest,
            "load_1m": host.load_1m,
            "processes_running": host.running,
            "memory_total_bytes": host.memory_total_bytes,
            "memory_available_bytes": host.memory_available_bytes,
            "pressure_cpu_ratio": host.pressure_cpu,
            "pressure_memory_ratio": host.pressure_memory,
            "pressure_io_ratio": host.pressure_io,
            "busiest_disk": busiest(host.disk.as_ref()),
            "busiest_net": busiest(host.net.as_ref()),
        },
        "vms": view.vms.iter().map(vm_values).collect::<Vec<_>>(),
        "agent": {
            "cpu_cores": view.own_cpu,
            "ticks_missed": view.ticks_missed,
            "vms_refused": view.vms_refused,
        },
    })
}

fn busiest(device: Option<&Busiest>) -> Value {
    device.map_or(Value::Null, |device| {
        json!({
            "device": device.name,
            "in_bytes_per_second": device.input,
            "out_bytes_per_second": device.output,
        })
    })
}

/// One VM's values.
#[must_use]
pub fn vm_values(view: &VmView) -> Value {
    json!({
        "name": view.vm.name,
        "uuid": (view.vm.uuid != [0; 16]).then(|| units::uuid(&view.vm.uuid)),
        "tenant": (!view.vm.tenant.is_empty()).then_some(&view.vm.tenant),
        "pid": view.vm.pid,
        "state": view.state_name(),
        "vcpus": view.vm.vcpus.len(),
        "cpu_cores": view.cpu_cores,
        "vcpu_wait_ratio": view.wait,
        "throttled_ratio": view.throttled,
        "pressure_memory_ratio": view.pressure_memory,
        "pressure_io_ratio": view.pressure_io,
        "memory_resident_bytes": view.memory_bytes,
        "disk_bytes_per_second": view.disk_bytes,
        "net_bytes_per_second": view.net_bytes,
        "kvm_exits_per_second": view.exits,
        "hurt": view.hurt.score,
        "hurt_reason": (!view.hurt.reason.is_empty()).then_some(view.hurt.reason),
    })
}

/// What the first full run of the checks found, as a whole: how many findings of each verdict, and how many that
/// nobody answers for fail, by severity.
#[must_use]
pub fn checked(found: &[Arc<Finding>]) -> Value {
    let mut tally = Tally::default();
    let mut open = [0_u64; Severity::ALL.len()];
    for finding in found {
        tally.count(finding);
        if finding.is_open() {
            open[finding.severity as usize - 1] += 1;
        }
    }
    let verdicts = Verdict::ALL.map(|verdict| (verdict.name().to_owned(), json!(tally.of(verdict))));
    let open = Severity::ALL
        .into_iter()
        .zip(open)
        .map(|(severity, count)| (severity.name().to_owned(), json!(count)));
    json!({
        "type": "checked",
        "verdicts": verdicts.into_iter().collect::<serde_json::Map<_, _>>(),
        "waived": tally.waived,
        "open": open.collect::<serde_json::Map<_, _>>(),
    })
}

/// The accounts of the alerts.
#[must_use]
pub fn accounts(accounts: &Accounting) -> Value {
    json!({
        "produced": accounts.produced,
        "delivered": accounts.delivered,
        "suppressed": accounts.suppressed,
        "dropped": accounts.dropped,
        "in_flight": accounts.in_flight,
    })
}
