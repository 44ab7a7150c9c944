//! The end of the trail on the disk: one writer, batch after batch.

use super::disk::{self, DiskFile, Files};
use super::error::LedgerError;
use super::frame::{self, Salt};
use super::keys::{Keys, PublicKey, hand_over};
use super::merkle::leaf_hash;
use super::record::Kind;
use super::segment::{self, Ending, Head, Log, Logs};
use std::collections::BTreeMap;
use std::io;

const RESERVE: &str = "reserve";
const ZEROS: [u8; 16 * 1024] = [0; 16 * 1024];

/// Sizes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sizes {
    /// A segment that would be longer gets a successor. A batch is never spread over two.
    pub segment_bytes: u64,
    /// A segment is lengthened by so many zeros at a time, so that making a record durable changes no file's length.
    pub grow_bytes: u64,
    /// So much may wait for the disk; what comes on top is refused.
    pub queue_bytes: usize,
    /// Set aside on the disk, and given back when it is full, so that this can be recorded.
    pub reserve_bytes: u64,
}

impl Default for Sizes {
    fn default() -> Self {
        Self { segment_bytes: 4 << 20, grow_bytes: 256 << 10, queue_bytes: 1 << 20, reserve_bytes: 256 << 10 }
    }
}

/// Records that become durable together.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub(super) first: u64,
    pub(super) count: u32,
    pub(super) bytes: Vec<u8>,
}

impl Batch {
    /// The number of the record after the last.
    pub(super) fn end(&self) -> u64 {
        self.first + u64::from(self.count)
    }
}

/// A segment that is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Segment {
    pub(super) first: u64,
    pub(super) bytes: u64,
}

/// Where the trail goes on.
pub(super) struct Store {
    pub(super) files: Files,
    pub(super) sizes: Sizes,
    pub(super) keys: Keys,
    /// The key that signs, as the trail says.
    pub(super) signer: PublicKey,
    pub(super) salt: Salt,
    pub(super) origin: String,
    pub(super) logs: Logs,
    /// The size of every log whose checkpoint is on the disk and signed with the key of now.
    pub(super) signed: BTreeMap<String, u64>,
    /// Every record below this number is covered by signed checkpoints on the disk.
    pub(super) covered: u64,
    /// The number, run and monotonic time that the next record follows on.
    pub(super) next: u64,
    pub(super) run: u32,
    pub(super) mono_ns: u64,
    /// Every segment, the oldest first. The last is the one that is written.
    pub(super) segments: Vec<Segment>,
    file: Box<dyn DiskFile>,
    /// Up to here the file is durable.
    end: u64,
    /// Up to here it is at least zeros.
    allocated: u64,
    has_reserve: bool,
    /// The reserve was given back to a full disk, and is not set aside again yet.
    is_reserve_spent: bool,
    /// What the last record is about.
    last: Option<Kind>,
    _lock: Box<dyn Send + Sync>,
}

impl Store {
    /// Begins a trail: the folder has no segment yet.
    pub(super) fn begin(
        files: Files,
        sizes: Sizes,
        origin: &str,
        lock: Box<dyn Send + Sync>,
    ) -> Result<Self, LedgerError> {
        files.make_folder(segment::FOLDER)?;
        let keys = Keys::make(&files)?;
        let salt = super::keys::random()?;
        let logs = Logs::from([(String::new(), Log::begin([0; 32]))]);
        let head =
            Head { first: 0, run: 0, mono_ns: 0, salt, key: keys.public(), origin: origin.to_owned(), logs };
        let (file, bytes) = put(&files, &head)?;
        let segments = vec![Segment { first: 0, bytes }];
        Ok(Self::at(files, sizes, keys, head, segments, file, lock))
    }

    /// Goes on behind the last segment's head; the records behind it are still to be [taken in](Store::take_in).
    pub(super) fn at(
        files: Files,
        sizes: Sizes,
        keys: Keys,
        head: Head,
        segments: Vec<Segment>,
        file: Box<dyn DiskFile>,
        lock: Box<dyn Send + Sync>,
    ) -> Self {
        let Head { first, run, mono_ns, salt, key: signer, origin, logs } = head;
        let end = segments.last().map_or(0, |segment| segment.bytes);
        Self {
            files,
            sizes,
            keys,
            signer,
            salt,
            origin,
            logs,
            signed: BTreeMap::new(),
            covered: 0,
            next: first,
            run,
            mono_ns,
            segments,
            file,
            end,
            allocated: end,
            has_reserve: false,
            is_reserve_spent: false,
            last: None,
            _lock: lock,
        }
    }

    /// Makes a batch durable: all of it, or an error and the trail is as it was. The same batch may be written again.
    pub(super) fn write(&mut self, batch: &Batch) -> Result<(), LedgerError> {
        let result = match self.try_write(batch) {
            // What the reserve held is now free for the batch.
            Err(error) if is_full(&error) && self.release() => self.try_write(batch),
            result => result,
        };
        result?;
        self.take_in(&batch.bytes, 0);
        self.end += batch.bytes.len() as u64;
        if let Some(segment) = self.segments.last_mut() {
            segment.bytes = self.end;
        }
        Ok(())
    }

    /// Takes records that are durable into the logs; tells where they end and how.
    pub(super) fn take_in(&mut self, bytes: &[u8], at: usize) -> segment::Walked {
        let Self { keys, signer, salt, origin, logs, signed, next, run, mono_ns, last, .. } = self;
        let walked = segment::walk(bytes, at, *next, salt, |_, frame| {
            if frame.record.kind == Kind::HAND_OVER
                && frame.record.tenant.is_empty()
                && let Some(key) = hand_over(origin, signer, frame.record.payload)
            {
                *signer = key;
                keys.adopt(signer);
                // Everything is signed anew.
                signed.clear();
            }
            (*run, *mono_ns, *last) = (frame.record.run, frame.record.mono_ns, Some(frame.record.kind));
            let hash = leaf_hash(frame.leaf);
            let tenant = frame.record.tenant;
            if !logs.contains_key(tenant) {
                let id = keys.blind(tenant);
                logs.insert(tenant.to_owned(), Log::begin(id));
            }
            if let Some(log) = logs.get_mut(tenant) {
                log.push(hash);
            }
        });
        self.next = walked.next;
        walked
    }

    /// Where the records end that were found in the last segment: what is behind is cut off.
    pub(super) fn cut(&mut self, end: usize, ending: Ending) -> Result<(), LedgerError> {
        let path = self.path();
        self.end = end as u64;
        self.allocated = self.end;
        let cut = if ending == Ending::Clean { Ok(()) } else { disk::set_length(&*self.file, self.end) };
        // Also what is only in the page cache, after a kill, counts as durable from here on.
        cut.and_then(|()| disk::sync(&*self.file))
            .map_err(|error| LedgerError::disk("it cannot be cut off", &path, &error))?;
        if let Some(segment) = self.segments.last_mut() {
            segment.bytes = self.end;
        }
        Ok(())
    }

    /// Gives back the zeros behind the last record: nothing more will be written.
    pub(super) fn close(&mut self) -> Result<(), LedgerError> {
        let path = self.path();
        disk::set_length(&*self.file, self.end)
            .and_then(|()| disk::sync(&*self.file))
            .map_err(|error| LedgerError::disk("it cannot be closed", &path, &error))?;
        self.allocated = self.end;
        Ok(())
    }

    /// Sets the reserve aside where there is none.
    pub(super) fn set_aside(&mut self) -> Result<(), LedgerError> {
        if !self.has_reserve && self.sizes.reserve_bytes > 0 {
            let zeros = vec![0; usize::try_from(self.sizes.reserve_bytes).unwrap_or(0)];
            self.files.put_durably(RESERVE, &zeros)?;
            (self.has_reserve, self.is_reserve_spent) = (true, false);
        }
        Ok(())
    }

    /// Whether the disk was full, and still has no room for the reserve.
    pub(super) fn is_full(&self) -> bool {
        self.is_reserve_spent
    }

    /// The number of the first record that is there.
    pub(super) fn first(&self) -> u64 {
        self.segments.first().map_or(0, |segment| segment.first)
    }

    /// Bytes of all segments.
    pub(super) fn bytes(&self) -> u64 {
        self.segments.iter().map(|segment| segment.bytes).sum()
    }

    /// Leaves of the host's log.
    pub(super) fn tree_size(&self) -> u64 {
        self.logs.get("").map_or(0, |log| log.tree.size())
    }

    /// What the last record is about; `None` when the last segment has none.
    pub(super) fn last(&self) -> Option<Kind> {
        self.last
    }

    fn release(&mut self) -> bool {
        let released = self.has_reserve && self.files.remove(RESERVE).is_ok();
        if released {
            (self.has_reserve, self.is_reserve_spent) = (false, true);
        }
        released
    }

    fn try_write(&mut self, batch: &Batch) -> Result<(), LedgerError> {
        let is_empty = self.segments.last().is_none_or(|segment| segment.first == self.next);
        if !is_empty && self.end + batch.bytes.len() as u64 > self.sizes.segment_bytes {
            self.rotate()?;
        }
        let written = self
            .grow(self.end + batch.bytes.len() as u64)
            .and_then(|()| disk::write_all_at(&*self.file, &batch.bytes, self.end))
            .and_then(|()| disk::sync(&*self.file));
        written.map_err(|error| {
            // A failed sync may have dropped any of it, zeros included: all of it is written again the next time.
            self.allocated = self.end;
            LedgerError::disk("a batch of records cannot be written", &self.path(), &error)
        })
    }

    fn grow(&mut self, needed: u64) -> io::Result<()> {
        if needed <= self.allocated {
            return Ok(());
        }
        let step = self.sizes.grow_bytes.max(1);
        let target = needed.div_ceil(step).saturating_mul(step).min(self.sizes.segment_bytes.max(needed));
        // What the batch itself covers need not be zeroed first.
        let mut at = needed;
        while at < target {
            let length = usize::try_from(target - at).unwrap_or(usize::MAX).min(ZEROS.len());
            disk::write_all_at(&*self.file, &ZEROS[..length], at)?;
            at += length as u64;
        }
        self.allocated = target;
        Ok(())
    }

    fn rotate(&mut self) -> Result<(), LedgerError> {
        self.close()?;
        let head = Head {
            first: self.next,
            run: self.run,
            mono_ns: self.mono_ns,
            salt: self.salt,
            key: self.signer,
            origin: self.origin.clone(),
            logs: std::mem::take(&mut self.logs),
        };
        let result = put(&self.files, &head);
        self.logs = head.logs;
        let (file, bytes) = result?;
        self.file = file;
        (self.end, self.allocated) = (bytes, bytes);
        self.segments.push(Segment { first: self.next, bytes });
        Ok(())
    }

    fn path(&self) -> String {
        segment::name(self.segments.last().map_or(0, |segment| segment.first))
    }
}

fn put(files: &Files, head: &Head) -> Result<(Box<dyn DiskFile>, u64), LedgerError> {
    let (path, bytes) = (segment::name(head.first), head.encode());
    let file = files
        .put(&path, &bytes)
        .and_then(|file| files.sync_folder(segment::FOLDER).map(|()| file))
        .map_err(|error| LedgerError::disk("a segment cannot be begun", &path, &error))?;
    Ok((file, bytes.len() as u64))
}

fn is_full(error: &LedgerError) -> bool {
    matches!(error, LedgerError::Disk { errno, .. } if [libc::ENOSPC, libc::EDQUOT].contains(errno))
}

/// The bytes that a record takes.
pub(super) fn bytes_of(tenant: &str, payload: &[u8]) -> usize {
    frame::FRAME_BYTES_MIN + tenant.len() + payload.len()
}
