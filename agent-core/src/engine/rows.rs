//! Who gets which row of the frame. A row that is free again is given out with the next generation, so that whoever
//! still holds the old entity reads `Gone`.

use crate::config::Limits;
use crate::sampling::frame::Entity;
use crate::sampling::metrics::Scope;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// The rows of one scope.
pub(super) struct Rows {
    scope: Scope,
    /// The generation each row was last given out with; 0 is never.
    generations: Vec<u32>,
    /// Free rows; the lowest goes first, so that the frame's touched pages stay few.
    free: BinaryHeap<Reverse<u32>>,
}

impl Rows {
    pub(super) fn new(scope: Scope, limits: &Limits) -> Self {
        let rows = u32::try_from(limits.rows(scope)).unwrap_or(u32::MAX);
        Self { scope, generations: vec![0; limits.rows(scope)], free: (0..rows).map(Reverse).collect() }
    }

    /// How many rows are free.
    pub(super) fn left(&self) -> usize {
        self.free.len()
    }

    /// A row for a new entity.
    pub(super) fn take(&mut self) -> Option<Entity> {
        let Reverse(row) = self.free.pop()?;
        let generation = &mut self.generations[row as usize];
        // After 2^32 uses the count begins anew; 0 is left out, since it means "empty".
        *generation = generation.checked_add(1).unwrap_or(1);
        Some(Entity { scope: self.scope, row, generation: *generation })
    }

    /// Gives a row back. What is not in use is refused, so that a mistake cannot give one row to two entities.
    pub(super) fn give_back(&mut self, entity: Entity) {
        let current = self.generations.get(entity.row as usize) == Some(&entity.generation);
        debug_assert!(current && entity.scope == self.scope, "{entity:?} was not given out here");
        if current {
            self.free.push(Reverse(entity.row));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashSet;

    fn rows(vms: u32) -> Rows {
        Rows::new(Scope::Vm, &Limits { vms, ..Limits::default() })
    }

    #[test]
    fn a_row_comes_back_with_the_next_generation() {
        let mut rows = rows(2);
        let (first, second) = (rows.take().expect("a row"), rows.take().expect("a row"));
        assert_eq!((first.row, first.generation, second.row), (0, 1, 1));
        assert_eq!(rows.take(), None);
        rows.give_back(first);
        assert_eq!(rows.take(), Some(Entity { generation: 2, ..first }));
    }

    proptest! {
        #[test]
        fn no_row_is_given_out_twice_and_no_entity_returns(steps in proptest::collection::vec(any::<(bool, u8)>(), 0..200)) {
            let mut rows = rows(8);
            let (mut held, mut seen) = (Vec::new(), HashSet::new());
            for (take, which) in steps {
                if take {
                    if let Some(entity) = rows.take() {
                        prop_assert!(seen.insert((entity.row, entity.generation)));
                        prop_assert!(held.iter().all(|other: &Entity| other.row != entity.row));
                        held.push(entity);
                    } else {
                        prop_assert_eq!(held.len(), 8);
                    }
                } else if !held.is_empty() {
                    rows.give_back(held.swap_remove(usize::from(which) % held.len()));
                }
                prop_assert_eq!(rows.left() + held.len(), 8);
            }
        }
    }
}
