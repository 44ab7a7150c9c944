//! What a VM's images lead to: backing files and data files.
//!
//! Names in an image are the words of whoever could write it, and no more: they are never opened unless the VMM opened
//! the image as qcow2 itself, never followed into a device, and cut and cleaned before they are shown.

use super::formats::told;
use super::{all, pools, shown, users};
use crate::checks::fact::{Found, Unavailable};
use crate::checks::facts::Gather;
use crate::checks::facts::providers::process::of_process;
use crate::checks::host::{Meta, why};
use crate::checks::parse::files::qcow2;
use crate::checks::vm::Vm;
use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::sys::stat::fstat;
use std::collections::BTreeSet;
use std::fs::File;
use std::io::Read;
use std::sync::Arc;

/// Images on top of each other that are followed.
const DEPTH_MAX: usize = 16;

/// One link from an image to another.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Link {
    /// Where it leads, made absolute; as it is written when it is remote.
    target: String,
    /// Its format as the image says it; `None` when QEMU guesses.
    format: Option<String>,
    /// Whether it is not a path.
    remote: bool,
    /// Whether it is a backing file, and no data file.
    backing: bool,
    /// The folder of the image that names it.
    from: String,
}

type Chain = Result<Vec<Link>, Unavailable>;

fn chain(gather: &Gather, vm: &Arc<Vm>) -> Arc<Chain> {
    gather.memo(&vm.proc("backing"), |gather| {
        let images = all(gather, vm);
        let images = images.as_ref().as_ref().map_err(Clone::clone)?;
        let told = told(gather, vm);
        let mut links: Vec<Link> = Vec::new();
        let mut seen: BTreeSet<String> = BTreeSet::new();
        let mut next: Vec<(String, usize)> = Vec::new();
        for image in images.iter().filter(|image| told.opened_as_qcow2(&image.path)) {
            if !image.on_host {
                let why = format!("{} leads to another file on the host: a jail", image.path);
                return Err(Unavailable::NotExposed(why));
            }
            next.push((image.path.clone(), 0));
        }
        while let Some((path, depth)) = next.pop() {
            if depth > DEPTH_MAX {
                return Err(Unavailable::TooMuch(format!(
                    "more than {DEPTH_MAX} images on top of each other"
                )));
            }
            if !seen.insert(path.clone()) {
                continue;
            }
            let Some(header) = header(gather, &path)? else { continue };
            for link in links_of(&path, &header) {
                // A backing file whose format is not said is looked at by QEMU too.
                let followed = link.backing && link.format.as_deref().is_none_or(|format| format == "qcow2");
                if followed && !link.remote {
                    next.push((link.target.clone(), depth + 1));
                }
                if !links.iter().any(|known| known.target == link.target) {
                    links.push(link);
                }
            }
        }
        of_process(gather, vm, Ok(links))
    })
}

/// The header of an image, or `None` when it is another kind of file, or none at all.
fn header(gather: &Gather, path: &str) -> Result<Option<qcow2::Header>, Unavailable> {
    gather.note(path);
    let fd = match gather.host().open(path, OFlag::O_RDONLY | OFlag::O_NONBLOCK | OFlag::O_NOCTTY) {
        Ok(fd) => fd,
        Err(Unavailable::Absent) => return Ok(None),
        Err(why) => return Err(why),
    };
    let meta = Meta::of(&fstat(&fd).map_err(|errno| why(errno, path))?);
    if meta.kind() != "file" {
        return Ok(None);
    }
    let mut prefix = Vec::new();
    let read = File::from(fd).take(qcow2::PREFIX_BYTES as u64).read_to_end(&mut prefix);
    read.map_err(|error| why(Errno::from_raw(error.raw_os_error().unwrap_or(libc::EIO)), path))?;
    if !qcow2::is_qcow2(&prefix) {
        return Ok(None);
    }
    qcow2::parse(&prefix).map(Some).map_err(|error| Unavailable::Malformed(format!("{path}: {error}")))
}

/// Whether an image that the VMM opened as qcow2 is encrypted by its format; `None` when it is no qcow2.
pub(super) fn encryption(gather: &Gather, path: &str) -> Result<Option<qcow2::Encryption>, Unavailable> {
    Ok(header(gather, path)?.map(|header| header.encryption))
}

fn links_of(path: &str, header: &qcow2::Header) -> Vec<Link> {
    let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
    let link = |name: &str, format: Option<String>, backing: bool| {
        let name = name.strip_prefix("file:").unwrap_or(name);
        // `nbd://`, `json:{}`: as QEMU does it, a colon before the first slash makes it a protocol.
        let remote = name.split('/').next().is_some_and(|first| first.contains(':'));
        let target = match name {
            name if remote => shown(name),
            name if name.starts_with('/') => plain(name),
            name => plain(&format!("{folder}/{name}")),
        };
        Link { target, format, remote, backing, from: folder.to_owned() }
    };
    let mut links = Vec::new();
    if let Some(name) = header.backing_file.as_deref().filter(|name| !name.is_empty()) {
        links.push(link(name, header.backing_format.clone(), true));
    }
    if header.has_external_data()
        && let Some(name) = header.data_file.as_deref().filter(|name| !name.is_empty())
    {
        links.push(link(name, Some("raw".to_owned()), false));
    }
    links
}

/// A path without `.` and `..`.
fn plain(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    format!("/{}", parts.join("/"))
}

pub(super) fn places(gather: &Gather, vm: &Arc<Vm>, _: &str) -> Found {
    let pools = pools::allowed(gather);
    told_of(gather, vm, |link| {
        let inside = |pool: &String| link.target.starts_with(&format!("{}/", pool.trim_end_matches('/')));
        let place = if link.remote {
            "remote"
        } else if pools.iter().chain([&link.from]).any(inside) {
            "pool"
        } else {
            "outside"
        };
        Ok(Some(place.to_owned()))
    })
}

pub(super) fn formats(gather: &Gather, vm: &Arc<Vm>, _: &str) -> Found {
    told_of(gather, vm, |link| {
        Ok(link.backing.then(|| link.format.as_deref().map_or("guessed".to_owned(), shown)))
    })
}

pub(super) fn access(gather: &Gather, vm: &Arc<Vm>, _: &str) -> Found {
    let images = all(gather, vm);
    told_of(gather, vm, |link| {
        let images = images.as_ref().as_ref().map_err(Clone::clone)?;
        let there = gather.host().meta(&link.target).ok();
        let open = images.iter().find(|image| {
            image.path == link.target || image.meta.zip(there).is_some_and(|(a, b)| a.identity == b.identity)
        });
        let access = match open {
            Some(image) if image.writable => "rw",
            Some(_) => "ro",
            None => "closed",
        };
        Ok((link.backing && !link.remote).then(|| access.to_owned()))
    })
}

pub(super) fn writable(gather: &Gather, vm: &Arc<Vm>, _: &str) -> Found {
    told_of(gather, vm, |link| {
        if link.remote || !link.backing {
            return Ok(None);
        }
        let (users, groups) = users(gather, vm)?;
        let meta = match gather.meta(&link.target) {
            Ok(meta) => meta,
            Err(Unavailable::Absent) => return Ok(None),
            Err(why) => return Err(why),
        };
        let may = users.contains(&0)
            || (users.contains(&meta.uid) && meta.mode & 0o200 != 0)
            || (groups.contains(&meta.gid) && meta.mode & 0o020 != 0)
            || meta.mode & 0o002 != 0;
        Ok(Some(if may { "yes" } else { "no" }.to_owned()))
    })
}

/// What is told of each file that images lead to; absent when they lead to none.
fn told_of(
    gather: &Gather,
    vm: &Arc<Vm>,
    tell: impl Fn(&Link) -> Result<Option<String>, Unavailable>,
) -> Found {
    let source = "headers of images that the VMM opened as qcow2";
    let chain = chain(gather, vm);
    let links = match &*chain {
        Ok(links) => links,
        Err(why) => return Found::unavailable(why.clone(), source),
    };
    let mut map = Vec::new();
    for link in links {
        match tell(link) {
            Ok(Some(said)) => map.push((shown(&link.target), said)),
            Ok(None) => {}
            Err(why) => return Found::unavailable(why, shown(&link.target)),
        }
    }
    map.sort();
    if map.is_empty() { Found::unavailable(Unavailable::Absent, source) } else { Found::value(map, source) }
}

#[cfg(test)]
mod tests {
    use super::super::tests::host;
    use super::*;
    use crate::checks::fact::Value;
    use crate::checks::facts::providers::process::tests::{Recorded, vm};

    /// A qcow2 image on top of another.
    fn overlay(backing: &str, format: Option<&str>) -> Vec<u8> {
        let mut bytes = b"QFI\xfb".to_vec();
        bytes.extend(3_u32.to_be_bytes());
        bytes.resize(104, 0);
        bytes[100..104].copy_from_slice(&104_u32.to_be_bytes());
        if let Some(format) = format {
            bytes.extend(0xE279_2ACA_u32.to_be_bytes());
            bytes.extend(u32::try_from(format.len()).expect("short").to_be_bytes());
            bytes.extend(format.as_bytes());
            bytes.resize(bytes.len().next_multiple_of(8), 0);
        }
        bytes.extend([0; 8]);
        let offset = (bytes.len() as u64).to_be_bytes();
        bytes[8..16].copy_from_slice(&offset);
        bytes[16..20].copy_from_slice(&u32::try_from(backing.len()).expect("short").to_be_bytes());
        bytes.extend(backing.as_bytes());
        bytes
    }

    fn with(backing: &str, format: Option<&str>, drive: &str) -> Recorded {
        let host = host("srv/vms/web/a.img", &overlay(backing, format));
        host.file("proc/100/cmdline", format!("qemu\0-drive\0file=/srv/vms/web/a.img{drive}\0"));
        host
    }

    fn only(found: Found) -> Result<(String, String), Unavailable> {
        found.value.map(|value| match value {
            Value::Map(map) if map.len() == 1 => map[0].clone(),
            other => panic!("{other:?}"),
        })
    }

    #[test]
    fn backing_files_are_looked_for_only_where_the_vmm_did() {
        let place = |backing: &str, drive: &str| {
            let host = with(backing, Some("raw"), drive);
            only(places(&host.gather(&[vm(100)]), &vm(100), ""))
        };
        let said = |path: &str, place: &str| Ok((path.to_owned(), place.to_owned()));
        assert_eq!(place("../../../etc/shadow", ",format=qcow2"), said("/etc/shadow", "outside"));
        assert_eq!(place("../../../etc/shadow", ""), said("/etc/shadow", "outside"), "QEMU probes here");
        assert_eq!(place("/etc/shadow", ",format=raw"), Err(Unavailable::Absent), "a guest's own bytes");
        assert_eq!(place("base.img", ",format=qcow2"), said("/srv/vms/web/base.img", "pool"));
        assert_eq!(place("/srv/vms/base/b.img", ",format=qcow2"), said("/srv/vms/base/b.img", "pool"));
        let json = place("json:{\"driver\":\"nbd\"}\n\x1b", ",format=qcow2").expect("a place");
        assert_eq!(json.1, "remote");
        assert!(!json.0.contains('\x1b') && !json.0.contains('\n'));
    }

    #[test]
    fn a_guessed_format_is_told() {
        let format = |format: Option<&str>| {
            let host = with("base.img", format, ",format=qcow2");
            only(formats(&host.gather(&[vm(100)]), &vm(100), "")).expect("a format").1
        };
        assert_eq!((format(None).as_str(), format(Some("raw")).as_str()), ("guessed", "raw"));
    }

    #[test]
    fn a_backing_file_is_only_read() {
        let host = with("base.img", Some("raw"), ",format=qcow2");
        host.file("srv/vms/web/base.img", vec![0; 8_192]).mode("srv/vms/web/base.img", 0o644);
        let gather = host.gather(&[vm(100)]);
        assert_eq!(only(access(&gather, &vm(100), "")).expect("one").1, "closed");
        assert_eq!(only(writable(&gather, &vm(100), "")).expect("one").1, "no");
        host.link("proc/100/fd/6", "/srv/vms/web/base.img").file("proc/100/fdinfo/6", "flags:\t0100002\n");
        host.mode("srv/vms/web/base.img", 0o646);
        let gather = host.gather(&[vm(100)]);
        assert_eq!(only(access(&gather, &vm(100), "")).expect("one").1, "rw");
        assert_eq!(only(writable(&gather, &vm(100), "")).expect("one").1, "yes");
    }

    #[test]
    fn a_chain_that_bites_its_tail_ends() {
        let host = with("a.img", None, ",format=qcow2");
        assert!(places(&host.gather(&[vm(100)]), &vm(100), "").value.is_ok());
    }
}
