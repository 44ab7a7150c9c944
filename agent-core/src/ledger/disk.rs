//! The file system a ledger stands on, injected so that tests can lose power at any point.
//!
//! Paths are relative to the ledger's folder, with `/` between their parts. What a method does is durable only once
//! [`DiskFile::sync`] (contents and length) or [`Disk::sync_folder`] (names) has returned.

use super::error::LedgerError;
use nix::fcntl::{Flock, FlockArg};
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A folder with files.
pub trait Disk: Send + Sync {
    /// Names of the files in a folder, in any order; none when there is no such folder.
    fn list(&self, folder: &str) -> io::Result<Vec<String>>;
    /// Names of the folders in a folder, in any order; none when there is no such folder.
    fn list_folders(&self, folder: &str) -> io::Result<Vec<String>>;
    /// Makes a folder and those above it; nothing when it is there.
    fn make_folder(&self, folder: &str) -> io::Result<()>;
    /// Makes a file, empty, readable by its owner alone; one of the same name loses its contents.
    fn create(&self, path: &str) -> io::Result<Box<dyn DiskFile>>;
    /// Opens a file to read and write.
    fn open(&self, path: &str) -> io::Result<Box<dyn DiskFile>>;
    /// Opens a file to read alone: a verifier has no right to more.
    fn open_to_read(&self, path: &str) -> io::Result<Box<dyn DiskFile>>;
    /// Gives a file another name; one that had it is gone. Either both names changed or none.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;
    /// Removes a file.
    fn remove(&self, path: &str) -> io::Result<()>;
    /// Makes the names in a folder durable.
    fn sync_folder(&self, folder: &str) -> io::Result<()>;
    /// Keeps other processes away until what it returns is dropped; `WouldBlock` when one is there.
    fn lock(&self) -> io::Result<Box<dyn Send + Sync>>;
}

/// A file.
pub trait DiskFile: Send {
    /// Its length in bytes.
    fn length(&self) -> io::Result<u64>;
    /// Reads at most as many bytes as fit; 0 at the end.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize>;
    /// Writes some of the bytes and says how many.
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize>;
    /// Cuts it off, or lengthens it with zeros.
    fn set_length(&self, length: u64) -> io::Result<()>;
    /// Makes contents and length durable (`fdatasync`).
    fn sync(&self) -> io::Result<()>;
}

/// A folder of the host.
#[derive(Clone, Debug)]
pub struct RealDisk {
    root: PathBuf,
}

impl RealDisk {
    /// A ledger's folder, which need not exist yet.
    #[must_use]
    pub fn new(root: &Path) -> Self {
        Self { root: root.to_owned() }
    }

    fn path(&self, path: &str) -> PathBuf {
        self.root.join(path)
    }

    fn names(&self, folder: &str, folders: bool) -> io::Result<Vec<String>> {
        let entries = match fs::read_dir(self.path(folder)) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries?,
        };
        let mut names = Vec::new();
        for entry in entries {
            let entry = entry?;
            let kind = entry.file_type()?;
            if (if folders { kind.is_dir() } else { kind.is_file() })
                && let Ok(name) = entry.file_name().into_string()
            {
                names.push(name);
            }
        }
        Ok(names)
    }
}

impl Disk for RealDisk {
    fn list(&self, folder: &str) -> io::Result<Vec<String>> {
        self.names(folder, false)
    }

    fn list_folders(&self, folder: &str) -> io::Result<Vec<String>> {
        self.names(folder, true)
    }

    fn make_folder(&self, folder: &str) -> io::Result<()> {
        use std::os::unix::fs::DirBuilderExt;
        fs::DirBuilder::new().recursive(true).mode(0o700).create(self.path(folder))?;
        match self.root.parent() {
            // Nobody else makes the ledger's own name durable.
            Some(parent) if folder.is_empty() && !parent.as_os_str().is_empty() => {
                File::open(parent)?.sync_all()
            }
            _ => Ok(()),
        }
    }

    fn create(&self, path: &str) -> io::Result<Box<dyn DiskFile>> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(true).mode(0o600);
        Ok(Box::new(RealFile(options.open(self.path(path))?)))
    }

    fn open(&self, path: &str) -> io::Result<Box<dyn DiskFile>> {
        Ok(Box::new(RealFile(OpenOptions::new().read(true).write(true).open(self.path(path))?)))
    }

    fn open_to_read(&self, path: &str) -> io::Result<Box<dyn DiskFile>> {
        Ok(Box::new(RealFile(File::open(self.path(path))?)))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        fs::rename(self.path(from), self.path(to))
    }

    fn remove(&self, path: &str) -> io::Result<()> {
        fs::remove_file(self.path(path))
    }

    fn sync_folder(&self, folder: &str) -> io::Result<()> {
        File::open(self.path(folder))?.sync_all()
    }

    fn lock(&self) -> io::Result<Box<dyn Send + Sync>> {
        let mut options = OpenOptions::new();
        let file = options
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(self.path("lock"))?;
        // Of the open file, not of the process: a second agent in one process is kept away too, and a kill frees it.
        let lock = Flock::lock(file, FlockArg::LockExclusiveNonblock)
            .map_err(|(_, errno)| io::Error::from(errno))?;
        Ok(Box::new(lock))
    }
}

struct RealFile(File);

impl DiskFile for RealFile {
    fn length(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.0.read_at(buffer, offset)
    }
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        self.0.write_at(bytes, offset)
    }
    fn set_length(&self, length: u64) -> io::Result<()> {
        self.0.set_len(length)
    }
    fn sync(&self) -> io::Result<()> {
        self.0.sync_data()
    }
}

/// Interrupted calls are repeated this often; a call that is always interrupted is a failing one.
const INTERRUPTIONS_MAX: u32 = 1_000;

fn again<T>(mut call: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    let mut result = call();
    for _ in 0..INTERRUPTIONS_MAX {
        match &result {
            Err(error) if error.kind() == ErrorKind::Interrupted => result = call(),
            _ => break,
        }
    }
    result
}

/// Writes all bytes, whatever the pieces the system takes them in.
pub(super) fn write_all_at(file: &dyn DiskFile, mut bytes: &[u8], mut offset: u64) -> io::Result<()> {
    while !bytes.is_empty() {
        match again(|| file.write_at(bytes, offset))? {
            0 => return Err(ErrorKind::WriteZero.into()),
            written => {
                bytes = &bytes[written.min(bytes.len())..];
                offset += written as u64;
            }
        }
    }
    Ok(())
}

pub(super) fn sync(file: &dyn DiskFile) -> io::Result<()> {
    again(|| file.sync())
}

pub(super) fn set_length(file: &dyn DiskFile, length: u64) -> io::Result<()> {
    again(|| file.set_length(length))
}

/// A [`Disk`] with what the ledger does on it in several steps.
#[derive(Clone)]
pub(crate) struct Files {
    disk: Arc<dyn Disk>,
}

impl Files {
    pub(crate) fn new(disk: Arc<dyn Disk>) -> Self {
        Self { disk }
    }

    pub(super) fn lock(&self) -> Result<Box<dyn Send + Sync>, LedgerError> {
        match again(|| self.disk.lock()) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => Err(LedgerError::Locked),
            lock => lock.map_err(|error| LedgerError::disk("it cannot be locked", "lock", &error)),
        }
    }

    /// Names in a folder, sorted.
    pub(crate) fn list(&self, folder: &str) -> Result<Vec<String>, LedgerError> {
        let mut names = again(|| self.disk.list(folder))
            .map_err(|error| LedgerError::disk("it cannot be listed", folder, &error))?;
        names.sort();
        Ok(names)
    }

    /// Names of folders in a folder, sorted.
    pub(super) fn folders(&self, folder: &str) -> Result<Vec<String>, LedgerError> {
        let mut names = again(|| self.disk.list_folders(folder))
            .map_err(|error| LedgerError::disk("it cannot be listed", folder, &error))?;
        names.sort();
        Ok(names)
    }

    pub(crate) fn make_folder(&self, folder: &str) -> Result<(), LedgerError> {
        let parent = folder.rsplit_once('/').map_or("", |(parent, _)| parent);
        again(|| self.disk.make_folder(folder))
            .and_then(|()| again(|| self.disk.sync_folder(parent)))
            .map_err(|error| LedgerError::disk("it cannot be made", folder, &error))
    }

    pub(super) fn create(&self, path: &str) -> io::Result<Box<dyn DiskFile>> {
        again(|| self.disk.create(path))
    }

    pub(super) fn open(&self, path: &str) -> io::Result<Box<dyn DiskFile>> {
        again(|| self.disk.open(path))
    }

    pub(crate) fn remove(&self, path: &str) -> io::Result<()> {
        again(|| self.disk.remove(path))
    }

    /// A whole file, which must not be longer than that; `None` when there is none.
    pub(crate) fn read(&self, path: &str, bytes_max: u64) -> Result<Option<Vec<u8>>, LedgerError> {
        let error = |error: io::Error| LedgerError::disk("it cannot be read", path, &error);
        let file = match again(|| self.disk.open_to_read(path)) {
            Err(missing) if missing.kind() == ErrorKind::NotFound => return Ok(None),
            file => file.map_err(error)?,
        };
        let length = again(|| file.length()).map_err(error)?;
        if length > bytes_max {
            return Err(LedgerError::damaged(
                path,
                0,
                format!("it has {length} bytes; at most {bytes_max} make sense"),
            ));
        }
        let mut bytes = vec![0; usize::try_from(length).unwrap_or(0)];
        let mut filled = 0;
        while filled < bytes.len() {
            match again(|| file.read_at(&mut bytes[filled..], filled as u64)).map_err(error)? {
                0 => bytes.truncate(filled),
                read => filled += read,
            }
        }
        Ok(Some(bytes))
    }

    /// Puts a file in its place in one step: whoever looks, also after a crash, finds all of it or what was there
    /// before. It has the name for good only after [`Files::sync_folder`].
    pub(super) fn put(&self, path: &str, bytes: &[u8]) -> io::Result<Box<dyn DiskFile>> {
        let temporary = format!("{path}.tmp");
        let file = self.create(&temporary)?;
        write_all_at(&*file, bytes, 0)?;
        sync(&*file)?;
        again(|| self.disk.rename(&temporary, path))?;
        Ok(file)
    }

    pub(super) fn sync_folder(&self, folder: &str) -> io::Result<()> {
        again(|| self.disk.sync_folder(folder))
    }

    pub(super) fn rename_durably(&self, from: &str, to: &str) -> Result<(), LedgerError> {
        let folder = to.rsplit_once('/').map_or("", |(folder, _)| folder);
        again(|| self.disk.rename(from, to))
            .and_then(|()| self.sync_folder(folder))
            .map_err(|error| LedgerError::disk("it cannot be renamed", from, &error))
    }

    /// Puts a file, durably.
    pub(crate) fn put_durably(&self, path: &str, bytes: &[u8]) -> Result<(), LedgerError> {
        let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
        self.put(path, bytes)
            .and_then(|_| self.sync_folder(folder))
            .map_err(|error| LedgerError::disk("it cannot be written", path, &error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn files_are_put_whole_and_for_their_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let files = Files::new(Arc::new(RealDisk::new(folder.path())));
        files.make_folder("a/b").unwrap();
        files.put_durably("a/b/c", b"one").unwrap();
        files.put_durably("a/b/c", b"two!").unwrap();
        assert_eq!(files.read("a/b/c", 9).unwrap().unwrap(), b"two!");
        assert!(matches!(files.read("a/b/c", 3), Err(LedgerError::Damaged { .. })));
        assert_eq!(files.read("a/none", 9).unwrap(), None);
        assert_eq!(files.list("a/b").unwrap(), ["c"]);
        assert!(files.list("a/none").unwrap().is_empty());
        let mode = std::fs::metadata(folder.path().join("a/b/c")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn one_at_a_time_has_the_lock() {
        let folder = tempfile::tempdir().unwrap();
        let files = Files::new(Arc::new(RealDisk::new(folder.path())));
        let lock = files.lock().unwrap();
        assert!(matches!(files.lock(), Err(LedgerError::Locked)));
        drop(lock);
        files.lock().unwrap();
    }
}
