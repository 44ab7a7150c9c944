//! libvirt's daemons, and other managers of VMs and containers.

use super::Provider;

/// Facts of this module.
pub const PROVIDERS: &[Provider] = &[];
