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
use crate::sys::prefetch;

/// Up to two values that a number goes to. The second follows from the first: whatever goes to slot 3 goes to the
/// same second slot, or to none.
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
///
/// A tick a second finds nothing of this in the caches, so what the first way touches is kept small: the previous
/// reading, and 16 bytes a number and 16 a value for what changed.
pub struct Layout {
    grammar: Grammar,
    fields: Box<[Field]>,
    slots: Box<[Slot]>,
    /// While all numbers are read anew, what they were.
    slots_before: Box<[Slot]>,
    dirty: Box<[bool]>,
    /// The last reading that fitted, and its length; length 0 is "none".
    previous: Box<[u8]>,
    previous_length: usize,
    /// 0xFF for each byte of `previous` that belongs to a word, 0 where a number is.
    literal_mask: Box<[u8]>,
    /// The first number that ends beyond the beginning of each 8-byte word of `previous`.
    first_field: Box<[u32]>,
    /// What stands before each number, one after the other, and what stands after the last.
    literals: Box<[u8]>,
    literal_lengths: Box<[u32]>,
    /// Sorted by hash: which value a number goes to, by its names.
    lookup: Box<[Known]>,
}

#[derive(Clone, Copy)]
struct Field {
    /// Where it was last, from the spaces that pad it, and how long it was.
    start: u32,
    length: u32,
    form: Form,
    /// `NOBODY` when no value wants it.
    slot: u32,
}

#[derive(Clone, Copy)]
struct Slot {
    sum: i64,
    /// Numbers of it that could not be used; `UNSEEN` when there was none at all.
    unusable: u32,
    /// A second value that the same numbers go to.
    also: u32,
}

#[derive(Clone, Copy)]
struct Known {
    hash: u64,
    slot: u32,
}

const NOBODY: u32 = u32::MAX;
const UNSEEN: u32 = u32::MAX;
/// The sum itself does not fit; it is built up anew from the next reading.
const OVERFLOWED: u32 = u32::MAX - 1;
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
        let mut literal_lengths = Vec::new();
        let mut lookup = Vec::new();
        let mut slots = vec![Slot { sum: 0, unusable: UNSEEN, also: NOBODY }; slot_count];
        let mut at = 0;
        walk(grammar, bytes, &mut |token| {
            let [slot, also] = want(&token).map(|slot| slot.filter(|slot| (*slot as usize) < slot_count));
            if token.start < at {
                return;
            }
            // The padding belongs to the number, but one byte before it stays a word, so that two never touch.
            let mut start = token.start;
            while start > at + 1 && bytes[start - 1] == b' ' {
                start -= 1;
            }
            literals.extend_from_slice(&bytes[at..start]);
            literal_lengths.push(narrow(start - at));
            fields.push(Field { start: 0, length: 0, form: token.form, slot: slot.unwrap_or(NOBODY) });
            if let Some(slot) = slot {
                slots[slot as usize].also = also.unwrap_or(NOBODY);
                lookup.push(Known { hash: identity(grammar, &token), slot });
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
            slots_before: slots.clone().into(),
            slots: slots.into(),
            dirty: vec![true; slot_count].into(),
            previous: vec![0; capacity].into(),
            previous_length: 0,
            literal_mask: vec![0; capacity].into(),
            first_field: vec![0; capacity / WORD].into(),
            literals: literals.into(),
            literal_lengths: literal_lengths.into(),
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
            Slot { unusable: 0, sum, .. } => SlotValue::Sum(sum),
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

    /// Asks the processor for what [`Layout::update`] will touch.
    #[inline]
    pub fn prefetch(&self) {
        let length = self.previous_length;
        prefetch::slice(&self.previous[..length]);
        prefetch::slice(&self.fields);
        prefetch::slice(&self.slots);
        prefetch::slice(&self.dirty);
        prefetch::slice(&self.literal_mask[..length]);
        prefetch::slice(&self.first_field[..length / WORD]);
    }

    /// Takes in a reading that has the learned shape.
    pub fn update(&mut self, bytes: &[u8]) -> Update {
        if bytes.len() == self.previous_length && self.update_differences(bytes) {
            return Update::Known;
        }
        self.previous_length = 0;
        let update = self.update_by_position(bytes);
        self.compare();
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
                    if !self.update_field(*field, bytes) {
                        return false;
                    }
                    *next += 1;
                }
            }
            word_from = word_to;
        }
        self.previous[from..to].copy_from_slice(&bytes[from..to]);
        true
    }

    /// A number that is as long as it was may have another value now; false when it is no number any more.
    #[inline]
    fn update_field(&mut self, field: Field, bytes: &[u8]) -> bool {
        if field.form == Form::Line {
            return true;
        }
        let span = field.start as usize..field.end();
        let Some(number) = parse_number(&bytes[span.clone()], field.form) else { return false };
        if number.end != span.len() {
            return false;
        }
        if field.slot != NOBODY {
            let before = parse_number(&self.previous[span], field.form).and_then(|number| number.value);
            self.replace(field.slot, before, number.value);
        }
        true
    }

    /// One of the numbers of a value, and of the one that follows it, was this and is that.
    #[inline]
    fn replace(&mut self, slot: u32, before: Option<i64>, now: Option<i64>) {
        if before == now {
            return;
        }
        let also = self.slots[slot as usize].also;
        for slot in [slot, also].into_iter().filter(|slot| *slot != NOBODY) {
            let state = &mut self.slots[slot as usize];
            state.replace(before, now);
            if state.unusable == OVERFLOWED {
                // A sum that is lost can only be had by adding up everything again.
                self.previous_length = 0;
            }
            self.dirty[slot as usize] = true;
        }
    }

    /// Nothing is known any more.
    fn empty(&mut self) {
        self.slots_before.copy_from_slice(&self.slots);
        for slot in &mut self.slots {
            slot.sum = 0;
            slot.unusable = UNSEEN;
        }
    }

    /// After all numbers were read anew: which values are others than before?
    fn compare(&mut self) {
        for ((dirty, slot), before) in self.dirty.iter_mut().zip(&self.slots).zip(&self.slots_before) {
            *dirty |= (slot.sum, slot.unusable) != (before.sum, before.unusable);
        }
    }

    fn update_by_position(&mut self, bytes: &[u8]) -> Update {
        if bytes.len() > self.previous.len() {
            return Update::Changed;
        }
        self.empty();
        let mut at = 0;
        let mut literal_at = 0;
        for (field, literal_length) in self.fields.iter_mut().zip(&self.literal_lengths) {
            let literal = &self.literals[literal_at..literal_at + *literal_length as usize];
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
            field.length = narrow(number.end);
            at += number.end;
            if field.slot != NOBODY {
                add(&mut self.slots, field.slot, number.value);
            }
        }
        let tail = &self.literals[literal_at..];
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
            self.literal_mask[field.start as usize..field.end()].fill(0);
            while word_index < words && word_index * WORD < field.end() {
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
        self.empty();
        let (grammar, lookup, slots) = (self.grammar, &self.lookup, &mut self.slots);
        walk(grammar, bytes, &mut |token| {
            let hash = identity(grammar, &token);
            let Ok(index) = lookup.binary_search_by_key(&hash, |known| known.hash) else { return };
            let value =
                parse_number(&bytes[token.start..token.end], token.form).and_then(|number| number.value);
            add(slots, lookup[index].slot, value);
        });
        self.compare();
    }
}

impl Field {
    fn end(self) -> usize {
        (self.start + self.length) as usize
    }
}

impl Slot {
    fn add(&mut self, value: Option<i64>) {
        if self.unusable == UNSEEN {
            self.unusable = 0;
        }
        if self.unusable == OVERFLOWED {
            return;
        }
        match value.map(|value| self.sum.checked_add(value)) {
            Some(Some(sum)) => self.sum = sum,
            Some(None) => self.unusable = OVERFLOWED,
            None => self.unusable += 1,
        }
    }

    #[inline]
    fn replace(&mut self, before: Option<i64>, now: Option<i64>) {
        if self.unusable == OVERFLOWED {
            return;
        }
        match before.map(|before| self.sum.checked_sub(before)) {
            Some(Some(sum)) => self.sum = sum,
            Some(None) => self.unusable = OVERFLOWED,
            None => self.unusable = self.unusable.saturating_sub(1),
        }
        if self.unusable != OVERFLOWED {
            self.add(now);
        }
    }
}

/// A number goes to a value, and to the one that follows it.
fn add(slots: &mut [Slot], slot: u32, value: Option<i64>) {
    let state = &mut slots[slot as usize];
    state.add(value);
    let also = state.also;
    if also != NOBODY {
        slots[also as usize].add(value);
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
