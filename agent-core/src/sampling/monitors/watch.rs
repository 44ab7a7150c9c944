//! What is known of one VM's monitor.

use super::cloud_hypervisor;
use super::failure::{Failure, State};
use super::firecracker::{self, Totals};
use super::http::Gets;
use super::qmp::{Qmp, Query};
use super::qmp_answers::{DiskFile, Values, fail_disk};
use super::session::{Dialogue, Session};
use super::tail::Tail;
use crate::config::Roots;
use crate::sampling::SourceReport;
use crate::sampling::availability::Availability;
use crate::sampling::discovery::{VmInfo, VmmKind};
use crate::sampling::metrics::{MetricId, Source, vm};

/// Firecracker flushes its metrics once a minute; a file without news for this long is stale.
const METRICS_FILE_STALE_NS: u64 = 180_000_000_000;
/// Failed rounds double the pause up to this many times.
const BACKOFF_DOUBLINGS_MAX: u32 = 4;

/// One VM.
pub(super) struct Watch {
    pub(super) info: VmInfo,
    /// When the next round begins, `CLOCK_MONOTONIC` nanoseconds.
    pub(super) next_ns: u64,
    pub(super) session: Option<Session>,
    /// What cannot be had of this VM was not told yet.
    pub(super) is_new: bool,
    tail: Option<Tail>,
    totals: Totals,
    totals_at_ns: u64,
    files: Vec<DiskFile>,
    failures: u32,
    answered: bool,
    last: Option<Failure>,
    file_failure: Option<Failure>,
    version: Option<[u32; 3]>,
}

/// Why a VM has no monitor that could be asked; `None` when it has one.
pub(super) fn closed_reason(info: &VmInfo) -> Option<&'static str> {
    match (info.vmm, &info.monitor) {
        (VmmKind::Qemu, _) if info.libvirt => Some(
            "libvirt holds the monitor, which takes one client; give the domain a second one with qemu:commandline -qmp",
        ),
        (VmmKind::Qemu, None) => Some("QEMU was started without -qmp or -mon on a Unix socket"),
        (VmmKind::Firecracker, None) if info.metrics_file.is_none() => {
            Some("Firecracker was started with neither --api-sock nor --metrics-path")
        }
        (VmmKind::CloudHypervisor, None) => Some("Cloud Hypervisor was started without --api-socket"),
        (VmmKind::Crosvm | VmmKind::Other, _) => Some("this VMM has no monitor that tells counters"),
        _ => None,
    }
}

impl Watch {
    pub(super) fn new(info: VmInfo, now_ns: u64) -> Self {
        let tail =
            (info.vmm == VmmKind::Firecracker).then(|| info.metrics_file.clone()).flatten().map(Tail::new);
        Self {
            info,
            next_ns: now_ns,
            session: None,
            is_new: true,
            tail,
            totals: Totals::default(),
            totals_at_ns: now_ns,
            files: Vec::new(),
            failures: 0,
            answered: false,
            last: None,
            file_failure: None,
            version: None,
        }
    }

    /// Takes a newer description of the same VM.
    pub(super) fn update(&mut self, info: VmInfo) {
        if self.info.metrics_file != info.metrics_file || self.info.monitor != info.monitor {
            *self = Self { session: self.session.take(), ..Self::new(info, self.next_ns) };
            return;
        }
        self.is_new |= self.info.disks != info.disks;
        self.info = info;
        self.files.clear();
    }

    /// How the VMM's socket is spoken to; `None` when it has none of use.
    pub(super) fn dialogue(&self, kvm: bool) -> Option<Dialogue> {
        self.info.monitor.as_ref()?;
        match self.info.vmm {
            VmmKind::Qemu => {
                let mut queries = vec![Query::Status, Query::Balloon, Query::BlockStats];
                if self.files.is_empty() && !self.info.disks.is_empty() {
                    queries.push(Query::Block);
                }
                if kvm {
                    queries.extend([Query::Cpus, Query::StatsVm, Query::StatsVcpu]);
                }
                Some(Dialogue::Qmp(Box::new(Qmp::new(queries))))
            }
            VmmKind::CloudHypervisor => Some(Dialogue::Http(Gets::new(cloud_hypervisor::PATHS))),
            VmmKind::Firecracker => Some(Dialogue::Http(Gets::new(firecracker::PATHS))),
            VmmKind::Crosvm | VmmKind::Other => None,
        }
    }

    /// Metrics that the socket fills.
    fn socket_metrics(&self) -> &'static [MetricId] {
        match self.info.vmm {
            VmmKind::Qemu | VmmKind::CloudHypervisor => &[vm::RUN_STATE, vm::BALLOON_ACTUAL],
            VmmKind::Firecracker => &[vm::RUN_STATE],
            VmmKind::Crosvm | VmmKind::Other => &[],
        }
    }

    /// Says of every metric that this VM will never have that it will not.
    pub(super) fn unsupported(&self, values: &mut Values) {
        let row = self.info.entity.row;
        let no = Err(Availability::Unsupported);
        let closed = closed_reason(&self.info).is_some();
        let has_socket = !closed && self.info.monitor.is_some();
        for metric in [vm::RUN_STATE, vm::BALLOON_ACTUAL] {
            if !has_socket || !self.socket_metrics().contains(&metric) {
                values.push((row, metric, no));
            }
        }
        if self.tail.is_none() {
            values.extend(firecracker::vm_metrics().map(|metric| (row, metric, no)));
        }
        if closed {
            values.push((row, vm::MONITOR_STATE, no));
        }
        let disks_by_file = self.info.vmm == VmmKind::Firecracker;
        if closed || (disks_by_file && self.tail.is_none()) {
            for disk in &self.info.disks {
                fail_disk(disk.entity.row, Availability::Unsupported, values);
            }
        }
    }

    /// The values of a conversation that came to its end.
    pub(super) fn finish(&mut self, dialogue: Dialogue, values: &mut Values) -> Result<(), Failure> {
        let found = match dialogue {
            Dialogue::Qmp(qmp) => {
                let answers = qmp.into_answers();
                self.version = answers.version.or(self.version);
                answers.values(&self.info, &mut self.files)
            }
            Dialogue::Http(gets) if self.info.vmm == VmmKind::CloudHypervisor => {
                cloud_hypervisor::values(&gets.into_answers(), &self.info)?
            }
            Dialogue::Http(gets) => {
                vec![(self.info.entity.row, vm::RUN_STATE, Ok(firecracker::run_state(&gets.into_answers())?))]
            }
        };
        values.extend(found);
        values.push((self.info.entity.row, vm::MONITOR_STATE, Ok(State::Answers as i64)));
        self.failures = 0;
        self.answered = true;
        self.last = None;
        Ok(())
    }

    /// The values of a conversation that failed.
    pub(super) fn fail(&mut self, failure: Failure, values: &mut Values) {
        let row = self.info.entity.row;
        let availability = failure.availability(self.answered);
        values.push((row, vm::MONITOR_STATE, Ok(failure.state as i64)));
        values.extend(self.socket_metrics().iter().map(|metric| (row, *metric, Err(availability))));
        if self.info.vmm != VmmKind::Firecracker {
            for disk in &self.info.disks {
                fail_disk(disk.entity.row, availability, values);
            }
        }
        self.failures = if failure.state == State::Stopped { 0 } else { self.failures + 1 };
        self.last = Some(failure);
    }

    /// Reads what was added to the metrics file. `true` when there is more to read at once.
    pub(super) fn read_file(&mut self, now_ns: u64, values: &mut Values) -> bool {
        let Some(tail) = &mut self.tail else { return false };
        let lines_before = self.totals.lines;
        let (totals, mut garbage) = (&mut self.totals, None);
        let result = tail.read(|line| garbage = totals.add(line).err());
        let more = *result.as_ref().unwrap_or(&false);
        self.file_failure = result.err().or(garbage);
        if self.totals.lines > lines_before {
            self.totals_at_ns = now_ns;
        } else if self.file_failure.is_none()
            && now_ns.saturating_sub(self.totals_at_ns) > METRICS_FILE_STALE_NS
        {
            self.file_failure = Some(Failure::silent("no new line for three minutes".into()));
        }
        let row = self.info.entity.row;
        match &self.file_failure {
            Some(failure) => {
                let availability = failure.availability(self.totals.lines > 0);
                values.extend(firecracker::vm_metrics().map(|metric| (row, metric, Err(availability))));
                for disk in &self.info.disks {
                    fail_disk(disk.entity.row, availability, values);
                }
            }
            None if self.totals.lines > 0 => self.totals.values(&self.info, values),
            None => {}
        }
        more
    }

    /// When to ask again, after a round that began at `began_ns`.
    pub(super) fn schedule(&mut self, began_ns: u64, period_ns: u64) {
        let doublings = self.failures.saturating_sub(1).min(BACKOFF_DOUBLINGS_MAX);
        self.next_ns = began_ns.saturating_add(period_ns << doublings);
    }

    /// Why the VMM cannot answer, when it is stopped or frozen: it is not asked then.
    pub(super) fn stopped(&self, roots: &Roots) -> Option<Failure> {
        let reason = if is_stopped(roots, self.info.pid) {
            "the VMM is stopped (SIGSTOP, or a debugger holds it)"
        } else if is_frozen(roots, &self.info.cgroup) {
            "the VMM's cgroup is frozen"
        } else {
            return None;
        };
        Some(Failure { state: State::Stopped, reason: reason.into() })
    }

    /// How the monitor is read, for people.
    pub(super) fn reports(&self) -> Vec<SourceReport> {
        let report =
            |source, tier, availability, reason: String| SourceReport { source, tier, availability, reason };
        if let Some(reason) = closed_reason(&self.info) {
            return [Source::Monitor, Source::MonitorDisk]
                .map(|source| report(source, "none", Availability::Unsupported, reason.into()))
                .into();
        }
        let tier = if self.info.vmm == VmmKind::Qemu { "qmp" } else { "http" };
        let socket = match (&self.last, self.answered, &self.info.monitor) {
            (Some(failure), ..) => {
                report(Source::Monitor, tier, failure.availability(self.answered), failure.reason.clone())
            }
            (None, true, _) => report(Source::Monitor, tier, Availability::Ok, self.version_text()),
            (None, false, Some(_)) => {
                report(Source::Monitor, tier, Availability::Pending, "not asked yet".into())
            }
            (None, false, None) => {
                report(Source::Monitor, "none", Availability::Unsupported, "the VMM has no API socket".into())
            }
        };
        let disks = match (&self.tail, &self.file_failure) {
            _ if self.info.vmm != VmmKind::Firecracker => {
                SourceReport { source: Source::MonitorDisk, ..socket.clone() }
            }
            (None, _) => report(
                Source::MonitorDisk,
                "none",
                Availability::Unsupported,
                "Firecracker was started without --metrics-path".into(),
            ),
            (Some(_), Some(failure)) => report(
                Source::MonitorDisk,
                "metrics-file",
                failure.availability(self.totals.lines > 0),
                failure.reason.clone(),
            ),
            (Some(_), None) => {
                let availability =
                    if self.totals.lines > 0 { Availability::Ok } else { Availability::Pending };
                report(
                    Source::MonitorDisk,
                    "metrics-file",
                    availability,
                    "followed as the VMM flushes it".into(),
                )
            }
        };
        vec![socket, disks]
    }

    /// How KVM's counters are read through the monitor, when they are.
    pub(super) fn kvm_report(&self) -> Option<SourceReport> {
        let [major, minor, _] = self.version?;
        let reason = if (major, minor) >= (8, 1) {
            "asked for by sampling.kvm_tier; QEMU reads them from descriptors it keeps"
        } else {
            "asked for by sampling.kvm_tier; QEMU before 8.1 interrupts every vCPU in each round for them"
        };
        let availability = match &self.last {
            Some(failure) => failure.availability(self.answered),
            None => Availability::Ok,
        };
        Some(SourceReport { source: Source::Kvm, tier: "qmp", availability, reason: reason.into() })
    }

    fn version_text(&self) -> String {
        match self.version {
            Some([major, minor, micro]) => format!("QEMU {major}.{minor}.{micro}, asked and left each round"),
            None => "asked and left each round".into(),
        }
    }
}

/// State `T` or `t` in `/proc/PID/stat`: the first letter after the last parenthesis.
fn is_stopped(roots: &Roots, pid: i32) -> bool {
    let Ok(text) = std::fs::read(roots.proc.join(pid.to_string()).join("stat")) else { return false };
    let Some(end) = memchr::memrchr(b')', &text) else { return false };
    matches!(text.get(end + 2), Some(b'T' | b't'))
}

/// `frozen 1` in cgroup v2's `cgroup.events`.
fn is_frozen(roots: &Roots, cgroup: &str) -> bool {
    let file = roots.cgroup.join(cgroup.trim_start_matches('/')).join("cgroup.events");
    std::fs::read_to_string(file).is_ok_and(|text| text.lines().any(|line| line == "frozen 1"))
}
