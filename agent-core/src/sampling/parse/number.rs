//! One number in a text.

/// How a number is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Decimal, perhaps with a minus sign.
    Integer,
    /// Decimal with exactly two digits after the point; the value is counted in hundredths.
    Centi,
    /// Hexadecimal without a prefix.
    Hex,
    /// No number: whatever stands up to the end of the line, which nobody wants.
    Line,
}

/// A number that was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Number {
    /// Its value; `None` when it is beyond `i64`.
    pub value: Option<i64>,
    /// Where it ends, counted from where the search began.
    pub end: usize,
}

/// More digits than this could be beyond `i64`.
const DIGITS_SAFE: usize = 18;

/// Reads a number of the given form, after any number of spaces; `None` when there is none.
#[inline(never)] // One copy: at a tick a second, code that is in no cache costs more than a call.
#[must_use]
pub fn parse_number(bytes: &[u8], form: Form) -> Option<Number> {
    let mut at = 0;
    while bytes.get(at) == Some(&b' ') {
        at += 1;
    }
    match form {
        Form::Integer => integer(bytes, at),
        Form::Centi => centi(bytes, at),
        Form::Hex => hex(bytes, at),
        Form::Line => {
            let end = memchr::memchr(b'\n', bytes).unwrap_or(bytes.len());
            Some(Number { value: Some(0), end })
        }
    }
}

/// The digits from `at` on: their value, if it fits, and their end.
#[inline]
fn digits(bytes: &[u8], at: usize) -> Option<(Option<i64>, usize)> {
    let mut end = at;
    let mut value: i64 = 0;
    while let Some(digit) = bytes.get(end).map(|byte| byte.wrapping_sub(b'0')).filter(|digit| *digit < 10) {
        value = value.wrapping_mul(10).wrapping_add(i64::from(digit));
        end += 1;
    }
    if end == at {
        return None;
    }
    if end - at <= DIGITS_SAFE {
        return Some((Some(value), end));
    }
    let exact = bytes[at..end]
        .iter()
        .try_fold(0_i64, |sum, byte| sum.checked_mul(10)?.checked_add(i64::from(byte - b'0')));
    Some((exact, end))
}

#[inline]
fn integer(bytes: &[u8], at: usize) -> Option<Number> {
    let negative = bytes.get(at) == Some(&b'-');
    let (value, end) = digits(bytes, at + usize::from(negative))?;
    Some(Number { value: if negative { value.map(|value| -value) } else { value }, end })
}

fn centi(bytes: &[u8], at: usize) -> Option<Number> {
    let (whole, point) = digits(bytes, at)?;
    if bytes.get(point) != Some(&b'.') {
        return None;
    }
    let (hundredths, end) = digits(bytes, point + 1)?;
    if end != point + 3 {
        return None;
    }
    let value = whole.and_then(|whole| whole.checked_mul(100)?.checked_add(hundredths?));
    Some(Number { value, end })
}

fn hex(bytes: &[u8], at: usize) -> Option<Number> {
    let mut end = at;
    let mut value = Some(0_i64);
    while let Some(digit) = bytes.get(end).and_then(|byte| char::from(*byte).to_digit(16)) {
        value = value.and_then(|value| value.checked_mul(16)?.checked_add(i64::from(digit)));
        end += 1;
    }
    (end > at).then_some(Number { value, end })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(text: &str, form: Form) -> Option<(Option<i64>, usize)> {
        parse_number(text.as_bytes(), form).map(|number| (number.value, number.end))
    }

    #[test]
    fn forms() {
        assert_eq!(value("  42 kB", Form::Integer), Some((Some(42), 4)));
        assert_eq!(value("-1", Form::Integer), Some((Some(-1), 2)));
        assert_eq!(value("9223372036854775807", Form::Integer), Some((Some(i64::MAX), 19)));
        assert_eq!(value("9223372036854775808", Form::Integer), Some((None, 19)));
        assert_eq!(value("18446744073709551615", Form::Integer), Some((None, 20)));
        assert_eq!(value("47.82 ", Form::Centi), Some((Some(4782), 5)));
        assert_eq!(value("0000ff0G", Form::Hex), Some((Some(0xff0), 7)));
        assert_eq!(value("ffffffffffffffff", Form::Hex), Some((None, 16)));
        assert_eq!(value(" 1 2 3\nnext", Form::Line), Some((Some(0), 6)));
    }

    #[test]
    fn no_number() {
        for text in ["", " ", "-", "kB", "\t1", "- 1"] {
            assert_eq!(value(text, Form::Integer), None, "{text:?}");
        }
        for text in ["1", "1.", "1.2", "1.234", ".25"] {
            assert_eq!(value(text, Form::Centi), None, "{text:?}");
        }
        assert_eq!(value("xyz", Form::Hex), None);
    }
}
