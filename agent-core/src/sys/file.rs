//! Files of the kernel's, kept open and read in place without an allocation.

use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::sys::stat::Mode;
use nix::sys::uio::pread;
use nix::unistd::read;
use std::ffi::CString;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// Never blocks, even should the path turn out to be a FIFO or a terminal.
const FLAGS: OFlag = OFlag::O_RDONLY.union(OFlag::O_CLOEXEC).union(OFlag::O_NONBLOCK).union(OFlag::O_NOCTTY);

/// A file that is read again and again from its beginning.
pub struct KeptFile {
    how: How,
}

enum How {
    /// The descriptor stays open; `pread` rewinds.
    Kept(OwnedFd),
    /// Some kernels refuse `pread` on some files of `/proc/net` (`ESPIPE`): opened anew each time, by a path that
    /// was made a C string beforehand.
    Each(CString),
}

impl KeptFile {
    /// Opens a file and finds out whether it can be read in place.
    ///
    /// # Errors
    /// What `open` or the first read said; `EFBIG` never, `ELOOP` for a path with a NUL byte in it.
    pub fn open(path: &Path) -> nix::Result<Self> {
        let path = CString::new(path.as_os_str().as_bytes()).map_err(|_| Errno::ELOOP)?;
        let fd = open(path.as_c_str(), FLAGS, Mode::empty())?;
        match pread(&fd, &mut [0; 1], 0) {
            Ok(_) => Ok(Self { how: How::Kept(fd) }),
            Err(Errno::ESPIPE) => Ok(Self { how: How::Each(path) }),
            Err(errno) => Err(errno),
        }
    }

    /// The same file, but opened anew for each reading.
    ///
    /// # Errors
    /// As [`KeptFile::open`].
    pub fn open_each(path: &Path) -> nix::Result<Self> {
        let path = CString::new(path.as_os_str().as_bytes()).map_err(|_| Errno::ELOOP)?;
        let fd = open(path.as_c_str(), FLAGS, Mode::empty())?;
        read(&fd, &mut [0; 1])?;
        Ok(Self { how: How::Each(path) })
    }

    /// Reads what there is from an offset on, by one system call.
    ///
    /// # Errors
    /// What the kernel said; `ESPIPE` where the file can only be read as a whole.
    #[inline]
    pub fn read_at(&self, buffer: &mut [u8], offset: usize) -> nix::Result<usize> {
        match &self.how {
            How::Kept(fd) => pread(fd, buffer, i64::try_from(offset).unwrap_or(i64::MAX)),
            How::Each(_) => Err(Errno::ESPIPE),
        }
    }

    /// Reads to the end of the file, or of the buffer.
    ///
    /// # Errors
    /// What the kernel said.
    pub fn read_whole(&self, buffer: &mut [u8]) -> nix::Result<usize> {
        match &self.how {
            How::Kept(fd) => {
                fill(buffer, |rest, offset| pread(fd, rest, i64::try_from(offset).unwrap_or(i64::MAX)))
            }
            How::Each(path) => {
                let fd = open(path.as_c_str(), FLAGS, Mode::empty())?;
                fill(buffer, |rest, _| read(&fd, rest))
            }
        }
    }

    /// Whether the descriptor stays open between two readings.
    #[must_use]
    pub fn is_kept(&self) -> bool {
        matches!(self.how, How::Kept(_))
    }
}

fn fill(
    buffer: &mut [u8],
    mut read_more: impl FnMut(&mut [u8], usize) -> nix::Result<usize>,
) -> nix::Result<usize> {
    let mut length = 0;
    while length < buffer.len() {
        match read_more(&mut buffer[length..], length)? {
            0 => break,
            more => length += more,
        }
    }
    Ok(length)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn both_ways_read_the_same_and_see_changes() {
        let mut file = tempfile::NamedTempFile::new().expect("temporary file");
        file.write_all(b"one 1\n").expect("write");
        let kept = KeptFile::open(file.path()).expect("open");
        let each = KeptFile::open_each(file.path()).expect("open");
        assert!(kept.is_kept() && !each.is_kept());
        file.write_all(b"two 2\n").expect("write");
        let (mut a, mut b) = ([0; 64], [0; 64]);
        let (n, m) = (kept.read_whole(&mut a).expect("read"), each.read_whole(&mut b).expect("read"));
        assert_eq!(&a[..n], b"one 1\ntwo 2\n");
        assert_eq!(a[..n], b[..m]);
        assert_eq!(kept.read_at(&mut a[..3], 4), Ok(3));
        assert_eq!(&a[..3], b"1\nt");
    }

    #[test]
    fn what_cannot_be_opened_says_why() {
        assert_eq!(KeptFile::open(Path::new("/proc/no-such-file")).err(), Some(Errno::ENOENT));
        assert_eq!(KeptFile::open(Path::new("/proc")).err(), Some(Errno::EISDIR));
    }
}
