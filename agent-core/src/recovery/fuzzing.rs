//! The readers of recovery's files, as the fuzz targets call them: whatever the bytes, they must come back.

use super::lease::Holder;
use super::{Snapshot, restore};
use crate::ledger::simulated::SimulatedDisk;
use std::sync::Arc;

/// A snapshot: it has one form, and one that is put in the place of the newest is used or refused, never more.
pub fn snapshot(data: &[u8]) {
    if let Ok(snapshot) = Snapshot::decode(data) {
        assert_eq!(snapshot.encode().as_deref(), Ok(data), "a snapshot has one form");
    }
    let disk = SimulatedDisk::new(1, 512);
    disk.plant("recovery/state-0000000000000001", data);
    let restored = restore(Arc::new(disk), 2, &mut []);
    assert!(restored.is_ok_and(|restored| restored.snapshot.is_some() != (restored.refused.len() == 1)));
}

/// The parts of a snapshot, as their owners read them: what they took they write down again.
pub fn generations(data: &[u8]) {
    let mut generations = super::generations::Generations::default();
    if super::Participant::restore(&mut generations, data).is_ok() {
        assert_eq!(super::Participant::snapshot(&generations).as_deref(), Ok(data), "they have one form");
    }
}

/// A lease: it has one form.
pub fn lease(data: &[u8]) {
    if let Some(holder) = Holder::decode(data) {
        assert_eq!(holder.encode(), data, "a lease has one form");
    }
}
