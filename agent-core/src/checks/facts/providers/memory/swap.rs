//! Where memory goes when it is swapped out, and whether anybody can read it there.

use super::super::kernel::mounts;
use crate::checks::fact::{Found, Unavailable};
use crate::checks::facts::Gather;
use crate::checks::parse::etc::{fstab, mountinfo, swaps};

const SWAPS: &str = "/proc/swaps";
const FSTAB: &str = "/etc/fstab";
/// Devices on devices that are followed: a volume on a group on a RAID on a partition is four.
const DEPTH_MAX: u32 = 8;

pub(super) fn now(gather: &Gather, _: &str) -> Found {
    let text = match gather.text(SWAPS) {
        Ok(text) => text,
        // The kernel was built without swap, when the rest of /proc is there.
        Err(Unavailable::Absent) if gather.host().meta("/proc/sys/kernel").is_ok() => {
            return Found::value(Vec::<(String, String)>::new(), SWAPS);
        }
        Err(why) => return Found::unavailable(why, SWAPS),
    };
    let (areas, mistakes) = swaps::parse(&text);
    if let Some((line, why)) = mistakes.first() {
        return Found::unavailable(Unavailable::Malformed(format!("line {line}: {why}")), SWAPS);
    }
    let mut found = Vec::with_capacity(areas.len());
    for area in areas {
        let path = area.path.trim_end_matches(" (deleted)").to_owned();
        match protection(gather, &path, area.is_file) {
            Ok(word) => found.push((path, word.to_owned())),
            Err(why) => return Found::unavailable(why, path),
        }
    }
    found.sort_unstable();
    Found::value(found, SWAPS)
}

pub(super) fn next(gather: &Gather, _: &str) -> Found {
    let text = |path: &str| match gather.text(path) {
        Err(Unavailable::Absent) if gather.host().meta("/etc").is_ok() => Ok(String::new()),
        other => other,
    };
    let (tab, crypttab) = match (text(FSTAB), text("/etc/crypttab")) {
        (Ok(tab), Ok(crypttab)) => (tab, crypttab),
        (Err(why), _) | (_, Err(why)) => return Found::unavailable(why, FSTAB),
    };
    let (areas, _) = fstab::fstab(&tab);
    let (opened, _) = fstab::crypttab(&crypttab);
    let mut found = Vec::new();
    for area in areas.iter().filter(|area| area.kind == "swap" && !area.options.iter().any(|o| o == "noauto"))
    {
        let mapped = area.source.strip_prefix("/dev/mapper/");
        let word = if mapped.is_some_and(|name| opened.iter().any(|crypt| crypt.name == name)) {
            Ok("encrypted")
        } else {
            by_source(gather, &area.source)
        };
        match word {
            Ok(word) => found.push((area.source.clone(), word.to_owned())),
            Err(why) => return Found::unavailable(why, format!("{FSTAB}:{}", area.line)),
        }
    }
    found.sort_unstable();
    Found::value(found, FSTAB)
}

/// An area as fstab names it: a path, or what udev makes a link for.
fn by_source(gather: &Gather, source: &str) -> Result<&'static str, Unavailable> {
    let folder = |kind: &str| match kind {
        "UUID" => Some("by-uuid"),
        "LABEL" => Some("by-label"),
        "PARTUUID" => Some("by-partuuid"),
        "PARTLABEL" => Some("by-partlabel"),
        _ => None,
    };
    let path = match source.split_once('=') {
        Some((kind, id)) if folder(kind).is_some() => {
            format!("/dev/disk/{}/{}", folder(kind).unwrap_or_default(), id.trim_matches('"'))
        }
        _ => source.to_owned(),
    };
    if !path.starts_with("/dev/") {
        return protection(gather, &path, true);
    }
    let path = match gather.link(&path) {
        // `../../vda2`, as udev writes it.
        Ok(target) => format!("/dev/{}", target.rsplit('/').next().unwrap_or_default()),
        Err(_) => path,
    };
    protection(gather, &path, false)
}

/// `encrypted`, `memory` or `plain`.
fn protection(gather: &Gather, path: &str, is_file: bool) -> Result<&'static str, Unavailable> {
    if !is_file {
        let name = path.strip_prefix("/dev/").unwrap_or(path);
        return device(gather, name, DEPTH_MAX);
    }
    let table = mounts(gather);
    let (_, mounts) = table.as_ref().as_ref().map_err(Clone::clone)?;
    let mount = mountinfo::holding(mounts, path);
    let mount = mount.ok_or_else(|| Unavailable::NotExposed(format!("no mount holds {path}")))?;
    let (major, minor) = mount.device;
    let link = gather.link(&format!("/sys/dev/block/{major}:{minor}"));
    // File systems over several devices have a number of their own; their source is one of the devices.
    let name = match &link {
        Ok(target) => target.rsplit('/').next().unwrap_or_default(),
        Err(_) => mount.source.strip_prefix("/dev/").unwrap_or(&mount.source),
    };
    device(gather, name, DEPTH_MAX)
}

fn device(gather: &Gather, name: &str, depth: u32) -> Result<&'static str, Unavailable> {
    let folder = format!("/sys/class/block/{name}");
    gather.note(&folder);
    if name.contains('/') || gather.host().meta(&folder).is_err() {
        return Err(Unavailable::NotExposed(format!(
            "{folder} is not there, so what {name} is made of is not known"
        )));
    }
    if name.starts_with("zram") {
        return match gather.text(&format!("{folder}/backing_dev")) {
            Ok(backing) if backing.trim() != "none" => Ok("plain"),
            Ok(_) | Err(Unavailable::Absent) => Ok("memory"),
            Err(why) => Err(why),
        };
    }
    match gather.text(&format!("{folder}/dm/uuid")) {
        Ok(uuid) if uuid.starts_with("CRYPT-") => return Ok("encrypted"),
        Ok(_) | Err(Unavailable::Absent) => {}
        Err(why) => return Err(why),
    }
    // It is as good as the worst of what it is made of.
    let parts = match gather.list(&format!("{folder}/slaves")) {
        Ok(parts) => parts,
        Err(Unavailable::Absent) => Vec::new(),
        Err(why) => return Err(why),
    };
    if parts.is_empty() || depth == 0 {
        return Ok("plain");
    }
    for part in parts {
        let word = device(gather, &part, depth - 1)?;
        if word != "encrypted" {
            return Ok(word);
        }
    }
    Ok("encrypted")
}

pub(super) fn vms(gather: &Gather, _: &str) -> Found {
    const SOURCE: &str = "memory.swap.max of each VM's cgroup";
    if gather.vms().is_empty() {
        return Found::unavailable(Unavailable::Absent, SOURCE);
    }
    let mut may = Vec::new();
    for vm in gather.vms() {
        match swaps_nothing(gather, &vm.cgroup) {
            Ok(true) => {}
            Ok(false) => may.push(vm.to_string()),
            Err(why) => return Found::unavailable(why, SOURCE),
        }
    }
    may.sort_unstable();
    Found::value(may, SOURCE)
}

/// Whether a cgroup, or one above it, may not swap at all.
fn swaps_nothing(gather: &Gather, cgroup: &str) -> Result<bool, Unavailable> {
    let mut known = false;
    let mut path = cgroup.trim_end_matches('/');
    while !path.is_empty() {
        match gather.text(&format!("/sys/fs/cgroup{path}/memory.swap.max")) {
            Ok(limit) if limit.trim() == "0" => return Ok(true),
            Ok(_) => known = true,
            Err(Unavailable::Absent) => {}
            Err(why) => return Err(why),
        }
        path = path.rsplit_once('/').map_or("", |(above, _)| above);
    }
    let why = || {
        Unavailable::NotExposed(format!("no memory.swap.max above {cgroup}: cgroups of the first version?"))
    };
    if known { Ok(false) } else { Err(why()) }
}

#[cfg(test)]
mod tests {
    use super::super::super::kernel::tests::host;
    use super::*;
    use crate::checks::fact::Value;

    const HEAD: &str = "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n";

    #[test]
    fn what_an_area_is_made_of_decides() {
        let areas = "/dev/dm-1 partition 1 0 -2\n/dev/zram0 partition 1 0 5\n/dev/sda2 partition 1 0 -3\n\
                     /swap\\040file file 1 0 -4\n";
        let table = format!("{HEAD}{areas}");
        let mut files = vec![
            ("/proc/swaps", table.as_str()),
            // A logical volume on LUKS.
            ("/sys/class/block/dm-1/dm/uuid", "LVM-abc\n"),
            ("/sys/class/block/dm-1/slaves/dm-0/x", ""),
            ("/sys/class/block/dm-0/dm/uuid", "CRYPT-LUKS2-abc-name\n"),
            ("/sys/class/block/dm-0/slaves/sda3/x", ""),
            ("/sys/class/block/zram0/backing_dev", "none\n"),
            ("/sys/class/block/sda2/partition", "2\n"),
            ("/sys/class/block/sda1/partition", "1\n"),
            ("/proc/1/mountinfo", "25 1 8:1 / / rw - ext4 /dev/sda1 rw\n"),
        ];
        let (_folder, gather) = host(&files);
        let found = now(&gather, "").value.expect("a map").to_string();
        assert_eq!(found, "/dev/dm-1=encrypted, /dev/sda2=plain, /dev/zram0=memory, /swap file=plain");
        files[5].1 = "/dev/sda9\n";
        let (_folder, gather) = host(&files);
        assert!(now(&gather, "").value.expect("a map").to_string().contains("/dev/zram0=plain"));
    }

    #[test]
    fn a_device_that_is_not_told_of_is_not_guessed() {
        let table = format!("{HEAD}/dev/sdz9 partition 1 0 -2\n");
        let (_folder, gather) = host(&[("/proc/swaps", &table)]);
        assert!(matches!(now(&gather, "").value, Err(Unavailable::NotExposed(_))));
        let (_folder, none) = host(&[("/proc/swaps", HEAD)]);
        assert_eq!(now(&none, "").value, Ok(Value::Map(Vec::new())));
        let (_folder, bare) = host(&[("/etc/x", "")]);
        assert_eq!(now(&bare, "").value, Err(Unavailable::Absent));
    }

    #[test]
    fn the_next_boot_s_swap_is_that_of_fstab() {
        let (folder, gather) = host(&[
            (
                "/etc/fstab",
                "/dev/mapper/cswap none swap sw 0 0\nUUID=1-2 none swap sw 0 0\n/dev/sdb1 none swap noauto 0 0\n",
            ),
            ("/etc/crypttab", "cswap /dev/sda5 /dev/urandom swap\n"),
            ("/sys/class/block/sda6/partition", "6\n"),
            ("/dev/disk/by-uuid/x", ""),
        ]);
        std::os::unix::fs::symlink("../../sda6", folder.path().join("dev/disk/by-uuid/1-2")).expect("a link");
        let found = next(&gather, "").value.expect("a map").to_string();
        assert_eq!(found, "/dev/mapper/cswap=encrypted, UUID=1-2=plain");
        let (_folder, unknown) = host(&[("/etc/fstab", "UUID=9 none swap sw 0 0\n")]);
        assert!(matches!(next(&unknown, "").value, Err(Unavailable::NotExposed(_))));
    }

    #[test]
    fn a_cgroup_above_may_forbid_swap() {
        let (_folder, gather) = host(&[
            ("/sys/fs/cgroup/machine.slice/memory.swap.max", "0\n"),
            ("/sys/fs/cgroup/machine.slice/a/memory.swap.max", "max\n"),
            ("/sys/fs/cgroup/other/memory.swap.max", "max\n"),
        ]);
        assert_eq!(swaps_nothing(&gather, "/machine.slice/a"), Ok(true));
        assert_eq!(swaps_nothing(&gather, "/other"), Ok(false));
        assert!(swaps_nothing(&gather, "/elsewhere").is_err());
        assert_eq!(vms(&gather, "").value, Err(Unavailable::Absent));
    }
}
