//! Where a log stands, as text to be signed: <https://c2sp.org/tlog-checkpoint>, version 1.0.0.

use super::base64;
use super::merkle::Hash;

/// Where a log stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// The log's name.
    pub origin: String,
    /// Its number of leaves.
    pub size: u64,
    /// The root of its tree.
    pub root: Hash,
}

impl Checkpoint {
    /// The text of a note.
    #[must_use]
    pub fn text(&self) -> String {
        format!("{}\n{}\n{}\n", self.origin, self.size, base64::encode(&self.root))
    }

    /// Reads the text of a note. Lines behind the third are extensions, and are passed over.
    ///
    /// # Errors
    /// A sentence about what is not as it should be.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let mut lines =
            text.strip_suffix('\n').ok_or("the checkpoint does not end with a line feed")?.split('\n');
        let origin =
            lines.next().filter(|origin| !origin.is_empty()).ok_or("the checkpoint has no origin")?;
        let digits = lines.next().ok_or("the checkpoint has no size")?;
        let size: u64 = digits.parse().map_err(|_| "the checkpoint's size is no number")?;
        if size.to_string() != digits {
            return Err("the checkpoint's size is not written as it should be");
        }
        let root = lines.next().and_then(base64::decode).and_then(|root| Hash::try_from(root).ok());
        let root = root.ok_or("the checkpoint's root is not 32 bytes in base64")?;
        if lines.any(str::is_empty) {
            return Err("the checkpoint has an empty line");
        }
        Ok(Self { origin: origin.to_owned(), size, root })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checkpoint_reads_back_and_others_are_refused() {
        let checkpoint = Checkpoint { origin: "bartizan/h".into(), size: 20, root: [1; 32] };
        let text = checkpoint.text();
        assert_eq!(Checkpoint::parse(&text), Ok(checkpoint.clone()));
        assert_eq!(Checkpoint::parse(&format!("{text}extension\n")), Ok(checkpoint));
        for wrong in [
            "",
            "\n",
            "o\n",
            "o\n01\nx\n",
            "o\n-1\nx\n",
            "o\n1\nAAAA\n",
            &text[..text.len() - 1],
            &format!("{text}\n"),
        ] {
            assert!(Checkpoint::parse(wrong).is_err(), "{wrong:?}");
        }
    }
}
