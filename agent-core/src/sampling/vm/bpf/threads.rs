//! The threads of all VMs in one run of one program (agent-core/bpf/threads.bpf.c, whose layouts these are).
//!
//! ```text
//! slot, 64 bytes      pid u32, first u32 | capacity u32, 0 | run u32, found u32 | threads u32, moved u32 | start_ns | 0 ×3
//! ```

use super::programs::{self, Kernel, array};
use super::ranges::Ranges;
use super::record::{RECORD_WORDS, View};
use crate::config::{Config, Limits, Roots};
use crate::sampling::discovery::process::Process;
use crate::sampling::vm::process::Units;
use crate::sys::bpf::{Program, SharedArray};
use crate::sys::prefetch;
use nix::errno::Errno;
use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};

const SLOT_WORDS: usize = 8;
const SLOT_BYTES: u32 = 64;
const RECORD_BYTES: u32 = 128;
/// Records beyond those of the threads a VM has now: workers that come before the VM is planned anew.
const RECORDS_SPARE: usize = 4;

/// The program and its maps.
pub struct ThreadSweep {
    slots: SharedArray,
    records: SharedArray,
    program: Program,
    /// Locked on the cold side only.
    ranges: Mutex<Ranges>,
    rows: u32,
    /// The number of the last run: what a slot holds of another one is old.
    last_run: AtomicU32,
}

/// What a run is told.
#[repr(C)]
#[derive(Clone, Copy, Default, bytemuck::Pod, bytemuck::Zeroable)]
struct Run {
    number: u32,
    slots: u32,
    every: u32,
    full_every: u32,
}

impl ThreadSweep {
    /// Loads the program, and has it read this very process: what it says must be what `/proc` says.
    pub(super) fn load(kernel: &Kernel, config: &Config) -> Result<Self, String> {
        let rows = config.limits.vms;
        let entries = records(&config.limits);
        let slots = array("btz_slots", SLOT_BYTES, rows)?;
        let records = array("btz_records", RECORD_BYTES, entries)?;
        let maps = [("slots", &slots), ("records", &records)];
        let program = kernel.load("btz_threads", programs::THREADS, "syscall/threads", &maps)?;
        let sweep = Self {
            slots,
            records,
            program,
            ranges: Mutex::new(Ranges::new(entries)),
            rows,
            last_run: AtomicU32::new(0),
        };
        sweep.probe(&config.roots)?;
        Ok(sweep)
    }

    /// Reads this process by the program and by its files.
    fn probe(&self, roots: &Roots) -> Result<(), String> {
        let own =
            std::fs::read_link(roots.proc.join("self")).map_err(|error| format!("/proc/self: {error}"))?;
        let pid: i32 = own.to_string_lossy().parse().map_err(|_| "/proc/self names no process".to_owned())?;
        let stat = Process::new(&roots.proc, pid).stat();
        let stat = stat.map_err(|error| format!("/proc/self/stat: {error}"))?;
        let refused = |errno: Errno| format!("the program does not run: {errno}");
        let slot = self.slot(0);
        write_target(slot, pid, 0, 1);
        let ran = self.run(1, 1, 1, 1);
        let view = View::of(slot, self.record_words(0, 1), 1);
        let told = view.map(|view| view.start_ns);
        write_target(slot, 0, 0, 0);
        ran.map_err(refused)?;
        // Seen under another number from a PID namespace of its own, at another time from a time namespace.
        let tick_ns = Units::of(&roots.proc).tick_ns;
        match told.map(|start_ns| start_ns / tick_ns == stat.start_ticks) {
            Ok(true) => Ok(()),
            _ => {
                Err("the program sees other processes than /proc: a PID or time namespace of its own"
                    .to_owned())
            }
        }
    }

    /// A place for the VM of this row and its threads. For the cold side.
    pub(in crate::sampling::vm) fn seat(
        self: &Arc<Self>,
        row: u32,
        pid: i32,
        start_ticks: u64,
        threads: usize,
        tick_ns: u64,
    ) -> Result<Seat, String> {
        let wanted = threads + threads / 4 + RECORDS_SPARE;
        let capacity = u32::try_from(wanted).map_err(|_| "too many threads".to_owned())?;
        let first = if row < self.rows { self.ranges.lock().take(capacity) } else { None };
        let first = first.ok_or_else(|| {
            format!(
                "no room for {threads} threads: raise limits.vcpus, from which the room for threads follows"
            )
        })?;
        Ok(Seat { sweep: Arc::clone(self), row, pid, start_ticks, tick_ns, first, capacity })
    }

    /// Reads all threads of all seated VMs whose turn it is: slot `n` has its turn in every run whose number and `n` add
    /// up to a multiple of `every`. What moves without a thread running is read at the multiples of `full_every`.
    ///
    /// # Errors
    /// What the kernel said; the slots then still hold the number of the run before.
    pub fn run(&self, number: u64, slots: u32, every: u32, full_every: u32) -> Result<(), Errno> {
        self.last_run.store(low(number), Relaxed);
        let mut run = Run { number: low(number), slots: slots.min(self.rows), every, full_every };
        self.program.run(&mut run).map(drop)
    }

    /// Its slots, for programs that look at them.
    pub(super) fn slots(&self) -> &SharedArray {
        &self.slots
    }

    fn slot(&self, row: u32) -> &[AtomicU64] {
        let begin = row as usize * SLOT_WORDS;
        self.slots.memory().words().get(begin..begin + SLOT_WORDS).unwrap_or_default()
    }

    fn record_words(&self, first: u32, count: u32) -> &[AtomicU64] {
        let begin = first as usize * RECORD_WORDS;
        let end = begin + count as usize * RECORD_WORDS;
        self.records.memory().words().get(begin..end).unwrap_or_default()
    }
}

impl std::fmt::Debug for ThreadSweep {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ThreadSweep").field("rows", &self.rows).finish_non_exhaustive()
    }
}

/// Records that follow from the declared limits: each vCPU's thread and as many others, and some for every VM.
fn records(limits: &Limits) -> u32 {
    const OTHERS_PER_VM: u32 = 8;
    limits.vcpus.saturating_mul(2).saturating_add(limits.vms.saturating_mul(OTHERS_PER_VM))
}

pub(super) fn low(number: u64) -> u32 {
    u32::try_from(number & u64::from(u32::MAX)).unwrap_or(0)
}

fn write_target(slot: &[AtomicU64], pid: i32, first: u32, capacity: u32) {
    if let [target, room, run, ..] = slot {
        run.store(0, Relaxed);
        room.store(bytemuck::cast([capacity, 0]), Relaxed);
        target.store(bytemuck::cast([pid.unsigned_abs(), first]), Relaxed);
    }
}

/// The place of one VM in the sweep, for as long as its plan lives.
#[derive(Debug)]
pub(in crate::sampling::vm) struct Seat {
    sweep: Arc<ThreadSweep>,
    row: u32,
    pid: i32,
    start_ticks: u64,
    tick_ns: u64,
    first: u32,
    capacity: u32,
}

impl Seat {
    /// From the next run on, the VM's threads are read into its records.
    pub(in crate::sampling::vm) fn take(&self) {
        write_target(self.sweep.slot(self.row), self.pid, self.first, self.capacity);
    }

    /// From the next run on, its threads are no longer read.
    pub(in crate::sampling::vm) fn leave(&self) {
        write_target(self.sweep.slot(self.row), 0, 0, 0);
    }

    /// What the last run said of the VM.
    ///
    /// # Errors
    /// `ESRCH` when its process is gone, or another one has its number; `EAGAIN` when the run did not come to it.
    #[inline]
    pub(in crate::sampling::vm) fn view(&self) -> Result<View<'_>, Errno> {
        let records = self.sweep.record_words(self.first, self.capacity);
        let view = View::of(self.sweep.slot(self.row), records, self.sweep.last_run.load(Relaxed))?;
        if view.start_ns / self.tick_ns == self.start_ticks { Ok(view) } else { Err(Errno::ESRCH) }
    }

    /// Asks the processor for the slot, and for the records of so many threads.
    #[inline]
    pub(in crate::sampling::vm) fn prefetch(&self) {
        prefetch::slice(self.sweep.slot(self.row));
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.sweep.ranges.lock().give_back(self.first, self.capacity);
    }
}
