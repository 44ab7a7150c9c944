//! Which paths changed: inotify(7) on what facts were read from.
//!
//! A file is watched by itself, and by its folder, because most programs put a new file in its place rather than write
//! into it. What does not exist yet is watched for in the nearest folder that does. A guest's writes to its own disk
//! image must not wake anybody, so contents are watched only below `/proc/sys` and `/sys`, where a write is a change
//! and nothing is ever replaced; elsewhere closing after a write, replacing, and changes of owner and mode tell.
//!
//! Limits, which the full sweep makes good: files of `/proc/PID` and `/proc/net` announce nothing; a sysctl written
//! through another mount of procfs announces nothing; neither does a device's own change of a `/sys` file.

use nix::errno::Errno;
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify, WatchDescriptor};
use std::collections::{HashMap, HashSet};
use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Path, PathBuf};

/// Watches at most; paths beyond are left to the full sweep. The kernel's own limit for a user is
/// `fs.inotify.max_user_watches`, which the embedding process may need for itself.
const WATCHES_MAX: usize = 8_192;
/// Folders between a path that does not exist and one that does.
const ANCESTORS_MAX: usize = 64;

/// inotify(7): adds to what a watch is told, in place of replacing it. (`nix` has no name for it.)
const MASK_ADD: AddWatchFlags = AddWatchFlags::from_bits_retain(libc::IN_MASK_ADD);

/// Watches paths for changes.
#[derive(Debug)]
pub(super) struct Watch {
    inotify: Inotify,
    places: HashMap<WatchDescriptor, PathBuf>,
    /// Where the host's root folder is for this process.
    root: PathBuf,
    watched: HashSet<PathBuf>,
}

/// What became known.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Changed {
    /// Paths that changed; everything below one of them may have, too.
    pub(super) paths: Vec<PathBuf>,
    /// The kernel lost count: anything may have changed.
    pub(super) overflow: bool,
}

impl Watch {
    /// Watches nothing yet.
    ///
    /// # Errors
    /// When the kernel has no inotify instance to give (`fs.inotify.max_user_instances`).
    pub(super) fn new(root: &Path) -> nix::Result<Self> {
        let inotify = Inotify::init(InitFlags::IN_CLOEXEC | InitFlags::IN_NONBLOCK)?;
        Ok(Self { inotify, places: HashMap::new(), root: root.to_owned(), watched: HashSet::new() })
    }

    /// Readable when something changed.
    #[must_use]
    pub(super) fn fd(&self) -> BorrowedFd<'_> {
        self.inotify.as_fd()
    }

    /// How many paths are watched.
    #[must_use]
    pub(super) fn len(&self) -> usize {
        self.places.len()
    }

    /// Watches a path, if its changes are announced at all.
    pub(super) fn add(&mut self, path: &Path) {
        if !path.to_str().is_none_or(is_announced) || !self.watched.insert(path.to_owned()) {
            return;
        }
        if is_kernels(path) {
            self.watch(path, AddWatchFlags::IN_MODIFY | AddWatchFlags::IN_ATTRIB);
            return;
        }
        self.watch(path, content() | replaced());
        let mut folder = path.parent();
        for _ in 0..ANCESTORS_MAX {
            let Some(place) = folder else { break };
            if self.watch(place, replaced()) {
                break;
            }
            folder = place.parent();
        }
    }

    /// What changed since the last call.
    pub(super) fn changed(&mut self) -> Changed {
        let mut changed = Changed::default();
        let mut seen = HashSet::new();
        while let Ok(events) = self.inotify.read_events() {
            for event in events {
                if event.mask.contains(AddWatchFlags::IN_Q_OVERFLOW) {
                    changed.overflow = true;
                    continue;
                }
                let Some(place) = self.places.get(&event.wd) else { continue };
                let path = event.name.map_or_else(|| place.clone(), |name| place.join(name));
                if event.mask.intersects(AddWatchFlags::IN_IGNORED) {
                    self.places.remove(&event.wd);
                }
                if seen.insert(path.clone()) {
                    changed.paths.push(path);
                }
            }
        }
        // What was replaced or has come into being is to be watched anew.
        for path in &changed.paths {
            self.watched.retain(|watched| !watched.starts_with(path));
        }
        changed
    }

    fn watch(&mut self, path: &Path, what: AddWatchFlags) -> bool {
        if self.places.len() >= WATCHES_MAX {
            return false;
        }
        let real = match path.strip_prefix("/") {
            Ok(below) if !is_kernels(path) => self.root.join(below),
            _ => path.to_owned(),
        };
        // IN_MASK_ADD: a folder may be watched both for itself and for what is in it.
        match self.inotify.add_watch(&real, what | MASK_ADD) {
            Ok(descriptor) => {
                self.places.insert(descriptor, path.to_owned());
                true
            }
            Err(Errno::ENOSPC) => {
                log::debug!("no more inotify watches: {} is left to the full sweep", path.display());
                false
            }
            Err(_) => false,
        }
    }
}

fn content() -> AddWatchFlags {
    AddWatchFlags::IN_CLOSE_WRITE
        | AddWatchFlags::IN_ATTRIB
        | AddWatchFlags::IN_DELETE_SELF
        | AddWatchFlags::IN_MOVE_SELF
}

fn replaced() -> AddWatchFlags {
    AddWatchFlags::IN_CREATE
        | AddWatchFlags::IN_DELETE
        | AddWatchFlags::IN_MOVED_FROM
        | AddWatchFlags::IN_MOVED_TO
}

/// Whether anything tells of changes of a path: files of processes and of the network are made while they are read.
pub(super) fn is_announced(path: &str) -> bool {
    !path.starts_with("/proc/") || path.starts_with("/proc/sys/")
}

/// Whether a path is one of the kernel's, where a write is a change and nothing is ever replaced.
fn is_kernels(path: &Path) -> bool {
    path.starts_with("/proc") || path.starts_with("/sys")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    fn paths(watch: &mut Watch) -> Vec<PathBuf> {
        watch.changed().paths
    }

    #[test]
    fn writing_replacing_chmod_and_coming_into_being_are_noticed_and_reading_is_not() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("file");
        let later = folder.path().join("sub/dir/later");
        fs::write(&file, "1").expect("a file");
        let mut watch = Watch::new(Path::new("/")).expect("inotify");
        watch.add(&file);
        watch.add(&later);
        assert_eq!(fs::read(&file).expect("a file"), b"1");
        assert!(paths(&mut watch).is_empty());
        let mut noticed = |what: &str| {
            let found =
                paths(&mut watch).iter().any(|path| file.starts_with(path) || later.starts_with(path));
            watch.add(&file);
            watch.add(&later);
            assert!(found, "{what}");
        };
        fs::write(&file, "2").expect("a file");
        noticed("a write");
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).expect("chmod");
        noticed("chmod");
        fs::write(folder.path().join("new"), "3").expect("a file");
        fs::rename(folder.path().join("new"), &file).expect("rename");
        noticed("a replacement");
        fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).expect("chmod");
        noticed("chmod of the replacement");
        fs::create_dir_all(folder.path().join("sub/dir")).expect("folders");
        noticed("a folder on the way");
        fs::write(&later, "4").expect("a file");
        noticed("the file that was waited for");
        fs::remove_file(&file).expect("remove");
        noticed("its end");
    }

    #[test]
    fn what_announces_nothing_is_not_watched() {
        let mut watch = Watch::new(Path::new("/")).expect("inotify");
        watch.add(Path::new("/proc/self/status"));
        watch.add(Path::new("/proc/net/tcp"));
        assert_eq!(watch.len(), 0);
    }
}
