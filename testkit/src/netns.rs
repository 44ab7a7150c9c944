//! A network namespace of one's own, with taps and veth pairs; gone on drop. Made with iproute2's `ip`.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::error::{Doing, Error, Result};
use crate::spawn;

/// A named network namespace, its loopback up.
#[derive(Debug)]
pub struct Netns {
    name: String,
    path: PathBuf,
}

impl Netns {
    /// Makes a namespace with a name that no other test has.
    pub fn new() -> Result<Self> {
        static COUNTER: AtomicU32 = AtomicU32::new(0);
        let number = COUNTER.fetch_add(1, Ordering::Relaxed);
        let name = format!("btz-{}-{number}", std::process::id());
        ip(&["netns", "add", &name])?;
        let namespace = Self { path: Path::new("/run/netns").join(&name), name };
        namespace.ip(&["link", "set", "lo", "up"])?;
        Ok(namespace)
    }

    /// Its name, for `ip netns`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The file that stands for it, for `setns`, [`crate::qemu::Builder::netns`] and the like.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Makes a tap device in it and sets it up.
    pub fn add_tap(&self, interface: &str) -> Result<()> {
        self.ip(&["tuntap", "add", "dev", interface, "mode", "tap"])?;
        self.ip(&["link", "set", interface, "up"])
    }

    /// Makes a pair of connected devices in it and sets both up.
    pub fn add_veth(&self, one: &str, other: &str) -> Result<()> {
        self.ip(&["link", "add", one, "type", "veth", "peer", "name", other])?;
        self.ip(&["link", "set", one, "up"])?;
        self.ip(&["link", "set", other, "up"])
    }

    /// Runs `ip` with these arguments inside it.
    pub fn ip(&self, arguments: &[&str]) -> Result<()> {
        ip(&[&["-n", &self.name], arguments].concat())
    }

    /// Has `command` run in it.
    pub fn enter(&self, command: &mut Command) -> Result<()> {
        spawn::enter_netns(command, &self.path)
    }

    /// Runs `work` on a thread of its own that is in it, and gives the result. `/proc/net` and
    /// `/proc/thread-self/net` are then the namespace's; `/proc/self/net` is the main thread's and is not.
    ///
    /// # Panics
    /// When `work` does.
    pub fn run<T: Send>(&self, work: impl FnOnce() -> T + Send) -> Result<T> {
        let namespace = std::fs::File::open(&self.path).doing(|| format!("open {}", self.path.display()))?;
        std::thread::scope(|scope| {
            let thread = scope.spawn(|| {
                nix::sched::setns(&namespace, nix::sched::CloneFlags::CLONE_NEWNET)
                    .doing(|| format!("enter {}", self.path.display()))?;
                Ok(work())
            });
            thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }
}

impl Drop for Netns {
    fn drop(&mut self) {
        if let Err(error) = ip(&["netns", "del", &self.name]) {
            eprintln!("left behind: {error}");
        }
    }
}

fn ip(arguments: &[&str]) -> Result<()> {
    let what = || format!("ip {}", arguments.join(" "));
    let output = Command::new("ip").args(arguments).output().doing(what)?;
    if output.status.success() {
        return Ok(());
    }
    Err(Error::new(what(), String::from_utf8_lossy(&output.stderr).trim()))
}
