//! What a VMM was told of its images: in which format it opened each. Told, because a guest writes the first bytes of a
//! raw image and could make them look like anything.

use crate::checks::facts::Gather;
use crate::checks::parse::vmm::{cloud_hypervisor, qemu};
use crate::checks::vm::Vm;
use crate::sampling::discovery::VmmKind;
use crate::sampling::discovery::process::Process;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// How the VMM came to know an image's format.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// It was told.
    Told(String),
    /// It looks at the image.
    Probed,
}

/// What was told of each image.
#[derive(Default)]
pub(super) struct Told {
    formats: HashMap<String, Format>,
    /// Images that others may write at the same time, as the VMM was told.
    shareable: HashSet<String>,
}

impl Told {
    /// Whether the VMM was told that others may write the image too.
    pub(super) fn is_shareable(&self, path: &str) -> bool {
        self.shareable.contains(path)
    }

    /// Whether the VMM took an image for qcow2, which its first bytes then describe. One that it was told nothing of
    /// is not looked into.
    pub(super) fn opened_as_qcow2(&self, path: &str) -> bool {
        match self.formats.get(path) {
            Some(Format::Told(format)) => format == "qcow2",
            Some(Format::Probed) => true,
            None => false,
        }
    }
}

/// What a VM's command line says of its images. Read once a round.
pub(super) fn told(gather: &Gather, vm: &Arc<Vm>) -> Arc<Told> {
    gather.memo(&vm.proc("cmdline"), |gather| {
        let process = Process::new(&gather.host().roots().proc, vm.id.pid);
        let arguments = process.arguments().unwrap_or_default();
        let arguments = arguments.get(1..).unwrap_or_default();
        match vm.vmm {
            VmmKind::Qemu => of_qemu(arguments),
            VmmKind::CloudHypervisor => of_cloud_hypervisor(arguments),
            // Firecracker and crosvm take raw images for what they are; of others nothing is known.
            VmmKind::Firecracker | VmmKind::Crosvm | VmmKind::Other => Told::default(),
        }
    })
}

fn of_qemu(arguments: &[String]) -> Told {
    let mut told = Told::default();
    let qemu = qemu::parse(arguments);
    let (drives, devices) = (qemu.drives, qemu.devices);
    let share_rw = |id: &Option<String>| {
        let mut devices = devices.iter().filter(|device| device.property("share-rw") == Some("on"));
        id.is_some() && devices.any(|device| device.property("drive") == id.as_deref())
    };
    for drive in &drives {
        if let Some(path) = &drive.path {
            // A node of its own for the file says nothing of the format; the node on top of it does.
            let above = drives.iter().find(|above| above.below.is_some() && above.below == drive.id);
            let format = above.map_or(&drive.format, |above| &above.format);
            let format = format.clone().map_or(Format::Probed, Format::Told);
            told.formats.insert(path.clone(), format);
            let above_shared = above.is_some_and(|above| above.shared || share_rw(&above.id));
            if drive.shared || share_rw(&drive.id) || above_shared {
                told.shareable.insert(path.clone());
            }
        }
    }
    told
}

fn of_cloud_hypervisor(arguments: &[String]) -> Told {
    let mut told = Told::default();
    for disk in cloud_hypervisor::parse(arguments).disks {
        let Some(path) = disk.path else { continue };
        told.formats.insert(path, disk.format.map_or(Format::Probed, Format::Told));
    }
    told
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arguments(text: &[&str]) -> Vec<String> {
        text.iter().map(|&word| word.to_owned()).collect()
    }

    #[test]
    fn a_raw_image_is_never_taken_for_qcow2() {
        let told = of_qemu(&arguments(&[
            "-drive",
            "file=/a.img,format=raw,id=a",
            "-device",
            "virtio-blk-pci,drive=a,share-rw=on",
            "-drive",
            "file=/b.img,format=qcow2",
            "-drive",
            "file=/c.img",
            "-blockdev",
            r#"{"driver":"file","filename":"/d.img","node-name":"s0"}"#,
            "-blockdev",
            r#"{"driver":"qcow2","file":"s0","node-name":"f0"}"#,
            "-blockdev",
            r#"{"driver":"file","filename":"/e.img","node-name":"s1"}"#,
            "-blockdev",
            r#"{"driver":"raw","file":"s1","node-name":"f1"}"#,
        ]));
        let qcow2 = |path: &str| told.opened_as_qcow2(path);
        assert!(
            !qcow2("/a.img") && qcow2("/b.img") && qcow2("/c.img") && qcow2("/d.img") && !qcow2("/e.img")
        );
        assert!(!qcow2("/nowhere"), "an image that was added later is not looked into");
        assert!(told.is_shareable("/a.img") && !told.is_shareable("/b.img"));
    }
}
