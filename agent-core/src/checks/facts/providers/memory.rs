//! The host's memory: page merging, swap, overcommitment, huge pages.

use super::Provider;

/// Facts of this module.
pub const PROVIDERS: &[Provider] = &[];
