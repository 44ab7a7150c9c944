//! Locks of open file descriptions (`fcntl(2)`, `F_OFD_SETLK`): held by whoever has the file open, freed by the kernel in
//! the moment the last descriptor is closed, also by a kill, and kept while the process is merely stopped.
//!
//! They live in the kernel's memory alone: taking, moving and looking for one never waits for a disk.

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, fcntl};
use std::os::fd::AsFd;

/// A range of bytes, which need not exist in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    /// The first byte.
    pub start: u64,
    /// How many; 0 is all from the first on.
    pub length: u64,
}

/// What a lock keeps others from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Any lock of theirs. The file must be open for writing.
    Exclusive,
    /// An exclusive lock of theirs. The file must be open for reading.
    Shared,
}

fn flock(range: Range, kind: libc::c_int) -> nix::Result<libc::flock> {
    let number = |number: u64| libc::off_t::try_from(number).map_err(|_| Errno::EOVERFLOW);
    Ok(libc::flock {
        l_type: libc::c_short::try_from(kind).map_err(|_| Errno::EINVAL)?,
        l_whence: libc::c_short::try_from(libc::SEEK_SET).map_err(|_| Errno::EINVAL)?,
        l_start: number(range.start)?,
        l_len: number(range.length)?,
        l_pid: 0,
    })
}

/// Takes a lock, unless somebody else's is in the way: then `false`. Never waits.
///
/// # Errors
/// `EBADF` when the file is not open as the mode needs it, `ENOLCK`, and what a file system without locks says.
pub fn try_take(file: impl AsFd, range: Range, mode: Mode) -> nix::Result<bool> {
    let kind = match mode {
        Mode::Exclusive => libc::F_WRLCK,
        Mode::Shared => libc::F_RDLCK,
    };
    match fcntl(file, FcntlArg::F_OFD_SETLK(&flock(range, kind)?)) {
        Ok(_) => Ok(true),
        Err(Errno::EAGAIN | Errno::EACCES) => Ok(false),
        Err(errno) => Err(errno),
    }
}

/// Gives a range back.
///
/// # Errors
/// `EBADF`, `ENOLCK`.
pub fn give_back(file: impl AsFd, range: Range) -> nix::Result<()> {
    fcntl(file, FcntlArg::F_OFD_SETLK(&flock(range, libc::F_UNLCK)?)).map(drop)
}

/// The first byte within a range on which somebody else holds a lock, if anybody does.
///
/// # Errors
/// As [`try_take`].
pub fn held_at(file: impl AsFd, range: Range) -> nix::Result<Option<u64>> {
    let mut flock = flock(range, libc::F_WRLCK)?;
    fcntl(file, FcntlArg::F_OFD_GETLK(&mut flock))?;
    let is_free = libc::c_int::from(flock.l_type) == libc::F_UNLCK;
    Ok(if is_free { None } else { u64::try_from(flock.l_start).ok() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;

    #[test]
    fn one_holds_it_until_its_file_is_closed_and_the_other_sees_where() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let open =
            || File::options().read(true).write(true).create(true).truncate(false).open(&path).unwrap();
        let (one, other) = (open(), open());
        let all = Range { start: 0, length: 0 };
        let byte = |start| Range { start, length: 1 };
        assert_eq!(held_at(&other, all), Ok(None));
        assert_eq!(try_take(&one, byte(7), Mode::Exclusive), Ok(true));
        assert_eq!(try_take(&other, byte(7), Mode::Exclusive), Ok(false));
        assert_eq!(try_take(&other, byte(7), Mode::Shared), Ok(false));
        assert_eq!(try_take(&one, byte(9), Mode::Shared), Ok(true));
        assert_eq!(held_at(&other, all), Ok(Some(7)));
        assert_eq!(held_at(&other, Range { start: 8, length: 0 }), Ok(Some(9)));
        assert_eq!(held_at(&one, all), Ok(None), "its own are in nobody's way");
        give_back(&one, byte(7)).unwrap();
        assert_eq!(held_at(&other, all), Ok(Some(9)));
        drop(one);
        assert_eq!(try_take(&other, all, Mode::Exclusive), Ok(true));
        assert_eq!(
            try_take(&other, Range { start: u64::MAX, length: 1 }, Mode::Shared),
            Err(Errno::EOVERFLOW)
        );
    }
}
