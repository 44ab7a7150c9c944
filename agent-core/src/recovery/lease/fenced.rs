//! A disk that only the active one writes to.

use super::Lease;
use crate::ledger::{Disk, DiskFile};
use std::io;
use std::sync::Arc;

/// A [`Disk`] on which every change asks first whether the lease still holds. Given to a ledger it makes sure that no
/// record is written by an agent that was fenced off.
pub struct FencedDisk {
    disk: Arc<dyn Disk>,
    lease: Arc<Lease>,
}

impl FencedDisk {
    /// A disk for the holder of a lease.
    #[must_use]
    pub fn new(disk: Arc<dyn Disk>, lease: Arc<Lease>) -> Self {
        Self { disk, lease }
    }

    fn file(&self, file: Box<dyn DiskFile>) -> Box<dyn DiskFile> {
        Box::new(FencedFile { file, lease: Arc::clone(&self.lease) })
    }
}

impl Disk for FencedDisk {
    fn list(&self, folder: &str) -> io::Result<Vec<String>> {
        self.disk.list(folder)
    }
    fn list_folders(&self, folder: &str) -> io::Result<Vec<String>> {
        self.disk.list_folders(folder)
    }
    fn make_folder(&self, folder: &str) -> io::Result<()> {
        self.lease.check()?;
        self.disk.make_folder(folder)
    }
    fn create(&self, path: &str) -> io::Result<Box<dyn DiskFile>> {
        self.lease.check()?;
        self.disk.create(path).map(|file| self.file(file))
    }
    fn open(&self, path: &str) -> io::Result<Box<dyn DiskFile>> {
        self.disk.open(path).map(|file| self.file(file))
    }
    fn open_to_read(&self, path: &str) -> io::Result<Box<dyn DiskFile>> {
        self.disk.open_to_read(path)
    }
    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.lease.check()?;
        self.disk.rename(from, to)
    }
    fn remove(&self, path: &str) -> io::Result<()> {
        self.lease.check()?;
        self.disk.remove(path)
    }
    fn sync_folder(&self, folder: &str) -> io::Result<()> {
        self.disk.sync_folder(folder)
    }
    fn lock(&self) -> io::Result<Box<dyn Send + Sync>> {
        self.lease.check()?;
        self.disk.lock()
    }
}

struct FencedFile {
    file: Box<dyn DiskFile>,
    lease: Arc<Lease>,
}

impl DiskFile for FencedFile {
    fn length(&self) -> io::Result<u64> {
        self.file.length()
    }
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.file.read_at(buffer, offset)
    }
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        self.lease.check()?;
        self.file.write_at(bytes, offset)
    }
    fn set_length(&self, length: u64) -> io::Result<()> {
        self.lease.check()?;
        self.file.set_length(length)
    }
    fn sync(&self) -> io::Result<()> {
        self.file.sync()
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Watcher, Who};
    use super::*;
    use crate::ledger::{Kind, Ledger, LedgerError, RealDisk, Sizes, read};
    use crate::sys::clock::Clock;

    #[test]
    fn who_was_fenced_off_appends_nothing_and_the_one_after_goes_on() {
        let folder = tempfile::tempdir().unwrap();
        let open = || {
            let lease = Watcher::open(folder.path()).unwrap().try_take(Who::default()).unwrap().unwrap();
            let lease = Arc::new(lease);
            let disk = FencedDisk::new(Arc::new(RealDisk::new(folder.path())), Arc::clone(&lease));
            (Ledger::open(Arc::new(disk), Sizes::default(), "bartizan/f", Clock::System), lease)
        };
        let (first, first_lease) = open();
        let (first, _) = first.unwrap();
        first.append(Kind::ALERT, "", b"one").unwrap().wait().unwrap();
        std::fs::remove_file(folder.path().join("recovery/lease")).unwrap();
        let refused = first.append(Kind::ALERT, "", b"two").unwrap().wait().unwrap_err();
        assert!(
            matches!(&refused, LedgerError::Disk { message, .. } if message.contains("fenced off")),
            "{refused}"
        );
        // The ledger's own lock still keeps the second out: nothing is torn, whatever was removed by hand.
        let (second, second_lease) = open();
        assert_eq!(second.err(), Some(LedgerError::Locked));
        drop(second_lease);
        assert!(first.stop().is_err() && first.checkpoint().is_err());
        drop((first, first_lease));
        let (second, _lease) = open();
        second.unwrap().0.stop().unwrap();
        let mut payloads = Vec::new();
        let all = |record: &crate::ledger::Record| payloads.push((record.kind, record.payload.to_vec()));
        read(Arc::new(RealDisk::new(folder.path())), 0, all).unwrap();
        payloads.retain(|(kind, _)| *kind == Kind::ALERT);
        assert_eq!(payloads, [(Kind::ALERT, b"one".to_vec())]);
    }
}
