//! Kernel bytes become numbers: discovery finds what there is, plans hold what is open, the frame holds the values.

pub mod availability;
pub mod discovery;
pub mod frame;
pub mod history;
pub mod host;
pub(crate) mod journal;
pub mod metrics;
pub mod monitors;
pub mod parse;
pub mod perf;
pub mod roster;
pub mod vm;

use availability::Availability;
use metrics::Source;

/// How a source is read, and why not better: shown to operators and on the C ABI.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceReport {
    /// The source.
    pub source: Source,
    /// The tier in use: `kept-fd`, `open-each`, `stats-fd`, `debugfs`, `qmp`, `none`, ...
    pub tier: &'static str,
    /// Whether it works.
    pub availability: Availability,
    /// Why this tier and no better one; where something is closed, which capability or permission opens it.
    pub reason: String,
}
