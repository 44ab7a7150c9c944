//! One VM's files, kept open and read in place.

use crate::config::Config;
use crate::sampling::SourceReport;
use crate::sampling::discovery::VmInfo;
use crate::sampling::frame::{Entity, FrameWriter, Tick};
use crate::sampling::metrics::MetricId;
use arrayvec::ArrayString;
use std::os::fd::OwnedFd;

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

/// Everything that is open for one VM, and where its values go.
pub struct VmPlan {
    /// The VM's row and generation.
    pub entity: Entity,
    /// Who it is.
    pub identity: VmIdentity,
    /// Becomes readable when the VMM exits; `None` on a recorded host.
    pub pidfd: Option<OwnedFd>,
    /// The rows of its vCPUs, interfaces and disks.
    parts: Vec<Entity>,
}

/// What the cold side should know after a VM's sample.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct VmPulse {
    /// Its threads are other ones than the plan knows: plan it anew.
    pub threads_changed: bool,
    /// Its process is gone.
    pub vanished: bool,
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

impl VmPlan {
    /// Opens what can be opened of a VM. `descriptors_left` is what may be kept open.
    #[must_use]
    pub fn open(info: &VmInfo, _config: &Config, _descriptors_left: usize) -> (Self, Vec<SourceReport>) {
        (
            Self {
                entity: info.entity,
                identity: info.identity(),
                pidfd: None,
                parts: info.parts().collect(),
            },
            Vec::new(),
        )
    }

    /// Reads what is due in this tick. Allocates nothing and never blocks.
    pub fn sample(&mut self, _tick: Tick, _writer: &mut FrameWriter) -> VmPulse {
        VmPulse::default()
    }

    /// The rows of its vCPUs, interfaces and disks.
    pub fn parts(&self) -> impl Iterator<Item = Entity> + '_ {
        self.parts.iter().copied()
    }

    /// File descriptors this plan holds.
    #[must_use]
    pub fn descriptors(&self) -> usize {
        usize::from(self.pidfd.is_some())
    }
}
