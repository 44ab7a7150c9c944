//! How a VM was asked for: its VMM's arguments, libvirt's XML, Firecracker's configuration.

use super::Provider;

/// Facts of this module.
pub const PROVIDERS: &[Provider] = &[];
