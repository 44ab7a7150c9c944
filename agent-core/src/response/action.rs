//! What may be done to a VM, and what is needed to take it back.

use crate::sampling::discovery::VmInfo;
use crate::sampling::discovery::identify::uuid_text;
use crate::sampling::discovery::inspect::Found;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// One thing that is done to one VM. Each may be applied again without doing more, can be told from the host's state,
/// and either says how it is taken back or that it is not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Action {
    /// No more CPU than this share of one core, in percent (cgroup `cpu.max`, v1 `cpu.cfs_quota_us`). Never loosens a
    /// limit that is stricter already.
    ThrottleCpu {
        /// Of one core: 150 is one and a half.
        percent: u32,
    },
    /// No more bytes a second, read and written each, of every disk (cgroup `io.max`, v1 `blkio.throttle.*`).
    ThrottleIo {
        /// Bytes a second.
        bytes_per_s: u64,
    },
    /// All of the VMM's processes stand still (cgroup `cgroup.freeze`, v1 `freezer.state`).
    Freeze,
    /// The guest stands still, its VMM goes on (QMP `stop`).
    Pause,
    /// Nothing passes the VM's taps, either way (a table of our own in nftables).
    CutNetwork,
    /// The VMM's process moves to another cgroup, which must be there.
    Confine {
        /// Its path below the hierarchy's root.
        cgroup: String,
    },
    /// The guest's memory as an ELF core in a file (QMP `dump-guest-memory`). Kept, not taken back.
    DumpMemory {
        /// Where the file goes.
        folder: PathBuf,
    },
    /// A full copy of each disk in a file (QMP `drive-backup`). Kept, not taken back.
    CopyDisks {
        /// Where the files go.
        folder: PathBuf,
    },
    /// The VM died: the operator's own command starts it again, once it is certain that it runs nowhere here.
    Restart {
        /// Program and arguments; no shell.
        command: Vec<String>,
    },
    /// The operator's command, with the VM in its environment.
    Run {
        /// Program and arguments; no shell.
        command: Vec<String>,
        /// Ends with 0 when the command has had its effect. Without it an agent that was killed while the command ran
        /// cannot tell, and asks a person.
        verify: Vec<String>,
        /// Takes the effect back.
        undo: Vec<String>,
    },
    /// Tells whoever follows alerts.
    Notify {
        /// What is told.
        text: String,
    },
}

impl Action {
    /// The word for it in playbooks, records and messages.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::ThrottleCpu { .. } => "throttle-cpu",
            Self::ThrottleIo { .. } => "throttle-io",
            Self::Freeze => "freeze",
            Self::Pause => "pause",
            Self::CutNetwork => "cut-network",
            Self::Confine { .. } => "confine",
            Self::DumpMemory { .. } => "dump-memory",
            Self::CopyDisks { .. } => "copy-disks",
            Self::Restart { .. } => "restart",
            Self::Run { .. } => "run",
            Self::Notify { .. } => "notify",
        }
    }

    /// Whether it hurts the VM: such actions count against the caps on how much of a host may be acted on.
    #[must_use]
    pub const fn is_disruptive(&self) -> bool {
        !matches!(self, Self::Notify { .. } | Self::DumpMemory { .. } | Self::CopyDisks { .. })
    }

    /// Whether it is safe to apply again when it is not known if it was applied.
    #[must_use]
    pub const fn is_repeatable(&self) -> bool {
        !matches!(self, Self::Restart { .. } | Self::Run { .. } | Self::Notify { .. })
    }

    /// Whether its effect stays until it is taken back, so that it has to be watched and ends with a lease.
    #[must_use]
    pub const fn is_held(&self) -> bool {
        match self {
            Self::Run { undo, .. } => !undo.is_empty(),
            Self::DumpMemory { .. } | Self::CopyDisks { .. } | Self::Restart { .. } | Self::Notify { .. } => {
                false
            }
            _ => true,
        }
    }
}

/// The VM that something is done to. An action is refused when the process is no longer this one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    /// The VM's name.
    pub name: String,
    /// Its UUID; zero when it tells none.
    pub uuid: [u8; 16],
    /// Whose it is.
    pub tenant: String,
    /// The VMM's process ...
    pub pid: i32,
    /// ... and when it started, in clock ticks since boot: a PID may come again, both together do not.
    pub start_ticks: u64,
    /// Its taps.
    pub taps: Vec<String>,
    /// Images and block devices behind its disks.
    pub disks: Vec<PathBuf>,
    /// Its QMP socket.
    pub monitor: Option<PathBuf>,
}

impl Target {
    /// What parties call the VM in a resource's path: its UUID, or its process where it tells none.
    #[must_use]
    pub fn key(&self) -> String {
        match uuid_text(&self.uuid) {
            uuid if uuid.is_empty() => format!("pid-{}", self.pid),
            uuid => uuid,
        }
    }
}

impl From<&VmInfo> for Target {
    fn from(info: &VmInfo) -> Self {
        Self {
            name: info.name.clone(),
            uuid: info.uuid,
            tenant: info.tenant.clone(),
            pid: info.pid,
            start_ticks: info.start_ticks,
            taps: info.nics.iter().map(|nic| nic.tap.clone()).collect(),
            disks: info.disks.iter().filter_map(|disk| disk.path.clone()).collect(),
            monitor: info.monitor.clone(),
        }
    }
}

impl From<&Found> for Target {
    fn from(found: &Found) -> Self {
        Self {
            name: found.name.clone(),
            uuid: found.uuid,
            tenant: found.tenant.clone(),
            pid: found.pid,
            start_ticks: found.start_ticks,
            taps: found.taps.clone(),
            disks: found.disks.iter().filter_map(|(_, path)| path.clone()).collect(),
            monitor: found.monitor.clone(),
        }
    }
}

/// How an action is taken back. It is recorded before the action is taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Undo {
    /// There is nothing to take back: the state was there already, or it stays.
    Nothing,
    /// Control files of the VM's own cgroup get back what they said, if they still say what we wrote.
    Limits(Vec<Limit>),
    /// The cgroup is thawed.
    Thaw,
    /// The guest goes on (QMP `cont`).
    Resume,
    /// Our chains of these taps are removed.
    Reconnect(Vec<String>),
    /// The process moves back to this cgroup.
    Return {
        /// Path below the hierarchy's root.
        cgroup: String,
    },
    /// The operator's command.
    Run(Vec<String>),
}

/// A control file of a cgroup, or one line of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limit {
    /// The v1 controller; empty for v2.
    pub controller: String,
    /// The file.
    pub file: String,
    /// The device whose line it is, `MAJOR:MINOR`; empty where the file is one value.
    pub device: String,
    /// What it said before.
    pub before: String,
    /// What we wrote.
    pub ours: String,
}
