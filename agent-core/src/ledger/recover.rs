//! Opening: finds where the trail goes on, and how the last run ended.

use super::aside::is_of;
use super::disk::{Disk, Files};
use super::error::LedgerError;
use super::keys::Keys;
use super::log::{Place, load_edges};
use super::record::{Kind, LastRun};
use super::segment::{self, Ending, Head};
use super::store::{Segment, Sizes, Store};
use super::trail;
use std::sync::Arc;

/// A trail that can go on.
pub(super) struct Recovered {
    pub(super) store: Store,
    pub(super) last: LastRun,
}

/// Opens the trail below a folder, or begins one. Only the segments since the last checkpoint are read: a segment's
/// head says all about those before it.
pub(super) fn recover(disk: Arc<dyn Disk>, sizes: Sizes, origin: &str) -> Result<Recovered, LedgerError> {
    let files = Files::new(disk);
    files.make_folder("")?;
    let lock = files.lock()?;
    let segments = segments(&files)?;
    let Some(last) = segments.last().copied() else {
        let store = Store::begin(files, sizes, origin, lock)?;
        return Ok(Recovered { store, last: LastRun::None });
    };
    // A ledger that begins behind a damaged one has an origin that follows on the first.
    let named = trail::load(&files, last.first)?.1.origin;
    if !is_of(&named, origin) {
        return Err(LedgerError::Key(format!("this is the ledger of {named}, not of {origin}")));
    }
    let origin = &named[..];
    let (begin, head) = begin(&files, &segments, origin)?;
    let keys = Keys::load(&files)?;
    let covered = Place::of(origin, "", &[0; 32]).read(&files)?.map_or(0, |(_, checkpoint)| checkpoint.size);
    let path = segment::name(last.first);
    let file = files.open(&path).map_err(|error| LedgerError::disk("it cannot be opened", &path, &error))?;
    let (before, behind) = (head.run, segments[begin..].to_vec());
    let mut store = Store::at(files, sizes, keys, head, segments, file, lock);
    let mut torn_bytes = 0;
    for segment in behind {
        let path = segment::name(segment.first);
        let (bytes, head, length) = trail::load(&store.files, segment.first)?;
        if head.first != store.next || head.salt != store.salt {
            return Err(LedgerError::damaged(&path, 0, "it does not follow on the segment before it"));
        }
        let walked = store.take_in(&bytes, length);
        torn_bytes = match walked.ending {
            Ending::Damaged { what } => return Err(LedgerError::damaged(&path, walked.end, what)),
            Ending::Torn { .. } if segment.first != last.first => {
                return Err(LedgerError::damaged(&path, walked.end, "a record is damaged"));
            }
            Ending::Torn { bytes } => bytes,
            Ending::Clean => 0,
        };
        if segment.first == last.first {
            if store.logs.get("").is_none_or(|log| log.tree.size() < covered) {
                return Err(LedgerError::damaged(
                    &path,
                    walked.end,
                    "records that were signed are missing here",
                ));
            }
            store.cut(walked.end, walked.ending)?;
        }
    }
    let signer = store.signer;
    store.keys.choose(&signer)?;
    store.keys.settle(&store.files)?;
    let last = match store.last() {
        Some(Kind::STOP) if torn_bytes == 0 => LastRun::Clean,
        // The first run died before its first record was durable.
        None if before == 0 && store.next == 0 && torn_bytes == 0 => LastRun::None,
        _ => LastRun::Cut { torn_bytes },
    };
    Ok(Recovered { store, last })
}

/// The segment that is read first: the last whose tiles are on the disk for certain, because a checkpoint was written
/// after it was begun. Where tiles are lost although they were signed, the last one has to do.
fn begin(files: &Files, segments: &[Segment], origin: &str) -> Result<(usize, Head), LedgerError> {
    let covered = Place::of(origin, "", &[0; 32]).read(files)?.map_or(0, |(_, checkpoint)| checkpoint.size);
    let mut newest = None;
    for (index, segment) in segments.iter().enumerate().rev() {
        let (_, mut head, _) = trail::load(files, segment.first)?;
        if head.origin != origin {
            return Err(LedgerError::Key(format!("this is the ledger of {}, not of {origin}", head.origin)));
        }
        let is_sure = head.logs.get("").is_some_and(|log| log.tree.size() <= covered);
        if load_edges(files, origin, &mut head.logs)? && is_sure {
            return Ok((index, head));
        }
        newest.get_or_insert((index, head));
    }
    newest.ok_or_else(|| LedgerError::damaged(segment::FOLDER, 0, "it is empty"))
}

/// The segments that are there. Those a crash kept from getting their names are removed.
fn segments(files: &Files) -> Result<Vec<Segment>, LedgerError> {
    let mut segments = Vec::new();
    for name in files.list(segment::FOLDER)? {
        if let Some(first) = segment::first_of(&name) {
            segments.push(Segment { first, bytes: 0 });
        } else if name.rsplit_once('.').is_some_and(|(_, end)| end == "tmp") {
            // One that cannot be removed is in nobody's way.
            let _ = files.remove(&format!("{}/{name}", segment::FOLDER));
        }
    }
    for segment in &mut segments {
        let path = segment::name(segment.first);
        let length = files.open(&path).and_then(|file| file.length());
        segment.bytes = length.map_err(|error| LedgerError::disk("it cannot be opened", &path, &error))?;
    }
    Ok(segments)
}
