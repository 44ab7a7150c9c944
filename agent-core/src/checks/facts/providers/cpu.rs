//! The processor: mitigations, simultaneous multithreading, microcode, KVM's own switches.

use super::Provider;

/// Facts of this module.
pub const PROVIDERS: &[Provider] = &[];
