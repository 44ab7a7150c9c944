//! Who can connect to a unix socket: it takes leave to write to the socket, and to search every folder on the way, links
//! and what they lead through included. (unix(7), `path_resolution(7)`.)
//!
//! Judged from owners and modes. An ACL shows in the group's bits, which are then its mask: a group that looks as if it
//! could connect may be one that an ACL names.

use crate::checks::fact::Unavailable;
use crate::checks::facts::Gather;
use crate::checks::host::Meta;
use std::collections::BTreeSet;
use std::fmt::Write;

/// Symbolic links on one path, as the kernel has it.
const LINKS_MAX: usize = 40;

/// Who can connect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Reach {
    /// `others`, `group N` (the least of several), or `owner` for nobody else.
    pub(super) who: String,
    /// The modes that say so: a line for each folder that is not open to all, and one for the socket.
    pub(super) modes: String,
}

/// Who can connect to the socket at an absolute path.
///
/// # Errors
/// When something on the way is not there or may not be looked at.
pub(super) fn reach(gather: &Gather, path: &str) -> Result<Reach, Unavailable> {
    let mut way = Vec::new();
    walk(gather, path, &mut way)?;
    let Some(((_, socket), folders)) = way.split_last() else {
        return Err(Unavailable::Malformed(format!("{path} is no path of a socket")));
    };
    let mut modes = String::new();
    for (place, meta) in folders.iter().filter(|(_, meta)| meta.mode & 0o1 == 0) {
        let _ = writeln!(modes, "{place}: {:04o} {}:{}", meta.permissions(), meta.uid, meta.gid);
    }
    let _ = writeln!(modes, "{path}: {:04o} {}:{}", socket.permissions(), socket.uid, socket.gid);
    let others = socket.mode & 0o2 != 0 && folders.iter().all(|(_, folder)| folder.mode & 0o1 != 0);
    if others {
        return Ok(Reach { who: "others".to_owned(), modes });
    }
    let may = |meta: &Meta, group: u32, bit: u32| {
        let shift = if meta.gid == group { 3 } else { 0 };
        meta.mode >> shift & bit != 0
    };
    // The group of root is root's own.
    let groups: BTreeSet<u32> = way.iter().map(|(_, meta)| meta.gid).filter(|gid| *gid != 0).collect();
    let group = groups
        .into_iter()
        .find(|group| may(socket, *group, 0o2) && folders.iter().all(|(_, folder)| may(folder, *group, 0o1)));
    let who = group.map_or_else(|| "owner".to_owned(), |group| format!("group {group}"));
    Ok(Reach { who, modes })
}

/// Everything on the way to a path, itself last, as the kernel would go.
fn walk(gather: &Gather, path: &str, way: &mut Vec<(String, Meta)>) -> Result<(), Unavailable> {
    let mut ahead: Vec<String> = parts(path);
    let mut here = String::new();
    let mut links = 0;
    way.push(("/".to_owned(), look(gather, "/")?.0));
    while let Some(part) = ahead.pop() {
        if part == ".." {
            here.truncate(here.rfind('/').unwrap_or(0));
            continue;
        }
        let place = format!("{here}/{part}");
        let (meta, target) = look(gather, &place)?;
        if let Some(target) = target {
            links += 1;
            if links > LINKS_MAX {
                return Err(Unavailable::Malformed(format!("{path}: too many symbolic links")));
            }
            if target.starts_with('/') {
                here.clear();
            }
            ahead.extend(parts(&target));
            continue;
        }
        way.push((place.clone(), meta));
        here = place;
    }
    Ok(())
}

/// What is at a place, and where it leads if it is a link; once a round, since many sockets share their folders.
fn look(gather: &Gather, place: &str) -> Result<(Meta, Option<String>), Unavailable> {
    let told = gather.memo(place, |gather| {
        let meta = gather.meta_of_link(place)?;
        let target = (meta.kind() == "link").then(|| gather.host().link(place)).transpose()?;
        Ok((meta, target))
    });
    (*told).clone()
}

/// The parts of a path, the first at the end.
fn parts(path: &str) -> Vec<String> {
    let parts = path.split('/').filter(|part| !part.is_empty() && *part != ".");
    parts.rev().map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::host::HostFiles;
    use crate::config::Roots;
    use crate::sys::clock::Clock;
    use std::os::unix::fs::{PermissionsExt, symlink};
    use std::os::unix::net::UnixListener;
    use std::path::Path;

    fn set(path: &Path, mode: u32) {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).expect("a mode");
    }

    #[test]
    fn every_folder_on_the_way_counts_and_links_are_followed() {
        let root = tempfile::tempdir().expect("a folder");
        set(root.path(), 0o755);
        let at = |path: &str| root.path().join(path);
        std::fs::create_dir_all(at("a/b")).expect("folders");
        std::fs::create_dir_all(at("open")).expect("a folder");
        let _socket = UnixListener::bind(at("a/b/s")).expect("a socket");
        symlink("/a/b", at("open/way")).expect("a link");
        for folder in ["a", "a/b", "open"] {
            set(&at(folder), 0o755);
        }
        set(&at("a/b/s"), 0o777);
        let gather = || Gather::new(HostFiles::new(Roots::below(root.path())), Clock::default());
        let who = |path: &str| reach(&gather(), path).map(|reach| reach.who);
        assert_eq!(who("/a/b/s"), Ok("others".to_owned()));
        assert_eq!(who("/open/../open/way/./s"), Ok("others".to_owned()));
        set(&at("a"), 0o700);
        assert_eq!(who("/a/b/s"), Ok("owner".to_owned()), "a closed folder above closes all below");
        assert_eq!(who("/open/way/s"), Ok("owner".to_owned()), "and behind a link");
        set(&at("a"), 0o701);
        assert_eq!(who("/a/b/s"), Ok("others".to_owned()), "to search is enough");
        set(&at("a/b/s"), 0o775);
        assert_eq!(who("/a/b/s"), Ok("owner".to_owned()), "to read a socket is not to connect");
        assert_eq!(who("/a/b/t"), Err(Unavailable::Absent));
    }

    #[test]
    fn a_group_that_gets_through_is_named() {
        let root = tempfile::tempdir().expect("a folder");
        set(root.path(), 0o755);
        let at = |path: &str| root.path().join(path);
        std::fs::create_dir(at("a")).expect("a folder");
        let _socket = UnixListener::bind(at("a/s")).expect("a socket");
        for path in ["a", "a/s"] {
            if std::os::unix::fs::chown(at(path), None, Some(4_711)).is_err() {
                // Only root gives files to other groups.
                return;
            }
        }
        set(&at("a"), 0o750);
        set(&at("a/s"), 0o660);
        let gather = || Gather::new(HostFiles::new(Roots::below(root.path())), Clock::default());
        assert_eq!(reach(&gather(), "/a/s").expect("a way").who, "group 4711");
        set(&at("a"), 0o700);
        let closed = reach(&gather(), "/a/s").expect("a way");
        assert_eq!(closed.who, "owner");
        assert!(closed.modes.contains("/a: 0700"), "{}", closed.modes);
        set(&at("a"), 0o707);
        assert_eq!(
            reach(&gather(), "/a/s").expect("a way").who,
            "owner",
            "the group's bits come before others'"
        );
    }
}
