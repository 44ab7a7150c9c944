//! Opening: the state of a snapshot, and every record that follows it.

use super::participant::Participant;
use super::store;
use crate::ledger::{Disk, LedgerError, read};
use std::sync::Arc;

/// What was restored, and what was not, for people and for the record.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Restored {
    /// The place in the trail of the snapshot that was used; `None` when there was none.
    pub snapshot: Option<u64>,
    /// Records that were replayed behind it.
    pub replayed: u64,
    /// Participants that began cold, and why.
    pub cold: Vec<Cold>,
    /// Snapshots that could not be used, and why.
    pub refused: Vec<String>,
    /// Records that should have been replayed and were pruned before.
    pub missing: u64,
}

/// A participant without a state to go on from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cold {
    /// Its name.
    pub name: &'static str,
    /// Why.
    pub reason: String,
}

/// Gives every participant the state it had: that of the newest good snapshot, and every record from there to before
/// `until`, the first record of this run ([`crate::ledger::Opened::first`]).
///
/// A participant without a usable state in the snapshot begins cold, with the reason, and replays the whole trail; the
/// others are not held up by it.
///
/// # Errors
/// Only when the trail itself cannot be read.
pub fn restore(
    disk: Arc<dyn Disk>,
    until: u64,
    participants: &mut [&mut dyn Participant],
) -> Result<Restored, LedgerError> {
    let (snapshot, refused) = store::load(Arc::clone(&disk), until)?;
    let mut restored =
        Restored { snapshot: snapshot.as_ref().map(|found| found.sequence), refused, ..Restored::default() };
    // Where each goes on: behind the snapshot, or at the beginning.
    let mut from = vec![0; participants.len()];
    for (participant, from) in participants.iter_mut().zip(&mut from) {
        let (name, version) = (participant.name(), participant.version());
        let taken = match &snapshot {
            None => Err("there is no snapshot that can be used".to_owned()),
            Some(found) => match found.parts.iter().find(|part| part.name == name) {
                None => Err("the snapshot has nothing of it".to_owned()),
                Some(part) if part.version != version => Err(format!(
                    "the snapshot has version {} of it, and this is version {version}",
                    part.version
                )),
                Some(part) => participant.restore(&part.bytes).map(|()| found.sequence),
            },
        };
        match taken {
            Ok(sequence) => *from = sequence,
            Err(reason) => {
                participant.reset();
                restored.cold.push(Cold { name, reason });
            }
        }
    }
    let first = from.iter().copied().min().unwrap_or(until);
    let behind = restored.snapshot.unwrap_or(0);
    let mut oldest = None;
    if first < until {
        read(disk, first, |record| {
            oldest.get_or_insert(record.sequence);
            if record.sequence >= until {
                return;
            }
            restored.replayed += u64::from(record.sequence >= behind);
            if record.kind.is_of_the_ledger() {
                return;
            }
            for (participant, from) in participants.iter_mut().zip(&from) {
                if record.sequence >= *from {
                    participant.replay(record);
                }
            }
        })?;
    }
    let oldest = oldest.unwrap_or(0);
    restored.missing = oldest.saturating_sub(behind);
    if oldest > 0 {
        for cold in &mut restored.cold {
            cold.reason = format!("{}; records before {oldest} were pruned", cold.reason);
        }
    }
    Ok(restored)
}

impl std::fmt::Display for Restored {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.snapshot {
            Some(sequence) => {
                write!(f, "state as of record {sequence}, and {} records behind it", self.replayed)?;
            }
            None => write!(f, "no snapshot; {} records", self.replayed)?,
        }
        // Without a snapshot all do, which goes without saying.
        for cold in self.cold.iter().filter(|_| self.snapshot.is_some()) {
            write!(f, "; {} begins cold: {}", cold.name, cold.reason)?;
        }
        for refused in &self.refused {
            write!(f, "; not used: {refused}")?;
        }
        if self.missing > 0 {
            write!(f, "; {} records between were pruned", self.missing)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::simulated::SimulatedDisk;
    use crate::ledger::{Kind, Ledger, Record, Sizes};
    use crate::recovery::{save, take};
    use crate::sys::clock::Clock;

    #[derive(Default)]
    struct Sum {
        name: &'static str,
        version: u32,
        total: u64,
    }

    impl Participant for Sum {
        fn name(&self) -> &'static str {
            self.name
        }
        fn version(&self) -> u32 {
            self.version
        }
        fn snapshot(&self) -> Result<Vec<u8>, String> {
            Ok(self.total.to_le_bytes().to_vec())
        }
        fn restore(&mut self, bytes: &[u8]) -> Result<(), String> {
            self.total = u64::from_le_bytes(bytes.try_into().map_err(|_| "not eight bytes".to_owned())?);
            Ok(())
        }
        fn replay(&mut self, record: &Record) {
            self.total += record.payload.len() as u64;
        }
        fn reset(&mut self) {
            self.total = 0;
        }
    }

    #[test]
    fn one_of_another_version_begins_cold_with_a_reason_and_the_others_go_on() {
        let disk: Arc<dyn Disk> = Arc::new(SimulatedDisk::new(3, 512));
        let sizes = Sizes { reserve_bytes: 0, ..Sizes::default() };
        let (ledger, opened) = Ledger::open(disk.clone(), sizes, "bartizan/t", Clock::System).unwrap();
        let (mut a, mut b) =
            (Sum { name: "a", version: 1, total: 0 }, Sum { name: "b", version: 1, total: 0 });
        let restored = restore(disk.clone(), opened.first, &mut [&mut a, &mut b]).unwrap();
        assert_eq!((restored.snapshot, restored.cold.len()), (None, 2));
        let append = |bytes: &[u8], all: &mut [&mut Sum]| {
            ledger.append(Kind::ALERT, "", bytes).unwrap().wait().unwrap();
            for one in all.iter_mut() {
                one.total += bytes.len() as u64;
            }
        };
        append(b"12345", &mut [&mut a, &mut b]);
        save(disk.clone(), &take(&ledger, 0, &[&a, &b]).unwrap()).unwrap();
        append(b"678", &mut [&mut a, &mut b]);
        ledger.stop().unwrap();
        drop(ledger);

        let (ledger, opened) = Ledger::open(disk.clone(), sizes, "bartizan/t", Clock::System).unwrap();
        let (mut a, mut b) =
            (Sum { name: "a", version: 1, total: 0 }, Sum { name: "b", version: 2, total: 7 });
        let mut c = Sum { name: "c", version: 1, total: 0 };
        let restored = restore(disk, opened.first, &mut [&mut a, &mut b, &mut c]).unwrap();
        assert_eq!((a.total, b.total, c.total), (8, 8, 8), "cold ones replay the whole trail");
        assert_eq!((restored.snapshot, restored.missing), (Some(2), 0));
        let reasons: Vec<_> = restored.cold.iter().map(|cold| (cold.name, &cold.reason[..])).collect();
        assert_eq!(
            reasons,
            [
                ("b", "the snapshot has version 1 of it, and this is version 2"),
                ("c", "the snapshot has nothing of it")
            ]
        );
        assert!(restored.to_string().starts_with("state as of record 2, and "), "{restored}");
        ledger.stop().unwrap();
    }
}
