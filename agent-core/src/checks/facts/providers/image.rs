//! A VM's disks: who else can write to them, what they are made of.

use super::Provider;

/// Facts of this module.
pub const PROVIDERS: &[Provider] = &[];
