//! The host's memory: page merging, swap, huge pages, errors.

mod pages;
mod swap;

use super::{Provider, Read, Refresh};
use crate::checks::fact::{Found, Unavailable};
use crate::checks::facts::Gather;

/// Facts of this module.
pub const PROVIDERS: &[Provider] = &[
    Provider {
        name: "ksm.shares",
        help: "whether pages are merged now: yes or no",
        read: Read::Host(pages::ksm_shares),
        refresh: Refresh::Seconds(60),
    },
    Provider {
        name: "ksm.enablers",
        help: "what turns merging of pages on at boot",
        read: Read::Host(pages::ksm_enablers),
        refresh: Refresh::Paths,
    },
    Provider {
        name: "hugetlbfs.open",
        help: "what users that are neither owner nor in the group can reach below huge pages' mounts",
        read: Read::Host(pages::hugetlbfs_open),
        refresh: Refresh::Seconds(60),
    },
    Provider {
        name: "swap",
        help: "every area that is swapped to: encrypted, memory or plain",
        read: Read::Host(swap::now),
        refresh: Refresh::Seconds(30),
    },
    Provider {
        name: "swap.next",
        help: "every area of /etc/fstab that is swapped to after the next boot: encrypted, memory or plain",
        read: Read::Host(swap::next),
        refresh: Refresh::Paths,
    },
    Provider {
        name: "vms.swap",
        help: "VMs whose cgroups may swap; absent without VMs",
        read: Read::Host(swap::vms),
        refresh: Refresh::Vms,
    },
    Provider {
        name: "meminfo",
        help: "a line of /proc/meminfo, such as MemTotal, in bytes",
        read: Read::Host(meminfo),
        refresh: Refresh::Seconds(60),
    },
    Provider {
        name: "edac.controllers",
        help: "how many memory controllers report errors",
        read: Read::Host(|gather, _| edac(gather, |_| Ok(1))),
        refresh: Refresh::Seconds(300),
    },
    Provider {
        name: "edac.uncorrected",
        help: "errors that memory controllers could not correct since boot",
        read: Read::Host(|gather, _| edac(gather, |folder| number(gather, &format!("{folder}/ue_count")))),
        refresh: Refresh::Seconds(60),
    },
];

fn meminfo(gather: &Gather, name: &str) -> Found {
    const PATH: &str = "/proc/meminfo";
    let text = match gather.text(PATH) {
        Ok(text) => text,
        Err(why) => return Found::unavailable(why, PATH),
    };
    let kib = |line: &str| {
        let (key, value) = line.split_once(':')?;
        let value = value.trim().strip_suffix(" kB")?;
        (key == name).then(|| value.trim().parse::<i64>().ok()).flatten()
    };
    let bytes = text.lines().find_map(kib).map(|kib| kib.saturating_mul(1_024));
    Found::either(bytes.ok_or(Unavailable::Absent), PATH)
}

const EDAC: &str = "/sys/devices/system/edac/mc";

/// Something of every memory controller, added up.
fn edac(gather: &Gather, of: impl Fn(&str) -> Result<i64, Unavailable>) -> Found {
    let names = match gather.list(EDAC) {
        Ok(names) => names,
        Err(why) => return Found::unavailable(super::kernel::believed(gather, why, EDAC), EDAC),
    };
    let is_controller = |name: &&String| {
        name.strip_prefix("mc")
            .is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_digit()))
    };
    let mut sum: Option<i64> = None;
    for name in names.iter().filter(is_controller) {
        match of(&format!("{EDAC}/{name}")) {
            Ok(number) => sum = Some(sum.unwrap_or(0).saturating_add(number)),
            Err(why) => return Found::unavailable(why, format!("{EDAC}/{name}")),
        }
    }
    Found::either(sum.ok_or(Unavailable::Absent), EDAC)
}

fn number(gather: &Gather, path: &str) -> Result<i64, Unavailable> {
    let text = gather.text(path)?;
    text.trim().parse().map_err(|_| Unavailable::Malformed(format!("{path} is no number")))
}

#[cfg(test)]
mod tests {
    use super::super::kernel::tests::host;
    use super::*;
    use crate::checks::fact::Value;
    use crate::checks::facts::provider;

    #[test]
    fn meminfo_is_in_bytes() {
        let (_folder, gather) = host(&[("/proc/meminfo", "MemTotal:       2048 kB\nHugePages_Total:   3\n")]);
        assert_eq!(meminfo(&gather, "MemTotal").value, Ok(Value::Int(2 << 20)));
        assert_eq!(meminfo(&gather, "HugePages_Total").value, Err(Unavailable::Absent), "no size");
    }

    #[test]
    fn errors_of_all_controllers_are_added_up() {
        let (_folder, gather) = host(&[
            ("/sys/devices/system/edac/mc/mc0/ue_count", "0\n"),
            ("/sys/devices/system/edac/mc/mc1/ue_count", "2\n"),
            ("/sys/devices/system/edac/mc/power/control", "auto\n"),
        ]);
        let found = |name: &str| {
            let Some(Read::Host(read)) = provider(name).map(|p| p.read) else { panic!("{name}") };
            read(&gather, "").value
        };
        assert_eq!(found("edac.controllers"), Ok(Value::Int(2)));
        assert_eq!(found("edac.uncorrected"), Ok(Value::Int(2)));
        let (_folder, none) = host(&[("/sys/devices/system/edac/mc/power/control", "auto\n")]);
        assert_eq!(edac(&none, |_| Ok(1)).value, Err(Unavailable::Absent));
        let (_folder, bare) = host(&[("/etc/x", "")]);
        assert!(matches!(edac(&bare, |_| Ok(1)).value, Err(Unavailable::NotExposed(_))));
    }
}
