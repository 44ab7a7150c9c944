//! The metrics there are.

use crate::entry;
use crate::failure::Failure;
use crate::size;
use crate::status::{BTZ_ERR_NOT_FOUND, btz_status};
use crate::text;
use crate::values::known;
use bartizan_core::sampling::metrics::{Kind, Metric, MetricId, Unit, all};
use std::ffi::c_char;

/// Only grows, until whatever counts it starts anew. Since: 0.1
pub const BTZ_KIND_COUNTER: u32 = 1;
/// Goes up and down. Since: 0.1
pub const BTZ_KIND_GAUGE: u32 = 2;

/// A plain number of things. Since: 0.1
pub const BTZ_UNIT_COUNT: u32 = 1;
/// Bytes. Since: 0.1
pub const BTZ_UNIT_BYTES: u32 = 2;
/// Nanoseconds; scaled to seconds. Since: 0.1
pub const BTZ_UNIT_NANOSECONDS: u32 = 3;
/// Parts per million; scaled to a ratio. Since: 0.1
pub const BTZ_UNIT_PARTS_PER_MILLION: u32 = 4;
/// Thousandths of a degree; scaled to degrees Celsius. Since: 0.1
pub const BTZ_UNIT_MILLICELSIUS: u32 = 5;
/// Millionths of a joule; scaled to joules. Since: 0.1
pub const BTZ_UNIT_MICROJOULES: u32 = 6;
/// Hertz. Since: 0.1
pub const BTZ_UNIT_HERTZ: u32 = 7;
/// 0 or 1, or the number of a state that the help text lists. Since: 0.1
pub const BTZ_UNIT_STATE: u32 = 8;

/// A metric's description. Texts are NUL-terminated and never cut. Since: 0.1
#[repr(C)]
#[derive(Clone, Copy)]
pub struct btz_metric {
    /// sizeof(btz_metric).
    pub struct_size: u32,
    /// BTZ_* of bartizan_metrics.h.
    pub id: u32,
    /// BTZ_SCOPE_*.
    pub scope: u8,
    /// BTZ_KIND_*.
    pub kind: u8,
    /// BTZ_UNIT_*: the unit of raw values.
    pub unit: u8,
    /// BTZ_SOURCE_*: where it is read.
    pub source: u8,
    /// 0.
    pub reserved: u32,
    /// What a raw value is multiplied with to get the exported one.
    pub scale: f64,
    /// Its name in OpenMetrics style, without "bartizan_" and "_total".
    pub name: [c_char; 96],
    /// The unit of scaled values, such as "seconds"; empty when it has none.
    pub exported_unit: [c_char; 16],
    /// The first kernel (or VMM, where it says so) that has it.
    pub since: [c_char; 64],
    /// One sentence for people.
    pub help: [c_char; 384],
}

size::sized!(btz_metric = 584);

/// The same as BTZ_METRIC_INIT, for languages without macros: zeroes struct_size bytes and sets the field.
/// Returns BTZ_OK, BTZ_ERR_NULL or BTZ_ERR_SIZE. Threads: any. Blocking: no. Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn btz_metric_init(metric: *mut btz_metric, struct_size: u32) -> btz_status {
    // SAFETY: the contract: NULL, or `struct_size` writable bytes.
    entry::plain(std::ptr::null_mut(), || unsafe { size::init(metric, struct_size) })
}

/// How many metrics there are. Never fails. Threads: any. Blocking: no. Since: 0.1
#[unsafe(no_mangle)]
pub extern "C" fn btz_metric_count() -> usize {
    all().count()
}

/// The metric at a place from 0 to btz_metric_count() - 1. Places move between versions; ids and names do not. out: set
/// struct_size first. Errors: BTZ_ERR_NOT_FOUND, BTZ_ERR_SIZE. Threads: any. Blocking: no. Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn btz_metric_at(place: usize, out: *mut btz_metric) -> btz_status {
    // SAFETY: the contract.
    unsafe { describe(out, || all().nth(place)) }
}

/// The metric of an id. out: set struct_size first. Errors: BTZ_ERR_NOT_FOUND, BTZ_ERR_SIZE. Threads: any.
/// Blocking: no. Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn btz_metric_by_id(id: u32, out: *mut btz_metric) -> btz_status {
    // SAFETY: the contract.
    unsafe { describe(out, || known(id).ok().map(MetricId::metric)) }
}

/// The metric of a name, such as "vm_cpu_user_seconds". name: length in bytes, no NUL needed. out: set struct_size
/// first. Errors: BTZ_ERR_NOT_FOUND, BTZ_ERR_SIZE, BTZ_ERR_ARGUMENT. Threads: any. Blocking: no. Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn btz_metric_by_name(
    name: *const c_char,
    length: usize,
    out: *mut btz_metric,
) -> btz_status {
    entry::plain(std::ptr::null_mut(), || {
        // SAFETY: the contract: `length` readable bytes.
        let name = unsafe { text::given(name, length)? };
        let found = MetricId::by_name(name).map(MetricId::metric).ok_or_else(none)?;
        // SAFETY: the contract: NULL, or a struct of the size it says.
        unsafe { size::write_out(out, view(found)) }
    })
}

fn none() -> Failure {
    Failure::new(BTZ_ERR_NOT_FOUND, "there is no such metric")
}

unsafe fn describe(out: *mut btz_metric, find: impl FnOnce() -> Option<&'static Metric>) -> btz_status {
    entry::plain(std::ptr::null_mut(), || {
        let found = find().ok_or_else(none)?;
        // SAFETY: the contract: NULL, or a struct of the size it says.
        unsafe { size::write_out(out, view(found)) }
    })
}

fn view(metric: &Metric) -> btz_metric {
    btz_metric {
        struct_size: 0,
        id: u32::from(metric.id.number()),
        scope: metric.id.scope() as u8,
        kind: metric.kind as u8,
        unit: metric.unit as u8,
        source: metric.source as u8,
        reserved: 0,
        scale: metric.unit.scale(),
        name: text::array(metric.name),
        exported_unit: text::array(metric.unit.suffix()),
        since: text::array(metric.since),
        help: text::array(metric.help),
    }
}

// The numbers of the ABI are those of the core.
const _: () = {
    assert!(BTZ_KIND_COUNTER == Kind::Counter as u32 && BTZ_KIND_GAUGE == Kind::Gauge as u32);
    assert!(BTZ_UNIT_COUNT == Unit::Count as u32 && BTZ_UNIT_BYTES == Unit::Bytes as u32);
    assert!(BTZ_UNIT_NANOSECONDS == Unit::Nanoseconds as u32);
    assert!(BTZ_UNIT_PARTS_PER_MILLION == Unit::PartsPerMillion as u32);
    assert!(BTZ_UNIT_MILLICELSIUS == Unit::MilliCelsius as u32);
    assert!(BTZ_UNIT_MICROJOULES == Unit::MicroJoules as u32);
    assert!(BTZ_UNIT_HERTZ == Unit::Hertz as u32 && BTZ_UNIT_STATE == Unit::State as u32);
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_of_a_metric_is_cut() {
        for metric in all() {
            assert!(metric.name.len() < 96, "{}", metric.name);
            assert!(metric.unit.suffix().len() < 16, "{}", metric.name);
            assert!(metric.since.len() < 64, "{}", metric.name);
            assert!(metric.help.len() < 384, "{}", metric.name);
        }
    }
}
