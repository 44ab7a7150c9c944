//! What a sysctl is when nothing sets it. Only what the kernel documents, and where distributions' kernels agree.

use super::built;
use crate::checks::fact::Found;
use crate::checks::facts::Gather;

/// The default of a sysctl, where it is certain.
pub(super) fn of(gather: &Gather, name: &str) -> Option<Found> {
    if let Ok(at) = ALWAYS.binary_search_by_key(&name, |(known, _)| known) {
        return Some(Found::value(ALWAYS[at].1, "the kernel's default"));
    }
    let (_, option, with, without) = BUILT.iter().find(|(known, ..)| *known == name)?;
    let option_is = built::option(gather, option).ok()?;
    let value = if option_is.as_deref() == Some("y") { with } else { without };
    Some(Found::value(*value, format!("the kernel's default, by {option}")))
}

/// Sorted by name. Sources: Documentation/admin-guide/sysctl, Documentation/networking/ip-sysctl.rst.
const ALWAYS: &[(&str, &str)] = &[
    ("fs.protected_fifos", "0"),
    ("fs.protected_hardlinks", "0"),
    ("fs.protected_regular", "0"),
    ("fs.protected_symlinks", "0"),
    ("fs.suid_dumpable", "0"),
    ("kernel.core_pattern", "core"),
    ("kernel.core_uses_pid", "0"),
    ("kernel.io_uring_disabled", "0"),
    ("kernel.kexec_load_disabled", "0"),
    ("kernel.kptr_restrict", "0"),
    ("kernel.modules_disabled", "0"),
    ("net.core.bpf_jit_harden", "0"),
    ("net.ipv4.conf.all.accept_redirects", "1"),
    ("net.ipv4.conf.all.accept_source_route", "0"),
    ("net.ipv4.conf.all.log_martians", "0"),
    ("net.ipv4.conf.all.rp_filter", "0"),
    ("net.ipv4.conf.all.secure_redirects", "1"),
    ("net.ipv4.conf.all.send_redirects", "1"),
    ("net.ipv4.icmp_echo_ignore_broadcasts", "1"),
    ("net.ipv4.icmp_ignore_bogus_error_responses", "1"),
    ("net.ipv4.ip_forward", "0"),
    ("net.ipv6.conf.all.accept_redirects", "1"),
    ("net.ipv6.conf.all.forwarding", "0"),
    ("vm.unprivileged_userfaultfd", "0"),
];

/// Those that an option decides: name, option, the default with it, and without it.
const BUILT: &[(&str, &str, &str, &str)] = &[
    ("dev.tty.ldisc_autoload", "CONFIG_LDISC_AUTOLOAD", "1", "0"),
    ("kernel.dmesg_restrict", "CONFIG_SECURITY_DMESG_RESTRICT", "1", "0"),
    ("kernel.perf_event_paranoid", "CONFIG_SECURITY_PERF_EVENTS_RESTRICT", "3", "2"),
    ("kernel.randomize_va_space", "CONFIG_COMPAT_BRK", "1", "2"),
    ("kernel.unprivileged_bpf_disabled", "CONFIG_BPF_UNPRIV_DEFAULT_OFF", "2", "0"),
    ("net.ipv4.tcp_syncookies", "CONFIG_SYN_COOKIES", "1", "0"),
];

#[cfg(test)]
mod tests {
    use super::super::tests::host;
    use super::*;
    use crate::checks::fact::Value;

    #[test]
    fn defaults_are_found() {
        assert!(ALWAYS.is_sorted_by_key(|(name, _)| name), "looked up by halves");
        let (_folder, gather) = host(&[
            ("/proc/sys/kernel/osrelease", "6.1.0-1\n"),
            (
                "/boot/config-6.1.0-1",
                "# Linux/x86 6.1.76 Kernel Configuration\nCONFIG_BPF_UNPRIV_DEFAULT_OFF=y\n",
            ),
        ]);
        let value = |name: &str| of(&gather, name).map(|found| found.value);
        assert_eq!(value("kernel.unprivileged_bpf_disabled"), Some(Ok(Value::from("2"))));
        assert_eq!(value("kernel.randomize_va_space"), Some(Ok(Value::from("2"))));
        assert_eq!(value("net.ipv4.ip_forward"), Some(Ok(Value::from("0"))));
        assert_eq!(value("kernel.core_pattern"), Some(Ok(Value::from("core"))));
        assert_eq!(value("user.max_user_namespaces"), None, "it depends on how much memory there is");
    }
}
