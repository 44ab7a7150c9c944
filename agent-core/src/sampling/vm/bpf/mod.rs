//! What the kernel is asked by programs that run inside it: one run a tick for all VMs, and the answers in memory that is
//! shared with it.
//!
//! ```text
//! slots     one a VM, by its row: whose process, where its records are │ when it was read, how many threads, how many moved
//! records   128 bytes a thread, a range of them a VM
//! ```
//! Whatever is missing (no clang when the library was built, no `CAP_BPF`, no BTF, a function or field that this kernel
//! lacks, a verifier that refuses, a process that is seen under another number) leaves the tier below, and a reason.

mod programs;
mod ranges;
mod record;
mod threads;

pub(super) use record::{Record, Split, View};
pub(super) use threads::Seat;
pub use threads::ThreadSweep;

use crate::config::{Config, ThreadTierChoice};
use std::sync::Arc;

/// The programs that could be loaded, and why others could not.
pub struct Bpf {
    /// Reads threads.
    pub threads: Result<Arc<ThreadSweep>, String>,
}

impl Bpf {
    /// Loads what the configuration asks for: some ten milliseconds. For the cold side.
    #[must_use]
    pub fn load(config: &Config) -> Self {
        if !config.roots.is_live() {
            return Self::none("a recorded host has no processes");
        }
        let wants_threads =
            matches!(config.sampling.thread_tier, ThreadTierChoice::Auto | ThreadTierChoice::Bpf);
        if !wants_threads {
            return Self::none("not asked for by sampling.thread_tier");
        }
        let loaded = programs::Kernel::read(&config.roots)
            .map(|kernel| Self { threads: ThreadSweep::load(&kernel, config).map(Arc::new) });
        loaded.unwrap_or_else(|reason| Self::none(&reason))
    }

    /// No program at all.
    #[must_use]
    pub fn none(reason: &str) -> Self {
        Self { threads: Err(reason.to_owned()) }
    }
}
