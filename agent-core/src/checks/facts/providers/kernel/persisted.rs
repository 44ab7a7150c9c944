//! What sysctls will be after the next boot: which line wins, else the kernel's command line, else its own default.

use super::defaults;
use super::dropins;
use crate::checks::fact::{Found, Unavailable};
use crate::checks::facts::Gather;
use crate::checks::facts::providers::boot;
use crate::checks::parse::etc::sysctl_d::{self, Merged};
use std::sync::Arc;

pub(super) fn sysctl_d(gather: &Gather, name: &str) -> Found {
    const SOURCE: &str = "/etc/sysctl.d and its like";
    let merged = match &*merged(gather) {
        Ok(merged) => Arc::clone(merged),
        Err(why) => return Found::unavailable(why.clone(), SOURCE),
    };
    let setting = merged.setting(name);
    if let Some(setting) = &setting
        && let Some(value) = &setting.winner.value
    {
        let origin = &setting.winner.origin;
        let raw: Vec<String> = setting
            .overridden
            .iter()
            .map(|other| {
                let value = other.value.as_deref().unwrap_or("(kept away)");
                format!("{}:{}: {value}, overridden", other.origin.file, other.origin.line)
            })
            .collect();
        let source = format!("{}:{}", origin.file, origin.line);
        return Found::value(value.as_str(), source).with_raw(&raw.join("\n"));
    }
    // `sysctl.x=` is set before init runs, so that sysctl.d(5) has the last word.
    if let Ok(next) = boot::next(gather)
        && let Some((value, source)) = next.sole(&format!("sysctl.{}", name.replace('/', ".")))
    {
        return Found::value(value, source);
    }
    match defaults::of(gather, name) {
        Some(found) => found,
        None => Found::unavailable(Unavailable::Absent, SOURCE),
    }
}

/// What sysctl.d(5) sets at the next boot, with all that is overridden; or why not all of it could be read.
pub fn merged(gather: &Gather) -> Arc<Result<Arc<Merged>, Unavailable>> {
    gather.memo("sysctl.d", |gather| {
        let files = dropins::files(gather, "sysctl.d")?;
        let files: Vec<(&str, &str)> = files.iter().map(|(path, text)| (&**path, &**text)).collect();
        Ok(Arc::new(sysctl_d::merge(&files)))
    })
}

#[cfg(test)]
mod tests {
    use super::super::tests::host;
    use super::*;
    use crate::checks::fact::Value;

    #[test]
    fn the_line_that_wins_is_told_and_those_that_do_not() {
        let (_folder, gather) = host(&[
            ("/usr/lib/sysctl.d/50-default.conf", "kernel.kptr_restrict = 0\n"),
            ("/etc/sysctl.d/60-mine.conf", "# why\nkernel/kptr_restrict=2\n"),
            ("/etc/sysctl.d/99-off.conf.bak", "kernel.kptr_restrict=0\n"),
        ]);
        let found = sysctl_d(&gather, "kernel.kptr_restrict");
        assert_eq!((found.value, &*found.source), (Ok(Value::from("2")), "/etc/sysctl.d/60-mine.conf:2"));
        assert!(found.raw.contains("50-default.conf:1: 0, overridden"), "{}", found.raw);
    }

    #[test]
    fn a_link_to_nothing_masks_and_a_link_to_nowhere_does_not() {
        let (folder, gather) = host(&[
            ("/usr/lib/sysctl.d/50-a.conf", "kernel.kptr_restrict = 2\n"),
            ("/usr/lib/sysctl.d/50-b.conf", "kernel.dmesg_restrict = 1\n"),
            ("/etc/sysctl.d/keep.conf", ""),
        ]);
        let etc = folder.path().join("etc/sysctl.d");
        std::os::unix::fs::symlink("/dev/null", etc.join("50-a.conf")).expect("a link");
        std::os::unix::fs::symlink("../nowhere", etc.join("50-b.conf")).expect("a link");
        let masked = sysctl_d(&gather, "kernel.kptr_restrict");
        assert_eq!((masked.value, &*masked.source), (Ok(Value::from("0")), "the kernel's default"));
        assert_eq!(sysctl_d(&gather, "kernel.dmesg_restrict").value, Ok(Value::from("1")));
    }

    #[test]
    fn sysctl_conf_counts_where_a_link_leads_to_it() {
        let (folder, gather) =
            host(&[("/etc/sysctl.conf", "kernel.kptr_restrict=1\n"), ("/etc/sysctl.d/x.conf", "")]);
        assert_eq!(sysctl_d(&gather, "kernel.kptr_restrict").value, Ok(Value::from("0")));
        let link = folder.path().join("etc/sysctl.d/99-sysctl.conf");
        std::os::unix::fs::symlink("../sysctl.conf", link).expect("a link");
        let (_, gather) = (
            gather,
            crate::checks::facts::Gather::new(
                crate::checks::host::HostFiles::new(crate::config::Roots::below(folder.path())),
                crate::sys::clock::Clock::System,
            ),
        );
        let found = sysctl_d(&gather, "kernel.kptr_restrict");
        assert_eq!((found.value, &*found.source), (Ok(Value::from("1")), "/etc/sysctl.d/99-sysctl.conf:1"));
    }

    #[test]
    fn what_nothing_sets_is_the_kernel_s_default_only_where_that_is_certain() {
        let (_folder, gather) = host(&[("/etc/hostname", "h")]);
        assert_eq!(sysctl_d(&gather, "fs.protected_symlinks").value, Ok(Value::from("0")));
        // Mainline's default is 1, Debian's is 0.
        assert_eq!(sysctl_d(&gather, "kernel.yama.ptrace_scope").value, Err(Unavailable::Absent));
        // It depends on how the kernel was built, and that is not known here.
        assert_eq!(sysctl_d(&gather, "kernel.dmesg_restrict").value, Err(Unavailable::Absent));
        let (_folder, bare) = host(&[("/proc/cpuinfo", "")]);
        assert!(matches!(sysctl_d(&bare, "fs.protected_symlinks").value, Err(Unavailable::NotExposed(_))));
    }
}
