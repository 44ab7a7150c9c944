//! Numbers out of the kernel's text. Every function takes bytes that may be anything and returns `None` rather than
//! guess.

use crate::sampling::parse::{Form, parse_number};

/// A decimal number that makes up all of the bytes, blanks around it aside. One beyond `i64` is none: no counter of
/// the kernel gets there.
pub(super) fn number(bytes: &[u8]) -> Option<u64> {
    u64::try_from(signed(bytes)?).ok()
}

/// A decimal number that may have a minus sign.
pub(super) fn signed(bytes: &[u8]) -> Option<i64> {
    let bytes = bytes.trim_ascii();
    let number = parse_number(bytes, Form::Integer)?;
    if number.end == bytes.len() { number.value } else { None }
}

/// How many bits are set in a hexadecimal number, in which commas may group digits (`Cpus_allowed`).
pub(super) fn hex_ones(bytes: &[u8]) -> Option<u64> {
    let bytes = bytes.trim_ascii();
    let mut ones = None;
    for byte in bytes {
        if *byte == b',' {
            continue;
        }
        let digit = char::from(*byte).to_digit(16)?;
        ones = Some(ones.unwrap_or(0) + u64::from(digit.count_ones()));
    }
    ones
}

/// The words between blanks.
pub(super) fn words(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    bytes.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty())
}

/// The lines, without their ends. A last line that was cut off by a full buffer is left out: a number in it could be
/// a part of the real one.
pub(super) fn lines(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let whole = memchr::memrchr(b'\n', bytes).map_or(0, |end| end + 1);
    bytes[..whole].split_inclusive(|byte| *byte == b'\n').map(<[u8]>::trim_ascii)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn numbers_are_whole_or_nothing() {
        assert_eq!(number(b" 42\n"), Some(42));
        assert_eq!(number(b"9223372036854775807"), Some(i64::MAX.unsigned_abs()));
        for bad in [&b""[..], b" ", b"4 2", b"-1", b"9223372036854775808", b"0x1", b"max", b"\xff"] {
            assert_eq!(number(bad), None, "{bad:?}");
        }
        assert_eq!(signed(b"-20"), Some(-20));
        assert_eq!(signed(b"--2"), None);
        assert_eq!(hex_ones(b"ff,0000000f"), Some(12));
        assert_eq!(hex_ones(b","), None);
        assert_eq!(hex_ones(b"fg"), None);
    }

    #[test]
    fn a_line_that_was_cut_off_is_left_out() {
        assert_eq!(lines(b"a 1\nb 2").collect::<Vec<_>>(), [b"a 1"]);
        assert_eq!(lines(b"").count(), 0);
    }

    proptest! {
        #[test]
        fn every_number_is_read_back(value in 0..=i64::MAX.unsigned_abs()) {
            prop_assert_eq!(number(value.to_string().as_bytes()), Some(value));
        }

        #[test]
        fn every_signed_number_is_read_back(value in -i64::MAX..) {
            prop_assert_eq!(signed(value.to_string().as_bytes()), Some(value));
        }

        #[test]
        fn ones_are_those_of_the_number(value: u64) {
            prop_assert_eq!(hex_ones(format!("{value:x}").as_bytes()), Some(u64::from(value.count_ones())));
        }
    }
}
