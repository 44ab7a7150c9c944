//! Scores of other detectors on the same data, each with the threshold that is best for it there, as published tables
//! have it.

use super::nab::{PROFILES, Series, Tally};
use std::fs;
use std::path::Path;

/// Thresholds tried: as many as there are steps between the median score and the highest.
const THRESHOLDS: usize = 400;

/// The best standard score of a detector whose scores are in `folder`, as `CATEGORY/NAME.csv` with the score in the last
/// column; with the threshold it takes, and the score by each profile there.
///
/// # Errors
/// Says which file could not be read or understood.
pub fn best(folder: &Path, series: &[Series]) -> Result<(f64, [Option<f64>; 3]), String> {
    let scores = series.iter().map(|one| read(&folder.join(&one.name), one.values.len()));
    let scores = scores.collect::<Result<Vec<_>, _>>()?;
    let mut pooled: Vec<f64> = scores.iter().flatten().copied().collect();
    pooled.sort_by(f64::total_cmp);
    let mut best: Option<(f64, f64, [Option<f64>; 3])> = None;
    for step in 0..THRESHOLDS {
        // Closer together the higher they are: that is where alarms are few.
        let rest = pooled.len() * (THRESHOLDS - step) * (THRESHOLDS - step) / (THRESHOLDS * THRESHOLDS * 2);
        let Some(threshold) = pooled.get(pooled.len() - 1 - rest.min(pooled.len() - 1)).copied() else {
            continue;
        };
        let tally = series.iter().zip(&scores).fold(Tally::default(), |sum, (series, scores)| {
            let alarms: Vec<usize> = (0..scores.len()).filter(|row| scores[*row] >= threshold).collect();
            sum.with(series.tally(&alarms))
        });
        let by_profile = PROFILES.each_ref().map(|profile| tally.score(profile));
        let standard = by_profile[0].unwrap_or(f64::NEG_INFINITY);
        if best.as_ref().is_none_or(|(before, ..)| standard > *before) {
            best = Some((standard, threshold, by_profile));
        }
    }
    best.map(|(_, threshold, by_profile)| (threshold, by_profile))
        .ok_or_else(|| "there are no scores".to_owned())
}

fn read(path: &Path, length: usize) -> Result<Vec<f64>, String> {
    let wrong = |what: &dyn std::fmt::Display| format!("{}: {what}", path.display());
    let text = fs::read_to_string(path).map_err(|error| wrong(&error))?;
    let score = |line: &str| line.rsplit(',').next().and_then(|word| word.trim().parse().ok());
    let scores: Option<Vec<f64>> = text.lines().skip(1).map(score).collect();
    let scores = scores.ok_or_else(|| wrong(&"a score that is no number"))?;
    if scores.len() == length {
        Ok(scores)
    } else {
        Err(wrong(&format!("{} scores for {length} samples", scores.len())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fmt::Write as _;

    #[test]
    fn the_best_threshold_is_the_one_that_finds_the_window_and_nothing_else() {
        let folder = tempfile::tempdir().expect("a folder");
        fs::create_dir(folder.path().join("a")).expect("made");
        let mut lines = String::from("timestamp,anomaly_score\n");
        for row in 0..200 {
            let score = if row == 150 { 0.9 } else { f64::from(row % 10) / 20.0 };
            writeln!(lines, "t,{score}").expect("a string takes everything");
        }
        fs::write(folder.path().join("a/b.csv"), &lines).expect("written");
        let series = Series {
            name: "a/b.csv".into(),
            stamps: Vec::new(),
            times_ns: Vec::new(),
            values: vec![0.0; 200],
            windows: vec![(150, 160)],
        };
        let (threshold, scores) = best(folder.path(), &[series]).expect("scored");
        assert!(threshold > 0.45 && scores[0].expect("a window") > 99.0, "{threshold} {scores:?}");
    }
}
