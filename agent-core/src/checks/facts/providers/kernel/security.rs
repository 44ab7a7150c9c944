//! The kernel's security modules: which are in force, and in which state.

use super::{built, chosen};
use crate::checks::fact::{Found, Unavailable, Value};
use crate::checks::facts::Gather;
use crate::checks::parse::etc::shell;
use crate::checks::pattern::like;

const FOLDER: &str = "/sys/kernel/security";
const LSM: &str = "/sys/kernel/security/lsm";

pub(super) fn lsm(gather: &Gather, _: &str) -> Found {
    match gather.text(LSM) {
        Ok(text) => return Found::value(split(&text), LSM).with_raw(&text),
        Err(Unavailable::Absent) => {}
        Err(why) => return Found::unavailable(why, LSM),
    }
    if let Ok(None | Some("n")) = built::option(gather, "CONFIG_SECURITY").as_ref().map(Option::as_deref) {
        return Found::value(Value::List(Vec::new()), "CONFIG_SECURITY");
    }
    // The file system is a matter of mounting; the kernel tells a program directly since 6.8.
    if gather.host().is_live()
        && let Ok(names) = crate::sys::lsm::active()
    {
        let named =
            |id: &u64| NAMES.iter().find(|(known, _)| known == id).map_or("unknown", |(_, name)| name);
        return Found::value(
            names.iter().map(|id| named(id).to_owned()).collect::<Vec<_>>(),
            "lsm_list_modules(2)",
        );
    }
    Found::unavailable(unmounted(), LSM)
}

/// `LSM_ID_*` of `linux/lsm.h`.
const NAMES: [(u64, &str); 14] = [
    (100, "capability"),
    (101, "selinux"),
    (102, "smack"),
    (103, "tomoyo"),
    (104, "apparmor"),
    (105, "yama"),
    (106, "loadpin"),
    (107, "safesetid"),
    (108, "lockdown"),
    (109, "bpf"),
    (110, "landlock"),
    (111, "ima"),
    (112, "evm"),
    (113, "ipe"),
];

fn unmounted() -> Unavailable {
    Unavailable::NotExposed(format!("{FOLDER} is empty; mount -t securityfs securityfs {FOLDER}"))
}

/// What it means that a file of securityfs is absent: nothing, where it is not mounted.
pub(in super::super) fn securityfs(gather: &Gather, why: Unavailable) -> Unavailable {
    let mounted = gather.host().list(FOLDER).is_ok_and(|names| !names.is_empty());
    if why == Unavailable::Absent && !mounted { unmounted() } else { why }
}

fn split(text: &str) -> Vec<String> {
    text.trim().split(',').filter(|name| !name.is_empty()).map(str::to_owned).collect()
}

pub(super) fn lockdown(gather: &Gather, _: &str) -> Found {
    const PATH: &str = "/sys/kernel/security/lockdown";
    match gather.text(PATH) {
        Ok(text) => {
            let word = chosen(&text);
            let word = word
                .ok_or_else(|| Unavailable::Malformed(format!("no word of \"{}\" is chosen", text.trim())));
            Found::either(word, PATH).with_raw(&text)
        }
        Err(Unavailable::Absent) => unlisted(gather),
        Err(why) => Found::unavailable(why, PATH),
    }
}

/// Not there, because it is not in force or because the file system is not mounted?
fn unlisted(gather: &Gather) -> Found {
    let others = lsm(gather, "");
    let Ok(Value::List(names)) = &others.value else { return Found::unavailable(unmounted(), FOLDER) };
    if !names.iter().any(|name| name == "lockdown") {
        return Found::unavailable(Unavailable::Absent, others.source);
    }
    // What the kernel was built to start with can be raised, and never lowered.
    let forced = [
        ("CONFIG_LOCK_DOWN_KERNEL_FORCE_CONFIDENTIALITY", "confidentiality"),
        ("CONFIG_LOCK_DOWN_KERNEL_FORCE_INTEGRITY", "integrity"),
    ];
    let is_on = |option: &str| matches!(built::option(gather, option), Ok(Some(value)) if value == "y");
    match forced.into_iter().find(|(option, _)| is_on(option)) {
        Some((option, word)) => Found::value(word, option),
        None => Found::unavailable(unmounted(), FOLDER),
    }
}

pub(super) fn selinux_config(gather: &Gather, name: &str) -> Found {
    const PATH: &str = "/etc/selinux/config";
    let text = match gather.text(PATH) {
        Ok(text) => text,
        Err(why) => return Found::unavailable(why, PATH),
    };
    let (assignments, _) = shell::parse(&text);
    match shell::last(&assignments, name) {
        Some((value, line)) => Found::value(value, format!("{PATH}:{line}")),
        None => Found::unavailable(Unavailable::Absent, PATH),
    }
}

pub(super) fn apparmor_profiles(gather: &Gather, pattern: &str) -> Found {
    const PATH: &str = "/sys/kernel/security/apparmor/profiles";
    let text = match gather.text(PATH) {
        Ok(text) => text,
        Err(why) => return Found::unavailable(securityfs(gather, why), PATH),
    };
    // `name (mode)`; a name may hold blanks and parentheses itself.
    let profile = |line: &str| {
        let (name, mode) = line.trim_end().strip_suffix(')')?.rsplit_once(" (")?;
        like(pattern, name).then(|| (name.to_owned(), mode.to_owned()))
    };
    let mut profiles: Vec<(String, String)> = text.lines().filter_map(profile).collect();
    profiles.sort_unstable();
    Found::value(profiles, PATH)
}

#[cfg(test)]
mod tests {
    use super::super::tests::host;
    use super::*;

    #[test]
    fn lockdown_is_the_word_in_brackets() {
        let (_folder, gather) =
            host(&[("/sys/kernel/security/lockdown", "none [integrity] confidentiality\n")]);
        assert_eq!(lockdown(&gather, "").value, Ok(Value::from("integrity")));
        let (_folder, odd) = host(&[("/sys/kernel/security/lockdown", "none integrity\n")]);
        assert!(matches!(lockdown(&odd, "").value, Err(Unavailable::Malformed(_))));
    }

    #[test]
    fn what_is_not_mounted_is_not_absent() {
        let (_folder, unmounted) = host(&[("/sys/kernel/mm/ksm/run", "0\n")]);
        assert!(matches!(lockdown(&unmounted, "").value, Err(Unavailable::NotExposed(_))));
        assert!(matches!(lsm(&unmounted, "").value, Err(Unavailable::NotExposed(_))));
        let (_folder, without) = host(&[("/sys/kernel/security/lsm", "capability,yama,apparmor")]);
        assert_eq!(lockdown(&without, "").value, Err(Unavailable::Absent), "the list does not have it");
        assert_eq!(lsm(&without, "").value.expect("a list").list().map(<[_]>::len), Some(3));
        let (_folder, with) = host(&[("/sys/kernel/security/lsm", "lockdown,capability")]);
        assert!(
            matches!(lockdown(&with, "").value, Err(Unavailable::NotExposed(_))),
            "in force, and not told how"
        );
        let (_folder, forced) = host(&[
            ("/sys/kernel/security/lsm", "lockdown,capability"),
            ("/proc/sys/kernel/osrelease", "6.1.0\n"),
            ("/boot/config-6.1.0", "CONFIG_LOCK_DOWN_KERNEL_FORCE_INTEGRITY=y\n"),
        ]);
        assert_eq!(lockdown(&forced, "").value, Ok(Value::from("integrity")), "never lowered");
    }

    #[test]
    fn a_kernel_without_security_modules_has_none() {
        let (_folder, gather) = host(&[
            ("/proc/sys/kernel/osrelease", "6.1.0\n"),
            ("/boot/config-6.1.0", "CONFIG_KVM=y\n# CONFIG_SECURITY is not set\n"),
        ]);
        assert_eq!(lsm(&gather, "").value, Ok(Value::List(Vec::new())));
    }

    #[test]
    fn profiles_are_found_by_pattern() {
        let (_folder, gather) = host(&[(
            "/sys/kernel/security/apparmor/profiles",
            "libvirtd (enforce)\nlibvirt-1-2 (complain)\n/usr/lib/a (b) c (unconfined)\n",
        )]);
        let found = apparmor_profiles(&gather, "*libvirt*").value.expect("a map");
        assert_eq!(found.to_string(), "libvirt-1-2=complain, libvirtd=enforce");
        let other = apparmor_profiles(&gather, "/usr/lib/*").value.expect("a map");
        assert_eq!(other.to_string(), "/usr/lib/a (b) c=unconfined");
        assert_eq!(apparmor_profiles(&gather, "none*").value, Ok(Value::Map(Vec::new())));
    }

    #[test]
    fn selinux_is_configured_by_the_last_line() {
        let (_folder, gather) =
            host(&[("/etc/selinux/config", "# SELINUX=disabled\nSELINUX=enforcing\nSELINUXTYPE=targeted\n")]);
        let found = selinux_config(&gather, "SELINUX");
        assert_eq!((found.value, &*found.source), (Ok(Value::from("enforcing")), "/etc/selinux/config:2"));
    }
}
