//! The ledger: a durable, signed trail of what happened. What it promises, its files and formats are described in
//! docs/ledger.md. Opened by a host of its own, it takes the host's security events, and, attached to an agent, what
//! that tells, before it is told.

// In the order of the header.
pub mod options;

pub mod handle;

pub mod append;

pub mod state;

pub mod records;

pub mod proof;

pub mod verify;

pub mod attach;

use crate::failure::Failure;
use crate::text;
use bartizan_core::ledger::RealDisk;
use std::ffi::c_char;
use std::path::Path;
use std::sync::Arc;

/// A ledger's folder, as the caller names it.
unsafe fn folder(path: *const c_char, length: usize) -> Result<Arc<RealDisk>, Failure> {
    // SAFETY: the caller's contract is this function's.
    let path = unsafe { text::given(path, length)? };
    if path.is_empty() || path.contains('\0') {
        return Err(Failure::argument("the folder's path is empty, or has a NUL in it"));
    }
    Ok(Arc::new(RealDisk::new(Path::new(path))))
}

/// A text that may be left out.
unsafe fn optional<'a>(given: *const c_char, length: usize) -> Result<Option<&'a str>, Failure> {
    if given.is_null() {
        return Ok(None);
    }
    // SAFETY: the caller's contract is this function's.
    unsafe { text::given(given, length).map(Some) }
}
