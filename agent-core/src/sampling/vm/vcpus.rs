//! A VM's vCPU threads and the VMM's other threads, tick by tick.

use super::batch::Batch;
use super::bpf::{Bpf, Record, Seat, Split, View};
use super::kvm::{KvmFiles, Sums};
use super::kvm_stats::DATA_BYTES_MAX;
use super::process::{Units, failed};
use super::schedstat::Schedstat;
use super::slot::Budget;
use super::stat_line::StatLine;
use super::threads::{self, Thread};
use crate::config::ThreadTierChoice;
use crate::sampling::SourceReport;
use crate::sampling::availability::Availability;
use crate::sampling::discovery::VmInfo;
use crate::sampling::frame::{FrameWriter, RowWriter, Tick};
use crate::sampling::metrics::{Scope, Source, vcpu, vm};
use crate::sys::prefetch;
use nix::errno::Errno;
use std::ops::Range;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// The columns of a vCPU's row that the scheduler fills.
const SCHEDULE_COLUMNS: Range<usize> = vcpu::RUN.column()..vcpu::STALLED.column() + 1;

/// The threads of one VM.
pub(super) struct Threads {
    how: How,
    vcpus: Vec<Vcpu>,
    others: Vec<Other>,
    units: Units,
    report: SourceReport,
    last_ran_ns: u64,
    /// In the last tick every thread was found alive and read: when none has moved since, none need be looked at.
    settled: bool,
}

/// How the threads are read.
enum How {
    /// By files below `/proc/PID/task`.
    Files(OwnedFd),
    /// By a program in the kernel.
    Records(Seat),
}

/// What threads are read from in one tick.
#[derive(Clone, Copy)]
enum Reader<'a> {
    Files(BorrowedFd<'a>),
    Records(Result<View<'a>, Errno>),
    /// None has moved: the last readings hold.
    Still(View<'a>),
}

struct Vcpu {
    row: u32,
    thread: Thread,
    last_ran_ns: u64,
    /// Whether it ran since the tick before, as this tick's look at it showed.
    ran: Result<bool, Errno>,
    fate: Fate,
    /// User and system time, where the kernel's own division of them is not read.
    split: Split,
}

struct Other {
    thread: Thread,
    fate: Fate,
}

/// How far a thread's readings can be used.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// Never read: sums without it would jump once it is.
    Unread,
    /// Its last reading stands.
    Read,
    /// It ended; its last reading stands for good.
    Ended,
}

/// What one tick is to read.
#[derive(Clone, Copy)]
#[expect(clippy::struct_excessive_bools, reason = "each says of one thing whether it is due")]
pub(super) struct Turn {
    pub(super) tick: Tick,
    /// Whether this is the plan's first tick.
    pub(super) fresh: bool,
    /// Whether each vCPU thread's `stat` is read.
    pub(super) with_stat: bool,
    /// Whether the rows of what did not run are written nevertheless, to say how old their values are.
    pub(super) with_quiet: bool,
    /// Whether KVM's counters are read even if no vCPU ran; otherwise those of the tick before hold.
    pub(super) with_kvm: bool,
}

/// Whether threads of a VM ran.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Motion {
    /// None did.
    #[default]
    Quiet,
    /// Some did.
    Ran,
    /// Some could not be read, and no other ran.
    Unknown,
}

impl Motion {
    /// Adds one thread's.
    fn add(&mut self, ran: Result<bool, Errno>) {
        match ran {
            Ok(true) => *self = Self::Ran,
            // A thread that ended says nothing of the others.
            Ok(false) | Err(Errno::ESRCH) => {}
            Err(_) if *self == Self::Quiet => *self = Self::Unknown,
            Err(_) => {}
        }
    }
}

/// What one tick showed.
#[derive(Clone, Copy, Default)]
pub(super) struct Seen {
    /// Whether a thread ran since the tick before, as far as can be said.
    pub(super) motion: Motion,
    /// A vCPU thread ended.
    pub(super) vcpu_gone: bool,
    /// KVM's counters of the vCPUs were read.
    pub(super) with_kvm: bool,
    /// It has threads that the plan does not know, or lacks some that it does.
    pub(super) threads_changed: bool,
    /// Threads for which there was no room.
    pub(super) unread: u32,
}

impl Threads {
    /// Prepares every thread that discovery found. `task_dir` opens `/proc/PID/task`, where that is needed.
    ///
    /// # Errors
    /// What opening it says.
    pub(super) fn open(
        info: &VmInfo,
        task_dir: impl FnOnce() -> Result<OwnedFd, Errno>,
        units: Units,
        choice: ThreadTierChoice,
        bpf: &Bpf,
        budget: &mut Budget,
    ) -> Result<Self, Errno> {
        let count = info.vcpus.len() + info.other_threads.len();
        let by_files = matches!(choice, ThreadTierChoice::KeptFd | ThreadTierChoice::OpenEach);
        let sweep = if by_files { Err(String::new()) } else { bpf.threads.as_ref().map_err(Clone::clone) };
        let seat = sweep
            .and_then(|sweep| sweep.seat(info.entity.row, info.pid, info.start_ticks, count, units.tick_ns));
        let (how, no_record) = match seat {
            Ok(seat) => (How::Records(seat), String::new()),
            Err(reason) => (How::Files(task_dir()?), reason),
        };
        let mut refused = None;
        let mut open = |tid| match &how {
            How::Records(_) => Some(Thread::recorded(tid)),
            How::Files(task_dir) => {
                let thread = Thread::open(task_dir.as_fd(), tid, choice, budget);
                thread.map_err(|errno| refused = Some(errno)).ok()
            }
        };
        let fate = Fate::Unread;
        let vcpus: Vec<_> = info
            .vcpus
            .iter()
            .filter_map(|vcpu| {
                let thread = open(vcpu.tid)?;
                let (row, split) = (vcpu.entity.row, Split::default());
                Some(Vcpu { row, thread, last_ran_ns: 0, ran: Ok(false), fate, split })
            })
            .collect();
        let others: Vec<_> =
            info.other_threads.iter().filter_map(|tid| Some(Other { thread: open(*tid)?, fate })).collect();
        let report = match &how {
            How::Records(_) => threads::recorded(),
            How::Files(_) => {
                let threads =
                    || vcpus.iter().map(|vcpu| &vcpu.thread).chain(others.iter().map(|other| &other.thread));
                let kept = threads().filter(|thread| thread.is_kept()).count();
                threads::report(kept, threads().count(), choice, refused, &no_record)
            }
        };
        Ok(Self { how, vcpus, others, units, report, last_ran_ns: 0, settled: false })
    }

    /// From now on programs in the kernel read these threads, where they do.
    pub(super) fn take_seat(&self) {
        if let How::Records(seat) = &self.how {
            seat.take();
        }
    }

    /// From now on they do not.
    pub(super) fn leave_seat(&self) {
        if let How::Records(seat) = &self.how {
            seat.leave();
        }
    }

    /// Whether everything that is known of a thread comes with each reading of it.
    pub(super) const fn are_recorded(&self) -> bool {
        matches!(self.how, How::Records(_))
    }

    /// Asks the processor for the threads, which will be read soon.
    #[inline]
    pub(super) fn prefetch(&self) {
        if let How::Records(seat) = &self.how {
            seat.prefetch();
        }
        prefetch::slice(&self.vcpus);
        prefetch::slice(&self.others);
    }

    /// How the threads are read.
    pub(super) const fn report(&self) -> &SourceReport {
        &self.report
    }

    /// How many threads the plan knows.
    pub(super) fn count(&self) -> u64 {
        u64::try_from(self.vcpus.len() + self.others.len()).unwrap_or(u64::MAX)
    }

    /// Reads every thread, writes the vCPUs' rows and puts the VM's sums.
    pub(super) fn sample(
        &mut self,
        turn: Turn,
        kvm: &KvmFiles,
        sums: &mut Sums,
        buffer: &mut [u8; DATA_BYTES_MAX],
        writer: &mut FrameWriter,
        batch: &mut Batch,
    ) -> Seen {
        let mut seen = Seen::default();
        if turn.fresh {
            self.last_ran_ns = turn.tick.mono_ns;
            self.vcpus.iter_mut().for_each(|vcpu| vcpu.last_ran_ns = turn.tick.mono_ns);
        }
        let known = self.count();
        let reader = match &self.how {
            How::Files(task_dir) => Reader::Files(task_dir.as_fd()),
            How::Records(seat) => match seat.view() {
                Ok(view) if view.moved == 0 && self.settled && u64::from(view.threads) == known => {
                    Reader::Still(view)
                }
                view => Reader::Records(view),
            },
        };
        if matches!(reader, Reader::Still(_)) && !turn.with_quiet && !turn.with_kvm && !turn.with_stat {
            return seen;
        }
        let mut settled = true;
        let mut progressing = 0;
        for vcpu in &mut self.vcpus {
            let ran = vcpu.look(turn, reader, buffer);
            settled &= ran.is_ok();
            seen.motion.add(ran);
            seen.vcpu_gone |= ran == Err(Errno::ESRCH);
            progressing += u64::from(ran == Ok(true));
            if ran != Ok(false) || turn.with_quiet {
                // Written once all threads have been looked at: by then it is here.
                writer.prefetch_columns(Scope::Vcpu, vcpu.row, SCHEDULE_COLUMNS);
            }
        }
        seen.with_kvm = turn.with_kvm || seen.motion != Motion::Quiet;
        if !matches!(reader, Reader::Still(_)) {
            for other in &mut self.others {
                let ran = other.thread.look(reader, buffer);
                settled &= ran.is_ok();
                seen.motion.add(ran);
                match ran {
                    Ok(_) => other.fate = Fate::Read,
                    Err(Errno::ESRCH) => other.fate = Fate::Ended,
                    Err(_) => {}
                }
            }
        }
        if let Reader::Records(view) = reader {
            seen.unread = view.map_or(0, |view| view.beyond());
            seen.threads_changed = view.is_ok_and(|view| u64::from(view.threads) != known);
            settled &= !seen.threads_changed;
        }
        self.settled = settled;
        let turn = Turn { with_kvm: seen.with_kvm, ..turn };
        for (index, vcpu) in self.vcpus.iter_mut().enumerate() {
            vcpu.sample(index, turn, reader, self.units, kvm, sums, buffer, writer);
        }
        if self.vcpus.is_empty() && self.others.is_empty() {
            seen.motion = Motion::Unknown;
        }
        if progressing > 0 {
            self.last_ran_ns = turn.tick.mono_ns;
        }
        if turn.with_quiet || turn.with_kvm || seen.motion != Motion::Quiet {
            self.put_sums(turn, progressing, batch);
        }
        seen
    }

    fn put_sums(&self, turn: Turn, progressing: u64, batch: &mut Batch) {
        if self.report.availability != Availability::Ok {
            batch.fail(Source::Schedule, self.report.availability);
            return;
        }
        let vcpus = self.vcpus.iter().map(|vcpu| (vcpu.fate, vcpu.thread.last));
        if let Some(sum) = sum(vcpus).filter(|_| !self.vcpus.is_empty()) {
            batch.set(vm::VCPU_RUN, sum.run_ns);
            batch.set(vm::VCPU_WAIT, sum.wait_ns);
            batch.set(vm::VCPU_TIMESLICES, sum.timeslices);
            if !turn.fresh {
                batch.set(vm::VCPUS_PROGRESSING, progressing);
                batch.set(vm::STALLED, turn.tick.mono_ns.saturating_sub(self.last_ran_ns));
            }
            batch.answered(Source::Schedule);
        }
        if let Some(sum) = sum(self.others.iter().map(|other| (other.fate, other.thread.last))) {
            batch.set(vm::EMULATOR_RUN, sum.run_ns);
            batch.set(vm::EMULATOR_WAIT, sum.wait_ns);
            batch.set(vm::EMULATOR_TIMESLICES, sum.timeslices);
            batch.answered(Source::Schedule);
        }
    }

    /// Descriptors held: the directory and one per kept thread.
    pub(super) fn descriptors(&self) -> usize {
        if self.are_recorded() {
            return 0;
        }
        let vcpus = self.vcpus.iter().filter(|vcpu| vcpu.thread.is_kept()).count();
        1 + vcpus + self.others.iter().filter(|other| other.thread.is_kept()).count()
    }
}

/// The sum over threads; none while one of them was never read.
fn sum(threads: impl Iterator<Item = (Fate, Schedstat)>) -> Option<Schedstat> {
    let mut sum = Schedstat::default();
    for (fate, last) in threads {
        if fate == Fate::Unread {
            return None;
        }
        sum.run_ns = sum.run_ns.saturating_add(last.run_ns);
        sum.wait_ns = sum.wait_ns.saturating_add(last.wait_ns);
        sum.timeslices = sum.timeslices.saturating_add(last.timeslices);
    }
    Some(sum)
}

impl Vcpu {
    /// Looks whether the thread ran.
    fn look(
        &mut self,
        turn: Turn,
        reader: Reader<'_>,
        buffer: &mut [u8; DATA_BYTES_MAX],
    ) -> Result<bool, Errno> {
        self.ran = self.thread.look(reader, buffer);
        match self.ran {
            Ok(ran) => {
                self.fate = Fate::Read;
                if ran {
                    self.last_ran_ns = turn.tick.mono_ns;
                }
            }
            Err(Errno::ESRCH) => self.fate = Fate::Ended,
            Err(_) => {}
        }
        self.ran
    }

    /// Reads what else is due, and writes the row.
    #[expect(
        clippy::too_many_arguments,
        reason = "one call site; a struct of borrows would only rename them"
    )]
    fn sample(
        &mut self,
        index: usize,
        turn: Turn,
        reader: Reader<'_>,
        units: Units,
        kvm: &KvmFiles,
        sums: &mut Sums,
        buffer: &mut [u8; DATA_BYTES_MAX],
        writer: &mut FrameWriter,
    ) {
        let stat = turn.with_stat.then(|| self.read_stat(reader, units, buffer));
        let nothing_new = self.ran == Ok(false) && !turn.with_kvm && !turn.with_stat;
        if nothing_new && !turn.with_quiet {
            return;
        }
        // Read last, and written from the buffer it was read into.
        let reading = if turn.with_kvm { kvm.read_vcpu(index, buffer, sums) } else { None };
        let mut row = writer.row(Scope::Vcpu, self.row);
        if turn.fresh {
            // What this kernel or tier does not have; what it has is set over it below.
            let absent = if kvm.has_vcpus() { Availability::Unsupported } else { kvm.absent() };
            row.fail_source(Source::Kvm, absent);
        }
        if let Some(reading) = reading {
            reading.write(&mut row, turn.tick.mono_ns);
        } else if !turn.with_kvm && kvm.has_vcpus() {
            row.stamp(Source::Kvm, turn.tick.mono_ns);
        }
        match self.ran {
            Ok(ran) => self.write_schedule(turn, ran, &mut row),
            Err(errno) => row.fail_source(Source::Schedule, failed(errno)),
        }
        match stat {
            Some(Ok(stat)) => stat.write(turn.tick, &mut row),
            Some(Err(errno)) => row.fail_source(Source::TaskStat, failed(errno)),
            None => {}
        }
    }

    /// What `stat` says of the thread.
    fn read_stat(
        &mut self,
        reader: Reader<'_>,
        units: Units,
        buffer: &mut [u8; DATA_BYTES_MAX],
    ) -> Result<ThreadStat, Errno> {
        let view = match reader {
            Reader::Files(task_dir) => {
                let line = self.thread.read_stat(task_dir, &mut buffer[..])?;
                return Ok(ThreadStat::of_line(&line, units));
            }
            Reader::Records(view) => view?,
            Reader::Still(view) => view,
        };
        let record = self.thread.record(&view)?;
        self.split.advance(record.schedstat().run_ns, record.sampled_ns());
        Ok(ThreadStat::of_record(record, self.split))
    }

    fn write_schedule(&self, turn: Turn, ran: bool, row: &mut RowWriter<'_>) {
        let last = self.thread.last;
        row.set_u64(vcpu::RUN, last.run_ns);
        row.set_u64(vcpu::WAIT, last.wait_ns);
        row.set_u64(vcpu::TIMESLICES, last.timeslices);
        if !turn.fresh {
            row.set(vcpu::PROGRESSING, i64::from(ran));
            row.set_u64(vcpu::STALLED, turn.tick.mono_ns.saturating_sub(self.last_ran_ns));
        }
        row.stamp(Source::Schedule, turn.tick.mono_ns);
    }
}

/// `vcpu_state`: a halted guest's thread sleeps, which is not the same as running.
const ASLEEP: i64 = 3;

/// What `stat` says of a thread, in the metrics' units.
struct ThreadStat {
    state: u8,
    user_ns: u64,
    system_ns: u64,
    guest_ns: u64,
    faults_minor: u64,
    faults_major: u64,
    processor: u64,
    nice: i64,
    realtime_priority: u64,
    policy: u64,
}

impl ThreadStat {
    fn of_line(line: &StatLine, units: Units) -> Self {
        let ns = |ticks: u64| ticks.saturating_mul(units.tick_ns);
        Self {
            state: line.state,
            user_ns: ns(line.user_ticks),
            system_ns: ns(line.system_ticks),
            guest_ns: ns(line.guest_ticks),
            faults_minor: line.faults_minor,
            faults_major: line.faults_major,
            processor: line.processor,
            nice: line.nice,
            realtime_priority: line.realtime_priority,
            policy: line.policy,
        }
    }

    fn of_record(record: Record<'_>, split: Split) -> Self {
        let (faults_minor, faults_major) = record.faults();
        Self {
            state: record.state(),
            user_ns: split.user_ns,
            system_ns: split.system_ns,
            guest_ns: record.guest_ns(),
            faults_minor,
            faults_major,
            processor: record.processor(),
            nice: record.nice(),
            realtime_priority: record.realtime_priority(),
            policy: record.policy(),
        }
    }

    fn write(&self, tick: Tick, row: &mut RowWriter<'_>) {
        let state = match self.state {
            b'S' | b'I' => ASLEEP,
            letter => super::process::state_number(letter),
        };
        row.set(vcpu::STATE, state);
        row.set_u64(vcpu::USER, self.user_ns);
        row.set_u64(vcpu::SYSTEM, self.system_ns);
        row.set_u64(vcpu::GUEST, self.guest_ns);
        row.set_u64(vcpu::FAULTS_MINOR, self.faults_minor);
        row.set_u64(vcpu::FAULTS_MAJOR, self.faults_major);
        row.set_u64(vcpu::PROCESSOR, self.processor);
        row.set(vcpu::NICE, self.nice);
        row.set_u64(vcpu::REALTIME_PRIORITY, self.realtime_priority);
        row.set_u64(vcpu::SCHEDULING_POLICY, self.policy);
        row.stamp(Source::TaskStat, tick.mono_ns);
    }
}

impl Thread {
    /// Looks whether the thread ran.
    fn look(&mut self, reader: Reader<'_>, buffer: &mut [u8; DATA_BYTES_MAX]) -> Result<bool, Errno> {
        match reader {
            Reader::Files(task_dir) => self.read(task_dir, &mut buffer[..]),
            Reader::Records(view) => self.take(&view?),
            Reader::Still(_) => Ok(false),
        }
    }
}
