//! Over a trail of 10,000 records: every flipped bit, deletion, swap, duplication and truncation is noticed, and the
//! first bad record is named. Optimised in `tools/test`; not optimised, every hundredth record is tried.

#![expect(clippy::unwrap_used, reason = "what fails here fails the test, with its place")]

use bartizan_core::ledger::fuzzing::{is_record, places};
use bartizan_core::ledger::simulated::{Dice, SimulatedDisk};
use bartizan_core::ledger::verify::{Trust, VerifyError, verify};
use bartizan_core::ledger::{Kind, Ledger, Sizes};
use bartizan_core::sys::clock::Clock;
use std::sync::Arc;

const RECORDS: u32 = 10_000;
const SEGMENT: &str = "segments/0000000000000000.btzl";
/// Only every so many records are tried where nothing is optimised.
const STEP: usize = if cfg!(debug_assertions) { 100 } else { 1 };
/// Whole verifications are dearer: every so many.
const STEP_WHOLE: usize = if cfg!(debug_assertions) { 1_999 } else { 97 };

struct Trail {
    disk: SimulatedDisk,
    bytes: Vec<u8>,
    salt: [u8; 16],
    /// Where every record begins, and where the last ends.
    places: Vec<usize>,
    trust: Trust,
}

impl Trail {
    fn new() -> Self {
        let disk = SimulatedDisk::new(1, 4_096);
        let (ledger, _) =
            Ledger::open(Arc::new(disk.clone()), Sizes::default(), "bartizan/tamper", Clock::System).unwrap();
        for number in 0..RECORDS {
            let tenant = ["", "acme", "zeta"][number as usize % 3];
            let _ = ledger.append(Kind::ALERT, tenant, &number.to_le_bytes()).unwrap();
            if number % 100 == 99 {
                ledger.flush().unwrap();
            }
        }
        ledger.stop().unwrap();
        let trust = Trust { key: Some(ledger.verifier().key), ..Trust::default() };
        let bytes = disk.contents(SEGMENT).unwrap();
        let (salt, places) = places(&bytes).unwrap();
        assert!(places.len() > RECORDS as usize);
        Self { disk, bytes, salt, places, trust }
    }

    fn records(&self) -> usize {
        self.places.len() - 1
    }

    fn record(&self, number: usize) -> &[u8] {
        &self.bytes[self.places[number]..self.places[number + 1]]
    }

    /// The record that verification names when the segment has these bytes; `None` when it finds nothing.
    fn named(&self, bytes: &[u8]) -> Option<u64> {
        self.disk.plant(SEGMENT, bytes);
        match verify(Arc::new(self.disk.clone()), &self.trust) {
            Ok(report) => {
                assert_eq!(report.next, self.records() as u64);
                None
            }
            Err(VerifyError::Bad(finding)) => {
                Some(finding.sequence.unwrap_or_else(|| panic!("{finding} names no record")))
            }
            Err(error) => panic!("{error:?}"),
        }
    }
}

#[test]
fn every_flipped_bit_makes_the_record_it_is_in_unreadable() {
    let mut trail = Trail::new();
    let mut flips = 0u64;
    for number in (0..trail.records()).step_by(STEP) {
        let (begin, end) = (trail.places[number], trail.places[number + 1]);
        for at in begin..end {
            for bit in 0..8 {
                trail.bytes[at] ^= 1 << bit;
                assert!(
                    !is_record(&trail.bytes[begin..], &trail.salt, number as u64),
                    "record {number}, byte {at}, bit {bit}"
                );
                trail.bytes[at] ^= 1 << bit;
                flips += 1;
            }
        }
        assert!(is_record(&trail.bytes[begin..], &trail.salt, number as u64));
    }
    println!("{flips} flips");
}

#[test]
fn whole_verification_names_the_first_bad_record() {
    let trail = Trail::new();
    assert_eq!(trail.named(&trail.bytes), None);
    let mut dice = Dice::new(5);
    let last = trail.records() - 1;
    for number in (0..last).step_by(STEP_WHOLE).chain([last - 1]) {
        let (begin, end) = (trail.places[number], trail.places[number + 1]);
        let (before, behind) = (&trail.bytes[..begin], &trail.bytes[end..]);
        let (this, next) = (trail.record(number), trail.record(number + 1));
        let named = Some(number as u64);
        let mut flipped = trail.bytes.clone();
        flipped[begin + usize::try_from(dice.below(this.len() as u64)).unwrap()] ^= 1 << dice.below(8);
        assert_eq!(trail.named(&flipped), named, "a flip in {number}");
        assert_eq!(trail.named(&[before, behind].concat()), named, "{number} deleted");
        let swapped = [before, next, this, &behind[next.len()..]].concat();
        assert_eq!(trail.named(&swapped), named, "{number} swapped");
        let twice = [before, this, this, behind].concat();
        assert_eq!(trail.named(&twice), Some(number as u64 + 1), "{number} duplicated");
        assert_eq!(trail.named(before), named, "cut before {number}");
        assert_eq!(trail.named(&trail.bytes[..end - 1]), named, "cut within {number}");
    }
    assert_eq!(
        trail.named(&trail.bytes[..trail.places[last]]),
        Some(last as u64),
        "the last record is missing"
    );
    assert_eq!(trail.named(&[&trail.bytes[..], trail.record(last)].concat()), Some(last as u64 + 1));
}
