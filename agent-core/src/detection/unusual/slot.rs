//! One watched series: its samples become means over a block of time, its detector judges those, and its weight among
//! the signs of its subject follows.

use crate::detection::fusion::weight_of;
use crate::detection::streaming::Univariate;
use bytemuck::Zeroable;

/// How a series of an `unusual` rule is looked at.
#[derive(Clone, Copy, Debug)]
pub(in crate::detection) struct Habit {
    pub(in crate::detection) above: bool,
    pub(in crate::detection) below: bool,
    pub(in crate::detection) min_change: f64,
    pub(in crate::detection) every_ns: u64,
}

/// So many means are only learned from.
pub(super) const WARM_UP_MEANS: u32 = 120;
/// A block of which so much was seen is long enough: clocks and ticks do not meet to the nanosecond.
const LONG_ENOUGH_PERCENT: u64 = 95;

/// One watched series. All zeroes is a free slot.
#[repr(C)]
#[derive(Clone, Copy, Debug, Zeroable)]
pub(super) struct Slot {
    detector: Univariate,
    /// The block: the sum of its samples times their seconds, those seconds, and when it began.
    sum: f64,
    seconds: f64,
    began_ns: u64,
    /// When the last mean was judged; 0 is never.
    pub(super) judged_ns: u64,
    /// Since when it has been a sign, of the samples' time; 0 while it is none.
    pub(super) since_ns: u64,
    /// The last mean, and how far below and above it the ends of what was expected lay.
    value: f64,
    low: f32,
    high: f32,
    pub(super) probability: f32,
    pub(super) weight: i32,
    pub(super) row: u32,
    pub(super) generation: u32,
    pub(super) subject: u32,
    /// Neighbours among the slots of the subject, counted from 1. A free slot: the next free one.
    pub(super) next: u32,
    pub(super) previous: u32,
    pub(super) rule: u16,
    pub(super) used: u16,
}

impl Slot {
    /// A used one in front of another one.
    pub(super) fn before(next: u32) -> Self {
        Self { used: 1, next, ..Self::zeroed() }
    }

    /// A free one in front of another one.
    pub(super) fn free(next: u32) -> Self {
        Self { next, ..Self::zeroed() }
    }

    pub(super) const fn is_used(&self) -> bool {
        self.used == 1
    }

    /// Whether it only learns yet.
    pub(super) const fn is_warming(&self) -> bool {
        self.detector.samples() < WARM_UP_MEANS
    }

    /// What was seen last, and the range that was expected.
    pub(super) fn last(&self) -> (f64, f64, f64) {
        (self.value, self.value + f64::from(self.low), self.value + f64::from(self.high))
    }

    /// Takes a sample that stands for the time since the one before, 0 when there is none before it. Returns the mean
    /// when a block is complete.
    pub(super) fn take(&mut self, value: f64, elapsed_ns: u64, at_ns: u64, every_ns: u64) -> Option<f64> {
        if elapsed_ns == 0 {
            // What was not seen is no part of any block.
            (self.sum, self.seconds) = (0.0, 0.0);
            self.began_ns = at_ns;
            return None;
        }
        let seconds = crate::detection::table::nanoseconds(elapsed_ns) * 1e-9;
        self.sum += value * seconds;
        self.seconds += seconds;
        if at_ns.saturating_sub(self.began_ns).saturating_mul(100)
            < every_ns.saturating_mul(LONG_ENOUGH_PERCENT)
        {
            return None;
        }
        let mean = self.sum / self.seconds;
        (self.sum, self.seconds, self.began_ns) = (0.0, 0.0, at_ns);
        Some(mean)
    }

    /// Lets the first block end earlier by a part of it that differs from slot to slot.
    pub(super) fn stagger(&mut self, slot: u32, at_ns: u64, every_ns: u64) {
        self.began_ns = at_ns.saturating_sub(every_ns / 16 * u64::from(slot % 16));
    }

    /// Judges a mean, and learns from it. `wall_ns` tells the hour; `told` says that its subject is told to be out of the
    /// ordinary. Returns the weight it has now.
    pub(super) fn judge(&mut self, mean: f64, at_ns: u64, wall_ns: u64, habit: &Habit, told: bool) -> i32 {
        let warming = self.is_warming();
        let verdict = if told {
            self.detector.observe_extraordinary(wall_ns, mean)
        } else {
            self.detector.observe(wall_ns, mean)
        };
        let (min, max) = verdict.expected;
        let centre = f64::midpoint(min, max);
        // How far it is off; what has fallen silent is off by as much as it used to move.
        let off = (mean - centre).abs().max((max - min) * 0.5);
        let side = if mean < centre { habit.below } else { habit.above };
        let counts = !warming && side && off >= habit.min_change;
        self.probability = if counts { verdict.tail_probability } else { 1.0 };
        let weight = weight_of(self.probability);
        if weight == 0 {
            self.since_ns = 0;
        } else if self.since_ns == 0 {
            self.since_ns = if self.judged_ns == 0 { at_ns } else { self.judged_ns };
        }
        self.judged_ns = at_ns;
        self.value = mean;
        (self.low, self.high) = (narrowed(min - mean), narrowed(max - mean));
        weight
    }
}

fn narrowed(offset: f64) -> f32 {
    crate::detection::streaming::math::narrow(offset.clamp(-1e30, 1e30))
}
