//! Files with a format of their own: disk images, executables, certificates, package databases.

pub mod acl;
pub mod advisories;
pub mod dpkg;
pub mod elf;
pub mod fuzzing;
pub mod qcow2;
pub mod x509;

use std::fmt;

/// A file that is not of the format it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed {
    /// Where, in bytes from the beginning of what was given.
    pub offset: usize,
    /// What could not be read there.
    pub what: &'static str,
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "byte {}: {}", self.offset, self.what)
    }
}

impl std::error::Error for Malformed {}

/// So many bytes at an offset.
fn bytes_at<const N: usize>(bytes: &[u8], offset: usize) -> Option<[u8; N]> {
    bytes.get(offset..offset.checked_add(N)?)?.try_into().ok()
}
