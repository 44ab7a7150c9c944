//! What was read of one row, before the row is opened.
//!
//! Readers spin while a row is being written, so every file is read first; only then is the row opened, filled from
//! here and closed again.

use crate::sampling::availability::Availability;
use crate::sampling::frame::RowWriter;
use crate::sampling::metrics::{MetricId, Source};
use arrayvec::ArrayVec;

/// At least the columns of the widest row.
const VALUES_MAX: usize = 256;
/// At least the sources of one row, each once as failed and once as read.
const SOURCES_MAX: usize = 2 * Source::COUNT;

/// Values, failures and times on their way into one row.
#[derive(Default)]
pub(super) struct Batch {
    values: ArrayVec<(MetricId, Result<i64, Availability>), VALUES_MAX>,
    failed: ArrayVec<(Source, Availability), SOURCES_MAX>,
    read: ArrayVec<Source, SOURCES_MAX>,
}

impl Batch {
    /// One value, or why there is none.
    pub(super) fn put(&mut self, metric: MetricId, value: Result<i64, Availability>) {
        let full = self.values.try_push((metric, value)).is_err();
        debug_assert!(!full, "more values than columns");
    }

    /// One value.
    pub(super) fn set(&mut self, metric: MetricId, value: u64) {
        self.put(metric, Ok(i64::try_from(value).unwrap_or(i64::MAX)));
    }

    /// The source answered in this tick.
    pub(super) fn answered(&mut self, source: Source) {
        if !self.read.contains(&source) {
            let _ = self.read.try_push(source);
        }
    }

    /// The source as a whole has no values, and why. Values put into this batch stand nevertheless.
    pub(super) fn fail(&mut self, source: Source, availability: Availability) {
        let full = self.failed.try_push((source, availability)).is_err();
        debug_assert!(!full, "more failures than sources");
    }

    /// Empties it for the next row.
    pub(super) fn clear(&mut self) {
        self.values.clear();
        self.failed.clear();
        self.read.clear();
    }

    /// Whether there is nothing to write.
    pub(super) fn is_empty(&self) -> bool {
        self.values.is_empty() && self.failed.is_empty() && self.read.is_empty()
    }

    /// Fills the row.
    pub(super) fn write(&self, row: &mut RowWriter<'_>, read_at_ns: u64) {
        for (source, availability) in &self.failed {
            row.fail_source(*source, *availability);
        }
        for (metric, value) in &self.values {
            match value {
                Ok(value) => row.set(*metric, *value),
                Err(availability) => row.fail(*metric, *availability),
            }
        }
        for source in &self.read {
            row.stamp(*source, read_at_ns);
        }
    }

    /// Everything that was put, for readings that travel another way than through a row.
    pub(super) fn values(&self) -> impl Iterator<Item = (MetricId, Result<i64, Availability>)> + '_ {
        self.values.iter().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sampling::metrics::Scope;

    #[test]
    fn every_row_fits() {
        for scope in [Scope::Vm, Scope::Vcpu, Scope::VmNet] {
            assert!(scope.metrics().len() <= VALUES_MAX, "{}", scope.name());
        }
    }
}
