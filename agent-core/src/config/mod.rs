//! What the host's owner declares: limits, intervals, roots, tenants and rules.
//!
//! Parsed once into these types; nothing later on looks at text.

mod document;
mod error;
mod files;
mod fingerprint;
pub mod incidents;
mod ledger;
mod limits;
mod load;
pub mod response;
mod roots;
mod validate;
mod wording;

pub use error::ConfigError;
pub use files::{DROP_INS_MAX, FILE_BYTES_MAX, files};
pub use fingerprint::fingerprint;
pub use ledger::Ledger;
pub use limits::Limits;
pub use roots::Roots;
pub use validate::{RANGES, Range};
pub(crate) use wording::{in_short, line_of, nearest};

use crate::sampling::metrics::Source;
use serde::{Deserialize, Serialize};

/// So many mistakes are told in one pass at most.
pub const MISTAKES_MAX: usize = 20;

/// Everything that can be configured. The defaults watch this host with no file at all.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Sizes that decide how much memory is set aside.
    pub limits: Limits,
    /// How often what is read.
    pub sampling: Sampling,
    /// How VMs are found and named.
    pub discovery: Discovery,
    /// Where the host's files are.
    pub roots: Roots,
    /// What the agent may cost.
    pub budget: Budget,
    /// How much is told of what is unusual.
    pub detection: Detection,
    /// How alerts are handled.
    pub alerts: Alerts,
    /// Checks of isolation and configuration.
    pub checks: Checks,
    /// Where what is told is recorded first.
    pub ledger: Ledger,
    /// Incidents.
    pub incidents: incidents::Incidents,
    /// What is done about them.
    pub response: response::Response,
    /// Who is told of incidents. A daemon's; a library's host takes them itself.
    pub deliver: Vec<incidents::Deliver>,
    /// Names of shipped rules that are switched off.
    pub rules_off: Vec<String>,
    /// Rules of detection, on top of the shipped ones; one with a shipped rule's name replaces it.
    pub rules: Vec<crate::detection::RuleConfig>,
}

/// How often what is read.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Sampling {
    /// Time between two ticks, in milliseconds: 10 to 60,000.
    pub interval_ms: u32,
    /// Sources that are dear are read every this many ticks: `/proc/interrupts`, NUMA, thermal.
    pub slow_every_ticks: u32,
    /// Monitors (QMP, Firecracker, Cloud Hypervisor) are asked every this many ticks; 0 is never. A question costs a
    /// QEMU about a millisecond of CPU, so with 1,000 of them every 60 ticks is 2 % of a core.
    pub monitor_every_ticks: u32,
    /// File descriptors the sampler may keep open; 0 takes what the soft limit leaves, less a reserve for the host.
    pub descriptors_max: u32,
    /// `perf_event_open` counters: software and hardware events.
    pub perf_events: bool,
    /// Also the `kvm:*` tracepoints. Off by default: each makes every guest's exit a little dearer, and opening and
    /// closing them takes the kernel tens of milliseconds apiece.
    pub kvm_tracepoints: bool,
    /// Tier for the threads of VMs: `auto`, `bpf`, `kept-fd` or `open-each`. What does not work leaves the one below it.
    pub thread_tier: ThreadTierChoice,
    /// Tier for KVM's counters: `auto`, `bpf`, `stats-fd`, `debugfs`, `qmp` or `off`.
    pub kvm_tier: KvmTierChoice,
}

impl Default for Sampling {
    fn default() -> Self {
        Self {
            interval_ms: 1_000,
            slow_every_ticks: 10,
            monitor_every_ticks: 60,
            descriptors_max: 0,
            perf_events: true,
            kvm_tracepoints: false,
            thread_tier: ThreadTierChoice::Auto,
            kvm_tier: KvmTierChoice::Auto,
        }
    }
}

impl Sampling {
    /// The period of a source, in ticks.
    #[must_use]
    pub fn period_ticks(&self, source: Source) -> u32 {
        match source {
            Source::Interrupts
            | Source::Softirqs
            | Source::FileTables
            | Source::Conntrack
            | Source::Ksm
            | Source::Perf
            | Source::Numa
            | Source::Thermal
            | Source::Rapl
            | Source::KernelHealth
            | Source::Smaps
            | Source::Descriptors
            | Source::Filesystem
            | Source::NetStat => self.slow_every_ticks.max(1),
            Source::Monitor | Source::MonitorDisk => self.monitor_every_ticks.max(1),
            Source::Kvm if self.kvm_tier == KvmTierChoice::Qmp => self.monitor_every_ticks.max(1),
            _ => 1,
        }
    }
}

/// The wanted way to read the threads of VMs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ThreadTierChoice {
    /// The cheapest that works.
    #[default]
    Auto,
    /// A program in the kernel that reads all of them in one run.
    Bpf,
    /// A kept file descriptor per thread.
    KeptFd,
    /// Open, read, close.
    OpenEach,
}

/// The wanted way to read KVM's counters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KvmTierChoice {
    /// The cheapest that works.
    #[default]
    Auto,
    /// A program in the kernel that reads those of all VMs in one run.
    Bpf,
    /// KVM's binary statistics, from descriptors duplicated out of the VMM.
    StatsFd,
    /// `debugfs/kvm/<pid>-<fd>/`.
    Debugfs,
    /// QMP `query-stats`.
    Qmp,
    /// Not at all.
    Off,
}

/// How VMs are found and named.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Discovery {
    /// Time between two full scans, which are only the net below events, in seconds.
    pub full_scan_s: u32,
    /// Also watch processes that look like a VMM by name but hold no KVM descriptor (emulated guests).
    pub without_kvm: bool,
    /// How a VM's tenant is found; the first rule that yields one wins.
    pub tenant: Vec<TenantRule>,
}

impl Default for Discovery {
    fn default() -> Self {
        Self { full_scan_s: 60, without_kvm: true, tenant: Vec::new() }
    }
}

/// One way to find a VM's tenant.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TenantRule {
    /// What is looked at.
    pub from: TenantField,
    /// A pattern in which `*` stands for anything and `{tenant}` for the tenant, such as `*/tenant-{tenant}.slice/*`.
    pub pattern: String,
}

/// What a [`TenantRule`] looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TenantField {
    /// The VM's name.
    Name,
    /// The path of its cgroup.
    Cgroup,
    /// The name of the user its VMM runs as.
    User,
    /// The VMM's command line, its arguments joined by spaces.
    Cmdline,
}

/// What the agent may cost. When it costs more it degrades, a step a time, in the order documented in the README.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Budget {
    /// CPU, in thousandths of one core, averaged over a minute; 0 is no budget.
    pub cpu_permille: u32,
}

impl Default for Budget {
    fn default() -> Self {
        Self { cpu_permille: 50 }
    }
}

/// How much is told of what is unusual.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Detection {
    /// How many alarms a week about this host and its VMs may be false: 0.001 to 10,000. What `unusual-together` rules tell
    /// is held to it.
    pub false_alarms_per_host_week: f64,
}

impl Default for Detection {
    fn default() -> Self {
        Self { false_alarms_per_host_week: 1.0 }
    }
}

/// How alerts are handled.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Alerts {
    /// At most this many new alerts per rule and minute; what is above is suppressed, and counted.
    pub per_rule_per_minute_max: u32,
}

impl Default for Alerts {
    fn default() -> Self {
        Self { per_rule_per_minute_max: 60 }
    }
}

/// Checks of isolation and configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Checks {
    /// Whether an agent runs checks at all.
    pub enabled: bool,
    /// Time between two full runs, which are only the net below events, in seconds: 10 to 86,400.
    pub sweep_s: u32,
    /// Work is done in slices of about this long, in milliseconds, with a pause of nine times as long after each: 1 to
    /// 1,000.
    pub slice_ms: u32,
    /// Where rule files (`*.toml`) are added: an absolute path on the host that is looked at.
    pub folder: String,
    /// The waivers: an absolute path on the host that is looked at.
    pub waivers: String,
    /// Names of checks that are switched off.
    pub off: Vec<String>,
}

impl Default for Checks {
    fn default() -> Self {
        Self {
            enabled: true,
            sweep_s: 600,
            slice_ms: 5,
            folder: "/etc/bartizan/checks.d".to_owned(),
            waivers: "/etc/bartizan/waivers.toml".to_owned(),
            off: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests;
