//! Novelty of the recent shape: eight block means against a few shapes known from before.
//!
//! A shape that is near a known one makes that one a little more like it and the most recently met. Any other takes
//! the place of the one that was not met for longest. The novelty is the distance to the nearest.

use bytemuck::Zeroable;

/// Block means in a shape.
const POINTS: usize = 8;
/// Shapes remembered.
const KNOWN: usize = 16;
/// Points are kept in fifteenths of a standard deviation, up to eight of them either way.
const UNITS_PER_SIGMA: f32 = 15.0;
const SIGMAS_MAX: f32 = 8.0;
/// Nearer than two standard deviations in all is the same shape: the square of it, in units.
const SAME: i32 = 900;
/// A known shape is moved by this part of the difference.
const MOVED_PART: i16 = 10;

/// The shapes of a series at one scale of time: blocks of `BLOCK` samples.
#[derive(Clone, Copy, Debug, Zeroable)]
pub(super) struct Shape<const BLOCK: u8> {
    known: [[i8; POINTS]; KNOWN],
    /// Their numbers, four bits each, most recently met first: the lowest.
    order: u64,
    now: [i8; POINTS],
    sum: f32,
    novelty: f32,
    known_count: u8,
    in_block: u8,
    blocks: u8,
    judged: bool,
}

impl<const BLOCK: u8> Shape<BLOCK> {
    pub(super) const fn new() -> Self {
        Self {
            known: [[0; POINTS]; KNOWN],
            order: 0,
            now: [0; POINTS],
            sum: 0.0,
            novelty: 0.0,
            known_count: 0,
            in_block: 0,
            blocks: 0,
            judged: false,
        }
    }

    /// The novelty with this sample, in standard deviations, once there is a shape to compare with.
    #[inline]
    pub(super) fn observe(&mut self, distance: f32) -> Option<f32> {
        self.sum += distance.clamp(-SIGMAS_MAX, SIGMAS_MAX);
        self.in_block += 1;
        if self.in_block == BLOCK {
            self.end_block();
        }
        self.judged.then_some(self.novelty)
    }

    fn end_block(&mut self) {
        #[expect(clippy::cast_possible_truncation, reason = "at most eight times fifteen")]
        let point = (self.sum / f32::from(BLOCK) * UNITS_PER_SIGMA).round() as i8;
        (self.sum, self.in_block) = (0.0, 0);
        self.now.copy_within(1.., 0);
        self.now[POINTS - 1] = point;
        self.blocks = self.blocks.saturating_add(1);
        if usize::from(self.blocks) >= POINTS {
            self.compare();
        }
    }

    fn compare(&mut self) {
        let length = usize::from(self.known_count);
        let (mut nearest, mut nearest_square) = (0, i32::MAX);
        for (index, shape) in self.known[..length].iter().enumerate() {
            let square = square_distance(*shape, self.now);
            if square < nearest_square {
                (nearest, nearest_square) = (index, square);
            }
        }
        if nearest_square < SAME {
            self.meet(nearest);
        } else if length < KNOWN {
            self.known[length] = self.now;
            self.order = self.order << 4 | length as u64;
            self.known_count += 1;
        } else {
            let oldest = self.number_at(KNOWN - 1);
            self.known[oldest] = self.now;
            self.bring_forward(KNOWN - 1);
        }
        if length > 0 {
            #[expect(clippy::cast_precision_loss, reason = "at most 8 * 240 * 240")]
            let square = nearest_square as f32;
            self.novelty = square.sqrt() / UNITS_PER_SIGMA;
            self.judged = true;
        }
    }

    /// A known shape becomes a little more like the one just met, and the most recent.
    fn meet(&mut self, number: usize) {
        for (point, now) in self.known[number].iter_mut().zip(&self.now) {
            let moved = i16::from(*point) + (i16::from(*now) - i16::from(*point)) / MOVED_PART;
            *point = i8::try_from(moved).unwrap_or(*point);
        }
        let place = (0..KNOWN).find(|place| self.number_at(*place) == number).unwrap_or(0);
        self.bring_forward(place);
    }

    /// Which shape is the most recent but so many.
    fn number_at(&self, place: usize) -> usize {
        usize::from((self.order >> (4 * place) & 0xf) as u8)
    }

    fn bring_forward(&mut self, place: usize) {
        let number = self.number_at(place) as u64;
        let newer = (1u64 << (4 * place)) - 1;
        let older = !(newer << 4 | 0xf);
        self.order = self.order & older | (self.order & newer) << 4 | number;
    }
}

fn square_distance(a: [i8; POINTS], b: [i8; POINTS]) -> i32 {
    let mut sum = 0;
    for (a, b) in a.into_iter().zip(b) {
        let difference = i32::from(a) - i32::from(b);
        sum += difference * difference;
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_repeats_is_known_and_what_does_not_is_new() {
        let mut shape = Shape::<2>::new();
        let wave = |index: u32| if index % 32 < 16 { 1.0 } else { -1.0 };
        let usual = (0..2_000).filter_map(|index| shape.observe(wave(index))).skip(500).fold(0.0, f32::max);
        let new = (0..16).filter_map(|index| shape.observe(wave(index * 4))).fold(0.0, f32::max);
        let spike =
            (0..16).filter_map(|index| shape.observe(if index == 8 { 9.0 } else { 1.0 })).fold(0.0, f32::max);
        assert!(usual < 1.0, "{usual}");
        assert!(new > usual + 1.0 && spike > usual + 1.0, "{usual} {new} {spike}");
    }

    #[test]
    fn nothing_is_new_before_anything_is_known() {
        let mut shape = Shape::<8>::new();
        assert!((0..64).all(|_| shape.observe(3.0).is_none()));
    }
}
