//! Folders whose content nobody but root may change: what in them does not keep to that.

use crate::checks::fact::{Found, Unavailable, Value};
use crate::checks::facts::Gather;

/// Levels that are descended, and entries that are looked at.
const DEPTH_MAX: usize = 5;
const ENTRIES_MAX: usize = 2_048;

/// `path.loose:/folder`
pub(super) fn loose(gather: &Gather, folder: &str) -> Found {
    let mut found = Vec::new();
    let mut seen = 0;
    match look(gather, folder, 0, &mut seen, &mut found) {
        Ok(()) => Found::value(Value::List(found), folder),
        Err(why) => Found::unavailable(why, folder),
    }
}

fn look(
    gather: &Gather,
    path: &str,
    depth: usize,
    seen: &mut usize,
    found: &mut Vec<String>,
) -> Result<(), Unavailable> {
    *seen += 1;
    if *seen > ENTRIES_MAX || depth > DEPTH_MAX {
        return Err(Unavailable::TooMuch(format!("more than {ENTRIES_MAX} entries or {DEPTH_MAX} levels")));
    }
    // A link's own mode says nothing; where it leads is looked at, and not descended.
    let link = gather.link(path).is_ok();
    let meta = match gather.meta(path) {
        Ok(meta) => meta,
        Err(Unavailable::Absent) if depth > 0 => return Ok(()),
        Err(why) => return Err(why),
    };
    // What stands for something else (/dev/null) is another matter.
    if !matches!(meta.kind(), "file" | "directory") {
        return Ok(());
    }
    if meta.uid != 0 || meta.permissions() & 0o022 != 0 {
        found.push(format!("{path} ({:04o} uid {})", meta.permissions(), meta.uid));
    }
    if meta.kind() == "directory" && !link {
        for name in gather.list(path)? {
            look(gather, &format!("{path}/{name}"), depth + 1, seen, found)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::host::HostFiles;
    use crate::config::Roots;
    use crate::sys::clock::Clock;
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, symlink};

    #[test]
    fn what_others_may_change_is_told_wherever_it_lies() {
        let folder = tempfile::tempdir().expect("a folder");
        let hooks = folder.path().join("etc/libvirt/hooks/qemu.d");
        fs::create_dir_all(&hooks).expect("folders");
        fs::write(hooks.join("bad"), "x").expect("a file");
        fs::write(hooks.join("good"), "x").expect("a file");
        symlink("..", hooks.join("round")).expect("a link");
        symlink("/nowhere", hooks.join("dangling")).expect("a link");
        for (name, mode) in [("bad", 0o664), ("good", 0o644)] {
            fs::set_permissions(hooks.join(name), fs::Permissions::from_mode(mode)).expect("chmod");
        }
        let gather = Gather::new(HostFiles::new(Roots::below(folder.path())), Clock::System);
        let own = nix::unistd::geteuid().as_raw();
        let list = loose(&gather, "/etc/libvirt").value.expect("a list").to_string();
        assert!(list.contains(&format!("/etc/libvirt/hooks/qemu.d/bad (0664 uid {own})")), "{list}");
        assert_eq!(list.contains("good"), own != 0, "{list}");
        assert_eq!(loose(&gather, "/etc/none").value, Err(Unavailable::Absent));
    }
}
