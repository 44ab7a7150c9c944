//! What can go wrong with a trace, where, and what to do about it.

use std::io;

/// A trace that cannot be read on.
#[derive(Debug)]
pub enum TraceError {
    /// The file could not be read.
    Io {
        /// Where, in bytes from the beginning.
        offset: u64,
        /// What the system said.
        error: io::Error,
    },
    /// This is no trace.
    NotATrace,
    /// The trace is of a format this version does not know.
    Version {
        /// The format's version.
        found: u16,
    },
    /// Bytes were changed, or written by something else.
    Corrupt {
        /// Where the record begins, in bytes from the beginning.
        offset: u64,
        /// What is wrong with it.
        what: String,
    },
    /// The configuration in the trace cannot be used.
    Config(String),
    /// There is not enough memory for the limits in the trace.
    Memory(String),
}

impl std::fmt::Display for TraceError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Io { offset, error } => write!(f, "the trace could not be read at byte {offset}: {error}"),
            Self::NotATrace => f.write_str(
                "this is no trace: it does not begin with BTZTRACE; give a file that `record` made",
            ),
            Self::Version { found } => write!(
                f,
                "the trace has format {found}, this version reads format {}; use the version that recorded it",
                super::framing::VERSION
            ),
            Self::Corrupt { offset, what } => write!(
                f,
                "the trace is damaged at byte {offset}: {what}; what was read up to there is good, cut the file off \
                 there to use it, or fetch it again"
            ),
            Self::Config(error) => {
                write!(f, "the configuration in the trace cannot be used: {error}; replay with another one")
            }
            Self::Memory(error) => write!(f, "{error}; replay with smaller [limits]"),
        }
    }
}

impl std::error::Error for TraceError {}

/// A recording that cannot go on.
#[derive(Debug)]
pub enum RecordError {
    /// The trace could not be written; it ends with the last whole record.
    Io(io::Error),
    /// A record is longer than the format allows, or cannot be encoded.
    Encode(String),
    /// The recording has failed before.
    Ended,
}

impl std::fmt::Display for RecordError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Io(error) => write!(f, "the trace could not be written: {error}"),
            Self::Encode(error) => write!(f, "a record of the trace could not be encoded: {error}"),
            Self::Ended => f.write_str("the recording has failed before; begin a new one"),
        }
    }
}

impl std::error::Error for RecordError {}
