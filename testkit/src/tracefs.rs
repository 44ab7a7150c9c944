//! tracefs: where the kernel counts its tracepoints by itself, to hold other counts against.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use nix::mount::{MsFlags, mount};

use crate::error::{Doing, Result};

/// Its own place since Linux 4.1.
pub const DEFAULT_PLACE: &str = "/sys/kernel/tracing";

/// Makes sure that tracefs is mounted at its usual place, and says where that is. It stays mounted: other
/// tests use it too. Fails when it is not mounted and we may not, or the kernel has none.
pub fn mounted() -> Result<PathBuf> {
    let place = Path::new(DEFAULT_PLACE);
    if !place.join("events").is_dir() {
        mount(Some("none"), place, Some("tracefs"), MsFlags::empty(), None::<&str>)
            .doing(|| format!("mount tracefs at {DEFAULT_PLACE}"))?;
    }
    Ok(place.to_owned())
}

/// How often a tracepoint was passed on the whole host since this was made, counted by the kernel's tracer: perf
/// events have no part in it. Disturbs no other tracing; gone on drop.
#[derive(Debug)]
pub struct Passed {
    instance: PathBuf,
}

impl Passed {
    /// Begins to count `group/name`.
    pub fn start(tracepoint: &str) -> Result<Self> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("instances/bartizan-test-{}-{number}", std::process::id());
        let instance = mounted()?.join(name);
        fs::create_dir(&instance).doing(|| format!("make {}", instance.display()))?;
        let passed = Self { instance };
        // What is written is never read, only counted: the smallest buffer there is will do.
        passed.write("buffer_size_kb", "1")?;
        passed.write(&format!("events/{tracepoint}/enable"), "1")?;
        Ok(passed)
    }

    /// The count until now.
    pub fn count(&self) -> Result<u64> {
        let folder = self.instance.join("per_cpu");
        let mut sum = 0;
        for cpu in fs::read_dir(&folder).doing(|| format!("list {}", folder.display()))? {
            let path = cpu.doing(|| format!("list {}", folder.display()))?.path().join("stats");
            let text = fs::read_to_string(&path).doing(|| format!("read {}", path.display()))?;
            sum += text.lines().filter_map(of_stats).sum::<u64>();
        }
        Ok(sum)
    }

    fn write(&self, file: &str, text: &str) -> Result<()> {
        let path = self.instance.join(file);
        fs::write(&path, text).doing(|| format!("write {text} to {}", path.display()))
    }
}

impl Drop for Passed {
    fn drop(&mut self) {
        // Also turns its events off. Nothing can be done about a failure here.
        let _gone = fs::remove_dir(&self.instance);
    }
}

/// What a line of a CPU's `stats` adds to the events there were: those in the buffer, those that newer ones took the
/// place of, and those that found none.
fn of_stats(line: &str) -> Option<u64> {
    let (key, value) = line.split_once(':')?;
    matches!(key, "entries" | "overrun" | "commit overrun" | "dropped events")
        .then(|| value.trim().parse().ok())
        .flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_event_counts_wherever_it_went() {
        let stats = "entries: 3\noverrun: 4\ncommit overrun: 0\nbytes: 96\noldest event ts: 1.000000\nnow ts: 2.000000\ndropped events: 5\nread events: 0\n";
        assert_eq!(stats.lines().filter_map(of_stats).sum::<u64>(), 12);
    }
}
