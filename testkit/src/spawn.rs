//! Starts child processes that cannot outlive us.
//!
//! `PR_SET_PDEATHSIG` fires when the *thread* that forked dies, and each test runs on a thread of its own.
//! One thread that lives as long as the process therefore forks for all of them.

#![expect(unsafe_code, reason = "pre_exec runs between fork and exec")]

use std::fs::File;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command};
use std::sync::{Mutex, OnceLock, PoisonError, mpsc};
use std::time::{Duration, Instant};

use crate::error::{Doing, Result};

struct Request {
    command: Command,
    reply: mpsc::SyncSender<io::Result<Child>>,
}

/// Spawns `command`; the kernel kills the child when this process dies, however it dies.
pub(crate) fn spawn(mut command: Command) -> io::Result<Child> {
    static SPAWNER: OnceLock<Mutex<mpsc::Sender<Request>>> = OnceLock::new();
    let ours = std::process::id();
    // SAFETY: between fork and exec this calls prctl and getppid only, which are async-signal-safe.
    unsafe {
        command.pre_exec(move || {
            if libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) != 0 {
                return Err(io::Error::last_os_error());
            }
            // The parent may have died before the line above took effect.
            if u32::try_from(libc::getppid()) != Ok(ours) {
                return Err(io::Error::from_raw_os_error(libc::ESRCH));
            }
            Ok(())
        });
    }
    let spawner = SPAWNER.get_or_init(|| {
        let (sender, requests) = mpsc::channel::<Request>();
        std::thread::Builder::new()
            .name("testkit-spawner".into())
            .spawn(move || {
                for Request { mut command, reply } in requests {
                    // Whoever asked and went away has no use for the answer.
                    let _gone = reply.send(command.spawn());
                }
            })
            .map(|_detached| Mutex::new(sender))
            .expect("a thread that spawns the test's processes")
    });
    let (reply, answer) = mpsc::sync_channel(1);
    spawner
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .send(Request { command, reply })
        .map_err(|_| io::Error::other("the spawner thread is gone"))?;
    answer.recv().map_err(|_| io::Error::other("the spawner thread is gone"))?
}

/// Kills `child` and reaps it. Gives up after ten seconds: a process in a frozen v1 cgroup ignores SIGKILL.
pub(crate) fn kill_and_reap(child: &mut Child) {
    // An error here means that it has been reaped already.
    let _reaped = child.kill();
    let deadline = Instant::now() + Duration::from_secs(10);
    while matches!(child.try_wait(), Ok(None)) {
        if Instant::now() > deadline {
            eprintln!("pid {} does not die after SIGKILL (frozen cgroup?); left behind", child.id());
            return;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Has `command`'s process join the network namespace at `path` before it execs.
pub(crate) fn enter_netns(command: &mut Command, path: &Path) -> Result<()> {
    let namespace = File::open(path).doing(|| format!("open network namespace {}", path.display()))?;
    // SAFETY: between fork and exec this calls setns only, a bare system call.
    unsafe {
        command.pre_exec(move || {
            nix::sched::setns(&namespace, nix::sched::CloneFlags::CLONE_NEWNET).map_err(io::Error::from)
        });
    }
    Ok(())
}
