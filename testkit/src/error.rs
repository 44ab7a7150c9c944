//! The crate's one error: what was being done, and what the system answered.

use std::fmt;
use std::io;

/// What was being done, and why it failed.
#[derive(Debug)]
pub struct Error {
    doing: String,
    source: io::Error,
}

/// Result with this crate's [`Error`].
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// An error of our own making, without a system call behind it.
    #[must_use]
    pub fn new(doing: impl Into<String>, why: impl Into<String>) -> Self {
        Self { doing: doing.into(), source: io::Error::other(why.into()) }
    }

    /// The system's error number, when a system call failed.
    #[must_use]
    pub fn errno(&self) -> Option<i32> {
        self.source.raw_os_error()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.doing, self.source)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.source)
    }
}

/// Says what was being done when an error came.
pub(crate) trait Doing<T> {
    /// Wraps the error with `what`, which is only evaluated on failure.
    fn doing<S: Into<String>>(self, what: impl FnOnce() -> S) -> Result<T>;
}

impl<T, E: Into<io::Error>> Doing<T> for std::result::Result<T, E> {
    fn doing<S: Into<String>>(self, what: impl FnOnce() -> S) -> Result<T> {
        self.map_err(|error| Error { doing: what().into(), source: error.into() })
    }
}
