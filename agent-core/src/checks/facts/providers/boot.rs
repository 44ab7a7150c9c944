//! How the host was started, and how it will be: the kernel's command line, Secure Boot, the boot loader.

use super::Provider;

/// Facts of this module.
pub const PROVIDERS: &[Provider] = &[];
