//! Pages that VMs share without knowing, and huge pages' mounts.

use super::super::kernel::{believed, drop_ins, of_kind};
use super::number;
use crate::checks::fact::{Found, Unavailable};
use crate::checks::facts::Gather;

pub(super) fn ksm_shares(gather: &Gather, _: &str) -> Found {
    const PATH: &str = "/sys/kernel/mm/ksm/pages_shared";
    // How many they are changes all the time.
    let shares = number(gather, PATH).map(|pages| pages > 0).map_err(|why| believed(gather, why, PATH));
    Found::either(shares, PATH)
}

/// Units that turn it on or tune it, where they are wanted at boot.
const UNITS: [&str; 2] = ["ksm.service", "ksmtuned.service"];
const WANTED: &str = "/etc/systemd/system/multi-user.target.wants";

pub(super) fn ksm_enablers(gather: &Gather, _: &str) -> Found {
    const SOURCE: &str = "units, tmpfiles.d and sysfs.conf";
    let found = enablers(gather);
    Found::either(found, SOURCE)
}

fn enablers(gather: &Gather) -> Result<Vec<String>, Unavailable> {
    let mut found = Vec::new();
    for unit in UNITS {
        let path = format!("{WANTED}/{unit}");
        // The link is what counts: what it leads to may be elsewhere than on this tree.
        gather.note(&path);
        if gather.host().link(&path).is_ok() || gather.host().meta(&path).is_ok() {
            found.push(path);
        }
    }
    let mut files = drop_ins(gather, "tmpfiles.d")?;
    for path in ["/etc/sysfs.conf", "/etc/default/qemu-kvm"] {
        match gather.text(path) {
            Ok(text) => files.push((path.to_owned(), text)),
            Err(Unavailable::Absent) => {}
            Err(why) => return Err(why),
        }
    }
    for (path, text) in files {
        let turns_on = |line: &str| {
            let line = line.trim();
            let last = line.rsplit([' ', '\t', '=']).next().unwrap_or_default().trim_matches('"');
            let names = line.contains("kernel/mm/ksm/run") || line.starts_with("KSM_ENABLED");
            !line.starts_with('#') && names && !matches!(last, "0" | "2" | "")
        };
        if let Some(at) = text.lines().position(turns_on) {
            found.push(format!("{path}:{}", at + 1));
        }
    }
    Ok(found)
}

/// Folders within folders that are looked into: libvirt makes `libvirt/qemu/DOMAIN`.
const DEPTH_MAX: u32 = 4;
/// Names that are looked at.
const NAMES_MAX: usize = 4_096;

pub(super) fn hugetlbfs_open(gather: &Gather, _: &str) -> Found {
    let (table, places) = match of_kind(gather, "hugetlbfs") {
        Ok(found) => found,
        Err(why) => return Found::unavailable(why, "/proc/1/mountinfo"),
    };
    if places.is_empty() {
        return Found::unavailable(Unavailable::Absent, table);
    }
    let (mut open, mut left) = (Vec::new(), NAMES_MAX);
    for place in &places {
        if let Err(why) = look(gather, place, DEPTH_MAX, &mut left, &mut open) {
            return Found::unavailable(why, place.as_str());
        }
    }
    open.sort_unstable();
    Found::value(open, places.join(", "))
}

fn look(
    gather: &Gather,
    path: &str,
    depth: u32,
    left: &mut usize,
    open: &mut Vec<String>,
) -> Result<(), Unavailable> {
    let Some(rest) = left.checked_sub(1) else {
        return Err(Unavailable::TooMuch(format!("more than {NAMES_MAX} names")));
    };
    *left = rest;
    let meta = match gather.meta(path) {
        Ok(meta) => meta,
        // A VM's file that went meanwhile.
        Err(Unavailable::Absent) => return Ok(()),
        Err(why) => return Err(why),
    };
    let others = meta.mode & 0o7;
    let is_folder = meta.kind() == "directory";
    if others & 0o2 != 0 || (!is_folder && others & 0o4 != 0) {
        open.push(format!("{path} {:04o}", meta.permissions()));
    }
    if is_folder && others & 0o1 != 0 && depth > 0 {
        for name in gather.list(path)? {
            look(gather, &format!("{path}/{name}"), depth - 1, left, open)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::super::kernel::tests::host;
    use super::*;
    use crate::checks::fact::Value;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn what_turns_merging_on_is_found() {
        let (folder, gather) = host(&[
            (
                "/etc/tmpfiles.d/ksm.conf",
                "# w /sys/kernel/mm/ksm/run - - - - 1\nw /sys/kernel/mm/ksm/run - - - - 1\n",
            ),
            ("/etc/tmpfiles.d/off.conf", "w /sys/kernel/mm/ksm/run - - - - 0\n"),
            ("/etc/default/qemu-kvm", "KSM_ENABLED=\"0\"\n"),
            ("/etc/systemd/system/multi-user.target.wants/x.service", ""),
        ]);
        assert_eq!(ksm_enablers(&gather, "").value.expect("one").to_string(), "/etc/tmpfiles.d/ksm.conf:2");
        let wanted = folder.path().join("etc/systemd/system/multi-user.target.wants/ksmtuned.service");
        std::os::unix::fs::symlink("/usr/lib/systemd/system/ksmtuned.service", wanted).expect("a link");
        assert_eq!(ksm_enablers(&gather, "").value.expect("two").list().map(<[_]>::len), Some(2));
        let (_folder, bare) = host(&[("/proc/x", "")]);
        assert!(matches!(ksm_enablers(&bare, "").value, Err(Unavailable::NotExposed(_))));
    }

    #[test]
    fn merged_pages_are_yes_or_no() {
        let (_folder, gather) = host(&[("/sys/kernel/mm/ksm/pages_shared", "17\n")]);
        assert_eq!(ksm_shares(&gather, "").value, Ok(Value::from("yes")));
        let (_folder, without) = host(&[("/sys/kernel/mm/x", "")]);
        assert_eq!(ksm_shares(&without, "").value, Err(Unavailable::Absent));
    }

    #[test]
    fn what_others_can_reach_is_listed_and_what_a_closed_folder_hides_is_not() {
        let (folder, gather) = host(&[
            ("/proc/1/mountinfo", "25 1 0:23 / /dev/hugepages rw - hugetlbfs none rw\n"),
            ("/dev/hugepages/libvirt/qemu/1/ram", ""),
            ("/dev/hugepages/loose/ram", ""),
        ]);
        let mode = |path: &str, mode: u32| {
            let path = folder.path().join("dev/hugepages").join(path);
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).expect("a mode");
        };
        for (path, bits) in [("", 0o755), ("libvirt", 0o711), ("libvirt/qemu", 0o700), ("loose", 0o711)] {
            mode(path, bits);
        }
        mode("libvirt/qemu/1/ram", 0o666);
        mode("loose/ram", 0o644);
        let found = hugetlbfs_open(&gather, "").value.expect("a list");
        assert_eq!(found.to_string(), "/dev/hugepages/loose/ram 0644");
        mode("", 0o1777);
        assert!(
            hugetlbfs_open(&gather, "").value.expect("a list").to_string().contains("/dev/hugepages 1777")
        );
        mode("", 0o750);
        assert_eq!(hugetlbfs_open(&gather, "").value, Ok(Value::List(Vec::new())));
    }
}
