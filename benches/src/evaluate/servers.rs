//! Servers with many channels, scored by events and without point adjustment.
//!
//! `NAME.train.csv.gz` and `NAME.test.csv.gz` hold a row of numbers a line, `NAME.anomalies.csv` the first and last row
//! of each labelled event of the test part. An episode of alarms starts where the score reaches the threshold and ends
//! once it has stayed below it for ten rows. An event is found if an episode overlaps it, two rows before or ten after
//! included; an episode that overlaps none is a false alarm.

use super::{Problem, problem};
use flate2::read::GzDecoder;
use std::fs::{self, File};
use std::io::Read;
use std::path::Path;

const GAP: usize = 10;
const EARLY: usize = 2;
const LATE: usize = 10;

/// One server.
pub struct Server {
    /// Its name.
    pub name: String,
    /// Rows before the test part, mostly normal and not labelled.
    pub train: Vec<Vec<f64>>,
    /// Rows that are scored.
    pub test: Vec<Vec<f64>>,
    /// First and last row of each event.
    pub events: Vec<(usize, usize)>,
}

/// What the episodes of one server, or of many, come to.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tally {
    /// Labelled events.
    pub events: usize,
    /// Those that an episode overlaps.
    pub found: usize,
    /// Episodes of alarms.
    pub episodes: usize,
    /// Those that overlap no event.
    pub false_alarms: usize,
    /// Rows far from any event.
    pub quiet: usize,
}

/// Reads every server of a folder, by name.
///
/// # Errors
/// Says which file could not be read or understood.
pub fn load(folder: &Path) -> Result<Vec<Server>, Problem> {
    let entries = fs::read_dir(folder).map_err(|error| problem(folder, error))?;
    let mut names: Vec<String> = entries
        .flatten()
        .filter_map(|entry| Some(entry.file_name().to_str()?.strip_suffix(".anomalies.csv")?.to_owned()))
        .collect();
    names.sort();
    names.into_iter().map(|name| server(folder, name)).collect()
}

fn server(folder: &Path, name: String) -> Result<Server, Problem> {
    let path = folder.join(format!("{name}.anomalies.csv"));
    let text = fs::read_to_string(&path).map_err(|error| problem(&path, error))?;
    let events = text
        .lines()
        .skip(1)
        .map(|line| {
            let (first, last) = line.split_once(',')?;
            Some((first.trim().parse().ok()?, last.trim().parse().ok()?))
        })
        .collect::<Option<_>>()
        .ok_or_else(|| problem(&path, "not two rows a line"))?;
    let train = rows(&folder.join(format!("{name}.train.csv.gz")))?;
    let scored = rows(&folder.join(format!("{name}.test.csv.gz")))?;
    Ok(Server { name, train, test: scored, events })
}

/// A first line that holds no numbers is a header.
fn rows(path: &Path) -> Result<Vec<Vec<f64>>, Problem> {
    let mut text = String::new();
    let file = File::open(path).map_err(|error| problem(path, error))?;
    GzDecoder::new(file).read_to_string(&mut text).map_err(|error| problem(path, error))?;
    let parse =
        |line: &str| line.split(',').map(|cell| cell.trim().parse::<f64>().ok()).collect::<Option<Vec<_>>>();
    let mut found = Vec::new();
    for (number, line) in text.lines().enumerate() {
        match parse(line) {
            Some(row) => found.push(row),
            None if number == 0 => {}
            None => return Err(problem(path, format!("line {}", number + 1))),
        }
    }
    Ok(found)
}

impl Server {
    /// Counts the episodes of a score for each row of the test part.
    #[must_use]
    pub fn tally(&self, scores: &[f32], threshold: f32) -> Tally {
        let rows: Vec<usize> = (0..scores.len()).filter(|row| scores[*row] >= threshold).collect();
        let episodes: Vec<&[usize]> = rows.chunk_by(|before, after| after - before <= GAP).collect();
        let near = |first: usize, last: usize, event: &(usize, usize)| {
            first <= event.1 + LATE && last + EARLY >= event.0
        };
        let is_false = |episode: &&[usize]| {
            let (first, last) = (episode[0], episode[episode.len() - 1]);
            !self.events.iter().any(|event| near(first, last, event))
        };
        let inside = |(first, last): &(usize, usize)| {
            (last + LATE).min(scores.len().saturating_sub(1)) + 1 - first.saturating_sub(EARLY)
        };
        Tally {
            events: self.events.len(),
            found: self.events.iter().filter(|event| rows.iter().any(|row| near(*row, *row, event))).count(),
            episodes: episodes.len(),
            false_alarms: episodes.iter().filter(|episode| is_false(episode)).count(),
            quiet: scores.len().saturating_sub(self.events.iter().map(inside).sum()),
        }
    }

    /// The area under the precision-recall curve of single rows.
    #[must_use]
    pub fn area(&self, scores: &[f32]) -> f64 {
        let labelled = |row: &usize| self.events.iter().any(|(first, last)| (*first..=*last).contains(row));
        let total = (0..scores.len()).filter(labelled).count();
        let mut order: Vec<usize> = (0..scores.len()).collect();
        order.sort_by(|a, b| scores[*b].total_cmp(&scores[*a]));
        let (mut seen, mut found, mut area) = (0, 0, 0.0);
        for same in order.chunk_by(|a, b| scores[*a].total_cmp(&scores[*b]).is_eq()) {
            let more = same.iter().filter(|row| labelled(row)).count();
            seen += same.len();
            found += more;
            area += ratio(more, total) * ratio(found, seen);
        }
        area
    }
}

impl Tally {
    /// Both together.
    #[must_use]
    pub fn with(self, other: Self) -> Self {
        Self {
            events: self.events + other.events,
            found: self.found + other.found,
            episodes: self.episodes + other.episodes,
            false_alarms: self.false_alarms + other.false_alarms,
            quiet: self.quiet + other.quiet,
        }
    }

    /// The part of the episodes that overlap an event, that of the events that were found, and their harmonic mean.
    #[must_use]
    pub fn precision_recall_f1(&self) -> (f64, f64, f64) {
        let precision = ratio(self.episodes - self.false_alarms, self.episodes);
        let recall = ratio(self.found, self.events);
        let sum = precision + recall;
        (precision, recall, if sum > 0.0 { 2.0 * precision * recall / sum } else { 0.0 })
    }

    /// False alarms in a thousand quiet rows.
    #[must_use]
    pub fn false_per_1000(&self) -> f64 {
        1_000.0 * ratio(self.false_alarms, self.quiet)
    }
}

/// 0 of 0 is 0.
#[expect(clippy::cast_precision_loss, reason = "counts of rows")]
fn ratio(part: usize, whole: usize) -> f64 {
    part as f64 / whole.max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn episodes_and_events() {
        let server =
            Server { name: String::new(), train: vec![], test: vec![], events: vec![(100, 110), (300, 400)] };
        let mut scores = vec![0.0; 1_000];
        // One event found late, with a gap in the episode; one false alarm; the other event missed.
        for row in [115, 124, 700] {
            scores[row] = 1.0;
        }
        let tally = server.tally(&scores, 1.0);
        assert_eq!((tally.events, tally.found, tally.episodes, tally.false_alarms), (2, 1, 2, 1));
        let (precision, recall, f1) = tally.precision_recall_f1();
        assert!((precision - 0.5).abs() < 1e-9 && (recall - 0.5).abs() < 1e-9 && (f1 - 0.5).abs() < 1e-9);
        (300..=400).chain(100..=110).for_each(|row| scores[row] = 2.0);
        assert!((server.area(&scores) - 1.0).abs() < 1e-9);
    }
}
