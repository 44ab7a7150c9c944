//! What is abnormal in many channels of one machine together, row by row.
//!
//! ```text
//! row ─┬─ usual of a day   ─▶ distances ─▶ less  2 common components ─▶ mean of the 3 largest ──────────────┐
//!      └─ usual of a week  ─▶ distances ─▶ less  8 common components ─▶ mean of all ─▶ smoothed over 30 ──── + ─▶ score
//! ```
//! Channels of a machine rise and fall together: what a few components explain, learnt online, is load. What is left
//! over is what no other channel explains. The first part tells of short events, the second of long ones.
//!
//! All memory is taken when it is created; a row allocates nothing and costs the same as any other.

mod channel;
mod components;

use channel::Channel;
use components::Components;

/// What makes a score of [`super::ALARM_SCORE`].
const ALARM_DISTANCE: f32 = 14.1;
const LARGEST: usize = 3;
const SMOOTHED_ROWS: f32 = 30.0;
const SMOOTHED_WEIGHT: f32 = 2.0;

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
    brief: Box<[f32]>,
    lasting: Box<[f32]>,
    few: Components,
    many: Components,
    smoothed: f32,
    rows: u32,
}

impl Multivariate {
    /// A detector that has seen nothing, with the full scale of each channel: how far apart its values can lie (1 for
    /// a part of a whole). Two hundredths of it are never unusual. 0 is a channel of which nothing is known.
    #[must_use]
    pub fn new(full_scales: &[f64]) -> Self {
        let channels = full_scales.len();
        Self {
            channels: full_scales.iter().map(|full_scale| Channel::new(*full_scale)).collect(),
            brief: vec![0.0; channels].into(),
            lasting: vec![0.0; channels].into(),
            few: Components::new(2, channels),
            many: Components::new(8, channels),
            smoothed: 0.0,
            rows: 0,
        }
    }

    /// Judges a row and learns from it. Values that are no numbers, and those that are missing at its end, say
    /// nothing; those too many are not looked at.
    pub fn observe(&mut self, row: &[f64]) -> RowVerdict {
        for (index, channel) in self.channels.iter_mut().enumerate() {
            let value = row.get(index).copied().unwrap_or(f64::NAN);
            (self.brief[index], self.lasting[index]) = channel.observe(value);
        }
        self.few.remove(&mut self.brief, self.rows);
        self.many.remove(&mut self.lasting, self.rows);
        self.rows = self.rows.saturating_add(1);

        let (largest, channels) = largest(&self.brief);
        let all: f32 = self.lasting.iter().map(|left| left.abs()).sum();
        let mean = all / channel::count(self.lasting.len().max(1));
        self.smoothed += (mean - self.smoothed) / SMOOTHED_ROWS;
        let distance = largest + SMOOTHED_WEIGHT * self.smoothed;
        RowVerdict { score: distance / (ALARM_DISTANCE + distance), channels }
    }
}

/// The mean of the largest distances, and whose they are.
fn largest(distances: &[f32]) -> (f32, [Option<usize>; LARGEST]) {
    let mut found = [(-1.0, None); LARGEST];
    for (index, distance) in distances.iter().enumerate() {
        let mut next = (distance.abs(), Some(index));
        for place in &mut found {
            if next.0 > place.0 {
                std::mem::swap(place, &mut next);
            }
        }
    }
    let sum: f32 = found.iter().map(|(distance, _)| distance.max(0.0)).sum();
    (sum / channel::count(LARGEST.min(distances.len()).max(1)), found.map(|(_, index)| index))
}

#[cfg(test)]
mod tests;
