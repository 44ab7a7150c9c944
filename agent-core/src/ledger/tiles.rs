//! A log's hashes in files: <https://c2sp.org/tlog-tiles>, version 0.1.0.
//!
//! A tile has up to 256 hashes of one level: level 0 those of leaves, level 1 the roots of full tiles of level 0, and
//! so on. `tile/0/x001/234` is a full one, `tile/0/x001/234.p/17` has its first 17 hashes.

use super::disk::Files;
use super::error::LedgerError;
use super::merkle::{Frontier, Hash, root_of};

/// Hashes in a full tile.
pub(super) const WIDTH: u64 = 256;
const TILE_BYTES_MAX: u64 = WIDTH * 32;

/// The path of a tile below its log's folder; a full one has [`WIDTH`] hashes.
pub(super) fn path(level: usize, index: u64, width: u64) -> String {
    let mut rest = index / 1_000;
    let mut path = format!("{:03}", index % 1_000);
    while rest > 0 {
        path = format!("x{:03}/{path}", rest % 1_000);
        rest /= 1_000;
    }
    if width < WIDTH { format!("tile/{level}/{path}.p/{width}") } else { format!("tile/{level}/{path}") }
}

/// The hashes in a tile's bytes; `None` when they are not whole hashes, or too many.
pub(super) fn hashes(bytes: &[u8]) -> Option<Vec<Hash>> {
    let (hashes, rest) = bytes.as_chunks::<32>();
    (rest.is_empty() && hashes.len() as u64 <= WIDTH).then(|| hashes.to_vec())
}

/// The tiles at a log's right end that are not full yet, and full ones that are not on the disk yet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Edge {
    /// By level: full tiles there are, and the hashes of the one behind them.
    levels: Vec<(u64, Vec<Hash>)>,
    /// Level, index and hashes.
    full: Vec<(usize, u64, Vec<Hash>)>,
}

impl Edge {
    /// Takes in a subtree that was completed.
    pub(super) fn complete(&mut self, level: u32, hash: &Hash) {
        if !level.is_multiple_of(8) {
            return;
        }
        let level = level as usize / 8;
        if self.levels.len() <= level {
            self.levels.resize(level + 1, (0, Vec::new()));
        }
        let (count, hashes) = &mut self.levels[level];
        hashes.push(*hash);
        if hashes.len() as u64 == WIDTH {
            self.full.push((level, *count, std::mem::take(hashes)));
            *count += 1;
        }
    }

    /// Full tiles that are to be written, with their paths.
    pub(super) fn take_full(&mut self) -> Vec<(String, Vec<u8>)> {
        let full = std::mem::take(&mut self.full);
        full.into_iter().map(|(level, index, hashes)| (path(level, index, WIDTH), hashes.concat())).collect()
    }

    /// The tiles that are not full, with their paths.
    pub(super) fn partial(&self) -> Vec<(String, Vec<u8>)> {
        let levels = self.levels.iter().enumerate().filter(|(_, (_, hashes))| !hashes.is_empty());
        levels
            .map(|(level, (index, hashes))| (path(level, *index, hashes.len() as u64), hashes.concat()))
            .collect()
    }

    /// The right end of a log as its tiles have it; `None` when they are missing, or do not belong to this tree.
    pub(super) fn load(files: &Files, folder: &str, tree: &Frontier) -> Result<Option<Self>, LedgerError> {
        let mut levels = Vec::new();
        let mut nodes = tree.size();
        for level in 0.. {
            if nodes == 0 {
                break;
            }
            let (index, width) = (nodes / WIDTH, nodes % WIDTH);
            let mut hashes = Vec::new();
            if width > 0 {
                let Some(found) = at_least(files, folder, level, index, width)? else { return Ok(None) };
                hashes = found;
                hashes.truncate(usize::try_from(width).unwrap_or(0));
            }
            levels.push((index, hashes));
            nodes = index;
        }
        let edge = Self { levels, full: Vec::new() };
        Ok((edge.roots() == tree.hashes()).then_some(edge))
    }

    /// The roots of the complete subtrees, the largest first.
    fn roots(&self) -> Vec<Hash> {
        let mut roots = Vec::new();
        for (_, hashes) in self.levels.iter().rev() {
            let mut rest = &hashes[..];
            while !rest.is_empty() {
                let (subtree, behind) = rest.split_at(1 << rest.len().ilog2());
                roots.push(root_of(subtree));
                rest = behind;
            }
        }
        roots
    }
}

/// The hashes of a tile that has at least so many.
pub(super) fn at_least(
    files: &Files,
    folder: &str,
    level: usize,
    index: u64,
    width: u64,
) -> Result<Option<Vec<Hash>>, LedgerError> {
    let full = format!("{folder}/{}", path(level, index, WIDTH));
    let mut candidates = vec![full.clone()];
    let partial = format!("{full}.p");
    let mut widths: Vec<u64> = files.list(&partial)?.iter().filter_map(|name| name.parse().ok()).collect();
    widths.sort_unstable();
    candidates.extend(
        widths.iter().rev().filter(|found| **found >= width).map(|found| format!("{partial}/{found}")),
    );
    for path in candidates {
        let bytes = files.read(&path, TILE_BYTES_MAX)?;
        if let Some(hashes) = bytes.as_deref().and_then(hashes)
            && hashes.len() as u64 >= width
        {
            return Ok(Some(hashes));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::disk::RealDisk;
    use crate::ledger::merkle::leaf_hash;
    use std::sync::Arc;

    #[test]
    fn paths_are_those_of_the_specification() {
        assert_eq!(path(0, 0, 256), "tile/0/000");
        assert_eq!(path(0, 1_234_067, 256), "tile/0/x001/x234/067");
        assert_eq!(path(1, 5, 17), "tile/1/005.p/17");
    }

    #[test]
    fn the_right_end_is_found_again_and_a_wrong_one_is_not_taken() {
        let folder = tempfile::tempdir().unwrap();
        let files = Files::new(Arc::new(RealDisk::new(folder.path())));
        let (mut tree, mut edge) = (Frontier::default(), Edge::default());
        for n in 0..66_000u32 {
            tree.push(leaf_hash(&n.to_le_bytes()), |level, hash| edge.complete(level, hash));
        }
        let mut all = edge.take_full();
        assert_eq!(all.len(), 257 + 1);
        all.extend(edge.partial());
        for (path, bytes) in all {
            let path = format!("log/{path}");
            files.make_folder(path.rsplit_once('/').unwrap().0).unwrap();
            files.put(&path, &bytes).unwrap();
        }
        assert_eq!(Edge::load(&files, "log", &tree).unwrap(), Some(edge));
        let mut shorter = Frontier::default();
        for n in 0..65_800u32 {
            shorter.push(leaf_hash(&n.to_le_bytes()), |_, _| {});
        }
        assert!(Edge::load(&files, "log", &shorter).unwrap().is_some());
        shorter.push([0; 32], |_, _| {});
        assert_eq!(Edge::load(&files, "log", &shorter).unwrap(), None);
    }
}
