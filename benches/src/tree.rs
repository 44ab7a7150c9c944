//! A program with all the processes it starts: what they use together, and their end.

use crate::cpu::process_ns;
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, SysconfVar, sysconf};
use std::collections::HashMap;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How long a program may take to end before it is killed.
const END_LIMIT: Duration = Duration::from_secs(10);

/// A running program; it and its descendants, and nothing else, are ended when this is dropped.
pub struct Tree {
    child: Child,
}

/// What `/proc/PID/stat` says of a process.
struct Stat {
    parent: u32,
    /// CPU time of children that have ended and were waited for, in clock ticks.
    children_ticks: u64,
}

impl Tree {
    /// Starts a program that says nothing.
    ///
    /// # Errors
    /// In words, when it cannot be started.
    pub fn start(command: &mut Command) -> Result<Self, String> {
        let name = command.get_program().to_string_lossy().into_owned();
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0);
        Ok(Self { child: command.spawn().map_err(|error| format!("{name}: {error}"))? })
    }

    /// Whether the program itself still runs.
    pub fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// The program's process and all below it.
    fn pids(&self) -> Vec<u32> {
        let parents: HashMap<u32, u32> =
            all_pids().filter_map(|pid| Some((pid, stat(pid)?.parent))).collect();
        let root = self.child.id();
        let is_below = |mut pid: u32| {
            // As deep as any real tree; a cycle cannot be, but a PID may be given anew while this looks.
            for _ in 0..64 {
                if pid == root {
                    return true;
                }
                let Some(parent) = parents.get(&pid) else { return false };
                pid = *parent;
            }
            false
        };
        parents.keys().copied().filter(|pid| is_below(*pid)).collect()
    }

    /// CPU time of all of them, those included that have ended meanwhile, in nanoseconds.
    #[must_use]
    pub fn cpu_ns(&self) -> u64 {
        let hz = sysconf(SysconfVar::CLK_TCK).ok().flatten().and_then(|hz| u64::try_from(hz).ok());
        let tick_ns = 1_000_000_000 / hz.unwrap_or(100);
        let of = |pid| {
            let ended_ns = stat(pid).map_or(0, |stat| stat.children_ticks * tick_ns);
            process_ns(pid).unwrap_or(0) + ended_ns
        };
        self.pids().into_iter().map(of).sum()
    }

    /// Their memory, with shared pages divided among their users, in bytes.
    #[must_use]
    pub fn pss_bytes(&self) -> u64 {
        let of = |pid: u32| {
            let text = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?;
            let line = text.lines().find_map(|line| line.strip_prefix("Pss:"))?;
            line.split_whitespace().next()?.parse::<u64>().ok()
        };
        self.pids().into_iter().filter_map(of).sum::<u64>() * 1024
    }

    fn signal(pids: &[u32], signal: Signal) {
        for pid in pids.iter().filter_map(|pid| i32::try_from(*pid).ok()) {
            let _ = kill(Pid::from_raw(pid), signal);
        }
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        // Looked for while their parent lives: afterwards nobody can tell whose they were.
        let all = self.pids();
        Self::signal(&[self.child.id()], Signal::SIGTERM);
        let begun = Instant::now();
        while self.is_running() && begun.elapsed() < END_LIMIT {
            std::thread::sleep(Duration::from_millis(20));
        }
        let left: Vec<u32> = all.into_iter().filter(|pid| stat(*pid).is_some()).collect();
        Self::signal(&left, Signal::SIGKILL);
        let _ = self.child.wait();
    }
}

fn all_pids() -> impl Iterator<Item = u32> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

fn stat(pid: u32) -> Option<Stat> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name may hold spaces and parentheses.
    let fields: Vec<&str> = text.rsplit_once(')')?.1.split_whitespace().collect();
    let number = |at: usize| fields.get(at)?.parse::<u64>().ok();
    Some(Stat { parent: u32::try_from(number(1)?).ok()?, children_ticks: number(13)? + number(14)? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn descendants_count_and_end_with_the_tree() {
        let mut tree =
            Tree::start(Command::new("sh").args(["-c", "sleep 600 & sh -c 'while :; do :; done' & wait"]))
                .expect("sh");
        let begun = Instant::now();
        while tree.pids().len() < 3 || tree.cpu_ns() < 20_000_000 {
            assert!(begun.elapsed() < Duration::from_mins(1), "{:?}", tree.pids());
        }
        assert!(tree.is_running() && tree.pss_bytes() > 4096);
        let pids = tree.pids();
        drop(tree);
        let begun = Instant::now();
        while pids.iter().any(|pid| std::fs::read_link(format!("/proc/{pid}/exe")).is_ok()) {
            assert!(begun.elapsed() < Duration::from_mins(1), "one of {pids:?} is left");
        }
    }
}
