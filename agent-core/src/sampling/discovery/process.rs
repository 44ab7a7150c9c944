//! One process as `/proc` shows it, below any root. Every read is bounded; a process that ends meanwhile is an error.

use super::identify;
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// More than any VMM's command line; what is beyond is not looked at.
const CMDLINE_BYTES_MAX: u64 = 256 * 1024;
/// More than any of the small files of `/proc/PID`.
const SMALL_BYTES_MAX: u64 = 64 * 1024;
/// Descriptors and threads looked at in one process.
const ENTRIES_MAX: usize = 65_536;

/// One process, by its folder.
#[derive(Clone, Debug)]
pub struct Process {
    folder: PathBuf,
    pid: i32,
}

/// What `/proc/PID/stat` says of who a process is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stat {
    /// The name of its main thread.
    pub comm: String,
    /// One letter; `Z` is a zombie, `X` dead.
    pub state: u8,
    /// Its parent.
    pub parent: i32,
    /// Whether it is on its way out: its memory, descriptors and command line may be gone before its state says so
    /// (`PF_EXITING`, proc(5) `flags`).
    pub exiting: bool,
    /// When it started, in clock ticks since boot.
    pub start_ticks: u64,
}

/// The kernel sets it before it takes anything from a task that ends.
const PF_EXITING: u64 = 0x4;

/// One thread.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Thread {
    /// Its ID.
    pub tid: i32,
    /// Its name.
    pub comm: String,
}

/// What a process's descriptors tell.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Descriptors {
    /// Descriptors of KVM VMs.
    pub kvm_vms: Vec<u32>,
    /// Descriptors of KVM vCPUs, and the index of each.
    pub kvm_vcpus: Vec<(u32, u32)>,
    /// Tap devices.
    pub taps: Vec<String>,
    /// Files that hold a disk, as far as can be told.
    pub images: Vec<PathBuf>,
}

impl Process {
    /// A process below a root of `/proc`. Nothing is read yet.
    #[must_use]
    pub fn new(proc: &Path, pid: i32) -> Self {
        Self { folder: proc.join(pid.to_string()), pid }
    }

    /// Its PID.
    #[must_use]
    pub fn pid(&self) -> i32 {
        self.pid
    }

    /// A file or folder of it.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Who it is.
    pub fn stat(&self) -> io::Result<Stat> {
        parse_stat(&self.read("stat", SMALL_BYTES_MAX)?).ok_or_else(|| io::ErrorKind::InvalidData.into())
    }

    /// The process that a thread belongs to.
    pub fn leader(&self) -> io::Result<i32> {
        let status = self.read("status", SMALL_BYTES_MAX)?;
        let status = String::from_utf8_lossy(&status);
        let tgid = status.lines().find_map(|line| line.strip_prefix("Tgid:")?.trim().parse().ok());
        tgid.ok_or_else(|| io::ErrorKind::InvalidData.into())
    }

    /// Its arguments; empty for a kernel thread.
    pub fn arguments(&self) -> io::Result<Vec<String>> {
        let bytes = self.read("cmdline", CMDLINE_BYTES_MAX)?;
        let bytes = bytes.strip_suffix(&[0]).unwrap_or(&bytes);
        if bytes.is_empty() {
            return Ok(Vec::new());
        }
        Ok(bytes.split(|byte| *byte == 0).map(|part| String::from_utf8_lossy(part).into_owned()).collect())
    }

    /// The user it runs as.
    pub fn user(&self) -> io::Result<u32> {
        Ok(fs::metadata(&self.folder)?.uid())
    }

    /// The path of its cgroup: v2's, or the v1 `cpu` hierarchy's where v2 has none.
    pub fn cgroup(&self) -> io::Result<String> {
        Ok(parse_cgroup(&String::from_utf8_lossy(&self.read("cgroup", SMALL_BYTES_MAX)?)))
    }

    /// Its threads, by ID.
    pub fn threads(&self) -> io::Result<Vec<Thread>> {
        let mut threads = Vec::new();
        for tid in numbers(&self.path("task"))? {
            // A thread that ended meanwhile is none.
            let Ok(comm) = self.read(&format!("task/{tid}/comm"), SMALL_BYTES_MAX) else { continue };
            let comm = String::from_utf8_lossy(comm.strip_suffix(b"\n").unwrap_or(&comm)).into_owned();
            threads.push(Thread { tid, comm });
        }
        threads.sort_by_key(|thread| thread.tid);
        Ok(threads)
    }

    /// The vCPU descriptor that a thread is in `KVM_RUN` with; `None` when it does something else, is on a CPU just
    /// now, or may not be looked at. (`/proc/PID/task/TID/syscall`, proc(5).)
    #[must_use]
    pub fn runs_vcpu(&self, tid: i32) -> Option<u32> {
        const KVM_RUN: &str = "0xae80";
        let text = self.read(&format!("task/{tid}/syscall"), SMALL_BYTES_MAX).ok()?;
        let text = String::from_utf8_lossy(&text);
        let mut words = text.split_whitespace();
        let number: i64 = words.next()?.parse().ok()?;
        let (fd, request) = (words.next()?, words.next()?);
        (number == libc::SYS_ioctl && request == KVM_RUN)
            .then(|| u32::from_str_radix(fd.trim_start_matches("0x"), 16).ok())?
    }

    /// Whether it holds a KVM VM. Cheaper than [`descriptors`](Self::descriptors): stops at the first.
    pub fn holds_kvm_vm(&self) -> io::Result<bool> {
        for entry in fs::read_dir(self.path("fd"))?.take(ENTRIES_MAX) {
            let Ok(target) = fs::read_link(entry?.path()) else { continue };
            if target.as_os_str() == KVM_VM {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// What its descriptors tell. `sys` is where network devices are looked up.
    pub fn descriptors(&self, sys: &Path) -> io::Result<Descriptors> {
        let mut found = Descriptors::default();
        let mut fds: Vec<u32> = numbers(&self.path("fd"))?;
        fds.sort_unstable();
        for fd in fds {
            let Ok(target) = fs::read_link(self.path(&format!("fd/{fd}"))) else { continue };
            let name = target.to_string_lossy();
            if name == KVM_VM {
                found.kvm_vms.push(fd);
            } else if let Some(index) = name.strip_prefix("anon_inode:kvm-vcpu:") {
                found.kvm_vcpus.extend(index.parse().ok().map(|index| (fd, index)));
            } else if name.ends_with("/dev/net/tun") {
                found.taps.extend(self.tap_of(fd));
            } else if let Some(index) = name.strip_prefix("/dev/tap") {
                found.taps.extend(macvtap(sys, index));
            } else if name.starts_with('/') && self.is_image(fd, &name) {
                found.images.push(target);
            }
        }
        found.taps.sort();
        found.taps.dedup();
        found.images.sort();
        found.images.dedup();
        Ok(found)
    }

    /// The device behind a descriptor of `/dev/net/tun`: the `iff:` line of its fdinfo.
    fn tap_of(&self, fd: u32) -> Option<String> {
        let text = self.read(&format!("fdinfo/{fd}"), SMALL_BYTES_MAX).ok()?;
        let text = String::from_utf8_lossy(&text);
        let name = text.lines().find_map(|line| line.strip_prefix("iff:"))?.trim();
        // A queue that is detached has no name, and one that could lead out of a folder is not believed.
        (!name.is_empty() && !name.contains(['/', '%'])).then(|| name.to_owned())
    }

    /// Whether a descriptor looks like a disk: a block device or a regular file, not only for writing (logs and
    /// metrics are), in whole sectors, and not part of the system.
    fn is_image(&self, fd: u32, name: &str) -> bool {
        const SYSTEM: [&str; 8] =
            ["/dev/shm/", "/etc/", "/lib", "/memfd:", "/proc/", "/sys/", "/usr/", "/dev/hugepages/"];
        const SECTOR_BYTES: u64 = 512;
        const IMAGE_BYTES_MIN: u64 = 64 * 1024;
        if SYSTEM.iter().any(|prefix| name.starts_with(prefix)) || name.ends_with(" (deleted)") {
            return false;
        }
        if self.access_mode(fd) == Some(libc::O_WRONLY) {
            return false;
        }
        match fs::metadata(self.path(&format!("fd/{fd}"))) {
            Ok(facts) => {
                let kind = facts.mode() & libc::S_IFMT;
                let whole = facts.len() >= IMAGE_BYTES_MIN && facts.len() % SECTOR_BYTES == 0;
                kind == libc::S_IFBLK || (kind == libc::S_IFREG && whole)
            }
            // A recorded host has the names only.
            Err(_) => [".img", ".raw", ".qcow2", ".ext4", ".iso", ".vmdk", ".vhdx"]
                .iter()
                .any(|extension| name.ends_with(extension)),
        }
    }

    fn access_mode(&self, fd: u32) -> Option<i32> {
        let text = self.read(&format!("fdinfo/{fd}"), SMALL_BYTES_MAX).ok()?;
        let text = String::from_utf8_lossy(&text);
        let flags = text.lines().find_map(|line| line.strip_prefix("flags:"))?.trim();
        Some(i32::from_str_radix(flags, 8).ok()? & libc::O_ACCMODE)
    }

    /// A path of the VMM, as this process can reach it. A VMM in a chroot or another mount namespace (a jail) is
    /// reached by its `root` and `cwd` links.
    #[must_use]
    pub fn reachable(&self, path: &str) -> PathBuf {
        match path.strip_prefix('/') {
            None => self.path("cwd").join(path),
            Some(relative) if !self.shares_our_root() => self.path("root").join(relative),
            Some(_) => PathBuf::from(path),
        }
    }

    fn shares_our_root(&self) -> bool {
        let identity = |path: &Path| fs::metadata(path).map(|facts| (facts.dev(), facts.ino()));
        match (identity(&self.path("root/.")), identity(Path::new("/"))) {
            (Ok(theirs), Ok(ours)) => theirs == ours,
            // Not to be told (no CAP_SYS_PTRACE, or a recorded host): the plain path is the better guess.
            _ => true,
        }
    }

    fn read(&self, name: &str, bytes_max: u64) -> io::Result<Vec<u8>> {
        // One read for most files: they are made anew for each.
        let mut bytes = Vec::with_capacity(4_000);
        File::open(self.path(name))?.take(bytes_max).read_to_end(&mut bytes)?;
        Ok(bytes)
    }
}

const KVM_VM: &str = "anon_inode:kvm-vm";

/// The names in a folder that are numbers.
pub(super) fn numbers<T: std::str::FromStr>(folder: &Path) -> io::Result<Vec<T>> {
    let entries = fs::read_dir(folder)?.take(ENTRIES_MAX);
    Ok(entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect())
}

/// The macvtap device whose character device is `/dev/tap<ifindex>`.
fn macvtap(sys: &Path, ifindex: &str) -> Option<String> {
    let devices = fs::read_dir(sys.join("class/net")).ok()?.take(ENTRIES_MAX).flatten();
    devices.filter_map(|device| device.file_name().into_string().ok()).find(|device| {
        let text = fs::read_to_string(sys.join("class/net").join(device).join("ifindex"));
        text.is_ok_and(|text| text.trim() == ifindex)
    })
}

/// Takes `/proc/PID/stat` apart. The name may hold anything, parentheses and spaces too.
#[must_use]
pub fn parse_stat(bytes: &[u8]) -> Option<Stat> {
    let open = bytes.iter().position(|byte| *byte == b'(')?;
    let close = bytes.iter().rposition(|byte| *byte == b')')?;
    let comm = String::from_utf8_lossy(bytes.get(open + 1..close)?).into_owned();
    let rest = std::str::from_utf8(bytes.get(close + 1..)?).ok()?;
    let mut fields = rest.split_ascii_whitespace();
    let state = *fields.next()?.as_bytes().first()?;
    let parent = fields.next()?.parse().ok()?;
    // Fields 9 and 22 of the file; state was the third, the parent the fourth.
    let flags: u64 = fields.nth(4)?.parse().ok()?;
    let start_ticks = fields.nth(12)?.parse().ok()?;
    Some(Stat { comm, state, parent, exiting: flags & PF_EXITING != 0, start_ticks })
}

/// The path in `/proc/PID/cgroup`: v2's, unless the process sits in its root and the v1 `cpu` hierarchy knows better.
#[must_use]
pub fn parse_cgroup(text: &str) -> String {
    let mut unified = "";
    let mut cpu = "";
    for line in text.lines() {
        let mut fields = line.splitn(3, ':');
        let (Some(_), Some(controllers), Some(path)) = (fields.next(), fields.next(), fields.next()) else {
            continue;
        };
        if controllers.is_empty() {
            unified = path;
        } else if controllers.split(',').any(|controller| controller == "cpu") {
            cpu = path;
        }
    }
    let best = if unified.is_empty() || (unified == "/" && !cpu.is_empty()) { cpu } else { unified };
    best.to_owned()
}

impl Stat {
    /// Whether the process has ended and only waits for its parent.
    #[must_use]
    pub fn ended(&self) -> bool {
        matches!(self.state, b'Z' | b'X')
    }
}

impl Process {
    /// Whether it looks like a VMM by its name.
    #[must_use]
    pub fn looks_like_vmm(&self) -> bool {
        let comm = self.read("comm", SMALL_BYTES_MAX).unwrap_or_default();
        let comm = String::from_utf8_lossy(comm.strip_suffix(b"\n").unwrap_or(&comm)).into_owned();
        identify::kind(&comm, &self.arguments().unwrap_or_default()).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn stat_with_any_name() {
        let tail = "S 7 1 1 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 9 0 88 999 1 2";
        let stat = parse_stat(format!("12 (a ) (b) {tail}").as_bytes()).expect("a stat");
        let expected =
            Stat { comm: "a ) (b".into(), state: b'S', parent: 7, exiting: false, start_ticks: 88 };
        assert_eq!(stat, expected);
        let ending = tail.replace("4194560", "4194564").replace('S', "R");
        assert!(parse_stat(format!("12 (a) {ending}").as_bytes()).expect("a stat").exiting);
        assert_eq!(parse_stat(b"12 (a) S 7 1"), None);
        assert_eq!(parse_stat(b") S ("), None);
        assert_eq!(parse_stat(b""), None);
    }

    #[test]
    fn cgroups_of_every_layout() {
        assert_eq!(parse_cgroup("0::/machine.slice/vm.scope\n"), "/machine.slice/vm.scope");
        assert_eq!(parse_cgroup("4:memory:/m\n3:cpu,cpuacct:/c\n"), "/c");
        assert_eq!(parse_cgroup("3:cpu:/c\n0::/\n"), "/c", "hybrid: v2 holds no one");
        assert_eq!(parse_cgroup("3:cpu:/\n0::/u\n"), "/u");
        assert_eq!(parse_cgroup("9:name=systemd:/a:b\n0::/a:b\n"), "/a:b");
        assert_eq!(parse_cgroup("junk"), "");
    }

    #[test]
    fn this_process_reads_itself() {
        let pid = i32::try_from(std::process::id()).expect("a pid");
        let own = Process::new(Path::new("/proc"), pid);
        assert_eq!(own.leader().expect("status"), pid);
        assert!(!own.stat().expect("stat").ended());
        assert!(!own.arguments().expect("cmdline").is_empty());
        assert!(own.threads().expect("task").iter().any(|thread| thread.tid == pid));
        assert!(!own.holds_kvm_vm().expect("fd"));
        assert_eq!(own.reachable("/x"), PathBuf::from("/x"));
    }

    proptest! {
        #[test]
        fn any_bytes_come_back(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = parse_stat(&bytes);
            let _ = parse_cgroup(&String::from_utf8_lossy(&bytes));
        }
    }
}
