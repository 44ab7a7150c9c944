//! What is usual for a series, and how far the last few samples lie from it.
//!
//! A centre and a spread that follow slowly. What is learned from a sample is pulled in to within [`REACH_SIGMAS`], so
//! that a spike of any height moves them by a bounded step; a lasting change becomes the new usual in the end.

use bytemuck::Zeroable;

use super::math::{SIGMAS_PER_DEVIATION, follow, narrow, weight};

/// Samples that the usual stands for.
const WINDOW: u32 = 1_000;
/// Samples whose mean is held against it.
const SHORT_WINDOW: u32 = 16;
const REACH_SIGMAS: f64 = 3.0;
/// Before so many samples the spread is not trusted to pull anything in.
const TRUSTED_SAMPLES: u32 = 5;
/// A distance beyond this says no more than this one.
pub(super) const SIGMAS_MAX: f32 = 100.0;
/// In the short mean one sample counts for so much at most: a level is more than one spike.
const SHORT_SIGMAS_MAX: f32 = 6.0;

/// The slow centre and spread, and the short mean.
#[derive(Clone, Copy, Debug, Zeroable)]
pub(super) struct Level {
    centre: f64,
    deviation: f64,
    short: f32,
}

impl Level {
    pub(super) const fn new() -> Self {
        Self { centre: 0.0, deviation: 0.0, short: 0.0 }
    }

    pub(super) const fn centre(&self) -> f64 {
        self.centre
    }

    pub(super) const fn deviation(&self) -> f64 {
        self.deviation
    }

    /// Standard deviations between a value and the usual; `seen` samples were learned from.
    pub(super) fn distance(&self, value: f64, seen: u32) -> f32 {
        if seen == 0 {
            return 0.0;
        }
        ratio(value - self.centre, self.deviation)
    }

    /// The mean of the last few distances, this one included, either way.
    pub(super) fn shift(&mut self, distance: f32, seen: u32) -> f32 {
        follow(&mut self.short, distance.clamp(-SHORT_SIGMAS_MAX, SHORT_SIGMAS_MAX), seen + 1, SHORT_WINDOW);
        self.short.abs()
    }

    /// A value no further from the centre than so many standard deviations.
    pub(super) fn pulled_in(&self, value: f64, sigmas: f64, seen: u32) -> f64 {
        if self.deviation <= 0.0 || seen <= TRUSTED_SAMPLES {
            return value;
        }
        let reach = sigmas * f64::from(SIGMAS_PER_DEVIATION) * self.deviation;
        value.clamp(self.centre - reach, self.centre + reach)
    }

    /// Learns from a sample, the one after `seen`.
    pub(super) fn learn(&mut self, value: f64, seen: u32) {
        let value = self.pulled_in(value, REACH_SIGMAS, seen);
        if seen > 0 {
            let offset = (value - self.centre).abs();
            self.deviation += (offset - self.deviation) * f64::from(weight(seen, WINDOW));
        }
        self.centre += (value - self.centre) * f64::from(weight(seen + 1, WINDOW));
    }
}

/// An offset in standard deviations. Where nothing ever moved, any move is as far as it gets.
pub(super) fn ratio(offset: f64, deviation: f64) -> f32 {
    if deviation > 0.0 {
        (narrow((offset / deviation).clamp(-1e6, 1e6)) / SIGMAS_PER_DEVIATION).clamp(-SIGMAS_MAX, SIGMAS_MAX)
    } else if offset == 0.0 {
        0.0
    } else {
        narrow(offset.signum()) * SIGMAS_MAX
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spike_moves_it_by_a_bounded_step_and_a_lasting_change_becomes_the_usual() {
        let mut level = Level::new();
        let noise = |index: u32| f64::from(index.wrapping_mul(2_654_435_761) >> 16) / 65_536.0;
        (0..2_000).for_each(|seen| level.learn(noise(seen), seen));
        let before = level;
        level.learn(1e30, 2_000);
        assert!((level.centre - before.centre).abs() < 0.01);
        assert!(level.distance(3.0, 2_001) > 5.0);
        (2_001..12_000).for_each(|seen| level.learn(noise(seen) + 50.0, seen));
        assert!(level.distance(50.5, 12_000).abs() < 1.0, "{level:?}");
    }

    #[test]
    fn what_never_moved_is_surprised_by_anything() {
        let mut level = Level::new();
        (0..100).for_each(|seen| level.learn(7.0, seen));
        assert!(level.distance(7.0, 100).abs() < f32::EPSILON);
        assert!((level.distance(7.1, 100) - SIGMAS_MAX).abs() < f32::EPSILON);
        assert!((level.distance(6.9, 100) + SIGMAS_MAX).abs() < f32::EPSILON);
    }
}
