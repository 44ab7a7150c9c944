//! KVM's binary statistics (Documentation/virt/kvm/api.rst, `KVM_GET_STATS_FD`).
//!
//! ```text
//! header (24 bytes)     flags u32 | name_size u32 | num_desc u32 | id_offset u32 | desc_offset u32 | data_offset u32
//! at id_offset          name_size bytes: "kvm-<pid>" or "kvm-<pid>/vcpu-<id>"
//! at desc_offset        num_desc × ( flags u32 | exponent i16 | size u16 | offset u32 | bucket_size u32
//!                                    | name: name_size bytes, zero-terminated )
//! at data_offset        u64 values; a descriptor's offset counts from here, in bytes
//! ```
//! Header and descriptors never change while the descriptor is open, so they are read once; each tick reads only the
//! data. All integers are in the machine's byte order.

use crate::sampling::availability::Availability;
use crate::sampling::metrics::{MetricId, Unit};

/// Bytes of a descriptor before its name.
const DESCRIPTOR_BYTES: usize = 16;
/// More than any kernel has; what claims more is not believed.
const DESCRIPTORS_MAX: u32 = 1_024;
const NAME_BYTES_MAX: u32 = 256;
/// The whole description: what must be read to learn the layout.
pub(super) const DESCRIPTION_BYTES_MAX: usize = 64 * 1_024;
/// The data of one vCPU or VM: what is read each tick.
pub(super) const DATA_BYTES_MAX: usize = 4_096;

const TYPE_MASK: u32 = 0xf;
const TYPE_PEAK: u32 = 2;
const UNIT_SHIFT: u32 = 4;
const UNIT_MASK: u32 = 0xf;
const UNIT_SECONDS: u32 = 2;
const BASE_SHIFT: u32 = 8;
const BASE_MASK: u32 = 0xf;
const BASE_POW10: u32 = 0;

/// Why a description is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LayoutError {
    /// It ends before what it announces.
    Truncated,
    /// A count or size beyond any kernel's.
    TooLarge,
    /// A value lies outside of the data.
    OutOfRange,
}

impl std::fmt::Display for LayoutError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Truncated => "the description ends before what it announces",
            Self::TooLarge => "a count or size is beyond any kernel's",
            Self::OutOfRange => "a value lies outside of the data",
        })
    }
}

/// Where the wanted values lie.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Layout {
    /// Where the data begins in the file.
    pub(super) data_offset: u32,
    /// How much of the data is read.
    pub(super) data_bytes: usize,
    /// The wanted values: metric of the wanted list, offset in the data, and multiplier to the metric's unit.
    values: Box<[Value]>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Value {
    /// Position in the list of wanted names.
    index: u16,
    offset: u32,
    scale: i64,
}

fn u32_at(bytes: &[u8], offset: usize) -> Result<u32, LayoutError> {
    let end = offset.checked_add(4).ok_or(LayoutError::TooLarge)?;
    let field = bytes.get(offset..end).ok_or(LayoutError::Truncated)?;
    Ok(u32::from_ne_bytes(field.try_into().map_err(|_| LayoutError::Truncated)?))
}

fn u16_at(bytes: &[u8], offset: usize) -> Result<u16, LayoutError> {
    let field = bytes.get(offset..offset + 2).ok_or(LayoutError::Truncated)?;
    Ok(u16::from_ne_bytes(field.try_into().map_err(|_| LayoutError::Truncated)?))
}

fn size(value: u32) -> usize {
    usize::try_from(value).unwrap_or(usize::MAX)
}

/// The id string, such as `kvm-123/vcpu-0`; empty when there is none.
#[must_use]
pub(super) fn id(description: &[u8]) -> &str {
    let read = || -> Result<&[u8], LayoutError> {
        let length = size(u32_at(description, 4)?.min(NAME_BYTES_MAX));
        let offset = size(u32_at(description, 12)?);
        let end = offset.checked_add(length).ok_or(LayoutError::TooLarge)?;
        description.get(offset..end).ok_or(LayoutError::Truncated)
    };
    let bytes = read().unwrap_or_default();
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    std::str::from_utf8(&bytes[..end]).unwrap_or_default()
}

impl Layout {
    /// Learns where the values of the wanted names lie. `wanted` gives the name and unit of each position.
    ///
    /// # Errors
    /// See [`LayoutError`]. A wanted name that the kernel does not have is no error.
    pub(super) fn learn(description: &[u8], wanted: &[(&str, Unit)]) -> Result<Self, LayoutError> {
        let name_bytes = u32_at(description, 4)?;
        let count = u32_at(description, 8)?;
        let descriptors = size(u32_at(description, 16)?);
        let data_offset = u32_at(description, 20)?;
        if name_bytes > NAME_BYTES_MAX || count > DESCRIPTORS_MAX {
            return Err(LayoutError::TooLarge);
        }
        let stride = DESCRIPTOR_BYTES + size(name_bytes);
        let mut values = Vec::new();
        let mut data_bytes = 0;
        for number in 0..size(count) {
            let at = descriptors.checked_add(number * stride).ok_or(LayoutError::TooLarge)?;
            let end = at.checked_add(stride).ok_or(LayoutError::TooLarge)?;
            let descriptor = description.get(at..end).ok_or(LayoutError::Truncated)?;
            let flags = u32_at(descriptor, 0)?;
            let exponent = i16::from_ne_bytes(u16_at(descriptor, 4)?.to_ne_bytes());
            let elements = u16_at(descriptor, 6)?;
            let offset = u32_at(descriptor, 8)?;
            let name = &descriptor[DESCRIPTOR_BYTES..];
            let name = &name[..name.iter().position(|byte| *byte == 0).unwrap_or(name.len())];
            // Histograms hold more than one element, and are not read.
            if flags & TYPE_MASK > TYPE_PEAK || elements != 1 {
                continue;
            }
            let found = wanted.iter().position(|(wanted, _)| wanted.as_bytes() == name);
            let Some(index) = found else { continue };
            let Some(scale) = scale(flags, exponent, wanted[index].1) else { continue };
            let end = size(offset).checked_add(8).ok_or(LayoutError::TooLarge)?;
            if end > DATA_BYTES_MAX {
                return Err(LayoutError::OutOfRange);
            }
            data_bytes = data_bytes.max(end);
            values.push(Value { index: u16::try_from(index).unwrap_or(u16::MAX), offset, scale });
        }
        Ok(Self { data_offset, data_bytes, values: values.into_boxed_slice() })
    }

    /// Where the values of the wanted names lie whose places are known by other means: `place` gives each name's offset
    /// in the data. KVM names times after their unit, nanoseconds.
    pub(super) fn of_places(
        data_bytes: usize,
        wanted: &[(&str, Unit)],
        place: impl Fn(&str) -> Option<u32>,
    ) -> Self {
        let values = wanted.iter().enumerate().filter_map(|(index, (name, unit))| {
            let fits = name.ends_with("_ns") == (*unit == Unit::Nanoseconds);
            let offset = place(name).filter(|offset| fits && size(*offset) + 8 <= data_bytes)?;
            Some(Value { index: u16::try_from(index).unwrap_or(u16::MAX), offset, scale: 1 })
        });
        Self { data_offset: 0, data_bytes, values: values.collect() }
    }

    /// The values in the data: position in the wanted list, and value. The kernel's counters are `u64`; one beyond
    /// `i64` stays at its maximum.
    pub(super) fn values<'d>(&'d self, data: &'d [u8]) -> impl Iterator<Item = (usize, i64)> + 'd {
        self.values.iter().filter_map(move |value| {
            let at = size(value.offset);
            let bytes = data.get(at..at + 8)?.try_into().ok()?;
            let raw = i64::try_from(u64::from_ne_bytes(bytes)).unwrap_or(i64::MAX);
            Some((usize::from(value.index), raw.saturating_mul(value.scale)))
        })
    }

    /// Positions of the wanted list that this kernel has, in no order.
    pub(super) fn known(&self) -> impl Iterator<Item = usize> + '_ {
        self.values.iter().map(|value| usize::from(value.index))
    }
}

/// What to multiply a value with to get the metric's unit; `None` when the units do not fit each other.
fn scale(flags: u32, exponent: i16, unit: Unit) -> Option<i64> {
    let seconds = (flags >> UNIT_SHIFT) & UNIT_MASK == UNIT_SECONDS;
    let wants_time = unit == Unit::Nanoseconds;
    if seconds != wants_time {
        return None;
    }
    if !seconds {
        return (exponent == 0).then_some(1);
    }
    if (flags >> BASE_SHIFT) & BASE_MASK != BASE_POW10 {
        return None;
    }
    // Seconds × 10^exponent, in nanoseconds.
    let power = u32::try_from(exponent.checked_add(9)?).ok()?;
    10i64.checked_pow(power)
}

/// For a wanted metric whose name this kernel lacks.
pub(super) const ABSENT: Availability = Availability::Unsupported;

/// Name and unit of a metric, as [`Layout::learn`] wants them.
pub(super) fn wanted(name: &'static str, metric: MetricId) -> (&'static str, Unit) {
    (name, metric.metric().unit)
}

#[cfg(test)]
#[path = "kvm_stats_tests.rs"]
mod tests;
