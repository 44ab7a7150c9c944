//! The latest value of every metric: a fixed-size table that one sampler writes and any thread may read.
//!
//! All memory is decided by the declared [`Limits`] when the frame is made. A row is an entity (the host, a VM, a
//! vCPU, ...), a column a metric. Cells are atomics and each row has a sequence count, so that readers take no lock
//! and the sampler never waits for them.
//!
//! A cell has a value and an [`Availability`]; the time of its reading is kept per row and [`Source`], because a
//! source is read as one. Staleness is worked out when a value is looked at, from the source's period.

use super::availability::Availability;
use super::journal::{Journal, What};
use super::metrics::{MetricId, Scope, Source};
use crate::config::Limits;
use crate::sys::zeroed::Zeroed;
use crate::sys::{prefetch, seqcount};
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU8, AtomicU32, AtomicU64, Ordering::Relaxed};

/// How often a reader tries again when the sampler is writing the row it wants.
const READ_ATTEMPTS_MAX: usize = 64;
/// After this many attempts in a row, the reader lets others run between two.
const READ_SPINS_MAX: usize = 16;

/// A source that has not answered for this many of its periods is stale.
const STALE_PERIODS: u64 = 3;

/// The instant of a tick.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tick {
    /// Counts from 1; 0 is "before the first tick".
    pub number: u64,
    /// `CLOCK_MONOTONIC`, in nanoseconds.
    pub mono_ns: u64,
    /// `CLOCK_REALTIME`, in nanoseconds since the epoch.
    pub wall_ns: i64,
}

/// Names one entity for as long as it lives: a row may be used again, a row with its generation is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Entity {
    /// What kind of thing it is.
    pub scope: Scope,
    /// Its row in the scope's section.
    pub row: u32,
    /// Counts the uses of the row, from 1.
    pub generation: u32,
}

impl Entity {
    /// The host itself.
    pub const HOST: Self = Self { scope: Scope::Host, row: 0, generation: 1 };
    /// The agent itself.
    pub const AGENT: Self = Self { scope: Scope::Agent, row: 0, generation: 1 };
}

/// One value as a reader sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reading {
    /// The value, in the metric's stored unit. Meaningless unless `availability` is `Ok` or `Stale`.
    pub value: i64,
    /// Whether it can be used.
    pub availability: Availability,
    /// When its source was last read, `CLOCK_MONOTONIC` nanoseconds; 0 when it never was.
    pub read_at_ns: u64,
}

impl Reading {
    /// The value, if it can be trusted.
    #[must_use]
    pub fn ok(self) -> Option<i64> {
        (self.availability == Availability::Ok).then_some(self.value)
    }
}

/// One row as it is stored.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct RawRow {
    /// 0 when the row holds nothing.
    pub(crate) generation: u32,
    /// The values, by column.
    pub(crate) values: Vec<i64>,
    /// The numbers of their availability, by column.
    pub(crate) availability: Vec<u8>,
    /// When each source was read, by lane.
    pub(crate) stamps: Vec<u64>,
}

/// The table. See the module's documentation.
pub struct Frame {
    sections: Vec<Section>,
    tick_seq: AtomicU32,
    /// Odd while a tick writes rows: for those who want all rows of one tick.
    whole_seq: AtomicU32,
    tick_number: AtomicU64,
    tick_mono_ns: AtomicU64,
    tick_wall_ns: AtomicI64,
    /// The period of each source in nanoseconds.
    period_ns: [AtomicU64; Source::COUNT],
    journal: Journal,
}

struct Section {
    rows: usize,
    columns: usize,
    cells: Zeroed<AtomicI64>,
    availability: Zeroed<AtomicU8>,
    /// `rows × Source::COUNT` would be wasteful: only the sources this scope uses have a lane.
    read_at_ns: Zeroed<AtomicU64>,
    /// The lane of each source, or `NO_LANE`.
    lanes: [u8; Source::COUNT],
    lane_count: usize,
    /// The columns that each source fills.
    source_columns: Vec<Vec<u16>>,
    sequence: Zeroed<AtomicU32>,
    generation: Zeroed<AtomicU32>,
    /// No row from here on is in use: what walks a section need not walk what its limit allows.
    used: AtomicU32,
}

const NO_LANE: u8 = u8::MAX;

/// The declared limits ask for more memory than there is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutOfMemory {
    /// What was asked for.
    pub bytes: usize,
}

impl std::fmt::Display for OutOfMemory {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "the declared limits need {} bytes in one piece, which could not be allocated", self.bytes)
    }
}

impl std::error::Error for OutOfMemory {}

pub(crate) fn zeroed<T: bytemuck::Zeroable>(length: usize) -> Result<Zeroed<T>, OutOfMemory> {
    Zeroed::new(length).map_err(|bytes| OutOfMemory { bytes })
}

impl Section {
    fn new(scope: Scope, rows: usize) -> Result<Self, OutOfMemory> {
        let metrics = scope.metrics();
        let columns = metrics.len();
        let mut lanes = [NO_LANE; Source::COUNT];
        let mut lane_count: u8 = 0;
        let mut source_columns = vec![Vec::new(); Source::COUNT];
        for (column, metric) in (0u16..).zip(metrics) {
            let source = metric.source as usize;
            if lanes[source] == NO_LANE {
                lanes[source] = lane_count;
                lane_count += 1;
            }
            source_columns[source].push(column);
        }
        let lane_count = usize::from(lane_count);
        Ok(Self {
            rows,
            columns,
            cells: zeroed(rows * columns)?,
            availability: zeroed(rows * columns)?,
            read_at_ns: zeroed(rows * lane_count)?,
            lanes,
            lane_count,
            source_columns,
            sequence: zeroed(rows)?,
            generation: zeroed(rows)?,
            used: AtomicU32::new(0),
        })
    }

    fn bytes(scope: Scope, rows: usize) -> usize {
        let sources: std::collections::HashSet<_> = scope.metrics().iter().map(|m| m.source as u8).collect();
        rows * (scope.metrics().len() * 9 + sources.len() * 8 + 8)
    }
}

impl Frame {
    /// Makes a frame for the declared limits, and the one writer it will ever have.
    ///
    /// # Errors
    /// When the memory cannot be had.
    pub fn new(limits: &Limits) -> Result<(FrameWriter, Arc<Self>), OutOfMemory> {
        let sections = Scope::ALL
            .into_iter()
            .map(|scope| Section::new(scope, limits.rows(scope)))
            .collect::<Result<Vec<_>, _>>()?;
        let frame = Arc::new(Self {
            sections,
            tick_seq: AtomicU32::new(0),
            whole_seq: AtomicU32::new(0),
            tick_number: AtomicU64::new(0),
            tick_mono_ns: AtomicU64::new(0),
            tick_wall_ns: AtomicI64::new(0),
            period_ns: [const { AtomicU64::new(u64::MAX) }; Source::COUNT],
            journal: Journal::new(limits)?,
        });
        for scope in [Scope::Host, Scope::Agent] {
            frame.section(scope).generation[0].store(1, Relaxed);
            frame.section(scope).used.store(1, Relaxed);
        }
        Ok((FrameWriter { frame: Arc::clone(&frame) }, frame))
    }

    /// The memory that a frame for these limits reserves. Pages that no entity ever uses stay untouched.
    #[must_use]
    pub fn bytes(limits: &Limits) -> usize {
        let sections = Scope::ALL.into_iter().map(|scope| Section::bytes(scope, limits.rows(scope)));
        sections.sum::<usize>() + Journal::bytes(limits)
    }

    /// The last tick that was completed.
    #[must_use]
    pub fn tick(&self) -> Tick {
        let read = || Tick {
            number: self.tick_number.load(Relaxed),
            mono_ns: self.tick_mono_ns.load(Relaxed),
            wall_ns: self.tick_wall_ns.load(Relaxed),
        };
        (0..READ_ATTEMPTS_MAX).find_map(|_| seqcount::read(&self.tick_seq, read)).unwrap_or_else(read)
    }

    /// The entity that a row holds now, if any.
    #[must_use]
    pub fn entity(&self, scope: Scope, row: u32) -> Option<Entity> {
        let generation = self.section(scope).generation.get(row as usize)?.load(Relaxed);
        (generation != 0).then_some(Entity { scope, row, generation })
    }

    /// The entities of a scope that exist now.
    pub fn entities(&self, scope: Scope) -> impl Iterator<Item = Entity> + '_ {
        let rows = self.section(scope).used.load(Relaxed);
        (0..rows).filter_map(move |row| self.entity(scope, row))
    }

    /// One value. An entity that no longer exists, or a metric of another scope, reads as `Gone` or `Unsupported`.
    #[must_use]
    pub fn read(&self, entity: Entity, metric: MetricId) -> Reading {
        let mut reading = [Reading { value: 0, availability: Availability::Error, read_at_ns: 0 }];
        self.read_row(entity, &[metric], &mut reading);
        reading[0]
    }

    /// Several values of one entity, all of the same instant. `readings` must be as long as `metrics`.
    ///
    /// # Panics
    /// When the two slices differ in length, which is a programmer's error.
    pub fn read_row(&self, entity: Entity, metrics: &[MetricId], readings: &mut [Reading]) {
        assert_eq!(metrics.len(), readings.len(), "one reading per metric");
        let section = self.section(entity.scope);
        let row = entity.row as usize;
        let now_ns = self.tick_mono_ns.load(Relaxed);
        let mut attempt = || {
            if row >= section.rows || section.generation[row].load(Relaxed) != entity.generation {
                readings.fill(Reading { value: 0, availability: Availability::Gone, read_at_ns: 0 });
                return;
            }
            for (metric, reading) in metrics.iter().zip(readings.iter_mut()) {
                *reading = self.read_cell(section, row, entity.scope, *metric, now_ns);
            }
        };
        let Some(sequence) = section.sequence.get(row) else {
            attempt();
            return;
        };
        for attempts in 0..READ_ATTEMPTS_MAX {
            if seqcount::read(sequence, &mut attempt).is_some() {
                return;
            }
            // A row is written in well under a microsecond, unless the sampler was descheduled in the middle of it.
            if attempts < READ_SPINS_MAX { std::hint::spin_loop() } else { std::thread::yield_now() }
        }
        // The sampler is in the middle of this row, perhaps descheduled: say so rather than show a torn row.
        readings.fill(Reading { value: 0, availability: Availability::Pending, read_at_ns: 0 });
    }

    /// Runs `read` and says whether everything it read is of one and the same tick. Does not wait for the sampler.
    pub(crate) fn within_one_tick<T>(&self, read: impl FnOnce() -> T) -> Option<T> {
        seqcount::read(&self.whole_seq, read)
    }

    /// The sources of a scope, in the order of their stamps in [`RawRow`].
    pub(crate) fn lanes(&self, scope: Scope) -> Vec<Source> {
        let section = self.section(scope);
        let mut sources: Vec<_> =
            Source::ALL.into_iter().filter(|source| section.lanes[*source as usize] != NO_LANE).collect();
        sources.sort_by_key(|source| section.lanes[*source as usize]);
        sources
    }

    /// How many rows a scope has.
    pub(crate) fn rows(&self, scope: Scope) -> usize {
        self.section(scope).rows
    }

    /// A row as it is stored, without its age being judged; `false` when the sampler is in the middle of it.
    pub(crate) fn copy_row(&self, scope: Scope, row: u32, into: &mut RawRow) -> bool {
        let section = self.section(scope);
        let row = row as usize;
        let Some(sequence) = section.sequence.get(row) else { return false };
        let cells = row * section.columns..(row + 1) * section.columns;
        let lanes = row * section.lane_count..(row + 1) * section.lane_count;
        seqcount::read(sequence, || {
            into.generation = section.generation[row].load(Relaxed);
            into.values.clear();
            into.values.extend(section.cells[cells.clone()].iter().map(|cell| cell.load(Relaxed)));
            into.availability.clear();
            into.availability.extend(section.availability[cells].iter().map(|number| number.load(Relaxed)));
            into.stamps.clear();
            into.stamps.extend(section.read_at_ns[lanes].iter().map(|at| at.load(Relaxed)));
        })
        .is_some()
    }

    /// Sets a source's period, from which staleness is worked out.
    pub fn set_period_ns(&self, source: Source, period_ns: u64) {
        self.period_ns[source as usize].store(period_ns, Relaxed);
    }

    /// What happened to VMs.
    pub(crate) fn journal(&self) -> &Journal {
        &self.journal
    }

    /// A source's period.
    pub(crate) fn period_ns(&self, source: Source) -> u64 {
        self.period_ns[source as usize].load(Relaxed)
    }

    fn section(&self, scope: Scope) -> &Section {
        &self.sections[scope.index()]
    }

    fn read_cell(
        &self,
        section: &Section,
        row: usize,
        scope: Scope,
        metric: MetricId,
        now_ns: u64,
    ) -> Reading {
        if metric.scope() != scope {
            return Reading { value: 0, availability: Availability::Unsupported, read_at_ns: 0 };
        }
        let cell = row * section.columns + metric.column();
        let source = metric.metric().source as usize;
        let lane = row * section.lane_count + usize::from(section.lanes[source]);
        let read_at_ns = section.read_at_ns[lane].load(Relaxed);
        let mut availability = Availability::from_number(section.availability[cell].load(Relaxed));
        if availability == Availability::Ok {
            let stale_after_ns = self.period_ns[source].load(Relaxed).saturating_mul(STALE_PERIODS);
            if now_ns.saturating_sub(read_at_ns) > stale_after_ns {
                availability = Availability::Stale;
            }
        }
        Reading { value: section.cells[cell].load(Relaxed), availability, read_at_ns }
    }
}

/// The only way to write a frame; there is one per frame, and it belongs to the sampler.
pub struct FrameWriter {
    frame: Arc<Frame>,
}

impl FrameWriter {
    /// The frame this writes to.
    #[must_use]
    pub fn frame(&self) -> &Frame {
        &self.frame
    }

    /// Begins a tick, before its first row is written.
    pub fn begin(&mut self) {
        seqcount::begin(&self.frame.whole_seq);
    }

    /// Notes what happens to a VM, for those who record it.
    pub(crate) fn note(&mut self, what: What, vm: Entity) {
        self.frame.journal.note(what, vm);
    }

    /// Starts a row anew for an entity: every value is `Pending` until it is read.
    pub fn open_row(&mut self, entity: Entity) {
        let section = self.frame.section(entity.scope);
        let row = entity.row as usize;
        seqcount::write(&section.sequence[row], || {
            let cells = row * section.columns..(row + 1) * section.columns;
            section.cells[cells.clone()].iter().for_each(|cell| cell.store(0, Relaxed));
            section.availability[cells].iter().for_each(|a| a.store(Availability::Pending as u8, Relaxed));
            let lanes = row * section.lane_count..(row + 1) * section.lane_count;
            section.read_at_ns[lanes].iter().for_each(|at| at.store(0, Relaxed));
            section.generation[row].store(entity.generation, Relaxed);
        });
        section.used.fetch_max(entity.row + 1, Relaxed);
    }

    /// Ends a row: whoever still holds its entity reads `Gone`.
    pub fn close_row(&mut self, entity: Entity) {
        let section = self.frame.section(entity.scope);
        let row = entity.row as usize;
        seqcount::write(&section.sequence[row], || section.generation[row].store(0, Relaxed));
        let used = section.used.load(Relaxed) as usize;
        if row + 1 == used {
            let in_use =
                section.generation[..used].iter().rposition(|generation| generation.load(Relaxed) != 0);
            let used = in_use.map_or(0, |last| last + 1);
            section.used.store(u32::try_from(used).unwrap_or(u32::MAX), Relaxed);
        }
    }

    /// Begins to write one row; readers see all of it, or none, once the returned writer is dropped.
    ///
    /// # Panics
    /// When the row is outside the declared limits, which is a programmer's error.
    pub fn row(&mut self, scope: Scope, row: u32) -> RowWriter<'_> {
        let section = self.frame.section(scope);
        let row = row as usize;
        assert!(row < section.rows, "row {row} of {} is outside the declared limits", scope.name());
        seqcount::begin(&section.sequence[row]);
        RowWriter { section, row, scope }
    }

    /// Asks the processor for a row that will be written soon.
    #[inline]
    pub fn prefetch_row(&self, scope: Scope, row: u32) {
        self.prefetch_columns(scope, row, 0..self.frame.section(scope).columns);
    }

    /// Asks the processor for a part of a row that will be written soon.
    #[inline]
    pub fn prefetch_columns(&self, scope: Scope, row: u32, columns: Range<usize>) {
        let section = self.frame.section(scope);
        let row = row as usize;
        if row < section.rows {
            let first = row * section.columns;
            let cells = first + columns.start..first + columns.end;
            prefetch::slice(&section.cells[cells.clone()]);
            prefetch::slice(&section.availability[cells]);
            prefetch::slice(&section.sequence[row..=row]);
            prefetch::slice(&section.read_at_ns[row * section.lane_count..(row + 1) * section.lane_count]);
        }
    }

    /// Publishes the tick's number and times, after all rows were written: ages are measured from here.
    pub fn finish(&mut self, tick: Tick) {
        let frame = &self.frame;
        seqcount::write(&frame.tick_seq, || {
            frame.tick_number.store(tick.number, Relaxed);
            frame.tick_mono_ns.store(tick.mono_ns, Relaxed);
            frame.tick_wall_ns.store(tick.wall_ns, Relaxed);
        });
        if frame.whole_seq.load(Relaxed) % 2 == 1 {
            seqcount::end(&frame.whole_seq);
        }
    }
}

/// Writes one row of a frame.
pub struct RowWriter<'a> {
    section: &'a Section,
    row: usize,
    scope: Scope,
}

impl RowWriter<'_> {
    /// Stores a value that was read now.
    #[inline]
    pub fn set(&mut self, metric: MetricId, value: i64) {
        debug_assert_eq!(metric.scope(), self.scope);
        let cell = self.row * self.section.columns + metric.column();
        self.section.cells[cell].store(value, Relaxed);
        self.section.availability[cell].store(Availability::Ok as u8, Relaxed);
    }

    /// Stores a value as it was recorded.
    pub(crate) fn restore(&mut self, metric: MetricId, value: i64, availability: Availability) {
        self.set(metric, value);
        self.fail(metric, availability);
    }

    /// Stores an unsigned kernel counter; one beyond `i64::MAX` stays there.
    #[inline]
    pub fn set_u64(&mut self, metric: MetricId, value: u64) {
        self.set(metric, i64::try_from(value).unwrap_or(i64::MAX));
    }

    /// Says that one metric has no value, and why.
    #[inline]
    pub fn fail(&mut self, metric: MetricId, availability: Availability) {
        debug_assert_eq!(metric.scope(), self.scope);
        let cell = self.row * self.section.columns + metric.column();
        self.section.availability[cell].store(availability as u8, Relaxed);
    }

    /// Notes when a source of this row was read.
    #[inline]
    pub fn stamp(&mut self, source: Source, read_at_ns: u64) {
        let lane = self.section.lanes[source as usize];
        if lane != NO_LANE {
            self.section.read_at_ns[self.row * self.section.lane_count + usize::from(lane)]
                .store(read_at_ns, Relaxed);
        }
    }

    /// Says that nothing of a source could be read, and why.
    pub fn fail_source(&mut self, source: Source, availability: Availability) {
        for column in &self.section.source_columns[source as usize] {
            let cell = self.row * self.section.columns + usize::from(*column);
            self.section.availability[cell].store(availability as u8, Relaxed);
        }
    }
}

impl Drop for RowWriter<'_> {
    fn drop(&mut self) {
        seqcount::end(&self.section.sequence[self.row]);
    }
}
