//! The hands: what actions do to a real host, and what can be seen of them afterwards.
//!
//! | action | reads and writes |
//! |---|---|
//! | `throttle-cpu`, `throttle-io`, `freeze`, `confine` | the VM's own cgroup, v2 or v1: [`cgroup`] |
//! | `cut-network` | one table in nftables: [`netfilter`] |
//! | `pause`, `dump-memory`, `copy-disks` | the QMP socket: [`monitor`] |
//! | `restart`, `run` | programs of the operator: [`command`] |
//!
//! Everything here may block, up to a deadline: it belongs on a thread of its own, never in a tick.

mod cgroup;
mod command;
mod monitor;
mod netfilter;

use super::action::{Action, Target, Undo};
use crate::config::Roots;
use crate::sampling::discovery::process::Process;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// Why an action was not taken, or not taken back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// The VM is not this process any more. Nothing was done.
    Gone,
    /// It cannot be done here, and nothing was done: says why.
    Refused(String),
    /// It was tried and failed, or its time was up: says what.
    Failed(String),
}

impl std::fmt::Display for Trouble {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Gone => f.write_str("the VM's process is gone"),
            Self::Refused(why) | Self::Failed(why) => f.write_str(why),
        }
    }
}

impl std::error::Error for Trouble {}

/// What the host says of an action.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It is in force; with what was read.
    InForce(String),
    /// It is not; with what was read.
    NotInForce(String),
    /// It cannot be told, and why.
    Unknown(String),
}

/// What came of taking an action back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Undone {
    /// It is as it was before; with what was read.
    Restored(String),
    /// Somebody else changed it meanwhile, and it was left as it is; with what was read.
    LeftToOthers(String),
}

/// When the time for something is up.
#[derive(Clone, Copy, Debug)]
pub struct Deadline(Instant);

impl Deadline {
    /// So long from now.
    #[must_use]
    pub fn after(time: Duration) -> Self {
        Self(Instant::now() + time)
    }

    /// What is left.
    #[must_use]
    pub fn left(&self) -> Duration {
        self.0.saturating_duration_since(Instant::now())
    }

    /// Looks again and again until something is there or the time is up.
    pub(super) fn poll<T>(&self, mut look: impl FnMut() -> Option<T>) -> Option<T> {
        const LOOK_EVERY: Duration = Duration::from_millis(5);
        loop {
            if let Some(found) = look() {
                return Some(found);
            }
            let left = self.left();
            if left.is_zero() {
                return None;
            }
            std::thread::sleep(left.min(LOOK_EVERY));
        }
    }
}

/// Where the host is, and its tools.
#[derive(Clone, Debug)]
pub struct Hands {
    /// The host's folders.
    pub roots: Roots,
    /// The program `nft`.
    pub nft: PathBuf,
    /// The program `nsenter`, for VMs in a network namespace of their own.
    pub nsenter: PathBuf,
}

impl Default for Hands {
    fn default() -> Self {
        Self { roots: Roots::default(), nft: "nft".into(), nsenter: "nsenter".into() }
    }
}

impl Hands {
    /// Reads how an action on a VM would be taken back, without doing anything. To be recorded before [`Self::apply`].
    /// This is also the dry run: an action that cannot be taken says so here.
    ///
    /// # Errors
    /// The VM is gone, or the action cannot be taken.
    pub fn prepare(&self, action: &Action, target: &Target, deadline: Deadline) -> Result<Undo, Trouble> {
        if !matches!(action, Action::Restart { .. } | Action::Notify { .. }) {
            self.fence(target)?;
        }
        match action {
            Action::ThrottleCpu { percent } => cgroup::plan_cpu(self, target, *percent),
            Action::ThrottleIo { bytes_per_s } => cgroup::plan_io(self, target, *bytes_per_s),
            Action::Freeze => cgroup::plan_freeze(self, target),
            Action::Confine { cgroup } => cgroup::plan_confine(self, target, cgroup),
            Action::CutNetwork => netfilter::plan(self, target, deadline),
            Action::Pause => monitor::plan_pause(target, deadline),
            Action::DumpMemory { folder } | Action::CopyDisks { folder } => {
                monitor::plan_files(target, folder)
            }
            Action::Restart { command } => {
                self.fence_dead(target)?;
                command::plan(command).map(|()| Undo::Nothing)
            }
            Action::Run { command, undo, .. } => {
                command::plan(command)?;
                Ok(if undo.is_empty() { Undo::Nothing } else { Undo::Run(undo.clone()) })
            }
            Action::Notify { .. } => Ok(Undo::Nothing),
        }
    }

    /// Takes an action, as prepared; `id` names it to the operator's commands, so that they can tell a repetition.
    ///
    /// # Errors
    /// The VM is gone, or it failed.
    pub fn apply(
        &self,
        action: &Action,
        target: &Target,
        undo: &Undo,
        id: &str,
        deadline: Deadline,
    ) -> Result<(), Trouble> {
        match action {
            Action::Restart { command } => {
                self.fence_dead(target)?;
                return command::run(command, target, id, deadline).map(drop);
            }
            Action::Notify { .. } => return Ok(()),
            _ => self.fence(target)?,
        }
        match (action, undo) {
            (Action::ThrottleCpu { .. } | Action::ThrottleIo { .. }, Undo::Limits(limits)) => {
                cgroup::write_limits(self, target, limits)
            }
            (Action::Freeze, Undo::Thaw) => cgroup::freeze(self, target, deadline),
            (Action::Confine { cgroup }, Undo::Return { .. }) => cgroup::confine(self, target, cgroup),
            (Action::CutNetwork, Undo::Reconnect(taps)) => netfilter::cut(self, target, taps, deadline),
            (Action::Pause, Undo::Resume) => monitor::pause(target, deadline),
            (Action::DumpMemory { folder }, _) => monitor::dump_memory(target, folder, id, deadline),
            (Action::CopyDisks { folder }, _) => monitor::copy_disks(target, folder, id, deadline),
            (Action::Run { command, .. }, _) => command::run(command, target, id, deadline).map(drop),
            // What was in force before is nothing to do.
            (_, Undo::Nothing) => Ok(()),
            _ => Err(Trouble::Refused(format!("{} was not prepared this way", action.name()))),
        }
    }

    /// Reads back whether an action is in force.
    ///
    /// # Errors
    /// The VM is gone.
    pub fn verify(
        &self,
        action: &Action,
        target: &Target,
        undo: &Undo,
        id: &str,
        deadline: Deadline,
    ) -> Result<Standing, Trouble> {
        if !matches!(action, Action::Restart { .. } | Action::Notify { .. }) {
            self.fence(target)?;
        }
        Ok(match (action, undo) {
            (_, Undo::Limits(limits)) => cgroup::verify_limits(self, target, limits),
            (Action::Freeze, _) => cgroup::verify_freeze(self, target),
            (Action::Confine { cgroup }, _) => cgroup::verify_confine(self, target, cgroup),
            (Action::CutNetwork, Undo::Reconnect(taps)) => netfilter::verify(self, target, taps, deadline),
            (Action::Pause, _) => monitor::verify_pause(target, deadline),
            (Action::DumpMemory { folder } | Action::CopyDisks { folder }, _) => {
                monitor::verify_files(folder, id)
            }
            (Action::Run { verify, .. }, _) => command::verify(verify, target, id, deadline),
            (Action::Restart { .. }, _) => {
                Standing::Unknown("whether a VM came back is seen by discovery".to_owned())
            }
            (Action::ThrottleCpu { .. } | Action::ThrottleIo { .. } | Action::CutNetwork, _) => {
                Standing::InForce("it was in force before".to_owned())
            }
            (Action::Notify { .. }, _) => Standing::InForce("told".to_owned()),
        })
    }

    /// Takes an action back. May be called again.
    ///
    /// # Errors
    /// The VM is gone, which leaves nothing to take back except for its network, or it failed.
    pub fn undo(
        &self,
        target: &Target,
        undo: &Undo,
        id: &str,
        deadline: Deadline,
    ) -> Result<Undone, Trouble> {
        // Chains outlive the VM, and the next VM may get a tap of the same name.
        if let Undo::Reconnect(taps) = undo {
            return netfilter::reconnect(self, target, taps, deadline);
        }
        self.fence(target)?;
        match undo {
            Undo::Nothing | Undo::Reconnect(_) => Ok(Undone::Restored("nothing to take back".to_owned())),
            Undo::Limits(limits) => cgroup::restore_limits(self, target, limits),
            Undo::Thaw => cgroup::thaw(self, target, deadline),
            Undo::Return { cgroup } => cgroup::give_back(self, target, cgroup),
            Undo::Resume => monitor::resume(target, deadline),
            Undo::Run(command) => command::run(command, target, id, deadline)
                .map(|said| Undone::Restored(said.replace('\n', " "))),
        }
    }

    /// The VM is still the process that was decided about.
    fn fence(&self, target: &Target) -> Result<(), Trouble> {
        match Process::new(&self.roots.proc, target.pid).stat() {
            Ok(stat) if stat.start_ticks == target.start_ticks && !matches!(stat.state, b'Z' | b'X') => {
                Ok(())
            }
            Ok(_) => Err(Trouble::Gone),
            Err(error) if matches!(error.kind(), std::io::ErrorKind::NotFound) => Err(Trouble::Gone),
            // ESRCH: it ended while it was read.
            Err(error) if error.raw_os_error() == Some(nix::errno::Errno::ESRCH as i32) => Err(Trouble::Gone),
            Err(error) => {
                Err(Trouble::Refused(format!("process {} cannot be looked at: {error}", target.pid)))
            }
        }
    }

    /// The VM's process is certainly no more.
    fn fence_dead(&self, target: &Target) -> Result<(), Trouble> {
        match self.fence(target) {
            Err(Trouble::Gone) => Ok(()),
            Ok(()) => Err(Trouble::Refused(format!("process {} of the VM is still there", target.pid))),
            Err(unknown) => Err(unknown),
        }
    }
}

#[cfg(test)]
mod tests;
