//! Reads the host's files, or a recorded host's, without being led astray.
//!
//! Paths are the host's own (`/etc/ssh/sshd_config`); where they really are is the business of [`Roots`]. Everything is
//! opened with openat2(2): links of `/proc` that lead anywhere are not followed, and below a recorded root nothing leads
//! out of it. What is read and what is said of it (owner, mode) come from one descriptor, so that a path that changes
//! meanwhile cannot mix the two. Nothing but regular files is read, so a FIFO cannot hold the agent up.

use super::fact::Unavailable;
use crate::config::Roots;
use nix::errno::Errno;
use nix::fcntl::{OFlag, OpenHow, ResolveFlag, openat2, readlinkat};
use nix::sys::stat::{FileStat, fstat};
use std::cell::OnceCell;
use std::fs::File;
use std::io::Read;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

/// Entries of one folder that are looked at.
const ENTRIES_MAX: usize = 65_536;

/// The host's files.
#[derive(Debug)]
pub struct HostFiles {
    roots: Roots,
    /// Each root, opened once, in the order of [`PREFIXES`].
    bases: [OnceCell<OwnedFd>; PREFIXES.len()],
    view: View,
}

/// How this process sees the host's files outside of `/proc` and `/sys`.
#[derive(Debug)]
enum View {
    /// As they are.
    Own,
    /// Through init's root: this process is in a mount namespace of its own, in which a hardened unit hides devices and
    /// home folders that checks must see (systemd.exec(5): `PrivateDevices=`, `ProtectHome=`).
    OfInit,
    /// Not at all: it is in a mount namespace of its own, and init's root may not be opened.
    Hidden,
}

const INIT_ROOT: &str = "/proc/1/root";

/// What the host calls each root; the first that a path begins with is its.
const PREFIXES: [&str; 6] = ["/sys/kernel/debug", "/sys/fs/cgroup", "/sys", "/proc", "/run", ""];

/// What one descriptor says of the file behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Meta {
    /// Device and inode.
    pub identity: (u64, u64),
    /// Type and permissions, as stat(2) has them.
    pub mode: u32,
    /// The owner.
    pub uid: u32,
    /// The group.
    pub gid: u32,
    /// The device it stands for, of a device node.
    pub rdev: u64,
    /// Bytes.
    pub size: u64,
    /// When it was last changed in content, nanoseconds since the epoch.
    pub mtime_ns: i64,
    /// When it was last changed at all, nanoseconds since the epoch.
    pub ctime_ns: i64,
}

/// A file's content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Content {
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// What was said of it by the descriptor that was read.
    pub meta: Meta,
}

impl HostFiles {
    /// The files below some roots.
    #[must_use]
    pub fn new(roots: Roots) -> Self {
        let view = if roots.is_live() { View::of_this_process() } else { View::Own };
        Self { roots, bases: Default::default(), view }
    }

    /// Whether this is the very host the agent runs on.
    #[must_use]
    pub fn is_live(&self) -> bool {
        self.roots.is_live()
    }

    /// The roots.
    #[must_use]
    pub fn roots(&self) -> &Roots {
        &self.roots
    }

    /// Reads a regular file of at most `bytes_max` bytes.
    ///
    /// # Errors
    /// When it is not there, may not be read, is no regular file, or is longer.
    pub fn read(&self, path: &str, bytes_max: usize) -> Result<Content, Unavailable> {
        let (file, meta) = self.open_file(path)?;
        // Files of /proc have no size and are made anew for each read: one read for most of them.
        let size = usize::try_from(meta.size).unwrap_or(usize::MAX);
        let mut bytes = Vec::with_capacity(size.clamp(4_000, bytes_max.max(4_000)).saturating_add(1));
        let limit = u64::try_from(bytes_max).unwrap_or(u64::MAX).saturating_add(1);
        file.take(limit)
            .read_to_end(&mut bytes)
            .map_err(|error| why(Errno::from_raw(error.raw_os_error().unwrap_or(libc::EIO)), path))?;
        if bytes.len() > bytes_max {
            return Err(Unavailable::TooMuch(format!("{path} is longer than {bytes_max} bytes")));
        }
        Ok(Content { bytes, meta })
    }

    /// Opens a regular file that is read piece by piece, with what is said of it.
    ///
    /// # Errors
    /// When it is not there, may not be read, or is no regular file.
    pub fn open_file(&self, path: &str) -> Result<(File, Meta), Unavailable> {
        let fd = self.open(path, OFlag::O_RDONLY | OFlag::O_NONBLOCK | OFlag::O_NOCTTY)?;
        let meta = Meta::of(&fstat(&fd).map_err(|errno| why(errno, path))?);
        if meta.mode & libc::S_IFMT != libc::S_IFREG {
            return Err(Unavailable::Malformed(format!("{path} is no regular file")));
        }
        Ok((File::from(fd), meta))
    }

    /// What is said of a file, links followed.
    ///
    /// # Errors
    /// When it is not there, or a folder on the way may not be searched.
    pub fn meta(&self, path: &str) -> Result<Meta, Unavailable> {
        let fd = self.open(path, OFlag::O_PATH)?;
        Ok(Meta::of(&fstat(&fd).map_err(|errno| why(errno, path))?))
    }

    /// What is said of a file, or of the link if it is one.
    ///
    /// # Errors
    /// When it is not there, or a folder on the way may not be searched.
    pub fn meta_of_link(&self, path: &str) -> Result<Meta, Unavailable> {
        let fd = self.open(path, OFlag::O_PATH | OFlag::O_NOFOLLOW)?;
        Ok(Meta::of(&fstat(&fd).map_err(|errno| why(errno, path))?))
    }

    /// The names in a folder, sorted.
    ///
    /// # Errors
    /// When it is not there, may not be listed, or holds more than 65,536 names.
    pub fn list(&self, path: &str) -> Result<Vec<String>, Unavailable> {
        let mut names = Vec::new();
        self.each_name(path, &mut |name| names.push(name.to_owned()))?;
        names.sort_unstable();
        Ok(names)
    }

    /// Shows every name in a folder, in the order in which the kernel has them.
    ///
    /// # Errors
    /// As [`list`](Self::list).
    pub fn each_name(&self, path: &str, visit: &mut dyn FnMut(&str)) -> Result<(), Unavailable> {
        let fd = self.open(path, OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_NONBLOCK)?;
        let mut folder = nix::dir::Dir::from_fd(fd).map_err(|errno| why(errno, path))?;
        let mut left = ENTRIES_MAX;
        for entry in folder.iter() {
            let entry = entry.map_err(|errno| why(errno, path))?;
            let name = entry.file_name().to_string_lossy();
            if name == "." || name == ".." {
                continue;
            }
            left = left
                .checked_sub(1)
                .ok_or_else(|| Unavailable::TooMuch(format!("{path} holds more than {ENTRIES_MAX} names")))?;
            visit(&name);
        }
        Ok(())
    }

    /// Where a symbolic link points, as it is written.
    ///
    /// # Errors
    /// When it is not there, is no link, or may not be read.
    pub fn link(&self, path: &str) -> Result<String, Unavailable> {
        let (place, rest) = split(path);
        let (folder, name) = rest.rsplit_once('/').unwrap_or(("", rest));
        let folder = if folder.is_empty() { "." } else { folder };
        let base = self.base(place).map_err(|errno| why(errno, path))?;
        let how = self.how(OFlag::O_PATH | OFlag::O_DIRECTORY);
        let folder = openat2(base, folder, how).map_err(|errno| why(errno, path))?;
        let target = readlinkat(folder.as_fd(), name).map_err(|errno| why(errno, path))?;
        Ok(target.to_string_lossy().into_owned())
    }

    /// Opens a path for something that [`read`](Self::read) does not do.
    ///
    /// # Errors
    /// When it is not there or may not be opened.
    pub fn open(&self, path: &str, flags: OFlag) -> Result<OwnedFd, Unavailable> {
        let (place, rest) = split(path);
        let base = self.base(place).map_err(|errno| why(errno, path))?;
        let rest = if rest.is_empty() { "." } else { rest };
        openat2(base, rest, self.how(flags)).map_err(|errno| why(errno, path))
    }

    fn how(&self, flags: OFlag) -> OpenHow {
        let mut resolve = ResolveFlag::RESOLVE_NO_MAGICLINKS;
        if !self.is_live() {
            resolve |= ResolveFlag::RESOLVE_IN_ROOT;
        }
        OpenHow::new().flags(flags | OFlag::O_CLOEXEC).resolve(resolve)
    }

    /// Where what is neither below `/proc` nor below `/sys` really is.
    #[must_use]
    pub fn root_folder(&self) -> &Path {
        self.root(PREFIXES.len() - 1)
    }

    fn root(&self, place: usize) -> &Path {
        let Roots { debugfs, cgroup, sys, proc, run, root } = &self.roots;
        let root = if matches!(self.view, View::OfInit) { Path::new(INIT_ROOT) } else { root };
        [debugfs, cgroup, sys, proc, run, root][place]
    }

    fn base(&self, place: usize) -> nix::Result<&OwnedFd> {
        if matches!(self.view, View::Hidden) && place == PREFIXES.len() - 1 {
            return Err(Errno::EPERM);
        }
        if let Some(base) = self.bases[place].get() {
            return Ok(base);
        }
        let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        let base = nix::fcntl::open(self.root(place), flags, nix::sys::stat::Mode::empty())?;
        Ok(self.bases[place].get_or_init(|| base))
    }
}

impl View {
    fn of_this_process() -> Self {
        let namespace = |pid: &str| std::fs::read_link(format!("/proc/{pid}/ns/mnt"));
        match (namespace("self"), namespace("1")) {
            (Ok(own), Ok(inits)) if own != inits => {
                let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
                let opened = nix::fcntl::open(INIT_ROOT, flags, nix::sys::stat::Mode::empty());
                if opened.is_ok() { Self::OfInit } else { Self::Hidden }
            }
            // Where init's may not be looked at there is no telling; most agents share it.
            _ => Self::Own,
        }
    }
}

/// The root that a path belongs to, by its place in [`PREFIXES`], and the rest of the path.
fn split(path: &str) -> (usize, &str) {
    let below = |prefix: &str| {
        let rest = path.strip_prefix(prefix)?;
        (rest.is_empty() || rest.starts_with('/')).then(|| rest.trim_start_matches('/'))
    };
    let found = PREFIXES.iter().enumerate().find_map(|(place, prefix)| Some((place, below(prefix)?)));
    found.unwrap_or((PREFIXES.len() - 1, path))
}

impl Meta {
    /// What stat(2) said.
    #[must_use]
    pub fn of(stat: &FileStat) -> Self {
        let ns = |seconds: i64, ns: i64| seconds.saturating_mul(1_000_000_000).saturating_add(ns);
        Self {
            identity: (stat.st_dev, stat.st_ino),
            mode: stat.st_mode,
            uid: stat.st_uid,
            gid: stat.st_gid,
            rdev: stat.st_rdev,
            size: u64::try_from(stat.st_size).unwrap_or(0),
            mtime_ns: ns(stat.st_mtime, stat.st_mtime_nsec),
            ctime_ns: ns(stat.st_ctime, stat.st_ctime_nsec),
        }
    }

    /// The permission bits, with set-user-ID, set-group-ID and sticky.
    #[must_use]
    pub const fn permissions(&self) -> u32 {
        self.mode & 0o7777
    }

    /// `file`, `directory`, `socket`, `fifo`, `block`, `character`, `link`, or `other`.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self.mode & libc::S_IFMT {
            libc::S_IFREG => "file",
            libc::S_IFDIR => "directory",
            libc::S_IFSOCK => "socket",
            libc::S_IFIFO => "fifo",
            libc::S_IFBLK => "block",
            libc::S_IFCHR => "character",
            libc::S_IFLNK => "link",
            _ => "other",
        }
    }
}

impl From<Meta> for (u64, u64, u64, i64, i64) {
    /// What changes when the content may have: the key of a cache.
    fn from(meta: Meta) -> Self {
        (meta.identity.0, meta.identity.1, meta.size, meta.mtime_ns, meta.ctime_ns)
    }
}

/// What an errno means for whoever wanted to know.
#[must_use]
pub fn why(errno: Errno, path: &str) -> Unavailable {
    match errno {
        Errno::ENOENT | Errno::ENOTDIR => Unavailable::Absent,
        Errno::EACCES => {
            Unavailable::Denied(format!("{path}: {errno}; needs CAP_DAC_READ_SEARCH or its owner"))
        }
        Errno::EPERM => {
            Unavailable::Denied(format!("{path}: {errno}; refused by the kernel (lockdown, ptrace or LSM)"))
        }
        // A process that ended between two calls.
        Errno::ESRCH => Unavailable::Gone,
        // Files of /sys that exist for hardware that is not there.
        // EINVAL is what attr/current says where no security module answers.
        Errno::ENODEV | Errno::ENXIO | Errno::EOPNOTSUPP | Errno::ENODATA | Errno::EINVAL => {
            Unavailable::NotExposed(format!("{path}: {errno}"))
        }
        Errno::ELOOP | Errno::EXDEV => {
            Unavailable::Malformed(format!("{path}: leads where it must not: {errno}"))
        }
        errno => Unavailable::Failed(format!("{path}: {errno}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn a_recorded_root_is_not_left() {
        let folder = tempfile::tempdir().expect("a folder");
        let outside = tempfile::tempdir().expect("a folder");
        std::fs::write(outside.path().join("secret"), "x").expect("a file");
        std::fs::create_dir_all(folder.path().join("etc")).expect("a folder");
        symlink(outside.path().join("secret"), folder.path().join("etc/absolute")).expect("a link");
        symlink("../../../../../../etc/hostname", folder.path().join("etc/upwards")).expect("a link");
        std::fs::write(folder.path().join("etc/real"), "here").expect("a file");
        symlink("/etc/real", folder.path().join("etc/inside")).expect("a link");
        let host = HostFiles::new(Roots::below(folder.path()));
        assert_eq!(host.read("/etc/absolute", 10), Err(Unavailable::Absent));
        assert_eq!(host.read("/etc/upwards", 10), Err(Unavailable::Absent));
        assert_eq!(host.read("/etc/inside", 10).expect("a file").bytes, b"here", "as it would on that host");
        assert_eq!(host.link("/etc/inside"), Ok("/etc/real".to_owned()));
        assert_eq!(host.list("/etc").expect("a folder"), ["absolute", "inside", "real", "upwards"]);
    }

    #[test]
    fn a_fifo_does_not_hold_the_agent_up_and_a_long_file_is_not_half_read() {
        let folder = tempfile::tempdir().expect("a folder");
        nix::unistd::mkfifo(&folder.path().join("fifo"), nix::sys::stat::Mode::S_IRUSR).expect("a fifo");
        std::fs::write(folder.path().join("long"), "12345").expect("a file");
        let host = HostFiles::new(Roots::below(folder.path()));
        assert!(matches!(host.read("/fifo", 10), Err(Unavailable::Malformed(_))));
        assert!(matches!(host.read("/long", 4), Err(Unavailable::TooMuch(_))));
        assert_eq!(host.read("/long", 5).expect("a file").bytes, b"12345");
        assert_eq!(host.meta("/fifo").expect("meta").kind(), "fifo");
    }

    #[test]
    fn links_of_proc_that_lead_anywhere_are_not_followed() {
        let host = HostFiles::new(Roots::default());
        assert!(matches!(host.read("/proc/self/exe", 1 << 30), Err(Unavailable::Malformed(_))));
        assert!(host.link("/proc/self/exe").expect("a link").starts_with('/'));
        assert!(host.read("/proc/self/status", 1 << 16).is_ok());
    }
}
