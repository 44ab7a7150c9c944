//! Rules about management, packages, logs and log-ins that must reason.

use super::Reason;

/// Reasonings of this module.
pub(super) const TABLE: &[(&str, Reason)] = &[];
