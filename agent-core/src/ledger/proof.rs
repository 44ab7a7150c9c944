//! Inclusion and consistency proofs of RFC 6962 sections 2.1.1 and 2.1.2, made and checked.

use super::merkle::{Hash, node_hash};

/// The root of a complete subtree by its level and index; `None` where it is not to be had.
pub(super) type Node<'a> = &'a dyn Fn(u32, u64) -> Option<Hash>;

/// The largest power of two below a number of at least two.
fn split(size: u64) -> u64 {
    1 << (size - 1).ilog2()
}

/// The root over the leaves of a range, the first of which a subtree of its size may begin with.
fn range(node: Node, begin: u64, end: u64) -> Option<Hash> {
    let size = end.checked_sub(begin).filter(|size| *size > 0)?;
    if size.is_power_of_two() {
        return node(size.ilog2(), begin / size);
    }
    let middle = begin + split(size);
    Some(node_hash(&range(node, begin, middle)?, &range(node, middle, end)?))
}

/// The hashes that lead from a leaf to the root of a tree of `size` leaves, from below.
pub(super) fn inclusion(node: Node, index: u64, size: u64) -> Option<Vec<Hash>> {
    let (mut begin, mut end, mut proof) = (0, size, Vec::new());
    if index >= size {
        return None;
    }
    while end - begin > 1 {
        let middle = begin + split(end - begin);
        if index < middle {
            proof.push(range(node, middle, end)?);
            end = middle;
        } else {
            proof.push(range(node, begin, middle)?);
            begin = middle;
        }
    }
    proof.reverse();
    Some(proof)
}

/// The hashes that show that a tree of `old` leaves is the beginning of one of `size`, from below.
pub(super) fn consistency(node: Node, old: u64, size: u64) -> Option<Vec<Hash>> {
    if old == 0 || old > size {
        return (old == 0).then(Vec::new);
    }
    let (mut begin, mut end, mut proof) = (0, size, Vec::new());
    while old != end {
        let middle = begin + split(end - begin);
        if old <= middle {
            proof.push(range(node, middle, end)?);
            end = middle;
        } else {
            proof.push(range(node, begin, middle)?);
            begin = middle;
        }
    }
    if begin > 0 {
        proof.push(range(node, begin, end)?);
    }
    proof.reverse();
    Some(proof)
}

/// Whether a leaf's hash is at a place in the tree of that size and root (RFC 9162, section 2.1.3.2).
#[must_use]
pub fn is_included(leaf: &Hash, index: u64, size: u64, root: &Hash, proof: &[Hash]) -> bool {
    if index >= size {
        return false;
    }
    let (mut place, mut last, mut hash) = (index, size - 1, *leaf);
    for step in proof {
        if last == 0 {
            return false;
        }
        if place & 1 == 1 || place == last {
            hash = node_hash(step, &hash);
            while place & 1 == 0 && place != 0 {
                place >>= 1;
                last >>= 1;
            }
        } else {
            hash = node_hash(&hash, step);
        }
        place >>= 1;
        last >>= 1;
    }
    last == 0 && hash == *root
}

/// Whether the tree of `old` leaves is the beginning of that of `size` (RFC 9162, section 2.1.4.2).
#[must_use]
pub fn is_consistent(old: u64, old_root: &Hash, size: u64, root: &Hash, proof: &[Hash]) -> bool {
    if old > size {
        return false;
    }
    if old == size || old == 0 {
        return proof.is_empty() && (old == 0 || old_root == root);
    }
    let (first, rest) = match proof.split_first() {
        // A complete subtree is its own beginning, and is not told again.
        _ if old.is_power_of_two() => (*old_root, proof),
        Some((first, rest)) => (*first, rest),
        None => return false,
    };
    let (mut place, mut last) = (old - 1, size - 1);
    while place & 1 == 1 {
        place >>= 1;
        last >>= 1;
    }
    let (mut old_hash, mut hash) = (first, first);
    for step in rest {
        if last == 0 {
            return false;
        }
        if place & 1 == 1 || place == last {
            old_hash = node_hash(step, &old_hash);
            hash = node_hash(step, &hash);
            while place & 1 == 0 && place != 0 {
                place >>= 1;
                last >>= 1;
            }
        } else {
            hash = node_hash(&hash, step);
        }
        place >>= 1;
        last >>= 1;
    }
    last == 0 && old_hash == *old_root && hash == *root
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::merkle::{leaf_hash, root_of};

    fn leaves(count: u32) -> Vec<Hash> {
        (0..count).map(|n| leaf_hash(&n.to_le_bytes())).collect()
    }

    #[test]
    fn every_proof_of_small_trees_is_accepted_and_every_changed_one_is_not() {
        let leaves = leaves(70);
        let node = |level: u32, index: u64| {
            let (size, index) = (1usize << level, usize::try_from(index).ok()?);
            leaves.get(index * size..(index + 1) * size).map(root_of)
        };
        for size in 1..=leaves.len() {
            let (tree, root) = (size as u64, root_of(&leaves[..size]));
            for index in 0..size {
                let (at, leaf) = (index as u64, leaves[index]);
                let mut proof = inclusion(&node, at, tree).unwrap();
                assert!(is_included(&leaf, at, tree, &root, &proof));
                assert!(!is_included(&leaf, at + 1, tree, &root, &proof));
                assert!(!is_included(&[0; 32], at, tree, &root, &proof));
                proof.push([0; 32]);
                assert!(!is_included(&leaf, at, tree, &root, &proof));
                proof.pop();
                if let Some(first) = proof.first_mut() {
                    first[0] ^= 1;
                    assert!(!is_included(&leaf, at, tree, &root, &proof));
                }
                let (old, old_root) = (at + 1, root_of(&leaves[..=index]));
                let mut proof = consistency(&node, old, tree).unwrap();
                assert!(is_consistent(old, &old_root, tree, &root, &proof), "{old} of {tree}");
                assert!(!is_consistent(old, &[0; 32], tree, &root, &proof));
                proof.push([0; 32]);
                assert!(!is_consistent(old, &old_root, tree, &root, &proof));
            }
            assert_eq!(inclusion(&node, tree, tree), None);
            assert_eq!(consistency(&node, tree + 1, tree), None);
        }
    }
}
