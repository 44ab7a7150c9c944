//! `/proc/PID/limits`: how much a process may take. (`proc_pid_limits(5)`, getrlimit(2).)

use super::{Malformed, decimal, lines, words};

/// What is limited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resource {
    /// CPU time, in seconds.
    CpuTime,
    /// The size of a file written, in bytes.
    FileSize,
    /// The data segment, in bytes.
    DataSize,
    /// The stack, in bytes.
    StackSize,
    /// A core dump, in bytes.
    CoreFileSize,
    /// Resident memory, in bytes; without effect.
    ResidentSet,
    /// Processes and threads of the user.
    Processes,
    /// Open files.
    OpenFiles,
    /// Locked memory, in bytes.
    LockedMemory,
    /// Address space, in bytes.
    AddressSpace,
    /// File locks.
    FileLocks,
    /// Signals that wait.
    PendingSignals,
    /// POSIX message queues, in bytes.
    MessageQueueSize,
    /// The ceiling of the nice value, as 20 minus nice.
    NicePriority,
    /// The ceiling of the real-time priority.
    RealtimePriority,
    /// CPU time of a real-time thread without sleep, in microseconds.
    RealtimeTimeout,
}

/// The kernel's words, in the kernel's order (`fs/proc/base.c`).
const NAMES: [(&str, Resource); 16] = [
    ("Max cpu time", Resource::CpuTime),
    ("Max file size", Resource::FileSize),
    ("Max data size", Resource::DataSize),
    ("Max stack size", Resource::StackSize),
    ("Max core file size", Resource::CoreFileSize),
    ("Max resident set", Resource::ResidentSet),
    ("Max processes", Resource::Processes),
    ("Max open files", Resource::OpenFiles),
    ("Max locked memory", Resource::LockedMemory),
    ("Max address space", Resource::AddressSpace),
    ("Max file locks", Resource::FileLocks),
    ("Max pending signals", Resource::PendingSignals),
    ("Max msgqueue size", Resource::MessageQueueSize),
    ("Max nice priority", Resource::NicePriority),
    ("Max realtime priority", Resource::RealtimePriority),
    ("Max realtime timeout", Resource::RealtimeTimeout),
];

/// One bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Bound {
    /// So many, in the resource's unit.
    At(u64),
    /// As many as it likes.
    Unlimited,
}

/// A limit: what holds now, and how far an ordinary process may raise it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// What holds.
    pub soft: Bound,
    /// The ceiling.
    pub hard: Bound,
}

/// The limits of one process.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    found: [Option<Limit>; NAMES.len()],
}

impl Limits {
    /// One limit; `None` when the kernel does not list it.
    #[must_use]
    pub fn get(&self, resource: Resource) -> Option<Limit> {
        let position = NAMES.iter().position(|(_, known)| *known == resource)?;
        self.found[position]
    }
}

/// Takes a `limits` file apart. Unknown resources are passed over.
///
/// # Errors
/// When the line of a known resource has no two bounds.
pub fn parse(bytes: &[u8]) -> Result<Limits, Malformed> {
    let mut limits = Limits::default();
    for (line, content) in lines(bytes) {
        for (slot, (name, _)) in limits.found.iter_mut().zip(NAMES) {
            let Some(rest) = content.strip_prefix(name.as_bytes()) else { continue };
            let mut bounds = words(rest).map(bound);
            let (Some(Some(soft)), Some(Some(hard))) = (bounds.next(), bounds.next()) else {
                return Err(Malformed { line, field: name });
            };
            *slot = Some(Limit { soft, hard });
        }
    }
    Ok(limits)
}

fn bound(word: &[u8]) -> Option<Bound> {
    if word == b"unlimited" { Some(Bound::Unlimited) } else { decimal(word).map(Bound::At) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const QEMU: &[u8] = b"Limit                     Soft Limit           Hard Limit           Units     \n\
        Max cpu time              unlimited            unlimited            seconds   \n\
        Max core file size        0                    unlimited            bytes     \n\
        Max open files            1024                 524288               files     \n\
        Max locked memory         67108864             67108864             bytes     \n\
        Max nice priority         0                    0                    \n";

    #[test]
    fn a_vmm() {
        let limits = parse(QEMU).expect("limits");
        let core = Limit { soft: Bound::At(0), hard: Bound::Unlimited };
        assert_eq!(limits.get(Resource::CoreFileSize), Some(core));
        let files = Limit { soft: Bound::At(1024), hard: Bound::At(524_288) };
        assert_eq!(limits.get(Resource::OpenFiles), Some(files));
        assert_eq!(limits.get(Resource::FileSize), None, "not listed here");
        let nice = Limit { soft: Bound::At(0), hard: Bound::At(0) };
        assert_eq!(limits.get(Resource::NicePriority), Some(nice));
        assert!(Bound::At(u64::MAX) < Bound::Unlimited);
    }

    #[test]
    fn a_line_cut_short_is_an_error() {
        let wrong = parse(b"\nMax open files            1024").expect_err("cut");
        assert_eq!(wrong, Malformed { line: 2, field: "Max open files" });
        assert!(parse(b"Max open files  -1 4 files").is_err());
    }

    #[test]
    fn this_process_has_every_limit() {
        let limits = parse(&std::fs::read("/proc/self/limits").expect("limits")).expect("limits");
        for (name, resource) in NAMES {
            assert!(limits.get(resource).is_some(), "{name}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_come_back(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = parse(&bytes);
            let _ = parse(&[b"Max file size", &bytes[..]].concat());
        }
    }
}
