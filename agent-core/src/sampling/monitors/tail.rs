//! Follows a file that somebody else appends lines to, without ever disturbing them.
//!
//! Only regular files are opened: opening a FIFO, as Firecracker may be given one, would steal its lines from the
//! reader they are meant for. The file is looked at through `O_PATH` first, which opens nothing.

use super::failure::Failure;
use nix::errno::Errno;
use std::fs::{File, OpenOptions};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// Read in one round at most; the rest waits for the next.
const ROUND_BYTES_MAX: u64 = 1024 * 1024;
/// Of a longer file only this much of the end is read at first: counters then begin there.
const BEGIN_BYTES_MAX: u64 = 16 * 1024 * 1024;
/// Longer lines are skipped.
pub(super) const LINE_BYTES_MAX: usize = 256 * 1024;
const CHUNK_BYTES: usize = 64 * 1024;

/// Where we are in the file.
pub(super) struct Tail {
    path: PathBuf,
    /// Device and inode: another one is another file.
    identity: Option<(u64, u64)>,
    offset: u64,
    line: Vec<u8>,
    /// The line at hand is too long, or its beginning was not read.
    skipping: bool,
}

impl Tail {
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path, identity: None, offset: 0, line: Vec::new(), skipping: false }
    }

    /// Hands every new, complete line to `take`. `true` when there is more to read at once. A file that was replaced
    /// or cut is read from its beginning.
    pub(super) fn read(&mut self, mut take: impl FnMut(&[u8])) -> Result<bool, Failure> {
        let file = open_regular(&self.path)?;
        let status = file.metadata().map_err(|error| self.failure(&error))?;
        let identity = (status.dev(), status.ino());
        if self.identity != Some(identity) || status.size() < self.offset {
            self.identity = Some(identity);
            self.line.clear();
            self.offset = status.size().saturating_sub(BEGIN_BYTES_MAX);
            self.skipping = self.offset > 0;
        }
        let end = self.offset.saturating_add(ROUND_BYTES_MAX);
        let mut chunk = vec![0; CHUNK_BYTES];
        while self.offset < end {
            let count = file.read_at(&mut chunk, self.offset).map_err(|error| self.failure(&error))?;
            if count == 0 {
                break;
            }
            self.offset += count as u64;
            self.split(&chunk[..count], &mut take);
        }
        Ok(self.offset >= end)
    }

    fn split(&mut self, mut bytes: &[u8], take: &mut impl FnMut(&[u8])) {
        while let Some(end) = memchr::memchr(b'\n', bytes) {
            let (head, rest) = bytes.split_at(end);
            bytes = &rest[1..];
            self.append(head);
            if !self.skipping && !self.line.is_empty() {
                take(&self.line);
            }
            self.line.clear();
            self.skipping = false;
        }
        self.append(bytes);
    }

    fn append(&mut self, bytes: &[u8]) {
        if self.skipping || self.line.len() + bytes.len() > LINE_BYTES_MAX {
            self.skipping = true;
            self.line = Vec::new();
        } else {
            self.line.extend_from_slice(bytes);
        }
    }

    fn failure(&self, error: &std::io::Error) -> Failure {
        failure(error, &self.path)
    }
}

fn failure(error: &std::io::Error, path: &Path) -> Failure {
    Failure::from_errno(Errno::from_raw(error.raw_os_error().unwrap_or(0)), path)
}

fn open_regular(path: &Path) -> Result<File, Failure> {
    let handle = OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_PATH | libc::O_CLOEXEC)
        .open(path)
        .map_err(|error| failure(&error, path))?;
    let status = handle.metadata().map_err(|error| failure(&error, path))?;
    if !status.is_file() {
        return Err(Failure::refused(format!(
            "{} is no regular file; a FIFO is not opened, because that would take its lines away from its reader",
            path.display()
        )));
    }
    // Through /proc it is this very file that is opened, whatever stands under the path by now.
    OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY | libc::O_CLOEXEC)
        .open(format!("/proc/self/fd/{}", handle.as_raw_fd()))
        .map_err(|error| failure(&error, path))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn lines(tail: &mut Tail) -> Result<(Vec<String>, bool), Failure> {
        let mut found = Vec::new();
        let more = tail.read(|line| found.push(String::from_utf8_lossy(line).into_owned()))?;
        Ok((found, more))
    }

    #[test]
    fn only_new_complete_lines_are_taken() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("metrics");
        let mut file = File::create(&path).unwrap();
        let mut tail = Tail::new(path.clone());
        write!(file, "a\nb\nhal").unwrap();
        assert_eq!(lines(&mut tail).unwrap().0, ["a", "b"]);
        assert!(lines(&mut tail).unwrap().0.is_empty());
        write!(file, "f\n\nc\n").unwrap();
        assert_eq!(lines(&mut tail).unwrap().0, ["half", "c"]);
        std::fs::write(&path, "new\n").unwrap();
        assert_eq!(lines(&mut tail).unwrap().0, ["new"]);
    }

    #[test]
    fn a_line_that_is_too_long_is_skipped_and_the_next_one_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("metrics");
        let mut text = vec![b'x'; 3 * LINE_BYTES_MAX];
        text.extend_from_slice(b"\ngood\n");
        std::fs::write(&path, text).unwrap();
        let mut tail = Tail::new(path);
        assert_eq!(lines(&mut tail).unwrap().0, ["good"]);
        assert!(tail.line.capacity() <= LINE_BYTES_MAX + CHUNK_BYTES);
    }

    #[test]
    fn a_long_file_is_read_in_bounded_rounds() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("metrics");
        std::fs::write(&path, "0123456\n".repeat(300_000)).unwrap();
        let mut tail = Tail::new(path);
        let (first, more) = lines(&mut tail).unwrap();
        assert!(more && first.len() == 131_072, "{}", first.len());
        let rest: usize = (0..2).map(|_| lines(&mut tail).unwrap().0.len()).sum();
        assert_eq!(first.len() + rest, 300_000);
    }

    #[test]
    fn a_fifo_is_never_opened() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("fifo");
        nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).unwrap();
        let failure = lines(&mut Tail::new(path.clone())).unwrap_err();
        assert!(failure.reason.contains("FIFO"), "{}", failure.reason);
        // Nobody opened it for reading: a writer that does not wait is still refused.
        let writer = OpenOptions::new().write(true).custom_flags(libc::O_NONBLOCK).open(&path);
        assert_eq!(writer.unwrap_err().raw_os_error(), Some(libc::ENXIO));
    }

    #[test]
    fn a_missing_file_says_so() {
        let failure = lines(&mut Tail::new("/nonexistent/metrics".into())).unwrap_err();
        assert!(failure.reason.contains("does not exist"), "{}", failure.reason);
    }
}
