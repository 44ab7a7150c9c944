//! Counters become rates between two looks at the frame.

use bartizan_core::engine::Reader;
use bartizan_core::sampling::frame::Entity;
use bartizan_core::sampling::metrics::MetricId;
use std::collections::HashMap;

/// Remembers the last reading of every counter that was asked for.
#[derive(Default)]
pub struct Rates {
    last: HashMap<(Entity, MetricId), Point>,
    round: u64,
}

struct Point {
    value: i64,
    read_at_ns: u64,
    /// The rate of the interval before, kept until the source is read again.
    rate: Option<f64>,
    round: u64,
}

impl Rates {
    /// Begins a round of looks: what is not asked for in two rounds is forgotten.
    pub fn begin(&mut self) {
        let round = self.round;
        self.last.retain(|_, point| point.round >= round);
        self.round += 1;
    }

    /// Per second, in the exported unit; `None` until the counter was read twice, when it has no value, and when it
    /// went backwards.
    pub fn rate(&mut self, reader: &Reader, entity: Entity, metric: MetricId) -> Option<f64> {
        let reading = reader.read(entity, metric);
        let value = reading.ok()?;
        self.note((entity, metric), value, reading.read_at_ns).map(|rate| rate * metric.metric().unit.scale())
    }

    fn note(&mut self, key: (Entity, MetricId), value: i64, read_at_ns: u64) -> Option<f64> {
        let round = self.round;
        let Some(point) = self.last.get_mut(&key) else {
            self.last.insert(key, Point { value, read_at_ns, rate: None, round });
            return None;
        };
        point.round = round;
        if read_at_ns > point.read_at_ns {
            point.rate = value
                .checked_sub(point.value)
                .filter(|difference| *difference >= 0)
                .map(|difference| float(difference) / float_u64(read_at_ns - point.read_at_ns) * 1e9);
            point.value = value;
            point.read_at_ns = read_at_ns;
        }
        point.rate
    }
}

/// A stored value as a float; beyond 2^53 the last digits go, which no screen shows.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "for people's eyes, three digits are kept")]
pub const fn float(value: i64) -> f64 {
    value as f64
}

#[expect(clippy::cast_precision_loss, reason = "an interval in nanoseconds is far below 2^53")]
const fn float_u64(value: u64) -> f64 {
    value as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use bartizan_core::sampling::metrics::host;

    #[test]
    fn a_rate_is_kept_until_the_source_is_read_again_and_none_after_a_reset() {
        let mut rates = Rates::default();
        let key = (Entity::HOST, host::CPU_USER);
        assert_eq!(rates.note(key, 10, 1_000_000_000), None);
        assert_eq!(rates.note(key, 30, 3_000_000_000), Some(10.0));
        assert_eq!(rates.note(key, 30, 3_000_000_000), Some(10.0), "not read anew");
        assert_eq!(rates.note(key, 5, 4_000_000_000), None, "went backwards");
        assert_eq!(rates.note(key, 6, 5_000_000_000), Some(1.0));
    }

    #[test]
    fn what_nobody_asks_for_is_forgotten() {
        let mut rates = Rates::default();
        rates.begin();
        rates.note((Entity::HOST, host::CPU_USER), 1, 1);
        rates.begin();
        rates.begin();
        assert!(rates.last.is_empty());
    }
}
