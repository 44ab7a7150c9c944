//! A VM as checks know it: who it is, and where its process is to be looked at.

use crate::config::Config;
use crate::sampling::discovery::identify::uuid_text;
use crate::sampling::discovery::inspect::{Evidence, Found, Inspection, inspect};
use crate::sampling::discovery::scan::candidates;
use crate::sampling::discovery::{VmInfo, VmmKind};
use serde::Serialize;
use std::fmt;
use std::sync::Arc;

/// One VMM process for ever: a PID may be used again, with its start time it is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub struct VmId {
    /// The VMM's process.
    pub pid: i32,
    /// When it started, in clock ticks since boot.
    pub start_ticks: u64,
}

/// A VM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vm {
    /// Which process it is.
    pub id: VmId,
    /// Its name.
    pub name: String,
    /// Its UUID in the usual form; empty when it tells none.
    pub uuid: String,
    /// Its tenant; empty when no rule of the configuration names one.
    pub tenant: String,
    /// What runs it.
    pub vmm: VmmKind,
    /// Whether libvirt manages it.
    pub libvirt: bool,
    /// The path of its cgroup below the cgroup root.
    pub cgroup: String,
    /// The threads of its vCPUs.
    pub vcpu_tids: Vec<i32>,
    /// Its tap devices.
    pub taps: Vec<String>,
}

impl Vm {
    /// Where `/proc` shows its process, with a file below it.
    #[must_use]
    pub fn proc(&self, file: &str) -> String {
        format!("/proc/{}/{file}", self.id.pid)
    }
}

impl fmt::Display for Vm {
    /// `web-1 (pid 4711)`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (pid {})", self.name, self.id.pid)
    }
}

impl From<&Found> for Vm {
    fn from(found: &Found) -> Self {
        Self {
            id: VmId { pid: found.pid, start_ticks: found.start_ticks },
            name: found.name.clone(),
            uuid: uuid_text(&found.uuid),
            tenant: found.tenant.clone(),
            vmm: found.vmm,
            libvirt: found.libvirt,
            cgroup: found.cgroup.clone(),
            vcpu_tids: found.vcpus.iter().map(|(_, tid)| *tid).collect(),
            taps: found.taps.clone(),
        }
    }
}

impl From<&VmInfo> for Vm {
    fn from(info: &VmInfo) -> Self {
        Self {
            id: VmId { pid: info.pid, start_ticks: info.start_ticks },
            name: info.name.clone(),
            uuid: uuid_text(&info.uuid),
            tenant: info.tenant.clone(),
            vmm: info.vmm,
            libvirt: info.libvirt,
            cgroup: info.cgroup.clone(),
            vcpu_tids: info.vcpus.iter().map(|vcpu| vcpu.tid).collect(),
            taps: info.nics.iter().map(|nic| nic.tap.clone()).collect(),
        }
    }
}

/// The VMs on a host, live or recorded, by a full scan.
#[must_use]
pub fn vms_of(config: &Config) -> Vec<Arc<Vm>> {
    let found = candidates(config, |_| false).into_iter().filter_map(|pid| {
        match inspect(config, pid, Evidence::default()) {
            Inspection::Vm(found) => Some(Arc::new(Vm::from(&*found))),
            Inspection::Not | Inspection::Gone => None,
        }
    });
    found.collect()
}
