//! What the host itself does with a VM's images: mounts them, loops them, swaps to them, encrypts what they stand on.

use super::formats::told;
use super::{Image, all, chain, each, numbers};
use crate::checks::fact::{Found, Unavailable};
use crate::checks::facts::Gather;
use crate::checks::parse::etc::mountinfo::{self, Mount};
use crate::checks::parse::etc::swaps;
use crate::checks::parse::files::qcow2::Encryption;
use crate::checks::vm::Vm;
use std::collections::BTreeSet;
use std::sync::Arc;

/// Devices on top of each other that are followed.
const DEPTH_MAX: usize = 8;

/// The host's mounts. Read once a round.
pub(super) fn mounts(gather: &Gather) -> Arc<Result<Vec<Mount>, Unavailable>> {
    const PATH: &str = "/proc/1/mountinfo";
    gather.memo(PATH, |gather| {
        let text = gather.host().read(PATH, 4 << 20)?;
        Ok(mountinfo::parse(&String::from_utf8_lossy(&text.bytes)).0)
    })
}

/// What the host uses: `device` to how, and looped files.
#[derive(Default)]
struct Uses {
    /// `254:1` and how it is used.
    devices: Vec<(String, String)>,
    /// A file and the loop device on it.
    files: Vec<(String, String)>,
}

fn uses(gather: &Gather) -> Arc<Result<Uses, Unavailable>> {
    gather.memo("block devices that the host uses", |gather| {
        let mut uses = Uses::default();
        let mounts = mounts(gather);
        for mount in mounts.as_ref().as_ref().map_err(Clone::clone)? {
            let device = format!("{}:{}", mount.device.0, mount.device.1);
            if uses.devices.iter().all(|(known, _)| *known != device) {
                uses.devices.push((device, format!("mounted at {}", mount.target)));
            }
        }
        if let Ok(text) = gather.host().read("/proc/swaps", 65_536) {
            for swap in swaps::parse(&String::from_utf8_lossy(&text.bytes)).0 {
                if let Ok(meta) = gather.host().meta(&swap.path)
                    && meta.kind() == "block"
                {
                    uses.devices.push((numbers(meta.rdev), "swapped to".to_owned()));
                }
            }
        }
        let names = match gather.host().list("/sys/block") {
            Ok(names) => names,
            Err(Unavailable::Absent) => Vec::new(),
            Err(why) => return Err(why),
        };
        for name in names.iter().filter(|name| name.starts_with("loop")) {
            let file = gather.host().read(&format!("/sys/block/{name}/loop/backing_file"), 8_192);
            if let Ok(file) = file {
                let file = String::from_utf8_lossy(&file.bytes).trim_end().to_owned();
                let file = file.strip_suffix(" (deleted)").unwrap_or(&file).to_owned();
                uses.files.push((file, name.clone()));
            }
        }
        Ok(uses)
    })
}

/// Images that the host uses itself, each with how. A disk counts as used when one of its partitions is, or a device
/// that stands on it.
pub(super) fn in_use(gather: &Gather, vm: &Arc<Vm>, _: &str) -> Found {
    let uses = uses(gather);
    let uses = match &*uses {
        Ok(uses) => uses,
        Err(why) => return Found::unavailable(why.clone(), "/proc/1/mountinfo, /sys/block"),
    };
    let found = each(gather, vm, |image| Ok(how(gather, image, uses)));
    Found { source: "/proc/1/mountinfo, /proc/swaps, /sys/block".to_owned(), ..found }
}

fn how(gather: &Gather, image: &Image, uses: &Uses) -> Option<String> {
    if !image.is_block() {
        let meta = image.meta?;
        let looped = uses
            .files
            .iter()
            .find(|(file, _)| gather.host().meta(file).is_ok_and(|there| there.identity == meta.identity));
        return looped.map(|(_, device)| format!("looped by {device}"));
    }
    let mut devices = BTreeSet::new();
    above(gather, &numbers(image.meta?.rdev), &mut devices, 0);
    uses.devices
        .iter()
        .find(|(device, _)| devices.contains(device))
        .map(|(device, how)| format!("{how} ({device})"))
}

/// A device, its partitions, and what stands on any of them.
fn above(gather: &Gather, device: &str, found: &mut BTreeSet<String>, depth: usize) {
    if depth > DEPTH_MAX || !found.insert(device.to_owned()) {
        return;
    }
    let folder = format!("/sys/dev/block/{device}");
    let names = gather.host().list(&folder).unwrap_or_default();
    let parts = names.iter().map(|name| format!("{folder}/{name}"));
    let parts = parts.filter(|part| gather.host().meta(&format!("{part}/partition")).is_ok());
    let holders = gather.host().list(&format!("{folder}/holders")).unwrap_or_default();
    let holders = holders.iter().map(|name| format!("{folder}/holders/{name}"));
    for next in parts.chain(holders) {
        if let Ok(content) = gather.host().read(&format!("{next}/dev"), 64) {
            above(gather, String::from_utf8_lossy(&content.bytes).trim(), found, depth + 1);
        }
    }
}

/// `luks` (in the image), `dm-crypt` (below it), or `no`.
pub(super) fn encrypted(gather: &Gather, vm: &Arc<Vm>, _: &str) -> Found {
    let told = told(gather, vm);
    each(gather, vm, |image| {
        if told.opened_as_qcow2(&image.path) && image.on_host {
            match chain::encryption(gather, &image.path)? {
                Some(Encryption::Luks) => return Ok(Some("luks".to_owned())),
                // QEMU's first way, which it gave up itself.
                Some(Encryption::BrokenAes) => return Ok(Some("no".to_owned())),
                _ => {}
            }
        }
        let meta =
            image.meta.ok_or_else(|| Unavailable::NotExposed("the image is not recorded".to_owned()))?;
        let device = if image.is_block() { numbers(meta.rdev) } else { numbers(meta.identity.0) };
        Ok(Some(if is_encrypted(gather, &device, 0)? { "dm-crypt" } else { "no" }.to_owned()))
    })
}

/// Whether a device, or everything below it, is encrypted.
fn is_encrypted(gather: &Gather, device: &str, depth: usize) -> Result<bool, Unavailable> {
    let folder = format!("/sys/dev/block/{device}");
    if depth > DEPTH_MAX {
        return Err(Unavailable::TooMuch(format!("more than {DEPTH_MAX} devices on top of each other")));
    }
    if gather.host().meta(&folder).is_err() {
        // Those of network, layered and in-memory file systems, and of some that span several devices.
        let why =
            format!("{device} is no block device: a file system without one, such as btrfs, overlay or NFS");
        return Err(Unavailable::NotExposed(why));
    }
    if let Ok(uuid) = gather.host().read(&format!("{folder}/dm/uuid"), 4_096)
        && uuid.bytes.starts_with(b"CRYPT-")
    {
        return Ok(true);
    }
    let slaves = gather.host().list(&format!("{folder}/slaves")).unwrap_or_default();
    if slaves.is_empty() {
        return Ok(false);
    }
    for slave in slaves {
        let below = gather.host().read(&format!("{folder}/slaves/{slave}/dev"), 64)?;
        if !is_encrypted(gather, String::from_utf8_lossy(&below.bytes).trim(), depth + 1)? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Folders that hold the images of a VM, each once.
pub(super) fn folders(gather: &Gather, vm: &Arc<Vm>) -> Result<Vec<String>, Unavailable> {
    let images = all(gather, vm);
    let images = images.as_ref().as_ref().map_err(Clone::clone)?;
    let files = images.iter().filter(|image| image.on_host && !image.is_block());
    let folders: BTreeSet<String> =
        files.filter_map(|image| image.path.rsplit_once('/')).map(|(folder, _)| folder.to_owned()).collect();
    Ok(folders.into_iter().filter(|folder| !folder.is_empty()).collect())
}

#[cfg(test)]
mod tests {
    use super::super::tests::host;
    use super::*;
    use crate::checks::fact::Value;
    use crate::checks::facts::providers::process::tests::vm;

    #[test]
    fn a_looped_image_is_named_by_whatever_name_it_was_looped() {
        let host = host("var/vm/a.img", b"");
        host.file("proc/1/mountinfo", "1 0 8:1 / / rw - ext4 /dev/sda1 rw\n");
        host.file("sys/block/loop3/loop/backing_file", "/mnt/b.img\n").link("mnt/b.img", "/var/vm/a.img");
        let found = in_use(&host.gather(&[]), &vm(100), "").value;
        let said = vec![("/var/vm/a.img".to_owned(), "looped by loop3".to_owned())];
        assert_eq!(found, Ok(Value::Map(said)));
        host.file("sys/block/loop3/loop/backing_file", "/mnt/c.img\n");
        assert_eq!(in_use(&host.gather(&[]), &vm(100), "").value, Ok(Value::Map(Vec::new())));
    }

    #[test]
    fn a_disk_is_used_when_something_on_one_of_its_partitions_is() {
        let host = host("var/vm/a.img", b"");
        host.file("sys/dev/block/8:0/sda1/partition", "1\n").file("sys/dev/block/8:0/sda1/dev", "8:1\n");
        host.file("sys/dev/block/8:1/holders/dm-0/dev", "253:0\n");
        let mut found = BTreeSet::new();
        above(&host.gather(&[]), "8:0", &mut found, 0);
        assert_eq!(found.into_iter().collect::<Vec<_>>(), ["253:0", "8:0", "8:1"]);
    }

    #[test]
    fn encryption_is_looked_for_all_the_way_down() {
        let host = host("var/vm/a.img", b"");
        host.file("sys/dev/block/253:1/dm/uuid", "LVM-x\n")
            .file("sys/dev/block/253:1/slaves/dm-0/dev", "253:0\n");
        host.file("sys/dev/block/253:0/dm/uuid", "CRYPT-LUKS2-x\n");
        let gather = host.gather(&[]);
        assert_eq!(is_encrypted(&gather, "253:1", 0), Ok(true));
        host.file("sys/dev/block/253:1/slaves/sdb/dev", "8:16\n").file("sys/dev/block/8:16/size", "1\n");
        assert_eq!(is_encrypted(&gather, "253:1", 0), Ok(false), "half of it is not");
        assert!(is_encrypted(&gather, "0:50", 0).is_err());
    }
}
