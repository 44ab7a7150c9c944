//! Finds the claims that a path may collide with: a tree of path parts, so that the cost is that of the path's depth and
//! of what is claimed above and below it, not of all there is.

use super::claim::Token;
use super::path::ResourcePath;
use std::collections::BTreeMap;

/// Which part of which claim.
pub(super) type Entry = (Token, usize);

/// The tree.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Index {
    root: Node,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Node {
    below: BTreeMap<Box<str>, Node>,
    entries: Vec<Entry>,
}

impl Index {
    pub(super) fn insert(&mut self, path: &ResourcePath, entry: Entry) {
        let mut node = &mut self.root;
        for part in path.parts() {
            // Looked for first: most paths begin as others do, and a new key is an allocation.
            if !node.below.contains_key(part) {
                node.below.insert(part.into(), Node::default());
            }
            let Some(next) = node.below.get_mut(part) else { return };
            node = next;
        }
        let at = node.entries.partition_point(|known| *known < entry);
        node.entries.insert(at, entry);
    }

    pub(super) fn remove(&mut self, path: &ResourcePath, entry: Entry) {
        remove(&mut self.root, &mut path.parts(), entry);
    }

    /// Calls for every entry at the path, above it and below it.
    pub(super) fn overlapping(&self, path: &ResourcePath, mut visit: impl FnMut(Entry)) {
        let mut node = &self.root;
        for part in path.parts() {
            node.entries.iter().copied().for_each(&mut visit);
            match node.below.get(part) {
                Some(next) => node = next,
                None => return,
            }
        }
        all(node, &mut visit);
    }

    /// The entries at exactly this path.
    pub(super) fn at(&self, path: &ResourcePath) -> &[Entry] {
        let mut node = &self.root;
        for part in path.parts() {
            match node.below.get(part) {
                Some(next) => node = next,
                None => return &[],
            }
        }
        &node.entries
    }
}

fn remove<'a>(node: &mut Node, parts: &mut impl Iterator<Item = &'a str>, entry: Entry) {
    let Some(part) = parts.next() else {
        node.entries.retain(|known| *known != entry);
        return;
    };
    if let Some(next) = node.below.get_mut(part) {
        remove(next, parts, entry);
        if next.entries.is_empty() && next.below.is_empty() {
            node.below.remove(part);
        }
    }
}

/// Recursion is as deep as a path may be.
fn all(node: &Node, visit: &mut impl FnMut(Entry)) {
    node.entries.iter().copied().for_each(&mut *visit);
    node.below.values().for_each(|next| all(next, visit));
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_overlaps_is_found_and_nothing_is_left_behind(
            paths in prop::collection::vec("vm/[ab](/net(/[ab](/[ab])?)?)?", 1..30), wanted in "vm/[ab](/net(/[ab])?)?"
        ) {
            let paths: Vec<_> = paths.iter().map(|path| ResourcePath::parse(path).unwrap()).collect();
            let wanted = ResourcePath::parse(&wanted).unwrap();
            let mut index = Index::default();
            let entry = |at: usize| (Token(at as u64), at);
            paths.iter().enumerate().for_each(|(at, path)| index.insert(path, entry(at)));
            let mut found = Vec::new();
            index.overlapping(&wanted, |entry| found.push(entry));
            found.sort_unstable();
            let expected: Vec<_> =
                (0..paths.len()).filter(|at| paths[*at].overlaps(&wanted)).map(entry).collect();
            prop_assert_eq!(found, expected);
            paths.iter().enumerate().for_each(|(at, path)| index.remove(path, entry(at)));
            prop_assert_eq!(index, Index::default());
        }
    }
}
