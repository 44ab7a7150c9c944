//! `bartizan top`: the host and its VMs on a full screen.

use clap::ValueEnum;

/// What VMs are sorted by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum SortBy {
    /// What hurts most first.
    #[default]
    Hurt,
    /// CPU use.
    Cpu,
    /// Waiting for a CPU.
    Wait,
    /// Resident memory.
    Memory,
    /// Disk bytes a second.
    Disk,
    /// Network bytes a second.
    Net,
    /// Name.
    Name,
}
