//! Checks a ledger by its files and a public key alone, and names the first record that is not as it was.
//!
//! Every byte of the trail is read once. Records are held to their checksums, numbers and times; segments to each other;
//! every log's tree to the signed checkpoint; heads to the tenants' trees; tiles to the records. Where a tree does not
//! have the signed root, the first record whose hash is not the one in the tiles is the one that was changed.
//!
//! What it cannot see: that something was never recorded, and that the end of the trail *and* the checkpoints were
//! replaced by older ones. Against that, give it a checkpoint that was kept elsewhere.

use super::aside::is_of;
use super::checkpoint::Checkpoint;
use super::disk::{Disk, Files};
use super::error::LedgerError;
use super::heads::heads;
use super::keys::{PublicKey, hand_over};
use super::log::{Place, hex};
use super::merkle::{Hash, leaf_hash};
use super::note::Note;
use super::record::{Heads, Kind, LogBegin, Pruned, Record, decode};
use super::segment::{self, Ending, Head, Log, Logs};
use super::tiles::{self, WIDTH};
use super::trail;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What the verifier is told beside the files.
#[derive(Clone, Debug, Default)]
pub struct Trust {
    /// The public key that signed first, or at the first record that is still there. Without one, the key in the files
    /// is believed, and the result says no more than that the files fit together.
    pub key: Option<PublicKey>,
    /// The name that the key has: the ledger's origin, or that of one before it that was damaged and set aside.
    pub origin: Option<String>,
    /// A signed checkpoint of the host's or a tenant's log that was kept elsewhere: the trail must go on from it.
    pub checkpoint: Option<Vec<u8>>,
}

/// What a ledger holds that is as it was.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// The ledger's name.
    pub origin: String,
    /// The key that signs now.
    pub key: PublicKey,
    /// The number of the first record that is there.
    pub first: u64,
    /// The number of the record after the last.
    pub next: u64,
    /// Every log: its tenant (empty: the host's), leaves, leaves that are signed, root.
    pub logs: Vec<LogReport>,
    /// Bytes behind the last record that are no whole record: a run was cut off and no later one has opened the ledger.
    pub torn_bytes: u64,
}

/// One log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogReport {
    /// Its tenant; empty for the host's.
    pub tenant: String,
    /// Its blinded id.
    pub id: Hash,
    /// Leaves.
    pub size: u64,
    /// Leaves that the checkpoint on the disk covers.
    pub signed: u64,
}

impl Report {
    /// Records that no checkpoint covers yet: they could still be changed unnoticed.
    #[must_use]
    pub fn unsigned(&self) -> u64 {
        self.logs.iter().map(|log| log.size.saturating_sub(log.signed)).sum()
    }
}

impl Report {
    /// What could not be proven, in sentences; none when every record is as it was signed by a key that is trusted.
    #[must_use]
    pub fn open_ends(&self, is_key_trusted: bool) -> Vec<String> {
        let mut open = Vec::new();
        if !is_key_trusted {
            open.push(
                "no key was given: the files fit together, but whoever made them could have made others"
                    .to_owned(),
            );
        }
        if self.unsigned() > 0 {
            open.push(format!("{} records at the end are not signed yet", self.unsigned()));
        }
        if self.torn_bytes > 0 {
            open.push(format!("{} bytes at the end are no whole record: a run was cut off", self.torn_bytes));
        }
        open
    }
}

/// The first thing that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What.
    pub what: String,
    /// The file, below the ledger's folder.
    pub path: String,
    /// Where in it, in bytes.
    pub offset: u64,
    /// The number of the first record that is affected, where one can be named.
    pub sequence: Option<u64>,
}

impl std::fmt::Display for Finding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} at byte {}", self.path, self.offset)?;
        if let Some(sequence) = self.sequence {
            write!(f, ", record {sequence}")?;
        }
        write!(f, ": {}", self.what)
    }
}

/// Why there is no report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VerifyError {
    /// Something is not as it was.
    Bad(Finding),
    /// The files could not be read.
    Unreadable(LedgerError),
}

impl From<LedgerError> for VerifyError {
    fn from(error: LedgerError) -> Self {
        match error {
            LedgerError::Damaged { path, offset, what } => {
                Self::Bad(Finding { what, path, offset, sequence: None })
            }
            error => Self::Unreadable(error),
        }
    }
}

/// Checks a whole ledger.
///
/// # Errors
/// [`VerifyError::Bad`] with the first bad record, or [`VerifyError::Unreadable`].
pub fn verify(disk: Arc<dyn Disk>, trust: &Trust) -> Result<Report, VerifyError> {
    let files = Files::new(disk);
    let firsts = trail::segments(&files)?;
    let Some(first) = firsts.first().copied() else {
        return Err(bad(segment::FOLDER, 0, None, "there is no segment"));
    };
    let (_, head, _) = trail::load(&files, first)?;
    let mut walk = Walk::begin(&files, trust, &head)?;
    for (index, first) in firsts.iter().enumerate() {
        let result = walk.segment(*first, index + 1 == firsts.len());
        result.map_err(|error| walk.blame(error))?;
    }
    walk.finish(first)
}

fn bad(path: &str, offset: usize, sequence: Option<u64>, what: impl Into<String>) -> VerifyError {
    VerifyError::Bad(Finding { what: what.into(), path: path.to_owned(), offset: offset as u64, sequence })
}

/// What is known of a log beside its tree.
struct Watch {
    place: Place,
    /// The checkpoint on the disk, and the one that was kept elsewhere.
    signed: Vec<(Note, Checkpoint)>,
    /// Hashes of the tile that the next leaf is in.
    tile: Option<(u64, Vec<Hash>)>,
    /// The first leaf that is not the one in the tiles.
    suspect: Option<Finding>,
}

struct Walk<'a> {
    files: &'a Files,
    trust: &'a Trust,
    origin: String,
    salt: super::frame::Salt,
    logs: Logs,
    watches: BTreeMap<String, Watch>,
    /// Keys that signed, the one of now last.
    keys: Vec<PublicKey>,
    next: u64,
    /// Run and monotonic time of the last record.
    time: (u32, u64),
    torn_bytes: u64,
    /// Whether the log of the kept checkpoint was met.
    is_kept_met: bool,
    /// Records below this were removed in order.
    pruned: u64,
}

impl<'a> Walk<'a> {
    fn begin(files: &'a Files, trust: &'a Trust, head: &Head) -> Result<Self, VerifyError> {
        let path = segment::name(head.first);
        if trust.key.is_some_and(|key| key != head.key) {
            return Err(bad(
                &path,
                56,
                Some(head.first),
                "it names another key than the one that is trusted",
            ));
        }
        if let Some(origin) = trust.origin.as_ref().filter(|origin| !is_of(&head.origin, origin)) {
            let what = format!("the key is of {origin}, the ledger of {}", head.origin);
            return Err(bad(&path, 88, None, what));
        }
        let mut walk = Self {
            files,
            trust,
            origin: head.origin.clone(),
            salt: head.salt,
            logs: head.logs.clone(),
            watches: BTreeMap::new(),
            keys: vec![head.key],
            next: head.first,
            time: (head.run, head.mono_ns),
            torn_bytes: 0,
            is_kept_met: trust.checkpoint.is_none(),
            pruned: 0,
        };
        if head.first == 0 && head.logs != Logs::from([(String::new(), Log::default())]) {
            return Err(bad(&path, 88, Some(0), "logs are not empty before the first record"));
        }
        let logs: Vec<(String, Hash)> =
            head.logs.iter().map(|(tenant, log)| (tenant.clone(), log.id)).collect();
        for (tenant, id) in logs {
            walk.watch(&tenant, &id)?;
            walk.check_roots(&tenant)?;
        }
        Ok(walk)
    }

    /// Looks for what was signed of a log.
    fn watch(&mut self, tenant: &str, id: &Hash) -> Result<(), VerifyError> {
        let place = Place::of(&self.origin, tenant, id);
        let mut signed: Vec<_> = place.read(self.files)?.into_iter().collect();
        if let Some(kept) = &self.trust.checkpoint {
            let given = |what| bad("the checkpoint that was given", 0, None, what);
            let note = Note::parse(kept).map_err(given)?;
            let checkpoint = Checkpoint::parse(&note.text).map_err(given)?;
            if checkpoint.origin == place.origin {
                signed.push((note, checkpoint));
                self.is_kept_met = true;
            }
        }
        let watch = Watch { place, signed, tile: None, suspect: None };
        self.watches.insert(tenant.to_owned(), watch);
        Ok(())
    }

    fn segment(&mut self, first: u64, is_last: bool) -> Result<(), VerifyError> {
        let path = segment::name(first);
        let (bytes, head, length) = trail::load(self.files, first)?;
        if first != self.next {
            return Err(bad(
                &path,
                16,
                Some(self.next),
                format!("records {} to {first} are missing", self.next),
            ));
        }
        let as_expected = head.origin == self.origin
            && head.salt == self.salt
            && Some(&head.key) == self.keys.last()
            && (head.run, head.mono_ns) == self.time
            && head.logs.len() == self.logs.len()
            && head
                .logs
                .iter()
                .zip(&self.logs)
                .all(|((a, one), (b, other))| a == b && one.id == other.id && one.tree == other.tree);
        if !as_expected {
            return Err(bad(&path, 0, Some(first), "its head does not follow on the records before it"));
        }
        let mut found = Ok(());
        let walked = segment::walk(&bytes, length, first, &head.salt, |at, frame| {
            if found.is_ok() {
                found = self.record(&path, at, frame);
            }
        });
        found?;
        self.next = walked.next;
        match walked.ending {
            Ending::Clean if walked.end == bytes.len() || is_last => Ok(()),
            Ending::Torn { bytes } if is_last => {
                self.torn_bytes = bytes;
                // A signed record cannot be torn: which checkpoint says so is found at the end.
                Ok(())
            }
            Ending::Damaged { what } => Err(bad(&path, walked.end, Some(walked.next), what)),
            _ => {
                Err(bad(&path, walked.end, Some(walked.next), "the segment does not end with a whole record"))
            }
        }
    }

    fn record(&mut self, path: &str, at: usize, frame: &super::frame::Frame) -> Result<(), VerifyError> {
        let record = &frame.record;
        let finding = |what: &str| bad(path, at, Some(record.sequence), what);
        if (record.run, record.mono_ns) <= self.time {
            return Err(finding("it is older than the record before it"));
        }
        self.time = (record.run, record.mono_ns);
        if record.tenant.is_empty() {
            self.host_record(record).map_err(finding)?;
        }
        if !self.logs.contains_key(record.tenant) {
            let begin = (record.kind == Kind::LOG).then(|| decode::<LogBegin>(record.payload).ok()).flatten();
            let id = begin.ok_or_else(|| finding("a tenant's log does not begin with its id"))?.id;
            self.logs.insert(record.tenant.to_owned(), Log { id, ..Log::default() });
            self.watch(record.tenant, &id)?;
        }
        let hash = leaf_hash(frame.leaf);
        let Some(log) = self.logs.get_mut(record.tenant) else { return Ok(()) };
        let index = log.tree.size();
        log.push(hash);
        if let Some(watch) = self.watches.get_mut(record.tenant)
            && watch.suspect.is_none()
            && watch.tile(self.files, index)?.is_some_and(|expected| expected != hash)
        {
            let what = "it is not the record that was signed".to_owned();
            let (path, offset, sequence) = (path.to_owned(), at as u64, Some(record.sequence));
            watch.suspect = Some(Finding { what, path, offset, sequence });
        }
        self.check_roots(record.tenant)
    }

    fn host_record(&mut self, record: &Record) -> Result<(), &'static str> {
        match record.kind {
            Kind::HEADS => {
                let told = decode::<Heads>(record.payload).map_err(|_| "it does not hold heads")?;
                if told != heads(&self.logs, &self.salt) {
                    return Err("a tenant's log is not where the heads say");
                }
            }
            Kind::HAND_OVER => {
                let from = self.keys.last().copied().unwrap_or_default();
                let to = hand_over(&self.origin, &from, record.payload)
                    .ok_or("the hand-over is not signed by both keys")?;
                self.keys.push(to);
            }
            Kind::PRUNED => {
                let told =
                    decode::<Pruned>(record.payload).map_err(|_| "it does not say what was removed")?;
                self.pruned = self.pruned.max(told.first);
            }
            _ => {}
        }
        Ok(())
    }

    /// What follows from a changed record shows later than the record itself: that one is to be named.
    fn blame(&self, error: VerifyError) -> VerifyError {
        let VerifyError::Bad(finding) = error else { return error };
        let suspects = self.watches.values().filter_map(|watch| watch.suspect.as_ref());
        let first = suspects.min_by_key(|suspect| suspect.sequence);
        let is_earlier =
            |suspect: &&Finding| finding.sequence.is_none_or(|sequence| suspect.sequence < Some(sequence));
        VerifyError::Bad(first.filter(is_earlier).cloned().unwrap_or(finding))
    }

    /// Compares a log's root with what was signed of it at its size of now.
    fn check_roots(&mut self, tenant: &str) -> Result<(), VerifyError> {
        let (Some(log), Some(watch)) = (self.logs.get(tenant), self.watches.get(tenant)) else {
            return Ok(());
        };
        for (_, checkpoint) in &watch.signed {
            if checkpoint.size == log.tree.size() && checkpoint.root != log.tree.root() {
                let what =
                    format!("the tree of its first {} leaves has not the signed root", checkpoint.size);
                return Err(bad(&watch.place.folder, 0, None, what));
            }
        }
        Ok(())
    }

    /// What can only be said once every record was read.
    fn finish(self, first: u64) -> Result<Report, VerifyError> {
        let mut logs = Vec::new();
        for (tenant, log) in &self.logs {
            let place = Place::of(&self.origin, tenant, &log.id);
            let path = format!("{}/checkpoint", place.folder);
            let mut signed = 0;
            let watch = self.watches.get(tenant);
            for (note, checkpoint) in watch.iter().flat_map(|watch| &watch.signed) {
                if !self.keys.iter().any(|key| note.is_signed_by(&place.verifier(*key))) {
                    return Err(bad(&path, 0, None, "it is not signed by a key of this ledger"));
                }
                if checkpoint.size > log.tree.size() {
                    let missing = checkpoint.size - log.tree.size();
                    let what = format!(
                        "{missing} records of {} that were signed are missing at the end",
                        name(tenant)
                    );
                    return Err(bad(&path, 0, Some(self.next), what));
                }
                signed = signed.max(checkpoint.size);
            }
            if let Some(suspect) = watch.and_then(|watch| watch.suspect.clone()) {
                let what =
                    format!("its tile in {} is not of this record, which was signed as it is", place.folder);
                return Err(VerifyError::Bad(Finding { what, ..suspect }));
            }
            logs.push(LogReport { tenant: tenant.clone(), id: log.id, size: log.tree.size(), signed });
        }
        self.strangers()?;
        if self.pruned < first {
            let what = "no record says that those before it were removed in order";
            return Err(bad(&segment::name(first), 0, Some(0), what));
        }
        if !self.is_kept_met {
            return Err(bad(
                "the checkpoint that was given",
                0,
                None,
                "no log of this ledger has its origin",
            ));
        }
        let key = self.keys.last().copied().unwrap_or_default();
        Ok(Report { origin: self.origin, key, first, next: self.next, logs, torn_bytes: self.torn_bytes })
    }

    /// Signed logs on the disk that have no record in the trail.
    fn strangers(&self) -> Result<(), VerifyError> {
        for folder in self.files.folders("logs")? {
            let known = folder == "host" || self.logs.values().any(|log| hex(&log.id) == folder);
            if !known {
                return Err(bad(
                    &format!("logs/{folder}"),
                    0,
                    None,
                    "a log was signed of which no record is there",
                ));
            }
        }
        Ok(())
    }
}

impl Watch {
    /// The hash that the tiles have for a leaf; `None` where they have none.
    fn tile(&mut self, files: &Files, index: u64) -> Result<Option<Hash>, LedgerError> {
        let Some((_, signed)) = self.signed.first().filter(|(_, signed)| index < signed.size) else {
            return Ok(None);
        };
        let (number, at) = (index / WIDTH, usize::try_from(index % WIDTH).unwrap_or(0));
        if self.tile.as_ref().is_none_or(|(have, _)| *have != number) {
            let width = (signed.size - number * WIDTH).min(WIDTH);
            let hashes = tiles::at_least(files, &self.place.folder, 0, number, width)?.unwrap_or_default();
            self.tile = Some((number, hashes));
        }
        Ok(self.tile.as_ref().and_then(|(_, hashes)| hashes.get(at)).copied())
    }
}

fn name(tenant: &str) -> String {
    if tenant.is_empty() { "the host".to_owned() } else { format!("tenant {tenant}") }
}
