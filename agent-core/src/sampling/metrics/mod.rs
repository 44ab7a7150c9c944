//! The one table of metrics. Everything that names a metric is made from it: the C constants, the Python enum,
//! the `/metrics` text and the documentation.
//!
//! A metric belongs to one [`Scope`] and has a fixed column in it. Its number is `scope * 1000 + column`; numbers
//! are part of the ABI: they are appended, never moved and never used again.
//!
//! Values are `i64` in the small unit that [`Unit`] names (nanoseconds, bytes, parts per million), so that nothing
//! is lost to floating point and replay is exact; [`Unit::scale`] turns them into the base unit that is exported.

pub mod agent;
pub mod block;
pub mod cpu;
pub mod host;
pub mod net;
pub mod node;
pub mod vcpu;
pub mod vm;
pub mod vmdisk;
pub mod vmnet;

/// What a metric describes. Each scope is one section of the [`Frame`](super::frame::Frame), with a row an entity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Scope {
    /// The host as a whole: one row.
    Host = 1,
    /// One logical CPU of the host.
    Cpu = 2,
    /// One NUMA node.
    Node = 3,
    /// One block device of the host.
    Block = 4,
    /// One network device of the host.
    Net = 5,
    /// One virtual machine.
    Vm = 6,
    /// One virtual CPU.
    Vcpu = 7,
    /// One network interface of a VM, seen from the host.
    VmNet = 8,
    /// One disk of a VM.
    VmDisk = 9,
    /// This agent itself: one row.
    Agent = 10,
}

impl Scope {
    /// Every scope, in the order of its number.
    pub const ALL: [Self; 10] = [
        Self::Host,
        Self::Cpu,
        Self::Node,
        Self::Block,
        Self::Net,
        Self::Vm,
        Self::Vcpu,
        Self::VmNet,
        Self::VmDisk,
        Self::Agent,
    ];

    /// Position in arrays that hold one item per scope: 0 to 9.
    #[must_use]
    pub const fn index(self) -> usize {
        self as usize - 1
    }

    /// The scope of the given number.
    #[must_use]
    pub const fn from_number(number: u8) -> Option<Self> {
        match number {
            1..=10 => Some(Self::ALL[number as usize - 1]),
            _ => None,
        }
    }

    /// The lower-case word used in metric names, rules and JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Host => "host",
            Self::Cpu => "cpu",
            Self::Node => "node",
            Self::Block => "block",
            Self::Net => "net",
            Self::Vm => "vm",
            Self::Vcpu => "vcpu",
            Self::VmNet => "vmnet",
            Self::VmDisk => "vmdisk",
            Self::Agent => "agent",
        }
    }

    /// The metrics of this scope, in the order of their columns.
    #[must_use]
    pub const fn metrics(self) -> &'static [Metric] {
        match self {
            Self::Host => host::TABLE,
            Self::Cpu => cpu::TABLE,
            Self::Node => node::TABLE,
            Self::Block => block::TABLE,
            Self::Net => net::TABLE,
            Self::Vm => vm::TABLE,
            Self::Vcpu => vcpu::TABLE,
            Self::VmNet => vmnet::TABLE,
            Self::VmDisk => vmdisk::TABLE,
            Self::Agent => agent::TABLE,
        }
    }
}

/// The stable number of a metric: `scope * 1000 + column`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MetricId(u16);

impl MetricId {
    pub(crate) const fn new(scope: Scope, column: u16) -> Self {
        assert!(column < 1000, "a scope holds at most 1,000 metrics");
        Self(scope as u16 * 1000 + column)
    }

    /// The metric of the given number, if there is one.
    #[must_use]
    pub fn from_number(number: u16) -> Option<Self> {
        let scope = Scope::from_number(u8::try_from(number / 1000).ok()?)?;
        (usize::from(number % 1000) < scope.metrics().len()).then_some(Self(number))
    }

    /// The number used on the ABI.
    #[must_use]
    pub const fn number(self) -> u16 {
        self.0
    }

    /// The scope that the metric belongs to.
    #[must_use]
    pub const fn scope(self) -> Scope {
        Scope::ALL[(self.0 / 1000) as usize - 1]
    }

    /// The metric's column in its scope's section of the frame.
    #[must_use]
    pub const fn column(self) -> usize {
        (self.0 % 1000) as usize
    }

    /// The metric's row in the table.
    #[must_use]
    pub const fn metric(self) -> &'static Metric {
        &self.scope().metrics()[self.column()]
    }

    /// The metric of the given name, such as `vm_cpu_user_seconds`.
    #[must_use]
    pub fn by_name(name: &str) -> Option<Self> {
        all().find(|metric| metric.name == name).map(|metric| metric.id)
    }
}

/// How a value moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// Only grows, until whatever counts it starts anew.
    Counter = 1,
    /// Goes up and down.
    Gauge = 2,
}

/// The unit that a stored value is counted in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Unit {
    /// A plain number of things.
    Count = 1,
    /// Bytes.
    Bytes = 2,
    /// Nanoseconds; exported as seconds.
    Nanoseconds = 3,
    /// Parts per million; exported as a ratio.
    PartsPerMillion = 4,
    /// Thousandths of a degree; exported as degrees Celsius.
    MilliCelsius = 5,
    /// Millionths of a joule; exported as joules.
    MicroJoules = 6,
    /// Hertz.
    Hertz = 7,
    /// 0 or 1, or the number of a state that the help text lists.
    State = 8,
}

impl Unit {
    /// What a stored value is multiplied with to get the exported base unit.
    #[must_use]
    pub const fn scale(self) -> f64 {
        match self {
            Self::Count | Self::Bytes | Self::Hertz | Self::State => 1.0,
            Self::Nanoseconds => 1e-9,
            Self::PartsPerMillion | Self::MicroJoules => 1e-6,
            Self::MilliCelsius => 1e-3,
        }
    }

    /// The `OpenMetrics` unit that a metric's name must end in; empty when it has none.
    #[must_use]
    pub const fn suffix(self) -> &'static str {
        match self {
            Self::Count | Self::State => "",
            Self::Bytes => "bytes",
            Self::Nanoseconds => "seconds",
            Self::PartsPerMillion => "ratio",
            Self::MilliCelsius => "celsius",
            Self::MicroJoules => "joules",
            Self::Hertz => "hertz",
        }
    }
}

/// Where values come from. Availability and age are kept per row and source; a source is read as one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Source {
    /// `/proc/stat`
    ProcStat = 0,
    /// `/proc/meminfo`
    Meminfo = 1,
    /// `/proc/vmstat`
    Vmstat = 2,
    /// `/proc/diskstats`
    Diskstats = 3,
    /// `/proc/net/dev`
    NetDev = 4,
    /// `/proc/loadavg`
    Loadavg = 5,
    /// `/proc/pressure/{cpu,memory,io,irq}`
    Pressure = 6,
    /// `/proc/schedstat`
    Schedstat = 7,
    /// `/proc/softirqs`
    Softirqs = 8,
    /// `/proc/interrupts`
    Interrupts = 9,
    /// `/proc/sys/fs/{file-nr,inode-nr}`
    FileTables = 10,
    /// `/proc/sys/net/netfilter/nf_conntrack_{count,max}`
    Conntrack = 11,
    /// `/sys/kernel/mm/ksm`
    Ksm = 12,
    /// `/sys/devices/system/node/node*`
    Numa = 13,
    /// Kernel health: `/proc/sys/kernel/tainted`, machine checks, lockups
    KernelHealth = 14,
    /// `/sys/class/thermal`, `/sys/devices/system/cpu/cpu*/thermal_throttle`
    Thermal = 15,
    /// `/sys/class/powercap` (RAPL)
    Rapl = 16,
    /// The clock source in use, and steps of the wall clock
    Clock = 17,
    /// `perf_event_open`: software events, `kvm:*` tracepoints, hardware counters
    Perf = 18,
    /// `/proc/net/{netstat,snmp,sockstat}`
    NetStat = 19,
    /// `/proc/PID/stat`
    TaskStat = 20,
    /// `/proc/PID/task/TID/schedstat`
    Schedule = 21,
    /// `/proc/PID/io`
    TaskIo = 22,
    /// `/proc/PID/status`
    TaskStatus = 23,
    /// `/proc/PID/smaps_rollup`
    Smaps = 24,
    /// cgroup CPU: v2 `cpu.stat`, v1 `cpuacct`
    CgroupCpu = 25,
    /// cgroup memory: v2 `memory.*`, v1 `memory`
    CgroupMemory = 26,
    /// cgroup I/O: v2 `io.stat`, v1 `blkio`
    CgroupIo = 27,
    /// cgroup pressure: v2 `*.pressure`
    CgroupPressure = 28,
    /// KVM's own counters: stats fd, debugfs or QMP, whichever tier is open
    Kvm = 29,
    /// QMP `query-status`, `query-balloon`
    Monitor = 30,
    /// Disk counters of the VMM: QMP `query-blockstats`, Firecracker's and Cloud Hypervisor's own
    MonitorDisk = 31,
    /// Network counters of a VM's tap: netlink or sysfs
    Tap = 32,
    /// Process and file-descriptor facts of the VMM: `/proc/PID/fd`, `/proc/PID/limits`
    Descriptors = 33,
    /// The agent itself
    Agent = 34,
    /// cgroup process count: `pids.current`
    CgroupPids = 35,
    /// File systems that hold the images of a VM's disks: `statvfs(3)`
    Filesystem = 36,
}

impl Source {
    /// Whether it is read VM by VM.
    #[must_use]
    pub const fn is_of_vms(self) -> bool {
        matches!(
            self,
            Self::TaskStat
                | Self::Schedule
                | Self::TaskIo
                | Self::TaskStatus
                | Self::Smaps
                | Self::CgroupCpu
                | Self::CgroupMemory
                | Self::CgroupIo
                | Self::CgroupPressure
                | Self::CgroupPids
                | Self::Filesystem
                | Self::Kvm
                | Self::Tap
                | Self::Descriptors
        )
    }

    /// How many sources there are.
    pub const COUNT: usize = Self::ALL.len();

    /// Every source, in the order of its number.
    pub const ALL: [Self; 37] = [
        Self::ProcStat,
        Self::Meminfo,
        Self::Vmstat,
        Self::Diskstats,
        Self::NetDev,
        Self::Loadavg,
        Self::Pressure,
        Self::Schedstat,
        Self::Softirqs,
        Self::Interrupts,
        Self::FileTables,
        Self::Conntrack,
        Self::Ksm,
        Self::Numa,
        Self::KernelHealth,
        Self::Thermal,
        Self::Rapl,
        Self::Clock,
        Self::Perf,
        Self::NetStat,
        Self::TaskStat,
        Self::Schedule,
        Self::TaskIo,
        Self::TaskStatus,
        Self::Smaps,
        Self::CgroupCpu,
        Self::CgroupMemory,
        Self::CgroupIo,
        Self::CgroupPressure,
        Self::Kvm,
        Self::Monitor,
        Self::MonitorDisk,
        Self::Tap,
        Self::Descriptors,
        Self::Agent,
        Self::CgroupPids,
        Self::Filesystem,
    ];
}

/// One row of the table.
#[derive(Clone, Copy, Debug)]
pub struct Metric {
    /// Its stable number.
    pub id: MetricId,
    /// The name of the constant in C and Python, without prefix: `VM_CPU_USER`.
    pub constant: &'static str,
    /// Its name in `OpenMetrics` style, with the unit last and without `bartizan_` and `_total`.
    pub name: &'static str,
    /// Counter or gauge.
    pub kind: Kind,
    /// The unit of the stored value.
    pub unit: Unit,
    /// Where it is read.
    pub source: Source,
    /// The first kernel (or VMM, where it says so) that has it.
    pub since: &'static str,
    /// One sentence for people.
    pub help: &'static str,
}

/// Every metric, scope by scope.
pub fn all() -> impl Iterator<Item = &'static Metric> {
    Scope::ALL.into_iter().flat_map(|scope| scope.metrics().iter())
}

/// Declares the metrics of one scope: constants of type [`MetricId`] and the scope's `TABLE`.
///
/// A line is `CONSTANT = column, "name_without_scope", Kind, Unit, Source, "since", "help";`
macro_rules! metrics {
    ($scope:ident, $prefix:literal, $upper:literal;
     $($constant:ident = $column:literal, $name:literal, $kind:ident, $unit:ident, $source:ident, $since:literal, $help:literal;)*) => {
        use super::{Kind, Metric, MetricId, Scope, Source, Unit};

        $(
            #[doc = $help]
            #[allow(clippy::doc_markdown, reason = "help is shown as plain text too, where backticks would stand out")]
            pub const $constant: MetricId = MetricId::new(Scope::$scope, $column);
        )*

        pub(super) const TABLE: &[Metric] = &[
            $(
                Metric {
                    id: $constant,
                    constant: concat!($upper, "_", stringify!($constant)),
                    name: concat!($prefix, "_", $name),
                    kind: Kind::$kind,
                    unit: Unit::$unit,
                    source: Source::$source,
                    since: $since,
                    help: $help,
                },
            )*
        ];
    };
}
use metrics;

impl Source {
    /// The lower-case word used in JSON, labels and messages.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::ProcStat => "proc-stat",
            Self::Meminfo => "meminfo",
            Self::Vmstat => "vmstat",
            Self::Diskstats => "diskstats",
            Self::NetDev => "net-dev",
            Self::Loadavg => "loadavg",
            Self::Pressure => "pressure",
            Self::Schedstat => "schedstat",
            Self::Softirqs => "softirqs",
            Self::Interrupts => "interrupts",
            Self::FileTables => "file-tables",
            Self::Conntrack => "conntrack",
            Self::Ksm => "ksm",
            Self::Numa => "numa",
            Self::KernelHealth => "kernel-health",
            Self::Thermal => "thermal",
            Self::Rapl => "rapl",
            Self::Clock => "clock",
            Self::Perf => "perf",
            Self::NetStat => "net-stat",
            Self::TaskStat => "task-stat",
            Self::Schedule => "schedule",
            Self::TaskIo => "task-io",
            Self::TaskStatus => "task-status",
            Self::Smaps => "smaps",
            Self::CgroupCpu => "cgroup-cpu",
            Self::CgroupMemory => "cgroup-memory",
            Self::CgroupIo => "cgroup-io",
            Self::CgroupPressure => "cgroup-pressure",
            Self::Kvm => "kvm",
            Self::Monitor => "monitor",
            Self::MonitorDisk => "monitor-disk",
            Self::Tap => "tap",
            Self::Descriptors => "descriptors",
            Self::Agent => "agent",
            Self::CgroupPids => "cgroup-pids",
            Self::Filesystem => "filesystem",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn columns_are_dense_and_ids_lead_back_to_their_row() {
        for scope in Scope::ALL {
            for (column, metric) in scope.metrics().iter().enumerate() {
                assert_eq!(metric.id.column(), column, "{}", metric.name);
                assert_eq!(metric.id.scope(), scope, "{}", metric.name);
                assert_eq!(MetricId::from_number(metric.id.number()), Some(metric.id));
                assert_eq!(MetricId::by_name(metric.name), Some(metric.id));
            }
        }
        assert_eq!(MetricId::from_number(999), None);
        assert_eq!(MetricId::from_number(1999), None);
        assert_eq!(MetricId::from_number(u16::MAX), None);
    }

    #[test]
    fn names_are_unique_and_follow_openmetrics() {
        let mut names = HashSet::new();
        for metric in all() {
            assert!(names.insert(metric.name), "{} is declared twice", metric.name);
            assert!(
                metric.name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_'),
                "{}",
                metric.name
            );
            assert!(!metric.name.ends_with("_total"), "{}: exporters add _total", metric.name);
            if !metric.unit.suffix().is_empty() {
                assert!(metric.name.ends_with(metric.unit.suffix()), "{} must end in its unit", metric.name);
            }
            assert!(metric.help.ends_with('.'), "{}: the help is a sentence", metric.name);
            assert!(!metric.since.is_empty(), "{}", metric.name);
        }
    }

    #[test]
    fn the_table_holds_at_least_250_metrics() {
        assert!(all().count() >= 250, "{}", all().count());
    }
}
