//! Where the host's files are: the real ones, or a recorded host's.

use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// Root folders, so that a recorded host can be looked at as if it were this one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Roots {
    /// `/proc`
    pub proc: PathBuf,
    /// `/sys`
    pub sys: PathBuf,
    /// Where cgroups are mounted: v2, v1 or the hybrid of both.
    pub cgroup: PathBuf,
    /// `/run`
    pub run: PathBuf,
    /// Where debugfs is mounted.
    pub debugfs: PathBuf,
    /// `/`: everything else, such as `/etc`, `/usr` and `/var`.
    pub root: PathBuf,
}

impl Default for Roots {
    fn default() -> Self {
        Self {
            proc: "/proc".into(),
            sys: "/sys".into(),
            cgroup: "/sys/fs/cgroup".into(),
            run: "/run".into(),
            debugfs: "/sys/kernel/debug".into(),
            root: "/".into(),
        }
    }
}

impl Roots {
    /// The roots of a recorded host below one folder.
    #[must_use]
    pub fn below(root: &std::path::Path) -> Self {
        Self {
            proc: root.join("proc"),
            sys: root.join("sys"),
            cgroup: root.join("sys/fs/cgroup"),
            run: root.join("run"),
            debugfs: root.join("sys/kernel/debug"),
            root: root.to_owned(),
        }
    }

    /// Whether these are this very host's: only then do pidfds, uevents and perf events speak of the same host.
    #[must_use]
    pub fn is_live(&self) -> bool {
        self.proc == std::path::Path::new("/proc")
    }
}
