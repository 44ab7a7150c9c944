//! Cuts a stream of JSON objects into single ones, in bounded memory and without looking at what they mean.

use super::failure::Failure;

/// The longest object that is taken: `query-blockstats` needs about 2.5 KiB a disk.
pub(super) const OBJECT_BYTES_MAX: usize = 256 * 1024;

/// The stream so far.
#[derive(Default)]
pub(super) struct Splitter {
    buffer: Vec<u8>,
    /// Bytes of `buffer` that belong to objects handed out already.
    consumed: usize,
    /// Bytes of `buffer` that were looked at.
    scanned: usize,
    /// Brackets and braces open at `scanned`.
    depth: u32,
    in_string: bool,
    escaped: bool,
}

impl Splitter {
    /// Adds what was received. Take out every object with [`Splitter::next`] before adding more.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.buffer.drain(..self.consumed);
        self.scanned -= self.consumed;
        self.consumed = 0;
        self.buffer.extend_from_slice(bytes);
    }

    /// The next complete object, if there is one.
    pub(super) fn next(&mut self) -> Result<Option<&[u8]>, Failure> {
        while let Some(&byte) = self.buffer.get(self.scanned) {
            if self.depth == 0 && byte.is_ascii_whitespace() {
                self.scanned += 1;
                self.consumed = self.scanned;
                continue;
            }
            if self.depth == 0 && byte != b'{' {
                return Err(Failure::garbage(format!(
                    "it sent byte {byte:#04x} where an object should begin; is this another protocol's socket?"
                )));
            }
            self.scanned += 1;
            if self.step(byte) {
                let object = self.consumed..self.scanned;
                self.consumed = self.scanned;
                return Ok(Some(&self.buffer[object]));
            }
            if self.scanned - self.consumed > OBJECT_BYTES_MAX {
                return Err(Failure::garbage(format!(
                    "it sent one object of more than {OBJECT_BYTES_MAX} bytes"
                )));
            }
        }
        Ok(None)
    }

    /// Whether this byte ends the object.
    fn step(&mut self, byte: u8) -> bool {
        if self.in_string {
            match byte {
                _ if self.escaped => self.escaped = false,
                b'\\' => self.escaped = true,
                b'"' => self.in_string = false,
                _ => {}
            }
            return false;
        }
        match byte {
            b'"' => self.in_string = true,
            b'{' | b'[' => self.depth += 1,
            b'}' | b']' => {
                self.depth = self.depth.saturating_sub(1);
                return self.depth == 0;
            }
            _ => {}
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn objects(splitter: &mut Splitter, bytes: &[u8]) -> Result<Vec<String>, Failure> {
        splitter.push(bytes);
        let mut found = Vec::new();
        while let Some(object) = splitter.next()? {
            found.push(String::from_utf8(object.to_vec()).unwrap());
        }
        Ok(found)
    }

    #[test]
    fn braces_within_strings_do_not_count() {
        let text = br#" {"a":"}\"{","b":[{},{}]} {"c":"\\"}
"#;
        let found = objects(&mut Splitter::default(), text).unwrap();
        assert_eq!(found, [r#"{"a":"}\"{","b":[{},{}]}"#, r#"{"c":"\\"}"#]);
    }

    #[test]
    fn what_does_not_begin_an_object_is_garbage() {
        for text in [&b"SSH-2.0-OpenSSH"[..], b"[1]", b"{}x", b"\xff", b"\0"] {
            assert!(objects(&mut Splitter::default(), text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn an_object_without_an_end_is_cut_off() {
        let mut splitter = Splitter::default();
        let mut sent = 0;
        objects(&mut splitter, b"{\"a\":\"").unwrap();
        let failure = loop {
            match objects(&mut splitter, &[b'x'; 4096]) {
                Ok(_) => sent += 4096,
                Err(failure) => break failure,
            }
        };
        assert!(sent <= OBJECT_BYTES_MAX);
        assert!(splitter.buffer.len() <= OBJECT_BYTES_MAX + 2 * 4096);
        assert!(failure.reason.contains("more than"), "{}", failure.reason);
    }

    proptest! {
        #[test]
        fn pieces_of_any_size_give_the_same_objects(
            texts in prop::collection::vec("[a-z\"\\\\{}\\[\\]]{0,12}", 0..6), cuts in prop::collection::vec(1usize..9, 1..40)
        ) {
            let wanted: Vec<String> =
                texts.iter().map(|text| serde_json::json!({ "text": text, "list": [1, {"x": text}] }).to_string()).collect();
            let stream = wanted.join("\r\n");
            let mut splitter = Splitter::default();
            let mut found = Vec::new();
            let mut rest = stream.as_bytes();
            for cut in cuts.iter().cycle() {
                if rest.is_empty() { break; }
                let (piece, left) = rest.split_at((*cut).min(rest.len()));
                found.extend(objects(&mut splitter, piece).unwrap());
                rest = left;
            }
            prop_assert_eq!(found, wanted);
        }

        #[test]
        fn noise_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..2_000)) {
            let mut splitter = Splitter::default();
            for piece in bytes.chunks(7) {
                splitter.push(piece);
                while let Ok(Some(object)) = splitter.next() {
                    prop_assert_eq!(object.first(), Some(&123));
                }
            }
        }
    }
}
