//! What QEMU's answers mean.

use super::disks::{DiskKeys, qdev_id, row_of};
use super::failure::Failure;
use super::json::pick;
use super::qmp::{QmpError, Query};
use crate::sampling::availability::Availability;
use crate::sampling::discovery::VmInfo;
use crate::sampling::metrics::{MetricId, Scope, vm, vmdisk};
use crate::sampling::vm::kvm_names;
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

/// Rows, metrics and what was read of them.
pub(super) type Values = Vec<(u32, MetricId, Result<i64, Availability>)>;

/// Everything one round brought. `None` was not asked.
#[derive(Default)]
pub(super) struct Answers {
    /// QEMU's version: major, minor, micro.
    pub(super) version: Option<[u32; 3]>,
    run_state: Option<Result<i64, Availability>>,
    balloon: Option<Result<i64, Availability>>,
    disks: Option<Result<Vec<BlockStats>, Availability>>,
    files: Vec<BlockFile>,
    cpus: Vec<Cpu>,
    kvm_vm: Option<Result<Vec<Stats>, Availability>>,
    kvm_vcpus: Option<Result<Vec<Stats>, Availability>>,
}

#[derive(Deserialize)]
struct Greeting {
    version: Versions,
}

#[derive(Deserialize)]
struct Versions {
    qemu: Version,
}

#[derive(Deserialize)]
struct Version {
    major: u32,
    minor: u32,
    micro: u32,
}

#[derive(Deserialize)]
struct Status {
    status: String,
}

#[derive(Deserialize)]
struct Balloon {
    actual: u64,
}

#[derive(Deserialize)]
struct BlockStats {
    #[serde(default)]
    device: String,
    #[serde(default, rename = "node-name")]
    node: String,
    #[serde(default)]
    qdev: String,
    #[serde(deserialize_with = "disk_counters")]
    stats: Vec<(MetricId, i64)>,
}

fn disk_counters<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<(MetricId, i64)>, D::Error> {
    pick(deserializer, |name| {
        DISK_COUNTERS.iter().find(|(known, _)| *known == name).map(|(_, metric)| *metric)
    })
}

/// Fields of `BlockDeviceStats`.
const DISK_COUNTERS: &[(&str, MetricId)] = &[
    ("rd_bytes", vmdisk::READ),
    ("wr_bytes", vmdisk::WRITTEN),
    ("rd_operations", vmdisk::READS),
    ("wr_operations", vmdisk::WRITES),
    ("flush_operations", vmdisk::FLUSHES),
    ("unmap_operations", vmdisk::UNMAPS),
    ("unmap_bytes", vmdisk::UNMAPPED),
    ("rd_total_time_ns", vmdisk::READ_TIME),
    ("wr_total_time_ns", vmdisk::WRITE_TIME),
    ("flush_total_time_ns", vmdisk::FLUSH_TIME),
    ("unmap_total_time_ns", vmdisk::UNMAP_TIME),
    ("rd_merged", vmdisk::READS_MERGED),
    ("wr_merged", vmdisk::WRITES_MERGED),
    ("failed_rd_operations", vmdisk::READS_FAILED),
    ("failed_wr_operations", vmdisk::WRITES_FAILED),
    ("failed_flush_operations", vmdisk::FLUSHES_FAILED),
    ("failed_unmap_operations", vmdisk::UNMAPS_FAILED),
    ("invalid_rd_operations", vmdisk::READS_INVALID),
    ("invalid_wr_operations", vmdisk::WRITES_INVALID),
    ("invalid_flush_operations", vmdisk::FLUSHES_INVALID),
    ("invalid_unmap_operations", vmdisk::UNMAPS_INVALID),
    ("idle_time_ns", vmdisk::IDLE_TIME),
    ("wr_highest_offset", vmdisk::HIGHEST_OFFSET),
];

/// Counters that add up to `REQUESTS_FAILED` and to `REQUESTS_INVALID`.
const FAILED: [MetricId; 4] =
    [vmdisk::READS_FAILED, vmdisk::WRITES_FAILED, vmdisk::FLUSHES_FAILED, vmdisk::UNMAPS_FAILED];
const INVALID: [MetricId; 4] =
    [vmdisk::READS_INVALID, vmdisk::WRITES_INVALID, vmdisk::FLUSHES_INVALID, vmdisk::UNMAPS_INVALID];

#[derive(Deserialize)]
struct BlockFile {
    #[serde(default)]
    device: String,
    #[serde(default)]
    qdev: String,
    inserted: Option<Inserted>,
}

#[derive(Deserialize)]
struct Inserted {
    #[serde(default)]
    file: String,
    #[serde(default, rename = "node-name")]
    node: String,
}

#[derive(Deserialize)]
struct Cpu {
    #[serde(rename = "thread-id")]
    thread: i32,
    #[serde(rename = "qom-path")]
    path: String,
}

#[derive(Deserialize)]
struct Stats {
    #[serde(default)]
    provider: String,
    #[serde(default, rename = "qom-path")]
    path: String,
    #[serde(default, rename = "stats")]
    list: Vec<Stat>,
}

#[derive(Deserialize)]
struct Stat {
    name: String,
    value: super::json::MaybeNumber,
}

impl Answers {
    /// A greeting that cannot be read is not worth failing a round for: only the version is lost.
    pub(super) fn take_greeting(&mut self, greeting: &RawValue) {
        let greeting = serde_json::from_str::<Greeting>(greeting.get()).ok();
        self.version = greeting.map(|greeting| {
            let version = greeting.version.qemu;
            [version.major, version.minor, version.micro]
        });
    }

    pub(super) fn take(&mut self, query: Query, value: &RawValue) -> Result<(), Failure> {
        let text = value.get();
        match query {
            Query::Status => self.run_state = Some(Ok(run_state(&parse::<Status>(query, text)?.status))),
            Query::Balloon => {
                let actual = parse::<Balloon>(query, text)?.actual;
                self.balloon = Some(Ok(i64::try_from(actual).unwrap_or(i64::MAX)));
            }
            Query::BlockStats => self.disks = Some(Ok(parse(query, text)?)),
            Query::Block => self.files = parse(query, text)?,
            Query::Cpus => self.cpus = parse(query, text)?,
            Query::StatsVm => self.kvm_vm = Some(Ok(parse(query, text)?)),
            Query::StatsVcpu => self.kvm_vcpus = Some(Ok(parse(query, text)?)),
        }
        Ok(())
    }

    pub(super) fn take_error(&mut self, query: Query, error: &QmpError) {
        let availability = match error.class.as_str() {
            "CommandNotFound" | "DeviceNotActive" | "DeviceNotFound" | "KVMMissingCap" => {
                Availability::Unsupported
            }
            _ => Availability::Error,
        };
        log::debug!("QMP {query:?}: {}: {}", error.class, error.desc);
        match query {
            Query::Status => self.run_state = Some(Err(availability)),
            Query::Balloon => self.balloon = Some(Err(availability)),
            Query::BlockStats => self.disks = Some(Err(availability)),
            Query::StatsVm => self.kvm_vm = Some(Err(availability)),
            Query::StatsVcpu => self.kvm_vcpus = Some(Err(availability)),
            Query::Block | Query::Cpus => {}
        }
    }

    /// Puts the answers into the rows of the VM's entities. `files` keeps the files behind the disks for the rounds
    /// that do not ask for them.
    pub(super) fn values(self, info: &VmInfo, files: &mut Vec<DiskFile>) -> Values {
        let row = info.entity.row;
        let mut values = Values::new();
        values.extend(self.run_state.map(|value| (row, vm::RUN_STATE, value)));
        values.extend(self.balloon.map(|value| (row, vm::BALLOON_ACTUAL, value)));
        if !self.files.is_empty() {
            *files = self.files.into_iter().filter_map(DiskFile::new).collect();
        }
        match self.disks {
            Some(Ok(disks)) => disk_values(&disks, files, info, &mut values),
            Some(Err(availability)) => fail_disks(info, availability, &mut values),
            None => {}
        }
        kvm_values(self.kvm_vm, &mut values, |_, name| Some((row, kvm_names::metric(Scope::Vm, name)?)));
        let cpus = self.cpus;
        kvm_values(self.kvm_vcpus, &mut values, |path, name| {
            let thread = cpus.iter().find(|cpu| cpu.path == path)?.thread;
            let vcpu = info.vcpus.iter().find(|vcpu| vcpu.tid == thread)?;
            Some((vcpu.entity.row, kvm_names::metric(Scope::Vcpu, name)?))
        });
        sum_up(info, &mut values);
        values
    }
}

/// The file behind one disk.
pub(super) struct DiskFile {
    device: String,
    qdev: String,
    node: String,
    file: String,
}

impl DiskFile {
    fn new(block: BlockFile) -> Option<Self> {
        let inserted = block.inserted?;
        Some(Self { device: block.device, qdev: block.qdev, node: inserted.node, file: inserted.file })
    }
}

fn disk_values(disks: &[BlockStats], files: &[DiskFile], info: &VmInfo, values: &mut Values) {
    let mut found = Vec::new();
    for disk in disks {
        let same = |mine: &str, theirs: &str| !mine.is_empty() && mine == theirs;
        let file = files.iter().find(|file| {
            same(&disk.node, &file.node) || same(&disk.qdev, &file.qdev) || same(&disk.device, &file.device)
        });
        let keys = DiskKeys {
            names: [&disk.device, &disk.node, qdev_id(&disk.qdev)],
            file: file.map_or("", |file| &file.file),
        };
        let Some(row) = row_of(&info.disks, &keys) else { continue };
        if found.contains(&row) {
            continue;
        }
        found.push(row);
        for (_, metric) in DISK_COUNTERS {
            let counter = disk.stats.iter().find(|(known, _)| known == metric);
            values.push((row, *metric, counter.map(|(_, value)| *value).ok_or(Availability::Unsupported)));
        }
        for (sum, parts) in [(vmdisk::REQUESTS_FAILED, FAILED), (vmdisk::REQUESTS_INVALID, INVALID)] {
            let counters = disk.stats.iter().filter(|(metric, _)| parts.contains(metric));
            let total = counters.map(|(_, value)| *value).reduce(i64::saturating_add);
            values.push((row, sum, total.ok_or(Availability::Unsupported)));
        }
    }
    for disk in info.disks.iter().filter(|disk| !found.contains(&disk.entity.row)) {
        fail_disk(disk.entity.row, Availability::Unsupported, values);
    }
}

fn fail_disks(info: &VmInfo, availability: Availability, values: &mut Values) {
    for disk in &info.disks {
        fail_disk(disk.entity.row, availability, values);
    }
}

/// Says of every counter of a disk why there is none.
pub(super) fn fail_disk(row: u32, availability: Availability, values: &mut Values) {
    values.extend(vmdisk::READ.scope().metrics().iter().map(|metric| (row, metric.id, Err(availability))));
}

fn kvm_values(
    answer: Option<Result<Vec<Stats>, Availability>>,
    values: &mut Values,
    place: impl Fn(&str, &str) -> Option<(u32, MetricId)>,
) {
    let Some(Ok(objects)) = answer else { return };
    for object in objects.iter().filter(|object| object.provider == "kvm") {
        for stat in &object.list {
            if let (Some((row, metric)), Some(value)) = (place(&object.path, &stat.name), stat.value.0) {
                values.push((row, metric, Ok(value)));
            }
        }
    }
}

/// Adds the sums over all vCPUs. A sum that lacks one is left out: it would dip, and jump when that one comes back.
fn sum_up(info: &VmInfo, values: &mut Values) {
    for (of_vcpu, of_vm) in kvm_names::sums() {
        let counters = values.iter().filter(|(_, metric, _)| *metric == of_vcpu);
        let counters: Vec<i64> = counters.filter_map(|(_, _, value)| value.ok()).collect();
        if !counters.is_empty() && counters.len() == info.vcpus.len() {
            let sum = counters.into_iter().fold(0, i64::saturating_add);
            values.push((info.entity.row, of_vm, Ok(sum)));
        }
    }
}

/// QEMU's `RunState` as the value of `vm_run_state`.
pub(super) fn run_state(name: &str) -> i64 {
    match name {
        "running" => 1,
        "paused" => 2,
        "prelaunch" | "preconfig" => 3,
        "finish-migrate" | "postmigrate" => 4,
        "inmigrate" => 5,
        "save-vm" | "restore-vm" => 6,
        "shutdown" => 7,
        "suspended" => 8,
        "guest-panicked" => 9,
        "internal-error" => 10,
        "io-error" => 11,
        "watchdog" => 12,
        "debug" => 13,
        "colo" => 14,
        _ => 0,
    }
}

fn parse<'a, T: Deserialize<'a>>(query: Query, text: &'a str) -> Result<T, Failure> {
    serde_json::from_str(text)
        .map_err(|error| Failure::garbage(format!("its answer to {query:?} makes no sense: {error}")))
}
