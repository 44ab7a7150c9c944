//! What the cold side publishes for people: names, sources, plans. The sampler never touches it.

use crate::sampling::SourceReport;
use crate::sampling::discovery::VmInfo;
use crate::sampling::host::HostLabels;
use parking_lot::RwLock;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

/// The host, for people.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HostInfo {
    /// Names of the host's rows.
    pub labels: HostLabels,
    /// How each source is read.
    pub sources: Vec<SourceReport>,
}

/// Shared by the planner, which writes it, and readers.
#[derive(Default)]
pub(super) struct Directory {
    pub(super) host: RwLock<Arc<HostInfo>>,
    /// Sorted by row.
    pub(super) vms: RwLock<Vec<Arc<VmInfo>>>,
    pub(super) vms_refused: AtomicU64,
    pub(super) planner_cpu_ns: AtomicU64,
    pub(super) deliveries_dropped: AtomicU64,
}
