//! Proofs out of the files of a ledger, for whoever is to verify offline.

use super::base64;
use super::checkpoint::Checkpoint;
use super::disk::{Disk, Files};
use super::error::LedgerError;
use super::log::Place;
use super::merkle::{Hash, root_of};
use super::note::Note;
use super::trail;
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
/// # Errors
/// When the log has no signed checkpoint, or its files cannot be read.
pub fn prove(disk: Arc<dyn Disk>, origin: &str, id: Option<&Hash>) -> Result<Proofs, LedgerError> {
    let files = Files::new(disk);
    let place = id.map_or_else(|| Place::of(origin, "", &[0; 32]), |id| Place::of(origin, "tenant", id));
    let path = format!("{}/checkpoint", place.folder);
    let missing = || LedgerError::damaged(&path, 0, "there is no checkpoint");
    let (_, checkpoint) = place.read(&files)?.ok_or_else(missing)?;
    let bytes = files.read(&path, super::note::NOTE_BYTES_MAX as u64)?.ok_or_else(missing)?;
    let note = String::from_utf8(bytes).map_err(|_| LedgerError::damaged(&path, 0, "it is not text"))?;
    Ok(Proofs { files, place, note, checkpoint })
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
