//! Whether the files of VMMs, libvirt and firmware are as their packages brought them. (dpkg --verify)

use crate::checks::fact::{Found, Unavailable, Value};
use crate::checks::facts::Gather;
use crate::checks::host::Meta;
use md5::{Digest, Md5};
use std::fs::File;
use std::io::Read;

const INFO: &str = "/var/lib/dpkg/info";
const DIVERSIONS: &str = "/var/lib/dpkg/diversions";
const SUMS_BYTES_MAX: usize = 4 << 20;
/// Beginnings of packages' names.
const PACKAGES: [&str; 14] = [
    "qemu-system",
    "qemu-kvm",
    "qemu-utils",
    "qemu-block",
    "libvirt",
    "cloud-hypervisor",
    "firecracker",
    "virtiofsd",
    "seabios",
    "ovmf",
    "qemu-efi",
    "ipxe-qemu",
    "swtpm",
    "libtpms",
];
/// What a host may be told to leave out when packages are unpacked.
const LEFT_OUT: [&str; 5] =
    ["usr/share/doc/", "usr/share/man/", "usr/share/locale/", "usr/share/info/", "usr/share/lintian/"];
const PIECE_BYTES: usize = 64 << 10;
/// Bytes that one look reads; files that nobody touched since they were unpacked are not read.
const BYTES_PER_LOOK: u64 = 64 << 20;

/// A file that was read, and its sum.
struct Sum(Option<String>);

/// `packages.changed`
pub(super) fn changed(gather: &Gather, _: &str) -> Found {
    let names = match gather.names(INFO, ".md5sums") {
        Ok(names) => names,
        Err(Unavailable::Absent) => {
            let why = "the host's packages are not dpkg's".to_owned();
            let why = super::dpkg::of_rpm(gather).unwrap_or(Unavailable::NotExposed(why));
            return Found::unavailable(why, INFO);
        }
        Err(why) => return Found::unavailable(why, INFO),
    };
    let packages = names.iter().map(|name| &**name);
    let packages: Vec<&str> =
        packages.filter(|name| PACKAGES.iter().any(|begin| name.starts_with(begin))).collect();
    if packages.is_empty() {
        return Found::unavailable(Unavailable::Absent, INFO);
    }
    let diverted = gather.text(DIVERSIONS).unwrap_or_default();
    let diverted: Vec<&str> = diverted.lines().step_by(3).collect();
    let mut found = Vec::new();
    let mut left = BYTES_PER_LOOK;
    for package in &packages {
        if let Err(why) = look(gather, package, &diverted, &mut left, &mut found) {
            return Found::unavailable(why, format!("{INFO}/{package}.md5sums"));
        }
    }
    if left == 0 && found.is_empty() {
        let why = "there is more to read than is read at a time; the next look goes on".to_owned();
        return Found::unavailable(Unavailable::NotExposed(why), INFO);
    }
    Found::value(Value::List(found), format!("{INFO}/{{{}}}.md5sums", packages.join(",")))
}

fn look(
    gather: &Gather,
    package: &str,
    diverted: &[&str],
    left: &mut u64,
    found: &mut Vec<String>,
) -> Result<(), Unavailable> {
    let list = format!("{INFO}/{package}.md5sums");
    let content = gather.read(&list, SUMS_BYTES_MAX)?;
    let unpacked_ns = content.meta.ctime_ns;
    for line in String::from_utf8_lossy(&content.bytes).lines() {
        let Some((sum, file)) = line.split_once("  ") else { continue };
        let path = format!("/{file}");
        if diverted.contains(&path.as_str()) || LEFT_OUT.iter().any(|folder| file.starts_with(folder)) {
            continue;
        }
        let meta = match gather.meta(&path) {
            Ok(meta) => meta,
            Err(Unavailable::Absent) => {
                found.push(format!("{path}: missing ({package})"));
                continue;
            }
            Err(why) => return Err(why),
        };
        // dpkg writes the list after it unpacked the files, and no system call sets this time.
        if gather.host().is_live() && meta.ctime_ns <= unpacked_ns {
            continue;
        }
        match digest(gather, &path, &meta, left)? {
            Some(own) if own != sum => found.push(format!("{path}: changed ({package})")),
            _ => {}
        }
    }
    Ok(())
}

/// The MD5 of a file, in hexadecimal digits, as `md5sums` has it. It is read a piece at a time: programs are large.
pub(in super::super) fn md5_of(mut file: File) -> std::io::Result<String> {
    let mut md5 = Md5::new();
    let mut piece = vec![0; PIECE_BYTES];
    loop {
        match file.read(&mut piece)? {
            0 => break,
            count => md5.update(&piece[..count]),
        }
    }
    Ok(hex(&md5.finalize()))
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// A file's sum, known from an earlier look or worked out as far as there is room for it.
fn digest(gather: &Gather, path: &str, meta: &Meta, left: &mut u64) -> Result<Option<String>, Unavailable> {
    let stamp = meta.mtime_ns.cast_unsigned()
        ^ meta.ctime_ns.cast_unsigned().rotate_left(21)
        ^ meta.identity.1.rotate_left(42)
        ^ meta.size;
    // Without room the stamp is another, so that it is tried again.
    let room = meta.size <= *left;
    let known = gather.kept::<Result<Sum, Unavailable>>(path, if room { stamp } else { !stamp }, |gather| {
        if !room {
            return Ok(Sum(None));
        }
        *left -= meta.size;
        let (file, _) = gather.host().open_file(path)?;
        let sum = md5_of(file).map_err(|error| Unavailable::Failed(format!("{path}: {error}")))?;
        Ok(Sum(Some(sum)))
    });
    match &*known {
        Ok(Sum(Some(sum))) => Ok(Some(sum.clone())),
        Ok(Sum(None)) => {
            *left = 0;
            Ok(None)
        }
        Err(why) => Err(why.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::libvirt::testing::Tree;
    use super::*;

    #[test]
    fn a_changed_and_a_missing_file_are_told_and_documents_and_diversions_are_not() {
        let sum = hex(&Md5::digest(b"qemu\n"));
        let sums = format!(
            "{sum}  usr/bin/qemu\n{sum}  usr/share/doc/qemu/NEWS.gz\n{sum}  usr/lib/gone\n{sum}  usr/lib/diverted\n"
        );
        let tree = Tree::new(&[
            ("var/lib/dpkg/info/qemu-system-x86.md5sums", &sums),
            ("var/lib/dpkg/info/nano.md5sums", "0  usr/bin/nano\n"),
            ("var/lib/dpkg/diversions", "/usr/lib/diverted\n/usr/lib/diverted.real\nother\n"),
            ("usr/bin/qemu", "qemu\n"),
            ("usr/lib/gone", "qemu\n"),
        ]);
        assert_eq!(tree.told(changed, ""), "none");
        tree.add("usr/bin/qemu", "evil\n");
        std::fs::remove_file(tree.0.path().join("usr/lib/gone")).expect("a file");
        assert_eq!(
            tree.told(changed, ""),
            "/usr/bin/qemu: changed (qemu-system-x86), /usr/lib/gone: missing (qemu-system-x86)"
        );
        assert_eq!(Tree::new(&[]).told(changed, ""), "!not-exposed");
        assert_eq!(Tree::new(&[("var/lib/dpkg/info/nano.md5sums", "")]).told(changed, ""), "!absent");
    }
}
