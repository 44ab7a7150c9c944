//! One conversation over a Unix socket that never waits.

use super::failure::Failure;
use super::http::Gets;
use super::qmp::Qmp;
use nix::errno::Errno;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, UnixAddr, connect, getsockopt, socket, sockopt};
use std::io::{ErrorKind, Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;

/// Read in one call at most, so that a peer that never ends does not keep the caller.
const CALL_BYTES_MAX: usize = 256 * 1024;
const CHUNK_BYTES: usize = 16 * 1024;

/// What is spoken.
pub(super) enum Dialogue {
    Qmp(Box<Qmp>),
    Http(Gets),
}

impl Dialogue {
    fn receive(&mut self, bytes: &[u8]) -> Result<bool, Failure> {
        match self {
            Self::Qmp(qmp) => qmp.receive(bytes),
            Self::Http(gets) => gets.receive(bytes),
        }
    }

    fn outgoing(&mut self) -> &mut Vec<u8> {
        match self {
            Self::Qmp(qmp) => qmp.outgoing(),
            Self::Http(gets) => gets.outgoing(),
        }
    }

    fn waits_for(&self) -> &'static str {
        match self {
            Self::Qmp(qmp) => qmp.waits_for(),
            Self::Http(gets) => gets.waits_for(),
        }
    }
}

/// A connection and what is spoken over it.
pub(super) struct Session {
    stream: UnixStream,
    dialogue: Dialogue,
    /// When it is given up, `CLOCK_MONOTONIC` nanoseconds.
    pub(super) deadline_ns: u64,
}

impl Session {
    /// Connects, or fails at once. `pid` must be the process that listens: a socket of the same path that belongs to
    /// somebody else is another VM's, or a trap.
    pub(super) fn open(path: &Path, pid: i32, dialogue: Dialogue, deadline_ns: u64) -> Result<Self, Failure> {
        let failed = |errno| Failure::from_errno(errno, path);
        let address = UnixAddr::new(path).map_err(failed)?;
        let flags = SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC;
        let descriptor = socket(AddressFamily::Unix, SockType::Stream, flags, None).map_err(failed)?;
        connect(descriptor.as_raw_fd(), &address).map_err(failed)?;
        let listener = getsockopt(&descriptor, sockopt::PeerCredentials).map_err(failed)?.pid();
        if listener != pid {
            return Err(Failure::refused(format!(
                "{} is listened on by process {listener}, not by the VMM, process {pid}",
                path.display()
            )));
        }
        let mut session = Self { stream: UnixStream::from(descriptor), dialogue, deadline_ns };
        session.send()?;
        Ok(session)
    }

    /// Reads and answers what there is. `true` when the conversation is over.
    pub(super) fn pump(&mut self) -> Result<bool, Failure> {
        let mut chunk = [0; CHUNK_BYTES];
        let mut received = 0;
        while received < CALL_BYTES_MAX {
            match self.stream.read(&mut chunk) {
                Ok(0) => {
                    return Err(Failure::refused(format!(
                        "it hung up while {} was waited for",
                        self.dialogue.waits_for()
                    )));
                }
                Ok(count) => {
                    received += count;
                    if self.dialogue.receive(&chunk[..count])? {
                        return Ok(true);
                    }
                    self.send()?;
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(broken(&error)),
            }
        }
        Ok(false)
    }

    fn send(&mut self) -> Result<(), Failure> {
        let outgoing = self.dialogue.outgoing();
        while !outgoing.is_empty() {
            match self.stream.write(outgoing) {
                Ok(count) => drop(outgoing.drain(..count)),
                // What is left goes out when the peer has said something more, or never, and then it is too late.
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(broken(&error)),
            }
        }
        Ok(())
    }

    /// What it means that the deadline has passed.
    pub(super) fn timeout(&self) -> Failure {
        if let Dialogue::Qmp(qmp) = &self.dialogue
            && !qmp.was_greeted()
        {
            return Failure::silent(
                "no greeting: another client holds the monitor, or the VMM's main loop hangs; give QEMU a second \
                 -qmp socket for this agent"
                    .into(),
            );
        }
        Failure::silent(format!("no answer to {} in time", self.dialogue.waits_for()))
    }

    pub(super) fn into_dialogue(self) -> Dialogue {
        self.dialogue
    }
}

impl AsFd for Session {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}

fn broken(error: &std::io::Error) -> Failure {
    let errno = Errno::from_raw(error.raw_os_error().unwrap_or(0));
    Failure::refused(format!("the connection broke: {}", errno.desc()))
}
