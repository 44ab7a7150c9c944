//! One file that is read again and again: kept open where that pays and descriptors allow it, opened each time
//! otherwise.
//!
//! Every path is relative to a directory descriptor. One of `/proc/PID` stands for that process for ever: once the
//! process is gone it answers `ESRCH`, whoever got the number since.

use nix::errno::Errno;
use nix::fcntl::{OFlag, open, openat};
use nix::sys::stat::Mode;
use nix::sys::uio::pread;
use std::ffi::CString;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

/// File descriptors that may still be kept.
#[derive(Debug)]
pub(super) struct Budget {
    left: usize,
}

impl Budget {
    pub(super) const fn new(left: usize) -> Self {
        Self { left }
    }

    /// Takes one, if there is one.
    pub(super) fn take(&mut self) -> bool {
        let available = self.left > 0;
        self.left = self.left.saturating_sub(1);
        available
    }

    /// How many are left.
    pub(super) const fn left(&self) -> usize {
        self.left
    }
}

/// One file.
#[derive(Debug)]
pub(super) struct Slot {
    name: CString,
    fd: Option<OwnedFd>,
}

impl Slot {
    /// Opens and reads the file once, to learn whether that works. It stays open when `budget` is given and allows
    /// it, and when the file can be read at an offset.
    ///
    /// # Errors
    /// What opening or reading it says.
    pub(super) fn probe(dir: BorrowedFd<'_>, name: &str, budget: Option<&mut Budget>) -> Result<Self, Errno> {
        let mut slot = Self::unread(name)?;
        let fd = open_at(dir, &slot.name)?;
        let mut byte = [0u8; 64];
        match pread(&fd, &mut byte, 0) {
            Ok(_) => {
                if budget.is_some_and(Budget::take) {
                    slot.fd = Some(fd);
                }
            }
            Err(Errno::ESPIPE) => {
                nix::unistd::read(&fd, &mut byte)?;
            }
            Err(errno) => return Err(errno),
        }
        Ok(slot)
    }

    /// A file that is opened each time, and was not tried yet.
    ///
    /// # Errors
    /// `EINVAL` for a name that holds a zero byte.
    pub(super) fn unread(name: &str) -> Result<Self, Errno> {
        Ok(Self { name: CString::new(name).map_err(|_| Errno::EINVAL)?, fd: None })
    }

    /// Reads the file from its beginning into the buffer, as far as it fits.
    ///
    /// # Errors
    /// What the system call says.
    pub(super) fn read<'b>(&self, dir: BorrowedFd<'_>, buffer: &'b mut [u8]) -> Result<&'b [u8], Errno> {
        let length = match &self.fd {
            Some(fd) => pread(fd, buffer, 0)?,
            None => nix::unistd::read(open_at(dir, &self.name)?, buffer)?,
        };
        Ok(&buffer[..length])
    }

    /// Whether the file is kept open.
    pub(super) const fn is_kept(&self) -> bool {
        self.fd.is_some()
    }
}

/// Opens a file below a directory, for reading.
pub(super) fn open_at(dir: BorrowedFd<'_>, name: &std::ffi::CStr) -> Result<OwnedFd, Errno> {
    openat(dir, name, OFlag::O_RDONLY | OFlag::O_CLOEXEC | OFlag::O_NONBLOCK, Mode::empty())
}

/// Opens a directory.
pub(super) fn open_directory(path: &Path) -> Result<OwnedFd, Errno> {
    open(path, OFlag::O_RDONLY | OFlag::O_CLOEXEC | OFlag::O_DIRECTORY, Mode::empty())
}

/// Opens a directory below another one.
pub(super) fn open_directory_at(dir: BorrowedFd<'_>, name: &str) -> Result<OwnedFd, Errno> {
    openat(dir, name, OFlag::O_RDONLY | OFlag::O_CLOEXEC | OFlag::O_DIRECTORY, Mode::empty())
}

/// Reads a whole file below a directory, at most so many bytes. For the cold side.
pub(super) fn read_whole(dir: impl AsFd, name: &str, bytes_max: usize) -> Result<Vec<u8>, Errno> {
    let name = CString::new(name).map_err(|_| Errno::EINVAL)?;
    let fd = open_at(dir.as_fd(), &name)?;
    let mut bytes = vec![0; bytes_max];
    let mut length = 0;
    while length < bytes_max {
        match nix::unistd::read(&fd, &mut bytes[length..]) {
            Ok(0) => break,
            Ok(count) => length += count,
            Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno),
        }
    }
    bytes.truncate(length);
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kept_and_opened_each_time_read_the_same() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("file"), "first").unwrap();
        let dir = open_directory(folder.path()).unwrap();
        let mut budget = Budget::new(1);
        let kept = Slot::probe(dir.as_fd(), "file", Some(&mut budget)).unwrap();
        let each = Slot::probe(dir.as_fd(), "file", Some(&mut budget)).unwrap();
        assert!(kept.is_kept() && !each.is_kept(), "the budget allows one");
        std::fs::write(folder.path().join("file"), "second").unwrap();
        let mut buffer = [0; 16];
        assert_eq!(kept.read(dir.as_fd(), &mut buffer).unwrap(), b"second");
        assert_eq!(each.read(dir.as_fd(), &mut buffer).unwrap(), b"second");
        std::fs::remove_file(folder.path().join("file")).unwrap();
        assert_eq!(each.read(dir.as_fd(), &mut buffer).unwrap_err(), Errno::ENOENT);
    }

    #[test]
    fn a_dead_process_is_gone_whoever_has_its_number() {
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let dir = open_directory(Path::new(&format!("/proc/{}", child.id()))).unwrap();
        let mut budget = Budget::new(1);
        let kept = Slot::probe(dir.as_fd(), "stat", Some(&mut budget)).unwrap();
        let each = Slot::probe(dir.as_fd(), "stat", None).unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        let mut buffer = [0; 512];
        assert_eq!(kept.read(dir.as_fd(), &mut buffer).unwrap_err(), Errno::ESRCH);
        let errno = each.read(dir.as_fd(), &mut buffer).unwrap_err();
        assert!(matches!(errno, Errno::ESRCH | Errno::ENOENT), "{errno}");
    }
}
