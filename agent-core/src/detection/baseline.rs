//! What is usual for one row: a centre and a spread that follow the samples slowly and shrug off outliers.
//!
//! Both are exponentially weighted means. Before a sample is learned from it is pulled in to within
//! [`WINSOR_SIGMAS`] of the centre, so that a spike of any height moves the baseline by a bounded step; and since the
//! spread grows when samples keep lying at that edge, a lasting change becomes the new usual in the end. The mean
//! absolute deviation of normal samples is `sqrt(2/π)` of their standard deviation.
//!
//! Only additions, multiplications and divisions: the same on every machine, for replay.

use super::series::Verdict;
use bytemuck::Zeroable;
use serde::{Deserialize, Serialize};

/// How far from the centre a sample counts at most, in standard deviations.
const WINSOR_SIGMAS: f64 = 3.0;
/// `sqrt(π/2)`: a normal standard deviation, from the mean absolute deviation.
const SIGMAS_PER_DEVIATION: f64 = 1.253_314_137_315_500_3;
/// So many samples are learned from before the first is judged, however long they took.
const WARM_UP_SAMPLES_MIN: u64 = 30;
/// A deviation is over when it is back within this part of what is tolerated.
const CLEAR_PART: f64 = 2.0 / 3.0;
const LN_2: f64 = std::f64::consts::LN_2;

/// The settings of a `baseline` rule.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tolerance {
    pub(super) above: bool,
    pub(super) below: bool,
    pub(super) sigmas: f64,
    pub(super) min_change: f64,
    pub(super) min_ratio: f64,
    pub(super) warm_up_ns: u64,
    pub(super) half_life_s: f64,
}

/// What is usual for one row. All zeroes is "nothing learned".
#[repr(C)]
#[derive(Clone, Copy, Debug, Zeroable, Serialize, Deserialize)]
pub(super) struct Baseline {
    centre: f64,
    deviation: f64,
    samples: u64,
    learned_ns: u64,
}

impl Baseline {
    pub(super) const fn has_seen(&self) -> bool {
        self.samples > 0
    }

    /// Whether it can be one that learned.
    pub(super) const fn is_sound(&self) -> bool {
        self.centre.is_finite() && self.deviation.is_finite() && self.deviation >= 0.0
    }

    /// Judges a sample and learns from it. Returns the verdict and the range of what is tolerated.
    pub(super) fn judge(&mut self, value: f64, elapsed_ns: u64, by: &Tolerance) -> (Verdict, f64, f64) {
        let width = (by.sigmas * self.deviation * SIGMAS_PER_DEVIATION)
            .max(by.min_change)
            .max(by.min_ratio * self.centre.abs());
        let warm = self.samples >= WARM_UP_SAMPLES_MIN && self.learned_ns >= by.warm_up_ns;
        let off = match (by.above, by.below) {
            (true, false) => value - self.centre,
            (false, true) => self.centre - value,
            _ => (value - self.centre).abs(),
        };
        let min = if by.below { self.centre - width } else { f64::NEG_INFINITY };
        let max = if by.above { self.centre + width } else { f64::INFINITY };
        self.learn(value, elapsed_ns, by);
        let verdict = if !warm || off <= width * CLEAR_PART {
            Verdict::Good
        } else if off > width {
            Verdict::Bad
        } else {
            Verdict::Between
        };
        (verdict, min, max)
    }

    fn learn(&mut self, value: f64, elapsed_ns: u64, by: &Tolerance) {
        self.samples = self.samples.saturating_add(1);
        self.learned_ns = self.learned_ns.saturating_add(elapsed_ns);
        if self.samples == 1 {
            self.centre = value;
            return;
        }
        // Without a floor, a series that never moved could never learn that it moves.
        let floor = (by.min_change / by.sigmas).max(self.centre.abs() * 1e-3).max(f64::MIN_POSITIVE);
        let reach = WINSOR_SIGMAS * (self.deviation * SIGMAS_PER_DEVIATION).max(floor);
        // While little is known every sample weighs the same; later each weighs by the time it stands for.
        let weight = by.weight(elapsed_ns).max(1.0 / count(self.samples));
        let warming = self.samples < WARM_UP_SAMPLES_MIN;
        let offset = if warming { value - self.centre } else { (value - self.centre).clamp(-reach, reach) };
        self.centre += weight * offset;
        self.deviation += weight * (offset.abs() - self.deviation);
    }
}

impl Tolerance {
    /// How much a sample that stands for so much time weighs: near enough `1 - 2^(-t / half life)`.
    fn weight(&self, elapsed_ns: u64) -> f64 {
        (count(elapsed_ns) * 1e-9 * LN_2 / self.half_life_s).min(0.5)
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts of samples and nanoseconds, far below 2^53")]
fn count(number: u64) -> f64 {
    number as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const BY: Tolerance = Tolerance {
        above: true,
        below: true,
        sigmas: 6.0,
        min_change: 10.0,
        min_ratio: 0.2,
        warm_up_ns: 60_000_000_000,
        half_life_s: 300.0,
    };
    const SECOND: u64 = 1_000_000_000;

    /// Noise around a level: the same every time.
    fn noise(index: u32) -> f64 {
        f64::from(index.wrapping_mul(2_654_435_761) >> 16) / 65_536.0 - 0.5
    }

    fn taught(level: f64, spread: f64) -> Baseline {
        let mut baseline = Baseline::zeroed();
        for index in 0..600 {
            let (verdict, ..) = baseline.judge(level + spread * noise(index), SECOND, &BY);
            assert_eq!(verdict, Verdict::Good, "sample {index}: {baseline:?}");
        }
        baseline
    }

    #[test]
    fn it_knows_its_usual_and_sees_what_is_not() {
        let mut baseline = taught(1_000.0, 100.0);
        assert_eq!(baseline.judge(1_900.0, SECOND, &BY).0, Verdict::Bad);
        assert_eq!(baseline.judge(100.0, SECOND, &BY).0, Verdict::Bad);
        assert_eq!(baseline.judge(1_040.0, SECOND, &BY).0, Verdict::Good);
    }

    #[test]
    fn a_spike_of_any_height_hardly_moves_it() {
        let mut baseline = taught(1_000.0, 100.0);
        let before = baseline;
        baseline.judge(1e300, SECOND, &BY);
        assert!((baseline.centre - before.centre).abs() < 1.0, "{before:?} {baseline:?}");
        assert!((baseline.deviation - before.deviation).abs() < 1.0);
    }

    #[test]
    fn a_lasting_change_is_told_and_becomes_the_usual() {
        let mut baseline = taught(0.0, 0.0);
        assert_eq!(baseline.judge(5_000.0, SECOND, &BY).0, Verdict::Bad);
        let steps = (0..36_000).position(|_| baseline.judge(5_000.0, SECOND, &BY).0 == Verdict::Good);
        assert!(steps.is_some_and(|steps| steps > 30), "{steps:?} {baseline:?}");
    }

    #[test]
    fn small_effects_do_not_count_however_quiet_the_series() {
        let mut baseline = taught(100.0, 0.0);
        assert_ne!(baseline.judge(119.0, SECOND, &BY).0, Verdict::Bad);
        assert_eq!(baseline.judge(125.0, SECOND, &BY).0, Verdict::Bad);
    }

    #[test]
    fn nothing_is_judged_while_it_warms_up() {
        let mut baseline = Baseline::zeroed();
        for index in 0..59 {
            let value = if index % 2 == 0 { 1e9 } else { 0.0 };
            assert_eq!(baseline.judge(value, SECOND, &BY).0, Verdict::Good);
        }
    }

    proptest! {
        #[test]
        fn no_series_poisons_it(samples in prop::collection::vec((-1e18f64..1e18, 0u64..u64::MAX / 4), 0..300)) {
            let mut baseline = Baseline::zeroed();
            for (value, elapsed_ns) in samples {
                let (_, min, max) = baseline.judge(value, elapsed_ns, &BY);
                prop_assert!(baseline.centre.is_finite() && baseline.deviation.is_finite(), "{baseline:?}");
                prop_assert!(baseline.deviation >= 0.0 && min <= max);
            }
        }
    }
}
