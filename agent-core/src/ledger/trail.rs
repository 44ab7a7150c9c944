//! Reading the trail from the first record that is still there to the last.

use super::disk::{Disk, Files};
use super::error::LedgerError;
use super::record::Record;
use super::segment::{self, Ending, Head, SEGMENT_BYTES_MAX};
use std::sync::Arc;

/// Reads every record from a number on, in order; tells the number of the record after the last.
///
/// Holds one segment in memory at a time. Records that are being written meanwhile may or may not be seen.
///
/// # Errors
/// When the disk refuses, or with the place where the trail is damaged or has a gap.
pub fn read(disk: Arc<dyn Disk>, from: u64, mut each: impl FnMut(&Record)) -> Result<u64, LedgerError> {
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
        let walked = segment::walk(&bytes, length, *first, &head.salt, |_, frame| {
            if frame.record.sequence >= from {
                each(&frame.record);
            }
        });
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
