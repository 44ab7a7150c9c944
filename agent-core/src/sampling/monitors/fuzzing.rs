//! The parsers of this module, as the fuzz targets call them: whatever the bytes, they must come back.

use super::cloud_hypervisor;
use super::firecracker::Totals;
use super::http::{Answer, Gets};
use super::qmp::{Qmp, Query};
use super::qmp_answers::Values;
use crate::sampling::discovery::{DiskInfo, VcpuInfo, VmInfo, VmmKind};
use crate::sampling::frame::Entity;
use crate::sampling::metrics::Scope;

/// A whole QMP conversation in which every question is asked. The first byte says into what pieces it is cut.
pub fn qmp(data: &[u8]) {
    let Some((&piece, bytes)) = data.split_first() else { return };
    let all = [
        Query::Status,
        Query::Balloon,
        Query::BlockStats,
        Query::Block,
        Query::Cpus,
        Query::StatsVm,
        Query::StatsVcpu,
    ];
    let mut qmp = Qmp::new(all.to_vec());
    for piece in bytes.chunks(usize::from(piece).max(1)) {
        if qmp.receive(piece) != Ok(false) {
            break;
        }
    }
    let values = qmp.into_answers().values(&vm(VmmKind::Qemu), &mut Vec::new());
    assert!(values.iter().all(|(_, metric, _)| metric.scope() != Scope::Host));
}

/// An HTTP conversation with Cloud Hypervisor.
pub fn http(data: &[u8]) {
    let mut gets = Gets::new(cloud_hypervisor::PATHS);
    if gets.receive(data) == Ok(true) {
        let _ = cloud_hypervisor::values(&gets.into_answers(), &vm(VmmKind::CloudHypervisor));
    }
    // The bodies alone, since noise seldom makes a whole response.
    let (about, counters) = data.split_at(data.len() / 2);
    let answer = |body: &[u8]| Answer { status: 200, body: body.to_vec() };
    let _ = cloud_hypervisor::values(&[answer(about), answer(counters)], &vm(VmmKind::CloudHypervisor));
}

/// Lines of Firecracker's metrics file.
pub fn firecracker(data: &[u8]) {
    let mut totals = Totals::default();
    for line in data.split(|byte| *byte == b'\n') {
        let _ = totals.add(line);
    }
    totals.values(&vm(VmmKind::Firecracker), &mut Values::new());
}

fn vm(vmm: VmmKind) -> VmInfo {
    let entity = |scope, row| Entity { scope, row, generation: 1 };
    let disk = |row, name: &str| DiskInfo {
        entity: entity(Scope::VmDisk, row),
        name: name.into(),
        path: Some("/img/a".into()),
    };
    VmInfo {
        entity: entity(Scope::Vm, 0),
        vmm,
        name: "vm".into(),
        uuid: [0; 16],
        tenant: String::new(),
        pid: 1,
        start_ticks: 0,
        cgroup: String::new(),
        libvirt: false,
        vcpus: vec![VcpuInfo { entity: entity(Scope::Vcpu, 0), index: 0, tid: 17_307 }],
        other_threads: Vec::new(),
        nics: Vec::new(),
        disks: vec![disk(0, "d0"), disk(1, "rootfs")],
        monitor: None,
        metrics_file: None,
        debugfs_name: None,
        sources: Vec::new(),
    }
}
