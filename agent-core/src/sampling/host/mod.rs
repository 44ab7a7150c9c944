//! The host's own files, kept open and read in place.
//!
//! `open` is the cold side: it learns what there is ([`schema`] says what is wanted of it). `sample` is the hot side.
//! A file with names in it is a [`table`], one with a column a CPU is read by [`columns`], many files with a number
//! each by [`scalars`].

mod clock;
mod columns;
mod discover;
mod inventory;
mod notes;
mod open;
mod rows;
mod scalars;
mod schedule;
mod schema;
mod special;
mod table;

pub use inventory::{Inventory, InventoryDisk};

use crate::config::Config;
use crate::sampling::SourceReport;
use crate::sampling::availability::Availability;
use crate::sampling::frame::{Entity, FrameWriter, Tick};
use crate::sampling::metrics::{MetricId, Scope, Source, host};
use crate::sampling::perf::{HostPerf, OpenCounters};
use crate::sampling::roster::{HostNames, Roster};
use clock::ClockWatch;
use columns::Columns;
use open::Opener;
use scalars::Scalars;
use schedule::Turn;
use std::sync::Arc;
use table::Table;

/// Files read in one tick although it is not their turn, because they have not been read at all.
const FIRSTS_PER_TICK: usize = 8;

/// Everything that is open for the host, and where its values go.
pub struct HostPlan {
    scratch: Box<[u8]>,
    tables: Vec<Table>,
    columns: Vec<Columns>,
    scalars: Vec<Scalars>,
    clock: ClockWatch,
    perf: Option<(HostPerf, Turn)>,
    entities: Vec<Entity>,
    vacant: Vec<(Scope, u32)>,
    /// Values that nothing writes, and why; said in the first sample.
    absent: Vec<((Scope, u32, MetricId), Availability)>,
    absent_said: bool,
    /// For the roster, which gives its old ones in exchange.
    names: HostNames,
}

/// What the cold side should know after a host sample.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HostPulse {
    /// A file has another shape than the plan knows (a device came or went): plan the host anew.
    pub layout_changed: bool,
    /// The last PID the kernel gave out (`/proc/loadavg`); 0 when unknown.
    pub last_pid: u32,
}

/// Names of the host's rows, for people. Rows that hold nothing are `None`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HostLabels {
    /// Logical CPU number of each CPU row.
    pub cpus: Vec<Option<u32>>,
    /// Node number of each node row.
    pub nodes: Vec<Option<u32>>,
    /// Name of each block row's device.
    pub block_devices: Vec<Option<String>>,
    /// Name of each net row's device.
    pub net_devices: Vec<Option<String>>,
    /// How often each row was given out.
    pub generations: RowGenerations,
}

/// How often each of the host's rows was given out: a row's [`Entity`] has this generation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RowGenerations {
    /// Of the CPU rows.
    pub cpus: Vec<u32>,
    /// Of the node rows.
    pub nodes: Vec<u32>,
    /// Of the block device rows.
    pub block_devices: Vec<u32>,
    /// Of the network device rows.
    pub net_devices: Vec<u32>,
}

impl HostPlan {
    /// Opens the host's files and learns their layout. `labels` is what the plan before used: a device keeps its row.
    /// Returns the plan, the labels of its rows, and a report per source.
    #[must_use]
    pub fn open(config: &Config, labels: &HostLabels) -> (Self, HostLabels, Vec<SourceReport>) {
        Self::open_after(config, labels, None)
    }

    /// As [`open`](HostPlan::open), but goes on with the perf counters of the plan before where they still fit.
    pub(crate) fn open_after(
        config: &Config,
        labels: &HostLabels,
        kept_perf: Option<&Arc<OpenCounters>>,
    ) -> (Self, HostLabels, Vec<SourceReport>) {
        let opener = Opener::new(config, labels, kept_perf);
        let entities = opener.entities();
        let absent = opener.absent(&entities);
        let vacant = vacant(&opener.labels);
        let scratch = opener.tables.iter().map(Table::buffer_bytes).max().unwrap_or(0);
        let names = HostNames::new(&opener.labels);
        let plan = Self {
            scratch: vec![0; scratch].into(),
            tables: opener.tables,
            columns: opener.columns,
            scalars: opener.scalars,
            clock: opener.clock,
            perf: opener.perf,
            entities,
            vacant,
            absent,
            absent_said: false,
            names,
        };
        (plan, opener.labels, opener.notes.into_reports())
    }

    /// Its perf counters, for the plan after this one.
    pub(crate) fn perf_counters(&self) -> Option<Arc<OpenCounters>> {
        self.perf.as_ref().map(|(perf, _)| Arc::clone(perf.counters()))
    }

    /// The rows that hold something, in no particular order.
    pub fn entities(&self) -> impl Iterator<Item = Entity> + '_ {
        self.entities.iter().copied()
    }

    /// Tells the roster what the rows are called; what it knew before is freed with this plan.
    pub(crate) fn exchange_names(&mut self, roster: &mut Roster) {
        std::mem::swap(&mut self.names, &mut roster.host);
    }

    /// Goes on where the plan before left off, and tells the frame which rows there are now. Allocates nothing.
    pub fn install(&mut self, before: Option<&Self>, writer: &mut FrameWriter) {
        if let Some(before) = before {
            self.clock.take_over(&before.clock);
            if let (Some((perf, _)), Some((before, _))) = (&mut self.perf, &before.perf) {
                perf.take_over(before);
            }
            for scalars in &mut self.scalars {
                if let Some(before) = before.scalars.iter().find(|before| before.metric() == scalars.metric())
                {
                    scalars.take_over(before);
                }
            }
        }
        for (scope, row) in &self.vacant {
            if let Some(entity) = writer.frame().entity(*scope, *row) {
                writer.close_row(entity);
            }
        }
        for entity in &self.entities {
            if writer.frame().entity(entity.scope, entity.row) != Some(*entity) {
                writer.open_row(*entity);
            }
        }
    }

    /// Reads what is due in this tick. Allocates nothing and never blocks.
    pub fn sample(&mut self, tick: Tick, writer: &mut FrameWriter) -> HostPulse {
        if !self.absent_said {
            self.absent_said = true;
            for ((scope, row, metric), availability) in &self.absent {
                writer.row(*scope, *row).fail(*metric, *availability);
            }
        }
        let mut pulse = HostPulse::default();
        let mut firsts_left = FIRSTS_PER_TICK;
        for table in &mut self.tables {
            if table.turn.is_due(tick, &mut firsts_left) {
                pulse.layout_changed |= table.sample(tick, writer, &mut self.scratch);
            }
        }
        for columns in &mut self.columns {
            pulse.layout_changed |= columns.sample(tick, writer, &mut firsts_left);
        }
        for scalars in &mut self.scalars {
            scalars.sample(tick, writer);
        }
        self.clock.sample(tick, writer, &mut firsts_left);
        if let Some((perf, turn)) = &mut self.perf
            && turn.is_due(tick, &mut firsts_left)
        {
            perf.sample(tick, writer);
        }
        pulse.last_pid = self.last_pid();
        pulse
    }

    fn last_pid(&self) -> u32 {
        let loadavg = self.tables.iter().find(|table| table.source == Source::Loadavg);
        loadavg
            .and_then(|table| table.value(host::LAST_PID))
            .and_then(|pid| u32::try_from(pid).ok())
            .unwrap_or(0)
    }

    /// File descriptors this plan holds.
    #[must_use]
    pub fn descriptors(&self) -> usize {
        self.tables.iter().filter(|table| table.file.is_kept()).count()
            + self.columns.iter().filter(|columns| columns.is_kept()).count()
            + self.scalars.iter().map(Scalars::descriptors).sum::<usize>()
            + self.clock.descriptors()
            + self.perf.as_ref().map_or(0, |(perf, _)| perf.descriptors())
    }
}

/// Rows that held something once and hold nothing now.
fn vacant(labels: &HostLabels) -> Vec<(Scope, u32)> {
    let used = &labels.generations;
    let mut vacant = Vec::new();
    let mut add = |scope, present: Vec<bool>, generations: &[u32]| {
        for (row, generation) in (0_u32..).zip(generations) {
            if *generation > 0 && !present.get(row as usize).copied().unwrap_or(false) {
                vacant.push((scope, row));
            }
        }
    };
    add(Scope::Cpu, labels.cpus.iter().map(Option::is_some).collect(), &used.cpus);
    add(Scope::Node, labels.nodes.iter().map(Option::is_some).collect(), &used.nodes);
    add(Scope::Block, labels.block_devices.iter().map(Option::is_some).collect(), &used.block_devices);
    add(Scope::Net, labels.net_devices.iter().map(Option::is_some).collect(), &used.net_devices);
    vacant
}
