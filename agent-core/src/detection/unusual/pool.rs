//! A fixed number of slots: given out, given back, and strung together by subject. Every operation is of constant time,
//! but for what walks the slots of one subject.

use super::slot::Slot;
use crate::sampling::frame::{OutOfMemory, zeroed};
use crate::sys::zeroed::Zeroed;

/// The slots. Numbers count from 1; 0 is none.
pub(super) struct Pool {
    slots: Zeroed<Slot>,
    /// The first that was given back.
    free: u32,
    /// So many were ever given out.
    fresh: u32,
    pub(super) used: u32,
}

impl Pool {
    pub(super) const BYTES_PER_SLOT: usize = size_of::<Slot>();

    pub(super) fn new(slots: usize) -> Result<Self, OutOfMemory> {
        Ok(Self { slots: zeroed(slots)?, free: 0, fresh: 0, used: 0 })
    }

    pub(super) fn capacity(&self) -> usize {
        self.slots.len()
    }

    /// Those ever given out, of which some are free again.
    pub(super) const fn fresh(&self) -> u32 {
        self.fresh
    }

    pub(super) fn slot(&self, number: u32) -> Option<&Slot> {
        self.slots.get((number as usize).checked_sub(1)?).filter(|slot| slot.is_used())
    }

    pub(super) fn slot_mut(&mut self, number: u32) -> Option<&mut Slot> {
        self.slots.get_mut((number as usize).checked_sub(1)?).filter(|slot| slot.is_used())
    }

    /// Gives a slot out and puts it in front of a subject's others, of which `first` is the first.
    pub(super) fn acquire(&mut self, first: &mut u32) -> Option<(u32, &mut Slot)> {
        let number = if self.free != 0 {
            self.free
        } else if (self.fresh as usize) < self.slots.len() {
            self.fresh += 1;
            self.fresh
        } else {
            return None;
        };
        let index = number as usize - 1;
        if number == self.free {
            self.free = self.slots[index].next;
        }
        self.slots[index] = Slot::before(*first);
        if let Some(next) = self.slot_mut(*first) {
            next.previous = number;
        }
        *first = number;
        self.used += 1;
        Some((number, &mut self.slots[index]))
    }

    /// Takes a slot back.
    pub(super) fn release(&mut self, number: u32, first: &mut u32) {
        let Some(slot) = self.slot(number) else { return };
        let (next, previous) = (slot.next, slot.previous);
        if let Some(next) = self.slot_mut(next) {
            next.previous = previous;
        }
        match self.slot_mut(previous) {
            Some(previous) => previous.next = next,
            None => *first = next,
        }
        let free = self.free;
        if let Some(slot) = self.slot_mut(number) {
            *slot = Slot::free(free);
        }
        self.free = number;
        self.used -= 1;
    }

    /// The slots of a subject.
    pub(super) fn of_subject(&self, first: u32) -> impl Iterator<Item = (u32, &Slot)> {
        let with = |number| Some((number, self.slot(number)?));
        std::iter::successors(with(first), move |(_, slot)| with(slot.next))
    }
}
