//! Signals as events: blocked in every thread, read from one descriptor.

use crate::exit::{Code, Failure};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use std::os::fd::{AsFd, BorrowedFd};

/// What a signal asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Request {
    /// SIGINT or SIGTERM: end.
    Stop,
    /// SIGHUP: load the configuration again.
    Reload {
        /// The process that asks.
        pid: u32,
        /// Its user.
        uid: u32,
    },
}

/// The signals that wait.
pub struct Signals {
    descriptor: SignalFd,
}

impl Signals {
    /// Blocks SIGINT, SIGTERM and SIGHUP in this thread and those it starts from now on, to be read here instead.
    ///
    /// # Errors
    /// When the kernel refuses the descriptor.
    pub fn block() -> Result<Self, Failure> {
        let mut set = SigSet::empty();
        for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
            set.add(signal);
        }
        let refused = |errno| Failure::new(Code::Os, format!("signals cannot be read: {errno}"));
        set.thread_block().map_err(refused)?;
        let descriptor =
            SignalFd::with_flags(&set, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK).map_err(refused)?;
        Ok(Self { descriptor })
    }

    /// The oldest request that waits, if any. Never blocks.
    #[must_use]
    pub fn next(&self) -> Option<Request> {
        let info = self.descriptor.read_signal().ok().flatten()?;
        let signal = i32::try_from(info.ssi_signo).ok()?;
        let reload = Request::Reload { pid: info.ssi_pid, uid: info.ssi_uid };
        Some(if signal == Signal::SIGHUP as i32 { reload } else { Request::Stop })
    }
}

impl AsFd for Signals {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
    }
}
