//! Copies the files that the agent reads into a folder, so that a host can be looked at elsewhere: give the folder to
//! [`Roots::below`](crate::config::Roots::below).
//!
//! Copied are the host's counters and, for each VM, its process's own files, its threads, its cgroup and KVM's
//! counters in debugfs. Links are copied as links. Environments, memory and files of other processes are never
//! read; secrets in command lines are taken out. The copy is bounded, and what was left out is counted.

use super::redact;
use crate::config::Roots;
use crate::sampling::discovery::VmInfo;
use std::fs;
use std::io::{self, Read};
use std::os::unix::fs::{OpenOptionsExt, symlink};
use std::path::{Path, PathBuf};

/// More of one file is cut off: `/proc/interrupts` of a big host is the longest that is read.
const FILE_BYTES_MAX: u64 = 4 * 1024 * 1024;
/// More than this is left out.
const TREE_BYTES_MAX: u64 = 512 * 1024 * 1024;
const FILES_MAX: u64 = 500_000;

/// Below `/proc`.
const PROC: &[&str] = &[
    "stat",
    "meminfo",
    "vmstat",
    "diskstats",
    "loadavg",
    "schedstat",
    "softirqs",
    "interrupts",
    "uptime",
    "version",
    "cpuinfo",
    "swaps",
    "buddyinfo",
    "zoneinfo",
    "net/dev",
    "net/netstat",
    "net/snmp",
    "net/sockstat",
    "net/sockstat6",
    "pressure/cpu",
    "pressure/memory",
    "pressure/io",
    "pressure/irq",
    "sys/kernel/tainted",
    "sys/kernel/pid_max",
    "sys/kernel/osrelease",
    "sys/kernel/hostname",
    "sys/kernel/random/boot_id",
    "sys/fs/file-nr",
    "sys/fs/inode-nr",
    "sys/fs/file-max",
    "sys/net/netfilter/nf_conntrack_count",
    "sys/net/netfilter/nf_conntrack_max",
    "sys/vm/nr_hugepages",
];

/// Folders below `/sys`, and how deep they are followed.
const SYS: &[(&str, usize)] = &[
    ("devices/system/cpu", 4),
    ("devices/system/node", 3),
    ("devices/system/clocksource", 2),
    ("devices/system/edac", 4),
    ("devices/system/machinecheck", 2),
    ("kernel/mm/ksm", 1),
    ("kernel/mm/hugepages", 2),
    ("kernel/mm/transparent_hugepage", 1),
    ("module/kvm", 2),
    ("module/kvm_intel", 2),
    ("module/kvm_amd", 2),
    ("fs/selinux", 1),
    ("kernel/security", 1),
];

/// Folders of devices below `/sys/class` and `/sys/block`, whose entries are links.
const SYS_CLASSES: &[(&str, usize)] =
    &[("class/thermal", 2), ("class/powercap", 3), ("class/net", 2), ("block", 2), ("class/hwmon", 2)];

/// Below `/proc/PID`.
const PROCESS: &[&str] = &[
    "stat",
    "statm",
    "status",
    "io",
    "cgroup",
    "comm",
    "limits",
    "smaps_rollup",
    "schedstat",
    "wchan",
    "oom_score",
    "oom_score_adj",
    "autogroup",
    "sched",
];

/// Below `/proc/PID/task/TID`.
const THREAD: &[&str] = &["stat", "schedstat", "comm", "status"];

/// Links below `/proc/PID`.
const PROCESS_LINKS: &[&str] = &["exe", "cwd", "root", "ns/net", "ns/mnt", "ns/pid", "ns/user"];

/// What was copied.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TreeReport {
    /// Files and links that were copied.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Files that exist but could not be read; they are missing in the copy, as they are for the agent.
    pub unreadable: u64,
    /// Files longer than 4 MiB, of which the beginning was copied.
    pub cut: u64,
    /// Files that were left out because the copy had become too large.
    pub left_out: u64,
}

/// Copies the host's files, and those of the given VMs, below `dest`, which must be empty or not exist.
///
/// # Errors
/// When `dest` is not empty or cannot be written.
pub fn record_tree(roots: &Roots, vms: &[VmInfo], dest: &Path) -> io::Result<TreeReport> {
    fs::DirBuilder::new().recursive(true).create(dest)?;
    if fs::read_dir(dest)?.next().is_some() {
        return Err(io::Error::new(
            io::ErrorKind::AlreadyExists,
            format!("{} is not empty: give a new folder", dest.display()),
        ));
    }
    let to = Roots::below(dest);
    let mut copy = Copy { report: TreeReport::default() };
    for file in PROC {
        copy.file(&roots.proc.join(file), &to.proc.join(file))?;
    }
    for (folder, depth) in SYS {
        copy.folder(&roots.sys.join(folder), &to.sys.join(folder), *depth)?;
    }
    for (class, depth) in SYS_CLASSES {
        for name in names(&roots.sys.join(class)) {
            let below = Path::new(class).join(name);
            copy.folder(&roots.sys.join(&below), &to.sys.join(&below), *depth)?;
        }
    }
    copy.folder(&roots.cgroup, &to.cgroup, 1)?;
    for vm in vms {
        copy.process(&roots.proc, &to.proc, vm.pid)?;
        for cgroup in cgroups(&roots.proc, vm) {
            copy.folder(&roots.cgroup.join(&cgroup), &to.cgroup.join(&cgroup), 1)?;
        }
        if let Some(name) = &vm.debugfs_name {
            let below = Path::new("kvm").join(name);
            copy.folder(&roots.debugfs.join(&below), &to.debugfs.join(&below), 2)?;
        }
    }
    Ok(copy.report)
}

/// The folders of a VM's cgroups below the cgroup root: v2, v1, and v2 beside v1 under `unified`.
fn cgroups(proc: &Path, vm: &VmInfo) -> Vec<PathBuf> {
    let text = fs::read_to_string(proc.join(vm.pid.to_string()).join("cgroup")).unwrap_or_default();
    let mut folders = Vec::new();
    for line in text.lines() {
        let mut fields = line.splitn(3, ':').skip(1);
        let (Some(controllers), Some(path)) = (fields.next(), fields.next()) else { continue };
        let path = Path::new(path.trim_start_matches('/'));
        if path.components().any(|part| !matches!(part, std::path::Component::Normal(_))) {
            continue;
        }
        match controllers.trim_start_matches("name=") {
            "" => folders.extend([path.to_owned(), Path::new("unified").join(path)]),
            controllers => {
                folders.push(Path::new(controllers).join(path));
                folders.extend(controllers.split(',').map(|controller| Path::new(controller).join(path)));
            }
        }
    }
    folders.sort();
    folders.dedup();
    folders.retain(|folder| !folder.as_os_str().is_empty());
    folders
}

struct Copy {
    report: TreeReport,
}

impl Copy {
    fn process(&mut self, from: &Path, to: &Path, pid: i32) -> io::Result<()> {
        let (from, to) = (from.join(pid.to_string()), to.join(pid.to_string()));
        for file in PROCESS {
            self.file(&from.join(file), &to.join(file))?;
        }
        if let Some(line) = self.read(&from.join("cmdline")) {
            self.write(&to.join("cmdline"), &redact::command_line(&line))?;
        }
        for link in PROCESS_LINKS {
            self.link(&from.join(link), &to.join(link))?;
        }
        for descriptor in names(&from.join("fd")) {
            self.link(&from.join("fd").join(&descriptor), &to.join("fd").join(&descriptor))?;
            self.file(&from.join("fdinfo").join(&descriptor), &to.join("fdinfo").join(&descriptor))?;
        }
        for thread in names(&from.join("task")) {
            for file in THREAD {
                let below = Path::new("task").join(&thread).join(file);
                self.file(&from.join(&below), &to.join(&below))?;
            }
        }
        Ok(())
    }

    /// Copies the files of a folder, and those of the folders in it as deep as told. Links are not followed.
    fn folder(&mut self, from: &Path, to: &Path, depth: usize) -> io::Result<()> {
        for name in names(from) {
            let (from, to) = (from.join(&name), to.join(&name));
            match fs::symlink_metadata(&from) {
                Ok(status) if status.is_dir() && depth > 1 => self.folder(&from, &to, depth - 1)?,
                Ok(status) if status.is_file() => self.file(&from, &to)?,
                Ok(status) if status.is_symlink() => self.link(&from, &to)?,
                _ => {}
            }
        }
        Ok(())
    }

    fn file(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        match self.read(from) {
            Some(bytes) => self.write(to, &bytes),
            None => Ok(()),
        }
    }

    fn link(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        match fs::read_link(from) {
            Ok(target) if self.has_room() => {
                parent(to)?;
                symlink(target, to)?;
                self.report.files += 1;
            }
            Ok(_) => self.report.left_out += 1,
            Err(error) => self.count_unreadable(&error),
        }
        Ok(())
    }

    fn read(&mut self, from: &Path) -> Option<Vec<u8>> {
        let mut bytes = Vec::new();
        // Some files of sysfs wait for something to happen when they are read.
        let file =
            fs::OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK | libc::O_CLOEXEC).open(from);
        match file.and_then(|file| file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes)) {
            Ok(_) => Some(bytes),
            Err(error) => {
                self.count_unreadable(&error);
                None
            }
        }
    }

    fn write(&mut self, to: &Path, bytes: &[u8]) -> io::Result<()> {
        if !self.has_room() {
            self.report.left_out += 1;
            return Ok(());
        }
        let length = bytes.len().min(usize::try_from(FILE_BYTES_MAX).unwrap_or(usize::MAX));
        self.report.cut += u64::from(length < bytes.len());
        parent(to)?;
        fs::write(to, &bytes[..length])?;
        self.report.files += 1;
        self.report.bytes += length as u64;
        Ok(())
    }

    fn has_room(&self) -> bool {
        self.report.bytes < TREE_BYTES_MAX && self.report.files < FILES_MAX
    }

    fn count_unreadable(&mut self, error: &io::Error) {
        self.report.unreadable += u64::from(error.kind() != io::ErrorKind::NotFound);
    }
}

fn parent(path: &Path) -> io::Result<()> {
    path.parent().map_or(Ok(()), fs::create_dir_all)
}

/// The names in a folder, sorted; none when it cannot be read.
fn names(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut names: Vec<_> = entries.flatten().map(|entry| PathBuf::from(entry.file_name())).collect();
    names.sort();
    names
}

#[cfg(test)]
#[path = "tree_tests.rs"]
mod tests;
