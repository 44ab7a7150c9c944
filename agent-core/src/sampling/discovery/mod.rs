//! Finds VMs, whatever started them, and notices when they come and go.
//!
//! ```text
//! uevent, new PID, scan ─▶ candidate ─▶ inspect (process + identify) ─▶ Found ─▶ VmInfo, once it has rows
//! ```
//! Nothing here keeps state or rows: the engine's planner decides when to look, and what to do with what was found.

pub mod identify;
pub mod inspect;
pub mod process;
pub mod scan;
pub mod tenant;
pub mod uevent;
mod users;

use crate::sampling::SourceReport;
use crate::sampling::frame::Entity;
use crate::sampling::vm::VmIdentity;
use arrayvec::ArrayString;
use std::path::PathBuf;

/// The kind of VMM.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum VmmKind {
    /// Some process that holds a KVM VM.
    Other = 0,
    /// QEMU.
    Qemu = 1,
    /// Firecracker.
    Firecracker = 2,
    /// Cloud Hypervisor.
    CloudHypervisor = 3,
    /// crosvm.
    Crosvm = 4,
}

impl VmmKind {
    /// The lower-case word.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Other => "other",
            Self::Qemu => "qemu",
            Self::Firecracker => "firecracker",
            Self::CloudHypervisor => "cloud-hypervisor",
            Self::Crosvm => "crosvm",
        }
    }
}

/// A VM as discovery found it, with its place in the frame.
#[derive(Clone, Debug, PartialEq)]
pub struct VmInfo {
    /// Its row in the frame.
    pub entity: Entity,
    /// What runs it.
    pub vmm: VmmKind,
    /// Its name; `vm-<pid>` when it tells none.
    pub name: String,
    /// Its UUID; zero when it tells none.
    pub uuid: [u8; 16],
    /// Its tenant, by the configured rules; empty when none applies.
    pub tenant: String,
    /// The VMM's process.
    pub pid: i32,
    /// When the process started, in clock ticks since boot: with the PID it names one process for ever.
    pub start_ticks: u64,
    /// The path of its cgroup below the cgroup root, v2 (or the v1 `cpu` hierarchy's where there is no v2).
    pub cgroup: String,
    /// Whether libvirt manages it.
    pub libvirt: bool,
    /// Its virtual CPUs.
    pub vcpus: Vec<VcpuInfo>,
    /// The VMM's other threads.
    pub other_threads: Vec<i32>,
    /// Its network interfaces.
    pub nics: Vec<NicInfo>,
    /// Its disks.
    pub disks: Vec<DiskInfo>,
    /// Where its monitor listens: QMP, or the API socket of Firecracker or Cloud Hypervisor.
    pub monitor: Option<PathBuf>,
    /// Firecracker's metrics file.
    pub metrics_file: Option<PathBuf>,
    /// The name of its folder in `debugfs/kvm`: `<pid>-<fd>`.
    pub debugfs_name: Option<String>,
    /// How each source is read.
    pub sources: Vec<SourceReport>,
}

/// One virtual CPU.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VcpuInfo {
    /// Its place in the frame.
    pub entity: Entity,
    /// Its index in the VM.
    pub index: u32,
    /// Its thread.
    pub tid: i32,
}

/// One network interface of a VM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NicInfo {
    /// Its place in the frame.
    pub entity: Entity,
    /// The tap device on the host.
    pub tap: String,
}

/// One disk of a VM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DiskInfo {
    /// Its place in the frame.
    pub entity: Entity,
    /// The VMM's name for it, or the image's file name.
    pub name: String,
    /// The image or block device behind it.
    pub path: Option<PathBuf>,
}

impl VmInfo {
    /// The rows of its vCPUs, interfaces and disks.
    pub fn parts(&self) -> impl Iterator<Item = Entity> + '_ {
        let vcpus = self.vcpus.iter().map(|vcpu| vcpu.entity);
        let nics = self.nics.iter().map(|nic| nic.entity);
        vcpus.chain(nics).chain(self.disks.iter().map(|disk| disk.entity))
    }

    /// The part of fixed size.
    #[must_use]
    pub fn identity(&self) -> VmIdentity {
        VmIdentity {
            name: truncated(&self.name),
            uuid: self.uuid,
            tenant: truncated(&self.tenant),
            pid: self.pid,
        }
    }
}

/// As much of a text as fits, cut between characters.
#[must_use]
pub fn truncated<const N: usize>(text: &str) -> ArrayString<N> {
    let mut end = text.len().min(N);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    ArrayString::from(&text[..end]).unwrap_or_default()
}
