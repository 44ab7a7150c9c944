//! One channel: how far it is from what is usual at this hour of the day.

use super::super::math::{SIGMAS_PER_DEVIATION, narrow, weight};

/// Rows that the usual stands for.
const WINDOW: u32 = 8_000;
/// A spread is taken as no less than this part of the channel's full scale: the jitter of a channel that idles says
/// nothing.
const FLOOR: f32 = 0.02;
/// No distance is longer.
const SIGMAS_MAX: f32 = 100.0;
/// What is learned from is at most so far off, once so many rows were seen.
const REACH: f32 = 3.0;
const TRUSTED_ROWS: u32 = 20;
const VALUE_MAX: f64 = 1e30;
pub(super) const HOURS: usize = 24;

/// What is usual in one channel: a mean for each hour, and centre and spread of the distances from it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Channel {
    means: [f32; HOURS],
    met: [u16; HOURS],
    origin: f64,
    centre: f32,
    deviation: f32,
    full_scale: f32,
    seen: u32,
}

impl Channel {
    pub(super) fn new(full_scale: f64) -> Self {
        let full_scale = if full_scale.is_finite() { narrow(full_scale.abs().min(VALUE_MAX)) } else { 0.0 };
        Self {
            means: [0.0; HOURS],
            met: [0; HOURS],
            origin: 0.0,
            centre: 0.0,
            deviation: 0.0,
            full_scale,
            seen: 0,
        }
    }

    /// The distance of a value from the usual at this hour, in standard deviations; then it is learned from, in its
    /// hour by so much at least.
    pub(super) fn observe(&mut self, hour: usize, hour_weight: f32, value: f64) -> f32 {
        if !value.is_finite() {
            return 0.0;
        }
        let value = value.clamp(-VALUE_MAX, VALUE_MAX);
        if self.seen == 0 {
            self.origin = value;
        }
        let off = narrow(value - self.origin) - self.means[hour];
        self.met[hour] = self.met[hour].saturating_add(1);
        self.means[hour] += off * hour_weight.max(1.0 / f32::from(self.met[hour]));
        // The first of its hour is compared with nothing.
        let off = if self.met[hour] > 1 { off } else { 0.0 };
        self.seen = self.seen.saturating_add(1);
        self.distance(off)
    }

    fn distance(&mut self, off: f32) -> f32 {
        let sigma = self.deviation.max(FLOOR * self.full_scale) * SIGMAS_PER_DEVIATION;
        let offset = off - self.centre;
        let reach = if self.seen > TRUSTED_ROWS && sigma > 0.0 { REACH * sigma } else { f32::MAX };
        let learned = offset.clamp(-reach, reach);
        let weight = weight(self.seen, WINDOW);
        self.centre += weight * learned;
        self.deviation += weight * (learned.abs() - self.deviation);
        // What never moved says nothing when it first does: how far is far is not known.
        if sigma > 0.0 { (offset / sigma).clamp(-SIGMAS_MAX, SIGMAS_MAX) } else { 0.0 }
    }
}
