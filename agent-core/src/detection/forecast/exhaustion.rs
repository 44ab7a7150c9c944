//! When a resource that is being used up will be gone, with an interval.
//!
//! The last [`POINTS`] points of the series are kept, thinned out so that they span the window. The trend is the
//! median of the slopes between points half a window apart (Theil and Sen's estimator on the pairs that say most), and
//! its interval comes from how much these slopes differ. One outlier, or a saw-tooth, does not make a trend.

use super::{nanoseconds, seconds};
use arrayvec::ArrayVec;

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

/// The trend of one resource.
#[derive(Clone, Debug)]
pub struct Exhaustion {
    points: ArrayVec<(u64, f64), POINTS>,
    spacing_ns: u64,
    horizon_ns: u64,
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
    /// A trend over so long a window, for what will be used up within the horizon.
    #[must_use]
    pub fn new(window_ns: u64, horizon_ns: u64) -> Self {
        Self { points: ArrayVec::new(), spacing_ns: (window_ns / POINTS as u64).max(1), horizon_ns }
    }

    /// Takes a sample of what is left, or of what is used, and of the limit it runs into. Returns when it gets there,
    /// in the time of the samples; `None` while it does not, or nobody can tell.
    pub fn observe(&mut self, time_ns: u64, value: f64, limit: f64) -> Option<Forecast> {
        if !value.is_finite() || !limit.is_finite() {
            return None;
        }
        self.keep(time_ns, value);
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
        if latest > SPREAD_MAX * earliest || expected > seconds(self.horizon_ns) {
            return None;
        }
        let at = |seconds: f64| time_ns.saturating_add(nanoseconds(seconds));
        Some(Forecast { earliest_ns: at(earliest), expected_ns: at(expected), latest_ns: at(latest) })
    }

    /// Forgets the trend: the resource was resized, or its owner began anew.
    pub fn reset(&mut self) {
        self.points.clear();
    }

    /// The newest point always moves to the newest sample; it becomes fixed once it is far enough from the one before.
    /// A clock that was set back, or a gap of more than a window, begins anew.
    fn keep(&mut self, time_ns: u64, value: f64) {
        if let Some((last_ns, _)) = self.points.last().copied() {
            let window_ns = self.spacing_ns.saturating_mul(POINTS as u64);
            if time_ns == last_ns {
                self.points.pop();
            } else if time_ns < last_ns || time_ns - last_ns > window_ns {
                self.points.clear();
            } else if self.points.len() > 1
                && last_ns - self.points[self.points.len() - 2].0 < self.spacing_ns
            {
                self.points.pop();
            }
        }
        if self.points.is_full() {
            self.points.remove(0);
        }
        self.points.push((time_ns, value));
    }

    /// Where the trend is now, and how far off that may be: the median of all points, moved along it, and a part of
    /// how much they differ.
    fn level(&self, time_ns: u64, slope: f64) -> (f64, f64) {
        let mut moved = [0.0; POINTS];
        for (moved, (at_ns, value)) in moved.iter_mut().zip(&self.points) {
            *moved = value + slope * seconds(time_ns.saturating_sub(*at_ns));
        }
        moved.sort_unstable_by(f64::total_cmp);
        let middle = f64::midpoint(moved[POINTS / 2 - 1], moved[POINTS / 2]);
        (middle, (moved[POINTS - QUARTER] - moved[QUARTER - 1]) / 2.0)
    }

    /// Slopes a second between points half a window apart, ascending.
    fn slopes(&self) -> Option<[f64; PAIRS]> {
        let points = self.points.as_slice().first_chunk::<POINTS>()?;
        let mut slopes = [0.0; PAIRS];
        for (index, slope) in slopes.iter_mut().enumerate() {
            let ((from_ns, from), (to_ns, to)) = (points[index], points[index + PAIRS]);
            *slope = (to - from) / seconds(to_ns.saturating_sub(from_ns)).max(1e-9);
        }
        slopes.sort_unstable_by(f64::total_cmp);
        slopes.iter().all(|slope| slope.is_finite()).then_some(slopes)
    }
}
