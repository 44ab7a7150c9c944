//! The audit trail, logs and the clock.

use super::Provider;

/// Facts of this module.
pub const PROVIDERS: &[Provider] = &[];
