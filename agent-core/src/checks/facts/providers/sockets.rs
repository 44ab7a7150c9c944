//! Who listens where.

use super::Provider;

/// Facts of this module.
pub const PROVIDERS: &[Provider] = &[];
