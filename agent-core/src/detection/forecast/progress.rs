//! Whether a counter that should move has stopped: a suspicion that accrues with the time it stands still.
//!
//! The intervals between its moves have a mean and a spread that follow slowly. The suspicion is how many powers of ten
//! the present pause is beyond what such intervals explain (Hayashibara's phi, by the tail of a logistic distribution
//! of the same spread, which is heavier than the normal one and needs no error function).

use super::seconds;
use bytemuck::Zeroable;

/// Intervals that mean and spread stand for.
const WINDOW: f64 = 100.0;
/// So many intervals are learned from before anything is suspected.
const LEARNED_MIN: f64 = 8.0;
/// A spread is taken as no less than this part of the mean: clocks and samplers jitter.
const SPREAD_MIN: f64 = 0.25;
/// `sqrt(3) / π`: the scale of a logistic distribution, from its standard deviation.
const SCALE_PER_SIGMA: f64 = 0.551_328_9;
/// `sqrt(π/2)`.
const SIGMA_PER_DEVIATION: f64 = 1.253_314_1;
/// An interval counts for at most so many times the mean: a stall is not how it usually goes.
const REACH: f64 = 4.0;
const LOG10_E: f64 = std::f64::consts::LOG10_E;
const SUSPICION_MAX: f64 = 300.0;

/// The moves of one counter. All zeroes is "nothing seen".
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, Zeroable)]
pub struct Progress {
    moved_ns: u64,
    counter: f64,
    /// 1 once a reading was taken.
    begun: u64,
    mean: f64,
    deviation: f64,
    learned: f64,
}

impl Progress {
    /// Takes a reading and returns the suspicion that it has stopped: 3 is one in a thousand pauses. 0 while too little
    /// is known.
    pub fn observe(&mut self, time_ns: u64, counter: f64) -> f64 {
        if !counter.is_finite() {
            return 0.0;
        }
        // Besides the first reading: the clock was set back, or the counter began anew.
        if self.begun == 0 || time_ns < self.moved_ns || counter < self.counter {
            (self.begun, self.moved_ns, self.counter) = (1, time_ns, counter);
            return 0.0;
        }
        let pause = seconds(time_ns - self.moved_ns);
        if counter > self.counter {
            self.learn(pause);
            (self.moved_ns, self.counter) = (time_ns, counter);
            return 0.0;
        }
        self.suspicion(pause)
    }

    /// How long it has stood still, in nanoseconds.
    #[must_use]
    pub const fn pause_ns(&self, time_ns: u64) -> u64 {
        if self.begun == 0 { 0 } else { time_ns.saturating_sub(self.moved_ns) }
    }

    /// The suspicion after so long a pause, in seconds.
    #[must_use]
    pub fn suspicion(&self, pause: f64) -> f64 {
        if self.learned < LEARNED_MIN || self.mean <= 0.0 {
            return 0.0;
        }
        let beyond = (pause - self.mean) / (self.sigma() * SCALE_PER_SIGMA);
        // -log10(1 / (1 + e^x)): straight for large x, and nothing below 0, where a pause is shorter than usual.
        if beyond <= 0.0 { 0.0 } else { (beyond * LOG10_E).min(SUSPICION_MAX) }
    }

    /// The longest pause that is suspected less than so, in seconds; infinite while too little is known.
    #[must_use]
    pub fn pause_s(&self, suspicion: f64) -> f64 {
        if self.learned < LEARNED_MIN || self.mean <= 0.0 {
            return f64::INFINITY;
        }
        self.mean + suspicion / LOG10_E * self.sigma() * SCALE_PER_SIGMA
    }

    fn sigma(&self) -> f64 {
        (self.deviation * SIGMA_PER_DEVIATION).max(self.mean * SPREAD_MIN)
    }

    fn learn(&mut self, interval: f64) {
        let interval = if self.learned >= LEARNED_MIN { interval.min(REACH * self.mean) } else { interval };
        self.learned = (self.learned + 1.0).min(WINDOW);
        let offset = interval - self.mean;
        self.mean += offset / self.learned;
        if self.learned > 1.0 {
            self.deviation += (offset.abs() - self.deviation) / (self.learned - 1.0);
        }
    }
}
