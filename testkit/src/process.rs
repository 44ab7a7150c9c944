//! A child process that can be frozen, thawed and killed; what QEMU and the mini VMM have in common.

use std::process::Child;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::error::{Doing, Error, Result};
use crate::{proc, spawn};

/// How long a change of state may take on a machine however loaded.
const LIMIT: Duration = Duration::from_mins(1);

/// A child process; killed and reaped on drop.
#[derive(Debug)]
pub struct Process {
    child: Child,
}

impl Process {
    pub(crate) fn new(child: Child) -> Self {
        Self { child }
    }

    pub(crate) fn child(&mut self) -> &mut Child {
        &mut self.child
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Stops the whole process (SIGSTOP), and waits until the kernel says that it is stopped.
    pub fn freeze(&self) -> Result<()> {
        self.signal(Signal::SIGSTOP)?;
        self.wait_for_state("stop", |state| state == 'T')
    }

    /// Lets a frozen process go on (SIGCONT), and waits until it is no longer stopped.
    pub fn thaw(&self) -> Result<()> {
        self.signal(Signal::SIGCONT)?;
        self.wait_for_state("go on", |state| state != 'T')
    }

    /// Kills it (SIGKILL) without reaping it: it stays a zombie until the handle is dropped.
    pub fn kill9_unreaped(&self) -> Result<()> {
        self.signal(Signal::SIGKILL)?;
        self.wait_for_state("die", |state| state == 'Z')
    }

    /// Whether it is still there; reaps it when it has ended.
    pub fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    fn signal(&self, signal: Signal) -> Result<()> {
        let pid = self.pid();
        let raw = i32::try_from(pid).map_err(|_| Error::new("send a signal", "pid beyond i32"))?;
        kill(Pid::from_raw(raw), signal).doing(|| format!("send {signal} to {pid}"))
    }

    fn wait_for_state(&self, verb: &str, reached: impl Fn(char) -> bool) -> Result<()> {
        let pid = self.pid();
        if proc::wait_until(LIMIT, || proc::state(pid).is_ok_and(&reached)) {
            return Ok(());
        }
        Err(Error::new(format!("wait for {pid} to {verb}"), format!("state is {:?}", proc::state(pid))))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        spawn::kill_and_reap(&mut self.child);
    }
}
