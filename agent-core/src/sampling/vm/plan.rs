//! One VM's plan: everything that is open for it, and what a tick reads of it.
//!
//! Read in every tick: the scheduler's account of each thread, KVM's statistics descriptors, taps in the VMM's own
//! network namespace. The rest (`/proc/PID/stat`, `io`, the cgroup) is dearer, and is read at the [`Pace`] that the
//! number of VMs allows, staggered over the ticks; `status` and the vCPU threads' `stat` at a fourth of it. `stat` and the freezer are also read whenever the threads
//! begin or cease to run, so that a VM that is stopped or frozen is seen within two ticks at any pace.

use super::batch::Batch;
use super::bpf::Bpf;
use super::cgroup::CgroupFiles;
use super::cold;
use super::kvm::{KvmFiles, Sums};
use super::kvm_stats::DATA_BYTES_MAX;
use super::netns::Taps;
use super::process::{self, ProcessFiles, Units};
use super::slot::{Budget, open_directory};
use super::taps::TapRow;
use super::vcpus::{Motion, Threads, Turn};
use super::{VmIdentity, VmPulse};
use crate::config::Config;
use crate::sampling::SourceReport;
use crate::sampling::availability::Availability;
use crate::sampling::discovery::VmInfo;
use crate::sampling::frame::{Entity, FrameWriter, Tick};
use crate::sampling::metrics::{Scope, Source, vm};
use crate::sys::{pidfd, prefetch};
use nix::errno::Errno;
use std::ops::Range;
use std::os::fd::{AsFd, OwnedFd};

/// Up to so many VMs, everything is read in every tick.
const VMS_AT_FULL_PACE: usize = 128;
/// VMs in rows below this keep their detail files open, if descriptors are plenty: they are the ones read every tick.
const ROWS_THAT_KEEP_DETAILS: u32 = 128;
/// Turns between two readings of what is dearest.
const TURNS_BETWEEN_RARE: u32 = 4;
/// After so many ticks in which no thread ran, KVM's counters are looked at only when details are.
const QUIET_TICKS: u32 = 2;
/// What must be left over for threads and KVM of other VMs before details are kept open.
const DESCRIPTORS_PLENTY: usize = 4_096;

/// The columns of a VM's row that are written in every tick.
const SCHEDULE_COLUMNS: Range<usize> = vm::VCPU_RUN.column()..vm::STALLED.column() + 1;

/// How often details are read: every so many ticks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// 1 is every tick.
    pub detail_every_ticks: u32,
}

impl Pace {
    /// The sources that follow the pace, and the turns between two readings of what is dearest in them: `status`,
    /// and the `stat` of each vCPU thread.
    pub const SOURCES: [(Source, u32); 8] = [
        (Source::TaskStat, TURNS_BETWEEN_RARE),
        (Source::TaskIo, 1),
        (Source::TaskStatus, TURNS_BETWEEN_RARE),
        (Source::CgroupCpu, 1),
        (Source::CgroupMemory, 1),
        (Source::CgroupIo, 1),
        (Source::CgroupPressure, 1),
        (Source::CgroupPids, 1),
    ];

    /// The pace for so many VMs: every tick up to 128, every eighth tick at 1,024.
    #[must_use]
    pub fn for_vms(vms: usize) -> Self {
        let every = u32::try_from(vms.div_ceil(VMS_AT_FULL_PACE)).unwrap_or(u32::MAX);
        Self { detail_every_ticks: every.max(1) }
    }

    /// Whether a row's turn is in this tick. Rows take turns, so that ticks are alike.
    pub(super) fn is_turn(self, tick: Tick, row: u32) -> bool {
        (tick.number + u64::from(row)).is_multiple_of(u64::from(self.detail_every_ticks))
    }

    /// Every fourth turn: for what is dearer still.
    fn is_rare_turn(self, tick: Tick, row: u32) -> bool {
        Self { detail_every_ticks: self.detail_every_ticks.saturating_mul(TURNS_BETWEEN_RARE) }
            .is_turn(tick, row)
    }
}

/// Where a sample reads to before it writes into the frame: one for all VMs, so that it stays in the caches.
pub struct Scratch {
    buffer: [u8; DATA_BYTES_MAX],
    batch: Batch,
}

impl Default for Scratch {
    fn default() -> Self {
        Self { buffer: [0; DATA_BYTES_MAX], batch: Batch::default() }
    }
}

/// Everything that is open for one VM, and where its values go.
pub struct VmPlan {
    /// The VM's row and generation.
    pub entity: Entity,
    /// Who it is.
    pub identity: VmIdentity,
    /// Becomes readable when the VMM exits; `None` on a recorded host.
    pub pidfd: Option<OwnedFd>,
    /// The rows of its vCPUs, interfaces and disks.
    parts: Vec<Entity>,
    /// `None` when the process was gone before it could be opened.
    open: Option<OpenVm>,
}

struct OpenVm {
    row: u32,
    dir: OwnedFd,
    start_ticks: u64,
    process: ProcessFiles,
    threads: Threads,
    cgroup: CgroupFiles,
    kvm: KvmFiles,
    taps: Taps,
    /// KVM's debugfs files are read every so many ticks.
    kvm_slow_every: Pace,
    interval_ns: u64,
    state: i64,
    /// Ticks since one of its threads was last seen to run.
    quiet_ticks: u32,
    fresh: bool,
}

impl VmPlan {
    /// Opens what can be opened of a VM. `descriptors_left` is what may be kept open.
    #[must_use]
    pub fn open(
        info: &VmInfo,
        config: &Config,
        bpf: &Bpf,
        descriptors_left: usize,
    ) -> (Self, Vec<SourceReport>) {
        let mut budget = Budget::new(descriptors_left);
        let opened = OpenVm::open(info, config, bpf, &mut budget);
        let (pidfd, open, reports) = match opened {
            Ok((pidfd, open, reports)) => (pidfd, Some(open), reports),
            Err(errno) => (None, None, unopened(errno)),
        };
        let plan = Self {
            entity: info.entity,
            identity: info.identity(),
            pidfd,
            parts: info.parts().collect(),
            open,
        };
        (plan, reports)
    }

    /// From now on this is the VM's plan, and programs in the kernel read for it.
    pub fn take_seat(&self) {
        if let Some(open) = &self.open {
            open.threads.take_seat();
            open.kvm.take_seat();
        }
    }

    /// From now on it is not, and no other plan has taken its place.
    pub fn leave_seat(&self) {
        if let Some(open) = &self.open {
            open.threads.leave_seat();
            open.kvm.leave_seat();
        }
    }

    /// Reads what is due in this tick. Allocates nothing and never blocks.
    pub fn sample(
        &mut self,
        tick: Tick,
        pace: Pace,
        scratch: &mut Scratch,
        writer: &mut FrameWriter,
    ) -> VmPulse {
        match &mut self.open {
            Some(open) => open.sample(tick, pace, scratch, writer),
            None => VmPulse { vanished: true, ..VmPulse::default() },
        }
    }

    /// Asks the processor for what the next two samples will touch: the first's threads, whose plan was asked for
    /// a sample ago, and the second's plan. The kernel's work for one VM is long enough for all of it to arrive.
    #[inline]
    pub fn prefetch(next: Option<&Self>, after_next: Option<&Self>) {
        if let Some(open) = next.and_then(|plan| plan.open.as_ref()) {
            open.threads.prefetch();
        }
        if let Some(plan) = after_next {
            prefetch::slice(std::slice::from_ref(&plan.open));
        }
    }

    /// The rows of its vCPUs, interfaces and disks.
    pub fn parts(&self) -> impl Iterator<Item = Entity> + '_ {
        self.parts.iter().copied()
    }

    /// Its taps in the host's network namespace, which are read for all VMs at once.
    #[must_use]
    pub fn host_taps(&self) -> &[TapRow] {
        self.open.as_ref().map_or(&[], |open| &open.taps.host)
    }

    /// File descriptors this plan holds.
    #[must_use]
    pub fn descriptors(&self) -> usize {
        usize::from(self.pidfd.is_some()) + self.open.as_ref().map_or(0, OpenVm::descriptors)
    }
}

/// The one report of a VM whose process cannot be opened.
fn unopened(errno: Errno) -> Vec<SourceReport> {
    vec![SourceReport {
        source: Source::TaskStat,
        tier: "none",
        availability: Availability::from_errno(errno),
        reason: format!("/proc/PID: {errno}"),
    }]
}

impl OpenVm {
    const EVERY_SECOND: Pace = Pace { detail_every_ticks: 2 };

    fn open(
        info: &VmInfo,
        config: &Config,
        bpf: &Bpf,
        budget: &mut Budget,
    ) -> Result<(Option<OwnedFd>, Self, Vec<SourceReport>), Errno> {
        let roots = &config.roots;
        let gone = |errno| if errno == Errno::ENOENT { Errno::ESRCH } else { errno };
        let dir = open_directory(&roots.proc.join(info.pid.to_string())).map_err(gone)?;
        let pidfd = match roots.is_live().then(|| pidfd::open(info.pid)) {
            Some(Err(Errno::ESRCH)) => return Err(Errno::ESRCH),
            // Before Linux 5.3, or in a sandbox: the exit is then noticed by the first read that fails.
            Some(Err(_)) | None => None,
            Some(Ok(pidfd)) => Some(pidfd),
        };
        // The directory, the pidfd and the two others of the plan.
        (0..3).for_each(|_| _ = budget.take());

        let units = Units::of(&roots.proc);
        let row = info.entity.row;
        let keep = row < ROWS_THAT_KEEP_DETAILS && budget.left() > DESCRIPTORS_PLENTY;
        let process = ProcessFiles::open(dir.as_fd(), units, keep, budget).map_err(gone)?;
        // Read through the directory after the pidfd was made: if it is the process that discovery saw, so is the
        // pidfd's, because the number cannot have been given to another one in between.
        let mut buffer = [0; DATA_BYTES_MAX];
        let stat = process.read_stat(dir.as_fd(), &mut buffer)?;
        if stat.start_ticks != info.start_ticks {
            return Err(Errno::ESRCH);
        }

        let task_dir = || open_directory(&roots.proc.join(format!("{}/task", info.pid))).map_err(gone);
        let threads = Threads::open(info, task_dir, units, config.sampling.thread_tier, bpf, budget)?;
        let kvm = KvmFiles::open(
            info,
            config,
            dir.as_fd(),
            pidfd.as_ref().map(AsFd::as_fd),
            units.tick_ns,
            bpf,
            budget,
        );
        let cgroup = CgroupFiles::open(roots, info.pid, &info.cgroup, units, keep, budget);
        let (taps, tap_report) = Taps::open(info, roots, dir.as_fd());
        let mut reports = process.reports().to_vec();
        reports.push(threads.report().clone());
        reports.push(kvm.report().clone());
        reports.extend_from_slice(cgroup.reports());
        reports.push(tap_report);
        reports.extend(cold::reports(dir.as_fd()));
        let open = Self {
            row,
            dir,
            start_ticks: info.start_ticks,
            process,
            threads,
            cgroup,
            kvm,
            taps,
            kvm_slow_every: Pace { detail_every_ticks: config.sampling.slow_every_ticks.max(1) },
            interval_ns: u64::from(config.sampling.interval_ms) * 1_000_000,
            state: process::RUNNING,
            quiet_ticks: QUIET_TICKS,
            fresh: true,
        };
        Ok((pidfd, open, reports))
    }

    fn sample(&mut self, tick: Tick, pace: Pace, scratch: &mut Scratch, writer: &mut FrameWriter) -> VmPulse {
        let Scratch { buffer, batch } = scratch;
        batch.clear();
        let mut pulse = VmPulse::default();
        if self.fresh {
            self.begin(writer, batch);
        }
        let detail = self.fresh || pace.is_turn(tick, self.row);
        let rare = self.fresh || pace.is_rare_turn(tick, self.row);
        // Counters of vCPUs that do not run do not move. A vCPU that runs without a scheduler tick (nohz_full) is
        // charged once a second, so that one quiet tick proves nothing.
        let quiet = self.quiet_ticks >= QUIET_TICKS;
        // What stands still is written every second tick when there are many VMs: the age that is shown is then one
        // tick more than it might be, and half of the cache lines are left alone.
        let with_quiet =
            pace.detail_every_ticks == 1 || self.fresh || Self::EVERY_SECOND.is_turn(tick, self.row);
        let with_stat = if self.threads.are_recorded() { detail } else { rare };
        let turn = Turn { tick, fresh: self.fresh, with_stat, with_quiet, with_kvm: !quiet || detail };
        if with_quiet {
            writer.prefetch_columns(Scope::Vm, self.row, SCHEDULE_COLUMNS);
        }
        let mut sums = Sums::new();
        let threads = self.threads.sample(turn, &self.kvm, &mut sums, buffer, writer, batch);
        pulse.threads_unread = threads.unread;
        pulse.threads_changed = threads.vcpu_gone || threads.threads_changed;
        if threads.with_kvm {
            self.kvm.put_vm(&sums, buffer, batch);
        } else if with_quiet {
            self.kvm.put_vm_quiet(buffer, batch);
        }

        let ran_before = self.quiet_ticks == 0;
        let ran = threads.motion == Motion::Ran;
        let unsettled =
            ran != ran_before || threads.motion == Motion::Unknown || self.state != process::RUNNING;
        self.quiet_ticks = if ran { 0 } else { self.quiet_ticks.saturating_add(1) };
        if detail || unsettled {
            self.sample_state(buffer, batch, &mut pulse);
        }
        if detail && !pulse.vanished {
            self.process.read_io(self.dir.as_fd(), buffer, batch);
            self.cgroup.read(buffer, batch);
        }
        if rare && !pulse.vanished {
            self.process.read_status(self.dir.as_fd(), buffer, batch);
        }
        if self.kvm.is_slow() && (self.fresh || self.kvm_slow_every.is_turn(tick, self.row)) {
            self.kvm.read_slow(buffer, batch);
        }
        self.fresh = false;
        if !batch.is_empty() {
            batch.write(&mut writer.row(Scope::Vm, self.row), tick.mono_ns);
        }
        self.taps.sample(self.dir.as_fd(), buffer, tick, writer);
        pulse
    }

    /// Reads `stat` and the freezer.
    fn sample_state(&mut self, buffer: &mut [u8; DATA_BYTES_MAX], batch: &mut Batch, pulse: &mut VmPulse) {
        match self.process.read_stat(self.dir.as_fd(), buffer) {
            Ok(stat) if stat.start_ticks == self.start_ticks => {
                self.process.put_stat(&stat, batch);
                self.state = if self.cgroup.is_frozen(buffer) {
                    process::FROZEN
                } else {
                    process::state_number(stat.state)
                };
                batch.put(vm::STATE, Ok(self.state));
                pulse.threads_changed |= stat.threads != self.threads.count();
            }
            Ok(_) | Err(Errno::ESRCH) => {
                batch.fail(Source::TaskStat, Availability::Gone);
                pulse.vanished = true;
            }
            Err(errno) => batch.fail(Source::TaskStat, process::failed(errno)),
        }
    }

    /// What has no source at all is said once, before the first values.
    fn begin(&self, writer: &FrameWriter, batch: &mut Batch) {
        self.process.closed(batch);
        self.cgroup.closed(batch);
        batch.fail(Source::Kvm, self.kvm.absent());
        if self.kvm.is_slow() {
            let period = u64::from(self.kvm_slow_every.detail_every_ticks) * self.interval_ns;
            writer.frame().set_period_ns(Source::Kvm, period);
        }
    }

    fn descriptors(&self) -> usize {
        1 + self.process.descriptors()
            + self.threads.descriptors()
            + self.cgroup.descriptors()
            + self.kvm.descriptors()
    }
}
