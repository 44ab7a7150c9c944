//! What is usual at this hour, on working days and at weekends.
//!
//! A mean for each hour of the day (UTC) of either kind of day, learnt online. Nothing is judged before two whole days
//! were seen and the hour has been met; after that the last few samples' distances from the hour's mean are held
//! against the spread of such distances.

use bytemuck::Zeroable;

use super::level::{Level, ratio};
use super::math::{follow, narrow};

const HOUR_NS: u64 = 3_600_000_000_000;
const SECOND_NS: u64 = 1_000_000_000;
const HOURS: usize = 24;
const BUCKETS: usize = 2 * HOURS;
/// So long a series is watched before its hours are believed.
const LEARNING_S: u32 = 48 * 3_600;
/// The weight of a sample in its hour's mean at most: an hour then stands for its last twenty samples or so ...
const WEIGHT_MAX: f32 = 0.05;
/// ... and where samples come faster, for as much time as that was at five minutes apart: a day or two.
const WEIGHT_PER_HOUR: f64 = 0.6;
/// Samples whose mean is judged, and those that the spread stands for.
const SHORT_WINDOW: u32 = 5;
const SPREAD_WINDOW: u32 = 300;
/// The overall spread is presumed as if so many samples had shown it, until the hours have one of their own.
const PRESUMED_SAMPLES: u32 = 30;
/// A sample is learned from no further from the overall usual than this, and a distance is no longer than this many
/// mean ones.
const REACH_SIGMAS: f64 = 6.0;
const DISTANCE_REACH: f32 = 4.0;
/// The largest stored mean, and what leaves room for a smaller unit; units are between these powers of two.
const FULL: f32 = 32_767.0;
const ROOMY: f32 = 8_192.0;
const SCALE_MAX: i16 = 120;
/// After so many samples the origin of the means is put where the series really lies.
const SETTLED_SAMPLES: u32 = 32;

/// The hours' means, as offsets from an origin. All zeroes is one that has seen nothing.
#[derive(Clone, Copy, Debug, Zeroable)]
pub(super) struct Season {
    /// In units of two to the power of `scale`; this hour's is in `mean`.
    means: [i16; BUCKETS],
    /// How often each was met, as far as a byte counts; this hour's is in `met_now`.
    met: [u8; BUCKETS],
    origin: f64,
    last_ns: u64,
    watched_s: u32,
    mean: f32,
    deviation: f32,
    short: f32,
    met_now: u16,
    judged: u16,
    scale: i16,
    bucket: u8,
    _spare: u8,
}

/// What an hour expects.
#[derive(Clone, Copy, Debug)]
pub(super) struct Expected {
    pub(super) centre: f64,
    pub(super) deviation: f64,
}

impl Season {
    pub(super) const fn new() -> Self {
        Self {
            means: [0; BUCKETS],
            met: [0; BUCKETS],
            origin: 0.0,
            last_ns: 0,
            watched_s: 0,
            mean: 0.0,
            deviation: 0.0,
            short: 0.0,
            met_now: 0,
            judged: 0,
            scale: 0,
            bucket: 0,
            _spare: 0,
        }
    }

    /// What is expected at a time, once the hours are believed.
    pub(super) fn expected(&self, time_ns: u64, seen: u32) -> Option<Expected> {
        if seen == 0 || self.judged == 0 {
            return None;
        }
        let bucket = bucket(time_ns);
        let (mean, met) = if bucket == usize::from(self.bucket) {
            (self.mean, self.met_now)
        } else {
            (f32::from(self.means[bucket]) * unit(self.scale), u16::from(self.met[bucket]))
        };
        (met > 0)
            .then(|| Expected { centre: self.origin + f64::from(mean), deviation: f64::from(self.deviation) })
    }

    /// Judges a sample, the one after `seen`, and learns from it. `level` is the usual before this sample.
    pub(super) fn observe(&mut self, time_ns: u64, value: f64, level: &Level, seen: u32) -> Option<f32> {
        let bucket = bucket(time_ns);
        if seen == 0 {
            (self.origin, self.last_ns) = (value, time_ns);
            self.bucket = u8::try_from(bucket).unwrap_or(0);
        } else if seen == SETTLED_SAMPLES {
            self.settle(level.centre());
        }
        if bucket != usize::from(self.bucket) {
            self.turn_to(bucket);
        }
        let elapsed_ns = self.pass(time_ns);
        let offset = narrow(value - self.origin);
        let believed = self.watched_s > LEARNING_S && self.met_now > 0;
        let shift = believed.then(|| self.judge(offset - self.mean, self.met_now, level));

        self.met_now = self.met_now.saturating_add(1);
        let weight =
            narrow(hours(elapsed_ns) * WEIGHT_PER_HOUR).min(WEIGHT_MAX).max(1.0 / f32::from(self.met_now));
        let learned = narrow(level.pulled_in(value, REACH_SIGMAS, seen) - self.origin);
        self.mean += (learned - self.mean) * weight;
        shift
    }

    /// Counts the time since the last sample, in whole seconds: samples that come faster add up to those.
    fn pass(&mut self, time_ns: u64) -> u64 {
        let elapsed_ns = time_ns.saturating_sub(self.last_ns);
        if elapsed_ns >= SECOND_NS || time_ns < self.last_ns {
            self.last_ns = time_ns;
        }
        let seconds = u32::try_from(elapsed_ns.min(HOUR_NS) / SECOND_NS).unwrap_or(0);
        self.watched_s = self.watched_s.saturating_add(seconds);
        if seconds > 0 { elapsed_ns } else { 0 }
    }

    fn judge(&mut self, distance: f32, met: u16, level: &Level) -> f32 {
        if self.judged == 0 {
            self.deviation = narrow(level.deviation());
        }
        self.judged = self.judged.saturating_add(1);
        // The mean of a few samples is itself off by a part of the spread.
        let certain = distance / (1.0 + 1.0 / f32::from(met)).sqrt();
        let sigmas = ratio(f64::from(certain), f64::from(self.deviation));
        let judged = u32::from(self.judged);
        follow(&mut self.short, sigmas, judged, SHORT_WINDOW);
        let reach = if self.deviation > 0.0 { DISTANCE_REACH * self.deviation } else { f32::MAX };
        follow(&mut self.deviation, distance.abs().min(reach), PRESUMED_SAMPLES + judged, SPREAD_WINDOW);
        self.short.abs()
    }

    /// Another hour begins: what was learned of the last one is put away, and what is known of this one taken out.
    fn turn_to(&mut self, bucket: usize) {
        let last = usize::from(self.bucket);
        self.means[last] = 0;
        self.make_room(self.mean.abs());
        self.means[last] = stored(self.mean / unit(self.scale));
        self.met[last] = u8::try_from(self.met_now).unwrap_or(u8::MAX);
        self.bucket = u8::try_from(bucket).unwrap_or(0);
        self.mean = f32::from(self.means[bucket]) * unit(self.scale);
        self.met_now = u16::from(self.met[bucket]);
    }

    /// Makes the unit the power of two in which the largest mean, or another number, needs fourteen or fifteen bits.
    fn make_room(&mut self, other: f32) {
        let stored = self.means.iter().fold(0, |largest, mean| mean.unsigned_abs().max(largest));
        let largest = other.max(f32::from(stored) * unit(self.scale));
        while largest > FULL * unit(self.scale) && self.scale < SCALE_MAX {
            self.rescale(1);
        }
        while largest > 0.0 && largest < ROOMY * unit(self.scale) && self.scale > -SCALE_MAX {
            self.rescale(-1);
        }
    }

    /// Makes the unit of the means larger or smaller by a power of two.
    fn rescale(&mut self, powers: i16) {
        self.scale += powers;
        for mean in &mut self.means {
            *mean = if powers > 0 { *mean >> 1 } else { *mean << 1 };
        }
    }

    /// Offsets are short numbers: their origin should be near the series, and the first sample need not be.
    fn settle(&mut self, centre: f64) {
        let moved = narrow(centre - self.origin);
        self.origin = centre;
        self.mean -= moved;
        for bucket in 0..BUCKETS {
            if self.met[bucket] > 0 && bucket != usize::from(self.bucket) {
                let mean = f32::from(self.means[bucket]) * unit(self.scale) - moved;
                self.means[bucket] = 0;
                self.make_room(mean.abs());
                self.means[bucket] = stored(mean / unit(self.scale));
            }
        }
    }
}

/// Two to a power.
fn unit(scale: i16) -> f32 {
    f32::from_bits(u32::from((127 + scale).unsigned_abs()) << 23)
}

fn stored(mean: f32) -> i16 {
    #[expect(clippy::cast_possible_truncation, reason = "clamped before")]
    let stored = mean.clamp(-FULL, FULL).round() as i16;
    stored
}

fn bucket(time_ns: u64) -> usize {
    let hours = time_ns / HOUR_NS;
    // The first of January 1970 was a Thursday.
    let weekend = matches!((hours / 24) % 7, 2 | 3);
    usize::try_from(hours % 24).unwrap_or(0) + if weekend { HOURS } else { 0 }
}

#[expect(clippy::cast_precision_loss, reason = "a gap of centuries may be off by a second")]
fn hours(elapsed_ns: u64) -> f64 {
    elapsed_ns as f64 / HOUR_NS as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    const STEP_NS: u64 = HOUR_NS / 12;

    fn run(season: &mut Season, level: &mut Level, days: u64, shift: f64) -> Vec<Option<f32>> {
        let from = season.last_ns / STEP_NS + 1;
        (from..from + days * 288)
            .map(|step| {
                let seen = u32::try_from(step - 1).expect("fits");
                let hour = f64::from(u32::try_from((step * STEP_NS / HOUR_NS) % 24).expect("fits"));
                let noise = f64::from(seen.wrapping_mul(2_654_435_761) >> 16) / 65_536.0;
                let value = 10.0 * (hour - 12.0).abs() + noise + shift;
                let verdict = season.observe(step * STEP_NS, value, level, seen);
                level.learn(value, seen);
                verdict
            })
            .collect()
    }

    #[test]
    fn hours_are_learnt_and_what_is_off_its_hour_is_seen() {
        let (mut season, mut level) = (Season::new(), Level::new());
        let first = run(&mut season, &mut level, 10, 0.0);
        assert!(first[..576].iter().all(Option::is_none), "nothing is judged in the first two days");
        let quiet = first[2_000..].iter().flatten().fold(0.0f32, |a, b| a.max(*b));
        // Off by less than the day's own rise and fall.
        let off = run(&mut season, &mut level, 1, 15.0);
        let loud = off.iter().flatten().fold(0.0f32, |a, b| a.max(*b));
        assert!(loud > 3.0 * quiet, "{quiet} {loud}");
    }

    #[test]
    fn days_of_the_week() {
        let day = |days: u64| bucket(days * 24 * HOUR_NS) >= HOURS;
        // Thursday, Friday, Saturday, Sunday, Monday.
        assert_eq!([0, 1, 2, 3, 4].map(day), [false, false, true, true, false]);
    }
}
