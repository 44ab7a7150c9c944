//! Writes a trace beside a running agent.

use super::error::RecordError;
use super::framing;
use super::record::{
    Cell, ConfigRecord, Delta, End, EntityRecord, Header, LabelsRecord, PeriodsRecord, Record, RowDelta,
    VmEvent, VmRecord,
};
use crate::config::{Config, fingerprint};
use crate::engine::{HostInfo, Reader};
use crate::sampling::availability::Availability;
use crate::sampling::discovery::VmInfo;
use crate::sampling::frame::{Entity, Frame, RawRow, Tick};
use crate::sampling::journal::What;
use crate::sampling::metrics::{self, Scope, Source};
use serde::Serialize;
use std::collections::HashMap;
use std::io::Write;
use std::sync::Arc;

/// A tick whose rows could not be read before the next one began is tried again so many times.
const ATTEMPTS_MAX: usize = 64;
/// Cells in one delta; more are spread over several. Keeps a payload below a quarter of what the format allows.
const CELLS_PER_DELTA: usize = 64 * 1024;

/// What a capture did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Captured {
    /// A tick was written.
    Tick {
        /// Its number.
        number: u64,
        /// How many ticks passed unseen since the one before.
        missed: u64,
    },
    /// No tick was completed since the last capture.
    Nothing,
    /// The sampler was faster than the capture; the tick will count as missed unless the next capture gets it.
    Overrun,
}

/// Writes a trace. Reads the agent's frame like any other reader: the sampler does not notice.
///
/// Call [`Recorder::capture`] after each tick. What was missed is counted, and can be seen in the trace.
pub struct Recorder<W> {
    writer: W,
    reader: Reader,
    metrics_before: [u16; Scope::ALL.len()],
    lanes: Vec<Vec<Source>>,
    known: HashMap<(Scope, u32), RawRow>,
    vms: HashMap<Entity, VmRecord>,
    host: Option<Arc<HostInfo>>,
    config: Arc<Config>,
    periods: PeriodsRecord,
    last_tick: u64,
    /// Entries of the journal that were written.
    noted: u64,
    end: End,
    bytes: u64,
    failed: bool,
}

impl<W: Write> Recorder<W> {
    /// Begins a trace. Wrap a file in a `BufWriter`. The host's name is written only when it is given.
    ///
    /// # Errors
    /// See [`RecordError`].
    pub fn new(mut writer: W, reader: Reader, host: Option<String>) -> Result<Self, RecordError> {
        let config = reader.config();
        let header = Header {
            agent_version: env!("CARGO_PKG_VERSION").into(),
            host,
            began_wall_ns: reader.clock().wall_ns(),
            config: config_record(&config),
            metrics: metrics::all().map(|metric| metric.name.to_owned()).collect(),
            sources: Source::ALL.into_iter().map(|source| source.name().to_owned()).collect(),
        };
        framing::write_file_head(&mut writer)?;
        let bytes = framing::write(&mut writer, &header)?;
        let mut metrics_before = [0; Scope::ALL.len()];
        let mut before = 0;
        for scope in Scope::ALL {
            metrics_before[scope.index()] = before;
            before += u16::try_from(scope.metrics().len()).unwrap_or(u16::MAX);
        }
        let lanes = Scope::ALL.into_iter().map(|scope| reader.frame().lanes(scope)).collect();
        Ok(Self {
            writer,
            reader,
            metrics_before,
            lanes,
            known: HashMap::new(),
            vms: HashMap::new(),
            host: None,
            config,
            periods: PeriodsRecord::default(),
            last_tick: 0,
            noted: 0,
            end: End::default(),
            bytes,
            failed: false,
        })
    }

    /// Writes what has changed since the last capture, if a tick was completed since.
    ///
    /// # Errors
    /// See [`RecordError`]. After an error the trace ends with its last whole record, and every other call fails.
    pub fn capture(&mut self) -> Result<Captured, RecordError> {
        if self.failed {
            return Err(RecordError::Ended);
        }
        let result = self.try_capture();
        self.failed = result.is_err();
        result
    }

    /// What was recorded so far, and how many bytes it took.
    #[must_use]
    pub fn written(&self) -> (End, u64) {
        (self.end, self.bytes)
    }

    /// Ends the trace in order and gives the writer back, flushed.
    ///
    /// # Errors
    /// See [`RecordError`].
    pub fn finish(mut self) -> Result<W, RecordError> {
        if self.failed {
            return Err(RecordError::Ended);
        }
        self.write(&End { ..self.end })?;
        self.writer.flush().map_err(RecordError::Io)?;
        Ok(self.writer)
    }

    fn try_capture(&mut self) -> Result<Captured, RecordError> {
        if self.reader.tick().number == self.last_tick {
            return Ok(Captured::Nothing);
        }
        for _ in 0..ATTEMPTS_MAX {
            let frame = self.reader.frame();
            let journal = || frame.journal().since(self.noted);
            let seen = frame.within_one_tick(|| (frame.tick(), self.changed_rows(frame), journal()));
            if let Some((tick, Some(rows), (noted, lost, events))) = seen {
                self.noted = noted;
                self.end.events_missed += lost;
                return self.write_tick(tick, rows, &events);
            }
            std::thread::yield_now();
        }
        Ok(Captured::Overrun)
    }

    fn write_tick(
        &mut self,
        tick: Tick,
        rows: Vec<Changed>,
        events: &[(What, Entity)],
    ) -> Result<Captured, RecordError> {
        if tick.number == self.last_tick {
            return Ok(Captured::Nothing);
        }
        let missed = tick.number - self.last_tick - 1;
        self.write_config()?;
        self.write_periods()?;
        self.write_labels()?;
        self.write_vms()?;
        let mut delta = delta_of(tick);
        let mut cells = 0;
        for changed in rows {
            if cells + changed.delta.cells.len() > CELLS_PER_DELTA {
                delta.more = true;
                self.write(&delta)?;
                delta = delta_of(tick);
                cells = 0;
            }
            cells += changed.delta.cells.len();
            delta.rows.push(changed.delta);
            let place = (changed.scope, changed.row);
            if changed.now.generation == 0 {
                self.known.remove(&place);
            } else {
                self.known.insert(place, changed.now);
            }
        }
        delta.events = events.iter().map(event).collect();
        self.write(&delta)?;
        // The first capture may come late; what was before it was never to be recorded.
        let missed = if self.last_tick == 0 { 0 } else { missed };
        self.last_tick = tick.number;
        self.end.ticks += 1;
        self.end.ticks_missed += missed;
        Ok(Captured::Tick { number: tick.number, missed })
    }

    /// The rows that differ from what is known; `None` when the sampler was in the middle of one.
    fn changed_rows(&self, frame: &Frame) -> Option<Vec<Changed>> {
        let mut changed = Vec::new();
        let mut now = RawRow::default();
        let gone = |(scope, row): &&(Scope, u32)| frame.entity(*scope, *row).is_none();
        let mut places: Vec<_> = self.known.keys().filter(gone).copied().collect();
        for scope in Scope::ALL {
            places.extend(frame.entities(scope).map(|entity| (scope, entity.row)));
        }
        for (scope, row) in places {
            if !frame.copy_row(scope, row, &mut now) {
                return None;
            }
            let known = self.known.get(&(scope, row));
            if known != Some(&now) {
                let delta = self.delta(scope, row, known, &now);
                changed.push(Changed { scope, row, delta, now: now.clone() });
            }
        }
        Some(changed)
    }

    fn delta(&self, scope: Scope, row: u32, known: Option<&RawRow>, now: &RawRow) -> RowDelta {
        let mut delta =
            RowDelta { scope: scope as u8, row, generation: now.generation, ..RowDelta::default() };
        if now.generation == 0 {
            return delta;
        }
        // A row that begins anew has nothing in common with what it held before.
        let known = known.filter(|known| known.generation == now.generation);
        let first = self.metrics_before[scope.index()];
        for (column, (value, availability)) in (0u16..).zip(now.values.iter().zip(&now.availability)) {
            let at = usize::from(column);
            let before = known
                .map_or((0, Availability::Pending as u8), |known| (known.values[at], known.availability[at]));
            if before != (*value, *availability) {
                delta.cells.push(Cell { metric: first + column, value: *value, availability: *availability });
            }
        }
        for (lane, (stamp, source)) in now.stamps.iter().zip(&self.lanes[scope.index()]).enumerate() {
            if known.map_or(0, |known| known.stamps[lane]) != *stamp {
                delta.stamps.push((*source as u8, *stamp));
            }
        }
        delta
    }

    fn write_config(&mut self) -> Result<(), RecordError> {
        let config = self.reader.config();
        if !Arc::ptr_eq(&config, &self.config) {
            self.write(&config_record(&config))?;
            self.config = config;
        }
        Ok(())
    }

    fn write_periods(&mut self) -> Result<(), RecordError> {
        let period_ns = |source| self.reader.frame().period_ns(source);
        let periods = PeriodsRecord { periods_ns: Source::ALL.into_iter().map(period_ns).collect() };
        if periods != self.periods {
            self.write(&periods)?;
            self.periods = periods;
        }
        Ok(())
    }

    fn write_labels(&mut self) -> Result<(), RecordError> {
        let host = self.reader.host();
        if self.host.as_ref().is_none_or(|known| known.labels != host.labels) {
            let labels = &host.labels;
            let record = LabelsRecord {
                cpus: labels.cpus.clone(),
                nodes: labels.nodes.clone(),
                block_devices: labels.block_devices.clone(),
                net_devices: labels.net_devices.clone(),
            };
            self.write(&record)?;
            self.host = Some(host);
        }
        Ok(())
    }

    fn write_vms(&mut self) -> Result<(), RecordError> {
        let vms = self.reader.vms();
        for info in &vms {
            let record = vm_record(info);
            if self.vms.get(&info.entity) != Some(&record) {
                self.write(&record)?;
                self.vms.insert(info.entity, record);
            }
        }
        self.vms.retain(|entity, _| vms.iter().any(|info| info.entity == *entity));
        Ok(())
    }

    fn write<T: Record + Serialize>(&mut self, record: &T) -> Result<(), RecordError> {
        self.bytes += framing::write(&mut self.writer, record)?;
        Ok(())
    }
}

/// A row that differs from what is known, and what it holds now.
struct Changed {
    scope: Scope,
    row: u32,
    delta: RowDelta,
    now: RawRow,
}

fn delta_of(tick: Tick) -> Delta {
    Delta { tick: tick.number, mono_ns: tick.mono_ns, wall_ns: tick.wall_ns, ..Delta::default() }
}

fn event((what, vm): &(What, Entity)) -> VmEvent {
    VmEvent { what: *what as u8, row: vm.row, generation: vm.generation }
}

fn config_record(config: &Config) -> ConfigRecord {
    ConfigRecord { toml: config.to_toml(), config_sha256: fingerprint(config) }
}

fn entity_record(entity: Entity) -> EntityRecord {
    EntityRecord { scope: entity.scope as u8, row: entity.row, generation: entity.generation }
}

fn vm_record(info: &VmInfo) -> VmRecord {
    let vcpus = info.vcpus.iter().map(|vcpu| (entity_record(vcpu.entity), vcpu.index.to_string()));
    let nics = info.nics.iter().map(|nic| (entity_record(nic.entity), nic.tap.clone()));
    let disks = info.disks.iter().map(|disk| (entity_record(disk.entity), disk.name.clone()));
    VmRecord {
        entity: entity_record(info.entity),
        vmm: info.vmm as u8,
        name: info.name.clone(),
        uuid: info.uuid,
        tenant: info.tenant.clone(),
        pid: info.pid,
        start_ticks: info.start_ticks,
        parts: vcpus.chain(nics).chain(disks).collect(),
    }
}
