//! Values: the latest ones, and those of the last ticks.

use crate::agent::btz_agent;
use crate::entities::{btz_entity, decode};
use crate::entry::{self, on_agent};
use crate::failure::{Failure, Outcome};
use crate::size::{self, Rows};
use crate::status::{BTZ_ERR_NOT_FOUND, btz_status};
use bartizan_core::sampling::availability::Availability;
use bartizan_core::sampling::frame::Reading;
use bartizan_core::sampling::history::HistoryPoint;
use bartizan_core::sampling::metrics::{Metric, MetricId};

/// Not read yet. Since: 0.1
pub const BTZ_AVAILABILITY_PENDING: u32 = 0;
/// Good. Since: 0.1
pub const BTZ_AVAILABILITY_OK: u32 = 1;
/// The last value there was; its source has not answered for more than three of its periods. Since: 0.1
pub const BTZ_AVAILABILITY_STALE: u32 = 2;
/// This kernel, machine or VMM does not have it. Since: 0.1
pub const BTZ_AVAILABILITY_UNSUPPORTED: u32 = 3;
/// It exists, but this process may not read it. Since: 0.1
pub const BTZ_AVAILABILITY_DENIED: u32 = 4;
/// What it described no longer exists. Since: 0.1
pub const BTZ_AVAILABILITY_GONE: u32 = 5;
/// The read failed, or what was read made no sense. Since: 0.1
pub const BTZ_AVAILABILITY_ERROR: u32 = 6;

/// One value. Unavailable is never 0: unless availability is OK or STALE, raw is INT64_MIN and scaled is not a number.
/// Since: 0.1
#[repr(C)]
#[derive(Clone, Copy)]
pub struct btz_value {
    /// sizeof(btz_value).
    pub struct_size: u32,
    /// BTZ_AVAILABILITY_*.
    pub availability: u8,
    /// BTZ_KIND_*.
    pub kind: u8,
    /// BTZ_UNIT_*: the unit of raw.
    pub unit: u8,
    /// BTZ_SOURCE_*: where it is read.
    pub source: u8,
    /// In the small unit: exact.
    pub raw: i64,
    /// In the base unit that is exported: seconds, bytes, ratios, degrees, joules.
    pub scaled: f64,
    /// When its source was last read, CLOCK_MONOTONIC nanoseconds; 0 when it never was.
    pub read_at_ns: u64,
    /// How long ago that was, in nanoseconds; UINT64_MAX when it never was.
    pub age_ns: u64,
}

/// What to read: a metric of an entity. Since: 0.1
#[repr(C)]
#[derive(Clone, Copy)]
pub struct btz_query {
    /// Of what.
    pub entity: btz_entity,
    /// BTZ_* of bartizan_metrics.h; must be a metric of the entity's scope.
    pub metric: u32,
    /// 0.
    pub reserved: u32,
}

/// A tick. Since: 0.1
#[repr(C)]
#[derive(Clone, Copy)]
pub struct btz_tick {
    /// sizeof(btz_tick).
    pub struct_size: u32,
    /// 0.
    pub reserved: u32,
    /// Counts from 1; 0 is "before the first tick".
    pub number: u64,
    /// CLOCK_MONOTONIC, in nanoseconds.
    pub mono_ns: u64,
    /// CLOCK_REALTIME, in nanoseconds since the epoch.
    pub wall_ns: i64,
}

/// One value of the past. Unless availability is OK, raw is INT64_MIN and scaled is not a number. Since: 0.1
#[repr(C)]
#[derive(Clone, Copy)]
pub struct btz_point {
    /// sizeof(btz_point), set by the library.
    pub struct_size: u32,
    /// BTZ_AVAILABILITY_*.
    pub availability: u32,
    /// The number of its tick.
    pub tick: u64,
    /// When the tick was, CLOCK_MONOTONIC nanoseconds.
    pub mono_ns: u64,
    /// When the tick was, CLOCK_REALTIME nanoseconds since the epoch.
    pub wall_ns: i64,
    /// In the small unit: exact.
    pub raw: i64,
    /// In the base unit that is exported.
    pub scaled: f64,
}

size::sized!(btz_value = 40, btz_tick = 32, btz_point = 48);

/// What stands in `raw` when there is no value.
const NO_VALUE: i64 = i64::MIN;

/// The same as BTZ_VALUE_INIT, for languages without macros: zeroes struct_size bytes and sets the field.
/// Returns BTZ_OK, BTZ_ERR_NULL or BTZ_ERR_SIZE. Threads: any. Blocking: no. Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn btz_value_init(value: *mut btz_value, struct_size: u32) -> btz_status {
    // SAFETY: the contract: NULL, or `struct_size` writable bytes.
    entry::plain(std::ptr::null_mut(), || unsafe { size::init(value, struct_size) })
}

/// The same as BTZ_TICK_INIT, for languages without macros: zeroes struct_size bytes and sets the field.
/// Returns BTZ_OK, BTZ_ERR_NULL or BTZ_ERR_SIZE. Threads: any. Blocking: no. Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn btz_tick_init(tick: *mut btz_tick, struct_size: u32) -> btz_status {
    // SAFETY: the contract: NULL, or `struct_size` writable bytes.
    entry::plain(std::ptr::null_mut(), || unsafe { size::init(tick, struct_size) })
}

/// The last tick that was completed; number 0 before the first. out: set struct_size first. Errors: BTZ_ERR_SIZE.
/// Threads: any. Blocking: no; no lock, no allocation. Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn btz_agent_tick(agent: *const btz_agent, out: *mut btz_tick) -> btz_status {
    let read = |agent: &btz_agent| {
        let tick = agent.reader.tick();
        let tick = btz_tick {
            struct_size: 0,
            reserved: 0,
            number: tick.number,
            mono_ns: tick.mono_ns,
            wall_ns: tick.wall_ns,
        };
        // SAFETY: the contract: NULL, or a struct of the size it says.
        unsafe { size::write_out(out, tick) }
    };
    // SAFETY: the contract.
    unsafe { on_agent(agent, std::ptr::null_mut(), read) }
}

/// The latest value of one metric of one entity. An entity that no longer exists reads as GONE, a metric of another
/// scope as UNSUPPORTED. out: set struct_size first. Errors: BTZ_ERR_NOT_FOUND: no such metric; BTZ_ERR_ARGUMENT: not an
/// entity; BTZ_ERR_SIZE. Threads: any. Blocking: no; no lock, no allocation. Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn btz_agent_read(
    agent: *const btz_agent,
    entity: btz_entity,
    metric: u32,
    out: *mut btz_value,
) -> btz_status {
    let read = |agent: &btz_agent| {
        let (entity, metric) = (decode(entity)?, known(metric)?);
        let now_ns = agent.reader.clock().mono_ns();
        // SAFETY: the contract: NULL, or a struct of the size it says.
        unsafe { size::write_out(out, value(metric, agent.reader.read(entity, metric), now_ns)) }
    };
    // SAFETY: the contract.
    unsafe { on_agent(agent, std::ptr::null_mut(), read) }
}

/// The latest values of many metrics, in the order of the queries. Values of one entity that stand one after the other
/// in the queries are of one instant (up to 64 of them). out: count elements, each stride bytes after the one before;
/// stride: sizeof(btz_value). Errors: as btz_agent_read(), at the first query that is wrong; what was before it is
/// written. Threads: any. Blocking: no; no lock, no allocation. Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn btz_agent_read_many(
    agent: *const btz_agent,
    queries: *const btz_query,
    count: usize,
    out: *mut btz_value,
    stride: usize,
) -> btz_status {
    let read = |agent: &btz_agent| {
        if queries.is_null() && count != 0 {
            return Err(Failure::null("the queries are NULL"));
        }
        // SAFETY: the contract: `count` elements of `stride` bytes.
        let rows = unsafe { Rows::new(out, stride, count)? };
        if count == 0 {
            return Ok(());
        }
        if !queries.is_aligned() || count > isize::MAX as usize / size_of::<btz_query>() {
            return Err(Failure::argument("the queries are not aligned, or more than fit into memory"));
        }
        // SAFETY: the contract: `count` queries, readable.
        read_many(agent, unsafe { std::slice::from_raw_parts(queries, count) }, rows)
    };
    // SAFETY: the contract.
    unsafe { on_agent(agent, std::ptr::null_mut(), read) }
}

/// Values of one entity that are read as one.
const RUN_MAX: usize = 64;

fn read_many(agent: &btz_agent, queries: &[btz_query], mut rows: Rows<btz_value>) -> Outcome {
    let now_ns = agent.reader.clock().mono_ns();
    let mut metrics = [MetricId::from_number(1000).ok_or_else(no_such_metric)?; RUN_MAX];
    let mut readings = [Reading { value: 0, availability: Availability::Pending, read_at_ns: 0 }; RUN_MAX];
    for same_entity in queries.chunk_by(|a, b| a.entity == b.entity) {
        for run in same_entity.chunks(RUN_MAX) {
            let entity = decode(run[0].entity)?;
            for (metric, query) in metrics.iter_mut().zip(run) {
                *metric = known(query.metric)?;
            }
            let (metrics, readings) = (&metrics[..run.len()], &mut readings[..run.len()]);
            agent.reader.frame().read_row(entity, metrics, readings);
            for (metric, reading) in metrics.iter().zip(readings) {
                rows.push(value(*metric, *reading, now_ns));
            }
        }
    }
    Ok(())
}

/// The latest values of one metric of one entity, oldest first: at most capacity of those that the flight recorder
/// still holds. Kept are all metrics of host and agent, and the most telling ones of VMs and their parts, for
/// limits.history_ticks; what died stays readable for that long. out: capacity elements, each stride bytes after the one
/// before; stride: sizeof(btz_point). count: receives how many were written; 0 when the metric is not kept or nothing
/// is left. Errors: BTZ_ERR_NOT_FOUND, BTZ_ERR_ARGUMENT, BTZ_ERR_SIZE, BTZ_ERR_NULL.
/// Threads: any. Blocking: no; allocates. Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn btz_agent_history(
    agent: *const btz_agent,
    entity: btz_entity,
    metric: u32,
    out: *mut btz_point,
    stride: usize,
    capacity: usize,
    count: *mut usize,
) -> btz_status {
    let read = |agent: &btz_agent| {
        if count.is_null() {
            return Err(Failure::null("count is NULL"));
        }
        // SAFETY: the contract: `capacity` elements of `stride` bytes.
        let mut rows = unsafe { Rows::new(out, stride, capacity)? };
        let (entity, metric) = (decode(entity)?, known(metric)?);
        let ticks_max = agent.reader.config().limits.history_ticks as usize;
        let mut points = vec![HistoryPoint::default(); capacity.min(ticks_max)];
        let written = agent.reader.history(entity, metric, &mut points);
        rows.fill(points[..written].iter().map(|history| point(metric.metric(), history)));
        // SAFETY: the contract: writable.
        unsafe { count.write(rows.written()) };
        Ok(())
    };
    // SAFETY: the contract.
    unsafe { on_agent(agent, std::ptr::null_mut(), read) }
}

fn no_such_metric() -> Failure {
    Failure::new(BTZ_ERR_NOT_FOUND, "there is no such metric")
}

/// The metric of a number that a caller gave.
pub(crate) fn known(number: u32) -> Result<MetricId, Failure> {
    u16::try_from(number).ok().and_then(MetricId::from_number).ok_or_else(no_such_metric)
}

fn scaled(metric: &Metric, raw: i64) -> f64 {
    // Exact up to 2^53: 104 days in nanoseconds, 8 PiB. Beyond, `raw` is the exact one.
    #[expect(clippy::cast_precision_loss, reason = "a double is what is asked for")]
    let raw = raw as f64;
    raw * metric.unit.scale()
}

fn value(id: MetricId, reading: Reading, now_ns: u64) -> btz_value {
    let metric = id.metric();
    let usable = matches!(reading.availability, Availability::Ok | Availability::Stale);
    btz_value {
        struct_size: 0,
        availability: reading.availability as u8,
        kind: metric.kind as u8,
        unit: metric.unit as u8,
        source: metric.source as u8,
        raw: if usable { reading.value } else { NO_VALUE },
        scaled: if usable { scaled(metric, reading.value) } else { f64::NAN },
        read_at_ns: reading.read_at_ns,
        age_ns: if reading.read_at_ns == 0 { u64::MAX } else { now_ns.saturating_sub(reading.read_at_ns) },
    }
}

fn point(metric: &Metric, history: &HistoryPoint) -> btz_point {
    let usable = history.availability == Availability::Ok;
    btz_point {
        struct_size: 0,
        availability: u32::from(history.availability as u8),
        tick: history.tick.number,
        mono_ns: history.tick.mono_ns,
        wall_ns: history.tick.wall_ns,
        raw: if usable { history.value } else { NO_VALUE },
        scaled: if usable { scaled(metric, history.value) } else { f64::NAN },
    }
}

// The numbers of the ABI are those of the core.
const _: () = {
    assert!(BTZ_AVAILABILITY_PENDING == Availability::Pending as u32);
    assert!(BTZ_AVAILABILITY_OK == Availability::Ok as u32);
    assert!(BTZ_AVAILABILITY_STALE == Availability::Stale as u32);
    assert!(BTZ_AVAILABILITY_UNSUPPORTED == Availability::Unsupported as u32);
    assert!(BTZ_AVAILABILITY_DENIED == Availability::Denied as u32);
    assert!(BTZ_AVAILABILITY_GONE == Availability::Gone as u32);
    assert!(BTZ_AVAILABILITY_ERROR == Availability::Error as u32);
};
