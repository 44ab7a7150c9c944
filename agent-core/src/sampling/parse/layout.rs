//! A file whose shape was learned: where its numbers are, and which of them are wanted.
//!
//! The kernel's text files keep their shape from one reading to the next: the same words in the same order, with
//! other numbers in between. A [`Layout`] learns the words once. Then there are three ways to take in a reading,
//! the cheapest that fits is used:
//!
//! 1. *As long as the one before*: only the 8-byte words that differ are looked at. What differs must lie within
//!    numbers, and there the number is read anew. Everything else is known to be what it was.
//! 2. *By position*: the words between the numbers are compared, the numbers read. This finds where the numbers
//!    have moved to after one of them grew a digit.
//! 3. *From scratch*, by the file's grammar, when the words are others (a device came or went): what is known is
//!    still found by its name. The caller is told to learn anew.
//!
//! No way allocates. All three give the same values; a property test holds that.

use super::number::{Form, parse_number};
use super::walk::{Grammar, Token, walk};

/// Up to two values that a number goes to.
pub type Targets = [Option<u32>; 2];

/// What became of a reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Update {
    /// Taken in.
    Known,
    /// It fits as far as it goes, but ends too early: read on, or it was cut short.
    Short,
    /// It has another shape; only [`Layout::update_from_scratch`] can take it in.
    Changed,
}

/// One wanted value: the sum of the numbers that go to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SlotValue {
    /// Every number was there.
    Sum(i64),
    /// A number, or the sum, is beyond `i64`.
    Beyond,
    /// No number for it was in the last reading.
    Missing,
}

/// See the module's documentation.
pub struct Layout {
    grammar: Grammar,
    fields: Box<[Field]>,
    /// What stands before each number, one after the other, and what stands after the last.
    literals: Box<[u8]>,
    tail_length: usize,
    /// The last reading that fitted, and its length; length 0 is "none".
    previous: Box<[u8]>,
    previous_length: usize,
    /// 0xFF for each byte of `previous` that belongs to a word, 0 where a number is.
    literal_mask: Box<[u8]>,
    /// The first number that ends beyond the beginning of each 8-byte word of `previous`.
    first_field: Box<[u32]>,
    slots: Box<[Slot]>,
    dirty: Box<[bool]>,
    /// Sorted by hash: which values a number goes to, by its names.
    lookup: Box<[Known]>,
}

#[derive(Clone, Copy)]
struct Field {
    literal_length: u32,
    /// Where it was last: from the spaces that pad it to behind its last digit.
    start: u32,
    end: u32,
    form: Form,
    /// `NOBODY` when no value wants it.
    slots: [u32; 2],
    value: Option<i64>,
}

#[derive(Clone, Copy, Default)]
struct Slot {
    /// Wide enough that no sum of numbers can wrap.
    sum: i128,
    /// Numbers of it that could not be used; `UNSEEN` when there was none at all.
    unusable: u32,
}

#[derive(Clone, Copy)]
struct Known {
    hash: u64,
    slots: [u32; 2],
}

const NOBODY: u32 = u32::MAX;
const UNSEEN: u32 = u32::MAX;
/// The bytes compared at a time.
const BLOCK: usize = 64;
const WORD: usize = 8;
/// How much longer than at learning each number may grow before the file must be learned anew.
const GROWTH_PER_FIELD: usize = 6;
const GROWTH_MIN: usize = 256;

impl Layout {
    /// Learns the shape of a reading and takes it in. `want` says which of `slot_count` values a number goes to.
    ///
    /// Returns the layout; numbers nobody wants are part of it, but not of any value.
    #[must_use]
    pub fn learn(
        grammar: Grammar,
        bytes: &[u8],
        slot_count: usize,
        want: &mut dyn FnMut(&Token) -> Targets,
    ) -> Self {
        let mut fields = Vec::new();
        let mut literals = Vec::new();
        let mut lookup = Vec::new();
        let mut at = 0;
        walk(grammar, bytes, &mut |token| {
            let slots = want(&token).map(|slot| slot.unwrap_or(NOBODY));
            if token.start < at || slots.iter().any(|slot| *slot != NOBODY && *slot as usize >= slot_count) {
                return;
            }
            // The padding belongs to the number, but one byte before it stays a word, so that two never touch.
            let mut start = token.start;
            while start > at + 1 && bytes[start - 1] == b' ' {
                start -= 1;
            }
            literals.extend_from_slice(&bytes[at..start]);
            fields.push(Field {
                literal_length: narrow(start - at),
                start: 0,
                end: 0,
                form: token.form,
                slots,
                value: None,
            });
            if slots != [NOBODY; 2] {
                lookup.push(Known { hash: identity(grammar, &token), slots });
            }
            at = token.end;
        });
        literals.extend_from_slice(&bytes[at.min(bytes.len())..]);
        lookup.sort_unstable_by_key(|known| known.hash);
        lookup.dedup_by_key(|known| known.hash);
        let growth = (fields.len() * GROWTH_PER_FIELD).max(GROWTH_MIN);
        let capacity = (bytes.len() + growth).next_multiple_of(BLOCK);
        let mut layout = Self {
            grammar,
            fields: fields.into(),
            tail_length: bytes.len() - at.min(bytes.len()),
            literals: literals.into(),
            previous: vec![0; capacity].into(),
            previous_length: 0,
            literal_mask: vec![0; capacity].into(),
            first_field: vec![0; capacity / WORD].into(),
            slots: vec![Slot { sum: 0, unusable: UNSEEN }; slot_count].into(),
            dirty: vec![true; slot_count].into(),
            lookup: lookup.into(),
        };
        if layout.update(bytes) != Update::Known {
            layout.update_from_scratch(bytes);
        }
        layout
    }

    /// The longest reading that can be taken in without learning anew.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.previous.len()
    }

    /// The value of a slot, as of the last reading.
    #[inline]
    #[must_use]
    pub fn value(&self, slot: usize) -> SlotValue {
        match self.slots[slot] {
            Slot { unusable: 0, sum } => i64::try_from(sum).map_or(SlotValue::Beyond, SlotValue::Sum),
            Slot { unusable: UNSEEN, .. } => SlotValue::Missing,
            Slot { .. } => SlotValue::Beyond,
        }
    }

    /// Whether each slot may have changed since [`Layout::clean`].
    #[must_use]
    pub fn dirty(&self) -> &[bool] {
        &self.dirty
    }

    /// Forgets which slots have changed.
    pub fn clean(&mut self) {
        self.dirty.fill(false);
    }

    /// Counts every slot as changed, so that it is published again.
    pub fn soil(&mut self) {
        self.dirty.fill(true);
    }

    /// Takes in a reading that has the learned shape.
    pub fn update(&mut self, bytes: &[u8]) -> Update {
        if bytes.len() == self.previous_length && self.update_differences(bytes) {
            return Update::Known;
        }
        self.previous_length = 0;
        let update = self.update_by_position(bytes);
        if update == Update::Known {
            self.previous[..bytes.len()].copy_from_slice(bytes);
            self.previous_length = bytes.len();
            self.map_bytes();
        }
        update
    }

    /// Looks only at what differs from the last reading; false when more than numbers does.
    fn update_differences(&mut self, bytes: &[u8]) -> bool {
        let length = bytes.len();
        let mut next = 0;
        let mut from = 0;
        while from < length {
            let to = (from + BLOCK).min(length);
            if to - from == BLOCK {
                let (Some(new), Some(old)) =
                    (bytes[from..].first_chunk::<BLOCK>(), self.previous[from..].first_chunk::<BLOCK>())
                else {
                    return false;
                };
                if new != old && !self.update_block(bytes, from, to, &mut next) {
                    return false;
                }
            } else if bytes[from..to] != self.previous[from..to]
                && !self.update_block(bytes, from, to, &mut next)
            {
                return false;
            }
            from = to;
        }
        true
    }

    fn update_block(&mut self, bytes: &[u8], from: usize, to: usize, next: &mut usize) -> bool {
        let mut word_from = from;
        while word_from < to {
            let word_to = (word_from + WORD).min(to);
            let difference = word(&bytes[word_from..word_to]) ^ word(&self.previous[word_from..word_to]);
            if difference != 0 {
                if difference & word(&self.literal_mask[word_from..word_to]) != 0 {
                    return false;
                }
                *next = (*next).max(self.first_field[word_from / WORD] as usize);
                while let Some(field) =
                    self.fields.get(*next).filter(|field| (field.start as usize) < word_to)
                {
                    let (start, end) = (field.start as usize, field.end as usize);
                    match parse_number(&bytes[start..end], field.form) {
                        Some(number) if number.end == end - start => self.store(*next, number.value),
                        _ => return false,
                    }
                    *next += 1;
                }
            }
            word_from = word_to;
        }
        self.previous[from..to].copy_from_slice(&bytes[from..to]);
        true
    }

    /// A number has this value now.
    #[inline]
    fn store(&mut self, index: usize, value: Option<i64>) {
        let field = &mut self.fields[index];
        let before = std::mem::replace(&mut field.value, value);
        if before == value || field.form == Form::Line {
            return;
        }
        for slot in field.slots {
            if slot == NOBODY {
                continue;
            }
            let state = &mut self.slots[slot as usize];
            match before {
                Some(before) => state.sum -= i128::from(before),
                None => state.unusable -= 1,
            }
            match value {
                Some(value) => state.sum += i128::from(value),
                None => state.unusable += 1,
            }
            self.dirty[slot as usize] = true;
        }
    }

    fn update_by_position(&mut self, bytes: &[u8]) -> Update {
        if bytes.len() > self.previous.len() {
            return Update::Changed;
        }
        self.slots.fill(Slot { sum: 0, unusable: UNSEEN });
        self.dirty.fill(true);
        let mut at = 0;
        let mut literal_at = 0;
        for field in &mut self.fields {
            let literal = &self.literals[literal_at..literal_at + field.literal_length as usize];
            literal_at += literal.len();
            if !bytes[at..].starts_with(literal) {
                return if literal.starts_with(&bytes[at..]) { Update::Short } else { Update::Changed };
            }
            at += literal.len();
            let Some(number) = parse_number(&bytes[at..], field.form) else {
                return if bytes[at..].iter().all(|byte| *byte == b' ') {
                    Update::Short
                } else {
                    Update::Changed
                };
            };
            field.start = narrow(at);
            field.end = narrow(at + number.end);
            field.value = number.value;
            at += number.end;
            for slot in field.slots {
                if slot != NOBODY {
                    self.slots[slot as usize].add(number.value);
                }
            }
        }
        let tail = &self.literals[literal_at..];
        debug_assert_eq!(tail.len(), self.tail_length);
        if &bytes[at..] == tail {
            Update::Known
        } else if tail.starts_with(&bytes[at..]) {
            Update::Short
        } else {
            Update::Changed
        }
    }

    /// Notes which bytes of `previous` are numbers, and whose.
    fn map_bytes(&mut self) {
        let length = self.previous_length;
        self.literal_mask[..length].fill(0xFF);
        let mut word_index = 0;
        let words = length.div_ceil(WORD);
        for (index, field) in self.fields.iter().enumerate() {
            self.literal_mask[field.start as usize..field.end as usize].fill(0);
            while word_index < words && word_index * WORD < field.end as usize {
                self.first_field[word_index] = narrow(index);
                word_index += 1;
            }
        }
        self.first_field[word_index..words].fill(narrow(self.fields.len()));
    }

    /// Takes in a reading of whatever shape: what is known is found by its name. Values that were not found are
    /// [`SlotValue::Missing`].
    pub fn update_from_scratch(&mut self, bytes: &[u8]) {
        self.previous_length = 0;
        self.slots.fill(Slot { sum: 0, unusable: UNSEEN });
        self.dirty.fill(true);
        let (grammar, lookup, slots) = (self.grammar, &self.lookup, &mut self.slots);
        walk(grammar, bytes, &mut |token| {
            let hash = identity(grammar, &token);
            let Ok(index) = lookup.binary_search_by_key(&hash, |known| known.hash) else { return };
            let value =
                parse_number(&bytes[token.start..token.end], token.form).and_then(|number| number.value);
            for slot in lookup[index].slots {
                if slot != NOBODY {
                    slots[slot as usize].add(value);
                }
            }
        });
    }
}

impl Slot {
    fn add(&mut self, value: Option<i64>) {
        if self.unusable == UNSEEN {
            self.unusable = 0;
        }
        match value {
            Some(value) => self.sum += i128::from(value),
            None => self.unusable += 1,
        }
    }
}

/// Up to eight bytes as one number.
#[inline]
fn word(bytes: &[u8]) -> u64 {
    if let Some(whole) = bytes.first_chunk() {
        return u64::from_ne_bytes(*whole);
    }
    let mut part = [0; WORD];
    part[..bytes.len()].copy_from_slice(bytes);
    u64::from_ne_bytes(part)
}

/// Positions are below `FILE_BYTES_MAX`, far below 2³².
#[inline]
fn narrow(position: usize) -> u32 {
    u32::try_from(position).unwrap_or(u32::MAX)
}

/// FNV-1a over what names a number. 64 bits, over at most some 100,000 names: two that meet by chance would be told
/// apart again when the file is learned anew, one tick later.
fn identity(grammar: Grammar, token: &Token) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    let mut mix = |byte: u8| hash = (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3);
    token.key.iter().copied().for_each(&mut mix);
    mix(0);
    if token.name.is_empty() {
        token.column.to_le_bytes().into_iter().for_each(&mut mix);
    } else {
        token.name.iter().copied().for_each(&mut mix);
    }
    if grammar == Grammar::Hex {
        token.line.to_le_bytes().into_iter().for_each(&mut mix);
    }
    hash
}

#[cfg(test)]
#[path = "layout_tests.rs"]
mod tests;
