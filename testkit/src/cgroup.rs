//! A cgroup of one's own, in the v2 hierarchy or in a v1 controller's; gone on drop.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use crate::error::{Doing, Error, Result};
use crate::proc;

/// How long the kernel may take to freeze, thaw or empty a cgroup.
const LIMIT: Duration = Duration::from_secs(20);

/// Which hierarchy a cgroup is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Version {
    V1,
    V2,
}

/// A cgroup. On drop it is thawed, its processes go to the hierarchy's root, and it is removed.
#[derive(Debug)]
pub struct Cgroup {
    version: Version,
    root: PathBuf,
    path: PathBuf,
}

impl Cgroup {
    /// Makes a cgroup in the v2 hierarchy, wherever that is mounted (on a hybrid host it has no controllers,
    /// but `cpu.stat`, the freezer and, with PSI, pressure).
    pub fn v2(name: &str) -> Result<Self> {
        Self::make(Version::V2, mount_point("cgroup2", None)?, name)
    }

    /// Makes a cgroup in the v1 hierarchy of `controller` (`cpu`, `cpuacct`, `freezer`, `memory`, …).
    pub fn v1(controller: &str, name: &str) -> Result<Self> {
        Self::make(Version::V1, mount_point("cgroup", Some(controller))?, name)
    }

    /// Its folder.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What `/proc/PID/cgroup` says of a member: the path below the hierarchy's root.
    #[must_use]
    pub fn name(&self) -> String {
        let below = self.path.strip_prefix(&self.root).unwrap_or(&self.path);
        format!("/{}", below.display())
    }

    /// Puts a process, with all its threads, into it.
    pub fn add(&self, pid: u32) -> Result<()> {
        self.write("cgroup.procs", &pid.to_string())
    }

    /// Freezes it, and waits until the kernel says that all in it is frozen. The controller must be `freezer`
    /// in v1. Mind that a process frozen by v1 does not even die: thaw or drop the cgroup first.
    pub fn freeze(&self) -> Result<()> {
        match self.version {
            Version::V1 => self.write("freezer.state", "FROZEN")?,
            Version::V2 => self.write("cgroup.freeze", "1")?,
        }
        self.wait_until_frozen(true)
    }

    /// Thaws it, and waits until the kernel says so.
    pub fn thaw(&self) -> Result<()> {
        match self.version {
            Version::V1 => self.write("freezer.state", "THAWED")?,
            Version::V2 => self.write("cgroup.freeze", "0")?,
        }
        self.wait_until_frozen(false)
    }

    /// Lets it run for `quota_us` of every `period_us` microseconds (1,000 to 1,000,000). Needs the controller
    /// `cpu`.
    pub fn set_cpu_quota(&self, quota_us: u32, period_us: u32) -> Result<()> {
        match self.version {
            Version::V1 => {
                self.write("cpu.cfs_period_us", &period_us.to_string())?;
                self.write("cpu.cfs_quota_us", &quota_us.to_string())
            }
            Version::V2 => self.write("cpu.max", &format!("{quota_us} {period_us}")),
        }
    }

    /// Reads one of its files.
    pub fn read(&self, file: &str) -> Result<String> {
        let path = self.path.join(file);
        fs::read_to_string(&path).doing(|| format!("read {}", path.display()))
    }

    /// Writes one of its files.
    pub fn write(&self, file: &str, text: &str) -> Result<()> {
        let path = self.path.join(file);
        // Opened for writing only: `fs::write` would create what is not there, with a less helpful error.
        fs::OpenOptions::new()
            .write(true)
            .open(&path)
            .and_then(|mut file| std::io::Write::write_all(&mut file, text.as_bytes()))
            .doing(|| format!("write {text} to {}", path.display()))
    }

    fn make(version: Version, root: PathBuf, name: &str) -> Result<Self> {
        static COUNTER: AtomicU32 = AtomicU32::new(0);
        let number = COUNTER.fetch_add(1, Ordering::Relaxed);
        let path = root.join(format!("bartizan-test-{name}-{}-{number}", std::process::id()));
        fs::create_dir(&path).doing(|| format!("make cgroup {}", path.display()))?;
        Ok(Self { version, root, path })
    }

    fn wait_until_frozen(&self, wanted: bool) -> Result<()> {
        let is = || match self.version {
            Version::V1 => self.read("freezer.state").map(|state| state.trim() == "FROZEN"),
            Version::V2 => self.read("cgroup.events").map(|events| events.lines().any(|l| l == "frozen 1")),
        };
        if proc::wait_until(LIMIT, || is().is_ok_and(|frozen| frozen == wanted)) {
            return Ok(());
        }
        let verb = if wanted { "freeze" } else { "thaw" };
        Err(Error::new(format!("{verb} {}", self.path.display()), format!("frozen: {:?}", is())))
    }

    fn remove(&self) -> Result<()> {
        if self.path.join("freezer.state").exists() || self.path.join("cgroup.freeze").exists() {
            self.thaw()?;
        }
        let mut outcome = Ok(());
        proc::wait_until(LIMIT, || {
            for pid in self.read("cgroup.procs").unwrap_or_default().lines() {
                // A process that has just ended is in no need of moving.
                let _ended = fs::write(self.root.join("cgroup.procs"), pid);
            }
            outcome = fs::remove_dir(&self.path);
            outcome.is_ok()
        });
        outcome.doing(|| format!("remove cgroup {}", self.path.display()))
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        if let Err(error) = self.remove() {
            eprintln!("left behind: {error}");
        }
    }
}

/// Where a cgroup hierarchy is mounted, from `/proc/self/mountinfo`; v1 by the controller among its options.
fn mount_point(kind: &str, controller: Option<&str>) -> Result<PathBuf> {
    let table = fs::read_to_string("/proc/self/mountinfo").doing(|| "read /proc/self/mountinfo")?;
    find_mount(&table, kind, controller).ok_or_else(|| {
        Error::new(
            format!("find the {kind} hierarchy"),
            format!("not mounted ({})", controller.unwrap_or("v2")),
        )
    })
}

fn find_mount(table: &str, kind: &str, controller: Option<&str>) -> Option<PathBuf> {
    table.lines().find_map(|line| {
        let (mount, system) = line.split_once(" - ")?;
        let mut system = system.split(' ');
        let of_kind = system.next()? == kind;
        let options = system.nth(1)?;
        let of_controller = controller.is_none_or(|wanted| options.split(',').any(|option| option == wanted));
        (of_kind && of_controller).then(|| mount.split(' ').nth(4).map(PathBuf::from))?
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hierarchies_are_told_apart() {
        let table = "30 25 0:26 / /sys/fs/cgroup/cpu rw,relatime shared:9 - cgroup cgroup rw,cpu,cpuacct\n\
                     31 25 0:27 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw,nsdelegate\n";
        let found = |kind, controller| find_mount(table, kind, controller);
        assert_eq!(found("cgroup2", None), Some("/sys/fs/cgroup/unified".into()));
        assert_eq!(found("cgroup", Some("cpuacct")), Some("/sys/fs/cgroup/cpu".into()));
        assert_eq!(found("cgroup", Some("memory")), None);
    }
}
