//! What is abnormal in many channels of one machine together, row by row.
//!
//! ```text
//! row ─▶ distances from the usual at this hour ─┬─▶ mean of the 8 largest ─┬─ × 2 ─────────────────────┐
//!                                               │                          └─ smoothed over 10 rows ── + ─▶ score
//!                                               └─▶ less 2 common components ─▶ mean of the 3 largest ─┘
//! ```
//! Channels of a machine rise and fall together, and with the day: what the hour and a few components explain, learnt
//! online, is load. What is left over is what nothing explains; and when many channels are far off, that is no load
//! either, however well they agree.
//!
//! All memory is taken when it is created; a row allocates nothing and costs the same as any other.

mod channel;
mod components;

use channel::{Channel, HOURS};
use components::Components;

/// What makes a score of [`super::ALARM_SCORE`].
const ALARM_DISTANCE: f32 = 30.0;
const LARGEST: usize = 3;
const LARGEST_TOGETHER: usize = 8;
const TOGETHER_WEIGHT: f32 = 2.0;
/// The same again, smoothed over so many rows: what lasts is surer than what comes and goes.
const SMOOTHED_ROWS: f32 = 10.0;
const COMPONENTS: usize = 2;
const HOUR_NS: u64 = 3_600_000_000_000;
/// The weight of an hour's worth of rows in that hour's mean: it stands for the last four days or so.
const WEIGHT_PER_HOUR: f32 = 0.24;
/// What a single row may weigh, however rare they are.
const ROW_WEIGHT_MAX: f32 = 0.24;

/// What is said of one row.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RowVerdict {
    /// 0 is nothing unusual, an alarm is from [`super::ALARM_SCORE`] on.
    pub score: f32,
    /// The channels furthest from what the others explain, the furthest first; `None` where there are fewer.
    pub channels: [Option<usize>; LARGEST],
}

/// The detector of the channels of one machine.
#[derive(Clone, Debug)]
pub struct Multivariate {
    channels: Box<[Channel]>,
    distances: Box<[f32]>,
    components: Components,
    rows: u32,
    last_ns: u64,
    smoothed: f32,
}

impl Multivariate {
    /// A detector that has seen nothing, with the full scale of each channel: how far apart its values can lie (1 for
    /// a part of a whole). Two hundredths of it are never unusual. 0 is a channel of which nothing is known.
    #[must_use]
    pub fn new(full_scales: &[f64]) -> Self {
        let channels = full_scales.len();
        Self {
            channels: full_scales.iter().map(|full_scale| Channel::new(*full_scale)).collect(),
            distances: vec![0.0; channels].into(),
            components: Components::new(COMPONENTS, channels),
            rows: 0,
            last_ns: 0,
            smoothed: 0.0,
        }
    }

    /// Judges a row and learns from it. `time_ns` tells the hour of the day. Values that are no numbers, and those
    /// that are missing at the row's end, say nothing; those too many are not looked at.
    pub fn observe(&mut self, time_ns: u64, row: &[f64]) -> RowVerdict {
        let elapsed_ns = if self.rows == 0 { 0 } else { time_ns.saturating_sub(self.last_ns) };
        self.last_ns = time_ns;
        let weight = (hours(elapsed_ns) * WEIGHT_PER_HOUR).min(ROW_WEIGHT_MAX);
        let hour = usize::try_from((time_ns / HOUR_NS) % 24).unwrap_or(0).min(HOURS - 1);
        for (index, channel) in self.channels.iter_mut().enumerate() {
            let value = row.get(index).copied().unwrap_or(f64::NAN);
            self.distances[index] = channel.observe(hour, weight, value);
        }
        let (together, _) = largest::<LARGEST_TOGETHER>(&self.distances);
        self.components.remove(&mut self.distances, self.rows);
        self.rows = self.rows.saturating_add(1);
        let (left, channels) = largest::<LARGEST>(&self.distances);
        self.smoothed += (together - self.smoothed) / SMOOTHED_ROWS;
        let distance = left + TOGETHER_WEIGHT * together + self.smoothed;
        RowVerdict { score: distance / (ALARM_DISTANCE + distance), channels }
    }
}

/// The mean of the largest distances, and whose they are.
fn largest<const N: usize>(distances: &[f32]) -> (f32, [Option<usize>; N]) {
    let mut found = [(-1.0, None); N];
    for (index, distance) in distances.iter().enumerate() {
        let mut next = (distance.abs(), Some(index));
        if next.0 > found[N - 1].0 {
            for place in &mut found {
                if next.0 > place.0 {
                    std::mem::swap(place, &mut next);
                }
            }
        }
    }
    let sum: f32 = found.iter().map(|(distance, _)| distance.max(0.0)).sum();
    (sum / count(N.min(distances.len()).max(1)), found.map(|(_, index)| index))
}

#[expect(clippy::cast_precision_loss, reason = "a gap of centuries may be off by a minute")]
fn hours(elapsed_ns: u64) -> f32 {
    elapsed_ns as f32 / HOUR_NS as f32
}

#[expect(clippy::cast_precision_loss, reason = "numbers of channels and of rows in a window")]
fn count(number: usize) -> f32 {
    number as f32
}

#[cfg(test)]
mod tests;
