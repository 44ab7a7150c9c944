//! What is attached to an incident when it opens: bounded, and what was cut is said.

use super::signal::cut;
use crate::sampling::availability::Availability;
use crate::sampling::history::HistoryPoint;
use serde::{Deserialize, Serialize};

/// Bytes of one piece's text.
const TEXT_BYTES_MAX: usize = 1_024;
/// About what a piece takes beside its text and points.
const PIECE_BYTES: usize = 96;
/// What a point takes.
const POINT_BYTES: usize = 17;

/// One piece of evidence.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// What it is: a metric's or a fact's name, and of what.
    pub name: String,
    /// Where it was read.
    pub source: String,
    /// What it says, as text; empty for a series.
    pub text: String,
    /// A window of the flight recorder, oldest first; empty for a text.
    pub points: Vec<Point>,
    /// What was left out, in words; empty when nothing was.
    pub cut: String,
}

/// One value of a series.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Point {
    /// When, in nanoseconds since the epoch.
    pub at_ns: i64,
    /// The value in the metric's stored unit; meaningless unless `availability` is 1.
    pub value: i64,
    /// The number of its [`Availability`].
    pub availability: u8,
}

impl Evidence {
    /// A text, such as what a check read.
    #[must_use]
    pub fn text(name: impl Into<String>, source: impl Into<String>, text: impl Into<String>) -> Self {
        Self { name: name.into(), source: source.into(), text: text.into(), ..Self::default() }
    }

    /// A window of the flight recorder.
    #[must_use]
    pub fn series(name: impl Into<String>, source: impl Into<String>, points: &[HistoryPoint]) -> Self {
        let points = points
            .iter()
            .map(|point| Point {
                at_ns: point.tick.wall_ns,
                value: point.value,
                availability: point.availability as u8,
            })
            .collect();
        Self { name: name.into(), source: source.into(), points, ..Self::default() }
    }

    fn bytes(&self) -> usize {
        PIECE_BYTES + self.name.len() + self.source.len() + self.text.len() + self.points.len() * POINT_BYTES
    }
}

impl Point {
    /// The value, if there was one.
    #[must_use]
    pub fn ok(self) -> Option<i64> {
        (self.availability == Availability::Ok as u8).then_some(self.value)
    }
}

/// As many pieces as fit, in their order; of a series that does not fit the newest points. What is left out is said.
#[must_use]
pub(super) fn bounded(pieces: Vec<Evidence>, bytes_max: usize) -> Vec<Evidence> {
    let mut left = bytes_max;
    let count = pieces.len();
    let mut kept: Vec<Evidence> = Vec::new();
    for (index, mut piece) in pieces.into_iter().enumerate() {
        cut(&mut piece.name, 128);
        cut(&mut piece.source, 256);
        if piece.text.len() > TEXT_BYTES_MAX {
            piece.cut = format!("the text had {} bytes", piece.text.len());
            cut(&mut piece.text, TEXT_BYTES_MAX);
        }
        if piece.bytes() > left && !piece.points.is_empty() {
            let room = left.saturating_sub(piece.bytes() - piece.points.len() * POINT_BYTES) / POINT_BYTES;
            let gone = piece.points.len() - room.min(piece.points.len());
            piece.points.drain(..gone);
            piece.cut = format!("the oldest {gone} of {} points", gone + piece.points.len());
        }
        let is_empty = piece.text.is_empty() && piece.points.is_empty() && !piece.cut.is_empty();
        if piece.bytes() > left || is_empty {
            let rest = format!("{} of {count} pieces of evidence did not fit", count - index);
            match kept.last_mut() {
                Some(last) if last.cut.is_empty() => last.cut = rest,
                Some(last) => last.cut = format!("{}; {rest}", last.cut),
                None => kept.push(Evidence { cut: rest, ..Evidence::default() }),
            }
            break;
        }
        left -= piece.bytes();
        kept.push(piece);
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn it_is_bounded_and_says_what_was_cut(
            sizes in prop::collection::vec((0usize..3_000, 0usize..300), 0..12),
            bytes_max in 0usize..9_000,
        ) {
            let pieces: Vec<Evidence> = sizes
                .iter()
                .map(|(text, points)| Evidence {
                    text: "x".repeat(*text),
                    points: vec![Point { at_ns: 1, value: 2, availability: 1 }; *points],
                    ..Evidence::default()
                })
                .collect();
            let kept = bounded(pieces.clone(), bytes_max);
            // One piece that says that nothing fitted is always there.
            let bytes: usize = kept.iter().map(Evidence::bytes).sum();
            prop_assert!(bytes <= bytes_max.max(PIECE_BYTES), "{bytes} of {bytes_max}");
            let whole = kept.iter().all(|piece| piece.cut.is_empty());
            prop_assert_eq!(whole, kept == pieces);
        }
    }
}
