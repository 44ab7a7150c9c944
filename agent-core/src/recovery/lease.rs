//! Who is active: one process at a time, by the kernel's word, with a token that only grows.
//!
//! `recovery/lease` is never renamed or removed. Its first byte is locked by the active process ([`crate::sys::lock`]):
//! the kernel gives the lock to nobody else before that process has ended, and frees it in that moment. A process that
//! is stopped or stuck keeps it; so nobody acts in its place unless its death is confirmed.
//!
//! ```text
//!  0      ┌──────────────────────┬───────────┬──────────┬──────────────────────┐
//!         │ magic "BTZLEASE"   8 │ version 4 │ pid    4 │ token              8 │   token: one more than the last
//! 24      ├──────────────────────┼───────────┴──────────┼───────────┬──────────┘
//!         │ start ticks        8 │ wall ns            8 │ CRC-32C 4 │   start ticks: of the process, after boot
//!         └──────────────────────┴──────────────────────┴───────────┘
//! ```
//!
//! The heart beats in the lock itself: the active process holds a shared lock on byte `2^32 + beat`, and moves it on. So
//! a disk that hangs stops no heart, and a loop that hangs does.
//!
//! Every write of a [`FencedDisk`] asks first whether its lease still holds: one whose file was removed or has another
//! token writes nothing any more.

mod fenced;

pub use fenced::FencedDisk;

use super::store::FOLDER;
use crate::sys::lock::{Mode, Range, give_back, held_at, try_take};
use std::fs::{DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileExt, MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

const MAGIC: [u8; 8] = *b"BTZLEASE";
const VERSION: u32 = 1;
/// The bytes of the file: less than a sector, so that they are never torn.
pub const LEASE_BYTES: usize = 44;
const ACTIVE: Range = Range { start: 0, length: 1 };
const HEART: u64 = 1 << 32;

/// Who is active, or was last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Holder {
    /// Its process.
    pub pid: u32,
    /// When that process began, in clock ticks after boot: with the PID it means one process.
    pub start_ticks: u64,
    /// Its token.
    pub token: u64,
    /// When it became active, `CLOCK_REALTIME` nanoseconds since the epoch.
    pub since_wall_ns: i64,
}

impl Holder {
    /// The bytes of the file.
    #[must_use]
    pub fn encode(&self) -> [u8; LEASE_BYTES] {
        let mut bytes = [0; LEASE_BYTES];
        bytes[..8].copy_from_slice(&MAGIC);
        bytes[8..12].copy_from_slice(&VERSION.to_le_bytes());
        bytes[12..16].copy_from_slice(&self.pid.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.token.to_le_bytes());
        bytes[24..32].copy_from_slice(&self.start_ticks.to_le_bytes());
        bytes[32..40].copy_from_slice(&self.since_wall_ns.to_le_bytes());
        let sum = crc32c::crc32c(&bytes[..40]);
        bytes[40..].copy_from_slice(&sum.to_le_bytes());
        bytes
    }

    /// The holder in a file's bytes; `None` when they are none of this version, or were damaged.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let bytes: &[u8; LEASE_BYTES] = bytes.try_into().ok()?;
        let long = |at: usize| -> Option<[u8; 8]> { bytes.get(at..at + 8)?.try_into().ok() };
        let short =
            |at: usize| -> Option<u32> { Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?)) };
        let is_right =
            long(0)? == MAGIC && short(8)? == VERSION && short(40)? == crc32c::crc32c(&bytes[..40]);
        is_right.then_some(Self {
            pid: short(12)?,
            token: u64::from_le_bytes(long(16)?),
            start_ticks: u64::from_le_bytes(long(24)?),
            since_wall_ns: i64::from_le_bytes(long(32)?),
        })
    }
}

/// The lease's file, seen by somebody who does not hold it.
#[derive(Debug)]
pub struct Watcher {
    file: File,
}

impl Watcher {
    /// Opens the lease in a state folder, which is made when it is not there.
    ///
    /// # Errors
    /// When the folder or the file cannot be made or opened for writing.
    pub fn open(folder: &Path) -> io::Result<Self> {
        let folder = folder.join(FOLDER);
        DirBuilder::new().recursive(true).mode(0o700).create(&folder)?;
        let mut options = OpenOptions::new();
        let options = options.read(true).write(true).create(true).truncate(false).mode(0o600);
        Ok(Self { file: options.open(folder.join("lease"))? })
    }

    /// Who is active; or who was last, when nobody is. `None` when nobody ever was, or the file is damaged.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn holder(&self) -> io::Result<Option<Holder>> {
        holder(&self.file)
    }

    /// Whether somebody is active.
    ///
    /// # Errors
    /// When the kernel does not tell.
    pub fn is_held(&self) -> io::Result<bool> {
        Ok(held_at(&self.file, ACTIVE)?.is_some())
    }

    /// How often the active one's heart has beaten; `None` before the first time, and when nobody is active.
    ///
    /// # Errors
    /// When the kernel does not tell.
    pub fn beat(&self) -> io::Result<Option<u64>> {
        Ok(held_at(&self.file, Range { start: HEART, length: 0 })?.map(|at| at - HEART))
    }

    /// Becomes the active one under the next token, if nobody is; gives the watcher back otherwise.
    ///
    /// `token_min` is what the ledger knows of earlier tokens: the next one is above it even where the file was lost.
    ///
    /// # Errors
    /// When the file was removed meanwhile, or cannot be written durably.
    pub fn try_take(self, who: Who) -> io::Result<Result<Lease, Self>> {
        if !try_take(&self.file, ACTIVE, Mode::Exclusive)? {
            return Ok(Err(self));
        }
        if self.file.metadata()?.nlink() == 0 {
            return Err(io::Error::other("the lease's file was removed while it was waited for"));
        }
        let before = self.holder()?;
        let token = before.map_or(0, |before| before.token).max(who.token_min).saturating_add(1);
        let holder =
            Holder { pid: who.pid, start_ticks: who.start_ticks, token, since_wall_ns: who.now_wall_ns };
        self.file.write_all_at(&holder.encode(), 0)?;
        self.file.sync_all()?;
        Ok(Ok(Lease { file: self.file, holder, beat: AtomicU64::new(0) }))
    }
}

/// Who wants to be active.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Who {
    /// The process.
    pub pid: u32,
    /// When it began, in clock ticks after boot.
    pub start_ticks: u64,
    /// A token that the next one must be above.
    pub token_min: u64,
    /// The time, `CLOCK_REALTIME` nanoseconds since the epoch.
    pub now_wall_ns: i64,
}

/// Holding one proves that this process is the active one, as long as [`Lease::check`] says so. Dropping it gives it up.
#[derive(Debug)]
pub struct Lease {
    file: File,
    holder: Holder,
    beat: AtomicU64,
}

impl Lease {
    /// The fencing token: above that of everybody who was active before.
    #[must_use]
    pub fn token(&self) -> u64 {
        self.holder.token
    }

    /// Whether it still holds. Two system calls on memory the kernel has at hand.
    ///
    /// # Errors
    /// Why not: the file was removed, was written by somebody else, or cannot be read.
    pub fn check(&self) -> io::Result<()> {
        let fenced = |what: &str| io::Error::other(format!("this agent was fenced off: {what}"));
        if self.file.metadata()?.nlink() == 0 {
            return Err(fenced("its lease was removed"));
        }
        match holder(&self.file)? {
            Some(holder) if holder == self.holder => Ok(()),
            Some(other) => {
                let text = format!("token {} is in force, held by process {}", other.token, other.pid);
                Err(fenced(&text))
            }
            None => Err(fenced("its lease was damaged")),
        }
    }

    /// The sampling loop has advanced: the heart beats once. Never waits for a disk.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn beat(&self) -> io::Result<()> {
        let beat = self.beat.load(Relaxed);
        let byte = |beat: u64| Range { start: HEART + beat, length: 1 };
        // The new one first: at no moment does the heart seem to be missing.
        try_take(&self.file, byte(beat + 1), Mode::Shared)?;
        give_back(&self.file, byte(beat))?;
        self.beat.store(beat + 1, Relaxed);
        Ok(())
    }
}

fn holder(file: &File) -> io::Result<Option<Holder>> {
    let mut bytes = [0; LEASE_BYTES];
    let mut filled = 0;
    while filled < bytes.len() {
        match file.read_at(&mut bytes[filled..], filled as u64) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(Holder::decode(&bytes[..filled]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn who() -> Who {
        Who { pid: 7, start_ticks: 9, ..Who::default() }
    }

    #[test]
    fn every_flipped_bit_is_noticed() {
        let holder = Holder { pid: 1, start_ticks: 2, token: 258, since_wall_ns: -4 };
        let mut bytes = holder.encode();
        #[rustfmt::skip]
        let golden = [
            b'B', b'T', b'Z', b'L', b'E', b'A', b'S', b'E', 1, 0, 0, 0, 1, 0, 0, 0, 2, 1, 0, 0, 0, 0, 0, 0,
            2, 0, 0, 0, 0, 0, 0, 0, 0xfc, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
        ];
        assert_eq!(bytes[..40], golden);
        assert_eq!(Holder::decode(&bytes), Some(holder));
        for bit in 0..bytes.len() * 8 {
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(Holder::decode(&bytes), None, "bit {bit}");
            bytes[bit / 8] ^= 1 << (bit % 8);
        }
    }

    #[test]
    fn one_is_active_and_tokens_only_grow() {
        let folder = tempfile::tempdir().unwrap();
        let open = || Watcher::open(folder.path()).unwrap();
        assert_eq!((open().holder().unwrap(), open().is_held().unwrap()), (None, false));
        let lease = open().try_take(Who { token_min: 4, ..who() }).unwrap().unwrap();
        assert_eq!(lease.token(), 5);
        let standby = open().try_take(who()).unwrap().unwrap_err();
        assert_eq!(standby.holder().unwrap().map(|holder| (holder.pid, holder.token)), Some((7, 5)));
        assert!(standby.is_held().unwrap());
        lease.check().unwrap();
        drop(lease);
        assert!(!standby.is_held().unwrap());
        let next = standby.try_take(who()).unwrap().unwrap();
        assert_eq!(next.token(), 6);
        drop(next);
        // The file was damaged: the ledger's word counts.
        std::fs::write(folder.path().join("recovery/lease"), b"noise").unwrap();
        assert_eq!(open().try_take(Who { token_min: 6, ..who() }).unwrap().unwrap().token(), 7);
    }

    #[test]
    fn the_heart_is_seen_to_beat_and_to_have_stopped() {
        let folder = tempfile::tempdir().unwrap();
        let open = || Watcher::open(folder.path()).unwrap();
        let (lease, standby) = (open().try_take(who()).unwrap().unwrap(), open());
        assert_eq!(standby.beat().unwrap(), None);
        for beat in 1..4 {
            lease.beat().unwrap();
            assert_eq!(standby.beat().unwrap(), Some(beat));
        }
        drop(lease);
        assert_eq!(standby.beat().unwrap(), None);
    }

    #[test]
    fn who_was_fenced_off_knows_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("recovery/lease");
        let open = || Watcher::open(folder.path()).unwrap();
        let first = open().try_take(who()).unwrap().unwrap();
        let waiting = open();
        // Somebody removes the file by hand: the one thing that lets another in.
        std::fs::remove_file(&path).unwrap();
        assert!(first.check().unwrap_err().to_string().contains("removed"));
        let second = open().try_take(who()).unwrap().unwrap();
        second.check().unwrap();
        drop(first);
        assert!(waiting.try_take(who()).is_err(), "a lock on a file without a name is none");
        let other = Holder { token: 99, ..second.holder };
        File::options().write(true).open(&path).unwrap().write_all_at(&other.encode(), 0).unwrap();
        assert!(second.check().unwrap_err().to_string().contains("token 99"));
    }
}
