//! A VM's disks: who else can write to them, what they are made of.
//!
//! What a VM has open is what counts, whatever its command line says: images are found among its descriptors, and known
//! by device and inode, so that links, bind mounts and chroots make no difference. Their paths are noted, so that a
//! change of owner or mode is seen at once.

mod chain;
mod formats;
mod host_use;
mod pools;
mod rights;

use super::process::{descriptors, memory, of_process, threads};
use super::{Provider, Read, Refresh};
use crate::checks::fact::{Found, Unavailable};
use crate::checks::facts::Gather;
use crate::checks::host::Meta;
use crate::checks::parse::proc::fdinfo::Access;
use crate::checks::vm::Vm;
use std::sync::Arc;

/// Facts of this module.
pub const PROVIDERS: &[Provider] = &[
    of_vm(
        "vm.images",
        "its disk images by path: `rw` or `ro`, kind, what identifies it, permissions, owner:group, `shareable`",
        images,
    ),
    of_vm(
        "vm.images-others",
        "what others may do with each image: a sum of 4 (read), 2 (write), 1",
        rights::others,
    ),
    of_vm(
        "vm.images-owner",
        "whose each image is: root, vm (a user of its own process) or other:UID",
        rights::owner,
    ),
    of_vm(
        "vm.images-acl",
        "users and groups that an access list lets into its images besides its own",
        rights::acl,
    ),
    of_vm("vm.images-labels", "SELinux's label of each image; absent where images have none", rights::labels),
    of_vm(
        "vm.images-in-use",
        "images that the host uses itself: mounted, looped, swapped to",
        host_use::in_use,
    ),
    of_vm("vm.images-encrypted", "what encrypts each image: luks, dm-crypt, no", host_use::encrypted),
    of_vm(
        "vm.backing-places",
        "where each backing or data file of its images is: pool, outside, remote",
        chain::places,
    ),
    of_vm(
        "vm.backing-formats",
        "the format of each backing file as its image says it, or guessed",
        chain::formats,
    ),
    of_vm("vm.backing-access", "how each backing file is open: ro, rw, closed", chain::access),
    of_vm(
        "vm.backing-writable",
        "whether the VM's user may write each backing file: yes or no",
        chain::writable,
    ),
    of_vm("vm.pools", "what others may do with each folder that holds its images", pools::others),
    of_vm(
        "vm.pools-mount",
        "which of nosuid, nodev hold for the mount of each of these folders",
        pools::mounted,
    ),
    of_vm("vm.pools-fstab", "which of nosuid, nodev /etc/fstab gives that mount", pools::declared),
    Provider {
        name: "storage.state-folders",
        help: "libvirt's folders of saved guests and their secrets: open when others can read or write there, or closed",
        read: Read::Host(pools::state_folders),
        refresh: Refresh::Paths,
    },
    Provider {
        name: "storage.exports",
        help: "pools that NFS or SMB hand out, by `path to client`: squashed, root, everybody",
        read: Read::Host(pools::exports),
        refresh: Refresh::Paths,
    },
];

const fn of_vm(
    name: &'static str,
    help: &'static str,
    read: fn(&Gather, &Arc<Vm>, &str) -> Found,
) -> Provider {
    Provider { name, help, read: Read::Vm(read), refresh: Refresh::Vm }
}

/// Less is a file with a PID or a lock, and no disk.
const IMAGE_BYTES_MIN: u64 = 4_096;
const O_APPEND: u32 = 0o2000;

/// One image, or block device, that a VM has open.
#[derive(Clone, Debug)]
pub(super) struct Image {
    /// Its path, as the VM's own mounts have it.
    path: String,
    /// What is said of it; `None` on a recorded host that does not have it.
    meta: Option<Meta>,
    /// Whether the VM may write it.
    writable: bool,
    /// Whether the path leads to this very file on the host.
    on_host: bool,
    /// One of the descriptors it is open by.
    descriptor: i32,
}

impl Image {
    fn is_block(&self) -> bool {
        self.meta.is_some_and(|meta| meta.kind() == "block")
    }

    /// The same for everybody who has it open, by whatever name.
    fn identity(&self) -> String {
        match self.meta {
            Some(meta) if meta.kind() == "block" => numbers(meta.rdev),
            Some(meta) => format!("{}/{}", numbers(meta.identity.0), meta.identity.1),
            None => self.path.clone(),
        }
    }
}

/// One image as two VMs could share it.
pub(super) struct Identity {
    /// The same for everybody who has it open, by whatever name.
    pub(super) file: String,
    /// Whether the VM may write it.
    pub(super) writable: bool,
    /// Whether the VMM was told that others write it too.
    pub(super) shareable: bool,
}

/// What a VM's images are, whatever their names.
pub(super) fn identities(gather: &Gather, vm: &Arc<Vm>) -> Result<Vec<Identity>, Unavailable> {
    let (images, told) = (all(gather, vm), formats::told(gather, vm));
    let images = images.as_ref().as_ref().map_err(Clone::clone)?;
    let identity = |image: &Image| Identity {
        file: image.identity(),
        writable: image.writable,
        shareable: told.is_shareable(&image.path),
    };
    Ok(images.iter().map(identity).collect())
}

/// `8:2` of a device's number.
fn numbers(device: u64) -> String {
    format!("{}:{}", nix::sys::stat::major(device), nix::sys::stat::minor(device))
}

type Images = Result<Vec<Image>, Unavailable>;

/// The images that a VM has open. Found once a round.
fn all(gather: &Gather, vm: &Arc<Vm>) -> Arc<Images> {
    gather.memo(&vm.proc("images"), |gather| {
        let descriptors = descriptors::all(gather, vm);
        let descriptors = descriptors.as_ref().as_ref().map_err(Clone::clone)?;
        let mut images: Vec<Image> = Vec::new();
        for descriptor in descriptors.iter().filter(|descriptor| may_be_image(gather, descriptor)) {
            let path = descriptor.path();
            let Some(writable) = descriptor.is_writable() else {
                let why = format!("/proc/{}/fdinfo/{} could not be read", vm.id.pid, descriptor.number);
                return Err(Unavailable::Failed(why));
            };
            if let Some(known) = images.iter_mut().find(|known| same(known, descriptor)) {
                known.writable |= writable;
                continue;
            }
            gather.note(path);
            let there = gather.host().meta(path).ok();
            let on_host = descriptor.meta.zip(there).is_some_and(|(a, b)| a.identity == b.identity);
            images.push(Image {
                path: path.to_owned(),
                meta: descriptor.meta,
                writable,
                on_host,
                descriptor: descriptor.number,
            });
        }
        images.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(images)
    })
}

fn same(known: &Image, descriptor: &descriptors::Descriptor) -> bool {
    match (known.meta, descriptor.meta) {
        (Some(known), Some(meta)) if meta.kind() == "block" => {
            known.rdev == meta.rdev && known.kind() == "block"
        }
        (Some(known), Some(meta)) => known.identity == meta.identity,
        _ => known.path == descriptor.path(),
    }
}

/// A device, or a file that is neither a log, nor memory, nor so small that it can only hold a PID.
fn may_be_image(gather: &Gather, descriptor: &descriptors::Descriptor) -> bool {
    let path = descriptor.path();
    let Some(info) = &descriptor.info else {
        return descriptor.kind() == "block" || (descriptor.kind() == "file" && !path.starts_with("/proc/"));
    };
    // One that does not tell how it was opened is taken for an image, and makes the answer unknown.
    let read = info.access().is_none_or(|access| matches!(access, Access::Read | Access::ReadWrite));
    let appended = info.flags.is_some_and(|flags| flags & O_APPEND != 0);
    let elsewhere = ["/proc/", "/sys/", "/memfd:"].iter().any(|place| path.starts_with(place));
    if !read || appended || elsewhere || memory::is_memory(path) {
        return false;
    }
    match descriptor.kind() {
        "block" => true,
        "file" => descriptor.meta.is_some_and(|meta| meta.size >= IMAGE_BYTES_MIN),
        // A recorded host does not have its guests' disks.
        "" => !gather.host().is_live() && !path.starts_with("/dev/"),
        _ => false,
    }
}

fn images(gather: &Gather, vm: &Arc<Vm>, _: &str) -> Found {
    let told = formats::told(gather, vm);
    each(gather, vm, |image| {
        let access = if image.writable { "rw" } else { "ro" };
        let shareable = if told.is_shareable(&image.path) { " shareable" } else { "" };
        Ok(Some(match image.meta {
            Some(meta) => format!(
                "{access} {} {} {:04o} {}:{}{shareable}",
                if image.is_block() { "block" } else { "file" },
                image.identity(),
                meta.permissions(),
                meta.uid,
                meta.gid
            ),
            None => format!("{access} file {}", image.identity()),
        }))
    })
}

/// What is told of each image, by path; an image that nothing is to be told of is left out.
fn each(
    gather: &Gather,
    vm: &Arc<Vm>,
    tell: impl Fn(&Image) -> Result<Option<String>, Unavailable>,
) -> Found {
    let source = vm.proc("fd");
    let images = all(gather, vm);
    let images = match &*images {
        Ok(images) => images,
        Err(why) => return Found::unavailable(why.clone(), source),
    };
    let mut map = Vec::new();
    for image in images {
        match tell(image) {
            Ok(Some(said)) => map.push((image.path.clone(), said)),
            Ok(None) => {}
            Err(why) => return Found::unavailable(why, &image.path),
        }
    }
    Found::either(of_process(gather, vm, Ok(map)), source)
}

/// The users and groups of a VM's process.
fn users(gather: &Gather, vm: &Arc<Vm>) -> Result<(Vec<u32>, Vec<u32>), Unavailable> {
    let threads = threads::all(gather, vm);
    let threads = threads.as_ref().as_ref().map_err(Clone::clone)?;
    let untold = || Unavailable::NotExposed("the kernel tells no users".to_owned());
    let (mut users, mut groups) = (Vec::new(), Vec::new());
    for thread in threads {
        users.extend(thread.status.uids.ok_or_else(untold)?);
        groups.extend(thread.status.gids.ok_or_else(untold)?);
        groups.extend(thread.status.groups.clone().ok_or_else(untold)?);
    }
    Ok((users, groups))
}

/// Text that a guest or a user may have chosen, fit to be shown: control characters taken out, and cut.
fn shown(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '?' } else { c }).take(256).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::fact::Value;
    use crate::checks::facts::providers::process::tests::{Recorded, vm};

    /// A VM with one image of this content, open for reading and writing.
    pub(super) fn host(path: &str, content: &[u8]) -> Recorded {
        let host = Recorded::new();
        let mut content = content.to_vec();
        content.resize(8_192, 0);
        host.process(100).file(path, content).link("proc/100/fd/5", &format!("/{path}"));
        host.file("proc/100/fdinfo/5", "flags:\t0100002\n");
        host.file("proc/100/task/100/status", "Uid:\t7\t7\t7\t7\nGid:\t8\t8\t8\t8\nGroups:\t9\n");
        host
    }

    #[test]
    fn logs_pid_files_and_memory_are_no_images() {
        let host = host("var/vm/a.img", b"");
        for (number, path, flags, bytes) in [
            (6, "var/log/vm.log", "0102002", 8_192),
            (7, "var/vm/vm.pid", "0100002", 6),
            (8, "dev/shm/ram", "0100002", 8_192),
            (9, "var/vm/base.img", "0100000", 8_192),
        ] {
            host.file(path, vec![0; bytes]).link(&format!("proc/100/fd/{number}"), &format!("/{path}"));
            host.file(&format!("proc/100/fdinfo/{number}"), format!("flags:\t{flags}\n"));
        }
        host.mode("var/vm/a.img", 0o640);
        let found = images(&host.gather(&[]), &vm(100), "").value.expect("images");
        let map = found.map().expect("a map");
        let [(path, own), (base, read)] = map else { panic!("{map:?}") };
        assert_eq!((path.as_str(), base.as_str()), ("/var/vm/a.img", "/var/vm/base.img"));
        assert!(own.starts_with("rw file ") && own.contains(" 0640 "), "{own}");
        assert!(read.starts_with("ro file "), "{read}");
    }

    #[test]
    fn two_names_of_one_file_are_one_image() {
        let host = host("var/vm/a.img", b"");
        host.link("proc/100/fd/6", "/var/vm/a.img").file("proc/100/fdinfo/6", "flags:\t0100000\n");
        host.process(101).link("var/other", "/var/vm").link("proc/101/fd/3", "/var/other/a.img");
        host.file("proc/101/fdinfo/3", "flags:\t0100002\n");
        let gather = host.gather(&[]);
        let first = images(&gather, &vm(100), "").value.expect("images");
        let second = images(&gather, &vm(101), "").value.expect("images");
        let only = |value: &Value| match value.map().expect("a map") {
            [(_, said)] => said.clone(),
            more => panic!("{more:?}"),
        };
        assert_eq!(only(&first), only(&second));
    }

    #[test]
    fn what_a_descriptor_may_do_is_not_guessed() {
        let host = host("var/vm/a.img", b"");
        host.file("proc/100/fdinfo/5", "pos:\t0\n");
        let found = images(&host.gather(&[]), &vm(100), "").value;
        assert!(matches!(found, Err(Unavailable::Failed(_))), "{found:?}");
    }
}
