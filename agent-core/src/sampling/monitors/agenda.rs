//! Whose turn is next, so that a thousand VMs need not be gone through for each answer of one.

use std::collections::{BTreeMap, BTreeSet};

/// What is next for one VM, and when, `CLOCK_MONOTONIC` nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Due {
    /// A round begins.
    Begins(u64),
    /// The round that runs is given up.
    Ends(u64),
}

/// Every VM that waits for something, by its row.
#[derive(Default)]
pub(super) struct Agenda {
    by_row: BTreeMap<u32, Due>,
    begins: BTreeSet<(u64, u32)>,
    ends: BTreeSet<(u64, u32)>,
}

impl Agenda {
    /// Replaces what is next for a VM.
    pub(super) fn set(&mut self, row: u32, due: Option<Due>) {
        match self.by_row.remove(&row) {
            Some(Due::Begins(at)) => drop(self.begins.remove(&(at, row))),
            Some(Due::Ends(at)) => drop(self.ends.remove(&(at, row))),
            None => {}
        }
        let Some(due) = due else { return };
        self.by_row.insert(row, due);
        match due {
            Due::Begins(at) => self.begins.insert((at, row)),
            Due::Ends(at) => self.ends.insert((at, row)),
        };
    }

    /// The first beginning.
    pub(super) fn next_begin(&self) -> Option<(u64, u32)> {
        self.begins.first().copied()
    }

    /// The first end.
    pub(super) fn next_end(&self) -> Option<(u64, u32)> {
        self.ends.first().copied()
    }

    /// How many rounds run.
    pub(super) fn running(&self) -> usize {
        self.ends.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_vm_has_one_place_and_the_earliest_comes_first() {
        let mut agenda = Agenda::default();
        agenda.set(1, Some(Due::Begins(30)));
        agenda.set(2, Some(Due::Begins(20)));
        agenda.set(3, Some(Due::Ends(10)));
        assert_eq!(
            (agenda.next_begin(), agenda.next_end(), agenda.running()),
            (Some((20, 2)), Some((10, 3)), 1)
        );
        agenda.set(2, Some(Due::Ends(5)));
        assert_eq!(
            (agenda.next_begin(), agenda.next_end(), agenda.running()),
            (Some((30, 1)), Some((5, 2)), 2)
        );
        for row in [1, 2, 3, 4] {
            agenda.set(row, None);
        }
        assert_eq!((agenda.next_begin(), agenda.next_end(), agenda.running()), (None, None, 0));
    }
}
