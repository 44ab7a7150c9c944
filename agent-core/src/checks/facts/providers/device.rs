//! Devices given to VMs: IOMMU groups, VFIO, SR-IOV, device nodes.

use super::Provider;

/// Facts of this module.
pub const PROVIDERS: &[Provider] = &[];
