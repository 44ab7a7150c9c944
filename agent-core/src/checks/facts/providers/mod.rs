//! Providers: what each kind of fact is made of. A table of each module's, joined here.

pub mod access;
pub mod audit;
pub mod boot;
pub mod cpu;
pub mod device;
pub mod host;
pub mod image;
pub mod kernel;
pub mod libvirt;
pub mod memory;
pub mod network;
pub mod packages;
pub mod path;
pub mod process;
pub mod sockets;
#[cfg(test)]
mod testing;
pub mod vm_config;

use super::Gather;
use crate::checks::fact::Found;
use crate::checks::vm::Vm;
use std::sync::Arc;

/// One provider.
pub struct Provider {
    /// The part of a fact's key before the colon, or all of it.
    pub name: &'static str,
    /// What it tells, and what its argument is.
    pub help: &'static str,
    /// How it reads.
    pub read: Read,
    /// What makes it read again.
    pub refresh: Refresh,
}

/// How a provider reads.
#[derive(Clone, Copy)]
pub enum Read {
    /// About the host; the argument is what follows the colon.
    Host(fn(&Gather, &str) -> Found),
    /// About one VM.
    Vm(fn(&Gather, &Arc<Vm>, &str) -> Found),
}

/// What makes a provider read again, besides the full sweep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refresh {
    /// A change of a path it read, as inotify tells.
    Paths,
    /// The list of VMs changed.
    Vms,
    /// Time: nothing announces a change, so it is read again every so many seconds.
    Seconds(u32),
    /// What is made of all VMs: their list changed, a VM was found 1 s or 10 s ago, or so many seconds went by.
    Joined(u32),
    /// The VM's schedule: 1 s and 10 s after it was found, since VMMs drop their privileges late, then every minute.
    Vm,
    /// The same, and whenever this fact of the host changes: one look a second at the host stands for a look at each VM.
    VmAfter(&'static str),
}

/// Every provider.
pub const PROVIDERS: &[&[Provider]] = &[
    access::PROVIDERS,
    audit::PROVIDERS,
    boot::PROVIDERS,
    cpu::PROVIDERS,
    device::PROVIDERS,
    host::PROVIDERS,
    image::PROVIDERS,
    kernel::PROVIDERS,
    libvirt::PROVIDERS,
    memory::PROVIDERS,
    network::PROVIDERS,
    packages::PROVIDERS,
    path::PROVIDERS,
    process::PROVIDERS,
    sockets::PROVIDERS,
    vm_config::PROVIDERS,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_say_whose_they_are() {
        let all: Vec<&Provider> = PROVIDERS.iter().flat_map(|table| table.iter()).collect();
        for (index, provider) in all.iter().enumerate() {
            assert!(all[..index].iter().all(|other| other.name != provider.name), "{} twice", provider.name);
            let of_vm = matches!(provider.read, Read::Vm(_));
            assert_eq!(of_vm, provider.name.starts_with("vm."), "{}", provider.name);
            assert!(!provider.help.is_empty() && !provider.name.contains(':'), "{}", provider.name);
        }
    }
}
