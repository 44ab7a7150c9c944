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
use ring::hmac;
use ring::rand::{SecureRandom, SystemRandom};
use ring::signature::{Ed25519KeyPair, KeyPair};

const FOLDER: &str = "keys";
const SIGNING: &str = "keys/signing";
const BLINDING: &str = "keys/blinding";
/// More than any PKCS#8 document of an Ed25519 key has.
const KEY_BYTES_MAX: u64 = 1024;

/// A public key, as RFC 8032 writes it.
pub type PublicKey = [u8; 32];

/// What signs, and what blinds.
pub(super) struct Keys {
    pair: Ed25519KeyPair,
    blinding: hmac::Key,
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

    /// The keys of a ledger.
    pub(super) fn load(files: &Files) -> Result<Self, LedgerError> {
        let missing =
            |path: &str| LedgerError::Key(format!("{path} is missing; restore it, or begin another ledger"));
        let document = files.read(SIGNING, KEY_BYTES_MAX)?.ok_or_else(|| missing(SIGNING))?;
        let blinding = files.read(BLINDING, KEY_BYTES_MAX)?.ok_or_else(|| missing(BLINDING))?;
        if blinding.len() != 32 {
            return Err(LedgerError::Key(format!("{BLINDING} has {} bytes instead of 32", blinding.len())));
        }
        Ok(Self { pair: pair(SIGNING, &document)?, blinding: hmac::Key::new(hmac::HMAC_SHA256, &blinding) })
    }

    /// The public key.
    pub(super) fn public(&self) -> PublicKey {
        public(&self.pair)
    }

    /// The id that stands for a tenant where others may look: HMAC-SHA-256 of its name.
    pub(super) fn blind(&self, tenant: &str) -> Hash {
        let mut id = [0; 32];
        id.copy_from_slice(hmac::sign(&self.blinding, tenant.as_bytes()).as_ref());
        id
    }
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
        for path in [SIGNING, BLINDING] {
            let good = files.read(path, 999).unwrap().unwrap();
            files.put_durably(path, b"something else").unwrap();
            assert!(matches!(Keys::load(&files), Err(LedgerError::Key(_))));
            files.put_durably(path, &good).unwrap();
        }
    }
}
