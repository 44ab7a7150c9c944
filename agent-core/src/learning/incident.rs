//! A closed incident, as far as it can teach something.

use serde::{Deserialize, Serialize};

/// One incident that was closed as a true positive. False ones teach nothing about the host.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Incident {
    /// When it was opened, in nanoseconds since the epoch.
    pub opened_ns: u64,
    /// The tenant; empty for the host's own.
    pub tenant: String,
    /// The VM; empty for the host.
    pub vm: String,
    /// What it was: a rule, a check, or the root cause that was found.
    pub cause: String,
}
