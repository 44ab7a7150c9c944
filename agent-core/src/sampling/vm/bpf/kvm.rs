//! KVM's counters of all VMs in one run of one program (agent-core/bpf/kvm.bpf.c, whose layouts these are).
//!
//! ```text
//! target, 192 bytes   pid u32, first u32 | count u32, recent u32 | operations | start_ns | run u32, failed u32 | 0 ×3
//!                     | the VM's counters ×16
//! vcpu, 384 bytes     fd u32, run u32 | 0 | counters before KVM's histograms ×8 | counters behind them ×38
//! ```
//! Names and places of the counters are those of KVM's own structs (`struct kvm_vcpu_stat`, `struct kvm_vm_stat`), which
//! are also what its statistics descriptors give out.

use super::programs::{self, Kernel, array};
use super::ranges::Ranges;
use super::threads::{ThreadSweep, low};
use crate::config::Config;
use crate::sampling::vm::kvm_names::{VCPU_COUNTERS, VM_COUNTERS};
use crate::sampling::vm::kvm_stats::{DATA_BYTES_MAX, Layout, wanted};
use crate::sys::bpf::fields::{Fields, counters};
use crate::sys::bpf::{Program, SharedArray};
use nix::errno::Errno;
use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};

const TARGET_WORDS: usize = 24;
const TARGET_DATA: usize = 8;
const VCPU_WORDS: usize = 48;
const VCPU_DATA: usize = 2;
const FIRST_BYTES: u32 = 64;
const SECOND_BYTES: u32 = 304;
const VM_BYTES: u32 = 128;
/// Runs in which a new target is read although nothing is known of its threads.
const RUNS_WHEN_NEW: u32 = 2;
/// `ANON_INODE_FS_MAGIC` (include/uapi/linux/magic.h), where nobody but the kernel names files.
const ANONYMOUS: u64 = 0x0904_1934;

/// The programs, their maps, and where this kernel has its counters.
pub struct KvmSweep {
    targets: SharedArray,
    vcpus: SharedArray,
    read: Program,
    ask: Program,
    places: Places,
    /// Locked on the cold side only.
    ranges: Mutex<Ranges>,
    rows: u32,
    last_run: AtomicU32,
    /// Keeps its slots, which the program looks at.
    _threads: Arc<ThreadSweep>,
}

/// What a run is told.
#[repr(C)]
#[derive(Clone, Copy, Default, bytemuck::Pod, bytemuck::Zeroable)]
struct Run {
    number: u32,
    targets: u32,
    every: u32,
    full_every: u32,
    at: Spans,
}

/// Where the counters are in KVM's structs.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, bytemuck::Pod, bytemuck::Zeroable)]
struct Spans {
    first_at: u32,
    first_bytes: u32,
    second_at: u32,
    second_bytes: u32,
    vm_at: u32,
    vm_bytes: u32,
}

/// Where the counters are in KVM's structs, and in what is copied of them.
struct Places {
    spans: Spans,
    vcpu: Layout,
    vm: Layout,
}

/// What is asked of a descriptor, and answered.
#[repr(C)]
#[derive(Clone, Copy, Default, bytemuck::Pod, bytemuck::Zeroable)]
struct Question {
    pid: u32,
    fd: u32,
    start_ns: u64,
    operations: u64,
    magic: u64,
    name: [u8; 16],
}

impl KvmSweep {
    /// Loads the programs. Whether they read the right thing is found out for each VM, by [`KvmSweep::seat`].
    pub(super) fn load(kernel: &Kernel, threads: &Arc<ThreadSweep>, config: &Config) -> Result<Self, String> {
        let places = kernel.with_types(|types| {
            Some((counters(types, "kvm_vcpu", "stat")?, counters(types, "kvm", "stat")?))
        })?;
        let places = places.ok_or("the kernel does not describe KVM's types, or KVM is not there yet")?;
        let places = Places::of(&places.0, &places.1)?;
        let rows = config.limits.vms;
        let targets = array("btz_kvm_vms", bytes(TARGET_WORDS), rows)?;
        let vcpus = array("btz_kvm_vcpus", bytes(VCPU_WORDS), config.limits.vcpus)?;
        let maps = [("slots", threads.slots()), ("targets", &targets), ("vcpus", &vcpus)];
        let read = kernel.load("btz_kvm", programs::KVM, "syscall/read", &maps)?;
        let ask = kernel.load("btz_kvm_ask", programs::KVM, "syscall/ask", &[])?;
        let ranges = Mutex::new(Ranges::new(config.limits.vcpus));
        let (last_run, threads) = (AtomicU32::new(0), Arc::clone(threads));
        Ok(Self { targets, vcpus, read, ask, places, ranges, rows, last_run, _threads: threads })
    }

    /// A place for the VM of this row, whose vCPUs have these descriptors; `None` stands for a vCPU that has none. Each
    /// is looked at first: the kernel itself must call it a vCPU's. For the cold side.
    pub(in crate::sampling::vm) fn seat(
        self: &Arc<Self>,
        row: u32,
        pid: i32,
        (start_ticks, tick_ns): (u64, u64),
        fds: Vec<Option<u32>>,
    ) -> Result<KvmSeat, String> {
        let mut known: Option<Question> = None;
        for fd in fds.iter().flatten() {
            let answer = self.ask(pid, *fd)?;
            if answer.start_ns / tick_ns != start_ticks {
                return Err("the process is gone".to_owned());
            }
            if known.is_some_and(|known| known.operations != answer.operations) {
                return Err("its vCPUs are not of one kind".to_owned());
            }
            known = Some(answer);
        }
        let known = known.ok_or("the VMM has no descriptors of vCPUs")?;
        let count = u32::try_from(fds.len()).map_err(|_| "too many vCPUs".to_owned())?;
        let first = if row < self.rows { self.ranges.lock().take(count) } else { None };
        let first = first.ok_or("no room for its vCPUs: raise limits.vcpus")?;
        let sweep = Arc::clone(self);
        let (operations, start_ns) = (known.operations, known.start_ns);
        Ok(KvmSeat { sweep, row, pid, first, fds, operations, start_ns })
    }

    fn ask(&self, pid: i32, fd: u32) -> Result<Question, String> {
        let mut question = Question { pid: pid.unsigned_abs(), fd, ..Question::default() };
        self.ask.run(&mut question).map_err(|errno| format!("the program does not run: {errno}"))?;
        let is_vcpu = question.magic == ANONYMOUS && question.name.starts_with(b"kvm-vcpu");
        if is_vcpu && question.operations != 0 {
            Ok(question)
        } else {
            Err(format!("descriptor {fd} is not a vCPU's"))
        }
    }

    /// Reads the counters of all seated VMs whose turn it is and whose threads move, and of all of them at the multiples
    /// of `full_every`. After the run of [`ThreadSweep::run`] of the same number, which says whose threads move.
    ///
    /// # Errors
    /// What the kernel said; the entries then still hold the number of an earlier run.
    pub fn run(&self, number: u64, targets: u32, every: u32, full_every: u32) -> Result<(), Errno> {
        self.last_run.store(low(number), Relaxed);
        let targets = targets.min(self.rows);
        let mut run = Run { number: low(number), targets, every, full_every, at: self.places.spans };
        self.read.run(&mut run).map(drop)
    }

    /// How the counters of a vCPU lie in what [`KvmSeat::read_vcpu`] gives.
    pub(in crate::sampling::vm) const fn vcpu_layout(&self) -> &Layout {
        &self.places.vcpu
    }

    /// How the counters of a VM lie in what [`KvmSeat::read_vm`] gives.
    pub(in crate::sampling::vm) const fn vm_layout(&self) -> &Layout {
        &self.places.vm
    }

    fn target(&self, row: u32) -> &[AtomicU64] {
        entry(&self.targets, row, TARGET_WORDS)
    }

    fn vcpu(&self, at: u32) -> &[AtomicU64] {
        entry(&self.vcpus, at, VCPU_WORDS)
    }
}

impl std::fmt::Debug for KvmSweep {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KvmSweep").field("spans", &self.places.spans).finish_non_exhaustive()
    }
}

fn bytes(words: usize) -> u32 {
    u32::try_from(words * size_of::<u64>()).unwrap_or(u32::MAX)
}

fn entry(array: &SharedArray, at: u32, words: usize) -> &[AtomicU64] {
    let begin = at as usize * words;
    array.memory().words().get(begin..begin + words).unwrap_or_default()
}

impl Places {
    /// Where the counters that are wanted lie: of a vCPU in two pieces, because its histograms in the middle are not
    /// copied; of a VM in one.
    fn of(vcpu: &Fields, vm: &Fields) -> Result<Self, String> {
        let vcpu_wanted: Vec<_> =
            VCPU_COUNTERS.iter().map(|counter| wanted(counter.name, counter.vcpu)).collect();
        let vm_wanted: Vec<_> = VM_COUNTERS.iter().map(|counter| wanted(counter.name, counter.vm)).collect();
        let vcpu_places = places(vcpu, &vcpu_wanted);
        let vm_places = places(vm, &vm_wanted);
        let (first, second) = in_two(&vcpu_places);
        let (first, second, whole) = (span(first), span(second), span(&vm_places));
        if first.1 > FIRST_BYTES || second.1 > SECOND_BYTES || whole.1 > VM_BYTES {
            return Err("KVM's counters lie further apart than the program has room for".to_owned());
        }
        let spans = Spans {
            first_at: vcpu.offset + first.0,
            first_bytes: first.1,
            second_at: vcpu.offset + second.0,
            second_bytes: second.1,
            vm_at: vm.offset + whole.0,
            vm_bytes: whole.1,
        };
        let offset_of = |fields: &Fields, name: &str| {
            fields.fields.iter().find(|field| field.name == name).map(|field| field.offset)
        };
        let in_vcpu = |name: &str| {
            let offset = offset_of(vcpu, name)?;
            let of = |(begin, length): (u32, u32)| offset.checked_sub(begin).filter(|at| at + 8 <= length);
            of(first).or_else(|| of(second).map(|at| FIRST_BYTES + at))
        };
        let in_vm = |name: &str| offset_of(vm, name)?.checked_sub(whole.0);
        let vcpu = Layout::of_places((FIRST_BYTES + SECOND_BYTES) as usize, &vcpu_wanted, in_vcpu);
        let vm = Layout::of_places(VM_BYTES as usize, &vm_wanted, in_vm);
        Ok(Self { spans, vcpu, vm })
    }
}

/// The offsets of the wanted counters, in order.
fn places<U>(of: &Fields, wanted: &[(&str, U)]) -> Vec<u32> {
    let is_wanted = |name: &str| wanted.iter().any(|(other, _)| *other == name);
    let mut offsets: Vec<_> =
        of.fields.iter().filter(|field| is_wanted(&field.name)).map(|field| field.offset).collect();
    offsets.sort_unstable();
    offsets.dedup();
    offsets
}

/// Split where the gap is widest.
fn in_two(offsets: &[u32]) -> (&[u32], &[u32]) {
    let widest = (1..offsets.len()).max_by_key(|at| offsets[*at] - offsets[at - 1]);
    offsets.split_at(widest.unwrap_or(offsets.len()))
}

/// Where they begin, and how many bytes they are with all between them.
fn span(offsets: &[u32]) -> (u32, u32) {
    match (offsets.first(), offsets.last()) {
        (Some(first), Some(last)) => (*first, last - first + 8),
        _ => (0, 0),
    }
}

/// The place of one VM in the sweep, for as long as its plan lives.
#[derive(Debug)]
pub(in crate::sampling::vm) struct KvmSeat {
    sweep: Arc<KvmSweep>,
    row: u32,
    pid: i32,
    first: u32,
    fds: Vec<Option<u32>>,
    operations: u64,
    start_ns: u64,
}

impl KvmSeat {
    /// The sweep it is in.
    pub(in crate::sampling::vm) fn sweep(&self) -> &KvmSweep {
        &self.sweep
    }

    /// From the next run on, the VM's counters are read.
    pub(in crate::sampling::vm) fn take(&self) {
        for (at, fd) in (self.first..).zip(&self.fds) {
            if let [head, ..] = self.sweep.vcpu(at) {
                // No process has a descriptor of this number.
                head.store(bytemuck::cast([fd.unwrap_or(u32::MAX), 0]), Relaxed);
            }
        }
        let count = u32::try_from(self.fds.len()).unwrap_or(0);
        if let [target, size, operations, start, when, ..] = self.sweep.target(self.row) {
            size.store(bytemuck::cast([count, RUNS_WHEN_NEW]), Relaxed);
            operations.store(self.operations, Relaxed);
            start.store(self.start_ns, Relaxed);
            when.store(0, Relaxed);
            target.store(bytemuck::cast([self.pid.unsigned_abs(), self.first]), Relaxed);
        }
    }

    /// From the next run on, they are no longer read.
    pub(in crate::sampling::vm) fn leave(&self) {
        if let [target, ..] = self.sweep.target(self.row) {
            target.store(0, Relaxed);
        }
    }

    /// What the last run copied of a vCPU; none when it did not, or not all of it.
    #[inline]
    pub(in crate::sampling::vm) fn read_vcpu<'b>(
        &self,
        index: usize,
        buffer: &'b mut [u8; DATA_BYTES_MAX],
    ) -> Option<&'b [u8]> {
        let at = u32::try_from(index).ok().filter(|_| index < self.fds.len())?;
        let words = self.sweep.vcpu(self.first + at);
        let [_, run]: [u32; 2] = bytemuck::cast(words.first()?.load(Relaxed));
        (run == self.sweep.last_run.load(Relaxed)).then(|| copy(&words[VCPU_DATA..], buffer))
    }

    /// What the last run copied of the VM.
    #[inline]
    pub(in crate::sampling::vm) fn read_vm<'b>(
        &self,
        buffer: &'b mut [u8; DATA_BYTES_MAX],
    ) -> Option<&'b [u8]> {
        let words = self.sweep.target(self.row);
        let [run, failed]: [u32; 2] = bytemuck::cast(words.get(4)?.load(Relaxed));
        (failed == 0 && run == self.sweep.last_run.load(Relaxed)).then(|| copy(&words[TARGET_DATA..], buffer))
    }
}

impl Drop for KvmSeat {
    fn drop(&mut self) {
        let count = u32::try_from(self.fds.len()).unwrap_or(0);
        self.sweep.ranges.lock().give_back(self.first, count);
    }
}

fn copy<'b>(words: &[AtomicU64], buffer: &'b mut [u8; DATA_BYTES_MAX]) -> &'b [u8] {
    for (to, from) in buffer.chunks_exact_mut(size_of::<u64>()).zip(words) {
        to.copy_from_slice(&from.load(Relaxed).to_ne_bytes());
    }
    &buffer[..size_of_val(words)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::bpf::fields::Field;

    fn fields(offset: u32, of: &[(&str, u32)]) -> Fields {
        let fields = of.iter().map(|(name, offset)| Field { name: (*name).to_owned(), offset: *offset });
        Fields { offset, fields: fields.collect() }
    }

    #[test]
    fn counters_are_found_in_both_pieces_and_histograms_are_left_out() {
        let vcpu =
            fields(1_000, &[("exits", 904), ("halt_wait_ns", 48), ("pf_taken", 832), ("unwanted", 1_200)]);
        let vm = fields(500, &[("pages_4k", 72), ("remote_tlb_flush", 0)]);
        let places = Places::of(&vcpu, &vm).expect("places");
        let expected = Spans {
            first_at: 1_048,
            first_bytes: 8,
            second_at: 1_832,
            second_bytes: 80,
            vm_at: 500,
            vm_bytes: 80,
        };
        assert_eq!(places.spans, expected);
        let mut data = [0; (FIRST_BYTES + SECOND_BYTES) as usize];
        for (at, value) in [(0, 7_u64), (64, 8), (64 + 72, 9)] {
            data[at..at + 8].copy_from_slice(&value.to_ne_bytes());
        }
        let found: Vec<_> =
            places.vcpu.values(&data).map(|(index, value)| (VCPU_COUNTERS[index].name, value)).collect();
        assert_eq!(found, [("exits", 9), ("halt_wait_ns", 7), ("pf_taken", 8)]);
    }

    #[test]
    fn counters_that_lie_too_far_apart_are_refused() {
        let vm = fields(0, &[("pages_4k", 0)]);
        let far = fields(0, &[("exits", 0), ("io_exits", 2_000), ("pf_taken", 4_000)]);
        assert!(Places::of(&far, &vm).is_err_and(|reason| reason.contains("further apart")));
    }
}
