//! The host's network: taps, bridges, interfaces, the packet filter.

use super::Provider;

/// Facts of this module.
pub const PROVIDERS: &[Provider] = &[];
