//! Feeds a trace through the frame, the rules and the alert ring of this crate.
//!
//! The detector sees what it saw on the host, tick by tick, so its alerts are the same to the last bit, provided the
//! trace begins with the agent's first tick and misses none; [`Replayed`] says whether that is so.

use super::error::TraceError;
use super::reader::{Event, Tail, TraceReader};
use super::record::{Delta, EntityRecord, Header, RowDelta, VmEvent, VmRecord};
use crate::alerts::{self, Accounting, Alert, AlertReader, AlertSink};
use crate::config::Config;
use crate::detection::forecast::Record;
use crate::detection::{Detector, RuleKind};
use crate::sampling::availability::Availability;
use crate::sampling::discovery::truncated;
use crate::sampling::frame::{Entity, Frame, FrameWriter, Tick};
use crate::sampling::journal::What;
use crate::sampling::metrics::{MetricId, Scope, Source};
use crate::sampling::roster::Roster;
use crate::sampling::vm::VmIdentity;
use std::collections::HashMap;
use std::io::Read;
use std::sync::Arc;

/// Alerts that [`replay`] collects at most; more are counted only.
const ALERTS_MAX: usize = 1_000_000;

/// A replay, tick by tick.
pub struct Replay<R> {
    trace: TraceReader<R>,
    metrics: Vec<Option<MetricId>>,
    sources: Vec<Option<Source>>,
    /// Rules are the caller's: configurations in the trace are passed over.
    fixed: bool,
    frame: Arc<Frame>,
    writer: FrameWriter,
    roster: Roster,
    detector: Detector,
    sink: AlertSink,
    alerts: AlertReader,
    /// VMs as last described.
    vms: HashMap<Entity, VmRecord>,
    /// VMs that are watched, as the roster knows them.
    watched: HashMap<Entity, VmRecord>,
    /// Rules that come into force with the next event that says so.
    next_rules: Option<Detector>,
    events_missed: u64,
    tick: Tick,
    first_tick: u64,
    ticks: u64,
    ticks_missed: u64,
}

/// What a replay came to.
#[derive(Clone, Debug, PartialEq)]
pub struct Replayed {
    /// The alerts, in their order.
    pub alerts: Vec<Alert>,
    /// What became of all alerts.
    pub accounting: Accounting,
    /// Ticks that were replayed.
    pub ticks: u64,
    /// The number of the first one: 1 when the recording began with the agent.
    pub first_tick: u64,
    /// Ticks that are not in the trace.
    pub ticks_missed: u64,
    /// VMs that came or went without their description being in the trace.
    pub events_missed: u64,
    /// How the trace ends.
    pub tail: Tail,
    /// Metrics of the trace that this version does not know.
    pub metrics_unknown: Vec<String>,
    /// How the predictions of each rule that makes any came out.
    pub predictions: Vec<(String, RuleKind, Record)>,
}

impl Replayed {
    /// Whether the detector saw all that it saw on the host, from the beginning.
    #[must_use]
    pub fn is_exact(&self) -> bool {
        self.first_tick == 1
            && self.ticks_missed == 0
            && self.events_missed == 0
            && self.metrics_unknown.is_empty()
    }
}

/// Replays a whole trace. Give a configuration to see what other rules would have said; its limits must hold what was
/// recorded.
///
/// # Errors
/// See [`TraceError`].
pub fn replay<R: Read>(trace: R, config: Option<&Config>) -> Result<Replayed, TraceError> {
    let mut replay = Replay::new(trace, config)?;
    let mut alerts = Vec::new();
    while replay.next_tick()?.is_some() {
        while let Some(alert) = replay.alerts.next() {
            if alerts.len() < ALERTS_MAX {
                alerts.push(alert);
            }
        }
    }
    let lost = match replay.trace.tail() {
        Tail::Complete(end) => end.events_missed,
        _ => 0,
    };
    Ok(Replayed {
        alerts,
        accounting: replay.alerts.accounting(),
        ticks: replay.ticks,
        first_tick: replay.first_tick,
        ticks_missed: replay.ticks_missed,
        events_missed: replay.events_missed + lost,
        tail: replay.trace.tail(),
        metrics_unknown: replay.metrics_unknown().map(str::to_owned).collect(),
        predictions: replay
            .detector
            .predictions()
            .map(|(name, kind, record)| (name.to_owned(), kind, *record))
            .collect(),
    })
}

impl<R: Read> Replay<R> {
    /// Begins a replay with the trace's own configuration, or with another one.
    ///
    /// # Errors
    /// See [`TraceError`].
    pub fn new(trace: R, config: Option<&Config>) -> Result<Self, TraceError> {
        let trace = TraceReader::new(trace)?;
        let header = trace.header();
        let recorded;
        let (config, fixed) = if let Some(config) = config {
            (config, true)
        } else {
            recorded = parse(&header.config.toml)?;
            (&recorded, false)
        };
        let (writer, frame) =
            Frame::new(&config.limits).map_err(|error| TraceError::Memory(error.to_string()))?;
        let detector = build(config)?;
        let (sink, alerts) = alerts::ring(config.limits.alerts as usize)
            .map_err(|errno| TraceError::Memory(format!("no descriptor for the alert ring: {errno}")))?;
        Ok(Self {
            metrics: header.metrics.iter().map(|name| MetricId::by_name(name)).collect(),
            sources: header.sources.iter().map(|name| source_by_name(name)).collect(),
            roster: Roster::new(&config.limits),
            trace,
            fixed,
            frame,
            writer,
            detector,
            sink,
            alerts,
            vms: HashMap::new(),
            watched: HashMap::new(),
            next_rules: None,
            events_missed: 0,
            tick: Tick::default(),
            first_tick: 0,
            ticks: 0,
            ticks_missed: 0,
        })
    }

    /// Replays the next tick; `None` at the end of the trace.
    ///
    /// # Errors
    /// See [`TraceError`].
    pub fn next_tick(&mut self) -> Result<Option<Tick>, TraceError> {
        while let Some(event) = self.trace.next_event()? {
            match event {
                Event::Vm(vm) => self.take_vm(vm)?,
                Event::Config(config) if !self.fixed => {
                    self.next_rules = Some(build(&parse(&config.toml)?)?);
                }
                Event::Config(_) | Event::Labels(_) => {}
                Event::Periods(periods) => {
                    for (source, period_ns) in self.sources.iter().zip(&periods.periods_ns) {
                        if let Some(source) = source {
                            self.frame.set_period_ns(*source, *period_ns);
                        }
                    }
                }
                Event::Delta(delta) => {
                    if self.take_delta(&delta)? {
                        return Ok(Some(self.tick));
                    }
                }
            }
        }
        Ok(None)
    }

    /// The alerts that the ticks so far have caused and that were not taken yet. The ring is as long as
    /// `limits.alerts`: take them after each tick.
    #[must_use]
    pub fn alerts(&self) -> &AlertReader {
        &self.alerts
    }

    /// The values as of the last tick.
    #[must_use]
    pub fn frame(&self) -> &Frame {
        &self.frame
    }

    /// The configuration that the trace began with.
    ///
    /// # Errors
    /// When this version does not understand it.
    pub fn recorded_config(&self) -> Result<Config, TraceError> {
        parse(&self.header().config.toml)
    }

    /// The detector: what it looks at, and what it saw.
    pub fn detector_mut(&mut self) -> &mut Detector {
        &mut self.detector
    }

    /// What was recorded, and by whom.
    #[must_use]
    pub fn header(&self) -> &Header {
        self.trace.header()
    }

    /// Metrics of the trace that this version does not know.
    pub fn metrics_unknown(&self) -> impl Iterator<Item = &str> {
        let names = self.trace.header().metrics.iter().zip(&self.metrics);
        names.filter(|(_, metric)| metric.is_none()).map(|(name, _)| name.as_str())
    }

    fn take_vm(&mut self, vm: VmRecord) -> Result<(), TraceError> {
        let entity = self.entity(vm.entity)?;
        if entity.scope != Scope::Vm {
            return Err(damaged("a VM is in a row of another scope"));
        }
        for (part, _) in &vm.parts {
            self.entity(*part)?;
        }
        if self.vms.len() > 2 * self.frame.rows(Scope::Vm) {
            return Err(damaged("there are more VMs than rows for them"));
        }
        self.vms.insert(entity, vm);
        Ok(())
    }

    /// Does what the sampler did, in the order in which it did it.
    fn take_event(&mut self, event: VmEvent, tick: Tick) -> Result<(), TraceError> {
        let Some(what) = What::from_number(event.what) else {
            return Err(damaged(&format!("event {} does not exist", event.what)));
        };
        if what == What::Rules {
            if let Some(mut rules) = self.next_rules.take() {
                rules.take_over(&mut self.detector, tick, &self.roster, &mut self.sink);
                self.detector = rules;
            }
            return Ok(());
        }
        let record = EntityRecord { scope: Scope::Vm as u8, row: event.row, generation: event.generation };
        let vm = self.entity(record)?;
        let before = self.watched.remove(&vm);
        if let Some(before) = &before {
            if matches!(what, What::Left | What::Exited) {
                let identity = identity(before);
                let exited = what == What::Exited;
                self.detector.vm_left(vm, &identity, exited, tick, &self.roster, &mut self.sink);
            }
            self.roster.leave(vm, parts(before));
        }
        match what {
            What::Entered | What::Replanned => {
                let Some(now) = self.vms.get(&vm) else {
                    // It came and went before its description could be recorded.
                    self.events_missed += 1;
                    return Ok(());
                };
                if what == What::Entered {
                    self.detector.vm_entered(&identity(now), tick, &mut self.sink);
                }
                self.roster.enter(vm, identity(now), parts(now));
                self.watched.insert(vm, now.clone());
            }
            _ => {
                self.events_missed += u64::from(before.is_none());
                self.vms.remove(&vm);
            }
        }
        Ok(())
    }

    /// Whether the tick is complete.
    fn take_delta(&mut self, delta: &Delta) -> Result<bool, TraceError> {
        if delta.tick < self.tick.number || delta.tick == 0 {
            return Err(damaged("ticks go backwards"));
        }
        let tick = Tick { number: delta.tick, mono_ns: delta.mono_ns, wall_ns: delta.wall_ns };
        for event in &delta.events {
            self.take_event(*event, tick)?;
        }
        for row in &delta.rows {
            self.take_row(row)?;
        }
        if delta.more {
            return Ok(false);
        }
        if self.first_tick == 0 {
            self.first_tick = delta.tick;
        } else {
            self.ticks_missed += (delta.tick - self.tick.number).saturating_sub(1);
        }
        self.tick = tick;
        self.ticks += 1;
        self.writer.finish(self.tick);
        self.detector.evaluate(self.tick, &self.frame, &self.roster, &mut self.sink);
        Ok(true)
    }

    fn take_row(&mut self, delta: &RowDelta) -> Result<(), TraceError> {
        let record = EntityRecord { scope: delta.scope, row: delta.row, generation: delta.generation };
        let entity = self.entity(record)?;
        let before = self.frame.entity(entity.scope, entity.row);
        if before != Some(entity) {
            if let Some(before) = before {
                self.writer.close_row(before);
            }
            if entity.generation == 0 {
                return Ok(());
            }
            self.writer.open_row(entity);
        }
        let metric_of = |cell: &super::record::Cell| self.metrics.get(usize::from(cell.metric)).copied();
        for cell in &delta.cells {
            match metric_of(cell) {
                None => return Err(damaged("a cell names a metric that the header does not")),
                Some(Some(metric)) if metric.scope() != entity.scope => {
                    return Err(damaged("a cell is in a row of another scope"));
                }
                Some(_) => {}
            }
        }
        let mut row = self.writer.row(entity.scope, entity.row);
        for cell in &delta.cells {
            if let Some(Some(metric)) = self.metrics.get(usize::from(cell.metric)) {
                row.restore(*metric, cell.value, Availability::from_number(cell.availability));
            }
        }
        for (source, read_at_ns) in &delta.stamps {
            if let Some(Some(source)) = self.sources.get(usize::from(*source)) {
                row.stamp(*source, *read_at_ns);
            }
        }
        Ok(())
    }

    /// An entity that is within the limits.
    fn entity(&self, record: EntityRecord) -> Result<Entity, TraceError> {
        let Some(scope) = Scope::from_number(record.scope) else {
            return Err(damaged(&format!("scope {} does not exist", record.scope)));
        };
        if record.row as usize >= self.frame.rows(scope) {
            return Err(TraceError::Config(format!(
                "it has room for {} rows of scope {}, the trace needs row {}",
                self.frame.rows(scope),
                scope.name(),
                record.row
            )));
        }
        Ok(Entity { scope, row: record.row, generation: record.generation })
    }
}

fn parse(toml: &str) -> Result<Config, TraceError> {
    Config::from_toml(toml, None).map_err(|error| TraceError::Config(error.to_string()))
}

fn build(config: &Config) -> Result<Detector, TraceError> {
    Detector::build(config).map_err(|error| TraceError::Config(error.to_string()))
}

fn source_by_name(name: &str) -> Option<Source> {
    Source::ALL.into_iter().find(|source| source.name() == name)
}

fn damaged(what: &str) -> TraceError {
    TraceError::Corrupt { offset: 0, what: format!("in a record whose checksum fits, {what}") }
}

fn identity(vm: &VmRecord) -> VmIdentity {
    VmIdentity { name: truncated(&vm.name), uuid: vm.uuid, tenant: truncated(&vm.tenant), pid: vm.pid }
}

/// Checked when the record was taken.
fn parts(vm: &VmRecord) -> impl Iterator<Item = Entity> + '_ {
    vm.parts.iter().filter_map(|(part, _)| {
        let scope = Scope::from_number(part.scope)?;
        Some(Entity { scope, row: part.row, generation: part.generation })
    })
}

#[cfg(test)]
#[path = "replay_tests.rs"]
mod tests;
