//! How a VM was asked for: QEMU's arguments, libvirt's domain XML, Firecracker's and Cloud Hypervisor's.

pub mod cloud_hypervisor;
pub mod domain_xml;
pub mod endpoint;
pub mod firecracker;
pub mod fuzzing;
pub mod qemu;
mod redact;
mod settings;
pub mod storage;
mod xml_limits;

pub use redact::redact;

use std::fmt;

/// A file that is not of the format it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed {
    /// The line, counted from 1; 0 when it is about the whole file.
    pub line: usize,
    /// The column, counted from 1; 0 when it is about the whole file.
    pub column: usize,
    /// What is wrong.
    pub what: &'static str,
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}: {}", self.line, self.column, self.what)
    }
}

impl std::error::Error for Malformed {}
