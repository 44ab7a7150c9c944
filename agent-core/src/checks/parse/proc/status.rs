//! `/proc/PID/task/TID/status`: who a thread runs as, and what the kernel lets it do. (`proc_pid_status(5)`,
//! capabilities(7), seccomp(2), the kernel's `fs/proc/array.c`.)

use super::{Malformed, decimal, field, lines, number, text, words};

/// More than the kernel lets a process have (`NGROUPS_MAX`); the rest is not looked at.
const GROUPS_MAX: usize = 65_536;
/// As deep as PID namespaces nest (`MAX_PID_NS_LEVEL`), and itself.
const NAMESPACES_MAX: usize = 33;

/// What `status` says. A line that is not there (an older kernel, or one built without the feature) is `None`,
/// never 0.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// The thread's name, escapes undone; other than UTF-8 is replaced.
    pub name: Option<String>,
    /// Who traces it, as a PID; 0 for nobody.
    pub tracer_pid: Option<u32>,
    /// Its users: real, effective, saved, file system.
    pub uids: Option<[u32; 4]>,
    /// Its groups: real, effective, saved, file system.
    pub gids: Option<[u32; 4]>,
    /// Its supplementary groups; empty when it has none.
    pub groups: Option<Vec<u32>>,
    /// Its PID in each PID namespace, from the reader's inwards.
    pub namespace_pids: Option<Vec<u32>>,
    /// Inheritable capabilities, a bit each; see [`capability_names`].
    pub cap_inheritable: Option<u64>,
    /// Permitted capabilities.
    pub cap_permitted: Option<u64>,
    /// Effective capabilities.
    pub cap_effective: Option<u64>,
    /// The bounding set.
    pub cap_bounding: Option<u64>,
    /// Ambient capabilities (Linux 4.3).
    pub cap_ambient: Option<u64>,
    /// Whether `execve` can no longer grant anything (Linux 4.10).
    pub no_new_privs: Option<bool>,
    /// How system calls are filtered.
    pub seccomp: Option<Seccomp>,
    /// How many filters are installed (Linux 5.9).
    pub seccomp_filters: Option<u32>,
    /// Speculative store bypass (Linux 4.17).
    pub speculation_store_bypass: Option<Speculation>,
    /// Indirect branch speculation (Linux 5.12).
    pub speculation_indirect_branch: Option<Speculation>,
}

/// How system calls are filtered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seccomp {
    /// Not at all.
    Disabled,
    /// `read`, `write`, `_exit` and `sigreturn` only.
    Strict,
    /// By a program.
    Filter,
    /// A mode this code does not know.
    Other(u32),
}

/// What the kernel says of one kind of speculation in a thread.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Speculation {
    /// The CPU has no such weakness.
    NotAffected,
    /// Closed for every thread.
    ClosedForAll,
    /// Closed for this thread; `forced` when the thread cannot open it again.
    ClosedForThread {
        /// Whether it stays closed.
        forced: bool,
    },
    /// Open in this thread, which could close it (prctl(2), `PR_SET_SPECULATION_CTRL`).
    OpenInThread,
    /// Open for every thread, with no control of its own.
    OpenForAll,
    /// The kernel has no control for it, or does not know.
    Unknown,
    /// A text this code does not know.
    Other(String),
}

impl Speculation {
    fn parse(value: &[u8]) -> Self {
        match value {
            b"not vulnerable" | b"not affected" => Self::NotAffected,
            b"globally mitigated" | b"always disabled" => Self::ClosedForAll,
            b"thread force mitigated" | b"conditional force disabled" => {
                Self::ClosedForThread { forced: true }
            }
            b"thread mitigated" | b"conditional disabled" => Self::ClosedForThread { forced: false },
            b"thread vulnerable" | b"conditional enabled" => Self::OpenInThread,
            b"vulnerable" | b"always enabled" => Self::OpenForAll,
            b"unknown" | b"unsupported" => Self::Unknown,
            other => Self::Other(text(other)),
        }
    }
}

/// Takes a `status` file apart. Of equal lines the first counts.
///
/// # Errors
/// When a line that is known holds something else than the kernel writes.
pub fn parse(bytes: &[u8]) -> Result<Status, Malformed> {
    let mut status = Status::default();
    for (line, content) in lines(bytes) {
        let Some((key, value)) = field(content) else { continue };
        take(&mut status, key, value).map_err(|field| Malformed { line, field })?;
    }
    Ok(status)
}

fn take(status: &mut Status, key: &[u8], value: &[u8]) -> Result<(), &'static str> {
    let mask = |name| number(value, 16).ok_or(name);
    match key {
        b"Name" => once(&mut status.name, || Ok(unescaped(value))),
        b"TracerPid" => once(&mut status.tracer_pid, || decimal(value).ok_or("TracerPid")),
        b"Uid" => once(&mut status.uids, || four(value).ok_or("Uid")),
        b"Gid" => once(&mut status.gids, || four(value).ok_or("Gid")),
        b"Groups" => once(&mut status.groups, || list(value, GROUPS_MAX).ok_or("Groups")),
        b"NSpid" => once(&mut status.namespace_pids, || list(value, NAMESPACES_MAX).ok_or("NSpid")),
        b"CapInh" => once(&mut status.cap_inheritable, || mask("CapInh")),
        b"CapPrm" => once(&mut status.cap_permitted, || mask("CapPrm")),
        b"CapEff" => once(&mut status.cap_effective, || mask("CapEff")),
        b"CapBnd" => once(&mut status.cap_bounding, || mask("CapBnd")),
        b"CapAmb" => once(&mut status.cap_ambient, || mask("CapAmb")),
        b"NoNewPrivs" => once(&mut status.no_new_privs, || match value {
            b"0" => Ok(false),
            b"1" => Ok(true),
            _ => Err("NoNewPrivs"),
        }),
        b"Seccomp" => once(&mut status.seccomp, || {
            Ok(match decimal(value).ok_or("Seccomp")? {
                0 => Seccomp::Disabled,
                1 => Seccomp::Strict,
                2 => Seccomp::Filter,
                other => Seccomp::Other(other),
            })
        }),
        b"Seccomp_filters" => once(&mut status.seccomp_filters, || decimal(value).ok_or("Seccomp_filters")),
        b"Speculation_Store_Bypass" => {
            once(&mut status.speculation_store_bypass, || Ok(Speculation::parse(value)))
        }
        b"SpeculationIndirectBranch" => {
            once(&mut status.speculation_indirect_branch, || Ok(Speculation::parse(value)))
        }
        _ => Ok(()),
    }
}

fn once<T>(
    slot: &mut Option<T>,
    value: impl FnOnce() -> Result<T, &'static str>,
) -> Result<(), &'static str> {
    if slot.is_none() {
        *slot = Some(value()?);
    }
    Ok(())
}

fn four(value: &[u8]) -> Option<[u32; 4]> {
    list(value, 5)?.try_into().ok()
}

fn list(value: &[u8], most: usize) -> Option<Vec<u32>> {
    words(value).take(most).map(decimal).collect()
}

/// A line feed and a backslash are all that the kernel escapes in a thread's name.
fn unescaped(value: &[u8]) -> String {
    let mut name = Vec::with_capacity(value.len());
    let mut rest = value;
    while let [byte, after @ ..] = rest {
        let (unescaped, after) = match rest {
            [b'\\', b'n', after @ ..] => (b'\n', after),
            [b'\\', b'\\', after @ ..] => (b'\\', after),
            _ => (*byte, after),
        };
        name.push(unescaped);
        rest = after;
    }
    text(&name)
}

/// The capabilities, in the order of their numbers. (capabilities(7), `include/uapi/linux/capability.h`.)
pub const CAPABILITIES: [&str; 41] = [
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_DAC_READ_SEARCH",
    "CAP_FOWNER",
    "CAP_FSETID",
    "CAP_KILL",
    "CAP_SETGID",
    "CAP_SETUID",
    "CAP_SETPCAP",
    "CAP_LINUX_IMMUTABLE",
    "CAP_NET_BIND_SERVICE",
    "CAP_NET_BROADCAST",
    "CAP_NET_ADMIN",
    "CAP_NET_RAW",
    "CAP_IPC_LOCK",
    "CAP_IPC_OWNER",
    "CAP_SYS_MODULE",
    "CAP_SYS_RAWIO",
    "CAP_SYS_CHROOT",
    "CAP_SYS_PTRACE",
    "CAP_SYS_PACCT",
    "CAP_SYS_ADMIN",
    "CAP_SYS_BOOT",
    "CAP_SYS_NICE",
    "CAP_SYS_RESOURCE",
    "CAP_SYS_TIME",
    "CAP_SYS_TTY_CONFIG",
    "CAP_MKNOD",
    "CAP_LEASE",
    "CAP_AUDIT_WRITE",
    "CAP_AUDIT_CONTROL",
    "CAP_SETFCAP",
    "CAP_MAC_OVERRIDE",
    "CAP_MAC_ADMIN",
    "CAP_SYSLOG",
    "CAP_WAKE_ALARM",
    "CAP_BLOCK_SUSPEND",
    "CAP_AUDIT_READ",
    "CAP_PERFMON",
    "CAP_BPF",
    "CAP_CHECKPOINT_RESTORE",
];

/// The names of the capabilities in a set, by number. Bits without a name are left out; they are found by
/// `mask >> CAPABILITIES.len()`.
pub fn capability_names(mask: u64) -> impl Iterator<Item = &'static str> {
    (0..).zip(CAPABILITIES).filter(move |(bit, _)| mask & (1 << bit) != 0).map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const QEMU: &[u8] =
        b"Name:\tCPU 0/KVM\nUmask:\t0002\nState:\tS (sleeping)\nTgid:\t4242\nNgid:\t0\nPid:\t4250\n\
        PPid:\t1\nTracerPid:\t0\nUid:\t64055\t64055\t64055\t64055\nGid:\t108\t108\t108\t108\nFDSize:\t128\n\
        Groups:\t108 \nNStgid:\t4242\t7\nNSpid:\t4250\t9\nVmPeak:\t 5012345 kB\nCapInh:\t0000000000000000\n\
        CapPrm:\t0000000000001000\nCapEff:\t0000000000001000\nCapBnd:\t000001ffffffffff\n\
        CapAmb:\t0000000000000000\nNoNewPrivs:\t1\nSeccomp:\t2\nSeccomp_filters:\t3\n\
        Speculation_Store_Bypass:\tthread force mitigated\nSpeculationIndirectBranch:\tconditional enabled\n";

    #[test]
    fn a_vcpu_thread() {
        let status = parse(QEMU).expect("a status");
        assert_eq!(status.name.as_deref(), Some("CPU 0/KVM"));
        assert_eq!(status.tracer_pid, Some(0));
        assert_eq!(status.uids, Some([64055; 4]));
        assert_eq!(status.gids, Some([108; 4]));
        assert_eq!(status.groups.as_deref(), Some(&[108][..]));
        assert_eq!(status.namespace_pids.as_deref(), Some(&[4250, 9][..]));
        assert_eq!(status.cap_effective, Some(1 << 12));
        assert_eq!(capability_names(1 << 12).collect::<Vec<_>>(), ["CAP_NET_ADMIN"]);
        assert_eq!(status.cap_bounding.map(|mask| capability_names(mask).count()), Some(41));
        assert_eq!((status.no_new_privs, status.seccomp), (Some(true), Some(Seccomp::Filter)));
        assert_eq!(status.seccomp_filters, Some(3));
        assert_eq!(status.speculation_store_bypass, Some(Speculation::ClosedForThread { forced: true }));
        assert_eq!(status.speculation_indirect_branch, Some(Speculation::OpenInThread));
    }

    #[test]
    fn what_an_old_kernel_does_not_say_is_not_zero() {
        let old =
            parse(b"Name:\ta\nUid:\t0\t0\t0\t0\nGroups:\t\nCapEff:\tffffffffffffffff\n").expect("a status");
        assert_eq!((old.seccomp, old.no_new_privs, old.cap_ambient), (None, None, None));
        assert_eq!(old.groups, Some(Vec::new()));
        assert_eq!(old.cap_effective.map(|mask| capability_names(mask).count()), Some(41));
        assert_eq!(parse(b""), Ok(Status::default()));
    }

    #[test]
    fn a_name_forges_no_line() {
        let status =
            parse(b"Name:\ta\\nUid:\t0: \\\\n\nUid:\t5\t5\t5\t5\nUid:\t0\t0\t0\t0\n").expect("a status");
        assert_eq!(status.name.as_deref(), Some("a\nUid:\t0: \\n"));
        assert_eq!(status.uids, Some([5; 4]));
    }

    #[test]
    fn errors_name_the_line() {
        let wrong = |bytes: &[u8]| parse(bytes).expect_err("wrong");
        assert_eq!(wrong(b"Name:\ta\nUid:\t1\t2\t3\n"), Malformed { line: 2, field: "Uid" });
        assert_eq!(wrong(b"Uid:\t1\t2\t3\t4\t5\n").field, "Uid");
        assert_eq!(wrong(b"CapEff:\t1ffffffffffffffff\n").field, "CapEff");
        assert_eq!(wrong(b"Seccomp:\t+2\n").field, "Seccomp");
        assert!(wrong(b"NoNewPrivs:\t2\n").to_string().contains("line 1"));
    }

    #[test]
    fn this_thread_reads_itself() {
        let status = parse(&std::fs::read("/proc/thread-self/status").expect("status")).expect("a status");
        assert!(status.uids.is_some() && status.cap_effective.is_some() && status.namespace_pids.is_some());
    }

    proptest! {
        #[test]
        fn any_bytes_come_back(bytes in proptest::collection::vec(any::<u8>(), 0..300), mask in any::<u64>()) {
            let _ = parse(&bytes);
            let _ = parse(&[b"Uid:", &bytes[..]].concat());
            prop_assert!(capability_names(mask).count() <= 41);
        }
    }
}
