//! How VMs were asked for: command lines, configuration files, libvirt's definitions, and what their sockets are for.
//!
//! What was asked for is not what is: a monitor can add and remove most of it later. Where the kernel shows what is
//! (sockets that listen, threads, descriptors), rules look at that too.

mod asked;
mod disks;
mod display;
mod domain;
mod fields;
mod limits;
mod place;
mod roles;
mod shares;

pub(in crate::checks::facts::providers) use asked::asked_vfio;
pub(in crate::checks::facts::providers) use domain::running_definition;

use super::{Provider, Read, Refresh};
use crate::checks::fact::Found;
use crate::checks::facts::Gather;
use crate::checks::vm::Vm;
use std::sync::Arc;

/// Facts about how VMs were asked for.
pub const PROVIDERS: &[Provider] = &[
    Provider {
        name: "vm.asked",
        help: "something that the VMM's options ask for: vmm, vnc, spice, machine, devices, nested, sandbox, secrets, ...",
        read: Read::Vm(field),
        refresh: Refresh::Vm,
    },
    Provider {
        name: "vm.managed",
        help: "whether libvirt manages the VM",
        read: Read::Vm(|_, vm, _| Found::value(vm.libvirt, "discovery of VMs")),
        refresh: Refresh::Vms,
    },
    Provider {
        name: "vm.held",
        help: "whether the VMM holds `kvm`, a VM of KVM's; its nodes of `vfio` or `usb`",
        read: Read::Vm(held),
        refresh: Refresh::Vm,
    },
    Provider {
        name: "vm.endpoint",
        help: "where the VMM was asked to talk in a role (qmp, hmp, gdb, serial, incoming, chardev), as tcp:HOST:PORT, \
               tls:..., unix:PATH, ...",
        read: Read::Vm(roles::endpoints),
        refresh: Refresh::Vm,
    },
    Provider {
        name: "vm.listen.roles",
        help: "every TCP socket on which the VMM listens with what it is for, or `unexplained`",
        read: Read::Vm(roles::listeners),
        refresh: Refresh::Seconds(1),
    },
    Provider {
        name: "vm.reach",
        help: "unix sockets of a kind (control, console, backend, other) with who can connect besides owner and root",
        read: Read::Vm(roles::reach),
        refresh: Refresh::Seconds(1),
    },
    Provider {
        name: "vm.domain",
        help: "something of the definition with which libvirt runs the VM; absent when libvirt does not",
        read: Read::Vm(domain::running),
        refresh: Refresh::Paths,
    },
    Provider {
        name: "vm.definition",
        help: "something of the definition with which libvirt will start the VM next; absent when there is none",
        read: Read::Vm(domain::stored),
        refresh: Refresh::Paths,
    },
    Provider {
        name: "vm.throttle",
        help: "each disk or each tap (net), limited or unlimited",
        read: Read::Vm(limits::limits),
        refresh: Refresh::Vm,
    },
    Provider {
        name: "vm.shares",
        help: "folders of the host that the guest sees; with `how`, how it gets each",
        read: Read::Vm(shares::shares),
        refresh: Refresh::Vm,
    },
];

fn field(gather: &Gather, vm: &Arc<Vm>, name: &str) -> Found {
    let told = asked::asked(gather, vm).and_then(|asked| fields::field(&asked, name));
    match told {
        Ok(value) => Found::value(value, vm.proc("cmdline")),
        Err(why) => Found::unavailable(why, vm.proc("cmdline")),
    }
}

fn held(gather: &Gather, vm: &Arc<Vm>, what: &str) -> Found {
    let source = vm.proc("fd");
    let held = match super::sockets::held(gather, vm) {
        Ok(held) => held,
        Err(why) => return Found::unavailable(why, source),
    };
    let below = |folder: &str| -> Vec<String> {
        held.devices.iter().filter(|node| node.starts_with(folder)).cloned().collect()
    };
    match what {
        "kvm" => Found::value(held.kvm, source),
        "vfio" => Found::value(below("/dev/vfio/"), source),
        "usb" => Found::value(below("/dev/bus/usb/"), source),
        other => {
            let why = format!("there is no kind {other:?} of node");
            Found::unavailable(crate::checks::Unavailable::NotExposed(why), source)
        }
    }
}
