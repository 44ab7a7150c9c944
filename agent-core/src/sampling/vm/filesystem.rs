//! How much room is left in the file systems that hold a VM's disk images: a thin image that cannot grow stops its VM.
//!
//! `statvfs(3)` of a file system on this host's disks or in its memory answers at once; one that is elsewhere (NFS,
//! CIFS, FUSE, ...) may never answer. So the VMM's `mountinfo`, `proc_pid_mountinfo(5)`, is looked at first, and what is
//! not local is not asked.

use super::slot::read_whole;
use super::text;
use crate::sampling::availability::Availability;
use crate::sampling::discovery::VmInfo;
use crate::sampling::metrics::{MetricId, vmdisk};
use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::sys::stat::{Mode, SFlag, fstat};
use nix::sys::statvfs::fstatvfs;
use std::os::fd::OwnedFd;
use std::path::Path;

const MOUNTINFO_BYTES_MAX: usize = 1 << 20;
/// File systems that answer without asking anybody else.
const LOCAL: [&[u8]; 9] =
    [b"ext2", b"ext3", b"ext4", b"xfs", b"btrfs", b"f2fs", b"tmpfs", b"zfs", b"overlay"];

/// A metric of a disk's row, and what was read or why not.
type Value = (u32, MetricId, Result<i64, Availability>);

/// Reads the room of each disk of a VM. `process` is the VMM's directory in `/proc`, at `path`.
pub(super) fn put(process: &OwnedFd, path: &Path, info: &VmInfo, values: &mut Vec<Value>) {
    if info.disks.is_empty() {
        return;
    }
    let mounts = read_whole(process, "mountinfo", MOUNTINFO_BYTES_MAX);
    for disk in &info.disks {
        let room = match (&disk.path, &mounts) {
            (None, _) => Err(Availability::Unsupported),
            (_, Err(errno)) => Err(Availability::from_errno(*errno)),
            (Some(image), Ok(mounts)) => room(path, image, mounts),
        };
        let row = disk.entity.row;
        values.push((row, vmdisk::FILESYSTEM, room.map(|(size, _)| size)));
        values.push((row, vmdisk::FILESYSTEM_AVAILABLE, room.map(|(_, available)| available)));
    }
}

/// Nothing can be read of the VM.
pub(super) fn fail(availability: Availability, info: &VmInfo, values: &mut Vec<Value>) {
    for disk in &info.disks {
        values.push((disk.entity.row, vmdisk::FILESYSTEM, Err(availability)));
        values.push((disk.entity.row, vmdisk::FILESYSTEM_AVAILABLE, Err(availability)));
    }
}

/// Size and room, in bytes, of the file system that holds an image; `Unsupported` for one that is a device itself, or
/// whose file system is not local.
fn room(process: &Path, image: &Path, mounts: &[u8]) -> Result<(i64, i64), Availability> {
    let kind =
        filesystem_of(mounts, image.as_os_str().as_encoded_bytes()).ok_or(Availability::Unsupported)?;
    if !LOCAL.contains(&kind) {
        return Err(Availability::Unsupported);
    }
    let below = image.strip_prefix("/").map_err(|_| Availability::Unsupported)?;
    let read = || {
        let flags = OFlag::O_PATH | OFlag::O_CLOEXEC;
        let file = open(&process.join("root").join(below), flags, Mode::empty())?;
        let is_image =
            SFlag::from_bits_truncate(fstat(&file)?.st_mode & SFlag::S_IFMT.bits()) == SFlag::S_IFREG;
        is_image.then(|| fstatvfs(&file)).transpose()
    };
    let room = read().map_err(|errno: Errno| Availability::from_errno(errno))?;
    let room = room.ok_or(Availability::Unsupported)?;
    let bytes = |blocks: u64| {
        let bytes = blocks.checked_mul(room.fragment_size()).and_then(|bytes| i64::try_from(bytes).ok());
        bytes.ok_or(Availability::Error)
    };
    Ok((bytes(room.blocks())?, bytes(room.blocks_available())?))
}

/// The type of the file system that a path is on: that of the mount point that is its longest beginning, the last one
/// mounted there. Mount points with escaped characters are passed over, so that a path below them counts as not local.
fn filesystem_of<'m>(mounts: &'m [u8], path: &[u8]) -> Option<&'m [u8]> {
    let mut best: Option<(usize, &[u8])> = None;
    for line in text::lines(mounts) {
        // 36 35 98:0 /root /mount/point rw,noatime shared:1 - ext4 /dev/vda rw
        let mut words = text::words(line);
        let Some(point) = words.nth(4) else { continue };
        let Some(kind) = words.skip_while(|word| *word != b"-").nth(1) else { continue };
        let holds = path.starts_with(point)
            && (point == b"/" || path.len() == point.len() || path.get(point.len()) == Some(&b'/'));
        if holds && best.is_none_or(|(length, _)| point.len() >= length) {
            best = Some((point.len(), kind));
        } else if point.contains(&b'\\')
            && path.starts_with(&point[..point.iter().position(|b| *b == b'\\')?])
        {
            return None;
        }
    }
    best.map(|(_, kind)| kind)
}

/// The parser, for the fuzzer.
pub(super) fn fuzz(bytes: &[u8]) {
    let _ = filesystem_of(bytes, b"/var/lib/libvirt/images/web.raw");
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOUNTS: &[u8] = b"\
22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw\n\
30 22 0:25 / /var/lib rw - xfs /dev/vdb rw\n\
31 30 0:26 / /var/lib/images rw,noatime master:3 shared:4 - nfs4 server:/images rw\n\
32 30 0:27 / /var/lib/images/fast rw - tmpfs none rw\n";

    #[test]
    fn the_longest_mount_point_says_which_file_system() {
        let kind = |path: &str| filesystem_of(MOUNTS, path.as_bytes()).map(String::from_utf8_lossy);
        assert_eq!(kind("/srv/a.raw").as_deref(), Some("ext4"));
        assert_eq!(kind("/var/lib/a.raw").as_deref(), Some("xfs"));
        assert_eq!(kind("/var/library/a.raw").as_deref(), Some("ext4"));
        assert_eq!(kind("/var/lib/images/a.raw").as_deref(), Some("nfs4"));
        assert_eq!(kind("/var/lib/images/fast/a.raw").as_deref(), Some("tmpfs"));
        assert_eq!(filesystem_of(b"", b"/a"), None);
    }

    #[test]
    fn the_last_mount_at_a_point_counts_and_an_escaped_one_is_not_guessed_at() {
        let over = [MOUNTS, b"40 22 0:30 / / rw - overlay none rw\n"].concat();
        assert_eq!(filesystem_of(&over, b"/srv/a"), Some(b"overlay".as_slice()));
        let escaped = [MOUNTS, b"41 22 0:31 / /srv\\040old rw - nfs a:/b rw\n"].concat();
        assert_eq!(filesystem_of(&escaped, b"/srv old/a"), None);
        assert_eq!(filesystem_of(&escaped, b"/var/lib/a"), Some(b"xfs".as_slice()));
    }

    #[test]
    fn room_is_told_of_files_on_local_file_systems_only() {
        let folder = tempfile::tempdir().expect("a folder");
        let process = folder.path().join("7");
        std::fs::create_dir_all(process.join("root/srv")).expect("made");
        std::fs::write(process.join("root/srv/a.raw"), b"image").expect("written");
        let of = |image: &str| room(&process, Path::new(image), MOUNTS);
        let (size, available) = of("/srv/a.raw").expect("room");
        assert!(size > 0 && (0..=size).contains(&available), "{size} {available}");
        assert_eq!(of("/srv"), Err(Availability::Unsupported), "no image");
        assert_eq!(of("/var/lib/images/a.raw"), Err(Availability::Unsupported), "not local");
        assert_eq!(of("a.raw"), Err(Availability::Unsupported), "nobody knows where");
        assert_eq!(of("/srv/b.raw"), Err(Availability::from_errno(Errno::ENOENT)));
    }
}
