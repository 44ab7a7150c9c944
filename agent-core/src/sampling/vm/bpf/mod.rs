//! What the kernel is asked by programs that run inside it: one run a tick for all VMs, and the answers in memory that is
//! shared with it.
//!
//! ```text
//! slots     one a VM, by its row: whose process, where its records are │ when it was read, how many threads, how many moved
//! records   128 bytes a thread, a range of them a VM
//! targets   one a VM: the VM's own counters in KVM
//! vcpus     384 bytes a vCPU: its counters
//! ```
//! Whatever is missing (no clang when the library was built, no `CAP_BPF`, no BTF, a function or field that this kernel
//! lacks, a verifier that refuses, a process that is seen under another number) leaves the tier below, and a reason.

mod kvm;
mod programs;
mod ranges;
mod record;
mod threads;

pub(super) use kvm::KvmSeat;
pub use kvm::KvmSweep;
pub(super) use record::{Record, Split, View};
pub(super) use threads::Seat;
pub use threads::ThreadSweep;

use crate::config::{Config, KvmTierChoice, ThreadTierChoice};
use nix::errno::Errno;
use programs::Kernel;
use std::sync::Arc;

/// Programs are loaded when the agent is made, while it has its privileges.
const NOT_ASKED_FOR: &str = "not asked for when the agent was made";

/// The programs that could be loaded, and why others could not.
pub struct Bpf {
    /// Reads threads.
    pub threads: Result<Arc<ThreadSweep>, String>,
    /// Reads KVM's counters.
    pub kvm: Result<Arc<KvmSweep>, String>,
}

impl Bpf {
    /// Loads what the configuration asks for: some tens of milliseconds. For the cold side.
    #[must_use]
    pub fn load(config: &Config) -> Self {
        if !config.roots.is_live() {
            return Self::none("a recorded host has no processes");
        }
        let sampling = &config.sampling;
        let wants_threads = matches!(sampling.thread_tier, ThreadTierChoice::Auto | ThreadTierChoice::Bpf);
        let wants_kvm = matches!(sampling.kvm_tier, KvmTierChoice::Auto | KvmTierChoice::Bpf);
        if !wants_threads && !wants_kvm {
            return Self::none(NOT_ASKED_FOR);
        }
        let kernel = match Kernel::read(&config.roots) {
            Ok(kernel) => kernel,
            Err(reason) => return Self::none(&reason),
        };
        // KVM's program looks at what the other one found out, whether that is used or not.
        let threads = ThreadSweep::load(&kernel, config).map(Arc::new);
        let kvm = match &threads {
            Ok(threads) if wants_kvm => KvmSweep::load(&kernel, threads, config).map(Arc::new),
            Ok(_) => Err(NOT_ASKED_FOR.to_owned()),
            Err(reason) => Err(reason.clone()),
        };
        Self { threads, kvm }
    }

    /// No program at all.
    #[must_use]
    pub fn none(reason: &str) -> Self {
        Self { threads: Err(reason.to_owned()), kvm: Err(reason.to_owned()) }
    }

    /// Has the kernel read for all VMs at once what it can: each row has its turn in every run whose number and it add up
    /// to a multiple of `every`. What moves without a thread running is read at the multiples of `full_every`. Allocates
    /// nothing and waits for nothing.
    ///
    /// # Errors
    /// What the kernel said. What the run did not come to reads as an error then, and not as what was read before.
    pub fn run(&self, number: u64, rows: u32, every: u32, full_every: u32) -> Result<(), Errno> {
        let threads =
            self.threads.as_ref().map_or(Ok(()), |sweep| sweep.run(number, rows, every, full_every));
        let kvm = self.kvm.as_ref().map_or(Ok(()), |sweep| sweep.run(number, rows, every, full_every));
        threads.and(kvm)
    }
}
