//! Files that hold a number or a few, without names.

use super::{FileSpec, Root, Scale, bare, want};
use crate::sampling::metrics::{Source, host};

/// All of them. `/proc/sys` files are read into a buffer no larger than they need: the kernel allocates as much.
pub(in crate::sampling::host) const SINGLES: &[FileSpec] = &[
    bare(
        Root::Proc,
        "sys/fs/file-nr",
        Source::FileTables,
        &[want("0", host::FILES_OPEN, Scale::One), want("2", host::FILES_MAX, Scale::One)],
    ),
    bare(
        Root::Proc,
        "sys/fs/inode-nr",
        Source::FileTables,
        &[want("0", host::INODES, Scale::One), want("1", host::INODES_FREE, Scale::One)],
    ),
    bare(
        Root::Proc,
        "sys/fs/dentry-state",
        Source::FileTables,
        &[
            want("0", host::DENTRIES, Scale::One),
            want("1", host::DENTRIES_UNUSED, Scale::One),
            want("4", host::DENTRIES_NEGATIVE, Scale::One),
        ],
    ),
    bare(
        Root::Proc,
        "sys/kernel/threads-max",
        Source::FileTables,
        &[want("0", host::THREADS_MAX, Scale::One)],
    ),
    bare(Root::Proc, "sys/kernel/pid_max", Source::FileTables, &[want("0", host::PID_MAX, Scale::One)]),
    bare(
        Root::Proc,
        "sys/kernel/random/entropy_avail",
        Source::FileTables,
        &[want("0", host::ENTROPY, Scale::One)],
    ),
    bare(
        Root::Proc,
        "sys/net/netfilter/nf_conntrack_count",
        Source::Conntrack,
        &[want("0", host::CONNTRACK_ENTRIES, Scale::One)],
    ),
    bare(
        Root::Proc,
        "sys/net/netfilter/nf_conntrack_max",
        Source::Conntrack,
        &[want("0", host::CONNTRACK_MAX, Scale::One)],
    ),
    bare(Root::Proc, "sys/kernel/tainted", Source::KernelHealth, &[want("0", host::TAINTED, Scale::One)]),
    bare(
        Root::Proc,
        "sys/kernel/hung_task_detect_count",
        Source::KernelHealth,
        &[want("0", host::HUNG_TASKS, Scale::One)],
    ),
    bare(Root::Sys, "kernel/oops_count", Source::KernelHealth, &[want("0", host::OOPSES, Scale::One)]),
    bare(Root::Sys, "kernel/warn_count", Source::KernelHealth, &[want("0", host::WARNINGS, Scale::One)]),
    bare(
        Root::Sys,
        "kernel/softlockup_count",
        Source::KernelHealth,
        &[want("0", host::SOFT_LOCKUPS, Scale::One)],
    ),
    bare(
        Root::Sys,
        "kernel/hardlockup_count",
        Source::KernelHealth,
        &[want("0", host::HARD_LOCKUPS, Scale::One)],
    ),
    bare(
        Root::Sys,
        "kernel/rcu_stall_count",
        Source::KernelHealth,
        &[want("0", host::RCU_STALLS, Scale::One)],
    ),
    bare(Root::Sys, "kernel/mm/ksm/run", Source::Ksm, &[want("0", host::KSM_STATE, Scale::One)]),
    bare(
        Root::Sys,
        "kernel/mm/ksm/pages_shared",
        Source::Ksm,
        &[want("0", host::KSM_PAGES_SHARED, Scale::One)],
    ),
    bare(
        Root::Sys,
        "kernel/mm/ksm/pages_sharing",
        Source::Ksm,
        &[want("0", host::KSM_PAGES_SHARING, Scale::One)],
    ),
    bare(
        Root::Sys,
        "kernel/mm/ksm/pages_unshared",
        Source::Ksm,
        &[want("0", host::KSM_PAGES_UNSHARED, Scale::One)],
    ),
    bare(
        Root::Sys,
        "kernel/mm/ksm/pages_volatile",
        Source::Ksm,
        &[want("0", host::KSM_PAGES_VOLATILE, Scale::One)],
    ),
    bare(
        Root::Sys,
        "kernel/mm/ksm/pages_scanned",
        Source::Ksm,
        &[want("0", host::KSM_PAGES_SCANNED, Scale::One)],
    ),
    bare(
        Root::Sys,
        "kernel/mm/ksm/pages_skipped",
        Source::Ksm,
        &[want("0", host::KSM_PAGES_SKIPPED, Scale::One)],
    ),
    bare(
        Root::Sys,
        "kernel/mm/ksm/ksm_zero_pages",
        Source::Ksm,
        &[want("0", host::KSM_ZERO_PAGES, Scale::One)],
    ),
    bare(Root::Sys, "kernel/mm/ksm/full_scans", Source::Ksm, &[want("0", host::KSM_FULL_SCANS, Scale::One)]),
    bare(
        Root::Sys,
        "kernel/mm/ksm/stable_node_chains",
        Source::Ksm,
        &[want("0", host::KSM_CHAINS, Scale::One)],
    ),
    bare(
        Root::Sys,
        "kernel/mm/ksm/stable_node_dups",
        Source::Ksm,
        &[want("0", host::KSM_DUPLICATES, Scale::One)],
    ),
    bare(Root::Sys, "kernel/mm/ksm/general_profit", Source::Ksm, &[want("0", host::KSM_PROFIT, Scale::One)]),
];
