//! What takes part in recovery, and how its parts become one state that belongs to one place in the trail.

use super::snapshot::{Part, Snapshot};
use crate::ledger::{Ledger, Record};

/// Something that knows more than a new process does, and is to know it again after a crash.
///
/// Its state is what [`Participant::restore`] took plus, in order, every record behind it. So it takes in a record when
/// it appends it, by the same code that [`Participant::replay`] uses, and nothing else that a record tells of. What no
/// record tells of (a baseline, learned sample by sample) is as of the snapshot.
pub trait Participant {
    /// Its name, for good: 1 to 64 bytes.
    fn name(&self) -> &'static str;

    /// The version of what [`Participant::snapshot`] writes. Another one in a snapshot is not given to
    /// [`Participant::restore`]: this participant begins cold.
    fn version(&self) -> u32;

    /// Its state as bytes.
    ///
    /// # Errors
    /// When it cannot be written down; no snapshot is taken then, and the one before stays.
    fn snapshot(&self) -> Result<Vec<u8>, String>;

    /// Takes over a state it wrote down.
    ///
    /// # Errors
    /// When the bytes make no sense. [`Participant::reset`] is called next.
    fn restore(&mut self, bytes: &[u8]) -> Result<(), String>;

    /// Takes in one record that follows. Records that the ledger appends by itself are not shown; neither is a record
    /// whose payload makes no sense an error: it is passed over.
    fn replay(&mut self, record: &Record);

    /// Begins anew, as if nothing had ever been recorded.
    fn reset(&mut self);
}

/// Takes the state of all participants as of now. They must have taken in every record they appended, and nobody may
/// append another meanwhile.
///
/// # Errors
/// With the name of the participant that cannot write down its state, and why.
pub fn take(ledger: &Ledger, wall_ns: i64, participants: &[&dyn Participant]) -> Result<Snapshot, String> {
    let mut parts = Vec::with_capacity(participants.len());
    for participant in participants {
        let name = participant.name();
        let bytes = participant.snapshot().map_err(|error| format!("{name}: {error}"))?;
        parts.push(Part { name: name.to_owned(), version: participant.version(), bytes });
    }
    Ok(Snapshot { sequence: ledger.status().next, wall_ns, parts })
}
