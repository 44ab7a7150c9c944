//! A small recorded host and one VM on it, for tests of providers.

use crate::checks::fact::{Unavailable, Value};
use crate::checks::facts::{Facts, Gather};
use crate::checks::host::HostFiles;
use crate::checks::vm::{Vm, VmId};
use crate::config::Roots;
use crate::sampling::discovery::VmmKind;
use crate::sys::clock::Clock;
use std::path::Path;
use std::sync::Arc;

/// Writes a file of the host, and the folders above it.
pub(super) fn write(root: &Path, path: &str, text: &str) {
    let path = root.join(path);
    std::fs::create_dir_all(path.parent().expect("a folder")).expect("folders");
    std::fs::write(path, text).expect("a file");
}

/// A QEMU without anything, process 7.
pub(super) fn vm() -> Vm {
    Vm {
        id: VmId { pid: 7, start_ticks: 1 },
        name: "web".into(),
        uuid: String::new(),
        tenant: String::new(),
        vmm: VmmKind::Qemu,
        libvirt: false,
        cgroup: String::new(),
        vcpu_tids: Vec::new(),
        taps: Vec::new(),
    }
}

/// A fact of the host, on which there is one VM, or of that VM where it begins with `vm.`.
pub(super) fn fact(root: &Path, vm: &Arc<Vm>, key: &str) -> Result<Value, Unavailable> {
    let mut facts = Facts::of_host(Gather::new(HostFiles::new(Roots::below(root)), Clock::default()));
    facts.set_vms(vec![Arc::clone(vm)]);
    let place = facts.place(key.starts_with("vm.").then_some(vm.id), key);
    facts.get(place, Some(vm)).value.clone()
}
