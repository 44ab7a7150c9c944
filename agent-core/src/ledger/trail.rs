//! Reading the trail from the first record that is still there to the last.

use super::disk::{Disk, Files};
use super::error::LedgerError;
use super::frame::Frame;
use super::record::Record;
use super::segment::{self, Ending, Head, SEGMENT_BYTES_MAX};
use std::cell::Cell;
use std::sync::Arc;

/// Reads every record from a number on, in order; tells the number of the record after the last.
///
/// Holds one segment in memory at a time. Records that are being written meanwhile may or may not be seen.
///
/// # Errors
/// When the disk refuses, or with the place where the trail is damaged or has a gap.
pub fn read(disk: Arc<dyn Disk>, from: u64, mut each: impl FnMut(&Record)) -> Result<u64, LedgerError> {
    walk(
        disk,
        from,
        |_, _| {},
        |frame| {
            if frame.record.sequence >= from {
                each(&frame.record);
            }
        },
    )
}

/// Reads the leaves of one tenant's log (empty: the host's), each with its index: all that the tenant is to be given.
///
/// # Errors
/// As [`read`].
pub fn leaves(
    disk: Arc<dyn Disk>,
    tenant: &str,
    mut each: impl FnMut(u64, &[u8]),
) -> Result<(), LedgerError> {
    let index = Cell::new(0);
    let at_head = |is_first: bool, head: &Head| {
        // Leaves before the first segment that is there were removed, and are counted all the same.
        if is_first {
            index.set(head.logs.get(tenant).map_or(0, |log| log.tree.size()));
        }
    };
    let at_frame = |frame: &Frame| {
        if frame.record.tenant == tenant {
            each(index.get(), frame.leaf);
            index.set(index.get() + 1);
        }
    };
    walk(disk, 0, at_head, at_frame).map(drop)
}

fn walk(
    disk: Arc<dyn Disk>,
    from: u64,
    mut at_head: impl FnMut(bool, &Head),
    mut at_frame: impl FnMut(&Frame),
) -> Result<u64, LedgerError> {
    let files = Files::new(disk);
    let firsts = segments(&files)?;
    let mut next = None;
    for (index, first) in firsts.iter().enumerate() {
        let after = firsts.get(index + 1);
        if after.is_some_and(|after| *after <= from) {
            continue;
        }
        let path = segment::name(*first);
        let (bytes, head, length) = load(&files, *first)?;
        if next.is_some_and(|next| next != *first) {
            return Err(LedgerError::damaged(&path, 0, "the records before it are missing"));
        }
        at_head(next.is_none(), &head);
        let walked = segment::walk(&bytes, length, *first, &head.salt, |_, frame| at_frame(frame));
        match walked.ending {
            Ending::Damaged { what } => return Err(LedgerError::damaged(&path, walked.end, what)),
            Ending::Torn { .. } if after.is_some() => {
                return Err(LedgerError::damaged(&path, walked.end, "a record is damaged"));
            }
            _ => next = Some(walked.next),
        }
    }
    Ok(next.unwrap_or(0))
}

/// The first record of every segment that is there, in order.
pub(super) fn segments(files: &Files) -> Result<Vec<u64>, LedgerError> {
    Ok(files.list(segment::FOLDER)?.iter().filter_map(|name| segment::first_of(name)).collect())
}

/// A segment's bytes, its head, and where its records begin.
pub(super) fn load(files: &Files, first: u64) -> Result<(Vec<u8>, Head, usize), LedgerError> {
    let path = segment::name(first);
    let damaged = |at, what| LedgerError::damaged(&path, at, what);
    let bytes = files.read(&path, SEGMENT_BYTES_MAX)?.ok_or_else(|| damaged(0, "it is gone"))?;
    let (head, length) = Head::decode(&bytes).map_err(|(at, what)| damaged(at, what))?;
    if head.first != first {
        return Err(damaged(16, "its name is that of another segment"));
    }
    Ok((bytes, head, length))
}
