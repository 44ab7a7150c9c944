//! `/proc/PID/stat` and `/proc/PID/task/TID/stat` (`proc_pid_stat(5)`).
//!
//! The second field is the program's name in parentheses, chosen by the program: it may hold blanks, parentheses and
//! line ends, as in `1 (a) R (b) S 0 ...`. What follows the *last* closing parenthesis cannot be forged.

use super::text;

/// The fields that are used, in the units of the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct StatLine {
    /// Field 3: the state's letter.
    pub(super) state: u8,
    /// Field 10.
    pub(super) faults_minor: u64,
    /// Field 12.
    pub(super) faults_major: u64,
    /// Field 14, in clock ticks.
    pub(super) user_ticks: u64,
    /// Field 15, in clock ticks.
    pub(super) system_ticks: u64,
    /// Field 19.
    pub(super) nice: i64,
    /// Field 20.
    pub(super) threads: u64,
    /// Field 22, in clock ticks since boot.
    pub(super) start_ticks: u64,
    /// Field 23, in bytes.
    pub(super) virtual_bytes: u64,
    /// Field 24, in pages; below zero for an instant while the kernel's own counters settle.
    pub(super) resident_pages: i64,
    /// Field 39.
    pub(super) processor: u64,
    /// Field 40.
    pub(super) realtime_priority: u64,
    /// Field 41.
    pub(super) policy: u64,
    /// Field 42, in clock ticks.
    pub(super) block_io_delay_ticks: u64,
    /// Field 43, in clock ticks.
    pub(super) guest_ticks: u64,
}

/// Reads one line; `None` when it is not one.
#[must_use]
pub(super) fn parse(bytes: &[u8]) -> Option<StatLine> {
    let after_name = memchr::memrchr(b')', bytes)? + 1;
    // A line cut off by a full buffer has no end: its last number could be a part of the real one.
    let fields_end = bytes.len().checked_sub(1).filter(|last| bytes[*last] == b'\n')?;
    let mut fields = text::words(bytes.get(after_name..fields_end)?);
    let state = match fields.next()? {
        [letter] if letter.is_ascii_alphabetic() => *letter,
        _ => return None,
    };
    // Field numbers count from 1; the state is field 3.
    let mut at = 3;
    let mut field = |number: usize| {
        let word = fields.nth(number - at - 1);
        at = number;
        word
    };
    Some(StatLine {
        state,
        faults_minor: text::number(field(10)?)?,
        faults_major: text::number(field(12)?)?,
        user_ticks: text::number(field(14)?)?,
        system_ticks: text::number(field(15)?)?,
        nice: text::signed(field(19)?)?,
        threads: text::number(field(20)?)?,
        start_ticks: text::number(field(22)?)?,
        virtual_bytes: text::number(field(23)?)?,
        resident_pages: text::signed(field(24)?)?,
        processor: text::number(field(39)?)?,
        realtime_priority: text::number(field(40)?)?,
        policy: text::number(field(41)?)?,
        block_io_delay_ticks: text::number(field(42)?)?,
        guest_ticks: text::number(field(43)?)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TAIL: &str = "S 1 2 3 0 -1 4194560 2201 5 77 6 8 9 10 11 20 -5 7 0 123456 4444160 320 \
        18446744073709551615 1 1 0 0 0 0 0 4096 0 0 0 0 17 3 2 1 44 55 0 0 0 0 0 0 0 0 0\n";

    fn expected() -> StatLine {
        StatLine {
            state: b'S',
            faults_minor: 2201,
            faults_major: 77,
            user_ticks: 8,
            system_ticks: 9,
            nice: -5,
            threads: 7,
            start_ticks: 123_456,
            virtual_bytes: 4_444_160,
            resident_pages: 320,
            processor: 3,
            realtime_priority: 2,
            policy: 1,
            block_io_delay_ticks: 44,
            guest_ticks: 55,
        }
    }

    #[test]
    fn names_cannot_forge_fields() {
        for name in ["qemu", "a) R (b", "", ")", "x) Z 1 2 3", "a\nb", "((("] {
            let line = format!("4242 ({name}) {TAIL}");
            assert_eq!(parse(line.as_bytes()), Some(expected()), "{name:?}");
        }
    }

    #[test]
    fn what_was_cut_off_is_not_a_line() {
        let line = format!("4242 (qemu) {TAIL}");
        for end in 0..line.len() {
            assert_eq!(parse(&line.as_bytes()[..end]), None, "{end}");
        }
    }

    #[test]
    fn this_process_is_read() {
        let line = std::fs::read("/proc/thread-self/stat").unwrap();
        let stat = parse(&line).unwrap();
        assert_eq!(stat.state, b'R');
        assert!(stat.threads >= 1 && stat.start_ticks > 0 && stat.resident_pages > 0, "{stat:?}");
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes: Vec<u8>, name in "[ -~]{0,15}", cut: prop::sample::Index) {
            let _ = parse(&bytes);
            let mut line = format!("1 ({name}) {TAIL}").into_bytes();
            prop_assert_eq!(parse(&line), Some(expected()));
            line.truncate(cut.index(line.len()));
            prop_assert_eq!(parse(&line), None);
        }
    }
}
