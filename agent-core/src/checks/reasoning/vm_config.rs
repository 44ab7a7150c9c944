//! Rules about how a VM was asked for, its devices and its network that must reason.

use super::Reason;

/// Reasonings of this module.
pub(super) const TABLE: &[(&str, Reason)] = &[];
