//! When a resource that is being used up will be gone, with an interval.
//!
//! The last [`POINTS`] points of the series are kept, thinned out so that they span the window. The trend is the
//! median of the slopes between points half a window apart (Theil and Sen's estimator on the pairs that say most), and
//! its interval comes from how much these slopes differ. One outlier, or a saw-tooth, does not make a trend.

use super::{nanoseconds, seconds};
use bytemuck::Zeroable;

/// Points kept, an even number.
const POINTS: usize = 16;
const PAIRS: usize = POINTS / 2;
const QUARTER: usize = POINTS / 4;
/// Of the slopes, in order, these bound the interval. The lowest and the highest of eight, since level and slope are
/// estimated from the same points and err together: with fewer the interval held the truth too rarely.
const LOW_SLOPE: usize = 0;
const HIGH_SLOPE: usize = PAIRS - 1;
/// The far end of the interval is at most so many times as far away as the near one: a wider one is no forecast.
const SPREAD_MAX: f64 = 3.0;
/// The near end is taken this much nearer. A leak that has just begun is seen beside the time before it: the steepest slope
/// is then its own, all others are too flat, and the truth lies at the near end (10 of 12 real leaks were within it).
const NEAR_PART: f64 = 0.875;

/// How far back a trend is looked for, and how far ahead it is believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outlook {
    spacing_ns: u64,
    horizon_ns: u64,
}

impl Outlook {
    /// A trend over so long a window, for what will be used up within the horizon.
    #[must_use]
    pub const fn new(window_ns: u64, horizon_ns: u64) -> Self {
        let spacing_ns = window_ns / POINTS as u64;
        Self { spacing_ns: if spacing_ns == 0 { 1 } else { spacing_ns }, horizon_ns }
    }
}

/// The trend of one resource. All zeroes is "nothing seen".
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, Zeroable)]
pub struct Exhaustion {
    at_ns: [u64; POINTS],
    value: [f64; POINTS],
    length: u64,
}

/// When a resource will be used up, if it goes on like this.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Forecast {
    /// Not before.
    pub earliest_ns: u64,
    /// Most likely.
    pub expected_ns: u64,
    /// Not after.
    pub latest_ns: u64,
}

impl Exhaustion {
    /// Takes a sample of what is left, or of what is used, and of the limit it runs into. Returns when it gets there,
    /// in the time of the samples; `None` while it does not, or nobody can tell.
    pub fn observe(&mut self, time_ns: u64, value: f64, limit: f64, by: Outlook) -> Option<Forecast> {
        if !value.is_finite() || !limit.is_finite() {
            return None;
        }
        self.keep(time_ns, value, by.spacing_ns);
        let slopes = self.slopes()?;
        let middle = f64::midpoint(slopes[PAIRS / 2 - 1], slopes[PAIRS / 2]);
        let (level, error) = self.level(time_ns, middle);
        let (left, error) = (limit - level, error.min((limit - level).abs()));
        let toward = |slope: f64| if slope * left > 0.0 { Some((left / slope).abs()) } else { None };
        let (low, high) = (slopes[LOW_SLOPE].abs(), slopes[HIGH_SLOPE].abs());
        let (one, other) = (toward(slopes[LOW_SLOPE])?, toward(slopes[HIGH_SLOPE])?);
        let expected = toward(middle)?;
        let earliest = (one.min(other) - error / low.max(high)).max(0.0);
        let latest = one.max(other) + error / low.min(high);
        if latest > SPREAD_MAX * earliest || expected > seconds(by.horizon_ns) {
            return None;
        }
        let earliest = earliest * NEAR_PART;
        let at = |seconds: f64| time_ns.saturating_add(nanoseconds(seconds));
        Some(Forecast { earliest_ns: at(earliest), expected_ns: at(expected), latest_ns: at(latest) })
    }

    /// Forgets the trend: the resource was resized, or its owner began anew.
    pub fn reset(&mut self) {
        self.length = 0;
    }

    /// The newest point always moves to the newest sample; it becomes fixed once it is far enough from the one before.
    /// A clock that was set back, or a gap of more than a window, begins anew.
    fn keep(&mut self, time_ns: u64, value: f64, spacing_ns: u64) {
        let mut length = self.length();
        if length > 0 {
            let last_ns = self.at_ns[length - 1];
            let window_ns = spacing_ns.saturating_mul(POINTS as u64);
            if time_ns == last_ns {
                length -= 1;
            } else if time_ns < last_ns || time_ns - last_ns > window_ns {
                length = 0;
            } else if length > 1 && last_ns - self.at_ns[length - 2] < spacing_ns {
                length -= 1;
            }
        }
        if length == POINTS {
            self.at_ns.copy_within(1.., 0);
            self.value.copy_within(1.., 0);
            length -= 1;
        }
        (self.at_ns[length], self.value[length]) = (time_ns, value);
        self.length = length as u64 + 1;
    }

    fn length(&self) -> usize {
        usize::try_from(self.length).map_or(POINTS, |length| length.min(POINTS))
    }

    /// Where the trend is now, and how far off that may be: the median of all points, moved along it, and a part of
    /// how much they differ.
    fn level(&self, time_ns: u64, slope: f64) -> (f64, f64) {
        let mut moved = [0.0; POINTS];
        for (moved, (at_ns, value)) in moved.iter_mut().zip(self.at_ns.iter().zip(&self.value)) {
            *moved = value + slope * seconds(time_ns.saturating_sub(*at_ns));
        }
        moved.sort_unstable_by(f64::total_cmp);
        let middle = f64::midpoint(moved[POINTS / 2 - 1], moved[POINTS / 2]);
        (middle, (moved[POINTS - QUARTER] - moved[QUARTER - 1]) / 2.0)
    }

    /// Slopes a second between points half a window apart, ascending.
    fn slopes(&self) -> Option<[f64; PAIRS]> {
        if self.length() < POINTS {
            return None;
        }
        let mut slopes = [0.0; PAIRS];
        for (index, slope) in slopes.iter_mut().enumerate() {
            let (from, to) = (index, index + PAIRS);
            let elapsed_ns = self.at_ns[to].saturating_sub(self.at_ns[from]);
            *slope = (self.value[to] - self.value[from]) / seconds(elapsed_ns).max(1e-9);
        }
        slopes.sort_unstable_by(f64::total_cmp);
        slopes.iter().all(|slope| slope.is_finite()).then_some(slopes)
    }
}
