//! Base64 as RFC 4648 section 4 has it, with padding, as signed notes use it: one text for each sequence of bytes.

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

pub(super) fn encode(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for piece in bytes.chunks(3) {
        let mut bits = [0; 3];
        bits[..piece.len()].copy_from_slice(piece);
        let number = u32::from_be_bytes([0, bits[0], bits[1], bits[2]]);
        for place in 0..4 {
            let digit = (number >> (18 - 6 * place)) & 63;
            text.push(if place > piece.len() { '=' } else { char::from(ALPHABET[digit as usize]) });
        }
    }
    text
}

/// The bytes; `None` for whatever [`encode`] does not make.
pub(super) fn decode(text: &str) -> Option<Vec<u8>> {
    let digits = text.trim_end_matches('=');
    let mut bytes = Vec::with_capacity(digits.len() / 4 * 3 + 2);
    for piece in digits.as_bytes().chunks(4) {
        let mut number = 0;
        for place in 0..4 {
            let digit = match piece.get(place) {
                Some(digit) => u32::try_from(ALPHABET.iter().position(|letter| letter == digit)?).ok()?,
                None => 0,
            };
            number = number << 6 | digit;
        }
        bytes.extend_from_slice(&number.to_be_bytes()[1..piece.len().max(1)]);
    }
    (encode(&bytes) == text).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_vectors_of_the_rfc() {
        for (bytes, text) in
            [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy")]
        {
            assert_eq!(encode(bytes.as_bytes()), text);
            assert_eq!(decode(text).as_deref(), Some(bytes.as_bytes()));
        }
        for wrong in ["Zg", "Zg=", "Zh==", "Z", "Zg==\n", "Z===", "Zm9v=", "Z-8="] {
            assert_eq!(decode(wrong), None, "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn what_is_encoded_is_decoded(bytes in prop::collection::vec(any::<u8>(), 0..70), noise in "[A-Za-z+/=]{0,12}") {
            prop_assert_eq!(decode(&encode(&bytes)), Some(bytes));
            let _ = decode(&noise);
        }
    }
}
