//! Signed notes: <https://c2sp.org/signed-note>, version 1.0.0, with Ed25519 signatures and cosignatures.

use super::base64;
use super::keys::PublicKey;
use super::merkle::sha256;
use ring::signature::{ED25519, UnparsedPublicKey};

/// The longest note that is read, as other implementations have it.
pub const NOTE_BYTES_MAX: usize = 1_000_000;
/// The most signatures that are read.
const SIGNATURES_MAX: usize = 100;

/// Ed25519 over the text.
const ED25519_NOTE: u8 = 1;
/// Ed25519 over the text and a time: <https://c2sp.org/tlog-cosignature>, version 1.0.0.
const COSIGNATURE: u8 = 4;

/// A text and who signed it. Nothing is checked yet: see [`Note::is_signed_by`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// The text, which ends with a line feed.
    pub text: String,
    signatures: Vec<Signature>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Signature {
    name: String,
    key_id: [u8; 4],
    bytes: Vec<u8>,
}

/// A public key with its name, as `name+id+base64` writes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verifier {
    /// Its name: for a log its origin.
    pub name: String,
    /// The key.
    pub key: PublicKey,
    /// Whether it signs as a witness does, with a time.
    pub is_witness: bool,
}

impl Verifier {
    /// The key of a log.
    #[must_use]
    pub fn log(name: &str, key: PublicKey) -> Self {
        Self { name: name.to_owned(), key, is_witness: false }
    }

    /// Reads `name+id+base64`; `None` when that is not what it is.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (name, rest) = text.trim().split_once('+')?;
        let (id, key) = rest.split_once('+')?;
        let bytes = base64::decode(key)?;
        let (algorithm, key) = bytes.split_first()?;
        if !is_name(name) || ![ED25519_NOTE, COSIGNATURE].contains(algorithm) {
            return None;
        }
        let verifier =
            Self { name: name.to_owned(), key: key.try_into().ok()?, is_witness: *algorithm == COSIGNATURE };
        (format!("{:08x}", u32::from_be_bytes(verifier.id())) == id).then_some(verifier)
    }

    fn algorithm(&self) -> u8 {
        if self.is_witness { COSIGNATURE } else { ED25519_NOTE }
    }

    fn id(&self) -> [u8; 4] {
        let hash = sha256(&[self.name.as_bytes(), b"\n", &[self.algorithm()], &self.key]);
        [hash[0], hash[1], hash[2], hash[3]]
    }

    fn accepts(&self, message: &[u8], signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&ED25519, &self.key).verify(message, signature).is_ok()
    }
}

impl std::fmt::Display for Verifier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let key = base64::encode(&[&[self.algorithm()], &self.key[..]].concat());
        write!(f, "{}+{:08x}+{key}", self.name, u32::from_be_bytes(self.id()))
    }
}

impl Note {
    /// Reads a note; says what is wrong with it.
    ///
    /// # Errors
    /// A sentence about what is not as it should be.
    pub fn parse(bytes: &[u8]) -> Result<Self, &'static str> {
        if bytes.len() > NOTE_BYTES_MAX {
            return Err("the note is too long");
        }
        let text = std::str::from_utf8(bytes).map_err(|_| "the note is not text")?;
        if text.chars().any(|c| c.is_control() && c != '\n') {
            return Err("the note has control characters");
        }
        let end = text.rfind("\n\n").ok_or("the note has no signatures")?;
        let (text, lines) = (&text[..=end], &text[end + 2..]);
        if lines.is_empty() || !lines.ends_with('\n') {
            return Err("the note's signatures do not end with a line feed");
        }
        let mut signatures = Vec::new();
        for line in lines.lines() {
            let rest = line.strip_prefix("\u{2014} ").ok_or("a signature does not begin with a dash")?;
            let (name, signature) = rest.split_once(' ').ok_or("a signature has no name")?;
            let bytes = base64::decode(signature).ok_or("a signature is not base64")?;
            let (key_id, bytes) = bytes.split_first_chunk::<4>().ok_or("a signature is too short")?;
            if !is_name(name) || bytes.is_empty() || signatures.len() == SIGNATURES_MAX {
                return Err("a signature's name makes no sense, or there are too many");
            }
            signatures.push(Signature { name: name.to_owned(), key_id: *key_id, bytes: bytes.to_vec() });
        }
        Ok(Self { text: text.to_owned(), signatures })
    }

    /// Whether a log signed the text.
    #[must_use]
    pub fn is_signed_by(&self, verifier: &Verifier) -> bool {
        let accepts = |signature: &Signature| verifier.accepts(self.text.as_bytes(), &signature.bytes);
        !verifier.is_witness && self.signatures_of(verifier).any(accepts)
    }

    /// When a witness cosigned the text, in seconds since the epoch; `None` when it did not.
    #[must_use]
    pub fn cosigned_by(&self, witness: &Verifier) -> Option<u64> {
        let time = |signature: &Signature| {
            let (time, bytes) = signature.bytes.split_first_chunk::<8>()?;
            let time = u64::from_be_bytes(*time);
            let message = format!("cosignature/v1\ntime {time}\n{}", self.text);
            witness.accepts(message.as_bytes(), bytes).then_some(time)
        };
        if witness.is_witness { self.signatures_of(witness).find_map(time) } else { None }
    }

    fn signatures_of(&self, verifier: &Verifier) -> impl Iterator<Item = &Signature> {
        let id = verifier.id();
        self.signatures
            .iter()
            .filter(move |signature| signature.name == verifier.name && signature.key_id == id)
    }
}

/// A note with one signature; the text must end with a line feed.
pub(super) fn signed(text: &str, verifier: &Verifier, sign: impl Fn(&[u8]) -> Vec<u8>) -> String {
    format!("{text}\n{}", signature(text, verifier, sign))
}

/// A line that adds a signature to a note.
pub(super) fn signature(text: &str, verifier: &Verifier, sign: impl Fn(&[u8]) -> Vec<u8>) -> String {
    let bytes = [&verifier.id()[..], &sign(text.as_bytes())].concat();
    format!("\u{2014} {} {}\n", verifier.name, base64::encode(&bytes))
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && !name.contains(|c: char| c.is_whitespace() || c == '+')
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the documentation of Go's `golang.org/x/mod/sumdb/note`.
    const GO_KEY: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
    const GO_NOTE: &str = "If you think cryptography is the answer to your problem,\n\
        then you don't know what your problem is.\n\n\
        \u{2014} PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";

    #[test]
    fn a_note_of_another_implementation_is_read_and_a_changed_one_refused() {
        let verifier = Verifier::parse(GO_KEY).unwrap();
        assert_eq!(verifier.to_string(), GO_KEY);
        let note = Note::parse(GO_NOTE.as_bytes()).unwrap();
        assert!(note.is_signed_by(&verifier));
        assert_eq!(note.cosigned_by(&verifier), None);
        let changed = Note::parse(GO_NOTE.replace("answer", "anzwer").as_bytes()).unwrap();
        assert!(!changed.is_signed_by(&verifier));
        let other = Verifier::log("PeterNeumann", [7; 32]);
        assert!(!note.is_signed_by(&other));
        for wrong in
            ["x+c74f20a3+AR", "PeterNeumann+c74f20a4+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW", "+", ""]
        {
            assert_eq!(Verifier::parse(wrong), None);
        }
    }

    #[test]
    fn notes_that_are_none_say_why() {
        for wrong in [
            "",
            "text\n",
            "text\n\n",
            "text\n\nsig\n",
            "a\n\n\u{2014} x\n",
            "a\n\n\u{2014} x y\n",
            "a\r\n\n\u{2014} x AAAAAAA=\n",
        ] {
            assert!(Note::parse(wrong.as_bytes()).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn a_witness_signs_with_its_time() {
        use ring::signature::{Ed25519KeyPair, KeyPair};
        let pair = Ed25519KeyPair::from_seed_unchecked(&[9; 32]).unwrap();
        let key = pair.public_key().as_ref().try_into().unwrap();
        let witness = Verifier { name: "w.example".into(), key, is_witness: true };
        assert_eq!(Verifier::parse(&witness.to_string()), Some(witness.clone()));
        let sign = |time: u64| {
            move |text: &[u8]| {
                let message = [format!("cosignature/v1\ntime {time}\n").as_bytes(), text].concat();
                [&time.to_be_bytes()[..], pair.sign(&message).as_ref()].concat()
            }
        };
        let note = signed("bartizan/h\n1\nAAAA\n", &witness, sign(77));
        let note = Note::parse(note.as_bytes()).unwrap();
        assert_eq!(note.cosigned_by(&witness), Some(77));
        let other = Note { text: "bartizan/h\n2\nAAAA\n".into(), ..note };
        assert_eq!(other.cosigned_by(&witness), None);
    }
}
