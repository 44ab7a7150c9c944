//! The signs about one subject, added up, against what is usual for that subject.
//!
//! A truncated Fisher combination: a sign whose tail probability is below one in ten weighs by how many natural
//! logarithms it is below; the others weigh nothing, so that many indifferent series do not drown one that is not.
//! Signs depend on each other: a busy vCPU also exits more often. What their sum means is therefore not worked out but
//! learnt, from the subject's own time: the level that is passed once in fifty, and by how much it is passed then on
//! average. Independent signs are passed by one logarithm on average; signs that all say the same, by many.

use crate::detection::streaming::math::{count, exp, ln};
use bytemuck::Zeroable;

/// The sum is learned from once in so long.
pub(in crate::detection) const SPAN_NS: u64 = 10_000_000_000;
/// A strength from which a sum is beyond what is met once in fifty: `ln 50`.
pub(super) const BEYOND: f32 = 3.912_023;
const BEYOND_PART: f32 = 0.02;
/// No strength is greater: beyond it nothing can be learnt in the life of a host.
pub(super) const STRENGTH_MAX: f32 = 40.0;
const COUNTS_FROM: f32 = std::f32::consts::LN_10;
/// Weights are whole numbers, so that their sum is the same in any order.
const UNITS: f32 = 1_024.0;
/// How the level follows: quickly at first, slowly later.
const STEP_FIRST: f32 = 1.0;
const STEP_LAST: f32 = 0.05;
const STEP_HALVED_AFTER: f32 = 50.0;
/// The mean excess is presumed to be one logarithm, as if it had been passed so many times; it stands for so many times.
const PRESUMED: u32 = 20;
const REMEMBERED: u32 = 500;
/// What is learned from is at most so many mean excesses.
const REACH: f32 = 4.0;

/// What a tail probability weighs.
pub(in crate::detection) fn weight_of(probability: f32) -> i32 {
    let weight = (-ln(probability.clamp(1e-30, 1.0)) - COUNTS_FROM).max(0.0);
    #[expect(clippy::cast_possible_truncation, reason = "at most 70 times the units")]
    let units = (weight * UNITS) as i32;
    units
}

/// How likely a strength is in quiet time.
pub(in crate::detection) fn likelihood(strength: f32) -> f32 {
    exp(-strength)
}

/// What is usual for one subject. All zeroes is one of which nothing is known.
#[repr(C)]
#[derive(Clone, Copy, Debug, Zeroable)]
pub(in crate::detection) struct Evidence {
    level: f32,
    /// Less one.
    excess: f32,
    judged: u32,
    passed: u32,
}

impl Evidence {
    /// How strong a sum of weights is: minus the logarithm of its probability; 0 while it is not unusual.
    pub(in crate::detection) fn strength(&self, total: i32) -> f32 {
        let total = in_logarithms(total);
        if total <= self.level || self.judged == 0 {
            return 0.0;
        }
        (BEYOND + (total - self.level) / self.mean_excess()).min(STRENGTH_MAX)
    }

    /// Learns from the sum of so many signs; to be called every [`SPAN_NS`].
    pub(in crate::detection) fn learn(&mut self, total: i32, signs: u32) {
        let total = in_logarithms(total);
        if self.judged == 0 {
            // The mean and 2.5 standard deviations of a sum of independent signs.
            let signs = count(signs.min(10_000));
            self.level = 0.1 * signs + 2.5 * (0.19 * signs).sqrt() + 1.0;
        }
        let beyond = total > self.level;
        if beyond {
            self.passed = self.passed.saturating_add(1);
            let excess = (total - self.level).min(REACH * self.mean_excess());
            let weight = 1.0 / count((self.passed.saturating_add(PRESUMED)).min(REMEMBERED));
            self.excess += (excess - self.mean_excess()) * weight;
        }
        let step = (STEP_FIRST / (1.0 + count(self.judged.min(100_000)) / STEP_HALVED_AFTER)).max(STEP_LAST);
        let direction = if beyond { 1.0 - BEYOND_PART } else { -BEYOND_PART };
        self.level = (self.level + step * self.mean_excess() * direction).max(0.0);
        self.judged = self.judged.saturating_add(1);
    }

    fn mean_excess(&self) -> f32 {
        (self.excess + 1.0).max(0.25)
    }
}

/// A weight, or a sum of them, in natural logarithms.
#[expect(clippy::cast_precision_loss, reason = "tens of logarithms in 1,024ths, a few hundred of them")]
pub(in crate::detection) fn in_logarithms(total: i32) -> f32 {
    total as f32 / UNITS
}
