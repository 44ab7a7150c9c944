//! `bartizan vms`: the virtual machines of this host.

use crate::book::Counts;
use crate::cli::{Common, JsonFlag};
use crate::exit::Failure;
use crate::view::model::{View, Viewer, VmView};
use crate::view::paint::Paint;
use crate::view::table::Table;
use crate::view::{hurt, json, units};
use crate::watch::{configure, look};
use std::io::{self, Write};

pub(super) fn run(common: &Common, args: JsonFlag) -> Result<(), Failure> {
    let mut viewer = Viewer::default();
    let mut view = View::default();
    look(configure(common)?, |reader| view = viewer.look(reader, &Counts::default()))?;
    view.vms.sort_by(hurt::order);
    let mut out = io::stdout().lock();
    if args.json {
        let vms: Vec<_> = view
            .vms
            .iter()
            .map(|vm| {
                let mut object = json::vm(&vm.vm);
                object["values"] = json::vm_values(vm);
                object["sources"] = vm.vm.sources.iter().map(json::source).collect();
                object
            })
            .collect();
        serde_json::to_writer_pretty(&mut out, &vms).map_err(io::Error::from)?;
        writeln!(out)?;
        return Ok(());
    }
    if view.vms.is_empty() {
        writeln!(out, "no VM found")?;
        return Ok(());
    }
    let paint = Paint::new(common.color);
    let mut table = Table::new(&[
        "NAME", "STATE", "VMM", "PID", ">VCPU", ">CPU", ">WAIT", ">MEM", "TENANT", "UUID", "WHY",
    ]);
    for vm in &view.vms {
        table.row(row(vm, paint));
    }
    table.write(&mut out, paint)?;
    Ok(())
}

fn row(vm: &VmView, paint: Paint) -> Vec<String> {
    let uuid = if vm.vm.uuid == [0; 16] { units::NONE.to_owned() } else { units::uuid(&vm.vm.uuid) };
    let state = if vm.state == Some(1) { vm.state_name().to_owned() } else { paint.warn(vm.state_name()) };
    vec![
        units::printable(&vm.vm.name),
        state,
        vm.vm.vmm.name().to_owned(),
        vm.vm.pid.to_string(),
        vm.vm.vcpus.len().to_string(),
        units::optional(vm.cpu_cores, units::percent),
        units::optional(vm.wait, units::percent),
        units::optional(vm.memory_bytes, units::bytes),
        if vm.vm.tenant.is_empty() { units::NONE.to_owned() } else { units::printable(&vm.vm.tenant) },
        uuid,
        vm.hurt.reason.to_owned(),
    ]
}
