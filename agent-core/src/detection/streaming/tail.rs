//! How unusual a number is among those that came before: its own empirical distribution, in twenty counters.
//!
//! Numbers are counted in bins half an octave wide, from an eighth to 128. The tail probability of a number is the
//! part of those before it that were as large; within a bin it is interpolated, and beyond the largest number ever
//! seen it halves with each bin. Nothing is assumed about the distribution, so that no sign needs a threshold of its
//! own.
//!
//! A counter is one byte, a floating-point number of four bits of fraction and four of exponent: exact up to 32, then
//! counted up once in two, four, eight times, and so on. Which times, is decided by a sequence that spreads them evenly.

use super::math::{log2, log10};
use bytemuck::Zeroable;

const BINS: usize = 20;
const BINS_PER_OCTAVE: f32 = 2.0;
/// The lowest bin ends here: the binary logarithm of the numbers that are told apart.
const LOWEST_LOG2: f32 = -3.0;
/// When so many were counted all counters are halved: what was long ago counts for less.
const COUNTED_MAX: u16 = 60_000;
/// Powers of ten that a surprise is set against.
const FULL_SURPRISE: f32 = 3.3;
const COUNTED_OFFSET: f32 = 9.0;
/// `2^32` over the golden ratio: the leading bits of its multiples are spread as evenly as can be.
const SPREAD: u32 = 0x9e37_79b9;
/// Of so many numbers the shape of a tail is known.
const SHAPED: u16 = 100;
const FAR_BINS: f32 = 7.0;
/// One more in a counter's exponent.
const OCTAVE: u8 = 16;

/// An empirical distribution of numbers that are not negative. All zeroes is one that has counted nothing.
#[derive(Clone, Copy, Debug, Zeroable)]
pub(in crate::detection) struct Tail {
    /// How many numbers lay in this bin or above it.
    at_least: [u8; BINS],
    counted: u16,
    top: u8,
    _spare: u8,
}

impl Tail {
    pub(in crate::detection) const fn new() -> Self {
        Self { at_least: [0; BINS], counted: 0, top: 0, _spare: 0 }
    }

    /// How many numbers were seen; long ago ones for less.
    pub(in crate::detection) const fn counted(&self) -> u16 {
        self.counted
    }

    /// The tail probability of a number among those before it; then it is counted too.
    #[inline]
    pub(in crate::detection) fn probability(&mut self, number: f32) -> f32 {
        let position = position(number);
        let (as_large, of) = self.rank(position);
        self.count(position);
        (as_large / of).min(1.0)
    }

    /// The same, but one number beyond all others moves what is known of the tail by no more than a bin; and it is
    /// counted only if that is wanted.
    #[inline]
    pub(super) fn cautious_probability(&mut self, number: f32, counts: bool) -> f32 {
        let position = position(number);
        // Nor is it called rarer than what lies eight times as far out as all others.
        let (as_large, of) = self.rank(position.min(f32::from(self.top) + FAR_BINS));
        if counts {
            self.count(position.min(f32::from(self.top) + if self.counted < SHAPED { TOP_BIN } else { 1.0 }));
        }
        (as_large / of).min(1.0)
    }

    /// How many were as large as what lies at a position, of how many.
    #[inline]
    fn rank(&self, position: f32) -> (f32, f32) {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to the bins")]
        let bin = position as u8;
        let here = decoded(self.at_least[usize::from(bin)]);
        let above = decoded(self.at_least.get(usize::from(bin) + 1).copied().unwrap_or(0));
        // Even the largest ever may have been expected once in so many.
        let unseen = if bin > self.top { halved(position - f32::from(self.top) - 1.0) } else { 1.0 };
        let within = position - f32::from(bin);
        let as_large = above + (here - above) * (1.0 - within) + unseen;
        (as_large, f32::from(self.counted) + 2.0)
    }

    /// Counts what lies at a position.
    #[inline]
    fn count(&mut self, position: f32) {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to the bins")]
        let bin = position as u8;
        // Counters below this count this time: exact ones always, others the more rarely the larger they are.
        let turn = u32::from(self.counted).wrapping_mul(SPREAD).leading_zeros().min(13);
        let below = (turn as u8 + 2) * OCTAVE;
        for (counted, index) in self.at_least.iter_mut().zip(0u8..) {
            *counted += u8::from(index <= bin) & u8::from(*counted < below);
        }
        self.counted += 1;
        self.top = self.top.max(bin);
        if self.counted >= COUNTED_MAX {
            self.age();
        }
    }

    fn age(&mut self) {
        for counted in &mut self.at_least {
            *counted = if *counted < 2 * OCTAVE { *counted / 2 } else { *counted - OCTAVE };
        }
        self.counted /= 2;
        let top = self.at_least.iter().rposition(|counted| *counted > 0).unwrap_or(0);
        self.top = u8::try_from(top).unwrap_or(0);
    }
}

/// What a counter stands for.
#[inline]
fn decoded(counter: u8) -> f32 {
    if counter < 2 * OCTAVE {
        return f32::from(counter);
    }
    // Sixteen to thirty-one, doubled as often as the exponent says: put together as the number is stored.
    let (exponent, fraction) = (u32::from(counter / OCTAVE), u32::from(counter % OCTAVE));
    f32::from_bits((127 + 3 + exponent) << 23 | fraction << 19)
}

/// What surprises among so many are multiplied with: a rank among few says less than one among many, and a full
/// surprise is one against what could be known.
#[inline]
fn full(of: f32) -> f32 {
    let part = FULL_SURPRISE / log10(of + COUNTED_OFFSET - 2.0);
    part * part.sqrt()
}

/// Where a number lies among the bins.
#[inline]
fn position(number: f32) -> f32 {
    ((log2(number.max(1e-6)) - LOWEST_LOG2) * BINS_PER_OCTAVE).clamp(0.0, TOP_BIN)
}

/// Counts each number in its own tail, and returns by how many powers of ten each surprises: of its
/// [`Tail::probability`], set against what can be known among so many. Those that are `None` are left out. They are
/// counted only if that is wanted.
#[inline]
pub(super) fn surprises<const N: usize>(
    tails: &mut [Tail; N],
    numbers: [Option<f32>; N],
    counts: bool,
) -> [f32; N] {
    // Logarithms of all of them, then all tables, then all logarithms again: the first and the last go side by side.
    let mut positions = [0.0; N];
    for (position, number) in positions.iter_mut().zip(numbers) {
        *position = number.unwrap_or(0.0);
    }
    for number in &mut positions {
        *number = position(*number);
    }
    let (mut as_large, mut of) = ([1.0; N], [1.0; N]);
    for (index, tail) in tails.iter_mut().enumerate() {
        if numbers[index].is_some() {
            (as_large[index], of[index]) = tail.rank(positions[index]);
            if counts {
                tail.count(positions[index]);
            }
        }
    }
    let mut surprises = [0.0; N];
    for (index, surprise) in surprises.iter_mut().enumerate() {
        *surprise = (-log10(as_large[index] / of[index]) * full(of[index])).max(0.0);
    }
    surprises
}

const TOP_BIN: f32 = 19.0;

/// Near enough `2^-x` for an `x` up to the number of bins: exact at whole numbers, straight between them.
fn halved(x: f32) -> f32 {
    let whole = x.max(0.0).floor();
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "at most the number of bins")]
    let power = f32::from_bits((127 - (whole as u32).min(100)) << 23);
    power * (1.0 - 0.5 * (x - whole).max(0.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_probability_is_the_part_that_was_as_large() {
        let mut tail = Tail::new();
        for index in 0..10_000u16 {
            tail.probability(f32::from(index % 50));
        }
        let near = |number: f32, expected: f32, tail: &mut Tail| {
            let probability = tail.probability(number);
            assert!((probability / expected - 1.0).abs() < 0.15, "{number}: {probability}");
        };
        near(25.0, 0.5, &mut tail);
        near(40.0, 0.2, &mut tail);
        assert!(tail.probability(3_000.0) < 1e-4);
    }

    #[test]
    fn a_counter_of_one_byte_counts_to_sixty_thousand() {
        let mut tail = Tail::new();
        let mut counted = 0.0f32;
        for _ in 0..COUNTED_MAX - 1 {
            let stored = decoded(tail.at_least[0]);
            assert!((stored - counted).abs() <= 0.075 * counted, "{stored} for {counted}");
            tail.probability(0.0);
            counted += 1.0;
        }
        // The bytes mean what they say, and one more is more.
        let meant = [(31, 31.0), (32, 32.0), (33, 34.0), (48, 64.0), (255, 507_904.0f32)];
        assert!(meant.iter().all(|(counter, means)| (decoded(*counter) - means).abs() < f32::EPSILON));
        assert!((1..=255).all(|counter| decoded(counter) > decoded(counter - 1)));
    }

    #[test]
    fn the_never_seen_is_at_most_as_likely_as_once_in_all() {
        let mut tail = Tail::new();
        assert!((tail.probability(1.0) - 0.5).abs() < 0.5);
        (0..998).for_each(|_| {
            tail.probability(1.0);
        });
        let mut last = 1.0;
        for number in [2.0, 4.0, 16.0, 64.0] {
            let probability = Tail::probability(&mut tail.clone(), number);
            assert!(probability <= 1e-3 && probability <= last, "{number}: {probability}");
            last = probability;
        }
    }

    proptest! {
        #[test]
        fn probabilities_are_probabilities_and_fall(numbers in prop::collection::vec(0.0f32..1e6, 0..300)) {
            let mut tail = Tail::new();
            for number in numbers {
                let probability = tail.probability(number);
                prop_assert!(probability > 0.0 && probability <= 1.0);
                let smaller = tail.clone().probability(number * 0.5);
                let larger = tail.clone().probability(number * 2.0);
                prop_assert!(smaller >= larger, "{smaller} {larger}");
            }
        }

        #[test]
        fn it_ages_without_losing_its_shape(number in 0.0f32..100.0) {
            let mut tail = Tail::new();
            for index in 0..u32::from(u16::MAX) + 100 {
                tail.probability(if index % 10 == 0 { 64.0 } else { 1.0 });
            }
            let large = tail.probability(64.0);
            prop_assert!((large - 0.1).abs() < 0.06, "{large}");
            prop_assert!(tail.probability(number) > 0.0);
        }
    }
}
