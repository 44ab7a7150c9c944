//! The transparency log on the disk: checkpoints and tiles, one folder a log.
//!
//! ```text
//! logs/host/checkpoint           the host's log, origin as the ledger's
//! logs/host/tile/...
//! logs/<blinded id>/checkpoint   a tenant's log, origin "<origin>/tenant/<blinded id>"
//! logs/<blinded id>/tile/...
//! ```

use super::checkpoint::Checkpoint;
use super::disk::Files;
use super::error::LedgerError;
use super::merkle::Hash;
use super::note::{Note, Verifier, signed};
use super::segment::{Log, Logs};
use super::store::Store;
use super::tiles::{self, WIDTH};
use super::{keys::PublicKey, note::NOTE_BYTES_MAX, proof};
use std::collections::BTreeSet;
use std::fmt::Write as _;

/// Where a log's files are, and its origin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) folder: String,
    pub(super) origin: String,
}

impl Place {
    pub(super) fn of(origin: &str, tenant: &str, id: &Hash) -> Self {
        if tenant.is_empty() {
            return Self { folder: "logs/host".into(), origin: origin.into() };
        }
        let id = hex(id);
        Self { folder: format!("logs/{id}"), origin: format!("{origin}/tenant/{id}") }
    }

    fn checkpoint(&self) -> String {
        format!("{}/checkpoint", self.folder)
    }

    /// The signed checkpoint on the disk; `None` when there is none yet.
    pub(super) fn read(&self, files: &Files) -> Result<Option<(Note, Checkpoint)>, LedgerError> {
        let bytes = files.read(&self.checkpoint(), NOTE_BYTES_MAX as u64)?;
        bytes.map(|bytes| self.parse(&bytes)).transpose()
    }

    /// A checkpoint out of the bytes of its file.
    pub(super) fn parse(&self, bytes: &[u8]) -> Result<(Note, Checkpoint), LedgerError> {
        let path = self.checkpoint();
        let damaged = |what| LedgerError::damaged(&path, 0, what);
        let note = Note::parse(bytes).map_err(damaged)?;
        let checkpoint = Checkpoint::parse(&note.text).map_err(damaged)?;
        if checkpoint.origin != self.origin {
            return Err(damaged("it is another log's"));
        }
        Ok((note, checkpoint))
    }

    pub(super) fn verifier(&self, key: PublicKey) -> Verifier {
        Verifier::log(&self.origin, key)
    }

    /// The root of a complete subtree, out of the tiles.
    pub(super) fn node(&self, files: &Files, level: u32, index: u64) -> Option<Hash> {
        let (tile_level, height) = (level as usize / 8, level % 8);
        let (begin, end) = (index << height, (index + 1) << height);
        let width = (end - 1) % WIDTH + 1;
        let hashes = tiles::at_least(files, &self.folder, tile_level, begin / WIDTH, width).ok()??;
        let begin = usize::try_from(begin % WIDTH).ok()?;
        Some(super::merkle::root_of(&hashes[begin..usize::try_from(width).ok()?]))
    }

    /// The inclusion proof of a leaf in the tree of that size.
    pub(super) fn inclusion(&self, files: &Files, index: u64, size: u64) -> Option<Vec<Hash>> {
        proof::inclusion(&|level, index| self.node(files, level, index), index, size)
    }

    /// The consistency proof between two sizes.
    pub(super) fn consistency(&self, files: &Files, old: u64, size: u64) -> Option<Vec<Hash>> {
        proof::consistency(&|level, index| self.node(files, level, index), old, size)
    }
}

/// What is to be put on the disk about logs: made while the trail stands still, written while it goes on.
pub(super) struct Issue {
    files: Files,
    /// Folders and files: tiles first, tenants' checkpoints, the host's last.
    tiles: Vec<(String, Vec<u8>)>,
    checkpoints: Vec<(String, String)>,
    /// The partial tiles of this issue: those of the one before are removed.
    pub(super) partial: BTreeSet<String>,
    /// By tenant, the sizes that this signs.
    pub(super) signed: Vec<(String, u64)>,
    /// Where the host's log stands.
    pub(super) host: Checkpoint,
}

impl Issue {
    /// Signs where every log stands that has changed since `signed`.
    pub(super) fn of(store: &mut Store) -> Self {
        let (files, origin) = (store.files.clone(), store.origin.clone());
        let mut issue = Self {
            files,
            tiles: Vec::new(),
            checkpoints: Vec::new(),
            partial: BTreeSet::new(),
            signed: Vec::new(),
            host: Checkpoint { origin: origin.clone(), size: 0, root: [0; 32] },
        };
        // The host's is the empty tenant and the first: it goes last, when what it binds is there.
        for (tenant, log) in store.logs.iter_mut().rev() {
            let place = Place::of(&origin, tenant, &log.id);
            issue.add_tiles(&place, log);
            let checkpoint =
                Checkpoint { origin: place.origin.clone(), size: log.tree.size(), root: log.tree.root() };
            if store.signed.get(tenant) != Some(&checkpoint.size) {
                let verifier = place.verifier(store.keys.public());
                let note = signed(&checkpoint.text(), &verifier, |text| store.keys.sign(text));
                issue.checkpoints.push((place.checkpoint(), note));
                issue.signed.push((tenant.clone(), checkpoint.size));
            }
            if tenant.is_empty() {
                issue.host = checkpoint;
            }
        }
        issue
    }

    fn add_tiles(&mut self, place: &Place, log: &mut Log) {
        let Some(edge) = &mut log.edge else { return };
        let below = |(path, bytes)| (format!("{}/{path}", place.folder), bytes);
        self.tiles.extend(edge.take_full().into_iter().map(below));
        let partial: Vec<_> = edge.partial().into_iter().map(below).collect();
        self.partial.extend(partial.iter().map(|(path, _)| path.clone()));
        self.tiles.extend(partial);
    }

    /// Adds tiles of an issue that could not be written.
    pub(super) fn add(&mut self, tiles: Vec<(String, Vec<u8>)>) {
        self.tiles.splice(0..0, tiles);
    }

    /// Gives back the tiles, for another attempt.
    pub(super) fn into_tiles(self) -> Vec<(String, Vec<u8>)> {
        self.tiles
    }

    /// Writes it, durably. `before` are partial tiles that are there already.
    pub(super) fn write(&self, before: &BTreeSet<String>) -> Result<(), LedgerError> {
        let mut folders = BTreeSet::new();
        for (path, bytes) in &self.tiles {
            if !before.contains(path) {
                self.put(&mut folders, path, bytes)?;
            }
        }
        self.sync(&mut folders)?;
        for (path, note) in &self.checkpoints {
            self.put(&mut folders, path, note.as_bytes())?;
        }
        self.sync(&mut folders)?;
        for path in before.difference(&self.partial) {
            // One that cannot be removed is in nobody's way.
            let _ = self.files.remove(path);
        }
        Ok(())
    }

    fn put(&self, folders: &mut BTreeSet<String>, path: &str, bytes: &[u8]) -> Result<(), LedgerError> {
        let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
        if folders.insert(folder.to_owned()) {
            self.files.make_folder(folder)?;
        }
        let put = self.files.put(path, bytes);
        put.map(drop).map_err(|error| LedgerError::disk("it cannot be written", path, &error))
    }

    fn sync(&self, folders: &mut BTreeSet<String>) -> Result<(), LedgerError> {
        for folder in std::mem::take(folders) {
            self.files
                .sync_folder(&folder)
                .map_err(|error| LedgerError::disk("it cannot be synced", &folder, &error))?;
        }
        Ok(())
    }
}

/// Finds the tiles that every log of a segment's head goes on with; whether all were found.
pub(super) fn load_edges(files: &Files, origin: &str, logs: &mut Logs) -> Result<bool, LedgerError> {
    let mut all = true;
    for (tenant, log) in logs {
        let place = Place::of(origin, tenant, &log.id);
        log.edge = super::tiles::Edge::load(files, &place.folder, &log.tree)?;
        all &= log.edge.is_some();
    }
    Ok(all)
}

pub(super) fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        let _ = write!(text, "{byte:02x}");
    }
    text
}
