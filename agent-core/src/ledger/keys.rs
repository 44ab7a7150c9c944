//! The keys of a ledger: made on first start, readable by their owner alone.
//!
//! | file | what |
//! |---|---|
//! | `keys/signing` | the Ed25519 key that signs, PKCS#8 version 2 in DER (RFC 8410) |
//! | `keys/signing-next` | the one that comes after, between its making and its hand-over |
//! | `keys/blinding` | 32 random bytes that the tenants' blinded ids are made with |

use super::disk::Files;
use super::error::LedgerError;
use super::merkle::Hash;
use super::note::{Note, Verifier, signature, signed};
use ring::hmac;
use ring::rand::{SecureRandom, SystemRandom};
use ring::signature::{Ed25519KeyPair, KeyPair};

const FOLDER: &str = "keys";
const SIGNING: &str = "keys/signing";
const SIGNING_NEXT: &str = "keys/signing-next";
/// What the note of a hand-over begins with; the old key and the new one follow, a line each.
const HAND_OVER: &str = "bartizan key hand-over";
const BLINDING: &str = "keys/blinding";
/// More than any PKCS#8 document of an Ed25519 key has.
const KEY_BYTES_MAX: u64 = 1024;

/// A public key, as RFC 8032 writes it.
pub type PublicKey = [u8; 32];

/// What signs, and what blinds.
pub(super) struct Keys {
    pair: Ed25519KeyPair,
    /// The one that signs once its hand-over is in the trail.
    next: Option<Ed25519KeyPair>,
    blinding: Blinding,
}

/// What makes the tenants' ids.
#[derive(Clone)]
pub(super) struct Blinding(hmac::Key);

impl Blinding {
    /// The id that stands for a tenant where others may look: HMAC-SHA-256 of its name.
    pub(super) fn id(&self, tenant: &str) -> Hash {
        let mut id = [0; 32];
        id.copy_from_slice(hmac::sign(&self.0, tenant.as_bytes()).as_ref());
        id
    }
}

impl Keys {
    /// The keys of a ledger that has none yet. Keys of an attempt that a crash ended are used again.
    pub(super) fn make(files: &Files) -> Result<Self, LedgerError> {
        files.make_folder(FOLDER)?;
        if files.read(SIGNING, KEY_BYTES_MAX)?.is_none() {
            files.put_durably(SIGNING, &generate()?)?;
        }
        if files.read(BLINDING, KEY_BYTES_MAX)?.is_none() {
            files.put_durably(BLINDING, &random::<32>()?)?;
        }
        Self::load(files)
    }

    /// The keys of a ledger. Which of two signs is known once its trail was read: see [`Keys::choose`].
    pub(super) fn load(files: &Files) -> Result<Self, LedgerError> {
        let missing =
            |path: &str| LedgerError::Key(format!("{path} is missing; restore it, or begin another ledger"));
        let document = files.read(SIGNING, KEY_BYTES_MAX)?.ok_or_else(|| missing(SIGNING))?;
        let blinding = files.read(BLINDING, KEY_BYTES_MAX)?.ok_or_else(|| missing(BLINDING))?;
        if blinding.len() != 32 {
            return Err(LedgerError::Key(format!("{BLINDING} has {} bytes instead of 32", blinding.len())));
        }
        let pair = pair(SIGNING, &document)?;
        // One that a crash left unfinished is as good as none.
        let document = files.read(SIGNING_NEXT, KEY_BYTES_MAX)?;
        let next = document.and_then(|document| Ed25519KeyPair::from_pkcs8(&document).ok());
        Ok(Self { pair, next, blinding: Blinding(hmac::Key::new(hmac::HMAC_SHA256, &blinding)) })
    }

    /// Makes the key that comes next, durably, and the note that hands over to it.
    pub(super) fn prepare(&mut self, files: &Files, origin: &str) -> Result<String, LedgerError> {
        let document = generate()?;
        files.put_durably(SIGNING_NEXT, &document)?;
        let next = pair(SIGNING_NEXT, &document)?;
        let (from, to) = (Verifier::log(origin, self.public()), Verifier::log(origin, public(&next)));
        let text = format!("{HAND_OVER}\n{from}\n{to}\n");
        let note = signed(&text, &from, |text| self.sign(text))
            + &signature(&text, &to, |text| next.sign(text).as_ref().to_vec());
        self.next = Some(next);
        Ok(note)
    }

    /// Takes the next key if it is the one that signs from here on.
    pub(super) fn adopt(&mut self, signer: &PublicKey) {
        if let Some(next) = self.next.take_if(|next| public(next) == *signer) {
            self.pair = next;
        }
    }

    /// Takes the key that a trail says it is signed with.
    pub(super) fn choose(&mut self, signer: &PublicKey) -> Result<(), LedgerError> {
        self.adopt(signer);
        if self.public() == *signer {
            return Ok(());
        }
        Err(LedgerError::Key(format!("{SIGNING} is not the key that this ledger is signed with; restore it")))
    }

    /// Gives the key that signs the name it has for good.
    pub(super) fn settle(&self, files: &Files) -> Result<(), LedgerError> {
        let document = files.read(SIGNING_NEXT, KEY_BYTES_MAX)?;
        let next = document.and_then(|document| Ed25519KeyPair::from_pkcs8(&document).ok());
        if next.is_some_and(|next| public(&next) == self.public()) {
            files.rename_durably(SIGNING_NEXT, SIGNING)?;
        }
        Ok(())
    }

    /// The public key.
    pub(super) fn public(&self) -> PublicKey {
        public(&self.pair)
    }

    /// Signs some bytes.
    pub(super) fn sign(&self, bytes: &[u8]) -> Vec<u8> {
        self.pair.sign(bytes).as_ref().to_vec()
    }

    /// What blinds.
    pub(super) fn blinding(&self) -> Blinding {
        self.blinding.clone()
    }

    /// See [`Blinding::id`].
    pub(super) fn blind(&self, tenant: &str) -> Hash {
        self.blinding.id(tenant)
    }
}

/// Copies the keys that there are to a ledger that has none.
pub(super) fn copy(from: &Files, to: &Files) -> Result<(), LedgerError> {
    to.make_folder(FOLDER)?;
    for path in [SIGNING, SIGNING_NEXT, BLINDING] {
        if let Some(key) = from.read(path, KEY_BYTES_MAX)? {
            to.put_durably(path, &key)?;
        }
    }
    Ok(())
}

/// The key that a note hands over to from `from`: both signed it. `None` when it is no such note.
pub(super) fn hand_over(origin: &str, from: &PublicKey, note: &[u8]) -> Option<PublicKey> {
    let note = Note::parse(note).ok()?;
    let [head, old, new] = note.text.lines().collect::<Vec<_>>()[..] else { return None };
    let (old, new) = (Verifier::parse(old)?, Verifier::parse(new)?);
    let is_right = head == HAND_OVER && old == Verifier::log(origin, *from) && new.name == origin;
    (is_right && note.is_signed_by(&old) && note.is_signed_by(&new)).then_some(new.key)
}

/// So many random bytes of the kernel's.
pub(super) fn random<const N: usize>() -> Result<[u8; N], LedgerError> {
    let mut bytes = [0; N];
    SystemRandom::new()
        .fill(&mut bytes)
        .map_err(|_| LedgerError::Key("the kernel gives no random bytes".into()))?;
    Ok(bytes)
}

fn generate() -> Result<Vec<u8>, LedgerError> {
    let document = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new());
    Ok(document.map_err(|_| LedgerError::Key("no key can be made".into()))?.as_ref().to_vec())
}

fn pair(path: &str, document: &[u8]) -> Result<Ed25519KeyPair, LedgerError> {
    Ed25519KeyPair::from_pkcs8(document)
        .map_err(|error| LedgerError::Key(format!("{path} is no Ed25519 key in PKCS#8: {error}; restore it")))
}

fn public(pair: &Ed25519KeyPair) -> PublicKey {
    let mut key = [0; 32];
    key.copy_from_slice(pair.public_key().as_ref());
    key
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::disk::RealDisk;
    use std::sync::Arc;

    #[test]
    fn keys_are_made_once_and_wrong_ones_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let files = Files::new(Arc::new(RealDisk::new(folder.path())));
        assert!(matches!(Keys::load(&files), Err(LedgerError::Key(_))));
        let made = Keys::make(&files).unwrap();
        let again = Keys::make(&files).unwrap();
        assert_eq!(made.public(), again.public());
        assert_eq!(made.blind("acme"), again.blind("acme"));
        assert_ne!(made.blind("acme"), made.blind("acmf"));
        assert!(Keys::load(&files).unwrap().choose(&made.public()).is_ok());
        assert!(matches!(Keys::load(&files).unwrap().choose(&[1; 32]), Err(LedgerError::Key(_))));
        for path in [SIGNING, BLINDING] {
            let good = files.read(path, 999).unwrap().unwrap();
            files.put_durably(path, b"something else").unwrap();
            assert!(matches!(Keys::load(&files), Err(LedgerError::Key(_))));
            files.put_durably(path, &good).unwrap();
        }
    }

    #[test]
    fn a_hand_over_is_taken_once_it_is_in_the_trail_whatever_crashed_between() {
        let folder = tempfile::tempdir().unwrap();
        let files = Files::new(Arc::new(RealDisk::new(folder.path())));
        let mut keys = Keys::make(&files).unwrap();
        let old = keys.public();
        let note = keys.prepare(&files, "o").unwrap();
        let new = hand_over("o", &old, note.as_bytes()).unwrap();
        assert_ne!(old, new);
        assert_eq!(hand_over("p", &old, note.as_bytes()), None);
        assert_eq!(hand_over("o", &new, note.as_bytes()), None);
        assert_eq!(hand_over("o", &old, note.replace("hand-over", "hand-ower").as_bytes()), None);
        // A crash before the record is durable, and one after it.
        assert!(Keys::load(&files).unwrap().choose(&old).is_ok());
        assert!(Keys::load(&files).unwrap().choose(&new).is_ok());
        keys.adopt(&new);
        assert_eq!(keys.public(), new);
        keys.settle(&files).unwrap();
        assert_eq!(Keys::load(&files).unwrap().public(), new);
        assert!(Keys::load(&files).unwrap().choose(&old).is_err());
    }
}
