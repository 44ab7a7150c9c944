//! What `/proc` says of one process, and of sockets.

pub mod fdinfo;
pub mod fuzzing;
pub mod ksm;
pub mod limits;
pub mod maps;
pub mod sockets;
pub mod status;

use std::fmt;

/// A file of `/proc` that is not what the kernel writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed {
    /// The line, counted from 1.
    pub line: usize,
    /// What could not be read there: the kernel's name of the field.
    pub field: &'static str,
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: `{}` is not as the kernel writes it", self.line, self.field)
    }
}

impl std::error::Error for Malformed {}

/// The lines with their numbers, counted from 1.
fn lines(bytes: &[u8]) -> impl Iterator<Item = (usize, &[u8])> {
    (1..).zip(bytes.split(|byte| *byte == b'\n')).filter(|(_, line)| !line.is_empty())
}

/// The words of a line.
fn words(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty())
}

/// `key: value`, the value without the space around it.
fn field(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let colon = memchr::memchr(b':', line)?;
    Some((&line[..colon], line[colon + 1..].trim_ascii()))
}

/// A number without a sign, in any base up to 16; anything else is none.
fn number(word: &[u8], base: u32) -> Option<u64> {
    let text = std::str::from_utf8(word).ok()?;
    // `from_str_radix` would take a plus.
    text.bytes().all(|byte| byte.is_ascii_alphanumeric()).then(|| u64::from_str_radix(text, base).ok())?
}

/// A decimal number that fits.
fn decimal<T: TryFrom<u64>>(word: &[u8]) -> Option<T> {
    T::try_from(number(word, 10)?).ok()
}

/// Bytes as text; what is no UTF-8 is replaced.
fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
