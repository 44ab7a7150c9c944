//! The kernel's packet filter, as netlink tells it.

pub mod fuzzing;
pub mod message;
pub mod ruleset;
pub mod verdict;

use std::fmt;

/// An answer that is not as the kernel writes it, or a refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed {
    /// Where, in bytes from the beginning of the message or attributes at hand.
    pub offset: usize,
    /// What could not be read there.
    pub what: &'static str,
    /// The kernel's error number, when it refused.
    pub errno: Option<i32>,
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.errno {
            Some(errno) => write!(f, "byte {}: {}, error {errno}", self.offset, self.what),
            None => write!(f, "byte {}: {}", self.offset, self.what),
        }
    }
}

impl std::error::Error for Malformed {}

fn wrong(offset: usize, what: &'static str) -> Malformed {
    Malformed { offset, what, errno: None }
}
