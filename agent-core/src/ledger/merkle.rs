//! The Merkle tree of RFC 6962 section 2.1, over SHA-256.

use ring::digest::{Context, SHA256};

/// A SHA-256 hash.
pub type Hash = [u8; 32];

/// The hash of a leaf: `SHA-256(0x00 || data)`.
#[must_use]
pub fn leaf_hash(data: &[u8]) -> Hash {
    sha256(&[&[0], data])
}

/// The hash of a node: `SHA-256(0x01 || left || right)`.
#[must_use]
pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
    sha256(&[&[1], left, right])
}

/// The hash of several pieces, one after the other.
pub(super) fn sha256(pieces: &[&[u8]]) -> Hash {
    let mut context = Context::new(&SHA256);
    for piece in pieces {
        context.update(piece);
    }
    let mut hash = [0; 32];
    hash.copy_from_slice(context.finish().as_ref());
    hash
}

/// A tree that grows at its right, kept as the roots of its complete subtrees: at most 64 hashes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Frontier {
    size: u64,
    /// From the largest subtree to the smallest, one for each bit of the size that is set.
    hashes: Vec<Hash>,
}

impl Frontier {
    /// A tree of that size with these complete subtrees, the largest first; `None` when their number does not fit.
    #[must_use]
    pub fn from_parts(size: u64, hashes: Vec<Hash>) -> Option<Self> {
        (size.count_ones() as usize == hashes.len()).then_some(Self { size, hashes })
    }

    /// Its number of leaves.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The roots of its complete subtrees, the largest first.
    #[must_use]
    pub fn hashes(&self) -> &[Hash] {
        &self.hashes
    }

    /// Appends a leaf, and tells the level and the root of every subtree that it completes, itself at level 0 first.
    pub fn push(&mut self, leaf: Hash, mut complete: impl FnMut(u32, &Hash)) {
        complete(0, &leaf);
        let mut hash = leaf;
        for level in 0..self.size.trailing_ones() {
            let Some(left) = self.hashes.pop() else { break };
            hash = node_hash(&left, &hash);
            complete(level + 1, &hash);
        }
        self.hashes.push(hash);
        self.size += 1;
    }

    /// The root of the whole tree.
    #[must_use]
    pub fn root(&self) -> Hash {
        let mut hashes = self.hashes.iter().rev();
        match hashes.next() {
            Some(last) => hashes.fold(*last, |right, left| node_hash(left, &right)),
            None => sha256(&[]),
        }
    }
}

/// The root of a tree over a few leaves' hashes.
#[must_use]
pub fn root_of(leaves: &[Hash]) -> Hash {
    let mut tree = Frontier::default();
    for leaf in leaves {
        tree.push(*leaf, |_, _| {});
    }
    tree.root()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(leaves: &[Hash]) -> Hash {
        match leaves {
            [] => sha256(&[]),
            [leaf] => *leaf,
            _ => {
                let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
                node_hash(&plain(left), &plain(right))
            }
        }
    }

    #[test]
    fn a_tree_that_grows_has_the_root_of_the_definition() {
        let leaves: Vec<Hash> = (0..300u32).map(|n| leaf_hash(&n.to_le_bytes())).collect();
        let mut tree = Frontier::default();
        for (count, leaf) in leaves.iter().enumerate() {
            assert_eq!(tree.root(), plain(&leaves[..count]));
            let again = Frontier::from_parts(tree.size(), tree.hashes().to_vec());
            assert_eq!(again.as_ref(), Some(&tree));
            tree.push(*leaf, |_, _| {});
        }
        assert_eq!(root_of(&leaves), plain(&leaves));
        assert!(Frontier::from_parts(3, vec![[0; 32]]).is_none());
    }

    /// The empty root and the empty leaf of RFC 6962's own test data.
    #[test]
    fn the_known_hashes() {
        assert_eq!((root_of(&[])[..4]), [0xe3, 0xb0, 0xc4, 0x42]);
        assert_eq!((leaf_hash(&[])[..4]), [0x6e, 0x34, 0x0b, 0x9c]);
    }
}
