//! The VM's own cgroup: CPU and throttling, memory, I/O, pressure, processes, and whether it is frozen.
//!
//! v2, v1 and the hybrid of both: each file is taken from the hierarchy that has its controller.

use super::batch::Batch;
use super::cgroup_files::{self as files, Content};
use super::cgroup_paths::{Cgroups, Own};
use super::process::{Units, failed};
use super::slot::{Budget, Slot};
use crate::config::Roots;
use crate::sampling::SourceReport;
use crate::sampling::availability::Availability;
use crate::sampling::metrics::{Source, vm};
use std::os::fd::{AsFd, OwnedFd};

/// The sources that a cgroup feeds.
const SOURCES: [Source; 5] =
    [Source::CgroupCpu, Source::CgroupMemory, Source::CgroupIo, Source::CgroupPressure, Source::CgroupPids];

/// One open cgroup directory and what is read in it.
struct Group {
    dir: OwnedFd,
    files: Vec<(Source, Slot, Content)>,
    freezer: Option<Slot>,
}

/// All of a VM's cgroup files.
pub(super) struct CgroupFiles {
    groups: Vec<Group>,
    reports: Vec<SourceReport>,
    units: Units,
}

/// What one hierarchy can offer: file, source, content.
type Wanted = (&'static str, Source, Content);

const MEMORY_V2: &[Wanted] = &[
    ("memory.current", Source::CgroupMemory, Content::Number(vm::CGROUP_MEMORY)),
    ("memory.peak", Source::CgroupMemory, Content::Number(vm::CGROUP_MEMORY_PEAK)),
    ("memory.max", Source::CgroupMemory, Content::Limit(vm::CGROUP_MEMORY_LIMIT)),
    ("memory.swap.current", Source::CgroupMemory, Content::Number(vm::CGROUP_SWAP)),
    ("memory.stat", Source::CgroupMemory, Content::Keyed(files::MEMORY_STAT_V2)),
    ("memory.events", Source::CgroupMemory, Content::Keyed(files::MEMORY_EVENTS)),
];
const PRESSURE_V2: &[Wanted] = &[
    (
        "cpu.pressure",
        Source::CgroupPressure,
        Content::Pressure([vm::PRESSURE_CPU_SOME, vm::PRESSURE_CPU_FULL]),
    ),
    (
        "memory.pressure",
        Source::CgroupPressure,
        Content::Pressure([vm::PRESSURE_MEMORY_SOME, vm::PRESSURE_MEMORY_FULL]),
    ),
    ("io.pressure", Source::CgroupPressure, Content::Pressure([vm::PRESSURE_IO_SOME, vm::PRESSURE_IO_FULL])),
];
const IO_V2: &[Wanted] = &[("io.stat", Source::CgroupIo, Content::IoStat)];
const PIDS: &[Wanted] = &[
    ("pids.current", Source::CgroupPids, Content::Number(vm::CGROUP_TASKS)),
    ("pids.max", Source::CgroupPids, Content::Limit(vm::CGROUP_TASKS_MAX)),
    ("pids.events", Source::CgroupPids, Content::Keyed(files::PIDS_EVENTS)),
];
const CPU_V1: &[Wanted] = &[("cpu.stat", Source::CgroupCpu, Content::Keyed(files::CPU_STAT_V1))];
const CPUACCT_V1: &[Wanted] = &[
    ("cpuacct.usage", Source::CgroupCpu, Content::Number(vm::CGROUP_CPU_USAGE)),
    ("cpuacct.stat", Source::CgroupCpu, Content::Cpuacct),
];
const MEMORY_V1: &[Wanted] = &[
    ("memory.usage_in_bytes", Source::CgroupMemory, Content::Number(vm::CGROUP_MEMORY)),
    ("memory.max_usage_in_bytes", Source::CgroupMemory, Content::Number(vm::CGROUP_MEMORY_PEAK)),
    ("memory.limit_in_bytes", Source::CgroupMemory, Content::Limit(vm::CGROUP_MEMORY_LIMIT)),
    ("memory.stat", Source::CgroupMemory, Content::Keyed(files::MEMORY_STAT_V1)),
    ("memory.failcnt", Source::CgroupMemory, Content::Number(vm::CGROUP_MEMORY_MAX_EVENTS)),
    ("memory.oom_control", Source::CgroupMemory, Content::Keyed(files::OOM_CONTROL)),
];
const BLKIO_V1: &[Wanted] = &[
    (
        "blkio.throttle.io_service_bytes_recursive",
        Source::CgroupIo,
        Content::Blkio([vm::CGROUP_IO_READ, vm::CGROUP_IO_WRITTEN, vm::CGROUP_IO_DISCARDED]),
    ),
    (
        "blkio.throttle.io_serviced_recursive",
        Source::CgroupIo,
        Content::Blkio([vm::CGROUP_IO_READS, vm::CGROUP_IO_WRITES, vm::CGROUP_IO_DISCARDS]),
    ),
];

impl CgroupFiles {
    /// Finds the VM's cgroups and opens what can be opened in them.
    pub(super) fn open(
        roots: &Roots,
        pid: i32,
        fallback: &str,
        units: Units,
        keep: bool,
        budget: &mut Budget,
    ) -> Self {
        let Cgroups { v2, cpu, cpuacct, memory, blkio, pids, freezer } = Cgroups::find(roots, pid, fallback);
        let mut opener = Opener { groups: Vec::new(), closed: Vec::new(), keep, budget };

        let cpu_stat = if cpu.is_ok() { files::CPU_STAT_V2_USAGE } else { files::CPU_STAT_V2 };
        let usage: &[Wanted] = &[("cpu.stat", Source::CgroupCpu, Content::Keyed(cpu_stat))];
        let v2_lists: &[&[Wanted]] = if cpuacct.is_ok() {
            &[MEMORY_V2, IO_V2, PIDS, PRESSURE_V2]
        } else {
            &[usage, MEMORY_V2, IO_V2, PIDS, PRESSURE_V2]
        };
        opener.group(v2, v2_lists, Some("cgroup.events"));
        opener.group(cpu, &[CPU_V1], None);
        opener.group(cpuacct, &[CPUACCT_V1], None);
        opener.group(memory, &[MEMORY_V1], None);
        opener.group(blkio, &[BLKIO_V1], None);
        opener.group(pids, &[PIDS], None);
        opener.group(freezer, &[], Some("freezer.state"));

        let reports = SOURCES.into_iter().map(|source| opener.report(source)).collect();
        Self { groups: opener.groups, reports, units }
    }

    /// How each source is read.
    pub(super) fn reports(&self) -> &[SourceReport] {
        &self.reports
    }

    /// Every source starts as `unsupported`, or as what closes it.
    pub(super) fn closed(&self, batch: &mut Batch) {
        for report in &self.reports {
            let availability = match report.availability {
                Availability::Ok => Availability::Unsupported,
                closed => closed,
            };
            batch.fail(report.source, availability);
        }
    }

    /// Reads everything but the freezer.
    pub(super) fn read(&self, buffer: &mut [u8], batch: &mut Batch) {
        for group in &self.groups {
            for (source, slot, content) in &group.files {
                match slot.read(group.dir.as_fd(), buffer) {
                    Ok(bytes) => {
                        content.read(bytes, self.units, batch);
                        batch.answered(*source);
                    }
                    Err(errno) => content.fail(failed(errno), batch),
                }
            }
        }
    }

    /// Whether the VM is frozen, by either version's freezer.
    pub(super) fn is_frozen(&self, buffer: &mut [u8]) -> bool {
        self.groups.iter().any(|group| {
            let Some(slot) = &group.freezer else { return false };
            slot.read(group.dir.as_fd(), buffer).is_ok_and(files::is_frozen)
        })
    }

    /// Descriptors held: directories and kept files.
    pub(super) fn descriptors(&self) -> usize {
        self.groups
            .iter()
            .map(|group| {
                let kept = group.files.iter().filter(|(_, slot, _)| slot.is_kept()).count();
                1 + kept + usize::from(group.freezer.as_ref().is_some_and(Slot::is_kept))
            })
            .sum()
    }
}

struct Opener<'a> {
    groups: Vec<Group>,
    /// Why hierarchies are not used.
    closed: Vec<String>,
    keep: bool,
    budget: &'a mut Budget,
}

impl Opener<'_> {
    fn group(&mut self, own: Own, lists: &[&[Wanted]], freezer: Option<&str>) {
        let dir = match own {
            Ok(dir) => dir,
            Err(reason) => {
                if !self.closed.contains(&reason) {
                    self.closed.push(reason);
                }
                return;
            }
        };
        if !self.budget.take() {
            self.closed.push("no descriptor left for the cgroup: raise RLIMIT_NOFILE".to_owned());
            return;
        }
        let mut files = Vec::new();
        for (name, source, content) in lists.iter().copied().flatten() {
            match Slot::probe(dir.as_fd(), name, self.keep.then_some(&mut *self.budget)) {
                Ok(slot) => files.push((*source, slot, *content)),
                // Not this hierarchy's controller, or not in this kernel.
                Err(nix::errno::Errno::ENOENT | nix::errno::Errno::EOPNOTSUPP) => {}
                Err(errno) => self.closed.push(format!("{name}: {errno}")),
            }
        }
        let freezer = freezer.and_then(|name| Slot::probe(dir.as_fd(), name, Some(&mut *self.budget)).ok());
        if !files.is_empty() || freezer.is_some() {
            self.groups.push(Group { dir, files, freezer });
        }
    }

    fn report(&self, source: Source) -> SourceReport {
        let slots = || {
            let files = self.groups.iter().flat_map(|group| &group.files);
            files.filter(move |(of, _, _)| *of == source).map(|(_, slot, _)| slot)
        };
        if slots().next().is_none() {
            let reason = match source {
                Source::CgroupPressure if self.closed.is_empty() => {
                    "no cgroup pressure: needs cgroup v2 and psi=1 on the kernel's command line".to_owned()
                }
                _ if self.closed.is_empty() => "the controller is not enabled for this cgroup".to_owned(),
                _ => self.closed.join("; "),
            };
            let availability = Availability::Unsupported;
            return SourceReport { source, tier: "none", availability, reason };
        }
        let tier = if slots().all(Slot::is_kept) { "kept-fd" } else { "open-each" };
        SourceReport { source, tier, availability: Availability::Ok, reason: String::new() }
    }
}
