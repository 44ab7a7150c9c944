//! A process as a file descriptor: it becomes readable when the process ends, and never means another process.
//! (`pidfd_open(2)`, Linux 5.3.)
#![allow(unsafe_code)]

use nix::errno::Errno;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

/// Opens a descriptor for the process (thread-group leader) that has this PID now. It is close-on-exec.
///
/// # Errors
/// `ESRCH` when there is no such process, `ENOSYS` before Linux 5.3, `EMFILE` at the descriptor limit.
pub fn open(pid: i32) -> nix::Result<OwnedFd> {
    // SAFETY: the system call takes two integers and touches no memory of ours.
    let result = unsafe { libc::syscall(libc::SYS_pidfd_open, libc::c_long::from(pid), 0 as libc::c_long) };
    owned(result)
}

/// A duplicate, close-on-exec, of a descriptor that the process holds (`pidfd_getfd(2)`).
///
/// # Errors
/// `EPERM` without `PTRACE_MODE_ATTACH_REALCREDS`, `EBADF` when the process holds no such descriptor, `ENOSYS` before
/// Linux 5.6.
pub fn duplicate_from(pidfd: BorrowedFd<'_>, target: RawFd) -> nix::Result<OwnedFd> {
    let pidfd = libc::c_long::from(pidfd.as_raw_fd());
    // SAFETY: the system call takes three integers and touches no memory of ours.
    let result =
        unsafe { libc::syscall(libc::SYS_pidfd_getfd, pidfd, libc::c_long::from(target), 0 as libc::c_long) };
    owned(result)
}

/// Kills the process (`pidfd_send_signal(2)`, Linux 5.1). It is dead once the descriptor is readable, not before.
///
/// # Errors
/// `ESRCH` when it has ended already, `EPERM` when it is another user's.
pub fn kill(pidfd: BorrowedFd<'_>) -> nix::Result<()> {
    let (pidfd, none) = (libc::c_long::from(pidfd.as_raw_fd()), 0 as libc::c_long);
    // SAFETY: the system call takes three integers and a pointer that may be null, and touches no memory of ours.
    let result = unsafe {
        libc::syscall(libc::SYS_pidfd_send_signal, pidfd, libc::c_long::from(libc::SIGKILL), none, none)
    };
    Errno::result(result).map(drop)
}

fn owned(result: libc::c_long) -> nix::Result<OwnedFd> {
    let fd = RawFd::try_from(Errno::result(result)?).map_err(|_| Errno::EBADF)?;
    // SAFETY: the kernel has just made this descriptor for us, and nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
    use std::os::fd::AsFd;

    fn ended(pidfd: &OwnedFd, timeout: PollTimeout) -> bool {
        let mut fds = [PollFd::new(pidfd.as_fd(), PollFlags::POLLIN)];
        poll(&mut fds, timeout).expect("poll") == 1
    }

    #[test]
    fn a_pidfd_tells_when_its_process_ends() {
        let mut child = std::process::Command::new("sleep").arg("600").spawn().expect("sleep");
        let pidfd = open(i32::try_from(child.id()).expect("a pid")).expect("pidfd");
        assert!(!ended(&pidfd, PollTimeout::ZERO));
        kill(pidfd.as_fd()).expect("kill");
        assert!(ended(&pidfd, PollTimeout::from(10_000u16)));
        child.wait().expect("wait");
        assert!(ended(&pidfd, PollTimeout::ZERO), "it stays readable after the process was reaped");
        assert_eq!(kill(pidfd.as_fd()), Err(Errno::ESRCH), "and never means another process");
    }

    #[test]
    fn a_pid_that_cannot_be_is_refused() {
        assert_eq!(open(i32::MAX).err(), Some(Errno::ESRCH));
        assert_eq!(open(-1).err(), Some(Errno::EINVAL));
    }

    #[test]
    fn a_descriptor_of_a_process_can_be_duplicated() {
        use std::io::{Read, Write};
        let (mut reader, writer) = std::io::pipe().expect("pipe");
        let this = open(i32::try_from(std::process::id()).expect("a pid")).expect("pidfd");
        let copy = duplicate_from(this.as_fd(), writer.as_raw_fd()).expect("duplicate");
        drop(writer);
        std::fs::File::from(copy).write_all(b"through the copy").expect("write");
        let mut text = String::new();
        reader.read_to_string(&mut text).expect("read");
        assert_eq!(text, "through the copy");
        assert_eq!(duplicate_from(this.as_fd(), 999_999).err(), Some(Errno::EBADF));
    }
}
