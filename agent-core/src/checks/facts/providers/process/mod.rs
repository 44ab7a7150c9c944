//! A VM's process: who it runs as, what it may do, what it holds open.
//!
//! What several facts are made of is read once a round for each VM and shared: [`threads::all`],
//! [`descriptors::all`], [`limits::all`]. Every answer about threads is about all of them, since the kernel keeps
//! users, capabilities and filters for each thread apart. A VM that ends while it is looked at gives
//! [`Unavailable::Gone`], and a PID that was used again is never taken for it.

pub mod descriptors;
mod label;
mod limits;
mod namespaces;
pub mod threads;

use super::{Provider, Read, Refresh};
use crate::checks::fact::{Found, Unavailable};
use crate::checks::facts::Gather;
use crate::checks::vm::Vm;
use crate::sampling::discovery::process::Process;
use std::sync::Arc;

/// Facts of this module.
pub const PROVIDERS: &[Provider] = &[
    of_vm("vm.vmm", "what runs the VM: qemu, firecracker, cloud-hypervisor, crosvm, other", vmm),
    of_vm("vm.libvirt", "whether libvirt manages it: yes or no", libvirt),
    of_vm("vm.tenant", "its tenant, absent when no rule of the configuration names one", tenant),
    of_vm(
        "vm.uids",
        "users of all its threads: real, effective, saved and file system; `:vcpus` of those alone",
        threads::uids,
    ),
    of_vm("vm.gids", "groups of all its threads: real, effective, saved and file system", threads::gids),
    of_vm("vm.groups", "supplementary groups of all its threads, as numbers", threads::groups),
    of_vm(
        "vm.group-names",
        "all its groups by name, as /etc/group has them; a number where it has none",
        threads::group_names,
    ),
    of_vm("vm.caps-effective", "capabilities that some thread may use now", threads::caps_effective),
    of_vm("vm.caps-permitted", "capabilities that some thread may take", threads::caps_permitted),
    of_vm(
        "vm.caps-inheritable",
        "capabilities that some thread hands on to marked programs",
        threads::caps_inheritable,
    ),
    of_vm("vm.caps-ambient", "capabilities that some thread hands on to any program", threads::caps_ambient),
    of_vm(
        "vm.caps-bounding",
        "capabilities that a program run by some thread could still gain",
        threads::caps_bounding,
    ),
    of_vm(
        "vm.no-new-privs",
        "NoNewPrivs of all its threads: 1 where execve grants nothing, 0 elsewhere",
        threads::no_new_privs,
    ),
    of_vm(
        "vm.seccomp",
        "Seccomp of all its threads: 0 off, 1 strict, 2 filter; `:vcpus`, `:others` of those alone",
        threads::seccomp,
    ),
    of_vm("vm.seccomp-filters", "the fewest filters that a thread has", threads::seccomp_filters),
    of_vm("vm.tracer", "the program that traces a thread, or none", threads::tracer),
    of_vm(
        "vm.speculation",
        "what the kernel says of its threads: `:store-bypass` or `:indirect-branch`",
        threads::speculation,
    ),
    of_vm("vm.label", "the label that a security module put on it", label::label),
    of_vm("vm.label-module", "whose label it is: selinux, apparmor, smack, none", label::module),
    of_vm(
        "vm.ns",
        "whether a namespace (`:mnt`, `:pid`, `:net`, `:user`, `:ipc`, `:uts`, `:cgroup`) is the host's or its own",
        namespaces::namespace,
    ),
    of_vm("vm.root", "whether its root folder is the host's or its own", namespaces::root),
    of_vm(
        "vm.limits",
        "a limit that holds (`:core`, `:nofile`, `:fsize`, `:nproc`, `:memlock`), or unlimited; its ceiling with `.hard`",
        limits::limit,
    ),
    of_vm("vm.dumpable", "whether others of its user may read its memory: yes or no", limits::dumpable),
    of_vm(
        "vm.fds",
        "what its descriptors lead to, each once, without numbers that change",
        descriptors::names,
    ),
    of_vm(
        "vm.fds-writable",
        "files and devices that it can write through a descriptor",
        descriptors::writable,
    ),
];

const fn of_vm(
    name: &'static str,
    help: &'static str,
    read: fn(&Gather, &Arc<Vm>, &str) -> Found,
) -> Provider {
    Provider { name, help, read: Read::Vm(read), refresh: Refresh::Vm }
}

/// Whether the VM's process is still the one that was found.
#[must_use]
pub fn is_there(gather: &Gather, vm: &Vm) -> bool {
    let stat = Process::new(&gather.host().roots().proc, vm.id.pid).stat();
    stat.is_ok_and(|stat| stat.start_ticks == vm.id.start_ticks && !stat.exiting && stat.state != b'Z')
}

/// What was read from a VM's process. Asked for after reading, so that nothing of another process is taken for it:
/// when it is there still, it was there all the time.
///
/// # Errors
/// As it was, or [`Unavailable::Gone`].
pub fn of_process<T>(gather: &Gather, vm: &Vm, read: Result<T, Unavailable>) -> Result<T, Unavailable> {
    if is_there(gather, vm) { read } else { Err(Unavailable::Gone) }
}

fn vmm(_: &Gather, vm: &Arc<Vm>, _: &str) -> Found {
    Found::value(vm.vmm.name(), DISCOVERY)
}

fn libvirt(_: &Gather, vm: &Arc<Vm>, _: &str) -> Found {
    Found::value(vm.libvirt, DISCOVERY)
}

fn tenant(_: &Gather, vm: &Arc<Vm>, _: &str) -> Found {
    let known = Some(vm.tenant.as_str()).filter(|tenant| !tenant.is_empty());
    Found::either(known.ok_or(Unavailable::Absent), DISCOVERY)
}

const DISCOVERY: &str = "discovery of VMs";
