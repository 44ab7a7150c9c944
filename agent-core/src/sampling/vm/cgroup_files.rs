//! What is in a cgroup's files (Documentation/admin-guide/cgroup-v2.rst and cgroup-v1/).

use super::batch::Batch;
use super::keyed::{self, Key, count, micros};
use super::process::Units;
use super::text;
use crate::sampling::availability::Availability;
use crate::sampling::metrics::{MetricId, vm};

/// Limits at or above this are v1's way to say that there is none: `i64::MAX` rounded down to pages.
const V1_UNLIMITED: u64 = 1 << 62;

/// One kind of file.
#[derive(Clone, Copy)]
pub(super) enum Content {
    /// Lines of key and value.
    Keyed(&'static [Key]),
    /// One number.
    Number(MetricId),
    /// One number, or `max` when there is no limit.
    Limit(MetricId),
    /// `user N` and `system N`, in clock ticks.
    Cpuacct,
    /// v2 `io.stat`.
    IoStat,
    /// v1 `blkio.*`: lines of device, operation and number; the metrics for `Read`, `Write` and `Discard`.
    Blkio([MetricId; 3]),
    /// v2 pressure: the metrics for `some` and `full`.
    Pressure([MetricId; 2]),
}

/// v2 `cpu.stat`. Only the first three are there without the cpu controller.
pub(super) const CPU_STAT_V2: &[Key] = &[
    Key { name: b"usage_usec", metric: vm::CGROUP_CPU_USAGE, read: micros },
    Key { name: b"user_usec", metric: vm::CGROUP_CPU_USER, read: micros },
    Key { name: b"system_usec", metric: vm::CGROUP_CPU_SYSTEM, read: micros },
    Key { name: b"core_sched.force_idle_usec", metric: vm::CGROUP_CPU_FORCED_IDLE, read: micros },
    Key { name: b"nr_periods", metric: vm::CGROUP_CPU_PERIODS, read: count },
    Key { name: b"nr_throttled", metric: vm::CGROUP_CPU_THROTTLED_PERIODS, read: count },
    Key { name: b"throttled_usec", metric: vm::CGROUP_CPU_THROTTLED, read: micros },
    Key { name: b"nr_bursts", metric: vm::CGROUP_CPU_BURSTS, read: count },
    Key { name: b"burst_usec", metric: vm::CGROUP_CPU_BURST, read: micros },
];

/// v2 `cpu.stat` beside a v1 cpu controller, which has the rest.
pub(super) const CPU_STAT_V2_USAGE: &[Key] = CPU_STAT_V2.split_at(4).0;

/// v1 `cpu.stat`, in nanoseconds.
pub(super) const CPU_STAT_V1: &[Key] = &[
    Key { name: b"nr_periods", metric: vm::CGROUP_CPU_PERIODS, read: count },
    Key { name: b"nr_throttled", metric: vm::CGROUP_CPU_THROTTLED_PERIODS, read: count },
    Key { name: b"throttled_time", metric: vm::CGROUP_CPU_THROTTLED, read: count },
    Key { name: b"nr_bursts", metric: vm::CGROUP_CPU_BURSTS, read: count },
    Key { name: b"burst_time", metric: vm::CGROUP_CPU_BURST, read: count },
];

pub(super) const MEMORY_STAT_V2: &[Key] = &[
    Key { name: b"anon", metric: vm::CGROUP_MEMORY_ANONYMOUS, read: count },
    Key { name: b"file", metric: vm::CGROUP_MEMORY_FILE, read: count },
    Key { name: b"kernel", metric: vm::CGROUP_MEMORY_KERNEL, read: count },
    Key { name: b"shmem", metric: vm::CGROUP_MEMORY_SHARED, read: count },
    Key { name: b"file_dirty", metric: vm::CGROUP_MEMORY_DIRTY, read: count },
    Key { name: b"file_writeback", metric: vm::CGROUP_MEMORY_WRITEBACK, read: count },
    Key { name: b"slab", metric: vm::CGROUP_MEMORY_SLAB, read: count },
    Key { name: b"workingset_refault_anon", metric: vm::CGROUP_REFAULTS_ANONYMOUS, read: count },
    Key { name: b"workingset_refault_file", metric: vm::CGROUP_REFAULTS_FILE, read: count },
    Key { name: b"pgfault", metric: vm::CGROUP_FAULTS, read: count },
    Key { name: b"pgmajfault", metric: vm::CGROUP_FAULTS_MAJOR, read: count },
];

/// The `total_` lines count the groups below too, as v2 always does.
pub(super) const MEMORY_STAT_V1: &[Key] = &[
    Key { name: b"total_cache", metric: vm::CGROUP_MEMORY_FILE, read: count },
    Key { name: b"total_rss", metric: vm::CGROUP_MEMORY_ANONYMOUS, read: count },
    Key { name: b"total_shmem", metric: vm::CGROUP_MEMORY_SHARED, read: count },
    Key { name: b"total_dirty", metric: vm::CGROUP_MEMORY_DIRTY, read: count },
    Key { name: b"total_writeback", metric: vm::CGROUP_MEMORY_WRITEBACK, read: count },
    Key { name: b"total_workingset_refault_anon", metric: vm::CGROUP_REFAULTS_ANONYMOUS, read: count },
    Key { name: b"total_workingset_refault_file", metric: vm::CGROUP_REFAULTS_FILE, read: count },
    Key { name: b"total_swap", metric: vm::CGROUP_SWAP, read: count },
    Key { name: b"total_pgfault", metric: vm::CGROUP_FAULTS, read: count },
    Key { name: b"total_pgmajfault", metric: vm::CGROUP_FAULTS_MAJOR, read: count },
];

pub(super) const MEMORY_EVENTS: &[Key] = &[
    Key { name: b"low", metric: vm::CGROUP_MEMORY_LOW_EVENTS, read: count },
    Key { name: b"high", metric: vm::CGROUP_MEMORY_HIGH_EVENTS, read: count },
    Key { name: b"max", metric: vm::CGROUP_MEMORY_MAX_EVENTS, read: count },
    Key { name: b"oom", metric: vm::CGROUP_OOM_EVENTS, read: count },
    Key { name: b"oom_kill", metric: vm::CGROUP_OOM_KILLS, read: count },
];

/// v1 `memory.oom_control`.
pub(super) const OOM_CONTROL: &[Key] =
    &[Key { name: b"oom_kill", metric: vm::CGROUP_OOM_KILLS, read: count }];

pub(super) const PIDS_EVENTS: &[Key] = &[Key { name: b"max", metric: vm::CGROUP_FORKS_REFUSED, read: count }];

const IO_STAT: [(&[u8], MetricId); 6] = [
    (b"rbytes", vm::CGROUP_IO_READ),
    (b"wbytes", vm::CGROUP_IO_WRITTEN),
    (b"rios", vm::CGROUP_IO_READS),
    (b"wios", vm::CGROUP_IO_WRITES),
    (b"dbytes", vm::CGROUP_IO_DISCARDED),
    (b"dios", vm::CGROUP_IO_DISCARDS),
];

impl Content {
    /// Reads one file.
    pub(super) fn read(self, bytes: &[u8], units: Units, batch: &mut Batch) {
        match self {
            Self::Keyed(keys) => keyed::read(bytes, keys, batch),
            Self::Number(metric) => batch.put(metric, count(bytes).ok_or(Availability::Error)),
            Self::Limit(metric) => batch.put(metric, limit(bytes)),
            Self::Cpuacct => cpuacct(bytes, units, batch),
            Self::IoStat => io_stat(bytes, batch),
            Self::Blkio(metrics) => blkio(bytes, metrics, batch),
            Self::Pressure([some, full]) => {
                batch.put(some, pressure(bytes, b"some"));
                batch.put(full, pressure(bytes, b"full"));
            }
        }
    }

    /// Says of every metric of the file why it has no value.
    pub(super) fn fail(self, availability: Availability, batch: &mut Batch) {
        let mut fail = |metric| batch.put(metric, Err(availability));
        match self {
            Self::Keyed(keys) => keys.iter().map(|key| key.metric).for_each(fail),
            Self::Number(metric) | Self::Limit(metric) => fail(metric),
            Self::Cpuacct => [vm::CGROUP_CPU_USER, vm::CGROUP_CPU_SYSTEM].into_iter().for_each(fail),
            Self::IoStat => IO_STAT.iter().map(|(_, metric)| *metric).for_each(fail),
            Self::Blkio(metrics) => metrics.into_iter().for_each(fail),
            Self::Pressure(metrics) => metrics.into_iter().for_each(fail),
        }
    }
}

fn limit(bytes: &[u8]) -> Result<i64, Availability> {
    match bytes.trim_ascii() {
        b"max" => Err(Availability::Unsupported),
        digits => match text::number(digits) {
            Some(V1_UNLIMITED..) => Err(Availability::Unsupported),
            Some(value) => i64::try_from(value).map_err(|_| Availability::Error),
            None => Err(Availability::Error),
        },
    }
}

fn cpuacct(bytes: &[u8], units: Units, batch: &mut Batch) {
    for (name, metric) in [(&b"user"[..], vm::CGROUP_CPU_USER), (b"system", vm::CGROUP_CPU_SYSTEM)] {
        let line = text::lines(bytes).find_map(|line| line.strip_prefix(name));
        let ticks = line.and_then(text::number);
        let value = ticks.and_then(|ticks| i64::try_from(ticks.checked_mul(units.tick_ns)?).ok());
        batch.put(metric, value.ok_or(Availability::Error));
    }
}

/// Lines `8:0 rbytes=1 wbytes=2 ...`, summed over devices. No line at all means that there was no I/O yet.
fn io_stat(bytes: &[u8], batch: &mut Batch) {
    let mut sums = [Some(0u64); IO_STAT.len()];
    for line in text::lines(bytes) {
        for word in text::words(line).skip(1) {
            let Some(at) = word.iter().position(|byte| *byte == b'=') else { continue };
            let Some(index) = IO_STAT.iter().position(|(name, _)| *name == &word[..at]) else { continue };
            sums[index] = sums[index].and_then(|sum| sum.checked_add(text::number(&word[at + 1..])?));
        }
    }
    for (sum, (_, metric)) in sums.into_iter().zip(IO_STAT) {
        batch.put(metric, sum.and_then(|sum| i64::try_from(sum).ok()).ok_or(Availability::Error));
    }
}

/// Lines `8:0 Read 1`, and at the end `Total 3`.
fn blkio(bytes: &[u8], metrics: [MetricId; 3], batch: &mut Batch) {
    let mut sums = [Some(0u64); 3];
    for line in text::lines(bytes) {
        let mut words = text::words(line).skip(1);
        let (Some(operation), Some(value)) = (words.next(), words.next()) else { continue };
        let index = match operation {
            b"Read" => 0,
            b"Write" => 1,
            b"Discard" => 2,
            _ => continue,
        };
        sums[index] = sums[index].and_then(|sum| sum.checked_add(text::number(value)?));
    }
    for (sum, metric) in sums.into_iter().zip(metrics) {
        batch.put(metric, sum.and_then(|sum| i64::try_from(sum).ok()).ok_or(Availability::Error));
    }
}

/// `some avg10=0.00 avg60=0.00 avg300=0.00 total=0`, the total in microseconds.
fn pressure(bytes: &[u8], kind: &[u8]) -> Result<i64, Availability> {
    let line = text::lines(bytes).find(|line| text::words(line).next() == Some(kind));
    let line = line.ok_or(Availability::Unsupported)?;
    let total = text::words(line).find_map(|word| word.strip_prefix(b"total="));
    total.and_then(micros).ok_or(Availability::Error)
}

/// Whether the group is frozen, by v2 `cgroup.events` or v1 `freezer.state`.
pub(super) fn is_frozen(bytes: &[u8]) -> bool {
    text::lines(bytes).any(|line| matches!(line, b"frozen 1" | b"FROZEN"))
}

/// Every kind of file, for the fuzzer.
pub(super) fn fuzz(bytes: &[u8]) {
    let units = Units { tick_ns: 10_000_000, page_bytes: 4_096, delays: true };
    let io = [vm::CGROUP_IO_READ, vm::CGROUP_IO_WRITTEN, vm::CGROUP_IO_DISCARDED];
    let kinds = [
        Content::Keyed(MEMORY_STAT_V2),
        Content::Limit(vm::CGROUP_MEMORY_LIMIT),
        Content::Cpuacct,
        Content::IoStat,
        Content::Blkio(io),
        Content::Pressure([vm::PRESSURE_CPU_SOME, vm::PRESSURE_CPU_FULL]),
    ];
    for kind in kinds {
        let mut batch = Batch::default();
        kind.read(bytes, units, &mut batch);
    }
    let _ = is_frozen(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const UNITS: Units = Units { tick_ns: 10_000_000, page_bytes: 4_096, delays: true };

    fn read(content: Content, text: &str) -> Vec<(MetricId, Result<i64, Availability>)> {
        let mut batch = Batch::default();
        content.read(text.as_bytes(), UNITS, &mut batch);
        batch.values().collect()
    }

    fn one(content: Content, text: &str, metric: MetricId) -> Result<i64, Availability> {
        read(content, text).into_iter().find(|(id, _)| *id == metric).unwrap().1
    }

    #[test]
    fn a_limit_that_is_none_is_no_number() {
        let limit = Content::Limit(vm::CGROUP_MEMORY_LIMIT);
        for (text, expected) in [
            ("1073741824\n", Ok(1 << 30)),
            ("max\n", Err(Availability::Unsupported)),
            ("9223372036854771712\n", Err(Availability::Unsupported)),
            ("", Err(Availability::Error)),
            ("-1\n", Err(Availability::Error)),
        ] {
            assert_eq!(read(limit, text), [(vm::CGROUP_MEMORY_LIMIT, expected)], "{text:?}");
        }
    }

    #[test]
    fn devices_are_summed() {
        let text =
            "8:0 rbytes=100 wbytes=200 rios=1 wios=2 dbytes=4 dios=3\n253:0 rbytes=1 wbytes=2 rios=1\n";
        assert_eq!(one(Content::IoStat, text, vm::CGROUP_IO_READ), Ok(101));
        assert_eq!(one(Content::IoStat, text, vm::CGROUP_IO_WRITTEN), Ok(202));
        assert_eq!(one(Content::IoStat, text, vm::CGROUP_IO_DISCARDS), Ok(3));
        assert_eq!(one(Content::IoStat, "", vm::CGROUP_IO_READ), Ok(0), "no line: no I/O yet");
        assert_eq!(one(Content::IoStat, "8:0 rbytes=x\n", vm::CGROUP_IO_READ), Err(Availability::Error));

        let kind = Content::Blkio([vm::CGROUP_IO_READ, vm::CGROUP_IO_WRITTEN, vm::CGROUP_IO_DISCARDED]);
        let text = "8:0 Read 10\n8:0 Write 20\n8:0 Sync 30\n8:0 Total 30\n9:0 Read 5\nTotal 35\n";
        assert_eq!(one(kind, text, vm::CGROUP_IO_READ), Ok(15));
        assert_eq!(one(kind, text, vm::CGROUP_IO_WRITTEN), Ok(20));
        assert_eq!(one(kind, "Total 0\n", vm::CGROUP_IO_DISCARDED), Ok(0));
    }

    #[test]
    fn pressure_is_its_total() {
        let kind = Content::Pressure([vm::PRESSURE_CPU_SOME, vm::PRESSURE_CPU_FULL]);
        let text = "some avg10=1.50 avg60=0.00 avg300=0.00 total=1234\n";
        assert_eq!(one(kind, text, vm::PRESSURE_CPU_SOME), Ok(1_234_000));
        assert_eq!(one(kind, text, vm::PRESSURE_CPU_FULL), Err(Availability::Unsupported));
        assert_eq!(one(kind, "some total=\n", vm::PRESSURE_CPU_SOME), Err(Availability::Error));
    }

    #[test]
    fn cpuacct_is_in_clock_ticks() {
        assert_eq!(one(Content::Cpuacct, "user 150\nsystem 7\n", vm::CGROUP_CPU_USER), Ok(1_500_000_000));
        assert_eq!(one(Content::Cpuacct, "user 150\n", vm::CGROUP_CPU_SYSTEM), Err(Availability::Error));
    }

    #[test]
    fn freezers_of_both_versions_are_understood() {
        assert!(is_frozen(b"populated 1\nfrozen 1\n") && is_frozen(b"FROZEN\n"));
        for thawed in [&b"populated 1\nfrozen 0\n"[..], b"THAWED\n", b"FREEZING\n", b"", b"unfrozen 1\n"] {
            assert!(!is_frozen(thawed));
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes: Vec<u8>) {
            fuzz(&bytes);
        }

        #[test]
        fn sums_over_devices_are_exact_or_an_error(values in prop::collection::vec(0..=i64::MAX.unsigned_abs(), 0..8)) {
            let lines: Vec<_> = values.iter().map(|value| format!("8:0 rbytes={value}\n")).collect();
            let text = lines.concat();
            let sum: u128 = values.iter().map(|value| u128::from(*value)).sum();
            let expected = i64::try_from(sum).map_err(|_| Availability::Error);
            prop_assert_eq!(one(Content::IoStat, &text, vm::CGROUP_IO_READ), expected);
        }
    }
}
