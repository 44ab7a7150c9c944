//! What can go wrong with a ledger, where, and what to do about it.

use std::io;

/// A ledger that cannot be opened, written or read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LedgerError {
    /// The disk refused. What was appended stays queued and is written when the disk is back.
    Disk {
        /// What was being done.
        what: &'static str,
        /// The file or folder, below the ledger's folder.
        path: String,
        /// The system's error number; 0 when it gave none.
        errno: i32,
        /// What the system said.
        message: String,
    },
    /// Bytes were changed, lost, or written by something else.
    Damaged {
        /// The file, below the ledger's folder.
        path: String,
        /// Where, in bytes from the file's beginning.
        offset: u64,
        /// What is wrong.
        what: String,
    },
    /// The queue of records that are not written yet is full; this record was refused, and counted.
    Full,
    /// The record cannot be one: its tenant's name or its payload is too long.
    Record(&'static str),
    /// Another process has the ledger open.
    Locked,
    /// A key or the ledger's origin cannot be used.
    Key(String),
    /// The ledger was stopped.
    Stopped,
}

impl LedgerError {
    pub(super) fn disk(what: &'static str, path: &str, error: &io::Error) -> Self {
        Self::Disk {
            what,
            path: path.to_owned(),
            errno: error.raw_os_error().unwrap_or(0),
            message: error.to_string(),
        }
    }

    pub(super) fn damaged(path: &str, offset: usize, what: impl Into<String>) -> Self {
        Self::Damaged { path: path.to_owned(), offset: offset as u64, what: what.into() }
    }
}

impl std::fmt::Display for LedgerError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Disk { what, path, message, .. } => write!(f, "{path}: {what}: {message}"),
            Self::Damaged { path, offset, what } => write!(f, "{path} is damaged at byte {offset}: {what}"),
            Self::Full => f.write_str("the queue of records that wait for the disk is full"),
            Self::Record(what) => write!(f, "this cannot be a record: {what}"),
            Self::Locked => f.write_str("another process has this ledger open"),
            Self::Key(what) => f.write_str(what),
            Self::Stopped => f.write_str("the ledger was stopped"),
        }
    }
}

impl std::error::Error for LedgerError {}
