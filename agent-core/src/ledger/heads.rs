//! What binds the tenants' logs to the host's: one tree over where each of them stands.
//!
//! A leaf is `SHA-256(0x00 || blinded id || size || root)`, the size with its highest byte first; leaves are sorted by
//! blinded id. The ids are HMACs under a key of the host's, so nobody can guess a leaf of another tenant's, and the
//! leaves are filled up to a power of two, and to 64 at least, with `SHA-256(0x00 || salt || "padding" || number)`, so
//! their number tells next to nothing. The root is a record of the host's log ([`super::Heads`]). A tenant that is given all leaves of its own
//! log, the path from its head to that root and the inclusion of that record in the host's log knows that nothing of its
//! own is missing, and nothing about anybody else.

use super::frame::Salt;
use super::merkle::{Hash, root_of, sha256};
use super::record::Heads;
use super::segment::Logs;

/// Leaves that there are at least: on most hosts the number never changes, whichever tenants come.
const WIDTH_MIN: usize = 64;

/// Leaves of the tree, padding included.
pub(super) fn leaves(logs: &Logs, salt: &Salt) -> Vec<Hash> {
    let tenants = logs.iter().filter(|(tenant, _)| !tenant.is_empty());
    leaves_of(tenants.map(|(_, log)| (log.id, log.tree.size(), log.tree.root())).collect(), salt)
}

/// The same, of ids, sizes and roots in any order.
pub(super) fn leaves_of(mut heads: Vec<(Hash, u64, Hash)>, salt: &Salt) -> Vec<Hash> {
    heads.sort_unstable();
    let mut leaves: Vec<Hash> = heads.iter().map(|(id, size, root)| leaf(id, *size, root)).collect();
    for number in leaves.len()..leaves.len().next_power_of_two().max(WIDTH_MIN) {
        leaves.push(sha256(&[&[0], salt, b"padding", &(number as u64).to_be_bytes()]));
    }
    leaves
}

/// The record about them.
pub(super) fn heads(logs: &Logs, salt: &Salt) -> Heads {
    let leaves = leaves(logs, salt);
    Heads { root: root_of(&leaves), width: leaves.len() as u64 }
}

/// The leaf of a tenant's log.
#[must_use]
pub fn leaf(id: &Hash, size: u64, root: &Hash) -> Hash {
    sha256(&[&[0], id, &size.to_be_bytes(), root])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::segment::Log;

    #[test]
    fn the_width_is_a_power_of_two_and_every_part_counts() {
        let log = |id: u8| Log { id: [id; 32], ..Log::default() };
        let mut logs = Logs::from([(String::new(), Log::default())]);
        assert_eq!(heads(&logs, &[0; 16]).width, 64, "not even whether there is a tenant is told");
        for tenant in 1..=65u8 {
            logs.insert(format!("t{tenant}"), log(90 - tenant));
        }
        let before = heads(&logs, &[0; 16]);
        assert_eq!(before.width, 128);
        let sorted = leaves(&logs, &[0; 16]);
        assert_eq!(sorted[0], leaf(&[25; 32], 0, &root_of(&[])));
        assert_ne!(heads(&logs, &[1; 16]).root, before.root);
        logs.get_mut("t3").unwrap().tree.push([1; 32], |_, _| {});
        assert_ne!(heads(&logs, &[0; 16]).root, before.root);
    }
}
