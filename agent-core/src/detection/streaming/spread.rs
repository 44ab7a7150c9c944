//! Unusually loud, and unusually quiet: the spread of the last few samples against its own history.

use bytemuck::Zeroable;

use super::math::{follow, log2, narrow, weight};

/// Samples that the usual spread stands for.
const WINDOW: u32 = 1_000;
/// Loud: steps from sample to sample, over this many.
const LOUD_WINDOW: u32 = 20;
/// Quiet: distances from the mean of the last so many, over as many.
const QUIET_WINDOW: u32 = 50;
/// What is learned from is at most so many times the usual, once that is known.
const REACH: f32 = 5.0;
const KNOWN_SAMPLES: u32 = 20;
/// A ratio of spreads, in the units that [`super::tail::Tail`] tells apart.
const UNITS_PER_OCTAVE: f32 = 2.079_441_5;
const RATIO_MIN: f32 = 1e-3;

/// Steps and distances, lately and usually.
#[derive(Clone, Copy, Debug, Zeroable)]
pub(super) struct Spread {
    last: f64,
    mean: f64,
    loud: Pair,
    quiet: Pair,
}

#[derive(Clone, Copy, Debug, Zeroable)]
struct Pair {
    short: f32,
    usual: f32,
}

impl Spread {
    pub(super) const fn new() -> Self {
        let none = Pair { short: 0.0, usual: 0.0 };
        Self { last: 0.0, mean: 0.0, loud: none, quiet: none }
    }

    /// How loud and how quiet it is with this sample, the one after `seen`; 0 where it is not.
    pub(super) fn observe(&mut self, value: f64, seen: u32) -> (f32, f32) {
        if seen == 0 {
            (self.last, self.mean) = (value, value);
        }
        let step = narrow((value - self.last).abs());
        let distance = narrow((value - self.mean).abs());
        self.last = value;
        self.mean += (value - self.mean) * f64::from(weight(seen + 1, QUIET_WINDOW));
        let loud = self.loud.observe(step, seen, LOUD_WINDOW);
        let quiet = self.quiet.observe(distance, seen, QUIET_WINDOW);
        (loud.max(0.0), (-quiet).max(0.0))
    }
}

impl Pair {
    /// The ratio of the short spread and the usual one, as a logarithm.
    fn observe(&mut self, part: f32, seen: u32, window: u32) -> f32 {
        follow(&mut self.short, part, seen + 1, window);
        let ratio = if self.usual > 0.0 { (self.short / self.usual).max(RATIO_MIN) } else { 1.0 };
        let learned = if seen > KNOWN_SAMPLES { part.min(REACH * self.usual) } else { part };
        follow(&mut self.usual, learned, seen + 1, WINDOW);
        UNITS_PER_OCTAVE * log2(ratio)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_tells_loud_from_quiet() {
        let mut spread = Spread::new();
        let noise = |index: u32| f64::from(index.wrapping_mul(2_654_435_761) >> 16) / 65_536.0;
        let run = |spread: &mut Spread, from: u32, scale: f64| {
            (from..from + 200)
                .map(|seen| spread.observe(scale * noise(seen), seen))
                .fold((0.0f32, 0.0f32), |(loud, quiet), now| (loud.max(now.0), quiet.max(now.1)))
        };
        (0..2_000).step_by(200).for_each(|from| {
            run(&mut spread, from, 1.0);
        });
        let usual = run(&mut spread, 2_000, 1.0);
        let loud = run(&mut spread, 2_200, 8.0);
        (2_400..4_400).step_by(200).for_each(|from| {
            run(&mut spread, from, 1.0);
        });
        let quiet = run(&mut spread, 4_400, 0.05);
        assert!(loud.0 > usual.0 + 3.0, "{usual:?} {loud:?}");
        assert!(quiet.1 > usual.1 + 3.0, "{usual:?} {quiet:?}");
    }
}
