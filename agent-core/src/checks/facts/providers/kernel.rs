//! The running kernel: sysctls, and whatever `/sys` and `/proc` tell in files of one line. What it was built with, what
//! it will be set to, its modules and security modules are in the modules below.

mod built;
mod defaults;
mod dropins;
mod dumps;
mod modules;
mod mounts;
mod persisted;
mod security;

use super::{Provider, Read, Refresh};
use crate::checks::fact::{Found, Unavailable, Value};
use crate::checks::facts::Gather;

pub(super) use built::release;
pub(super) use dropins::files as drop_ins;
pub(super) use modules::parameter;
pub(super) use mounts::{mounts, of_kind};
pub use persisted::merged as sysctl_layers;
pub(super) use security::securityfs;

/// Facts about the running kernel.
pub const PROVIDERS: &[Provider] = &[
    Provider {
        name: "sysctl",
        help: "a sysctl of the running kernel, such as kernel.kptr_restrict; with * for all of a folder",
        read: Read::Host(sysctl),
        refresh: Refresh::Paths,
    },
    Provider {
        name: "file",
        help: "a small text file below /sys or /proc, as one text",
        read: Read::Host(file),
        refresh: Refresh::Paths,
    },
    Provider {
        name: "cpu-vuln",
        help: "what the kernel says of one CPU vulnerability, or with * of all",
        read: Read::Host(cpu_vuln),
        refresh: Refresh::Paths,
    },
    Provider {
        name: "sysctl.d",
        help: "what a sysctl will be after the next boot: the line of sysctl.d(5) that wins, \
               the kernel's command line, or the kernel's documented default",
        read: Read::Host(persisted::sysctl_d),
        refresh: Refresh::Paths,
    },
    Provider {
        name: "kconfig",
        help: "an option that the running kernel was built with, such as CONFIG_KSM: y, m, n or its value; another \
               kernel's configuration is never taken for it",
        read: Read::Host(built::kconfig),
        refresh: Refresh::Paths,
    },
    Provider {
        name: "kernel.release",
        help: "what uname -r says",
        read: Read::Host(built::release_fact),
        refresh: Refresh::Paths,
    },
    Provider {
        name: "kernel.tainted",
        help: "what tainted the running kernel, each as its bit and what it means",
        read: Read::Host(tainted),
        refresh: Refresh::Seconds(60),
    },
    Provider {
        name: "module",
        help: "loaded, built-in or not-loaded",
        read: Read::Host(modules::module),
        refresh: Refresh::Seconds(60),
    },
    Provider {
        name: "modprobe.d",
        help: "what becomes of a module when it is asked for: blocked, blacklisted, replaced, built-in, not-there, \
               open",
        read: Read::Host(modules::modprobe_d),
        refresh: Refresh::Paths,
    },
    Provider {
        name: "module.param",
        help: "a parameter of a loaded module, such as kvm.ignore_msrs",
        read: Read::Host(modules::module_param),
        refresh: Refresh::Paths,
    },
    Provider {
        name: "module.param.next",
        help: "what a parameter of a module will be when the module is loaded next",
        read: Read::Host(modules::module_param_next),
        refresh: Refresh::Paths,
    },
    Provider {
        name: "lsm",
        help: "the security modules in force",
        read: Read::Host(security::lsm),
        refresh: Refresh::Paths,
    },
    Provider {
        name: "lockdown",
        help: "none, integrity or confidentiality",
        read: Read::Host(security::lockdown),
        refresh: Refresh::Paths,
    },
    Provider {
        name: "selinux.config",
        help: "a setting of /etc/selinux/config, such as SELINUX",
        read: Read::Host(security::selinux_config),
        refresh: Refresh::Paths,
    },
    Provider {
        name: "apparmor.profiles",
        help: "the mode of each loaded profile whose name is like this",
        read: Read::Host(security::apparmor_profiles),
        refresh: Refresh::Seconds(60),
    },
    Provider {
        name: "coredump.conf",
        help: "a setting of coredump.conf(5), such as Storage; absent where systemd's default holds",
        read: Read::Host(dumps::setting),
        refresh: Refresh::Paths,
    },
    Provider {
        name: "mount.modes",
        help: "every mount of a file system type, with its permission bits",
        read: Read::Host(mounts::modes),
        refresh: Refresh::Seconds(60),
    },
];

/// Bytes of a file that holds one value. Reading `/proc/sys` costs the kernel a buffer of what is asked for.
const VALUE_BYTES_MAX: usize = 4_096;

/// Where the kernel says what it thinks of the processor.
const VULNERABILITIES: &str = "/sys/devices/system/cpu/vulnerabilities";

fn sysctl(gather: &Gather, name: &str) -> Found {
    // A name may hold slashes where a part has a dot in it, as an interface's may: sysctl(8).
    let path = if name.contains('/') {
        format!("/proc/sys/{name}")
    } else {
        format!("/proc/sys/{}", name.replace('.', "/"))
    };
    values(gather, &path)
}

fn cpu_vuln(gather: &Gather, name: &str) -> Found {
    let mut found = values(gather, &format!("{VULNERABILITIES}/{name}"));
    let unclear = match &found.value {
        // The kernel itself does not know, which is no verdict: "Unknown: Dependent on hypervisor status".
        Ok(Value::Text(text)) if text.starts_with("Unknown") => format!("the kernel says \"{text}\""),
        Err(Unavailable::Absent) if gather.host().meta(VULNERABILITIES).is_ok() => {
            "this kernel does not know the flaw; it may be older than its discovery".to_owned()
        }
        _ => return found,
    };
    found.value = Err(Unavailable::NotExposed(unclear));
    found
}

fn file(gather: &Gather, path: &str) -> Found {
    if !(path.starts_with("/sys/") || path.starts_with("/proc/")) || path.contains("/../") {
        let why = "only files below /sys and /proc are read whole".to_owned();
        return Found::unavailable(Unavailable::NotExposed(why), path);
    }
    values(gather, path)
}

/// The value of one file, or of all that a path with one `*` part names.
pub(super) fn values(gather: &Gather, path: &str) -> Found {
    if path.contains('*') {
        return match expand(gather, path) {
            Ok(paths) => several(gather, path, paths),
            Err(why) => Found::unavailable(believed(gather, why, path), path),
        };
    }
    match value(gather, path) {
        Ok(text) => Found::value(text.as_str(), path).with_raw(&text),
        Err(why) => Found::unavailable(believed(gather, why, path), path),
    }
}

/// Absence is believed only where the tree that the file would be in is there: a recording without it, or a container
/// that hides it, says nothing.
pub(super) fn believed(gather: &Gather, why: Unavailable, path: &str) -> Unavailable {
    let tree: Vec<&str> = path.split('/').take(3).collect();
    let tree = tree.join("/");
    if why == Unavailable::Absent
        && tree.len() < path.len()
        && gather.host().meta(&tree) == Err(Unavailable::Absent)
    {
        return Unavailable::NotExposed(format!("{tree} is not there"));
    }
    why
}

fn several(gather: &Gather, pattern: &str, paths: Vec<(String, String)>) -> Found {
    let mut map = Vec::with_capacity(paths.len());
    for (name, path) in paths {
        match value(gather, &path) {
            Ok(text) => map.push((name, text.trim().to_owned())),
            // One that is not there, or went meanwhile, is none; one that is closed makes the whole unknown.
            Err(Unavailable::Absent) => {}
            Err(why) => return Found::unavailable(why, path),
        }
    }
    if map.is_empty() { Found::unavailable(Unavailable::Absent, pattern) } else { Found::value(map, pattern) }
}

/// The paths that a path with `*` in one of its parts names, each with what the star stands for.
///
/// # Errors
/// When the folder cannot be listed.
pub(super) fn expand(gather: &Gather, pattern: &str) -> Result<Vec<(String, String)>, Unavailable> {
    let parts: Vec<&str> = pattern.split('/').collect();
    let Some(star) = parts.iter().position(|part| part.contains('*')) else {
        return Ok(vec![(String::new(), pattern.to_owned())]);
    };
    let folder = parts[..star].join("/");
    let rest = parts[star + 1..].join("/");
    let names = gather.list(&folder)?;
    let matching = names.into_iter().filter(|name| crate::checks::pattern::like(parts[star], name));
    let path = |name: &str| {
        if rest.is_empty() { format!("{folder}/{name}") } else { format!("{folder}/{name}/{rest}") }
    };
    Ok(matching.map(|name| (name.clone(), path(&name))).collect())
}

fn value(gather: &Gather, path: &str) -> Result<String, Unavailable> {
    let bytes = gather.read(path, VALUE_BYTES_MAX)?.bytes;
    Ok(String::from_utf8_lossy(&bytes).trim_end().to_owned())
}

/// A value as the kernel marks the chosen one among several: `a [b] c`.
#[must_use]
pub fn chosen(text: &str) -> Option<Value> {
    let (_, rest) = text.split_once('[')?;
    rest.split_once(']').map(|(word, _)| Value::from(word))
}

/// The bits of `kernel.tainted` in their order (tainted-kernels.rst).
const TAINTS: [&str; 20] = [
    "proprietary module",
    "module loaded by force",
    "processor out of specification",
    "module unloaded by force",
    "machine check",
    "bad page",
    "asked for by a user",
    "the kernel died",
    "ACPI table overridden",
    "warning",
    "staging driver",
    "firmware workaround",
    "out-of-tree module",
    "unsigned module",
    "soft lockup",
    "live patch",
    "distribution's own",
    "randomised structures",
    "in-kernel test",
    "fwctl debug write",
];

fn tainted(gather: &Gather, _: &str) -> Found {
    const PATH: &str = "/proc/sys/kernel/tainted";
    let text = match value(gather, PATH) {
        Ok(text) => text,
        Err(why) => return Found::unavailable(believed(gather, why, PATH), PATH),
    };
    let Ok(bits) = text.trim().parse::<u64>() else {
        return Found::unavailable(Unavailable::Malformed(format!("\"{text}\" is no number")), PATH);
    };
    let set = (0..u64::BITS).filter(|bit| bits & (1 << bit) != 0);
    let named = set.map(|bit| {
        let what = usize::try_from(bit).ok().and_then(|bit| TAINTS.get(bit)).unwrap_or(&"unknown");
        format!("{bit} {what}")
    });
    Found::value(named.collect::<Vec<_>>(), PATH).with_raw(&text)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::checks::host::HostFiles;
    use crate::config::Roots;
    use crate::sys::clock::Clock;

    /// A recorded host of these files.
    pub(in crate::checks::facts::providers) fn host(files: &[(&str, &str)]) -> (tempfile::TempDir, Gather) {
        let folder = tempfile::tempdir().expect("a folder");
        for (path, text) in files {
            let path = folder.path().join(path.trim_start_matches('/'));
            std::fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
            std::fs::write(path, text).expect("a file");
        }
        let gather = Gather::new(HostFiles::new(Roots::below(folder.path())), Clock::System);
        (folder, gather)
    }

    #[test]
    fn absence_is_believed_only_where_its_tree_is_there() {
        let (_folder, there) = host(&[("/proc/sys/kernel/osrelease", "6.1.0\n")]);
        assert_eq!(sysctl(&there, "kernel.kexec_load_disabled").value, Err(Unavailable::Absent));
        let (_folder, bare) = host(&[("/proc/cpuinfo", "")]);
        let found = sysctl(&bare, "kernel.kexec_load_disabled").value;
        assert!(matches!(found, Err(Unavailable::NotExposed(_))), "{found:?}");
        assert!(matches!(file(&bare, "/sys/kernel/mm/ksm/run").value, Err(Unavailable::NotExposed(_))));
    }

    #[test]
    fn what_the_kernel_does_not_know_of_the_processor_is_no_verdict() {
        let (_folder, gather) = host(&[
            ("/sys/devices/system/cpu/vulnerabilities/mds", "Not affected\n"),
            ("/sys/devices/system/cpu/vulnerabilities/srbds", "Unknown: Dependent on hypervisor status\n"),
        ]);
        assert_eq!(cpu_vuln(&gather, "mds").value, Ok(Value::from("Not affected")));
        assert!(matches!(cpu_vuln(&gather, "srbds").value, Err(Unavailable::NotExposed(_))));
        assert!(
            matches!(cpu_vuln(&gather, "vmscape").value, Err(Unavailable::NotExposed(_))),
            "older kernel"
        );
        let all = cpu_vuln(&gather, "*").value.expect("a map");
        assert_eq!(all.map().map(<[_]>::len), Some(2));
    }

    #[test]
    fn the_running_host_tells_of_itself() {
        let gather = Gather::new(HostFiles::new(Roots::default()), Clock::System);
        let uname = nix::sys::utsname::uname().expect("uname");
        assert_eq!(release(&gather), Ok(uname.release().to_string_lossy().into_owned()));
        assert_eq!(sysctl(&gather, "kernel.ostype").value, Ok(Value::from("Linux")));
        let mounts = mounts(&gather);
        let (_, mounts) = mounts.as_ref().as_ref().expect("mounts");
        assert!(mounts.iter().any(|mount| mount.target == "/"), "{mounts:?}");
        // Whatever it was built with, KVM or not, the options are those of this kernel or unknown.
        let option = built::option(&gather, "CONFIG_PROC_FS");
        assert!(matches!(option.as_ref().map(Option::as_deref), Ok(Some("y")) | Err(_)), "{option:?}");
    }

    #[test]
    fn taints_are_named() {
        let (_folder, gather) = host(&[("/proc/sys/kernel/tainted", "12288\n")]);
        let found = tainted(&gather, "").value.expect("a list");
        assert_eq!(
            found.list(),
            Some(&["12 out-of-tree module".to_owned(), "13 unsigned module".into()][..])
        );
        let (_folder, clean) = host(&[("/proc/sys/kernel/tainted", "0\n")]);
        assert_eq!(tainted(&clean, "").value, Ok(Value::List(Vec::new())));
    }
}
