//! Text across the ABI: pointer and length on the way in, inline arrays or `(buf, cap, *needed)` on the way out.

use crate::failure::{Failure, Outcome};
use crate::status::BTZ_ERR_BUFFER;
use std::ffi::c_char;

/// Texts that come in are refused beyond this: a length that was never set is not followed through memory.
const TEXT_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Copies as much text as fits, cut between characters; the rest is zero, and the last byte always is.
pub(crate) fn fill(out: &mut [c_char], text: &str) {
    let text = cut(text, out.len().saturating_sub(1));
    out.fill(0);
    for (to, from) in out.iter_mut().zip(text.bytes()) {
        *to = c_char::from_ne_bytes([from]);
    }
}

/// A filled array.
pub(crate) fn array<const N: usize>(text: &str) -> [c_char; N] {
    let mut out = [0; N];
    fill(&mut out, text);
    out
}

/// At most so many bytes of a text, cut between characters.
pub(crate) fn cut(text: &str, bytes_max: usize) -> &str {
    let mut end = text.len().min(bytes_max);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

/// A text that the caller gives as pointer and length.
pub(crate) unsafe fn given<'a>(text: *const c_char, length: usize) -> Result<&'a str, Failure> {
    if text.is_null() {
        return Err(Failure::null("the text is NULL"));
    }
    if length > TEXT_BYTES_MAX {
        return Err(Failure::argument("the text is longer than 16 MiB; was its length set?"));
    }
    // SAFETY: the contract: `length` bytes are readable for the duration of the call.
    let bytes = unsafe { std::slice::from_raw_parts(text.cast::<u8>(), length) };
    std::str::from_utf8(bytes).map_err(|error| {
        Failure::argument(format!("the text is not UTF-8 from byte {} on", error.valid_up_to()))
    })
}

/// Writes a text and its NUL into the caller's buffer, and always how many bytes that needs. Writes nothing into a
/// buffer that is too small.
pub(crate) unsafe fn give(text: &str, buffer: *mut c_char, capacity: usize, needed: *mut usize) -> Outcome {
    if needed.is_null() {
        return Err(Failure::null("needed is NULL"));
    }
    if buffer.is_null() && capacity != 0 {
        return Err(Failure::null("the buffer is NULL, but its capacity is not 0"));
    }
    // SAFETY: the contract: `needed` is writable.
    unsafe { needed.write(text.len() + 1) };
    if capacity == 0 && buffer.is_null() {
        return Ok(());
    }
    if capacity <= text.len() {
        return Err(Failure::new(
            BTZ_ERR_BUFFER,
            "the buffer is too small; *needed says how large it must be",
        ));
    }
    // SAFETY: the contract: `capacity` bytes are writable; text and NUL are no more than that.
    unsafe {
        std::ptr::copy_nonoverlapping(text.as_ptr(), buffer.cast::<u8>(), text.len());
        buffer.add(text.len()).write(0);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_cut_between_characters_and_ends_in_nul() {
        let filled: [c_char; 4] = array("aéé");
        let bytes: Vec<u8> = filled.iter().map(|c| c.to_ne_bytes()[0]).collect();
        assert_eq!(bytes, [b'a', 0xc3, 0xa9, 0]);
        let filled: [c_char; 3] = array("aéé");
        assert_eq!(filled[1], 0, "half a character is none");
    }
}
