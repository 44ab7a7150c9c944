//! Which number of which file is which metric: data, one table a file.

mod kernel;
mod memory;
mod network;
mod rows;
mod single;
mod vmstat;

use crate::sampling::metrics::{MetricId, Scope, Source};
use crate::sampling::parse::{Grammar, Token};

pub(super) use memory::{NODE_MEMINFO, NODE_NUMASTAT};
pub(super) use rows::{COLUMNS_INTERRUPTS, COLUMNS_SOFTIRQS, LineWant};
pub(super) use single::SINGLES;

/// From the number in the file to the stored unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scale {
    /// As it is.
    One,
    /// KiB to bytes.
    Kib,
    /// Pages to bytes.
    Page,
    /// `USER_HZ` ticks to nanoseconds.
    Tick,
    /// Sectors of 512 bytes to bytes, whatever the device's own sector size.
    Sector,
    /// Seconds to nanoseconds.
    Seconds,
    /// Milliseconds to nanoseconds.
    Milli,
    /// Microseconds to nanoseconds.
    Micro,
    /// Hundredths of a percent to parts per million.
    CentiPercent,
    /// Hundredths to parts per million.
    Centi,
}

impl Scale {
    /// What the number is multiplied with.
    pub(super) fn factor(self, page_bytes: u32, ticks_per_second: u32) -> u32 {
        match self {
            Self::One => 1,
            Self::Kib => 1_024,
            Self::Page => page_bytes,
            Self::Tick => 1_000_000_000 / ticks_per_second.max(1),
            Self::Sector => 512,
            Self::Seconds => 1_000_000_000,
            Self::Milli => 1_000_000,
            Self::Micro => 1_000,
            Self::CentiPercent => 100,
            Self::Centi => 10_000,
        }
    }
}

/// A number of the host as a whole.
#[derive(Clone, Copy, Debug)]
pub(super) struct Want {
    /// What it is called: see [`Grammar::label`].
    pub(super) key: &'static str,
    /// What it is.
    pub(super) metric: MetricId,
    /// Its unit.
    pub(super) scale: Scale,
}

const fn want(key: &'static str, metric: MetricId, scale: Scale) -> Want {
    Want { key, metric, scale }
}

/// A number of one row: its column in the line.
#[derive(Clone, Copy, Debug)]
pub(super) struct ColumnWant {
    /// Its position among the numbers of the line.
    pub(super) column: u32,
    /// What it is.
    pub(super) metric: MetricId,
    /// The host's metric that is the sum of all rows.
    pub(super) host: Option<MetricId>,
    /// Its unit.
    pub(super) scale: Scale,
}

/// The folder a path is below.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Root {
    /// `/proc`
    Proc,
    /// `/sys`
    Sys,
}

/// Rows that a file has besides the host's.
#[derive(Clone, Copy, Debug)]
pub(super) enum Rows {
    /// None.
    None,
    /// Each line whose key names a row of the scope: `cpu0`, `eth0`, `vda`.
    ByKey(Scope, &'static [ColumnWant]),
    /// One line a CPU; since 5.10 its number is in this column.
    SoftnetLines(&'static [ColumnWant], u32),
}

/// One file.
#[derive(Clone, Copy, Debug)]
pub(super) struct FileSpec {
    pub(super) root: Root,
    pub(super) path: &'static str,
    pub(super) source: Source,
    pub(super) grammar: Grammar,
    /// Lines never come or go while the kernel runs.
    pub(super) fixed: bool,
    pub(super) wants: &'static [Want],
    pub(super) rows: Rows,
}

const fn bare(root: Root, path: &'static str, source: Source, wants: &'static [Want]) -> FileSpec {
    FileSpec { root, path, source, grammar: Grammar::Bare, fixed: true, wants, rows: Rows::None }
}

const fn plain(
    path: &'static str,
    source: Source,
    grammar: Grammar,
    fixed: bool,
    wants: &'static [Want],
) -> FileSpec {
    FileSpec { root: Root::Proc, path, source, grammar, fixed, wants, rows: Rows::None }
}

/// Files with names in them.
pub(super) const NAMED: &[FileSpec] = &[
    FileSpec {
        rows: Rows::ByKey(Scope::Cpu, rows::STAT_CPU),
        ..plain("stat", Source::ProcStat, Grammar::Stat, false, kernel::STAT)
    },
    plain("loadavg", Source::Loadavg, Grammar::Bare, true, kernel::LOADAVG),
    plain("meminfo", Source::Meminfo, Grammar::Pairs, true, memory::MEMINFO),
    plain("vmstat", Source::Vmstat, Grammar::Pairs, true, vmstat::VMSTAT),
    plain("pressure/cpu", Source::Pressure, Grammar::Lines, true, kernel::PRESSURE_CPU),
    plain("pressure/memory", Source::Pressure, Grammar::Lines, true, kernel::PRESSURE_MEMORY),
    plain("pressure/io", Source::Pressure, Grammar::Lines, true, kernel::PRESSURE_IO),
    plain("pressure/irq", Source::Pressure, Grammar::Lines, true, kernel::PRESSURE_IRQ),
    FileSpec {
        rows: Rows::ByKey(Scope::Block, rows::DISKSTATS),
        ..plain("diskstats", Source::Diskstats, Grammar::Third, false, &[])
    },
    FileSpec {
        rows: Rows::ByKey(Scope::Net, rows::NET_DEV),
        ..plain("net/dev", Source::NetDev, Grammar::Lines, false, &[])
    },
    FileSpec {
        rows: Rows::ByKey(Scope::Cpu, rows::SCHEDSTAT),
        ..plain("schedstat", Source::Schedstat, Grammar::Stat, false, &[])
    },
    plain("net/netstat", Source::NetStat, Grammar::Headed, true, network::NETSTAT),
    plain("net/snmp", Source::NetStat, Grammar::Headed, false, network::SNMP),
    plain("net/sockstat", Source::NetStat, Grammar::Lines, true, network::SOCKSTAT),
    plain("net/sockstat6", Source::NetStat, Grammar::Lines, true, network::SOCKSTAT6),
    FileSpec {
        rows: Rows::SoftnetLines(rows::SOFTNET, 12),
        ..plain("net/softnet_stat", Source::NetStat, Grammar::Hex, false, &[])
    },
    plain("net/stat/nf_conntrack", Source::Conntrack, Grammar::HeadedHex, false, network::CONNTRACK),
];

/// What a number is called in a [`Want`].
pub(super) fn label(grammar: Grammar, token: &Token) -> String {
    let text = |bytes| String::from_utf8_lossy(bytes);
    match grammar {
        Grammar::Pairs => text(token.key).into_owned(),
        Grammar::Bare | Grammar::Hex => token.column.to_string(),
        Grammar::HeadedHex => text(token.name).into_owned(),
        _ if token.name.is_empty() => format!("{} {}", text(token.key), token.column),
        _ => format!("{} {}", text(token.key), text(token.name)),
    }
}

/// The names of memory zones: older kernels count some events per zone.
const ZONES: [&str; 6] = ["_dma", "_dma32", "_normal", "_high", "_movable", "_device"];

/// Whether a want means a label; `stem*` also means the label with a zone's name.
pub(super) fn wants_label(want: &Want, label: &str) -> bool {
    match want.key.strip_suffix('*') {
        None => want.key == label,
        Some(stem) => label.strip_prefix(stem).is_some_and(|rest| rest.is_empty() || ZONES.contains(&rest)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn a_metric_comes_from_one_place() {
        let mut seen = HashSet::new();
        let wants =
            NAMED.iter().chain(SINGLES).flat_map(|spec| spec.wants.iter().map(move |want| (spec, want)));
        for (spec, want) in wants {
            assert!(seen.insert(want.metric.number()), "{} is wanted twice", want.metric.metric().name);
            assert_eq!(want.metric.metric().source, spec.source, "{}", want.metric.metric().name);
        }
    }

    #[test]
    fn zones_are_added_up_and_nothing_else() {
        let scanned = Want { key: "pgscan_direct*", ..vmstat::VMSTAT[0] };
        for label in ["pgscan_direct", "pgscan_direct_dma", "pgscan_direct_normal"] {
            assert!(wants_label(&scanned, label), "{label}");
        }
        for label in ["pgscan_direct_throttle", "pgscan_kswapd", "pgscan"] {
            assert!(!wants_label(&scanned, label), "{label}");
        }
    }
}
