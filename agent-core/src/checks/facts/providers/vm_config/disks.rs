//! Disks and firmware as they were asked for.

use super::asked::{Asked, Options};
use super::fields::{Told, map};
use crate::checks::fact::Unavailable;
use crate::checks::parse::vmm::domain_xml;
use crate::checks::parse::vmm::qemu::Qemu;
use crate::checks::parse::vmm::storage::{Drive, Protocol};

/// Each image with its format, or `guessed`.
pub(super) fn formats(asked: &Asked) -> Told {
    const GUESSED: &str = "guessed";
    map(match &asked.options {
        Options::Qemu(qemu) => {
            let images = qemu.drives.iter().filter(|drive| drive.path.is_some());
            let format = |drive: &Drive| drive.format.clone().unwrap_or_else(|| GUESSED.to_owned());
            images.map(|drive| (name(drive), format(drive))).collect()
        }
        // It takes an image as it is, and never looks inside.
        Options::Firecracker(_, config) => {
            let config = config.as_ref().as_ref().map_err(Clone::clone)?;
            config.drives.iter().map(|drive| (drive.drive_id.clone(), "raw".to_owned())).collect()
        }
        Options::CloudHypervisor(ch) => {
            let format = |format: &Option<String>| format.clone().unwrap_or_else(|| GUESSED.to_owned());
            ch.disks.iter().filter_map(|disk| Some((disk.path.clone()?, format(&disk.format)))).collect()
        }
    })
}

/// Each image that comes over a network, with what protects it: `nbd tls`, `nbd clear`, `iscsi login`, `iscsi open`, ...
pub(super) fn remote(asked: &Asked) -> Told {
    let Some(qemu) = asked.qemu() else { return map(Vec::new()) };
    let far = qemu.drives.iter().filter(|drive| drive.protocol.is_remote());
    let shown = far.filter_map(|drive| {
        let path = drive.path.as_deref().unwrap_or_default();
        // The server is on this host, behind a file.
        let near = path.starts_with("nbd+unix:") || path.starts_with("nbd:unix:");
        (!near).then(|| (name(drive), protection(drive).to_owned()))
    });
    map(shown.collect())
}

fn protection(drive: &Drive) -> &'static str {
    let tls = drive.tls_creds.is_some() || drive.path.as_deref().is_some_and(|p| p.starts_with("nbds"));
    match (drive.protocol, tls, drive.authenticates) {
        (Protocol::Nbd, true, _) => "nbd tls",
        (Protocol::Nbd, ..) => "nbd clear",
        (Protocol::Iscsi, _, true) => "iscsi login",
        (Protocol::Iscsi, ..) => "iscsi open",
        (Protocol::Rbd, ..) => "rbd",
        (Protocol::Https, ..) => "https tls",
        (Protocol::Http, ..) => "http clear",
        (Protocol::Ssh, ..) => "ssh tls",
        (Protocol::Gluster, true, _) => "gluster tls",
        (Protocol::Gluster, ..) => "gluster clear",
        (Protocol::Nfs, ..) => "nfs clear",
        _ => "other clear",
    }
}

/// The same for the network disks of a definition.
pub(super) fn defined_remote(disks: &[domain_xml::Disk], nbd_tls: bool) -> Vec<(String, String)> {
    let far = disks.iter().filter(|disk| disk.kind == "network");
    far.map(|disk| {
        let protocol = disk.protocol.as_deref().unwrap_or("other");
        let tls = disk.tls.unwrap_or(protocol == "nbd" && nbd_tls);
        let protection = match protocol {
            "iscsi" if disk.authenticates => "login",
            "iscsi" => "open",
            "rbd" => return (defined_name(disk), "rbd".to_owned()),
            "https" | "ftps" | "ssh" => "tls",
            _ if tls => "tls",
            _ => "clear",
        };
        (defined_name(disk), format!("{protocol} {protection}"))
    })
    .collect()
}

/// The formats of a definition's disks. What libvirt is not told it takes for raw, unless `qemu.conf` has it look.
pub(super) fn defined_formats(disks: &[domain_xml::Disk], probing: bool) -> Vec<(String, String)> {
    let missing = if probing { "guessed" } else { "raw" };
    let images = disks.iter().filter(|disk| disk.source.is_some());
    images
        .map(|disk| (defined_name(disk), disk.format.clone().unwrap_or_else(|| missing.to_owned())))
        .collect()
}

fn defined_name(disk: &domain_xml::Disk) -> String {
    disk.target.clone().or_else(|| disk.source.clone()).unwrap_or_default()
}

/// Each image of firmware, and whether the guest may write to it: its code must not be, its variables are.
pub(super) fn firmware(asked: &Asked) -> Told {
    let Some(qemu) = asked.qemu() else { return map(Vec::new()) };
    let word = |read_only: bool| if read_only { "read-only" } else { "writable" }.to_owned();
    let mut found: Vec<(String, String)> =
        qemu.firmware.iter().map(|image| (image.path.clone(), word(image.read_only))).collect();
    for node in &qemu.machine.pflash_nodes {
        let (path, read_only) = image_of(qemu, node)?;
        found.push((path, word(read_only)));
    }
    map(found)
}

/// The image below a node, and whether one of the nodes on the way keeps it from being written.
fn image_of(qemu: &Qemu, node: &str) -> Result<(String, bool), Unavailable> {
    /// Nodes that stand on each other.
    const DEPTH_MAX: usize = 8;
    let (mut next, mut read_only) = (node.to_owned(), false);
    for _ in 0..DEPTH_MAX {
        let Some(drive) = qemu.drives.iter().find(|drive| drive.id.as_deref() == Some(&next)) else { break };
        read_only |= drive.read_only == Some(true);
        match (&drive.path, &drive.below) {
            (Some(path), _) => return Ok((path.clone(), read_only)),
            (None, Some(below)) => next.clone_from(below),
            (None, None) => break,
        }
    }
    Err(Unavailable::NotExposed(format!("the command line does not say which image {node} is")))
}

fn name(drive: &Drive) -> String {
    let known = drive.id.clone().or_else(|| drive.path.clone());
    known.unwrap_or_else(|| drive.option.clone())
}
