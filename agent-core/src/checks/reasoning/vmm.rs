//! Rules about a VM's process, memory and disks that must reason.

use super::Reason;

/// Reasonings of this module.
pub(super) const TABLE: &[(&str, Reason)] = &[];
