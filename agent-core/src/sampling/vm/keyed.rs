//! Files of lines `key value` or `key: value`: `/proc/PID/status`, `/proc/PID/io`, `cpu.stat`, `memory.stat`, ...
//!
//! A table says which keys are wanted and how each value is read. A key that the kernel does not have leaves its
//! metric `unsupported`; one whose value makes no sense leaves it in `error`.

use super::batch::Batch;
use super::text;
use crate::sampling::availability::Availability;
use crate::sampling::metrics::MetricId;

/// One wanted line.
pub(super) struct Key {
    /// The key, without its colon.
    pub(super) name: &'static [u8],
    /// Where its value goes.
    pub(super) metric: MetricId,
    /// How its value is read, in the metric's stored unit.
    pub(super) read: fn(&[u8]) -> Option<i64>,
}

/// As many keys as one table can have: one bit each.
const KEYS_MAX: usize = 64;

/// Reads a file by its table.
pub(super) fn read(bytes: &[u8], keys: &[Key], batch: &mut Batch) {
    debug_assert!(keys.len() <= KEYS_MAX);
    let mut seen = 0u64;
    // Tables are in the order of the file, so the wanted key is nearly always the next one.
    let mut next = 0;
    for line in text::lines(bytes) {
        let end = line.iter().position(|byte| matches!(byte, b' ' | b':' | b'\t')).unwrap_or(line.len());
        let (name, value) = line.split_at(end);
        let Some(index) = position(keys, next, name) else { continue };
        if seen & (1 << index) != 0 {
            continue;
        }
        seen |= 1 << index;
        next = index + 1;
        let value = value.strip_prefix(b":").unwrap_or(value);
        batch.put(keys[index].metric, (keys[index].read)(value).ok_or(Availability::Error));
    }
    for (index, key) in keys.iter().enumerate() {
        if seen & (1 << index) == 0 {
            batch.put(key.metric, Err(Availability::Unsupported));
        }
    }
}

fn position(keys: &[Key], next: usize, name: &[u8]) -> Option<usize> {
    if keys.get(next).is_some_and(|key| key.name == name) {
        return Some(next);
    }
    keys.iter().position(|key| key.name == name)
}

/// A plain number.
pub(super) fn count(value: &[u8]) -> Option<i64> {
    i64::try_from(text::number(value)?).ok()
}

/// `N kB`, in bytes.
pub(super) fn kib(value: &[u8]) -> Option<i64> {
    count(value.trim_ascii().strip_suffix(b"kB")?)?.checked_mul(1_024)
}

/// Microseconds, in nanoseconds.
pub(super) fn micros(value: &[u8]) -> Option<i64> {
    count(value)?.checked_mul(1_000)
}

/// Set bits of a hexadecimal mask.
pub(super) fn hex_ones(value: &[u8]) -> Option<i64> {
    i64::try_from(text::hex_ones(value)?).ok()
}

/// 1 for any number but 0.
pub(super) fn nonzero(value: &[u8]) -> Option<i64> {
    Some(i64::from(text::number(value)? != 0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sampling::metrics::vm;
    use proptest::prelude::*;

    const KEYS: &[Key] = &[
        Key { name: b"one", metric: vm::THREADS, read: count },
        Key { name: b"two", metric: vm::MEMORY_RESIDENT, read: kib },
        Key { name: b"three", metric: vm::CPU_USER, read: micros },
    ];

    fn values(bytes: &[u8]) -> Vec<Result<i64, Availability>> {
        let mut batch = Batch::default();
        read(bytes, KEYS, &mut batch);
        KEYS.iter().map(|key| batch.values().find(|(metric, _)| *metric == key.metric).unwrap().1).collect()
    }

    #[test]
    fn keys_are_found_in_any_order() {
        let expected = [Ok(1), Ok(2_048), Ok(3_000)];
        assert_eq!(values(b"one 1\ntwo:\t  2 kB\nthree 3\n"), expected);
        assert_eq!(values(b"zero 0\nthree 3\ntwo:2 kB\nonetwo 9\none: 1\none 7\n"), expected);
    }

    #[test]
    fn absent_is_unsupported_and_senseless_is_an_error() {
        assert_eq!(
            values(b"one max\nthree 4"),
            [Err(Availability::Error), Err(Availability::Unsupported), Err(Availability::Unsupported)]
        );
        assert_eq!(values(b"two 5\n")[1], Err(Availability::Error), "a unit is missing");
        assert_eq!(values(b"three 9223372036854775807\n")[2], Err(Availability::Error), "too large");
    }

    proptest! {
        #[test]
        fn every_key_gets_exactly_one_answer(bytes: Vec<u8>) {
            let mut batch = Batch::default();
            read(&bytes, KEYS, &mut batch);
            prop_assert_eq!(batch.values().count(), KEYS.len());
        }
    }
}
