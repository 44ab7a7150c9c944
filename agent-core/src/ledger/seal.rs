//! Checkpoints, the change of keys, removal of old segments, and the end of a run: all that is signed.

use super::checkpoint::Checkpoint;
use super::commit::Ledger;
use super::error::LedgerError;
use super::heads::heads;
use super::log::Issue;
use super::note::{NOTE_BYTES_MAX, Note, Verifier};
use super::record::{Kind, Pruned, Stop, encode};
use super::segment;
use super::trail;
use std::collections::{BTreeSet, VecDeque};

/// More records than this are not left unsigned by [`Ledger::maintain`]: their tiles wait in memory, 32 bytes each.
pub const UNSIGNED_MAX: u64 = 16_384;

/// What one checkpoint leaves to the next.
#[derive(Default)]
pub(super) struct Sealing {
    /// The last tiles that are not full.
    partial: BTreeSet<String>,
    /// Tiles that could not be written.
    unwritten: Vec<(String, Vec<u8>)>,
    /// The last checkpoints of the host's log, with the number below which each covers the trail.
    issued: VecDeque<(Checkpoint, u64)>,
    /// Below this number the witnesses' cosignatures cover the trail.
    cosigned: u64,
    /// What [`Ledger::take_cosigned`] read the last time.
    looked_at: Option<Vec<u8>>,
}

/// So many checkpoints a witness may lag behind.
const ISSUED_MAX: usize = 1_024;
/// The last checkpoint that a witness cosigned.
const COSIGNED: &str = "logs/host/cosigned";

/// What is kept of the trail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keep {
    /// The oldest segments go while all of them have more bytes.
    pub bytes: u64,
    /// Segments go whose last record is older, by the wall clock.
    pub age_ns: u64,
    /// Whether only that may go which a witness cosigned ([`Ledger::cosigned`]).
    pub cosigned_only: bool,
}

impl Ledger {
    /// Records where every tenant's log stands, signs where all logs stand, and writes that down, durably.
    ///
    /// Call it on a timer, also when nothing happens: that nothing was recorded is evidence too.
    ///
    /// # Errors
    /// As [`Ledger::flush`]. The next call does what this one could not.
    pub fn checkpoint(&self) -> Result<(), LedgerError> {
        self.seal(false)
    }

    /// Ends the run in order: what waits and a stop record become durable and signed, and nothing more is taken.
    ///
    /// # Errors
    /// As [`Ledger::flush`]; the run then counts as cut off.
    pub fn stop(&self) -> Result<(), LedgerError> {
        self.seal(true)?;
        self.shared.store.lock().close()
    }

    /// Makes another key, which signs from here on. The hand-over, signed by both, is a record of the host's log.
    ///
    /// # Errors
    /// As [`Ledger::flush`]. The hand-over happens once it is durable, be it by a later attempt.
    pub fn rotate_key(&self) -> Result<(), LedgerError> {
        {
            let _sealing = self.shared.sealing.lock();
            let mut state = self.shared.state.lock();
            self.shared.drain(&mut state)?;
            let note = {
                let mut store = self.shared.store.lock();
                let (files, origin) = (store.files.clone(), store.origin.clone());
                store.keys.prepare(&files, &origin)?
            };
            self.shared.push(&mut state, Kind::HAND_OVER, "", note.as_bytes());
            self.shared.drain(&mut state)?;
            let store = self.shared.store.lock();
            store.keys.settle(&store.files)?;
        }
        self.checkpoint()
    }

    /// The public key that signs, with the ledger's origin as its name.
    #[must_use]
    pub fn verifier(&self) -> Verifier {
        let store = self.shared.store.lock();
        Verifier::log(&store.origin, store.keys.public())
    }

    /// Records that no signed checkpoint covers yet.
    #[must_use]
    pub fn unsigned(&self) -> u64 {
        let store = self.shared.store.lock();
        store.next.saturating_sub(store.covered)
    }

    /// Takes a checkpoint of the host's log back from witnesses, all of which must have cosigned it: it is kept, and what
    /// it covers may be pruned.
    ///
    /// # Errors
    /// [`LedgerError::Key`] when it is not one of the last checkpoints of this run, or a witness did not cosign it.
    pub fn cosigned(&self, note: &[u8], witnesses: &[Verifier]) -> Result<(), LedgerError> {
        let refused = |what: &str| LedgerError::Key(format!("the cosigned checkpoint is refused: {what}"));
        let parsed = Note::parse(note).map_err(refused)?;
        let checkpoint = Checkpoint::parse(&parsed.text).map_err(refused)?;
        if witnesses.is_empty() {
            return Err(refused("no witness is known"));
        }
        for witness in witnesses {
            parsed
                .cosigned_by(witness)
                .ok_or_else(|| refused(&format!("{} has not cosigned it", witness.name)))?;
        }
        let mut sealing = self.shared.sealing.lock();
        let issued = sealing.issued.iter().find(|(issued, _)| *issued == checkpoint);
        let covered = issued.ok_or_else(|| refused("it was not issued by this run"))?.1;
        if covered > sealing.cosigned {
            let files = self.shared.store.lock().files.clone();
            files.put_durably(COSIGNED, note)?;
            sealing.cosigned = covered;
            self.shared.told.change(|status| status.cosigned = covered);
        }
        Ok(())
    }

    /// The same for a checkpoint that somebody laid down as `logs/host/cosigned`, where there is one; whether it covers
    /// more than what was known.
    ///
    /// # Errors
    /// As [`Ledger::cosigned`], and when it cannot be read.
    pub fn take_cosigned(&self, witnesses: &[Verifier]) -> Result<bool, LedgerError> {
        let files = self.shared.store.lock().files.clone();
        let Some(note) = files.read(COSIGNED, NOTE_BYTES_MAX as u64)? else { return Ok(false) };
        {
            // Whatever was taken already, in this run, or before it.
            let mut sealing = self.shared.sealing.lock();
            if sealing.looked_at.as_ref() == Some(&note) {
                return Ok(false);
            }
            sealing.looked_at = Some(note.clone());
        }
        let before = self.status().cosigned;
        self.cosigned(&note, witnesses)?;
        Ok(self.status().cosigned > before)
    }

    /// Removes the oldest segments, those alone that signed checkpoints of this run cover, and says how many.
    ///
    /// # Errors
    /// As [`Ledger::flush`].
    pub fn prune(&self, keep: Keep, now_wall_ns: i64) -> Result<usize, LedgerError> {
        let sealing = self.shared.sealing.lock();
        let (files, segments, signed) = {
            let store = self.shared.store.lock();
            (store.files.clone(), store.segments.clone(), store.covered)
        };
        let covered = if keep.cosigned_only { signed.min(sealing.cosigned) } else { signed };
        let mut bytes: u64 = segments.iter().map(|segment| segment.bytes).sum();
        let mut count = 0;
        for pair in segments.windows(2) {
            let [old, after] = pair else { break };
            let is_old = bytes > keep.bytes || age_ns(&files, after.first, now_wall_ns)? > keep.age_ns;
            if !is_old || after.first > covered {
                break;
            }
            bytes -= old.bytes;
            count += 1;
        }
        let Some(first) = segments.get(count).filter(|_| count > 0) else { return Ok(0) };
        // Told before it is done: what is missing was removed in order.
        self.append(Kind::PRUNED, "", &encode(&Pruned { first: first.first }))?.wait()?;
        for segment in &segments[..count] {
            let path = segment::name(segment.first);
            files.remove(&path).map_err(|error| LedgerError::disk("it cannot be removed", &path, &error))?;
            let mut store = self.shared.store.lock();
            store.segments.retain(|kept| kept.first != segment.first);
            self.shared.told.change(|status| {
                status.pruned += store.first().saturating_sub(status.first);
                (status.first, status.bytes) = (store.first(), store.bytes());
            });
        }
        let synced = files.sync_folder(segment::FOLDER);
        synced.map_err(|error| LedgerError::disk("it cannot be synced", segment::FOLDER, &error))?;
        Ok(count)
    }

    fn seal(&self, is_last: bool) -> Result<(), LedgerError> {
        let shared = &self.shared;
        let mut sealing = shared.sealing.lock();
        let (mut issue, covered) = {
            // Nobody appends until the heads are durable: they say where the logs stand right before them.
            let mut state = shared.state.lock();
            shared.drain(&mut state)?;
            if !state.is_stopped {
                let heads = {
                    let store = shared.store.lock();
                    heads(&store.logs, &store.salt)
                };
                shared.push(&mut state, Kind::HEADS, "", &encode(&heads));
            }
            if is_last && !state.is_stopped {
                let stop = Stop { appended: state.appended, refused: state.refused };
                state.is_stopped = true;
                shared.push(&mut state, Kind::STOP, "", &encode(&stop));
            }
            shared.drain(&mut state)?;
            let mut store = shared.store.lock();
            (Issue::of(&mut store), store.next)
        };
        issue.add(std::mem::take(&mut sealing.unwritten));
        match issue.write(&sealing.partial) {
            Ok(()) => {
                sealing.partial = issue.partial;
                sealing.issued.push_back((issue.host, covered));
                if sealing.issued.len() > ISSUED_MAX {
                    sealing.issued.pop_front();
                }
                let mut store = shared.store.lock();
                store.signed.extend(issue.signed);
                store.covered = covered;
                drop(store);
                let wall_ns = shared.clock.wall_ns();
                shared.told.change(|status| {
                    (status.signed, status.checkpoint_wall_ns) = (covered, wall_ns);
                    status.checkpoints += 1;
                });
                shared.told.ring();
                Ok(())
            }
            Err(error) => {
                sealing.unwritten = issue.into_tiles();
                Err(error)
            }
        }
    }
}

/// How long ago the first record of a segment was made; 0 when it has none.
fn age_ns(files: &super::disk::Files, first: u64, now_wall_ns: i64) -> Result<u64, LedgerError> {
    let (bytes, head, length) = trail::load(files, first)?;
    let frame = super::frame::parse(bytes.get(length..).unwrap_or_default(), &head.salt);
    let wall_ns = frame.map_or(now_wall_ns, |frame| frame.record.wall_ns);
    Ok(u64::try_from(now_wall_ns.saturating_sub(wall_ns)).unwrap_or(0))
}
