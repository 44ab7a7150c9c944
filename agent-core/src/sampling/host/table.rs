//! One file of a learned layout, and where its values go in the frame.

use super::schedule::Turn;
use crate::sampling::availability::Availability;
use crate::sampling::frame::{FrameWriter, Tick};
use crate::sampling::metrics::{MetricId, Scope, Source};
use crate::sampling::parse::{Layout, SlotValue, Update};
use crate::sys::file::KeptFile;
use crate::sys::prefetch;
use std::ops::Range;

/// A `seq_file` gives a page at most per read, in whole records. When less than this is left in the page, another
/// record may be waiting.
const RECORD_BYTES_MAX: usize = 512;

/// Rows of the frame that are asked for before a file is read.
const GROUPS_PREFETCHED: usize = 4;

/// One file. See [`Layout`] for how it is read.
pub(super) struct Table {
    pub(super) file: KeptFile,
    pub(super) source: Source,
    pub(super) turn: Turn,
    pub(super) layout: Layout,
    /// In the order of the layout's slots.
    pub(super) slots: Box<[Slot]>,
    /// The rows that the slots belong to, each with its slots.
    pub(super) groups: Box<[Group]>,
    /// How many reads it took to the end of the file.
    pub(super) reads: usize,
    /// Lines never come or go while the kernel runs.
    pub(super) fixed: bool,
    pub(super) page_bytes: usize,
    /// The last reading failed.
    failed: bool,
}

/// Where one value goes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Slot {
    pub(super) metric: MetricId,
    /// From the file's unit to the stored one.
    pub(super) factor: u32,
}

/// The slots of one row.
#[derive(Clone, Debug)]
pub(super) struct Group {
    pub(super) scope: Scope,
    pub(super) row: u32,
    pub(super) slots: Range<usize>,
}

/// What a table is made from.
pub(super) struct Parts {
    pub(super) file: KeptFile,
    pub(super) source: Source,
    pub(super) turn: Turn,
    pub(super) layout: Layout,
    pub(super) slots: Vec<Slot>,
    pub(super) groups: Vec<Group>,
    pub(super) reads: usize,
    pub(super) fixed: bool,
    pub(super) page_bytes: usize,
}

impl Table {
    pub(super) fn new(parts: Parts) -> Self {
        Self {
            file: parts.file,
            source: parts.source,
            turn: parts.turn,
            layout: parts.layout,
            slots: parts.slots.into(),
            groups: parts.groups.into(),
            reads: parts.reads,
            fixed: parts.fixed,
            page_bytes: parts.page_bytes,
            failed: false,
        }
    }

    /// The buffer that a reading needs: a byte more than can be taken in, so that a longer file is noticed.
    pub(super) fn buffer_bytes(&self) -> usize {
        self.layout.capacity() + 1
    }

    /// The last value of a metric, in the file's unit.
    pub(super) fn value(&self, metric: MetricId) -> Option<i64> {
        let slot = self.slots.iter().position(|slot| slot.metric == metric)?;
        match self.layout.value(slot) {
            SlotValue::Sum(value) => Some(value),
            SlotValue::Beyond | SlotValue::Missing => None,
        }
    }

    /// Reads the file and writes what changed. True when the file has another shape than was learned.
    pub(super) fn sample(&mut self, tick: Tick, writer: &mut FrameWriter, scratch: &mut [u8]) -> bool {
        self.prefetch(writer);
        let limit = self.buffer_bytes().min(scratch.len());
        let buffer = &mut scratch[..limit];
        let mut length = match self.read(buffer) {
            Ok(length) => length,
            Err(errno) => return self.fail(writer, Availability::from_errno(errno)),
        };
        let mut update = self.layout.update(&buffer[..length]);
        if update == Update::Short && length > 0 && length < limit && self.file.is_kept() {
            match self.read_on(buffer, length, usize::MAX) {
                Ok(more) if more > length => {
                    length = more;
                    self.reads += 1;
                    update = self.layout.update(&buffer[..length]);
                }
                _ => {}
            }
        }
        if update != Update::Known {
            self.layout.update_from_scratch(&buffer[..length]);
        }
        // What ends in the middle of a line was cut short; what ends with one has fewer lines.
        let cut = buffer[..length].last() != Some(&b'\n');
        self.publish(tick, writer, cut);
        let news = update != Update::Known;
        self.failed = false;
        news
    }

    /// Asks the processor for what will be needed once the text is there. A few rows only: of many, most would be
    /// gone again when it is their turn.
    fn prefetch(&self, writer: &FrameWriter) {
        self.layout.prefetch();
        prefetch::slice(&self.slots);
        for group in self.groups.iter().take(GROUPS_PREFETCHED) {
            writer.prefetch_row(group.scope, group.row);
        }
    }

    /// Reads as much as there is, with as few system calls as that can be known with.
    fn read(&self, buffer: &mut [u8]) -> nix::Result<usize> {
        if !self.file.is_kept() {
            return self.file.read_whole(buffer);
        }
        let length = self.file.read_at(buffer, 0)?;
        let page_full = length % self.page_bytes > self.page_bytes - RECORD_BYTES_MAX
            || (length > 0 && length % self.page_bytes == 0);
        match (self.fixed, self.reads) {
            (true, 0 | 1) => Ok(length),
            (true, reads) => self.read_on(buffer, length, reads - 1),
            (false, 0 | 1) if !page_full => Ok(length),
            (false, _) => self.read_on(buffer, length, usize::MAX),
        }
    }

    fn read_on(&self, buffer: &mut [u8], mut length: usize, reads_max: usize) -> nix::Result<usize> {
        let mut reads = 0;
        while length > 0 && length < buffer.len() && reads < reads_max {
            match self.file.read_at(&mut buffer[length..], length)? {
                0 => break,
                more => length += more,
            }
            reads += 1;
        }
        Ok(length)
    }

    fn publish(&mut self, tick: Tick, writer: &mut FrameWriter, cut: bool) {
        for group in &self.groups {
            let mut row = writer.row(group.scope, group.row);
            let dirty = &self.layout.dirty()[group.slots.clone()];
            if dirty.iter().any(|dirty| *dirty) {
                for (index, _) in group.slots.clone().zip(dirty).filter(|(_, dirty)| **dirty) {
                    let slot = &self.slots[index];
                    match self.layout.value(index) {
                        SlotValue::Sum(value) => match value.checked_mul(i64::from(slot.factor)) {
                            Some(value) => row.set(slot.metric, value),
                            None => row.fail(slot.metric, Availability::Error),
                        },
                        SlotValue::Beyond => row.fail(slot.metric, Availability::Error),
                        SlotValue::Missing if cut || group.scope == Scope::Host => {
                            row.fail(slot.metric, Availability::Error);
                        }
                        SlotValue::Missing => row.fail(slot.metric, Availability::Gone),
                    }
                }
            }
            row.stamp(self.source, tick.mono_ns);
        }
        self.layout.clean();
    }

    /// Nothing could be read. True the first time.
    fn fail(&mut self, writer: &mut FrameWriter, availability: Availability) -> bool {
        for group in &self.groups {
            let mut row = writer.row(group.scope, group.row);
            for slot in &self.slots[group.slots.clone()] {
                row.fail(slot.metric, availability);
            }
        }
        self.layout.soil();
        !std::mem::replace(&mut self.failed, true)
    }
}
