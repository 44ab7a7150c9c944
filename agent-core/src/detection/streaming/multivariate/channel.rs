//! One channel: distances from what is usual over a day and over a week.

/// Rows that either usual stands for.
const BRIEF_WINDOW: u32 = 2_000;
const LASTING_WINDOW: u32 = 10_000;
/// A spread is taken as no less than this part of the channel's full scale: the jitter of a channel that idles says
/// nothing.
const BRIEF_FLOOR: f32 = 0.02;
const LASTING_FLOOR: f32 = 0.002;
/// No distance is longer.
const BRIEF_MAX: f32 = 100.0;
const LASTING_MAX: f32 = 20.0;
/// What is learned from is at most so far off, once so many rows were seen.
const REACH: f32 = 3.0;
const TRUSTED_ROWS: u32 = 20;
const SIGMAS_PER_DEVIATION: f32 = 1.253_314_1;
const VALUE_MAX: f64 = 1e30;

/// What is usual in one channel.
#[derive(Clone, Copy, Debug)]
pub(super) struct Channel {
    brief: Usual,
    lasting: Usual,
    full_scale: f32,
    seen: u32,
}

#[derive(Clone, Copy, Debug)]
struct Usual {
    centre: f64,
    deviation: f32,
}

impl Channel {
    pub(super) fn new(full_scale: f64) -> Self {
        let usual = Usual { centre: 0.0, deviation: 0.0 };
        let full_scale = if full_scale.is_finite() { narrow(full_scale.abs().min(VALUE_MAX)) } else { 0.0 };
        Self { brief: usual, lasting: usual, full_scale, seen: 0 }
    }

    /// Distances of a value from either usual, in standard deviations; then both are learned from it.
    pub(super) fn observe(&mut self, value: f64) -> (f32, f32) {
        if !value.is_finite() {
            return (0.0, 0.0);
        }
        let value = value.clamp(-VALUE_MAX, VALUE_MAX);
        if self.seen == 0 {
            (self.brief.centre, self.lasting.centre) = (value, value);
        }
        self.seen = self.seen.saturating_add(1);
        let brief = self.brief.observe(value, BRIEF_FLOOR * self.full_scale, self.seen, BRIEF_WINDOW);
        let lasting = self.lasting.observe(value, LASTING_FLOOR * self.full_scale, self.seen, LASTING_WINDOW);
        (brief.clamp(-BRIEF_MAX, BRIEF_MAX), lasting.clamp(-LASTING_MAX, LASTING_MAX))
    }
}

impl Usual {
    fn observe(&mut self, value: f64, floor: f32, seen: u32, window: u32) -> f32 {
        let sigma = self.deviation.max(floor) * SIGMAS_PER_DEVIATION;
        let offset = narrow(value - self.centre);
        let reach = if seen > TRUSTED_ROWS && sigma > 0.0 { REACH * sigma } else { f32::MAX };
        let learned = offset.clamp(-reach, reach);
        let weight = 1.0 / count(usize::try_from(seen.min(window)).unwrap_or(1));
        self.centre += f64::from(weight * learned);
        self.deviation += weight * (learned.abs() - self.deviation);
        // What never moved says nothing when it first does: how far is far is not known.
        if sigma > 0.0 { offset / sigma } else { 0.0 }
    }
}

#[expect(clippy::cast_possible_truncation, reason = "distances, compared with each other")]
fn narrow(x: f64) -> f32 {
    x as f32
}

#[expect(clippy::cast_precision_loss, reason = "numbers of channels and of rows in a window")]
pub(super) fn count(number: usize) -> f32 {
    number as f32
}
