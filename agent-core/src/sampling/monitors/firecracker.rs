//! Firecracker's own counters: the run state from its API socket, everything else from its metrics file.
//!
//! Each line of the file is an object of objects. Most numbers count what happened since the line before
//! (`SharedIncMetric`) and are summed up here; a few are absolute (`SharedStoreMetric`). Disks appear as
//! `block_<drive id>`, and in releases before 1.5 only summed up as `block`.
//! Format: `src/vmm/src/logger/metrics.rs` and `devices/virtio/block/virtio/metrics.rs` of Firecracker.

use super::disks::{DiskKeys, row_of};
use super::failure::Failure;
use super::http::Answer;
use super::json::numbers;
use super::qmp_answers::{Values, fail_disk};
use crate::sampling::availability::Availability;
use crate::sampling::discovery::VmInfo;
use crate::sampling::metrics::{MetricId, vm, vmdisk};
use serde::Deserialize;
use std::collections::BTreeMap;

/// What is asked of the API socket.
pub(super) const PATHS: &[&str] = &["/"];

/// Firecracker attaches at most this many disks; more in a file is no Firecracker's.
const DISKS_MAX: usize = 64;

/// How a number of the file becomes a value.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    /// Add it up.
    Sum,
    /// Add it up, microseconds.
    SumMicroseconds,
    /// Take it as it is, microseconds.
    LastMicroseconds,
}

use Way::{LastMicroseconds, Sum, SumMicroseconds};

/// Numbers of the VM: object, key, metric. Several may add up to one metric.
const OF_VM: &[(&str, &str, MetricId)] = &[
    ("vcpu", "exit_io_in", vm::VMM_EXITS_IO_IN),
    ("vcpu", "exit_io_out", vm::VMM_EXITS_IO_OUT),
    ("vcpu", "exit_mmio_read", vm::VMM_EXITS_MMIO_READ),
    ("vcpu", "exit_mmio_write", vm::VMM_EXITS_MMIO_WRITE),
    ("vcpu", "failures", vm::VMM_VCPU_FAILURES),
    ("seccomp", "num_faults", vm::VMM_SECCOMP_FAULTS),
    ("vmm", "panic_count", vm::VMM_PANICS),
    ("signals", "sigbus", vm::VMM_FATAL_SIGNALS),
    ("signals", "sigsegv", vm::VMM_FATAL_SIGNALS),
    ("signals", "sigxfsz", vm::VMM_FATAL_SIGNALS),
    ("signals", "sigxcpu", vm::VMM_FATAL_SIGNALS),
    ("signals", "sighup", vm::VMM_FATAL_SIGNALS),
    ("signals", "sigill", vm::VMM_FATAL_SIGNALS),
    ("net", "rx_fails", vm::VMM_NET_FAILURES),
    ("net", "tx_fails", vm::VMM_NET_FAILURES),
    ("net", "tap_read_fails", vm::VMM_NET_FAILURES),
    ("net", "tap_write_fails", vm::VMM_NET_FAILURES),
    ("net", "tx_malformed_frames", vm::VMM_NET_MALFORMED),
    ("net", "tx_spoofed_mac_count", vm::VMM_NET_SPOOFED),
];

/// Numbers of a disk: key, key within, metric, way.
const OF_DISK: &[(&str, &str, MetricId, Way)] = &[
    ("read_bytes", "", vmdisk::READ, Sum),
    ("write_bytes", "", vmdisk::WRITTEN, Sum),
    ("read_count", "", vmdisk::READS, Sum),
    ("write_count", "", vmdisk::WRITES, Sum),
    ("flush_count", "", vmdisk::FLUSHES, Sum),
    ("execute_fails", "", vmdisk::REQUESTS_FAILED, Sum),
    ("invalid_reqs_count", "", vmdisk::REQUESTS_INVALID, Sum),
    ("rate_limiter_throttled_events", "", vmdisk::THROTTLED, Sum),
    ("io_engine_throttled_events", "", vmdisk::ENGINE_THROTTLED, Sum),
    ("queue_event_count", "", vmdisk::QUEUE_EVENTS, Sum),
    ("no_avail_buffer", "", vmdisk::QUEUE_EMPTY, Sum),
    ("read_agg", "sum_us", vmdisk::READ_TIME, SumMicroseconds),
    ("read_agg", "max_us", vmdisk::READ_LATENCY_MAX, LastMicroseconds),
    ("write_agg", "sum_us", vmdisk::WRITE_TIME, SumMicroseconds),
    ("write_agg", "max_us", vmdisk::WRITE_LATENCY_MAX, LastMicroseconds),
];

/// The metrics of a VM that only Firecracker's file fills.
pub(super) fn vm_metrics() -> impl Iterator<Item = MetricId> {
    let mut metrics: Vec<_> = OF_VM.iter().map(|(_, _, metric)| *metric).collect();
    metrics.dedup();
    metrics.into_iter()
}

#[derive(Deserialize)]
struct Instance {
    state: String,
}

/// The value of `vm_run_state` from the answer to [`PATHS`].
pub(super) fn run_state(answers: &[Answer]) -> Result<i64, Failure> {
    let [Answer { status: 200, body }] = answers else {
        return Err(Failure::refused("it refused to describe its instance".into()));
    };
    let instance: Instance = serde_json::from_slice(body)
        .map_err(|error| Failure::garbage(format!("its answer to {} makes no sense: {error}", PATHS[0])))?;
    Ok(match instance.state.as_str() {
        "Running" => 1,
        "Paused" => 2,
        "Not started" => 3,
        _ => 0,
    })
}

/// Everything the lines of a metrics file add up to.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Totals {
    vm: Vec<(MetricId, i64)>,
    /// By drive id; the sum of all disks is under the empty id.
    disks: BTreeMap<String, Vec<(MetricId, i64)>>,
    /// Lines that made sense.
    pub(super) lines: u64,
}

impl Totals {
    /// Adds one line.
    pub(super) fn add(&mut self, line: &[u8]) -> Result<(), Failure> {
        let mut found = Vec::new();
        numbers(line, |path, value| match path {
            [object, key] => found.push((object.clone(), key.clone(), String::new(), value)),
            [object, key, within] => found.push((object.clone(), key.clone(), within.clone(), value)),
            _ => {}
        })
        .map_err(|error| Failure::garbage(format!("a line of its metrics file makes no sense: {error}")))?;
        for (object, key, within, value) in found {
            self.add_number(&object, &key, &within, value);
        }
        self.lines += 1;
        Ok(())
    }

    fn add_number(&mut self, object: &str, key: &str, within: &str, value: i64) {
        let drive = if object == "block" { Some("") } else { object.strip_prefix("block_") };
        if let Some(drive) = drive {
            let known = OF_DISK.iter().find(|(a, b, ..)| *a == key && *b == within);
            let Some((_, _, metric, way)) = known else { return };
            if !self.disks.contains_key(drive) && self.disks.len() == DISKS_MAX {
                return;
            }
            let totals = self.disks.entry(drive.to_owned()).or_default();
            put(totals, *metric, value, *way);
        } else if within.is_empty()
            && let Some((.., metric)) = OF_VM.iter().find(|(a, b, _)| *a == object && *b == key)
        {
            put(&mut self.vm, *metric, value, Sum);
        }
    }

    /// Puts the totals into the rows of the VM's entities.
    pub(super) fn values(&self, info: &VmInfo, values: &mut Values) {
        for metric in vm_metrics() {
            let total = self.vm.iter().find(|(known, _)| *known == metric).map(|(_, value)| *value);
            values.push((info.entity.row, metric, total.ok_or(Availability::Unsupported)));
        }
        let single = self.disks.keys().all(String::is_empty) && info.disks.len() == 1;
        for disk in &info.disks {
            fail_disk(disk.entity.row, Availability::Unsupported, values);
            let mine = self.disks.iter().find(|(drive, _)| {
                let keys = DiskKeys { names: [drive, "", ""], file: "" };
                single || row_of(std::slice::from_ref(disk), &keys).is_some()
            });
            for (metric, value) in mine.into_iter().flat_map(|(_, totals)| totals) {
                values.push((disk.entity.row, *metric, Ok(*value)));
            }
        }
    }
}

fn put(totals: &mut Vec<(MetricId, i64)>, metric: MetricId, value: i64, way: Way) {
    let value = if way == Sum { value } else { value.saturating_mul(1_000) };
    match totals.iter_mut().find(|(known, _)| *known == metric) {
        Some((_, total)) if way == LastMicroseconds => *total = value,
        Some((_, total)) => *total = total.saturating_add(value.max(0)),
        None => totals.push((metric, value.max(0))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sampling::monitors::tests::vm_with_disks;

    const LINE: &str = r#"{"utc_timestamp_ms":1541591155180,"api_server":{"process_startup_time_us":0},
        "block_rootfs":{"read_bytes":4096,"write_bytes":1,"read_count":2,"flush_count":1,"execute_fails":1,
            "read_agg":{"min_us":3,"max_us":40,"sum_us":50}},
        "block":{"read_bytes":4096},"net":{"rx_fails":1,"tx_fails":2,"tx_spoofed_mac_count":4},
        "seccomp":{"num_faults":1},"vcpu":{"exit_io_in":10,"exit_mmio_write":3,"failures":0,"exit_io_in_agg":{"sum_us":9}},
        "signals":{"sigbus":1,"sigsegv":2},"vmm":{"panic_count":0}}"#;

    fn value_of(values: &Values, row: u32, metric: MetricId) -> Option<Result<i64, Availability>> {
        values.iter().rev().find(|v| v.0 == row && v.1 == metric).map(|v| v.2)
    }

    #[test]
    fn lines_add_up_and_absolute_numbers_do_not() {
        let mut totals = Totals::default();
        totals.add(LINE.as_bytes()).unwrap();
        totals.add(LINE.as_bytes()).unwrap();
        let info = vm_with_disks(&[("rootfs", None), ("data", None)]);
        let mut values = Values::new();
        totals.values(&info, &mut values);
        for (row, metric, wanted) in [
            (0, vm::VMM_EXITS_IO_IN, Ok(20)),
            (0, vm::VMM_SECCOMP_FAULTS, Ok(2)),
            (0, vm::VMM_FATAL_SIGNALS, Ok(6)),
            (0, vm::VMM_NET_FAILURES, Ok(6)),
            (0, vm::VMM_NET_SPOOFED, Ok(8)),
            (0, vm::VMM_PANICS, Ok(0)),
            (0, vm::VMM_EXITS_IO_OUT, Err(Availability::Unsupported)),
            (10, vmdisk::READ, Ok(8_192)),
            (10, vmdisk::REQUESTS_FAILED, Ok(2)),
            (10, vmdisk::READ_TIME, Ok(100_000)),
            (10, vmdisk::READ_LATENCY_MAX, Ok(40_000)),
            (10, vmdisk::READS_MERGED, Err(Availability::Unsupported)),
            (11, vmdisk::READ, Err(Availability::Unsupported)),
        ] {
            assert_eq!(value_of(&values, row, metric), Some(wanted), "{}", metric.metric().name);
        }
    }

    #[test]
    fn a_sum_of_all_disks_belongs_to_a_single_disk() {
        let mut totals = Totals::default();
        totals.add(br#"{"block":{"read_bytes":7}}"#).unwrap();
        let mut values = Values::new();
        totals.values(&vm_with_disks(&[("whatever", None)]), &mut values);
        assert_eq!(value_of(&values, 10, vmdisk::READ), Some(Ok(7)));
        values.clear();
        totals.values(&vm_with_disks(&[("one", None), ("two", None)]), &mut values);
        assert_eq!(value_of(&values, 10, vmdisk::READ), Some(Err(Availability::Unsupported)));
    }

    #[test]
    fn a_file_with_endless_disks_takes_bounded_memory() {
        let mut totals = Totals::default();
        for disk in 0..1_000 {
            totals.add(format!(r#"{{"block_{disk}":{{"read_bytes":1}}}}"#).as_bytes()).unwrap();
        }
        assert_eq!(totals.disks.len(), DISKS_MAX);
        assert!(totals.add(b"not json").is_err());
    }

    #[test]
    fn the_run_state_comes_from_the_api() {
        let answer = |status, body: &str| [Answer { status, body: body.as_bytes().to_vec() }];
        assert_eq!(run_state(&answer(200, r#"{"id":"a","state":"Running","vmm_version":"1.10.0"}"#)), Ok(1));
        assert_eq!(run_state(&answer(200, r#"{"state":"Not started"}"#)), Ok(3));
        assert!(run_state(&answer(200, "[]")).is_err());
        assert!(run_state(&answer(400, "{}")).is_err());
    }
}
