//! Series in the format of the Numenta Anomaly Benchmark, and its score, written from its published definition.
//!
//! `DIR/data/CATEGORY/NAME.csv` has the columns `timestamp,value`; `DIR/windows.json` names for each series the
//! stretches in which an alarm is right. The first alarm in a window counts the more the earlier it is, each alarm
//! outside of all windows counts against, and each window without an alarm does. 100 is perfect, 0 is silence.

use super::{Problem, problem};
use serde_json::Value;
use std::fs;
use std::path::Path;

/// Weights of a missed window and of a false alarm.
#[derive(Clone, Copy, Debug)]
pub struct Profile {
    /// Its name in the benchmark.
    pub name: &'static str,
    false_alarm: f64,
    missed: f64,
}

/// The benchmark's three.
pub const PROFILES: [Profile; 3] = [
    Profile { name: "standard", false_alarm: 0.11, missed: 1.0 },
    Profile { name: "low FP", false_alarm: 0.22, missed: 1.0 },
    Profile { name: "low FN", false_alarm: 0.11, missed: 2.0 },
];

/// One series with its labels.
pub struct Series {
    /// `CATEGORY/NAME.csv`
    pub name: String,
    /// Timestamps as they are written.
    pub stamps: Vec<String>,
    /// The same, in nanoseconds since 1970.
    pub times_ns: Vec<u64>,
    /// The samples.
    pub values: Vec<f64>,
    /// First and last sample of each window.
    pub windows: Vec<(usize, usize)>,
}

/// What a detector's alarms in one series, or in many, come to.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tally {
    /// Windows that could be found.
    pub windows: usize,
    /// Those that were.
    pub found: usize,
    /// Samples outside of all windows that were alarms.
    pub false_alarms: usize,
    earned: f64,
    lost: f64,
}

/// Reads every series that `windows.json` names.
///
/// # Errors
/// Says which file could not be read or understood.
pub fn load(folder: &Path) -> Result<Vec<Series>, Problem> {
    let path = folder.join("windows.json");
    let text = fs::read_to_string(&path).map_err(|error| problem(&path, error))?;
    let json: Value = serde_json::from_str(&text).map_err(|error| problem(&path, error))?;
    let names = json.as_object().ok_or_else(|| problem(&path, "not an object"))?;
    names.iter().map(|(name, windows)| series(folder, name, windows)).collect()
}

fn series(folder: &Path, name: &str, windows: &Value) -> Result<Series, Problem> {
    let path = folder.join("data").join(name);
    let text = fs::read_to_string(&path).map_err(|error| problem(&path, error))?;
    let mut found = Series {
        name: name.to_owned(),
        stamps: Vec::new(),
        times_ns: Vec::new(),
        values: Vec::new(),
        windows: Vec::new(),
    };
    for line in text.lines().skip(1) {
        let (stamp, value) = line.split_once(',').ok_or_else(|| problem(&path, line))?;
        found.stamps.push(stamp.to_owned());
        found.times_ns.push(time_ns(stamp).ok_or_else(|| problem(&path, line))?);
        found.values.push(value.trim().parse().map_err(|_| problem(&path, line))?);
    }
    for window in windows.as_array().into_iter().flatten() {
        let edge = |index: usize| {
            let edge_ns = window[index].as_str().and_then(time_ns)?;
            found.times_ns.iter().position(|time| *time == edge_ns)
        };
        let (first, last) = (edge(0), edge(1));
        found.windows.push(first.zip(last).ok_or_else(|| problem(&path, "a window that is not in it"))?);
    }
    Ok(found)
}

impl Series {
    /// The first samples are not scored: 15 % of them, at most 750.
    #[must_use]
    pub fn probation(&self) -> usize {
        (self.values.len() * 15 / 100).min(750)
    }

    /// Scores alarms: the numbers of samples, ascending.
    #[must_use]
    pub fn tally(&self, alarms: &[usize]) -> Tally {
        let scored = self.probation();
        let mut tally = Tally::default();
        let mut best = vec![None::<f64>; self.windows.len()];
        for alarm in alarms.iter().copied().filter(|alarm| *alarm >= scored) {
            if let Some(window) =
                self.windows.iter().position(|(first, last)| (*first..=*last).contains(&alarm))
            {
                let (first, last) = self.windows[window];
                let value = reward(-ratio(last - alarm + 1, last - first + 1)) / reward(-1.0);
                best[window] = Some(best[window].map_or(value, |best| best.max(value)));
            } else {
                let before = self.windows.iter().rev().find(|(_, last)| *last < alarm);
                let value =
                    before.map_or(-1.0, |(first, last)| reward(ratio(alarm - last, (last - first).max(1))));
                tally.lost += value;
                tally.false_alarms += 1;
            }
        }
        tally.windows = self.windows.iter().filter(|(_, last)| *last >= scored).count();
        tally.found = best.iter().flatten().count();
        tally.earned = best.iter().flatten().sum();
        tally
    }
}

impl Tally {
    /// Both together.
    #[must_use]
    pub fn with(self, other: Self) -> Self {
        Self {
            windows: self.windows + other.windows,
            found: self.found + other.found,
            false_alarms: self.false_alarms + other.false_alarms,
            earned: self.earned + other.earned,
            lost: self.lost + other.lost,
        }
    }

    /// The score: 0 for silence, 100 for the earliest possible alarm in every window and no other; `None` where there
    /// is no window.
    #[must_use]
    pub fn score(&self, profile: &Profile) -> Option<f64> {
        let windows = count(self.windows);
        let missed = count(self.windows - self.found);
        let raw = self.earned + profile.false_alarm * self.lost - profile.missed * missed;
        (self.windows > 0)
            .then(|| 100.0 * (raw + profile.missed * windows) / (windows * (1.0 + profile.missed)))
    }
}

/// +1 far before the end of a window, 0 at it, towards -1 behind it.
fn reward(position: f64) -> f64 {
    if position > 3.0 { -1.0 } else { 2.0 / (1.0 + (5.0 * position).exp()) - 1.0 }
}

#[expect(clippy::cast_precision_loss, reason = "counts of samples")]
fn count(number: usize) -> f64 {
    number as f64
}

fn ratio(part: usize, whole: usize) -> f64 {
    count(part) / count(whole)
}

/// `YYYY-MM-DD HH:MM:SS`, with or without a fraction, which is not looked at.
fn time_ns(stamp: &str) -> Option<u64> {
    let mut numbers = stamp.split(|c: char| !c.is_ascii_digit()).map(str::parse::<u64>);
    let mut next = || numbers.next()?.ok();
    let (year, month, day) = (next()?, next()?, next()?);
    let (hour, minute, second) = (next()?, next()?, next()?);
    // Days since 1970 by the civil calendar, with years that begin in March.
    let (year, month) = if month <= 2 { (year.checked_sub(1)?, month + 9) } else { (year, month - 3) };
    let days = 365 * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + day;
    let days = days.checked_sub(719_469)?;
    Some((((days * 24 + hour) * 60 + minute) * 60 + second) * 1_000_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stamps_are_times() {
        assert_eq!(time_ns("1970-01-01 00:00:01"), Some(1_000_000_000));
        assert_eq!(time_ns("2014-04-10 16:15:00.000000"), Some(1_397_146_500_000_000_000));
        assert_eq!(time_ns("2000-02-29 00:00:00"), Some(951_782_400_000_000_000));
        assert_eq!(time_ns("nonsense"), None);
    }

    #[test]
    fn silence_is_nothing_and_early_alarms_are_everything() {
        let series = Series {
            name: String::new(),
            stamps: Vec::new(),
            times_ns: Vec::new(),
            values: vec![0.0; 1_000],
            windows: vec![(400, 500), (700, 800)],
        };
        let score = |alarms: &[usize]| series.tally(alarms).score(&PROFILES[0]).expect("windows");
        assert!(score(&[]).abs() < 1e-9);
        assert!((score(&[400, 700]) - 100.0).abs() < 1e-9);
        assert!(score(&[450, 750]) < 95.0 && score(&[450, 750]) > 90.0);
        assert!((score(&[400, 700, 300]) - (100.0 - 100.0 * 0.11 / 4.0)).abs() < 1e-9);
        assert!((score(&[100, 400, 700]) - 100.0).abs() < 1e-9, "in probation");
    }
}
