//! A VM's process: who it runs as, what it may do, what it holds open.

use super::Provider;

/// Facts of this module.
pub const PROVIDERS: &[Provider] = &[];
