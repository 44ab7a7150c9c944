//! A recorded host: a few of its files, written down in one text, and laid out below a folder.
//!
//! ```text
//! # a comment, before the first entry
//! == /etc/ssh/sshd_config mode=0600
//! PermitRootLogin no
//! == /etc/localtime -> /usr/share/zoneinfo/UTC
//! == /etc/libvirt/secrets/ mode=0700
//! == /proc/7300/cmdline nul
//! /usr/bin/qemu-system-x86_64
//! -name
//! guest=web
//! ```
//! A path that ends in `/` is a folder. What follows an entry, up to the next, is its content; with `nul` every line
//! ends in a zero byte instead of a line feed. `uid=` and `gid=` say whose it is, which takes root to lay out. A socket
//! or device is written down as a file: its permissions are what matters.

use crate::error::{Doing, Error, Result};
use std::fs;
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};

/// One entry, before it is laid out.
#[derive(Debug, PartialEq, Eq)]
struct Entry<'t> {
    path: &'t str,
    kind: Kind<'t>,
    mode: Option<u32>,
    owner: (Option<u32>, Option<u32>),
}

#[derive(Debug, PartialEq, Eq)]
enum Kind<'t> {
    Folder,
    File(Vec<u8>),
    Link(&'t str),
}

/// Lays a host out below a folder, which must be there.
///
/// # Errors
/// When the text is none of this form, with its line, or a file cannot be made.
pub fn lay_out(text: &str, root: &Path) -> Result<()> {
    let entries = parse(text)?;
    for entry in &entries {
        make(entry, root)?;
    }
    // Permissions come last, from the end on: a folder that is closed early could not be filled.
    for entry in entries.iter().rev() {
        let path = below(root, entry.path);
        if let (uid, gid) = entry.owner
            && (uid.is_some() || gid.is_some())
        {
            chown(&path, uid, gid).doing(|| format!("chown {}", entry.path))?;
        }
        if let Some(mode) = entry.mode {
            let mode = fs::Permissions::from_mode(mode);
            fs::set_permissions(&path, mode).doing(|| format!("chmod {}", entry.path))?;
        }
    }
    Ok(())
}

/// Lays out the host that a file describes, below a folder of its own that goes when it is dropped.
///
/// # Errors
/// As [`lay_out`], or when the file cannot be read.
pub fn recorded(file: &Path) -> Result<tempfile::TempDir> {
    let text = fs::read_to_string(file).doing(|| format!("read {}", file.display()))?;
    let folder = tempfile::tempdir().doing(|| "make a folder")?;
    lay_out(&text, folder.path())?;
    Ok(folder)
}

fn below(root: &Path, path: &str) -> PathBuf {
    root.join(path.trim_matches('/'))
}

fn make(entry: &Entry<'_>, root: &Path) -> Result<()> {
    let path = below(root, entry.path);
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).doing(|| format!("make the folders of {}", entry.path))?;
    }
    let made = match &entry.kind {
        Kind::Folder => fs::create_dir_all(&path),
        Kind::File(content) => fs::write(&path, content),
        Kind::Link(target) => symlink(target, &path),
    };
    made.doing(|| format!("make {}", entry.path))
}

fn parse(text: &str) -> Result<Vec<Entry<'_>>> {
    let mut entries: Vec<Entry<'_>> = Vec::new();
    let mut ending = b'\n';
    for (number, line) in (1..).zip(text.lines()) {
        let wrong = |why: &str| Error::new(format!("line {number}: {line}"), why);
        if let Some(rest) = line.strip_prefix("== ") {
            let (entry, nul) = head(rest).map_err(wrong)?;
            if entries.iter().any(|known| known.path == entry.path) {
                return Err(wrong("is there already"));
            }
            ending = if nul { 0 } else { b'\n' };
            entries.push(entry);
            continue;
        }
        match entries.last_mut().map(|entry| &mut entry.kind) {
            None if line.is_empty() || line.starts_with('#') => {}
            None => return Err(wrong("stands before the first entry")),
            Some(Kind::File(content)) => {
                content.extend(line.bytes());
                content.push(ending);
            }
            // An empty line parts entries.
            Some(_) if line.is_empty() => {}
            Some(_) => return Err(wrong("is content of what has none")),
        }
    }
    Ok(entries)
}

/// `PATH [-> TARGET] [mode=OCTAL] [uid=N] [gid=N] [nul]`, and whether lines end in zero bytes.
fn head(text: &str) -> std::result::Result<(Entry<'_>, bool), &'static str> {
    let mut words = text.split_ascii_whitespace().peekable();
    let path = words.next().filter(|path| path.starts_with('/')).ok_or("is no absolute path")?;
    if path.split('/').any(|part| part == "..") {
        return Err("leads out of the folder");
    }
    let kind = if path.ends_with('/') { Kind::Folder } else { Kind::File(Vec::new()) };
    let mut entry = Entry { path, kind, mode: None, owner: (None, None) };
    let mut nul = false;
    if words.next_if_eq(&"->").is_some() {
        // A target may hold blanks, as `/usr/bin/x (deleted)` does.
        let (_, target) = text.split_once(" -> ").ok_or("is a link to nowhere")?;
        entry.kind = Kind::Link(target);
        return Ok((entry, nul));
    }
    for word in words {
        match word.split_once('=') {
            Some(("mode", digits)) => {
                entry.mode =
                    Some(u32::from_str_radix(digits, 8).map_err(|_| "has a mode that is not octal")?);
            }
            Some(("uid", number)) => entry.owner.0 = Some(number.parse().map_err(|_| "has an odd uid")?),
            Some(("gid", number)) => entry.owner.1 = Some(number.parse().map_err(|_| "has an odd gid")?),
            None if word == "nul" => nul = true,
            _ => return Err("has an attribute that does not exist"),
        }
    }
    Ok((entry, nul))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_folders_links_and_permissions_are_laid_out() {
        let folder = tempfile::tempdir().expect("a folder");
        let text = "# a host\n\n== /etc/secret mode=0400\na\n\nb\n== /proc/7/cmdline nul\nqemu\n-name x\n== /proc/7/exe -> /bin/q (deleted)\n\
                    == /closed/ mode=0500\n== /closed/file\n== /empty\n";
        lay_out(text, folder.path()).expect("a host");
        let at = |path: &str| folder.path().join(path);
        assert_eq!(fs::read_to_string(at("etc/secret")).expect("a file"), "a\n\nb\n");
        assert_eq!(fs::read(at("proc/7/cmdline")).expect("a file"), b"qemu\0-name x\0");
        assert_eq!(fs::read_link(at("proc/7/exe")).expect("a link"), Path::new("/bin/q (deleted)"));
        assert_eq!(fs::read(at("empty")).expect("a file"), b"");
        let mode = |path: &str| fs::metadata(at(path)).expect("there").permissions().mode() & 0o7777;
        assert_eq!((mode("etc/secret"), mode("closed")), (0o400, 0o500));
        fs::set_permissions(at("closed"), fs::Permissions::from_mode(0o700)).expect("chmod");
    }

    #[test]
    fn what_is_no_host_is_refused_with_its_line() {
        for (text, line, why) in [
            ("x\n", "line 1", "before the first"),
            ("== etc/x\n", "line 1", "absolute"),
            ("== /a\n== /../x\n", "line 2", "out of"),
            ("== /a mode=9\n", "line 1", "octal"),
            ("== /a colour=red\n", "line 1", "attribute"),
            ("== /a\n== /a\n", "line 2", "already"),
            ("== /a/\nx\n", "line 2", "content"),
        ] {
            let folder = tempfile::tempdir().expect("a folder");
            let error = lay_out(text, folder.path()).expect_err(text).to_string();
            assert!(error.contains(line) && error.contains(why), "{error}");
            assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 0, "nothing is half made");
        }
    }
}
