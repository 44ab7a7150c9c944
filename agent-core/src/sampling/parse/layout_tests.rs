//! The three ways to take in a reading agree, and none panics.

use super::*;
use proptest::prelude::*;

/// Every number gets a slot of its own, in the order of the file.
fn learn_all(grammar: Grammar, text: &[u8]) -> (Layout, usize) {
    let mut count = 0;
    walk(grammar, text, &mut |token| count += usize::from(token.form != Form::Line));
    let mut next = 0;
    let layout = Layout::learn(grammar, text, count, &mut |token| {
        if token.form == Form::Line {
            return [None; 2];
        }
        next += 1;
        [Some(next - 1), None]
    });
    (layout, count)
}

fn values(layout: &Layout, count: usize) -> Vec<SlotValue> {
    (0..count).map(|slot| layout.value(slot)).collect()
}

#[test]
fn only_what_changed_is_dirty() {
    let (mut layout, count) = learn_all(Grammar::Pairs, b"a 10\nb 20\nc 30\n");
    layout.clean();
    assert_eq!(layout.update(b"a 10\nb 21\nc 30\n"), Update::Known);
    assert_eq!(layout.dirty(), [false, true, false]);
    assert_eq!(values(&layout, count), [SlotValue::Sum(10), SlotValue::Sum(21), SlotValue::Sum(30)]);
    layout.clean();
    assert_eq!(layout.update(b"a 10\nb 21\nc 30\n"), Update::Known);
    assert_eq!(layout.dirty(), [false; 3]);
}

#[test]
fn a_number_that_grows_moves_the_others() {
    let (mut layout, count) = learn_all(Grammar::Pairs, b"a 9\nb 99\nc 1\n");
    assert_eq!(layout.update(b"a 10\nb 100\nc 2\n"), Update::Known);
    assert_eq!(values(&layout, count), [SlotValue::Sum(10), SlotValue::Sum(100), SlotValue::Sum(2)]);
    // As long as before, but everything in between has moved.
    assert_eq!(layout.update(b"a 9\nb 101\nc 22\n"), Update::Known);
    assert_eq!(values(&layout, count), [SlotValue::Sum(9), SlotValue::Sum(101), SlotValue::Sum(22)]);
}

#[test]
fn another_shape_is_noticed_and_still_read_by_name() {
    let (mut layout, count) = learn_all(Grammar::Lines, b"eth0: 1 2\neth1: 3 4\n");
    for other in
        [&b"eth0: 1 2\neth2: 3 4\n"[..], b"eth1: 3 4\neth0: 1 2\n", b"eth0: 1 2\neth1: 3 4\neth2: 5 6\n"]
    {
        assert_eq!(layout.update(other), Update::Changed, "{}", String::from_utf8_lossy(other));
    }
    layout.update_from_scratch(b"eth2: 5 6\neth1: 7 8\n");
    let found = [SlotValue::Missing, SlotValue::Missing, SlotValue::Sum(7), SlotValue::Sum(8)];
    assert_eq!(values(&layout, count), found);
    assert_eq!(layout.update(b"eth0: 9 2\neth1: 3 4\n"), Update::Known);
    assert_eq!(layout.value(0), SlotValue::Sum(9));
}

#[test]
fn a_reading_cut_short_is_told_from_another_shape() {
    let whole = b"a 10\nb 20\n";
    let (mut layout, _) = learn_all(Grammar::Pairs, whole);
    for length in 0..whole.len() {
        let update = layout.update(&whole[..length]);
        assert_eq!(update, Update::Short, "{length} bytes");
    }
    assert_eq!(layout.update(b"a x\nb 20\n"), Update::Changed);
    assert_eq!(layout.update(whole), Update::Known);
}

#[test]
fn numbers_beyond_what_fits_are_no_values() {
    let (mut layout, _) = learn_all(Grammar::Pairs, b"a 10000000000000000000\nb 1\n");
    assert_eq!(layout.value(0), SlotValue::Beyond);
    assert_eq!(layout.update(b"a 00000000000000000007\nb 1\n"), Update::Known);
    assert_eq!(layout.value(0), SlotValue::Sum(7));
    assert_eq!(layout.update(b"a 20000000000000000000\nb 1\n"), Update::Known);
    assert_eq!(layout.value(0), SlotValue::Beyond);
}

#[test]
fn two_numbers_that_touch_are_not_taken_for_one_another() {
    let (mut layout, count) = learn_all(Grammar::Lines, b"lo:    99     7\n");
    assert_eq!(layout.update(b"lo:   100     7\n"), Update::Known);
    assert_eq!(values(&layout, count), [SlotValue::Sum(100), SlotValue::Sum(7)]);
    // One number fewer, as long as before.
    assert_eq!(layout.update(b"lo:   1000000 7\n"), Update::Known);
    assert_eq!(layout.update(b"lo:   10000 007\n"), Update::Known);
    assert_eq!(layout.update(b"lo:   100000007\n"), Update::Changed);
    assert_eq!(layout.update(b"lo: 5 100     7\n"), Update::Changed);
}

#[test]
fn sums_follow_their_parts() {
    let mut layout = Layout::learn(Grammar::Pairs, b"x_dma 1\nx_normal 2\n", 1, &mut |_| [Some(0), None]);
    assert_eq!(layout.value(0), SlotValue::Sum(3));
    assert_eq!(layout.update(b"x_dma 5\nx_normal 2\n"), Update::Known);
    assert_eq!(layout.value(0), SlotValue::Sum(7));
    layout.update_from_scratch(b"x_normal 9\n");
    assert_eq!(layout.value(0), SlotValue::Sum(9));
}

fn grammar() -> impl Strategy<Value = Grammar> {
    prop::sample::select(vec![
        Grammar::Pairs,
        Grammar::Lines,
        Grammar::Stat,
        Grammar::Third,
        Grammar::Bare,
        Grammar::Headed,
        Grammar::HeadedHex,
        Grammar::Hex,
    ])
}

/// Text that looks like the kernel's: keys, numbers padded or not.
fn kernel_text() -> impl Strategy<Value = String> {
    let line = ("[a-c]{1,2}", prop::collection::vec((0_u8..6, any::<u32>()), 0..6));
    prop::collection::vec(line, 0..12).prop_map(|lines| {
        let mut text = String::new();
        for (key, numbers) in lines {
            text.push_str(&key);
            text.push(':');
            for (width, number) in numbers {
                use std::fmt::Write as _;
                let _ =
                    write!(text, " {:>width$}", number >> (u32::from(width) * 5), width = usize::from(width));
            }
            text.push('\n');
        }
        text
    })
}

/// The same text with other numbers.
fn renumbered(text: &str, seeds: &[u32]) -> String {
    let mut seeds = seeds.iter().cycle();
    let mut other = String::new();
    let mut digits = 0;
    for character in text.chars().chain([' ']) {
        if character.is_ascii_digit() {
            digits += 1;
            continue;
        }
        if digits > 0 {
            let seed = *seeds.next().unwrap_or(&0);
            other.push_str(&(seed >> (seed % 31)).to_string());
            digits = 0;
        }
        other.push(character);
    }
    other.pop();
    other
}

proptest! {
    #[test]
    fn any_bytes_after_any_bytes_never_panic(
        grammar in grammar(),
        readings in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..200), 1..6),
    ) {
        let (mut layout, _) = learn_all(grammar, &readings[0]);
        for reading in &readings {
            if layout.update(reading) != Update::Known {
                layout.update_from_scratch(reading);
            }
        }
    }

    #[test]
    fn every_way_gives_the_same_values(
        text in kernel_text(),
        seeds in prop::collection::vec(prop::collection::vec(any::<u32>(), 1..8), 1..6),
    ) {
        let (mut layout, count) = learn_all(Grammar::Lines, text.as_bytes());
        // Keys that occur twice are one thing by name and two by position: learn only texts without.
        let mut keys: Vec<_> = text.lines().filter_map(|line| line.split(':').next()).collect();
        keys.sort_unstable();
        keys.dedup();
        prop_assume!(keys.len() == text.lines().count());
        for seeds in seeds {
            let other = renumbered(&text, &seeds);
            prop_assert_eq!(layout.update(other.as_bytes()), Update::Known);
            let by_update = values(&layout, count);
            let (mut fresh, _) = learn_all(Grammar::Lines, text.as_bytes());
            fresh.update_from_scratch(other.as_bytes());
            prop_assert_eq!(&values(&fresh, count), &by_update);
            let (learned, _) = learn_all(Grammar::Lines, other.as_bytes());
            prop_assert_eq!(values(&learned, count), by_update);
        }
    }

    #[test]
    fn what_is_taken_as_known_is_what_a_reading_from_scratch_finds(
        text in kernel_text(),
        at in any::<prop::sample::Index>(),
        byte in prop::sample::select(b"0159 :\nab".to_vec()),
    ) {
        let mut keys: Vec<_> = text.lines().filter_map(|line| line.split(':').next()).collect();
        keys.sort_unstable();
        keys.dedup();
        prop_assume!(!text.is_empty() && keys.len() == text.lines().count());
        let (mut layout, count) = learn_all(Grammar::Lines, text.as_bytes());
        let mut other = text.clone().into_bytes();
        let at = at.index(other.len());
        other[at] = byte;
        if layout.update(&other) == Update::Known {
            let by_update = values(&layout, count);
            layout.update_from_scratch(&other);
            prop_assert_eq!(values(&layout, count), by_update);
        }
    }
}
