//! Proofs out of the files of a ledger, for whoever is to verify offline.

use super::base64;
use super::checkpoint::Checkpoint;
use super::disk::{Disk, Files};
use super::error::LedgerError;
use super::keys::hand_over;
use super::log::Place;
use super::merkle::{Hash, root_of};
use super::note::{Note, Verifier};
use super::record::{Kind, LogBegin, decode};
use super::segment::{self, Ending};
use super::trail;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

/// The proofs that one log's files give.
pub struct Proofs {
    files: Files,
    place: Place,
    note: String,
    checkpoint: Checkpoint,
}

/// The proofs of a log by its blinded id; `None` for the host's.
///
/// `None` as well when the log has no signed checkpoint yet.
///
/// # Errors
/// When its files cannot be read.
pub fn prove(disk: Arc<dyn Disk>, origin: &str, id: Option<&Hash>) -> Result<Option<Proofs>, LedgerError> {
    let files = Files::new(disk);
    let place = id.map_or_else(|| Place::of(origin, "", &[0; 32]), |id| Place::of(origin, "tenant", id));
    let path = format!("{}/checkpoint", place.folder);
    let Some(bytes) = files.read(&path, super::note::NOTE_BYTES_MAX as u64)? else { return Ok(None) };
    // One reading for both: a checkpoint may be made at any time.
    let checkpoint = place.parse(&bytes)?.1;
    let note = String::from_utf8(bytes).map_err(|_| LedgerError::damaged(&path, 0, "it is not text"))?;
    Ok(Some(Proofs { files, place, note, checkpoint }))
}

impl Proofs {
    /// Where the log stood when it was last signed.
    #[must_use]
    pub fn checkpoint(&self) -> &Checkpoint {
        &self.checkpoint
    }

    /// The note that says so.
    #[must_use]
    pub fn note(&self) -> &str {
        &self.note
    }

    /// The hashes from a leaf to the signed root; `None` for a leaf that is not signed, or when tiles are missing.
    #[must_use]
    pub fn inclusion(&self, index: u64) -> Option<Vec<Hash>> {
        self.place.inclusion(&self.files, index, self.checkpoint.size)
    }

    /// The hashes that show that the log of `old` leaves is the beginning of what was signed.
    #[must_use]
    pub fn consistency(&self, old: u64) -> Option<Vec<Hash>> {
        self.place.consistency(&self.files, old, self.checkpoint.size)
    }

    /// The inclusion of a leaf as one text, with the checkpoint: <https://c2sp.org/tlog-proof>.
    #[must_use]
    pub fn text(&self, index: u64) -> Option<String> {
        let mut text = format!("{HEAD}\nindex {index}\n");
        for hash in self.inclusion(index)? {
            let _ = writeln!(text, "{}", base64::encode(&hash));
        }
        let _ = write!(text, "\n{}", self.note);
        Some(text)
    }
}

/// Which leaf of which log a record is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leaf {
    /// The ledger's origin.
    pub origin: String,
    /// The log's tenant; empty for the host's.
    pub tenant: String,
    /// The log's blinded id; `None` for the host's.
    pub id: Option<Hash>,
    /// The leaf's index in the log.
    pub index: u64,
    /// The leaf's bytes: what the log hashes.
    pub bytes: Vec<u8>,
}

/// Finds a record by its number in the trail; `None` when it is not there (yet, or any more).
///
/// # Errors
/// When the disk refuses, or with the place of damage before the record in its segment.
pub fn locate(disk: Arc<dyn Disk>, sequence: u64) -> Result<Option<Leaf>, LedgerError> {
    let files = Files::new(disk);
    let firsts = trail::segments(&files)?;
    let Some(first) = firsts.into_iter().rev().find(|first| *first <= sequence) else { return Ok(None) };
    let (bytes, head, length) = trail::load(&files, first)?;
    let mut logs: BTreeMap<String, (Hash, u64)> =
        head.logs.iter().map(|(tenant, log)| (tenant.clone(), (log.id, log.tree.size()))).collect();
    let mut found = None;
    let walked = segment::walk(&bytes, length, first, &head.salt, |_, frame| {
        let record = &frame.record;
        let begins = || decode::<LogBegin>(record.payload).map_or([0; 32], |begin| begin.id);
        let (id, size) = logs.entry(record.tenant.to_owned()).or_insert_with(|| (begins(), 0));
        if record.sequence == sequence {
            found = Some(Leaf {
                origin: head.origin.clone(),
                tenant: record.tenant.to_owned(),
                id: (!record.tenant.is_empty()).then_some(*id),
                index: *size,
                bytes: frame.leaf.to_vec(),
            });
        }
        *size += 1;
    });
    match walked.ending {
        Ending::Damaged { what } if found.is_none() => {
            Err(LedgerError::damaged(&segment::name(first), walked.end, what))
        }
        _ => Ok(found),
    }
}

/// The blinded id of a tenant, by what the trail says of it; `None` when it has no record there.
///
/// # Errors
/// When the files cannot be read.
pub fn tenant_id(disk: Arc<dyn Disk>, tenant: &str) -> Result<Option<Hash>, LedgerError> {
    let files = Files::new(disk);
    let Some(last) = trail::segments(&files)?.last().copied() else { return Ok(None) };
    let (bytes, head, length) = trail::load(&files, last)?;
    let mut id = head.logs.get(tenant).map(|log| log.id);
    if id.is_none() {
        segment::walk(&bytes, length, last, &head.salt, |_, frame| {
            if frame.record.kind == Kind::LOG && frame.record.tenant == tenant {
                id = decode::<LogBegin>(frame.record.payload).ok().map(|begin| begin.id);
            }
        });
    }
    Ok(id)
}

/// The public key that signs a ledger now, by its files alone: as good as they are.
///
/// # Errors
/// When there is no ledger, or its last segment cannot be read.
pub fn signer(disk: Arc<dyn Disk>) -> Result<Verifier, LedgerError> {
    let files = Files::new(disk);
    let missing = || LedgerError::damaged(segment::FOLDER, 0, "there is no segment");
    let last = *trail::segments(&files)?.last().ok_or_else(missing)?;
    let (bytes, head, length) = trail::load(&files, last)?;
    let mut key = head.key;
    segment::walk(&bytes, length, last, &head.salt, |_, frame| {
        let record = &frame.record;
        if record.kind == Kind::HAND_OVER && record.tenant.is_empty() {
            key = hand_over(&head.origin, &key, record.payload).unwrap_or(key);
        }
    });
    Ok(Verifier::log(&head.origin, key))
}

/// Where a tenant's signed log is in the tree of heads that was recorded with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeadProof {
    /// The leaf's index.
    pub index: u64,
    /// Leaves of the tree, padding included.
    pub width: u64,
    /// The hashes from the leaf ([`super::heads::leaf`]) to the root.
    pub hashes: Vec<Hash>,
    /// The root: that of a `heads` record in the host's log, whose inclusion is proven there.
    pub root: Hash,
}

/// Binds a tenant's log to the host's, and shows nothing of other tenants but hashes nobody can guess.
///
/// # Errors
/// When the files cannot be read, or the tenant's log has no signed checkpoint.
pub fn prove_head(disk: Arc<dyn Disk>, origin: &str, id: &Hash) -> Result<HeadProof, LedgerError> {
    let files = Files::new(disk);
    let mut heads = Vec::new();
    for folder in files.folders("logs")? {
        // The host's own folder is no id.
        let Some(id) = unhex(&folder) else { continue };
        if let Some((_, checkpoint)) = Place::of(origin, "tenant", &id).read(&files)? {
            heads.push((id, checkpoint.size, checkpoint.root));
        }
    }
    let missing = || LedgerError::damaged("logs", 0, "there is no checkpoint of this tenant");
    let last = *trail::segments(&files)?.last().ok_or_else(missing)?;
    let (_, head, _) = trail::load(&files, last)?;
    let own = heads.iter().find(|(found, ..)| found == id).ok_or_else(missing)?;
    let own = super::heads::leaf(&own.0, own.1, &own.2);
    let leaves = super::heads::leaves_of(heads, &head.salt);
    let index = leaves.iter().position(|leaf| *leaf == own).ok_or_else(missing)? as u64;
    let node = |level: u32, index: u64| {
        let (size, index) = (1usize << level, usize::try_from(index).ok()?);
        leaves.get(index * size..(index + 1) * size).map(root_of)
    };
    let width = leaves.len() as u64;
    let hashes = super::proof::inclusion(&node, index, width).ok_or_else(missing)?;
    Ok(HeadProof { index, width, hashes, root: root_of(&leaves) })
}

fn unhex(text: &str) -> Option<Hash> {
    let mut hash = [0; 32];
    for (at, byte) in hash.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(2 * at..2 * at + 2)?, 16).ok()?;
    }
    (super::log::hex(&hash) == text).then_some(hash)
}

const HEAD: &str = "c2sp.org/tlog-proof@v1";
/// More hashes than any tree of 64 bits has levels make no proof.
const HASHES_MAX: usize = 64;

/// A proof that was read: the leaf's index, the hashes, and the note with the checkpoint.
///
/// # Errors
/// A sentence about what is not as it should be.
pub fn parse(bytes: &[u8]) -> Result<(u64, Vec<Hash>, Note), &'static str> {
    let text = std::str::from_utf8(bytes).map_err(|_| "the proof is not text")?;
    let (proof, note) = text.split_once("\n\n").ok_or("the proof has no checkpoint")?;
    let mut lines = proof.lines();
    if lines.next() != Some(HEAD) {
        return Err("this is no proof: it does not begin with c2sp.org/tlog-proof@v1");
    }
    let index =
        lines.next().and_then(|line| line.strip_prefix("index ")).and_then(|index| index.parse().ok());
    let index = index.ok_or("the proof has no index")?;
    let mut hashes = Vec::new();
    for line in lines {
        let hash = base64::decode(line).and_then(|hash| Hash::try_from(hash).ok());
        hashes.push(hash.ok_or("a line of the proof is not 32 bytes in base64")?);
        if hashes.len() > HASHES_MAX {
            return Err("the proof has too many hashes");
        }
    }
    Ok((index, hashes, Note::parse(note.as_bytes())?))
}
