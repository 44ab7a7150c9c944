//! Cloud Hypervisor's own counters: `GET /api/v1/vm.info` and `GET /api/v1/vm.counters` on its API socket.
//!
//! `vm.counters` is an object of devices, each an object of numbers. Latencies are in microseconds, and all ones as
//! long as there was no request (`virtio-devices/src/block.rs`, API: `cloud-hypervisor.yaml`).

use super::disks::{DiskKeys, row_of};
use super::failure::Failure;
use super::http::Answer;
use super::json::numbers;
use super::qmp_answers::{Values, fail_disk};
use crate::sampling::availability::Availability;
use crate::sampling::discovery::VmInfo;
use crate::sampling::metrics::{MetricId, vm, vmdisk};
use serde::Deserialize;

/// What is asked, in this order.
pub(super) const PATHS: &[&str] = &["/api/v1/vm.info", "/api/v1/vm.counters"];

/// "No request yet" is all ones; the mean is that, divided by 10,000.
const NO_LATENCY_US: i64 = i64::MAX / 10_000;

const COUNTERS: &[(&str, MetricId)] = &[
    ("read_bytes", vmdisk::READ),
    ("write_bytes", vmdisk::WRITTEN),
    ("read_ops", vmdisk::READS),
    ("write_ops", vmdisk::WRITES),
];

const LATENCIES: &[(&str, MetricId)] = &[
    ("read_latency_avg", vmdisk::READ_LATENCY),
    ("read_latency_max", vmdisk::READ_LATENCY_MAX),
    ("write_latency_avg", vmdisk::WRITE_LATENCY),
    ("write_latency_max", vmdisk::WRITE_LATENCY_MAX),
];

#[derive(Deserialize)]
struct Info {
    state: String,
    memory_actual_size: Option<u64>,
    #[serde(default)]
    config: Config,
}

#[derive(Default, Deserialize)]
struct Config {
    #[serde(default)]
    disks: Option<Vec<Disk>>,
    balloon: Option<serde::de::IgnoredAny>,
}

#[derive(Deserialize)]
struct Disk {
    #[serde(default)]
    id: Option<String>,
    #[serde(default)]
    path: Option<String>,
}

/// Puts the answers to [`PATHS`] into the rows of the VM's entities.
pub(super) fn values(answers: &[Answer], info: &VmInfo) -> Result<Values, Failure> {
    let [about, counters] = answers else {
        return Err(Failure::garbage("it did not answer everything".into()));
    };
    let row = info.entity.row;
    let about: Info = serde_json::from_slice(body(about, PATHS[0])?)
        .map_err(|error| Failure::garbage(format!("its answer to {} makes no sense: {error}", PATHS[0])))?;
    let mut values = vec![(row, vm::RUN_STATE, Ok(run_state(&about.state)))];
    let actual = about.memory_actual_size.filter(|_| about.config.balloon.is_some());
    values.push((
        row,
        vm::BALLOON_ACTUAL,
        actual.map(|bytes| i64::try_from(bytes).unwrap_or(i64::MAX)).ok_or(Availability::Unsupported),
    ));

    let mut found: Vec<(String, String, i64)> = Vec::new();
    numbers(body(counters, PATHS[1])?, |path, value| {
        if let [device, counter] = path {
            found.push((device.clone(), counter.clone(), value));
        }
    })
    .map_err(|error| Failure::garbage(format!("its answer to {} makes no sense: {error}", PATHS[1])))?;
    let mut seen = Vec::new();
    for disk in about.config.disks.iter().flatten() {
        let id = disk.id.as_deref().unwrap_or_default();
        let keys = DiskKeys { names: [id, "", ""], file: disk.path.as_deref().unwrap_or_default() };
        let Some(row) = row_of(&info.disks, &keys) else { continue };
        let mine = |name: &str| {
            found.iter().find(|(device, counter, _)| device == id && counter == name).map(|entry| entry.2)
        };
        seen.push(row);
        fail_disk(row, Availability::Unsupported, &mut values);
        for (name, metric) in COUNTERS {
            values.push((row, *metric, mine(name).ok_or(Availability::Unsupported)));
        }
        for (name, metric) in LATENCIES {
            values.push((row, *metric, latency_ns(mine(name))));
        }
    }
    for disk in info.disks.iter().filter(|disk| !seen.contains(&disk.entity.row)) {
        fail_disk(disk.entity.row, Availability::Unsupported, &mut values);
    }
    Ok(values)
}

fn body<'a>(answer: &'a Answer, path: &str) -> Result<&'a [u8], Failure> {
    if answer.status == 200 {
        return Ok(&answer.body);
    }
    Err(Failure::refused(format!("it answered {path} with HTTP status {}", answer.status)))
}

fn latency_ns(latency_us: Option<i64>) -> Result<i64, Availability> {
    match latency_us {
        None => Err(Availability::Unsupported),
        Some(latency_us) if latency_us >= NO_LATENCY_US => Err(Availability::Pending),
        Some(latency_us) => Ok(latency_us.saturating_mul(1_000)),
    }
}

/// `VmState` as the value of `vm_run_state`.
fn run_state(name: &str) -> i64 {
    match name {
        "Running" => 1,
        "Paused" => 2,
        "Created" => 3,
        "Shutdown" => 7,
        "BreakPoint" => 13,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sampling::monitors::tests::vm_with_disks;

    fn answer(status: u16, body: &str) -> Answer {
        Answer { status, body: body.as_bytes().to_vec() }
    }

    const INFO: &str = r#"{"config":{"cpus":{"boot_vcpus":1},"disks":[{"path":"/img/a","id":"_disk0"},{"path":"/img/b","id":"data"}],
        "balloon":{"size":0}},"state":"Running","memory_actual_size":536870912,"device_tree":{"_disk0":{"id":"_disk0"}}}"#;
    const COUNTERS: &str = r#"{"_disk0":{"read_bytes":4096,"write_bytes":512,"read_ops":3,"write_ops":1,
        "read_latency_min":10,"read_latency_max":900,"read_latency_avg":120,
        "write_latency_min":18446744073709551615,"write_latency_max":18446744073709551615,"write_latency_avg":1844674407370955},
        "_net1":{"rx_bytes":7,"tx_bytes":8,"rx_frames":1,"tx_frames":1}}"#;

    #[test]
    fn counters_go_to_the_disk_with_that_id_or_file() {
        let info = vm_with_disks(&[("a", Some("/img/a")), ("data", Some("/img/x"))]);
        let values = values(&[answer(200, INFO), answer(200, COUNTERS)], &info).unwrap();
        // The last word on a metric counts.
        let of = |row, metric| values.iter().rev().find(|v| v.0 == row && v.1 == metric).map(|v| v.2);
        assert_eq!(of(0, vm::RUN_STATE), Some(Ok(1)));
        assert_eq!(of(0, vm::BALLOON_ACTUAL), Some(Ok(512 << 20)));
        assert_eq!(of(10, vmdisk::READ), Some(Ok(4_096)));
        assert_eq!(of(10, vmdisk::WRITES), Some(Ok(1)));
        assert_eq!(of(10, vmdisk::READ_LATENCY), Some(Ok(120_000)));
        assert_eq!(of(10, vmdisk::READ_LATENCY_MAX), Some(Ok(900_000)));
        assert_eq!(of(10, vmdisk::WRITE_LATENCY), Some(Err(Availability::Pending)));
        assert_eq!(of(10, vmdisk::WRITE_LATENCY_MAX), Some(Err(Availability::Pending)));
        assert_eq!(of(10, vmdisk::FLUSHES), Some(Err(Availability::Unsupported)));
        assert_eq!(of(11, vmdisk::READ), Some(Err(Availability::Unsupported)), "it has no counters");
    }

    #[test]
    fn refusals_and_nonsense_are_told_apart() {
        let info = vm_with_disks(&[]);
        let refused = values(&[answer(404, ""), answer(200, "{}")], &info).unwrap_err();
        assert!(refused.reason.contains("404"), "{}", refused.reason);
        assert!(values(&[answer(200, "[]"), answer(200, "{}")], &info).is_err());
        assert!(values(&[answer(200, INFO), answer(200, "nope")], &info).is_err());
        assert!(values(&[answer(200, INFO)], &info).is_err());
    }
}
