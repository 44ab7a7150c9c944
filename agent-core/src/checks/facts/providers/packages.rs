//! What is installed, what should be, and where it comes from.

use super::Provider;

/// Facts of this module.
pub const PROVIDERS: &[Provider] = &[];
