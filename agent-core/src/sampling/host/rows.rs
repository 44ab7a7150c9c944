//! Which device has which row of the frame: a device keeps its row, and a row that is used again gets a new
//! generation.

use std::collections::{HashMap, HashSet};
use std::hash::Hash;

/// Gives each present thing a row. Rows of things that went are freed; who comes new gets the lowest free row.
/// Returns how many found no room.
pub(super) fn assign<K: Clone + Eq + Hash>(
    labels: &mut Vec<Option<K>>,
    generations: &mut Vec<u32>,
    present: &[K],
    limit: usize,
) -> usize {
    let wanted: HashSet<&K> = present.iter().collect();
    for label in labels.iter_mut() {
        if label.as_ref().is_some_and(|label| !wanted.contains(label)) {
            *label = None;
        }
    }
    let known: HashSet<K> = labels.iter().flatten().cloned().collect();
    let mut refused = 0;
    let mut free = 0;
    let mut added = HashSet::new();
    for thing in present.iter().filter(|thing| !known.contains(thing)) {
        if !added.insert(thing) {
            continue;
        }
        while labels.get(free).is_some_and(Option::is_some) {
            free += 1;
        }
        if free >= limit {
            refused += 1;
            continue;
        }
        if free == labels.len() {
            labels.push(None);
        }
        labels[free] = Some(thing.clone());
        generations.resize(labels.len().max(generations.len()), 0);
        generations[free] = generations[free].wrapping_add(1).max(1);
    }
    generations.resize(labels.len().max(generations.len()), 0);
    refused
}

/// The row of each thing.
pub(super) fn index<K: Clone + Eq + Hash>(labels: &[Option<K>]) -> HashMap<K, u32> {
    (0_u32..).zip(labels).filter_map(|(row, label)| Some((label.clone()?, row))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_kept_freed_and_used_again() {
        let (mut labels, mut generations) = (Vec::new(), Vec::new());
        assert_eq!(assign(&mut labels, &mut generations, &["a", "b", "c", "a"], 3), 0);
        assert_eq!(
            (labels.clone(), generations.clone()),
            (vec![Some("a"), Some("b"), Some("c")], vec![1, 1, 1])
        );
        assert_eq!(assign(&mut labels, &mut generations, &["c", "a"], 3), 0);
        assert_eq!((labels.clone(), generations.clone()), (vec![Some("a"), None, Some("c")], vec![1, 1, 1]));
        assert_eq!(assign(&mut labels, &mut generations, &["c", "d", "a", "e"], 3), 1);
        assert_eq!(
            (labels.clone(), generations.clone()),
            (vec![Some("a"), Some("d"), Some("c")], vec![1, 2, 1])
        );
        assert_eq!(index(&labels).get("d"), Some(&1));
    }
}
