//! Who may log in to the host, and how.

use super::Provider;

/// Facts of this module.
pub const PROVIDERS: &[Provider] = &[];
