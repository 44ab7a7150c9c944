//! The processor: its protections, microcode, and KVM's own switches.

use super::kernel::{believed, expand, parameter};
use super::{Provider, Read, Refresh};
use crate::checks::fact::{Found, Unavailable};
use crate::checks::facts::{Gather, provider};
use std::collections::BTreeSet;

/// Facts of this module.
pub const PROVIDERS: &[Provider] = &[
    Provider {
        name: "cpu.flags",
        help: "what every processor has and the kernel uses, as /proc/cpuinfo has it",
        read: Read::Host(flags),
        refresh: Refresh::Paths,
    },
    Provider {
        name: "microcode.versions",
        help: "the microcode's versions that processors run, each once",
        read: Read::Host(versions),
        refresh: Refresh::Seconds(300),
    },
    Provider {
        name: "microcode.distinct",
        help: "how many different versions of microcode processors run",
        read: Read::Host(distinct),
        refresh: Refresh::Seconds(300),
    },
    Provider {
        name: "microcode.installed",
        help: "whether the folder that the kernel loads this processor's microcode from is there",
        read: Read::Host(installed),
        refresh: Refresh::Paths,
    },
    Provider {
        name: "kvm.param",
        help: "a parameter of the module that drives this processor's virtualisation, such as nested",
        read: Read::Host(|gather, name| {
            of_vendor(gather, |module| parameter(gather, &format!("{module}.{name}")))
        }),
        refresh: Refresh::Paths,
    },
    Provider {
        name: "kvm.param.next",
        help: "what such a parameter will be when the module is loaded next",
        read: Read::Host(kvm_next),
        refresh: Refresh::Paths,
    },
];

const CPUINFO: &str = "/proc/cpuinfo";

/// The value of the first line of a name in `/proc/cpuinfo`.
fn line(gather: &Gather, name: &str) -> Result<String, Unavailable> {
    let text = gather.text(CPUINFO)?;
    let value = |line: &str| {
        let (key, value) = line.split_once(':')?;
        (key.trim() == name).then(|| value.trim().to_owned())
    };
    let missing = || Unavailable::NotExposed(format!("no line `{name}` on this architecture"));
    text.lines().find_map(value).ok_or_else(missing)
}

fn flags(gather: &Gather, _: &str) -> Found {
    let flags = line(gather, "flags").map(|flags| flags.split(' ').map(str::to_owned).collect::<Vec<_>>());
    Found::either(flags, CPUINFO)
}

const VERSIONS: &str = "/sys/devices/system/cpu/cpu*/microcode/version";

fn microcode(gather: &Gather) -> Result<Vec<String>, Unavailable> {
    let paths = expand(gather, VERSIONS).map_err(|why| believed(gather, why, VERSIONS))?;
    let mut found = BTreeSet::new();
    for (name, path) in paths {
        // `cpufreq` and `cpuidle` begin so too.
        if !name.trim_start_matches("cpu").bytes().all(|byte| byte.is_ascii_digit()) {
            continue;
        }
        match gather.text(&path) {
            Ok(version) => {
                found.insert(version.trim().to_owned());
            }
            // A processor that is offline, or a guest's.
            Err(Unavailable::Absent) => {}
            Err(why) => return Err(why),
        }
    }
    if found.is_empty() { Err(Unavailable::Absent) } else { Ok(found.into_iter().collect()) }
}

fn versions(gather: &Gather, _: &str) -> Found {
    Found::either(microcode(gather), VERSIONS)
}

fn distinct(gather: &Gather, _: &str) -> Found {
    let found = microcode(gather);
    let raw = found.as_ref().map(|versions| versions.join(", ")).unwrap_or_default();
    let count = found.map(|versions| i64::try_from(versions.len()).unwrap_or(i64::MAX));
    Found::either(count, VERSIONS).with_raw(&raw)
}

fn installed(gather: &Gather, _: &str) -> Found {
    let vendor = match line(gather, "vendor_id") {
        Ok(vendor) => vendor,
        Err(why) => return Found::unavailable(why, CPUINFO),
    };
    let name = match vendor.as_str() {
        "GenuineIntel" => "intel-ucode",
        "AuthenticAMD" | "HygonGenuine" => "amd-ucode",
        other => {
            let why = format!("no microcode is loaded for {other}");
            return Found::unavailable(Unavailable::NotExposed(why), CPUINFO);
        }
    };
    let mut first = None;
    for place in ["/lib/firmware", "/usr/lib/firmware"] {
        let folder = format!("{place}/{name}");
        match gather.list(&folder) {
            Ok(names) if !names.is_empty() => return Found::value("yes", folder),
            Ok(_) | Err(Unavailable::Absent) => {}
            Err(why) => first = first.or(Some(why)),
        }
    }
    match first {
        Some(why) => Found::unavailable(why, name),
        None if gather.host().meta("/usr").is_ok() => Found::value("no", format!("/lib/firmware/{name}")),
        None => Found::unavailable(Unavailable::NotExposed("/usr is not there".to_owned()), name),
    }
}

/// What the first of KVM's two modules for x86 comes to that is loaded.
fn of_vendor(gather: &Gather, read: impl Fn(&str) -> Found) -> Found {
    for module in ["kvm_intel", "kvm_amd"] {
        match gather.meta(&format!("/sys/module/{module}")) {
            Ok(_) => return read(module),
            Err(Unavailable::Absent) => {}
            Err(why) => return Found::unavailable(why, "/sys/module"),
        }
    }
    let why = believed(gather, Unavailable::Absent, "/sys/module/kvm_intel");
    Found::unavailable(why, "/sys/module")
}

fn kvm_next(gather: &Gather, name: &str) -> Found {
    of_vendor(gather, |module| {
        let key = format!("module.param.next:{module}.{name}");
        match provider(&key).map(|provider| provider.read) {
            Some(Read::Host(read)) => read(gather, &format!("{module}.{name}")),
            _ => Found::unavailable(Unavailable::Absent, key),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::super::kernel::tests::host;
    use super::*;
    use crate::checks::fact::Value;

    #[test]
    fn microcode_is_compared_and_what_is_no_processor_is_left_out() {
        let (_folder, gather) = host(&[
            ("/sys/devices/system/cpu/cpu0/microcode/version", "0xf0\n"),
            ("/sys/devices/system/cpu/cpu1/microcode/version", "0xf0\n"),
            ("/sys/devices/system/cpu/cpu10/microcode/version", "0xde\n"),
            ("/sys/devices/system/cpu/cpu2/online", "0\n"),
            ("/sys/devices/system/cpu/cpufreq/microcode/version", "0x1\n"),
        ]);
        let found = distinct(&gather, "");
        assert_eq!((found.value, &*found.raw), (Ok(Value::Int(2)), "0xde, 0xf0"));
        let (_folder, guest) = host(&[("/sys/devices/system/cpu/cpu0/online", "1\n")]);
        assert_eq!(distinct(&guest, "").value, Err(Unavailable::Absent));
        let (_folder, bare) = host(&[("/etc/x", "")]);
        assert!(matches!(distinct(&bare, "").value, Err(Unavailable::NotExposed(_))));
    }

    #[test]
    fn flags_are_whole_words() {
        let (_folder, gather) = host(&[(
            CPUINFO,
            "processor\t: 0\nvendor_id\t: GenuineIntel\nflags\t\t: nx smep smap_x\nflags : none\n",
        )]);
        assert_eq!(flags(&gather, "").value.expect("flags").to_string(), "nx, smep, smap_x");
        assert!(
            matches!(installed(&gather, "").value, Err(Unavailable::NotExposed(_))),
            "/usr is not recorded"
        );
        let (_folder, arm) = host(&[(CPUINFO, "processor\t: 0\nFeatures\t: fp\n")]);
        assert!(matches!(flags(&arm, "").value, Err(Unavailable::NotExposed(_))));
        let (_folder, with) = host(&[
            (CPUINFO, "vendor_id\t: AuthenticAMD\n"),
            ("/lib/firmware/intel-ucode/x", ""),
            ("/usr/lib/y", ""),
        ]);
        assert_eq!(installed(&with, "").value, Ok(Value::from("no")), "another vendor's is none");
    }

    #[test]
    fn kvm_s_parameters_are_those_of_the_loaded_module() {
        let (_folder, gather) = host(&[
            ("/sys/module/kvm_amd/parameters/nested", "0\n"),
            ("/proc/modules", "kvm_amd 1 0 - Live 0x0\n"),
            ("/proc/sys/kernel/osrelease", "6.1.0\n"),
            ("/etc/modprobe.d/k.conf", "options kvm_intel nested=0\n"),
        ]);
        let found = |name: &str| {
            let Some(Read::Host(read)) = provider(name).map(|p| p.read) else { panic!("{name}") };
            read(&gather, "nested")
        };
        assert_eq!(found("kvm.param").value, Ok(Value::from("0")));
        let next = found("kvm.param.next");
        assert_eq!((next.value, &*next.source), (Ok(Value::from("1")), "the kernel's default"));
    }
}
