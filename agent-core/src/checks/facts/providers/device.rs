//! Devices of the host that guests get: IOMMU groups, VFIO, virtual functions of network cards, USB.

use super::sockets::held;
use super::vm_config::{asked_vfio, running_definition};
use super::{Provider, Read, Refresh};
use crate::checks::fact::{Found, Unavailable, Value};
use crate::checks::facts::Gather;
use crate::checks::host::why;
use crate::checks::vm::Vm;
use crate::sys::route;
use std::collections::BTreeSet;
use std::sync::Arc;

/// Facts about devices.
pub const PROVIDERS: &[Provider] = &[
    Provider {
        name: "iommu",
        help: "the kernel's IOMMUs (units) or the numbers of their groups (groups), as lists",
        read: Read::Host(iommu),
        refresh: Refresh::Seconds(60),
    },
    Provider {
        name: "vfio.group",
        help: "the devices of an IOMMU group by address, each with the driver that has it, `none`, or `bridge`",
        read: Read::Host(group),
        refresh: Refresh::Seconds(60),
    },
    Provider {
        name: "vfio.nodes",
        help: "nodes of /dev/vfio that lead to devices, each with what others may do (a sum of 4, 2 and 1)",
        read: Read::Host(nodes),
        refresh: Refresh::Paths,
    },
    Provider {
        name: "vm.vfio",
        help: "devices of the host that the guest has: their IOMMU groups (groups), how each is reset (reset), and for \
               virtual functions whether the card guards them (guard)",
        read: Read::Vm(vfio),
        refresh: Refresh::Vm,
    },
];

const GROUPS: &str = "/sys/kernel/iommu_groups";
const PCI: &str = "/sys/bus/pci/devices";

fn list_or_none(gather: &Gather, folder: &str) -> Result<Vec<String>, Unavailable> {
    match gather.list(folder) {
        Err(Unavailable::Absent) => Ok(Vec::new()),
        list => list,
    }
}

fn iommu(gather: &Gather, what: &str) -> Found {
    match what {
        "units" => Found::either(list_or_none(gather, "/sys/class/iommu"), "/sys/class/iommu"),
        "groups" => Found::either(list_or_none(gather, GROUPS), GROUPS),
        other => {
            let why = format!("there is no field {other:?} of the IOMMU");
            Found::unavailable(Unavailable::NotExposed(why), GROUPS)
        }
    }
}

fn group(gather: &Gather, number: &str) -> Found {
    let folder = format!("{GROUPS}/{number}/devices");
    if number.is_empty() || !number.bytes().all(|byte| byte.is_ascii_digit()) {
        let why = format!("{number:?} is no group's number");
        return Found::unavailable(Unavailable::Malformed(why), folder);
    }
    let devices = match gather.list(&folder) {
        Ok(devices) => devices,
        Err(why) => return Found::unavailable(why, folder),
    };
    let mut found = Vec::with_capacity(devices.len());
    for device in devices {
        match driver(gather, &device) {
            Ok(driver) => found.push((device, driver)),
            Err(why) => return Found::unavailable(why, format!("{PCI}/{device}")),
        }
    }
    Found::value(Value::Map(found), folder)
}

/// Who has a device. Bridges are the way to the others and belong to nobody.
fn driver(gather: &Gather, device: &str) -> Result<String, Unavailable> {
    const BRIDGE: &str = "0x06";
    match gather.text(&format!("{PCI}/{device}/class")) {
        Ok(class) if class.starts_with(BRIDGE) => return Ok("bridge".to_owned()),
        // Devices of other buses have no class.
        Ok(_) | Err(Unavailable::Absent) => {}
        Err(why) => return Err(why),
    }
    match gather.link(&format!("{PCI}/{device}/driver")) {
        Ok(target) => Ok(target.rsplit('/').next().unwrap_or_default().to_owned()),
        Err(Unavailable::Absent) => Ok("none".to_owned()),
        Err(why) => Err(why),
    }
}

/// `/dev/vfio/vfio` only makes containers, which hold nothing yet.
fn nodes(gather: &Gather, _: &str) -> Found {
    const FOLDER: &str = "/dev/vfio";
    let mut found = Vec::new();
    let mut look = |path: String| -> Result<(), Unavailable> {
        let meta = gather.meta(&path)?;
        if meta.kind() != "directory" {
            found.push((path, (meta.mode & 0o7).to_string()));
        }
        Ok(())
    };
    let walked = (|| {
        for name in list_or_none(gather, FOLDER)?.iter().filter(|name| *name != "vfio") {
            look(format!("{FOLDER}/{name}"))?;
        }
        for name in list_or_none(gather, "/dev/vfio/devices")? {
            look(format!("{FOLDER}/devices/{name}"))?;
        }
        Ok(())
    })();
    match walked {
        Ok(()) => Found::value(Value::Map(found), FOLDER),
        Err(why) => Found::unavailable(why, FOLDER),
    }
}

fn vfio(gather: &Gather, vm: &Arc<Vm>, what: &str) -> Found {
    let value = match what {
        "groups" => groups(gather, vm).map(Value::List),
        "reset" => each(gather, vm, reset).map(Value::Map),
        "guard" => each(gather, vm, guard).map(Value::Map),
        other => Err(Unavailable::NotExposed(format!("there is no field {other:?} of devices"))),
    };
    match value {
        Ok(value) => Found::value(value, vm.proc("fd, cmdline")),
        Err(why) => Found::unavailable(why, vm.proc("fd, cmdline")),
    }
}

/// The groups whose nodes the VMM holds, and those of the devices it was given.
fn groups(gather: &Gather, vm: &Arc<Vm>) -> Result<Vec<String>, Unavailable> {
    let mut found = BTreeSet::new();
    for node in &held(gather, vm)?.devices {
        let name = node.rsplit('/').next().unwrap_or_default();
        if node.starts_with("/dev/vfio/devices/") {
            found.extend(link_end(gather, &format!("/sys/class/vfio-dev/{name}/device/iommu_group"))?);
        } else if node.starts_with("/dev/vfio/") && name.bytes().all(|byte| byte.is_ascii_digit()) {
            found.insert(name.to_owned());
        }
    }
    for device in devices(gather, vm)? {
        found.extend(link_end(gather, &format!("{PCI}/{device}/iommu_group"))?);
    }
    Ok(found.into_iter().collect())
}

fn link_end(gather: &Gather, path: &str) -> Result<Option<String>, Unavailable> {
    match gather.link(path) {
        Ok(target) => Ok(target.rsplit('/').next().map(str::to_owned)),
        Err(Unavailable::Absent) => Ok(None),
        Err(why) => Err(why),
    }
}

/// PCI addresses of the devices that the VM was given.
fn devices(gather: &Gather, vm: &Arc<Vm>) -> Result<BTreeSet<String>, Unavailable> {
    let mut found: BTreeSet<String> = match asked_vfio(gather, vm) {
        Ok(devices) => devices.into_iter().collect(),
        // A VMM whose options are not read: what it holds still tells groups.
        Err(Unavailable::NotExposed(_)) => BTreeSet::new(),
        Err(why) => return Err(why),
    };
    match running_definition(gather, vm) {
        Ok(domain) => {
            let pci = domain.host_devices.iter().filter(|device| device.kind == "pci");
            found.extend(pci.filter_map(|device| device.source.clone()));
        }
        Err(Unavailable::Absent) => {}
        Err(why) => return Err(why),
    }
    // Mediated devices are named by a UUID, and are reset by their driver.
    found.retain(|device| device.matches(':').count() == 2);
    Ok(found)
}

type Tell = fn(&Gather, &str) -> Result<Option<String>, Unavailable>;

fn each(gather: &Gather, vm: &Arc<Vm>, tell: Tell) -> Result<Vec<(String, String)>, Unavailable> {
    let mut found = Vec::new();
    for device in devices(gather, vm)? {
        if let Some(told) = tell(gather, &device)? {
            found.push((device, told));
        }
    }
    Ok(found)
}

/// How a device forgets what a guest did to it: `flr`, `bus`, ...; `none`.
fn reset(gather: &Gather, device: &str) -> Result<Option<String>, Unavailable> {
    let words = match gather.text(&format!("{PCI}/{device}/reset_method")) {
        Ok(text) => text.split_whitespace().collect::<Vec<_>>().join(" "),
        Err(Unavailable::Absent) => {
            // The kernel lets a device without any way have no file; before 5.15 there was none of that name.
            let old = gather.host().meta(&format!("{PCI}/{device}/reset")).is_ok();
            let there = gather.host().meta(&format!("{PCI}/{device}")).is_ok();
            return match (there, old) {
                (false, _) => Err(Unavailable::Absent),
                (true, true) => Ok(Some("some".to_owned())),
                (true, false) => Ok(Some("none".to_owned())),
            };
        }
        Err(why) => return Err(why),
    };
    Ok(Some(if words.is_empty() { "none".to_owned() } else { words }))
}

/// What the physical function lets a virtual one do; nothing for other devices.
fn guard(gather: &Gather, device: &str) -> Result<Option<String>, Unavailable> {
    let physical = match gather.link(&format!("{PCI}/{device}/physfn")) {
        Ok(target) => target.rsplit('/').next().unwrap_or_default().to_owned(),
        Err(Unavailable::Absent) => return Ok(None),
        Err(why) => return Err(why),
    };
    let Some(link) = list_or_none(gather, &format!("{PCI}/{physical}/net"))?.into_iter().next() else {
        // No network card.
        return Ok(None);
    };
    if !gather.host().is_live() {
        let why = "virtual functions are told by rtnetlink, which is not recorded".to_owned();
        return Err(Unavailable::NotExposed(why));
    }
    let mut number = None;
    for name in gather.list(&format!("{PCI}/{physical}"))? {
        let Some(index) = name.strip_prefix("virtfn") else { continue };
        let target = gather.link(&format!("{PCI}/{physical}/{name}"))?;
        if target.rsplit('/').next() == Some(device) {
            number = index.parse::<u32>().ok();
        }
    }
    let index = gather.text(&format!("/sys/class/net/{link}/ifindex"))?;
    let functions = gather.memo("virtual functions", |_| {
        route::virtual_functions().map_err(|errno| why(errno, "virtual functions (rtnetlink)"))
    });
    let functions = (*functions).as_ref().map_err(Clone::clone)?;
    let own = functions
        .iter()
        .find(|function| Some(function.number) == number && index.trim().parse() == Ok(function.link));
    let Some(own) = own else {
        return Err(Unavailable::NotExposed(format!("{link} says nothing of its virtual function {device}")));
    };
    let (Some(spoof_check), Some(trusted)) = (own.spoof_check, own.trusted) else {
        let why = format!("the driver of {link} does not tell spoof checking and trust");
        return Err(Unavailable::NotExposed(why));
    };
    let mut open = Vec::new();
    if !spoof_check {
        open.push("spoof checking off");
    }
    if trusted {
        open.push("trusted");
    }
    if !own.mac_set {
        open.push("no MAC address set");
    }
    Ok(Some(if open.is_empty() { "guarded".to_owned() } else { open.join(", ") }))
}

#[cfg(test)]
#[path = "device_tests.rs"]
mod tests;
