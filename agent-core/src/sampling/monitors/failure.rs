//! Why a monitor did not answer, and what that makes of its values.

use crate::sampling::availability::Availability;
use nix::errno::Errno;
use std::path::Path;

/// What a monitor does at present: the values of the metric `vm_monitor_state`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// It answered in the last round.
    Answers = 1,
    /// It let us in, or its queue took us, but it said nothing in time.
    Silent = 2,
    /// Nobody listens, or somebody else's process does.
    Refused = 3,
    /// This process may not talk to it.
    Denied = 4,
    /// It spoke, but made no sense.
    Garbage = 5,
    /// The VMM is stopped or frozen: it was not asked.
    Stopped = 6,
}

/// One round that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Failure {
    pub(super) state: State,
    pub(super) reason: String,
}

impl Failure {
    pub(super) fn garbage(reason: String) -> Self {
        Self { state: State::Garbage, reason }
    }

    pub(super) fn silent(reason: String) -> Self {
        Self { state: State::Silent, reason }
    }

    pub(super) fn refused(reason: String) -> Self {
        Self { state: State::Refused, reason }
    }

    /// What a failed system call on the monitor's socket or file says.
    pub(super) fn from_errno(errno: Errno, path: &Path) -> Self {
        let path = path.display();
        match errno {
            Errno::EACCES | Errno::EPERM => Self {
                state: State::Denied,
                reason: format!(
                    "no permission for {path}: run as the VMM's user, or as one with CAP_DAC_OVERRIDE"
                ),
            },
            Errno::ENOENT => Self::refused(format!("{path} does not exist")),
            Errno::ECONNREFUSED => Self::refused(format!("nobody listens on {path}")),
            Errno::EAGAIN => {
                Self::silent(format!("the queue of {path} is full: another client holds the monitor"))
            }
            Errno::ENAMETOOLONG => Self::refused(format!("{path} is longer than a socket's path may be")),
            other => Self::refused(format!("{path}: {}", other.desc())),
        }
    }

    /// What becomes of the values. Those read once are kept, and marked as stale.
    pub(super) fn availability(&self, read_once: bool) -> Availability {
        match self.state {
            State::Denied => Availability::Denied,
            State::Garbage => Availability::Error,
            _ if read_once => Availability::Stale,
            State::Silent | State::Refused | State::Stopped => Availability::Unsupported,
            State::Answers => Availability::Pending,
        }
    }
}
