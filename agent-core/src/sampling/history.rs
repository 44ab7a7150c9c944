//! The flight recorder: the last ticks at full resolution, kept in memory so that they can be attached to an incident.
//!
//! All memory is decided by the declared [`Limits`]. It is laid out entity by entity,
//!
//! ```text
//! scope ─▶ row ─▶ slot (tick modulo history_ticks) ─▶ kept metric ─▶ i64
//! ```
//!
//! so that a tick writes one run of bytes per entity, one entity's window lies together, and the pages of rows that no
//! entity ever used are never touched: they cost address space, not memory.
//!
//! Kept are all metrics of the host and of the agent, and of a VM and its parts those of [`kept`]: what tells how a
//! VM died. [`bytes_per_row`] says what one entity costs: with the default of 120 ticks, a VM 15.0 KiB, each of its
//! vCPUs 2.8 KiB, each interface and disk 1.9 KiB, thus 30 KiB for a VM of four vCPUs with one of each.
//!
//! A cell holds a value, or, in the lowest numbers an `i64` has, why there was none. The sampler is the one writer;
//! each row has a sequence count, so readers take no lock and the sampler never waits. The rows of a VM that is gone
//! stay readable until their ticks fall out of the window or the row is used again.

use super::availability::Availability;
use super::frame::{Entity, Frame, OutOfMemory, Reading, Tick, zeroed};
use super::metrics::{MetricId, Scope, vcpu, vm, vmdisk, vmnet};
use crate::config::Limits;
use crate::sys::seqcount;
use crate::sys::zeroed::Zeroed;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU32, AtomicU64, Ordering::Relaxed};

/// How often a reader tries again when the sampler is writing the row it wants.
const READ_ATTEMPTS_MAX: usize = 64;

/// One value of the past.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HistoryPoint {
    /// The tick it belongs to.
    pub tick: Tick,
    /// The value, in the metric's stored unit; 0 unless `availability` is `Ok`.
    pub value: i64,
    /// Whether there was one.
    pub availability: Availability,
}

/// The metrics of a scope that are kept, in the order of their columns.
#[must_use]
pub fn kept(scope: Scope) -> Vec<MetricId> {
    let some = |metrics: &[MetricId]| {
        let mut metrics = metrics.to_vec();
        metrics.sort_unstable();
        metrics
    };
    match scope {
        Scope::Host | Scope::Agent => scope.metrics().iter().map(|metric| metric.id).collect(),
        Scope::Vm => some(&[
            vm::STATE,
            vm::RUN_STATE,
            vm::CPU_USER,
            vm::CPU_SYSTEM,
            vm::THREADS,
            vm::MEMORY_RESIDENT,
            vm::FAULTS_MAJOR,
            vm::VCPU_RUN,
            vm::VCPU_WAIT,
            vm::EMULATOR_WAIT,
            vm::STALLED,
            vm::IO_STORAGE_READ,
            vm::IO_STORAGE_WRITTEN,
            vm::CGROUP_OOM_KILLS,
            vm::PRESSURE_MEMORY_SOME,
            vm::KVM_EXITS,
        ]),
        Scope::Vcpu => some(&[vcpu::RUN, vcpu::WAIT, vcpu::EXITS]),
        Scope::VmNet => some(&[vmnet::RECEIVE, vmnet::TRANSMIT]),
        Scope::VmDisk => some(&[vmdisk::READ, vmdisk::WRITTEN]),
        Scope::Cpu | Scope::Node | Scope::Block | Scope::Net => Vec::new(),
    }
}

/// What the history of one entity of a scope takes once it has been there for the whole window, in bytes.
#[must_use]
pub fn bytes_per_row(scope: Scope, history_ticks: u32) -> usize {
    let cells = history_ticks as usize * kept(scope).len();
    if cells == 0 { 0 } else { cells * size_of::<i64>() + ROW_BYTES }
}

/// Sequence, generation, first and last tick of a row.
const ROW_BYTES: usize = 4 + 4 + 8 + 8;
/// Sequence, number and times of a tick.
const STAMP_BYTES: usize = 4 + 8 + 8 + 8;

/// The table. See the module's documentation.
pub struct History {
    slots: usize,
    stamps: Stamps,
    sections: Vec<Section>,
}

/// When the ticks in the slots were.
struct Stamps {
    sequence: Zeroed<AtomicU32>,
    number: Zeroed<AtomicU64>,
    mono_ns: Zeroed<AtomicU64>,
    wall_ns: Zeroed<AtomicI64>,
}

struct Section {
    metrics: Vec<MetricId>,
    cells: Zeroed<AtomicI64>,
    sequence: Zeroed<AtomicU32>,
    generation: Zeroed<AtomicU32>,
    /// The ticks from `first` to `last` were written without a gap.
    first: Zeroed<AtomicU64>,
    last: Zeroed<AtomicU64>,
}

impl Section {
    fn new(scope: Scope, limits: &Limits, slots: usize) -> Result<Self, OutOfMemory> {
        let metrics = if slots == 0 { Vec::new() } else { kept(scope) };
        let rows = if metrics.is_empty() { 0 } else { limits.rows(scope) };
        Ok(Self {
            cells: zeroed(rows * slots * metrics.len())?,
            metrics,
            sequence: zeroed(rows)?,
            generation: zeroed(rows)?,
            first: zeroed(rows)?,
            last: zeroed(rows)?,
        })
    }
}

impl History {
    /// Makes the history for the declared limits, and the one writer it will ever have.
    ///
    /// # Errors
    /// When the memory cannot be had.
    pub fn new(limits: &Limits) -> Result<(HistoryWriter, Arc<Self>), OutOfMemory> {
        let slots = limits.history_ticks as usize;
        let sections = Scope::ALL
            .into_iter()
            .map(|scope| Section::new(scope, limits, slots))
            .collect::<Result<Vec<_>, _>>()?;
        let widest = sections.iter().map(|section| section.metrics.len()).max().unwrap_or(0);
        let nothing = Reading { value: 0, availability: Availability::Pending, read_at_ns: 0 };
        let history = Arc::new(Self {
            slots,
            stamps: Stamps {
                sequence: zeroed(slots)?,
                number: zeroed(slots)?,
                mono_ns: zeroed(slots)?,
                wall_ns: zeroed(slots)?,
            },
            sections,
        });
        Ok((HistoryWriter { history: Arc::clone(&history), readings: vec![nothing; widest] }, history))
    }

    /// The memory that a history for these limits reserves. Pages that no entity ever uses stay untouched.
    #[must_use]
    pub fn bytes(limits: &Limits) -> usize {
        let rows = |scope| limits.rows(scope) * bytes_per_row(scope, limits.history_ticks);
        Scope::ALL.into_iter().map(rows).sum::<usize>() + limits.history_ticks as usize * STAMP_BYTES
    }

    /// The latest values of one metric, oldest first, as many as fit into `points`. Returns how many there are:
    /// 0 when the metric is not kept, or nothing of the entity is left.
    pub fn read(&self, entity: Entity, metric: MetricId, points: &mut [HistoryPoint]) -> usize {
        let section = &self.sections[entity.scope.index()];
        let Ok(position) = section.metrics.binary_search(&metric) else { return 0 };
        let row = entity.row as usize;
        let Some(sequence) = section.sequence.get(row) else { return 0 };
        for attempt in 0..READ_ATTEMPTS_MAX {
            if let Some(count) =
                seqcount::read(sequence, || self.copy_row(section, entity, position, &mut *points))
            {
                return self.stamp(&mut points[..count]);
            }
            if attempt < READ_ATTEMPTS_MAX / 4 { std::hint::spin_loop() } else { std::thread::yield_now() }
        }
        0
    }

    fn copy_row(
        &self,
        section: &Section,
        entity: Entity,
        position: usize,
        points: &mut [HistoryPoint],
    ) -> usize {
        let row = entity.row as usize;
        let last = section.last[row].load(Relaxed);
        if last == 0 || section.generation[row].load(Relaxed) != entity.generation {
            return 0;
        }
        let length =
            usize::try_from(last - section.first[row].load(Relaxed).min(last) + 1).unwrap_or(usize::MAX);
        let count = length.min(self.slots).min(points.len());
        let mut number = last - count as u64;
        for point in &mut points[..count] {
            number += 1;
            let cell = self.cell(section, row, self.slot(number)) + position;
            let (value, availability) = decode(section.cells[cell].load(Relaxed));
            *point = HistoryPoint { tick: Tick { number, ..Tick::default() }, value, availability };
        }
        count
    }

    /// Adds the times. The oldest points may have lost theirs to a newer tick meanwhile: they are dropped.
    fn stamp(&self, points: &mut [HistoryPoint]) -> usize {
        let mut lost = 0;
        for (index, point) in points.iter_mut().enumerate() {
            let number = point.tick.number;
            let slot = self.slot(number);
            let tick = (0..READ_ATTEMPTS_MAX).find_map(|_| {
                seqcount::read(&self.stamps.sequence[slot], || Tick {
                    number: self.stamps.number[slot].load(Relaxed),
                    mono_ns: self.stamps.mono_ns[slot].load(Relaxed),
                    wall_ns: self.stamps.wall_ns[slot].load(Relaxed),
                })
            });
            match tick {
                Some(tick) if tick.number == number => point.tick = tick,
                _ => lost = index + 1,
            }
        }
        points.copy_within(lost.., 0);
        points.len() - lost
    }

    fn slot(&self, number: u64) -> usize {
        usize::try_from(number % self.slots.max(1) as u64).unwrap_or(0)
    }

    fn cell(&self, section: &Section, row: usize, slot: usize) -> usize {
        (row * self.slots + slot) * section.metrics.len()
    }
}

/// The only way to write a history; there is one, and it belongs to the sampler.
pub struct HistoryWriter {
    history: Arc<History>,
    /// As many as the widest section keeps: set aside once.
    readings: Vec<Reading>,
}

impl HistoryWriter {
    /// Begins a tick, before its rows are recorded.
    pub fn begin(&mut self, tick: Tick) {
        if self.history.slots == 0 {
            return;
        }
        let stamps = &self.history.stamps;
        let slot = self.history.slot(tick.number);
        seqcount::write(&stamps.sequence[slot], || {
            stamps.number[slot].store(tick.number, Relaxed);
            stamps.mono_ns[slot].store(tick.mono_ns, Relaxed);
            stamps.wall_ns[slot].store(tick.wall_ns, Relaxed);
        });
    }

    /// Records what the frame holds of one entity. Allocates nothing; a scope of which nothing is kept costs nothing.
    pub fn record(&mut self, number: u64, frame: &Frame, entity: Entity) {
        let history = &*self.history;
        let section = &history.sections[entity.scope.index()];
        let row = entity.row as usize;
        if section.metrics.is_empty() || row >= section.sequence.len() {
            return;
        }
        let readings = &mut self.readings[..section.metrics.len()];
        frame.read_row(entity, &section.metrics, readings);
        let cell = history.cell(section, row, history.slot(number));
        seqcount::write(&section.sequence[row], || {
            let goes_on = section.generation[row].load(Relaxed) == entity.generation
                && section.last[row].load(Relaxed) + 1 == number;
            if !goes_on {
                section.generation[row].store(entity.generation, Relaxed);
                section.first[row].store(number, Relaxed);
            }
            section.last[row].store(number, Relaxed);
            for (cell, reading) in section.cells[cell..].iter().zip(readings) {
                cell.store(encode(*reading), Relaxed);
            }
        });
    }
}

/// The lowest number that is a value; the ones below it say why there is none.
const VALUE_MIN: i64 = i64::MIN + Availability::Error as i64 + 1;

fn encode(reading: Reading) -> i64 {
    match reading.availability {
        Availability::Ok => reading.value.max(VALUE_MIN),
        other => i64::MIN + i64::from(other as u8),
    }
}

fn decode(cell: i64) -> (i64, Availability) {
    if cell >= VALUE_MIN {
        return (cell, Availability::Ok);
    }
    let number = u8::try_from(cell - i64::MIN).unwrap_or(u8::MAX);
    (0, Availability::from_number(number))
}

#[cfg(test)]
#[path = "history_tests.rs"]
mod tests;
