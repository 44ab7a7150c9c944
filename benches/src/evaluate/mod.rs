//! How good detection is, on data in public formats: the shipped detectors, unchanged, with their shipped thresholds.

pub mod nab;
pub mod peers;
pub mod servers;

use std::fmt::Display;
use std::path::Path;

/// Why data could not be read, for a person.
pub type Problem = String;

/// Names the file with what is wrong with it.
pub(crate) fn problem(path: &Path, error: impl Display) -> Problem {
    format!("{}: {error}", path.display())
}
