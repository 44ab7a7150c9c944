//! One VM's files and descriptors, kept open and read in place.
//!
//! | module | reads |
//! |---|---|
//! | `process` | `/proc/PID/stat`, `io`, `status` |
//! | `bpf` | what programs in the kernel read for all VMs at once |
//! | `threads`, `vcpus`, `schedstat` | each thread's `schedstat`, vCPU threads' `stat` |
//! | `cgroup` | the VM's own cgroup, v2, v1 or both |
//! | `kvm`, `kvm_stats` | KVM's counters: statistics descriptors or debugfs |
//! | `taps`, `netns` | counters of the taps |
//! | `cold` | what may block, for the planner: `smaps_rollup`, open files |
//! | `plan` | all of it for one VM |

mod batch;
pub mod bpf;
mod cgroup;
mod cgroup_files;
mod cgroup_paths;
mod cold;
mod filesystem;
pub mod fuzzing;
mod kernel_release;
mod keyed;
mod kvm;
pub(crate) mod kvm_names;
mod kvm_stats;
mod netns;
mod plan;
mod process;
mod schedstat;
mod slot;
mod stat_line;
mod taps;
mod text;
mod threads;
mod vcpus;

pub use cgroup_paths::own_cgroup;
pub use cold::cold_readings;
pub use plan::{Pace, Scratch, VmPlan};
pub use taps::{TapRow, TapSweep};

use crate::sampling::frame::Entity;
use crate::sampling::metrics::MetricId;
use arrayvec::ArrayString;

/// Who a VM is, of fixed size: what the hot side needs to name it in an alert.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct VmIdentity {
    /// The VM's name.
    pub name: ArrayString<64>,
    /// Its UUID; zero when it has none.
    pub uuid: [u8; 16],
    /// Its tenant; empty when unknown.
    pub tenant: ArrayString<32>,
    /// The VMM's process.
    pub pid: i32,
}

/// What the cold side should know after a VM's sample.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct VmPulse {
    /// Its threads are other ones than the plan knows: plan it anew. VMMs start and end worker threads all the time,
    /// so this is a hint to be followed at leisure.
    pub threads_changed: bool,
    /// Its process is gone.
    pub vanished: bool,
    /// Threads that were not read: they came after it was planned, and there was no room left for them.
    pub threads_unread: u32,
}

/// Readings that a monitor brought, on their way into the frame.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Delivery {
    /// When they were read, `CLOCK_MONOTONIC` nanoseconds.
    pub read_at_ns: u64,
    /// The VM they belong to: thrown away when it is gone.
    pub vm: Option<Entity>,
    /// The values: row (of the metric's scope), metric and what was read or why not.
    pub values: Vec<(u32, MetricId, Result<i64, crate::sampling::availability::Availability>)>,
}
