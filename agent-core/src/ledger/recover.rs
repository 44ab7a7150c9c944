//! Opening: finds where the trail goes on, and how the last run ended.

use super::disk::{Disk, Files};
use super::error::LedgerError;
use super::keys::Keys;
use super::record::{Kind, LastRun};
use super::segment::{self, Ending};
use super::store::{Segment, Sizes, Store};
use super::trail;
use std::sync::Arc;

/// A trail that can go on.
pub(super) struct Recovered {
    pub(super) store: Store,
    pub(super) last: LastRun,
}

/// Opens the trail below a folder, or begins one. Nothing of a run is read twice: the last segment's head says all
/// about those before it.
pub(super) fn recover(disk: Arc<dyn Disk>, sizes: Sizes, origin: &str) -> Result<Recovered, LedgerError> {
    let files = Files::new(disk);
    files.make_folder("")?;
    let lock = files.lock()?;
    let segments = segments(&files)?;
    let Some(last) = segments.last().copied() else {
        let store = Store::begin(files, sizes, origin, lock)?;
        return Ok(Recovered { store, last: LastRun::None });
    };
    let path = segment::name(last.first);
    let (bytes, head, length) = trail::load(&files, last.first)?;
    if head.origin != origin {
        return Err(LedgerError::Key(format!("this is the ledger of {}, not of {origin}", head.origin)));
    }
    let keys = Keys::load(&files)?;
    if head.key != keys.public() {
        return Err(LedgerError::Key(
            "keys/signing is not the key that this ledger is signed with; restore it".into(),
        ));
    }
    let before = head.run;
    let file = files.open(&path).map_err(|error| LedgerError::disk("it cannot be opened", &path, &error))?;
    let mut store = Store::at(files, sizes, keys, head, segments, file, lock);
    let walked = store.take_in(&bytes, length);
    let torn_bytes = match walked.ending {
        Ending::Damaged { what } => return Err(LedgerError::damaged(&path, walked.end, what)),
        Ending::Torn { bytes } => bytes,
        Ending::Clean => 0,
    };
    store.cut(walked.end, walked.ending)?;
    let last = match store.last() {
        Some(Kind::STOP) if torn_bytes == 0 => LastRun::Clean,
        // The first run died before its first record was durable.
        None if before == 0 && store.next == 0 && torn_bytes == 0 => LastRun::None,
        _ => LastRun::Cut { torn_bytes },
    };
    Ok(Recovered { store, last })
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
