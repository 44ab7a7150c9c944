//! Rules about the host that must reason.

use super::Reason;

/// Reasonings of this module.
pub(super) const TABLE: &[(&str, Reason)] = &[];
