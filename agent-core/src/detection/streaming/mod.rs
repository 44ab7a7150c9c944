//! What is abnormal in one series, sample by sample, with nothing to set.
//!
//! ```text
//! value ─┬─ level   mean of a few samples against a slow, robust usual          ┐
//!        ├─ season  the same against the hour's mean, weekends apart            │  each its own
//!        ├─ spread  louder than usual; quieter than usual                       ├─ empirical ─▶ weighted ─▶ restraint ─▶ Verdict
//!        └─ shape   novelty of eight block means, at two scales of time         ┘  tail         mean
//! ```
//! Every sign becomes a tail probability by its own empirical distribution ([`tail`]) before they are put together, so
//! that no sign has a threshold of its own. How the constants were chosen, and what that is worth, is told in
//! `docs/detection.md`.
//!
//! The state is of one fixed size, nothing is allocated, every sample costs the same, and the arithmetic is the same
//! on every machine. A series may be shifted or scaled without changing what is said of it. Values that are no numbers
//! are passed over; time that stands still or goes backwards only stops clocks.

mod level;
pub(in crate::detection) mod math;
mod multivariate;
mod restraint;
mod season;
mod shape;
mod spread;
mod tail;

pub use multivariate::{Multivariate, RowVerdict};
pub(in crate::detection) use tail::Tail;

use bytemuck::Zeroable;
use level::Level;
use math::{SIGMAS_PER_DEVIATION, two_thirds_power};
use restraint::Restraint;
use season::Season;
use shape::Shape;
use spread::Spread;
use tail::surprises;

/// A [`Verdict::score`] from here on is an alarm.
pub const ALARM_SCORE: f32 = 0.5;
/// The surprise that makes this score.
const ALARM_SURPRISE: f32 = 0.95;
/// What is half as surprising as an alarm is the beginning of one.
const BEGINNING_SURPRISE: f32 = 0.5;
/// Values are taken as no larger than this, so that no sum of them overflows.
const VALUE_MAX: f64 = 1e30;
/// The expected range is so many standard deviations to either side.
const EXPECTED_SIGMAS: f64 = 3.0;
/// Widths of the expected range are told apart in these units: up to 26 of them.
const DISTANCE_UNITS: f32 = 5.0;
/// Hours count in full after so many samples were judged by them: what is learned in two days is a rough guess.
const SEASON_DAMPED_SAMPLES: f32 = 600.0;
const WEIGHTS: [f32; SIGNS] = [2.0, 2.0, 2.0, 1.0, 2.0, 1.0];
const WEIGHTS_SUM: f32 = 10.0;
const SIGNS: usize = 6;
/// What is said of one sample.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Verdict {
    /// 0 is nothing unusual, an alarm is from [`ALARM_SCORE`] on; 0 while the detector holds back after an alarm.
    pub score: f32,
    /// The part of this series' samples so far that were as surprising, or as far off, whichever is rarer, for having
    /// looked at both: a calibrated tail probability.
    pub tail_probability: f32,
    /// Between these lay nearly all values that would have surprised nobody here and now.
    pub expected: (f64, f64),
    /// Since when it has been at least half as surprising as an alarm.
    pub since_ns: Option<u64>,
}

impl Verdict {
    /// Whether this sample raises an alarm.
    #[must_use]
    pub fn is_alarm(&self) -> bool {
        self.score >= ALARM_SCORE
    }
}

/// The detector of one series. All zeroes is one that has seen nothing.
#[derive(Clone, Copy, Debug, Zeroable)]
pub struct Univariate {
    level: Level,
    season: Season,
    spread: Spread,
    long_shape: Shape<8>,
    short_shape: Shape<2>,
    tails: [Tail; SIGNS],
    surprises: Tail,
    distances: Tail,
    restraint: Restraint,
    seen: u32,
    /// 0 is never.
    since_ns: u64,
}

impl Default for Univariate {
    fn default() -> Self {
        Self::new()
    }
}

impl Univariate {
    /// A detector that has seen nothing.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            level: Level::new(),
            season: Season::new(),
            spread: Spread::new(),
            long_shape: Shape::new(),
            short_shape: Shape::new(),
            tails: [Tail::new(); SIGNS],
            surprises: Tail::new(),
            distances: Tail::new(),
            restraint: Restraint::new(),
            seen: 0,
            since_ns: 0,
        }
    }

    /// Judges a sample and learns from it. `time_ns` is wall-clock time since 1970, which tells the hour of the day.
    pub fn observe(&mut self, time_ns: u64, value: f64) -> Verdict {
        self.judge(time_ns, value, true)
    }

    /// The same for a sample of a time that is known to be out of the ordinary: what is usual follows it, so that what
    /// lasts becomes usual, but it is no example of how unusual ordinary samples are.
    pub fn observe_extraordinary(&mut self, time_ns: u64, value: f64) -> Verdict {
        self.judge(time_ns, value, false)
    }

    fn judge(&mut self, time_ns: u64, value: f64, ordinary: bool) -> Verdict {
        if !value.is_finite() {
            let expected = self.expected(time_ns);
            return Verdict { score: 0.0, tail_probability: 1.0, expected, since_ns: self.since() };
        }
        let value = value.clamp(-VALUE_MAX, VALUE_MAX);
        let seen = self.seen;
        let expected = if seen == 0 { (value, value) } else { self.expected(time_ns) };
        let off = level::ratio(value - f64::midpoint(expected.0, expected.1), expected.1 - expected.0).abs();
        let surprise = self.surprise(time_ns, value, ordinary);
        self.level.learn(value, seen);
        self.seen = self.seen.saturating_add(1);

        let surprising = self.surprises.cautious_probability(surprise, ordinary);
        let far = self.distances.cautious_probability(off * DISTANCE_UNITS, ordinary);
        let tail_probability = (2.0 * surprising.min(far)).min(1.0);
        if surprise < BEGINNING_SURPRISE {
            self.since_ns = 0;
        } else if self.since_ns == 0 {
            self.since_ns = time_ns.max(1);
        }
        let admitted = self.restraint.admit(surprise);
        if admitted >= ALARM_SURPRISE {
            self.restraint.raised();
        }
        let score = admitted / (ALARM_SURPRISE + admitted);
        Verdict { score, tail_probability, expected, since_ns: self.since() }
    }

    /// How many samples were learned from.
    #[must_use]
    pub const fn samples(&self) -> u32 {
        self.seen
    }

    fn since(&self) -> Option<u64> {
        (self.since_ns > 0).then_some(self.since_ns)
    }

    /// All signs of this sample together, in powers of ten or so.
    fn surprise(&mut self, time_ns: u64, value: f64, ordinary: bool) -> f32 {
        let seen = self.seen;
        let distance = self.level.distance(value, seen);
        let season = self.season.observe(time_ns, value, &self.level, seen);
        let (loud, quiet) = self.spread.observe(value, seen);
        let signs = [
            season,
            Some(self.level.shift(distance, seen)),
            Some(loud),
            Some(quiet),
            self.long_shape.observe(distance),
            self.short_shape.observe(distance),
        ];
        let mut surprises = surprises(&mut self.tails, signs, ordinary);
        surprises[0] *= (f32::from(self.tails[0].counted()) / SEASON_DAMPED_SAMPLES).min(1.0);
        // Between a mean, which one strong sign cannot move, and a maximum, which it alone decides.
        let parts = surprises.map(|surprise| surprise * surprise.sqrt());
        let sum: f32 = parts.iter().zip(WEIGHTS).map(|(part, weight)| part * weight).sum();
        two_thirds_power(sum / WEIGHTS_SUM)
    }

    fn expected(&self, time_ns: u64) -> (f64, f64) {
        let (centre, deviation) = match self.season.expected(time_ns, self.seen) {
            Some(hour) => (hour.centre, hour.deviation),
            None => (self.level.centre(), self.level.deviation()),
        };
        let reach = EXPECTED_SIGMAS * f64::from(SIGMAS_PER_DEVIATION) * deviation;
        (centre - reach, centre + reach)
    }
}

#[cfg(test)]
mod tests;
