//! `schedstat`: three numbers (Documentation/scheduler/sched-stats.rst): nanoseconds on a CPU, nanoseconds runnable but
//! waiting for one, times put on a CPU. For a thread that is running now the first lags by up to a scheduler tick.
//!
//! Read of every thread in every tick, so it is parsed eight digits at a time: how many digits a number has cannot be
//! foretold, and a loop over them ends in a mispredicted branch each time.

use crate::sampling::parse::{Form, parse_number};

/// One reading of `schedstat`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Schedstat {
    /// Time on a CPU.
    pub(super) run_ns: u64,
    /// Time runnable but waiting for a CPU.
    pub(super) wait_ns: u64,
    /// Times put on a CPU.
    pub(super) timeslices: u64,
}

/// Three numbers of at most 20 digits, each with what follows it.
pub(super) const TEXT_BYTES_MAX: usize = 64;

/// Digits that are looked at together.
const WORD: usize = size_of::<u64>();
/// As many as certainly fit, in whole words.
const DIGITS_QUICK: usize = 2 * WORD;
/// 10 to the power of as many digits as there are in a word.
const POWERS: [u64; WORD + 1] = [1, 10, 100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000];

/// Reads the three numbers at the beginning of a buffer; `None` when they are not there. What stands behind the text is
/// not looked at, but a buffer that ends with the text is parsed the slow way.
#[must_use]
pub(super) fn parse(buffer: &[u8], length: usize) -> Option<Schedstat> {
    quick(buffer, length).or_else(|| careful(buffer.get(..length)?))
}

/// The text as the kernel has always written it, with numbers of fewer than 16 digits: 11 days in nanoseconds.
#[inline]
fn quick(buffer: &[u8], length: usize) -> Option<Schedstat> {
    // Words are loaded across the end of the text, but nothing counts behind a separator.
    let (run_ns, end) = number(buffer, 0, b' ')?;
    let (wait_ns, end) = number(buffer, end, b' ')?;
    let (timeslices, end) = number(buffer, end, b'\n')?;
    (end == length).then_some(Schedstat { run_ns, wait_ns, timeslices })
}

/// A number and where what follows its separator begins.
#[inline]
fn number(text: &[u8], at: usize, separator: u8) -> Option<(u64, usize)> {
    let (mut value, mut digits) = word(text, at)?;
    if digits == WORD {
        let (low, more) = word(text, at + WORD)?;
        value = value * POWERS[more] + low;
        digits += more;
    }
    let quick = digits > 0 && digits < DIGITS_QUICK && text.get(at + digits) == Some(&separator);
    quick.then_some((value, at + digits + 1))
}

/// The value of the digits at the beginning of a word, and how many there are.
#[inline]
fn word(text: &[u8], at: usize) -> Option<(u64, usize)> {
    const ONES: u64 = 0x0101_0101_0101_0101;
    let bytes = u64::from_le_bytes(text.get(at..at + WORD)?.try_into().ok()?);
    let values = bytes ^ (ONES * u64::from(b'0'));
    // A byte that is no digit is above 9 now; adding 0x76 then sets its top bit, unless it was set before.
    let others = (((values & (ONES * 0x7f)) + ONES * 0x76) | values) & (ONES * 0x80);
    let digits = (others.trailing_zeros() / 8) as usize;
    if digits == 0 {
        return Some((0, 0));
    }
    // The first digit stands lowest. Zeros are shifted in below it, so that it counts as the eighth from the right.
    let eight = values << (8 * (WORD - digits));
    let pairs = (eight * 10 + (eight >> 8)) & 0x00ff_00ff_00ff_00ff;
    let fours = (pairs * 100 + (pairs >> 16)) & 0x0000_ffff_0000_ffff;
    Some(((fours * 10_000 + (fours >> 32)) & 0xffff_ffff, digits))
}

/// Any numbers, with any spaces between them.
#[cold]
fn careful(text: &[u8]) -> Option<Schedstat> {
    // Complete only with its line end: a number that was cut off is another number.
    let mut rest = text.strip_suffix(b"\n")?;
    let mut next = || {
        let number = parse_number(rest, Form::Integer)?;
        rest = &rest[number.end..];
        u64::try_from(number.value?).ok()
    };
    Some(Schedstat { run_ns: next()?, wait_ns: next()?, timeslices: next()? })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// As a reader's buffer is: longer than the text, and full of what was there before.
    fn buffer(text: &[u8]) -> Vec<u8> {
        [text, b"7 7 7\n", &[b'7'; 64]].concat()
    }

    fn parse(text: &[u8]) -> Option<Schedstat> {
        let parsed = super::parse(&buffer(text), text.len());
        assert_eq!(super::parse(text, text.len()), parsed, "behind the text is nothing");
        parsed
    }

    fn quick(text: &[u8]) -> Option<Schedstat> {
        super::quick(&buffer(text), text.len())
    }

    fn any_length() -> impl Strategy<Value = u64> {
        // Every number of digits about as often as any other.
        (0..63_u32, any::<u64>()).prop_map(|(bits, number)| number >> 1 >> bits)
    }

    #[test]
    fn numbers_too_long_for_the_quick_way_take_the_other() {
        let text = b"9223372036854775807 1000000000000000 7\n";
        assert_eq!(quick(text), None);
        let expected = Schedstat { run_ns: i64::MAX as u64, wait_ns: 1_000_000_000_000_000, timeslices: 7 };
        assert_eq!(parse(text), Some(expected));
        assert_eq!(parse(b"18446744073709551615 0 0\n"), None, "beyond what a cell can hold");
        assert!(quick(b"999999999999999 999999999999999 999999999999999\n").is_some());
    }

    #[test]
    fn what_is_not_three_numbers_is_refused() {
        let long = [b'1'; 200];
        for text in [&b""[..], b"\n", b"1 2\n", b"1 2 3", b"1 2 x\n", b" \n", b"1 2 \n", &long] {
            assert_eq!(parse(text), None, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn both_ways_read_the_same(run_ns in any_length(), wait_ns in any_length(), timeslices in any_length()) {
            let text = format!("{run_ns} {wait_ns} {timeslices}\n");
            let expected = Some(Schedstat { run_ns, wait_ns, timeslices });
            prop_assert_eq!(careful(text.as_bytes()), expected);
            prop_assert_eq!(parse(text.as_bytes()), expected);
            let short = [run_ns, wait_ns, timeslices].iter().all(|number| *number < 1_000_000_000_000_000);
            prop_assert_eq!(quick(text.as_bytes()), expected.filter(|_| short));
            for end in 0..text.len() {
                prop_assert_eq!(parse(&text.as_bytes()[..end]), None, "a text that was cut off");
            }
        }

        #[test]
        fn no_bytes_make_it_panic(bytes: Vec<u8>) {
            if let Some(quick) = quick(&bytes) {
                prop_assert_eq!(careful(&bytes), Some(quick));
            }
            let _ = parse(&bytes);
        }
    }
}
