//! Declared limits: all memory follows from them, before the first tick.

use crate::sampling::metrics::Scope;
use serde::{Deserialize, Serialize};

/// How many of each thing the agent has room for. What is beyond a limit is counted as refused, never watched in
/// part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Virtual machines: 1 to 65,536.
    pub vms: u32,
    /// Virtual CPUs of all VMs.
    pub vcpus: u32,
    /// Network interfaces of all VMs.
    pub vm_nics: u32,
    /// Disks of all VMs.
    pub vm_disks: u32,
    /// Logical CPUs of the host.
    pub cpus: u32,
    /// NUMA nodes of the host.
    pub nodes: u32,
    /// Block devices of the host.
    pub block_devices: u32,
    /// Network devices of the host.
    pub net_devices: u32,
    /// Series of `unusual` rules that have a detector.
    pub series: u32,
    /// Alerts that wait for a consumer.
    pub alerts: u32,
    /// Ticks kept in the flight recorder.
    pub history_ticks: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            vms: 1_024,
            vcpus: 8_192,
            vm_nics: 2_048,
            vm_disks: 4_096,
            cpus: 1_024,
            nodes: 64,
            block_devices: 256,
            net_devices: 4_096,
            series: 16_384,
            alerts: 1_024,
            history_ticks: 120,
        }
    }
}

impl Limits {
    /// Rows of a scope's section in the frame.
    #[must_use]
    pub fn rows(&self, scope: Scope) -> usize {
        let rows = match scope {
            Scope::Host | Scope::Agent => 1,
            Scope::Cpu => self.cpus,
            Scope::Node => self.nodes,
            Scope::Block => self.block_devices,
            Scope::Net => self.net_devices,
            Scope::Vm => self.vms,
            Scope::Vcpu => self.vcpus,
            Scope::VmNet => self.vm_nics,
            Scope::VmDisk => self.vm_disks,
        };
        rows as usize
    }
}
