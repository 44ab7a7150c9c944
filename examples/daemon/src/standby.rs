//! Being the one active agent of a state folder, or waiting to become it.
//!
//! Nobody takes over before the active one is known to be dead: the kernel holds its lease until then. One that has
//! merely stopped (`SIGSTOP`, a debugger, a loop that hangs) is killed first, after its heart was seen not to beat for
//! `--fence-after`, and only its confirmed end lets the standby in. Where it may not be killed, nobody takes over, and
//! that is said.

use crate::exit::{Code, Failure};
use crate::notify::Notifier;
use crate::signals::{Request, Signals};
use bartizan_core::ledger::{Kind, RealDisk, read};
use bartizan_core::recovery::lease::{Holder, Lease, Watcher, Who};
use bartizan_core::sampling::discovery::process::Process;
use bartizan_core::sys::clock::Clock;
use bartizan_core::sys::pidfd;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use serde_json::Value;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How often the active one's heart is looked at; its death is noticed at once.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// ... and how often the lease is tried where its process cannot be watched.
const TRY_EVERY: Duration = Duration::from_millis(100);
/// A heart that has not begun to beat gets so much longer: opening a ledger on a slow disk takes its time.
const STARTING_FACTOR: u32 = 6;

/// What comes of waiting.
pub enum Waited {
    /// This process is the active one. Says when it knew that it could be.
    Active(Arc<Lease>, Instant),
    /// Somebody asked it to end.
    Stopped,
}

/// How to wait.
pub struct Standby<'a> {
    /// The state folder.
    pub folder: &'a Path,
    /// An active one whose heart stands still for so long is killed; never when `None`.
    pub fence_after: Option<Duration>,
    /// Requests of the service manager.
    pub signals: &'a Signals,
    /// Told that this is a standby.
    pub notifier: &'a mut Notifier,
}

/// Becomes the active one.
///
/// # Errors
/// [`Code::Unavailable`] when another process is.
pub fn take_post(folder: &Path) -> Result<Arc<Lease>, Failure> {
    let watcher = watcher(folder)?;
    match try_take(folder, watcher, own_start_ticks())? {
        Ok(lease) => Ok(Arc::new(lease)),
        Err(watcher) => {
            let by = watcher.holder().ok().flatten();
            let by = by.map_or_else(String::new, |holder| format!(" (process {})", holder.pid));
            Err(Failure::new(
                Code::Unavailable,
                format!(
                    "{}: another agent is active here{by}; add --standby to wait for its end",
                    folder.display()
                ),
            ))
        }
    }
}

impl Standby<'_> {
    /// Waits until this process is the active one. `each` is called with whoever is active when that becomes known or
    /// changes, and with `None` when the configuration is to be loaded again.
    ///
    /// # Errors
    /// When the lease cannot be read or taken.
    pub fn wait(
        &mut self,
        each: &mut dyn FnMut(Option<&Holder>) -> Result<(), Failure>,
    ) -> Result<Waited, Failure> {
        let mut watcher = watcher(self.folder)?;
        let mut active: Option<Active> = None;
        let mut looks = 0;
        let start_ticks = own_start_ticks();
        loop {
            let began = Instant::now();
            watcher = match try_take(self.folder, watcher, start_ticks)? {
                Ok(lease) => return Ok(Waited::Active(Arc::new(lease), began)),
                Err(watcher) => watcher,
            };
            looks += 1;
            self.notifier.alive(looks, began);
            let holder = watcher.holder().map_err(|error| failure(self.folder, &error))?;
            if active.as_ref().map(|active| active.holder) != holder || active.is_none() {
                active = holder.map(Active::new);
                if let Some(active) = &active {
                    each(Some(&active.holder))?;
                    self.notifier.ready(&format!("standby; process {} is active", active.holder.pid));
                }
            }
            if let Some(active) = &mut active {
                let beat = watcher.beat().map_err(|error| failure(self.folder, &error))?;
                active.look(beat, began, self.fence_after, self.notifier);
            }
            match self.sleep(active.as_ref())? {
                Some(Request::Stop) => return Ok(Waited::Stopped),
                Some(Request::Reload { .. }) => {
                    self.notifier.reloading();
                    each(None)?;
                    let by = active.as_ref().map_or(0, |active| active.holder.pid);
                    self.notifier.ready(&format!("standby; process {by} is active"));
                }
                None => {}
            }
        }
    }

    /// Sleeps until the active one ends, a signal comes, or it is time to look.
    fn sleep(&self, active: Option<&Active>) -> Result<Option<Request>, Failure> {
        let pidfd = active.and_then(|active| active.pidfd.as_ref());
        let mut fds = vec![PollFd::new(self.signals.as_fd(), PollFlags::POLLIN)];
        fds.extend(pidfd.map(|pidfd| PollFd::new(pidfd.as_fd(), PollFlags::POLLIN)));
        let time = if pidfd.is_some() { LOOK_EVERY } else { TRY_EVERY };
        match poll(&mut fds, PollTimeout::try_from(time).unwrap_or(PollTimeout::MAX)) {
            Ok(_) | Err(nix::errno::Errno::EINTR) => Ok(self.signals.next()),
            Err(errno) => Err(Failure::new(Code::Os, format!("waiting failed: {errno}"))),
        }
    }
}

/// The active one, as seen from here.
struct Active {
    holder: Holder,
    /// `None` when its process cannot be watched: it ended, or is one of another PID namespace.
    pidfd: Option<OwnedFd>,
    beat: Option<u64>,
    /// How long its heart was seen to stand still. Time in which nobody looked does not count.
    silent: Duration,
    looked: Option<Instant>,
    complained: bool,
}

impl Active {
    fn new(holder: Holder) -> Self {
        let pid = i32::try_from(holder.pid).unwrap_or(-1);
        // The descriptor first: after it is known to be of the right process, it stays so.
        let pidfd = pidfd::open(pid).ok().filter(|_| start_ticks(pid) == Some(holder.start_ticks));
        Self { holder, pidfd, beat: None, silent: Duration::ZERO, looked: None, complained: false }
    }

    /// Looks at its heart, and kills it when that has stood still for too long.
    fn look(
        &mut self,
        beat: Option<u64>,
        now: Instant,
        fence_after: Option<Duration>,
        notifier: &mut Notifier,
    ) {
        let since = self.looked.replace(now).map_or(Duration::ZERO, |looked| now.duration_since(looked));
        if beat != self.beat {
            if self.complained {
                self.complained = false;
                log::warn!("process {} is alive again", self.holder.pid);
                notifier.status(&format!("standby; process {} is active", self.holder.pid));
            }
            (self.beat, self.silent) = (beat, Duration::ZERO);
            return;
        }
        // Who slept through a minute has not seen a minute of silence.
        self.silent += since.min(2 * LOOK_EVERY);
        let Some(fence_after) = fence_after else { return };
        let patience = if beat.is_some() { fence_after } else { fence_after * STARTING_FACTOR };
        if self.silent < patience {
            return;
        }
        let pid = self.holder.pid;
        let killed = self.pidfd.as_ref().map(|pidfd| pidfd::kill(pidfd.as_fd()));
        let text = match killed {
            Some(Ok(()) | Err(nix::errno::Errno::ESRCH)) => {
                format!(
                    "process {pid} has not sampled for {:?} and was killed; its end is waited for",
                    self.silent
                )
            }
            Some(Err(errno)) => {
                format!(
                    "process {pid} has not sampled for {:?} and cannot be killed: {errno}; nobody samples",
                    self.silent
                )
            }
            None => format!(
                "the active agent has not sampled for {:?} and its process is not to be seen",
                self.silent
            ),
        };
        if !self.complained {
            self.complained = true;
            log::error!("{text}");
            notifier.status(&format!("standby; {text}"));
        }
    }
}

fn watcher(folder: &Path) -> Result<Watcher, Failure> {
    Watcher::open(folder).map_err(|error| Failure::output(folder, &error))
}

fn failure(folder: &Path, error: &std::io::Error) -> Failure {
    Failure::new(Code::Io, format!("the lease in {}: {error}", folder.display()))
}

fn try_take(folder: &Path, watcher: Watcher, start_ticks: u64) -> Result<Result<Lease, Watcher>, Failure> {
    let holder = watcher.holder().map_err(|error| failure(folder, &error))?;
    let who = Who {
        pid: std::process::id(),
        start_ticks,
        // The file knows, unless it is new or was damaged.
        token_min: if holder.is_some() { 0 } else { token_recorded(folder) },
        now_wall_ns: Clock::System.wall_ns(),
    };
    watcher.try_take(who).map_err(|error| failure(folder, &error))
}

/// The highest token that the ledger knows.
fn token_recorded(folder: &Path) -> u64 {
    let mut token = 0;
    // A ledger that cannot be read is not opened either, and says why.
    let _ = read(Arc::new(RealDisk::new(folder)), 0, |record| {
        if record.kind == Kind::LEASE
            && let Ok(lease) = serde_json::from_slice::<Value>(record.payload)
        {
            token = token.max(lease["token"].as_u64().unwrap_or(0));
        }
    });
    token
}

fn own_start_ticks() -> u64 {
    i32::try_from(std::process::id()).ok().and_then(start_ticks).unwrap_or(0)
}

fn start_ticks(pid: i32) -> Option<u64> {
    Some(Process::new(Path::new("/proc"), pid).stat().ok()?.start_ticks)
}
