//! What is known of the host and its VMs without reading much: how many VMs, how many tenants, bare metal or not.

use super::{Provider, Read, Refresh};
use crate::checks::fact::{Found, Unavailable};
use crate::checks::facts::Gather;
use std::collections::BTreeSet;

/// Facts about the host as a whole.
pub const PROVIDERS: &[Provider] = &[
    Provider {
        name: "vms.list",
        help: "every VM, as `name (pid N)`",
        read: Read::Host(list),
        refresh: Refresh::Vms,
    },
    Provider { name: "vms.count", help: "how many VMs", read: Read::Host(count), refresh: Refresh::Vms },
    Provider {
        name: "vms.tenants",
        help: "how many tenants have VMs here; VMs without a known tenant count as strangers to each other",
        read: Read::Host(tenants),
        refresh: Refresh::Vms,
    },
    Provider {
        name: "host.hypervisor",
        help: "yes when the host is itself a guest: cpuid's hypervisor bit",
        read: Read::Host(hypervisor),
        refresh: Refresh::Paths,
    },
    Provider {
        name: "host.kvm",
        help: "whether the kernel can run VMs: yes or no",
        read: Read::Host(kvm),
        refresh: Refresh::Paths,
    },
    Provider {
        name: "host.arch",
        help: "the machine, as uname(2) has it",
        read: Read::Host(arch),
        refresh: Refresh::Paths,
    },
];

const VMS: &str = "discovery of VMs";

fn list(gather: &Gather, _: &str) -> Found {
    let mut names: Vec<String> = gather.vms().iter().map(ToString::to_string).collect();
    names.sort_unstable();
    Found::value(names, VMS)
}

fn count(gather: &Gather, _: &str) -> Found {
    Found::value(i64::try_from(gather.vms().len()).unwrap_or(i64::MAX), VMS)
}

fn tenants(gather: &Gather, _: &str) -> Found {
    let named: BTreeSet<&str> =
        gather.vms().iter().map(|vm| vm.tenant.as_str()).filter(|tenant| !tenant.is_empty()).collect();
    let strangers = gather.vms().iter().filter(|vm| vm.tenant.is_empty()).count();
    Found::value(i64::try_from(named.len() + strangers).unwrap_or(i64::MAX), VMS)
}

fn hypervisor(gather: &Gather, _: &str) -> Found {
    const PATH: &str = "/proc/cpuinfo";
    let text = match gather.text(PATH) {
        Ok(text) => text,
        Err(why) => return Found::unavailable(why, PATH),
    };
    let flags = text.lines().find(|line| line.starts_with("flags"));
    match flags {
        Some(flags) => Found::value(flags.split_whitespace().any(|flag| flag == "hypervisor"), PATH),
        None => Found::unavailable(
            Unavailable::NotExposed("no `flags` line on this architecture".to_owned()),
            PATH,
        ),
    }
}

fn kvm(gather: &Gather, _: &str) -> Found {
    // Whatever drives it (kvm_intel, kvm_amd, or built in on other architectures) has this above it.
    const PATH: &str = "/sys/module/kvm";
    match gather.meta(PATH) {
        Ok(_) => Found::value(true, PATH),
        Err(Unavailable::Absent) if gather.host().meta("/sys/module").is_ok() => Found::value(false, PATH),
        Err(why) => Found::unavailable(why, PATH),
    }
}

fn arch(gather: &Gather, _: &str) -> Found {
    // A recorded host is judged by what it recorded: the file is newer than most (6.1), so its absence is no surprise.
    const PATH: &str = "/proc/sys/kernel/arch";
    if let Ok(text) = gather.text(PATH) {
        return Found::value(text, PATH);
    }
    if !gather.host().is_live() {
        return Found::unavailable(Unavailable::Absent, PATH);
    }
    match nix::sys::utsname::uname() {
        Ok(name) => Found::value(name.machine().to_string_lossy().into_owned(), "uname(2)"),
        Err(errno) => Found::unavailable(crate::checks::host::why(errno, "uname(2)"), "uname(2)"),
    }
}
