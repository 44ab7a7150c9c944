//! Reading record after record, for whoever wants to stop in between, and go on when there is more.

use super::disk::{Disk, Files};
use super::error::LedgerError;
use super::frame::{self, Frame};
use super::segment::{self, Ending};
use super::trail;
use std::sync::Arc;

/// A place in a trail. Holds one segment in memory; the trail may be written meanwhile.
pub struct Cursor {
    files: Files,
    /// The number of the record that is wanted.
    wanted: u64,
    loaded: Option<Loaded>,
}

struct Loaded {
    first: u64,
    bytes: Vec<u8>,
    salt: frame::Salt,
    /// The record that begins at `at`.
    next: u64,
    at: usize,
}

impl Cursor {
    /// A cursor before a record. Where the first ones were removed, the first that is there comes first.
    #[must_use]
    pub fn new(disk: Arc<dyn Disk>, from: u64) -> Self {
        Self { files: Files::new(disk), wanted: from, loaded: None }
    }

    /// The number that the next record has at least.
    #[must_use]
    pub fn wanted(&self) -> u64 {
        self.wanted
    }

    /// Hands the next record over, and goes behind it when it was taken (`Some`); `None` as well when there is none yet,
    /// and a later call may find one. A number that is not the one behind the last one: records in between were removed.
    ///
    /// # Errors
    /// When the disk refuses, or with the place where the trail is damaged or has a gap.
    pub fn next<T>(
        &mut self,
        take: impl FnOnce(&super::Record) -> Option<T>,
    ) -> Result<Option<T>, LedgerError> {
        if !self.find()? {
            return Ok(None);
        }
        let Some(loaded) = &mut self.loaded else { return Ok(None) };
        let Ok(frame) = loaded.frame() else { return Ok(None) };
        let (bytes, sequence) = (frame.bytes, frame.record.sequence);
        let taken = take(&frame.record);
        if taken.is_some() {
            (loaded.at, loaded.next) = (loaded.at + bytes, sequence + 1);
            self.wanted = sequence + 1;
        }
        Ok(taken)
    }

    /// Goes to the record that is wanted; whether it is there.
    fn find(&mut self) -> Result<bool, LedgerError> {
        if self.skip() {
            return Ok(true);
        }
        // Listed before anything is read: a segment that has a successor then is read to its end.
        let firsts = trail::segments(&self.files)?;
        // One that was removed meanwhile: what follows is looked for anew.
        self.loaded.take_if(|loaded| !firsts.contains(&loaded.first));
        let begin = if let Some(loaded) = &self.loaded {
            loaded.first
        } else {
            let before = firsts.iter().rev().find(|first| **first <= self.wanted);
            let Some(first) = before.or(firsts.first()) else { return Ok(false) };
            *first
        };
        for (place, first) in firsts.iter().enumerate().filter(|(_, first)| **first >= begin) {
            let is_last = place + 1 == firsts.len();
            let behind = self.loaded.as_ref().map(|loaded| (loaded.first, loaded.next, loaded.at));
            let (bytes, head, length) = trail::load(&self.files, *first)?;
            let (next, at) = match behind {
                Some((same, next, at)) if same == *first => (next, at),
                Some((_, next, _)) if next != *first => {
                    let what = "the records before it are missing";
                    return Err(LedgerError::damaged(&segment::name(*first), 0, what));
                }
                _ => (*first, length),
            };
            self.loaded = Some(Loaded { first: *first, bytes, salt: head.salt, next, at });
            if self.skip() {
                return Ok(true);
            }
            self.ends_well(is_last)?;
        }
        Ok(false)
    }

    /// Goes over records before the one that is wanted, within what is loaded; whether it comes to one that is.
    fn skip(&mut self) -> bool {
        let Some(loaded) = &mut self.loaded else { return false };
        while let Ok(frame) = loaded.frame() {
            if frame.record.sequence >= self.wanted {
                return true;
            }
            (loaded.at, loaded.next) = (loaded.at + frame.bytes, loaded.next + 1);
        }
        false
    }

    fn ends_well(&self, is_last: bool) -> Result<(), LedgerError> {
        let Some(loaded) = &self.loaded else { return Ok(()) };
        let walked = segment::walk(&loaded.bytes, loaded.at, loaded.next, &loaded.salt, |_, _| {});
        let what = match walked.ending {
            Ending::Damaged { what } => what,
            Ending::Torn { .. } if !is_last => "a record is damaged",
            _ => return Ok(()),
        };
        Err(LedgerError::damaged(&segment::name(loaded.first), walked.end, what))
    }
}

impl Loaded {
    fn frame(&self) -> Result<Frame<'_>, &'static str> {
        let frame = frame::parse(self.bytes.get(self.at..).unwrap_or_default(), &self.salt)?;
        if frame.record.sequence == self.next { Ok(frame) } else { Err("another number") }
    }
}

#[cfg(test)]
mod tests {
    use super::super::simulated::SimulatedDisk;
    use super::super::{Keep, Kind, Ledger, Sizes};
    use super::*;
    use crate::sys::clock::Clock;

    fn open(disk: &Arc<SimulatedDisk>) -> Ledger {
        let sizes = Sizes { segment_bytes: 1_024, grow_bytes: 256, ..Sizes::default() };
        Ledger::open(disk.clone(), sizes, "bartizan/cursor", Clock::System).unwrap().0
    }

    fn rest(cursor: &mut Cursor) -> Vec<u64> {
        let mut seen = Vec::new();
        while let Some(sequence) = cursor.next(|record| Some(record.sequence)).unwrap() {
            seen.push(sequence);
        }
        seen
    }

    #[test]
    fn it_goes_on_when_there_is_more_over_segments_and_removals() {
        let disk = Arc::new(SimulatedDisk::new(1, 512));
        let ledger = open(&disk);
        let mut cursor = Cursor::new(disk.clone(), 0);
        let mut expected = 0;
        for count in [1u64, 9, 3, 30, 1] {
            for _ in 0..count {
                ledger.append(Kind::ALERT, "t", &[3; 100]).unwrap().wait().unwrap();
            }
            let next = ledger.status().next;
            assert_eq!(rest(&mut cursor), (expected..next).collect::<Vec<_>>());
            assert!(rest(&mut cursor).is_empty());
            expected = next;
        }
        let mut from_20 = Cursor::new(disk.clone(), 20);
        // Looked at, and not taken.
        assert_eq!(from_20.next(|_| None::<()>), Ok(None));
        assert_eq!(from_20.next(|record| Some(record.sequence)), Ok(Some(20)));
        ledger.checkpoint().unwrap();
        let keep = Keep { bytes: 0, age_ns: u64::MAX, cosigned_only: false };
        assert!(ledger.prune(keep, 0).unwrap() > 2);
        let mut late = Cursor::new(disk.clone(), 0);
        assert_eq!(rest(&mut late).first().copied(), Some(ledger.status().first));
    }

    #[test]
    fn damage_is_told_with_its_place_and_what_is_before_it_is_read() {
        let disk = Arc::new(SimulatedDisk::new(1, 512));
        let ledger = open(&disk);
        for _ in 0..3 {
            ledger.append(Kind::ALERT, "", &[3; 100]).unwrap().wait().unwrap();
        }
        drop(ledger);
        let path = segment::name(0);
        let mut bytes = disk.contents(&path).unwrap();
        let at = bytes.windows(4).position(|window| window == [3; 4]).unwrap();
        bytes[at] ^= 1;
        disk.plant(&path, &bytes);
        let mut cursor = Cursor::new(disk, 0);
        assert_eq!(cursor.next(|record| Some(record.sequence)), Ok(Some(0)));
        let Err(LedgerError::Damaged { offset, .. }) = cursor.next(|_| Some(())) else { panic!("not told") };
        assert_eq!(offset, at as u64 - 48);
    }
}
