//! What the kernel says about a process: threads, CPU time, open files. The slow and obvious way, on purpose.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::error::{Doing, Error, Result};

/// A thread of a process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Thread {
    /// Thread id.
    pub tid: u32,
    /// Its name, at most 15 bytes.
    pub comm: String,
}

/// CPU time used, in clock ticks (10 ms on every Linux that matters).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CpuTicks {
    /// In user mode, guest time included.
    pub user: u64,
    /// In the kernel.
    pub system: u64,
    /// In the guest; part of `user`.
    pub guest: u64,
}

impl CpuTicks {
    /// User and system time together.
    #[must_use]
    pub fn total(self) -> u64 {
        self.user + self.system
    }
}

/// The threads of `pid`, in the kernel's order. A thread that ends meanwhile is left out.
pub fn threads(pid: u32) -> Result<Vec<Thread>> {
    let folder = format!("/proc/{pid}/task");
    let mut threads = Vec::new();
    for entry in fs::read_dir(&folder).doing(|| format!("list {folder}"))? {
        let entry = entry.doing(|| format!("list {folder}"))?;
        let Some(tid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        if let Ok(comm) = fs::read_to_string(entry.path().join("comm")) {
            threads.push(Thread { tid, comm: comm.trim_end_matches('\n').to_owned() });
        }
    }
    Ok(threads)
}

/// How many threads `pid` has, from `/proc/PID/status`.
pub fn thread_count(pid: u32) -> Result<usize> {
    let path = format!("/proc/{pid}/status");
    let status = fs::read_to_string(&path).doing(|| format!("read {path}"))?;
    status
        .lines()
        .find_map(|line| line.strip_prefix("Threads:")?.trim().parse().ok())
        .ok_or_else(|| Error::new(path, "no Threads: line"))
}

/// CPU time of one thread, from `/proc/PID/task/TID/stat`.
pub fn cpu_ticks(pid: u32, tid: u32) -> Result<CpuTicks> {
    let path = format!("/proc/{pid}/task/{tid}/stat");
    let fields = stat_fields(&path)?;
    let number = |index: usize| fields.get(index).and_then(|field| field.parse::<u64>().ok());
    // Counted from field 3 (state), which follows the parenthesised name.
    match (number(11), number(12), number(40)) {
        (Some(user), Some(system), Some(guest)) => Ok(CpuTicks { user, system, guest }),
        _ => Err(Error::new(path, "no CPU times in it")),
    }
}

/// State letter of a process (`R`, `S`, `D`, `T`, `Z`, …), from `/proc/PID/stat`.
pub fn state(pid: u32) -> Result<char> {
    let path = format!("/proc/{pid}/stat");
    stat_fields(&path)?
        .first()
        .and_then(|field| field.chars().next())
        .ok_or_else(|| Error::new(path, "no state in it"))
}

/// What each open fd of `pid` leads to (`/dev/kvm`, `anon_inode:kvm-vcpu:0`, …), by fd number.
pub fn fd_links(pid: u32) -> Result<Vec<(u32, PathBuf)>> {
    let folder = format!("/proc/{pid}/fd");
    let mut links = Vec::new();
    for entry in fs::read_dir(&folder).doing(|| format!("list {folder}"))? {
        let entry = entry.doing(|| format!("list {folder}"))?;
        let number = entry.file_name().to_str().and_then(|name| name.parse().ok());
        // The fd of this very listing is closed by the time it is read, when the process is our own.
        if let (Some(fd), Ok(target)) = (number, fs::read_link(entry.path())) {
            links.push((fd, target));
        }
    }
    links.sort_unstable();
    Ok(links)
}

/// How many fds `pid` has open. For our own process the listing's own fd is not counted.
pub fn fd_count(pid: u32) -> Result<usize> {
    let own_listing = usize::from(pid == std::process::id());
    let folder = format!("/proc/{pid}/fd");
    Ok(fs::read_dir(&folder).doing(|| format!("list {folder}"))?.count() - own_listing)
}

/// Resident memory of `pid` in KiB, from `/proc/PID/status`.
pub fn rss_kib(pid: u32) -> Result<u64> {
    let path = format!("/proc/{pid}/status");
    let status = fs::read_to_string(&path).doing(|| format!("read {path}"))?;
    status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix(" kB")?.parse().ok())
        .ok_or_else(|| Error::new(path, "no VmRSS: line"))
}

/// Looks every millisecond whether `condition` holds; false when it does not within `limit`.
pub fn wait_until(limit: Duration, mut condition: impl FnMut() -> bool) -> bool {
    let deadline = Instant::now() + limit;
    loop {
        if condition() {
            return true;
        }
        if Instant::now() > deadline {
            return false;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn stat_fields(path: &str) -> Result<Vec<String>> {
    let stat = fs::read_to_string(path).doing(|| format!("read {path}"))?;
    let (_, rest) = stat.rsplit_once(')').ok_or_else(|| Error::new(path, "no name in parentheses"))?;
    Ok(rest.split_whitespace().map(str::to_owned).collect())
}
