//! What the kernel audits now. Only the live kernel tells; a recorded host has no word of it.

use crate::checks::fact::{Found, Unavailable, Value};
use crate::checks::facts::Gather;
use crate::sys::audit::{self, Rule, Status};
use nix::errno::Errno;
use std::sync::Arc;

const SOURCE: &str = "NETLINK_AUDIT";

/// System calls that the rules here are about, by the running architecture's numbers.
const SYSTEM_CALLS: [(&str, libc::c_long); 5] = [
    ("init_module", libc::SYS_init_module),
    ("finit_module", libc::SYS_finit_module),
    ("delete_module", libc::SYS_delete_module),
    ("ptrace", libc::SYS_ptrace),
    ("mount", libc::SYS_mount),
];

/// `audit.enabled`
pub(super) fn enabled(gather: &Gather, _: &str) -> Found {
    told(gather, |status| Value::Int(i64::from(status.enabled)))
}

/// `audit.daemon`
pub(super) fn daemon(gather: &Gather, _: &str) -> Found {
    let alive = |pid: u32| gather.host().meta(&format!("/proc/{pid}")).is_ok();
    told(gather, |status| Value::from(status.pid != 0 && alive(status.pid)))
}

/// `audit.lost`
pub(super) fn lost(gather: &Gather, _: &str) -> Found {
    told(gather, |status| Value::from(status.lost > 0))
}

/// `audit.backlog-high`
pub(super) fn backlog_high(gather: &Gather, _: &str) -> Found {
    told(gather, |status| {
        let (waiting, max) = (u64::from(status.backlog), u64::from(status.backlog_max));
        Value::from(max > 0 && waiting * 5 > max * 4)
    })
}

/// `audit.watches`
pub(super) fn watches(gather: &Gather, _: &str) -> Found {
    listed(gather, |rules| {
        let mut paths: Vec<String> = rules.iter().filter_map(|rule| rule.path.clone()).collect();
        paths.sort_unstable();
        paths.dedup();
        paths
    })
}

/// `audit.syscalls`
pub(super) fn syscalls(gather: &Gather, _: &str) -> Found {
    listed(gather, |rules| {
        let recorded = |number: libc::c_long| {
            u32::try_from(number)
                .is_ok_and(|number| rules.iter().any(|rule| rule.system_calls.contains(&number)))
        };
        let known = SYSTEM_CALLS.iter().filter(|(_, number)| recorded(*number));
        known.map(|(name, _)| (*name).to_owned()).collect()
    })
}

fn told(gather: &Gather, tell: impl Fn(&Status) -> Value) -> Found {
    if !gather.host().is_live() {
        return not_recorded();
    }
    let status: Arc<nix::Result<Status>> = gather.memo(SOURCE, |_| audit::status());
    match &*status {
        Ok(status) => Found::value(tell(status), SOURCE).with_raw(&format!("{status:?}")),
        Err(errno) => Found::unavailable(why(*errno), SOURCE),
    }
}

fn listed(gather: &Gather, tell: impl Fn(&[Rule]) -> Vec<String>) -> Found {
    if !gather.host().is_live() {
        return not_recorded();
    }
    let rules: Arc<nix::Result<Vec<Rule>>> = gather.memo(SOURCE, |_| audit::rules());
    match &*rules {
        Ok(rules) => Found::value(tell(rules), SOURCE),
        Err(errno) => Found::unavailable(why(*errno), SOURCE),
    }
}

fn not_recorded() -> Found {
    Found::unavailable(Unavailable::NotExposed("the kernel's audit state is not recorded".to_owned()), SOURCE)
}

fn why(errno: Errno) -> Unavailable {
    match errno {
        // A kernel built without it.
        Errno::EPROTONOSUPPORT | Errno::EAFNOSUPPORT | Errno::ESOCKTNOSUPPORT => Unavailable::Absent,
        Errno::EPERM | Errno::EACCES => {
            Unavailable::Denied(format!("{SOURCE}: {errno}; needs CAP_AUDIT_CONTROL"))
        }
        // What the kernel says to those in a PID or user namespace of their own.
        Errno::ECONNREFUSED => {
            Unavailable::NotExposed(format!("{SOURCE}: {errno}; not from within a container"))
        }
        errno => Unavailable::Failed(format!("{SOURCE}: {errno}")),
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::libvirt::testing::Tree;
    use super::*;

    #[test]
    fn a_recorded_host_is_not_answered_for_by_this_one() {
        let tree = Tree::new(&[]);
        for provider in [enabled, daemon, lost, backlog_high, watches, syscalls] {
            assert_eq!(tree.told(provider, ""), "!not-exposed");
        }
    }
}
