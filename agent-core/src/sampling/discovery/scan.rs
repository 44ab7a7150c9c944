//! Looks through all processes: at the start, and now and then as the net below the events.

use super::process::{Process, numbers};
use crate::config::Config;
use std::path::Path;

/// PIDs of the processes that hold a KVM VM or are named like a VMM, in ascending order. A process for which
/// `known` holds is not looked into and not returned.
#[must_use]
pub fn candidates(config: &Config, known: impl Fn(i32) -> bool) -> Vec<i32> {
    let mut pids: Vec<i32> = numbers(&config.roots.proc).unwrap_or_default();
    pids.sort_unstable();
    pids.retain(|pid| !known(*pid) && is_candidate(&config.roots.proc, *pid));
    pids
}

/// Whether a process may be a VM: a quick look before the thorough one.
#[must_use]
pub fn is_candidate(proc: &Path, pid: i32) -> bool {
    let process = Process::new(proc, pid);
    process.looks_like_vmm() || process.holds_kvm_vm().unwrap_or(false)
}
