//! The readers of a ledger's files, as the fuzz targets call them: whatever the bytes, they must come back.

use super::checkpoint::Checkpoint;
use super::frame::{self, Salt};
use super::keys::hand_over;
use super::merkle::leaf_hash;
use super::note::{Note, Verifier};
use super::proof::{is_consistent, is_included};
use super::segment::{self, Head};
use super::simulated::SimulatedDisk;
use super::verify::{Trust, verify};
use super::{Cursor, Ledger, Sizes, prove, read};
use crate::sys::clock::Clock;
use ring::signature::Ed25519KeyPair;
use std::sync::Arc;

/// A segment: its head reads back, and a ledger that has it as its only one is refused or opened, never more.
pub fn segment(data: &[u8]) {
    if let Ok((head, length)) = Head::decode(data) {
        assert_eq!(head.encode(), data[..length], "a head has one form");
        segment::walk(data, length, head.first, &head.salt, |at, frame| {
            let mut again = Vec::new();
            frame::write(&mut again, &head.salt, frame.place, &frame.record);
            assert_eq!(again, data[at..at + frame.bytes], "a record has one form");
        });
    }
    let disk = SimulatedDisk::new(1, 512);
    disk.plant(&segment::name(0), data);
    let disk = Arc::new(disk);
    let _ = read(disk.clone(), 0, |_| {});
    let mut cursor = Cursor::new(disk.clone(), 0);
    let mut last = 0;
    while let Ok(Some(sequence)) = cursor.next(|record| Some(record.sequence)) {
        last = sequence;
    }
    let _ = prove::locate(disk.clone(), last);
    let _ = (prove::signer(disk.clone()), prove::tenant_id(disk.clone(), "acme"));
    let _ = verify(disk.clone(), &Trust::default());
    let _ = Ledger::open(disk, Sizes::default(), "bartizan/fuzz", Clock::System);
}

/// A signed note, and the checkpoint in it.
pub fn checkpoint(data: &[u8]) {
    let Ok(note) = Note::parse(data) else { return };
    let log = Verifier::log("bartizan/fuzz", [7; 32]);
    let witness = Verifier { is_witness: true, ..log.clone() };
    assert!(!note.is_signed_by(&log) && note.cosigned_by(&witness).is_none(), "nobody has this key");
    if let Ok(checkpoint) = Checkpoint::parse(&note.text) {
        assert!(note.text.starts_with(&checkpoint.text()), "a checkpoint has one form");
    }
}

/// A proof: it proves nothing about a root that was not asked for.
pub fn proof(data: &[u8]) {
    let Ok((index, hashes, note)) = prove::parse(data) else { return };
    let size = Checkpoint::parse(&note.text).map_or(u64::MAX, |checkpoint| checkpoint.size);
    let (leaf, root) = (leaf_hash(data), [1; 32]);
    assert!(!is_included(&leaf, index, size, &root, &hashes));
    assert!(!is_consistent(index, &leaf, size, &root, &hashes) || index == 0);
}

/// A public key, a private one, and a hand-over.
pub fn key(data: &[u8]) {
    if let Some(verifier) = std::str::from_utf8(data).ok().and_then(Verifier::parse) {
        assert_eq!(Verifier::parse(&verifier.to_string()), Some(verifier));
    }
    let _ = Ed25519KeyPair::from_pkcs8(data);
    assert_eq!(hand_over("bartizan/fuzz", &[7; 32], data), None);
}

/// Whether the record of that number begins some bytes, as a test of every flipped bit asks it millions of times.
#[must_use]
pub fn is_record(bytes: &[u8], salt: &Salt, sequence: u64) -> bool {
    frame::parse(bytes, salt).is_ok_and(|frame| frame.record.sequence == sequence)
}

/// The salt of a segment, and where its records begin and end.
#[must_use]
pub fn places(bytes: &[u8]) -> Option<(Salt, Vec<usize>)> {
    let (head, length) = Head::decode(bytes).ok()?;
    let mut places = Vec::new();
    let walked = segment::walk(bytes, length, head.first, &head.salt, |at, _| places.push(at));
    places.push(walked.end);
    Some((head.salt, places))
}
