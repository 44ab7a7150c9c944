//! What happened to VMs, in the order in which the sampler did it: a bounded ring beside the frame.
//!
//! The frame shows what is; a replay must also know in what order it came about, since detection is told of each
//! VM that comes or goes. Written within a tick only, and read under the frame's whole-tick count: see
//! [`Frame::within_one_tick`](super::frame::Frame).

use super::frame::{Entity, OutOfMemory, zeroed};
use super::metrics::Scope;
use crate::config::Limits;
use crate::sys::zeroed::Zeroed;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering::Relaxed};

/// A recorder may be a few ticks late before something is lost; in one tick every VM may come or go once.
const SPARE: usize = 1_024;

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum What {
    /// A VM is watched from now on.
    Entered = 1,
    /// A VM is watched by a newer plan.
    Replanned = 2,
    /// A VM is watched no longer.
    Left = 3,
    /// A VM is watched no longer, because its process ended.
    Exited = 4,
    /// Other rules are in force.
    Rules = 5,
}

impl What {
    pub(crate) const fn from_number(number: u8) -> Option<Self> {
        match number {
            1 => Some(Self::Entered),
            2 => Some(Self::Replanned),
            3 => Some(Self::Left),
            4 => Some(Self::Exited),
            5 => Some(Self::Rules),
            _ => None,
        }
    }
}

/// The ring.
pub(crate) struct Journal {
    /// How many entries were ever made.
    count: AtomicU64,
    what: Zeroed<AtomicU8>,
    /// Row in the lower half, generation in the upper.
    vm: Zeroed<AtomicU64>,
}

impl Journal {
    pub(super) fn new(limits: &Limits) -> Result<Self, OutOfMemory> {
        let slots = limits.vms as usize + SPARE;
        Ok(Self { count: AtomicU64::new(0), what: zeroed(slots)?, vm: zeroed(slots)? })
    }

    pub(super) fn bytes(limits: &Limits) -> usize {
        (limits.vms as usize + SPARE) * 9
    }

    pub(super) fn note(&self, what: What, vm: Entity) {
        let count = self.count.load(Relaxed);
        let slot = self.slot(count);
        self.what[slot].store(what as u8, Relaxed);
        self.vm[slot].store(u64::from(vm.generation) << 32 | u64::from(vm.row), Relaxed);
        self.count.store(count + 1, Relaxed);
    }

    /// Everything since the first `seen` entries: how many there are now, how many were lost, and the rest in order.
    pub(crate) fn since(&self, seen: u64) -> (u64, u64, Vec<(What, Entity)>) {
        let count = self.count.load(Relaxed);
        let first = seen.max(count.saturating_sub(self.what.len() as u64)).min(count);
        let entries = (first..count).filter_map(|at| {
            let slot = self.slot(at);
            let vm = self.vm[slot].load(Relaxed);
            let half = |bits: u64| u32::try_from(bits & 0xffff_ffff).unwrap_or(0);
            let entity = Entity { scope: Scope::Vm, row: half(vm), generation: half(vm >> 32) };
            Some((What::from_number(self.what[slot].load(Relaxed))?, entity))
        });
        (count, first - seen.min(first), entries.collect())
    }

    fn slot(&self, at: u64) -> usize {
        usize::try_from(at % self.what.len() as u64).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vm(row: u32) -> Entity {
        Entity { scope: Scope::Vm, row, generation: u32::MAX - row }
    }

    #[test]
    fn entries_come_in_order_and_losses_are_counted() {
        let journal = Journal::new(&Limits { vms: 2, ..Limits::default() }).unwrap();
        assert_eq!(journal.since(0), (0, 0, vec![]));
        journal.note(What::Entered, vm(1));
        journal.note(What::Exited, vm(1));
        assert_eq!(journal.since(0), (2, 0, vec![(What::Entered, vm(1)), (What::Exited, vm(1))]));
        assert_eq!(journal.since(1), (2, 0, vec![(What::Exited, vm(1))]));
        assert_eq!(journal.since(2), (2, 0, vec![]));
        for row in 0..2_000 {
            journal.note(What::Left, vm(row));
        }
        let (count, lost, entries) = journal.since(2);
        assert_eq!((count, lost, entries.len()), (2_002, 2_000 - 1_026, 1_026));
        assert_eq!(entries.last(), Some(&(What::Left, vm(1_999))));
    }
}
