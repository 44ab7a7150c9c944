//! The rows of one scope: what the rules want of each, and the rates that follow from its counters.

use crate::sampling::availability::Availability;
use crate::sampling::frame::{Entity, Frame, OutOfMemory, Reading, zeroed};
use crate::sampling::metrics::{Kind, MetricId, Scope};
use crate::sys::zeroed::Zeroed;
use bytemuck::Zeroable;

/// What is remembered of one metric of one row. All zeroes is "never read".
#[repr(C)]
#[derive(Clone, Copy, Debug, Zeroable)]
struct Cell {
    value: i64,
    at_ns: u64,
    /// Per second, in the exported unit.
    rate: f64,
    has_rate: u64,
}

/// The rows of one scope.
pub(super) struct Table {
    pub(super) scope: Scope,
    metrics: Box<[MetricId]>,
    /// The row that is looked at now.
    readings: Box<[Reading]>,
    row: usize,
    cells: Zeroed<Cell>,
    pub(super) generations: Zeroed<u32>,
    /// The rules of this scope, which stand side by side.
    pub(super) rules: std::ops::Range<usize>,
}

const UNREAD: Reading = Reading { value: 0, availability: Availability::Pending, read_at_ns: 0 };

impl Table {
    pub(super) fn new(
        scope: Scope,
        rows: usize,
        metrics: Vec<MetricId>,
        rules: std::ops::Range<usize>,
    ) -> Result<Self, OutOfMemory> {
        Ok(Self {
            scope,
            readings: vec![UNREAD; metrics.len()].into_boxed_slice(),
            row: 0,
            cells: zeroed(rows * metrics.len())?,
            generations: zeroed(rows)?,
            metrics: metrics.into_boxed_slice(),
            rules,
        })
    }

    pub(super) const fn bytes(rows: usize, metrics: usize) -> usize {
        rows * (metrics * size_of::<Cell>() + size_of::<u32>())
    }

    /// Begins a row anew.
    pub(super) fn reset(&mut self, entity: Entity) {
        let row = entity.row as usize;
        self.generations[row] = entity.generation;
        self.cells[row * self.metrics.len()..(row + 1) * self.metrics.len()].fill(Cell::zeroed());
    }

    /// Reads a row and works out its rates. Returns how many counters were seen to go backwards.
    pub(super) fn load(&mut self, frame: &Frame, entity: Entity) -> u64 {
        frame.read_row(entity, &self.metrics, &mut self.readings);
        self.row = entity.row as usize;
        let cells = &mut self.cells[self.row * self.metrics.len()..][..self.metrics.len()];
        let mut resets = 0;
        for ((metric, reading), cell) in self.metrics.iter().zip(&self.readings).zip(cells) {
            match reading.availability {
                Availability::Ok if reading.read_at_ns > cell.at_ns => {
                    if metric.metric().kind == Kind::Counter {
                        resets += u64::from(cell.count(reading, metric.metric().unit.scale()));
                    }
                    cell.value = reading.value;
                    cell.at_ns = reading.read_at_ns;
                }
                Availability::Ok | Availability::Stale => {}
                // What counts now may be something else than what counted before.
                _ => *cell = Cell::zeroed(),
            }
        }
        resets
    }

    /// What is known of a metric of the row that was loaded.
    pub(super) fn reading(&self, slot: u16) -> &Reading {
        &self.readings[usize::from(slot)]
    }

    /// The value in the exported unit and its stamp, when it can be trusted.
    pub(super) fn value(&self, slot: u16) -> Option<(f64, u64)> {
        let slot = usize::from(slot);
        let reading = &self.readings[slot];
        let value = float(reading.ok()?) * self.metrics[slot].metric().unit.scale();
        Some((value, reading.read_at_ns))
    }

    /// The rate in the exported unit per second and its stamp, when it can be trusted.
    pub(super) fn rate(&self, slot: u16) -> Option<(f64, u64)> {
        let slot = usize::from(slot);
        let cell = &self.cells[self.row * self.metrics.len() + slot];
        (self.readings[slot].availability == Availability::Ok && cell.has_rate == 1)
            .then_some((cell.rate, cell.at_ns))
    }

    /// Takes over what another table knows, as far as it is about the same.
    pub(super) fn adopt(&mut self, old: &mut Self) {
        if self.generations.len() != old.generations.len() {
            return;
        }
        std::mem::swap(&mut self.generations, &mut old.generations);
        if self.metrics == old.metrics {
            std::mem::swap(&mut self.cells, &mut old.cells);
        }
    }
}

impl Cell {
    /// Works out the rate up to a newer reading. Returns whether the counter went backwards.
    fn count(&mut self, reading: &Reading, scale: f64) -> bool {
        if self.at_ns == 0 {
            return false;
        }
        let Some(growth) = reading.value.checked_sub(self.value).filter(|growth| *growth >= 0) else {
            self.has_rate = 0;
            return true;
        };
        self.rate = float(growth) * scale / (nanoseconds(reading.read_at_ns - self.at_ns) * 1e-9);
        self.has_rate = 1;
        false
    }
}

#[expect(clippy::cast_precision_loss, reason = "a judgement needs no more than 53 bits")]
pub(super) fn float(value: i64) -> f64 {
    value as f64
}

#[expect(clippy::cast_precision_loss, reason = "a duration needs no more than 53 bits")]
pub(super) fn nanoseconds(value: u64) -> f64 {
    value as f64
}
