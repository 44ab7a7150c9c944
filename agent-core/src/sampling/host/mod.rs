//! The host's own files, kept open and read in place.

use crate::config::Config;
use crate::sampling::SourceReport;
use crate::sampling::frame::{FrameWriter, Tick};

/// Everything that is open for the host, and where its values go.
pub struct HostPlan {}

/// What the cold side should know after a host sample.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HostPulse {
    /// A file has another shape than the plan knows (a device came or went): plan the host anew.
    pub layout_changed: bool,
    /// The last PID the kernel gave out (`/proc/loadavg`); 0 when unknown.
    pub last_pid: u32,
}

/// Names of the host's rows, for people. Rows that hold nothing are `None`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HostLabels {
    /// Logical CPU number of each CPU row.
    pub cpus: Vec<Option<u32>>,
    /// Node number of each node row.
    pub nodes: Vec<Option<u32>>,
    /// Name of each block row's device.
    pub block_devices: Vec<Option<String>>,
    /// Name of each net row's device.
    pub net_devices: Vec<Option<String>>,
}

impl HostPlan {
    /// Opens the host's files and learns their layout. `labels` is what the plan before used: a device keeps its row.
    /// Returns the plan, the labels of its rows, and a report per source.
    #[must_use]
    pub fn open(_config: &Config, labels: &HostLabels) -> (Self, HostLabels, Vec<SourceReport>) {
        (Self {}, labels.clone(), Vec::new())
    }

    /// Reads what is due in this tick. Allocates nothing and never blocks.
    pub fn sample(&mut self, _tick: Tick, _writer: &mut FrameWriter) -> HostPulse {
        HostPulse::default()
    }

    /// File descriptors this plan holds.
    #[must_use]
    pub fn descriptors(&self) -> usize {
        0
    }
}
